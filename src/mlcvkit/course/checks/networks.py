"""Checks of Problem 2: NN2's prediction, its gradient, and the gradient of its empirical risk.

A gradient is right if it equals the reference's, or the finite differences of the student's own forward pass: a wrong
forward pass costs its points and not those of the gradient. In the same way the mean over the samples is right if it is
the mean of the student's own gradients.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from mlcvkit.course.checks import (
    ATOL,
    Array,
    Looked,
    Report,
    Table,
    add_properties,
    all_lost,
    as_array,
    diagnosis,
    equation,
    judge,
    near,
    relative_error,
    same_shape,
    same_values,
    shown,
    shown_apart,
    unchanged,
)
from mlcvkit.course.mistakes import mistakes_of
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn.losses import cross_entropy

Weights = list[Array]
AsksNetwork = Callable[[str, Weights, list[Any]], Any]
"""``ask(method, weights, arguments)``: the student's result, or a text on why there is none."""

FEATURES, HIDDEN = 4, 3
STENCIL = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))
STEP = 1e-3
ROUNDING = 1e-10
"""What is below it is a rounding error of finite differences."""


@dataclass(frozen=True)
class Case:
    """The weights of a network, the arguments of its method, and the tested property."""

    property: str
    own: Weights
    args: tuple[Any, ...]


def _weights(rng: np.random.Generator) -> Weights:
    """Weights of a network that predicts 1 for some samples and 0 for others."""
    while True:
        signs = rng.choice([-1, 1], (HIDDEN, 1))
        W = [rng.normal(size=(HIDDEN, FEATURES)), rng.uniform(0.4, 1.2, (HIDDEN, 1)) * signs]
        if abs(signs.sum()) < HIDDEN and 4 <= sum(map(int, _says_yes(W, _samples_alone(rng, 16, W)))) <= 12:
            return W


def _says_yes(W: Weights, X: Array) -> Array:
    yes: Array = (W[1].T @ np.maximum(W[0] @ X, 0) > 0)[0]
    return yes


def _samples(rng: np.random.Generator, count: int, *weights: Weights) -> Array:
    """Samples with hidden units on and off, none near ReLU's kink, for each of the weights.

    Several samples have both predictions for each of the weights: otherwise a network that never predicts 1 would be
    right. The second is the first one's negative, so that each hidden unit is on for one of the two.
    """
    while True:
        X = _samples_alone(rng, count, *weights)
        X[:, 1:2] = -X[:, : min(1, count - 1)]
        answers = [_says_yes(W, X) for W in weights]
        if count == 1 or all(yes.any() and not yes.all() for yes in answers):
            return X


def _samples_alone(rng: np.random.Generator, count: int, *weights: Weights) -> Array:
    return np.hstack([_sample(rng, weights) for _ in range(count)])


def _sample(rng: np.random.Generator, weights: Sequence[Weights]) -> Array:
    while True:
        x: Array = rng.uniform(0.3, 1.5, (FEATURES, 1)) * rng.choice([-1, 1], (FEATURES, 1))
        z = np.array([W[0] @ x for W in weights])
        if np.abs(z).min() > 0.05 and (z.max(axis=1) > 0).all() and (z.min(axis=1) < 0).all():
            return x


def _call(method: str) -> Callable[[Any, Case], Array]:
    """Call a method of NN2's class in a case; two gradients become one array."""

    def call(network: Any, case: Case) -> Array:
        model = network()
        model.W = [np.array(w) for w in case.own]
        value = getattr(model, method)(*case.args)
        return _joined(value) if isinstance(value, list) else np.asarray(value)

    return call


def _layers(joined: Array) -> Weights:
    """The two gradients in one array."""
    first = HIDDEN * FEATURES
    return [joined[:first].reshape(HIDDEN, FEATURES), joined[first:].reshape(HIDDEN, 1)]


