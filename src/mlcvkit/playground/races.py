"""Several networks side by side with equal computing time: a race of optimizers, and a student's own code."""

import asyncio
import math
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
from nicegui import ui

from mlcvkit.errors import InputError
from mlcvkit.playground import inspection
from mlcvkit.playground.experiments import COORDINATE_SGD, FULL_BATCH_ADAM, LITERAL_SGD, Experiment
from mlcvkit.playground.limits import Limits, TooManyVisitors, in_thread, when_gone
from mlcvkit.playground.networks import Network, make_network
from mlcvkit.playground.sessions import Session
from mlcvkit.playground.student import StudentNetwork, student_network
from mlcvkit.playground.widgets import COLOURS, Curves, DrawingPad, Line, share
from mlcvlab.nn import Array

TICK = 0.25
ANSWER_TICK = 1.0
RACE_SAMPLES = 10_000
RACE_UNITS = 32


@dataclass
class Race:
    """Trainings that start, pause and start over together, drawn against "epochs" or "seconds".

    Against seconds all get the same computing time.
    """

    sessions: dict[str, Session]
    axis: str = "seconds"

    def __post_init__(self) -> None:
        self.orders = asyncio.Lock()
        if self.axis == "seconds":
            for session in self.sessions.values():
                session.rivals = tuple(self.sessions.values())

    def build(self) -> None:
        """Show the buttons, the chart and the table."""
        with ui.element("div").classes("buttons"):
            self.start = ui.button("Start", on_click=self._start_or_pause).mark("start")
            ui.button("Reset", on_click=self._reset).props("outline").mark("reset")
        self.chart = Curves("Validation accuracy", share=True)
        self.table = ui.html(sanitize=False).classes("scroll")
        self.spoken = ui.label().classes("sr-only").props("role=status aria-live=polite")
        self.ticks = 0
        ui.timer(TICK, self._tick)

    def close(self) -> None:
        """End all threads, and the process of a student's network."""
        for session in self.sessions.values():
            session.close()
            if isinstance(session.network.model, StudentNetwork):
                session.network.model.close()

    async def _start_or_pause(self) -> None:
        async with self.orders:
            running = any(session.wants_to_run for session in self.sessions.values())
            if all(session.state in ("finished", "failed") for session in self.sessions.values()):
                ui.notify("All trainings have ended: press Reset to start over")
            for session in self.sessions.values():
                if running:
                    session.pause()
                else:
                    session.start()

    async def _reset(self) -> None:
        async with self.orders:
            for session in self.sessions.values():
                await in_thread(session.reset)

    def _tick(self) -> None:
        self.ticks += 1
        running = any(session.wants_to_run for session in self.sessions.values())
        self.start.text = "Pause" if running else "Start"
        lines = zip(self.sessions.items(), COLOURS, strict=False)
        curves = [Line(name, session.curve, "validation_accuracy", colour) for (name, session), colour in lines]
        self.chart.show(curves, self.axis)
        self.table.content = self._table()
        if self.ticks % 12 == 0 and running:
            self.spoken.text = "; ".join(
                f"{name}: {session.curve[-1].validation_accuracy:.1%}"
                for name, session in self.sessions.items()
                if not math.isnan(session.curve[-1].validation_accuracy)
            )

    def _table(self) -> str:
        headings = ("", "validation accuracy", "validation loss", "steps", "epochs", "seconds computed", "")
        rows = "".join(self._row(name, session) for name, session in self.sessions.items())
        return f'<table class="path race"><tr>{"".join(f"<th>{text}</th>" for text in headings)}</tr>{rows}</table>'

    def _row(self, name: str, session: Session) -> str:
        last = session.curve[-1]
        cells = (
            name,
            "" if math.isnan(last.validation_loss) else share(last.validation_accuracy, 2),
            "" if math.isnan(last.validation_loss) else f"{last.validation_loss:.4f}",
            f"{last.steps:,}",
            f"{last.epochs:,.1f}" if last.epochs or not last.steps else "",  # steps on one weight are no epochs
            f"{last.seconds:.1f}",
            f"{'' if session.state == 'ready' and session.message else session.state} {session.message}".strip(),
        )
        return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


async def race_page(limits: Limits, query: dict[str, str]) -> None:
    """The page with a race of the handout's SGD, Adam on all samples and Adam on mini-batches."""
    base = Experiment(hidden_units=RACE_UNITS, samples=RACE_SAMPLES, epochs=1000)
    entrants = {
        "Homework's SGD, as written": replace(base, optimizer=LITERAL_SGD, learning_rate=1.0),
        "Homework's SGD, compiled": replace(base, optimizer=COORDINATE_SGD, learning_rate=1.0),
        "Full-batch Adam": replace(base, optimizer=FULL_BATCH_ADAM, learning_rate=0.003),
        "Mini-batch Adam": replace(base, optimizer="adam", learning_rate=0.003),
    }
    with ui.element("div").classes("page column"):
        ui.html("<h2>The race</h2>", sanitize=False)
        ui.label(
            f"Four ways to train the homework's network on {RACE_SAMPLES:,} images, from the same initial weights and "
            "with equal computing time. The homework's SGD changes one of 25,120 weights per step. As the handout "
            "writes it, each step computes the whole gradient and uses one number of it: this is why the homework "
            "takes hours. Compiled, the same step computes that one number alone: tens of thousands of steps a second, "
            "each of them still of one weight. Full-batch Adam changes all weights per step and looks at all images "
            "for it; mini-batch Adam looks at 128."
        )
        race = await _entered(limits, entrants)
        if race is not None:
            race.build()


