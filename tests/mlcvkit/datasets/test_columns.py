"""What the text of a column means, and that it means the same in every file of every format."""

import datetime

import numpy as np
import pandas
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcvkit import InputError
from mlcvkit.datasets import Samples, TableEncoder, describe, notes_of, read
from mlcvkit.datasets.columns import date_of, length_of, number_of, order_of_dates, seconds_of, thousands_in


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.5", 1.5),
        ("1,5", 1.5),
        ("-0,125", -0.125),
        ("1.234.567", 1234567),
        ("1,234,567.5", 1234567.5),
        ("1.234,5", 1234.5),
        ("1 234 567", 1234567),
        ("12'345.6", 12345.6),
        ("$1,200.00", 1200),
        ("-$ 5", -5),
        ("12 %", 12),
        ("3,50 €", 3.5),
        ("EUR 7", 7),
        ("1e-3", 0.001),
        ("\N{MINUS SIGN}4", -4),
        ("1,000", 1),
        ("(12)", -12),
        ("$(1,234.50)", -1234.5),
        ("($1.234,5)", -1234.5),
        ("1,234.50 CR", 1234.5),
        ("1.234,50DR", -1234.5),
        ("$5 Dr.", -5),
        ("-5 DR", None),
        ("(-3)", None),
        ("((3))", None),
        ("(" * 5000 + "3" + ")" * 5000, None),
        ("3+", None),
        ("1,23,4", None),
        ("1.2.3", None),
        ("12/3", None),
        ("e5", None),
        ("", None),
    ],
)
def test_a_number_is_read_with_its_marks_and_its_unit(text, number):
    assert number_of(text) == number


@pytest.mark.parametrize(
    ("texts", "decimals", "mark"),
    [
        (["1.000", "2.500.000"], set(), "."),
        (["1,000", "250"], set(), ","),
        (["1,000", "2,5"], set(), None),
        (["1.000", "250"], {","}, "."),
        (["1.000", "250"], set(), None),
        (["1.000", "0.5"], {","}, None),
        (["1,000", "250"], {","}, None),
        (["(1,000)", "250"], set(), ","),
        (["\N{MINUS SIGN}1,000", "-$2,000", "$(3,000)"], set(), ","),
    ],
)
def test_thousands_are_told_from_decimals_by_the_whole_column_and_the_other_columns(texts, decimals, mark):
    assert thousands_in(texts, decimals) == mark


@pytest.mark.parametrize(
    ("text", "first", "expected"),
    [
        ("2020-03-01", "day", (2020, 3, 1)),
        ("3/1/2020", "month", (2020, 3, 1)),
        ("3/1/2020", "day", (2020, 1, 3)),
        ("29/12/16", "day", (2016, 12, 29)),
        ("5.6.69", "day", (1969, 6, 5)),
        ("1 Feb 2021", "day", (2021, 2, 1)),
        ("February 1, 2021", "day", (2021, 2, 1)),
        ("01-Feb-21", "day", (2021, 2, 1)),
        ("2020-03-01 17:05", "day", (2020, 3, 1, 17, 5)),
        ("3/1/2020 5:05 PM", "month", (2020, 3, 1, 17, 5)),
        ("2020-03-01T00:30:00+02:00", "day", (2020, 2, 29, 22, 30)),
        ("2020-03-01T00:30:15.5Z", "day", (2020, 3, 1, 0, 30, 15, 500000)),
    ],
)
def test_a_date_is_read_in_the_order_of_its_column(text, first, expected):
    assert date_of(text, first) == datetime.datetime(*expected)


@pytest.mark.parametrize("text", ["31/31/2020", "2020-02-30", "soon", "1/2", "1/2/2020 25:00", "1-2/2020"])
def test_what_is_no_date_is_none(text):
    assert date_of(text, "day") is None and date_of(text, "month") is None


def test_the_order_of_dates_is_that_of_the_whole_column():
    assert order_of_dates(["1/2/2020", "1/14/2020"]) == ("month", True)
    assert order_of_dates(["1/2/2020", "14/1/2020"]) == ("day", True)
    assert order_of_dates(["1/2/2020", "3/4/2020"]) == ("month", False)
    assert order_of_dates(["1.2.2020"]) == ("day", False)
    assert order_of_dates(["14/1/2020", "1/14/2020"]) == (None, False)


