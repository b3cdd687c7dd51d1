"""The gradient of a mini-batch as one flat vector: for any model, and without allocations for NN2."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from mlcvkit.arrays import PlainData
from mlcvkit.models import ACTIVATIONS, MLP, Model, as_trained, dropout_mask, logit_loss
from mlcvkit.threads import product
from mlcvkit.training import kernels
from mlcvkit.training.batches import Batch
from mlcvlab.nn import Array, as_float

Gradient = Callable[[Array, Batch], Array]
"""``gradient(w, batch)`` of flat weights; the next call may overwrite the result."""


def as_columns(y: Array) -> Array:
    """Targets as a model takes them.

    Parameters
    ----------
    y
        Targets, (N,) or (N, C).

    Returns
    -------
    Array
        The same as (1, N) or (C, N).
    """
    return y[None] if y.ndim == 1 else y.T


def flatten(model: Model) -> Array:
    """Put all weights of a model into one flat vector, of which the model's weights become views.

    Parameters
    ----------
    model
        A model with weights.

    Returns
    -------
    Array
        The flat vector.

    Raises
    ------
    ValueError
        If the model has no weights yet, or they are neither float32 nor float64.
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
    """Views of a flat vector as matrices, one after the other.

    A matrix lies there column by column: the products of a mini-batch are faster with it transposed.

    Parameters
    ----------
    flat
        The vector.
    shapes
        The shapes of the matrices.

    Returns
    -------
    list[Array]
        The views.
    """
    views, start = [], 0
    for shape in shapes:
        end = start + math.prod(shape)
        views.append(flat[start:end].reshape(shape, order="F"))
        start = end
    return views


def _concatenated(W: Sequence[Array]) -> Array:
    return np.concatenate([w.ravel(order="F") for w in W])


def gradient_of(
    model: Model, batch_size: int, *, weighted: bool = False, sparse: bool = False
) -> "NN2Gradient | MLPGradient | ModelGradient":
    """The fastest gradient that there is for a model.

    Parameters
    ----------
    model
        The model.
    batch_size
        The largest number of samples in a batch.
    weighted
        Whether the samples have weights.
    sparse
        Whether the samples are a scipy.sparse matrix.

    Returns
    -------
    NN2Gradient | MLPGradient | ModelGradient
        The gradient, which is called with the weights and a batch.
    """
    model = as_trained(model)
    if type(model) is MLP and NN2Gradient.computes(model) and not (weighted or sparse):
        return NN2Gradient(model, batch_size)
    return MLPGradient(model, batch_size) if isinstance(model, MLP) else ModelGradient(model)


class ModelGradient:
    """The gradient of any model, by its ``emp_loss_grad``.

    It is given ``sample_weight`` only where the samples have weights, and ``rng`` only where the model has dropout.

    Parameters
    ----------
    model
        A model with ``emp_loss_grad``.
    """

    takes_packed = False
    """Whether a batch may leave out features."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.shapes = [w.shape for w in model.W]
        self.dropout = bool(getattr(model, "dropout", 0))

    def __call__(self, w: Array, batch: Batch) -> Array:
        """The gradient at a flat vector of weights."""
        options: PlainData = {}
        if batch.sample_weight is not None:
            options["sample_weight"] = batch.sample_weight
        if self.dropout:
            options["rng"] = batch.rng
        W = unflatten(w, self.shapes)
        return _concatenated(self.model.emp_loss_grad(batch.x.T, as_columns(batch.y), W, **options))


class NN2Gradient:
    """``NN2.emp_loss_grad`` of cross-entropy on a mini-batch, into buffers that are made once; samples are rows.

    z₁ = x W₁ᵀ,   δ₁ and ∇_w₂ from z₁ as in ``kernels.cross_entropy_layer``,   ∇_W₁ᵀ = xᵀ δ₁

    Features that are zero in the whole batch add nothing to z₁, and their rows of ∇_W₁ᵀ are zero: both products leave
    them out. Of MNIST's pixels that is a third.

    Parameters
    ----------
    model
        The MLP that is equal to an NN2.
    batch_size
        The largest number of samples in a batch.
    """

    takes_packed = True

    @staticmethod
    def computes(model: MLP) -> bool:
        """Whether a model is equal to an NN2: one ReLU layer, no biases, a sigmoid with its cross-entropy.

        Parameters
        ----------
        model
            The model.

        Returns
        -------
        bool
            Whether it is.
        """
        plain = len(model.hidden_units) == 1 and not (model.biases or model.dropout or model.l2)
        return plain and (model.activation, model.output, model.loss) == ("relu", "sigmoid", "cross_entropy")

    def __init__(self, model: MLP, batch_size: int) -> None:
        self.hidden_units, self.features = model.W[0].shape
        dtype = model.W[0].dtype
        self.flat = np.empty(sum(w.size for w in model.W), dtype)
        self.hidden = np.empty((batch_size, self.hidden_units), dtype)
        self.some_rows = np.empty((self.features, self.hidden_units), dtype)

    def __call__(self, w: Array, batch: Batch) -> Array:
        """The gradient at a flat vector of weights."""
        x, y, features = batch.x, batch.y.reshape(-1), batch.features
        W1, w2 = self._split(w)
        W1_gradient, w2_gradient = self._split(self.flat)
        z1, rows = self.hidden[: len(x)], self.some_rows[: len(features)]
        every = len(features) == self.features
        product(x, W1 if every else W1.take(features, axis=0, out=rows, mode="clip"), z1)
        kernels.cross_entropy_layer(z1, w2, y.astype(w.dtype, copy=False), w2_gradient)
        product(x.T, z1, W1_gradient if every else rows)
        if not every:
            kernels.spread_rows(rows, features, W1_gradient)
        return self.flat

    def _split(self, flat: Array) -> tuple[Array, Array]:
        """W₁ᵀ, (K, M), and w₂, (M,)."""
        W1 = flat[: self.features * self.hidden_units].reshape(self.features, self.hidden_units)
        return W1, flat[self.features * self.hidden_units :]


class _Parts(NamedTuple):
    """Views of a flat vector: a layer's weights turned to (inputs, units), and its biases, (units,)."""

    W: Array
    b: Array | None


