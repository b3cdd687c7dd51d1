"""SGD on one random coordinate (handout, Problem 3)."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from mlcvlab.models.nn2 import NN2, checked_samples, checked_targets
from mlcvlab.nn import Array, as_float
from mlcvlab.nn.activations import relu
from mlcvlab.nn.losses import LOSSES

Indices = npt.NDArray[np.intp]
Callback = Callable[[int, list[Array]], object]


def SGD(
    model: Any,
    train_X: npt.ArrayLike,
    train_y: npt.ArrayLike,
    lr: float = 0.1,
    R: int = 100,
    *,
    seed: int | np.random.Generator | None = None,
    callback: Callback | None = None,
) -> list[Array]:
    """Stochastic gradient descent on one random scalar parameter at a time, without momentum.

        draw j uniformly from all scalar parameters of W;    W_j^(r) = W_j^(r-1) - lr · [∇L_N(W^(r-1))]_j

    The handout first zeroes all other parameters; its update takes component j of the gradient at W, and that is what
    is done here (erratum 6). For NN2 a step touches only what its coordinate touches; for any other model it takes
    component j of ``emp_loss_grad``. Both are one algorithm, to rounding.

    Arguments: ``model`` with ``W``, ``emp_loss`` and ``emp_loss_grad(X, y, W, layer)``; ``train_X``, (K, N);
    ``train_y``, (1, N); ``lr``, the learning rate δ; ``R``, the number of steps; ``seed``, a number or a Generator;
    ``callback(r, W)``, called after each step r = 1 … R with a copy of the weights.
    Returns: the final list of weights, which the model holds as well.
    Raises: ValueError for a learning rate that is not positive and finite or an R below 0; FloatingPointError, with
    the step and the learning rate, where the loss becomes NaN or infinite: the model then keeps its old weights.
    Source: handout, Problem 3, "SGD".
    """
    check_hyperparameters(lr=lr, R=R)
    coordinates = NN2Coordinates if type(model) is NN2 else ModelCoordinates
    model.W = descend(coordinates(model, train_X, train_y), lr, R, seed, callback)
    return cast("list[Array]", model.W)


def descend(
    coordinates: "Coordinates",
    lr: float,
    R: int,
    seed: int | np.random.Generator | None = None,
    callback: Callback | None = None,
) -> list[Array]:
    """The loop of ``SGD``: R steps, each on a coordinate drawn uniformly; returns the final list of weights."""
    sizes = [w.size for w in coordinates.W]
    draws = np.random.default_rng(seed).integers(sum(sizes), size=R)
    starts = np.cumsum([0, *sizes])
    with np.errstate(over="ignore", invalid="ignore"):
        for r, draw in enumerate(draws, start=1):
            layer = int(np.searchsorted(starts, draw, side="right")) - 1
            loss = coordinates.step(layer, int(draw - starts[layer]), lr)
            check_loss(loss, r, "SGD", f"lr={lr}")
            if callback is not None:
                callback(r, [w.copy() for w in coordinates.W])
    return coordinates.W


class Coordinates(Protocol):
    """Weights of which one scalar at a time takes a gradient step."""

    W: list[Array]

    def step(self, layer: int, j: int, lr: float) -> float:
        """Move parameter ``j`` of ``W[layer]`` (counted row by row); return a number that is finite if the loss is."""
        ...


class ModelCoordinates:
    """The plain reading, for any model: component j of the full gradient."""

    def __init__(self, model: Any, X: npt.ArrayLike, y: npt.ArrayLike) -> None:
        self.model, self.X, self.y = model, X, y
        self.W = copy_weights(model.W)

    def step(self, layer: int, j: int, lr: float) -> float:
        gradient = self.model.emp_loss_grad(self.X, self.y, self.W, layer)
        self.W[layer].flat[j] -= lr * gradient.flat[j]
        return float(self.model.emp_loss(self.X, self.y, self.W))


class NN2Coordinates:
    """The incremental reading, for NN2: keep Z₁, z₂ and δ₂, and touch only the samples that the coordinate touches.

    Z₁ changes in one row, and there only for the samples whose feature k is not zero; z₂ and δ₂ change only where the
    hidden unit is or becomes active. A step costs the same however many hidden units there are.
    """

    def __init__(self, model: NN2, X: npt.ArrayLike, y: npt.ArrayLike) -> None:
        self.X, weights = checked_samples(X, model.W)
        self.W = W1, w2 = copy_weights(weights)
        self.y = checked_targets(y, self.X, self.W)[0]
        self.loss = LOSSES[model.loss]
        self.Z1 = W1 @ as_float(self.X).astype(W1.dtype, copy=False)
        self.z2 = (w2.T @ relu(self.Z1))[0]
        self.delta2 = self.loss.gradient(self.y[None], self.z2[None])[0]
        self.columns: dict[int, tuple[Indices, Array]] = {}

    def step(self, layer: int, j: int, lr: float) -> float:
        return (
            self._step_w2(j, lr) if layer == 1 else self._step_W1(j // self.W[0].shape[1], j % self.W[0].shape[1], lr)
        )

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


def copy_weights(weights: Sequence[Array]) -> list[Array]:
    """The weights as new arrays of floating-point numbers; ValueError where a model has none yet."""
    if any(w is None for w in weights):
        raise ValueError("the model has no weights to start from: initialise it or assign its W")
    return [as_float(w).copy() for w in weights]


def check_hyperparameters(R: int, **positive: float) -> None:
    """Raise ValueError unless R >= 0 and every other value is positive and finite."""
    if R < 0:
        raise ValueError(f"R, the number of steps, must be 0 or more; got {R}")
    for name, value in positive.items():
        if not (0 < value < np.inf):
            raise ValueError(f"{name} must be positive and finite; got {value}")


def check_loss(loss: float, r: int, optimizer: str, learning_rate: str) -> None:
    """Raise FloatingPointError where the loss after step ``r`` is NaN or infinite."""
    if not np.isfinite(loss):
        raise FloatingPointError(
            f"{optimizer} diverged: the loss is {loss} after step {r} with {learning_rate}; try a smaller learning rate"
        )
