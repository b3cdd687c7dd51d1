"""mlcvlab tune and mlcvlab sweep."""

import ast
import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields, make_dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import monotonic
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table

from mlcvkit import storage
from mlcvkit.arrays import PlainData
from mlcvkit.cli.app import INTERRUPTED, console, print_json, progress_of, read_config, say, table_of
from mlcvkit.cli.interrupts import interrupts
from mlcvkit.cli.source import Source
from mlcvkit.errors import InputError
from mlcvkit.experiments import KindName, recipe_for
from mlcvkit.extras import require
from mlcvkit.threads import cores
from mlcvkit.training import NOT_SEARCHED, Hyperparameters, text_of

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from mlcvkit.tuning import Cell, Comparison, Study

DEFAULT_SECONDS = 300.0
MOST_WORKERS = 256

_SEARCHED = [field.name for field in fields(Hyperparameters) if field.name not in NOT_SEARCHED] + ["depth"]


def _sentences() -> dict[str, str]:
    """The first sentence of each hyperparameter's documentation."""
    [body] = [n.body for n in ast.parse(inspect.getsource(Hyperparameters)).body if isinstance(n, ast.ClassDef)]
    sentences = {}
    for field_, text in pairwise(body):
        if isinstance(field_, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(field_.target, ast.Name):
            words = " ".join(str(ast.literal_eval(text.value)).split())
            sentences[field_.target.id] = re.split(r"(?<=[a-z0-9])[.;] ", words)[0].rstrip(".") + "."
    return sentences | {"depth": "Hidden layers of --hidden-units each."}


_HELP = _sentences()

_FIELDS = [(name, Annotated[str | None, Parameter(help=_HELP.get(name) or text_of(name))], None) for name in _SEARCHED]
SearchSpace = make_dataclass("SearchSpace", _FIELDS, kw_only=True)
SearchSpace.__module__ = __name__  # cyclopts takes a class of the standard library's for a plain value
"""A hyperparameter as text: one value, a list a,b,c, or a range low:high."""


def tune(
    data: str | None = None,
    source: Source | None = None,
    space: Annotated[SearchSpace | None, Parameter(name="*")] = None,  # type: ignore[valid-type]
    *,
    space_file: Annotated[Path | None, Parameter(name="--space")] = None,
    budget: str | None = None,
    trials: int | None = None,
    workers: int | None = None,
    sampler: Literal["tpe", "random"] | None = None,
    pruning: bool | None = None,
    seed: int | None = None,
    resume: Path | None = None,
    name: str | None = None,
    output: Path | None = None,
    json: bool = False,
) -> int:
    """Search for good hyperparameters, and test whether they are better than the defaults.

    Each trial trains on a part of the training rows and is judged on the rest; trials that fall behind are ended early.
    Then the best configuration and the defaults are trained on all training rows with five seeds each, and tested once.
    A hyperparameter is one fixed value, or a list a,b,c or a range low:high to search; by default those that usually
    matter are searched. Ctrl-C or a kill loses nothing: --resume continues.

    Parameters
    ----------
    data
        As for 'mlcvlab train'; by default NN2 on MNIST's even and odd digits.
    space_file
        A TOML file with the search space, one line each: learning_rate = "1e-4:1", batch_size = [32, 128].
    budget
        The time for the search, without the trainings at the end: 90s, 5m, 2h; 5m if trials is not given either.
    trials
        The number of trials.
    workers
        Processes that train at the same time; by default one for each core.
    sampler
        tpe, the default, draws from where trials were good; random draws from everywhere.
    pruning
        End trials early that fall behind; --no-pruning ends none.
    seed
        The seed of the split and of the draws, 0 by default; the first seed of the trainings at the end.
    resume
        The folder of a study to continue, or to work on beside others, with its budget and trials or larger ones.
    name
        The name of the study's folder, by default the time.
    output
        The folder for it, by default runs.
    json
        Print the result as JSON, and nothing else.
    """
    tuning = _tuning()
    console.quiet = json
    if trials is not None and trials < 1:
        raise InputError(f"trials must be 1 or more; got {trials}")
    seconds, seed, count = _seconds(budget), _seed(seed, resume), _workers(workers)
    if resume is None:
        options = _options(data, source or Source())
        experiment = tuning.experiment_of(options["data"], options)
        given = tuning.space_to_search(_read_space_file(space_file) | _given(space), experiment, seed)
        base, texts = tuning.split_space(given, _recipe(data, options["model"]))
        settings = tuning.Settings(
            "tune", options.pop("data"), options, asdict(base), texts, sampler or "tpe", pruning is not False, seed
        )
        with storage.claimed(output or Path("runs"), name) as (_, folder):
            study = tuning.begin_search(folder, settings)
        console.print(f"Searching {', '.join(texts)}".replace("_", " "))
        _print_notes(study)
        if outside := tuning.outside_of_space(settings):
            console.print(f"[bold]Note[/bold] {_defaults_outside(outside)}")
    else:
        beginning = {"space": space_file, "sampler": sampler, "pruning": pruning}
        _refuse_with_resume(data=data, name=name, output=output, **_given(source), **beginning, **_given(space))
        study = tuning.open_study(resume)
        if study.settings.kind != "tune":
            raise InputError(f"{resume} is a sweep: mlcvlab sweep --resume {resume}")
        kept_seconds, kept_trials = study.limits
        if budget is not None and seconds < kept_seconds < float("inf"):
            raise InputError(f"--budget is of the whole search, and {resume} has {kept_seconds:g}s already: give more")
        if trials is not None and trials < (there := len(study.trials())):
            raise InputError(f"--trials is of all trials, and {resume} has {there} already: give more, or leave it out")
        seconds, trials = (kept_seconds if budget is None else seconds), trials or kept_trials
    if seconds == float("inf") and trials is None:
        seconds = DEFAULT_SECONDS
    return _tune(tuning, study, seconds, trials, count, json)


def _tune(tuning: ModuleType, study: "Study", budget: float, trials: int | None, workers: int, json: bool) -> int:
    try:
        with interrupts():
            with _live_table(budget, trials) as on_progress:
                tuning.run(study, workers=workers, on_progress=on_progress, budget=budget, most_trials=trials)
            _print_search(study)
            configuration = _configuration(study)
            which = "best, which are the defaults," if tuning.is_default(study) else "best and the defaults"
            total = tuning.FINAL_SEEDS * (1 if tuning.is_default(study) else 2)
            with progress_of(f"Training the {which} on all training rows", total) as update:
                done = partial(_show_ended, update)
                found = tuning.run_final(study, configuration, workers=workers, on_progress=done)
    except KeyboardInterrupt:
        say("stopped", f"nothing is lost; to go on: mlcvlab tune --resume {study.folder}")
        return INTERRUPTED
    best = study.best()
    assert best is not None  # else the search had failed
    is_saved = (study.folder / storage.MODEL_FILE).is_file()
    saved = "its best model" if is_saved else "no model, since every training of the best diverged,"
    _print_comparison(study, found, is_default=tuning.is_default(study))
    console.print(f"The study and {saved} are in [bold]{escape(str(study.folder))}[/bold]")
    console.print(f"A page about both: mlcvlab report {escape(str(study.folder))}")
    counts = _counts(study)
    result = {"run": str(study.folder), "trials": counts, "best": {"validation": best.value, **best.params}}
    if outside := tuning.outside_of_space(study.settings):
        result |= {"notes": [_defaults_outside(outside)]}
    result |= {"failures": study.failures()} if study.failures() else {}
    print_json(json, result | {"test": found.as_json()})
    return 0


def _defaults_outside(names: list[str]) -> str:
    return f"the defaults are no trial, since their {', '.join(names)} cannot be drawn; they are tested at the end"


def sweep(
    data: str | None = None,
    source: Source | None = None,
    space: Annotated[SearchSpace | None, Parameter(name="*")] = None,  # type: ignore[valid-type]
    *,
    points: int | None = None,
    repeats: int | None = None,
    workers: int | None = None,
    seed: int | None = None,
    resume: Path | None = None,
    name: str | None = None,
    output: Path | None = None,
    json: bool = False,
) -> int:
    """Train every combination of some hyperparameters, with several seeds each: a plain grid.

    For example: mlcvlab sweep --learning-rate 1e-4:1 --hidden-units 8,32,128. Each is judged on held-out training rows.
    Ctrl-C or a kill loses nothing: --resume continues.

    Parameters
    ----------
    data
        As for 'mlcvlab train'; by default NN2 on MNIST's even and odd digits.
    points
        The number of values of a range low:high, by default 5, evenly spaced; on a logarithmic scale if it spans a
        factor of 10.
    repeats
        The number of seeds for each combination, by default 3.
    workers
        Processes that train at the same time; by default one for each core.
    seed
        The first seed, which is also that of the split; 0 by default.
    resume
        The folder of a sweep to continue, or to work on beside others.
    name
        The name of the sweep's folder, by default the time.
    output
        The folder for it, by default runs.
    json
        Print the result as JSON, and nothing else.
    """
    tuning = _tuning()
    console.quiet = json
    seed, count = _seed(seed, resume), _workers(workers)
    if resume is None:
        how = (5 if points is None else points), (3 if repeats is None else repeats)
        study = _begin_sweep(tuning, data, source or Source(), _given(space), *how, seed, output or Path("runs"), name)
    else:
        beginning = {"points": points, "repeats": repeats, **_given(source), **_given(space)}
        _refuse_with_resume(data=data, name=name, output=output, **beginning)
        study = tuning.open_study(resume)
        if study.settings.kind != "sweep":
            raise InputError(f"{resume} is no sweep: mlcvlab tune --resume {resume}")
    try:
        with interrupts(), progress_of("Training the grid", len(study.trials())) as update:
            tuning.run(study, workers=count, on_progress=partial(_show_ended, update))
    except KeyboardInterrupt:
        say("stopped", f"nothing is lost; to go on: mlcvlab sweep --resume {study.folder}")
        return INTERRUPTED
    cells = tuning.cells(study)
    _print_cells(tuning, study, cells)
    console.print(f"Saved to [bold]{escape(str(study.folder))}[/bold]")
    result = [{**cell.params, "scores": cell.scores, "diverged": cell.diverged} for cell in cells]
    for cell, shown in zip(cells, result, strict=True):
        shown |= {"failed": cell.failed} if cell.failed else {}
    notes = study.settings.problem().notes if json else ()
    found = {"run": str(study.folder), "score": study.score, "cells": result}
    print_json(json, found | ({"notes": list(notes)} if notes else {}))
    return 1 if any(cell.diverged for cell in cells) and not any(cell.scores for cell in cells) else 0


def _begin_sweep(
    tuning: ModuleType,
    data: str | None,
    source: Source,
    given: dict[str, str],
    points: int,
    repeats: int,
    seed: int,
    output: Path,
    name: str | None,
) -> "Study":
    """A sweep with all its trainings, queued."""
    if not 2 <= points <= 1000 or not 1 <= repeats <= 1000:
        raise InputError(f"points must be from 2 and repeats from 1 to 1,000; got {points} and {repeats}")
    options = _options(data, source)
    base, texts = tuning.split_space(given, _recipe(data, options["model"]))
    if not texts:
        raise InputError("there is nothing to sweep: for example --learning-rate 1e-4:1 --hidden-units 8,32,128")
    for key, values in tuning.read_space(texts).items():
        texts[key] = values.points(points) if isinstance(values, tuning.Range) else values
    texts["seed"] = list(range(seed, seed + repeats))
    data, fixed = options.pop("data"), asdict(base)
    settings = tuning.Settings("sweep", data, options, fixed, texts, seed=seed, repeats=repeats)
    with storage.claimed(output, name) as (_, folder):
        study: Study = tuning.begin_sweep(folder, settings)
    seeds = f"{repeats} seed{'s' * (repeats != 1)}"
    console.print(f"{len(study.trials()):,} trainings, with {seeds} for each combination")
    _print_notes(study)
    return study


def _print_notes(study: "Study") -> None:
    for note in study.settings.problem().notes:
        console.print(f"[bold]Note[/bold] {escape(note)}")


def _tuning() -> ModuleType:
    """The tuner; an error that names its extra where that is not installed."""
    require("tune")
    from mlcvkit import tuning

    return tuning


def _given(space: object) -> dict[str, str]:
    return {} if space is None else {name: value for name, value in vars(space).items() if value is not None}


def _read_space_file(path: Path | None) -> PlainData:
    return {} if path is None else read_config(path)


def _recipe(data: str | None, kind: KindName) -> Hyperparameters:
    return recipe_for("nn2", "default") if data is None else recipe_for(kind)


def _options(data: str | None, source: Source) -> PlainData:
    if data is None and source.model is not None:
        raise InputError("--model is for your own data: give its file first")
    return source.experiment(data).to_dict()


def _refuse_with_resume(**given: object) -> None:
    named = [f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None and name != "data"]
    if given["data"] is not None or named:
        settings = ", ".join(named or ["the data"])
        raise InputError(f"--resume goes on with a study as it began: leave out {settings}")


def _seed(seed: int | None, resume: Path | None) -> int:
    if seed is not None and resume is not None:
        raise InputError("--resume goes on with a study as it began: leave out --seed")
    if seed is not None and not 0 <= seed < 2**31:
        raise InputError(f"seed must be 0 or more, and below {2**31:,}; got {seed}")
    return seed or 0


def _seconds(budget: str | None) -> float:
    if budget is None:
        return float("inf")
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)?", budget.strip())
    if not found or float(found[1]) == 0:
        raise InputError(f"budget must be a time such as 90s, 5m or 2h; got {budget!r}")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2] or "s"]


