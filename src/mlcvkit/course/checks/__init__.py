"""The parts of every check: cases, comparisons, and the description of results."""

import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mlcvkit.course.mistakes import Mistake, mistaken, mistakes_of
from mlcvkit.course.submissions import plain_text

Array = npt.NDArray[Any]

RTOL, ATOL = 1e-5, 1e-7
"""The tolerance of a value, which allows the distortion by 10⁻⁶ that the handout advises."""


@dataclass(frozen=True)
class Property:
    """The result of a test for one property.

    Parameters
    ----------
    name
        The property.
    credit
        The earned share of its points, from 0 to 1.
    feedback
        The text if it is not 1.
    reading
        The other reading of the handout that explains the result, by its name in the rubric, which has its cost; "" if
        none does.
    """

    name: str
    credit: float
    feedback: str = ""
    reading: str = ""

    def worth(self, costs: Mapping[str, float]) -> float:
        """The earned share of its points with the rubric's cost of readings."""
        return max(self.credit, 1 - costs.get(self.reading, 1.0)) if self.reading else self.credit


@dataclass(frozen=True)
class Diagnosis:
    """The mistake that explains a wrong result."""

    mistake: str
    message: str


@dataclass
class Report:
    """The report of a test."""

    test: str
    properties: list[Property] = field(default_factory=list)
    diagnosis: Diagnosis | None = None
    variant: str | None = None
    relative_error: float | None = None
    reason: str = ""
    equation: str = ""
    look: str = ""
    """Notes for a person."""

    def add(self, name: str, credit: float, feedback: str | None = None, reading: str = "") -> None:
        self.properties.append(Property(name, credit, feedback or "", reading))

    @property
    def credit(self) -> float:
        """The share of its properties that are right by any reading of the handout."""
        return sum(1.0 if prop.reading else prop.credit for prop in self.properties) / max(1, len(self.properties))

    @property
    def is_whole(self) -> bool:
        """Whether everything is right by any reading of the handout."""
        return all(prop.credit >= 1 or prop.reading for prop in self.properties)


def all_lost(test: str, names: Iterable[str], reason: str) -> Report:
    """A report of a test that could not be run."""
    return Report(test, [Property(name, 0.0) for name in names], reason=reason)


