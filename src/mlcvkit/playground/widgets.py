"""Widgets of the pages: the drawing pad, grids of small pictures, equations, charts, a place for files."""

import base64
import binascii
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from latex2mathml.converter import convert
from nicegui import ui

from mlcvkit.datasets import SIDE
from mlcvkit.playground.sessions import Point, as_series
from mlcvkit.playground.uploads import MOST_BYTES

COLOURS = ("#2f6fb3", "#d9822b", "#3a9e5c", "#a04fb5", "#b8860b", "#c83c28", "#3aa6a6")
GREY = "#767676"


AXES = {"epochs": "epochs", "steps": "steps", "seconds": "seconds computed"}
"""The quantities of the horizontal axis of a chart."""


class Line(NamedTuple):
    """A line of a chart: one quantity of a curve; ``dash`` is "solid" or "dashed".

    ``marks`` are points of the curve, each with a description of what happened there.
    """

    name: str
    curve: tuple[Point, ...]
    quantity: str
    colour: str
    dash: str = "solid"
    marks: tuple[tuple[Point, str], ...] = ()


def share(value: float, places: int = 1) -> str:
    """A share in per cent. Less than 1 is never shown as 100 %."""
    text = f"{value:.{places}%}"
    if value < 1 and text == f"{1:.{places}%}":
        return f"over {1 - 10.0 ** -(places + 2):.{places}%}"
    return text


def signed(value: float, places: int = 3) -> str:
    """A number with its sign; 0 has none."""
    text = f"{value:+.{places}f}"
    return text[1:] if float(text) == 0 else text


class DrawingPad(ui.element, component="components/drawing_pad.js"):
    """A canvas of 28 x 28 cells; every change calls ``drawn`` with the grey values, (28, 28)."""

    def __init__(self, drawn: Callable[[npt.NDArray[np.uint8]], Any]) -> None:
        super().__init__()
        self.on("drawn", lambda event: self._received(event.args, drawn))

    def show(self, pixels: npt.NDArray[np.uint8]) -> None:
        """Put an image of 28 x 28 grey values on the pad."""
        self.run_method("show", base64.b64encode(pixels.tobytes()).decode())

    def clear_pad(self) -> None:
        """Clear the pad."""
        self.run_method("clear")

    def _received(self, encoded: Any, drawn: Callable[[npt.NDArray[np.uint8]], Any]) -> Any:
        if isinstance(encoded, str) and len(encoded) < 2000:
            try:
                content = base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                return None
            if len(content) == SIDE * SIDE:
                return drawn(np.frombuffer(content, np.uint8).reshape(SIDE, SIDE))
        return None


class Equation(ui.html):
    """An equation in TeX, shown as MathML, which browsers typeset and screen readers read."""

    def __init__(self, tex: str) -> None:
        super().__init__(_mathml(tex), sanitize=False)
        self.classes("equation")

    def show(self, tex: str) -> None:
        """Show another equation."""
        self.content = _mathml(tex)


@lru_cache(maxsize=256)
def _mathml(tex: str) -> str:
    return convert(tex) if tex else ""


class PixelGrid(ui.element, component="components/pixel_grid.js"):
    """Small square pictures, each with a short caption to see and a longer one for screen readers."""

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
        *,
        classes: bool = False,
    ) -> None:
        """Show pictures, (n, side · side), of -127 to 127; ``marks`` from 0 to 1 are the strengths of their frames.

        With ``classes`` the numbers code other classes than 0 and 1, as in ``inspection.surface``.
        """
        content = pictures.tobytes()
        marks = [round(float(mark), 2) for mark in marks] or [0.0] * len(captions)
        if (content, captions, marks, points, classes) == self.sent:
            return
        self.sent = (content, captions, marks, points, classes)
        self.run_method("show", side, base64.b64encode(content).decode(), captions, marks, points, classes)

    def paint_with(self, kind: int | None) -> None:
        """Let a visitor paint points of a class on the picture; None ends that."""
        self._props["paint"] = kind
        self.update()

    def begin_with(self, side: int, pictures: npt.NDArray[np.int8], captions: Sequence[tuple[str, str]]) -> None:
        """Set the pictures of a grid that the page does not show yet."""
        self._props["first"] = [side, base64.b64encode(pictures.tobytes()).decode(), list(captions), [], []]


class LiveText(ui.element, component="components/live_text.js"):
    """Text, or HTML of our own, that changes often: its changes do not render the page again."""

    def __init__(self, *, html: bool = False) -> None:
        super().__init__()
        self.text = ""
        self.is_alive = False
        self._props["first"], self._props["html"] = "", html
        self.on("alive", self._alive)

    def show(self, text: str) -> None:
        """Show another text."""
        if text == self.text:
            return
        self.text = text
        if self.is_alive:
            self.run_method("show", text)
        else:
            self._props["first"] = text
            self.update()

    def _alive(self) -> None:
        self.is_alive = True
        self.run_method("show", self.text)


class FileDrop(ui.element, component="components/file_drop.js"):
    """A place to drop files or a folder on; ``brought`` is called with what the server made of them."""

    def __init__(self, brought: Callable[[Any], Any]) -> None:
        super().__init__()
        self._props["most"] = MOST_BYTES
        self.on("brought", lambda event: brought(event.args))


