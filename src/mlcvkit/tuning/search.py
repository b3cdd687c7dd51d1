"""Searches and sweeps from their start to their end: worker processes, and the trainings at the end."""

import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from mlcvkit.arrays import PlainData
from mlcvkit.errors import InputError
from mlcvkit.experiments import (
    KINDS,
    Experiment,
    circumstances,
    require_experiment,
    require_used,
    with_used_only,
)
from mlcvkit.storage import MODEL_FILE, RESULT_FILE, load_model, write_configuration
from mlcvkit.threads import cores
from mlcvkit.training import Hyperparameters
from mlcvkit.tuning.problems import Problem, space_to_search
from mlcvkit.tuning.spaces import Choice, Range, grid, grid_size, lists, split_space, with_parameters
from mlcvkit.tuning.studies import JOURNAL_FILE, Settings, Study, create_study, open_study

LOOKED_AT_EVERY = 0.3
FINAL_SEEDS = 5
FEWEST_FAILURES = 5
"""The search ends if this many trials cannot be trained and none can."""
MOST_CELLS = 10_000
BAD_INPUT = 2

OnProgress = Callable[[Study], None]


class WorkersFailed(OSError):
    """The workers end with an error, whatever trial they take."""


def begin_search(folder: Path, settings: Settings) -> Study:
    """A study that searches the space. Its first trial is the base, where the space holds that.

    Parameters
    ----------
    folder
        The folder of the study, which is made.
    settings
        What is searched, and how.

    Returns
    -------
    Study
        The study.

    Raises
    ------
    InputError
        If the space or the data cannot be used.
    """
    problem = settings.problem()
    _require_used(settings, problem)
    if not problem.can_test:
        raise InputError("the best is tested at the end: test_fraction must be above 0")
    if problem.score == "r2" and len(problem.test_rows[1]) < 2:
        raise InputError("the best is tested at the end by R², which one row does not have: give more test rows")
    queued = [] if outside_of_space(settings) else [_base_parameters(settings)]
    return create_study(folder, settings, problem.score, queued, problem.fingerprint)


@dataclass(frozen=True)
class Tuned:
    """The result of a search.

    Parameters
    ----------
    best
        The best hyperparameters.
    comparison
        How they compare with the defaults.
    folder
        The folder of the study, with the best model.
    """

    best: Hyperparameters
    comparison: "Comparison"
    folder: Path


def tune(
    experiment: Experiment,
    space: PlainData | None = None,
    *,
    folder: Path | str,
    trials: int = 20,
    workers: int | None = None,
    seed: int = 0,
) -> Tuned:
    """Search for good hyperparameters, and train the best and the defaults on all training rows with five seeds each.

    Parameters
    ----------
    experiment
        The data, the kind of network, and the hyperparameters that are not searched.
    space
        For each hyperparameter a range "low:high", a list, or one value; what usually matters where none varies.
    folder
        Where the study is saved, and the best model.
    trials
        How many trainings to search with.
    workers
        Processes that train at the same time, one a core where None.
    seed
        Of the rows that are held out and of the draws.

    Returns
    -------
    Tuned
        The best hyperparameters, how they compare, and where the study is.

    Raises
    ------
    InputError
        If the space or the data cannot be used, or no trial can be trained.

    See Also
    --------
    train : One training.
    """
    require_experiment(experiment)
    experiment = experiment.portable()
    base, searched = split_space(space_to_search(dict(space or {}), experiment, seed), experiment.hyperparameters)
    options = experiment.to_dict()
    data = options.pop("data")
    settings = Settings("tune", data, options, asdict(base), searched, seed=seed)
    study, count = _begun_or_found(Path(folder), settings), workers or cores()
    run(study, workers=count, on_progress=_in_silence, most_trials=trials)
    found = run_final(study, experiment.to_dict(), workers=count, on_progress=_in_silence)
    best = study.best()
    assert best is not None
    return Tuned(study.hyperparameters(best), found, Path(folder))


