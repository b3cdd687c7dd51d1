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
    for name, beta in {"beta1": beta1, "beta2": beta2}.items():
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"{name} must be in [0, 1); got {beta}")

    def gradient(weights: list[Array]) -> list[Array]:
        return [np.asarray(g, dtype=np.float64) for g in model.emp_loss_grad(train_X, train_y, weights)]

    W = [w.astype(np.float64) for w in copy_weights(model.W)]
    m = [np.zeros_like(w) for w in W]
    s = [np.zeros_like(w) for w in W]
    for r in range(1, R + 1):
        g = gradient(W)
        g_ahead = gradient([w + beta1 * mk for w, mk in zip(W, m, strict=True)]) if lookahead else g
        for k in range(len(W)):
            m[k] = beta1 * m[k] + (1.0 - beta1) * g_ahead[k]
            s[k] = beta2 * s[k] + (1.0 - beta2) * np.square(g[k])
            m_tilde = m[k] / (1.0 - beta1**r)
            s_tilde = s[k] / (1.0 - beta2**r)
            W[k] = W[k] - alpha * m_tilde / (np.sqrt(s_tilde) + delta)
        check_loss(model.emp_loss(train_X, train_y, W), r, "Adam", f"alpha={alpha:g}")
        if callback is not None:
            callback(r, copy_weights(W))
    model.W = copy_weights(W)
    return copy_weights(W)
