"""Parts of the pages: the drawing pad, grids of small pictures, charts."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from nicegui import ui

from mlcvkit.datasets import SIDE
from mlcvkit.playground.sessions import Point, as_series

COLOURS = ("#2f6fb3", "#d9822b", "#3a9e5c", "#a04fb5", "#b8860b", "#c83c28")
GREY = "#767676"


class DrawingPad(ui.element, component="components/drawing_pad.js"):
    """A canvas of 28 x 28 cells; ``drawn(pixels)`` is told of every change, with (28, 28) grey values."""

    def __init__(self, drawn: Callable[[npt.NDArray[np.uint8]], Any]) -> None:
        super().__init__()
        self.on("drawn", lambda event: self._told(event.args, drawn))

    def show(self, pixels: npt.NDArray[np.uint8]) -> None:
        """Put an image of 28 x 28 grey values on the pad."""
        self.run_method("show", base64.b64encode(pixels.tobytes()).decode())

    def clear_pad(self) -> None:
        """Wipe the pad."""
        self.run_method("clear")

    def _told(self, encoded: Any, drawn: Callable[[npt.NDArray[np.uint8]], Any]) -> Any:
        if isinstance(encoded, str) and len(encoded) < 2000:
            try:
                content = base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                return None
            if len(content) == SIDE * SIDE:
                return drawn(np.frombuffer(content, np.uint8).reshape(SIDE, SIDE))
        return None


class PixelGrid(ui.element, component="components/pixel_grid.js"):
    """Small square pictures with captions, a short one to see and one to hear."""

    def __init__(self, label: str, tile: str) -> None:
        super().__init__()
        self._props["label"], self._props["tile"] = label, tile
        self.sent: tuple[Any, ...] | None = None

    def show(
        self,
        side: int,
        pictures: npt.NDArray[np.int8],
        captions: Sequence[tuple[str, str]],
        marks: Sequence[float] = (),
        points: Sequence[Sequence[float]] = (),
    ) -> None:
        """Show pictures, (n, side · side), of -127 to 127; ``marks`` from 0 to 1 frame some of them."""
        content = pictures.tobytes()
        marks = [round(float(mark), 2) for mark in marks] or [0.0] * len(captions)
        if (content, captions, marks, points) == self.sent:
            return
        self.sent = (content, captions, marks, points)
        self.run_method("show", side, base64.b64encode(content).decode(), captions, marks, points)


class Curves:
    """A chart of one quantity against another: a run's training and validation, or one line for each of several."""

    def __init__(self, title: str, x: str, unit: str, **axis: Any) -> None:
        self.x = x
        text = {"color": GREY}
        self.chart = ui.echart({
            "animation": False,
            "aria": {"enabled": True},
            "title": {"text": title, "textStyle": {"fontSize": 14, "fontWeight": 600, **text}, "left": 0, "top": 0},
            "grid": {"left": 54, "right": 14, "top": 58, "bottom": 42},
            "legend": {"type": "scroll", "left": 0, "top": 22, "textStyle": text, "itemWidth": 18, "itemHeight": 8},
            "tooltip": {"trigger": "axis"},
            "xAxis": {"type": "value", "name": unit, "nameLocation": "middle", "nameGap": 24, "axisLabel": text,
                      "nameTextStyle": text, "splitLine": {"show": False}, "min": 0},
            "yAxis": {"type": "value", "scale": True, "axisLabel": text,
                      "splitLine": {"lineStyle": {"color": "#88888833"}}, **axis},
            "series": [],
        }).classes("chart")  # fmt: skip
        self.chart.props("role=img").props(f'aria-label="{title}"')
        self.sent: Any = None

    def show(self, lines: Sequence[tuple[str, tuple[Point, ...], str, str, str]]) -> None:
        """Lines, each a name, a curve, the quantity, the colour, and "solid" or "dashed"."""
        key = [(name, len(curve), curve[-1:], colour, dash) for name, curve, _, colour, dash in lines]
        if key == self.sent:
            return
        self.sent = key
        series = [
            {
                "name": name,
                "type": "line",
                "showSymbol": len(curve) == 1,
                "symbolSize": 5,
                "data": as_series(curve, self.x, quantity),
                "lineStyle": {"width": 2, "type": dash},
                "color": colour,
            }
            for name, curve, quantity, colour, dash in lines
        ]
        # two arguments of the chart's own method: the options, and what is replaced and not merged
        self.chart.run_chart_method("setOption", {"series": series}, {"replaceMerge": ["series"]})
