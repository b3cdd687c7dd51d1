"""The check of SGD: every call of the gradient shows the current weights, and thus each update.

In runs of one step on the reference's network the updates are compared with the right ones; in one long run on a
separable model they are counted. A wrong number of steps, a wrong update and wrong draws cost separate points.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from mlcvkit.course.checks import Array, Diagnosis, Report, all_lost, diagnosis, equation, shown, shown_apart, unchanged
from mlcvkit.course.checks.optimizers import (
    SHAPES,
    SIZE,
    AsksOptimizer,
    NetworkModel,
    SeparableModel,
    Weights,
    add_returned,
    final_weights,
    flat,
    place,
)
from mlcvkit.course.mistakes import mistakes_of
from mlcvlab.models.nn2 import NN2
from mlcvlab.optim.sgd import SGD

LARGEST_CHI_SQUARE = 60.0
"""With 14 degrees of freedom, exceeded by uniform draws once in ten million."""
NAMES = ("coordinate", "update", "steps", "uniform", "returned", "unchanged")
RATE, LONG_RATE, LONG = 0.3, 0.05, 300
FAR = 30.0
"""A learning rate whose steps no early stopping takes for small."""
"""Of this many uniform draws one of the 15 parameters gets none once in 65 million runs."""
ROUNDED = 1e-6
"""Smaller changes of a parameter are rounding of float32, not updates."""
FIRST = SHAPES[0][0] * SHAPES[0][1]


@dataclass
class Seen:
    """The weights of one run: one after the other, flat, each different from the one before."""

    path: list[Array]
    asked: list[Array]
    answer: Any

    @property
    def changes(self) -> list[tuple[Array, Array]]:
        """The weights before each update, and the update."""
        return [(a, b - a) for a, b in zip(self.path, self.path[1:], strict=False)]

    @property
    def moved(self) -> list[Array]:
        """The parameters that each update changed."""
        return [np.flatnonzero(_moves(before, change)) for before, change in self.changes]


def check_sgd(ask: AsksOptimizer, seed: int) -> Report:
    """Check ``SGD``."""
    rng = np.random.default_rng([seed, 5])
    start, X, y = _drawn(rng)
    singles: list[Seen] = []
    failed = ""
    right = -RATE * _gradient(start, X, y)
    for own_seed in np.random.default_rng([seed, 6]).integers(2**31, size=6).tolist():
        options = {"lr": RATE, "R": 1, "seed": own_seed}
        seen = _watched(ask, NetworkModel(), start, X, y, options, lambda W: right)
        if isinstance(seen, str):
            failed = seen
        else:
            singles.append(seen)
    if not singles:
        return all_lost("SGD", NAMES, failed)
    curvature = [0.05 * rng.uniform(0.8, 1.2, shape) for shape in SHAPES]
    begin = [_of_both_signs(rng.uniform(1.0, 2.0, shape)) for shape in SHAPES]
    model = SeparableModel(curvature, [np.zeros(shape) for shape in SHAPES])
    options = {"lr": LONG_RATE, "R": LONG, "seed": int(rng.integers(2**31))}
    long = _watched(ask, model, begin, X, y, options, lambda W: -LONG_RATE * flat(curvature) * W)
    report = Report("SGD", equation=equation(SGD))
    names: dict[str, Diagnosis | None] = {}
    if all(_zeroed(seen.asked, flat(start)) for seen in singles) and not any(seen.changes for seen in singles):
        _add_zeroed(report, start)
        per_step, factor = 1, 1.0
    else:
        per_step = _add_coordinates(report, names, singles, long, start)
        factor = _add_updates(report, names, singles, long, curvature, start, X, y)
    counts = _counts(long, curvature, factor)
    _add_steps(report, names, singles, long, counts, per_step)
    if names.get("steps") == diagnosis("SGD", "one_step"):
        for times, rate in product((1, 3), (0.3 * FAR, RATE, FAR)):
            options = {"lr": rate, "R": 8}
            other = _watched(ask, NetworkModel(), [times * W for W in start], X, y, options, lambda W: right)
            if isinstance(other, Seen) and (len(other.changes) > 1 or len(other.asked) > 1):
                names["steps"] = None  # it ends early, and not after each first step
                break
    _add_draws(report, names, long, counts)
    _name(report, names)
    add_returned(report, [seen.answer for seen in singles])
    same = all(unchanged([X, y], seen.answer["after"]) for seen in singles)
    report.add("unchanged", float(same), "it changes the samples it is given")
    return report


def _drawn(rng: np.random.Generator) -> tuple[Weights, Array, Array]:
    """Weights and samples for which every parameter's update can be seen, also that of a single sample.

    No partial derivative is above 1, where many people clip it.
    """
    y = np.array([[1.0, 0.0, 0.0, 1.0, 0.0, 1.0]])
    while True:
        X = rng.uniform(0.2, 1.5, (4, 6))
        start = [np.abs(rng.normal(size=SHAPES[0])) + 0.2, rng.normal(size=SHAPES[1])]
        of_samples = [np.abs(_gradient(start, X[:, [i]], y[:, [i]])).min() for i in range(X.shape[1])]
        sizes = np.abs(_gradient(start, X, y))
        if sizes.min() > 1e-3 and sizes.max() < 1 and min(of_samples) > 1e-4:
            return start, X, y


def _of_both_signs(W: Array) -> Array:
    """Weights of which every other one is below 0, so that gradients of both signs occur."""
    return W * np.where(np.arange(W.size).reshape(W.shape) % 2, -1.0, 1.0)


def _watched(
    ask: AsksOptimizer,
    model: Any,
    start: Weights,
    X: Array,
    y: Array,
    options: Mapping[str, Any],
    right: Callable[[Array], Array],
) -> Seen | str:
    """One run; ``right`` gives the right updates of all parameters at some weights."""
    answer = ask("SGD", start, X, y, options, model.supplied())
    final = answer if isinstance(answer, str) else final_weights(answer)
    if isinstance(final, str):
        return final
    begin, asked = flat(start), [flat(W) for W in model.asked]
    path = _right_path([begin, *asked, flat(final)], right)
    if path is None:
        is_path = bool(asked) and not _moves(asked[0], begin - asked[0]).any()
        path = [begin]
        for W in [*(asked if is_path else []), flat(final)]:
            if _moves(path[-1], W - path[-1]).any():
                path.append(W)
    return Seen(path, asked, answer)


def _right_path(weights: Sequence[Array], right: Callable[[Array], Array]) -> list[Array] | None:
    """The weights that follow from each other by right updates of one parameter, from the first to the last ones.

    At the others a gradient was looked at, for a check by differences or a print. None if there is no such path.
    """
    path = [weights[0]]
    for W in weights[1:]:
        change = W - path[-1]
        places = np.flatnonzero(_moves(path[-1], change))
        if len(places) == 1 and _near(change[places], right(path[-1])[places]).all():
            path.append(W)
    return None if _moves(path[-1], weights[-1] - path[-1]).any() else path


def _moves(before: Array, change: Array) -> Array:
    return np.abs(change) > ROUNDED * np.maximum(1, np.abs(before))


def _zeroed(asked: Sequence[Array], before: Array) -> bool:
    """Whether gradients were computed with one parameter unchanged and all others 0, or looked at where they are."""
    elsewhere = [W for W in asked if not np.array_equal(W, before)]
    places = [np.flatnonzero(W) for W in elsewhere]
    return bool(elsewhere) and all(
        len(place) == 1 and W[place[0]] == before[place[0]] for place, W in zip(places, elsewhere, strict=True)
    )


def _add_zeroed(report: Report, start: Weights) -> None:
    report.variant = mistakes_of("SGD")["zeroed"].reading
    report.diagnosis = diagnosis("SGD", "zeroed")
    for name in ("coordinate", "update"):
        report.add(name, 0.0, f"{_with(start)}no parameter changed", report.variant)


def _with(start: Weights) -> str:
    return f"for lr = {RATE:g} and R = 1: with W1 = {shown(start[0])} and w2 = {shown(start[1])}, "


def _add_coordinates(
    report: Report, names: dict[str, Diagnosis | None], singles: Sequence[Seen], long: Seen | str, start: Weights
) -> int:
    """Whether an update changes one parameter; the number of updates of each step."""
    of_long = [] if isinstance(long, str) else long.moved
    moved = [places for seen in singles for places in seen.moved] or of_long[:6]
    if len(of_long) >= LONG // 2 and sum(len(places) > 1 for places in of_long) > len(of_long) // 5:
        moved = [*moved, *of_long]
    one = bool(moved) and all(len(places) == 1 for places in moved)
    per_run = {len(seen.changes) for seen in singles}
    together = max(per_run) if len(per_run) == 1 and max(per_run) > 1 and len(of_long) == LONG * max(per_run) else 1
    sizes = sorted({len(places) for places in moved}) if together == 1 else [together]
    text = f"{_with(start)}{' or '.join(map(str, sizes or [0]))} parameters changed, expected one"
    report.add("coordinate", float(one and together == 1), text)
    if not (one and together == 1):
        names["coordinate"] = _name_coordinates(moved, singles, together)
    return together


def _name_coordinates(moved: Sequence[Array], singles: Sequence[Seen], together: int) -> Diagnosis | None:
    sizes = {len(places) for places in moved}
    layers = [{int(place[0]) < FIRST for place in seen.moved if len(place)} for seen in singles]
    if together == 2 and sizes == {1} and all(both == {True, False} for both in layers):
        return diagnosis("SGD", "one_of_each_layer")
    if together > 1:
        return None
    if not sizes:
        asked = [W for seen in singles for W in seen.asked]
        if asked and not any(W.any() for W in asked):
            return diagnosis("SGD", "at_zero")
        return diagnosis("SGD", "no_update")
    if sizes == {SIZE}:
        return diagnosis("SGD", "all_parameters")
    if all(set(map(int, places)) in ({*range(FIRST)}, {*range(FIRST, SIZE)}) for places in moved):
        return diagnosis("SGD", "whole_layer")
    if sizes == {2} and all(places[0] < FIRST <= places[1] for places in moved):
        return diagnosis("SGD", "one_of_each_layer")
    rows, columns = SHAPES[0]
    if all(places[0] >= FIRST or (len(places) in (rows, columns) and _in_line(places, columns)) for places in moved):
        return diagnosis("SGD", "row_or_column")
    return None


def _in_line(places: Array, columns: int) -> bool:
    """Whether parameters are a row or a column of W1, or all of w2."""
    if places[0] >= FIRST:
        return len(places) == SIZE - FIRST
    lines = places // columns if len(places) == columns else places % columns
    return bool(places[-1] < FIRST) and len(set(lines)) == 1


def _add_updates(
    report: Report,
    names: dict[str, Diagnosis | None],
    singles: Sequence[Seen],
    long: Seen | str,
    curvature: Weights,
    start: Weights,
    X: Array,
    y: Array,
) -> float:
    """Whether the first update of each run is right; the common factor of all of them if there is one."""
    first = [seen.changes[0] for seen in singles if seen.changes]
    correct = -RATE * _gradient(start, X, y)
    if not first and not isinstance(long, str) and long.changes:
        first = long.changes[:1]
        correct = -LONG_RATE * flat(curvature) * first[0][0]
    if not first:
        report.add("update", 0.0, f"{_with(start)}no parameter changed")
        names["update"] = names.get("coordinate")
        return 1.0
    pairs = [(int(j), float(change[j])) for before, change in first for j in np.flatnonzero(_moves(before, change))]
    places, got = np.array([j for j, _ in pairs]), np.array([change for _, change in pairs])
    report.relative_error = float(np.abs(got / correct[places] - 1).max())
    wrong = np.flatnonzero(~_near(got, correct[places]))
    if not len(wrong):
        later = None if isinstance(long, str) else _later_problem(long, flat(curvature))
        report.add("update", float(later is None), later)
        return 1.0
    j, change = pairs[int(wrong[0])]
    report.add("update", 0.0, f"{_with(start)}the change of {place(j)}: {shown_apart(correct[j], change)}")
    ratios = got / correct[places]
    names["update"] = _name_updates(ratios, _ratios(long, curvature), X.shape[1]) or _name_samples(pairs, start, X, y)
    alike = bool(np.allclose(ratios, ratios[0], rtol=1e-4))
    return float(ratios[0]) if alike else 1.0


def _later_problem(long: Seen, curvature: Array) -> str | None:
    """What is wrong with an update of the long run; None if all are right, or do not change one parameter each."""
    if len(long.path) <= 2 or any(len(places) != 1 for places in long.moved):
        return None
    for step, ((before, change), [j]) in enumerate(_steps(long), start=1):
        correct = -LONG_RATE * curvature[j] * before[j]
        if not _near(change[j], correct):
            apart = shown_apart(correct, float(change[j]))
            return f"on a quadratic risk, with lr = {LONG_RATE:g}, the change of {place(j)} in step {step}: {apart}"
    return None


def _gradient(W: Weights, X: Array, y: Array) -> Array:
    reference = NN2()
    reference.W = W
    return flat(reference.emp_loss_grad(X, y))


def _near(got: Array, correct: Array) -> Array:
    """Whether updates are right, to the precision of a parameter's change in float32."""
    return np.isclose(got, correct, rtol=1e-5, atol=3e-7)


