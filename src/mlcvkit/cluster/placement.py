"""Shards on a cluster's workers, and means over them that come out the same wherever they lie."""

import asyncio
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, TypeVar

import numpy as np

from mlcvkit.arrays import Rows, Values
from mlcvkit.cluster.shards import ArrayShard, Shard
from mlcvkit.errors import InputError
from mlcvkit.extras import require
from mlcvlab.nn import Array

if TYPE_CHECKING:
    from dask.delayed import Delayed
    from distributed import Client, Future

FAN_IN = 8
"""How many shards' results one addition of the tree takes."""
BLOCK_SAMPLES = 4096
"""Rows of bytes, or of a mapped file, are converted to floats this many at a time."""
LOOK_AGAIN = 5.0
"""Seconds between two checks of the cluster during a long round."""
PATIENCE = 60.0
"""Seconds to wait for a worker if none is left."""


class ClusterError(ConnectionError):
    """The cluster went away or cannot finish its work; the message says what to do."""


Result = TypeVar("Result")


class ShardError(InputError):
    """A shard cannot be read.

    Parameters
    ----------
    index
        Its index.
    location
        Its location.
    reason
        Why.
    """

    def __init__(self, index: int, location: str, reason: str) -> None:
        super().__init__(f"a shard cannot be read ({location}): {reason}")
        self.index, self.location, self.reason = index, location, reason

    def __reduce__(self) -> tuple[type[Self], tuple[int, str, str]]:
        return type(self), (self.index, self.location, self.reason)


class LeftOut(NamedTuple):
    """A shard that the training continues without.

    Parameters
    ----------
    location
        Where it lies.
    reason
        The reason.
    rows
        The number of its rows, or None if it was never read.
    """

    location: str
    reason: str
    rows: int | None


class Facts(NamedTuple):
    """The properties of a shard.

    Parameters
    ----------
    rows
        The number of its rows.
    shape
        The shape of a sample.
    dtype
        The dtype of the samples.
    target_shape
        The shape of a target.
    target_dtype
        The dtype of the targets.
    """

    rows: int
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    target_shape: tuple[int, ...]
    target_dtype: np.dtype[np.generic]


class Loaded:
    """A shard as it lies on a worker: its samples and targets, or, of a mapped file, only the way to them.

    Parameters
    ----------
    index
        The index of the shard.
    shard
        The shard.
    """

    def __init__(self, index: int, shard: Shard) -> None:
        self.index, self.shard = index, shard
        X, y = self._read()
        self.facts = Facts(len(X), X.shape[1:], X.dtype, y.shape[1:], y.dtype)
        self._arrays = None if isinstance(X, np.memmap) else (X, y)

    def samples(self) -> tuple[Rows, Values]:
        """Read the samples, (n, ...), and their targets."""
        return self._arrays or self._read()

    def blocks(self) -> Iterable[slice]:
        """All rows, in parts unless they are floats in memory."""
        n, floats = self.facts.rows, self.facts.dtype.kind == "f" and self._arrays is not None
        size = n if floats else BLOCK_SAMPLES
        return (slice(i, min(i + size, n)) for i in range(0, n, size))

    def _read(self) -> tuple[Rows, Values]:
        try:
            X, y = self.shard.load()
        except InputError as error:
            raise ShardError(self.index, self.shard.location, str(error)) from None
        if not isinstance(X, np.ndarray) or X.dtype.kind not in "fiub":
            reason = "its samples must be rows of numbers: encode the table first"
            raise ShardError(self.index, self.shard.location, reason)
        return X, y

    def __sizeof__(self) -> int:
        return 1000 if self._arrays is None else sum(array.nbytes for array in self._arrays)


class _Placed(Protocol):
    """What is made of a shard on its worker."""

    facts: Facts


