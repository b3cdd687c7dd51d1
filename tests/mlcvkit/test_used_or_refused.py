"""What a command or a function is given is used, or an error says that it is not: where the circumstances decide."""

import json
import re
import subprocess
import sys

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
    MLPClassifier,
    MLPRegressor,
    TableEncoder,
    load,
    prepare,
    save_model,
    threads,
    train,
    tune,
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


@pytest.fixture
def people(tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{int(a > 0)}" for a in rng.normal(size=60)]
    (tmp_path / "t.csv").write_text("\n".join(["a,y", *rows]) + "\n")
    return tmp_path


@pytest.mark.parametrize("key", ['config = "other.toml"', 'resume = "runs/r"'])
def test_a_file_of_options_names_no_other_file_and_resumes_nothing(people, key):
    (people / "c.toml").write_text(f'data = "t.csv"\ntarget = "y"\nepochs = 1\n{key}\n')
    result = run("train", "--config", "c.toml", folder=people)
    assert_one_line_error(result, f"{key.split()[0]} is for the command line")


def test_an_init_in_a_file_is_an_init(people):
    first = ("--hidden-units", "5", "--activation", "tanh", "--epochs", "1", "--name", "first")
    assert run("train", "t.csv", "--target", "y", *first, folder=people).returncode == 0
    (people / "c.toml").write_text('data = "t.csv"\ntarget = "y"\nepochs = 1\ninit = "runs/first"\n')
    done = run("train", "--config", "c.toml", "--name", "second", folder=people)
    assert done.returncode == 0, done.stderr
    assert "hidden_units = [5]" in (people / "runs/second/config.toml").read_text().replace("[\n    5,\n]", "[5]")
    refused = run("train", "--config", "c.toml", "--initialization", "he", folder=people)
    assert_one_line_error(refused, "--init would not use initialization=he")


def test_an_order_of_days_that_no_date_needs_is_told(people):
    done = run("train", "t.csv", "--target", "y", "--epochs", "1", "--day-first", folder=people)
    assert "--day-first is not used" in " ".join(done.stdout.split())
    dates = [f"{1 + i % 9}/{1 + i % 7}/2020,{i % 2}" for i in range(60)]
    (people / "d.csv").write_text("\n".join(["d,y", *dates]) + "\n")
    done = run("train", "d.csv", "--target", "y", "--epochs", "1", "--day-first", folder=people)
    assert done.returncode == 0 and "is not used" not in done.stdout


def test_output_that_was_closed_before_is_an_error_where_it_is_the_result(people):
    assert run("train", "t.csv", "--target", "y", "--epochs", "1", "--name", "r", folder=people).returncode == 0
    line = f"exec {sys.executable} -m mlcvkit predict runs/r t.csv >&-"
    done = subprocess.run(["sh", "-c", line], cwd=people, capture_output=True, text=True)
    assert done.returncode == 1 and "mlcvlab: error" in done.stderr and "Traceback" not in done.stderr


def test_losses_to_search_without_the_default_are_searched(people):
    options = ("--loss", "l2,mse", "--epochs", "1", "--trials", "1", "--workers", "1")
    done = run("tune", "t.csv", "--target", "y", *options, folder=people)
    assert done.returncode == 0, done.stderr
    assert "the defaults are no trial" in " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("call", [train, prepare, lambda what: tune(what, folder="x")])
@pytest.mark.parametrize("what", ["moons", Hyperparameters(), None])
def test_what_is_no_experiment_is_refused_by_its_name(call, what):
    with pytest.raises(TypeError, match="is an Experiment, such as"):
        call(what)


def test_folds_of_data_with_a_test_set_of_their_own_say_so(tmp_path):
    result = run("train", "mnist", "--folds", "2", folder=tmp_path)
    assert_one_line_error(result, "has a test set of its own")


def test_leaving_out_every_column_says_so(people):
    result = run("train", "t.csv", "--target", "y", "--leave-out", "a", folder=people)
    assert_one_line_error(result, "every other column is left out")


def test_parameters_of_an_estimator_without_effect_are_warned_of():
    X, y = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 2
    for given, data in [
        ({"tol": 5.0, "validation_fraction": 0.2, "patience": 3}, None),
        ({"tol": 5.0, "patience": 0}, None),
        ({"validation_fraction": 0.2, "patience": 3}, (X, y)),
    ]:
        with pytest.warns(UserWarning, match="is not used"):
            MLPClassifier(epochs=1, **given).fit(X, y, validation_data=data)
