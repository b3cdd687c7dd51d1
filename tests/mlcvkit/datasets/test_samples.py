import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars
import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import fuzz
from mlcvkit import InputError
from mlcvkit.datasets import FORMATS, TOYS, as_file, describe, read, read_digit
from soak import repeated


@pytest.fixture
def table():
    return polars.DataFrame({"size": [1.5, None, 3.0], "name": ["a", "b,c", 'd"e'], "species": ["x", "y", "x"]})


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".arrow", ".feather"])
def test_a_table_comes_back_with_its_target_apart(tmp_path, table, suffix):
    (tmp_path / f"t{suffix}").write_bytes(as_file(table.to_dict(), suffix))
    samples = read(tmp_path / f"t{suffix}", "species")
    assert samples.X.equals(table.drop("species"))
    assert samples.y.tolist() == ["x", "y", "x"] and samples.target == "species"
    whole = read(tmp_path / f"t{suffix}")
    assert whole.y is None and whole.X.equals(table)


def test_gzipped_text_and_the_byte_order_marks_of_spreadsheets_are_read(tmp_path, table):
    text = as_file(table.to_dict(), ".csv").decode()
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "b.csv").write_text(text, encoding="utf-8-sig")
    (tmp_path / "c.csv").write_text(text, encoding="utf-16")
    (tmp_path / "d.csv").write_text(text.replace("\n", "\r\n"), newline="")
    for name in ("a.csv.gz", "b.csv", "c.csv", "d.csv"):
        assert read(tmp_path / name).X.equals(table), name


def test_a_table_of_a_spreadsheet_with_semicolons_and_decimal_commas_is_read(tmp_path):
    (tmp_path / "a.csv").write_text("size;town\n1,5;Oslo\n-2,25;Rome, Bonn\n")
    (tmp_path / "b.csv").write_text("size;town\n1.5;Oslo\n-2.25;Rome, Bonn\n")
    for name in ("a.csv", "b.csv"):
        frame = read(tmp_path / name).X
        assert frame["size"].to_list() == [1.5, -2.25] and frame["town"].to_list() == ["Oslo", "Rome, Bonn"]


def test_an_arrow_stream_is_read(tmp_path, table):
    table.write_ipc_stream(tmp_path / "t.arrow")
    assert read(tmp_path / "t.arrow").X.equals(table)


