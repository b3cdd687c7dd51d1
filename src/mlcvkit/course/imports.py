"""The modules that code imports, in every form that its syntax tree shows; the rest is refused at run time."""

import ast
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

IMPORTERS = {"__import__", "import_module", "load_module", "run_module", "run_path", "resolve_name", "locate"}
RUNNERS = {"run_cell", "run_line_magic", "run_cell_magic", "system", "popen", "getoutput", "run", "Popen", "timeit"}
BUILTINS = {"exec", "eval", "compile"}
MOST_NESTED = 3
MOST_TEXT = 10_000
MOST_SEARCHED = 1 << 20
"""The most code of a submission that is parsed, in bytes; the homework's own files have 50,000."""
MOST_SOURCE = 256 << 10
"""The largest file that is parsed, in bytes; the reference's largest module has 11,000."""
MOST_EXECUTED = 1_000_000
"""The most characters of texts that are executed which are parsed for one file."""
LOOKED_THROUGH = 50


class Import(NamedTuple):
    """A module that is imported, None if the code does not say which, and the line."""

    module: str | None
    line: int


_PARSING = threading.Lock()


def parsed(source: str | bytes) -> ast.Module:
    """Parse code, in one thread at a time.

    Before Python 3.12 two threads that parse at once can disturb each other's count of recursions, and one of them gets
    a SystemError (CPython, issue 106905).
    """
    with _PARSING:
        return ast.parse(source)


@dataclass
class _Executed:
    """The texts that one file executes, with what they import; and how many characters of more may be parsed."""

    found: dict[tuple[str, int], list["Import"]] = field(default_factory=dict)
    left: int = MOST_EXECUTED


def imported(source: str | bytes, depth: int = 0, executed: _Executed | None = None) -> list[Import]:
    """The modules that code imports: by statements, by functions, in strings that are executed.

    Code that is not Python imports nothing. Text in a command for a shell is searched for import statements. Of texts
    that are too many to be parsed it is not known what they import.
    """
    try:
        return list(_Scan(parsed(source), depth, executed).found())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        text = source.decode("utf-8", "replace") if isinstance(source, bytes) else source
        return [Import(name, 1) for name in re.findall(r"\b(?:import|from)\s+([\w.]+)", text)] if depth else []


def used(source: str) -> list[str] | None:
    """What code takes of the modules that it imports, such as sklearn.datasets.load_digits; a module's name for itself,
    and for what it imports by a function.

    None if it is not Python.
    """
    try:
        return list(_Scan(parsed(source), 0).used())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


