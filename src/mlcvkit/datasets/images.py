"""Read folders of images as arrays, and encode images as rows of numbers."""

from collections import Counter
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from mlcvkit.arrays import PlainData, RawRows, Values
from mlcvkit.datasets.mnist_digits import IMAGE_FORMATS
from mlcvkit.errors import InputError, first_line

IMAGE_SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".webp", ".avif"),
    *(".pgm", ".ppm", ".pbm", ".pnm", ".pfm", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".tga", ".icb", ".vda"),
    *(".vst", ".pcx", ".dcx", ".sgi", ".bw", ".rgb", ".rgba", ".ras", ".ico", ".cur", ".icns", ".dds", ".qoi", ".xbm"),
    *(".xpm", ".msp", ".psd"),
)
"""What Pillow opens and is a picture, and not a document, a film or a table."""
TEST_FOLDERS = ("test", "val", "valid", "validation")


def files_by_class(folder: Path, *, every: bool = False) -> tuple[list[tuple[Path, str]], bool, list[str]]:
    """The images of a folder with a folder for each class; or, without classes, those that lie in it.

    Parameters
    ----------
    folder
        The folder.
    every
        Whether every image below the folder is taken, however deep and also beside the classes.

    Returns
    -------
    tuple[list[tuple[Path, str]], bool, list[str]]
        Each file with its class, whether there are classes, and a line on what was left out.
    """
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    files: list[tuple[Path, str]] = []
    left_out: Counter[str] = Counter()
    deeper: Counter[str] = Counter()
    depth = None if every else 2 if classes else 1
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") for part in parts) or (path.is_dir() and (every or len(parts) != depth)):
            continue
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and depth in (None, len(parts)):
            files.append((path, parts[0] if len(parts) > 1 else folder.name))
        elif depth is None or len(parts) <= depth:
            left_out["/".join(parts)] += 1
        elif path.is_file():
            deeper["/".join(parts[:depth])] += 1
    left_out |= deeper  # a folder counts as what is in it
    names = [f"{name} ({deeper[name]:,} files)" if name in deeper else name for name in left_out]
    some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    where = "or do not lie in the folder of a class" if classes and not every else "by their names"
    count = sum(left_out.values())
    notes = [f"{count} files of {folder.name} are left out, which are no images {where}: {some}"] if count else []
    known = {label for _, label in files}
    if not every and (empty := [path.name for path in classes if path.name not in known]):
        notes.append(f"{', '.join(empty[:5])}: without images, and no class")
    return files, bool(classes), notes


def in_two_classes(images: Values, labels: Sequence[str], files: Sequence[Path]) -> list[str]:
    """A note on images that lie in the folders of several classes.

    Parameters
    ----------
    images
        The images, (N, ...).
    labels
        The class of each.
    files
        The file of each.

    Returns
    -------
    list[str]
        The note, or none.
    """
    first: dict[bytes, int] = {}
    twice = [(first.setdefault(image.tobytes(), i), i) for i, image in enumerate(images)]
    twice = [(a, b) for a, b in twice if labels[a] != labels[b]]
    if not twice:
        return []
    a, b = (files[i] for i in twice[0])
    names = f"{a.parent.name}/{a.name} and {b.parent.name}/{b.name}"
    return [f"{len(twice):,} images are in two classes, pixel by pixel, such as {names}"]


def of_several_pages(paths: Sequence[Path]) -> list[str]:
    """A note on files that hold several images, of which the first is taken.

    Parameters
    ----------
    paths
        The files.

    Returns
    -------
    list[str]
        The note, or none.
    """
    from PIL import Image

    found = []
    for path in paths:
        if path.suffix.lower() in (".gif", ".tif", ".tiff", ".webp"):
            with Image.open(BytesIO(path.read_bytes()), formats=IMAGE_FORMATS) as opened:
                found += [path] if getattr(opened, "n_frames", 1) > 1 else []
    return [f"{len(found):,} files hold several images, such as {found[0].name}: the first is taken"] if found else []


def read_images(paths: list[Path], image_size: int | None = None) -> npt.NDArray[np.generic]:
    """Read images of one size: rotated by their EXIF orientation, and transparent ones on white.

    Parameters
    ----------
    paths
        The files.
    image_size
        The height and the width to which they are scaled, in pixels. By default they stay as they are.

    Returns
    -------
    Array
        The images, (N, H, W) where all are grey, else (N, H, W, 3): bytes, or uint16 or float32 where any has more than
        eight bits.

    Raises
    ------
    InputError
        For a file that is no image, or has another size than the first one.
    """
    if image_size is not None and not 1 <= image_size <= 1024:
        raise InputError(f"image_size must be from 1 to 1024; got {image_size}")
    images: list[Values] = []
    for path in paths:
        images.append(_pixels(path, image_size))
        if images[-1].shape[:2] != images[0].shape[:2]:
            (h1, w1), (h2, w2) = images[0].shape[:2], images[-1].shape[:2]
            raise InputError(
                f"the images have different sizes: {paths[0]} is {w1} x {h1}, {path} is {w2} x {h2}; give an image "
                "size to scale them to: --image-size 28"
            )
    deep = [image.dtype for image in images if image.dtype != np.uint8]
    if deep and any(image.dtype != deep[0] for image in images):
        i = next(i for i, image in enumerate(images) if image.dtype != deep[0])
        raise InputError(f"the images have different depths: {paths[i]} has {images[i].dtype}, another one {deep[0]}")
    coloured = any(image.ndim == 3 for image in images)
    stack = np.stack([np.repeat(x[..., None], 3, axis=2) if coloured and x.ndim == 2 else x for x in images])
    grey = coloured and bool((stack[..., :1] == stack).all())
    return np.ascontiguousarray(stack[..., 0]) if grey else stack


