"""Who handed in what and when, what the instructor decides, and what the platforms take."""

import ast
import csv
import io
import json
import re
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from coursework import HONEST, honest
from mlcvkit import InputError
from mlcvkit.course import Ledger, export, read_overrides, read_roster, without_submission, write_overview
from mlcvkit.course.checks import Property, Report
from mlcvkit.course.feedback import feedback, feedback_page
from mlcvkit.course.gradebook import OF_THE_GRADER, Override, in_short, settle_resubmissions
from mlcvkit.course.handout import handout
from mlcvkit.course.likeness import alike, fingerprints
from mlcvkit.course.rules import Violation
from mlcvkit.course.scoring import Findings, Terms, score
from soak import repeated

CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,Homework 1: Learning (4711),Current Score
    Points Possible,,,,,25,(read only)
"Adams, Ann",101,A-7,adamsann,Lab 1,,90
"Brown, Bo",102,A-8,brownbo,Lab 1,3,80
"Clark, Cy",103,A-9,clarkcy,Lab 2,,70
"""
OF_MOODLE = (
    "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,Last modified (submission),"
    "Last modified (grade),Feedback comments"
)
MOODLE = f"""{OF_MOODLE}
Participant 5001,Ann Adams,ann@x.edu,Submitted for grading,,25.00,Yes,"Friday, 20 February 2026, 11:30 PM",-,
Participant 5002,Bo Brown,bo@x.edu,Submitted for grading,,25.00,Yes,"Sunday, 22 February 2026, 1:00 AM",-,
Participant 5003,Cy Clark,cy@x.edu,No submission,,25.00,Yes,-,-,
"""
OWN = """name,id,submitted,extension,bonus
Ann Adams,ann,2026-02-21 08:00,,
Bo Brown,bo,2026-02-24 08:00,2,1.5
Cy Clark,cy,,2026-03-01 12:00,
"""


@pytest.fixture
def roster(tmp_path):
    def read(text):
        path = tmp_path / "roster.csv"
        path.write_text(text, encoding="utf-8-sig")
        return read_roster(path)

    return read


def found(name, credit=1.0, **others):
    """Findings of a submission in which every property of every test has one credit."""

    def made(assignment):
        tests = [test for problem in assignment.problems for part in problem.parts for test in part.tests]
        reports = {test: Report(test, [Property("value", credit), Property("shape", 1.0)]) for test in tests}
        return Findings(name, reports, **others)

    return made


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (CANVAS, {"adamsann_101_9001_hw1": "Adams, Ann", "brownbo_LATE_102_9002_hw1": "Brown, Bo"}),
        (CANVAS, {"adamsann": "Adams, Ann", "hw1 A-8": "Brown, Bo", "Ann Adams": "Adams, Ann", "nobody": None}),
        (MOODLE, {"Ann Adams_5001_assignsubmission_file_": "Ann Adams", "Bo Brown": "Bo Brown", "5001-5002": None}),
        ("student,id\nAnn Adams,a7\nBo Brown,a8\n", {"hw1_a7": "Ann Adams", "Bo Brown": "Bo Brown"}),
        ("STUDENT,Id,section\nAnn Adams,a7,1\n", {"hw1_a7": "Ann Adams", "Ann Adams": "Ann Adams"}),
        (OWN, {"ann": "Ann Adams", "hw1_bo": "Bo Brown", "clark cy": "Cy Clark", "Änn Àdams": "Ann Adams"}),
    ],
)
def test_a_submissions_name_says_whose_it_is(text, names, roster):
    own = roster(text)
    for submission, name in names.items():
        student = own.student_of(submission)
        assert (student.name if student else None) == name, submission


@pytest.mark.parametrize(
    ("names", "submission", "whose"),
    [
        (["李 Anna", "Bob Dole"], "王 Anna", None),
        (["李 Anna", "王 Anna"], "王 Anna", "王 Anna"),
        (["李 Anna", "王 Anna"], "anna 李", "李 Anna"),
        (["Łukasz Łoś", "Ukasz Os"], "Łukasz Łoś", "Łukasz Łoś"),
        (["Łukasz Łoś", "Ukasz Os"], "lukasz_los_hw1", "Łukasz Łoś"),
        (["Łukasz Łoś", "Ukasz Os"], "Ukasz Os", "Ukasz Os"),
        (["Jörg Strasse", "Jorg Strae"], "Jörg Straße", "Jörg Strasse"),
        (["Sean O'Brien", "Bob Dole"], "O’Brien Seán", "Sean O'Brien"),
        (["Mark O'Brien", "Bob Dole"], "Mark OʼBrien", "Mark O'Brien"),
        (["Kaʻahumanu Kai", "Ħamid Borg"], "kaahumanu_kai", "Kaʻahumanu Kai"),
        (["Kaʻahumanu Kai", "Ħamid Borg"], "hamid borg", "Ħamid Borg"),
        (["สมชาย ใจดี", "สมชิย ใจดี"], "สมชาย ใจดี", "สมชาย ใจดี"),
        (["山田 がく", "山田 かく"], "山田 がく", "山田 がく"),
        (["Анна Иванова", "Инна Иванова"], "Инна Иванова_5_assignsubmission_file_", "Инна Иванова"),
    ],
)
def test_names_in_every_script_are_told_apart(names, submission, whose, roster):
    students = roster("name,id\n" + "".join(f"{name},{70 + i}\n" for i, name in enumerate(names)))
    found = students.student_of(submission)
    assert (found and found.name) == whose


@pytest.mark.parametrize("text", [CANVAS, MOODLE])
def test_points_that_the_platform_counts_otherwise_are_told(text, roster, of_code):
    grade = score(of_code, found("Ann Adams")(of_code), Terms())
    there = f"{of_code.points:g}"
    same = text.replace(",25,", f",{there},").replace(",25.00,", f",{there}.00,")
    assert export([grade], Ledger(roster(same)), of_code).note == ""
    other = text.replace(",25,", ",100,").replace(",25.00,", ",100.00,")
    assert "has 100 points in" in export([grade], Ledger(roster(other)), of_code).note


def test_a_pattern_says_where_the_id_or_the_name_is(roster):
    own = roster(CANVAS)
    assert own.student_of("hw1-102-101", r"hw1-(?P<id>\d+)").name == "Brown, Bo"
    assert own.student_of("x_Clark Cy_y", "x_(?P<name>[^_]+)").name == "Clark, Cy"
    assert own.student_of("adamsann", r"(?P<id>\d+)") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "has the columns a, b: it must be the gradebook of Canvas"),
        ("name,submitted\nann,soon\n", "row 2: submitted must be a time like 2026-02-20 23:59; got 'soon'"),
        ("name,extension\nann,much\n", "row 2: extension must be days, or a time"),
        ("name,bonus\nann,-1\n", "row 2: bonus must be points of 0 or more"),
        ('name\n"ann\n', "is no CSV"),
    ],
)
def test_a_roster_that_cannot_be_used_says_why(text, words, roster):
    with pytest.raises(InputError, match=words):
        roster(text)


def test_lateness_is_by_the_roster_and_an_extension_is_the_students_own(roster, of_code):
    ledger = Ledger(roster(OWN), due=datetime(2026, 2, 20, 23, 59), late_percent=10)
    days = {name: ledger.terms(name, 0.0).days_late for name in ("ann", "bo", "cy")}
    assert days == {"ann": 1, "bo": 2, "cy": 0}
    late = datetime(2026, 3, 3, 13, 0).timestamp()
    assert ledger.terms("cy", late).days_late == 3  # by its newest file: the roster does not say
    assert ledger.terms("nobody", late).days_late == 11
    days = "name,submitted,extension\nann,2026-02-22 10:00,2026-02-22\nbo,2026-02-22 10:00,2026-02-22 09:00\n"
    own = Ledger(roster(days), due=datetime(2026, 2, 20, 23, 59), late_percent=10)
    assert [own.terms(name, 0.0).days_late for name in ("ann", "bo")] == [0, 1]  # a day lasts until its end
    grade = score(of_code, found("bo")(of_code), ledger.terms("bo", 0.0))
    assert (grade.points, grade.late_cost, grade.bonus) == (16.7, 3.8, 1.5)
    moodle = Ledger(roster(MOODLE), due=datetime(2026, 2, 20, 23, 59), late_percent=10)
    assert [moodle.terms(name, late).days_late for name in ("Ann Adams", "Bo Brown")] == [0, 2]


def test_what_is_exported_has_the_importers_own_columns(roster, of_code):
    named = {"adamsann_101_9001_hw1": 1.0, "brownbo_102_9002_hw1": 0.0, "=cmd": 1.0}
    grades = [score(of_code, found(name, credit)(of_code)) for name, credit in named.items()]
    exported = export(grades, Ledger(roster(CANVAS)), of_code)
    assert (exported.column, exported.is_new) == ("Homework 1: Learning (4711)", False)
    rows = list(csv.DictReader(io.StringIO(exported.text)))
    assert list(rows[0]) == CANVAS.splitlines()[0].split(",")
    assert [row["Homework 1: Learning (4711)"] for row in rows] == ["25", "19", f"{grades[1].points:g}", ""]
    assert [row["SIS Login ID"] for row in rows] == [
        "",
        "adamsann",
        "brownbo",
        "clarkcy",
    ] and exported.without == "Clark, Cy"
    commented = replace(score(of_code, found("Ann Adams")(of_code)), comment='Well done, "Ann"\nbravo')
    text = export([commented], Ledger(roster(MOODLE)), of_code).text
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert list(rows[0]) == MOODLE.splitlines()[0].split(",")
    assert rows[0]["Grade"] == "19"
    assert rows[0]["Feedback comments"] == f"{commented.comment} 19 of 19 points: all right."
    assert (rows[1]["Grade"], rows[1]["Last modified (grade)"]) == ("", "-")
    text = export([score(of_code, found("bo")(of_code))], Ledger(roster(OWN)), of_code).text
    assert [row["points"] for row in csv.DictReader(io.StringIO(text))] == ["", "19", ""]
    with pytest.raises(InputError, match="--export needs --roster"):
        export(grades, Ledger(), of_code)


def test_of_two_submissions_of_one_student_the_last_or_the_best_counts(roster, of_code):
    several = {"adamsann_101_1_hw1": (1.0, 100.0), "adamsann_101_2_hw1": (0.0, 200.0), "brownbo_102_3_hw1": (0.5, 1.0)}
    grades = [score(of_code, found(name, credit)(of_code)) for name, (credit, _) in several.items()]
    modified = {name: time for name, (_, time) in several.items()}
    for keep, counts in (("last", "adamsann_101_2_hw1"), ("best", "adamsann_101_1_hw1")):
        settled = settle_resubmissions(grades, Ledger(roster(CANVAS), keep=keep), modified)
        assert [grade.submission for grade in settled if not grade.superseded_by] == [counts, "brownbo_102_3_hw1"]
        assert {grade.superseded_by for grade in settled} == {"", counts}
        text = export(settled, Ledger(roster(CANVAS), keep=keep), of_code).text
        chosen = next(grade for grade in settled if grade.submission == counts)
        assert f"Lab 1,{chosen.points:g}," in text


def test_of_undated_submissions_the_one_with_the_higher_number_is_the_last(roster, of_code):
    names = [f"adamsann_101_1_hw1 ({number})" for number in (2, 10, 9)]
    grades = [score(of_code, found(name)(of_code)) for name in names]
    settled = settle_resubmissions(grades, Ledger(roster(CANVAS), keep="last"), dict.fromkeys(names, 0.0))
    assert [grade.submission for grade in settled if not grade.superseded_by] == [names[1]]


def test_an_override_stands_in_place_of_what_was_found(of_code, tmp_path, roster):
    path = tmp_path / "overrides.toml"
    path.write_text('["Bo Brown"]\ncomment = "seen in class"\ntests = { Adam = 3, linear = 0.1 }\n[cy]\npoints = 17\n')
    ledger = Ledger(roster(OWN), overrides=read_overrides(path, of_code))
    ledger.unused_overrides(["ann", "bo", "cy"])
    grade = score(of_code, found("bo", 0.0)(of_code), replace(ledger.terms("bo", 0.0), bonus=0.0))
    assert {test.name: test.points for test in grade.tests if test.overridden} == {"Adam": 3, "linear": 0.1}
    assert grade.comment == "seen in class" and grade.is_corrected and not grade.overridden
    assert grade.points == pytest.approx(sum(test.points for test in grade.tests), abs=0.01)
    assert score(of_code, found("cy", 0.0)(of_code), ledger.terms("cy", 0.0)).points == 17
    assert read_overrides(tmp_path / "none.toml", of_code) == {}
    ledger = replace(ledger, roster=None)
    with pytest.raises(InputError, match="'Bo Brown', which is no submission here and nobody in the roster"):
        ledger.unused_overrides(["ann", "cy"])


def test_who_handed_in_nothing_is_named_on_the_page_of_the_class(roster, of_code, tmp_path):
    ledger = Ledger(roster(CANVAS))
    assert without_submission(["adamsann_101_9001_hw1"], ledger) == ["Brown, Bo", "Clark, Cy"]
    assert without_submission(["x"], replace(ledger, anonymous=True)) == ["student 1", "student 2", "student 3"]
    assert without_submission(["x"], Ledger()) == []
    grades = [score(of_code, found("adamsann_101_9001_hw1")(of_code))]
    write_overview(grades, of_code, tmp_path, missing=["Brown, Bo", "Clark, Cy"])
    assert "Of the roster 2 handed in nothing: Brown, Bo, Clark, Cy." in (tmp_path / "overview.html").read_text()
    assert json.loads((tmp_path / "overview.json").read_text())["missing"] == ["Brown, Bo", "Clark, Cy"]


def test_what_an_instructor_sets_is_not_told_as_what_was_found(of_code):
    whole, wrong = (found("bo", credit)(of_code) for credit in (1.0, 0.0))
    late = Terms(days_late=1, late_percent=10.0)
    assert in_short(score(of_code, whole, late)) == "17.1 of 19 points: 1 day late -1.9."
    for text in (feedback, feedback_page):
        assert "1 day late" in text(score(of_code, whole, late))
    in_all = score(of_code, whole, replace(late, points=15.0))
    assert in_short(in_all) == "15 of 19 points: set by the instructor."
    of_one = score(of_code, wrong, Terms(tests={"tanh_grad": 0.2}))
    assert next(test for test in of_one.tests if test.name == "tanh_grad").right
    for text in (feedback, feedback_page):
        assert "late" not in text(in_all) and "Your instructor set the points in all" in text(in_all)
        assert not re.search(r"Right, \d+ of \d+[^\n]*\n?[^\n]*tanh_grad", text(of_one))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[bo]\npoint = 3\n", "there is no 'point'; there are points, tests and comment"),
        ("[bo]\npoints = -1\n", "points must be from 0 to 19"),
        ('[bo]\npoints = "all"\n', "points must be from 0 to 19, .*; got 'all'"),
        ("[bo.tests]\nAdam = 4\n", "Adam must have from 0 to 3 points; got 4"),
        ("[bo.tests]\nadam = 1\n", "there is no test 'adam'"),
        ("bo = 3\n", "bo: it must be a table"),
        ("[bo\n", "is not TOML"),
    ],
)
def test_an_override_that_cannot_be_says_why(text, words, of_code, tmp_path):
    (tmp_path / "overrides.toml").write_text(text)
    with pytest.raises(InputError, match=words):
        read_overrides(tmp_path / "overrides.toml", of_code)


@repeated("findings of random credits, by random rubrics", test=20, soak=100, full=1000)
def test_other_points_are_counted_from_what_was_found_as_from_nothing(of_code, seed):
    """Findings that were written and read again are worth what they are worth at once."""
    rng = np.random.default_rng(seed)
    findings = found("zoe")(of_code)
    for report in findings.reports.values():
        report.properties = [
            Property(
                name, float(rng.choice([0, 0.5, 1])), "wrong", str(rng.choice(["", "sgd_zeroed", "l2_grad_as_printed"]))
            )
            for name in ("value", "batch", "edge")
        ]
    variants = {name: float(rng.random()) for name in of_code.variants}
    weights = {name: float(rng.integers(1, 5)) for name in of_code.properties}
    other = replace(of_code, variants=variants, properties=weights)
    terms = Terms(days_late=int(rng.integers(3)), late_percent=10.0, bonus=float(rng.integers(2)))
    again = Findings.from_json(json.loads(json.dumps(findings.as_json())))
    for assignment in (of_code, other):
        grade = score(assignment, findings, terms)
        assert score(assignment, again, terms) == grade
        assert 0 <= grade.points <= grade.out_of + grade.bonus
        earned = sum(test.points for test in grade.tests)
        assert grade.points == pytest.approx(earned * (1 - 0.1 * terms.days_late) + terms.bonus, abs=0.02)


def renamed(content):
    """A module with other names of variables and its comments taken out: a copy that looks like one's own."""
    text = content.decode()
    names = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)]
    for name in {node.id for node in names if isinstance(node.ctx, ast.Store)}:
        text = re.sub(rf"(?<![\w.]){name}\b", f"my_{name}", text)
    return f"# my own work\n{text}".encode()


