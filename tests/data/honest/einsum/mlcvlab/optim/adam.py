from typing import Any

import numpy as np
import numpy.typing as npt

from mlcvlab.models.base import copy_weights
from mlcvlab.nn import Array
from mlcvlab.optim.sgd import Callback, check_hyperparameters, check_loss
ADAM_NAME: str = "Adam"


def _zeros(W: list[Array]) -> list[Array]:
    return [np.zeros_like(w) for w in W]


def _decay(old: list[Array], new: list[Array], beta: float) -> list[Array]:
    return [beta * a + (1 - beta) * b for a, b in zip(old, new, strict=True)]


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
    if not (0 <= beta1 < 1 and 0 <= beta2 < 1):
        raise ValueError(f"beta1 and beta2 must be in [0, 1); got {beta1} and {beta2}")
    W = copy_weights(model.W)
    m, s = _zeros(W), _zeros(W)
    for r in range(1, R + 1):
        g = model.emp_loss_grad(train_X, train_y, W)
        h = model.emp_loss_grad(train_X, train_y, [w + beta1 * v for w, v in zip(W, m)]) if lookahead else g
        m, s = _decay(m, h, beta1), _decay(s, [np.square(v) for v in g], beta2)
        W = [
            w - alpha * (a / (1 - beta1**r)) / (np.sqrt(b / (1 - beta2**r)) + delta)
            for w, a, b in zip(W, m, s, strict=True)
        ]
        check_loss(model.emp_loss(train_X, train_y, W), r, ADAM_NAME, f"alpha={alpha:g}")
        if callback:
            callback(r, copy_weights(W))
    model.W = W
    return W
