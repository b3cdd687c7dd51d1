"""The parts of the report of a run: each a heading, a picture or a table, and what it says in words."""

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from mlcvkit import plots
from mlcvkit.arrays import PlainData
from mlcvkit.experiments import confusion_matrix
from mlcvkit.models import ACTIVATIONS, logit_loss
from mlcvkit.plots import LayerStatistics, predictions, short
from mlcvkit.report.page import Part, Table, number, percent
from mlcvkit.report.subjects import Subject
from mlcvkit.training import Hyperparameters
from mlcvlab.nn import Array

ASKED_FOR = ("optimizer", "learning_rate", "schedule", "batch_size", "epochs", "seed", "weight_decay", "dropout", "l2")
"""The hyperparameters that are told even where they are as usual."""
FLAT = 0.005
"""Through an activation with a smaller slope than this hardly any gradient passes."""

LOOKED_AT, ON_THE_SURFACE = 1000, 500
"""Samples that the layers, and the loss around the weights, are computed on."""
MOST_CLASSES, MOST_CURVES = 20, 10
BINS = 15
SURFACE_POINTS, SURFACE_EXTENT = 21, 1.0
WORST = 24


def run_parts(subject: Subject) -> Iterator[Part]:
    """The parts of the report of a run.

    Parameters
    ----------
    subject
        The model and its test samples.

    Yields
    ------
    Part
        The parts that there are.
    """
    measured = subject.X.shape[1] > 0
    yield _summary(subject)
    if isinstance(subject.saved.provenance.get("notes"), list):
        yield _notes(subject)
    if subject.saved.history.get("epoch"):
        yield _curves(subject)
    if measured:
        yield from _answers(subject)
    if subject.pixels is not None and subject.model.hidden_units:
        yield _units(subject)
    if measured and subject.model.hidden_units:
        yield _layers(subject)
    if measured:
        yield _surface(subject)


def _answers(subject: Subject) -> Iterator[Part]:
    """What it says beside what is right."""
    if not subject.classifies:
        yield _numbers(subject)
        return
    if len(subject.names) <= MOST_CLASSES:
        yield _confusion(subject)
    yield _roc(subject)
    if subject.has_probabilities:
        yield _calibration(subject)
    yield from _worst(subject)


def _notes(subject: Subject) -> Part:
    rows = [(str(note),) for note in subject.saved.provenance["notes"]]
    words = "Read these notes before you trust the numbers."
    return Part("Notes on the data", words, tables=[Table(("note",), rows)])


def _summary(subject: Subject) -> Part:
    model = subject.model
    rows = [("samples measured", f"{subject.X.shape[1]:,}")]
    if subject.X.shape[1]:
        if subject.classifies:
            rows.append(("accuracy", percent(float((subject.predicted == subject.truth).mean()))))
        loss = float(logit_loss(model.output, model.loss).value(subject.y, subject.z).mean())
        rows.append((f"loss ({model.loss}), without penalties", f"{loss:.4f}"))
    rows += [
        ("network", " → ".join(map(str, (len(subject.X), *model.hidden_units, len(subject.y))))),
        ("weights", f"{sum(w.size for w in model.W):,}"),
    ]
    rows += [(name.replace("_", " "), number(value)) for name, value in _told(subject.saved.configuration).items()]
    rows += [(name, str(value)) for name, value in subject.saved.provenance.items() if name in ("mlcvlab", "numpy")]
    words = subject.left_out if subject.X.shape[1] else subject.missing
    return Part("In short", words, tables=[Table(("", ""), rows)])


def _told(configuration: PlainData) -> PlainData:
    """The hyperparameters to tell: those that everyone asks for, and those that are not as usual."""
    usual = asdict(Hyperparameters()) | dict.fromkeys(ASKED_FOR)
    told = {name: configuration[name] for name in usual if name in configuration and name != "hidden_units"}
    return {name: value for name, value in told.items() if value != usual[name]}


