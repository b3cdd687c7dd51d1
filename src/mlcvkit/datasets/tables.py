"""Columns of any kind as numbers, by facts that are stored with a model as plain data.

The facts are what scikit-learn's imputer, scaler and one-hot encoder learn; the work on the columns is polars'. They
are kept here because a fitted transformer can be stored only as code that is run when it is loaded.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import numpy.typing as npt

from mlcvkit.arrays import PlainData, RawRows, Values
from mlcvkit.datasets.readers import Samples
from mlcvkit.errors import InputError
from mlcvkit.extras import require

if TYPE_CHECKING:
    import polars
    from sklearn.utils import Tags

OTHER = "other"
DATE_PARTS = ("year", "month", "day", "weekday")
TIME_PARTS = ("hour", "minute")

Kind = Literal["number", "category", "date", "time", "dropped"]


class TableEncoder:
    """A scikit-learn transformer from a table to numbers, (N, F), float32.

    Numbers: missing ones become the median, and all are centred and scaled to a standard deviation of 1. Names, and
    text that repeats: one column for each category, and one for the rare, the missing and the unseen. Dates: year,
    month, day and weekday, and hour and minute where they differ, as numbers. What tells nothing is left out: constant
    and empty columns, and names that are all different.

    Parameters
    ----------
    max_categories
        The largest number of categories of a column that get a column each.
    min_frequency
        How often a category must occur for that.

    Attributes
    ----------
    columns_
        What each column is, by name.
    n_features_in_, feature_names_in_
        The number of columns and their names.

    Examples
    --------
    >>> import polars
    >>> table = polars.DataFrame({"size": [1.0, None, 3.0], "colour": ["red", "blue", "red"]})
    >>> TableEncoder(min_frequency=1).fit_transform(table).round(2).tolist()
    [[-1.22..., 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0], [1.22..., 0.0, 1.0, 0.0]]
    """

    def __init__(self, *, max_categories: int = 30, min_frequency: int = 2) -> None:
        self.max_categories, self.min_frequency = max_categories, min_frequency

    def get_params(self, deep: bool = True) -> PlainData:
        """The parameters, as scikit-learn asks for them.

        Parameters
        ----------
        deep
            Not used.

        Returns
        -------
        PlainData
            The parameters by name.
        """
        return {"max_categories": self.max_categories, "min_frequency": self.min_frequency}

    def set_params(self, **params: object) -> Self:
        """Set parameters, as scikit-learn does.

        Parameters
        ----------
        **params
            The parameters by name.

        Returns
        -------
        Self
            The encoder itself.

        Raises
        ------
        ValueError
            For an unknown name.
        """
        for name, value in params.items():
            if name not in self.get_params():
                raise InputError(f"TableEncoder has no parameter {name!r}; it has {', '.join(self.get_params())}")
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> "Tags":
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        inputs = InputTags(categorical=True, string=True, allow_nan=True)
        return Tags("transformer", TargetTags(required=False), TransformerTags(), input_tags=inputs)

    def fit(self, X: RawRows, y: object = None) -> Self:
        """Find out what each column is.

        Parameters
        ----------
        X
            A polars or pandas data frame, or an array, (N, K).
        y
            Not used; here because scikit-learn passes it.

        Returns
        -------
        Self
            The encoder itself.

        Raises
        ------
        InputError
            Where no column tells anything.
        """
        frame = _frame(X)
        self._rows = len(X)
        self.columns_: dict[str, PlainData] = (
            {name: {"kind": "number"} for name in frame.names}
            if isinstance(frame, _Numbers)
            else {name: self._look(frame[name]) for name in frame.columns}
        )
        values = self._numbers(frame)
        values[~np.isfinite(values)] = np.nan
        with np.errstate(all="ignore"):
            counted = np.isfinite(values).sum(axis=0)
            complete = counted == len(values)
            self.fill_ = np.zeros(values.shape[1])
            self.fill_[complete] = np.median(values[:, complete], axis=0)
            for column in np.flatnonzero(~complete & (counted > 0)):
                self.fill_[column] = np.median(values[np.isfinite(values[:, column]), column])
            self.fill_ = np.nan_to_num(self.fill_)  # the mean of the two in the middle may overflow
            filled = np.where(np.isnan(values), self.fill_, values)
            self.mean_ = filled.mean(axis=0)
            scale = filled.std(axis=0)
            widest = np.abs(filled).max(axis=0, initial=0)
            # where squares overflow the largest value is the scale
            self.mean_ = np.where(np.isfinite(self.mean_), self.mean_, 0)
            scale = np.where(np.isfinite(scale), scale, widest)
        varied = (filled != filled[:1]).any(axis=0)
        constant = ~varied | (scale == 0)
        self.scale_ = np.where(constant, 1.0, scale)
        self.kept_ = ~constant
        self._note_constant(constant, counted)
        if not self.kept_.any() and not any(fact["kind"] == "category" for fact in self.columns_.values()):
            reasons = "; ".join(f"{name}: {fact.get('reason')}" for name, fact in list(self.columns_.items())[:10])
            raise InputError(f"no column tells anything about the target: {reasons}")
        self.n_features_in_ = len(self.columns_)
        self.feature_names_in_ = np.array(list(self.columns_), dtype=object)
        return self

    def fit_transform(self, X: RawRows, y: object = None) -> npt.NDArray[np.float32]:
        """Call ``fit`` and ``transform``.

        Parameters
        ----------
        X
            A polars or pandas data frame, or an array, (N, K).
        y
            Not used.

        Returns
        -------
        Values
            The numbers, (N, F).
        """
        return self.fit(X, y).transform(X)

    def transform(self, X: RawRows) -> npt.NDArray[np.float32]:
        """The table as numbers: first the numbers and the parts of dates, then the categories.

        Parameters
        ----------
        X
            A table with the columns of the one that was fitted.

        Returns
        -------
        Values
            The numbers, (N, F).

        Raises
        ------
        InputError
            For a column that is missing, or has text where numbers were, with the column and the row.
        """
        if not hasattr(self, "columns_"):
            raise InputError("this TableEncoder is not fitted yet: call fit first")
        frame = _frame(X)
        self._require_columns(frame)
        values = self._numbers(frame)
        values[~np.isfinite(values)] = np.nan
        with np.errstate(over="ignore"):
            numbers = (np.where(np.isnan(values), self.fill_, values) - self.mean_) / self.scale_
        parts = [numbers[:, self.kept_].clip(-3e38, 3e38).astype(np.float32)]
        for name, fact in self.columns_.items():
            if fact["kind"] == "category":
                assert not isinstance(frame, _Numbers)
                parts.append(_one_hot(frame[name], fact["categories"]))
        return np.hstack(parts)

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:
        """The names of the columns that ``transform`` makes.

        Parameters
        ----------
        input_features
            Not used.

        Returns
        -------
        Values
            The names, (F,).
        """
        names = [name for name, kept in zip(self._number_names(), self.kept_, strict=True) if kept]
        for name, fact in self.columns_.items():
            if fact["kind"] == "category":
                names += [f"{name} = {category}" for category in [*fact["categories"], OTHER]]
        return np.array(names, dtype=object)

    def to_dict(self) -> tuple[PlainData, dict[str, Values]]:
        """The state of the encoder as plain data and arrays.

        Returns
        -------
        tuple[PlainData, dict[str, Values]]
            The plain data, and the arrays by name.
        """
        arrays = {"fill": self.fill_, "mean": self.mean_, "scale": self.scale_, "kept": self.kept_.astype(np.uint8)}
        return {"encoder": "table", "parameters": self.get_params(), "columns": self.columns_}, arrays

    def blank_row(self) -> RawRows:
        """A row of the table that was fitted, in which everything is missing or 0."""
        are_numbers = all(fact["kind"] in ("number", "constant") for fact in self.columns_.values())
        if are_numbers and list(self.columns_) == [f"x{i}" for i in range(self.n_features_in_)]:  # those of an array
            return np.zeros((1, self.n_features_in_))
        require("tables")
        import polars as pl

        kinds = {"number": pl.Float64, "date": pl.Date, "time": pl.Datetime}
        types = {name: kinds.get(column["kind"], pl.String) for name, column in self.columns_.items()}
        return pl.DataFrame({name: [None] for name in types}, schema=types)

    def _restored(self, facts: PlainData, arrays: Mapping[str, Values]) -> Self:
        self.set_params(**facts["parameters"])
        self.columns_ = dict(facts["columns"])
        self.fill_, self.mean_, self.scale_ = (arrays[name] for name in ("fill", "mean", "scale"))
        self.kept_ = arrays["kept"].astype(bool)
        self.n_features_in_ = len(self.columns_)
        self.feature_names_in_ = np.array(list(self.columns_), dtype=object)
        count = len(self._number_names())
        if any(a.shape != (count,) for a in (self.fill_, self.mean_, self.scale_, self.kept_)):
            raise InputError("its columns and their scales do not fit each other")
        return self

    def _look(self, column: "polars.Series") -> PlainData:
        """What a column is."""
        import polars as pl

        known = column.drop_nulls()
        if len(known) == 0:
            return {"kind": "dropped", "reason": "all values are missing"}
        dtype = column.dtype
        if dtype.is_numeric() or dtype == pl.Boolean or isinstance(dtype, pl.Duration | pl.Time):
            return {"kind": "number"}
        if isinstance(dtype, pl.Date | pl.Datetime):
            return {"kind": "time" if isinstance(dtype, pl.Datetime) else "date"}
        if dtype != pl.String and not isinstance(dtype, pl.Categorical | pl.Enum):
            return {"kind": "dropped", "reason": f"values of kind {dtype} cannot be used"}
        text = known.cast(pl.String)
        if text.cast(pl.Float64, strict=False).is_not_null().sum() >= 0.9 * len(text):
            return {"kind": "number", "loose": True}  # mostly numbers: the rest are taken for missing
        return self._look_at_names(text)

    def _look_at_names(self, text: "polars.Series") -> PlainData:
        counts = text.value_counts(sort=True)
        names, times = counts[text.name].to_list(), counts["count"].to_list()
        frequent = sorted(
            name for name, n in list(zip(names, times, strict=True))[: self.max_categories] if n >= self.min_frequency
        )
        if len(names) == 1 and text.len() == self._rows:
            return {"kind": "dropped", "reason": "all values are alike"}
        if not frequent:
            return {"kind": "dropped", "reason": "nearly every value is another one"}
        return {"kind": "category", "categories": frequent}

    def _numbers(self, frame: "polars.DataFrame | _Numbers") -> npt.NDArray[np.float64]:
        """The numeric columns and the dates' parts, (N, F), NaN where one is missing."""
        if isinstance(frame, _Numbers):
            return frame.values.astype(np.float64)
        import polars as pl

        parts: list[polars.Series] = []
        for name, fact in self.columns_.items():
            if fact["kind"] == "number":
                parts.append(_as_numbers(frame[name], fact))
            elif fact["kind"] in ("date", "time"):
                column = _as_time(frame[name])
                parts += [getattr(column.dt, part)().cast(pl.Float64) for part in _parts_of(fact)]
        if not parts:
            return np.empty((frame.height, 0))
        return np.stack([part.to_numpy() for part in parts], axis=1).astype(np.float64)

    def _number_names(self) -> list[str]:
        names = []
        for name, fact in self.columns_.items():
            if fact["kind"] == "number":
                names.append(name)
            elif fact["kind"] in ("date", "time"):
                names += [f"{name} {part}" for part in _parts_of(fact)]
        return names

    def _note_constant(self, constant: npt.NDArray[np.bool_], counted: Values) -> None:
        flagged = dict(zip(self._number_names(), zip(constant, counted, strict=True), strict=True))
        for name, fact in self.columns_.items():
            if fact["kind"] == "number" and flagged[name][0]:
                fact["reason"] = "left out: all values are alike" if flagged[name][1] else "left out: all are missing"

    def _require_columns(self, frame: "polars.DataFrame | _Numbers") -> None:
        if isinstance(frame, _Numbers):
            if len(frame.names) != len(self.columns_):
                raise InputError(f"the model was trained on {len(self.columns_)} columns; got {len(frame.names)}")
            if any(fact["kind"] != "number" for fact in self.columns_.values()):
                raise InputError("the model was trained on a table with names or dates; got an array of numbers")
            return
        needed = [name for name, fact in self.columns_.items() if fact["kind"] != "dropped"]
        missing = [name for name in needed if name not in frame.columns]
        if missing:
            raise InputError(
                f"the table lacks {len(missing)} column(s) that the model was trained on: {', '.join(missing[:20])}; "
                f"it has {', '.join(frame.columns[:30])}"
            )


