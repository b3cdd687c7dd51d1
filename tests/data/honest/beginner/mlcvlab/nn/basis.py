import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array, as_float


def linear(x: npt.ArrayLike, W: npt.ArrayLike) -> Array:
    x = as_float(x)
    W = as_float(W)
    if W.shape[-1] != x.shape[0]:
        raise ValueError(f"W {W.shape} and x {x.shape} do not fit")
    return np.dot(W, x)


def linear_grad(x: npt.ArrayLike) -> Array:
    return as_float(x)