LEGEND_TOP, LEGEND_ROW, LEGEND_WIDTH = 40, 18, 330
"""Where the curves begin without a legend, the height of its rows, and the width that it has everywhere, in pixels."""
MARK_WIDTH = 110
"""The pixels along a curve's mark that its words may take: they stand upright in the chart."""


def _legend_rows(names: Sequence[str]) -> int:
    """The rows that a legend of these names takes at most."""
    rows, left = 0, 0.0
    for name in names:
        width = min(LEGEND_WIDTH, 24 + 5.6 * len(name))
        rows, left = (rows, left - width) if width <= left else (rows + 1, LEGEND_WIDTH - width)
    return max(1, rows)


class Curves:
    """A chart of one quantity during one or several trainings.

    Parameters: ``title``; ``share``, whether the quantity is a share, whose logarithmic axis shows 1 minus it.
    """

    def __init__(self, title: str, *, share: bool = False) -> None:
        self.title, self.share = title, share
        text = {"color": GREY}
        self.chart = ui.echart({
            "animation": False,
            "aria": {"enabled": True},
            "title": {"text": title, "textStyle": {"fontSize": 14, "fontWeight": 600, **text}, "left": 0, "top": 0},
            "grid": {"left": 54, "right": 14, "top": LEGEND_TOP + LEGEND_ROW, "bottom": 42},
            "legend": {"left": 0, "top": LEGEND_TOP - 14, "itemWidth": 12, "itemHeight": 8, "itemGap": 6,
                       "textStyle": {"fontSize": 10.5, "width": LEGEND_WIDTH - 20, "overflow": "truncate", **text}},
            "tooltip": {"trigger": "axis"},
            "xAxis": {"type": "value", "nameLocation": "middle", "nameGap": 24, "axisLabel": text,
                      "nameTextStyle": text, "splitLine": {"show": False}, "min": 0},
            "yAxis": self._y_axis(logarithmic=False),
            "series": [],
        }).classes("chart")  # fmt: skip
        self.chart.props("role=img").props(f'aria-label="{title}"')
        self.sent: Any = None
        self.shown = False
        self.legend_rows = 1

    def show(self, lines: Sequence[Line], x: str = "epochs", *, logarithmic: bool = False) -> None:
        """Show lines against "epochs", "steps" or "seconds"."""
        key = (x, logarithmic, [(line.name, len(line.curve), line.curve[-1:], line.dash, line.marks) for line in lines])
        if key == self.sent:
            return
        self.sent = key
        series = [
            {
                "name": line.name,
                "type": "line",
                "showSymbol": len(line.curve) == 1,
                "symbolSize": 5,
                "data": self._points(line, x, logarithmic),
                "lineStyle": {"width": 2, "type": line.dash},
                "color": line.colour,
                "markLine": self._marks(line, x),
            }
            for line in lines
        ]
        rows = _legend_rows([line.name for line in lines])
        if rows != self.legend_rows:
            self.legend_rows = rows
            self.chart.style(f"--more: {(rows - 1) * LEGEND_ROW}px")
        at_start = all(len(line.curve) == 1 for line in lines)
        options = {
            "series": series,
            "grid": {"top": LEGEND_TOP + rows * LEGEND_ROW},
            "title": {"text": f"1 - {self.title.lower()}" if logarithmic and self.share else self.title},
            "xAxis": {"name": AXES[x], "max": 1 if at_start else None},
            "yAxis": self._y_axis(logarithmic),
        }
        if not self.shown:  # a chart that the page does not show yet takes no calls, so its options are set
            self.shown = True
            for name, value in options.items():
                current = self.chart.options.get(name)
                self.chart.options[name] = (
                    current | value if isinstance(current, dict) and isinstance(value, dict) else value
                )
            return
        # setOption takes the options, and which of them replace and do not merge
        self.chart.run_chart_method("setOption", options, {"replaceMerge": ["series", "yAxis"]})

    def _marks(self, line: Line, x: str) -> dict[str, Any]:
        at: dict[float, list[str]] = {}
        for point, text in line.marks:
            at.setdefault(round(getattr(point, x), 4), []).append(text)
        return {
            "symbol": "none",
            "animation": False,
            "lineStyle": {"color": line.colour, "type": "dotted"},
            "label": {
                "formatter": "{b}",
                "color": GREY,
                "fontSize": 9,
                "lineHeight": 12,
                "position": "insideEndTop",
                "width": MARK_WIDTH,
                "overflow": "break",
            },
            "data": [{"name": "\n".join(texts), "xAxis": place} for place, texts in at.items()],
        }

    def _points(self, line: Line, x: str, logarithmic: bool) -> list[list[float]]:
        points = as_series(line.curve, x, line.quantity)
        if not logarithmic:
            return points
        return [[at, round(1 - y, 9) if self.share else y] for at, y in points if (y < 1 if self.share else y > 0)]

    def _y_axis(self, logarithmic: bool) -> dict[str, Any]:
        limit = {"max": 1} if self.share and not logarithmic else {}
        lines, kind = {"lineStyle": {"color": "#88888833"}}, "log" if logarithmic else "value"
        return {"type": kind, "scale": True, "axisLabel": {"color": GREY}, "splitLine": lines, **limit}
