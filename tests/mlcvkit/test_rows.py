"""One row is enough: a row of each kind is added to one file of a copy of the package, and every place uses it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src/mlcvkit"

ROWS = {
    "models/activations.py": '''
def softsign(z):
    """Softsign."""
    return z / (1 + np.abs(z))


ACTIVATIONS["softsign"] = Activation(
    softsign,
    lambda a: np.square(1 - np.abs(a)),
    r"\\sigma(z) = \\frac{z}{1 + |z|}",
    lambda graph, z: graph.node("Softsign", z),
    searched=True,
)

ActivationName''',
    "models/outputs.py": """
LOSSES["cubic"] = Loss(
    lambda y, y_hat: (np.abs(y_hat - y) ** 3).sum(axis=0),
    lambda y, y_hat: 3 * (y_hat - y) * np.abs(y_hat - y),
    latex=r"\\ell = |\\hat y - y|^3",
)

LossName""",
    "models/initializations.py": r'''
def tenth(inputs: int, units: int, gain: float) -> float:
    """0.1, whatever the layer's size."""
    return 0.1


INITIALIZATIONS["tenth"] = Initialization(tenth, r"W \sim \mathcal{N}(0, 0.1^2)")

InitializationName''',
    "training/schedules.py": '''
def linear(progress: float) -> float:
    """A straight line down to 0."""
    return 1 - progress


SCHEDULES["linear"] = Schedule(linear, r"\alpha_p = \alpha\\, (1 - p)")

ScheduleName''',
    "training/optimizers.py": '''
@dataclass(frozen=True)
class SignDescent:
    """A step of one length, against the sign of the gradient; where that is small, none."""

    latex: ClassVar[str] = r"w \\leftarrow w - \\alpha\\, \\mathrm{sign}(\\nabla L)"
    threshold: float = 1e-6

    def start(self, w):
        return NoState()

    def step(self, w, gradient_at, state, learning_rate):
        g = gradient_at(w)
        w -= learning_rate * np.sign(g) * (np.abs(g) > self.threshold)


OPTIMIZERS["sign_descent"] = SignDescent

OptimizerName''',
}
"""What is put before the type of the names, at the end of the table's own file."""


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """A folder with a copy of the package that has the rows; MNIST's files are not copied."""
    folder = tmp_path_factory.mktemp("rows")
    shutil.copytree(PACKAGE, folder / "mlcvkit", ignore=shutil.ignore_patterns("data", "__pycache__"))
    (folder / "mlcvkit/data").symlink_to(PACKAGE / "data")
    for name, row in ROWS.items():
        path = folder / "mlcvkit" / name
        text = path.read_text()
        at = text.index("if TYPE_CHECKING:\n")
        path.write_text(text[:at] + re.sub(r"\w+Name\Z", "", row).lstrip() + "\n" + text[at:])
    return folder


def run(folder, *arguments, code=0):
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"}
    command = [sys.executable, "-m", "mlcvkit", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


OPTIONS = ["--activation", "softsign", "--loss", "cubic", "--initialization", "tenth", "--schedule", "linear"]
OPTIONS += ["--optimizer", "sign_descent"]


def test_the_help_of_train_names_every_row(changed):
    text = run(changed, "train", "--help")
    for name in [*OPTIONS[1::2], "--threshold"]:
        assert name in text


def test_a_network_is_trained_with_the_rows_and_goes_everywhere(changed):
    line = ["train", "moons", *OPTIONS, "--hidden-units", "12", "--epochs", "40", "--learning-rate", "0.005"]
    result = json.loads(run(changed, *line, "--threshold", "1e-5", "--name", "r", "--json"))
    assert "threshold = 1e-05" in (changed / "runs/r/config.toml").read_text()
    refused = run(changed, "train", "moons", "--threshold", "0.1", code=2)
    assert "would not use threshold=0.1: the optimizer adam has none" in refused
    assert result["test"]["accuracy"] > 0.7
    assert json.loads(run(changed, "evaluate", "runs/r", "--json")) == result["test"]
    assert "model.onnx" in run(changed, "export", "runs/r")
    run(changed, "report", "runs/r")
    assert (changed / "runs/r/report.html").is_file() or list((changed / "runs/r").rglob("*.html"))


def test_a_search_tries_the_rows_that_are_searched(changed):
    code = "from mlcvkit.tuning import default_space; from mlcvkit import Experiment\n"
    code += "print(default_space(Experiment(data='moons'), 0)['activation'])"
    environment = {**os.environ, "PYTHONPATH": str(changed)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "softsign" in done.stdout and "gelu" not in done.stdout


def test_an_estimator_and_the_page_have_the_rows(changed):
    code = """
import numpy as np
from mlcvkit import MLPClassifier
from mlcvkit.playground.controls import _equation
from mlcvkit.playground.experiments import CHOICES
X = np.random.default_rng(0).normal(size=(200, 2)); y = (X[:, 0] > 0).astype(int)
MLPClassifier(activation="softsign", loss="cubic", initialization="tenth", schedule="linear",
              optimizer="sign_descent", threshold=0.01, epochs=3).fit(X, y)
choices = {"activation": "softsign", "initialization": "tenth", "schedule": "linear", "optimizer": "sign_descent"}
for control, choice in choices.items():
    assert choice in CHOICES[control], control
    print(repr(_equation(control, choice)))
"""
    environment = {**os.environ, "PYTHONPATH": str(changed)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert r"\\frac{z}{1 + |z|}" in done.stdout
