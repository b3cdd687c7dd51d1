import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import exact
from mlcvlab.nn.activations import ACTIVATIONS, sigmoid, softmax, tanh
from numerical import complex_step, gradient_by, stencil

ELEMENTWISE = [name for name in ACTIVATIONS if name != "softmax"]
EDGES = [
    0.0,
    -0.0,
    1e-300,
    -1e-8,
    0.5,
    -0.5,
    1.0,
    -1.0,
    30.0,
    -30.0,
    37.0,
    -37.0,
    300.0,
    -300.0,
    745.0,
    -745.0,
    1e4,
    -1e4,
]
dtypes = st.sampled_from([np.float32, np.float64])


any_shape = array_shapes(max_dims=2, max_side=5)


@st.composite
def samples(draw, shape=any_shape):
    dtype = draw(dtypes)
    width = np.dtype(dtype).itemsize * 8
    return draw(arrays(dtype, shape, elements=st.floats(-10_000, 10_000, width=width)))


def test_every_activation_has_an_exact_twin():
    assert set(exact.ACTIVATIONS) == set(exact.GRADIENTS) == set(ACTIVATIONS)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_values_equal_the_formula_in_400_digits(name):
    x = np.array([*EDGES, *np.random.default_rng(0).normal(0, 5, 200)])
    expected = exact.exactly(exact.ACTIVATIONS[name], x)
    # below the smallest normal number a float64 has fewer digits
    np.testing.assert_allclose(ACTIVATIONS[name].function(x), expected, rtol=1e-12, atol=np.finfo(float).tiny)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_float32_values_equal_the_formula_in_400_digits(name):
    x = np.array([0.0, 1.0, -1.0, 8.0, -8.0, 16.5, -16.5, 80.0, -80.0, 1e4, -1e4], np.float32)
    expected = exact.exactly(exact.ACTIVATIONS[name], x)
    got = ACTIVATIONS[name].function(x)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=np.finfo(np.float32).tiny)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_gradients_equal_the_formula_in_400_digits(name):
    y = ACTIVATIONS[name].function(np.array([*EDGES, *np.random.default_rng(1).normal(0, 5, 200)]))
    expected = exact.exactly(exact.GRADIENTS[name], y)
    np.testing.assert_allclose(ACTIVATIONS[name].gradient(y), expected, rtol=1e-12, atol=1e-320)


@pytest.mark.parametrize("x", [[0.0], [1.0, 2.0, 3.0], [-700.0, 0.0, 700.0], [1e4, -1e4], list(np.linspace(-3, 3, 9))])
def test_softmax_and_its_jacobian_equal_the_formula_in_400_digits(x):
    y = softmax(x)
    np.testing.assert_allclose(y, exact.exactly(exact.ACTIVATIONS["softmax"], x), rtol=1e-12, atol=1e-320)
    expected = exact.exactly(exact.GRADIENTS["softmax"], y)
    np.testing.assert_allclose(ACTIVATIONS["softmax"].gradient(y), expected, rtol=1e-12, atol=1e-320)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_gradient_matches_central_differences_away_from_kinks(name):
    x = np.random.default_rng(2).uniform(0.05, 8, 400) * np.repeat([1, -1], 200)
    function, gradient, *_ = ACTIVATIONS[name]
    np.testing.assert_allclose(gradient(function(x)), stencil(function, x, np.ones_like(x)), rtol=0, atol=2e-11)


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_gradient_matches_the_complex_step_where_analytic(name):
    x = np.array([0.0, *np.random.default_rng(3).uniform(-6, 6, 300)])
    function, gradient, *_ = ACTIVATIONS[name]
    numerical = complex_step(function, x, np.ones_like(x))
    np.testing.assert_allclose(gradient(function(x)), numerical, rtol=1e-10)


@pytest.mark.parametrize("method", [stencil, complex_step])
def test_softmax_jacobian_matches_numerical_derivatives(method):
    x = np.random.default_rng(4).normal(size=6)
    np.testing.assert_allclose(
        ACTIVATIONS["softmax"].gradient(softmax(x)), gradient_by(method, softmax, x), rtol=0, atol=1e-11
    )