def _begun_or_found(folder: Path, settings: Settings) -> Study:
    """A new study, or the one in the folder, which is gone on with where it is of the same."""
    if not (folder / JOURNAL_FILE).is_file():
        return begin_search(folder, settings)
    study = open_study(folder)
    if asdict(study.settings) != json.loads(json.dumps(asdict(settings))) | {"version": study.settings.version}:
        raise InputError(f"{folder} holds another study, with other data or another space: give another folder")
    return study


def _in_silence(study: Study) -> None:
    """Ignore the progress."""


def begin_sweep(folder: Path, settings: Settings) -> Study:
    """A study of every combination of a grid, each with several seeds.

    Parameters
    ----------
    folder
        The folder of the study, which is made.
    settings
        What is trained; its space holds the points and the seeds.

    Returns
    -------
    Study
        The study.

    Raises
    ------
    InputError
        If the data cannot be used, or the grid is too large.
    """
    problem = settings.problem()
    _require_used(settings, problem)
    if (size := grid_size(settings.search_space)) > MOST_CELLS:
        raise InputError(f"that is a grid of {size:,} trainings; at most {MOST_CELLS:,} are made: give fewer values")
    return create_study(folder, settings, problem.score, grid(lists(settings.search_space)), problem.fingerprint)


def _require_used(settings: Settings, problem: Problem) -> None:
    """Refuse hyperparameters that no trial would use: those of other kinds of network or other optimizers."""
    kind, space = settings.kind_of_network, settings.search_space
    unused = {**KINDS[kind].unused, **({} if kind == "mlp" else {"depth": "its depth is fixed"})}
    for name in space:
        if name in unused:
            raise InputError(f"{kind} would not use {name}: {unused[name]}; leave it out, or choose --model mlp")
    base = Hyperparameters(**settings.base)
    known: PlainData = {"task": problem.experiment.task, **circumstances(problem.training[0])}
    for parameters in [
        {},
        *({name: value} for name, values in space.items() for value in _samples(values) if name != "optimizer"),
    ]:
        searched = space.get("optimizer", [base.optimizer])
        tried = [parameters["optimizer"]] if "optimizer" in parameters else _samples(searched)
        errors = []
        for optimizer in tried:
            try:
                hp = with_parameters(base, {**parameters, "optimizer": optimizer})
                require_used(hp, kind, **known)
            except InputError as error:
                errors.append(error)
        if errors and len(errors) == len(tried):
            raise errors[0]


def _samples(values: Range | list[Choice]) -> list[Choice]:
    """The values of a list, or the ends of a range."""
    return values if isinstance(values, list) else values.points(2)


def _base_parameters(settings: Settings) -> PlainData:
    hp = settings.hyperparameters
    values = asdict(hp) | {
        "hidden_units": hp.hidden_units[0] if hp.hidden_units else None,
        "depth": len(hp.hidden_units),
    }
    if "loss" in settings.space and hp.loss is None:
        values["loss"] = settings.problem().losses[0]
    return {name: values[name] for name in settings.space}


def outside_of_space(settings: Settings) -> list[str]:
    """The hyperparameters whose values in the base are not among those that are searched: it is then no trial.

    Parameters
    ----------
    settings
        What is searched.

    Returns
    -------
    list[str]
        Their names.
    """
    base = _base_parameters(settings)
    return [name for name, value in base.items() if not _is_within(settings, name, value)]


def _is_within(settings: Settings, name: str, value: Choice | None) -> bool:
    values = settings.search_space[name]
    if isinstance(values, list):
        return value in values
    return isinstance(value, int | float) and values.low <= value <= values.high


