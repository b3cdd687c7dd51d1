"""The roster, due dates, the instructor's overrides, and the grades in the files of learning platforms.

The roster is a CSV file: the grading worksheet of Moodle, the exported gradebook of Canvas, or a table with the columns
of ``OWN``. The export is the same file with the grades filled in.
"""

import csv
import hashlib
import io
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from mlcvkit.course.assignment import Assignment
from mlcvkit.course.scoring import Grade, Terms
from mlcvkit.course.submissions import OF_CANVAS, OF_MOODLE
from mlcvkit.errors import InputError
from mlcvkit.files import read_toml

SAME_NAME = "\0"
OVERRIDES = "overrides.toml"
OWN = ("name", "id", "login", "email", "submission", "submitted", "extension", "bonus")
CANVAS = ("Student", "ID", "SIS Login ID", "Section")
"""The columns of a gradebook of Canvas; the column of the assignment follows."""
MOODLE = ("Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)", "Feedback comments")
"""The columns of Moodle's grading worksheet, in upper or lower case."""
TIMES = (
    *("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"),
    *("%A, %d %B %Y, %I:%M %p", "%A, %B %d, %Y, %I:%M %p", "%A, %d %B %Y, %H:%M"),
    *("%d %B %Y, %I:%M %p", "%B %d, %Y, %I:%M %p", "%d %B %Y, %H:%M"),
)
Keep = Literal["last", "best"]
Kind = Literal["canvas", "moodle", "own"]
KNOWN_BY = {
    "canvas": ("student", ("id", "sis login id", "sis user id")),
    "moodle": ("full name", ("identifier", "id number", "email address")),
    "own": ("name", ("id", "login", "email", "submission")),
}
"""For each kind of roster the column with the names, and those by which students are known, in lower case."""
SURE = 5
"""An id or login of so many characters stands in a submission's name by no chance."""
EXTENDED = re.compile(r"extension granted until:?\s*(.+?)(?: - .*)?$", re.IGNORECASE)
"""In the column Status of Moodle's worksheet."""
PARTICIPANT = re.compile(
    r"(teilnehm|parti?cip|partecip|deelnem|deltag|osallist|uczestn|участ|учас)\w*\W*\w*?\d+$", re.IGNORECASE
)
"""How Moodle identifies a student in some languages."""
WITHOUT_ACCENT = str.maketrans("łøđðıħŧŋ", "loddihtn") | str.maketrans({"æ": "ae", "œ": "oe", "þ": "th", "ʼ": " "})
"""Letters that Unicode does not take apart into one without an accent and the accent."""
BRACKETS = str.maketrans("()", "[]")
"""Round brackets are around what the grader adds to a deduction."""
NO_STUDENTS = ("Points Possible", "Student, Test")
"""Rows of Canvas's gradebook."""


@dataclass(frozen=True)
class Student:
    """A row of the roster.

    Parameters
    ----------
    row
        The number of the row in the file, from 0.
    name
        The student's name.
    keys
        The ids and logins that may be part of a file's name.
    submitted
        When it was handed in; None if the roster does not say.
    extension
        Extra days after the due date, or another due date for this student.
    bonus
        Points above the homework's.
    unread
        A time of submission that cannot be read.
    """

    row: int
    name: str
    keys: tuple[str, ...]
    submitted: datetime | None = None
    extension: timedelta | datetime = timedelta(0)
    bonus: float = 0.0
    unread: str = ""


@dataclass(frozen=True)
class Roster:
    """The students of a class, and the file with them."""

    path: Path
    kind: Kind
    columns: list[str]
    rows: list[dict[str, str]]
    students: list[Student]
    separator: str = ","

    def student_of(self, submission: str, pattern: str | None = None) -> Student | None:
        """The student who handed in a submission, by its name; None if it is nobody's or could be two people's.

        By default the ids in the names of Moodle's and Canvas's downloads; else the student's own name, where all its
        words stand in the submission's name, or an id or login that does. Where an id says another student than the
        name, it is nobody's. A ``pattern`` has a group called id, or one called name.
        """
        ids, names = _identities(submission, pattern)
        by_id = [student for student in self.students if any(_stands_in(key, ids) for key in student.keys)]
        if isinstance(ids, set):
            return _only(by_id or [student for student in self.students if _letters(student.name) & names])
        by_name = self._named_in(submission)
        sure = [s for s in by_id if any(len(key) >= SURE and _stands_in(key, ids) for key in s.keys)]
        if len(by_name) == 1 and all(student.row == by_name[0].row for student in sure):
            return by_name[0]
        return None if by_name and sure and not {s.row for s in by_name} & {s.row for s in sure} else _only(by_id)

    def _named_in(self, submission: str) -> list[Student]:
        """The students all of whose names' words stand in a submission's name; the longest of such names."""
        there, whole = _words(submission), _letters(submission)
        found = [
            student
            for student in self.students
            if (len(own := _words(student.name)) > 1 and own <= there) or _letters(student.name) & whole
        ]
        return [s for s in found if not any(_words(s.name) < _words(other.name) for other in found)]


