"""Panels of the page: the answer for a sample, step by step, and the confusion matrix."""

from collections.abc import Callable
from html import escape

import numpy as np
from nicegui import ui

from mlcvkit.datasets import SIDE
from mlcvkit.playground import inspection
from mlcvkit.playground.experiments import DIGITS
from mlcvkit.playground.inspection import Confusion
from mlcvkit.playground.limits import in_thread
from mlcvkit.playground.networks import Network
from mlcvkit.playground.sessions import Session
from mlcvkit.playground.widgets import Equation, LiveText, PixelGrid, share, signed
from mlcvlab.nn import Array

UNITS_OF_PATH = 6
"""The table of an answer shows the units that add most to it, at most this many."""
MOST_OF_A_CELL = 40
"""A cell of the confusion matrix opens at most this many images."""
CELL_CLICKED = "(event) => { const cell = event.target.closest('[data-cell]'); if (cell) emit(cell.dataset.cell); }"


class Answer:
    """What the network answers for a sample, and which hidden units add most to it."""

    def __init__(self) -> None:
        self.line = LiveText().classes("answer").mark("answer")

    def add_path(self) -> None:
        """Make the table of the units, which may have its place further down."""
        self.path = LiveText(html=True).classes("scroll path-box")

    @property
    def text(self) -> str:
        """The answer as one line."""
        return self.line.text

    def show(self, network: Network, sample: Array | None, target: Array | None) -> None:
        """Show the answer for a sample, a column, and whether it is right if the sample has a target."""
        if sample is None or len(sample) != len(network.train[0]):
            self.line.show("Draw, or take a sample" if network.experiment.has_images else "Take a sample")
            self.path.show("")
            return
        path, names = inspection.path(network, sample), network.class_names
        if network.has_diverged:
            self.line.show("No answer: the network has diverged")
            self.path.show("")
            return
        answer = float(path.answers.max())
        predicted, sure = names[path.predicted], answer if len(path.answers) > 1 else max(answer, 1 - answer)
        verdict = ""
        if target is not None:
            true = names[int(inspection.classes(target)[0])]
            verdict = f": {'right' if true == predicted else 'wrong'}, its label is {true}"
        self.line.show(f"{predicted}, with probability {share(sure)}{verdict}")
        self.path.show(_path_table(path, names))


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


OLD_STAGES = "These numbers are of earlier weights or settings: Next follows the sample again."


class StepByStep:
    """One sample, followed forward and back through one hidden unit.

    Parameters: ``session``, the training; ``sample``, which returns the sample, a column.
    """

    def __init__(self, session: Session, sample: Callable[[], Array]) -> None:
        self.session, self.sample = session, sample
        self.shown = 0
        self.followed: tuple[object, ...] = ()
        with ui.expansion("Step by step: forward and back").classes("w-full group"):
            ui.label("One sample, followed through one hidden unit with its numbers.").classes("explanation")
            with ui.element("div").classes("buttons"):
                self.unit = ui.number("Hidden unit", value=1, min=1, precision=0).props("dense outlined")
                self.label = ui.select(["odd"], label="Its label", value="odd", on_change=self.restart)
                self.label.props("dense outlined")
                self.label.classes("min-w-[7rem]")
                self.next = ui.button("Next", on_click=self._next).mark("next")
                ui.button("From the start", on_click=self.restart).props("flat")
            self.stages = ui.element("div").classes("w-full").props("aria-live=polite")
            self.old = ui.label(OLD_STAGES).classes("explanation").props("aria-live=polite")
            self.old.visible = False

    def begin(self, chosen: int = 0) -> None:
        """Offer the classes of a new network, and choose one."""
        names = self.session.network.class_names
        self.label.set_options(names, value=names[chosen])
        self.restart()

    def restart(self) -> None:
        """Remove the stages."""
        self.shown, self.next.enabled, self.old.visible = 0, True, False
        self.stages.clear()

    def look(self) -> None:
        """Say so if the network has moved on since the stages were computed."""
        if self.shown and self.followed[: len(self._network_now())] != self._network_now():
            self.next.enabled = self.old.visible = True

    def _network_now(self) -> tuple[object, ...]:
        session = self.session
        return session.version, session.steps, session.edits, session.experiment.learning_rate

    async def _next(self) -> None:
        if self.session.wants_to_run:  # its weights would be others at each stage
            await in_thread(self.session.rest)
        sample, network = self.sample(), self.session.network
        unit = self.unit.value if isinstance(self.unit.value, int | float) else 1
        unit = int(min(max(1, unit), network.experiment.hidden_units)) - 1
        followed = (*self._network_now(), sample.tobytes(), unit, self.label.value)
        if followed != self.followed:
            self.restart()
            self.followed = followed
        found = inspection.stages(network, sample, self._target(), self.session.experiment.learning_rate, unit)
        self.unit.value = unit + 1
        stage = found[self.shown]
        self.shown += 1
        self.next.enabled = self.shown < len(found)
        with self.stages, ui.element("div").classes("stage"):
            ui.label(stage.name).classes("font-semibold")
            Equation(stage.equation)
            ui.html(f"<code>{escape(stage.numbers)}</code>", sanitize=False)

    def _target(self) -> Array:
        """The target for the chosen label, (C, 1)."""
        names = self.session.network.class_names
        chosen = names.index(self.label.value) if self.label.value in names else 0
        if len(names) == 2:
            return np.array([[chosen]], np.float32)
        return np.eye(len(names), dtype=np.float32)[:, [chosen]]


