"""What data hold, for a person: what each column is, and what is to be known before its numbers are trusted."""

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from mlcvkit.arrays import PlainData, RawRows
from mlcvkit.datasets.columns import (
    as_names,
    dates_in,
    kind_of_text,
    known_text,
    measure_notes,
    numbers_in,
    text_of_numbers,
    type_of,
)
from mlcvkit.datasets.samples import Samples
from mlcvkit.datasets.tables import TableEncoder
from mlcvkit.errors import InputError

if TYPE_CHECKING:
    import polars

FIRST_DATE, LAST_DATE = date(1900, 1, 1), date(2100, 1, 1)
"""Between these, a number such as 20200131 is likely a date."""


def describe(samples: Samples, **options: object) -> PlainData:
    """What each column is, how many values are missing and different, and what the encoder makes of it.

    Parameters
    ----------
    samples
        The data.
    **options
        The parameters of the encoder of a table.

    Returns
    -------
    PlainData
        ``name``, ``samples``, ``columns``, a list with ``name``, ``kind``, ``missing``, ``different``, ``values`` and
        ``note`` of each, of which the target is one, and ``notes``, what a person should know.
    """
    import polars as pl

    X = samples.X
    if isinstance(X, np.ndarray) and X.ndim > 2:
        values = f"{X.min()} to {X.max()}"
        shape = " x ".join(map(str, X.shape[1:]))
        are_bytes = X.dtype in (np.uint8, np.uint16)
        rows = [_described("samples", f"images of {shape}" if are_bytes else shape, 0, len(X), values, "")]
    else:
        frame = pl.DataFrame({f"x{i}": column for i, column in enumerate(X.T)}) if isinstance(X, np.ndarray) else X
        encoder = TableEncoder().set_params(**options)
        try:
            encoder.fit(frame, decimals=samples.decimals)
        except InputError:  # a table without a useful column is described nevertheless
            if not hasattr(encoder, "columns_"):
                raise
        rows = [_described_column(frame[name], fact) for name, fact in encoder.columns_.items()]
    if samples.y is not None:
        y = pl.Series(samples.target, samples.y)
        rows.append(_described(samples.target or "y", "target", 0, y.n_unique(), _values(y), ""))
    notes = [*samples.notes, *duplicates_in(X)]
    return {"name": samples.name, "samples": len(X), "columns": rows, "notes": notes}


def _described_column(column: "polars.Series", fact: PlainData) -> PlainData:
    if type_of(column.dtype) == "other":
        return _described(column.name, fact["kind"], column.null_count(), 0, "", column_note(column, fact))
    text = known_text(column)
    values = column.drop_nulls()
    if fact["kind"] == "number":
        values = numbers_in(column, fact).drop_nulls()
    elif fact["kind"] in ("date", "time"):
        values = dates_in(column, fact).drop_nulls()
        values = values.dt.date() if fact["kind"] == "date" else values
    elif fact["kind"] == "category":
        values = text.drop_nulls()
    note = column_note(text, fact)
    if fact["kind"] in ("number", "date", "time"):
        text = text_of_numbers(column, fact)
    return _described(column.name, fact["kind"], text.null_count(), text.drop_nulls().n_unique(), _values(values), note)


def column_note(text: "polars.Series", fact: PlainData) -> str:
    """What a person should know of what the encoder makes of a column.

    Parameters
    ----------
    text
        The column's values as text.
    fact
        What the encoder takes it for.

    Returns
    -------
    str
        The note, empty if there is nothing to say.
    """
    if "reason" in fact:
        return str(fact["reason"])
    notes = []
    if fact.get("loose"):
        others = ", ".join(fact.get("others", ()))
        columns_for = f"a column each for {others}, " if others else ""
        of_numbers = "lengths of time" if fact.get("length") else "times of day" if fact.get("clock") else "numbers"
        kind = "dates" if fact["kind"] in ("date", "time") else of_numbers
        notes.append(f"mostly {kind}: {columns_for}the rest counts as missing")
    if fact.get("mark"):
        notes.append(f"{fact['mark']!r} is the decimal mark here, whatever --decimal says")
    if fact.get("thousands") and text.str.contains(fact["thousands"], literal=True).any():
        notes.append(f"{fact['thousands']!r} stands between thousands")
    notes += measure_notes(fact)
    if fact.get("short_years"):
        notes.append("years of two digits: 69 to 99 are 1969 to 1999, 00 to 68 are 2000 to 2068")
    if fact.get("unsure"):
        other = "no-day-first" if fact["first"] == "day" else "day-first"
        notes.append(f"read as dates with the {fact['first']} first; --{other} reads them the other way")
    names = as_names(text, fact).drop_nulls() if fact["kind"] == "category" else text.drop_nulls()
    different = names.n_unique()
    if fact["kind"] == "category" and len(fact["categories"]) < different:
        notes.append(f"{len(fact['categories'])} of {different:,} names have a column each, the rarer ones share one")
    if fact["kind"] == "category":
        notes += alike_names(names.to_list())
    if fact["kind"] == "number":
        notes += _notes_of_numbers(text)
    return "; ".join(notes)


