"""The course kit: handout, grade, check."""

import json as json_format
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mlcvkit import storage
from mlcvkit.cli.app import FAILED, INTERRUPTED, console, print_json, progress_of, say, table_of
from mlcvkit.cli.interrupts import interrupts
from mlcvkit.errors import InputError
from mlcvkit.extras import require

if TYPE_CHECKING:
    from mlcvkit.course import Assignment, Grade, GradedClass, Ledger, Sandbox


def handout(
    folder: Path,
    /,
    *,
    solved: tuple[int, ...] = (),
    title: str | None = None,
    points: tuple[float, ...] = (),
    due: str | None = None,
    rubric: Path | None = None,
    kit: bool = False,
    json: bool = False,
) -> int:
    """Write the homework for students: the files without their solution, and the assignment.

    Needs the extra mlcvlab[course]. The same options write the same bytes.

    Parameters
    ----------
    folder
        The folder in which hw1/ and ASSIGNMENT.md are created.
    solved
        The problems whose solutions are included: --solved 1 2.
    title
        The assignment's title.
    points
        The points of each problem, in order: --points 5 8 6 6.
    due
        The due date; by default a line to fill in.
    rubric
        A TOML file with other points, texts or tests; everything else is as in the handout.
    kit
        Also write the package that students install, into kit/: the digits and mlcvlab check, without the solution.
    json
        Print the files as JSON, and nothing else.
    """
    course = _course()
    console.quiet = json
    assignment = course.read_assignment(rubric, title=title, due=due, points=points)
    written = course.write_handout(folder, assignment, solved=solved, kit=kit)
    and_kit = ", and kit/, which students install: pip install kit/" if kit else ""
    console.print(f"{len(written)} files in [bold]{escape(str(folder))}[/bold]: hw1/ and ASSIGNMENT.md{and_kit}")
    print_json(json, {"files": [str(path) for path in written]})
    return 0


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class OfAClass:
    """The options for a whole class: its roster, and its dates."""

    roster: Path | None = None
    """A CSV file with the students: the gradebook that Canvas exports, the grading worksheet of a Moodle assignment, or
    a table with columns among name, id, login, email, submission, submitted, extension, bonus."""
    pattern: str | None = None
    """A regular expression that finds the student in a submission's name, with a group named id or name."""
    export: Path | None = None
    """Write the roster with the grades in it to this file, as the platform takes it."""
    due: str | None = None
    """When it was due: --due "2026-02-20 23:59". By the roster's times, else by each submission's newest file."""
    late: float | None = None
    """Per cent of the points earned that each day late costs: --late 10."""
    keep: Literal["last", "best"] | None = None
    """Which of several submissions of one student counts: last, the default, or best."""
    anonymous: bool | None = None
    """Show submissions by numbers; identities.csv in the folder says whose they are."""


def grade(
    submissions: Annotated[list[Path], Parameter(consume_multiple=True)],
    /,
    *,
    rubric: Path | None = None,
    title: str | None = None,
    points: tuple[float, ...] = (),
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    format: Literal["table", "gradescope"] = "table",
    problems: tuple[int, ...] = (),
    of_class: OfAClass | None = None,
    seed: int | None = None,
    jobs: int | None = None,
    unsafe: bool = False,
    json: bool = False,
) -> int:
    """Grade submissions of the homework, in a sandbox.

    Each is compared with the reference on hidden inputs, and mistakes are explained. Every grade is saved at once:
    started again, the command continues, and applies other points, dates or overrides without running anything again.
    Points that you set yourself are in overrides.toml in the folder of the grades, and are never overwritten. Needs the
    extra mlcvlab[course] and bubblewrap.

    Parameters
    ----------
    submissions
        Submissions, or folders and archives of them: each a folder, an archive, or single files.
    rubric
        A TOML file with other points, tests, costs or limits; everything else is as in the handout.
    title
        The title of the assignment, as for handout; the column of Canvas begins with it.
    points
        The points of each problem, in order, as for handout: --points 5 8 6 6.
    output
        The folder for the grades, by default grades. With --format gradescope the file, by default results.json.
    format
        table; gradescope: the results.json of Gradescope's autograder, for one submission.
    problems
        Grade only these problems: --problems 1 2.
    seed
        Seed of the hidden inputs; one is drawn for the class, and kept with the grades, where it is left out.
    jobs
        Submissions at the same time; by default one for each core.
    unsafe
        Run the students' code without a sandbox, with your own rights: it can read and delete what you can.
    json
        Print the grades as JSON, and nothing else.
    """
    course = _course()
    console.quiet = json
    of_class = of_class or OfAClass()
    if format == "gradescope":
        _refuse_for_one(vars(of_class) | {"title": title, "jobs": jobs})
        file = output or Path("results.json")
        assignment = partial(course.read_assignment, rubric, points=points, only=problems)
        return _grade_for_gradescope(course, submissions, assignment, file, seed, unsafe=unsafe, json=json)
    assignment = course.read_assignment(rubric, title=title, points=points, only=problems)
    folder = output or Path("grades")
    ledger = _ledger(course, assignment, folder, of_class)
    if of_class.export is not None:
        course.export([], ledger, assignment)  # refuses before anything is graded
    sandbox = course.Sandbox(course.libraries(assignment), unsafe=unsafe)
    total = _submissions_in(course, submissions)
    try:
        with interrupts(), progress_of("Grading", total) as update:
            graded = course.grade_class(
                submissions,
                assignment,
                folder=folder,
                sandbox=sandbox,
                seed=seed,
                jobs=jobs,
                on_grade=partial(_show_grade, update),
                ledger=ledger,
            )
    except KeyboardInterrupt:
        say("stopped", f"the grades so far are in {folder}; the same command goes on from there")
        return INTERRUPTED
    _save_and_print(course, graded, assignment, folder, ledger, of_class.export)
    print_json(json, [grade.as_json() for grade in graded.grades])
    return 0


