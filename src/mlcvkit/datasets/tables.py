"""Columns of any kind as numbers, by facts that are stored with a model as plain data."""

import re
import sys
from collections.abc import Collection, Mapping, Sequence
from itertools import count
from math import sqrt
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from mlcvkit.arrays import PlainData, RawRows, Values
from mlcvkit.datasets.columns import (
    MISSING,
    MISSING_NUMBERS,
    as_names,
    currencies_of,
    dates_in,
    decimal_marks,
    grouping,
    kind_of_text,
    known_text,
    marks_in,
    marks_of,
    numbers_in,
    text_of_numbers,
    type_of,
)
from mlcvkit.datasets.images import ImageEncoder, are_images
from mlcvkit.errors import InputError
from mlcvkit.extras import require

if TYPE_CHECKING:
    import pandas
    import polars
    from sklearn.utils import Tags

OTHER, IS_MISSING = "other", "missing"
OLD_DATE_PARTS, OLD_TIME_PARTS = ("year", "month", "day", "weekday"), ("whole hour", "minute")
"""What earlier versions made of dates and times, and their models still do."""
MARGIN = 0.5
"""How far beyond the range of the training a number may go, as a share of that range."""
ROW_NUMBER = re.compile(
    r"(id|index|idx|row|row.?(id|names?|numbers?)|unnamed.*|column \d+|nr|no|#|_c0|)", re.IGNORECASE
)
"""Names of columns that may number the rows."""
_OF_PANDAS = re.compile(r"__index_level_\d+__")
_WITH_THREE_PLACES = r"[.,]\d{3,}\D*$"


