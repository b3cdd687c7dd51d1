"""Files, folders and names as samples.

A file that cannot be read is named, with the line or the place where it ends.
"""

import csv
import gzip
import hashlib
import io
import math
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import IO, TYPE_CHECKING, Union

import numpy as np
import numpy.typing as npt

from mlcvkit.arrays import RawRows, Values
from mlcvkit.datasets.mnist_digits import IMAGE_FORMATS, PARITY_NAMES, mnist
from mlcvkit.datasets.toys import TOYS
from mlcvkit.errors import InputError
from mlcvkit.extras import require

if TYPE_CHECKING:
    import polars
    import pyarrow

MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?"]
"""What stands for a missing value in a text file."""

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")

LARGEST = 1 << 31
"""Bytes that an archive or a zipped text may become."""
SMALL_TABLE, MOST_TIMES = 1 << 30, 100
"""Bytes that a compressed table may become, or so many times its size if that is more."""


@dataclass(frozen=True)
class Samples:
    """Samples and, where a target was named, their targets.

    Parameters
    ----------
    name
        The name of the data, for messages.
    X
        The samples, one a row: a polars data frame, or an array, (N, ...).
    y
        The targets, (N,), or None.
    target
        The name of the target, or None.
    fingerprint
        The SHA-256 sum of the content.
    test
        X and y of the test set that came with the data, or None.
    files
        The names of the images' files.
    class_names
        The names of the classes where the targets are numbers that stand for them.
    """

    name: str
    X: RawRows
    y: Values | None
    target: str | None
    fingerprint: str
    test: tuple[RawRows, Values] | None = None
    files: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()


def read(
    source: str | Path, target: str | Path | None = None, *, image_size: int | None = None, as_text: bool = False
) -> Samples:
    """Open a data set.

    Parameters
    ----------
    source
        A table (.csv, .tsv, .parquet, .arrow, .feather), arrays (.npz, .npy, IDX as of MNIST; text and IDX may be
        gzipped), a folder with a folder of images for each class, or the name of a set that needs no file (``TOYS``).
    target
        The column to predict; of a .npy or IDX file the file with the labels, of a .npz file the name of the array, "y"
        where left out.
    image_size
        The height and the width to which the images of a folder are scaled, in pixels.
    as_text
        Whether the columns of a text file are left as text.

    Returns
    -------
    Samples
        The data set.

    Raises
    ------
    InputError
        For what cannot be read, with the file and the place, and for a target that is not there, with what is.
    """
    if str(source) in TOYS:
        return _toy(str(source), target)
    path = Path(source)
    if path.is_dir():
        return _image_folder(path, target, image_size)
    if not path.is_file():
        raise InputError(
            f"{path} does not exist; give a file, a folder of images, or one of the names {', '.join(TOYS)}"
        )
    reader = _reader(path)
    try:
        content = reader(path, as_text=True) if as_text and isinstance(reader, _TextReader) else reader(path)
        if isinstance(content, dict):
            return _of_arrays(path, content, target)
        if isinstance(content, np.ndarray):
            return _of_array(path, content, target)
        return _of_table(path, content, target)
    except MemoryError:
        raise InputError(f"{path} is damaged, or larger than the memory") from None


def _toy(name: str, target: str | Path | None) -> Samples:
    if target not in (None, "y"):
        raise InputError(f"{name} has one target already: leave out --target {target}")
    X, y = TOYS[name]()
    test = None
    if name.startswith("mnist"):
        digits = mnist()
        test_y = digits.test_y if name == "mnist" else (digits.test_y % 2 == 0).astype(int)
        test = digits.test_X, test_y
    names = PARITY_NAMES if name == "mnist-parity" else ()
    return Samples(name, X, y, "y", _fingerprint_of_arrays(X, y), test, class_names=names)


def _of_table(path: Path, frame: "polars.DataFrame", target: str | Path | None) -> Samples:
    if frame.width == 0 or frame.height == 0:
        raise InputError(f"{path} has no rows: a table needs a line of column names and one for each sample")
    if target is None:
        return Samples(path.name, frame, None, None, _fingerprint(path))
    X, y = split_target(frame, str(target), path)
    return Samples(path.name, X, y, str(target), _fingerprint(path))


