"""Shards: parts of a data set, each a pure function of its location, so that any worker can read it at any time."""

import glob
import gzip
import itertools
import math
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from mlcvkit import datasets
from mlcvkit.arrays import Indices, RawRows, Values
from mlcvkit.datasets import FORMATS, TOYS
from mlcvkit.errors import InputError
from mlcvkit.extras import require

FEWEST_SHARDS = 8
"""The least number of shards of a data set. The number must not follow that of the workers: the result would."""
SHARD_BYTES = 64 << 20
"""The largest shard, where a file can be cut into smaller ones."""


class Shard(Protocol):
    """A part of a data set, which any worker can read, always with the same result."""

    @property
    def location(self) -> str:
        """The location, for messages."""

    @property
    def count(self) -> int:
        """The number of samples by its header; 0 if that cannot be read."""

    def load(self) -> tuple[RawRows, Values]:
        """Read the samples and their targets.

        A memory-mapped array is mapped again at each use, and takes no memory in between.

        Returns
        -------
        tuple[RawRows, Values]
            The samples, one a row, as an array or a polars data frame; and their targets, (n,).

        Raises
        ------
        InputError
            If it cannot be read, with the file.
        """


@dataclass(frozen=True, eq=False)
class ArrayShard:
    """Samples and targets in the memory of this process.

    Parameters
    ----------
    X
        The samples, (n, ...).
    y
        The targets, (n,).
    location
        The location, for messages.
    """

    X: Values
    y: Values
    location: str

    @property
    def count(self) -> int:
        """The number of its samples."""
        return len(self.y)

    def load(self) -> tuple[Values, Values]:
        """The samples and their targets."""
        return self.X, self.y


@dataclass(frozen=True, eq=False)
class NamedShard:
    """Some samples of a set inside the package, which each worker has.

    Parameters
    ----------
    name
        The name of the set.
    samples
        The indices of the samples.
    location
        The location, for messages.
    """

    name: str
    samples: Indices
    location: str

    @property
    def count(self) -> int:
        """The number of its samples."""
        return len(self.samples)

    def load(self) -> tuple[Values, Values]:
        """The samples and their targets."""
        X, y = TOYS[self.name]()
        return np.array(X[self.samples]), y[self.samples]


@dataclass(frozen=True)
class UnreadableShard:
    """A file that could not be opened; loading it raises the error.

    Parameters
    ----------
    location
        Where it lies.
    reason
        Why it could not be opened.
    count
        The number of its samples, which is not known.
    """

    location: str
    reason: str
    count: int = 0

    def load(self) -> tuple[Values, Values]:
        """Raise the error."""
        raise InputError(self.reason)


@dataclass(frozen=True, eq=False)
class FileShard:
    """Some rows of a file, local or of any file system that fsspec knows.

    Parameters
    ----------
    source
        The file.
    target
        The column of a table, the array of an .npz file, the number of a column, or the file of the labels.
    rows
        Which rows.
    bytes
        The size of the file when it was cut into shards; one that has changed since is refused.
    """

    source: str
    target: str | None
    rows: slice
    bytes: int

    @property
    def location(self) -> str:
        """The location, for messages."""
        return f"{self.source}, {_rows_in_words(self.rows)}"

    @property
    def count(self) -> int:
        """The number of its samples."""
        return int(self.rows.stop - self.rows.start)

    def load(self) -> tuple[RawRows, Values]:
        """Read the samples and their targets."""
        with _naming(self.source):
            file = _File(self.source)
            if file.size != self.bytes:
                raise InputError(
                    f"{self.source} has {file.size:,} bytes and had {self.bytes:,} when the training began: it was "
                    "changed or cut off"
                )
            return KINDS[file.suffix].load(file, self.target, self.rows)


