"""The gradient of a mini-batch as one flat vector: for any model, and without allocations for NN2."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mlcvkit.training import kernels
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn import Array, as_float
from mlcvlab.nn.losses import LOSSES


class Model(Protocol):
    """What can be trained: inside a model a sample is a column, X is (K, N) and y is (1, N)."""

    W: list[Array]

    def emp_loss(self, train_X: npt.ArrayLike, train_y: npt.ArrayLike) -> float: ...

    def emp_loss_grad(
        self, train_X: npt.ArrayLike, train_y: npt.ArrayLike, W: Sequence[Array] | None = None
    ) -> list[Array]: ...


Gradient = Callable[[Array, Array, Array], Array]
"""``gradient(w, x, y)`` of flat weights, rows x, (B, K), and targets, (B,); the next call may overwrite the result."""


def flatten(model: Model) -> Array:
    """Put all weights of a model into one flat vector, of which the model's weights become views."""
    W = [as_float(w) for w in model.W]
    flat = _concatenated(W)
    model.W = unflatten(flat, [w.shape for w in W])
    return flat


def unflatten(flat: Array, shapes: Sequence[tuple[int, ...]]) -> list[Array]:
    """Views of a flat vector with the given shapes, one after the other.

    A matrix lies there column by column: the products of a mini-batch are faster with it transposed.
    """
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [part.reshape(shape, order="F") for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)]


def _concatenated(W: Sequence[Array]) -> Array:
    return np.concatenate([w.ravel(order="F") for w in W])


def gradient_of(model: Any, batch_size: int) -> Gradient:
    """The fastest gradient there is for a model."""
    return NN2Gradient(model, batch_size) if type(model) is NN2 else ModelGradient(model)


class ModelGradient:
    """The gradient of any model, by its ``emp_loss_grad``."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.shapes = [w.shape for w in model.W]

    def __call__(self, w: Array, x: Array, y: Array) -> Array:
        W = unflatten(w, self.shapes)
        return _concatenated(self.model.emp_loss_grad(x.T, y[None], W))


class NN2Gradient:
    """``NN2.emp_loss_grad`` for a mini-batch, into buffers that are made once; the same formulas, samples as rows.

    z̃₁ = σ₁(x W₁ᵀ),   z₂ = z̃₁ w₂,   δ₂ = ∇_z₂ ℓ / B,   δ₁ = (δ₂ w₂ᵀ) ∘ σ₁'(z₁),   ∇_w₂ = z̃₁ᵀ δ₂,   ∇_W₁ᵀ = xᵀ δ₁
    """

    def __init__(self, model: NN2, batch_size: int) -> None:
        self.hidden_units, self.features = model.W[0].shape
        self.loss = LOSSES[model.loss]
        dtype = model.W[0].dtype
        self.flat = np.empty(sum(w.size for w in model.W), dtype)
        self.hidden = np.empty((batch_size, self.hidden_units), dtype)
        self.output = np.empty(batch_size, dtype)

    def __call__(self, w: Array, x: Array, y: Array) -> Array:
        W1, w2 = self._split(w)
        W1_gradient, w2_gradient = self._split(self.flat)
        a1, z2 = self.hidden[: len(x)], self.output[: len(x)]
        np.matmul(x, W1, out=a1)
        kernels.relu_forward(a1, w2, z2)
        delta2 = self.loss.gradient(y[None].astype(w.dtype, copy=False), z2[None])[0]
        delta2 /= len(x)
        np.matmul(delta2, a1, out=w2_gradient)
        kernels.relu_backward(a1, delta2, w2)
        np.matmul(x.T, a1, out=W1_gradient)
        return self.flat

    def _split(self, flat: Array) -> tuple[Array, Array]:
        """W₁ᵀ, (K, M), and w₂, (M,)."""
        W1 = flat[: self.features * self.hidden_units].reshape(self.features, self.hidden_units)
        return W1, flat[self.features * self.hidden_units :]
