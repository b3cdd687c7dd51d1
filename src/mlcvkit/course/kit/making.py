"""The package that students install: the digits, and a check of their work against known results, without the solution.

``check.py``, ``tree.py`` and ``datasets.py`` are copied and need NumPy only; the results are computed here.
"""

import json
from importlib.resources import files
from typing import Any

import numpy as np

from mlcvkit.course.assignment import Assignment, reference_file, tree_files
from mlcvkit.course.checks import Numbers, Table, equation
from mlcvkit.course.checks.components import COMPONENTS_CHECKED, component_table
from mlcvkit.course.checks.networks import empirical_table, gradient_table, of_the_footnote, prediction_table
from mlcvkit.course.checks.optimizers import SHAPES, flat
from mlcvkit.course.imports import parsed
from mlcvkit.course.kit.check import Model
from mlcvkit.course.kit.tree import signatures
from mlcvkit.extras import own_version
from mlcvlab.models.nn2 import NN2
from mlcvlab.optim.adam import Adam

PUBLIC_SEEDS = (1, 2, 3)
"""The seeds of the inputs that students know; the grader uses others."""
MNIST = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz", "ATTRIBUTION.md")  # fmt: skip
PROJECT = """[build-system]
requires = ["setuptools>=68"]
build-backend = "setuptools.build_meta"

[project]
name = "mlcvlab-students"
version = "{version}"
description = "The digits and the check of a homework on neural networks"
requires-python = ">=3.11"
dependencies = ["numpy>=1.26"]

[project.scripts]
mlcvlab = "mlcvkit.check:run"

[tool.setuptools]
packages = ["mlcvkit", "mlcvkit.datasets"]

[tool.setuptools.package-data]
mlcvkit = ["tables.json"]
"mlcvkit.datasets" = ["*.gz", "*.md"]
"""


def kit_files(assignment: Assignment) -> dict[str, bytes]:
    """The files of the students' package, by their paths."""
    here = files(__package__)
    digits = files("mlcvkit") / "data" / "mnist"
    return {
        "pyproject.toml": PROJECT.format(version=own_version()).encode(),
        "mlcvkit/__init__.py": b'"""What students of the homework install."""\n',
        "mlcvkit/check.py": (here / "check.py").read_bytes(),
        "mlcvkit/datasets/__init__.py": (here / "datasets.py").read_bytes(),
        "mlcvkit/tree.py": (here / "tree.py").read_bytes(),
        "mlcvkit/tables.json": json.dumps({"functions": _tables(assignment), **_rules(assignment)}).encode(),
        **{f"mlcvkit/datasets/{name}": (digits / name).read_bytes() for name in MNIST},
    }


def _rules(assignment: Assignment) -> dict[str, Any]:
    """The files of the homework, and the arguments of its functions."""
    of_reference = {task.file: signatures(reference_file(task.file).read_bytes(), parsed) for task in assignment.tasks}
    wanted: dict[str, dict[str, str]] = {file: {} for file in of_reference}
    for task in assignment.tasks:
        wanted[task.file][task.function] = of_reference[task.file][task.function]
    return {"files": list(tree_files()), "signatures": wanted}


def _tables(assignment: Assignment) -> list[dict[str, Any]]:
    """The right results of each function, without how they are computed."""
    tasks = {task.function.rpartition(".")[2]: task for task in assignment.tasks}
    made = {
        **{name: [component_table(name, seed) for seed in PUBLIC_SEEDS] for name in COMPONENTS_CHECKED},
        "nn2": [prediction_table(seed) for seed in PUBLIC_SEEDS],
        "grad": [gradient_table(seed) for seed in PUBLIC_SEEDS],
        "emp_loss_grad": [empirical_table(seed) for seed in PUBLIC_SEEDS],
    }
    rows = []
    for name, tables in made.items():
        reference = COMPONENTS_CHECKED[name].reference if name in COMPONENTS_CHECKED else getattr(NN2, name)
        cases = [case for table in tables for case in _cases(name, table, assignment)]
        rows.append({**_named(name, tasks[name].file), "equation": equation(reference), "cases": cases})
    of_sgd = [_sgd(seed, assignment) for seed in PUBLIC_SEEDS]
    rows.append({**_named("SGD", tasks["SGD"].file), "equation": "", "cases": of_sgd})
    of_adam = [case for seed in PUBLIC_SEEDS for case in _adam(seed, assignment)]
    return [*rows, {**_named("Adam", tasks["Adam"].file), "equation": equation(Adam), "cases": of_adam}]


def _named(name: str, file: str) -> dict[str, str]:
    return {"function": name, "module": file.removesuffix(".py").replace("/", ".")}


def _cases(name: str, table: Table, assignment: Assignment) -> list[dict[str, Any]]:
    """The cases; ``also`` has the results of other readings of the handout that cost nothing."""
    free = _free(table, assignment)
    component = COMPONENTS_CHECKED.get(name)
    rows = []
    for i, (case, expected) in enumerate(zip(table.cases, table.expected, strict=True)):
        rtol, atol = (1e-5, 1e-7) if component is None else component.tolerance(case)
        if name in ("grad", "emp_loss_grad"):
            atol += of_the_footnote(case) * float(np.abs(expected).max())
        row = {"property": case.property, "args": _plain(case.args), "expected": expected.tolist()}
        row |= {"rtol": rtol, "atol": atol, "own": _plain(getattr(case, "own", None))}
        row["also"] = [number.tolist() for number in (own[i] for own in free) if number is not None]
        if component is not None and component.is_open(case.property):
            row["least"] = component.least_when_wrong
        rows.append(row)
    return rows


def _quadratic(rng: np.random.Generator) -> dict[str, Any]:
    """A separable risk, and initial weights."""
    curvature, target, start = ([rng.uniform(0.5, 2, shape) for shape in SHAPES] for _ in range(3))
    return {"curvature": _plain(curvature), "target": _plain(target), "start": _plain(start)}


def _free(table: Table, assignment: Assignment) -> list[Numbers]:
    """The results by each other reading of the handout that costs nothing."""
    return [numbers for mistake, numbers in table.mistakes if assignment.variants.get(mistake.reading) == 0]


def _sgd(seed: int, assignment: Assignment) -> dict[str, Any]:
    zeroed = {"zeroed": assignment.variants["sgd_zeroed"] == 0}
    options = {"options": {"lr": 0.1, "R": 30}}
    return {"property": "steps", **_quadratic(np.random.default_rng([seed, 9])), **options, **zeroed}


def _adam(seed: int, assignment: Assignment) -> list[dict[str, Any]]:
    values = _quadratic(np.random.default_rng([seed, 10]))
    X, y = np.zeros((SHAPES[0][1], 2)), np.zeros((1, 2))
    several: tuple[dict[str, Any], ...] = (
        {"alpha": 0.01, "R": 1},
        {"alpha": 0.1, "beta1": 0.6, "beta2": 0.8, "delta": 0.05, "R": 5},
    )
    table = Table("Adam", several, lambda adam, options: flat(adam(Model(values), X, y, **options)), Adam)
    free = _free(table, assignment)
    return [
        {"property": "steps", **values, "options": options, "expected": table.expected[i].tolist()}
        | {"also": [number.tolist() for numbers in free if (number := numbers[i]) is not None]}
        for i, options in enumerate(several)
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.tolist() if isinstance(value, np.ndarray) else value
