"""Checks of Problem 3: SGD and Adam, step by step from given weights, on models that the grader supplies.

The gradients come from the grader, so that nothing of Problems 1 and 2 is needed. SGD draws at random: on a model whose
coordinates do not touch each other, the final weights tell how often each was updated, and each update by which factor.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from mlcvlab.optim.sgd import SGD

Weights = list[Array]
AsksOptimizer = Callable[..., Any]
"""``ask(function, weights, X, y, options, model)``: the student's answer, or in words why there is none."""


@dataclass
class SeparableModel:
    """A quadratic risk whose coordinates do not touch each other.

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

    def supplied(self) -> dict[str, Callable[..., Any]]:
        return {"emp_loss": self.emp_loss, "emp_loss_grad": self.emp_loss_grad}


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
            "grad": lambda W, x, y: self._model(W, x).grad(x, y),
            "emp_loss": lambda W, X, y: self._model(W, X).emp_loss(X, y),
            "emp_loss_grad": self.emp_loss_grad,
        }

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
LARGEST_CHI_SQUARE = 60.0
"""With 14 degrees of freedom, exceeded by uniform draws once in ten million."""


def check_sgd(ask: AsksOptimizer, seed: int, variants: Mapping[str, float]) -> Report:
    """Check ``SGD``."""
    rng = np.random.default_rng([seed, 5])
    X, y = rng.uniform(0.2, 1.5, (4, 6)), np.array([[1.0, 0.0, 0.0, 1.0, 0.0, 1.0]])
    start = [np.abs(rng.normal(size=SHAPES[0])) + 0.2, rng.normal(size=SHAPES[1])]
    names = ("coordinate", "update", "steps", "uniform", "returned", "unchanged")
    singles: list[Any] = []
    model, lr = NetworkModel(), 0.3
    for _ in range(6):
        answer = ask("SGD", start, X, y, {"lr": lr, "R": 1}, model.supplied())
        if isinstance(answer, str) and not singles:
            return all_lost("SGD", names, answer)
        singles.append(answer)
    report = Report("SGD", equation=equation(SGD))
    factor, one = _add_single_steps(report, singles, model, start, X, y, lr, variants)
    _add_many_steps(report, ask, rng, X, y, factor, one)
    steps = next(prop for prop in report.properties if prop.name == "steps")
    if report.variant == "sgd_zeroed" and steps.credit < 1:
        report.variant = report.diagnosis = None
        report.properties = [
            replace(p, credit=0.0) if p.name in ("coordinate", "update") else p for p in report.properties
        ]
    _add_returned(report, singles)
    good = [answer for answer in singles if not isinstance(answer, str)]
    same = all(unchanged([X, y], answer["after"]) for answer in good)
    report.add("unchanged", float(same), "it changes the samples it is given")
    order = {name: i for i, name in enumerate(names)}
    report.properties.sort(key=lambda prop: order[prop.name])
    return report


def _add_single_steps(
    report: Report,
    answers: Sequence[Any],
    model: NetworkModel,
    start: Weights,
    X: Array,
    y: Array,
    lr: float,
    variants: Mapping[str, float],
) -> tuple[float, bool]:
    """Judge runs of one step; return the updates' factor of the right ones, and whether each moved one coordinate."""
    reference = NN2()
    reference.W = start
    gradient = _flat(reference.emp_loss_grad(X, y))
    before = _flat(start)
    changes = []
    for answer in answers:
        final = answer if isinstance(answer, str) else _final(answer)
        if isinstance(final, str):
            report.add("coordinate", 0.0, final)
            report.add("update", 0.0)
            return 1.0, True
        changes.append(_flat(final) - before)
    moved = [np.flatnonzero(np.abs(change) > 1e-12) for change in changes]
    update = f"for lr = {lr:g} and R = 1: with W1 = {shown(start[0])} and w2 = {shown(start[1])}, "
    if all(len(places) == 0 for places in moved) and _zeroed(model.asked, start, len(answers)):
        report.variant = "sgd_zeroed"
        report.diagnosis = Diagnosis(
            "zeroed",
            "the gradient is taken where all the other parameters are 0, as the handout says first (erratum 6); "
            "NN2's gradient is 0 there, and nothing moves. Its update takes component j of the gradient at W",
        )
        kept = 1 - variants.get(report.variant, 1.0)
        report.add("coordinate", kept, update + "no parameter changed")
        report.add("update", kept, update + "no parameter changed")
        return 1.0, True
    counts = sorted({len(places) for places in moved})
    one = counts == [1]
    report.add("coordinate", float(one), update + f"{' or '.join(map(str, counts))} parameters changed, expected one")
    ratios = np.concatenate(
        [change[places] / (-lr * gradient[places]) for change, places in zip(changes, moved, strict=True)]
    )
    report.relative_error = float(np.abs(ratios - 1).max()) if ratios.size else None
    right = ratios.size > 0 and np.allclose(ratios, 1, rtol=1e-5)
    if not one:
        report.diagnosis = _diagnose_coordinate(moved)
    if right:
        report.add("update", 1.0)
        return 1.0, one
    first = next(((c, p) for c, p in zip(changes, moved, strict=True) if len(p)), None)
    if first is not None:
        j = int(first[1][0])
        update += f"parameter {j} changed by {first[0][j]:.6g}, expected {-lr * gradient[j]:.6g}"
    report.add("update", 0.0, update)
    report.diagnosis = report.diagnosis or _diagnose_update(ratios, lr, X.shape[1])
    alike = ratios.size > 0 and bool(np.allclose(ratios, ratios[0], rtol=1e-4))
    return (float(ratios[0]) if alike else 1.0), one or counts == [0]


