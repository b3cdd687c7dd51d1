"""Seeds and folds: what is trained on and tested with, and what is said of the scores."""

import datetime
import json

import numpy as np
import polars
import pytest

from command import assert_one_line_error, run
from mlcvkit import InputError
from mlcvkit.experiments import Experiment, folds_of, repeats_of


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=90)
    frame = polars.DataFrame({"row": range(90), "who": [f"p{i % 9}" for i in range(90)], "x": x})
    frame = frame.with_columns(y=polars.Series(np.where(x > 0.8, "rare", "common")))
    frame.write_csv(tmp_path / "t.csv")
    return tmp_path / "t.csv"


def experiment(table):
    return Experiment(data=str(table), target="y")


def rows_of(X):
    return X["row"].to_list()


def test_each_row_is_tested_once_by_a_network_that_has_not_seen_it(table):
    tested = []
    for _, samples in folds_of(experiment(table), 4):
        assert not set(rows_of(samples.X)) & set(rows_of(samples.test[0]))
        assert len(samples.X) == len(samples.y) and len(samples.test[0]) == len(samples.test[1])
        tested += rows_of(samples.test[0])
    assert sorted(tested) == list(range(90))


def test_each_fold_has_its_share_of_each_class(table):
    rare = [int((samples.test[1] == "rare").sum()) for _, samples in folds_of(experiment(table), 5)]
    assert max(rare) - min(rare) <= 1 and sum(rare) > 5


def test_rows_of_one_group_stay_together_and_the_group_is_no_feature(table):
    whose = dict(enumerate(polars.read_csv(table)["who"]))
    for _, samples in folds_of(experiment(table), 3, group="who"):
        assert samples.X.columns == ["row", "x"]
        trained, tested = ({whose[row] for row in rows_of(X)} for X in (samples.X, samples.test[0]))
        assert not trained & tested and len(tested) == 3


def test_folds_in_order_are_tested_by_what_was_before(table):
    found = [(max(rows_of(s.X)), rows_of(s.test[0])) for _, s in folds_of(experiment(table), 4, in_order=True)]
    assert [last + 1 for last, _ in found] == [tested[0] for _, tested in found] == [18, 36, 54, 72]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"count": 1}, "from 2 to the number of rows, 90; got 1"),
        ({"count": 91}, "from 2 to the number of rows, 90; got 91"),
        ({"count": 10, "group": "who"}, "from 2 to the number of groups, 9; got 10"),
        ({"count": 3, "group": "nosuch"}, "has no column 'nosuch'"),
        ({"count": 3, "group": "who", "in_order": True}, "not both"),
    ],
)
def test_folds_that_cannot_be_made_are_refused(table, options, words):
    with pytest.raises(InputError, match=words):
        list(folds_of(experiment(table), **options))
    with pytest.raises(InputError, match="2 or more"):
        list(repeats_of(experiment(table), 1))


def test_repeats_give_a_run_each_and_their_mean_and_spread(table):
    folder = table.parent
    line = ["train", "t.csv", "--target", "y", "--epochs", "5", "--name", "r", "--json"]
    result = json.loads(run(*line, "--repeats", "3", folder=folder).stdout)
    scores = [one["accuracy"] for one in result["runs"]]
    assert result["mean"]["accuracy"] == pytest.approx(np.mean(scores))
    assert result["std"]["accuracy"] == pytest.approx(np.std(scores, ddof=1))
    for number, score in enumerate(scores):  # each is the run that its seed alone gives
        place = f"runs/r/seed-{number}"
        assert json.loads(run("evaluate", place, "--json", folder=folder).stdout)["accuracy"] == score
        assert f"seed = {number}" in (folder / place / "config.toml").read_text()
    assert_one_line_error(run(*line, "--repeats", "3", folder=folder), "exists: give another --name")


def test_folds_are_runs_and_runs_are_listed_and_compared(table):
    folder = table.parent
    line = ["train", "t.csv", "--target", "y", "--epochs", "5"]
    result = json.loads(run(*line, "--folds", "3", "--group", "who", "--name", "f", "--json", folder=folder).stdout)
    assert len(result["runs"]) == 3
    # the rows it was not trained on are not those that a split of the file would give: nothing is measured silently
    assert_one_line_error(run("evaluate", "runs/f/fold-1", folder=folder), "give the data to measure it with")
    run(*line, "--hidden-units", "7", "--name", "one", folder=folder)
    listed = {one["run"]: one for one in json.loads(run("runs", "--json", folder=folder).stdout)}
    assert set(listed) == {"runs/f/fold-1", "runs/f/fold-2", "runs/f/fold-3", "runs/one"}
    assert listed["runs/f/fold-2"]["scores"]["accuracy"] == result["runs"][1]["accuracy"]
    compared = run("runs", "runs/one", "runs/f/fold-1", folder=folder).stdout
    assert compared.index("hidden_units") < compared.index("activation")
    assert_one_line_error(run("runs", "--output", "nowhere", folder=folder), "holds no runs")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--repeats", "2", "--folds", "2"], "--repeats or --folds, and not both"),
        (["--group", "who"], "--group is for --folds"),
        (["--in-order"], "--in-order is for --folds"),
        (["--repeats", "2", "--checkpoint-every", "1"], "--checkpoint-every is for one training"),
        (["--folds", "2", "--test-fraction", "0.5"], "leave out a test set and test_fraction"),
        (["--repeats", "2", "--test-fraction", "0"], "give a test_fraction above 0"),
    ],
)
def test_options_of_repeats_that_do_not_go_together_are_refused(table, options, words):
    line = ["train", "t.csv", "--target", "y", *options, "--name", "never"]
    assert_one_line_error(run(*line, folder=table.parent), words)
    assert not (table.parent / "runs").exists()


def test_the_task_of_a_fold_is_that_of_all_rows(tmp_path):
    rows = [f"{i % 7},{i}" for i in range(80)]
    (tmp_path / "t.csv").write_text("x,y\n" + "\n".join(rows) + "\n")
    tasks = [one.task for one, _ in folds_of(Experiment(data=str(tmp_path / "t.csv"), target="y"), 4, in_order=True)]
    assert tasks == ["regression"] * 4


def test_a_damaged_run_is_named_and_the_others_are_listed(table):
    folder = table.parent
    run("train", "t.csv", "--target", "y", "--epochs", "2", "--name", "good", folder=folder)
    (folder / "runs/bad").mkdir()
    (folder / "runs/bad/model.safetensors").write_text("junk")
    (folder / "runs/good/result.json").write_text('{"test": {"accuracy": "high"}}')
    done = run("runs", "--json", folder=folder)
    assert [one["run"] for one in json.loads(done.stdout)] == ["runs/good"] and "bad" in done.stderr


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y"])
def test_rows_that_go_back_in_time_are_no_order(tmp_path, form):
    days = [datetime.date(2024, 1, 1) + datetime.timedelta(days=i) for i in range(40)]
    for order, falls in ((days, False), (days[::-1], True)):
        lines = ["day,x,y", *(f"{day.strftime(form)},{i % 7},{i / 3}" for i, day in enumerate(order))]
        (tmp_path / "t.csv").write_text("\n".join(lines))
        experiment = Experiment(data=str(tmp_path / "t.csv"), target="y")
        if falls:
            with pytest.raises(InputError, match="begins with the latest day: sort its rows"):
                next(folds_of(experiment, 3, in_order=True))
        else:
            assert next(folds_of(experiment, 3, in_order=True))
