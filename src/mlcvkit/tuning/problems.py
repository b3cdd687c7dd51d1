"""What is tuned: some samples and a kind of network, trained by hyperparameters and judged on rows held out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np

from mlcvkit import InputError, datasets
from mlcvkit.datasets.tables import encoder_for
from mlcvkit.estimators.base import split_rows
from mlcvkit.estimators.predictor import (
    Predictor,
    checked_target,
    make_estimator,
    require_fraction_used,
    split_test_rows,
)
from mlcvkit.experiments import KINDS, KindName, require_used
from mlcvkit.storage import SavedModel
from mlcvkit.training import Callback, Hyperparameters, accuracy
from mlcvkit.training.loop import History
from mlcvkit.training.parity import parity_task
from mlcvkit.tuning.spaces import MLP_SPACE, NN2_HIDDEN_UNITS

VALIDATION_SAMPLES = 10_000
"""Rows to judge the trials by, at most; and of fewer than five times as many a fifth."""


class Trained(NamedTuple):
    """A training at its end: its score, its history, and the model as it is stored."""

    score: float
    history: History
    saved: SavedModel | None = None


class Problem(Protocol):
    """``score`` is the name of what is made large: "accuracy" or "r2"; ``losses`` are those that fit, the own first;
    ``fingerprint`` is that of the data, and ``can_test`` says whether rows are kept apart to test with."""

    score: str
    losses: tuple[str, ...]
    fingerprint: str
    can_test: bool

    def validate(self, hp: Hyperparameters, callbacks: Sequence[Callback]) -> Trained:
        """Train on a part of the training rows; the score is that of the rest."""

    def test(self, hp: Hyperparameters, callbacks: Sequence[Callback]) -> Trained:
        """Train on all training rows; the score is that of the test rows."""


def make_problem(data: str | None, seed: int, **options: Any) -> Problem:
    """NN2 on MNIST's even and odd digits where ``data`` is None; else a ``SampleProblem`` of data and options."""
    return ParityProblem() if data is None else SampleProblem(data, seed=seed, **options)


class ParityProblem:
    """NN2 on MNIST's even and odd digits."""

    score = "accuracy"
    losses: tuple[str, ...] = ("cross_entropy", "mse", "l2")
    fingerprint = ""
    can_test = True

    def validate(self, hp: Hyperparameters, callbacks: Sequence[Callback]) -> Trained:
        require_used(hp, "nn2", distorts=True)
        run = parity_task(replace(hp, validation_samples=VALIDATION_SAMPLES)).fit(hp, callbacks=callbacks)
        return Trained(final_score(run.history, self.score, hp), run.history)

    def test(self, hp: Hyperparameters, callbacks: Sequence[Callback]) -> Trained:
        """All 60,000 images are trained on, unless the training stops by some of them."""
        require_used(hp, "nn2", distorts=True)
        task = parity_task(hp if hp.patience else replace(hp, validation_samples=0))
        run = task.fit(hp, callbacks=callbacks)
        X, y = datasets.mnist_test_parity()
        return Trained(accuracy(task.model, X.T, y[None]), run.history, SavedModel(task.model, history=run.history))


@dataclass
class SampleProblem:
    """Any data that ``mlcvlab train`` takes. The test rows, and those to judge by, are drawn once."""

    data: str
    target: str | None
    model: Any
    task: Any
    test_fraction: float
    image_size: int | None
    seed: int

    def __post_init__(self) -> None:
        samples = datasets.read(self.data, self.target, image_size=self.image_size)
        self.samples, self.fingerprint = samples, samples.fingerprint
        y, self.task = checked_target(samples, self.task)
        require_fraction_used(samples.name, samples.test, self.test_fraction)
        (self.X, self.y), self.test_rows = split_test_rows(samples, y, self.test_fraction, self.task, self.seed)
        self.can_test = len(self.test_rows[1]) > 0
        self.score = "accuracy" if self.task == "classification" else "r2"
        classes = "cross_entropy" if len(np.unique(self.y)) == 2 else "categorical_cross_entropy"
        self.losses: tuple[str, ...] = ("mse", "l2")
        if self.task == "classification":
            self.losses = (classes, *self.losses)

    @cached_property
    def _parts(self) -> tuple[Any, ...]:
        """Rows to train on and to judge by, encoded, with their targets."""
        count = max(1, min(VALIDATION_SAMPLES, len(self.y) // 5))
        strata = self.y if self.task == "classification" else None
        chosen, held_out = split_rows(len(self.y), count, strata, self.seed)
        encoder = encoder_for(self.X[chosen])
        rows = encoder.fit(self.X[chosen]).transform(self.X[chosen])
        if self.task == "classification":
            held_out = held_out[np.isin(self.y[held_out], self.y[chosen])]
        return rows, self.y[chosen], encoder.transform(self.X[held_out]), self.y[held_out]

    def validate(self, hp: Hyperparameters, callbacks: Sequence[Callback]) -> Trained:
        X, y, validation_X, validation_y = self._parts
        estimator = make_estimator(self.model, hp, self.task, None).set_params(callbacks=tuple(callbacks))
        _fit(estimator, X, y, validation_data=(validation_X, validation_y))
        return Trained(final_score(estimator.history_, self.score, hp), estimator.history_)

    def test(self, hp: Hyperparameters, callbacks: Sequence[Callback]) -> Trained:
        encoder = encoder_for(self.X)
        estimator = make_estimator(self.model, hp, self.task, len(self.y)).set_params(callbacks=tuple(callbacks))
        _fit(estimator, encoder.fit(self.X).transform(self.X), self.y)
        name, fingerprint = self.samples.target or "prediction", self.samples.fingerprint
        predictor = Predictor(encoder, estimator, name, fingerprint)
        score = predictor.measure(*self.test_rows)[self.score]
        return Trained(float("nan") if score is None else score, estimator.history_, predictor.saved({}))


def _fit(estimator: Any, X: Any, y: Any, **options: Any) -> None:
    try:
        estimator.fit(X, y, **options)
    except ValueError as error:
        raise InputError(str(error)) from None


def final_score(history: History, score: str, hp: Hyperparameters) -> float:
    """The validation score of the weights that are kept: the last, or those of the lowest loss under patience."""
    scores, losses = history[f"validation_{score}"], history["validation_loss"]
    return scores[losses.index(min(losses))] if hp.patience else scores[-1]


def default_space(data: str | None, seed: int, **options: Any) -> dict[str, Any]:
    """What usually matters for a problem, as ``read_space`` takes it."""
    kind: KindName = "nn2" if data is None else options["model"]
    unused = {*KINDS[kind].unused, *(("depth",) if kind != "mlp" else ())}
    space: dict[str, Any] = {name: values for name, values in MLP_SPACE.items() if name not in unused}
    if kind == "nn2":
        space["hidden_units"] = NN2_HIDDEN_UNITS
    if "loss" in unused:
        return space
    return space | {"loss": ",".join(make_problem(data, seed, **options).losses)}
