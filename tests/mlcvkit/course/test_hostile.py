"""Submissions that cheat, break, or harm: none gets what it should not, none does harm, and grading goes on."""

import contextlib
import socket
import threading

import psutil
import pytest

from coursework import HOSTILE, HOSTILE_USERS, NEEDS_BUBBLEWRAP
from mlcvkit.course.grading import COMPONENTS_CHECKED, NOTEBOOK_PROPERTIES, networks
from soak import share

pytestmark = NEEDS_BUBBLEWRAP

LINEAR = "    return W @ x"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """What a submission must not reach: a file, a socket of the file system, a listening port."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "secret").write_text("secret")
    folder.chmod(0o777)
    (folder / "secret").chmod(0o666)
    reached = []
    servers = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)]
    servers[1].bind(str(folder / "socket"))
    servers[1].listen()

    def accept(server):
        with contextlib.suppress(OSError):
            reached.append(server.accept())

    threads = [threading.Thread(target=accept, args=(server,)) for server in servers]
    for thread in threads:
        thread.start()
    yield folder, servers[0].getsockname()[1], reached
    for server, thread in zip(servers, threads, strict=True):
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def submission(hostile, reference, folder, port):
    file, right = hostile.get("file", "mlcvlab/nn/basis.py"), hostile.get("right", LINEAR)
    code = hostile["code"].replace("PLACE", str(folder)).replace("PORT", str(port))
    source = reference[file].decode()
    assert source.count(right) == 1 or right == ""
    return {**reference, file: (source.replace(right, code) if right else code + source).encode()}


@share("hostile submissions", "hostile", HOSTILE, one_in=4, ids=lambda hostile: hostile["what"])
def test_it_gets_nothing_and_harms_nothing(hostile, grade_quickly, reference, place):
    folder, port, reached = place
    files = submission(hostile, reference, folder, port)
    grade = grade_quickly(files, **({"call_seconds": 1, "import_seconds": 2} if hostile.get("endless") else {}))
    robbed = next(test for test in grade.tests if test.name == hostile.get("robs", "linear"))
    assert robbed.points < robbed.out_of / 2
    assert robbed.feedback and hostile.get("says", "") in robbed.feedback[0]
    assert {violation.rule for violation in grade.violations} >= ({hostile["rule"]} if "rule" in hostile else set())
    assert (folder / "secret").read_text() == "secret" and reached == []
    assert [process for process in psutil.process_iter() if _user(process) in HOSTILE_USERS] == []
    assert [p for p in psutil.Process().children(recursive=True) if _name(p) == "bwrap"] == []
    if hostile["what"] != "patches NumPy":
        others = [test for test in grade.tests if test.name not in ("linear", "linear_grad", robbed.name)]
        assert len(others) >= 15 and all(test.points == pytest.approx(test.out_of) for test in others)


def _user(process):
    try:
        return process.uids().real
    except psutil.Error:
        return 0


def _name(process):
    try:
        return process.name()
    except psutil.Error:
        return ""


def test_the_set_is_large_enough_and_names_known_tests():
    assert len(HOSTILE) >= 25
    assert {hostile.get("robs", "linear") for hostile in HOSTILE} <= {
        *(*COMPONENTS_CHECKED, *networks.CHECKS, "SGD", "Adam", *NOTEBOOK_PROPERTIES)
    }
