"""The students' package: it checks as the grader does, in an environment of its own, and has no solution in it."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from coursework import HONEST, MISTAKES, NEEDS_BUBBLEWRAP, honest, judged, with_mistake
from mlcvkit.course.assignment import read_assignment
from mlcvkit.course.grading import Grader, libraries
from mlcvkit.course.handout import handout, write_handout
from mlcvkit.course.kit.tree import is_ignored
from mlcvkit.course.rules import check_rules
from mlcvkit.course.sandbox import Sandbox
from soak import share


@pytest.fixture(scope="module")
def students(tmp_path_factory):
    """What an instructor hands out, with the package."""
    folder = tmp_path_factory.mktemp("students")
    write_handout(folder, read_assignment(), kit=True)
    return folder


@pytest.fixture(scope="module")
def check(students, tmp_path_factory):
    """Runs the package's check of some files, where nothing is installed but NumPy and the package."""

    def run(files):
        tree = tmp_path_factory.mktemp("tree") / "hw1"
        for name, content in files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes(content)
        alone = f"import sys; sys.path[:0] = [{str(students / 'kit')!r}, {str(Path(np.__file__).parents[1])!r}]"
        code = f"{alone}; from mlcvkit.check import main; sys.exit(main(['check', {str(tree)!r}]))"
        command = [sys.executable, "-I", "-S", "-c", code]
        return subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})

    return run


def wrong(result):
    return {line.split()[-1] for line in result.stdout.splitlines() if line.startswith(("WRONG", "not yet"))}


def test_the_reference_is_right_and_the_handout_is_not_yet(check, reference, of_code):
    right = check(reference)
    assert (right.returncode, right.stderr) == (0, "") and "23 of 23 are right" in right.stdout
    written = handout(of_code).items()
    fresh = check({name.removeprefix("hw1/"): content for name, content in written if name.startswith("hw1/")})
    assert fresh.returncode == 1 and fresh.stdout.count("not yet ") == 23 and "0 of 23" in fresh.stdout


@share("honest solutions, checked by the package", "number", range(len(HONEST)), one_in=4)
def test_honest_work_is_right_in_it_as_in_the_grader(number, check, reference, of_code):
    written = handout(of_code).items()
    fresh = {name.removeprefix("hw1/"): content for name, content in written if name.startswith("hw1/")}
    what, files, losing = honest(number, reference, fresh)
    result = check(files)
    assert wrong(result) == losing, (what, result.stdout)


TRIED = [
    mistake
    for mistake in MISTAKES
    # the package tries the optimizers in few runs, and finds of their mistakes those that show in each
    if mistake.costs and (mistake.of not in ("SGD", "Adam") or mistake.name in ("uphill", "no_root", "one_step_less"))
]


@share(
    "mistakes, checked by the package",
    "mistake",
    TRIED[::20],
    one_in=2,
    ids=lambda mistake: f"{mistake.of}.{mistake.name}",
)
def test_a_mistake_is_found_by_it(mistake, check, reference):
    assert mistake.of in wrong(check(with_mistake(reference, mistake)))


def test_the_solution_is_nowhere_in_it(students, reference):
    """No statement of the reference's bodies, no name of a mistake and no word of one is in the package."""
    texts = [
        path.read_text(errors="replace")
        for path in (students / "kit").rglob("*")
        if path.suffix in (".py", ".json", ".toml")
    ]
    everything = "\n".join(texts)
    for task in read_assignment().tasks:
        module = ast.parse(reference[task.file])
        name = task.function.rpartition(".")[2]
        bodies = [node.body for node in ast.walk(module) if isinstance(node, ast.FunctionDef) and node.name == name]
        for statement in bodies[-1][1:]:
            text = ast.unparse(statement)
            assert len(text) < 25 or text not in everything, (task.function, text)
    for mistake in MISTAKES:
        assert mistake.tells not in everything
    rows = json.loads((students / "kit/mlcvkit/tables.json").read_text())["functions"]
    assert len(rows) == 23 and all(row.keys() == {"function", "module", "equation", "cases"} for row in rows)


def test_a_broken_rule_is_told_as_the_grader_tells_it(check, reference):
    losses = (
        reference["mlcvlab/nn/losses.py"].replace(b"def l2(y:", b"def l2(truth:").replace(b"def mse(", b"def mean(")
    )
    files = {
        **reference,
        "notes.txt": b"mine",
        ".DS_Store": b"",
        "mlcvlab/._nn": b"",
        "a.pyc": b"",
        "mlcvlab/nn/losses.py": losses,
    }
    del files["test_basis.py"]
    result = check(files)
    told = [line.removeprefix("RULE     ") for line in result.stdout.splitlines() if line.startswith("RULE")]
    violations = check_rules(
        {name: content for name, content in files.items() if not is_ignored(name)}, read_assignment().tasks, ()
    )
    assert told == [violation.message for violation in violations if violation.rule != "look"]
    assert len(told) == 4 and result.returncode == 1 and "4 broken rules cost points" in result.stdout