def test_numbers_dates_and_missing_values_are_found(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,c,d\n1,2020-01-02,NA,x\n?,2020-01-03,2.5,\nNaN,,3,y\n")
    frame = read(tmp_path / "t.csv").X
    assert frame["a"].to_list() == [1, None, None] and frame["c"].to_list() == [None, 2.5, 3.0]
    assert str(frame["b"].dtype) == "Date" and frame["d"].to_list() == ["x", None, "y"]


@pytest.mark.parametrize("dtype", [">i2", ">i4", ">f4", ">f8", "i1", "u1"])
@pytest.mark.parametrize("zipped", [False, True])
def test_idx_files_of_every_type_are_read(tmp_path, dtype, zipped):
    code = {"u1": 8, "i1": 9, ">i2": 11, ">i4": 12, ">f4": 13, ">f8": 14}[dtype]
    X, y = np.arange(24).reshape(4, 2, 3).astype(dtype), np.array([0, 1, 1, 0], np.uint8)
    suffix = ".gz" if zipped else ""
    for name, array, kind in (("x-idx3-ubyte", X, code), ("y-idx1-ubyte", y, 8)):
        sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
        content = bytes([0, 0, kind, array.ndim]) + sizes + array.tobytes()
        (tmp_path / (name + suffix)).write_bytes(gzip.compress(content) if zipped else content)
    samples = read(tmp_path / f"x-idx3-ubyte{suffix}", tmp_path / f"y-idx1-ubyte{suffix}")
    np.testing.assert_array_equal(samples.X, X.astype(float))
    np.testing.assert_array_equal(samples.y, y)


def test_numpy_files_are_read_with_their_labels(tmp_path):
    X, y = np.asfortranarray(np.arange(12.0).reshape(4, 3)), np.array(["a", "b", "a", "b"])
    np.save(tmp_path / "X.npy", X), np.save(tmp_path / "y.npy", y)
    np.savez(tmp_path / "both.npz", X=X, y=y, other=X)
    for samples in (read(tmp_path / "X.npy", tmp_path / "y.npy"), read(tmp_path / "both.npz")):
        np.testing.assert_array_equal(samples.X, X)
        np.testing.assert_array_equal(samples.y, y)
    column = read(tmp_path / "X.npy", "2")
    np.testing.assert_array_equal(column.y, X[:, 2])
    np.testing.assert_array_equal(column.X, X[:, :2])


def test_a_folder_of_images_is_read_by_class(tmp_path):
    rng = np.random.default_rng(0)
    pictures = rng.integers(256, size=(4, 6, 5), dtype=np.uint8)
    for i, picture in enumerate(pictures):
        place = tmp_path / "cats" if i % 2 else tmp_path / "dogs"
        place.mkdir(exist_ok=True)
        Image.fromarray(picture).save(place / f"{i}.png")
    samples = read(tmp_path)
    assert samples.X.shape == (4, 6, 5) and samples.X.dtype == np.uint8
    assert samples.y.tolist() == ["cats", "cats", "dogs", "dogs"]
    np.testing.assert_array_equal(samples.X, pictures[[1, 3, 0, 2]])
    Image.fromarray(rng.integers(256, size=(9, 9, 3), dtype=np.uint8)).save(tmp_path / "cats" / "z.png")
    with pytest.raises(InputError, match=r"different sizes: .*1.png is 5 x 6, .*z.png is 9 x 9; .*--image-size"):
        read(tmp_path)
    assert read(tmp_path, image_size=8).X.shape == (5, 8, 8, 3)


@pytest.mark.parametrize("name", TOYS)
def test_sets_without_a_file_have_their_samples(name):
    samples = read(name)
    assert len(samples.X) == len(samples.y) >= 400
    assert set(np.unique(samples.y)) == set(range(10 if name in ("digits", "mnist") else 2))
    assert (samples.test is not None) == name.startswith("mnist")
    assert read(name).fingerprint == samples.fingerprint
    with pytest.raises(InputError, match="has one target already"):
        read(name, "z")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a,b\n1,2\n3\n", "line 3: 1 fields where the header has 2 columns"),
        (b"a,b\n1,2\n\n3,4,5\n", "line 4: 3 fields where"),
        (b'a,b\n1,"2\n3,4\n', "line 3: unexpected end of data"),
        (b"a,b\n1,2\n\x00\x01,3\n", "is not text: line 3 has a byte 0"),
        (b"a,b\n1,2\ncaf\xe9,3\n", "line 3: byte 0xe9 is not UTF-8"),
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"a,b\n", "has no rows"),
        (b"a,b,a\n1,2,3\n", "more than one column of the name 'a'"),
    ],
)
def test_a_text_that_is_no_table_is_named_with_its_line(tmp_path, content, words):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=words) as error:
        read(tmp_path / "t.csv")
    assert "t.csv" in str(error.value)


def test_a_target_that_is_not_there_lists_the_columns(tmp_path, table):
    table.write_csv(tmp_path / "t.csv")
    with pytest.raises(InputError, match="no column 'specie'; its columns are size, name, species"):
        read(tmp_path / "t.csv", "specie")
    samples = read(tmp_path / "t.csv", "size")
    assert len(samples.y) == 2 and samples.notes == ("1 of 3 rows are left out, which have no size",)
    table.select("name").write_csv(tmp_path / "one.csv")
    with pytest.raises(InputError, match="nothing to predict it from"):
        read(tmp_path / "one.csv", "name")


