"""The activations of hidden layers: the handout's, and those that came after them.

A new one is its function, its gradient, and one row of ``ACTIVATIONS``; the command line, the estimators, the search,
the page, ONNX and the documentation read that row.
"""

from collections.abc import Callable, Sequence
from math import pi, sqrt
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from mlcvlab.nn import Array
from mlcvlab.nn.activations import relu, relu_grad, sigmoid, sigmoid_grad, tanh, tanh_grad

LEAK = 0.01
"""The slope of a leaky ReLU below 0."""


def leaky_relu(z: Array) -> Array:
    """Leaky rectified linear unit, elementwise.

        a = z if z >= 0, else 0.01 z

    Parameters
    ----------
    z
        The inputs, of any shape.

    Returns
    -------
    Array
        The activations a, of the same shape.

    References
    ----------
    Maas, Hannun, Ng (2013), "Rectifier nonlinearities improve neural network acoustic models", section 2.
    """
    return np.maximum(z, z.dtype.type(LEAK) * z)


def leaky_relu_grad(a: Array) -> Array:
    """Gradient of the leaky ReLU in terms of its output: 1 if a > 0, else 0.01.

    Parameters
    ----------
    a
        The activations.

    Returns
    -------
    Array
        The derivative, of the same shape.
    """
    return np.where(a > 0, a.dtype.type(1), a.dtype.type(LEAK))


def elu(z: Array) -> Array:
    """Exponential linear unit, elementwise.

        a = z if z > 0, else eᶻ - 1

    Parameters
    ----------
    z
        The inputs, of any shape.

    Returns
    -------
    Array
        The activations a, of the same shape.

    References
    ----------
    Clevert, Unterthiner, Hochreiter (2016), "Fast and accurate deep network learning by exponential linear units",
    equation 15, with α = 1.
    """
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))


def elu_grad(a: Array) -> Array:
    """Gradient of the ELU in terms of its output: 1 if a > 0, else a + 1.

    Parameters
    ----------
    a
        The activations.

    Returns
    -------
    Array
        The derivative, of the same shape.
    """
    return np.minimum(a, 0) + a.dtype.type(1)


def softplus(z: Array) -> Array:
    """Softplus, a smooth ReLU, elementwise.

        a = log(1 + eᶻ) = max(z, 0) + log(1 + e^-|z|)

    Parameters
    ----------
    z
        The inputs, of any shape.

    Returns
    -------
    Array
        The activations a, of the same shape.

    References
    ----------
    Dugas, Bengio, Bélisle, Nadeau, Garcia (2001), "Incorporating second-order functional knowledge for better option
    pricing", section 3.
    """
    a: Array = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    return a


def softplus_grad(a: Array) -> Array:
    """Gradient of softplus in terms of its output: sigmoid(z) = 1 - e⁻ᵃ.

    Parameters
    ----------
    a
        The activations.

    Returns
    -------
    Array
        The derivative, of the same shape.
    """
    return -np.expm1(-a)


def silu(z: Array) -> Array:
    """Sigmoid linear unit (also: swish), elementwise.

        a = z sigmoid(z)

    Parameters
    ----------
    z
        The inputs, of any shape.

    Returns
    -------
    Array
        The activations a, of the same shape.

    References
    ----------
    Elfwing, Uchibe, Doya (2018), "Sigmoid-weighted linear units for neural network function approximation in
    reinforcement learning", equation 5.
    """
    return z * sigmoid(z)


def silu_grad(z: Array) -> Array:
    """Gradient of the SiLU in terms of its input: s (1 + z (1 - s)), s = sigmoid(z).

    Parameters
    ----------
    z
        The inputs.

    Returns
    -------
    Array
        The derivative, of the same shape.
    """
    s = sigmoid(z)
    gradient: Array = s * (1 + z * (1 - s))
    return gradient


def gelu(z: Array) -> Array:
    """Gaussian error linear unit, in its form with tanh, elementwise.

        a = (z / 2) (1 + tanh u) = z sigmoid(2 u),    u = √(2/π) (z + 0.044715 z³)

    Parameters
    ----------
    z
        The inputs, of any shape.

    Returns
    -------
    Array
        The activations a, of the same shape.

    References
    ----------
    Hendrycks, Gimpel (2016), "Gaussian error linear units", section 2.
    """
    a: Array = z * sigmoid(_twice_u(z))
    return a


def gelu_grad(z: Array) -> Array:
    """Gradient of the GELU in terms of its input: s (1 + z (1 - s) 2 u'), s = sigmoid(2 u).

    Parameters
    ----------
    z
        The inputs.

    Returns
    -------
    Array
        The derivative, of the same shape.
    """
    s, z = sigmoid(_twice_u(z)), np.clip(z, -FAR, FAR)
    slope = (2 * sqrt(2 / pi) * (1 + 3 * CUBIC * z * z)).astype(z.dtype)
    gradient: Array = s * (1 + z * (1 - s) * slope)
    return gradient


CUBIC = 0.044715
FAR = 100.0
"""From here on a sigmoid of 2 u is 0 or 1 to the last bit."""


def _twice_u(z: Array) -> Array:
    z = np.clip(z, -FAR, FAR)
    u: Array = (2 * sqrt(2 / pi) * (z + CUBIC * z * z * z)).astype(z.dtype)
    return u


Attribute = int | float | str | Sequence[int] | Sequence[float] | Sequence[str]
"""The value of an attribute of an ONNX operator."""


