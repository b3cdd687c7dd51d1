import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from command import run
from soak import only_in_soak

ROOT = Path(__file__).parents[1]
EXAMPLES = [(ROOT / page).read_text() for page in ("README.md", "docs/python.md")]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def outputs(tmp_path):
    for example in re.findall(r"```python\n(.*?)```", "\n".join(EXAMPLES), re.S):
        result = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True)
        assert (result.returncode, result.stderr) == (0, "")
        yield result.stdout


def test_the_examples_of_the_readme_and_the_page_on_python_run_and_learn(tmp_path):
    trained, again, estimator, network = outputs(tmp_path)
    assert trained == again
    assert float(re.fullmatch(r"([\d.]+) \[[01]\]\n", trained).group(1)) > 0.85
    assert float(re.fullmatch(r"([\d.]+)%\n", estimator).group(1)) > 93
    accuracy, shape = re.fullmatch(r"([\d.]+)%, and the gradient of W1 is (\(.*\))\n", network).groups()
    assert float(accuracy) > 95 and shape == "(64, 784)"


@only_in_soak("its own cluster takes ten seconds to start and to end")
def test_the_example_of_the_page_on_clusters_runs_and_learns(tmp_path):
    example = re.search(r"```python\n(from mlcvkit.cluster.*?)```", (ROOT / "docs/cluster.md").read_text(), re.S).group(
        1
    )
    (tmp_path / "example.py").write_text(example)
    result = subprocess.run([sys.executable, tmp_path / "example.py"], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    loss, rounds, digits = re.fullmatch(r"([\d.]+) after (\d+) rounds\n\[([01 ]+)\]\n", result.stdout).groups()
    assert float(loss) < 0.69 and int(rounds) == 6 and len(digits.split()) == 5


def test_the_example_of_the_page_on_tuning_runs():
    example = re.search(r"```python\n(.*?)```", (ROOT / "docs/tuning.md").read_text(), re.S).group(1)
    result = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(r"8 of \d+ hyperparameters are searched\n\(32, 32\)\n", result.stdout)


@only_in_soak("each command is a process; test_cli_data.py has them all")
def test_the_commands_of_the_readme_run_as_written(tmp_path):
    lines = [line for line in EXAMPLES[0].splitlines() if line.startswith("mlcvlab ")]
    assert len(lines) == 6
    for line in lines:
        done = run(*shlex.split(line, comments=True)[1:], folder=tmp_path)
        assert done.returncode == 0, (line, done.stderr)
    assert (tmp_path / "answers.csv").is_file() and (tmp_path / "runs/first/model.onnx").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_a_page_names_is_there(page):
    for path in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        file = path.partition("#")[0]
        assert path.startswith("https://") or (page.parent / file).exists(), path
