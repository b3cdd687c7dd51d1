"""SGD and Adam against the handout's formulas, computed by hand in plain Python."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcvlab.models.nn2 import NN2
from mlcvlab.nn.losses import LOSSES
from mlcvlab.optim.adam import Adam
from mlcvlab.optim.sgd import SGD
from numerical import Plain

X = np.array([[0.5, 0.0, 1.0], [0.0, 2.0, -1.0]])
Y = np.array([[1.0, 0.0, 1.0]])
WEIGHTS = [np.array([[0.3, -0.2], [0.1, 0.4]]), np.array([[0.5], [-0.6]])]


def small_model(loss="cross_entropy"):
    model = NN2(loss=loss)
    model.W = [w.copy() for w in WEIGHTS]
    return model


def random_problem(seed, loss="cross_entropy", dtype=np.float64, K=6, M=4, N=30):
    rng = np.random.default_rng(seed)
    model = NN2(loss=loss).initialize(K, M, seed=rng, dtype=dtype)
    X = rng.random((K, N)) * (rng.random((K, N)) < 0.4)
    return model, X.astype(dtype), rng.integers(2, size=(1, N)).astype(dtype)


def path(optimizer, model, *arguments, **options):
    """All weights after each step, as rows."""
    rows = []
    optimizer(model, *arguments, callback=lambda r, W: rows.append(np.concatenate([w.ravel() for w in W])), **options)
    return np.array(rows)


def gradient_by_hand(w):
    """∇L_N of the small model under cross-entropy in plain Python; w = W1 row by row, then w2."""
    W1, w2, N = [w[0:2], w[2:4]], w[4:6], 3
    total = [0.0] * 6
    for n in range(N):
        x = [float(X[0, n]), float(X[1, n])]
        z1 = [W1[m][0] * x[0] + W1[m][1] * x[1] for m in range(2)]
        a1 = [max(z, 0.0) for z in z1]
        delta2 = 1 / (1 + math.exp(-(w2[0] * a1[0] + w2[1] * a1[1]))) - float(Y[0, n])
        for m in range(2):
            total[4 + m] += delta2 * a1[m] / N
            for k in range(2):
                total[2 * m + k] += (w2[m] * delta2 * x[k] / N) if z1[m] > 0 else 0.0
    return total


def start_by_hand():
    return [float(v) for w in WEIGHTS for v in w.ravel()]


@pytest.mark.parametrize("wrap", [lambda model: model, Plain])
def test_five_steps_of_sgd_are_the_formula_of_the_handout(wrap):
    draws = np.random.default_rng(3).integers(6, size=5)
    w, expected = start_by_hand(), []
    for j in draws:
        w[j] -= 0.7 * gradient_by_hand(w)[j]
        expected.append(list(w))
    np.testing.assert_allclose(path(SGD, wrap(small_model()), X, Y, lr=0.7, R=5, seed=3), expected, rtol=1e-12)


@pytest.mark.parametrize("lookahead", [True, False])
def test_five_steps_of_adam_are_the_formulas_of_the_handout(lookahead):
    alpha, beta1, beta2, epsilon = 0.05, 0.8, 0.9, 1e-3
    w, m, s, expected = start_by_hand(), [0.0] * 6, [0.0] * 6, []
    for r in range(1, 6):
        g = gradient_by_hand(w)
        ahead = gradient_by_hand([w[j] + beta1 * m[j] for j in range(6)]) if lookahead else g
        for j in range(6):
            m[j] = beta1 * m[j] + (1 - beta1) * ahead[j]
            s[j] = beta2 * s[j] + (1 - beta2) * g[j] ** 2
        for j in range(6):
            m_tilde, s_tilde = m[j] / (1 - beta1**r), s[j] / (1 - beta2**r)
            w[j] -= alpha / (math.sqrt(s_tilde) + epsilon) * m_tilde
        expected.append(list(w))
    options = {"alpha": alpha, "beta1": beta1, "beta2": beta2, "delta": epsilon, "R": 5, "lookahead": lookahead}
    got = path(Adam, small_model(), X, Y, **options)
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_the_defaults_are_those_of_the_handout_and_of_kingma_and_ba():
    steps = path(Adam, small_model(), X, Y)
    named = {"alpha": 0.001, "beta1": 0.9, "beta2": 0.999, "delta": 1e-8, "R": 100, "lookahead": True}
    np.testing.assert_array_equal(steps, path(Adam, small_model(), X, Y, **named))
    assert len(path(SGD, small_model(), X, Y)) == 100


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), loss=st.sampled_from(list(LOSSES)), lr=st.sampled_from([0.01, 0.5, 5.0]))
def test_both_readings_of_sgd_take_the_same_steps(seed, loss, lr):
    incremental = path(SGD, *random_problem(seed, loss), lr=lr, R=60, seed=seed)
    model, X, y = random_problem(seed, loss)
    plain = path(SGD, Plain(model), X, y, lr=lr, R=60, seed=seed)
    np.testing.assert_allclose(incremental, plain, rtol=1e-8, atol=1e-10)


def test_both_readings_of_sgd_agree_in_float32_over_many_steps():
    model, X, y = random_problem(5, dtype=np.float32)
    incremental = path(SGD, model, X, y, lr=0.5, R=2000, seed=5)
    model, X, y = random_problem(5, dtype=np.float32)
    plain = path(SGD, Plain(model), X, y, lr=0.5, R=2000, seed=5)
    assert incremental.dtype == np.float32
    np.testing.assert_allclose(incremental, plain, atol=2e-3)


def test_a_subclass_that_changes_the_gradient_gets_the_plain_reading():
    class Reversed(NN2):
        def emp_loss_grad(self, train_X, train_y, W=None, layer=None):
            return -super().emp_loss_grad(train_X, train_y, W, layer)

    model = Reversed()
    model.W = [w.copy() for w in WEIGHTS]
    start = np.array(start_by_hand())
    up = path(SGD, model, X, Y, lr=0.1, R=1, seed=0)[0] - start
    down = path(SGD, small_model(), X, Y, lr=0.1, R=1, seed=0)[0] - start
    np.testing.assert_allclose(up, -down, rtol=1e-9)


@pytest.mark.parametrize("optimizer", [SGD, Adam])
def test_the_loss_goes_down_the_model_holds_the_result_and_nothing_given_is_changed(optimizer):
    model, X, y = random_problem(1)
    given_arrays = [X, y, *model.W]
    before = [a.copy() for a in given_arrays]
    loss = model.emp_loss(X, y)
    W = optimizer(model, X, y, R=300, **({"seed": 0} if optimizer is SGD else {}))
    assert model.emp_loss(X, y) < loss
    for held, returned in zip(model.W, W, strict=True):
        assert held is returned
    for now, then in zip(given_arrays, before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_seed_or_a_generator_decides_what_sgd_draws():
    runs = [path(SGD, small_model(), X, Y, seed=seed) for seed in (4, np.random.default_rng(4), 5)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


@pytest.mark.parametrize("optimizer", [SGD, Adam])
def test_the_callback_counts_steps_and_gets_weights_of_its_own(optimizer):
    seen = []

    def spoil(r, W):
        seen.append(r)
        for w in W:
            w[:] = np.nan

    W = optimizer(small_model(), X, Y, R=3, callback=spoil)
    assert seen == [1, 2, 3]
    assert all(np.isfinite(w).all() for w in W)


class Quadratic:
    """L(w) = |w|² / 2 with the gradient reversed: every step goes uphill."""

    def __init__(self):
        self.W = [np.ones(3)]

    def emp_loss(self, X, y, W):
        return 0.5 * float(np.square(W[0]).sum())

    def emp_loss_grad(self, X, y, W, layer=None):
        return -W[0] if layer == 0 else [-W[0]]


@pytest.mark.parametrize(
    ("optimizer", "options", "rate"), [(SGD, {"lr": 1e60}, "lr=1e+60"), (Adam, {"alpha": 1e200}, r"alpha=1e+200")]
)
def test_a_loss_that_explodes_stops_with_the_step_and_the_learning_rate(optimizer, options, rate):
    model = Quadratic()
    with pytest.raises(FloatingPointError) as error:
        optimizer(model, X, Y, R=1000, **options)
    assert rate in str(error.value) and "after step " in str(error.value) and "inf" in str(error.value)
    np.testing.assert_array_equal(model.W[0], np.ones(3))


@pytest.mark.parametrize("wrap", [lambda model: model, Plain])
def test_an_nn2_that_explodes_stops_too(wrap):
    model, X, y = random_problem(0, dtype=np.float32)
    with pytest.raises(FloatingPointError, match=r"SGD diverged: the loss is .* after step \d+ with lr=1e\+38"):
        SGD(wrap(model), X, y, lr=1e38, R=1000, seed=0)


def test_a_hyperparameter_out_of_its_range_is_named():
    for value in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="lr must be positive and finite"):
            SGD(small_model(), X, Y, lr=value)
        with pytest.raises(ValueError, match="alpha must be positive and finite"):
            Adam(small_model(), X, Y, alpha=value)
    with pytest.raises(ValueError, match="R, the number of steps"):
        Adam(small_model(), X, Y, R=-1)
    with pytest.raises(ValueError, match=r"beta2 must be in \[0, 1\); got 1"):
        Adam(small_model(), X, Y, beta2=1)
    for optimizer in (SGD, Adam):
        with pytest.raises(ValueError, match=r"initialize|initialise"):
            optimizer(NN2(), X, Y)
    with pytest.raises(ValueError, match=r"y \(1, 2\) for x \(2, 3\)"):
        SGD(small_model(), X, Y[:, :2])