class TableEncoder:
    """A scikit-learn transformer from a table to numbers, (N, F), float32.

    Numbers: missing ones become the median, and all are centred and scaled to a standard deviation of 1. Where some are
    missing a column says which. A number that lies outside the range of the training by more than half of that range is
    clipped to that. Text among numbers, such as "3+", has a column for each such value. Names: one column for each
    frequent one, one for the rare and the unseen, and one for the missing, where some are. Dates: the date in years
    (2020.5 in the middle of 2020), the month, the weekday where not all have the same day of the month, and the hour
    where they have a time of day, as numbers. What tells nothing is left out: constant and empty columns, names that
    are all different, and a column that numbers the rows.

    Parameters
    ----------
    max_categories
        The largest number of names of a column that get a column each; those as frequent as the last one do as well.
    min_frequency
        How often a name must occur for that.
    decimal
        The decimal mark of numbers that are text, "." or ",", where that is not to be seen from the columns.
    day_first
        Whether the day comes before the month in dates such as 1/2/2020, where that is not to be seen from the column.
    clip
        Whether numbers outside of the range of the training are clipped to it.
    categorical
        The columns whose values are names, also if they are written as numbers, such as postal codes.

    Attributes
    ----------
    columns_
        What each column is, by name.
    n_features_in_, feature_names_in_
        The number of columns and their names.

    See Also
    --------
    read : Reads a table.

    Examples
    --------
    >>> import polars
    >>> table = polars.DataFrame({"size": [1.0, None, 3.0], "colour": ["red", "blue", "red"]})
    >>> encoder = TableEncoder(min_frequency=1)
    >>> encoder.fit_transform(table).round(2).tolist()
    [[-1.22..., 0.0, 0.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0, 0.0], [1.22..., 0.0, 0.0, 1.0, 0.0]]
    >>> encoder.get_feature_names_out().tolist()
    ['size', 'size = missing', 'colour = blue', 'colour = red', 'colour = other']
    """

    def __init__(
        self,
        *,
        max_categories: int = 100,
        min_frequency: int = 2,
        decimal: str | None = None,
        day_first: bool | None = None,
        clip: bool = True,
        categorical: Sequence[str] = (),
    ) -> None:
        self.max_categories, self.min_frequency, self.clip = max_categories, min_frequency, clip
        self.categorical = categorical
        self.decimal, self.day_first = decimal, day_first

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
        names = ("max_categories", "min_frequency", "decimal", "day_first", "clip", "categorical")
        return {name: getattr(self, name) for name in names}

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

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose what ``transform`` returns, as for scikit-learn's transformers.

        Parameters
        ----------
        transform
            "default" for an array, "pandas" or "polars" for a data frame with the names of the columns; None changes
            nothing.

        Returns
        -------
        Self
            The encoder itself.

        Raises
        ------
        InputError
            For anything else.
        """
        if transform not in (None, "default", "pandas", "polars"):
            raise InputError(f"transform must be 'default', 'pandas' or 'polars'; got {transform!r}")
        if transform:
            self._sklearn_output_config = {"transform": transform}  # by this name, for scikit-learn's clone
        return self

    @property
    def _output(self) -> str:
        """What ``transform`` returns: as was chosen here, or for all transformers of scikit-learn."""
        own = getattr(self, "_sklearn_output_config", {}).get("transform")
        sklearn = sys.modules.get("sklearn")
        return str(own or (sklearn.get_config()["transform_output"] if sklearn else "default"))

    def __repr__(self) -> str:
        """The parameters that are not the defaults."""
        defaults = TableEncoder().get_params()
        given = {name: value for name, value in self.get_params().items() if repr(value) != repr(defaults[name])}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in given.items())})"

    def __sklearn_tags__(self) -> "Tags":
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        inputs = InputTags(categorical=True, string=True, allow_nan=True)
        numbers = TransformerTags(preserves_dtype=[])  # float32, whatever comes
        return Tags("transformer", TargetTags(required=False), numbers, input_tags=inputs)

    def fit(
        self, X: RawRows, y: object = None, *, whole: RawRows | None = None, decimals: Collection[str] = ()
    ) -> Self:
        """Find out what each column is.

        Parameters
        ----------
        X
            A polars or pandas data frame, or an array, (N, K).
        y
            Not used; here because scikit-learn passes it.
        whole
            All rows of the table, of which X are some: how values are written is learned from all.
        decimals
            The decimal marks that certainly occur in the file of the table; looked for in its text where left out.

        Returns
        -------
        Self
            The encoder itself.

        Raises
        ------
        InputError
            If no column tells anything.
        """
        self._require_sound()
        frame = _frame(X)
        self._rows = len(frame)
        if isinstance(frame, _Numbers) and len(list(self.categorical)):
            raise InputError("categorical is for tables with named columns; got an array of numbers")
        self.grouping_: dict[str, str] = {}
        """The mark between thousands where none occurred, by column."""
        self.percents_: list[str] | None = []
        """The columns of numbers with a percent sign; None if that was not learned."""
        self.currencies_: dict[str, list[str]] = {}
        """The currencies of the numbers that have one, by column."""
        self.rare_: dict[str, float] | None = {}
        """The share of the rows whose name has no column of its own, by column; None if that was not learned."""
        if isinstance(frame, _Numbers):
            self.columns_: dict[str, PlainData] = {name: {"kind": "number"} for name in frame.names}
        else:
            if unknown := [name for name in self.categorical if name not in frame.columns]:
                listed = ", ".join(frame.columns[:30])
                raise InputError(f"categorical names {unknown[0]!r}, and the columns beside the target are {listed}")
            written = frame if whole is None else _frame(whole)
            assert not isinstance(written, _Numbers)
            marks = {self.decimal} if self.decimal else set(decimals) or self._marks_in(written)
            self.columns_ = {name: self._look(frame[name], written[name], marks) for name in frame.columns}
            self._leave_out_row_numbers(frame)
            for name, fact in self.columns_.items():
                if fact["kind"] in ("date", "time"):
                    fact["parts"] = _parts_for(_as_time(frame[name], fact), fact["kind"])
        values = self._numbers(frame)
        values[~np.isfinite(values)] = np.nan
        counted = np.isfinite(values).sum(axis=0)
        self._note_missing(counted)
        self._learn_scales(values, counted)
        if not isinstance(frame, _Numbers):
            self._learn_shares(frame)
        if not self.get_feature_names_out().size:
            reasons = "; ".join(f"{name}: {fact.get('reason')}" for name, fact in list(self.columns_.items())[:10])
            reasons = reasons or "every other column is left out"
            raise InputError(f"no column of {_counted(self._rows)} tells anything about the target: {reasons}")
        self.n_features_in_ = len(self.columns_)
        self.feature_names_in_ = np.array(list(self.columns_), dtype=object)
        return self

    def _learn_shares(self, frame: "polars.DataFrame") -> None:
        """How many rows have a rare name; and which columns have different numbers that nothing tells apart."""
        assert self.rare_ is not None
        for name, fact in self.columns_.items():
            if fact["kind"] == "category" and (rare := len(self._rare(frame[name], fact))):
                self.rare_[name] = rare / self._rows
            if fact["kind"] == "number" and "reason" in fact and known_text(frame[name]).drop_nulls().n_unique() > 1:
                fact["reason"] = "left out: as numbers its values are all alike; --categorical takes them for names"

    def _require_sound(self) -> None:
        """Refuse parameters that mean nothing."""
        if self.decimal is not None and not (isinstance(self.decimal, str) and self.decimal in (".", ",")):
            raise InputError(f"decimal must be '.' or ','; got {self.decimal!r}")
        for name, allowed in (("day_first", (None, True, False)), ("clip", (True, False))):
            value = getattr(self, name)
            if not isinstance(value, bool | np.bool_) and not (value is None and None in allowed):
                raise InputError(f"{name} must be one of {allowed}; got {value!r}")
        for name in ("max_categories", "min_frequency"):
            value = getattr(self, name)
            if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
                raise InputError(f"{name} must be a whole number, 1 or more; got {value!r}")
        if isinstance(self.categorical, str):
            raise InputError(f"categorical must be a list of columns; got the text {self.categorical!r}")
        if not hasattr(self.categorical, "__iter__"):
            raise InputError(f"categorical must be a list of columns; got {self.categorical!r}")

    def _learn_scales(self, values: npt.NDArray[np.float64], counted: Values) -> None:
        """What numbers are filled with, centred and scaled by, and clipped to."""
        with np.errstate(all="ignore"):
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
            low, high = filled.min(axis=0, initial=np.inf), filled.max(axis=0, initial=-np.inf)
            margin = MARGIN * (high - low)
            self.low_, self.high_ = np.nan_to_num(low - margin), np.nan_to_num(high + margin)
        varied = (filled != filled[:1]).any(axis=0)
        constant = ~varied | (scale == 0)
        self.scale_ = np.where(constant, 1.0, scale)
        self.kept_ = ~constant
        self._note_constant(constant, counted)

    def expect(self, X: RawRows) -> Self:
        """Allow the values of other rows: a text in a column of numbers or dates then counts as missing.

        Parameters
        ----------
        X
            All rows, also the held-out ones.

        Returns
        -------
        Self
            The encoder itself.
        """
        frame = _frame(X)
        if isinstance(frame, _Numbers):
            return self
        self._require_columns(frame)
        for name, fact in self.columns_.items():
            if fact["kind"] in ("number", "date", "time") and name in frame.columns and not fact.get("loose"):
                try:
                    self._numbers_of(frame[name])
                except InputError:
                    fact |= {"loose": True, "others": []} if fact["kind"] == "number" else {"loose": True}
        return self

    def fit_transform(self, X: RawRows, y: object = None) -> Values:
        """Call ``fit`` and ``transform``.

        Parameters
        ----------
        X
            A polars or pandas data frame, or an array, (N, K).
        y
            Not used.

        Returns
        -------
        Array
            The numbers, (N, F).
        """
        return self.fit(X, y).transform(X)

    def transform(self, X: RawRows) -> Values:
        """The table as numbers: first the numbers and the parts of dates, then the names and what is missing.

        Parameters
        ----------
        X
            A table with the columns of the one that was fitted.

        Returns
        -------
        Array
            The numbers, (N, F).

        Raises
        ------
        InputError
            For a column that is missing, or has text where numbers were, with the column and the row.
        """
        rows = self._encoded(self._checked(X))
        if self._output == "default":
            return rows
        names = self.get_feature_names_out().tolist()
        if self._output == "pandas":
            import pandas

            index = X.index if isinstance(X, pandas.DataFrame) else None
            named: Values = pandas.DataFrame(rows, columns=names, index=index)
            return named
        import polars as pl

        return pl.DataFrame(rows, schema=names)  # type: ignore[return-value]

    def _encoded(self, frame: "polars.DataFrame | _Numbers") -> npt.NDArray[np.float32]:
        values = self._numbers(frame)
        values[~np.isfinite(values)] = np.nan
        if self.clip and self.low_ is not None:
            values = np.clip(values, self.low_, self.high_)
        with np.errstate(over="ignore"):
            numbers = (np.where(np.isnan(values), self.fill_, values) - self.mean_) / self.scale_
        parts = [numbers[:, self.kept_].clip(-3e38, 3e38).astype(np.float32)]
        lacking = np.isnan(values)
        places = self._places()
        for name, fact in self.columns_.items():
            if fact["kind"] == "category":
                assert not isinstance(frame, _Numbers)
                names = as_names(known_text(frame[name]), fact)
                parts.append(_one_hot(names, fact["categories"], fact.get("missing", False)))
                continue
            rows = np.zeros((len(values), len(fact.get("others", ()))), np.float32)
            if "others" in fact and not isinstance(frame, _Numbers):
                rows = _one_hot(known_text(frame[name]), fact["others"], False)[:, :-1]
            if "others" in fact:
                parts.append(rows)
            if fact.get("missing"):
                parts.append((lacking[:, [places[name]]] & ~rows.any(axis=1, keepdims=True)).astype(np.float32))
        return np.hstack(parts)

    def numbers_of(self, X: RawRows, names: Sequence[str]) -> Values:
        """Columns of numbers as they are read, before they are scaled.

        Parameters
        ----------
        X
            A table with the columns of the one that was fitted.
        names
            Which columns of numbers.

        Returns
        -------
        Array
            The numbers, (N, len(names)), NaN where there is none.
        """
        frame = self._checked(X)
        if isinstance(frame, _Numbers):
            return frame.values[:, [frame.names.index(name) for name in names]]
        return np.stack([self._numbers_of(frame[name]).to_numpy() for name in names], axis=1)

    def clipped(self, X: RawRows) -> dict[str, tuple[int, float, float]]:
        """Which numbers lie outside of the range of the training, and are clipped to it.

        Parameters
        ----------
        X
            A table with the columns of the one that was fitted.

        Returns
        -------
        dict[str, tuple[int, float, float]]
            For each such column, or part of a date, how many, and the range.
        """
        if not self.clip or self.low_ is None:
            return {}
        values = self._numbers(self._checked(X))
        with np.errstate(invalid="ignore"):
            outside = ((values < self.low_) | (values > self.high_)).sum(axis=0)
        return {
            name: (int(outside[i]), float(self.low_[i]), float(self.high_[i]))
            for i, name in enumerate(self._number_names())
            if outside[i] and self.kept_[i]
        }

    def unread(self, X: RawRows) -> dict[str, tuple[int, str]]:
        """Which values the encoder cannot read: names that are new, and what is no number or date where those are.

        Parameters
        ----------
        X
            A table with the columns of the one that was fitted.

        Returns
        -------
        dict[str, tuple[int, str]]
            For each such column how many, and what becomes of them.
        """
        frame = self._checked(X)
        found: dict[str, tuple[int, str]] = {}
        if not isinstance(frame, _Numbers):
            found = self._other_dates(frame) | self._unread_texts(frame) | self._other_signs(frame)
        for name, (times, what) in self._newly_missing(frame).items():
            found[name] = (found[name][0], f"{found[name][1]}; {times:,} {what}") if name in found else (times, what)
        return found

    def _unread_texts(self, frame: "polars.DataFrame") -> dict[str, tuple[int, str]]:
        """Names without a column of their own, where they are more than in the training, and what is no number."""
        found = {}
        for name, fact in self.columns_.items():
            if fact["kind"] == "category":
                what = "are none of the names that have a column each"
                unread = self._rare(frame[name], fact)
                usual = 0.5 if self.rare_ is None else self.rare_.get(name, 0.0)
                if len(unread) <= usual * frame.height + 3 * sqrt(usual * (1 - usual) * frame.height):
                    continue
                if len(unread) == 1 < frame.height:
                    continue
            elif fact.get("loose"):
                read = self._numbers_of(frame[name])
                is_read = read.is_not_nan() if read.dtype.is_float() else read.is_not_null()
                unread = known_text(frame[name], (*MISSING, *MISSING_NUMBERS)).filter(~is_read).drop_nulls()
                unread = unread.filter(~unread.is_in(fact.get("others", [])))
                kind = "numbers" if fact["kind"] == "number" else "dates"
                what = f"are no {kind}, and count as missing"
            else:
                continue
            if len(unread):
                found[name] = len(unread), f"{what}: {unread[0]!r}"
        return found

    def _other_dates(self, frame: "polars.DataFrame") -> dict[str, tuple[int, str]]:
        """Dates of which the day or the month may come first, where the training did not show which."""
        found = {}
        for name, fact in self.columns_.items():
            if fact["kind"] not in ("date", "time") or "first" in fact or type_of(frame[name].dtype) != "text":
                continue
            text = known_text(frame[name]).drop_nulls()
            unclear = text.filter(text.str.contains(r"^(?:0?[1-9]|1[0-2])[-/. ](?:0?[1-9]|1[0-2])[-/. ]\d{4}"))
            if len(unclear):
                moment = dates_in(unclear.head(1), fact)[0]
                what = (
                    f"are dates in another form than those of the training: {unclear[0]!r} is read as {moment:%Y-%m-%d}"
                )
                found[name] = len(unclear), what
        return found

    def _rare(self, column: "polars.Series", fact: PlainData) -> "polars.Series":
        """The names that have no column of their own."""
        names = as_names(known_text(column), fact).drop_nulls()
        return names.filter(~names.is_in(fact["categories"]))

    def _newly_missing(self, frame: "polars.DataFrame | _Numbers") -> dict[str, tuple[int, str]]:
        """Missing values of columns that had none in the training."""
        if self.rare_ is None:  # an earlier version, which did not learn all of this
            return {}
        found, places = {}, self._places()
        lacking = ~np.isfinite(self._numbers(frame))
        for name, fact in self.columns_.items():
            if fact.get("missing") or fact["kind"] == "dropped":
                continue
            if fact["kind"] == "category":
                assert not isinstance(frame, _Numbers)
                times, what = known_text(frame[name]).null_count(), "count as a rare name"
            elif not self.kept_[places[name]]:
                continue
            else:
                times, what = int(lacking[:, places[name]].sum()), "are taken for the middle one of the training"
            if times > 1 or times == len(frame) > 0:
                found[name] = times, f"are missing, which none was in the training: they {what}"
        return found

    def _other_signs(self, frame: "polars.DataFrame") -> dict[str, tuple[int, str]]:
        """Numbers with a percent sign where the training had none, or without, or with a currency that it had not."""
        found = {}
        for name, fact in self.columns_.items():
            if fact["kind"] != "number" or fact.get("clock") or self.percents_ is None:
                continue
            text = known_text(frame[name], (*MISSING, *MISSING_NUMBERS)).drop_nulls()
            is_percent, currencies = name in self.percents_, self.currencies_.get(name, [])
            others = text.filter(text.str.contains("%", literal=True) ^ is_percent)
            what = "lack the percent sign" if is_percent else "have a percent sign, unlike those"
            if not len(others):
                marked = text.filter(text.str.contains(r"\d") & text.str.contains(r"[^\d.,eE\s+-]")).unique().sort()
                others = text.filter(text.is_in([one for one in marked if {*currencies_of([one])} - {*currencies}]))
                what = "are in another currency than those" if currencies else "are in a currency, unlike those"
            if len(others):
                number = numbers_in(others.head(1), fact)[0]
                found[name] = len(others), f"{what} of the training: {others[0]!r} is read as {number}"
        return found

    def _require_fitted(self) -> None:
        """Raise an InputError, which is scikit-learn's NotFittedError as well where that library is used."""
        if not hasattr(self, "columns_"):
            known = sys.modules.get("sklearn.exceptions")
            kind = InputError if known is None else type("NotFittedError", (InputError, known.NotFittedError), {})
            raise kind("this TableEncoder is not fitted yet: call fit first")

    def _checked(self, X: RawRows) -> "polars.DataFrame | _Numbers":
        self._require_fitted()
        frame = _frame(X)
        self._require_columns(frame)
        return frame

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:
        """The names of the columns that ``transform`` makes.

        Parameters
        ----------
        input_features
            Not used.

        Returns
        -------
        Array
            The names, (F,).
        """
        self._require_fitted()
        names = [name for name, kept in zip(self._number_names(), self.kept_, strict=True) if kept]
        for name, fact in self.columns_.items():
            levels = [*fact["categories"], OTHER] if fact["kind"] == "category" else [*fact.get("others", ())]
            names += [f"{name} = {level}" for level in [*levels, *([IS_MISSING] if fact.get("missing") else [])]]
        return np.array(_made_unique(names), dtype=object)

    def to_dict(self) -> tuple[PlainData, dict[str, Values]]:
        """The state of the encoder as plain data and arrays.

        Returns
        -------
        tuple[PlainData, dict[str, Values]]
            The plain data, and the arrays by name.
        """
        arrays = {"fill": self.fill_, "mean": self.mean_, "scale": self.scale_, "kept": self.kept_.astype(np.uint8)}
        if self.low_ is not None:
            arrays |= {"low": self.low_, "high": self.high_}
        facts = {"encoder": "table", "parameters": self.get_params(), "columns": self.columns_}
        facts |= {"grouping": self.grouping_} if self.grouping_ else {}
        facts |= {"currencies": self.currencies_} if self.currencies_ else {}
        facts |= {} if self.rare_ is None else {"rare": self.rare_}
        return facts | ({} if self.percents_ is None else {"percents": self.percents_}), arrays

    def blank_row(self) -> RawRows:
        """A row of the table that was fitted, in which everything is missing or 0."""
        are_numbers = all(fact["kind"] == "number" for fact in self.columns_.values())
        if are_numbers and list(self.columns_) == [f"x{i}" for i in range(self.n_features_in_)]:  # those of an array
            return np.zeros((1, self.n_features_in_))
        require("tables")
        import polars as pl

        kinds = {"number": pl.Float64, "date": pl.Date, "time": pl.Datetime}
        types = {name: kinds.get(column["kind"], pl.String) for name, column in self.columns_.items()}
        return pl.DataFrame({name: [None] for name in types}, schema=types)

    def _restored(self, facts: PlainData, arrays: Mapping[str, Values]) -> Self:
        self.set_params(**facts["parameters"])
        self.columns_ = {name: _as_read_now(fact) for name, fact in facts["columns"].items()}
        self.grouping_ = dict(facts.get("grouping", {}))  # which earlier versions did not learn
        self.percents_, self.rare_ = facts.get("percents"), facts.get("rare")  # which earlier versions did not learn
        self.currencies_ = dict(facts.get("currencies", {}))
        self.fill_, self.mean_, self.scale_ = (arrays[name] for name in ("fill", "mean", "scale"))
        self.low_, self.high_ = arrays.get("low"), arrays.get("high")  # which earlier versions did not learn
        self.kept_ = arrays["kept"].astype(bool)
        self.n_features_in_ = len(self.columns_)
        self.feature_names_in_ = np.array(list(self.columns_), dtype=object)
        count = len(self._number_names())
        ranges = [] if self.low_ is None else [self.low_, self.high_]
        if any(a is None or a.shape != (count,) for a in (self.fill_, self.mean_, self.scale_, self.kept_, *ranges)):
            raise InputError("its columns and their scales do not fit each other")
        return self

    def _marks_in(self, table: "polars.DataFrame") -> set[str]:
        """The decimal marks of the numbers that are text; numbers that are none are taken for written with a point."""
        return marks_in(table) | ({"."} if any(dtype.is_float() for dtype in table.dtypes) else set())

    def _look(self, column: "polars.Series", written: "polars.Series", decimals: set[str]) -> PlainData:
        """What a column is, by how its values are written in all rows of the table."""
        import polars as pl

        if _OF_PANDAS.fullmatch(column.name):
            return {"kind": "dropped", "reason": "it is the index of a data frame of pandas"}
        kind = type_of(column.dtype)
        if kind == "other" and column.dtype != pl.Null:
            return {"kind": "dropped", "reason": f"values of kind {column.dtype} cannot be used"}
        text = known_text(column)
        if text.null_count() == len(text):
            return {"kind": "dropped", "reason": "all values are missing"}
        if column.name in self.categorical:
            return self._look_at_names(text, are_numbers=_are_numbers(text))
        fact: PlainData = {"kind": kind}
        if kind == "text":
            fact = kind_of_text(column, decimals)
            of_all = fact if len(written) == len(column) else kind_of_text(written, decimals)
            fact = of_all if of_all["kind"] == fact["kind"] else fact
        if fact["kind"] == "text":
            return self._look_at_names(text)
        if isinstance(column.dtype, pl.Time | pl.Duration):
            fact |= {"clock": True} | ({"length": True} if column.dtype != pl.Time else {})
        if fact["kind"] == "number" and not fact.get("clock") and not fact.get("factors"):
            self._learn_marks(column, fact, decimals)
        if fact.get("unsure") and self.day_first is not None:
            fact = {"kind": fact["kind"], "first": "day" if self.day_first else "month"}
        if fact.get("loose") and fact["kind"] == "number" and not fact.get("clock"):
            others = text.filter(numbers_in(column, fact).is_null()).drop_nulls()
            fact["others"] = self._frequent(others)[0]
        return fact

    def _learn_marks(self, column: "polars.Series", fact: PlainData, decimals: set[str]) -> None:
        """The mark between thousands, as given, or one that may occur later; whether numbers have a percent sign."""
        is_text = type_of(column.dtype) == "text"
        text = known_text(column)
        if is_text and self.percents_ is not None and text.str.contains("%", literal=True).any():
            self.percents_.append(column.name)
        if is_text and (currencies := currencies_of(text.drop_nulls().unique().to_list())):
            self.currencies_[column.name] = currencies
        certain = decimal_marks(text.drop_nulls()) if is_text and self.decimal is not None else set[str]()
        contradicts = bool(certain) and self.decimal not in certain
        if contradicts:
            fact["mark"] = certain.pop()  # whatever the option says
        elif is_text and self.decimal is not None and "thousands" not in fact:
            fact["thousands"] = "," if self.decimal == "." else "."
        if self.decimal is not None and is_text and not contradicts:
            return
        if is_text and "thousands" not in fact and text.str.contains(_WITH_THREE_PLACES).any():
            return
        own = marks_of(column) if is_text else set[str]()
        mark = grouping(numbers_in(column, fact), own or decimals)
        if mark is not None and (mark == ".," or "thousands" not in fact):
            self.grouping_[column.name] = mark

    def _look_at_names(self, text: "polars.Series", *, are_numbers: bool = False) -> PlainData:
        fact: PlainData = {"kind": "category"} | ({"numbers": True} if are_numbers or _have_floats(text) else {})
        fact |= {"truth": True} if text.str.to_lowercase().is_in(["true", "false"]).any() else {}
        names = as_names(text, fact).drop_nulls()
        frequent, different = self._frequent(names)
        if different == 1 and names.len() == self._rows:
            return {"kind": "dropped", "reason": "all values are alike"}
        if not frequent:
            return {"kind": "dropped", "reason": "nearly every value is different"}
        fact["categories"] = frequent
        return fact | ({"missing": True} if names.len() < self._rows else {})

    def _frequent(self, text: "polars.Series") -> tuple[list[str], int]:
        """The names that get a column each, and the number of all."""
        counts = text.value_counts(sort=True)
        names, times = counts[text.name].to_list(), counts["count"].to_list()
        least = max(self.min_frequency, sqrt(self._rows) / 10)
        if len(times) > self.max_categories:
            least = max(least, times[self.max_categories - 1])
        return sorted(name for name, n in zip(names, times, strict=True) if n >= least), len(names)

    def _numbers_of(self, column: "polars.Series") -> "polars.Series":
        """The numbers of a column, NaN where there is none; or its dates, null where there is none."""
        fact = self.columns_[column.name]
        if fact["kind"] != "number":
            return _as_time(column, fact)
        return _as_numbers(column, fact | {"grouping": self.grouping_.get(column.name)})

    def _leave_out_row_numbers(self, frame: "polars.DataFrame") -> None:
        """Leave out a column that numbers the rows, by its values and its name, where others are left."""
        useful = [name for name, fact in self.columns_.items() if fact["kind"] != "dropped"]
        for name in useful[: len(useful) if len(useful) > 1 else 0]:
            if self.columns_[name]["kind"] == "number" and ROW_NUMBER.fullmatch(name):
                numbers = np.unique(numbers_in(frame[name], self.columns_[name]).to_numpy())
                steps = np.diff(numbers)
                # some of the rows may be held out
                if len(numbers) == self._rows > 2 and (steps == np.round(steps)).all() and steps.mean() < 3:
                    self.columns_[name] = {"kind": "dropped", "reason": "it numbers the rows"}

    def _numbers(self, frame: "polars.DataFrame | _Numbers") -> npt.NDArray[np.float64]:
        """The numeric columns and the dates' parts, (N, F), NaN if one is missing."""
        if isinstance(frame, _Numbers):
            return frame.values.astype(np.float64)
        parts: list[polars.Series] = []
        for name, fact in self.columns_.items():
            if fact["kind"] == "number":
                parts.append(self._numbers_of(frame[name]))
            elif fact["kind"] in ("date", "time"):
                column = self._numbers_of(frame[name])
                parts += [_part_of(column, part) for part in _parts_of(fact)]
        if not parts:
            return np.empty((frame.height, 0))
        return np.stack([part.to_numpy() for part in parts], axis=1).astype(np.float64)

    def _number_names(self) -> list[str]:
        return [number for name, fact in self.columns_.items() for number in _numbers_of(name, fact)]

    def _places(self) -> dict[str, int]:
        """Where the numbers of each column begin."""
        places, at = {}, 0
        for name, fact in self.columns_.items():
            places[name] = at
            at += 1 if fact["kind"] == "number" else len(_parts_of(fact))
        return places

    def _note_missing(self, counted: Values) -> None:
        """Note the columns of numbers and dates of which some values are missing, but not all."""
        places = self._places()
        for name, fact in self.columns_.items():
            if fact["kind"] in ("number", "date", "time") and 0 < counted[places[name]] < self._rows:
                fact["missing"] = True

    def _note_constant(self, constant: npt.NDArray[np.bool_], counted: Values) -> None:
        flagged = dict(zip(self._number_names(), zip(constant, counted, strict=True), strict=True))
        for name, fact in self.columns_.items():
            found = [flagged[number] for number in _numbers_of(name, fact)]
            if found and not fact.get("missing") and all(is_constant for is_constant, _ in found):
                some = any(count for _, count in found)
                fact["reason"] = "left out: all values are alike" if some else "left out: all are missing"

    def _require_columns(self, frame: "polars.DataFrame | _Numbers") -> None:
        if isinstance(frame, _Numbers):
            if len(frame.names) != len(self.columns_):
                raise InputError(
                    f"X has {len(frame.names)} features, but {type(self).__name__} is expecting {len(self.columns_)} "
                    "features as input: those that it was trained on"
                )
            if any(fact["kind"] != "number" for fact in self.columns_.values()):
                raise InputError("the model was trained on a table with names or dates; got an array of numbers")
            return
        for name in set(frame.columns) & set(self.columns_):
            of = frame[name].dtype
            if self.columns_[name]["kind"] != "dropped" and of.is_nested():
                raise InputError(f"column {name!r} has values of kind {of}, which cannot be used")
        needed = [name for name, fact in self.columns_.items() if fact["kind"] != "dropped"]
        missing = [name for name in needed if name not in frame.columns]
        if missing:
            raise InputError(
                f"the table lacks {len(missing)} column(s) that the model was trained on: {', '.join(missing[:20])}; "
                f"it has {', '.join(frame.columns[:30])}"
            )


