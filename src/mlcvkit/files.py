"""Files and folders that appear complete, or not at all.

What is being written has another name, and is locked as long as its process lives. So what a killed process left
behind can be told from what is still being written, and the next process removes it.
"""

import errno
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mlcvkit.errors import InputError

try:
    import fcntl
except ImportError:  # not a POSIX system: nothing is locked there
    fcntl = None  # type: ignore[assignment]

PARTIAL = ".partial"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place and rename it, so that it is complete or not there.

    Parameters
    ----------
    path
        The file. A link is replaced, and what it points to stays as it is.
    content
        Its content.

    Raises
    ------
    InputError
        Where the folder cannot be written.
    """
    try:
        replace_file(path, content)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None


def replace_file(path: Path, content: bytes) -> None:
    """Write a file as ``write_whole`` does.

    Parameters
    ----------
    path
        The file.
    content
        Its content.

    Raises
    ------
    OSError
        Where it cannot be written; what was there before is then still there.
    """
    remove_leftovers(path.parent)
    beside, descriptor = _new_file(path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _new_file(folder: Path) -> tuple[Path, int]:
    """A new file with a random name and the permissions that the umask gives, locked."""
    while True:
        path = folder / f".{secrets.token_hex(8)}{PARTIAL}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        if fcntl is not None:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _is_at(path, descriptor):  # not taken for a leftover before it was locked
            return path, descriptor
        os.close(descriptor)


def lock(path: Path) -> int | None:
    """Lock a folder or a file until the descriptor is closed or the process ends.

    Parameters
    ----------
    path
        The folder or file. It is not changed.

    Returns
    -------
    int | None
        A descriptor, or None where another process holds the lock.

    Raises
    ------
    OSError
        Where it is not there, is a link, cannot be read, or nothing can be locked.
    """
    if fcntl is None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(path, descriptor):
            return descriptor
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextmanager
def locked_folder(folder: Path) -> Iterator[bool | None]:
    """Make a folder if it is missing, and hold its lock for the time of the block.

    Parameters
    ----------
    folder
        The folder.

    Yields
    ------
    bool | None
        Whether this process holds the lock. Where nothing can be locked: whether it made the folder, or None.
    """
    descriptor, is_mine = _lock_or_make(folder)
    try:
        yield is_mine
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock_or_make(folder: Path) -> tuple[int | None, bool | None]:
    while True:
        try:
            folder.mkdir()
            is_new = True
        except FileExistsError:
            is_new = False
        try:
            descriptor = lock(folder)
        except FileNotFoundError:  # another process took it for a leftover and removed it
            continue
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS):
                raise
            return None, is_new or None
        return descriptor, descriptor is not None


def parse_json(text: str | bytes) -> Any:
    """Parse JSON from a file that anybody may have written.

    Parameters
    ----------
    text
        The text.

    Returns
    -------
    Any
        Its value.

    Raises
    ------
    ValueError
        Where it is no JSON, or is nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """Make a folder for temporary files, which everybody may read and which is removed after the block.

    What a killed process left under the same prefix is removed first.

    Parameters
    ----------
    prefix
        The beginning of its name.

    Yields
    ------
    Path
        The folder.
    """
    root = Path(tempfile.gettempdir())
    remove_leftovers(root, f"{prefix}*")
    folder = root / f"{prefix}{secrets.token_hex(8)}"
    with locked_folder(folder):
        folder.chmod(0o755)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(folder: Path, pattern: str = f".*{PARTIAL}*") -> None:
    """Remove what killed processes left in a folder, and nothing that a living one holds.

    Parameters
    ----------
    folder
        The folder.
    pattern
        What the names of such files and folders look like.
    """
    for path in folder.glob(pattern):
        with suppress(OSError):
            descriptor = lock(path)
            if descriptor is None:
                continue
            try:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            finally:
                os.close(descriptor)
