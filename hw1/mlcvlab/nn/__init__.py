"""The components of a network: basis, activations and losses, each beside its gradient."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]


def as_float(x: npt.ArrayLike) -> Array:
    """Return ``x`` as an array of floating-point numbers: floats as they are, integers as float64."""
    array = np.asarray(x)
    return array if array.dtype.kind in "fc" else array.astype(np.float64)