class MLPGradient:
    """``MLP.emp_loss_grad`` on a mini-batch, into buffers that are made once; samples are rows.

    z_l = a_(l-1) W_lᵀ + b_l forward and δ_(l-1) = δ_l W_l backward, as there. Features that are zero in the whole batch
    are left out, as for NN2.

    Parameters
    ----------
    model
        The model.
    batch_size
        The largest number of samples in a batch.
    """

    takes_packed = True

    def __init__(self, model: MLP, batch_size: int) -> None:
        self.model, self.loss = model, logit_loss(model.output, model.loss)
        self.activation = ACTIVATIONS[model.activation]
        self.shapes = [w.shape for w in model.W]
        dtype = model.W[0].dtype
        self.flat = np.empty(sum(w.size for w in model.W), dtype)
        self.gradients = self._parts(self.flat)
        self.features = self.gradients[0].W.shape[0]
        sizes = [part.W.shape[1] for part in self.gradients]
        self.outputs = [np.empty((batch_size, units), dtype) for units in sizes]
        self.latest: Array | None = None
        self.parts: list[_Parts] = []
        self.deltas = [np.empty((batch_size, units), dtype) for units in sizes[:-1]]

    def __call__(self, w: Array, batch: Batch) -> Array:
        """The gradient at a flat vector of weights."""
        if w is not self.latest:  # most optimizers ask at one and the same vector
            self.latest, self.parts = w, self._parts(w)
        parts = self.parts
        every = len(batch.features) == self.features
        if not every:
            parts = [parts[0]._replace(W=parts[0].W.take(batch.features, axis=0)), *parts[1:]]
        inputs, hidden, z = self._forward(batch, parts)
        delta = self._output_delta(batch, z)
        for layer in reversed(range(len(parts))):
            W_gradient, b_gradient = self.gradients[layer]
            if layer == 0 and not every:
                kernels.spread_rows(product(inputs[0].T, delta), batch.features, W_gradient)
            else:
                _product(inputs[layer].T, delta, W_gradient)
            if b_gradient is not None:
                delta.sum(axis=0, out=b_gradient)
            if layer > 0:
                below = self.deltas[layer - 1][: len(z)]
                delta = _product(delta, parts[layer].W.T, below)
                kept, mask = hidden[layer - 1]
                if mask is not None:
                    delta *= mask
                self.activation.backward(kept, delta)
        if self.model.l2:
            for part, gradient in zip(self.parts, self.gradients, strict=True):
                gradient.W[...] += self.model.l2 * part.W
        return self.flat

    def _forward(
        self, batch: Batch, parts: list[_Parts]
    ) -> tuple[list[Array], list[tuple[Array, Array | None]], Array]:
        """Each layer's input, what its gradient is computed from with the mask of dropout, and the logits."""
        inputs: list[Array] = [batch.x]
        hidden: list[tuple[Array, Array | None]] = []
        for (W, b), output in zip(parts, self.outputs, strict=True):
            z = _product(inputs[-1], W, output[: batch.x.shape[0]])
            if b is not None:
                z += b
            if output is self.outputs[-1]:
                return inputs, hidden, z
            a, kept = self.activation.apply(z)
            mask = dropout_mask(batch.rng, self.model.dropout, a.T).T if self.model.dropout else None
            hidden.append((kept, mask))
            inputs.append(a if mask is None else a * mask)
        raise AssertionError

    def _output_delta(self, batch: Batch, z: Array) -> Array:
        targets = as_columns(batch.y).astype(z.dtype, copy=False)
        delta = self.loss.gradient(targets, z.T).T
        if batch.sample_weight is not None:
            delta = delta * batch.sample_weight[:, None]
        return delta / z.dtype.type(len(z))

    def _parts(self, flat: Array) -> list[_Parts]:
        views = unflatten(flat, self.shapes)
        layers = list(zip(views[::2], views[1::2], strict=True)) if self.model.biases else [(v, None) for v in views]
        turned = [(W.T, b) for W, b in layers[:-1]] + [layers[-1]]
        return [_Parts(W, None if b is None else b[:, 0]) for W, b in turned]


def _product(a: Array, b: Array, out: Array) -> Array:
    """Compute a @ b into ``out``; ``a`` may be sparse."""
    if isinstance(a, np.ndarray):
        return product(a, b, out)
    out[...] = a @ b
    return out
