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
OUTPUTS["exponential"] = Output(
    np.exp, lambda y_hat, upstream: upstream * y_hat, "mse", lambda graph, z: graph.node("Exp", z)
)

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
    """A step of one length, against the sign of the gradient; where that is small, none.

    Parameters
    ----------
    threshold
        The size of a gradient that is small.
    both_ways
        Whether weights grow as well as shrink.
    """

    searched: ClassVar[bool] = True
    latex: ClassVar[str] = r"w \\leftarrow w - \\alpha\\, \\mathrm{sign}(\\nabla L)"
    threshold: float = 1e-6
    both_ways: bool = True

    def start(self, w):
        return NoState()

    def step(self, w, gradient_at, state, learning_rate):
        g = gradient_at(w)
        w -= learning_rate * np.sign(g) * (np.abs(g) > self.threshold) * (self.both_ways or g > 0)


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
    assert "sign_descent: The size of a gradient that is small." in text
    refused = run(changed, "train", "moons", "--optimizer", "sign_descent", "--threshold", "nan", code=2)
    assert "threshold must be 0 or more and finite; got nan" in refused


def test_a_network_is_trained_with_the_rows_and_goes_everywhere(changed):
    line = ["train", "moons", *OPTIONS, "--hidden-units", "12", "--epochs", "40", "--learning-rate", "0.005"]
    result = json.loads(run(changed, *line, "--threshold", "1e-5", "--name", "r", "--json"))
    assert "threshold = 1e-05" in (changed / "runs/r/config.toml").read_text()
    refused = run(changed, "train", "moons", "--threshold", "0.1", code=2)
    assert "would not use threshold=0.1: the optimizer adam has none" in refused
    one_way = [*line, "--no-both-ways", "--name", "s", "--json"]
    assert json.loads(run(changed, *one_way))["test"] != result["test"]
    assert "both_ways = false" in (changed / "runs/s/config.toml").read_text()
    assert result["test"]["accuracy"] > 0.7
    assert json.loads(run(changed, "evaluate", "runs/r", "--json")) == result["test"]
    assert "model.onnx" in run(changed, "export", "runs/r")
    run(changed, "report", "runs/r")
    assert (changed / "runs/r/report.html").is_file() or list((changed / "runs/r").rglob("*.html"))


def test_an_output_is_trained_with_saved_and_exported(changed):
    code = """
import numpy as np, onnxruntime
from pathlib import Path
from mlcvkit.models import MLP
from mlcvkit.storage import SavedModel, export_onnx, load_model, save_model
from mlcvkit.training import Hyperparameters, fit
rng = np.random.default_rng(0)
X = rng.normal(size=(400, 2)).astype(np.float32); y = np.exp(X[:, :1]).astype(np.float32)
model = MLP((16,), output="exponential", activation="tanh").initialize(features=2, outputs=1, seed=0)
g = model.emp_loss_grad(X[:9].T.astype(float), y[:9].T.astype(float), [w.astype(float) for w in model.W])
W = [w.astype(float) for w in model.W]
for layer, w in enumerate(W):
    for j in range(min(3, w.size)):
        losses = []
        for h in (1e-5, -1e-5):
            moved = [v.copy() for v in W]; moved[layer].flat[j] += h
            losses.append(model.emp_loss(X[:9].T.astype(float), y[:9].T.astype(float), moved))
        assert abs((losses[0] - losses[1]) / 2e-5 - g[layer].flat[j]) < 1e-6
before = model.emp_loss(X.T, y.T)
fit(model, X, y, hyperparameters=Hyperparameters(epochs=30, batch_size=32, learning_rate=0.01, loss="mse"))
assert model.emp_loss(X.T, y.T) < 0.2 * before
place = Path("output.safetensors")
save_model(place, SavedModel(model))
loaded = load_model(place)
assert loaded.model.output == "exponential" and (loaded.model.predict(X.T) == model.predict(X.T)).all()
export_onnx(loaded, Path("output.onnx"))
session = onnxruntime.InferenceSession("output.onnx")
told = session.run(None, {session.get_inputs()[0].name: X})[0]
np.testing.assert_allclose(told, model.predict(X.T).T, rtol=1e-5)
"""
    environment = {**os.environ, "PYTHONPATH": str(changed), "TMPDIR": str(changed)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=changed)
    assert done.returncode == 0, done.stderr


def test_a_data_format_is_trained_on_and_predicted_for(changed):
    samples = changed / "mlcvkit/datasets/samples.py"
    text = samples.read_text()
    row = "def _read_lines(path: Path):\n    import polars\n\n    return polars.read_ndjson(path)\n\n\n"
    row += 'FORMATS[".ndj"] = _read_lines\n\n'
    samples.write_text(text.replace("_BY_SPREADSHEET = ", row + "_BY_SPREADSHEET = ", 1))
    try:
        lines = [json.dumps({"a": a, "b": a % 7, "buys": "yes" if a > 60 else "no"}) for a in range(120)]
        (changed / "people.ndj").write_text("\n".join(lines) + "\n")
        trained = json.loads(
            run(changed, "train", "people.ndj", "--target", "buys", "--epochs", "30", "--name", "lines", "--json")
        )
        assert trained["test"]["accuracy"] > 0.9
        assert run(changed, "predict", "runs/lines", "people.ndj").count("\n") == 121
        described = run(changed, "data", "describe", "people.ndj", "--target", "buys")
        assert "buys" in described and "number" in described
    finally:
        samples.write_text(text)


def test_a_search_tries_the_rows_that_are_searched(changed):
    code = "from mlcvkit.tuning import default_space; from mlcvkit import Experiment\n"
    code += "space = default_space(Experiment(data='moons'), 0)\nprint(space['activation'], space['optimizer'])"
    code += "\nprint(space['loss'])"
    environment = {**os.environ, "PYTHONPATH": str(changed)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "softsign" in done.stdout and "gelu" not in done.stdout and "rmsprop" not in done.stdout
    assert "sign_descent" in done.stdout and "cubic" in done.stdout


def test_an_estimator_and_the_page_have_the_rows(changed):
    code = """
import numpy as np
from mlcvkit import MLPClassifier
from mlcvkit.playground.controls import _equation, applies, controls
from mlcvkit.playground.experiments import CHOICES, Experiment
from mlcvkit.playground.networks import make_network
X = np.random.default_rng(0).normal(size=(200, 2)); y = (X[:, 0] > 0).astype(int)
MLPClassifier(activation="softsign", loss="cubic", initialization="tenth", schedule="linear",
              optimizer="sign_descent", threshold=0.01, epochs=3).fit(X, y)
choices = {"activation": "softsign", "initialization": "tenth", "schedule": "linear", "optimizer": "sign_descent"}
for control, choice in choices.items():
    assert choice in CHOICES[control], control
    print(repr(_equation(control, choice)))
print(controls()["threshold"])
trained = []
for threshold in (1e-6, 0.5):
    one = Experiment(data="moons", epochs=1).changed("optimizer", "sign_descent").changed("threshold", threshold)
    assert applies("threshold", one) and not applies("threshold", Experiment()) and f"--threshold {threshold}" in (
        one.command() + " --threshold 1e-06")
    network = make_network(one)
    network.fit(one)
    trained.append(network.mlp.W[0])
assert (trained[0] != trained[1]).any()
"""
    environment = {**os.environ, "PYTHONPATH": str(changed)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert r"\\frac{z}{1 + |z|}" in done.stdout
    assert "'label': 'Threshold', 'text': 'sign_descent: The size of a gradient that is small.'" in done.stdout
    assert r"\\mathrm{sign}(\\nabla L)" in done.stdout
