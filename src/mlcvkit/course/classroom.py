"""A class: many submissions graded side by side, each kept as soon as it is done, and an overview of all."""

import csv
import hashlib
import io
import json
import os
import re
import secrets
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from mlcvkit.course.assignment import Assignment
from mlcvkit.course.checks.notebook import PROPERTIES as NOTEBOOK_PROPERTIES
from mlcvkit.course.checks.notebook import Digits
from mlcvkit.course.grading import Grade, Grader, TestResult
from mlcvkit.course.rules import Violation
from mlcvkit.course.sandbox import Sandbox
from mlcvkit.course.submissions import find_submissions, plain_text, read_submission
from mlcvkit.errors import InputError
from mlcvkit.files import temporary_folder
from mlcvkit.storage import write_whole

STATE_FILE = "grading.json"
LONGEST_NAME = 150
"""Bytes of a submission's name that names of files keep."""
Told = Callable[[Grade, bool], object]
"""Called after each submission with its grade, and whether it was kept from an earlier run."""


@dataclass(frozen=True)
class Grading:
    """What a class was graded with; grades of one folder have one."""

    seed: int
    rubric: str
    version: str


def grade_class(
    paths: Sequence[Path],
    assignment: Assignment,
    *,
    folder: Path | None,
    sandbox: Sandbox,
    seed: int | None = None,
    jobs: int | None = None,
    told: Told | None = None,
) -> list[Grade]:
    """Grade submissions, side by side.

    Each grade is written to ``folder`` as soon as it is there, so that a grading that was stopped or killed goes on
    where it was: a submission whose files are the same is not graded again.

    Arguments: ``paths``, submissions or folders of them; ``folder`` for the grades, None to keep none; ``seed`` of the
    hidden inputs, one for the class, drawn where None; ``jobs``, how many at once, one a core where None.
    Returns: the grades, in the order of the submissions.
    Raises: InputError where there is no submission, or where the folder holds grades of another rubric or seed.
    """
    submissions = find_submissions(list(paths))
    names = _names(submissions)
    jobs = jobs or os.cpu_count() or 1
    grading = _begin(folder, assignment, seed)
    grades: dict[int, Grade] = {}
    with _digits(assignment, grading.seed) as digits, ThreadPoolExecutor(jobs) as pool:
        grader = Grader(assignment, sandbox, grading.seed, digits)

        waiting: dict[Future[tuple[Grade, bool]], int] = {
            pool.submit(_grade_one, grader, path, name, folder): i
            for i, (path, name) in enumerate(zip(submissions, names, strict=True))
        }
        try:
            while waiting:
                done, _ = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in done:
                    i = waiting.pop(future)
                    grades[i], kept = future.result()
                    if told is not None:
                        told(grades[i], kept)
        except BaseException:
            sandbox.stop()
            pool.shutdown(cancel_futures=True)
            raise
    return [grades[i] for i in range(len(submissions))]


def _grade_one(grader: Grader, path: Path, name: str, folder: Path | None) -> tuple[Grade, bool]:
    """Grade and keep one submission. Whatever it does, the others are graded: then this one is left for a person."""
    try:
        return _graded(grader, path, name, folder)
    except InputError:
        raise
    except Exception as error:
        reason = plain_text(f"it could not be graded: {type(error).__name__}: {error}; please look at it by hand")
        return Grade(name, 0.0, round(grader.assignment.points, 2), (), (Violation("grader", reason),)), False


def _graded(grader: Grader, path: Path, name: str, folder: Path | None) -> tuple[Grade, bool]:
    limits = grader.assignment.limits
    submission = read_submission(
        path, most_bytes=int(limits["submission_mb"]) << 20, most_files=int(limits["submission_files"])
    )
    place = None if folder is None else folder / "submissions" / f"{name}.json"
    if place is not None and (kept := _kept(place, submission.digest)) is not None:
        return kept, True
    grade = grader.grade(submission, name)
    grader.sandbox.require_running()
    if place is not None:
        content = {"digest": submission.digest, **grade.as_json()}
        write_whole(place, _bytes(json.dumps(content, ensure_ascii=False, indent=1)))
        write_whole(place.with_suffix(".md"), _bytes(feedback(grade)))
    return grade, False


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _kept(place: Path, digest: str) -> Grade | None:
    """The grade of the same files from an earlier run."""
    try:
        values = json.loads(place.read_bytes())
        if values.pop("digest") != digest:
            return None
        tests = tuple(TestResult(**{**test, "feedback": tuple(test["feedback"])}) for test in values.pop("tests"))
        violations = tuple(Violation(**violation) for violation in values.pop("violations"))
        return Grade(**values, tests=tests, violations=violations)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _begin(folder: Path | None, assignment: Assignment, seed: int | None) -> Grading:
    """What this class is graded with: what the folder says, where it holds grades already."""
    rubric = hashlib.sha256(json.dumps(asdict(assignment), sort_keys=True).encode()).hexdigest()
    fresh = Grading(secrets.randbits(63) if seed is None else seed, rubric, version("mlcvlab"))
    if folder is None:
        return fresh
    try:
        (folder / "submissions").mkdir(parents=True, exist_ok=True)
        stored = Grading(**json.loads((folder / STATE_FILE).read_bytes()))
    except FileNotFoundError:
        write_whole(folder / STATE_FILE, json.dumps(asdict(fresh), indent=1).encode())
        return fresh
    except OSError as error:
        raise InputError(f"the folder {folder} for the grades cannot be written: {error.strerror}") from None
    except (ValueError, TypeError):
        raise InputError(f"{folder / STATE_FILE} is damaged: remove {folder}, or choose another --output") from None
    for what, same in {
        "another rubric": stored.rubric == rubric,
        f"seed {stored.seed}": seed is None or stored.seed == seed,
        f"version {stored.version}": stored.version == fresh.version,
    }.items():
        if not same:
            raise InputError(f"{folder} holds grades of {what}: choose another --output, or remove it")
    return stored