def find_shards(
    source: str | Path | Iterable[str | Path], target: str | Path | None = None, *, shards: int | None = None
) -> list[Shard]:
    """Cut a data set into shards, of which only the headers are read here.

    Parameters
    ----------
    source
        A .parquet, .npz, .npy or IDX file (also gzipped) that the workers can read under the same name, a folder of
        them, a pattern such as ``part-*.parquet``, several in a list, or the name of a set that needs no file.
    target
        The column, or the name of the array in .npz files, or for .npy and IDX the file of the labels, of as many files
        a pattern that finds as many.
    shards
        About how many to make: at least 8 and none above 64 MiB where left out, and never a shard of two files.

    Returns
    -------
    list[Shard]
        The shards.

    Raises
    ------
    InputError
        If nothing is found, or of a kind that cannot be cut.

    See Also
    --------
    connect : The workers that read them.
    """
    if shards is not None and shards < 1:
        raise InputError(f"shards must be 1 or more; got {shards}")
    if isinstance(source, str) and source in TOYS:
        return named_shards(source, np.arange(len(TOYS[source]()[1])), shards)
    files = _listed(source)
    targets = _targets(files, None if target is None else str(target))
    laid = [_laid_out(file, its_target) for file, its_target in zip(files, targets, strict=True)]
    whole = [layout for layout in laid if isinstance(layout, _Layout)]
    rows, size = sum(layout.rows for layout in whole), sum(layout.bytes for layout in whole)
    count = shards or max(FEWEST_SHARDS, math.ceil(size / SHARD_BYTES))
    whole_number = round if shards else math.ceil
    found: list[Shard] = []
    for file, its_target, layout in zip(files, targets, laid, strict=True):
        if not isinstance(layout, _Layout):
            found.append(layout)
            continue
        parts = min(layout.rows, max(1, whole_number(count * layout.rows / rows)))
        found += [FileShard(file, its_target, part, layout.file_bytes) for part in _cut(layout.rows, parts)]
    return found


def named_shards(name: str, samples: Indices, shards: int | None = None) -> list[Shard]:
    """Cut a set that needs no file into shards.

    Parameters
    ----------
    name
        The name of the set.
    samples
        The indices of the samples to use.
    shards
        The number of shards, 8 by default.

    Returns
    -------
    list[Shard]
        The shards.
    """
    if shards is not None and not 1 <= shards <= len(samples):
        raise InputError(f"shards must be from 1 to the {len(samples):,} samples; got {shards}")
    parts = _cut(len(samples), shards or min(FEWEST_SHARDS, len(samples)))
    return [NamedShard(name, samples[rows], f"{name}, {_rows_in_words(rows)}") for rows in parts]


def array_shards(X: Values, y: Values, shards: int = FEWEST_SHARDS) -> list[Shard]:
    """Cut arrays in memory into shards.

    Parameters
    ----------
    X
        The samples, (N, ...).
    y
        The targets, (N,).
    shards
        The number of shards.

    Returns
    -------
    list[Shard]
        The shards.

    Raises
    ------
    ValueError
        If samples and targets have not the same number.
    """
    if len(X) != len(y) or not 1 <= shards <= len(X):
        raise ValueError(
            f"X and y need the same number of samples, and as many shards at most; got {np.shape(X)}, {np.shape(y)} "
            f"and {shards} shards"
        )
    return [ArrayShard(X[rows], y[rows], f"the array, {_rows_in_words(rows)}") for rows in _cut(len(X), shards)]


class _Layout(NamedTuple):
    rows: int
    bytes: int
    file_bytes: int


def _laid_out(source: str, target: str | None) -> _Layout | UnreadableShard:
    try:
        with _naming(source):
            file = _File(source)
            rows, size = KINDS[file.suffix].layout(file, target)
            if rows == 0:
                raise InputError(f"{source} has no rows")
            return _Layout(rows, size, file.size)
    except InputError as error:
        return UnreadableShard(source, str(error))


def _cut(rows: int, parts: int) -> list[slice]:
    edges = [rows * i // parts for i in range(parts + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]


def _rows_in_words(rows: slice) -> str:
    return f"rows {rows.start + 1:,} to {rows.stop:,}"


def _listed(source: str | Path | Iterable[str | Path]) -> list[str]:
    """The files of a source, in the order of their names."""
    if not isinstance(source, str | Path):
        return [file for place in source for file in _listed(place)]
    place = str(source)
    with _naming(place):
        system, path = _file_system(place)
        if glob.has_magic(path) and not system.exists(path):
            found = sorted(system.glob(path))
        elif system.isdir(path):
            found = sorted(file for file in system.ls(path, detail=False) if datasets.suffix_of(Path(file)) in KINDS)
        else:
            found = [path]
    if not found:
        raise InputError(f"{place} has no {', '.join(KINDS)} files: these can be cut into shards")
    for file in found:
        _require_kind(file)
    return [file if _is_local(system) else system.unstrip_protocol(file) for file in found]


def _require_kind(file: str) -> None:
    suffix = datasets.suffix_of(Path(file))
    if suffix not in KINDS:
        known = " (write the table as .parquet)" if suffix in FORMATS else ""
        raise InputError(f"{file} cannot be cut into shards: {', '.join(KINDS)} files can{known}")


def _targets(files: list[str], target: str | None) -> list[str | None]:
    """The target that belongs to each file: the same name for all, or the labels' files in their order."""
    if target is None or datasets.suffix_of(Path(target)) not in (".npy", ".idx"):
        return [target] * len(files)
    labels = _listed(target)
    if len(labels) != len(files):
        raise InputError(f"{len(files)} files of samples need as many of labels; {target} finds {len(labels)}")
    return list(labels)


def _file_system(place: str) -> tuple[Any, str]:
    require("cluster")
    from fsspec.core import url_to_fs

    system, path = url_to_fs(place)
    return system, path


def _is_local(system: Any) -> bool:
    return "file" in (system.protocol if isinstance(system.protocol, tuple) else (system.protocol,))


_FILE_ERRORS = (OSError, EOFError, ImportError, LookupError, RuntimeError, ValueError, zlib.error, zipfile.BadZipFile)


class _naming:
    """Whatever goes wrong with a file names it."""

    def __init__(self, source: str) -> None:
        self.source = source

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, InputError) or not isinstance(error, _FILE_ERRORS):
            return
        reason = "it does not exist" if isinstance(error, FileNotFoundError) else str(error) or type(error).__name__
        raise InputError(f"{self.source} cannot be read: {reason}") from None


