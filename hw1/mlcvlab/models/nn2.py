"""NN2, the two-layer network of the handout, and its gradients by back-propagation (handout, Problem 2)."""

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

from mlcvlab.models.base import Layer, LayerWeights, copy_weights
from mlcvlab.nn import Array, as_float
from mlcvlab.nn.activations import relu, relu_grad, sigmoid
from mlcvlab.nn.basis import linear, linear_grad
from mlcvlab.nn.losses import LOSSES

Indices = npt.NDArray[np.intp]

BLOCK_BYTES = 8 << 20
"""The largest hidden block, Z1 of some columns: it should stay in the caches between its uses."""


class NN2Coordinates:
    """SGD's step on one weight of NN2: keep Z₁, z₂ and δ₂, and touch only the samples that the weight touches.

    Z₁ changes in one row, and there only for the samples whose feature k is not zero; z₂ and δ₂ change only where the
    hidden unit is or becomes active. A step costs the same however many hidden units there are.

    Parameters
    ----------
    model
        The network.
    X
        The samples, (K, N), one a column.
    y
        Their labels, (1, N).
    """

    def __init__(self, model: "NN2", X: npt.ArrayLike, y: npt.ArrayLike) -> None:
        self.X, weights = checked_samples(X, model.W)
        self.W = W1, w2 = copy_weights(weights)
        self.y = checked_targets(y, self.X, self.W)[0]
        self.loss = LOSSES[model.loss]
        self.Z1 = W1 @ as_float(self.X).astype(W1.dtype, copy=False)
        self.z2 = (w2.T @ relu(self.Z1))[0]
        self.delta2 = self.loss.gradient(self.y[None], self.z2[None])[0]
        self.columns: dict[int, tuple[Indices, Array]] = {}

    def step(self, layer: int, j: int, lr: float) -> float:
        """Move parameter j of a layer by one step of gradient descent.

        Parameters
        ----------
        layer
            The layer, 0 or 1.
        j
            The parameter, counted row by row.
        lr
            The learning rate.

        Returns
        -------
        float
            A number that is finite if the loss is.
        """
        m, k = divmod(j, self.W[0].shape[1])
        return self._step_w2(j, lr) if layer == 1 else self._step_W1(m, k, lr)

    def _step_W1(self, m: int, k: int, lr: float) -> float:
        samples, x = self._column(k)
        W1, w2 = self.W
        z1 = self.Z1[m].take(samples)
        active = z1 > 0
        gradient = w2[m, 0] * (self.delta2.take(samples) * active).dot(x) / len(self.y)
        W1[m, k] -= lr * gradient
        z1_new = z1 - x.dtype.type(lr * gradient) * x
        self.Z1[m][samples] = z1_new
        changed = (active | (z1_new > 0)).nonzero()[0]
        change = relu(z1_new.take(changed)) - relu(z1.take(changed))
        return self._move_z2(samples.take(changed), w2[m, 0] * change)

    def _step_w2(self, m: int, lr: float) -> float:
        a1 = relu(self.Z1[m])
        gradient = self.delta2.dot(a1) / len(self.y)
        self.W[1][m, 0] -= lr * gradient
        changed = (a1 > 0).nonzero()[0]
        return self._move_z2(changed, a1.dtype.type(-lr * gradient) * a1.take(changed))

    def _move_z2(self, samples: Indices, change: Array) -> float:
        y, z2 = self.y.take(samples)[None], (self.z2.take(samples) + change)[None]
        self.z2[samples] = z2[0]
        self.delta2[samples] = self.loss.gradient(y, z2)[0]
        total = float(z2.sum())  # where every z2 is finite every loss is, and this is the cheaper sum
        return total if np.isfinite(total) else float(self.loss.value(y, z2).sum(dtype=np.float64))

    def _column(self, k: int) -> tuple[Indices, Array]:
        """The samples whose feature ``k`` is not zero, and its values there; found once."""
        if k not in self.columns:
            first = k - k % 16  # where the samples were rows, a cache line holds 16 neighbouring features
            for feature, x in enumerate(np.ascontiguousarray(self.X[first : first + 16]), start=first):
                samples = (x != 0).nonzero()[0]
                self.columns[feature] = samples, x[samples].astype(self.Z1.dtype)
        return self.columns[k]


