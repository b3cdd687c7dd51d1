import gzip
import os
import re
import subprocess
import sys
import textwrap
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image

from mlcvkit import InputError
from mlcvkit.datasets import mnist_digits as datasets


def test_mnist_has_its_known_shapes_and_counts():
    data = datasets.mnist()
    assert [a.shape for a in data] == [(60000, 28, 28), (60000,), (10000, 28, 28), (10000,)]
    assert {a.dtype for a in data} == {np.dtype(np.uint8)}
    assert np.bincount(data.train_y).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(data.test_y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_mnist_is_decompressed_once_and_mapped_afterwards(own_cache, monkeypatch):
    datasets.mnist()
    monkeypatch.setattr(gzip, "decompress", lambda _: pytest.fail("decompressed again"))
    assert all(isinstance(array, np.memmap) for array in datasets.mnist())
    names = {path.name for path in (own_cache / "mlcvlab" / "mnist").iterdir()}
    assert names == set(datasets._MNIST)


def test_a_cached_file_that_is_cut_off_is_made_again(own_cache):
    datasets.mnist()
    cached = own_cache / "mlcvlab" / "mnist" / "t10k-labels-idx1-ubyte"
    cached.write_bytes(cached.read_bytes()[:-1])
    assert datasets.mnist().test_y.sum() == 44434


def test_a_cache_that_cannot_be_written_means_memory_and_says_so(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match=r"cache folder .*file/mlcvlab/mnist cannot be written .* stays in memory"):
        data = datasets.mnist()
    assert data.test_y[:4].tolist() == [7, 2, 1, 0]


def test_a_full_disk_leaves_nothing_in_the_cache(tmp_path):
    script = """
        import resource, signal, warnings
        from mlcvkit import datasets
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        warnings.simplefilter("ignore")
        print(datasets.mnist().train_X.shape)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (result.stdout, result.stderr) == ("(60000, 28, 28)\n", "")
    cached = {path.name for path in (tmp_path / "mlcvlab" / "mnist").iterdir()}
    assert cached == {"train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"}  # the two that are small enough


@pytest.mark.parametrize("spoil", [lambda b: b[:5000], lambda b: b"no gzip", lambda b: gzip.compress(b"other content")])
def test_a_damaged_file_is_named_and_nothing_is_cached(tmp_path, monkeypatch, spoil):
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for name in datasets._MNIST:
        content = (files("mlcvkit") / "data" / "mnist" / f"{name}.gz").read_bytes()
        (folder / f"{name}.gz").write_bytes(spoil(content) if name == "t10k-labels-idx1-ubyte" else content)
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(
        spoil((files("mlcvkit") / "data" / "mnist" / "train-images-idx3-ubyte.gz").read_bytes())
    )
    monkeypatch.setattr(datasets, "files", lambda _: tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(InputError, match=r"t10k-labels-idx1-ubyte.gz is damaged"):
        datasets.mnist()
    assert not (tmp_path / "cache" / "mlcvlab" / "mnist" / "t10k-labels-idx1-ubyte").exists()


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "files", lambda _: tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte.gz is missing"):
        datasets.mnist()


def test_parity_is_the_handouts_labels_and_split():
    data, digits = datasets.mnist_parity(), datasets.mnist()
    assert [a.shape for a in data] == [(60000, 784), (60000,), (10000, 784), (10000,)]
    assert {a.dtype for a in data} == {np.dtype(np.float32)}
    assert (data.train_X.min(), data.train_X.max()) == (0, 1)
    for digit in range(10):
        assert set(data.test_y[digits.test_y == digit].tolist()) == {1.0 if digit in (0, 2, 4, 6, 8) else 0.0}
    np.testing.assert_allclose(data.test_X[5].reshape(28, 28), digits.test_X[5] / 255, rtol=1e-6)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_a_picture_becomes_an_image_of_bytes(digit_image, mode):
    Image.open(digit_image).convert(mode).save(digit_image)
    image = datasets.read_digit(digit_image)
    assert image.shape == (1, 28, 28) and image.dtype == np.uint8
    np.testing.assert_array_equal(image[0], datasets.mnist().test_X[0])


def test_a_dark_digit_on_white_is_read_inverted_or_pointed_out(digit_image):
    row = datasets.read_digit(digit_image)
    Image.fromarray(255 - np.array(Image.open(digit_image))).save(digit_image)
    np.testing.assert_array_equal(datasets.read_digit(digit_image, invert=True), row)
    with pytest.raises(InputError, match=r"light border.*pass --invert"):
        datasets.read_digit(digit_image)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p.write_text("hello"), "is not an image"),
        (lambda p: None, "does not exist"),
        (lambda p: p.mkdir(), "cannot be read"),
        (lambda p: Image.new("L", (40, 20)).save(p), "is 40 x 20 pixels; the model reads 28 x 28"),
        (lambda p: Image.new("RGB", (28, 28), (255, 0, 0)).save(p), "has colours"),
        (lambda p: Image.new("I;16", (28, 28), 60000).save(p), "has pixels of kind I;16"),
        (lambda p: Image.new("L", (28, 28)).save(p), "shows no digit"),
    ],
)
def test_an_image_of_the_wrong_kind_is_named(tmp_path, make, message):
    path = tmp_path / "picture.png"
    make(path)
    with pytest.raises(InputError, match=rf"{re.escape(str(path))} {message}"):
        datasets.read_digit(path)


def test_a_transparent_background_is_paper(digit_image):
    row = datasets.read_digit(digit_image)
    grey = Image.open(digit_image)
    for stroke, invert in (("white", False), ("black", True)):
        drawing = Image.new("RGBA", grey.size, stroke)
        drawing.putalpha(grey)
        drawing.save(digit_image)
        np.testing.assert_allclose(datasets.read_digit(digit_image, invert=invert), row, atol=0.005)


def test_an_image_that_is_cut_off_is_named(digit_image):
    digit_image.write_bytes(digit_image.read_bytes()[:90])
    with pytest.raises(InputError, match=r"digit.png (cannot be read|is not an image)"):
        datasets.read_digit(digit_image)
