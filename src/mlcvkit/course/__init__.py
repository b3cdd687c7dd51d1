"""The course kit: hand the homework out, grade it, and check one's own work.

Everything is made from the one reference solution, the installed ``mlcvlab``: the student's tree, and what a submission
is compared with.
"""

from mlcvkit.extras import require

require("course")

from mlcvkit.course.assignment import Assignment, read_assignment
from mlcvkit.course.classroom import GradedClass, grade_class
from mlcvkit.course.derivatives import GradientCheck, check
from mlcvkit.course.feedback import as_failed, as_gradescope
from mlcvkit.course.gradebook import (
    OVERRIDES,
    Ledger,
    export,
    read_overrides,
    read_roster,
    read_time,
    without_submission,
)
from mlcvkit.course.grading import libraries, without_points
from mlcvkit.course.handout import write_handout
from mlcvkit.course.milestones import Milestone, milestones
from mlcvkit.course.overview import write_overview
from mlcvkit.course.sandbox import Ended, Failed, Sandbox
from mlcvkit.course.scoring import Grade, TestResult
from mlcvkit.course.submissions import find_one, find_submissions, is_submission
from mlcvkit.course.usage import Limits

__all__ = [
    "OVERRIDES",
    "Assignment",
    "Ended",
    "Failed",
    "Grade",
    "GradedClass",
    "GradientCheck",
    "Ledger",
    "Limits",
    "Milestone",
    "Sandbox",
    "TestResult",
    "as_failed",
    "as_gradescope",
    "check",
    "export",
    "find_one",
    "find_submissions",
    "grade_class",
    "is_submission",
    "libraries",
    "milestones",
    "read_assignment",
    "read_overrides",
    "read_roster",
    "read_time",
    "without_points",
    "without_submission",
    "write_handout",
    "write_overview",
]