def test_the_kit_runs_where_nobody_reads_to_the_end(students, reference, tmp_path):
    for name, content in reference.items():
        (tmp_path / "hw1" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "hw1" / name).write_bytes(content)
    places = [str(students / "kit"), str(Path(np.__file__).parents[1])]
    code = f"import sys; sys.path[:0] = {places!r}; sys.argv = ['mlcvlab', 'check', {str(tmp_path / 'hw1')!r}]; "
    code += "from mlcvkit.check import run; run()"
    read, write = os.pipe()
    os.close(read)
    result = subprocess.run([sys.executable, "-u", "-I", "-S", "-c", code], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (result.returncode, result.stderr) == (1, b"")


STEP = "l, j = (0, k) if k < W[0].size else (1, k - W[0].size); W[l].flat[j] -= lr * g[l].flat[j]"
RIGHT_BY_ANOTHER_WAY = {
    "gradients of a copy": (
        "sgd",
        "SGD",
        f"import copy; W = [w.copy() for w in model.W]; n = sum(w.size for w in W)\n"
        f"    for k in np.random.default_rng().integers(n, size=R):\n"
        f"        g = copy.deepcopy(model).emp_loss_grad(train_X, train_y); {STEP}; model.W = W\n    return W",
    ),
    "an accuracy that is printed": (
        "sgd",
        "SGD",
        "print(np.mean((model.nn2(train_X) >= 0.5) == train_y)); return _right(model, train_X, train_y, lr=lr, R=R)",
    ),
    "gradients at zeroed weights": (
        "sgd",
        "SGD",
        f"W = [w.copy() for w in model.W]; n = sum(w.size for w in W)\n"
        f"    for k in np.random.default_rng().integers(n, size=R):\n"
        f"        Z = [0 * w for w in W]; q = (0, k) if k < W[0].size else (1, k - W[0].size)\n"
        f"        Z[q[0]].flat[q[1]] = W[q[0]].flat[q[1]]\n"
        f"        g = model.emp_loss_grad(train_X, train_y, Z); {STEP}\n    model.W = W\n    return W",
    ),
    "an Adam without look-ahead": (
        "adam",
        "Adam",
        "return _right(model, train_X, train_y, lookahead=False, **given)",
    ),
}


@NEEDS_BUBBLEWRAP
@pytest.mark.parametrize("way", RIGHT_BY_ANOTHER_WAY)
def test_what_costs_nothing_in_the_grader_is_right_in_it(way, check, reference, of_code):
    module, name, body = RIGHT_BY_ANOTHER_WAY[way]
    options = "lr=0.1, R=100" if name == "SGD" else "**given"
    code = f"\n\n_right = {name}\ndef {name}(model, train_X, train_y, {options}):\n    {body}\n"
    path = f"mlcvlab/optim/{module}.py"
    if name == "Adam":
        code = code.replace("**given):", "alpha=0.001, beta1=0.9, beta2=0.999, delta=1e-8, R=100):").replace(
            "**given", "alpha=alpha, beta1=beta1, beta2=beta2, delta=delta, R=R"
        )
    files = {**reference, path: reference[path] + code.encode()}
    for _, [result] in judged(Grader(of_code, Sandbox(libraries(of_code)), 3), files, [3], [name]):
        assert result.right, result
    assert name not in wrong(check(files)), check(files).stdout


def test_the_footnotes_small_number_is_right_in_it(check, reference):
    path = "mlcvlab/models/nn2.py"
    code = """

def grad(self, x, y, W=None):
    W1, w2 = self.W if W is None else W
    a = np.maximum(W1 @ x, 0)
    p = 1 / (1 + np.exp(-w2.T @ a))
    d = ((1 - y) / (1 - p + 1e-6) - y / (p + 1e-6)) * p * (1 - p)
    return [((w2 @ d) * (a > 0)) @ x.T, a @ d.T]
NN2.grad = grad
"""
    result = check({**reference, path: reference[path] + code.encode()})
    assert "grad" not in wrong(result), result.stdout


def test_a_forgotten_return_is_told_as_that(check, reference):
    path = "mlcvlab/optim/sgd.py"
    code = b"\n\n_right = SGD\ndef SGD(*args, **options):\n    _right(*args, **options)\n"
    assert "it returned None" in check({**reference, path: reference[path] + code}).stdout
