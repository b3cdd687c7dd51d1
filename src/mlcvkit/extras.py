"""The version of this package, and its extras with the libraries that they bring, looked for before they are used."""

import importlib.util

from mlcvkit.errors import MissingExtra

EXTRAS = {
    "fast": ("numba",),
    "tables": ("polars", "pyarrow"),
    "sklearn": ("sklearn",),
    "onnx": ("onnx",),
    "cluster": ("distributed", "fsspec", "cryptography"),
    "course": ("IPython", "jinja2", "nbformat", "psutil"),
    "tune": ("optuna", "filelock", "scipy"),
    "report": ("jinja2", "sklearn"),
    "play": ("nicegui", "latex2mathml"),
}


def own_version() -> str:
    """The version of this package; what looks it up takes 15 ms to import, so only who asks pays them."""
    from importlib.metadata import version

    return version("mlcvlab")


def require(extra: str) -> None:
    """Make sure that the libraries of an extra can be imported.

    Parameters
    ----------
    extra
        A name in ``EXTRAS``.

    Raises
    ------
    MissingExtra
        If one cannot be imported, with the extra that brings it.
    """
    for library in EXTRAS[extra]:
        if importlib.util.find_spec(library) is None:
            raise MissingExtra(f"this needs {library}, which is not installed: pip install 'mlcvlab[{extra}]'")
