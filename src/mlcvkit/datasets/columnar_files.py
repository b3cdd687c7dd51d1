"""Parquet and Arrow files as tables. pyarrow reads them: polars' own reader ends the process on some damaged files."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from mlcvkit.errors import InputError, first_line
from mlcvkit.extras import require

if TYPE_CHECKING:
    import polars
    import pyarrow

SMALL_TABLE, MOST_TIMES = 1 << 30, 100
"""A compressed table may unpack to this many bytes, or to this many times its size if that is more."""


def columnar_reader(kind: str) -> "Callable[[Path], polars.DataFrame]":
    """A reader of the files of a kind.

    Parameters
    ----------
    kind
        "Parquet", "Arrow" or "Feather".

    Returns
    -------
    Callable[[Path], polars.DataFrame]
        The reader.
    """

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
        If the file is damaged.
    """
    require("tables")
    import polars as pl
    import pyarrow as arrow

    try:
        table = read_table(arrow)
        table.validate(full=True)
        # new fields, without metadata: a name that is no text is refused here, in good order
        columns = [one.cast(arrow.float64()) if arrow.types.is_decimal256(one.type) else one for one in table.columns]
        frame = pl.DataFrame(arrow.Table.from_arrays(columns, names=table.column_names))
    except _TooLarge as error:
        raise InputError(f"{path} is too large a table: {error}") from None
    except (arrow.ArrowException, OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{path} is damaged or not a {kind} file: {first_line(error)}") from None
    return frame


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
