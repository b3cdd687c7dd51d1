"""Model files, ONNX, and run folders. Everything is written beside its place and then renamed: whole, or not at all."""

from mlcvkit.files import write_whole
from mlcvkit.storage.arrays import read_arrays, write_arrays
from mlcvkit.storage.models import MODEL_FILE, SavedModel, load_model, model_file, save_model
from mlcvkit.storage.onnx import export_onnx
from mlcvkit.storage.runs import (
    CONFIG_FILE,
    RESULT_FILE,
    claimed,
    new_resumable_run,
    new_run,
    open_run,
    write_configuration,
)

__all__ = [
    "CONFIG_FILE",
    "MODEL_FILE",
    "RESULT_FILE",
    "SavedModel",
    "claimed",
    "export_onnx",
    "load_model",
    "model_file",
    "new_resumable_run",
    "new_run",
    "open_run",
    "read_arrays",
    "save_model",
    "write_arrays",
    "write_configuration",
    "write_whole",
]
