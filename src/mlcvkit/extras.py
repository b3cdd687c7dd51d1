"""The extras of this package, each with the libraries that it brings and that are looked for before they are used."""

import importlib.util

from mlcvkit.errors import MissingExtra

EXTRAS = {
    "fast": ("numba",),
    "tables": ("polars", "pyarrow"),
    "sklearn": ("sklearn",),
    "onnx": ("onnx",),
    "cluster": ("distributed", "fsspec", "cryptography"),
    "course": ("IPython", "jinja2", "libcst", "nbformat", "psutil"),
    "tune": ("optuna", "filelock", "scipy"),
    "report": ("jinja2", "sklearn"),
    "play": ("nicegui", "latex2mathml"),
}


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
