"""The process that runs a student's code: requests in, outputs out, and nothing else is known here.

Run as a script, with the folders of its libraries as arguments, the requests on standard input and the answers on standard output; what the student's code prints
goes to standard error. The first request says where things are and what the limits are. While a request is worked on,
the student's code may call functions that the grader supplies; their arguments go to the grader and the results come
back, so that not even a supplied function's code is here.
"""

import contextlib
import importlib
import importlib.abc
import inspect
import os
import sys
import traceback
import types

sys.path += [os.path.dirname(__file__), *sys.argv[1:]]

import numpy as np  # noqa: E402
import protocol  # noqa: E402

REQUESTS = os.dup(0)
ANSWERS = os.dup(1)
MOST_BYTES = 1 << 30
FORBIDDEN = []


def read(count):
    parts = []
    while count:
        part = os.read(REQUESTS, min(count, 1 << 20))
        if not part:
            os._exit(0)
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def write(value):
    data = memoryview(protocol.encode(value))
    while data:
        data = data[os.write(ANSWERS, data) :]


def ask(name, *args):
    """The result of a function that the grader supplies."""
    write({"ask": name, "args": [sendable(arg) if not isinstance(arg, dict) else arg for arg in args]})
    reply = protocol.decode(read, MOST_BYTES)
    if "error" in reply:
        raise ValueError(reply["error"])
    return reply["value"]


def sendable(value, depth=0):
    """A value as what a message can hold; of anything else, its type's name."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.array(value, subok=False)
        if array.dtype.str in protocol.DTYPES:
            return array
        if array.dtype.kind == "O":
            with contextlib.suppress(TypeError, ValueError):
                return np.array(array.tolist(), float)
        if array.dtype == np.longdouble:
            return array.astype(np.float64)
    elif isinstance(value, (list, tuple)) and depth < 4 and len(value) < 10_000:
        return [sendable(item, depth + 1) for item in value]
    return {"other": type(value).__name__[:80]}


class Refused(importlib.abc.MetaPathFinder):
    """Refuses the import of libraries that are not allowed."""

    def find_spec(self, name, path=None, target=None):
        if any(name == library or name.startswith(library + ".") for library in FORBIDDEN):
            raise ImportError(f"this library is not allowed here: {name}")
        return None


def configure(request):
    FORBIDDEN.extend(request["forbidden"])
    sys.meta_path.insert(0, Refused())
    sys.path.insert(0, request["path"])
    sys.dont_write_bytecode = True
    return None


def load(request):
    """Import modules one after the other, and put supplied functions in the place of their own.

    A module that cannot be imported is replaced by one with the supplied functions, unless it is itself looked at.
    """
    failed = {}
    for name, supplied, looked_at, broken in request["modules"]:
        try:
            module = stand_in(name) if broken else importlib.import_module(name)
        except BaseException as error:
            failed[name] = described(error)
            if looked_at:
                continue
            module = stand_in(name)
        for function in supplied:
            put(module, function)
    return {"failed": failed}


class Anything:
    """What a module that cannot be imported has under every name: it is there, and cannot be called."""

    def __getattr__(self, name):
        return self

    def __getitem__(self, key):
        return self

    def __contains__(self, key):
        return True

    def __call__(self, *args, **named):
        raise NotImplementedError("this is from a file that cannot be imported")


def anything(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Anything()


def stand_in(name):
    module = types.ModuleType(name)
    module.__getattr__ = anything
    sys.modules[name] = module
    parent, _, own = name.rpartition(".")
    if parent:
        package = sys.modules.get(parent) or stand_in(parent)
        package.__path__ = getattr(package, "__path__", [])
        setattr(package, own, module)
    return module


def put(module, function):
    if function in ("SGD", "Adam"):
        setattr(module, function, optimizer(function))
        return
    if "." not in function:
        setattr(module, function, lambda *args, **named: ask(function, *args, *named.values()))
        return
    owner, method = function.split(".")
    methods = {
        "nn2": lambda self, x: ask("nn2", list(self.W), x),
        "grad": lambda self, x, y, W=None: ask("grad", list(self.W if W is None else W), x, y),
        "emp_loss": lambda self, train_X, train_y, W=None, **_: ask(
            "emp_loss", list(self.W if W is None else W), train_X, train_y
        ),
        "emp_loss_grad": lambda self, train_X, train_y, W=None, layer=None, **_: ask(
            "emp_loss_grad", list(self.W if W is None else W), train_X, train_y, layer
        ),
    }
    setattr(getattr(module, owner), method, methods[method])


def optimizer(function):
    """An optimizer that the grader runs on the model's weights."""

    def optimize(model, train_X, train_y, *args, **options):
        options = dict(zip(("lr", "R"), args)) | options
        options.pop("callback", None)
        model.W = ask(function, list(model.W), train_X, train_y, {k: v for k, v in options.items() if v is not None})
        return model.W

    return optimize


def call(request):
    function = getattr(importlib.import_module(request["module"]), request["function"])
    args = [np.array(arg) if isinstance(arg, np.ndarray) else arg for arg in request["args"]]
    with np.errstate(all="ignore"):
        value = function(*args)
    return {"value": sendable(value), "after": args}


