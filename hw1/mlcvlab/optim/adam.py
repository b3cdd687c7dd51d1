"""Adam with the handout's look-ahead (handout, Problem 3)."""

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
    """Adam on the full batch: a step scaled by running means of the gradient and of its square.

        m^(r+1) = β₁ m^(r) + (1 - β₁) ∇L_N(W^(r) + β₁ m^(r))        m̃ = m^(r+1) / (1 - β₁ʳ)
        s^(r)   = β₂ s^(r-1) + (1 - β₂) [∇L_N(W^(r))]²              s̃ = s^(r) / (1 - β₂ʳ)
        W^(r+1) = W^(r) - α m̃ / (√s̃ + δ)                            r = 1 … R,  m^(1) = 0,  s^(0) = 0

    Where the handout is unclear: it corrects m^(r+1) by 1 - β₁^(r+1), but from m^(1) = 0 that moment has had r updates,
    and each moment is corrected by the number of its own (erratum 8); its δ is the ε of its update (erratum 9). Its
    look-ahead goes uphill by β₁ m (erratum 7), and where m is not small beside α, as on MNIST, the loss jumps about;
    ``lookahead=False`` takes both gradients at W^(r), which is Kingma and Ba's Adam. ε is added to the corrected root,
    not folded into the learning rate.

    Parameters
    ----------
    model
        A model with ``W``, ``emp_loss`` and ``emp_loss_grad(X, y, W)``.
    train_X
        The samples, (K, N), one a column.
    train_y
        Their labels, (1, N).
    alpha
        The learning rate α.
    beta1
        The decay β₁ of the running mean of the gradient, in [0, 1).
    beta2
        The decay β₂ of the running mean of its square, in [0, 1).
    delta
        The δ that keeps the divisor above 0.
    R
        The number of steps.
    lookahead
        Whether the momentum takes the gradient at W + β₁ m, as the handout prints it.
    callback
        ``callback(r, W)`` is called after each step r = 1 … R with a copy of the weights.

    Returns
    -------
    list[Array]
        The final weights, which the model holds as well.

    Raises
    ------
    ValueError
        For a hyperparameter out of its range.
    FloatingPointError
        With the step and the learning rate, where the loss becomes NaN or infinite: the model then keeps its old
        weights.

    References
    ----------
    Handout, Problem 3, "AdaM"; Kingma and Ba (2015), "Adam", algorithm 1.
    """
    check_hyperparameters(R, alpha=alpha, delta=delta)
    for name, beta in (("beta1", beta1), ("beta2", beta2)):
        if not 0 <= beta < 1:
            raise ValueError(f"{name} must be in [0, 1); got {beta}")
    W = copy_weights(model.W)
    m = [np.zeros_like(w) for w in W]
    s = [np.zeros_like(w) for w in W]
    with np.errstate(over="ignore", invalid="ignore"):
        for r in range(1, R + 1):
            gradient = gradient_ahead = model.emp_loss_grad(train_X, train_y, W)
            if lookahead:
                ahead = [w + beta1 * m_l for w, m_l in zip(W, m, strict=True)]
                gradient_ahead = model.emp_loss_grad(train_X, train_y, ahead)
            m = [beta1 * m_l + (1 - beta1) * g for m_l, g in zip(m, gradient_ahead, strict=True)]
            s = [beta2 * s_l + (1 - beta2) * g**2 for s_l, g in zip(s, gradient, strict=True)]
            m_tilde = [m_l / (1 - beta1**r) for m_l in m]
            s_tilde = [s_l / (1 - beta2**r) for s_l in s]
            W = [w - alpha * mt / (np.sqrt(st) + delta) for w, mt, st in zip(W, m_tilde, s_tilde, strict=True)]
            check_loss(model.emp_loss(train_X, train_y, W), r, "Adam", f"alpha={alpha}")
            if callback is not None:
                callback(r, [w.copy() for w in W])
    model.W = W
    return W
