from collections.abc import Callable
from functools import lru_cache, partial, wraps
from math import prod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array, as_float
from mlcvlab.nn.activations import sigmoid, sigmoid_grad

EPSILON = 1e-6

Axis = int | tuple[int, ...] | None


def paired(f):

    @wraps(f)
    def wrapped(y, y_hat, *rest):
        y, y_hat = as_float(y), as_float(y_hat)
        if y.shape != y_hat.shape:
            raise ValueError(f"{f.__name__}: y is {y.shape}, y_hat is {y_hat.shape}")
        return f(y, y_hat, *rest)

    return wrapped


def instead_of_zero(value):
    return lambda a: np.where(a == 0, np.asarray(value, dtype=a.dtype), a)


@lru_cache(maxsize=None)
def count(shape, axis):
    axes = range(len(shape)) if axis is None else (axis,) if isinstance(axis, int) else axis
    return prod(shape[a] for a in axes)


def _losses():
    one, eps = instead_of_zero(1), instead_of_zero(EPSILON)

    def scaled(d, axis):
        scale = one(np.abs(d).max(axis=axis, keepdims=True))
        return d / scale, scale

    def norm(y, y_hat, axis):
        d, scale = scaled(y_hat - y, axis)
        root = np.sqrt((d * d).sum(axis=axis, keepdims=True))
        return (scale * root).sum(axis=axis)

    def norm_grad(y, y_hat, axis):
        d, _ = scaled(y_hat - y, axis)
        return d / one(np.sqrt((d * d).sum(axis=axis, keepdims=True)))

    def bce(y, p):
        log = lambda a: np.log(instead_of_zero(np.finfo(a.dtype).tiny)(a))  # noqa: E731
        return -(y * log(p) + (1 - y) * log(1 - p))

    return {
        "l2": (norm, norm_grad),
        "mse": (
            lambda y, y_hat, axis: ((y_hat - y) ** 2).mean(axis=axis),
            lambda y, y_hat, axis: 2 * (y_hat - y) / count(y.shape, axis),
        ),
        "bce": (bce, lambda y, p: (1 - y) / eps(1 - p) - y / eps(p)),
        "logits": (lambda y, z: np.logaddexp(0, z) - y * z, lambda y, z: sigmoid(z) - y),
    }


TABLE = {name: tuple(map(paired, pair)) for name, pair in _losses().items()}


def l2(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    return TABLE["l2"][0](y, y_hat, axis)


def l2_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    return TABLE["l2"][1](y, y_hat, axis)


def mse(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    return TABLE["mse"][0](y, y_hat, axis)


def mse_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    return TABLE["mse"][1](y, y_hat, axis)


def cross_entropy(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    return TABLE["bce"][0](y, y_hat)


def cross_entropy_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    return TABLE["bce"][1](y, y_hat)


def sigmoid_cross_entropy(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    return TABLE["logits"][0](y, z)


def sigmoid_cross_entropy_grad(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    return TABLE["logits"][1](y, z)


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
