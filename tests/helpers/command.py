"""The mlcvlab command as a process of its own, forked from one that has imported what it needs.

Most of a short command's time goes into imports, and into the interpreter's end after them. Here they are made once,
and a command ends without taking them down. Of this project, ``mlcvkit.cli`` alone is imported after the fork: it looks
at the surroundings when it is imported. What a command imports is tested with a ``COMMAND`` of its own.
"""

import atexit
import gc
import io
import json
import os
import re
import runpy
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

COMMAND = [sys.executable, "-m", "mlcvkit"]
IMPORTED = "matplotlib.figure matplotlib.backends.backend_agg PIL.Image cyclopts rich.console rich.progress scipy.stats"
IMPORTED += " sklearn.base sklearn.utils.validation numba polars safetensors.numpy distributed optuna"
IMPORTED += (
    " mlcvkit.estimators mlcvkit.experiments mlcvkit.storage mlcvkit.plots mlcvkit.report mlcvkit.tuning.studies"
)
WIDTH = "120"


def run(*arguments, folder, **environment):
    """Run the command in a folder and wait until it ends."""
    words = [str(argument) for argument in arguments]
    environment = {**os.environ, "COLUMNS": WIDTH, **environment}
    with tempfile.TemporaryDirectory() as place:
        asked = {"arguments": words, "folder": str(folder), "environment": environment, "place": place}
        server = _server()
        server.stdin.write(json.dumps(asked) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        said = [(Path(place) / name).read_text(encoding="utf-8") for name in ("stdout", "stderr")]
    return subprocess.CompletedProcess([*COMMAND, *words], code, *said)


def assert_one_line_error(result, *words, code=2):
    """A mistake is told in one line, and nothing else is printed."""
    assert (result.returncode, result.stdout) == (code, ""), result
    assert re.fullmatch(r"mlcvlab: error: [^\n]+\n", result.stderr), result.stderr
    for word in words:
        assert word in result.stderr, result.stderr


@cache
def _server():
    server = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(lambda: (server.stdin.close(), server.wait()))
    return server


def server_pid():
    """The process that commands are forked from, None where none was needed yet."""
    return _server().pid if _server.cache_info().currsize else None


def _serve():
    for name in IMPORTED.split():
        __import__(name)
    _use_once()
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _use_once():
    """What is loaded at its first use: machine code, fonts, and what Python remembers of classes."""
    from matplotlib.figure import Figure

    from mlcvkit.estimators import MLPClassifier

    MLPClassifier(hidden_units=3, epochs=1).fit(np.eye(8, dtype=np.float32), np.arange(8) % 2)
    assert all(isinstance(kind(), (Sequence, Mapping)) for kind in (str, list, dict))
    figure = Figure(layout="constrained")
    figure.subplots().plot([0, 1], label="a")
    figure.legend()
    figure.savefig(io.BytesIO())


def _become(asked):
    """Turn into the command, and end as it does, without taking down what was imported."""
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    for name, number in (("stdout", 1), ("stderr", 2)):
        os.dup2(os.open(f"{asked['place']}/{name}", os.O_CREAT | os.O_WRONLY), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = ["mlcvkit", *asked["arguments"]]
    sys.path[0] = asked["folder"]
    code = 0
    try:
        runpy.run_module("mlcvkit", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        code = 1
        traceback.print_exc()
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve()
