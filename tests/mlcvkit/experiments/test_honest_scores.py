"""A score is that of the weights that are kept, on rows that they have not seen, and it counts what it says."""

import json
import os
import subprocess
from dataclasses import asdict, replace

import numpy as np
import pexpect
import polars
import pytest
from sklearn.datasets import load_digits

from command import COMMAND, assert_one_line_error, run
from mlcvkit import Experiment, Hyperparameters, InputError, MLPClassifier, load, save_model, train, tune
from mlcvkit.cluster import array_shards, train_on_shards
from mlcvkit.datasets import Samples
from mlcvkit.estimators import PerceptronClassifier
from mlcvkit.experiments import Predictor, prepare, prepare_rows, test_rows
from mlcvkit.experiments.targets import balanced_weights, learn_targets
from mlcvkit.report import report_on
from mlcvkit.storage import export_onnx, load_model
from mlcvkit.training import Callback, StopTraining, fit
from mlcvkit.tuning import open_study
from mlcvkit.tuning.problems import Problem
from mlcvlab.models.nn2 import NN2

measured_rows = test_rows
del test_rows  # which pytest would take for a test
FEW = ("--epochs", 2, "--patience", 0)


@pytest.fixture
def noise(tmp_path):
    """A table whose class has nothing to do with its numbers."""
    rng = np.random.default_rng(0)
    columns = {f"x{i}": rng.normal(size=100) for i in range(4)}
    polars.DataFrame(columns | {"y": rng.choice(["u", "v"], 100)}).write_csv(tmp_path / "noise.csv")
    return tmp_path / "noise.csv"


def test_folds_and_repeats_do_not_start_from_weights_that_know_their_test_rows(noise):
    folder = noise.parent
    assert run("train", "noise.csv", "--target", "y", *FEW, "--name", "first", folder=folder).returncode == 0
    for options in (("--folds", 5), ("--repeats", 2)):
        result = run("train", "noise.csv", "--target", "y", *options, "--init", "runs/first", *FEW, folder=folder)
        assert_one_line_error(result, "--init is for one training")
    again = ("train", "noise.csv", "--target", "y", "--init", "runs/first", *FEW)
    note = "some of the test rows are among those that"
    assert note in run(*again, "--seed", 3, folder=folder).stdout
    assert note not in run(*again, folder=folder).stdout


def test_how_a_table_is_read_is_not_given_beside_a_run_that_says_it(noise):
    folder = noise.parent
    assert run("train", "noise.csv", "--target", "y", *FEW, "--name", "first", folder=folder).returncode == 0
    again = ("train", "noise.csv", "--target", "y", "--init", "runs/first", *FEW)
    for option in (("--categorical", "x1"), ("--max-categories", 3), ("--day-first",)):
        assert_one_line_error(run(*again, *option, folder=folder), option[0][2:].replace("-", "_"), "leave it out")


def test_a_trial_is_judged_by_the_mean_of_its_weights_where_that_is_kept():
    hp = Hyperparameters(epochs=6, patience=0, average_epochs=5, learning_rate=0.5, hidden_units=(8,), batch_size=8)
    problem = Problem(Experiment(data="moons", hyperparameters=hp), 0)
    trained = problem.validate(hp, [])
    prepared = prepare_rows(replace(problem.experiment, hyperparameters=hp), problem.samples, *problem._parts)
    assert trained.score == prepared.fit().predictor.measure(*problem._parts[1])["accuracy"]
    assert trained.score != trained.history["validation_accuracy"][-1]


def test_the_accuracy_of_a_perceptron_is_that_of_its_predictions():
    X, y = load_digits(return_X_y=True)
    X = X / 16
    model = PerceptronClassifier(epochs=20, random_state=0)
    model.fit(X[:1200], y[:1200], validation_data=(X[1200:], y[1200:]))
    assert model.history_["validation_accuracy"][-1] == pytest.approx(model.score(X[1200:], y[1200:]), abs=1e-12)
    assert model.history_["train_accuracy"][-1] == pytest.approx(model.score(X[:1200], y[:1200]), abs=1e-12)


def test_the_model_of_a_study_is_measured_with_the_test_rows_of_the_study(noise):
    hp = Hyperparameters(epochs=60, patience=0, learning_rate=0.02, hidden_units=(50,), l2=0.0)
    experiment = Experiment(data=str(noise), target="y", hyperparameters=hp)
    problem, other = Problem(experiment, 0), replace(hp, seed=1)
    trained = problem.test(other, [])
    trained.saved.configuration = experiment.to_dict() | asdict(other)
    save_model(noise.parent / "kept.safetensors", trained.saved)
    predictor, saved = Predictor.load(noise.parent / "kept.safetensors")
    rows = measured_rows(predictor, saved.configuration, None, None)
    assert predictor.measure(*rows)["accuracy"] == trained.score < 0.8


