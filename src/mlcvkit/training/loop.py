"""Mini-batch training of any model with ``W``, ``emp_loss`` and ``emp_loss_grad``."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from inspect import signature
from typing import NamedTuple

import numpy as np

from mlcvkit.arrays import Indices, PlainData, Rows, float_rows
from mlcvkit.errors import InputError
from mlcvkit.models import Model, as_trained, predictions
from mlcvkit.training.gradients import as_columns, flatten
from mlcvkit.training.hyperparameters import Hyperparameters
from mlcvkit.training.optimizers import State
from mlcvkit.training.schedules import SCHEDULES, warmed_up
from mlcvkit.training.steps import Measured, MiniBatchSteps, Steps, lies_elsewhere
from mlcvlab.nn import Array

MEASURED_SAMPLES = 10_000
"""How many training samples the training loss and metrics of an epoch are measured on, at most."""

Metric = Callable[..., float]
"""``metric(model, X, y)`` of columns X, (K, N), and targets y, (C, N); where samples have weights, also with
``sample_weight``, (N,), if the metric has a parameter of that name."""

Validation = tuple[Rows, Array] | tuple[Rows, Array, Array]
"""Samples, (N, ...), their targets, and, if they have any, their weights, (N,), of mean 1."""

History = dict[str, list[float]]
"""One list for each quantity, with one entry an epoch: ``epoch``, ``learning_rate``, ``train_loss``,
``validation_loss``, the metrics (``train_accuracy``, ``validation_accuracy``), ``samples_per_second``."""


def accuracy(model: Model, X: Array, y: Array, *, sample_weight: Array | None = None) -> float:
    """Share of the samples whose prediction, cut at 0.5, is their label (handout, Problem 4; erratum 10).

        Acc = (1/T) Σ_i 1(y_i = [ŷ_i >= 0.5])

    Behind a softmax it is the class with the largest probability that must be right, and of several outputs all.

    Parameters
    ----------
    model
        A model with ``nn2`` or ``predict``.
    X
        The samples, (K, N), one a column.
    y
        The labels, (C, N), of 0 and 1.
    sample_weight
        What each sample counts, (N,). By default all count alike.

    Returns
    -------
    float
        The share, from 0 to 1.

    See Also
    --------
    Predictor : Whose ``measure`` measures more.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcvkit import MLP
    >>> model = MLP(()).initialize(2, seed=0)
    >>> model.W = [np.array([[1.0], [0.0]]), np.zeros((1, 1))]
    >>> accuracy(model, np.array([[3.0, -2.0, 1.0, 4.0], [0.0, 0.0, 0.0, 0.0]]), np.array([[1.0, 0.0, 0.0, 1.0]]))
    0.75
    """
    y_hat = predictions(model, X)
    if getattr(model, "output", None) == "softmax":
        correct = y_hat.argmax(axis=0) == y.argmax(axis=0)
    else:
        correct = ((y_hat >= 0.5) == (y >= 0.5)).all(axis=0)
    return float(np.average(correct, weights=sample_weight))


@dataclass
class Run:
    """A training run between two epochs: all that is needed to continue it.

    Shuffling and augmentation follow from the seed and the epoch.

    Parameters
    ----------
    hyperparameters
        The hyperparameters of the run.
    weights
        All weights as one flat vector, of which the model's are views.
    state
        The state of the optimizer, a NamedTuple of arrays.
    samples
        The number of samples in an epoch.
    epoch
        The number of epochs that are complete.
    history
        The measurements after each of them, by name.
    best
        The weights with the lowest validation loss so far, where they will be restored.
    mean
        The mean of the weights after each of the last epochs, where that is asked for.
    interrupted
        Whether Ctrl-C ended the run.
    fingerprint
        Computes a sum of the content of the training samples.
    mean_from
        The epoch that the mean begins with, where a run that is gone on with has other epochs than before.

    See Also
    --------
    fit : Gives one at its end.
    Callback : Sees it on the way.
    """

    hyperparameters: Hyperparameters
    weights: Array
    state: State
    samples: int
    epoch: int = 0
    history: History = field(default_factory=dict)
    best: Array | None = None
    mean: Array | None = None
    interrupted: bool = False
    fingerprint: Callable[[], str] = str
    mean_from: int = 0

    def __getstate__(self) -> dict[str, object]:
        # the sum as it is, for the samples behind it are in no pickle
        return vars(self) | {"fingerprint": partial(str, self.fingerprint())}

    def arrays(self) -> dict[str, Array]:
        """Every array of the run by name."""
        named = {"weights": self.weights, "best": self.best, "mean": self.mean}
        return {name: array for name, array in named.items() if array is not None} | {
            f"state.{name}": array for name, array in self.state._asdict().items()
        }


class Callback:
    """Informed of a training run as it goes on. Override the methods you need.

    A callback may read the run and must not change it. ``StopTraining`` raised in one ends the training in good order.

    See Also
    --------
    fit : Takes callbacks.
    StopTraining : Ends a training.
    ProgressBar, WriteCheckpoints : Callbacks that are here.

    Examples
    --------
    >>> from mlcvkit import Experiment, Hyperparameters, train
    >>> class Losses(Callback):
    ...     def on_epoch(self, run):
    ...         print(run.epoch)
    >>> hp = Hyperparameters(epochs=3)
    >>> _ = train(Experiment(data="moons", hyperparameters=hp), callbacks=[Losses()])
    1
    2
    3
    """

    def on_start(self, run: Run) -> None:
        """Called before the first step of a run, new or resumed.

        Parameters
        ----------
        run
            The run.
        """

    def on_batch(self, samples: int) -> None:
        """Called after each step.

        Parameters
        ----------
        samples
            The number of samples in the batch.
        """

    def on_epoch(self, run: Run) -> None:
        """Called after each epoch, when its measurements are in ``run.history``.

        Parameters
        ----------
        run
            The run.
        """

    def on_end(self, run: Run) -> None:
        """Called at the end of the run, also if it was interrupted.

        Parameters
        ----------
        run
            The run.
        """


class StopTraining(Exception):
    """Ends the training when it is raised; later callbacks do not learn of an epoch that raised it.

    See Also
    --------
    Callback : The methods that raise it.

    Examples
    --------
    >>> from mlcvkit import Callback, Experiment, Hyperparameters, train
    >>> class Enough(Callback):
    ...     def on_epoch(self, run):
    ...         if run.history["train_loss"][-1] < 0.3:
    ...             raise StopTraining
    >>> hp = Hyperparameters(epochs=1000, learning_rate=0.01)
    >>> train(Experiment(data="moons", hyperparameters=hp), callbacks=[Enough()]).run.epoch < 1000
    True
    """


def split_validation(N: int, samples: int, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Draw validation samples from the training samples.

    Parameters
    ----------
    N
        The number of training samples.
    samples
        The number of validation samples wanted.
    rng
        The generator that they are drawn from.

    Returns
    -------
    tuple[Array
        The indices to train on, and those to validate with.

    Raises
    ------
    InputError
        If that leaves no training sample.
    """
    if samples >= N:
        raise InputError(f"validation_samples must be below the {N} training samples; got {samples}")
    order = rng.permutation(N)
    return order[samples:], order[:samples]


