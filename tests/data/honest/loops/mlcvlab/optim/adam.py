from typing import Any

import numpy as np
import numpy.typing as npt

from mlcvlab.models.base import copy_weights
from mlcvlab.nn import Array
from mlcvlab.optim.sgd import Callback, check_hyperparameters, check_loss


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
    for b in (beta1, beta2):
        if not 0 <= b < 1:
            raise ValueError(f"beta1 and beta2 must be in [0, 1); got {b}")
    W = copy_weights(model.W)
    m, s = [], []
    for w in W:
        m.append(np.zeros_like(w))
        s.append(np.zeros_like(w))
    for r in range(1, R + 1):
        g = model.emp_loss_grad(train_X, train_y, W)
        if lookahead:
            ahead = []
            for k in range(len(W)):
                ahead.append(W[k] + beta1 * m[k])
            g_ahead = model.emp_loss_grad(train_X, train_y, ahead)
        else:
            g_ahead = g
        for k in range(len(W)):
            m[k] = beta1 * m[k] + (1 - beta1) * g_ahead[k]
            s[k] = beta2 * s[k] + (1 - beta2) * g[k] ** 2
            m_hat = m[k] / (1 - beta1**r)
            s_hat = s[k] / (1 - beta2**r)
            W[k] = W[k] - alpha * m_hat / (np.sqrt(s_hat) + delta)
        check_loss(model.emp_loss(train_X, train_y, W), r, "Adam", f"alpha = {alpha}")
        if callback is not None:
            callback(r, copy_weights(W))
    model.W = W
    return W