def _curves(subject: Subject) -> Part:
    history = subject.saved.history
    words = f"Epochs: {len(history['epoch'])}."
    if "validation_loss" in history:
        losses = history["validation_loss"]
        best = int(np.argmin(losses))
        words += f" The validation loss was lowest, {losses[best]:.4f}, after epoch {best + 1}"
        rise = losses[-1] / losses[best] - 1 if losses[best] > 0 else 0.0
        words += f", and rose by {percent(rise)} after it: a sign of overfitting." if rise > 0.1 else "."
    return Part("Loss and accuracy over the epochs", words, "curves", plots.curves(history))


def _confusion(subject: Subject) -> Part:
    counts = confusion_matrix(subject.truth, subject.predicted, len(subject.names))
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    words = "No sample is wrong."
    if wrong.any():
        row, column = np.unravel_index(wrong.argmax(), wrong.shape)
        words = (
            f"{wrong.sum():,} of {counts.sum():,} are wrong; most often {subject.names[row]} is taken for "
            f"{subject.names[column]}, {wrong[row, column]:,} times."
        )
    return Part("Confusion matrix", words, "confusion", predictions.confusion(counts, subject.names))


def _roc(subject: Subject) -> Part:
    heading = "Receiver operating characteristic"
    chosen = [1] if len(subject.names) == 2 else range(len(subject.names))
    rates: dict[str, tuple[Array, Array, float]] = {}
    for index in chosen:
        truth = subject.truth == index
        if truth.any() and not truth.all():
            false, true, _ = metrics.roc_curve(truth, _evidence(subject, index))
            rates[subject.names[index]] = (false, true, float(metrics.auc(false, true)))
    if not rates:
        return Part(heading, "All samples are of one class: there is none.")
    worst = min(rates, key=lambda name: rates[name][2])
    more = f" or more for each class against the rest, least for {worst}" if len(rates) > 1 else ""
    drawn = dict(sorted(rates.items(), key=lambda item: item[1][2])[:MOST_CURVES])
    left_out = f" The {MOST_CURVES} lowest are drawn." if len(drawn) < len(rates) else ""
    words = f"The area below the curve is {rates[worst][2]:.4f}{more}.{left_out}"
    return Part(heading, words, "roc", predictions.roc(drawn))


def _evidence(subject: Subject, index: int) -> Array:
    """What ranks the samples for a class: the logarithm of its odds, which does not round to 1 as probabilities do."""
    z: Array = subject.z.astype(np.float64)
    evidence: Array = z[0] if len(z) == 1 else z[index]
    if subject.model.output == "softmax":
        others = np.delete(z, index, axis=0)
        highest = others.max(axis=0)
        evidence = evidence - highest - np.log(np.exp(others - highest).sum(axis=0))
    return evidence


def _calibration(subject: Subject) -> Part:
    sure = subject.probabilities.max(axis=0).astype(np.float64)
    correct = subject.predicted == subject.truth
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    some = counts > 0
    mean_sure = np.bincount(bins, sure, BINS)[some] / counts[some]
    share = np.bincount(bins, correct, BINS)[some] / counts[some]
    error = float((counts[some] * np.abs(mean_sure - share)).sum() / len(sure))
    bias = float(sure.mean() - correct.mean())
    words = f"Expected calibration error {percent(error)} in {BINS} bins. " + (
        "It is about as sure as it is right."
        if abs(bias) < 0.005
        else f"On average it is {percent(abs(bias))} {'surer than' if bias > 0 else 'less sure than'} it is right."
    )
    return Part("Calibration", words, "calibration", predictions.calibration(mean_sure, share, counts[some]))


