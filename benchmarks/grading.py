"""Grade a class of 200 with notebooks, stop it in the middle by a kill, go on, and say how long it took.

Run with the environment of the tests: .venv/bin/python benchmarks/grading.py
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from mlcvkit.course.assignment import NOTEBOOK, reference_file, tree_files
from mlcvkit.course.mistakes import mistakes

ROOT = Path(__file__).parents[1]
CELLS = (
    """
import numpy as np
from mlcvkit import datasets
from mlcvlab.models.nn2 import NN2
from mlcvlab.optim.adam import Adam
data = datasets.mnist_parity()
train_X, train_y, test_X, test_y = data
""",
    """
model = NN2().initialize(784, 48, seed={seed})
rng = np.random.default_rng({seed})
for step in range(600):
    batch = rng.integers(len(train_X), size=128)
    gradients = model.emp_loss_grad(train_X[batch].T, train_y[None, batch])
    model.W = [w - 0.5 * g for w, g in zip(model.W, gradients)]
""",
    """
test_accuracy = np.mean((model.nn2(test_X.T)[0] >= 0.5) == (test_y == 1))
print(f"{{test_accuracy:.2%}}")
""",
)


def write_class(folder: Path, count: int) -> None:
    """Submissions with up to nine mistakes each, drawn from the catalogue, and a short notebook."""
    known = [*mistakes()]
    reference = {name: reference_file(name).read_bytes() for name in tree_files()}
    rng = np.random.default_rng(0)
    for i in range(count):
        files = dict(reference)
        for j in rng.choice(len(known), rng.integers(10), replace=False):
            with suppress(ValueError):  # another mistake stands in its place already
                files[known[j].file] = known[j].put_into(files[known[j].file].decode()).encode()
        code = [{"cell_type": "code", "source": cell.format(seed=i), "metadata": {}, "outputs": []} for cell in CELLS]
        files[NOTEBOOK] = json.dumps({"cells": code, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()
        for name, content in files.items():
            place = folder / f"student{i:03}" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--output", type=Path, help="keep the grades in this folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, output = Path(name), options.output or Path(name) / "grades"
        write_class(folder / "class", options.submissions)
        command = [sys.executable, "-m", "mlcvkit", "grade", str(folder / "class"), "-o", str(output), "--json"]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        while len(list((output / "submissions").glob("*.json"))) < options.submissions // 2:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kept = len(list((output / "submissions").glob("*.json")))
        half = time.perf_counter() - start
        grades = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        total = time.perf_counter() - start
        print(
            f"{len(grades)} submissions on {os.cpu_count()} cores in {total:.0f} s, "
            f"killed after {half:.0f} s with {kept} kept"
        )
        points = [grade["points"] for grade in grades]
        print(f"points from {min(points):g} to {max(points):g}, mean {sum(points) / len(points):.2f}")


if __name__ == "__main__":
    main()
