"""Read files, folders and named sets; errors name the file and the place."""

import hashlib
import io
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mlcvkit.arrays import PlainData, RawRows, Values
from mlcvkit.datasets.columnar_files import columnar_reader
from mlcvkit.datasets.columns import (
    MISSING,
    MISSING_NUMBERS,
    grouping,
    kind_of_text,
    known_text,
    marks_in,
    measure_notes,
    number_of,
    numbers_in,
    thousands_in,
    type_of,
    unit_of,
)
from mlcvkit.datasets.images import (
    IMAGE_SUFFIXES,
    TEST_FOLDERS,
    files_by_class,
    in_same_colours,
    in_two_classes,
    of_several_pages,
    read_images,
)
from mlcvkit.datasets.mnist_digits import PARITY_NAMES, mnist
from mlcvkit.datasets.numpy_files import read_idx, read_npy, read_npz, read_svmlight
from mlcvkit.datasets.text_files import TextReader
from mlcvkit.datasets.toys import TOYS
from mlcvkit.errors import InputError
from mlcvkit.extras import require

if TYPE_CHECKING:
    import polars

ARRAY_NAMES = (
    ("X", "y"),
    ("x", "y"),
    ("X", "Y"),
    ("x_train", "y_train"),
    ("X_train", "y_train"),
    ("train_images", "train_labels"),
    ("images", "labels"),
    ("data", "target"),
    ("data", "labels"),
    ("arr_0", "arr_1"),
)
"""How samples and targets are called in archives of arrays: by us, Keras, MedMNIST, scikit-learn and NumPy."""
TEST_NAMES = {"x_train": ("x_test", "y_test"), "X_train": ("X_test", "y_test")}
TEST_NAMES |= {"train_images": ("test_images", "test_labels")}


