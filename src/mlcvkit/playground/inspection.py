"""What is inside a network: its hidden units, a sample's path through it, the plane, its mistakes, one step."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvkit import datasets
from mlcvkit.datasets import SIDE
from mlcvkit.models import ACTIVATIONS, LOSSES, MLP, OUTPUTS, logit_loss
from mlcvkit.playground.experiments import PAINTED
from mlcvkit.playground.networks import Network
from mlcvkit.playground.points import classes_of
from mlcvlab.nn import Array

UNITS = 24
"""The number of hidden units that are shown."""
GRID = 40
"""Points on either side of the plane of a two-dimensional set."""
UNIT_GRID = 20
MOST_LOOKED_AT = 500
"""Dead units are found by at most this many training samples."""
INK_SIDE = 20
"""MNIST's digits fit into a square of this many pixels, and their centre of mass is the centre of the image."""

Bytes = npt.NDArray[np.int8]


class Unit(NamedTuple):
    """A hidden unit as a picture, from -127 to 127, and its weight to each output."""

    number: int
    pixels: Bytes
    weights: Array


def strongest_units(network: Network, most: int = UNITS) -> list[int]:
    """The hidden units of the first layer with the largest weights."""
    first, following = network.layers[:2]
    size = np.linalg.norm(following[0], axis=0) * np.linalg.norm(first[0], axis=1)
    return [int(unit) for unit in np.argsort(-size, kind="stable")[:most]]


def unit_pictures(network: Network, numbers: list[int]) -> list[Unit]:
    """Units of the first hidden layer: their weights as an image, or their activations over the plane."""
    (W1, b1), (W2, _) = network.layers[:2]
    if network.experiment.has_images:
        pictures = W1[numbers]
    else:
        z = W1[numbers] @ plane(network, UNIT_GRID)[2] + (0 if b1 is None else b1[numbers])
        pictures = ACTIVATIONS[network.mlp.activation].function(z)
    return [Unit(n, as_bytes(p), W2[:, n]) for n, p in zip(numbers, pictures, strict=True)]


def as_bytes(values: Array) -> Bytes:
    """Numbers scaled to -127 to 127."""
    largest = float(np.abs(values).max(initial=0))
    if not np.isfinite(largest) or largest == 0:
        return np.zeros(np.shape(values), np.int8)
    return np.round(values * (127 / largest)).astype(np.int8)


def plane(network: Network, points: int) -> tuple[tuple[float, float], tuple[float, float], Array]:
    """The limits of a two-dimensional set, and a grid of points over it: columns, row by row from the top."""
    if network.experiment.data == PAINTED:  # whose frame is fixed
        low, high = network.prepared.encoder.transform(np.array([[-1.0, -1.0], [1.0, 1.0]]))
        margin = 0 * low
    else:
        X = np.hstack([network.train[0], network.held_out[0]])
        low, high = X.min(axis=1), X.max(axis=1)
        margin = 0.1 * (high - low)
    (left, bottom), (right, top) = low - margin, high + margin
    x, y = np.meshgrid(np.linspace(left, right, points), np.linspace(top, bottom, points))
    return (
        (float(left), float(right)),
        (float(bottom), float(top)),
        np.stack([x.ravel(), y.ravel()]).astype(network.train[0].dtype),
    )


def surface(network: Network) -> Bytes:
    """The predictions over the plane: from -127, certainly class 0, to 127, certainly class 1.

    For other classes than these two: 32 times the likeliest class, plus its probability above chance, from 0 to 31.
    """
    answers = np.nan_to_num(network.mlp.predict(plane(network, GRID)[2]))
    colours = colours_of(network)
    if colours == [0, 1]:
        between: Bytes = np.round((2 * answers[0] - 1) * 127).astype(np.int8)
        return between
    answers = _of_each_class(answers)
    sure = (answers.max(axis=0) - 1 / len(answers)) / (1 - 1 / len(answers))
    as_numbers: Bytes = (32 * np.array(colours)[answers.argmax(axis=0)] + np.round(31 * sure)).astype(np.int8)
    return as_numbers


def colours_of(network: Network) -> list[int]:
    """The colour of each class of a two-dimensional set."""
    points = network.experiment.points
    return classes_of(points) if points else [0, 1]