class ImageEncoder:
    """Turn images of bytes, (N, H, W) or (N, H, W, 3), into rows of numbers from 0 to 1."""

    def fit(self, X: RawRows, y: object = None) -> Self:
        """Remember the size of the images.

        Parameters
        ----------
        X
            The images.
        y
            Not used.

        Returns
        -------
        Self
            The encoder itself.
        """
        self.shape_ = X.shape[1:]
        return self

    def transform(self, X: RawRows) -> npt.NDArray[np.float32]:
        """The images as rows of numbers.

        Parameters
        ----------
        X
            Images of the size that was fitted.

        Returns
        -------
        Values
            The rows, (N, H · W) or (N, H · W · 3), float32.

        Raises
        ------
        InputError
            Where they are no images, or have another size.
        """
        if not isinstance(X, np.ndarray) or X.ndim < 3:
            raise InputError(f"the model reads images of {' x '.join(map(str, self.shape_))}, and this is a table")
        if X.ndim == 3 and len(self.shape_) == 3:
            X = np.repeat(X[..., None], 3, axis=3)
        if X.shape[1:] != tuple(self.shape_):
            raise InputError(
                f"the model reads images of {' x '.join(map(str, self.shape_))}; "
                f"got {' x '.join(map(str, X.shape[1:]))}"
            )
        rows: npt.NDArray[np.float32] = np.divide(X.reshape(len(X), -1), 255, dtype=np.float32)
        return rows

    def blank_row(self) -> npt.NDArray[np.uint8]:
        """One black image."""
        return np.zeros((1, *self.shape_), np.uint8)

    def to_dict(self) -> tuple[PlainData, dict[str, Values]]:
        """The state of the encoder as plain data and arrays.

        Returns
        -------
        tuple[PlainData, dict[str, Values]]
            The plain data, and no arrays.
        """
        return {"encoder": "images", "shape": list(self.shape_)}, {}


