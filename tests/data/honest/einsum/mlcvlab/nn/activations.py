from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array, as_float
ZERO: float = 0.0
ONE: float = 1.0


def _like(mask: npt.NDArray[np.bool_], y: npt.ArrayLike) -> Array:
    return mask.astype(as_float(y).dtype)


def _rows(x: npt.ArrayLike) -> tuple[Array, tuple[int, ...]]:
    a = as_float(x)
    if a.size == 0 or a.ndim not in (1, 2):
        raise ValueError(f"expected a vector or a matrix, got shape {a.shape}")
    return (a.reshape(1, -1) if a.ndim == 1 or a.shape[1] == 1 else a), a.shape


def step(x: npt.ArrayLike) -> Array:
    return np.heaviside(as_float(x), ONE)


def step_grad(y: npt.ArrayLike) -> Array:
    return np.zeros_like(as_float(y))


def relu(x: npt.ArrayLike) -> Array:
    return np.maximum(as_float(x), ZERO)


def relu_grad(y: npt.ArrayLike) -> Array:
    return _like(as_float(y) > ZERO, y)


def sigmoid(x: npt.ArrayLike) -> Array:
    z = as_float(x)
    e = np.exp(-np.abs(z))
    return np.where(z < ZERO, e, np.ones_like(e)) / (1 + e)


def sigmoid_grad(y: npt.ArrayLike) -> Array:
    return (p := as_float(y)) * (1 - p)


def softmax(x: npt.ArrayLike) -> Array:
    rows, shape = _rows(x)
    e = np.exp(rows - rows.max(axis=1, keepdims=True))
    return np.einsum("bn,b->bn", e, 1 / e.sum(axis=1)).reshape(shape)


def softmax_grad(y: npt.ArrayLike) -> Array:
    rows, _ = _rows(y)
    jac = np.einsum("bi,ij->bij", rows, np.eye(rows.shape[1], dtype=rows.dtype)) - np.einsum("bi,bj->bij", rows, rows)
    return jac[0] if len(rows) == 1 else jac


def tanh(x: npt.ArrayLike) -> Array:
    return np.tanh(as_float(x))


def tanh_grad(y: npt.ArrayLike) -> Array:
    return 1 - np.square(as_float(y))


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