def test_a_time_of_day_is_its_seconds():
    assert [seconds_of(text) for text in ("00:00", "17:05:30.5", "5:05 pm", "12:00 AM", "24:00", "x")] == [
        *(0, 61530.5, 61500, 0, None, None)
    ]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("26:15:00", 94500),
        ("1 h 20 min", 4800),
        ("1h20m", 4800),
        ("PT1H20M", 4800),
        ("P1DT2H15M0.5S", 94500.5),
        ("1 days 02:15:00", 94500),
        ("2 days, 3 hrs", 183600),
        ("17:05", 61500),
        ("17:75", None),
        ("P", None),
        ("", None),
    ],
)
def test_a_length_of_time_is_its_seconds(text, seconds):
    assert length_of(text) == seconds


TEXT = ["red", "green", "3+", "01", "1A", "x y"]


@st.composite
def tables(draw):
    """A table with columns of every kind, as Python values."""
    rows = draw(st.integers(12, 20))

    def column(values):
        return draw(st.lists(values, min_size=rows, max_size=rows))

    number = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 3))
    return {
        "number": column(st.one_of(number, st.none())),
        "whole": column(st.integers(-999, 999)),
        "name": column(st.one_of(st.sampled_from(TEXT), st.none())),
        "day": column(st.dates(datetime.date(1970, 1, 1), datetime.date(2068, 1, 1))),
        "moment": column(st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2068, 1, 1))),
        "truth": column(st.booleans()),
        "mass": [f"{value:,} kg" for value in column(st.integers(0, 9999))],
        "code": [f"{value:03}" for value in column(st.integers(0, 99))],
        "sure": list(range(rows)),
    }


def written(frame, folder, style):
    """A table as a file in some style, read back as for a model."""
    path = folder / f"t-{style}.csv"
    if style in ("parquet", "arrow"):
        path = folder / f"t.{style}"
        (frame.write_parquet if style == "parquet" else frame.write_ipc)(path)
    elif style == "comma":
        frame.write_csv(path)
    elif style == "tabs":
        frame.write_csv(path, separator="\t", line_terminator="\r\n")
    else:
        numbers = polars.col("number").cast(polars.String).str.replace(".", ",", literal=True)
        days = polars.col("day").dt.strftime("%d.%m.%Y")
        frame.with_columns(numbers, days).write_csv(path, separator=";", line_terminator="\r")
    return read(path, known=True).X


@given(tables(), st.sampled_from([(), ("code",), ("whole", "code")]))
@settings(max_examples=10, deadline=None)
def test_a_row_is_the_same_numbers_from_every_format_and_whatever_stands_beside_it(tmp_path_factory, values, names):
    folder = tmp_path_factory.mktemp("formats")
    frame = polars.DataFrame(values)
    for learned_from in (frame, written(frame, folder, "comma")):
        encoder = TableEncoder(min_frequency=1, categorical=names).fit(learned_from)
        expected = encoder.transform(frame)
        for style in ("comma", "tabs", "german", "parquet", "arrow"):
            again = written(frame, folder, style)
            np.testing.assert_array_equal(encoder.transform(again), expected, err_msg=style)
            np.testing.assert_array_equal(encoder.transform(again[::-1]), expected[::-1])
            for row in (0, 5):
                np.testing.assert_array_equal(
                    encoder.transform(written(frame[row : row + 1], folder, style)), expected[row : row + 1]
                )
        np.testing.assert_array_equal(encoder.transform(pandas.DataFrame(values)), expected)
        np.testing.assert_array_equal(
            encoder.transform(polars.DataFrame([dict(r) for r in frame.to_dicts()])), expected
        )


def test_codes_keep_their_zeros_beside_decimal_commas(tmp_path):
    (tmp_path / "de.csv").write_text("p;code\n1,5;02\n2,5;1A\n3,5;02\n")
    assert read(tmp_path / "de.csv").X["code"].to_list() == ["02", "1A", "02"]
    assert read(tmp_path / "de.csv").X["p"].to_list() == [1.5, 2.5, 3.5]
    encoder = TableEncoder(min_frequency=1).fit(read(tmp_path / "de.csv").X)
    (tmp_path / "new.csv").write_text("p;code\n1,5;02\n")
    row = encoder.transform(read(tmp_path / "new.csv", known=True).X)[0]
    assert row[encoder.get_feature_names_out().tolist().index("code = 02")] == 1


def test_values_among_numbers_have_columns_of_their_own():
    frame = polars.DataFrame({"n": ["0", "1", "2"] * 10 + ["3+", "3+", "NA"], "y": range(33)})
    encoder = TableEncoder().fit(frame)
    assert encoder.get_feature_names_out().tolist() == ["n", "y", "n = 3+", "n = missing"]
    assert encoder.transform(frame)[-3:, 2:].tolist() == [[1, 0], [1, 0], [0, 1]]


