"""The main page: settings on the left, the network in the middle, the training on the right."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, astuple, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from nicegui import ui

from mlcvkit.datasets import SIDE
from mlcvkit.errors import InputError
from mlcvkit.playground import inspection
from mlcvkit.playground.controls import Controls, texts
from mlcvkit.playground.experiments import (
    DIGITS,
    IMAGES,
    KEEPS_WEIGHTS,
    PAINTED,
    PARITY,
    Experiment,
    read_experiment,
    settings,
    what_differs,
)
from mlcvkit.playground.files import open_run, save_run, saved_runs
from mlcvkit.playground.limits import Limits, in_thread
from mlcvkit.playground.network_view import NetworkView, drawn, drawn_units, exciting
from mlcvkit.playground.networks import Network
from mlcvkit.playground.panels import ConfusionMatrix, StepByStep
from mlcvkit.playground.points import COLOURS as COLOURS_OF_POINTS
from mlcvkit.playground.points import MOST_POINTS, painted, problem_with
from mlcvkit.playground.sessions import Change, Point, Session
from mlcvkit.playground.uploads import WHAT_IS_TAKEN
from mlcvkit.playground.widgets import (
    AXES,
    COLOURS,
    Curves,
    DrawingPad,
    FileDrop,
    Line,
    LiveText,
    PixelGrid,
    share,
    signed,
)
from mlcvkit.training import OPTIMIZERS
from mlcvlab.nn import Array

TICK = 0.1
"""Seconds between two updates of the page."""
SPOKEN_EVERY = 30
"""Updates between two announcements for screen readers."""
SPEEDS = {1: "1 step a second", 10: "10 steps a second", 100: "100 steps a second", 0: "full speed"}
MARKED = 2
"""How the picture of the plane is told which point is the sample."""
SETTLED = 3
"""After this many updates the elements of the page take calls."""
CURVES_EVERY = 2
"""Updates between two drawings of the curves during a training."""
CONFUSION_EVERY = 20
"""Updates between two confusion matrices, if that panel is open."""
LEADS = {
    PARITY: "This network sees a picture of 28 × 28 grey pixels and answers the homework's question: is the digit even "
    "or odd? Draw one, and follow it through the hidden units to the answer.",
    DIGITS: "This network sees a picture of 28 × 28 grey pixels and says which of the ten digits it is. Draw one, and "
    "follow it through the hidden units to the answer.",
}
LEAD_OF_IMAGES = (
    f"This network sees your pictures, of {SIDE} × {SIDE} grey pixels, and says which class they belong to. Draw one, "
    "or take a random sample, and follow it through the hidden units to the answer."
)
LEAD_OF_PLANE = (
    "This network sees two numbers, the coordinates of a point, and says which class it belongs to. Watch the plane "
    "bend as it learns. Click a unit to open it, or a line to change its weight by hand."
)
_SHEET = """(event) => {
    if (event.target.closest('.sheet-handle')) event.currentTarget.classList.toggle('open');
}"""
MOST_KEPT = 5
STORED_AS = "mlcvlab-kept"
"""The key of the kept runs in the browser's storage."""
UNITS_OF_PATH = 6
"""The table of an answer shows the units that add most to it, at most this many."""


@dataclass(frozen=True)
class Kept:
    """A run that was kept for comparison."""

    number: int
    experiment: Experiment
    curve: tuple[Point, ...]
    changes: tuple[Change, ...]
    colour: str

    def as_stored(self) -> dict[str, Any]:
        """The run as plain data, without what JSON cannot hold."""

        def plain(point: Point) -> list[float | None]:
            return [value if math.isfinite(value) else None for value in astuple(point)]

        changes = [[plain(one.at), one.name, str(one.before), str(one.after)] for one in self.changes]
        curve = [plain(point) for point in self.curve]
        return {"number": self.number, "experiment": asdict(self.experiment), "curve": curve, "changes": changes}


