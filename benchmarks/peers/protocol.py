"""What every peer shares: it reads requests, one JSON list a line, and answers each with one line of JSON.

A request is the name of a method and its arguments. NumPy alone is needed here, so that any peer's environment can run
it.
"""

import gzip
import json
import os
import resource
import struct
import sys
import time
from pathlib import Path

import numpy as np

MNIST = Path(__file__).parents[2] / "src" / "mlcvkit" / "data" / "mnist"


def mnist(part):
    """Images, (N, 784), float32 from 0 to 1, and 1 for even and 0 for odd, (N,); part is "train" or "t10k"."""
    images = gzip.decompress((MNIST / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((MNIST / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    N = struct.unpack(">i", images[4:8])[0]
    X = np.frombuffer(images, np.uint8, offset=16).reshape(N, -1) / np.float32(255)
    return X, (np.frombuffer(labels, np.uint8, offset=8) % 2 == 0).astype(np.float32)


def seconds(work):
    """How long a piece of work takes: its own measurement where it returns one, else the clock's."""
    start = time.perf_counter()
    own = work()
    return own if isinstance(own, float) else time.perf_counter() - start


class Peer:
    """One side of the comparison. Each method prepares once, and returns seconds of the work alone."""

    def __init__(self):
        self.prepared = {}

    def epoch(self, hidden_units, batch_size):
        """One epoch of mini-batch Adam over the training images."""
        return self._timed("make_epoch", hidden_units, batch_size)

    def dense_epoch(self, hidden_units, batch_size):
        """The same over images without a zero pixel; for a peer no pixel is cheaper than another."""
        return self.epoch(hidden_units, batch_size)

    def inference(self, hidden_units):
        """The probabilities of 10,000 images, one call."""
        return self._timed("make_inference", hidden_units)

    def full_gradient(self, hidden_units):
        """The gradient over all training images."""
        return self._timed("make_full_gradient", hidden_units)

    def peak_memory(self):
        """The largest resident memory of this process so far, in bytes."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    def _timed(self, make, *arguments):
        key = (make, *arguments)
        if key not in self.prepared:
            self.prepared[key] = getattr(self, make)(*arguments)
            self.prepared[key]()
        return seconds(self.prepared[key])


def serve(peer):
    # answers have a channel of their own: a library that prints must not break it
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        print(json.dumps(getattr(peer, method)(*arguments)), file=answers, flush=True)


def blas():
    """The kernels and threads of the matrix products that NumPy uses here."""
    from threadpoolctl import threadpool_info

    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    names = (f"{p['internal_api']} {p['version']} {p.get('architecture')}, {p['num_threads']} threads" for p in pools)
    return "; ".join(names)
