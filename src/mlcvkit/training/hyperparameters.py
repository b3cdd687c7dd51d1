"""Every hyperparameter of a training run."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from mlcvkit.arrays import PlainData
from mlcvkit.errors import InputError
from mlcvkit.models import ACTIVATIONS, INITIALIZATIONS, LOSSES, ActivationName, InitializationName, LossName
from mlcvkit.training.augmentation import Augmentation
from mlcvkit.training.optimizers import OPTIMIZERS, Optimizer, OptimizerName, with_fields_of_optimizers
from mlcvkit.training.ranges import (
    NOT_NEGATIVE,
    ONE_OR_MORE,
    POSITIVE,
    SEED,
    SHARE,
    ZERO_OR_MORE,
    is_whole,
    require_in_range,
    within,
)
from mlcvkit.training.schedules import SCHEDULES, ScheduleName

NOT_SEARCHED = ("seed", "validation_samples", "local_steps")
"""The hyperparameters that no search varies."""


@dataclass(frozen=True, kw_only=True)
@with_fields_of_optimizers
class Hyperparameters:
    """Every hyperparameter of a training run; InputError for a value out of its range.

    See Also
    --------
    RECIPES : Sets of them that are known to be good.

    Examples
    --------
    >>> Hyperparameters(hidden_units=(32, 16), optimizer="adamw", weight_decay=0.01).hidden_units
    (32, 16)
    >>> Hyperparameters(dropout=1.5)
    Traceback (most recent call last):
    mlcvkit.errors.InputError: dropout must be at least 0 and below 1; got 1.5
    """

    hidden_units: tuple[int, ...] = (256,)
    """Hidden units, one number for each hidden layer: more can tell more apart, and cost more time."""
    activation: ActivationName = "relu"
    """What follows each hidden layer; NN2 has relu."""
    loss: LossName | None = None
    """What is minimised; where left out, cross-entropy for classes and squared error for numbers."""
    initialization: InitializationName | None = "he"
    """How large the weights are at first: he and glorot go by the layer's size; small is 0.01, large is 1 for any; with
    zeros all hidden units stay alike; linear starts a ReLU network of a table as the linear model that fits its rows.
    Where left out for data of your own, linear where that can be, else he."""
    dropout: float = within(SHARE, 0.0)
    """The share of hidden units that is silenced at random in each step."""
    label_smoothing: float = within(SHARE, 0.0)
    """For classes: the share of each training target that is spread evenly over all classes."""
    l2: float | None = within(NOT_NEGATIVE, 0.0)
    """Penalty on large weights, but not on biases: (l2 / 2) times the sum of their squares is added to the loss. Where
    left out for data of your own, the one that ridge regression on the same rows would choose, but at least 0.0001."""
    optimizer: OptimizerName = "adam"
    """adam and rmsprop scale each weight's step by its recent gradients; adamw decays the weights as well; sgd is plain
    descent, momentum and nesterov keep a velocity; handout_adam looks ahead as the handout prints it."""
    learning_rate: float = within(POSITIVE, 0.001)
    """How far a step goes; too high diverges, too low crawls. Good for sgd, momentum and nesterov: 0.1."""
    schedule: ScheduleName = "cosine"
    """How the learning rate goes on: cosine brings it down to 0 over the run, one_cycle up first, step in stairs."""
    warm_up: float = within(SHARE, 0.0)
    """The share of the run over which the learning rate first grows from 0."""
    batch_size: int = within(ONE_OR_MORE, 128)
    """Samples in one step."""
    epochs: int = within(ONE_OR_MORE, 15)
    """Passes over the training samples."""
    momentum: float = 0.9
    """momentum, nesterov: the share of the last step's velocity that is kept."""
    beta1: float = 0.9
    """The adams: the decay of the running mean of the gradient."""
    beta2: float = 0.999
    """The adams: the decay of the running mean of its square."""
    rho: float = 0.9
    """rmsprop: the decay of the running mean of the gradient's square."""
    epsilon: float = 1e-8
    """The adams and rmsprop: keeps the division finite."""
    weight_decay: float = within(NOT_NEGATIVE, 0.0)
    """How strongly weights are pulled to 0: λ w is added to the gradient; adamw decays them beside it."""
    clip_norm: float = within(NOT_NEGATIVE, 0.0)
    """The largest norm of a gradient: longer ones are shortened to it. 0 for no limit."""
    patience: int = within(ZERO_OR_MORE, 0)
    """Stop after this many epochs without a better validation loss, and restore the best weights. 0 for never."""
    average_epochs: int = within(ZERO_OR_MORE, 0)
    """End with the mean of the weights after each of this many last epochs. 0 for the last weights."""
    shift: float = within(NOT_NEGATIVE, 0.0)
    """Augmentation: move each image at random by up to this many pixels."""
    rotation: float = within(NOT_NEGATIVE, 0.0)
    """Augmentation: turn it by up to this many degrees."""
    scale: float = within(SHARE, 0.0)
    """Augmentation: stretch height and width by up to this share."""
    shear: float = within(NOT_NEGATIVE, 0.0)
    """Augmentation: slant it by up to this share of its height."""
    elastic: float = within(NOT_NEGATIVE, 0.0)
    """Augmentation: bend it by a smooth random field of this size in pixels (root mean square)."""
    local_steps: int = within(ZERO_OR_MORE, 100)
    """On a cluster: the mini-batches that each shard trains on before the weights of all are averaged. 0: each epoch is
    one step with the exact gradient of all samples."""
    validation_samples: int = within(ZERO_OR_MORE, 5000)
    """Training samples held out to watch the progress; the test set is never used for that. By default a tenth of
    your own rows, at most 1,000, and none if there are fewer than 5,000; of your own images a fifth, at most 1,000.
    Another number is taken as it is, up to a fifth of the rows."""
    seed: int = within(SEED, 0)
    """Where all randomness comes from: the same seed gives the same weights."""

    def __post_init__(self) -> None:
        for field in fields(self):  # as plain numbers, which files hold
            if isinstance(value := getattr(self, field.name), np.generic):
                object.__setattr__(self, field.name, value.item())
        units = (self.hidden_units,) if isinstance(self.hidden_units, int) else tuple(self.hidden_units)
        units = tuple(number.item() if isinstance(number, np.generic) else number for number in units)
        object.__setattr__(self, "hidden_units", units)
        self._require("hidden_units", all(map(is_whole, units)), "must be whole numbers")
        self._require("hidden_units", all(number >= 1 for number in units), "must be 1 or more in each layer")
        require_in_range(self)
        self._require(
            "average_epochs", self.average_epochs <= self.epochs, f"must be at most epochs={self.epochs}, 0 for none"
        )
        if self.patience and self.average_epochs:
            raise InputError(
                "patience restores the best weights and average_epochs the mean of the last: set one of them to 0"
            )
        tables: dict[str, Mapping[str, object]] = {
            "activation": ACTIVATIONS,
            "initialization": INITIALIZATIONS,
            "loss": LOSSES,
            "optimizer": OPTIMIZERS,
            "schedule": SCHEDULES,
        }
        for name, choices in tables.items():
            value = getattr(self, name)
            known = value in choices or (name in ("initialization", "loss") and value is None)
            self._require(name, known, f"must be one of {', '.join(choices)}")

        self.make_optimizer()  # refuses what it does not take

    def _require(self, name: str, is_met: bool, rule: str) -> None:
        if not is_met:
            raise InputError(f"{name} {rule}; got {getattr(self, name)!r}")

    def make_optimizer(self) -> Optimizer:
        """The optimizer with those of the hyperparameters that are its own."""
        return OPTIMIZERS[self.optimizer](**self._fields(OPTIMIZERS[self.optimizer]))

    def make_augmentation(self) -> Augmentation:
        """The distortion of the images."""
        return Augmentation(**self._fields(Augmentation))

    def _fields(self, kind: type[Optimizer] | type[Augmentation]) -> PlainData:
        return {field.name: getattr(self, field.name) for field in fields(kind)}  # type: ignore[arg-type]
