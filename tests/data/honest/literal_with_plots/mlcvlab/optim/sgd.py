from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

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
    progress: bool = False,
    plot: bool = False,
) -> list[Array]:
    check_hyperparameters(R, lr=lr)
    W = copy_weights(model.W)
    old = copy_weights(model.W)
    rng = np.random.default_rng(seed)
    sizes = [w.size for w in W]
    losses = []
    steps = range(1, R + 1)
    try:
        for r in tqdm(steps) if progress else steps:
            j = rng.integers(0, sum(sizes))
            layer = 0
            while j >= sizes[layer]:
                j = j - sizes[layer]
                layer += 1
            g = model.emp_loss_grad(train_X, train_y, W, layer)
            W[layer].flat[j] = W[layer].flat[j] - lr * g.flat[j]
            loss = model.emp_loss(train_X, train_y, W)
            check_loss(loss, r, "SGD", "lr = %g" % lr)
            losses.append(loss)
            if R >= 50 and r % (R // 5) == 0:
                report(model, train_X, train_y, copy_weights(W), r, loss)
            if callback is not None:
                callback(r, copy_weights(W))
    except FloatingPointError:
        model.W = old
        raise
    if plot:
        plot_losses(losses, "SGD")
    model.W = W
    return W


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


def report(model, X, y, W, r, loss):
    model.W = W
    text = f"step {r}: loss {loss:.4f}"
    if hasattr(model, "nn2"):
        y_hat = model.nn2(X)
        text += f", accuracy {np.mean((y_hat >= 0.5) == (np.asarray(y) >= 0.5)):.4f}"
    print(text)


def plot_losses(losses, title):
    plt.figure()
    plt.plot(losses)
    plt.xlabel("step")
    plt.ylabel("loss")
    plt.title(title)
    plt.show()
