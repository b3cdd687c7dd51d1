"""``python -m mlcvkit`` is the ``mlcvlab`` command."""

from mlcvkit.cli import run_and_end

run_and_end()