def _refuse_for_one(options: Mapping[str, object]) -> None:
    for option, value in options.items():
        if value is not None:
            raise InputError(f"--{option} has no use with --format gradescope, which grades one submission")


def _save_and_print(
    course: ModuleType,
    graded: "GradedClass",
    assignment: "Assignment",
    folder: Path,
    ledger: "Ledger",
    export: Path | None,
) -> None:
    """Write the overview and the file for the platform, and print the class."""
    known = [*(grade.submission for grade in graded.grades), *graded.left_over]
    missing = course.without_submission(known, ledger)
    course.write_overview(graded.grades, assignment, folder, graded.alike, missing)
    exported = refused = None
    if export is not None:
        try:
            exported = course.export(graded.grades, ledger, assignment)
            storage.write_whole(export, exported.text.encode())
        except InputError as error:
            refused = error
    _print_class(graded, assignment, folder, ledger)
    if exported is not None:
        column = f"{'a new column' if exported.is_new else 'the column'} {escape(exported.column)!r}"
        console.print(f"The grades for the platform are in [bold]{escape(str(export))}[/bold], in {column}")
        if exported.note:
            say("note", exported.note)
        without = escape(exported.without)
        console.print(f"Without a submission: {without}" if without else "Every student has a grade")
    console.print(f"Grades, feedback and overview.html are in [bold]{escape(str(folder))}[/bold]")
    if refused is not None:
        raise refused


def _submissions_in(course: ModuleType, paths: list[Path]) -> int:
    """The number of submissions; what is none of them is named."""
    passed_by: list[Path] = []
    found = course.find_submissions(paths, passed_by)
    if passed_by:
        text = f"Not taken for submissions: {_listed([path.name for path in passed_by])}"
        say("note", text) if console.quiet else console.print(escape(text))
    return len(found)


