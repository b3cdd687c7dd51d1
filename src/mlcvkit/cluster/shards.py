"""Shards: parts of a data set, each a pure function of its location, so that any worker can read it at any time."""

import glob
import itertools
import math
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from mlcvkit import InputError, require
from mlcvkit.datasets import FORMATS, TOYS, readers

Array = npt.NDArray[Any]

FEWEST_SHARDS = 8
"""A data set is cut into so many shards at least. The number must not follow that of the workers: the result would."""
SHARD_BYTES = 64 << 20
"""The largest shard, where a file can be cut into smaller ones."""


class Shard(Protocol):
    """A part of a data set. ``load`` reads it, on whichever worker, and always the same."""

    @property
    def location(self) -> str:
        """Where it lies, for messages."""

    @property
    def count(self) -> int:
        """How many samples it has, by its header; 0 where that cannot be read."""

    def load(self) -> tuple[Any, Array]:
        """The samples, a sample a row, as an array or a polars frame; and their targets, (n,).

        A memory-mapped array is mapped anew whenever it is used, and takes no memory in between.
        Raises: InputError, with the file, where it cannot be read.
        """


@dataclass(frozen=True, eq=False)
class ArrayShard:
    """Samples and targets that this process has in memory."""

    X: Array
    y: Array
    location: str

    @property
    def count(self) -> int:
        return len(self.y)

    def load(self) -> tuple[Array, Array]:
        return self.X, self.y


@dataclass(frozen=True, eq=False)
class NamedShard:
    """Some samples of a set that needs no file, by their indices: each worker has it from the package."""

    name: str
    samples: npt.NDArray[np.intp]
    location: str

    @property
    def count(self) -> int:
        return len(self.samples)

    def load(self) -> tuple[Array, Array]:
        X, y = TOYS[self.name]()
        return np.array(X[self.samples]), y[self.samples]


@dataclass(frozen=True)
class UnreadableShard:
    """A file that could not even be opened; to load it tells the reason."""

    location: str
    reason: str
    count: int = 0

    def load(self) -> tuple[Array, Array]:
        raise InputError(self.reason)


@dataclass(frozen=True, eq=False)
class FileShard:
    """Some rows of a file, local or of any file system that fsspec knows.

    ``target`` is the column of a table, the array of an .npz file, the number of a column, or the file of the labels;
    ``bytes`` is the file's size when it was cut into shards: one that has changed since is refused.
    """

    source: str
    target: str | None
    rows: slice
    bytes: int

    @property
    def location(self) -> str:
        return f"{self.source}, {_told(self.rows)}"

    @property
    def count(self) -> int:
        return int(self.rows.stop - self.rows.start)

    def load(self) -> tuple[Any, Array]:
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

    Arguments: ``source``, a .parquet, .npz, .npy or IDX file (also gzipped) that the workers can read under the same
    name, a folder of them, a pattern such as "part-*.parquet", several in a list, or the name of a set that needs no
    file; ``target``, the column, or the name of the array in .npz files, or for .npy and IDX the file of the labels, of
    as many files a pattern that finds as many; ``shards``, about how many to make: at least 8 and none above 64 MiB
    where left out, and never a shard of two files.
    Raises: InputError where nothing is found, or of a kind that cannot be cut.
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


def named_shards(name: str, samples: npt.NDArray[np.intp], shards: int | None = None) -> list[Shard]:
    """Some samples of a set that needs no file, by their indices, in 8 shards where no number is given."""
    if shards is not None and not 1 <= shards <= len(samples):
        raise InputError(f"shards must be from 1 to the {len(samples):,} samples; got {shards}")
    parts = _cut(len(samples), shards or min(FEWEST_SHARDS, len(samples)))
    return [NamedShard(name, samples[rows], f"{name}, {_told(rows)}") for rows in parts]


