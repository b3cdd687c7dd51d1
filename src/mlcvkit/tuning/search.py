"""Searches and sweeps from their start to their end: worker processes, and the trainings at the end."""

import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from optuna.trial import TrialState
from scipy.stats import ttest_rel

from mlcvkit import InputError
from mlcvkit.tuning.spaces import grid
from mlcvkit.tuning.studies import Settings, Study, create_study

LOOKED_AT_EVERY = 0.3
FINAL_SEEDS = 5
BAD_INPUT = 2

Told = Callable[[Study], None]


class WorkersFailed(OSError):
    """The workers end with an error, whatever trial they take."""


def begin_search(folder: Path, settings: Settings) -> Study:
    """A study that searches the space; its first trial is the base, so that what is found is no worse.

    Raises: InputError where the space or the data cannot be used.
    """
    problem = settings.problem()
    base = _base_parameters(settings) | ({"loss": problem.losses[0]} if "loss" in settings.space else {})
    base = {name: value for name, value in base.items() if _is_within(settings, name, value)}
    return create_study(folder, settings, problem.score, [base] if len(base) == len(settings.space) else [])


def begin_sweep(folder: Path, settings: Settings) -> Study:
    """A study of every combination of a grid, each with so many seeds; ``space`` holds the points and the seeds."""
    score = settings.problem().score
    return create_study(folder, settings, score, grid(settings.search_space, 0))


def _base_parameters(settings: Settings) -> dict[str, Any]:
    hp = settings.hyperparameters
    own = asdict(hp) | {"hidden_units": hp.hidden_units[0] if hp.hidden_units else None, "depth": len(hp.hidden_units)}
    return {name: own[name] for name in settings.space}


def _is_within(settings: Settings, name: str, value: Any) -> bool:
    values = settings.search_space[name]
    return value in values if isinstance(values, list) else value is not None and values.low <= value <= values.high


def run(study: Study, *, workers: int, told: Told, budget: float = math.inf, most_trials: int | None = None) -> None:
    """Work on a study until its budget, in seconds, is spent, so many trials are taken, or its queue is empty.

    Ctrl-C, and the death of this process, end the workers; what they were at is queued again.

    Raises: InputError where a worker cannot use what the study is about; WorkersFailed where every worker fails.
    """
    deadline = time.time() + budget - study.seconds()
    with _Workers(study, workers, deadline, most_trials) as pool:
        while pool.is_working():
            told(study)
            time.sleep(LOOKED_AT_EVERY)
    with study.asking():
        pass
    told(study)


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Worker:
    """A process of ``mlcvkit.tuning.worker``, and what it says on standard error.

    It ends when its standard input does, and so when this process does.
    """

    def __init__(self, arguments: list[str]) -> None:
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed in end)
        command = [sys.executable, "-m", "mlcvkit.tuning.worker", *arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self.said, start_new_session=True
        )

    def end(self) -> str:
        """End it where it has not; what it said."""
        self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        with self.said:
            self.said.seek(0)
            return self.said.read().strip()


