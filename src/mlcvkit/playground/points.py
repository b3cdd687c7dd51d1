"""Points of a plane that a visitor paints or brings in a table: as text of a link, as numbers, as a CSV file."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mlcvkit.datasets import TableEncoder, read
from mlcvkit.errors import InputError

MOST_POINTS, FEWEST_OF_A_CLASS = 400, 5
COLOURS = ("Blue", "Red", "Green", "Amber")
"""One for each class."""
NEEDS = "needs two columns of numbers, and one with two to four classes: the colours"
NAMES_OF_TARGETS = ("class", "target", "label", "species", "y")
WELL_FORMED = re.compile("([0-9a-f]{4}[0-3])*")
"""For each point its distance from the left and the top, two hexadecimal digits each, and its class."""
FIRST_POINTS = "".join(
    f"{x + dx:02x}{y + dy:02x}{kind}"
    for kind, x, y in ((0, 90, 160), (1, 165, 95))
    for dx, dy in ((0, 0), (30, 8), (-24, 16), (10, -28), (-12, -20), (18, 30), (-30, -4), (4, 18))
)
"""Two clusters to begin with."""


def painted(points: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """The coordinates of points, (N, 2), from -1 to 1 to the right and up, and their classes, (N,)."""
    each = [points[i : i + 5] for i in range(0, len(points), 5)]
    places = np.array([(int(one[:2], 16), 255 - int(one[2:4], 16)) for one in each], float).reshape(-1, 2)
    return places / 127.5 - 1, np.array([int(one[4]) for one in each], int)


def classes_of(points: str) -> list[int]:
    """The classes that have points."""
    return sorted({int(kind) for kind in points[4::5]})


def as_csv(points: str) -> bytes:
    """Points as a CSV file with the columns x0, x1 and class."""
    places, classes = painted(points)
    lines = [f"{x!r},{y!r},{c}" for (x, y), c in zip(places.tolist(), classes, strict=True)]
    return "\n".join(["x0,x1,class", *lines, ""]).encode()


def from_table(places: npt.NDArray[np.float64], classes: npt.NDArray[np.int64]) -> str:
    """Points from the columns of ``as_csv``."""
    x, y = np.clip(np.rint(127.5 * (places + 1)), 0, 255).astype(int).T
    return "".join(f"{a:02x}{255 - b:02x}{c}" for a, b, c in zip(x, y, classes, strict=True))


def problem_with(points: str) -> str:
    """What the points lack for a training; "" if nothing."""
    places, classes = painted(points)
    counts = np.bincount(classes, minlength=2)
    if (counts > 0).sum() < 2 or counts[counts > 0].min() < FEWEST_OF_A_CLASS:
        return f"paint {FEWEST_OF_A_CLASS} points of each colour at least, and of two colours at least"
    if any(np.unique(axis, return_counts=True)[1].max() > 0.9 * len(axis) for axis in places.T):
        return "the points lie on one line, or nearly all: paint some beside it"
    return ""


def points_of_file(path: Path, axes: Sequence[str] = ()) -> tuple[str, str, list[str]]:
    """The points of a table: two columns of numbers, ``axes`` or the first two, coloured by one with 2 to 4 classes.

    Returns the points, a sentence on what was used and what was left out, and the columns of numbers that there are;
    InputError without such columns.
    """
    samples, name = read(path), path.name
    table = samples.X
    if isinstance(table, np.ndarray):
        raise InputError(f"{name} is no table with named columns, such as a CSV file")
    different = {column: table[column].drop_nulls().n_unique() for column in table.columns}
    few = [column for column, count in different.items() if 2 <= count <= len(COLOURS)]
    target = next((column for column in few if column.lower() in NAMES_OF_TARGETS), few[-1] if few else None)
    try:
        encoder = TableEncoder().fit(table)
    except InputError:  # no column tells anything
        raise InputError(
            f"{name} needs two columns of numbers, and one with two to four classes: the colours"
        ) from None
    told = encoder.get_feature_names_out().tolist()  # a column of one value tells nothing
    numbers = [c for c, fact in encoder.columns_.items() if fact["kind"] == "number" and c != target and c in told]
    if target is None or len(numbers) < 2:
        raise InputError(f"{name} {NEEDS}")
    if unknown := sorted(set(axes) - set(numbers)):
        raise InputError(f"{name} has no column of numbers {unknown[0]!r}; choose two of {', '.join(numbers)}")
    across, up = axes or numbers[:2]
    whole = table.drop_nulls([across, up, target])
    names = [str(value) for value in sorted(whole[target].unique().to_list(), key=str)]
    kinds = np.array([names.index(str(value)) for value in whole[target].to_list()])
    at = [told.index(column) for column in (across, up)]
    places = encoder.transform(whole)[:, at].astype(float)
    chosen = np.sort(np.random.default_rng(0).permutation(len(whole))[:MOST_POINTS])
    places, kinds = places[chosen], kinds[chosen]
    low, size = places.min(axis=0, initial=np.inf), np.ptp(places, axis=0) if len(places) else np.ones(2)
    x, y = np.rint(10 + 235 * (places - low) / np.where(size > 0, size, 1)).astype(int).T
    points = "".join(f"{a:02x}{255 - b:02x}{kind}" for a, b, kind in zip(x, y, kinds, strict=True))
    colours = ", ".join(f"{COLOURS[i].lower()} is {value}" for i, value in enumerate(names))
    left_out = [column for column in table.columns if column not in (across, up, target)]
    rest = f" Left out, because a plane has two axes: {', '.join(left_out)}." if left_out else ""
    lacking = len(table) - len(whole)
    rest += f" Left out, because a value is missing: {lacking:,} row{'s' * (lacking != 1)}." if lacking else ""
    rest += "".join(f" {note}." for note in samples.notes)
    rows = f"{len(chosen):,} of {len(table):,} rows" if len(chosen) < len(table) else f"all {len(table):,} rows"
    return points, f"{name}: {across} to the right, {up} up, {target} as colours ({colours}); {rows}.{rest}", numbers
