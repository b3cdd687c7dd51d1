"""Several networks side by side on the same clock: a race of optimizers, two ways to parity, one's own code."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
from nicegui import ui

from mlcvkit.errors import InputError
from mlcvkit.playground import looks
from mlcvkit.playground.experiments import COORDINATE_SGD, DIGITS, FULL_BATCH_ADAM, PARITY, Experiment
from mlcvkit.playground.house import Full, House, in_thread, when_gone
from mlcvkit.playground.networks import CollapsedNetwork, Network, make_network
from mlcvkit.playground.parts import COLOURS, Curves, DrawingPad, Line, share
from mlcvkit.playground.sessions import Session
from mlcvkit.playground.student import StudentNetwork, student_network
from mlcvlab.nn import Array

TICK = 0.25
ANSWER_TICK = 1.0
RACE_SAMPLES = 10_000
RACE_UNITS = 32


@dataclass
class Contest:
    """Sessions that start, pause and begin anew together, drawn against "epochs" or "seconds".

    Against seconds all are given the same time to compute.
    """

    sessions: dict[str, Session]
    axis: str = "seconds"

    def __post_init__(self) -> None:
        self.orders = asyncio.Lock()
        if self.axis == "seconds":
            for session in self.sessions.values():
                session.rivals = tuple(self.sessions.values())

    def build(self) -> None:
        """The buttons, the chart and the table."""
        with ui.element("div").classes("buttons"):
            self.start = ui.button("Start", on_click=self._start_or_pause).mark("start")
            ui.button("Reset", on_click=self._reset).props("outline").mark("reset")
        self.chart = Curves("Validation accuracy", share=True)
        self.table = ui.html(sanitize=False).classes("scroll")
        self.spoken = ui.label().classes("sr-only").props("role=status aria-live=polite")
        self.ticks = 0
        ui.timer(TICK, self._tick)

    def close(self) -> None:
        """End all threads, and a student's process."""
        for session in self.sessions.values():
            session.close()
            if isinstance(session.network.model, StudentNetwork):
                session.network.model.close()

    async def _start_or_pause(self) -> None:
        async with self.orders:
            running = any(session.wants_to_run for session in self.sessions.values())
            if all(session.state in ("finished", "failed") for session in self.sessions.values()):
                ui.notify("All of them are over: press Reset to begin anew")
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
                f"{name}: {session.curve[-1].validation_accuracy:.1%}" for name, session in self.sessions.items()
            )

    def _table(self) -> str:
        headings = ("", "validation accuracy", "validation loss", "steps", "epochs", "seconds computed", "")
        rows = "".join(self._row(name, session) for name, session in self.sessions.items())
        return f'<table class="path"><tr>{"".join(f"<th>{text}</th>" for text in headings)}</tr>{rows}</table>'

    def _row(self, name: str, session: Session) -> str:
        last = session.curve[-1]
        cells = (
            name,
            "" if math.isnan(last.validation_loss) else share(last.validation_accuracy, 2),
            "" if math.isnan(last.validation_loss) else f"{last.validation_loss:.4f}",
            f"{last.steps:,}",
            f"{last.epochs:,.1f}",
            f"{last.seconds:.1f}",
            f"{session.state} {session.message}",
        )
        return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


async def race_page(house: House, query: dict[str, str]) -> None:
    """The handout's SGD, Adam on all samples and Adam on mini-batches, from the same weights."""
    base = Experiment(hidden_units=RACE_UNITS, samples=RACE_SAMPLES, epochs=1000)
    entrants = {
        "Homework's SGD": replace(base, optimizer=COORDINATE_SGD, learning_rate=1.0),
        "Full-batch Adam": replace(base, optimizer=FULL_BATCH_ADAM, learning_rate=0.003),
        "Mini-batch Adam": replace(base, optimizer="adam", learning_rate=0.003),
    }
    with ui.element("div").classes("page column"):
        ui.html("<h2>The race</h2>", sanitize=False)
        ui.label(
            f"Three ways to train the homework's network on {RACE_SAMPLES:,} images, from the same first weights, each "
            "given the same time to compute. The homework's SGD moves one of its 25,120 weights a step, full-batch "
            "Adam looks at all images for each step, mini-batch Adam at 128. This is why the homework takes hours."
        )
        contest = await _entered(house, entrants)
        if contest is not None:
            contest.build()


async def parity_page(house: House, query: dict[str, str]) -> None:
    """NN2 on even and odd beside the ten digits collapsed to them."""
    entrants = {
        "NN2, even or odd": Experiment(data=PARITY, epochs=200),
        "Ten digits, collapsed": await in_thread(_collapsed, Experiment(data=DIGITS, epochs=200)),
    }
    with ui.element("div").classes("page column"):
        ui.html("<h2>Even or odd, with or without knowing the digit</h2>", sanitize=False)
        ui.label(
            "Whoever tells digits tells their parity as well. For it, taking a 3 for a 5 is free, and taking a 4 for a "
            "9 costs. Train both for a while, each given the same time to compute, and measure them on the 10,000 test "
            "images. Both are measured by the parity alone: that of the ten digits is their likeliest digit's."
        )
        contest = await _entered(house, entrants)
        if contest is None:
            return
        contest.build()
        tables = ui.html(sanitize=False).classes("scroll")

        async def measure() -> None:
            found = [await in_thread(looks.parity, session.network) for session in contest.sessions.values()]
            tables.content = _parity_tables([one for one in found if one is not None])

        ui.button("Measure on the test images", on_click=measure).mark("measure")


