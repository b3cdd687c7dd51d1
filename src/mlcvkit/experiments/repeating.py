"""How far a score can be trusted: one experiment with several seeds, or over the folds of its rows."""

from collections.abc import Iterator
from dataclasses import replace
from statistics import mean, stdev

import numpy as np

from mlcvkit.arrays import Indices, PlainData, Values
from mlcvkit.datasets import Samples, alike_names, known_text, order_in_time, type_of
from mlcvkit.errors import InputError
from mlcvkit.experiments.specification import Experiment
from mlcvkit.experiments.splits import TEST_FRACTION
from mlcvkit.experiments.targets import checked_target

MEASURES = ("accuracy", "log_loss", "r2", "rmse", "mae")
"""The measures that are numbers."""


def repeats_of(experiment: Experiment, count: int) -> Iterator[Experiment]:
    """An experiment with one seed after the other: other rows are held out, and other first weights are drawn.

    Parameters
    ----------
    experiment
        The experiment.
    count
        The number of seeds, 2 or more.

    Yields
    ------
    Experiment
        The experiment with a seed.

    Raises
    ------
    InputError
        For fewer than 2.
    """
    if count < 2:
        raise InputError(f"repeats must be 2 or more; got {count}")
    hp = experiment.hyperparameters
    for seed in range(hp.seed, hp.seed + count):
        yield replace(experiment, hyperparameters=replace(hp, seed=seed))


def folds_of(
    experiment: Experiment, count: int, *, group: str | None = None, in_order: bool = False
) -> Iterator[tuple[Experiment, Samples]]:
    """An experiment and its data, with one fold of its rows after the other to test with, and the others to train on.

    Parameters
    ----------
    experiment
        The experiment.
    count
        The number of folds, 2 or more.
    group
        A column whose rows of one value are all in one fold, such as a patient; it is left out of the features.
    in_order
        Whether the folds follow each other as the rows do, as for a time series: each is tested by a network that was
        trained on the rows before it.

    Yields
    ------
    tuple[Experiment, Samples]
        The experiment, whose task is that of all rows, and the data with a fold to test with.

    Raises
    ------
    InputError
        For data with a test set of their own, fewer than 2 folds, too few rows or groups, an unknown column, or an
        order in which the dates go back.
    """
    samples = experiment.read()
    if samples.test is not None and experiment.test is None:
        raise InputError(f"folds are what is tested with, and {samples.name} has a test set of its own")
    if samples.test is not None or experiment.test_fraction != TEST_FRACTION:
        raise InputError("folds are what is tested with: leave out a test set and test_fraction")
    if in_order:
        samples = replace(samples, notes=(*samples.notes, *_require_forward(samples)))
    y, task = checked_target(samples, experiment.task)
    X, groups = samples.X, None
    if group is not None:
        if isinstance(X, np.ndarray) or group not in X.columns:
            why = ": it is the target" if group == samples.target else " to group its rows by, beside those left out"
            raise InputError(f"{samples.name} has no column {group!r}{why}")
        if type_of(X[group].dtype) == "other":
            raise InputError(f"the column {group!r} of {samples.name} holds {X[group].dtype}: it cannot group rows")
        names = known_text(X[group])
        notes = [f"{names.null_count():,} rows without {group} are one group"] if names.null_count() else []
        notes += [f"{group}: {note}" for note in alike_names(names.drop_nulls().to_list())]
        samples = replace(samples, notes=(*samples.notes, *notes))
        groups, X = names.fill_null("").to_numpy(), X.drop(group)
    split = split_folds(y if task == "classification" else None, len(y), count, groups, in_order, experiment)
    for number, (chosen, held_out) in enumerate(split, 1):
        if len(np.unique(y[chosen])) < 2:
            raise InputError(f"fold {number} of {count} would be trained on one value of {samples.target!r} alone")
        known, test = f"{samples.fingerprint} without fold {number} of {count}", (X[held_out], y[held_out])
        rest = replace(samples, X=X[chosen], y=y[chosen], test=test, fingerprint=known, files=())
        yield replace(experiment, task=task), rest