def is_numeric(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(is_numeric(item) for item in value)
    return isinstance(value, bool | int | float) or (isinstance(value, np.ndarray) and value.dtype.kind in "biuf")


def as_array(value: Any) -> Array | None:
    """A value as an array of float64; None if it is not numeric."""
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
    """Whether two arrays are close; NaN equals NaN only with ``nan``."""
    return got.shape == expected.shape and bool(np.allclose(got, expected, rtol=rtol, atol=atol, equal_nan=nan))


def same_values(got: Any, expected: Array, rtol: float = RTOL, atol: float = ATOL) -> bool:
    """Whether the values are right in any shape: a vector as a row, a column or flat, a matrix transposed."""
    array = as_array(got)
    if array is None or array.size != expected.size:
        return False
    if array.ndim == 2 and array.shape == expected.shape[::-1] and 1 not in array.shape:
        return near(array.T, expected, rtol, atol) or near(array, expected, rtol, atol)
    return near(array.ravel(), expected.ravel(), rtol, atol)


def same_shape(got: Any, expected: Array) -> bool:
    """Whether the shape is right; a single number can have any shape."""
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
    """The largest error relative to the largest entry of each expected array; None if nothing can be compared."""
    errors = []
    for value, correct in zip(got, expected, strict=True):
        array, correct = as_array(value), np.asarray(correct, float)
        if array is not None and array.size == correct.size and array.size:
            with np.errstate(all="ignore"):
                scale = np.abs(correct).max()
                errors.append(float(np.abs(array.ravel() - correct.ravel()).max() / (scale if scale > 0 else 1)))
    return max(errors, default=None)


def shown_apart(expected: Any, got: Any) -> str:
    """The expected and the actual value, with enough digits to tell them apart."""
    texts = [("", "")]
    for digits in (6, 9, 12, 17):
        texts.append((shown(expected, digits), shown(got, digits)))
        if texts[-1][0] != texts[-1][1]:
            break
    return "expected {}, got {}".format(*texts[-1])


def shown(value: Any, digits: int = 6) -> str:
    """A short text for a value, with its shape."""
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
    """The equations in a function's docstring: its first indented block."""
    text = inspect.cleandoc(function.__doc__ or "")
    block = re.search(r"\n\n((?: +\S.*\n)+)", text + "\n")
    lines = block.group(1).splitlines() if block else []
    parts = [" ".join(part.split()) for line in lines for part in re.split(r" {4,}", line.strip())]
    return "; ".join(part.rstrip(";") for part in parts).replace(",;", ",")


Asks = Callable[[str, str, list[Any]], Any]

Numbers = Sequence[Array | None]
"""The result of a function in each case, as one array; None if it raises."""


@dataclass(frozen=True)
class Looked:
    """A case to judge: its property, the result or a text on why there is none, and the expected result."""

    property: str
    got: Any
    expected: Array
    origin: Array | float = 0.0
    """The start, if the results are the ends of a path."""
    tolerance: tuple[float, float] = (1e-4, 2e-6)
    """The relative and the absolute tolerance of a mistake's result."""


Alike = Callable[[Array, Looked], bool]
"""Whether the result with a mistake is the actual one in a case."""


class Table:
    """The cases of a function for a class seed, the right results, and those with each mistake.

    Parameters
    ----------
    function
        The function.
    cases
        Its cases.
    call
        ``call(function, case)``: the result of a function, or of NN2's class, in a case, as one array.
    reference
        The reference's function, or NN2's class.
    """

    def __init__(self, function: str, cases: Sequence[Any], call: Callable[[Any, Any], Any], reference: Any) -> None:
        self.function, self.cases, self.call = function, tuple(cases), call
        with np.errstate(all="ignore"):
            self.expected = tuple(np.asarray(call(reference, case), float) for case in cases)

    @cached_property
    def mistakes(self) -> list[tuple[Mistake, Numbers]]:
        """The results with each mistake."""
        return [
            (mistake, [self._number(mistaken(mistake), case) for case in self.cases])
            for mistake in mistakes_of(self.function).values()
        ]

    def _number(self, function: Any, case: Any) -> Array | None:
        with np.errstate(all="ignore"):
            try:
                return np.asarray(self.call(function, case), float)
            except Exception:
                return None


def alike(number: Array, case: Looked) -> bool:
    """Whether the result with a mistake is the actual one, number by number."""
    got = as_array(case.got)
    if got is None or number.size != got.size:
        return False
    return near(got.ravel() - case.origin, number.ravel() - case.origin, *case.tolerance, nan=True)


def diagnosis(function: str, name: str) -> Diagnosis:
    """A mistake of the catalogue, for the student."""
    return Diagnosis(name, mistakes_of(function)[name].tells)


def judge(
    report: Report, tables: Sequence[Table], cases: Sequence[Looked], wrong: Sequence[int], is_alike: Alike = alike
) -> dict[str, str]:
    """Find the mistake behind wrong results, and for each wrong property the reading of the handout that explains it.

    A mistake is named only if it explains every case, also the right ones. A reading explains a property if it explains
    all of its cases, all right ones and those of plain values (the first property), and its results are finite.

    Arguments: ``tables`` with the mistakes; ``wrong``, the places of the wrong cases.
    """
    if not wrong:
        return {}
    mistakes = [entry for table in tables for entry in table.mistakes]
    everywhere = range(len(cases))
    whole = _explanation(mistakes, cases, everywhere, wrong, is_alike)
    if whole is not None and report.diagnosis is None:
        report.diagnosis = Diagnosis(whole.name, whole.tells)
    readings = [entry for entry in mistakes if entry[0].reading]
    always = {i for i, case in enumerate(cases) if i not in wrong or case.property == cases[0].property}
    found_readings = {}
    for name in dict.fromkeys(cases[i].property for i in wrong):
        of_property = [i for i in everywhere if cases[i].property == name]
        found = whole
        if found is None or not found.reading:
            found = _explanation(readings, cases, sorted(always.union(of_property)), wrong, is_alike)
        finite = all(is_finite(cases[i].got) for i in of_property)
        found_readings[name] = found.reading if found is not None and finite else ""
        report.variant = report.variant or (found.reading if found is not None else None)
    return found_readings


def add_properties(
    report: Report,
    names: Iterable[str],
    cases: Sequence[Any],
    wrong: Iterable[int],
    readings: Mapping[str, str],
    describe: Callable[[int], str],
) -> None:
    """Add properties to a report, each with its first wrong case and what ``judge`` found."""
    for name in names:
        first = next((i for i in wrong if cases[i].property == name), None)
        text = None if first is None else describe(first)
        report.add(name, float(name not in readings), text, readings.get(name, ""))


def _explanation(
    mistakes: Sequence[tuple[Mistake, Numbers]],
    cases: Sequence[Looked],
    chosen: Sequence[int],
    wrong: Collection[int],
    is_alike: Alike,
) -> Mistake | None:
    """The first mistake that explains the results of all chosen cases and has a result in one of them. A mistake that
    gives the right result does not explain a wrong one.
    """
    for mistake, numbers in mistakes:
        if (
            any(numbers[i] is not None for i in chosen)
            and all(_explains(numbers[i], cases[i], is_alike) for i in chosen)
            and not any(_is_right(numbers[i], cases[i]) for i in chosen if i in wrong)
        ):
            return mistake
    return None


def _is_right(number: Array | None, case: Looked) -> bool:
    return number is not None and alike(number, replace(case, got=case.expected))


def _explains(number: Array | None, case: Looked, is_alike: Alike) -> bool:
    return isinstance(case.got, str) if number is None else is_alike(number, case)
