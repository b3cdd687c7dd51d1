"""The sandbox for students' code: a process in bubblewrap that sees its submission and libraries, and nothing else.

It has no network, can write only to a scratch folder in memory, and has limits on CPU time, memory, processes and
output. The grader exchanges messages of plain arrays with it, and ends it if it exceeds a limit.
"""

import os
import selectors
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import mlcvlab
from mlcvkit.course.assignment import PACKAGE
from mlcvkit.course.inside import protocol
from mlcvkit.course.submissions import plain_text
from mlcvkit.course.usage import Limits, Usage
from mlcvkit.errors import InputError

INSIDE = Path(protocol.__file__).parent
FIRST_USER, USERS = 64_001, 1000
MOST_MESSAGE = 512 << 20
CHECKED_EVERY = 0.1
MOST_MISSING = 20
"""The most libraries that are told to be not installed."""
WOKEN_AT = 0.8
"""The share of the limit of sleeping after which a notebook is interrupted."""
START_SECONDS = 60.0

SUPPLIED_FAILED = (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)

Supplied = Mapping[str, Callable[..., Any]]


class Ended(Exception):
    """A student's process ended or was ended; the message tells the student why."""


class SandboxFailed(InputError):
    """A sandbox could not be started, which is no fault of the submission."""


class Failed(Exception):
    """A student's code raised an exception; the message has the exception and its line."""

    def __init__(self, described: Mapping[str, Any]) -> None:
        kind, message, where = (plain_text(str(described.get(key, ""))) for key in ("type", "message", "where"))
        super().__init__(f"{kind}: {message}" + (f" ({where})" if where else ""))
        self.kind, self.message = kind, message


@dataclass
class Sandbox:
    """Starts processes in bubblewrap, or without it if ``unsafe``.

    Arguments: ``forbidden``, libraries that cannot be imported; ``users``, the user ids of the processes, one each, if
    the grader is root. Raises: InputError if bubblewrap is missing or does not work here, and ``unsafe`` is not given.
    """

    forbidden: tuple[str, ...] = ()
    unsafe: bool = False
    users: Iterator[int] = field(default_factory=lambda: (FIRST_USER + n % USERS for n in count()), repr=False)
    live: set["Session"] = field(default_factory=set, repr=False)
    stopped: bool = False

    def __post_init__(self) -> None:
        if not self.unsafe:
            require_bubblewrap()

    def command(self, submission: Path, limits: Limits, shown: Mapping[str, Path], *, whole: bool) -> list[str]:
        """The command of a process that sees ``submission`` and the paths of ``shown``, which maps places inside to
        them.

        It has all installed libraries except the forbidden ones; with ``whole`` also mlcvkit.
        """
        if self.unsafe:
            libraries = [Path(np.__file__).parents[1], *([PACKAGE.parent] if whole else [])]
            return [sys.executable, "-I", "-S", str(INSIDE / "worker.py"), *map(str, libraries)]
        places = {**shown, "/submission": submission, "/grader": INSIDE}
        bound = _interpreter() | {"/usr": Path("/usr")}
        hidden = [f"{place}/{path}" for place, folder in bound.items() for path in _libraries(folder)]
        site = Path(sysconfig.get_paths()["purelib"])
        places["/site"] = site
        hidden += [f"/site/{path}" for path in _installed(site, ("mlcvlab", "mlcvkit", *self.forbidden))]
        if whole:
            places["/packages/mlcvkit"] = PACKAGE
            solutions = [PACKAGE / "course", PACKAGE / "data" / "hw1", *(PACKAGE / "data" / "mnist").glob("t10k-*")]
            hidden += [f"/packages/mlcvkit/{path.relative_to(PACKAGE)}" for path in solutions if path.exists()]
        return [
            *_namespaces(),
            *_system(),
            *_bound(_interpreter() | places),
            *_hidden(hidden, places | bound),
            *("--proc", "/proc", "--dev", "/dev"),
            *("--size", str(16 << 20), "--perms", "1777", "--tmpfs", "/dev/shm", "--remount-ro", "/dev"),
            *("--size", str(limits.scratch_mb << 20), "--perms", "1777", "--tmpfs", "/tmp"),
            *("--remount-ro", "/", "--chdir", "/tmp"),
            *(os.path.realpath(sys.executable), "-I", "-S", "/grader/worker.py"),
            *("/site", *(["/packages"] if whole else [])),
        ]

    @contextmanager
    def session(
        self,
        submission: Path,
        limits: Limits,
        supplied: Supplied | None = None,
        shown: Mapping[str, Path] | None = None,
        *,
        whole: bool = False,
    ) -> Iterator["Session"]:
        """A process for a submission; it ends with the block. Without a sandbox it has a current folder of its own."""
        command = self.command(submission, limits, shown or {}, whole=whole)
        cache = str((shown or {}).get("/cache", Path("/cache")).resolve()) if self.unsafe else "/cache"
        folder = tempfile.TemporaryDirectory(prefix="scratch-", ignore_cleanup_errors=True) if self.unsafe else None
        session = Session(command, limits, supplied or {}, cache, None if folder is None else folder.name)
        self.live.add(session)
        try:
            self.require_running()
            try:
                session.ask("limit", at_most=START_SECONDS, **self._limits(limits))
                place = str(submission.resolve()) if self.unsafe else "/submission"
                session.ask("configure", at_most=START_SECONDS, path=place, forbidden=list(self.forbidden))
                session.begin()
            except (Ended, Failed) as error:
                printed = session.said.decode(errors="replace").strip()
                raise SandboxFailed(f"a sandbox could not be started: {error} {printed}") from None
            yield session
        finally:
            session.end()
            self.live.discard(session)
            if folder is not None:
                folder.cleanup()

    def stop(self) -> None:
        """End all processes, and start no others."""
        self.stopped = True
        for session in list(self.live):
            session.end()

    def require_running(self) -> None:
        """Raise SandboxFailed if the sandbox was stopped, because later findings are not valid."""
        if self.stopped:
            raise SandboxFailed("the grading was stopped")

    def _limits(self, limits: Limits) -> dict[str, Any]:
        root = not self.unsafe and os.geteuid() == 0
        running = (
            0 if root or self.unsafe else sum(p.info["uids"].real == os.getuid() for p in psutil.process_iter(["uids"]))
        )
        resources = {
            "RLIMIT_AS": limits.memory_mb << 20,
            "RLIMIT_FSIZE": limits.scratch_mb << 20,
            "RLIMIT_CORE": 0,
            "RLIMIT_NOFILE": 256,
        }
        if not self.unsafe:
            resources["RLIMIT_NPROC"] = running + limits.processes
        return {"resources": resources, "user": next(self.users) if root else None, "keeps_orphans": self.unsafe}


