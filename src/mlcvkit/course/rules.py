"""The handout's rules: no file added, moved, removed or renamed, no signature changed, no neural-network library."""

import ast
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from mlcvkit.course.assignment import NOTEBOOK, Task, reference_file, tree_files

IMPORTERS = {"__import__", "import_module", "find_spec", "find_loader", "load_module", "run_module", "run_path"}
RUNNERS = {"exec", "eval", "compile", "run_cell", "run_line_magic", "run_cell_magic", "system", "popen"}


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


def _libraries(name: str, source: str, forbidden: Collection[str], depth: int = 0) -> Iterator[Violation]:
    """Imports of what is not allowed, by any spelling that the syntax tree shows."""
    for module, line in imported(source, depth):
        library = next(
            (library for library in forbidden if module == library or module.startswith(f"{library}.")), None
        )
        if library is not None:
            yield Violation("libraries", f"{name}, line {line}: {module} is a library that is not allowed")


def imported(source: str, depth: int = 0) -> list[tuple[str, int]]:
    """The modules that code imports, with their lines: by statements, by functions, in strings that are executed."""
    if name := _without_magics(source):
        source = name
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return _by_lines(source)
    found: list[tuple[str, int]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found += [(f"{node.module}.{alias.name}", node.lineno) for alias in node.names]
        elif isinstance(node, ast.Call):
            found += _called(node, depth)
    return found


def _called(node: ast.Call, depth: int) -> list[tuple[str, int]]:
    """What a call imports: its text is joined as far as it is constant."""
    function = node.func
    name = (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )
    texts = [text for argument in [*node.args, *(k.value for k in node.keywords)] if (text := _constant(argument))]
    if name in RUNNERS and depth < 3:
        return [(module, node.lineno) for text in texts for module, _ in imported(text, depth + 1)]
    indirect = isinstance(function, ast.Call | ast.Subscript) and any(
        "import" in (_constant(n) or "") for n in ast.walk(function) if isinstance(n, ast.expr)
    )
    return [(text, node.lineno) for text in texts] if name in IMPORTERS or indirect else []


def _constant(node: ast.expr) -> str | None:
    """The text of an expression of constants: joined, formatted, reversed, decoded."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        value = _folded(node)
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value if isinstance(value, str) else None


def _folded(node: ast.expr) -> str | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _constant(node.left), _constant(node.right)
        return None if left is None or right is None else left + right
    if isinstance(node, ast.JoinedStr):
        parts = [
            _constant(part.value) if isinstance(part, ast.FormattedValue) else _constant(part) for part in node.values
        ]
        return None if None in parts else "".join(part for part in parts if part is not None)
    if (
        isinstance(node, ast.Subscript)
        and (text := _constant(node.value))
        and ast.unparse(node.slice).replace(" ", "") == "::-1"
    ):
        return text[::-1]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        text = _constant(node.func.value)
        if (
            node.func.attr == "join"
            and text is not None
            and node.args
            and isinstance(node.args[0], ast.List | ast.Tuple)
        ):
            parts = [_constant(part) for part in node.args[0].elts]
            return None if None in parts else text.join(part for part in parts if part is not None)
        if node.func.attr in ("lower", "strip", "decode", "encode") and text is not None:
            return text.lower() if node.func.attr == "lower" else text.strip()
    return None


def _without_magics(source: str) -> str:
    """A notebook's code without the lines that are for IPython."""
    return "\n".join("pass" if line.lstrip().startswith(("%", "!")) else line for line in source.split("\n"))


def _by_lines(source: str) -> list[tuple[str, int]]:
    """The modules of the lines that begin like an import, of code that cannot be parsed."""
    found = []
    for number, line in enumerate(source.split("\n"), start=1):
        words = line.replace(",", " ").split()
        if len(words) > 1 and words[0] in ("import", "from"):
            found += [(word, number) for word in (words[1:] if words[0] == "import" else words[1:2])]
    return found


__all__ = ["NOTEBOOK", "Violation", "check_rules", "code_cells", "imported"]
