"""What is learned of how values are written: from all rows of a table, whatever their order, and for later files."""

import shutil
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import polars
import pytest
from PIL import Image

from mlcvkit import Experiment, Hyperparameters, InputError, TableEncoder, load, prepare
from mlcvkit.datasets import Samples, describe, read, restored_encoder
from mlcvkit.datasets.columns import date_of, kind_of_text, length_of, number_of
from mlcvkit.experiments import folds_of
from mlcvkit.storage import save_model

RNG = np.random.default_rng(0)


def written(folder, lines, name="t.csv"):
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


def trained(path, target, **options):
    hp = Hyperparameters(epochs=1, hidden_units=(4,), patience=0, **options)
    return prepare(Experiment(data=str(path), target=target, hyperparameters=hp))


def test_a_rare_decimal_mark_tells_thousands_whatever_the_order_of_the_rows(tmp_path):
    numbers = [f"{i:,}".replace(",", ".") for i in range(500, 4500)]
    amounts = [f"{i},5" if i % 1000 == 7 else str(i) for i in range(4000)]
    rows = [f"{number};{amount};{i % 2}" for i, (number, amount) in enumerate(zip(numbers, amounts, strict=True))]
    for _ in range(4):
        samples = read(written(tmp_path, ["umsatz;menge;y", *RNG.permutation(rows)]), "y")
        encoder = TableEncoder().fit(samples.X, decimals=samples.decimals)
        assert encoder.columns_["umsatz"]["thousands"] == "."
        values = polars.DataFrame({"umsatz": ["1.234"], "menge": ["7,5"]})
        assert encoder._numbers(values).tolist() == [[1234.0, 7.5]]


def test_kinds_do_not_hang_on_the_order_of_the_rows():
    texts = ["2020-01-02"] * 3 + ["1/2/2020"] * 300 + ["word"] * 9 + [f"{i}" for i in range(3)]
    facts = {repr(kind_of_text(polars.Series(RNG.permutation(texts)), set())) for _ in range(20)}
    assert len(facts) == 1


@pytest.mark.parametrize(
    ("learned", "later"),
    [
        (["500", "1200", "2683"], {"1,234": 1234, "1234": 1234, "1,234.0": 1234, "1.5": 1.5}),
        (["500.5", "1200.25", "2683"], {"1,234": 1234, "1.234": 1.234, "7,5": 7.5}),
        (["500,5", "1200,25", "2683,0"], {"1.234": 1234, "1.234,5": 1234.5, "7,5": 7.5, "7.5": 7.5}),
        (["1.125", "2.5", "3"], {"1,125": 1.125, "1.125": 1.125}),  # of three places either mark may be the decimal one
    ],
)
def test_thousands_that_first_come_later_are_none_less_than_thousands(tmp_path, learned, later):
    samples = read(written(tmp_path, ["area;y", *(f"{one};{i % 2}" for i, one in enumerate(learned * 5))]), "y")
    encoder = TableEncoder().fit(samples.X, decimals=samples.decimals)
    new = written(tmp_path, ["area", *(f'"{one}"' for one in later)], "new.csv")
    assert encoder._numbers(read(new, known=True).X)[:, 0].tolist() == list(later.values())


def test_marks_of_held_out_rows_are_known(tmp_path):
    lines = [f"{300 + i},5;{i % 2}" for i in range(60)] + ["1.234;1"]
    for seed in range(6):
        prepared = trained(written(tmp_path, ["a;y", *lines]), "y", seed=seed)
        values = prepared.encoder._numbers(polars.DataFrame({"a": ["1.234", "1,5"]}))
        assert values[:, 0].tolist() == [1234, 1.5], seed


@pytest.mark.parametrize(
    "forms",
    [("2134.0", "94110.0", "10001.0"), ("2134", "94110", "10001"), ("2134.00", "94110.0", "10001")],
)
def test_names_that_are_numbers_are_the_same_names_in_every_way_to_write_them(tmp_path, forms):
    lines = [f"{forms[i % 3]},{i % 7},{'abc'[i % 3]}" for i in range(30)]
    samples = read(written(tmp_path, ["zip,x,y", *lines]), "y")
    encoder = TableEncoder(categorical=["zip"]).fit(samples.X)
    expected = encoder.transform(samples.X)[:3]
    for other in (forms, ("2134.0", "94110.0", "10001.0"), ("2134", "94110", "10001"), (2134, 94110, 10001)):
        frame = polars.DataFrame({"zip": other, "x": [0, 1, 2]})
        assert (encoder.transform(frame) == expected).all(), other
    assert (encoder.transform(read(tmp_path / "t.csv", "y", known=True).X)[:3] == expected).all()


def test_truth_values_are_the_same_names_from_every_format(tmp_path):
    frame = polars.DataFrame({"b": [True, False] * 10, "x": range(20)})
    encoder = TableEncoder(categorical=["b"]).fit(frame)
    for texts in (["True", "False"], ["true", "false"], ["TRUE", "FALSE"]):
        later = polars.DataFrame({"b": texts, "x": [0, 1]})
        assert (encoder.transform(later) == encoder.transform(frame[:2])).all()


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("0,0;0,0;ja\n1,0;2,5;nein\n3,5;1,5;ja\n", ["ja", "nein", "ja"]),
        ("1,5\t2,5\tx\n3,5\t4,5\ty\n", ["x", "y"]),
        ('a,"b;c",1\nd,"e;f",2\n', [1, 2]),
        ("a;b\n1,5;x\n2,5;y\n", ["b", "x", "y"]),
    ],
)
def test_a_decimal_comma_is_no_separator(tmp_path, text, last):
    (tmp_path / "t.csv").write_text(text)
    assert read(tmp_path / "t.csv", header=False).X.to_series(-1).to_list() == last


@pytest.mark.parametrize("odd", ["0000-00-00", "2021-02-29", "unknown"])
def test_an_impossible_date_is_a_missing_one(odd):
    days = polars.date_range(polars.date(2019, 1, 1), polars.date(2019, 7, 18), eager=True).cast(str).to_list()
    frame = polars.DataFrame({"d": [*days[:99], odd, *days[99:]], "x": range(200)})
    encoder = TableEncoder().fit(frame)
    assert encoder.columns_["d"]["kind"] == "date" and encoder.columns_["d"]["loose"]
    assert np.isfinite(encoder.transform(frame)).all()


def test_years_of_two_digits_come_first_where_that_is_seen():
    days = polars.date_range(polars.date(2019, 1, 1), polars.date(2021, 6, 1), "5d", eager=True)
    for form, certain in (("%y/%m/%d", False), ("%y-%m-%d", False)):
        fact = kind_of_text(days.dt.strftime(form), set())
        assert fact["first"] == "year" and bool(fact.get("unsure")) == (not certain)
        assert [date_of(text, "year").date() for text in days.dt.strftime(form)] == days.to_list()
    born = polars.date_range(polars.date(1970, 1, 1), polars.date(1999, 6, 1), "31d", eager=True)
    assert kind_of_text(born.dt.strftime("%y-%m-%d"), set()) == {"kind": "date", "first": "year"}
    assert kind_of_text(born.dt.strftime("%d.%m.%Y"), set()) == {"kind": "date", "first": "day"}


def test_years_of_two_digits_on_both_sides_of_the_century_are_told(tmp_path):
    lines = [f"{1 + i % 28:02}.05.{(30 + i) % 100:02},{i % 2}" for i in range(70)]
    notes = trained(written(tmp_path, ["born,y", *lines]), "y").notes
    assert "born: years of two digits: 69 to 99 are 1969 to 1999, 00 to 68 are 2000 to 2068" in notes


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.234,50-", -1234.5),
        ("12 -", -12),
        ("5,99,980.50", 599980.5),
        ("12,34,567", 1234567),
        ("030 100 200", None),
        ("1 030 100", 1030100),
        ("5,-", None),
    ],
)
def test_more_ways_to_write_a_number(text, number):
    assert number_of(text) == number