def test_numbers_with_one_unit_are_numbers_with_it_or_without():
    frame = polars.DataFrame({"mass": ["70 kg", "1,250 kg", "9.5 kg", "80kg"], "mixed": ["1 kg", "2 g", "3 kg", "4 g"]})
    encoder = TableEncoder(min_frequency=1).fit(frame)
    assert encoder.columns_["mass"] == {"kind": "number", "thousands": ",", "unit": "kg"}
    assert encoder.columns_["mixed"]["kind"] != "number"
    cold = polars.DataFrame({"t": ["\N{MINUS SIGN}5 °C", "12,5 °C", "-1 °C"], "x": [1, 2, 3]})
    assert TableEncoder(min_frequency=1).fit(cold).columns_["t"] == {"kind": "number", "unit": "°C"}
    prices = polars.DataFrame({"price": ["7 EUR", "8,5 EUR", "1.250 EUR"], "x": [1, 2, 3]})
    assert "unit" not in TableEncoder().fit(prices).columns_["price"], "a currency is read as it was"
    bare = frame.with_columns(mass=polars.Series(["70", "1250", "9.5", "80"]))
    np.testing.assert_array_equal(encoder.transform(bare), encoder.transform(frame))
    columns = describe(Samples("s", frame, np.arange(4), "y", ""))["columns"]
    described = next(column for column in columns if column["name"] == "mass")
    assert (described["values"], described["note"]) == ("9.5 to 1250", "',' stands between thousands; numbers in 'kg'")


def test_numbers_are_names_if_one_says_so():
    frame = polars.DataFrame({"zip": [2134, 2134, 94110, 94110], "x": [1.0, 2.0, 3.0, 5.0]})
    encoder = TableEncoder(categorical=["zip"]).fit(frame)
    assert encoder.get_feature_names_out().tolist() == ["x", "zip = 2134", "zip = 94110", "zip = other"]
    with pytest.raises(InputError, match="'zap', and the columns beside the target are zip, x"):
        TableEncoder(categorical=["zap"]).fit(frame)
    with pytest.raises(InputError, match="named columns"):
        TableEncoder(categorical=["zip"]).fit(frame.to_numpy())


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (["20200131", "20200201", "20211231", "20190704"], "dates? 2"),
        (["02134", "94110", "02135"], "codes? Some begin with 0"),
        ([1.0, float("inf"), float("-inf")], "infinite values count as missing: 2 of 3"),
        (["Yes", "yes", "no", "no"] * 3, "'Yes' and 'yes' are different names"),
        (["New York", "New  York", "Rome", "Rome"] * 3, "are different names"),
        (["20201331", "20200201", "20211231"], ""),
        (["Yes", "no"] * 6, ""),
    ],
)
def test_values_that_may_be_meant_otherwise_are_told(values, note):
    frame = polars.DataFrame({"a": values, "b": range(len(values))})
    told = " ".join(notes_of(TableEncoder().fit(frame), frame))
    assert note in told if note else not {"names", "dates?"} & set(told.split())


def test_names_as_frequent_as_the_last_one_are_not_thrown_together():
    regions = [f"R{i % 54:02}" for i in range(54 * 20)]
    frame = polars.DataFrame({"region": regions, "x": range(len(regions))})
    for most in (30, 100):
        assert len(TableEncoder(max_categories=most).fit(frame).columns_["region"]["categories"]) == 54
    rarer = polars.DataFrame({"region": ["a"] * 9 + ["b"] * 9 + ["c"] * 5 + ["d"] * 5, "x": range(28)})
    assert TableEncoder(max_categories=2).fit(rarer).columns_["region"]["categories"] == ["a", "b"]


def test_numbers_outside_of_the_training_are_clipped_and_counted():
    frame = polars.DataFrame({"year": [2010.0, 2012.0, 2014.0], "x": [1.0, 2.0, 4.0]})
    encoder = TableEncoder().fit(frame)
    new = polars.DataFrame({"year": [0.0, 2012.0, 20120.0], "x": [1.0, 2.0, 4.0]})
    assert encoder.clipped(new) == {"year": (2, 2008.0, 2016.0)} and encoder.clipped(frame) == {}
    edges = polars.DataFrame({"year": [2008.0, 2012.0, 2016.0], "x": [1.0, 2.0, 4.0]})
    np.testing.assert_array_equal(encoder.transform(new), encoder.transform(edges))
    encoder.clip = False
    assert abs(encoder.transform(new)[0, 0]) > 1000 and encoder.clipped(new) == {}


