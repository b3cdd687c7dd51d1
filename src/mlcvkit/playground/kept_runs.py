"""Runs that are kept for comparison: their curves, and their place in the browser's storage."""

import asyncio
import json
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any

from nicegui import ui

from mlcvkit.playground.controls import controls
from mlcvkit.playground.experiments import Experiment, read_experiment, what_differs
from mlcvkit.playground.sessions import Change, Point, Session
from mlcvkit.playground.widgets import COLOURS, Line

MOST_KEPT = 5
STORED_AS = "mlcvlab-kept"
"""The key of the kept runs in the browser's storage."""


@dataclass(frozen=True)
class Kept:
    """A run that was kept for comparison."""

    number: int
    experiment: Experiment
    curve: tuple[Point, ...]
    changes: tuple[Change, ...]
    colour: str
    key: str
    """What tells it from those that other tabs keep."""

    def as_stored(self) -> dict[str, Any]:
        """The run as plain data, without what JSON cannot hold."""

        def plain(point: Point) -> list[float | None]:
            return [value if math.isfinite(value) else None for value in astuple(point)]

        changes = [[plain(one.at), one.name, str(one.before), str(one.after)] for one in self.changes]
        curve = [plain(point) for point in self.curve]
        return {
            "key": self.key,
            "number": self.number,
            "experiment": asdict(self.experiment),
            "curve": curve,
            "changes": changes,
        }


class KeptRuns:
    """The kept runs of a visitor, at most ``MOST_KEPT``."""

    def __init__(self) -> None:
        self.runs: list[Kept] = []
        self.count = 0
        self.orders = asyncio.Lock()

    async def keep(self, session: Session) -> None:
        """Keep a run as it is now, beside those that other tabs have kept meanwhile."""
        run = session.experiment, session.curve, session.changes
        async with self.orders:
            await self.restore()
            self.count += 1
            self._add(*run, uuid.uuid4().hex)
            self._store()

    def clear(self) -> None:
        """Forget all."""
        self.runs = []
        self._store()

    async def restore(self) -> None:
        """Read the runs from the browser's storage, whose content may be anything."""
        try:
            stored = await ui.run_javascript(f"localStorage.getItem('{STORED_AS}')", timeout=60)
        except TimeoutError:  # the page is asleep or gone: it has no kept curves until it is loaded again
            return
        try:
            for one in json.loads(stored or "[]")[-MOST_KEPT:]:
                number, run = kept_of(one)
                key = str(one.get("key", f"{number} of an earlier version"))[:40]
                if key not in {kept.key for kept in self.runs}:
                    self.count = number if number > self.count else self.count + 1
                    self._add(*run, key)
        except (ValueError, TypeError, KeyError, AttributeError):
            ui.notify("The kept curves in this browser's storage cannot be read", type="warning")

    def lines(self, session: Session, curve: tuple[Point, ...], quantity: str) -> list[Line]:
        """The lines of a chart: the run that is shown, and the kept ones on the same data."""
        data = _data_of(session.experiment)
        shown = [kept for kept in self.runs if _data_of(kept.experiment) == data]  # on other data curves say nothing
        *differences, differs = what_differs([*(kept.experiment for kept in shown), session.experiment])
        lines = [
            Line("training", curve, f"train_{quantity}", COLOURS[0], marks=marks_of(session.changes)),
            Line(_named("validation", differs), curve, f"validation_{quantity}", COLOURS[1]),
        ]
        for kept, different in zip(shown, differences, strict=True):
            name, marks = _named(f"kept {kept.number}", different), marks_of(kept.changes)
            lines.append(Line(name, kept.curve, f"validation_{quantity}", kept.colour, "dashed", marks))
        return lines

    def _add(
        self, experiment: Experiment, curve: tuple[Point, ...], changes: tuple[Change, ...], key: str = ""
    ) -> None:
        earlier = self.runs[1 - MOST_KEPT :]
        colour = next(colour for colour in COLOURS[2:] if colour not in {kept.colour for kept in earlier})
        self.runs = [*earlier, Kept(self.count, experiment, curve, changes, colour, key)]

    def _store(self) -> None:
        stored = json.dumps([kept.as_stored() for kept in self.runs])
        ui.run_javascript(f"localStorage.setItem('{STORED_AS}', {json.dumps(stored)})")


def _data_of(experiment: Experiment) -> tuple[str, str, str]:
    return experiment.data, experiment.points, experiment.images


def marks_of(changes: Sequence[Change]) -> tuple[tuple[Point, str], ...]:
    """The marks on a curve: each change of the settings, at its point; of several changes of a setting there, one."""
    told: dict[tuple[int, str], tuple[Point, str, Any, Any]] = {}
    for index, change in enumerate(changes):
        is_setting = change.name in controls()
        place = (change.at.steps, change.name if is_setting else str(index))
        before = told[place][2] if place in told else change.before
        label = controls()[change.name]["label"] if is_setting else change.name
        told[place] = (change.at, label, before, change.after)
        names = controls()[change.name].get("names", {}) if is_setting else {}
        told[place] = (*told[place][:2], *(names.get(str(value), value) for value in (before, change.after)))
    return tuple((at, f"{label} {before} → {after}") for at, label, before, after in told.values() if before != after)


def kept_of(stored: Any) -> tuple[int, tuple[Experiment, tuple[Point, ...], tuple[Change, ...]]]:
    """A kept run from the browser's storage; ValueError, TypeError, KeyError or AttributeError if it is none."""
    experiment = read_experiment(stored["experiment"])
    curve = tuple(_stored_point(values) for values in stored["curve"][:1000])
    changes = tuple(
        Change(_stored_point(at), *(str(part)[:40] for part in rest)) for at, *rest in stored["changes"][:100]
    )
    return int(stored["number"]), (experiment, curve, changes)


def _stored_point(values: Any) -> Point:
    numbers = [math.nan if value is None else float(value) for value in values]
    return Point(numbers[0], numbers[1], int(numbers[2]), *numbers[3:])


def _named(start: str, different: Mapping[str, Any], most: int = 3) -> str:
    """The name of a line, with the settings that distinguish its training from the others."""
    parts = []
    for name, value in list(different.items())[:most]:
        control = controls().get(name, {"label": name, "names": {value: "other"}})
        parts.append(f"{control['label']} {control.get('names', {}).get(value, value)}")
    return f"{start}: {', '.join(parts)}" if parts else start
