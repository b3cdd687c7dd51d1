"""What the estimators have in common: from rows, targets and parameters to a run of the engine."""

import math
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import partial
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils import assert_all_finite, check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from mlcvkit.arrays import Indices, PlainData, Rows, Values
from mlcvkit.experiments import Targets, fit_network, notes_of_optimizer, split_rows, used
from mlcvkit.models import (
    MLP,
    ActivationName,
    InitializationName,
    Loss,
    LossName,
    architecture,
    as_mlp,
    scale_weights,
    start_as_linear,
)
from mlcvkit.storage import export_onnx, save_model
from mlcvkit.training import (
    MEASURED_SAMPLES,
    Callback,
    Checkpoint,
    History,
    Hyperparameters,
    OptimizerName,
    ProgressBar,
    Run,
    ScheduleName,
    State,
    StopTraining,
    Validation,
    lies_elsewhere,
    with_fields_of_optimizers,
)
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn import Array

if TYPE_CHECKING:
    from sklearn.utils import Tags

FULL_BATCH = 200
"""``batch_size="auto"``: up to this many samples are one batch, so that sample weights count exactly as repetitions."""


OF_OTHER_TYPES: PlainData = {
    "loss": [str, Loss, None],
    "batch_size": [Integral, StrOptions({"auto"})],
    "hidden_units": [Integral, tuple, list, np.ndarray],
    "tol": [Interval(Real, 0, None, closed="left")],
    "callbacks": [tuple, list],
    "class_weight": [dict, list, StrOptions({"balanced"}), None],
    "random_state": ["random_state"],
    "verbose": ["boolean"],
}
"""The parameters that are not of the type of their default alone."""


