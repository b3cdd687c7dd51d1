import autograd.misc.optimizers
import numpy as np
import pytest

from mlcvkit.training.batches import Batch
from mlcvkit.training.gradients import flatten, gradient_of
from mlcvkit.training.optimizers import OPTIMIZERS, Adam, AdamW, HandoutAdam, Momentum, Nesterov, RMSprop
from mlcvlab.models.nn2 import NN2
from mlcvlab.optim.adam import Adam as handout_adam


@pytest.mark.parametrize(("optimizer", "lookahead"), [(Adam(), False), (HandoutAdam(), True)])
def test_adam_on_a_flat_vector_takes_the_steps_of_the_handouts_adam(optimizer, lookahead):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 10))
    y = (X[:, 0] > 0).astype(float)
    ours, theirs = (NN2().initialize(10, 16, seed=1, dtype=np.float64) for _ in range(2))
    w = flatten(ours)
    gradient = gradient_of(ours, len(X))
    batch = Batch(X, y, np.arange(10), None, rng)
    state = optimizer.start(w)
    for _ in range(100):
        optimizer.step(w, lambda w: gradient(w, batch), state, 0.003)
    handout_adam(theirs, X.T, y[None], alpha=0.003, R=100, lookahead=lookahead)
    for a, b in zip(ours.W, theirs.W, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_adam_agrees_with_an_independent_library():
    # autograd's Adam adds epsilon to the corrected root too
    start, target = np.array([1.0, -3.0, 0.5]), np.array([0.2, 0.1, -4.0])
    theirs = autograd.misc.optimizers.adam(lambda w, i: w - target, start, num_iters=40, step_size=0.05)
    w, adam = start.copy(), Adam()
    state = adam.start(w)
    for _ in range(40):
        adam.step(w, lambda w: w - target, state, 0.05)
    np.testing.assert_allclose(w, theirs, rtol=1e-10)


def test_adamw_decays_the_weights_by_the_learning_rate_times_the_decay():
    plain, decayed = Adam(), AdamW(weight_decay=0.2)
    a, b = np.array([1.0, -3.0]), np.array([1.0, -3.0])
    plain.step(a, lambda w: np.array([0.5, 2.0]), plain.start(a), 0.1)
    decayed.step(b, lambda w: np.array([0.5, 2.0]), decayed.start(b), 0.1)
    np.testing.assert_allclose(b, a - 0.1 * 0.2 * np.array([1.0, -3.0]), rtol=1e-12)


def test_momentum_takes_the_steps_of_its_formula():
    w, momentum = np.array([1.0, -2.0]), Momentum(0.5)
    state = momentum.start(w)
    expected, v = [1.0, -2.0], [0.0, 0.0]
    for _ in range(5):
        momentum.step(w, lambda w: 3 * w, state, 0.1)
        v = [0.5 * v_i + 3 * w_i for v_i, w_i in zip(v, expected, strict=True)]
        expected = [w_i - 0.1 * v_i for v_i, w_i in zip(v, expected, strict=True)]
    np.testing.assert_allclose(w, expected, rtol=1e-12)


def test_nesterov_is_momentum_with_the_gradient_taken_ahead():
    # Sutskever et al. (2013), equations 3 and 4, at the point ahead θ + μ v, which is the w of our form
    w, nesterov = np.array([1.0, -2.0]), Nesterov(0.5)
    state = nesterov.start(w)
    theta, v = np.array([1.0, -2.0]), np.zeros(2)
    for _ in range(5):
        nesterov.step(w, lambda w: 3 * w, state, 0.1)
        v = 0.5 * v - 0.1 * 3 * (theta + 0.5 * v)
        theta = theta + v
        np.testing.assert_allclose(w, theta + 0.5 * v, rtol=1e-12)


def test_sgd_goes_down_the_gradient():
    w, sgd = np.array([1.0, -2.0]), OPTIMIZERS["sgd"]()
    sgd.step(w, lambda w: 3 * w, sgd.start(w), 0.1)
    np.testing.assert_allclose(w, [0.7, -1.4], rtol=1e-12)


def test_rmsprop_takes_the_steps_of_another_librarys():
    start, target = np.array([1.0, -3.0, 0.5]), np.array([0.2, 0.1, -4.0])
    theirs = autograd.misc.optimizers.rmsprop(lambda w, i: w - target, start, num_iters=40, step_size=0.05, gamma=0.8)
    w, rmsprop = start.copy(), RMSprop(rho=0.8)
    state = rmsprop.start(w)
    assert not state.s.any()
    state.s[:] = 1  # where theirs starts
    for _ in range(40):
        rmsprop.step(w, lambda w: w - target, state, 0.05)
    np.testing.assert_allclose(w, theirs, rtol=1e-7)  # they add epsilon as 10^-8 too
