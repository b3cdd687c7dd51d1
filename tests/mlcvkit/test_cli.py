"""The mlcvlab command as a real process."""

import re
import signal
import subprocess
import sys
import time
import tomllib
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pexpect
import pytest
from PIL import Image

from command import COMMAND, assert_one_line_error, run
from events import version_of, wait_for
from mlcvkit import datasets
from mlcvkit.experiments import used
from mlcvkit.storage import MODEL_FILE, load_model
from mlcvkit.training import RECIPES, Hyperparameters
from soak import repeated

VERSION = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["version"]
QUICK = ["--epochs", "2", "--hidden-units", "16", "--batch-size", "512"]

OF_A_RUN = ["config.toml", "curves.png", "hidden_units.png", MODEL_FILE, "result.json"]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    return folder, run("train", *QUICK, "--name", "first", folder=folder)


def test_train_reports_its_accuracy_and_saves_the_run(trained):
    folder, result = trained
    assert (result.returncode, result.stderr) == (0, "")
    reported = float(re.search(r"Test accuracy ([\d.]+)%", result.stdout).group(1))
    assert reported > 88
    assert "Saved to runs/first" in result.stdout and "predicted even" in result.stdout
    assert "samples/s" in result.stdout
    assert "first" in names(folder / "runs")
    assert names(folder / "runs" / "first") == [
        "config.toml",
        "curves.png",
        "hidden_units.png",
        "model.safetensors",
        "result.json",
    ]
    for picture in ("curves.png", "hidden_units.png"):
        with Image.open(folder / "runs" / "first" / picture) as image:
            assert image.width > 800
    saved = load_model(folder / "runs" / "first")
    assert saved.configuration["hidden_units"] == [16] and saved.configuration["seed"] == 0
    assert len(saved.history["validation_accuracy"]) == 2
    data = datasets.mnist_parity()
    accuracy = ((saved.model.nn2(data.test_X.T)[0] >= 0.5) == (data.test_y == 1)).mean()
    assert reported == pytest.approx(100 * accuracy, abs=0.005)


def test_the_same_seed_gives_the_same_weights_bit_for_bit(trained):
    folder, _ = trained
    assert run("train", *QUICK, "--name", "again", folder=folder).returncode == 0
    assert run("train", *QUICK, "--seed", "1", "--name", "other", folder=folder).returncode == 0
    first, again, other = (load_model(folder / "runs" / name).model.W for name in ("first", "again", "other"))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, again, strict=True))
    assert first[0].tobytes() != other[0].tobytes()


def test_evaluate_and_predict_work_on_what_train_saved(trained, digit_image):
    folder, result = trained
    for place in ("runs/first", "runs/first/model.safetensors"):
        evaluated = run("evaluate", place, folder=folder)
        assert evaluated.returncode == 0
        assert re.search(r"Test accuracy.*", evaluated.stdout).group() in result.stdout
    predicted = run("predict", "runs/first", digit_image, folder=folder)
    model = load_model(folder / "runs" / "first").model
    even = float(model.nn2(datasets.scale_images(datasets.read_digit(digit_image)).T)[0, 0])
    answer = f"even, with probability {even:.4f}" if even >= 0.5 else f"odd, with probability {1 - even:.4f}"
    assert (predicted.returncode, predicted.stdout) == (0, answer + "\n")
    Image.fromarray(255 - np.array(Image.open(digit_image))).save(digit_image)
    assert run("predict", "runs/first", digit_image, "--invert", folder=folder).stdout == predicted.stdout


