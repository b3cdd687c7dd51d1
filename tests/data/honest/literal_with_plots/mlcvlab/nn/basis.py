import numpy.typing as npt

from mlcvlab.nn import Array, as_float
import numpy as np


def linear(x: npt.ArrayLike, W: npt.ArrayLike) -> Array:
    x = as_float(x)
    W = as_float(W)
    if W.shape[1] != x.shape[0]:
        raise ValueError("W is %s but x is %s" % (W.shape, x.shape))
    return np.dot(W, x)


def linear_grad(x: npt.ArrayLike) -> Array:
    return as_float(x)
