"""Submissions: a folder, a zip file or a tarball each, read without trusting them.

Only regular files are taken, as bytes, with a limit on their number and size: no link is followed, no path leaves the
submission, and nothing is unpacked that says it is small and is not.
"""

import hashlib
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mlcvkit import InputError

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
IGNORED = {
    "__pycache__", "__MACOSX", ".git", ".ipynb_checkpoints", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".venv",
    "venv", ".idea", ".vscode", ".DS_Store", "Thumbs.db", ".gitignore", "desktop.ini",
}  # fmt: skip
CHUNK = 1 << 20


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
        if path.is_file():
            if not path.name.lower().endswith(ARCHIVES):
                raise InputError(f"{path} is no submission: a folder, or a file that ends in {', '.join(ARCHIVES)}")
            found.append(path)
        elif _is_submission(path):
            found.append(path)
        else:
            inside = sorted(
                child
                for child in path.iterdir()
                if not child.name.startswith(".")
                and child.name not in IGNORED
                and (child.is_dir() or child.name.lower().endswith(ARCHIVES))
            )
            if not inside:
                raise InputError(
                    f"{path} is no submission, and there is none in it: a folder with mlcvlab/, or archives"
                )
            found += inside
    return list(dict.fromkeys(path.resolve() if not path.is_symlink() else path for path in found))


def _is_submission(folder: Path) -> bool:
    return any((folder / place).is_dir() for place in ("mlcvlab", "hw1", "hw1/mlcvlab"))


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
        for place, content in _entries(path, most_bytes):
            clean = _clean(place)
            if clean is None:
                problems.append(f"the path {place!r} leads out of the submission")
            elif content is None:
                problems.append(f"{place} is a link or no regular file, and is not read")
            elif not IGNORED & set(PurePosixPath(clean).parts) and not clean.endswith((".pyc", ".pyo")):
                files[clean] = content
            if len(files) > most_files:
                raise _TooLarge(f"it has more than {most_files:,} files")
            if sum(map(len, files.values())) > most_bytes:
                raise _TooLarge(f"its files hold more than {most_bytes >> 20} MB")
    except _TooLarge as error:
        files, problems = {}, [*problems, str(error)]
    except (
        OSError,
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        EOFError,
        ValueError,
        RuntimeError,
        NotImplementedError,
    ) as error:
        files, problems = {}, [*problems, f"it cannot be read: {error}"]
    digest = hashlib.sha256()
    for place in sorted(files):
        digest.update(f"{place}\0{len(files[place])}\0".encode() + files[place])
    digest.update("\0".join(problems).encode())
    return Submission(name, _below_root(files), tuple(problems), digest.hexdigest())


class _TooLarge(ValueError):
    pass


def _clean(place: str) -> str | None:
    """A path inside the submission; None where it leads out of it."""
    parts = PurePosixPath(place.replace("\\", "/")).parts
    if not parts or parts[0] == "/" or ".." in parts or ":" in parts[0] or "\0" in place:
        return None
    return str(PurePosixPath(*parts))


def _entries(path: Path, most_bytes: int) -> Iterator[tuple[str, bytes | None]]:
    """The paths and contents of a folder or an archive; None as content of what is no regular file."""
    if path.is_symlink():
        raise ValueError("it is a link")
    if path.is_dir():
        yield from _of_folder(path, most_bytes)
    elif zipfile.is_zipfile(path):
        yield from _of_zip(path, most_bytes)
    else:
        yield from _of_tarball(path, most_bytes)


def _of_folder(folder: Path, most_bytes: int) -> Iterator[tuple[str, bytes | None]]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in IGNORED)
        for name in [*folders, *sorted(names)]:
            place = Path(root, name)
            kind = place.lstat().st_mode
            inside = place.relative_to(folder).as_posix()
            if stat.S_ISDIR(kind) or name in IGNORED:
                continue
            if not stat.S_ISREG(kind):
                yield inside, None
                continue
            descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as file:
                yield inside, _at_most(file, most_bytes)


def _of_zip(path: Path, most_bytes: int) -> Iterator[tuple[str, bytes | None]]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            kind = entry.external_attr >> 16
            if entry.is_dir() or _is_ignored(entry.filename):
                continue
            if stat.S_IFMT(kind) not in (0, stat.S_IFREG):
                yield entry.filename, None
                continue
            with archive.open(entry) as file:
                yield entry.filename, _at_most(file, most_bytes)


def _of_tarball(path: Path, most_bytes: int) -> Iterator[tuple[str, bytes | None]]:
    with tarfile.open(path) as archive:
        for entry in archive:
            if entry.isdir() or _is_ignored(entry.name):
                continue
            file = archive.extractfile(entry) if entry.isreg() else None
            yield entry.name, None if file is None else _at_most(file, most_bytes)


def _is_ignored(place: str) -> bool:
    return bool(IGNORED & set(PurePosixPath(place).parts))


def _at_most(file: object, most_bytes: int) -> bytes:
    content = bytearray()
    while part := file.read(CHUNK):  # type: ignore[attr-defined]
        content += part
        if len(content) > most_bytes:
            raise _TooLarge(f"a file holds more than {most_bytes >> 20} MB")
    return bytes(content)


def _below_root(files: dict[str, bytes]) -> dict[str, bytes]:
    """The files of the folder that holds ``mlcvlab/``, by their places in it.

    Where a submission is the handout's whole folder, what stands beside ``hw1/`` is not looked at.
    """
    roots = {
        PurePosixPath(*parts[:i])
        for parts in (PurePosixPath(name).parts for name in files)
        for i, part in enumerate(parts[:-1])
        if part == "mlcvlab"
    }
    if not roots:
        notebooks = {PurePosixPath(name).parent for name in files if name.endswith(".ipynb")}
        roots = notebooks or {PurePosixPath()}
    root = min(roots, key=lambda r: (len(r.parts), str(r)))
    return {
        str(PurePosixPath(name).relative_to(root)): content
        for name, content in files.items()
        if PurePosixPath(name).is_relative_to(root)
    }
