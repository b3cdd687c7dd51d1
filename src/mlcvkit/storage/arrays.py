"""Arrays and text in one safetensors file with a checksum. It is written beside its place and then renamed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from mlcvkit.arrays import Values
from mlcvkit.errors import InputError, first_line
from mlcvkit.files import replace_file
from mlcvlab.nn import Array


def write_arrays(path: Path, arrays: Mapping[str, Values], metadata: Mapping[str, str]) -> None:
    """Write arrays as a safetensors file, with text as metadata and a checksum over all of it.

    Parameters
    ----------
    path
        The file.
    arrays
        The arrays by name.
    metadata
        The text by name.

    Raises
    ------
    OSError
        If the file cannot be written; what was there before is then still there.
    """
    # safetensors stores an array's buffer as it lies in memory
    tensors = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    content = save(tensors, {**metadata, "sha256": _checksum(tensors, metadata)})
    try:
        replace_file(path, content)
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror or error}") from None


def read_arrays(path: Path, *formats: str) -> tuple[dict[str, Array], dict[str, str]]:
    """Read what ``write_arrays`` wrote.

    Parameters
    ----------
    path
        The file.
    *formats
        The values of the metadata "format" that are accepted.

    Returns
    -------
    tuple[dict[str, Array], dict[str, str]]
        The arrays and the metadata, each by name.

    Raises
    ------
    InputError
        If the file is truncated, damaged, or of another format; with the path.
    """
    try:
        with safe_open(path, framework="numpy") as file:  # type: ignore[no-untyped-call]
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is truncated or not a model file: {first_line(error)}") from None
    found = metadata.get("format")
    if found not in formats:
        raise InputError(f"{path} is not what is wanted here: its format is {found!r}, not {formats[-1]!r}")
    if metadata.pop("sha256", None) != _checksum(tensors, metadata):
        raise InputError(f"{path} is damaged: its content does not have its checksum")
    return tensors, metadata


def _checksum(arrays: Mapping[str, Values], metadata: Mapping[str, str]) -> str:
    content = hashlib.sha256(json.dumps(dict(metadata), sort_keys=True).encode())
    for name in sorted(arrays):
        content.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        content.update(arrays[name].tobytes())
    return content.hexdigest()