def split_target(frame: "polars.DataFrame", target: str, path: object) -> tuple[RawRows, Values]:
    """Take the target out of a table.

    Parameters
    ----------
    frame
        The table, a polars data frame.
    target
        The name of its column.
    path
        The file, for messages.

    Returns
    -------
    tuple[RawRows, Values]
        The other columns, and the target.

    Raises
    ------
    InputError
        Where it is not there or has missing values.
    """
    if target not in frame.columns:
        raise InputError(f"{path} has no column {target!r}; its columns are {_listed(frame.columns)}")
    if frame.width == 1:
        raise InputError(f"{path} has no column beside the target {target!r}: there is nothing to predict it from")
    column = frame[target]
    missing = column.is_null()
    if column.dtype.is_float():
        missing |= ~column.is_finite().fill_null(False)
    if missing.any():
        row = int(missing.arg_true()[0])
        raise InputError(
            f"{path}: the target {target!r} is missing in {missing.sum():,} of {len(column):,} rows, first in row "
            f"{row + 1}: leave those rows out, or fill them in"
        )
    if not (
        column.dtype.is_numeric()
        or str(column.dtype) in ("String", "Boolean")
        or column.dtype.is_temporal()
        or str(column.dtype).startswith(("Categorical", "Enum"))
    ):
        raise InputError(f"{path}: the target {target!r} is of kind {column.dtype}; it must be numbers or names")
    y = column.to_numpy() if column.dtype.is_numeric() else column.cast(str).to_numpy().astype(str)
    return frame.drop(target), y


def _of_arrays(path: Path, arrays: dict[str, Values], target: str | Path | None) -> Samples:
    features, given = choose_arrays(path, arrays, target)
    return _samples(path, arrays[features], None if given is None else arrays[given], given)


def choose_arrays(path: object, names: Iterable[str], target: str | Path | None) -> tuple[str, str | None]:
    """Tell which of several arrays holds the samples and which the targets.

    Parameters
    ----------
    path
        The file, for messages.
    names
        The names of the arrays.
    target
        The name of the one with the targets, where it is known.

    Returns
    -------
    tuple[str, str | None]
        The names of both; None for the targets where there are none.

    Raises
    ------
    InputError
        Where that cannot be told.
    """
    names = list(names)
    given = str(target) if target is not None else next((n for n in ("y", "labels", "target") if n in names), None)
    if given is not None and given not in names:
        raise InputError(f"{path} has no array {given!r}; its arrays are {_listed(names)}")
    others = [name for name in names if name != given]
    features = "X" if "X" in others else "x" if "x" in others else others[0] if len(others) == 1 else None
    if features is None:
        raise InputError(f"{path} needs an array X of the samples; its arrays are {_listed(names)}")
    return features, given


def _of_array(path: Path, X: Values, target: str | Path | None) -> Samples:
    if X.dtype.names:
        polars = _polars()
        return _of_table(path, polars.DataFrame({name: X[name] for name in X.dtype.names}), target)
    if target is None:
        return _samples(path, X, None, None)
    if X.ndim == 2 and str(target).isdigit() and int(str(target)) < X.shape[1]:
        column = int(str(target))
        return _samples(path, np.delete(X, column, axis=1), X[:, column], str(target))
    labels = Path(target)
    if not labels.is_file():
        raise InputError(
            f"the target of {path} is the file of its labels, or the number of a column; {labels} is no file"
        )
    y = _reader(labels)(labels)
    if not isinstance(y, np.ndarray):
        raise InputError(f"{labels} must be an array of labels, .npy or IDX")
    return _samples(path, X, y, labels.name)


def _samples(path: Path, X: Values, y: Values | None, target: str | None) -> Samples:
    y = checked_arrays(path, X, y, target)
    return Samples(path.name, X, y, target, _fingerprint_of_arrays(X, *([] if y is None else [y])))


