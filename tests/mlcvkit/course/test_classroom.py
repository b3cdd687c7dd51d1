"""Many submissions: side by side, resumed after a kill, and an overview that holds what was measured."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from command import COMMAND, assert_one_line_error, run
from coursework import NEEDS_BUBBLEWRAP, ROOT
from events import wait_for
from mlcvkit import InputError
from mlcvkit.course import (
    OVERRIDES,
    Ledger,
    as_gradescope,
    grade_class,
    libraries,
    read_overrides,
    write_overview,
)
from mlcvkit.course.grading import Grader
from mlcvkit.course.rules import Violation
from mlcvkit.course.sandbox import Sandbox
from mlcvkit.course.scoring import Grade, TestResult
from soak import repeated

pytestmark = NEEDS_BUBBLEWRAP


@pytest.fixture
def few(of_code):
    """An assignment of two tests."""
    problem = of_code.problems[0]
    return replace(of_code, problems=(replace(problem, parts=problem.parts[:1]),))


@pytest.fixture
def write_class(tmp_path, reference, replaced):
    """Writes a class: the first has a wrong sign, the others are right."""

    def write(names):
        wrong = replaced("mlcvlab/nn/basis.py", "    return W @ x", "    return -(W @ x)")
        folder = tmp_path / "class"
        for i, name in enumerate(names):
            for file, content in (wrong if i == 0 else reference).items():
                (folder / name / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / name / file).write_bytes(content)
        return folder

    return write


def grade_all(folder, few, output, **options):
    told = []
    sandbox = Sandbox(libraries(few))
    options = {"seed": 1, "jobs": 2, **options}
    graded = grade_class([folder], few, folder=output, sandbox=sandbox, on_grade=lambda *a: told.append(a), **options)
    return graded.grades, told


def test_a_class_is_graded_in_order_and_each_grade_is_kept(write_class, few, tmp_path):
    folder = write_class(["adams", "brown", "clark"])
    grades, told = grade_all(folder, few, tmp_path / "grades")
    assert [grade.submission for grade in grades] == ["adams", "brown", "clark"]
    reasons = [test.feedback for grade in grades[1:] for test in grade.tests]
    assert grades[0].points < 1 and [grade.points for grade in grades[1:]] == [1, 1], reasons
    assert {grade.submission: kept for grade, kept in told} == dict.fromkeys(["adams", "brown", "clark"], False)
    assert "the sign is reversed" in (tmp_path / "grades/submissions/adams.md").read_text()
    again, told = grade_all(folder, few, tmp_path / "grades")
    assert again == grades and all(kept for _, kept in told)
    (folder / "adams/mlcvlab/nn/basis.py").write_bytes((folder / "brown/mlcvlab/nn/basis.py").read_bytes())
    again, told = grade_all(folder, few, tmp_path / "grades", seed=None)
    assert [grade.points for grade in again] == [1, 1, 1]
    assert {grade.submission: kept for grade, kept in told} == {"adams": False, "brown": True, "clark": True}


def test_grades_of_another_rubric_or_seed_are_not_mixed(write_class, few, tmp_path):
    folder = write_class(["adams"])
    grade_all(folder, few, tmp_path / "grades")
    for assignment, options, words in (
        (replace(few, limits={**few.limits, "call_seconds": 1}), {}, "other limits"),
        (few, {"seed": 2}, "seed 1"),
    ):
        with pytest.raises(InputError, match=f"holds grades made with {words}.*: choose another --output"):
            grade_all(folder, assignment, tmp_path / "grades", **options)
    (tmp_path / "grades/grading.json").write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        grade_all(folder, few, tmp_path / "grades")


def test_a_damaged_grade_is_made_anew(write_class, few, tmp_path):
    folder = write_class(["adams", "brown"])
    grades, _ = grade_all(folder, few, tmp_path / "grades")
    (tmp_path / "grades/findings/adams.json").write_text('{"digest": 1')
    again, told = grade_all(folder, few, tmp_path / "grades")
    assert again == grades, [test.feedback for grade in (*again, *grades) for test in grade.tests]
    assert {grade.submission: kept for grade, kept in told} == {"adams": False, "brown": True}


def test_two_of_one_name_have_two_grades(write_class, few, tmp_path):
    folder = write_class(["one/hw1", "two/hw1"])
    sandbox = Sandbox(libraries(few))
    paths = [folder / "one/hw1", folder / "two/hw1"]
    grades = grade_class(paths, few, folder=tmp_path / "grades", sandbox=sandbox, seed=1).grades
    assert [grade.submission for grade in grades] == ["one-hw1", "two-hw1"]
    assert len(list((tmp_path / "grades/submissions").glob("*.json"))) == 2


def test_whatever_one_submission_is_the_others_are_graded(write_class, few, tmp_path, reference):
    folder = write_class(["adams", "brown"])
    strange = os.fsencode(folder) + b"/Andr\xe9"
    Path(os.fsdecode(strange), "mlcvlab/nn").mkdir(parents=True)
    Path(os.fsdecode(strange + b"/mlcvlab/nn/gr\xf6sse.txt")).write_bytes(b"1")
    source = (
        reference["mlcvlab/nn/basis.py"]
        .decode()
        .replace("    return W @ x", "    raise ValueError('caf\\udce9' * 10**6)")
    )
    (folder / "brown/mlcvlab/nn/basis.py").write_text(source)
    (folder / "clark.tar.xz").write_bytes(b"\xfd7zXZ\x00" + bytes(100))
    for end in "ая":
        (folder / ("щ" * 123 + end) / "mlcvlab/nn").mkdir(parents=True)
    os.mkfifo(folder / "evans.zip")
    grades, _ = grade_all(folder, few, tmp_path / "grades")
    assert len({grade.submission for grade in grades}) == 6 and all(
        len(json.dumps(grade.as_json())) < 20_000 for grade in grades
    )
    assert "ValueError: caf\\udce9" in grades[2].tests[0].feedback[0]
    assert len(write_overview(grades, few, tmp_path / "grades")) == 3


@repeated("kills of a grading", test=1, soak=10, full=200)
def test_a_grading_that_is_killed_goes_on(write_class, tmp_path, seed):
    rng = np.random.default_rng(seed)
    names = [f"student{i:02}" for i in range(12)]
    folder = write_class(names)
    command = [*COMMAND, "grade", str(folder), "--problems", "1", "--jobs", "2", "-o", str(tmp_path / "grades")]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, env=environment
    )
    kept, wanted = tmp_path / "grades/findings", rng.integers(1, 11)
    wait_for(lambda: len(list(kept.glob("*.json"))) >= wanted, process)
    time.sleep(rng.uniform(0, 0.2))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = {path.name: path.stat().st_mtime_ns for path in kept.glob("*.json")}
    assert len(done) >= wanted
    seed = json.loads((tmp_path / "grades/grading.json").read_text())["seed"]
    result = subprocess.run([*command, "--json"], capture_output=True, text=True)
    grades = json.loads(result.stdout)
    assert (result.returncode, result.stderr, len(grades)) == (0, "", 12)
    assert [grade["submission"] for grade in grades] == names
    assert {name: (kept / name).stat().st_mtime_ns for name in done} == done
    assert json.loads((tmp_path / "grades/grading.json").read_text())["seed"] == seed


def test_ctrl_c_ends_it_soon_and_keeps_what_is_done_and_nothing_else(write_class, tmp_path, reference):
    folder = write_class([f"student{i:02}" for i in range(4)])
    last = "    return (1 - y) / _not_zero(1 - y_hat) - y / _not_zero(y_hat)"
    source = reference["mlcvlab/nn/losses.py"].decode()
    assert last in source
    for name in ("student02", "student03"):
        (folder / name / "mlcvlab/nn/losses.py").write_text(source.replace(last, "    while True: pass"))
    (tmp_path / "rubric.toml").write_text("[limits]\ncall_seconds = 60\n")
    options = [
        "--problems",
        "1",
        "--jobs",
        "2",
        "-o",
        str(tmp_path / "grades"),
        "--rubric",
        str(tmp_path / "rubric.toml"),
    ]
    command = [*COMMAND, "grade", str(folder), *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    kept = tmp_path / "grades/submissions"
    wait_for(lambda: len(list(kept.glob("*.json"))) >= 2, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert (
        said
        == f"mlcvlab: stopped: the grades so far are in {tmp_path / 'grades'}; the same command goes on from there\n"
    )
    assert sorted(path.name for path in kept.glob("*.json")) == ["student00.json", "student01.json"]


def made_up(name, points, **others):
    tests = (
        TestResult("linear", 1, "Basis features", points, 1.0, ("value: wrong",), "sign", "the sign is reversed"),
        TestResult("nn2", 2, "NN2 model", 2 * points, 2.0),
    )
    return Grade(name, 3 * points, 3.0, tests, **others)


def test_the_overview_holds_the_class_in_three_forms(of_code, tmp_path):
    grades = [made_up("=cmd|' /C calc'!A0", 0.2), made_up("<script>alert(1)</script>", 1.0, test_accuracy=0.987)]
    grades.append(made_up("zoe", 0.9, violations=(Violation("files", "helper.py was added"),)))
    paths = write_overview(grades, of_code, tmp_path)
    assert [path.name for path in paths] == ["overview.csv", "overview.json", "overview.html"]
    rows = list(csv.DictReader((tmp_path / "overview.csv").read_text().splitlines()))
    assert rows[0]["submission"] == "'=cmd|' /C calc'!A0" and rows[1]["test_accuracy"] == "0.987"
    assert [float(row["problem 1"]) for row in rows] == [0.2, 1.0, 0.9]
    summary = json.loads((tmp_path / "overview.json").read_text())
    linear = next(test for test in summary["tests"] if test["test"] == "linear")
    assert (linear["full"], linear["mistakes"]) == (1, [{"mistake": "the sign is reversed", "count": 3}])
    assert summary["distributions"][0]["mean"] == pytest.approx(2.1)
    assert sum(summary["distributions"][1]["counts"]) == 3
    page = (tmp_path / "overview.html").read_text()
    assert "<script" not in page and "&lt;script&gt;" in page and "helper.py was added" in page
    assert not re.search(r"(src|href)=|https?://|@import|url\(", page)


def test_gradescopes_file_has_the_fields_that_it_reads():
    grade = made_up("zoe", 0.9, test_accuracy=0.987, violations=(Violation("files", "helper.py was added"),))
    results = as_gradescope(grade)
    assert results["score"] == pytest.approx(2.7) and "helper.py was added" in results["output"]
    assert sum(test["max_score"] for test in results["tests"]) == 3
    assert results["tests"][0] == {
        "name": "Problem 1, Basis features: linear",
        "number": "1.1",
        "score": 0.9,
        "max_score": 1.0,
        "status": "failed",
        "output": "Likely mistake: the sign is reversed\nvalue: wrong",
        "output_format": "text",
        "visibility": "visible",
    }
    assert results["tests"][1]["status"] == "failed"
    assert results["leaderboard"] == [{"name": "Test accuracy", "value": 0.987, "order": "desc"}]
    assert {"leaderboard"} == as_gradescope(grade).keys() - as_gradescope(replace(grade, test_accuracy=None)).keys()


def test_without_bubblewrap_nothing_runs_unless_it_is_asked_for(write_class, tmp_path):
    folder = write_class(["adams"])
    arguments = ("grade", folder, "--problems", "1", "-o", tmp_path / "grades")
    refused = run(*arguments, folder=tmp_path, PATH="")
    assert_one_line_error(refused, "bwrap is not installed", "--unsafe")
    assert not (tmp_path / "grades").exists()
    unsafe = run(*arguments, "--unsafe", folder=tmp_path, PATH="")
    assert unsafe.returncode == 0 and "adams: 4.55 of 5 points" in unsafe.stdout, unsafe


def test_the_command_prints_a_table_with_reasons(write_class, tmp_path):
    folder = write_class(["adams"])
    result = run("grade", folder / "adams", "--problems", "1", "--seed", "3", folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    for words in ("adams: 4.55 of 5 points", "linear", "0.15", "the sign is reversed", "grades"):
        assert words in result.stdout
    assert {path.name for path in (tmp_path / "grades").iterdir()} == {
        "findings", "grading.json", "overview.csv", "overview.html", "overview.json", "submissions"
    }  # fmt: skip


def test_json_is_a_list_of_submission_points_out_of_and_tests(write_class, tmp_path):
    result = run("grade", write_class(["adams"]), "--problems", "1", "--json", folder=tmp_path)
    [grade] = json.loads(result.stdout)
    assert (grade["submission"], grade["points"], grade["out_of"], len(grade["tests"])) == ("adams", 4.55, 5, 18)
    linear = next(test for test in grade["tests"] if test["name"] == "linear")
    assert linear["diagnosis"] == "sign" and linear["points"] == pytest.approx(0.15)


def test_gradescope_grades_one(write_class, tmp_path):
    folder = write_class(["adams", "brown"])
    one = run("grade", folder / "brown", "--problems", "1", "--format", "gradescope", folder=tmp_path)
    assert one.returncode == 0 and json.loads((tmp_path / "results.json").read_text())["score"] == 5
    two = run("grade", folder, "--problems", "1", "--format", "gradescope", folder=tmp_path)
    assert two.returncode == 2 and "one submission at a time; there are 2" in two.stderr


def test_check_says_what_is_wrong_and_gives_no_points(write_class, tmp_path):
    folder = write_class(["adams", "brown"])
    wrong = run("check", folder / "adams", "--problems", "1", folder=tmp_path)
    assert wrong.returncode == 1 and "17 of 18 are right" in wrong.stdout and "the sign is reversed" in wrong.stdout
    assert "point" not in wrong.stdout
    right = run("check", folder / "brown", "--problems", "1", "--json", folder=tmp_path)
    result = json.loads(right.stdout)
    assert right.returncode == 0 and all(test["right"] for test in result["tests"]) and result["rules"] == []
    assert max(test["relative_error"] for test in result["tests"]) < 1e-12
    assert all("points" not in test for test in result["tests"])


def test_handout_and_check_of_it_on_the_command_line(tmp_path):
    written = run("handout", "hw", "--solved", "1", "--title", "My course", folder=tmp_path)
    assert (written.returncode, written.stderr) == (0, "") and "16 files in hw" in written.stdout
    assert (tmp_path / "hw/ASSIGNMENT.md").read_text().startswith("# My course\n")
    checked = run("check", "hw", "--problems", "1", "2", folder=tmp_path)
    assert checked.returncode == 1 and "18 of 21 are right" in checked.stdout
    assert "Not implemented yet: nn2, grad, emp_loss_grad\n" in checked.stdout
    inside = run("check", "hw/hw1/mlcvlab", folder=tmp_path)
    assert inside.returncode == 2 and "is not the homework's folder: give hw1" in inside.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("grade", "nowhere"), "there is no submission nowhere"),
        (("grade", ".", "--problems", "9"), "there is no problem 9; choose from 1, 2, 3, 4"),
        (("grade", ".", "--rubric", "none.toml"), "the rubric none.toml cannot be read"),
        (("handout", "a", "--points", "1", "2"), "--points needs 4 numbers"),
        (("check", "nowhere"), "there is no submission nowhere"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(arguments, words, tmp_path):
    result = run(*arguments, folder=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(r"mlcvlab: error: [^\n]+\n", result.stderr) and words in result.stderr


def test_the_example_of_the_instructors_page_runs(tmp_path):
    example = re.search(r"```python\n(.*?)```", (ROOT / "docs/course.md").read_text(), re.S).group(1)
    result = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("ok: relative error") and "is the mean missing?" in lines[1]


def test_gradescopes_file_is_written_whatever_happens(tmp_path):
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose/my_basis.py").write_text("def linear(x, W): return W @ x\ndef linear_grad(x): return x\n")
    (tmp_path / "loose/notes.ipynb").write_text("{}")
    (tmp_path / "empty").mkdir()
    (tmp_path / "rar").mkdir()
    (tmp_path / "rar/hw1.rar").write_bytes(b"Rar!")
    options = ("--problems", "1", "--format", "gradescope")
    for name, code, words in (
        ("loose", 0, "is not where it belongs"),
        ("empty", 0, "there is no file of the homework"),
        ("rar", 0, "hw1.rar cannot be opened"),
        ("nowhere", 2, "there is no submission nowhere"),
    ):
        result = run("grade", name, *options, "-o", f"{name}.json", folder=tmp_path)
        results = json.loads((tmp_path / f"{name}.json").read_text())
        assert (result.returncode, "Traceback" in result.stderr) == (code, False), result
        assert words in results["output"] and results["score"] <= 1, name
    loose = json.loads((tmp_path / "loose.json").read_text())
    assert [test["status"] for test in loose["tests"][:2]] == ["passed", "passed"]
    no_rubric = run("grade", "loose", *options, "--rubric", "none.toml", folder=tmp_path)
    assert no_rubric.returncode == 2 and json.loads((tmp_path / "results.json").read_text())["score"] == 0


def test_no_submission_vanishes(write_class, tmp_path, reference):
    """Rows in equals rows out, whatever each is wrapped in, and what is none is named."""
    folder = write_class(["adams", "brown"])
    shutil.make_archive(str(folder / "clark"), "zip", folder / "brown")
    (folder / "Dee Davis_7_assignsubmission_file_").mkdir()
    shutil.copy(folder / "clark.zip", folder / "Dee Davis_7_assignsubmission_file_/my homework.zip")
    (folder / "evans.rar").write_bytes(b"Rar!")
    (folder / "frank.ipynb").write_bytes(reference["HW1_MNIST_NN2.ipynb"])
    (folder / "green\x1b[2J\n# 25 points").mkdir()
    (folder / "readme.txt").write_text("")
    result = run("grade", folder, "--problems", "1", "-o", tmp_path / "grades", folder=tmp_path)
    assert result.returncode == 0, result
    rows = list(csv.DictReader((tmp_path / "grades/overview.csv").read_text().splitlines()))
    points = {row["submission"]: float(row["points"]) for row in rows}
    assert points == {
        "adams": 4.55,
        "brown": 5,
        "clark": 5,
        "Dee Davis_7_assignsubmission_file_": 5,
        "evans.rar": 0,
        "frank.ipynb": 0,
        "green\\x1b[2J\\n# 25 points": 0,
    }
    assert "Not taken for submissions: readme.txt" in result.stdout and "\x1b[2J" not in result.stdout
    kept = {path.stem for path in (tmp_path / "grades/submissions").glob("*.html")}
    assert kept == points.keys()
    again = run("grade", folder, "--problems", "1", "-o", tmp_path / "grades", "--json", folder=tmp_path)
    assert len(json.loads(again.stdout)) == 7 and "Not taken for submissions: readme.txt" in again.stderr


@repeated("gradings that are killed, overridden, re-rubriced and handed in again", test=1, soak=5, full=50)
def test_nothing_is_lost_and_points_are_those_of_a_grading_from_nothing(write_class, few, tmp_path, seed):
    rng = np.random.default_rng(seed)
    folder = write_class(["adams", "brown", "clark"])
    sources = [(folder / name / "mlcvlab/nn/basis.py").read_bytes() for name in ("adams", "brown")]
    overrides, weight, grades_folder = {}, 4.0, tmp_path / "grades"
    grades_folder.mkdir()

    def all_graded(output, stopped_after=None):
        assignment = replace(few, properties={**few.properties, "value": weight})
        ledger = Ledger(overrides=read_overrides(grades_folder / OVERRIDES, assignment))
        count = iter(range(100))

        def told(*_):
            if next(count) + 1 == stopped_after:
                raise KeyboardInterrupt

        sandbox = Sandbox(libraries(few))
        return grade_class(
            [folder], assignment, folder=output, sandbox=sandbox, seed=1, on_grade=told, ledger=ledger
        ).grades

    for step in range(4):
        match rng.integers(4):
            case 0:
                with pytest.raises(KeyboardInterrupt):
                    all_graded(grades_folder, stopped_after=int(rng.integers(1, 4)))
            case 1:
                name = str(rng.choice(["adams", "brown", "clark"]))
                overrides[name] = round(float(rng.uniform(0, 0.6)), 2)
                lines = [
                    f'[{name}]\ncomment = "by hand"\ntests = {{ linear = {points} }}\n'
                    for name, points in overrides.items()
                ]
                (grades_folder / OVERRIDES).write_text("".join(lines))
            case 2:
                weight = float(rng.integers(1, 9))
            case 3:
                name = str(rng.choice(["adams", "brown", "clark"]))
                (folder / name / "mlcvlab/nn/basis.py").write_bytes(sources[int(rng.integers(2))])
        grades = all_graded(grades_folder)
        assert grades == all_graded(None), step
        own = {grade.submission: grade for grade in grades}
        assert {name: own[name].tests[0].points for name in overrides} == overrides
        for name in overrides:
            assert "by hand" in (grades_folder / f"submissions/{name}.md").read_text()


def test_other_points_run_nothing_again_and_old_feedback_is_named(write_class, tmp_path):
    folder = write_class(["adams", "brown"])
    command = ("grade", folder, "--problems", "1", "-o", tmp_path / "grades", "--json")
    first = json.loads(run(*command, folder=tmp_path).stdout)
    (tmp_path / "grades/submissions/cook.md").write_text("of an earlier run")
    told = run(*command[:-1], folder=tmp_path).stdout
    assert "feedback for submissions that are not among these: cook" in " ".join(told.split())
    (folder.parent / "rubric.toml").write_text("[properties]\nvalue = 1\n")
    changed = ("--rubric", folder.parent / "rubric.toml", "--points", "10", "8", "6", "6", "--unsafe")
    again = run(
        *command, *changed, folder=tmp_path, PATH=""
    )  # without bubblewrap nothing is run unless it is asked for
    second = json.loads(again.stdout)
    assert [grade["out_of"] for grade in first + second] == [5, 5, 10, 10]
    assert (first[0]["points"], second[1]["points"]) == (4.55, 10) and second[0]["points"] > 9.2
    seconds = [grade["seconds"] for grade in first + second]
    assert seconds[:2] == seconds[2:]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--due", "2026-02-20"), "--due and --late belong together"),
        (("--due", "soon", "--late", "10"), "--due must be a time like 2026-02-20 23:59; got 'soon'"),
        (("--due", "2026-02-20", "--late", "110"), "--late is per cent of the points, from 0 to 100"),
        (("--keep", "best"), "--keep needs --roster"),
        (("--pattern", "(?P<id>.)"), "--pattern needs --roster"),
        (("--export", "out.csv"), "--export needs --roster"),
        (("--roster", "none.csv"), "the roster none.csv cannot be read"),
        (("--format", "gradescope", "--due", "2026-02-20"), "--due has no use with --format gradescope"),
        (("--points", "1", "2"), "--points needs 4 numbers"),
    ],
)
def test_an_option_is_used_or_refused(arguments, words, write_class, tmp_path):
    write_class(["adams"])
    assert_one_line_error(run("grade", "class", *arguments, folder=tmp_path), words)
    assert not (tmp_path / "grades/submissions").exists()


def test_a_class_with_a_roster_on_the_command_line(write_class, tmp_path):
    folder = write_class(["adamsann_101_1_hw1", "adamsann_101_2_hw1", "brownbo_102_3_hw1", "=1+1,2"])
    (tmp_path / "roster.csv").write_text(
        'Student,ID,SIS User ID,SIS Login ID,Section\nPoints Possible,,,,\n"Adams, Ann",101,,adamsann,1\n'
        '"Brown, Bo",102,,brownbo,1\n"Clark, Cy",103,,clarkcy,1\n'
    )
    options = ("--problems", "1", "-o", "grades", "--roster", "roster.csv", "--export", "canvas.csv", "--keep", "best")
    due = ("--due", "2000-01-01", "--late", "0.001")
    result = run("grade", folder, *options, *due, "--anonymous", folder=tmp_path)
    assert result.returncode == 0, result
    assert "Without a submission: Clark, Cy" in result.stdout and "adamsann" not in result.stdout
    rows = list(csv.DictReader((tmp_path / "canvas.csv").read_text().splitlines()))
    exported = [row["Homework 1: Learning"] for row in rows]
    assert (exported[0], exported[3]) == ("5", "") and 0 < float(exported[1]) == float(exported[2]) < 5
    identities = list(csv.DictReader((tmp_path / "grades/identities.csv").read_text().splitlines()))
    assert {row["submission"].removeprefix("'") for row in identities} == {path.name for path in folder.iterdir()}
    assert "'=1+1,2" in {row["submission"] for row in identities}, "a spreadsheet would compute it"
    page = (tmp_path / "grades/overview.html").read_text()
    assert "adamsann" not in page and "1+1" not in page and "days late" in page
    shown = {row["shown"] for row in identities}
    assert {path.stem for path in (tmp_path / "grades/submissions").glob("*.md")} == shown


@pytest.mark.parametrize("times", [1, 2])
def test_a_fault_of_the_graders_own_costs_nothing_unless_it_comes_twice(write_class, few, monkeypatch, times):
    folder = write_class(["adams", "clark"])
    faults = {"clark": times}

    def examine(self, submission, name=None):
        if faults.get(name):
            faults[name] -= 1
            raise OSError("no process could be started")
        return own(self, submission, name)

    own = Grader.examine
    monkeypatch.setattr(Grader, "examine", examine)
    grades = grade_class([folder], few, folder=None, sandbox=Sandbox(libraries(few)), seed=1).grades
    clark = {grade.submission: grade for grade in grades}["clark"]
    told = [violation.message for violation in clark.violations if violation.rule == "grader"]
    if times == 1:
        assert (clark.points, told) == (clark.out_of, [])
    else:
        assert told == ["it could not be graded: OSError: no process could be started; please look at it by hand"]
