import json

import pytest

from mlcvkit.course.assignment import read_assignment
from mlcvkit.course.imports import imported
from mlcvkit.course.rules import check_rules

ASSIGNMENT = read_assignment()
BASIS = "mlcvlab/nn/basis.py"


def violations(files):
    return [
        (violation.rule, violation.message) for violation in check_rules(files, ASSIGNMENT.tasks, ASSIGNMENT.forbidden)
    ]


def test_the_reference_keeps_the_rules(reference):
    assert violations(reference) == []


def test_added_missing_and_moved_files_are_told(reference):
    files = dict(reference)
    files["helper.py"] = b""
    files["mlcvlab/basis.py"] = files.pop(BASIS)
    del files["test_losses.py"]
    told = violations(files)
    assert {rule for rule, _ in told} == {"files"}
    messages = [message for _, message in told]
    assert "test_losses.py is missing" in messages
    assert f"{BASIS} is missing; there is mlcvlab/basis.py: was it moved?" in messages
    assert any(message.startswith("helper.py was added") for message in messages)


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        (
            "def linear(x: npt.ArrayLike, W: npt.ArrayLike)",
            "def linear(W, x)",
            "the arguments are (W, x) and were (x, W)",
        ),
        ("def linear(x: npt.ArrayLike, W: npt.ArrayLike)", "def linear(x, W, b=0)", "(x, W, b=0)"),
        ("def linear(x: npt.ArrayLike, W: npt.ArrayLike)", "def linear(x, W, *, b)", "b was added, and has no default"),
        ("def linear(x: npt.ArrayLike, W: npt.ArrayLike)", "def linear_(x, W)", "linear is missing"),
    ],
)
def test_a_changed_signature_is_told(right, wrong, words, replaced):
    [(rule, message)] = violations(replaced(BASIS, right, wrong))
    assert rule == "signatures" and words in message


@pytest.mark.parametrize(
    "wrong",
    ["def linear(x, W)", "def linear(x: list, W: list)", "def linear(x, W, *, b=0)", "def linear(x, W, **more)"],
)
def test_a_signature_that_callers_see_no_change_in_is_none(wrong, replaced):
    assert violations(replaced(BASIS, "def linear(x: npt.ArrayLike, W: npt.ArrayLike)", wrong)) == []


def test_a_file_that_is_not_python_is_told(reference):
    [(rule, message)] = violations({**reference, BASIS: b"def linear(x, W:\n"})
    assert rule == "syntax" and message.startswith(f"{BASIS} is not Python")


SPELLINGS = [
    "import torch",
    "import torch.nn as nn",
    "import numpy, torch",
    "from torch import nn",
    "from torch.nn.functional import relu",
    "from sklearn.neural_network import MLPClassifier",
    "from sklearn import neural_network",
    "__import__('torch')",
    "__import__('tor' + 'ch')",
    "__import__('hcrot'[::-1])",
    "__import__(''.join(['t', 'orch']))",
    "__import__(f'tor{\"ch\"}')",
    "__import__(b'torch'.decode())",
    "import importlib\nimportlib.import_module('torch')",
    "from importlib import import_module as load\nload('torch')",
    "import importlib.util\nimportlib.util.find_spec('torch')",
    "getattr(__builtins__, '__import__')('torch')",
    "exec('import torch')",
    "eval('__import__(\"torch\")')",
    "exec(compile('import torch', 'a', 'exec'))",
    "exec('exec(\"import torch\")')",
    "name = 'torch'\n__import__(name)",
    "load = __import__\nload('torch')",
    "import builtins\nbuiltins.__import__('torch')",
    "globals()['__builtins__']['__import__']('torch')",
    "def f():\n    if True:\n        import torch",
    "try:\n    import torch\nexcept ImportError:\n    pass",
    "%matplotlib inline\nimport torch",
    "!pip install x\nfrom torch import nn",
    "this is not python\nimport torch",
    "from mlcvkit.estimators import MLPClassifier",
    "from mlcvkit import estimators",
]


@pytest.mark.parametrize("code", SPELLINGS)
def test_a_library_that_is_not_allowed_is_found_by_any_spelling(code, reference):
    for files in (
        {**reference, BASIS: reference[BASIS] + code.encode()},
        {**reference, "HW1_MNIST_NN2.ipynb": json.dumps({"cells": [{"cell_type": "code", "source": code}]}).encode()},
    ):
        if code.startswith(("this", "%", "!")) and files[BASIS] != reference[BASIS]:
            continue
        assert "libraries" in {rule for rule, _ in violations(files)}


@pytest.mark.parametrize(
    "code",
    [
        "import numpy as np",
        "from mlcvkit import datasets",
        "torch = 1\nprint('import torch')",
        "# import torch",
        '"""torch"""',
    ],
)
def test_what_is_allowed_is_not_taken_for_it(code, reference):
    assert violations({**reference, BASIS: reference[BASIS] + code.encode()}) == []


def test_the_line_is_told():
    assert imported("x = 1\nimport torch") == [("torch", 2)]
