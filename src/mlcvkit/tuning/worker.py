"""A worker: takes trials of a study, one after the other, and trains them."""

import json
import math
import os
import sys
import threading
import time
import uuid
from pathlib import Path

import optuna
from filelock import FileLock
from optuna.trial import TrialState
from threadpoolctl import threadpool_limits

from mlcvkit.arrays import PlainData
from mlcvkit.datasets import is_same_data
from mlcvkit.errors import InputError
from mlcvkit.storage import MODEL_FILE, RESULT_FILE, save_model, write_whole
from mlcvkit.training import Callback, Run
from mlcvkit.tuning.problems import Problem, Trained
from mlcvkit.tuning.studies import Study


class OutOfTime(Exception):
    """The time is over."""


class Reports(Callback):
    """Report each epoch to the study; end the training if the trial is hopeless or the time is over.

    Parameters
    ----------
    trial
        The trial.
    score
        The name of the score.
    deadline
        The instant at which the time is over, of ``time.monotonic``.
    prune
        Whether the trial may be ended early.
    """

    def __init__(self, trial: optuna.Trial, score: str, deadline: float, *, prune: bool) -> None:
        self.trial, self.score, self.deadline, self.prune = trial, score, deadline, prune

    def on_batch(self, samples: int) -> None:
        """End the training if the time is over."""
        if time.monotonic() > self.deadline:
            raise OutOfTime

    def on_epoch(self, run: Run) -> None:
        """Report the score; end the training if the trial is hopeless."""
        scores = run.history.get(f"validation_{self.score}")
        if scores is None:
            return
        self.trial.report(scores[-1], run.epoch)
        if self.prune and run.epoch < run.hyperparameters.epochs and self.trial.should_prune():
            raise optuna.TrialPruned


def work(folder: Path, name: str, seconds: float, most_trials: float | None) -> None:
    """Take trials until there are none, the time is over, or enough are taken.

    Parameters
    ----------
    folder
        The folder of the study.
    name
        The name of the study in its journal.
    seconds
        The time from now on, when all that is needed is loaded.
    most_trials
        The largest number of trials to take.

    Raises
    ------
    InputError
        If the data cannot be used, or are not those that the study was begun with.
    """
    identity = f"worker-{uuid.uuid4().hex[:8]}"
    alive = FileLock(folder / f".{identity}.lock")
    with alive:
        study = _prepared(folder, name)
        problem = study.settings.problem()
        if not is_same_data(study.fingerprint, problem.fingerprint):
            raise InputError(f"{study.settings.data} is not what the study was begun with any more: begin a new one")
        deadline = time.monotonic() + seconds
        while (trial := _next(study, identity, deadline, most_trials)) is not None:
            _run(study, problem, trial, deadline)
    Path(alive.lock_file).unlink(missing_ok=True)


def _prepared(folder: Path, name: str) -> Study:
    """The study with its sampler and pruner."""
    settings = Study(folder).settings
    first = Study(folder, name)
    with first.asking():  # no two workers draw the same values, nor does one after a restart
        number = first.optuna.user_attrs.get("workers", 0)
        first.optuna.set_user_attr("workers", number + 1)
    seed = settings.seed * 10_000 + number
    samplers: PlainData = {
        "tpe": lambda: optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=10),
        "random": lambda: optuna.samplers.RandomSampler(seed=seed),
    }
    searched = settings.search_space.get("epochs", [settings.hyperparameters.epochs])
    fewest = min(map(int, searched)) if isinstance(searched, list) else int(searched.low)
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=max(1, round(fewest / 8)), reduction_factor=3)
    return Study(folder, name, sampler=samplers[settings.sampler](), pruner=pruner)


def _next(study: Study, identity: str, deadline: float, most_trials: float | None) -> optuna.Trial | None:
    with study.asking():
        waiting = study.trials(TrialState.WAITING)
        taken = len(study.trials()) - len(waiting)
        full = most_trials is not None and taken >= most_trials
        if time.monotonic() > deadline or full or (study.is_queue and not waiting):
            return None
        return study.ask(identity, study.distributions)


def _run(study: Study, problem: Problem, trial: optuna.Trial, deadline: float) -> None:
    prune = study.settings.pruning and not study.is_queue
    reports = Reports(trial, problem.score, deadline, prune=prune)
    try:
        hp = study.hyperparameters(trial)
        trained = (problem.test if study.is_final else problem.validate)(hp, [reports])
    except optuna.TrialPruned:
        study.optuna.tell(trial, state=TrialState.PRUNED)
    except FloatingPointError:
        trial.set_user_attr("diverged", True)
        study.optuna.tell(trial, state=TrialState.PRUNED)
    except (InputError, MemoryError) as error:
        trial.set_user_attr("failed", str(error) or "not enough memory")
        study.optuna.tell(trial, state=TrialState.FAIL)
    except OutOfTime:
        study.queue_again(study.storage.get_trial(trial._trial_id), "the time was over", counts=False)
    else:
        _keep(study, trial, trained)


def _keep(study: Study, trial: optuna.Trial, trained: Trained) -> None:
    if study.is_final and trained.saved is not None and trial.user_attrs["which"] == "best":
        with study.asking():  # the model of the first complete seed is saved
            seed = trial.user_attrs["hyperparameters"]["seed"]
            if seed < study.optuna.user_attrs.get("kept", math.inf):
                trained.saved.configuration = trial.user_attrs["configuration"] | trained.saved.configuration
                save_model(study.folder / MODEL_FILE, trained.saved)
                write_whole(study.folder / RESULT_FILE, json.dumps({"test": trained.measured}).encode())
                study.optuna.set_user_attr("kept", seed)
    history = {name: [float(f"{value:.6g}") for value in values] for name, values in trained.history.items()}
    trial.set_user_attr("history", history)
    study.optuna.tell(trial, trained.score)


def main() -> None:
    """Work on a study, as the command line says: folder, name, threads, seconds or None, number of trials or None.

    The process ends when its standard input does.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    folder, name, threads, *limits = sys.argv[1:]
    seconds, most_trials = (None if limit == "None" else float(limit) for limit in limits)
    with threadpool_limits(int(threads)):
        try:
            work(Path(folder), name, math.inf if seconds is None else seconds, most_trials)
        except InputError as error:
            sys.stderr.write(str(error))
            sys.exit(2)


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
