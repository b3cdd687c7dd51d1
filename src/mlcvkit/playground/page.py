"""The playground itself: controls on the left, the network in the middle, the training on the right."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from nicegui import ui

from mlcvkit import datasets
from mlcvkit.errors import InputError
from mlcvkit.playground import looks
from mlcvkit.playground.controls import Controls, texts
from mlcvkit.playground.drawing import NetworkView, drawn, drawn_units, exciting
from mlcvkit.playground.experiments import (
    DIGITS,
    KEEPS_WEIGHTS,
    PAINTED,
    PARITY,
    Experiment,
    default_experiment,
    read_experiment,
    what_differs,
)
from mlcvkit.playground.files import open_run, save_run, saved_runs
from mlcvkit.playground.house import House, in_thread
from mlcvkit.playground.networks import Network
from mlcvkit.playground.parts import AXES, COLOURS, Curves, DrawingPad, Equation, Line, PixelGrid, share, signed
from mlcvkit.playground.points import (
    COLOURS as COLOURS_OF_POINTS,
)
from mlcvkit.playground.points import MOST_BYTES, MOST_POINTS, classes_of, painted, points_of_file, problem_with
from mlcvkit.playground.sessions import Change, Point, Session
from mlcvkit.training import OPTIMIZERS
from mlcvlab.nn import Array

TICK = 0.1
"""How often the page is brought up to date, in seconds."""
SPOKEN_EVERY = 30
"""How many of these lie between two announcements for screen readers."""
SPEEDS = {1: "1 step a second", 10: "10 steps a second", 100: "100 steps a second", 0: "full speed"}
SETTLED = 3
"""After so many of these the page's own elements take calls."""
LEADS = {
    PARITY: "This network sees a picture of 28 × 28 grey pixels and answers the homework's question: is the digit even "
    "or odd? Draw one, and follow it through the hidden units to the answer.",
    DIGITS: "This network sees a picture of 28 × 28 grey pixels and says which of the ten digits it is. Draw one, and "
    "follow it through the hidden units to the answer.",
}
LEAD_OF_PLANE = (
    "This network sees two numbers, the place of a point, and says which class it belongs to. Watch the plane "
    "bend as it learns, and touch the network: its units open, and its weights can be changed by hand."
)
_SHEET = """(event) => {
    if (event.target.closest('.sheet-handle')) event.currentTarget.classList.toggle('open');
}"""
MOST_KEPT = 5
UNITS_OF_PATH = 6
"""So many units that add most to an answer are told one by one."""


@dataclass(frozen=True)
class Kept:
    """A run that was kept to compare with."""

    number: int
    experiment: Experiment
    curve: tuple[Point, ...]
    changes: tuple[Change, ...]
    colour: str