class Page:
    """The page of one visitor.

    Parameters: ``limits``; ``session``, the training that is shown; ``tab``, the key of the browser's tab; ``base``,
    the parts of the address that name a guide or a run; ``is_opening``, whether to begin with a random sample.
    """

    def __init__(
        self, limits: Limits, session: Session, tab: str, base: Mapping[str, str], *, is_opening: bool = False
    ) -> None:
        self.limits, self.session, self.tab, self.is_opening = limits, session, tab, is_opening
        self.network = session.network
        self.base = dict(base)
        """The guide or the run of the address, whose settings the address does not repeat."""
        self.orders = asyncio.Lock()
        """What a visitor asks of the training is done in order, one thing after the other."""
        self.last_order = ""
        self.kept: list[Kept] = []
        self.count = 0
        self.sample: Array | None = None
        self.target: Array | None = None
        self.ticks = self.samples_shown = self.looks = 0
        self.seen: tuple[int, ...] = ()
        self.dead = (0, 0)
        self.units: list[int] = []
        self.drawn_units: list[list[int]] = []
        self.edge_dialog: ui.dialog | None = None
        self.trained_points = ""
        self.points = ""
        """The painted points, which may still be too few for a training."""
        self.version = -1

    def build(self) -> None:
        """Show everything."""
        if self.base.get("guide") in texts("guide"):
            self._guide(texts("guide")[self.base["guide"]])
        with ui.element("div").classes("columns"):
            with ui.element("section").classes("column main").props('aria-label="The network"'):
                self._network()
            with ui.element("section").classes("column").props('aria-label="Training"'):
                self._training()
            with ui.element("section").classes("column left").props('aria-label="Settings"') as sheet:
                self.controls = Controls(self.session.experiment, self._changed)
            sheet.on("click", js_handler=_SHEET)
        ui.timer(TICK, self._tick)
        ui.timer(CONFUSION_EVERY * TICK, self.confusion.refresh)
        ui.timer(0, self._restore_kept, once=True)
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
            resumed = self.session.steps_per_second if self.session.steps and not self.is_opening else math.inf
            own = int(resumed) if math.isfinite(resumed) else self._own_speed(self.session.experiment)
            self.speed = ui.select(SPEEDS, value=own, label="Speed", on_change=lambda e: self._set_speed(e.value))
            self.speed.props("dense outlined options-dense").classes("min-w-[10rem]").mark("speed")
            self._set_speed(own)
        self.status = LiveText().classes("message").mark("status")
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
        self.units_told = LiveText().classes("explanation")
        self.grid = PixelGrid("The strongest hidden units", "52px")

    def _network(self) -> None:
        self.lead = ui.label().classes("lead")
        with ui.element("div").classes("buttons"):
            watch = ui.button("Reset and watch it learn", on_click=self._watch).mark("watch")
            watch.props("size=lg no-caps unelevated")
            ui.button("A random sample", on_click=self._random_sample).props("flat dense").mark("random")
            self.clear = ui.button("Clear").props("flat dense").mark("clear")
            ui.button("Bring your own data", on_click=self._bring).props("flat dense").mark("bring")
        self.brought = ui.label().classes("explanation").props("aria-live=polite").mark("brought")
        with ui.element("div").classes("stage-of-all"):
            with ui.element("div").classes("w-full") as self.pad_box:
                self.pad_title = ui.html(sanitize=False)
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
                self.painting = ui.label().classes("explanation").props("aria-live=polite")
            self.view = NetworkView(self._open_unit, self._open_edge).classes("w-full")
        self.legend = ui.label().classes("explanation")
        self.clear.on_click(self.pad.clear_pad)
        self.answer = LiveText().classes("answer").mark("answer")
        self.path = LiveText(html=True).classes("scroll path-box")
        self.steps = StepByStep(self.session, self._some_sample)
        self.confusion = ConfusionMatrix(self.session)

    # what a visitor does

    @asynccontextmanager
    async def _order(self, name: str) -> AsyncIterator[None]:
        """Wait until all earlier orders are done; tell the visitor what is wrong with this one."""
        self.last_order = name
        async with self.orders:
            try:
                yield
            except (InputError, OSError) as error:
                ui.notify(str(error), type="negative")

    async def _changed(self, name: str, value: Any) -> None:
        async with self._order("change"):
            try:
                await self._change(name, value)
            except InputError as error:
                label = texts("controls")[name]["label"] if name in texts("controls") else name
                raise InputError(str(error).replace(f"{name} must", f"{label} must")) from None
            finally:
                self.controls.show(self.session.experiment)
                self._follow_in_address("replaceState" if name == "points" else "pushState")

    def _query(self) -> str:
        """The query of the address that brings this experiment again."""
        base = "&".join(f"{name}={value}" for name, value in self.base.items())
        return "&".join(part for part in (base, self.session.experiment.as_query(self._base_settings())) if part)

    def _base_settings(self) -> Mapping[str, Any]:
        if isinstance(self.session.start_from, Network):
            return asdict(self.session.start_from.experiment)
        return dict(texts("guide").get(self.base.get("guide", ""), {}).get("settings", {}))

    def _follow_in_address(self, how: str) -> None:
        """Keep the address equal to the experiment, for reloads, the way back and bookmarks."""
        query = self._query() or "seed=0"
        ui.run_javascript(f"if (location.search !== '?{query}') history.{how}(null, '', '?{query}')")

    async def _change(self, name: str, value: Any) -> None:
        before = self.session.experiment
        experiment = before.changed(name, value) if name != "data" else with_data(before, value)
        if name == "data":
            self.speed.value = self._own_speed(experiment)
        if isinstance(self.session.start_from, Network) and name not in KEEPS_WEIGHTS:
            ui.notify("A new network: it does not have the weights of the opened run")
            self.base = {}
        await in_thread(self.session.change, experiment)
        if name == "optimizer":
            self._choose_axis()

    async def _start_or_pause(self) -> None:
        async with self._order("start"):
            if self.session.wants_to_run:
                self.session.pause()
            elif self.session.state in ("finished", "failed"):
                more = "raise Epochs to continue, or " if self.session.state == "finished" else ""
                ui.notify(f"This training is over: {more}press Reset to start over")
            else:
                self._close_edge()
                self.session.start()

    async def _step(self) -> None:
        async with self._order("step"):
            self.session.step()

    async def _watch(self) -> None:
        """Start over and train, slowly enough to be seen."""
        self.speed.value = 100
        async with self._order("watch"):
            await in_thread(self.session.reset)
            self.controls.show(self.session.experiment)
            self.session.start()

    async def _reset(self) -> None:
        if self.last_order == "reset" and self.orders.locked():
            return  # the reset that is under way gives the same
        async with self._order("reset"):
            await in_thread(self.session.reset)
            self.controls.show(self.session.experiment)

    def _own_speed(self, experiment: Experiment) -> int:
        """Full speed for images; for points of a plane slow enough to see the surface bend."""
        return 0 if experiment.has_images else 100

    def _set_speed(self, speed: Any) -> None:
        if speed in SPEEDS:
            self.session.steps_per_second = speed or math.inf

    def _keep(self) -> None:
        self.count += 1
        self._add_kept(self.session.experiment, self.session.curve, self.session.changes)
        self._store_kept()

    def _add_kept(self, experiment: Experiment, curve: tuple[Point, ...], changes: tuple[Change, ...]) -> None:
        earlier = self.kept[1 - MOST_KEPT :]
        colour = next(colour for colour in COLOURS[2:] if colour not in {kept.colour for kept in earlier})
        self.kept = [*earlier, Kept(self.count, experiment, curve, changes, colour)]

    def _forget(self) -> None:
        self.kept = []
        self._store_kept()

    def _store_kept(self) -> None:
        """Write the kept runs to the browser's storage, so that they survive a reload."""
        stored = json.dumps([kept.as_stored() for kept in self.kept])
        ui.run_javascript(f"localStorage.setItem('{STORED_AS}', {json.dumps(stored)})")

    async def _restore_kept(self) -> None:
        """Read the kept runs from the browser's storage, whose content may be anything."""
        try:
            stored = await ui.run_javascript(f"localStorage.getItem('{STORED_AS}')", timeout=60)
        except TimeoutError:  # the page is asleep or gone: it has no kept curves until it is loaded again
            return
        try:
            for one in json.loads(stored or "[]")[-MOST_KEPT:]:
                number, kept = kept_of(one)
                self.count = number
                self._add_kept(*kept)
        except (ValueError, TypeError, KeyError, AttributeError):
            ui.notify("The kept curves in this browser's storage cannot be read", type="warning")

    async def _link(self) -> None:
        query = self._query()
        link = await ui.run_javascript(f"location.origin + location.pathname + '?{query}'", timeout=60)
        with ui.dialog() as dialog, ui.card():
            ui.label("This link opens the page with these settings.")
            if self.session.experiment.data == IMAGES:
                ui.label(
                    "Your images are on the server only, until it ends: on another one they must be brought again."
                )
            shown = ui.input("Link", value=str(link)[:2000]).props("readonly outlined dense")
            shown.classes("w-full min-w-[18rem]").mark("link-text")
            with ui.element("div").classes("buttons"):
                ui.button("Copy", on_click=lambda: ui.clipboard.write(str(link)))
                ui.button("Close", on_click=dialog.close).props("flat")
        dialog.open()

    def _code(self) -> None:
        experiment = self.session.experiment
        with ui.dialog() as dialog, ui.card().classes("w-full"):
            ui.label("On the command line").classes("font-semibold")
            none = "# no command does this: save the run, or use the lines of Python"
            ui.code(experiment.command() or none, language="bash").classes("w-full").mark("command")
            ui.label("In Python").classes("font-semibold")
            ui.code(experiment.python(self.session.steps or 1000)).classes("w-full").mark("python")
            ui.label("Both begin with the initial weights, with these settings from the start.").classes("explanation")
            ui.button("Close", on_click=dialog.close).props("flat")
        dialog.open()

    def _save(self) -> None:
        async def save() -> None:
            async with self._order("save"):
                self.limits.count_save(self.tab)
                folder = await in_thread(save_run, self.limits.runs, str(name.value or ""), self.session)
                ui.notify(f"Saved to {folder}; mlcvlab evaluate {folder} measures it")
                dialog.close()

        with ui.dialog() as dialog, ui.card():
            ui.label(f"Save as a run in {self.limits.runs}")
            name = ui.input("Name").props("outlined dense").mark("run-name")
            ui.button("Save", on_click=save).mark("save-run")
        dialog.open()

    def _open(self) -> None:
        async def take() -> None:
            async with self._order("open"):
                network = await in_thread(open_run, self.limits.runs, chosen.value)
                await in_thread(self.session.take, network)
                self.base = {"run": str(chosen.value)}
                self.controls.show(self.session.experiment)
                self._follow_in_address("pushState")
                dialog.close()

        names = saved_runs(self.limits.runs)
        with ui.dialog() as dialog, ui.card():
            if not names:
                ui.label(f"There are no runs in {self.limits.runs}: train one with mlcvlab train, or save one here.")
            chosen = ui.select(names, label="Run", value=names[0] if names else None).props("outlined dense")
            chosen.classes("min-w-[14rem]").mark("run-choice")
            ui.button("Open", on_click=take).mark("open-run")
        dialog.open()

    def _open_unit(self, layer: int, unit: int) -> None:
        """Show a large picture of a unit and what excites it; step by step follows this unit from now on."""
        network = self.network
        if layer >= network.experiment.depth or unit >= network.experiment.hidden_units:
            return  # it belongs to a network that was replaced
        images, found = network.experiment.has_images, exciting(network, layer, unit)
        side = SIDE if images else inspection.UNIT_GRID
        with ui.dialog() as dialog, ui.card().classes("unit-card"):
            of = f" of layer {layer + 1}" if network.experiment.depth > 1 else ""
            ui.html(f"<h2>Hidden unit {unit + 1}{of}</h2>", sanitize=False)
            if layer == 0:
                self.steps.unit.value = unit + 1
                what = "Its weights: it fires for ink where they are red, and not for ink where they are blue."
                ui.label(what if images else "What it answers over the plane: red is more, blue is less than nothing.")
                picture = inspection.unit_pictures(network, [unit])[0].pixels[None]
                large = PixelGrid("The unit in large", "220px").style("max-width: 240px")
                large.begin_with(side, picture, [("", f"Hidden unit {unit + 1}")])
            W = network.mlp.pairs(network.mlp.W)[layer + 1][0][:, unit]
            names = network.class_names
            towards = names[-1:] if len(W) == 1 else names if layer + 1 == network.experiment.depth else []
            weights = ", ".join(f"to {name} {signed(float(w), 2)}" for name, w in zip(towards, W, strict=False))
            fires = f"It fires for {share(found.share, 0)} of the training samples."
            ui.label(f"{fires} Its weight {weights}." if len(towards) == 1 else f"{fires} Its weights {weights}.")
            if images and found.share:
                ui.label("The training images that excite it most:")
                pixels = inspection.as_bytes(network.train[0][:, found.columns].T)
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
                async with self._order("weight"):
                    await in_thread(self.session.set_weight, layer, to, from_, float(value))
                self.samples_shown += 1

        self._close_edge()
        with ui.dialog().props("seamless position=top") as dialog, ui.card().classes("edge-card"):
            source = f"hidden unit {from_ + 1}" if layer else f"x{from_ + 1}"
            names = self.network.class_names
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
            drawing = inspection.centred(pixels)
            if drawing is not None and inspection.is_bright(self.network):
                drawing = 1 - drawing  # dark ink on a bright ground, as in the images
            self.sample, self.target = drawing, None
            if drawing is not None:
                self._follow_prediction(drawing)
            self._sample_is_new()
            if self.sample is not None:
                self.spoken.text = self.answer.text

    def _follow_prediction(self, sample: Array) -> None:
        """Let step by step begin with the predicted class and the unit that fires most."""
        path = inspection.path(self.network, sample)
        predicted = int(path.answers[0] >= 0.5) if len(path.answers) == 1 else int(path.answers.argmax())
        self.steps.label.value = self.network.class_names[predicted]
        self.steps.unit.value = int(np.abs(path.layers[0]).argmax()) + 1

    async def _paint_own(self) -> None:
        await self._changed("data", PAINTED)

    def _choose_paint(self) -> None:
        self.surface.paint_with(self.paint.value if self.session.experiment.data == PAINTED else None)

    async def _wipe(self) -> None:
        self.points = self.brought.text = ""
        await self._show_painted()

    def _bring(self) -> None:
        """Take data of the visitor's."""

        async def brought(made: Any) -> None:
            if not isinstance(made, dict):
                return
            dialog.close()
            data = IMAGES if made.get("images") else PAINTED
            async with self._order("bring"):
                own = {"data": data, data: str(made.get(data))}
                await in_thread(self.session.change, read_experiment(settings({}, own)))
                self.speed.value = 100  # these data are few
                self.brought.text = str(made.get("told"))[:2000]
                self.points = self.session.experiment.points
                self.controls.show(self.session.experiment)
                self._follow_in_address("pushState")

        with ui.dialog() as dialog, ui.card():
            ui.label(WHAT_IS_TAKEN)
            FileDrop(brought)
            ui.label("Your data stay on the computer that serves this page; points are also part of the link.")
            ui.button("Close", on_click=dialog.close).props("flat")
        dialog.open()

    async def _painted(self, places: Any) -> None:
        """Add painted points, (x, y) from 0 to 1 from the left and the top."""
        if self.session.experiment.data != PAINTED or not isinstance(places, list):
            return
        for place in places[:MOST_POINTS]:
            if isinstance(place, list) and len(place) == 2 and all(isinstance(at, int | float) for at in place):
                x, y = (round(255 * min(1, max(0, at))) for at in place)
                self.points += f"{x:02x}{y:02x}{self.paint.value}"
        if len(self.points) > 5 * MOST_POINTS:
            ui.notify(f"There can be {MOST_POINTS} points at most: the others are left out")
            self.points = self.points[: 5 * MOST_POINTS]
        await self._show_painted()

    async def _show_painted(self) -> None:
        """Train on the painted points if they are enough; otherwise say what they lack."""
        self._say_what_is_painted()
        if not problem_with(self.points):
            await self._changed("points", self.points)

    def _say_what_is_painted(self) -> None:
        """Show the points, and stop the training, while they are too few."""
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
        self.steps.label.value = network.class_names[chosen_class]
        self._sample_is_new()
        fires = inspection.path(network, self.sample).layers[0]
        self.steps.unit.value = int(np.abs(fires).argmax()) + 1

    def _some_sample(self) -> Array:
        """The sample that is shown; a random one if there is none."""
        if self.sample is None or len(self.sample) != len(self.network.train[0]):
            self._random_sample()
        assert self.sample is not None
        return self.sample

    def _sample_is_new(self) -> None:
        self.samples_shown += 1
        if not self.session.wants_to_run:
            self._choose_units()
        self._show_answer()
        self.steps.restart()

    # what is shown

    def _tick(self) -> None:
        session = self.session
        self.ticks += 1
        if self.is_opening and self.ticks == SETTLED:
            self._random_sample()
        if session.version != self.version:
            self._begin()
        if session.wants_to_run != (self.start.text == "Pause"):
            self.start.text = "Pause" if session.wants_to_run else "Start"
            self._choose_units()
        self._show_status(session.curve)
        if self.ticks % CURVES_EVERY == 0 or not session.wants_to_run:
            self._show_curves(session.curve)
        seen = (self.version, session.steps, self.samples_shown, *self.units)
        if seen != self.seen:  # a look into a network takes time that others can use
            self.seen = seen
            self._look()

    def _show_curves(self, curve: tuple[Point, ...]) -> None:
        data = self.session.experiment.data
        shown = [kept for kept in self.kept if kept.experiment.data == data]  # on other data curves say nothing
        *differences, own = what_differs([*(kept.experiment for kept in shown), self.session.experiment])
        for chart, quantity in ((self.loss, "loss"), (self.accuracy, "accuracy")):
            lines = [
                Line("training", curve, f"train_{quantity}", COLOURS[0], marks=marks_of(self.session.changes)),
                Line(_named("validation", own), curve, f"validation_{quantity}", COLOURS[1]),
            ]
            for kept, different in zip(shown, differences, strict=True):
                name = _named(f"kept {kept.number}", different)
                marks = marks_of(kept.changes)
                lines.append(Line(name, kept.curve, f"validation_{quantity}", kept.colour, "dashed", marks))
            chart.show(lines, self.axis.value, logarithmic=self.logarithmic.value)

    def _choose_axis(self) -> None:
        """Each step of the homework's optimizers sees all samples, so that epochs are of no use for them."""
        if self.axis.value != "seconds":
            self.axis.value = "epochs" if self.session.experiment.optimizer in OPTIMIZERS else "steps"

    def _choose_units(self) -> None:
        """Choose the strongest units, and those that add most to the answer for the sample."""
        network = self.network
        self.drawn_units = drawn_units(network, self.sample)
        self.units = inspection.strongest_units(network)
        if self.sample is not None and network.experiment.depth == 1:
            added = np.abs(inspection.path(network, self.sample).added).max(axis=1)
            most = [int(unit) for unit in np.argsort(-added, kind="stable")[:UNITS_OF_PATH]]
            others = [unit for unit in self.units if unit not in most]
            self.units = sorted(most + others[: max(0, len(self.units) - len(most))])

    def _look(self) -> None:
        self._show_units()
        self.view.show(drawn(self.network, self.drawn_units, self.sample, self.network.class_names))
        if not self.network.experiment.has_images:
            captions = [
                ("", "Each place has the colour of its predicted class; dots are samples, with a dark rim if held out")
            ]
            self.surface.show_classes(inspection.colours_of(self.network) != [0, 1])
            surface = inspection.surface(self.network)[None]
            self.surface.show(inspection.GRID, surface, captions, points=[*self.plane_points, *self._sample_on_plane()])
        if self.sample is not None:
            self._show_answer()

    def _sample_on_plane(self) -> list[list[float]]:
        """The sample as a point that is marked."""
        if self.sample is None or len(self.sample) != 2:
            return []
        across, down = inspection.place_on_plane(self.network, self.sample)
        return [[round(float(across[0]), 3), round(float(down[0]), 3), 0, MARKED]]

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
        self.lead.text = LEADS.get(network.experiment.data, LEAD_OF_IMAGES if images else LEAD_OF_PLANE)
        self.pad_box.visible = self.clear.visible = images
        self.pad_title.content = f"<h2>Draw {'a digit' if network.experiment.is_mnist else 'a picture'}</h2>"
        self.plane_points = [] if images else inspection.points_on_plane(network)
        is_painted = network.experiment.data == PAINTED
        self.paint.visible = self.wipe.visible = self.painting.visible = is_painted
        self.brought.visible = is_painted or network.experiment.data == IMAGES
        self.own.visible = not is_painted
        if network.experiment.points != self.trained_points or not is_painted:
            self.points = self.trained_points = network.experiment.points
        self._say_what_is_painted()
        self._choose_paint()
        names = network.class_names
        sides = (
            f"red speaks for {names[1]}, blue for {names[0]}" if len(names) == 2 else "red speaks for it, blue against"
        )
        self.legend.text = (
            f"Lines are weights: {sides}; the thicker, the larger. Units that fire, and their lines from the input, "
            "are orange."
        )
        self.looks = 0
        self._show_answer()
        self.steps.begin()

    def _show_status(self, curve: tuple[Point, ...]) -> None:
        session, last = self.session, curve[-1]
        epochs = f"epoch {last.epochs:.2f}, " if session.experiment.optimizer in OPTIMIZERS else ""
        message = session.message[:1].upper() + session.message[1:]
        told = (
            f"{session.state}: {epochs}step {last.steps:,}, validation accuracy "
            f"{share(last.validation_accuracy, 2)}, {last.seconds:.1f} s of computation. {message}"
        )
        self.status.show(told)
        if self.ticks % SPOKEN_EVERY == 0 and session.state != "ready":
            self.spoken.text = told

    def _show_units(self) -> None:
        network = self.network
        if self.looks % 10 == 0:
            self.dead = inspection.dead_units(network)
        self.looks += 1
        units = inspection.unit_pictures(network, self.units)
        path = inspection.path(network, self.sample) if self.sample is not None else None
        fires = path.layers[0][self.units] if path is not None else np.zeros(0)
        marks = np.abs(fires) / max(1e-9, float(np.abs(fires).max(initial=0)))
        captions = []
        for unit in units:
            weight = signed(float(unit.weights[np.abs(unit.weights).argmax()]), 2)
            captions.append((f"{unit.number + 1}\n{weight}", f"Hidden unit {unit.number + 1}, weight {weight}"))
        side = SIDE if network.experiment.has_images else inspection.UNIT_GRID
        self.grid.show(side, np.stack([unit.pixels for unit in units]), captions, marks.tolist())
        (dead, looked_at), total = self.dead, network.experiment.hidden_units
        below = "its weight to the output" if len(units[0].weights) == 1 else "its largest weight to the next layer"
        self.units_told.show(
            f"{len(units)} of {total}, each with its number and {below}; framed as they fire for the sample. "
            f"{dead} of {total} are dead: they are 0 for all of {looked_at} training samples."
        )

    def _show_answer(self) -> None:
        network = self.network
        if self.sample is None or len(self.sample) != len(network.train[0]):
            self.answer.show("Draw, or take a sample" if network.experiment.has_images else "Take a sample")
            self.path.show("")
            return
        path = inspection.path(network, self.sample)
        names = network.class_names
        if len(path.answers) == 1:
            one = float(path.answers[0])
            said, sure = (names[1], one) if one >= 0.5 else (names[0], 1 - one)
        else:
            said, sure = names[int(path.answers.argmax())], float(path.answers.max())
        self.answer.show(f"{said}, with probability {share(sure)}{self._verdict(said, names)}")
        self.path.show(_path_table(path, names))

    def _verdict(self, said: str, names: list[str]) -> str:
        """Whether the answer is right, if the sample has a label."""
        if self.target is None:
            return ""
        true = names[int(self.target[0, 0]) if len(self.target) == 1 else int(self.target.argmax())]
        return f": right, its label is {true}" if true == said else f": wrong, its label is {true}"