@dataclass(frozen=True)
class _Request:
    """The CPU time at the start of a request, its limit, and whether its process can be interrupted when it sleeps."""

    begin: float
    idle: float
    seconds: float
    can_be_woken: bool = False


class Session:
    """A student's process, which gets one request at a time."""

    def __init__(
        self, command: list[str], limits: Limits, supplied: Supplied, cache: str = "/cache", folder: str | None = None
    ) -> None:
        self.limits, self.supplied, self.cache = limits, supplied, cache
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
        environment |= {"XDG_CACHE_HOME": cache, "MPLBACKEND": "Agg"}
        environment |= {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL", "NUMBA")}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=folder,
            start_new_session=True,
            bufsize=0,
        )
        assert self.process.stdin and self.process.stdout and self.process.stderr
        self.requests, self.answers, self.output = (
            stream.fileno() for stream in (self.process.stdin, self.process.stdout, self.process.stderr)
        )
        for stream in (self.requests, self.answers, self.output):
            os.set_blocking(stream, False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.answers, selectors.EVENT_READ)
        self.selector.register(self.output, selectors.EVENT_READ)
        self.received, self.printed = bytearray(), 0
        self.said = b""
        self.number = 0
        self.alive = True
        self.usage = Usage(self.process.pid)
        self.seconds = self.idle_seconds = 0.0
        self.missing: set[str] = set()
        self._spent = self._supplied_seconds = 0.0
        self._request = _Request(0.0, 0.0, 0.0)
        self._checked = time.monotonic()

    def begin(self) -> None:
        """Start counting now: everything before was the sandbox itself."""
        self._spent = self.usage.measure(is_active=True)

    def ask(self, do: str, *, at_most: float | None = None, **request: Any) -> Any:
        """Send a request, and return the answer.

        Afterwards ``self.seconds`` is the CPU time of the request, with that of supplied functions, and
        ``self.idle_seconds`` the time in which no process could run.

        Raises: Failed if the student's code raised an exception, Ended if the process exceeded a limit or ended.
        """
        self.seconds = self.idle_seconds = 0.0
        if not self.alive:
            raise Ended("its process had ended before")
        self.number += 1
        limit = self.limits.seconds if at_most is None else at_most
        self._request = _Request(self._spent, self.usage.idle_seconds, limit, do == "run_cells")
        try:
            message = self._answer({"do": do, "id": self.number, **request})
            self._require_within(self.usage.cpu_seconds() + self._supplied_seconds)
            self._note_missing(message.get("missing"))
        except protocol.BadMessage as error:
            raise self._ended(f"what came from its process was not an answer: {error}") from None
        except Ended:
            self.end()
            raise
        finally:
            self.seconds = self._spent - self._request.begin
            self.idle_seconds = self.usage.idle_seconds - self._request.idle
        if "error" in message:
            raise Failed(message["error"] if isinstance(message["error"], dict) else {})
        return message.get("answer")

    def _note_missing(self, names: Any) -> None:
        """Keep the libraries that the student's code imports and that are not installed: some names, and short ones."""
        for name in names[:MOST_MISSING] if isinstance(names, list) else ():
            if isinstance(name, str) and len(self.missing) < MOST_MISSING:
                self.missing.add(plain_text(name, 100))

    def _answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._send(request)
        while True:
            message = protocol.decode(self._read, MOST_MESSAGE)
            if not isinstance(message, dict):
                raise protocol.BadMessage("it is no answer")
            if "ask" not in message:
                break
            self._supply(message)
        if type(message.get("done")) is not int or message["done"] != request["id"]:
            raise protocol.BadMessage("it answers another request")
        return message

    def _supply(self, message: Mapping[str, Any]) -> None:
        name, args = message["ask"], message.get("args")
        if not isinstance(name, str) or name not in self.supplied or not isinstance(args, list):
            raise protocol.BadMessage("it asks for what is not supplied")
        begin = time.thread_time()
        try:
            with np.errstate(all="ignore"):
                reply = {"value": self.supplied[name](*args)}
        except SUPPLIED_FAILED as error:
            reply = {"error": plain_text(str(error))}
        self._supplied_seconds += time.thread_time() - begin
        self._send(reply)

    def _send(self, value: Any) -> None:
        data = memoryview(protocol.encode(value))
        while data:
            try:
                data = data[os.write(self.requests, data[: 1 << 20]) :]
            except BlockingIOError:
                self.selector.register(self.requests, selectors.EVENT_WRITE)
                self._wait(self.requests)
                self.selector.unregister(self.requests)
            except BrokenPipeError:
                raise self._ended(self._how_it_ended()) from None

    def _read(self, wanted: int) -> bytes:
        while len(self.received) < wanted:
            if self._wait(self.answers):
                part = os.read(self.answers, 1 << 20)
                if not part:
                    raise self._ended(self._how_it_ended())
                self.received += part
        data = bytes(self.received[:wanted])
        del self.received[:wanted]
        return data

    def _wait(self, stream: int) -> bool:
        """Wait for a stream for a short time, and check the limits."""
        ready = {key.fd for key, _ in self.selector.select(CHECKED_EVERY)}
        if self.output in ready:
            part = os.read(self.output, 1 << 16)
            if not part:
                self.selector.unregister(self.output)
            self.printed += len(part)
            self.said = (self.said + part)[-4000:]
        if self.printed > self.limits.output_mb << 20:
            raise self._ended(f"it printed more than {self.limits.output_mb} MB")
        if time.monotonic() > self._checked + CHECKED_EVERY:
            self._require_within(self.usage.measure(is_active=bool(ready - {self.output})) + self._supplied_seconds)
            if self.usage.memory() > self.limits.memory_mb << 20:
                raise self._ended(f"it used more than {self.limits.memory_mb:,} MB of memory")
            self._checked = time.monotonic()
        return stream in ready

    def _require_within(self, spent: float) -> None:
        self._spent = spent
        limits = self._request.seconds, self.limits.idle_seconds
        if spent - self._request.begin > limits[0]:
            raise self._ended(f"it computed for more than {limits[0]:.4g} seconds (CPU time of all its processes)")
        idle = self.usage.idle_seconds - self._request.idle
        if self._request.can_be_woken and idle > WOKEN_AT * limits[1]:
            self._request = replace(self._request, can_be_woken=False)
            self._wake()
        if idle > limits[1]:
            raise self._ended(f"it slept or waited: for {limits[1]:.4g} seconds none of its processes did anything")

    def _wake(self) -> None:
        """Interrupt what sleeps, as the end of its time does: what it left counts."""
        with suppress(psutil.Error, OSError):
            family = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
            for one in [one for one in family if one.name().startswith("python")][:1]:
                one.send_signal(signal.SIGPROF)

    def _how_it_ended(self) -> str:
        with suppress(KeyError):
            self.selector.unregister(self.answers)
        while self.process.poll() is None:  # a process that closed its output and goes on reaches a limit
            self._wait(self.output)
        code = self.process.returncode
        if code < 0 or code > 128:
            with suppress(ValueError):
                return f"its process was ended by {signal.Signals(-code if code < 0 else code - 128).name}"
        return f"its process ended by itself (exit code {code})"

    def _ended(self, reason: str) -> Ended:
        self.end()
        return Ended(reason)

    def end(self) -> None:
        """End the process and everything that it started, and wait until they are gone."""
        if not self.alive:
            return
        self.alive = False
        family = self.usage.processes()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for process in family:
            with suppress(psutil.Error):
                process.kill()
        self.process.wait()
        deadline = time.monotonic() + START_SECONDS
        while any(map(_is_alive, family)) and time.monotonic() < deadline:
            time.sleep(0.001)
        self.selector.close()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


