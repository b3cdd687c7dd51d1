"""Mini-batches: shuffled, gathered into one buffer, scaled and distorted on the way."""

import math
import mmap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from mlcvkit.arrays import Indices, Rows
from mlcvkit.training import kernels
from mlcvkit.training.augmentation import Augmentation
from mlcvlab.nn import Array

CHUNK_SAMPLES = 256
"""Neighbouring samples that are read together from a file larger than the pool."""
POOL_BYTES = 128 << 20
"""How much of a memory-mapped file larger than this is shuffled at a time."""
READ_SAMPLES = 64 * CHUNK_SAMPLES
"""After this many bytes the file's pages are released: the system maps up to ten times what is read."""


class Batch(NamedTuple):
    """A mini-batch of n samples.

    Parameters
    ----------
    x
        The samples, (n, K), an array or a scipy.sparse matrix.
    y
        Their targets, (n,) or (n, C).
    features
        The indices of the features that ``x`` has; all others are zero in all of its samples.
    sample_weight
        The weight of each sample, (n,), or None.
    rng
        The generator for what is random in this step, such as dropout.
    """

    x: Array
    y: Array
    features: Indices
    sample_weight: Array | None
    rng: np.random.Generator


class Batches:
    """The mini-batches of a data set, epoch by epoch; each follows from the seed and the epoch alone.

    A memory-mapped file that is larger than the pool is not read at random: its chunks of neighbouring samples are
    shuffled, as many as the pool holds are read ahead in a thread, and the samples of the pool are shuffled.

    Parameters
    ----------
    X
        The samples, (N, ...), one a row. Floats are used as they are; uint8 from 0 to 255 stay so in memory and become
        float32 from 0 to 1 in the batch; a scipy.sparse matrix is read by rows.
    y
        Their targets, (N,) or (N, C).
    batch_size
        The number of samples in a batch. The last one of an epoch may have fewer.
    samples
        The indices of the samples to use. By default all.
    sample_weight
        The weight of each sample, (N,).
    augmentation
        How images are distorted.
    packed
        Whether a batch leaves out the features that are zero in all of it.
    seed
        The seed of the order and of all that is random.
    """

    def __init__(
        self,
        X: Rows,
        y: Array,
        batch_size: int,
        *,
        samples: Indices | None = None,
        sample_weight: Array | None = None,
        augmentation: Augmentation | None = None,
        packed: bool = False,
        seed: int = 0,
    ) -> None:
        self.shape = X.shape[1:]
        self.sparse = is_sparse(X)
        self.X, self.y, self.sample_weight = X if self.sparse else X.reshape(len(X), -1), y, sample_weight
        self.samples = np.arange(X.shape[0]) if samples is None else np.sort(samples)
        self.batch_size, self.packed, self.seed = batch_size, packed, seed
        self.augmentation = augmentation if augmentation is not None and augmentation.active else None
        self.steps = math.ceil(len(self.samples) / batch_size)
        K = self.X.shape[1]
        self.dtype = np.dtype(np.float32 if X.dtype in (np.uint8, np.float16, np.float32) else np.float64)
        self._scale = 1 / 255 if X.dtype == np.uint8 else 1.0
        self._batch, self._features = np.empty(0 if self.sparse else batch_size * K, self.dtype), np.arange(K)
        self._distorted = np.empty((batch_size if self.augmentation else 0, K), self.dtype)

    def epoch(self, epoch: int, part: slice = slice(None)) -> Iterator[Batch]:
        """Each sample of an epoch once. The next batch overwrites the samples of this one.

        Parameters
        ----------
        epoch
            The number of the epoch, from 0.
        part
            Which of the epoch's batches are wanted, where all samples are in memory.

        Yields
        ------
        Batch
            The batches.
        """
        rng = np.random.default_rng([self.seed, epoch + 1])  # [seed, 0] would be the stream of the seed alone
        for X, samples, order in self._pools(rng):
            for i in range(0, len(order), self.batch_size)[part]:
                rows = order[i : i + self.batch_size]
                chosen = rows if samples is None else samples[rows]
                weights = None if self.sample_weight is None else self.sample_weight[chosen]
                x, features = (X[rows], self._features) if self.sparse else self._make(X, rows, rng)
                yield Batch(x, self.y[chosen], features, weights, rng)

    def _make(self, X: Array, order: Indices, rng: np.random.Generator) -> tuple[Array, Indices]:
        B, scale, rows = len(order), self._scale, order
        if self.augmentation is not None:
            distorted = self._distorted[:B]
            self.augmentation(X[order].reshape(-1, *self.shape), rng, distorted)
            X, scale, rows = distorted, 1, np.arange(B)
        elif X.dtype not in (np.uint8, self.dtype):
            X, rows = X[order].astype(self.dtype), np.arange(B)
        n = self._features.size
        if self.packed:
            n = kernels.packed_rows(X, rows, scale, self._features, self._batch)
        x = self._batch[: B * n].reshape(B, n)
        if not self.packed:
            np.multiply(X[rows], x.dtype.type(scale), out=x)
        return x, self._features[:n]

    def _pools(self, rng: np.random.Generator) -> Iterator[tuple[Array, Indices | None, Indices]]:
        """Samples in memory, their indices (None for all), and the order to visit them in, in whole batches."""
        if not self._read_ahead:
            yield self.X, None, rng.permutation(self.samples)
            return
        chunks = rng.permutation(math.ceil(len(self.samples) / CHUNK_SAMPLES))
        size = max(1, POOL_BYTES // (self.X[0].nbytes * CHUNK_SAMPLES))
        parts = [chunks[first : first + size] for first in range(0, len(chunks), size)]
        left_X, left = self.X[:0], self.samples[:0]
        with ThreadPoolExecutor(1) as reader:  # the next pool is read while this one is trained on
            ahead = reader.submit(self._read, parts[0])
            for following in [*parts[1:], None]:
                pool, samples = ahead.result()
                if following is not None:
                    ahead = reader.submit(self._read, following)
                first = self.batch_size - len(left)
                pool[first : self.batch_size] = left_X
                X, samples = pool[first:], np.concatenate([left, samples])
                order = rng.permutation(len(samples))
                whole = len(order) if following is None else len(order) // self.batch_size * self.batch_size
                yield X, samples, order[:whole]
                left_X, left = X[order[whole:]], samples[order[whole:]]

    @property
    def _read_ahead(self) -> bool:
        # a copy of a mapped array is of its class and not mapped; what is written to a mapping of mode c is in memory
        X = self.X
        mapped = isinstance(X, np.memmap) and X._mmap is not None and X.mode != "c"  # type: ignore[attr-defined]
        return mapped and X.nbytes > POOL_BYTES

    def _read(self, chunks: Indices) -> tuple[Array, Indices]:
        """The samples of some chunks of the file, copied behind room for those left over; and their indices."""
        samples = np.concatenate([self.samples[c * CHUNK_SAMPLES : (c + 1) * CHUNK_SAMPLES] for c in np.sort(chunks)])
        pool = np.empty((self.batch_size + len(samples), self.X.shape[1]), self.X.dtype)
        for first in range(0, len(samples), READ_SAMPLES):
            part = samples[first : first + READ_SAMPLES]
            start = self.batch_size + first
            np.take(self.X, part, axis=0, out=pool[start : start + len(part)], mode="clip")
            _forget(self.X)
        return pool, samples


def is_sparse(X: object) -> bool:
    """Whether something is a scipy.sparse matrix or array, without importing SciPy.

    Parameters
    ----------
    X
        Anything.

    Returns
    -------
    bool
        Whether it is sparse.
    """
    return hasattr(X, "tocsr")


def _forget(X: Array) -> None:
    """Take a file's pages out of this process; the system's cache keeps them."""
    if hasattr(mmap, "MADV_DONTNEED"):
        X._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]
