import datetime
import json

import numpy as np
import pandas
import polars
import pytest
import scipy.sparse
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlcvkit import InputError
from mlcvkit.datasets import ImageEncoder, TableEncoder, restored_encoder


def table(N=60, seed=0):
    rng = np.random.default_rng(seed)
    size = rng.normal(50, 20, N)
    size[::7] = np.nan
    return polars.DataFrame(
        {
            "size": size,
            "count": rng.integers(0, 9, N),
            "colour": rng.choice(["red", "green", "blue", "rare" if seed else "red"], N),
        }
    )


def test_numbers_and_names_become_what_scikit_learns_transformers_make_of_them():
    frame = table()
    theirs = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), ["size", "count"]),
        (OneHotEncoder(sparse_output=False), ["colour"]),
    )
    expected = theirs.fit_transform(frame)
    ours = TableEncoder().fit_transform(frame)
    names = TableEncoder().fit(frame).get_feature_names_out().tolist()
    added = [names.index("size = missing"), names.index("colour = other")]
    np.testing.assert_allclose(np.delete(ours, added, axis=1), expected, rtol=1e-5, atol=1e-6)
    assert ours[:, added[0]].tolist() == frame["size"].is_nan().to_list()
    assert not ours[:, added[1]].any()


def test_rare_and_unseen_names_share_a_column_and_missing_ones_have_their_own():
    fitted = TableEncoder(max_categories=2, min_frequency=2).fit(
        polars.DataFrame({"c": ["a"] * 5 + ["b"] * 4 + ["c"] * 3 + ["d", None]})
    )
    rows = fitted.transform(polars.DataFrame({"c": ["a", "b", "c", "d", None, "new"]}))
    assert fitted.get_feature_names_out().tolist() == ["c = a", "c = b", "c = other", "c = missing"]
    assert rows.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 1, 0]]


def test_dates_become_their_parts():
    days = [datetime.date(2020, 1, 31), datetime.date(2021, 6, 15), datetime.date(2021, 6, 16)]
    fitted = TableEncoder().fit(polars.DataFrame({"d": days}))
    assert fitted.get_feature_names_out().tolist() == ["d in years", "d month", "d weekday"]
    in_years = [2020 + 30 / 366, 2021 + 165 / 365, 2021 + 166 / 365]
    assert fitted.mean_.tolist() == pytest.approx([sum(in_years) / 3, 13 / 3, (5 + 2 + 3) / 3], rel=1e-12)
    times = [datetime.datetime(2020, 1, 1, hour, 30) for hour in (1, 5, 9)]
    fitted = TableEncoder().fit(polars.DataFrame({"t": times}))
    assert fitted.get_feature_names_out().tolist() == ["t in years", "t hour"]
    assert fitted.mean_.tolist()[-1] == pytest.approx(5.5)


def test_the_weekday_of_the_first_of_each_month_tells_nothing():
    firsts = [datetime.date(2020, month, 1) for month in range(1, 13)]
    assert "d weekday" not in TableEncoder().fit(polars.DataFrame({"d": firsts})).get_feature_names_out()


def test_a_model_of_an_earlier_version_makes_of_dates_what_it_made_then():
    times = [datetime.datetime(2020 + i % 3, 1 + i % 12, 1 + i % 28, i % 24, 7 * i % 60) for i in range(60)]
    frame = polars.DataFrame({"t": times})
    facts, _ = TableEncoder().fit(frame).to_dict()
    del facts["columns"]["t"]["parts"]
    parts = np.array([[t.year, t.month, t.day, t.isoweekday(), t.hour, t.minute] for t in times], float)
    arrays = {"fill": np.median(parts, axis=0), "mean": parts.mean(axis=0), "scale": parts.std(axis=0)}
    earlier = TableEncoder()._restored(facts, arrays | {"kept": np.ones(6, np.uint8)})
    names = ["t year", "t month", "t day", "t weekday", "t hour", "t minute"]
    assert earlier.get_feature_names_out().tolist() == names
    expected = (parts - arrays["mean"]) / arrays["scale"]
    np.testing.assert_allclose(earlier.transform(frame), expected, rtol=1e-5, atol=1e-6)


def test_columns_that_tell_nothing_are_left_out_with_a_reason():
    frame = polars.DataFrame(
        {"same": [1.0] * 4, "empty": [None] * 4, "id": ["p", "q", "r", "s"], "x": [1, 2, 3, 4], "lists": [[1]] * 4}
    )
    fitted = TableEncoder().fit(frame)
    assert fitted.get_feature_names_out().tolist() == ["x"]
    reasons = {name: fact.get("reason") for name, fact in fitted.columns_.items()}
    assert "alike" in reasons["same"] and "missing" in reasons["empty"] and "every value" in reasons["id"]
    assert "List" in reasons["lists"] and reasons["x"] is None
    text = TableEncoder().fit(frame.with_columns(word=polars.lit("yes")))
    assert text.columns_["word"] == {"kind": "dropped", "reason": "all values are alike"}
    with pytest.raises(InputError, match="no column of 4 samples tells anything about the target: same: left out"):
        TableEncoder().fit(frame.select("same", "empty"))


