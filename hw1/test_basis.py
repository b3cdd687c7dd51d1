"""Checks of the linear basis. Run `python hw1/test_basis.py`, or let pytest collect them."""

import sys

import numpy as np

from mlcvlab.nn.basis import linear, linear_grad


def main(checks):
    """Print one line a check, ok or FAILED with expected and got; exit 1 if any failed."""
    failures = 0
    for name, (compute, expected) in checks.items():
        problem = difference(compute, expected)
        print(f"FAILED  {name}: {problem}" if problem else f"ok      {name}")
        failures += problem is not None
    print(f"{len(checks) - failures} of {len(checks)} checks are ok")
    sys.exit(1 if failures else 0)


def difference(compute, expected):
    """What is wrong with the result, or None. A check never stops the ones after it."""
    try:
        got = compute()
    except Exception as error:
        got = f"{type(error).__name__}: {error}"
    try:
        right = np.shape(got) == np.shape(expected) and np.allclose(got, expected, rtol=1e-5, atol=2e-6)
    except TypeError:
        right = False
    return None if right else f"expected {shown(expected)}, got {shown(got)}"


def shown(value):
    return value if isinstance(value, str) else f"{np.asarray(value).tolist()} of shape {np.shape(value)}"


X = np.array([[1.0], [-2.0], [0.5]])
W = np.array([[1.0, 2.0, 4.0], [0.0, -1.0, 2.0]])

CHECKS = {
    "linear: W x of one sample": (lambda: linear(X, W), [[-1.0], [3.0]]),
    "linear: two samples are two columns": (lambda: linear(np.hstack([X, 2 * X]), W), [[-1.0, -2.0], [3.0, 6.0]]),
    "linear: one hidden unit": (lambda: linear(X, W[:1]), [[-1.0]]),
    "linear: zero weights give zeros": (lambda: linear(X, 0 * W), [[0.0], [0.0]]),
    "linear_grad: is x": (lambda: linear_grad(X), X),
}


def pytest_generate_tests(metafunc):
    metafunc.parametrize("name", CHECKS)


def test_basis(name):
    assert difference(*CHECKS[name]) is None


if __name__ == "__main__":
    main(CHECKS)
