"""mlcvlab tune, sweep, report and play on the command line."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess

import numpy as np
import pytest
from optuna.trial import TrialState

from command import COMMAND, assert_one_line_error, run
from events import wait_for
from mlcvkit import InputError
from mlcvkit.cli import main  # noqa: F401 (the commands are registered)
from mlcvkit.cli.app import app, register_commands
from mlcvkit.storage import load_model
from mlcvkit.tuning import open_study

register_commands(at_once=False)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tune moons --budget soon", "budget must be a time"),
        ("tune moons --budget 0m", "budget must be a time"),
        ("tune moons --trials 0", "trials must be 1 or more"),
        ("tune moons --workers 0", "workers must be from 1"),
        ("tune moons --seed -1", "seed must be 0 or more"),
        ("tune moons --learning-rate fast,slow", "learning_rate must be a number"),
        ("tune nowhere.csv", "does not exist"),
        ("tune moons --space nowhere.toml", "cannot be read"),
        ("tune --target x", "give its file first"),
        ("tune --resume nowhere", "holds no study"),
        ("tune --resume nowhere --sampler random --epochs 3", "leave out --sampler, --epochs"),
        ("tune --resume nowhere --seed 1", "leave out --seed"),
        ("tune moons --test-fraction 0 --trials 1", "test_fraction must be above 0"),
        ("sweep", "nothing to sweep"),
        ("sweep moons --learning-rate 1:0.1", "must go up"),
        ("sweep moons --learning-rate 0.1:1 --points 1", "points must be from 2"),
        ("sweep moons --learning-rate 1e-4:1 --hidden-units 1:900 --points 900", "a grid of"),
        ("report nowhere", "does not exist"),
        ("play --port 99999", "port must be from 0 to 65535"),
        ("play --visitors 0", "visitors must be 1 or more"),
        ("play --host 256.1.1.1", "cannot be listened on"),
    ],
)
def test_bad_input_is_an_error_that_says_what_was_wrong(line, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=re.escape(words)):
        app(line.split(), exit_on_error=False, print_error=False)
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_said(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = run("play", "--no-open", "--port", port, folder=tmp_path)
    assert_one_line_error(result, f"127.0.0.1, port {port}, cannot be listened on")


def test_every_hyperparameter_is_explained_where_it_is_searched(tmp_path):
    told = " ".join(run("sweep", "--help", folder=tmp_path).stdout.replace("│", " ").split())
    for words in (
        "--learning-rate STR How far a step goes",
        "--depth STR Hidden layers",
        "--batch-size STR Samples in",
    ):
        assert words in told


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned")
    options = [
        "--learning-rate",
        "1e-3,3e-2",
        "--epochs",
        "20",
        "--trials",
        "3",
        "--seed",
        "4",
        "--name",
        "s",
        "--json",
        "--workers",
        "1",
    ]
    return folder, run("tune", "moons", *options, folder=folder)


def test_tune_prints_json_and_nothing_else(tuned):
    folder, result = tuned
    assert (result.returncode, result.stderr) == (0, "")
    told = json.loads(result.stdout)
    assert told["run"] == "runs/s" and sum(told["trials"].values()) == 3
    assert len(told["test"]["best"]["scores"]) == 5
    assert told["best"]["validation"] == open_study(folder / "runs/s").best().value


def test_the_folder_of_a_study_is_a_run_of_its_best(tuned):
    folder, result = tuned
    measured = json.loads(run("evaluate", "runs/s", "--json", folder=folder).stdout)
    assert measured["accuracy"] == json.loads(result.stdout)["test"]["best"]["scores"][0]
    assert load_model(folder / "runs/s").configuration["seed"] == 4
    assert "seed = 4" in (folder / "runs/s/config.toml").read_text()
    reported = json.loads(run("report", "runs/s", "--json", folder=folder).stdout)
    assert (folder / reported["file"]).read_text().count("<h2>") > 5


def test_sweep_prints_json_and_nothing_else(tmp_path):
    options = ["--learning-rate", "0.001,0.1", "--epochs", "5", "--repeats", "2", "--json", "--workers", "1"]
    result = run("sweep", "moons", *options, folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    cells = json.loads(result.stdout)["cells"]
    assert [(cell["learning_rate"], len(cell["scores"])) for cell in cells] == [(0.001, 2), (0.1, 2)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_search_which_says_how_to_go_on(tmp_path, number):
    line = [*COMMAND, "tune", "moons", "--trials", "500", "--epochs", "50", "--name", "s"]
    process = subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def is_at_work():
        with contextlib.suppress(InputError):  # it is not begun yet
            return open_study(tmp_path / "runs/s").trials(TrialState.RUNNING)

    wait_for(is_at_work, process)
    os.kill(process.pid, number)
    _, said = process.communicate()
    assert process.returncode == 130
    assert "to go on: mlcvlab tune --resume runs/s" in said and "Traceback" not in said


@pytest.fixture
def ids(tmp_path):
    """A table with a row number, a column of one value, and rows without a target."""
    rng = np.random.default_rng(0)
    rows = [f"{i},7,{a:.3f},{'' if i % 10 == 3 else int(a > 0)}" for i, a in enumerate(rng.normal(size=80))]
    (tmp_path / "t.csv").write_text("\n".join(["Id,const,a,y", *rows]) + "\n")
    return tmp_path


@pytest.mark.parametrize("command", [("tune", "--trials", "1"), ("sweep", "--repeats", "1")])
def test_what_is_left_out_of_the_data_is_told_before_a_search(ids, command):
    name, *options = command
    line = (name, "t.csv", "--target", "y", "--learning-rate", "0.01,0.1", "--epochs", "1", "--workers", "1", *options)
    said = " ".join(run(*line, folder=ids).stdout.split())
    for words in (
        "8 of 80 rows are left out, which have no y",
        "Id: it numbers the rows",
        "const: left out: all values are alike",
    ):
        assert words in said, said
    if name == "sweep":
        notes = json.loads(run(*line, "--json", folder=ids).stdout)["notes"]
        assert any("8 of 80" in note for note in notes)


@pytest.mark.parametrize("repeats", [1, 4])
def test_the_page_of_a_study_in_which_all_diverge_is_written(tmp_path, repeats):
    rates = ("--learning-rate", "1e29,1e30", "--optimizer", "sgd", "--epochs", "2", "--workers", "1")
    run("sweep", "moons", *rates, "--repeats", repeats, "--name", "s", folder=tmp_path)
    done = run("report", "runs/s", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "No trial has a score" in " ".join(done.stdout.split()) and "Traceback" not in done.stderr


def test_a_smaller_budget_for_a_search_that_goes_on_is_refused(tmp_path):
    line = ("tune", "moons", "--learning-rate", "0.01,0.1", "--epochs", "1", "--trials", "1", "--workers", "1")
    assert run(*line, "--budget", "60s", "--name", "s", folder=tmp_path).returncode == 0
    assert_one_line_error(run("tune", "--resume", "runs/s", "--budget", "1s", folder=tmp_path), "has 60s already")


def test_the_worst_of_a_sweep_is_what_its_cells_say(tmp_path):
    grid = ("--learning-rate", "1e-4,0.1", "--hidden-units", "4,16", "--repeats", "2", "--epochs", "8")
    found = json.loads(run("sweep", "moons", *grid, "--workers", "1", "--name", "s", "--json", folder=tmp_path).stdout)
    of_rate = {
        rate: np.mean([s for cell in found["cells"] if cell["learning_rate"] == rate for s in cell["scores"]])
        for rate in (1e-4, 0.1)
    }
    lead = " ".join(run("report", "runs/s", folder=tmp_path).stdout.split())
    assert f"the worst cost {100 * (of_rate[0.1] - of_rate[1e-4]):.1f} points of accuracy" in lead, (lead, of_rate)


def test_trials_are_ended_early_where_the_epochs_are_searched(tmp_path):
    space = ("--learning-rate", "1e-5:10", "--epochs", "8:16", "--trials", "16", "--workers", "1")
    assert run("tune", "moons", *space, "--name", "s", folder=tmp_path).returncode == 0
    trials = open_study(tmp_path / "runs/s").trials(TrialState.PRUNED)
    assert [trial for trial in trials if not trial.user_attrs.get("diverged")]
