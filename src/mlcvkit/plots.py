"""Pictures of arrays: the curves of a training, and what a network has learned. No screen is needed."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

TRAIN, VALIDATION = "#2f6fb3", "#d9822b"


def curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """The loss, and the accuracy or R² where it was measured, over the epochs, for the training and validation samples.

    Arguments: ``history`` as ``mlcvkit.training.fit`` returns it, of at least one epoch.
    """
    labels = {"loss": "Loss", "accuracy": "Accuracy", "r2": "R²"}
    shown = [name for name in labels if f"train_{name}" in history]
    figure = Figure(figsize=(5 * len(shown), 3.8), layout="constrained")
    marker = "o" if len(history["epoch"]) <= 50 else ""
    for axes, name in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        for part, colour in (("train", TRAIN), ("validation", VALIDATION)):
            values = history.get(f"{part}_{name}")
            if values:
                axes.plot(history["epoch"], values, color=colour, marker=marker, markersize=3)
                axes.annotate(
                    f" {part} {values[-1]:.4f}", (history["epoch"][-1], values[-1]), color=colour, va="center"
                )
        axes.set(title=labels[name], xlabel="Epoch")
        axes.margins(x=0.28)
        axes.set_xlim(left=min(history["epoch"]) - 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def hidden_units(W1: npt.ArrayLike, w2: npt.ArrayLike, *, most: int = 60) -> Figure:
    """The hidden units as square images, those that matter most first.

    Each image is a row of W1 times the sign of its weight to the output: red pixels speak for an even digit, blue ones
    for an odd one. A unit matters by |w2| times the length of its row.

    Arguments: ``W1``, (M, K) with a square K; ``w2``, (M, 1); ``most``, how many units are shown.
    Raises: ValueError where K is not a square.
    """
    W1, w2 = np.asarray(W1), np.asarray(w2).ravel()
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
    figure.suptitle(f"The {len(order)} strongest of {len(w2)} hidden units: red speaks for even, blue for odd")
    axes = figure.add_subplot()
    axes.axis("off")
    axes.imshow(mosaic, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    return figure
