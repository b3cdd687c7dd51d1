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
    y, y_hat = as_float(y), as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError(f"y has shape {y.shape} and y_hat {y_hat.shape}")
    return np.linalg.norm(y - y_hat, axis=axis) if axis is not None else np.linalg.norm((y - y_hat).ravel())


def l2_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y, y_hat = as_float(y), as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError(f"y has shape {y.shape} and y_hat {y_hat.shape}")

    diff = y_hat - y
    z = np.sqrt((diff**2).sum(axis=axis, keepdims=True))
    return np.divide(diff, z, out=np.zeros_like(diff), where=z > 0)


def mse(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y, y_hat = as_float(y), as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError(f"y has shape {y.shape} and y_hat {y_hat.shape}")
    return ((y - y_hat) ** 2).mean(axis=axis)


def mse_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y, y_hat = as_float(y), as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError(f"y has shape {y.shape} and y_hat {y_hat.shape}")

    diff = y_hat - y
    n = diff.size // np.size(diff.sum(axis=axis))
    return 2.0 * diff / n


def cross_entropy(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    y, y_hat = as_float(y), as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError(f"y has shape {y.shape} and y_hat {y_hat.shape}")

    tiny = np.finfo(y_hat.dtype).tiny
    p, q = np.maximum(y_hat, tiny), np.maximum(1 - y_hat, tiny)
    return -y * np.log(p) - (1 - y) * np.log(q)


def cross_entropy_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    y, y_hat = as_float(y), as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError(f"y has shape {y.shape} and y_hat {y_hat.shape}")

    p, q = y_hat.copy(), 1 - y_hat
    p[p == 0] = EPSILON
    q[q == 0] = EPSILON
    return (1 - y) / q - y / p


def sigmoid_cross_entropy(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    y, z = as_float(y), as_float(z)
    if y.shape != z.shape:
        raise ValueError(f"y has shape {y.shape} and z {z.shape}")
    return np.logaddexp(0, z) - y * z


def sigmoid_cross_entropy_grad(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    y, z = as_float(y), as_float(z)
    if y.shape != z.shape:
        raise ValueError(f"y has shape {y.shape} and z {z.shape}")
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
