import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array, as_float


class LinearMap:

    def __init__(self, W):
        self.W = np.asmatrix(as_float(W))

    def forward(self, x):
        X = np.asmatrix(as_float(x))
        if self.W.shape[1] != X.shape[0]:
            raise ValueError(f"W {self.W.shape} does not fit x {X.shape}")
        return np.asarray(self.W * X)

    @staticmethod
    def grad(x):
        return as_float(x)


def linear(x: npt.ArrayLike, W: npt.ArrayLike) -> Array:
    return LinearMap(W).forward(x)


def linear_grad(x: npt.ArrayLike) -> Array:
    return LinearMap.grad(x)