class ConfusionMatrix:
    """The confusion matrix of a training; a click on a cell shows its images.

    Parameter: ``session``, the training.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.seen: tuple[int, ...] | None = None
        self.found: tuple[Confusion, Network] | None = None
        self.measuring = False
        with ui.expansion("Confusion matrix: what is mistaken for what").classes("w-full group") as self.box:
            self.summary = ui.label().classes("explanation").props("aria-live=polite")
            self.table = ui.html(sanitize=False).classes("scroll confusion")
            self.table.on("click", lambda event: self._open(event.args), js_handler=CELL_CLICKED)
        self.box.on_value_change(self.refresh)

    def forget(self) -> None:
        """Show nothing of a network that was replaced."""
        self.seen, self.found, self.summary.text, self.table.content = None, None, "", ""

    async def refresh(self) -> None:
        """Measure again if the panel is open and the network has changed."""
        now = (self.session.version, self.session.steps, self.session.edits)
        if not self.box.value or self.measuring or now == self.seen:
            return
        self.measuring, network = True, self.session.network
        try:
            found = await in_thread(inspection.confusion, network)
        finally:
            self.measuring = False
        if network is self.session.network:
            self.seen, self.found = now, (found, network)
            self._show(found, network)

    def _show(self, found: Confusion, network: Network) -> None:
        if network.has_diverged:
            self.summary.text, self.table.content = "No answers: the network has diverged", ""
            return
        of_digits = network.experiment.data == DIGITS
        text = f"Rows are the true classes, columns the predicted ones, for {len(found.truth):,} {found.of}. "
        text += f"Correct: {share(float(found.is_right(found.truth, found.predicted).mean()), 2)}."
        if of_digits:
            across, within = inspection.parity_mistakes(found.counts)
            text += (
                f" Of the mistakes, {across:,} are across parity (red) and {within:,} within it (blue): as an answer "
                f"to even or odd, the predicted digit is right in {share(1 - across / len(found.truth), 2)}."
            )
        images = network.experiment.has_images
        self.summary.text = text + (" Click a number to see its images." if images else "")
        last = "recall" if found.rows == found.columns else "right"
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in found.columns)
        rows = "".join(self._row(found, i, of_digits, images) for i in range(len(found.rows)))
        self.table.content = (
            '<table class="path"><caption class="sr-only">Confusion matrix</caption>'
            f'<tr><th scope="col">true</th>{head}<th scope="col">{last}</th></tr>{rows}</table>'
        )

    def _row(self, found: Confusion, i: int, of_digits: bool, images: bool) -> str:
        cells, correct = "", 0
        for j, count in enumerate(found.counts[i].tolist()):
            is_right = bool(found.is_right(i, j))
            correct += count if is_right else 0
            free = of_digits and i % 2 == j % 2
            kind = "right" if is_right else "" if not count else "free" if free else "cost"
            name = f"{count} of {found.rows[i]} predicted as {found.columns[j]}: show them"
            button = f'<button data-cell="{i},{j}" aria-label="{escape(name)}">{count:,}</button>'
            cells += f'<td class="{kind}">{button if count and images else f"{count:,}"}</td>'
        recall = share(correct / max(1, int(found.counts[i].sum())))
        return f'<tr><th scope="row">{escape(found.rows[i])}</th>{cells}<td>{recall}</td></tr>'

    def _open(self, cell: object) -> None:
        row, _, column = str(cell).partition(",")
        if self.found is None or not (row.isdecimal() and column.isdecimal()):
            return
        found, network = self.found
        if not network.experiment.has_images:
            return
        i, j = int(row), int(column)
        if i >= len(found.rows) or j >= len(found.columns) or not found.counts[i, j]:
            return
        chosen = found.cell(i, j, MOST_OF_A_CELL)
        X = inspection.tested(network)[:, chosen]
        with ui.dialog() as dialog, ui.card().classes("w-full"):
            ui.html(f"<h2>{escape(found.rows[i])}, predicted as {escape(found.columns[j])}</h2>", sanitize=False)
            some = f"The first {len(chosen)} of " if found.counts[i, j] > len(chosen) else ""
            count = int(found.counts[i, j])
            images = "image" if count == 1 else "images"
            ui.label(f"{some}{count:,} {images}. Below each is the probability of the predicted class.")
            captions = [(share(float(p), 0), f"probability {share(float(p))}") for p in found.sure[chosen]]
            grid = PixelGrid(f"{found.rows[i]} predicted as {found.columns[j]}", "60px")
            grid.begin_with(SIDE, inspection.as_bytes(X.T), captions)
            ui.button("Close", on_click=dialog.close).props("flat")
        dialog.open()
