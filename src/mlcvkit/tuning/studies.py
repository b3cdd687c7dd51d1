"""A study: trials in a journal file that several processes write to, of which any may be killed at any instant."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import optuna
from filelock import FileLock, Timeout
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from mlcvkit.arrays import PlainData
from mlcvkit.errors import InputError
from mlcvkit.experiments import Experiment, KindName, with_used_only, without_old_defaults
from mlcvkit.training import Hyperparameters
from mlcvkit.tuning.problems import Problem, experiment_of
from mlcvkit.tuning.spaces import Space, distributions, read_space, with_parameters

JOURNAL_FILE = "journal.log"
RETRIES = 3
"""A trial whose worker was killed is run again, but not more often: it may be what kills them."""

VERSION = 2

KILLED = "its worker was killed"

Params = PlainData

optuna.logging.set_verbosity(optuna.logging.ERROR)


@dataclass(frozen=True)
class Settings:
    """What a study is about. It never changes.

    Parameters
    ----------
    kind
        "tune" or "sweep".
    data
        The data of the experiment.
    options
        The other options of the experiment.
    base
        The hyperparameters that are not searched.
    space
        The space, as ``read_space`` takes it.
    sampler
        How trials are drawn: "tpe" or "random".
    pruning
        Whether trials that fall behind are ended early.
    seed
        The seed of the rows that are held out, and of the draws.
    repeats
        The number of seeds for each combination of a sweep.
    version
        1 for a study whose hyperparameters an earlier version recorded without using all of them.
    """

    kind: str
    data: str | None
    options: PlainData
    base: PlainData
    space: PlainData
    sampler: str = "tpe"
    pruning: bool = True
    seed: int = 0
    repeats: int = 1
    version: int = VERSION

    @cached_property
    def hyperparameters(self) -> Hyperparameters:
        """The hyperparameters that are not searched."""
        return self.stored_hyperparameters(self.base)

    def stored_hyperparameters(self, stored: PlainData) -> Hyperparameters:
        """The hyperparameters that the journal holds.

        Parameters
        ----------
        stored
            Their names and values.

        Returns
        -------
        Hyperparameters
            What is trained with.
        """
        is_old = self.version < VERSION
        return Hyperparameters(**(without_old_defaults(stored, self.kind_of_network) if is_old else stored))

    @property
    def kind_of_network(self) -> KindName:
        """The kind of network that is trained."""
        return self.experiment.model

    @cached_property
    def search_space(self) -> Space:
        """The space."""
        texts = {name: values for name, values in self.space.items() if name != "seed"}
        return read_space(texts, seeds=self.space.get("seed", ()))

    def problem(self) -> Problem:
        """The experiment, with its rows divided."""
        return Problem(self.experiment, self.seed)

    @property
    def experiment(self) -> Experiment:
        """What is tuned, without its hyperparameters."""
        return experiment_of(self.data, self.options)


class Journal(JournalFileBackend):
    """A journal in which a line that its writer did not end, because it was killed, is cut off before the next one.

    Parameters
    ----------
    path
        The file. Beside it is the lock that writers hold, which the system gives back when its holder is killed.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.lock = path, FileLock(path.with_name(".journal.lock"))
        super().__init__(str(path), self.lock)  # type: ignore[arg-type]

    def append_logs(self, logs: list[PlainData]) -> None:
        """Add lines, after a line that was not completed is removed."""
        with self.lock:
            self._cut_broken_line()
            super().append_logs(logs)

    def _cut_broken_line(self) -> None:
        with self.path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            end = size
            while end and not (tail := _tail(file, end)).endswith(b"\n"):
                end -= len(tail) - tail.rfind(b"\n") - 1
            if end < size:
                file.truncate(end)


def _tail(file: BinaryIO, end: int) -> bytes:
    """What stands before a place of a file, 1 MiB at most."""
    start = max(0, end - (1 << 20))
    file.seek(start)
    return file.read(end - start)