def alike_names(names: Iterable[str]) -> list[str]:
    """A note if names differ in nothing but upper and lower case, or blanks.

    Parameters
    ----------
    names
        The names.

    Returns
    -------
    list[str]
        The note, or nothing.
    """
    spelled: dict[str, str] = {}
    for name in sorted(set(names)):
        other = spelled.setdefault(" ".join(name.casefold().split()), name)
        if other != name:
            return [f"{other!r} and {name!r} are different names here: write one name in one way"]
    return []


def _notes_of_numbers(text: "polars.Series") -> list[str]:
    """Notes on numbers that may be something else: dates, codes or ids; or that are infinite."""
    known = text.drop_nulls()
    infinite = int(known.str.to_lowercase().str.contains(r"^[+-]?inf(inity)?$").sum())
    notes = [f"infinite values count as missing: {infinite:,} of {len(text):,}"] if infinite else []
    if not known.str.contains(r"^\d+$").all():
        return notes
    dates = known.str.to_date("%Y%m%d", strict=False) if known.str.contains(r"^\d{8}$").all() else known.clear()
    if known.n_unique() > 2 and len(dates) and dates.is_between(FIRST_DATE, LAST_DATE).fill_null(False).all():
        notes.append(f"dates? {known[0]} is taken for a number: write {known[0][:4]}-{known[0][4:6]}-{known[0][6:]}")
    elif known.str.contains(r"^0\d").any():
        notes.append("codes? Some begin with 0, and are taken for numbers: --categorical takes them for names")
    elif known.n_unique() == len(text) > 20:
        notes.append("every value is a different whole number: an id? --leave-out takes it away")
    return notes


def notes_of(encoder: object, X: object) -> list[str]:
    """What a person should know of what an encoder made of data: of columns that are not as they seem, of duplicates.

    Parameters
    ----------
    encoder
        The fitted encoder.
    X
        The rows that it was fitted on.

    Returns
    -------
    list[str]
        The lines.
    """
    if isinstance(X, np.ndarray):
        return duplicates_in(X)
    import polars as pl

    if not isinstance(encoder, TableEncoder) or not isinstance(X, pl.DataFrame):
        return []
    columns = {name: X[name] if "reason" in fact else known_text(X[name]) for name, fact in encoder.columns_.items()}
    noted = ((name, column_note(columns[name], fact)) for name, fact in encoder.columns_.items())
    return [*(f"{name}: {note}" for name, note in noted if note), *_note_of_order(encoder, X), *duplicates_in(X)]


def _note_of_order(encoder: TableEncoder, X: "polars.DataFrame") -> list[str]:
    """A note if there is no column of which ``day_first`` tells how it is read."""
    texts = [X[name] for name in encoder.columns_ if type_of(X[name].dtype) == "text"]
    if encoder.day_first is None or any(kind_of_text(text, set()).get("unsure") for text in texts):
        return []
    option = "day-first" if encoder.day_first else "no-day-first"
    return [f"--{option} is not used: in no column is it unclear whether the day or the month comes first"]


def duplicates_in(X: RawRows) -> list[str]:
    """A note if many rows are duplicates of another.

    Parameters
    ----------
    X
        The rows.

    Returns
    -------
    list[str]
        The note, or nothing.
    """
    if isinstance(X, np.ndarray):
        width = X[0].size if len(X) else 0
        twice = len(X) - len({hash(row.tobytes()) for row in X}) if X.dtype != object else 0
    else:
        width = X.width
        twice = X.height - X.select(name for name in X.columns if type_of(X[name].dtype) != "other").n_unique()
    if twice <= 0.05 * len(X) or width < 2:
        return []
    return [f"{twice:,} of {len(X):,} rows are duplicates of another: training and test may share them"]


def _described(name: str, kind: str, missing: int, different: int, values: str, note: str) -> PlainData:
    return {"name": name, "kind": kind, "missing": missing, "different": different, "values": values, "note": note}


def _values(column: "polars.Series") -> str:
    """The range of numbers and dates, or the most frequent names."""
    known = column.drop_nulls()
    if known.is_empty():
        return ""
    if known.dtype.is_numeric():
        least, most = known.to_numpy().min(), known.to_numpy().max()
        return f"{least:.6g} to {most:.6g}"
    if known.dtype.is_temporal():
        return f"{known.min()!s} to {known.max()!s}"
    counts = known.cast(str).value_counts(sort=True)
    return ", ".join(counts[known.name].to_list()[:4]) + (", ..." if len(counts) > 4 else "")
