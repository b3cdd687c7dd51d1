"""The components of a network: basis, activations and losses, each beside its gradient."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]


def as_float(x: npt.ArrayLike) -> Array:
    """Turn numbers into an array of floats.

    Parameters
    ----------
    x
        Numbers of any shape. Floats keep their dtype; integers become float64.

    Returns
    -------
    Array
        The array.
    """
    array = np.asarray(x)
    return array if array.dtype.kind in "fc" else array.astype(np.float64)