@dataclass
class Study:
    """One of the studies in a folder's journal: "search", or "final-N" for the trainings at the end after trial N.

    A worker holds a lock of its own as long as it lives, so that whose trials are stale can be told, and takes its
    trials under a lock that all share.

    Parameters
    ----------
    folder
        The folder of the study.
    name
        "search", or "final-N" for the trainings at the end after trial N.
    sampler
        How trials are drawn; Optuna's default for a queue.
    pruner
        Which trials are ended early; none by default.
    """

    folder: Path
    name: str = "search"
    sampler: Any = field(default=None, repr=False)
    pruner: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.storage = _storage(self.folder)
        self.optuna = optuna.load_study(
            study_name=self.name, storage=self.storage, sampler=self.sampler, pruner=self.pruner
        )

    @cached_property
    def _attributes(self) -> PlainData:
        return optuna.load_study(study_name="search", storage=self.storage).user_attrs

    @cached_property
    def settings(self) -> Settings:
        """The settings that ``create_study`` was given."""
        return Settings(**{"version": 1, **self._attributes["settings"]})

    def _require_sound(self) -> None:
        """Read all that is used of a journal, which anybody may have written."""
        settings = self.settings
        if settings.kind not in ("tune", "sweep") or settings.sampler not in ("tpe", "random"):
            raise ValueError(f"it is a {settings.kind!r} by {settings.sampler!r}")
        _ = settings.hyperparameters, settings.search_space, self.score, self.fingerprint, self.limits
        for trial in self.trials():
            with suppress(InputError):  # of values that do not go together, with which it was not trained
                self.hyperparameters(trial)

    @property
    def score(self) -> str:
        """The name of the score: "accuracy" or "r2"."""
        return str(self._attributes["score"])

    @property
    def fingerprint(self) -> str:
        """The SHA-256 sum of the data that the study was begun with."""
        return str(self._attributes["fingerprint"])

    @property
    def is_final(self) -> bool:
        """Whether it holds trainings at the end."""
        return self.name != "search"

    @property
    def is_queue(self) -> bool:
        """Whether all of its trials were queued at its start, and none is drawn."""
        return self.is_final or self.settings.kind == "sweep"

    @property
    def limits(self) -> tuple[float, int | None]:
        """The budget in seconds and the number of trials that it was last given."""
        kept = self.optuna.user_attrs
        return kept.get("budget", float("inf")), kept.get("most_trials")

    def keep_limits(self, budget: float, most_trials: int | None) -> None:
        """Record the limits for a process that goes on.

        Parameters
        ----------
        budget
            The time to search, in seconds.
        most_trials
            The largest number of trials to take.
        """
        if budget != float("inf"):
            self.optuna.set_user_attr("budget", budget)
        if most_trials is not None:
            self.optuna.set_user_attr("most_trials", most_trials)

    def is_at_work(self) -> bool:
        """Whether a worker of any process is at a trial."""
        running = self.optuna.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return any(self.is_alive(trial.user_attrs.get("worker")) for trial in running)

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """The trials of the study; those that were run again are left out.

        Parameters
        ----------
        *states
            The states of the trials that are wanted. By default all.

        Returns
        -------
        list[FrozenTrial]
            The trials, in their order.
        """
        trials = self.optuna.get_trials(deepcopy=False, states=states or None)
        return [trial for trial in trials if not _was_retried(trial)]

    def best(self) -> FrozenTrial | None:
        """The trial with the largest score among those that went to their end."""
        done = self.trials(TrialState.COMPLETE)
        return max(done, key=lambda trial: (trial.value, -trial.number)) if done else None

    def failures(self) -> dict[str, int]:
        """Why trials failed, and how many for each reason."""
        return dict(Counter(str(trial.user_attrs.get("failed", "no reason")) for trial in self.trials(TrialState.FAIL)))

    def seconds(self) -> float:
        """The time in which trials ran that have ended, with those at the same time counted once."""
        spent, until = 0.0, datetime.min
        trials = self.optuna.get_trials(deepcopy=False)
        ended = [t for t in trials if t.state.is_finished() and t.user_attrs.get("failed") != KILLED]
        for start, end in sorted(_intervals(ended)):
            spent += max(0.0, (end - max(start, until)).total_seconds()) if end > until else 0.0
            until = max(until, end)
        return spent

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Hold the lock that workers take trials under; first queue the trials of dead workers again."""
        with FileLock(self.folder / ".asking.lock"):
            self.queue_stale_trials()
            yield

    def ask(self, worker: str, distributed: PlainData) -> optuna.Trial:
        """Take the next trial, within ``asking``.

        Parameters
        ----------
        worker
            The name of the worker.
        distributed
            What the trial is drawn from.

        Returns
        -------
        optuna.Trial
            The trial.
        """
        trial = self.optuna.ask(dict(distributed))
        trial.set_user_attr("worker", worker)
        return trial

    def queue_stale_trials(self) -> None:
        """Fail the trials whose worker is dead, and queue each again as it was."""
        for trial in self.optuna.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if not self.is_alive(trial.user_attrs.get("worker")):
                self.queue_again(trial, KILLED)

    def queue_again(self, trial: FrozenTrial, reason: str, *, counts: bool = True) -> None:
        """Fail a trial, and queue it again unless it has been run too often.

        Parameters
        ----------
        trial
            The trial.
        reason
            Why it failed.
        counts
            Whether this counts as a run of it.
        """
        retries = trial.user_attrs.get("retries", 0) + counts
        again = [t for t in self.optuna.get_trials(deepcopy=False) if t.user_attrs.get("retry_of") == trial.number]
        if not again and retries <= RETRIES:  # a process that was killed right here has queued it already
            kept = {k: v for k, v in trial.user_attrs.items() if k not in ("worker", "retried", "failed")}
            params = trial.system_attrs.get("fixed_params", {}) | trial.params
            self.optuna.enqueue_trial(params, user_attrs=kept | {"retry_of": trial.number, "retries": retries})
        self.storage.set_trial_user_attr(trial._trial_id, "failed", reason)
        self.storage.set_trial_user_attr(trial._trial_id, "retried", retries <= RETRIES)
        self.optuna.tell(trial.number, state=TrialState.FAIL)

    def is_alive(self, worker: str | None) -> bool:
        """Whether a worker holds its lock. The lock of a dead one is removed.

        Parameters
        ----------
        worker
            The name of the worker.

        Returns
        -------
        bool
            Whether it is alive.
        """
        if worker is None or not re.fullmatch(r"worker-[0-9a-f]{8}", worker):  # a journal's word is no file's name
            return False
        path = self.folder / f".{worker}.lock"
        if not path.exists():
            return False
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        path.unlink(missing_ok=True)
        lock.release()
        return False

    def hyperparameters(self, trial: FrozenTrial | optuna.Trial) -> Hyperparameters:
        """The hyperparameters of a trial.

        Parameters
        ----------
        trial
            The trial.

        Returns
        -------
        Hyperparameters
            The hyperparameters.
        """
        stored = trial.user_attrs.get("hyperparameters")
        if stored:
            return self.settings.stored_hyperparameters(stored)
        return with_used_only(with_parameters(self.settings.hyperparameters, trial.params))

    def queue(self, params: Params, **attributes: object) -> None:
        """Put a trial into the queue.

        Parameters
        ----------
        params
            Its hyperparameters.
        **attributes
            What is recorded with it.
        """
        self.optuna.enqueue_trial(params, user_attrs=attributes)

    @property
    def distributions(self) -> PlainData:
        """What a trial is drawn from: nothing if every trial is in the queue from the start."""
        return {} if self.is_final else distributions(self.settings.search_space)


def _was_retried(trial: FrozenTrial) -> bool:
    return bool(trial.user_attrs.get("retried"))


def _intervals(trials: Sequence[FrozenTrial]) -> Iterator[tuple[datetime, datetime]]:
    for trial in trials:
        if trial.datetime_start and trial.datetime_complete:
            yield trial.datetime_start, trial.datetime_complete


def create_study(
    folder: Path, settings: Settings, score: str, queued: Sequence[Params], fingerprint: str = ""
) -> Study:
    """Begin a study in a folder, with some trials in its queue.

    Parameters
    ----------
    folder
        The folder, which is made.
    settings
        What the study is about.
    score
        The name of the score.
    queued
        The hyperparameters of the trials in the queue.
    fingerprint
        The SHA-256 sum of the data.

    Returns
    -------
    Study
        The study.

    Raises
    ------
    InputError
        If the folder cannot be written, or holds a study.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the study's folder {folder} cannot be written: {error.strerror}") from None
    if (folder / JOURNAL_FILE).exists():
        raise InputError(f"{folder} holds a study already: go on with it by --resume, or give another folder")
    study = optuna.create_study(study_name="search", storage=_storage(folder), direction="maximize")
    study.set_user_attr("score", score)
    study.set_user_attr("fingerprint", fingerprint)
    for params in queued:
        study.enqueue_trial(params)
    study.set_user_attr("settings", json.loads(json.dumps(asdict(settings))))
    return Study(folder)


def open_study(folder: Path) -> Study:
    """Open a study.

    Parameters
    ----------
    folder
        The folder of the study.

    Returns
    -------
    Study
        The study.

    Raises
    ------
    InputError
        If there is none, or its journal is damaged.
    """
    if not (folder / JOURNAL_FILE).is_file():
        raise InputError(f"{folder} holds no study: give a folder that 'mlcvlab tune' or 'mlcvlab sweep' wrote")
    try:
        study = Study(folder)
        study._require_sound()
    except OSError:
        raise
    except Exception as error:  # whatever Optuna makes of a journal that was not written by it
        raise InputError(f"{folder / JOURNAL_FILE} is damaged, or its study was never begun: {error}") from None
    return study


def _storage(folder: Path) -> JournalStorage:
    return JournalStorage(Journal(folder / JOURNAL_FILE))
