import numpy.typing as npt

from mlcvlab.nn import Array, as_float
import numpy as np


def linear(x: npt.ArrayLike, W: npt.ArrayLike) -> Array:
    X, A = as_float(x), as_float(W)
    if A.shape[-1] != X.shape[0]:
        raise ValueError(f"W {A.shape} and x {X.shape} do not fit")
    return np.einsum("mk,kn->mn", A, X, optimize=True)


def linear_grad(x: npt.ArrayLike) -> Array:
    return as_float(x)
