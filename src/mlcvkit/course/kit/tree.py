"""The rules on files and signatures, for the grader and for the students' check, in plain Python.

The caller supplies the parser, because the grader's threads must not parse at the same time.
"""

import ast
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

MOST_NAMED = 5
IGNORED = {"__pycache__", "__MACOSX", "venv", "site-packages", "build", "dist", "Thumbs.db", "desktop.ini"}
GIVEN = {"assignment.md", "readme.md", "readme.txt", "readme", "license"}
"""What the handout or a platform has beside the homework."""
Parse = Callable[[str | bytes], ast.Module]


def is_ignored(place: str) -> bool:
    """Whether a path was left behind by a machine."""
    parts = PurePosixPath(place.replace("\\", "/")).parts
    return (
        bool(IGNORED & set(parts))
        or any((part[:1] == "." and part not in (".", "..")) or part.endswith((".egg-info", "~")) for part in parts)
        or place.endswith((".pyc", ".pyo", ".swp", ".swo", ".bak"))
        or (bool(parts) and parts[-1].lower() in GIVEN)
    )


def file_problems(files: Collection[str], expected: Collection[str]) -> Iterator[str]:
    """The missing and the added files of a homework.

    Parameters
    ----------
    files
        The paths of a submission's files in ``hw1/``.
    expected
        The paths of the homework's files.
    """
    missing, added = sorted(set(expected) - set(files)), sorted(set(files) - set(expected))
    if len(missing) > MOST_NAMED:
        yield f"{len(missing)} files of the homework are missing, {', '.join(missing[:3])} among them"
    else:
        yield from (f"{name} is missing" for name in missing)
    if len(added) > MOST_NAMED:
        yield f"{len(added)} files were added, {', '.join(added[:3])} among them"
    else:
        yield from (f"{name} was added: the homework has no such file" for name in added)


def signatures(source: bytes, parse: Parse) -> dict[str, str]:
    """The arguments of a module's functions and methods, as Python writes them."""
    return {name: ast.unparse(arguments) for name, arguments in _functions(parse(source))[0].items()}


def signature_problems(file: str, source: bytes, right: Mapping[str, str], parse: Parse) -> Iterator[str]:
    """The missing functions of a file and those with other arguments; nothing if it cannot be parsed.

    Parameters
    ----------
    file
        The path of the file.
    source
        Its content.
    right
        The right arguments of its functions, by name.
    parse
        The parser.
    """
    try:
        own, assigned = _functions(parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # its functions fail for this reason
    for name, arguments in right.items():
        if name in assigned:
            continue
        if name not in own:
            yield f"{name} is missing in {file}"
            continue
        [wanted] = _functions(parse(f"def f({arguments}): ..."))[0].values()
        try:
            problem = _difference(own[name], wanted)
        except RecursionError:
            problem = f"the arguments cannot be read, and were ({arguments})"
        if problem:
            yield f"{name}: {problem}"


def _functions(tree: ast.Module) -> tuple[dict[str, ast.arguments], set[str]]:
    """The arguments of a module's functions and methods, also inherited ones, and the other names that it assigns."""
    found: dict[str, ast.arguments] = {}
    assigned: set[str] = set()
    for node in _statements(tree.body):
        if not isinstance(node, ast.ClassDef):
            _add_definition(node, "", found, assigned)
            continue
        for base in (base.id for base in node.bases if isinstance(base, ast.Name)):
            inherited = {name.removeprefix(f"{base}.") for name in (*found, *assigned) if name.startswith(f"{base}.")}
            found |= {f"{node.name}.{name}": found[f"{base}.{name}"] for name in inherited if f"{base}.{name}" in found}
            assigned |= {f"{node.name}.{name}" for name in inherited if f"{base}.{name}" in assigned}
        for inner in _statements(node.body):
            _add_definition(inner, f"{node.name}.", found, assigned)
    return found, assigned


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a body, with those under an if, a try or a with."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            handlers = getattr(node, "handlers", ())
            for part in (node.body, *(handler.body for handler in handlers), getattr(node, "orelse", ())):
                yield from _statements(part)


def _add_definition(node: ast.stmt, prefix: str, found: dict[str, ast.arguments], assigned: set[str]) -> None:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        found[prefix + node.name] = node.args
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        assigned |= {prefix + ast.unparse(target) for target in targets}
    elif isinstance(node, ast.Import | ast.ImportFrom):
        assigned |= {prefix + (alias.asname or alias.name) for alias in node.names}


def _difference(own: ast.arguments, right: ast.arguments) -> str | None:
    """How a signature differs for callers; another default, and more arguments with defaults, are no difference."""
    mine, theirs = (_positional(arguments) for arguments in (own, right))
    kept = list(zip(mine, theirs, strict=False))
    is_same = len(mine) >= len(theirs) and all(a == b and (m or not t) for (a, m), (b, t) in kept)
    if not is_same or not all(has_default for _, has_default in mine[len(theirs) :]):
        return f"the arguments are ({_written(own)}) and were ({_written(right)})"
    given = {argument.arg for argument in own.kwonlyargs} | {name for name, _ in mine}
    lost = [argument.arg for argument in right.kwonlyargs if argument.arg not in given]
    if lost and own.kwarg is None:
        return f"the argument {lost[0]} is missing"
    needed = [a.arg for a, default in zip(own.kwonlyargs, own.kw_defaults, strict=True) if default is None]
    return f"the argument {needed[0]} was added, and has no default" if needed else None


def _positional(arguments: ast.arguments) -> list[tuple[str, bool]]:
    """The positional arguments, each with whether it has a default."""
    every = [*arguments.posonlyargs, *arguments.args]
    first = len(every) - len(arguments.defaults)
    more = [(f"*{arguments.vararg.arg}", True)] if arguments.vararg else []
    return [(argument.arg, i >= first) for i, argument in enumerate(every)] + more


def _written(arguments: ast.arguments) -> str:
    every = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(every) - len(arguments.defaults)) + list(arguments.defaults)
    named = [
        a.arg if default is None else f"{a.arg}={ast.unparse(default)}"
        for a, default in zip(every, defaults, strict=True)
    ]
    return ", ".join(named + ([f"*{arguments.vararg.arg}"] if arguments.vararg else []))
