"""A class: many submissions are graded side by side, and each result is saved as soon as it is there."""

import csv
import hashlib
import io
import json
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from mlcvkit.course.assignment import Assignment
from mlcvkit.course.checks import all_lost
from mlcvkit.course.checks.notebook import PROPERTIES as NOTEBOOK_PROPERTIES
from mlcvkit.course.checks.notebook import Digits
from mlcvkit.course.feedback import feedback, feedback_page
from mlcvkit.course.gradebook import Ledger, plain_cell, settle_resubmissions
from mlcvkit.course.grading import Grader, prepare
from mlcvkit.course.likeness import Fingerprints, Pair, alike, fingerprints
from mlcvkit.course.rules import Violation
from mlcvkit.course.sandbox import Sandbox
from mlcvkit.course.scoring import Findings, Grade, score
from mlcvkit.course.submissions import Found, find_submissions, plain_text, read_submission
from mlcvkit.errors import InputError
from mlcvkit.extras import own_version
from mlcvkit.files import temporary_folder
from mlcvkit.storage import write_whole

STATE_FILE = "grading.json"
LONGEST_NAME = 150
"""The longest name of a file, in bytes, that a submission's name becomes."""
OnGrade = Callable[[Grade, bool], object]
"""Called after each submission with its grade, and whether an earlier run had found it."""


@dataclass(frozen=True)
class Examined:
    """The findings on a submission, its fingerprints, and whether an earlier run made them."""

    findings: Findings
    fingerprints: Fingerprints
    kept: bool


@dataclass(frozen=True)
class GradedClass:
    """A class's grades, the pairs of submissions that are alike, and earlier feedback for submissions not here now."""

    grades: list[Grade]
    alike: list[Pair]
    left_over: list[str]


@dataclass(frozen=True)
class Grading:
    """The seed, the limits and the version of an examination: the same for all findings in one folder."""

    seed: int
    examined_with: str
    version: str


def grade_class(
    paths: Sequence[Path] | Found,
    assignment: Assignment,
    *,
    folder: Path | None,
    sandbox: Sandbox,
    seed: int | None = None,
    jobs: int | None = None,
    on_grade: OnGrade | None = None,
    ledger: Ledger | None = None,
) -> GradedClass:
    """Grade submissions, side by side.

    The findings on each, and its grade, are saved in ``folder`` at once, so that a grading that was stopped or killed
    continues: a submission whose files have not changed is not run again, and other points or terms are computed from
    the findings.

    Arguments: ``paths``, submissions or folders of them, or one that was found; ``folder`` for the grades, None
    to keep none; ``seed`` of the hidden inputs, one for the class, drawn where None; ``jobs``, how many at once, one a
    core where None; ``ledger``, the roster, dates and overrides.
    Returns: the grades, in the order of the submissions, and which submissions are alike.
    Raises: InputError if there is no submission, where the folder holds what was examined with other limits or
    another seed, or where an override is of nobody.
    """
    submissions = [paths] if isinstance(paths, Found) else find_submissions(paths)
    names = _names(submissions)
    ledger = ledger or Ledger()
    grading = _begin(folder, assignment, seed)
    shown = ledger.show(names, grading.seed)
    ledger.unused_overrides(shown)  # which refuses one of nobody
    if folder is not None and ledger.anonymous:
        _write_identities(folder, names, shown)
    examined: dict[int, Examined] = {}

    def graded(i: int) -> Grade:
        findings = examined[i].findings
        return score(assignment, replace(findings, submission=shown[i]), ledger.terms(shown[i], findings.modified))

    def finished(i: int, one: Examined) -> None:
        examined[i] = one
        grade = graded(i)
        _write(folder, grade)
        if on_grade is not None:
            on_grade(grade, one.kept)

    prepare()
    with _digits(assignment, grading.seed) as digits:
        grader = Grader(assignment, sandbox, grading.seed, digits)
        calls = [partial(_examine_one, grader, one, name, folder) for one, name in zip(submissions, names, strict=True)]
        _side_by_side(calls, jobs, sandbox, finished)
    modified = {shown[i]: examined[i].findings.modified for i in examined}
    grades = settle_resubmissions([graded(i) for i in range(len(names))], ledger, modified)
    for grade in grades:
        _write(folder, grade)
    marks = {shown[i]: examined[i].fingerprints for i in range(len(names))}
    written = {path.stem for path in (folder / "submissions").iterdir()} if folder is not None else set()
    pairs = [pair for pair in alike(marks) if not _are_one(pair, ledger)]
    return GradedClass(grades, pairs, sorted(written - set(shown)))


def _side_by_side(
    calls: Sequence[Callable[[], Examined]],
    jobs: int | None,
    sandbox: Sandbox,
    finished: Callable[[int, Examined], None],
) -> None:
    """Call all in threads, and ``finished`` with the number and result of each. An error stops the sandbox."""
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        waiting = {pool.submit(call): i for i, call in enumerate(calls)}
        try:
            while waiting:
                done, _ = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in done:
                    finished(waiting.pop(future), future.result())
        except BaseException:
            sandbox.stop()
            pool.shutdown(cancel_futures=True)
            raise


