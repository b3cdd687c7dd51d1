"""The one path: what is refused at its door, and what a run records of it."""

import json
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import polars
import pytest

from command import COMMAND, assert_one_line_error, run
from events import wait_for
from mlcvkit import InputError
from mlcvkit.datasets import Samples, read
from mlcvkit.estimators import MLPClassifier, load_estimator
from mlcvkit.experiments import KINDS, Experiment, Labels, load, prepare, recipe_for, train
from mlcvkit.models import MLP
from mlcvkit.training import Checkpoint, Hyperparameters, Training

VERSION = Path(__file__).parents[2] / "data/versions/0.1.0-a"


def images(channels=(), N=300):
    rng = np.random.default_rng(0)
    X = rng.integers(256, size=(N, 6, 6, *channels)).astype(np.uint8)
    return Samples("pictures", X, (X.reshape(N, -1).mean(axis=1) > 127).astype(int), "y", "")


@pytest.mark.parametrize("kind", KINDS)
def test_an_experiment_has_hyperparameters_that_its_network_uses(kind):
    experiment = Experiment(data="moons", model=kind)
    assert experiment.hyperparameters == recipe_for(kind)
    assert Experiment.from_dict(experiment.to_dict()) == experiment
    few = replace(experiment, hyperparameters=replace(experiment.hyperparameters, epochs=2))
    trained = train(few)
    assert trained.predictor.measure(*trained.test)["samples"] == 80


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "mpl"}, "model must be one of mlp, nn2, nn1, perceptron; got 'mpl'"),
        ({"task": "class"}, "task must be one of classification, regression; got 'class'"),
        ({"test_fraction": 1.5}, "test_fraction must be at least 0 and below 1"),
    ],
)
def test_a_name_that_is_unknown_is_refused_at_once(options, words):
    with pytest.raises(InputError, match=words):
        Experiment(data="moons", **options)


def test_what_data_have_no_use_for_is_refused():
    with pytest.raises(InputError, match="image_size scales the images of a folder: leave it out for moons"):
        train(Experiment(data="moons", image_size=5))


@pytest.mark.parametrize(
    ("kind", "loss"), [("mlp", "huber"), ("nn2", "huber"), ("nn2", "categorical_cross_entropy"), ("nn1", "huber")]
)
def test_a_loss_that_cannot_be_minimised_is_refused_with_those_that_can(kind, loss, tmp_path):
    with pytest.raises(InputError, match=f"{kind} cannot minimise loss={loss} here; choose one of cross_entropy"):
        train(Experiment(data="moons", model=kind, hyperparameters=replace(recipe_for(kind), loss=loss)))
    done = run("train", "moons", "--model", kind, "--loss", loss, folder=tmp_path)
    assert_one_line_error(done, f"cannot minimise loss={loss}")


@pytest.mark.parametrize("channels", [(), (3,)], ids=["grey", "colour"])
@pytest.mark.parametrize("patience", [0, 3])
def test_what_is_recorded_of_images_holds_out_the_same_rows_again(channels, patience):
    samples = images(channels)
    hp = Hyperparameters(hidden_units=(4,), epochs=2, patience=patience, validation_samples=40)
    prepared = prepare(Experiment(hyperparameters=hp), samples)
    assert prepared.configuration["validation_samples"] == len(prepared.validation[1]) == 40
    again = prepare(Experiment.from_dict(prepared.configuration), samples)
    np.testing.assert_array_equal(again.rows, prepared.rows)
    none = prepare(Experiment(hyperparameters=replace(hp, validation_samples=0, patience=0)), samples)
    assert none.validation is None and none.samples == 240


def test_only_grey_images_are_distorted():
    hp = Hyperparameters(hidden_units=(4,), epochs=1, rotation=5.0)
    assert prepare(Experiment(hyperparameters=hp), images()).configuration["rotation"] == 5.0
    with pytest.raises(InputError, match=r"would not use rotation=5\.0: only grey images"):
        prepare(Experiment(hyperparameters=hp), images((3,)))


def test_several_labels_are_smoothed_alike_here_and_elsewhere():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=(60, 3))
    expected = Labels(np.arange(3)).encode(y, np.float64, 0.2)
    assert set(np.unique(expected.round(9))) == {0.1, 0.9}
    estimator = MLPClassifier(label_smoothing=0.2, epochs=1).fit(rng.normal(size=(60, 2)), y)
    np.testing.assert_allclose(estimator._smoothed(y.astype(float)), expected)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, 2.0])
def test_label_smoothing_out_of_its_range_is_refused(smoothing):
    X = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.raises(ValueError, match="label_smoothing must be at least 0 and below 1"):
        MLPClassifier(label_smoothing=smoothing).fit(X, (X[:, 0] > 0).astype(int))


def test_a_warm_start_goes_on_with_the_same_network_or_not_at_all():
    X = np.random.default_rng(0).normal(size=(40, 2))
    y = (X[:, 0] > 0).astype(int)
    estimator = MLPClassifier(warm_start=True, hidden_units=(5,), epochs=1).fit(X, y)
    estimator.set_params(learning_rate=0.1).fit(X, y)
    with pytest.raises(ValueError, match="hidden_units changed, but the training goes on with the network"):
        estimator.set_params(hidden_units=(7,)).fit(X, y)


