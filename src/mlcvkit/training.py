"""Mini-batch training of any model with ``W``, ``emp_loss`` and ``emp_loss_grad``."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from mlcvkit import InputError
from mlcvlab.nn import Array
from mlcvlab.nn.losses import LOSSES

MEASURED_SAMPLES = 10_000
"""How many training samples the training loss and metrics of an epoch are measured on, at most."""


class Model(Protocol):
    """What can be trained: inside a model a sample is a column, X is (K, N) and y is (1, N)."""

    @property
    def W(self) -> list[Array]: ...

    def emp_loss(self, train_X: npt.ArrayLike, train_y: npt.ArrayLike) -> float: ...

    def emp_loss_grad(self, train_X: npt.ArrayLike, train_y: npt.ArrayLike) -> list[Array]: ...


Metric = Callable[[Any, Array, Array], float]
"""``metric(model, X, y)`` of columns X, (K, N), and targets y, (1, N)."""


def accuracy(model: Any, X: Array, y: Array) -> float:
    """Share of the samples whose prediction, cut at 0.5, is their label (handout, Problem 4; erratum 10).

        Acc = (1/T) Σ_i 1(y_i = [ŷ_i >= 0.5])

    Arguments: ``model`` with ``nn2(X)``; ``X``, (K, N), a sample a column; ``y``, (1, N), of 0 and 1.
    """
    return float(((model.nn2(X) >= 0.5) == (y >= 0.5)).mean())


class MomentumState(NamedTuple):
    """One velocity for each array of weights."""

    v: list[Array]


@dataclass(frozen=True)
class Momentum:
    """SGD with momentum.

        v ← μ v + ∇L,    W ← W - α v

    Source: Polyak (1964), "Some methods of speeding up the convergence of iteration methods", in the form of
    Sutskever, Martens, Dahl, Hinton (2013) with the learning rate outside of the velocity.
    """

    momentum: float = 0.9

    def start(self, W: Sequence[Array]) -> MomentumState:
        """The state before the first step."""
        return MomentumState([np.zeros_like(w) for w in W])

    def update(
        self, W: Sequence[Array], gradients: Sequence[Array], state: MomentumState, learning_rate: float
    ) -> None:
        """Take one step in place; ``gradients`` are used up."""
        for w, g, v in zip(W, gradients, state.v, strict=True):
            v *= self.momentum
            v += g
            np.multiply(v, learning_rate, out=g)
            w -= g


class AdamState(NamedTuple):
    """Both moments for each array of weights, and the number of steps taken, an array of one."""

    m: list[Array]
    s: list[Array]
    steps: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Adam:
    """Adam, with ε added to the corrected root.

        m ← β₁ m + (1 - β₁) ∇L,    s ← β₂ s + (1 - β₂) ∇L²
        W ← W - α m / (1 - β₁ᵗ) / (√(s / (1 - β₂ᵗ)) + ε)

    Source: Kingma and Ba (2015), "Adam", algorithm 1.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def start(self, W: Sequence[Array]) -> AdamState:
        """The state before the first step."""
        return AdamState([np.zeros_like(w) for w in W], [np.zeros_like(w) for w in W], np.zeros(1, np.int64))

    def update(self, W: Sequence[Array], gradients: Sequence[Array], state: AdamState, learning_rate: float) -> None:
        """Take one step in place; ``gradients`` are used up."""
        state.steps[0] += 1
        t = int(state.steps[0])
        step_size = learning_rate / (1 - self.beta1**t)
        correction = 1 / (1 - self.beta2**t)
        for w, g, m, s in zip(W, gradients, state.m, state.s, strict=True):
            m += (1 - self.beta1) * (g - m)
            np.square(g, out=g)
            g -= s
            g *= 1 - self.beta2
            s += g
            np.multiply(s, correction, out=g)
            np.sqrt(g, out=g)
            g += self.epsilon
            np.divide(m, g, out=g)
            g *= step_size
            w -= g


class Optimizer(Protocol):
    """Its state before the first step, and one step in place."""

    def start(self, W: Sequence[Array]) -> Any: ...

    def update(self, W: Sequence[Array], gradients: Sequence[Array], state: Any, learning_rate: float) -> None: ...


OPTIMIZERS: dict[str, type[Adam] | type[Momentum]] = {"adam": Adam, "sgd": Momentum}

