"""Run folders. Each appears complete, or not at all, and its name is taken from the start."""

import json
import platform
import re
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from secrets import token_hex

from mlcvkit.arrays import PlainData
from mlcvkit.errors import InputError
from mlcvkit.files import HOST_FILE, PARTIAL, host_of, locked_folder, mark_host, remove_leftovers, write_whole

CONFIG_FILE = "config.toml"
RESULT_FILE = "result.json"
LOOKS = 20
"""How often it is looked whether a name is free."""
RESERVED = re.compile(r"\.\w[\w.-]*\.partial")
"""The folder that a run is written in, beside its place."""


def write_configuration(folder: Path, configuration: PlainData) -> None:
    """Write config.toml into the folder of a run.

    Parameters
    ----------
    folder
        The folder.
    configuration
        Names, numbers, truth values and lists of them, which TOML and JSON write in the same way; None is left out.
    """
    lines = (f"{k} = {json.dumps(v, ensure_ascii=False)}\n" for k, v in configuration.items() if v is not None)
    write_whole(folder / CONFIG_FILE, "".join(lines).encode())


@contextmanager
def new_run(root: Path, name: str | None) -> Iterator[tuple[Path, Path]]:
    """A new run folder that appears complete when the block ends, or not at all.

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
        If the name is taken or is no name, or the folder cannot be written.
    """
    with claimed(root, name) as (beside, target):
        yield beside, target
        _put_in_place(beside, target)


@contextmanager
def new_resumable_run(root: Path, name: str | None) -> Iterator[tuple[Path, Path]]:
    """A new run folder that is there from the start, for checkpoints; the results appear in it when the block ends.

    Parameters
    ----------
    root
        The folder of all runs, which is made if it is missing.
    name
        The name of the run. By default the time.

    Yields
    ------
    tuple[Path, Path]
        The folder to write results to, and the folder of the run.

    Raises
    ------
    InputError
        If the name is taken or is no name, or the folder cannot be written.
    """
    with claimed(root, name) as (_, target), open_run(target) as places:
        yield places


@contextmanager
def open_run(folder: Path) -> Iterator[tuple[Path, Path]]:
    """The folder of a run that is gone on with; the results appear in it when the block ends.

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
        If another process is at work on the run, or the folder cannot be written.
    """
    missing = _missing(folder)
    try:
        with ExitStack() as held:
            with _as_users_error(folder):
                place = folder.resolve()  # the folder may be a link to a run
                place.parent.mkdir(parents=True, exist_ok=True)
                if held.enter_context(locked_folder(place)) is False:
                    raise InputError(f"another process is training in {folder}: wait until it has ended")
                remove_leftovers(folder)
                beside = folder / f".{token_hex(8)}{PARTIAL}"
                held.enter_context(locked_folder(beside))
                mark_host(beside)
            held.callback(shutil.rmtree, beside, ignore_errors=True)
            yield beside, folder
            (beside / HOST_FILE).unlink()
            for path in sorted(beside.iterdir()):
                path.replace(folder / path.name)
    finally:
        _remove_empty(missing)


@contextmanager
def claimed(root: Path, name: str | None) -> Iterator[tuple[Path, Path]]:
    """Take a name among the runs, for as long as the block lasts or the process lives.

    Runs of the same second are numbered. What a run left that was killed before its first checkpoint takes no name.

    Parameters
    ----------
    root
        The folder of all runs, which is made if it is missing.
    name
        The name of the run. By default the time.

    Yields
    ------
    tuple[Path, Path]
        An empty folder that nobody else writes to, and the folder of the run, which does not exist yet.

    Raises
    ------
    InputError
        If the name is taken or is no name, or the folder cannot be written.
    """
    if name is not None and not re.fullmatch(r"[\w][\w.-]*", name):
        raise InputError(f"a run's name has letters, digits, '-', '_' and '.', and no '/'; got {name!r}")
    missing = _missing(root)
    try:
        with ExitStack() as held:
            with _as_users_error(root):
                root.mkdir(parents=True, exist_ok=True)
                remove_leftovers(root, RESERVED)
                beside, target = _claim(root, name, held)
            held.callback(shutil.rmtree, beside, ignore_errors=True)
            yield beside, target
    finally:
        _remove_empty(missing)


def _claim(root: Path, name: str | None, held: ExitStack) -> tuple[Path, Path]:
    for candidate in _names() if name is None else [name]:
        beside, target = root / f".{candidate}{PARTIAL}", root / candidate
        is_mine = held.enter_context(locked_folder(beside))
        for _ in range(0 if name is None else LOOKS):  # another process may just be removing a leftover
            if is_mine is not False:
                break
            held.close()
            threading.Event().wait(0.05)
            is_mine = held.enter_context(locked_folder(beside))
        host = host_of(beside)
        if is_mine and host not in (None, platform.node()):
            problem = f"a run on {host} is being saved as {target}; choose another --name, or remove {beside}"
        elif is_mine:
            _remove_unfinished(target)
            if not target.exists():
                mark_host(beside)
                return beside, target
            shutil.rmtree(beside)
            problem = f"{target} exists already; choose another --name, or remove it"
        else:
            problem = f"another run is being saved as {target}; choose another --name"
        held.close()
        if name is not None:
            raise InputError(problem)
    raise AssertionError("the names never end")


def _names() -> Iterable[str]:
    start = datetime.now().strftime("%Y-%m-%d-%H%M%S")
    yield start
    yield from (f"{start}-{number}" for number in count(2))


def _remove_unfinished(target: Path) -> None:
    """Remove the folder of a run that was killed before there was anything to go on with."""
    if not target.is_dir() or target.is_symlink():
        return
    names = {path.name for path in target.iterdir()}
    leftovers = {name for name in names if name.startswith(".") and name.endswith(PARTIAL)}
    if names == leftovers or (leftovers and names == leftovers | {CONFIG_FILE}):
        with locked_folder(target) as is_mine:
            if is_mine:
                shutil.rmtree(target)


def _put_in_place(beside: Path, target: Path) -> None:
    """Rename a finished run; where something else took its place meanwhile, it gets the next free name."""
    (beside / HOST_FILE).unlink()
    try:
        beside.rename(target)
    except OSError:
        if not target.exists():
            raise
        free = next(path for n in count(2) if not (path := target.with_name(f"{target.name}-{n}")).exists())
        beside.rename(free)
        raise InputError(f"{target} was made by something else meanwhile: this run is saved as {free}") from None


@contextmanager
def _as_users_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"the output folder {folder} cannot be written: {error.strerror}") from None


def _missing(folder: Path) -> list[Path]:
    return [place for place in (folder, *folder.parents) if not place.exists()]


def _remove_empty(folders: list[Path]) -> None:
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()