def _made_unique(names: list[str]) -> list[str]:
    """The names, each that occurred before with a number: a column may have a name called "other"."""
    unique: dict[str, None] = {}
    for name in names:
        numbered = (f"{name} ({n})" for n in count(2))
        unique[name if name not in unique else next(one for one in numbered if one not in unique)] = None
    return list(unique)


def encoder_for(X: RawRows, **options: Any) -> TableEncoder | ImageEncoder:
    """The encoder for some samples.

    Parameters
    ----------
    X
        Bytes of three dimensions or more are images; everything else is a table.
    **options
        The parameters of the encoder of a table.

    Returns
    -------
    TableEncoder | ImageEncoder
        The encoder, not fitted yet.
    """
    return ImageEncoder() if are_images(X) else TableEncoder(**options)


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
        If they describe none.
    """
    try:
        if facts["encoder"] == "images":
            encoder = ImageEncoder()
            encoder.shape_ = tuple(int(side) for side in facts["shape"])
            encoder.white = int(facts.get("white", 255))
            return encoder
        return TableEncoder()._restored(facts, arrays)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"its preprocessing cannot be read: {error}") from None


class _Numbers:
    """A table that is one array."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.names = [f"x{i}" for i in range(values.shape[1])]

    def __len__(self) -> int:
        return len(self.values)


