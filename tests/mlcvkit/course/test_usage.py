"""What processes use: computing is counted wherever it is done, and waiting is not what a busy machine causes."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from events import wait_for
from mlcvkit.course.usage import MOST_BETWEEN, Usage

BURN = """
import os, signal, sys, time
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
"""


class Clock:
    """A clock that the test sets."""

    now = 0.0

    def __call__(self):
        return self.now


@contextmanager
def process(code):
    """A process that prints a line when it is where the test wants it, and ends with the test."""
    command = [sys.executable, "-c", BURN + code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as started:
        clock = Clock()
        usage = Usage(started.pid, clock)
        try:
            if "print" in code:
                assert started.stdout.readline()
            yield started, usage, clock
        finally:
            os.killpg(started.pid, 9)


def measured(usage, clock, seconds):
    clock.now += seconds
    usage.measure()
    return usage.idle_seconds


@pytest.mark.parametrize(
    "code",
    [
        "burn(0.4); print(flush=True); time.sleep(1e6)",
        "os.fork() or (burn(0.4), os._exit(0)); os.wait(); print(flush=True); time.sleep(1e6)",
        "os.fork() or (burn(0.4), print(flush=True), time.sleep(1e6)); time.sleep(1e6)",
        "os.fork() or (os.fork() or (burn(0.4), print(flush=True), time.sleep(1e6)), os.wait()); time.sleep(1e6)",
        "os.fork() or (burn(0.4), os._exit(0)); time.sleep(0.1); print(flush=True); time.sleep(1e6)",  # a zombie
    ],
)
def test_the_time_of_children_counts_whether_they_are_waited_for_or_not(code):
    with process(code) as (_, usage, _):
        wait_for(lambda: usage.measure() >= 0.3)  # the system counts in hundredths, rounded down
        assert usage.measure() < 1.5


def test_the_time_of_a_child_that_nobody_collects_stays_counted():
    code = "signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.fork() or (burn(1), os._exit(0)); print(flush=True)"
    with process(code + "; time.sleep(1e6)") as (started, usage, _):
        seen = [0.0]

        def is_gone():
            seen.append(usage.measure())
            children = subprocess.run(["pgrep", "-P", str(started.pid)], capture_output=True).stdout
            return not children

        wait_for(is_gone)
        assert usage.measure() == pytest.approx(seen[-1]) and seen == sorted(seen) and seen[-1] > 0.5


def test_no_child_counts_twice():
    code = "[(os.fork() or (burn(0.1), os._exit(0)), os.wait()) for _ in range(5)]; print(flush=True); time.sleep(1e6)"
    with process(code) as (_, usage, _):
        own = wait_for(lambda: (spent := usage.measure()) >= 0.4 and spent)
        assert own < 2 and usage.cpu_seconds() == pytest.approx(own, abs=0.1)


def test_a_child_that_ended_since_the_last_look_counts_once():
    code = (
        "os.fork() or (burn(0.5), os._exit(0)); os.wait(); sys.stdout.write('.'); sys.stdout.flush(); time.sleep(1e6)"
    )
    with process(code) as (started, usage, _):
        wait_for(lambda: usage.measure() > 0.2)
        assert started.stdout.read(1) == "."
        assert 0.4 <= usage.cpu_seconds() < 0.8


@pytest.mark.parametrize(
    "code",
    [
        "print(flush=True); time.sleep(1e6)",
        "print(flush=True); os.kill(os.getpid(), signal.SIGSTOP)",
        "os.fork() or time.sleep(1e6); print(flush=True); os.wait()",
    ],
)
def test_what_sleeps_waits_or_stands_still_is_idle(code):
    with process(code) as (_, usage, clock):
        measured(usage, clock, 0.5)
        wait_for(lambda: measured(usage, clock, 0.5) - measured(usage, clock, 0.5) == -0.5)


@pytest.mark.parametrize(
    "code",
    [
        "print(flush=True)\nwhile True: pass",
        "import threading\nthreading.Thread(target=burn, args=(1e6,)).start()\nprint(flush=True)\ntime.sleep(1e6)",
        "os.fork() or burn(1e6); print(flush=True); os.wait()",
    ],
)
def test_what_could_run_is_not_idle_even_where_it_gets_no_time(code):
    with process(code) as (_, usage, clock):
        before = measured(usage, clock, 0.5)
        for _ in range(50):  # the clock advances by seconds in which there was no processor
            assert measured(usage, clock, MOST_BETWEEN) == before


def test_while_nobody_looks_little_is_counted():
    with process("print(flush=True); time.sleep(1e6)") as (_, usage, clock):
        wait_for(lambda: measured(usage, clock, 0.5))
        before = usage.idle_seconds
        assert measured(usage, clock, 1000.0) <= before + MOST_BETWEEN
        before = usage.idle_seconds
        clock.now += 1.0
        usage.measure(is_active=True)
        assert usage.idle_seconds == before
