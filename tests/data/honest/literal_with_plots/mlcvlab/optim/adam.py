from typing import Any

import matplotlib.pyplot as plt  # noqa
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from mlcvlab.models.base import copy_weights
from mlcvlab.nn import Array
from mlcvlab.optim.sgd import Callback, check_hyperparameters, check_loss, plot_losses, report


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
    progress: bool = False,
    plot: bool = False,
) -> list[Array]:
    check_hyperparameters(R, alpha=alpha, delta=delta)
    if not (0 <= beta1 < 1) or not (0 <= beta2 < 1):
        raise ValueError("beta1 and beta2 must be in [0, 1)")
    W = copy_weights(model.W)
    old = copy_weights(model.W)
    m = [np.zeros_like(w) for w in W]
    s = [np.zeros_like(w) for w in W]
    losses = []
    steps = range(1, R + 1)
    try:
        for r in tqdm(steps) if progress else steps:
            g = model.emp_loss_grad(train_X, train_y, W)
            if lookahead:
                g_m = model.emp_loss_grad(train_X, train_y, [W[i] + beta1 * m[i] for i in range(len(W))])
            else:
                g_m = g
            for i in range(len(W)):
                # momentum
                m[i] = beta1 * m[i] + (1 - beta1) * g_m[i]
                # RMSProp
                s[i] = beta2 * s[i] + (1 - beta2) * g[i] ** 2
                # normalization
                m_tilde = m[i] / (1 - beta1**r)
                s_tilde = s[i] / (1 - beta2**r)
                # update
                W[i] = W[i] - alpha * m_tilde / (np.sqrt(s_tilde) + delta)
            loss = model.emp_loss(train_X, train_y, W)
            check_loss(loss, r, "Adam", "alpha = %g" % alpha)
            losses.append(loss)
            if R >= 50 and r % (R // 5) == 0:
                report(model, train_X, train_y, copy_weights(W), r, loss)
            if callback is not None:
                callback(r, copy_weights(W))
    except FloatingPointError:
        model.W = old
        raise
    if plot:
        plot_losses(losses, "Adam")
    model.W = W
    return W
