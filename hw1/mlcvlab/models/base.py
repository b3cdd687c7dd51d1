"""What models are made of."""

from collections.abc import Callable, Iterable

import numpy.typing as npt

from mlcvlab.nn import Array


class Layer:
    """One layer: weights ``W``, one row a unit's inputs, and the activation that follows them."""

    def __init__(self, W: Array | None, activation: Callable[[npt.ArrayLike], Array]) -> None:
        self.W = W
        self.activation = activation


class LayerWeights(list[Array]):
    """The weights of some layers as a list; assigning an item assigns the layer's ``W``."""

    def __init__(self, layers: Iterable[Layer]) -> None:
        self._layers = tuple(layers)
        super().__init__(layer.W for layer in self._layers)  # type: ignore[misc]

    def __setitem__(self, index, value) -> None:  # type: ignore[no-untyped-def]
        super().__setitem__(index, value)
        for layer, W in zip(self._layers, self, strict=True):
            layer.W = W
