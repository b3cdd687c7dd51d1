import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from mlcvlab.models.base import copy_weights
from mlcvlab.nn import Array
from mlcvlab.optim.sgd import Callback, check_hyperparameters, check_loss
from mlcvlab.models.nn2 import NN2


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
    if min(beta1, beta2) < 0 or max(beta1, beta2) >= 1:
        raise ValueError(f"beta1 and beta2 belong in [0, 1): {beta1}, {beta2}")
    assert isinstance(model, NN2), "this optimizer is for NN2"
    old = copy.deepcopy([layer.W for layer in model.layers])
    copy_weights(old)  # complains if there are no weights
    model.history = []
    for i in range(2):
        model.layers[i].W = np.asarray(model.layers[i].W).astype(np.float32)
    m = [np.zeros_like(layer.W) for layer in model.layers]
    s = copy.deepcopy(m)
    for r in range(1, R + 1):
        grads = model.emp_loss_grad(train_X, train_y)
        ahead = grads
        if lookahead:
            ahead = model.emp_loss_grad(train_X, train_y, [model.layers[i].W + beta1 * m[i] for i in range(2)])
        for i in range(2):
            m[i] = (beta1 * m[i] + (1 - beta1) * ahead[i]).astype(np.float32)
            s[i] = (beta2 * s[i] + (1 - beta2) * grads[i] ** 2).astype(np.float32)
            step = (m[i] / (1 - beta1**r)) / (np.sqrt(s[i] / (1 - beta2**r)) + delta)
            model.layers[i].W = (model.layers[i].W - alpha * step).astype(np.float32)
        loss = model.emp_loss(train_X, train_y)
        model.history.append(loss)
        try:
            check_loss(loss, r, "Adam", f"alpha = {alpha}")
        except FloatingPointError:
            for i in range(2):
                model.layers[i].W = old[i]
            raise
        if callback is not None:
            callback(r, copy.deepcopy([layer.W for layer in model.layers]))
    return copy.deepcopy([layer.W for layer in model.layers])