async def own_code_page(limits: Limits, query: dict[str, str]) -> None:
    """The page on which a student's network trains beside the reference, in the sandbox."""
    with ui.element("div").classes("page column"):
        ui.html("<h2>Your own code</h2>", sanitize=False)
        ui.label(
            "Your network trains beside the reference, from the same weights on the same mini-batches, and recognises "
            "what you draw. It runs in the grader's sandbox. After a change of your files press Begin: Reset starts "
            "over with the code that was read. Folders with the homework are looked for in "
            f"{limits.submissions.resolve()}."
        )
        try:
            found = await in_thread(limits.found_submissions)
            if not found:
                where, how = limits.submissions.resolve(), "mlcvlab play --submissions FOLDER looks in another"
                ui.label(f"There is no homework in {where} or in its folders; {how}.").props("role=alert")
                return
            chosen = ui.select(sorted(found), label="Folder").props("outlined dense").classes("min-w-[16rem]")
            chosen.mark("submission")
        except InputError as error:
            ui.label(str(error)).props("role=alert")
            return
        button = ui.button("Begin").mark("begin")
        box = ui.element("div").classes("column w-full")
        if not _has_entered(limits):
            return
        client = ui.context.client
        open_now: list[Race] = []

        async def begin_once() -> None:
            button.disable()  # a second click would begin a second race
            try:
                await begin()
            finally:
                button.enable()

        async def begin() -> None:
            while open_now:
                await in_thread(open_now.pop().close)
            box.clear()
            if chosen.value not in found:
                ui.notify("Choose a folder first")
                return
            try:
                with client:
                    students, reference = await in_thread(_own_networks, limits, found[chosen.value])
            except (InputError, RuntimeError) as error:
                with box:
                    ui.label(str(error)).props("role=alert")
                return
            with box:
                race = await _entered(limits, {"Yours": students, "The reference": reference}, axis="epochs")
                if race is not None:
                    open_now.append(race)
                    race.build()
                    _drawing(race)

        button.on_click(begin_once)


def _own_networks(limits: Limits, tree: Any) -> tuple[Network, Network]:
    experiment = Experiment(hidden_units=RACE_UNITS, samples=RACE_SAMPLES, epochs=20)
    reference = make_network(experiment)
    students = student_network(StudentNetwork(tree, limits.sandbox, limits.semaphore.released), reference)
    return students, replace(
        reference, train=students.train, held_out=students.held_out
    )  # both are measured on the same samples


def _drawing(race: Race) -> None:
    """A pad, and the prediction of each network for the drawing while they train."""
    answers = ui.label("Draw a digit").classes("answer").props("role=status").mark("answer")
    drawing: Array | None = None
    asked: Any = None

    async def drawn(pixels: npt.NDArray[np.uint8]) -> None:
        nonlocal drawing, asked
        asked, drawing = None, inspection.centred(pixels)
        await answer()

    async def answer() -> None:
        nonlocal asked
        x, asking = drawing, [session.steps for session in race.sessions.values()]
        if asking == asked:
            return
        asked = asking
        if x is None:
            answers.text = "Draw a digit"
            return
        parts = []
        for name, session in race.sessions.items():
            try:
                even = float((await in_thread(session.network.answer, x))[0, 0])
                parts.append(f"{name}: {'even' if even >= 0.5 else 'odd'}, {share(max(even, 1 - even))}")
            except RuntimeError as error:
                parts.append(f"{name}: {error}")
        if x is drawing:
            answers.text = "; ".join(parts)

    ui.timer(ANSWER_TICK, answer)
    pad = DrawingPad(drawn)
    ui.button("Clear", on_click=pad.clear_pad).props("flat dense")


async def _entered(limits: Limits, entrants: dict[str, Any], axis: str = "seconds") -> Race | None:
    """A race of experiments or networks; None, with a message on the page, if there is no place for the visitor."""
    client = ui.context.client
    if not _has_entered(limits):
        return None
    sessions = {}
    for name, entrant in entrants.items():
        sessions[name] = await in_thread(limits.session, entrant)
    race = Race(sessions, axis)
    if client.is_deleted:
        await in_thread(race.close)
        return None
    when_gone(client, race.close)
    return race


def _has_entered(limits: Limits) -> bool:
    """Whether the visitor has a place; a message on the page if not."""
    client = ui.context.client
    if id(client) in limits.visitors:
        return True
    try:
        limits.enter(id(client), client.tab_id)
    except TooManyVisitors as error:
        ui.label(str(error)).props("role=alert")
        return False
    client.on_delete(lambda: limits.leave(id(client)))
    return True
