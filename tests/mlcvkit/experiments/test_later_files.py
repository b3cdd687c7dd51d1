"""What a later file holds beside a row does not change how its target is read, and no row vanishes from a score."""

import json
from pathlib import Path

import numpy as np
import pandas
import polars
import pytest
from PIL import Image

from command import assert_one_line_error, run
from mlcvkit import Experiment, Hyperparameters, InputError, TableEncoder, load, load_estimator, train
from mlcvkit.datasets import read
from mlcvkit.experiments import test_rows as measured_rows

FEW = ("--epochs", 2, "--patience", 0)
CLASSES = {
    "codes": ("01", "None"),
    "names": ("NA", "2", "EU"),
    "truths and a name": ("True", "False", "Maybe"),
    "truths": ("TRUE", "FALSE"),
    "numbers that are names": ("1", "2", "x"),
}


def write(path: Path, values: list[str], column: list[float] | None = None) -> Path:
    numbers = column or np.random.default_rng(0).normal(size=len(values)).tolist()
    frame = polars.DataFrame({"a": numbers, "y": values})
    frame.write_csv(path) if path.suffix == ".csv" else frame.write_parquet(path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("classes", CLASSES.values(), ids=CLASSES)
def test_every_row_of_a_later_file_is_measured_whatever_its_neighbours_are(tmp_path, classes, suffix):
    data = write(tmp_path / f"all{suffix}", list(classes) * 30)
    hp = Hyperparameters(epochs=1, patience=0)
    predictor = train(Experiment(data=str(data), target="y", hyperparameters=hp)).predictor
    configuration = predictor.saved().configuration | {"data": str(data), "target": "y"}
    known = {str(one).lower() for one in predictor.targets.class_names}
    for kept in [classes[:1], classes[1:2], classes[:2], classes[-2:], classes]:
        later = write(tmp_path / f"later{suffix}", list(kept) * 4)
        X, y = measured_rows(predictor, configuration, str(later), "y")
        measured = predictor.measure(X, y)
        assert measured["samples"] == 4 * len(kept), kept
        assert "unknown" not in measured and len(known) == len(classes), kept
        tested = train(Experiment(data=str(data), target="y", test=str(later), hyperparameters=hp))
        assert tested.predictor.measure(*tested.test)["samples"] == 4 * len(kept)


def test_only_an_empty_field_is_no_class_where_the_classes_are_names(tmp_path):
    data = write(tmp_path / "all.csv", ["NA", "2", "EU", ""] * 30)
    predictor = train(Experiment(data=str(data), target="y", hyperparameters=Hyperparameters(epochs=1))).predictor
    later = write(tmp_path / "later.csv", ["NA", "2", "", "?"])
    X, y = measured_rows(predictor, {}, str(later), "y")
    measured = predictor.measure(X, y)
    assert (measured["samples"], measured["unknown"]) == (3, 1)


def test_a_test_file_of_other_classes_is_refused_before_the_training(tmp_path):
    write(tmp_path / "all.csv", ["u", "v"] * 30)
    write(tmp_path / "other.csv", ["p", "q"] * 30)
    result = run("train", "all.csv", "--target", "y", "--test", "other.csv", *FEW, folder=tmp_path)
    assert_one_line_error(result, "none of the targets 'y' here", "u, v", "p, q")
    assert not (tmp_path / "runs").exists()


def test_what_a_mean_over_folds_leaves_out_is_said(tmp_path):
    a = np.random.default_rng(0).normal(size=90)
    y = np.where(a > 0, "u", "v")
    y[[50, 70, 80]] = "w"  # the first of them is tested by a network that has seen none
    write(tmp_path / "some.csv", y.tolist(), a.tolist())
    options = ("--target", "y", "--folds", 5, "--in-order", *FEW)
    some = json.loads(run("train", "some.csv", *options, "--name", "s", "--json", folder=tmp_path).stdout)
    lacking = [one.get("unknown", 0) for one in some["runs"]]
    assert sum(lacking) == 1 and (some["complete"], some["of"]) == (5, 5)
    assert "accuracy" in some["mean"] and "log_loss" not in some["mean"]
    said = " ".join(run("train", "some.csv", *options, "--name", "t", folder=tmp_path).stdout.split())
    assert "samples of classes that its training lacks, which count as wrong: 1; there is no mean log_loss" in said


@pytest.mark.parametrize("several", [("--folds", 3), ("--repeats", 2)])
def test_folds_and_repeats_tell_what_a_single_training_tells(tmp_path, several):
    write(tmp_path / "t.csv", [*["u", "v"] * 40, *[""] * 5])
    words = "5 of 85 rows are left out, which have no y"
    for name in ("one", "other"):
        options = ("--target", "y", *FEW, "--name", name, "--json", *(several if name == "other" else ()))
        assert words in json.loads(run("train", "t.csv", *options, folder=tmp_path).stdout)["notes"]
    assert words in json.loads((tmp_path / "runs/other/result.json").read_text())["notes"]
    said = run("train", "t.csv", "--target", "y", *FEW, *several, folder=tmp_path).stdout
    assert said.count(words) == 1


@pytest.mark.parametrize("missing", [None, float("nan"), pandas.NA, pandas.NaT])
@pytest.mark.parametrize("target", ["name", "number"])
def test_a_missing_target_is_no_class_and_no_number(target, missing):
    rng = np.random.default_rng(0)
    X = pandas.DataFrame({"a": rng.normal(size=60)})
    columns = {"name": np.where(X.a > 0, "p", "q").astype(object), "number": (X.a * 2).to_numpy(object)}
    frame = polars.DataFrame({"a": X.a.to_numpy(), "y": [*columns[target]]})
    from mlcvkit.datasets import Samples

    samples = Samples("t", frame.select("a"), frame["y"].to_numpy(), "y", "")
    hp = Hyperparameters(epochs=1, patience=0)
    predictor = train(Experiment(hyperparameters=hp), samples).predictor
    y = columns[target].copy()
    y[3] = missing
    with pytest.raises(InputError, match="1 of the 60 targets are missing: leave out their rows"):
        predictor.measure(X, y)


def test_a_table_without_rows_has_no_predictions_and_no_score():
    predictor = train(Experiment(data="moons", hyperparameters=Hyperparameters(epochs=1))).predictor
    assert len(predictor.predict(np.zeros((0, 2)))) == 0
    assert {name: len(column) for name, column in predictor.predict_columns(np.zeros((0, 2))).items()} == {
        "y": 0,
        "probability 0": 0,
        "probability 1": 0,
    }
    with pytest.raises(InputError, match="there are no rows to measure with"):
        predictor.measure(np.zeros((0, 2)), np.zeros(0, int))


def test_a_test_file_that_has_changed_is_not_measured_with(tmp_path):
    write(tmp_path / "t.csv", ["u", "v"] * 40)
    write(tmp_path / "test.csv", ["u", "v"] * 20)
    options = ("--target", "y", "--test", "test.csv", *FEW, "--name", "r")
    assert run("train", "t.csv", *options, folder=tmp_path).returncode == 0
    assert run("evaluate", "runs/r", folder=tmp_path).returncode == 0
    write(tmp_path / "test.csv", ["u", "v"] * 10)
    refused = run("evaluate", "runs/r", folder=tmp_path)
    assert_one_line_error(refused, "test.csv is not what the model was tested with any more")
    write(tmp_path / "t.csv", ["u", "v"] * 30)
    assert_one_line_error(run("evaluate", "runs/r", folder=tmp_path), "t.csv is not what the model was trained on")


def test_a_run_of_a_table_is_no_estimator(tmp_path):
    write(tmp_path / "t.csv", ["u", "v"] * 40)
    assert run("train", "t.csv", "--target", "y", *FEW, "--name", "r", folder=tmp_path).returncode == 0
    with pytest.raises(InputError, match=r"it reads a table.*use mlcvkit\.load"):
        load_estimator(tmp_path / "runs/r")
    assert load(tmp_path / "runs/r").classifies


def test_an_encoder_that_is_not_fitted_says_so_as_scikit_learn_does():
    from sklearn.exceptions import NotFittedError

    for use in (lambda one: one.transform([[1.0]]), lambda one: one.get_feature_names_out()):
        for kind in (InputError, NotFittedError):
            with pytest.raises(kind, match="not fitted yet"):
                use(TableEncoder())


def test_the_model_of_a_search_has_its_score_in_the_list_of_runs(tmp_path):
    write(tmp_path / "t.csv", ["u", "v"] * 40)
    options = ("--target", "y", "--trials", 2, "--epochs", 2, "--workers", 1, "--name", "study")
    assert run("tune", "t.csv", *options, folder=tmp_path).returncode == 0
    [listed] = json.loads(run("runs", "--json", folder=tmp_path).stdout)
    measured = json.loads(run("evaluate", "runs/study", "--json", folder=tmp_path).stdout)
    assert listed["scores"]["accuracy"] == measured["accuracy"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("form", ["2020-01-{:02}", "{:02}.01.2020 10:30", "{:02} January 2020"])
def test_that_dates_become_classes_is_told(tmp_path, form, suffix):
    data = write(tmp_path / f"t{suffix}", [form.format(1 + i % 13) for i in range(60)])
    notes = read(data, "y").notes
    assert any(
        "y: each date is taken as a class of its own; to predict a time, give a number" in note for note in notes
    )
    assert not read(write(tmp_path / f"u{suffix}", ["May", "june"] * 30), "y").notes


def test_duplicates_and_a_common_class_are_told_of_every_kind_of_data(tmp_path):
    rng = np.random.default_rng(0)
    X, y = np.vstack([rng.normal(size=(60, 5))] * 5), np.tile(rng.random(60) < 0.02, 5).astype(int)
    y[:5] = 1
    np.savez(tmp_path / "d.npz", X=X, y=y)
    polars.DataFrame({**{f"x{i}": column for i, column in enumerate(X.T)}, "y": y}).write_csv(tmp_path / "d.csv")
    for i in range(60):
        place = tmp_path / "pictures" / "ab"[i % 10 == 0]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4), 10 * (i % 10), np.uint8)).save(place / f"{i}.png")
    for data in ("d.npz", "d.csv", "pictures"):
        target = () if data == "pictures" else ("--target", "y")
        told = json.loads(run("train", data, *target, *FEW, "--json", folder=tmp_path).stdout)["notes"]
        described = json.loads(run("data", "describe", data, *target, "--json", folder=tmp_path).stdout)["notes"]
        for notes in (told, described):
            assert any("rows are duplicates of another" in note for note in notes), data
            assert data == "pictures" or any("alone is right in" in note for note in notes), data


