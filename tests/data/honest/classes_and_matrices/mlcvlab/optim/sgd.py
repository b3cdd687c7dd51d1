from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mlcvlab.models.base import copy_weights
from mlcvlab.models.nn2 import NN2, NN2Coordinates
from mlcvlab.nn import Array
class AnyModelCoordinates:

    def __init__(self, model, X, y):
        self.model, self.X, self.y = model, X, y
        self.W = copy_weights(model.W)

    def step(self, layer, j, lr):
        gradient = self.model.emp_loss_grad(self.X, self.y, self.W, layer)
        self.W[layer].flat[j] -= lr * np.asarray(gradient).flat[j]
        return self.model.emp_loss(self.X, self.y, self.W)

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
    if isinstance(model, NN2):
        stepper = NN2Coordinates(model, train_X, train_y)
    else:
        stepper = AnyModelCoordinates(model, train_X, train_y)
    sizes = [w.size for w in stepper.W]
    for r in range(1, R + 1):
        j = int(rng.integers(sum(sizes)))
        layer = 0
        while j >= sizes[layer]:
            j -= sizes[layer]
            layer += 1
        check_loss(stepper.step(layer, j, lr), r, "SGD", f"lr={lr}")
        if callback is not None:
            callback(r, copy_weights(stepper.W))
    model.W = stepper.W
    return stepper.W


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
