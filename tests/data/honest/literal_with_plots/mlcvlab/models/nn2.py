from collections.abc import Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

from mlcvlab.models.base import Layer, LayerWeights, copy_weights
from mlcvlab.nn import Array, as_float
from mlcvlab.nn.activations import relu, relu_grad, sigmoid
from mlcvlab.nn.basis import linear, linear_grad
from mlcvlab.nn.losses import LOSSES
from scipy.special import expit

Indices = npt.NDArray[np.intp]

BLOCK_BYTES = 8 << 20


class NN2Coordinates:

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
        if k not in self.columns:
            first = k - k % 16  # where the samples were rows, a cache line holds 16 neighbouring features
            for feature, x in enumerate(np.ascontiguousarray(self.X[first : first + 16]), start=first):
                samples = (x != 0).nonzero()[0]
                self.columns[feature] = samples, x[samples].astype(self.Z1.dtype)
        return self.columns[k]


class NN2:

    def __init__(self, *, loss: str = "cross_entropy") -> None:
        if loss not in LOSSES:
            raise ValueError(f"unknown loss {loss!r}; choose one of {', '.join(LOSSES)}")
        self.loss = loss
        self.layers = (Layer(None, relu), Layer(None, sigmoid))

    @property
    def W(self) -> list[Array]:
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
        if features < 1 or hidden_units < 1:
            raise ValueError(f"NN2 needs features >= 1 and hidden_units >= 1; got {features} and {hidden_units}")
        rng = np.random.default_rng(seed)
        W1 = rng.normal(0, np.sqrt(2 / features), (hidden_units, features))
        w2 = rng.normal(0, np.sqrt(1 / hidden_units), (hidden_units, 1))
        self.W = [W1.astype(dtype), w2.astype(dtype)]
        return self

    def nn2(self, x: npt.ArrayLike) -> Array:
        x, (W1, w2) = checked_samples(x, self.W)
        x = as_float(x).astype(W1.dtype)
        z1 = linear(x, W1)
        z1_tilde = relu(z1)
        z2 = linear(z1_tilde, w2.T)
        return expit(z2)  # sigmoid without the overflow warning

    def grad(self, x: npt.ArrayLike, y: npt.ArrayLike, W: Sequence[Array] | None = None) -> list[Array]:
        x, (W1, w2) = checked_samples(x, self.W if W is None else W)
        y = checked_targets(y, x, [W1, w2])
        x = as_float(x).astype(W1.dtype)
        z1 = linear(x, W1)
        z1_tilde = relu(z1)
        z2 = linear(z1_tilde, w2.T)
        delta2 = LOSSES[self.loss].gradient(y, z2)
        grad_w2 = np.dot(linear_grad(z1_tilde), delta2.T)
        delta1 = np.dot(w2, delta2) * relu_grad(z1_tilde)
        grad_W1 = np.dot(delta1, linear_grad(x).T)
        return [grad_W1, grad_w2]

    def emp_loss(
        self,
        train_X: npt.ArrayLike,
        train_y: npt.ArrayLike,
        W: Sequence[Array] | None = None,
        *,
        sample_weight: Array | None = None,
    ) -> float:
        X, (W1, w2) = checked_samples(train_X, self.W if W is None else W)
        y = checked_targets(train_y, X, [W1, w2])
        X = as_float(X).astype(W1.dtype)
        z2 = linear(relu(linear(X, W1)), w2.T)
        losses = LOSSES[self.loss].value(y, z2)
        if sample_weight is not None:
            losses = losses * sample_weight
        return float(np.sum(losses) / X.shape[1])

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
        if layer not in (None, 0, 1):
            raise ValueError("layer must be 0 or 1")
        X, (W1, w2) = checked_samples(train_X, self.W if W is None else W)
        y = checked_targets(train_y, X, [W1, w2])
        X = as_float(X).astype(W1.dtype)
        N = X.shape[1]
        if sample_weight is None:
            g = self.grad(X, y, [W1, w2])
        else:
            g = [np.zeros_like(W1), np.zeros_like(w2)]
            for i in range(N):
                gi = self.grad(X[:, i : i + 1], y[:, i : i + 1], [W1, w2])
                g[0] += float(sample_weight[i]) * gi[0]
                g[1] += float(sample_weight[i]) * gi[1]
        g = [g[0] / N, g[1] / N]
        return g if layer is None else g[layer]


def checked_samples(x: npt.ArrayLike, weights: Sequence[Array]) -> tuple[Array, list[Array]]:
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
    targets = np.asarray(y, dtype=W[1].dtype)
    if targets.ndim == 0:
        targets = targets.reshape(1, 1)
    if targets.shape != (1, X.shape[1]):
        raise ValueError(f"targets must be a row, (1, N), one a column of x; got y {targets.shape} for x {X.shape}")
    return targets
