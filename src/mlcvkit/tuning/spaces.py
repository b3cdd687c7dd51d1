"""Search spaces: for each hyperparameter a range, a list, or one value, written as text or TOML.

learning_rate = "1e-4:1"        from 1e-4 to 1, on a logarithmic scale since that is a factor of 10 or more
hidden_units = "8,32,128"       one of these; in TOML also [8, 32, 128]
optimizer = "adam"              this one
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, get_type_hints

import numpy as np

from mlcvkit.arrays import PlainData
from mlcvkit.errors import InputError
from mlcvkit.models import ACTIVATIONS
from mlcvkit.training import NOT_SEARCHED, OPTIMIZERS, Hyperparameters

LARGEST = 1_000_000
"""The largest whole number."""
LOG_FROM = 10
"""A range is searched on a logarithmic scale if its end is at least this many times its start."""

KINDS: dict[str, type] = {
    name: {int: int, float: float, float | None: float}.get(hint, str)
    for name, hint in get_type_hints(Hyperparameters).items()
} | {"hidden_units": int, "depth": int}
"""The form of each hyperparameter. ``depth`` is the number of hidden layers of ``hidden_units``."""

MLP_SPACE = {
    "learning_rate": "1e-4:1",
    "hidden_units": "8:256",
    "batch_size": "16:512",
    "initialization": "he,glorot,small",
    "optimizer": ",".join(name for name, optimizer in OPTIMIZERS.items() if optimizer.searched),
    "schedule": "cosine,constant,step,one_cycle",
    "weight_decay": "0,1e-6,1e-5,1e-4,1e-3,1e-2",
    "depth": "1:3",
    "activation": ",".join(name for name, activation in ACTIVATIONS.items() if activation.searched),
    "dropout": "0:0.5",
    "l2": "0,1e-6,1e-5,1e-4,1e-3,1e-2",
}
NN2_HIDDEN_UNITS = "16:512"

Choice = int | float | str


@dataclass(frozen=True)
class Range:
    """All numbers from one to another.

    Parameters
    ----------
    low
        The lowest.
    high
        The highest.
    whole
        Whether they are whole numbers.
    """

    low: float
    high: float
    whole: bool

    @property
    def logarithmic(self) -> bool:
        """Whether it is searched and drawn on a logarithmic scale."""
        return self.low > 0 and self.high >= LOG_FROM * self.low

    def points(self, count: int) -> list[Choice]:
        """Some of the numbers, evenly spaced on the range's scale, with both ends.

        Parameters
        ----------
        count
            The number of values; fewer if there are fewer.

        Returns
        -------
        list[Choice]
            The numbers, ascending.
        """
        spaced = np.geomspace if self.logarithmic else np.linspace
        values = [float(f"{value:.6g}") for value in spaced(self.low, self.high, count)]
        return sorted({round(value) for value in values}) if self.whole else list(values)


Space = dict[str, Range | list[Choice]]


def read_space(texts: PlainData, *, seeds: Sequence[int] = ()) -> Space:
    """Read the space of a search.

    Parameters
    ----------
    texts
        The hyperparameters by name, each as text, a number, or a list.
    seeds
        The seeds of a sweep.

    Returns
    -------
    Space
        The ranges and lists by name.

    Raises
    ------
    InputError
        For an unknown name, a value out of its range, or text that is neither.
    """
    space: Space = {name: _read(name, value) for name, value in texts.items()}
    return space | ({"seed": list(seeds)} if seeds else {})


def _read(name: str, value: object) -> Range | list[Choice]:
    if name not in KINDS or name in NOT_SEARCHED:
        known = ", ".join(known for known in KINDS if known not in NOT_SEARCHED)
        raise InputError(f"{name} cannot be searched; what can: {known}")
    items = [str(item) for item in value] if isinstance(value, list) else str(value).split(",")
    if len(items) == 1 and ":" in items[0]:
        return _read_range(name, items[0])
    choices = [_value(name, item.strip()) for item in items]
    if not choices:
        raise InputError(f"{name} needs a value, or several")
    if len(set(choices)) < len(choices):
        raise InputError(f"{name} has a value twice: {value}")
    for choice in choices:
        _require(name, choice)
    return choices


def _read_range(name: str, text: str) -> Range:
    kind = KINDS[name]
    if kind is str:
        raise InputError(f"{name} is a name and has no range: give a list, such as a,b; got {text!r}")
    parts = text.split(":")
    if len(parts) != 2:
        raise InputError(f"{name} must be a range low:high; got {text!r}")
    low, high = (_value(name, part.strip()) for part in parts)
    if not low < high:  # type: ignore[operator]
        raise InputError(f"the range of {name} must go up, low:high; got {text!r}")
    _require(name, low)
    _require(name, high)
    return Range(low, high, kind is int)  # type: ignore[arg-type]


def _value(name: str, text: str) -> Choice:
    kind = KINDS[name]
    try:
        if kind is int and abs(int(text)) <= LARGEST:
            return int(text)
        if kind is int and text.lstrip("-").isdigit():
            raise InputError(f"{name} must be at most {LARGEST:,}; got {text}")
        if kind is float:
            number = float(text)
            if math.isfinite(number):
                return number
        elif text:
            return text
    except InputError:
        raise
    except ValueError:
        pass
    wanted = {int: "a whole number", float: "a number", str: "a name"}[kind]
    raise InputError(f"{name} must be {wanted}, a range low:high or a list a,b,c; got {text!r}")


def _require(name: str, value: Choice) -> None:
    if name == "depth":
        if not 1 <= value <= 8:  # type: ignore[operator]
            raise InputError(f"depth must be from 1 to 8; got {value}")
        return
    epochs = {"epochs": value} if name == "average_epochs" and value else {}  # its limit is the length of the run
    Hyperparameters(**epochs, **{name: value})  # type: ignore[arg-type]


def with_parameters(base: Hyperparameters, parameters: PlainData) -> Hyperparameters:
    """The base with the parameters of a trial.

    Parameters
    ----------
    base
        The hyperparameters that are not searched.
    parameters
        Those of the trial.

    Returns
    -------
    Hyperparameters
        The hyperparameters of the trial.
    """
    changed = dict(parameters)
    if "depth" in changed or "hidden_units" in changed:
        depth = changed.pop("depth", len(base.hidden_units))
        changed["hidden_units"] = (changed.pop("hidden_units", base.hidden_units[0]),) * depth
    return replace(base, **changed)


def grid(space: Mapping[str, Sequence[Choice]]) -> list[dict[str, Choice]]:
    """Every combination of some lists, the last one varying fastest.

    Parameters
    ----------
    space
        The lists by name.

    Returns
    -------
    list[dict[str, Choice]]
        The combinations.
    """
    return [dict(zip(space, values, strict=True)) for values in product(*space.values())]


def lists(space: Space) -> dict[str, list[Choice]]:
    """The hyperparameters of a space that are lists; ranges are left out.

    Parameters
    ----------
    space
        The space.

    Returns
    -------
    dict[str, list[Choice]]
        The lists by name.
    """
    return {name: values for name, values in space.items() if isinstance(values, list)}


def grid_size(space: Space) -> int:
    """The number of combinations of the lists of a space.

    Parameters
    ----------
    space
        The space.

    Returns
    -------
    int
        The number.
    """
    return math.prod(len(values) for values in space.values() if isinstance(values, list))


def varied(space: Space) -> list[str]:
    """The hyperparameters of a space with more than one value.

    Parameters
    ----------
    space
        The space.

    Returns
    -------
    list[str]
        Their names.
    """
    return [name for name, values in space.items() if isinstance(values, Range) or len(values) > 1]


def split_space(texts: PlainData, base: Hyperparameters) -> tuple[Hyperparameters, PlainData]:
    """Take the hyperparameters with a single value out of a space.

    Parameters
    ----------
    texts
        The space, as ``read_space`` takes it.
    base
        The hyperparameters that are not searched.

    Returns
    -------
    tuple[Hyperparameters, PlainData]
        The base with the single values, and the rest of the space.
    """
    space = read_space(texts)
    searched = varied(space)
    fixed = {name: values[0] for name, values in space.items() if name not in searched and isinstance(values, list)}
    return with_parameters(base, fixed), {name: texts[name] for name in searched}


def distributions(space: Space) -> PlainData:
    """The space as Optuna's distributions.

    Parameters
    ----------
    space
        The space.

    Returns
    -------
    PlainData
        The distributions by name.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    def of(values: Range | list[Choice]) -> Any:
        if isinstance(values, list):
            return CategoricalDistribution(values)
        if values.whole:
            return IntDistribution(int(values.low), int(values.high), log=values.logarithmic)
        return FloatDistribution(values.low, values.high, log=values.logarithmic)

    return {name: of(values) for name, values in space.items()}
