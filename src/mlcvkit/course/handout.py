"""The students' files, made from the reference: the same names, signatures and docstrings, without bodies."""

import ast
import sys
import textwrap
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import jinja2
import libcst as cst
import nbformat

from mlcvkit.course.assignment import NOTEBOOK, SCRIPTS, Assignment, Task, reference_file, tree_files
from mlcvkit.course.imports import parsed
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
    template = files(__package__).joinpath("templates/assignment.md").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=False, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    return environment.from_string(template).render(
        assignment=assignment, solved=solved, kit=kit, installed=_installed()
    )


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
    modules = {name: cst.parse_module(source) for name, source in sources.items()}
    for name, functions in by_file.items():
        stub = _Stub(functions)
        modules[name] = modules[name].visit(stub)
        missing = sorted(set(functions) - stub.found)
        if missing:
            raise InputError(f"the assignment has a task for {missing[0]}, and {name} has no such function")
    exported = _tasks_and_tables(sources, tasks) | set(assignment.given)
    codes = {name: module.code for name, module in modules.items()}
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
    assigned = (_assigned(statement) for source in sources.values() for statement in cst.parse_module(source).body)
    return names | {name for name in assigned if name is not None and name.isupper()}


def _assigned(statement: cst.CSTNode) -> str | None:
    """The name that a module's statement assigns, if it is one."""
    assignments = statement.body if isinstance(statement, cst.SimpleStatementLine) else ()
    if not assignments or not isinstance(assignments[0], cst.Assign):
        return None
    target = assignments[0].targets[0].target
    return target.value if isinstance(target, cst.Name) else None


class _Stub(cst.CSTTransformer):
    """Puts ``raise NotImplementedError`` with the task's words after the docstring of each function with a task."""

    def __init__(self, tasks: dict[str, Task]) -> None:
        self.tasks = tasks
        self.found: set[str] = set()
        self.path: list[str] = []

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        self.path.append(node.name.value)
        return True

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        self.path.pop()
        return updated_node

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        self.path.append(node.name.value)
        return True

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        name, depth = ".".join(self.path), len(self.path)
        self.path.pop()
        body = updated_node.body
        if name not in self.tasks or not isinstance(body, cst.IndentedBlock) or _is_overload(updated_node):
            return updated_node
        self.found.add(name)
        docstring = [body.body[0]] if updated_node.get_docstring() is not None else []
        statement = cst.parse_statement(_not_implemented(self.tasks[name].text, 4 * depth))
        return updated_node.with_changes(body=body.with_changes(body=[*docstring, statement], footer=[]))


def _is_overload(node: cst.FunctionDef) -> bool:
    return any(isinstance(d.decorator, cst.Name) and d.decorator.value == "overload" for d in node.decorators)


def _not_implemented(text: str, indent: int) -> str:
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    line = f"raise NotImplementedError({quoted})"
    if indent + len(line) <= LINE:
        return line
    parts = textwrap.wrap(quoted[1:-1], LINE - indent - 8)
    inner = "\n".join(f'    "{part}{" " if i < len(parts) else ""}"' for i, part in enumerate(parts, 1))
    return f"raise NotImplementedError(\n{inner}\n)"


class _Names(cst.CSTVisitor):
    """The names that code uses. A definition does not use its own name; a quoted annotation is a use."""

    def __init__(self) -> None:
        self.used: set[str] = set()
        self.own: list[str] = []

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        self.own.append(node.name.value)
        for part in (node.params, node.body, *node.decorators, *filter(None, [node.returns])):
            part.visit(self)
        self.own.pop()
        return False

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        self.own.append(node.name.value)
        for part in (*node.bases, node.body, *node.decorators):
            part.visit(self)
        self.own.pop()
        return False

    def visit_Assign(self, node: cst.Assign) -> bool:
        for target in node.targets:
            if not isinstance(target.target, cst.Name):
                target.visit(self)
        node.value.visit(self)
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        return False

    def visit_Import(self, node: cst.Import) -> bool:
        return False

    def visit_Param(self, node: cst.Param) -> bool:
        for part in filter(None, (node.annotation, node.default)):
            part.visit(self)
        return False

    def visit_Name(self, node: cst.Name) -> None:
        if node.value not in self.own:
            self.used.add(node.value)

    def visit_SimpleString(self, node: cst.SimpleString) -> None:
        if isinstance(node.evaluated_value, str) and node.evaluated_value.isidentifier():
            self.used.add(node.evaluated_value)


def _names_used(module: cst.Module) -> set[str]:
    names = _Names()
    module.visit(names)
    return names.used


@lru_cache(maxsize=256)
def _pruned(code: str, used: frozenset[str], exported: frozenset[str]) -> str:
    """A module without what nobody uses, and without imports that it does not use."""
    module = cst.parse_module(code)
    used_here = _names_used(module)
    return module.visit(_Prune(used_here | used, used_here | exported)).code


def _imported_from_tree(code: str) -> set[str]:
    imports = (node for node in ast.walk(parsed(code)) if isinstance(node, ast.ImportFrom))
    return {alias.name for node in imports if (node.module or "").startswith("mlcvlab") for alias in node.names}


def _is_import(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and isinstance(statement.body[0], cst.Import | cst.ImportFrom)


class _Prune(cst.CSTTransformer):
    """Removes the functions, classes, assignments and imports whose names are not used; public methods stay."""

    def __init__(self, used: Collection[str], imported: Collection[str]) -> None:
        self.used, self.imported = used, imported
        self.inside_class = False

    def _keeps(self, name: str) -> bool:
        return name in self.used or (name.startswith("__") and name.endswith("__"))

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        self.inside_class = True
        return True

    def leave_ClassDef(
        self, original_node: cst.ClassDef, updated_node: cst.ClassDef
    ) -> cst.ClassDef | cst.RemovalSentinel:
        self.inside_class = False
        return updated_node if self._keeps(updated_node.name.value) else cst.RemoveFromParent()

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        body = list(updated_node.body)
        for i, (before, statement) in enumerate(pairwise(body), start=1):
            if _is_import(before) and not _is_import(statement) and not statement.leading_lines:
                body[i] = statement.with_changes(leading_lines=[cst.EmptyLine(indent=False)])
        return updated_node.with_changes(body=body)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return False

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef | cst.RemovalSentinel:
        name = updated_node.name.value
        public_method = self.inside_class and not name.startswith("_")
        return updated_node if public_method or self._keeps(name) else cst.RemoveFromParent()

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine | cst.RemovalSentinel:
        name = _assigned(updated_node)
        return cst.RemoveFromParent() if name is not None and not self._keeps(name) else updated_node

    def leave_ImportFrom(
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.ImportFrom | cst.RemovalSentinel:
        if isinstance(updated_node.names, cst.ImportStar):
            return updated_node
        kept = self._used_of(updated_node.names)
        return updated_node.with_changes(names=kept) if kept else cst.RemoveFromParent()

    def leave_Import(self, original_node: cst.Import, updated_node: cst.Import) -> cst.Import | cst.RemovalSentinel:
        kept = self._used_of(updated_node.names)
        return updated_node.with_changes(names=kept) if kept else cst.RemoveFromParent()

    def _used_of(self, names: Sequence[cst.ImportAlias]) -> Sequence[cst.ImportAlias]:
        kept = [alias for alias in names if (alias.evaluated_alias or alias.evaluated_name) in self.imported]
        if kept and len(kept) < len(names):
            kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        return kept


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be made: {error.strerror}") from None
