"""Files of earlier versions stay readable: models, configurations, a checkpoint, a study, links and grades."""

import json
import shutil
from dataclasses import fields
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from command import run
from mlcvkit.course.assignment import read_assignment
from mlcvkit.course.scoring import Grade
from mlcvkit.playground.experiments import read_experiment
from mlcvkit.tuning import open_study

VERSIONS = Path(__file__).parents[1] / "data/versions"
KINDS = ["mlp", "nn2", "nn1", "perceptron", "regression"]


@pytest.fixture(params=sorted(path.name for path in VERSIONS.iterdir()))
def old(request, tmp_path):
    """A copy of a version's files."""
    return shutil.copytree(VERSIONS / request.param, tmp_path / "old")


def result_of(*arguments, folder):
    done = run(*arguments, "--json", folder=folder)
    assert (done.returncode, done.stderr) == (0, ""), done
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_predicts_and_is_measured(old, kind):
    data, target = ("prices.csv", "price") if kind == "regression" else ("people.csv", "buys")
    answers = result_of("predict", f"trained/{kind}", data, folder=old)
    assert len(answers[target]) == 120
    measured = result_of("evaluate", f"trained/{kind}", data, folder=old)
    assert measured["samples"] == 120 and measured["r2" if kind == "regression" else "accuracy"] > 0.2


def test_nn2_of_digits_is_measured(old):
    assert result_of("evaluate", "trained/parity", folder=old)["accuracy"] > 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_a_configuration_gives_the_predictions_of_its_run(old, kind):
    """What was recorded and not used does not count: a perceptron of then says adam, and was trained by sgd."""
    path = old / f"trained/{kind}/config.toml"
    path.write_text(path.read_text().replace("/data/", f"{old}/"))
    result_of("train", "--config", path, "--name", "again", folder=old)
    data = "prices.csv" if kind == "regression" else "people.csv"
    before, again = (result_of("predict", place, data, folder=old) for place in (f"trained/{kind}", "runs/again"))
    assert before.keys() == again.keys()
    for name, values in before.items():
        assert again[name] == (values if isinstance(values[0], str) else pytest.approx(values, rel=1e-4, abs=1e-4))


def test_a_stopped_run_goes_on_or_says_why_not(old):
    folder = old / "trained/stopped"
    text = (folder / "config.toml").read_text()
    (folder / "config.toml").write_text(text.replace("/data/", f"{old}/"))
    done = run("train", "--resume", folder, "--learning-rate", "7", folder=old)
    assert done.returncode == 2 and "learning_rate is " in done.stderr  # the rest of it is as it was


def test_a_study_is_opened(old):
    study = open_study(old / "trained/study")
    assert len(study.trials()) == 2 and study.best().value > 0.5
    assert study.hyperparameters(study.best()).epochs == 4


def test_links_of_the_page_are_read(old):
    experiments = [read_experiment(dict(parse_qsl(line))) for line in (old / "links.txt").read_text().splitlines()]
    assert [experiment.data for experiment in experiments] == ["mnist-parity", "moons", "mnist-parity", "mnist"]
    assert experiments[1].hidden_units == 5 and experiments[1].momentum == 0.9


def test_grades_are_read(old, tmp_path):
    grade = json.loads((old / "grades/submissions/adams.json").read_text())
    assert grade.keys() - {"digest"} <= {field.name for field in fields(Grade)}
    assert (grade["points"], grade["out_of"]) == (4.55, read_assignment(only=(1,)).points)
    (tmp_path / "adams/mlcvlab/nn").mkdir(parents=True)
    refused = run("grade", "adams", "-o", old / "grades", "--unsafe", folder=tmp_path)
    assert refused.returncode == 2 and "holds grades of an earlier version: choose another --output" in refused.stderr
