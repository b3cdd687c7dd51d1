from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array, as_float
from mlcvlab.nn.activations import sigmoid, sigmoid_grad
from scipy.special import expit

EPSILON = 1e-6

Axis = int | tuple[int, ...] | None


def l2(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y = as_float(y)
    y_hat = as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError("y is %s but y_hat is %s" % (y.shape, y_hat.shape))
    return np.sqrt(np.sum((y - y_hat) ** 2, axis=axis))


def l2_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y = as_float(y)
    y_hat = as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError("y is %s but y_hat is %s" % (y.shape, y_hat.shape))

    z = np.sqrt(np.sum((y - y_hat) ** 2, axis=axis, keepdims=True))
    z = np.where(z == 0, 1e-6, z).astype(z.dtype)  # footnote 1
    return (y_hat - y) / z


def mse(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y = as_float(y)
    y_hat = as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError("y is %s but y_hat is %s" % (y.shape, y_hat.shape))
    return np.mean((y - y_hat) ** 2, axis=axis)


def mse_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y = as_float(y)
    y_hat = as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError("y is %s but y_hat is %s" % (y.shape, y_hat.shape))

    n = y.size if axis is None else np.prod([y.shape[a] for a in np.atleast_1d(axis)])
    return (2 * (y_hat - y) / int(n)).astype(y_hat.dtype)


def cross_entropy(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    y = as_float(y)
    y_hat = as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError("y is %s but y_hat is %s" % (y.shape, y_hat.shape))

    eps = 1e-8
    return -y * np.log(y_hat + eps) - (1 - y) * np.log(1 - y_hat + eps)


def cross_entropy_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    y = as_float(y)
    y_hat = as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError("y is %s but y_hat is %s" % (y.shape, y_hat.shape))

    a = np.where(y_hat == 0, 1e-6, y_hat).astype(y_hat.dtype)
    b = np.where(y_hat == 1, 1e-6, 1 - y_hat).astype(y_hat.dtype)
    return (1 - y) / b - y / a


def sigmoid_cross_entropy(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    y = as_float(y)
    z = as_float(z)
    if y.shape != z.shape:
        raise ValueError("y is %s but z is %s" % (y.shape, z.shape))
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))) - y * z


def sigmoid_cross_entropy_grad(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    y = as_float(y)
    z = as_float(z)
    if y.shape != z.shape:
        raise ValueError("y is %s but z is %s" % (y.shape, z.shape))
    return expit(z) - y


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
