"""Checks of Problem 3: the grader's models, and Adam, step by step from given weights.

The gradients come from the grader, so that Problems 1 and 2 are not needed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from mlcvkit.course.checks import (
    Array,
    Diagnosis,
    Looked,
    Report,
    Table,
    add_properties,
    alike,
    all_lost,
    as_array,
    equation,
    judge,
    near,
    relative_error,
    shown,
    unchanged,
)
from mlcvlab.models.nn2 import NN2
from mlcvlab.optim.adam import Adam

Weights = list[Array]
AsksOptimizer = Callable[..., Any]
"""``ask(function, weights, X, y, options, model)``: the student's result, or a text on why there is none."""


@dataclass
class SeparableModel:
    """A separable quadratic risk, which is the same for every sample.

    L(W) = Σ_j c_j (w_j - t_j)² / 2,    ∂L/∂w_j = c_j (w_j - t_j)
    """

    curvature: Weights
    target: Weights
    asked: list[Weights] = field(default_factory=list)

    def emp_loss(self, W: Sequence[Array], X: Any, y: Any) -> float:
        W = _as_weights(W)
        return float(sum((c * (w - t) ** 2).sum() / 2 for c, w, t in zip(self.curvature, W, self.target, strict=True)))

    def emp_loss_grad(self, W: Sequence[Array], X: Any, y: Any, layer: int | None = None) -> Any:
        W = _as_weights(W)
        self.asked.append(W)
        gradients = [c * (w - t) for c, w, t in zip(self.curvature, W, self.target, strict=True)]
        return gradients if layer is None else gradients[layer]

    def grad(self, W: Sequence[Array], x: Any, y: Any) -> Any:
        count = np.shape(x)[1] if np.ndim(x) == 2 else 1
        return [count * gradient for gradient in self.emp_loss_grad(W, x, y)]

    def supplied(self) -> dict[str, Callable[..., Any]]:
        supplied = {"emp_loss": self.emp_loss, "emp_loss_grad": self.emp_loss_grad, "grad": self.grad}
        return {**NetworkModel().supplied(), **supplied}


@dataclass
class NetworkModel:
    """The reference's NN2 for the few samples of the checks."""

    asked: list[Weights] = field(default_factory=list)

    def _model(self, W: Sequence[Array], X: Any) -> NN2:
        model = NN2()
        model.W = _as_weights(W)
        if np.size(X) > 10_000:
            raise ValueError("these are not the samples that were given")
        return model

    def supplied(self) -> dict[str, Callable[..., Any]]:
        return {
            "nn2": lambda W, x: self._model(W, x).nn2(x),
            "grad": self.grad,
            "emp_loss": lambda W, X, y: self._model(W, X).emp_loss(X, y),
            "emp_loss_grad": self.emp_loss_grad,
        }

    def grad(self, W: Sequence[Array], x: Any, y: Any) -> Any:
        self.asked.append(_as_weights(W))
        return self._model(W, x).grad(x, y)

    def emp_loss_grad(self, W: Sequence[Array], X: Any, y: Any, layer: int | None = None) -> Any:
        model = self._model(W, X)
        self.asked.append(_as_weights(W))
        return model.emp_loss_grad(X, y, None, layer)


def _as_weights(W: Sequence[Any]) -> Weights:
    weights = [as_array(w) for w in W]
    if len(weights) != 2 or any(w is None or w.size > 1000 for w in weights):
        raise ValueError("W must be the list of both layers' weights, as the model gave them")
    return [np.array(w) for w in weights]


SHAPES = ((3, 4), (3, 1))
SIZE = 15


NOT_FINITE = "the weights are not finite after the steps: some became NaN or infinite"


