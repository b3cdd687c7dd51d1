"""Points of a plane that a visitor paints or brings in a table: as text of a link, as numbers, as a CSV file.

As text each point is five characters, and the names of the classes follow if there are some: ``5a80aa55f1~lily~rose``.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mlcvkit.datasets import Samples, TableEncoder, numbers_of_text, read
from mlcvkit.errors import InputError

MOST_POINTS, FEWEST_OF_A_CLASS = 400, 5
COLOURS = ("Blue", "Red", "Green", "Amber")
"""One for each class."""
NEEDS = "needs two columns of numbers, and one with two to four classes: the colours"
NAMES_OF_TARGETS = ("class", "target", "label", "species", "y")
LONGEST_NAME = 24
"""The characters of a class's name that are kept."""
MOST_NAMES = len(COLOURS) * (LONGEST_NAME + 1)
WELL_FORMED = re.compile(rf"([0-9a-f]{{4}}[0-3])*(~[^~]{{1,{LONGEST_NAME}}}){{0,{len(COLOURS)}}}")
"""For each point its distance from the left and the top, two hexadecimal digits each, and its class; then the names."""
FIRST_POINTS = "".join(
    f"{x + dx:02x}{y + dy:02x}{kind}"
    for kind, x, y in ((0, 90, 160), (1, 165, 95))
    for dx, dy in ((0, 0), (30, 8), (-24, 16), (10, -28), (-12, -20), (18, 30), (-30, -4), (4, 18))
)
"""Two clusters to begin with."""


