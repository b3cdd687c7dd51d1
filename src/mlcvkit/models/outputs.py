"""Output activations and losses, and what they are together. A sample is a column: y and ŷ are (C, N).

A new output is one row in ``OUTPUTS``, a new loss one row in ``LOSSES``; if their derivatives have a stable product,
that is one row in ``FUSED``.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from mlcvkit.models.activations import Graph
from mlcvlab.nn import Array
from mlcvlab.nn.activations import sigmoid, sigmoid_grad, softmax, step
from mlcvlab.nn.losses import (
    cross_entropy,
    cross_entropy_grad,
    l2,
    l2_grad,
    mse,
    mse_grad,
    sigmoid_cross_entropy,
    sigmoid_cross_entropy_grad,
)


class Output(NamedTuple):
    """An output activation, ŷ = σ(z).

    Parameters
    ----------
    function
        The activation σ.
    backward
        ``backward(y_hat, upstream)`` turns the gradient with respect to ŷ into the one with respect to z.
    loss
        The name of the default loss.
    onnx
        As for ``Activation``; None for an output that is exported as its logits.
    """

    function: Callable[[Array], Array]
    backward: Callable[[Array, Array], Array]
    loss: str
    onnx: Callable[[Graph, str], str] | None = None


def _identity(z: Array) -> Array:
    return z


def _softmax(z: Array) -> Array:
    return softmax(z.T).T


def _softmax_backward(y_hat: Array, upstream: Array) -> Array:
    """The Jacobian diag(ŷ) - ŷ ŷᵀ of each column times its upstream gradient."""
    delta: Array = y_hat * (upstream - (y_hat * upstream).sum(axis=0))
    return delta


OUTPUTS = {
    "sigmoid": Output(
        sigmoid,
        lambda y_hat, upstream: upstream * sigmoid_grad(y_hat),
        "cross_entropy",
        lambda graph, z: graph.node("Sigmoid", z),
    ),
    "softmax": Output(
        _softmax, _softmax_backward, "categorical_cross_entropy", lambda graph, z: graph.node("Softmax", z, axis=1)
    ),
    "identity": Output(_identity, lambda y_hat, upstream: upstream, "mse", lambda graph, z: z),
    "step": Output(step, lambda y_hat, upstream: np.zeros_like(upstream), "perceptron"),
}


class Loss(NamedTuple):
    """A loss of predictions.

    A custom loss is given to a model in place of a name.

    Parameters
    ----------
    value
        ``value(y, y_hat)`` is the loss of each sample, (N,).
    gradient
        ``gradient(y, y_hat)`` is the gradient with respect to ŷ, (C, N).
    outputs
        The names of the output activations that it can follow; empty for all but the step, which has no derivative.
    latex
        The loss of one sample as an equation in TeX.

    See Also
    --------
    MLP : Takes one as ``loss``.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcvkit import MLP
    >>> cubic = Loss(lambda y, y_hat: np.abs(y_hat - y) ** 3, lambda y, y_hat: 3 * (y_hat - y) * np.abs(y_hat - y))
    >>> model = MLP((4,), output="identity", loss=cubic).initialize(2, seed=0)
    >>> round(model.emp_loss(np.ones((2, 3)), np.zeros((1, 3))), 3) >= 0
    True
    """

    value: Callable[[Array, Array], Array]
    gradient: Callable[[Array, Array], Array]
    outputs: tuple[str, ...] = ()
    latex: str = ""

    def can_follow(self, output: str) -> bool:
        """Whether it can follow an output activation.

        Parameters
        ----------
        output
            The name of the output activation.

        Returns
        -------
        bool
            Whether it can.
        """
        return output in self.outputs if self.outputs else output != "step"


def categorical_cross_entropy(y: Array, y_hat: Array) -> Array:
    """Cross-entropy of distributions over C classes, one a column.

        z = -Σ_c y_c log ŷ_c

    Where ŷ_c is 0 the logarithm of the smallest normal number stands in for log 0.

    Parameters
    ----------
    y
        The targets, (C, N).
    y_hat
        The predicted probabilities, (C, N).

    Returns
    -------
    Array
        The loss of each sample, (N,).

    References
    ----------
    Bishop (2006), "Pattern Recognition and Machine Learning", equation 4.108.
    """
    loss: Array = -(y * np.log(np.maximum(y_hat, np.finfo(y_hat.dtype).tiny))).sum(axis=0)
    return loss


def categorical_cross_entropy_grad(y: Array, y_hat: Array) -> Array:
    """Gradient of the categorical cross-entropy with respect to y_hat.

        ∂z / ∂ŷ_c = -y_c / ŷ_c

    Parameters
    ----------
    y
        The targets, (C, N).
    y_hat
        The predicted probabilities, (C, N).

    Returns
    -------
    Array
        The gradient, (C, N).
    """
    return -y / np.maximum(y_hat, np.finfo(y_hat.dtype).tiny)


def huber(y: Array, y_hat: Array) -> Array:
    """Huber's loss with δ = 1: squared for small errors, and linear for large ones, which then pull no harder.

        ℓ = Σ_c h(ŷ_c - y_c),    h(r) = r² / 2 if |r| <= 1, else |r| - 1/2

    Parameters
    ----------
    y
        The targets, (C, N).
    y_hat
        The predictions, (C, N).

    Returns
    -------
    Array
        The loss of each sample, (N,).

    References
    ----------
    Huber (1964), "Robust estimation of a location parameter", equation 1.2, with k = 1.
    """
    r = np.abs(y_hat - y)
    small = np.minimum(r, 1)
    loss: Array = (small * (r - small / 2)).sum(axis=0)
    return loss


def huber_grad(y: Array, y_hat: Array) -> Array:
    """Gradient of Huber's loss with respect to y_hat: the error, limited to [-1, 1].

    Parameters
    ----------
    y
        The targets, (C, N).
    y_hat
        The predictions, (C, N).

    Returns
    -------
    Array
        The gradient, (C, N).
    """
    return np.clip(y_hat - y, -1, 1)


LOSSES = {
    "cross_entropy": Loss(
        lambda y, y_hat: cross_entropy(y, y_hat).sum(axis=0),
        cross_entropy_grad,
        outputs=("sigmoid", "softmax"),
        latex=r"\ell = -y \log \hat y - (1 - y) \log(1 - \hat y)",
    ),
    "categorical_cross_entropy": Loss(
        categorical_cross_entropy,
        categorical_cross_entropy_grad,
        outputs=("softmax",),
        latex=r"\ell = -\sum_c y_c \log \hat y_c",
    ),
    "mse": Loss(partial(mse, axis=0), partial(mse_grad, axis=0), latex=r"\ell = \mathrm{mean}\,(\hat y - y)^2"),
    "l2": Loss(partial(l2, axis=0), partial(l2_grad, axis=0), latex=r"\ell = \lVert \hat y - y \rVert"),
    "huber": Loss(
        huber,
        huber_grad,
        outputs=("identity",),
        latex=r"\ell = \frac{r^2}{2}\ \mathrm{if}\ |r| \le 1,\ \mathrm{else}\ |r| - \frac{1}{2}, \quad r = \hat y - y",
    ),
    "perceptron": Loss(
        lambda y, y_hat: np.abs(y_hat - y).sum(axis=0), lambda y, y_hat: np.zeros_like(y_hat), outputs=("step",)
    ),
}

if TYPE_CHECKING:
    LossName = str
    OutputName = str
else:
    LossName = Literal[tuple(name for name, loss in LOSSES.items() if loss.outputs != ("step",))]
    OutputName = Literal[tuple(OUTPUTS)]


class LogitLoss(NamedTuple):
    """The loss of an output activation as a function of the logits z.

    Parameters
    ----------
    value
        ``value(y, z)`` is the loss of each sample, (N,).
    gradient
        ``gradient(y, z)`` is the gradient with respect to z, (C, N).
    """

    value: Callable[[Array, Array], Array]
    gradient: Callable[[Array, Array], Array]


def softmax_cross_entropy(y: Array, z: Array) -> Array:
    """Categorical cross-entropy of a softmax, from the softmax's argument z.

        categorical_cross_entropy(y, softmax(z)) = log Σ_k e^(z_k) - Σ_c y_c z_c,    where Σ_c y_c = 1

    The largest z is subtracted first and its own term, 1, is left to log1p, so that small losses keep their digits.

    Parameters
    ----------
    y
        The targets, (C, N).
    z
        The logits, (C, N).

    Returns
    -------
    Array
        The loss of each sample, (N,).

    References
    ----------
    Bishop (2006), equations 4.104 and 4.108.
    """
    largest = z.argmax(axis=0)[None]
    s = z - np.take_along_axis(z, largest, axis=0)
    others = np.exp(s)
    np.put_along_axis(others, largest, 0, axis=0)
    loss: Array = np.log1p(others.sum(axis=0)) - (y * s).sum(axis=0)
    return loss


def softmax_cross_entropy_grad(y: Array, z: Array) -> Array:
    """Gradient of the categorical cross-entropy of a softmax with respect to z.

        ∂/∂z = softmax(z) - y

    Parameters
    ----------
    y
        The targets, (C, N).
    z
        The logits, (C, N).

    Returns
    -------
    Array
        The gradient, (C, N).

    References
    ----------
    Bishop (2006), equation 4.109.
    """
    return _softmax(z) - y


def perceptron_criterion(y: Array, z: Array) -> Array:
    """The perceptron criterion: how far on the wrong side the wrong ones are.

        Σ_c (step(z_c) - y_c) z_c

    Parameters
    ----------
    y
        The targets, (C, N), of 0 and 1.
    z
        The logits, (C, N).

    Returns
    -------
    Array
        The loss of each sample, (N,).

    References
    ----------
    Bishop (2006), equation 4.54, with targets 0 and 1.
    """
    loss: Array = ((step(z) - y) * z).sum(axis=0)
    return loss


def perceptron_rule(y: Array, z: Array) -> Array:
    """Gradient of the perceptron criterion with respect to z, which is the perceptron rule.

        ∂/∂z = step(z) - y

    Parameters
    ----------
    y
        The targets, (C, N), of 0 and 1.
    z
        The logits, (C, N).

    Returns
    -------
    Array
        The gradient, (C, N).

    References
    ----------
    Rosenblatt (1958), "The perceptron".
    """
    return step(z) - y


FUSED = {
    ("sigmoid", "cross_entropy"): LogitLoss(
        lambda y, z: sigmoid_cross_entropy(y, z).sum(axis=0), sigmoid_cross_entropy_grad
    ),
    ("softmax", "categorical_cross_entropy"): LogitLoss(softmax_cross_entropy, softmax_cross_entropy_grad),
    ("step", "perceptron"): LogitLoss(perceptron_criterion, perceptron_rule),
}


def logit_loss(output: str, loss: str | Loss) -> LogitLoss:
    """The loss behind an output activation: the stable form where there is one, else the chain rule.

    Parameters
    ----------
    output
        The name of the output activation.
    loss
        The name of a loss, or a ``Loss``.

    Returns
    -------
    LogitLoss
        The loss as a function of the logits.

    Raises
    ------
    ValueError
        For an unknown name, with the choices, and for a loss that cannot stand behind this output.
    """
    if output not in OUTPUTS:
        raise ValueError(f"unknown output {output!r}; choose one of {', '.join(OUTPUTS)}")
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise ValueError(f"unknown loss {loss!r}; choose one of {', '.join(losses_behind(output))}")
        if not LOSSES[loss].can_follow(output):
            raise ValueError(
                f"the loss {loss} cannot stand behind the output {output}; choose one of "
                f"{', '.join(losses_behind(output))}"
            )
        if (output, loss) in FUSED:
            return FUSED[output, loss]
    function, backward = OUTPUTS[output][:2]
    chosen = LOSSES[loss] if isinstance(loss, str) else loss
    value, gradient = chosen.value, chosen.gradient
    if not (callable(value) and callable(gradient)):
        raise ValueError(f"a Loss has two functions, value and gradient; got {value!r} and {gradient!r}")

    def value_of_z(y: Array, z: Array) -> Array:
        y_hat = function(z)
        given = value(y, y_hat)
        if np.shape(given) not in ((y_hat.shape[1],), (1, y_hat.shape[1])):
            raise ValueError(_wrong_shape("value", given, f"one number for each of the {y_hat.shape[1]} samples, (N,)"))
        return given

    def gradient_of_z(y: Array, z: Array) -> Array:
        y_hat = function(z)
        given = gradient(y, y_hat)
        if np.shape(given) != y_hat.shape:
            raise ValueError(_wrong_shape("gradient", given, f"the shape of y_hat, (C, N) = {y_hat.shape}"))
        return backward(y_hat, given)

    return LogitLoss(value_of_z, gradient_of_z)


def _wrong_shape(what: str, given: object, wanted: str) -> str:
    shown = f"shape {np.shape(given)}" if isinstance(given, np.ndarray) else repr(given)
    return f"the {what} of the loss must have {wanted}; it returned {shown}"


def losses_behind(output: str) -> list[str]:
    """The names of the losses that can follow an output activation.

    Parameters
    ----------
    output
        The name of the output activation.

    Returns
    -------
    list[str]
        The names, in the order of ``LOSSES``.
    """
    return [name for name, loss in LOSSES.items() if loss.can_follow(output)]