def checked_arrays(path: object, X: Values, y: Values | None, target: str | None) -> Values | None:
    """Check samples and targets that were read from arrays.

    Parameters
    ----------
    path
        The file, for messages.
    X
        The samples.
    y
        The targets, or None.
    target
        The name of the targets.

    Returns
    -------
    Values | None
        The targets, (N,), or None.

    Raises
    ------
    InputError
        Where samples or targets are not what they must be.
    """
    if X.ndim < 2 or len(X) == 0 or X[0].size == 0 or X.dtype.kind not in "fiub":
        raise InputError(f"{path} needs samples as rows of numbers, (N, K) or (N, H, W); got {X.dtype} {X.shape}")
    if y is not None:
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if y.shape != (len(X),):
            raise InputError(f"{path} needs one target for each of its {len(X):,} samples; got {y.shape} in {target!r}")
        if y.dtype.kind not in "fiubU" or (y.dtype.kind == "f" and not np.isfinite(y).all()):
            raise InputError(f"{path}: the targets {target!r} must be finite numbers or names; got {y.dtype}, or NaN")
    return y


def _image_folder(folder: Path, target: str | Path | None, image_size: int | None) -> Samples:
    """The images of a folder with a folder for each class; or, without classes, those that lie in it."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if target is not None:
        raise InputError(f"the target of a folder of images is the name of each image's folder: leave out {target!r}")
    files = [(path, place.name) for place in classes or [folder] for path in sorted(place.iterdir()) if _is_image(path)]
    if not files:
        raise InputError(
            f"{folder} has no images: it needs a folder for each class with {', '.join(IMAGE_SUFFIXES)} files"
        )
    images = read_images([path for path, _ in files], image_size)
    y = np.array([label for _, label in files]) if classes else None
    return Samples(
        folder.name,
        images,
        y,
        "folder" if classes else None,
        _fingerprint_of_arrays(images, *([] if y is None else [y])),
        files=tuple(str(path.relative_to(folder)) for path, _ in files),
    )


def read_images(paths: list[Path], image_size: int | None = None) -> npt.NDArray[np.uint8]:
    """Read images of one size.

    Parameters
    ----------
    paths
        The files.
    image_size
        The height and the width to which they are scaled, in pixels. By default they stay as they are.

    Returns
    -------
    Values
        The images as bytes, (N, H, W) where all are grey, else (N, H, W, 3).

    Raises
    ------
    InputError
        For a file that is no image, or has another size than the first one.
    """
    from PIL import Image

    if image_size is not None and not 1 <= image_size <= 1024:
        raise InputError(f"image_size must be from 1 to 1024; got {image_size}")
    images: list[Values] = []
    for path in paths:
        try:
            with Image.open(path, formats=IMAGE_FORMATS) as image:
                pixels = image.convert("RGB")
                if image_size is not None:
                    pixels = pixels.resize((image_size, image_size))
                images.append(np.asarray(pixels))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise InputError(f"{path} is not an image that can be read: {str(error).splitlines()[0]}") from None
        if images[-1].shape != images[0].shape:
            (h1, w1, _), (h2, w2, _) = images[0].shape, images[-1].shape
            raise InputError(
                f"the images have different sizes: {paths[0]} is {w1} x {h1}, {path} is {w2} x {h2}; give an image "
                "size to scale them to: --image-size 28"
            )
    stack: npt.NDArray[np.uint8] = np.stack(images)
    grey = (stack[..., :1] == stack).all()
    return np.ascontiguousarray(stack[..., 0]) if grey else stack


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES


def _polars() -> ModuleType:
    require("tables")
    return import_module("polars")


class _TextReader:
    """Reads text whose fields are apart by the first of some separators that is in its first line."""

    def __init__(self, *separators: str) -> None:
        self.separators = separators

    def __call__(self, path: Path, *, as_text: bool = False) -> "polars.DataFrame":
        """The table; ``as_text`` leaves all values as they stand, for a model that knows what its columns are."""
        pl = _polars()
        text = _decoded(path, _decompressed(path))
        header = text.lstrip().partition("\n")[0]
        separator = next((s for s in self.separators if s in header), self.separators[0])
        names, text = _checked_lines(path, text, separator)
        comma = separator == ";" and re.search(r"(^|;)-?\d+,\d+(;|\r?$)", text, re.MULTILINE) is not None
        try:
            table: polars.DataFrame = pl.read_csv(
                io.BytesIO(text.encode()),
                separator=separator,
                has_header=True,
                new_columns=names,
                null_values=MISSING,
                infer_schema=comma or not as_text,
                decimal_comma=comma,
                try_parse_dates=not as_text,
                infer_schema_length=None,
            )
        except pl.exceptions.PolarsError as error:
            raise InputError(f"{path} cannot be read as a table: {_first_line(error)}") from None
        return table


def _decoded(path: Path, content: bytes) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    end = content.find(b"\0") if encoding == "utf-8-sig" else -1
    if end >= 0:
        raise InputError(f"{path} is not text: line {content[:end].count(10) + 1} has a byte 0")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(10) + 1
        raise InputError(
            f"{path}, line {line}: byte {content[error.start]:#x} is not UTF-8; save it as UTF-8"
        ) from None


def _checked_lines(path: Path, text: str, separator: str) -> tuple[list[str], str]:
    """The column names, and the text without empty lines and without spaces before the fields.

    Parameters
    ----------
    path
        The file, for messages.
    text
        Its text.
    separator
        What separates its fields.

    Returns
    -------
    tuple[list[str], str]
        The column names, and the text.

    Raises
    ------
    InputError
        With the line where a line has another number of fields.
    """
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    names: list[str] = []
    plain = True  # whether the text can stay as it is
    try:
        for row in rows:
            plain = plain and bool(row)
            if not row:
                continue
            if not names:
                names = [name.strip() or f"column {i + 1}" for i, name in enumerate(row)]
            elif len(row) != len(names):
                raise InputError(
                    f"{path}, line {rows.line_num}: {len(row)} fields where the header has {len(names)} columns"
                )
    except csv.Error as error:
        raise InputError(f"{path}, line {rows.line_num}: {error}") from None
    if not names:
        raise InputError(f"{path} is empty")
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise InputError(f"{path} has more than one column of the name {twice[0]!r}: rename one")
    if plain and f"{separator} " not in text:
        return names, text
    tidy = io.StringIO()
    again = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    csv.writer(tidy, delimiter=separator).writerows([field.rstrip(" ") for field in row] for row in again if row)
    return names, tidy.getvalue()


def _read_binary_table(kind: str) -> "Callable[[Path], polars.DataFrame]":
    def read_table(path: Path) -> "polars.DataFrame":
        # pyarrow reads, since a damaged file can end the whole process in polars' own reader
        return as_frame(path, kind, lambda arrow: _arrow_table(arrow, kind, path.read_bytes()))

    return read_table


def as_frame(path: object, kind: str, read_table: "Callable[[ModuleType], pyarrow.Table]") -> "polars.DataFrame":
    """A table that pyarrow reads, as a polars data frame.

    Parameters
    ----------
    path
        The file, for messages.
    kind
        The format of the file, for messages.
    read_table
        ``read_table(pyarrow)`` reads the table.

    Returns
    -------
    polars.DataFrame
        The data frame.

    Raises
    ------
    InputError
        Where the file is damaged.
    """
    pl, arrow = _polars(), _arrow()
    try:
        table = read_table(arrow)
        table.validate(full=True)
        # new fields, without metadata: a name that is no text is refused here, in good order
        frame: polars.DataFrame = pl.from_arrow(arrow.Table.from_arrays(table.columns, names=table.column_names))
    except _TooLarge as error:
        raise InputError(f"{path} is too large a table: {error}") from None
    except (arrow.ArrowException, OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{path} is damaged or not a {kind} file: {_first_line(error)}") from None
    return frame


def _arrow() -> ModuleType:
    require("tables")
    return import_module("pyarrow")


def _arrow_table(arrow: ModuleType, kind: str, content: bytes) -> "pyarrow.Table":
    """Parquet, or Arrow's file format, which Feather is, or its stream."""
    if kind == "Parquet":
        import pyarrow.parquet

        file = pyarrow.parquet.ParquetFile(arrow.BufferReader(content))
        claimed = file.metadata.num_rows * sum(_bytes_of_a_value(field.type) for field in file.schema_arrow)
        groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
        _require_bearable(max(sum(group.total_byte_size for group in groups), claimed), len(content))
        return file.read()
    import pyarrow.ipc

    open_content = pyarrow.ipc.open_file if content[:6] == b"ARROW1" else pyarrow.ipc.open_stream
    reader, batches, size = open_content(arrow.BufferReader(content)), [], 0
    count = reader.num_record_batches if content[:6] == b"ARROW1" else None
    for batch in reader if count is None else map(reader.get_batch, range(count)):
        size += batch.nbytes
        _require_bearable(size, len(content))
        batches.append(batch)
    return arrow.Table.from_batches(batches, reader.schema)


