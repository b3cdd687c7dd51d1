"""From raw rows to predictions: an encoder and a network, measured, saved and loaded together."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mlcvkit import datasets
from mlcvkit.arrays import PlainData, RawRows, Values
from mlcvkit.datasets import ImageEncoder, TableEncoder, restored_encoder
from mlcvkit.errors import InputError, MissingExtra
from mlcvkit.experiments.targets import Classes, Numbers, Targets, targets_from_dict
from mlcvkit.models import MLP, as_mlp, logit_loss
from mlcvkit.storage import SavedModel, load_model
from mlcvkit.training import as_columns
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn import Array

PARITY_DATA = "mnist-parity"


@dataclass
class Predictor:
    """An encoder of raw rows and the trained network behind it.

    Parameters
    ----------
    encoder
        From raw rows to numbers.
    model
        The network.
    targets
        What it predicts.
    target
        The name of what it predicts.
    fingerprint
        The SHA-256 sum of the data it was trained on.
    history
        The measurements of its training, one list each.
    estimator
        What a model file records of the scikit-learn estimator that has the same network.
    notes
        What a person should know of the data that it was trained on, a line each.
    thousands
        The mark between the thousands of targets in text, "" for none; None if that is to be seen from the values.
    unit
        What may stand behind targets in text, "" for nothing; None if that is to be seen from the values.

    See Also
    --------
    load : Reads one from a run's folder.
    """

    encoder: TableEncoder | ImageEncoder
    model: MLP | NN2
    targets: Targets
    target: str = "prediction"
    fingerprint: str = ""
    history: dict[str, list[float]] = field(default_factory=dict)
    estimator: PlainData = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    thousands: str | None = None
    unit: str | None = None

    @property
    def classifies(self) -> bool:
        """Whether it predicts classes, not numbers."""
        return not isinstance(self.targets, Numbers)

    @property
    def classes_in_text(self) -> tuple[str, ...] | None:
        """Its classes where they are text."""
        classes = self.targets.classes if isinstance(self.targets, Classes) else np.zeros(0)
        return tuple(map(str, classes)) if classes.dtype.kind == "U" else None

    @property
    def has_probabilities(self) -> bool:
        """Whether it gives probabilities beside the classes."""
        return self.classifies and self.mlp.output != "step"

    @property
    def mlp(self) -> MLP:
        """The network as an MLP, with the same weights."""
        return as_mlp(self.model)

    @property
    def features(self) -> int | None:
        """The number of columns that it reads, None for images."""
        return self.encoder.n_features_in_ if isinstance(self.encoder, TableEncoder) else None

    @property
    def shows_units(self) -> bool:
        """Whether its hidden units can be shown as square grey images."""
        shape: tuple[int, ...] = getattr(self.encoder, "shape_", ())
        return len(shape) == 2 and shape[0] == shape[1] and bool(self.mlp.hidden_units)

    def logits(self, X: RawRows) -> Array:
        """The logits of raw rows.

        Parameters
        ----------
        X
            The raw rows, as the training's data had them.

        Returns
        -------
        Array
            The logits, (N, C).
        """
        rows = self.encoder.transform(X).astype(self.model.W[0].dtype, copy=False)
        return self.mlp.logits(rows.T).T if len(rows) else np.empty((0, self.targets.outputs), rows.dtype)

    def predict(self, X: RawRows) -> Values:
        """The prediction for each raw row.

        Parameters
        ----------
        X
            The raw rows, as the training's data had them.

        Returns
        -------
        Array
            The classes or numbers, (N,).
        """
        return self._named(self.targets.predicted(self.logits(X)))

    def predict_columns(self, X: RawRows) -> dict[str, Values]:
        """The prediction for each raw row, with the probability of each class where there are probabilities.

        Parameters
        ----------
        X
            The raw rows, as the training's data had them.

        Returns
        -------
        dict[str, Array
            The columns by name, (N,) each.
        """
        logits = self.logits(X)
        columns = {self.target: self._named(self.targets.predicted(logits))}
        if isinstance(self.targets, Classes) and self.has_probabilities:
            probabilities = self.targets.probabilities(logits, self.mlp.output)
            prefix = "probability" if not self.target.startswith("probability") else "P"
            columns |= {f"{prefix} {c}": probabilities[:, i] for i, c in enumerate(self.targets.class_names)}
        return columns

    def _named(self, predicted: Values) -> Values:
        if not isinstance(self.targets, Classes) or not self.targets.names:
            return predicted
        return np.array(self.targets.names)[np.searchsorted(self.targets.classes, predicted)]

    def notes_on(self, X: RawRows, hint: str = "") -> list[str]:
        """What a person should know of rows: what is clipped to the range of the training, new, or otherwise missing.

        Parameters
        ----------
        X
            The rows.
        hint
            What follows a line on what is clipped.

        Returns
        -------
        list[str]
            The lines; none for images.
        """
        if not isinstance(self.encoder, datasets.TableEncoder):
            return []
        clipped = (
            f"{times:,} of {len(X):,} values of {name} are clipped to {low:.6g} to {high:.6g}{hint}"
            for name, (times, low, high) in self.encoder.clipped(X).items()
        )
        unread = self.encoder.unread(X).items()
        return [*clipped, *(f"{times:,} of {len(X):,} values of {name} {what}" for name, (times, what) in unread)]

    def measure(self, X: RawRows, y: Values) -> PlainData:
        """Measure the predictions for raw rows with known targets.

        Parameters
        ----------
        X
            The raw rows.
        y
            Their targets, (N,) or (N, 1).

        Returns
        -------
        PlainData
            For classes ``accuracy``, ``log_loss`` where there are probabilities, and ``confusion``, a row for each true
            class, those that the model does not know among them, with how often each class was predicted; for numbers
            ``r2``, ``rmse`` and ``mae``.

        Raises
        ------
        InputError
            If there are no rows, the targets are not one for each row, or none that the model knows.
        """
        y = one_for_each(X, y)
        if isinstance(self.targets, Classes):
            return self._measure_classes(self.targets, X, y)
        y = as_numbers(y, self.target, self.thousands, self.unit)
        error = self.predict(X) - y
        total = float(np.square(y - y.mean()).sum())
        r2 = 1 - float(np.square(error).sum()) / total if total else float(not error.any())
        return {
            "samples": len(y),
            "r2": r2 if len(y) > 1 else None,
            "rmse": float(np.sqrt(np.square(error).mean())),
            "mae": float(np.abs(error).mean()),
        }

    def _measure_classes(self, targets: Classes, X: RawRows, y: Values) -> PlainData:
        y = targets_as_known(targets, y, self.target, self.thousands, self.unit)
        logits = self.logits(X)
        predicted = targets.predicted(logits)
        result: PlainData = {"samples": len(y), "accuracy": float((predicted == y).mean())}
        known = np.isin(y, targets.classes)
        if not known.all():
            result["unknown"] = int((~known).sum())
        truth = np.searchsorted(targets.classes, y[known])
        if self.has_probabilities and known.all():
            # from the logits, since a probability of a wrong class that is nearly 1 has lost its digits
            loss = logit_loss(self.mlp.output, "cross_entropy" if targets.binary else "categorical_cross_entropy")
            encoded = targets.encode(y, np.float64)
            result["log_loss"] = float(loss.value(as_columns(encoded), logits.T.astype(np.float64)).mean())
        names = targets.class_names
        chosen = np.searchsorted(targets.classes, predicted)
        counts = confusion_matrix(truth, chosen[known], len(targets.classes))
        unknown = {str(one): np.bincount(chosen[y == one], minlength=len(names)) for one in np.unique(y[~known])}
        result["confusion"] = {
            name: dict(zip(names, map(int, row), strict=True))
            for name, row in [*zip(names, counts, strict=True), *unknown.items()]
        }
        return result

    def saved(self, configuration: PlainData | None = None) -> SavedModel:
        """What ``mlcvkit.storage.save_model`` writes and ``export_onnx`` exports.

        Parameters
        ----------
        configuration
            What the run records.

        Returns
        -------
        SavedModel
            The model with its preprocessing and targets.
        """
        preprocessing, arrays = self.encoder.to_dict()
        return SavedModel(
            self.model,
            configuration=dict(configuration or {}),
            history=self.history,
            estimator=self.estimator | self.targets.to_dict(),
            preprocessing=preprocessing,
            arrays=arrays,
            provenance={"data": self.fingerprint, "target": self.target}
            | ({"notes": list(self.notes)} if self.notes else {})
            | ({} if self.thousands is None else {"thousands": self.thousands})
            | ({} if self.unit is None else {"unit": self.unit}),
        )

    @classmethod
    def load(cls, run: Path) -> tuple["Predictor", SavedModel]:
        """Read a run.

        Parameters
        ----------
        run
            The folder of the run, or its model file.

        Returns
        -------
        tuple['Predictor', SavedModel]
            The predictor, and the model as it was saved.

        Raises
        ------
        InputError
            If it holds no network with its preprocessing and its targets, with the path.
        """
        saved = completed(load_model(run))
        if not saved.estimator and not saved.preprocessing:
            raise InputError(f"{run} holds a network alone, and does not say what it reads and predicts")
        if not saved.preprocessing:
            raise InputError(f"{run} holds an estimator, which reads arrays: load it with mlcvkit.load_estimator")
        try:
            encoder = restored_encoder(saved.preprocessing, saved.arrays)
            targets = targets_from_dict(saved.estimator)
        except (KeyError, TypeError, ValueError) as error:
            reason = str(error) if isinstance(error, InputError) else f"it does not say what it predicts: {error}"
            raise InputError(f"{run}: {reason}") from None
        stored = saved.provenance
        described = targets.to_dict()
        estimator = {name: value for name, value in saved.estimator.items() if name not in described}
        names = str(stored.get("target", "prediction")), str(stored.get("data", ""))
        notes = tuple(map(str, stored["notes"])) if isinstance(stored.get("notes"), list) else ()
        thousands = str(stored["thousands"]) if stored.get("thousands") in ("", ".", ",", ".,") else None
        unit = str(stored["unit"]) if isinstance(stored.get("unit"), str) else None
        predictor = cls(encoder, saved.model, targets, *names, saved.history, estimator, notes, thousands, unit)
        predictor._require_usable(run)
        return predictor, saved

    def _require_usable(self, run: Path) -> None:
        """Use each part of a model file once, on a row of nothing: what does not fit together is refused here."""
        try:
            features = self.mlp.pairs(self.mlp.W)[0][0].shape[1]
            if isinstance(self.encoder, ImageEncoder) and math.prod(self.encoder.shape_) != features:
                raise ValueError(f"images of {self.encoder.shape_} for a network of {features} features")
            self.predict_columns(self.encoder.blank_row())
            json.dumps(self.history)
        except MissingExtra:  # without the reader of tables there are no tables to predict for
            pass
        except Exception as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise InputError(f"{run} is damaged, its parts do not fit each other: {reason}") from None


def load(run: Path | str) -> Predictor:
    """Read the predictor of a run.

    Parameters
    ----------
    run
        The folder of the run, or its model file.

    Returns
    -------
    Predictor
        The predictor.

    Raises
    ------
    InputError
        If there is none, with the path.

    See Also
    --------
    load_model : The content of the file, as arrays and plain data.
    load_estimator : The file as an estimator of scikit-learn's kind.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from mlcvkit import Experiment, Hyperparameters, save_model, train
    >>> trained = train(Experiment(data="moons", hyperparameters=Hyperparameters(epochs=5)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(Path(folder) / "model.safetensors", trained.predictor.saved())
    ...     load(folder).targets.task
    'classification'
    """
    return Predictor.load(Path(run))[0]


def confusion_matrix(truth: Values, predicted: Values, classes: int) -> npt.NDArray[np.intp]:
    """How often each class was predicted for each true class.

    Parameters
    ----------
    truth
        The indices of the true classes, (N,).
    predicted
        The indices of the predicted classes, (N,).
    classes
        The number of classes C.

    Returns
    -------
    Array
        The matrix, (C, C): a row for each true class, a column for each predicted one.
    """
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


def one_for_each(X: RawRows, y: Values) -> Values:
    """Targets of any kind as an array of one for each row.

    Parameters
    ----------
    X
        The raw rows.
    y
        Their targets: an array, (N,) or (N, 1), a list, or a column of a data frame.

    Returns
    -------
    Array
        The targets, (N,).

    Raises
    ------
    InputError
        If there are no rows, there is not one for each, or one is missing.
    """
    given: Values = np.asarray(y)
    values = given[:, 0] if given.ndim == 2 and given.shape[1] == 1 else given
    if values.shape != (len(X),):
        raise InputError(
            f"there must be one target for each of the {len(X):,} rows; got targets of shape {given.shape}"
        )
    if not len(values):
        raise InputError("there are no rows to measure with")
    missing = int(_is_missing(values).sum())
    if missing:
        raise InputError(f"{missing:,} of the {len(values):,} targets are missing: leave out their rows")
    return values


def _is_missing(values: Values) -> npt.NDArray[np.bool_]:
    if values.dtype.kind != "O":
        return np.asarray(values != values)
    kinds = ("NoneType", "NAType", "NaTType")  # None, and the missing values of pandas
    return np.array([type(one).__name__ in kinds or (isinstance(one, float) and one != one) for one in values], bool)


def targets_as_known(
    targets: Classes, y: Values, name: str, thousands: str | None = None, unit: str | None = None
) -> Values:
    """Targets in any form as the classes that a model knows.

    Parameters
    ----------
    targets
        The classes of the model.
    y
        Text, numbers, or the names of the classes, (N,).
    name
        The name of the data, for messages.
    thousands
        The mark between thousands in text, as in ``Samples``.
    unit
        What may stand behind numbers in text, as in ``Samples``.

    Returns
    -------
    Array
        The classes, (N,).

    Raises
    ------
    InputError
        If none of them is one.
    """
    classes = targets.classes
    if classes.dtype.kind == "U":
        spelled = {str(one).lower(): str(one) for one in classes if datasets.are_truth_values([one])}
        known = set(map(str, classes))
        y = np.asarray([one if one in known else spelled.get(one.lower(), one) for one in map(str, y.tolist())])
    elif targets.names and y.dtype.kind not in "fiub" and np.isin(y.astype(str), targets.names).any():
        numbers = dict(zip(targets.names, classes.tolist(), strict=True))
        y = np.array([numbers.get(str(value), -1) for value in y])
    elif classes.tolist() == [0, 1] and y.dtype.kind in "UO" and datasets.are_truth_values(np.unique(y.astype(str))):
        y = (np.char.lower(y.astype(str)) == "true").astype(classes.dtype)
    else:
        y = as_numbers(y, name, thousands, unit)
    if not np.isin(y, classes).any():
        raise InputError(
            f"none of the targets {name!r} here is one of the classes that the model knows, "
            f"{', '.join(map(str, classes[:10]))}; they are {', '.join(map(str, np.unique(y)[:10]))}"
        )
    return y


def as_numbers(y: Values, name: str, thousands: str | None = None, unit: str | None = None) -> Values:
    """Targets as numbers.

    Parameters
    ----------
    y
        Numbers, or text that holds numbers, (N,).
    name
        The name of the data, for messages.
    thousands
        The mark between thousands in text, "" for none; None if that is to be seen from the values.
    unit
        What may stand behind each number in text, "" for nothing; None if that is to be seen from the values.

    Returns
    -------
    Array
        The numbers, (N,).

    Raises
    ------
    InputError
        If text is no number.
    """
    if y.dtype.kind in "fiub":
        return y
    numbers = datasets.numbers_of_text(y, thousands, unit)
    if numbers is None:
        each = (text for text in map(str, y.tolist()))
        wrong = next(text for text in each if datasets.numbers_of_text(np.array([text]), thousands, unit) is None)
        kind = f"numbers in {unit!r}" if unit else "numbers"
        raise InputError(f"the model knows {kind} as targets, and {name!r} here has {wrong!r}")
    return numbers


def completed(saved: SavedModel) -> SavedModel:
    """Complete a model file of an earlier version.

    NN2 on MNIST's parity did not record its preprocessing and its classes.

    Parameters
    ----------
    saved
        The model as it was saved.

    Returns
    -------
    SavedModel
        The model with its preprocessing and targets.
    """
    of_parity = saved.configuration.get("data", PARITY_DATA) in (None, PARITY_DATA)
    pixels = datasets.SIDE**2
    if saved.estimator or saved.preprocessing or not of_parity or len(saved.model.W) != 2:
        return saved
    if saved.model.W[0].shape[1] != pixels or saved.model.W[1].shape[1] != 1:
        return saved
    targets = Classes(np.array([0, 1]), datasets.PARITY_NAMES)
    parameters = {"hidden_units": len(saved.model.W[0]), "loss": as_mlp(saved.model).loss}
    saved.estimator = {"kind": "NN2Classifier", "parameters": parameters, "n_features": pixels} | targets.to_dict()
    saved.preprocessing = {"encoder": "images", "shape": [datasets.SIDE, datasets.SIDE]}
    saved.provenance = {"target": "y", **saved.provenance}
    saved.configuration = {"data": PARITY_DATA, "target": None, "image_size": None} | {
        name: value for name, value in saved.configuration.items() if value is not None
    }
    return saved
