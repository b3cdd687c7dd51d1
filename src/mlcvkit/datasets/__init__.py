"""Anything a user has, as arrays or a table, a sample a row. MNIST is inside the package.

``read`` opens files, folders of images and the sets that need no file; ``TableEncoder`` turns a table's columns into
numbers.
"""

from mlcvkit.arrays import float_rows, scale_images
from mlcvkit.datasets.columnar_files import as_frame
from mlcvkit.datasets.columns import MISSING_NUMBERS, known_text, order_in_time, type_of
from mlcvkit.datasets.description import alike_names, describe, notes_of
from mlcvkit.datasets.images import IMAGE_SUFFIXES, ImageEncoder, are_images, read_images
from mlcvkit.datasets.mnist_digits import (
    PARITY_NAMES,
    SIDE,
    DataSet,
    is_even,
    mnist,
    mnist_parity,
    read_digit,
)
from mlcvkit.datasets.numpy_files import idx_header, npy_header
from mlcvkit.datasets.samples import (
    FORMATS,
    TESTED_WITH,
    Samples,
    are_truth_values,
    as_file,
    checked_arrays,
    choose_arrays,
    has_columns,
    is_same_data,
    is_table,
    no_number,
    numbers_of_text,
    read,
    split_target,
    suffix_of,
)
from mlcvkit.datasets.tables import TableEncoder, encoder_for, restored_encoder
from mlcvkit.datasets.text_files import TextReader
from mlcvkit.datasets.toys import MNIST_NAMES, TOYS

__all__ = [
    "FORMATS",
    "IMAGE_SUFFIXES",
    "MISSING_NUMBERS",
    "MNIST_NAMES",
    "PARITY_NAMES",
    "SIDE",
    "TESTED_WITH",
    "TOYS",
    "DataSet",
    "ImageEncoder",
    "Samples",
    "TableEncoder",
    "TextReader",
    "alike_names",
    "are_images",
    "are_truth_values",
    "as_file",
    "as_frame",
    "checked_arrays",
    "choose_arrays",
    "describe",
    "encoder_for",
    "float_rows",
    "has_columns",
    "idx_header",
    "is_even",
    "is_same_data",
    "is_table",
    "known_text",
    "mnist",
    "mnist_parity",
    "no_number",
    "notes_of",
    "npy_header",
    "numbers_of_text",
    "order_in_time",
    "read",
    "read_digit",
    "read_images",
    "restored_encoder",
    "scale_images",
    "split_target",
    "suffix_of",
    "type_of",
]
