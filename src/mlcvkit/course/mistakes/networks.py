"""The mistakes of Problem 2: what NN2's methods return with one, from the right value, the weights and the samples.

Gradients are one array, that of W₁ and then that of w₂.
"""

from collections.abc import Callable, Sequence

import numpy as np

from mlcvkit.course.checks import Array, Catalogue, Mistaken
from mlcvkit.course.mistakes import HALF, TWICE, ZEROS, naive_sigmoid, ratio


def _signal(W: Sequence[Array], x: Array) -> tuple[Array, Array, Array]:
    """z₁, its ReLU, and ŷ."""
    z1 = W[0] @ x
    a1 = np.maximum(z1, 0)
    return z1, a1, naive_sigmoid(W[1].T @ a1)


def _gradients(W: Sequence[Array], x: Array, delta2: Array, slope: Array | None = None) -> Array:
    """Both gradients, one after the other, from δ₂ and the slope of the hidden activation."""
    z1, a1, _ = _signal(W, x)
    slope = (z1 > 0) * 1.0 if slope is None else slope
    return _joined((W[1] @ delta2 * slope) @ x.T, a1 @ delta2.T)


def _joined(*gradients: Array) -> Array:
    return np.concatenate([gradient.ravel() for gradient in gradients])


def _of_delta(delta2: Callable[[Array, Array], Array]) -> Mistaken:
    """Gradients with another δ₂, from y and ŷ."""
    return lambda e, own, x, y, W: _gradients(W, x, delta2(y, _signal(W, x)[2]))


def _of_slope(slope: Callable[[Array], Array]) -> Mistaken:
    """Gradients with another slope of the hidden layer, from z₁."""
    return lambda e, own, x, y, W: _gradients(W, x, _signal(W, x)[2] - y, slope(W[0] @ x))


def _of_layers(gradients: Callable[[Array, Array, Array, Array, Sequence[Array]], tuple[Array, Array]]) -> Mistaken:
    """Other gradients of the two layers, from z₁, its ReLU, δ₂, x and the weights."""

    def mistaken(e: Array, own: Sequence[Array], x: Array, y: Array, W: Sequence[Array]) -> Array:
        z1, a1, y_hat = _signal(W, x)
        return _joined(*gradients(z1, a1, y_hat - y, x, W))

    return mistaken


def _right(z1: Array, a1: Array, delta2: Array, x: Array, W: Sequence[Array]) -> tuple[Array, Array]:
    return (W[1] @ delta2 * (z1 > 0)) @ x.T, a1 @ delta2.T


def _slope(p: Array) -> Array:
    return np.asarray(p * (1 - p))


def _forward(signal: Callable[[Array, Sequence[Array]], Array]) -> Mistaken:
    return lambda e, own, x: signal(x, own)


FORWARD: Catalogue = {
    "no_hidden_activation": (
        "the hidden layer's ReLU is missing",
        _forward(lambda x, W: naive_sigmoid(W[1].T @ (W[0] @ x))),
    ),
    "no_output_activation": (
        "the sigmoid of the output is missing: it is z₂",
        _forward(lambda x, W: W[1].T @ np.maximum(W[0] @ x, 0)),
    ),
    "hidden_sigmoid": (
        "the hidden activation is the sigmoid: it is ReLU",
        _forward(lambda x, W: naive_sigmoid(W[1].T @ naive_sigmoid(W[0] @ x))),
    ),
    "hidden_tanh": (
        "the hidden activation is tanh: it is ReLU",
        _forward(lambda x, W: naive_sigmoid(W[1].T @ np.tanh(W[0] @ x))),
    ),
    "activations_swapped": (
        "the activations are swapped: ReLU is the hidden one, the sigmoid the output's",
        _forward(lambda x, W: np.maximum(W[1].T @ naive_sigmoid(W[0] @ x), 0)),
    ),
    "output_tanh": (
        "the output's activation is tanh: it is the sigmoid",
        _forward(lambda x, W: np.tanh(W[1].T @ np.maximum(W[0] @ x, 0))),
    ),
    "output_relu": (
        "the output's activation is ReLU: it is the sigmoid",
        _forward(lambda x, W: np.maximum(W[1].T @ np.maximum(W[0] @ x, 0), 0)),
    ),
    "sigmoid_twice": (
        "the sigmoid is taken twice",
        _forward(lambda x, W: naive_sigmoid(naive_sigmoid(W[1].T @ np.maximum(W[0] @ x, 0)))),
    ),
    "step_output": (
        "the probability is cut at 0.5 already: the network's answer is the probability",
        _forward(lambda x, W: (W[1].T @ np.maximum(W[0] @ x, 0) >= 0) * 1.0),
    ),
    "complement": ("it is 1 - ŷ: the sign of z₂ is reversed", lambda e, own, x: 1 - e),
    "averaged": (
        "it is averaged over the samples: each has its own prediction",
        lambda e, own, x: np.mean(e, keepdims=True),
    ),
    "averaged_units": (
        "the hidden units are averaged, not summed",
        _forward(lambda x, W: naive_sigmoid(W[1].T @ np.maximum(W[0] @ x, 0) / len(W[1]))),
    ),
    "first_sample": ("only the first sample is looked at", lambda e, own, x: np.repeat(e[:, :1], e.shape[1], axis=1)),
}