def run(
    study: Study, *, workers: int, on_progress: OnProgress, budget: float = math.inf, most_trials: int | None = None
) -> None:
    """Work on a study until its budget is spent, enough trials are taken, or its queue is empty.

    It then waits for the workers of other processes. Ctrl-C, and the death of this process, end the workers; what they
    were at is queued again.

    Parameters
    ----------
    study
        The study.
    workers
        The number of processes that train at the same time.
    on_progress
        Called with the study now and then.
    budget
        The time to search, in seconds.
    most_trials
        The largest number of trials to take.

    Raises
    ------
    InputError
        If what the study is about cannot be used, or no trial can be trained.
    WorkersFailed
        If the workers end whatever trial they take.
    """
    study.keep_limits(budget, most_trials)
    remaining = budget - study.seconds()
    while True:
        with _Workers(study, workers, remaining, most_trials) as pool:
            while pool.is_working() or study.is_at_work():
                on_progress(study)
                _require_some_success(study)
                time.sleep(LOOKED_AT_EVERY)
        with study.asking():
            if not (study.is_queue and study.trials(TrialState.WAITING)):
                break
    _require_some_success(study, fewest=1)
    on_progress(study)


def _require_some_success(study: Study, fewest: int = FEWEST_FAILURES) -> None:
    failed = [trial for trial in study.trials(TrialState.FAIL) if "failed" in trial.user_attrs]
    if len(failed) >= fewest and not study.trials(TrialState.COMPLETE, TrialState.PRUNED):
        raise InputError(f"every trial fails: {failed[0].user_attrs['failed']}")


class _Worker:
    """A process of ``mlcvkit.tuning.worker``, and its standard error.

    It ends when its standard input does, and so when this process does.
    """

    def __init__(self, arguments: list[str]) -> None:
        self.stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed in end)
        command = [sys.executable, "-m", "mlcvkit.tuning.worker", *arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self.stderr, start_new_session=True
        )

    def end(self) -> str:
        """End it if it is still running; return what it wrote on standard error."""
        self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        with self.stderr:
            self.stderr.seek(0)
            return self.stderr.read().strip()