def _require_forward(samples: Samples) -> list[str]:
    """Refuse rows whose dates go back: a network would learn from what came later. A note where none are in order."""
    if isinstance(samples.X, np.ndarray):
        return []
    orders = {column.name: order_in_time(column) for column in samples.X}
    if -1 in orders.values() and 1 not in orders.values():
        name = next(name for name, order in orders.items() if order == -1)
        raise InputError(f"{samples.name} begins with the latest {name}: sort its rows, the earliest first")
    dates = [name for name, order in orders.items() if order == 0]
    if not dates or 1 in orders.values():
        return []
    return [f"the rows are not sorted by {' or '.join(dates)}: a fold may be trained on what came after it"]


def split_folds(
    strata: Values | None, N: int, count: int, groups: Values | None, in_order: bool, experiment: Experiment
) -> list[tuple[Indices, Indices]]:
    """The rows to train on and to test with, fold by fold.

    Parameters
    ----------
    strata
        The class of each row, of which each fold gets its share, or None.
    N
        The number of rows.
    count
        The number of folds.
    groups
        The group of each row, or None.
    in_order
        Whether the folds follow each other as the rows do.
    experiment
        The experiment, whose seed draws the rows.

    Returns
    -------
    list[tuple[Indices, Indices]]
        The rows of each fold's training and test.

    Raises
    ------
    InputError
        If there are too few rows or groups, or both a group and an order.
    """
    units = N if groups is None else len(np.unique(groups))
    parts = count + in_order
    if count < 2 or units < parts:
        what = "rows" if groups is None else "groups"
        raise InputError(f"folds must be from 2 to the number of {what}, {units}; got {count}")
    if in_order and groups is not None:
        raise InputError("give a group or an order of the rows, and not both")
    rows = np.arange(N)
    if in_order:
        pieces = np.array_split(rows, parts)
        return [(np.concatenate(pieces[:i]), pieces[i]) for i in range(1, parts)]
    random = np.random.default_rng(experiment.hyperparameters.seed)
    fold = np.empty(N, np.intp)
    if groups is not None:
        names, members = np.unique(groups, return_inverse=True)
        sizes, filled = np.bincount(members), np.zeros(count)
        of_group = np.empty(len(names), np.intp)
        shuffled = random.permutation(len(names))
        for name in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:  # the largest first, to the emptiest fold
            of_group[name] = filled.argmin()
            filled[of_group[name]] += sizes[name]
        fold = of_group[members]
    else:
        # classes one after the other, dealt out in turn: each fold gets its share of each
        order = random.permutation(N)
        order = order if strata is None else order[np.argsort(strata[order], kind="stable")]
        fold[order] = rows % count
    return [(rows[fold != number], rows[fold == number]) for number in range(count)]


def scores_of(measured: PlainData) -> PlainData:
    """The numbers of what ``Predictor.measure`` gives.

    Parameters
    ----------
    measured
        The measures.

    Returns
    -------
    PlainData
        Those of ``MEASURES`` that there are.
    """
    return {name: measured[name] for name in MEASURES if isinstance(measured.get(name), int | float)}


def summarised(scores: list[PlainData]) -> PlainData:
    """The mean and the standard deviation of each score.

    Parameters
    ----------
    scores
        The scores of each training, by name.

    Returns
    -------
    PlainData
        ``mean`` and ``std``, each by the names of the scores.
    """
    names = [name for name in MEASURES if scores and all(name in one for one in scores)]
    values = {name: [float(one[name]) for one in scores] for name in names}
    return {
        "mean": {name: mean(of) for name, of in values.items()},
        "std": {name: stdev(of) if len(of) > 1 else None for name, of in values.items()},
    }
