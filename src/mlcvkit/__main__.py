"""``python -m mlcvkit`` is the ``mlcvlab`` command."""

from mlcvkit.cli import main

main()
