import tracemalloc

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcvlab.models import nn2 as nn2_module
from mlcvlab.models.base import Layer
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn.activations import relu, sigmoid
from mlcvlab.nn.losses import LOSSES
from numerical import stencil


def problem(seed=0, K=5, M=4, N=7, dtype=np.float64, loss="cross_entropy"):
    rng = np.random.default_rng(seed)
    model = NN2(loss=loss).initialize(K, M, seed=rng, dtype=dtype)
    return model, rng.normal(size=(K, N)).astype(dtype), rng.integers(2, size=(1, N)).astype(dtype)


def risk_for_autograd(loss):
    """The empirical risk in a library that differentiates by itself, from the handout's formulas."""

    def risk(W1, w2, X, y):
        z2 = anp.dot(w2.T, anp.maximum(anp.dot(W1, X), 0))
        y_hat = 1 / (1 + anp.exp(-z2))
        return anp.mean(
            {
                "cross_entropy": lambda: -y * anp.log(y_hat) - (1 - y) * anp.log(1 - y_hat),
                "l2": lambda: anp.sqrt((y - y_hat) ** 2),
                "mse": lambda: (y - y_hat) ** 2,
            }[loss]()
        )

    return risk


def test_prediction_is_the_formula_of_the_handout():
    model, X, _ = problem()
    W1, w2 = model.W
    np.testing.assert_allclose(model.nn2(X), sigmoid(w2.T @ relu(W1 @ X)), rtol=1e-14)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_of_every_weight_matches_central_differences(loss):
    model, X, y = problem(1, loss=loss)
    gradients = model.emp_loss_grad(X, y)
    for layer, gradient in enumerate(gradients):
        for index in np.ndindex(gradient.shape):
            direction = np.zeros_like(gradient)
            direction[index] = 1

            def risk(w, layer=layer):
                return model.emp_loss(X, y, [w if i == layer else model.W[i] for i in range(2)])

            numerical = stencil(risk, model.W[layer], direction, h=1e-4)
            assert gradient[index] == pytest.approx(numerical, rel=1e-8, abs=1e-11), (layer, index)


@pytest.mark.parametrize("loss", LOSSES)
@given(seed=st.integers(0, 10_000), K=st.integers(1, 6), M=st.integers(1, 6), N=st.integers(1, 6))
def test_gradient_and_risk_match_an_automatic_differentiation_library(loss, seed, K, M, N):
    model, X, y = problem(seed, K, M, N, loss=loss)
    risk = risk_for_autograd(loss)
    assert model.emp_loss(X, y) == pytest.approx(risk(*model.W, X, y), rel=1e-10)
    witness = autograd.grad(risk, (0, 1))(*model.W, X, y)
    for ours, theirs in zip(model.emp_loss_grad(X, y), witness, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-12)


