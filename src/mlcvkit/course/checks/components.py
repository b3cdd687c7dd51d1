"""Checks of Problem 1: the values and gradients of each function, for random inputs of each seed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from inspect import signature
from typing import Any

import numpy as np

from mlcvkit.course.checks import (
    ATOL,
    RTOL,
    Array,
    Asks,
    Looked,
    Report,
    Table,
    add_properties,
    alike,
    all_lost,
    as_array,
    diagnosis,
    equation,
    judge,
    relative_error,
    same_shape,
    same_values,
    shown,
    shown_apart,
    unchanged,
)
from mlcvkit.course.mistakes import mistakes_of
from mlcvlab.nn import activations, basis, losses

Draw = np.random.Generator


@dataclass(frozen=True)
class Case:
    """Arguments of a function, and the tested property."""

    property: str
    args: tuple[Array, ...]


@dataclass(frozen=True)
class Component:
    """A function of Problem 1: its module, the right result, and its cases."""

    module: str
    reference: Callable[..., Any]
    cases: Callable[[Draw], list[Case]]
    rtol: float = RTOL
    atol: float = ATOL
    least_when_wrong: float | None = None
    """The least size of a result if a prediction is certain and wrong; the handout leaves it open."""

    @property
    def name(self) -> str:
        return self.reference.__name__

    def is_open(self, prop: str) -> bool:
        """Whether the handout leaves the size of this property's results open."""
        return prop == "stability" and self.least_when_wrong is not None

    def tolerance(self, case: Case) -> tuple[float, float]:
        """The tolerance of a result."""
        return self.rtol, SMALLEST if case.property == "stability" else self.atol

    def is_alike(self, number: Array, case: Looked) -> bool:
        """Like ``alike``; if the size is open, whether the signs are equal and the results large enough."""
        got = as_array(case.got)
        if not self.is_open(case.property) or got is None or not (np.isfinite(got).all() and np.isfinite(number).all()):
            return alike(number, case)
        signs = [np.sign(np.where(np.abs(part) < self.least_when_wrong, 0, part)).ravel() for part in (got, number)]
        return np.array_equal(signs[0], signs[1])


def column(rng: Draw, size: int = 5) -> Array:
    """A column of small and large entries of both signs, none near 0, where some functions have a kink."""
    sizes, signs = rng.uniform(0.2, 2.5, size), rng.choice([-1, 1], size)
    few = min(4, size)
    sizes[:few] = np.where(np.arange(few) % 2, rng.uniform(1.2, 2.5, few), rng.uniform(0.15, 0.45, few))
    signs[:few] = np.where(np.arange(few) < 2, 1, -1)
    return np.asarray(rng.permutation(sizes * signs)[:, None])


def _begun(x: Array, sign: int) -> Array:
    """A column whose first entry has a sign."""
    return np.roll(x, -int(np.argmax(np.sign(x) == sign)), axis=0)


def _columns(rng: Draw, size: int = 4, number: int = 3) -> Array:
    return np.hstack([_begun(column(rng, size), 1), *(column(rng, size) for _ in range(number - 1))])


def _linear(rng: Draw) -> list[Case]:
    return [
        *(Case("value", (rng.normal(size=(k, 1)), rng.normal(size=(m, k)))) for k, m in ((4, 3), (3, 5))),
        Case("batch", (rng.normal(size=(4, 6)), rng.normal(size=(3, 4)))),
    ]


def _linear_grad(rng: Draw) -> list[Case]:
    return [Case("value", (column(rng),)), Case("value", (column(rng, 3),)), Case("batch", (_columns(rng),))]


def _of_x(*stability: float, edge: bool = False) -> Callable[[Draw], list[Case]]:
    def cases(rng: Draw) -> list[Case]:
        found = [Case("value", (_begun(column(rng), sign),)) for sign in (1, -1)]  # the first may decide the dtype
        found.append(Case("batch", (_columns(rng),)))
        if edge:
            found.append(Case("edge", (np.array([[0.0], [1.0], [-1.0]]),)))
        if stability:
            found.append(Case("stability", (np.array(stability)[:, None] * rng.uniform(0.9, 1.1),)))
        return found

    return cases


def _of_y(activation: Callable[[Any], Array], *edge: float) -> Callable[[Draw], list[Case]]:
    def cases(rng: Draw) -> list[Case]:
        found = [
            *(Case("value", (activation(column(rng)),)) for _ in range(2)),
            Case("batch", (activation(_columns(rng)),)),
        ]
        return found + ([Case("edge", (np.array(edge)[:, None],))] if edge else [])

    return cases


