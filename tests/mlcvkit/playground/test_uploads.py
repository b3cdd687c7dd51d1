"""Files of visitors as data of the page."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mlcvkit.errors import InputError
from mlcvkit.playground import uploads
from mlcvkit.playground.experiments import read_experiment, settings
from mlcvkit.playground.networks import make_network
from mlcvkit.playground.points import as_csv, from_table, painted


def png(pixels):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def images(classes, each=6, size=(28, 28), dtype=np.uint8, top="set/"):
    """Files of noise in a folder for each class."""
    rng = np.random.default_rng(0)
    top_value = np.iinfo(dtype).max
    return [
        (f"{top}{name}/{n}.png", png(rng.integers(0, top_value, size, dtype=dtype)))
        for name in classes
        for n in range(each)
    ]


def zipped(files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files:
            archive.writestr(name, data)
    return content.getvalue()


def without_a_name():
    """An archive with an entry that has no name, on which zipfile raises an IndexError."""
    content = zipped([("a.png", b"")])
    name = content.rindex(b"PK\x01\x02") + 46
    return content[:name] + b"\0" + content[name + 1 :]


@pytest.mark.parametrize("top", ["", "set/", "a/b/"])
def test_a_folder_becomes_grey_images_in_classes(top):
    made = uploads.take(images(["cat", "dog", "owl"], top=top))
    samples = uploads.IMAGE_SETS.get(made.images)
    assert made.images.startswith("3-") and samples.X.shape == (18, 28, 28) and samples.X.dtype == np.uint8
    assert sorted(set(samples.y)) == ["cat", "dog", "owl"]
    again = uploads.take([("set.zip", zipped(images(["cat", "dog", "owl"], top=top)))])
    assert again.images == made.images


def test_images_of_28_pixels_are_what_was_brought():
    files = images(["a", "b"])
    samples = uploads.IMAGE_SETS.get(uploads.take(files).images)
    first = np.asarray(Image.open(io.BytesIO(files[0][1])))
    assert (samples.X[0] == first).all()


@pytest.mark.parametrize(("size", "dtype"), [((28, 28, 3), np.uint8), ((20, 31), np.uint8), ((28, 28), np.uint16)])
def test_colours_sizes_and_depths_become_grey_bytes(size, dtype):
    samples = uploads.IMAGE_SETS.get(uploads.take(images(["a", "b"], size=size, dtype=dtype)).images)
    assert samples.X.shape == (12, 28, 28) and samples.X.dtype == np.uint8
    assert 60 < samples.X.mean() < 200
    if size == (28, 28, 3):
        files = images(["a", "b"], size=size, dtype=dtype)
        luma = np.asarray(Image.open(io.BytesIO(files[0][1])).convert("L"), int)
        assert np.abs(samples.X[0].astype(int) - luma).max() <= 1


def test_what_macos_adds_to_an_archive_is_passed_by():
    files = [*images(["a", "b"], top=""), ("__MACOSX/a/._0.png", b"x"), ("b/notes.txt", b"y")]
    told = uploads.take([("m.zip", zipped(files))]).told
    assert "MACOSX" not in told and "1 files are left out" in told and "b/notes.txt" in told


def test_training_and_test_folders_are_mixed_and_that_is_said():
    files = images(["a", "b"], top="set/train/") + images(["a", "b"], top="set/test/")
    made = uploads.take(files)
    assert "training and the test images are mixed" in made.told
    assert len(uploads.IMAGE_SETS.get(made.images).y) == 24


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "no file"),
        (images(["only"]), "1 classes"),
        (images([f"c{n}" for n in range(11)]), "11 classes"),
        (images(["a", "b"], each=4), "each needs 5"),
        ([("a.png", png(np.zeros((3, 3), np.uint8)))], "classes"),
        ([("x.zip", b"PK nothing")], "cannot be unpacked"),
        ([("x.zip", without_a_name())], "cannot be unpacked"),
        ([("x.csv", b"a,b\n1,2\n3,4\n")], "two columns of numbers"),
        ([("x.docx", b"nothing")], "x.docx"),
        ([*images(["a", "b"]), ("set/a/bad.png", b"no image")], "bad.png"),
    ],
)
def test_what_cannot_be_taken_says_why(files, words):
    with pytest.raises(InputError, match=words) as told:
        uploads.take(files)
    assert "/tmp" not in str(told.value)


def test_a_zip_that_unpacks_to_too_much_is_refused_before_it_is_unpacked():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/0.png", bytes(6 * uploads.MOST_BYTES))
    with pytest.raises(InputError, match="too much"):
        uploads.take([("bomb.zip", content.getvalue())])


@pytest.mark.parametrize("name", ["../../outside.csv", "/etc/outside.csv", "..\\outside.csv", "a/../../outside.csv"])
def test_no_path_leads_out_of_the_folder(name, tmp_path):
    path = uploads._write(tmp_path / "in", name, b"x")
    assert path.resolve().is_relative_to(tmp_path / "in")


@given(name=st.text(max_size=200), content=st.binary(max_size=300))
def test_any_name_and_content_is_taken_or_refused(name, content):
    try:
        uploads.take([(name, content)])
    except InputError as error:
        assert "\n" not in str(error)


def test_the_oldest_of_many_sets_is_forgotten(monkeypatch):
    monkeypatch.setattr(uploads, "IMAGE_SETS", uploads.ImageSets())
    keys = [uploads.take(images(["a", "b"], each=5 + n)).images for n in range(uploads.MOST_SETS + 1)]
    assert uploads.IMAGE_SETS.get(keys[-1]) and uploads.IMAGE_SETS.get(keys[1])
    with pytest.raises(InputError, match="bring them again"):
        uploads.IMAGE_SETS.get(keys[0])


def test_a_network_is_trained_on_images_that_were_brought():
    rng = np.random.default_rng(0)
    files = []
    for n in range(60):
        pixels = rng.integers(0, 40, (28, 28), dtype=np.uint8)
        pixels[(n % 2) * 14 : (n % 2) * 14 + 14] += 150
        files.append((f"set/{['upper', 'lower'][n % 2]}/{n}.png", png(pixels)))
    key = uploads.take(files).images
    experiment = read_experiment(settings({}, {"data": "images", "images": key, "epochs": 20, "hidden_units": 8}))
    network = make_network(experiment)
    assert network.class_names == ["lower", "upper"] and network.train[0].shape[0] == 784
    network.fit(experiment)
    assert network.measure()["validation_accuracy"] == 1


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 3)), max_size=30))
def test_points_come_back_from_their_table(points):
    text = "".join(f"{x:02x}{y:02x}{c}" for x, y, c in points)
    lines = as_csv(text).decode().splitlines()[1:]
    numbers = np.array([[float(cell) for cell in line.split(",")] for line in lines]).reshape(-1, 3)
    assert from_table(numbers[:, :2], numbers[:, 2].astype(int)) == text
    assert (painted(text)[0] == numbers[:, :2]).all()


def test_what_is_told_of_images_are_sentences():
    parts = ("train", "test", "val")
    told = uploads.take([(f"top/{part}/{name}", one) for part in parts for name, one in images("ab", top="")]).told
    assert "tested with. The training" in told and told.endswith(".")