def test_text_that_is_mostly_numbers_is_numbers():
    frame = polars.DataFrame({"n": [*map(str, range(19)), "unknown"]})
    fitted = TableEncoder().fit(frame)
    assert fitted.columns_["n"]["kind"] == "number" and fitted.fill_[0] == 9
    assert fitted.transform(polars.DataFrame({"n": ["9", "nonsense"]}))[:, 0].tolist() == pytest.approx(
        [0, 0], abs=1e-6
    )


def test_the_order_of_columns_does_not_matter_and_more_do_no_harm():
    frame = table()
    fitted = TableEncoder().fit(frame)
    other = frame.select("colour", polars.lit(1).alias("more"), "count", "size")
    np.testing.assert_array_equal(fitted.transform(other), fitted.transform(frame))


def test_what_does_not_fit_at_prediction_is_named():
    fitted = TableEncoder().fit(table())
    with pytest.raises(InputError, match=r"lacks 1 column\(s\) .*: colour; it has size, count"):
        fitted.transform(table().drop("colour"))
    wrong = table().with_columns(polars.Series("count", ["1"] * 59 + ["many"]))
    with pytest.raises(InputError, match="column 'count' has 'many' in row 60 where the training saw only numbers"):
        fitted.transform(wrong)
    dated = TableEncoder().fit(polars.DataFrame({"d": [datetime.date(2020, 1, 1), datetime.date(2021, 2, 2)]}))
    with pytest.raises(InputError, match="column 'd' has 'soon' in row 1 where the training saw only dates"):
        dated.transform(polars.DataFrame({"d": ["soon"]}))
    with pytest.raises(InputError, match="X has 2 features, but TableEncoder is expecting 3 features as input"):
        TableEncoder().fit(np.eye(3)).transform(np.ones((1, 2)))


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_rows_of_mixed_values_are_a_table(kind):
    rows = [["a", 1.5, None], ["b", 2, "x"], ["a", 3, "x"], ["b", 4, None]]
    made = np.array(rows, dtype=object) if kind is np.array else kind(rows)
    fitted = TableEncoder(min_frequency=1).fit(made)
    named = polars.DataFrame({"x0": ["a", "b", "a", "b"], "x1": [1.5, 2, 3, 4], "x2": [None, "x", "x", None]})
    np.testing.assert_array_equal(fitted.transform(made), TableEncoder(min_frequency=1).fit_transform(named))
    assert fitted.get_feature_names_out().tolist()[:3] == ["x1", "x0 = a", "x0 = b"]


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.array([1.0, 2.0]), "X.reshape"),
        (np.ones((2, 2)) * 1j, "Complex data not supported"),
        (scipy.sparse.eye(3).tocsr(), "sparse samples are not supported"),
        ([[1, 2], [3]], "rows of equal length"),
        (np.empty((3, 0)), r"0 feature\(s\)"),
        (np.array(["2020-01-01"], dtype="datetime64[D]").reshape(1, 1), "rows of numbers or text"),
        ([], "X.reshape"),
        ("file.csv", "data frame or an array; got str"),
    ],
)
def test_what_is_no_table_is_told(X, words):
    with pytest.raises(InputError, match=words):
        TableEncoder().fit(X)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=2, max_size=20))
@example([1.7976931348623157e308, -9.98e291])
@example([1.7e308, 1.7e308, float("nan"), 1.0e308, 1.7e308])
@example([1.7e308, 1.7e308, float("nan")])
def test_any_numbers_become_finite_ones(values):
    frame = polars.DataFrame({"x": values, "y": list(range(len(values)))})
    rows = TableEncoder().fit_transform(frame)
    assert np.isfinite(rows).all() and rows.dtype == np.float32


@pytest.mark.parametrize("seed", [0, 1])
def test_facts_bring_the_encoder_back_bit_for_bit(seed):
    frame = table(seed=seed).with_columns(day=polars.date_range(polars.date(2020, 1, 1), polars.date(2020, 2, 29)))
    fitted = TableEncoder().fit(frame)
    facts, arrays = fitted.to_dict()
    again = restored_encoder(json.loads(json.dumps(facts)), arrays)
    np.testing.assert_array_equal(again.transform(frame), fitted.transform(frame))
    assert again.get_feature_names_out().tolist() == fitted.get_feature_names_out().tolist()
    for damaged in ({}, {"encoder": "table"}, facts | {"columns": {}}, facts | {"parameters": {"x": 1}}):
        with pytest.raises(InputError):
            restored_encoder(damaged, arrays)