def _frame(X: RawRows) -> "polars.DataFrame | _Numbers":
    """A polars data frame, or ``_Numbers`` of an array of numbers."""
    if hasattr(X, "toarray"):
        raise InputError("sparse samples are not supported by TableEncoder: give X.toarray()")
    is_list = isinstance(X, list | tuple) and not any(isinstance(row, Mapping) for row in X)
    if is_list or (hasattr(X, "__array__") and not hasattr(X, "columns")):
        X = _as_array(X)
        _require_rows(X)
        if X.dtype.kind in "fiub":
            return _Numbers(X.reshape(len(X), int(np.prod(X.shape[1:]))))
    require("tables")
    import polars as pl

    if isinstance(X, np.ndarray):
        return pl.DataFrame([pl.Series(f"x{i}", column.tolist(), strict=False) for i, column in enumerate(X.T)])
    if isinstance(X, pl.DataFrame | pl.LazyFrame):
        return X.lazy().collect()
    if isinstance(X, list) and all(isinstance(row, Mapping) for row in X):
        return pl.DataFrame(X, infer_schema_length=None)
    if hasattr(X, "columns"):  # pandas
        if not (hasattr(X, "rename") and hasattr(X.columns, "is_unique")):
            raise InputError(f"samples must be a polars or pandas data frame or an array; got {type(X).__name__}")
        named = X.rename(columns=str) if X.columns.nlevels == 1 else X.set_axis(list(map(str, X.columns)), axis=1)
        if not named.columns.is_unique:
            raise InputError(f"the data frame has a column name twice: {', '.join(named.columns)}")
        return pl.DataFrame({name: _of_pandas(named[name]) for name in named.columns})
    raise InputError(f"samples must be a polars or pandas data frame or an array; got {type(X).__name__}")


