"""The penalty that is left to the rows: by its formula with matrices, and in what a run records."""

from dataclasses import replace

import numpy as np
import pytest

from mlcvkit.datasets import Samples
from mlcvkit.experiments import USUAL_PENALTY, Experiment, prepare, recipe_for
from mlcvkit.experiments.penalty import FEW, LEAST_PENALTY, STRENGTHS, WITHIN, penalty_of, with_penalty


def by_matrices(X, y):
    """The formula as Golub, Heath and Wahba have it, with the mean as one parameter more."""
    N = len(X)
    X, y = X - X.mean(axis=0), (y - y.mean(axis=0)).reshape(N, -1)
    scores = []
    for strength in STRENGTHS:
        A = X @ np.linalg.inv(X.T @ X + strength * np.eye(X.shape[1])) @ X.T + np.ones((N, N)) / N
        left = np.eye(N) - A
        scores.append((left @ y).ravel() @ (left @ y).ravel() / N / (np.trace(left) / N) ** 2)
    within = np.array(scores) <= min(scores) * (1 + WITHIN * np.sqrt(2 / N) + (FEW / N) ** 2)
    return max(STRENGTHS[within]) / N


@pytest.mark.parametrize("noise", [0.001, 1.0, 10.0])
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_penalty_is_that_of_ridge_regression_by_generalised_cross_validation(noise, outputs):
    rng = np.random.default_rng(int(10 * noise) + outputs)
    X = rng.normal(size=(60, 8)) @ rng.normal(size=(8, 8))
    y = X @ rng.normal(size=(8, outputs)) + noise * rng.normal(size=(60, outputs))
    y = y[:, 0] if outputs == 1 else y
    assert penalty_of(X.astype(np.float32), y) == pytest.approx(max(LEAST_PENALTY, by_matrices(X, y)))


def test_noise_asks_for_more_and_images_and_a_given_one_are_left_alone():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 20))
    clear, noisy = X @ rng.normal(size=20), rng.normal(size=200)
    assert penalty_of(X, clear) == LEAST_PENALTY < 0.01 < penalty_of(X, noisy) <= 0.5
    assert penalty_of(np.zeros((10, 4, 4), np.uint8), noisy[:10]) == USUAL_PENALTY
    hp = recipe_for("mlp")
    assert hp.l2 is None and with_penalty(hp, X, noisy).l2 > 0.01
    assert with_penalty(replace(hp, l2=0.0), X, noisy).l2 == 0


def test_more_rows_ask_for_less():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5000, 10))
    y = X @ rng.normal(size=10) + 10 * rng.normal(size=5000)
    assert LEAST_PENALTY < penalty_of(X, y) < penalty_of(X[:500], y[:500])


def test_what_a_plane_does_not_explain_is_not_taken_for_noise():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    bent = np.abs(X).sum(axis=1) + 0.1 * rng.normal(size=200)
    assert penalty_of(X, bent) < penalty_of(X, rng.normal(size=200)) / 10


def test_classes_have_a_quarter():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    y = (X[:, 0] + 2 * rng.normal(size=200) > 0).astype(float)
    assert penalty_of(X, y) == pytest.approx(penalty_of(X, 2 * y - 1) / 4)


@pytest.mark.parametrize("model", ["mlp", "nn1", "nn2", "perceptron"])
def test_what_was_used_is_recorded(model):
    rng = np.random.default_rng(0)
    samples = Samples("noise", rng.normal(size=(150, 5)), rng.integers(0, 2, 150), "y", "")
    recorded = prepare(Experiment(model=model), samples).configuration
    assert ("l2" in recorded) == (model in ("mlp", "nn1"))
    assert recorded.get("l2", 0) is not None