def _only(students: Sequence[Student]) -> Student | None:
    """The one student among some, None if there are two, or none."""
    return students[0] if len({student.row for student in students}) == 1 else None


def _identities(submission: str, pattern: str | None) -> tuple[set[str] | str, set[str]]:
    """The ids, or a text that may have them in it, and the names that a submission's name may stand for."""
    if pattern is not None:
        found = re.search(pattern, submission)
        groups = found.groupdict() if found else {}
        return {groups["id"].lower()} if groups.get("id") else set(), _letters(groups.get("name") or "")
    if moodle := OF_MOODLE.fullmatch(submission):
        return {moodle["id"]}, _letters(moodle["who"])
    if canvas := OF_CANVAS.fullmatch(f"{submission}_1_x"):
        parts = canvas["who"].replace("_LATE", "").split("_")
        return {parts[1]}, _letters(parts[0])
    return submission.lower(), _letters(submission)


def _stands_in(key: str, ids: set[str] | str) -> bool:
    """Whether a key is one of some ids, or occurs in a text as a whole word or number."""
    if isinstance(ids, set):
        return key.lower() in ids
    return re.search(rf"(?<![^\W_]){re.escape(key.lower())}(?![^\W_])", ids) is not None


def _letters(name: str) -> set[str]:
    """A name in lower case without accents, its words in both orders; nothing for a text without letters."""
    words = _in_words(name) or re.findall(r"\w+", name.lower())
    return {"".join(words), "".join(sorted(words))} if words else set()


def _words(name: str) -> set[str]:
    """The words of a name in lower case without accents."""
    return set(_in_words(name))


def _in_words(name: str) -> list[str]:
    """The words of a name in any script, with their letters' marks, apart from the accents of European ones."""
    plain = unicodedata.normalize("NFKD", name.casefold().translate(WITHOUT_ACCENT))
    marks = ("\u02b0", "\u036f")  # accents, and signs such as the apostrophe of ʻokina
    letters = [" " if unicodedata.category(c)[0] not in "LM" else c for c in plain if not marks[0] <= c <= marks[1]]
    return "".join(letters).split()