class Step(NamedTuple):
    """A step was taken.

    Parameters
    ----------
    samples
        The number of samples in its batch.
    """

    samples: int


class Epoch(NamedTuple):
    """An epoch has ended.

    Parameters
    ----------
    record
        The measurements after it, by name.
    """

    record: dict[str, float]


class Training:
    """Mini-batch training of a model, one step for each ``next``: who stops asking pauses it.

    It yields a ``Step`` after each step, and an ``Epoch`` after each epoch, when its measurements are in
    ``run.history``. It ends when its epochs are over, or after ``patience`` epochs without a better validation loss;
    ``choose_weights`` then restores the best weights, or takes the mean of the last.

    Parameters
    ----------
    model
        As for ``fit``, and so are the other parameters.
    X
        Samples, (N, ...).
    y
        Their targets, (N,) or (N, C).
    samples
        The indices to train on.
    sample_weight
        The weight of each sample, (N,).
    validation
        A pair of X and y to measure with.
    hyperparameters
        The hyperparameters of the run.
    metrics
        Metrics by name.
    resume
        ``resume(run)`` puts an earlier run into the new one.
    measured
        Whether the loss and the metrics are measured after each epoch.

    Examples
    --------
    >>> from mlcvkit.datasets import read
    >>> from mlcvkit.models import MLP
    >>> data = read("moons")
    >>> training = Training(MLP((8,)).initialize(2, seed=0), data.X, data.y, hyperparameters=Hyperparameters(epochs=2))
    >>> next(training)
    Step(samples=128)
    >>> len(list(training)), training.run.epoch
    (9, 2)
    """

    def __init__(
        self,
        model: Model,
        X: Rows,
        y: Array,
        *,
        samples: Indices | None = None,
        sample_weight: Array | None = None,
        validation: Validation | None = None,
        hyperparameters: Hyperparameters | None = None,
        metrics: Mapping[str, Metric] | None = None,
        resume: Callable[[Run], None] | None = None,
        measured: bool = True,
    ) -> None:
        hp = hyperparameters or Hyperparameters()
        _check(X, y, samples, sample_weight, validation, hp)
        if hp.patience and not measured:
            raise InputError("patience needs the validation loss of each epoch: leave out measured=False")
        self.model, self.metrics = as_trained(model), metrics or {}
        _require_probabilities(self.model, y, *(validation or ())[1:2])
        flat = flatten(self.model)
        model.W = self.model.W  # the same views
        self.model.emp_loss(float_rows(X[:1]).T, as_columns(y[:1]))  # what does not fit the weights is refused here
        self.steps = _steps(self.model, X, y, hp, samples, sample_weight)
        self.run = Run(hp, flat, self.steps.start(flat), self.steps.samples, fingerprint=self.steps.fingerprint)
        if resume is not None:
            resume(self.run)
        self.rate = partial(_rate, hp, hp.epochs * self.steps.steps)
        self.parts: dict[str, Measured] = {"train": self.steps.some(MEASURED_SAMPLES)} if measured else {}
        if measured and validation is not None:
            validation_X, validation_y, *weights = validation
            options = {"sample_weight": weights[0]} if weights else {}
            self.parts["validation"] = (float_rows(validation_X), validation_y, options)
        self.passed_over = 0
        """The mini-batches of the first epoch that are not trained on: where a run is gone on with in its middle."""
        self._events = self._take_steps()

    def __iter__(self) -> Iterator[Step | Epoch]:
        return self

    def __next__(self) -> Step | Epoch:
        return next(self._events)

    def _take_steps(self) -> Iterator[Step | Epoch]:
        run, steps = self.run, self.steps
        while run.epoch < run.hyperparameters.epochs and not _out_of_patience(run):
            start = time.perf_counter()
            for step, take in enumerate(steps.epoch(run.epoch), start=run.epoch * steps.steps):
                if self.passed_over > 0:
                    self.passed_over -= 1
                    continue
                with np.errstate(over="ignore", invalid="ignore"):
                    taken = take(run.weights, run.state, self.rate(step))
                yield Step(taken)
            speed = run.samples / (time.perf_counter() - start)
            record = {"epoch": float(run.epoch + 1), "learning_rate": self.rate(step), "samples_per_second": speed}
            record |= self._measurements()
            _require_finite(record, step + 1, run.hyperparameters)
            _end_epoch(run, record)
            yield Epoch(record)

    def _measurements(self) -> dict[str, float]:
        found: dict[str, float] = {}
        with np.errstate(over="ignore", invalid="ignore"):
            for part, (X, y, options) in self.parts.items():
                values = _measure(self.model, X.T, as_columns(y), self.metrics, options)
                found |= {f"{part}_{name}": value for name, value in values.items()}
        return found

    def choose_weights(self) -> None:
        """Restore the best weights, or take the mean of those of the last epochs, where either was asked for."""
        run = self.run
        chosen = run.best if run.best is not None else run.mean
        if chosen is not None and not (run.interrupted and run.best is None):
            run.weights[:] = chosen