def _workers(workers: int | None) -> int:
    if workers is not None and not 1 <= workers <= MOST_WORKERS:
        raise InputError(f"workers must be from 1 to {MOST_WORKERS}; got {workers}")
    return workers or cores()


def _configuration(study: "Study") -> PlainData:
    """The configuration of the best model, besides its hyperparameters."""
    return study.settings.experiment.to_dict()


def _counts(study: "Study") -> dict[str, int]:
    return Counter(trial.state.name.lower() for trial in study.trials() if trial.state.name != "WAITING")


def _ended(study: "Study") -> int:
    """How many trials have come to their end."""
    counts = _counts(study)
    return sum(counts.get(state, 0) for state in ("complete", "pruned", "fail"))


def _show_ended(update: Callable[..., None], study: "Study") -> None:
    update(completed=_ended(study))


@contextmanager
def _live_table(budget: float, most: int | None) -> Iterator[Callable[["Study"], None]]:
    """The best trials so far, the running ones, and the time left."""
    start, before = monotonic(), -1.0

    def show(study: "Study") -> None:
        nonlocal before
        before = study.seconds() if before < 0 else before
        spent, ended = before + monotonic() - start, _ended(study)
        line = f"{ended} trial{'s' * (ended != 1)}, {_counts(study).get('pruned', 0)} of them ended early"
        if budget < float("inf"):
            left = max(0, round(budget - spent))
            line += f"; {left // 60} min {left % 60:02d} s left"
        total, done = (most, ended) if most is not None else (budget, spent)
        running = [_running(study, trial) for trial in study.trials() if trial.state.name == "RUNNING"]
        bar = ProgressBar(total=total, completed=min(done, total), width=40)
        live.update(Group(_best_table(study, 5), *running, bar, line))

    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield show


