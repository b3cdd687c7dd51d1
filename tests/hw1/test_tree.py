"""The handout's rule, kept by ourselves: no file added, moved, removed or renamed, no signature changed."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlcvlab.models.base import Layer
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn import activations, basis, losses
from mlcvlab.optim.adam import Adam
from mlcvlab.optim.sgd import SGD

HW1 = Path(__file__).parents[2] / "hw1"
SCRIPTS = ["test_basis.py", "test_activations.py", "test_losses.py"]
FILES = {
    "HW1_MNIST_NN2.ipynb",
    *SCRIPTS,
    "mlcvlab/__init__.py",
    "mlcvlab/models/__init__.py",
    "mlcvlab/models/base.py",
    "mlcvlab/models/nn2.py",
    "mlcvlab/nn/__init__.py",
    "mlcvlab/nn/activations.py",
    "mlcvlab/nn/basis.py",
    "mlcvlab/nn/losses.py",
    "mlcvlab/optim/__init__.py",
    "mlcvlab/optim/adam.py",
    "mlcvlab/optim/sgd.py",
}
SIGNATURES = {
    basis.linear: "x, W",
    basis.linear_grad: "x",
    **{getattr(activations, name): "x" for name in ("step", "relu", "sigmoid", "softmax", "tanh")},
    **{getattr(activations, f"{name}_grad"): "y" for name in ("step", "relu", "sigmoid", "softmax", "tanh")},
    **{getattr(losses, name): "y, y_hat" for name in ("l2", "mse", "cross_entropy")},
    **{getattr(losses, f"{name}_grad"): "y, y_hat" for name in ("l2", "mse", "cross_entropy")},
    Layer.__init__: "self, W, activation",
    NN2.__init__: "self",
    NN2.nn2: "self, x",
    NN2.grad: "self, x, y, W",
    NN2.emp_loss_grad: "self, train_X, train_y, W, layer",
    SGD: "model, train_X, train_y, lr=0.1, R=100",
    Adam: "model, train_X, train_y",
}


def test_the_list_of_files_is_frozen():
    found = {
        str(path.relative_to(HW1))
        for path in HW1.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ".ipynb_checkpoints" not in path.parts
    }
    assert found == FILES


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda f: f.__qualname__)
def test_the_signatures_are_frozen(function):
    positional, optional = [], []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            optional.append(parameter)
        elif parameter.default in (parameter.empty, None):
            positional.append(parameter.name)
        else:
            positional.append(f"{parameter.name}={parameter.default}")
    assert ", ".join(positional) == SIGNATURES[function]
    assert all(parameter.default is not parameter.empty for parameter in optional)


@pytest.fixture(scope="module")
def numpy_alone(tmp_path_factory):
    """A folder with NumPy and nothing else, to put on an interpreter without its site-packages."""
    folder = tmp_path_factory.mktemp("numpy-alone")
    installed = Path(np.__file__).parents[1]
    for name in ("numpy", "numpy.libs"):
        if (installed / name).exists():
            (folder / name).symlink_to(installed / name)
    return folder


def run_script(script, numpy_alone, folder):
    return subprocess.run(
        [sys.executable, "-S", script],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(numpy_alone), "PYTHONWARNINGS": "error"},
        cwd=folder,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_scripts_run_with_numpy_alone_from_any_folder(script, numpy_alone, tmp_path):
    result = run_script(HW1 / script, numpy_alone, tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    *checks, summary = result.stdout.splitlines()
    assert all(line.startswith("ok ") for line in checks) and len(checks) >= 5
    assert summary == f"{len(checks)} of {len(checks)} checks are ok"


@pytest.mark.parametrize(
    ("script", "module", "right", "wrong"),
    [
        ("test_basis.py", "nn/basis.py", "return W @ x", "return 2 * (W @ x)"),
        ("test_activations.py", "nn/activations.py", "return y * (1 - y)", "return y * (1 + y)"),
        ("test_losses.py", "nn/losses.py", "return y_hat - y", "raise KeyError('oh')"),
    ],
)
def test_the_scripts_say_what_is_wrong_and_exit_1(script, module, right, wrong, numpy_alone, tmp_path):
    for name in FILES:
        if name.endswith(".py"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes((HW1 / name).read_bytes())
    source = (tmp_path / "mlcvlab" / module).read_text()
    assert right in source
    (tmp_path / "mlcvlab" / module).write_text(source.replace(right, wrong))
    result = run_script(tmp_path / script, numpy_alone, "/")
    assert (result.returncode, result.stderr) == (1, "")
    failed = [line for line in result.stdout.splitlines() if line.startswith("FAILED")]
    assert failed and all("expected " in line and ", got " in line for line in failed)