def _large(rng: np.random.Generator) -> Case:
    """Large weights and samples with both predictions, for which other hidden units change the predictions."""
    while True:
        own = _weights(rng)
        X = _samples(rng, 5, own)
        z1 = own[0] @ X
        on = np.maximum(z1, 0)
        without_one = [np.where(np.arange(HIDDEN)[:, None] == m, 0, on) for m in range(HIDDEN)]
        z2, *others = (own[1].T @ hidden for hidden in (on, z1, np.sign(z1), z1 > 0, np.abs(z1), *without_one))
        answers = z2 > 0
        overflows = z2.max() > 0.8  # times 1000 e to this power is none of float64's numbers
        if (
            overflows
            and np.abs(z2).min() > 0.05
            and answers.any() != answers.all()
            and all(np.any(z * z2 < 0) for z in others)
        ):
            return Case("stability", [50 * own[0], 20 * own[1]], (X,))


def _sure(rng: np.random.Generator, own: Weights) -> tuple[Weights, Array, Array]:
    """Weights and two samples, each with a rather sure prediction of the wrong class, the first of 0.97 or 0.03.

    Both gradients of the first have large entries, and the predictions are one of each class.
    """
    model = NN2()
    while True:
        X = np.hstack([_sample(rng, [own]), _sample(rng, [own])])
        z2 = (own[1].T @ np.maximum(own[0] @ X, 0))[0]
        factor = 3.5 / max(1e-9, abs(z2[0]))
        z2, model.W = factor * z2, [own[0], factor * own[1]]
        y = (z2 < 0).astype(float)[None]
        are_large = all(np.abs(gradient).max() > 1.2 for gradient in model.grad(X[:, :1], y[:, :1]))
        if are_large and 0.5 < abs(z2[1]) < 4 and y[0, 0] != y[0, 1]:
            return model.W, X, y


@lru_cache(maxsize=64)
def prediction_table(seed: int) -> Table:
    rng = np.random.default_rng([seed, 2])
    own, other = _weights(rng), _weights(rng)
    x = _samples(rng, 1, own)
    large, of_large, _ = _sure(rng, own)
    cases = [
        Case("value", own, (x,)),
        Case("value", other, (_samples(rng, 1, other),)),
        Case("batch", own, (_samples(rng, 6, own),)),
        _large(rng),
        Case("value", own, (-x,)),
        Case("value", large, (of_large[:, :1],)),
        Case("batch", large, (of_large,)),
        Case("value", large, (of_large[:, 1:],)),  # which is predicted to be of the other class
    ]
    return Table("nn2", cases, _call("nn2"), NN2)


def check_prediction(ask: AsksNetwork, seed: int) -> Report:
    """Check ``nn2``."""
    table = prediction_table(seed)
    cases, expected = table.cases, table.expected
    answers = [ask("nn2", case.own, list(case.args)) for case in cases]
    if isinstance(answers[0], str):
        return all_lost("nn2", ("value", "batch", "stability", "shape", "unchanged"), answers[0])
    got = [answer if isinstance(answer, str) else answer["value"] for answer in answers]
    report = Report("nn2", equation=equation(NN2.nn2))
    report.relative_error = relative_error(got[:3], expected[:3])
    wrong = [i for i, (value, correct) in enumerate(zip(got, expected, strict=True)) if not same_values(value, correct)]
    looked_at = [Looked(c.property, value, correct) for c, value, correct in zip(cases, got, expected, strict=True)]
    readings = judge(report, [table], looked_at, wrong)
    describe = partial(_describe_forward, cases, answers, expected)
    add_properties(report, ("value", "batch", "stability"), cases, wrong, readings, describe)
    shapes = [i for i in range(3) if not isinstance(got[i], str) and not same_shape(got[i], expected[i])]
    text = f"ŷ must have shape {expected[shapes[0]].shape}, got {shown(got[shapes[0]])}" if shapes else None
    report.add("shape", float(not shapes), text)
    _add_unchanged(report, cases, answers)
    return report