def test_versions_are_no_dates():
    assert kind_of_text(polars.Series(["1.22.3", "1.23.0", "2.0.1", "2.11.4"]), set()) == {"kind": "text"}


def test_mixed_measures_are_told(tmp_path):
    lines = [f"{i} {('EUR', 'USD', 'GBP')[i % 3]},{i % 9 / 10 if i % 2 else f'{i}%'},{i % 2}" for i in range(60)]
    notes = "\n".join(trained(written(tmp_path, ["price,rate,y", *lines]), "y").notes)
    assert "price: EUR, GBP, USD are mixed, and read as plain numbers" in notes
    assert "rate: none, % are mixed, and read as plain numbers" in notes


def test_what_cannot_be_read_later_is_counted():
    frame = polars.DataFrame(
        {"n": [*map(str, range(40)), "unknown"], "city": ["Rome", "Nîmes", "Oslo"] * 13 + ["Rome"] * 2}
    )
    encoder = TableEncoder().fit(frame)
    later = polars.DataFrame({"n": ["5", "40 years", "-"], "city": ["NIMES", "New\u00a0York", "Rome"]})
    assert encoder.unread(later) == {
        "n": (1, "are no numbers, and count as missing: '40 years'"),
        "city": (2, "are none of the names that have a column each: 'NIMES'"),
    }
    same = polars.DataFrame({"n": ["unknown"], "city": ["Ni\u0302mes"]})
    assert encoder.unread(same) == {"n": (1, "are no numbers, and count as missing: 'unknown'")}


def test_a_target_of_codes_keeps_its_zeros_and_one_of_numbers_leaves_out_what_is_none(tmp_path):
    codes = read(written(tmp_path, ["x,y", *(f"{i},0{i % 3}" for i in range(30))]), "y")
    assert sorted(set(codes.y)) == ["00", "01", "02"]
    path = written(tmp_path, ["x,y", *(f"{i},{'-' if i == 9 else 'inf' if i == 8 else i / 2}" for i in range(40))])
    for known in (False, True):
        assert len(read(path, "y", known=known).y) == 38, known
    with pytest.raises(InputError, match=r"not regressed \('high' is no number\)"):
        prepare(Experiment(data=str(written(tmp_path, ["x,y", *(f"{i},{'high' if i == 5 else i}" for i in range(40))])),
                           target="y", task="regression"))  # fmt: skip


def test_names_of_classes_that_differ_in_case_are_told(tmp_path):
    lines = [f"{i},{('Yes', 'yes', 'No', 'NO')[i % 4]}" for i in range(60)]
    assert any(
        "'NO' and 'No' are different names" in note for note in trained(written(tmp_path, ["x,y", *lines]), "y").notes
    )


def test_a_column_alone_is_not_cut_at_its_blanks_or_commas(tmp_path):
    for name, value in (("at", "2020-01-03 10:00"), ("city", "New York"), ("preis", "1,5")):
        (tmp_path / "t.csv").write_text(f"{name}\n{value}\n{value}\n")
        frame = read(tmp_path / "t.csv", known=True).X
        assert frame.columns == [name] and frame[name].to_list() == [value, value]


def test_a_quote_inside_a_field_is_a_character(tmp_path):
    path = written(tmp_path, ["what,n,y", *(f'{i}" Monitor,{i % 5},{i % 2}' for i in range(60))])
    samples = read(path, "y")
    assert samples.X["what"][24] == '24" Monitor' and len(samples.y) == 60


def test_names_are_the_same_however_their_accents_are_composed(tmp_path):
    frame = polars.DataFrame({"Gro\u0308\u00dfe": [1.0, 2.0, 3.0], "y": ["a", "b", "a"]})
    frame.write_parquet(tmp_path / "t.parquet")
    written(tmp_path, ["Gr\u00f6\u00dfe,y", "1.0,a"])
    assert read(tmp_path / "t.parquet", "y").X.columns == read(tmp_path / "t.csv", "y").X.columns


def test_times_of_day_are_the_same_from_a_typed_column_and_from_text():
    import datetime

    frame = polars.DataFrame({"t": [datetime.time(h, 30) for h in range(1, 20)], "x": range(19)})
    encoder = TableEncoder().fit(frame)
    assert (encoder.transform(frame.with_columns(polars.col("t").cast(str))) == encoder.transform(frame)).all()


def test_every_picture_below_a_folder_is_predicted(tmp_path):
    for place in ("a.png", "old/z.png", "old/deep/y.png", "._1.png", ".hidden/x.png"):
        (tmp_path / "flat" / place).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 9).save(tmp_path / "flat" / place)
    (tmp_path / "flat/c.heic").write_bytes(b"")
    samples = read(tmp_path / "flat", known=True)
    assert samples.files == ("a.png", "old/deep/y.png", "old/z.png")
    assert "1 files of flat are left out, which are no images by their names: c.heic" in samples.notes
    [note] = read(tmp_path / "flat").notes
    assert "a.png" in note and "old/deep" in note and "do not lie in the folder of a class" in note


def test_groups_are_told_apart_as_names_are(tmp_path):
    from mlcvkit.experiments.repeating import folds_of

    frame = polars.DataFrame({
        "who": [("p1", "p1 ", "P2", None)[i % 4] for i in range(40)], "l": [[1]] * 40,
        "x": range(40), "y": ["a", "b"] * 20,
    })  # fmt: skip
    frame.write_parquet(tmp_path / "t.parquet")
    experiment = Experiment(data=str(tmp_path / "t.parquet"), target="y")
    made = list(folds_of(experiment, 3, group="who"))
    assert "10 rows without who are one group" in made[0][1].notes
    with pytest.raises(InputError, match="from 2 to the number of groups, 3"):
        list(folds_of(experiment, 4, group="who"))
    with pytest.raises(InputError, match="holds List"):
        list(folds_of(experiment, 3, group="l"))
    with pytest.raises(InputError, match="has no column 'y': it is the target"):
        list(folds_of(experiment, 3, group="y"))


def test_names_that_an_earlier_version_learned_are_found():
    frame = polars.DataFrame({"city": ["Nîmes", "New York", "Oslo"] * 9, "x": range(27)})
    encoder = TableEncoder().fit(frame)
    expected = encoder.transform(frame[:3])
    facts, arrays = encoder.to_dict()
    as_written = {"Nîmes": "Ni\u0302mes", "New York": "New\u00a0York", "Oslo": "Oslo"}
    facts["columns"]["city"]["categories"] = [as_written[name] for name in facts["columns"]["city"]["categories"]]
    restored = restored_encoder(facts, arrays)
    for names in (list(as_written), list(as_written.values())):
        later = polars.DataFrame({"city": names, "x": [0, 1, 2]})
        assert (restored.transform(later) == expected).all()


def test_a_length_of_time_is_the_same_number_in_every_form():
    lengths = [timedelta(seconds=int(s)) for s in np.random.default_rng(0).integers(0, 200_000, 60)]
    typed = polars.Series("a", lengths)
    hours = [f"{s // 3600}:{s // 60 % 60:02}:{s % 60:02}" for s in typed.dt.total_seconds()]
    forms = [typed, typed.dt.to_string("iso"), polars.Series("a", [str(pd.Timedelta(one)) for one in lengths])]
    tables = [form.to_frame() for form in (*forms, polars.Series("a", hours))]
    for learned in tables:
        encoder = TableEncoder().fit(learned)
        first, *others = (encoder.transform(table) for table in tables)
        assert len(np.unique(first)) == 60
        for other in others:
            np.testing.assert_array_equal(other, first)


def german(number):
    return f"{number:,}".replace(",", ".")