def _ratios(long: Seen | str, curvature: Weights) -> Array:
    """How many times the right one each update of the long run is, where one parameter changes and it can be seen."""
    if isinstance(long, str) or len(long.path) <= 2 or any(len(places) != 1 for places in long.moved):
        return np.empty(0)
    each = [(change[j], -LONG_RATE * flat(curvature)[j] * before[j]) for (before, change), [j] in _steps(long)]
    got, correct = np.array(each).T
    clear = (np.abs(correct) > 1e-4) & (np.abs(got) > 1e-4)
    ratios: Array = got[clear] / correct[clear]
    return ratios


def _steps(long: Seen) -> Iterable[tuple[tuple[Array, Array], Array]]:
    return zip(long.changes, long.moved, strict=True)


def _name_updates(ratios: Array, later: Array, samples: int) -> Diagnosis | None:
    """The mistake behind updates that are all the same multiple of the right one.

    ``later`` are the multiples in the long run, whose learning rate is another: a name must hold there as well.
    """
    if not np.allclose(ratios, ratios[0], rtol=1e-4):
        return None
    known: dict[str, Callable[[float], float]] = {
        "uphill": lambda rate: -1.0,
        "no_learning_rate": lambda rate: 1 / rate,
        "no_learning_rate_uphill": lambda rate: -1 / rate,
        "learning_rate_squared": lambda rate: rate,
        "missing_mean": lambda rate: samples,
        "mean_twice": lambda rate: 1 / samples,
        "twice": lambda rate: 2.0,
        "half": lambda rate: 0.5,
        "times_parameters": lambda rate: SIZE,
        "default_learning_rate": lambda rate: 0.1 / rate,
        "fixed_learning_rate": lambda rate: 0.01 / rate,
        "factor": lambda rate: float(ratios[0]),
    }
    fits = (
        name
        for name, factor in known.items()
        if np.isclose(ratios[0], factor(RATE), rtol=1e-4) and np.allclose(later, factor(LONG_RATE), rtol=1e-2)
    )
    name = next(fits, None)
    return None if name is None else diagnosis("SGD", name)


