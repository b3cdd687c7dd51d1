"""mlcvkit: the workbench around mlcvlab's mathematics.

Here, as everywhere in the Python data world, a sample is a row.
"""

import importlib.util


class InputError(ValueError):
    """What a user gave cannot be used; the message says what, where, and what to do."""


class MissingExtra(InputError, ImportError):
    """A library that an extra of this package brings is not installed; the message names the extra."""


def require(library: str, *, extra: str) -> None:
    """Raise MissingExtra unless a library can be imported."""
    if importlib.util.find_spec(library) is None:
        raise MissingExtra(f"this needs {library}, which is not installed: pip install 'mlcvlab[{extra}]'")
