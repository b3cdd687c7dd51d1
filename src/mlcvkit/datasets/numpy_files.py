"""NumPy's files, MNIST's IDX files and svmlight's as arrays."""

import gzip
import io
import math
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from mlcvkit.arrays import Values
from mlcvkit.errors import InputError, first_line

LARGEST = 1 << 31
"""Bytes that an archive or a zipped text may become."""


def read_npy(path: Path) -> Values:
    """Read an .npy file."""
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
        array = np.frombuffer(content, dtype).reshape(shape, order="F" if fortran_order else "C")
        return array.astype(dtype.newbyteorder("="), copy=False)
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged: {name}: {first_line(error)}") from None


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
        If it is damaged or holds Python objects.
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
        raise InputError(f"{path} is damaged: {name} is not a NumPy array ({first_line(error)})") from None
    if dtype.hasobject:
        raise InputError(f"{path}: {name} holds Python objects, which are never loaded; save numbers or text")
    return shape, fortran_order, dtype


def read_npz(path: Path) -> dict[str, Values]:
    """Read the arrays of an .npz file."""
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
    except InputError:
        raise
    except Exception as error:  # of a damaged archive, zipfile raises more than it documents
        raise InputError(f"{path} is damaged or not a .npz file: {first_line(error)}") from None
    if not arrays:
        raise InputError(f"{path} holds no array")
    return arrays


def read_idx(path: Path) -> Values:
    """Read an IDX file."""
    content = decompressed(path)
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
        If it is no IDX file.
    """
    types = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in types or not 1 <= content[3] <= 4:
        raise InputError(f"{path} is not an IDX file: it begins with {content[:4].hex(' ')!r}")
    offset = 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, offset, 4))
    return shape, np.dtype(types[content[2]]), offset


def decompressed(path: Path) -> bytes:
    """The content of a file, or of what it is the gzip of."""
    content = path.read_bytes()
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            plain = file.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} is damaged: {first_line(error)}") from None
    if len(plain) > LARGEST:
        raise InputError(f"{path} would become more than {LARGEST:,} bytes")
    return plain


def read_svmlight(path: Path) -> dict[str, Values]:
    """Read a svmlight or libsvm file: on each line a label, and index:value for each feature that is not zero.

    Column i of X is the feature of index i. Where a file counts from 1, its column 0 is constant: to shift the columns
    by what one file has would give those of another file other meanings.
    """
    lines = decompressed(path).decode("utf-8", "replace").splitlines()
    labels: list[float] = []
    entries: list[tuple[int, int, float]] = []
    for number, line in enumerate(lines, 1):
        label, *features = line.partition("#")[0].split() or [""]
        if not label:
            continue
        try:
            pairs = [f.split(":") for f in features if not f.startswith("qid:")]
            entries += [(len(labels), int(index), float(value)) for index, value in pairs]
            labels.append(float(label))
        except ValueError:
            raise InputError(f"{path}, line {number}: not a label and index:value pairs") from None
    if not entries:
        raise InputError(f"{path} holds no samples")
    rows, columns, values = (np.array(part) for part in zip(*entries, strict=True))
    width = int(columns.max()) + 1
    if columns.min() < 0 or len(labels) * width * 8 > LARGEST:
        raise InputError(f"{path}: its {len(labels):,} rows of {width:,} features are too many for this reader")
    X = np.zeros((len(labels), width))
    X[rows, columns] = values
    y = np.array(labels)
    return {"X": X, "y": y.astype(np.int64) if (y == y.round()).all() else y}
