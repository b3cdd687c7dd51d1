"""The templates of the assignment, of feedback, and of the page on a class."""

import re

import jinja2

TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("mlcvkit.course"),
    autoescape=jinja2.select_autoescape(),
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def as_markdown(text: str) -> str:
    """A text of a student's in a line of Markdown, where it is no HTML, link, picture or heading."""
    text = re.sub(r"<(?=[A-Za-z/!?])", r"\\<", text).replace("](", "]\\(")
    return re.sub(r"^(?=[#>+*-])", r"\\", text)


TEMPLATES.filters["as_markdown"] = as_markdown