def _describe_forward(cases: Sequence[Case], answers: Sequence[Any], expected: Sequence[Array], i: int) -> str:
    if isinstance(answers[i], str):
        return str(answers[i])
    W1, w2 = cases[i].own
    return (
        f"for x = {shown(cases[i].args[0])} with W1 = {shown(W1)} and w2 = {shown(w2)}: "
        f"{shown_apart(expected[i], answers[i]['value'])}"
    )


@lru_cache(maxsize=64)
def gradient_table(seed: int) -> Table:
    rng = np.random.default_rng([seed, 3])
    own, other, third = (_weights(rng) for _ in range(3))
    one, zero = np.array([[1.0]]), np.array([[0.0]])
    x, wrong_side = _samples(rng, 1, own, other, third), _samples(rng, 1, own)
    saturated, other_side = (
        [own[0], own[1] * 40 / float((own[1].T @ np.maximum(own[0] @ side, 0))[0, 0])]
        for side in (wrong_side, -wrong_side)
    )
    large, of_large, wrong = _sure(rng, own)
    X, y = _samples(rng, 5, own), np.array([[1.0, 0.0, 0.0, 1.0, 1.0]])
    cases = [
        Case("value", own, (x, one, own)),
        Case("value", third, (x, zero, third)),
        Case("weights", other, (x, one, own)),
        Case("weights", own, (x, zero, None)),
        Case("batch", own, (X, y, own)),
        Case("saturated", saturated, (wrong_side, zero, saturated)),
        Case("value", own, (-x, zero, own)),
        Case("value", large, (of_large[:, :1], wrong[:, :1], large)),
        Case("weights", own, (of_large[:, :1], wrong[:, :1], large)),
        Case("batch", large, (of_large, wrong, large)),
        Case("weights", own, (-x, one, None)),
        Case("saturated", other_side, (-wrong_side, zero, other_side)),
    ]
    return Table("grad", cases, _call("grad"), NN2)


def check_gradient(ask: AsksNetwork, seed: int) -> Report:
    """Check ``grad``."""
    table = gradient_table(seed)
    cases, all_correct = table.cases, [_layers(correct) for correct in table.expected]
    answers = [_asked(ask, "grad", case) for case in cases]
    names = ("hidden_layer", "output_layer", "weights", "batch", "saturated", "shape", "unchanged")
    if isinstance(answers[0], str):
        return all_lost("grad", names, answers[0])
    report = _judge_gradient(table, answers, all_correct)
    report.look = _look_at_passes("grad", answers)
    if any(prop.credit < 1 and not prop.reading for prop in report.properties[:5]) and not _forward_is_right(
        ask, [case for case in cases if case.property == "value"]
    ):
        of_own = [
            _as_it_is(answer, correct) if case.property == "saturated" else _differences(ask, case)
            for case, answer, correct in zip(cases, answers, all_correct, strict=True)
        ]
        if _teach(of_own):
            by_own = _judge_gradient(table, answers, of_own, rtol=1e-4)
            if by_own.credit > report.credit:
                by_own.look = report.look
                return by_own
    return report


def _look_at_passes(name: str, answers: Sequence[Any]) -> str:
    """As many forward passes as finite differences need are noted for a person."""
    passes = [answer.get("passes") for answer in answers if isinstance(answer, dict)]
    most = max((count for count in passes if isinstance(count, int)), default=0)
    are_many = most >= HIDDEN * (FEATURES + 1)
    return f"{name} makes {most} forward passes: is it a numeric derivative?" if are_many else ""


def _teach(gradients: Sequence[Weights | None]) -> bool:
    """Whether gradients may be those of a network: finite, and others for other samples and units in both layers."""
    if any(gradient is None or not all(np.isfinite(g).all() for g in gradient) for gradient in gradients):
        return False
    # for finite differences 0 is a rounding error
    if not all(any(np.abs(g[layer]).max() > 1e-7 for g in gradients[:2] if g is not None) for layer in (0, 1)):
        return False
    own = [g for gradient in gradients[:2] if gradient is not None for g in gradient]
    if not all(any(_differ(g) for g in own[layer::2]) for layer in (0, 1)):
        return False
    first, second = (_joined(gradient) for gradient in gradients[:2] if gradient is not None)
    return first.shape == second.shape and not near(first, second)