class PlacedShards:
    """Shards, each on one of a cluster's workers or, without a cluster, in this process, and rounds over them.

    Parameters
    ----------
    shards
        The shards.
    client
        A ``distributed.Client``, or None for this process.
    allow_missing
        Whether a shard that cannot be read is left out, with a warning.
    kind
        ``kind(index, shard)`` makes what is kept of a shard; it has ``facts``.
    """

    def __init__(
        self,
        shards: Sequence[Shard],
        client: "Client" = None,
        *,
        allow_missing: bool = False,
        kind: Callable[[int, Shard], "_Placed"] = Loaded,
    ) -> None:
        require("cluster")
        self.shards, self.client, self.allow_missing, self.kind = list(shards), client, allow_missing, kind
        self.left_out: list[LeftOut] = []
        self._name, self._keys = f"mlcvlab-{uuid.uuid4().hex[:8]}", 0
        self.facts: dict[int, Facts] = {}
        self._placed: dict[int, Future] = {}
        workers = [] if client is None else list(client.nthreads())
        for index in range(len(self.shards)):
            near = workers[index * len(workers) // len(self.shards)] if workers else None
            try:
                self._place(index, near)
            except ShardError as error:
                self._leave_out(error)
        facts = self.each(_facts_of)
        self.facts = dict(zip(self._placed, facts, strict=True))
        self.at_first = dict(self.facts)
        self._require_fit()

    def __len__(self) -> int:
        return sum(facts.rows for facts in self.facts.values())

    def share(self, value: object) -> object:
        """Send something that many rounds need; it travels to each worker once.

        Parameters
        ----------
        value
            What they need.

        Returns
        -------
        object
            What ``mean`` and ``each`` take as ``shared``.
        """
        return value if self.client is None else self.client.submit(_itself, value, key=self._key("shared"))

    def mean(self, function: Callable[..., list[Array]], shared: object, *arguments: object) -> list[Array]:
        """One round: the mean of a function of a shard, weighted by the shards' numbers of samples.

            Σ_i (n_i / N) f(shard_i, shared, arguments)

        Parameters
        ----------
        function
            ``function(loaded, shared, *arguments)`` returns a list of arrays.
        shared
            What ``share`` returned.
        *arguments
            Further arguments, which travel to each worker once.

        Returns
        -------
        list[Array]
            The means.

        Raises
        ------
        InputError
            For a shard that cannot be read any more.
        ClusterError
            If the cluster is gone.
        """
        return self._retried(lambda: self._computed(self._tree(function, shared, arguments)))

    def each(self, function: Callable[..., Result], shared: object = None, *arguments: object) -> list[Result]:
        """A function of every shard.

        Parameters
        ----------
        function
            ``function(loaded, shared, *arguments)``.
        shared
            What ``share`` returned.
        *arguments
            Further arguments, which travel to each worker once.

        Returns
        -------
        list[Result]
            The results, in the order of the shards.

        Raises
        ------
        InputError, ClusterError
            As for ``mean``.
        """

        def work() -> list[Result]:
            sent = self._task(_arguments, arguments)
            parts = [self._task(_applied, at, function, shared, sent) for at in self._placed.values()]
            results: list[Result] = self._computed(self._task(_itself, parts))
            return results

        return self._retried(work)

    def _tree(self, function: Callable[..., list[Array]], shared: object, arguments: tuple[object, ...]) -> "Delayed":
        total, sent = len(self), self._task(_arguments, arguments)
        parts = [
            self._task(_share, self._placed[index], function, shared, sent, facts.rows / total)
            for index, facts in self.facts.items()
        ]
        while len(parts) > 1:
            parts = [self._task(_sum, parts[i : i + FAN_IN]) for i in range(0, len(parts), FAN_IN)]
        return parts[0]

    def _task(self, function: Callable[..., object], *arguments: object) -> "Delayed":
        from dask.delayed import delayed

        return delayed(function, pure=False)(*arguments, dask_key_name=self._key(function.__name__.strip("_")))

    def _key(self, what: str) -> str:
        self._keys += 1
        return f"{what}-{self._name}-{self._keys}"

    def _place(self, index: int, near: str | None = None) -> None:
        """Have a shard read by some worker; an array is sent to the one that is named."""
        shard = self.shards[index]
        if self.client is None:
            self._placed[index] = self.kind(index, shard)
        elif isinstance(shard, ArrayShard):
            self._placed[index] = self._sent(self.kind(index, shard), near)
        else:
            # without a preferred worker: Dask would let such tasks wait for ever if all workers are lost together
            self._placed[index] = self.client.submit(self.kind, index, shard, key=self._key("shard"))

    def _sent(self, loaded: "_Placed", near: str | None) -> "Future":
        """Send arrays to a worker, or to any other if that one is gone."""
        for workers in (near, None, None):
            with suppress(KeyError, OSError, TimeoutError):
                (future,) = self.client.scatter([loaded], hash=False, workers=workers)
                return future
        raise ClusterError("the cluster takes no arrays: its workers are gone")

    def _require_fit(self) -> None:
        """The shards must have samples and targets of one shape and one kind."""
        (one, first), *others = self.facts.items()
        for index, facts in others:
            mine, its = (
                (f.shape, f.target_shape, f.dtype == np.uint8, f.target_dtype.kind == "U") for f in (first, facts)
            )
            if mine != its:
                raise InputError(
                    f"the shards do not fit each other: {self.shards[one].location} has samples {first.dtype} "
                    f"{first.shape} and targets {first.target_dtype} {first.target_shape}, "
                    f"{self.shards[index].location} {facts.dtype} {facts.shape} and {facts.target_dtype} "
                    f"{facts.target_shape}"
                )

    def _retried(self, work: Callable[[], Result]) -> Result:
        """Repeat a round without a shard that is left out, or after sending lost arrays again."""
        while True:
            try:
                return work()
            except ShardError as error:
                self._leave_out(error)
            except _Lost:
                lost = [index for index, future in self._placed.items() if future.status in ("lost", "cancelled")]
                if not lost:
                    raise ClusterError("the cluster was started anew, and has lost what it was told") from None
                for index in lost:
                    self._place(index)

    def _leave_out(self, error: ShardError) -> None:
        if not self.allow_missing:
            raise error
        facts = self.facts.pop(error.index, None)
        self._placed.pop(error.index, None)
        self.left_out.append(LeftOut(error.location, error.reason, facts.rows if facts else None))
        if len(self.left_out) == len(self.shards):
            raise InputError(f"none of the {len(self.shards)} shards can be read; the last: {error.reason}")
        rows = f" with its {facts.rows:,} samples" if facts else ""
        warnings.warn(f"left out a shard{rows} ({error.location}): {error.reason}", stacklevel=4)

    def _computed(self, graph: "Delayed") -> Any:
        if self.client is None:
            from threadpoolctl import threadpool_limits

            with threadpool_limits(1, user_api="blas"):
                return graph.compute(scheduler="synchronous", optimize_graph=False)
        return self._result(self.client.compute(graph, optimize_graph=False))

    def _result(self, future: "Future") -> Any:
        """What a future comes to; an error where no worker is left, or the scheduler is gone."""
        from distributed import CancelledError, KilledWorker

        alone_since: float | None = None
        while True:
            try:
                return future.result(timeout=LOOK_AGAIN)
            except TimeoutError:
                alone_since = None if self._workers() else alone_since or time.monotonic()
                if alone_since is not None and time.monotonic() - alone_since > PATIENCE:
                    raise ClusterError(f"the cluster has had no worker for {PATIENCE:.0f} s") from None
            except KilledWorker as error:
                raise ClusterError(
                    f"{error.last_worker.address if error.last_worker else 'a worker'} and the workers before it ended "
                    "on the same shard, as they do where memory is short: give more shards, which are smaller"
                ) from None
            except (CancelledError, asyncio.CancelledError) as error:
                if self.client.status != "running":
                    raise ClusterError("the scheduler is gone") from None
                self._workers()  # which an answering scheduler tells
                raise _Lost from error

    def _workers(self) -> dict[str, int]:
        try:
            return dict(self.client.nthreads())
        except (OSError, TimeoutError, RuntimeError) as error:
            raise ClusterError(f"the scheduler does not answer: {error}") from None


class _Lost(Exception):
    """Something that a round needs is not on the cluster any more."""


def _itself(value: Result) -> Result:
    return value


def _arguments(sent: tuple[object, ...]) -> tuple[object, ...]:
    """What a round tells all shards: a task, so that it can be made again where the worker that holds it is lost."""
    return sent


def _applied(loaded: Loaded, function: Callable[..., Result], shared: object, arguments: Sequence[object]) -> Result:
    _use_one_thread()
    return function(loaded, shared, *arguments)


def _share(
    loaded: Loaded, function: Callable[..., list[Array]], shared: object, arguments: Sequence[object], share: float
) -> list[Array]:
    return [array * array.dtype.type(share) for array in _applied(loaded, function, shared, arguments)]


def _sum(parts: Sequence[list[Array]]) -> list[Array]:
    first, *others = parts
    total = [array.copy() for array in first]
    for part in others:
        for array, more in zip(total, part, strict=True):
            array += more
    return total


def _facts_of(loaded: Loaded, shared: None) -> Facts:
    return loaded.facts


@cache
def _use_one_thread() -> None:
    """A worker has one thread for matrix products: so the bits do not depend on its number of cores."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="blas")