def array_shards(X: Array, y: Array, shards: int = FEWEST_SHARDS) -> list[Shard]:
    """Cut arrays in memory, a sample a row, into shards; ValueError where they have not the same number of samples."""
    if len(X) != len(y) or not 1 <= shards <= len(X):
        raise ValueError(
            f"X and y need the same number of samples, and as many shards at most; got {np.shape(X)}, {np.shape(y)} "
            f"and {shards} shards"
        )
    return [ArrayShard(X[rows], y[rows], f"the array, {_told(rows)}") for rows in _cut(len(X), shards)]


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


def _told(rows: slice) -> str:
    return f"rows {rows.start + 1:,} to {rows.stop:,}"


def _listed(source: str | Path | Iterable[str | Path]) -> list[str]:
    """The files of a source, in the order of their names."""
    if not isinstance(source, str | Path):
        return [file for place in source for file in _listed(place)]
    place = str(source)
    with _naming(place):
        system, path = _file_system(place)
        if glob.has_magic(path):
            found = sorted(system.glob(path))
        elif system.isdir(path):
            found = sorted(file for file in system.ls(path, detail=False) if readers.suffix_of(Path(file)) in KINDS)
        else:
            found = [path]
    if not found:
        raise InputError(f"{place} has no {', '.join(KINDS)} files: these can be cut into shards")
    for file in found:
        _require_kind(file)
    return [file if _is_local(system) else system.unstrip_protocol(file) for file in found]


def _require_kind(file: str) -> None:
    suffix = readers.suffix_of(Path(file))
    if suffix not in KINDS:
        known = " (write the table as .parquet)" if suffix in FORMATS else ""
        raise InputError(f"{file} cannot be cut into shards: {', '.join(KINDS)} files can{known}")


def _targets(files: list[str], target: str | None) -> list[str | None]:
    """The target that belongs to each file: the same name for all, or the labels' files in their order."""
    if target is None or readers.suffix_of(Path(target)) not in (".npy", ".idx"):
        return [target] * len(files)
    labels = _listed(target)
    if len(labels) != len(files):
        raise InputError(f"{len(files)} files of samples need as many of labels; {target} finds {len(labels)}")
    return list(labels)


def _file_system(place: str) -> tuple[Any, str]:
    require("fsspec", extra="cluster")
    from fsspec.core import url_to_fs

    system, path = url_to_fs(place)
    return system, path


def _is_local(system: Any) -> bool:
    return "file" in (system.protocol if isinstance(system.protocol, tuple) else (system.protocol,))


class _naming:
    """Whatever goes wrong with a file names it."""

    def __init__(self, source: str) -> None:
        self.source = source

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, InputError) or not isinstance(
            error, OSError | ImportError | ValueError | zipfile.BadZipFile
        ):
            return
        reason = "it does not exist" if isinstance(error, FileNotFoundError) else str(error) or type(error).__name__
        raise InputError(f"{self.source} cannot be read: {reason}") from None


class _File:
    """A file of some file system."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.system, self.path = _file_system(source)
        self.suffix = readers.suffix_of(Path(self.path))
        self.local = _is_local(self.system)

    @cached_property
    def size(self) -> int:
        return int(self.system.size(self.path))

    def open(self) -> Any:
        return self.system.open(self.path, "rb")

    def read_whole(self, reader: Callable[[Path], Any]) -> Any:
        """What a reader of local files makes of it; another system's file is copied for that."""
        import fsspec

        copy = self.path if self.local else fsspec.open_local(f"simplecache::{self.source}", mode="rb")
        try:
            return reader(Path(copy))
        except InputError as error:
            raise InputError(str(error).replace(str(copy), self.source)) from None