NETWORK: Catalogue = {
    "l2_loss_as_printed": (
        "it is the gradient of the ℓ₂ loss with the sign that the handout prints (erratum 1), and leads uphill",
        _of_delta(lambda y, p: np.sign(y - p) * _slope(p)),
    ),
    "l2_norm_of_batch": (
        "the ℓ₂ norm is taken of all samples' errors together: each sample has a loss of its own, and grad sums them",
        _of_delta(lambda y, p: (p - y) / np.sqrt(np.sum((p - y) ** 2)) * _slope(p)),
    ),
    "squared_mean_of_batch": (
        "the squared errors are averaged over the samples: each sample has a loss of its own, and grad sums them",
        _of_delta(lambda y, p: 2 * (p - y) / p.size * _slope(p)),
    ),
    "swapped": (
        "the two gradients are in the other order: it is [∇_W₁, ∇_w₂]",
        lambda e, own, x, y, W: np.concatenate([e[W[0].size :], e[: W[0].size]]),
    ),
    "l2_loss": (
        "it is the gradient of the ℓ₂ loss: the docstring's is cross-entropy",
        _of_delta(lambda y, p: np.sign(p - y) * _slope(p)),
    ),
    "squared_loss": (
        "it is the gradient of the squared error: the docstring's is cross-entropy",
        _of_delta(lambda y, p: 2 * (p - y) * _slope(p)),
    ),
    "half_squared_loss": (
        "it is the gradient of half the squared error: the docstring's is cross-entropy, whose δ₂ is ŷ - y",
        _of_delta(lambda y, p: (p - y) * _slope(p)),
    ),
    "sign": ("the sign is reversed: this gradient leads uphill", lambda e, *_: -e),
    "stale_prediction": (
        "it is the gradient at the model's own weights, not at the W that is given: the prediction is stale",
        lambda e, own, x, y, W: _gradients(own, x, _signal(own, x)[2] - y),
    ),
    "stale_prediction_only": (
        "the prediction ŷ comes from the model's own weights, the rest from the W that is given",
        lambda e, own, x, y, W: _gradients(W, x, _signal(own, x)[2] - y),
    ),
    "no_activation_derivative": (
        "the derivative of the hidden layer's ReLU is missing in ∇_z₁: units that are off get a gradient too",
        _of_slope(np.ones_like),
    ),
    "no_output_derivative": (
        "the derivative of the output's sigmoid is missing: ∇_z₂ ℓ = ∇_ŷ ℓ · σ₂'",
        _of_delta(lambda y, p: (1 - y) / (1 - p) - y / p),
    ),
    "output_derivative_twice": (
        "the sigmoid's derivative is multiplied twice: ŷ - y contains it already",
        _of_delta(lambda y, p: (p - y) * _slope(p)),
    ),
    "output_derivative_of_x": (
        "the sigmoid's derivative is taken at ŷ as if it were z₂: the argument is the output already",
        _of_delta(lambda y, p: (p - y) / _slope(p) * _slope(naive_sigmoid(p))),
    ),
    "output_derivative_of_z": (
        "the sigmoid's derivative is taken at z₂: its argument is the output, ŷ",
        lambda e, own, x, y, W: _gradients(W, x, _loss_slope(y, _signal(W, x)[2]) * _slope(W[1].T @ _signal(W, x)[1])),
    ),
    "hidden_derivative_of_sigmoid": (
        "the hidden layer's derivative is that of the sigmoid: its activation is ReLU",
        _of_slope(lambda z: _slope(naive_sigmoid(z))),
    ),
    "hidden_derivative_of_output": (
        "the hidden layer's derivative is a1 (1 - a1): its activation is ReLU, not the sigmoid",
        _of_slope(lambda z: _slope(np.maximum(z, 0))),
    ),
    "relu_instead_of_derivative": (
        "∇_z₁ is multiplied by ReLU itself: its derivative is 1 where the unit is active",
        _of_slope(lambda z: np.maximum(z, 0)),
    ),
    "reversed_derivative": (
        "the derivative of ReLU is the wrong way round: it is 1 where the unit is active",
        _of_slope(lambda z: (z <= 0) * 1.0),
    ),
    "no_weights": (
        "w₂ is missing in ∇_z̃₁ ℓ = w₂ · ∇_z₂ ℓ",
        _of_layers(lambda z, a, d, x, W: ((np.ones_like(W[1]) @ d * (z > 0)) @ x.T, a @ d.T)),
    ),
    "before_activation": (
        "∇_w₂ is taken with z₁: it is with z̃₁ = σ₁(z₁)",
        _of_layers(lambda z, a, d, x, W: (_right(z, a, d, x, W)[0], z @ d.T)),
    ),
    "no_delta": (
        "∇_w₂ is z̃₁ alone: the factor ∇_z₂ ℓ is missing",
        _of_layers(lambda z, a, d, x, W: (_right(z, a, d, x, W)[0], a.sum(axis=1, keepdims=True))),
    ),
    "no_input": (
        "∇_W₁ lacks the factor xᵀ",
        _of_layers(lambda z, a, d, x, W: ((W[1] @ d * (z > 0)) @ np.ones_like(x).T, a @ d.T)),
    ),
    "sign_of_hidden_layer": (
        "∇_W₁ has the wrong sign, ∇_w₂ is right",
        _of_layers(lambda z, a, d, x, W: (-_right(z, a, d, x, W)[0], a @ d.T)),
    ),
    "sign_of_output_layer": (
        "∇_w₂ has the wrong sign, ∇_W₁ is right",
        _of_layers(lambda z, a, d, x, W: (_right(z, a, d, x, W)[0], -(a @ d.T))),
    ),
    "hidden_layer_zero": (
        "∇_W₁ is 0: nothing comes back to the first layer",
        _of_layers(lambda z, a, d, x, W: (0 * W[0], a @ d.T)),
    ),
    "output_layer_zero": ("∇_w₂ is 0", _of_layers(lambda z, a, d, x, W: (_right(z, a, d, x, W)[0], 0 * W[1]))),
    "hidden_layer_transposed": (
        "∇_W₁ is transposed: it has the shape of W₁, (M, K)",
        _of_layers(lambda z, a, d, x, W: (_right(z, a, d, x, W)[0].T, a @ d.T)),
    ),
    "missing_output": ("ŷ is missing: δ₂ is -y", _of_delta(lambda y, p: -y + 0 * p)),
    "missing_target": ("y is missing: δ₂ is ŷ", _of_delta(lambda y, p: p + 0 * y)),
    "thresholded": (
        "the prediction is cut at 0.5 before the error is taken: ŷ is a probability",
        _of_delta(lambda y, p: (p >= 0.5) - y),
    ),
    "averaged": (
        "it is divided by the number of samples: grad is of the summed loss, the mean is the empirical risk's",
        lambda e, own, x, y, W: e / x.shape[1],
    ),
    "last_sample": (
        "only the last sample counts",
        lambda e, own, x, y, W: _gradients(W, x[:, -1:], _signal(W, x[:, -1:])[2] - y[:, -1:]),
    ),
    "first_sample": (
        "only the first sample counts",
        lambda e, own, x, y, W: _gradients(W, x[:, :1], _signal(W, x[:, :1])[2] - y[:, :1]),
    ),
    "vanishing_product": (
        "where the sigmoid is saturated and wrong, its derivative is 0 and the loss's has no end: their "
        "product is ŷ - y",
        lambda e, own, x, y, W: _gradients(W, x, _unfused(y, _signal(W, x)[2])),
    ),
    "twice": TWICE,
    "half": HALF,
    "zeros": ZEROS,
}