def test_rows_to_stop_by_weigh_the_same_whether_they_are_given_or_drawn():
    rng = np.random.default_rng(0)
    X = polars.DataFrame({"a": rng.normal(size=400), "b": rng.normal(size=400)})
    y = (rng.random(400) < 0.1).astype(int)
    hp = Hyperparameters(epochs=1, patience=3, validation_samples=80)
    e = Experiment(data="moons", class_weight="balanced", hyperparameters=hp, task="classification")
    samples = Samples("mine", X, y, "y", "")
    drawn = prepare_rows(e, samples, (X, y))
    given = prepare_rows(e, samples, (X[:300], y[:300]), (X[300:], y[300:]))
    counts = np.bincount(y[:300])
    expected = (300 / (2 * counts))[y[300:]]
    assert len(drawn.validation) == len(given.validation) == 3
    assert given.validation[2] == pytest.approx(expected / expected.mean(), rel=1e-6)
    assert balanced_weights(y, given.targets).mean() == pytest.approx(1, rel=1e-6)


def test_names_of_classes_are_those_of_the_classes_that_are_there():
    y = np.array([0, 2, 2, 0, 2])
    assert learn_targets(y, "classification", ("low", "mid", "high")).class_names == ("low", "high")
    assert learn_targets(np.array([5, 7]), "classification", ("five", "seven")).class_names == ("five", "seven")
    with pytest.raises(InputError, match="3 names for the 2 classes"):
        learn_targets(np.array([0, 3]), "classification", ("low", "mid", "high"))


def test_a_fold_that_was_cut_short_is_said_and_not_counted(noise):
    words = ["--target", "y", "--epochs", "100000", "--patience", "0", "--repeats", "3", "--name", "cut"]
    child = pexpect.spawn(COMMAND[0], [*COMMAND[1:], "train", "noise.csv", *words], cwd=str(noise.parent), timeout=None)
    child.expect(r"[1-9]\d* of 100,?000 epochs|epoch [1-9]")
    child.sendintr()
    said = child.read().decode()
    child.close()
    assert child.exitstatus == 130
    summary = json.loads((noise.parent / "runs/cut/result.json").read_text())
    assert "of 100000 epochs" in summary["runs"][0]["failed"]
    assert summary["mean"] == {}
    assert "of 0 of 3 trainings" in said


def test_a_fold_that_cannot_be_measured_or_diverges_takes_nothing_from_the_others(tmp_path):
    rng = np.random.default_rng(0)
    groups = np.repeat(["a", "b", "c"], 30)
    frame = polars.DataFrame({"x": rng.normal(size=90), "z": rng.normal(size=90), "c": groups, "g": groups})
    frame.write_csv(tmp_path / "three.csv")
    result = run("train", "three.csv", "--target", "c", "--folds", 3, "--group", "g", *FEW, folder=tmp_path)
    assert result.stdout.count("Not counted:") == 3, result
    [place] = (tmp_path / "runs").iterdir()
    assert len(list(place.glob("fold-*/model.safetensors"))) == 3
    assert all("one of the classes" in one["failed"] for one in json.loads((place / "result.json").read_text())["runs"])
    result = run("train", "moons", "--repeats", 2, "--optimizer", "sgd", "--learning-rate", 1e30, *FEW, folder=tmp_path)
    assert result.returncode == 1
    assert "diverged" in result.stdout


