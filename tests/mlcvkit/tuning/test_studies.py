"""Studies as real processes that are killed, and joined, and gone on with."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import numpy as np
import pytest
from optuna.trial import TrialState

from command import run as run_command
from events import wait_for
from mlcvkit import Experiment, InputError
from mlcvkit.experiments import prepare, recipe_for
from mlcvkit.files import read_toml
from mlcvkit.report.studies import Judged, study_parts
from mlcvkit.storage import load_model
from mlcvkit.training import RECIPES, Hyperparameters
from mlcvkit.tuning import (
    Settings,
    begin_search,
    begin_sweep,
    cells,
    comparison,
    default_space,
    finals,
    is_default,
    open_study,
    run,
    run_final,
    space_to_search,
    split_space,
    tune,
)
from mlcvkit.tuning.search import Comparison
from mlcvkit.tuning.studies import JOURNAL_FILE, RETRIES
from soak import repeated

OPTIONS = {"target": None, "model": "mlp", "task": None, "test_fraction": 0.2, "image_size": None}
SPACE = {"learning_rate": "1e-3:0.1", "hidden_units": "4,8,16"}


def settings(kind="tune", space=SPACE, epochs=30, **changed):
    base = asdict(Hyperparameters(**{**asdict(RECIPES["table"]), "epochs": epochs, "hidden_units": (8,)}))
    return Settings(kind, "moons", OPTIONS, base, dict(space), **changed)


def trials_by_state(folder):
    try:
        trials = open_study(folder).optuna.get_trials(deepcopy=False)
    except InputError:  # it is not begun yet
        trials = []
    return {state: [trial for trial in trials if trial.state == state] for state in TrialState}


def assert_nothing_lost_or_run_twice(folder, wanted):
    """Each trial that was begun came to an end once: itself, or the one that was queued in its place."""
    trials = open_study(folder).optuna.get_trials(deepcopy=False)
    ended = [trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    assert len(ended) == wanted
    assert not [trial for trial in trials if trial.state in (TrialState.RUNNING, TrialState.WAITING)]
    successors = [trial.user_attrs["retry_of"] for trial in trials if "retry_of" in trial.user_attrs]
    failed = {trial.number: trial for trial in trials if trial.state == TrialState.FAIL}
    assert sorted(successors) == sorted(failed)
    for trial in trials:
        if "retry_of" in trial.user_attrs:
            assert given(failed[trial.user_attrs["retry_of"]]).items() <= given(trial).items()
    assert all(set(trial.params) == set(SPACE) for trial in ended)


def given(trial):
    """What a trial was queued with and what it has taken up: a worker may be killed while it takes them up."""
    return trial.system_attrs.get("fixed_params", {}) | trial.params


def command(folder, *arguments, workers="2"):
    line = [sys.executable, "-m", "mlcvkit", "tune", "--workers", workers, *arguments]
    with (folder / "said.txt").open("a") as said:
        return subprocess.Popen(line, cwd=folder, stdout=subprocess.DEVNULL, stderr=said)


def workers_of(process):
    found = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()
    return [int(pid) for pid in found]


@repeated("kills of a search, by two", test=1, soak=6, full=150)
def test_a_search_that_is_killed_again_and_again_loses_no_trial_and_runs_none_twice(tmp_path, seed):
    rng = np.random.default_rng(seed)
    trials = ["--trials", "4"]
    space = ["--learning-rate", "1e-3:0.1", "--hidden-units", "4,8,16", "--epochs", "150", "--patience", "0"]
    process = command(tmp_path, "moons", *space, *trials, "--name", "s", "--no-pruning")
    folder = tmp_path / "runs" / "s"
    wait_for((folder / JOURNAL_FILE).exists, process)
    for kill in range(2):
        before = len(trials_by_state(folder)[TrialState.COMPLETE])

        def is_further(before=before):
            states = trials_by_state(folder)
            return len(states[TrialState.COMPLETE]) > before and states[TrialState.RUNNING]

        wait_for(lambda is_further=is_further, process=process: is_further() or process.poll() is not None)
        if process.poll() is not None:  # it was done before this process looked
            break
        time.sleep(rng.uniform(0, 0.3))
        if kill % 2:
            for worker in workers_of(process)[:1]:
                os.kill(worker, signal.SIGKILL)
        else:
            process.kill()
            process.wait()
            wait_for(lambda: not any_worker(folder))
            process = command(tmp_path, "--resume", "runs/s")  # the number of trials is the study's
    assert process.wait() == 0, (tmp_path / "said.txt").read_text()
    assert_nothing_lost_or_run_twice(folder, 4)
    assert (folder / "model.safetensors").exists()


def any_worker(folder):
    found = subprocess.run(["pgrep", "-f", f"mlcvkit.tuning.worker {folder}"], capture_output=True, text=True).stdout
    relative = subprocess.run(["pgrep", "-f", "mlcvkit.tuning.worker runs/s"], capture_output=True, text=True).stdout
    return bool(found or relative)


def test_two_processes_share_a_search_and_the_trainings_at_the_end(tmp_path):
    begin_search(tmp_path / "s", settings(epochs=100))

    with open_study(tmp_path / "s").asking():  # no trial is taken before both are there
        both = [command(tmp_path, "--resume", "s", "--trials", "5", workers="1") for _ in range(2)]
        wait_for(lambda: len([*(tmp_path / "s").glob(".worker-*.lock")]) == 2, both[0])
    assert [process.wait() for process in both] == [0, 0], (tmp_path / "said.txt").read_text()
    assert_nothing_lost_or_run_twice(tmp_path / "s", 5)
    found = comparison(open_study(tmp_path / "s"))
    assert len(found.best) == len(found.defaults) == 5
    workers = {trial.user_attrs["worker"] for trial in open_study(tmp_path / "s").trials()}
    assert len(workers) >= 2


def test_a_trial_that_kills_its_worker_is_given_up(tmp_path):
    study = begin_search(tmp_path / "s", settings())
    for _ in range(RETRIES + 1):
        with study.asking():
            study.ask("a worker that is dead", study.distributions)
    with study.asking():
        pass
    trials = study.optuna.get_trials(deepcopy=False)
    assert len([trial for trial in trials if trial.state == TrialState.FAIL]) == RETRIES + 1
    assert not [trial for trial in trials if trial.state == TrialState.WAITING]
    assert len(study.trials(TrialState.FAIL)) == 1


def test_what_a_writer_left_of_a_line_is_cut_off(tmp_path):
    study = begin_search(tmp_path / "s", settings())
    before = study.trials()
    with (tmp_path / "s" / JOURNAL_FILE).open("ab") as file:
        file.write(b'{"op_code": 4, "work')
    again = open_study(tmp_path / "s")
    assert [trial.params for trial in again.trials()] == [trial.params for trial in before]
    again.queue({"learning_rate": 0.01, "hidden_units": 8})
    assert len(open_study(tmp_path / "s").trials()) == len(before) + 1


def test_a_torn_line_between_two_writers_is_cut_off(tmp_path):
    study = begin_search(tmp_path / "s", settings())
    for _ in range(2):
        with (tmp_path / "s" / JOURNAL_FILE).open("ab") as file:
            file.write(b'{"op_code": 8, "worker_id"')
        study.queue({"learning_rate": 0.01, "hidden_units": 8})
    assert len(open_study(tmp_path / "s").trials()) == 3


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no study"):
        open_study(tmp_path)
    (tmp_path / JOURNAL_FILE).write_text("this is no journal\n")
    with pytest.raises(InputError, match="is damaged"):
        open_study(tmp_path)


def test_the_first_trial_of_a_search_is_the_base(tmp_path):
    study = begin_search(tmp_path / "s", settings())
    run(study, workers=1, on_progress=lambda _: None, most_trials=1)
    [trial] = study.trials()
    assert trial.params == {"learning_rate": RECIPES["table"].learning_rate, "hidden_units": 8}
    assert study.hyperparameters(trial) == study.settings.hyperparameters


def test_the_budget_is_that_of_the_study(tmp_path):
    study = begin_search(tmp_path / "s", settings(epochs=200))
    budget = 2
    while not (done := len(study.trials(TrialState.COMPLETE, TrialState.PRUNED))):
        run(study, workers=1, on_progress=lambda _: None, budget=budget)  # without a budget it would never end
        budget = study.seconds() + 2
    run(study, workers=1, on_progress=lambda _: None, budget=study.seconds())
    assert len(study.trials(TrialState.COMPLETE, TrialState.PRUNED)) == done


def test_hopeless_trials_are_ended_early_and_diverging_ones_counted(tmp_path):
    study = begin_search(tmp_path / "s", settings(space={"learning_rate": "0.01,1e-6,1e30"}, epochs=60))
    for rate in (0.01, 0.01, 0.01, 1e-6, 1e-6, 1e30):
        study.queue({"learning_rate": rate})
    run(study, workers=1, on_progress=lambda _: None, most_trials=6)
    by_rate = {}
    for trial in study.trials():
        by_rate.setdefault(trial.params["learning_rate"], []).append(trial)
    assert all(trial.state == TrialState.COMPLETE for trial in by_rate[0.01])
    assert all(trial.state == TrialState.PRUNED for trial in by_rate[1e-6])
    assert [trial.user_attrs.get("diverged") for trial in by_rate[1e30]] == [True]
    assert study.best().params == {"learning_rate": 0.01}


def test_a_sweep_trains_every_cell_with_every_seed(tmp_path):
    space = {"learning_rate": [0.001, 0.1], "hidden_units": [2, 8], "seed": [0, 1]}
    study = begin_sweep(tmp_path / "s", settings("sweep", space, repeats=2))
    run(study, workers=1, on_progress=lambda _: None)
    found = cells(study)
    assert [cell.params for cell in found] == [
        {"learning_rate": rate, "hidden_units": units} for rate in (0.001, 0.1) for units in (2, 8)
    ]
    assert all(len(cell.scores) == 2 for cell in found)
    assert found[-1].mean == pytest.approx(np.mean(found[-1].scores))
    assert found[-1].std == pytest.approx(np.std(found[-1].scores, ddof=1))
    assert found[-1].mean > found[0].mean


def test_the_best_and_the_base_are_trained_on_everything_and_tested_with_five_seeds(tmp_path):
    study = begin_search(tmp_path / "s", settings())
    run(study, workers=1, on_progress=lambda _: None, most_trials=3)
    found = run_final(study, {"data": "moons"}, workers=1, on_progress=lambda _: None)
    assert len(found.best) == len(found.defaults) == 5
    again = run_final(study, {"data": "moons"}, workers=1, on_progress=lambda _: None)
    assert again == found
    problem = study.settings.problem()
    hp = study.hyperparameters(study.best())
    assert problem.test(hp, []).score == found.best[0]


def test_single_values_from_python_and_from_the_command_line_leave_the_same_to_search():
    moons = Experiment(data="moons")
    given = space_to_search({"epochs": 5}, moons, 0)
    assert given == default_space(moons, 0) | {"epochs": 5}
    base, searched = split_space(given, moons.hyperparameters)
    assert base.epochs == 5 and searched == default_space(moons, 0)
    assert space_to_search({"epochs": "5:9", "batch_size": 3}, moons, 0) == {"epochs": "5:9", "batch_size": 3}


def test_the_test_rows_are_not_among_those_searched_with():
    problem = settings().problem()
    (X, _), (validation_X, _) = problem._parts
    rows = {tuple(np.round(row, 6)) for row in np.asarray(problem.training[0])}
    test_rows = {tuple(np.round(row, 6)) for row in np.asarray(problem.test_rows[0])}
    assert len(X) + len(validation_X) == len(problem.training[0])
    assert not rows & test_rows


def test_a_training_at_the_end_that_diverges_is_told_and_not_left_out():
    found = Comparison([0.9, float("nan"), 0.93], [0.89, 0.90, 0.93])
    assert found.diverged == {"best": 1, "defaults": 0} and found.p is None
    assert found.as_json()["best"] == {"scores": [0.9, None, 0.93], "mean": 0.915, "std": pytest.approx(0.0212132)}


def test_other_data_under_the_same_name_are_refused(tmp_path):
    rows = np.random.default_rng(0).normal(size=(60, 2))
    data = tmp_path / "d.csv"
    data.write_text("a,b,c\n" + "\n".join(f"{a},{b},{int(a > b)}" for a, b in rows) + "\n")
    options = OPTIONS | {"target": "c"}
    study = begin_search(tmp_path / "s", Settings("tune", str(data), options, settings().base, dict(SPACE)))
    data.write_text(data.read_text().replace("0.1", "0.2"))
    with pytest.raises(InputError, match="not what the study was begun with"):
        run(study, workers=1, on_progress=lambda _: None, most_trials=1)


def test_a_search_in_which_nothing_can_be_trained_ends_with_the_reason(tmp_path):
    options = OPTIONS | {"model": "nn2"}
    base = asdict(recipe_for("nn2"))
    study = begin_search(tmp_path / "s", Settings("tune", "digits", options, base, {"learning_rate": "1e-3:0.1"}))
    with pytest.raises(InputError, match="every trial fails: nn2 tells two classes apart"):
        run(study, workers=1, on_progress=lambda _: None, most_trials=20)


@pytest.mark.parametrize(
    ("space", "fixed", "words"),
    [
        ({"activation": "tanh,sigmoid"}, {}, "nn2 would not use activation"),
        ({"depth": "1:3"}, {}, "nn2 would not use depth"),
        ({"learning_rate": "1e-3:0.1"}, {"l2": 0.001}, "nn2 would not use l2=0.001"),
        ({"optimizer": "adam,adamw"}, {"momentum": 0.5}, "nn2 would not use momentum=0.5"),
    ],
)
def test_what_no_trial_would_use_is_refused_before_the_search_begins(tmp_path, space, fixed, words):
    base = asdict(recipe_for("nn2")) | fixed
    with pytest.raises(InputError, match=words):
        begin_search(tmp_path / "s", Settings("tune", "moons", OPTIONS | {"model": "nn2"}, base, space))
    assert list(tmp_path.iterdir()) == []


def test_a_value_for_some_of_the_optimizers_is_used_by_those(tmp_path):
    base = asdict(recipe_for("mlp")) | {"momentum": 0.5, "epochs": 3}
    space = {"optimizer": ["sgd", "momentum"], "seed": [0]}
    study = begin_sweep(tmp_path / "s", Settings("sweep", "moons", OPTIONS, base, space, repeats=1))
    run(study, workers=1, on_progress=lambda _: None)
    assert [len(cell.scores) for cell in cells(study)] == [1, 1]
    by_optimizer = {trial.params["optimizer"]: study.hyperparameters(trial).momentum for trial in study.trials()}
    assert by_optimizer == {"sgd": 0.9, "momentum": 0.5}


def test_a_search_without_test_rows_is_refused(tmp_path):
    options = OPTIONS | {"test_fraction": 0.0}
    with pytest.raises(InputError, match="test_fraction must be above 0"):
        begin_search(tmp_path / "s", Settings("tune", "moons", options, settings().base, dict(SPACE)))


def test_the_paired_test_is_the_one_of_scipy():
    from scipy.stats import ttest_1samp

    found = Comparison([0.9, 0.92, 0.93], [0.89, 0.90, 0.93])
    assert found.p == pytest.approx(ttest_1samp([0.01, 0.02, 0.0], 0).pvalue)
    assert Comparison([0.9, 0.8], [0.8, 0.7]).p is None
    assert Comparison([0.9], [0.8]).p is None


def test_the_score_of_a_trial_is_that_of_the_weights_that_are_kept():
    problem, study_settings = settings().problem(), settings()
    hp = study_settings.hyperparameters
    trained = problem.validate(hp, [])
    losses = trained.history["validation_loss"]
    assert hp.patience > 0
    assert trained.score == trained.history["validation_accuracy"][losses.index(min(losses))]
    last = problem.validate(replace(hp, patience=0), [])
    assert last.score == last.history["validation_accuracy"][-1]
    assert last.score != last.history["validation_accuracy"][0]


def test_where_the_best_is_the_defaults_one_network_is_trained_and_that_is_said(tmp_path):
    """The loss that None stands for is the default, and not another."""
    begin_search(tmp_path / "s", settings(space={"loss": "cross_entropy,mse"}, epochs=5))
    result = run_command("tune", "--resume", "s", "--trials", "1", "--workers", "1", folder=tmp_path)
    assert result.returncode == 0, result
    assert "Nothing better than the defaults was found." in result.stdout and "worse" not in result.stdout
    study = open_study(tmp_path / "s")
    found = comparison(study)
    assert is_default(study) and found.best == found.defaults and len(found.best) == 5
    assert len(finals(study).trials()) == 5


def test_why_trials_failed_is_told(tmp_path):
    searched = ["--activation", "relu,tanh", "--initialization", "linear"]
    trials = ["--trials", "6", "--epochs", "2", "--workers", "1"]
    done = run_command("tune", "moons", *trials, *searched, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "failed: initialization=linear cannot be used: the hidden layers must be ReLU" in " ".join(
        done.stdout.split()
    )
    study = open_study(next((tmp_path / "runs").iterdir()))
    [(reason, times)] = study.failures().items()
    assert times == len(study.trials(TrialState.FAIL)) > 0 and "ReLU" in reason
    page = study_parts(Judged(study))
    assert any(f"{times} of them: initialization=linear" in part.words for part in page)


def test_no_average_is_one_of_the_values_to_search(tmp_path):
    plain = settings(space={"average_epochs": "0,2"}, epochs=3)
    study = begin_search(tmp_path / "s", replace(plain, base=plain.base | {"patience": 0}))
    run(study, workers=1, on_progress=lambda _: None, most_trials=3)
    assert {trial.params["average_epochs"] for trial in study.trials(TrialState.COMPLETE)} <= {0, 2}


@pytest.mark.parametrize("kind", ["mlp", "nn2", "nn1", "perceptron"])
def test_a_study_trains_with_what_it_was_given_and_not_with_what_a_kind_has_by_default(kind, tmp_path):
    changed = {"optimizer": "momentum", "learning_rate": 0.37, "batch_size": 16, "epochs": 4}
    hp = replace(recipe_for(kind), **changed)
    options = OPTIONS | {"model": kind}
    of_kind = Settings("tune", "moons", options, asdict(hp), {"batch_size": [16, 32]})
    assert of_kind.hyperparameters == hp
    study = begin_search(tmp_path, of_kind)
    study.queue({}, which="best", hyperparameters=asdict(replace(hp, seed=3)))
    again = open_study(tmp_path)
    assert again.settings.hyperparameters == hp
    assert again.hyperparameters(again.trials()[-1]) == replace(hp, seed=3)


def test_values_that_do_not_go_together_cost_their_own_trial_alone(tmp_path):
    space = {"epochs": [2, 6], "average_epochs": [0, 5]}
    plain = settings("sweep", {**space, "seed": [0]})
    study = begin_sweep(tmp_path, replace(plain, base=plain.base | {"patience": 0}))
    run(study, workers=1, on_progress=lambda study: None)
    found = {tuple(cell.params.values()): cell for cell in cells(open_study(tmp_path))}
    assert "average_epochs must be at most" in found[2, 5].failed and not found[2, 5].scores
    assert all(len(found[which].scores) == 1 for which in ((2, 0), (6, 0), (6, 5)))


def test_the_best_of_one_row_is_not_tested_by_r2(tmp_path):
    rows = ["x,z", *(f"{i},{3 * i}.5" for i in range(40))]
    for name, lines in (("a.csv", rows), ("one.csv", rows[:2])):
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    options = OPTIONS | {"target": "z", "test": str(tmp_path / "one.csv")}
    of_one = replace(settings(), data=str(tmp_path / "a.csv"), options=options)
    with pytest.raises(InputError, match="R², which one row does not have"):
        begin_search(tmp_path / "study", of_one)


def test_a_search_in_which_all_diverge_says_so(tmp_path):
    rows = ["x,z", *(f"{i},{i * i}.5" for i in range(60))]
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n")
    study_of = ("tune", "a.csv", "--target", "z", "--epochs", "4", "--optimizer", "sgd", "--trials", "2")
    result = run_command(*study_of, "--learning-rate", "1e5,1e6", "--workers", "1", "--name", "t", folder=tmp_path)
    assert result.returncode == 1 and "all of 2 trials diverged" in result.stderr
    assert "2 diverged" in result.stdout and "0 were ended early" in result.stdout
    swept = ("sweep", *study_of[1:-2], "--learning-rate", "1e5,1e6", "--repeats", "1", "--json", "--name", "w")
    assert run_command(*swept, folder=tmp_path).returncode == 1


def test_a_search_from_python_may_be_gone_on_with_from_any_folder(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    rows = ["x,w,y", *(f"{i},{i % 7},{'ab'[i % 7 > 3]}" for i in range(120))]
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n")
    monkeypatch.chdir(tmp_path)
    hp = replace(recipe_for("mlp"), epochs=np.int64(2), learning_rate=np.float32(0.01))
    experiment = Experiment(data="a.csv", target="y", hyperparameters=hp)
    tuned = tune(experiment, {"batch_size": [16, 32]}, folder="study", trials=1, workers=1)
    monkeypatch.chdir(tmp_path / "elsewhere")
    saved = load_model(tmp_path / "study")
    assert saved.configuration["data"] == str(tmp_path / "a.csv")
    recorded = read_toml(tmp_path / "study/config.toml", "config.toml")
    assert recorded["initialization"] == "linear" and recorded["l2"] > 0 and "momentum" not in recorded
    prepared = prepare(Experiment.from_dict(recorded))
    assert json.loads(json.dumps(prepared.configuration)) == saved.configuration
    assert tuned.best.epochs == 2 and isinstance(tuned.best.epochs, int)
    measured = run_command("evaluate", str(tmp_path / "study"), "--json", folder=tmp_path / "elsewhere")
    assert measured.returncode == 0, measured.stderr


def test_defaults_that_the_space_does_not_hold_are_told(tmp_path):
    result = run_command("tune", "moons", "--epochs", "2", "--trials", "1", "--workers", "1", folder=tmp_path)
    assert "the defaults are no trial, since their initialization, l2 cannot be drawn" in " ".join(
        result.stdout.split()
    )