def _running(study: "Study", trial: "FrozenTrial") -> str:
    values = trial.intermediate_values
    latest = f"{values[max(values)]:.4f} after {max(values)} epochs" if values else "begun"
    return f"  trial {trial.number}: {latest}"


def _best_table(study: "Study", most: int) -> Table:
    """The best trials, one a line."""
    last = "hyperparameters"
    table = table_of("trial", f"validation {study.score}", last, left=(last,), title="Best so far")
    done = sorted((t for t in study.trials() if t.state.name == "COMPLETE"), key=lambda t: -(t.value or 0))
    for trial in done[:most]:
        shown = ", ".join(f"{name} {_shown(trial.params[name])}" for name in study.settings.space)
        table.add_row(str(trial.number), f"{trial.value:.4f}", shown.replace("_", " "))
    return table


def _shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else "" if value is None else str(value)


def _print_search(study: "Study") -> None:
    counts = _counts(study)
    console.print(_best_table(study, 5))
    from mlcvkit.tuning import count_of_trials

    diverged = sum(bool(trial.user_attrs.get("diverged")) for trial in study.trials())
    complete, early = counts.get("complete", 0), counts.get("pruned", 0) - diverged
    console.print(
        f"{count_of_trials(complete)} went to {'its' if complete == 1 else 'their'} end, "
        f"{early} {'was' if early == 1 else 'were'} ended early"
        + (f", {diverged} diverged" if diverged else "")
        + (f", {counts['fail']} failed" if counts.get("fail") else "")
    )
    for reason, times in study.failures().items():
        console.print(f"[yellow]{times} failed:[/yellow] {escape(reason)}")


