import numpy.typing as npt

from mlcvlab.nn import Array, as_float


def linear(x: npt.ArrayLike, W: npt.ArrayLike) -> Array:
    x = as_float(x)
    W = as_float(W)
    if x.shape[0] != W.shape[1]:
        raise ValueError("shapes do not fit: W %s, x %s" % (W.shape, x.shape))
    return W.dot(x)


def linear_grad(x: npt.ArrayLike) -> Array:
    # dY/dW = X
    return as_float(x)