def _in_float32(x: Array) -> Array:
    """Numbers that float32 holds as well: of others its rounding alone would show."""
    return x.astype(np.float32).astype(np.float64)


def _softmax(rng: Draw) -> list[Case]:
    return [
        *(Case("value", (column(rng, size),)) for size in (5, 4)),
        Case("batch", (_columns(rng, 3, 4),)),
        Case("stability", (_in_float32(np.array([[3000.0], [2999.0], [-3000.0]]) * rng.uniform(0.9, 1.1)),)),
    ]


def _softmax_grad(rng: Draw) -> list[Case]:
    flat, standing = (activations.softmax(column(rng, size)) for size in (4, 3))
    return [Case("value", (flat.ravel(),)), Case("standing", (standing,))]


def _norm(rng: Draw) -> list[Case]:
    pairs = [(column(rng, size), rng.normal(size=(size, 1))) for size in (4, 6)]
    y = rng.normal(size=(1, 5))
    row = (y, y + rng.uniform(0.1, 0.3, (1, 5)) * rng.choice([-1, 1], (1, 5)))  # near: what is added to z shows
    return [*(Case("value", pair) for pair in (*pairs, row)), Case("edge", (pairs[0][0], pairs[0][0].copy()))]


def _entropy(rng: Draw) -> list[Case]:
    def pair(count: int) -> tuple[Array, Array]:
        y, y_hat = (np.arange(count) % 2).astype(float)[None], rng.uniform(0.1, 0.9, (1, count))
        y_hat[0, :2] = 0.98, 0.02  # wrong, and rather sure: what is added to ŷ shows, but for the handout's 10⁻⁶
        return y, y_hat

    certain = np.array([[0.0, 1.0]])
    return [
        Case("value", (np.array([[1.0]]), rng.uniform(0.2, 0.8, (1, 1)))),
        Case("value", (np.array([[0.0]]), rng.uniform(0.2, 0.8, (1, 1)))),
        Case("batch", pair(6)),
        Case("edge", (certain, certain.copy())),
        Case("stability", (certain, 1 - certain)),
    ]


SMALLEST = 1e-12
"""What saturated results may differ by: a right formula may round, or clip its argument far out."""
_NN = "mlcvlab.nn"
_DISTORTED = 1e-4, 2e-6
"""Tolerances that allow the handout's distortion by 10⁻⁶ anywhere in the formula."""
COMPONENTS_CHECKED = {
    component.name: component
    for component in (
        Component(f"{_NN}.basis", basis.linear, _linear),
        Component(f"{_NN}.basis", basis.linear_grad, _linear_grad),
        Component(f"{_NN}.activations", activations.step, _of_x(edge=True)),
        Component(f"{_NN}.activations", activations.step_grad, _of_y(activations.step)),
        Component(f"{_NN}.activations", activations.relu, _of_x(1e30, -1e30, edge=True)),
        Component(f"{_NN}.activations", activations.relu_grad, _of_y(activations.relu, 0.0, 1e-12)),
        Component(f"{_NN}.activations", activations.sigmoid, _of_x(-800, 800, -12, 12)),
        Component(f"{_NN}.activations", activations.sigmoid_grad, _of_y(activations.sigmoid, 0.0, 0.5, 1.0)),
        Component(f"{_NN}.activations", activations.softmax, _softmax),
        Component(f"{_NN}.activations", activations.softmax_grad, _softmax_grad),
        Component(f"{_NN}.activations", activations.tanh, _of_x(-800, 800, -20, 20)),
        Component(f"{_NN}.activations", activations.tanh_grad, _of_y(activations.tanh, -1.0, 0.0, 1.0)),
        Component(f"{_NN}.losses", losses.l2, _norm, atol=2e-6),
        Component(f"{_NN}.losses", losses.l2_grad, _norm, *_DISTORTED),
        Component(f"{_NN}.losses", losses.mse, _norm),
        Component(f"{_NN}.losses", losses.mse_grad, _norm, *_DISTORTED),
        Component(f"{_NN}.losses", losses.cross_entropy, _entropy, *_DISTORTED, 5.0),
        Component(f"{_NN}.losses", losses.cross_entropy_grad, _entropy, *_DISTORTED, 100.0),
    )
}


