from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array, as_float
from mlcvlab.nn.activations import sigmoid, sigmoid_grad

EPSILON = 1e-6

Axis = int | tuple[int, ...] | None


def check(y, y_hat):
    if np.shape(y) != np.shape(y_hat):
        raise ValueError("different shapes: %s and %s" % (np.shape(y), np.shape(y_hat)))


def l2(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    check(y, y_hat)
    d = as_float(y) - as_float(y_hat)
    s = abs(d).max(axis=axis, keepdims=True)
    s = s + (s == 0)  # no division by 0
    return (s * np.sqrt(((d / s) ** 2).sum(axis=axis, keepdims=True))).sum(axis=axis)


def l2_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    check(y, y_hat)
    d = as_float(y_hat) - as_float(y)
    s = abs(d).max(axis=axis, keepdims=True)
    d = d / (s + (s == 0))
    z = np.sqrt((d**2).sum(axis=axis, keepdims=True))
    return d / (z + (z == 0))


def mse(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    check(y, y_hat)
    return ((as_float(y) - as_float(y_hat)) ** 2).mean(axis=axis)


def mse_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    check(y, y_hat)
    d = as_float(y_hat) - as_float(y)
    if axis is None:
        n = d.size
    elif isinstance(axis, tuple):
        n = 1
        for a in axis:
            n = n * d.shape[a]
    else:
        n = d.shape[axis]
    return d * 2 / n


def cross_entropy(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    check(y, y_hat)
    y = as_float(y)
    p = as_float(y_hat)
    small = np.finfo(p.dtype).tiny
    return -y * np.log(np.maximum(p, small)) - (1 - y) * np.log(np.maximum(1 - p, small))


def cross_entropy_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    check(y, y_hat)
    y = as_float(y)
    p = as_float(y_hat)
    g = (1 - y) / (1 - p + (p == 1) * p.dtype.type(EPSILON))
    g = g - y / (p + (p == 0) * p.dtype.type(EPSILON))
    return g


def sigmoid_cross_entropy(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    check(y, z)
    y = as_float(y)
    z = as_float(z)
    return np.logaddexp(0, z) - y * z


def sigmoid_cross_entropy_grad(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    check(y, z)
    return sigmoid(z) - as_float(y)


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