def fit(
    model: Model,
    X: Rows,
    y: Array,
    *,
    samples: Indices | None = None,
    sample_weight: Array | None = None,
    validation: Validation | None = None,
    hyperparameters: Hyperparameters | None = None,
    metrics: Mapping[str, Metric] | None = None,
    callbacks: Sequence[Callback] = (),
    resume: Callable[[Run], None] | None = None,
) -> Run:
    """Train a model on mini-batches to the end, and inform callbacks.

    The samples are shuffled for each epoch. After it the loss and the metrics are measured on the validation
    samples and on 10,000 training samples. Ctrl-C ends the training with the weights as they are.

    Parameters
    ----------
    model
        An NN2, an MLP, or anything with ``W``, ``emp_loss`` and ``emp_loss_grad``. Its weights become views of the
        run's flat vector of weights.
    X
        Samples, (N, ...), one a row: floats, or uint8 from 0 to 255, which are scaled to 0 to 1 on the way, or a
        scipy.sparse matrix in rows.
    y
        Their targets, (N,) or (N, C).
    samples
        The indices to train on. By default all.
    sample_weight
        The weight of each sample, (N,); of mean 1 if the scale of the risk is to stay.
    validation
        A pair of X and y to measure with.
    hyperparameters
        The hyperparameters, by default those of ``Hyperparameters()``. ``hidden_units``, ``activation``,
        ``initialization``, ``loss``, ``dropout``, ``l2``, ``label_smoothing`` and ``validation_samples`` are for
        whoever makes the model and splits the samples.
    metrics
        Metrics by name, such as {"accuracy": accuracy}.
    callbacks
        Callbacks, which are informed in this order.
    resume
        ``resume(run)`` puts an earlier run into the new one.

    Returns
    -------
    Run
        The run at its end.

    Raises
    ------
    ValueError
        If X, y, ``samples`` or ``validation`` do not fit each other or the model, or the model has no weights.
    InputError
        For patience without validation, or an augmentation of samples that are not images.
    FloatingPointError
        If a loss becomes NaN or infinite, with the step and the learning rate.

    See Also
    --------
    train : From data to a trained network, in one call.
    """
    before = [w if w is None else w.copy() for w in model.W]
    training = Training(
        model,
        X,
        y,
        samples=samples,
        sample_weight=sample_weight,
        validation=validation,
        hyperparameters=hyperparameters,
        metrics=metrics,
        resume=resume,
    )
    run = training.run
    try:
        for callback in callbacks:
            callback.on_start(run)
        for event in training:
            for callback in callbacks:
                if isinstance(event, Step):
                    callback.on_batch(event.samples)
                else:
                    callback.on_epoch(run)
    except KeyboardInterrupt:
        run.interrupted = True
        _forget_what_is_incomplete(run)
    except StopTraining:
        pass
    except BaseException:
        model.W = before
        raise
    finally:
        for callback in callbacks:
            with suppress(StopTraining):  # it has ended
                callback.on_end(run)
    training.choose_weights()
    return run