def _differ(gradient: Array) -> bool:
    """Whether the gradient is another one for each unit, and not the same number again and again."""
    return bool(np.ptp(np.atleast_1d(gradient), axis=0).max() > 1e-7 * np.abs(gradient).max())


def _as_it_is(answer: Any, correct: Weights) -> Weights:
    """The saturated gradient itself, because finite differences of a loss are too coarse there."""
    if isinstance(answer, str):
        return correct
    gradients = [np.asarray(as_array(gradient)) for gradient in answer["value"]]
    lives = all(np.isfinite(gradient).all() for gradient in gradients) and any(map(np.any, gradients))
    return gradients if lives else correct


def _asked(ask: AsksNetwork, method: str, case: Case) -> Any:
    """The result, or a text on why there is none or why it is not two gradients."""
    args = list(case.args)
    while args and args[-1] is None:
        args.pop()
    answer = ask(method, case.own, args)
    if isinstance(answer, str):
        return answer
    value = answer["value"]
    if not isinstance(value, list) or len(value) != 2 or any(as_array(gradient) is None for gradient in value):
        return f"the result must be a list of two arrays, [∇_W1, ∇_w2]; got {shown(value)}"
    return answer


def _judge_gradient(table: Table, answers: Sequence[Any], all_correct: Sequence[Any], rtol: float = 1e-5) -> Report:
    cases = table.cases
    report = Report("grad", equation=equation(NN2.grad))
    report.relative_error = _error_of_gradients(answers[:5], all_correct[:5])
    slack = [of_the_footnote(case) for case in cases]
    wrong = {i: _wrong_layers(answers[i], all_correct[i], rtol, slack[i]) for i in range(len(cases))}
    failing = [i for i, layers in wrong.items() if layers]
    readings = judge(report, [table], _looked_at(cases, answers, all_correct, slack), failing)
    for layer, name in enumerate(("hidden_layer", "output_layer")):
        first = next((i for i in failing if cases[i].property == "value" and layer in wrong[i]), None)
        text = None if first is None else _describe_gradient(cases[first], answers[first], all_correct[first], layer)
        report.add(name, float(first is None), text, "" if first is None else readings["value"])
    add_properties(
        report,
        ("weights", "batch", "saturated"),
        cases,
        failing,
        readings,
        lambda i: _describe_gradient(cases[i], answers[i], all_correct[i], wrong[i][0]),
    )
    _add_shapes(report, answers[:2], all_correct[:2])
    transposed = [diagnosis("grad", name) for name in TRANSPOSED]
    if report.diagnosis in transposed and report.properties[-1].credit == 1:
        report.diagnosis = None  # the numbers are those of the transpose, and the shape is not
    _add_unchanged(report, cases, answers)
    return report


def of_the_footnote(case: Case) -> float:
    """How far the handout's ε = 10⁻⁶ in the denominators of ∇_ŷ ℓ moves a gradient; 0 where ŷ is rounded to 1."""
    if case.property == "saturated":
        return 0.0
    W = case.own if case.args[2] is None else case.args[2]
    y_hat = 1 / (1 + np.exp(-(W[1].T @ np.maximum(W[0] @ case.args[0], 0))))
    return min(5e-3, 2.5e-6 / float(np.minimum(y_hat, 1 - y_hat).min()))


def _looked_at(
    cases: Sequence[Case], answers: Sequence[Any], all_correct: Sequence[Any], slack: Sequence[float]
) -> list[Looked]:
    looked_at = []
    for case, answer, correct, share in zip(cases, answers, all_correct, slack, strict=True):
        expected = _joined(correct)
        tolerance = (1e-4, 2e-6 + share * float(np.abs(expected).max()))  # as much as a right result may be off
        got = answer if isinstance(answer, str) else _joined(answer["value"])
        looked_at.append(Looked(case.property, got, expected, tolerance=tolerance))
    return looked_at


