from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mlcvlab.models.base import copy_weights
from mlcvlab.nn import Array

Callback = Callable[[int, list[Array]], object]


def flatten(W):
    return np.concatenate([w.reshape(-1) for w in W])


def unflatten(w, shapes):
    W = []
    start = 0
    for shape in shapes:
        size = int(np.prod(shape))
        W.append(w[start : start + size].reshape(shape))
        start += size
    return W


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
    check_hyperparameters(R, lr=lr)
    W = copy_weights(model.W)
    shapes = [w.shape for w in W]
    w = flatten(W)
    rng = np.random.default_rng(seed)
    for r in range(1, R + 1):
        W = unflatten(w, shapes)
        g = flatten(model.emp_loss_grad(train_X, train_y, W))
        j = rng.integers(0, len(w))
        w[j] = w[j] - lr * g[j]
        W = unflatten(w, shapes)
        check_loss(model.emp_loss(train_X, train_y, W), r, "SGD", f"lr = {lr}")
        if callback is not None:
            callback(r, unflatten(w.copy(), shapes))
    model.W = unflatten(w, shapes)
    return copy_weights(model.W)


def check_hyperparameters(R: int, **positive: float) -> None:
    if R < 0:
        raise ValueError(f"R, the number of steps, must be 0 or more; got {R}")
    for name, value in positive.items():
        if not (0 < value < np.inf):
            raise ValueError(f"{name} must be positive and finite; got {value}")


def check_loss(loss: float, r: int, optimizer: str, learning_rate: str) -> None:
    if not np.isfinite(loss):
        raise FloatingPointError(
            f"{optimizer} diverged: the loss is {loss} after step {r} with {learning_rate}; try a smaller learning rate"
        )