class Page:
    """The page of one visitor."""

    def __init__(self, house: House, session: Session, guide: str | None, *, opening: bool = False) -> None:
        self.house, self.session, self.guide, self.opening = house, session, guide, opening
        self.network = session.network
        self.orders = asyncio.Lock()
        """What a visitor asks of the training is done in its order, each when the one before is done."""
        self.kept: list[Kept] = []
        self.count = 0
        self.sample: Array | None = None
        self.target: Array | None = None
        self.shown_stages = 0
        self.followed: tuple[Any, ...] = ()
        """What the stages that are shown are of."""
        self.ticks = self.drawings = self.looks = 0
        self.seen: tuple[int, ...] = ()
        self.dead = (0, 0)
        self.units: list[int] = []
        self.drawn_units: list[list[int]] = []
        self.edge_dialog: ui.dialog | None = None
        self.trained_points = ""
        self.points = ""
        """What is painted, which may not be enough yet to be trained on."""
        self.version = -1

    def build(self) -> None:
        """Make all elements."""
        if self.guide in texts("guide"):
            self._guide(texts("guide")[self.guide])
        with ui.element("div").classes("columns"):
            with ui.element("section").classes("column main").props('aria-label="The network"'):
                self._network()
            with ui.element("section").classes("column").props('aria-label="Training"'):
                self._training()
            with ui.element("section").classes("column left").props('aria-label="Settings"') as sheet:
                self.controls = Controls(self.session.experiment, self._changed)
            sheet.on("click", js_handler=_SHEET)
        ui.timer(TICK, self._tick)
        ui.run_javascript("window.onpopstate = () => location.reload()")

    def _guide(self, guide: Mapping[str, Any]) -> None:
        with ui.element("article").classes("guide page"):
            ui.html(f"<h2>{guide['title']}</h2>", sanitize=False)
            for paragraph in guide["text"]:
                ui.label(paragraph)
            ui.label(f"Look for: {guide['look_for']}").classes("font-semibold")

    def _training(self) -> None:
        with ui.element("div").classes("buttons"):
            self.start = ui.button("Start", on_click=self._start_or_pause).mark("start")
            ui.button("Step", on_click=self._step).props("outline").mark("step")
            ui.button("Reset", on_click=self._reset).props("outline").mark("reset")
            own = self._own_speed(self.session.experiment)
            self.speed = ui.select(SPEEDS, value=own, label="Speed", on_change=lambda e: self._set_speed(e.value))
            self.speed.props("dense outlined options-dense").classes("min-w-[10rem]").mark("speed")
            self._set_speed(own)
        self.status = ui.label().classes("message").mark("status")
        self.spoken = ui.label().classes("sr-only").props("role=status aria-live=polite")
        self.loss, self.accuracy = Curves("Loss"), Curves("Accuracy", share=True)
        with ui.element("div").classes("buttons"):
            self.axis = ui.select(AXES, value="epochs", label="Horizontal axis").props("dense outlined options-dense")
            self.axis.classes("min-w-[10rem]")
            self.logarithmic = ui.switch("Logarithmic")
        with ui.element("div").classes("buttons"):
            ui.button("Keep to compare", on_click=self._keep).props("flat dense").mark("keep")
            ui.button("Clear kept curves", on_click=self._forget).props("flat dense")
            ui.button("Link", on_click=self._link).props("flat dense").mark("link")
            ui.button("Code", on_click=self._code).props("flat dense").mark("code")
            ui.button("Save", on_click=self._save).props("flat dense").mark("save")
            ui.button("Open", on_click=self._open).props("flat dense").mark("open")
        ui.html("<h2>Hidden units</h2>", sanitize=False)
        self.units_told = ui.label().classes("explanation")
        self.grid = PixelGrid("The strongest hidden units", "52px")

    def _network(self) -> None:
        self.lead = ui.label().classes("lead")
        with ui.element("div").classes("buttons"):
            watch = ui.button("Reset and watch it learn", on_click=self._watch).mark("watch")
            watch.props("size=lg no-caps unelevated")
            ui.button("A random sample", on_click=self._random_sample).props("flat dense").mark("random")
            self.clear = ui.button("Clear").props("flat dense").mark("clear")
        with ui.element("div").classes("stage-of-all"):
            with ui.element("div").classes("w-full") as self.pad_box:
                ui.html("<h2>Draw a digit</h2>", sanitize=False)
                self.pad = DrawingPad(self._drawn)
            with ui.element("div").classes("w-full") as self.surface_box:
                ui.html("<h2>What it answers over the plane</h2>", sanitize=False)
                self.surface = PixelGrid("What the network answers over the plane", "240px")
                self.surface.on("painted", lambda event: self._painted(event.args))
                with ui.element("div").classes("buttons"):
                    self.paint = ui.toggle(dict(enumerate(COLOURS_OF_POINTS)), value=0, on_change=self._choose_paint)
                    self.paint.props('dense no-caps unelevated aria-label="Colour to paint"').mark("paint")
                    self.wipe = ui.button("Wipe the points", on_click=self._wipe).props("flat dense").mark("wipe")
                    self.own = ui.button("Paint your own points", on_click=self._paint_own)
                    self.own.props("flat dense").mark("own")
                    ui.button("Points from a file", on_click=self._bring).props("flat dense").mark("bring")
                self.painting = ui.label().classes("explanation").props("aria-live=polite")
                self.brought = ui.label().classes("explanation").props("aria-live=polite").mark("brought")
            self.view = NetworkView(self._open_unit, self._open_edge).classes("w-full")
        self.legend = ui.label().classes("explanation")
        self.clear.on_click(self.pad.clear_pad)
        self.answer = ui.label().classes("answer").mark("answer")
        self.path = ui.html(sanitize=False).classes("scroll path-box")
        with ui.expansion("Step by step: forward and back").classes("w-full group"):
            ui.label("One sample, followed through one hidden unit with its numbers.").classes("explanation")
            with ui.element("div").classes("buttons"):
                self.unit = ui.number("Hidden unit", value=1, min=1, precision=0).props("dense outlined")
                self.label = ui.select(["odd"], label="Its label", value="odd").props("dense outlined")
                self.label.classes("min-w-[7rem]")
                ui.button("Next", on_click=self._next_stage).mark("next")
                ui.button("From the start", on_click=self._first_stage).props("flat")
            self.stages = ui.element("div").classes("w-full").props("aria-live=polite")

    # what a visitor does

    async def _changed(self, name: str, value: Any) -> None:
        async with self.orders:
            try:
                await self._change(name, value)
            except InputError as error:
                label = texts("controls")[name]["label"] if name in texts("controls") else name
                ui.notify(str(error).replace(f"{name} must", f"{label} must"), type="negative")
            self.controls.show(self.session.experiment)
            self._follow_in_address("replaceState" if name == "points" else "pushState")

    def _follow_in_address(self, how: str) -> None:
        """The page's address is the experiment, so that a reload, the way back and a bookmark bring it again."""
        query = self.session.experiment.as_query() or "seed=0"
        ui.run_javascript(f"if (location.search !== '?{query}') history.{how}(null, '', '?{query}')")

    async def _change(self, name: str, value: Any) -> None:
        before = self.session.experiment
        experiment = before.changed(name, value) if name != "data" else with_data(before, value)
        if name == "data":
            self.speed.value = self._own_speed(experiment)
        if isinstance(self.session.begun, Network) and name not in KEEPS_WEIGHTS:
            ui.notify("A new network: the weights of the run that was opened are left")
        await in_thread(self.session.change, experiment)
        if name == "optimizer":
            self._choose_axis()

    async def _start_or_pause(self) -> None:
        async with self.orders:
            if self.session.wants_to_run:
                self.session.pause()
            elif self.session.state in ("finished", "failed"):
                more = "raise Epochs to go on, or " if self.session.state == "finished" else ""
                ui.notify(f"This training is over: {more}press Reset to begin anew")
            else:
                self._close_edge()
                self.session.start()

    async def _step(self) -> None:
        async with self.orders:
            self.session.step()

    async def _watch(self) -> None:
        """Begin anew and train, slowly enough to be seen."""
        self.speed.value = 100
        async with self.orders:
            await in_thread(self.session.reset)
            self.controls.show(self.session.experiment)
            self.session.start()

    async def _reset(self) -> None:
        async with self.orders:
            await in_thread(self.session.reset)
            self.controls.show(self.session.experiment)

    def _own_speed(self, experiment: Experiment) -> int:
        """Fast for images; for points of a plane such that one sees the surface bend."""
        return 0 if experiment.has_images else 100

    def _set_speed(self, speed: Any) -> None:
        if speed in SPEEDS:
            self.session.steps_per_second = speed or math.inf

    def _keep(self) -> None:
        self.count += 1
        earlier = self.kept[1 - MOST_KEPT :]
        colour = next(colour for colour in COLOURS[2:] if colour not in {kept.colour for kept in earlier})
        session = self.session
        self.kept = [*earlier, Kept(self.count, session.experiment, session.curve, session.changes, colour)]

    def _forget(self) -> None:
        self.kept = []

    async def _link(self) -> None:
        query = self.session.experiment.as_query()
        link = await ui.run_javascript(f"location.origin + location.pathname + '?{query}'", timeout=60)
        with ui.dialog() as dialog, ui.card():
            ui.label("This link opens the page with these settings.")
            shown = ui.input("Link", value=str(link)[:2000]).props("readonly outlined dense")
            shown.classes("w-full min-w-[18rem]").mark("link-text")
            ui.button("Copy", on_click=lambda: ui.clipboard.write(str(link)))
        dialog.open()

    def _code(self) -> None:
        experiment = self.session.experiment
        with ui.dialog() as dialog, ui.card().classes("w-full"):
            ui.label("On the command line").classes("font-semibold")
            none = "# this has no command of its own: the lines of Python do it"
            ui.code(experiment.command() or none, language="bash").classes("w-full").mark("command")
            ui.label("In Python").classes("font-semibold")
            ui.code(experiment.python(self.session.steps or 1000)).classes("w-full").mark("python")
            ui.label("Both begin at the first weights, with these settings from the start.").classes("explanation")
        dialog.open()

    def _save(self) -> None:
        async def save() -> None:
            try:
                async with self.orders:
                    folder = await in_thread(save_run, self.house.runs, str(name.value or ""), self.session)
            except (InputError, OSError) as error:
                ui.notify(str(error), type="negative")
                return
            ui.notify(f"Saved to {folder}; mlcvlab evaluate {folder} measures it")
            dialog.close()

        with ui.dialog() as dialog, ui.card():
            ui.label(f"Save as a run in {self.house.runs}")
            name = ui.input("Name").props("outlined dense").mark("run-name")
            ui.button("Save", on_click=save).mark("save-run")
        dialog.open()

    def _open(self) -> None:
        async def take() -> None:
            try:
                network = await in_thread(open_run, self.house.runs, chosen.value)
                async with self.orders:
                    await in_thread(self.session.take, network)
            except (InputError, OSError) as error:
                ui.notify(str(error), type="negative")
                return
            self.controls.show(self.session.experiment)
            dialog.close()

        names = saved_runs(self.house.runs)
        with ui.dialog() as dialog, ui.card():
            if not names:
                ui.label(f"There are no runs in {self.house.runs}: train one with mlcvlab train, or save one here.")
            chosen = ui.select(names, label="Run", value=names[0] if names else None).props("outlined dense")
            chosen.classes("min-w-[14rem]").mark("run-choice")
            ui.button("Open", on_click=take).mark("open-run")
        dialog.open()

    def _open_unit(self, layer: int, unit: int) -> None:
        """Show a unit in large, and what excites it; step by step follows it from now on."""
        network = self.network
        if layer >= network.experiment.depth or unit >= network.experiment.hidden_units:
            return  # of a network that is no longer there
        images, found = network.experiment.has_images, exciting(network, layer, unit)
        side = datasets.SIDE if images else looks.UNIT_GRID
        with ui.dialog() as dialog, ui.card().classes("unit-card"):
            of = f" of layer {layer + 1}" if network.experiment.depth > 1 else ""
            ui.html(f"<h2>Hidden unit {unit + 1}{of}</h2>", sanitize=False)
            if layer == 0:
                self.unit.value = unit + 1
                what = "Its weights: it fires for ink where they are red, and not for ink where they are blue."
                ui.label(what if images else "What it answers over the plane: red is more, blue is less than nothing.")
                picture = looks.unit_pictures(network, [unit])[0].pixels[None]
                large = PixelGrid("The unit in large", "220px").style("max-width: 240px")
                large.begin_with(side, picture, [("", f"Hidden unit {unit + 1}")])
            W = network.mlp.pairs(network.mlp.W)[layer + 1][0][:, unit]
            names = class_names(network.experiment)
            towards = names[-1:] if len(W) == 1 else names if layer + 1 == network.experiment.depth else []
            weights = ", ".join(f"to {name} {signed(float(w), 2)}" for name, w in zip(towards, W, strict=False))
            fires = f"It fires for {share(found.share, 0)} of the training samples."
            ui.label(f"{fires} Its weight {weights}." if len(towards) == 1 else f"{fires} Its weights {weights}.")
            if images and found.share:
                ui.label("The training images that excite it most:")
                pixels = looks.as_bytes(network.train[0][:, found.columns].T)
                told = [(f"{fires:.1f}", f"fires {fires:.2f}") for fires in found.fires]
                PixelGrid("The images that excite it most", "52px").begin_with(side, pixels, told)
            ui.button("Close", on_click=dialog.close).props("flat")
        dialog.open()

    def _open_edge(self, layer: int, to: int, from_: int) -> None:
        """Let a weight be changed by hand."""
        pairs = self.network.mlp.pairs(self.network.mlp.W)
        if layer >= len(pairs) or to >= len(pairs[layer][0]) or from_ >= pairs[layer][0].shape[1]:
            return
        W = pairs[layer][0]
        most = float(max(10, math.ceil(3 * np.abs(W).max())))

        async def change(value: Any) -> None:
            if isinstance(value, int | float) and not abs(value) <= most:
                ui.notify(f"A weight may be from {-most:g} to {most:g} here", type="negative")
            elif isinstance(value, int | float):
                async with self.orders:
                    try:
                        await in_thread(self.session.set_weight, layer, to, from_, float(value))
                    except InputError as error:
                        ui.notify(str(error), type="negative")
                self.drawings += 1

        self._close_edge()
        with ui.dialog().props("seamless position=top") as dialog, ui.card().classes("edge-card"):
            source = f"hidden unit {from_ + 1}" if layer else f"x{from_ + 1}"
            names = class_names(self.network.experiment)
            target = (names[-1] if len(W) == 1 else names[to]) if layer + 1 == len(pairs) else f"hidden unit {to + 1}"
            ui.label(f"The weight from {source} to {target}; watch the answer and the loss").classes("font-semibold")
            number = ui.number("Weight", value=round(float(W[to, from_]), 3), min=-most, max=most, step=0.1)
            number.props("dense outlined debounce=300").mark("weight")
            ui.slider(min=-most, max=most, step=0.01).bind_value(number).props('aria-label="Weight" label')
            number.on_value_change(lambda event: change(event.value))
            ui.button("Close", on_click=self._close_edge).props("flat")
        dialog.open()
        self.edge_dialog = dialog

    def _close_edge(self) -> None:
        if self.edge_dialog is not None:
            self.edge_dialog.delete()
            self.edge_dialog = None

    def _drawn(self, pixels: npt.NDArray[np.uint8]) -> None:
        if self.network.experiment.has_images:
            self.sample, self.target = looks.centred(pixels), None
            self._sample_is_new()
            if self.sample is not None:
                self.spoken.text = self.answer.text

    async def _paint_own(self) -> None:
        await self._changed("data", PAINTED)

    def _choose_paint(self) -> None:
        self.surface.paint_with(self.paint.value if self.session.experiment.data == PAINTED else None)

    async def _wipe(self) -> None:
        self.points = self.brought.text = ""
        await self._show_painted()

    def _bring(self) -> None:
        """Take the points of a table that a visitor has."""

        async def take(event: Any) -> None:
            try:
                points, told = await self._points_of(event.file)
            except (InputError, OSError) as error:
                ui.notify(str(error), type="negative")
                return
            dialog.close()
            await self._paint_own()
            self.points, self.brought.text = points, told
            await self._show_painted()

        with ui.dialog() as dialog, ui.card():
            ui.label(
                "A table, such as a CSV file, with two columns of numbers and one with two to four classes, which "
                f"become colours. At most {MOST_BYTES // 1_000_000} MB; of more rows {MOST_POINTS} are drawn at random."
            )
            drop = ui.upload(label="Drop a file here, or choose one", auto_upload=True, max_files=1, on_upload=take)
            drop.mark("file")
            ui.label("It stays on the machine that this page comes from; its points are in the link.")
        dialog.open()

    async def _points_of(self, file: Any) -> tuple[str, str]:
        """The points in a file that was sent, and what was taken of it."""
        name = Path(str(file.name)[-80:]).name or "the file"
        if file.size() > MOST_BYTES:
            raise InputError(f"{name} is larger than {MOST_BYTES // 1_000_000} MB")
        with TemporaryDirectory() as folder:
            path = Path(folder, name)
            await file.save(path)
            try:
                points, told = await in_thread(points_of_file, path)
            except InputError as error:
                raise InputError(str(error).replace(f"{folder}/", "")) from None
        if problem := problem_with(points):
            raise InputError(f"{name}: {problem.replace('paint', 'it needs')}")
        return points, told

    async def _painted(self, places: Any) -> None:
        """Add points that were painted, (x, y) from 0 to 1 from the left and the top."""
        if self.session.experiment.data != PAINTED or not isinstance(places, list):
            return
        for place in places[:MOST_POINTS]:
            if isinstance(place, list) and len(place) == 2 and all(isinstance(at, int | float) for at in place):
                x, y = (round(255 * min(1, max(0, at))) for at in place)
                self.points += f"{x:02x}{y:02x}{self.paint.value}"
        if len(self.points) > 5 * MOST_POINTS:
            ui.notify(f"{MOST_POINTS} points are as many as there may be: the others are left out")
            self.points = self.points[: 5 * MOST_POINTS]
        await self._show_painted()

    async def _show_painted(self) -> None:
        """Train on the painted points, where they are enough; say what they lack where not."""
        self._say_what_is_painted()
        if not problem_with(self.points):
            await self._changed("points", self.points)

    def _say_what_is_painted(self) -> None:
        """While the points are not enough, nothing is trained, and they are shown as they are."""
        problem = problem_with(self.points) if self.session.experiment.data == PAINTED else ""
        self.painting.text = problem
        self.start.set_enabled(not problem)
        if problem:
            self.session.pause()
            self.plane_points = [
                [x / 2 + 0.5, 0.5 - y / 2, int(c), 0] for (x, y), c in zip(*painted(self.points), strict=True)
            ]
            self.seen = ()

    def _random_sample(self) -> None:
        network = self.network
        X, y = network.held_out
        chosen = np.random.default_rng().integers(X.shape[1])
        if network.experiment.has_images:
            self.pad.show((255 * X[:, chosen]).astype(np.uint8))
        self.sample, self.target = X[:, [chosen]], y[:, [chosen]]
        chosen_class = int(self.target[0, 0]) if len(y) == 1 else int(self.target.argmax())
        self.label.value = class_names(network.experiment)[chosen_class]
        self._sample_is_new()
        fires = looks.path(network, self.sample).layers[0]
        self.unit.value = int(np.abs(fires).argmax()) + 1

    def _sample_is_new(self) -> None:
        self.drawings += 1
        if not self.session.wants_to_run:
            self._choose_units()
        self._show_answer()
        self._first_stage()

    def _first_stage(self) -> None:
        self.shown_stages = 0
        self.stages.clear()

    def _next_stage(self) -> None:
        network = self.network
        if self.sample is None or len(self.sample) != len(network.train[0]):
            self._random_sample()
        assert self.sample is not None
        unit = self.unit.value if isinstance(self.unit.value, int | float) else 1
        unit = int(min(max(1, unit), network.experiment.hidden_units)) - 1
        followed = (self.version, self.session.steps, self.drawings, unit, self.label.value)
        if followed != self.followed:
            self._first_stage()
            self.followed = followed
        found = looks.stages(network, self.sample, self._wanted(), self.session.experiment.learning_rate, unit)
        if self.shown_stages == len(found):
            return
        stage = found[self.shown_stages]
        self.shown_stages += 1
        with self.stages, ui.element("div").classes("stage"):
            ui.label(stage.name).classes("font-semibold")
            Equation(stage.equation)
            ui.html(f"<code>{escape(stage.numbers)}</code>", sanitize=False)

    def _wanted(self) -> Array:
        """The target that the label stands for, (C, 1)."""
        names = class_names(self.network.experiment)
        chosen = names.index(self.label.value) if self.label.value in names else 0
        if len(names) == 2:
            return np.array([[chosen]], np.float32)
        return np.eye(len(names), dtype=np.float32)[:, [chosen]]

    # what is shown

    def _tick(self) -> None:
        session = self.session
        self.ticks += 1
        if self.opening and self.ticks == SETTLED:
            self._random_sample()
        if session.version != self.version:
            self._begin()
        if session.wants_to_run != (self.start.text == "Pause"):
            self.start.text = "Pause" if session.wants_to_run else "Start"
            self._choose_units()
        self._show_status(session.curve)
        self._show_curves(session.curve)
        seen = (self.version, session.steps, self.drawings, *self.units)
        if seen != self.seen:  # looking into a network takes time, which the others may use
            self.seen = seen
            self._look()

    def _show_curves(self, curve: tuple[Point, ...]) -> None:
        *differences, own = what_differs([*(kept.experiment for kept in self.kept), self.session.experiment])
        for chart, quantity in ((self.loss, "loss"), (self.accuracy, "accuracy")):
            lines = [
                Line("training", curve, f"train_{quantity}", COLOURS[0], marks=marks_of(self.session.changes)),
                Line(_named("validation", own), curve, f"validation_{quantity}", COLOURS[1]),
            ]
            for kept, different in zip(self.kept, differences, strict=True):
                name = _named(f"kept {kept.number}", different)
                marks = marks_of(kept.changes)
                lines.append(Line(name, kept.curve, f"validation_{quantity}", kept.colour, "dashed", marks))
            chart.show(lines, self.axis.value, logarithmic=self.logarithmic.value)

    def _choose_axis(self) -> None:
        """A step of the homework's optimizers sees all samples: epochs tell nothing of them."""
        if self.axis.value != "seconds":
            self.axis.value = "epochs" if self.session.experiment.optimizer in OPTIMIZERS else "steps"

    def _choose_units(self) -> None:
        """Show the units that are strong now, among them those that add most to the answer for the sample."""
        network = self.network
        self.drawn_units = drawn_units(network, self.sample)
        self.units = looks.strongest_units(network)
        if self.sample is not None and network.experiment.depth == 1:
            added = np.abs(looks.path(network, self.sample).added).max(axis=1)
            most = [int(unit) for unit in np.argsort(-added, kind="stable")[:UNITS_OF_PATH]]
            others = [unit for unit in self.units if unit not in most]
            self.units = sorted(most + others[: max(0, len(self.units) - len(most))])

    def _look(self) -> None:
        self._show_units()
        self.view.show(drawn(self.network, self.drawn_units, self.sample, class_names(self.network.experiment)))
        if not self.network.experiment.has_images:
            captions = [("", "Each place in the colour of the class that it is taken for, with the samples")]
            self.surface.show_classes(looks.colours_of(self.network) != [0, 1])
            self.surface.show(looks.GRID, looks.surface(self.network)[None], captions, points=self.plane_points)
        if self.sample is not None:
            self._show_answer()

    def _begin(self) -> None:
        self._close_edge()
        self.version = self.session.version
        self.network = network = self.session.network
        images = network.experiment.has_images
        if self.sample is not None and len(self.sample) != len(network.train[0]):
            self.sample, self.target = None, None
        self._choose_units()
        self._choose_axis()
        self.surface_box.visible = not images
        self.lead.text = LEADS.get(network.experiment.data, LEAD_OF_PLANE)
        self.pad_box.visible = self.clear.visible = images
        self.plane_points = [] if images else looks.points_on_plane(network)
        is_painted = network.experiment.data == PAINTED
        self.paint.visible = self.wipe.visible = self.painting.visible = self.brought.visible = is_painted
        self.own.visible = not is_painted
        if network.experiment.points != self.trained_points or not is_painted:
            self.points = self.trained_points = network.experiment.points
        self._say_what_is_painted()
        self._choose_paint()
        names = class_names(network.experiment)
        sides = (
            f"red speaks for {names[1]}, blue for {names[0]}" if len(names) == 2 else "red speaks for it, blue against"
        )
        self.legend.text = f"Lines are weights: {sides}; the thicker, the larger. Units that fire are framed in orange."
        self.label.set_options(names, value=names[0])
        self.looks = 0
        self._show_answer()
        self._first_stage()

    def _show_status(self, curve: tuple[Point, ...]) -> None:
        session, last = self.session, curve[-1]
        epochs = f"epoch {last.epochs:.2f}, " if session.experiment.optimizer in OPTIMIZERS else ""
        told = (
            f"{session.state}: {epochs}step {last.steps:,}, validation accuracy "
            f"{share(last.validation_accuracy, 2)}, {last.seconds:.1f} s computed. {session.message}"
        )
        self.status.text = told
        if self.ticks % SPOKEN_EVERY == 0 and session.state != "ready":
            self.spoken.text = told

    def _show_units(self) -> None:
        network = self.network
        if self.looks % 10 == 0:
            self.dead = looks.dead_units(network)
        self.looks += 1
        units = looks.unit_pictures(network, self.units)
        path = looks.path(network, self.sample) if self.sample is not None else None
        fires = path.layers[0][self.units] if path is not None else np.zeros(0)
        marks = np.abs(fires) / max(1e-9, float(np.abs(fires).max(initial=0)))
        captions = []
        for unit in units:
            weight = signed(float(unit.weights[np.abs(unit.weights).argmax()]), 2)
            captions.append((f"{unit.number + 1}\n{weight}", f"Hidden unit {unit.number + 1}, weight {weight}"))
        side = datasets.SIDE if network.experiment.has_images else looks.UNIT_GRID
        self.grid.show(side, np.stack([unit.pixels for unit in units]), captions, marks.tolist())
        (dead, looked_at), total = self.dead, network.experiment.hidden_units
        below = "its weight to the output" if len(units[0].weights) == 1 else "its largest weight to the next layer"
        self.units_told.text = (
            f"{len(units)} of {total}, each with its number and {below}; framed as they fire for the sample. "
            f"{dead} of {total} are dead: they are 0 for all of {looked_at} training samples."
        )

    def _show_answer(self) -> None:
        network = self.network
        if self.sample is None or len(self.sample) != len(network.train[0]):
            self.answer.text = "Draw, or take a sample" if network.experiment.has_images else "Take a sample"
            self.path.content = ""
            return
        path = looks.path(network, self.sample)
        names = class_names(network.experiment)
        if len(path.answers) == 1:
            one = float(path.answers[0])
            said, sure = (names[1], one) if one >= 0.5 else (names[0], 1 - one)
        else:
            said, sure = names[int(path.answers.argmax())], float(path.answers.max())
        self.answer.text = f"{said}, with probability {share(sure)}{self._verdict(said, names)}"
        self.path.content = _path_table(path, names)

    def _verdict(self, said: str, names: list[str]) -> str:
        """Whether the answer is right, where the sample has a label."""
        if self.target is None:
            return ""
        true = names[int(self.target[0, 0]) if len(self.target) == 1 else int(self.target.argmax())]
        return f": right, its label is {true}" if true == said else f": wrong, its label is {true}"