def _of_pandas(column: "pandas.Series") -> "polars.Series":
    """A column of a pandas data frame; values of several types are taken as they are written."""
    import polars as pl

    if hasattr(column, "sparse"):
        column = column.sparse.to_dense()
    names = [type(one).__name__ for one in (column.dtype, getattr(column.dtype, "categories", column).dtype)]
    if names[0] == "PeriodDtype":
        column = column.dt.to_timestamp()
    elif "IntervalDtype" in names:
        column = column.astype(str).where(column.notna(), None)
    try:
        return pl.Series(column.name, pl.from_pandas(column))
    except (pl.exceptions.PolarsError, ValueError, TypeError, ArithmeticError, NotImplementedError) as error:
        values = [None if gone else value for value, gone in zip(column, column.isna(), strict=True)]
        if column.dtype != object or not all(value is None or isinstance(value, str | Real) for value in values):
            raise InputError(f"the column {column.name!r} of the data frame cannot be used: {error}") from None
    return pl.Series(column.name, [None if value is None else str(value) for value in values])


def _as_array(X: object) -> Values:
    if isinstance(X, np.ma.MaskedArray):
        X = X.astype(np.float64).filled(np.nan) if X.dtype.kind in "fiub" else X.astype(object).filled(None)  # type: ignore[attr-defined]
    try:
        numbers = np.asarray(X)
    except ValueError as error:
        raise InputError(f"samples must be rows of equal length, (N, K): {error}") from None
    return np.asarray(X, dtype=object) if isinstance(X, list | tuple) and numbers.dtype.kind in "UT" else numbers


