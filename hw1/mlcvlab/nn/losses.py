"""Losses and their gradients with respect to the prediction y_hat (handout, Problem 1).

A new loss is added here and in the table at the end, nowhere else.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array, as_float
from mlcvlab.nn.activations import sigmoid, sigmoid_grad

EPSILON = 1e-6
"""What stands in for a denominator that vanishes (handout, footnote 1)."""

Axis = int | tuple[int, ...] | None


def l2(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    """ℓ₂ norm of the error.

        z = ‖y - ŷ‖₂ = [ Σ_i (y_i - ŷ_i)² ]^(1/2)

    Scaled by the largest error before squaring, so that it neither overflows nor vanishes.

    Parameters
    ----------
    y
        The targets, of any shape.
    y_hat
        The predictions, of the same shape.
    axis
        As in ``numpy.linalg.norm``: None for one norm over all entries, 0 for one norm a column.

    Returns
    -------
    Array
        One number, or one along ``axis``.

    Raises
    ------
    ValueError
        If the shapes differ, with both shapes.

    References
    ----------
    Handout, Problem 1, "ℓ₂ norm". Mean squared error is another function: ``mse`` (erratum 4).

    Examples
    --------
    >>> float(l2([0.0, 0.0], [3.0, 4.0]))
    5.0
    """
    return np.squeeze(_norm(_error(y, y_hat), axis), axis=axis)


def l2_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    """Gradient of the ℓ₂ norm with respect to y_hat.

        ∂z / ∂ŷ_i = (ŷ_i - y_i) / z,    and 0 where z = 0

    The handout prints (y - ŷ) / z, which is the gradient with respect to y (erratum 1). At z = 0 every vector of
    length at most 1 is a subgradient; 0 is the one that leaves a perfect prediction alone.

    Parameters
    ----------
    y
        The targets, of any shape.
    y_hat
        The predictions, of the same shape.
    axis
        As in ``numpy.linalg.norm``.

    Returns
    -------
    Array
        The gradient, of the shape of ``y_hat``.

    Raises
    ------
    ValueError
        If the shapes differ, with both shapes.

    References
    ----------
    Handout, Problem 1, "ℓ₂ norm".
    """
    error = _error(y, y_hat)
    z = _norm(error, axis)
    return error / np.where(z == 0, EPSILON, z).astype(error.dtype)


def _norm(error: Array, axis: Axis) -> Array:
    scale = np.abs(error).max(axis=axis, keepdims=True, initial=0)
    scale = np.where(scale == 0, 1, scale).astype(scale.dtype)
    norm: Array = scale * np.sqrt(np.square(error / scale).sum(axis=axis, keepdims=True))
    return norm


def mse(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    """Mean squared error.

        z = (1/n) Σ_i (y_i - ŷ_i)²

    Parameters
    ----------
    y
        The targets, of any shape.
    y_hat
        The predictions, of the same shape.
    axis
        The axis along which the n entries lie; None for all entries.

    Returns
    -------
    Array
        One number, or one along ``axis``.

    Raises
    ------
    ValueError
        If the shapes differ, with both shapes.

    References
    ----------
    Handout, Problem 1, names it and defines the ℓ₂ norm instead (erratum 4).
    """
    return np.asarray(np.square(_error(y, y_hat)).mean(axis=axis))


def mse_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike, *, axis: Axis = None) -> Array:
    """Gradient of the mean squared error with respect to y_hat.

        ∂z / ∂ŷ_i = 2 (ŷ_i - y_i) / n

    Parameters
    ----------
    y
        The targets, of any shape.
    y_hat
        The predictions, of the same shape.
    axis
        The axis along which the n entries lie; None for all entries.

    Returns
    -------
    Array
        The gradient, of the shape of ``y_hat``.

    Raises
    ------
    ValueError
        If the shapes differ, with both shapes.

    References
    ----------
    Handout, Problem 1 (erratum 4).
    """
    error = _error(y, y_hat)
    n = error.size if axis is None else np.take(error.shape, axis).prod()
    return error * error.dtype.type(2 / n)


def cross_entropy(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    """Binary cross-entropy, elementwise; the empirical risk is its mean over the samples.

        z = -y log ŷ - (1 - y) log(1 - ŷ)

    Where ŷ is exactly 0 or 1 the logarithm of the smallest normal number stands in for log 0, so that the loss is
    finite; everywhere else the formula is evaluated as it stands.

    Parameters
    ----------
    y
        The targets, of any shape, in [0, 1].
    y_hat
        The predicted probabilities, of the same shape.

    Returns
    -------
    Array
        The losses, of the same shape.

    Raises
    ------
    ValueError
        If the shapes differ, with both shapes.

    References
    ----------
    Handout, Problem 1, "Binary Cross Entropy".
    """
    y, y_hat = _pair(y, y_hat)
    tiny = np.finfo(y_hat.dtype).tiny
    # log1p keeps log(1 - ŷ) exact for small ŷ, where 1 - ŷ rounds to 1
    log_not = np.where(y_hat == 1, np.log(tiny), np.log1p(-np.where(y_hat == 1, 0, y_hat)))
    log_y_hat = np.log(np.where(np.abs(y_hat) < tiny, tiny, y_hat))
    return -y * log_y_hat - (1 - y) * log_not


def cross_entropy_grad(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    """Gradient of the binary cross-entropy with respect to y_hat.

        ∂z / ∂ŷ = (1 - y) / (1 - ŷ) - y / ŷ

    A denominator that vanishes is replaced by ε = 10⁻⁶ (handout, footnote 1; erratum 5), the numerator is not: a
    certain and right prediction keeps the exact limit, ±1, and a certain and wrong one gets the right sign, ±10⁶.
    Behind a sigmoid use ``sigmoid_cross_entropy_grad``, which needs neither.

    Parameters
    ----------
    y
        The targets, of any shape, in [0, 1].
    y_hat
        The predicted probabilities, of the same shape.

    Returns
    -------
    Array
        The gradient, of the same shape.

    Raises
    ------
    ValueError
        If the shapes differ, with both shapes.

    References
    ----------
    Handout, Problem 1, "Binary Cross Entropy".
    """
    y, y_hat = _pair(y, y_hat)
    return (1 - y) / _not_zero(1 - y_hat) - y / _not_zero(y_hat)


def _not_zero(denominator: Array) -> Array:
    tiny = np.finfo(denominator.dtype).tiny
    return np.where(np.abs(denominator) < tiny, denominator.dtype.type(EPSILON), denominator)


def sigmoid_cross_entropy(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    """Cross-entropy of a sigmoid, from the sigmoid's argument z, elementwise.

        cross_entropy(y, σ(z)) = log(1 + eᶻ) - y z

    Exact where σ(z) has already been rounded to 0 or 1.

    Parameters
    ----------
    y
        The targets, of any shape, in [0, 1].
    z
        The sigmoid's arguments, of the same shape.

    Returns
    -------
    Array
        The losses, of the same shape.

    Raises
    ------
    ValueError
        If the shapes differ, with both shapes.

    References
    ----------
    Handout, Problem 1: its sigmoid in its binary cross-entropy.
    """
    y, z = _pair(y, z)
    # max(z, 0) - y z cancels exactly where the loss is small
    return np.where(z > 0, (1 - y) * z, -y * z) + np.log1p(np.exp(-np.abs(z)))


def sigmoid_cross_entropy_grad(y: npt.ArrayLike, z: npt.ArrayLike) -> Array:
    """Gradient of the cross-entropy of a sigmoid with respect to the sigmoid's argument z.

        ∂/∂z cross_entropy(y, σ(z)) = σ(z) - y

    The product of the two derivatives, (1 - y)/(1 - ŷ) - y/ŷ times ŷ (1 - ŷ), without its 0 · ∞.

    Parameters
    ----------
    y
        The targets, of any shape, in [0, 1].
    z
        The sigmoid's arguments, of the same shape.

    Returns
    -------
    Array
        The gradient, of the same shape.

    Raises
    ------
    ValueError
        If the shapes differ, with both shapes.

    References
    ----------
    Handout, Problem 1.
    """
    y, z = _pair(y, z)
    return sigmoid(z) - y


def _pair(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> tuple[Array, Array]:
    y, y_hat = as_float(y), as_float(y_hat)
    if y.shape != y_hat.shape:
        raise ValueError(f"targets and predictions must have one shape; got y {y.shape} and y_hat {y_hat.shape}")
    return y, y_hat


def _error(y: npt.ArrayLike, y_hat: npt.ArrayLike) -> Array:
    y, y_hat = _pair(y, y_hat)
    return y_hat - y


class Loss(NamedTuple):
    """A loss behind a sigmoid, as a model needs it for its training.

    Parameters
    ----------
    value
        ``value(y, z)``: the loss of each sample, (N,), for targets and sigmoid arguments, (1, N).
    gradient
        ``gradient(y, z)``: the gradient with respect to z, (1, N).
    """

    value: Callable[[Array, Array], Array]
    gradient: Callable[[Array, Array], Array]


def _behind_sigmoid(value: Callable[..., Array], gradient: Callable[..., Array]) -> Loss:
    def gradient_of_z(y: Array, z: Array) -> Array:
        y_hat = sigmoid(z)
        return gradient(y, y_hat) * sigmoid_grad(y_hat)

    return Loss(lambda y, z: value(y, sigmoid(z)), gradient_of_z)


LOSSES = {
    "cross_entropy": Loss(lambda y, z: sigmoid_cross_entropy(y, z)[0], sigmoid_cross_entropy_grad),
    "l2": _behind_sigmoid(partial(l2, axis=0), partial(l2_grad, axis=0)),
    "mse": _behind_sigmoid(partial(mse, axis=0), partial(mse_grad, axis=0)),
}
