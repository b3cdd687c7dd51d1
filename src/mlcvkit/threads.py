"""The number of threads of NumPy's matrix products, which changes their time and never their bits.

A library of matrix products adds up long sums in parts, and how it cuts them may depend on its number of threads. Here
long sums are cut before the library sees them, always at the same places. Then any number of threads gives the same
bits. This is verified for each size of product before it is relied on, so that the number can follow what is faster.
"""

import os
import threading
import time
from functools import cache
from typing import Protocol

import numpy as np

from mlcvlab.nn import Array

LONGEST_SUM, LANES = 384, 32
"""A sum of more terms than the first is cut at the last multiple of the second."""
SMALL = 1 << 18
"""Libraries compute products of fewer multiplications than this with one thread."""
TRIAL = 0.03
"""Seconds of steps for a comparison of two numbers of threads: some time slices of the system."""
SLOWER = 1.3
"""A comparison comes early if steps take this many times as long as they did."""
HOPELESS = 3.0
"""A comparison ends early if the other number is this many times slower in its first steps."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0
"""Seconds from one comparison to the next: they double while the same number of threads stays the faster one."""


def product(a: Array, b: Array, out: Array | None = None) -> Array:
    """The matrix product a b, whose bits do not depend on the number of threads.

    Parameters
    ----------
    a
        A matrix, (n, k).
    b
        A matrix, (k, m).
    out
        Where the product goes, (n, m); a new array by default.

    Returns
    -------
    Array
        The product.
    """
    k = a.shape[1]
    if out is None:
        out = np.empty((a.shape[0], b.shape[1]), np.result_type(a, b))
    if not _by_rows(out) and _by_rows(out.T):
        product(b.T, a.T, out.T)
        return out
    if k <= LONGEST_SUM or not k % LANES:
        return _matmul(a, b, out)
    head = k - k % LANES
    _matmul(a[:, :head], b[:head], out)
    out += _matmul(a[:, head:], b[head:], _scratch(out))
    return out


def _matmul(a: Array, b: Array, out: Array) -> Array:
    work = a.shape[0] * a.shape[1] * b.shape[1]
    if work > SMALL and getattr(_local, "threads", 0) != 1 and not _is_safe(a, b):
        with Threads(1):
            return np.matmul(a, b, out=out)
    return np.matmul(a, b, out=out)


class Pace:
    """Chooses the number of threads for the products of repeated steps: one, or all.

    ``with pace:`` takes a step in the block. Now and then a few steps are taken with the other number, and the faster
    one is kept. Other programs come and go, and if one of two threads waits for a processor, the other waits for it.
    """

    latest = 0
    """The number that was faster last, for any work in this process; 0 if none was compared."""
    pause, waited = FIRST_PAUSE, 0.0
    """Seconds of work in this process from one comparison to the next, and since the last one."""
    won = False
    """Whether all threads were faster than one in the last comparison."""

    def __init__(self) -> None:
        self.most = _most_threads()
        self._usual = self._now = min(Pace.latest or self.most, self.most)
        self._until = max(TRIAL, Pace.pause - Pace.waited) if Pace.latest else TRIAL
        self._steps, self._seconds, self._usually = -1, 0.0, 0.0  # the first step may compile something
        self._recent_steps, self._recent = 0, 0.0
        self._limit = Threads(self._now, Threads.most())
        self._begin = 0.0

    def __enter__(self) -> None:
        """Begin a step."""
        if self.most > 1:
            self._limit.count = self._now
            self._limit.__enter__()
            self._begin = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        """End the step, and note how long it took."""
        if self.most > 1:
            seconds = time.perf_counter() - self._begin
            self._limit.__exit__()
            self._note(seconds)

    def _note(self, seconds: float) -> None:
        self._steps += 1
        self._seconds += seconds if self._steps else 0
        Pace.waited += seconds
        is_hopeless = (
            self._now != self._usual and self._steps > 1 and self._seconds > HOPELESS * self._usually * self._steps
        )
        if not self._steps or not (self._seconds >= self._until or is_hopeless or self._became_slower(seconds)):
            return
        mean, self._steps, self._seconds = self._seconds / self._steps, 0, 0.0
        self._recent_steps, self._recent = 0, 0.0
        if self._now == self._usual:
            self._usually, self._until = mean, TRIAL
            self._now = 1 if self._usual == self.most else self.most
            return
        if mean < self._usually and (self._now == 1 or Pace.won):
            self._usual, Pace.pause, Pace.won = self._now, FIRST_PAUSE, False
        elif mean < self._usually:  # beside a neighbour all threads may be faster by chance: they have to be twice
            self._now, Pace.pause, Pace.won = self._usual, FIRST_PAUSE, True
        else:
            Pace.won = False
            self._now, Pace.pause = self._usual, min(2 * Pace.pause, LONGEST_PAUSE)
        Pace.latest, Pace.waited, self._until = self._usual, 0.0, Pace.pause

    def _became_slower(self, seconds: float) -> bool:
        """Whether the last steps with the usual number took much longer than those before."""
        self._recent_steps, self._recent = self._recent_steps + 1, self._recent + seconds
        if self._now != self._usual or self._recent < TRIAL:
            return False
        mean, self._recent_steps, self._recent = self._recent / self._recent_steps, 0, 0.0
        became_slower = bool(self._usually) and mean > SLOWER * self._usually and Pace.waited > FIRST_PAUSE
        self._usually = self._usually or mean
        return became_slower


class Threads:
    """Let NumPy's products use a number of threads in a block.

    Parameters
    ----------
    count
        The number.
    outside
        The number outside all blocks. By default it is looked up.
    """

    _blocks = threading.Lock()
    _open = 0
    _before = _current = 1

    def __init__(self, count: int, outside: int | None = None) -> None:
        self.count, self.outside, self._around = count, outside, 0

    def __enter__(self) -> None:
        """Set the number."""
        self._around, _local.threads = getattr(_local, "threads", 0), self.count
        with Threads._blocks:
            if not Threads._open:
                Threads._before = Threads._current = self.outside or _product_threads()
            Threads._open += 1
            Threads._set(self.count)

    def __exit__(self, *_: object) -> None:
        """Set the number of before."""
        _local.threads = self._around
        with Threads._blocks:
            Threads._open -= 1
            Threads._set(self._around if self._around and Threads._open else Threads._before)

    @classmethod
    def most(cls) -> int:
        """The number of threads of products outside all blocks."""
        return cls._before if cls._open else _product_threads()

    @classmethod
    def _set(cls, count: int) -> None:
        if count != cls._current:
            cls._current = count
            for library in _libraries():
                library.set_num_threads(count)


_local = threading.local()


def _scratch(like: Array) -> Array:
    """A buffer for a matrix like another one, which the next call in this thread returns again."""
    room: Array | None = getattr(_local, "room", None)
    if room is None or room.size < like.size or room.dtype != like.dtype:
        room = _local.room = np.empty(like.size, like.dtype)
    return room[: like.size].reshape(like.shape)


def _most_threads() -> int:
    """The most threads for a product here: the library's setting, but no more than there are processors."""
    return min(Threads.most(), cores())


