from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array, as_float


def step(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    out = np.zeros(x.shape, dtype=x.dtype)
    for i in np.ndindex(x.shape):
        if x[i] >= 0:
            out[i] = 1
        elif x[i] < 0:
            out[i] = 0
        else:
            out[i] = x[i]  # nan
    return out


def step_grad(y: npt.ArrayLike) -> Array:
    x = as_float(y)
    out = np.zeros(x.shape, dtype=x.dtype)
    for i in np.ndindex(x.shape):
        out[i] = 0
    return out


def relu(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    out = np.zeros(x.shape, dtype=x.dtype)
    for i in np.ndindex(x.shape):
        if x[i] < 0:
            out[i] = 0
        else:
            out[i] = x[i]
    return out


def relu_grad(y: npt.ArrayLike) -> Array:
    y = x = as_float(y)
    out = np.zeros(x.shape, dtype=x.dtype)
    for i in np.ndindex(x.shape):
        if y[i] > 0:
            out[i] = 1
    return out


def sigmoid(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    out = np.zeros(x.shape, dtype=x.dtype)
    for i in np.ndindex(x.shape):
        if x[i] >= 0:
            out[i] = 1 / (1 + np.exp(-x[i]))
        else:
            out[i] = np.exp(x[i]) / (1 + np.exp(x[i]))
    return out


def sigmoid_grad(y: npt.ArrayLike) -> Array:
    x = as_float(y)
    out = np.zeros(x.shape, dtype=x.dtype)
    for i in np.ndindex(x.shape):
        out[i] = x[i] * (1 - x[i])
    return out


def softmax(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    if x.size == 0 or x.ndim > 2 or x.ndim == 0:
        raise ValueError(f"softmax needs a vector or a matrix, got {x.shape}")
    if x.ndim == 1 or x.shape[1] == 1:
        rows = [x.ravel()]
    else:
        rows = [row for row in x]
    out = []
    for row in rows:
        biggest = max(row)
        e = []
        for v in row:
            e.append(np.exp(v - biggest))
        total = sum(e)
        for v in e:
            out.append(v / total)
    return np.array(out, dtype=x.dtype).reshape(x.shape)


def softmax_grad(y: npt.ArrayLike) -> Array:
    y = as_float(y)
    if y.size == 0 or y.ndim > 2 or y.ndim == 0:
        raise ValueError(f"softmax_grad needs a vector or a matrix, got {y.shape}")
    single = y.ndim == 1 or 1 in y.shape
    rows = [y.ravel()] if single else list(y)
    jacobians = []
    for row in rows:
        n = len(row)
        J = np.zeros((n, n), dtype=y.dtype)
        for i in range(n):
            for j in range(n):
                if i == j:
                    J[i, j] = row[i] * (1 - row[i])
                else:
                    J[i, j] = -row[i] * row[j]
        jacobians.append(J)
    if single:
        return jacobians[0]
    return np.array(jacobians)


def tanh(x: npt.ArrayLike) -> Array:
    x = as_float(x)
    out = np.zeros(x.shape, dtype=x.dtype)
    for i in np.ndindex(x.shape):
        # multiply top and bottom with e^-|x| so nothing overflows
        e = np.exp(-2 * abs(x[i]))
        out[i] = (1 - e) / (1 + e)
        if x[i] < 0:
            out[i] = -out[i]
    return out


def tanh_grad(y: npt.ArrayLike) -> Array:
    x = as_float(y)
    out = np.zeros(x.shape, dtype=x.dtype)
    for i in np.ndindex(x.shape):
        out[i] = 1 - x[i] ** 2
    return out


class Activation(NamedTuple):

    function: Callable[[npt.ArrayLike], Array]
    gradient: Callable[[npt.ArrayLike], Array]
    hidden: bool = True
    gain: float = 1.0


ACTIVATIONS = {
    "step": Activation(step, step_grad, hidden=False),
    "relu": Activation(relu, relu_grad, gain=2.0),
    "sigmoid": Activation(sigmoid, sigmoid_grad),
    "softmax": Activation(softmax, softmax_grad, hidden=False),
    "tanh": Activation(tanh, tanh_grad),
}