def _name_samples(pairs: Sequence[tuple[int, float]], start: Weights, X: Array, y: Array) -> Diagnosis | None:
    """Whether each update is that of one sample's gradient."""
    of_samples = [-RATE * _gradient(start, X[:, [i]], y[:, [i]]) for i in range(X.shape[1])]
    if all(any(_near(np.array(change), correct[j]) for correct in of_samples) for j, change in pairs):
        return diagnosis("SGD", "one_sample")
    return None


def _counts(long: Seen | str, curvature: Weights, factor: float) -> Array | str:
    """The number of updates of each parameter in the long run, or a text on why it is unknown."""
    if isinstance(long, str):
        return f"with R = {LONG}: {long}"
    counts = np.zeros(SIZE)
    if len(long.path) > 2:
        for places in long.moved:
            counts[places] += 1
        return counts
    with np.errstate(all="ignore"):
        counts = np.log(long.path[-1] / long.path[0]) / np.log(1 - LONG_RATE * factor * flat(curvature))
    if not (np.all(np.isfinite(counts)) and np.allclose(counts, np.round(counts), atol=2e-2)):
        return f"after {LONG} steps on a quadratic risk the parameters are where no number of single updates leads"
    return np.abs(np.round(counts))


def _add_steps(
    report: Report,
    names: dict[str, Diagnosis | None],
    singles: Sequence[Seen],
    long: Seen | str,
    counts: Array | str,
    per_step: int,
) -> None:
    if isinstance(counts, str):
        report.add("steps", 0.0, counts)
        if not isinstance(long, str) and long.asked and all(np.array_equal(W, long.asked[0]) for W in long.asked):
            names["steps"] = diagnosis("SGD", "stale_gradient")
        return
    updates = 0 if isinstance(long, str) else len(long.changes)
    steps = (updates if updates > 1 else int(counts.sum())) / per_step
    runs = {len(seen.changes) for seen in singles}
    alone = report.variant == "sgd_zeroed" or runs == {per_step}
    correct = steps == LONG and alone
    found = f"with R = {LONG} steps, {steps:g} updates were found, with R = 1 {' or '.join(map(str, sorted(runs)))}"
    report.add("steps", float(correct), found)
    if correct:
        return
    offset = max(runs) - 1 if len(runs) == 1 else None
    if report.variant == "sgd_zeroed":
        report.variant = report.diagnosis = None
        report.properties = [replace(prop, credit=0.0, reading="") for prop in report.properties]
    elif offset == -1 and steps == LONG - 1:
        names["steps"] = diagnosis("SGD", "one_step_less")
    elif offset == 1 and steps == LONG + 1:
        names["steps"] = diagnosis("SGD", "one_step_more")
    elif runs == {1} and steps == 1:
        names["steps"] = diagnosis("SGD", "one_step")
    elif steps > 1 and all(0.8 * steps <= run <= steps for run in runs):  # near the end a step may be too small to see
        names["steps"] = diagnosis("SGD", "fixed_steps")
    elif steps == 0:
        names["steps"] = names.get("coordinate")


