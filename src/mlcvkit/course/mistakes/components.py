"""The mistakes of Problem 1: for each function what it returns with one, from the right value and the arguments."""

import numpy as np

from mlcvkit.course.checks import Array, Catalogue
from mlcvkit.course.mistakes import GENERIC, INPUT, naive_sigmoid, ratio

OF_X = "the derivative is taken at x, and the argument is the output y already: use y as it stands"


def _naive_softmax(x: Array, axis: int | None) -> Array:
    e = np.exp(x)
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


def _stable_softmax(x: Array, axis: int | None) -> Array:
    return _naive_softmax(x - x.max(axis=axis, keepdims=True), axis)


def _own_axis(x: Array) -> int | None:
    return None if 1 in x.shape else 1


def _times_size(e: Array, *args: Array) -> Array:
    return e * args[0].size


def _over_size(e: Array, *args: Array) -> Array:
    return e / args[0].size


def _softmax_jacobian(y: Array) -> Array:
    return np.asarray(np.diag(y.ravel()) - np.outer(y, y))


def _log(p: Array) -> Array:
    return np.asarray(np.log(np.where(p == 0, np.finfo(float).tiny, p)))


def _entropy(y: Array, p: Array) -> Array:
    return np.asarray(-y * _log(p) - (1 - y) * _log(1 - p))


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
        "half_x": ("it is the sigmoid of x/2", lambda e, x: naive_sigmoid(x / 2)),
        "twice_x": ("it is the sigmoid of 2x", lambda e, x: naive_sigmoid(2 * x)),
        "numerator": ("the numerator is e^-x: it is 1", lambda e, x: np.exp(-x) / (1 + np.exp(-x))),
        "exponential": ("it is e^-x / 1: the 1 + of the denominator is missing", lambda e, x: np.exp(x)),
        "clipped_output": (
            "the result is clipped near 0 and 1, and the tails are lost",
            lambda e, x: np.clip(naive_sigmoid(x), 1e-6, 1 - 1e-6),
        ),
        "clipped_input": (
            "x is clipped before the exponential, and the tails are lost",
            lambda e, x: naive_sigmoid(np.clip(x, -20, 20)),
        ),
        "base": ("the power is of 2, not of e", lambda e, x: 1 / (1 + 2.0**-x)),
        "softmax": ("it is softmax: each entry has its own sigmoid", lambda e, x: _stable_softmax(x, None)),
        **GENERIC,
        "input": INPUT,
    },
    "sigmoid_grad": {
        "of_x": (OF_X, lambda e, y: naive_sigmoid(y) * (1 - naive_sigmoid(y))),
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
        "sigmoid": ("it is the sigmoid of each entry: softmax's entries sum to 1", lambda e, x: naive_sigmoid(x)),
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
        "sigmoid": ("it is the sigmoid: tanh lies between -1 and 1", lambda e, x: naive_sigmoid(x)),
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
        "distorted": (
            "numerator and denominator are both distorted by 10⁻⁶, as the handout advises (erratum 5): where the "
            "prediction is perfect the gradient becomes 1 instead of 0",
            lambda e, y, p: (p - y + 1e-6) / (np.sqrt(np.sum((y - p) ** 2)) + 1e-6),
        ),
        "distorted_as_printed": (
            "it is (y - y_hat) / z, as the handout prints it (erratum 1), both distorted by 10⁻⁶ (erratum 5)",
            lambda e, y, p: (y - p + 1e-6) / (np.sqrt(np.sum((y - p) ** 2)) + 1e-6),
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
        "divided_by_square": ("it is divided by z²: by z once", lambda e, y, p: ratio(p - y, np.sum((y - p) ** 2))),
        "divided_by_size": ("it is divided by the number of entries: the norm has no mean in it", _over_size),
        "divided_by_root": ("it is divided by √z: by z", lambda e, y, p: ratio(p - y, np.sum((y - p) ** 2) ** 0.25)),
        "signs": ("only the signs are left: each error is divided by its own size", lambda e, y, p: np.sign(p - y)),
        "sum_of_prediction": (
            "it is y_hat / z: y is missing",
            lambda e, y, p: ratio(p, np.sqrt(np.sum((y - p) ** 2))),
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
            lambda e, y, p: ratio(p - y, np.sqrt(np.sum((y - p) ** 2))),
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
        "only_ones": ("the part with 1 - y is missing", lambda e, y, p: ratio(-y, p)),
        "only_zeros": ("the part with y is missing", lambda e, y, p: ratio(1 - y, 1 - p)),
        "plus": (
            "the sign between the two parts is wrong: it is minus",
            lambda e, y, p: ratio(1 - y, 1 - p) + ratio(y, p),
        ),
        "swapped": ("the denominators are swapped", lambda e, y, p: ratio(1 - y, p) - ratio(y, 1 - p)),
        "averaged": ("it is divided by the number of samples: the mean is the empirical risk's", _over_size),
        "summed": ("it is summed over the samples", lambda e, y, p: np.sum(e)),
        "logarithm": ("it is the loss, not its gradient", lambda e, y, p: _entropy(y, p)),
        **{name: GENERIC[name] for name in ("sign", "twice", "half", "zeros")},
    },
}
