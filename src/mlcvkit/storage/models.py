"""Model files: weights, and as plain text what they are the weights of. Loading one runs no code from it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mlcvkit.arrays import PlainData
from mlcvkit.errors import InputError
from mlcvkit.extras import own_version
from mlcvkit.files import parse_json
from mlcvkit.models import MLP, NN1, Perceptron, architecture, as_mlp, predictions
from mlcvkit.storage.arrays import read_arrays, write_arrays
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn import Array

MODEL_FILE = "model.safetensors"
FORMAT_1 = "mlcvlab NN2, version 1"
FORMAT = "mlcvlab model, version 2"

MODELS: dict[str, type[NN2] | type[MLP]] = {"NN2": NN2, "NN1": NN1, "MLP": MLP, "Perceptron": Perceptron}
"""The kinds of models by their names in a file."""


@dataclass
class SavedModel:
    """A model with all that is stored beside its weights.

    Parameters
    ----------
    model
        The model.
    configuration
        The configuration of the run.
    history
        The measurements after each epoch, by name.
    estimator
        The classes or the scale of the target, and the parameters of the scikit-learn estimator.
    preprocessing
        The state of the encoder of raw rows.
    arrays
        The arrays of the encoder.
    provenance
        The versions, and the fingerprint of the data.
    """

    model: MLP | NN2
    configuration: PlainData = field(default_factory=dict)
    history: dict[str, list[float]] = field(default_factory=dict)
    estimator: PlainData = field(default_factory=dict)
    preprocessing: PlainData = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)
    provenance: PlainData = field(default_factory=dict)


_TEXTS = ("configuration", "history", "estimator", "preprocessing", "provenance")


def save_model(path: Path | str, saved: SavedModel) -> None:
    """Write a model as a safetensors file, with all that is not an array as JSON metadata.

    A custom loss is not saved; the default loss is recorded instead, which predicts the same.

    Parameters
    ----------
    path
        The file.
    saved
        The model with all that is stored beside its weights.

    Raises
    ------
    OSError
        If the file cannot be written.

    See Also
    --------
    load_model : Reads it.
    """
    kind = type(saved.model).__name__
    made_of = architecture(saved.model)
    if not isinstance(made_of.get("loss", ""), str):
        made_of["loss"] = None
    texts = {name: getattr(saved, name) for name in _TEXTS}
    texts["provenance"] = {"mlcvlab": own_version(), "numpy": np.__version__} | saved.provenance
    metadata = {"format": FORMAT, "kind": kind, "architecture": json.dumps(made_of, default=_plain)}
    tensors = {f"W.{i}": w for i, w in enumerate(saved.model.W)}
    tensors |= {f"preprocessing.{name}": array for name, array in saved.arrays.items()}
    write_arrays(
        Path(path), tensors, metadata | {name: json.dumps(text, default=_plain) for name, text in texts.items()}
    )


def _plain(value: object) -> object:
    """One of NumPy's numbers as JSON has it."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} cannot be saved")


def model_file(run: Path | str) -> Path:
    """The model file of a run.

    Parameters
    ----------
    run
        The folder of a run, or a model file.

    Returns
    -------
    Path
        The file.
    """
    run = Path(run)
    return run / MODEL_FILE if run.is_dir() else run


def load_model(run: Path | str) -> SavedModel:
    """Read what ``save_model`` wrote, now or in an earlier version.

    Parameters
    ----------
    run
        The folder of a run, or a model file.

    Returns
    -------
    SavedModel
        The model with all that was stored beside its weights.

    Raises
    ------
    InputError
        If there is none, or it is truncated, or is not a model of ours; with the path.

    See Also
    --------
    save_model : Writes it.
    load : The predictor in it.
    """
    run, path = Path(run), model_file(run)
    if not path.is_file():
        inside = sorted(path.parent.glob(f"*/{MODEL_FILE}")) if run.is_dir() else []
        if inside:
            names = ", ".join(str(one.parent) for one in inside[:5])
            raise InputError(f"{run} holds several runs: give one of them, {names}")
        raise InputError(f"{path} does not exist; give a folder that 'mlcvlab train' wrote, or its {MODEL_FILE}")
    tensors, metadata = read_arrays(path, FORMAT_1, FORMAT)
    if metadata["format"] == FORMAT_1:
        tensors, metadata = _from_version_1(tensors, metadata)
    try:
        texts = {name: _table(parse_json(metadata.get(name, "{}")), name) for name in _TEXTS}
        _require_measurements(texts["history"])
        model = MODELS[metadata["kind"]](**_table(parse_json(metadata["architecture"]), "architecture"))
        weights = [tensors.pop(f"W.{i}") for i in range(sum(name.startswith("W.") for name in tensors))]
        model.W = weights
        _require_fit(model, weights)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise InputError(f"{path} is damaged: {error}") from None
    arrays = {name.removeprefix("preprocessing."): array for name, array in tensors.items()}
    return SavedModel(model, arrays=arrays, **texts)


def _table(value: object, name: str) -> PlainData:
    if not isinstance(value, dict):
        raise ValueError(f"its {name} is {type(value).__name__}, not names and values")
    return value


def _require_measurements(history: PlainData) -> None:
    for name, values in history.items():
        if not isinstance(values, list) or not all(isinstance(value, int | float) for value in values):
            raise ValueError(f"the measurements {name} of its training are not numbers")


def _from_version_1(tensors: dict[str, Array], metadata: Mapping[str, str]) -> tuple[dict[str, Array], dict[str, str]]:
    """The first version knew NN2 alone: the arrays W1 and w2, and the loss as text."""
    renamed = {{"W1": "W.0", "w2": "W.1"}.get(name, name): array for name, array in tensors.items()}
    architecture = json.dumps({"loss": metadata.get("loss")})
    return renamed, {**metadata, "kind": "NN2", "architecture": architecture}


def _require_fit(model: MLP | NN2, weights: list[Array]) -> None:
    """Let the model itself look at its weights, with one sample."""
    if any(w.dtype.kind != "f" or w.ndim != 2 or w.size == 0 for w in weights):
        raise ValueError("its weights must be matrices of floating-point numbers")
    mlp = as_mlp(model)
    features = weights[0].shape[1 if mlp.hidden_units else 0]
    z = predictions(model, np.zeros((features, 1), weights[0].dtype))
    units = tuple(len(w) for w in weights[: -(1 + mlp.biases) : 1 + mlp.biases])
    if units != mlp.hidden_units or (mlp.biases and any(b.shape[1] != 1 for b in weights[1::2])):
        raise ValueError(f"its layers have {units} units, not {mlp.hidden_units}")
    if z.shape[0] < 1 + (mlp.output == "softmax"):
        raise ValueError("it has too few outputs")