def test_a_column_that_numbers_the_rows_is_left_out_and_any_other_stays():
    frame = polars.DataFrame({"Id": range(1, 21), "x": range(20), "y": [i % 3 for i in range(20)]})
    encoder = TableEncoder().fit(frame[::-1][:16])
    assert encoder.columns_["Id"] == {"kind": "dropped", "reason": "it numbers the rows"}
    assert encoder.get_feature_names_out().tolist() == ["x", "y"]
    assert TableEncoder().fit(frame.select("Id")).get_feature_names_out().tolist() == ["Id"]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.csv", "a,b\r1,x\r2,y\r", {"a": [1, 2], "b": ["x", "y"]}),
        ("a.csv", "a,b\n1,x\r\n2,y\r", {"a": [1, 2], "b": ["x", "y"]}),
        ("a.csv", "sep=;\na;b\n1;x\n", {"a": [1], "b": ["x"]}),
        ("a.csv", "a|b\n1|x\n2|y\n", {"a": [1, 2], "b": ["x", "y"]}),
        ("a.txt", "a\tb\n1\tx\n", {"a": [1], "b": ["x"]}),
        ("a.dat", "  a   b\n  1   x\n 22   y\n", {"a": [1, 22], "b": ["x", "y"]}),
        ("a.data", "a,b\n1,x\n", {"a": [1], "b": ["x"]}),
        ("a.tab", "a\tb\n1,5\tx\n", {"a": [1.5], "b": ["x"]}),
        ("a.csv", "a,b,\n1,x\n2,y\n", {"a": [1, 2], "b": ["x", "y"]}),
        ("a.csv", "Price, net;b\n1;x\n2;y\n", {"Price, net": [1, 2], "b": ["x", "y"]}),
        ("a.csv", "a,b\n 1 , x\t\n", {"a": [1], "b": ["x"]}),
        ("a.csv", 'a,b\n"1, 2",x\n', {"a": ["1, 2"], "b": ["x"]}),
    ],
)
def test_text_is_read_with_the_separator_it_has(tmp_path, name, text, expected):
    (tmp_path / name).write_bytes(text.encode())
    assert read(tmp_path / name).X.to_dict(as_series=False) == expected


def test_a_first_line_that_looks_like_data_is_said_and_may_be_data(tmp_path):
    (tmp_path / "t.csv").write_text("5.1,setosa\n4.9,setosa\n6.3,virginica\n")
    samples = read(tmp_path / "t.csv")
    assert samples.X.height == 2 and "--no-header" in samples.notes[0]
    assert read(tmp_path / "t.csv", header=False).X.to_dict(as_series=False) == {
        "column 1": [5.1, 4.9, 6.3],
        "column 2": ["setosa", "setosa", "virginica"],
    }
    (tmp_path / "twice.csv").write_text("1,a,1\n2,b,3\n")
    with pytest.raises(InputError, match="--no-header"):
        read(tmp_path / "twice.csv")


def test_numbers_that_may_be_thousands_are_refused_until_it_is_said(tmp_path):
    (tmp_path / "t.csv").write_text("rev;n\n1,000;1\n250;2\n3,500;3\n")
    with pytest.raises(InputError, match=r"'[13],[05]00' in column 'rev' may be .* give --decimal , or --decimal"):
        read(tmp_path / "t.csv")
    for decimal, first in ((",", 1.0), (".", 1000.0)):
        frame = read(tmp_path / "t.csv", decimal=decimal).X
        encoder = TableEncoder(decimal=decimal).fit(frame)
        assert encoder.transform(frame)[0, 0] * encoder.scale_[0] + encoder.mean_[0] == pytest.approx(first, rel=1e-4)


def test_rows_without_a_target_are_left_out_and_none_is_a_class(tmp_path):
    (tmp_path / "t.csv").write_text("a,damage\n1,None\n2,Minor\n3,\n4,NA\n")
    samples = read(tmp_path / "t.csv", "damage")
    assert samples.y.tolist() == ["None", "Minor", "NA"] and samples.X["a"].to_list() == [1, 2, 4]
    assert samples.notes == ("1 of 4 rows are left out, which have no damage",)
    (tmp_path / "n.csv").write_text("a,price\n1,$5\n2,NA\n3,$7\n")
    assert read(tmp_path / "n.csv", "price").y.tolist() == [5, 7]


def test_a_description_says_how_columns_are_read(tmp_path):
    (tmp_path / "t.csv").write_text("day,i\n" + "\n".join(f"{m}/{d}/2020,{m}" for m, d in [(1, 2), (3, 4), (5, 6)]))
    (column, _) = describe(read(tmp_path / "t.csv"))["columns"]
    assert column["kind"] == "date" and "--day-first" in column["note"]
    assert column["values"] == "2020-01-02 to 2020-05-06"


