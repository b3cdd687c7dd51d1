"""Losses behind their outputs, in exact arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import exp, log, mpf

from exact import exactly
from mlcvkit.models.outputs import FUSED, LOSSES, OUTPUTS, loss_of_z, losses_behind, softmax_cross_entropy

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
    by_hand = loss_of_z(output, LOSSES[loss])  # given as a loss of one's own: no fused form
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
