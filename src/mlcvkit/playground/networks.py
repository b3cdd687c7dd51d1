"""The networks of the page: how each is made and trained, and what is seen when one looks into it."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state

from mlcvkit import datasets
from mlcvkit.datasets.tables import encoder_for
from mlcvkit.estimators.predictor import Predictor, checked_target, make_estimator, split_test_rows
from mlcvkit.models import MLP, as_mlp, scale_weights
from mlcvkit.models.outputs import loss_of_z
from mlcvkit.playground.experiments import DIGITS, FULL_BATCH_ADAM, MEASURED, PARITY, Experiment
from mlcvkit.storage import SavedModel
from mlcvkit.training import Callback, Run, accuracy, fit
from mlcvkit.training.coordinates import CompiledCoordinates
from mlcvkit.training.gradients import as_columns
from mlcvkit.training.loop import History
from mlcvkit.training.parity import parity_task
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn import Array
from mlcvlab.optim.adam import Adam
from mlcvlab.optim.sgd import ModelCoordinates, NN2Coordinates, descend

COORDINATES_AT_ONCE = 20

Restore = Callable[[Run], None]
Tick = Callable[[int], None]
"""``tick(steps)`` after so many steps, each on all samples."""


@dataclass
class Network:
    """A network that an experiment describes, with its samples.

    ``train`` and ``held_out`` are what it is measured on: columns X, (K, N), and targets, (C, N).
    """

    experiment: Experiment
    model: Any
    train: tuple[Array, Array]
    held_out: tuple[Array, Array]
    samples: int
    fit: Callable[[Experiment, Sequence[Callback], Restore | None], Any] = field(repr=False)
    save: Callable[[dict[str, Any], History], SavedModel] = field(repr=False)
    every: Callable[[int], tuple[Array, Array]] = field(repr=False)

    @property
    def mlp(self) -> MLP:
        """The network as an MLP, which can be looked into; its weights are the network's own."""
        return as_mlp(self.model)

    def answer(self, x: Array) -> Array:
        """ŷ of samples, (K, N), by the model itself."""
        return np.asarray(self.model.nn2(x) if isinstance(self.model, NN2) else self.model.predict(x))

    def measure(self) -> dict[str, float]:
        """Loss and accuracy on training samples and on those held out."""
        values = {}
        with np.errstate(over="ignore", invalid="ignore"):
            for part, (X, y) in {"train": self.train, "validation": self.held_out}.items():
                values[f"{part}_loss"], values[f"{part}_accuracy"] = self._measured(X, y)
        return values

    def _measured(self, X: Array, y: Array) -> tuple[float, float]:
        if not isinstance(self.model, NN2 | MLP):
            return self.model.emp_loss(X, y), accuracy(self.model, X, y)
        mlp = self.mlp
        z = mlp.decision(X)  # once, for the loss and for the accuracy
        right = (z >= 0) == (y >= 0.5) if len(z) == 1 else z.argmax(axis=0) == y.argmax(axis=0)
        return float(loss_of_z(mlp.output, mlp.loss).value(y, z).mean()), float(right.mean())

    def descend(self, experiment: Experiment, tick: Tick) -> None:
        """The handout's own optimizers, on all training samples or as many as fit, until ``tick`` raises."""
        X, y = (np.ascontiguousarray(part) for part in self.every(experiment.most_at_once))
        if experiment.optimizer == FULL_BATCH_ADAM:
            self._full_batch_adam(X, y, experiment, tick)
            return
        compiled = type(self.model) is NN2 and self.model.loss == "cross_entropy"
        plain = NN2Coordinates if type(self.model) is NN2 else ModelCoordinates
        coordinates = (CompiledCoordinates if compiled else plain)(self.model, X, y)
        rng = np.random.default_rng(experiment.seed)
        at_once = COORDINATES_AT_ONCE if type(self.model) is NN2 else 1
        while True:
            self.model.W = descend(coordinates, experiment.learning_rate, at_once, rng)
            tick(at_once)

    def _full_batch_adam(self, X: Array, y: Array, experiment: Experiment, tick: Tick) -> None:
        def told(_: int, W: list[Array]) -> None:
            self.model.W = W
            tick(1)

        options = {"alpha": experiment.learning_rate, "beta1": experiment.beta1, "beta2": experiment.beta2}
        Adam(self.model, X, y, **options, R=experiment.epochs, lookahead=False, callback=told)


class CollapsedNetwork(Network):
    """The ten digits, measured by what they say of even and odd.

    P(even) = Σ ŷ_c over the even digits c; the loss is the cross-entropy of that, and the answer is the parity of the
    likeliest digit.
    """

    def _measured(self, X: Array, y: Array) -> tuple[float, float]:
        z, digits = self.mlp.decision(X), y.argmax(axis=0)
        same = np.equal.outer(np.arange(len(z)) % 2, digits % 2)
        log_right = np.logaddexp.reduce(np.where(same, z, -np.inf)) - np.logaddexp.reduce(z)
        return float(-log_right.mean()), float((z.argmax(axis=0) % 2 == digits % 2).mean())