def marks_of(changes: Sequence[Change]) -> tuple[tuple[Point, str], ...]:
    """The marks on a curve: each change of the settings, at its point."""
    marks = []
    for change in changes:
        label = texts("controls")[change.name]["label"] if change.name in texts("controls") else change.name
        marks.append((change.at, f"{label} {change.before} → {change.after}"))
    return tuple(marks)


def with_data(experiment: Experiment, data: Any) -> Experiment:
    """The experiment with other data. Settings that were the default for the data become the new default."""
    plain, now = settings({}, {"data": experiment.data}), asdict(experiment)
    fresh = settings({}, {"data": str(data)})
    kept = {name: now[name] for name in now if now[name] != plain[name] and name not in ("data", "points", "images")}
    return read_experiment(fresh | kept)


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
        control = texts("controls").get(name, {"label": name, "names": {value: "other"}})
        parts.append(f"{control['label']} {control.get('names', {}).get(value, value)}")
    return f"{start}: {', '.join(parts)}" if parts else start


def _path_table(path: inspection.Path, names: list[str], most: int = UNITS_OF_PATH) -> str:
    """The units that add most to the answer, as a table."""
    output = 0 if len(path.answers) == 1 else int(path.answers.argmax())
    added, fires = path.added[:, output], path.layers[-1]
    order = np.argsort(-np.abs(added), kind="stable")[:most]
    for_name = names[1] if len(path.answers) == 1 else names[output]
    rows = "".join(
        f"<tr><td>unit {m + 1}</td><td>{fires[m]:.3f}</td><td>{signed(added[m])}</td></tr>" for m in map(int, order)
    )
    rest, bias = float(added.sum() - added[order].sum()), float(path.bias[output])
    others = f"<tr><td>all others</td><td></td><td>{signed(rest)}</td></tr>" if len(added) > len(order) else ""
    others += f"<tr><td>bias</td><td></td><td>{signed(bias)}</td></tr>" if bias else ""
    return (
        f'<table class="path"><caption class="sr-only">What adds to {for_name}</caption>'
        '<tr><th scope="col">last hidden layer</th><th scope="col">activation</th>'
        f'<th scope="col">adds to {for_name}</th></tr>{rows}'
        f"{others}"
        f"<tr><td>sum z</td><td></td><td>{signed(float(path.z[output]))}</td></tr></table>"
    )


def experiment_of(query: Mapping[str, str], run: Experiment | None = None) -> tuple[Experiment, str]:
    """The experiment of an address and what is wrong with it; if anything is, the default experiment.

    ``run`` is the experiment of the run that the address names.
    """
    guide = texts("guide").get(query.get("guide", ""), {})
    if "guide" in query and not guide:
        return Experiment(), f"There is no guided experiment {query['guide'][:40]!r}"
    base = asdict(run) if run is not None else dict(guide.get("settings", {}))
    try:
        return read_experiment(settings(base, {k: v for k, v in query.items() if k not in ("guide", "run")})), ""
    except InputError as error:
        return run or Experiment(), f"The link cannot be used: {error}"
