"""How often a test repeats what needs many repetitions to mean something: the one place that reads ``SOAK``.

========= ================================================== ======================
``SOAK``  is set by                                           repeats
========= ================================================== ======================
nothing   ``make test``                                       a small, fixed share
1         ``make soak``, and ``.ci/run`` after the tests      for some minutes
full      ``make soak SOAK=full``                             the counts of ``FULL``
========= ================================================== ======================

With ``SOAK`` set, only repeated tests run. Each is cut into parts, a test each, with a seed of its own: the part of a
failing seed can be run again alone. What passed with ``SOAK=full`` is kept in ``.soak/passed.txt`` and not run again,
so that a run that was stopped goes on; ``SHARD=2/8`` takes every eighth part, from the second.
"""

import os
from collections import Counter
from pathlib import Path

import pytest

SIZE = os.environ.get("SOAK", "")
SHARD = os.environ.get("SHARD", "1/1")
SIZES = ("", "1", "full")
PASSED = Path(__file__).parents[2] / ".soak" / "passed.txt"
BEFORE = PASSED.with_name("before.txt")


def repeated(what, *, test, soak, full, per_part=1):
    """Run a test once for each part, with its ``seed``.

    Parameters
    ----------
    what
        What is repeated, in words, for the table at the end.
    test, soak, full
        How many times in all, by the value of ``SOAK``.
    per_part
        How many times a part does it; where it is above 1, the test takes it as ``times``.
    """
    if SIZE not in SIZES:
        raise pytest.UsageError(f"SOAK must be one of {', '.join(map(repr, SIZES))}; got {SIZE!r}")
    count = {"": test, "1": soak, "full": full}[SIZE]
    sizes = [min(per_part, count - first) for first in range(0, count, per_part)]
    names, values = ("seed", range(len(sizes))) if per_part == 1 else ("seed,times", list(enumerate(sizes)))

    def mark(function):
        function = pytest.mark.parametrize(names, values)(function)
        return pytest.mark.repeated(what)(function)

    return mark


def share(what, names, cases, *, one_in, **options):
    """Parametrize a test with many cases of one kind: ``make test`` runs each ``one_in``-th, ``make soak`` all."""
    chosen = list(cases) if SIZE else list(cases)[::one_in]

    def mark(function):
        return pytest.mark.repeated(what)(pytest.mark.parametrize(names, chosen, **options)(function))

    return mark


def only_in_soak(reason):
    """A test that ``make test`` leaves out, with the reason why."""
    return pytest.mark.only_in_soak(reason)


def pytest_configure(config):
    config.addinivalue_line("markers", "repeated(what): repeated by soak.repeated")
    config.addinivalue_line("markers", "only_in_soak(reason): left out by make test")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Counts())
        if SIZE == "full":  # what all workers leave out, while more is added to the other file
            PASSED.parent.mkdir(exist_ok=True)
            BEFORE.write_text(PASSED.read_text() if PASSED.is_file() else "")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    if not SIZE:
        left_out = [item for item in items if item.get_closest_marker("only_in_soak")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
        return
    shard, shards = map(int, SHARD.split("/"))
    passed = set(BEFORE.read_text().splitlines()) if SIZE == "full" else set()
    chosen = sorted(item.nodeid for item in items if _of_soak(item))[shard - 1 :: shards]
    wanted = set(chosen) - passed
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in wanted])
    items[:] = [item for item in items if item.nodeid in wanted]


def pytest_sessionfinish(session, exitstatus):
    if SIZE == "full" and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK  # all of it had passed


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if (mark := _of_soak(item)) is not None and call.when == "call":
        times = item.callspec.params.get("times", 1) if mark.name == "repeated" else 1
        what = mark.args[0] if mark.name == "repeated" else item.name
        outcome.get_result().user_properties.append(("repeated", [what, times]))


def _of_soak(item):
    return item.get_closest_marker("repeated") or item.get_closest_marker("only_in_soak")


class Counts:
    """What really ran."""

    def __init__(self):
        self.counts = Counter()

    def pytest_runtest_logreport(self, report):
        own = dict(report.user_properties).get("repeated")
        if report.when != "call" or own is None or not report.passed:
            return
        self.counts[own[0]] += own[1]
        if SIZE == "full":
            with PASSED.open("a") as file:
                file.write(report.nodeid + "\n")

    def pytest_terminal_summary(self, terminalreporter, config):
        seed = config.getoption("randomly_seed", None)
        terminalreporter.write_line(f"the order again: make {'soak' if SIZE else 'test'} ARGS=--randomly-seed={seed}")
        if SIZE and self.counts:
            terminalreporter.section(f"repeated and passed, SOAK={SIZE}, shard {SHARD}")
            for what, count in sorted(self.counts.items()):
                terminalreporter.write_line(f"{count:7,}  {what}")
