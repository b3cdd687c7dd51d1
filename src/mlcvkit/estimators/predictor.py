"""From raw rows to answers: an encoder and an estimator, trained, measured, saved and loaded together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from mlcvkit import InputError
from mlcvkit.datasets import ImageEncoder, Samples, TableEncoder, read, restored_encoder
from mlcvkit.datasets.tables import encoder_for
from mlcvkit.estimators.base import NetworkEstimator, split_rows
from mlcvkit.estimators.classifiers import MLPClassifier, NN2Classifier, PerceptronClassifier
from mlcvkit.estimators.files import restored_estimator, saved_model
from mlcvkit.estimators.regressor import MLPRegressor
from mlcvkit.experiments import KINDS, KindName, require_used
from mlcvkit.experiments.kinds import VALIDATED_FROM
from mlcvkit.storage import SavedModel, load_model
from mlcvkit.training import Callback, Hyperparameters
from mlcvkit.training.augmentation import Augmentation

Array = npt.NDArray[Any]
Task = Literal["classification", "regression"]

TEST_FRACTION = 0.2
"""The share of the rows that is kept apart to test with, where nothing else is said."""
SMALLEST = 5
"""The fewest rows that can be trained on and tested with."""
NOT_OF_ESTIMATORS = {"seed", "validation_samples", *(part.name for part in fields(Augmentation))}
"""The hyperparameters that become something else: ``random_state``, ``validation_fraction``, a training without
distortion."""


@dataclass
class Predictor:
    """An encoder of raw rows and the estimator behind it; ``target`` is the name of what it predicts."""

    encoder: TableEncoder | ImageEncoder
    estimator: Any
    target: str
    fingerprint: str = ""

    @property
    def classifies(self) -> bool:
        """Whether it predicts classes, not numbers."""
        return hasattr(self.estimator, "classes_")

    def predict(self, X: Any) -> Array:
        """The prediction for each raw row, (N,)."""
        return np.asarray(self.estimator.predict(self.encoder.transform(X)))

    def answers(self, X: Any) -> dict[str, Array]:
        """The prediction for each raw row, and the probability of each class where there are probabilities."""
        rows = self.encoder.transform(X)
        columns = {self.target: np.asarray(self.estimator.predict(rows))}
        if hasattr(self.estimator, "predict_proba"):
            probabilities = self.estimator.predict_proba(rows)
            prefix = "probability" if not self.target.startswith("probability") else "P"
            columns |= {f"{prefix} {c}": probabilities[:, i] for i, c in enumerate(self.estimator.classes_)}
        return columns

    def measure(self, X: Any, y: Array) -> dict[str, Any]:
        """How good the predictions for raw rows with known targets are.

        Returns: for classes ``accuracy``, ``log_loss`` where there are probabilities, and ``confusion``, a row for each
        class with how often each was said; for numbers ``r2``, ``rmse`` and ``mae``.
        """
        rows = self.encoder.transform(X)
        if self.classifies:
            return self._measure_classes(rows, y)
        y = _as_numbers(y, self.target)
        said = self.estimator.predict(rows)
        rmse, mae = metrics.root_mean_squared_error(y, said), metrics.mean_absolute_error(y, said)
        r2 = metrics.r2_score(y, said) if len(y) > 1 else None
        return {"samples": len(y), "r2": r2, "rmse": rmse, "mae": mae}

    def _measure_classes(self, rows: Array, y: Array) -> dict[str, Any]:
        classes = self.estimator.classes_
        y = np.asarray(list(map(str, y.tolist()))) if classes.dtype.kind == "U" else _as_numbers(y, self.target)
        if not np.isin(y, classes).any():
            raise InputError(
                f"none of the targets {self.target!r} here is one of the classes that the model knows, "
                f"{', '.join(map(str, classes[:10]))}; they are {', '.join(map(str, np.unique(y)[:10]))}"
            )
        said = self.estimator.predict(rows)
        result: dict[str, Any] = {"samples": len(y), "accuracy": float((said == y).mean())}
        known = np.isin(y, classes)
        if hasattr(self.estimator, "predict_proba") and known.all():
            probabilities = self.estimator.predict_proba(rows).astype(np.float64)
            right = probabilities[np.arange(len(y)), np.searchsorted(classes, y)]
            result["log_loss"] = float(-np.log(right.clip(np.finfo(float).tiny)).mean())
        counts = metrics.confusion_matrix(y[known], said[known], labels=classes) if known.any() else []
        result["confusion"] = {
            str(c): dict(zip(map(str, classes), map(int, row), strict=True))
            for c, row in zip(classes, counts, strict=False)
        }
        return result

    def saved(self, configuration: dict[str, Any]) -> SavedModel:
        """As what ``mlcvkit.storage.save_model`` writes and ``export_onnx`` exports."""
        saved = saved_model(self.estimator)
        saved.configuration = configuration
        saved.preprocessing, saved.arrays = self.encoder.facts()
        saved.provenance = {"data": self.fingerprint, "target": self.target}
        return saved

    @classmethod
    def load(cls, run: Path) -> tuple["Predictor", SavedModel]:
        """Read a run; InputError where it has no estimator or no preprocessing, with the path."""
        saved = load_model(run)
        try:
            encoder = restored_encoder(saved.preprocessing, saved.arrays)
            estimator = restored_estimator(saved)
        except InputError as error:
            raise InputError(f"{run}: {error}") from None
        facts = saved.provenance
        return cls(encoder, estimator, facts.get("target", "prediction"), facts.get("data", "")), saved


def train_predictor(
    samples: Samples,
    hyperparameters: Hyperparameters,
    *,
    kind: KindName = "mlp",
    task: Task | None = None,
    test_fraction: float = TEST_FRACTION,
    callbacks: Sequence[Callback] = (),
    resume: Path | None = None,
) -> tuple[Predictor, tuple[Any, Array]]:
    """Train on some of the samples, and give back the others to test with.

    Arguments: ``task``, found from the target where None: text, and whole numbers of up to 20 values, are classes;
    ``test_fraction``, 0 for no test. Returns: the predictor, and the test samples with their targets.
    Raises: InputError for targets that cannot be learned, with the reason.
    """
    y, task = checked_target(samples, task)
    require_fraction_used(samples.name, samples.test, test_fraction)
    (X, y), test = split_test_rows(samples, y, test_fraction, task, hyperparameters.seed)
    encoder = encoder_for(X)
    estimator = make_estimator(kind, hyperparameters, task, len(y))
    estimator.set_params(callbacks=tuple(callbacks))
    rows = encoder.fit(X).transform(X)
    try:
        estimator.fit(rows, y, resume=resume)
    except ValueError as error:
        raise InputError(str(error)) from None
    return Predictor(encoder, estimator, samples.target or "prediction", samples.fingerprint), test


def checked_target(samples: Samples, task: Task | None) -> tuple[Array, Task]:
    """The targets, classes that are whole numbers as such, and the task; InputError where there is nothing to learn."""
    y = samples.y
    if y is None:
        raise InputError(f"{samples.name} needs a target to learn: name its column with --target")
    if len(y) < SMALLEST:
        raise InputError(f"{samples.name} has {len(y)} rows; at least {SMALLEST} are needed to train and to test")
    values = np.unique(y)
    if len(values) == 1:
        raise InputError(f"the target {samples.target!r} has one value only, {values[0]}: there is nothing to learn")
    whole = y.dtype.kind in "iub" or (y.dtype.kind == "f" and (y == np.round(y)).all())
    if task is None:
        is_class = y.dtype.kind not in "fiub" or (whole and len(values) <= 20)
        task = "classification" if is_class else "regression"
    if task == "regression" and y.dtype.kind not in "fiub":
        raise InputError(f"the target {samples.target!r} is text: it can be classified, and not regressed")
    if task == "classification" and len(values) > max(20, len(y) // 2):
        raise InputError(
            f"the target {samples.target!r} has {len(values):,} different values in {len(y):,} rows: nearly each row "
            "would be a class of its own; choose another target, or --task regression for numbers"
        )
    if task == "regression" and np.abs(y).max() > 1e150:
        raise InputError(f"the target {samples.target!r} goes up to {np.abs(y).max():.3g}, whose square is no number")
    if task == "classification" and y.dtype.kind == "f" and whole:
        y = y.astype(np.int64)
    return (y.astype(np.float64) if task == "regression" else y), task


def require_fraction_used(name: str, test: Any, fraction: float) -> None:
    """Raise InputError for another fraction of test rows where data have a test set of their own."""
    if test is not None and fraction != TEST_FRACTION:
        raise InputError(f"{name} has a test set of its own: leave out test_fraction")


def split_test_rows(
    samples: Samples, y: Array, fraction: float, task: Task, seed: int
) -> tuple[tuple[Any, Array], tuple[Any, Array]]:
    if not 0 <= fraction < 1:
        raise InputError(f"test_fraction must be at least 0 and below 1; got {fraction}")
    if samples.test is not None:
        return (samples.X, y), samples.test
    if fraction == 0:
        return (samples.X, y), (samples.X[:0], y[:0])
    count = max(1, round(fraction * len(y)))
    if count >= len(y):
        raise InputError(f"a test_fraction of {fraction} leaves nothing to train on")
    chosen, held_out = split_rows(len(y), count, y if task == "classification" else None, seed)
    return (samples.X[chosen], y[chosen]), (samples.X[held_out], y[held_out])


def split_samples(samples: Samples, configuration: Mapping[str, Any]) -> tuple[Any, Array]:
    """The test samples that a training with this configuration held out; InputError where it held out none."""
    y, task = checked_target(samples, configuration["task"])
    _, (X, test_y) = split_test_rows(samples, y, configuration["test_fraction"], task, configuration["seed"])
    if not len(test_y):
        raise InputError("the training kept no rows apart to measure with: give data that it has not seen")
    return X, test_y


def test_samples(
    predictor: "Predictor", saved: SavedModel, data: str | None = None, target: str | None = None
) -> tuple[Any, Array]:
    """The samples to measure with: those of a file, or those that the training held out.

    Raises: InputError where there are none, or the data are not those of the training any more.
    """
    configuration = saved.configuration
    source, target = configuration["data"] if data is None else data, target or configuration["target"]
    if data is not None and target == configuration["target"] and target is not None and Path(target).is_file():
        raise InputError(f"give the file of the labels of {data} with --target: {target} is that of the training")
    if data is None and not predictor.fingerprint:
        raise InputError(
            f"the rows of {source} that were held out on a cluster are not kept: give data to measure with"
        )
    samples = read(source, target, image_size=configuration["image_size"], as_text=data is not None)
    if data is not None:
        if samples.y is None:
            raise InputError(f"{data} has no target to compare with")
        return samples.X, samples.y
    if samples.fingerprint != predictor.fingerprint:
        raise InputError(f"{source} is not what the model was trained on any more: give the data to measure it with")
    return split_samples(samples, configuration)


def make_estimator(
    kind: KindName, hyperparameters: Hyperparameters, task: Task, N: int | None, *, on_cluster: bool = False
) -> NetworkEstimator:
    """The estimator of a kind for N samples, None where validation samples are given.

    Raises: InputError for hyperparameters that it would not use.
    """
    if task == "regression" and kind != "mlp":
        raise InputError(f"{kind} predicts classes; a target of numbers needs --model mlp")
    hp = hyperparameters
    require_used(hp, kind, rows=None if on_cluster else N, on_cluster=on_cluster)
    if kind == "nn2" and len(hp.hidden_units) != 1:
        raise InputError(f"nn2 has one hidden layer; got hidden_units {hp.hidden_units}: choose --model mlp")
    left_out = NOT_OF_ESTIMATORS | KINDS[kind].unused.keys()
    own: dict[str, Any] = {name: value for name, value in vars(hp).items() if name not in left_out}
    own["random_state"] = hp.seed
    if N is not None and N >= VALIDATED_FROM and hp.validation_samples and hp.patience:
        own["validation_fraction"] = min(hp.validation_samples, N // 5) / N
    if kind == "perceptron":
        return PerceptronClassifier(**own)
    if kind == "nn2":
        return NN2Classifier(**own | {"hidden_units": hp.hidden_units[0], "loss": hp.loss or "cross_entropy"})
    if kind == "nn1":
        own["hidden_units"] = ()
    return (MLPRegressor if task == "regression" else MLPClassifier)(**own)


def _as_numbers(y: Array, target: str) -> Array:
    """Targets read anew as numbers; InputError where they are other text."""
    if y.dtype.kind in "fiub":
        return y
    try:
        return y.astype(np.float64)
    except ValueError:
        raise InputError(f"the model knows numbers as targets, and {target!r} here is text such as {y[0]!r}") from None
