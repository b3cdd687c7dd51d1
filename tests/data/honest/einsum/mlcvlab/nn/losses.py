from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array, as_float
from mlcvlab.nn.activations import *

EPSILON = 1e-6

Axis = int | tuple[int, ...] | None


def l2(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    t, p = _pair(y, y_hat)
    return np.sqrt(np.square(t - p).sum(axis=axis))


def l2_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    t, p = _pair(y, y_hat)
    z = np.sqrt(np.square(t - p).sum(axis=axis, keepdims=True))
    return (p - t) / np.where(z == 0, np.asarray(EPSILON, z.dtype), z)


def mse(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    t, p = _pair(y, y_hat)
    return np.square(t - p).mean(axis=axis)


def mse_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    t, p = _pair(y, y_hat)
    n = p.size // max(1, np.sum(p, axis=axis).size)
    return 2 * (p - t) / n


def cross_entropy(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    t, p = _pair(y, y_hat)
    return -t * _safe_log(p) - (1 - t) * _safe_log(1 - p)


def cross_entropy_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    t, p = _pair(y, y_hat)
    return (1 - t) / _nonzero(1 - p) - t / _nonzero(p)


def sigmoid_cross_entropy(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    t, s = _pair(y, z)
    return np.logaddexp(np.zeros_like(s), s) - t * s


def sigmoid_cross_entropy_grad(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    t, s = _pair(y, z)
    return sigmoid(s) - t


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


def _pair(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> tuple[Array, Array]:
    t, p = as_float(y), as_float(y_hat)
    if t.shape != p.shape:
        raise ValueError(f"y {t.shape} and y_hat {p.shape} must have one shape")
    return t, p


def _nonzero(d: Array) -> Array:
    return np.where(d == 0, np.asarray(EPSILON, d.dtype), d)


def _safe_log(p: Array) -> Array:
    return np.log(np.where(p == 0, np.finfo(p.dtype).tiny, p))
