from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array, as_float


def step(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    out = np.array(x, copy=True)
    out[x >= 0] = 1
    out[x < 0] = 0
    return out


def step_grad(y: npt.ArrayLike) -> Array:
    return np.zeros_like(as_float(y))


def relu(x: npt.ArrayLike) -> Array:
    out = np.array(as_float(x), copy=True)
    out[out < 0] = 0
    return out


def relu_grad(y: npt.ArrayLike) -> Array:
    y = as_float(y)
    return (y > 0).astype(y.dtype)


def sigmoid(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    out = np.array(x, copy=True)
    neg = x < 0
    out[~neg] = 1 / (1 + np.exp(-x[~neg]))
    out[neg] = np.exp(x[neg]) / (1 + np.exp(x[neg]))
    return out


def sigmoid_grad(y: npt.ArrayLike) -> Array:
    y = as_float(y)
    return y * (1.0 - y)


def softmax(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    if x.size == 0 or x.ndim not in (1, 2):
        raise ValueError(f"wrong shape {x.shape}")

    ax = 0 if x.ndim == 1 or x.shape[1] == 1 else 1
    e = np.exp(x - x.max(axis=ax, keepdims=True))
    return e / e.sum(axis=ax, keepdims=True)


def softmax_grad(y: npt.ArrayLike) -> Array:
    y = as_float(y)
    if y.size == 0 or y.ndim not in (1, 2):
        raise ValueError(f"wrong shape {y.shape}")

    if y.ndim == 1 or y.shape[1] == 1 or y.shape[0] == 1:
        y = y.flatten()
        return np.diag(y) - np.outer(y, y)
    return np.stack([np.diag(row) - np.outer(row, row) for row in y])


def tanh(x: npt.ArrayLike) -> Array:
    return np.tanh(as_float(x))


def tanh_grad(y: npt.ArrayLike) -> Array:
    y = as_float(y)
    return 1.0 - y * y


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