def final_weights(answer: Any, *, finite: bool = True) -> Weights | str:
    """The final weights: the returned ones, or else those of the model; or a text on why there are none."""
    for value in (answer["value"], answer["W"]):
        if isinstance(value, list) and len(value) == 2:
            arrays = [as_array(w) for w in value]
            if all(a is not None and a.size == np.prod(shape) for a, shape in zip(arrays, SHAPES, strict=True)):
                if finite and not all(np.isfinite(a).all() for a in arrays if a is not None):
                    return NOT_FINITE
                return [np.asarray(a).reshape(shape) for a, shape in zip(arrays, SHAPES, strict=True)]
    return f"it must return the final list of weights, [W1, w2]; got {shown(answer['value'])}"


def add_returned(report: Report, answers: Sequence[Any]) -> None:
    for answer in answers:
        if isinstance(answer, str):
            continue
        value, held = answer["value"], answer["W"]
        arrays = [as_array(w) for w in value] if isinstance(value, list) and len(value) == 2 else []
        if not arrays or any(a is None or a.shape != s for a, s in zip(arrays, SHAPES, strict=True)):
            report.add("returned", 0.0, f"it must return the final list of weights, [W1, w2]; got {shown(value)}")
            return
        kept = isinstance(held, list) and len(held) == 2 and all(as_array(w) is not None for w in held)
        if not kept or not all(near(np.asarray(a), np.asarray(as_array(w))) for a, w in zip(arrays, held, strict=True)):
            report.add("returned", 0.5, "it returns the final weights, and the model still holds others")
            return
    report.add("returned", 1.0)


def place(j: int) -> str:
    """A parameter, by its number in the flat weights, as Python writes it."""
    first = SHAPES[0][0] * SHAPES[0][1]
    row, column = divmod(j, SHAPES[0][1]) if j < first else divmod(j - first, SHAPES[1][1])
    return f"{'W1' if j < first else 'w2'}[{row}, {column}]"


def flat(weights: Sequence[Array]) -> Array:
    return np.concatenate([np.asarray(w, float).ravel() for w in weights])


@dataclass(frozen=True)
class Run:
    """A run of Adam, and the property that its final weights show."""

    property: str
    start: Weights
    X: Array
    y: Array
    options: Mapping[str, float]


def _tolerance(options: Mapping[str, float]) -> tuple[float, float]:
    """The tolerance of the change from the start, which allows a tiny δ anywhere in the denominator."""
    return (1e-3, 1e-3 * options["alpha"]) if options["delta"] < 1e-6 else (1e-4, 1e-6)


class _SilentNetwork(NN2):
    """An NN2 without a loss, so that the reference continues when it diverges."""

    def emp_loss(self, *_: Any, **__: Any) -> float:
        return 0.0


def _run(adam: Callable[..., Any], run: Run, **options: Any) -> Array:
    model = _SilentNetwork()
    model.W = [w.copy() for w in run.start]
    return flat(adam(model, run.X, run.y, **run.options, **options))


def _drawn(rng: np.random.Generator, y: Array) -> tuple[Array, Weights]:
    """Samples and weights at which no partial derivative is 0, or so small that the usual δ can be seen."""
    while True:
        X, start = rng.normal(size=(4, 6)), [rng.normal(size=SHAPES[0]), rng.normal(size=SHAPES[1])]
        if np.abs(flat(NetworkModel().emp_loss_grad(start, X, y))).min() > 0.01:
            return X, start


@lru_cache(maxsize=64)
def adam_tables(seed: int) -> tuple[Table, Table]:
    """The runs with the handout's look-ahead and without it."""
    rng = np.random.default_rng([seed, 6])
    y = np.array([[1.0, 0.0, 0.0, 1.0, 0.0, 1.0]])
    X, start = _drawn(rng, y)
    usual: dict[str, Any] = {"alpha": 0.001, "beta1": 0.9, "beta2": 0.999, "delta": 1e-8}
    unusual: dict[str, Any] = {"alpha": 0.2, "beta1": 0.6, "beta2": 0.8, "delta": 0.05}
    runs = [("first_step", {**usual, "R": 1}), *(("steps", {**usual, "R": r}) for r in (2, 3, 20))]
    runs += [("hyperparameters", {**unusual, "R": r}) for r in (1, 4)]
    cases = [Run(prop, start, X, y, options) for prop, options in runs]
    return Table("Adam", cases, _run, Adam), Table("Adam", cases, partial(_run, lookahead=False), Adam)


