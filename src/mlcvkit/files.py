"""Files and folders that appear complete, or not at all.

What is being written has another name, and is locked as long as its process lives. So what a killed process left
behind can be told from what is still being written, and the next process removes it.
"""

import errno
import json
import os
import platform
import re
import secrets
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from mlcvkit.errors import InputError

try:
    import fcntl
except ImportError:  # not a POSIX system: nothing is locked there
    fcntl = None  # type: ignore[assignment]

PARTIAL = ".partial"
RANDOM_NAME = re.compile(r"\.[0-9a-f]{16}\.partial")
HOST_FILE = ".host"


def read_toml(path: Path, name: str) -> dict[str, Any]:
    """Read a TOML file.

    Parameters
    ----------
    path
        The file.
    name
        What it is called in an error.

    Returns
    -------
    dict[str, Any]
        Its tables and values.

    Raises
    ------
    InputError
        If it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is not TOML: {error}") from None


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
        If the folder cannot be written.
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
        If it cannot be written; what was there before is then still there.
    """
    remove_leftovers(path.parent)
    beside, descriptor = _new_file(path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if fcntl is not None:
                beside.replace(path)  # while it is locked
        if fcntl is None:
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
        A descriptor, or None if another process holds the lock.

    Raises
    ------
    OSError
        If it is not there, is a link, cannot be read, or nothing can be locked.
    """
    if fcntl is None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
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
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF):
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
        If it is no JSON, or is nested too deeply.
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
    _remove_temporary(root, prefix)
    with ExitStack() as held:
        folder = root / f"{prefix}{secrets.token_hex(8)}"
        while held.enter_context(locked_folder(folder)) is False:  # taken for a leftover before it was locked
            folder = root / f"{prefix}{secrets.token_hex(8)}"
        folder.chmod(0o755)
        held.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


def _remove_temporary(root: Path, prefix: str) -> None:
    """Remove the folders of killed processes of this host: a folder for temporary files is its own."""
    for path in root.glob(f"{prefix}*"):
        if re.fullmatch(re.escape(prefix) + "[0-9a-f]{16}", path.name) and path.is_dir():
            with suppress(OSError):
                descriptor = lock(path)
                if descriptor is not None:
                    shutil.rmtree(path, ignore_errors=True)
                    os.close(descriptor)


def remove_leftovers(folder: Path, names: re.Pattern[str] = RANDOM_NAME) -> None:
    """Remove what killed processes left in a folder, and nothing that a living one holds.

    Parameters
    ----------
    folder
        The folder.
    names
        The names that only this package gives to such files and folders.
    """
    for path in folder.iterdir():
        if not names.fullmatch(path.name):
            continue
        is_folder = path.is_dir()
        if is_folder and host_of(path) != platform.node():
            continue
        with suppress(OSError):
            descriptor = lock(path)
            if descriptor is None:
                continue
            try:
                shutil.rmtree(path) if is_folder else path.unlink()
            finally:
                os.close(descriptor)


def mark_host(folder: Path) -> None:
    """Note in a folder that is locked which host holds the lock: another one may not see it.

    Parameters
    ----------
    folder
        The folder.
    """
    (folder / HOST_FILE).write_text(platform.node())


def host_of(folder: Path) -> str | None:
    """The host whose process made a folder, where that is noted.

    Parameters
    ----------
    folder
        The folder.

    Returns
    -------
    str | None
        Its name.
    """
    try:
        return (folder / HOST_FILE).read_text()
    except OSError:
        return None