def _add_draws(report: Report, names: dict[str, Diagnosis | None], long: Seen | str, counts: Array | str) -> None:
    """Whether all parameters are drawn equally often; for simultaneous updates, those of each layer."""
    if isinstance(counts, str):
        even = not isinstance(long, str) and _move_alike(long.path[0], long.path[-1])
        report.add("uniform", float(even), "it cannot be told which parameters were drawn")
        return
    total = float(counts.sum())
    by_layers = getattr(names.get("coordinate"), "mistake", "") in ("one_of_each_layer", "whole_layer", "row_or_column")
    parts = [counts[:FIRST], counts[FIRST:]] if by_layers else [counts]
    even = total > 0 and all(_chi_square(part) < LARGEST_CHI_SQUARE for part in parts)
    never = [place(int(j)) for j in np.flatnonzero(counts == 0)] if even and total == LONG and not by_layers else []
    in_order = _in_order(long)
    shares = f"of {total:g} updates {counts[:FIRST].sum():g} were of W1's 12 and {counts[FIRST:].sum():g} of w2's 3"
    text = f"the parameter is drawn uniformly from all {SIZE}: {shares}"
    text += f", and none of {', '.join(never)}" if never else ""
    text += ", always in the same order" if in_order else ""
    report.add("uniform", float(even and not never and not in_order), text)
    if in_order:
        names["uniform"] = diagnosis("SGD", "in_order")
    elif not even:
        names["uniform"] = names.get("coordinate") if total == 0 else _name_draws(counts)