def test_what_the_other_columns_tell_of_the_marks_holds_at_reading_as_well(tmp_path):
    lines = [f"{i}.000;{i},5;{i % 2}" for i in range(1, 40)]
    (tmp_path / "de.csv").write_text("a;b;y\n" + "\n".join(lines) + "\n")
    frame = read(tmp_path / "de.csv", "y").X
    encoder = TableEncoder().fit(frame)
    values = encoder._numbers(frame)
    assert values[:3].tolist() == [[1000, 1.5], [2000, 2.5], [3000, 3.5]]
    (tmp_path / "one.csv").write_text("a;y\n" + "\n".join(f"{i}.000;{i % 2}" for i in range(1, 40)) + "\n")
    with pytest.raises(InputError, match="--decimal"):
        read(tmp_path / "one.csv", "y")
    for decimal, first in ((",", 1000.0), (".", 1.0)):
        frame = read(tmp_path / "one.csv", "y", decimal=decimal).X
        assert TableEncoder(decimal=decimal).fit(frame)._numbers(frame)[0, 0] == first


@pytest.mark.parametrize(("decimal", "value"), [(",", 1.25), (".", 1250.0)])
def test_the_decimal_mark_that_is_said_holds_for_the_target(tmp_path, decimal, value):
    (tmp_path / "t.csv").write_text("a;y\n" + "\n".join(f"{i};{i},250" for i in range(1, 9)) + "\n")
    assert read(tmp_path / "t.csv", "y", decimal=decimal).y[0] == value


def test_a_column_that_no_format_of_ours_holds_is_left_out_with_its_reason():
    frame = polars.DataFrame({"l": [[1, 2]] * 30, "b": [b"\xff"] * 30, "x": range(30)})
    encoder = TableEncoder().fit(frame)
    assert encoder.get_feature_names_out().tolist() == ["x"]
    samples = Samples("t", frame, np.arange(30), "y", "")
    assert [column["kind"] for column in describe(samples)["columns"]] == ["dropped", "dropped", "number", "target"]
    assert any("l: values of kind List" in note for note in notes_of(encoder, frame))


def test_categories_that_are_numbers_are_numbers(tmp_path):
    frame = polars.DataFrame({"c": ["0", "1", "2"] * 10, "x": range(30), "y": ["0", "1", "1"] * 10})
    typed = frame.with_columns(polars.col("c", "y").cast(polars.Categorical))
    typed.write_parquet(tmp_path / "t.parquet")
    samples = read(tmp_path / "t.parquet", "y")
    assert samples.y.tolist()[:3] == [0, 1, 1]
    expected = TableEncoder().fit_transform(frame.select("c", "x"))
    np.testing.assert_array_equal(TableEncoder().fit_transform(samples.X), expected)


def test_an_array_is_taken_where_numbers_with_some_texts_were():
    frame = polars.DataFrame({"n": ["0", "1", "2"] * 10 + ["3+", "3+"], "x": range(32)})
    encoder = TableEncoder().fit(frame)
    rows = encoder.transform(np.array([[1.0, 5.0]]))
    np.testing.assert_array_equal(rows, encoder.transform(polars.DataFrame({"n": ["1"], "x": [5]})))


def test_a_dash_among_dates_is_missing():
    days = [f"2020-01-{i:02}" for i in range(1, 20)] + ["-"]
    encoder = TableEncoder().fit(polars.DataFrame({"d": days, "x": range(20)}))
    assert "d = missing" in encoder.get_feature_names_out().tolist()
    with pytest.raises(InputError, match="'soon' in row 1"):
        encoder.transform(polars.DataFrame({"d": ["soon"], "x": [1]}))


def test_what_is_owed_in_parentheses_is_negative():
    assert number_of("(20)") == -20 and number_of("($1,200.50)") == -1200.5 and number_of("(-3)") is None


def test_blanks_around_a_value_mean_nothing_in_a_table_either():
    frame = polars.DataFrame({"name": ["red ", " red", "blue"] * 5, "n": [" 1", "2 ", "\t3"] * 5})
    encoder = TableEncoder().fit(frame)
    assert encoder.get_feature_names_out().tolist() == ["n", "name = blue", "name = red", "name = other"]
    bare = polars.DataFrame({"name": ["red", "red", "blue"] * 5, "n": [1, 2, 3] * 5})
    np.testing.assert_array_equal(encoder.transform(bare), encoder.transform(frame))