class _TooLarge(Exception):
    """A table that is not damaged, and not read."""


def _bytes_of_a_value(kind: "pyarrow.DataType") -> int:
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:  # text and lists have no fixed width
        return 8


def _require_bearable(size: int, stored: int) -> None:
    """Refuse a small file that becomes a very large table."""
    most = max(SMALL_TABLE, MOST_TIMES * stored)
    if size > most:
        raise _TooLarge(f"its {stored:,} bytes would become {size:,}, more than {most:,}")


def _read_npy(path: Path) -> Values:
    with path.open("rb") as file:
        return _npy(path, path.name, file, path.stat().st_size)


def _npy(path: Path, name: str, file: IO[bytes], size: int) -> Values:
    """One array, if the file has as many bytes as its header says."""
    shape, fortran_order, dtype = npy_header(path, name, file)
    needed = math.prod(shape) * dtype.itemsize
    content = file.read(needed) if needed <= size else b""
    if len(content) != needed:
        raise InputError(f"{path} is truncated: {name} should have {needed:,} bytes of data and has {len(content):,}")
    try:
        return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran_order else "C")
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged: {name}: {_first_line(error)}") from None


def npy_header(path: object, name: str, file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Shape, whether the columns lie together, and type of the array that follows in an .npy file.

    Parameters
    ----------
    path
        The file, for messages.
    name
        The name of the array, for messages.
    file
        The open file, at the beginning of the array's header.

    Returns
    -------
    tuple[tuple[int, ...], bool, np.dtype[np.generic]]
        The shape, whether the columns lie together, and the dtype.

    Raises
    ------
    InputError
        Where it is damaged or holds Python objects.
    """
    try:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
            (3, 0): np.lib.format.read_array_header_2_0,  # the same, with names of fields in UTF-8
        }[version]
        shape, fortran_order, dtype = read_header(file)
        if min(shape, default=0) < 0:
            raise ValueError(f"its shape is {shape}")
    except Exception as error:  # the header is a Python literal, and a damaged one fails in every way that a parser can
        raise InputError(f"{path} is damaged: {name} is not a NumPy array ({_first_line(error)})") from None
    if dtype.hasobject:
        raise InputError(f"{path}: {name} holds Python objects, which are never loaded; save numbers or text")
    return shape, fortran_order, dtype


def _read_npz(path: Path) -> dict[str, Values]:
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(member.file_size for member in archive.infolist())
            if total > LARGEST:
                raise InputError(f"{path} would become {total:,} bytes, more than {LARGEST:,}: save it as .npy files")
            for member in archive.infolist():
                with archive.open(member) as file:
                    name = member.filename.removesuffix(".npy")
                    arrays[name] = _npy(path, name, file, member.file_size)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is damaged or not a .npz file: {_first_line(error)}") from None
    if not arrays:
        raise InputError(f"{path} holds no array")
    return arrays


def _read_idx(path: Path) -> Values:
    content = _decompressed(path)
    shape, dtype, offset = idx_header(path, content)
    needed = offset + math.prod(shape) * dtype.itemsize
    if len(content) != needed:
        raise InputError(f"{path} is damaged: an IDX file of shape {shape} has {needed:,} bytes, not {len(content):,}")
    return np.frombuffer(content, dtype, offset=offset).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def idx_header(path: object, content: bytes) -> tuple[tuple[int, ...], np.dtype[np.generic], int]:
    """Shape and type of the array in an IDX file, the format of MNIST, and where it begins.

    Two zero bytes, the type, the number of dimensions, each dimension, and the data.

    Parameters
    ----------
    path
        The file, for messages.
    content
        Its first 20 bytes or more.

    Returns
    -------
    tuple[tuple[int, ...], np.dtype[np.generic], int]
        The shape, the dtype, and the number of bytes before the data.

    Raises
    ------
    InputError
        Where it is no IDX file.
    """
    types = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in types or not 1 <= content[3] <= 4:
        raise InputError(f"{path} is not an IDX file: it begins with {content[:4].hex(' ')!r}")
    offset = 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, offset, 4))
    return shape, np.dtype(types[content[2]]), offset


def _decompressed(path: Path) -> bytes:
    """The content of a file, or of what it is the gzip of."""
    content = path.read_bytes()
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            plain = file.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} is damaged: {_first_line(error)}") from None
    if len(plain) > LARGEST:
        raise InputError(f"{path} would become more than {LARGEST:,} bytes")
    return plain


Content = Union["polars.DataFrame", Values, dict[str, Values]]
Reader = Callable[[Path], Content]

FORMATS: dict[str, Reader] = {
    ".csv": _TextReader(",", ";"),
    ".tsv": _TextReader("\t"),
    ".parquet": _read_binary_table("Parquet"),
    ".arrow": _read_binary_table("Arrow"),
    ".feather": _read_binary_table("Feather"),
    ".npz": _read_npz,
    ".npy": _read_npy,
    ".idx": _read_idx,
}
"""The readers by a file's last suffix, before .gz; IDX files are also known by "-ubyte" in their names."""


def as_file(columns: Mapping[str, Values], suffix: str) -> bytes:
    """Columns as the content of a file.

    Parameters
    ----------
    columns
        The columns by name, (N,) each.
    suffix
        The format: .csv, .tsv, .parquet, .arrow or .feather.

    Returns
    -------
    bytes
        The content.

    Raises
    ------
    InputError
        For another suffix.
    """
    polars = _polars()
    frame, buffer = polars.DataFrame(dict(columns)), io.BytesIO()
    suffix = suffix.lower()
    if suffix in (".csv", ".tsv"):
        frame.write_csv(buffer, separator="," if suffix == ".csv" else "\t")
    elif suffix == ".parquet":
        frame.write_parquet(buffer)
    elif suffix in (".arrow", ".feather"):
        frame.write_ipc(buffer)
    else:
        raise InputError(f"predictions are written to .csv, .tsv, .parquet, .arrow or .feather files; got {suffix!r}")
    return buffer.getvalue()


def suffix_of(path: Path) -> str:
    """The format of a file by its name, as in ``FORMATS``.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    str
        The suffix, without the one of the compression.
    """
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    return ".idx" if "ubyte" in path.name or suffix.startswith(".idx") else suffix


def has_columns(data: str) -> bool:
    """Whether data are a table or named arrays, whose target is a name and no file.

    Parameters
    ----------
    data
        A file, a pattern of files, or the name of a set that needs no file.

    Returns
    -------
    bool
        Whether they are.
    """
    return suffix_of(Path(data)) in (".csv", ".tsv", ".parquet", ".arrow", ".feather", ".npz")


def _reader(path: Path) -> Reader:
    suffix = suffix_of(path)
    if suffix not in FORMATS:
        raise InputError(
            f"{path} is of no known kind; tables and arrays end with {', '.join(FORMATS)}, and images are in a folder"
        )
    return FORMATS[suffix]


def _fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fingerprint_of_arrays(*arrays: Values) -> str:
    content = hashlib.sha256()
    for array in arrays:
        content.update(f"{array.dtype} {array.shape}".encode())
        content.update(np.ascontiguousarray(array).view(np.uint8).data)
    return content.hexdigest()


def _listed(names: Iterable[object], most: int = 30) -> str:
    names = list(names)
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
