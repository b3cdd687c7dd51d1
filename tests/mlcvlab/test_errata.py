"""Where the handout is wrong or unclear: for each erratum of docs/errata.md the test that decides it."""

import numpy as np
import pytest

from mlcvkit.training import accuracy
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn.activations import relu, relu_grad
from mlcvlab.nn.basis import linear, linear_grad
from mlcvlab.nn.losses import cross_entropy_grad, l2, l2_grad, mse
from mlcvlab.optim.adam import Adam
from mlcvlab.optim.sgd import SGD
from numerical import gradient_by, stencil

Y, Y_HAT = np.array([1.0, 2.0, 3.0]), np.array([0.5, 2.5, 5.0])


def test_erratum_1_the_printed_l2_gradient_is_the_one_with_respect_to_y():
    printed = (Y - Y_HAT) / l2(Y, Y_HAT)
    np.testing.assert_allclose(gradient_by(stencil, lambda y: l2(y, Y_HAT), Y), printed, rtol=1e-10)
    np.testing.assert_allclose(gradient_by(stencil, lambda y_hat: l2(Y, y_hat), Y_HAT), -printed, rtol=1e-10)
    np.testing.assert_allclose(l2_grad(Y, Y_HAT), -printed, rtol=1e-14)


def test_erratum_2_relu_hides_from_its_output_whether_x_was_zero():
    assert relu(0.0) == relu(-1.0)
    assert relu_grad(relu(0.0)) == relu_grad(relu(-1.0)) == 0
    # 0 is a subgradient at x = 0: relu(x) >= relu(0) + 0 (x - 0)
    assert (relu(np.linspace(-3, 3, 101)) >= 0).all()


def test_erratum_3_linear_grad_is_one_factor_of_the_chain_rule():
    x, W, upstream = np.array([[1.0], [2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]), np.array([[10.0], [100.0]])
    numerical = gradient_by(stencil, lambda W: (upstream * linear(x, W)).sum(), W).reshape(W.shape)
    np.testing.assert_allclose(upstream @ linear_grad(x).T, numerical, rtol=1e-9)


def test_erratum_4_the_l2_norm_and_the_mean_squared_error_are_two_functions():
    assert l2(Y, Y_HAT) ** 2 / Y.size == pytest.approx(mse(Y, Y_HAT))
    assert l2(Y, Y_HAT) != pytest.approx(mse(Y, Y_HAT))


def test_erratum_5_a_vanishing_denominator_keeps_the_sign_and_the_exact_limit():
    assert cross_entropy_grad(0.0, 0.0) == 1  # the limit of 1 / (1 - y_hat)
    assert cross_entropy_grad(1.0, 1.0) == -1  # the limit of -1 / y_hat
    assert cross_entropy_grad(1.0, 0.0) == pytest.approx(-1e6)
    assert cross_entropy_grad(0.0, 1.0) == pytest.approx(1e6)
    # distorting the numerator as well would have given 1 - (0 + 1e-6) / 1e-6 = 0 at the first of them
    np.testing.assert_array_equal(l2_grad(Y, Y), 0)


def test_erratum_6_sgd_takes_component_j_of_the_gradient_at_all_the_weights():
    rng = np.random.default_rng(0)
    model = NN2().initialize(3, 2, seed=rng, dtype=np.float64)
    X, y = rng.random((3, 10)), rng.integers(2, size=(1, 10)).astype(float)
    before, gradient = [w.copy() for w in model.W], model.emp_loss_grad(X, y)
    after = SGD(model, X, y, lr=0.1, R=1, seed=1)
    j = int(np.random.default_rng(1).integers(8))
    step = np.concatenate([(b - a).ravel() for a, b in zip(after, before, strict=True)])
    full = np.concatenate([g.ravel() for g in gradient])
    np.testing.assert_allclose(step[j], 0.1 * full[j], rtol=1e-10)
    assert full[j] != 0 and np.count_nonzero(step) == 1
    zeroed = [np.zeros_like(w) for w in before]
    zeroed[0].flat[j] = before[0].flat[j]
    assert model.emp_loss_grad(X, y, zeroed, 0).flat[j] == 0  # at the zeroed weights nothing would ever be learned


class Recorded:
    """A one-weight model with a fixed gradient that records where it was asked for it."""

    def __init__(self, gradient=1.0):
        self.W, self.gradient, self.asked = [np.zeros(1)], gradient, []

    def emp_loss(self, X, y, W):
        return 0.0

    def emp_loss_grad(self, X, y, W):
        self.asked.append(float(W[0][0]))
        return [np.full(1, self.gradient)]


def test_erratum_7_the_look_ahead_goes_uphill_and_can_be_left_out():
    model = Recorded(gradient=1.0)
    Adam(model, None, None, R=2, alpha=0.01)
    at_weights, ahead = model.asked[2:4]
    assert ahead == pytest.approx(at_weights + 0.9 * 0.1)  # W + β₁ m, m = (1 - β₁) · 1: against the descent
    plain = Recorded(gradient=1.0)
    Adam(plain, None, None, R=2, alpha=0.01, lookahead=False)
    assert len(plain.asked) == 2


@pytest.mark.parametrize("gradient", [1e-3, 1.0, 50.0])
def test_erratum_8_each_moment_is_corrected_by_the_number_of_its_own_updates(gradient):
    # with a constant gradient an unbiased m̃ / √s̃ is 1, so that every step is exactly alpha
    steps = []
    Adam(Recorded(gradient), None, None, R=4, alpha=0.01, delta=1e-30, callback=lambda r, W: steps.append(W[0][0]))
    np.testing.assert_allclose(np.diff([0.0, *steps]), -0.01, rtol=1e-10)
    # the printed 1 - β₁^(r+1) would make the first step 0.1 / 0.19 = 53 % of that
    assert pytest.approx(0.526, abs=1e-3) == (1 - 0.9) / (1 - 0.9**2)


def test_erratum_9_delta_is_the_epsilon_of_the_update():
    W = Adam(Recorded(gradient=2.0), None, None, R=1, alpha=0.01, delta=3.0)
    assert W[0][0] == pytest.approx(-0.01 * 2 / (2 + 3))


def test_erratum_10_accuracy_cuts_the_probability_at_one_half():
    model = NN2()
    model.W = [np.array([[1.0], [-1.0]]), np.array([[1.0], [-1.0]])]  # y_hat = sigmoid(x)
    X, y = np.array([[-2.0, -0.1, 0.1, 2.0]]), np.array([[0.0, 1.0, 1.0, 1.0]])
    assert not (model.nn2(X) == y).any()  # counted literally, nothing would be right
    assert accuracy(model, X, y) == 0.75
