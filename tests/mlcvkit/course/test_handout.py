import ast
import subprocess
import sys

import nbformat
import pytest

from mlcvkit import InputError
from mlcvkit.course.assignment import SCRIPTS, read_assignment, tree_files
from mlcvkit.course.handout import handout, write_handout
from mlcvkit.course.rules import check_rules

ASSIGNMENT = read_assignment()


def functions(source):
    tree = ast.parse(source)
    found = {}
    for node in ast.walk(tree):
        for child in getattr(node, "body", []) if isinstance(node, ast.Module | ast.ClassDef) else []:
            if isinstance(child, ast.FunctionDef):
                found[f"{node.name}.{child.name}" if isinstance(node, ast.ClassDef) else child.name] = child
    return found


@pytest.fixture(scope="module")
def contents():
    return handout(ASSIGNMENT)


def test_it_has_the_homeworks_files_and_the_assignment(contents):
    assert set(contents) == {"ASSIGNMENT.md", *(f"hw1/{name}" for name in tree_files())}


def test_it_keeps_the_rules(contents):
    files = {name.removeprefix("hw1/"): content for name, content in contents.items() if name.startswith("hw1/")}
    assert check_rules(files, ASSIGNMENT.tasks, ASSIGNMENT.forbidden) == []


@pytest.mark.parametrize("task", ASSIGNMENT.tasks, ids=lambda task: task.function)
def test_each_task_keeps_signature_and_docstring_and_raises_with_its_words(task, contents, reference):
    given = functions(contents[f"hw1/{task.file}"].decode())[task.function]
    solved = functions(reference[task.file].decode())[task.function]
    assert ast.unparse(given.args) == ast.unparse(solved.args)
    assert ast.get_docstring(given) == ast.get_docstring(solved)
    docstring, statement = given.body
    assert isinstance(statement, ast.Raise)
    assert ast.unparse(statement.exc) == f"NotImplementedError({task.text!r})"
    assert isinstance(docstring, ast.Expr)


def test_no_line_of_a_solution_is_left(contents, reference):
    for task in ASSIGNMENT.tasks:
        given = contents[f"hw1/{task.file}"].decode()
        for statement in functions(reference[task.file].decode())[task.function].body[1:]:
            assert ast.unparse(statement) not in given


@pytest.mark.parametrize("solved", [(), (1,), (2,), (3,), (4,), (1, 2, 3, 4)])
def test_every_name_is_there_and_the_layout_is_that_of_the_project(solved, tmp_path):
    write_handout(tmp_path, ASSIGNMENT, solved=solved)
    tree = str(tmp_path / "hw1" / "mlcvlab")
    for command in (["check", "--select", "F", "--ignore", "F401"], ["format", "--check", "--line-length", "120"]):
        result = subprocess.run([sys.executable, "-m", "ruff", *command, tree], capture_output=True, text=True)
        assert result.returncode == 0, result.stdout


def test_solved_problems_are_the_reference(tmp_path, reference):
    solved = handout(ASSIGNMENT, solved=(1, 2, 3, 4))
    assert all(solved[f"hw1/{name}"] == content for name, content in reference.items())
    assert "solved for you" in solved["ASSIGNMENT.md"].decode()


def test_a_solved_problem_does_not_solve_another():
    written = handout(ASSIGNMENT, solved=(3,))
    assert "NN2Coordinates" not in "".join(
        content.decode() for name, content in written.items() if name.endswith(".py")
    )
    sgd = ast.parse(written["hw1/mlcvlab/optim/sgd.py"])
    assert "ModelCoordinates(model, train_X, train_y)" in ast.unparse(sgd).replace("coordinates(", "ModelCoordinates(")
    assert "raise NotImplementedError" not in ast.unparse(sgd)
    both = handout(ASSIGNMENT, solved=(2, 3))
    assert "NN2Coordinates" in both["hw1/mlcvlab/models/nn2.py"].decode()


def test_the_assignment_says_how_to_set_up():
    assert "pip install ./kit" in handout(ASSIGNMENT, kit=True)["ASSIGNMENT.md"].decode()
    plain = handout(ASSIGNMENT)["ASSIGNMENT.md"].decode()
    assert "pip install ./kit" not in plain and "mlcvlab check hw1" in plain


def test_the_scripts_say_what_is_to_be_done(tmp_path):
    write_handout(tmp_path, ASSIGNMENT)
    for script in SCRIPTS:
        result = subprocess.run([sys.executable, tmp_path / "hw1" / script], capture_output=True, text=True)
        assert result.returncode == 1 and "0 of " in result.stdout and "NotImplementedError: Implement" in result.stdout


def test_the_notebook_has_prompts_and_no_results(contents):
    notebook = nbformat.reads(contents["hw1/HW1_MNIST_NN2.ipynb"].decode(), as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) >= 10
    for cell in code:
        assert cell.outputs == [] and cell.execution_count is None
        assert cell.source.strip() and all(line.startswith("# ") for line in cell.source.splitlines())
        assert "Your code here" not in cell.source
    text = contents["hw1/HW1_MNIST_NN2.ipynb"].decode()
    assert all(f"`{name}`" in text for name in ("train_X", "train_y", "test_X", "test_y", "model", "test_accuracy"))


