"""The handout's rules: no file added, moved, removed or renamed, no signature changed, no neural-network library."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlcvkit.course.assignment import Task, reference_file, tree_files
from mlcvkit.course.imports import MOST_SEARCHED, MOST_SOURCE, imported, parsed, used
from mlcvkit.course.kit.tree import file_problems, signature_problems, signatures


@dataclass(frozen=True)
class Violation:
    """A broken rule, and how it was broken."""

    rule: str
    message: str


FOR_DATA = (
    *("keras.datasets", "tensorflow.keras.datasets", "torchvision.datasets", "torchvision.transforms"),
    *("keras.utils.to_categorical", "tensorflow.keras.utils.to_categorical"),
)
"""Modules of forbidden libraries from which many people load MNIST."""
AROUND_DATA = {one.rpartition(".")[0] for one in FOR_DATA} | {"tensorflow"}
"""Modules that hold those: importing them says nothing yet."""
MOST_LINE = 2000
MOST_NOTEBOOK = 20 << 20
"""The largest notebook that is parsed, in bytes: JSON takes many times its size in memory."""
MOST_BRACKETS = 2_000_000
"""The most opening brackets of a notebook that is parsed: each list or object takes a hundred times its text."""


def check_rules(files: Mapping[str, bytes], tasks: Collection[Task], forbidden: Collection[str]) -> list[Violation]:
    """The broken rules of a submission, and notes for a person."""
    violations = [Violation("files", problem) for problem in file_problems(files, tree_files())]
    small = searched(files)
    violations += [Violation("look", f"{name} is too large to be searched") for name in sorted(set(files) - set(small))]
    violations += _signatures(small, tasks)
    for name in sorted(small):
        if name.endswith(".py"):
            violations += _libraries(name, [small[name]], forbidden)
        elif name.endswith(".ipynb"):
            violations += _libraries(name, [_plain_python(cell) for cell in code_cells(small[name])], forbidden)
    return list(dict.fromkeys(violations))


def searched(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files that are searched: none that is very large, and not many beside the homework's own."""
    own, small, left = tree_files(), dict(files), MOST_SEARCHED
    for name in sorted(files, key=lambda name: (name not in own, name)):
        if name.endswith((".py", ".ipynb")):
            size = _size(name, files[name])
            if size > min(MOST_SOURCE, left):
                del small[name]
            else:
                left -= size
    return small


def _size(name: str, content: bytes) -> int:
    """The length of a file's code, above every limit for a notebook that is too large to be opened."""
    if not name.endswith(".ipynb"):
        return len(content)
    return MOST_NOTEBOOK if is_too_large(content) else sum(map(len, code_cells(content)))


def is_too_large(notebook: bytes) -> bool:
    """Whether a notebook is too large to be parsed: by its bytes, or by its lists and objects."""
    return len(notebook) > MOST_NOTEBOOK or notebook.count(b"{") + notebook.count(b"[") > MOST_BRACKETS


SHELL = re.compile(r"(?:([^=!%]+)=\s*)?(!+|%+)(.*)")
"""A line for a shell or a magic of IPython, whose result may be assigned to names."""
NAMES = re.compile(r"[\w., ]*")


def _plain_python(cell: str) -> str:
    """The code of a notebook's cell, with calls in place of IPython's syntax; its text if that is not Python."""
    if _is_python(cell):
        return cell
    if cell.lstrip().startswith("%%"):
        magic, _, body = cell.lstrip()[2:].partition("\n")
        name, _, rest = magic.partition(" ")
        if name in ("time", "timeit", "capture", "prun"):
            return body
        return f"get_ipython().run_cell_magic({name!r}, {rest!r}, {body!r})"
    plain = "\n".join(map(_plain_line, cell.splitlines()))
    return plain if _is_python(plain) else f"exec({cell!r})"


def _is_python(source: str) -> bool:
    try:
        parsed(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _plain_line(line: str) -> str:
    found = SHELL.fullmatch(line.strip()) if len(line) <= MOST_LINE else None
    kept = (found[1] or "").strip() if found else ""
    if found is None or not NAMES.fullmatch(kept):
        return line.rstrip("?") if line.rstrip().endswith("?") else line
    indent, (mark, rest) = line[: len(line) - len(line.lstrip())], found.groups()[1:]
    name, _, arguments = rest.partition(" ")
    call = f"system({rest!r})" if mark[0] == "!" else f"run_line_magic({name!r}, {arguments!r})"
    return f"{indent}{f'{kept} = ' if kept else ''}get_ipython().{call}"


def _signatures(files: Mapping[str, bytes], tasks: Collection[Task]) -> Iterator[Violation]:
    for file in dict.fromkeys(task.file for task in tasks):
        if file in files:
            right = signatures(reference_file(file).read_bytes(), parsed)
            graded = (task.function for task in tasks if task.file == file and not task.text.startswith("No points"))
            wanted = {function: right[function] for function in graded}
            yield from (
                Violation("signatures", problem) for problem in signature_problems(file, files[file], wanted, parsed)
            )


def code_cells(content: bytes) -> list[str]:
    """The code of a notebook's cells; none if it is not a notebook or too large to parse."""
    if is_too_large(content):
        return []
    try:
        cells = json.loads(content)["cells"]
        sources = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
        return ["".join(source) if isinstance(source, list) else str(source) for source in sources]
    except (ValueError, KeyError, TypeError, RecursionError, MemoryError):
        return []


def _not_for_data(uses: Sequence[str]) -> Iterator[str]:
    """The libraries of which something else than data, or the version, is used."""
    for use in uses:
        if not use.startswith(FOR_DATA) and not use.endswith(".__version__"):
            yield use.partition(".")[0]


def _libraries(name: str, sources: Sequence[str | bytes], forbidden: Collection[str]) -> Iterator[Violation]:
    whole = "\n".join(source if isinstance(source, str) else source.decode("utf-8", "replace") for source in sources)
    uses = used(whole)
    others = {*forbidden} if uses is None else {*_not_for_data(uses)}
    for number, source in enumerate(sources, start=1):
        where = f"{name}, cell {number}" if len(sources) > 1 else name
        told: set[str] = set()
        for module, line in imported(source):
            if module is None:
                yield Violation(
                    "look", f"{where}, line {line}: what is imported here cannot be read: please look at it"
                )
                continue
            library = next((one for one in forbidden if module == one or module.startswith(f"{one}.")), None)
            is_around = module.removesuffix(".__version__") in AROUND_DATA and library not in others
            if library is not None and (is_around or module.startswith(FOR_DATA)):
                if library not in told:
                    yield Violation("look", f"{where}, line {line}: {module} is imported for the data, as it seems")
                told.add(library)
            elif library is not None:
                yield Violation("libraries", f"{where}, line {line}: {library} is a library that is not allowed")