def _is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def require_bubblewrap() -> None:
    """Raise InputError unless bubblewrap is installed and can make a sandbox here."""
    advice = "or give --unsafe to run the students' code without a sandbox, with your own rights"
    if shutil.which("bwrap") is None:
        raise InputError(
            "students' code runs only in bubblewrap, and bwrap is not installed: apt install bubblewrap (or your "
            f"system's package of that name), {advice}"
        )
    trial = subprocess.run([*_namespaces(), *_system(), "/usr/bin/true"], capture_output=True, text=True)
    if trial.returncode:
        reason = " ".join(trial.stderr.split()) or f"exit code {trial.returncode}"
        raise InputError(f"bubblewrap cannot make a sandbox here: {reason}; allow user namespaces, {advice}")


def _namespaces() -> list[str]:
    own_user = ["--unshare-user", "--disable-userns"]
    as_root = [
        *("--cap-drop", "ALL"),
        *(part for right in ("SETUID", "SETGID") for part in ("--cap-add", f"CAP_{right}")),
    ]
    return [
        "bwrap",
        *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"),
        *("--die-with-parent", "--new-session"),
        *(as_root if os.geteuid() == 0 else own_user),
    ]


def _system() -> list[str]:
    """The system's programs and libraries, read-only."""
    shown = ["--ro-bind", "/usr", "/usr"]
    for name in ("lib", "lib32", "lib64", "bin", "sbin"):
        place = Path("/", name)
        if place.is_symlink():
            shown += ["--symlink", str(place.readlink()), str(place)]
        elif place.is_dir():
            shown += ["--ro-bind", str(place), str(place)]
    for library in ("/etc/ld.so.cache", "/etc/alternatives"):
        shown += ["--ro-bind-try", library, library]
    return shown