def network(request):
    """Call a method of an NN2 with given weights."""
    model = importlib.import_module("mlcvlab.models.nn2").NN2()
    own = [np.array(w) for w in request["own"]]
    try:
        model.W = own
    except Exception:
        for layer, w in zip(model.layers, own):
            layer.W = w
    args = [copied(arg) for arg in request["args"]]
    with np.errstate(all="ignore"):
        value = getattr(model, request["method"])(*args)
    return {"value": sendable(value), "after": sendable(args), "own": sendable(list(model.W))}


def copied(value):
    if isinstance(value, np.ndarray):
        return np.array(value)
    return [copied(item) for item in value] if isinstance(value, list) else value


class GivenLayer:
    def __init__(self, weights, index):
        self._weights, self._index = weights, index

    @property
    def W(self):
        return self._weights[self._index]

    @W.setter
    def W(self, value):
        self._weights[self._index] = value


class GivenModel:
    """A model whose gradients the grader computes."""

    def __init__(self, W):
        self._W = [np.array(w) for w in W]
        self.layers = [GivenLayer(self._W, i) for i in range(len(W))]

    @property
    def W(self):
        return self._W

    @W.setter
    def W(self, weights):
        self._W[:] = weights

    def _weights(self, W):
        return [np.asarray(w) for w in (self._W if W is None else W)]

    def nn2(self, x):
        return ask("nn2", self._weights(None), x)

    def grad(self, x, y, W=None):
        return ask("grad", self._weights(W), x, y)

    def emp_loss(self, train_X, train_y, W=None, **_):
        return ask("emp_loss", self._weights(W), train_X, train_y)

    def emp_loss_grad(self, train_X, train_y, W=None, layer=None, **_):
        return ask("emp_loss_grad", self._weights(W), train_X, train_y, layer)


def optimize(request):
    """Run a student's optimizer on a model that the grader supplies, from given weights."""
    function = getattr(importlib.import_module(request["module"]), request["function"])
    model = GivenModel(request["W"])
    X, y = np.array(request["X"]), np.array(request["y"])
    known = inspect.signature(function).parameters
    options = {name: value for name, value in request["options"].items() if name in known}
    with np.errstate(all="ignore"):
        value = function(model, X, y, **options)
    return {"value": sendable(value), "W": sendable(model.W), "after": [X, y]}


NAMESPACE = {}


def run_cells(request):
    """Run a notebook's code cells one after the other, as IPython does; stop at the first that fails."""
    os.environ["MPLBACKEND"] = "Agg"
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    failed = {}
    for number, source in enumerate(request["cells"], start=1):
        result = shell.run_cell(source, store_history=False)
        if error := result.error_before_exec or result.error_in_exec:
            failed = {"cell": number, "error": described(error, of_notebook=True)}
            break
    NAMESPACE.update(shell.user_ns)
    return {"names": [name for name in request["names"] if name in NAMESPACE], **failed}


def look(request):
    """A variable of the notebook: its shape, some of its entries along an axis, or all of it; a model's weights."""
    value = NAMESPACE[request["name"]]
    if hasattr(value, "nn2"):
        return {"value": sendable([np.asarray(w) for w in value.W])}
    value = np.asarray(value)
    if request["take"] is None:
        return {"shape": list(value.shape)}
    axis, indices = request["take"]
    return {"value": sendable(value if indices is None else np.take(value, indices, axis=axis))}


def described(error, of_notebook=False):
    """An exception, with the line of the student's code that it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f"{os.sep}mlcvlab{os.sep}" in f.filename or (of_notebook and "ipython" in f.filename)]
    where = ""
    if own:
        place = own[-1].filename.rpartition("mlcvlab" + os.sep)[2] if "mlcvlab" in own[-1].filename else "the notebook"
        where = f"{place}, line {own[-1].lineno}: {own[-1].line or ''}"
    elif isinstance(error, SyntaxError):
        where = f"line {error.lineno}: {(error.text or '').strip()}"
    return {"type": type(error).__name__[:80], "message": str(error)[:500], "where": where[:300]}


WORK = {
    "configure": configure,
    "load": load,
    "call": call,
    "network": network,
    "optimize": optimize,
    "run_cells": run_cells,
    "look": look,
}


def limit(limits):
    """Give up rights and resources before any of the student's code is read."""
    import resource

    for name, value in limits["resources"].items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (value, value))
    if limits["user"] is not None:
        os.setgroups([])
        os.setresgid(*[limits["user"]] * 3)
        os.setresuid(*[limits["user"]] * 3)


def main():
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    while True:
        request = protocol.decode(read, MOST_BYTES)
        if request["do"] == "limit":
            limit(request)
            write({"done": request["id"]})
            continue
        try:
            answer = {"answer": WORK[request["do"]](request)}
        except BaseException as error:
            answer = {"error": described(error)}
        write({"done": request["id"], **answer})


if __name__ == "__main__":
    main()
