"""Text with a row on each line as a table of text: what its columns mean is decided later, from all of a column."""

import csv
import io
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlcvkit.datasets.columns import (
    MISSING,
    MISSING_NUMBERS,
    ambiguous_number,
    kind_of_text,
    known_text,
    marks_of,
    number_of,
    numbers_in,
    unit_of,
)
from mlcvkit.datasets.numpy_files import decompressed
from mlcvkit.errors import InputError
from mlcvkit.extras import require

if TYPE_CHECKING:
    import polars

SEPARATORS = (";", "\t", "|", ",", " ")
NOTHING = "\x1f"
"""A separator that does not occur."""
TRUTH = ("true", "false")
_KEPT = r"^0\d|[%$¢£¤¥฿\u20a0-\u20c0]|zł|kr|Rs|\d ?[A-Z]{3}$|^[A-Z]{3} ?\d"
"""What begins with 0, or has a percent sign or a currency."""
LOOKED_AT = 200
"""The lines by which the separator is found."""

csv.field_size_limit(2**31 - 1)  # a field may be as long as the file


class TextReader:
    """Reads text whose fields are apart by one of the separators: the one that cuts most lines into equally many.

    Parameters
    ----------
    usual
        The separator of such files, where several do.
    """

    def __init__(self, usual: str) -> None:
        self.usual = usual

    def __call__(
        self, path: Path, *, header: bool | None = None, decimal: str | None = None, known: bool = False
    ) -> "tuple[polars.DataFrame, list[str], set[str]]":
        """The table, without blanks around its text, what a person should know of the reading, and the decimal marks.

        Parameters
        ----------
        path
            The file.
        header
            Whether the first line has the names of the columns. By default it has.
        decimal
            The decimal mark, where that cannot be seen.
        known
            Whether a model knows already how numbers are to be read.

        Returns
        -------
        tuple[polars.DataFrame, list[str], set[str]]
            The table, the lines, and the decimal marks that certainly occur; none for a model that knows them.
        """
        require("tables")
        import polars as pl

        text = _decoded(path, decompressed(path))
        separator, text = self._separator(text, known=known)
        names, text, notes = _checked_lines(path, text, separator, header)
        mark = "," if separator == " " else separator
        try:
            table = pl.read_csv(
                io.BytesIO(text.encode()),
                separator=mark,
                has_header=header is not False,
                new_columns=names,
                infer_schema=False,
                truncate_ragged_lines=True,
            )
        except pl.exceptions.PolarsError:  # such as of 24" in a field without quotes, which the csv module reads
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark))
            body = [row[: len(names)] for row in rows[header is not False :] if row]
            table = pl.DataFrame(body, schema=dict.fromkeys(names, pl.String), orient="row")
        table = table.with_columns(pl.all().str.strip_chars()).with_columns(pl.all().replace("", None))
        if known:
            return table, notes, set()
        marks = {name: marks_of(table[name]) for name in table.columns}
        decimals = set().union(*marks.values())
        if decimal is None and len(decimals) != 1 and (decimals or separator != ","):  # where a point is usual
            _require_clear_numbers(path, table)
        return _typed(table, decimal, marks), notes, decimals

    def _separator(self, text: str, *, known: bool) -> tuple[str, str]:
        """The separator, and the text without the line that tells it; of one column for a model nothing separates."""
        first, _, rest = text.partition("\n")
        first = first.strip('\r\n"')
        if first.lower().startswith("sep=") and len(first) == 5:
            return first[4], rest
        lines = [line for line in islice(io.StringIO(text), LOOKED_AT) if line.strip()]
        if text.count("\n") >= LOOKED_AT:
            lines = lines[:-1]  # the last one may be cut
        best, most = NOTHING if known else self.usual, (0.0, 0.0)
        for separator in (self.usual, *SEPARATORS):
            rows = list(_rows(lines, separator))
            if len(next(iter(rows), [])) < 2:
                continue  # it does not occur in the names
            counts = Counter(map(len, rows))
            fields, times = max(counts.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
            # of two that cut as evenly, the one whose fields hold no other separator, but for numbers such as 1,5
            whole = sum(_is_whole(field, separator) for row in rows for field in row) / max(1, sum(map(len, rows)))
            found = times / max(1, len(rows)), round(whole, 2)
            if fields > 1 and found > most:
                best, most = separator, found
        return best, text


def _is_whole(field: str, separator: str) -> bool:
    marks = (";", "\t", "|", ",", *(["  "] if separator == "\t" else []))  # blanks may separate beside a lone tab
    return not any(mark in field.strip() for mark in marks) or number_of(field.strip()) is not None


def _blanks_alone(line: str) -> str:
    """A line that several blanks cut, with blanks in place of its tabs as well."""
    return line.replace("\t", " ") if "  " in line else line


def _rows(lines: list[str], separator: str) -> Iterator[list[str]]:
    """The fields of lines; none where they cannot be cut by the separator."""
    stripped = (_blanks_alone(line).strip(" \r\n") + "\n" for line in lines) if separator == " " else iter(lines)
    try:
        yield from csv.reader(stripped, delimiter=separator, skipinitialspace=True)
    except csv.Error:
        return


def _decoded(path: Path, content: bytes) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    end = content.find(b"\0") if encoding == "utf-8-sig" else -1
    if end >= 0:
        raise InputError(f"{path} is not text: line {content[:end].count(10) + 1} has a byte 0; save it as UTF-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(10) + 1
        raise InputError(
            f"{path}, line {line}: byte {content[error.start]:#x} is not UTF-8; save it as UTF-8"
        ) from None
    written = text.rstrip("\x1a\r\n")
    text = f"{written}\n" if "\x1a" in text[len(written) :] else text  # the end of a file in DOS
    text = text if text.isascii() else unicodedata.normalize("NFC", text)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


class _Layout(NamedTuple):
    """How the lines of a text are cut: the first two, the width of all, and what has to be done to them."""

    first: list[str]
    second: list[str]
    width: int
    has_row_names: bool
    is_plain: bool


def _checked_lines(path: Path, text: str, separator: str, header: bool | None) -> tuple[list[str], str, list[str]]:
    """The column names, and the text without empty lines and without spaces before the fields.

    Parameters
    ----------
    path
        The file, for messages.
    text
        Its text.
    separator
        What separates its fields.
    header
        Whether the first line has the names.

    Returns
    -------
    tuple[list[str], str, list[str]]
        The column names, the text, and what a person should know.

    Raises
    ------
    InputError
        With the line where a line has another number of fields.
    """
    if separator == " ":
        text = "\n".join(_blanks_alone(line).strip(" ") for line in text.split("\n"))
    text = text.rstrip("\n") + "\n"
    layout = _layout(path, text, separator, header)
    names, notes = _names(path, layout.first[: layout.width], layout.second, header)
    if layout.has_row_names:
        notes.append(
            f"{path.name}: each row has one field more than the first line has names: the first field is taken for the "
            "name of the row"
        )
    return names, text if layout.is_plain else _tidied(text, separator, layout), notes


def _layout(path: Path, text: str, separator: str, header: bool | None) -> _Layout:
    """How the lines are cut; InputError where one has another number of fields."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    first: list[str] = []
    second: list[str] = []
    width = 0
    plain = separator != " " and f"{separator} " not in text  # whether the text can stay as it is
    has_quotes = '"' in text
    has_row_names = ends_with_separator = False
    try:
        for row in rows:
            plain = plain and bool(row) and not _is_blank(row, width)
            # polars takes a quotation mark inside a field without any, such as 24", for the beginning of text
            plain = plain and not (has_quotes and any('"' in field for field in row))
            if _is_blank(row, width):
                continue
            row = row or [""]
            if not first:
                first, width = row, len(row)
                continue
            if not second:
                second = row
                if len(row) == width - 1 and not first[-1].strip() and header is not False:
                    width -= 1  # a separator at the end of the header
                if len(row) == width + 1 and header is not False:
                    ends_with_separator, has_row_names = _one_field_more(text, separator, width + 1)
                    first, width = ([""] * has_row_names + first), width + has_row_names
            if len(row) != width + ends_with_separator:
                hint = "; if the names are in this line, remove those above it" if len(row) > width else ""
                hint += ", and numbers with a decimal comma need quotes" if hint and separator == "," else ""
                raise InputError(
                    f"{path}, line {rows.line_num}: {len(row)} fields where the header has {width} columns{hint}"
                )
    except csv.Error as error:
        raise InputError(f"{path}, line {rows.line_num}: {error}") from None
    if not first:
        raise InputError(f"{path} is empty")
    return _Layout(first, second, width, has_row_names, plain and width == len(first) == len(second))


def _tidied(text: str, separator: str, layout: _Layout) -> str:
    """The text with its fields cut and quoted anew, a line for each row."""
    tidy = io.StringIO()
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    writer = csv.writer(tidy, delimiter="," if separator == " " else separator)
    kept = (row or [""] for row in rows if not _is_blank(row, layout.width))
    for i, row in enumerate(kept):
        fields = [""] * (layout.has_row_names and i == 0) + row
        writer.writerow([field.strip(" \t") for field in fields[: layout.width]])
    return tidy.getvalue()


def _is_blank(row: list[str], width: int) -> bool:
    """Whether a line holds nothing, or blanks alone, where there are several columns; of one it is a missing value."""
    return width != 1 and (not row or (width > 1 and len(row) == 1 and not row[0].strip()))


def _one_field_more(text: str, separator: str, width: int) -> tuple[bool, bool]:
    """Whether all rows have a field more than the header: an empty one at their ends, or R's names of the rows.

    Those are all different; anything else may be a column without a name, or decimal commas beside commas.
    """
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    body = [row for row in rows if not _is_blank(row, width)][1:]
    if any(len(row) != width for row in body):
        return False, False
    are_empty = all(not row[-1].strip() for row in body)
    return are_empty, not are_empty and len({row[0] for row in body}) == len(body)


def _names(path: Path, first: list[str], second: list[str], header: bool | None) -> tuple[list[str], list[str]]:
    """The names of the columns, with a word where the first line looks like data."""
    numbered = [f"column {i + 1}" for i in range(len(first))]
    if header is False:
        return numbered, []
    names = [name.strip() or numbered[i] for i, name in enumerate(first)]
    missing = {*MISSING, *MISSING_NUMBERS}
    pairs = [(a.strip(), b.strip()) for a, b in zip(first, second, strict=False)]
    are_numbers = [(number_of(a) is not None, number_of(b) is not None) for a, b in pairs if not {a, b} & missing]
    looks_like_data = any(a for a, _ in are_numbers) and all(a == b for a, b in are_numbers) and bool(first[0].strip())
    advice = "the first line looks like data; if it has no names, give --no-header"
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        hint = f": {advice}" if looks_like_data else ": rename one"
        raise InputError(f"{path} has more than one column of the name {twice[0]!r}{hint}")
    return names, [f"{path.name}: {advice}"] if looks_like_data else []


def _typed(table: "polars.DataFrame", decimal: str | None, marks: Mapping[str, set[str]]) -> "polars.DataFrame":
    """The table with its columns of nothing but plain numbers or ISO dates as such; the others stay text.

    Text stays what a model must know the marks of: numbers with thousands, those with a decimal comma beside them, and
    those such as 1.250 where all end in 0; what has a percent sign or a currency; and what begins with
    0, since it may be codes.
    """
    import polars as pl

    facts = {name: kind_of_text(table[name], set().union(*marks.values())) for name in table.columns}
    has_thousands = any(fact.get("thousands") == "." for fact in facts.values())
    typed = []
    for name in table.columns:
        text = known_text(table[name])
        known = text.drop_nulls()
        if known.is_empty() or known.str.to_lowercase().is_in(TRUTH).any() or known.str.contains(_KEPT).any():
            continue
        if known.str.contains(r"^[+-]?\d+$").all():
            values = text.cast(pl.Int64, strict=False)
        elif known.str.contains(r"^\d{4}-\d{2}-\d{2}$").all():
            values = text.str.to_date("%Y-%m-%d", strict=False)
        elif decimal is None and facts[name] == {"kind": "number"} and not (has_thousands and "," in marks[name]):
            values = numbers_in(table[name], {})
            if known.str.contains(r"[.,]\d{3,}$").any() and (values == values.round(2)).all():
                continue  # written with three decimal places, which the numbers do not show
        else:
            continue
        if values.null_count() == text.null_count():
            typed.append(values)
    return table.with_columns(typed)


def _require_clear_numbers(path: Path, table: "polars.DataFrame") -> None:
    """Refuse numbers such as 1,000 that may be one or a thousand: where nothing in the file tells, or both ways."""
    for name in table.columns:
        unit = unit_of(table[name].drop_nulls().unique().sort().to_list())
        bare = known_text(table[name]).drop_nulls().str.strip_suffix(unit or "").str.strip_chars()
        texts = bare.unique().sort().to_list()
        value = ambiguous_number(texts)
        if value is not None and sum(number_of(text) is not None for text in texts) > 0.9 * len(texts):
            small, large = number_of(value), number_of(value, "," if "," in value else ".")
            raise InputError(
                f"{path}: {value!r} in column {name!r} may be {small:g} or {large:g}: give --decimal , or --decimal ."
            )