def marks_of(changes: Sequence[Change]) -> tuple[tuple[Point, str], ...]:
    """What a chart marks on a curve: each change of the settings, at the point where it was made."""
    marks = []
    for change in changes:
        label = texts("controls")[change.name]["label"] if change.name in texts("controls") else change.name
        marks.append((change.at, f"{label} {change.before} → {change.after}"))
    return tuple(marks)


def with_data(experiment: Experiment, data: Any) -> Experiment:
    """The experiment with other data; what is still as suits the data before becomes as suits these."""
    plain, own = asdict(default_experiment(experiment.data)), asdict(experiment)
    fresh = asdict(read_experiment(asdict(default_experiment(str(data))) | {"data": data}))
    kept = {name: own[name] for name in own if own[name] != plain[name] and name not in ("data", "points")}
    return read_experiment(fresh | kept)


def class_names(experiment: Experiment) -> list[str]:
    """What the classes are called."""
    if experiment.data == PARITY:
        return ["odd", "even"]
    if experiment.data == DIGITS:
        return [str(digit) for digit in range(10)]
    return [f"class {kind}" for kind in (classes_of(experiment.points) if experiment.points else (0, 1))]


def _named(start: str, different: Mapping[str, Any], most: int = 3) -> str:
    """A line's name, with the settings that tell its training from the others'."""
    parts = []
    for name, value in list(different.items())[:most]:
        control = texts("controls").get(name, {"label": name, "names": {value: "of its own"}})
        parts.append(f"{control['label']} {control.get('names', {}).get(value, value)}")
    return f"{start}: {', '.join(parts)}" if parts else start


