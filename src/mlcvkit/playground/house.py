"""What all visitors share: the turns to compute, the limits, the folder of runs, the sandbox."""

import asyncio
import ctypes
import gc
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from nicegui import Client, background_tasks, run

from mlcvkit.errors import InputError
from mlcvkit.playground.experiments import Experiment
from mlcvkit.playground.sessions import Session, Turnstile

FORGOTTEN_AFTER = 2.0
OPENING = Experiment(weight_decay=0.001)
"""What the page opens on: the decay takes the noise of the first weights out of the pictures of the units."""
OPENING_STEPS = 1721
"""Four epochs of the homework's 55,000 images in batches of 128, and the step that begins the fifth."""
Result = TypeVar("Result")


class Full(InputError):
    """There are as many visitors as there may be."""


def keep_memory_together() -> None:
    """Let all threads take memory from the same places, so that what is given back is whole; as far as can be said."""
    arena_max = -8  # M_ARENA_MAX of glibc
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(arena_max, 1)


def give_memory_back() -> None:
    """Give the memory of networks that are gone back to the system, where its allocator can."""
    gc.collect()  # a training, its page and its network refer to one another
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


async def in_thread(function: Callable[..., Result], *arguments: Any) -> Result:
    """What a function returns that takes time, while the event loop goes on.

    Raises: CancelledError where the server ends or the visitor leaves first; NiceGUI's ``io_bound`` returns None then.
    """
    returned: list[Result] = []
    await run.io_bound(lambda: returned.append(function(*arguments)))
    if not returned:
        raise asyncio.CancelledError
    return returned[0]


def when_gone(client: Client, close: Callable[[], None]) -> None:
    """Close what a visitor had when the page is gone, and give its memory back once it is forgotten as well."""

    async def clean_up() -> None:
        await in_thread(close)
        await asyncio.sleep(FORGOTTEN_AFTER)
        await in_thread(give_memory_back)

    client.on_delete(lambda: background_tasks.create(clean_up()))


@dataclass
class House:
    """The limits, and the sessions of all visitors.

    Arguments: ``runs``, the folder where runs are saved and opened; ``submissions``, where students' work is looked
    for; ``most_visitors`` at the same time; ``most_seconds`` that one training may compute.
    """

    runs: Path = Path("runs")
    submissions: Path = Path()
    most_visitors: int = 24
    most_seconds: float = 600.0
    turnstile: Turnstile = field(default_factory=lambda: Turnstile(max(1, (os.cpu_count() or 2) - 1)))
    visitors: set[int] = field(default_factory=set)
    lock: Any = field(default_factory=threading.Lock)
    opening: Session | None = None
    opening_lock: Any = field(default_factory=threading.Lock)

    def enter(self, visitor: int) -> None:
        """Let a visitor in; Full where there are too many."""
        with self.lock:
            if len(self.visitors) >= self.most_visitors:
                raise Full(f"{self.most_visitors} visitors are here, which is as many as there may be: try again later")
            self.visitors.add(visitor)

    def leave(self, visitor: int) -> None:
        """Let a visitor out."""
        with self.lock:
            self.visitors.discard(visitor)

    def session(self, experiment: Experiment) -> Session:
        """A new training."""
        return Session(experiment, self.turnstile, self.most_seconds)

    def trained_session(self) -> Session:
        """The training that the page opens on: of the homework's network, a few epochs on."""
        with self.opening_lock:
            if self.opening is None:
                first = self.session(OPENING)
                first.step(OPENING_STEPS)
                first.wait()
                self.opening = first
        session = self.session(OPENING)
        session.go_on_from(self.opening)
        return session

    @cached_property
    def sandbox(self) -> Any:
        """Where students' code runs; InputError where there is none."""
        from mlcvkit.extras import require

        require("course")
        from mlcvkit import course

        return course.Sandbox(course.libraries(course.read_assignment(None)))

    def found_submissions(self) -> dict[str, Path]:
        """Students' work in the folder for it, by name."""
        from mlcvkit.extras import require

        require("course")
        from mlcvkit.course import is_submission

        folders = [self.submissions, *sorted(self.submissions.iterdir())] if self.submissions.is_dir() else []
        found = {}
        for folder in folders:
            if folder.is_dir() and not folder.name.startswith(".") and is_submission(folder):
                tree = folder if (folder / "mlcvlab").is_dir() else folder / "hw1"
                found[folder.name or str(folder.resolve().name)] = tree.resolve()
        return found
