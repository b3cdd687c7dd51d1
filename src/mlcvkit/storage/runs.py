"""Run folders. Each appears whole, or not at all."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import count
from pathlib import Path

from mlcvkit.errors import InputError


@contextmanager
def new_run(root: Path, name: str | None) -> Iterator[tuple[Path, Path]]:
    """A new run folder that appears whole, when the block ends, or not at all.

    Parameters
    ----------
    root
        The folder of all runs, which is made if it is missing.
    name
        The name of the run. By default the time.

    Yields
    ------
    tuple[Path, Path]
        The folder to write to, and the place where it will be afterwards.

    Raises
    ------
    InputError
        Where the name is taken or not a name, or the folder cannot be written.
    """
    target = free_folder(root, name)
    missing = _missing(root)
    beside: Path | None = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-", dir=root))
    except OSError as error:
        _remove_empty(missing)
        raise InputError(f"the output folder {root} cannot be written: {error.strerror}") from None
    try:
        yield beside, target
        beside.chmod(0o755)
        _put_in_place(beside, target)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        _remove_empty(missing)
        raise


def _put_in_place(beside: Path, target: Path) -> None:
    """Rename a finished run; where another one took its name meanwhile, it is kept under the next free one."""
    try:
        beside.rename(target)
    except OSError:
        if not target.exists():
            raise
        free = next(path for n in count(2) if not (path := target.with_name(f"{target.name}-{n}")).exists())
        beside.rename(free)
        raise InputError(f"another run took the name {target} meanwhile: this one is saved as {free}") from None


def _is_taken(root: Path, name: str) -> bool:
    """Whether a run has this name, or one that is not finished."""
    return (root / name).exists() or any(root.glob(f".{name}.partial-*"))


@contextmanager
def open_run(folder: Path) -> Iterator[tuple[Path, Path]]:
    """A run folder that is there from the start, for checkpoints; results appear in it when the block ends.

    Parameters
    ----------
    folder
        The folder of the run.

    Yields
    ------
    tuple[Path, Path]
        The folder to write results to, and ``folder``.

    Raises
    ------
    InputError
        Where the folder cannot be written.
    """
    missing = _missing(folder)
    beside = folder / ".partial"
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
    except OSError as error:
        _remove_empty(missing)
        raise InputError(f"the run's folder {folder} cannot be written: {error.strerror}") from None
    try:
        yield beside, folder
        for path in sorted(beside.iterdir()):
            path.replace(folder / path.name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        _remove_empty(missing)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place and rename it, so that it is complete or not there.

    Parameters
    ----------
    path
        The file.
    content
        Its content.

    Raises
    ------
    InputError
        Where the folder cannot be written.
    """
    beside = path.with_name(f".{path.name}.partial")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise InputError(f"{path} cannot be written: {error.strerror}") from None


def free_folder(root: Path, name: str | None) -> Path:
    """The folder of a new run.

    Runs of the same second are numbered. What a run left that was killed before its first checkpoint takes no name.

    Parameters
    ----------
    root
        The folder of all runs.
    name
        The name of the run. By default the time.

    Returns
    -------
    Path
        The folder, which does not exist yet.

    Raises
    ------
    InputError
        Where the name is taken or is no name.
    """
    if name is None:
        start = datetime.now().strftime("%Y-%m-%d-%H%M%S")
        names = (start, *(f"{start}-{number}" for number in range(2, 1000)))
        name = next((name for name in names if not _is_taken(root, name)), start)
    if not re.fullmatch(r"[\w][\w.-]*", name):
        raise InputError(f"a run's name has letters, digits, '-', '_' and '.', and no '/'; got {name!r}")
    target = root / name
    if target.is_dir() and all(path.match(".*partial") for path in target.iterdir()):
        shutil.rmtree(target)
    if target.exists():
        raise InputError(f"{target} exists already; choose another --name, or remove it")
    return target


def _missing(folder: Path) -> list[Path]:
    return [place for place in (folder, *folder.parents) if not place.exists()]


def _remove_empty(folders: list[Path]) -> None:
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()