def painted(points: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """The coordinates of points, (N, 2), from -1 to 1 to the right and up, and their classes, (N,)."""
    points, _, _ = points.partition("~")
    each = [points[i : i + 5] for i in range(0, len(points), 5)]
    places = np.array([(int(one[:2], 16), 255 - int(one[2:4], 16)) for one in each], float).reshape(-1, 2)
    return places / 127.5 - 1, np.array([int(one[4]) for one in each], int)


def classes_of(points: str) -> list[int]:
    """The classes that have points."""
    return sorted({int(kind) for kind in points.partition("~")[0][4::5]})


def with_more(points: str, more: str) -> str:
    """The points and more of them, but no more than there may be."""
    places, mark, names = points.partition("~")
    return (places + more)[: 5 * MOST_POINTS] + mark + names


def names_of_classes(points: str) -> list[str]:
    """The names of the classes that have points, in their order; a class without a name has that of its colour."""
    _, *names = points.split("~")
    return [names[kind] if kind < len(names) else COLOURS[kind].lower() for kind in classes_of(points)]


def samples_of(points: str, name: str) -> Samples:
    """The points as the samples of a training, with their classes as ``read`` finds them in ``as_csv``."""
    places, kinds = painted(points)
    names = names_of_classes(points) if "~" in points else []
    numbers = numbers_of_text(np.array(names)) if names else None
    fingerprint = sha256(as_csv(points)).hexdigest()
    if numbers is None or not (np.diff(numbers) > 0).all():
        return Samples(name, places, kinds, "class", fingerprint, class_names=tuple(names))
    are_whole = (numbers == np.round(numbers)).all() and np.abs(numbers).max() < 2**53
    whole = numbers.astype(np.int64) if are_whole else numbers
    return Samples(name, places, whole[np.searchsorted(classes_of(points), kinds)], "class", fingerprint)


def as_csv(points: str) -> bytes:
    """Points as a CSV file with the columns x0, x1 and class: its name, or its number if it has none."""
    places, classes = painted(points)
    of_kind = {kind: name if "~" in points else str(kind) for kind, name in _named_kinds(points)}
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(["x0", "x1", "class"])
    rows.writerows([repr(x), repr(y), of_kind[c]] for (x, y), c in zip(places.tolist(), classes.tolist(), strict=True))
    return file.getvalue().encode()


def _named_kinds(points: str) -> Iterable[tuple[int, str]]:
    return zip(classes_of(points), names_of_classes(points), strict=True)


def from_table(places: npt.NDArray[np.float64], classes: npt.NDArray[np.generic]) -> str:
    """Points from the columns of ``as_csv``."""
    names, kinds = np.unique(classes, return_inverse=True)
    has_names = classes.dtype.kind == "U"
    x, y = np.clip(np.rint(127.5 * (places + 1)), 0, 255).astype(int).T
    of_points = zip(x, y, kinds if has_names else classes.astype(int), strict=True)
    return "".join(f"{a:02x}{255 - b:02x}{c}" for a, b, c in of_points) + _written(names if has_names else ())


def _written(names: Iterable[object]) -> str:
    """The names of classes as they follow the points; "" if they are 0, 1, ..., or alike at their beginnings."""
    short = [" ".join(str(name).replace("~", "-").split())[:LONGEST_NAME] or "-" for name in names]
    says_more = len({*short}) == len(short) and short != [str(i) for i in range(len(short))]
    return "".join(f"~{name}" for name in short) if says_more else ""


def _in_order(names: Iterable[str]) -> list[str]:
    """Names in their order; numbers by their size."""
    ordered = sorted(names)
    numbers = numbers_of_text(np.array(ordered)) if ordered else None
    return ordered if numbers is None else [ordered[i] for i in np.argsort(numbers, kind="stable")]


def problem_with(points: str) -> str:
    """What the points lack for a training; "" if nothing."""
    places, classes = painted(points)
    counts = np.bincount(classes, minlength=2)
    if (counts > 0).sum() < 2 or counts[counts > 0].min() < FEWEST_OF_A_CLASS:
        return f"paint at least {FEWEST_OF_A_CLASS} points of each colour, and at least two colours"
    if any(np.unique(axis, return_counts=True)[1].max() > 0.9 * len(axis) for axis in places.T):
        return "the points lie on one line, or nearly all: paint some beside it"
    return ""


def _target_among(few: Sequence[str], columns: Sequence[str]) -> str | None:
    """The column of the classes, of those with few values; y is an axis beside x where another can be the classes."""
    of = {column.lower(): column for column in few}
    if "y" in of and len(few) > 1 and "x" in map(str.lower, columns):
        few = [column for column in few if column != of["y"]]
        del of["y"]
    return next((of[name] for name in NAMES_OF_TARGETS if name in of), few[-1] if few else None)


def points_of_file(path: Path, axes: Sequence[str] = ()) -> tuple[str, str, list[str]]:
    """The points of a table: two columns of numbers, ``axes`` or the first two, coloured by one with 2 to 4 classes.

    Returns the points, a sentence on what was used and what was left out, and the columns of numbers that there are;
    InputError without such columns.
    """
    samples, name = read(path), path.name
    if any("--no-header" in note for note in samples.notes):
        samples = read(path, header=False)
        samples = replace(samples, notes=(*samples.notes, "the first line looks like data, and is taken for it"))
    table = samples.X
    if isinstance(table, np.ndarray):
        raise InputError(f"{name} is no table with named columns, such as a CSV file")
    different = {column: table[column].drop_nulls().n_unique() for column in table.columns}
    few = [column for column, count in different.items() if 2 <= count <= len(COLOURS)]
    target = _target_among(few, table.columns)
    try:
        encoder = TableEncoder().fit(table)
    except InputError:  # no column tells anything
        raise InputError(f"{name} {NEEDS}") from None
    told = encoder.get_feature_names_out().tolist()  # a column of one value tells nothing
    numbers = [c for c, fact in encoder.columns_.items() if fact["kind"] == "number" and c != target and c in told]
    if target is None or len(numbers) < 2:
        most = max(different, key=lambda column: column.lower() in NAMES_OF_TARGETS, default="")
        most = most if most.lower() in NAMES_OF_TARGETS else (table.columns or [""])[-1]
        has = f"; {most} has {different[most]:,} different values" if target is None and most else ""
        raise InputError(f"{name} {NEEDS}{has}")
    if unknown := sorted(set(axes) - set(numbers)):
        raise InputError(f"{name} has no column of numbers {unknown[0]!r}; choose two of {', '.join(numbers)}")
    across, up = axes or numbers[:2]
    complete = table.drop_nulls([across, up, target])
    if complete[target].dtype.is_float():
        complete = complete.filter(complete[target].is_finite())
    are_numbers = np.isfinite(encoder.numbers_of(complete, [across, up])).all(axis=1)
    whole = complete.filter(are_numbers)
    names = _in_order([str(value) for value in whole[target].unique().to_list()])
    kinds = np.array([names.index(str(value)) for value in whole[target].to_list()])
    at = [told.index(column) for column in (across, up)]
    places = encoder.transform(whole)[:, at].astype(float)
    chosen = np.sort(np.random.default_rng(0).permutation(len(whole))[:MOST_POINTS])
    places, kinds = places[chosen], kinds[chosen]
    low, size = places.min(axis=0, initial=np.inf), np.ptp(places, axis=0) if len(places) else np.ones(2)
    x, y = np.rint(10 + 235 * (places - low) / np.where(size > 0, size, 1)).astype(int).T
    points = "".join(f"{a:02x}{255 - b:02x}{kind}" for a, b, kind in zip(x, y, kinds, strict=True)) + _written(names)
    has_names = "~" in points or names == [str(i) for i in range(len(names))]
    colours = ", ".join(f"{COLOURS[i].lower()} is {value}" for i, value in enumerate(names))
    others = [column for column in table.columns if column not in (across, up, target)]
    alike = [column for column in others if different[column] == 1]
    left_out = [column for column in others if column not in alike]
    rest = f" Left out, because a plane has two axes: {', '.join(left_out)}." if left_out else ""
    rest += f" Left out, because all values are alike: {', '.join(alike)}." if alike else ""
    for why, count in (("missing", len(table) - len(complete)), ("no number", len(complete) - len(whole))):
        rest += f" Left out, because a value is {why}: {count:,} row{'s' * (count != 1)}." if count else ""
    rest += "" if has_names else " The names of the classes begin alike: below they go by numbers."
    rest += "".join(f" {note}." for note in samples.notes)
    rows = f"{len(chosen):,} of {len(table):,} rows" if len(chosen) < len(table) else f"all {len(table):,} rows"
    return points, f"{name}: {across} to the right, {up} up, {target} as colours ({colours}); {rows}.{rest}", numbers