def cores() -> int:
    """The number of processors that this process may use.

    Returns
    -------
    int
        The number, 1 at least.
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _by_rows(a: Array) -> bool:
    """Whether a matrix is stored row by row, and not column by column."""
    return a.strides[1] == a.itemsize


def _is_safe(a: Array, b: Array) -> bool:
    (rows, k), columns = a.shape, b.shape[1]
    return _gives_the_same_bits(rows, k, columns, _by_rows(a), _by_rows(b), a.dtype.char, _most_threads())


@cache
def _gives_the_same_bits(
    rows: int, k: int, columns: int, a_by_rows: bool, b_by_rows: bool, dtype: str, most: int
) -> bool:
    """Whether products of this size are the same with one thread and with the most that there may be.

    A matrix lies row by row or column by column.
    """
    rng, results = np.random.default_rng(0), []
    a = rng.random((rows, k) if a_by_rows else (k, rows)).astype(dtype)
    b = rng.random((k, columns) if b_by_rows else (columns, k)).astype(dtype)
    for count in (1, most):
        with Threads(count):
            results.append(np.matmul(a if a_by_rows else a.T, b if b_by_rows else b.T))
    return bool(results[0].tobytes() == results[1].tobytes())


class _Library(Protocol):
    filepath: str

    def get_num_threads(self) -> int | None: ...

    def set_num_threads(self, num_threads: int) -> None: ...


@cache
def _libraries() -> list[_Library]:
    """The libraries of NumPy's matrix products, whose threads can be set."""
    from threadpoolctl import ThreadpoolController

    found: list[_Library] = ThreadpoolController().select(user_api="blas").lib_controllers
    return [library for library in found if "numpy" in str(library.filepath)] or found


def _product_threads() -> int:
    return min((int(library.get_num_threads() or 1) for library in _libraries()), default=1)
