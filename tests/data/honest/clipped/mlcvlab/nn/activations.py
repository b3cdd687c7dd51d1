from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array


def as_float64(x: npt.ArrayLike) -> Array:
    return np.array(x, dtype=np.float64)


def step(x: npt.ArrayLike) -> Array:
    x = as_float64(x)
    return np.where(np.isnan(x), np.nan, np.where(x >= 0.0, 1.0, 0.0))


def step_grad(y: npt.ArrayLike) -> Array:
    y = as_float64(y)
    return np.where(np.isnan(y), np.nan, 0.0)


def relu(x: npt.ArrayLike) -> Array:
    x = as_float64(x)
    return np.where(x < 0.0, 0.0, x)  # a NaN is not < 0 and stays


def relu_grad(y: npt.ArrayLike) -> Array:
    y = as_float64(y)
    return np.where(np.isnan(y), np.nan, np.where(y > 0.0, 1.0, 0.0))


def sigmoid(x: npt.ArrayLike) -> Array:
    x = as_float64(x)
    e = np.exp(-np.abs(x))  # in [0, 1], cannot overflow
    return np.where(x >= 0.0, 1.0 / (1.0 + e), e / (1.0 + e))


def sigmoid_grad(y: npt.ArrayLike) -> Array:
    y = as_float64(y)
    return y * (1.0 - y)


def _as_rows(x: Array) -> Array:
    if x.size == 0 or not 1 <= x.ndim <= 2:
        raise ValueError(f"softmax takes a non-empty vector or matrix; got shape {x.shape}")
    return x.reshape(1, -1) if x.ndim == 1 or x.shape[1] == 1 else x


def softmax(x: npt.ArrayLike) -> Array:
    x = as_float64(x)
    rows = _as_rows(x)
    log_norm = np.logaddexp.reduce(rows, axis=1, keepdims=True)
    return np.exp(rows - log_norm).reshape(x.shape)


def softmax_grad(y: npt.ArrayLike) -> Array:
    y = as_float64(y)
    rows = _as_rows(y)
    jacobians = -rows[:, :, np.newaxis] * rows[:, np.newaxis, :]
    i = np.arange(rows.shape[1])
    jacobians[:, i, i] = rows * (1.0 - rows)
    return jacobians if y.ndim == 2 and min(y.shape) > 1 else jacobians[0]


def tanh(x: npt.ArrayLike) -> Array:
    return np.tanh(as_float64(x))


def tanh_grad(y: npt.ArrayLike) -> Array:
    y = as_float64(y)
    return (1.0 - y) * (1.0 + y)


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