def _require_rows(X: Values) -> None:
    if X.dtype.kind == "c":
        raise InputError("Complex data not supported: give the real and the imaginary part as columns of their own")
    if X.dtype.kind not in "fiubOUT":
        raise InputError(f"samples must be rows of numbers or text, (N, K), or a data frame; got {X.dtype}")
    if X.ndim < 2:
        raise InputError(
            f"samples must be rows, (N, K); got shape {X.shape}. Reshape your data: X.reshape(-1, 1) where it is one "
            "column, X.reshape(1, -1) where it is one row"
        )
    if X.dtype.kind in "OUT" and X.ndim > 2:
        raise InputError(f"samples with text must be rows, (N, K); got shape {X.shape}")
    if not X[0:1].size and len(X):
        raise InputError(f"samples have 0 feature(s) (shape={X.shape}) while a minimum of 1 is required.")


def _counted(rows: int) -> str:
    return f"{rows:,} sample{'s' * (rows != 1)}"


def _as_numbers(column: "polars.Series", fact: PlainData) -> "polars.Series":
    import polars as pl

    is_clock = bool(fact.get("clock"))
    what = "only numbers" if not is_clock else "lengths of time" if fact.get("length") else "times of day"
    dtype = column.dtype
    fits = isinstance(dtype, pl.Duration | pl.Time) if is_clock else dtype.is_numeric() or dtype == pl.Boolean
    try:
        if not fits and type_of(dtype) != "text" and column.null_count() < len(column):
            raise pl.exceptions.InvalidOperationError
        numbers = numbers_in(column, fact)
    except pl.exceptions.PolarsError:
        raise InputError(
            f"column {column.name!r} has values of kind {column.dtype} where the training saw {what}"
        ) from None
    _require_read(column, numbers, fact, what)
    return numbers.fill_null(float("nan"))