def _worst(subject: Subject) -> Iterator[Part]:
    """The mistakes with the highest confidence."""
    wrong = np.flatnonzero(subject.predicted != subject.truth)
    if not len(wrong):
        return
    margin = np.abs(subject.z[0]) if len(subject.z) == 1 else subject.z.max(axis=0)
    surest = subject.probabilities.max(axis=0) if subject.has_probabilities else margin
    chosen = wrong[np.argsort(-surest[wrong], kind="stable")][:WORST]
    words = f"The {len(chosen)} of {len(wrong):,} mistakes in which it is most confident."
    listed = [
        (subject.names[subject.truth[i]], subject.names[subject.predicted[i]], f"{float(surest[i]):.4f}")
        for i in chosen
    ]
    if subject.pixels is not None:
        captions = [
            f"predicted {short(p, 9)},{' ' if len(p + truth) < 8 else chr(10)}is {short(truth, 12)}\n{sure}"
            for truth, p, sure in listed
        ]
        figure = predictions.images(subject.pictures(chosen), captions)
        yield Part("The worst mistakes", words, "mistakes", figure)
    else:
        certainty = "probability" if subject.has_probabilities else "margin"
        headings = ("row", "true class", "predicted", certainty, *_columns(subject))
        rows = [(f"{i + 1:,}", *line, *_row(subject, int(i))) for line, i in zip(listed, chosen, strict=True)]
        words += " Rows are counted from 1 among those that were measured."
        yield Part("The worst mistakes", words, tables=[Table(headings, rows)])


def _columns(subject: Subject, most: int = 8) -> list[str]:
    names = getattr(subject.raw, "columns", None)
    return list(names[:most]) if names is not None else [f"X{i}" for i in range(min(most, np.shape(subject.raw)[1]))]


def _row(subject: Subject, index: int, most: int = 8) -> list[str]:
    row = subject.raw.row(index) if hasattr(subject.raw, "row") else np.ravel(subject.raw[index])
    return [_plain(value) for value in row[:most]]


def _plain(value: object) -> str:
    """A value of a table as people write it: 38840, not 3.884e+04."""
    if isinstance(value, float) and 1e-4 <= abs(value) < 1e15:  # np.float64 is a float
        return np.format_float_positional(value, precision=6, fractional=False, trim="-")
    return number(value)


def _numbers(subject: Subject) -> Part:
    mean, scale = subject.scale
    truth, predicted = (mean + scale * values[0].astype(np.float64) for values in (subject.y, subject.z))
    error = predicted - truth
    r2 = f"R² {metrics.r2_score(truth, predicted):.4f}; " if len(truth) > 1 else ""
    words = (
        f"{r2}the root mean squared error is {np.sqrt((error**2).mean()):.4g}, and half of the errors are "
        f"below {np.median(np.abs(error)):.4g}."
    )
    return Part("Predicted and true", words, "numbers", predictions.numbers(truth, predicted))


def _units(subject: Subject) -> Part:
    (W1, _), (following, _) = subject.model.pairs(subject.model.W)[:2]
    w2 = following.T if len(following) == 1 else None
    figure = plots.hidden_units(subject.as_images(W1), w2, names=subject.names)
    return Part("The hidden units of the first layer, as images", "", "hidden_units", figure)


def layer_statistics(subject: Subject) -> list[LayerStatistics]:
    """What each hidden layer and the output do on some of the samples.

    Parameters
    ----------
    subject
        The model and its test samples.

    Returns
    -------
    list[LayerStatistics]
        The layers, from the input to the output.
    """
    model = subject.model
    X, y = subject.some(LOOKED_AT)
    gradients = model.pairs(model.emp_loss_grad(X, y))
    activation = ACTIVATIONS[model.activation]
    found, a = [], X
    for count, ((W, b), (gradient, _)) in enumerate(zip(model.pairs(model.W), gradients, strict=True), start=1):
        z = W @ a + (0 if b is None else b)
        if count == len(gradients):
            found.append(LayerStatistics("output, z", z, gradient, np.ones_like(z)))
        else:
            a, kept = activation.apply(z)
            found.append(LayerStatistics(f"hidden layer {count}", a, gradient, np.abs(activation.gradient(kept))))
    return found


