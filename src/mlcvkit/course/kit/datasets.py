"""MNIST, which comes with this package: 60,000 training and 10,000 test images of handwritten digits."""

import gzip
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np


class DataSet(NamedTuple):
    """Training and test samples with their labels, one sample a row."""

    train_X: Any
    train_y: Any
    test_X: Any
    test_y: Any


def mnist() -> DataSet:
    """Images, (60000, 28, 28) and (10000, 28, 28), and labels 0 to 9; uint8.

    Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits"; CC BY-SA 3.0.
    """
    parts = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    return DataSet(*(_array(f"{part}-ubyte.gz") for part in parts))


def _array(name: str) -> Any:
    data = gzip.decompress(files(__package__ or "mlcvkit.datasets").joinpath(name).read_bytes())
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(data[3])]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)
