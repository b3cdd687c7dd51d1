"""Mini-batches: shuffled, gathered into one buffer, scaled and distorted on the way."""

import math
import mmap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from mlcvkit.training import kernels
from mlcvkit.training.augmentation import Augmentation
from mlcvlab.nn import Array

CHUNK_SAMPLES = 256
"""Neighbouring samples that are read together from a file larger than the pool."""
POOL_BYTES = 128 << 20
"""How much of a memory-mapped file larger than this is shuffled at a time."""
READ_SAMPLES = 64 * CHUNK_SAMPLES
"""After so many the file's pages are given back: the system maps up to ten times what is read."""


class Batches:
    """The mini-batches of a data set, epoch by epoch, each a function of the seed and the epoch alone.

    ``X``, (N, ...), a sample a row: floats as they are, or uint8 from 0 to 255, which stay so in memory and become
    float32 from 0 to 1 in the batch; ``y``, (N,); ``samples``, the indices to use, all where None.

    A memory-mapped file that is larger than the pool is not read at random: its chunks of neighbouring samples are
    shuffled, as many as the pool holds are read ahead in a thread, and the samples of the pool are shuffled.
    """

    def __init__(
        self,
        X: Array,
        y: Array,
        batch_size: int,
        *,
        samples: npt.NDArray[np.intp] | None = None,
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        self.shape = X.shape[1:]
        self.X, self.y = X.reshape(len(X), -1), y
        self.samples = np.arange(len(X)) if samples is None else np.sort(samples)
        self.batch_size, self.seed = batch_size, seed
        self.augmentation = augmentation if augmentation is not None and augmentation.active else None
        self.steps = math.ceil(len(self.samples) / batch_size)
        dtype = np.float32 if X.dtype == np.uint8 else X.dtype
        self._batch = np.empty((batch_size, self.X.shape[1]), dtype)

    def epoch(self, epoch: int) -> Iterator[tuple[Array, Array]]:
        """Each sample once: x, (B, K), which the next batch overwrites, and its targets, (B,)."""
        rng = np.random.default_rng([self.seed, epoch])
        for X, y, order in self._pools(rng):
            for i in range(0, len(order), self.batch_size):
                yield self._make(X, y, order[i : i + self.batch_size], rng)

    def _make(self, X: Array, y: Array, order: npt.NDArray[np.intp], rng: np.random.Generator) -> tuple[Array, Array]:
        x = self._batch[: len(order)]
        if self.augmentation is not None:
            self.augmentation(X[order].reshape(-1, *self.shape), rng, x)
        elif X.dtype == np.uint8:
            kernels.scaled_rows(X, order, x)
        else:
            np.take(X, order, axis=0, out=x, mode="clip")
        return x, y[order]

    def _pools(self, rng: np.random.Generator) -> Iterator[tuple[Array, Array, npt.NDArray[np.intp]]]:
        """Samples in memory with the order to visit them in."""
        if not (isinstance(self.X, np.memmap) and self.X.nbytes > POOL_BYTES):
            yield self.X, self.y, rng.permutation(self.samples)
            return
        chunks = rng.permutation(math.ceil(len(self.samples) / CHUNK_SAMPLES))
        # whole batches, so that only the last batch of an epoch can be a small one
        multiple = math.lcm(CHUNK_SAMPLES, self.batch_size)
        size = max(1, POOL_BYTES // self.X[0].nbytes // multiple) * multiple // CHUNK_SAMPLES
        # the one chunk that may be short comes last
        chunks = np.concatenate([chunks[chunks != len(chunks) - 1], [len(chunks) - 1]])
        parts = [chunks[first : first + size] for first in range(0, len(chunks), size)]
        with ThreadPoolExecutor(1) as reader:  # the next pool is read while this one is trained on
            ahead = reader.submit(self._read, parts[0])
            for following in [*parts[1:], None]:
                X, samples = ahead.result()
                if following is not None:
                    ahead = reader.submit(self._read, following)
                yield X, self.y[samples], rng.permutation(len(samples))

    def _read(self, chunks: npt.NDArray[np.intp]) -> tuple[Array, npt.NDArray[np.intp]]:
        """The samples of some chunks of the file, copied, and their indices."""
        samples = np.concatenate([self.samples[c * CHUNK_SAMPLES : (c + 1) * CHUNK_SAMPLES] for c in np.sort(chunks)])
        pool = np.empty((len(samples), self.X.shape[1]), self.X.dtype)
        for first in range(0, len(samples), READ_SAMPLES):
            part = slice(first, first + READ_SAMPLES)
            np.take(self.X, samples[part], axis=0, out=pool[part], mode="clip")
            _forget(self.X)
        return pool, samples


def _forget(X: Array) -> None:
    """Take a file's pages out of this process; the system's cache keeps them."""
    if hasattr(mmap, "MADV_DONTNEED"):
        X._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]