def _as_time(column: "polars.Series", fact: PlainData) -> "polars.Series":
    dates = dates_in(column, fact)
    _require_read(column, dates, fact, "only dates")
    return dates


def _as_read_now(fact: PlainData) -> PlainData:
    """What an earlier version learned of a column, with its names as text is read now."""
    if all(name.isascii() for name in fact.get("categories", ())):
        return fact
    import polars as pl

    return fact | {"categories": known_text(pl.Series(fact["categories"]), ()).to_list()}


def _are_numbers(text: "polars.Series") -> bool:
    """Whether all names are numbers, none of them a code that begins with 0."""
    import polars as pl

    known = text.drop_nulls()
    return known.cast(pl.Float64, strict=False).is_not_null().all() and not known.str.contains(r"^[+-]?0\d").any()


def _require_read(column: "polars.Series", read: "polars.Series", fact: PlainData, what: str) -> None:
    lost = read.is_null() & text_of_numbers(column, fact).is_not_null()
    if lost.any() and not fact.get("loose"):
        row = int(lost.arg_true()[0])
        raise InputError(f"column {column.name!r} has {column[row]!r} in row {row + 1} where the training saw {what}")


def _parts_for(dates: "polars.Series", kind: str) -> list[str]:
    """The parts of the dates of a column that may tell something."""
    monthly = dates.drop_nulls().dt.day().n_unique() <= 1  # such as the first of each month, which would only be noise
    weekday = [] if monthly else ["weekday"]
    return ["in years", "month", *weekday, *(["hour"] if kind == "time" else [])]


