"""The ``mlcvlab`` command: one function for each subcommand, imported when it is called."""

from mlcvkit.cli.app import main, run_and_end

__all__ = ["main", "run_and_end"]