class _File:
    """A file of some file system."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.system, self.path = _file_system(source)
        self.suffix = datasets.suffix_of(Path(self.path))
        self.local = _is_local(self.system)

    @cached_property
    def size(self) -> int:
        return int(self.system.size(self.path))

    def open(self) -> Any:
        return self.system.open(self.path, "rb")


class _Parquet:
    def layout(self, file: _File, target: str | None) -> tuple[int, int]:
        groups = self._opened(
            file, lambda parquet: [parquet.metadata.row_group(g) for g in range(parquet.num_row_groups)]
        )
        return sum(group.num_rows for group in groups), sum(group.total_byte_size for group in groups)

    def load(self, file: _File, target: str | None, rows: slice) -> tuple[RawRows, Values]:
        if target is None:
            raise InputError(f"{file.source} needs a target to learn: name its column")
        frame = datasets.as_frame(file.source, "Parquet", lambda _: self._opened(file, lambda p: self._rows(p, rows)))
        return datasets.split_target(frame, target, file.source)[:2]

    def _opened(self, file: _File, work: Callable[[Any], Any]) -> Any:
        require("tables")
        from pyarrow.parquet import ParquetFile

        with file.open() as content, ParquetFile(content) as parquet:
            return work(parquet)

    def _rows(self, parquet: Any, rows: slice) -> Any:
        """The rows of the row groups that have some of them, cut to size."""
        ends = np.cumsum([parquet.metadata.row_group(g).num_rows for g in range(parquet.num_row_groups)])
        first, last = np.searchsorted(ends, [rows.start, rows.stop - 1], side="right")
        skipped = int(ends[first - 1]) if first else 0
        table = parquet.read_row_groups(list(range(first, last + 1)))
        return table.slice(rows.start - skipped, rows.stop - rows.start)


class _NPZ:
    def layout(self, file: _File, target: str | None) -> tuple[int, int]:
        with file.open() as content, zipfile.ZipFile(content) as archive:
            features, _ = datasets.choose_arrays(file.source, self._names(archive), target)
            with archive.open(f"{features}.npy") as member:
                shape, _, dtype = datasets.npy_header(file.source, features, member)
        return _rows_and_bytes(file.source, shape, dtype)

    def load(self, file: _File, target: str | None, rows: slice) -> tuple[RawRows, Values]:
        with file.open() as content, zipfile.ZipFile(content) as archive:
            features, given = datasets.choose_arrays(file.source, self._names(archive), target)
            if given is None:
                raise InputError(f"{file.source} has no array of targets, y; it has {', '.join(self._names(archive))}")
            X, y = (self._rows(file, archive, name, rows) for name in (features, given))
        return X, _checked(file, X, y, given)

    def _names(self, archive: zipfile.ZipFile) -> list[str]:
        return [name.removesuffix(".npy") for name in archive.namelist()]

    def _rows(self, file: _File, archive: zipfile.ZipFile, name: str, rows: slice) -> Values:
        with archive.open(f"{name}.npy") as member:
            shape, fortran_order, dtype = datasets.npy_header(file.source, name, member)
            _require_rows_together(file, shape, fortran_order)
            return _streamed(file, member, shape, dtype, rows)


class _Arrays:
    """.npy and IDX files, with the labels in a file of their own or in a column."""

    def layout(self, file: _File, target: str | None) -> tuple[int, int]:
        with _plain(file) as (content, _):
            shape, dtype = _header(file, content)
        return _rows_and_bytes(file.source, shape, dtype)

    def load(self, file: _File, target: str | None, rows: slice) -> tuple[RawRows, Values]:
        X = _some_rows(file, rows)
        if target is None:
            raise InputError(
                f"{file.source} needs a target to learn: give the file of its labels, or a column's number"
            )
        if target.isdigit() and X.ndim == 2 and int(target) < X.shape[1]:
            X, y = np.delete(X, int(target), axis=1), X[:, int(target)]
        else:
            labels = _File(target)
            if labels.suffix not in (".npy", ".idx"):
                raise InputError(f"the target of {file.source} is the file of its labels; {target} is none")
            with _naming(target):
                y = np.array(_some_rows(labels, rows))
        return X, _checked(file, X, y, target)


def _checked(file: _File, X: Values, y: Values, target: str) -> Values:
    checked = datasets.checked_arrays(file.source, X, y, target)
    assert checked is not None
    return checked


def _rows_and_bytes(source: str, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> tuple[int, int]:
    if not shape:
        raise InputError(f"{source} holds one number, not samples as rows")
    return shape[0], math.prod(shape) * dtype.itemsize


def _require_rows_together(file: _File, shape: tuple[int, ...], fortran_order: bool) -> None:
    if fortran_order and len(shape) > 1:
        raise InputError(f"{file.source} lies column by column: save it with numpy.ascontiguousarray first")


@contextmanager
def _plain(file: _File) -> Iterator[tuple[Any, bool]]:
    """The content of a file, or of what it is the gzip of; and which of the two."""
    with file.open() as content:
        zipped = content.read(2) == b"\x1f\x8b"
        content.seek(0)
        if not zipped:
            yield content, False
            return
        with gzip.GzipFile(fileobj=content) as plain:
            yield plain, True


def _header(file: _File, content: Any) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Shape and type of the array of a .npy or IDX file, whose content is then at its first number."""
    if file.suffix == ".idx":
        start = content.read(4)
        shape, dtype, _ = datasets.idx_header(file.source, start + content.read(4 * start[3] if len(start) == 4 else 0))
        return shape, dtype
    shape, fortran_order, dtype = datasets.npy_header(file.source, file.source, content)
    _require_rows_together(file, shape, fortran_order)
    return shape, dtype