@lru_cache(maxsize=64)
def component_table(name: str, seed: int) -> Table:
    component = COMPONENTS_CHECKED[name]
    cases = component.cases(np.random.default_rng([seed, *name.encode()]))
    return Table(name, cases, lambda function, case: function(*map(np.array, case.args)), component.reference)


def check_component(name: str, ask: Asks, seed: int) -> Report:
    """Check one function.

    Arguments: ``ask(module, function, args)``, which calls the student's function and returns its result and the
    arguments after the call, or a text on why there is none.
    """
    component = COMPONENTS_CHECKED[name]
    table = component_table(name, seed)
    cases, expected = table.cases, table.expected
    properties = (*dict.fromkeys(case.property for case in cases), "shape", "unchanged")
    answers = [ask(component.module, name, list(case.args)) for case in cases]
    if all(isinstance(answer, str) for answer in answers):
        return all_lost(name, properties, answers[0])
    got = [None if isinstance(answer, str) else answer["value"] for answer in answers]
    problems = {
        i: _describe(component, case, answer, correct)
        for i, (case, answer, correct) in enumerate(zip(cases, answers, expected, strict=True))
        if isinstance(answer, str) or not _is_right(component, case, answer["value"], correct)
    }
    report = Report(name, equation=equation(component.reference))
    compared = [i for i, case in enumerate(cases) if case.property in ("value", "batch")]
    report.relative_error = relative_error([got[i] for i in compared], [expected[i] for i in compared])
    looked_at = [
        Looked(
            case.property,
            answer if isinstance(answer, str) else answer["value"],
            correct,
            tolerance=(1e-4, SMALLEST if case.property == "stability" else 2e-6),
        )
        for case, answer, correct in zip(cases, answers, expected, strict=True)
    ]
    readings = judge(report, [table], looked_at, list(problems), component.is_alike)
    add_properties(report, properties[:-2], cases, problems, readings, problems.__getitem__)
    report.add("shape", *_shape(report, cases, got, expected))
    after = [None if isinstance(answer, str) else answer["after"] for answer in answers]
    changed = any(a is not None and not unchanged(list(case.args), a) for case, a in zip(cases, after, strict=True))
    report.add(
        "unchanged", float(not changed), "the caller's array is not what it was before the call" if changed else None
    )
    is_right_but_for_that = all(prop.credit == 1 for prop in report.properties[:-1])
    if changed and is_right_but_for_that and "in_place" in mistakes_of(name):
        report.diagnosis = diagnosis(name, "in_place")
    return report


def _is_right(component: Component, case: Case, got: Any, expected: Array) -> bool:
    if component.is_open(case.property):
        array, least = as_array(got), component.least_when_wrong
        return (
            array is not None
            and array.size == expected.size
            and bool(np.all(np.isfinite(array)))
            and bool(np.all(array.ravel() * np.sign(expected.ravel()) >= least))
        )
    return same_values(got, expected, *component.tolerance(case))


def _describe(component: Component, case: Case, answer: Any, expected: Array) -> str:
    names = list(signature(component.reference).parameters)
    inputs = ", ".join(f"{name} = {shown(arg)}" for name, arg in zip(names, case.args, strict=False))
    if isinstance(answer, str):
        return f"for {inputs}: {answer}"
    if component.is_open(case.property):
        least = np.sign(expected) * component.least_when_wrong
        return f"for {inputs}: finite, with these signs and of this size or more: {shown_apart(least, answer['value'])}"
    return f"for {inputs}: {shown_apart(expected, answer['value'])}"


def _shape(
    report: Report, cases: Sequence[Case], got: Sequence[Any], expected: Sequence[Array]
) -> tuple[float, str | None, str]:
    for case, value, correct in zip(cases, got, expected, strict=True):
        if case.property in ("value", "batch", "standing") and not same_shape(value, correct):
            array = as_array(value)
            if value is None or (array is not None and array.size != correct.size and case.property == "batch"):
                continue
            reading = ""
            transposed = mistakes_of(report.test).get("transposed")
            if transposed and array is not None and array.shape == correct.shape[::-1] and report.diagnosis is None:
                report.diagnosis = diagnosis(report.test, "transposed")
                report.variant = transposed.reading or report.variant
                reading = transposed.reading
            kind = "no array of numbers" if array is None else f"shape {array.shape}"
            return (
                0.0,
                f"for an input of shape {case.args[0].shape} the result must have shape {correct.shape}, got {kind}",
                reading,
            )
    if all(value is None for value in got):
        return 0.0, "there is no result", ""
    return 1.0, None, ""
