"""Scoring: points from the findings on a submission. Nothing is run here, so that other points need no new run."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mlcvkit.course.assignment import Assignment, Part
from mlcvkit.course.checks import Diagnosis, Property, Report
from mlcvkit.course.rules import Violation
from mlcvkit.course.submissions import plain_text


@dataclass(frozen=True)
class Findings:
    """The findings on one submission, before any points.

    Parameters
    ----------
    submission
        The name of the submission.
    reports
        The report of each test.
    violations
        The rules that are broken, and what a person should look at.
    test_accuracy
        The accuracy of the notebook's model on the true test images; None if there is none.
    modified
        When the newest of its files was written, in seconds since 1970; 0 if that is unknown.
    seconds
        How long it took.
    """

    submission: str
    reports: Mapping[str, Report]
    violations: tuple[Violation, ...] = ()
    test_accuracy: float | None = None
    modified: float = 0.0
    seconds: float = field(default=0.0, compare=False)

    def as_json(self) -> dict[str, Any]:
        """The findings as plain values for ``from_json``."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Findings":
        """The findings from plain values.

        Raises
        ------
        KeyError, TypeError
            If the values are not findings.
        """
        reports = {test: _report(report) for test, report in values["reports"].items()}
        violations = tuple(Violation(**violation) for violation in values["violations"])
        return cls(**{**values, "reports": reports, "violations": violations})


def _report(values: Mapping[str, Any]) -> Report:
    diagnosis = None if values["diagnosis"] is None else Diagnosis(**values["diagnosis"])
    return Report(**{**values, "properties": [Property(**p) for p in values["properties"]], "diagnosis": diagnosis})


@dataclass(frozen=True)
class TestResult:
    """The points of one test, and the reasons."""

    name: str
    problem: int
    part: str
    points: float
    out_of: float
    feedback: tuple[str, ...] = ()
    diagnosis: str = ""
    diagnosed: str = ""
    variant: str = ""
    relative_error: float | None = None
    overridden: bool = False
    """Whether the instructor set the points."""

    __test__ = False

    @property
    def right(self) -> bool:
        return self.points >= self.out_of - 1e-9

    @property
    def heading(self) -> str:
        """The heading of the diagnosis."""
        return "Note, no points are lost by it" if self.right else "Likely mistake"


@dataclass(frozen=True)
class Grade:
    """A submission's points.

    Parameters
    ----------
    submission
        The name of the submission.
    points
        The points that count, of ``out_of``; a bonus may go above.
    tests
        The points of each test.
    violations
        The rules that are broken, and what a person should look at.
    test_accuracy
        The accuracy of the notebook's model on the true test images; None if there is none.
    cost
        The points that the broken rules cost.
    days_late
        Started days after the due date.
    late_cost
        The points that they cost.
    bonus
        Points above the homework's.
    overridden
        Whether the points in all are the instructor's.
    comment
        The instructor's comment.
    superseded_by
        The submission of the same student that counts in its place.
    seconds
        How long it took.
    """

    submission: str
    points: float
    out_of: float
    tests: tuple[TestResult, ...]
    violations: tuple[Violation, ...] = ()
    test_accuracy: float | None = None
    cost: float = 0.0
    days_late: int = 0
    late_cost: float = 0.0
    bonus: float = 0.0
    overridden: bool = False
    comment: str = ""
    superseded_by: str = ""
    seconds: float = field(default=0.0, compare=False)

    @property
    def broken(self) -> tuple[Violation, ...]:
        """The broken rules, without notes for a person."""
        return tuple(violation for violation in self.violations if violation.rule != "look")

    @property
    def is_corrected(self) -> bool:
        """Whether the instructor set any of its points."""
        return self.overridden or any(test.overridden for test in self.tests)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Terms:
    """What counts for one student besides the findings: lateness, a bonus, and the instructor's decisions.

    Parameters
    ----------
    days_late
        Days after the due date that had begun.
    late_percent
        Per cent of the earned points that each of them costs.
    notes
        Notes on the dates for a person.
    bonus
        Points that are added.
    tests
        The instructor's points for tests.
    points
        The total that the instructor set; None if the grader's counts.
    comment
        The instructor's words.
    """

    days_late: int = 0
    late_percent: float = 0.0
    notes: tuple[str, ...] = ()
    bonus: float = 0.0
    tests: Mapping[str, float] = field(default_factory=dict)
    points: float | None = None
    comment: str = ""


def score(assignment: Assignment, findings: Findings, terms: Terms | None = None) -> Grade:
    """The points for findings, by a rubric.

    Broken rules are subtracted from the points of the tests, and late days cost a share of the rest. A bonus is added.
    The instructor's decisions replace all of it.
    """
    terms = terms or Terms()
    results = []
    for problem in assignment.problems:
        for part in problem.parts:
            for test in part.tests:
                result = score_test(assignment, problem.number, part, test, findings.reports[test])
                if test in terms.tests:
                    result = replace(result, points=terms.tests[test], overridden=True)
                results.append(result)
    cost = sum(assignment.rules_cost.get(rule, 0) for rule in {violation.rule for violation in findings.violations})
    earned = max(0.0, math.fsum(result.points for result in results) - cost)
    late_cost = earned * min(1.0, terms.days_late * terms.late_percent / 100) if terms.points is None else 0.0
    points = earned - late_cost + terms.bonus if terms.points is None else terms.points
    return Grade(
        plain_text(findings.submission),
        round(points, 2),
        round(assignment.points, 2),
        tuple(results),
        (
            *(replace(violation, message=plain_text(violation.message)) for violation in findings.violations),
            *(Violation("look", note) for note in terms.notes),
        ),
        findings.test_accuracy,
        float(cost),
        terms.days_late,
        round(late_cost, 2),
        terms.bonus,
        terms.points is not None,
        terms.comment,
        seconds=findings.seconds,
    )


def score_test(assignment: Assignment, problem: int, part: Part, test: str, report: Report) -> TestResult:
    """The points of one test."""
    weight = {prop.name: assignment.properties.get(prop.name, 1.0) for prop in report.properties}
    worth = {prop.name: prop.worth(assignment.variants) for prop in report.properties}
    total = sum(weight.values())
    share = sum(weight[name] * worth[name] for name in weight) / total if total else 0.0
    out_of = part.points_of(test)
    losing = [prop for prop in report.properties if worth[prop.name] < 1 and prop.feedback]
    feedback = [f"{prop.name.replace('_', ' ')}: {prop.feedback}" for prop in losing]
    if losing and report.equation:
        feedback.append(f"the equation: {report.equation}")
    return TestResult(
        test,
        problem,
        part.name,
        round(out_of * share, 4),
        round(out_of, 4),
        tuple(plain_text(line, 2000) for line in ([report.reason] if report.reason else feedback)),
        report.diagnosis.mistake if report.diagnosis else "",
        report.diagnosis.message if report.diagnosis else "",
        report.variant or "",
        report.relative_error,
    )
