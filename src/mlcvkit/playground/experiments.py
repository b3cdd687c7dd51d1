"""An experiment: all settings of the page, and their forms as a link, a command line and lines of Python."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import urlencode

import numpy as np

from mlcvkit import experiments
from mlcvkit.errors import InputError
from mlcvkit.experiments import with_used_only
from mlcvkit.models import ACTIVATIONS, INITIALIZATIONS, losses_behind
from mlcvkit.playground.points import (
    FIRST_POINTS,
    MOST_NAMES,
    MOST_POINTS,
    WELL_FORMED,
    classes_of,
    painted,
    problem_with,
    samples_of,
)
from mlcvkit.training import OPTIMIZERS, RECIPES, SCHEDULES, Hyperparameters, with_fields_of_optimizers

MNIST_IMAGES = 60_000
"""MNIST's training images."""
MEASURED = 1500
"""The curves are measured on at most this many training samples, and as many held out."""
ONE_THREAD = "threadpool_limits(1)  # as on the page: the results are the same to the last bit"
COORDINATE_SGD, LITERAL_SGD, FULL_BATCH_ADAM = "coordinate_sgd", "literal_sgd", "full_batch_adam"
"""The homework's optimizers: SGD with one partial derivative, SGD as written with the whole gradient, and Adam."""
PARITY, DIGITS, PAINTED, IMAGES = "mnist-parity", "mnist", "points", "images"

IMAGE_KEY = re.compile("([2-9]|10)-[0-9a-f]{16}")

CHOICES: dict[str, tuple[str, ...]] = {
    "data": (PARITY, DIGITS, "moons", "circles", "spirals", "xor", PAINTED, IMAGES),
    "activation": tuple(ACTIVATIONS),
    "loss": tuple(losses_behind("sigmoid")),
    "initialization": tuple(INITIALIZATIONS),
    "optimizer": (*OPTIMIZERS, COORDINATE_SGD, LITERAL_SGD, FULL_BATCH_ADAM),
    "schedule": tuple(SCHEDULES),
}
MOST_WEIGHTS = {True: 700_000, False: 30_000}
"""For images, and for points of a plane: so that a look into the network takes little time."""
MOST_WORK = 300_000_000
"""Weights times samples of a step: so that a step takes less than a second."""
LIMITS: dict[str, tuple[float, float]] = {
    "hidden_units": (1, 512),
    "depth": (1, 4),
    "learning_rate": (1e-6, 100),
    "batch_size": (1, 4096),
    "epochs": (1, 2000),
    "weight_decay": (0, 10),
    "l2": (0, 10),
    "dropout": (0, 0.9),
    "shift": (0, 6),
    "rotation": (0, 45),
    "elastic": (0, 3),
    "samples": (10, 55_000),
    "seed": (0, 10_000),
}
"""The range of each number, so that visitors can share the machine."""

DEFAULTS_OF_IMAGES = {"batch_size": 32, "epochs": 200}
"""A visitor's own images are fewer than MNIST's."""
OF_OPTIMIZERS: dict[str, float] = {
    part.name: cast("float", part.default)
    for row in cast("dict[str, Any]", OPTIMIZERS).values()
    for part in fields(row)
    if part.name != "weight_decay" and not isinstance(part.default, bool)
}
"""The hyperparameters that are fields of an optimizer, with their defaults; weight decay works with each optimizer."""
LIMITS |= {name: (0, 0.99999 if 0.5 <= usual < 1 else max(1, 10 * usual)) for name, usual in OF_OPTIMIZERS.items()}
KEEPS_WEIGHTS = OF_OPTIMIZERS.keys() | {
    *("optimizer", "learning_rate", "batch_size", "schedule", "epochs"),
    *("weight_decay", "l2", "dropout", "shift", "rotation", "elastic"),
}
"""Settings that can be changed during a training; any other starts over."""


