import numpy.typing as npt

from mlcvlab.nn import Array, as_float


def linear(x: npt.ArrayLike, W: npt.ArrayLike) -> Array:
    X = as_float(x)
    W = as_float(W)
    if W.shape[1] != X.shape[0]:
        raise ValueError(f"cannot multiply W {W.shape} by x {X.shape}")
    return W @ X


def linear_grad(x: npt.ArrayLike) -> Array:
    return as_float(x)