GERMAN = [f"Nagel;{german(500 + 7 * i)};{i % 50},{i % 90 + 10};{500 + 7 * i}" for i in range(300)]


def numbers_of(path, target="y", **options):
    samples = read(path, target, **options)
    encoder = TableEncoder().fit(samples.X, decimals=samples.decimals)
    numbers = [name for name, fact in encoder.columns_.items() if fact["kind"] == "number"]
    return {name: encoder._numbers_of(samples.X[name]).to_list() for name in numbers}


def test_a_point_among_names_does_not_change_what_numbers_are(tmp_path):
    lines = ["artikel;menge;preis;y", *GERMAN]
    without = numbers_of(written(tmp_path, lines))["menge"]
    assert without == [500.0 + 7 * i for i in range(300)]
    lines[5] = lines[5].replace("Nagel", "2.5")
    assert numbers_of(written(tmp_path, lines))["menge"] == without


def test_a_column_that_tells_its_own_marks_is_read_by_them(tmp_path):
    amounts = ["4.887,42", "358,33", "7.046", *(f"{i},5" for i in range(60))]
    lines = ["lat;betrag;y", *(f"{52 + i / 100:.2f};{amount};{i % 2}" for i, amount in enumerate(amounts))]
    assert numbers_of(written(tmp_path, lines))["betrag"][:3] == [4887.42, 358.33, 7046.0]


def test_where_other_columns_tell_both_marks_an_unclear_number_is_refused(tmp_path):
    lines = ["code;menge;preis;y", *(f"62.{i % 90 + 10};1.2{i % 90 + 10};{i},5;{i % 2}" for i in range(60))]
    with pytest.raises(InputError, match=r"in column 'menge' may be 1\.2\d+ or 12\d\d"):
        read(written(tmp_path, lines), "y")
    assert numbers_of(written(tmp_path, lines), decimal=",")["preis"][0] == 0.5
    units = ["w;y", *(f"1,{i + 827} kg;{i % 2}" for i in range(60))]
    with pytest.raises(InputError, match=r"may be 1\.\d{3} or 1\d{3}"):
        read(written(tmp_path, units), "y")


@pytest.mark.parametrize(("decimal", "separator"), [(",", ";"), (".", ",")])
def test_a_target_with_three_decimal_places_is_measured_as_it_was_learned(tmp_path, decimal, separator):
    rows = [(i / 10, 22 + i / 1000) for i in range(100)]
    lines = [separator.join(f"{value:.{places}f}" for value, places in zip(row, (1, 3), strict=True)) for row in rows]
    if decimal == ",":
        lines = [line.replace(".", ",") for line in lines]
    path = written(tmp_path, [f"a{separator}y", *lines])
    predictor = trained(path, "y").fit().predictor
    later = read(path, "y", known=True, features=predictor.features)
    again = read(path, "y")
    assert predictor.measure(later.X, later.y)["rmse"] == pytest.approx(predictor.measure(again.X, again.y)["rmse"])
    german = written(tmp_path, ["a;y", *(f"{a:.1f};{y:.3f}".replace(".", ",") for a, y in rows)], "later.csv")
    other = read(german, "y", known=True, features=predictor.features)
    assert predictor.measure(other.X, other.y)["rmse"] == pytest.approx(predictor.measure(again.X, again.y)["rmse"])


@pytest.mark.parametrize(("text", "number"), [("2.683", 2683), ("2,683", 2683), ("2 683", 2683), ("683", 683)])
def test_a_column_of_large_whole_numbers_has_no_decimals_later(text, number):
    table = polars.DataFrame({"n": [500 + 11 * i for i in range(500)], "z": [i / 7 for i in range(500)]})
    encoder = TableEncoder().fit(table)
    row = polars.DataFrame({"n": [text], "z": ["0,51"]})
    assert encoder._numbers(row)[0, 0] == number


def test_a_description_has_the_numbers_of_a_training(tmp_path):
    lines = ["umsatz;y", *(f"{1 + i % 8}.{544 + i};{i},{54 + i % 40}" for i in range(100))]
    samples = read(written(tmp_path, lines), "y")
    [umsatz, _] = describe(samples)["columns"]
    assert umsatz["values"].startswith("1544 to 8639")
    assert "'.' stands between thousands" in umsatz["note"]


@pytest.mark.parametrize("text", ["1.299.99", "1,234,56", "10.100.1"])
def test_a_mark_between_thousands_is_no_decimal_mark(text):
    assert number_of(text) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2023-01-05 10:22:33.5+00", datetime(2023, 1, 5, 10, 22, 33, 500_000)),
        ("2023-01-05 10:22 GMT", datetime(2023, 1, 5, 10, 22)),
        ("2023-01-05T10:22+01:00[Europe/Berlin]", datetime(2023, 1, 5, 9, 22)),
        ("31.12.2020, 23:59", datetime(2020, 12, 31, 23, 59)),
        ("2015-01", datetime(2015, 1, 1)),
        ("2020 Q3", datetime(2020, 7, 1)),
        ("0001-01-01", None),
        ("4711-08", None),
    ],
)
def test_more_ways_to_write_a_date(text, moment):
    assert date_of(text, "day") == moment


def test_slash_dates_for_a_model_of_typed_dates_have_the_month_first():
    days = [date(2021, 1, 1) + timedelta(days=i) for i in range(400)]
    encoder = TableEncoder().fit(polars.DataFrame({"d": days}))
    forms = [polars.DataFrame({"d": [form]}) for form in (date(2021, 2, 1), "2021-02-01", "02/01/2021", "01.02.2021")]
    first, *others = (encoder.transform(form) for form in forms)
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_ends_of_months_with_two_digits_begin_with_the_day():
    ends = [f"{day}.{month:02}.{year:02}" for year in range(1, 21) for day, month in ((31, 3), (30, 6), (30, 9))]
    assert kind_of_text(polars.Series(ends), set())["first"] == "day"


@pytest.mark.parametrize("placeholder", ["not available", "\\N", "–", "na", "x"])
def test_one_text_among_many_numbers_does_not_make_names_of_them(placeholder):
    texts = [placeholder if i % 6 == 0 else f"{i / 7:.2f}" for i in range(300)]
    encoder = TableEncoder().fit(polars.DataFrame({"a": texts}))
    assert encoder.columns_["a"]["kind"] == "number"
    first, second = encoder._numbers(polars.DataFrame({"a": ["3.5", placeholder]}))[:, 0]
    assert (first, np.isnan(second)) == (3.5, True)


def test_a_few_labels_beside_a_word_stay_names():
    encoder = TableEncoder().fit(polars.DataFrame({"a": [("1", "2", "3", "3+")[i % 4] for i in range(300)]}))
    assert encoder.columns_["a"]["kind"] == "category"