@dataclass(kw_only=True, eq=False, repr=False)
@with_fields_of_optimizers
class NetworkEstimator(BaseEstimator):  # type: ignore[misc]
    """The training of every estimator, and the parameters that all of them have.

    Every parameter is a keyword.

    Parameters
    ----------
    optimizer, learning_rate, schedule, warm_up
        As in ``mlcvkit.training.Hyperparameters``.
    batch_size
        The number of samples in a step; "auto" for min(200, N).
    epochs
        The largest number of passes over the samples.
    momentum, beta1, beta2, rho, epsilon, weight_decay, clip_norm, average_epochs, local_steps
        As in ``mlcvkit.training.Hyperparameters``.
    patience
        Stop after this many epochs without a better validation loss, and restore the best weights; without validation
        samples, after this many without a better training loss. 0 for never.
    tol
        How much lower a training loss must be to count as better.
    validation_fraction
        The share of the samples to hold out and to stop by.
    warm_start
        Whether ``fit`` goes on from the weights of the last one.
    callbacks
        Callbacks of ``mlcvkit.training``.
    random_state
        A number for the same weights each time.
    verbose
        Whether a progress bar is shown.

    Attributes
    ----------
    model_
        The trained network.
    history_
        The measurements after each epoch, by name.
    n_iter_
        The number of epochs.
    """

    optimizer: OptimizerName = "adam"
    learning_rate: float = 0.005
    schedule: ScheduleName = "cosine"
    warm_up: float = 0.0
    batch_size: int | Literal["auto"] = "auto"
    epochs: int = 200
    momentum: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.999
    rho: float = 0.9
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    average_epochs: int = 0
    local_steps: int = 100
    patience: int = 10
    tol: float = 1e-4
    validation_fraction: float = 0.0
    warm_start: bool = False
    callbacks: Sequence[Callback] = ()
    random_state: int | np.random.RandomState | None = None
    verbose: bool = False

    @property
    def _parameter_constraints(self) -> PlainData:
        """What scikit-learn checks of each parameter: the type of its default, or ``OF_OTHER_TYPES``."""
        types = {bool: "boolean", int: Integral, float: Real}
        constraints = {field.name: [types.get(type(field.default), str)] for field in fields(self) if field.init}
        return constraints | {name: of for name, of in OF_OTHER_TYPES.items() if name in constraints}

    def _check_parameters(self) -> None:
        self._validate_params()
        numbers = [part.name for part in fields(self) if part.init and type(part.default) in (int, float, tuple)]
        for name in numbers:
            value = getattr(self, name)
            if any(isinstance(one, bool | np.bool_) for one in (value if isinstance(value, tuple | list) else [value])):
                raise TypeError(f"{name} must be a number, or of numbers; got {value!r}")
        for name, kind in (("callbacks", Callback), ("class_weight", dict)):
            given = getattr(self, name, ())
            if isinstance(given, list | tuple) and not all(isinstance(one, kind) for one in given):
                what = "{class: weight}, or a list of one for each label" if kind is dict else "a list of Callback"
                raise TypeError(f"{name} must be {what}; got {given!r}")
        weights = getattr(self, "class_weight", None)
        for one in [weights] if isinstance(weights, dict) else weights if isinstance(weights, list) else []:
            for label, weight in one.items():
                if not isinstance(weight, Real) or not (math.isfinite(weight) and float(weight) >= 0):
                    raise ValueError(f"class_weight must be finite numbers, 0 or more; got {weight!r} for {label!r}")

    def fit(
        self,
        X: Rows,
        y: Values,
        sample_weight: npt.ArrayLike | None = None,
        *,
        validation_data: tuple[Values, ...] | None = None,
        resume: Path | str | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X
            The samples, (N, K): an array, a data frame of numbers, a scipy.sparse matrix, or ``X`` of
            ``mlcvkit.cluster.ShardedSamples`` with its ``y``.
        y
            The targets, (N,) or (N, C).
        sample_weight
            The weight of each sample, (N,). A whole number counts as that many repetitions of its sample.
        validation_data
            X and y to stop by, in place of ``validation_fraction``, and the weight of each of its samples if they have
            any.
        resume
            A folder with the checkpoint of an earlier run of the same parameters (``WriteCheckpoints`` among the
            callbacks leaves one), to go on with it.

        Returns
        -------
        Self
            The estimator, with ``model_``, ``history_`` and ``n_iter_``, the number of epochs.

        Raises
        ------
        ValueError
            For what does not fit, with what was given.
        FloatingPointError
            If the loss diverges.
        """
        self._check_parameters()
        y = _dense(y)
        with self._as_it_was_after_an_error():
            go_on = self.warm_start and hasattr(self, "model_")
            X, targets = self._validated(X, y, sample_weight, reset=True, first=not go_on)
            weights = self._sample_weight(X, y, sample_weight)
            checkpoint = None if resume is None else Checkpoint.read(Path(resume))
            random, seed = self._random(checkpoint)
            validation: Validation | None = None
            chosen = None
            if validation_data is not None:
                validation = self._given(validation_data)
            elif self.validation_fraction:
                chosen, held_out = self._split(X, targets, random)
                if self._y_numeric and not go_on:
                    targets = self._learned_anew(np.asarray(y, np.float64), weights, chosen).astype(X.dtype)
                validation = (X[held_out], targets[held_out])
                if weights is not None:
                    validation = (*validation, _of_mean_1(weights[held_out]).astype(X.dtype))
            if weights is not None:
                weights = _of_mean_1(weights, chosen).astype(X.dtype)
            targets = self._smoothed(targets)
            if go_on:
                self._require_same_network(X, targets)
            seed = int(random.randint(2**31 - 1)) if seed is None else seed
            if not go_on:
                self._begin(X, targets, seed, weights, chosen)
            hp = self._hyperparameters(X.shape[0] if chosen is None else len(chosen), seed)
            self._say_what_is_unused(hp, X)
            if self.tol != type(self).tol and (validation is not None or not hp.patience):
                why = (
                    "with patience=0" if not hp.patience else "with validation samples: their loss is what it stops by"
                )
                warnings.warn(f"tol={self.tol!r} is not used {why}", stacklevel=2)
            if validation_data is not None and self.validation_fraction:
                what = f"validation_fraction={self.validation_fraction!r}"
                warnings.warn(f"{what} is not used beside validation_data", stacklevel=2)
            restore = None if checkpoint is None else checkpoint.restore
            self._train(X, targets, hp, samples=chosen, sample_weight=weights, validation=validation, resume=restore)
            self._passes = 0  # later passes restart the schedule
            self._fitted_epochs: int = self.n_iter_
        return self

    @contextmanager
    def _as_it_was_after_an_error(self) -> Iterator[None]:
        """A fit that is refused, or diverges, leaves what was fitted before."""
        before = dict(vars(self))
        weights = [w.copy() for w in self.model_.W] if hasattr(self, "model_") else []
        try:
            yield
        except BaseException:
            self.__dict__ = before
            if weights:
                self.model_.W = weights
            raise

    def _random(self, checkpoint: Checkpoint | None) -> tuple[np.random.RandomState, int | None]:
        """The random generator, and the seed of the run if it is known already.

        Without a ``random_state`` the seed of the run replaces it, so that a checkpoint is enough to repeat all draws.
        """
        if self.random_state is not None:
            return check_random_state(self.random_state), None
        drawn = int(check_random_state(None).randint(2**31 - 1))
        seed = drawn if checkpoint is None else checkpoint.hyperparameters.seed
        return np.random.RandomState(seed), seed

    def _begin(self, X: Rows, targets: Array, seed: int, weights: Array | None, chosen: Indices | None = None) -> None:
        """A new network, for the ``chosen`` samples."""
        self.model_: MLP | NN2 = self._initialized(X, targets, seed)
        if getattr(self, "initialization", None) == "linear":
            if not isinstance(self.model_, MLP):
                raise ValueError("initialization='linear' needs ReLU units with biases; choose another, such as 'he'")
            start_as_linear(self.model_, X, targets, weights, chosen)
        self._drawn_by = getattr(self, "initialization", None)

    def _given(self, validation_data: tuple[Values, ...]) -> Validation:
        if not isinstance(validation_data, tuple | list) or len(validation_data) not in (2, 3):
            raise TypeError("validation_data must be (X, y) or (X, y, sample_weight)")
        return self._validation(*validation_data)

    def _validation(self, X: Rows, y: Values, sample_weight: npt.ArrayLike | None = None) -> Validation:
        """Samples to stop by, encoded, with their weights and those of their classes."""
        y = _dense(y)
        rows, targets = self._validated(X, y, None, reset=False, first=False)
        weights = self._sample_weight(rows, y, sample_weight)
        return (rows, targets) if weights is None else (rows, targets, _of_mean_1(weights).astype(rows.dtype))

    def save(self, path: Path | str) -> None:
        """Write the fitted estimator as a safetensors file, which ``load_estimator`` reads without running code.

        Parameters
        ----------
        path
            The file.

        Raises
        ------
        InputError
            If it is not fitted.
        OSError
            If the file cannot be written.
        """
        from mlcvkit.estimators.files import saved_model

        save_model(Path(path), saved_model(self))

    def export_onnx(self, path: Path | str) -> None:
        """Write the fitted estimator as an ONNX file with the input "X", (N, K), float32.

        Parameters
        ----------
        path
            The file.

        Raises
        ------
        InputError
            If it is not fitted, ONNX has no operator for it, or the file cannot be written.
        """
        from mlcvkit.estimators.files import saved_model

        export_onnx(saved_model(self), Path(path))

    def _require_same_network(self, X: Rows, targets: Array) -> None:
        if getattr(self, "_had_own_loss", False) and isinstance(getattr(self, "loss", None), Loss):
            as_mlp(self.model_).loss = self.loss  # which no file holds
        there, wanted = architecture(self.model_), architecture(self._initialized(X, targets, 0))
        expected = as_mlp(self.model_).pairs(self.model_.W)[0][0].shape[1]
        if X.shape[1] != expected:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting {expected} features as input: "
                "the training goes on with the network that is there; fit a new estimator"
            )
        differ = [name for name, value in wanted.items() if there.get(name) != value]
        initialization = getattr(self, "initialization", None)
        if initialization != getattr(self, "_drawn_by", initialization):
            differ.append("initialization")
        if differ:
            raise ValueError(
                f"{', '.join(differ)} changed, but the training goes on with the network that is there: set it back, "
                "or fit a new estimator"
            )

    def _partial_fit(self, X: Rows, y: Values, sample_weight: npt.ArrayLike | None, first: bool) -> Self:
        self._check_parameters()
        for name in ("average_epochs", "validation_fraction"):
            if getattr(self, name):
                raise ValueError(f"{name} is for fit, which knows all epochs: partial_fit needs {name}=0")
        if getattr(self, "class_weight", None) == "balanced":
            raise ValueError(
                "class_weight='balanced' is for fit, which knows how many samples each class has: partial_fit needs "
                "the weights themselves, as compute_class_weight gives them"
            )
        y = _dense(y)
        with self._as_it_was_after_an_error():
            X, targets = self._validated(X, y, sample_weight, reset=first, first=first)
            targets = self._smoothed(targets)
            weights = self._sample_weight(X, y, sample_weight)  # as they are: what is to come is not known
            weights = None if weights is None else weights.astype(X.dtype)
            seed = int(check_random_state(self.random_state).randint(2**31 - 1))
            if first:
                self._begin(X, targets, seed, weights)
                self._passes, self._fitted_epochs = 0, 0
                self.history_: History = {}
            else:
                self._require_same_network(X, targets)
            passes, history = getattr(self, "_passes", 0), self.history_
            if passes >= self.epochs and self.schedule != "constant":
                warnings.warn(
                    f"the schedule {self.schedule} ends after epochs={self.epochs} passes: from here on the learning "
                    "rate is close to its end, and little is learned; schedule='constant' goes on",
                    stacklevel=3,
                )
            # a number as random_state draws a new order nevertheless
            epochs = max(self.epochs, passes + 1)
            hp = self._hyperparameters(X.shape[0], seed + passes + 1, epochs=epochs, patience=0)
            self._say_what_is_unused(hp, X)
            state = None if first else getattr(self, "_state", None)
            one_pass = [*self.callbacks, _OnePass()]
            self._train(
                X, targets, hp, callbacks=one_pass, sample_weight=weights, resume=lambda run: _put(run, state, passes)
            )
            self._passes = passes + 1
            self.n_iter_ = int(getattr(self, "_fitted_epochs", 0)) + self._passes
            self.history_ = {name: [*history.get(name, []), *new] for name, new in self.history_.items()}
        return self

    def _train(
        self, X: Rows, targets: Array, hp: Hyperparameters, callbacks: Sequence[Callback] | None = None, **options: Any
    ) -> None:
        callbacks = [*(self.callbacks if callbacks is None else callbacks), *([ProgressBar()] if self.verbose else [])]
        trained = as_mlp(self.model_) if hasattr(X, "tocsr") else self.model_  # NN2 takes none, and is the faster one
        options |= {"tolerance": self.tol, "measured": self.verbose}
        run = fit_network(trained, X, targets, hp, self._targets, callbacks=callbacks, **options)
        self.model_.W = trained.W
        self.history_ = run.history
        self.n_iter_ = run.epoch
        self.interrupted_ = run.interrupted
        if run.interrupted:
            warnings.warn(f"the training was interrupted after {run.epoch} of {hp.epochs} epochs", stacklevel=3)
        self._state = run.state

    def _hyperparameters(self, N: int, seed: int, **changed: Any) -> Hyperparameters:
        names = {field.name for field in fields(self)} & {field.name for field in fields(Hyperparameters)}
        values = {name: getattr(self, name) for name in names} | {
            "batch_size": min(FULL_BATCH if self.batch_size == "auto" else self.batch_size, N),
            "hidden_units": as_mlp(self.model_).hidden_units,
            "seed": seed,
        }
        if isinstance(values.get("loss"), Loss):  # which has no name
            del values["loss"]
        elif getattr(self, "_had_own_loss", False) and values.get("loss") is None:
            raise ValueError("it was trained with a loss of your own, which no file holds: set_params(loss=...) first")
        return Hyperparameters(**values | changed)

    def _say_what_is_unused(self, hp: Hyperparameters, X: Rows) -> None:
        for note in notes_of_optimizer(hp):
            warnings.warn(note, stacklevel=3)
        of_use = used(hp, "mlp", on_cluster=lies_elsewhere(X))
        for part in fields(self):
            value = getattr(self, part.name)
            if part.name in vars(hp) and part.name not in of_use and value != part.default:
                where = "off a cluster" if part.name == "local_steps" else f"with optimizer={self.optimizer!r}"
                warnings.warn(f"{part.name}={value!r} is not used {where}", stacklevel=3)

    def _validated(
        self, X: Rows, y: Values, sample_weight: npt.ArrayLike | None, *, reset: bool, first: bool
    ) -> tuple[Rows, Array]:
        """Rows as floats or CSR, and the targets as the model takes them; ``first`` decides what the targets are."""
        if lies_elsewhere(X):
            return self._validated_elsewhere(X, y, first)
        with _column_named(X):
            X, y = validate_data(
                self,
                X,
                y,
                reset=reset,
                accept_sparse="csr",
                dtype=[np.float64, np.float32],
                multi_output=self.__sklearn_tags__().target_tags.multi_output or self._multi_label,
                y_numeric=self._y_numeric,
            )
        if y.ndim == 2 and y.shape[1] == 1 and not self._y_numeric:
            y = column_or_1d(y, warn=True)
        if self._y_numeric:
            y = _as_numbers(y)
        if first:
            self._targets = self._targets_of(y, sample_weight)
        if not reset and hasattr(self, "model_"):
            X = X.astype(self.model_.W[0].dtype, copy=False)
        return X, self._targets.encode(y, X.dtype)

    def _validated_elsewhere(self, X: Rows, y: Values, first: bool) -> tuple[Rows, Array]:
        """Samples on a cluster and their targets, which are encoded where they are stored."""
        if not (lies_elsewhere(X) and lies_elsewhere(y)) or len(X) != len(y):
            raise ValueError(f"the targets must lie where their samples do; got X {X.shape} and y {np.shape(y)}")
        self.n_features_in_ = X.shape[1]
        if first:
            classes = is_classifier(self) and y.ndim == 1
            self._targets = self._targets_of(y.distinct() if classes else X.some(y, MEASURED_SAMPLES, 0)[1], None)
        return X, y.map(partial(self._targets.encode, dtype=X.dtype, smoothing=self._smoothing()))

    def _sample_weight(self, X: Rows, y: Values, sample_weight: npt.ArrayLike | None) -> Array | None:
        """The weights, those of the classes among them; None if all samples count alike."""
        if lies_elsewhere(X):
            if sample_weight is not None or getattr(self, "class_weight", None) is not None:
                raise ValueError("samples on a cluster count all alike: leave out sample_weight and class_weight")
            return None
        class_weight = getattr(self, "class_weight", None)
        balance = None if class_weight is None else compute_sample_weight(class_weight, y)
        if sample_weight is None and balance is None:
            return None
        weights: Array = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        return weights if balance is None else weights * balance

    def _learned_anew(self, y: Values, weights: Array | None, chosen: Indices) -> Array:
        """Targets that are numbers, encoded by the mean and the scale of those that are trained on."""
        self._targets = self._targets_of(y[chosen], None if weights is None else weights[chosen])
        return self._targets.encode(y, np.float64)

    def _split(self, X: Rows, targets: Array, random: np.random.RandomState) -> tuple[Indices, Indices]:
        if lies_elsewhere(X):
            raise ValueError("samples on a cluster are not split: give validation_data")
        if not 0 < self.validation_fraction < 1:
            raise ValueError(f"validation_fraction must be at least 0 and below 1; got {self.validation_fraction}")
        count = round(self.validation_fraction * len(targets))
        if not 0 < count < len(targets):
            raise ValueError(
                f"validation_fraction={self.validation_fraction} of {len(targets)} samples leaves none on one side: "
                "give more samples, or validation_data"
            )
        return split_rows(len(targets), count, self._targets.strata(targets), random)

    def _scores(self, X: Rows) -> Array:
        """The argument z of the output for each row, (N, C)."""
        check_is_fitted(self, "model_")
        with _column_named(X):
            X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=[np.float64, np.float32])
        model = as_mlp(self.model_)
        return model.logits(X.astype(model.W[0].dtype, copy=False).T).T

    def _smoothed(self, targets: Array) -> Array:
        """Training targets with label smoothing; those that lie elsewhere have it already."""
        if lies_elsewhere(targets):
            elsewhere: Array = targets
            return elsewhere
        return self._targets.smoothed(targets, self._smoothing())

    def _smoothing(self) -> float:
        return getattr(self, "label_smoothing", 0.0)

    _multi_label = False
    _y_numeric = False
    _targets: Targets = field(init=False)

    @abstractmethod
    def _targets_of(self, y: Values, sample_weight: npt.ArrayLike | None) -> Targets:
        """What the first targets are."""

    @abstractmethod
    def _initialized(self, X: Rows, targets: Array, seed: int) -> MLP | NN2:
        """A new model for these samples."""

    def __sklearn_tags__(self) -> "Tags":
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


@dataclass(kw_only=True, eq=False, repr=False)
class MLPParameters:
    """The parameters of a multi-layer perceptron, for classes and for numbers.

    Parameters
    ----------
    hidden_units
        The number of units of each hidden layer.
    activation
        The activation of the hidden layers, a name in ``mlcvkit.models.ACTIVATIONS``.
    initialization
        How the weights are drawn, a name in ``mlcvkit.models.INITIALIZATIONS``.
    loss
        The loss, a name or a ``mlcvkit.models.Loss``. By default the one that fits the target.
    biases, dropout, l2
        As in ``mlcvkit.models.MLP``.
    """

    hidden_units: tuple[int, ...] = (100,)
    activation: ActivationName = "relu"
    initialization: InitializationName = "he"
    loss: LossName | Loss | None = None
    biases: bool = True
    dropout: float = 0.0
    l2: float = 1e-3

    def _initialized(self, X: Rows, targets: Array, seed: int) -> MLP:
        names = ("activation", "loss", "biases", "dropout", "l2")
        given = np.atleast_1d(self.hidden_units) if hasattr(self.hidden_units, "ndim") else self.hidden_units
        units = (given,) if isinstance(given, Integral) else tuple(given)
        if not all(isinstance(count, Integral) and count < 2**31 for count in units):
            raise ValueError(f"hidden_units must be whole numbers below {2**31:,}; got {self.hidden_units!r}")
        units = tuple(int(count) for count in units)
        of: Targets = self._targets  # type: ignore[attr-defined]
        model = MLP(units, output=of.output, **{name: getattr(self, name) for name in names})
        model.initialize(X.shape[1], of.outputs, seed=seed, dtype=X.dtype)
        return scale_weights(model, self.initialization)


@contextmanager
def _column_named(X: Rows) -> Iterator[None]:
    """Name the column of a data frame that is no numbers, in an error about it."""
    try:
        yield
    except (ValueError, TypeError) as error:
        for name in getattr(X, "columns", ()):
            try:
                np.asarray(X[name], np.float64)
            except (ValueError, TypeError):
                what = f"the column {name!r} does not hold numbers alone: {error}"
                raise type(error)(f"{what}. A TableEncoder before the estimator makes numbers of it") from None
        raise


def _of_mean_1(weights: Array, samples: Indices | None = None) -> Array:
    """Weights whose mean is 1, over some of the samples where those are given."""
    counted = weights if samples is None else weights[samples]
    if counted.sum() == 0:
        raise ValueError("the weights are zero for every sample: there is nothing to learn from, or to stop by")
    scaled: Array = weights * (len(counted) / counted.sum())
    return scaled


def _dense(y: Values) -> Values:
    """Labels in a sparse matrix as an array; anything else as it is."""
    dense: Values = y.toarray() if hasattr(y, "toarray") else y
    return dense


class _OnePass(Callback):
    def on_epoch(self, run: Run) -> None:
        raise StopTraining


def _put(run: Run, state: State | None, passes: int) -> None:
    """Continue a run after earlier passes; a changed optimizer starts with a new state."""
    run.epoch = passes
    if state is not None and type(state) is type(run.state):
        for array, earlier in zip(run.state, state, strict=True):
            array[:] = earlier


def _as_numbers(y: Values) -> Values:
    """Targets as numbers; ValueError if they are none, or some are missing."""
    if y.dtype.kind in "US":
        raise ValueError(f"y must be numbers, and holds text such as {y.flat[0]!r}: give y.astype(float)")
    if y.dtype.kind in "mM":
        raise ValueError(f"y must be numbers, and holds {y.dtype}, such as {y.flat[0]}: give days or seconds")
    assert_all_finite(y, input_name="y")
    return y
