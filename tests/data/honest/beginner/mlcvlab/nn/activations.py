from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array, as_float


def step(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    return np.heaviside(x, 1).astype(x.dtype)


def step_grad(y: npt.ArrayLike) -> Array:
    y = as_float(y)
    return np.zeros_like(y)


def relu(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    return np.maximum(x, 0)


def relu_grad(y: npt.ArrayLike) -> Array:
    y = as_float(y)
    return np.heaviside(y, 0).astype(y.dtype)


def sigmoid(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    x = np.clip(x, -88, 88) if x.dtype == np.float32 else np.clip(x, -709, 709)  # no overflow
    return 1 / (1 + np.exp(-x))


def sigmoid_grad(y: npt.ArrayLike) -> Array:
    y = as_float(y)
    return y * (1 - y)


def softmax(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    if x.size == 0 or x.ndim > 2:
        raise ValueError("softmax needs a vector or a matrix")
    if x.ndim == 1 or x.shape[1] == 1:
        v = x.reshape(1, -1)
    else:
        v = x
    e = np.exp(v - np.max(v, axis=1).reshape(-1, 1))
    y = e / np.sum(e, axis=1).reshape(-1, 1)
    return y.reshape(x.shape)


def one_jacobian(y):
    col = y.reshape(-1, 1)
    row = y.reshape(1, -1)
    return np.diag(y) - np.dot(col, row)


def softmax_grad(y: npt.ArrayLike) -> Array:
    y = as_float(y)
    if y.size == 0 or y.ndim > 2:
        raise ValueError("softmax_grad needs a vector or a matrix")
    if y.ndim == 1 or 1 in y.shape:
        return one_jacobian(y.reshape(-1))
    return np.array([one_jacobian(row) for row in y])


def tanh(x: npt.ArrayLike) -> Array:
    return np.tanh(as_float(x))


def tanh_grad(y: npt.ArrayLike) -> Array:
    y = as_float(y)
    return 1 - y * y


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