def _zeroed(asked: Sequence[Weights], start: Weights, runs: int) -> bool:
    """Whether each gradient was asked for where one parameter is as it was and all others are 0."""
    before = _flat(start)
    places = [np.flatnonzero(_flat(W)) for W in asked]
    return len(asked) >= runs and all(
        len(place) == 1 and _flat(W)[place[0]] == before[place[0]] for place, W in zip(places, asked, strict=True)
    )


def _diagnose_coordinate(moved: Sequence[Array]) -> Diagnosis | None:
    sizes = {len(places) for places in moved}
    if sizes == {SIZE}:
        return Diagnosis("all_parameters", "every parameter is updated: SGD here moves one random parameter a step")
    if all(set(map(int, places)) in ({*range(12)}, {*range(12, 15)}) for places in moved):
        return Diagnosis("whole_layer", "a whole layer is updated: SGD here moves one random parameter a step")
    if sizes == {2} and all(places[0] < 12 <= places[1] for places in moved):
        return Diagnosis("one_of_each_layer", "one parameter of each layer is updated: it is one of all of them")
    if sizes <= {3, 4}:
        return Diagnosis("row_or_column", "a whole row or column is updated: it is one scalar parameter")
    if sizes == {0, 1}:
        return Diagnosis("one_too_few", "some runs of R = 1 change nothing: is a step skipped?")
    return None


def _diagnose_update(ratios: Array, lr: float, samples: int) -> Diagnosis | None:
    """The mistake behind updates that are all the same multiple of the right one."""
    if ratios.size == 0 or not np.allclose(ratios, ratios[0], rtol=1e-4):
        return None
    known = {
        -1.0: ("uphill", "the sign is reversed: the step goes uphill, W + lr · gradient"),
        1 / lr: ("no_learning_rate", "the learning rate is missing"),
        -1 / lr: ("no_learning_rate_uphill", "the learning rate is missing and the sign reversed"),
        lr: ("learning_rate_squared", "the learning rate is multiplied twice"),
        samples: ("missing_mean", "the step is N times the right one: is the mean missing?"),
        1 / samples: ("mean_twice", "the step is divided by N once more: the risk's gradient is a mean already"),
        2.0: ("twice", "the step is twice the right one"),
        0.5: ("half", "the step is half the right one"),
        SIZE: ("times_parameters", "the step is multiplied by the number of parameters"),
        0.1 / lr: ("default_learning_rate", "the learning rate is 0.1 whatever is given"),
        0.01 / lr: ("fixed_learning_rate", "the learning rate is 0.01 whatever is given"),
    }
    for factor, (name, message) in known.items():
        if np.isclose(ratios[0], factor, rtol=1e-4):
            return Diagnosis(name, message)
    return Diagnosis("factor", f"every step is {ratios[0]:.4g} times the right one")


