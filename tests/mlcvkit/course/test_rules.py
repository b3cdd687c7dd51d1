import ast
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlcvkit.course.assignment import read_assignment
from mlcvkit.course.imports import imported
from mlcvkit.course.kit.tree import is_ignored, signature_problems
from mlcvkit.course.rules import MOST_BRACKETS, check_rules

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
    assert f"{BASIS} is missing" in messages
    assert any(message.startswith("helper.py was added") for message in messages)


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        (
            "def linear(x: npt.ArrayLike, W: npt.ArrayLike)",
            "def linear(W, x)",
            "the arguments are (W, x) and were (x, W)",
        ),
        ("def linear(x: npt.ArrayLike, W: npt.ArrayLike)", "def linear(x, W, b)", "(x, W, b)"),
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


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("mlcvlab/optim/adam.py", "    *,\n", ""),
        ("mlcvlab/optim/sgd.py", "    *,\n", ""),
        ("mlcvlab/optim/sgd.py", "lr: float = 0.1", "lr: float = 0.02"),
        ("mlcvlab/optim/sgd.py", "R: int = ", "R: int = 9"),
    ],
)
def test_keywords_in_another_place_and_other_defaults_are_no_change(file, right, wrong, replaced):
    assert violations(replaced(file, right, wrong)) == []


WAYS = [
    "if STABLE:\n    def {name}{arguments}: ...\nelse:\n    def {name}{arguments}: ...\n",
    "try:\n    from scipy.special import {name}\nexcept ImportError:\n    def {name}{arguments}: ...\n",
    "def other{arguments}: ...\n{name} = other\n",
    "{name}: object = None\n",
]


@pytest.mark.parametrize("way", WAYS)
def test_a_function_is_there_however_it_is_defined(way, reference):
    code = way.format(name="linear", arguments="(x, W)") + "def linear_grad(x, W): ...\n"
    right = {"linear": "x, W"}
    assert list(signature_problems("basis.py", code.encode(), right, ast.parse)) == []


@pytest.mark.parametrize(
    "code",
    [
        "class Network:\n    def nn2(self, x): ...\nclass NN2(Network):\n    pass\n",
        "class NN2:\n    def forward(self, x): ...\n    nn2 = forward\n",
        "class NN2: ...\ndef forward(self, x): ...\nNN2.nn2 = forward\n",
        "class NN2:\n    nn2 = lambda self, x: x\n",
        "class NN2:\n    if True:\n        def nn2(self, x): ...\n",
    ],
)
def test_a_method_is_there_however_it_is_defined(code):
    assert list(signature_problems("nn2.py", code.encode(), {"NN2.nn2": "self, x"}, ast.parse)) == []
    [problem] = signature_problems("nn2.py", code.encode(), {"NN2.grad": "self, x, y"}, ast.parse)
    assert problem == "NN2.grad is missing in nn2.py"


def test_a_function_without_points_may_be_missing(reference):
    losses = reference["mlcvlab/nn/losses.py"].replace(b"def sigmoid_cross_entropy(", b"def of_my_own(")
    assert violations({**reference, "mlcvlab/nn/losses.py": losses}) == []


@pytest.mark.parametrize("name", ["mlcvlab/models/nn2.py~", "mlcvlab/models/.nn2.py.swp", "mlcvlab.egg-info/PKG-INFO"])
def test_what_editors_and_installers_leave_behind_is_ignored(name):
    assert is_ignored(name)


def test_a_function_that_is_imported_is_there(reference):
    assert violations({**reference, BASIS: b"from numpy import matmul as linear, copy as linear_grad\n"}) == []


def test_a_file_that_is_not_python_breaks_no_rule(reference):
    assert violations({**reference, BASIS: b"def linear(x, W:\n"}) == []


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
    "%time import torch",
    "%%time\nimport torch",
    "files = !ls\n__import__('torch')",
    "!python -c 'import torch'",
    "import os\nos.system(\"python -c 'import torch'\")",
    "import subprocess\nsubprocess.run(['python', '-c', 'import torch'])",
    "import sklearn\nsklearn.neural_network.MLPClassifier()",
    "import sklearn as s\ns.neural_network.MLPClassifier()",
    "import mlcvkit.training\nmlcvkit.models.MLP",
    "from mlcvkit.training.gradients import MLP",
    "s = ('%d'\n % 3)\nif s:\n    import torch",
    "__import__('%s' % 'torch')",
    "__import__('{}'.format('torch'))",
    "import builtins\nbuiltins.exec('import torch')",
    "import pkgutil\npkgutil.resolve_name('torch:nn')",
    "!pip install x\nfrom torch import nn",
    "from mlcvkit.estimators import MLPClassifier",
    "from mlcvkit import estimators",
]