def _print_comparison(study: "Study", found: "Comparison", *, is_default: bool) -> None:
    measured = found.as_json()
    headings = ("", f"test {study.score}", "standard deviation", "diverged")
    table = table_of(*headings, left=("",), title=f"On the test rows, {len(found.best)} seeds each")
    for which in ("best", "defaults"):
        mean, std = (measured[which][name] for name in ("mean", "std"))
        shown = ("" if value is None else f"{value:.4f}" for value in (mean, std))
        table.add_row(which, *shown, str(found.diverged[which] or ""))
    console.print(table)
    console.print(_verdict(found, is_default=is_default))


def _verdict(found: "Comparison", *, is_default: bool) -> str:
    """The result of the comparison, and its certainty."""
    if is_default:
        return "Nothing better than the defaults was found."
    means = [found.as_json()[which]["mean"] for which in ("best", "defaults")]
    if None in means or any(found.diverged.values()):
        return "Some trainings diverged: the two cannot be compared."
    difference = means[0] - means[1]
    if abs(difference) < 1e-12:
        return "The best is as good as the defaults on the test rows."
    verdict = "better" if difference > 0 else "worse"
    if found.p is None:
        return f"The best is {abs(difference):.4f} {verdict} than the defaults, with every seed alike."
    chance = "" if found.p <= 0.05 else " That may be chance."
    note = f"p = {found.p:.2g} of a paired t-test over the seeds, on these test rows"
    return f"The best is {abs(difference):.4f} {verdict} than the defaults; {note}.{chance}"


def _print_cells(tuning: ModuleType, study: "Study", cells: "list[Cell]") -> None:
    names = [name for name in study.settings.space if name != "seed"]
    headings = (heading.replace("_", " ") for heading in (*names, *tuning.CELL_HEADINGS))
    title = f"Validation {study.score}, seeds each: {study.settings.repeats}"
    table = table_of(*headings, left=("",), title=title)
    best = max((cell.mean for cell in cells if cell.scores), default=None)
    for cell in cells:
        table.add_row(*map(escape, cell.row(_shown)), style="bold" if cell.scores and cell.mean == best else None)
    console.print(table)
    if note := tuning.describe_best_cell(cells):
        console.print(escape(note))
