"""Model files and run folders. Everything is written beside its place and then renamed: whole, or not at all."""

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
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mlcvkit import InputError
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn.losses import LOSSES

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
    # safetensors stores an array's buffer as it lies in memory
    tensors = {"W1": np.ascontiguousarray(W1), "w2": np.ascontiguousarray(w2)}
    metadata = {
        "format": FORMAT,
        "loss": model.loss,
        "configuration": json.dumps(dict(configuration)),
        "history": json.dumps(dict(history)),
    }
    beside = path.with_name(f".{path.name}.partial")
    try:
        save_file(tensors, beside, metadata)
        beside.replace(path)
    except SafetensorError as error:
        raise OSError(f"{path} cannot be written: {_one_line(error)}") from None
    finally:
        beside.unlink(missing_ok=True)


def load_model(run: Path) -> SavedModel:
    """Read what ``save_model`` wrote.

    Arguments: ``run``, a run folder or a model file.
    Raises: InputError where there is none, or it is truncated, or is not a model of ours; with the path.
    """
    path = run / MODEL_FILE if run.is_dir() else run
    if not path.is_file():
        raise InputError(f"{path} does not exist; give a folder that 'mlcvlab train' wrote, or its {MODEL_FILE}")
    try:
        with safe_open(path, framework="numpy") as file:  # type: ignore[no-untyped-call]
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is truncated or not a model file: {_one_line(error)}") from None
    if metadata.get("format") != FORMAT:
        raise InputError(f"{path} is not a model of mlcvlab: its format is {metadata.get('format')!r}, not {FORMAT!r}")
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


@contextmanager
def new_run(root: Path, name: str | None) -> Iterator[tuple[Path, Path]]:
    """A new run folder that appears whole, when the block ends, or not at all.

    Arguments: ``root``, the folder of runs, made if it is missing; ``name`` of the run, the time where None.
    Yields: the folder to write to, and the place where it will be afterwards.
    Raises: InputError where the name is taken or not a name, or the folder cannot be written.
    """
    name = name or datetime.now().strftime("%Y-%m-%d-%H%M%S")
    if not re.fullmatch(r"[\w][\w.-]*", name):
        raise InputError(f"a run's name has letters, digits, '-', '_' and '.', and no '/'; got {name!r}")
    target = root / name
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    if target.exists():
        raise InputError(f"{target} exists already; choose another --name, or remove it")
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


def _remove_empty(folders: list[Path]) -> None:
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _one_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
