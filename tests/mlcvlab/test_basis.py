import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcvlab.nn.basis import linear, linear_grad
from numerical import complex_step, gradient_by, stencil

sizes = st.integers(1, 6)


@given(sizes, sizes, sizes, st.sampled_from([np.float32, np.float64]), st.integers(0, 99))
def test_linear_is_the_sum_of_products_and_keeps_the_dtype(K, M, N, dtype, seed):
    rng = np.random.default_rng(seed)
    x, W = rng.normal(size=(K, N)).astype(dtype), rng.normal(size=(M, K)).astype(dtype)
    Y = linear(x, W)
    assert Y.dtype == dtype
    by_hand = [[sum(float(W[m, k]) * float(x[k, n]) for k in range(K)) for n in range(N)] for m in range(M)]
    np.testing.assert_allclose(Y, by_hand, rtol=0, atol=1e-5 if dtype == np.float32 else 1e-12)


def test_integers_become_float64():
    assert linear([[1], [2]], [[3, 4]]).dtype == np.float64
    assert linear_grad([[1], [2]]).dtype == np.float64


@pytest.mark.parametrize("method", [stencil, complex_step])
def test_linear_grad_times_upstream_is_the_derivative(method):
    rng = np.random.default_rng(0)
    x, W, upstream = rng.normal(size=(4, 5)), rng.normal(size=(3, 4)), rng.normal(size=(3, 5))
    numerical = gradient_by(method, lambda W: (upstream * linear(x, W)).sum(), W)
    np.testing.assert_allclose((upstream @ linear_grad(x).T).ravel(), numerical, rtol=1e-9)


@pytest.mark.parametrize(("x", "W"), [((3, 1), (2, 4)), ((3,), (2, 3)), ((3, 1), (3,))])
def test_shapes_that_do_not_fit_are_named(x, W):
    with pytest.raises(ValueError, match=r"W \(.*and x \(") as error:
        linear(np.zeros(x), np.zeros(W))
    assert str(x) in str(error.value) and str(W) in str(error.value)
