"""The steps of an epoch: what the loop takes one after the other, wherever the samples lie."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeGuard

import numpy as np

from mlcvkit.arrays import Indices, PlainData, Rows, float_rows
from mlcvkit.errors import InputError
from mlcvkit.models import Model
from mlcvkit.threads import Pace
from mlcvkit.training.batches import Batch, Batches, is_sparse
from mlcvkit.training.gradients import Gradient, gradient_of
from mlcvkit.training.hyperparameters import Hyperparameters
from mlcvkit.training.optimizers import State
from mlcvlab.nn import Array

Step = Callable[[Array, State, float], int]
"""``step(weights, state, learning_rate)`` changes the weights and the optimizer's state in place, and returns how many
samples it took."""

BLOCK = 4096
"""Rows that are looked at at a time."""
MOST_MAPPED = 10_000
"""How many rows of a mapped file are read to know it again."""

Measured = tuple[Rows, Array, PlainData]
"""Rows, their targets, and what else ``emp_loss`` is told of them."""


class Steps(Protocol):
    """The steps of a training on some samples.

    Attributes
    ----------
    samples
        The number of samples in an epoch.
    steps
        The number of steps in an epoch.
    """

    samples: int
    steps: int

    def start(self, w: Array) -> State:
        """The optimizer's state before the first step.

        Parameters
        ----------
        w
            All weights as a flat vector.

        Returns
        -------
        State
            The state.
        """

    def epoch(self, epoch: int) -> Iterator[Step]:
        """The steps of an epoch.

        Parameters
        ----------
        epoch
            The number of the epoch, from 0.

        Returns
        -------
        Step
            Each step, which is called with the weights, the state and the learning rate.
        """

    def some(self, most: int) -> Measured:
        """Some of the samples, to measure the training loss on.

        Parameters
        ----------
        most
            The largest number of samples.

        Returns
        -------
        Measured
            The samples and their targets.
        """

    def fingerprint(self) -> str:
        """A sum of the content of the samples, by which they are known again."""


def lies_elsewhere(X: object) -> TypeGuard[Any]:
    """Whether samples are not in this process's memory, but on a cluster.

    They then make their own steps, with ``X.steps(model, y, hp)``, and ``X[rows]`` brings some of them here.

    Parameters
    ----------
    X
        The samples.

    Returns
    -------
    bool
        Whether they are.
    """
    return hasattr(X, "steps")


class MiniBatchSteps:
    """One step of the optimizer for each mini-batch of samples in memory, or in a mapped file.

    Parameters
    ----------
    model
        The model.
    X
        The samples, (N, ...), one a row.
    y
        Their targets, (N,) or (N, C).
    hp
        The hyperparameters.
    samples
        The indices to train on. By default all.
    sample_weight
        The weight of each sample, (N,).
    """

    def __init__(
        self,
        model: Model,
        X: Rows,
        y: Array,
        hp: Hyperparameters,
        *,
        samples: Indices | None = None,
        sample_weight: Array | None = None,
    ) -> None:
        if hp.make_augmentation().active and (X.ndim != 3 or X.dtype != np.uint8):
            raise InputError(f"augmentation needs uint8 images, (N, H, W); got {X.dtype} of shape {X.shape}")
        plain = gradient_of(model, hp.batch_size, weighted=sample_weight is not None, sparse=is_sparse(X))
        self.X, self.y, self.sample_weight, self.seed = X, y, sample_weight, hp.seed
        self.optimizer = hp.make_optimizer()
        self.gradient = with_penalty_and_limit(plain, hp)
        self.batches = Batches(
            X,
            y,
            hp.batch_size,
            samples=samples,
            sample_weight=sample_weight,
            augmentation=hp.make_augmentation(),
            packed=plain.takes_packed,
            seed=hp.seed,
        )
        self.samples, self.steps = len(self.batches.samples), self.batches.steps
        self.pace = Pace()

    def start(self, w: Array) -> State:
        """The optimizer's state before the first step.

        Parameters
        ----------
        w
            All weights as a flat vector.

        Returns
        -------
        State
            The state.
        """
        return self.optimizer.start(w)

    def epoch(self, epoch: int, part: slice = slice(None)) -> Iterator[Step]:
        """The steps of an epoch, or of a part of it.

        Parameters
        ----------
        epoch
            The number of the epoch, from 0.
        part
            Which of the epoch's batches are wanted.

        Yields
        ------
        Step
            Each step, which is called with the weights, the state and the learning rate.
        """
        for batch in self.batches.epoch(epoch, part):

            def step(w: Array, state: State, learning_rate: float, batch: Batch = batch) -> int:
                with self.pace:
                    self.optimizer.step(w, lambda at: self.gradient(at, batch), state, learning_rate)
                return len(batch.y)

            yield step

    def some(self, most: int) -> Measured:
        """Some of the samples, to measure the training loss on.

        Parameters
        ----------
        most
            The largest number of samples.

        Returns
        -------
        Measured
            The samples and their targets.
        """
        rows = self.batches.samples
        if len(rows) > most:
            rows = np.sort(np.random.default_rng(self.seed).choice(rows, most, replace=False))
        weighted = {} if self.sample_weight is None else {"sample_weight": self.sample_weight[rows]}
        return float_rows(self.X[rows]), self.y[rows], weighted

    def fingerprint(self) -> str:
        """The SHA-256 sum of the samples; of 10,000 of them where they lie in a mapped file."""
        rows, content = self.batches.samples, hashlib.sha256()
        if isinstance(self.X, np.memmap) and len(rows) > MOST_MAPPED:
            rows = np.sort(np.random.default_rng(0).choice(rows, MOST_MAPPED, replace=False))
        for start in range(0, len(rows), BLOCK):
            some = rows[start : start + BLOCK]
            parts: list[Any] = [  # arrays, or a sparse matrix
                array[some] for array in (self.X, self.y, self.sample_weight) if array is not None
            ]
            for part in parts:
                content.update(np.ascontiguousarray(part.toarray() if is_sparse(part) else part).tobytes())
        return content.hexdigest()


def with_penalty_and_limit(gradient: Gradient, hp: Hyperparameters) -> Gradient:
    """A gradient with the penalty of ``weight_decay`` added, and then shortened to ``clip_norm``.

    Parameters
    ----------
    gradient
        The gradient of the loss.
    hp
        The hyperparameters.

    Returns
    -------
    Gradient
        The gradient that the optimizer is given.
    """
    return clipped(decayed(gradient, hp), hp.clip_norm)


def decayed(gradient: Gradient, hp: Hyperparameters) -> Gradient:
    """A gradient with that of the penalty (λ/2) ‖w‖² added.

    Parameters
    ----------
    gradient
        The gradient of the loss.
    hp
        The hyperparameters. AdamW decays the weights itself: its gradient is left as it is.

    Returns
    -------
    Gradient
        The gradient with the penalty's.
    """
    if not hp.weight_decay or hasattr(hp.make_optimizer(), "weight_decay"):
        return gradient

    def with_penalty(w: Array, batch: Batch) -> Array:
        g = gradient(w, batch)
        g += hp.weight_decay * w
        return g

    return with_penalty


def clipped(gradient: Gradient, clip_norm: float) -> Gradient:
    """A gradient that is shortened where it is longer than a limit.

    Parameters
    ----------
    gradient
        The gradient.
    clip_norm
        The largest norm; 0 for no limit.

    Returns
    -------
    Gradient
        The gradient with at most that norm.

    References
    ----------
    Pascanu, Mikolov, Bengio (2013), "On the difficulty of training recurrent neural networks", algorithm 1.
    """
    if not clip_norm:
        return gradient

    def shortened(w: Array, batch: Batch) -> Array:
        g = gradient(w, batch)
        with np.errstate(over="ignore"):
            norm = float(np.linalg.norm(g))
        if not np.isfinite(norm) and np.isfinite(g).all():  # the squares overflow, not the gradient
            g /= np.abs(g).max()
            norm = float(np.linalg.norm(g))
            g *= clip_norm / norm
        elif norm > clip_norm:
            g *= clip_norm / norm
        return g

    return shortened
