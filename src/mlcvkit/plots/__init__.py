"""Pictures of arrays. No screen is needed."""

from mlcvkit.plots import predictions, studies
from mlcvkit.plots.networks import LayerStatistics, hidden_units, layers, surface
from mlcvkit.plots.style import INK, page_style, short, tidy
from mlcvkit.plots.training import curves, curves_of_seeds

__all__ = [
    "INK",
    "LayerStatistics",
    "curves",
    "curves_of_seeds",
    "hidden_units",
    "layers",
    "page_style",
    "predictions",
    "short",
    "studies",
    "surface",
    "tidy",
]
