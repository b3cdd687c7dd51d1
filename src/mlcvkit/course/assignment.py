"""The homework as data: problems, points, tasks and limits, by default those in ``assignment.toml``."""

import math
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import mlcvlab
from mlcvkit.errors import InputError
from mlcvkit.files import read_toml

PACKAGE = Path(__file__).parents[1]
"""The folder of the package mlcvkit."""

NOTEBOOK = "HW1_MNIST_NN2.ipynb"
SCRIPTS = ("test_basis.py", "test_activations.py", "test_losses.py")


@dataclass(frozen=True)
class Part:
    """A part of a problem, whose points are divided among its tests by their weights."""

    name: str
    points: float
    text: str
    tests: Mapping[str, float]

    def points_of(self, test: str) -> float:
        return self.points * self.tests[test] / sum(self.tests.values())


@dataclass(frozen=True)
class Problem:
    number: int
    name: str
    parts: tuple[Part, ...]

    @property
    def points(self) -> float:
        return sum(part.points for part in self.parts)


@dataclass(frozen=True)
class Task:
    """A function that a student writes: its file, its problem, and the text of the handout."""

    file: str
    function: str
    problem: int
    text: str


LISTS = ("goals", "rules", "errata", "given", "unshown")
TABLES = ("properties", "variants", "rules_cost", "limits", "accuracy")
"""What a rubric has besides its problems, tasks and libraries."""


@dataclass(frozen=True)
class Assignment:
    """The whole homework."""

    title: str
    due: str
    goals: tuple[str, ...]
    rules: tuple[str, ...]
    errata: tuple[str, ...]
    given: tuple[str, ...]
    unshown: tuple[Mapping[str, Any], ...]
    problems: tuple[Problem, ...]
    tasks: tuple[Task, ...]
    properties: Mapping[str, float]
    variants: Mapping[str, float]
    rules_cost: Mapping[str, float]
    limits: Mapping[str, float]
    accuracy: Mapping[str, float]
    forbidden: tuple[str, ...]

    @property
    def points(self) -> float:
        return sum(problem.points for problem in self.problems)


def read_assignment(
    path: Path | None = None,
    *,
    title: str | None = None,
    due: str | None = None,
    points: Sequence[float] = (),
    only: Collection[int] = (),
) -> Assignment:
    """The assignment of a TOML file laid over the handout's own; the handout's own where ``path`` is None.

    Arguments: ``title`` and ``due`` in place of the file's; ``points`` of each problem, which scale its parts';
    ``only`` the problems of these numbers.
    Raises: InputError if the file cannot be read, is not TOML, or has keys that this homework does not have.
    """
    defaults = tomllib.loads(files(__package__).joinpath("assignment.toml").read_text(encoding="utf-8"))
    values = defaults if path is None else _laid_over(defaults, read_toml(path, f"the rubric {path}"), str(path))
    try:
        assignment = _from_values(values)
        _require_sound(assignment, {test for p in defaults["problem"] for part in p["part"] for test in part["tests"]})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else error
        raise InputError(f"the rubric {path} cannot be used: {reason}") from None
    if points:
        assignment = _with_points(assignment, points)
    if only:
        numbers = [problem.number for problem in assignment.problems]
        unknown = sorted(set(only) - set(numbers))
        if unknown:
            raise InputError(f"there is no problem {unknown[0]}; choose from {', '.join(map(str, numbers))}")
        assignment = replace(assignment, problems=tuple(p for p in assignment.problems if p.number in only))
    return replace(assignment, title=assignment.title if title is None else title, due=due or assignment.due)


def _require_sound(assignment: Assignment, known_tests: Collection[str]) -> None:
    numbers = [problem.number for problem in assignment.problems]
    if len(set(numbers)) != len(numbers):
        raise ValueError(f"two problems have one number: {numbers}")
    for part in (part for problem in assignment.problems for part in problem.parts):
        if not 0 <= part.points < math.inf or not part.tests or not all(0 < w < math.inf for w in part.tests.values()):
            raise ValueError(f"the part {part.name!r} needs points of 0 or more, and tests with weights above 0")
        unknown = sorted(set(part.tests) - set(known_tests))
        if unknown:
            raise ValueError(f"there is no test {unknown[0]!r}; there are {', '.join(sorted(known_tests))}")
    for table in TABLES:
        for name, value in getattr(assignment, table).items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise ValueError(f"{table}.{name} must be a number of 0 or more; got {value!r}")
            if table in ("variants", "accuracy") and value > 1:
                raise ValueError(f"{table}.{name} is a share, from 0 to 1; got {value!r}")
            if table == "limits" and value == 0:
                raise ValueError(f"{table}.{name} must be above 0; got {value!r}")


def _with_points(assignment: Assignment, points: Sequence[float]) -> Assignment:
    if len(points) != len(assignment.problems) or not all(0 <= value < math.inf for value in points):
        raise InputError(
            f"--points needs {len(assignment.problems)} numbers of 0 or more, one a problem; got "
            f"{', '.join(f'{value:g}' for value in points)}"
        )
    problems = tuple(
        replace(
            problem, parts=tuple(replace(part, points=part.points * value / problem.points) for part in problem.parts)
        )
        for problem, value in zip(assignment.problems, points, strict=True)
    )
    return replace(assignment, problems=problems)


def _laid_over(base: dict[str, Any], over: dict[str, Any], path: str, of: str = "") -> dict[str, Any]:
    unknown = sorted(set(over) - set(base))
    if unknown:
        raise InputError(f"the rubric {path} has {of}{unknown[0]!r}; there are {', '.join(sorted(base))}")
    merged = dict(base)
    for name, value in over.items():
        table = isinstance(base[name], dict)
        if table != isinstance(value, dict):
            raise InputError(f"the rubric {path}: {of}{name} must be {'a table' if table else 'a value, not a table'}")
        merged[name] = _laid_over(base[name], value, path, f"{of}{name}.") if table else value
    return merged


def _from_values(values: Mapping[str, Any]) -> Assignment:
    problems = tuple(
        Problem(
            int(problem["number"]),
            str(problem["name"]),
            tuple(
                Part(str(part["name"]), float(part["points"]), str(part.get("text", "")), dict(part["tests"]))
                for part in problem["part"]
            ),
        )
        for problem in values["problem"]
    )
    tasks = tuple(
        Task(file, function, int(number), str(text))
        for file, functions in values["tasks"].items()
        for function, (number, text) in functions.items()
    )
    plain: dict[str, Any] = {name: tuple(values[name]) for name in LISTS} | {name: values[name] for name in TABLES}
    return Assignment(
        title=str(values["title"]),
        due=str(values["due"]),
        problems=problems,
        tasks=tasks,
        forbidden=tuple(values["libraries"]["forbidden"]),
        **plain,
    )


def reference_file(name: str) -> Path:
    """A file of the reference solution, given by its path in ``hw1/``: in the checkout or the installed package."""
    package = Path(mlcvlab.__file__).parent
    if name.startswith("mlcvlab/"):
        return package.parent / name
    beside = package.parent / name
    return beside if beside.is_file() else PACKAGE / "data" / "hw1" / name


def tree_files() -> tuple[str, ...]:
    """The paths of the homework's files in ``hw1/``."""
    package = Path(mlcvlab.__file__).parent
    modules = sorted(path.relative_to(package.parent).as_posix() for path in package.rglob("*.py"))
    return (*modules, *SCRIPTS, NOTEBOOK)
