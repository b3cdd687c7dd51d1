import numpy.typing as npt

from mlcvlab.nn import Array, as_float
import numpy as np


def linear(x: npt.ArrayLike, W: npt.ArrayLike) -> Array:
    x = as_float(x)
    W = as_float(W)
    if W.shape[1] != x.shape[0]:
        raise ValueError(f"shapes do not fit: W {W.shape}, x {x.shape}")
    columns = []
    for i in range(x.shape[1]):
        columns.append(W.dot(x[:, i]))
    return np.array(columns, dtype=np.result_type(x, W)).reshape(x.shape[1], W.shape[0]).T


def linear_grad(x: npt.ArrayLike) -> Array:
    return as_float(x)