def _steps(
    model: Model, X: Rows, y: Array, hp: Hyperparameters, samples: Indices | None, sample_weight: Array | None
) -> Steps:
    if not lies_elsewhere(X):
        return MiniBatchSteps(model, X, y, hp, samples=samples, sample_weight=sample_weight)
    if samples is not None or sample_weight is not None:
        raise ValueError("samples on a cluster are trained on all alike: leave out samples and sample_weight")
    return X.steps(model, y, hp)  # type: ignore[no-any-return]


def _rate(hp: Hyperparameters, steps: int, step: int) -> float:
    """The learning rate of a step, counted from 0."""
    return hp.learning_rate * warmed_up(SCHEDULES[hp.schedule].function, step / steps, hp.warm_up)


def _check(
    X: Rows,
    y: Array,
    samples: Indices | None,
    sample_weight: Array | None,
    validation: Validation | None,
    hp: Hyperparameters,
) -> None:
    for part, (part_X, part_y, *_) in {"": (X, y), "validation ": validation or (X, y)}.items():
        N = part_X.shape[0]
        if np.ndim(part_y) not in (1, 2) or len(part_y) != N or N == 0:
            raise ValueError(
                f"{part}X and y must have the same number of samples, at least one, and y one dimension or two; "
                f"got X {part_X.shape} and y {np.shape(part_y)}"
            )
    N = X.shape[0]
    if sample_weight is not None and np.shape(sample_weight) != (N,):
        raise ValueError(f"sample_weight must be one number a sample, ({N},); got {np.shape(sample_weight)}")
    if samples is not None and not (
        samples.ndim == 1 and samples.dtype.kind in "iu" and samples.size and 0 <= samples.min() <= samples.max() < N
    ):
        raise ValueError(
            f"samples must be indices from 0 to {N - 1}, at least one; "
            f"got {samples.dtype} of shape {samples.shape}"
            + (f", {samples.min()} to {samples.max()}" if samples.size else "")
        )
    if hp.patience and validation is None:
        raise InputError("patience needs validation samples, by which the best weights are chosen")


