import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array


def linear(x: npt.ArrayLike, W: npt.ArrayLike) -> Array:
    X, W = np.asarray(x, dtype=np.float64), np.asarray(W, dtype=np.float64)
    if X.ndim == 0 or W.ndim == 0 or W.shape[-1] != X.shape[0]:
        raise ValueError(f"linear: W {W.shape} and x {X.shape} do not fit")
    return np.matmul(W, X)


def linear_grad(x: npt.ArrayLike) -> Array:
    return np.array(x, dtype=np.float64)