class _Workers:
    """The workers of a study; a killed one is replaced."""

    def __init__(self, study: Study, count: int, budget: float, most_trials: int | None) -> None:
        self.until = time.monotonic() + budget
        self.most_trials = most_trials
        threads = max(1, cores() // count)
        self.arguments = [str(study.folder), study.name, str(threads)]
        self.workers: list[_Worker] = []
        self.count, self.failures = count, 0

    def __enter__(self) -> "_Workers":
        self.workers = [self._start() for _ in range(self.count)]
        return self

    def _start(self) -> _Worker:
        left = None if math.isinf(self.until) else max(0.0, self.until - time.monotonic())
        return _Worker([*self.arguments, str(left), str(self.most_trials)])

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.end()

    def is_working(self) -> bool:
        """Whether any is working, after failed ones were replaced."""
        for worker in [worker for worker in self.workers if worker.process.poll() is not None]:
            self.workers.remove(worker)
            message = worker.end()
            if worker.process.returncode == BAD_INPUT:
                raise InputError(message)
            if worker.process.returncode:
                self._count_failure(message)
                self.workers.append(self._start())
        return bool(self.workers)

    def _count_failure(self, message: str) -> None:
        self.failures += 1
        if self.failures > 3 * self.count:
            raise WorkersFailed(f"the workers end again and again: {message.splitlines()[-1] if message else 'killed'}")


def run_final(study: Study, configuration: PlainData, *, workers: int, on_progress: OnProgress) -> "Comparison":
    """Train the best configuration and the base on everything, with several seeds each, and test each once.

    Parameters
    ----------
    study
        The study.
    configuration
        What the best model is stored with, beside its hyperparameters.
    workers
        The number of processes that train at the same time.
    on_progress
        Called with the study now and then.

    Returns
    -------
    Comparison
        The test scores of both.

    Raises
    ------
    InputError
        If no trial went to its end.
    """
    best = study.best()
    if best is None:
        ended = study.trials(TrialState.PRUNED, TrialState.FAIL)
        if ended and all(trial.user_attrs.get("diverged") for trial in ended):
            raise FloatingPointError(f"all of {count_of_trials(len(ended))} diverged: try smaller learning rates")
        raise InputError("no trial went to its end: give a larger --budget, or fewer --epochs")
    final = _final_study(study, best, configuration)
    run(final, workers=workers, on_progress=on_progress)
    found = comparison(study)
    assert found is not None
    if (study.folder / MODEL_FILE).is_file():
        write_configuration(study.folder, load_model(study.folder).configuration)
    return found


def is_default(study: Study) -> bool:
    """Whether the best trial's hyperparameters are those that the search began with.

    Parameters
    ----------
    study
        The search.

    Returns
    -------
    bool
        Whether they are; False if there is no best trial yet.
    """
    best = study.best()
    if best is None:
        return False
    found, base = study.hyperparameters(best), with_used_only(study.settings.hyperparameters)
    if base.loss is None and found.loss is not None:  # the loss that None stands for, by its name
        base = replace(base, loss=study.settings.problem().losses[0])
    is_measured = base.l2 is None and "l2" not in study.settings.space
    return replace(found, seed=base.seed, l2=None if is_measured else found.l2) == base


def _final_study(study: Study, best: optuna.trial.FrozenTrial, configuration: PlainData) -> Study:
    """The trainings at the end after a trial, each queued once, whoever comes here first."""
    name = f"final-{best.number}"
    wanted = {"best": study.hyperparameters(best), "defaults": with_used_only(study.settings.hyperparameters)}
    if is_default(study):  # the same network is trained only once
        del wanted["defaults"]
    with study.asking():
        if name not in optuna.get_all_study_names(storage=study.storage):
            for name_of_file in (MODEL_FILE, RESULT_FILE):
                (study.folder / name_of_file).unlink(missing_ok=True)  # of an earlier best trial
            optuna.create_study(study_name=name, storage=study.storage, direction="maximize")
        final = Study(study.folder, name)
        there = {(t.user_attrs["which"], t.user_attrs["hyperparameters"]["seed"]) for t in final.trials()}
        for seed in range(study.settings.seed, study.settings.seed + FINAL_SEEDS):
            for which, hp in wanted.items():
                if (which, seed) not in there:
                    seeded = asdict(replace(hp, seed=seed))
                    final.queue({}, which=which, hyperparameters=seeded, configuration=configuration)
    return final


@dataclass(frozen=True)
class Comparison:
    """The test scores of the best configuration and of the base, seed by seed; NaN if the training diverged.

    Parameters
    ----------
    best
        The scores of the best configuration.
    defaults
        The scores of the base.
    """

    best: list[float]
    defaults: list[float]

    @property
    def diverged(self) -> dict[str, int]:
        """The number of trainings of each that diverged."""
        return {"best": int(np.isnan(self.best).sum()), "defaults": int(np.isnan(self.defaults).sum())}

    @property
    def p(self) -> float | None:
        """The p-value of a paired t-test over the seeds, or None if one diverged or all differences are alike."""
        from scipy.stats import ttest_rel  # half of a worker's start, which no worker needs

        differences = np.subtract(self.best, self.defaults)
        if len(differences) < 2 or np.isnan(differences).any() or np.ptp(differences) < 1e-9:
            return None
        return float(ttest_rel(self.best, self.defaults).pvalue)

    def as_json(self) -> PlainData:
        """The comparison as plain data."""
        return {"best": _summary(self.best), "defaults": _summary(self.defaults), "p": self.p}


def _summary(scores: list[float]) -> PlainData:
    known = [score for score in scores if not math.isnan(score)]
    return {
        "scores": [None if math.isnan(score) else score for score in scores],
        "mean": float(np.mean(known)) if known else None,
        "std": float(np.std(known, ddof=1)) if len(known) > 1 else None,
    }


def finals(study: Study) -> Study | None:
    """The trainings at the end after the best trial.

    Parameters
    ----------
    study
        The search.

    Returns
    -------
    Study | None
        The study of these trainings, or None if there are none yet.
    """
    best = study.best()
    name = None if best is None else f"final-{best.number}"
    return Study(study.folder, name) if name in optuna.get_all_study_names(storage=study.storage) else None


def comparison(study: Study) -> Comparison | None:
    """What the trainings at the end have found so far.

    Parameters
    ----------
    study
        The search.

    Returns
    -------
    Comparison | None
        The comparison, or None if there is none.
    """
    final = finals(study)
    if final is None:
        return None
    scores: dict[str, dict[int, float]] = {"best": {}, "defaults": {}}
    for trial in final.trials(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL):
        score = math.nan if trial.value is None else float(trial.value)
        scores[trial.user_attrs["which"]][trial.user_attrs["hyperparameters"]["seed"]] = score
    if is_default(study):
        scores["defaults"] = scores["best"]
    both = sorted(scores["best"].keys() & scores["defaults"].keys())
    return Comparison([scores["best"][seed] for seed in both], [scores["defaults"][seed] for seed in both])


@dataclass(frozen=True)
class Cell:
    """A combination of a sweep's grid.

    Parameters
    ----------
    params
        The values of the hyperparameters.
    scores
        The scores of the seeds that went to their end.
    diverged
        The number of seeds that diverged.
    failed
        Why other seeds could not be trained.
    """

    params: PlainData
    scores: list[float]
    diverged: int
    failed: str

    @property
    def mean(self) -> float:
        """The mean of the scores; NaN if there is none."""
        return float(np.mean(self.scores)) if self.scores else math.nan

    @property
    def std(self) -> float:
        """The standard deviation of the scores."""
        return float(np.std(self.scores, ddof=1)) if len(self.scores) > 1 else math.nan

    def row(self, shown: Callable[[Any], str]) -> list[str]:
        """The cell as a row of a table with ``CELL_HEADINGS``, after the hyperparameters.

        Parameters
        ----------
        shown
            Turns a value into text.

        Returns
        -------
        list[str]
            The texts.
        """
        mean = "" if math.isnan(self.mean) else f"{self.mean:.4f}"
        std = "" if math.isnan(self.std) else f"{self.std:.4f}"
        return [*map(shown, self.params.values()), mean, std, str(self.diverged or ""), self.failed]


CELL_HEADINGS = ("mean", "standard deviation", "diverged", "")


def cells(study: Study) -> list[Cell]:
    """The grid of a sweep with its scores.

    Parameters
    ----------
    study
        The sweep.

    Returns
    -------
    list[Cell]
        The cells, in the order of the grid.
    """
    found: dict[tuple[Choice, ...], list[optuna.trial.FrozenTrial]] = {}
    names = [name for name in study.settings.space if name != "seed"]
    for trial in study.trials(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL):
        found.setdefault(tuple(trial.params[name] for name in names), []).append(trial)
    every = grid({name: values for name, values in lists(study.settings.search_space).items() if name != "seed"})
    return [_cell(params, found[tuple(params.values())]) for params in every if tuple(params.values()) in found]


def _cell(params: PlainData, trials: list[optuna.trial.FrozenTrial]) -> Cell:
    scores = [trial.value for trial in trials if trial.value is not None and trial.state == TrialState.COMPLETE]
    reasons = [trial.user_attrs.get("failed", "") for trial in trials if trial.state == TrialState.FAIL]
    diverged = sum(trial.state == TrialState.PRUNED for trial in trials)
    return Cell(params, scores, diverged, reasons[0] if reasons else "")


def describe_best_cell(found: list[Cell]) -> str:
    """A sentence on a grid's best combination.

    Parameters
    ----------
    found
        The combinations.

    Returns
    -------
    str
        The sentence; empty if none has a score.
    """
    scored = [cell for cell in found if cell.scores]
    if not scored:
        return ""
    best = max(scored, key=lambda cell: cell.mean)
    values = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in best.params.items())
    return (
        f"Best: {values}, with {best.mean:.4f} in the mean of {len(best.scores)} seed{'s' * (len(best.scores) != 1)}."
    )


def count_of_trials(count: int) -> str:
    """A number of trials in words.

    Parameters
    ----------
    count
        The number.

    Returns
    -------
    str
        Such as "1 trial" or "20 trials".
    """
    return f"{count} trial{'s' * (count != 1)}"
