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
    """Turn grey values from 0 to 255, (N, H, W), into rows from 0 to 1, (N, H · W)."""
    rows: npt.NDArray[np.float32] = np.divide(
        images.reshape(len(images), math.prod(images.shape[1:])), 255, dtype=np.float32
    )
    return rows


def float_rows(X: Array) -> Array:
    """Samples, (N, ...), as rows, (N, K); uint8 are grey values from 0 to 255 and become 0 to 1; sparse rows stay."""
    if X.dtype == np.uint8:
        return scale_images(X)
    return X if X.ndim == 2 else X.reshape(len(X), -1)
