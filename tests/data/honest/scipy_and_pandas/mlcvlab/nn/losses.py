from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd  # noqa: F401
from scipy.special import log_expit, xlogy

from mlcvlab.nn import Array, as_float
from mlcvlab.nn.activations import sigmoid, sigmoid_grad

EPSILON = 1e-6

Axis = int | tuple[int, ...] | None


def _error(y, y_hat):
    y, y_hat = as_float(y), as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError(f"shapes differ: y {y.shape}, y_hat {y_hat.shape}")
    return y_hat - y


def l2(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    e = _error(y, y_hat)
    scale = np.abs(e).max(axis=axis, keepdims=True)
    scale = np.where(scale > 0, scale, scale.dtype.type(1))
    norm = scale * np.sqrt(np.square(e / scale).sum(axis=axis, keepdims=True))
    return np.squeeze(norm, axis=axis)[()]


def l2_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    e = _error(y, y_hat)
    z = l2(y, y_hat, axis=axis)
    z = z if axis is None else np.expand_dims(z, axis)
    return np.divide(e, z, out=np.zeros_like(e), where=z != 0)


def mse(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    return np.square(_error(y, y_hat)).mean(axis=axis)


def mse_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    e = _error(y, y_hat)
    axes = range(e.ndim) if axis is None else np.atleast_1d(axis)
    n = int(np.prod([e.shape[a] for a in axes]))
    return 2 * e / n


def cross_entropy(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    _error(y, y_hat)
    y, y_hat = as_float(y), as_float(y_hat)
    tiny = np.finfo(y_hat.dtype).tiny
    p, q = (np.where(v == 0, tiny, v) for v in (y_hat, 1 - y_hat))
    return -xlogy(y, p) - xlogy(1 - y, q)


def cross_entropy_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    _error(y, y_hat)
    y, p = as_float(y), as_float(y_hat)
    q = 1 - p
    return (1 - y) / np.where(q == 0, p.dtype.type(EPSILON), q) - y / np.where(p == 0, p.dtype.type(EPSILON), p)


def sigmoid_cross_entropy(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    _error(y, z)
    y, z = as_float(y), as_float(z)
    return -y * log_expit(z) - (1 - y) * log_expit(-z)


def sigmoid_cross_entropy_grad(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    _error(y, z)
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