def _error_of_gradients(answers: Sequence[Any], all_correct: Sequence[Any]) -> float | None:
    pairs = [
        pair
        for answer, correct in zip(answers, all_correct, strict=True)
        if not isinstance(answer, str)
        for pair in zip(answer["value"], correct, strict=True)
    ]
    return relative_error([got for got, _ in pairs], [correct for _, correct in pairs])


def _wrong_layers(answer: Any, correct: Sequence[Array], rtol: float, slack: float = 0.0) -> list[int]:
    """The layers with a wrong gradient; ``slack`` is what it may be off as a share of its largest entry."""
    if isinstance(answer, str):
        return [0, 1]
    atol = [ATOL + slack * float(np.abs(np.asarray(part)).max()) for part in correct]
    return [i for i in (0, 1) if not same_values(answer["value"][i], np.asarray(correct[i]), rtol=rtol, atol=atol[i])]


def _joined(gradients: Sequence[Any]) -> Array:
    return np.concatenate([np.asarray(as_array(gradient)).ravel() for gradient in gradients])


def _describe_gradient(case: Case, answer: Any, correct: Sequence[Array], layer: int) -> str:
    if isinstance(answer, str):
        return f"for x of shape {case.args[0].shape}: {answer}"
    name = ("∇_W1", "∇_w2")[layer]
    where = {"weights": " (where W is not the model's own)" if case.args[2] else " (where no W is given)"}
    return (
        f"for x = {shown(case.args[0])} and y = {shown(case.args[1])}{where.get(case.property, '')}: {name} "
        f"{shown_apart(correct[layer], answer['value'][layer])}"
    )


TRANSPOSED = ("hidden_layer_transposed", "output_layer_transposed")
"""The mistakes that cost a gradient's shape alone, by the layer."""


def _add_shapes(report: Report, answers: Sequence[Any], all_correct: Sequence[Any]) -> None:
    for answer, correct in zip(answers, all_correct, strict=True):
        if isinstance(answer, str):
            continue
        for layer, got, expected in zip((0, 1), answer["value"], correct, strict=True):
            name = ("∇_W1", "∇_w2")[layer]
            if not same_shape(got, np.asarray(expected)):
                sides = np.shape(expected)[::-1]
                is_transposed = np.shape(got) == sides and near(np.transpose(got), np.asarray(expected))
                if is_transposed and report.diagnosis is None and report.test == "grad":
                    report.diagnosis = diagnosis("grad", TRANSPOSED[layer])
                elif not _costs_shape(report):
                    report.diagnosis = None  # which does not explain this
                text = f"{name} must have its weights' shape, {np.shape(expected)}, got {np.shape(got)}"
                report.add("shape", 0.0, text)
                return
    report.add("shape", 1.0)


def _costs_shape(report: Report) -> bool:
    named = mistakes_of(report.test).get(report.diagnosis.mistake) if report.diagnosis else None
    return named is None or "shape" in named.costs


def _add_unchanged(report: Report, cases: Sequence[Case], answers: Sequence[Any]) -> None:
    for case, answer in zip(cases, answers, strict=True):
        if isinstance(answer, str):
            continue
        args = [list(arg) if isinstance(arg, list) else arg for arg in case.args]
        while args and args[-1] is None:
            args.pop()
        if not unchanged(args, answer["after"]) or not unchanged(case.own, answer["own"]):
            report.add("unchanged", 0.0, "it changes its arguments or the model's weights: work on new arrays")
            return
    report.add("unchanged", 1.0)