def test_pandas_frames_are_as_good_as_polars_ones():
    frame = table(seed=1)
    theirs = pandas.DataFrame({name: frame[name].to_numpy() for name in frame.columns})
    np.testing.assert_allclose(TableEncoder().fit_transform(theirs), TableEncoder().fit_transform(frame), rtol=1e-6)


def test_a_hundred_thousand_columns_are_encoded():
    X = np.random.default_rng(0).normal(size=(20, 100_000))
    np.testing.assert_allclose(TableEncoder().fit_transform(X).std(axis=0), 1, rtol=1e-4)


def test_images_become_rows_from_0_to_1():
    X = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4) * 10
    encoder = ImageEncoder().fit(X)
    np.testing.assert_allclose(encoder.transform(X), X.reshape(2, 12) / 255, rtol=1e-6)
    with pytest.raises(InputError, match="reads images of 3 x 4; got 4 x 4"):
        encoder.transform(np.zeros((1, 4, 4), np.uint8))
    coloured = ImageEncoder().fit(np.zeros((1, 3, 4, 3), np.uint8))
    assert coloured.transform(X).shape == (2, 36)


def test_pandas_frames_with_their_own_kinds_of_missing_values():
    theirs = pandas.DataFrame(
        {
            "name": pandas.array(["a", None, "b", "a"], dtype="string"),
            "flag": pandas.array([True, None, False, True], dtype="boolean"),
            "time": pandas.to_datetime(["2020-01-01", "2020-02-02", None, "2021-01-01"]).tz_localize("UTC"),
        }
    )
    fitted = TableEncoder(min_frequency=1).fit(theirs)
    assert [fact["kind"] for fact in fitted.columns_.values()] == ["category", "number", "time"]
    assert np.isfinite(fitted.transform(theirs)).all()
    with pytest.raises(InputError, match="a column name twice"):
        TableEncoder().fit(pandas.DataFrame(np.eye(3), columns=["a", "b", "a"]))


def test_durations_mean_the_same_in_every_unit():
    values = [datetime.timedelta(seconds=s) for s in (1, 2, 30)]
    rows = [
        TableEncoder().fit(polars.DataFrame({"d": polars.Series(values, dtype=polars.Duration(u))})).mean_
        for u in ("ms", "us", "ns")
    ]
    np.testing.assert_allclose(rows, [[11], [11], [11]])


def test_an_encoder_is_used_as_scikit_learns_transformers_are():
    frame = table(seed=1)
    encoder = TableEncoder(max_categories=5)
    assert repr(encoder) == "TableEncoder(max_categories=5)" and repr(clone(encoder)) == repr(encoder)
    rows = encoder.fit_transform(frame)
    for kind in ("pandas", "polars"):
        named = encoder.set_output(transform=kind).transform(frame)
        assert list(named.columns) == encoder.get_feature_names_out().tolist()
        np.testing.assert_array_equal(named.to_numpy(), rows)
    with pytest.raises(InputError, match="'default', 'pandas' or 'polars'; got 'arrow'"):
        encoder.set_output(transform="arrow")


def test_rows_may_be_dictionaries():
    frame = table(seed=1)
    encoder = TableEncoder().fit(frame)
    np.testing.assert_array_equal(encoder.transform(frame.to_dicts()), encoder.transform(frame))


def test_a_column_of_pandas_with_several_types_is_read_as_it_is_written():
    mixed = pandas.DataFrame({"a": [1, "x", 2.5, None] * 10, "b": range(40)})
    text = pandas.DataFrame({"a": ["1", "x", "2.5", None] * 10, "b": range(40)})
    encoder = TableEncoder().fit(mixed)
    np.testing.assert_array_equal(encoder.transform(mixed), TableEncoder().fit(text).transform(text))
    sparse = pandas.DataFrame({"a": pandas.arrays.SparseArray([0, 1, 1, 0] * 10), "b": range(40)})
    dense = pandas.DataFrame({"a": [0, 1, 1, 0] * 10, "b": range(40)})
    np.testing.assert_array_equal(
        TableEncoder().fit(dense).transform(sparse), TableEncoder().fit(dense).transform(dense)
    )
    with pytest.raises(InputError, match="the column 'z' of the data frame cannot be used"):
        TableEncoder().fit(pandas.DataFrame({"z": [object(), 1] * 10}))


def test_no_rows_are_no_predictions():
    encoder = TableEncoder().fit(np.random.default_rng(0).normal(size=(30, 2)))
    assert encoder.transform(np.zeros((0, 2))).shape == (0, 2)