@pytest.mark.parametrize("code", SPELLINGS)
def test_a_library_that_is_not_allowed_is_found_by_any_spelling(code, reference):
    for files in (
        {**reference, BASIS: reference[BASIS] + code.encode()},
        {**reference, "HW1_MNIST_NN2.ipynb": json.dumps({"cells": [{"cell_type": "code", "source": code}]}).encode()},
    ):
        if ("%ti" in code or "%mat" in code or "!" in code) and files[BASIS] != reference[BASIS]:
            continue  # a notebook's own syntax
        assert "libraries" in {rule for rule, _ in violations(files)}


@pytest.mark.parametrize(
    "code",
    [
        "import numpy as np",
        "from mlcvkit import datasets",
        "torch = 1\nprint('import torch')",
        "# import torch",
        "import re\nre.compile('import torch')",
        "def f(n):\n    return ('%d samples'\n    % n)\n'''from keras we know it'''",
        "class A:\n    def eval(self, x): pass\nA().eval('from torch')",
        "import subprocess\nsubprocess.run(['ls'])",
        "from mlcvkit.training import fit",
        '"""torch"""',
    ],
)
def test_what_is_allowed_is_not_taken_for_it(code, reference):
    assert violations({**reference, BASIS: reference[BASIS] + code.encode()}) == []


def test_no_two_threads_parse_at_once(reference):
    inside, most = [], []

    def slow_parse(source):
        inside.append(source)
        most.append(len(inside))
        time.sleep(0.01)
        inside.pop()
        return parse(source)

    parse = ast.parse
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(8) as pool:
        patch.setattr(ast, "parse", slow_parse)
        found = list(pool.map(imported, ["import torch"] * 24))
        rules = list(pool.map(lambda _: check_rules(reference, ASSIGNMENT.tasks, ()), range(4)))
    assert found == [[("torch", 1)]] * 24 and rules == [[]] * 4
    assert len(most) > 24 and max(most) == 1


def test_the_line_is_told():
    assert imported("x = 1\nimport torch") == [("torch", 2)]


@pytest.mark.parametrize(
    "code",
    [
        "map(__import__, names)",
        "__import__(name())",
        "import importlib\nimportlib.import_module(name)",
        "from importlib import import_module as load\nload(x)",
        "[__import__][0]('a')",
    ],
)
def test_an_import_that_cannot_be_read_is_left_for_a_person_and_costs_nothing(code, reference):
    [(rule, message)] = violations({**reference, BASIS: reference[BASIS] + code.encode()})
    assert rule == "look" and rule not in ASSIGNMENT.rules_cost and "please look at it" in message


@pytest.mark.parametrize(
    "code",
    [
        "x=1\n" * 300_000,
        "f('" + "x" * 9000 + "'.join([" + "''," * 3000 + "]))",
        ("a" + "(1)" * 600 + "\n") * 3,
        "x = " + "-" * 100_000 + "1",
        "f(" + "'a'+" * 900 + "'a')",
        "\0",
        "lambda:" * 5000 + "1",
        "(" * 500,
    ],
    ids=range(8),
)
def test_code_that_is_hard_to_read_is_no_burden(code, reference):
    notebook = json.dumps({"cells": [{"cell_type": "code", "source": code}]}).encode()
    found = violations({**reference, BASIS: code.encode()}) + violations({**reference, "HW1_MNIST_NN2.ipynb": notebook})
    assert {rule for rule, _ in found} <= {"look", "signatures"}
    assert ("is too large to be searched" in str(found)) == (len(code) > 256 << 10)


@pytest.mark.parametrize("content", ["\ufeff", "# coding: latin-1\n"])
def test_marks_at_the_beginning_of_a_file_are_read_as_python_reads_them(content, reference):
    assert violations({**reference, BASIS: content.encode() + reference[BASIS]}) == []


def test_a_function_that_is_assigned_is_there(replaced):
    source = replaced(BASIS, "def linear_grad(", "linear_grad = as_float\n\n\ndef another(")
    assert violations(source) == []