def test_a_length_of_time_is_a_target(tmp_path):
    table = polars.DataFrame({"a": range(60), "y": [timedelta(seconds=i) for i in range(60)]})
    table.write_parquet(tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet", "y").y.tolist() == [float(i) for i in range(60)]


@pytest.mark.parametrize(("text", "number"), [("Rs. 500", 500), ("US$12.50", 12.5), ("R$ 3,50", 3.5), ("kr 7", 7)])
def test_more_currencies(text, number):
    assert number_of(text) == number


@pytest.mark.parametrize(
    "lines",
    [
        ["x,y", "1,2,", "3,4,"],
        ["x,y", "1,2", "3,4", "   "],
        ["x,y", "1,2", "3,4", "\x1a"],
        ['"x","y"', '"1",1,2', '"2",3,4'],
    ],
    ids=["separators at the ends", "a line of blanks", "the end in DOS", "names of rows, as R writes them"],
)
def test_rows_that_are_not_quite_as_the_header_says(tmp_path, lines):
    table = read(written(tmp_path, lines), None).X
    assert table.select("x", "y").rows() == [(1, 2), (3, 4)]


def test_a_row_that_is_too_long_is_named(tmp_path):
    with pytest.raises(InputError, match="line 2: 3 fields where the header has 2 columns"):
        read(written(tmp_path, ["x,y", "1,2,3", "4,5"]), None)


def test_a_target_with_a_unit_is_learned_and_measured(tmp_path):
    path = written(tmp_path, ["x,y", *(f"{i},{2 * i + 0.5} kg" for i in range(100))])
    predictor = trained(path, "y").fit().predictor
    assert predictor.targets.task == "regression"
    later = read(path, "y", known=True, features=predictor.features)
    assert predictor.measure(later.X, later.y)["samples"] == 100
    save_model(tmp_path / "m.safetensors", predictor.saved())
    predictor = load(tmp_path / "m.safetensors")
    for value, is_read in (("20.5 kg", True), ("20.5", True), ("20500 g", False)):
        later = read(written(tmp_path, ["x,y", f"10,{value}", f"11,{value}"], "later.csv"), "y", known=True)
        if is_read:
            assert predictor.measure(later.X, later.y)["samples"] == 2
        else:
            with pytest.raises(InputError, match="numbers in 'kg' as targets, and 'y' here has '20500 g'"):
                predictor.measure(later.X, later.y)


def test_truth_values_in_any_case_are_one_name_in_the_notes():
    table = polars.DataFrame({"a": [("TRUE", "true", "False", "FALSE", "maybe")[i % 5] for i in range(200)]})
    samples = Samples("t", table, np.arange(200) % 2, "y", "")
    [column, _] = describe(samples)["columns"]
    assert column["kind"] == "category" and column["note"] == ""


@pytest.mark.parametrize(
    ("classes", "sign", "told"),
    [
        ("01", "\\N", "10 of 100 rows are left out, which have no y"),
        ("01", "n.v.", "'n.v.' is a class of its own here"),
        ("01", "2", ""),
        ("ab", "–", "'–' is a class of its own here"),
        ("ab", "c", ""),
    ],
)
def test_a_class_that_may_mean_no_value_is_told(tmp_path, classes, sign, told):
    lines = ["x,y", *(f"{i % 9},{sign if i % 10 == 0 else classes[i % 2]}" for i in range(100))]
    notes = " ".join(trained(written(tmp_path, lines), "y").notes)
    assert told in notes and (told or "class of its own" not in notes)


def test_what_keeps_a_target_from_being_numbers_is_named(tmp_path):
    lines = ["x,y", *(f"{i % 9},{'unknown' if i == 7 else i + 0.5}" for i in range(100))]
    with pytest.raises(InputError, match="or correct 'unknown': 99 of the others are numbers"):
        trained(written(tmp_path, lines), "y")


def test_marks_of_inches_do_not_join_fields(tmp_path):
    inches = [f'"Cable",{i % 3},{20 + i}",{40 - i % 9}",{i + 0.25}' for i in range(60)]
    table = read(written(tmp_path, ["item,y,width,height,price", *inches]), "y").X
    assert table["width"].to_list() == [f'{20 + i}"' for i in range(60)]
    assert table["price"].to_list() == [i + 0.25 for i in range(60)]
    odd = ["c0|c1|c2", *['r1|5"|"a;b"', 'r2|k|7"', 'r3|"a;b"|k', "r4|-|7"] * 5]
    assert read(written(tmp_path, odd)).X.rows()[:3] == [("r1", '5"', "a;b"), ("r2", "k", '7"'), ("r3", "a;b", "k")]


@pytest.mark.parametrize("last", ["0", "5"])
def test_a_field_more_in_each_row_is_refused_unless_it_is_the_rows_name(tmp_path, last):
    rows = [f"{i % 7}.5,{i % 3}.5,{i % 5},{last}" for i in range(30)]
    with pytest.raises(InputError, match=r"line 2: 4 fields where the header has 3 columns.* comma need quotes"):
        read(written(tmp_path, ["x,z,y", *rows]), "y")
    named = read(written(tmp_path, ["x,z,y", *(f"n{i},{row[:-2]}" for i, row in enumerate(rows))]), "y")
    assert named.y.tolist()[:3] == [0, 1, 2]
    assert "the first field is taken for the name of the row" in " ".join(named.notes)


def test_a_line_of_nothing_is_a_missing_value_of_the_only_column(tmp_path):
    table = read(written(tmp_path, ["x", "", "5.5", "", "7.5", "", ""]), known=True).X
    assert table["x"].to_list() == [None, "5.5", None, "7.5"]


def first_numbers(encoder, path):
    return encoder._numbers(read(path, known=True).X)[:, 0].tolist()


@pytest.mark.parametrize("mark", [",", "."])
def test_whole_numbers_in_thousands_may_come_with_the_other_mark(tmp_path, mark):
    def rows(mark):
        return [f"{i:,}".replace(",", mark) + f";{i % 7}" for i in range(900, 90_000, 777)]

    samples = read(written(tmp_path, ["a;y", *rows(mark), f"1{mark}000{mark}000;1"]), "y")
    encoder = TableEncoder().fit(samples.X, decimals=samples.decimals)
    other = written(tmp_path, ["a;b", *rows("," if mark == "." else ".")], "other.csv")
    assert first_numbers(encoder, other) == [float(i) for i in range(900, 90_000, 777)]


def test_three_decimal_places_that_end_in_0_are_seen(tmp_path):
    samples = read(written(tmp_path, ["kg,y", *(f"{i / 4:.3f},{i % 3}" for i in range(1, 80))]), "y")
    encoder = TableEncoder().fit(samples.X, decimals=samples.decimals)
    later = written(tmp_path, ["kg;b", "1,250;0", "0,500;1", "7.750;1"], "later.csv")
    assert first_numbers(encoder, later) == [1.25, 0.5, 7.75]


def test_crores_among_lakhs_are_no_credit(tmp_path):
    values = [f"{i} Lac" if i % 20 else f"{i}.20 Cr" for i in range(1, 101)]
    samples = read(written(tmp_path, ["price,y", *(f"{v},{i % 3}" for i, v in enumerate(values))]), "y")
    numbers = TableEncoder().fit(samples.X, decimals=samples.decimals)._numbers(samples.X)[:, 0]
    assert [i + 1 for i in range(100) if np.isnan(numbers[i])] == [20, 40, 60, 80, 100]


@pytest.mark.parametrize("separator", [".", "/"])
def test_months_before_years_are_dates(tmp_path, separator):
    rows = [f"{i % 12 + 1:02d}{separator}{2019 + i % 3},{i % 4}.5,{i % 2}" for i in range(60)]
    samples = read(written(tmp_path, ["month,w,y", *rows]), "y")
    encoder = TableEncoder().fit(samples.X, decimals=samples.decimals)
    assert encoder.columns_["month"]["kind"] == "date"
    assert first_numbers(encoder, written(tmp_path, ["month,w", f"07{separator}2020,1"], "l.csv")) == [
        pytest.approx(2020 + 182 / 366)
    ]


def test_a_percent_sign_that_was_none_is_told(tmp_path):
    percent = written(tmp_path, ["rate,y", *(f"{i / 4}%,{i % 2}" for i in range(40))])
    share = written(tmp_path, ["rate,y", *(f"{i / 400},{i % 2}" for i in range(40))], "share.csv")
    for training, later, words in ((percent, share, "lack the percent sign"), (share, percent, "have a percent sign")):
        encoder = TableEncoder().fit(read(training, "y").X)
        encoder = restored_encoder(*encoder.to_dict())
        count, told = encoder.unread(read(later, "y", known=True).X)["rate"]
        assert count == 40 and words in told
        facts, arrays = encoder.to_dict()
        earlier = restored_encoder({name: fact for name, fact in facts.items() if name != "percents"}, arrays)
        assert earlier.unread(read(later, "y", known=True).X) == {}, "an earlier version did not learn it"
        assert encoder.unread(read(training, "y", known=True).X) == {}


@pytest.mark.parametrize(
    ("learned", "later"),
    [
        (polars.Series([f"{i % 24:02d}:{i % 60:02d}" for i in range(40)]), polars.Series([0.75])),
        (polars.Series([f"{i % 24:02d}:{i % 60:02d}" for i in range(40)]), polars.Series(["0.75"])),
        (polars.Series([1.0, 2, 3, 4] * 10), polars.Series([date(2020, 1, 1)])),
        (polars.Series([1.0, 2, 3, 4] * 10), polars.Series([timedelta(minutes=7)])),
        (polars.Series([f"{i} min" for i in range(40)]), polars.Series([timedelta(minutes=7)])),
        (polars.Series(list("abcd") * 10), polars.Series([["a"]])),
        (polars.Series([f"{i % 24:02d}:{i % 60:02d}" for i in range(40)]), polars.Series([date(2020, 1, 1)])),
        (polars.Series([f"{i % 24:02d}:{i % 60:02d}" for i in range(40)]), polars.Series([datetime(2020, 1, 1, 7)])),
        (polars.Series([timedelta(minutes=i) for i in range(40)]), polars.Series([True])),
        (polars.Series([timedelta(minutes=i) for i in range(40)]), polars.Series([date(2020, 1, 1)])),
    ],
)
def test_a_column_that_became_another_kind_is_refused(learned, later):
    frame = polars.DataFrame({"a": learned, "b": range(40)})
    encoder = TableEncoder().fit(frame)
    encoder.transform(frame)
    with pytest.raises(InputError, match="column 'a' has"):
        encoder.transform(polars.DataFrame({"a": later, "b": [1]}))


def test_rows_of_the_class_na_alone_are_measured(tmp_path):
    rows = [f"{i % 10},{'NA' if i % 10 > 5 else 'EU'}" for i in range(100)]
    predictor = trained(written(tmp_path, ["x,region", *rows]), "region").fit().predictor
    of_one = written(tmp_path, ["x,region", *(row for row in rows if row.endswith("NA"))], "na.csv")
    later = read(of_one, "region", known=True)
    assert predictor.measure(later.X, later.y)["samples"] == 40


def test_truth_values_are_the_classes_0_and_1(tmp_path):
    predictor = trained(written(tmp_path, ["x,y", *(f"{i % 9},{i % 2}" for i in range(100))]), "y").fit().predictor
    later = read(written(tmp_path, ["x,y", "1,TRUE", "2,false", "3,False"], "b.csv"), "y", known=True)
    assert sum(predictor.measure(later.X, later.y)["confusion"]["0"].values()) == 2


def test_targets_of_a_measure_are_one_for_each_row(tmp_path):
    path = written(tmp_path, ["x,y", *(f"{i % 9},{i * 1.5}" for i in range(100))])
    done = trained(path, "y").fit()
    X, y = done.test
    plain = done.predictor.measure(X, y)
    for same in (y[:, None], y.tolist(), polars.Series(y)):
        assert done.predictor.measure(X, same) == plain
    for other in (y[:1], y[:-1], np.c_[y, y]):
        with pytest.raises(InputError, match="one target for each of the 20 rows"):
            done.predictor.measure(X, other)


def test_decimals_of_256_bits_and_the_index_of_pandas(tmp_path):
    import pyarrow
    import pyarrow.parquet

    columns = {"v": pyarrow.array([Decimal(i) for i in range(40)], pyarrow.decimal256(50, 2)), "y": [0, 1] * 20}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "d.parquet")
    assert read(tmp_path / "d.parquet", "y").X["v"].to_list() == list(range(40))
    pd.DataFrame({"x": np.arange(40.0) % 7, "y": [0, 1] * 20}).iloc[::-1].to_parquet(tmp_path / "p.parquet")
    encoder = TableEncoder().fit(read(tmp_path / "p.parquet", "y").X)
    assert encoder.transform(polars.DataFrame({"x": [1.0]})).shape == (1, 1)


