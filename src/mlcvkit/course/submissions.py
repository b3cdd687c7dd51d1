"""Submissions: a folder, a zip file or a tarball each, read without trusting them.

Only regular files are taken, as bytes, with a limit on their number and size: no link is followed, no path leaves the
submission, and nothing is unpacked that says it is small and is not.
"""

import hashlib
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import IO

from mlcvkit.errors import InputError

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
IGNORED = {
    "__pycache__", "__MACOSX", ".git", ".ipynb_checkpoints", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".venv",
    "venv", ".idea", ".vscode", ".DS_Store", "Thumbs.db", ".gitignore", "desktop.ini",
}  # fmt: skip
PACKAGES = ("nn", "models", "optim")
CHUNK = 1 << 20
LONGEST_NAME, DEEPEST = 200, 20
MOST_PROBLEMS = 20
HEADERS = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
LARGEST_HEADER = 1 << 20
UNREADABLE = (
    OSError,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    MemoryError,
)


@dataclass(frozen=True)
class Submission:
    """What a student handed in: the files of their ``hw1/``, by their places in it, and what is wrong with the rest."""

    name: str
    files: dict[str, bytes]
    problems: tuple[str, ...] = ()
    digest: str = ""

    def write_to(self, folder: Path) -> None:
        """Write the files below a folder, readable by every user."""
        for name, content in self.files.items():
            place = folder / name
            for parent in reversed(place.relative_to(folder).parents):
                (folder / parent).mkdir(mode=0o755, exist_ok=True)
            place.write_bytes(content)
            place.chmod(0o644)


def find_submissions(paths: list[Path]) -> list[Path]:
    """The submissions that paths name: each itself, or all that are in a folder of submissions.

    Raises: InputError where there is nothing at a path, or no submission in it.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise InputError(f"there is no submission {path}")
        if not path.is_dir():
            if not path.is_file():
                raise InputError(f"{path} is no submission: it is neither a folder nor a file")
            if not path.name.lower().endswith(ARCHIVES):
                raise InputError(f"{path} is no submission: a folder, or a file that ends in {', '.join(ARCHIVES)}")
            found.append(path)
        elif is_submission(path):
            found.append(path)
        else:
            inside = sorted(
                child
                for child in path.iterdir()
                if not child.name.startswith(".")
                and child.name not in IGNORED
                and (child.is_dir() or (child.name.lower().endswith(ARCHIVES) and child.is_file()))
            )
            if not inside:
                raise InputError(
                    f"{path} is no submission, and there is none in it: a folder with mlcvlab/, or archives"
                )
            found += inside
    return list(dict.fromkeys(path.resolve() if not path.is_symlink() else path for path in found))


def is_submission(path: Path) -> bool:
    """Whether a path is one submission, and not a folder of them."""
    if path.is_file():
        return True
    if any((path / "mlcvlab" / package).is_dir() for package in PACKAGES):
        return True
    if not (path / "hw1/mlcvlab").is_dir():
        return False
    beside = [child for child in path.iterdir() if child.name != "hw1" and child.name not in IGNORED]
    return not any(
        child.name.lower().endswith(ARCHIVES) or (child.is_dir() and is_submission(child)) for child in beside
    )


def read_submission(path: Path, *, most_bytes: int, most_files: int) -> Submission:
    """Read one submission; what is wrong with it is said in its ``problems``, and never raised."""
    name = path.name
    for suffix in sorted(ARCHIVES, key=len, reverse=True):
        if path.is_file() and name.lower().endswith(suffix):
            name = name[: -len(suffix)]
            break
    files: dict[str, bytes] = {}
    problems: list[str] = []
    try:
        for count, (place, content) in enumerate(_entries(path, most_bytes), start=1):
            problem = _problem(place, content, files)
            if problem is not None:
                problems.append(problem)
            elif not is_ignored(place):
                files[_clean(place) or ""] = content or b""
            if count > most_files:
                raise _TooLarge(f"it has more than {most_files:,} files")
    except _TooLarge as error:
        files, problems = {}, [*problems, str(error)]
    except UNREADABLE as error:
        files, problems = {}, [*problems, f"it cannot be read: {error}"]
    digest = hashlib.sha256()
    for place in sorted(files):
        digest.update(f"{place}\0{len(files[place])}\0".encode() + files[place])
    problems = [plain_text(problem) for problem in problems[:MOST_PROBLEMS]]
    digest.update("\0".join(problems).encode())
    return Submission(name, _below_root(files), tuple(problems), digest.hexdigest())


def _problem(place: str, content: bytes | None, files: dict[str, bytes]) -> str | None:
    """Why an entry is not taken, None where it is."""
    clean = _clean(place)
    if clean is None:
        return f"the path {place!r} leads out of the submission, or is no name"
    if content is None:
        return f"{place} is a link or no regular file, and is not read"
    parents = {str(parent) for parent in PurePosixPath(clean).parents}
    if parents & files.keys() or any(other.startswith(f"{clean}/") for other in files):
        return f"{place} is a file and a folder"
    return None


def plain_text(text: str, most: int = 500) -> str:
    """A text on one line that can be written anywhere: cut to a length, with what cannot be printed spelled out.

    So no name and no message of a submission's can look like a line of the grader's.
    """
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text[:most])


class _TooLarge(ValueError):
    pass


def _clean(place: str) -> str | None:
    """A path inside the submission; None where it leads out of it or cannot be a file's."""
    parts = PurePosixPath(place.replace("\\", "/")).parts
    if not parts or parts[0] == "/" or ".." in parts or ":" in parts[0] or "\0" in place:
        return None
    try:
        fits = all(len(part.encode()) <= LONGEST_NAME for part in parts)
    except UnicodeEncodeError:
        return None
    return str(PurePosixPath(*parts)) if fits and len(parts) <= DEEPEST else None


