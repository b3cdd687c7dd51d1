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
    y = as_float(y)
    y_hat = as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError(f"different shapes: y {y.shape}, y_hat {y_hat.shape}")
    d = y - y_hat
    return np.sqrt(np.sum(d * d, axis=axis))


def l2_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y = as_float(y)
    y_hat = as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError(f"different shapes: y {y.shape}, y_hat {y_hat.shape}")

    z = np.sqrt(np.sum((y - y_hat) ** 2, axis=axis, keepdims=True))
    z = np.broadcast_to(z, y.shape)
    out = np.zeros(y.shape, dtype=z.dtype)
    for i in np.ndindex(y.shape):
        if z[i] != 0:
            out[i] = (y_hat[i] - y[i]) / z[i]
    return out


def mse(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y = as_float(y)
    y_hat = as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError(f"different shapes: y {y.shape}, y_hat {y_hat.shape}")
    return np.mean((y - y_hat) ** 2, axis=axis)


def mse_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    y = as_float(y)
    y_hat = as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError(f"different shapes: y {y.shape}, y_hat {y_hat.shape}")

    if axis is None:
        n = y.size
    else:
        n = 1
        for a in (axis if isinstance(axis, tuple) else (axis,)):
            n = n * y.shape[a]
    return 2 * (y_hat - y) / n


def cross_entropy(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    y = as_float(y)
    y_hat = as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError(f"different shapes: y {y.shape}, y_hat {y_hat.shape}")
    out = np.zeros(y.shape, dtype=np.result_type(y, y_hat))
    for i in np.ndindex(y.shape):
        p, t = y_hat[i], y[i]
        tiny = np.finfo(out.dtype).tiny
        log_p = np.log(p) if p != 0 else np.log(tiny)
        log_q = np.log(1 - p) if p != 1 else np.log(tiny)
        out[i] = -t * log_p - (1 - t) * log_q
    return out


def cross_entropy_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    y = as_float(y)
    y_hat = as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError(f"different shapes: y {y.shape}, y_hat {y_hat.shape}")
    out = np.zeros(y.shape, dtype=np.result_type(y, y_hat))
    for i in np.ndindex(y.shape):
        a = y_hat[i] if y_hat[i] != 0 else EPSILON
        b = 1 - y_hat[i] if y_hat[i] != 1 else EPSILON
        out[i] = (1 - y[i]) / b - y[i] / a
    return out


def sigmoid_cross_entropy(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    y = as_float(y)
    z = as_float(z)
    if y.shape != z.shape:
        raise ValueError(f"different shapes: y {y.shape}, z {z.shape}")
    return np.logaddexp(0, z) - y * z


def sigmoid_cross_entropy_grad(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    y = as_float(y)
    z = as_float(z)
    if y.shape != z.shape:
        raise ValueError(f"different shapes: y {y.shape}, z {z.shape}")
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
