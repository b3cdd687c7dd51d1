"""The catalogue of realistic mistakes: what a function that has one returns, and what to say about it.

A wrong result is compared with each; the one that gives the same numbers is named. Each is written out on its own, from
the formula that it breaks, and none is what the homework asks for.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mlcvkit.course.checks import Array, Catalogue, Mistaken

Entry = tuple[str, Mistaken]


def _naive_sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def _naive_softmax(x: Array, axis: int | None) -> Array:
    e = np.exp(x)
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


def _stable_softmax(x: Array, axis: int | None) -> Array:
    return _naive_softmax(x - x.max(axis=axis, keepdims=True), axis)


def _own_axis(x: Array) -> int | None:
    return None if 1 in x.shape else 1


SIGN: Entry = ("the sign is reversed: every number is -1 times the right one", lambda e, *_: -e)
TWICE: Entry = (
    "every number is twice the right one: is a factor 1/2 missing, or one of 2 too many?",
    lambda e, *_: 2 * e,
)
HALF: Entry = ("every number is half the right one: is a factor 2 missing?", lambda e, *_: e / 2)
ZEROS: Entry = ("the result is 0 everywhere: is it computed and then not returned?", lambda e, *_: 0 * e)
ONES: Entry = ("the result is 1 everywhere", lambda e, *_: 0 * e + 1)
INPUT: Entry = ("the input comes back as it was", lambda e, x, *_: x)
GENERIC: dict[str, Entry] = {"sign": SIGN, "twice": TWICE, "half": HALF, "zeros": ZEROS, "ones": ONES}
OF_X = "the derivative is taken at x, and the argument is the output y already: use y as it stands"


def _times_size(e: Array, *args: Array) -> Array:
    return e * args[0].size


def _over_size(e: Array, *args: Array) -> Array:
    return e / args[0].size


COMPONENTS: dict[str, Catalogue] = {
    "linear": {
        "transposed": (
            "the result is the transpose of the right one: Y = W · X has a row for each row of W",
            lambda e, x, W: (W @ x).T if min(e.shape) > 1 else np.full(0, 0),
        ),
        "weights_transposed": ("W is transposed before the product: it is (M, K) already", lambda e, x, W: W.T @ x),
        "elementwise": (
            "W and x are multiplied entry by entry and summed over the wrong axis",
            lambda e, x, W: (W * x.T).sum(axis=0) if x.shape[1] == 1 else W @ x.sum(axis=1, keepdims=True),
        ),
        "bias": ("1 is added to every entry: the handout's linear function has no bias", lambda e, x, W: e + 1),
        "averaged": (
            "the product is divided by K: it is a sum over the features, not a mean",
            lambda e, x, W: e / x.shape[0],
        ),
        "absolute": ("the weights' signs are lost: W is taken without its sign", lambda e, x, W: np.abs(W) @ x),
        **GENERIC,
    },
    "linear_grad": {
        "transposed": (
            "it is x transposed (erratum 3: ∇_W (W x) = x is shorthand; the transpose belongs to the chain rule)",
            lambda e, x: x.T if 1 not in x.shape else np.full(0, 0),
        ),
        "squared": ("it is x squared", lambda e, x: x * x),
        "averaged": ("it is divided by the number of entries", _over_size),
        **GENERIC,
    },
    "step": {
        "zero_at_zero": ("it is 0 at x = 0: the step is 1 from 0 on, x >= 0", lambda e, x: (x > 0) * 1.0),
        "half_at_zero": ("it is 1/2 at x = 0: the step is 1 from 0 on, x >= 0", lambda e, x: np.heaviside(x, 0.5)),
        "sign_function": ("it is -1 and 1, the sign of x: the step is 0 and 1", lambda e, x: np.sign(x)),
        "minus_one": ("it is -1 below 0: the step is 0 there", lambda e, x: np.where(x >= 0, 1.0, -1.0)),
        "reversed": (
            "it is 1 where x < 0 and 0 elsewhere: the comparison is the wrong way round",
            lambda e, x: (x < 0) * 1.0,
        ),
        "reversed_at_zero": (
            "it is 1 where x <= 0: the comparison is the wrong way round",
            lambda e, x: (x <= 0) * 1.0,
        ),
        "relu": ("it is ReLU: the step's value is 1, not x", lambda e, x: np.maximum(x, 0)),
        **GENERIC,
        "input": INPUT,
    },
    "step_grad": {
        "ones": ("it is 1 everywhere: the step is flat, so its gradient is 0", lambda e, y: 0 * y + 1),
        "input": ("the output y comes back: the step is flat, so its gradient is 0", lambda e, y: y),
        "is_one": ("it is 1 where y is not 1: the step is flat, so its gradient is 0", lambda e, y: 1 - y),
    },
    "relu": {
        "leaky": (
            "negative x come through with a small slope: that is leaky ReLU; they become 0",
            lambda e, x: np.where(x > 0, x, 0.01 * x),
        ),
        "absolute": ("it is |x|: negative x become 0", lambda e, x: np.abs(x)),
        "minimum": (
            "it keeps the negative x and drops the positive: use the maximum of x and 0",
            lambda e, x: np.minimum(x, 0),
        ),
        "step": ("it is the step function: where x is positive, y is x itself", lambda e, x: (x > 0) * 1.0),
        "clipped": ("it is cut at 1: ReLU has no upper end", lambda e, x: np.clip(x, 0, 1)),
        "clipped_at_six": ("it is cut at 6: ReLU has no upper end", lambda e, x: np.clip(x, 0, 6)),
        "shifted": ("it is max(x, 1): the threshold is 0", lambda e, x: np.maximum(x, 1)),
        "input": INPUT,
        **GENERIC,
    },
    "relu_grad": {
        "everywhere": (
            "it is 1 wherever y >= 0, and y is never below 0 (erratum 2: the handout says x >= 0, and from y "
            "alone that is y > 0)",
            lambda e, y: (y >= 0) * 1.0,
        ),
        "output": ("it is y itself: the slope is 1, not y", lambda e, y: np.maximum(y, 0)),
        "reversed": (
            "it is 1 where y is 0 and 0 where the unit is active: the comparison is the wrong way round",
            lambda e, y: (y <= 0) * 1.0,
        ),
        "minus_one": ("it is -1 where the unit is off: the slope is 0 there", lambda e, y: np.where(y > 0, 1.0, -1.0)),
        "leaky": ("it is 0.01 where the unit is off: the slope is 0 there", lambda e, y: np.where(y > 0, 1.0, 0.01)),
        "half_at_zero": (
            "it is 1/2 where y is 0: that is every unit that is off",
            lambda e, y: np.where(y > 0, 1.0, 0.5),
        ),
        "threshold": ("it is 1 only where y > 1: the threshold is 0", lambda e, y: (y > 1) * 1.0),
        **GENERIC,
    },
    "sigmoid": {
        "unstable_exponential": (
            "e^x overflows for large x, and inf / inf is NaN: use e^-|x|, which cannot",
            lambda e, x: np.exp(x) / (1 + np.exp(x)),
        ),
        "sign_of_x": ("the sign of x is reversed: it falls where it should rise", lambda e, x: 1 / (1 + np.exp(x))),
        "minus_in_denominator": ("the denominator is 1 - e^-x: it is 1 + e^-x", lambda e, x: 1 / (1 - np.exp(-x))),
        "tanh": ("it is tanh: the sigmoid lies between 0 and 1", lambda e, x: np.tanh(x)),
        "half_x": ("it is the sigmoid of x/2", lambda e, x: _naive_sigmoid(x / 2)),
        "twice_x": ("it is the sigmoid of 2x", lambda e, x: _naive_sigmoid(2 * x)),
        "numerator": ("the numerator is e^-x: it is 1", lambda e, x: np.exp(-x) / (1 + np.exp(-x))),
        "exponential": ("it is e^-x / 1: the 1 + of the denominator is missing", lambda e, x: np.exp(x)),
        "clipped_output": (
            "the result is clipped near 0 and 1, and the tails are lost",
            lambda e, x: np.clip(_naive_sigmoid(x), 1e-6, 1 - 1e-6),
        ),
        "clipped_input": (
            "x is clipped before the exponential, and the tails are lost",
            lambda e, x: _naive_sigmoid(np.clip(x, -20, 20)),
        ),
        "base": ("the power is of 2, not of e", lambda e, x: 1 / (1 + 2.0**-x)),
        "softmax": ("it is softmax: each entry has its own sigmoid", lambda e, x: _stable_softmax(x, None)),
        **GENERIC,
        "input": INPUT,
    },
    "sigmoid_grad": {
        "of_x": (OF_X, lambda e, y: _naive_sigmoid(y) * (1 - _naive_sigmoid(y))),
        "plus": ("it is y (1 + y): the sign in the bracket is wrong", lambda e, y: y * (1 + y)),
        "no_y": ("it is 1 - y: the factor y is missing", lambda e, y: 1 - y),
        "output": ("it is y: the factor 1 - y is missing", lambda e, y: y),
        "squares": ("it is 1 - y², which is the gradient of tanh", lambda e, y: 1 - y * y),
        "squared": ("it is squared: σ' is y (1 - y) once", lambda e, y: (y * (1 - y)) ** 2),
        "minus_one": ("it is y (y - 1): the bracket is the wrong way round", lambda e, y: y * (y - 1)),
        "averaged": ("it is divided by the number of entries", _over_size),
        **GENERIC,
    },
    "softmax": {
        "wrong_axis": (
            "it is normalised over the wrong axis: of a matrix, each row is one distribution and sums to 1",
            lambda e, x: _stable_softmax(x, 0 if 1 not in x.shape else None),
        ),
        "columns": (
            "it is normalised down the columns, so that a lying vector is all ones: a vector is one distribution",
            lambda e, x: _stable_softmax(x, 0),
        ),
        "rows": (
            "it is normalised over axis 1 even of a standing vector, whose every entry then is 1: a vector, lying "
            "or standing, is one distribution",
            lambda e, x: _stable_softmax(x, 1),
        ),
        "whole": (
            "it is normalised over all entries of a matrix: each row is a distribution of its own",
            lambda e, x: _stable_softmax(x, None),
        ),
        "unstable_exponential": (
            "e^x overflows for large x, and inf / inf is NaN: subtract the largest x first, which changes nothing",
            lambda e, x: _naive_softmax(x, _own_axis(x)),
        ),
        "whole_unstable": (
            "it is normalised over all entries of a matrix, and e^x overflows for large x",
            lambda e, x: _naive_softmax(x, None),
        ),
        "not_normalised": ("the powers are not divided by their sum", lambda e, x: np.exp(x)),
        "not_normalised_stable": (
            "the powers are not divided by their sum",
            lambda e, x: np.exp(x - x.max(axis=_own_axis(x), keepdims=True)),
        ),
        "divided_by_maximum": (
            "the powers are divided by the largest, not by their sum",
            lambda e, x: np.exp(x - x.max(axis=_own_axis(x), keepdims=True)),
        ),
        "sign_of_x": (
            "the sign of x is reversed: the largest x gets the least",
            lambda e, x: _stable_softmax(-x, _own_axis(x)),
        ),
        "mean": (
            "the powers are divided by their mean, not by their sum",
            lambda e, x: e * (x.size if 1 in x.shape else x.shape[1]),
        ),
        "without_exponential": (
            "x is divided by its sum: its powers e^x are missing",
            lambda e, x: x / x.sum(axis=_own_axis(x), keepdims=True),
        ),
        "sigmoid": ("it is the sigmoid of each entry: softmax's entries sum to 1", lambda e, x: _naive_sigmoid(x)),
        **GENERIC,
    },
    "softmax_grad": {
        "diagonal": (
            "only the diagonal is filled: every y_i depends on every x_j, with -y_i y_j",
            lambda e, y: np.diag(y.ravel() * (1 - y.ravel())),
        ),
        "diagonal_as_vector": (
            "it is the vector y (1 - y): the Jacobian is a matrix, N × N, with -y_i y_j beside it",
            lambda e, y: y * (1 - y),
        ),
        "off_diagonal_sign": (
            "the entries beside the diagonal have the wrong sign: they are -y_i y_j",
            lambda e, y: 2 * np.diag(np.diag(e)) - e,
        ),
        "only_outer": ("y_i is missing on the diagonal: it is y_i - y_i²", lambda e, y: -np.outer(y, y)),
        "outer": ("it is y yᵀ alone", lambda e, y: np.outer(y, y)),
        "identity": ("it is 1 - y_i y_j on the diagonal: y_i (1 - y_i)", lambda e, y: np.eye(y.size) - np.outer(y, y)),
        "diagonal_without_square": (
            "the diagonal is y_i: it is y_i (1 - y_i)",
            lambda e, y: e + np.diag(y.ravel() ** 2),
        ),
        "of_x": (OF_X, lambda e, y: _softmax_jacobian(_stable_softmax(y, None))),
        "wrong_factor": (
            "the rows and the columns are mixed up: it is y_i (δ_ij - y_j)",
            lambda e, y: np.eye(y.size) * y.ravel() - y.ravel() ** 2,
        ),
        **GENERIC,
    },
    "tanh": {
        "unstable_exponential": (
            "e^x overflows for large |x|, and inf / inf is NaN: np.tanh does not",
            lambda e, x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)),
        ),
        "unstable_exponential_2": (
            "e^2x overflows for large x, and inf / inf is NaN: np.tanh does not",
            lambda e, x: (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1),
        ),
        "denominator": ("the fraction is upside down: (eˣ - e⁻ˣ) goes over (eˣ + e⁻ˣ)", lambda e, x: 1 / np.tanh(x)),
        "sinh": ("it is sinh: the denominator is missing", lambda e, x: np.sinh(x)),
        "sinh_2": ("the denominator is missing", lambda e, x: np.exp(x) - np.exp(-x)),
        "sigmoid": ("it is the sigmoid: tanh lies between -1 and 1", lambda e, x: _naive_sigmoid(x)),
        "tan": ("it is the tangent: tanh is the hyperbolic one", lambda e, x: np.tan(x)),
        "half_x": ("it is tanh of x/2", lambda e, x: np.tanh(x / 2)),
        "twice_x": ("it is tanh of 2x", lambda e, x: np.tanh(2 * x)),
        "arctanh": ("it is the inverse, arctanh", lambda e, x: np.arctanh(x)),
        **GENERIC,
        "input": INPUT,
    },
    "tanh_grad": {
        "of_x": (OF_X, lambda e, y: 1 - np.tanh(y) ** 2),
        "no_square": ("it is 1 - y: the square is missing", lambda e, y: 1 - y),
        "plus": ("it is 1 + y²: the sign is wrong", lambda e, y: 1 + y * y),
        "minus_one": ("it is y² - 1: it is the wrong way round", lambda e, y: y * y - 1),
        "sigmoid": ("it is y (1 - y), the gradient of the sigmoid", lambda e, y: y * (1 - y)),
        "square": ("it is (1 - y)²", lambda e, y: (1 - y) ** 2),
        "output_squared": ("it is y²: 1 - is missing", lambda e, y: y * y),
        **GENERIC,
    },
    "l2": {
        "mean_squared_error": (
            "it is the mean squared error: the ℓ₂ norm is the root of the sum of squares (erratum 4)",
            lambda e, y, p: np.mean((y - p) ** 2),
        ),
        "no_root": ("the square root is missing", lambda e, y, p: np.sum((y - p) ** 2)),
        "root_mean_square": ("the squares are averaged, not summed", lambda e, y, p: np.sqrt(np.mean((y - p) ** 2))),
        "absolute": ("it is the sum of absolute values, the ℓ₁ norm", lambda e, y, p: np.sum(np.abs(y - p))),
        "largest": ("it is the largest absolute value, the ℓ∞ norm", lambda e, y, p: np.max(np.abs(y - p))),
        "half_of_squares": ("it is half the sum of squares", lambda e, y, p: np.sum((y - p) ** 2) / 2),
        "plus": (
            "y and y_hat are added: it is the norm of their difference",
            lambda e, y, p: np.sqrt(np.sum((y + p) ** 2)),
        ),
        "no_square": (
            "the root of the summed differences: the squares are missing",
            lambda e, y, p: np.sqrt(np.sum(np.abs(y - p))),
        ),
        "difference": ("it is the sum of the differences", lambda e, y, p: np.sum(y - p)),
        "difference_of_norms": (
            "it is the difference of two norms: it is the norm of the difference",
            lambda e, y, p: np.linalg.norm(y) - np.linalg.norm(p),
        ),
        **GENERIC,
    },
    "l2_grad": {
        "as_printed": (
            "it is (y - y_hat) / z, as the handout prints it (erratum 1): that is the gradient with respect "
            "to y; with respect to y_hat the sign is the other",
            lambda e, y, p: -e,
        ),
        "as_printed_unsafe": (
            "it is (y - y_hat) / z, as the handout prints it (erratum 1), and it divides 0 by 0 where "
            "the prediction is perfect",
            lambda e, y, p: (y - p) / np.sqrt(np.sum((y - p) ** 2)),
        ),
        "division_by_zero": (
            "it divides 0 by 0 where the prediction is perfect: the norm there is 0 (handout, footnote 1)",
            lambda e, y, p: (p - y) / np.sqrt(np.sum((y - p) ** 2)),
        ),
        "not_divided": ("the division by z, the norm, is missing", lambda e, y, p: p - y),
        "not_divided_sign": (
            "the division by z, the norm, is missing, and the sign is reversed",
            lambda e, y, p: y - p,
        ),
        "of_squares": ("it is 2 (y_hat - y), the gradient of the sum of squares", lambda e, y, p: 2 * (p - y)),
        "of_mean_squares": (
            "it is the gradient of the mean squared error (erratum 4)",
            lambda e, y, p: 2 * (p - y) / y.size,
        ),
        "divided_by_square": ("it is divided by z²: by z once", lambda e, y, p: _ratio(p - y, np.sum((y - p) ** 2))),
        "divided_by_size": ("it is divided by the number of entries: the norm has no mean in it", _over_size),
        "divided_by_root": ("it is divided by √z: by z", lambda e, y, p: _ratio(p - y, np.sum((y - p) ** 2) ** 0.25)),
        "signs": ("only the signs are left: each error is divided by its own size", lambda e, y, p: np.sign(p - y)),
        "sum_of_prediction": (
            "it is y_hat / z: y is missing",
            lambda e, y, p: _ratio(p, np.sqrt(np.sum((y - p) ** 2))),
        ),
        **{name: entry for name, entry in GENERIC.items() if name != "sign"},
    },
    "mse": {
        "sum": ("the squares are summed, not averaged: is 1/n missing?", lambda e, y, p: np.sum((y - p) ** 2)),
        "norm": (
            "it is the ℓ₂ norm: the mean squared error has no root (erratum 4)",
            lambda e, y, p: np.sqrt(np.sum((y - p) ** 2)),
        ),
        "root": ("it is the root of the mean squared error", lambda e, y, p: np.sqrt(np.mean((y - p) ** 2))),
        "absolute": ("it is the mean absolute error: the squares are missing", lambda e, y, p: np.mean(np.abs(y - p))),
        "elementwise": ("every entry has its own: the squares are not averaged", lambda e, y, p: (y - p) ** 2),
        "squared_mean": ("it is the square of the mean error", lambda e, y, p: np.mean(y - p) ** 2),
        **GENERIC,
    },
    "mse_grad": {
        "of_y": ("the sign is reversed: it is the gradient with respect to y, not to y_hat", lambda e, y, p: -e),
        "missing_mean": ("it is n times the right one: is the mean missing?", _times_size),
        "missing_two": ("the factor 2 is missing", lambda e, y, p: (p - y) / y.size),
        "missing_both": ("it is y_hat - y: the factor 2/n is missing", lambda e, y, p: p - y),
        "of_norm": (
            "it is the gradient of the ℓ₂ norm (erratum 4)",
            lambda e, y, p: _ratio(p - y, np.sqrt(np.sum((y - p) ** 2))),
        ),
        **GENERIC,
    },
    "cross_entropy": {
        "mean": (
            "it is averaged over the samples: the loss is one number a sample, and the mean is the empirical risk's",
            lambda e, y, p: np.mean(_entropy(y, p)),
        ),
        "sum": (
            "it is summed over the samples: the loss is one number a sample",
            lambda e, y, p: np.sum(_entropy(y, p)),
        ),
        "log_of_zero": (
            "log 0 is -inf and 0 · inf is NaN where a prediction is 0 or 1: keep it away from both (handout, "
            "footnote 1)",
            lambda e, y, p: -y * np.log(p) - (1 - y) * np.log(1 - p),
        ),
        "sign_unsafe": (
            "the sign is reversed, and log 0 is -inf",
            lambda e, y, p: y * np.log(p) + (1 - y) * np.log(1 - p),
        ),
        "only_ones": ("the second part is missing: samples with y = 0 cost nothing", lambda e, y, p: -y * _log(p)),
        "only_zeros": (
            "the first part is missing: samples with y = 1 cost nothing",
            lambda e, y, p: -(1 - y) * _log(1 - p),
        ),
        "swapped": ("y and 1 - y are swapped", lambda e, y, p: -(1 - y) * _log(p) - y * _log(1 - p)),
        "arguments_swapped": (
            "y and y_hat are swapped: the logarithm is of the prediction",
            lambda e, y, p: -p * _log(y) - (1 - p) * _log(1 - y),
        ),
        "plus": ("the sign between the two parts is wrong", lambda e, y, p: -y * _log(p) + (1 - y) * _log(1 - p)),
        "log2": ("the logarithm is to the base 2: it is the natural one", lambda e, y, p: e / np.log(2)),
        "log10": ("the logarithm is to the base 10: it is the natural one", lambda e, y, p: e / np.log(10)),
        **{name: GENERIC[name] for name in ("sign", "twice", "half", "zeros")},
    },
    "cross_entropy_grad": {
        "distorted": (
            "numerator and denominator are both distorted by 10⁻⁶, as the handout advises (erratum 5): where a "
            "prediction is certain and right the gradient becomes 0 instead of ±1",
            lambda e, y, p: (1 - y + 1e-6) / (1 - p + 1e-6) - (y + 1e-6) / (p + 1e-6),
        ),
        "division_by_zero": (
            "it divides by 0 where a prediction is 0 or 1: keep the denominator away from it (handout, footnote 1)",
            lambda e, y, p: (1 - y) / (1 - p) - y / p,
        ),
        "sign_unsafe": ("the sign is reversed, and it divides by 0", lambda e, y, p: y / p - (1 - y) / (1 - p)),
        "of_z": (
            "it is y_hat - y, the gradient behind a sigmoid with respect to z: with respect to y_hat it is divided "
            "by y_hat (1 - y_hat)",
            lambda e, y, p: p - y,
        ),
        "of_z_sign": ("it is y - y_hat: neither the sign nor the denominator is right", lambda e, y, p: y - p),
        "only_ones": ("the part with 1 - y is missing", lambda e, y, p: _ratio(-y, p)),
        "only_zeros": ("the part with y is missing", lambda e, y, p: _ratio(1 - y, 1 - p)),
        "plus": (
            "the sign between the two parts is wrong: it is minus",
            lambda e, y, p: _ratio(1 - y, 1 - p) + _ratio(y, p),
        ),
        "swapped": ("the denominators are swapped", lambda e, y, p: _ratio(1 - y, p) - _ratio(y, 1 - p)),
        "averaged": ("it is divided by the number of samples: the mean is the empirical risk's", _over_size),
        "summed": ("it is summed over the samples", lambda e, y, p: np.sum(e)),
        "logarithm": ("it is the loss, not its gradient", lambda e, y, p: _entropy(y, p)),
        **{name: GENERIC[name] for name in ("sign", "twice", "half", "zeros")},
    },
}


def _signal(W: Sequence[Array], x: Array) -> tuple[Array, Array, Array]:
    """z₁, its ReLU, and ŷ."""
    z1 = W[0] @ x
    a1 = np.maximum(z1, 0)
    return z1, a1, _naive_sigmoid(W[1].T @ a1)


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
        _forward(lambda x, W: _naive_sigmoid(W[1].T @ (W[0] @ x))),
    ),
    "no_output_activation": (
        "the sigmoid of the output is missing: it is z₂",
        _forward(lambda x, W: W[1].T @ np.maximum(W[0] @ x, 0)),
    ),
    "hidden_sigmoid": (
        "the hidden activation is the sigmoid: it is ReLU",
        _forward(lambda x, W: _naive_sigmoid(W[1].T @ _naive_sigmoid(W[0] @ x))),
    ),
    "hidden_tanh": (
        "the hidden activation is tanh: it is ReLU",
        _forward(lambda x, W: _naive_sigmoid(W[1].T @ np.tanh(W[0] @ x))),
    ),
    "activations_swapped": (
        "the activations are swapped: ReLU is the hidden one, the sigmoid the output's",
        _forward(lambda x, W: np.maximum(W[1].T @ _naive_sigmoid(W[0] @ x), 0)),
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
        _forward(lambda x, W: _naive_sigmoid(_naive_sigmoid(W[1].T @ np.maximum(W[0] @ x, 0)))),
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
        _forward(lambda x, W: _naive_sigmoid(W[1].T @ np.maximum(W[0] @ x, 0) / len(W[1]))),
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
        _of_delta(lambda y, p: (p - y) / _slope(p) * _slope(_naive_sigmoid(p))),
    ),
    "hidden_derivative_of_sigmoid": (
        "the hidden layer's derivative is that of the sigmoid: its activation is ReLU",
        _of_slope(lambda z: _slope(_naive_sigmoid(z))),
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


def _unfused(y: Array, p: Array) -> Array:
    return np.asarray((_ratio(1 - y, 1 - p) - _ratio(y, p)) * _slope(p))


VARIANTS = {
    ("linear_grad", "transposed"): "linear_grad_transposed",
    ("relu_grad", "everywhere"): "relu_grad_everywhere",
    ("l2", "mean_squared_error"): "l2_is_mean_squared_error",
    ("l2_grad", "as_printed"): "l2_grad_as_printed",
    ("l2_grad", "as_printed_unsafe"): "l2_grad_as_printed",
    ("cross_entropy", "mean"): "cross_entropy_averaged",
    ("cross_entropy_grad", "distorted"): "cross_entropy_distorted",
    ("grad", "l2_loss"): "network_with_l2_loss",
    ("grad", "squared_loss"): "network_with_squared_loss",
    ("emp_loss_grad", "l2_loss"): "network_with_l2_loss",
    ("emp_loss_grad", "squared_loss"): "network_with_squared_loss",
    ("grad", "l2_loss_as_printed"): "network_with_l2_loss",
    ("emp_loss_grad", "l2_loss_as_printed"): "network_with_l2_loss",
    ("grad", "vanishing_product"): "gradient_unfused",
    ("SGD", "zeroed"): "sgd_zeroed",
    ("Adam", "no_lookahead"): "adam_without_lookahead",
    ("Adam", "corrected_as_printed"): "adam_corrected_as_printed",
}
"""The mistakes that are known other readings of the handout, by their names in the rubric."""


def _softmax_jacobian(y: Array) -> Array:
    return np.asarray(np.diag(y.ravel()) - np.outer(y, y))


def _ratio(numerator: Array, denominator: Any) -> Array:
    return np.asarray(numerator / np.where(denominator == 0, 1e-6, denominator))


def _log(p: Array) -> Array:
    return np.asarray(np.log(np.where(p == 0, np.finfo(float).tiny, p)))


def _entropy(y: Array, p: Array) -> Array:
    return np.asarray(-y * _log(p) - (1 - y) * _log(1 - p))


Gradient = Callable[[list[Array]], list[Array]]


def adam_steps(
    W: list[Array],
    gradient: Gradient,
    *,
    alpha: float,
    beta1: float,
    beta2: float,
    delta: float,
    R: int,
    ahead: float = 1.0,
    descent: float = 1.0,
    corrects_m: int | None = 0,
    corrects_s: int | None = 0,
    epsilon: str = "outside",
    root: float = 0.5,
    square: Callable[[Array], Array] = np.square,
    weigh_m: bool = True,
    weigh_s: bool = True,
    momentum: bool = True,
    moment: bool = True,
    stale: bool = False,
    swapped: bool = False,
    swapped_in_updates: bool = False,
    fixed: dict[str, float] | None = None,
    extra_steps: int = 0,
    every_ahead: bool = False,
) -> list[Array]:
    """Adam written out with its places for mistakes, each of which the defaults leave out.

    Source: handout, Problem 3, "AdaM", with erratum 8.
    """
    values = {"alpha": alpha, "beta1": beta1, "beta2": beta2, "delta": delta} | (fixed or {})
    alpha, beta1, beta2, delta = (values[name] for name in ("alpha", "beta1", "beta2", "delta"))
    if swapped:
        beta1, beta2 = beta2, beta1
    of_m, of_s = (beta2, beta1) if swapped_in_updates else (beta1, beta2)
    start = gradient(W)
    m, s = ([np.zeros_like(w) for w in W] for _ in range(2))
    for r in range(1, R + extra_steps + 1):
        at_ahead = gradient([w + ahead * beta1 * m_l for w, m_l in zip(W, m, strict=True)]) if not stale else start
        at_W = at_ahead if every_ahead else gradient(W) if not stale else start
        m = [
            (of_m * m_l if momentum else 0) + ((1 - of_m) if weigh_m else 1) * g
            for m_l, g in zip(m, at_ahead, strict=True)
        ]
        s = [
            (of_s * s_l if moment else 0) + ((1 - of_s) if weigh_s else 1) * square(g)
            for s_l, g in zip(s, at_W, strict=True)
        ]
        m_tilde = m if corrects_m is None else [m_l / (1 - beta1 ** (r + corrects_m)) for m_l in m]
        s_tilde = s if corrects_s is None else [s_l / (1 - beta2 ** (r + corrects_s)) for s_l in s]
        scale = np.sqrt(1 - beta2**r) if epsilon == "in_rate" else 1.0
        added = 0.0 if epsilon in ("none", "inside") else delta / scale
        down = [(s_l + (delta if epsilon == "inside" else 0.0)) ** root + added for s_l in s_tilde]
        W = [w - descent * alpha * m_l / d for w, m_l, d in zip(W, m_tilde, down, strict=True)]
    return W


ADAM: dict[str, tuple[str, dict[str, Any]]] = {
    "no_lookahead": (
        "the momentum's gradient is taken at W, without the handout's look-ahead to W + β₁ m: that is Kingma "
        "and Ba's Adam (erratum 7)",
        {"ahead": 0.0},
    ),
    "corrected_as_printed": (
        "m is divided by 1 - β₁^(r+1), as the handout prints it (erratum 8): it has had r updates then",
        {"corrects_m": 1},
    ),
    "corrected_as_printed_no_lookahead": (
        "m is divided by 1 - β₁^(r+1), as printed (erratum 8), and there is no look-ahead (erratum 7)",
        {"corrects_m": 1, "ahead": 0.0},
    ),
    "lookahead_downhill": ("the look-ahead goes to W - β₁ m: the handout's is W + β₁ m (erratum 7)", {"ahead": -1.0}),
    "lookahead_for_both": ("both gradients are taken at W + β₁ m: s takes the one at W", {"every_ahead": True}),
    "uphill": ("the sign is reversed: the step goes uphill", {"descent": -1.0}),
    "no_bias_correction": (
        "neither m nor s is divided by its 1 - βʳ: the bias correction is missing",
        {"corrects_m": None, "corrects_s": None},
    ),
    "no_bias_correction_of_m": ("m is not divided by 1 - β₁ʳ: its bias correction is missing", {"corrects_m": None}),
    "no_bias_correction_of_s": ("s is not divided by 1 - β₂ʳ: its bias correction is missing", {"corrects_s": None}),
    "corrected_one_late": ("s is divided by 1 - β₂^(r+1): it has had r updates then", {"corrects_s": 1}),
    "both_corrected_one_late": (
        "both are divided by 1 - β^(r+1): they have had r updates then",
        {"corrects_m": 1, "corrects_s": 1},
    ),
    "both_corrected_one_early": (
        "both are divided by 1 - β^(r-1), which is 0 in the first step: count from r = 1",
        {"corrects_m": -1, "corrects_s": -1},
    ),
    "epsilon_inside_root": ("δ is added under the root: it is added to the root", {"epsilon": "inside"}),
    "no_epsilon": ("δ is missing in the denominator", {"epsilon": "none"}),
    "epsilon_in_rate": (
        "δ is added to the uncorrected root, and the corrections are in the learning rate: here it is √s̃ + δ",
        {"epsilon": "in_rate"},
    ),
    "no_root": ("the square root of s̃ is missing", {"root": 1.0}),
    "no_square": ("s is made of the gradient, not of its square", {"square": lambda g: g}),
    "absolute": ("s is made of the gradient's absolute value, not of its square", {"square": np.abs}),
    "betas_swapped_in_updates": (
        "β₁ and β₂ are swapped in the updates of m and s: β₁ is the momentum's",
        {"swapped_in_updates": True},
    ),
    "betas_swapped": ("β₁ and β₂ are swapped: β₁ is the momentum's", {"swapped": True}),
    "momentum_not_weighted": ("the gradient in m lacks its factor 1 - β₁", {"weigh_m": False}),
    "moment_not_weighted": ("the squared gradient in s lacks its factor 1 - β₂", {"weigh_s": False}),
    "neither_weighted": ("the gradients lack their factors 1 - β₁ and 1 - β₂", {"weigh_m": False, "weigh_s": False}),
    "no_momentum": ("m is not carried on: β₁ m is missing in its update", {"momentum": False}),
    "no_moment": ("s is not carried on: β₂ s is missing in its update", {"moment": False}),
    "stale_gradient": (
        "the gradient is the one of the first weights in every step: compute it anew in the loop (handout, "
        "Problem 2, note)",
        {"stale": True},
    ),
    "one_step_less": ("there is one step too few: R steps are R updates", {"extra_steps": -1}),
    "one_step_more": ("there is one step too many: R steps are R updates", {"extra_steps": 1}),
    "fixed_alpha": ("alpha is 0.001 whatever is given", {"fixed": {"alpha": 0.001}}),
    "fixed_beta1": ("β₁ is 0.9 whatever is given", {"fixed": {"beta1": 0.9}}),
    "fixed_beta2": ("β₂ is 0.999 whatever is given", {"fixed": {"beta2": 0.999}}),
    "fixed_betas": ("β₁ and β₂ are 0.9 and 0.999 whatever is given", {"fixed": {"beta1": 0.9, "beta2": 0.999}}),
    "fixed_delta": ("δ is 1e-8 whatever is given", {"fixed": {"delta": 1e-8}}),
    "no_alpha": ("alpha is missing in the step", {"fixed": {"alpha": 1.0}}),
    "beta2_in_momentum": ("β₂ stands in the momentum, where β₁ belongs", {"fixed": {"beta1": 0.999}}),
    "sgd": ("the step is alpha · m̃: it is not divided by the root of s̃", {"root": 0.0, "epsilon": "none"}),
}
"""Adam's mistakes: what to say, and which places of ``adam_steps`` have them."""