def read_roster(path: Path) -> Roster:
    """Read the roster in a CSV file.

    Raises: InputError if it cannot be read, or has none of the columns by which students are known.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"the roster {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"the roster {path} is not UTF-8: {error}") from None
    try:
        separator = max(",;\t", key=text.partition("\n")[0].count)
        file = io.StringIO(text, newline="")
        header = next(csv.reader(file, strict=True, delimiter=separator), [])
        columns = _told_apart(header)
        reader = csv.DictReader(file, columns, strict=True, delimiter=separator)
        rows = [{name: value or "" for name, value in row.items() if name is not None} for row in reader]
    except csv.Error as error:
        raise InputError(f"the roster {path} is no CSV: {error}") from None
    lower = {column.strip().lower() for column in columns}
    kind: Kind = "own"
    if {name.lower() for name in CANVAS[:2]} <= lower:
        kind = "canvas"
    elif {name.lower() for name in MOODLE[:2]} <= lower:
        kind = "moodle"
    elif not lower & {"name", "id", "login", "email", "submission"}:
        raise InputError(
            f"the roster {path} has the columns {', '.join(header) or 'none'}: it must be the gradebook of Canvas "
            f"({', '.join(CANVAS)}), the grading worksheet of Moodle ({', '.join(MOODLE[:3])}), or have some of "
            f"{', '.join(OWN)}"
        )
    elif not lower <= {*OWN} and rows and all(PARTICIPANT.match(next(iter(row.values()), "")) for row in rows):
        raise InputError(
            f"the roster {path} is Moodle's grading worksheet in another language, with the columns "
            f"{', '.join(header[:3])}: download it with Moodle in English ({', '.join(MOODLE)})"
        )
    return Roster(path, kind, columns, rows, [*_students(path, kind, rows)], separator)


def _told_apart(columns: Sequence[str]) -> list[str]:
    """Names of columns, of which a later one of the same name gets a number that is not written."""
    return [f"{name}{SAME_NAME}{i}" if name in columns[:i] else name for i, name in enumerate(columns)]


def _students(path: Path, kind: Kind, rows: Sequence[Mapping[str, str]]) -> Iterator[Student]:
    name_column, key_columns = KNOWN_BY[kind]
    for i, row in enumerate(rows):
        plain = {column.strip().lower(): value.strip() for column, value in row.items()}
        name, keys = plain.get(name_column, ""), [plain.get(column, "") for column in key_columns]
        if kind == "canvas" and (not keys[0] or name in NO_STUDENTS):
            continue
        unread = ""
        if kind == "moodle":
            keys[0] = re.sub(r"\D", "", keys[0])
            handed_in, extended = plain.get("last modified (submission)", ""), EXTENDED.search(plain.get("status", ""))
            unread = "" if handed_in in ("", "-") or _time(handed_in) else handed_in
            plain.setdefault("submitted", handed_in if _time(handed_in) else "")
            plain.setdefault("extension", extended[1] if extended else "")
        terms = _own_terms(f"the roster {path}, row {i + 2}", plain)
        yield Student(i, name, tuple(filter(None, keys)), *terms, unread)


def _own_terms(where: str, plain: Mapping[str, str]) -> tuple[datetime | None, timedelta | datetime, float]:
    """When it was submitted, the extension, and the bonus of a row."""
    submitted, extension = plain.get("submitted", ""), plain.get("extension", "")
    if submitted and _time(submitted) is None:
        raise InputError(f"{where}: submitted must be a time like 2026-02-20 23:59; got {submitted!r}")
    days = _number(extension)
    if extension and days is None and _time(extension) is None:
        raise InputError(f"{where}: extension must be days, or a time like 2026-02-20 23:59; got {extension!r}")
    own_due = read_time(extension, "extension") if extension and days is None else None  # a day lasts until its end
    bonus = _number(plain.get("bonus", "") or "0")
    if bonus is None or bonus < 0:
        raise InputError(f"{where}: bonus must be points of 0 or more; got {plain['bonus']!r}")
    later = timedelta(days=days) if days is not None else own_due or timedelta(0)
    return _time(submitted), later, bonus


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _time(text: str) -> datetime | None:
    for form in TIMES:
        try:
            return datetime.strptime(text.strip(), form)
        except ValueError:
            continue
    return None


def read_time(text: str, option: str) -> datetime:
    """A time on the command line; InputError if it is not a time."""
    time = _time(text)
    if time is None:
        raise InputError(f"{option} must be a time like 2026-02-20 23:59; got {text!r}")
    return time if len(text.strip()) > len("2026-02-20") else time.replace(hour=23, minute=59, second=59)


@dataclass(frozen=True)
class Override:
    """The instructor's decisions on one submission."""

    points: float | None = None
    tests: Mapping[str, float] = field(default_factory=dict)
    comment: str = ""


def read_overrides(path: Path, assignment: Assignment) -> dict[str, Override]:
    """The overrides in a TOML file, by the name of the submission or the student; none if there is no file.

    Raises: InputError for an impossible override.
    """
    values = read_toml(path, str(path)) if path.exists() else {}
    most = {test: part.points_of(test) for p in assignment.problems for part in p.parts for test in part.tests}
    return {name: _override(f"{path}, {name}", value, most) for name, value in values.items()}


def _override(where: str, value: Any, most: Mapping[str, float]) -> Override:
    if not isinstance(value, dict):
        raise InputError(f"{where}: it must be a table with points, tests or comment")
    unknown = sorted(value.keys() - {"points", "tests", "comment"})
    if unknown:
        raise InputError(f"{where}: there is no {unknown[0]!r}; there are points, tests and comment")
    tests = value.get("tests", {})
    if not isinstance(tests, dict) or not isinstance(value.get("comment", ""), str):
        raise InputError(f"{where}: tests must be a table, and comment a text")
    for test, points in tests.items():
        if test not in most:
            raise InputError(f"{where}: there is no test {test!r}; there are {', '.join(most)}")
        if not _is_number(points) or not 0 <= points <= most[test] + 1e-9:
            raise InputError(f"{where}: {test} must have from 0 to {most[test]:g} points; got {points!r}")
    points = value.get("points")
    total = sum(most.values())
    if points is not None and (not _is_number(points) or not 0 <= points <= total + 1e-9):
        raise InputError(
            f"{where}: points must be from 0 to {total:g}, and a bonus stands in the roster; got {points!r}"
        )
    return Override(points, tests, value.get("comment", ""))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@dataclass