def in_same_colours(*parts: Values) -> tuple[Values, ...]:
    """Several arrays of images, all with colours where one of them has some.

    Parameters
    ----------
    *parts
        The images, (N, H, W) or (N, H, W, 3) each.

    Returns
    -------
    tuple[Array, ...]
        The images.
    """
    has_colours = any(images.ndim == 4 for images in parts)
    return tuple(
        np.repeat(images[..., None], 3, axis=3) if has_colours and images.ndim == 3 else images for images in parts
    )


def _pixels(path: Path, image_size: int | None) -> Values:
    """An image as it is to be seen: (H, W), or (H, W, 3) with colours."""
    from PIL import Image, ImageOps

    try:
        # of a file that it opens by its path, Pillow 13 turns some TIFFs wrongly
        with Image.open(BytesIO(path.read_bytes()), formats=IMAGE_FORMATS) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode[0] == "I" and isinstance(clear := image.info.pop("transparency", None), int):
                deep = np.asarray(image)
                image = Image.fromarray(np.where(deep == clear, 65535, deep).astype(np.uint16))
            if "A" in image.getbands() or "transparency" in image.info:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
            if image.mode[0] not in "IF" and image.mode != "L":
                image = image.convert("L" if image.mode == "1" else "RGB")
            if image_size is not None:
                image = image.resize((image_size, image_size))
            pixels = np.asarray(image)
    except Exception as error:  # of a damaged file, Pillow raises more than it documents
        raise InputError(f"{path} is not an image that can be read: {first_line(error)}") from None
    if pixels.dtype.kind == "f":
        return pixels.astype(np.float32)
    if pixels.dtype != np.uint8:
        if pixels.min() < 0 or pixels.max() > 65535:
            raise InputError(f"{path} has values from {pixels.min()} to {pixels.max()}: they must be from 0 to 65,535")
        return pixels.astype(np.uint16)
    return pixels


def are_images(X: RawRows) -> bool:
    """Whether samples are images: of one or two bytes, in three dimensions or more.

    Parameters
    ----------
    X
        The samples.

    Returns
    -------
    bool
        Whether they are.
    """
    return isinstance(X, np.ndarray) and X.ndim > 2 and X.dtype.newbyteorder("=") in (np.uint8, np.uint16)


class ImageEncoder:
    """Turn images, (N, H, W) or (N, H, W, 3), into rows of numbers from 0 to 1, by the depth of the training's."""

    def __init__(self) -> None:
        self.white = 255

    def fit(self, X: RawRows, y: object = None) -> Self:
        """Remember the size and the depth of the images.

        Parameters
        ----------
        X
            The images.
        y
            Not used.

        Returns
        -------
        Self
            The encoder itself.
        """
        self.shape_ = X.shape[1:]
        self.white = 65535 if isinstance(X, np.ndarray) and X.dtype.itemsize == 2 else 255
        return self

    def transform(self, X: RawRows) -> npt.NDArray[np.float32]:
        """The images as rows of numbers.

        Parameters
        ----------
        X
            Images of the size that was fitted.

        Returns
        -------
        Values
            The rows, (N, H · W) or (N, H · W · 3), float32.

        Raises
        ------
        InputError
            If they are no images, or have another size.
        """
        if not isinstance(X, np.ndarray) or X.ndim < 3:
            raise InputError(f"the model reads images of {' x '.join(map(str, self.shape_))}, and this is a table")
        if X.ndim == 3 and len(self.shape_) == 3:
            X = np.repeat(X[..., None], 3, axis=3)
        if X.shape[1:] != tuple(self.shape_):
            raise InputError(
                f"the model reads images of {' x '.join(map(str, self.shape_))}; "
                f"got {' x '.join(map(str, X.shape[1:]))}"
            )
        if X.dtype.kind not in "iu":
            raise InputError(f"the model reads images of whole numbers from 0 to {self.white:,}; got {X.dtype}")
        white = {np.dtype(np.uint16): 65535, np.dtype(np.uint8): 255}.get(X.dtype.newbyteorder("="), self.white)
        rows: npt.NDArray[np.float32] = np.divide(X.reshape(len(X), -1), white, dtype=np.float32)
        return rows

    def blank_row(self) -> Values:
        """One black image."""
        return np.zeros((1, *self.shape_), np.uint8 if self.white == 255 else np.uint16)

    def to_dict(self) -> tuple[PlainData, dict[str, Values]]:
        """The state of the encoder as plain data and arrays.

        Returns
        -------
        tuple[PlainData, dict[str, Values]]
            The plain data, and no arrays.
        """
        depth = {} if self.white == 255 else {"white": self.white}
        return {"encoder": "images", "shape": list(self.shape_)} | depth, {}
