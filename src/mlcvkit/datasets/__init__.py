"""Anything a user has, as arrays or a table, a sample a row. MNIST is inside the package.

``read`` opens files, folders of images and the sets that need no file; ``TableEncoder`` turns a table's columns into
numbers.
"""

from mlcvkit.arrays import float_rows, scale_images
from mlcvkit.datasets.mnist_digits import (
    PARITY_NAMES,
    SIDE,
    DataSet,
    is_even,
    mnist,
    mnist_parity,
    mnist_test_parity,
    read_digit,
)
from mlcvkit.datasets.readers import FORMATS, IMAGE_SUFFIXES, Samples, as_file, has_columns, read, read_images
from mlcvkit.datasets.tables import ImageEncoder, TableEncoder, describe, encoder_for, restored_encoder
from mlcvkit.datasets.toys import MNIST_NAMES, TOYS

__all__ = [
    "FORMATS",
    "IMAGE_SUFFIXES",
    "MNIST_NAMES",
    "PARITY_NAMES",
    "SIDE",
    "TOYS",
    "DataSet",
    "ImageEncoder",
    "Samples",
    "TableEncoder",
    "as_file",
    "describe",
    "encoder_for",
    "float_rows",
    "has_columns",
    "is_even",
    "mnist",
    "mnist_parity",
    "mnist_test_parity",
    "read",
    "read_digit",
    "read_images",
    "restored_encoder",
    "scale_images",
]
