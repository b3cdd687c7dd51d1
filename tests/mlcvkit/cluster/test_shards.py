"""Shards of files: together they are the file, whatever the kind, the place and the number of shards."""

import gzip
import re
from dataclasses import replace

import fsspec
import numpy as np
import polars
import pytest

from mlcvkit import Experiment, InputError
from mlcvkit.cluster import ShardedSamples, array_shards, find_shards, train_on_shards
from mlcvkit.datasets import read
from mlcvkit.experiments import recipe_for


def idx(array):
    kinds = {"uint8": 8, "int32": 0x0C, "float32": 0x0D}
    header = bytes([0, 0, kinds[str(array.dtype)], array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write(folder, kind, images, table):
    """A data set of this kind, its target, and what must be read from it."""
    X, y = images
    if kind == "parquet":
        table.write_parquet(folder / "t.parquet", row_group_size=70)
        return folder / "t.parquet", "kind", (table.drop("kind"), table["kind"].to_numpy())
    if kind == "npz":
        np.savez_compressed(folder / "a.npz", X=X, y=y)
        return folder / "a.npz", None, (X, y)
    if kind == "npy":
        np.save(folder / "X.npy", X)
        np.save(folder / "y.npy", y)
        return folder / "X.npy", str(folder / "y.npy"), (X, y)
    if kind == "column":
        floats = np.column_stack([X.reshape(len(X), -1).astype(np.float32), y])
        np.save(folder / "Xy.npy", floats)
        return folder / "Xy.npy", "36", (floats[:, :36], floats[:, 36])
    big = X.astype(np.int32) * 1000
    content, labels = (idx(big), idx(y)) if kind == "idx" else (gzip.compress(idx(big)), gzip.compress(idx(y)))
    end = "" if kind == "idx" else ".gz"
    (folder / f"x-idx3-ubyte{end}").write_bytes(content)
    (folder / f"y-idx1-ubyte{end}").write_bytes(labels)
    return folder / f"x-idx3-ubyte{end}", str(folder / f"y-idx1-ubyte{end}"), (big, y)


KINDS = ["parquet", "npz", "npy", "column", "idx", "idx.gz"]


def joined(shards):
    parts = [shard.load() for shard in shards]
    y = np.concatenate([y for _, y in parts])
    if isinstance(parts[0][0], polars.DataFrame):
        return polars.concat([X for X, _ in parts]), y
    return np.concatenate([X for X, _ in parts]), y


def assert_same(got, expected):
    if isinstance(expected[0], polars.DataFrame):
        assert got[0].equals(expected[0])
    else:
        np.testing.assert_array_equal(got[0], expected[0])
        assert got[0].dtype == expected[0].dtype
    np.testing.assert_array_equal(got[1], expected[1])


@pytest.mark.parametrize("count", [1, 3, 8, 299])
@pytest.mark.parametrize("kind", KINDS)
def test_the_shards_of_a_file_together_are_the_file(tmp_path, images, table, kind, count):
    source, target, expected = write(tmp_path, kind, images, table)
    shards = find_shards(source, target, shards=count)
    assert len(shards) == count
    assert [shard.count for shard in shards] == [len(shard.load()[1]) for shard in shards]
    assert_same(joined(shards), expected)


@pytest.mark.parametrize("kind", ["parquet", "npz", "npy", "idx"])
def test_they_hold_what_the_reader_of_whole_files_finds(tmp_path, images, table, kind):
    source, target, _ = write(tmp_path, kind, images, table)
    whole = read(source, target)
    assert_same(joined(find_shards(source, target)), (whole.X, whole.y))


@pytest.mark.parametrize("kind", ["parquet", "npz", "npy", "idx", "idx.gz"])
def test_another_file_system_is_read_as_the_local_one(tmp_path, images, table, kind):
    source, target, expected = write(tmp_path, kind, images, table)
    memory = fsspec.filesystem("memory")
    for path in tmp_path.iterdir():
        memory.pipe(f"/{kind}/{path.name}", path.read_bytes())
    its = f"memory://{kind}/{target.rpartition('/')[2]}" if target and "/" in target else target
    shards = find_shards(f"memory://{kind}/{source.name}", its, shards=3)
    assert_same(joined(shards), expected)
    assert "memory://" in shards[0].location


def test_rows_of_a_local_file_are_mapped_and_take_no_memory(tmp_path, images, table):
    source, target, _ = write(tmp_path, "npy", images, table)
    X, _ = find_shards(source, target)[3].load()
    assert isinstance(X, np.memmap)


def test_a_folder_a_pattern_and_a_list_are_the_files_in_the_order_of_their_names(tmp_path, images):
    X, y = images
    for i in range(4):
        np.savez(tmp_path / f"part-{i}.npz", X=X[i * 100 : i * 100 + 100], y=y[i * 100 : i * 100 + 100])
    (tmp_path / "notes.txt").write_text("not data")
    for source in (tmp_path, str(tmp_path / "part-*.npz"), [tmp_path / f"part-{i}.npz" for i in range(4)]):
        shards = find_shards(source, shards=2)
        assert len(shards) == 4  # never a shard of two files
        assert_same(joined(shards), (X, y))


def test_files_of_samples_belong_to_files_of_labels_in_their_order(tmp_path, images):
    X, y = images
    for i in range(4):
        np.save(tmp_path / f"X{i}.npy", X[i * 100 : i * 100 + 100])
        np.save(tmp_path / f"y{i}.npy", y[i * 100 : i * 100 + 100])
    assert_same(joined(find_shards(str(tmp_path / "X*.npy"), str(tmp_path / "y*.npy"))), (X, y))
    (tmp_path / "y3.npy").unlink()
    with pytest.raises(InputError, match="4 files of samples need as many of labels"):
        find_shards(str(tmp_path / "X*.npy"), str(tmp_path / "y*.npy"))


def test_the_number_of_shards_follows_the_data_alone(tmp_path):
    assert len(find_shards("mnist")) == 8
    np.save(tmp_path / "X.npy", np.lib.format.open_memmap(tmp_path / "m.npy", "w+", np.uint8, (11 << 16, 1024)))
    np.save(tmp_path / "y.npy", np.zeros(11 << 16, np.uint8))
    assert len(find_shards(tmp_path / "X.npy", tmp_path / "y.npy")) == 11  # 704 MiB


def damage(path, kind):
    content = path.read_bytes()
    if kind == "cut off":
        path.write_bytes(content[: len(content) - 100])
    elif kind == "garbage":
        path.write_bytes(b"\x07" * 300)
    elif kind == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()


@pytest.mark.parametrize("harm", ["cut off", "garbage", "empty", "gone"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_harmed_before_or_after_it_was_cut_is_named(tmp_path, images, table, kind, harm):
    source, target, _ = write(tmp_path, kind, images, table)
    shards = find_shards(source, target)
    damage(source, harm)
    later = [shards[0]] if harm == "gone" else [shards[0], find_shards(source, target)[-1]]
    for shard in later:
        with pytest.raises(InputError, match=re.escape(str(source))):
            shard.load()


def test_a_file_that_has_changed_since_is_refused(tmp_path, images, table):
    source, target, _ = write(tmp_path, "npz", images, table)
    shards = find_shards(source, target)
    np.savez(source, X=images[0][:-1], y=images[1][:-1])
    with pytest.raises(InputError, match="when the training began"):
        shards[0].load()


WRONG = {
    "nothing there": ("nowhere.parquet", "kind", "does not exist"),
    "an empty folder": ("empty", None, r"has no \.parquet"),
    "a pattern that finds nothing": ("part-*.npz", None, r"has no \.parquet"),
    "a kind that cannot be cut": ("t.csv", "kind", "write the table as .parquet"),
    "a file system that is not known": ("nofs://x.npz", None, "cannot be read"),
    "a column that is not there": ("t.parquet", "sort", "no column 'sort'"),
    "no target": ("t.parquet", None, "needs a target"),
    "labels that are no file": ("X.npy", "labels", "labels"),
    "fewer labels than samples": ("X.npy", "short.npy", "short.npy"),
    "columns that lie together": ("F.npy", "y.npy", "ascontiguousarray"),
    "a number": ("one.npy", "y.npy", "not samples as rows"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_cut_or_read_is_refused_with_the_reason(tmp_path, images, table, case, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    write(tmp_path, "npy", images, table)
    table.write_parquet("t.parquet")
    table.write_csv("t.csv")
    np.save("short.npy", np.zeros(10))
    np.save("F.npy", np.asfortranarray(np.ones((400, 3))))
    np.save("one.npy", np.float64(1))
    source, target, words = WRONG[case]
    with pytest.raises(InputError, match=words):
        find_shards(source, target)[-1].load()


def test_arrays_in_memory_are_cut_and_must_fit_each_other():
    X, y = np.arange(20.0).reshape(10, 2), np.arange(10)
    assert_same(joined(array_shards(X, y, 3)), (X, y))
    for samples, shards in ((9, 3), (10, 0), (10, 11)):
        with pytest.raises(ValueError, match="same number of samples"):
            array_shards(X, y[:samples], shards)


def trained_on(folder, epochs=5, test_fraction=0.2, **options):
    hp = replace(recipe_for("mlp"), epochs=epochs)
    experiment = Experiment(data=str(folder), target="y", test_fraction=test_fraction, hyperparameters=hp)
    return train_on_shards(experiment, find_shards(str(folder), "y"), **options)


def test_numbers_in_one_shard_are_the_texts_of_another(tmp_path):
    rng = np.random.default_rng(0)
    floats, texts = rng.integers(0, 4, 120), rng.choice(["0", "1", "A", "B"], 120)
    parts = {"a": polars.Series(floats.astype(float)), "b": polars.Series(texts)}
    for name, values in parts.items():
        known = values.cast(polars.String).str.strip_suffix(".0")
        frame = polars.DataFrame({"b": values, "n": rng.normal(size=120), "y": known.is_in(["1", "3", "A"]).cast(int)})
        frame.write_parquet(tmp_path / f"{name}.parquet")
    trained = trained_on(tmp_path, epochs=100)
    assert trained.predictor.encoder.columns_["b"]["categories"] == ["0", "1", "2", "3", "A", "B"]
    assert trained.predictor.measure(*trained.test)["accuracy"] > 0.95


def test_a_shard_that_cannot_be_read_is_left_out_without_a_cluster_too(tmp_path):
    for i in range(3):
        X = np.random.default_rng(i).normal(size=(40, 2))
        np.savez(tmp_path / f"p{i}.npz", X=X, y=(X[:, 0] > 0).astype(int))
    shards = find_shards(str(tmp_path), "y")
    (tmp_path / "p1.npz").write_bytes(b"junk")
    with pytest.warns(UserWarning, match="left out a shard"):
        placed = ShardedSamples(shards, allow_missing=True)
    assert len(placed.y) == 80 and len(placed.left_out) == len(shards) // 3


def test_of_many_small_shards_some_rows_are_held_out(tmp_path):
    for i in range(40):
        rows = np.random.default_rng(i).normal(size=(4, 2))
        frame = polars.DataFrame({"a": rows[:, 0], "b": rows[:, 1], "y": (rows[:, 0] > 0).astype(int)})
        frame.write_parquet(tmp_path / f"{i:02d}.parquet")
    trained = trained_on(tmp_path, test_fraction=0.1)
    assert 5 <= len(trained.test[1]) <= 30


def test_rows_without_a_target_are_told(tmp_path):
    for i in range(2):
        rows = np.random.default_rng(i).normal(size=(50, 2))
        y = [None if k in (3, 30) else int(a > 0) for k, a in enumerate(rows[:, 0])]
        polars.DataFrame({"a": rows[:, 0], "b": rows[:, 1], "y": y}).write_parquet(tmp_path / f"{i}.parquet")
    assert trained_on(tmp_path).predictor.notes == ("4 rows are left out, which have no y",)
