import itertools

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from mlcvkit.models import ACTIVATIONS, LOSSES, MLP, NN1, OUTPUTS, Activation, Loss, losses_behind, mlp
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn import losses as handout_losses
from mlcvlab.optim.adam import Adam
from mlcvlab.optim.sgd import SGD
from numerical import stencil

TRAINABLE = [output for output in OUTPUTS if output != "step"]
PAIRS = [
    (activation, output, loss)
    for activation, output in itertools.product(ACTIVATIONS, TRAINABLE)
    for loss in losses_behind(output)
]


def problem(hidden_units=(4,), *, outputs=3, K=5, N=6, seed=0, dtype=np.float64, **options):
    rng = np.random.default_rng(seed)
    model = MLP(hidden_units, **options).initialize(K, outputs, seed=rng, dtype=dtype)
    model.W = [w + rng.normal(0, 0.3, w.shape).astype(dtype) for w in model.W]  # so that no bias is 0
    X = rng.normal(size=(K, N)).astype(dtype)
    kind = options.get("output", "sigmoid")
    if kind == "softmax":
        y = np.eye(outputs)[rng.integers(outputs, size=N)].T
    elif kind == "sigmoid":
        y = rng.integers(2, size=(outputs, N))
    else:
        y = rng.normal(size=(outputs, N))
    return model, X, y.astype(dtype)


def assert_every_derivative(model, X, y, **options):
    """Each derivative against the fourth-order difference. A fresh generator each time draws the same dropout."""
    for key, gradient in enumerate(model.emp_loss_grad(X, y, **fresh(options))):
        for index in np.ndindex(gradient.shape):
            direction = np.zeros_like(gradient)
            direction[index] = 1

            def risk(w, key=key):
                W = [w if i == key else v for i, v in enumerate(model.W)]
                return model.emp_loss(X, y, W, **fresh(options))

            numerical = stencil(risk, model.W[key], direction, h=1e-4)
            assert gradient[index] == pytest.approx(numerical, rel=2e-7, abs=1e-10), (key, index)


def fresh(options):
    return {name: np.random.default_rng(value) if name == "rng" else value for name, value in options.items()}


@pytest.mark.parametrize("depth", [0, 1, 2, 3, 4])
@pytest.mark.parametrize(("activation", "output", "loss"), PAIRS)
def test_every_gradient_matches_central_differences(activation, output, loss, depth):
    hidden = (4, 3, 5, 3)[:depth]
    assert_every_derivative(*problem(hidden, seed=depth, activation=activation, output=output, loss=loss))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("biases", [True, False])
def test_gradients_with_dropout_penalty_and_weights_match_central_differences(activation, biases):
    model, X, y = problem((6, 5), activation=activation, output="softmax", dropout=0.4, l2=0.3, biases=biases)
    assert_every_derivative(model, X, y, sample_weight=np.linspace(0, 2, 6), rng=7)


def test_a_gradient_with_the_wrong_sign_is_caught():
    model, X, y = problem()
    right = model.emp_loss_grad
    model.emp_loss_grad = lambda *a, **o: [-g if i == 2 else g for i, g in enumerate(right(*a, **o))]
    with pytest.raises(AssertionError):
        assert_every_derivative(model, X, y)