def test_a_copy_with_other_names_is_found_and_honest_work_is_not(of_code, reference):
    written = handout(of_code).items()
    fresh = {name.removeprefix("hw1/"): content for name, content in written if name.startswith("hw1/")}
    work = {name: files for name, files, _ in (honest(i, reference, fresh) for i in range(len(HONEST)))}
    assert alike({name: fingerprints(files) for name, files in work.items()}) == []
    copied = HONEST[0]
    copy = {file: renamed(content) if file.endswith(".py") else content for file, content in work[copied].items()}
    [pair] = alike({name: fingerprints(files) for name, files in {**work, "copy": copy, "fresh": fresh}.items()})
    assert {pair.first, pair.second} == {copied, "copy"} and pair.share > 0.9 and len(pair.files) > 3


def test_what_many_have_alike_is_no_copy(of_code, reference):
    written = handout(of_code).items()
    fresh = {name.removeprefix("hw1/"): content for name, content in written if name.startswith("hw1/")}
    slides = b"".join(
        f"def step_{i}(a, b):\n    return [a * {i} + b[{i}] for _ in range({i})]\n".encode() for i in range(40)
    )
    class_of_slides = {f"student{i}": {**fresh, "mlcvlab/nn/basis.py": slides} for i in range(8)}
    assert alike({name: fingerprints(files) for name, files in class_of_slides.items()}) == []


