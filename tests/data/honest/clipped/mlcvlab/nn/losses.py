from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array
from mlcvlab.nn.activations import sigmoid, sigmoid_grad

EPSILON = 1e-6

Axis = int | tuple[int, ...] | None


CLIP = 1e-12


def _pair(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> tuple[Array, Array]:
    y, y_hat = np.array(y, dtype=np.float64), np.array(y_hat, dtype=np.float64)
    if y.shape != y_hat.shape:
        raise ValueError(f"y and y_hat must have one shape; got {y.shape} and {y_hat.shape}")
    return y, y_hat


def l2(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y, y_hat = _pair(y, y_hat)
    error = np.abs(y_hat - y)
    scale = np.max(error, axis=axis, keepdims=True)
    scale = np.where((scale == 0.0) | ~np.isfinite(scale), 1.0, scale)
    total = np.sum(np.square(error / scale), axis=axis, keepdims=True)
    norm = scale * np.sqrt(total)
    return norm.sum(axis=axis)  # only removes the axes of length 1


def l2_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y, y_hat = _pair(y, y_hat)
    error = y_hat - y
    z = np.asarray(l2(y, y_hat, axis=axis))
    if axis is not None:
        z = np.expand_dims(z, axis)
    return np.where(z == 0.0, 0.0, error / np.where(z == 0.0, 1.0, z))


def mse(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y, y_hat = _pair(y, y_hat)
    return np.mean(np.square(y_hat - y), axis=axis)


def mse_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y, y_hat = _pair(y, y_hat)
    n = np.sum(np.ones_like(y), axis=axis, keepdims=True)
    return 2.0 * (y_hat - y) / n


def cross_entropy(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    y, y_hat = _pair(y, y_hat)
    p = np.clip(y_hat, CLIP, 1.0 - CLIP)
    return -y * np.log(p) - (1.0 - y) * np.log1p(-p)


def cross_entropy_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    y, y_hat = _pair(y, y_hat)
    p = np.where(y_hat == 0.0, EPSILON, y_hat)
    q = np.where(y_hat == 1.0, EPSILON, 1.0 - y_hat)
    return (1.0 - y) / q - y / p


def sigmoid_cross_entropy(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    y, z = _pair(y, z)
    return y * np.logaddexp(0.0, -z) + (1.0 - y) * np.logaddexp(0.0, z)


def sigmoid_cross_entropy_grad(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    y, z = _pair(y, z)
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
