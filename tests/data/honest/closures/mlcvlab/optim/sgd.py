from collections.abc import Callable
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from mlcvlab.models.base import copy_weights
from mlcvlab.nn import Array

Callback = Callable[[int, list[Array]], object]


def drawer(sizes, seed):
    rng = np.random.default_rng(seed)
    ends = [*accumulate(sizes)]

    def draw():
        j = int(rng.integers(ends[-1]))
        layer = next(k for k, end in enumerate(ends) if j < end)
        return layer, j - (ends[layer] - sizes[layer])

    return draw


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
    draw = drawer(tuple(w.size for w in W), seed)
    report = partial(callback or (lambda r, W: None))
    loss = partial(model.emp_loss, train_X, train_y)
    r = 0
    while r < R:
        r += 1
        layer, j = draw()
        component = np.ravel(model.emp_loss_grad(train_X, train_y, W, layer))[j]
        W[layer].reshape(-1)[j] -= lr * component
        check_loss(loss(W), r, "SGD", f"learning rate {lr}")
        report(r, copy_weights(W))
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