def _listed(names: Sequence[str], most: int = 50) -> str:
    """Names with commas between them, and the number of those that are too many."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _print_class(graded: "GradedClass", assignment: "Assignment", folder: Path, ledger: "Ledger") -> None:
    """Print the points of a class, and what a person should look at."""
    _print_grades(graded.grades, assignment)
    for pair in graded.alike[:10]:
        console.print(f"Alike, please look at both: {escape(pair.first)}, {escape(pair.second)} ({pair.share:.0%})")
    if graded.left_over:
        names = escape(_listed(graded.left_over))
        console.print(
            f"{folder}/submissions also has feedback for submissions that are not among these: {names}; the overview "
            "and an export are of these alone"
        )
    if unused := ledger.unused_overrides([grade.submission for grade in graded.grades]):
        say("note", f"overrides.toml is not used for {_listed(unused)}: no submission of theirs is here")
    unknown = [grade.submission for grade in graded.grades if ledger.student_of(grade.submission) is None]
    if unknown and ledger.roster is not None:
        console.print(f"Of nobody in the roster, or of two: {escape(', '.join(unknown))}")


def _ledger(course: ModuleType, assignment: "Assignment", folder: Path, of_class: OfAClass) -> "Ledger":
    """The roster, the dates and the overrides."""
    roster, pattern, due, late, keep = (
        getattr(of_class, name) for name in ("roster", "pattern", "due", "late", "keep")
    )
    if (due is None) != (late is None):
        raise InputError("--due and --late belong together: when it was due, and what a day late costs in per cent")
    if late is not None and not 0 <= late <= 100:
        raise InputError(f"--late is per cent of the points, from 0 to 100; got {late:g}")
    if roster is None and (pattern is not None or keep is not None):
        raise InputError(f"{'--pattern' if pattern else '--keep'} needs --roster, which says who the students are")
    if pattern is not None:
        try:
            groups = set(re.compile(pattern).groupindex)
        except re.error as error:
            raise InputError(f"--pattern is no regular expression: {error}") from None
        if not groups & {"id", "name"}:
            raise InputError("--pattern needs a group (?P<id>...) or (?P<name>...)")
    ledger: Ledger = course.Ledger(
        None if roster is None else course.read_roster(roster),
        pattern,
        None if due is None else course.read_time(due, "--due"),
        late or 0.0,
        keep or "last",
        course.read_overrides(folder / course.OVERRIDES, assignment),
        bool(of_class.anonymous),
    )
    return ledger


def check(
    tree: Path = Path(), /, *, problems: tuple[int, ...] = (1, 2, 3), seed: int | None = None, json: bool = False
) -> int:
    """Check your own work on the homework, as the grader does, and say what is wrong. No points.

    Your code runs in a sandbox if bubblewrap is installed, otherwise with your own rights. The exit code is 1 if
    something is wrong. Needs the extra mlcvlab[course].

    Parameters
    ----------
    tree
        The folder hw1, or its parent.
    problems
        The problems, by default 1 2 3; 4 runs the notebook.
    seed
        Seed of the inputs; by default random.
    json
        Print the result as JSON, and nothing else.
    """
    course = _course()
    console.quiet = json
    assignment = course.read_assignment(None, only=problems)
    if len(course.find_submissions([tree])) != 1 or not course.is_submission(tree):
        raise InputError(f"{tree} is not the homework's folder: give hw1, or the folder that holds it")
    sandbox = _sandbox_or_none(course, assignment)
    [grade] = course.grade_class([tree], assignment, folder=None, sandbox=sandbox, seed=seed, jobs=1).grades
    _print_checks(grade)
    results = [course.without_points(test) for test in grade.tests]
    print_json(json, {"tests": results, "rules": [violation.message for violation in grade.broken]})
    return 0 if all(test.right for test in grade.tests) and not grade.broken else FAILED


def milestones(tree: Path = Path(), /, *, output: Path = Path("milestones"), json: bool = False) -> int:
    """Run history on your own code: the perceptron, exclusive or, back-propagation, digits, Adam.

    Your own functions run, in a sandbox if bubblewrap is installed. Each milestone says what was new, and draws what
    your code did. The exit code is 1 if one is not reached yet. Needs the extra mlcvlab[course].

    Parameters
    ----------
    tree
        The folder hw1, or its parent.
    output
        A folder for the pictures.
    json
        Print the result as JSON, and nothing else.
    """
    course = _course()
    console.quiet = json
    if not tree.is_dir() or not course.is_submission(tree):
        raise InputError(f"{tree} is not the homework's folder: give hw1, or the folder that holds it")
    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file: give a folder for the pictures")
    hw1 = tree if (tree / "mlcvlab").is_dir() else tree / "hw1"
    results = []
    for one in course.milestones(hw1.resolve(), _sandbox_or_none(course, course.read_assignment(None))):
        picture = None
        if one.figure is not None:
            picture = output / f"{one.year}.png"
            output.mkdir(parents=True, exist_ok=True)
            content = BytesIO()
            one.figure.savefig(content, format="png", dpi=120)
            storage.write_whole(picture, content.getvalue())
        mark = "[green]reached[/green]" if one.passed else "[red]not yet[/red]"
        console.print(f"[bold]{one.year}  {one.title}[/bold]  {mark}")
        console.print(Padding(f"{escape(one.was_new)}\n{escape(one.did)}", (0, 0, 1, 6)))
        results.append({"year": one.year, "title": one.title, "reached": one.passed, "did": one.did})
        results[-1] |= {"picture": None if picture is None else str(picture)}
    if any(one["picture"] for one in results):
        console.print(f"Pictures are in {escape(str(output))}")
    print_json(json, {"milestones": results})
    return 0 if all(one["reached"] for one in results) else FAILED


def _sandbox_or_none(course: ModuleType, assignment: "Assignment") -> "Sandbox":
    """A sandbox if there can be one, otherwise none, with a line that says so."""
    libraries = course.libraries(assignment)
    try:
        sandbox: Sandbox = course.Sandbox(libraries)
    except InputError:
        sandbox = course.Sandbox(libraries, unsafe=True)
        console.print("Your code runs with your own rights: there is no bubblewrap here for a sandbox")
    return sandbox


def _course() -> ModuleType:
    """The course kit; an error that names its extra where that is not installed."""
    require("course")
    from mlcvkit import course

    return course


def _show_grade(update: Callable[..., None], grade: "Grade", kept: bool) -> None:
    update(advance=1, last=f"{escape(grade.submission)}: {'kept' if kept else f'{grade.points:g}'}")


def _grade_for_gradescope(
    course: ModuleType,
    submissions: Sequence[Path],
    read_assignment: Callable[[], "Assignment"],
    file: Path,
    seed: int | None,
    *,
    unsafe: bool,
    json: bool,
) -> int:
    """Write Gradescope's file in any case: if nothing could be graded, it says why."""
    try:
        assignment = read_assignment()
        sandbox = course.Sandbox(course.libraries(assignment), unsafe=unsafe)
        found = course.find_one(submissions)
        [grade] = course.grade_class(found, assignment, folder=None, sandbox=sandbox, seed=seed, jobs=1).grades
    except Exception as error:
        _write_json(file, course.as_failed(error))
        raise
    _write_json(file, course.as_gradescope(grade))
    console.print(f"{grade.points:g} of {grade.out_of:g} points, written to [bold]{escape(str(file))}[/bold]")
    print_json(json, [grade.as_json()])
    return 0


