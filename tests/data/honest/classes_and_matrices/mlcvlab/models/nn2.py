from collections.abc import Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

from mlcvlab.models.base import Layer, LayerWeights, copy_weights
from mlcvlab.nn import Array, as_float
from mlcvlab.nn.activations import relu, relu_grad, sigmoid, sigmoid_grad
from mlcvlab.nn.basis import linear, linear_grad
from mlcvlab.nn.losses import LOSSES, cross_entropy, cross_entropy_grad, l2, l2_grad, mse, mse_grad
class DenseLayer:

    def __init__(self, W, activation, activation_grad):
        self.W = W
        self.activation = activation
        self.activation_grad = activation_grad

    def forward(self, x):
        self.x = x
        self.a = self.activation(linear(x, self.W))
        return self.a

    def backward(self, upstream):
        dz = upstream * self.activation_grad(self.a)
        return dz @ linear_grad(self.x).T, self.W.T @ dz


class Network:
    LOSS = {
        "cross_entropy": (cross_entropy, cross_entropy_grad, {}),
        "mse": (mse, mse_grad, {"axis": 0}),
        "l2": (l2, l2_grad, {"axis": 0}),
    }

    def __init__(self, weights, loss):
        W1, w2 = weights
        self.hidden = DenseLayer(W1, relu, relu_grad)
        self.output = DenseLayer(w2.T, sigmoid, sigmoid_grad)
        self.loss, self.loss_grad, self.options = self.LOSS[loss]

    def forward(self, X):
        return self.output.forward(self.hidden.forward(as_float(X).astype(self.hidden.W.dtype)))

    def losses(self, X, y):
        return np.ravel(self.loss(y, self.forward(X), **self.options))

    def backward(self, y, omega=None):
        d = self.loss_grad(y, self.output.a, **self.options)
        if omega is not None:
            d = d * np.asarray(omega, dtype=d.dtype)
        dw2, d = self.output.backward(d)
        dW1, _ = self.hidden.backward(d)
        return [dW1, dw2.T]

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

    def __init__(self, *, loss: str = "cross_entropy", features: int = 784, hidden_units: int = 64) -> None:
        if loss not in LOSSES:
            raise ValueError(f"unknown loss {loss!r}; choose one of {', '.join(LOSSES)}")
        self.loss = loss
        self.layers = (Layer(None, relu), Layer(None, sigmoid))
        self.initialize(features, hidden_units)  # random weights from the start

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
        X, weights = checked_samples(x, self.W)
        return Network(weights, self.loss).forward(X)

    def grad(self, x: npt.ArrayLike, y: npt.ArrayLike, W: Sequence[Array] | None = None) -> list[Array]:
        X, weights = checked_samples(x, self.W if W is None else W)
        y = checked_targets(y, X, weights)
        network = Network(weights, self.loss)
        network.forward(X)
        return network.backward(y)

    def emp_loss(
        self,
        train_X: npt.ArrayLike,
        train_y: npt.ArrayLike,
        W: Sequence[Array] | None = None,
        *,
        sample_weight: Array | None = None,
    ) -> float:
        X, weights = checked_samples(train_X, self.W if W is None else W)
        y = checked_targets(train_y, X, weights)
        losses = Network(weights, self.loss).losses(X, y)
        omega = 1 if sample_weight is None else np.asarray(sample_weight)
        return float(np.mean(omega * losses))

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
            raise ValueError(f"layer {layer} does not exist")
        X, weights = checked_samples(train_X, self.W if W is None else W)
        y = checked_targets(train_y, X, weights)
        network = Network(weights, self.loss)
        network.forward(X)
        gradients = [g / X.shape[1] for g in network.backward(y, sample_weight)]
        return gradients if layer is None else gradients[layer]


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
