"""What the processes of a sandbox use: CPU time, memory, and time in which none of them works.

No limit on a student's code depends on the clock. Computing is limited by the CPU time of all its processes together,
which does not depend on other programs; sleeping and waiting are limited by the time in which none of the processes
could run.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_Times = dict[psutil.Process, tuple[float, float]]
MOST_BETWEEN = 1.0
LEAST_SHARE = 0.01


@dataclass(frozen=True)
class Limits:
    """The limits for the processes of a sandbox.

    Parameters
    ----------
    seconds
        CPU time for one request, of all processes together.
    memory_mb
        Memory of all processes together, in MB.
    processes
        The most processes at a time.
    output_mb
        The most output, in MB.
    scratch_mb
        Size of the folder that they can write to, in MB.
    idle_seconds
        The longest time, during one request, in which none of them can run.
    """

    seconds: float
    memory_mb: int
    processes: int
    output_mb: int
    scratch_mb: int
    idle_seconds: float = 30.0


class Usage:
    """The CPU time and the idle time of a process and of everything it started.

    The CPU time is that of the running processes and of the children that they waited for. A child that nobody waits
    for is lost when it ends: the last CPU time that was measured is added for it.

    The idle time grows while no thread is running, ready to run, or waiting for a disk. A process that is ready but
    gets no processor, since others keep the machine busy, is not idle.
    """

    def __init__(self, root: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.root, self.clock = root, clock
        self.idle_seconds = 0.0
        self._measured = clock()
        self._times: _Times = {}
        self._vanished = 0.0
        self._most = 0.0

    def cpu_seconds(self) -> float:
        """CPU time so far of the processes of the last measurement."""
        current = {process: times_of for process in self._times if (times_of := _cpu_times(process)) is not None}
        return self._total(current, self._vanished_since(current))

    def measure(self, *, is_active: bool = False) -> float:
        """Measure all processes.

        Parameters
        ----------
        is_active
            Whether the processes are known to have worked since the last measurement.

        Returns
        -------
        float
            CPU time so far, in seconds.
        """
        processes = _family(self.root)
        times = {process: times_of for process in processes if (times_of := _cpu_times(process)) is not None}
        self._vanished, before = self._vanished_since(times), self._most
        self._times = times
        after = self._total(times, self._vanished)
        now = self.clock()
        elapsed = min(now - self._measured, MOST_BETWEEN)
        self._measured = now
        if not is_active and after - before < LEAST_SHARE * elapsed and not any(map(_can_run, processes)):
            self.idle_seconds += elapsed
        return after

    def processes(self) -> set[psutil.Process]:
        """The processes of the last measurement, and those of now."""
        return {*self._times, *_family(self.root)}

    def memory(self) -> int:
        """Bytes of the processes of the last measurement: resident memory, and files in memory."""
        return sum(map(_memory_of, self._times))

    def _vanished_since(self, times: _Times) -> float:
        """CPU time of processes that ended and that their parents did not wait for."""
        ended = sum(sum(times_of) for process, times_of in self._times.items() if process not in times)
        collected = sum(children - self._times.get(process, (0.0, 0.0))[1] for process, (_, children) in times.items())
        return self._vanished + ended - collected

    def _total(self, times: _Times, vanished: float) -> float:
        self._most = max(self._most, sum(map(sum, times.values())) + max(0.0, vanished))
        return self._most


def _family(root: int) -> list[psutil.Process]:
    with suppress(psutil.Error):
        first = psutil.Process(root)
        return [first, *first.children(recursive=True)]
    return []


def _cpu_times(process: psutil.Process) -> tuple[float, float] | None:
    """The CPU time of a process and of the children that it waited for; None if it is gone."""
    with suppress(psutil.Error):
        times = process.cpu_times()
        return times.user + times.system, times.children_user + times.children_system
    return None


def _can_run(process: psutil.Process) -> bool:
    """Whether a thread of a process is running, ready to run, or waiting for a disk.

    A parent that waits in vfork for its child looks like one that waits for a disk, so that this does not count for a
    process with children. Without /proc nothing is known of threads, and only CPU time counts.
    """
    states = set()
    for stat in Path(f"/proc/{process.pid}/task").glob("*/stat"):
        with suppress(OSError):
            states.add(stat.read_text(errors="replace").rpartition(")")[2].split()[0])
    with suppress(psutil.Error):
        return "R" in states or ("D" in states and not process.children())
    return False


def _memory_of(process: psutil.Process) -> int:
    total = 0
    with suppress(psutil.Error):
        total += int(process.memory_info().rss)
    with suppress(OSError):
        for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
            with suppress(OSError):
                if str(descriptor.readlink()).startswith("/memfd:"):
                    total += descriptor.stat().st_blocks * 512
    return total
