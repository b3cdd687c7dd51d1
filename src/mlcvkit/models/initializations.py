"""Standard deviations of the weights before the first step: each a function of a layer's inputs, units and gain.

The gain is the activation's: 2 for ReLU, which silences half of its inputs, 1 for tanh and the sigmoid. A new one is a
row in ``INITIALIZATIONS``.
"""

from collections.abc import Callable
from math import sqrt
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from mlcvkit.models.activations import ACTIVATIONS
from mlcvkit.models.handout import as_mlp
from mlcvkit.models.mlp import MLP
from mlcvlab.models.nn2 import NN2


def he(inputs: int, units: int, gain: float) -> float:
    """√(gain / inputs): what goes forward keeps its size, from layer to layer.

    Parameters
    ----------
    inputs
        The number of inputs of the layer.
    units
        The number of units of the layer.
    gain
        The gain g of the activation.

    Returns
    -------
    float
        The standard deviation of the weights.

    References
    ----------
    He, Zhang, Ren, Sun (2015), "Delving Deep into Rectifiers", equation 10; with gain 1 LeCun, Bottou, Orr, Müller
    (1998), "Efficient BackProp", equation 16.
    """
    return sqrt(gain / inputs)


def glorot(inputs: int, units: int, gain: float) -> float:
    """√(2 / (inputs + units)): a compromise between what goes forward and what comes back.

    Parameters
    ----------
    inputs
        The number of inputs of the layer.
    units
        The number of units of the layer.
    gain
        Not used.

    Returns
    -------
    float
        The standard deviation of the weights.

    References
    ----------
    Glorot and Bengio (2010), "Understanding the difficulty of training deep feedforward neural networks", equation 12.
    """
    return sqrt(2 / (inputs + units))


def small(inputs: int, units: int, gain: float) -> float:
    """0.01, whatever the layer's size."""
    return 0.01


def large(inputs: int, units: int, gain: float) -> float:
    """1, whatever the layer's size: many units are saturated, or dead, from the start."""
    return 1.0


def zeros(inputs: int, units: int, gain: float) -> float:
    """0: all hidden units are alike and stay so, since they get the same gradient."""
    return 0.0


class Initialization(NamedTuple):
    """How weights are drawn before the first step.

    Parameters
    ----------
    function
        The standard deviation as a function of a layer's inputs, its units and the gain of its activation.
    latex
        The distribution of W as an equation in TeX.
    """

    function: Callable[[int, int, float], float]
    latex: str

    def __call__(self, inputs: int, units: int, gain: float) -> float:
        """The standard deviation of the weights of a layer."""
        return self.function(inputs, units, gain)


INITIALIZATIONS = {
    "he": Initialization(he, r"W \sim \mathcal{N}(0, g / K), \quad g = 2\ \mathrm{for\ relu}, 1\ \mathrm{for\ tanh}"),
    "glorot": Initialization(glorot, r"W \sim \mathcal{N}\left(0, \frac{2}{K + M}\right)"),
    "small": Initialization(small, r"W \sim \mathcal{N}(0, 0.01^2)"),
    "large": Initialization(large, r"W \sim \mathcal{N}(0, 1)"),
    "zeros": Initialization(zeros, r"W = 0"),
    "linear": Initialization(he, r"W \sim \mathcal{N}(0, g / K), \quad z = \hat w^\top x + \hat b"),
}
"""By name, in the order of choices. What "linear" adds to he's weights needs rows: ``start_as_linear``."""

if TYPE_CHECKING:
    InitializationName = str
else:
    InitializationName = Literal[tuple(INITIALIZATIONS)]


Network = TypeVar("Network", NN2, MLP)


def scale_weights(model: Network, initialization: str) -> Network:
    """Give weights that ``initialize`` has just drawn, as He's, the standard deviations of another initialization.

    The random numbers stay, so that two initializations of one seed differ in scale alone. Biases stay 0.

    Parameters
    ----------
    model
        An NN2 or an MLP with weights that ``initialize`` has drawn.
    initialization
        A name in ``INITIALIZATIONS``.

    Returns
    -------
    Network
        The model itself.

    Raises
    ------
    ValueError
        For an unknown name, with the choices.
    """
    if initialization not in INITIALIZATIONS:
        raise ValueError(f"unknown initialization {initialization!r}; choose one of {', '.join(INITIALIZATIONS)}")
    if initialization in ("he", "linear"):
        return model
    hidden_gain = ACTIVATIONS[as_mlp(model).activation].gain
    for layer in model.layers:
        assert layer.W is not None
        last = layer is model.layers[-1]
        (inputs, units), gain = (layer.W.shape, 1.0) if last else (layer.W.shape[::-1], hidden_gain)
        factor = INITIALIZATIONS[initialization](inputs, units, gain) / he(inputs, units, gain)
        layer.W = layer.W * layer.W.dtype.type(factor)
    return model
