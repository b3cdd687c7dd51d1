"""The catalogue of realistic mistakes: what a function that has one returns, and what to say about it.

A wrong result is compared with each; the one that gives the same numbers is named. Each is written out on its own, from
the formula that it breaks, and none is what the homework asks for.
"""

from typing import Any

import numpy as np

from mlcvkit.course.checks import Array, Mistaken

Entry = tuple[str, Mistaken]

SIGN: Entry = ("the sign is reversed: every number is -1 times the right one", lambda e, *_: -e)
TWICE: Entry = (
    "every number is twice the right one: is a factor 1/2 missing, or one of 2 too many?",
    lambda e, *_: 2 * e,
)
HALF: Entry = ("every number is half the right one: is a factor 2 missing?", lambda e, *_: e / 2)
ZEROS: Entry = ("the result is 0 everywhere: is it computed and then not returned?", lambda e, *_: 0 * e)
ONES: Entry = ("the result is 1 everywhere", lambda e, *_: 0 * e + 1)
INPUT: Entry = ("the input comes back as it was", lambda e, x, *_: x)
GENERIC: dict[str, Entry] = {"sign": SIGN, "twice": TWICE, "half": HALF, "zeros": ZEROS, "ones": ONES}

VARIANTS = {
    ("linear_grad", "transposed"): "linear_grad_transposed",
    ("relu_grad", "everywhere"): "relu_grad_everywhere",
    ("l2", "mean_squared_error"): "l2_is_mean_squared_error",
    ("l2_grad", "as_printed"): "l2_grad_as_printed",
    ("l2_grad", "as_printed_unsafe"): "l2_grad_as_printed",
    ("l2_grad", "distorted"): "l2_grad_distorted",
    ("l2_grad", "distorted_as_printed"): "l2_grad_as_printed",
    ("cross_entropy", "mean"): "cross_entropy_averaged",
    ("cross_entropy_grad", "distorted"): "cross_entropy_distorted",
    ("grad", "l2_loss"): "network_with_l2_loss",
    ("grad", "squared_loss"): "network_with_squared_loss",
    ("emp_loss_grad", "l2_loss"): "network_with_l2_loss",
    ("emp_loss_grad", "squared_loss"): "network_with_squared_loss",
    ("grad", "l2_loss_as_printed"): "network_with_l2_loss",
    ("emp_loss_grad", "l2_loss_as_printed"): "network_with_l2_loss",
    ("grad", "vanishing_product"): "gradient_unfused",
    ("SGD", "zeroed"): "sgd_zeroed",
    ("Adam", "no_lookahead"): "adam_without_lookahead",
    ("Adam", "corrected_as_printed"): "adam_corrected_as_printed",
}
"""The mistakes that are known other readings of the handout, by their names in the rubric."""


def naive_sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def ratio(numerator: Array, denominator: Any) -> Array:
    return np.asarray(numerator / np.where(denominator == 0, 1e-6, denominator))
