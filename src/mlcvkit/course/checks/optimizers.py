"""Checks of Problem 3: models that the grader supplies, and Adam, step by step from given weights.

The gradients come from the grader, so that nothing of Problems 1 and 2 is needed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlcvkit.course.checks import (
    Array,
    Diagnosis,
    Report,
    all_lost,
    as_array,
    equation,
    near,
    relative_error,
    shown,
    unchanged,
)
from mlcvkit.course.mistakes import VARIANTS
from mlcvkit.course.mistakes.optimizers import ADAM, adam_steps
from mlcvlab.models.nn2 import NN2
from mlcvlab.optim.adam import Adam

Weights = list[Array]
AsksOptimizer = Callable[..., Any]
"""``ask(function, weights, X, y, options, model)``: the student's answer, or in words why there is none."""


@dataclass
class SeparableModel:
    """A quadratic risk whose coordinates do not touch each other, and which every sample has alike.

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
        own = {"emp_loss": self.emp_loss, "emp_loss_grad": self.emp_loss_grad, "grad": self.grad}
        return {**NetworkModel().supplied(), **own}


@dataclass
class NetworkModel:
    """The reference's NN2, for samples as small as those of the checks."""

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


def final_weights(answer: Any) -> Weights | str:
    """The final weights: what was returned, or else what the model holds."""
    for value in (answer["value"], answer["W"]):
        if isinstance(value, list) and len(value) == 2:
            arrays = [as_array(w) for w in value]
            if all(a is not None and a.size == np.prod(shape) for a, shape in zip(arrays, SHAPES, strict=True)):
                if not all(np.isfinite(a).all() for a in arrays if a is not None):
                    return "the weights are not finite after the steps: some became NaN or infinite"
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


def flat(weights: Sequence[Array]) -> Array:
    return np.concatenate([np.asarray(w, float).ravel() for w in weights])


def check_adam(ask: AsksOptimizer, seed: int, variants: Mapping[str, float]) -> Report:
    """Check ``Adam``."""
    rng = np.random.default_rng([seed, 6])
    X, y = rng.normal(size=(4, 6)), np.array([[1.0, 0.0, 0.0, 1.0, 0.0, 1.0]])
    start = [rng.normal(size=SHAPES[0]), rng.normal(size=SHAPES[1])]
    usual: dict[str, Any] = {"alpha": 0.001, "beta1": 0.9, "beta2": 0.999, "delta": 1e-8}
    unusual: dict[str, Any] = {"alpha": 0.2, "beta1": 0.6, "beta2": 0.8, "delta": 0.05}
    runs = [("first_step", {**usual, "R": 1}), *(("steps", {**usual, "R": r}) for r in (2, 3, 6))]
    runs += [("hyperparameters", {**unusual, "R": r}) for r in (1, 4)]
    names = ("first_step", "steps", "hyperparameters", "returned", "unchanged")
    model = NetworkModel()
    answers: list[Any] = []
    for _, options in runs:
        answers.append(ask("Adam", start, X, y, options, model.supplied()))
        if isinstance(answers[0], str):
            return all_lost("Adam", names, answers[0])
    finals = [answer if isinstance(answer, str) else final_weights(answer) for answer in answers]
    reference = NN2()

    def gradient(W: Weights) -> Weights:
        reference.W = W
        return reference.emp_loss_grad(X, y)

    report = Report("Adam", equation=equation(Adam))
    expected = [flat(adam_steps(start, gradient, **options)) for _, options in runs]
    moved = [
        (flat(final) - flat(start), right - flat(start))
        for final, right in zip(finals, expected, strict=True)
        if not isinstance(final, str)
    ]
    report.relative_error = relative_error([got for got, _ in moved], [right for _, right in moved])
    wrong = [i for i, (_, options) in enumerate(runs) if not _is_near(finals[i], expected[i], start, options)]
    kept = _judge_adam(report, runs, finals, start, gradient, wrong, variants) if wrong else {}
    for prop in names[:3]:
        first = next((i for i in wrong if runs[i][0] == prop), None)
        text = None if first is None else _told_adam(runs[first][1], finals[first], expected[first], start)
        report.add(prop, kept.get(prop, 1.0), text)
    add_returned(report, answers)
    good = [answer for answer in answers if not isinstance(answer, str)]
    same = all(unchanged([X, y], answer["after"]) for answer in good)
    report.add("unchanged", float(same), "it changes the samples it is given")
    return report


