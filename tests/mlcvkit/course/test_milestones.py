"""History on the reader's own code: reached with the reference's, and not without it."""

import json
import shutil
from pathlib import Path

import pytest

from command import assert_one_line_error, run
from coursework import NEEDS_BUBBLEWRAP
from mlcvkit import course

pytestmark = NEEDS_BUBBLEWRAP
HW1 = Path(__file__).parents[3] / "hw1"
YEARS = [1958, 1969, 1986, 1998, 2015]
NAMES = {"basis": "nn/basis.py", "nn2": "models/nn2.py", "sgd": "optim/sgd.py", "adam": "optim/adam.py"}


def told(tree, folder):
    done = run("milestones", str(tree), "--json", folder=folder)
    found = json.loads(done.stdout)["milestones"]
    assert [one["year"] for one in found] == YEARS and done.stderr == ""
    assert done.returncode == (0 if all(one["reached"] for one in found) else 1)
    return {one["year"]: one for one in found}


@pytest.fixture
def tree(tmp_path):
    shutil.copytree(HW1 / "mlcvlab", tmp_path / "hw1/mlcvlab", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "hw1"


def test_the_reference_reaches_all_and_each_is_drawn(tmp_path):
    found = told(HW1, tmp_path)
    assert all(one["reached"] for one in found.values())
    for one in found.values():
        assert (tmp_path / one["picture"]).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("file", "end", "missed", "words"),
    [
        ("basis", "def linear(x, W):\n    return None\n", [1958, 1969], "linear must return an array of shape"),
        ("basis", "def linear(x, W):\n    raise NotImplementedError('to do')\n", [1958, 1969], "linear (chapter 1"),
        ("nn2", "NN2.emp_loss_grad = lambda self, X, y, W=None, layer=None: None\n", [1986, 1998], "NN2.emp_loss_grad"),
        ("nn2", "NN2.nn2 = lambda self, x: 1 / 0\n", [1986, 1998, 2015], "NN2.nn2 (chapter 3"),
        ("sgd", "def SGD(*args, **options):\n    raise NotImplementedError\n", [2015], "SGD (chapter 5"),
        (
            "adam",
            "def Adam(model, X, y, **options):\n    model.W = model.W[:1]\n",
            [2015],
            "the model has 2 arrays of weights; got 1",
        ),
        ("adam", "def Adam(model, X, y, **options):\n    return model.W\n", [2015], "by your Adam"),
    ],
)
def test_what_is_missing_or_wrong_is_named_and_is_the_readers(tree, file, end, missed, words):
    path = tree / "mlcvlab" / NAMES[file]
    path.write_text(f"{path.read_text()}\n\n{end}")
    found = {}
    for one in course.milestones(tree, course.Sandbox(course.libraries(course.read_assignment(None)))):
        found[one.year] = one
        if one.year == missed[-1]:
            break
    assert not any(found[year].passed for year in missed)
    assert words in found[missed[-1]].did
    if file in ("sgd", "adam"):  # no milestone asks for what a later chapter brings
        assert all(found[year].passed for year in YEARS[:-1])


def test_a_file_that_cannot_be_imported_is_said(tree, tmp_path):
    (tree / "mlcvlab/optim/adam.py").write_text("def Adam(:\n")
    found = told(tree, tmp_path)
    assert [year for year in YEARS if found[year]["reached"]] == YEARS[:-1]
    assert "Adam" in found[2015]["did"] and "cannot be imported" in found[2015]["did"]


def test_another_folder_is_refused(tmp_path):
    assert_one_line_error(run("milestones", ".", folder=tmp_path), "is not the homework's folder")


def test_a_file_in_the_place_of_the_pictures_is_refused_and_kept(tmp_path):
    (tmp_path / "mine").write_text("mine")
    assert_one_line_error(run("milestones", str(HW1), "--output", "mine", folder=tmp_path), "mine is a file")
    assert (tmp_path / "mine").read_text() == "mine"
