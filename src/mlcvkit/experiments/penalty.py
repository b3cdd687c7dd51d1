"""The L2 penalty of a network where none is given."""

from dataclasses import replace

import numpy as np

from mlcvkit.arrays import Rows
from mlcvkit.training import Hyperparameters
from mlcvlab.nn import Array

USUAL_PENALTY = 1e-3
"""The penalty for images, on a cluster, and for too many features to compare penalties quickly."""
LEAST_PENALTY = 1e-4
"""The least that is chosen."""
MOST_ROWS, MOST_FEATURES = 2000, 1000
"""At most this many rows, drawn at random, are used to compare."""
CURVATURE = 0.25
"""The most that the cross-entropy of a sigmoid bends, p (1 - p), where squared error bends by 1."""
STRENGTHS = 10.0 ** np.arange(-2, 2.5, 0.5)
"""The penalties that are compared, times the number of rows."""
UNITS = 128
"""Random hidden units that show what a plane does not."""
FEW = 20.0
"""Over the number of rows, squared: how much further it may be from the least, since few rows tell little."""
WITHIN = 0.25
"""How far an error may be from the least, in its standard errors: a network has more to shrink than a plane."""
LEARNED = 0.5
"""What is left of the penalty where they count: units that learn fit with smaller weights than random ones."""
CLEARLY = 0.95
"""They count where their error is less than this share of the linear model's."""


def with_penalty(hp: Hyperparameters, X: Rows, y: Array) -> Hyperparameters:
    """The hyperparameters with an L2 penalty.

    Parameters
    ----------
    hp
        The hyperparameters, whose ``l2`` may be None.
    X
        The rows, (N, ...).
    y
        The encoded targets, (N,) or (N, C).

    Returns
    -------
    Hyperparameters
        The same with an ``l2``.
    """
    return hp if hp.l2 is not None else replace(hp, l2=penalty_of(X, y))


def penalty_of(X: Rows, y: Array) -> float:
    """The penalty that is best for ridge regression on the same rows, by generalised cross-validation.

    How much of the targets is noise shows in a linear model already, and costs a moment there:

    V(λ) = (1/N) ‖(I - A) y‖² / [(1/N) tr(I - A)]²,    A = X (XᵀX + λ I)⁻¹ Xᵀ,    l2 = λ / N

    Where random ReLU units beside the columns explain clearly more than the columns alone, V is that of both together:
    what is left of the linear model is not noise then, and half of the penalty is enough for units that learn. Of
    penalties that are about as good the largest is taken, and for classes a quarter of it, because cross-entropy bends
    less than squared error.

    Parameters
    ----------
    X
        The rows, (N, ...).
    y
        The encoded targets, (N,) or (N, C).

    Returns
    -------
    float
        The penalty, 0.0001 at least, and 0.001 for images.

    References
    ----------
    Golub, Heath and Wahba, Generalized cross-validation as a method for choosing a good ridge parameter, 1979, eq. 1.4.
    """
    if not isinstance(X, np.ndarray) or X.ndim != 2 or X.dtype.kind != "f":
        return USUAL_PENALTY
    N, features = X.shape
    if N <= 2 or features > MOST_FEATURES:
        return USUAL_PENALTY
    rng = np.random.default_rng(0)
    some = rng.choice(N, MOST_ROWS, replace=False) if N > MOST_ROWS else np.arange(N)
    X, y = (part[some].reshape(len(some), -1).astype(np.float64) for part in (X, y))
    units = np.maximum(X @ rng.normal(0, np.sqrt(2 / features), (features, UNITS)) + rng.normal(size=UNITS), 0)
    plane, bent = _errors(X, y), _errors(np.hstack([X, units]), y)
    is_bent = bent.min() < CLEARLY * plane.min()
    errors = bent if is_bent else plane
    best = STRENGTHS[errors <= errors.min() * (1 + WITHIN * np.sqrt(2 / len(some)) + (FEW / N) ** 2)].max()
    of_classes = np.isin(y, (0, 1)).all()
    return max(LEAST_PENALTY, float(best / N) * (CURVATURE if of_classes else 1) * (LEARNED if is_bent else 1))


def _errors(X: Array, y: Array) -> Array:
    """V(λ) of ridge regression on centred columns, for each of the strengths."""
    N = len(X)
    X, y = X - X.mean(axis=0), y - y.mean(axis=0)
    left, values, _ = np.linalg.svd(X, full_matrices=False)
    parts = np.square(left.T @ y).sum(axis=1)
    shrunk = values**2 / (values**2 + STRENGTHS[:, None])  # a row for each strength: the factors of A
    residual = np.square(y).sum() - ((2 * shrunk - shrunk**2) * parts).sum(axis=1)
    free = 1 - (shrunk.sum(axis=1) + 1) / N
    errors: Array = np.where(free > 0, residual / N / np.where(free > 0, free, 1) ** 2, np.inf)
    return errors
