"""A page of parts: one HTML file that needs nothing else, and each picture as a PNG beside it."""

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

from mlcvkit import storage
from mlcvkit.plots import INK, page_style

if TYPE_CHECKING:
    import jinja2


@dataclass(frozen=True)
class Table:
    """A table of text.

    Parameters
    ----------
    headings
        The headings of the columns.
    rows
        The rows.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Part:
    """A part of a report.

    Parameters
    ----------
    heading
        The heading.
    words
        What it says.
    name
        The name of the picture's file.
    figure
        The picture, or None.
    tables
        The tables below it.
    """

    heading: str
    words: str = ""
    name: str = ""
    figure: Figure | None = None
    tables: Sequence[Table] = field(default_factory=list)


def percent(share: float) -> str:
    """A share as a percentage.

    Parameters
    ----------
    share
        The share, from 0 to 1.

    Returns
    -------
    str
        The text.
    """
    return f"{share:.2%}"


def number(value: object) -> str:
    """A value as text that is easy to read.

    Parameters
    ----------
    value
        The value.

    Returns
    -------
    str
        The text.
    """
    if isinstance(value, list | tuple):
        return ", ".join(map(number, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write_report(folder: Path, title: str, lead: str, parts: Iterable[Part], stem: str = "report") -> Path:
    """Write a page and its pictures into a folder. Each file is complete, or not there.

    Parameters
    ----------
    folder
        The folder.
    title
        The title of the page.
    lead
        The sentence that leads in.
    parts
        The parts.
    stem
        The name of the page without its suffix, and the beginning of the names of the pictures.

    Returns
    -------
    Path
        The place of the page.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    with page_style():  # the pictures are made in the page's colours
        found = list(parts)
        pictures = {p.name: inline_svg(p.figure, p.name, p.heading) for p in found if p.figure is not None}
    for part in found:
        if part.figure is not None:
            content = io.BytesIO()
            part.figure.savefig(content, dpi=120, facecolor="white", format="png")
            storage.write_whole(folder / f"{stem}-{part.name}.png", content.getvalue())
    html = _template().render(title=title, lead=lead, parts=found, pictures=pictures)
    place = folder / f"{stem}.html"
    storage.write_whole(place, html.encode())
    return place


def inline_svg(figure: Figure, name: str, label: str) -> str:
    """A picture as an element of a page, in the page's colours.

    Parameters
    ----------
    figure
        The picture.
    name
        Its name, which the names of all that it refers to begin with.
    label
        What it shows, for screen readers.

    Returns
    -------
    str
        The element.
    """
    content = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    figure.set_layout_engine("none")  # it is laid out now, and is not again for the PNG
    svg = content.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns:\w+="[^"]*"| xmlns="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg).replace("url(#", f"url(#{name}-")
    svg = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', rf'<svg viewBox="\1" role="img" aria-label="{label}">', svg)
    # the page chooses the font's family
    return re.sub(r"font: ([^;\"']*?)px [^;\"]*", r"font-size: \1px", svg)


@cache
def _template() -> "jinja2.Template":
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("mlcvkit.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    ).get_template("report.html")
