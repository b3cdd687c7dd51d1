"""The linear model of the same rows, and a network that starts as it."""

import numpy as np

from mlcvkit.arrays import Indices, Rows
from mlcvkit.models.mlp import MLP
from mlcvkit.models.outputs import OUTPUTS
from mlcvlab.nn import Array

MOST_FEATURES = 1000
"""Of more the products of all pairs would take long."""
BENDS = {"identity": 1.0, "sigmoid": 0.25, "softmax": 0.5}
"""The most that the loss of an output bends, by its logit: the second derivative of the loss is nowhere larger."""
STEPS = 50
"""Steps of a fit of classes; numbers need one."""


def why_not_linear(model: MLP, X: Rows) -> str | None:
    """Why a network cannot start as a linear model.

    Parameters
    ----------
    model
        The network, with weights.
    X
        The rows, (N, ...).

    Returns
    -------
    str | None
        The reason, or None if it can.
    """
    C = 1 if model.W[-1] is None else model.W[-1].shape[0]
    if not isinstance(X, np.ndarray) or X.ndim != 2 or X.dtype.kind != "f":
        return "the rows are no table of numbers in memory"
    if X.shape[1] > MOST_FEATURES:
        return f"there are {X.shape[1]:,} features, and it is fitted to {MOST_FEATURES:,} at most"
    if model.activation != "relu" or not model.biases:
        return "the hidden layers must be ReLU with biases, of which two units together are a plane"
    if not model.hidden_units or min(model.hidden_units) <= 2 * C:
        return f"each hidden layer needs more than {2 * C} units, two for each output"
    return None


def fit_linear(X: Array, y: Array, output: str, l2: float, sample_weight: Array | None = None) -> tuple[Array, Array]:
    """The linear model z = Wᵀ x + b of least risk, with an L2 penalty.

    Each step minimises a quadratic function that is nowhere below the risk and touches it at the present weights:

        W ← W - (c Xᵀ X / N + λ I)⁻¹ (Xᵀ (σ(X W + b) - Y) / N + λ W),    c = 1, 1/4, 1/2

    for identity, sigmoid and softmax, with centred columns; so no step goes uphill. For numbers one step is ridge
    regression. With weights of the samples each mean over the samples is a weighted one.

    Parameters
    ----------
    X
        The rows, (N, K).
    y
        The encoded targets, (N, C).
    output
        The output's activation, a name in ``BENDS``.
    l2
        The penalty's λ, 0 or more.
    sample_weight
        The weight of each row, (N,), not all 0; by default all are equal.

    Returns
    -------
    W
        The weights, (K, C).
    b
        The biases, (C,).

    References
    ----------
    Böhning (1992), "Multinomial logistic regression algorithm", section 2, for the bounds 1/4 and 1/2.
    """
    N, c = len(X), BENDS[output]
    weights = None if sample_weight is None else (sample_weight / sample_weight.mean())[:, None]

    def weighted(rows: Array) -> Array:
        return rows if weights is None else weights * rows

    centre, middle = weighted(X).mean(axis=0), weighted(y).mean(axis=0)
    share = np.clip(middle, 1e-3, 1 - 1e-3)
    X = X - centre
    values, vectors = np.linalg.eigh(X.T @ weighted(X) / N)
    shrink = c * np.maximum(values, 0) + max(l2, 1e-9 * c * max(values[-1], 1e-300))
    W = np.zeros((X.shape[1], y.shape[1]))
    start = {"identity": middle, "sigmoid": np.log(share / (1 - share)), "softmax": np.log(share)}
    b = start[output]
    for _ in range(1 if output == "identity" else STEPS):
        residual = weighted(OUTPUTS[output].function((X @ W + b).T).T - y)
        slope = X.T @ residual / N + l2 * W
        W = W - vectors @ ((vectors.T @ slope) / shrink[:, None])
        b = b - residual.mean(axis=0) / c
    return W, b - centre @ W


def start_as_linear(
    model: MLP, X: Rows, y: Array, sample_weight: Array | None = None, samples: Indices | None = None
) -> MLP:
    """Give a network of ReLU units the answers of the linear model of the same rows.

    Two units of each layer carry an output's plane, max(0, wᵀx) - max(0, -wᵀx) = wᵀx, and share its size evenly with
    the weights behind them; the weights behind all others begin at 0. So the training begins where a linear model ends,
    and learns what that leaves.

    Parameters
    ----------
    model
        The network with weights that ``initialize`` has drawn, and its ``l2``.
    X
        The rows, (N, K).
    y
        The encoded targets, (N,) or (N, C).
    sample_weight
        The weight of each row, (N,), not all 0; by default all are equal.
    samples
        The rows that are trained on; by default all.

    Returns
    -------
    MLP
        The model itself.

    Raises
    ------
    ValueError
        If it cannot start so, with the reason.
    """
    if reason := why_not_linear(model, X):
        raise ValueError(f"a network cannot start as a linear model here: {reason}")
    if samples is not None:
        X, y = X[samples], y[samples]
        sample_weight = None if sample_weight is None else sample_weight[samples]
    rows, targets = X.astype(np.float64), y.reshape(len(X), -1).astype(np.float64)
    weights, biases = fit_linear(rows, targets, model.output, model.l2, sample_weight)
    size = np.sqrt(np.linalg.norm(weights, axis=0))
    signs, pairs = np.tile([1.0, -1.0], len(size)), np.repeat(np.arange(len(size)), 2)
    planes = signs * (weights / np.where(size > 0, size, 1))[:, pairs]  # (K, 2C)
    at = np.arange(len(pairs))
    arrays = [array.copy() for array in model.W]  # W₁, b₁, ..., W_L, b_L
    arrays[0][at] = planes.T
    for W in arrays[2:-2:2]:
        W[at] = 0
        W[at, at] = 1
    arrays[-2][:] = 0
    arrays[-2][at, pairs] = signs * size[pairs]
    arrays[-1][:, 0] = biases
    model.W = arrays
    return model