def _end_epoch(run: Run, record: dict[str, float]) -> None:
    """Take in an epoch. What was written before Ctrl-C came is of the epoch only where its number was counted."""
    hp, epoch, best, mean = run.hyperparameters, run.epoch + 1, run.best, run.mean
    for name, value in record.items():
        run.history.setdefault(name, []).append(value)
    if hp.patience and record["validation_loss"] == min(run.history["validation_loss"]):
        best = run.weights.copy()
    averaged = epoch - (hp.epochs - hp.average_epochs)
    if averaged == 1:
        mean = run.weights.copy()
    elif averaged > 1 and mean is not None:
        mean = mean + (run.weights - mean) / min(averaged, epoch - run.mean_from + 1)
    # no signal is handled between plain assignments: all of them are made, or none
    run.best = best
    run.mean = mean
    run.epoch = epoch


def _forget_what_is_incomplete(run: Run) -> None:
    """Take measurements of an epoch out of the history that was interrupted before it was counted."""
    for name in [*run.history]:
        del run.history[name][run.epoch :]
        if not run.history[name]:
            del run.history[name]


def _out_of_patience(run: Run) -> bool:
    losses = run.history.get("validation_loss", [])
    patience = run.hyperparameters.patience
    return bool(patience and losses) and len(losses) - 1 - losses.index(min(losses)) >= patience


def _measure(model: Model, X: Rows, y: Array, metrics: Mapping[str, Metric], options: PlainData) -> dict[str, float]:
    values = {
        name: metric(model, X, y, **(options if "sample_weight" in signature(metric).parameters else {}))
        for name, metric in metrics.items()
    }
    return {"loss": model.emp_loss(X, y, **options), **values}


def _require_probabilities(model: Model, *targets: Array) -> None:
    """Refuse targets that a sigmoid or a softmax cannot predict."""
    output = getattr(model, "output", None)
    if output not in ("sigmoid", "softmax", "step"):
        return
    for y in targets:
        if not lies_elsewhere(y) and not (np.min(y) >= 0 and np.max(y) <= 1):
            raise ValueError(
                f"the targets of a {output} must be from 0 to 1; got {np.min(y):g} to {np.max(y):g}: make the "
                "labels 0 and 1, or for several classes one column each"
            )


def _require_finite(record: dict[str, float], step: int, hp: Hyperparameters) -> None:
    for name, value in record.items():
        if name.endswith("_loss") and not math.isfinite(value):
            raise FloatingPointError(
                f"training diverged: {name} is {value} after step {step} with learning_rate={hp.learning_rate}; "
                "try a smaller learning rate, and look for NaN among the samples"
            )
