from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from scipy.special import softmax as scipy_softmax

from mlcvlab.nn import Array, as_float


def step(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    return np.heaviside(x, x.dtype.type(1))


def step_grad(y: npt.ArrayLike) -> Array:
    return as_float(y) * 0


def relu(x: npt.ArrayLike) -> Array:
    return np.maximum(as_float(x), 0)


def relu_grad(y: npt.ArrayLike) -> Array:
    return np.sign(as_float(y))  # y is never negative


def sigmoid(x: npt.ArrayLike) -> Array:
    return expit(as_float(x))


def sigmoid_grad(y: npt.ArrayLike) -> Array:
    y = as_float(y)
    return y * (1 - y)


def _vector_or_matrix(x):
    x = as_float(x)
    if x.size == 0 or x.ndim not in (1, 2):
        raise ValueError(f"expected a non-empty vector or matrix, got shape {x.shape}")
    return x


def _is_vector(x):
    return x.ndim == 1 or min(x.shape) == 1


def softmax(x: npt.ArrayLike) -> Array:
    x = _vector_or_matrix(x)
    return scipy_softmax(x, axis=None if _is_vector(x) else 1)


def softmax_grad(y: npt.ArrayLike) -> Array:
    y = _vector_or_matrix(y)
    if _is_vector(y):
        y = y.ravel()
        return np.diag(y) - np.outer(y, y)
    return np.eye(y.shape[1], dtype=y.dtype) * y[:, :, None] - np.einsum("bi,bj->bij", y, y)


def tanh(x: npt.ArrayLike) -> Array:
    return np.tanh(as_float(x))


def tanh_grad(y: npt.ArrayLike) -> Array:
    return 1 - as_float(y) ** 2


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