EMPIRICAL: Catalogue = {
    "missing_mean": ("it is N times the right one: is the mean, 1/N, missing?", lambda e, own, X, y, W: e * X.shape[1]),
    "mean_twice": (
        "it is the right one divided by N once more: the mean is taken twice",
        lambda e, own, X, y, W: e / X.shape[1],
    ),
    "divided_by_features": (
        "it is divided by the number of features: N is the number of samples, the columns",
        lambda e, own, X, y, W: e * X.shape[1] / X.shape[0],
    ),
    "one_less": ("it is divided by N - 1: the mean has N", lambda e, own, X, y, W: e * X.shape[1] / (X.shape[1] - 1)),
    "first_sample": ("only the first sample counts", lambda e, own, X, y, W: _of_sample(W, X, y, 0)),
    "last_sample": (
        "only the last sample counts: is the sum set anew in the loop?",
        lambda e, own, X, y, W: _of_sample(W, X, y, -1),
    ),
    "last_sample_averaged": (
        "only the last sample counts, divided by N: is the sum set anew in the loop?",
        lambda e, own, X, y, W: _of_sample(W, X, y, -1) / X.shape[1],
    ),
    "without_last_sample": (
        "the last sample is left out: does the loop end one too early?",
        lambda e, own, X, y, W: e - _of_sample(W, X, y, -1) / X.shape[1],
    ),
    "without_first_sample": (
        "the first sample is left out: the loop starts at 0",
        lambda e, own, X, y, W: e - _of_sample(W, X, y, 0) / X.shape[1],
    ),
    "sum_of_squares": (
        "the ℓ₂ norm of the whole batch is taken as one loss: the risk is the mean of each sample's",
        lambda e, own, X, y, W: _gradients(
            W, X, (_signal(W, X)[2] - y) / np.sqrt(np.sum((_signal(W, X)[2] - y) ** 2)) * _slope(_signal(W, X)[2])
        ),
    ),
    "of_mean_sample": (
        "it is the gradient at the mean sample: the mean is of the gradients, not of the samples",
        lambda e, own, X, y, W: _gradients(
            W, X.mean(axis=1, keepdims=True), _signal(W, X.mean(axis=1, keepdims=True))[2] - y.mean()
        ),
    ),
    **{
        name: (message, lambda e, own, X, y, W, mistaken=mistaken: mistaken(e, own, X, y, W) / X.shape[1])
        for name, (message, mistaken) in NETWORK.items()
        if name not in ("sign", "averaged", "last_sample", "first_sample", "twice", "half", "zeros")
    },
    "sign": ("the sign is reversed: this gradient leads uphill", lambda e, *_: -e),
    "twice": TWICE,
    "half": HALF,
    "zeros": ZEROS,
}


def _of_sample(W: Sequence[Array], X: Array, y: Array, i: int) -> Array:
    column = slice(i, i + 1 or None)
    return _gradients(W, X[:, column], _signal(W, X[:, column])[2] - y[:, column])


def _loss_slope(y: Array, p: Array) -> Array:
    return ratio(1 - y, 1 - p) - ratio(y, p)


def _unfused(y: Array, p: Array) -> Array:
    return np.asarray(_loss_slope(y, p) * _slope(p))