class Ledger:
    """What counts for each submission besides the findings.

    Parameters
    ----------
    roster
        The students; None if there is no roster.
    pattern
        Which part of a submission's name is the student's id or name.
    due
        The due date; None if lateness costs nothing.
    late_percent
        Per cent of the points earned that each day late costs.
    keep
        Which of a student's submissions counts.
    overrides
        What the instructor decides, by names.
    anonymous
        Whether submissions are shown by numbers that say nothing of who they are.
    real
        The submissions' own names, by those that are shown.
    """

    roster: Roster | None = None
    pattern: str | None = None
    due: datetime | None = None
    late_percent: float = 0.0
    keep: Keep = "last"
    overrides: Mapping[str, Override] = field(default_factory=dict)
    anonymous: bool = False
    real: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for student in self.roster.students if self.roster and self.due else ():
            if student.unread:
                raise InputError(
                    f"the roster has {student.unread!r} as the time of {student.name}, which cannot be read: write it "
                    "as 2026-02-20 23:59, in a column submitted"
                )

    def show(self, names: Sequence[str], seed: int) -> list[str]:
        """The names to show for submissions."""
        shown = [
            f"student-{hashlib.sha256(f'{seed} {name}'.encode()).hexdigest()[:8]}" if self.anonymous else name
            for name in names
        ]
        self.real = dict(zip(shown, names, strict=True))
        return shown

    def student_of(self, submission: str) -> Student | None:
        """The student who handed in a submission, which is given by its shown name."""
        real = self.real.get(submission, submission)
        return None if self.roster is None else self.roster.student_of(real, self.pattern)

    def terms(self, submission: str, modified: float) -> Terms:
        """The terms of a submission; ``modified`` is when its newest file was written."""
        student = self.student_of(submission)
        override = self._override_of(submission, student) or Override()
        handed_in = student.submitted if student and student.submitted else None
        by_file = handed_in is None and bool(modified)
        if by_file:
            handed_in = datetime.fromtimestamp(modified)
        days = self._days_late(student, handed_in)
        notes = []
        if days and by_file:
            notes.append(f"late by its newest file, of {handed_in:%Y-%m-%d %H:%M}: the roster has no time for it")
        if self.due is not None and not days and "_LATE_" in self.real.get(submission, submission):
            notes.append("its name says that it is late, and its files do not")
        return Terms(
            days,
            self.late_percent,
            tuple(notes),
            student.bonus if student else 0.0,
            override.tests,
            override.points,
            override.comment,
        )

    def _override_of(self, submission: str, student: Student | None) -> Override | None:
        names = [submission, self.real.get(submission, submission), *([student.name, *student.keys] if student else [])]
        found = [name for name in dict.fromkeys(names) if name in self.overrides]
        if len(found) > 1:
            raise InputError(
                f"{OVERRIDES} decides on {submission} twice, as {' and as '.join(map(repr, found))}: join them"
            )
        return self.overrides[found[0]] if found else None

    def _days_late(self, student: Student | None, handed_in: datetime | None) -> int:
        if self.due is None or handed_in is None:
            return 0
        later = student.extension if student else timedelta(0)
        due = later if isinstance(later, datetime) else self.due + later
        return max(0, math.ceil((handed_in - due) / timedelta(days=1)))

    def unused_overrides(self, submissions: Iterable[str]) -> list[str]:
        """The overrides of students of the roster without a submission here.

        Raises: InputError for an override that belongs to nobody.
        """
        known = set()
        for name in submissions:
            student = self.student_of(name)
            known |= {name, self.real.get(name, name), *([student.name, *student.keys] if student else [])}
            self._override_of(name, student)  # which refuses two
        unused = sorted(self.overrides.keys() - known)
        students = self.roster.students if self.roster is not None else ()
        of_roster = {name for student in students for name in (student.name, *student.keys)}
        unknown = [name for name in unused if name not in of_roster]
        if unknown:
            raise InputError(f"{OVERRIDES} has {unknown[0]!r}, which is no submission here and nobody in the roster")
        return unused


