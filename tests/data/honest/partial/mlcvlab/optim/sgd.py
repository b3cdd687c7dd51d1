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
    W = copy_weights(model.W)
    # all the places in W: (layer, index in the layer)
    places = [(l, i) for l in range(len(W)) for i in np.ndindex(W[l].shape)]
    for r in range(1, R + 1):
        l, i = places[rng.choice(len(places))]
        gradient = model.emp_loss_grad(train_X, train_y, W, l)
        W[l][i] = W[l][i] - lr * gradient[i]
        check_loss(model.emp_loss(train_X, train_y, W), r, "SGD", "lr = %s" % lr)
        if callback is not None:
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