def _is_near(final: Weights | str, right: Array, start: Weights, options: Mapping[str, Any]) -> bool:
    """Whether the way from the start is right; where δ is tiny, wherever in the denominator it stands."""
    if isinstance(final, str):
        return False
    rtol, atol = (1e-3, 1e-3 * options["alpha"]) if options["delta"] < 1e-6 else (1e-4, 1e-6)
    return np.allclose(flat(final) - flat(start), right - flat(start), rtol=rtol, atol=atol)


Runs = Sequence[tuple[str, Mapping[str, Any]]]


def _judge_adam(
    report: Report,
    runs: Runs,
    finals: Sequence[Any],
    start: Weights,
    gradient: Callable[[Weights], Weights],
    wrong: Sequence[int],
    variants: Mapping[str, float],
) -> dict[str, float]:
    """As ``judge``: name the mistake that explains every run, and say what share each property keeps."""

    def explained(chosen: Sequence[int], entries: Mapping[str, tuple[str, dict[str, Any]]]) -> Diagnosis | None:
        return _explain_adam(runs, finals, start, gradient, chosen, entries)

    whole = explained(range(len(runs)), ADAM) or _one_layer(finals, start)
    report.diagnosis = report.diagnosis or whole
    known = {name: entry for name, entry in ADAM.items() if ("Adam", name) in VARIANTS}
    right = [i for i in range(len(runs)) if i not in wrong]
    shares = {}
    for name in dict.fromkeys(runs[i][0] for i in wrong):
        own = [i for i in range(len(runs)) if runs[i][0] == name]
        found = whole if whole and whole.mistake in known else explained([*own, *right, 0], known)
        reading = VARIANTS["Adam", found.mistake] if found else None
        report.variant = report.variant or reading
        shares[name] = 1 - variants.get(reading, 1.0) if reading else 0.0
    return shares


def _one_layer(finals: Sequence[Any], start: Weights) -> Diagnosis | None:
    """Whether one layer's weights stay as they were in every run."""
    if any(isinstance(final, str) for final in finals):
        return None
    for layer, name in enumerate(("W1", "w2")):
        if all(np.array_equal(final[layer], start[layer]) for final in finals):
            return Diagnosis("one_layer_stays", f"{name} stays as it was: update the weights of both layers")
    return None


def _explain_adam(
    runs: Runs,
    finals: Sequence[Any],
    start: Weights,
    gradient: Callable[[Weights], Weights],
    chosen: Sequence[int],
    known: Mapping[str, tuple[str, dict[str, Any]]],
) -> Diagnosis | None:
    """The mistake that leads to the same weights in the chosen runs, with the handout's look-ahead or without."""
    entries = [(name, message, changes) for name, (message, changes) in known.items()]
    entries += [(name, message, {"ahead": 0.0, **changes}) for name, message, changes in entries]
    for name, message, changes in entries:
        with np.errstate(all="ignore"):
            ends = (adam_steps(start, gradient, **{**runs[i][1], **changes}) for i in chosen)
            if all(
                _is_near(finals[i], flat(end), start, runs[i][1]) or _both_nan(finals[i], end)
                for i, end in zip(chosen, ends, strict=True)
            ):
                return Diagnosis(name, message)
    return None


def _both_nan(final: Any, mistaken: Weights) -> bool:
    return not isinstance(final, str) and bool(np.isnan(flat(final)).all() and np.isnan(flat(mistaken)).all())


def _told_adam(options: Mapping[str, Any], final: Weights | str, right: Array, start: Weights) -> str:
    if isinstance(final, str):
        return final
    told = ", ".join(f"{name} = {value:g}" for name, value in options.items())
    moves = right - flat(start), flat(final) - flat(start)
    with np.errstate(invalid="ignore"):
        worst = int(np.nanargmax(np.abs(moves[1] - moves[0]))) if np.isfinite(moves[1]).any() else 0
    return f"with {told}: parameter {worst} should move by {moves[0][worst]:.8g}, and moved by {moves[1][worst]:.8g}"