def check_adam(ask: AsksOptimizer, seed: int) -> Report:
    """Check ``Adam``."""
    table, without_lookahead = adam_tables(seed)
    runs, start = table.cases, table.cases[0].start
    names = ("first_step", "steps", "hyperparameters", "returned", "unchanged")
    model = NetworkModel()
    answers: list[Any] = []
    for run in runs:
        answers.append(ask("Adam", start, run.X, run.y, run.options, model.supplied()))
        if isinstance(answers[0], str):
            return all_lost("Adam", names, answers[0])
    ends = [_end(answer) for answer in answers]
    report = Report("Adam", equation=equation(Adam))
    begin = flat(start)
    moved = [
        (end - begin, correct - begin)
        for end, correct in zip(ends, table.expected, strict=True)
        if not isinstance(end, str) and np.isfinite(end).all()
    ]
    report.relative_error = relative_error([got for got, _ in moved], [correct for _, correct in moved])
    looked_at = [
        Looked(run.property, end, correct, begin, _tolerance(run.options))
        for run, end, correct in zip(runs, ends, table.expected, strict=True)
    ]
    wrong = [i for i, case in enumerate(looked_at) if not alike(case.expected, case)]
    readings = judge(report, [table, without_lookahead], looked_at, wrong)
    text: str | None = None
    if wrong and report.diagnosis is None and (own := _own_alpha(runs, looked_at)) is not None:
        report.diagnosis = Diagnosis("fixed_alpha", f"alpha is {own:g} whatever value is given")
        given_another = [i for i, run in enumerate(runs) if run.property == "hyperparameters"]
        shown_case = next((i for i in given_another if i in wrong), wrong[0])
        wrong, readings = given_another, {"hyperparameters": ""}
        text = _describe_adam(runs, looked_at, shown_case)
    describe = partial(_describe_adam, runs, looked_at) if text is None else lambda _: text
    add_properties(report, names[:3], runs, wrong, readings, describe)
    add_returned(report, answers)
    good = [answer for answer in answers if not isinstance(answer, str)]
    same = all(unchanged([runs[0].X, runs[0].y], answer["after"]) for answer in good)
    report.add("unchanged", float(same), "it changes the samples it is given")
    return report


def _own_alpha(runs: Sequence[Run], looked_at: Sequence[Looked]) -> float | None:
    """The alpha that explains all runs, whatever is given, as that of the first step; None if there is none."""
    end = as_array(looked_at[0].got)
    if end is None or end.size != SIZE or not np.isfinite(end).all():
        return None
    own = float(f"{np.abs(end.ravel() - looked_at[0].origin).mean():.4g}")
    cases = [replace(case, tolerance=(1e-3, 1e-3 * own)) for case in looked_at]
    with_own = [replace(run, options={**run.options, "alpha": own}) for run in runs]
    for lookahead in (True, False) if own > 0 else ():
        expected = [_run(Adam, run, lookahead=lookahead) for run in with_own]
        if all(alike(number, case) for number, case in zip(expected, cases, strict=True)):
            return own
    return None


def _end(answer: Any) -> Array | str:
    """The final weights as one array, finite or not, or a text on why there are none."""
    final = answer if isinstance(answer, str) else final_weights(answer, finite=False)
    return final if isinstance(final, str) else flat(final)


def _describe_adam(runs: Sequence[Run], looked_at: Sequence[Looked], i: int) -> str:
    options, case = runs[i].options, looked_at[i]
    if isinstance(case.got, str):
        return case.got
    given = ", ".join(f"{name} = {value:g}" for name, value in options.items())
    if not np.isfinite(case.got).all():
        return f"with {given}: {NOT_FINITE}"
    correct, got = case.expected - case.origin, case.got - case.origin
    worst = int(np.argmax(np.abs(got - correct)))
    return f"with {given}: {place(worst)} should move by {correct[worst]:.8g}, and moved by {got[worst]:.8g}"