def _interpreter() -> dict[str, Path]:
    base = Path(sys.base_prefix).resolve()
    return {} if base == Path("/usr") else {str(base): base}


def _libraries(folder: Path) -> list[str]:
    """The folders of installed libraries below the interpreter's, which are shown elsewhere or not at all."""
    patterns = [
        f"{local}lib/python3{version}/{kind}-packages"
        for local in ("", "local/")
        for version in ("", ".*")
        for kind in ("site", "dist")
    ]
    packages = [Path(mlcvlab.__file__ or "").parent, PACKAGE]
    found = {path for pattern in patterns for path in folder.glob(pattern)}
    found |= {
        path for path in packages if path.is_relative_to(folder) and not any(path.is_relative_to(f) for f in found)
    }
    return sorted(str(path.relative_to(folder)) for path in found)


def _bound(places: Mapping[str, Path]) -> list[str]:
    """Each path, read-only, in folders that every user can enter."""
    folders = sorted({str(parent) for place in places for parent in Path(place).parents} - {"/"})
    made = [part for folder in folders if not folder.startswith("/usr") for part in ("--perms", "755", "--dir", folder)]
    return made + [part for place, path in places.items() for part in ("--ro-bind", str(path), place)]


def _installed(site: Path, modules: Iterable[str]) -> list[str]:
    """The files and folders of these modules in a folder of libraries."""
    places = (site.joinpath(*name.split(".")) for name in modules)
    found = {path for place in places for path in (place, *place.parent.glob(f"{place.name}.*")) if path.exists()}
    return sorted(str(path.relative_to(site)) for path in found)


def _hidden(hidden: Iterable[str], places: Mapping[str, Path]) -> Iterator[str]:
    """Cover each hidden folder by an empty folder, and each hidden file by an empty file."""
    for place in hidden:
        start = next(start for start in places if place.startswith(f"{start}/"))
        folder = (places[start] / place[len(start) + 1 :]).is_dir()
        yield from ("--tmpfs", place) if folder else ("--ro-bind", "/dev/null", place)
