"""Pictures of networks: what their hidden units look for, what happens in their layers, and their loss around them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from mlcvkit.plots.style import COLOURS, INK, TRAIN, logarithmic, short, tidy


def hidden_units(
    W1: npt.ArrayLike, w2: npt.ArrayLike | None = None, *, names: Sequence[str] = (), most: int = 60
) -> Figure:
    """The hidden units as square images, those that matter most first.

    Each image is a row of W1 times the sign of its weight to the output: red pixels speak for the second of two
    classes, blue ones for the first. A unit matters by |w2| times the length of its row.

    Parameters
    ----------
    W1
        The weights of the hidden layer, (M, K), with a square K.
    w2
        The weights of the output, (M, 1). By default a unit counts for no single output: red is then a positive weight,
        and a unit matters by the length of its row.
    names
        The names of the two classes.
    most
        The largest number of units to show.

    Returns
    -------
    Figure
        The picture.

    Raises
    ------
    ValueError
        If K is not a square.
    """
    W1 = np.asarray(W1)
    legend = ": red is a positive weight, blue a negative"
    if w2 is not None:
        first, second = map(short, names) if len(names) == 2 else ("0", "1")
        legend = f": red speaks for {second}, blue for {first}"
    w2 = np.ones(len(W1)) if w2 is None else np.asarray(w2).ravel()
    side = int(np.sqrt(W1.shape[1]))
    if side * side != W1.shape[1]:
        raise ValueError(f"hidden units are shown as square images; K = {W1.shape[1]} is not a square")
    weight = np.abs(w2) * np.linalg.norm(W1, axis=1)
    order = np.argsort(-weight, kind="stable")[:most]
    columns = min(12, len(order))
    rows = -(-len(order) // columns)
    tiles = np.full((rows * columns, side + 2, side + 2), np.nan)  # NaN is drawn as nothing: a margin
    images = W1[order] * np.sign(w2[order])[:, None]
    limits = np.maximum(np.abs(images).max(axis=1, keepdims=True), 1e-12)
    tiles[: len(order), 1:-1, 1:-1] = (images / limits).reshape(-1, side, side)
    mosaic = tiles.reshape(rows, columns, side + 2, side + 2).swapaxes(1, 2).reshape(rows * (side + 2), -1)
    figure = Figure(figsize=(10, rows * 10 / columns + 0.6), layout="constrained")
    figure.suptitle(f"The {len(order)} strongest of {len(w2)} hidden units{legend}")
    axes = figure.add_subplot()
    axes.axis("off")
    axes.imshow(mosaic, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    return figure


class LayerStatistics(NamedTuple):
    """A hidden layer, or the output, on some samples.

    Parameters
    ----------
    name
        Its name.
    activations
        Its activations, (M, N).
    gradients
        The gradients of the loss with respect to its weights.
    slopes
        The derivatives of its activation at these activations, without their signs, (M, N); 1 for the output.
    """

    name: str
    activations: npt.NDArray[np.floating]
    gradients: npt.NDArray[np.floating]
    slopes: npt.NDArray[np.floating]


def layers(statistics: Sequence[LayerStatistics]) -> Figure:
    """How the activations of each layer are distributed, and how large the gradients of its weights are.

    Parameters
    ----------
    statistics
        The layers, from the input to the output.

    Returns
    -------
    Figure
        The picture.
    """
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for layer, colour in zip(statistics, COLOURS, strict=False):
        values = layer.activations.ravel()
        counts, edges = np.histogram(values, bins=60)
        left.stairs(counts / len(values), edges, color=colour, label=layer.name)
        sizes = np.abs(layer.gradients.ravel())
        sizes = sizes[sizes > 0]
        if len(sizes):
            counts, edges = np.histogram(np.log10(sizes), bins=60)
            right.stairs(counts / len(sizes), edges, color=colour, label=layer.name)
    left.set(title="Activations", xlabel="activation", ylabel="share")
    logarithmic(left, "y")
    right.set(title="Gradients that are not 0", xlabel="log₁₀ |∂L/∂w|", ylabel="share")
    for axes in (left, right):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=8)
        tidy(axes)
    return figure


def surface(losses: npt.NDArray[np.floating], extent: float) -> Figure:
    """The loss along two directions from the weights, which are in the middle.

    Parameters
    ----------
    losses
        The losses, (n, n).
    extent
        How far the directions go, from -extent to extent.

    Returns
    -------
    Figure
        The picture.
    """
    figure = Figure(figsize=(5.4, 4.4), layout="constrained")
    axes = figure.subplots()
    at = np.linspace(-extent, extent, len(losses))
    levels = np.geomspace(max(losses.min(), 1e-12), losses.max() * 1.0001, 18) if losses.max() > losses.min() else 3
    light = ListedColormap(colormaps["viridis"](np.linspace(0.3, 0.75, 64)))  # to be read on light and dark pages
    contours = axes.contour(at, at, losses, levels=levels, cmap=light)
    axes.clabel(contours, fontsize=7, fmt="%.3g", colors=INK)
    axes.plot(0, 0, marker="o", color=TRAIN)
    axes.set(xlabel="along one random direction", ylabel="along another", aspect="equal")
    return figure