def _parts_of(fact: PlainData) -> tuple[str, ...]:
    earlier = {"date": OLD_DATE_PARTS, "time": OLD_DATE_PARTS + OLD_TIME_PARTS}
    return tuple(fact.get("parts", earlier.get(fact["kind"], ())))


def _numbers_of(name: str, fact: PlainData) -> list[str]:
    """The names of the numbers that a column becomes: itself, or the parts of its dates."""
    if fact["kind"] == "number":
        return [name]
    parts = _parts_of(fact) if fact["kind"] in ("date", "time") else ()
    return [f"{name} {part.removeprefix('whole ')}" for part in parts]


def _part_of(dates: "polars.Series", part: str) -> "polars.Series":
    import polars as pl

    values = dates.dt
    hours = values.hour() + values.minute() / 60 + values.second() / 3600
    if part == "in years":
        days = 365 + values.is_leap_year().cast(pl.Float64)
        return values.year() + (values.ordinal_day() - 1 + hours / 24) / days
    part_of = {"hour": hours, "whole hour": values.hour()}
    return (part_of[part] if part in part_of else getattr(values, part)()).cast(pl.Float64)


def _one_hot(text: "polars.Series", categories: list[str], missing: bool) -> npt.NDArray[np.float32]:
    """One column for each category, one for all else, and, where wanted, one for the missing."""
    import polars as pl

    index = {category: i for i, category in enumerate(categories)}
    places = text.replace_strict(index, default=len(categories), return_dtype=pl.Int64)
    places = places.set(text.is_null(), len(categories) + missing)
    rows = np.zeros((len(text), len(categories) + 1 + missing), np.float32)
    rows[np.arange(len(text)), places.to_numpy()] = 1
    return rows


def _have_floats(names: "polars.Series") -> bool:
    """Whether those names that are numbers all end in .0, as pandas writes whole numbers beside missing values."""
    numbers = names.drop_nulls().unique()
    numbers = numbers.filter(numbers.str.contains(r"^[+-]?\d+(?:\.\d+)?$"))
    return len(numbers) > 1 and bool(numbers.str.contains(r"^[+-]?\d+\.0$").all())
