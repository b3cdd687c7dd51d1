"""From raw shards to a trained network: the encoder learns from a sample of the rows, the network from all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlcvkit import datasets
from mlcvkit.arrays import PlainData, RawRows, Values
from mlcvkit.cluster.placement import Facts, LeftOut, PlacedShards, ShardError
from mlcvkit.cluster.samples import MOST_VALUES, ShardedSamples
from mlcvkit.cluster.shards import Shard
from mlcvkit.datasets import ImageEncoder, Samples, TableEncoder, encoder_for
from mlcvkit.errors import InputError
from mlcvkit.experiments import (
    USUAL_PENALTY,
    Experiment,
    Predictor,
    Trained,
    checked_target,
    circumstances,
    estimator_to_dict,
    fit_from,
    fit_network,
    learn_targets,
    make_network,
    require_fits,
    require_fraction_used,
    require_used,
    used,
)
from mlcvkit.training import MEASURED_SAMPLES, Callback, Hyperparameters

if TYPE_CHECKING:
    from distributed import Client

HELD_OUT = 10_000
"""The most test rows: they are collected here, and more would not add information."""
LOOKED_AT = 50_000
"""The most rows from which the encoder learns what the columns are."""
USED_ON_CLUSTER = {"data", "target", "task", "test_fraction", "model", "hyperparameters"}
"""The fields of an experiment that a training on a cluster uses."""


@dataclass(frozen=True)
class TrainedOnShards(Trained):
    """A training on a cluster at its end.

    Parameters
    ----------
    predictor, run, test
        As in ``mlcvkit.experiments.Trained``.
    left_out
        The shards that were left out.
    """

    left_out: list[LeftOut]


def _with_usual_start(hp: Hyperparameters) -> Hyperparameters:
    """A cluster is for many rows, whose penalty and first weights are not fitted to all of them."""
    if hp.initialization == "linear":
        raise InputError("initialization=linear needs all rows in one place, and not on a cluster; leave it out")
    return replace(hp, l2=USUAL_PENALTY if hp.l2 is None else hp.l2, initialization=hp.initialization or "he")


def require_used_on_cluster(experiment: Experiment) -> None:
    """Refuse options of an experiment that a training on a cluster would not use.

    Parameters
    ----------
    experiment
        The experiment.

    Raises
    ------
    InputError
        With the option.
    """
    for name, value in vars(experiment).items():
        if name not in USED_ON_CLUSTER and value is not None:
            raise InputError(f"{name} is for a training on this machine: leave it out with --cluster")


def used_on_cluster(experiment: Experiment) -> PlainData:
    """The hyperparameters that a training on a cluster uses, by name.

    Parameters
    ----------
    experiment
        The experiment.

    Returns
    -------
    PlainData
        Names and values.

    Raises
    ------
    InputError
        For one that would not be used.
    """
    e = experiment
    known = circumstances(datasets.TOYS[e.data]()[0]) if e.data in datasets.TOYS else {}
    require_used(e.hyperparameters, e.model, on_cluster=True, **known)
    return used(_with_usual_start(e.hyperparameters), e.model, on_cluster=True, **known)


def train_on_shards(
    experiment: Experiment,
    shards: list[Shard],
    *,
    client: "Client | None" = None,
    allow_missing: bool = False,
    callbacks: Sequence[Callback] = (),
    resume: Path | None = None,
) -> TrainedOnShards:
    """Train on the rows of all shards but those that are held out to test and to validate, 10,000 at most of each.

    The columns' facts, such as their means and categories, are those of 50,000 rows at most, drawn from all shards.

    Parameters
    ----------
    experiment
        The data, the network and its hyperparameters.
    shards
        The data in shards.
    client
        A ``distributed.Client``, or None for this process.
    allow_missing
        Whether shards that cannot be read are left out.
    callbacks
        Callbacks, which are informed in this order.
    resume
        A folder with a checkpoint to go on from.

    Returns
    -------
    TrainedOnShards
        The predictor, the run, the test rows, and the shards that were left out.

    Raises
    ------
    InputError
        For shards that cannot be read, targets that cannot be learned, or an option that is not used on a cluster.
    ClusterError
        If the cluster is gone.

    See Also
    --------
    train : On one machine.
    """
    require_used_on_cluster(experiment)
    hp, kind = _with_usual_start(experiment.hyperparameters), experiment.model
    built_in = experiment.read() if experiment.data in datasets.TOYS else None
    own_test = None if built_in is None else built_in.test
    require_fraction_used(experiment.data, own_test, experiment.test_fraction)
    known = {} if built_in is None else circumstances(built_in.X)
    held_out = 0 if own_test else experiment.test_fraction
    plan = _Plan.make(sum(s.count for s in shards), held_out, hp, known.get("images", False))
    surveys, unread = _surveyed(shards, client, plan, allow_missing=allow_missing)
    looked_at = _joined([survey.sample for survey in surveys])
    values = np.unique(np.concatenate([survey.values for survey in surveys]))
    y = np.concatenate([looked_at[1], values])
    y, task = checked_target(Samples(experiment.data, looked_at[0], y, experiment.target or "y", ""), experiment.task)
    encoder = encoder_for(looked_at[0]).fit(looked_at[0])
    prepared: list[Shard] = [
        PreparedShard(shards[survey.index], survey.index, plan, encoder, y.dtype) for survey in surveys
    ]
    data = ShardedSamples(prepared, client, allow_missing=allow_missing)
    watched_X, watched_y = _joined([survey.validation for survey in surveys])
    watched_y = _of_kind(watched_y, y.dtype)
    learned_from = data.y.distinct() if task == "classification" else data.X.some(data.y, MEASURED_SAMPLES, 0)[1]
    if task == "classification" and len(watched_y):
        learned_from = np.concatenate([learned_from, watched_y])
    targets = learn_targets(learned_from, task, () if built_in is None else built_in.class_names)
    require_fits(kind, hp, targets, on_cluster=True, **known)
    seed = int(np.random.RandomState(hp.seed).randint(2**31 - 1))
    model = make_network(kind, hp, targets, data.X.shape[1], seed)
    validation = (encoder.transform(watched_X), targets.encode(watched_y, data.X.dtype)) if len(watched_y) else None
    encode = partial(targets.encode, dtype=data.X.dtype, smoothing=hp.label_smoothing)
    rows = data.X, data.y.map(encode)  # which make steps of their own
    fit = partial(fit_network, model, *rows, replace(hp, seed=seed), targets)  # type: ignore[arg-type]
    run = fit_from(resume, lambda begin: fit(validation=validation, callbacks=callbacks, resume=begin))
    fingerprint = built_in.fingerprint if built_in is not None and own_test is not None else ""
    test_X, test_y = own_test or _joined([survey.test for survey in surveys])
    stored = estimator_to_dict(kind, hp, targets, data.X.shape[1])
    name = experiment.target or (built_in.target if built_in else None) or "prediction"
    lacking = sum(shards[survey.index].count - survey.facts.rows for survey in surveys)
    notes: tuple[str, ...] = (f"{lacking:,} rows are left out, which have no {name}",) if lacking else ()
    notes += tuple(datasets.notes_of(encoder, looked_at[0])) if experiment.data not in datasets.TOYS else ()
    predictor = Predictor(encoder, model, targets, name, fingerprint, run.history, stored, notes)
    return TrainedOnShards(predictor, run, (test_X, _of_kind(test_y, y.dtype)), unread + data.left_out)


def _surveyed(
    shards: list[Shard], client: "Client | None", plan: "_Plan", *, allow_missing: bool
) -> "tuple[list[Survey], list[LeftOut]]":
    """What is looked at of each shard, and those that cannot be read; the workers hold none of it any more."""
    placed = PlacedShards(shards, client, allow_missing=allow_missing, kind=partial(Survey, plan))
    return placed.each(_loaded), placed.left_out


@dataclass(frozen=True)
class _Plan:
    """How large a share of a shard's rows is held out, and looked at."""

    test: float
    validation: float
    looked_at: float
    seed: int

    @classmethod
    def make(cls, N: int, test_fraction: float, hp: Hyperparameters, images: bool = False) -> "_Plan":
        N = max(N, 1)
        validation = min(hp.validation_samples, HELD_OUT, N // 5) if hp.patience or images else 0
        return cls(min(test_fraction, HELD_OUT / N), validation / N, min(1.0, LOOKED_AT / N), hp.seed)

    def split(self, rows: int, index: int) -> tuple[npt.NDArray[np.intp], ...]:
        """Rows of a shard to test with, to stop by, to look at, and to train on: these contain those looked at."""
        order = np.random.default_rng([self.seed, index]).permutation(rows)
        test, validation = (_rounded(rows, share, self.seed, index) for share in (self.test, self.validation))
        if test + validation >= rows:
            test = validation = 0
        held_out, others = order[: test + validation], order[test + validation :]
        looked_at = others[: max(1, round(rows * self.looked_at))]
        return (*map(np.sort, (held_out[:test], held_out[test:], looked_at, others)),)


def _rounded(rows: int, share: float, seed: int, index: int) -> int:
    """The share of a shard's rows; of shards too small for one, as many have one as the share says."""
    count = round(rows * share)
    return count or int(np.random.default_rng([seed, index, 1]).random() < rows * share)


class Survey:
    """What is looked at of a raw shard before the training: its different targets, and some of its rows.

    Parameters
    ----------
    plan
        What is drawn from each shard.
    index
        The index of the shard.
    shard
        The shard.
    """

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
    """A shard without the rows that are held out, as the numbers that the encoder makes of it.

    Parameters
    ----------
    shard
        The raw shard.
    index
        Its index.
    plan
        Which of its rows are held out.
    encoder
        The encoder.
    target_dtype
        The dtype of the targets.
    """

    shard: Shard
    index: int
    plan: _Plan
    encoder: TableEncoder | ImageEncoder
    target_dtype: np.dtype[np.generic]

    @property
    def location(self) -> str:
        """Where it lies, for messages."""
        return self.shard.location

    @property
    def count(self) -> int:
        """The number of its samples."""
        return self.shard.count

    def load(self) -> tuple[RawRows, Values]:
        """Read and encode the samples and their targets."""
        X, y = self.shard.load()
        *_, rows = self.plan.split(len(y), self.index)
        rows_X = X[rows]
        # bytes stay bytes: they are what the encoder makes of them once they are floats
        is_bytes = isinstance(rows_X, np.ndarray) and rows_X.dtype == np.uint8
        is_encoded = isinstance(self.encoder, ImageEncoder) and rows_X.shape[1:] == tuple(self.encoder.shape_)
        return (rows_X if is_bytes and is_encoded else self.encoder.transform(rows_X)), _of_kind(
            y[rows], self.target_dtype
        )


def _of_kind(y: Values, dtype: np.dtype[np.generic]) -> Values:
    return y if dtype.kind == "U" or y.dtype.kind == "U" else y.astype(dtype)


def _joined(parts: list[tuple[RawRows, Values]]) -> tuple[RawRows, Values]:
    y = np.concatenate([y for _, y in parts])
    first = parts[0][0]
    if isinstance(first, np.ndarray):
        return np.concatenate([X for X, _ in parts]), y
    import polars

    try:
        frames = [X.select(first.columns) for X, _ in parts if not isinstance(X, np.ndarray)]
        for name in first.columns:
            kinds = {datasets.type_of(frame[name].dtype) for frame in frames}
            if "text" in kinds and len(kinds) > 1:  # numbers as the encoder writes them: 2, and not 2.0
                frames = [frame.with_columns(datasets.known_text(frame[name], ()).alias(name)) for frame in frames]
        return polars.concat(frames, how="vertical_relaxed"), y
    except polars.exceptions.PolarsError as error:
        raise InputError(f"the shards' tables do not have the same columns: {str(error).splitlines()[0]}") from None


def _loaded(survey: Survey, shared: None) -> Survey:
    return survey