def test_an_unmeasured_training_has_no_patience():
    X, y = np.zeros((10, 2)), np.zeros(10)
    hp = Hyperparameters(epochs=2, patience=1)
    with pytest.raises(InputError, match="patience needs the validation loss"):
        Training(MLP((2,)).initialize(2), X, y, validation=(X, y), hyperparameters=hp, measured=False)


def test_an_old_run_of_parity_is_read_as_a_new_one_everywhere(tmp_path):
    for place in ("trained/parity/model.safetensors", "trained/parity"):
        assert load(VERSION / place).targets.class_names == ("odd", "even")
    estimator = load_estimator(VERSION / "trained/parity/model.safetensors")
    X = read("mnist-parity").test[0][:50].reshape(50, -1) / np.float32(255)
    predicted = load(VERSION / "trained/parity").predict(read("mnist-parity").test[0][:50])
    assert [("odd", "even")[int(label)] for label in estimator.predict(X)] == predicted.tolist()
    shutil.copytree(VERSION / "trained/parity", tmp_path / "r")
    assert run("export", "r", folder=tmp_path).returncode == 0
    pixels = read("mnist-parity").test[0][:50].reshape(50, -1).astype(np.float32)
    label = onnxruntime.InferenceSession(tmp_path / "r/model.onnx").run(["label"], {"X": pixels})[0]
    assert [("odd", "even")[int(one)] for one in label] == predicted.tolist()
    assert_one_line_error(run("evaluate", "r", "mnist", folder=tmp_path), "mnist has other targets than mnist-parity")
    given = json.loads(run("evaluate", "r", "mnist-parity", "--json", folder=tmp_path).stdout)
    assert given == json.loads(run("evaluate", "r", "--json", folder=tmp_path).stdout) and given["samples"] == 10_000


def test_an_old_run_that_was_stopped_goes_on(tmp_path):
    shutil.copytree(VERSION / "trained/stopped", tmp_path / "r")
    text = (tmp_path / "r/config.toml").read_text()
    data = next(line for line in text.splitlines() if line.startswith("data = "))
    (tmp_path / "r/config.toml").write_text(text.replace(data, f'data = "{VERSION / "people.csv"}"'))
    before = Checkpoint.read(tmp_path / "r").epoch
    process = subprocess.Popen([*COMMAND, "train", "--resume", "r"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: Checkpoint.read(tmp_path / "r").epoch > before, process)
    process.send_signal(signal.SIGINT)
    assert process.communicate()[1] == "" and process.returncode == 130


def test_classes_that_a_model_does_not_know_are_counted(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=200)
    table = polars.DataFrame({"x": X, "y": np.where(X > 0, "up", "down")})
    table.write_csv(tmp_path / "t.csv")
    assert run("train", "t.csv", "--target", "y", "--epochs", "5", "--name", "r", folder=tmp_path).returncode == 0
    table[:50].with_columns(y=polars.Series(["up"] * 40 + ["aside"] * 10)).write_csv(tmp_path / "u.csv")
    assert json.loads(run("evaluate", "runs/r", "u.csv", "--json", folder=tmp_path).stdout)["unknown"] == 10
    assert "10 samples are of classes that the model does not know" in run(
        "evaluate", "runs/r", "u.csv", folder=tmp_path
    ).stdout.replace("\n", " ")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sweep prices.csv --target price --label-smoothing 0.1,0.2", "label_smoothing=0.1: it is for classes"),
        ("sweep moons --shift 0,1", "only grey images"),
        ("sweep moons --momentum 0.1,0.2", "the optimizer adam has none"),
        ("tune moons --momentum 0.1:0.9", "the optimizer adam has none"),
    ],
)
def test_a_search_refuses_at_once_what_none_of_its_trials_would_use(line, words, tmp_path):
    rng = np.random.default_rng(0)
    polars.DataFrame({"size": rng.normal(size=60), "price": rng.normal(size=60)}).write_csv(tmp_path / "prices.csv")
    assert_one_line_error(run(*line.split(), folder=tmp_path), words)


def test_balanced_classes_count_alike(tmp_path):
    rng = np.random.default_rng(0)
    y = np.where(rng.random(600) < 0.06, "rare", "common")
    X = polars.DataFrame({"a": rng.normal(size=600) + 1.2 * (y == "rare"), "b": rng.normal(size=600)})
    samples = Samples("t", X, y, "y", "")
    recall = {}
    for weight in (None, "balanced"):
        trained = train(Experiment(class_weight=weight), samples)
        confusion = trained.predictor.measure(X, y)["confusion"]["rare"]
        recall[weight] = confusion["rare"] / sum(confusion.values())
    assert recall[None] < 0.3 and recall["balanced"] > 0.6
    numbers = Samples("t", X, rng.normal(size=600), "y", "")
    with pytest.raises(InputError, match="class_weight is for classes"):
        train(Experiment(class_weight="balanced"), numbers)
    with pytest.raises(InputError, match="must be 'balanced'"):
        Experiment(class_weight="equal")