def points_on_plane(network: Network) -> list[list[float]]:
    """The samples: x and y from 0 to 1 from the left and the top, the colour, and 0 for training or 1 for held out."""
    rows, colours = [], colours_of(network)
    for kind, (X, y) in enumerate((network.train, network.held_out)):
        across, down = place_on_plane(network, X)
        placed = zip(across, down, classes(y), strict=True)
        rows += [[round(float(a), 3), round(float(d), 3), colours[int(c)], kind] for a, d, c in placed]
    return rows


def classes(y: Array) -> npt.NDArray[np.intp]:
    """The class of each target or prediction, (C, N)."""
    found: npt.NDArray[np.intp] = y.argmax(axis=0) if len(y) > 1 else (y[0] >= 0.5).astype(int)
    return found


def _of_each_class(y_hat: Array) -> Array:
    return y_hat if len(y_hat) > 1 else np.vstack([1 - y_hat, y_hat])


def is_bright(network: Network) -> bool:
    """Whether most of the images are bright, with dark ink."""
    return bool(np.median(network.train[0]) > 0.5)


def place_on_plane(network: Network, X: Array) -> tuple[Array, Array]:
    """Where samples lie in the picture of the plane: from 0 to 1 from the left, and from the top."""
    (left, right), (bottom, top), _ = plane(network, 2)
    return (X[0] - left) / (right - left), (top - X[1]) / (top - bottom)


@dataclass(frozen=True)
class Path:
    """A sample's path through the network.

    ``layers`` are the activations of each hidden layer; ``added``, (M, C), is what each unit of the last hidden layer
    adds to each logit; ``z`` are the logits and ``answers`` the predictions, (C,).
    """

    layers: list[Array]
    added: Array
    bias: Array
    z: Array
    answers: Array

    @property
    def predicted(self) -> int:
        """The predicted class."""
        return int(classes(self.answers[:, None])[0])


def path(network: Network, x: Array) -> Path:
    """The path of one sample, a column (K, 1), through the network."""
    W, b = network.layers[-1]
    layers = [a[:, 0] for _, a in hidden(network, x)]
    bias = np.zeros(len(W), W.dtype) if b is None else b[:, 0]
    z = W @ layers[-1] + bias
    return Path(layers, (W * layers[-1]).T, bias, z, OUTPUTS[network.mlp.output].function(z[:, None])[:, 0])


def hidden(network: Network, x: Array) -> list[tuple[Array, Array]]:
    """The sums z and the activations of each hidden layer for samples, columns."""
    found: list[tuple[Array, Array]] = []
    a = x
    for W, b in network.layers[:-1]:
        z = W @ a + (0 if b is None else b)
        a = ACTIVATIONS[network.mlp.activation].function(z)
        found.append((z, a))
    return found


def centred(pixels: npt.NDArray[np.uint8]) -> Array | None:
    """A drawing, (28, 28), prepared as MNIST was: scaled to 20 pixels and centred by its mass; a column of 0 to 1.

    Returns: None for an empty drawing.
    Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits".
    """
    from PIL import Image

    rows, columns = np.nonzero(pixels > 32)
    if not len(rows):
        return None
    box = pixels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = INK_SIDE / max(box.shape)
    height, width = (max(1, round(side * scale)) for side in box.shape)
    ink = np.asarray(Image.fromarray(box).resize((width, height), Image.Resampling.BILINEAR), np.float32)
    mass = ink.sum()
    down, across = (ink.sum(axis=1) @ np.arange(height)) / mass, (ink.sum(axis=0) @ np.arange(width)) / mass
    top, left = (int(np.clip(round(SIDE / 2 - at), 0, SIDE - size)) for at, size in ((down, height), (across, width)))
    image = np.zeros((SIDE, SIDE), np.float32)
    image[top : top + height, left : left + width] = ink
    return image.reshape(-1, 1) / 255


NO_ANSWER = -1
"""In place of a predicted class where the network has diverged."""


class Confusion(NamedTuple):
    """A confusion matrix: ``counts[i, j]`` samples of class ``rows[i]`` were predicted as ``columns[j]``.

    ``truth`` and ``predicted``, (N,), are the indices of each sample; ``sure``, (N,), is the probability of the
    predicted class.
    """

    rows: list[str]
    columns: list[str]
    counts: npt.NDArray[np.intp]
    truth: npt.NDArray[np.intp]
    predicted: npt.NDArray[np.intp]
    sure: Array
    of: str

    def is_right(self, row: Any, column: Any) -> Any:
        """Whether predictions are right; for even and odd the rows are the digits."""
        return row == column if self.rows == self.columns else (row % 2 == 0) == (column == 1)

    def cell(self, row: int, column: int, most: int) -> npt.NDArray[np.intp]:
        """The samples of a cell, those with the highest probability first."""
        found = np.flatnonzero((self.truth == row) & (self.predicted == column))
        return found[np.argsort(-self.sure[found], kind="stable")][:most]