def test_a_gradient_of_the_wrong_sign_is_caught():
    x = np.linspace(-3, 3, 7)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(-sigmoid(x) * (1 - sigmoid(x)), stencil(sigmoid, x, np.ones_like(x)), atol=2e-11)


@pytest.mark.parametrize("name", ACTIVATIONS)
@given(x=samples())
def test_shape_and_dtype_are_kept_and_the_input_is_not_changed(name, x):
    before = x.copy()
    y = ACTIVATIONS[name].function(x)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    np.testing.assert_array_equal(x, before)
    y_before = y.copy()
    gradient = ACTIVATIONS[name].gradient(y)
    assert gradient.dtype == x.dtype
    np.testing.assert_array_equal(y, y_before)
    assert np.isfinite(y).all() and np.isfinite(gradient).all()
    if name != "softmax":
        assert gradient.shape == x.shape


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_integers_become_float64(name):
    y = ACTIVATIONS[name].function([1, 2])
    assert y.dtype == ACTIVATIONS[name].gradient([0, 1]).dtype == np.float64


@pytest.mark.parametrize("name", ELEMENTWISE)
@given(x=samples())
def test_a_batch_is_the_stack_of_its_entries(name, x):
    for pair in (ACTIVATIONS[name].function, ACTIVATIONS[name].gradient):
        np.testing.assert_array_equal(pair(x).ravel(), [pair(entry) for entry in x.ravel()])


@given(samples(st.tuples(st.integers(2, 5), st.integers(2, 5))))
def test_a_softmax_batch_is_the_stack_of_its_rows(x):
    y = softmax(x)
    np.testing.assert_array_equal(y, [softmax(row) for row in x])
    jacobians = ACTIVATIONS["softmax"].gradient(y)
    assert jacobians.shape == (*x.shape, x.shape[1])
    np.testing.assert_array_equal(jacobians, [ACTIVATIONS["softmax"].gradient(row) for row in y])


@given(samples(st.integers(1, 6)))
def test_softmax_of_a_vector_is_one_distribution_lying_or_standing(x):
    y = softmax(x)
    assert y.sum() == pytest.approx(1, rel=1e-5)
    np.testing.assert_array_equal(softmax(x[None]), y[None])
    np.testing.assert_array_equal(softmax(x[:, None]), y[:, None])
    for standing_or_lying in (y[None], y[:, None]):
        assert ACTIVATIONS["softmax"].gradient(standing_or_lying).shape == (x.size, x.size)


@given(samples(st.integers(1, 6)), st.integers(-100, 100))
def test_softmax_does_not_change_under_a_shift(x, shift):
    x = np.round(x.astype(np.float64))
    np.testing.assert_allclose(softmax(x + shift), softmax(x), rtol=1e-12, atol=0)


@given(samples())
def test_sigmoids_of_opposite_numbers_sum_to_one(x):
    np.testing.assert_allclose(sigmoid(x) + sigmoid(-x), 1, rtol=1e-6)


@given(samples())
def test_tanh_is_odd(x):
    np.testing.assert_array_equal(tanh(-x), -tanh(x))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nan_in_gives_nan_out(name, dtype):
    x = np.array([1, np.nan, -1], dtype)
    for pair in (ACTIVATIONS[name].function, ACTIVATIONS[name].gradient):
        got = pair(x)
        assert got.dtype == dtype
        if name == "softmax":
            assert np.isnan(got).any()
        else:
            np.testing.assert_array_equal(np.isnan(got), [False, True, False])


@pytest.mark.parametrize("x", [np.zeros(0), np.zeros((2, 2, 2))])
def test_softmax_names_a_shape_it_cannot_take(x):
    for pair in ACTIVATIONS["softmax"][:2]:
        with pytest.raises(ValueError, match=rf"got shape \({x.shape[0]}"):
            pair(x)
