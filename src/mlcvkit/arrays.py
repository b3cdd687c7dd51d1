"""What arrays hold, by name, and samples as rows of floats. In mlcvkit a sample is a row."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
"""An array of any dtype."""
Indices = npt.NDArray[np.intp]
"""Indices of rows, (N,)."""
Images = npt.NDArray[np.uint8]
"""Grey values from 0 to 255, (N, H, W)."""


def scale_images(images: Images) -> npt.NDArray[np.float32]:
    """Turn grey values from 0 to 255 into rows of numbers from 0 to 1.

    Parameters
    ----------
    images
        The images, (N, H, W).

    Returns
    -------
    Array
        The rows, (N, H · W).
    """
    rows: npt.NDArray[np.float32] = np.divide(
        images.reshape(len(images), math.prod(images.shape[1:])), 255, dtype=np.float32
    )
    return rows


def float_rows(X: Array) -> Array:
    """Samples of any shape as rows of numbers.

    Parameters
    ----------
    X
        Samples, (N, ...): floats, uint8 from 0 to 255, which are scaled to 0 to 1, or a scipy.sparse matrix.

    Returns
    -------
    Array
        The rows, (N, K); a sparse matrix stays sparse.
    """
    if X.dtype == np.uint8:
        return scale_images(X)
    return X if X.ndim == 2 else X.reshape(len(X), -1)
