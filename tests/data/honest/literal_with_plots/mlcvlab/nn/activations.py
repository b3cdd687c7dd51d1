from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array, as_float


def step(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    y = np.where(x >= 0, 1.0, 0.0)
    y = np.where(np.isnan(x), np.nan, y)
    return y.astype(x.dtype)


def step_grad(y: npt.ArrayLike) -> Array:
    y = as_float(y)
    return np.zeros(y.shape, dtype=y.dtype)


def relu(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    return np.where(x < 0, np.zeros_like(x), x)


def relu_grad(y: npt.ArrayLike) -> Array:
    y = as_float(y)
    return np.where(y > 0, 1, 0).astype(y.dtype)


def sigmoid(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    return 1 / (1 + np.exp(-x))


def sigmoid_grad(y: npt.ArrayLike) -> Array:
    y = as_float(y)
    return y * (1 - y)


def softmax(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    if x.size == 0 or x.ndim > 2:
        raise ValueError("need a vector or matrix")

    if x.ndim == 2 and x.shape[1] > 1:
        e = np.exp(x - np.max(x, axis=1, keepdims=True))
        return e / np.sum(e, axis=1, keepdims=True)
    e = np.exp(x - np.max(x))
    return e / np.sum(e)


def softmax_grad(y: npt.ArrayLike) -> Array:
    y = as_float(y)
    if y.size == 0 or y.ndim > 2:
        raise ValueError("need a vector or matrix")

    if y.ndim == 2 and y.shape[0] > 1 and y.shape[1] > 1:
        return np.array([softmax_grad(row) for row in y])
    y = y.reshape(-1, 1)
    return np.diagflat(y) - np.dot(y, y.T)


def tanh(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    # e^20 is far enough, tanh is 1 there already
    x = np.clip(x, -20, 20)
    return (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))


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
