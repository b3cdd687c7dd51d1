"""Several trainings in one command, and the runs under runs/: their scores with the spread, side by side."""

import json as json_format
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from rich.markup import escape

from mlcvkit import storage
from mlcvkit.arrays import PlainData
from mlcvkit.cli.app import FAILED, INTERRUPTED, console, print_json, say, table_of
from mlcvkit.cli.interrupts import EndBySignals, Interrupts, interrupts
from mlcvkit.datasets import Samples
from mlcvkit.errors import InputError
from mlcvkit.experiments import MEASURES, Experiment, folds_of, prepare, repeats_of, scores_of, summarised
from mlcvkit.files import parse_json
from mlcvkit.training import ProgressBar


def train_repeatedly(
    experiment: Experiment,
    output: Path,
    name: str | None,
    *,
    repeats: int | None,
    folds: int | None,
    group: str | None,
    in_order: bool,
    json: bool,
) -> int:
    """Train with several seeds, or over folds, and print the mean and the spread of the scores.

    Each training is a run in a common folder, and complete when the next one begins.
    """
    if repeats is not None and folds is not None:
        raise InputError("give --repeats or --folds, and not both")
    if folds is None and (group is not None or in_order):
        raise InputError(f"--{'group' if group is not None else 'in-order'} is for --folds: give both")
    trainings: Iterator[tuple[Experiment, Samples | None]] = (
        ((one, None) for one in repeats_of(experiment, repeats))
        if repeats is not None
        else folds_of(experiment, folds or 0, group=group, in_order=in_order)
    )
    if name is not None and (output / name).exists():
        raise InputError(f"{output / name} exists: give another --name")
    total = repeats or folds or 0
    scores: list[PlainData] = []
    notes: list[str] = []
    interrupted = False
    with interrupts() as handler, storage.claimed(output, name) as (_, root):
        try:
            for number, (one, samples) in enumerate(trainings, 1):
                title = f"Training {number} of {total}"
                own_name = f"fold-{number}" if repeats is None else f"seed-{one.hyperparameters.seed}"
                entry, interrupted = _train_one(one, samples, root, own_name, title, handler, notes, is_quiet=json)
                scores.append(entry)
                if interrupted:
                    break
        except KeyboardInterrupt:
            if not scores:
                raise
            interrupted = True
        finally:
            complete = [one for one in scores if "failed" not in one]
            summary = {"runs": scores, "complete": len(complete), "of": total, **summarised(complete), "notes": notes}
            if scores:
                root.mkdir(parents=True, exist_ok=True)
                storage.write_whole(root / storage.RESULT_FILE, json_format.dumps(summary).encode())
                _print_scores(summary)
    print_json(json, summary)
    return INTERRUPTED if interrupted else 0 if complete else FAILED


def _train_one(
    one: Experiment,
    samples: Samples | None,
    root: Path,
    name: str,
    title: str,
    handler: Interrupts,
    notes: list[str],
    *,
    is_quiet: bool,
) -> tuple[PlainData, bool]:
    """Train, save and measure one network: its scores, or why it has none, and whether it was interrupted.

    Notes that no training before it had are printed, and added to ``notes``.
    """
    prepared = prepare(one, samples)
    if not len(prepared.test[1]):
        raise InputError("the scores are those of test rows: give a test_fraction above 0")
    told = {re.sub(r"\d[\d.,]*", "#", note) for note in notes}
    for note in prepared.notes:
        if re.sub(r"\d[\d.,]*", "#", note) not in told:  # each training counts its own rows
            notes.append(note)
            console.print(f"[bold]Note[/bold] {escape(note)}")
    console.print(title)
    try:
        trained = prepared.fit(callbacks=[EndBySignals(handler), *([] if is_quiet else [ProgressBar(console)])])
    except FloatingPointError as error:
        return {"run": str(root / name), "failed": str(error)}, False
    scores: PlainData = {}
    with handler.saving(), storage.new_run(root, name) as (folder, place):
        storage.save_model(folder / storage.MODEL_FILE, trained.predictor.saved(prepared.configuration))
        if samples is None:  # no configuration gives a fold again
            storage.write_configuration(folder, prepared.configuration)
        try:
            measured = trained.predictor.measure(*trained.test)
            storage.write_whole(folder / storage.RESULT_FILE, json_format.dumps(measured).encode())
            scores = scores_of(measured) | {name: measured[name] for name in ("unknown",) if name in measured}
        except InputError as error:
            scores = {"failed": str(error)}
    if trained.run.interrupted:
        scores["failed"] = f"cut short after {trained.run.epoch} of {trained.run.hyperparameters.epochs} epochs"
    return {"run": str(place)} | scores, trained.run.interrupted


def _print_scores(summary: PlainData) -> None:
    names = list(summary["mean"])
    table = table_of("run", *names, left=("run",))
    for one in summary["runs"]:
        table.add_row(escape(one["run"]), *(f"{one[name]:.4g}" if name in one else "" for name in names))
    table.add_section()
    for which in ("mean", "std"):
        shown = (summary[which][name] for name in names)
        table.add_row(
            "mean" if which == "mean" else "standard deviation", *("" if v is None else f"{v:.4g}" for v in shown)
        )
    console.print(table)
    for one in summary["runs"]:
        if "failed" in one:
            console.print(f"Not counted: {escape(one['run'])}, {escape(one['failed'])}")
        if "unknown" in one:
            what = f"samples of classes that its training lacks, which count as wrong: {one['unknown']:,}"
            console.print(f"{escape(one['run'])}: {what}; there is no mean log_loss")
    if summary["complete"] < summary["of"]:
        console.print(f"The mean and the standard deviation are of {summary['complete']} of {summary['of']} trainings")