class _Workers:
    """Workers of a study; one that was killed is replaced."""

    def __init__(self, study: Study, count: int, deadline: float, most_trials: int | None) -> None:
        limits = (None if math.isinf(deadline) else deadline, most_trials)
        threads = max(1, cores() // count)
        self.arguments = [str(study.folder), study.name, str(threads), *map(str, limits)]
        self.workers: list[_Worker] = []
        self.count, self.failures = count, 0

    def __enter__(self) -> "_Workers":
        self.workers = [_Worker(self.arguments) for _ in range(self.count)]
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.end()

    def is_working(self) -> bool:
        """Whether any is at work, after those that failed were replaced."""
        for worker in [worker for worker in self.workers if worker.process.poll() is not None]:
            self.workers.remove(worker)
            said = worker.end()
            if worker.process.returncode == BAD_INPUT:
                raise InputError(said)
            if worker.process.returncode:
                self._count_failure(said)
                self.workers.append(_Worker(self.arguments))
        return bool(self.workers)

    def _count_failure(self, said: str) -> None:
        self.failures += 1
        if self.failures > 3 * self.count:
            raise WorkersFailed(f"the workers end again and again: {said.splitlines()[-1] if said else 'killed'}")


def run_final(study: Study, configuration: dict[str, Any], *, workers: int, told: Told) -> "Comparison":
    """Train the best configuration and the base on everything, with some seeds each, and test each once.

    Arguments: ``configuration``, what the best model is stored with, beside its hyperparameters.
    Raises: InputError where no trial went to its end.
    """
    best = study.best()
    if best is None:
        raise InputError("no trial went to its end: give a larger --budget, or fewer --epochs")
    final = _final_study(study, best, configuration)
    run(final, workers=workers, told=told)
    return comparison(study.folder)


def _final_study(study: Study, best: Any, configuration: dict[str, Any]) -> Study:
    """The trainings at the end, queued once; anew where a better trial was found since."""
    import optuna

    names = optuna.get_all_study_names(storage=study.storage)
    if "final" in names:
        final = Study(study.folder, "final")
        if final.optuna.user_attrs.get("trial") == best.number and final.trials():
            return final
        optuna.delete_study(study_name="final", storage=study.storage)
    optuna.create_study(study_name="final", storage=study.storage, direction="maximize")
    final = Study(study.folder, "final")
    base, found = study.settings.hyperparameters, study.hyperparameters(best)
    for number in range(FINAL_SEEDS):
        for which, hp in {"best": found, "defaults": base}.items():
            seeded = asdict(replace(hp, seed=study.settings.seed + number))
            final.queue({}, which=which, hyperparameters=seeded, configuration=configuration | seeded)
    final.optuna.set_user_attr("trial", best.number)
    return final


@dataclass(frozen=True)
class Comparison:
    """The test scores of the best configuration and of the base, seed by seed, and p of a paired t-test.

    ``p`` is None where the differences are all alike.
    """

    best: list[float]
    defaults: list[float]

    @property
    def p(self) -> float | None:
        differences = np.subtract(self.best, self.defaults)
        if len(differences) < 2 or np.ptp(differences) < 1e-9:
            return None
        return float(ttest_rel(self.best, self.defaults).pvalue)

    def as_json(self) -> dict[str, Any]:
        """As plain data."""
        summary = {
            which: {"scores": scores, "mean": float(np.mean(scores)), "std": float(np.std(scores, ddof=1))}
            for which, scores in {"best": self.best, "defaults": self.defaults}.items()
        }
        return {**summary, "p": self.p}


def comparison(folder: Path) -> Comparison:
    """The trainings at the end of a study."""
    done = Study(folder, "final").trials(TrialState.COMPLETE)
    seeds: dict[str, dict[int, float]] = {"best": {}, "defaults": {}}
    for trial in done:
        seeds[trial.user_attrs["which"]][trial.user_attrs["hyperparameters"]["seed"]] = float(trial.value or 0)
    both = sorted(seeds["best"].keys() & seeds["defaults"].keys())
    return Comparison(*([scores[seed] for seed in both] for scores in (seeds["best"], seeds["defaults"])))


@dataclass(frozen=True)
class Cell:
    """A combination of a sweep's grid and its scores, one a seed that went to its end."""

    params: dict[str, Any]
    scores: list[float]

    @property
    def mean(self) -> float:
        return float(np.mean(self.scores)) if self.scores else math.nan

    @property
    def std(self) -> float:
        return float(np.std(self.scores, ddof=1)) if len(self.scores) > 1 else math.nan


def cells(study: Study) -> list[Cell]:
    """The grid of a sweep with its scores, in the order of the grid; without scores where the training diverged."""
    scores: dict[tuple[Any, ...], list[float]] = {}
    names = [name for name in study.settings.space if name != "seed"]
    for trial in study.trials(TrialState.COMPLETE, TrialState.PRUNED):
        found = scores.setdefault(tuple(trial.params[name] for name in names), [])
        if trial.state == TrialState.COMPLETE:
            found.append(float(trial.value or 0))
    order = grid({name: values for name, values in study.settings.search_space.items() if name != "seed"}, 0)
    return [Cell(cell, scores[tuple(cell.values())]) for cell in order if tuple(cell.values()) in scores]