def test_a_folder_of_images_with_few_of_its_own_to_test_with(tmp_path):
    for part, count in (("train", 60), ("test", 5)):
        for kind in "ab":
            folder = tmp_path / part / kind
            folder.mkdir(parents=True)
            for i in range(count):
                Image.fromarray(RNG.integers(0, 255, (4, 4)).astype(np.uint8)).save(folder / f"{i}.png")
    prepared = prepare(Experiment(data=str(tmp_path)))
    assert prepared.samples == 96 and len(prepared.validation[1]) == 24
    coloured = RNG.integers(0, 255, (4, 4, 3)).astype(np.uint8)
    Image.fromarray(coloured).save(tmp_path / "test/a/coloured.png")
    samples = read(tmp_path)
    assert samples.X.shape == (120, 4, 4, 3) and samples.test[0].shape == (11, 4, 4, 3)
    np.testing.assert_array_equal(samples.test[0][5], coloured)


def test_folds_in_order_of_rows_that_are_in_none_are_told(tmp_path):
    days = RNG.permutation(60)
    lines = ["d,x,y", *(f"{date(2020, 1, 1) + timedelta(int(day))},{i % 7},{i % 2}" for i, day in enumerate(days))]
    experiment = Experiment(data=str(written(tmp_path, lines)), target="y")
    [(_, samples), *_] = folds_of(experiment, 3, in_order=True)
    assert "the rows are not sorted by d" in " ".join(samples.notes)


def test_what_is_odd_about_a_folder_of_classes_is_told(tmp_path):
    rng = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for i in range(6):
            Image.fromarray(rng.integers(0, 255, (5, 5), dtype=np.uint8)).save(tmp_path / label / f"{i}.png")
    (tmp_path / "c").mkdir()
    (tmp_path / "a" / "more").mkdir()
    for i in range(3):
        shutil.copy(tmp_path / "a" / f"{i}.png", tmp_path / "a" / "more" / f"{i}.png")
    shutil.copy(tmp_path / "a" / "0.png", tmp_path / "b" / "same.png")
    samples = read(tmp_path)
    assert len(samples.y) == 13
    assert samples.notes == (
        f"3 files of {tmp_path.name} are left out, which are no images or do not lie in the folder of a class: "
        "a/more (3 files)",
        "c: without images, and no class",
        "1 images are in two classes, pixel by pixel, such as a/0.png and b/same.png",
    )


def test_what_first_is_missing_later_is_counted():
    frame = polars.DataFrame(
        {"n": range(40), "city": ["Rome", "Oslo"] * 20, "day": [date(2020, 1, 1 + i % 9) for i in range(40)]}
    )
    gone = frame.with_columns(
        n=polars.Series([None] * 9 + [1] * 31),
        city=polars.Series([None, None, "Bonn", "Bonn"] + ["Rome"] * 36),
        day=polars.lit(None),
    )
    encoder = restored_encoder(*TableEncoder().fit(frame).to_dict())
    assert encoder.unread(frame) == {}
    told = encoder.unread(gone)
    assert {name: count for name, (count, _) in told.items()} == {"n": 9, "city": 2, "day": 40}
    assert told["city"][1].endswith("'Bonn'; 2 are missing, which none was in the training: they count as a rare name")
    assert "middle one" in told["n"][1]
    assert TableEncoder().fit(gone.drop("day")).unread(gone.drop("day")) == {}
    rows = TableEncoder().fit(np.arange(20.0).reshape(10, 2))
    assert rows.unread(np.array([[np.nan, 1.0]]))["x0"][0] == 1


