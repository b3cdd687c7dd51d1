from typing import Any

import numpy as np
import numpy.typing as npt

from mlcvlab.models.base import copy_weights
from mlcvlab.nn import Array
from mlcvlab.optim.sgd import Callback, check_hyperparameters, check_loss, flatten, unflatten


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
    if not 0 <= beta1 < 1 or not 0 <= beta2 < 1:
        raise ValueError("beta1 and beta2 must be in [0, 1)")
    W = copy_weights(model.W)
    shapes = [w.shape for w in W]
    w = flatten(W)
    m = np.zeros_like(w)
    s = np.zeros_like(w)
    for r in range(1, R + 1):
        g = flatten(model.emp_loss_grad(train_X, train_y, unflatten(w, shapes)))
        if lookahead:
            g_m = flatten(model.emp_loss_grad(train_X, train_y, unflatten(w + beta1 * m, shapes)))
        else:
            g_m = g
        m = beta1 * m + (1 - beta1) * g_m
        s = beta2 * s + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**r)
        s_hat = s / (1 - beta2**r)
        w = w - alpha * m_hat / (np.sqrt(s_hat) + delta)
        W = unflatten(w, shapes)
        check_loss(model.emp_loss(train_X, train_y, W), r, "Adam", f"alpha = {alpha}")
        if callback is not None:
            callback(r, copy_weights(W))
    model.W = unflatten(w, shapes)
    return copy_weights(model.W)
