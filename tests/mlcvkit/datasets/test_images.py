"""Folders of images as people have them."""

import contextlib

import numpy as np
import pytest
from PIL import Image

from mlcvkit import InputError
from mlcvkit.datasets import IMAGE_SUFFIXES, ImageEncoder, are_images, encoder_for, read, read_images, restored_encoder


def test_images_of_sixteen_bits_keep_their_depth(tmp_path):
    pixels = np.array([[0, 300], [40_000, 65_535]], np.uint16)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels).save(tmp_path / "b.tif")
    X = read_images([tmp_path / "a.png", tmp_path / "b.tif"])
    assert X.dtype == np.uint16 and (pixels == X).all()
    encoder = encoder_for(X).fit(X)
    np.testing.assert_allclose(encoder.transform(X)[0], pixels.ravel() / 65535, rtol=1e-6)
    again = restored_encoder(encoder.to_dict()[0], {})
    assert again.white == 65535 and again.blank_row().dtype == np.uint16
    light = np.full((1, 2, 2), 255, np.uint8)  # white is white at any depth
    np.testing.assert_array_equal(again.transform(light), np.ones((1, 4), np.float32))


def test_images_of_floats_are_numbers(tmp_path):
    pixels = np.array([[0.25, -3.0], [1e6, 0.5]], np.float32)
    Image.fromarray(pixels).save(tmp_path / "a.tiff")
    X = read_images([tmp_path / "a.tiff"])
    assert X.dtype == np.float32 and (X[0] == pixels).all()
    assert not isinstance(encoder_for(X), ImageEncoder)


def test_what_is_transparent_is_white(tmp_path):
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0] = (0, 0, 0, 255)
    pixels[0, 1] = (0, 0, 0, 128)
    Image.fromarray(pixels, "RGBA").save(tmp_path / "a.png")
    Image.fromarray(pixels[..., [0, 3]], "LA").save(tmp_path / "b.png")
    palette = Image.fromarray(np.array([[0, 1], [1, 1]], np.uint8), "P")
    palette.putpalette([0, 0, 0, 9, 9, 9])
    palette.save(tmp_path / "c.png", transparency=1)
    X = read_images([tmp_path / name for name in ("a.png", "b.png", "c.png")])
    assert X.tolist() == [[[0, 127], [255, 255]], [[0, 127], [255, 255]], [[0, 255], [255, 255]]]