def confusion(network: Network) -> Confusion:
    """The confusion matrix on MNIST's 10,000 test images, or on the held-out samples of other data.

    For even and odd its rows are the ten digits: which of them are mistaken?
    """
    if network.experiment.is_mnist:
        truth, of = datasets.mnist().test_y.astype(int), "test images of MNIST"
        rows = [str(digit) for digit in range(10)]
    else:
        truth = classes(network.held_out[1])
        rows, of = network.class_names, "held-out samples"
    answers = network.mlp.predict(tested(network))
    predicted, answers = classes(answers), _of_each_class(answers)
    counts = np.zeros((len(rows), len(answers)), int)
    predicted = np.full_like(predicted, NO_ANSWER) if network.has_diverged else predicted
    np.add.at(counts, (truth[predicted != NO_ANSWER], predicted[predicted != NO_ANSWER]), 1)
    return Confusion(rows, network.class_names, counts, truth, predicted, answers.max(axis=0), of)


def tested(network: Network) -> Array:
    """The samples of the confusion matrix, columns."""
    if network.experiment.is_mnist:
        return datasets.scale_images(datasets.mnist().test_X).T
    return network.held_out[0]


def parity_mistakes(counts: npt.NDArray[np.intp]) -> tuple[int, int]:
    """Of the mistakes with ten digits, how many change the parity, and how many do not."""
    same = np.equal.outer(np.arange(10) % 2, np.arange(10) % 2)
    return int(counts[~same].sum()), int(counts[same].sum() - np.trace(counts))


class Stage(NamedTuple):
    """One step forward or back for one sample: its equation in TeX, and with the numbers."""

    name: str
    equation: str
    numbers: str


def stages(network: Network, x: Array, y: Array, learning_rate: float, unit: int) -> list[Stage]:
    """One sample forward and its gradient back, through one hidden unit of the first layer.

    Parameters: ``x``, (K, 1); ``y``, (C, 1); ``unit``, the number of the hidden unit.
    """
    mlp = network.mlp
    walk = path(network, x)
    pairs = network.layers
    delta = logit_loss(mlp.output, mlp.loss).gradient(y, walk.z[:, None])
    upstream, delta1 = (value + 0.0 for value in _backward(network, x, delta, unit))  # -0 is shown as 0
    loss = float(logit_loss(mlp.output, mlp.loss).value(y, walk.z[:, None])[0])
    gradients = mlp.pairs(mlp.grad(x, y))
    W1, b1 = pairs[0]
    z1 = float(W1[unit] @ x[:, 0] + (0 if b1 is None else b1[unit, 0]))
    a1 = float(walk.layers[0][unit])
    biased = b1 is not None
    largest = int(np.argmax(np.abs(x[:, 0])))
    j, g, w = largest + 1, float(gradients[0][0][unit, largest]) + 0.0, float(W1[unit, largest])
    i, last = unit + 1, "L" if len(pairs) > 2 else "2"
    terms = _terms(W1[unit], x[:, 0], None if b1 is None else float(b1[unit, 0]))
    c = int(y.argmax()) if len(y) > 1 else 0
    of = f" of class {network.class_names[c].removeprefix('class ')}" if len(y) > 1 else ""
    sums = _terms(pairs[-1][0][c], walk.layers[-1], float(walk.bias[c]) if biased else None)
    output = {"sigmoid": r"\sigma"}.get(mlp.output, rf"\mathrm{{{mlp.output}}}")
    sigma, named, plus = mlp.activation, rf"\mathrm{{{mlp.activation}}}", " + b" if biased else ""
    forward = [
        Stage("Input", "x", _vector(x[:, 0])),
        Stage(f"Hidden unit {i}: the sum", rf"z_1 = \sum_k W_1[{i},k]\, x_k{plus}", f"{terms} = {z1:.4f}"),
        Stage(f"Hidden unit {i}: its activation", f"a_1 = {named}(z_1)", f"{sigma}({z1:.4f}) = {a1:.4f}"),
        Stage(f"Output: the sum{of}", rf"z_{last} = \sum_m w_m\, a_m{plus}", f"{sums} = {walk.z[c]:.4f}"),
        Stage("Output", rf"\hat y = {output}(z_{last})", _vector(walk.answers)),
        Stage("Loss", LOSSES[str(mlp.loss)].latex, f"y = {_vector(y[:, 0])}, ℓ = {loss:.4f}"),
    ]
    sigma_slope = _slope(mlp, z1, a1)
    slope = f"{upstream:.4g} · {sigma}'({z1:.4f}) = {upstream:.4g} · {sigma_slope:.4g} = {delta1:.4g}"
    product = f"{delta1:.4g} · {float(x[largest, 0]):.4f} = {g:.4g}"
    derivative = rf"\frac{{\partial \ell}}{{\partial W_1[{i},{j}]}}"
    change = learning_rate * g
    places = _places(change)
    stepped = f"{w:.{places}f} - {learning_rate:g} · {g:.4g} = {w - change:.{places}f}"
    return [
        *forward,
        Stage(
            "Back: at the output", rf"\delta_{last} = \frac{{\partial \ell}}{{\partial z_{last}}}", _vector(delta[:, 0])
        ),
        Stage(
            f"Back: at hidden unit {i}",
            rf"\delta_1 = \frac{{\partial \ell}}{{\partial a_1}} \cdot {named}^{{\prime}}(z_1)",
            slope,
        ),
        Stage("The gradient of a weight", rf"{derivative} = \delta_1\, x_{{{j}}}", product),
        Stage(
            "The step of plain gradient descent",
            rf"W_1[{i},{j}] \leftarrow W_1[{i},{j}] - \alpha {derivative}",
            stepped,
        ),
    ]