def _some_rows(file: _File, rows: slice) -> Values:
    """Rows of a .npy or IDX file: mapped if it is local, otherwise read."""
    with _plain(file) as (content, zipped):
        shape, dtype = _header(file, content)
        if zipped:
            return _streamed(file, content, shape, dtype, rows)
        offset, row_bytes = content.tell(), math.prod(shape[1:]) * dtype.itemsize
        needed = offset + shape[0] * row_bytes
        if file.size < needed:
            raise InputError(f"{file.source} is truncated: it should have {needed:,} bytes and has {file.size:,}")
        if rows.stop <= shape[0] and file.local and dtype.isnative and dtype.kind in "fiub":
            return np.memmap(file.path, dtype, "r", offset, shape)[rows]
        content.seek(offset + rows.start * row_bytes)
        own = slice(0, rows.stop - rows.start)
        return _streamed(file, content, (shape[0] - rows.start, *shape[1:]), dtype, own, to_the_end=False)


def _streamed(
    file: _File,
    content: Any,
    shape: tuple[int, ...],
    dtype: np.dtype[np.generic],
    rows: slice,
    *,
    to_the_end: bool = True,
) -> Values:
    """Rows of an array that begins here, without the others in memory; to the end, where its checksum is."""
    if rows.stop > shape[0]:
        raise InputError(f"{file.source} has fewer rows than are asked for: {shape[0]:,}, not {rows.stop:,}")
    row_bytes = math.prod(shape[1:]) * dtype.itemsize
    left = rows.start * row_bytes
    while left and (skipped := len(content.read(min(left, 1 << 20)))):
        left -= skipped
    wanted = content.read((rows.stop - rows.start) * row_bytes)
    if len(wanted) < (rows.stop - rows.start) * row_bytes:
        raise InputError(f"{file.source} is truncated: it ends before row {rows.stop:,}")
    while to_the_end and content.read(1 << 20):
        pass
    return np.frombuffer(wanted, dtype).reshape(-1, *shape[1:]).astype(dtype.newbyteorder("="), copy=False)


class _Kind(Protocol):
    def layout(self, file: _File, target: str | None) -> tuple[int, int]:
        """How many rows it has, and their bytes in memory."""

    def load(self, file: _File, target: str | None, rows: slice) -> tuple[RawRows, Values]:
        """Some of its rows with their targets."""


KINDS: dict[str, _Kind] = {".parquet": _Parquet(), ".npz": _NPZ(), ".npy": _Arrays(), ".idx": _Arrays()}
"""What can be cut into shards, by the file's suffix."""