def test_dates_that_are_all_alike_are_left_out_with_a_note(tmp_path):
    frame = polars.DataFrame({"d": ["2020-01-01"] * 40, "m": ["2020-01"] * 40, "x": range(40), "y": ["a", "b"] * 20})
    frame.write_csv(tmp_path / "k.csv")
    told = json.loads(run("train", "k.csv", "--target", "y", *FEW, "--json", folder=tmp_path).stdout)["notes"]
    for name in ("d", "m"):
        assert f"{name}: left out: all values are alike" in told


def test_whole_numbers_without_a_gap_are_told_as_numbers(tmp_path):
    polars.DataFrame({"x": range(520), "y": [1 + i % 26 for i in range(520)]}).write_csv(tmp_path / "em.csv")
    told = json.loads(run("train", "em.csv", "--target", "y", *FEW, "--json", folder=tmp_path).stdout)["notes"]
    assert "the whole numbers 1 to 26 are taken for numbers; --task classification takes them for classes" in told


def test_repeats_and_folds_are_listed_and_compared_by_their_mean_and_spread(tmp_path):
    for name, several in (("a", ("--repeats", 3)), ("b", ("--folds", 3))):
        assert run("train", "moons", *several, *FEW, "--name", name, folder=tmp_path).returncode == 0
    results = [json.loads((tmp_path / f"runs/{name}/result.json").read_text()) for name in "ab"]
    wanted = [f"{one['mean']['accuracy']:.4g} ± {one['std']['accuracy']:.2g}" for one in results]
    compared = run("runs", "runs/a", "runs/b", folder=tmp_path, COLUMNS="200").stdout
    listed = run("runs", folder=tmp_path, COLUMNS="200").stdout
    for text in (compared, listed):
        assert all(words in text for words in wanted), text
    together = [one["together"] for one in json.loads(run("runs", "--json", folder=tmp_path).stdout)]
    assert [one["run"] for one in together] == ["runs/a"] * 3 + ["runs/b"] * 3
    assert together[0]["scores"] == results[0]["mean"] and together[0]["std"] == results[0]["std"]
    (tmp_path / "runs/b/fold-1/model.safetensors").write_text("junk")
    damaged = run("runs", folder=tmp_path, COLUMNS="200")
    assert damaged.returncode == 0 and "fold-1" in damaged.stderr
    assert all(words in damaged.stdout for words in wanted) and "of 3" not in damaged.stdout


