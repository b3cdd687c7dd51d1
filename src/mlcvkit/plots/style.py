"""What the pictures have in common."""

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

TRAIN, VALIDATION = "#2f6fb3", "#d9822b"
COLOURS = (TRAIN, VALIDATION, "#3a9e5c", "#a04fb5", "#b8860b", "#c83c28", "#3aa6a6", "#7d7d7d", "#e377c2", "#5b5ea6")
INK = "#111213"
"""The colour of text and axes, which a page replaces by its own."""


def short(name: str, most: int = 14) -> str:
    """A name with its end left out, where it is long.

    Parameters
    ----------
    name
        The name.
    most
        The most characters.

    Returns
    -------
    str
        The name, or its beginning.
    """
    return name if len(name) <= most else f"{name[: most - 1]}…"


def tidy(axes: Axes) -> None:
    """Give axes a faint grid, and no frame at the top and the right.

    Parameters
    ----------
    axes
        The axes.
    """
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def logarithmic(axes: Axes, which: str) -> None:
    """Make an axis logarithmic, with plain numbers: a page does not read formulas.

    Parameters
    ----------
    axes
        The axes.
    which
        "x" or "y".
    """
    axes.set(**{f"{which}scale": "log"})
    axis = getattr(axes, f"{which}axis")
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_formatter(NullFormatter())


@contextmanager
def page_style() -> Iterator[None]:
    """Draw pictures for a page: no background, and text that stays text."""
    names = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "axes.titlecolor")
    style: dict[str, object] = dict.fromkeys(names, INK)
    style |= {"svg.fonttype": "none", "figure.facecolor": "none", "axes.facecolor": "none", "font.size": 10}
    style |= {"text.parse_math": False}  # a class may be called $10-$20
    style |= {"grid.color": "#8a8b8c", "savefig.facecolor": "none"}
    with mpl.rc_context(style):  # type: ignore[arg-type]
        yield
