"""Checks of the activations. Run `python hw1/test_activations.py`, or let pytest collect them."""

import numpy as np

from mlcvlab.nn.activations import (
    relu,
    relu_grad,
    sigmoid,
    sigmoid_grad,
    softmax,
    softmax_grad,
    step,
    step_grad,
    tanh,
    tanh_grad,
)
from test_basis import difference, main

X = np.array([[-2.0], [0.0], [3.0]])
HUGE = np.array([[-1e4], [1e4]])

CHECKS = {
    "step: 1 from 0 on": (lambda: step(X), [[0.0], [1.0], [1.0]]),
    "step_grad: zeros": (lambda: step_grad(step(X)), [[0.0], [0.0], [0.0]]),
    "relu: keeps what is positive": (lambda: relu(X), [[0.0], [0.0], [3.0]]),
    "relu_grad: 1 where y > 0": (lambda: relu_grad(np.array([[0.0], [3.0]])), [[0.0], [1.0]]),
    "sigmoid: values": (lambda: sigmoid(X), [[0.11920292202211755], [0.5], [0.9525741268224334]]),
    "sigmoid: no overflow": (lambda: sigmoid(HUGE), [[0.0], [1.0]]),
    "sigmoid_grad: y (1 - y)": (lambda: sigmoid_grad(np.array([[0.5], [0.9]])), [[0.25], [0.09]]),
    "softmax: of a column": (
        lambda: softmax(np.array([[0.0], [1.0], [2.0]])),
        [[0.09003057317038046], [0.24472847105479767], [0.6652409557748219]],
    ),
    "softmax: each row of a matrix": (lambda: softmax(np.zeros((2, 4))), np.full((2, 4), 0.25)),
    "softmax: no overflow": (lambda: softmax(HUGE), [[0.0], [1.0]]),
    "softmax_grad: of a column": (
        lambda: softmax_grad(np.array([[0.4], [0.6]])),
        [[0.24, -0.24], [-0.24, 0.24]],
    ),
    "softmax_grad: the Jacobian": (
        lambda: softmax_grad(np.array([0.2, 0.3, 0.5])),
        [[0.16, -0.06, -0.1], [-0.06, 0.21, -0.15], [-0.1, -0.15, 0.25]],
    ),
    "tanh: values": (lambda: tanh(X), [[-0.9640275800758169], [0.0], [0.9950547536867305]]),
    "tanh: no overflow": (lambda: tanh(HUGE), [[-1.0], [1.0]]),
    "tanh_grad: 1 - y²": (lambda: tanh_grad(np.array([[0.5], [-0.6]])), [[0.75], [0.64]]),
}


def pytest_generate_tests(metafunc):
    metafunc.parametrize("name", CHECKS)


def test_activations(name):
    assert difference(*CHECKS[name]) is None


if __name__ == "__main__":
    main(CHECKS)
