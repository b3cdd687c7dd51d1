"""What arrays hold, by name, and samples as rows of floats. In mlcvkit a sample is a row."""

import math
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array

if TYPE_CHECKING:
    import polars

Values: TypeAlias = np.ndarray
"""An array of any dtype: numbers, names, dates or truth values."""
PlainData = dict[str, Any]  # as json and tomllib have it: no type says more, and each value is checked where it is used
"""Names with texts, numbers, truth values, lists and such tables: what JSON and TOML hold."""
RawRows = Union["polars.DataFrame", Values]
"""Samples as a user has them, one a row: a table, or an array, (N, ...)."""
Rows: TypeAlias = np.ndarray
"""Samples as rows of numbers, (N, ...): floats, or bytes of images. A scipy.sparse matrix may stand in for them."""
Indices = npt.NDArray[np.intp]
"""Indices of rows, (N,)."""


def scale_images(images: Rows) -> npt.NDArray[np.float32]:
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


def float_rows(X: Rows) -> Array:
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
