import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcvkit.course import check
from mlcvlab.nn.activations import ACTIVATIONS
from mlcvlab.nn.losses import cross_entropy, cross_entropy_grad, l2, l2_grad, mse, mse_grad


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "softmax"])
def test_the_handouts_activations_are_right_in_terms_of_their_output(name):
    function, gradient = ACTIVATIONS[name].function, ACTIVATIONS[name].gradient
    result = check(function, gradient, seed=1)
    assert result.ok and result.relative_error < 1e-9 and str(result).startswith("ok: relative error ")


@pytest.mark.parametrize(
    ("function", "gradient"), [(l2, l2_grad), (mse, mse_grad), (cross_entropy, cross_entropy_grad)]
)
def test_the_handouts_losses_are_right_with_respect_to_the_prediction(function, gradient):
    assert check(function, gradient, seed=1).ok


@pytest.mark.parametrize(
    ("function", "gradient", "mistake", "words"),
    [
        (l2, lambda y, y_hat: -l2_grad(y, y_hat), "sign", "the sign is reversed"),
        (mse, lambda y, y_hat: 2 * (y_hat - y), "missing_mean", "5 times what it should be: is the mean missing?"),
        (mse, lambda y, y_hat: mse_grad(y, y_hat) / 5, "mean_twice", "divided by N = 5"),
        (np.tanh, lambda y: 2 * (1 - y**2), "twice", "twice"),
        (np.tanh, lambda y: (1 - y**2) / 2, "half", "factor 2"),
        (np.tanh, lambda y: 0 * y, "zeros", "0 everywhere"),
        (np.tanh, lambda y: 1 - np.tanh(y) ** 2, "of_x", "the output y already"),
        (np.tanh, lambda x: 1 - x**2, "wrong_argument", "in terms of the output y"),
        (np.tanh, lambda y: 3.3 * (1 - y**2), "factor", "3.3 times"),
        (lambda x: np.array([[1.0, 2], [3, 4]]) @ x, lambda x: np.array([[1.0, 3], [2, 4]]), "transposed", "row i"),
    ],
)
def test_a_mistake_is_named(function, gradient, mistake, words):
    arguments = [np.array([[0.3], [-1.2]])] if mistake == "transposed" else []
    result = check(function, gradient, *arguments, seed=2)
    assert not result.ok and result.diagnosis.mistake == mistake
    text = str(result)
    assert words in text and text.startswith("wrong: relative error ") and "finite differences" in text


def test_a_mistake_that_is_not_known_is_not_named():
    result = check(np.sin, lambda x: np.cos(x) + 0.1 * x**2, seed=3)
    assert not result.ok and result.diagnosis is None


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=6))
def test_a_polynomial_and_its_derivative(values):
    assert check(lambda x: x**3 - 2 * x, lambda x: 3 * x**2 - 2, values).relative_error < 1e-8


def test_the_argument_can_be_chosen():
    y, y_hat = np.array([1.0, 0.0]), np.array([0.3, 0.6])
    assert check(l2, lambda y, y_hat: -l2_grad(y, y_hat), y, y_hat, with_respect_to=0).ok


def test_what_is_checked_is_not_changed():
    x = np.array([0.5, -0.5])

    def in_place(x):
        x *= 2
        return x

    check(lambda x: 2 * x, in_place, x)
    assert x.tolist() == [0.5, -0.5]


def test_a_gradient_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"must have the argument's shape, \(2,\)"):
        check(np.tanh, lambda x: np.ones(3), [1.0, 2.0])