@contextmanager
def _digits(assignment: Assignment, seed: int) -> Iterator[Digits | None]:
    tests = {test for problem in assignment.problems for part in problem.parts for test in part.tests}
    if not tests & NOTEBOOK_PROPERTIES.keys():
        yield None
        return
    with temporary_folder("digits-") as folder:
        yield Digits.make(folder, seed)


def _short(name: str) -> str:
    """A name for files: text that can be written, and short enough in bytes for a suffix behind it."""
    text = plain_text(name)
    if len(text.encode()) <= LONGEST_NAME:
        return text
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{text.encode()[: LONGEST_NAME - 9].decode('utf-8', 'ignore')}-{digest}"


def _names(submissions: Sequence[Path]) -> list[str]:
    """A name for each submission, that of its file without its kind; with its folder's where two have one."""
    plain = [
        _short(re.sub(r"\.(zip|tar|tgz|tar\.(gz|bz2|xz))$", "", path.name, flags=re.IGNORECASE)) for path in submissions
    ]
    count = Counter(plain)
    names = [
        name if count[name] == 1 else _short(f"{path.parent.name}-{name}")
        for path, name in zip(submissions, plain, strict=True)
    ]
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return unique


def feedback(grade: Grade) -> str:
    """A grade as Markdown, for its student."""
    return _template("feedback.md").render(grade=grade)


def write_overview(grades: Sequence[Grade], assignment: Assignment, folder: Path) -> list[Path]:
    """Write overview.csv, overview.json and overview.html; the files."""
    summary = summarize(grades, assignment)
    contents = {
        "overview.csv": _as_csv(grades, assignment),
        "overview.json": json.dumps(summary, ensure_ascii=False, indent=1),
        "overview.html": _template("overview.html").render(
            summary=summary, grades=sorted(grades, key=lambda grade: grade.submission), assignment=assignment
        ),
    }
    for name, content in contents.items():
        write_whole(folder / name, _bytes(content))
    return [folder / name for name in contents]


def _template(name: str) -> jinja2.Template:
    loader = jinja2.FunctionLoader(
        lambda name: files(__package__).joinpath("templates", name).read_text(encoding="utf-8")
    )
    environment = jinja2.Environment(
        loader=loader,
        autoescape=name.endswith(".html"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)


def _as_csv(grades: Sequence[Grade], assignment: Assignment) -> str:
    tests = [test for problem in assignment.problems for part in problem.parts for test in part.tests]
    text = io.StringIO()
    writer = csv.writer(text)
    problems = [f"problem {problem.number}" for problem in assignment.problems]
    writer.writerow(["submission", "points", "out_of", *problems, *tests, "violations", "test_accuracy"])
    for grade in grades:
        points = {test.name: test.points for test in grade.tests}
        writer.writerow(
            [
                _plain_cell(grade.submission),
                grade.points,
                grade.out_of,
                *(round(points_of(grade, problem.number), 2) for problem in assignment.problems),
                *(round(points.get(test, 0), 2) for test in tests),
                _plain_cell("; ".join(violation.message for violation in grade.violations)),
                "" if grade.test_accuracy is None else round(grade.test_accuracy, 4),
            ]
        )
    return text.getvalue()


def _plain_cell(text: str) -> str:
    """A text that a spreadsheet takes for a text, and not for a formula."""
    return f"'{text}" if text and text[0] in "=+-@\t\r" else text


def points_of(grade: Grade, problem: int) -> float:
    return sum(test.points for test in grade.tests if test.problem == problem)


def summarize(grades: Sequence[Grade], assignment: Assignment) -> dict[str, Any]:
    """The class in numbers: the distribution in all and of each problem, how each test went, the commonest mistakes."""
    distributions = [_distribution("All", [grade.points for grade in grades], assignment.points)]
    for problem in assignment.problems:
        points = [points_of(grade, problem.number) for grade in grades]
        distributions.append(_distribution(f"Problem {problem.number}: {problem.name}", points, problem.points))
    results = [test for grade in grades for test in grade.tests]
    tests = []
    for name in dict.fromkeys(test.name for test in results):
        own = [test for test in results if test.name == name]
        mistakes = Counter(test.diagnosed for test in own if test.diagnosed)
        tests.append(
            {
                "test": name,
                "out_of": own[0].out_of,
                "mean": sum(test.points for test in own) / len(own),
                "full": sum(test.points >= test.out_of - 1e-9 for test in own),
                "none": sum(test.points == 0 for test in own),
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
        "output": "\n".join(f"Rule broken ({v.rule}): {v.message}" for v in grade.violations),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }
    if grade.test_accuracy is not None:
        results["leaderboard"] = [{"name": "Test accuracy", "value": round(grade.test_accuracy, 4), "order": "desc"}]
    return results