def test_names_that_are_new_are_counted_where_they_are_more_than_the_rare_ones_of_the_training():
    codes = polars.DataFrame({"zip": ["01067", "10115", "20095"] * 20, "n": range(60)})
    encoder = TableEncoder(categorical=["zip"]).fit(codes)
    later = codes.with_columns(zip=polars.col("zip").cast(polars.Int64))
    assert encoder.unread(later)["zip"] == (20, "are none of the names that have a column each: '1067'")
    rare = polars.DataFrame({"name": ["a", "b"] * 45 + [f"r{i}" for i in range(10)]})
    encoder = restored_encoder(*TableEncoder(max_categories=2).fit(rare).to_dict())
    assert encoder.unread(rare) == {}
    assert encoder.unread(polars.DataFrame({"name": ["a"] * 50 + ["z"] * 50}))["name"][0] == 50


def test_classes_that_a_float_does_not_tell_apart_stay_apart(tmp_path):
    for first in (1234567890123456781, 2**63 + 1):
        path = written(tmp_path, ["x,y", *(f"{i},{first + 7 * (i % 2)}" for i in range(60))])
        predictor = trained(path, "y").fit().predictor
        later = read(path, "y", known=True)
        truth = np.arange(60) % 2
        measured = predictor.measure(later.X, later.y)
        predicted = predictor.predict(later.X)
        assert measured["accuracy"] == np.mean((predicted == first + 7) == truth)
        assert measured["accuracy"] < 1


def test_numbers_that_a_float_does_not_tell_apart_are_told(tmp_path):
    path = written(tmp_path, ["id,n,y", *(f"{2**62 + i},{i},{i % 2}" for i in range(60))])
    encoder = TableEncoder().fit(read(path, "y").X)
    assert (
        encoder.columns_["id"]["reason"]
        == "left out: as numbers its values are all alike; --categorical takes them for names"
    )


@pytest.mark.parametrize(
    ("values", "numbers", "told"),
    [
        (["395K", "7M", "865", "1.5M"], [395e3, 7e6, 865, 1.5e6], True),
        (["€565K", "€110.5M", "€0", "€20K"], [565e3, 110.5e6, 0, 20e3], True),
        (["1,200K", "3M", "2.5M", "4k"], [1.2e6, 3e6, 2.5e6, 4e3], True),
        (["2.5B", "3B", "400M", "1M"], [2.5e9, 3e9, 4e8, 1e6], True),
        (["290 K", "300 K", "275 K", "310 K"], [290, 300, 275, 310], False),
    ],
)
def test_thousands_and_millions_in_one_column_are_factors(tmp_path, values, numbers, told):
    path = written(tmp_path, ["wage;y", *(f"{values[i % 4]};{i % 2}" for i in range(60))])
    encoder = restored_encoder(*TableEncoder().fit(read(path, "y").X).to_dict())
    assert first_numbers(encoder, path)[:4] == numbers
    assert ("thousand, million" in "\n".join(trained(path, "y").notes)) == told


@pytest.mark.parametrize("values", [["12", "12B", "7", "9A"], ["3B", "4B", "5", "6B"], ["12", "15", "12K", "19"]])
def test_letters_behind_a_few_numbers_are_no_factors(values):
    assert not kind_of_text(polars.Series(values * 9), set()).get("factors")


def test_a_target_with_factors_is_refused_and_what_it_is_measured_in_is_told(tmp_path):
    path = written(tmp_path, ["x,y", *(f"{i},{f'{i}.5K' if i % 3 else i * 1000}" for i in range(60))])
    with pytest.raises(InputError, match="K, M or B"):
        read(path, "y")
    path = written(tmp_path, ["x,y", *(f"{i},{f'{i}.5%' if i % 3 else i / 100}" for i in range(60))])
    assert "y: none, % are mixed, and read as plain numbers" in read(path, "y").notes


def test_another_currency_is_told(tmp_path):
    euros = written(tmp_path, ["price,y", *(f"€{i}.50,{i % 2}" for i in range(40))])
    dollars = written(tmp_path, ["price,y", *(f"${i}.50,{i % 2}" for i in range(40))], "dollars.csv")
    kilos = written(tmp_path, ["price,y", *(f"{i} kg,{i % 2}" for i in range(40))], "kilos.csv")
    for training, words in ((euros, "another currency"), (kilos, "are in a currency")):
        encoder = restored_encoder(*TableEncoder().fit(read(training, "y").X).to_dict())
        count, told = encoder.unread(read(dollars, "y", known=True).X)["price"]
        assert count == 40 and words in told and "'$0.50' is read as 0.5" in told
        assert encoder.unread(read(training, "y", known=True).X) == {}


def test_intervals_and_periods_of_pandas_are_used():
    frame = pd.DataFrame(
        {
            "income": pd.cut(np.arange(60), 4),
            "month": pd.period_range("2020-01", periods=60, freq="M"),
            "z": np.arange(60),
        }
    )
    encoder = TableEncoder().fit(frame)
    assert encoder.columns_["income"]["kind"] == "category" and len(encoder.columns_["income"]["categories"]) == 4
    assert encoder.columns_["month"]["kind"] == "time"
    as_text = encoder.transform(
        frame.assign(income=frame["income"].astype(str), month=frame["month"].dt.to_timestamp())
    )
    np.testing.assert_array_equal(encoder.transform(frame), as_text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        *(("25 Marine 2010", None), ("5 Decker 1958", None), ("28-DECO-63", None)),
        ("5 Sept 2010", datetime(2010, 9, 5)),
        ("5 August 2010", datetime(2010, 8, 5)),
        ("5-DEC-10", datetime(2010, 12, 5)),
    ],
)
def test_only_months_are_months(text, moment):
    assert date_of(text, "day") == moment


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("-1 days +16:05:00", -86400 + 57900), ("-1:30:00", -5400), ("-PT1H", -3600), ("--1:30:00", None), ("-", None)],
)
def test_lengths_of_time_below_zero(text, seconds):
    assert length_of(text) == seconds


def test_a_field_may_be_long_and_a_spreadsheets_text_is_text(tmp_path):
    path = written(
        tmp_path, ["l,code,n,y", *(f'{"x" * 140_000 if i == 3 else "x"},="00{i % 3}",{i},{i % 2}' for i in range(30))]
    )
    encoder = TableEncoder(categorical=["code"]).fit(read(path, "y").X)
    assert encoder.columns_["code"]["categories"] == ["000", "001", "002"]


def test_a_model_of_truth_values_and_numbers_is_measured_on_its_own_file(tmp_path):
    path = written(tmp_path, ["x,y", *(f"{i},{('True', 'False', '1', '0')[i % 4]}" for i in range(60))])
    predictor = trained(path, "y").fit().predictor
    later = read(path, "y", known=True)
    assert predictor.measure(later.X, later.y)["samples"] == 60


NOVEMBER_3 = {
    "Nov 03, 2019 1:00 PM": datetime(2019, 11, 3, 13),
    "2019-11-03 10:00:00 EST": datetime(2019, 11, 3, 15),
    "2019-11-03 10:00 CEST": datetime(2019, 11, 3, 8),
    "Nov-19": datetime(2019, 11, 1),
    "Nov 2019": datetime(2019, 11, 1),
    "November 2019": datetime(2019, 11, 1),
    "03. November 2019": datetime(2019, 11, 3),
    "3rd November 2019": datetime(2019, 11, 3),
    "November 3rd, 2019": datetime(2019, 11, 3),
    "Sun, 03 Nov 2019 00:00:00 GMT": datetime(2019, 11, 3),
    "Sunday, November 03, 2019": datetime(2019, 11, 3),
    "Sunday 3 November 2019 17:05": datetime(2019, 11, 3, 17, 5),
    "Sun Nov 03 07:08:09 2019": datetime(2019, 11, 3, 7, 8, 9),
    "Sun Nov 03 07:08:09 +0000 2019": datetime(2019, 11, 3, 7, 8, 9),
    "Saturday, November 3, 2019 at 1:00 PM": datetime(2019, 11, 3, 13),
    "2019-11-03 10:00 BST": datetime(2019, 11, 3, 9),
    "Sun Nov  3 07:08:09 UTC 2019": datetime(2019, 11, 3, 7, 8, 9),
    "03/Nov/2019:06:00:00 +0000": datetime(2019, 11, 3, 6),
    "2019-11-03 07": datetime(2019, 11, 3, 7),
    "03-11-2019 07.30": datetime(2019, 11, 3, 7, 30),
    "03-11-2019 7 PM": datetime(2019, 11, 3, 19),
}


