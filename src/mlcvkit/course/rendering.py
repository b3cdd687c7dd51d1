"""The templates of the assignment, of feedback, and of the page on a class."""

import jinja2

TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("mlcvkit.course"),
    autoescape=jinja2.select_autoescape(),
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
