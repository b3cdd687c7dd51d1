"""What is measured of a trained network, with scikit-learn as the witness."""

import numpy as np
import pytest
from sklearn import metrics
from sklearn.datasets import make_circles, make_moons

from mlcvkit.datasets import TOYS, Samples
from mlcvkit.experiments import Experiment, train
from mlcvkit.training import Hyperparameters


def trained(y, seed=0):
    X = np.random.default_rng(seed).normal(size=(len(y), 3)).astype(np.float32)
    X[:, 0] += np.unique(y, return_inverse=True)[1] if y.dtype.kind == "U" else y
    hp = Hyperparameters(hidden_units=(8,), epochs=3, learning_rate=0.01)
    return train(Experiment(hyperparameters=hp), Samples("t", X, y, "y", "")), X


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_of_classes(classes):
    y = np.random.default_rng(1).integers(classes, size=300).astype(str)
    one, X = trained(y)
    measured, predicted = one.predictor.measure(X, y), one.predictor.predict(X)
    assert measured["accuracy"] == metrics.accuracy_score(y, predicted)
    columns = one.predictor.predict_columns(X)
    probabilities = np.stack([columns[f"probability {name}"] for name in np.unique(y)], axis=1)
    assert measured["log_loss"] == pytest.approx(metrics.log_loss(y, probabilities), rel=1e-5)
    counts = [list(row.values()) for row in measured["confusion"].values()]
    assert counts == metrics.confusion_matrix(y, predicted).tolist()


def test_of_numbers():
    y = np.random.default_rng(2).normal(50, 20, size=200)
    one, X = trained(y)
    measured, predicted = one.predictor.measure(X, y), one.predictor.predict(X)
    assert measured["r2"] == pytest.approx(metrics.r2_score(y, predicted))
    assert measured["rmse"] == pytest.approx(metrics.root_mean_squared_error(y, predicted))
    assert measured["mae"] == pytest.approx(metrics.mean_absolute_error(y, predicted))
    assert one.predictor.measure(X[:1], y[:1])["r2"] is None


def test_the_sets_that_are_drawn_are_those_of_scikit_learn():
    for name, (X, y) in {
        "moons": make_moons(400, noise=0.2, random_state=0),
        "circles": make_circles(400, noise=0.1, factor=0.5, random_state=0),
    }.items():
        ours = TOYS[name]()
        np.testing.assert_array_equal(ours[0], X)
        np.testing.assert_array_equal(ours[1], y)
