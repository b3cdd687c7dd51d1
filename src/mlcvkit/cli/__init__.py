"""The ``mlcvlab`` command: one thin function for each subcommand."""

from mlcvkit.cli import course, models, pages, training, tuning  # noqa: F401 (their commands are registered)
from mlcvkit.cli.app import main

__all__ = ["main"]
