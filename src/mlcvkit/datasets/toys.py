"""Data sets that need no file."""

from collections.abc import Callable

import numpy as np

from mlcvkit.arrays import Values
from mlcvkit.datasets.mnist_digits import is_even, mnist
from mlcvkit.extras import require

N = 400
"""Samples of a set that is drawn."""


def moons() -> tuple[Values, Values]:
    """Two half circles that reach into each other, with noise: those of scikit-learn's ``make_moons``."""
    t = np.linspace(0, np.pi, N // 2)
    upper, lower = np.stack([np.cos(t), np.sin(t)], axis=1), np.stack([1 - np.cos(t), 1 - np.sin(t) - 0.5], axis=1)
    return _shuffled(upper, lower, noise=0.2)


def circles() -> tuple[Values, Values]:
    """A circle in a circle, with noise: those of scikit-learn's ``make_circles``."""
    t = np.linspace(0, 2 * np.pi, N // 2, endpoint=False)
    circle = np.stack([np.cos(t), np.sin(t)], axis=1)
    return _shuffled(circle, 0.5 * circle, noise=0.1)


def spirals() -> tuple[Values, Values]:
    """Two spirals, one turned by half a turn.

    x = t (cos 2πt, sin 2πt) and its negative, t from 0.2 to 1.5, with noise of 0.03.
    """
    rng = np.random.default_rng(0)
    t = np.sqrt(rng.uniform(0.04, 2.25, N))
    y = np.arange(N) % 2
    arm = t[:, None] * np.stack([np.cos(2 * np.pi * t), np.sin(2 * np.pi * t)], axis=1)
    return arm * (1 - 2 * y)[:, None] + rng.normal(0, 0.03, (N, 2)), y


def xor() -> tuple[Values, Values]:
    """Points of a square, 1 where exactly one of the two coordinates is positive: what no perceptron can tell."""
    X = np.random.default_rng(0).uniform(-1, 1, (N, 2))
    return X, (X[:, 0] * X[:, 1] < 0).astype(int)


def digits() -> tuple[Values, Values]:
    """1,797 digits of 8 x 8 pixels from 0 to 16, of Alpaydin and Kaynak (1998), which scikit-learn ships."""
    require("sklearn")
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return X, y


def mnist_digits() -> tuple[Values, Values]:
    """MNIST's 60,000 training images with their ten digits."""
    data = mnist()
    return data.train_X, data.train_y


def mnist_even() -> tuple[Values, Values]:
    """MNIST's 60,000 training images, 1 for an even digit and 0 for an odd one."""
    data = mnist()
    return data.train_X, is_even(data.train_y).astype(int)


def _shuffled(first: Values, second: Values, *, noise: float) -> tuple[Values, Values]:
    """Points of class 0 and of class 1 in a random order, each moved at random."""
    random = np.random.RandomState(0)
    order = random.permutation(N)
    X = np.concatenate([first, second])[order]
    return X + random.normal(scale=noise, size=X.shape), np.repeat([0, 1], N // 2)[order]


MNIST_NAMES = ("mnist", "mnist-parity")
"""The sets that are MNIST's images."""

TOYS: dict[str, Callable[[], tuple[Values, Values]]] = {
    "moons": moons,
    "circles": circles,
    "spirals": spirals,
    "xor": xor,
    "digits": digits,
    "mnist": mnist_digits,
    "mnist-parity": mnist_even,
}
