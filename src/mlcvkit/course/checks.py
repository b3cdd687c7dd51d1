"""What every check is made of: cases, comparisons, and what is said of a result."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

RTOL, ATOL = 1e-5, 1e-7
"""How near a value has to be: a distortion by 10⁻⁶, as the handout advises it, is near enough."""


@dataclass(frozen=True)
class Property:
    """What a test found of one property: the share of its points, and what to say where it is not whole."""

    name: str
    credit: float
    feedback: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """The mistake that explains a wrong result."""

    mistake: str
    message: str


@dataclass
class Report:
    """What a test found."""

    test: str
    properties: list[Property] = field(default_factory=list)
    diagnosis: Diagnosis | None = None
    variant: str | None = None
    relative_error: float | None = None
    reason: str = ""

    def add(self, name: str, credit: float, feedback: str | None = None) -> None:
        self.properties.append(Property(name, credit, feedback or ""))

    def diagnose(self, diagnosis: Diagnosis | None, variants: Mapping[tuple[str, str], str]) -> None:
        """Take a diagnosis, and with it the known other reading of the handout that it is, if it is one."""
        self.diagnosis = diagnosis
        self.variant = variants.get((self.test, diagnosis.mistake)) if diagnosis else None


def all_lost(test: str, names: Iterable[str], reason: str) -> Report:
    """A report of a test that could not be run."""
    return Report(test, [Property(name, 0.0) for name in names], reason=reason)


def is_numeric(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(is_numeric(item) for item in value)
    return isinstance(value, bool | int | float) or (isinstance(value, np.ndarray) and value.dtype.kind in "biuf")


def as_array(value: Any) -> Array | None:
    """A value as an array of float64; None where it is not numbers."""
    if not is_numeric(value):
        return None
    try:
        return np.asarray(value, dtype=np.float64)
    except (ValueError, TypeError):
        return None


def is_finite(value: Any) -> bool:
    array = as_array(value)
    return array is not None and bool(np.all(np.isfinite(array)))


def near(got: Array, expected: Array, rtol: float = RTOL, atol: float = ATOL) -> bool:
    return got.shape == expected.shape and bool(np.allclose(got, expected, rtol=rtol, atol=atol, equal_nan=True))


def same_values(got: Any, expected: Array, rtol: float = RTOL, atol: float = ATOL) -> bool:
    """Whether the values are right, in whatever shape: a vector lying, standing or flat, a matrix transposed."""
    array = as_array(got)
    if array is None or array.size != expected.size:
        return False
    if array.ndim == 2 and array.shape == expected.shape[::-1] and 1 not in array.shape:
        return near(array.T, expected, rtol, atol) or near(array, expected, rtol, atol)
    return near(array.ravel(), expected.ravel(), rtol, atol)


def same_shape(got: Any, expected: Array) -> bool:
    """Whether the shape is right; a single number may stand in any."""
    array = as_array(got)
    return array is not None and (array.shape == expected.shape or array.size == expected.size == 1)


def unchanged(before: Sequence[Any], after: Any) -> bool:
    return isinstance(after, list) and len(after) == len(before) and all(map(_equal, before, after))


def _equal(before: Any, after: Any) -> bool:
    if isinstance(before, np.ndarray):
        return isinstance(after, np.ndarray) and before.shape == after.shape and np.array_equal(before, after)
    if isinstance(before, list):
        return unchanged(before, after)
    return bool(before == after)


def relative_error(got: Sequence[Any], expected: Sequence[Any]) -> float | None:
    """The largest error relative to the largest entry of each expected array; None where nothing can be compared."""
    errors = []
    for value, right in zip(got, expected, strict=True):
        array, right = as_array(value), np.asarray(right, float)
        if array is not None and array.size == right.size and array.size:
            with np.errstate(all="ignore"):
                scale = np.abs(right).max()
                errors.append(float(np.abs(array.ravel() - right.ravel()).max() / (scale if scale > 0 else 1)))
    return max(errors, default=None)


def shown(value: Any) -> str:
    """A value for a reader: short, with its shape."""
    if value is None:
        return "None"
    if isinstance(value, dict):
        return f"an object of type {value.get('other', '?')}"
    array = as_array(value)
    if array is None:
        return f"[{', '.join(shown(item) for item in value[:3])}]" if isinstance(value, list) else repr(value)[:60]
    if array.ndim == 0:
        return f"{array:.6g}"
    text = np.array2string(array, precision=5, threshold=12, edgeitems=2, separator=", ")
    return f"{' '.join(text.split())} of shape {array.shape}"


def equation(function: Callable[..., Any]) -> str:
    """The equation in a function's docstring: its first indented block."""
    lines = (function.__doc__ or "").splitlines()
    block = []
    for line in lines[1:]:
        indent = len(line) - len(line.lstrip())
        body = min((len(other) - len(other.lstrip()) for other in lines[1:] if other.strip()), default=0)
        if line.strip() and indent > body:
            block.append(" ".join(line.split()))
        elif block:
            break
    return "; ".join(block)


Mistaken = Callable[..., Any]
Catalogue = Mapping[str, tuple[str, Mistaken]]
"""Mistakes by their names: what to say, and what a function with that mistake returns, from the right value and the
arguments."""

Asks = Callable[[str, str, list[Any]], Any]


def find_mistake(
    catalogue: Catalogue,
    arguments: Sequence[tuple[Any, ...]],
    got: Sequence[Any],
    expected: Sequence[Array],
    wrong: Sequence[int],
) -> Diagnosis | None:
    """The first mistake that explains what was got in every case, or else in the cases that were ``wrong``."""
    for chosen in (range(len(got)), wrong):
        for name, (message, mistaken) in catalogue.items():
            if all(_explains(mistaken, arguments[i], got[i], expected[i]) for i in chosen):
                return Diagnosis(name, message)
    return None


def _explains(mistaken: Mistaken, args: tuple[Any, ...], got: Any, expected: Array) -> bool:
    array = as_array(got)
    if array is None:
        return False
    with np.errstate(all="ignore"):
        try:
            value = np.asarray(mistaken(expected, *args), float)
        except (ValueError, IndexError, TypeError):
            return False
    return value.size == array.size and (near(array.ravel(), value.ravel()) or near(array, value))
