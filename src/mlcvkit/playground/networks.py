"""The networks of the page: how each is made, trained, measured and saved."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from mlcvkit.datasets import Samples, float_rows, read
from mlcvkit.experiments import Preparation, Task, prepare
from mlcvkit.models import MLP, as_mlp, as_trained, logit_loss, predictions
from mlcvkit.playground.experiments import (
    DIGITS,
    FULL_BATCH_ADAM,
    IMAGES,
    LITERAL_SGD,
    MEASURED,
    PAINTED,
    PARITY,
    Experiment,
)
from mlcvkit.playground.points import names_of_classes, samples_of
from mlcvkit.playground.uploads import IMAGE_SETS
from mlcvkit.storage import SavedModel
from mlcvkit.training import History, Run, Training, accuracy, as_columns, coordinates_of
from mlcvlab.nn import Array
from mlcvlab.optim.adam import Adam
from mlcvlab.optim.sgd import ModelCoordinates, descend

COORDINATES_AT_ONCE = 20

Restore = Callable[[Run], None]
Tick = Callable[[int], None]
"""``tick(steps)`` is called after this many steps, each on all samples."""


@dataclass
class Network:
    """A network that an experiment describes, with its samples.

    ``train`` and ``held_out`` are what it is measured on: columns X, (K, N), and targets, (C, N). ``class_names`` has
    class 0 first; ``note``, what a visitor should know of it; ``has_diverged``, whether its loss is no number, as it
    was measured last.
    """

    experiment: Experiment
    model: Any
    train: tuple[Array, Array]
    held_out: tuple[Array, Array]
    samples: int
    class_names: list[str]
    training: Callable[[Experiment, Restore | None], Training] = field(repr=False)
    save: Callable[[dict[str, Any], History], SavedModel] = field(repr=False)
    every: Callable[[int], tuple[Array, Array]] = field(repr=False)
    prepared: Preparation = field(repr=False)
    note: str = ""
    has_diverged: bool = False

    @property
    def mlp(self) -> MLP:
        """The network as an MLP, which shares its weights and can be inspected."""
        return as_mlp(self.model)

    @property
    def layers(self) -> list[tuple[Array, Array | None]]:
        """Weights, (units, inputs), and biases of each layer."""
        return self.mlp.pairs(self.mlp.W)

    def answer(self, x: Array) -> Array:
        """ŷ of samples, (K, N), computed by the model itself."""
        return np.asarray(predictions(self.model, x))

    def measure(self) -> dict[str, float]:
        """Loss and accuracy on the training samples and on the held-out ones."""
        values = {}
        with np.errstate(over="ignore", invalid="ignore"):
            for part, (X, y) in {"train": self.train, "validation": self.held_out}.items():
                values[f"{part}_loss"], values[f"{part}_accuracy"] = self._measured(X, y)
        self.has_diverged = not np.isfinite(values["train_loss"])
        if self.has_diverged:
            values |= {"train_accuracy": np.nan, "validation_accuracy": np.nan}
        return values

    def _measured(self, X: Array, y: Array) -> tuple[float, float]:
        if not isinstance(as_trained(self.model), MLP):  # a student's network
            return self.model.emp_loss(X, y), accuracy(self.model, X, y)
        mlp = self.mlp
        z = mlp.logits(X)  # once, for the loss and for the accuracy
        correct = (z >= 0) == (y >= 0.5) if len(z) == 1 else z.argmax(axis=0) == y.argmax(axis=0)
        return float(logit_loss(mlp.output, mlp.loss).value(y, z).mean()), float(correct.mean())

    def fit(self, experiment: Experiment) -> Run:
        """Train it to the end."""
        training = self.training(experiment, None)
        for _ in training:
            pass
        return training.run

    def descend(
        self,
        experiment: Experiment,
        tick: Tick,
        done: int = 0,
        is_slow: Callable[[], bool] = lambda: False,
        left: int | None = None,
    ) -> None:
        """Train by the handout's optimizers, on as many training samples as fit, until ``tick`` raises.

        Parameters: ``done``, the steps that were taken before, after which a training is gone on with; ``is_slow``,
        whether the next steps are to be taken one by one; ``left``, the epochs that are left, by default those of the
        experiment without ``done``.
        """
        X, y = (np.ascontiguousarray(part) for part in self.every(experiment.most_at_once))
        if experiment.optimizer == FULL_BATCH_ADAM:
            self._full_batch_adam(X, y, experiment, tick, max(0, experiment.epochs - done if left is None else left))
            return
        literal = experiment.optimizer == LITERAL_SGD
        coordinates = (ModelCoordinates if literal else coordinates_of(self.model))(self.model, X, y)
        rng = np.random.default_rng([experiment.seed, done] if done else experiment.seed)
        while True:
            at_once = 1 if literal or is_slow() or isinstance(coordinates, ModelCoordinates) else COORDINATES_AT_ONCE
            self.model.W = descend(coordinates, experiment.learning_rate, at_once, rng)
            tick(at_once)

    def _full_batch_adam(self, X: Array, y: Array, experiment: Experiment, tick: Tick, steps: int) -> None:
        def told(_: int, W: list[Array]) -> None:
            self.model.W = W
            tick(1)

        hp = experiment.hyperparameters()
        options = {"alpha": hp.learning_rate, "beta1": hp.beta1, "beta2": hp.beta2, "delta": hp.epsilon}
        Adam(self.model, X, y, **options, R=steps, lookahead=False, callback=told)


def make_network(experiment: Experiment) -> Network:
    """The network of an experiment before its first step. Training it gives the weights of ``mlcvlab train``.

    Raises
    ------
    InputError
        If the experiment cannot be trained.
    """
    if experiment.data == IMAGES:
        samples = IMAGE_SETS.get(experiment.images)
    elif experiment.data == PAINTED:
        samples = samples_of(experiment.points, PAINTED)
    else:
        samples = _read(experiment.data)
    task: Task | None = "classification" if experiment.data == PAINTED else None
    prepared = prepare(replace(experiment.specification(), task=task), samples)
    X, y, model = prepared.X, prepared.y, prepared.model
    watched = prepared.validation
    few = None if watched is None else (watched[0][:MEASURED], watched[1][:MEASURED])
    metrics = {} if few is None else {"accuracy": accuracy}

    def training(experiment: Experiment, resume: Restore | None) -> Training:
        hp = replace(experiment.hyperparameters(), seed=prepared.hyperparameters.seed)
        hp = replace(hp, batch_size=min(hp.batch_size, prepared.samples))
        if isinstance(model, MLP):
            model.dropout, model.l2 = hp.dropout, hp.l2 or 0.0
        options: dict[str, Any] = {"samples": prepared.rows, "validation": few, "metrics": metrics}
        return Training(model, X, y, hyperparameters=hp, resume=resume, **options)

    def save(configuration: dict[str, Any], history: History) -> SavedModel:
        return prepared.predictor(history).saved(configuration)

    rows = np.arange(len(X)) if prepared.rows is None else np.sort(prepared.rows)

    def first(most: int) -> tuple[Array, Array]:
        return _as_columns(X[rows[:most]], y[rows[:most]])

    held_out = few
    if held_out is None:
        test_X, test_y = prepared.test[0][:MEASURED], prepared.test[1][:MEASURED]
        held_out = prepared.encoder.transform(test_X), prepared.targets.encode(test_y, y.dtype)
    names = class_names(experiment, samples)
    parts = first(MEASURED), _as_columns(*held_out)
    return Network(experiment, model, *parts, prepared.samples, names, training, save, first, prepared)


def class_names(experiment: Experiment, samples: Samples) -> list[str]:
    """The names of the classes, that of class 0 first."""
    if experiment.data == PARITY:
        return ["odd", "even"]
    if experiment.data in (DIGITS, IMAGES):
        return [str(name) for name in np.unique(np.asarray(samples.y))]
    return names_of_classes(experiment.points) if experiment.points else ["class 0", "class 1"]


def _as_columns(X: Array, y: Array) -> tuple[Array, Array]:
    return float_rows(X).T, as_columns(y)


_ONE_AT_A_TIME = threading.RLock()


def _read(data: str) -> Samples:
    with _ONE_AT_A_TIME:  # two visitors who come at the same time share the rows
        return _read_and_kept(data)


@lru_cache(maxsize=16)
def _read_and_kept(data: str) -> Samples:
    return read(data)
