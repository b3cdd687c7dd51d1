"""The handout's rules: no file added, moved, removed or renamed, no signature changed, no neural-network library."""

import ast
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from mlcvkit.course.assignment import Task, reference_file, tree_files
from mlcvkit.course.imports import imported


@dataclass(frozen=True)
class Violation:
    """A rule that was broken, and how."""

    rule: str
    message: str


def check_rules(files: Mapping[str, bytes], tasks: Collection[Task], forbidden: Collection[str]) -> list[Violation]:
    """What in a submission breaks the rules."""
    violations = [*_files(files), *_signatures(files, tasks)]
    for name in sorted(files):
        if name.endswith(".py"):
            violations += _libraries(name, _text(files[name]), forbidden)
        elif name.endswith(".ipynb"):
            violations += _libraries(name, "\n".join(code_cells(files[name])), forbidden)
    return list(dict.fromkeys(violations))


def _text(content: bytes) -> str:
    return content.decode("utf-8", errors="replace")


def _files(files: Mapping[str, bytes]) -> Iterator[Violation]:
    expected = set(tree_files())
    missing, added = sorted(expected - set(files)), sorted(set(files) - expected)
    for name in missing:
        same = [other for other in added if other.rpartition("/")[2] == name.rpartition("/")[2]]
        where = f"; there is {same[0]}: was it moved?" if same else ""
        yield Violation("files", f"{name} is missing{where}")
    for name in added:
        yield Violation("files", f"{name} was added: the homework has no such file")


def _signatures(files: Mapping[str, bytes], tasks: Collection[Task]) -> Iterator[Violation]:
    for file in dict.fromkeys(task.file for task in tasks):
        if file not in files:
            continue
        try:
            own = _functions(ast.parse(_text(files[file])))
        except (SyntaxError, ValueError, RecursionError) as error:
            yield Violation("syntax", f"{file} is not Python: {error}")
            continue
        right = _functions(ast.parse(reference_file(file).read_text(encoding="utf-8")))
        for task in tasks:
            if task.file != file:
                continue
            if task.function not in own:
                yield Violation("signatures", f"{task.function} is missing in {file}")
            elif problem := _difference(own[task.function], right[task.function]):
                yield Violation("signatures", f"{task.function}: {problem}")


def _functions(tree: ast.Module) -> dict[str, ast.arguments]:
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = node.args
        elif isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
                    found[f"{node.name}.{method.name}"] = method.args
    return found


def _difference(own: ast.arguments, right: ast.arguments) -> str | None:
    """How a signature differs in what callers see; a keyword of one's own with a default is no difference."""
    mine, theirs = (_positional(arguments) for arguments in (own, right))
    if mine != theirs:
        return f"the arguments are ({', '.join(mine)}) and were ({', '.join(theirs)})"
    given = {argument.arg for argument in own.kwonlyargs}
    lost = [argument.arg for argument in right.kwonlyargs if argument.arg not in given]
    if lost and own.kwarg is None:
        return f"the argument {lost[0]} is missing"
    needed = [a.arg for a, default in zip(own.kwonlyargs, own.kw_defaults, strict=True) if default is None]
    return f"the argument {needed[0]} was added, and has no default" if needed else None


def _positional(arguments: ast.arguments) -> list[str]:
    every = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(every) - len(arguments.defaults)) + list(arguments.defaults)
    named = [
        a.arg if default is None else f"{a.arg}={ast.unparse(default)}"
        for a, default in zip(every, defaults, strict=True)
    ]
    return named + ([f"*{arguments.vararg.arg}"] if arguments.vararg else [])


def code_cells(content: bytes) -> list[str]:
    """The code of a notebook's cells; none where it is no notebook."""
    try:
        cells = json.loads(content)["cells"]
        sources = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
        return ["".join(source) if isinstance(source, list) else str(source) for source in sources]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def _libraries(name: str, source: str, forbidden: Collection[str]) -> Iterator[Violation]:
    for module, line in imported(source):
        library = next(
            (library for library in forbidden if module == library or module.startswith(f"{library}.")), None
        )
        if library is not None:
            yield Violation("libraries", f"{name}, line {line}: {library} is a library that is not allowed")
