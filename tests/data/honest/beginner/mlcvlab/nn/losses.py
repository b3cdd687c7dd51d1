from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array, as_float
from mlcvlab.nn.activations import sigmoid, sigmoid_grad

EPSILON = 1e-6

Axis = int | tuple[int, ...] | None


def same_shape(y, y_hat):
    y = as_float(y)
    y_hat = as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError(f"y has shape {y.shape} but y_hat has shape {y_hat.shape}")
    return y, y_hat


def l2(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y, y_hat = same_shape(y, y_hat)
    e = np.abs(y - y_hat)
    biggest = np.max(e, axis=axis, keepdims=True)
    biggest[biggest == 0] = 1
    e = e / biggest
    return np.sqrt(np.sum(e**2, axis=axis)) * biggest.reshape(np.sum(e, axis=axis).shape)


def l2_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y, y_hat = same_shape(y, y_hat)
    z = l2(y, y_hat, axis=axis)
    if axis is not None:
        z = np.expand_dims(z, axis)
    z = np.where(z == 0, 1, z).astype(y_hat.dtype)  # then the numerator is 0 too
    return (y_hat - y) / z


def mse(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y, y_hat = same_shape(y, y_hat)
    return np.mean((y - y_hat) ** 2, axis=axis)


def mse_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y, y_hat = same_shape(y, y_hat)
    n = y.size / np.mean(y, axis=axis).size
    return 2 * (y_hat - y) / n


def safe_log(p):
    p = p.copy()
    p[p == 0] = np.finfo(p.dtype).tiny
    return np.log(p)


def not_zero(p):
    p = p.copy()
    p[p == 0] = EPSILON
    return p


def cross_entropy(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    y, y_hat = same_shape(y, y_hat)
    return -y * safe_log(y_hat) - (1 - y) * safe_log(1 - y_hat)


def cross_entropy_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    y, y_hat = same_shape(y, y_hat)
    return (1 - y) / not_zero(1 - y_hat) - y / not_zero(y_hat)


def sigmoid_cross_entropy(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    y, z = same_shape(y, z)
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))) - y * z


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
