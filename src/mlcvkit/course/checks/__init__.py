"""What every check is made of: cases, comparisons, and what is said of a result."""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mlcvkit.course.submissions import plain_text

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
    equation: str = ""
    look: str = ""
    """What a person should look at."""

    def add(self, name: str, credit: float, feedback: str | None = None) -> None:
        self.properties.append(Property(name, credit, feedback or ""))


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
    except (ValueError, TypeError, OverflowError):
        return None


def is_finite(value: Any) -> bool:
    array = as_array(value)
    return array is not None and bool(np.all(np.isfinite(array)))


def near(got: Array, expected: Array, rtol: float = RTOL, atol: float = ATOL, *, nan: bool = False) -> bool:
    """Whether two arrays are near each other; NaN is near NaN only where ``nan`` is given."""
    return got.shape == expected.shape and bool(np.allclose(got, expected, rtol=rtol, atol=atol, equal_nan=nan))


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


def shown_apart(expected: Any, got: Any) -> str:
    """What was expected and what was got, with as many digits as it takes to tell them apart."""
    texts = [("", "")]
    for digits in (6, 9, 12, 17):
        texts.append((shown(expected, digits), shown(got, digits)))
        if texts[-1][0] != texts[-1][1]:
            break
    return "expected {}, got {}".format(*texts[-1])


def shown(value: Any, digits: int = 6) -> str:
    """A value for a reader: short, with its shape."""
    if value is None:
        return "None"
    if isinstance(value, dict):
        kind = plain_text(str(value.get("other", "?")), 60)
        return "the model" if kind == "GivenModel" else f"an object of type {kind}"
    array = as_array(value)
    if array is None:
        return (
            f"[{', '.join(shown(item, digits) for item in value[:3])}]"
            if isinstance(value, list)
            else plain_text(repr(value), 60)
        )
    if array.ndim == 0:
        return f"{array:.{digits}g}"
    text = np.array2string(array, precision=digits - 1, threshold=12, edgeitems=2, separator=", ")
    return f"{' '.join(text.split())} of shape {array.shape}"


def equation(function: Callable[..., Any]) -> str:
    """The equations in a function's docstring: its first indented block, one after the other."""
    text = inspect.cleandoc(function.__doc__ or "")
    block = re.search(r"\n\n((?: +\S.*\n)+)", text + "\n")
    lines = block.group(1).splitlines() if block else []
    parts = [" ".join(part.split()) for line in lines for part in re.split(r" {4,}", line.strip())]
    return "; ".join(parts).replace(",;", ",")


Mistaken = Callable[..., Any]
Catalogue = Mapping[str, tuple[str, Mistaken]]
"""Mistakes by their names: what to say, and what a function with that mistake returns, from the right value and the
arguments."""

Asks = Callable[[str, str, list[Any]], Any]

Looked = tuple[str, tuple[Any, ...], Any, Array]
"""A case as it is judged: its property, the arguments, what was got and what was expected."""

Alike = Callable[[Array, Looked], bool]
"""Whether the result with a mistake is what was got in a case."""


def alike(mistaken: Array, case: Looked) -> bool:
    """Whether the result with a mistake is what was got, number by number."""
    got = as_array(case[2])
    return got is not None and mistaken.size == got.size and near(got.ravel(), mistaken.ravel(), 1e-4, 2e-6, nan=True)


def judge(
    report: Report,
    catalogue: Catalogue,
    costs: Mapping[str, float],
    readings: Mapping[tuple[str, str], str],
    cases: Sequence[Looked],
    wrong: Sequence[int],
    is_alike: Alike = alike,
) -> dict[str, float]:
    """Name the mistake behind wrong results, and say what share of its points each property keeps all the same.

    A mistake is named only where it explains every case, the right ones as well; else none is. A property keeps points
    where a known other reading of the handout explains all of its cases, all right ones and those of plain values (the
    first property), and its results are finite.

    Arguments: ``costs`` of the known other readings, by their names; ``readings``, those names, by test and mistake;
    ``wrong``, the places of the wrong cases.
    """
    whole = _explanation(catalogue, cases, is_alike)
    report.diagnosis = report.diagnosis or whole
    known = {name: row for name, row in catalogue.items() if (report.test, name) in readings}
    always = [case for i, case in enumerate(cases) if i not in wrong or case[0] == cases[0][0]]
    shares = {}
    for name in dict.fromkeys(cases[i][0] for i in wrong):
        of_property = [case for case in cases if case[0] == name]
        found = whole if whole and whole.mistake in known else _explanation(known, [*of_property, *always], is_alike)
        reading = readings[report.test, found.mistake] if found else None
        finite = all(is_finite(case[2]) for case in of_property)
        shares[name] = 1 - costs.get(reading, 1.0) if reading is not None and finite else 0.0
        report.variant = report.variant or reading
    return shares


def _explanation(catalogue: Catalogue, cases: Sequence[Looked], is_alike: Alike) -> Diagnosis | None:
    """The first mistake that explains what was got in each of the cases."""
    for name, (message, mistaken) in catalogue.items():
        if all(_explains(mistaken, case, is_alike) for case in cases):
            return Diagnosis(name, message)
    return None


def _explains(mistaken: Mistaken, case: Looked, is_alike: Alike) -> bool:
    with np.errstate(all="ignore"):
        try:
            return is_alike(np.asarray(mistaken(case[3], *case[1]), float), case)
        except (ValueError, IndexError, TypeError):
            return False