def _layers(subject: Subject) -> Part:
    layers = layer_statistics(subject)
    activation = subject.model.activation
    sizes = [float(np.sqrt((layer.gradients.astype(np.float64) ** 2).mean())) for layer in layers]
    rows, warnings = [], []
    for layer, size in zip(layers, sizes, strict=True):
        units, hidden = len(layer.activations), layer is not layers[-1]
        flat = layer.slopes < FLAT
        dead, share = int(flat.all(axis=1).sum()), float(flat.mean())
        amiss = (str(dead), percent(share)) if hidden else ("", "")
        mean, deviation = f"{layer.activations.mean():.3g}", f"{layer.activations.std():.3g}"
        rows.append((layer.name, f"{units:,}", mean, deviation, *amiss, f"{size:.2e}"))
        if dead:
            warnings.append(f"{dead} of {units} units of {layer.name} are dead: their slope is below {FLAT} throughout")
        if share > 0.5 and activation != "relu":  # which is flat for every negative z
            warnings.append(f"{percent(share)} of the activations of {layer.name} are saturated: slopes below {FLAT}")
        if hidden and len(layer.activations) > 1 and np.ptp(layer.activations, axis=0).max() == 0:
            warnings.append(f"all units of {layer.name} are alike")
    if sizes[0] == 0 and sizes[-1] == 0:
        warnings.append("no gradient is left")
    elif sizes[0] == 0 or sizes[-1] / sizes[0] > 100:
        warnings.append("the gradient of the first layer is less than a hundredth of that of the last: it vanishes")
    flat_heading = f"slope below {FLAT}"
    headings = (
        "",
        "units",
        "mean activation",
        "its deviation",
        "dead units",
        flat_heading,
        "gradient (root mean square)",
    )
    words = f"On {min(LOOKED_AT, subject.X.shape[1]):,} samples. " + (
        "; ".join(warnings) if warnings else "No dead or saturated units and no vanishing gradient were found"
    )
    return Part("Layer by layer", words + ".", "layers", plots.layers(layers), [Table(headings, rows)])


def loss_surface(subject: Subject, points: int, extent: float, seed: int = 0) -> npt.NDArray[np.float64]:
    """The loss around the weights, along two random directions.

    Each direction is scaled, row by row, to the length of the weights.

    Parameters
    ----------
    subject
        The model and its test samples.
    points
        The number of points along each direction.
    extent
        How far to go along each direction; 1 is the length of the weights.
    seed
        The seed of the directions.

    Returns
    -------
    Array
        The losses, (points, points), with the weights in the middle.

    References
    ----------
    Li, Xu, Taylor, Studer, Goldstein (2018), "Visualizing the loss landscape of neural nets", section 4.
    """
    model = subject.model
    rng = np.random.default_rng(seed)
    X, y = subject.some(ON_THE_SURFACE)
    loss = logit_loss(model.output, model.loss)
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
    losses, start = np.empty((points, points)), list(model.W)
    try:
        for row, column in np.ndindex(points, points):
            a, b = at[row], at[column]
            moved = (w + a * u + b * v for w, u, v in zip(weights, *directions, strict=True))
            model.W = [w.astype(X.dtype) for w in moved]
            losses[row, column] = float(loss.value(y, model.logits(X)).mean())
    finally:
        model.W = start
    return losses


def _surface(subject: Subject) -> Part:
    losses = loss_surface(subject, SURFACE_POINTS, SURFACE_EXTENT)
    middle = losses[SURFACE_POINTS // 2, SURFACE_POINTS // 2]
    words = (
        f"Without its penalties the loss is {middle:.4g} at the weights, in the middle, and up to {losses.max():.3g} "
        f"elsewhere, on {min(ON_THE_SURFACE, subject.X.shape[1]):,} samples. At 1 along a direction the weights of "
        "every unit are moved at random by as much as they are long."
    )
    return Part("The loss around the weights", words, "surface", plots.surface(losses, SURFACE_EXTENT))
