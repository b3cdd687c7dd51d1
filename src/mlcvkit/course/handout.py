"""The students' files, made from the reference: the same names, signatures and docstrings, without bodies."""

import ast
import sys
import textwrap
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import nbformat

from mlcvkit.course.assignment import NOTEBOOK, SCRIPTS, Assignment, Task, reference_file, tree_files
from mlcvkit.course.imports import parsed
from mlcvkit.course.rendering import TEMPLATES
from mlcvkit.errors import InputError
from mlcvkit.storage import write_whole

LINE = 120
LIKED = {
    "NumPy": "numpy", "SciPy": "scipy", "pandas": "pandas", "Matplotlib": "matplotlib", "scikit-learn": "scikit-learn",
    "tqdm": "tqdm",
}  # fmt: skip
PROMPT = "Your code here."


def write_handout(
    folder: Path, assignment: Assignment, *, solved: Collection[int] = (), kit: bool = False
) -> list[Path]:
    """Write the homework for students: ``hw1/`` without its solution, and the assignment.

    The same arguments give the same bytes. Existing files with the same content are left alone.

    Arguments: ``folder``, which is created if it is missing; ``solved``, the numbers of problems whose solution is
    included; ``kit``, whether to write the package that students install as well. Returns: the files. Raises:
    InputError if there is no such problem, or a file exists with another content.
    """
    numbers = {problem.number for problem in assignment.problems}
    unknown = sorted(set(solved) - numbers)
    if unknown:
        raise InputError(f"there is no problem {unknown[0]}; choose from {', '.join(map(str, sorted(numbers)))}")
    contents = handout(assignment, solved, kit=kit)
    if kit:
        from mlcvkit.course.kit.making import kit_files

        contents |= {f"kit/{name}": content for name, content in kit_files(assignment).items()}
    for name, content in contents.items():
        place = folder / name
        if place.exists() and (not place.is_file() or place.read_bytes() != content):
            raise InputError(f"{place} is there already and says something else: remove it, or choose another folder")
    for name, content in contents.items():
        place = folder / name
        if not place.exists():
            _make_folder(place.parent)
            write_whole(place, content)
    return [folder / name for name in contents]


def handout(assignment: Assignment, solved: Collection[int] = (), *, kit: bool = False) -> dict[str, bytes]:
    """The files of the homework, by their paths."""
    sources = {
        name: reference_file(name).read_text(encoding="utf-8") for name in tree_files() if name.startswith("mlcvlab/")
    }
    for unshown in assignment.unshown:
        if unshown["problem"] not in solved:
            sources[unshown["file"]] = _replaced(sources[unshown["file"]], unshown["replace"], unshown["by"])
    modules = students_modules(sources, assignment, solved)
    contents = {f"hw1/{name}": text.encode() for name, text in modules.items()}
    contents |= {f"hw1/{name}": reference_file(name).read_bytes() for name in SCRIPTS}
    notebook = reference_file(NOTEBOOK).read_text(encoding="utf-8")
    contents[f"hw1/{NOTEBOOK}"] = (notebook if 4 in solved else students_notebook(notebook)).encode()
    contents["ASSIGNMENT.md"] = as_markdown(assignment, solved, kit=kit).encode()
    return contents


def _replaced(source: str, old: str, new: str) -> str:
    """The source with a line replaced; InputError if it does not have the line, which it must not show."""
    if old not in source:
        raise InputError(f"the assignment replaces {old!r}, which the reference does not have")
    return source.replace(old, new)


def as_markdown(assignment: Assignment, solved: Collection[int] = (), *, kit: bool = False) -> str:
    """The assignment's text."""
    template = TEMPLATES.get_template("assignment.md")
    return template.render(assignment=assignment, solved=solved, kit=kit, installed=_installed())


def _installed() -> list[str]:
    """What submissions run with here: Python, NumPy, and the installed ones of the libraries that students like."""
    found = [f"Python {sys.version_info.major}.{sys.version_info.minor}"]
    for name, library in LIKED.items():
        with suppress(PackageNotFoundError):
            found.append(f"{name} {version(library)}")
    return found


def students_notebook(text: str) -> str:
    """The notebook with each code cell reduced to its prompt, and without text that gives results away.

    The metadata of a cell has its replacement, "handout", or says that it is left out, "omit".
    """
    notebook = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    notebook.cells = [cell for cell in notebook.cells if not cell.metadata.get("omit")]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = "\n".join(f"# {line}" for line in textwrap.wrap(cell.metadata.get("handout", PROMPT), 100))
            cell.outputs, cell.execution_count = [], None
        else:
            cell.source = cell.metadata.get("handout", cell.source)
        cell.metadata = {}
    text = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    return f"{text}\n"


