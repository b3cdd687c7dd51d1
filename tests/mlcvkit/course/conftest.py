from dataclasses import replace
from itertools import count

import pytest

from coursework import FIRST_HOSTILE_USER
from mlcvkit.course.assignment import read_assignment, reference_file, tree_files
from mlcvkit.course.grading import Grader, libraries
from mlcvkit.course.sandbox import Sandbox
from mlcvkit.course.submissions import Submission


@pytest.fixture(scope="session")
def reference():
    """The files of the reference solution."""
    return {name: reference_file(name).read_bytes() for name in tree_files()}


@pytest.fixture(scope="session")
def of_code():
    """The assignment without its notebook."""
    return read_assignment(only=(1, 2, 3))


@pytest.fixture(scope="session")
def grade(of_code):
    """Grades files in a sandbox."""
    grader = Grader(of_code, Sandbox(libraries(of_code)), seed=20)
    return lambda files, name="somebody": grader.grade(Submission(name, dict(files)))


@pytest.fixture(scope="session")
def grade_quickly(of_code):
    """Grades files by Problem 1, with limits that are soon reached."""
    soon = {"memory_mb": 512, "output_mb": 1, "scratch_mb": 64, "processes": 32, "idle_seconds": 1}
    assignment = replace(of_code, problems=of_code.problems[:1], limits={**of_code.limits, **soon})
    grader = Grader(assignment, Sandbox(libraries(assignment), users=count(FIRST_HOSTILE_USER)), seed=20)

    def grade(files, **limits):
        own = replace(grader, assignment=replace(assignment, limits={**assignment.limits, **limits}))
        return own.grade(Submission("somebody", dict(files)))

    return grade


@pytest.fixture
def replaced(reference):
    """The reference with a text of a file replaced."""

    def replace_text(file, right, wrong):
        source = reference[file].decode()
        assert source.count(right) == 1
        return {**reference, file: source.replace(right, wrong).encode()}

    return replace_text
