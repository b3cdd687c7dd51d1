from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array, as_float
from mlcvlab.nn.activations import sigmoid, sigmoid_grad

EPSILON = 1e-6

Axis = int | tuple[int, ...] | None


def l2(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y, y_hat = same_shape(y, y_hat)
    return np.sqrt(((y - y_hat) ** 2).sum(axis=axis))


def l2_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y, y_hat = same_shape(y, y_hat)

    z = np.sqrt(((y - y_hat) ** 2).sum(axis=axis, keepdims=True))
    return (y_hat - y) / denominator(z)


def mse(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y, y_hat = same_shape(y, y_hat)
    return ((y_hat - y) ** 2).mean(axis=axis)


def mse_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y, y_hat = same_shape(y, y_hat)

    count = y.size / np.size(y.sum(axis=axis))
    return 2 * (y_hat - y) / count


def cross_entropy(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    y, y_hat = same_shape(y, y_hat)

    tiny = np.finfo(y_hat.dtype).tiny
    return -y * np.log(np.where(y_hat == 0, tiny, y_hat)) - (1 - y) * np.log(np.where(y_hat == 1, tiny, 1 - y_hat))


def cross_entropy_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    y, y_hat = same_shape(y, y_hat)
    return (1 - y) / denominator(1 - y_hat) - y / denominator(y_hat)


def sigmoid_cross_entropy(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    y, z = same_shape(y, z)
    return np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0) - y * z


def sigmoid_cross_entropy_grad(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    y, z = same_shape(y, z)
    return sigmoid(z) - y


class Loss(NamedTuple):

    value: Callable[[Array, Array], Array]
    gradient: Callable[[Array, Array], Array]


def _behind_sigmoid(value: Callable[..., Array], gradient: Callable[..., Array]) -> Loss:
    def gradient_of_z(y: Array, z: Array) -> Array:
        y_hat = sigmoid(z)
        return gradient(y, y_hat) * sigmoid_grad(y_hat)

    return Loss(lambda y, z: value(y, sigmoid(z)), gradient_of_z)


LOSSES = {
    "cross_entropy": Loss(lambda y, z: sigmoid_cross_entropy(y, z)[0], sigmoid_cross_entropy_grad),
    "l2": _behind_sigmoid(partial(l2, axis=0), partial(l2_grad, axis=0)),
    "mse": _behind_sigmoid(partial(mse, axis=0), partial(mse_grad, axis=0)),
}


def same_shape(a, b):
    a, b = as_float(a), as_float(b)
    if a.shape != b.shape:
        raise ValueError(f"shapes differ: {a.shape} and {b.shape}")
    return a, b


def denominator(d):
    return np.where(d == 0, np.asarray(EPSILON, dtype=d.dtype), d)
