"""The site: pages in Markdown, of which some run the code that they show."""

import re
import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "mlcvlab"
author = "The mlcvlab authors"
release = metadata.version("mlcvlab")
extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_design",
    "mathml",
    "command",
]
exclude_patterns = ["_ext"]
html_theme = "pydata_sphinx_theme"
html_title = "mlcvlab"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "navbar_align": "left",
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": [],
    "footer_end": [],
    "show_toc_level": 2,
}
html_show_sourcelink = False
html_copy_source = False
html_math_renderer = "mathml"
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(Path(__file__).parents[1] / "build" / "executed")
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
suppress_warnings = ["ref.ref"]  # in docstrings that come from scikit-learn


def _without_links_out(app: object, name: str, source: list[str]) -> None:
    """Turn links to files beside the pages, which the site does not have, into their words."""
    source[0] = re.sub(r"\[([^\]]*)\]\(\.\./[^)]*\)", r"\1", source[0])


SECTION = re.compile(r"-{3,}$")


def _equations(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Keep the lines of a docstring's equations apart: an indented block before its sections is shown as it is."""
    end = next((i - 1 for i, line in enumerate(lines) if SECTION.match(line.strip())), len(lines))
    for i in reversed(range(1, end)):
        begins = lines[i].startswith("    ") and not lines[i - 1].strip()
        above = next((line for line in reversed(lines[:i]) if line.strip()), "")
        if begins and not above.startswith("    "):
            lines[i:i] = ["::", ""]


def setup(app: object) -> None:
    """Register what is done to each page as it is read."""
    app.connect("source-read", _without_links_out)  # type: ignore[attr-defined]
    app.connect("autodoc-process-docstring", _equations, priority=100)  # type: ignore[attr-defined]