def _forward_is_right(ask: AsksNetwork, cases: Sequence[Case]) -> bool:
    for case in cases:
        answer = ask("nn2", case.own, [case.args[0]])
        correct = _call("nn2")(NN2, Case(case.property, case.own, case.args[:1]))
        if isinstance(answer, str) or not same_values(answer["value"], correct):
            return False
    return True


def _differences(ask: AsksNetwork, case: Case) -> Weights | None:
    """The gradient of cross-entropy by finite differences of the student's own forward pass; None if there is none."""
    x, y, W = case.args
    W = case.own if W is None else W
    gradients = [np.zeros_like(w) for w in W]
    for gradient, w in zip(gradients, range(2), strict=True):
        for j in np.ndindex(gradient.shape):
            for steps, factor in STENCIL:
                moved = [weights.copy() for weights in W]
                moved[w][j] += steps * STEP
                answer = ask("nn2", moved, [x])
                y_hat = None if isinstance(answer, str) else as_array(answer["value"])
                if y_hat is None or y_hat.size != x.shape[1] or not np.all((y_hat >= 0) & (y_hat <= 1)):
                    return None
                gradient[j] += factor / STEP * float(cross_entropy(y, y_hat.reshape(y.shape)).sum())
    return [np.where(np.abs(gradient) < ROUNDING, 0, gradient) for gradient in gradients]


@lru_cache(maxsize=64)
def empirical_table(seed: int) -> Table:
    rng = np.random.default_rng([seed, 4])
    own, other = _weights(rng), _weights(rng)
    X, y = _samples(rng, 7, own, other), np.array([[1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0]])
    fewer = _samples(rng, 5, other)
    cases = [
        Case("value", own, (X, y, own, None)),
        Case("value", other, (fewer, y[:, :5], other, None)),
        Case("weights", other, (X, y, own, None)),
        Case("weights", own, (X, y, None, None)),
        Case("layer", own, (X, y, own, 0)),
        Case("layer", own, (X, y, own, 1)),
    ]
    return Table("emp_loss_grad", cases, _call("emp_loss_grad"), NN2)


def check_empirical(ask: AsksNetwork, seed: int) -> Report:
    """Check ``emp_loss_grad``."""
    table = empirical_table(seed)
    cases, all_correct = table.cases, [_layers(correct) for correct in table.expected[:4]]
    answers = [_asked(ask, "emp_loss_grad", case) for case in cases[:4]]
    names = ("value", "weights", "layer", "shape", "unchanged")
    if isinstance(answers[0], str):
        return all_lost("emp_loss_grad", names, answers[0])
    answers += [ask("emp_loss_grad", case.own, list(case.args)) for case in cases[4:]]
    report = _judge_empirical(table, answers, all_correct)
    report.look = look = _look_at_passes("emp_loss_grad", answers[:4])
    if not report.is_whole:
        of_own = [_mean_of_own(ask, case) for case in cases[:4]]
        if _teach(of_own):
            by_own = _judge_empirical(table, answers, of_own)
            by_own.look = look
            if by_own.credit > report.credit:
                return by_own
    return report


def _mean_of_own(ask: AsksNetwork, case: Case) -> Weights | None:
    """The mean of the student's own gradients of single samples; None if there are none."""
    X, y, W, _ = case.args
    total: Weights | None = None
    for i in range(X.shape[1]):
        answer = _asked(ask, "grad", Case("value", case.own, (X[:, i : i + 1], y[:, i : i + 1], W)))
        if isinstance(answer, str):
            return None
        gradients = [np.asarray(as_array(gradient)) for gradient in answer["value"]]
        if total is not None and any(a.shape != b.shape for a, b in zip(total, gradients, strict=True)):
            return None
        gradients = [
            gradient.reshape(w.shape) if gradient.size == w.size else gradient
            for gradient, w in zip(gradients, case.own, strict=True)
        ]
        total = gradients if total is None else [a + b for a, b in zip(total, gradients, strict=True)]
    return None if total is None else [gradient / X.shape[1] for gradient in total]