def test_canvass_only_numbered_column_is_the_assignments_and_a_new_one_is_said(roster, of_code):
    grades = [score(of_code, found("adamsann")(of_code))]
    for column, used in (("HW eins (4242)", "HW eins (4242)"), ("Notes", "Homework 1: Learning")):
        text = CANVAS.replace("Homework 1: Learning (4711)", column)
        exported = export(grades, Ledger(roster(text)), of_code)
        assert (exported.column, exported.is_new) == (used, used != column)


def test_times_that_are_guessed_are_put_to_a_person(roster, of_code):
    ledger = Ledger(roster(CANVAS), due=datetime(2026, 2, 20, 23, 59), late_percent=10)
    late = ledger.terms("adamsann_101_9001_hw1", datetime(2026, 2, 22).timestamp())
    grade = score(of_code, found("adamsann_101_9001_hw1")(of_code), late)
    assert grade.days_late == 2 and any("by its newest file, of 2026-02-22" in v.message for v in grade.violations)
    marked = ledger.terms("adamsann_LATE_101_9001_hw1", datetime(2026, 2, 2).timestamp())
    assert marked.days_late == 0 and "its name says that it is late" in marked.notes[0]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_roster_of_another_separator_is_read_and_written_back_with_it(separator, roster, of_code):
    own = roster(OWN.replace(",", separator))
    assert own.student_of("bo").bonus == 1.5
    text = export([score(of_code, found("bo")(of_code))], Ledger(own), of_code).text
    assert text.splitlines()[0] == separator.join([*OWN.splitlines()[0].split(","), "points", "out_of", "graded"])