def test_what_is_no_data_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.csv does not exist; give a file, .*moons"):
        read(tmp_path / "nowhere.csv")
    (tmp_path / "t.docx").touch()
    with pytest.raises(InputError, match=r"t.docx is of no known kind; tables and arrays end with .csv, .tsv"):
        read(tmp_path / "t.docx")
    with pytest.raises(InputError, match="has no images"):
        read(tmp_path)
    np.save(tmp_path / "o.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(InputError, match="holds Python objects, which are never loaded"):
        read(tmp_path / "o.npy")
    np.save(tmp_path / "X.npy", np.ones((3, 2)))
    np.save(tmp_path / "y.npy", np.array([0.0, np.nan, 1]))
    with pytest.raises(InputError, match="or NaN"):
        read(tmp_path / "X.npy", tmp_path / "y.npy")
    with pytest.raises(InputError, match=r"one target for each of its 3 samples; got \(3, 2\)"):
        read(tmp_path / "X.npy", tmp_path / "X.npy")
    with pytest.raises(InputError, match="the file of its labels, or the number of a column"):
        read(tmp_path / "X.npy", "labels")


def test_an_array_that_claims_more_than_it_has_is_refused_without_the_memory(tmp_path):
    header = bytes([0, 0, 8, 3]) + b"\x7f\xff\xff\xff" * 3
    (tmp_path / "x.idx").write_bytes(header + b"\0" * 100)
    with pytest.raises(InputError, match=r"x.idx is damaged"):
        read(tmp_path / "x.idx")
    with (tmp_path / "x.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"shape": (1 << 40, 8), "fortran_order": False, "descr": "<f8"})
    with pytest.raises(InputError, match=r"x.npy is truncated"):
        read(tmp_path / "x.npy")


def test_a_numpy_file_of_the_third_version_is_read(tmp_path):
    X = np.arange(12.0).reshape(4, 3)
    with (tmp_path / "X.npy").open("wb") as file:
        np.lib.format.write_array(file, X, version=(3, 0))
    np.testing.assert_array_equal(read(tmp_path / "X.npy").X, X)


def test_a_file_is_opened_as_an_image_of_its_kind_alone(tmp_path):
    """PostScript under the name of a picture would otherwise be run by Ghostscript."""
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n")
    with pytest.raises(InputError, match=r"x.png is not an image that can be read"):
        read(tmp_path)
    with pytest.raises(InputError, match=r"x.png is not an image"):
        read_digit(tmp_path / "a/x.png")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_of_many_columns_with_one_name_twice_is_refused(tmp_path, suffix):
    names = [f"c{i}" for i in range(40_000)]
    names[-1] = "c7"
    place = tmp_path / f"wide{suffix}"
    if suffix == ".csv":
        place.write_text(",".join(names) + "\n" + ",".join(["1"] * len(names)) + "\n")
    else:
        pyarrow.parquet.write_table(pyarrow.table([pyarrow.array([1])] * 300, names=[*names[:299], "c7"]), place)
    with pytest.raises(InputError, match=r"c7|damaged"):
        read(place)


@pytest.mark.parametrize("kind", ["parquet", "arrow", "feather"])
def test_a_small_file_that_would_become_a_very_large_table_is_refused(tmp_path, kind):
    column = pyarrow.array(np.zeros(2_000_000))
    table = pyarrow.table([column] * 80, names=[f"c{i}" for i in range(80)])
    place = tmp_path / f"bomb.{kind}"
    if kind == "parquet":
        pyarrow.parquet.write_table(table, place, compression="zstd")
    else:
        pyarrow.feather.write_feather(table, place, compression="zstd", chunksize=100_000)
    assert place.stat().st_size < 1 << 22
    with pytest.raises(InputError, match=r"bytes would become [\d,]+, more than 1,073,741,824"):
        read(place)


@given(st.lists(st.lists(st.text(max_size=6), min_size=2, max_size=2), min_size=1, max_size=6))
def test_any_text_in_a_table_comes_back(tmp_path_factory, rows):
    """Whatever the fields hold, a well-written table has as many rows, or is refused with a reason."""
    path = tmp_path_factory.mktemp("any") / "t.csv"
    frame = polars.DataFrame({"a": [r[0] for r in rows], "b": [r[1] for r in rows]})
    path.write_bytes(frame.write_csv(quote_style="always").encode())
    try:
        samples = read(path)
    except InputError as error:
        assert "t.csv" in str(error)
    else:
        assert samples.X.height == len(rows) and samples.X.columns == ["a", "b"]


FUZZED = sorted(fuzz.samples())


def test_every_format_is_fuzzed():
    fuzzed = {FORMATS[Path(f"x{suffix.removesuffix('.gz')}").suffix] for suffix in FUZZED if suffix != ".png"}
    others = {name for name, reader in FORMATS.items() if reader not in fuzzed}
    assert {type(FORMATS[name]).__name__ for name in others} <= {"TextReader"}, others  # it is fuzzed by two names


@repeated("damaged files, of each format", test=200, soak=2_000, full=10_000, per_part=500)
@pytest.mark.parametrize("suffix", FUZZED)
def test_damaged_files_of_each_format_are_read_or_refused(suffix, seed, times):
    """No traceback, no crash, no hang, less than 1 GB: in a process of its own."""
    command = [sys.executable, fuzz.__file__, suffix, str(times), str(seed)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr[-2000:]
    outcome = json.loads(result.stdout)
    assert outcome["read"] + outcome["refused"] == times
    assert outcome["refused"] > 0.3 * times, outcome
    assert outcome["slowest"] < 20 and outcome["memory"] < 1 << 30, outcome


def test_a_description_says_what_each_column_is(tmp_path, table):
    table.write_csv(tmp_path / "t.csv")
    told = describe(read(tmp_path / "t.csv", "species"))
    assert told["samples"] == 3
    assert [(c["name"], c["kind"], c["missing"], c["different"]) for c in told["columns"]] == [
        ("size", "number", 1, 2),
        ("name", "dropped", 0, 3),
        ("species", "target", 0, 2),
    ]
    assert told["columns"][0]["values"] == "1.5 to 3" and "nearly every value" in told["columns"][1]["note"]
    assert describe(read("digits"))["columns"][0]["kind"] == "number"
    assert "images of 28 x 28" in describe(read("mnist"))["columns"][0]["kind"]


@pytest.mark.parametrize(
    ("names", "target", "test"),
    [
        (("X", "y"), "y", False),
        (("x_train", "y_train", "x_test", "y_test"), "y_train", True),
        (("train_images", "train_labels", "test_images", "test_labels"), "train_labels", True),
        (("data", "target"), "target", False),
        (("arr_0", "arr_1"), "arr_1", False),
    ],
)
def test_archives_are_read_by_the_names_that_others_give(tmp_path, names, target, test):
    X, y = np.arange(40, dtype=np.uint8).reshape(10, 2, 2), np.arange(10) % 2
    arrays = dict(zip(names, (X, y[:, None] if "labels" in target else y, X[:4], y[:4, None]), strict=False))
    np.savez(tmp_path / "d.npz", **arrays)
    samples = read(tmp_path / "d.npz")
    assert samples.X.shape == (10, 2, 2) and samples.y.tolist() == y.tolist() and samples.target == target
    assert (samples.test is not None) == test and (not test or samples.test[1].tolist() == [0, 1, 0, 1])


def test_archives_of_one_array_are_read_with_another_as_their_labels(tmp_path):
    np.savez(tmp_path / "imgs.npz", np.zeros((10, 3), np.uint8))
    np.savez(tmp_path / "labels.npz", np.arange(10))
    assert read(tmp_path / "imgs.npz", tmp_path / "labels.npz").y.tolist() == list(range(10))


def test_svmlight_files_are_read(tmp_path):
    (tmp_path / "a.svmlight").write_text("1 1:0.5 3:2 # first\n\n-1 qid:3 2:1e-1\n")
    samples = read(tmp_path / "a.svmlight")
    assert samples.X.tolist() == [[0, 0.5, 0, 2], [0, 0, 0.1, 0]] and samples.y.tolist() == [1, -1]
    (tmp_path / "b.libsvm").write_text("1 1:x\n")
    with pytest.raises(InputError, match="line 1"):
        read(tmp_path / "b.libsvm")


@pytest.mark.parametrize("first", [0, 1])
def test_a_feature_of_a_svmlight_file_is_the_same_in_each_file(tmp_path, first):
    (tmp_path / "a.svm").write_text(f"1 {first}:0.5 3:2\n0 3:1\n")
    (tmp_path / "b.svm").write_text("1 1:7 2:8\n")
    whole = read(tmp_path / "a.svm", test=tmp_path / "b.svm")
    assert whole.X.shape == (2, 4) and whole.test[0].tolist() == [[0, 7, 8, 0]]
    assert read(tmp_path / "b.svm", known=True, features=6).X.tolist() == [[0, 7, 8, 0, 0, 0]]
    assert read(tmp_path / "a.svm", known=True, features=2).X.shape == (2, 4)  # which the model refuses


@pytest.mark.parametrize("suffix", [".xlsx", ".arff", ".pkl", ".json"])
def test_what_is_not_read_says_how_to_convert_it(tmp_path, suffix):
    (tmp_path / f"a{suffix}").write_text("x")
    with pytest.raises(InputError, match=r"is not read here: .*(save|write)"):
        read(tmp_path / f"a{suffix}")


def test_a_file_of_its_own_to_test_with(tmp_path, table):
    table.write_csv(tmp_path / "a.csv")
    table.head(2).write_parquet(tmp_path / "b.parquet")
    samples = read(tmp_path / "a.csv", "species", test=tmp_path / "b.parquet")
    assert samples.test[0].height == 2 and samples.test[1].tolist() == samples.y[:2].tolist()


def test_a_folder_of_the_name_of_a_set_is_told_apart_from_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read("digits").notes == ()
    for name in ("a", "b"):
        Path("digits", name).mkdir(parents=True)
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(Path("digits", name, "1.png"))
    assert read("digits").notes == ("digits is the set inside the package; what lies here is ./digits",)
    assert read("digits").X.shape[1:] == (64,) and read("./digits").X.shape == (2, 4, 4)
