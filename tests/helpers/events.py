"""Waiting for events: a test waits until something has happened, however long a busy machine takes for it."""

import time


def wait_for(condition, process=None):
    """Wait until a condition holds; what it gives.

    There is no deadline: of a hang, pytest's timeout tells the stacks. Where ``process`` is given, its end is an error.
    """
    while not (found := condition()):
        if process is not None and process.poll() is not None and not (found := condition()):
            raise AssertionError(f"{process.args} ended with {process.returncode} before what was waited for")
        if found:
            break
        time.sleep(0.01)
    return found


def version_of(path):
    """The instant at which a file was last written, None where it is not there; another for each version."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