def test_a_name_in_a_file_name_goes_before_a_short_id_and_never_to_another(roster):
    numbered = roster("name,id\nAnn Adams,1\nBob Baker,2\nCy Cole,3\n")
    names = {"Ann Adams (2)": "Ann Adams", "Bob Baker hw 1": "Bob Baker", "Cy Cole hw 1": "Cy Cole", "hw1-2-3": None}
    assert {name: getattr(numbered.student_of(name), "name", None) for name in names} == names
    lee = roster("name,login\nAnn Lee,lee\nBob Lee,bobl\n")
    assert lee.student_of("Bob Lee").name == "Bob Lee" and lee.student_of("Ann Lee").name == "Ann Lee"
    written = roster("name,id\nAnn Adams,1001\nBob Baker,1002\nBob Baker Smith,88213\n")
    names = {
        "Ann_Adams_hw1": "Ann Adams",
        "hw1_Bob_Baker": "Bob Baker",
        "hw1_Bob_Baker_Smith": "Bob Baker Smith",
        "1001-777 - Ann Adams - Feb 20, 2026 1159 PM": "Ann Adams",
        "Ann Adams 88213": None,  # an id of one and the name of another
    }
    assert {name: getattr(written.student_of(name), "name", None) for name in names} == names


def test_grades_go_to_the_column_of_their_own_title(roster, of_code):
    header, row = "Student,ID,SIS Login ID,Section", '"Adams, Ann",101,adamsann,1'
    of_one = replace(of_code, title="Homework 1")
    own = roster(f"{header},Homework 10 (222),Homework 1 (111)\n{row},77,\n")
    assert export([], Ledger(own), of_one).column == "Homework 1 (111)"
    two = roster(f"{header},Homework 1 (5),Homework 1 (6)\n{row},77,\n")
    with pytest.raises(InputError, match="2 columns of the title"):
        export([], Ledger(two), of_one)


