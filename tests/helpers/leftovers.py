"""No module of tests leaves anything behind: processes, threads, files outside of its own folder, changed surroundings.

What belongs to a module's fixtures is there until the module's end; what is still there then is an error that says what
it is and, for a process, which test started it.
"""

import os
import tempfile
import threading
import uuid
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

import command

ROOT = Path(__file__).parents[2]
SESSION = "MLCVLAB_TEST_SESSION"
KEPT_THREADS = (
    "execnet",  # pytest-xdist
    "pytest_timeout",
    "Dask-Offload",  # distributed
    "ThreadPoolExecutor",  # asyncio
)
"""Beginnings of the names of threads that libraries start once and keep."""
KEPT_FILES = ("dask-scratch-space", "mnist")  # the latter in the user's cache
KEPT_VARIABLES = {
    "PYTEST_CURRENT_TEST",
    "_RJEM_MALLOC_CONF",  # polars, where it is imported
    *("MALLOC_TRIM_THRESHOLD_", "PYTHONHASHSEED", "__DASK_PARENT_PID"),  # distributed, where it starts workers
}
KEPT_PROCESSES = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")


@pytest.fixture(scope="session", autouse=True)
def _session(tmp_path_factory):
    """A name that processes inherit, and a folder of temporary files that no other session uses."""
    tmp_path_factory.getbasetemp()
    with tempfile.TemporaryDirectory(prefix="tests-") as folder, pytest.MonkeyPatch.context() as patch:
        Path(folder).chmod(0o755)
        patch.setenv(SESSION, uuid.uuid4().hex)
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left(_session, request):
    """Compare what there is after a module with what there was before it."""
    before = _surroundings()
    yield
    left = [line for line in _waited_for(before) if line]
    assert not left, f"{request.node.nodeid} leaves behind:\n" + "\n".join(left)


@pytest.fixture(autouse=True)
def _same_environment():
    """A test gives back the environment and the current folder as they were."""
    environment, folder = dict(os.environ), Path.cwd()
    yield
    changed = {name for name, _ in set(os.environ.items()) ^ set(environment.items())} - KEPT_VARIABLES
    assert not changed, f"it leaves other values of {', '.join(sorted(changed))} in the environment"
    assert Path.cwd() == folder


def _surroundings():
    return {"process": _processes(), "thread": _threads(), "file": _files()}


def _waited_for(before):
    """What is there and was not, after what is on its way out has had the time to go."""
    for _ in range(200):
        after = _surroundings()
        left = [f"{kind} {name}" for kind in after for key, name in after[kind].items() if key not in before[kind]]
        if not left:
            return []
        threading.Event().wait(0.05)
    return left


def _processes():
    """Processes that this one or its tests started, those whose parents are gone as well."""
    own, found = os.environ[SESSION], {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid in (os.getpid(), command.server_pid()) or process.status() == psutil.STATUS_ZOMBIE:
                continue
            environment = process.environ()
            if environment.get(SESSION) != own:
                continue
            words = " ".join(process.cmdline())
            if not any(kept in words for kept in KEPT_PROCESSES):
                test = environment.get("PYTEST_CURRENT_TEST", "a fixture")
                found[process.pid, process.create_time()] = f"{process.pid} of {test}: {words[:200]}"
    return found


def _threads():
    return {
        thread.ident: f"{thread.name} ({thread!r})"
        for thread in threading.enumerate()
        if not thread.name.startswith(KEPT_THREADS)
    }


def _files():
    """Files of the checkout, and entries of the folders for temporary files and for the user's cache.

    Folders with a dot before their names are left out: the linters beside the tests write to theirs.
    """
    found = {}
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        found |= {f"{folder}/{name}": f"{folder}/{name}" for name in names}
    cache = Path.home() / ".cache" / "mlcvlab"
    for place in (Path(tempfile.gettempdir()), cache):
        if place.is_dir():
            found |= {str(path): str(path) for path in place.iterdir() if path.name not in KEPT_FILES}
    return found
