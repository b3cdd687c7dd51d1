import pytest

from mlcvkit import Experiment as TrainedExperiment
from mlcvkit import Hyperparameters, InputError, prepare, storage
from mlcvkit.playground.experiments import Experiment
from mlcvkit.playground.files import open_run, save_run, saved_runs
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