def test_what_an_instructor_wrote_stays_before_what_the_grader_writes(roster, of_code):
    own = roster(MOODLE.replace('11:30 PM",-,', '11:30 PM",-,You lost 2 of 5 points: late. Please see me.'))
    grade = score(of_code, found("Ann Adams_5001_assignsubmission_file_")(of_code))
    grade = replace(grade, comment="Well explained.")
    first = export([grade], Ledger(own), of_code).text
    told = "You lost 2 of 5 points: late. Please see me. Well explained. 19 of 19 points: all right."
    assert told in first
    assert export([grade], Ledger(roster(first)), of_code).text == first


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("28 February 2026, 11:59 PM", 28),
        ("Saturday, 28 February 2026, 11:59 PM", 28),
        ("February 28, 2026, 11:59 PM", 28),
        ("28 February 2026, 23:59", 28),
    ],
)
def test_moodles_times_are_read_with_and_without_a_day_of_the_week(text, day, roster):
    own = roster(f'Identifier,Full name,Last modified (submission)\nParticipant 5001,Ann Adams,"{text}"\n')
    assert own.students[0].submitted == datetime(2026, 2, day, 23, 59)


def test_a_time_that_cannot_be_read_is_told_where_it_counts(roster):
    text = 'Identifier,Full name,Last modified (submission)\nParticipant 5001,Ann,"Samstag, 28. Februar 2026, 23:59"\n'
    Ledger(roster(text))
    with pytest.raises(InputError, match=r"Samstag, 28\. Februar 2026, 23:59.*Ann"):
        Ledger(roster(text), due=datetime(2026, 2, 20))