@pytest.mark.parametrize(("text", "moment"), NOVEMBER_3.items(), ids=NOVEMBER_3)
def test_dates_are_read_in_the_forms_that_programs_and_people_write(text, moment):
    assert date_of(text, "day") == moment
    assert kind_of_text(polars.Series([text] * 3), set())["kind"] in ("date", "time")


@pytest.mark.parametrize("text", ["Sunday", "May", "MAR 12", "Model 2019 X", "Sun 12", "1.22.3", "Oct-44b", "Foo 2019"])
def test_what_only_looks_like_a_date_is_none(text):
    assert date_of(text, "day") is None


@pytest.mark.parametrize("missing", ["null bhp", "NaN bhp", "bhp", "- bhp"])
def test_a_missing_mark_before_a_unit_is_a_missing_value(missing):
    column = polars.Series("power", [missing if i == 37 else f"{60 + i % 90} bhp" for i in range(200)])
    encoder = TableEncoder().fit(polars.DataFrame([column]))
    assert encoder.columns_["power"] | {"unit": "bhp", "missing": True} == encoder.columns_["power"]
    assert np.isfinite(encoder.transform(polars.DataFrame([column]))).all()


@pytest.mark.parametrize("texts", [("<2.00", ">60.00"), ("DNF", "DNS", "DQ"), ("G", "LG")])
def test_a_few_texts_again_and_again_beside_numbers_have_a_column_each(texts):
    values = [texts[i % len(texts)] if i % 5 == 0 else f"{i / 7:.2f}" for i in range(300)]
    encoder = TableEncoder().fit(polars.DataFrame({"x": values}))
    assert (encoder.columns_["x"]["kind"], sorted(encoder.columns_["x"]["others"])) == ("number", sorted(texts))


@pytest.mark.parametrize("codes", [("V45", "E87"), ("12a", "3b", "7c"), ("LINE", "CA. 2343"), ("A1", "A2")])
def test_codes_beside_numbers_are_names(codes):
    for some in (codes, [f"A{i}" for i in range(60)]):
        names = [some[i % len(some)] if i % 5 == 0 else f"{100 + i}" for i in range(300)]
        assert kind_of_text(polars.Series(names), set())["kind"] == "text"


@pytest.mark.parametrize(
    ("form", "texts"),
    [("{:02}:32", ("closed",)), ("2019-01-{:02}", ("open", "n/k")), ("{:02} h 5 min", ("closed", "unknown"))],
)
def test_texts_that_stand_for_no_time_leave_the_others_times(form, texts):
    values = [texts[i % len(texts)] if i % 4 == 0 else form.format(1 + i % 21) for i in range(300)]
    fact = kind_of_text(polars.Series(values), set())
    assert (fact["kind"] in ("date", "time") or fact["clock"]) and fact["loose"]


def test_signs_of_placeholders_are_not_mixed_with_those_of_numbers():
    values = ["N.D." if i % 3 == 0 else "trace" if i % 11 == 0 else f"{i % 90}%" for i in range(300)]
    fact = kind_of_text(polars.Series(values), set())
    assert fact["kind"] == "number" and "mixed" not in fact


FOUR_NUMBERS = ["8 9 23 23", "10.12.14 12", "1-12-10 5.30", "12/05/19, 3"]


@pytest.mark.parametrize("text", FOUR_NUMBERS)
def test_four_numbers_are_no_date(text):
    assert date_of(text, "day") is None


@pytest.mark.parametrize("lines", [["street and number,price", "12  Main Street,100"], ["x, y  z", "1, 2  3"]])
def test_two_blanks_in_the_fields_of_a_file_separate_nothing(tmp_path, lines):
    frame = read(written(tmp_path, [lines[0], *lines[1:] * 30])).X
    assert frame.columns == [name.strip() for name in lines[0].split(",")]


def test_months_with_two_digits_are_told():
    fact = kind_of_text(polars.Series([f"Mar-{i:02}" for i in range(1, 30)]), set())
    assert fact["kind"] == "date" and fact["short_years"]


@pytest.mark.parametrize("missing", ["NaT", "0000-00-00", "never", ""])
def test_one_text_that_stands_for_no_date_leaves_the_others_dates(missing):
    days = [missing if i % 5 == 0 else f"20{10 + i % 12}-0{i % 9 + 1}-{i % 28 + 1:02}" for i in range(600)]
    encoder = TableEncoder().fit(polars.DataFrame({"when": days}))
    assert encoder.columns_["when"]["kind"] == "date"
    again = restored_encoder(*encoder.to_dict())
    np.testing.assert_array_equal(*(one.transform(polars.DataFrame({"when": days[:7]})) for one in (encoder, again)))


@pytest.mark.parametrize(
    ("form", "unit"),
    [("${}K", "K"), ("${}.25/hr", "/hr"), ("€{}K", "K"), ("₹{}.50 Lakh", "Lakh"), ("฿{}", None), ("HK${}.00", None)]
    + [(one, None) for one in ("MX${}", "₴{}", "{}¢", "{} BRL", "NT${}")],
)
def test_a_currency_may_be_any_and_stand_before_a_unit(form, unit):
    values = polars.Series([form.format(60 + i % 90) for i in range(300)])
    fact = kind_of_text(values, set())
    assert (fact["kind"], fact.get("unit")) == ("number", unit)
    assert TableEncoder().fit_transform(polars.DataFrame({"x": values})).std() > 0.9


def test_several_blanks_and_one_tab_separate_as_in_a_well_known_file(tmp_path):
    lines = [
        f'{18 + i % 20}.0   8   {300 + i}.0      {130 + i}.0      3504.      12.0   70  1\t"chevrolet {i}"'
        for i in range(40)
    ]
    frame = read(written(tmp_path, lines, "auto-mpg.data"), header=False).X
    assert frame.width == 9 and frame.columns[0] == "column 1"
    assert (frame["column 9"][3], float(frame["column 1"][3])) == ("chevrolet 3", 21.0)
    tabs = [f"{i}\tNew  York {i}\t{i % 7}" for i in range(40)]
    assert read(written(tmp_path, ["n\tcity\tk", *tabs], "t.tsv")).X.columns == ["n", "city", "k"]


DAYS = [f"{d:02d}{{0}}{m:02d}{{0}}" for d in range(1, 29) for m in (1, 5, 10)]


@pytest.mark.parametrize(("mark", "year"), [(".", "23"), (".", "2023"), ("/", "2023"), ("/", "23")])
@pytest.mark.parametrize("odd", ["32{0}01{0}", "99{0}99{0}", "00{0}00{0}"])
def test_one_day_that_does_not_exist_turns_no_other_date_round(mark, year, odd):
    texts = [f"{one}{year}".format(mark) for one in DAYS]
    fact = kind_of_text(
        polars.Series([*texts, f"{odd}{year if odd[0] != '9' else 2 * '9' + year[2:]}".format(mark)]), set()
    )
    assert (fact["kind"], fact["first"]) == ("date", "day"), fact
    assert date_of(texts[3], fact["first"]) == datetime(2023, 1, 2)


