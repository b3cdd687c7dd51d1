"""The handout's formulas once more, in 400 digits: each takes and returns lists of mpmath numbers."""

from mpmath import exp, log, mp, mpf, sqrt

mp.dps = 400  # with 50 the formulas as printed cancel at arguments such as 1e-300, where ours do not

ACTIVATIONS = {
    "step": lambda x: [mpf(1) if x_i >= 0 else mpf(0) for x_i in x],
    "relu": lambda x: [x_i if x_i >= 0 else mpf(0) for x_i in x],
    "sigmoid": lambda x: [1 / (1 + exp(-x_i)) for x_i in x],
    "tanh": lambda x: [(exp(x_i) - exp(-x_i)) / (exp(x_i) + exp(-x_i)) for x_i in x],
    "softmax": lambda x: [exp(x_i) / sum(exp(x_k) for x_k in x) for x_i in x],
}

# In terms of the output y.
GRADIENTS = {
    "step": lambda y: [mpf(0) for _ in y],
    "relu": lambda y: [mpf(1) if y_i > 0 else mpf(0) for y_i in y],
    "sigmoid": lambda y: [y_i * (1 - y_i) for y_i in y],
    "tanh": lambda y: [1 - y_i**2 for y_i in y],
    "softmax": lambda y: [
        [y[i] * (1 - y[i]) if i == j else -y[i] * y[j] for j in range(len(y))] for i in range(len(y))
    ],
}


def l2(y, y_hat):
    return sqrt(sum((a - b) ** 2 for a, b in zip(y, y_hat, strict=True)))


def mse(y, y_hat):
    return sum((a - b) ** 2 for a, b in zip(y, y_hat, strict=True)) / len(y)


def cross_entropy(y, y_hat):
    return [-a * log(b) - (1 - a) * log(1 - b) for a, b in zip(y, y_hat, strict=True)]


def l2_grad(y, y_hat):
    return [(b - a) / l2(y, y_hat) for a, b in zip(y, y_hat, strict=True)]


def mse_grad(y, y_hat):
    return [2 * (b - a) / len(y) for a, b in zip(y, y_hat, strict=True)]


def cross_entropy_grad(y, y_hat):
    return [(1 - a) / (1 - b) - a / b for a, b in zip(y, y_hat, strict=True)]


LOSSES = {"l2": (l2, l2_grad), "mse": (mse, mse_grad), "cross_entropy": (cross_entropy, cross_entropy_grad)}


def exactly(function, *arguments):
    """Evaluate in 400 digits at exactly these floating-point numbers, and round once."""
    result = function(*[[mpf(float(value)) for value in argument] for argument in arguments])
    return [[float(v) for v in row] if isinstance(row, list) else float(row) for row in _listed(result)]


def _listed(result):
    return result if isinstance(result, list) else [result]
