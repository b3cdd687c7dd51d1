"""The gradient of a mini-batch as one flat vector: for any model, and without allocations for NN2."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mlcvkit.training import kernels
from mlcvkit.training.batches import Batch
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn import Array, as_float


class Model(Protocol):
    """What can be trained: inside a model a sample is a column, X is (K, N) and y is (1, N)."""

    W: list[Array]

    def emp_loss(self, train_X: npt.ArrayLike, train_y: npt.ArrayLike) -> float: ...

    def emp_loss_grad(
        self, train_X: npt.ArrayLike, train_y: npt.ArrayLike, W: Sequence[Array] | None = None
    ) -> list[Array]: ...


Gradient = Callable[[Array, Batch], Array]
"""``gradient(w, batch)`` of flat weights; the next call may overwrite the result."""


def flatten(model: Model) -> Array:
    """Put all weights of a model into one flat vector, of which the model's weights become views.

    Raises: ValueError where the model has no weights yet, or they are neither float32 nor float64.
    """
    if not len(model.W) or any(w is None for w in model.W):
        raise ValueError("the model has no weights to start from: initialise it or assign its W")
    W = [as_float(w) for w in model.W]
    if any(w.dtype not in (np.float32, np.float64) for w in W):
        raise ValueError(f"weights must be float32 or float64; got {', '.join(str(w.dtype) for w in W)}")
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


def gradient_of(model: Any, batch_size: int) -> "NN2Gradient | ModelGradient":
    """The fastest gradient there is for a model."""
    fast = type(model) is NN2 and model.loss == "cross_entropy"
    return NN2Gradient(model, batch_size) if fast else ModelGradient(model)


class ModelGradient:
    """The gradient of any model, by its ``emp_loss_grad``."""

    takes_packed = False
    """Whether a batch may leave out features."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.shapes = [w.shape for w in model.W]

    def __call__(self, w: Array, batch: Batch) -> Array:
        W = unflatten(w, self.shapes)
        return _concatenated(self.model.emp_loss_grad(batch.x.T, batch.y[None], W))


class NN2Gradient:
    """``NN2.emp_loss_grad`` of cross-entropy on a mini-batch, into buffers that are made once; samples are rows.

    z₁ = x W₁ᵀ,   δ₁ and ∇_w₂ from z₁ as in ``kernels.cross_entropy_layer``,   ∇_W₁ᵀ = xᵀ δ₁

    Features that are zero in the whole batch add nothing to z₁, and their rows of ∇_W₁ᵀ are zero: both products leave
    them out. Of MNIST's pixels that is a third.
    """

    takes_packed = True

    def __init__(self, model: NN2, batch_size: int) -> None:
        self.hidden_units, self.features = model.W[0].shape
        dtype = model.W[0].dtype
        self.flat = np.empty(sum(w.size for w in model.W), dtype)
        self.hidden = np.empty((batch_size, self.hidden_units), dtype)
        self.some_rows = np.empty((self.features, self.hidden_units), dtype)

    def __call__(self, w: Array, batch: Batch) -> Array:
        x, y, features = batch
        W1, w2 = self._split(w)
        W1_gradient, w2_gradient = self._split(self.flat)
        z1, rows = self.hidden[: len(x)], self.some_rows[: len(features)]
        every = len(features) == self.features
        np.matmul(x, W1 if every else W1.take(features, axis=0, out=rows, mode="clip"), out=z1)
        kernels.cross_entropy_layer(z1, w2, y.astype(w.dtype, copy=False), w2_gradient)
        np.matmul(x.T, z1, out=W1_gradient if every else rows)
        if not every:
            kernels.spread_rows(rows, features, W1_gradient)
        return self.flat

    def _split(self, flat: Array) -> tuple[Array, Array]:
        """W₁ᵀ, (K, M), and w₂, (M,)."""
        W1 = flat[: self.features * self.hidden_units].reshape(self.features, self.hidden_units)
        return W1, flat[self.features * self.hidden_units :]
