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
    """A student's text in a line of Markdown, where it is no HTML, link, picture, heading, list or block of code."""
    parts = re.split(r"(`[^`]*`)", text)
    for i in range(0, len(parts), 2):  # what stands between is code, which is shown as it is
        plain = re.sub(r"\\(?=[!-/:-@\[-`{-~])", r"\\\\", parts[i])
        parts[i] = re.sub(r"<(?=[A-Za-z/!?])|(?<=\])[(\[]", r"\\\g<0>", plain)
    return re.sub(r"^(?=[#>+*-]|```|~~~|\[[^\]]*\]:)|(?<=^\d)(?=[.)])", r"\\", "".join(parts))


TEMPLATES.filters["as_markdown"] = as_markdown
