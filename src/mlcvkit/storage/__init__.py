"""Model files, ONNX, and run folders. Everything is written beside its place and then renamed: whole, or not at all."""

from mlcvkit.storage.arrays import read_arrays, write_arrays
from mlcvkit.storage.models import MODEL_FILE, SavedModel, load_model, save_model
from mlcvkit.storage.onnx import export_onnx
from mlcvkit.storage.runs import free_folder, new_run, open_run, write_whole

__all__ = [
    "MODEL_FILE",
    "SavedModel",
    "export_onnx",
    "free_folder",
    "load_model",
    "new_run",
    "open_run",
    "read_arrays",
    "save_model",
    "write_arrays",
    "write_whole",
]