History = dict[str, list[float]]
"""One list for each quantity, with one entry an epoch: ``epoch``, ``learning_rate``, ``train_loss``,
``validation_loss``, the metrics (``train_accuracy``, ``validation_accuracy``), ``samples_per_second``."""


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """Every hyperparameter of a training run; InputError for a value out of its range."""

    hidden_units: int = 256
    """Hidden ReLU units M: more can tell more apart, and cost more time."""
    loss: Literal["cross_entropy", "l2", "mse"] = "cross_entropy"
    """What is minimised."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """adam scales each weight's step by its recent gradients; sgd is plain descent with momentum."""
    learning_rate: float = 0.001
    """How far a step goes; too high diverges, too low crawls. Good for sgd: 0.1."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """How the learning rate goes on: cosine brings it down to 0 over the run."""
    batch_size: int = 128
    """Samples in one step."""
    epochs: int = 15
    """Passes over the training samples."""
    momentum: float = 0.9
    """sgd: the share of the last step's velocity that is kept."""
    beta1: float = 0.9
    """adam: the decay of the running mean of the gradient."""
    beta2: float = 0.999
    """adam: the decay of the running mean of its square."""
    epsilon: float = 1e-8
    """adam: keeps the division finite."""
    validation_samples: int = 5000
    """Training samples held out to watch the progress; the test set is never used for that."""
    seed: int = 0
    """Where all randomness comes from: the same seed gives the same weights."""

    def __post_init__(self) -> None:
        for name in ("hidden_units", "batch_size", "epochs", "validation_samples"):
            self._require(name, getattr(self, name) >= 1, "must be 1 or more")
        for name in ("learning_rate", "epsilon"):
            self._require(name, 0 < getattr(self, name) < math.inf, "must be positive and finite")
        for name in ("momentum", "beta1", "beta2"):
            self._require(name, 0 <= getattr(self, name) < 1, "must be at least 0 and below 1")
        self._require("seed", self.seed >= 0, "must be 0 or more")
        for name, choices in (("loss", LOSSES), ("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            self._require(name, getattr(self, name) in choices, f"must be one of {', '.join(choices)}")

    def _require(self, name: str, right: bool, rule: str) -> None:
        if not right:
            raise InputError(f"{name} {rule}; got {getattr(self, name)!r}")

    def make_optimizer(self) -> Optimizer:
        """The optimizer with those of the hyperparameters that are its own."""
        kind = OPTIMIZERS[self.optimizer]
        return kind(**{field.name: getattr(self, field.name) for field in fields(kind)})


def constant(progress: float) -> float:
    """The learning rate as it is given."""
    return 1.0


def cosine(progress: float) -> float:
    """Half a cosine from 1 to 0: (1 + cos(π progress)) / 2, for progress from 0 to 1.

    Source: Loshchilov and Hutter (2017), "SGDR", equation 5, one period.
    """
    return (1 + math.cos(math.pi * progress)) / 2


SCHEDULES: dict[str, Callable[[float], float]] = {"cosine": cosine, "constant": constant}


class Fitted(NamedTuple):
    """What training leaves beside the model's weights: the history, and whether Ctrl-C ended it early."""

    history: History
    interrupted: bool


def split_validation(X: Array, y: Array, samples: int, rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    """Draw a validation set from the training samples; returns train_X, train_y, validation_X, validation_y.

    Raises: InputError where that leaves no training sample.
    """
    if samples >= len(X):
        raise InputError(f"validation_samples must be below the {len(X)} training samples; got {samples}")
    order = rng.permutation(len(X))
    validation, train = order[:samples], order[samples:]
    return X[train], y[train], X[validation], y[validation]


def fit(
    model: Model,
    X: Array,
    y: Array,
    *,
    validation: tuple[Array, Array] | None = None,
    hyperparameters: Hyperparameters | None = None,
    metrics: Mapping[str, Metric] | None = None,
    rng: np.random.Generator | None = None,
    on_batch: Callable[[int], object] | None = None,
    on_epoch: Callable[[History], object] | None = None,
) -> Fitted:
    """Train a model on mini-batches; its weights are updated in place.

    The samples are shuffled anew for each epoch. After it the loss and the metrics are measured on the validation
    samples and on the first 10,000 training samples. Ctrl-C ends the training with the weights as they are.

    Arguments: ``X``, (N, K), a sample a row; ``y``, (N,); ``validation``, such a pair; ``hyperparameters``, the
    defaults where None; ``metrics``, by name, such as {"accuracy": accuracy}; ``rng``, that of the seed where None;
    ``on_batch(samples)`` and ``on_epoch(history)``, called after each.
    Raises: ValueError where X and y differ in length; FloatingPointError, with the step and the learning rate, where
    the loss becomes NaN or infinite.
    """
    if len(X) != len(y) or len(X) == 0:
        raise ValueError(f"X and y must have the same number of samples, at least one; got X {X.shape} and y {y.shape}")
    hp = hyperparameters or Hyperparameters()
    rng = rng or np.random.default_rng(hp.seed)
    measured = {"train": (X[:MEASURED_SAMPLES], y[:MEASURED_SAMPLES])}
    if validation is not None:
        measured["validation"] = validation
    optimizer = hp.make_optimizer()
    state = optimizer.start(model.W)
    schedule = SCHEDULES[hp.schedule]
    steps = hp.epochs * math.ceil(len(X) / hp.batch_size)
    history: History = {}
    step = 0
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            for epoch in range(1, hp.epochs + 1):
                start = time.perf_counter()
                order = rng.permutation(len(X))
                for i in range(0, len(X), hp.batch_size):
                    batch = order[i : i + hp.batch_size]
                    gradients = model.emp_loss_grad(X[batch].T, y[batch][None])
                    learning_rate = hp.learning_rate * schedule(step / steps)
                    optimizer.update(model.W, gradients, state, learning_rate)
                    step += 1
                    if on_batch is not None:
                        on_batch(len(batch))
                record = {"epoch": float(epoch), "learning_rate": learning_rate}
                record["samples_per_second"] = len(X) / (time.perf_counter() - start)
                for part, (part_X, part_y) in measured.items():
                    record |= _measure(model, part, part_X.T, part_y[None], metrics or {})
                _require_finite(record, step, hp)
                for name, value in record.items():
                    history.setdefault(name, []).append(value)
                if on_epoch is not None:
                    on_epoch(history)
    except KeyboardInterrupt:
        return Fitted(history, interrupted=True)
    return Fitted(history, interrupted=False)


def _measure(model: Model, part: str, X: Array, y: Array, metrics: Mapping[str, Metric]) -> dict[str, float]:
    values = {name: metric(model, X, y) for name, metric in metrics.items()}
    return {f"{part}_{name}": value for name, value in {"loss": model.emp_loss(X, y), **values}.items()}


def _require_finite(record: dict[str, float], step: int, hp: Hyperparameters) -> None:
    if not math.isfinite(record["train_loss"]):
        raise FloatingPointError(
            f"training diverged: the loss is {record['train_loss']} after step {step} with "
            f"learning_rate={hp.learning_rate}; try a smaller learning rate"
        )
