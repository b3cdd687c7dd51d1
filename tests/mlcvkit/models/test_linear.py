"""The linear model of the same rows, against scikit-learn's, and the network that starts as it."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge

from mlcvkit.models import MLP, start_as_linear
from mlcvkit.models.linear import fit_linear

OUTPUTS = {"identity": 2, "sigmoid": 1, "softmax": 3}


def rows_of(output, N=200, K=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(1, 2, (N, K))
    z = X @ rng.normal(size=(K, OUTPUTS[output])) + rng.normal(size=(N, OUTPUTS[output]))
    if output == "identity":
        return X, z
    return X, (z > z.mean()).astype(float) if output == "sigmoid" else np.eye(3)[z.argmax(axis=1)]


def test_numbers_are_those_of_ridge_regression():
    X, y = rows_of("identity")
    W, b = fit_linear(X, y, "identity", 0.05)
    peer = Ridge(alpha=0.05 * len(X)).fit(X, y)
    np.testing.assert_allclose(W.T, peer.coef_, rtol=1e-8)
    np.testing.assert_allclose(b, peer.intercept_, rtol=1e-8)


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_classes_come_close_to_logistic_regression(output):
    X, y = rows_of(output)
    W, b = fit_linear(X, y, output, 0.1)
    labels = y[:, 0] if output == "sigmoid" else y.argmax(axis=1)
    peer = LogisticRegression(C=1 / (0.1 * len(X)), tol=1e-10, max_iter=10_000).fit(X, labels)
    ours, theirs = X @ W + b, X @ peer.coef_.T + peer.intercept_
    if output == "softmax":
        ours, theirs = (z - z.mean(axis=1, keepdims=True) for z in (ours, theirs))
    np.testing.assert_allclose(ours, theirs, atol=0.02)


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), l2=st.sampled_from([0.0, 1e-4, 0.1, 10.0]))
def test_no_step_goes_uphill(output, seed, l2):
    X, y = rows_of(output, N=30, seed=seed)
    model = MLP((), output=output, l2=l2).initialize(X.shape[1], y.shape[1], dtype=np.float64)
    risks = []
    for steps in (0, 1, 2, 3, 10, 50):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mlcvkit.models.linear.STEPS", steps)
            W, b = fit_linear(X, y, output, l2)
        model.W = [W, b[:, None]]
        risks.append(model.emp_loss(X.T, y.T))
    assert all(after <= before * (1 + 1e-12) + 1e-12 for before, after in pairwise(risks)), risks


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("hidden_units", [(7,), (20, 9), (8, 30, 8)])
def test_the_network_answers_as_the_linear_model(output, hidden_units):
    X, y = rows_of(output)
    model = MLP(hidden_units, output=output, l2=0.01).initialize(4, OUTPUTS[output], seed=0, dtype=np.float64)
    start_as_linear(model, X, y)
    W, b = fit_linear(X, y, output, 0.01)
    np.testing.assert_allclose(model.logits(X.T).T, X @ W + b, rtol=1e-9, atol=1e-9)


def test_features_that_say_nothing_and_features_that_are_one_do_no_harm():
    X, y = rows_of("identity")
    X = np.hstack([X, X[:, :1], np.zeros((len(X), 2))])
    model = MLP((9,), output="identity").initialize(7, 2, seed=0)
    start_as_linear(model, X.astype(np.float32), y.astype(np.float32))
    least = np.linalg.lstsq(np.c_[X, np.ones(len(X))], y, rcond=None)[0]
    np.testing.assert_allclose(model.predict(X.astype(np.float32).T).T, np.c_[X, np.ones(len(X))] @ least, atol=1e-3)
    start_as_linear(model, X.astype(np.float32), np.ones_like(y, np.float32))
    np.testing.assert_allclose(model.predict(X.astype(np.float32).T), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (MLP((9,), activation="tanh"), "must be ReLU"),
        (MLP((9,), biases=False), "must be ReLU with biases"),
        (MLP((2,)), "more than 2 units"),
        (MLP((9, 2)), "more than 2 units"),
        (MLP(()), "more than 2 units"),
    ],
    ids=["tanh", "no biases", "two units", "two units behind", "none"],
)
def test_a_network_that_cannot_says_why(model, reason):
    X, y = rows_of("sigmoid")
    with pytest.raises(ValueError, match=reason):
        start_as_linear(model.initialize(4), X, y)
    with pytest.raises(ValueError, match="1,001 features"):
        start_as_linear(MLP((9,)).initialize(1001), np.zeros((5, 1001)), np.zeros((5, 1)))
    with pytest.raises(ValueError, match="no table of numbers"):
        start_as_linear(MLP((9,)).initialize(4), np.zeros((5, 2, 2), np.uint8), np.zeros((5, 1)))