def test_extensions_of_every_platform_count(roster):
    status = "Submitted for grading - Extension granted until: Saturday, 28 February 2026, 11:59 PM"
    moodle = roster(f'Identifier,Full name,Status\nParticipant 5001,Ann Adams,"{status}"\n')
    assert moodle.students[0].extension == datetime(2026, 2, 28, 23, 59)
    header, _, first, *_ = CANVAS.strip().splitlines()
    assert roster(f"{header},extension\n{first},3\n").students[0].extension == timedelta(days=3)


def test_a_worksheet_of_moodle_in_another_language_is_told(roster):
    with pytest.raises(InputError, match="Moodle in English"):
        roster(
            "ID,Vollständiger Name,Status,Bewertung\nTeilnehmer/in5001,Zoë Müller,-,\nTeilnehmer/in5002,Bo Berg,-,\n"
        )
    assert len(roster("id,name\ns1234,Ann\np5678,Bo\n").students) == 2


def test_grades_of_nobody_in_the_roster_are_not_exported(roster, of_code):
    ledger = Ledger(roster("name,id\nZed Zorn,zorn9\n"))
    grades = [score(of_code, found("adamsann_101_9001_hw1")(of_code))]
    with pytest.raises(InputError, match="no submission of 1 is of a student"):
        export(grades, ledger, of_code)