def _path_table(path: looks.Path, names: list[str], most: int = UNITS_OF_PATH) -> str:
    """The units that add most to the answer, as a table."""
    output = 0 if len(path.answers) == 1 else int(path.answers.argmax())
    added, fires = path.added[:, output], path.layers[-1]
    order = np.argsort(-np.abs(added), kind="stable")[:most]
    for_name = names[1] if len(path.answers) == 1 else names[output]
    rows = "".join(
        f"<tr><td>unit {m + 1}</td><td>{fires[m]:.3f}</td><td>{signed(added[m])}</td></tr>" for m in map(int, order)
    )
    rest = float(added.sum() - added[order].sum() + path.bias[output])
    return (
        f'<table class="path"><caption class="sr-only">What adds to {for_name}</caption>'
        '<tr><th scope="col">last hidden layer</th><th scope="col">activation</th>'
        f'<th scope="col">adds to {for_name}</th></tr>{rows}'
        f"<tr><td>all others</td><td></td><td>{signed(rest)}</td></tr>"
        f"<tr><td>sum z</td><td></td><td>{signed(float(path.z[output]))}</td></tr></table>"
    )


def experiment_of(query: Mapping[str, str]) -> tuple[Experiment, str]:
    """The experiment of a link, and what is wrong with it; the defaults where something is."""
    guide = texts("guide").get(query.get("guide", ""), {})
    if "guide" in query and not guide:
        return Experiment(), f"There is no guided experiment {query['guide'][:40]!r}"
    values = dict(guide.get("settings", {})) | {name: value for name, value in query.items() if name != "guide"}
    try:
        return read_experiment(asdict(default_experiment(str(values.get("data", PARITY)))) | values), ""
    except InputError as error:
        return Experiment(), f"The link cannot be used: {error}"
