import numpy as np
import polars
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


@pytest.fixture(scope="session")
def table():
    """300 rows with numbers, a name and a class that follows from them."""
    rng = np.random.default_rng(0)
    frame = polars.DataFrame(
        {
            "length": rng.normal(10, 3, 300),
            "width": rng.normal(2, 1, 300),
            "colour": rng.choice(["red", "green", "blue"], 300),
        }
    )
    long = polars.col("length") + 2 * polars.col("width") > 14
    return frame.with_columns(kind=polars.when(long).then(polars.lit("long")).otherwise(polars.lit("short")))


@pytest.fixture(scope="session")
def images():
    """400 grey images with a class from 0 to 3: in which quarter it is light."""
    rng = np.random.default_rng(1)
    X, y = rng.integers(0, 60, (400, 6, 6)), rng.integers(0, 4, 400)
    for image, quarter in zip(X, y, strict=True):
        image[3 * (quarter // 2) :, 3 * (quarter % 2) :][:3, :3] += 150
    return X.astype(np.uint8), y.astype(np.uint8)