def _in_order(long: Seen | str) -> bool:
    """Whether the steps go through all parameters in an order that repeats: of uniform draws none ever does."""
    if isinstance(long, str) or len(long.moved) < LONG or any(len(places) != 1 for places in long.moved):
        return False
    places = np.concatenate(long.moved)
    return len(set(places[:SIZE])) == SIZE and bool(np.array_equal(places[SIZE:], places[:-SIZE]))


def _move_alike(start: Array, final: Array) -> bool:
    """Whether every parameter has changed about equally, which shows the draws if the updates are wrong."""
    with np.errstate(all="ignore"):
        change = np.abs(np.log(np.abs(final / start)))
    return bool(np.all(np.isfinite(change)) and change.min() > 0 and change.max() < 4 * np.median(change))


def _chi_square(counts: Array) -> float:
    mean = counts.sum() / len(counts)
    return float(((counts - mean) ** 2).sum() / mean) if mean else 0.0


def _name_draws(counts: Array) -> Diagnosis | None:
    if np.count_nonzero(counts) == 1:
        return diagnosis("SGD", "same_parameter")
    if counts[FIRST:].sum() == 0:
        return diagnosis("SGD", "first_layer_only") if _chi_square(counts[:FIRST]) < LARGEST_CHI_SQUARE else None
    if counts[:FIRST].sum() == 0:
        return diagnosis("SGD", "last_layer_only") if _chi_square(counts[FIRST:]) < LARGEST_CHI_SQUARE else None
    layers = _chi_square(counts[:FIRST]) < LARGEST_CHI_SQUARE and _chi_square(counts[FIRST:]) < LARGEST_CHI_SQUARE
    if layers and np.isclose(counts[FIRST:].sum(), counts.sum() / 2, rtol=0.2):
        return diagnosis("SGD", "layer_first")
    return None


def _name(report: Report, names: Mapping[str, Diagnosis | None]) -> None:
    """Find the mistake that explains every lost property; none if there are several."""
    lost = [prop.name for prop in report.properties if prop.credit < 1]
    found = {names.get(name) for name in lost}
    if report.diagnosis is None and len(found) == 1:
        report.diagnosis = found.pop()
