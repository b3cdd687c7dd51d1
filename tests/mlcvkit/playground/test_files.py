import pytest

from mlcvkit import InputError
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


@pytest.mark.parametrize("name", ["../mine", "/mine", "", None, 3, ["mine"], "other"])
def test_no_run_outside_of_the_folder_is_opened(saved, name):
    with pytest.raises(InputError, match="there is no such run"):
        open_run(saved, name)
