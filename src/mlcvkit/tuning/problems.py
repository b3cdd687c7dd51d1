"""The problem of a study: an experiment, trained with given hyperparameters and judged on held-out rows."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from mlcvkit.arrays import PlainData
from mlcvkit.datasets import MNIST_NAMES, encoder_for, notes_of
from mlcvkit.experiments import (
    KINDS,
    SPLIT,
    Experiment,
    LabelledRows,
    Predictor,
    checked_target,
    prepare_rows,
    split_rows,
    split_test_rows,
)
from mlcvkit.models import OUTPUTS, losses_behind
from mlcvkit.storage import SavedModel
from mlcvkit.training import Callback, History, Hyperparameters
from mlcvkit.tuning.spaces import MLP_SPACE, NN2_HIDDEN_UNITS, read_space, varied

VALIDATION_SAMPLES = 10_000
"""The most rows to judge trials by; of few rows a fifth."""


class Trained(NamedTuple):
    """A finished training.

    Parameters
    ----------
    score
        The score by which trials are compared.
    history
        The measurements after each epoch, by name.
    saved
        The model as it is stored, or None.
    measured
        What ``Predictor.measure`` gives for the test rows, or None.
    """

    score: float
    history: History
    saved: SavedModel | None = None
    measured: PlainData | None = None


class Problem:
    """An experiment whose hyperparameters are searched. The test rows, and those to judge by, are drawn once.

    Parameters
    ----------
    experiment
        The data and the kind of network.
    seed
        The seed of the rows that are held out.
    """

    def __init__(self, experiment: Experiment, seed: int) -> None:
        samples = experiment.read()
        y, task = checked_target(samples, experiment.task)
        self.experiment, self.samples, self.seed = replace(experiment, task=task), samples, seed
        self.training, self.test_rows = split_test_rows(samples, y, experiment.test_fraction, task, seed)
        self.fingerprint, self.can_test = samples.fingerprint, len(self.test_rows[1]) > 0
        self.score = "accuracy" if task == "classification" else "r2"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the data, a line each, as a training tells it."""
        if self.experiment.data in MNIST_NAMES:
            return self.samples.notes
        X, _ = self.training
        return *self.samples.notes, *notes_of(encoder_for(X, **self.experiment.encoding).fit(X), X)

    @property
    def losses(self) -> tuple[str, ...]:
        """The possible losses, the default one first."""
        output = "identity"
        if self.experiment.task == "classification":
            output = "sigmoid" if len(np.unique(self.training[1])) == 2 else "softmax"
        usual = OUTPUTS[output].loss
        return usual, *(name for name in losses_behind(output) if name != usual)

    @cached_property
    def _parts(self) -> tuple[LabelledRows, LabelledRows]:
        """Rows to train on and to judge by, with their targets."""
        X, y = self.training
        classifies = self.experiment.task == "classification"
        count = max(1, min(VALIDATION_SAMPLES, len(y) // 5))
        chosen, held_out = split_rows(len(y), count, y if classifies else None, self.seed)
        if classifies:
            held_out = held_out[np.isin(y[held_out], y[chosen])]
        return (X[chosen], y[chosen]), (X[held_out], y[held_out])

    def validate(self, hp: Hyperparameters, callbacks: Sequence[Callback]) -> Trained:
        """Train on a part of the training rows.

        Parameters
        ----------
        hp
            The hyperparameters.
        callbacks
            Callbacks, which are informed in this order.

        Returns
        -------
        Trained
            The training, with the score of the other training rows.
        """
        prepared = prepare_rows(replace(self.experiment, hyperparameters=hp), self.samples, *self._parts)
        trained = prepared.fit(callbacks=callbacks)
        history = trained.run.history
        if hp.average_epochs:  # the history is that of the weights before they were averaged
            return Trained(self._score(trained.predictor.measure(*self._parts[1])), history)
        return Trained(final_score(history, self.score, hp), history)

    def test(self, hp: Hyperparameters, callbacks: Sequence[Callback]) -> Trained:
        """Train on all training rows, unless the training stops by some of them.

        Parameters
        ----------
        hp
            The hyperparameters.
        callbacks
            Callbacks, which are informed in this order.

        Returns
        -------
        Trained
            The training, with the score of the test rows.
        """
        hp = hp if hp.patience else replace(hp, validation_samples=0)
        prepared = prepare_rows(replace(self.experiment, hyperparameters=hp), self.samples, self.training)
        predictor: Predictor = prepared.fit(callbacks=callbacks).predictor
        saved = prepared.configuration
        if hp.seed != self.seed:
            predictor = replace(predictor, fingerprint=f"{self.fingerprint}{SPLIT}{self.seed}")
        measured = predictor.measure(*self.test_rows)
        return Trained(self._score(measured), predictor.history, predictor.saved(saved), measured)

    def _score(self, measured: PlainData) -> float:
        score = measured[self.score]
        return float("nan") if score is None else float(score)


def final_score(history: History, score: str, hp: Hyperparameters) -> float:
    """The validation score of the weights that a training ends with.

    Parameters
    ----------
    history
        The measurements after each epoch, by name.
    score
        The name of the score.
    hp
        The hyperparameters: with patience the weights are those of the lowest loss, else the last.

    Returns
    -------
    float
        The score.
    """
    scores, losses = history[f"validation_{score}"], history["validation_loss"]
    return scores[losses.index(min(losses))] if hp.patience else scores[-1]


def space_to_search(given: PlainData, experiment: Experiment, seed: int) -> PlainData:
    """What is searched: what is given, or what usually matters if only single values are given.

    Parameters
    ----------
    given
        The space, as ``read_space`` takes it.
    experiment
        The data and the kind of network.
    seed
        The seed of the rows that are held out.

    Returns
    -------
    PlainData
        The space with the given values.
    """
    return given if varied(read_space(given)) else default_space(experiment, seed) | given


def default_space(experiment: Experiment, seed: int) -> PlainData:
    """The hyperparameters that usually matter for an experiment, with their ranges.

    Parameters
    ----------
    experiment
        The data and the kind of network.
    seed
        The seed of the rows that are held out.

    Returns
    -------
    PlainData
        The space as ``read_space`` takes it.
    """
    kind = experiment.model
    unused = {*KINDS[kind].unused, *(("depth",) if kind != "mlp" else ())}
    space: PlainData = {name: values for name, values in MLP_SPACE.items() if name not in unused}
    if kind == "nn2":
        space["hidden_units"] = NN2_HIDDEN_UNITS
    return space if "loss" in unused else space | {"loss": ",".join(Problem(experiment, seed).losses)}


def experiment_of(data: str | None, options: PlainData) -> Experiment:
    """The experiment of a study.

    Parameters
    ----------
    data
        The data, or None, by which an earlier version recorded NN2 on MNIST's parity.
    options
        The other options of the experiment.

    Returns
    -------
    Experiment
        The experiment.
    """
    if data is None:
        return Experiment(data="mnist-parity", model="nn2")
    return Experiment.from_dict({"data": data, **options})
