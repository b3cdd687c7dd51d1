from dataclasses import replace

import numpy as np
import pytest

from command import run
from mlcvkit import Experiment as TrainedExperiment
from mlcvkit import Hyperparameters, InputError, prepare, storage
from mlcvkit.playground.experiments import Experiment, default_experiment
from mlcvkit.playground.files import open_run, save_run, saved_runs
from mlcvkit.playground.limits import OPENING, Limits
from mlcvkit.playground.page import with_data
from mlcvkit.playground.points import FIRST_POINTS, from_table, names_of_classes
from mlcvkit.playground.sessions import FairSemaphore, Session


@pytest.fixture
def saved(tmp_path):
    """A folder of runs with one run in it, and the same run beside the folder."""
    session = Session(Experiment(data="moons", hidden_units=4), FairSemaphore(1))
    for root in (tmp_path / "runs", tmp_path):
        save_run(root, "mine", session)
    return tmp_path / "runs"


def test_a_run_that_was_saved_is_opened_with_its_settings(saved):
    assert saved_runs(saved) == ["mine"]
    assert open_run(saved, "mine").experiment == Experiment(data="moons", hidden_units=4)


def test_what_a_run_was_trained_with_and_the_page_does_not_have_is_said(saved):
    hp = Hyperparameters(hidden_units=(4,), epochs=2, patience=3, clip_norm=0.5)
    prepared = prepare(TrainedExperiment(data="moons", class_weight="balanced", hyperparameters=hp))
    (saved / "other-options").mkdir()
    storage.save_model(
        saved / "other-options" / storage.MODEL_FILE, prepared.fit().predictor.saved(prepared.configuration)
    )
    note = open_run(saved, "other-options").note
    assert note.startswith("It was trained with class_weight=balanced, clip_norm=0.5, patience=3, which this page")
    assert open_run(saved, "mine").note == ""


@pytest.mark.parametrize("name", ["../mine", "/mine", "", None, 3, ["mine"], "other"])
def test_no_run_outside_of_the_folder_is_opened(saved, name):
    with pytest.raises(InputError, match="there is no such run"):
        open_run(saved, name)


@pytest.mark.parametrize("names", ["", "~lily~rose", "~-1~1", "~1~2", "~True~False", "~0.5~1.5"])
def test_points_are_opened_as_they_were_saved_whatever_their_classes_are_called(names, tmp_path):
    third = "".join(f"{20 + 8 * i:02x}{30 + 5 * i:02x}2" for i in range(6))
    experiment = replace(default_experiment("points"), points=FIRST_POINTS + third + names, hidden_units=4)
    session = Session(experiment, FairSemaphore(1))
    session.step(30)
    session.wait()
    save_run(tmp_path, "mine", session)
    opened = open_run(tmp_path, "mine")
    assert opened.experiment.points == experiment.points
    assert opened.class_names == session.network.class_names
    assert opened.measure() == pytest.approx(session.network.measure(), rel=1e-6)
    session.close()


def test_classes_that_are_numbers_keep_their_names():
    places, classes = np.array([[-0.5, 0.0], [0.5, 0.0]] * 6), np.array(["5", "6"] * 6)
    assert names_of_classes(from_table(places, classes)) == ["5", "6"]


def test_a_run_of_the_homeworks_sgd_goes_on_by_it_and_is_refused_by_the_command(tmp_path):
    session = Session(Experiment(optimizer="coordinate_sgd", learning_rate=10.0, samples=2000), FairSemaphore(1))
    session.step(5)
    session.wait()
    save_run(tmp_path / "runs", "mine", session)
    assert (session.steps, session.epochs) == (5, 0)
    assert open_run(tmp_path / "runs", "mine").experiment.optimizer == "coordinate_sgd"
    result = run("train", "--config", "runs/mine/config.toml", folder=tmp_path)
    assert result.returncode == 2 and "coordinate_sgd" in result.stderr
    session.close()


def test_a_training_goes_on_after_it_was_saved_and_stays_failed_after_it_diverged(tmp_path):
    session = Session(Experiment(data="moons", hidden_units=4), FairSemaphore(1))
    session.start()
    save_run(tmp_path, "mine", session)
    assert session.wants_to_run
    session.close()
    session.reset(replace(session.experiment, optimizer="sgd", learning_rate=100.0, depth=4, hidden_units=64))
    session.start()
    session.wait()
    assert session.state == "failed" and "press Reset" in session.message
    session.change(replace(session.experiment, learning_rate=0.01))
    assert session.state == "failed"
    session.close()


def test_settings_that_nobody_chose_are_not_taken_to_other_data():
    assert with_data(OPENING, "moons", {}) == default_experiment("moons")
    own = {"points": (FIRST_POINTS, "")}
    assert with_data(replace(OPENING, learning_rate=0.5), "points", own).points == FIRST_POINTS
    assert with_data(replace(OPENING, learning_rate=0.5), "moons", {}).learning_rate == 0.5


def test_a_tab_finds_its_training_again_also_by_an_address_without_settings():
    limits, moons = Limits(), default_experiment("moons")
    session = limits.session(moons)
    limits.show("tab", 1, session)
    assert limits.session_of("tab", None) is session
    assert limits.session_of("tab", replace(moons, learning_rate=0.5)) is session
    assert limits.session_of("tab", replace(moons, hidden_units=3)) is None
    assert limits.session_of("tab", replace(moons, learning_rate=0.5), {"run": "x"}) is None
    assert limits.session_of("tab", moons, {"run": "x"}) is None, "a run is opened as it was saved"
    assert limits.session_of("other", None) is None
