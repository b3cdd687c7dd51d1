from collections.abc import Callable
from functools import partial, wraps
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array, as_float


def floats(f):

    @wraps(f)
    def wrapped(x):
        x = as_float(x)
        return np.asarray(f(x), dtype=x.dtype)

    return wrapped


def piecewise(at_zero):
    return lambda x: np.heaviside(x, at_zero)


def logistic(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e) + 0 * e


F = {
    name: floats(f)
    for name, f in {
        "step": piecewise(1),
        "step_grad": lambda y: 0 * y,
        "relu": partial(np.maximum, 0),
        "relu_grad": piecewise(0),
        "sigmoid": logistic,
        "sigmoid_grad": lambda y: y * (1 - y),
        "tanh": np.tanh,
        "tanh_grad": lambda y: 1 - y * y,
    }.items()
}


def rows(x):
    x = as_float(x)
    if x.size == 0 or x.ndim not in {1, 2}:
        raise ValueError(f"no distributions in an array of shape {x.shape}")
    yield from (x if x.ndim == 2 and x.shape[1] > 1 else x.reshape(1, -1))


def step(x: npt.ArrayLike) -> Array:
    return F["step"](x)


def step_grad(y: npt.ArrayLike) -> Array:
    return F["step_grad"](y)


def relu(x: npt.ArrayLike) -> Array:
    return F["relu"](x)


def relu_grad(y: npt.ArrayLike) -> Array:
    return F["relu_grad"](y)


def sigmoid(x: npt.ArrayLike) -> Array:
    return F["sigmoid"](x)


def sigmoid_grad(y: npt.ArrayLike) -> Array:
    return F["sigmoid_grad"](y)


def softmax(x: npt.ArrayLike) -> Array:
    def one(v):
        e = np.exp(v - v.max())
        return e / e.sum()

    return np.stack([*map(one, rows(x))]).reshape(np.shape(x))


def softmax_grad(y: npt.ArrayLike) -> Array:
    def one(p):
        return np.diag(p) - np.multiply.outer(p, p)

    jacobians = [one(p) for p in rows(y)]
    return jacobians[0] if len(jacobians) == 1 else np.stack(jacobians)


def tanh(x: npt.ArrayLike) -> Array:
    return F["tanh"](x)


def tanh_grad(y: npt.ArrayLike) -> Array:
    return F["tanh_grad"](y)


class Activation(NamedTuple):

    function: Callable[[npt.ArrayLike], Array]
    gradient: Callable[[npt.ArrayLike], Array]
    hidden: bool = True
    gain: float = 1.0


ACTIVATIONS = {
    "step": Activation(step, step_grad, hidden=False),
    "relu": Activation(relu, relu_grad, gain=2.0),
    "sigmoid": Activation(sigmoid, sigmoid_grad),
    "softmax": Activation(softmax, softmax_grad, hidden=False),
    "tanh": Activation(tanh, tanh_grad),
}
