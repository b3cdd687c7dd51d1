"""The main page: settings on the left, the network in the middle, the training on the right."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt
from nicegui import ui

from mlcvkit.datasets import SIDE
from mlcvkit.errors import InputError
from mlcvkit.playground import dialogs, inspection
from mlcvkit.playground.controls import Controls, controls, texts
from mlcvkit.playground.experiments import (
    DIGITS,
    IMAGES,
    KEEPS_WEIGHTS,
    PAINTED,
    PARITY,
    Experiment,
    read_experiment,
    settings,
)
from mlcvkit.playground.files import open_run, save_run
from mlcvkit.playground.kept_runs import KeptRuns
from mlcvkit.playground.limits import OPENING, Limits, in_thread
from mlcvkit.playground.network_view import NetworkView, drawn, drawn_units
from mlcvkit.playground.networks import Network
from mlcvkit.playground.panels import UNITS_OF_PATH, Answer, ConfusionMatrix, StepByStep
from mlcvkit.playground.plane import Plane
from mlcvkit.playground.sessions import AT_LIMIT, Point, Session
from mlcvkit.playground.widgets import AXES, Curves, DrawingPad, LiveText, PixelGrid, share, signed
from mlcvkit.training import OPTIMIZERS
from mlcvlab.nn import Array

TICK = 0.1
"""Seconds between two updates of the page."""
SPOKEN_EVERY = 30
"""Updates between two announcements for screen readers."""
SPEEDS = {1: "1 step a second", 10: "10 steps a second", 100: "100 steps a second", 0: "full speed"}
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
        if base:
            session.base = dict(base)
        self.orders = asyncio.Lock()
        """What a visitor asks of the training is done in order, one thing after the other."""
        self.last_order = ""
        self.kept = KeptRuns()
        self.own: dict[str, tuple[str, str]] = {}
        """The visitor's own points and images, with what is told of them, for when they come back from other data."""
        self.sample: Array | None = None
        self.target: Array | None = None
        self.ticks = self.samples_shown = self.looks = 0
        self.seen: tuple[int, ...] = ()
        self.shown_data: tuple[object, ...] = ()
        self.dead = (0, 0)
        self.units: list[int] = []
        self.drawn_units: list[list[int]] = []
        self.edge_dialog: ui.dialog | None = None
        self.version = -1
        self.had_epochs = True
        self.was_running = False
        """Whether it ran before too few points were there to go on."""

    def build(self) -> None:
        """Show everything."""
        if self.session.base.get("guide") in texts("guide"):
            self._guide(texts("guide")[self.session.base["guide"]])
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
        ui.timer(0, self.kept.restore, once=True)
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
            self.one_step = ui.button("Step", on_click=self._step).props("outline").mark("step")
            ui.button("Reset", on_click=self._reset).props("outline").mark("reset")
            resumed = self.session.steps_per_second if self.session.steps and not self.is_opening else math.inf
            speed = int(resumed) if math.isfinite(resumed) else self._own_speed(self.session.experiment)
            self.speed = ui.select(SPEEDS, value=speed, label="Speed", on_change=lambda e: self._set_speed(e.value))
            self.speed.props("dense outlined options-dense").classes("min-w-[10rem]").mark("speed")
            self._set_speed(speed)
        self.status = LiveText().classes("message").mark("status")
        self.spoken = ui.label().classes("sr-only").props("role=status aria-live=polite")
        self.loss, self.accuracy = Curves("Loss"), Curves("Accuracy", share=True)
        with ui.element("div").classes("buttons"):
            self.axis = ui.select(AXES, value="epochs", label="Horizontal axis").props("dense outlined options-dense")
            self.axis.classes("min-w-[10rem]")
            self.logarithmic = ui.switch("Logarithmic")
        with ui.element("div").classes("buttons"):
            for text, mark, do in (
                ("Keep to compare", "keep", lambda: self.kept.keep(self.session)),
                ("Clear kept curves", "clear-kept", self.kept.clear),
                ("Link", "link", lambda: dialogs.show_link(self._query(), self.session.experiment)),
                ("Code", "code", lambda: dialogs.show_code(self.session)),
                ("Save", "save", lambda: dialogs.save(self.limits.runs, self._save)),
                ("Open", "open", lambda: dialogs.open_saved(self.limits.runs, self._open)),
            ):
                ui.button(text, on_click=do).props("flat dense").mark(mark)
        ui.html("<h2>Hidden units</h2>", sanitize=False)
        self.units_line = LiveText().classes("explanation")
        self.grid = PixelGrid("The strongest hidden units", "52px")

    def _network(self) -> None:
        self.lead = ui.label().classes("lead")
        with ui.element("div").classes("buttons"):
            self.watch = ui.button("Reset and watch it learn", on_click=self._watch).mark("watch")
            self.watch.props("size=lg no-caps unelevated")
            self.random = ui.button("A random sample", on_click=self._random_sample).props("flat dense").mark("random")
            self.clear = ui.button("Clear").props("flat dense").mark("clear")
            ui.button("Bring your own data", on_click=lambda: dialogs.bring(self._bring)).props("flat dense").mark(
                "bring"
            )
        self.brought = ui.label().classes("explanation").props("aria-live=polite").mark("brought")
        self.answer = Answer()
        with ui.element("div").classes("stage-of-all") as self.stage:
            with ui.element("div").classes("w-full") as self.pad_box:
                self.pad_title = ui.html(sanitize=False)
                self.pad = DrawingPad(self._drawn)
            self.plane = Plane(self.session, self._changed, self._lacks, self.brought)
            self.view = NetworkView(self._open_unit, self._open_edge).classes("w-full")
        self.legend = ui.label().classes("explanation")
        self.clear.on_click(self.pad.clear_pad)
        self.answer.add_path()
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
                ui.notify(str(error).replace("another --name", "another name"), type="negative")

    async def _changed(self, name: str, value: Any) -> None:
        async with self._order("change"):
            before = self._query()
            try:
                await self._change(name, value)
            except InputError as error:
                label = controls()[name]["label"] if name in controls() else name
                raise InputError(str(error).replace(f"{name} must", f"{label} must")) from None
            finally:
                self.controls.show(self.session.experiment)
                self._follow_in_address("replaceState" if name == "points" else "pushState", before)

    def _query(self) -> str:
        """The query of the address that brings this experiment again."""
        base = urlencode(self.session.base)
        return "&".join(part for part in (base, self.session.experiment.as_query(self._base_settings())) if part)

    def _base_settings(self) -> Mapping[str, Any]:
        if isinstance(self.session.start_from, Network):
            return asdict(self.session.start_from.experiment)
        return dict(texts("guide").get(self.session.base.get("guide", ""), {}).get("settings", {}))

    def _follow_in_address(self, how: str, before: str = "") -> None:
        """Keep the address equal to the experiment, for reloads, the way back and bookmarks.

        ``before``, the query of what was shown until now, is where the way back leads from an address without any.
        """
        address, earlier = json.dumps(f"?{self._query() or 'seed=0'}"), json.dumps(f"?{before or 'seed=0'}")
        ui.run_javascript(
            f"if (location.search !== {address}) {{"
            f"if (!location.search && {json.dumps(how == 'pushState')}) history.replaceState(null, '', {earlier});"
            f"history.{how}(null, '', {address}) }}"
        )

    async def _change(self, name: str, value: Any) -> None:
        before = self.session.experiment
        if before.data in (PAINTED, IMAGES):
            self.own[before.data] = getattr(before, before.data), self.brought.text
        experiment = before.changed(name, value) if name != "data" else with_data(before, value, self.own)
        if name == "data":
            self.brought.text = self.own.get(value, ("", ""))[1]
        if name == "data":
            self.speed.value = self._own_speed(experiment)
        if isinstance(self.session.start_from, Network) and name not in KEEPS_WEIGHTS:
            ui.notify("A new network: it does not have the weights of the opened run")
            self.session.base = {}
        await in_thread(self.session.change, experiment)
        if name == "optimizer":
            self._choose_axis()

    async def _start_or_pause(self) -> None:
        async with self._order("start"):
            if self.session.wants_to_run:
                self.session.pause()
            elif self.session.state in ("finished", "failed"):
                may_go_on = self.session.state == "finished" and not self.session.message.startswith(AT_LIMIT)
                more = "raise Epochs to continue, or " if may_go_on else ""
                ui.notify(f"This training is over: {more}press Reset to start over")
            else:
                self._close_edge()
                self.session.start()

    async def _step(self) -> None:
        async with self._order("step"):
            self._close_edge()
            self.session.step()

    async def _watch(self) -> None:
        """Start over and train, slowly enough to be seen."""
        self.speed.value = 100
        async with self._order("watch"):
            before = self._query()
            await in_thread(self.session.reset, self.session.experiment)  # an opened run begins anew as well
            if "run" in self.session.base:
                self.session.base = {}
                self._follow_in_address("pushState", before)
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

    async def _save(self, name: str) -> Path | None:
        """Save the training as a run; its folder, or None if that failed."""
        async with self._order("save"):
            self.limits.count_save(self.tab)
            return await in_thread(save_run, self.limits.runs, name, self.session)
        return None

    async def _open(self, name: str) -> bool:
        async with self._order("open"):
            network, before = await in_thread(open_run, self.limits.runs, name), self._query()
            await in_thread(self.session.take, network)
            self.session.base = {"run": name}
            self.brought.text, self.speed.value = "", self._own_speed(network.experiment)
            self.controls.show(self.session.experiment)
            self._follow_in_address("pushState", before)
            return True
        return False

    async def _bring(self, uploaded: Mapping[str, Any]) -> None:
        """Train on data that the visitor brought."""
        data = IMAGES if uploaded.get("images") else PAINTED
        async with self._order("bring"):
            given, before = {"data": data, data: str(uploaded.get(data))}, self._query()
            await in_thread(self.session.change, read_experiment(settings({}, given)))
            self.speed.value = 100  # these data are few
            self.brought.text = str(uploaded.get("told"))[:2000]
            self.plane.points = self.session.experiment.points
            self.controls.show(self.session.experiment)
            self._follow_in_address("pushState", before)

    def _open_unit(self, layer: int, unit: int) -> None:
        """Open a unit; step by step follows it from now on."""
        if dialogs.show_unit(self.network, layer, unit) and layer == 0:
            self.steps.unit.value = unit + 1

    async def _open_edge(self, layer: int, to: int, from_: int) -> None:
        """Let a weight be changed by hand; the training pauses meanwhile."""

        async def change(value: float) -> None:
            async with self._order("weight"):
                await in_thread(self.session.set_weight, layer, to, from_, value)

        self._close_edge()
        if self.network.has_diverged:
            ui.notify("The network has diverged, and its weights are no numbers: press Reset", type="negative")
            return
        running = self.session.wants_to_run
        async with self._order("weight"):
            await in_thread(self.session.rest)

        def close() -> None:
            self._close_edge()
            if running:
                self.session.start()

        self.edge_dialog = dialogs.change_weight(self.network, (layer, to, from_), change, close)

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
        self.steps.label.value = self.network.class_names[path.predicted]
        self.steps.unit.value = int(np.abs(path.layers[0]).argmax()) + 1

    def _lacks(self, problem: str) -> None:
        """Stop the training while too few points are painted for one."""
        for button in (self.start, self.one_step, self.watch, self.random):
            button.set_enabled(not problem)
        if problem:
            self.was_running |= self.session.wants_to_run
            self.session.pause()
            self.seen = ()
            if not self.plane.points:
                self.sample = self.target = None
        elif self.was_running:
            self.was_running = False
            self.session.start()

    def _random_sample(self) -> None:
        network = self.network
        X, y = network.held_out
        chosen = np.random.default_rng().integers(X.shape[1])
        if network.experiment.has_images:
            self.pad.show((255 * X[:, chosen]).astype(np.uint8))
        self.sample, self.target = X[:, [chosen]], y[:, [chosen]]
        self.steps.label.value = network.class_names[self._class_of_target()]
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
        self.answer.show(self.network, self.sample, self.target)
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
        seen = (self.version, session.steps, session.edits, self.samples_shown, *self.units)
        if seen != self.seen:  # a look into a network takes time that others can use
            self.seen = seen
            self._look()
            self.steps.look()

    def _show_curves(self, curve: tuple[Point, ...]) -> None:
        for chart, quantity in ((self.loss, "loss"), (self.accuracy, "accuracy")):
            lines = self.kept.lines(self.session, curve, quantity)
            chart.show(lines, self.axis.value, logarithmic=self.logarithmic.value)

    def _choose_axis(self) -> None:
        """Each step of the homework's optimizers sees all samples, so that epochs are of no use for them."""
        has_epochs = self.session.experiment.optimizer in OPTIMIZERS
        if has_epochs != self.had_epochs and self.axis.value != "seconds":
            self.axis.value = "epochs" if has_epochs else "steps"
        self.had_epochs = has_epochs

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
            self.plane.show(self.network, self.sample)
        if self.sample is not None:
            self.answer.show(self.network, self.sample, self.target)

    def _begin(self) -> None:
        self._close_edge()
        self.version = self.session.version
        self.network = network = self.session.network
        self.was_running &= network.experiment.data == PAINTED
        images = network.experiment.has_images
        e = network.experiment
        shown = (e.data, e.images) if images else (e.data, e.points, e.seed)  # the seed draws what points are scaled by
        if self.shown_data != shown:
            self.shown_data, self.target = shown, None  # the sample's label was one of other classes
            if self.sample is not None and not (images and len(self.sample) == SIDE**2):
                self.sample = None
                self.pad.clear_pad()
        self._choose_units()
        self._choose_axis()
        self.plane.begin(network)
        lead = LEADS.get(network.experiment.data, LEAD_OF_IMAGES if images else LEAD_OF_PLANE)
        self.lead.text = f"{lead} {network.note}"
        self.pad_box.visible = self.clear.visible = images
        is_deep = network.experiment.depth > 2  # and needs all the width
        self.stage.classes(add="deep" if is_deep else "", remove="" if is_deep else "deep")
        self.pad_title.content = f"<h2>Draw {'a digit' if network.experiment.is_mnist else 'a picture'}</h2>"
        names = network.class_names
        are_usual = images or inspection.colours_of(network)[:2] == [0, 1]
        of_points = "" if are_usual else ", whatever colours their points have"
        sides = (
            f"at the output a red one speaks for {names[1]}, a blue one for {names[0]}{of_points}"
            if len(names) == 2
            else "at an output a red one speaks for its class, a blue one against it"
        )
        lines = ", and their lines from the input, are" if images else " for the sample are framed in"
        fires = f" Units that are active{lines} orange."
        self.legend.text = (
            f"Lines are weights, red positive and blue negative: {sides}; the thicker, the larger.{fires}"
        )
        self.looks = 0
        self.confusion.forget()
        self.answer.show(self.network, self.sample, self.target)
        self.steps.begin(self._class_of_target())

    def _class_of_target(self) -> int:
        """The class of the sample that is shown; 0 if it has none."""
        return 0 if self.target is None else int(inspection.classes(self.target)[0])

    def _show_status(self, curve: tuple[Point, ...]) -> None:
        session, last = self.session, curve[-1]
        epochs = f"epoch {last.epochs:.2f}, " if session.experiment.optimizer in OPTIMIZERS else ""
        message = session.message[:1].upper() + session.message[1:]
        right = last.validation_accuracy
        accuracy = "" if math.isnan(right) else f"validation accuracy {share(right, 2)}, "
        text = f"{session.state}: {epochs}step {last.steps:,}, {accuracy}{last.seconds:.1f} s of computation. {message}"
        self.status.show(text)
        if self.ticks % SPOKEN_EVERY == 0 and session.state != "ready":
            self.spoken.text = text

    def _show_units(self) -> None:
        network = self.network
        if self.looks % 10 == 0 or not self.session.wants_to_run:
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
        leads_out = network.experiment.depth == 1 and len(units[0].weights) == 1
        below = "its weight to the output" if leads_out else "its largest weight to the next layer"
        text = (
            f"{len(units)} of {total}, each with its number and {below}; the stronger its frame, the more active it is."
        )
        if network.experiment.activation == "relu":
            every = total * network.experiment.depth
            text += f" {dead} of {every} are dead: they are 0 for all of {looked_at} training samples."
        self.units_line.show(text)


def with_data(experiment: Experiment, data: Any, own: Mapping[str, tuple[str, str]]) -> Experiment:
    """The experiment with other data, or a visitor's own. Settings that nobody chose become the data's default."""
    plain, now, opening = settings({}, {"data": experiment.data}), asdict(experiment), asdict(OPENING)
    usual = {name: (plain[name], opening[name] if experiment.data == OPENING.data else plain[name]) for name in now}
    kept = {name: now[name] for name in now if now[name] not in usual[name] and name not in ("data", PAINTED, IMAGES)}
    brought = {str(data): own[data][0]} if data in own else {}
    return read_experiment(settings({}, {"data": str(data)}) | kept | brought)


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