def _backward(network: Network, x: Array, delta: Array, unit: int) -> tuple[float, float]:
    """∂ℓ/∂a₁ and ∂ℓ/∂z₁ of a unit of the first hidden layer, from ∂ℓ/∂z of the outputs, layer by layer."""
    activation = ACTIVATIONS[network.mlp.activation]
    for (z, a), (W, _) in zip(reversed(hidden(network, x)), reversed(network.layers), strict=False):
        upstream = W.T @ delta
        delta = upstream * activation.gradient(z if activation.of_input else a)
    return float(upstream[unit, 0]), float(delta[unit, 0])


def _places(change: float, fewest: int = 5, most: int = 12) -> int:
    """The number of decimal places that shows two digits of a change."""
    size = abs(change)
    return min(max(fewest, 1 - math.floor(math.log10(size))), most) if 0 < size < math.inf else fewest


def _slope(mlp: MLP, z: float, a: float) -> float:
    activation = ACTIVATIONS[mlp.activation]
    return float(activation.gradient(np.array([z if activation.of_input else a]))[0])


def _vector(values: Array, most: int = 6) -> str:
    count = len(values)
    values = values[np.argsort(-np.abs(values), kind="stable")[:most]] if len(values) > 12 else values
    shown = ", ".join(f"{float(value):.4g}" for value in values)
    most_of_all = f", the largest of {count:,}" if count > len(values) else ""
    return f"({shown}){most_of_all}" if count > 1 else shown


def _terms(weights: Array, inputs: Array, bias: float | None, most: int = 3) -> str:
    """The largest terms of a sum, and the sum of the others."""
    terms = weights * inputs
    order = np.argsort(-np.abs(terms), kind="stable")
    shown = [f"{float(weights[k]):.3f}·{float(inputs[k]):.3f}" for k in order[:most]]
    rest = float(terms[order[most:]].sum())
    shown += [f"({len(terms) - most} more: {rest:.3f})"] if len(terms) > most else []
    shown += [] if bias is None else [f"{bias:.3f}"]
    return " + ".join(shown)


def is_always_positive(network: Network) -> bool:
    """Whether the activation is above 0 whatever the sum is, such as a sigmoid, so that a unit never rests."""
    return float(ACTIVATIONS[network.mlp.activation].function(np.full(1, -10.0))[0]) > 0


def dead_units(network: Network) -> tuple[int, int]:
    """The number of dead units in all hidden layers, and the number of training samples looked at.

    A dead unit is 0 for all of them; only a ReLU can be dead.
    """
    X = network.train[0][:, :MOST_LOOKED_AT]
    layers = hidden(network, X) if network.mlp.activation == "relu" else []
    return sum(int((a.max(axis=1) <= 0).sum()) for _, a in layers), X.shape[1]
