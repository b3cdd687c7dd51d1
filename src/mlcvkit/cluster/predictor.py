"""From raw shards to answers: the encoder learns from a sample of the rows, the network from all."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvkit import InputError, datasets
from mlcvkit.cluster.placement import Facts, LeftOut, PlacedShards, ShardError
from mlcvkit.cluster.samples import MOST_VALUES, ShardedSamples
from mlcvkit.cluster.shards import Shard
from mlcvkit.datasets import ImageEncoder, Samples, TableEncoder
from mlcvkit.datasets.tables import encoder_for
from mlcvkit.estimators import Predictor
from mlcvkit.estimators.predictor import TEST_FRACTION, Task, checked_target, make_estimator, require_fraction_used
from mlcvkit.experiments import KindName
from mlcvkit.training import Callback, Hyperparameters

Array = npt.NDArray[Any]

HELD_OUT = 10_000
"""The most rows that are kept apart to test with: they are brought here, and more would not tell more."""
LOOKED_AT = 50_000
"""The most rows from which the encoder learns what the columns are."""


class Trained(NamedTuple):
    """A predictor that was trained on a cluster, the raw test rows with their targets, and what was left out."""

    predictor: Predictor
    test: tuple[Any, Array]
    left_out: list[LeftOut]


def train_predictor_on_shards(
    shards: list[Shard],
    name: str,
    target: str | None,
    hyperparameters: Hyperparameters,
    *,
    client: Any = None,
    kind: KindName = "mlp",
    task: Task | None = None,
    test_fraction: float = TEST_FRACTION,
    allow_missing: bool = False,
    callbacks: tuple[Callback, ...] = (),
    resume: Path | None = None,
) -> Trained:
    """Train on the rows of all shards but those that are held out to test and to stop by, 10,000 at most of each.

    The columns' facts, such as their means and categories, are those of 50,000 rows at most, drawn from all shards.

    Arguments: ``name`` of the data; ``target``, its name; ``client`` as for ``ShardedSamples``; the others as for
    ``mlcvkit.estimators.train_predictor``. Returns: the predictor, the test rows, and the shards that were left out.
    Raises: InputError for shards that cannot be read, or targets that cannot be learned; ClusterError where the cluster
    is gone.
    """
    if not 0 <= test_fraction < 1:
        raise InputError(f"test_fraction must be at least 0 and below 1; got {test_fraction}")
    own = datasets.read(name) if name in datasets.TOYS else None
    own_test = None if own is None else own.test
    require_fraction_used(name, own_test, test_fraction)
    plan = _Plan.make(sum(shard.count for shard in shards), 0 if own_test else test_fraction, hyperparameters)
    surveyed = PlacedShards(shards, client, allow_missing=allow_missing, kind=partial(Survey, plan))
    surveys: list[Survey] = surveyed.each(_itself)
    looked_at = _joined([survey.sample for survey in surveys])
    values = np.unique(np.concatenate([survey.values for survey in surveys]))
    y = np.concatenate([looked_at[1], values])
    y, task = checked_target(Samples(name, None, y, target or "y", ""), task)
    estimator = make_estimator(kind, hyperparameters, task, len(surveyed), on_cluster=True)
    estimator.set_params(callbacks=callbacks, validation_fraction=0.0)
    encoder = encoder_for(looked_at[0]).fit(looked_at[0])
    kept = [shards[survey.index] for survey in surveys]
    prepared: list[Shard] = [
        PreparedShard(shard, survey.index, plan, encoder, y.dtype) for shard, survey in zip(kept, surveys, strict=True)
    ]
    unread = surveyed.left_out
    del surveyed
    data = ShardedSamples(prepared, client, allow_missing=allow_missing)
    validation_X, validation_y = _joined([survey.validation for survey in surveys])
    validation = (encoder.transform(validation_X), _of_kind(validation_y, y.dtype)) if len(validation_y) else None
    try:
        estimator.fit(data.X, data.y, validation_data=validation, resume=resume)
    except ValueError as error:
        raise error if isinstance(error, InputError) else InputError(str(error)) from None
    fingerprint = own.fingerprint if own is not None and own_test is not None else ""
    test_X, test_y = own_test or _joined([survey.test for survey in surveys])
    predictor = Predictor(encoder, estimator, target or "prediction", fingerprint)
    return Trained(predictor, (test_X, _of_kind(test_y, y.dtype)), unread + data.left_out)


@dataclass(frozen=True)
class _Plan:
    """How large a share of a shard's rows is held out, and looked at."""

    test: float
    validation: float
    looked_at: float
    seed: int

    @classmethod
    def make(cls, N: int, test_fraction: float, hp: Hyperparameters) -> "_Plan":
        N = max(N, 1)
        validation = min(hp.validation_samples, HELD_OUT, N // 5) if hp.patience else 0
        return cls(min(test_fraction, HELD_OUT / N), validation / N, min(1.0, LOOKED_AT / N), hp.seed)

    def split(self, rows: int, index: int) -> tuple[npt.NDArray[np.intp], ...]:
        """Rows of a shard to test with, to stop by, to look at, and to train on: these contain those looked at."""
        order = np.random.default_rng([self.seed, index]).permutation(rows)
        test, validation = round(rows * self.test), round(rows * self.validation)
        held_out, others = order[: test + validation], order[test + validation :]
        looked_at = others[: max(1, round(rows * self.looked_at))]
        return (*map(np.sort, (held_out[:test], held_out[test:], looked_at, others)),)


class Survey:
    """What is looked at of a raw shard before the training: its different targets, and some of its rows."""

    def __init__(self, plan: _Plan, index: int, shard: Shard) -> None:
        self.index = index
        try:
            X, y = shard.load()
        except InputError as error:
            raise ShardError(index, shard.location, str(error)) from None
        test, validation, looked_at, _ = plan.split(len(y), index)
        self.test, self.validation, self.sample = ((X[rows], y[rows]) for rows in (test, validation, looked_at))
        self.values = np.unique(y)[: MOST_VALUES + 1]
        self.facts = Facts(len(y), X.shape[1:], getattr(X, "dtype", np.dtype(object)), y.shape[1:], y.dtype)


@dataclass(frozen=True, eq=False)
class PreparedShard:
    """A shard without the rows that are held out, as the numbers that the encoder makes of it."""

    shard: Shard
    index: int
    plan: _Plan
    encoder: TableEncoder | ImageEncoder
    target_dtype: np.dtype[Any]

    @property
    def location(self) -> str:
        return self.shard.location

    @property
    def count(self) -> int:
        return self.shard.count

    def load(self) -> tuple[Array, Array]:
        X, y = self.shard.load()
        *_, rows = self.plan.split(len(y), self.index)
        rows_X = X[rows]
        # bytes stay bytes: they are what the encoder makes of them once they are floats
        as_bytes = isinstance(self.encoder, ImageEncoder) and rows_X.shape[1:] == tuple(self.encoder.shape_)
        return (rows_X if as_bytes else self.encoder.transform(rows_X)), _of_kind(y[rows], self.target_dtype)


def _of_kind(y: Array, dtype: np.dtype[Any]) -> Array:
    return y if dtype.kind == "U" or y.dtype.kind == "U" else y.astype(dtype)


def _joined(parts: list[tuple[Any, Array]]) -> tuple[Any, Array]:
    y = np.concatenate([y for _, y in parts])
    if isinstance(parts[0][0], np.ndarray):
        return np.concatenate([X for X, _ in parts]), y
    import polars

    try:
        return polars.concat([X.select(parts[0][0].columns) for X, _ in parts], how="vertical_relaxed"), y
    except polars.exceptions.PolarsError as error:
        raise InputError(f"the shards' tables do not have the same columns: {str(error).splitlines()[0]}") from None


def _itself(loaded: Survey, shared: None) -> Survey:
    return loaded