def test_one_thread_is_enough_and_changes_no_result_much(trained):
    folder, _ = trained
    assert run("train", *QUICK, "--threads", "1", "--name", "single", folder=folder).returncode == 0
    single, first = (load_model(folder / "runs" / name).model.W[0] for name in ("single", "first"))
    np.testing.assert_allclose(single, first, atol=1e-2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--learning-rate", "-1"], ["learning_rate must be positive and finite; got -1.0"]),
        (["--learning-rate", "nan"], ["learning_rate"]),
        (["--hidden-units", "0"], ["hidden_units must be 1 or more in each layer; got (0,)"]),
        (["--hidden-units", "many"], ["--hidden-units", "many"]),
        (["--optimizer", "adagrad"], ["--optimizer", "adagrad", "adam", "sgd"]),
        (["--loss", "hinge"], ["--loss", "hinge", "cross_entropy"]),
        (["--lerning-rate", "1"], ["--lerning-rate", "--learning-rate"]),
        (["--validation-samples", "60000"], ["validation_samples must be below the 60000 training samples"]),
        (["--name", "a/b"], ["a run's name", "a/b"]),
        (["--recipe", "fastest"], ["--recipe", "default", "quick", "best"]),
        (["--checkpoint-every", "0"], ["checkpoint_every must be 1 or more; got 0"]),
        (["--resume", "nowhere"], ["nowhere has no checkpoint.safetensors"]),
        (["--epochs", "1.5"], ["--epochs must be a whole number; got 1.5"]),
        (["--hidden-units", "8", "2.5"], ["--hidden-units must be a whole number; got 2.5"]),
        (["--seed", "0.5"], ["--seed must be a whole number; got 0.5"]),
        (["--seed", "4294967296"], ["seed must be 0 or more, and below 4,294,967,296"]),
        (["--checkpoint-every", "nan"], ["--checkpoint-every must be a whole number; got nan"]),
        (["--init", "nowhere"], ["nowhere does not exist"]),
        (["--threads", "0"], ["threads must be 1 or more; got 0"]),
        (["stray"], ["stray"]),
    ],
)
def test_a_wrong_option_is_one_line_and_nothing_is_written(tmp_path, options, words):
    assert_one_line_error(run("train", *options, folder=tmp_path), *words)
    assert names(tmp_path) == []


def test_an_unknown_command_is_one_line(tmp_path):
    assert_one_line_error(run("trian", folder=tmp_path), "trian", "train")


def test_an_output_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    assert_one_line_error(run("train", "--output", "file/runs", folder=tmp_path), "file/runs cannot be written")
    assert names(tmp_path) == ["file"]


def test_a_name_that_is_taken_is_one_line_and_the_run_stays(trained):
    folder, _ = trained
    before = (folder / "runs" / "first" / "model.safetensors").read_bytes()
    assert_one_line_error(run("train", "--name", "first", folder=folder), "runs/first exists already")
    assert (folder / "runs" / "first" / "model.safetensors").read_bytes() == before


def test_a_file_that_is_no_model_is_one_line(tmp_path, saved_run, digit_image):
    model = saved_run / "model.safetensors"
    model.write_bytes(model.read_bytes()[:1000])
    for arguments in (["evaluate", saved_run], ["predict", saved_run, digit_image], ["evaluate", digit_image]):
        assert_one_line_error(run(*arguments, folder=tmp_path), "is truncated or not a model file")
    assert_one_line_error(run("evaluate", tmp_path / "nothing", folder=tmp_path), "nothing does not exist")


def test_an_image_of_the_wrong_kind_is_one_line(tmp_path, saved_run):
    picture = tmp_path / "picture.png"
    picture.write_text("no picture")
    assert_one_line_error(run("predict", saved_run, picture, folder=tmp_path), "picture.png is not an image")
    Image.new("L", (64, 64)).save(picture)
    assert_one_line_error(run("predict", saved_run, picture, folder=tmp_path), "64 x 64", "28 x 28")


def test_a_learning_rate_that_diverges_is_one_line_and_nothing_is_written(tmp_path):
    result = run("train", *QUICK, "--optimizer", "sgd", "--learning-rate", "1e30", folder=tmp_path)
    assert result.returncode == 1
    assert re.fullmatch(r"mlcvlab: error: training diverged: .*learning_rate=1e\+30; [^\n]+\n", result.stderr)
    assert names(tmp_path) == []


def test_a_network_larger_than_memory_is_one_line_and_nothing_is_written(tmp_path):
    result = run("train", "--hidden-units", "100000000000", folder=tmp_path)
    assert result.returncode == 1
    assert re.fullmatch(r"mlcvlab: error: not enough memory: [^\n]+\n", result.stderr)
    assert names(tmp_path) == []