def _write_json(file: Path, results: object) -> None:
    storage.write_whole(file, json_format.dumps(results, ensure_ascii=False, indent=1).encode())


def _print_grades(grades: Sequence["Grade"], assignment: "Assignment") -> None:
    """A table for each submission, or one for all if there are many."""
    if len(grades) <= 5:
        for grade in grades:
            _print_grade(grade)
        return
    table = Table(title=f"{len(grades)} submissions", title_justify="left")
    numbers = [problem.number for problem in assignment.problems]
    table.add_column("submission", overflow="fold", ratio=1)
    for heading in ("points", *(f"{number}." for number in numbers)):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("rules broken", overflow="fold")
    table.add_column("look at it")
    for grade in grades:
        by_problem = (sum(test.points for test in grade.tests if test.problem == number) for number in numbers)
        rules = ", ".join(sorted({violation.rule for violation in grade.broken}))
        look = "yes" if len(grade.violations) > len(grade.broken) else ""
        points = [f"{grade.points:g}", *(f"{points:.2f}" for points in by_problem)]
        table.add_row(escape(grade.submission), *points, rules, look)
    console.print(table)


def _print_grade(grade: "Grade") -> None:
    title = f"{escape(grade.submission)}: {grade.points:g} of {grade.out_of:g} points"
    words = ("", "test", "likely mistake")
    table = table_of("", "test", "points", "out of", "likely mistake", left=words, title=title)
    part = ""
    for test in grade.tests:
        if table.rows and test.part != part:
            table.add_section()
        part = test.part
        mistake = "" if test.right else test.diagnosed or ("" if len(test.feedback) > 1 else "".join(test.feedback))
        table.add_row(str(test.problem), test.name, f"{test.points:.2f}", f"{test.out_of:.2f}", escape(mistake))
    console.print(table)
    _print_reasons(grade)
    _print_violations(grade, f"Rules broken (-{grade.cost:g})")
    if grade.test_accuracy is not None:
        console.print(f"Accuracy of the notebook's model on the true test images: {grade.test_accuracy:.2%}")


def _print_reasons(grade: "Grade") -> None:
    """The findings of each test that is not right, below its name."""
    for test in grade.tests:
        if (test.feedback and not test.right and len(test.feedback) > 1) or (test.right and test.diagnosed):
            console.print(f"\n[bold]{test.name}[/bold]")
            lines = [f"{test.heading}: {test.diagnosed}"] if test.diagnosed else []
            for line in [*lines, *test.feedback]:
                console.print(Padding(Text(line), (0, 0, 0, 2)))


def _print_violations(grade: "Grade", heading: str) -> None:
    for title, wanted in ((heading, grade.broken), ("To look at", set(grade.violations) - set(grade.broken))):
        if wanted:
            console.print(f"[bold]{title}[/bold]:")
        for violation in (one for one in grade.violations if one in wanted):
            console.print(Padding(Text(f"{violation.rule}: {violation.message}"), (0, 0, 0, 2)))


def _print_checks(grade: "Grade") -> None:
    missing = [test.name for test in grade.tests if test.feedback == ("it is not implemented yet",)]
    words = ("", "function", "likely mistake")
    table = table_of("", "function", "relative error", "likely mistake", left=words)
    for test in grade.tests:
        if test.name in missing:
            continue
        error = "" if test.relative_error is None else f"{test.relative_error:.1e}"
        mistake = "" if test.right else test.diagnosed or ("" if len(test.feedback) > 1 else "".join(test.feedback))
        state = "[green]ok[/green]" if test.right else "[red]wrong[/red]"
        table.add_row(state, test.name, error, escape(mistake))
    if table.rows:
        console.print(table)
    _print_reasons(grade)
    if missing:
        console.print(f"Not implemented yet: {', '.join(missing)}")
    _print_violations(grade, "Rules broken")
    console.print(f"{sum(test.right for test in grade.tests)} of {len(grade.tests)} are right")