def test_in_short_a_broken_rule_says_how_and_nothing_at_all_is_one_entry(of_code):
    nothing = found("a", 0.0, violations=(Violation("files", "hw1.zip cannot be read: it is damaged"),))(of_code)
    reports = {test: replace(report, properties=[Property("value", 0.0)]) for test, report in nothing.reports.items()}
    told = in_short(score(of_code, replace(nothing, reports=reports)))
    assert "(hw1.zip cannot be read: it is damaged)" in told and "none of" in told and "linear" not in told
    assert OF_THE_GRADER.fullmatch(told)


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        (
            "You had 3 of 5 points: see line 3 -1 for style. Ask.",
            "You had 3 of 5 points: see line 3 -1 for style. Ask. {}",
        ),
        ("4 of 19 points: linear -0.60 (divides (too early)); rules -1. Please see me!", "{} Please see me!"),
        ("Good start. 4 of 19 points: set by the instructor. Come on Monday.", "Good start. {} Come on Monday."),
    ],
)
def test_the_words_around_an_exported_grade_stay(cell, kept, roster, of_code):
    own = roster(MOODLE.replace('11:30 PM",-,', f'11:30 PM",-,"{cell}"'))
    grade = score(of_code, found("Ann Adams_5001_assignsubmission_file_")(of_code))
    first = export([grade], Ledger(own), of_code).text
    assert kept.format("19 of 19 points: all right.") in first
    assert export([grade], Ledger(roster(first)), of_code).text == first


def test_two_decisions_on_one_student_are_an_error(roster, of_code):
    overrides = {"Ann Adams": Override(comment="a"), "ann": Override(points=2.0)}
    ledger = Ledger(roster(OWN), overrides=overrides)
    with pytest.raises(InputError, match="decides on ann twice, as 'ann' and as 'Ann Adams'"):
        ledger.terms("ann", 0.0)


def test_a_roster_of_ones_own_may_call_people_participants(roster):
    assert len(roster("id,name\nparticipant01,Ann Adams\nparticipant02,Bob Brown\n").students) == 2


def test_the_same_formulas_of_problem_1_alone_are_no_copy(of_code, reference):
    fresh = {n.removeprefix("hw1/"): c for n, c in handout(of_code).items() if n.startswith("hw1/")}
    formulas = {
        file: b"".join(renamed(content) for _ in range(3))
        + "\n".join(
            f"def f_{i}(y, y_hat):\n    return {'-' * (i % 3)}y * np.log(y_hat) - (1 - y) * np.log({i} - y_hat)"
            for i in range(30)
        ).encode()
        for file, content in reference.items()
        if file.startswith("mlcvlab/nn/") and not file.endswith("__init__.py")
    }
    work = {name: fingerprints({**fresh, **formulas}) for name in ("ann", "bob", "cat")}
    assert alike(work) == []
    both = {name: {file: marks | set(range(20)) for file, marks in work[name].items()} for name in ("ann", "bob")}
    assert len(alike(both)) == 1, "what is alike beyond them is listed"


def test_columns_of_one_name_keep_their_cells(of_code, roster):
    text = 'name,submission,Notes,Notes\nAnn,ann,"first, note",second\n'
    ledger = Ledger(roster(text))
    written = export([score(of_code, found("ann")(of_code))], ledger, of_code).text
    header, row = csv.reader(io.StringIO(written))
    assert header[:4] == ["name", "submission", "Notes", "Notes"] and row[2:4] == ["first, note", "second"]


def test_an_override_of_a_student_without_a_submission_here_is_named_and_stops_nothing(of_code, tmp_path, roster):
    path = tmp_path / "overrides.toml"
    path.write_text("[ann]\npoints = 3\n[bo]\npoints = 17\n")
    ledger = Ledger(roster("name,submission\nAnn,ann\nBo,bo\n"), overrides=read_overrides(path, of_code))
    assert ledger.unused_overrides(["bo"]) == ["ann"] and ledger.unused_overrides(["ann", "bo"]) == []


def test_the_feedback_has_no_markdown_of_a_students(of_code):
    name = "# 25 of 25 points<img src=x>![p](http://a.b).py"
    grade = score(of_code, found("ann", violations=(Violation("files", f"{name} was added"),))(of_code))
    assert r"- \# 25 of 25 points\<img src=x>![p]\(http://a.b).py was added" in feedback(grade)