def encoder_for(X: RawRows) -> TableEncoder | ImageEncoder:
    """The encoder for some samples.

    Parameters
    ----------
    X
        Bytes of three dimensions or more are images; everything else is a table.

    Returns
    -------
    TableEncoder | ImageEncoder
        The encoder, not fitted yet.
    """
    return ImageEncoder() if isinstance(X, np.ndarray) and X.ndim > 2 and X.dtype == np.uint8 else TableEncoder()


def restored_encoder(facts: PlainData, arrays: Mapping[str, Values]) -> TableEncoder | ImageEncoder:
    """The encoder that ``to_dict`` was called on.

    Parameters
    ----------
    facts
        The plain data.
    arrays
        The arrays by name.

    Returns
    -------
    TableEncoder | ImageEncoder
        The fitted encoder.

    Raises
    ------
    InputError
        Where they describe none.
    """
    try:
        if facts["encoder"] == "images":
            encoder = ImageEncoder()
            encoder.shape_ = tuple(int(side) for side in facts["shape"])
            return encoder
        return TableEncoder()._restored(facts, arrays)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"its preprocessing cannot be read: {error}") from None


class _Numbers:
    """A table that is one array."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.names = [f"x{i}" for i in range(values.shape[1])]


def _frame(X: RawRows) -> "polars.DataFrame | _Numbers":
    """A polars data frame, or ``_Numbers`` of an array."""
    if isinstance(X, np.ndarray):
        if X.dtype.kind not in "fiub" or X.ndim < 2:
            raise InputError(f"samples must be rows of numbers, (N, K), or a data frame; got {X.dtype} {X.shape}")
        return _Numbers(X.reshape(len(X), -1))
    require("tables")
    import polars as pl

    if isinstance(X, pl.DataFrame):
        return X
    if hasattr(X, "columns"):  # pandas
        require("tables")
        if not X.columns.is_unique:
            raise InputError(f"the data frame has a column name twice: {', '.join(map(str, X.columns))}")
        try:
            return pl.from_pandas(X.rename(columns=str))
        except (pl.exceptions.PolarsError, ValueError, TypeError, ArithmeticError) as error:
            raise InputError(f"the data frame cannot be used: {error}") from None
    raise InputError(f"samples must be a polars or pandas data frame or an array; got {type(X).__name__}")


def _as_numbers(column: "polars.Series", fact: PlainData) -> "polars.Series":
    import polars as pl

    if isinstance(column.dtype, pl.Duration | pl.Time):
        unit = {"ms": 1e3, "us": 1e6}.get(getattr(column.dtype, "time_unit", "ns"), 1e9)
        return column.cast(pl.Int64).cast(pl.Float64) / unit
    try:
        numbers = column.cast(pl.Float64, strict=False)
        if column.dtype == pl.String:
            truth = column.str.to_lowercase().replace_strict({"true": 1.0, "false": 0.0}, default=None)
            numbers = numbers.fill_null(truth.cast(pl.Float64))
    except pl.exceptions.PolarsError:
        raise InputError(f"column {column.name!r} has values of kind {column.dtype} where numbers were") from None
    lost = numbers.is_null() & column.is_not_null()
    if lost.any() and not fact.get("loose"):
        row = int(lost.arg_true()[0])
        raise InputError(f"column {column.name!r} has {column[row]!r} in row {row + 1} where numbers were")
    return numbers.fill_null(float("nan"))


def _as_time(column: "polars.Series") -> "polars.Series":
    import polars as pl

    if isinstance(column.dtype, pl.Date | pl.Datetime):
        return column.cast(pl.Datetime("us"))
    if column.null_count() == len(column):
        return column.cast(pl.Datetime("us"))
    try:
        return column.cast(pl.String).str.to_datetime(time_unit="us")
    except pl.exceptions.PolarsError:
        raise InputError(f"column {column.name!r} has values that are no dates where dates were") from None


def _parts_of(fact: PlainData) -> tuple[str, ...]:
    return DATE_PARTS + TIME_PARTS if fact["kind"] == "time" else DATE_PARTS


def _one_hot(column: "polars.Series", categories: list[str]) -> npt.NDArray[np.float32]:
    """One column for each category, and a last one for all else."""
    import polars as pl

    index = {category: i for i, category in enumerate(categories)}
    places = column.cast(pl.String).replace_strict(index, default=len(categories), return_dtype=pl.Int64)
    rows = np.zeros((len(column), len(categories) + 1), np.float32)
    rows[np.arange(len(column)), places.fill_null(len(categories)).to_numpy()] = 1
    return rows


def describe(samples: Samples) -> PlainData:
    """What each column is, how many values are missing and different, and what the encoder makes of it.

    Parameters
    ----------
    samples
        The data.

    Returns
    -------
    PlainData
        ``name``, ``samples``, and ``columns``, a list with ``name``, ``kind``, ``missing``, ``different``, ``values``
        and ``note`` of each; the target is one of the columns.
    """
    import polars as pl

    X = samples.X
    if isinstance(X, np.ndarray) and X.ndim > 2:
        values = f"{X.min()} to {X.max()}"
        shape = " x ".join(map(str, X.shape[1:]))
        rows = [_described("samples", f"images of {shape}" if X.dtype == np.uint8 else shape, 0, len(X), values, "")]
    else:
        frame = pl.DataFrame({f"x{i}": column for i, column in enumerate(X.T)}) if isinstance(X, np.ndarray) else X
        rows = _described_columns(frame)
    if samples.y is not None:
        y = pl.Series(samples.target, samples.y)
        rows.append(_described(samples.target or "y", "target", 0, y.n_unique(), _values(y), ""))
    return {"name": samples.name, "samples": len(X), "columns": rows}


def _described_columns(frame: "polars.DataFrame") -> list[PlainData]:
    encoder = TableEncoder()
    with suppress(InputError):  # a table without a useful column is described all the same
        encoder.fit(frame)
    rows = []
    for name, fact in encoder.columns_.items():
        column = frame[name]
        missing = column.null_count() + (int(column.is_nan().sum()) if column.dtype.is_float() else 0)
        note = fact.get("reason", "mostly numbers: the rest count as missing" if fact.get("loose") else "")
        if fact["kind"] == "category" and len(fact["categories"]) < column.drop_nulls().n_unique():
            note = f"{len(fact['categories'])} categories of their own, the rarer ones together"
        rows.append(_described(name, fact["kind"], missing, column.drop_nulls().n_unique(), _values(column), note))
    return rows


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