def test_a_notebook_of_many_commands_for_a_shell_is_read_at_once(reference):
    lines = ["!ls", "files = !ls *.py", "%matplotlib inline", "    !pip install torch", "a?"] * 1400
    notebook = {"cells": [{"cell_type": "code", "source": "\n".join(["if True:", "    pass", *lines])}]}
    told = violations({**reference, "HW1_MNIST_NN2.ipynb": json.dumps(notebook).encode()})
    assert any(rule == "libraries" for rule, _ in violations({**reference, "HW1_MNIST_NN2.ipynb": OF_TORCH}))
    assert all(rule in ("look", "libraries") for rule, _ in told)


OF_TORCH = json.dumps({"cells": [{"cell_type": "code", "source": "%%bash\npython -c 'import torch'"}]}).encode()


def test_a_notebook_that_is_too_large_to_be_parsed_is_put_to_a_person(reference):
    large = b'{"cells": [' + b"[1]," * (6 << 20) + b"[1]]}"
    told = violations({**reference, "HW1_MNIST_NN2.ipynb": large})
    assert ("look", "HW1_MNIST_NN2.ipynb is too large to be searched") in told


FOR_DATA = """
import {module}
(X, y), (test_X, test_y) = {name}.datasets.mnist.load_data()
"""


@pytest.mark.parametrize(
    ("cells", "rules"),
    [
        ([FOR_DATA.format(module="tensorflow as tf", name="tf.keras")], {"look"}),
        ([FOR_DATA.format(module="keras", name="keras")], {"look"}),
        ([FOR_DATA.format(module="tensorflow.keras as K", name="K")], {"look"}),
        (["from tensorflow import keras", "mnist = keras.datasets.mnist"], {"look"}),
        (["import tensorflow as tf", "mnist = tf.keras.datasets.mnist", "print(tf.__version__)"], {"look"}),
        (["try:\n    import tensorflow as tf\nexcept ImportError:\n    tf = None"], {"look"}),
        (["from tensorflow.keras.utils import to_categorical"], {"look"}),
        (["import torchvision", "torchvision.datasets.MNIST('.')"], {"look"}),
        (["import tensorflow as tf", "model = tf.keras.Sequential()"], {"libraries"}),
        (["from tensorflow import keras", "k = keras", "k.Sequential()"], {"libraries"}),
        (["import tensorflow as tf", "getattr(tf, 'ker' + 'as')"], {"libraries"}),
        (["import keras", "load = keras.datasets.mnist.load_data", "keras.layers.Dense(1)"], {"libraries"}),
        (["import torchvision", "torchvision.models.resnet18()"], {"libraries"}),
        (["import torch"], {"libraries"}),
        (["eval(\"__import__('tensorflow')\")"], {"libraries"}),
        (["import tensorflow as tf", "import importlib", "k = importlib.import_module('tensorflow')"], {"libraries"}),
    ],
)
def test_a_library_that_is_imported_for_the_data_alone_is_put_to_a_person(cells, rules):
    notebook = {"cells": [{"cell_type": "code", "source": cell} for cell in cells]}
    found = check_rules({"HW1_MNIST_NN2.ipynb": json.dumps(notebook).encode()}, [], ASSIGNMENT.forbidden)
    found = {one.rule for one in found if one.rule in ("look", "libraries")}
    assert rules <= found and ("libraries" in found) == ("libraries" in rules)


def test_lines_of_many_blanks_are_searched_at_once(reference):
    cell = "a b\n" + (" " * 1998 + "x\n") * 100
    notebook = json.dumps({"cells": [{"cell_type": "code", "source": cell}]}).encode()
    assert not [rule for rule, _ in violations({**reference, "HW1_MNIST_NN2.ipynb": notebook}) if rule == "libraries"]


def test_a_notebook_of_very_many_objects_is_not_parsed(reference):
    notebook = b'{"cells": [' + b"{}," * MOST_BRACKETS + b"{}]}"
    assert ("look", "HW1_MNIST_NN2.ipynb is too large to be searched") in violations(
        {**reference, "HW1_MNIST_NN2.ipynb": notebook}
    )


def test_a_default_that_is_too_deep_to_be_written_breaks_the_signature_alone(reference):
    source = b"\n\ndef linear(x, W, q=" + b"-" * 900 + b"1, r=0, *, s): return W @ x\n"
    told = violations({**reference, BASIS: reference[BASIS] + source})
    assert [rule for rule, _ in told] == ["signatures"]
