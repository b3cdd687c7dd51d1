"""A table's network starts as the linear model of the rows that it is trained on, where that can be."""

from dataclasses import replace

import numpy as np
import pytest

from mlcvkit import InputError, MLPClassifier, MLPRegressor, NN2Classifier
from mlcvkit.datasets import Samples
from mlcvkit.experiments import Experiment, prepare, recipe_for, train
from mlcvkit.models.linear import fit_linear

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 5))
ROWS = Samples("t", X, X @ np.arange(5.0) + 2, "y", "")


def experiment(**options):
    kind = options.pop("model", "mlp")
    return Experiment(model=kind, hyperparameters=replace(recipe_for(kind), **options))


def test_what_a_plane_explains_is_explained_to_the_last_bit_but_few():
    """Of which random hidden units leave some thousandths."""
    trained = train(experiment(), ROWS)
    assert trained.predictor.measure(*trained.test)["r2"] > 0.99999


def test_the_rows_that_are_held_out_have_no_part_in_it():
    noisy = replace(ROWS, y=ROWS.y + rng.normal(0, 5, len(X)))  # so that it matters which rows are fitted
    prepared = prepare(experiment(validation_samples=50), noisy)
    rows, y = prepared.X[prepared.rows].astype(np.float64), prepared.y[prepared.rows].astype(np.float64)
    assert len(rows) < len(prepared.X)
    W, b = fit_linear(rows, y.reshape(len(rows), -1), "identity", prepared.model.l2)
    np.testing.assert_allclose(prepared.model.logits(prepared.X.T).T, prepared.X @ W + b, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "recorded"),
    [
        ({}, "linear"),
        ({"initialization": "linear"}, "linear"),
        ({"initialization": "glorot"}, "glorot"),
        ({"activation": "tanh"}, "he"),
        ({"hidden_units": (2,)}, "he"),
    ],
)
def test_what_was_done_is_recorded_and_gives_the_same_bits_again(options, recorded):
    prepared = prepare(experiment(**options), ROWS)
    assert prepared.configuration["initialization"] == recorded
    again = prepare(prepared.experiment, ROWS)
    assert all(np.array_equal(a, b) for a, b in zip(prepared.model.W, again.model.W, strict=True))


@pytest.mark.parametrize(
    ("options", "samples"),
    [
        ({"activation": "tanh"}, ROWS),
        ({"hidden_units": (2,)}, ROWS),
        ({"model": "nn2"}, replace(ROWS, y=(X[:, 0] > 0).astype(int))),
        ({"model": "nn1"}, replace(ROWS, y=(X[:, 0] > 0).astype(int))),
        ({}, Samples("digits", np.zeros((300, 8, 8), np.uint8), np.arange(300) % 2, None, "")),
    ],
    ids=["tanh", "too few units", "nn2", "nn1", "images"],
)
def test_where_it_is_asked_for_and_cannot_be_it_is_refused(options, samples):
    with pytest.raises(InputError, match=r"initialization=linear cannot be used: .*; leave it out"):
        prepare(experiment(**options, initialization="linear"), samples)


def test_estimators_start_so_where_they_are_told_to():
    regressor = MLPRegressor(initialization="linear", epochs=1, learning_rate=1e-9, random_state=0).fit(X, ROWS.y)
    assert regressor.score(X, ROWS.y) > 0.999
    labels = (X[:, 0] > 0).astype(int)
    classifier = MLPClassifier(initialization="linear", epochs=1, learning_rate=1e-9, random_state=0).fit(X, labels)
    assert classifier.score(X, labels) > 0.98
    with pytest.raises(ValueError, match="needs ReLU units with biases"):
        NN2Classifier(initialization="linear").fit(X, labels)