@given(seed=st.integers(0, 10_000), depth=st.integers(0, 4), biases=st.booleans(), N=st.integers(1, 5))
def test_risk_and_gradient_match_an_automatic_differentiation_library(seed, depth, biases, N):
    model, X, y = problem(
        (3, 4, 2, 3)[:depth], seed=seed, N=N, activation="tanh", output="softmax", biases=biases, l2=0.1
    )

    def risk(W):
        layers = [(W[i], W[i + 1]) for i in range(0, len(W), 2)] if biases else [(w, 0) for w in W]
        a = X
        for w, b in layers[:-1]:
            a = anp.tanh(anp.dot(w, a) + b)
        z = anp.dot(layers[-1][0].T, a) + layers[-1][1]
        log_y_hat = z - anp.log(anp.sum(anp.exp(z), axis=0))
        return -anp.sum(y * log_y_hat) / N + 0.05 * sum(anp.sum(w**2) for w, _ in layers)

    W = list(model.W)
    assert model.emp_loss(X, y) == pytest.approx(risk(W), rel=1e-10)
    for ours, theirs in zip(model.emp_loss_grad(X, y), autograd.grad(risk)(W), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("loss", handout_losses.LOSSES)
@given(seed=st.integers(0, 10_000), K=st.integers(1, 9), M=st.integers(1, 9), N=st.integers(1, 40))
def test_without_biases_and_with_one_hidden_layer_it_is_nn2_bit_for_bit(loss, seed, K, M, N):
    rng = np.random.default_rng(seed)
    nn2, ours = NN2(loss=loss).initialize(K, M, seed=seed), MLP((M,), loss=loss, biases=False).initialize(K, seed=seed)
    X, y = rng.normal(size=(K, N)).astype(np.float32), rng.integers(2, size=(1, N)).astype(np.float32)
    for mine, theirs in zip(ours.W, nn2.W, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(ours.predict(X), nn2.nn2(X))
    assert ours.emp_loss(X, y) == nn2.emp_loss(X, y)
    for mine, theirs in zip(ours.emp_loss_grad(X, y), nn2.emp_loss_grad(X, y), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for mine, theirs in zip(ours.grad(X, y), nn2.grad(X, y), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_nn1_is_logistic_regression():
    rng = np.random.default_rng(0)
    model = NN1(l2=0.01).initialize(3, dtype=np.float64, seed=rng)
    X, y = rng.normal(size=(3, 8)), rng.integers(2, size=(1, 8)).astype(float)
    w, b = model.W
    y_hat = 1 / (1 + np.exp(-(w.T @ X + b)))
    np.testing.assert_allclose(model.predict(X), y_hat, rtol=1e-13)
    np.testing.assert_allclose(model.emp_loss_grad(X, y)[0], X @ (y_hat - y).T / 8 + 0.01 * w, rtol=1e-12)
    assert [w.shape for w in model.W] == [(3, 1), (1, 1)]


def test_the_handouts_optimizers_train_it():
    model, X, y = problem((4,), outputs=1, N=40)
    for train in (lambda: SGD(model, X, y, lr=0.5, R=50, seed=0), lambda: Adam(model, X, y, lookahead=False)):
        before = model.emp_loss(X, y)
        train()
        assert model.emp_loss(X, y) < before


@pytest.mark.parametrize("output", TRAINABLE)
def test_weights_of_samples_are_repetitions(output):
    model, X, y = problem((4, 3), output=output, l2=0.2)
    times = np.array([0, 1, 2, 3, 0, 1])
    weights = times * len(times) / times.sum()
    repeated = np.repeat(X, times, axis=1), np.repeat(y, times, axis=1)
    assert model.emp_loss(X, y, sample_weight=weights) == pytest.approx(model.emp_loss(*repeated), rel=1e-13)
    for ours, theirs in zip(
        model.emp_loss_grad(X, y, sample_weight=weights), model.emp_loss_grad(*repeated), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-15)


def test_sparse_samples_are_the_dense_ones():
    model, X, y = problem((4,), K=30, N=9, output="softmax")
    X[np.abs(X) < 1] = 0
    for sparse in (scipy.sparse.csc_array(X), scipy.sparse.csr_matrix(X)):
        np.testing.assert_allclose(model.predict(sparse), model.predict(X), rtol=1e-12)
        for ours, theirs in zip(model.emp_loss_grad(sparse, y), model.emp_loss_grad(X, y), strict=True):
            assert type(ours) is np.ndarray
            np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("columns", [1, 2, 5])
def test_blocks_of_columns_do_not_change_the_result(monkeypatch, columns):
    model, X, y = problem((4, 3), N=11, output="softmax", l2=0.1)
    weights = np.linspace(0.5, 1.5, 11)
    whole = model.predict(X), model.emp_loss(X, y), *model.emp_loss_grad(X, y, sample_weight=weights)
    monkeypatch.setattr(mlp, "BLOCK_BYTES", columns * 4 * 8)
    blocks = model.predict(X), model.emp_loss(X, y), *model.emp_loss_grad(X, y, sample_weight=weights)
    for ours, theirs in zip(blocks, whole, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)


def test_dropout_keeps_the_mean_and_is_only_there_where_a_generator_is():
    model, X, _ = problem((4000,), N=1, dropout=0.25, loss="mse", output="identity", outputs=1)
    model.W = [np.abs(w) for w in model.W]
    with_dropout = [float(model._forward(np.abs(X), model.W, np.random.default_rng(s)).z[0, 0]) for s in range(50)]
    assert np.mean(with_dropout) == pytest.approx(model.predict(np.abs(X))[0, 0], rel=0.01)
    mask = model._forward(X, model.W, np.random.default_rng(0)).hidden[0][1]
    assert (mask == 0).mean() == pytest.approx(0.25, abs=0.03)
    assert np.unique(mask).tolist() == pytest.approx([0, 4 / 3])
    np.testing.assert_array_equal(model.predict(X), model.predict(X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept_and_nothing_is_changed(dtype):
    model, X, y = problem((4, 3), dtype=dtype, output="softmax", dropout=0.3, l2=0.1)
    before = [a.copy() for a in (X, y, *model.W)]
    assert model.predict(X).dtype == dtype
    gradients = model.emp_loss_grad(X, y, rng=np.random.default_rng(0), sample_weight=np.ones(6, dtype))
    assert {g.dtype for g in gradients} == {np.dtype(dtype)}
    for now, then in zip((X, y, *model.W), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_loss_of_ones_own_is_used():
    huber = Loss(
        lambda y, y_hat: np.where(abs(y_hat - y) < 1, (y_hat - y) ** 2 / 2, abs(y_hat - y) - 0.5).sum(axis=0),
        lambda y, y_hat: np.clip(y_hat - y, -1, 1),
    )
    model, X, y = problem((4,), output="identity", loss=huber)
    assert_every_derivative(model, X, y)
    y[0, 0] = 1e6
    assert abs(model.emp_loss_grad(X, y)[1]).max() < 10


def test_weights_are_one_storage_with_two_names():
    model = MLP((2,)).initialize(3)
    assert [w.shape for w in model.W] == [(2, 3), (2, 1), (2, 1), (1, 1)]
    model.W[1] = np.ones((2, 1))
    assert model.layers[0].b[0, 0] == 1
    model.layers[1].W = np.full((2, 1), 5.0)
    assert model.W[2][0, 0] == 5


def test_what_does_not_fit_is_named():
    model, X, y = problem()
    with pytest.raises(ValueError, match=r"K = 5; got x \(4, 6\)"):
        model.predict(X[:4])
    with pytest.raises(ValueError, match=r"\(3, 6\); got y \(2, 6\)"):
        model.emp_loss(X, y[:2])
    with pytest.raises(ValueError, match="call initialize"):
        MLP().predict(X)
    with pytest.raises(ValueError, match="has 4 arrays of weights and biases; got 1"):
        model.W = [X]
    for options, message in [
        ({"activation": "step"}, f"unknown activation 'step'; choose one of {', '.join(ACTIVATIONS)}"),
        ({"output": "linear"}, f"unknown output 'linear'; choose one of {', '.join(OUTPUTS)}"),
        ({"loss": "hinge"}, "unknown loss 'hinge'; choose one of cross_entropy, mse, l2"),
        ({"output": "identity", "loss": "cross_entropy"}, "cannot stand behind the output identity; choose one of mse"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1; got 1.0"),
        ({"l2": -1}, "l2 must be 0 or more and finite; got -1"),
        ({"hidden_units": (3, 0)}, r"1 or more in each layer; got \(3, 0\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            MLP(**options)
    with pytest.raises(ValueError, match="a softmax 2; got 3 and 1"):
        MLP(output="softmax").initialize(3, 1)


def test_a_new_activation_and_loss_are_added_in_one_place(monkeypatch):
    softsign = Activation(lambda z: z / (1 + abs(z)), lambda a: (1 - abs(a)) ** 2, "", lambda graph, z: z)
    monkeypatch.setitem(ACTIVATIONS, "softsign", softsign)
    monkeypatch.setitem(
        LOSSES, "cube", Loss(lambda y, p: (abs(p - y) ** 3).sum(0), lambda y, p: 3 * (p - y) * abs(p - y))
    )
    assert "cube" in losses_behind("identity")
    assert_every_derivative(*problem((4, 3), activation="softsign", output="identity", loss="cube"))
