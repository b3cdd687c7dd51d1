"""Checks of the losses. Run `python hw1/test_losses.py`, or let pytest collect them."""

import numpy as np

from mlcvlab.nn.losses import cross_entropy, cross_entropy_grad, l2, l2_grad, mse, mse_grad
from test_basis import difference, main

Y = np.array([[1.0], [2.0]])
Y_HAT = np.array([[4.0], [6.0]])
LABELS = np.array([[1.0, 0.0]])
CERTAIN = np.array([[0.0, 1.0]])

CHECKS = {
    "l2: the norm of the error": (lambda: l2(Y, Y_HAT), 5.0),
    "l2: a perfect prediction": (lambda: l2(Y, Y), 0.0),
    "l2_grad: (y_hat - y) / z": (lambda: l2_grad(Y, Y_HAT), [[0.6], [0.8]]),
    "l2_grad: a perfect prediction": (lambda: l2_grad(Y, Y), [[0.0], [0.0]]),
    "mse: the mean of the squares": (lambda: mse(Y, Y_HAT), 12.5),
    "mse_grad: 2 (y_hat - y) / n": (lambda: mse_grad(Y, Y_HAT), [[3.0], [4.0]]),
    "cross_entropy: values": (
        lambda: cross_entropy(LABELS, np.array([[0.8, 0.8]])),
        [[0.2231435513142097, 1.6094379124341005]],
    ),
    "cross_entropy: certain and right": (lambda: cross_entropy(LABELS, 1 - CERTAIN), [[0.0, 0.0]]),
    "cross_entropy: certain and wrong is finite": (lambda: np.isfinite(cross_entropy(LABELS, CERTAIN)), [[True, True]]),
    "cross_entropy_grad: values": (lambda: cross_entropy_grad(LABELS, np.array([[0.8, 0.8]])), [[-1.25, 5.0]]),
    "cross_entropy_grad: certain and right": (lambda: cross_entropy_grad(LABELS, 1 - CERTAIN), [[-1.0, 1.0]]),
    "cross_entropy_grad: certain and wrong": (lambda: np.sign(cross_entropy_grad(LABELS, CERTAIN)), [[-1.0, 1.0]]),
}


def pytest_generate_tests(metafunc):
    metafunc.parametrize("name", CHECKS)


def test_losses(name):
    assert difference(*CHECKS[name]) is None


if __name__ == "__main__":
    main(CHECKS)