def make_network(experiment: Experiment) -> Network:
    """The network of an experiment before its first step; InputError where the experiment cannot be trained."""
    return _nn2(experiment) if experiment.is_nn2 else _mlp(experiment)


def _nn2(experiment: Experiment) -> Network:
    task = parity_task(experiment.hyperparameters())

    def train(experiment: Experiment, callbacks: Sequence[Callback], resume: Restore | None) -> Any:
        quick = task._replace(held_out=task.held_out[:MEASURED])
        return quick.fit(experiment.hyperparameters(), callbacks=callbacks, resume=resume)

    def save(configuration: dict[str, Any], history: History) -> SavedModel:
        return SavedModel(task.model, configuration, history)

    def part(rows: npt.NDArray[np.intp]) -> tuple[Array, Array]:
        return datasets.scale_images(task.images[rows]).T, task.y[rows][None]

    samples = np.sort(task.samples)
    seen, held_out = part(samples[:MEASURED]), part(task.held_out[:MEASURED])
    return Network(experiment, task.model, seen, held_out, len(samples), train, save, lambda most: part(samples[:most]))


def _mlp(experiment: Experiment) -> Network:
    """Made and trained to the very weights that ``mlcvlab train`` gives for the same data and hyperparameters."""
    data = _encoded(experiment.data, experiment.seed)
    X, y, classes = data.X, data.y, np.unique(data.y)
    hp = experiment.hyperparameters()
    engine = replace(hp, seed=int(check_random_state(hp.seed).randint(2**31 - 1)), validation_samples=0)
    output = "sigmoid" if len(classes) == 2 else "softmax"
    model = MLP(hp.hidden_units, activation=hp.activation, output=output, loss=hp.loss, dropout=hp.dropout, l2=hp.l2)
    model.initialize(X.shape[1], 1 if len(classes) == 2 else len(classes), seed=engine.seed, dtype=X.dtype)
    scale_weights(model, hp.initialization)

    def targets(y: Array) -> Array:
        matrix: Array = (y[:, None] == classes).astype(X.dtype)
        return matrix[:, 1] if len(classes) == 2 else matrix

    def train(experiment: Experiment, callbacks: Sequence[Callback], resume: Restore | None) -> Any:
        later = replace(experiment.hyperparameters(), seed=engine.seed)
        later = replace(later, batch_size=min(later.batch_size, len(X)))
        model.dropout, model.l2 = later.dropout, later.l2
        return fit(model, X, targets(y), hyperparameters=later, callbacks=callbacks, resume=resume)

    def save(configuration: dict[str, Any], history: History) -> SavedModel:
        estimator = make_estimator("mlp", hp, "classification", len(X))
        estimator.classes_, estimator._has_labels, estimator.n_features_in_ = classes, False, X.shape[1]
        estimator.model_, estimator.history_ = model, history
        return Predictor(data.encoder, estimator, data.target, data.fingerprint).saved(configuration)

    def part(rows: Array, y: Array) -> tuple[Array, Array]:
        return rows.T, as_columns(targets(y))

    seen, held_out = part(X[:MEASURED], y[:MEASURED]), part(data.test_X[:MEASURED], data.test_y[:MEASURED])
    return Network(experiment, model, seen, held_out, len(X), train, save, lambda most: part(X[:most], y[:most]))


class _Encoded(NamedTuple):
    encoder: Any
    X: Array
    y: Array
    test_X: Array
    test_y: Array
    target: str
    fingerprint: str


def _encoded(data: str, seed: int) -> _Encoded:
    """The rows of a named set as the command's training splits and encodes them."""
    return _encoded_once(data, 0 if data in (PARITY, DIGITS) else seed)  # MNIST has test images of its own


_ONE_AT_A_TIME = threading.RLock()


def _encoded_once(data: str, seed: int) -> _Encoded:
    with _ONE_AT_A_TIME:  # two visitors who come at once share the rows
        return _encoded_and_kept(data, seed)


@lru_cache(maxsize=16)
def _encoded_and_kept(data: str, seed: int) -> _Encoded:
    samples = datasets.read(data)
    y, task = checked_target(samples, None)
    (X, y), (test_X, test_y) = split_test_rows(samples, y, 0.2, task, seed)
    names = samples.target or "prediction", samples.fingerprint
    if data == PARITY:  # the same images
        digits = _encoded_once(DIGITS, 0)
        return _Encoded(digits.encoder, digits.X, y, digits.test_X, test_y, *names)
    encoder = encoder_for(X)
    rows = encoder.fit(X).transform(X)
    return _Encoded(encoder, rows, y, encoder.transform(test_X), test_y, *names)
