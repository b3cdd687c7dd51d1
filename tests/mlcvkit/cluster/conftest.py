import pytest

from mlcvkit.cluster import connect


@pytest.fixture(scope="module")
def two_workers():
    with connect("local:2") as client:
        yield client


@pytest.fixture(scope="module")
def four_workers():
    with connect("local:4") as client:
        yield client