def settle_resubmissions(grades: Sequence[Grade], ledger: Ledger, modified: Mapping[str, float]) -> list[Grade]:
    """Choose which of several submissions of one student counts, and note that in the others."""
    of_student: dict[int, list[Grade]] = {}
    for grade in grades:
        student = ledger.student_of(grade.submission)
        if student is not None:
            of_student.setdefault(student.row, []).append(grade)
    superseded: dict[str, str] = {}
    for several in of_student.values():
        by: Callable[[Grade], Any] = (
            (lambda grade: (modified[grade.submission], _in_numbers(grade.submission)))
            if ledger.keep == "last"
            else (lambda grade: (grade.points, modified[grade.submission], _in_numbers(grade.submission)))
        )
        chosen = max(several, key=by)
        superseded |= {grade.submission: chosen.submission for grade in several if grade is not chosen}
    return [replace(grade, superseded_by=superseded.get(grade.submission, "")) for grade in grades]


def _in_numbers(name: str) -> list[tuple[int, str]]:
    """A name by which "hw1 (10)" comes after "hw1 (2)"."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


@dataclass(frozen=True)
class Export:
    """A roster with the grades in it.

    Parameters
    ----------
    text
        The CSV.
    column
        The column that has the points.
    is_new
        Whether the roster had no such column.
    without
        The students who have no grade.
    note
        That the platform counts other points, if it does.
    """

    text: str
    column: str
    is_new: bool
    without: str
    note: str = ""


def without_submission(submissions: Sequence[str], ledger: Ledger) -> list[str]:
    """The students of the roster without a submission: names, or numbers if names are not shown."""
    students = ledger.roster.students if ledger.roster else []
    known = {student.row for name in submissions if (student := ledger.student_of(name)) is not None}
    names = [student.name or next(iter(student.keys), "?") for student in students if student.row not in known]
    return [f"student {i}" for i in range(1, len(names) + 1)] if ledger.anonymous else names


def in_short(grade: Grade) -> str:
    """A grade in some words, for a cell: the instructor's comment, and where points were lost."""
    deductions = [
        f"{test.name} -{test.out_of - test.points:.2f}" + (f" ({test.diagnosed})" if test.diagnosed else "")
        for test in grade.tests
        if not test.right
    ]
    if len(deductions) == len(grade.tests) > 1 and not any(test.points for test in grade.tests):
        deductions = [f"none of {len(grade.tests)} functions -{sum(test.out_of for test in grade.tests):g}"]
    broken = [violation.message for violation in grade.violations if violation.rule != "look"]
    deductions += (
        [f"rules -{grade.cost:g}" + (f" ({broken[0].translate(BRACKETS)[:200]})" if broken else "")]
        if grade.cost
        else []
    )
    days = "1 day" if grade.days_late == 1 else f"{grade.days_late} days"
    deductions += [f"{days} late -{grade.late_cost:g}"] if grade.late_cost else []
    where = "set by the instructor" if grade.overridden else "; ".join(deductions) or "all right"
    return f"{grade.comment}{' ' if grade.comment else ''}{grade.points:g} of {grade.out_of:g} points: {where}."


_DEDUCTION = r"[\w ]+ -[\d.]*\d(?: \([^()]*(?:\([^()]*\)[^()]*)*\))?"
OF_THE_GRADER = re.compile(
    rf"[\d.]*\d of [\d.]*\d points: (?:all right|set by the instructor|{_DEDUCTION}(?:; {_DEDUCTION})*)\."
)
"""What ``in_short`` wrote into a cell before."""