class Graph(Protocol):
    """A graph of ONNX that is being made."""

    def node(self, operator: str, *inputs: str, **attributes: Attribute) -> str:
        """Add an operator; returns the name of its output."""

    def constant(self, value: npt.ArrayLike) -> str:
        """Add a number or an array; returns its name."""


class Activation(NamedTuple):
    """An activation of hidden layers.

    Parameters
    ----------
    function
        a = σ(z).
    gradient
        σ'(z), in terms of the output a, or of the input z where ``of_input``.
    latex
        σ(z) as an equation in TeX.
    onnx
        ``onnx(graph, z)`` adds ONNX's operators with ``graph.node(operator, *inputs, **attributes)`` and
        ``graph.constant(value)``, and returns the name of the output.
    of_input
        Whether the gradient needs the input, which is then retained for the backward pass.
    in_place
        The function into the array of its input, where that is faster.
    gain
        1 / E[σ(z)²] for z ~ N(0, 1), or what its source gives: gain / K is the variance of a unit's K weights that
        keeps the signal's size from layer to layer.
    searched
        Whether a search for hyperparameters tries it by default.
    """

    function: Callable[[Array], Array]
    gradient: Callable[[Array], Array]
    latex: str
    onnx: Callable[["Graph", str], str]
    of_input: bool = False
    in_place: Callable[[Array], Array] | None = None
    gain: float = 1.0
    searched: bool = False

    def apply(self, z: Array) -> tuple[Array, Array]:
        """Compute the activations of a layer.

        Parameters
        ----------
        z
            The inputs of the activation, which may be overwritten.

        Returns
        -------
        tuple[Array, Array]
            The activations, and the array that ``backward`` computes the derivative from.
        """
        if self.of_input:
            return self.function(z), z
        a = self.function(z) if self.in_place is None else self.in_place(z)
        return a, a

    def backward(self, kept: Array, delta: Array) -> None:
        """Multiply an upstream gradient by the derivative, in place.

        Parameters
        ----------
        kept
            The second array that ``apply`` returned.
        delta
            The gradient with respect to the activations, which becomes the one with respect to the inputs.
        """
        if self.function is relu:
            np.multiply(delta, kept > 0, out=delta)  # without an array of floats
        else:
            delta *= self.gradient(kept)


def _gelu_onnx(graph: Graph, z: str) -> str:
    cubic, factor = graph.constant(np.float32(CUBIC)), graph.constant(np.float32(2 * sqrt(2 / pi)))
    cube = graph.node("Mul", cubic, graph.node("Mul", z, graph.node("Mul", z, z)))
    return graph.node("Mul", z, graph.node("Sigmoid", graph.node("Mul", factor, graph.node("Add", z, cube))))


ACTIVATIONS = {
    "relu": Activation(
        relu,
        relu_grad,
        r"\sigma(z) = \max(0, z)",
        lambda graph, z: graph.node("Relu", z),
        in_place=lambda z: np.maximum(z, 0, out=z),
        gain=2.0,
        searched=True,
    ),
    "tanh": Activation(
        tanh,
        tanh_grad,
        r"\sigma(z) = \frac{e^{z} - e^{-z}}{e^{z} + e^{-z}}",
        lambda graph, z: graph.node("Tanh", z),
        in_place=lambda z: np.tanh(z, out=z),
        searched=True,
    ),
    "sigmoid": Activation(
        sigmoid,
        sigmoid_grad,
        r"\sigma(z) = \frac{1}{1 + e^{-z}}",
        lambda graph, z: graph.node("Sigmoid", z),
        searched=True,
    ),
    "leaky_relu": Activation(
        leaky_relu,
        leaky_relu_grad,
        r"\sigma(z) = \max(0.01\, z, z)",
        lambda graph, z: graph.node("LeakyRelu", z, alpha=LEAK),
        gain=2 / (1 + LEAK**2),
    ),
    "elu": Activation(
        elu,
        elu_grad,
        r"\sigma(z) = z\ \mathrm{if}\ z > 0,\ \mathrm{else}\ e^{z} - 1",
        lambda graph, z: graph.node("Elu", z, alpha=1.0),
        gain=1.55,
    ),
    "gelu": Activation(
        gelu,
        gelu_grad,
        r"\sigma(z) = \frac{z}{2} \left(1 + \tanh\left(\sqrt{2/\pi}\, (z + 0.044715\, z^3)\right)\right)",
        _gelu_onnx,
        of_input=True,
        gain=2.35,
    ),
    "silu": Activation(
        silu,
        silu_grad,
        r"\sigma(z) = \frac{z}{1 + e^{-z}}",
        lambda graph, z: graph.node("Mul", z, graph.node("Sigmoid", z)),
        of_input=True,
        gain=2.81,
    ),
    "softplus": Activation(
        softplus, softplus_grad, r"\sigma(z) = \log(1 + e^{z})", lambda graph, z: graph.node("Softplus", z), gain=1.0
    ),
}
"""By name, in the order of choices."""

if TYPE_CHECKING:
    ActivationName = str
else:
    ActivationName = Literal[tuple(ACTIVATIONS)]


def activation_of(name: str) -> Activation:
    """Look up an activation by its name.

    Parameters
    ----------
    name
        A name in ``ACTIVATIONS``.

    Returns
    -------
    Activation
        The row of the table.

    Raises
    ------
    ValueError
        For an unknown name, with the choices.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"unknown activation {name!r}; choose one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]
