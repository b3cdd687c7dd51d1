from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlcvlab.models.base import copy_weights
from mlcvlab.nn import Array
from mlcvlab.optim.sgd import Callback, check_hyperparameters, check_loss


@dataclass
class AdamSettings:
    alpha: float
    beta1: float
    beta2: float
    delta: float


def update(W, state, g, g_ahead, r, p):
    state["m"] = [p.beta1 * m + (1 - p.beta1) * gi for m, gi in zip(state["m"], g_ahead)]
    state["s"] = [p.beta2 * s + (1 - p.beta2) * gi**2 for s, gi in zip(state["s"], g)]
    m_hat = [m / (1 - p.beta1**r) for m in state["m"]]
    s_hat = [s / (1 - p.beta2**r) for s in state["s"]]
    return [w - p.alpha * m / (np.sqrt(s) + p.delta) for w, m, s in zip(W, m_hat, s_hat)]


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
            raise ValueError(f"the betas must lie in [0, 1), got {beta}")
    settings = AdamSettings(alpha, beta1, beta2, delta)
    W = copy_weights(model.W)
    state = {"m": [np.zeros_like(w) for w in W], "s": [np.zeros_like(w) for w in W]}
    for r in range(1, R + 1):
        g = model.emp_loss_grad(train_X, train_y, W)
        g_ahead = g
        if lookahead:
            ahead = [w + beta1 * m for w, m in zip(W, state["m"])]
            g_ahead = model.emp_loss_grad(train_X, train_y, ahead)
        W = update(W, state, g, g_ahead, r, settings)
        check_loss(model.emp_loss(train_X, train_y, W), r, "Adam", f"{alpha=}")
        if callback:
            callback(r, copy_weights(W))
    model.W = W
    return copy_weights(W)