def export(grades: Sequence[Grade], ledger: Ledger, assignment: Assignment) -> Export:
    """The roster with the grades in it, as the platform takes it.

    Raises: InputError if there is no roster.
    """
    roster = ledger.roster
    if roster is None:
        raise InputError("--export needs --roster: the gradebook or the grading worksheet that the platform exports")
    by_row = {student.row: student for student in roster.students}
    points: dict[int, Grade] = {}
    for grade in grades:
        student = ledger.student_of(grade.submission)
        if student is not None and not grade.superseded_by:
            points[student.row] = grade
    if grades and not points:
        raise InputError(
            f"nothing is exported: no submission of {len(grades)} is of a student of {roster.path}. Students "
            f"are known by {KNOWN_BY[roster.kind][0]} and {', '.join(KNOWN_BY[roster.kind][1])}"
        )
    columns = list(roster.columns)
    rows = [dict(row) for row in roster.rows]
    fill = {"canvas": _fill_canvas, "moodle": _fill_moodle, "own": _fill_own}[roster.kind]
    column = fill(columns, rows, points, assignment)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n", delimiter=roster.separator)
    writer.writerow(name.partition(SAME_NAME)[0] for name in columns)
    writer.writerows([row.get(name, "") for name in columns] for row in rows)
    without = [student.name or (student.keys or ("?",))[0] for row, student in by_row.items() if row not in points]
    note = _other_points(roster, column, points, assignment.points)
    return Export(text.getvalue(), column, column not in roster.columns, ", ".join(without), note)


def _other_points(roster: Roster, column: str, graded: Iterable[int], points: float) -> str:
    """That the platform counts other points than the grades, if it does."""
    by_lower = [{name.strip().lower(): value.strip() for name, value in row.items()} for row in roster.rows]
    if roster.kind == "canvas":
        written = [row.get(column.strip().lower(), "") for row in by_lower if row["student"] == "Points Possible"]
    else:
        written = [by_lower[i].get("maximum grade", "") for i in graded if roster.kind == "moodle"]
    others = sorted({value for one in written if (value := _number(one)) is not None and value != points})
    if not others:
        return ""
    there = " and ".join(f"{value:g}" for value in others)
    return f"{column} has {there} points in {roster.path}, and a grade is out of {points:g}: set it to {points:g} there"


def _fill_canvas(columns: list[str], rows: list[dict[str, str]], points: Mapping[int, Grade], of: Assignment) -> str:
    numbered = [name for name in columns if re.search(r"\(\d+\)$", name)]
    title, names = of.title.lower(), {name: re.sub(r"\s*\(\d+\)$", "", name).strip().lower() for name in columns}
    titled = [name for name, plain in names.items() if plain == title]
    titled = titled or [name for name in numbered if re.match(rf"{re.escape(title)}(?![\w.])", names[name])]
    if len(titled) > 1:
        raise InputError(f"the roster has {len(titled)} columns of the title {of.title!r}: {', '.join(titled)}")
    column = (titled or (numbered if len(numbered) == 1 else []) or [of.title])[0]
    if column not in columns:
        columns.append(column)
    student = next(name for name in columns if name.strip().lower() == "student")
    for i, row in enumerate(rows):
        if row[student].strip() == "Points Possible":
            row[column] = row.get(column) or f"{of.points:g}"
        elif i in points:
            row[column] = f"{points[i].points:g}"
    return column


def _fill_moodle(columns: list[str], rows: list[dict[str, str]], points: Mapping[int, Grade], of: Assignment) -> str:
    names = {name.lower(): name for name in columns}
    for wanted in ("Grade", "Feedback comments"):
        if wanted.lower() not in names:
            columns.append(wanted)
            names[wanted.lower()] = wanted
    for i, row in enumerate(rows):
        if i in points:
            row[names["grade"]] = f"{points[i].points:g}"
            row[names["feedback comments"]] = _with_grade(row.get(names["feedback comments"]) or "", points[i])
    return names["grade"]


def _with_grade(cell: str, grade: Grade) -> str:
    """A cell of comments with the grade: behind the instructor's words, or in the place of an earlier one."""
    found = OF_THE_GRADER.search(cell)
    before, after = (cell, "") if found is None else (cell[: found.start()], cell[found.end() :])
    before = before.strip().removesuffix(grade.comment).strip()  # which is written again
    return " ".join(part for part in (before, in_short(grade), after.strip()) if part)


def _fill_own(columns: list[str], rows: list[dict[str, str]], points: Mapping[int, Grade], of: Assignment) -> str:
    columns += [name for name in ("points", "out_of", "graded") if name not in columns]
    for i, row in enumerate(rows):
        if i in points:
            row |= {"points": f"{points[i].points:g}", "out_of": f"{of.points:g}"}
            row["graded"] = plain_cell(points[i].submission)
    return "points"


def plain_cell(text: str) -> str:
    """A text that a spreadsheet does not read as a formula."""
    return f"'{text}" if text and text[0] in "=+-@\t\r" else text