def test_a_picture_is_turned_as_its_camera_says(tmp_path):
    image = Image.fromarray(np.array([[0, 90], [180, 250]], np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    image.save(tmp_path / "a.png", exif=exif)
    assert read_images([tmp_path / "a.png"])[0].tolist() == [[180, 0], [250, 90]]


def test_images_of_different_depths_are_refused(tmp_path):
    Image.fromarray(np.zeros((2, 2), np.uint16)).save(tmp_path / "a.png")
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "b.png")
    with pytest.raises(InputError, match="different depths"):
        read_images([tmp_path / "a.png", tmp_path / "b.png"])


def folder_of(place, classes=("a", "b"), count=3):
    for level, name in enumerate(classes):
        (place / name).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(np.full((2, 2), 100 * level + i, np.uint8)).save(place / name / f"{i}.png")


def test_folders_of_training_and_test_are_told_apart(tmp_path):
    folder_of(tmp_path / "set/train", count=3)
    folder_of(tmp_path / "set/test", count=1)
    samples = read(tmp_path / "set")
    assert len(samples.X) == 6 and len(samples.test[0]) == 2 and samples.test[1].tolist() == ["a", "b"]


def test_classes_may_be_called_train_and_test(tmp_path):
    folder_of(tmp_path / "set", classes=("test", "train"))
    samples = read(tmp_path / "set")
    assert samples.test is None and set(samples.y) == {"train", "test"}


def test_what_is_left_out_of_a_folder_is_said(tmp_path):
    folder_of(tmp_path / "set")
    (tmp_path / "set/a/notes.txt").write_text("x")
    (tmp_path / "set/readme.md").write_text("x")
    samples = read(tmp_path / "set")
    (note,) = samples.notes
    assert "2 files of set are left out" in note and "a/notes.txt" in note and "readme.md" in note


def test_parts_beside_training_and_test_are_said_and_hidden_folders_are_not_there(tmp_path):
    for part in ("train", "test", "val"):
        folder_of(tmp_path / "set" / part, count=2)
    (tmp_path / "set/.cache").mkdir()
    samples = read(tmp_path / "set")
    assert len(samples.X) == 4 and samples.notes == ("val of set is left out: test is tested with",)


def test_floats_are_no_images_of_bytes():
    encoder = ImageEncoder().fit(np.zeros((1, 2, 2), np.uint8))
    with pytest.raises(InputError, match="whole numbers from 0 to 255; got float32"):
        encoder.transform(np.zeros((1, 2, 2), np.float32))


def test_the_clear_value_of_a_deep_grey_image_is_white(tmp_path):
    deep = np.arange(64, dtype=np.uint16).reshape(8, 8) * 400
    Image.fromarray(deep).save(tmp_path / "a.png", transparency=0)
    (image,) = read_images([tmp_path / "a.png"])
    assert image.dtype == np.uint16 and image[0, 0] == 65535
    np.testing.assert_array_equal(image.ravel()[1:], deep.ravel()[1:])


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_the_order_of_bytes_in_a_file_makes_no_difference(tmp_path, suffix):
    X = np.random.default_rng(0).integers(0, 65536, (12, 4, 4)).astype(np.uint16)
    other = ImageEncoder().fit(X)
    assert are_images(X.astype(">u2")) and ImageEncoder().fit(X.astype(">u2")).white == 65535
    np.testing.assert_array_equal(other.transform(X.astype(">u2")), other.transform(X))
    path = tmp_path / f"a.{suffix}"
    np.save(path, X.astype(">u2")) if suffix == "npy" else np.savez(path, X=X.astype(">u2"))
    read_back = read(path).X
    assert read_back.dtype == np.dtype(np.uint16)
    np.testing.assert_array_equal(read_back, X)


def test_of_several_pages_the_first_is_taken_and_a_note_says_so(tmp_path):
    for label in "ab":
        (tmp_path / "set" / label).mkdir(parents=True)
        for i in range(3):
            pages = [Image.new("L", (6, 6), 40 * i + 10 * page) for page in range(2)]
            pages[0].save(tmp_path / "set" / label / f"{i}.tif", save_all=True, append_images=pages[1:])
    notes = "\n".join(read(tmp_path / "set").notes)
    assert "6 files hold several images, such as 0.tif: the first is taken" in notes


WRITTEN = [one for one in IMAGE_SUFFIXES if Image.registered_extensions().get(one) in Image.SAVE]


@pytest.mark.parametrize("suffix", WRITTEN)
def test_a_class_folder_is_read_whole_whatever_pillow_opens(tmp_path, suffix):
    grey = Image.fromarray(np.arange(0, 256, dtype=np.uint8).reshape(16, 16))
    for label in "ab":
        (tmp_path / label).mkdir()
        grey.save(tmp_path / label / "0.png")
        for mode in (grey.mode, "1", "RGB", "RGBA", "P", "F"):
            with contextlib.suppress(OSError, ValueError, KeyError):
                grey.convert(mode).save(tmp_path / label / f"1{suffix}")
                break
    samples = read(tmp_path, image_size=16)
    assert samples.X.shape[:3] == (4, 16, 16) and not any("left out" in note for note in samples.notes)


def test_a_suffix_that_pillow_opens_is_read_or_is_no_picture():
    of = Image.registered_extensions()
    opened = {suffix for suffix, kind in of.items() if kind in Image.OPEN}
    others = {of[suffix] for suffix in opened - {*IMAGE_SUFFIXES}}
    no_pictures = {"BLP", "BUFR", "EPS", "FITS", "FLI", "FTEX", "GBR", "GRIB", "IM"}
    no_pictures |= {"AVIF", "HDF5", "IPTC", "MPEG", "PCD", "PIXAR", "WMF"}
    assert {*IMAGE_SUFFIXES} - {".avif"} <= opened and others <= no_pictures


@pytest.mark.parametrize("turned", range(1, 9))
def test_a_tiff_is_turned_as_every_other_format(tmp_path, turned):
    pixels = np.arange(0, 96, dtype=np.uint8).reshape(8, 12)
    for label in "ab":
        (tmp_path / label).mkdir()
        Image.fromarray(pixels).save(tmp_path / label / "0.tif", tiffinfo={274: turned})
        exif = Image.Exif()
        exif[274] = turned
        Image.fromarray(pixels).save(tmp_path / label / "1.png", exif=exif)
    plain, turned_back = read(tmp_path).X[:2]
    np.testing.assert_array_equal(plain, turned_back)
