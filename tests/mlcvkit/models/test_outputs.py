"""Losses behind their outputs, in exact arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import exp, log, mpf

from exact import exactly
from mlcvkit import MLPRegressor
from mlcvkit.models.outputs import FUSED, LOSSES, OUTPUTS, Loss, logit_loss, losses_behind, softmax_cross_entropy

columns = st.lists(st.floats(-60, 60), min_size=2, max_size=5)


def exact_softmax(z):
    return [exp(k) / sum(exp(i) for i in z) for k in z]


EXACT = {
    ("sigmoid", "cross_entropy"): (
        lambda y, z: sum(log(1 + exp(b)) - a * b for a, b in zip(y, z, strict=True)),
        lambda y, z: [1 / (1 + exp(-b)) - a for a, b in zip(y, z, strict=True)],
    ),
    ("softmax", "categorical_cross_entropy"): (
        lambda y, z: -sum(a * log(b) for a, b in zip(y, exact_softmax(z), strict=True)),
        lambda y, z: [b - a for a, b in zip(y, exact_softmax(z), strict=True)],
    ),
    ("step", "perceptron"): (
        lambda y, z: sum((mpf(b >= 0) - a) * b for a, b in zip(y, z, strict=True)),
        lambda y, z: [mpf(b >= 0) - a for a, b in zip(y, z, strict=True)],
    ),
}


def test_every_fused_pair_has_an_exact_twin():
    assert set(EXACT) == set(FUSED)


@pytest.mark.parametrize("pair", FUSED)
@given(z=columns, chosen=st.integers(0, 4))
def test_fused_pairs_are_their_formulas_exactly(pair, z, chosen):
    y = np.zeros(len(z))
    y[chosen % len(z)] = 1
    value, gradient = EXACT[pair]
    column = np.array(z)[:, None]
    np.testing.assert_allclose(FUSED[pair].value(y[:, None], column), exactly(value, y, z), rtol=1e-12)
    np.testing.assert_allclose(
        FUSED[pair].gradient(y[:, None], column)[:, 0], exactly(gradient, y, z), rtol=1e-10, atol=1e-15
    )


@pytest.mark.parametrize("pair", FUSED)
@given(z=st.lists(st.floats(-5, 5), min_size=2, max_size=5), chosen=st.integers(0, 4))
def test_fused_pairs_are_the_chain_rule_where_that_is_stable(pair, z, chosen):
    output, loss = pair
    if output == "step":
        return
    y = np.zeros((len(z), 1))
    y[chosen % len(z)] = 1
    column = np.array(z)[:, None]
    by_hand = logit_loss(output, LOSSES[loss])  # given as a loss of one's own: no fused form
    np.testing.assert_allclose(FUSED[pair].value(y, column), by_hand.value(y, column), rtol=1e-9)
    np.testing.assert_allclose(FUSED[pair].gradient(y, column), by_hand.gradient(y, column), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_saturated_softmax_keeps_its_loss_and_gradient(dtype):
    z, y = np.array([[400.0], [0.0]], dtype), np.array([[0.0], [1.0]], dtype)
    fused = FUSED["softmax", "categorical_cross_entropy"]
    assert fused.value(y, z)[0] == 400
    np.testing.assert_array_equal(fused.gradient(y, z), [[1], [-1]])
    small = softmax_cross_entropy(1 - y, z / 8)[0]
    assert small == pytest.approx(np.exp(-50), rel=1e-6)


def test_every_output_names_a_loss_that_can_stand_behind_it():
    for name, output in OUTPUTS.items():
        assert output.loss in losses_behind(name)


def test_hubers_loss_and_its_gradient_are_the_formula():
    y, y_hat = np.zeros((2, 6)), np.array([[-3.0, -1, -0.5, 0, 1e-9, 700], [0.2, 1, 1.5, -1e-3, 0, -2]])

    def exact(r):
        r = mpf(float(r))
        return r * r / 2 if abs(r) <= 1 else abs(r) - mpf(1) / 2

    expected = [float(sum(exact(r) for r in column)) for column in y_hat.T]
    np.testing.assert_allclose(LOSSES["huber"].value(y, y_hat), expected, rtol=1e-15)
    slope = [[float(max(min(mpf(float(r)), 1), -1)) for r in row] for row in y_hat]
    np.testing.assert_allclose(LOSSES["huber"].gradient(y, y_hat), slope, rtol=1e-15)
    inner, zero = np.array([[0.3, -0.7, 4.0], [2.0, -5.0, 0.01]]), np.zeros((2, 3))
    value = LOSSES["huber"].value
    for place in np.ndindex(inner.shape):
        step = np.zeros_like(inner)
        step[place] = 1e-6
        numeric = (value(zero, inner + step) - value(zero, inner - step)).sum() / 2e-6
        assert LOSSES["huber"].gradient(zero, inner)[place] == pytest.approx(numeric, rel=1e-8)


def test_huber_is_for_numbers_alone():
    assert "huber" in losses_behind("identity") and "huber" not in losses_behind("sigmoid") + losses_behind("softmax")


WRONG_LOSSES = {
    "a sum": (lambda y, y_hat: np.abs(y_hat - y).sum(axis=0), lambda y, y_hat: (y_hat - y).sum(axis=0)),
    "a number": (lambda y, y_hat: np.abs(y_hat - y).sum(axis=0), lambda y, y_hat: 1.0),
    "nothing": (lambda y, y_hat: np.abs(y_hat - y).sum(axis=0), lambda y, y_hat: None),
    "a mean": (lambda y, y_hat: np.abs(y_hat - y).mean(), lambda y, y_hat: y_hat - y),
    "one an output": (lambda y, y_hat: np.abs(y_hat - y), lambda y, y_hat: y_hat - y),
    "names": ("mse", "mse"),
}


@pytest.mark.parametrize("functions", WRONG_LOSSES.values(), ids=WRONG_LOSSES)
def test_a_loss_of_ones_own_that_gives_other_shapes_is_told(functions):
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.zeros((20, 2))
    with pytest.raises(
        ValueError, match=r"the (value|gradient) of the loss must have|two functions, value and gradient"
    ):
        MLPRegressor(loss=Loss(*functions), epochs=1, random_state=0).fit(X, y, validation_data=(X, y))


def test_a_loss_of_ones_own_may_give_a_row_for_one_output():
    X = np.random.default_rng(0).normal(size=(20, 3))
    cubic = Loss(lambda y, y_hat: np.abs(y_hat - y) ** 3, lambda y, y_hat: 3 * (y_hat - y) * np.abs(y_hat - y))
    MLPRegressor(loss=cubic, epochs=2, random_state=0).fit(X, X[:, 0], validation_data=(X, X[:, 0]))
