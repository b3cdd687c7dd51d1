"""What all visitors share: processor time, places, the folder of runs, the trainings of tabs, the sandbox."""

import asyncio
import ctypes
import gc
import os
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from nicegui import Client, background_tasks, run

from mlcvkit.errors import InputError
from mlcvkit.playground.experiments import KEEPS_WEIGHTS, Experiment
from mlcvkit.playground.networks import Network
from mlcvkit.playground.sessions import FairSemaphore, Session

MEMORY_RETURNED_AFTER = 2.0
"""Seconds from the end of a page until its memory goes back to the system."""
MOST_SAVES = 20
"""Runs that one browser tab may save."""
OPENING = Experiment(weight_decay=0.001)
"""What the page opens on. The decay removes the noise of the initial weights from the pictures of the units."""
OPENING_STEPS = 1721
"""Four epochs of the homework's 55,000 images in batches of 128, and the first step of the fifth."""
Result = TypeVar("Result")


class TooManyVisitors(InputError):
    """All places are taken."""


def share_memory_arenas() -> None:
    """Let all threads allocate from one arena of glibc, so that freed memory can be returned; elsewhere do nothing."""
    arena_max = -8  # M_ARENA_MAX
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(arena_max, 1)


def return_memory() -> None:
    """Return the memory of deleted networks to the system, where its allocator can."""
    gc.collect()  # a training, its page and its network refer to one another
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


async def in_thread(function: Callable[..., Result], *arguments: Any) -> Result:
    """Run a slow function in a thread, so that the event loop goes on, and return its result.

    Raises: CancelledError if the server ends or the visitor leaves first; NiceGUI's ``io_bound`` returns None then.
    """
    returned: list[Result] = []
    await run.io_bound(lambda: returned.append(function(*arguments)))
    if not returned:
        raise asyncio.CancelledError
    return returned[0]


def when_gone(client: Client, close: Callable[[], None]) -> None:
    """Call ``close`` when a page is gone, and then return its memory."""

    async def clean_up() -> None:
        await in_thread(close)
        await asyncio.sleep(MEMORY_RETURNED_AFTER)
        await in_thread(return_memory)

    client.on_delete(lambda: background_tasks.create(clean_up()))


@dataclass
class Limits:
    """The limits for visitors, and their trainings.

    Parameters: ``runs``, the folder for saved runs; ``submissions``, the folder with students' work; ``most_visitors``
    at the same time; ``most_seconds`` of computation for one training.
    """

    runs: Path = Path("runs")
    submissions: Path = Path()
    most_visitors: int = 24
    most_seconds: float = 600.0
    semaphore: FairSemaphore = field(default_factory=lambda: FairSemaphore(max(1, (os.cpu_count() or 2) - 1)))
    visitors: dict[int, str] = field(default_factory=dict)
    """The tab of each open page: a tab has one place, also while its next page opens and the last is not gone."""
    saves: Counter[str] = field(default_factory=Counter)
    lock: Any = field(default_factory=threading.Lock)
    tabs: OrderedDict[str, Session] = field(default_factory=OrderedDict)
    """The training that each browser tab shows, or showed last."""
    opening: Session | None = None
    opening_lock: Any = field(default_factory=threading.Lock)

    def enter(self, visitor: int, tab: str | None = None) -> None:
        """Let a visitor in; TooManyVisitors if all places are taken."""
        tab = tab or str(visitor)
        with self.lock:
            if len({*self.visitors.values()} - {tab}) >= self.most_visitors:
                raise TooManyVisitors(
                    f"All {self.most_visitors} places of this playground are taken: try again when someone has left"
                )
            self.visitors[visitor] = tab

    def leave(self, visitor: int) -> None:
        """Free the place of a visitor."""
        with self.lock:
            self.visitors.pop(visitor, None)

    def count_save(self, tab: str) -> None:
        """Count a saved run; InputError if the tab has saved as many as it may."""
        with self.lock:
            if self.saves[tab] >= MOST_SAVES:
                raise InputError(f"{MOST_SAVES} runs are the most that can be saved from one tab of the browser")
            self.saves[tab] += 1

    def session(self, start: Experiment | Network) -> Session:
        """A new training."""
        return Session(start, self.semaphore, self.most_seconds)

    def session_of(self, tab: str, experiment: Experiment | None, base: dict[str, str] | None = None) -> Session | None:
        """The training that a tab showed before a reload, a lost connection or another page.

        Parameters: ``experiment``, None for whichever it was; ``base``, the guide or the run of its address. Returns
        None if it was another experiment: one that differs in more than settings that keep the weights.
        """
        with self.lock:
            session = self.tabs.get(tab)
        if session is None or experiment is None:
            return session
        names = {name for name, value in vars(experiment).items() if value != getattr(session.experiment, name)}
        keeps = names <= KEEPS_WEIGHTS and experiment.is_nn2 == session.experiment.is_nn2
        return session if keeps and session.base == (base or {}) else None

    def show(self, tab: str, client: int, session: Session) -> Callable[[], None]:
        """Note that a tab shows a training; what is returned ends its thread once no page of the tab shows it."""
        session.shown_by = client
        forgotten: list[Session] = []
        with self.lock:
            before = self.tabs.pop(tab, None)
            self.tabs[tab] = session
            if before is not None and before is not session:
                forgotten.append(before)
            while len(self.tabs) > 2 * self.most_visitors:
                forgotten.append(self.tabs.popitem(last=False)[1])
        for one in forgotten:
            one.close()

        def gone() -> None:
            if session.shown_by == client:
                session.pause()
                session.close()

        return gone

    def trained_session(self) -> Session:
        """The training that the page opens on: the homework's network after a few epochs."""
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
        """The sandbox for students' code; InputError if there is none."""
        from mlcvkit.extras import require

        require("course")
        from mlcvkit import course

        return course.Sandbox(course.libraries(course.read_assignment(None)))

    def found_submissions(self) -> dict[str, Path]:
        """The submissions in the folder for them, by name."""
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
