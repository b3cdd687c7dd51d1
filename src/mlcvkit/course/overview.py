"""The overview of a class: a page, a table, and numbers."""

import csv
import io
import json
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlcvkit.course.assignment import Assignment
from mlcvkit.course.gradebook import plain_cell
from mlcvkit.course.likeness import Pair
from mlcvkit.course.rendering import TEMPLATES
from mlcvkit.course.scoring import Grade
from mlcvkit.storage import write_whole


def write_overview(
    grades: Sequence[Grade],
    assignment: Assignment,
    folder: Path,
    alike: Sequence[Pair] = (),
    missing: Sequence[str] = (),
) -> list[Path]:
    """Write overview.csv, overview.json and overview.html, and return their paths.

    The numbers are those of the submissions that count; ``missing`` are students who handed in nothing.
    """
    counting = [grade for grade in grades if not grade.superseded_by]
    summary = {**summarize(counting, assignment), "alike": [asdict(pair) for pair in alike]}
    summary["missing"] = list(missing)
    contents = {
        "overview.csv": _as_csv(grades, assignment),
        "overview.json": json.dumps(summary, ensure_ascii=False, indent=1),
        "overview.html": TEMPLATES.get_template("overview.html").render(
            summary=summary, grades=sorted(grades, key=lambda grade: grade.submission), assignment=assignment
        ),
    }
    for name, content in contents.items():
        write_whole(folder / name, content.encode("utf-8", "backslashreplace"))
    return [folder / name for name in contents]


MORE = ("days_late", "late_cost", "bonus", "corrected", "comment", "superseded_by")


def _as_csv(grades: Sequence[Grade], assignment: Assignment) -> str:
    tests = [test for problem in assignment.problems for part in problem.parts for test in part.tests]
    text = io.StringIO()
    writer = csv.writer(text)
    problems = [f"problem {problem.number}" for problem in assignment.problems]
    writer.writerow(["submission", "points", "out_of", *problems, *tests, "violations", "test_accuracy", *MORE])
    for grade in grades:
        points = {test.name: test.points for test in grade.tests}
        writer.writerow(
            [
                plain_cell(grade.submission),
                grade.points,
                grade.out_of,
                *(round(points_of(grade, problem.number), 2) for problem in assignment.problems),
                *(round(points.get(test, 0), 2) for test in tests),
                plain_cell("; ".join(violation.message for violation in grade.violations)),
                "" if grade.test_accuracy is None else round(grade.test_accuracy, 4),
                grade.days_late,
                grade.late_cost,
                grade.bonus,
                "yes" if grade.is_corrected else "",
                plain_cell(grade.comment),
                plain_cell(grade.superseded_by),
            ]
        )
    return text.getvalue()


def points_of(grade: Grade, problem: int) -> float:
    return sum(test.points for test in grade.tests if test.problem == problem)


def summarize(grades: Sequence[Grade], assignment: Assignment) -> dict[str, Any]:
    """The class in numbers: all points and those of each problem, each test, and the most common mistakes."""
    distributions = [_distribution("All", [grade.points for grade in grades], assignment.points)]
    for problem in assignment.problems:
        points = [points_of(grade, problem.number) for grade in grades]
        distributions.append(_distribution(f"Problem {problem.number}: {problem.name}", points, problem.points))
    results = [test for grade in grades for test in grade.tests]
    tests = []
    for name in dict.fromkeys(test.name for test in results):
        of_test = [test for test in results if test.name == name]
        mistakes = Counter(test.diagnosed for test in of_test if test.diagnosed)
        tests.append(
            {
                "test": name,
                "out_of": of_test[0].out_of,
                "mean": sum(test.points for test in of_test) / len(of_test),
                "full": sum(test.points >= test.out_of - 1e-9 for test in of_test),
                "none": sum(test.points == 0 for test in of_test),
                "mistakes": [{"mistake": text, "count": count} for text, count in mistakes.most_common(3)],
            }
        )
    return {
        "title": assignment.title,
        "submissions": len(grades),
        "out_of": assignment.points,
        "distributions": distributions,
        "tests": tests,
        "violations": dict(Counter(violation.rule for grade in grades for violation in grade.violations)),
    }


def _distribution(name: str, points: Sequence[float], out_of: float, bars: int = 10) -> dict[str, Any]:
    counts = [0] * bars
    for value in points:
        counts[min(bars - 1, int(value / out_of * bars)) if out_of else 0] += 1
    return {
        "name": name,
        "out_of": out_of,
        "mean": statistics.fmean(points) if points else 0,
        "median": statistics.median(points) if points else 0,
        "lowest": min(points, default=0),
        "highest": max(points, default=0),
        "counts": counts,
    }