def test_a_note_whose_counts_differ_from_fold_to_fold_is_told_once(tmp_path):
    names = [f"n{i % 45}" for i in range(200)]
    polars.DataFrame({"name": names, "y": ["u", "v"] * 100}).write_csv(tmp_path / "t.csv")
    done = run("train", "t.csv", "--target", "y", "--folds", 5, *FEW, "--json", folder=tmp_path)
    notes = json.loads(done.stdout)["notes"]
    assert sum("have a column each" in note for note in notes) == 1, notes


@pytest.mark.parametrize(
    ("classes", "later"),
    [
        (["6 mo", "12 mo", "24 mo"], ["6 mo", "12 mo"]),
        (["6 mo", "12 mo", "24 mo"], ["24 mo"]),
    ],
)
def test_few_rows_of_a_target_are_read_as_many_are(tmp_path, classes, later):
    data = write(tmp_path / "all.csv", classes * 30)
    hp = Hyperparameters(epochs=1, patience=0)
    predictor = train(Experiment(data=str(data), target="y", task="classification", hyperparameters=hp)).predictor
    configuration = predictor.saved().configuration | {"data": str(data), "target": "y"}
    X, y = measured_rows(predictor, configuration, str(write(tmp_path / "later.csv", later)), "y")
    measured = predictor.measure(X, y)
    assert measured["samples"] == len(later) and "unknown" not in measured


@pytest.mark.parametrize("later", ["1st", "2B", "1 kg"])
def test_a_unit_that_the_training_had_not_makes_no_class(tmp_path, later):
    data = write(tmp_path / "all.csv", ["1", "2", "3"] * 30)
    hp = Hyperparameters(epochs=1, patience=0)
    predictor = train(Experiment(data=str(data), target="y", task="classification", hyperparameters=hp)).predictor
    configuration = predictor.saved().configuration | {"data": str(data), "target": "y"}
    with pytest.raises(InputError, match="the model knows numbers as targets"):
        predictor.measure(*measured_rows(predictor, configuration, str(write(tmp_path / "n.csv", [later])), "y"))
