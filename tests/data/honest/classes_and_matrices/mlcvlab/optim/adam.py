from typing import Any

import numpy as np
import numpy.typing as npt

from mlcvlab.models.base import copy_weights
from mlcvlab.nn import Array
from mlcvlab.optim.sgd import Callback, check_hyperparameters, check_loss
class Moment:

    def __init__(self, like, beta):
        self.value = np.zeros_like(like)
        self.beta = beta
        self.updates = 0

    def update(self, new):
        self.value = self.beta * self.value + (1 - self.beta) * new
        self.updates += 1

    def corrected(self):
        return self.value / (1 - self.beta**self.updates)


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
    for beta in (beta1, beta2):
        if not 0 <= beta < 1:
            raise ValueError(f"beta1 and beta2 must be in [0, 1), not {beta}")
    W = copy_weights(model.W)
    m = [Moment(w, beta1) for w in W]
    s = [Moment(w, beta2) for w in W]
    for r in range(1, R + 1):
        g = model.emp_loss_grad(train_X, train_y, W)
        g_ahead = g
        if lookahead:
            g_ahead = model.emp_loss_grad(train_X, train_y, [w + beta1 * mi.value for w, mi in zip(W, m, strict=True)])
        for i in range(len(W)):
            m[i].update(g_ahead[i])
            s[i].update(g[i] ** 2)
            W[i] = W[i] - alpha * m[i].corrected() / (np.sqrt(s[i].corrected()) + delta)
        check_loss(model.emp_loss(train_X, train_y, W), r, "Adam", f"alpha={alpha}")
        if callback is not None:
            callback(r, copy_weights(W))
    model.W = W
    return W
