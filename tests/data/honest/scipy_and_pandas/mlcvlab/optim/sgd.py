from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mlcvlab.models.base import copy_weights
from mlcvlab.nn import Array

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
    check_hyperparameters(R, lr=lr)
    W = copy_weights(model.W)
    rng = np.random.default_rng(seed)
    sizes = np.array([w.size for w in W])
    for r in range(1, R + 1):
        # every scalar is equally likely: layer in proportion to its size, then an entry of it
        layer = int(rng.choice(len(W), p=sizes / sizes.sum()))
        entry = np.unravel_index(rng.integers(sizes[layer]), W[layer].shape)
        g = model.emp_loss_grad(train_X, train_y, W, layer)
        W[layer][entry] -= lr * g[entry]
        check_loss(model.emp_loss(train_X, train_y, W), r, "SGD", f"{lr=}")
        if callback:
            callback(r, copy_weights(W))
    model.W = W
    return copy_weights(W)


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