def runs(*chosen: Path, output: Path | None = None, json: bool = False) -> int:
    """List the runs under runs/, or compare some side by side.

    Parameters
    ----------
    chosen
        Runs to show side by side, what differs first; of repeats and folds the folder stands for their mean. By default
        all runs are listed.
    output
        The folder that holds the runs to list, by default runs.
    json
        Print them as JSON, and nothing else.
    """
    console.quiet = json
    if chosen and output is not None:
        raise InputError("--output is the folder of the runs to list: leave it out where runs are named")
    output = output or Path("runs")
    places = list(chosen) or sorted(_runs_in(output))
    if not places:
        raise InputError(f"{output} holds no runs: 'mlcvlab train' makes them")
    found = []
    for place in places:
        try:
            found.append(_known_of(place))
        except InputError as error:
            if chosen:
                raise
            say("note", error)
    if chosen:
        _compare(found)
    else:
        several = sorted({Path(one["run"]).parent for one in found if _summary_in(Path(one["run"]).parent)})
        together = {str(place): _known_together(place, _summary_in(place), found) for place in several}
        _list([*together.values(), *found])
        for one in found:
            if mean := together.get(str(Path(one["run"]).parent)):
                one["together"] = {name: mean[name] for name in ("run", "scores", "std", "of")}
    print_json(json, found)
    return 0


def _summary_in(place: Path) -> PlainData:
    """What repeats or folds came to, whose runs are in a folder; nothing if it is no such folder."""
    with suppress(OSError, ValueError, AttributeError):
        found = parse_json((place / storage.RESULT_FILE).read_bytes())
        if isinstance(found.get("mean"), dict) and isinstance(found.get("runs"), list):
            return dict(found)
    return {}


def _runs_in(root: Path) -> Iterator[Path]:
    for file in root.rglob(storage.MODEL_FILE):
        if not any(part.startswith(".") for part in file.relative_to(root).parts):
            yield file.parent


def _known_of(run: Path) -> PlainData:
    """The recorded facts of a run, or of repeats or folds together: the mean of their scores, with its spread."""
    if run.is_dir() and not (run / storage.MODEL_FILE).is_file() and (summary := _summary_in(run)):
        inside = sorted(file.parent for file in run.glob(f"*/{storage.MODEL_FILE}"))
        if not inside:
            raise InputError(f"{run} has no runs any more")
        return _known_together(run, summary, [_known_of(inside[0])])
    saved = storage.load_model(run)
    place = run if run.is_dir() else run.parent
    scores: PlainData = {}
    with suppress(OSError, ValueError, AttributeError):
        result = parse_json((place / storage.RESULT_FILE).read_bytes())
        scores = scores_of(result.get("test", result))
    written = datetime.fromtimestamp((run / storage.MODEL_FILE if run.is_dir() else run).stat().st_mtime)
    return {
        "run": str(run),
        "data": Path(str(saved.configuration.get("data") or "")).name,
        "model": saved.configuration.get("model", ""),
        "scores": scores,
        "parameters": sum(w.size for w in saved.model.W),
        "when": written.isoformat(" ", "minutes"),
        "configuration": saved.configuration,
    }


def _known_together(place: Path, summary: PlainData, found: list[PlainData]) -> PlainData:
    """What repeats or folds came to, with the facts of the first of them that was ``found``."""
    first = next(one for one in found if Path(one["run"]).parent == place)
    spread = scores_of(summary["std"]) if isinstance(summary.get("std"), dict) else {}
    count = summary.get("complete", len(summary["runs"]))
    return first | {"run": str(place), "scores": scores_of(summary["mean"]), "std": spread, "of": count}


def _shown(found: PlainData) -> str:
    return ", ".join(f"{name} {_score(found, name)}" for name in ("accuracy", "r2") if name in found["scores"])


def _score(found: PlainData, name: str) -> str:
    """A score, with its standard deviation where it is a mean."""
    spread = found.get("std", {}).get(name)
    return f"{found['scores'][name]:.4g}" + (f" ± {spread:.2g}" if spread is not None else "")


def _list(found: list[PlainData]) -> None:
    words = ("run", "data", "model", "score", "when")
    table = table_of("run", "data", "model", "score", "parameters", "when", left=words)
    for one in found:
        names = ("run", "data", "model")
        table.add_row(*(escape(str(one[n])) for n in names), _shown(one), f"{one['parameters']:,}", one["when"])
    console.print(table)


def _compare(found: list[PlainData]) -> None:
    headings = ("", *(escape(one["run"]) for one in found))
    table = table_of(*headings, left=headings)
    for name in MEASURES:
        if any(name in one["scores"] for one in found):
            table.add_row(name, *(_score(one, name) if name in one["scores"] else "" for one in found))
    table.add_row("parameters", *(f"{one['parameters']:,}" for one in found))
    table.add_section()
    given = (one["configuration"].items() for one in found)
    names = sorted({name for items in given for name, value in items if value is not None})
    rows = {name: [str(one["configuration"].get(name, "")) for one in found] for name in names}
    differing = [name for name in names if len(set(rows[name])) > 1]
    for part in (differing, [name for name in names if name not in differing]):
        for name in part:
            table.add_row(name, *map(escape, rows[name]))
        table.add_section()
    console.print(table)