TESTED_WITH = " tested with "


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
        The SHA-256 sum of the content, and of that of a test file behind ``TESTED_WITH``.
    test
        X and y of the test set that came with the data, or None.
    files
        The names of the images' files.
    class_names
        The names of the classes where the targets are numbers that stand for them.
    notes
        What a person should know of the reading, a line each.
    thousands
        The mark between the thousands of targets, "" for none; None if they are those of arrays.
    unit
        What stands behind the numbers of targets that were text, "" for nothing; None if they were no text.
    decimals
        The decimal marks that certainly occur in a file of text, "." or ",".

    See Also
    --------
    read : Reads them from files.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcvkit import Experiment, Hyperparameters, train
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> samples = Samples("mine", X, X[:, 0] + X[:, 1], "sum", "")
    >>> trained = train(Experiment(hyperparameters=Hyperparameters(epochs=5)), samples)
    >>> trained.predictor.targets.task
    'regression'
    """

    name: str
    X: RawRows
    y: Values | None
    target: str | None
    fingerprint: str
    test: tuple[RawRows, Values] | None = None
    files: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    thousands: str | None = None
    unit: str | None = None
    decimals: tuple[str, ...] = ()

    def without(self, columns: Collection[str]) -> "Samples":
        """The samples of a table without some of its columns.

        Parameters
        ----------
        columns
            The names of the columns.

        Returns
        -------
        Samples
            The others.

        Raises
        ------
        InputError
            For a column that is not there, and for the target.
        """
        if isinstance(self.X, np.ndarray):
            raise InputError(f"{self.name} has no named columns that could be left out")
        for name in columns:
            if name == self.target:
                raise InputError(f"{name!r} is the target: it cannot be left out")
            if name not in self.X.columns:
                raise InputError(f"{self.name} has no column {name!r} to leave out; it has {', '.join(self.X.columns)}")
        test = self.test
        if test is not None and not isinstance(test[0], np.ndarray):
            test = test[0].drop(*columns, strict=False), test[1]
        notes = (*self.notes, f"left out as asked: {', '.join(columns)}")
        return replace(self, X=self.X.drop(*columns), test=test, notes=notes)


class _Reading(NamedTuple):
    """How files are read; as for ``read``."""

    image_size: int | None
    header: bool | None
    decimal: str | None
    known: bool
    features: int | None
    classes: tuple[str, ...] | None


def read(
    source: str | Path,
    target: str | Path | None = None,
    *,
    test: str | Path | None = None,
    image_size: int | None = None,
    header: bool | None = None,
    decimal: str | None = None,
    known: bool = False,
    features: int | None = None,
    classes: Sequence[str] | None = None,
) -> Samples:
    """Open a data set.

    Parameters
    ----------
    source
        A table (.csv, .tsv, .txt, .data, .parquet, .arrow, .feather, ...), arrays (.npz, .npy, IDX as of MNIST,
        svmlight; text and IDX may be gzipped), a folder with a folder of images for each class, or the name of a set
        that needs no file (``TOYS``).
    target
        The column to predict; of a .npy or IDX file the file with the labels, of a .npz file the name of the array, "y"
        where left out.
    test
        A file or folder like it, to test with.
    image_size
        The height and the width to which the images of a folder are scaled, in pixels.
    header
        Whether the first line of a text file has the names of the columns; by default it has.
    decimal
        The decimal mark of a text file's numbers, "." or ",", where that cannot be seen.
    known
        Whether the data are for a model, which knows already how numbers are to be read.
    features
        How many features that model reads: a svmlight file does not say how many there are after its last one.
    classes
        The classes that model knows, where they are text.

    Returns
    -------
    Samples
        The data set.

    Raises
    ------
    InputError
        For what cannot be read, with the file and the place, and for a target that is not there, with what is.

    See Also
    --------
    Samples : What is given.
    TableEncoder : Turns a table into numbers.

    Examples
    --------
    >>> samples = read("moons")
    >>> samples.X.shape, samples.y.shape
    ((400, 2), (400,))
    """
    of_model = None if classes is None else tuple(classes)
    reading = _Reading(image_size, header, decimal, known, features, of_model)
    samples = _read(source, target, reading)
    if test is None:
        return samples
    width = samples.X.shape[1] if isinstance(samples.X, np.ndarray) else None
    of_train = tuple(map(str, np.unique(samples.y))) if samples.y is not None and samples.y.dtype.kind == "U" else None
    as_known = reading._replace(known=True, features=width, classes=of_train)
    others = _read(test, target if not (target and Path(target).is_file()) else None, as_known)
    if others.y is None:
        raise InputError(f"{test} has no target to test with")
    notes = (*samples.notes, *others.notes)
    fingerprint = f"{samples.fingerprint}{TESTED_WITH}{others.fingerprint}"
    return replace(samples, test=(others.X, others.y), notes=notes, fingerprint=fingerprint)


def _read(source: str | Path, target: str | Path | None, reading: _Reading) -> Samples:
    if str(source) in TOYS:
        return _toy(str(source), target)
    path = Path(source)
    if path.is_dir():
        return _image_folder(path, target, reading.image_size, every=reading.known)
    if not path.is_file():
        raise InputError(
            f"{path} does not exist; give a file, a folder of images, or one of the names {', '.join(TOYS)}"
        )
    reader = _reader(path)
    try:
        if isinstance(reader, TextReader):
            table, notes, decimals = reader(path, header=reading.header, decimal=reading.decimal, known=reading.known)
            return _of_table(path, table, target, notes, reading, tuple(sorted(decimals)))
        content = reader(path)
        if isinstance(content, dict):
            content = _widened(content, reading.features) if reader is read_svmlight else content
            return _of_arrays(path, content, target)
        if isinstance(content, np.ndarray):
            return _of_array(path, content, target)
        return _of_table(path, content, target, reading=reading._replace(decimal=None))
    except MemoryError:
        raise InputError(f"{path} is damaged, or larger than the memory") from None


def _widened(arrays: dict[str, Values], features: int | None) -> dict[str, Values]:
    """The features that a svmlight file leaves out after its last one are 0."""
    lacking = 0 if features is None else features - arrays["X"].shape[1]
    return arrays if lacking <= 0 else arrays | {"X": np.pad(arrays["X"], ((0, 0), (0, lacking)))}


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
    notes = (f"{name} is the set inside the package; what lies here is ./{name}",) if Path(name).exists() else ()
    return Samples(name, X, y, "y", _fingerprint_of_arrays(X, y), test, class_names=names, notes=notes)


def _of_table(
    path: Path,
    frame: "polars.DataFrame",
    target: str | Path | None,
    notes: Sequence[str] = (),
    reading: _Reading | None = None,
    decimals: tuple[str, ...] = (),
) -> Samples:
    if frame.width == 0 or frame.height == 0:
        raise InputError(f"{path} has no rows: a table needs a line of column names and one for each sample")
    names = [unicodedata.normalize("NFC", name) for name in frame.columns]
    frame = frame.rename(dict(zip(frame.columns, names, strict=True))) if len({*names}) == frame.width else frame
    if target is None:
        return Samples(path.name, frame, None, None, _fingerprint(path), notes=tuple(notes), decimals=decimals)
    target = unicodedata.normalize("NFC", str(target))
    how: PlainData = {}
    if reading is not None:
        how = {"decimal": reading.decimal, "as_text": reading.known, "classes": reading.classes}
    X, y, thousands = split_target(frame, str(target), path, decimals=decimals, **how)
    unit = None
    if y.dtype.kind in "if" and type_of(frame[target].dtype) == "text":
        fact = kind_of_text(frame[target], set(decimals))
        unit = fact.get("unit", "")
        notes = [*notes, *(f"{target}: {note}" for note in measure_notes(fact))]
    elif y.dtype.kind == "U" and not (reading is not None and reading.known) and _holds_dates(frame[target]):
        what = "to predict a time, give a number, such as the days since the first one"
        notes = [*notes, f"{target}: each date is taken as a class of its own; {what}"]
    left_out = frame.height - len(y)
    if left_out:
        notes = [*notes, f"{left_out:,} of {frame.height:,} rows are left out, which have no {target}"]
    how = {"notes": tuple(notes), "thousands": thousands, "unit": unit, "decimals": decimals}
    return Samples(path.name, X, y, str(target), _fingerprint(path), **how)


def _holds_dates(column: "polars.Series") -> bool:
    if type_of(column.dtype) == "text":
        return kind_of_text(column, set())["kind"] in ("date", "time")
    return column.dtype.is_temporal()


def split_target(
    frame: "polars.DataFrame",
    target: str,
    path: object,
    *,
    decimal: str | None = None,
    decimals: Collection[str] = (),
    as_text: bool = False,
    classes: Collection[str] | None = None,
) -> "tuple[polars.DataFrame, Values, str | None]":
    """Take the target out of a table, without the rows that have none.

    Parameters
    ----------
    frame
        The table, a polars data frame.
    target
        The name of its column.
    path
        The file, for messages.
    decimal
        The decimal mark of numbers in text, where it is known.
    decimals
        The decimal marks that certainly occur in the text that the table was read from.
    as_text
        Whether text is left as it is, for a model that knows its classes.
    classes
        The classes that the model knows, where they are text: what counts as missing is what did in its training.

    Returns
    -------
    tuple[polars.DataFrame, Values, str | None]
        The other columns; the target, numbers or text; and the mark between its thousands, "" for none and None where
        it was no text that holds numbers.

    Raises
    ------
    InputError
        If it is not there, or no row has it.
    """
    if target not in frame.columns:
        raise InputError(f"{path} has no column {target!r}; its columns are {_listed(frame.columns)}")
    if frame.width == 1:
        raise InputError(f"{path} has no column beside the target {target!r}: there is nothing to predict it from")
    column = frame[target]
    if type_of(column.dtype) == "other":
        raise InputError(f"{path}: the target {target!r} is of kind {column.dtype}; it must be numbers or names")
    marks = {decimal} if decimal else set(decimals) or marks_in(frame)
    y, present, thousands = _target_values(column, marks, decimal, as_text, classes)
    if not present.any():
        raise InputError(f"{path}: the target {target!r} is missing in all of its {frame.height:,} rows")
    others = frame.drop(target)
    return (others if present.all() else others.filter(present)), y[present], thousands


def _target_values(
    column: "polars.Series", marks: set[str], decimal: str | None, as_text: bool, classes: Collection[str] | None
) -> tuple[Values, Values, str | None]:
    """The targets as numbers or text, where there is one, and the mark between the thousands of numbers in text."""
    import polars as pl

    if isinstance(column.dtype, pl.Duration):
        column = numbers_in(column, {})
    if column.dtype == pl.Boolean or column.dtype.is_temporal():
        return column.cast(pl.String).fill_null("").to_numpy().astype(str), column.is_not_null().to_numpy(), None
    if classes is not None:
        text = known_text(column, MISSING if are_truth_values(classes) else ("",))
        return text.fill_null("").to_numpy().astype(str), text.is_not_null().to_numpy(), None
    if column.dtype.is_integer():
        return column.fill_null(0).to_numpy(), column.is_not_null().to_numpy(), grouping(column, marks) or ""
    if column.dtype.is_numeric():
        numbers = column.cast(pl.Float64) if column.dtype.is_decimal() else column
        finite = numbers.is_finite().fill_null(False)
        return numbers.fill_null(0).to_numpy(), finite.to_numpy(), grouping(numbers.set(~finite, None), marks) or ""
    text = known_text(column, ("",))
    known = known_text(column)
    truth = known.drop_nulls().str.to_lowercase().is_in(["true", "false"])
    if len(truth) and truth.all():
        return known.str.to_lowercase().fill_null("").to_numpy().astype(str), known.is_not_null().to_numpy(), None
    if as_text:
        numbers = known_text(column, (*MISSING, *MISSING_NUMBERS))
        numbers = numbers.set(numbers.str.contains(r"(?i)^[+-]?inf(inity)?$").fill_null(False), None)
        unit = unit_of(numbers.drop_nulls().unique().to_list()) or ""
        bare = numbers.drop_nulls().unique().str.strip_suffix(unit).str.strip_chars()
        are_numbers = len(bare) > 0 and all(number_of(one) is not None for one in bare.to_list())
        text = numbers if are_numbers else text
        return text.fill_null("").to_numpy().astype(str), text.is_not_null().to_numpy(), None
    fact = kind_of_text(column, marks)
    if fact.get("factors"):
        raise InputError(f"the target {column.name!r} has numbers with K, M or B behind them and others: write all out")
    if decimal is not None and fact["kind"] == "number":
        fact["thousands"] = "," if decimal == "." else "."
    is_code = known.str.contains(r"^0\d+$").any()
    if fact["kind"] == "number" and not is_code and not fact.keys() & {"loose", "clock"}:
        numbers = numbers_in(column, fact)
        present = numbers.is_finite().fill_null(False)
        numbers = numbers.set(~present, None)
        values = numbers.fill_null(0).to_numpy()
        whole = not known.drop_nulls().str.strip_suffix(fact.get("unit", "")).str.contains(r"[.eE]").any() and bool(
            (values == np.round(values)).all()
        )
        if whole and np.abs(values).max() < 2**53:
            values = values.astype(np.int64)
        elif whole:
            values = _exact(known.set(numbers.is_null(), "0").to_list(), values)
        later = grouping(numbers, marks)
        return values, present.to_numpy(), later if later == ".," else fact.get("thousands") or later or ""
    return text.fill_null("").to_numpy().astype(str), text.is_not_null().to_numpy(), None


def is_same_data(known: str, fingerprint: str) -> bool:
    """Whether data are those that were recorded; earlier versions recorded nothing of a test file.

    Parameters
    ----------
    known
        The fingerprint that was recorded.
    fingerprint
        The fingerprint of the data.

    Returns
    -------
    bool
        Whether they are.
    """
    return known in (fingerprint, fingerprint.partition(TESTED_WITH)[0])


def are_truth_values(classes: Iterable[object]) -> bool:
    """Whether classes are true and false, which files spell in several ways.

    Parameters
    ----------
    classes
        The classes.

    Returns
    -------
    bool
        Whether they are.
    """
    return {str(one).lower() for one in classes} <= {"true", "false"}


def _of_arrays(path: Path, arrays: dict[str, Values], target: str | Path | None) -> Samples:
    if set(arrays) == {"arr_0"} and (target is None or Path(target).is_file()):
        return _of_array(path, arrays["arr_0"], target)
    features, given = choose_arrays(path, arrays, target)
    samples = _samples(path, arrays[features], None if given is None else arrays[given], given)
    test = TEST_NAMES.get(features)
    if given is None or test is None or not set(test) <= set(arrays):
        test = None
    unused = [name for name in arrays if name not in (features, given, *(test or ()))]
    if unused:
        samples = replace(samples, notes=(*samples.notes, f"not used in {path.name}: {_listed(unused)}"))
    if test is None:
        return samples
    y = checked_arrays(path, arrays[test[0]], arrays[test[1]], test[1])
    assert y is not None
    return replace(samples, test=(arrays[test[0]], y))


def numbers_of_text(y: Values, thousands: str | None = None, unit: str | None = None) -> Values | None:
    """The numbers of a target that is text, where each value is one.

    Parameters
    ----------
    y
        The text, (N,).
    thousands
        The mark between thousands, "" for none; None if that is to be seen from the values.
    unit
        What may stand behind each number, "" for nothing; None if that is to be seen from the values.

    Returns
    -------
    Values | None
        The numbers, or None.
    """
    texts = [text.strip() for text in y.astype(str).tolist()]
    unit = unit_of(set(texts)) or "" if unit is None else unit
    texts = [text.removesuffix(unit).strip() for text in texts]
    mark = thousands_in(set(texts), set()) if thousands is None else thousands or None
    truth = {"true": 1.0, "false": 0.0}
    numbers = [truth.get(text.lower(), number_of(text, mark)) for text in texts]
    return None if None in numbers else _exact(texts, np.array(numbers, np.float64))


def _exact(texts: Collection[str], numbers: Values) -> Values:
    """The numbers of texts; as whole numbers, where they are those and have more digits than a float holds."""
    if np.abs(numbers).max(initial=0) < 2**53 or not all(text.removeprefix("-").isdecimal() for text in texts):
        return numbers
    whole = np.array([int(text) for text in texts])
    return whole if whole.dtype.kind in "iu" else numbers


def no_number(y: Values, thousands: str | None = None) -> str | None:
    """The first of some texts that is no number.

    Parameters
    ----------
    y
        The texts, (N,).
    thousands
        As for ``numbers_of_text``.

    Returns
    -------
    str | None
        The text, or None if all are numbers.
    """
    texts = (text.strip() for text in y.astype(str).tolist())
    return next((text for text in texts if number_of(text, thousands or None) is None), None)


def choose_arrays(path: object, names: Iterable[str], target: str | Path | None) -> tuple[str, str | None]:
    """Find the arrays with the samples and the targets among several.

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
        If that cannot be told.
    """
    names = list(names)
    if target is None:
        for pair in ARRAY_NAMES:
            if set(pair) <= set(names):
                return pair
    given = str(target) if target is not None else next((n for n in ("y", "labels", "target") if n in names), None)
    if given is not None and given not in names:
        raise InputError(f"{path} has no array {given!r}; its arrays are {_listed(names)}")
    others = [name for name in names if name != given]
    usual = [features for features, _ in ARRAY_NAMES if features in others]
    features = usual[0] if usual else others[0] if len(others) == 1 else None
    if features is None:
        raise InputError(f"{path} needs an array X of the samples; its arrays are {_listed(names)}")
    return features, given


def _of_array(path: Path, X: Values, target: str | Path | None) -> Samples:
    if X.dtype.names:
        require("tables")
        import polars as pl

        return _of_table(path, pl.DataFrame({name: X[name] for name in X.dtype.names}), target)
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
    reader = _reader(labels)
    y = None if isinstance(reader, TextReader) else reader(labels)
    if isinstance(y, dict) and len(y) == 1:
        (y,) = y.values()
    if not isinstance(y, np.ndarray):
        raise InputError(f"{labels} must be an array of labels, .npy, .npz or IDX")
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
        If samples or targets are not what they must be.
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


def _image_folder(folder: Path, target: str | Path | None, image_size: int | None, *, every: bool = False) -> Samples:
    """The images of a folder with a folder for each class, which may lie in "train" and "test"; or ``every`` image."""
    if target is not None:
        raise InputError(f"the target of a folder of images is the name of each image's folder: leave out {target!r}")
    parts = {path.name.lower(): path for path in folder.iterdir() if path.is_dir() and path.name[0] != "."}
    test = next((parts[name] for name in TEST_FOLDERS if name in parts), None)
    if (
        "train" in parts
        and set(parts) <= {"train", *TEST_FOLDERS}
        and any(p.is_dir() for p in parts["train"].iterdir())
    ):
        samples = _image_folder(parts["train"], None, image_size)
        others = None if test is None else _image_folder(test, None, image_size)
        held_out = None
        if others is not None and others.y is not None:
            X, test_X = in_same_colours(np.asarray(samples.X), np.asarray(others.X))
            samples, held_out = replace(samples, X=X), (test_X, others.y)
        unused = [parts[name].name for name in parts if name != "train" and parts[name] != test]
        notes = [*samples.notes, *(others.notes if others else ())]
        if test is not None and unused:
            notes.append(f"{', '.join(unused)} of {folder.name} is left out: {test.name} is tested with")
        return replace(samples, name=folder.name, test=held_out, notes=tuple(notes))
    files, has_classes, notes = files_by_class(folder, every=every)
    if not files:
        raise InputError(
            f"{folder} has no images: it needs a folder for each class with {', '.join(IMAGE_SUFFIXES)} files"
        )
    images = read_images([path for path, _ in files], image_size)
    notes += of_several_pages([path for path, _ in files])
    y = np.array([label for _, label in files]) if has_classes else None
    if y is not None and not every:
        notes += in_two_classes(images, y.tolist(), [path for path, _ in files])
    return Samples(
        folder.name,
        images,
        y,
        "folder" if has_classes else None,
        _fingerprint_of_arrays(images, *([] if y is None else [y])),
        files=tuple(str(path.relative_to(folder)) for path, _ in files),
        notes=tuple(notes),
    )


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
    require("tables")
    import polars as pl

    frame, buffer = pl.DataFrame(dict(columns)), io.BytesIO()
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
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    return ".idx" if "ubyte" in path.name or suffix.startswith(".idx") else suffix


def is_table(suffix: str) -> bool:
    """Whether a format holds a table, and no arrays.

    Parameters
    ----------
    suffix
        A key of ``FORMATS``.

    Returns
    -------
    bool
        Whether it does.
    """
    return suffix in FORMATS.keys() - _ARRAYS.keys()


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
    return suffix_of(Path(data)) in {*FORMATS} - {".npy", ".idx"}


def _reader(path: Path) -> "TextReader | Reader":
    suffix = suffix_of(path)
    if suffix in ELSEWHERE:
        raise InputError(f"{path} is not read here: {ELSEWHERE[suffix]}")
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


Reader = Callable[[Path], "polars.DataFrame | Values | dict[str, Values]"]

_ARRAYS: dict[str, Reader] = {
    ".npz": read_npz,
    ".npy": read_npy,
    ".idx": read_idx,
    ".svmlight": read_svmlight,
    ".libsvm": read_svmlight,
    ".svm": read_svmlight,
}
FORMATS: dict[str, TextReader | Reader] = {
    ".csv": TextReader(","),
    **dict.fromkeys((".tsv", ".tab"), TextReader("\t")),
    **dict.fromkeys((".txt", ".data", ".dat"), TextReader(",")),
    **{f".{name.lower()}": columnar_reader(name) for name in ("Parquet", "Arrow", "Feather")},
    **_ARRAYS,
}
"""The readers by a file's last suffix, before .gz; IDX files are also known by "-ubyte" in their names."""

_BY_SPREADSHEET = "save the sheet as CSV UTF-8 in the spreadsheet"
ELSEWHERE = {
    ".xlsx": f"{_BY_SPREADSHEET}, or write pandas.read_excel(...).to_parquet('table.parquet')",
    ".xls": f"{_BY_SPREADSHEET}, or write pandas.read_excel(...).to_parquet('table.parquet')",
    ".ods": _BY_SPREADSHEET,
    ".arff": "write pandas.DataFrame(scipy.io.arff.loadarff(...)[0]).to_parquet('table.parquet')",
    ".json": "write pandas.read_json(...).to_parquet('table.parquet')",
    ".jsonl": "write pandas.read_json(..., lines=True).to_parquet('table.parquet')",
    ".pkl": "a pickle can run any code when it is opened; save it as Parquet or .npz where it was made",
    ".h5": "save its arrays with numpy.savez",
    ".mat": "write numpy.savez('file.npz', **scipy.io.loadmat(...)) with the arrays X and y",
}
"""What other files are to be converted by."""
