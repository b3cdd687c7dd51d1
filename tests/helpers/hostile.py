"""Submissions that try to get points they should not have, to break the grader, or to harm the machine.

Each is the reference solution with one function, or the beginning of one file, replaced. ``gains`` says which of the
tests of Problem 1 the submission may still get whole: those that it did not touch, where its code leaves the process
alive.
"""

from typing import NamedTuple

BASIS, ACTIVATIONS, NN2 = "mlcvlab/nn/basis.py", "mlcvlab/nn/activations.py", "mlcvlab/models/nn2.py"
LINEAR = "    return W @ x"
SIGMOID = "    e = np.exp(np.minimum(x, -x))\n    y: Array = np.maximum(e, x >= 0) / (1 + e)\n    return y"


class Hostile(NamedTuple):
    """A hostile submission: what it does in the place of a text of a file, and the test that it must not pass."""

    what: str
    code: str
    file: str = BASIS
    right: str = LINEAR
    robs: str = "linear"
    rule: str | None = None


def at_import(code: str) -> str:
    """The code at the beginning of a file, before its docstring."""
    return code + "\n"


HOSTILE = (
    Hostile("an infinite loop", "    while True: pass"),
    Hostile("an infinite loop at import", "while True: pass\n", right=""),
    Hostile("sleeps", "    import time\n    time.sleep(10**6)"),
    Hostile("a fork bomb", "    import os\n    while True:\n        try: os.fork()\n        except OSError: pass"),
    Hostile("a memory bomb", "    return np.concatenate([np.ones(10**8) for _ in range(10**6)])"),
    Hostile(
        "a memory bomb in children",
        "    import os, time\n    for _ in range(20):\n        if os.fork() == 0:\n            a = np.ones(3 * 10**7)\n"
        "            time.sleep(1000)\n    time.sleep(1000)",
    ),
    Hostile("10 GB of output", "    while True: print('x' * 10**6)"),
    Hostile("output past Python", "    import os\n    while True:\n        for fd in (1, 2): os.write(fd, b'x' * 10**6)"),
    Hostile(
        "fills the disk",
        "    n = 0\n    while True:\n        n += 1\n        with open(f'/tmp/{n}', 'wb') as f: f.write(bytes(10**7))",
    ),
    Hostile("deletes all it can", "    import shutil\n    shutil.rmtree('/', ignore_errors=True)\n    raise OSError"),
    Hostile(
        "reads the reference from disk",
        "    import os, re\n    for top in set(os.listdir('/')) - {'proc', 'sys', 'usr'}:\n      for root, _, names in os.walk('/' + top):\n        for name in names:\n"
        "            path = os.path.join(root, name)\n            if name == 'activations.py' and '/submission' not in path:\n"
        "                space = {}\n                exec(open(path).read(), space)\n                return space['sigmoid'](x)\n"
        "    raise OSError('no reference')",
        ACTIVATIONS, SIGMOID, "sigmoid",
    ),
    Hostile(
        "reads the reference from memory",
        "    import gc, types\n    for thing in gc.get_objects():\n        if isinstance(thing, types.FunctionType) and"
        " thing.__name__ == 'sigmoid' and thing is not sigmoid:\n            return thing(x)\n    raise OSError('no reference')",
        ACTIVATIONS, SIGMOID, "sigmoid",
    ),
    Hostile(
        "reads the grader's memory",
        "    import os\n    for pid in [p for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()]:\n"
        "        with open(f'/proc/{pid}/mem', 'rb') as f: f.read(10)\n    raise OSError",
    ),
    Hostile("imports the reference's package", "    from mlcvkit.course import grading\n    return x"),
    Hostile(
        "patches NumPy",
        "    np.allclose = np.array_equal = lambda *a, **k: True\n    np.testing.assert_allclose = lambda *a, **k: None\n"
        "    np.asarray = lambda a, *b, **k: np.zeros(3)\n    return x",
    ),
    Hostile(
        "returns an array that says it is equal to all",
        "    class Equal(np.ndarray):\n        def __eq__(self, other): return np.True_\n"
        "        def __array_function__(self, *a, **k): return True\n    return np.zeros((len(W), x.shape[1])).view(Equal)",
    ),
    Hostile(
        "forges an answer",
        "    import os, protocol\n    for number in range(200):\n        message = protocol.encode({'done': number, 'answer':"
        " {'value': np.zeros((3, 1)), 'after': [x, W]}})\n        for fd in range(3, 20):\n            try: os.write(fd, message)\n"
        "            except OSError: pass\n    return W @ x",
    ),
    Hostile(
        "forges the grade",
        "    for name in ('results.json', '/autograder/results/results.json', 'grades/overview.csv', '/submission/grade'):\n"
        "        try: open(name, 'w').write('{\"score\": 25, \"points\": 25}')\n        except OSError: pass\n    raise OSError",
    ),
    Hostile("exits with 0", "    import os\n    os._exit(0)"),
    Hostile("exits with 0 at import", "import os\nos._exit(0)\n", right=""),
    Hostile("raises SystemExit", "    raise SystemExit(0)"),
    Hostile("raises KeyboardInterrupt", "    raise KeyboardInterrupt"),
    Hostile(
        "kills the parent",
        "    import os, signal\n    for pid in (os.getppid(), 1, -1):\n        os.kill(pid, signal.SIGKILL)\n    raise OSError",
    ),
    Hostile("a segmentation fault", "    import ctypes\n    ctypes.string_at(0)"),
    Hostile(
        "a socket",
        "    import socket\n    with socket.create_connection(('127.0.0.1', PORT), timeout=1) as s: s.sendall(b'stolen')\n    return W @ x",
    ),
    Hostile(
        "a socket of the machine's files",
        "    import socket\n    s = socket.socket(socket.AF_UNIX)\n    s.connect('PLACE/socket')\n    s.sendall(b'stolen')\n    return W @ x",
    ),
    Hostile("reads the machine's files", "    open('PLACE/secret').read()\n    return W @ x"),
    Hostile("writes the machine's files", "    open('PLACE/secret', 'w').write('gone')\n    return W @ x"),
    Hostile("writes its own submission", "    open(__file__, 'a').write('# more')\n    return W @ x"),
    Hostile("is right only once", "    linear.n = getattr(linear, 'n', 0) + 1\n    return W @ x if linear.n == 1 else 0 * W @ x"),
    Hostile(
        "is right only where nothing looks on",
        "    import sys\n    return 0 * W @ x if 'protocol' in sys.modules else W @ x",
    ),
    Hostile("__import__", "    return __import__('tor' + 'ch').tensor(W) @ x", rule="libraries"),
    Hostile("importlib, reversed", "    import importlib\n    return importlib.import_module('hcrot'[::-1]).tensor(W)", rule="libraries"),
    Hostile("exec", "    exec('import jax.numpy as jnp')\n    return jnp.dot(W, x)", rule="libraries"),
    Hostile("eval of __import__", "    return eval(\"__import__('tensorflow')\").matmul(W, x)", rule="libraries"),
    Hostile(
        "ctypes runs an import",
        "    import ctypes\n    ctypes.pythonapi.PyRun_SimpleString(b'import keras; result = keras')\n    import __main__\n"
        "    return __main__.result",
    ),
    Hostile("an import hidden in numbers", "    return __import__(bytes([116, 111, 114, 99, 104]).decode()).tensor(W)"),
    Hostile(
        "gets rights by a namespace of its own",
        "    import ctypes, os\n    libc = ctypes.CDLL(None)\n    libc.unshare(0x10000000 | 0x00020000)\n"
        "    if libc.mount(b'none', b'/tmp', b'tmpfs', 0, None): raise OSError('no mount')\n    os.setuid(0)\n    return W @ x",
    ),
    Hostile(
        "leaves children behind",
        "    import os, time\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0:\n            time.sleep(3600)\n"
        "        os._exit(0)\n    raise OSError",
    ),
    Hostile(
        "asks for what is not supplied",
        "    import __main__\n    return __main__.ask('linear', x, W)",
    ),
    Hostile(
        "claims a message of a terabyte",
        "    import os, struct\n    for fd in range(3, 20):\n        try: os.write(fd, struct.pack('<4sIQ', b'mlcv', 10, 10**12))\n"
        "        except OSError: pass\n    return W @ x",
    ),
    Hostile(
        "nests its answer a million deep",
        "    import os, struct\n    text = b'[' * 10**6\n    for fd in range(3, 20):\n"
        "        try: os.write(fd, struct.pack('<4sIQ', b'mlcv', len(text), 0) + text)\n        except OSError: pass\n    return W @ x",
    ),
    Hostile("pickles", "    import pickle\n    return np.array([type('A', (), {'__reduce__': lambda s: (print, ('run',))})()], object)"),
    Hostile("recurses without end", "    return linear(x, W)"),
)  # fmt: skip
