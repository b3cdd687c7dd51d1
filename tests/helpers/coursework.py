"""What the tests of the course kit share: mistakes and hostile submissions as data, and what they need."""

import os
import shutil
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests/data"
FIRST_HOSTILE_USER = 80_001 + 1000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
HOSTILE_USERS = range(FIRST_HOSTILE_USER, FIRST_HOSTILE_USER + 1000)
"""The user ids of hostile processes, where the tests run as root: by them what is left of one is found."""
MUTATIONS = tomllib.loads((DATA / "mutations.toml").read_text())["mutation"]
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
