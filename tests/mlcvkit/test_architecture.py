"""The public face, and the arrows between rooms that a linter of imports cannot see."""

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import mlcvkit
from mlcvkit.extras import EXTRAS
from mlcvkit.renamed import GONE, RENAMED

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src/mlcvkit"
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = [
    *(f"mlcvkit.{room}" for room in ("models", "training", "datasets", "experiments", "storage", "estimators")),
    *(f"mlcvkit.{room}" for room in ("cluster", "tuning", "report", "plots")),
    *("mlcvlab.nn", "mlcvlab.nn.activations", "mlcvlab.nn.losses", "mlcvlab.nn.basis", "mlcvlab.models.nn2"),
    *("mlcvlab.optim.sgd", "mlcvlab.optim.adam"),
]
"""Those whose docstrings are read by people who call them."""


def imported(path):
    """The modules that a file imports anywhere in it, and the names it imports from them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def test_every_public_name_is_there_and_documented():
    assert sorted(mlcvkit.__all__) == sorted(set(mlcvkit.__all__)) == sorted(sum(mlcvkit._ROOMS.values(), ()))
    for name in mlcvkit.__all__:
        assert getattr(mlcvkit, name).__doc__ or name.isupper(), name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        mlcvkit.nothing  # noqa: B018


def documented(thing):
    """The names that the section "Parameters" of a docstring has an entry for."""
    section = (inspect.getdoc(thing) or "").partition("Parameters\n----------\n")[2].partition("\n\n")[0]
    entries = [line for line in section.splitlines() if not line.startswith(" ")]
    return {name.strip(" *") for entry in entries for name in entry.split(",")}


def parameters(thing):
    """What a function or a class is called with; of a dataclass whose fields have docstrings of their own, nothing."""
    if inspect.isclass(thing):
        words_of_fields = "__post_init__" in vars(thing) and "Parameters" not in (thing.__doc__ or "")
        plain_exception = issubclass(thing, Exception) and "__init__" not in vars(thing)
        if words_of_fields or plain_exception or getattr(thing, "_is_protocol", False):
            return set()
    return set(inspect.signature(thing).parameters) - {"self"}


def public_things():
    for room in ROOMS:
        module = import_module(room)
        own = [name for name, thing in vars(module).items() if getattr(thing, "__module__", "") == room]
        for name in getattr(module, "__all__", [name for name in own if not name.startswith("_")]):
            thing = getattr(module, name)
            if inspect.isfunction(thing) or inspect.isclass(thing):
                yield f"{room}.{name}", thing
            if inspect.isclass(thing):
                inherited = {method for base in thing.__mro__[1:] for method in vars(base)}
                for method, function in vars(thing).items():
                    if inspect.isfunction(function) and not method.startswith("_") and method not in inherited:
                        yield f"{room}.{name}.{method}", function


@pytest.mark.parametrize(("name", "thing"), sorted(dict(public_things()).items()))
def test_every_parameter_of_a_public_name_has_an_entry(name, thing):
    assert inspect.getdoc(thing), name
    entries = documented(thing)
    if "others" not in entries:
        assert parameters(thing) <= entries, name
    assert entries - {"others"} <= parameters(thing), name


@pytest.mark.parametrize("old", RENAMED)
def test_an_old_name_is_the_new_thing_and_says_so(old):
    module, _, name = old.rpartition(".")
    place, _, new = RENAMED[old].rpartition(".")
    with pytest.warns(FutureWarning, match=f"{old} is {RENAMED[old]} now"):
        found = getattr(import_module(module), name)
    assert found is getattr(import_module(place), new)


@pytest.mark.parametrize("old", GONE)
def test_a_name_that_is_gone_says_what_does_its_work(old):
    module, _, name = old.rpartition(".")
    with pytest.raises(AttributeError, match=re.escape(f"use {GONE[old]}")):
        getattr(import_module(module), name)
    function = GONE[old].partition("(")[0]
    place, _, new = function.rpartition(".")
    assert callable(getattr(import_module(place), new))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_inside_imports_the_public_face(path):
    rooms = {place.stem for place in PACKAGE.iterdir()}
    if path != PACKAGE / "__init__.py":
        assert [name for module, name in imported(path) if module == "mlcvkit" and name not in rooms] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_is_entered_by_its_front_door(path):
    own = path.relative_to(PACKAGE).parts[0]
    past = [
        module
        for module, _ in imported(path)
        if module.startswith("mlcvkit.") and module.count(".") > 1 and module.split(".")[1] != own
    ]
    assert past == []


def test_the_import_of_the_package_loads_no_room_and_no_library():
    code = "import sys; before = set(sys.modules); import mlcvkit; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {name.partition(".")[0] for name in done.stdout.split()} - {"mlcvkit", *sys.stdlib_module_names}
    assert not [name for name in done.stdout.split() if name.startswith("mlcvkit.")]


def test_the_table_of_extras_is_that_of_the_project():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = {"scikit-learn": "sklearn"}
    for extra, libraries in EXTRAS.items():
        brought, waiting = set(), [extra]
        while waiting:
            for requirement in declared[waiting.pop()]:
                name = requirement.split(">=")[0].split("==")[0]
                if name.startswith("mlcvlab["):
                    waiting += name.removeprefix("mlcvlab[").rstrip("]").split(",")
                else:
                    brought.add(names.get(name, name).lower())
        assert {library.lower() for library in libraries} <= brought, extra


@pytest.mark.parametrize(
    ("module", "library", "extra"), [("course", "psutil", "course"), ("cluster", "distributed", None)]
)
def test_a_room_without_its_libraries_names_its_extra(module, library, extra):
    """Rooms that need libraries all through say so when they are imported; the others import without them."""
    code = (
        "import importlib.util, sys; find = importlib.util.find_spec\n"
        f"importlib.util.find_spec = lambda name, *rest: None if name == {library!r} else find(name, *rest)\n"
        f"sys.modules[{library!r}] = None\nfrom mlcvkit.errors import MissingExtra\n"
        f"try: import mlcvkit.{module}\nexcept MissingExtra as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (f"pip install 'mlcvlab[{extra}]'" in done.stdout) if extra else done.stdout == ""


def test_what_has_any_type_is_an_exception():
    rooms = (path for path in MODULES if not {"course", "playground"} & set(path.parts))
    names = [
        f"{path}:{node.lineno}"
        for path in rooms
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name) and node.id == "Any"
    ]
    assert len(names) <= 40, names
