from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array, as_float
class Step:
    def forward(self, x):
        return np.heaviside(x, np.ones((), x.dtype))

    def backward(self, y):
        return np.zeros_like(y)


class ReLU:
    def forward(self, x):
        return np.maximum(x, np.zeros((), x.dtype))

    def backward(self, y):
        return (y > 0).astype(y.dtype)


class Sigmoid:
    def forward(self, x):
        # tanh never overflows; it is inexact in the far left tail, so use e^x there
        return np.where(x < -10, np.exp(np.minimum(x, 0)) / (1 + np.exp(np.minimum(x, 0))), 0.5 * (1 + np.tanh(x / 2)))

    def backward(self, y):
        return y * (1 - y)


class Tanh:
    def forward(self, x):
        return np.tanh(x)

    def backward(self, y):
        return 1 - y**2


class Softmax:
    def _rows(self, a):
        if a.size == 0 or a.ndim > 2:
            raise ValueError(f"softmax: bad shape {a.shape}")
        return a if a.ndim == 2 and a.shape[1] > 1 else a.reshape(1, -1)

    def forward(self, x):
        rows = self._rows(x)
        e = np.exp(rows - rows.max(axis=1, keepdims=True))
        return (e / e.sum(axis=1, keepdims=True)).reshape(x.shape)

    def backward(self, y):
        jacobians = []
        for row in self._rows(y):
            column = np.asmatrix(row).T
            jacobians.append(np.asarray(np.diag(row) - column * column.T))
        return jacobians[0] if len(jacobians) == 1 else np.array(jacobians)


def step(x: npt.ArrayLike) -> Array:
    return Step().forward(as_float(x))


def step_grad(y: npt.ArrayLike) -> Array:
    return Step().backward(as_float(y))


def relu(x: npt.ArrayLike) -> Array:
    return ReLU().forward(as_float(x))


def relu_grad(y: npt.ArrayLike) -> Array:
    return ReLU().backward(as_float(y))


def sigmoid(x: npt.ArrayLike) -> Array:
    return Sigmoid().forward(as_float(x))


def sigmoid_grad(y: npt.ArrayLike) -> Array:
    return Sigmoid().backward(as_float(y))


def softmax(x: npt.ArrayLike) -> Array:
    return Softmax().forward(as_float(x))


def softmax_grad(y: npt.ArrayLike) -> Array:
    return Softmax().backward(as_float(y))


def tanh(x: npt.ArrayLike) -> Array:
    return Tanh().forward(as_float(x))


def tanh_grad(y: npt.ArrayLike) -> Array:
    return Tanh().backward(as_float(y))


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
