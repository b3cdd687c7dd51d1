"""What the tests of the course kit share: mistakes and hostile submissions as data, and what they need."""

import os
import shutil
import tomllib
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mlcvkit.course.assignment import read_assignment
from mlcvkit.course.grading import NETWORK, NN_MODULES, OPTIMIZERS, Examination, Process, _modules
from mlcvkit.course.mistakes import mistakes
from mlcvkit.course.scoring import score_test
from mlcvkit.course.submissions import Submission
from mlcvkit.files import temporary_folder
from soak import share

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests/data"
FIRST_HOSTILE_USER = 80_001 + 1000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
HOSTILE_USERS = range(FIRST_HOSTILE_USER, FIRST_HOSTILE_USER + 1000)
"""The user ids of hostile processes, where the tests run as root: by them what is left of one is found."""
MISTAKES = [*mistakes()]
HONEST = [*sorted(path.name for path in (DATA / "honest").iterdir() if path.is_dir())]
STYLES = tomllib.loads((DATA / "honest/styles.toml").read_text())["solution"]
VARIANTS = read_assignment().variants
UNFINISHED = {"partial": {"softmax_grad", "Adam"}}
"""What an honest student left undone."""
HOSTILE = tomllib.loads((DATA / "hostile.toml").read_text())["hostile"]

NEEDS_BUBBLEWRAP = pytest.mark.skipif(
    shutil.which("bwrap") is None and os.environ.get("CI") != "true",
    reason="bubblewrap is not installed: apt install bubblewrap",
)


def with_mistake(reference, mistake):
    """The reference with one mistake in it; one of NN2's two gradients in that method alone."""
    right = reference[mistake.file].decode()
    wrong = mistake.put_into(right)
    if mistake.of in ("grad", "emp_loss_grad"):
        mistaken = wrong[wrong.index("class NN2:") : wrong.index("def checked_samples")].replace("NN2", "Mistaken", 1)
        wrong = f"{right}\n\n{mistaken}{IN_ONE_METHOD.format(method=mistake.of)}"
    return {**reference, mistake.file: wrong.encode()}


IN_ONE_METHOD = """
def of_mistaken(self, *args, **named):
    other = Mistaken()
    other.W = self.W
    return other.{method}(*args, **named)
NN2.{method} = of_mistaken
"""


def honest(number, reference, fresh):
    """An honest solution: its name, its files, and the tests that lose points."""
    if number < len(HONEST):
        folder = DATA / "honest" / HONEST[number]
        own = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.py")}
        return folder.name, {**fresh, **own}, UNFINISHED.get(folder.name, set())
    style = STYLES[number - len(HONEST)]
    own = {file: reference[file] + b"\n\n" + code.encode() for file, code in style["files"].items()}
    return style["what"], {**reference, **own}, set(style.get("loses", ()))


class LongExamination(Examination):
    """An examination that keeps its processes, so that they answer for all seeds."""

    def __init__(self, *args):
        super().__init__(*args)
        self.kept = {}

    @contextmanager
    def _process(self, modules, supplied=None):
        key = (modules, *sorted(supplied or {}))
        if key not in self.kept:
            self.kept[key] = Process(self, supplied or {}, _modules(modules, supplied or {}))
        self.kept[key].supplied = supplied or {}
        yield self.kept[key]


def reports(grader, files, seeds, tests=None):
    """For each class seed what the grader's own checks find of tests, of all of code where None."""
    limits = {**grader.assignment.limits, "submission_seconds": 1e9}
    grader = replace(grader, assignment=replace(grader.assignment, limits=limits))
    tests = tests or [test for problem in grader.assignment.problems for part in problem.parts for test in part.tests]
    with temporary_folder("submission-") as folder:
        submission = Submission("somebody", dict(files))
        submission.write_to(folder)
        examination = LongExamination(grader, submission, folder)
        try:
            with examination._process((*NN_MODULES, NETWORK, *OPTIMIZERS)) as process:
                for seed in seeds:
                    examination.grader = replace(grader, seed=seed)
                    yield seed, {test: examination._checked(test, process) for test in tests}
        finally:
            for process in examination.kept.values():
                process.end()


def judged(grader, files, seeds, tests=None):
    """For each class seed the results of tests of code, as ``reports``."""
    parts = [(p.number, part, test) for p in grader.assignment.problems for part in p.parts for test in part.tests]
    for seed, found in reports(grader, files, seeds, tests):
        yield (
            seed,
            [
                score_test(grader.assignment, number, part, test, found[test])
                for number, part, test in parts
                if test in found
            ],
        )


CLASS_SEEDS = [range(4), range(4, 20)]
"""The first of them in make test, all in make soak."""
at_each_class_seed = share("solutions and mistakes of no catalogue, at 20 class seeds", "seeds", CLASS_SEEDS, one_in=2)


def lost_properties(report):
    """The properties of a test that lose points."""
    return tuple(prop.name for prop in report.properties if prop.worth(VARIANTS) < 1)


def mistake_row(mistake, test):
    """A mistake and what it costs, as a row of the docs, from the result of its own test."""
    cost = f"{test.out_of - test.points:.2f} of {test.out_of:.2f}" if not test.right else "nothing"
    cells = (f"`{mistake.of}`", mistake.name.replace("_", " "), cost, test.diagnosed or "nothing")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