def _add_many_steps(
    report: Report, ask: AsksOptimizer, rng: np.random.Generator, X: Array, y: Array, factor: float, one: bool
) -> None:
    """R steps are R updates, each of its coordinate alone, and the coordinates are drawn from all parameters alike.

    ``factor`` is what the single steps were of the right ones, so that a wrong update costs its own points alone;
    ``one`` says whether they moved one coordinate each.
    """
    curvature = [rng.uniform(0.8, 1.2, shape) for shape in SHAPES]
    start = [rng.uniform(1.0, 2.0, shape) for shape in SHAPES]
    model = SeparableModel(curvature, [np.zeros(shape) for shape in SHAPES])
    R, lr = 240, 0.05
    seed = int(rng.integers(2**31))
    answer = ask("SGD", start, X, y, {"lr": lr, "R": R, "seed": seed}, model.supplied())
    final = answer if isinstance(answer, str) else _final(answer)
    if isinstance(final, str):
        report.add("steps", 0.0, f"with R = {R}: {final}")
        report.add("uniform", 0.0)
        return
    with np.errstate(all="ignore"):
        counts = np.log(_flat(final) / _flat(start)) / np.log(1 - lr * factor * _flat(curvature))
    if not (np.all(np.isfinite(counts)) and np.allclose(counts, np.round(counts), atol=1e-4)):
        text = f"after {R} steps on a quadratic risk the parameters are where no number of single updates leads"
        report.add("steps", 0.0, text)
        report.add("uniform", float(_moves_all(final, start)), "it cannot be told which parameters were drawn")
        return
    counts = np.abs(np.round(counts))
    total = float(counts.sum())
    right = total == R if one else counts.max() <= R and total > 0
    report.add("steps", float(right), f"with R = {R} steps, {total:g} updates were found")
    mean = total / SIZE
    even = total > 0 and float(((counts - mean) ** 2).sum() / mean) * R / total < LARGEST_CHI_SQUARE
    shares = f"of {total:g} updates {counts[:12].sum():g} were of W1's 12 and {counts[12:].sum():g} of w2's 3"
    report.add("uniform", float(even), f"the parameter is drawn from all {SIZE} alike: {shares}")
    if report.diagnosis is None and not (right and even):
        report.diagnosis = _diagnose_steps(counts, R) or (None if even else _diagnose_draws(counts, R))


def _moves_all(final: Weights, start: Weights) -> bool:
    """Whether every parameter has moved, about as often: what can be seen of the draws where the updates are wrong."""
    with np.errstate(all="ignore"):
        change = np.abs(np.log(np.abs(_flat(final) / _flat(start))))
    return bool(np.all(np.isfinite(change)) and change.min() > 0 and change.max() < 4 * np.median(change))


def _diagnose_steps(counts: Array, R: int) -> Diagnosis | None:
    known = {
        R - 1: ("one_step_less", "there is one step too few: R steps are R updates"),
        R + 1: ("one_step_more", "there is one step too many: R steps are R updates"),
        1: ("one_step", "there is one step, whatever R is: is the return inside the loop?"),
        100: ("fixed_steps", "there are 100 steps, whatever R is"),
        0: ("no_update", "no parameter changes: is the update computed and not stored?"),
    }
    found = known.get(int(counts.sum()))
    return None if found is None else Diagnosis(*found)


def _diagnose_draws(counts: Array, R: int) -> Diagnosis:
    if np.count_nonzero(counts.round()) == 1:
        return Diagnosis("same_parameter", "it is the same parameter in every step: draw anew in the loop")
    if counts[12:].sum().round() == 0:
        return Diagnosis("first_layer_only", "only W1 is drawn from: the parameters are those of all layers")
    if counts[:12].sum().round() == 0:
        return Diagnosis("last_layer_only", "only w2 is drawn from: the parameters are those of all layers")
    if np.isclose(counts[12:].sum(), R / 2, rtol=0.2):
        return Diagnosis(
            "layer_first", "a layer is drawn first, so that w2's few parameters come too often: draw from all alike"
        )
    if counts.max() - counts.min() <= 1:
        return Diagnosis("in_turn", "the parameters come in turn: draw at random")
    return Diagnosis("not_uniform", "some parameters come more often than others: draw from all alike")


def _final(answer: Any) -> Weights | str:
    """The final weights: what was returned, or else what the model holds."""
    for value in (answer["value"], answer["W"]):
        if isinstance(value, list) and len(value) == 2:
            arrays = [as_array(w) for w in value]
            if all(a is not None and a.size == np.prod(shape) for a, shape in zip(arrays, SHAPES, strict=True)):
                if not all(np.isfinite(a).all() for a in arrays if a is not None):
                    return "the weights are not finite after the steps: some became NaN or infinite"
                return [np.asarray(a).reshape(shape) for a, shape in zip(arrays, SHAPES, strict=True)]
    return f"it must return the final list of weights, [W1, w2]; got {shown(answer['value'])}"