class _Parquet:
    def layout(self, file: _File, target: str | None) -> tuple[int, int]:
        groups = self._opened(
            file, lambda parquet: [parquet.metadata.row_group(g) for g in range(parquet.num_row_groups)]
        )
        return sum(group.num_rows for group in groups), sum(group.total_byte_size for group in groups)

    def load(self, file: _File, target: str | None, rows: slice) -> tuple[Any, Array]:
        if target is None:
            raise InputError(f"{file.source} needs a target to learn: name its column")
        frame = readers.as_frame(file.source, "Parquet", lambda _: self._opened(file, lambda p: self._rows(p, rows)))
        return readers.split_target(frame, target, file.source)

    def _opened(self, file: _File, work: Callable[[Any], Any]) -> Any:
        require("pyarrow", extra="tables")
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
        headers = {}
        with file.open() as content, zipfile.ZipFile(content) as archive:
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                with archive.open(member) as array:
                    headers[name] = readers.npy_header(file.source, name, array)
        features, _ = readers.choose_arrays(file.source, headers, target)
        return _rows_and_bytes(file.source, headers[features][0], headers[features][2])

    def load(self, file: _File, target: str | None, rows: slice) -> tuple[Any, Array]:
        arrays = file.read_whole(FORMATS[".npz"])
        features, given = readers.choose_arrays(file.source, arrays, target)
        if given is None:
            raise InputError(f"{file.source} has no array of targets, y; its arrays are {', '.join(arrays)}")
        X, y = arrays[features], readers.checked_arrays(file.source, arrays[features], arrays[given], given)
        assert y is not None
        return X[rows], y[rows]


class _Arrays:
    """.npy and IDX files, with the labels in a file of their own or in a column."""

    def layout(self, file: _File, target: str | None) -> tuple[int, int]:
        shape, dtype, _ = _place(file)
        return _rows_and_bytes(file.source, shape, dtype)

    def load(self, file: _File, target: str | None, rows: slice) -> tuple[Any, Array]:
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
        checked = readers.checked_arrays(file.source, X, y, target)
        assert checked is not None
        return X, checked


def _rows_and_bytes(source: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[int, int]:
    if not shape:
        raise InputError(f"{source} holds one number, not samples as rows")
    return shape[0], math.prod(shape) * dtype.itemsize


def _place(file: _File) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape, type, and place in the file of the array of a .npy or IDX file; -1 for the place where it is gzipped."""
    with file.open() as content:
        if content.read(2) == b"\x1f\x8b":
            import gzip

            content.seek(0)
            with gzip.GzipFile(fileobj=content) as plain:
                return (*readers.idx_header(file.source, plain.read(20))[:2], -1)
        content.seek(0)
        if file.suffix == ".idx":
            return readers.idx_header(file.source, content.read(20))
        shape, fortran_order, dtype = readers.npy_header(file.source, file.source, content)
        if fortran_order and len(shape) > 1:
            raise InputError(f"{file.source} lies column by column: save it with numpy.ascontiguousarray first")
        return shape, dtype, content.tell()


def _some_rows(file: _File, rows: slice) -> Array:
    """Rows of a file: mapped where it is local, else read."""
    shape, dtype, offset = _place(file)
    if offset < 0:
        return file.read_whole(FORMATS[".idx"])[rows]  # type: ignore[no-any-return]
    if rows.stop > shape[0]:
        raise InputError(f"{file.source} has {shape[0]:,} rows, and row {rows.stop:,} is asked for")
    needed = offset + math.prod(shape) * dtype.itemsize
    if file.size < needed:
        raise InputError(f"{file.source} is truncated: it should have {needed:,} bytes and has {file.size:,}")
    if file.local and dtype.isnative and dtype.kind in "fiub":
        return np.memmap(file.path, dtype, "r", offset, shape)[rows]
    row_bytes = math.prod(shape[1:]) * dtype.itemsize
    with file.open() as content:
        content.seek(offset + rows.start * row_bytes)
        array = np.frombuffer(content.read((rows.stop - rows.start) * row_bytes), dtype).reshape(-1, *shape[1:])
    return array.astype(dtype.newbyteorder("="), copy=False)


class _Kind(Protocol):
    def layout(self, file: _File, target: str | None) -> tuple[int, int]:
        """How many rows it has, and their bytes in memory."""

    def load(self, file: _File, target: str | None, rows: slice) -> tuple[Any, Array]:
        """Some of its rows with their targets."""


KINDS: dict[str, _Kind] = {".parquet": _Parquet(), ".npz": _NPZ(), ".npy": _Arrays(), ".idx": _Arrays()}
"""What can be cut into shards, by the file's suffix."""
