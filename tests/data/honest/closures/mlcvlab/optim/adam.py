from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from mlcvlab.models.base import copy_weights
from mlcvlab.nn import Array
from mlcvlab.optim.sgd import Callback, check_hyperparameters, check_loss


@lru_cache(maxsize=None)
def correction(beta, r):
    return 1 - beta**r


def running_mean(beta):
    return lambda old, new: beta * old + (1 - beta) * new


def Adam(
    model: Any,
    train_X: npt.ArrayLike,
    train_y: npt.ArrayLike,
    *,
    alpha: float = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    delta: float = 1e-8,
    R: int = 100,
    lookahead: bool = True,
    callback: Callback | None = None,
) -> list[Array]:
    check_hyperparameters(R, alpha=alpha, delta=delta)
    if not all(0 <= beta < 1 for beta in (beta1, beta2)):
        raise ValueError(f"beta1 and beta2 must be in [0, 1); got {beta1}, {beta2}")
    gradient = partial(model.emp_loss_grad, train_X, train_y)
    mean1, mean2 = running_mean(beta1), running_mean(beta2)
    W = copy_weights(model.W)
    zeros = lambda: [np.zeros_like(w) for w in W]  # noqa: E731
    moments = {"m": zeros(), "s": zeros()}
    r = 0
    while r < R:
        r += 1
        m, s = moments["m"], moments["s"]
        g = gradient(W)
        ahead = gradient([w + beta1 * v for w, v in zip(W, m)]) if lookahead else g
        moments = {"m": [*map(mean1, m, ahead)], "s": [*map(mean2, s, (a * a for a in g))]}
        W = [
            w - alpha * (v / correction(beta1, r)) / (np.sqrt(u / correction(beta2, r)) + delta)
            for w, v, u in zip(W, moments["m"], moments["s"])
        ]
        check_loss(model.emp_loss(train_X, train_y, W), r, "Adam", f"learning rate {alpha}")
        if callback:
            callback(r, copy_weights(W))
    model.W = W
    return copy_weights(W)