def test_a_disk_that_is_full_is_one_line_and_nothing_is_left(tmp_path):
    datasets.mnist()  # is in the cache before the disk is full
    limited = ["bash", "-c", 'ulimit -f 200; trap "" XFSZ; exec "$@"', "--"]
    result = subprocess.run(
        [*limited, *COMMAND, "train", "--epochs", "1", "--batch-size", "512"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert re.fullmatch(r"mlcvlab: error: [^\n]*model.safetensors cannot be written[^\n]*\n", result.stderr)
    assert names(tmp_path) == []


def test_a_recipe_fills_in_what_is_not_given(tmp_path):
    given = ["--recipe", "quick", "--hidden-units", "16", "--epochs", "1", "--batch-size", "512"]
    assert run("train", *given, "--name", "r", folder=tmp_path).returncode == 0
    configuration = load_model(tmp_path / "runs" / "r").configuration
    expected = used(
        replace(RECIPES["quick"], hidden_units=16, epochs=1, batch_size=512), "nn2", images=True, distortable=True
    )
    assert {"learning_rate", "schedule", "validation_samples"} < set(expected)
    assert {name: configuration[name] for name in expected} == expected | {"hidden_units": [16]}
    assert replace(RECIPES["quick"], batch_size=512) != replace(Hyperparameters(), batch_size=512)


def test_train_without_data_is_a_recipe_of_the_one_path(tmp_path):
    """The same network to the last bit, and each of the two configurations trains it again."""
    small = ["--epochs", "1", "--hidden-units", "16", "--batch-size", "512"]
    spelled_out = ["mnist-parity", "--model", "nn2", "--recipe", "default"]
    assert run("train", *small, "--name", "short", folder=tmp_path).returncode == 0
    assert run("train", *spelled_out, *small, "--name", "long", folder=tmp_path).returncode == 0
    assert run("train", "--config", "runs/short/config.toml", "--name", "again", folder=tmp_path).returncode == 0
    short, long, again = (load_model(tmp_path / "runs" / name) for name in ("short", "long", "again"))
    for other in (long, again):
        assert all(a.tobytes() == b.tobytes() for a, b in zip(short.model.W, other.model.W, strict=True))
        assert short.configuration == other.configuration


def test_the_quick_recipe_reaches_985_of_1000_test_images(tmp_path):
    result = run("train", "--recipe", "quick", folder=tmp_path)
    assert result.returncode == 0
    assert float(re.search(r"Test accuracy ([\d.]+)%", result.stdout).group(1)) >= 98.5


SMALL = ["--hidden-units", "16", "--batch-size", "512", "--shift", "1", "--checkpoint-every", "1"]
KEPT = [*SMALL, "--epochs", "8", "--average-epochs", "5"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The weights of a training that nobody kills."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert run("train", *KEPT, "--name", "r", folder=folder).returncode == 0
    return weights_of(folder / "runs/r")


def weights_of(folder):
    return [w.tobytes() for w in load_model(folder).model.W]


@repeated("kills of a training", test=1, soak=30, full=1000)
def test_a_run_killed_at_a_random_instant_ends_with_the_same_weights_bit_for_bit(tmp_path, undisturbed, seed):
    """Killed while it starts, or some instant after one of its checkpoints, and gone on with."""
    rng = np.random.default_rng(seed)
    folder = tmp_path / "runs/r"
    checkpoint = folder / "checkpoint.safetensors"
    process = subprocess.Popen([*COMMAND, "train", *KEPT, "--name", "r"], cwd=tmp_path, stdout=subprocess.DEVNULL)
    if seed % 3:
        for _ in range(rng.integers(1, 7)):
            before = version_of(checkpoint)
            wait_for(lambda before=before: version_of(checkpoint) != before or process.poll() is not None)
    time.sleep(rng.uniform(0, 0.3 if seed % 3 else 1.5))
    process.kill()
    process.wait()
    if not (folder / "model.safetensors").exists():
        options = ["--resume", "runs/r"] if checkpoint.exists() else [*KEPT, "--name", "r"]
        assert run("train", *options, folder=tmp_path).returncode == 0
    assert weights_of(folder) == undisturbed
    assert names(folder) == [
        "checkpoint.safetensors",
        "config.toml",
        "curves.png",
        "hidden_units.png",
        MODEL_FILE,
        "result.json",
    ]


@contextmanager
def endless_training(folder, *options):
    """A run named r that trains until it is stopped."""
    command = [*COMMAND, "train", "moons", "--epochs", "10000000", "--patience", "0", "--name", "r", *options]
    with (folder / "printed.txt").open("w") as printed:
        process = subprocess.Popen(command, cwd=folder, stdout=printed)
    try:
        wait_for(lambda: "Training mlp" in (folder / "printed.txt").read_text(), process)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("kept", [[], ["--checkpoint-every", "1"]])
def test_a_second_run_of_the_same_name_is_told_at_its_start_and_costs_the_first_nothing(tmp_path, kept):
    with endless_training(tmp_path, *kept) as first:
        second = run("train", "moons", "--epochs", "1", "--name", "r", folder=tmp_path)
        assert_one_line_error(second, "another run is being saved as runs/r; choose another --name")
        if kept:
            wait_for(lambda: (tmp_path / "runs/r/checkpoint.safetensors").exists(), first)
            second = run("train", "--resume", "runs/r", folder=tmp_path)
            assert_one_line_error(second, "another process is training in runs/r")
        first.send_signal(signal.SIGINT)
        assert first.wait() == 130
    assert run("evaluate", "runs/r", folder=tmp_path).returncode == 0
    assert names(tmp_path / "runs") == ["r"]


def test_what_a_killed_run_left_takes_no_name(tmp_path):
    with endless_training(tmp_path):
        assert names(tmp_path / "runs") == [".r.partial"]
    assert run("train", "moons", "--epochs", "1", "--name", "other", folder=tmp_path).returncode == 0
    assert names(tmp_path / "runs") == ["other"]
    with endless_training(tmp_path):
        pass
    assert run("train", "moons", "--epochs", "1", "--name", "r", folder=tmp_path).returncode == 0
    assert names(tmp_path / "runs") == ["other", "r"]


def test_ctrl_c_keeps_the_checkpoint_and_says_how_to_go_on(tmp_path):
    arguments = [*COMMAND[1:], "train", *SMALL, "--epochs", "400", "--name", "stopped"]
    child = pexpect.spawn(COMMAND[0], arguments, cwd=str(tmp_path), timeout=None)
    child.expect(r"epoch 4/400")  # the checkpoint of the epoch before may still be on its way
    child.sendintr()
    child.expect(r"To go on: mlcvlab train --resume runs/stopped")
    child.expect(pexpect.EOF)
    kept = [
        "checkpoint.safetensors",
        "config.toml",
        "curves.png",
        "hidden_units.png",
        "model.safetensors",
        "result.json",
    ]
    assert names(tmp_path / "runs" / "stopped") == kept
    differs = run("train", "--resume", "runs/stopped", "--epochs", "1", folder=tmp_path)
    assert_one_line_error(differs, "epochs are trained already, which is more than 1")
    assert_one_line_error(run("train", "--resume", "runs/stopped", "--name", "x", folder=tmp_path), "leave out --name")
    path = tmp_path / "runs" / "stopped" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert_one_line_error(run("train", "--resume", "runs/stopped", folder=tmp_path), "truncated")
    assert names(tmp_path / "runs" / "stopped") == kept


def test_a_cache_that_cannot_be_written_is_said_and_all_goes_on(tmp_path, saved_run):
    (tmp_path / "file").touch()
    result = run("evaluate", saved_run, folder=tmp_path, XDG_CACHE_HOME=str(tmp_path / "file"))
    assert result.returncode == 0 and "Test accuracy" in result.stdout
    notes = result.stderr.splitlines()
    assert notes and all(line.startswith("mlcvlab: note: the cache folder") for line in notes)


def test_ctrl_c_saves_what_there_is_and_says_so(tmp_path):
    child = pexpect.spawn(
        COMMAND[0], [*COMMAND[1:], "train", "--epochs", "500", "--name", "stopped"], cwd=str(tmp_path), timeout=None
    )
    child.expect(r"epoch 2/500")
    child.sendintr()
    child.expect(r"Stopped by Ctrl-C after \d+ complete epochs of 500")
    child.expect("Saved to")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert names(tmp_path / "runs") == ["stopped"]
    assert len(load_model(tmp_path / "runs" / "stopped").history["epoch"]) >= 1


def test_help_says_what_every_hyperparameter_does(tmp_path):
    result = run("train", "--help", folder=tmp_path)
    assert result.returncode == 0
    for words in ("--learning-rate", "too high diverges", "--hidden-units", "[default: (256,)]", "Ctrl-C"):
        assert words in result.stdout
    assert run("--version", folder=tmp_path).stdout == f"{VERSION}\n"


def test_help_says_the_defaults_of_own_data(tmp_path):
    help_ = " ".join(run("train", "--help", folder=tmp_path).stdout.split())
    told = help_.partition("For your own data they are ")[2].partition(", and see --l2")[0]
    plain, table = asdict(Hyperparameters()), asdict(RECIPES["table"])
    differ = {name: value for name, value in table.items() if value != plain[name] and value is not None}
    words = [f"--{name.replace('_', '-')} {' '.join(map(str, np.atleast_1d(value)))}" for name, value in differ.items()]
    assert sorted(told.split(" --")) == sorted(" ".join(words).split(" --"))


def test_the_version_is_told_before_anything_is_imported_for_it(tmp_path):
    code = (
        "import sys; sys.argv = ['mlcvlab', '--version']; from mlcvkit.cli import run_and_end; run_and_end(); "
        "sys.exit(bool({'numpy', 'cyclopts', 'rich'} & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, f"{VERSION}\n"), result
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "mlcvkit", "--version"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 1 and "the output could not be written" in result.stderr