def _add_returned(report: Report, answers: Sequence[Any]) -> None:
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


def _flat(weights: Sequence[Array]) -> Array:
    return np.concatenate([np.asarray(w, float).ravel() for w in weights])


def check_adam(ask: AsksOptimizer, seed: int, variants: Mapping[str, float]) -> Report:
    """Check ``Adam``."""
    rng = np.random.default_rng([seed, 6])
    X, y = rng.normal(size=(4, 6)), np.array([[1.0, 0.0, 0.0, 1.0, 0.0, 1.0]])
    start = [rng.normal(size=SHAPES[0]), rng.normal(size=SHAPES[1])]
    usual: dict[str, Any] = {"alpha": 0.05, "beta1": 0.9, "beta2": 0.999, "delta": 1e-12}
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
    finals = [answer if isinstance(answer, str) else _final(answer) for answer in answers]
    reference = NN2()

    def gradient(W: Weights) -> Weights:
        reference.W = W
        return reference.emp_loss_grad(X, y)

    report = Report("Adam", equation=equation(Adam))
    expected = [_flat(adam_steps(start, gradient, **options)) for _, options in runs]
    moved = [
        (_flat(final) - _flat(start), right - _flat(start))
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
    _add_returned(report, answers)
    good = [answer for answer in answers if not isinstance(answer, str)]
    same = all(unchanged([X, y], answer["after"]) for answer in good)
    report.add("unchanged", float(same), "it changes the samples it is given")
    return report


def _is_near(final: Weights | str, right: Array, start: Weights, options: Mapping[str, Any]) -> bool:
    """Whether the way from the start is right; where δ is tiny, wherever in the denominator it stands."""
    if isinstance(final, str):
        return False
    rtol, atol = (1e-3, 1e-3 * options["alpha"]) if options["delta"] < 1e-6 else (1e-4, 1e-9)
    return np.allclose(_flat(final) - _flat(start), right - _flat(start), rtol=rtol, atol=atol)


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
    """As ``judge``: name the mistake behind wrong runs, and say what share each property keeps."""

    def explained(chosen: Sequence[int]) -> Diagnosis | None:
        return _explain_adam(runs, finals, start, gradient, chosen)

    whole = explained(range(len(runs))) or explained(wrong)
    shares = {}
    for name in dict.fromkeys(runs[i][0] for i in wrong):
        diagnosis = whole or explained([i for i in wrong if runs[i][0] == name])
        report.diagnosis = report.diagnosis or diagnosis
        reading = VARIANTS.get(("Adam", diagnosis.mistake)) if diagnosis else None
        report.variant = report.variant or reading
        shares[name] = 1 - variants.get(reading, 1.0) if reading else 0.0
    return shares


def _explain_adam(
    runs: Runs, finals: Sequence[Any], start: Weights, gradient: Callable[[Weights], Weights], chosen: Sequence[int]
) -> Diagnosis | None:
    """The mistake that leads to the same weights in the chosen runs, with the handout's look-ahead or without."""
    entries = [(name, message, changes) for name, (message, changes) in ADAM.items()]
    entries += [(name, message, {"ahead": 0.0, **changes}) for name, message, changes in entries]
    for name, message, changes in entries:
        with np.errstate(all="ignore"):
            ends = (adam_steps(start, gradient, **{**runs[i][1], **changes}) for i in chosen)
            if all(
                _is_near(finals[i], _flat(end), start, runs[i][1]) or _both_nan(finals[i], end)
                for i, end in zip(chosen, ends, strict=True)
            ):
                return Diagnosis(name, message)
    return None


def _both_nan(final: Any, mistaken: Weights) -> bool:
    return not isinstance(final, str) and bool(np.isnan(_flat(final)).all() and np.isnan(_flat(mistaken)).all())


def _told_adam(options: Mapping[str, Any], final: Weights | str, right: Array, start: Weights) -> str:
    if isinstance(final, str):
        return final
    told = ", ".join(f"{name} = {value:g}" for name, value in options.items())
    moves = right - _flat(start), _flat(final) - _flat(start)
    with np.errstate(invalid="ignore"):
        worst = int(np.nanargmax(np.abs(moves[1] - moves[0]))) if np.isfinite(moves[1]).any() else 0
    return f"with {told}: parameter {worst} should move by {moves[0][worst]:.8g}, and moved by {moves[1][worst]:.8g}"


CHECKS = {"SGD": check_sgd, "Adam": check_adam}
