"""The parts of the report of a study: what was found, what mattered, and what each hyperparameter did."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import numpy.typing as npt
import optuna
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState, create_trial
from sklearn.ensemble import RandomForestRegressor

from mlcvkit import plots
from mlcvkit.plots import studies as pictures
from mlcvkit.report.page import Part, Table, number
from mlcvkit.training import History
from mlcvkit.tuning import (
    CELL_HEADINGS,
    Choice,
    Range,
    Study,
    cells,
    comparison,
    count_of_trials,
    describe_best_cell,
    finals,
    varied,
)

FEWEST = 8
"""With fewer trials the report does not say what mattered."""
EXPLAINED = 0.2
"""The share of the differences between unseen trials that the hyperparameters must explain."""
GRID = 24
LITTLE, MUCH = 0.05, 0.2
"""A hyperparameter that explains less than this share of the differences did not matter; one above this mattered."""
PAIRS = 3
LOWEST = 0.1


@dataclass
class Judged:
    """The trials of a study that have a score: the last one where a trial was ended early.

    Parameters
    ----------
    study
        The study.
    """

    study: Study

    @cached_property
    def names(self) -> list[str]:
        """The hyperparameters that were varied."""
        return [name for name in varied(self.study.settings.search_space) if name != "seed"]

    @cached_property
    def trials(self) -> list[tuple[FrozenTrial, float]]:
        """Trials and scores, in their order; a training that diverged at once has the lowest score of all.

        There are none where all diverged.
        """
        scores = []
        for trial in self.study.trials(TrialState.COMPLETE, TrialState.PRUNED):
            values = trial.intermediate_values
            last = values[max(values)] if values else np.nan
            scores.append((trial, float(last if trial.value is None else trial.value)))
        known = [score for _, score in scores if not np.isnan(score)]
        return [(trial, min(known) if np.isnan(score) else score) for trial, score in scores] if known else []

    @cached_property
    def scores(self) -> npt.NDArray[np.float64]:
        """The scores, (n,)."""
        return np.array([score for _, score in self.trials])

    @cached_property
    def counted(self) -> npt.NDArray[np.float64]:
        """The scores that are compared: the lowest tenth counts as the highest score among it.

        A few trials in which nothing was learned do not outweigh all others then.
        """
        return np.maximum(self.scores, np.quantile(self.scores, LOWEST))

    def is_log(self, name: str) -> bool:
        """Whether a hyperparameter lies on a logarithmic scale.

        Parameters
        ----------
        name
            Its name.

        Returns
        -------
        bool
            Whether it does.
        """
        values = self.study.settings.search_space[name]
        if isinstance(values, Range):
            return values.logarithmic
        numbers = [value for value in values if not isinstance(value, str)]
        return len(numbers) == len(values) and min(numbers) > 0 and max(numbers) >= 10 * min(numbers)

    def labels(self, name: str) -> list[Choice] | None:
        """The values of a hyperparameter that is chosen from a list.

        Parameters
        ----------
        name
            Its name.

        Returns
        -------
        list[Choice] | None
            The values, or None for a range.
        """
        values = self.study.settings.search_space[name]
        return None if isinstance(values, Range) else sorted(values, key=lambda value: (isinstance(value, str), value))

    def encoded(self, name: str, value: Choice) -> float:
        """A value as a number: its position in the list, or on the scale of its range.

        Parameters
        ----------
        name
            The name of the hyperparameter.
        value
            The value.

        Returns
        -------
        float
            The number.
        """
        labels = self.labels(name)
        if labels is not None:
            return float(labels.index(value))
        return float(np.log10(value)) if self.is_log(name) else float(value)

    @cached_property
    def X(self) -> npt.NDArray[np.float64]:
        """The hyperparameters of the trials, (n, names)."""
        return np.array([[self.encoded(name, trial.params[name]) for name in self.names] for trial, _ in self.trials])

    @cached_property
    def forest(self) -> RandomForestRegressor:
        """A forest that predicts the score of hyperparameters."""
        return RandomForestRegressor(200, min_samples_leaf=2, oob_score=True, random_state=0).fit(self.X, self.counted)

    def at(self, index: int, points: int = GRID) -> npt.NDArray[np.float64]:
        """Values of a hyperparameter, encoded, from its lowest to its highest.

        Parameters
        ----------
        index
            The index of the hyperparameter.
        points
            The number of values of a range.

        Returns
        -------
        Array
            The values, ascending.
        """
        labels = self.labels(self.names[index])
        if labels is not None:
            return np.arange(len(labels), dtype=float)
        if self.study.settings.kind == "sweep":
            return np.unique(self.X[:, index])
        return np.linspace(self.X[:, index].min(), self.X[:, index].max(), points)

    def expected(self, *indices: int) -> npt.NDArray[np.float64]:
        """The expected score as a function of some hyperparameters: the mean over the trials' values of the others.

        It is the mean of the trials themselves where each combination was trained.

        Parameters
        ----------
        *indices
            The indices of the hyperparameters.

        Returns
        -------
        Array
            The scores, with a dimension for each hyperparameter.

        References
        ----------
        Friedman (2001), "Greedy function approximation", section 8.2, partial dependence.
        """
        axes = [self.at(index) for index in indices]
        shape = tuple(map(len, axes))
        if self.study.settings.kind == "sweep":
            chosen = np.meshgrid(*axes, indexing="ij")
            each = [
                (self.X[:, indices] == place).all(axis=1) for place in np.stack(chosen, axis=-1).reshape(-1, len(axes))
            ]
            if all(of.any() for of in each):
                return np.array([self.scores[of].mean() for of in each]).reshape(shape)
        asked = np.repeat(self.X[None], int(np.prod(shape)), axis=0)
        for count, place in enumerate(np.ndindex(shape)):
            for index, axis, i in zip(indices, axes, place, strict=True):
                asked[count, :, index] = axis[i]
        predicted = self.forest.predict(asked.reshape(-1, self.X.shape[1])).reshape(len(asked), -1).mean(axis=1)
        return np.asarray(predicted.reshape(shape))

    @cached_property
    def explained(self) -> float:
        """The share of the differences that the hyperparameters explain in trials that the forest has not seen."""
        return float(max(0.0, getattr(self.forest, "oob_score_", 0.0)))

    @property
    def tells(self) -> bool:
        """Whether there are enough trials, and differences that are not chance, to say what mattered."""
        if len(self.trials) < max(FEWEST, 2 * len(self.names)) or not self.names or np.ptp(self.scores) == 0:
            return False
        return self.explained >= EXPLAINED

    @cached_property
    def importances(self) -> dict[str, float]:
        """The share of the differences between the trials that each explains, the largest first."""
        judged = optuna.create_study(direction="maximize")
        for (trial, _), score in zip(self.trials, self.counted, strict=True):
            params = {name: trial.params[name] for name in self.names}
            kinds = {name: trial.distributions[name] for name in self.names}
            judged.add_trial(create_trial(params=params, distributions=kinds, value=float(score)))
        return get_param_importances(judged, evaluator=FanovaImportanceEvaluator(seed=0), params=self.names)


def study_parts(judged: Judged) -> Iterator[Part]:
    """The parts of the report of a study.

    Parameters
    ----------
    judged
        The study's trials with their scores.

    Yields
    ------
    Part
        The parts that there are.
    """
    study = judged.study
    yield _found(study, judged)
    if judged.tells and len(judged.names) > 1:
        yield _importances(judged)
    if study.settings.kind == "tune" and len(judged.trials) > 1:
        yield _progress(study, judged)
    if study.settings.kind == "sweep":
        yield _grid(study)
    if judged.tells:
        yield _effects(judged)
        if len(judged.names) > 1:
            yield _pairs(judged)
    yield from _finals(study)


def in_plain_words(judged: Judged) -> str:
    """Two sentences: what mattered, and what did not.

    Parameters
    ----------
    judged
        The study's trials with their scores.

    Returns
    -------
    str
        The sentences.
    """
    if not judged.trials and judged.study.trials(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL):
        return "No trial has a score: each diverged or failed. Try a smaller learning rate."
    if not judged.tells:
        return (
            f"{count_of_trials(len(judged.trials))} cannot tell what mattered. "
            "There are too few, or what differs between them is no more than chance."
        )
    if len(judged.names) == 1:
        return f"Only the {_words(judged.names[0])} was varied: {_best_of(judged, judged.names[0])}."
    shares = judged.importances
    mattered = [name for name, share in shares.items() if share >= MUCH] or list(shares)[:1]
    told = [
        f"the {_words(name)} ({shares[name] * judged.explained:.0%} of the differences; {_best_of(judged, name)})"
        for name in mattered
    ]
    little = [_words(name) for name, share in shares.items() if share < LITTLE]
    some = [_words(name) for name in shares if name not in mattered and shares[name] >= LITTLE]
    first = f"What mattered was {' and '.join(told)}."
    second = f" Something hung on the {_listed(some)} as well." if some else ""
    third = f" Hardly anything hung on the {_listed(little)}, with less than {LITTLE:.0%} each." if little else ""
    return f"{first}{second}{third}" if some or little else f"{first} No other was varied."


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and the {names[-1]}"


def _best_of(judged: Judged, name: str) -> str:
    """The good values of a hyperparameter, and the cost of others."""
    index = judged.names.index(name)
    expected, at = judged.expected(index), judged.at(index)
    cost = expected.max() - expected.min()
    good = expected >= expected.max() - 0.1 * cost
    labels = judged.labels(name)
    if labels is not None:
        best = "best " + " or ".join(number(label) for label, fine in zip(labels, good, strict=True) if fine)
    else:
        best_at = int(expected.argmax())  # the stretch around the best, not good places beyond a gap
        left = best_at - int(np.argmin(np.append(good[: best_at + 1][::-1], False))) + 1
        right = best_at + int(np.argmin(np.append(good[best_at:], False))) - 1
        low, high = (10**value if judged.is_log(name) else value for value in (at[left], at[right]))
        best = f"best from {low:.2g} to {high:.2g}"
    points = f"{100 * cost:.1f} points of accuracy" if judged.study.score == "accuracy" else f"{cost:.2g} of R²"
    return f"{best}, and the worst cost {points}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _found(study: Study, judged: Judged) -> Part:
    counts = {state: len(study.trials(state)) for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)}
    complete, early = counts[TrialState.COMPLETE], counts[TrialState.PRUNED]
    words = (
        f"{count_of_trials(complete)} went to {'its' if complete == 1 else 'their'} end, "
        f"{early} {'was' if early == 1 else 'were'} ended early or diverged, {counts[TrialState.FAIL]} failed"
    )
    words += "".join(f"; {times} of them: {reason}" for reason, times in study.failures().items()) + "."
    ranked = sorted(study.trials(TrialState.COMPLETE), key=lambda trial: -(trial.value or 0))[:10]
    rows = [(f"validation {study.score}", *(f"{trial.value:.4f}" for trial in ranked))]
    rows += [(_words(name), *(_words(number(trial.params[name])) for trial in ranked)) for name in judged.names]
    headings = ("trial", *(f"{trial.number}" for trial in ranked))
    return Part("The best trials", words, tables=[Table(headings, rows)] if study.settings.kind == "tune" else [])


def _importances(judged: Judged) -> Part:
    shares = judged.importances
    figure = pictures.importances([_words(name) for name in shares], list(shares.values()))
    words = (
        f"Together the hyperparameters explain {judged.explained:.0%} of the differences between trials (out of bag). "
        "Below is each one's share of what a random forest makes of them: what it explains by itself, and its "
        "part in what several explain together (functional analysis of variance over a random forest). A trial that "
        "was ended early counts with its last score, and the lowest tenth of the scores as the highest of it."
    )
    return Part("What mattered", words, "importances", figure)


def _progress(study: Study, judged: Judged) -> Part:
    early = np.array([trial.state == TrialState.PRUNED for trial, _ in judged.trials])
    numbers = [trial.number for trial, _ in judged.trials]
    figure = pictures.progress(numbers, judged.scores, early, f"validation {study.score}")
    return Part("How the search went on", "The lowest quarter of the scores is cut off.", "progress", figure)


def _scale(axes: Axes, judged: Judged, index: int, which: str = "x") -> None:
    name = judged.names[index]
    labels = judged.labels(name)
    axis = getattr(axes, f"{which}axis")
    getattr(axes, f"set_{which}label")(_words(name))
    if labels is not None:
        axis.set_ticks(range(len(labels)), [number(label) for label in labels])
        axis.set_tick_params(labelsize=8, rotation=30 if any(isinstance(label, str) for label in labels) else 0)
    elif judged.is_log(name):
        low, high = judged.X[:, index].min(), judged.X[:, index].max()
        ticks = np.unique(np.round(np.linspace(low, high, 5), 1))
        values = judged.study.settings.search_space[name]
        whole = isinstance(values, Range) and values.whole
        axis.set_ticks(ticks, [str(round(10**tick)) if whole else f"{10**tick:.2g}" for tick in ticks])
        axis.set_tick_params(labelsize=8)


def _effects(judged: Judged) -> Part:
    columns = 3
    rows = -(-len(judged.names) // columns)
    figure = Figure(figsize=(9, 2.7 * rows), layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False).flat
    order = [judged.names.index(name) for name in judged.importances] if len(judged.names) > 1 else [0]
    low = float(np.quantile(judged.scores, 0.1))
    for axes, index in zip(places, order, strict=False):
        expected = judged.expected(index)
        pictures.effect(axes, judged.X[:, index], judged.scores, judged.at(index), expected)
        _scale(axes, judged, index)
        axes.set_ylim(min(low, float(expected.min())), None)
        plots.tidy(axes)
    for axes in list(figure.axes)[len(order) :]:
        axes.remove()
    words = "Points are the trials, the line is what is expected over all that the others were. The lowest are cut off."
    return Part("The effect of each alone", words, "effects", figure)


def _pairs(judged: Judged) -> Part:
    chosen = [judged.names.index(name) for name in list(judged.importances)[:PAIRS]]
    pairs = list(combinations(chosen, 2))
    figure = Figure(figsize=(3.4 * len(pairs) + 0.6, 3.2), layout="constrained")
    for axes, (across, up) in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
        expected = judged.expected(up, across)
        mesh = pictures.pair(axes, judged.at(across), judged.at(up), expected)
        figure.colorbar(mesh, ax=axes, shrink=0.8)
        _scale(axes, judged, across)
        _scale(axes, judged, up, "y")
    return Part("Two at a time", f"The {judged.study.score} that is expected; brighter is better.", "pairs", figure)


def _grid(study: Study) -> Part:
    names = [name for name in study.settings.space if name != "seed"]
    found = cells(study)
    rows = [cell.row(number) for cell in found]
    headings = (*map(_words, names), *CELL_HEADINGS)
    words = f"{describe_best_cell(found)} Seeds for each combination: {study.settings.repeats}."
    return Part("The grid", words.strip(), tables=[Table(headings, rows)])


def _finals(study: Study) -> Iterator[Part]:
    """The trainings at the end, if there are any."""
    final, found = finals(study), comparison(study)
    if final is None or found is None or not found.best:
        return
    measured = found.as_json()
    rows = []
    for which in ("best", "defaults"):
        scores = ["diverged" if score is None else f"{score:.4f}" for score in measured[which]["scores"]]
        summary = ("" if measured[which][name] is None else f"{measured[which][name]:.4f}" for name in ("mean", "std"))
        rows.append((which, *summary, ", ".join(scores)))
    headings = ("", f"test {study.score}", "standard deviation", "each seed")
    p = "" if found.p is None else f" A paired t-test over the seeds, on these test rows, gives p = {found.p:.2g}."
    histories: dict[str, list[History]] = {"best": [], "defaults": []}
    for trial in final.trials(TrialState.COMPLETE):
        histories[trial.user_attrs["which"]].append(trial.user_attrs["history"])
    quantity = f"train_{study.score}"
    can_draw = all(quantity in history for seeds in histories.values() for history in seeds) and all(histories.values())
    figure = plots.curves_of_seeds(histories, quantity, f"training {study.score}") if can_draw else None
    words = f"Both were trained on all training rows with {len(found.best)} seeds each, and tested once.{p}"
    yield Part("The best against the defaults", words, "finals" if can_draw else "", figure, [Table(headings, rows)])
