import numpy as np
import pytest
from PIL import Image

from mlcvkit import datasets
from mlcvkit.storage import SavedModel, save_model
from mlcvlab.models.nn2 import NN2


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """The user's cache is not touched; all tests share one that is."""
    folder = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def saved_run(tmp_path):
    """A run folder with a small untrained model."""
    folder = tmp_path / "saved"
    folder.mkdir()
    model = NN2().initialize(784, 8, seed=0)
    history = {"epoch": [1.0], "train_loss": [0.5]}
    save_model(folder / "model.safetensors", SavedModel(model, {"hidden_units": [8]}, history))
    return folder


@pytest.fixture
def digit_image(tmp_path):
    """The first MNIST test image as a PNG file."""
    path = tmp_path / "digit.png"
    Image.fromarray(np.array(datasets.mnist().test_X[0])).save(path)
    return path
