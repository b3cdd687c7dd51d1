"""Mistakes, each of which is a change of the reference's source, and the reference loaded with one of them.

They are described in ``mistakes.toml``. A function with a mistake returns what the changed reference returns.
"""

import ast
import builtins
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import CodeType, ModuleType
from typing import Any

from mlcvkit.course.assignment import read_assignment, reference_file
from mlcvkit.course.imports import parsed


@dataclass(frozen=True)
class Mistake:
    """A mistake in a function of the homework.

    Parameters
    ----------
    of
        The function.
    name
        The mistake's name, one of the function's.
    tells
        The text for the student.
    returns
        The expression that replaces the last return's value, which is ``right`` in it; or "".
    replace
        Texts of the function's file, and their replacements.
    reading
        The name in the rubric, if this is another reading of the handout; else "".
    costs
        The properties of its test that lose points.
    """

    of: str
    name: str
    tells: str
    returns: str
    replace: Mapping[str, str]
    reading: str
    costs: tuple[str, ...]

    @property
    def file(self) -> str:
        """The path of the function's file in ``hw1/``."""
        return _files()[self.of]

    def put_into(self, source: str) -> str:
        """The reference's source of the file with the mistake in it.

        Raises
        ------
        ValueError
            If the source does not have each of the texts once.
        """
        for correct, wrong in self.replace.items():
            if source.count(correct) != 1:
                raise ValueError(
                    f"{self.of}.{self.name}: {correct!r} stands {source.count(correct)} times in {self.file}"
                )
            before = source.partition(correct)[0].rpartition("\n")[2]
            indent = before[: len(before) - len(before.lstrip())]
            wrong = wrong.removeprefix("\n").replace("\n", f"\n{indent}")
            source = source.replace(correct, wrong.removesuffix(indent) if wrong.endswith(f"\n{indent}") else wrong)
        return _with_return(source, self.of, self.returns) if self.returns else source


def mistakes_of(function: str) -> Mapping[str, Mistake]:
    """The mistakes of a function by their names, in the order of the search."""
    return _catalogue()[function]


def mistakes() -> Iterator[Mistake]:
    """All mistakes."""
    for of_function in _catalogue().values():
        yield from of_function.values()


@cache
def _catalogue() -> dict[str, dict[str, Mistake]]:
    groups = tomllib.loads(files(__package__).joinpath("mistakes.toml").read_text(encoding="utf-8"))
    found: dict[str, dict[str, Mistake]] = {name: {} for name in _files()}
    for group, entries in groups.items():
        for name, entry in entries.items():
            costs = entry["costs"]
            for of in costs if isinstance(costs, dict) else entry.get("of", [group]):
                found[of][name] = Mistake(
                    of,
                    name,
                    entry["tells"],
                    entry.get("returns", ""),
                    entry.get("replace", {}),
                    entry.get("reading", ""),
                    tuple(costs[of] if isinstance(costs, dict) else costs),
                )
    return found


@cache
def _files() -> dict[str, str]:
    return {task.function.rpartition(".")[2]: task.file for task in read_assignment().tasks}


def mistaken(mistake: Mistake) -> Any:
    """The function with a mistake; for a method of NN2 the class."""
    return _mistaken(mistake.of, mistake.name)


@cache
def _mistaken(of: str, name: str) -> Any:
    mistake = mistakes_of(of)[name]
    source = reference_file(mistake.file).read_text(encoding="utf-8")
    module = _load_apart(_module_of(mistake.file), {mistake.file: mistake.put_into(source)})
    return getattr(module, of) if hasattr(module, of) else module.NN2


def _module_of(file: str) -> str:
    return file.removesuffix(".py").replace("/", ".")


def _load_apart(name: str, changed: Mapping[str, str]) -> ModuleType:
    """A module of the reference, loaded together with all that it imports, separate from the real one.

    Parameters
    ----------
    name
        The module.
    changed
        Other sources of some files.
    """
    loaded: dict[str, ModuleType] = {}

    def module(name: str) -> ModuleType:
        if name not in loaded:
            file = f"{name.replace('.', '/')}.py"
            if not reference_file(file).is_file():
                file = f"{name.replace('.', '/')}/__init__.py"
            loaded[name] = ModuleType(name)
            loaded[name].__dict__["__builtins__"] = {**vars(builtins), "__import__": import_apart}
            exec(_compiled(file, changed.get(file)), loaded[name].__dict__)
        return loaded[name]

    def import_apart(name: str, *args: Any, **options: Any) -> ModuleType:
        # the reference only has "from module import name", and imports no module by its package
        return module(name) if name.split(".")[0] == "mlcvlab" else builtins.__import__(name, *args, **options)

    return module(name)


def _compiled(file: str, changed: str | None) -> CodeType:
    return _compiled_file(file) if changed is None else compile(changed, file, "exec")


@cache
def _compiled_file(file: str) -> CodeType:
    return compile(reference_file(file).read_bytes(), file, "exec")


def _with_return(source: str, function: str, expression: str) -> str:
    """The source with another value of a function's last return, which is called ``right`` in it."""
    definitions = [node for node in ast.walk(parsed(source)) if getattr(node, "name", None) == function]
    last = definitions[-1].body[-1]  # type: ignore[attr-defined]
    value = ast.get_source_segment(source, last.value)
    lines = source.splitlines()
    indent = " " * last.col_offset
    lines[last.lineno - 1 : last.end_lineno] = [f"{indent}right = {value}", f"{indent}return {expression}"]
    return "\n".join(lines) + "\n"
