from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array, as_float


def step(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    y = np.ones_like(x)
    y[x < 0] = 0
    y[np.isnan(x)] = np.nan
    return y


def step_grad(y: npt.ArrayLike) -> Array:
    return np.zeros_like(as_float(y))


def relu(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    y = x.copy()
    y[x < 0] = 0
    return y


def relu_grad(y: npt.ArrayLike) -> Array:
    y = as_float(y)
    g = np.zeros_like(y)
    g[y > 0] = 1
    g[np.isnan(y)] = np.nan
    return g


def sigmoid(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    e = np.exp(-abs(x))
    return np.maximum(e, x >= 0) / (1 + e)


def sigmoid_grad(y: npt.ArrayLike) -> Array:
    y = as_float(y)
    return y - y**2


def softmax(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    if x.ndim > 2 or x.size == 0:
        raise ValueError("softmax: bad shape %s" % (x.shape,))
    if x.ndim == 2 and x.shape[1] > 1:
        x = x - x.max(axis=1, keepdims=True)
        return np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    x = x - x.max()
    return np.exp(x) / np.exp(x).sum()


def softmax_grad(y: npt.ArrayLike) -> Array:
    raise NotImplementedError(
        "Implement the gradient of the Softmax function: y_i (1 - y_i) if i = j, and -y_i y_j otherwise."
    )


def tanh(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    # (e^x - e^-x) / (e^x + e^-x), both divided by the larger one of e^x and e^-x
    e = np.expm1(-2 * abs(x))  # e^(-2|x|) - 1
    return -np.sign(x) * e / (2 + e)


def tanh_grad(y: npt.ArrayLike) -> Array:
    y = as_float(y)
    return 1 - y**2


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
