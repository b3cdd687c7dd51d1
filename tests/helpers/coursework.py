"""What the tests of the course kit share: mistakes and hostile submissions as data, and what they need."""

import os
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from mlcvkit.course.grading import NETWORK, NN_MODULES, OPTIMIZERS, Examination
from mlcvkit.course.submissions import Submission
from mlcvkit.files import temporary_folder

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests/data"
FIRST_HOSTILE_USER = 80_001 + 1000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
HOSTILE_USERS = range(FIRST_HOSTILE_USER, FIRST_HOSTILE_USER + 1000)
"""The user ids of hostile processes, where the tests run as root: by them what is left of one is found."""
MUTATIONS = tomllib.loads((DATA / "mutations.toml").read_text())["mutation"]
HONEST = [*sorted(path.name for path in (DATA / "honest").iterdir() if path.is_dir())]
STYLES = tomllib.loads((DATA / "honest/styles.toml").read_text())["solution"]
UNFINISHED = {"partial": {"softmax_grad", "Adam"}}
"""What an honest student left undone."""
HOSTILE = tomllib.loads((DATA / "hostile.toml").read_text())["hostile"]

NEEDS_BUBBLEWRAP = pytest.mark.skipif(
    shutil.which("bwrap") is None and os.environ.get("CI") != "true",
    reason="bubblewrap is not installed: apt install bubblewrap",
)


def mutated(reference, mutation):
    """The reference with one mistake in it."""
    source = reference[mutation["file"]].decode()
    assert source.count(mutation["right"]) == 1, mutation["what"]
    return {**reference, mutation["file"]: source.replace(mutation["right"], mutation["wrong"]).encode()}


def honest(number, reference, fresh):
    """An honest solution: its name, its files, and the tests that lose points."""
    if number < len(HONEST):
        folder = DATA / "honest" / HONEST[number]
        own = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.py")}
        return folder.name, {**fresh, **own}, UNFINISHED.get(folder.name, set())
    style = STYLES[number - len(HONEST)]
    own = {file: reference[file] + b"\n\n" + code.encode() for file, code in style["files"].items()}
    return style["what"], {**reference, **own}, set(style.get("loses", ()))


def judged(grader, files, seeds):
    """The results of every test of code for each class seed, by the grader's own checks in one process."""
    limits = {**grader.assignment.limits, "submission_seconds": 1e9}
    grader = replace(grader, assignment=replace(grader.assignment, limits=limits))
    parts = [(p.number, part, test) for p in grader.assignment.problems for part in p.parts for test in part.tests]
    with temporary_folder("submission-") as folder:
        submission = Submission("somebody", dict(files))
        submission.write_to(folder)
        examination = Examination(grader, submission, folder)
        with examination._process((*NN_MODULES, NETWORK, *OPTIMIZERS)) as process:
            for seed in seeds:
                examination.grader = own = replace(grader, seed=seed)
                yield seed, [own._result(n, part, test, examination._checked(test, process)) for n, part, test in parts]


def mutation_table(grades):
    """The mistakes and what they cost, as the Markdown of the docs."""
    lines = ["| where | mistake | costs | what the diagnosis says |", "| --- | --- | --- | --- |"]
    for mutation, grade in zip(MUTATIONS, grades, strict=True):
        losing = [test for test in grade.tests if test.points < test.out_of - 1e-9]
        cost = ", ".join(f"{test.out_of - test.points:.2f} of {test.out_of:.2f} of `{test.name}`" for test in losing)
        told = next((test.diagnosed for test in grade.tests if test.diagnosed), "nothing")
        file = mutation["file"].removeprefix("mlcvlab/")
        cells = (f"`{file}`", mutation["what"], cost or "nothing", told)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"
