"""What a student's process can do, asked from inside."""

import inspect
import os
import textwrap

import pytest

from coursework import NEEDS_BUBBLEWRAP
from mlcvkit.course.sandbox import Ended, Failed, Limits, Sandbox, SandboxFailed

pytestmark = NEEDS_BUBBLEWRAP
LIMITS = Limits(seconds=20, memory_mb=1024, processes=20, output_mb=1, scratch_mb=8)


@pytest.fixture
def inside(tmp_path):
    """Runs a function's source in a sandbox and gives its result."""
    for place in (tmp_path, *tmp_path.parents[:3]):
        place.chmod(0o755)

    def run(function, *args, supplied=None, **options):
        package = tmp_path / "mlcvlab/nn"
        package.mkdir(parents=True, exist_ok=True)
        source = textwrap.dedent(inspect.getsource(function))
        (package / "basis.py").write_text(source)
        with Sandbox(("torch",)).session(tmp_path, LIMITS, supplied, **options) as session:
            session.ask("load", modules=[["mlcvlab.nn.basis", list(supplied or ()), False, ""]])
            request = {"module": "mlcvlab.nn.basis", "function": function.__name__, "args": list(args)}
            return session.ask("call", **request)["value"]

    return run


def test_processes_are_few(inside):
    def forked():
        import os
        import time

        count = 0
        try:
            while count < 200:
                if os.fork() == 0:
                    time.sleep(10**6)
                    os._exit(0)
                count += 1
        except OSError:
            pass
        return count

    assert 5 <= inside(forked) <= 20


def test_nothing_can_be_written_but_the_scratch_folders(inside):
    def written():
        import os
        from pathlib import Path

        found = []
        for root, folders, _ in os.walk("/"):
            folders[:] = [] if root in ("/proc", "/sys") or root.count("/") > 4 else folders
            try:
                Path(root, "written").write_text("")
                found.append(root)
            except OSError:
                pass
        return found

    assert sorted(inside(written)) == ["/dev/shm", "/tmp"]


def test_the_process_has_no_rights_and_no_secrets(inside):
    def told():
        import os
        from pathlib import Path

        lines = Path("/proc/self/status").read_text().splitlines()
        status = {line.partition(":")[0]: line.partition(":")[2].strip() for line in lines}
        return [status["CapEff"], status["NoNewPrivs"], sorted(os.environ), len(list(Path("/proc/self/fd").iterdir()))]

    rights, no_new, environment, descriptors = inside(told)
    assert int(rights, 16) == 0 and no_new == "1"
    threads = {f"{library}_NUM_THREADS" for library in ("MKL", "NUMBA", "OMP", "OPENBLAS")}
    known = {"HOME", "LANG", "MPLBACKEND", "PATH", "PWD", "PYTHONHASHSEED", "XDG_CACHE_HOME", "LC_CTYPE", *threads}
    assert set(environment) <= known
    assert descriptors < 12


def test_of_the_network_there_is_nothing_but_a_loop(inside):
    def interfaces():
        import socket

        return [name for _, name in socket.if_nameindex()]

    assert inside(interfaces) == ["lo"]


@pytest.mark.skipif(os.geteuid() != 0, reason="user ids can only be changed by root")
def test_each_process_has_a_user_of_its_own(inside):
    def user():
        import os

        return [os.getuid(), os.geteuid(), os.getgid(), *os.getgroups()]

    assert inside(user) == [64_001] * 3


def test_a_limit_on_memory_is_one_for_files_in_memory_too(inside):
    def hidden():
        import os
        import time

        kept = [os.memfd_create(str(i)) for i in range(200)]
        for descriptor in kept:
            os.write(descriptor, bytes(8 << 20))
        time.sleep(10**6)
        return len(kept)

    with pytest.raises(Ended, match=r"more than 1,024 MB of memory"):
        inside(hidden)


def test_what_is_supplied_is_called_and_not_seen(inside):
    def linear(x):
        return linear(x)

    def answer():
        import sys

        import mlcvlab.nn.basis as basis

        return [basis.linear(3), "secret" in str(vars(sys.modules["__main__"]))]

    secret = 4
    assert inside(answer, supplied={"linear": lambda x: x + secret}) == [7, False]
    with pytest.raises(Failed, match="ValueError: too large"):

        def refuse(x):
            raise ValueError("too large")

        inside(answer, supplied={"linear": refuse})


def test_after_a_stop_nothing_starts_and_what_runs_is_ended(tmp_path):
    sandbox = Sandbox()
    tmp_path.chmod(0o755)
    with sandbox.session(tmp_path, LIMITS) as session:
        sandbox.stop()
        with pytest.raises(Ended):
            session.ask("load", modules=[])
    with pytest.raises(SandboxFailed, match="stopped"), sandbox.session(tmp_path, LIMITS):
        pass
