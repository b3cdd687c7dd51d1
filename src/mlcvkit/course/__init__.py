"""The course kit: hand the homework out, grade it, and check one's own work.

Everything is made from the one reference solution, the installed ``mlcvlab``: the student's tree, and what a submission
is compared with.
"""

from mlcvkit.extras import require

require("course")

from mlcvkit.course.assignment import Assignment, read_assignment
from mlcvkit.course.classroom import as_gradescope, grade_class, write_overview
from mlcvkit.course.derivatives import GradientCheck, check
from mlcvkit.course.grading import Grade, TestResult, libraries, without_points
from mlcvkit.course.handout import write_handout
from mlcvkit.course.sandbox import Ended, Failed, Sandbox
from mlcvkit.course.submissions import find_submissions, is_submission
from mlcvkit.course.usage import Limits

__all__ = [
    "Assignment",
    "Ended",
    "Failed",
    "Grade",
    "GradientCheck",
    "Limits",
    "Sandbox",
    "TestResult",
    "as_gradescope",
    "check",
    "find_submissions",
    "grade_class",
    "is_submission",
    "libraries",
    "read_assignment",
    "without_points",
    "write_handout",
    "write_overview",
]
