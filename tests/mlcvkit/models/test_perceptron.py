import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mlcvkit.models import Perceptron
from mlcvkit.training import Hyperparameters, fit


def separable(seed, K, N, dtype=np.float64):
    """Samples with a margin around a random plane, and that plane's unit normal with its offset."""
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=K + 1)
    normal /= np.linalg.norm(normal)
    X = rng.normal(size=(K, N))
    distance = normal[:-1] @ X + normal[-1]
    keep = np.abs(distance) > 0.1
    return X[:, keep].astype(dtype), (distance[keep] >= 0).astype(dtype)[None], np.abs(distance[keep])


@given(seed=st.integers(0, 10_000), K=st.integers(1, 8), N=st.integers(1, 80))
def test_on_separable_samples_it_converges_within_novikoffs_bound(seed, K, N):
    X, y, distance = separable(seed, K, N)
    assume(X.shape[1] > 0)
    model = Perceptron().initialize(K, dtype=np.float64)
    corrections = model.learn(X, y, epochs=100_000)
    R = np.sqrt((X**2).sum(axis=0) + 1).max()
    assert corrections <= (R / distance.min()) ** 2
    np.testing.assert_array_equal(model.predict(X), y)
    assert model.learn(X, y) == 0


def test_the_rule_is_rosenblatts_step_by_step():
    X, y, _ = separable(3, 4, 30)
    model = Perceptron().initialize(4, dtype=np.float64)
    model.learn(X, y, epochs=2)
    w, b = [0.0] * 4, 0.0
    for _ in range(2):
        for i in range(X.shape[1]):
            predicted = 1.0 if sum(w[k] * X[k, i] for k in range(4)) + b >= 0 else 0.0
            for k in range(4):
                w[k] += (y[0, i] - predicted) * X[k, i]
            b += y[0, i] - predicted
    np.testing.assert_allclose(model.W[0][:, 0], w, rtol=1e-12)
    assert model.W[1][0, 0] == b


def test_what_no_plane_separates_ends_after_the_epochs_given():
    X, y = np.array([[0.0, 0, 1, 1], [0, 1, 0, 1]]), np.array([[0.0, 1, 1, 0]])
    model = Perceptron().initialize(2, dtype=np.float64)
    assert model.learn(X, y, epochs=10) >= 10


def test_several_units_learn_each_by_itself():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3, 50))
    y = (np.array([[1, 2, 0], [0, -1, 3.0]]) @ X > 0.05).astype(float)
    both = Perceptron().initialize(3, 2, dtype=np.float64)
    both.learn(X, y)
    for unit in range(2):
        single = Perceptron().initialize(3, dtype=np.float64)
        single.learn(X, y[unit : unit + 1])
        np.testing.assert_allclose(both.W[0][:, unit], single.W[0][:, 0], rtol=1e-12)


def test_the_engine_with_steps_of_one_sample_is_the_rule():
    X, y, _ = separable(5, 3, 1)
    model, engine = (Perceptron().initialize(3, dtype=np.float64) for _ in range(2))
    model.learn(X, y, epochs=1)
    hp = Hyperparameters(optimizer="sgd", learning_rate=1, schedule="constant", batch_size=1, epochs=1)
    fit(engine, X.T, y[0], hyperparameters=hp)
    for ours, theirs in zip(model.W, engine.W, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_its_gradient_is_zero_where_it_is_right():
    X, y, _ = separable(1, 4, 30)
    model = Perceptron().initialize(4, dtype=np.float64)
    assert any(g.any() for g in model.emp_loss_grad(X, y))
    model.learn(X, y)
    assert not any(g.any() for g in model.emp_loss_grad(X, y))
    assert model.emp_loss(X, y) == pytest.approx(0)