def test_two_cross_validations_of_one_second_have_a_folder_each(noise):
    words = ["--target", "y", "--epochs", "1", "--folds", "2"]
    both = [subprocess.Popen([*COMMAND, "train", "noise.csv", *words], cwd=noise.parent) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert len(list((noise.parent / "runs").glob("*/fold-2/model.safetensors"))) == 2
    for name in ("../outside", "a b/c"):
        result = run("train", "noise.csv", *words, "--name", name, folder=noise.parent)
        assert_one_line_error(result, "a run's name")


def test_what_a_measurement_leaves_out_is_said(noise):
    folder = noise.parent
    assert run("train", "noise.csv", "--target", "y", *FEW, "--name", "first", folder=folder).returncode == 0
    frame = polars.read_csv(noise)
    half = polars.when(polars.int_range(len(frame)) % 2 == 0).then(polars.col("y"))
    frame.with_columns(y=half).write_csv(folder / "half.csv")
    result = run("evaluate", "runs/first", "half.csv", folder=folder)
    assert "50 of 100 rows are left out, which have no y" in result.stderr, result


def test_an_output_takes_the_place_of_nothing_that_is_read(noise):
    folder = noise.parent
    assert run("train", "noise.csv", "--target", "y", *FEW, "--name", "first", folder=folder).returncode == 0
    before = (folder / "runs/first/model.safetensors").read_bytes(), noise.read_bytes()
    for words in (
        ("export", "runs/first", "-o", "runs/first/model.safetensors"),
        ("predict", "runs/first", "noise.csv", "-o", "noise.csv"),
        ("predict", "runs/first", "noise.csv", "-o", "runs/first/../../noise.csv"),
    ):
        assert_one_line_error(run(*words, folder=folder), "would overwrite")
    assert before == ((folder / "runs/first/model.safetensors").read_bytes(), noise.read_bytes())


def test_a_name_that_no_configuration_could_hold_is_refused_before_the_training(noise):
    odd = os.fsencode(noise.parent) + b"/caf\xe9.csv"
    noise.rename(os.fsdecode(odd))
    result = run("train", os.fsdecode(odd), "--target", "y", *FEW, folder=noise.parent)
    assert_one_line_error(result, "is not UTF-8", "rename it")


def test_a_report_reads_targets_of_text_as_a_measurement_does(tmp_path):
    x = np.arange(60.0)
    prices = [f"{100_000 + 1000 * int(v):,}" for v in x]
    polars.DataFrame({"x": x, "price": prices}).write_csv(tmp_path / "price.csv")
    words = ("train", "price.csv", "--target", "price", "--test", "price.csv", *FEW, "--name", "pt")
    assert run(*words, folder=tmp_path).returncode == 0
    assert run("report", "runs/pt", folder=tmp_path).returncode == 0


def test_images_that_are_no_squares_are_not_drawn_as_squares(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 255, (60, 8, 32), dtype=np.uint8), rng.integers(0, 2, 60)
    np.savez(tmp_path / "wide.npz", X=X, y=y)
    assert run("train", "wide.npz", *FEW, "--name", "wide", folder=tmp_path).returncode == 0
    assert run("report", "runs/wide", folder=tmp_path).returncode == 0
    assert not list(tmp_path.rglob("*hidden_units.png"))


def test_columns_that_are_not_there_are_told_by_a_description(noise):
    result = run("data", "describe", "noise.csv", "--categorical", "nope", folder=noise.parent)
    assert_one_line_error(result, "nope", "x0")


def test_a_class_that_is_held_out_alone_is_learned_on_shards_too():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 2)), rng.integers(2, size=400)
    y[:60] = np.arange(60) + 2  # each of a class of its own
    order = rng.permutation(400)
    hp = Hyperparameters(epochs=1, hidden_units=(4,), patience=3, validation_samples=80)
    trained = train_on_shards(Experiment(data="d", hyperparameters=hp), array_shards(X[order], y[order], 3))
    assert len(trained.predictor.targets.classes) > 40


def test_balanced_classes_are_not_those_of_one_part_of_the_samples():
    X, y = np.eye(6), np.array([0, 0, 0, 0, 1, 1])
    model = MLPClassifier(class_weight="balanced", epochs=2)
    with pytest.raises(ValueError, match="class_weight='balanced' is for fit"):
        model.partial_fit(X, y, classes=[0, 1])


def test_a_path_may_be_text_and_text_may_be_a_path(noise):
    hp = Hyperparameters(epochs=2, hidden_units=(4,))
    trained = train(Experiment(data=noise, target="y", hyperparameters=hp))
    prepared = prepare(Experiment(data=noise, target="y", hyperparameters=hp))
    file = str(noise.parent / "m.safetensors")
    save_model(file, trained.predictor.saved(prepared.configuration))
    export_onnx(load_model(file), str(noise.parent / "m.onnx"))
    assert load_model(file).configuration["data"] == str(noise)
    assert report_on(file)[0]
    assert load(file).target == "y"
    with pytest.raises(InputError, match="nowhere"):
        train(Experiment(data="moons", hyperparameters=hp), resume=str(noise.parent / "nowhere"))


def test_a_model_that_does_not_say_its_data_is_measured_with_data_that_are_given(noise):
    folder = noise.parent
    hp = Hyperparameters(epochs=2, hidden_units=(4,))
    trained = train(Experiment(data=str(noise), target="y", hyperparameters=hp))
    save_model(folder / "served.safetensors", trained.predictor.saved())
    assert_one_line_error(run("evaluate", "served.safetensors", folder=folder), "give the data to measure it with")
    result = run("evaluate", "served.safetensors", "noise.csv", folder=folder)
    assert result.returncode == 0, result
    assert "100 samples" in result.stdout
    again = run("train", "noise.csv", "--target", "y", "--init", "served.safetensors", *FEW, folder=folder)
    assert again.returncode == 0, again


def test_a_search_from_python_goes_on_where_it_was(tmp_path):
    experiment = Experiment(data="moons", hyperparameters=Hyperparameters(epochs=1, hidden_units=(4,)))
    space = {"learning_rate": [0.01, 0.02]}
    options = {"folder": tmp_path / "study", "workers": 1}
    tune(experiment, space, trials=1, **options)
    tune(experiment, space, trials=2, **options)
    assert len(open_study(tmp_path / "study").trials()) == 2
    with pytest.raises(InputError, match="another study"):
        tune(experiment, {"learning_rate": [0.01, 0.03]}, trials=1, **options)


def test_a_callback_may_stop_a_training_that_has_ended():
    ended = []

    class Last(Callback):
        def on_end(self, run):
            ended.append(run.epoch)
            raise StopTraining

    rng = np.random.default_rng(0)
    model = NN2().initialize(3, 2, seed=0)
    hp = Hyperparameters(epochs=1, hidden_units=(2,))
    fit(
        model, rng.random((20, 3), np.float32), rng.integers(2, size=20), hyperparameters=hp, callbacks=[Last(), Last()]
    )
    assert ended == [1, 1]
