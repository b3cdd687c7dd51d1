"""The two ways to train on shards: rounds of one exact gradient, and rounds of local steps with averaging."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from mlcvkit.cluster.model import ShardedModel
from mlcvkit.cluster.placement import Loaded
from mlcvkit.cluster.samples import ShardedArray
from mlcvkit.errors import InputError
from mlcvkit.models import MLP
from mlcvkit.training import (
    MEASURED_SAMPLES,
    Batch,
    Hyperparameters,
    Measured,
    MiniBatchSteps,
    ModelGradient,
    State,
    Step,
    with_penalty_and_limit,
)
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn import Array

SMALLEST_BATCH = 32
"""The least size of a shard's mini-batch: smaller ones take more time than they save."""


class _OnShards:
    def __init__(self, model: MLP | NN2, X: ShardedArray, y: ShardedArray, hp: Hyperparameters) -> None:
        self.X, self.y, self.hp = X, y, hp
        self.samples, self.steps = len(X), 1
        self.model = model.model if isinstance(model, ShardedModel) else model
        self.optimizer = hp.make_optimizer()

    def start(self, w: Array) -> State:
        return self.optimizer.start(w)

    def some(self, most: int) -> Measured:
        return (*self.X.some(self.y, most, self.hp.seed), {})

    def fingerprint(self) -> str:
        """The SHA-256 sum of some of the samples."""
        X, y, _ = self.some(MEASURED_SAMPLES)
        return hashlib.sha256(np.ascontiguousarray(X).tobytes() + np.ascontiguousarray(y).tobytes()).hexdigest()


class Synchronous(_OnShards):
    """One step of the optimizer an epoch, with the exact gradient of all samples.

    A round costs the slowest worker's pass over its shards, and what ``docs/cluster.md`` says for the way.

    Parameters
    ----------
    model
        The model.
    X
        The samples in shards.
    y
        The targets in shards.
    hp
        The hyperparameters.
    """

    def __init__(self, model: MLP | NN2, X: ShardedArray, y: ShardedArray, hp: Hyperparameters) -> None:
        super().__init__(model, X, y, hp)
        if hp.make_augmentation().active or getattr(self.model, "dropout", False):
            raise InputError("the exact gradient of all samples has no dropout and no augmentation: give local_steps")
        plain = ModelGradient(model if isinstance(model, ShardedModel) else ShardedModel(model))  # type: ignore[arg-type]
        self.gradient = with_penalty_and_limit(plain, hp)

    def epoch(self, epoch: int) -> Iterator[Step]:
        """The one step of an epoch."""
        batch = Batch(self.X, self.y, np.arange(0), None, np.random.default_rng(self.hp.seed))  # type: ignore[arg-type]

        def step(w: Array, state: State, learning_rate: float) -> int:
            self.optimizer.step(w, lambda at: self.gradient(at, batch), state, learning_rate)
            return self.samples

        yield step


class Averaging(_OnShards):
    """Every shard takes some mini-batch steps from the same weights; then weights and optimizer states are averaged.

        w ← Σ_i (n_i / N) w_i,    w_i: w after k steps on the mini-batches of shard i

    The shards go through their samples in passes of their own, each shuffled again. A round follows from the weights,
    the state and its number, so that it can be done again elsewhere. An epoch has as many rounds as make one pass over
    the samples. ``batch_size`` is that of all shards together, of which each takes its part, but 32 samples or more.

    Parameters
    ----------
    model
        The model.
    X
        The samples in shards.
    y
        The targets in shards.
    hp
        The hyperparameters.

    References
    ----------
    McMahan et al. (2017), "Communication-efficient learning of deep networks from decentralized data", algorithm 1,
    with each shard in each round; the averaging of the optimizers' states is that of Yu, Jin, Yang (2019), "On the
    linear speedup analysis of communication efficient momentum SGD", algorithm 1.
    """

    def __init__(self, model: MLP | NN2, X: ShardedArray, y: ShardedArray, hp: Hyperparameters) -> None:
        super().__init__(model, X, y, hp)
        shards = len(X.data.facts)
        of_shard = replace(hp, batch_size=max(math.ceil(hp.batch_size / shards), SMALLEST_BATCH))
        passes = self.samples / shards / of_shard.batch_size
        self.steps = max(1, round(passes / hp.local_steps))
        self.local_steps = max(1, math.ceil(passes / self.steps))
        self.shared = X.data.share((self.model, of_shard, y.function))

    def epoch(self, epoch: int) -> Iterator[Step]:
        """The rounds of an epoch."""
        for number in range(epoch * self.steps, (epoch + 1) * self.steps):

            def step(w: Array, state: State, learning_rate: float, number: int = number) -> int:
                steps = range(number * self.local_steps, (number + 1) * self.local_steps)
                arrays = [w, *state]
                means = self.X.data.mean(_trained, self.shared, arrays, type(state), steps, learning_rate)
                for array, mean in zip(arrays, means, strict=True):
                    array[...] = mean if array.dtype.kind == "f" else np.rint(mean)
                return self.samples // self.steps

            yield step


def _trained(
    loaded: Loaded,
    shared: tuple[MLP | NN2, Hyperparameters, Callable[[Array], Array] | None],
    arrays: Sequence[Array],
    state_type: Callable[..., State],
    steps: range,
    learning_rate: float,
) -> list[Array]:
    """Weights and state after some steps on one shard, with whole numbers as floats for averaging."""
    model, hp, function = shared
    X, y = loaded.samples()
    y = y if function is None else function(y)
    of_shard = replace(hp, seed=_seed(hp.seed, loaded.index), batch_size=min(hp.batch_size, len(X)))
    mini_batches = MiniBatchSteps(model, X, y, of_shard)
    w, *state = (array.copy() for array in arrays)
    step = steps.start
    while step < steps.stop:
        a_pass, first = divmod(step, mini_batches.steps)
        last = min(mini_batches.steps, first + steps.stop - step)
        for take in mini_batches.epoch(a_pass, slice(first, last)):
            take(w, state_type(*state), learning_rate)
        step += last - first
    return [array if array.dtype.kind == "f" else array.astype(np.float64) for array in (w, *state)]


def _seed(seed: int, shard: int) -> int:
    return int(np.random.SeedSequence([seed, shard]).generate_state(1)[0])
