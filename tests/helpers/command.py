"""The mlcvlab command as a process of its own, forked from one that has imported what others wrote.

Two thirds of a command's time go into scikit-learn, SciPy and matplotlib; here they are imported once. Nothing of this
project is imported before the fork.
"""

import json
import os
import re
import runpy
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from threading import Timer

COMMAND = [sys.executable, "-m", "mlcvkit"]
IMPORTED = "matplotlib.figure matplotlib.backends.backend_agg PIL.Image cyclopts rich.console rich.progress scipy.stats"
IMPORTED += " sklearn.base sklearn.utils.validation numba polars safetensors.numpy"
WIDTH = "120"


def run(*arguments, folder, seconds=180, **environment):
    """Run the command in a folder and wait until it ends."""
    words = [str(argument) for argument in arguments]
    environment = {**os.environ, "COLUMNS": WIDTH, **environment}
    with tempfile.TemporaryDirectory() as place:
        asked = {"arguments": words, "folder": str(folder), "environment": environment, "place": place}
        server = _server()
        server.stdin.write(json.dumps(asked | {"seconds": seconds}) + "\n")
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
    return subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _serve():
    for name in IMPORTED.split():
        __import__(name)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(asked)
        late = Timer(asked["seconds"], os.kill, (child, signal.SIGKILL))
        late.start()
        _, status = os.waitpid(child, 0)
        late.cancel()
        late.join()
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(asked):
    """Turn into the command."""
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    for name, number in (("stdout", 1), ("stderr", 2)):
        os.dup2(os.open(f"{asked['place']}/{name}", os.O_CREAT | os.O_WRONLY), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = ["mlcvkit", *asked["arguments"]]
    sys.path[0] = asked["folder"]
    runpy.run_module("mlcvkit", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _serve()
