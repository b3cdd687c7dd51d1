"""Pictures of predictions beside the truth."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from mlcvkit.arrays import PlainData
from mlcvkit.plots.style import COLOURS, INK, TRAIN, logarithmic, short, tidy

Array = npt.NDArray[np.floating]


def confusion(counts: npt.NDArray[np.integer], names: Sequence[str]) -> Figure:
    """A confusion matrix; the colour is the share of a row's mistakes.

    Parameters
    ----------
    counts
        A row for each true class, a column for each predicted one, (C, C).
    names
        The names of the classes.

    Returns
    -------
    Figure
        The picture.
    """
    size = min(8.0, 2.2 + 0.45 * len(names) + 0.06 * max(len(short(name)) for name in names))
    figure = Figure(figsize=(size + 0.6, size), layout="constrained")
    axes = figure.subplots()
    wrong = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(wrong, 0)
    red = np.broadcast_to(np.array([0.78, 0.24, 0.16, 0.0]), (*wrong.shape, 4)).copy()
    red[..., 3] = 0.8 * wrong / max(1e-9, float(wrong.max()))  # through which the page is seen, light or dark
    axes.imshow(red)
    for row, column in np.ndindex(counts.shape):
        axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", fontsize=8, color=INK)
    axes.set(xlabel="predicted class", ylabel="true class", xticks=range(len(names)), yticks=range(len(names)))
    shown = [short(name) for name in names]
    slanted: PlainData = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if max(map(len, shown)) > 3 else {}
    axes.set_xticklabels(shown, **slanted)
    axes.set_yticklabels(shown)
    return figure


def roc(rates: Mapping[str, tuple[Array, Array, float]]) -> Figure:
    """Receiver operating characteristics.

    Parameters
    ----------
    rates
        For each name the false positive rates, the true positive rates, and the area.

    Returns
    -------
    Figure
        The picture.
    """
    figure = Figure(figsize=(4.8, 4.4), layout="constrained")
    axes = figure.subplots()
    for (name, (false, true, area)), colour in zip(rates.items(), COLOURS, strict=False):
        axes.plot(np.maximum(false, 1e-4), true, color=colour, label=f"{name}: {area:.4f}")
    logarithmic(axes, "x")
    axes.set(xlim=(1e-4, 1), xlabel="false positive rate", ylabel="true positive rate")
    axes.legend(title="area below", frameon=False, fontsize=8)
    tidy(axes)
    return figure


def calibration(sure: Array, right: Array, counts: npt.NDArray[np.integer]) -> Figure:
    """How often predictions are correct against how probable they were, and how many samples each bin has.

    Parameters
    ----------
    sure
        The mean probability of each bin.
    right
        The share of correct predictions in each bin.
    counts
        The number of samples in each bin.

    Returns
    -------
    Figure
        The picture.
    """
    figure = Figure(figsize=(4.8, 4.4), layout="constrained")
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    top.plot([0, 1], [0, 1], color="#8a8b8c", linestyle="dashed")
    top.plot(sure, right, color=TRAIN, marker="o")
    top.set(ylabel="share that is right", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    below.bar(sure, counts, width=0.04, color=TRAIN)
    below.set(xlabel="probability that was given", ylabel="samples")
    logarithmic(below, "y")
    for axes in (top, below):
        tidy(axes)
    return figure


def images(pictures: Array, captions: Sequence[str]) -> Figure:
    """Square images with a line below each.

    Parameters
    ----------
    pictures
        The images, (n, side · side).
    captions
        The lines.

    Returns
    -------
    Figure
        The picture.
    """
    columns = min(8, len(pictures))
    rows = -(-len(pictures) // columns)
    lines = max((caption.count("\n") for caption in captions), default=0)
    figure = Figure(figsize=(1.2 * max(2, columns), (1.3 + 0.15 * lines) * rows), layout="constrained")
    side = round(pictures.shape[1] ** 0.5)
    for axes, picture, caption in zip(
        figure.subplots(rows, columns, squeeze=False).flat, pictures, captions, strict=False
    ):
        axes.imshow(picture.reshape(side, side), cmap="gray", interpolation="nearest")
        axes.set_title(caption, fontsize=7, y=-0.05, va="top", pad=0)
    for axes in figure.axes:
        axes.axis("off")
    return figure


def numbers(truth: Array, predicted: Array) -> Figure:
    """Predicted against true numbers.

    Parameters
    ----------
    truth
        The true numbers, (N,).
    predicted
        The predicted ones, (N,).

    Returns
    -------
    Figure
        The picture.
    """
    figure = Figure(figsize=(4.8, 4.4), layout="constrained")
    axes = figure.subplots()
    limits = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
    axes.plot(limits, limits, color="#8a8b8c", linestyle="dashed")
    axes.scatter(truth, predicted, s=12, color=TRAIN, alpha=0.6)
    axes.set(xlabel="true", ylabel="predicted")
    tidy(axes)
    return figure
