"""Model files and run folders. Everything is written beside its place and then renamed: whole, or not at all."""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mlcvkit import InputError
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn.losses import LOSSES

Array = npt.NDArray[Any]

MODEL_FILE = "model.safetensors"
FORMAT = "mlcvlab NN2, version 1"


class SavedModel(NamedTuple):
    """A model with the configuration that made it and the history of its training."""

    model: NN2
    configuration: dict[str, Any]
    history: dict[str, list[float]]


def save_model(path: Path, model: NN2, configuration: Mapping[str, Any], history: Mapping[str, list[float]]) -> None:
    """Write a model as a safetensors file, with its configuration and history as JSON metadata.

    Raises: OSError where the file cannot be written.
    """
    W1, w2 = model.W
    metadata = {
        "format": FORMAT,
        "loss": model.loss,
        "configuration": json.dumps(dict(configuration)),
        "history": json.dumps(dict(history)),
    }
    write_arrays(path, {"W1": W1, "w2": w2}, metadata)


def load_model(run: Path) -> SavedModel:
    """Read what ``save_model`` wrote.

    Arguments: ``run``, a run folder or a model file.
    Raises: InputError where there is none, or it is truncated, or is not a model of ours; with the path.
    """
    path = run / MODEL_FILE if run.is_dir() else run
    if not path.is_file():
        raise InputError(f"{path} does not exist; give a folder that 'mlcvlab train' wrote, or its {MODEL_FILE}")
    tensors, metadata = read_arrays(path, FORMAT)
    if metadata.get("loss") not in LOSSES or set(tensors) != {"W1", "w2"}:
        raise InputError(f"{path} is damaged: it needs a loss and the arrays W1 and w2")
    W1, w2 = tensors["W1"], tensors["w2"]
    if W1.ndim != 2 or w2.shape != (len(W1), 1) or W1.dtype.kind != "f" or w2.dtype.kind != "f":
        raise InputError(f"{path} is damaged: W1 {W1.shape} and w2 {w2.shape} do not fit each other")
    try:
        configuration, history = json.loads(metadata["configuration"]), json.loads(metadata["history"])
    except (KeyError, json.JSONDecodeError):
        raise InputError(f"{path} is damaged: its configuration or history cannot be read") from None
    model = NN2(loss=metadata["loss"])
    model.W = [W1, w2]
    return SavedModel(model, configuration, history)


def write_arrays(path: Path, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Write arrays by name as a safetensors file, with text as metadata and a checksum over all of it.

    Raises: OSError where the file cannot be written; what was there before is then still there.
    """
    # safetensors stores an array's buffer as it lies in memory
    tensors = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    beside = path.with_name(f".{path.name}.partial")
    try:
        save_file(tensors, beside, {**metadata, "sha256": _checksum(tensors, metadata)})
        beside.replace(path)
    except SafetensorError as error:
        raise OSError(f"{path} cannot be written: {_one_line(error)}") from None
    finally:
        beside.unlink(missing_ok=True)


def read_arrays(path: Path, file_format: str) -> tuple[dict[str, Array], dict[str, str]]:
    """Read what ``write_arrays`` wrote, with the metadata "format" that is wanted: arrays by name, and the metadata.

    Raises: InputError where the file is truncated, damaged, or of another format; with the path.
    """
    try:
        with safe_open(path, framework="numpy") as file:  # type: ignore[no-untyped-call]
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is truncated or not a model file: {_one_line(error)}") from None
    found = metadata.get("format")
    if found != file_format:
        raise InputError(f"{path} is not what is wanted here: its format is {found!r}, not {file_format!r}")
    if metadata.pop("sha256", None) != _checksum(tensors, metadata):
        raise InputError(f"{path} is damaged: its content does not have its checksum")
    return tensors, metadata


def _checksum(arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> str:
    content = hashlib.sha256(json.dumps(dict(metadata), sort_keys=True).encode())
    for name in sorted(arrays):
        content.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        content.update(arrays[name].tobytes())
    return content.hexdigest()


@contextmanager
def new_run(root: Path, name: str | None) -> Iterator[tuple[Path, Path]]:
    """A new run folder that appears whole, when the block ends, or not at all.

    Arguments: ``root``, the folder of runs, made if it is missing; ``name`` of the run, the time where None.
    Yields: the folder to write to, and the place where it will be afterwards.
    Raises: InputError where the name is taken or not a name, or the folder cannot be written.
    """
    target = free_folder(root, name)
    missing = _missing(root)
    beside: Path | None = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{name}.partial-", dir=root))
    except OSError as error:
        _remove_empty(missing)
        raise InputError(f"the output folder {root} cannot be written: {error.strerror}") from None
    try:
        yield beside, target
        beside.chmod(0o755)
        beside.rename(target)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        _remove_empty(missing)
        raise


@contextmanager
def open_run(folder: Path) -> Iterator[tuple[Path, Path]]:
    """A run folder that is there from the start, for checkpoints; results appear in it when the block ends.

    Yields: the folder to write results to, and ``folder``.
    Raises: InputError where the folder cannot be written.
    """
    missing = _missing(folder)
    beside = folder / ".partial"
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
    except OSError as error:
        _remove_empty(missing)
        raise InputError(f"the run's folder {folder} cannot be written: {error.strerror}") from None
    try:
        yield beside, folder
        for path in sorted(beside.iterdir()):
            path.replace(folder / path.name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        _remove_empty(missing)


def free_folder(root: Path, name: str | None) -> Path:
    """The place of a new run, named after the time where ``name`` is None; InputError where it is taken.

    What a run left that was killed before its first checkpoint takes no name.
    """
    name = name or datetime.now().strftime("%Y-%m-%d-%H%M%S")
    if not re.fullmatch(r"[\w][\w.-]*", name):
        raise InputError(f"a run's name has letters, digits, '-', '_' and '.', and no '/'; got {name!r}")
    target = root / name
    if target.is_dir() and all(path.match(".*partial") for path in target.iterdir()):
        shutil.rmtree(target)
    if target.exists():
        raise InputError(f"{target} exists already; choose another --name, or remove it")
    return target


def _missing(folder: Path) -> list[Path]:
    return [place for place in (folder, *folder.parents) if not place.exists()]


def _remove_empty(folders: list[Path]) -> None:
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _one_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
