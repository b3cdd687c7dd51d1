import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mpmath import exp, log, mpf

import exact
from mlcvlab.nn import losses
from mlcvlab.nn.activations import sigmoid
from numerical import complex_step, gradient_by, stencil

PAIRS = {
    "l2": (losses.l2, losses.l2_grad),
    "mse": (losses.mse, losses.mse_grad),
    "cross_entropy": (losses.cross_entropy, losses.cross_entropy_grad),
}
probabilities = st.floats(0.01, 0.99)


def batch(seed=0, n=20):
    rng = np.random.default_rng(seed)
    return rng.integers(2, size=n).astype(float), rng.uniform(0.02, 0.98, n)


def test_every_loss_has_an_exact_twin():
    assert set(exact.LOSSES) == set(PAIRS) == set(losses.LOSSES)


@pytest.mark.parametrize("name", PAIRS)
def test_values_and_gradients_equal_the_formula_in_400_digits(name):
    rng = np.random.default_rng(0)
    edges = np.array([1e-300, 1e-30, 1e-12, 1e-6, 0.5, 1 - 1e-6, 1 - 1e-12, 1 - 2.0**-53])
    y_hat = np.concatenate([edges, edges, rng.random(50)])
    y = np.concatenate([np.zeros(8), np.ones(8), rng.integers(2, size=50)])
    for ours, twin in zip(PAIRS[name], exact.LOSSES[name], strict=True):
        np.testing.assert_allclose(np.ravel(ours(y, y_hat)), exact.exactly(twin, y, y_hat), rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_l2_neither_vanishes_nor_overflows(scale):
    y, y_hat = np.zeros(2), np.array([3.0, 4.0]) * scale
    assert losses.l2(y, y_hat) == pytest.approx(5 * scale, rel=1e-14)
    np.testing.assert_allclose(losses.l2_grad(y, y_hat), [0.6, 0.8], rtol=1e-14)


@pytest.mark.parametrize("method", [stencil, complex_step])
@pytest.mark.parametrize("name", PAIRS)
def test_gradient_is_the_derivative_with_respect_to_y_hat(name, method):
    value, gradient = PAIRS[name]
    y, y_hat = batch()
    numerical = gradient_by(method, lambda p: value(y, p).sum(), y_hat)
    np.testing.assert_allclose(gradient(y, y_hat), numerical, rtol=1e-3 if method is stencil else 1e-11, atol=1e-8)


@pytest.mark.parametrize("name", PAIRS)
def test_the_loss_of_each_column_is_the_loss_of_that_sample(name):
    value, gradient = (p if name == "cross_entropy" else (lambda *a, p=p: p(*a, axis=0)) for p in PAIRS[name])
    y, y_hat = (a.reshape(1, -1) for a in batch())
    columns = [PAIRS[name][0](y[:, [i]], y_hat[:, [i]]) for i in range(y.shape[1])]
    np.testing.assert_array_equal(np.ravel(value(y, y_hat)), np.ravel(columns))
    columns = [PAIRS[name][1](y[:, [i]], y_hat[:, [i]]) for i in range(y.shape[1])]
    np.testing.assert_array_equal(gradient(y, y_hat), np.hstack(columns))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", PAIRS)
def test_values_and_gradients_are_finite_at_the_edges(name, dtype):
    y, y_hat = np.array([[0, 0, 1, 1]], dtype), np.array([[0, 1, 0, 1]], dtype)
    for function in PAIRS[name]:
        got = function(y, y_hat)
        assert got.dtype == dtype and np.isfinite(got).all()
        assert np.isfinite(function(y, y)).all()


@given(arrays(float, 5, elements=probabilities), arrays(float, 5, elements=probabilities))
def test_losses_are_not_negative_and_change_nothing(y, y_hat):
    before = y.copy(), y_hat.copy()
    for value, gradient in PAIRS.values():
        assert (value(y, y_hat) >= 0).all()
        assert gradient(y, y_hat).shape == y_hat.shape
    np.testing.assert_array_equal((y, y_hat), before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("name", PAIRS)
def test_dtype_is_kept_and_integers_become_float64(name, dtype):
    for function in PAIRS[name]:
        assert function(np.array([0, 1], dtype), np.array([1, 1], dtype)).dtype == (
            np.float64 if dtype == np.int64 else dtype
        )


@pytest.mark.parametrize("function", [f for pair in PAIRS.values() for f in pair])
def test_shapes_that_differ_are_named(function):
    with pytest.raises(ValueError, match=r"y \(3,\) and y_hat \(1, 3\)"):
        function(np.zeros(3), np.zeros((1, 3)))


@pytest.mark.parametrize("name", losses.LOSSES)
def test_a_loss_behind_a_sigmoid_is_the_loss_of_the_sigmoid(name):
    y, z = batch()[0][None], np.random.default_rng(1).normal(0, 3, (1, 20))
    value = losses.LOSSES[name].value(y, z)
    assert value.shape == (20,)
    pair = PAIRS[name][0]
    expected = pair(y, sigmoid(z))[0] if name == "cross_entropy" else pair(y, sigmoid(z), axis=0)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    numerical = stencil(lambda z: losses.LOSSES[name].value(y, z)[None], z, np.ones_like(z))
    np.testing.assert_allclose(losses.LOSSES[name].gradient(y, z), numerical, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("z", [-1e4, -745.0, -40.0, -1.0, 0.0, 1.0, 40.0, 300.0, 1e4])
@pytest.mark.parametrize("y", [0.0, 1.0])
def test_sigmoid_cross_entropy_is_exact_in_the_tails(y, z):
    expected = float(log(1 + exp(mpf(z))) - y * mpf(z))
    assert float(losses.sigmoid_cross_entropy(y, z)) == pytest.approx(expected, rel=1e-12, abs=1e-320)
