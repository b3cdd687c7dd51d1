"""The plane of two numbers: what the network answers over it, and points that are painted on it."""

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui

from mlcvkit.playground import inspection
from mlcvkit.playground.experiments import PAINTED
from mlcvkit.playground.networks import Network
from mlcvkit.playground.points import COLOURS, MOST_POINTS, painted, problem_with, with_more
from mlcvkit.playground.sessions import Session
from mlcvkit.playground.widgets import PixelGrid
from mlcvlab.nn import Array

MARKED = 2
"""The mark of the point that is the sample."""
CAPTION = "Each place has the colour of its predicted class; dots are samples, with a dark rim if held out"


PAINTED_TOO = " Painted points were added."


class Plane:
    """The picture of the plane, with what one paints with.

    Parameters: ``session``, the training; ``change``, which changes a setting; ``lacks``, called with what the
    painted points lack for a training, or ""; ``message``, the label about data from a file.
    """

    def __init__(
        self,
        session: Session,
        change: Callable[[str, Any], Awaitable[None]],
        lacks: Callable[[str], None],
        message: ui.label,
    ) -> None:
        self.session, self.change, self.lacks, self.message = session, change, lacks, message
        self.points = self.trained_points = ""
        """The painted points, which may still be too few for a training, and those of the training."""
        self.shown_points: list[list[float]] = []
        with ui.element("div").classes("w-full") as self.box:
            ui.html("<h2>What it answers over the plane</h2>", sanitize=False)
            self.surface = PixelGrid("What the network answers over the plane", "240px")
            self.surface.on("painted", lambda event: self._painted(event.args))
            with ui.element("div").classes("buttons"):
                self.paint = ui.toggle(dict(enumerate(COLOURS)), value=0, on_change=self._choose_paint)
                self.paint.props('dense no-caps unelevated aria-label="Colour to paint"').mark("paint")
                self.wipe = ui.button("Wipe the points", on_click=self._wipe).props("flat dense").mark("wipe")
                self.own = ui.button("Paint your own points", on_click=lambda: change("data", PAINTED))
                self.own.props("flat dense").mark("own")
            self.lacking = ui.label().classes("explanation").props("aria-live=polite")

    def begin(self, network: Network) -> None:
        """Show the points of a new network, or nothing if its data are images."""
        images, is_painted = network.experiment.has_images, network.experiment.data == PAINTED
        self.box.visible = not images
        self.shown_points = [] if images else inspection.points_on_plane(network)
        self.paint.visible = self.wipe.visible = self.lacking.visible = is_painted
        self.own.visible = not is_painted
        if network.experiment.points != self.trained_points or not is_painted:
            self.points = self.trained_points = network.experiment.points
        self._say_what_is_lacking()
        self._choose_paint()

    def show(self, network: Network, sample: Array | None) -> None:
        """Show what a network answers, and where the sample lies."""
        points = list(self.shown_points)
        if sample is not None and len(sample) == 2:
            across, down = inspection.place_on_plane(network, sample)
            points.append([round(float(across[0]), 3), round(float(down[0]), 3), 0, MARKED])
        pictures, classes = inspection.surface(network)[None], inspection.colours_of(network) != [0, 1]
        self.surface.show(inspection.GRID, pictures, [("", CAPTION)], points=points, classes=classes)

    def _choose_paint(self) -> None:
        self.surface.paint_with(self.paint.value if self.session.experiment.data == PAINTED else None)

    async def _wipe(self) -> None:
        self.points = self.message.text = ""
        await self._show_painted()

    async def _painted(self, places: Any) -> None:
        """Add painted points, (x, y) from 0 to 1 from the left and the top."""
        if self.session.experiment.data != PAINTED or not isinstance(places, list):
            return
        more = ""
        for place in places[:MOST_POINTS]:
            if isinstance(place, list) and len(place) == 2 and all(isinstance(at, int | float) for at in place):
                x, y = (round(255 * min(1, max(0, at))) for at in place)
                more += f"{x:02x}{y:02x}{self.paint.value}"
        if len(painted(self.points)[0]) + len(more) // 5 > MOST_POINTS:
            ui.notify(f"There can be {MOST_POINTS} points at most: the others are left out")
        self.points = with_more(self.points, more)
        if self.message.text and not self.message.text.endswith(PAINTED_TOO):
            self.message.text += PAINTED_TOO
        await self._show_painted()

    async def _show_painted(self) -> None:
        """Train on the painted points if they are enough; otherwise say what they lack."""
        self._say_what_is_lacking()
        if not problem_with(self.points):
            await self.change("points", self.points)

    def _say_what_is_lacking(self) -> None:
        problem = problem_with(self.points) if self.session.experiment.data == PAINTED else ""
        self.lacking.text = problem
        self.lacks(problem)
        if problem:
            self.shown_points = [
                [x / 2 + 0.5, 0.5 - y / 2, int(c), 0] for (x, y), c in zip(*painted(self.points), strict=True)
            ]
