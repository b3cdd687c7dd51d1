"""The ``mlcvlab`` command: one function for each subcommand, imported when it is called."""

from mlcvkit.cli.app import main

__all__ = ["main"]