class _Scan:
    """A syntax tree, and its names for texts, modules, and functions that import or execute."""

    def __init__(self, tree: ast.Module, depth: int, executed: _Executed | None = None) -> None:
        self.nodes, self.depth, self.executed = list(ast.walk(tree)), depth, executed or _Executed()
        self.texts: dict[str, str] = {}
        self.functions: dict[str, str] = {}
        self.modules: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                self.modules |= {
                    a.asname or a.name.partition(".")[0]: (a.asname and a.name) or a.name.partition(".")[0]
                    for a in node.names
                }
            elif isinstance(node, ast.ImportFrom):
                self.functions |= {alias.asname or alias.name: alias.name for alias in node.names}
                self.modules |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                if (text := self.text(node.value)) is not None:
                    self.texts[name] = text
                elif isinstance(node.value, ast.Name | ast.Attribute):
                    self.functions[name] = self.function(node.value)

    def found(self) -> Iterator[Import]:
        called = set()
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (Import(alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                yield from (Import(f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
            elif isinstance(node, ast.Call):
                called.add(node.func)
                yield from self.called(node)
            elif isinstance(node, ast.Attribute) and (chain := self.chain(node)):
                yield Import(chain, node.lineno)
        for node in self.nodes:
            hidden = isinstance(node, ast.Name | ast.Attribute) and node not in called
            if hidden and self.function(node) in ("__import__", "import_module"):  # type: ignore[arg-type]
                yield Import(None, node.lineno)  # type: ignore[attr-defined]

    def used(self) -> Iterator[str]:
        inner = {node.value for node in self.nodes if isinstance(node, ast.Attribute)}
        for node in self.nodes:
            if isinstance(node, ast.Call):
                yield from (module for module, _ in self.called(node) if module is not None)
            elif node in inner:
                continue
            elif isinstance(node, ast.Attribute) and (chain := self.chain(node)):
                yield chain
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in self.modules:
                yield self.modules[node.id]

    def chain(self, node: ast.Attribute) -> str | None:
        """The dotted name of an attribute of a module: sklearn.neural_network."""
        names = [node.attr]
        inner: ast.expr = node.value
        while isinstance(inner, ast.Attribute) and len(names) < 8:
            names.append(inner.attr)
            inner = inner.value
        module = self.modules.get(inner.id) if isinstance(inner, ast.Name) else None
        return None if module is None else ".".join([module, *reversed(names)])

    def function(self, node: ast.expr) -> str:
        """The original name of a function that may have been renamed."""
        if isinstance(node, ast.Attribute):
            return node.attr
        if isinstance(node, ast.Name):
            return self.functions.get(node.id, node.id)
        parts = [part for part in islice(ast.walk(node), LOOKED_THROUGH) if isinstance(part, ast.Constant)]
        return next((str(part.value) for part in parts if part.value in IMPORTERS), "")

    def called(self, node: ast.Call) -> Iterator[Import]:
        """The modules that a call imports."""
        name = self.function(node.func)
        of_builtins = isinstance(node.func, ast.Name) or self.chain_of(node.func) == "builtins"
        runs = name in RUNNERS or (name in BUILTINS and of_builtins)
        if not runs and name not in IMPORTERS:
            return
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        flat = [
            part
            for argument in arguments
            for part in (argument.elts if isinstance(argument, ast.List | ast.Tuple) else [argument])
        ]
        texts = [text for part in flat if (text := self.text(part)) is not None]
        if not runs:
            yield from (Import(text.partition(":")[0], node.lineno) for text in texts)
            if not texts and name in ("__import__", "import_module"):
                yield Import(None, node.lineno)
        elif self.depth < MOST_NESTED:
            yield from (Import(module, node.lineno) for text in texts for module, _ in self.inside(text))

    def inside(self, text: str) -> list[Import]:
        """The modules that a text imports when it is executed."""
        known, key = self.executed, (text, self.depth)
        if key not in known.found:
            known.left -= len(text)
            known.found[key] = [Import(None, 1)]
            if known.left >= 0:
                known.found[key] = imported(text, self.depth + 1, known)
        return known.found[key]

    def chain_of(self, node: ast.expr) -> str:
        return node.value.id if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) else ""

    def text(self, node: ast.expr, depth: int = 0) -> str | None:
        """The text of an expression of constants, which may be joined, formatted, reversed or decoded."""
        if depth > LOOKED_THROUGH:
            return None
        match node:
            case ast.Constant(value=str(text)):
                return text[:MOST_TEXT]
            case ast.Constant(value=bytes(data)):
                return data[:MOST_TEXT].decode("utf-8", errors="replace")
            case ast.Name(id=name):
                return self.texts.get(name)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.joined("", [left, right], depth)
            case ast.JoinedStr(values=values):
                return self.joined("", [v.value if isinstance(v, ast.FormattedValue) else v for v in values], depth)
            case ast.Subscript(value=value, slice=ast.Slice(lower=None, upper=None, step=ast.UnaryOp())):
                forwards = self.text(value, depth + 1)
                return None if forwards is None else forwards[::-1]
            case ast.Call(
                func=ast.Attribute(value=value, attr="join"), args=[ast.List(elts=parts) | ast.Tuple(elts=parts)]
            ):
                between = self.text(value, depth + 1)
                return None if between is None else self.joined(between, parts, depth)
            case ast.Call(
                func=ast.Attribute(value=value, attr="lower" | "casefold" | "strip" | "decode" | "encode" as how)
            ):
                plain = self.text(value, depth + 1)
                return plain.lower() if plain is not None and how in ("lower", "casefold") else plain
            case ast.BinOp(left=left, op=ast.Mod(), right=right):
                form, value_ = self.text(left, depth + 1), self.text(right, depth + 1)
                return None if form is None or value_ is None else form.replace("%s", value_)
            case ast.Call(func=ast.Attribute(value=value, attr="format"), args=parts):
                form, value_ = self.text(value, depth + 1), self.joined("", parts, depth)
                return None if form is None or value_ is None else form.replace("{}", value_)
        return None

    def joined(self, between: str, parts: Sequence[ast.expr], depth: int) -> str | None:
        texts: list[str] = []
        for part in parts:
            text = self.text(part, depth + 1)
            if text is None or sum(map(len, texts)) + len(between) * len(texts) > MOST_TEXT:
                return None
            texts.append(text)
        return between.join(texts)
