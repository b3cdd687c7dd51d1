"""Reports of studies whose answer is known."""

import re
from dataclasses import asdict

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState, create_trial

from mlcvkit.report import report_on, write_report
from mlcvkit.report.studies import Judged, in_plain_words, study_parts
from mlcvkit.training import RECIPES
from mlcvkit.tuning import Settings, begin_sweep, cells, run
from mlcvkit.tuning.spaces import distributions
from mlcvkit.tuning.studies import create_study

OPTIONS = {"target": None, "model": "mlp", "task": None, "test_fraction": 0.2, "image_size": None}
SPACE = {"learning_rate": "1e-4:1", "hidden_units": "8:128", "optimizer": "adam,sgd"}


def score_of(rate, units, optimizer):
    """The learning rate matters most, the optimizer some, the hidden units not at all."""
    return 0.98 - 0.05 * (np.log10(rate) + 2) ** 2 - (0.03 if optimizer == "sgd" else 0.0)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """150 trials of a known function, a third of them ended early."""
    folder = tmp_path_factory.mktemp("study")
    settings = Settings("tune", "moons", OPTIONS, asdict(RECIPES["table"]), SPACE)
    study = create_study(folder, settings, "accuracy", [])
    rng = np.random.default_rng(0)
    kinds = distributions(settings.search_space)
    for number in range(150):
        params = {
            "learning_rate": float(10 ** rng.uniform(-4, 0)),
            "hidden_units": int(rng.integers(8, 129)),
            "optimizer": str(rng.choice(["adam", "sgd"])),
        }
        score = score_of(params["learning_rate"], params["hidden_units"], params["optimizer"])
        state = TrialState.PRUNED if number % 3 == 0 else TrialState.COMPLETE
        study.optuna.add_trial(
            create_trial(
                params=params,
                distributions=kinds,
                state=state,
                value=score if state == TrialState.COMPLETE else None,
                intermediate_values={1: score},
            )
        )
    return study


def test_the_importances_are_those_of_the_function(study):
    shares = Judged(study).importances
    assert next(iter(shares)) == "learning_rate" and shares["learning_rate"] > 0.7
    assert shares["hidden_units"] < 0.05
    assert sum(shares.values()) == pytest.approx(1)


def test_the_effect_of_one_alone_is_that_of_the_function(study):
    judged = Judged(study)
    index = judged.names.index("learning_rate")
    at, expected = judged.at(index), judged.expected(index)
    assert abs(at[expected.argmax()] + 2) < 0.5
    truth = np.array([0.98 - 0.05 * (rate + 2) ** 2 for rate in at])
    assert np.corrcoef(expected, truth)[0, 1] > 0.97
    pair = judged.expected(index, judged.names.index("optimizer"))
    assert pair.shape == (len(at), 2)
    assert (pair[:, 0] > pair[:, 1]).mean() > 0.8


def test_two_sentences_say_what_mattered_and_what_did_not(study):
    words = in_plain_words(Judged(study))
    assert words.startswith("What mattered was the learning rate (")
    assert "Hardly anything hung on the " in words and "hidden units" in words.split("Hardly")[1]
    assert words.count(". ") == 1 and words.endswith(".")
    told = float(re.search(r"\((\d+)% of the differences", words)[1]) / 100
    judged = Judged(study)
    assert told == pytest.approx(judged.importances["learning_rate"] * judged.explained, abs=0.006)


def test_the_page_of_a_study_has_its_parts(study, tmp_path):
    title, lead, parts = report_on(study.folder)
    text = write_report(tmp_path, title, lead, parts).read_text()
    for heading in (
        "The best trials",
        "What mattered",
        "How the search went on",
        "The effect of each alone",
        "Two at a",
    ):
        assert heading in text
    assert {path.name for path in tmp_path.glob("*.png")} == {
        f"report-{name}.png" for name in ("importances", "progress", "effects", "pairs")
    }


def test_too_few_trials_say_nothing(tmp_path):
    settings = Settings("tune", "moons", OPTIONS, asdict(RECIPES["table"]), SPACE)
    study = create_study(tmp_path, settings, "accuracy", [])
    assert "0 trials cannot tell what mattered" in in_plain_words(Judged(study))
    assert [part.heading for part in study_parts(Judged(study))] == ["The best trials"]


def test_the_page_of_a_sweep_has_its_grid(tmp_path):
    base = asdict(RECIPES["table"]) | {"epochs": 20}
    space = {"learning_rate": [0.0001, 0.01, 0.1], "hidden_units": [2, 8], "seed": [0, 1]}
    study = begin_sweep(tmp_path / "s", Settings("sweep", "moons", OPTIONS, base, space, repeats=2))
    run(study, workers=1, on_progress=lambda _: None)
    headings = {part.heading: part for part in study_parts(Judged(study))}
    grid = headings["The grid"]
    assert len(grid.tables[0].rows) == 6
    best = max((cell for cell in cells(study) if cell.scores), key=lambda cell: cell.mean)
    told = f"learning rate {best.params['learning_rate']}, hidden units {best.params['hidden_units']}"
    assert f"Best: {told}, with {best.mean:.4f} in the mean of 2 seeds" in grid.words
    assert "How the search went on" not in headings
    assert optuna.get_all_study_names(storage=study.storage) == ["search"]


def test_chance_is_not_told_as_what_mattered(tmp_path):
    settings = Settings("tune", "moons", OPTIONS, asdict(RECIPES["table"]), SPACE)
    study = create_study(tmp_path, settings, "accuracy", [])
    rng = np.random.default_rng(1)
    kinds = distributions(settings.search_space)
    for _ in range(60):
        params = {
            "learning_rate": 10 ** rng.uniform(-4, 0),
            "hidden_units": int(rng.integers(8, 129)),
            "optimizer": "sgd",
        }
        score = float(rng.normal(0.9, 0.01))
        study.optuna.add_trial(create_trial(params=params, distributions=kinds, value=score))
    assert "no more than chance" in in_plain_words(Judged(study))
    assert "What mattered" not in [part.heading for part in study_parts(Judged(study))]
