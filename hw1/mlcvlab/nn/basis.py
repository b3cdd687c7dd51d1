"""The linear basis (handout, Problem 1)."""

import numpy.typing as npt

from mlcvlab.nn import Array, as_float


def linear(x: npt.ArrayLike, W: npt.ArrayLike) -> Array:
    """Linear function of the samples in the columns of ``x``.

        Y = W · X

    Parameters
    ----------
    x
        The samples X, (K, N), one a column.
    W
        The weights, (M, K).

    Returns
    -------
    Array
        The outputs Y, (M, N).

    Raises
    ------
    ValueError
        If the K of both differ, with both shapes.

    References
    ----------
    Handout, Problem 1, "Linear Basis".

    Examples
    --------
    >>> linear([[1.0], [2.0]], [[3.0, 4.0]])
    array([[11.]])
    """
    x, W = as_float(x), as_float(W)
    if x.ndim != 2 or W.ndim != 2 or W.shape[1] != x.shape[0]:
        raise ValueError(f"linear needs W of shape (M, K) and x of shape (K, N); got W {W.shape} and x {x.shape}")
    return W @ x


def linear_grad(x: npt.ArrayLike) -> Array:
    """Gradient of the linear function with respect to its weights.

        ∇_W (W · x) = x

    The handout's line is shorthand (erratum 3): Y has M entries and W has M × K, and what the chain rule needs is
    the upstream gradient ∇_Y ℓ, (M, N), times the transpose of this result:

        ∇_W ℓ = ∇_Y ℓ · linear_grad(x)ᵀ

    Parameters
    ----------
    x
        The samples, (K, N), one a column.

    Returns
    -------
    Array
        x itself, (K, N), not a copy.

    References
    ----------
    Handout, Problem 1, "Linear Basis".
    """
    return as_float(x)
