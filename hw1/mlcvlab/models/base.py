"""What models are made of."""

from collections.abc import Callable, Iterable, Sequence

import numpy.typing as npt

from mlcvlab.nn import Array, as_float


class Layer:
    """One layer of a network.

    Parameters
    ----------
    W
        The weights, or None before they are drawn.
    activation
        The activation that follows them.
    """

    def __init__(self, W: Array | None, activation: Callable[[npt.ArrayLike], Array]) -> None:
        self.W = W
        self.activation = activation


class LayerWeights(list[Array]):
    """The weights of some layers as a list; assigning an item assigns the layer's ``W``.

    Parameters
    ----------
    layers
        The layers.
    """

    def __init__(self, layers: Iterable[Layer]) -> None:
        self._layers = tuple(layers)
        super().__init__(layer.W for layer in self._layers)  # type: ignore[misc]

    def __setitem__(self, index, value) -> None:  # type: ignore[no-untyped-def]
        super().__setitem__(index, value)
        for layer, W in zip(self._layers, self, strict=True):
            layer.W = W


def copy_weights(weights: Sequence[Array]) -> list[Array]:
    """Copy weights as floating-point numbers.

    Parameters
    ----------
    weights
        The weights.

    Returns
    -------
    list[Array]
        New arrays.

    Raises
    ------
    ValueError
        If a model has none yet.
    """
    if any(w is None for w in weights):
        raise ValueError("the model has no weights to start from: initialise it or assign its W")
    return [as_float(w).copy() for w in weights]
