"""A network trained until its epochs are over or it gets no better."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mlcvkit.arrays import Rows
from mlcvkit.errors import InputError
from mlcvkit.experiments.targets import Classes, Targets
from mlcvkit.models import MLP, Model, predictions
from mlcvkit.training import Callback, Checkpoint, Hyperparameters, Metric, Run, StopTraining, Validation, accuracy, fit
from mlcvlab.nn import Array

TOLERANCE = 1e-4
"""By how much the training loss must get better, where there are no validation rows."""


def fit_network(
    model: Model,
    X: Rows,
    y: Array,
    hp: Hyperparameters,
    targets: Targets,
    *,
    validation: Validation | None = None,
    callbacks: Sequence[Callback] = (),
    tolerance: float = TOLERANCE,
    measured: bool = False,
    **options: Any,
) -> Run:
    """Train a network on encoded rows until its epochs are over or it gets no better.

    Without validation rows ``patience`` counts the epochs without a training loss that is better by the tolerance; a
    perceptron stops when no training row is wrong.

    Parameters
    ----------
    model
        The network, with weights.
    X
        The rows, (N, ...).
    y
        The encoded targets, (N,) or (N, C).
    hp
        The hyperparameters.
    targets
        What the network predicts, for the metrics.
    validation
        Rows and targets to watch the training by.
    callbacks
        Callbacks, which are informed in this order.
    tolerance
        How much better a training loss must be to count as better.
    measured
        Whether the score of the training rows is measured in each epoch.
    **options
        As for ``mlcvkit.training.fit``.

    Returns
    -------
    Run
        The run at its end.
    """
    callbacks = [*callbacks]
    if hp.patience and validation is None and hp.epochs > 1:
        callbacks.append(Converged(hp.patience, tolerance))
    is_perceptron = getattr(model, "output", None) == "step"
    if is_perceptron:
        callbacks.append(NoMistakes())
    samples = options.get("samples")
    N = X.shape[0] if samples is None else len(samples)
    hp = replace(hp, batch_size=min(hp.batch_size, N), patience=hp.patience if validation is not None else 0)
    # a pass over the training rows for its own sake is a third of an epoch: only where it decides or is seen
    is_measured = validation is not None or measured or is_perceptron
    score = METRICS[targets.score]
    if is_perceptron and isinstance(targets, Classes) and targets.outputs > 1:
        score = accuracy_of_classes
    metrics = {targets.score: score} if is_measured else {}
    run = fit(model, X, y, hyperparameters=hp, validation=validation, metrics=metrics, callbacks=callbacks, **options)
    model.W = [w.copy() for w in model.W]  # of their own, not views of the run's vector
    return run


def fit_from(resume: Path | None, train: Callable[[Callable[[Run], None] | None], Run]) -> Run:
    """Train, from a checkpoint where there is one.

    Parameters
    ----------
    resume
        A folder with a checkpoint to go on from, or None.
    train
        Trains, and is given what puts the checkpoint into the run, or None.

    Returns
    -------
    Run
        The run at its end.

    Raises
    ------
    InputError
        For rows and hyperparameters that do not go together, or a checkpoint of another training.
    """
    try:
        return train(None if resume is None else Checkpoint.read(resume).restore)
    except ValueError as error:
        raise error if isinstance(error, InputError) else InputError(str(error)) from error


class Converged(Callback):
    """Stop where the training loss has not got better for some epochs.

    Parameters
    ----------
    patience
        The number of epochs.
    tolerance
        How much lower a loss must be to count as better.
    """

    def __init__(self, patience: int, tolerance: float) -> None:
        self.patience, self.tolerance = patience, tolerance

    def on_epoch(self, run: Run) -> None:
        """Compare the training loss with the best one so far."""
        losses = run.history.get("train_loss", [])
        if len(losses) > self.patience:
            before, latest = losses[: -self.patience], losses[-self.patience :]
            if min(latest) > min(before) - self.tolerance:
                raise StopTraining

    on_start = on_epoch  # a run that is gone on with may have ended


class NoMistakes(Callback):
    """Stop where every training sample that is measured is predicted correctly."""

    def on_epoch(self, run: Run) -> None:
        """Look at the training accuracy."""
        if run.history.get("train_accuracy", [0.0])[-1] == 1:
            raise StopTraining

    on_start = on_epoch  # as above


def r2(model: Model, X: Rows, y: Array, *, sample_weight: Array | None = None) -> float:
    """Coefficient of determination, the mean over the outputs; 0 where a target is constant.

    R² = 1 - Σ_i (y_i - ŷ_i)² / Σ_i (y_i - ȳ)²

    Parameters
    ----------
    model
        A model with ``predict``.
    X
        The samples, (K, N), one a column.
    y
        The targets, (C, N).
    sample_weight
        What each sample counts, (N,). By default all count alike.

    Returns
    -------
    float
        The coefficient of determination, at most 1.
    """
    mean = np.average(y, axis=1, weights=sample_weight)[:, None]
    residual = np.average(np.square(y - predictions(model, X)), axis=1, weights=sample_weight)
    total = np.average(np.square(y - mean), axis=1, weights=sample_weight)
    return float(np.where(total > 0, 1 - residual / np.where(total > 0, total, 1), 0.0).mean())


def accuracy_of_classes(model: MLP, X: Array, y: Array, *, sample_weight: Array | None = None) -> float:
    """Share of the samples whose class has the largest logit, as it is predicted where each unit tells one class.

    Parameters
    ----------
    model
        The network.
    X
        The samples, (K, N), one a column.
    y
        The encoded classes, (C, N).
    sample_weight
        What each sample counts, (N,). By default all count alike.

    Returns
    -------
    float
        The share, from 0 to 1.
    """
    correct = model.logits(X).argmax(axis=0) == y.argmax(axis=0)
    return float(np.average(correct, weights=sample_weight))


METRICS: dict[str, Metric] = {"accuracy": accuracy, "r2": r2}
