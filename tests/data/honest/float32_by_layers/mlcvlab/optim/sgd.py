import copy
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
    assert isinstance(model, NN2), "this optimizer is for NN2"
    old = copy.deepcopy([layer.W for layer in model.layers])
    copy_weights(old)  # complains if there are no weights
    model.history = []
    for i in range(2):
        model.layers[i].W = np.asarray(model.layers[i].W).astype(np.float32)

    n1 = model.layers[0].W.size
    n2 = model.layers[1].W.size
    rng = np.random.default_rng(seed)
    for r in range(1, R + 1):
        j = int(rng.integers(n1 + n2))
        i, j = (0, j) if j < n1 else (1, j - n1)
        g = model.emp_loss_grad(train_X, train_y, None, i).astype(np.float32)
        W = copy.deepcopy(model.layers[i].W)
        W.reshape(-1)[j] -= np.float32(lr) * g.reshape(-1)[j]
        model.layers[i].W = W
        loss = model.emp_loss(train_X, train_y)
        model.history.append(loss)
        try:
            check_loss(loss, r, "SGD", f"lr = {lr}")
        except FloatingPointError:
            for i in range(2):
                model.layers[i].W = old[i]
            raise
        if callback is not None:
            callback(r, copy.deepcopy([layer.W for layer in model.layers]))
    return copy.deepcopy([layer.W for layer in model.layers])


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
