"""Sharded samples and targets, which a model, an optimizer or ``fit`` takes in place of arrays."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlcvkit.arrays import Indices, Values, float_rows
from mlcvkit.cluster.placement import Loaded, PlacedShards
from mlcvkit.errors import InputError
from mlcvkit.models import MLP
from mlcvkit.training import Hyperparameters, Steps
from mlcvlab.models.nn2 import NN2

MOST_VALUES = 10_000
"""The most different targets that are looked for."""


class ShardedSamples(PlacedShards):
    """A data set in shards, each on one of a cluster's workers or, without a cluster, in this process.

    If a worker is lost, nothing else is: its shards are read again elsewhere, since a shard is a function of its
    location. Means over the shards are summed in a tree in the order of the shards, so that they are the same, bit for
    bit, for any number of workers, on machines of one kind with the same libraries.

    Parameters
    ----------
    shards
        The shards, as ``find_shards`` and ``array_shards`` make them.
    client
        A ``distributed.Client``, or None for this process.
    allow_missing
        Whether a shard that cannot be read is left out, with a warning that says which, instead of being an error.
    kind
        What is kept of a shard; for other uses than training.

    Attributes
    ----------
    X, y
        The samples and the targets, which models, optimizers, ``fit`` and estimators take as they take arrays.
    left_out
        The shards that were left out.
    facts
        What is known of each shard.

    Raises
    ------
    InputError
        For a shard that cannot be read, with its location, or that does not fit the others.

    See Also
    --------
    fit : Takes them as X and y.
    """

    @property
    def X(self) -> "ShardedArray":
        """The samples, (N, K)."""
        first = next(iter(self.facts.values()))
        dtype = np.float32 if first.dtype in (np.uint8, np.float16, np.float32) else np.float64
        return ShardedArray(self, "X", (self._rows_at_first, math.prod(first.shape)), np.dtype(dtype))

    @property
    def y(self) -> "ShardedArray":
        """The targets, (N,) or (N, C)."""
        first = next(iter(self.facts.values()))
        return ShardedArray(self, "y", (self._rows_at_first, *first.target_shape), first.target_dtype)

    @property
    def _rows_at_first(self) -> int:
        return sum(facts.rows for facts in self.at_first.values())


@dataclass(frozen=True, eq=False)
class ShardedArray:
    """Samples or targets in shards, or their transpose.

    ``array[rows]`` brings some of them here. Bytes are grey values from 0 to 255 and count as floats from 0 to 1.

    Parameters
    ----------
    data
        The shards.
    part
        Which part of them: the samples or the targets.
    shape
        The shape, (N, K), (N,) or (N, C), or of the transpose (K, N).
    dtype
        The dtype.
    function
        What is applied to the targets where they lie.
    columns
        Whether it is the transpose.
    """

    data: PlacedShards
    part: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    function: Callable[[Values], Values] | None = None
    columns: bool = False

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def T(self) -> "ShardedArray":
        """The transpose."""
        return replace(self, shape=self.shape[::-1], columns=not self.columns)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Any:
        if rows is None and self.ndim == 1:
            return replace(self, shape=(1, *self.shape), columns=True)
        if self.columns:
            raise TypeError("bring samples here by rows, not by columns")
        chosen = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else np.asarray(rows)
        order = np.argsort(chosen, kind="stable")
        gathered = self._gathered(chosen[order], self.function)[self.part == "y"]
        if len(gathered) < len(chosen):
            raise InputError("some of these rows are of a shard that was left out")
        brought = np.empty_like(gathered)
        brought[order] = gathered
        return brought

    def __array__(self, *_: Any, **__: Any) -> Values:
        raise TypeError(
            f"{self.shape[0]:,} samples lie in shards and are not brought here whole; array[rows] brings some of them"
        )

    def map(self, function: Callable[[Values], Values]) -> "ShardedArray":
        """Apply a function to the targets on their workers.

        Parameters
        ----------
        function
            The function, which must be one that can be pickled.

        Returns
        -------
        ShardedArray
            The results of the function.
        """
        example = function(self[:1])
        return replace(self, shape=(len(self), *example.shape[1:]), dtype=example.dtype, function=function)

    def distinct(self) -> Values:
        """The distinct targets.

        Returns
        -------
        Values
            The targets, ascending.

        Raises
        ------
        InputError
            If there are more than 10,000.
        """
        parts = self.data.each(_distinct, None, self.function)
        values = np.unique(np.concatenate(parts))
        if any(len(part) > MOST_VALUES for part in parts) or len(values) > MOST_VALUES:
            raise InputError(f"the targets have more than {MOST_VALUES:,} different values: these are no classes")
        return values

    def some(self, y: "ShardedArray", most: int, seed: int) -> tuple[Values, Values]:
        """Some rows with their targets, without those of shards that are left out.

        Parameters
        ----------
        y
            The targets.
        most
            The largest number of rows.
        seed
            The seed that they are drawn by.

        Returns
        -------
        tuple[Values, Values]
            The rows and their targets.
        """
        return self._gathered(drawn(len(self), most, seed), y.function)

    def steps(self, model: MLP | NN2, y: "ShardedArray", hp: Hyperparameters) -> Steps:
        """The steps of a training on it: rounds of local steps, or of one exact gradient.

        Parameters
        ----------
        model
            The model.
        y
            The targets.
        hp
            The hyperparameters.

        Returns
        -------
        Steps
            The steps.
        """
        from mlcvkit.cluster.steps import Averaging, Synchronous

        return (Averaging if hp.local_steps else Synchronous)(model, self, y, hp)

    def _gathered(self, rows: Indices, function: Callable[[Values], Values] | None) -> tuple[Values, Values]:
        """Some rows, ascending, with their targets."""
        ends = np.cumsum([facts.rows for facts in self.data.at_first.values()])
        if rows.size and (rows[0] < 0 or rows[-1] >= ends[-1]):
            raise IndexError(f"rows are from 0 to {ends[-1] - 1}; got {rows[0]} to {rows[-1]}")
        shard = np.searchsorted(ends, rows, side="right")
        starts = np.concatenate([[0], ends])
        wanted = {index: rows[shard == i] - starts[i] for i, index in enumerate(self.data.at_first)}
        parts = [part for part in self.data.each(_rows_of, None, wanted, function) if part is not None]
        if not parts:
            return np.empty((0, *self.shape[1:])), np.empty((0, *self.shape[1:]))
        X, y = zip(*parts, strict=True)
        return np.concatenate(X), np.concatenate(y)


def drawn(N: int, most: int, seed: int | Sequence[int]) -> Indices:
    """Draw some of N indices.

    Parameters
    ----------
    N
        The number of indices.
    most
        The largest number to draw.
    seed
        The seed.

    Returns
    -------
    Values
        The indices, ascending.
    """
    if most >= N:
        return np.arange(N)
    return np.sort(np.random.default_rng(seed).choice(N, most, replace=False))


def _rows_of(
    loaded: Loaded, shared: None, wanted: dict[int, Indices], function: Callable[[Values], Values] | None
) -> tuple[Values, Values] | None:
    rows = wanted[loaded.index]
    if not len(rows):
        return None
    X, y = loaded.samples()
    return np.array(float_rows(X[rows])), y[rows] if function is None else function(y[rows])


def _distinct(loaded: Loaded, shared: None, function: Callable[[Values], Values] | None) -> Values:
    y = loaded.samples()[1]
    return np.unique(y if function is None else function(y))[: MOST_VALUES + 1]
