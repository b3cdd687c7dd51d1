"""Which modules code imports, by any spelling that its syntax tree shows; the rest is refused at run time."""

import ast
from collections.abc import Sequence

IMPORTERS = {"__import__", "import_module", "find_spec", "find_loader", "load_module", "run_module", "run_path"}
RUNNERS = {"exec", "eval", "compile", "run_cell", "run_line_magic", "run_cell_magic", "system", "popen"}
MOST_NESTED = 3

Imported = list[tuple[str, int]]


def imported(source: str, depth: int = 0) -> Imported:
    """The modules that code imports, with their lines: by statements, by functions, in strings that are executed."""
    lines = source.split("\n")
    code = "\n".join("pass" if line.lstrip().startswith(("%", "!")) else line for line in lines)
    try:
        tree = ast.parse(code)
        return _Scan(tree, depth).found()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _by_lines(lines)


def _by_lines(lines: Sequence[str]) -> Imported:
    """The modules of the lines that begin like an import, of code that cannot be parsed."""
    found = []
    for number, line in enumerate(lines, start=1):
        words = line.replace(",", " ").split()
        if len(words) > 1 and words[0] in ("import", "from"):
            found += [(word, number) for word in (words[1:] if words[0] == "import" else words[1:2])]
    return found


class _Scan:
    """A syntax tree with the names in it that stand for texts and for functions that import or execute."""

    def __init__(self, tree: ast.Module, depth: int) -> None:
        self.nodes, self.depth = list(ast.walk(tree)), depth
        self.texts: dict[str, str] = {}
        self.functions: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.ImportFrom):
                self.functions |= {alias.asname or alias.name: alias.name for alias in node.names}
            elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                if (text := self.text(node.value)) is not None:
                    self.texts[name] = text
                elif isinstance(node.value, ast.Name | ast.Attribute):
                    self.functions[name] = self.function(node.value)

    def found(self) -> Imported:
        found: Imported = []
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found += [(alias.name, node.lineno) for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                found += [(f"{node.module}.{alias.name}", node.lineno) for alias in node.names]
            elif isinstance(node, ast.Call):
                found += self.called(node)
        return found

    def function(self, node: ast.expr) -> str:
        """The name of a function that is called, whatever it was renamed to."""
        if isinstance(node, ast.Attribute):
            return node.attr
        if isinstance(node, ast.Name):
            return self.functions.get(node.id, node.id)
        texts = (self.text(part) for part in ast.walk(node) if isinstance(part, ast.expr))
        return next((text for text in texts if text in IMPORTERS | RUNNERS), "")

    def called(self, node: ast.Call) -> Imported:
        """What a call imports."""
        name = self.function(node.func)
        if name not in IMPORTERS | RUNNERS:
            return []
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        texts = [text for argument in arguments if (text := self.text(argument)) is not None]
        if name in IMPORTERS:
            return [(text, node.lineno) for text in texts]
        if self.depth >= MOST_NESTED:
            return []
        return [(module, node.lineno) for text in texts for module, _ in imported(text, self.depth + 1)]

    def text(self, node: ast.expr) -> str | None:
        """The text of an expression, as far as it is made of constants: joined, formatted, reversed, decoded."""
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.Constant(value=bytes(data)):
                return data.decode("utf-8", errors="replace")
            case ast.Name(id=name):
                return self.texts.get(name)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.joined("", [left, right])
            case ast.JoinedStr(values=values):
                return self.joined("", [v.value if isinstance(v, ast.FormattedValue) else v for v in values])
            case ast.Subscript(value=value, slice=ast.Slice(lower=None, upper=None, step=ast.UnaryOp())):
                forwards = self.text(value)
                return None if forwards is None else forwards[::-1]
            case ast.Call(
                func=ast.Attribute(value=value, attr="join"), args=[ast.List(elts=parts) | ast.Tuple(elts=parts)]
            ):
                between = self.text(value)
                return None if between is None else self.joined(between, parts)
            case ast.Call(func=ast.Attribute(value=value, attr="lower" | "strip" | "decode" | "encode" as method)):
                plain = self.text(value)
                return plain.lower() if plain is not None and method == "lower" else plain
        return None

    def joined(self, between: str, parts: Sequence[ast.expr]) -> str | None:
        texts = [self.text(part) for part in parts]
        return between.join(text for text in texts if text is not None) if None not in texts else None
