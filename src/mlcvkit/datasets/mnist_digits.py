"""Data sets as arrays, a sample a row. MNIST is inside the package."""

import gzip
import hashlib
import math
import warnings
import zlib
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import platformdirs

from mlcvkit.arrays import Values, scale_images
from mlcvkit.errors import InputError, first_line
from mlcvkit.files import replace_file

SIDE = 28
"""Height and width of an MNIST image in pixels."""
PARITY_NAMES = ("odd", "even")
"""What the handout's labels 0 and 1 say of a digit."""

IMAGE_FORMATS = (
    *("PNG", "JPEG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "AVIF", "PPM", "JPEG2000", "TGA", "PCX", "DCX", "SGI", "SUN"),
    *("ICO", "CUR", "ICNS", "DDS", "QOI", "XBM", "XPM", "MSP", "PSD"),
)
"""What a file of an image may be: any other format that its content claims to be is not opened."""


class DataSet(NamedTuple):
    """Training and test samples with their labels, one sample a row.

    Parameters
    ----------
    train_X
        The training samples, (N, ...).
    train_y
        Their labels, (N,).
    test_X
        The test samples, (T, ...).
    test_y
        Their labels, (T,).
    """

    train_X: Values
    train_y: Values
    test_X: Values
    test_y: Values


_MNIST = {
    "train-images-idx3-ubyte": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        (60_000, SIDE, SIDE),
    ),
    "train-labels-idx1-ubyte": ("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", (60_000,)),
    "t10k-images-idx3-ubyte": (
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        (10_000, SIDE, SIDE),
    ),
    "t10k-labels-idx1-ubyte": ("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", (10_000,)),
}


def mnist() -> DataSet:
    """MNIST's handwritten digits.

    The files inside the package are decompressed and checked against their SHA-256 sums at the first load, saved in the
    user's cache folder, and memory-mapped from there afterwards. If that folder cannot be written, the arrays stay in
    memory, with a warning.

    Returns
    -------
    DataSet
        Images, (60000, 28, 28) and (10000, 28, 28), and labels 0 to 9, (60000,) and (10000,); uint8, read-only.

    Raises
    ------
    InputError
        If a file is damaged or missing, with its name.

    See Also
    --------
    read : ``read("mnist")`` gives the same as ``Samples``.

    References
    ----------
    Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits"; CC BY-SA 3.0.

    Examples
    --------
    >>> digits = mnist()
    >>> digits.train_X.shape, digits.train_X.dtype, digits.test_y[:3].tolist()
    ((60000, 28, 28), dtype('uint8'), [7, 2, 1])
    """
    return DataSet(*(_load_idx(name, *known) for name, known in _MNIST.items()))


def mnist_parity() -> DataSet:
    """MNIST as the handout's problem 4 wants it: 1 for an even digit, 0 for an odd one, 10,000 test samples.

    Returns
    -------
    DataSet
        Pixels from 0 (black) to 1 (white), (60000, 784) and (10000, 784), and labels, (60000,) and (10000,); float32.

    Raises
    ------
    InputError
        As for ``mnist``.

    References
    ----------
    Handout, Problem 4, "Data Preprocessing on MNIST".
    """
    digits = mnist()
    return DataSet(
        scale_images(digits.train_X), is_even(digits.train_y), scale_images(digits.test_X), is_even(digits.test_y)
    )


def is_even(digits: Values) -> Values:
    """The handout's label of a digit: 1 if it is even, 0 if it is odd.

    Parameters
    ----------
    digits
        The digits, of any shape.

    Returns
    -------
    Values
        The labels, float32, of the same shape.
    """
    return np.asarray(digits % 2 == 0, dtype=np.float32)


def read_digit(path: Path, *, invert: bool = False) -> Values:
    """Read one picture of a digit as an image, (1, 28, 28), of bytes from 0 (black) to 255 (white).

    Parameters
    ----------
    path
        The file of an image of 28 x 28 grey pixels, a light digit on black.
    invert
        Whether the digit is dark on white.

    Returns
    -------
    Values
        The image, (1, 28, 28), uint8.

    Raises
    ------
    InputError
        If the file is not an image, has another size, has colours, is blank, or looks inverted.
    """
    pixels = _grey_pixels(path, background="white" if invert else "black")
    if pixels.shape != (SIDE, SIDE):
        height, width = pixels.shape
        raise InputError(f"{path} is {width} x {height} pixels; the model reads {SIDE} x {SIDE}: scale it to that size")
    if np.ptp(pixels) == 0:
        raise InputError(f"{path} shows no digit: all of its pixels are alike")
    if invert:
        pixels = 255 - pixels
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    if border.mean() > 127:
        advice = "leave out --invert" if invert else "pass --invert"
        raise InputError(f"{path} has a light border; the model reads a light digit on black: {advice}")
    return pixels[None]


def _grey_pixels(path: Path, background: str) -> npt.NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(BytesIO(path.read_bytes()), formats=IMAGE_FORMATS) as image:
            mode = image.mode
            flat = Image.new("RGBA", image.size, background)
            flat.alpha_composite(image.convert("RGBA"))
            colours = np.asarray(flat)[:, :, :3]
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except UnidentifiedImageError:
        raise InputError(f"{path} is not an image; PNG, JPEG, GIF and BMP files can be read") from None
    except Exception as error:  # of a damaged file, Pillow raises more than it documents
        raise InputError(f"{path} cannot be read: {first_line(error)}") from None
    if mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
        raise InputError(f"{path} has pixels of kind {mode}; the model reads 8-bit grey values: convert it to those")
    if np.ptp(colours, axis=2).max() > 0:
        raise InputError(f"{path} has colours; the model reads grey values: convert it to greyscale")
    grey: npt.NDArray[np.uint8] = colours[:, :, 0]
    return grey


def _load_idx(name: str, sha256: str, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    header = 4 + 4 * len(shape)
    cached = platformdirs.user_cache_path("mlcvlab") / "mnist" / name
    try:
        usable = cached.stat().st_size == header + math.prod(shape)
    except OSError:
        usable = False
    if not usable:
        content = _decompress(files("mlcvkit") / "data" / "mnist" / f"{name}.gz", sha256)
        try:
            cached.parent.mkdir(parents=True, exist_ok=True)
            replace_file(cached, content)
        except OSError as error:
            warnings.warn(
                f"the cache folder {cached.parent} cannot be written ({error.strerror}); MNIST stays in memory",
                stacklevel=3,
            )
            return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
    return np.memmap(cached, np.uint8, mode="r", offset=header, shape=shape)


def _decompress(source: Traversable, sha256: str) -> bytes:
    try:
        content = gzip.decompress(source.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{source} is missing: install mlcvlab again") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{source} is damaged ({error}): install mlcvlab again") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(f"{source} is damaged (its SHA-256 sum is not MNIST's): install mlcvlab again")
    return content