class NN2:
    """Two-layer network: a hidden ReLU layer and a sigmoid output.

        ŷ = σ₂(w₂ᵀ · σ₁(W₁ · x)),    σ₁ = ReLU, σ₂ = sigmoid

    ``layers`` are its two layers and ``W`` is the list [W1, w2] of their weights: one storage, two names, and either
    may be assigned. W1 is (M, K), w2 is (M, 1), for K features and M hidden units.

    Parameters
    ----------
    loss
        The loss that is minimised: "cross_entropy", "l2" or "mse".

    References
    ----------
    Handout, Problem 2.

    Examples
    --------
    >>> model = NN2().initialize(features=3, hidden_units=4, seed=0)
    >>> model.nn2(np.ones((3, 5), np.float32)).shape
    (1, 5)
    """

    def __init__(self, *, loss: str = "cross_entropy") -> None:
        if loss not in LOSSES:
            raise ValueError(f"unknown loss {loss!r}; choose one of {', '.join(LOSSES)}")
        self.loss = loss
        self.layers = (Layer(None, relu), Layer(None, sigmoid))

    @property
    def W(self) -> list[Array]:
        """The weights [W1, w2]; assigning it assigns those of the layers."""
        return LayerWeights(self.layers)

    @W.setter
    def W(self, weights: Sequence[Array]) -> None:
        if len(weights) != 2:
            raise ValueError(f"NN2 has two arrays of weights, W1 and w2; got {len(weights)}")
        for layer, W in zip(self.layers, weights, strict=True):
            layer.W = W

    def initialize(
        self,
        features: int,
        hidden_units: int,
        *,
        seed: int | np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> "NN2":
        """Draw the weights from normal distributions and return the model.

            W₁ ~ N(0, 2 / K),    w₂ ~ N(0, 1 / M)

        Parameters
        ----------
        features
            The number of features K.
        hidden_units
            The number of hidden units M.
        seed
            A seed, or the generator to draw from.
        dtype
            The dtype of the weights.

        Returns
        -------
        NN2
            The model itself.

        Raises
        ------
        ValueError
            If K or M is below 1.

        References
        ----------
        He, Zhang, Ren, Sun (2015), "Delving Deep into Rectifiers", equation 10, for the ReLU layer; LeCun, Bottou, Orr,
        Müller (1998), "Efficient BackProp", equation 16, for the output.
        """
        if features < 1 or hidden_units < 1:
            raise ValueError(f"NN2 needs features >= 1 and hidden_units >= 1; got {features} and {hidden_units}")
        rng = np.random.default_rng(seed)
        W1 = rng.normal(0, np.sqrt(2 / features), (hidden_units, features))
        w2 = rng.normal(0, np.sqrt(1 / hidden_units), (hidden_units, 1))
        self.W = [W1.astype(dtype), w2.astype(dtype)]
        return self

    def nn2(self, x: npt.ArrayLike) -> Array:
        """Predict: the probability that each sample's label is 1.

            z₁ = W₁ · x,   z̃₁ = σ₁(z₁),   z₂ = w₂ᵀ · z̃₁,   ŷ = σ₂(z₂)

        Parameters
        ----------
        x
            The samples, (K, N), one a column.

        Returns
        -------
        Array
            The probabilities ŷ, (1, N).

        Raises
        ------
        ValueError
            If x does not fit the weights, with both shapes, or where there are no weights yet.

        References
        ----------
        Handout, Problem 2, "NN2 model".
        """
        X, W = checked_samples(x, self.W)
        return np.hstack([self.layers[1].activation(self._forward(X[:, i], W)[1]) for i in _blocks(X, W)])

    def grad(self, x: npt.ArrayLike, y: npt.ArrayLike, W: Sequence[Array] | None = None) -> list[Array]:
        """Gradient of the loss with respect to the weights, by back-propagation.

            δ₂ = ∇_z₂ ℓ = ∇_ŷ ℓ · σ₂'(z₂)          ∇_w₂ ℓ = z̃₁ · δ₂ᵀ
            δ₁ = ∇_z₁ ℓ = (w₂ · δ₂) ∘ σ₁'(z₁)      ∇_W₁ ℓ = δ₁ · xᵀ

        For several samples it is the gradient of the sum of their losses. For cross-entropy δ₂ = ŷ - y, the product of
        the two factors, right even where the sigmoid is saturated and wrong.

        Parameters
        ----------
        x
            The samples, (K, N), one a column.
        y
            Their labels, (1, N).
        W
            The weights [W1, w2] to use in place of the model's.

        Returns
        -------
        list[Array]
            The gradients [∇_W₁, (M, K); ∇_w₂, (M, 1)].

        Raises
        ------
        ValueError
            If the shapes do not fit, with both shapes.

        References
        ----------
        Handout, Problem 2, "Gradient of NN2 model (Backpropagation)".
        """
        X, W = checked_samples(x, self.W if W is None else W)
        return self._backward(X, checked_targets(y, X, W), W, (0, 1))

    def emp_loss(
        self,
        train_X: npt.ArrayLike,
        train_y: npt.ArrayLike,
        W: Sequence[Array] | None = None,
        *,
        sample_weight: Array | None = None,
    ) -> float:
        """Empirical risk, the mean loss over the samples.

            L_N = (1/N) Σ_i ω_i ℓ(y_i, ŷ_i),    ω_i = 1 unless given

        Parameters
        ----------
        train_X
            The samples, (K, N), one a column.
        train_y
            Their labels, (1, N).
        W
            The weights [W1, w2] to use in place of the model's.
        sample_weight
            The weight ω of each sample, (N,).

        Returns
        -------
        float
            The empirical risk.

        Raises
        ------
        ValueError
            If the shapes do not fit, with both shapes.

        References
        ----------
        Handout, Problem 2, "Gradient of Empirical Risk of NN2 model".
        """
        X, W = checked_samples(train_X, self.W if W is None else W)
        y = checked_targets(train_y, X, W)
        value = LOSSES[self.loss].value
        total = 0.0
        for i in _blocks(X, W):
            losses = value(y[:, i], self._forward(X[:, i], W)[1])
            total += (losses if sample_weight is None else losses * sample_weight[i]).sum(dtype=np.float64)
        return float(total / X.shape[1])

    @overload
    def emp_loss_grad(
        self,
        train_X: npt.ArrayLike,
        train_y: npt.ArrayLike,
        W: Sequence[Array] | None = None,
        layer: None = None,
        *,
        sample_weight: Array | None = None,
    ) -> list[Array]: ...

    @overload
    def emp_loss_grad(
        self, train_X: npt.ArrayLike, train_y: npt.ArrayLike, W: Sequence[Array] | None, layer: int
    ) -> Array: ...

    def emp_loss_grad(
        self,
        train_X: npt.ArrayLike,
        train_y: npt.ArrayLike,
        W: Sequence[Array] | None = None,
        layer: int | None = None,
        *,
        sample_weight: Array | None = None,
    ) -> list[Array] | Array:
        """Gradient of the empirical risk with respect to the weights.

            ∇L_N = (1/N) Σ_i ω_i ∇ℓ(y_i, ŷ_i),    ω_i = 1 unless given

        Computed in blocks of columns, so that the memory does not grow with N.

        Parameters
        ----------
        train_X
            The samples, (K, N), one a column.
        train_y
            Their labels, (1, N).
        W
            The weights [W1, w2] to use in place of the model's.
        layer
            The layer whose gradient is wanted, 0 or 1. By default both.
        sample_weight
            The weight ω of each sample, (N,).

        Returns
        -------
        list[Array] | Array
            The gradients [∇_W₁, (M, K); ∇_w₂, (M, 1)], or the one asked for.

        Raises
        ------
        ValueError
            If the shapes do not fit, with both shapes, or where there is no such layer.

        References
        ----------
        Handout, Problem 2, "Gradient of Empirical Risk of NN2 model".
        """
        X, W = checked_samples(train_X, self.W if W is None else W)
        if layer not in (None, 0, 1):
            raise ValueError(f"NN2 has layers 0 and 1 (None for both); got {layer!r}")
        layers = (0, 1) if layer is None else (layer,)
        total = self._backward(X, checked_targets(train_y, X, W), W, layers, sample_weight)
        for gradient in total:
            gradient /= X.shape[1]
        return total if layer is None else total[0]

    def _forward(self, x: Array, W: Sequence[Array]) -> tuple[Array, Array]:
        """The hidden units z̃₁ and the sigmoid's argument z₂ of some samples."""
        W1, w2 = W
        a1 = self.layers[0].activation(linear(x, W1))
        return a1, linear(a1, w2.T)

    def _backward(
        self, X: Array, y: Array, W: Sequence[Array], layers: Sequence[int], sample_weight: Array | None = None
    ) -> list[Array]:
        """The gradients of the summed loss for some of the layers, block by block of columns."""
        w2 = W[1]
        loss = LOSSES[self.loss]
        total = [np.zeros(W[layer].shape, np.result_type(as_float(X[:0]), *W)) for layer in layers]
        for i in _blocks(X, W):
            x = as_float(X[:, i])
            a1, z2 = self._forward(x, W)
            delta2 = loss.gradient(y[:, i], z2)
            if sample_weight is not None:
                delta2 = delta2 * sample_weight[i]
            for gradient, layer in zip(total, layers, strict=True):
                if layer == 1:
                    gradient += linear_grad(a1) @ delta2.T
                else:
                    delta1 = w2 * delta2  # the outer product w2 @ delta2, in a tenth of its time
                    delta1 *= relu_grad(a1)
                    gradient += delta1 @ linear_grad(x).T
        return total


def checked_samples(x: npt.ArrayLike, weights: Sequence[Array]) -> tuple[Array, list[Array]]:
    """Check samples and weights.

    Parameters
    ----------
    x
        The samples, (K, N), one a column.
    weights
        The weights [W1, w2].

    Returns
    -------
    tuple[Array, list[Array]]
        Both as arrays of floats.

    Raises
    ------
    ValueError
        If their shapes do not fit.
    """
    if len(weights) != 2 or any(w is None for w in weights):
        raise ValueError("NN2 needs two arrays of weights: call initialize(features, hidden_units) or assign W")
    W1, w2 = map(as_float, weights)
    if W1.ndim != 2 or w2.shape != (W1.shape[0], 1):
        raise ValueError(f"NN2 needs W1 of shape (M, K) and w2 of shape (M, 1); got {W1.shape} and {w2.shape}")
    X = np.asarray(x)
    if X.ndim != 2 or X.shape[0] != W1.shape[1] or X.shape[1] == 0:
        raise ValueError(f"samples must be the columns of x, (K, N); got x {X.shape} for W1 {W1.shape}")
    return X, [W1, w2]


def checked_targets(y: npt.ArrayLike, X: Array, W: Sequence[Array]) -> Array:
    """Check the targets of some samples.

    Parameters
    ----------
    y
        The targets, (1, N); of a single sample also a number.
    X
        The samples.
    W
        The weights.

    Returns
    -------
    Array
        The targets, (1, N), with the dtype of the weights.

    Raises
    ------
    ValueError
        If they do not fit the samples.
    """
    targets = np.asarray(y, dtype=W[1].dtype)
    if targets.ndim == 0:
        targets = targets.reshape(1, 1)
    if targets.shape != (1, X.shape[1]):
        raise ValueError(f"targets must be a row, (1, N), one a column of x; got y {targets.shape} for x {X.shape}")
    return targets


def _blocks(X: Array, W: Sequence[Array]) -> Iterator[slice]:
    """Slices of columns whose hidden block fits in BLOCK_BYTES."""
    columns = max(1, BLOCK_BYTES // (W[0].shape[0] * W[0].itemsize))
    return (slice(i, i + columns) for i in range(0, X.shape[1], columns))
