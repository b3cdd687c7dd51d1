"""The ranges of hyperparameters: each stands beside its default, in the class that has the hyperparameter."""

import math
from collections.abc import Callable
from dataclasses import field, fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mlcvkit.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Value = TypeVar("Value")


class Range(NamedTuple):
    """The numbers that a hyperparameter may be.

    Parameters
    ----------
    rule
        The range in words, after "must be".
    holds
        Whether a number is in it.
    """

    rule: str
    holds: Callable[[float], bool]


SHARE = Range("at least 0 and below 1", lambda value: 0 <= value < 1)
POSITIVE = Range("positive and finite", lambda value: 0 < value < math.inf)
NOT_NEGATIVE = Range("0 or more and finite", lambda value: 0 <= value < math.inf)
ZERO_OR_MORE = Range("0 or more", lambda value: value >= 0)
ONE_OR_MORE = Range("1 or more", lambda value: value >= 1)
SEED = Range(f"0 or more, and below {2**32:,}", lambda value: 0 <= value < 2**32)


def within(allowed: Range, default: Value) -> Value:
    """A field of a dataclass with a range.

    Parameters
    ----------
    allowed
        The range.
    default
        The default; if it is a whole number, the field is one, and if it is None, the field may be None.

    Returns
    -------
    Value
        The field, which a type checker takes for its default.
    """
    return field(default=default, metadata={"range": allowed})


def is_whole(value: object) -> bool:
    """Whether a value is a whole number, and no truth value.

    Parameters
    ----------
    value
        The value.

    Returns
    -------
    bool
        Whether it is.
    """
    return isinstance(value, Integral) and not isinstance(value, bool)


def require_in_range(values: "DataclassInstance") -> None:
    """Refuse a value that is not in the range of its field.

    Parameters
    ----------
    values
        A dataclass with fields of ``within``.

    Raises
    ------
    InputError
        With the field, its range and the value.
    """
    for part in fields(values):
        value, allowed = getattr(values, part.name), part.metadata.get("range")
        if allowed is None or (value is None and "None" in str(part.type)):
            continue
        if isinstance(part.default, bool):
            if not isinstance(value, bool):
                raise InputError(f"{part.name} must be True or False; got {value!r}")
            continue
        if isinstance(part.default, int) and not is_whole(value):
            raise InputError(f"{part.name} must be a whole number; got {value!r}")
        if not (isinstance(value, Real) and allowed.holds(float(value))):
            raise InputError(f"{part.name} must be {allowed.rule}; got {value!r}")
