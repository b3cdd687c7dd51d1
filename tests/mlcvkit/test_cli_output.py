"""What was trained is on disk, whatever happens to the output, the pictures and the process after it."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from command import COMMAND, run
from events import version_of, wait_for
from mlcvkit.cli.interrupts import Interrupts
from mlcvkit.cli.training import EndBySignals
from mlcvkit.models import MLP
from mlcvkit.storage import load_model
from mlcvkit.training import Hyperparameters, fit

SMALL = ["train", "--epochs", "1", "--hidden-units", "2", "--batch-size", "8192", "--name", "r"]


def begun(*arguments, folder, **options):
    """The command with the signals' default actions, whatever this process ignores."""
    default = ["env", "--default-signal=INT,TERM,HUP", *COMMAND, *arguments]
    return subprocess.Popen(default, cwd=folder, stderr=subprocess.PIPE, text=True, **options)


def assert_saved(folder, pictures=True):
    assert len(load_model(folder / "runs/r").history["epoch"]) >= 1
    assert (folder / "runs/r/config.toml").is_file()
    assert (folder / "runs/r/curves.png").is_file() == pictures
    assert [path.name for path in (folder / "runs").iterdir()] == ["r"]


def test_a_reader_that_is_gone_costs_nothing(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    with begun(*SMALL, folder=tmp_path, stdout=writing) as process:
        os.close(writing)
        assert process.stderr.read() == ""
    assert process.returncode == 0
    assert_saved(tmp_path)


def test_a_full_disk_under_the_output_is_an_error_and_the_model_is_there(tmp_path):
    with Path("/dev/full").open("w") as full, begun(*SMALL, folder=tmp_path, stdout=full) as process:
        said = process.stderr.read()
    assert said.startswith("mlcvlab: error: the output could not be written") and said.count("\n") == 1
    assert process.returncode == 1
    assert_saved(tmp_path)


@pytest.mark.parametrize("closed", ["1", "2"])
def test_output_that_is_closed_costs_nothing(tmp_path, closed):
    line = ["bash", "-c", f'exec "$@" {closed}>&-', "--", *COMMAND, *SMALL]
    assert subprocess.run(line, cwd=tmp_path, capture_output=True).returncode == 0
    assert_saved(tmp_path)


@pytest.mark.parametrize("encoding", ["ascii", "cp1251", "gbk", "cp932"])
def test_what_the_console_cannot_show_is_replaced_there_and_exact_in_the_file(tmp_path, encoding):
    rows = np.random.default_rng(0).normal(size=(60, 2))
    lines = [f"{a},{b},{'größe ✓' if a > b else 'ø'}" for a, b in rows]
    (tmp_path / "t.csv").write_text("a,b,y\n" + "\n".join(lines) + "\n", encoding="utf-8")
    given = ["train", "t.csv", "--target", "y", "--epochs", "2", "--name", "r"]
    done = run(*given, folder=tmp_path, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert_saved(tmp_path)
    done = run("predict", "runs/r", "t.csv", "-o", "p.csv", folder=tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 0 and "größe ✓" in (tmp_path / "p.csv").read_text(encoding="utf-8")


def test_pictures_that_cannot_be_drawn_are_a_note(tmp_path):
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib/__init__.py").write_text("raise ImportError('no fonts here')")
    done = subprocess.run([*COMMAND, *SMALL], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0
    (note,) = done.stderr.splitlines()
    assert (
        note.startswith("mlcvlab: note: the run is saved, and its pictures could not be drawn") and "no fonts" in note
    )
    assert_saved(tmp_path, pictures=False)


LONG = ["train", "--epochs", "100000", "--hidden-units", "2", "--batch-size", "8192", "--name", "r"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_training_and_more_of_them_take_nothing_back(tmp_path, number):
    with begun(*LONG, "--checkpoint-every", "1", folder=tmp_path, stdout=subprocess.DEVNULL) as process:
        wait_for(lambda: version_of(tmp_path / "runs/r/checkpoint.safetensors"), process)
        for _ in range(20):
            process.send_signal(number)
            time.sleep(0.02)
        assert "Traceback" not in process.stderr.read()
    assert process.returncode in (130, -number)  # the last may come after the command has said all that it has to say
    assert load_model(tmp_path / "runs/r").model.W[0].shape == (2, 784)


def test_a_second_signal_on_the_way_to_the_file_is_ignored():
    handler = Interrupts()
    with pytest.raises(KeyboardInterrupt):
        handler.handle(signal.SIGINT, None)
    handler.handle(signal.SIGINT, None)
    with handler.saving():
        pass
    assert handler.saved


def test_a_signal_waits_from_the_end_of_the_training_until_it_is_saved():
    handler, done = Interrupts(), []
    handler.hold()
    handler.handle(signal.SIGTERM, None)
    with pytest.raises(KeyboardInterrupt), handler.saving():
        handler.handle(signal.SIGTERM, None)
        done.append("saved")
    assert done == ["saved"] and handler.saved
    handler.handle(signal.SIGTERM, None)  # it is about to end


def test_after_saving_one_more_signal_ends_what_is_measured():
    handler = Interrupts()
    with handler.saving():
        pass
    with pytest.raises(KeyboardInterrupt):
        handler.handle(signal.SIGHUP, None)
    handler.handle(signal.SIGHUP, None)


def test_a_signal_whose_exception_is_lost_ends_the_training_at_its_next_step():
    handler, rng = Interrupts(), np.random.default_rng(0)
    with suppress(KeyboardInterrupt):
        handler.handle(signal.SIGINT, None)
    X, y = rng.normal(size=(64, 3)).astype(np.float32), rng.integers(0, 2, 64).astype(np.float32)
    model = MLP((2,)).initialize(3, 1, seed=0)
    hp = Hyperparameters(epochs=1000, batch_size=8)
    run = fit(model, X, y, hyperparameters=hp, callbacks=[EndBySignals(handler)])
    assert run.interrupted and run.epoch == 0


def test_a_signal_that_is_ignored_stays_ignored(tmp_path):
    """As with nohup, when the terminal is closed."""
    ignoring = ["bash", "-c", 'trap "" HUP; exec "$@"', "--", *COMMAND, *SMALL]
    with subprocess.Popen(ignoring, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        wait_for(lambda: list(tmp_path.glob("runs/*r*")), process)  # it has set up its signals
        while process.poll() is None:
            process.send_signal(signal.SIGHUP)
            time.sleep(0.05)
    assert process.returncode == 0
    assert_saved(tmp_path)


def test_predictions_on_a_pipe_are_exact_whatever_the_console(tmp_path):
    rows = [f"{i},{'größe' if i % 2 else 'ø'}" for i in range(40)]
    (tmp_path / "t.csv").write_text("a,y\n" + "\n".join(rows) + "\n", encoding="utf-8")
    assert run("train", "t.csv", "--target", "y", "--epochs", "2", "--name", "r", folder=tmp_path).returncode == 0
    done = run("predict", "runs/r", "t.csv", folder=tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 0 and done.stdout.startswith("y,probability größe,probability ø\n")


def test_ctrl_c_with_a_reader_that_it_ends_as_well(tmp_path):
    """As with ``2>&1 | tee log``: the interrupt ends tee, and the command writes to nobody."""
    process = subprocess.Popen(
        [*COMMAND, *LONG, "--checkpoint-every", "1"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    wait_for(lambda: version_of(tmp_path / "runs/r/checkpoint.safetensors"), process)
    process.stdout.close()
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert load_model(tmp_path / "runs/r").model.W[0].shape == (2, 784)


@pytest.mark.parametrize("width", ["0", "-1", "", "wide"])
@pytest.mark.parametrize("words", [("train", "--help"), ("runs",)])
def test_a_terminal_without_a_width_has_the_usual_one(tmp_path, width, words):
    run("train", "moons", "--epochs", 1, "--name", "r", folder=tmp_path)
    command = [*COMMAND, *words]
    usual = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    expected = subprocess.run(command, cwd=tmp_path, env=usual, capture_output=True, text=True)
    done = subprocess.run(command, cwd=tmp_path, env=usual | {"COLUMNS": width}, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, expected.stdout) and done.stdout
