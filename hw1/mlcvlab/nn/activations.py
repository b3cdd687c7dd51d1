"""Activations and their gradients (handout, Problem 1).

Each gradient is written in terms of the output y = σ(x), so that the backward pass needs nothing but what the forward
pass kept. NaN in gives NaN out. A new pair is added here and in the table at the end, nowhere else.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array, as_float


def step(x: npt.ArrayLike) -> Array:
    """Step function, elementwise.

        y = 1 if x >= 0, else 0

    Parameters
    ----------
    x
        The inputs, of any shape.

    Returns
    -------
    Array
        The outputs y, of the same shape.

    References
    ----------
    Handout, Problem 1; its value at 0 is 1, as for the handout's ReLU gradient.
    """
    x = as_float(x)
    return _keep_nan((x >= 0).astype(x.dtype), x)


def step_grad(y: npt.ArrayLike) -> Array:
    """Gradient of the step function: 0 wherever it exists, and by convention at x = 0.

    Parameters
    ----------
    y
        The outputs of ``step``, of any shape.

    Returns
    -------
    Array
        Zeros of the same shape.

    References
    ----------
    Handout, Problem 1.
    """
    y = as_float(y)
    return _keep_nan(np.zeros_like(y), y)


def _keep_nan(y: Array, x: Array) -> Array:
    # a comparison loses NaN; np.heaviside and np.where keep it at fifteen times the cost
    return np.where(np.isnan(x), x, y) if np.isnan(np.max(x, initial=0)) else y


def relu(x: npt.ArrayLike) -> Array:
    """Rectified linear unit, elementwise.

        y = x if x >= 0, else 0

    Parameters
    ----------
    x
        The inputs, of any shape.

    Returns
    -------
    Array
        The outputs y, of the same shape.

    References
    ----------
    Handout, Problem 1, "ReLU Activation".
    """
    return np.maximum(as_float(x), 0)


def relu_grad(y: npt.ArrayLike) -> Array:
    """Gradient of ReLU in terms of its output.

        ∇_x y = 1 if y > 0, else 0

    The handout prints 1 where x >= 0 (erratum 2); from y alone x = 0 and x < 0 cannot be told apart, and 0 is a
    subgradient at x = 0 as well.

    Parameters
    ----------
    y
        The outputs of ``relu``, of any shape.

    Returns
    -------
    Array
        The derivative, of the same shape.

    References
    ----------
    Handout, Problem 1, "ReLU Activation".
    """
    y = as_float(y)
    return _keep_nan((y > 0).astype(y.dtype), y)


def sigmoid(x: npt.ArrayLike) -> Array:
    """Logistic sigmoid, elementwise.

        y = 1 / (1 + e⁻ˣ)

    Computed from e = e⁻ᵃ with a = max(x, -x), which cannot overflow: as 1 / (1 + e) for x >= 0 and as e / (1 + e)
    below, so that both tails keep their full relative accuracy. (e is at most 1, so max(e, x >= 0) is the numerator of
    either.)

    Parameters
    ----------
    x
        The inputs, of any shape.

    Returns
    -------
    Array
        The outputs y, of the same shape, in [0, 1].

    References
    ----------
    Handout, Problem 1, "Sigmoid Function".

    Examples
    --------
    >>> float(sigmoid(0.0))
    0.5
    """
    x = as_float(x)
    e = np.exp(np.minimum(x, -x))
    y: Array = np.maximum(e, x >= 0) / (1 + e)
    return y


def sigmoid_grad(y: npt.ArrayLike) -> Array:
    """Gradient of the sigmoid in terms of its output.

        ∇_x y = y (1 - y)

    Parameters
    ----------
    y
        The outputs of ``sigmoid``, of any shape.

    Returns
    -------
    Array
        The derivative, of the same shape.

    References
    ----------
    Handout, Problem 1, "Sigmoid Function".
    """
    y = as_float(y)
    return y * (1 - y)


def softmax(x: npt.ArrayLike) -> Array:
    """Softmax: positive numbers that sum to 1.

        y_i = e^(x_i) / Σ_k e^(x_k)

    A vector, one-dimensional, lying (1, N) or standing (N, 1), is one distribution; of a matrix each row is one.
    Computed after the largest x is subtracted, which changes nothing and cannot overflow.

    Parameters
    ----------
    x
        One distribution's inputs, (N,), (1, N) or (N, 1), or one in each row, (B, N).

    Returns
    -------
    Array
        The outputs y, of the same shape.

    Raises
    ------
    ValueError
        If ``x`` is empty or has more than two dimensions.

    References
    ----------
    Handout, Problem 1, "Softmax Function".
    """
    x = as_float(x)
    if x.size == 0 or x.ndim > 2:
        raise ValueError(f"softmax needs a vector or a matrix with at least one entry; got shape {x.shape}")
    axis = None if _is_vector(x) else 1
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


def softmax_grad(y: npt.ArrayLike) -> Array:
    """Gradient of softmax in terms of its output.

        ∂y_i / ∂x_j = y_i (1 - y_i) if i = j, else -y_i y_j

    Parameters
    ----------
    y
        The outputs of ``softmax``, (N,), (1, N), (N, 1) or (B, N).

    Returns
    -------
    Array
        The Jacobian, (N, N); for a matrix of B rows one for each, (B, N, N).

    Raises
    ------
    ValueError
        If ``y`` is empty or has more than two dimensions.

    References
    ----------
    Handout, Problem 1, "Softmax Function".
    """
    y = as_float(y)
    if y.size == 0 or y.ndim > 2:
        raise ValueError(f"softmax_grad needs a vector or a matrix with at least one entry; got shape {y.shape}")
    if _is_vector(y):
        y = y.ravel()
    identity = np.eye(y.shape[-1], dtype=y.dtype)
    # y_i (δ_ij - y_j), and at i = j that is y_i (1 - y_i) without a cancellation
    return y[..., :, None] * (identity - y[..., None, :])


def _is_vector(x: Array) -> bool:
    return x.ndim <= 1 or 1 in x.shape


def tanh(x: npt.ArrayLike) -> Array:
    """Hyperbolic tangent, elementwise.

        y = (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)

    Parameters
    ----------
    x
        The inputs, of any shape.

    Returns
    -------
    Array
        The outputs y, of the same shape, in [-1, 1].

    References
    ----------
    Handout, Problem 1, "Hyperbolic Tangent Function".
    """
    return np.tanh(as_float(x))


def tanh_grad(y: npt.ArrayLike) -> Array:
    """Gradient of the hyperbolic tangent in terms of its output.

        ∇_x y = 1 - y²

    Parameters
    ----------
    y
        The outputs of ``tanh``, of any shape.

    Returns
    -------
    Array
        The derivative, of the same shape.

    References
    ----------
    Handout, Problem 1, "Hyperbolic Tangent Function".
    """
    y = as_float(y)
    return (1 - y) * (1 + y)


class Activation(NamedTuple):
    """An activation and its gradient.

    Parameters
    ----------
    function
        The activation.
    gradient
        Its gradient, in terms of the activation's output.
    hidden
        Whether it can follow a hidden layer: elementwise, with a gradient that teaches.
    gain
        ``gain`` / K is the variance of a unit's K weights that keeps the signal's size from layer to layer.
    """

    function: Callable[[npt.ArrayLike], Array]
    gradient: Callable[[npt.ArrayLike], Array]
    hidden: bool = True
    gain: float = 1.0


ACTIVATIONS = {
    "step": Activation(step, step_grad, hidden=False),
    "relu": Activation(relu, relu_grad, gain=2.0),
    "sigmoid": Activation(sigmoid, sigmoid_grad),
    "softmax": Activation(softmax, softmax_grad, hidden=False),
    "tanh": Activation(tanh, tanh_grad),
}
