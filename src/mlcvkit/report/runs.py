"""The parts of the report of a run: each a heading, a picture or a table, and what it says in words."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from mlcvkit import plots
from mlcvkit.models.outputs import loss_of_z
from mlcvkit.plots import LayerStatistics, predictions
from mlcvkit.report.page import Part, Table, number, percent
from mlcvkit.report.subjects import Subject
from mlcvlab.nn import Array
from mlcvlab.nn.activations import ACTIVATIONS

LOOKED_AT = 1000
"""Samples that the layers and the loss around the weights are computed on."""
MOST_CLASSES = 20
BINS = 15
SURFACE_POINTS, SURFACE_EXTENT = 25, 1.0
WORST = 24


def run_parts(subject: Subject) -> Iterator[Part]:
    """The parts that there are for a run."""
    yield _summary(subject)
    if subject.saved.history.get("epoch"):
        yield _curves(subject)
    if subject.classifies:
        if len(subject.names) <= MOST_CLASSES:
            yield _confusion(subject)
        yield _roc(subject)
        if subject.has_probabilities:
            yield _calibration(subject)
        yield from _worst(subject)
    else:
        yield _numbers(subject)
    if subject.side is not None and subject.model.hidden_units:
        yield _units(subject)
    if subject.model.hidden_units:
        yield _layers(subject)
    yield _surface(subject)


def _summary(subject: Subject) -> Part:
    model = subject.model
    rows = [("samples measured", f"{subject.X.shape[1]:,}")]
    if subject.classifies:
        amiss = str(dead) if activation == "relu" else percent(saturated)
        mean, deviation = f"{layer.activations.mean():.3g}", f"{layer.activations.std():.3g}"
        rows.append((layer.name, f"{len(layer.activations):,}", mean, deviation, amiss, f"{rms:.2e}"))
        if dead:
            warnings.append(f"{dead} of {len(layer.activations)} units of {layer.name} are dead")
    sizes = [float(np.sqrt((layer.gradients.astype(np.float64) ** 2).mean())) for layer in layers]
    if min(sizes) > 0 and sizes[-1] / sizes[0] > 100:
        warnings.append("the gradient of the first layer is less than a hundredth of that of the last: it vanishes")
    kind = "dead units" if activation == "relu" else "saturated"
    headings = ("", "units", "mean activation", "its deviation", kind, "gradient (root mean square)")
    words = f"On {min(LOOKED_AT, subject.X.shape[1]):,} samples. " + (
        "; ".join(warnings) if warnings else "Nothing is amiss"
    )
    return Part("Layer by layer", words + ".", "layers", plots.layers(layers), [Table(headings, rows)])


def loss_surface(subject: Subject, points: int, extent: float, seed: int = 0) -> npt.NDArray[np.float64]:
    """The loss around the weights along two random directions, each as long, row by row, as the weights are.

    Returns: (points, points); the weights are in the middle.
    Source: Li, Xu, Taylor, Studer, Goldstein (2018), "Visualizing the loss landscape of neural nets", section 4.
    """
    model = subject.model
    rng = np.random.default_rng(seed)
    X, y = subject.X[:, :LOOKED_AT], subject.y[:, :LOOKED_AT]
    weights = [w.astype(np.float64) for w in model.W]
    directions = []
    for _ in range(2):
        drawn = [rng.standard_normal(w.shape) for w in weights]
        for direction, w in zip(drawn, weights, strict=True):
            axis = 0 if w is weights[-1 - model.biases] else 1
            length = np.linalg.norm(direction, axis=axis, keepdims=True)
            direction *= np.linalg.norm(w, axis=axis, keepdims=True) / np.maximum(length, 1e-12)
        directions.append(drawn)
    at = np.linspace(-extent, extent, points)
    losses = np.empty((points, points))
    for row, column in np.ndindex(points, points):
        moved = [
            (w + at[row] * u + at[column] * v).astype(X.dtype) for w, u, v in zip(weights, *directions, strict=True)
        ]
        losses[row, column] = model.emp_loss(X, y, moved)
    return losses


def _surface(subject: Subject) -> Part:
    losses = loss_surface(subject, SURFACE_POINTS, SURFACE_EXTENT)
    middle = losses[SURFACE_POINTS // 2, SURFACE_POINTS // 2]
    words = (
        f"The loss is {middle:.4g} at the weights, in the middle, and up to {losses.max():.3g} where they are changed "
        "at random by as much as they are large. Both directions are scaled to the length of each unit's weights."
    )
    return Part("The loss around the weights", words, "surface", plots.surface(losses, SURFACE_EXTENT))
