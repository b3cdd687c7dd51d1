import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text()


def outputs(tmp_path):
    for example in re.findall(r"```python\n(.*?)```", README, re.S):
        result = subprocess.run(
            [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert (result.returncode, result.stderr) == (0, "")
        yield result.stdout


def test_the_examples_of_the_readme_run_and_learn(tmp_path):
    estimator, network = outputs(tmp_path)
    assert float(re.fullmatch(r"([\d.]+)%\n", estimator).group(1)) > 93
    accuracy, shape = re.fullmatch(r"([\d.]+)%, and the gradient of W1 is (\(.*\))\n", network).groups()
    assert float(accuracy) > 95 and shape == "(64, 784)"


def test_every_path_the_readme_names_is_there():
    root = Path(__file__).parents[1]
    for path in re.findall(r"\]\(([^)]+)\)", README):
        assert (root / path).exists(), path
