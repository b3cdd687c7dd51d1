"""Data that visitors bring: a table becomes points of a plane, a folder of images becomes a data set."""

import io
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from mlcvkit.datasets import IMAGE_SUFFIXES, SIDE, Samples, read
from mlcvkit.errors import InputError
from mlcvkit.playground.points import points_of_file, problem_with

MOST_BYTES, MOST_IMAGES, MOST_CLASSES, FEWEST_OF_A_CLASS = 20_000_000, 3000, 10, 5
OF_MACOS = "__MACOSX/"
"""The folder of attributes in archives that macOS makes."""
MOST_SETS = 16
"""Sets of images that the server keeps; the oldest one is forgotten."""
WHAT_IS_TAKEN = (
    f"A table, such as a CSV file, with two columns of numbers or more and a column with two to four classes: its rows "
    f"become points. Or a folder, or a zip file, with a folder of images for each of 2 to {MOST_CLASSES} classes: they "
    f"become grey images of {SIDE} × {SIDE} pixels. At most {MOST_BYTES // 1_000_000} MB and {MOST_IMAGES:,} images."
)
_GREY = np.array([0.299, 0.587, 0.114])
"""The weights of red, green and blue in luma (ITU-R BT.601)."""


@dataclass(frozen=True)
class Upload:
    """What was made of the files: ``points``, or the key of a set of ``images``; and what was used, in a sentence.

    ``columns`` are those of which any two can be the axes of the points.
    """

    told: str
    points: str = ""
    images: str = ""
    columns: Sequence[str] = ()


class ImageSets:
    """The sets of images that were brought, by key: the number of classes and the start of the fingerprint."""

    def __init__(self) -> None:
        self.sets: OrderedDict[str, Samples] = OrderedDict()
        self.lock = threading.Lock()

    def add(self, samples: Samples) -> str:
        """Keep a set; its key."""
        key = f"{len(np.unique(np.asarray(samples.y)))}-{samples.fingerprint[:16]}"
        with self.lock:
            self.sets[key] = samples
            self.sets.move_to_end(key)
            while len(self.sets) > MOST_SETS:
                self.sets.popitem(last=False)
        return key

    def get(self, key: str) -> Samples:
        """The set of a key; InputError if the server does not have it."""
        with self.lock:
            if key not in self.sets:
                raise InputError("the server does not have these images any more: bring them again")
            return self.sets[key]


IMAGE_SETS = ImageSets()


def take(files: Iterable[tuple[str, bytes]], axes: Sequence[str] = ()) -> Upload:
    """Make data of uploaded files, each a path and its content; InputError if that is not possible.

    ``axes`` are the two columns of a table that become the axes of its points.
    """
    given = list(files)
    if len(given) == 1 and given[0][0].lower().endswith(".zip"):
        given = _unzipped(*given[0])
    if not given:
        raise InputError("there is no file in it")
    with TemporaryDirectory() as place:
        folder = Path(place)
        paths = [_write(folder, name, content) for name, content in given]
        try:
            if len(paths) == 1 and paths[0].suffix.lower() not in IMAGE_SUFFIXES:
                return _points(paths[0], axes)
            return _images(_folder_of_classes(folder))
        except InputError as error:
            raise InputError(" ".join(str(error).replace(f"{place}/", "").split())) from None


def _unzipped(name: str, content: bytes) -> list[tuple[str, bytes]]:
    """The files in a zip archive, whose unpacked size is limited."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [entry for entry in archive.infolist() if not (entry.is_dir() or OF_MACOS in entry.filename)]
            if sum(entry.file_size for entry in entries) > 5 * MOST_BYTES or len(entries) > 2 * MOST_IMAGES:
                raise InputError(f"{name} holds too much: at most {MOST_IMAGES:,} images")
            return [(entry.filename, archive.read(entry)) for entry in entries]
    except InputError:
        raise
    except Exception as error:  # of a damaged archive, zipfile raises more than it documents
        raise InputError(f"{name} cannot be unpacked: {error}") from None


def _write(folder: Path, name: str, content: bytes) -> Path:
    """Write a file below a folder, whatever its path says."""
    parts = [part[-80:] for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "..", ".")]
    path = folder.joinpath(*parts[-4:] or ["file"])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except (OSError, ValueError):
        raise InputError(f"{name[:80]!r} is no name for a file") from None
    return path


def _folder_of_classes(folder: Path) -> Path:
    """The innermost folder that holds everything: the one whose folders are the classes."""
    while len(inside := [p for p in folder.iterdir() if p.name[0] not in "._"]) == 1 and inside[0].is_dir():
        if not any(path.is_dir() for path in inside[0].iterdir()):
            break
        folder = inside[0]
    return folder


def _points(path: Path, axes: Sequence[str]) -> Upload:
    points, text, columns = points_of_file(path, axes)
    if problem := problem_with(points):
        raise InputError(f"{path.name}: {problem.replace('paint', 'it needs')}")
    return Upload(text, points=points, columns=columns)


def _images(folder: Path) -> Upload:
    """Grey images of 28 × 28 pixels in classes."""
    found = read(folder, image_size=SIDE)
    if found.y is None or not isinstance(found.X, np.ndarray):
        raise InputError("images need classes: a folder for each, whose name is the class")
    X, y, notes = found.X, found.y, list(found.notes)
    if found.test is not None and isinstance(found.test[0], np.ndarray):
        X, y = np.concatenate([X, found.test[0]]), np.concatenate([y, found.test[1]])
        notes.append("The training and the test images are mixed: the page holds out a fifth of all.")
    names, counts = np.unique(y, return_counts=True)
    if not 2 <= len(names) <= MOST_CLASSES:
        raise InputError(f"the images have {len(names)} classes (folders); they can have 2 to {MOST_CLASSES}")
    if counts.min() < FEWEST_OF_A_CLASS:
        few = names[counts.argmin()]
        raise InputError(f"class {str(few)!r} has {counts.min()} images; each needs {FEWEST_OF_A_CLASS} at least")
    chosen = np.sort(np.random.default_rng(0).permutation(len(y))[:MOST_IMAGES])
    (folder / "images.npz").write_bytes(as_npz(_grey(X[chosen]), y[chosen].astype(str)))
    samples = read(folder / "images.npz", "y")
    rows = f"{len(chosen):,} of {len(y):,}" if len(chosen) < len(y) else f"all {len(chosen):,}"
    classes = ", ".join(f"{name} ({count})" for name, count in zip(names, counts, strict=True))
    text = f"{rows.capitalize()} images were made grey and {SIDE} × {SIDE}: {classes}."
    text = " ".join([text, *(f"{note.removesuffix('.')}." for note in notes)]).replace(f" of {folder.name} are", " are")
    return Upload(text, images=IMAGE_SETS.add(samples))


def as_npz(X: npt.NDArray[np.generic], y: npt.NDArray[np.generic]) -> bytes:
    """Images and the names of their classes as a file of arrays, which the command line reads as well."""
    content = io.BytesIO()
    np.savez_compressed(content, X=X, y=y)
    return content.getvalue()


def _grey(X: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    values = X.astype(np.float64)
    if X.dtype != np.uint8:
        values *= 255 / max(65535 if X.dtype == np.uint16 else 1, float(values.max(initial=0)))
    if X.ndim == 4:
        values = values @ _GREY
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
