"""What a command or a function is given is used, or an error says that it is not: where the circumstances decide."""

import json
import re

import numpy as np
import onnxruntime
import pexpect
import polars
import pytest
from PIL import Image
from threadpoolctl import threadpool_limits

from command import COMMAND, assert_one_line_error, run
from mlcvkit import (
    Experiment,
    Hyperparameters,
    InputError,
    MLPRegressor,
    TableEncoder,
    load,
    save_model,
    threads,
    train,
)
from mlcvkit.cluster import array_shards, train_on_shards
from mlcvkit.datasets import Samples, is_even, mnist, mnist_digits, toys
from mlcvkit.experiments import recipe_for
from mlcvkit.storage import export_onnx

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run, a resumable one, one of images, a study, and a table in two formats."""
    folder = tmp_path_factory.mktemp("work")
    table = polars.DataFrame({"x": RNG.integers(0, 9, 60), "y": RNG.integers(0, 2, 60)})
    table.write_parquet(folder / "t.parquet")
    table.write_csv(folder / "t.csv")
    for i in range(20):
        place = folder / "pictures" / "ab"[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.integers(0, 255, (6, 6), dtype=np.uint8)).save(place / f"{i}.png")
    few = ("--epochs", "1", "--name")
    for command in (
        ("train", "moons", *few, "r"),
        ("train", "moons", "--checkpoint-every", "1", *few, "kept"),
        ("train", "pictures", *few, "images"),
        ("sweep", "moons", "--learning-rate", "0.1,0.2", "--repeats", "1", "--workers", "1", *few, "sweep"),
    ):
        assert run(*command, folder=folder).returncode == 0, command
    return folder


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("evaluate runs/r --target y", "the target y"),
        ("report runs/r --target y", "the target y"),
        ("report runs/sweep --target y", "the target y"),
        ("train --resume runs/kept --output here", "leave out --output"),
        ("train --resume runs/kept --init runs/r", "leave out --init"),
        ("train moons --init runs/r --initialization he", "would not use initialization=he"),
        ("train t.csv --target y --folds 2 --test-fraction 0.2", "leave out a test set and test_fraction"),
        ("train t.csv --target y --test t.csv --test-fraction 0.2", "leave out test_fraction"),
        ("sweep --resume runs/sweep --output here", "leave out --output"),
        ("sweep --resume runs/sweep --target y", "leave out --target"),
        ("tune --resume runs/sweep --max-categories 3", "leave out --max-categories"),
        ("data describe t.parquet --no-header", "--header is for text files"),
        ("data describe pictures --max-categories 3", "--max-categories is for tables"),
        ("data describe moons --day-first", "--day-first is for tables"),
        ("predict runs/images pictures/a/0.png --no-clip", "--no-clip is for tables"),
        ("evaluate runs/images --no-clip", "--no-clip is for tables"),
        *(
            (f"grade x --format gradescope {option}", f"{option.split()[0]} has no use with --format gradescope")
            for option in ("--title T", "--pattern x(?P<id>.)", "--late 10", "--keep best", "--keep last", "--jobs 2")
        ),
    ],
)
def test_an_option_that_would_not_be_used_is_refused(folder, command, words):
    assert_one_line_error(run(*command.split(), folder=folder), words)


def test_the_options_of_a_description_are_those_of_a_training(folder):
    described = run("data", "describe", "t.csv", "--target", "y", "--categorical", "x", "--json", folder=folder)
    columns = {column["name"]: column["kind"] for column in json.loads(described.stdout)["columns"]}
    assert columns == {"x": "category", "y": "target"}
    assert run("data", "describe", "t.csv", folder=folder).returncode == 0


@pytest.mark.parametrize(
    "option",
    [{"class_weight": "balanced"}, {"init": "runs/r"}, {"max_categories": 3}, {"leave_out": ("x",)}, {"header": False}],
)
def test_a_training_on_shards_refuses_what_it_would_not_use(option):
    shards = array_shards(RNG.normal(size=(60, 2)), RNG.integers(0, 2, 60), 2)
    experiment = Experiment(data="d", hyperparameters=recipe_for("mlp", "cluster"), **option)
    with pytest.raises(InputError, match=f"{next(iter(option))} is for a training on this machine"):
        train_on_shards(experiment, shards)


def test_images_of_two_bytes_are_learned_on_shards_as_they_are_predicted():
    bright = RNG.integers(0, 2, 240).astype(bool)
    X = (RNG.integers(0, 30_000, (240, 4, 4)) + 30_000 * bright[:, None, None]).astype(np.uint16)
    hp = Hyperparameters(epochs=100, hidden_units=(8,), learning_rate=0.01, local_steps=5, batch_size=16, patience=0)
    trained = train_on_shards(Experiment(data="d", hyperparameters=hp), array_shards(X, bright.astype(int), 3))
    assert (trained.predictor.predict(X) == bright).mean() > 0.95


def test_whether_bits_hang_on_threads_is_found_anew_where_more_threads_may_be_used():
    a, b = np.ones((128, 784), np.float32), np.ones((784, 128), np.float32)

    threads._gives_the_same_bits.cache_clear()
    with threadpool_limits(1):
        threads._is_safe(a, b)
    with threadpool_limits(2):
        threads._is_safe(a, b)
    assert threads._gives_the_same_bits.cache_info().misses == 2


def test_an_encoder_that_does_not_clip_is_exported_as_one(tmp_path):
    table = polars.DataFrame({"x": np.linspace(0, 1, 60), "y": np.linspace(0, 1, 60)})
    hp = Hyperparameters(epochs=3, hidden_units=(4,), patience=0)
    trained = train(Experiment(data="t", target="y", task="regression", hyperparameters=hp), _samples(table))
    far = polars.DataFrame({"x": [0.5, 40.0]})
    answers = []
    for clip in (True, False):
        trained.predictor.encoder.clip = clip
        saved = trained.predictor.saved()

        export_onnx(saved, tmp_path / "m.onnx")
        session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
        [got] = session.run(None, {session.get_inputs()[0].name: far["x"].to_numpy().astype(np.float32)[:, None]})
        np.testing.assert_allclose(got.ravel(), trained.predictor.predict(far), rtol=1e-4)
        answers.append(got.ravel()[1])
    assert answers[0] != pytest.approx(answers[1], rel=0.1)


def _samples(table):
    return Samples("t", table.select("x"), table["y"].to_numpy(), "y", "")


def test_an_estimators_file_says_how_it_is_read(tmp_path):
    X = RNG.normal(size=(40, 2))
    MLPRegressor(epochs=2).fit(X, X[:, 0]).save(tmp_path / "m.safetensors")
    with pytest.raises(InputError, match=re.escape("load it with mlcvkit.load_estimator")):
        load(tmp_path / "m.safetensors")


def test_a_run_may_be_a_file_of_any_name(tmp_path):
    hp = Hyperparameters(epochs=1, hidden_units=(2,))
    trained = train(Experiment(data="moons", hyperparameters=hp))
    for name in ("one.safetensors", "two.safetensors"):
        save_model(tmp_path / name, trained.predictor.saved())
    assert run("runs", "one.safetensors", "two.safetensors", folder=tmp_path).returncode == 0


def test_the_parity_of_mnist_is_read_without_scaling_its_images(monkeypatch):
    monkeypatch.setattr(mnist_digits, "scale_images", None)
    samples, digits = toys.mnist_even(), mnist()
    assert samples[0].dtype == np.uint8
    np.testing.assert_array_equal(samples[1], is_even(digits.train_y))


def test_ctrl_c_between_repetitions_keeps_those_that_are_complete(folder):
    words = [
        "train",
        "moons",
        "--epochs",
        "2000",
        "--patience",
        "0",
        "--batch-size",
        "8",
        "--repeats",
        "3",
        "--name",
        "many",
    ]
    child = pexpect.spawn(COMMAND[0], [*COMMAND[1:], *words], cwd=str(folder), timeout=None)
    child.expect("Training 2 of 3")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    summary = json.loads((folder / "runs/many/result.json").read_text())
    for one in summary["runs"]:
        assert json.loads((folder / one["run"] / "result.json").read_text())["accuracy"] == one["accuracy"]
    assert len(summary["runs"]) in (1, 2)
    assert not [path for path in (folder / "runs/many").iterdir() if path.name.startswith(".")]


def test_the_encoder_of_a_frame_keeps_its_choice_of_clipping():
    encoder = TableEncoder(clip=False).fit(polars.DataFrame({"x": np.linspace(0, 1, 20)}))
    assert encoder.transform(polars.DataFrame({"x": [100.0]}))[0, 0] > 50
