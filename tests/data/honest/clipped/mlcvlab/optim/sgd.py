from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mlcvlab.models.base import copy_weights
from mlcvlab.models.nn2 import NN2, NN2Coordinates
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
    rng = np.random.default_rng(seed)
    W: list[Array] = copy_weights(model.W)
    ends = np.cumsum([w.size for w in W])
    fast = NN2Coordinates(model, train_X, train_y) if type(model) is NN2 else None
    for r in range(1, R + 1):
        j = int(rng.integers(ends[-1]))
        layer = int(np.searchsorted(ends, j, side="right"))
        j -= int(ends[layer]) - W[layer].size
        if fast is not None:
            loss, W = fast.step(layer, j, lr), fast.W
        else:
            g = np.asarray(model.emp_loss_grad(train_X, train_y, W, layer), dtype=np.float64)
            W[layer].flat[j] -= lr * g.flat[j]
            loss = model.emp_loss(train_X, train_y, W)
        check_loss(loss, r, "SGD", f"lr={lr:g}")
        if callback is not None:
            callback(r, copy_weights(W))
    model.W = copy_weights(W)
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