async def own_code_page(house: House, query: dict[str, str]) -> None:
    """A student's network beside the reference, in the sandbox."""
    with ui.element("div").classes("page column"):
        ui.html("<h2>Your own code</h2>", sanitize=False)
        ui.label(
            "Your network trains beside the reference, from the same weights on the same mini-batches, and recognises "
            f"what you draw. It runs in the grader's sandbox. Folders with the homework are looked for in "
            f"{house.submissions.resolve()}."
        )
        try:
            found = await in_thread(house.found_submissions)
            if not found:
                where, how = house.submissions.resolve(), "mlcvlab play --submissions FOLDER looks in another"
                ui.label(f"There is no homework in {where} or in its folders; {how}.").props("role=alert")
                return
            chosen = ui.select(sorted(found), label="Folder").props("outlined dense").classes("min-w-[16rem]")
            chosen.mark("submission")
        except InputError as error:
            ui.label(str(error)).props("role=alert")
            return
        button = ui.button("Begin").mark("begin")
        box = ui.element("div").classes("column w-full")
        if not _entered_house(house):
            return
        client = ui.context.client
        open_now: list[Contest] = []

        async def begin() -> None:
            while open_now:
                await in_thread(open_now.pop().close)
            box.clear()
            if chosen.value not in found:
                ui.notify("Choose a folder first")
                return
            try:
                with client:
                    own, reference = await in_thread(_own_networks, house, found[chosen.value])
            except (InputError, RuntimeError) as error:
                with box:
                    ui.label(str(error)).props("role=alert")
                return
            with box:
                contest = await _entered(house, {"Yours": own, "The reference": reference}, axis="epochs")
                if contest is not None:
                    open_now.append(contest)
                    contest.build()
                    _drawing(contest)

        button.on_click(begin)


def _own_networks(house: House, tree: Any) -> tuple[Network, Network]:
    experiment = Experiment(hidden_units=RACE_UNITS, samples=RACE_SAMPLES, epochs=20)
    reference = make_network(experiment)
    own = student_network(StudentNetwork(tree, house.sandbox, house.turnstile.away), reference)
    return own, replace(reference, train=own.train, held_out=own.held_out)  # both are measured on the same samples


def _collapsed(experiment: Experiment) -> Network:
    return CollapsedNetwork(**vars(make_network(experiment)))


def _drawing(contest: Contest) -> None:
    """A pad, and what each of a contest's networks says of the drawing, now and as they go on."""
    answers = ui.label("Draw a digit").classes("answer").props("role=status").mark("answer")
    drawing: Array | None = None
    asked: Any = None

    async def drawn(pixels: npt.NDArray[np.uint8]) -> None:
        nonlocal drawing, asked
        asked, drawing = None, looks.centred(pixels)
        await answer()

    async def answer() -> None:
        nonlocal asked
        x, asking = drawing, [session.steps for session in contest.sessions.values()]
        if asking == asked:
            return
        asked = asking
        if x is None:
            answers.text = "Draw a digit"
            return
        told = []
        for name, session in contest.sessions.items():
            try:
                even = float((await in_thread(session.network.answer, x))[0, 0])
                told.append(f"{name}: {'even' if even >= 0.5 else 'odd'}, {share(max(even, 1 - even))}")
            except RuntimeError as error:
                told.append(f"{name}: {error}")
        if x is drawing:
            answers.text = "; ".join(told)

    ui.timer(ANSWER_TICK, answer)
    pad = DrawingPad(drawn)
    ui.button("Clear", on_click=pad.clear_pad).props("flat dense")


async def _entered(house: House, entrants: dict[str, Any], axis: str = "seconds") -> Contest | None:
    """A contest of experiments or networks; None, with a word on the page, where there is no room for it."""
    client = ui.context.client
    if not _entered_house(house):
        return None
    sessions = {}
    for name, entrant in entrants.items():
        sessions[name] = await in_thread(house.session, entrant)
    contest = Contest(sessions, axis)
    if client.is_deleted:
        await in_thread(contest.close)
        return None
    when_gone(client, contest.close)
    return contest


def _entered_house(house: House) -> bool:
    """Whether the visitor is in, or may come in; a word on the page where not."""
    client = ui.context.client
    if id(client) in house.visitors:
        return True
    try:
        house.enter(id(client))
    except Full as error:
        ui.label(str(error)).props("role=alert")
        return False
    client.on_delete(lambda: house.leave(id(client)))
    return True


def _parity_tables(found: Sequence[looks.Parity]) -> str:
    nn2, ten = found
    digits = range(10)
    head = "".join(f"<th>{digit}</th>" for digit in digits)
    errors = "".join(
        f"<tr><td>{name}</td>{''.join(f'<td>{one.wrong[d]}</td>' for d in digits)}"
        f"<td>{one.wrong.sum()}</td><td>{one.accuracy:.2%}</td></tr>"
        for name, one in (("NN2, even or odd", nn2), ("ten digits, collapsed", ten))
    )
    assert ten.confusion is not None
    cells = "".join(f"<tr><td>{d}</td>{''.join(_cell(ten.confusion, d, said) for said in digits)}</tr>" for d in digits)
    costly = int(ten.wrong.sum())
    return (
        "<h2>Told the wrong parity, by digit</h2>"
        f'<table class="path"><tr><th></th>{head}<th>all</th><th>right</th></tr>'
        f"{errors}</table><h2>The ten digits: rows are the digit, columns what was said</h2>"
        f"<p>{costly} mistakes across parity cost (red); {ten.free} within parity are free (blue).</p>"
        f'<table class="path"><tr><th></th>{head}</tr>{cells}</table>'
    )


def _cell(confusion: npt.NDArray[np.intp], digit: int, said: int) -> str:
    count = int(confusion[digit, said])
    kind = "" if digit == said or not count else "free" if digit % 2 == said % 2 else "cost"
    return f'<td class="{kind}">{count}</td>'