class _Meter:
    """Counts what an archive unpacks to, also what is not taken."""

    def __init__(self, most: int) -> None:
        self.most, self.left = most, most

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise _TooLarge(f"its files hold more than {self.most >> 20} MB")


def _entries(path: Path, most_bytes: int) -> Iterator[tuple[str, bytes | None]]:
    """The paths and contents of a folder or an archive; None as content of what is no regular file."""
    if path.is_symlink():
        raise ValueError("it is a link")
    meter = _Meter(most_bytes)
    if path.is_dir():
        yield from _of_folder(path, meter)
    elif zipfile.is_zipfile(path):
        yield from _of_zip(path, meter)
    else:
        yield from _of_tarball(path, meter)


def _of_folder(folder: Path, meter: _Meter) -> Iterator[tuple[str, bytes | None]]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in IGNORED)
        for name in [*folders, *sorted(names)]:
            place = Path(root, name)
            kind = place.lstat().st_mode
            inside = place.relative_to(folder).as_posix()
            if stat.S_ISDIR(kind) or is_ignored(name):
                continue
            if not stat.S_ISREG(kind):
                yield inside, None
                continue
            descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as file:
                yield inside, _read(file, meter)


def _of_zip(path: Path, meter: _Meter) -> Iterator[tuple[str, bytes | None]]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if is_ignored(entry.filename) or kind not in (0, stat.S_IFREG):
                yield entry.filename, b"" if is_ignored(entry.filename) else None
                continue
            with archive.open(entry) as file:
                yield entry.filename, _read(file, meter)


class _Entry(tarfile.TarInfo):
    """An entry whose header of more than a name is refused: it would be read into memory whole."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in HEADERS and self.size > LARGEST_HEADER:
            raise tarfile.ReadError(f"a header claims {self.size:,} bytes")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]


def _of_tarball(path: Path, meter: _Meter) -> Iterator[tuple[str, bytes | None]]:
    with tarfile.open(path, tarinfo=_Entry) as archive:
        for entry in archive:
            if entry.isdir():
                continue
            if is_ignored(entry.name) or not entry.isreg():
                meter.take(entry.size)  # to pass it by it is unpacked all the same
                yield entry.name, b"" if is_ignored(entry.name) else None
                continue
            file = archive.extractfile(entry)
            yield entry.name, b"" if file is None else _read(file, meter)


def is_ignored(place: str) -> bool:
    """Whether a path is what machines leave behind."""
    parts = PurePosixPath(place.replace("\\", "/")).parts
    return (
        bool(IGNORED & set(parts)) or any(part.startswith("._") for part in parts) or place.endswith((".pyc", ".pyo"))
    )


def _read(file: IO[bytes], meter: _Meter) -> bytes:
    content = bytearray()
    while part := file.read(CHUNK):
        meter.take(len(part))
        content += part
    return bytes(content)


def _below_root(files: dict[str, bytes]) -> dict[str, bytes]:
    """The files of the folder that holds ``mlcvlab/``, by their places in it.

    Where a submission is the handout's whole folder, what stands beside ``hw1/`` is not looked at.
    """
    roots = {
        PurePosixPath(*parts[:i])
        for parts in (PurePosixPath(name).parts for name in files)
        for i, (part, below) in enumerate(pairwise(parts))
        if part == "mlcvlab" and below in PACKAGES
    }
    if not roots:
        notebooks = {PurePosixPath(name).parent for name in files if name.endswith(".ipynb")}
        roots = notebooks or {PurePosixPath()}
    root = min(roots, key=lambda r: (r.name != "hw1", len(r.parts), str(r)))
    return {
        str(PurePosixPath(name).relative_to(root)): content
        for name, content in files.items()
        if PurePosixPath(name).is_relative_to(root)
    }