def test_a_directional_derivative_of_a_large_network_matches():
    model, X, y = problem(2, K=50, M=30, N=200)
    rng = np.random.default_rng(0)
    for _ in range(5):
        directions = [rng.normal(size=w.shape) for w in model.W]

        def risk(t, directions=directions):
            return model.emp_loss(X, y, [w + t * d for w, d in zip(model.W, directions, strict=True)])

        analytic = sum((g * d).sum() for g, d in zip(model.emp_loss_grad(X, y), directions, strict=True))
        assert stencil(risk, 0.0, 1.0, h=1e-7) == pytest.approx(analytic, rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_batch_is_its_samples_one_by_one(loss):
    model, X, y = problem(3, loss=loss)
    columns = range(X.shape[1])
    np.testing.assert_allclose(model.nn2(X), np.hstack([model.nn2(X[:, [i]]) for i in columns]), rtol=1e-13)
    for layer in range(2):
        one_by_one = [model.grad(X[:, [i]], y[:, [i]])[layer] for i in columns]
        np.testing.assert_allclose(model.grad(X, y)[layer], np.sum(one_by_one, axis=0), rtol=1e-11, atol=1e-15)
        np.testing.assert_allclose(
            model.emp_loss_grad(X, y)[layer], np.mean(one_by_one, axis=0), rtol=1e-11, atol=1e-15
        )


@pytest.mark.parametrize("layer", [0, 1])
def test_layer_chooses_one_of_the_gradients(layer):
    model, X, y = problem()
    np.testing.assert_array_equal(model.emp_loss_grad(X, y, None, layer), model.emp_loss_grad(X, y)[layer])


def test_given_weights_stand_in_for_the_models_own():
    model, X, y = problem(0)
    other = problem(1)[0]
    for ours, theirs in zip(model.emp_loss_grad(X, y, other.W), other.emp_loss_grad(X, y), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(model.grad(X, y, other.W), other.grad(X, y, None), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("z", [40.0, -40.0])
def test_a_saturated_wrong_sigmoid_still_sends_the_right_gradient_back(z, dtype):
    model = NN2()
    model.W = [np.ones((1, 1), dtype), np.array([[z]], dtype)]
    y = 0.0 if z > 0 else 1.0
    gW1, gw2 = model.grad(np.ones((1, 1), dtype), np.array([[y]], dtype))
    assert gW1.dtype == gw2.dtype == dtype
    sign = 1 if z > 0 else -1
    assert gw2[0, 0] == pytest.approx(sign, rel=1e-6)
    assert gW1[0, 0] == pytest.approx(sign * z, rel=1e-6)
    assert model.emp_loss(np.ones((1, 1), dtype), [[y]]) == pytest.approx(40, rel=1e-6)


@pytest.mark.parametrize("columns", [1, 2, 3, 100])
def test_blocks_of_columns_do_not_change_the_result(monkeypatch, columns):
    model, X, y = problem(4, N=11)
    whole = model.nn2(X), model.emp_loss(X, y), *model.emp_loss_grad(X, y)
    monkeypatch.setattr(nn2_module, "BLOCK_BYTES", columns * model.W[0].shape[0] * 8)
    for ours, theirs in zip((model.nn2(X), model.emp_loss(X, y), *model.emp_loss_grad(X, y)), whole, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)


def test_memory_does_not_grow_with_the_number_of_samples():
    model = NN2().initialize(20, 128, seed=0)
    X, y = np.ones((20, 200_000), np.float32), np.ones((1, 200_000), np.float32)
    tracemalloc.start()
    model.emp_loss_grad(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 48 * 2**20  # Z1 of all samples would be 98 MiB


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept_and_nothing_is_changed(dtype):
    model, X, y = problem(dtype=dtype)
    before = [a.copy() for a in (X, y, *model.W)]
    assert model.nn2(X).dtype == dtype
    assert [g.dtype for g in model.emp_loss_grad(X, y)] == [dtype, dtype]
    for now, then in zip((X, y, *model.W), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_initialisation_is_seeded_and_scaled():
    a, b = (NN2().initialize(400, 300, seed=7) for _ in range(2))
    for ours, theirs in zip(a.W, b.W, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert [w.dtype for w in a.W] == [np.float32, np.float32]
    assert a.W[0].std() == pytest.approx(np.sqrt(2 / 400), rel=0.02)
    assert a.W[1].std() == pytest.approx(np.sqrt(1 / 300), rel=0.2)
    assert not np.array_equal(a.W[0], NN2().initialize(400, 300, seed=8).W[0])


def test_weights_are_one_storage_with_two_names():
    model = NN2()
    assert [layer.activation for layer in model.layers] == [relu, sigmoid]
    W1, w2 = np.ones((2, 3)), np.ones((2, 1))
    model.W = [W1, w2]
    assert model.layers[0].W is W1 and model.layers[1].W is w2
    model.layers[0].W = 2 * W1
    assert model.W[0][0, 0] == 2
    model.W[1] = 3 * w2
    assert model.layers[1].W[0, 0] == 3
    assert isinstance(model.W, list) and len(model.W) == 2
    layer = Layer(W1, relu)
    assert layer.W is W1 and layer.activation is relu


def test_what_does_not_fit_is_named():
    model, X, y = problem()
    with pytest.raises(ValueError, match=r"x \(4, 7\) for W1 \(4, 5\)"):
        model.nn2(X[:4])
    with pytest.raises(ValueError, match=r"y \(1, 6\) for x \(5, 7\)"):
        model.emp_loss_grad(X, y[:, :6])
    with pytest.raises(ValueError, match=r"\(4, 5\) and \(3, 1\)"):
        model.emp_loss(X, y, [model.W[0], model.W[1][:3]])
    with pytest.raises(ValueError, match="layers 0 and 1"):
        model.emp_loss_grad(X, y, None, 2)
    with pytest.raises(ValueError, match="initialize"):
        NN2().nn2(X)
    with pytest.raises(ValueError, match="unknown loss 'hinge'; choose one of cross_entropy"):
        NN2(loss="hinge")
    with pytest.raises(ValueError, match="hidden_units >= 1; got 3 and 0"):
        NN2().initialize(3, 0)
    with pytest.raises(ValueError, match="two arrays of weights"):
        model.W = [X]