@pytest.mark.parametrize("text", ["98-05-20", "05-05-20"])
def test_years_of_two_digits_that_come_first_are_seen_by_some_that_are_no_day(text):
    texts = [f"{year:02d}-05-{day:02d}" for year in (96, 97, 98, 1, 2, 5) for day in range(1, 29)]
    fact = kind_of_text(polars.Series(texts), set())
    assert fact["first"] == "year" and date_of(text, "year").year in (1998, 2005)


@pytest.mark.parametrize(
    "texts",
    [
        [f"192.168.{a}.{b}" for a in (114, 115) for b in range(100, 140)],
        [f"10.20.{a}.{b}" for a in range(8) for b in range(10)],
        [f"{year}-{(year + 1) % 100:02d}" for year in range(1995, 2020)],
        [f"{year}/{(year + 1) % 100:02d}" for year in range(2005, 2012)],
    ],
)
def test_addresses_and_seasons_are_names(texts):
    assert kind_of_text(polars.Series(texts), set()) == {"kind": "text"}


def test_months_with_a_dash_are_months_and_large_numbers_are_numbers():
    months = [f"{year}-{month:02d}" for year in range(2005, 2012) for month in range(1, 13)]
    assert kind_of_text(polars.Series(months), set())["kind"] == "date"
    assert kind_of_text(polars.Series(["1.234.567.890", "7.965.111.000", "331.002.651"]), set())["kind"] == "number"
    assert number_of("12.34.567") is None and number_of("12,34,567") == 1234567


@pytest.mark.parametrize(("text", "seconds"), [("P1M", None), ("P2D3M", None), ("PT5M", 300), ("P1DT2H", 93600)])
def test_months_are_no_minutes(text, seconds):
    assert length_of(text) == seconds


def test_the_end_of_a_day_is_the_beginning_of_the_next():
    assert date_of("2020-01-31 24:00", "day") == date_of("2020-01-31T24:00:00", "day") == datetime(2020, 2, 1)
    assert date_of("2020-01-31 24:01", "day") is None


def test_a_form_of_dates_that_the_training_had_not_is_told(tmp_path):
    rows = [f"2020-{month:02d}-{day:02d},{day % 2}" for month in (1, 5, 9) for day in range(1, 28)]
    samples = read(written(tmp_path, ["d,y", *rows]), "y")
    encoder = TableEncoder().fit(samples.X)
    times, what = encoder.unread(polars.DataFrame({"d": ["05/01/2020", "2020-03-04", "13/01/2020"]})[:2])["d"]
    assert times == 1 and "'05/01/2020' is read as 2020-05-01" in what
    assert "d" not in encoder.unread(polars.DataFrame({"d": ["2020-03-04"]}))


def test_a_decimal_mark_that_a_column_contradicts_is_its_own_and_told(tmp_path):
    rows = [f"{i}.5;{i},25;9,{100 + i};{i % 2}" for i in range(40)]
    path = written(tmp_path, ["a;b;c;y", *rows])
    for decimal, other, own in ((",", "a", "."), (".", "b", ",")):
        samples = read(path, "y", decimal=decimal)
        encoder = TableEncoder(decimal=decimal).fit(samples.X)
        notes = {row["name"]: row["note"] for row in describe(samples, decimal=decimal)["columns"]}
        assert f"{own!r} is the decimal mark here, whatever --decimal says" in notes[other]
        assert "thousands" not in notes["a"]
        later = polars.DataFrame({"a": ["1.5", "1.500"], "b": ["2,25", "2,25"], "c": ["9,100", "9,100"]})
        numbers = encoder._numbers(later)
        assert numbers[0].tolist() == numbers[1].tolist() == [1.5, 2.25, 9.1 if decimal == "," else 9100]


def test_names_that_pandas_wrote_as_numbers_are_those_numbers(tmp_path):
    samples = read(written(tmp_path, ["k,y", *("1.0,0", "2.0,1", "3.0,0", "4+,1") * 12]), "y")
    encoder = TableEncoder().fit(samples.X)
    as_text = encoder.transform(polars.DataFrame({"k": ["1.0", "3.0"]}))
    for other in (["1", "3"], [1.0, 3.0], [1, 3]):
        np.testing.assert_array_equal(encoder.transform(polars.DataFrame({"k": other})), as_text)


def test_missing_marks_of_numbers_count_as_missing_in_the_description(tmp_path):
    rows = [f"{'..' if i % 2 else i},{'-' if i % 3 == 0 else i},{i % 2}" for i in range(60)]
    samples = read(written(tmp_path, ["x,z,y", *rows]), "y")
    columns = {row["name"]: row for row in describe(samples)["columns"]}
    assert (columns["x"]["missing"], columns["x"]["different"]) == (30, 30) and columns["z"]["missing"] == 20


@pytest.mark.parametrize("lines", [["5,?,1,a", "7,3,2,b"], ["5,,1,a", "7,3,2,b"], ["5,4,1,a", "7,?,2,b"]])
def test_a_first_line_of_data_is_told_whatever_is_missing_in_it(tmp_path, lines):
    samples = read(written(tmp_path, [*lines, *("8,4,3,a", "9,5,4,b") * 20]), None)
    assert any("the first line looks like data" in note for note in samples.notes), samples.notes


@pytest.mark.parametrize(
    ("arrays", "unused", "tested"),
    [
        (("train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"), ["val_"], 5),
        (("X", "y", "X_test", "y_test"), ["X_test"], 0),
        (("X", "y", "names"), ["names"], 0),
    ],
)
def test_arrays_that_are_not_used_are_named(tmp_path, arrays, unused, tested):
    rng = np.random.default_rng(0)
    made = {
        n: rng.integers(0, 2, 5) if n.endswith(("y", "labels", "y_test", "names")) else rng.normal(size=(5, 4))
        for n in arrays
    }
    np.savez(tmp_path / "a.npz", **made)
    samples = read(tmp_path / "a.npz", None)
    told = [note for note in samples.notes if "not used in a.npz" in note]
    assert len(told) == len(unused) and all(word in told[0] for word in unused)
    assert (0 if samples.test is None else len(samples.test[1])) == tested


def test_lengths_of_less_than_a_day_may_be_longer_later():
    texts = [f"{1 + i % 9}:{(7 * i) % 60:02d}:{(11 * i) % 60:02d}" for i in range(60)]
    encoder = TableEncoder().fit(polars.DataFrame({"t": texts}))
    assert encoder._numbers(polars.DataFrame({"t": ["24:10:00", "3:45"]})).tolist() == [[87000.0], [13500.0]]
    with pytest.raises(InputError, match="where the training saw"):
        encoder.transform(polars.DataFrame({"t": ["25:99"]}))


@pytest.mark.parametrize("early", ["99-12-01", "98-11-02"])
@pytest.mark.parametrize("others", ["{0:02d}-{1:02d}-01", "{0:02d}-{1:02d}-17", "20{0:02d}-{1:02d}-01"])
def test_one_year_of_the_last_century_shows_what_comes_first(early, others):
    texts = [others.format(year, month) for year in range(1, 24) for month in range(1, 13)]
    fact = kind_of_text(polars.Series([*texts, early]), set())
    assert (fact["kind"], fact["first"]) == ("date", "year"), fact
    assert date_of(early, "year").year in (1998, 1999) and date_of(texts[0], "year").year == 2001


def test_a_month_alone_is_a_month_and_billions_are_numbers():
    assert kind_of_text(polars.Series(["2008-09"] * 9), set())["kind"] == "date"
    billions = ["1.000.000.000", "2.000.000.000", "1.200.000.000", "3.100.000.000"]
    assert kind_of_text(polars.Series(billions), set())["kind"] == "number"


def test_a_blank_name_before_years_is_that_of_an_index(tmp_path):
    samples = read(written(tmp_path, [",2019,2020", *(f"{i},{2 * i},{3 * i}" for i in range(40))]), None)
    assert not any("looks like data" in note for note in samples.notes)