@dataclass(frozen=True)
@with_fields_of_optimizers
class Experiment:
    """The settings of the page; InputError for a value out of its limits."""

    data: str = PARITY
    hidden_units: int = 64
    depth: int = 1
    activation: str = "relu"
    loss: str = "cross_entropy"
    initialization: str = "he"
    optimizer: str = "adam"
    learning_rate: float = 0.001
    batch_size: int = 128
    schedule: str = "constant"
    epochs: int = 50
    weight_decay: float = 0.0
    l2: float = 0.0
    dropout: float = 0.0
    shift: float = 0.0
    rotation: float = 0.0
    elastic: float = 0.0
    samples: int = 55_000
    seed: int = 0
    points: str = ""
    """Painted points, as in ``mlcvkit.playground.points``."""
    images: str = ""
    """The key of a set of images that a visitor brought: the number of its classes, and its fingerprint."""

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise InputError(f"{name} must be one of {', '.join(choices)}; got {getattr(self, name)!r}")
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if not (isinstance(value, int | float) and low <= value <= high):
                raise InputError(f"{name} must be from {low:g} to {high:g}; got {value!r}")
        if not (WELL_FORMED.fullmatch(self.points) and len(self.points.partition("~")[0]) <= 5 * MOST_POINTS):
            raise InputError(f"points must be at most {MOST_POINTS} places and classes")
        if self.data == PAINTED and problem_with(self.points):
            raise InputError(problem_with(self.points))
        if self.data != PAINTED and self.points:
            raise InputError("points go only with your own points as data")
        if bool(IMAGE_KEY.fullmatch(self.images)) != (self.data == IMAGES) or (self.images and self.data != IMAGES):
            raise InputError("images: first bring a folder of images to the page")
        if self.weights > MOST_WEIGHTS[self.has_images]:
            raise InputError(
                f"that network has {self.weights:,} weights; here it may have {MOST_WEIGHTS[self.has_images]:,}: "
                "fewer hidden units or layers"
            )
        if self.batch_size * self.weights > MOST_WORK:
            most = MOST_WORK // self.weights
            raise InputError(f"for so large a network a batch may have {most:,} samples; got {self.batch_size:,}")
        if self.optimizer not in OPTIMIZERS and self.has_images and not self.is_nn2:
            raise InputError(
                "the homework's optimizers are for one hidden layer on even or odd digits, and for points of a plane"
            )

    @property
    def weights(self) -> int:
        """The number of weights, without biases."""
        features = 784 if self.has_images else 2
        return self.hidden_units * (features + (self.depth - 1) * self.hidden_units + self.outputs)

    @property
    def outputs(self) -> int:
        """The number of outputs: one for two classes, else one for each."""
        if self.data == DIGITS:
            return 10
        classes = int(self.images.split("-")[0]) if self.images else len(classes_of(self.points))
        return classes if classes > 2 else 1

    @property
    def most_at_once(self) -> int:
        """The number of samples for the homework's optimizers, which keep all of them in memory."""
        return max(200, min(10_000, MOST_WORK // self.weights))

    @property
    def is_nn2(self) -> bool:
        """Whether this is the handout's network on the handout's problem."""
        plain = self.activation == "relu" and not self.dropout and not self.l2
        return self.data == PARITY and self.depth == 1 and plain

    @property
    def has_images(self) -> bool:
        """Whether the samples are images of 28 × 28 pixels."""
        return self.data in (PARITY, DIGITS, IMAGES)

    @property
    def is_mnist(self) -> bool:
        """Whether the samples are MNIST's images."""
        return self.data in (PARITY, DIGITS)

    def hyperparameters(self) -> Hyperparameters:
        """The hyperparameters of the engine, which does not have the handout's optimizers."""
        shared = {field.name for field in fields(Hyperparameters)} & {field.name for field in fields(self)}
        values = {name: getattr(self, name) for name in shared} | {"hidden_units": (self.hidden_units,) * self.depth}
        if self.optimizer not in OPTIMIZERS:
            values["optimizer"] = "adam"
        if self.outputs > 1 and self.loss == "cross_entropy":
            values["loss"] = "categorical_cross_entropy"
        held_out = MNIST_IMAGES - self.samples if self.is_mnist else 0
        if not self.has_images:
            values |= {"shift": 0.0, "rotation": 0.0, "elastic": 0.0}
        hp = Hyperparameters(**values, patience=0, validation_samples=held_out)
        return with_used_only(hp)

    def specification(self) -> experiments.Experiment:
        """The experiment that ``mlcvkit.experiments.train`` takes."""
        kind: experiments.KindName = "nn2" if self.is_nn2 else "mlp"
        return experiments.Experiment(data=self.data, model=kind, hyperparameters=self.hyperparameters())

    def as_query(self, base: Mapping[str, Any] = MappingProxyType({})) -> str:
        """The query of a link: what differs from the defaults, and from the settings of a guide or run, ``base``."""
        plain = settings(base, {"data": self.data}) | {"data": base.get("data", PARITY)}
        return urlencode({name: value for name, value in asdict(self).items() if value != plain[name]})

    def changed(self, name: str, value: Any) -> "Experiment":
        """The experiment with one other setting; InputError for an unknown setting or an impossible value."""
        return read_experiment(asdict(self) | {name: value})

    def command(self) -> str | None:
        """The command line that trains the same network; None if there is none."""
        if self.optimizer not in OPTIMIZERS or self.data in (PAINTED, IMAGES):
            return None
        hp = self.hyperparameters()
        plain = asdict(RECIPES["default" if self.is_nn2 else "table"])  # whose l2 is left to the rows
        options = [(name, value) for name, value in asdict(hp).items() if value != plain[name] and value is not None]
        words = [f"--{name.replace('_', '-')} {_words(value)}" for name, value in options]
        return " ".join(["mlcvlab train", *([] if self.is_nn2 else [self.data]), *words, "--threads 1"])

    def python(self, steps: int = 1000) -> str:
        """About ten lines of Python that do the same; ``steps`` is the number of steps of the handout's SGD."""
        if self.optimizer not in OPTIMIZERS:
            return self._python_of_the_handout(steps)
        if self.data == PAINTED:
            return self._python_of_points()
        if self.data == IMAGES:
            return "# Save the run first: mlcvlab train --config runs/NAME/config.toml trains it again."
        hp = self.hyperparameters()
        plain = asdict(Hyperparameters())
        named = [f"    {name}={value!r}," for name, value in asdict(hp).items() if value != plain[name]]
        made = ["hp = Hyperparameters(", *named, ")"] if named else ["hp = Hyperparameters()"]
        kind = ', model="nn2"' if self.is_nn2 else ""
        return "\n".join([
            "from threadpoolctl import threadpool_limits",
            "from mlcvkit.experiments import Experiment, train",
            "from mlcvkit.training import Hyperparameters",
            "",
            ONE_THREAD,
            *made,
            f'trained = train(Experiment(data="{self.data}"{kind}, hyperparameters=hp))',
            "print(trained.predictor.measure(*trained.test))",
        ])  # fmt: skip

    def _python_of_points(self) -> str:
        hp = asdict(self.hyperparameters())
        plain = asdict(Hyperparameters())
        named = ", ".join(f"{name}={value!r}" for name, value in hp.items() if value != plain[name])
        (places, _), samples = painted(self.points), samples_of(self.points, PAINTED)
        names = f", class_names={samples.class_names}" if samples.class_names else ""
        return "\n".join([
            "import numpy as np",
            "from mlcvkit.datasets import Samples",
            "from mlcvkit.experiments import Experiment, train",
            "from mlcvkit.training import Hyperparameters",
            "",
            f"X = np.array({np.rint(127.5 * (places + 1)).astype(int).tolist()}) / 127.5 - 1",
            f"y = np.array({np.asarray(samples.y).tolist()})",
            f"hp = Hyperparameters({named})",
            f'samples = Samples("points", X, y, "class", ""{names})',
            'experiment = Experiment(data="points", model="mlp", task="classification", hyperparameters=hp)',
            "trained = train(experiment, samples)",
            "print(trained.predictor.measure(*trained.test))",
        ])  # fmt: skip

    def _python_of_the_handout(self, steps: int) -> str:
        if not self.is_nn2:
            return "# The homework's optimizers have no short form for these data."
        hp, sgd = self.hyperparameters(), self.optimizer != FULL_BATCH_ADAM
        call = f"SGD(prepared.model, X, y, lr={self.learning_rate}, R={steps}, seed={self.seed})"
        if not sgd:
            options = f"alpha={hp.learning_rate}, beta1={hp.beta1}, beta2={hp.beta2}, delta={hp.epsilon}"
            call = f"Adam(prepared.model, X, y, {options}, R={self.epochs}, lookahead=False)"
        names = ("hidden_units", "initialization", "loss", "validation_samples", "seed")
        plain = asdict(Hyperparameters())
        named = ", ".join(f"{name}={getattr(hp, name)!r}" for name in names if getattr(hp, name) != plain[name])
        return "\n".join([
            "import numpy as np",
            "from threadpoolctl import threadpool_limits",
            "from mlcvkit.datasets import scale_images",
            "from mlcvkit.experiments import Experiment, prepare",
            "from mlcvkit.training import Hyperparameters, accuracy",
            f"from mlcvlab.optim.{'sgd' if sgd else 'adam'} import {'SGD' if sgd else 'Adam'}",
            "",
            ONE_THREAD if not sgd else ONE_THREAD.partition("#")[0].rstrip(),
            f'prepared = prepare(Experiment(model="nn2", hyperparameters=Hyperparameters({named})))',
            f"rows = np.sort(prepared.rows)[:{self.most_at_once}]",
            "X, y = np.ascontiguousarray(scale_images(prepared.X[rows]).T), prepared.y[rows][None]",
            call,
            f"held_out_X, held_out_y = (part[:{MEASURED}] for part in prepared.validation)",
            "print(accuracy(prepared.model, scale_images(held_out_X).T, held_out_y[None]))",
        ])  # fmt: skip


def what_differs(experiments: Sequence[Experiment]) -> list[dict[str, Any]]:
    """For each of several experiments its values of the settings that differ among them."""
    values = [asdict(experiment) for experiment in experiments]
    names = [name for name in values[0] if len({one[name] for one in values}) > 1]
    return [{name: one[name] for name in names} for one in values]


def default_experiment(data: str) -> Experiment:
    """The default settings for some data: points of a plane are few, and need more and larger steps."""
    if data in CHOICES["data"] and data not in (PARITY, DIGITS, IMAGES):
        points = FIRST_POINTS if data == PAINTED else ""
        return Experiment(data=data, learning_rate=0.01, batch_size=32, epochs=500, hidden_units=8, points=points)
    return Experiment(data=data if data in CHOICES["data"] and data != IMAGES else PARITY)


def settings(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """All settings: the defaults for the data, changed by those of a guide or run, and then by ``values``."""
    changes = {**base, **values}
    data = str(changes.get("data", PARITY))
    return asdict(default_experiment(data)) | (DEFAULTS_OF_IMAGES if data == IMAGES else {}) | changes


def read_experiment(values: Mapping[str, Any]) -> Experiment:
    """An experiment from names and values of a visitor, who may send anything.

    Raises: InputError for an unknown name, or an impossible value, with the possible ones.
    """
    kinds = {name: type(value) for name, value in asdict(Experiment()).items()}
    read: dict[str, Any] = {}
    for name, value in values.items():
        if name not in kinds:
            raise InputError(f"there is no setting {str(name)[:40]!r}")
        try:
            number = float(value) if kinds[name] in (int, float) else 0.0
            if not math.isfinite(number) or (kinds[name] is int and number != int(number)):
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{name} must be a {'whole ' if kinds[name] is int else ''}number") from None
        most = 5 * MOST_POINTS + MOST_NAMES + 1 if name == "points" else 40
        plain = str(value) == "True" if kinds[name] is bool else str(value)[:most]
        read[name] = kinds[name](number) if kinds[name] in (int, float) else plain
    return Experiment(**read)


def _words(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