def students_modules(sources: dict[str, str], assignment: Assignment, solved: Collection[int] = ()) -> dict[str, str]:
    """Each module with the bodies of its tasks replaced, and without what is no longer used.

    What has no task stays if the rest uses it, such as constructors and tables, or if the assignment says so, such as
    checks of arguments.
    """
    tasks = assignment.tasks
    by_file = {
        name: {task.function: task for task in tasks if task.file == name and task.problem not in solved}
        for name in sources
    }
    codes = {name: _stubbed(name, source, by_file[name]) for name, source in sources.items()}
    exported = _tasks_and_tables(sources, tasks) | set(assignment.given)
    while True:
        used = exported | {name for code in codes.values() for name in _imported_from_tree(code)}
        pruned = {name: _pruned(code, frozenset(used), frozenset(exported)) for name, code in codes.items()}
        if pruned == codes:
            return {name: _with_numpy(code) if by_file[name] else code for name, code in codes.items()}
        codes = pruned


def _with_numpy(code: str) -> str:
    """A module that imports NumPy, which a solution may need even if the reference does not."""
    typing = "import numpy.typing as npt\n"
    return code if "import numpy as np\n" in code else code.replace(typing, f"import numpy as np\n{typing}", 1)


def _tasks_and_tables(sources: dict[str, str], tasks: Iterable[Task]) -> set[str]:
    """What stays even if no code uses it: what the handout asks for, and constants and tables."""
    names = {"np"} | {part for task in tasks for part in task.function.split(".")}
    defined = {_defined(node) for source in sources.values() for node in parsed(source).body}
    return names | {name for name in defined if name is not None and name.isupper()}


def _defined(statement: ast.stmt) -> str | None:
    """The name that a statement defines, if it is one."""
    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.Assign(targets=[ast.Name(id=name), *_]):
            return name
    return None


def _edited(source: str, edits: dict[tuple[int, int], list[str]]) -> str:
    """The source with other lines in place of some: from one to another, both included, counted from 1."""
    lines = source.splitlines()
    for (first, last), new in sorted(edits.items(), reverse=True):
        lines[first - 1 : last] = new
    return "".join(f"{line}\n" for line in lines)


def _last_line(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def _stubbed(name: str, source: str, tasks: dict[str, Task]) -> str:
    """A module with ``raise NotImplementedError`` and the task's words after the docstring of each task's function."""
    edits, missing = {}, set(tasks)
    for path, node in _functions(parsed(source)):
        is_overload = any(isinstance(one, ast.Name) and one.id == "overload" for one in node.decorator_list)
        if path in tasks and not is_overload:
            first = node.body[0].lineno if ast.get_docstring(node) is None else _last_line(node.body[0]) + 1
            indent = node.col_offset + 4
            raised = textwrap.indent(_not_implemented(tasks[path].text, indent), " " * indent)
            edits[first, _last_line(node)] = raised.splitlines()
            missing.discard(path)
    if missing:
        raise InputError(f"the assignment has a task for {min(missing)}, and {name} has no such function")
    return _edited(source, edits)


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The functions of a module and of its classes, by their paths."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{one.name}", one) for one in node.body if isinstance(one, ast.FunctionDef))


def _not_implemented(text: str, indent: int) -> str:
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    line = f"raise NotImplementedError({quoted})"
    if indent + len(line) <= LINE:
        return line
    parts = textwrap.wrap(quoted[1:-1], LINE - indent - 8)
    inner = "\n".join(f'    "{part}{" " if i < len(parts) else ""}"' for i, part in enumerate(parts, 1))
    return f"raise NotImplementedError(\n{inner}\n)"


def _names_used(node: ast.AST, own: frozenset[str] = frozenset()) -> set[str]:
    """The names that code uses. A definition does not use its own name; a quoted annotation is a use."""
    names: set[str] = set()
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            own |= {name}
        case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name) if name not in own:
            names = {name}
        case ast.Constant(value=str(text)) if text.isidentifier():
            names = {text}
    return names.union(*(_names_used(child, own) for child in ast.iter_child_nodes(node)))


@lru_cache(maxsize=256)
def _pruned(code: str, used: frozenset[str], exported: frozenset[str]) -> str:
    """A module without what nobody uses, and without imports that it does not use; public methods stay."""
    tree = parsed(code)
    used_here = _names_used(tree)
    edits: dict[tuple[int, int], list[str]] = {}
    for body in (tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))):
        end = body[0].lineno - 1
        for node in body:
            name, is_gone = _defined(node), False
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias for alias in node.names if (alias.asname or alias.name) in used_here | exported]
                is_gone = not names
                if names and len(names) < len(node.names):
                    node.names = names
                    edits[node.lineno, _last_line(node)] = [ast.unparse(node)]
            elif name is not None and name not in used_here | used and not name.startswith("__"):
                is_public_method = body is not tree.body and isinstance(node, ast.FunctionDef) and name[0] != "_"
                is_gone = not is_public_method
            if is_gone:
                edits[end + 1, _last_line(node)] = []
            end = _last_line(node)
    return _edited(code, edits)


def _imported_from_tree(code: str) -> set[str]:
    imports = (node for node in ast.walk(parsed(code)) if isinstance(node, ast.ImportFrom))
    return {alias.name for node in imports if (node.module or "").startswith("mlcvlab") for alias in node.names}


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be made: {error.strerror}") from None