def test_twice_gives_the_same_bytes_and_leaves_what_is_there(tmp_path):
    first = {path: path.read_bytes() for path in write_handout(tmp_path, ASSIGNMENT)}
    times = {path: path.stat().st_mtime_ns for path in first}
    assert {path: path.read_bytes() for path in write_handout(tmp_path, ASSIGNMENT)} == first
    assert {path: path.stat().st_mtime_ns for path in first} == times


def test_a_file_that_says_something_else_is_not_overwritten(tmp_path):
    write_handout(tmp_path, ASSIGNMENT)
    mine = tmp_path / "hw1/mlcvlab/nn/basis.py"
    mine.write_text("mine")
    with pytest.raises(InputError, match=r"basis\.py is there already"):
        write_handout(tmp_path, ASSIGNMENT)
    assert mine.read_text() == "mine"


def test_an_unknown_problem_is_refused(tmp_path):
    with pytest.raises(InputError, match="no problem 9; choose from 1, 2, 3, 4"):
        write_handout(tmp_path / "new", ASSIGNMENT, solved=(9,))
    assert not (tmp_path / "new").exists()


def test_the_assignment_says_title_due_date_points_and_rules():
    assignment = read_assignment(title="Assignment 7", due="1 May", points=(10, 16, 12, 12))
    text = handout(assignment)["ASSIGNMENT.md"].decode()
    for words in (
        "# Assignment 7",
        "Due: 1 May",
        "50 points",
        "**NN2 model** (4 points)",
        "PyTorch, Tensorflow and Keras",
    ):
        assert words in text
    assert text.count("## Problem ") == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = ", "is not TOML"),
        ("points = 3", "has 'points'"),
        ("[limits]\ncall_seconds = nan", "call_seconds"),
        ("[limits]\nmemory_mb = inf", "memory_mb"),
        ('[[problem]]\nnumber = 1\nname = "A"\n[[problem.part]]\nname = "B"\npoints = nan\ntests = { nn2 = 1 }', "'B'"),
        ('[[problem]]\nnumber = 1\nname = "A"\n[[problem.part]]\nname = "B"\npoints = 1\ntests = { nn2 = inf }', "'B'"),
        ("[limits]\ncall_seconds = -1", "limits.call_seconds must be a number of 0 or more"),
        ("[limits]\nseconds = 1", "limits.'seconds'"),
        ("limits = 3", "limits must be a table"),
        ('[[problem]]\nnumber = 1\nname = "A"\n[[problem.part]]\nname = "B"\npoints = 1\ntests = { nn3 = 1 }', "nn3"),
        ('[[problem]]\nnumber = 1\nname = "A"\n[[problem.part]]\nname = "B"\npoints = -1\ntests = { nn2 = 1 }', "'B'"),
    ],
)
def test_a_rubric_that_makes_no_sense_is_refused(tmp_path, text, words):
    path = tmp_path / "rubric.toml"
    path.write_text(text)
    with pytest.raises(InputError, match="the rubric ") as error:
        read_assignment(path)
    assert words in str(error.value)


def test_a_rubric_is_laid_over_the_handouts_own(tmp_path):
    path = tmp_path / "rubric.toml"
    path.write_text("[variants]\nsgd_zeroed = 1.0\n[limits]\ncall_seconds = 9\n")
    assignment = read_assignment(path)
    assert assignment.variants == {**ASSIGNMENT.variants, "sgd_zeroed": 1.0}
    assert (assignment.limits["call_seconds"], assignment.points) == (9, 25)


def test_the_points_are_those_that_the_handout_prints():
    printed = {1: [1, 2, 2], 2: [2, 4, 2], 3: [3, 3], 4: [2, 2, 2]}
    assert {p.number: [part.points for part in p.parts] for p in ASSIGNMENT.problems} == printed


GIVEN_CLASSES = {"Activation", "Layer", "LayerWeights", "Loss", "NN2"}
GIVEN_FUNCTIONS = {"_behind_sigmoid", "_behind_sigmoid.gradient_of_z"}


def test_students_are_given_what_the_assignment_says_and_no_other_code(contents):
    """Whatever the reference gains, of its bodies students get only what is named here or in the assignment."""
    tasks = {task.function.rpartition(".")[2] for task in ASSIGNMENT.tasks}
    for name, content in contents.items():
        if not name.endswith(".py") or "mlcvlab" not in name:
            continue
        module = ast.parse(content)
        classes = {node.name for node in module.body if isinstance(node, ast.ClassDef)}
        assert classes <= GIVEN_CLASSES, name
        own = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
        assert own <= tasks | set(ASSIGNMENT.given) | GIVEN_FUNCTIONS, name
        methods = {
            child.name
            for node in module.body
            if isinstance(node, ast.ClassDef)
            for child in node.body
            if isinstance(child, ast.FunctionDef)
        }
        assert methods <= tasks | {"__init__", "W", "initialize", "__setitem__"}, name