def _write_identities(folder: Path, names: Sequence[str], shown: Sequence[str]) -> None:
    """Say in a file whose each number is; what an earlier run wrote under the names is removed."""
    for path in (folder / "submissions").iterdir():
        if path.stem in names:
            path.unlink()
    text = io.StringIO()
    rows = [(plain_cell(name), one) for name, one in zip(names, shown, strict=True)]
    csv.writer(text, lineterminator="\n").writerows([("submission", "shown"), *rows])
    write_whole(folder / "identities.csv", _bytes(text.getvalue()))


def _are_one(pair: Pair, ledger: Ledger) -> bool:
    """Whether both are by one student."""
    first, second = ledger.student_of(pair.first), ledger.student_of(pair.second)
    return first is not None and first == second


def _examine_one(grader: Grader, one: Found, name: str, folder: Path | None) -> Examined:
    """Examine one submission and save the findings. Whatever happens, the others go on, and this one is left to a
    person.

    After a fault of the grader or of the machine, such as a process that cannot be started, there is a second try, so
    that only a fault that comes twice costs points.
    """
    for _ in range(2):
        try:
            return _examined(grader, one, name, folder)
        except InputError:
            raise
        except Exception as error:
            reason = f"it could not be graded: {type(error).__name__}: {error}; please look at it by hand"
    tests = [test for problem in grader.assignment.problems for part in problem.parts for test in part.tests]
    reports = {test: all_lost(test, ("value",), reason) for test in tests}
    return Examined(Findings(name, reports, (Violation("grader", plain_text(reason)),)), {}, False)


def _examined(grader: Grader, one: Found, name: str, folder: Path | None) -> Examined:
    limits = grader.assignment.limits
    submission = read_submission(
        one, most_bytes=int(limits["submission_mb"]) << 20, most_files=int(limits["submission_files"])
    )
    marks = fingerprints(submission.files)
    place = None if folder is None else folder / "findings" / f"{name}.json"
    if place is not None and (kept := _kept(place, submission.digest, grader.assignment)) is not None:
        return Examined(kept, marks, True)
    findings = grader.examine(submission, name)
    grader.sandbox.require_running()
    if place is not None:
        content = {"digest": submission.digest, **findings.as_json()}
        write_whole(place, _bytes(json.dumps(content, ensure_ascii=False, indent=1)))
    return Examined(findings, marks, False)


def _write(folder: Path | None, grade: Grade) -> None:
    """Write a grade and its feedback if they have changed."""
    if folder is None:
        return
    texts = {
        "json": json.dumps(grade.as_json(), ensure_ascii=False, indent=1),
        "md": feedback(grade),
        "html": feedback_page(grade),
    }
    for kind, text in texts.items():
        path, content = folder / "submissions" / f"{grade.submission}.{kind}", _bytes(text)
        if not path.is_file() or path.read_bytes() != content:
            write_whole(path, content)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _kept(place: Path, digest: str, assignment: Assignment) -> Findings | None:
    """The findings of an earlier run on the same files, if it made all tests that are needed now."""
    try:
        values = json.loads(place.read_bytes())
        if values.pop("digest") != digest:
            return None
        findings = Findings.from_json(values)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    tests = {test for problem in assignment.problems for part in problem.parts for test in part.tests}
    return findings if tests <= findings.reports.keys() else None


def _begin(folder: Path | None, assignment: Assignment, seed: int | None) -> Grading:
    """The seed, limits and version for this class: those of the folder if it holds findings already."""
    decides = {"limits": assignment.limits, "accuracy": assignment.accuracy, "forbidden": assignment.forbidden}
    examined_with = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    fresh = Grading(secrets.randbits(63) if seed is None else seed, examined_with, own_version())
    if folder is None:
        return fresh
    try:
        for name in ("submissions", "findings"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        values = json.loads((folder / STATE_FILE).read_bytes())
        stored = Grading(**values)
    except FileNotFoundError:
        write_whole(folder / STATE_FILE, json.dumps(asdict(fresh), indent=1).encode())
        return fresh
    except OSError as error:
        raise InputError(f"the folder {folder} for the grades cannot be written: {error.strerror}") from None
    except (ValueError, TypeError):
        if '"rubric"' in (folder / STATE_FILE).read_text(errors="replace"):
            raise InputError(f"{folder} holds grades of an earlier version: choose another --output") from None
        raise InputError(f"{folder / STATE_FILE} is damaged: remove {folder}, or choose another --output") from None
    for what, same in {
        "other limits, accuracies or libraries": stored.examined_with == examined_with,
        f"seed {stored.seed}": seed is None or stored.seed == seed,
        f"version {stored.version}": stored.version == fresh.version,
    }.items():
        if not same:
            raise InputError(f"{folder} holds grades made with {what}: choose another --output, or remove it")
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
    """A name for files: printable text, short enough for a suffix."""
    text = plain_text(name)
    if len(text.encode()) <= LONGEST_NAME:
        return text
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{text.encode()[: LONGEST_NAME - 9].decode('utf-8', 'ignore')}-{digest}"


def _names(submissions: Sequence[Found]) -> list[str]:
    """A name for each submission; two with the same name also get the names of their folders."""
    plain = [_short(found.name) for found in submissions]
    count = Counter(plain)
    names = [
        name if count[name] == 1 else _short(f"{found.paths[0].parent.name}-{name}")
        for found, name in zip(submissions, plain, strict=True)
    ]
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return unique
