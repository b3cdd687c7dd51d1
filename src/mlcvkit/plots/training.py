"""Pictures of trainings: curves over the epochs, of one run or of several seeds."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mlcvkit.plots.style import COLOURS, TRAIN, VALIDATION, tidy

LABELS_APART = 0.06
"""The least distance of two labels, as a part of the height."""


def curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """The loss, and the accuracy or R² where it was measured, over the epochs.

    Parameters
    ----------
    history
        The history that ``mlcvkit.training.fit`` returns, of one epoch or more.

    Returns
    -------
    Figure
        The picture.
    """
    labels = {"loss": "Loss", "accuracy": "Accuracy", "r2": "R²"}
    shown = [name for name in labels if f"train_{name}" in history]
    width, height = 5 * len(shown), 3.8
    figure = Figure(figsize=(width, height))  # with fixed margins, which takes half of the time of a layout
    figure.subplots_adjust(0.65 / width, 0.5 / height, 1 - 0.6 / width, 1 - 0.35 / height, wspace=0.32)
    marker = "o" if len(history["epoch"]) <= 50 else ""
    for axes, name in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        ends = []
        for part, colour in (("train", TRAIN), ("validation", VALIDATION)):
            values = history.get(f"{part}_{name}")
            if values:
                axes.plot(history["epoch"], values, color=colour, marker=marker, markersize=3)
                ends.append((float(values[-1]), f"{part} {values[-1]:.4f}", colour))
        _label_ends(axes, history["epoch"][-1], ends)
        axes.set(title=labels[name], xlabel="Epoch")
        axes.margins(x=0.28)
        axes.set_xlim(left=min(history["epoch"]) - 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True)
        tidy(axes)
    return figure


def _label_ends(axes: Axes, x: float, ends: Sequence[tuple[float, str, str]]) -> None:
    """Label the ends of curves, (value, text, colour); labels of close ends are moved apart."""
    low, high = axes.get_ylim()
    apart = LABELS_APART * (high - low)
    places: list[float] = []
    for value, text, colour in sorted(ends):
        places.append(value if not places else max(value, places[-1] + apart))
        axes.annotate(f" {text}", (x, places[-1]), color=colour, va="center")


def curves_of_seeds(
    histories: Mapping[str, Sequence[Mapping[str, Sequence[float]]]], quantity: str, label: str
) -> Figure:
    """One quantity over the epochs for several configurations: a line for each seed, to its own end.

    Parameters
    ----------
    histories
        For each configuration the histories of its seeds.
    quantity
        The name of the quantity in a history.
    label
        What the quantity is called in the picture.

    Returns
    -------
    Figure
        The picture.
    """
    figure = Figure(figsize=(6.5, 3.6), layout="constrained")
    axes = figure.subplots()
    for (name, seeds), colour in zip(histories.items(), COLOURS, strict=False):
        for index, history in enumerate(seeds):  # each to its own end: early stopping ends some before others
            label_of_all = f"{name}, {len(seeds)} seeds" if index == 0 else None
            epochs = np.arange(1, len(history[quantity]) + 1)
            axes.plot(epochs, history[quantity], color=colour, linewidth=0.9, alpha=0.8, label=label_of_all)
            axes.plot(epochs[-1:], history[quantity][-1:], ".", color=colour)
    axes.set(xlabel="Epoch", ylabel=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    tidy(axes)
    return figure