def _judge_empirical(table: Table, answers: Sequence[Any], all_correct: Sequence[Any]) -> Report:
    cases = table.cases
    report = Report("emp_loss_grad", equation=equation(NN2.emp_loss_grad))
    report.relative_error = _error_of_gradients(answers[:4], all_correct)
    slack = [of_the_footnote(case) for case in cases[:4]]
    failing = [i for i in range(4) if _wrong_layers(answers[i], all_correct[i], 1e-5, slack[i])]
    looked_at = _looked_at(cases[:4], answers[:4], all_correct, slack)
    readings = judge(report, [table], looked_at, failing)
    add_properties(
        report,
        ("value", "weights"),
        cases,
        failing,
        readings,
        lambda i: _describe_empirical(cases[i], answers[i], all_correct[i]),
    )
    report.add("layer", *_layer(report, answers, all_correct))
    _add_shapes(report, answers[:2], all_correct[:2])
    _add_unchanged(report, cases, answers)
    return report


def _describe_empirical(case: Case, answer: Any, correct: Sequence[Array]) -> str:
    layer = next(iter(_wrong_layers(answer, correct, 1e-5, of_the_footnote(case))))
    text = _describe_gradient(Case("value", case.own, case.args[:3]), answer, correct, layer)
    where = (
        "" if case.property == "value" else " where W is not the model's own" if case.args[2] else " where W is None"
    )
    return f"{text}{where}"


def _layer(report: Report, answers: Sequence[Any], all_correct: Sequence[Any]) -> tuple[float, str | None]:
    """Whether ``layer`` returns the gradient of one layer, the same as the call without it, right or wrong."""
    wrong = [layer for layer in (0, 1) if not _is_layer(layer, answers, all_correct[0])]
    if not wrong:
        return 1.0, None
    layer, answer = wrong[0], answers[4 + wrong[0]]
    if isinstance(answer, str):
        return 0.0, f"with layer={layer}: {answer}"
    value = answer["value"]
    is_ignored = isinstance(value, list) and len(value) == 2
    if all(not isinstance(one, str) and _is_whole(one["value"], answers[0]) for one in answers[4:6]):
        report.diagnosis = report.diagnosis or diagnosis("emp_loss_grad", "layer_ignored")
    elif any(same_values(value, np.asarray(correct)) for correct in all_correct[0]):
        report.diagnosis = report.diagnosis or diagnosis("emp_loss_grad", "other_layer")
    name = ("∇_W1", "∇_w2")[layer]
    hint = "; layer=1 is right: is 0 taken for no layer?" if is_ignored and wrong == [0] else ""
    expected = shown(np.asarray(all_correct[0][layer]))
    return 0.0, f"with layer={layer} the result must be {name} alone, {expected}; got {shown(value)}{hint}"


def _is_whole(value: Any, of_both: Any) -> bool:
    """Whether both gradients are returned, as without ``layer``."""
    is_pair = isinstance(value, list) and len(value) == 2 and not isinstance(of_both, str)
    return is_pair and all(
        (array := as_array(one)) is not None and same_values(array, np.asarray(as_array(other)))
        for one, other in zip(value, of_both["value"], strict=True)
    )


def _is_layer(layer: int, answers: Sequence[Any], correct: Sequence[Array]) -> bool:
    answer = answers[4 + layer]
    if isinstance(answer, str):
        return False
    value = answer["value"]
    whole = None if isinstance(answers[0], str) else as_array(answers[0]["value"][layer])
    array = as_array(value[0] if isinstance(value, list) and len(value) == 1 else value)
    return array is not None and (
        same_values(array, np.asarray(correct[layer])) or (whole is not None and near(array, whole))
    )


CHECKS = {"nn2": check_prediction, "grad": check_gradient, "emp_loss_grad": check_empirical}
BUILT_ON = {"nn2": (), "grad": ("nn2",), "emp_loss_grad": ("nn2", "grad")}
"""The methods that a check supplies besides the functions of Problem 1 if it did not pass without them."""
