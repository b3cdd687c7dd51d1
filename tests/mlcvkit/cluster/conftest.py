import numpy as np
import polars
import pytest

from mlcvkit.cluster import connect


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


@pytest.fixture(scope="module")
def two_workers():
    with connect("local:2") as client:
        yield client


@pytest.fixture(scope="module")
def four_workers():
    with connect("local:4") as client:
        yield client
