"""Feedback for a student: as a page, as Markdown, and for Gradescope."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlcvkit.course.assignment import read_assignment
from mlcvkit.course.mistakes import mistakes_of
from mlcvkit.course.rendering import TEMPLATES
from mlcvkit.course.scoring import Grade, TestResult
from mlcvkit.course.submissions import plain_text
from mlcvkit.errors import first_line


@dataclass(frozen=True)
class Reason:
    """The reason for the lost points of some tests, which is given once for all of them.

    Parameters
    ----------
    tests
        The tests.
    where
        Where the homework has the task.
    """

    tests: tuple[TestResult, ...]
    where: str

    @property
    def first(self) -> TestResult:
        return self.tests[0]

    @property
    def shown(self) -> list[str]:
        """The evidence. If one mistake explains everything: the first input, and the names of the other properties."""
        lines = list(self.first.feedback)
        shown = [line for line in lines if not line.startswith("the equation: ")]
        if not self.first.diagnosed or len(shown) < 2:
            return lines
        known = mistakes_of(self.first.name).get(self.first.diagnosis)
        costs = {name.replace("_", " ") for name in (known.costs if known is not None else ())}
        same = [line for line in shown[1:] if line.partition(":")[0] in costs]
        rest = [line for line in lines[1:] if line not in same]
        where = ", ".join(line.partition(":")[0] for line in same)
        return [shown[0], *([f"the same mistake shows in: {where}"] if same else []), *rest]

    @property
    def lost(self) -> float:
        """The points."""
        return sum(test.out_of - test.points for test in self.tests)


def reasons(grade: Grade) -> list[Reason]:
    """The reasons for lost points, the most points first; what breaks several tests in the same way is one reason."""
    found: dict[tuple[str, ...], list[TestResult]] = {}
    for test in grade.tests:
        if test.points < test.out_of - 1e-9 and not test.overridden:
            alone = len(test.feedback) == 1 and not test.diagnosed
            found.setdefault(test.feedback if alone else (test.name,), []).append(test)
    reasons = [Reason(tuple(tests), _where([test.name for test in tests])) for tests in found.values()]
    return sorted(reasons, key=lambda reason: -reason.lost)


def _where(tests: Sequence[str]) -> str:
    """Where the homework has the tasks of some tests."""
    tasks = {task.function.rpartition(".")[2]: task for task in read_assignment().tasks}
    named = [tasks[test] for test in tests if test in tasks]
    if not named:
        return "Problem 4, in the notebook"
    places = ", ".join(dict.fromkeys(f"Problem {task.problem}, {task.file}" for task in named))
    return f"{places}: {named[0].text}" if len(named) == 1 else places


def feedback(grade: Grade) -> str:
    """A grade as Markdown, for its student."""
    return TEMPLATES.get_template("feedback.md").render(grade=grade, reasons=reasons(grade))


def feedback_page(grade: Grade) -> str:
    """A grade as a page, for its student."""
    return TEMPLATES.get_template("feedback.html").render(grade=grade, reasons=reasons(grade))


def as_gradescope(grade: Grade) -> dict[str, Any]:
    """A grade as the results.json that Gradescope's autograder reads."""
    tests = [
        {
            "name": f"Problem {test.problem}, {test.part}: {test.name}",
            "number": f"{test.problem}.{i}",
            "score": round(test.points, 4),
            "max_score": round(test.out_of, 4),
            "status": "passed" if test.points >= test.out_of - 1e-9 else "failed",
            "output": "\n".join([*([f"{test.heading}: {test.diagnosed}"] if test.diagnosed else []), *test.feedback])
            or "All properties hold.",
            "output_format": "text",
            "visibility": "visible",
        }
        for i, test in enumerate(grade.tests, start=1)
    ]
    results: dict[str, Any] = {
        "score": grade.points,
        "execution_time": round(grade.seconds),
        "output": "\n".join(f"Rule broken ({v.rule}): {v.message}" for v in grade.broken),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }
    if grade.test_accuracy is not None:
        results["leaderboard"] = [{"name": "Test accuracy", "value": round(grade.test_accuracy, 4), "order": "desc"}]
    return results


def as_failed(error: BaseException) -> dict[str, Any]:
    """The results.json for a submission that could not be graded."""
    reason = plain_text(first_line(error))
    return {
        "score": 0,
        "output": f"This could not be graded: {reason}. No test was made: hand in again, or ask your instructor.",
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
    }
