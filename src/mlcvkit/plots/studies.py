"""Pictures of studies: how the search went on, and what each hyperparameter did."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from mlcvkit.plots.style import TRAIN, VALIDATION, tidy

Array = npt.NDArray[np.floating]


def progress(numbers: Sequence[int], scores: Array, ended_early: npt.NDArray[np.bool_], label: str) -> Figure:
    """The score of each trial in its order, and the best so far.

    Parameters
    ----------
    numbers
        The numbers of the trials.
    scores
        The scores, (n,).
    ended_early
        Whether each trial was ended early, (n,).
    label
        The name of the score.

    Returns
    -------
    Figure
        The picture.
    """
    figure = Figure(figsize=(6.5, 3.4), layout="constrained")
    axes = figure.subplots()
    number = np.asarray(numbers)
    axes.scatter(number[~ended_early], scores[~ended_early], s=16, color=TRAIN, label="to its end")
    axes.scatter(number[ended_early], scores[ended_early], s=14, color="#8a8b8c", marker="x", label="ended early")
    whole = np.where(ended_early, -np.inf, scores)
    best = np.maximum.accumulate(whole)
    axes.step(number, np.where(np.isfinite(best), best, np.nan), where="post", color=VALIDATION, label="best so far")
    low = np.quantile(scores, 0.25)
    axes.set(xlabel="trial", ylabel=label, ylim=(low - 0.05 * (scores.max() - low + 1e-9), None))
    axes.legend(frameon=False, fontsize=8)
    tidy(axes)
    return figure


def importances(names: Sequence[str], shares: Sequence[float]) -> Figure:
    """How much of the differences between the trials each hyperparameter explains, the largest at the top.

    Parameters
    ----------
    names
        The names of the hyperparameters.
    shares
        The share that each explains.

    Returns
    -------
    Figure
        The picture.
    """
    figure = Figure(figsize=(6.5, 0.8 + 0.32 * len(names)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(names[::-1], shares[::-1], color=TRAIN)
    axes.bar_label(bars, fmt=lambda share: f"{share:.0%}", padding=3)
    axes.set(xlim=(0, 1.12 * max(shares)), xticks=[])
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    return figure


def effect(axes: Axes, x: Array, scores: Array, at: Array, expected: Array) -> None:
    """Draw the trials as points, and the expected score as a function of one hyperparameter.

    Parameters
    ----------
    axes
        The axes to draw on.
    x
        The hyperparameter of each trial.
    scores
        The score of each trial.
    at
        Values of the hyperparameter.
    expected
        The expected score at each.
    """
    axes.scatter(x, scores, s=9, color="#8a8b8c", alpha=0.7)
    axes.plot(at, expected, color=VALIDATION, marker="o" if len(at) < 12 else "")


def pair(axes: Axes, x: Array, y: Array, expected: Array) -> QuadMesh:
    """Draw the expected score as a function of two hyperparameters, as a heat map.

    Parameters
    ----------
    axes
        The axes to draw on.
    x
        Values of the first hyperparameter.
    y
        Values of the second.
    expected
        The expected scores, (x, y).

    Returns
    -------
    QuadMesh
        The heat map, for a colour bar.
    """
    return axes.pcolormesh(x, y, expected, cmap="viridis", shading="nearest")
