"""The fast gradient of an MLP against its plain one, on the same batches."""

import numpy as np
import pytest
import scipy.sparse

from mlcvkit.models import ACTIVATIONS, MLP, NN1, Loss, Perceptron
from mlcvkit.training import Hyperparameters, fit, kernels
from mlcvkit.training.batches import Batches
from mlcvkit.training.gradients import MLPGradient, ModelGradient, NN2Gradient, flatten, gradient_of
from mlcvlab.models.nn2 import NN2


def problem(N=50, K=6, C=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, K))
    X[:, [2, 5]] = 0  # what a packed batch leaves out
    return X, np.eye(C)[rng.integers(C, size=N)], rng.uniform(0, 2, N)


def assert_same(model, X, y, *, weights=None, packed=False, batch_size=32):
    w = flatten(model)
    batches = [Batches(X, y, batch_size, sample_weight=weights, packed=p, seed=3) for p in (False, packed)]
    plain, fast = ModelGradient(model), MLPGradient(model, batch_size)
    expected = [plain(w, batch).copy() for batch in batches[0].epoch(0)]
    got = [fast(w, batch).copy() for batch in batches[1].epoch(0)]
    rtol = 1e-10 if w.dtype == np.float64 else 2e-4
    for a, b in zip(expected, got, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(b, a, rtol=rtol, atol=rtol / 1e3)


@pytest.mark.parametrize("have_numba", [True, False])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("hidden", [(), (7,), (9, 8, 7)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_fast_gradient_is_the_plain_one(monkeypatch, activation, hidden, packed, have_numba):
    monkeypatch.setattr(kernels, "have_numba", lambda: have_numba)
    X, y, weights = problem()
    for biases in (True, False):
        model = MLP(hidden, activation=activation, output="softmax", dropout=0.3, l2=0.1, biases=biases)
        assert_same(model.initialize(6, 3, seed=0, dtype=np.float64), X, y, weights=weights, packed=packed)


def test_for_every_output_and_in_single_precision():
    X, y, weights = problem()
    huber = Loss(lambda y, p: (abs(p - y)).sum(axis=0), lambda y, p: np.sign(p - y))
    for output, loss in [("sigmoid", None), ("softmax", "mse"), ("identity", None), ("identity", huber)]:
        model = MLP((5,), output=output, loss=loss).initialize(6, 3, seed=0)
        assert_same(model, X.astype(np.float32), y.astype(np.float32), weights=weights.astype(np.float32), packed=True)
    assert_same(NN1().initialize(6, seed=0, dtype=np.float64), X, y[:, 0])
    perceptron = Perceptron().initialize(6, 3, dtype=np.float64)
    perceptron.W = [np.random.default_rng(0).normal(size=w.shape) for w in perceptron.W]
    assert_same(perceptron, X, y)


def test_sparse_rows_are_the_dense_ones():
    X, y, weights = problem()
    model = MLP((7,), output="softmax").initialize(6, 3, seed=0, dtype=np.float64)
    w = flatten(model)
    gradient = MLPGradient(model, 32)
    dense, sparse = (
        [gradient(w, batch).copy() for batch in Batches(rows, y, 32, sample_weight=weights).epoch(1)]
        for rows in (X, scipy.sparse.csr_array(X))
    )
    for a, b in zip(dense, sparse, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-14)


def test_each_model_has_its_fastest_gradient():
    nn2 = NN2().initialize(3, 2)
    assert type(gradient_of(nn2, 8)) is NN2Gradient
    assert type(gradient_of(MLP((2,), biases=False).initialize(3), 8)) is NN2Gradient
    assert type(gradient_of(nn2, 8, weighted=True)) is MLPGradient
    assert type(gradient_of(nn2, 8, sparse=True)) is MLPGradient
    assert type(gradient_of(NN2(loss="l2").initialize(3, 2), 8)) is MLPGradient

    class Other(NN2):
        """A subclass may have another gradient."""

    assert type(gradient_of(Other().initialize(3, 2), 8)) is ModelGradient
    assert type(gradient_of(MLP((2,)).initialize(3), 8)) is MLPGradient


def test_nn2_and_the_mlp_equal_to_it_are_trained_alike():
    X, y, _ = problem(200)
    hp = Hyperparameters(epochs=5, batch_size=32)
    nn2, mlp = NN2().initialize(6, 8, seed=0, dtype=np.float64), MLP((8,), biases=False)
    mlp.initialize(6, seed=0, dtype=np.float64)
    for model in (nn2, mlp):
        fit(model, X, y[:, 0], hyperparameters=hp)
    for ours, theirs in zip(mlp.W, nn2.W, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_weights_are_those_of_the_chosen_samples(tmp_path):
    N = 300
    X, y, weights = np.arange(N, dtype=float)[:, None], np.arange(N), np.arange(N) / 10
    for samples in (None, np.arange(0, N, 3)):
        for batch in Batches(X, y, 32, samples=samples, sample_weight=weights).epoch(0):
            np.testing.assert_array_equal(batch.x[:, 0], batch.y)
            np.testing.assert_array_equal(batch.sample_weight * 10, batch.y)


def test_weighted_training_is_that_of_repeated_samples():
    X, y, _ = problem(40)
    times = np.random.default_rng(0).integers(0, 4, 40)
    hp = Hyperparameters(epochs=30, batch_size=200, learning_rate=0.01)
    for make in (
        lambda: NN2().initialize(6, 5, seed=0, dtype=np.float64),
        lambda: MLP((5,)).initialize(6, seed=0, dtype=float),
    ):
        weighted, repeated = make(), make()
        fit(weighted, X, y[:, 0], sample_weight=times * 40 / times.sum(), hyperparameters=hp)
        run = fit(repeated, np.repeat(X, times, axis=0), np.repeat(y[:, 0], times), hyperparameters=hp)
        for ours, theirs in zip(weighted.W, repeated.W, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-10)
        assert run.history["train_loss"][-1] < run.history["train_loss"][0]


def test_what_does_not_fit_is_named():
    X, y, _ = problem()
    model = MLP((5,), output="softmax").initialize(6, 3)
    with pytest.raises(ValueError, match=r"one number a sample, \(50,\); got \(49,\)"):
        fit(model, X, y, sample_weight=np.ones(49))
    with pytest.raises(ValueError, match=r"\(C, N\), one column a sample: \(3, 1\); got y \(1, 1\)"):
        fit(model, X, y[:, 0])
