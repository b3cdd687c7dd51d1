"""The L2 penalty of a network where none is given."""

from dataclasses import replace

import numpy as np

from mlcvkit.arrays import Rows
from mlcvkit.training import Hyperparameters
from mlcvlab.nn import Array

LEAST_PENALTY = 1e-3
"""The penalty of many rows, and the least of few."""
MOST_ROWS, MOST_FEATURES = 3000, 1000
"""Of more, the least penalty: so many rows say enough, and more features would take long."""
STRENGTHS = 10.0 ** np.arange(-2, 2.5, 0.5)
"""The penalties that are compared, times the number of rows."""
MOST_OF_BENT = 10.0**0.5
"""The most where the targets do not lie on a plane: there a network learns what a linear model takes for noise."""
UNITS = 128
"""Random hidden units that show what a plane does not."""
WITHIN = 0.25
"""How far an error may be from the least, in its standard errors: a network has more to shrink than a plane."""
CLEARLY = 0.95
"""They show it where their error is less than this share of the linear model's."""


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

    Where random ReLU units beside the columns explain clearly more than the columns alone, what is left of the linear
    model is not noise, and the penalty stays small.

    Parameters
    ----------
    X
        The rows, (N, ...).
    y
        The encoded targets, (N,) or (N, C).

    Returns
    -------
    float
        The penalty, 0.001 at least, and 0.001 for images and for more than 3,000 rows.

    References
    ----------
    Golub, Heath and Wahba, Generalized cross-validation as a method for choosing a good ridge parameter, 1979, eq. 1.4.
    """
    if not isinstance(X, np.ndarray) or X.ndim != 2 or X.dtype.kind != "f":
        return LEAST_PENALTY
    N, features = X.shape
    if not 2 < N <= MOST_ROWS or features > MOST_FEATURES:
        return LEAST_PENALTY
    X, y = (part.reshape(N, -1).astype(np.float64) for part in (X, y))
    X, y = X - X.mean(axis=0), y - y.mean(axis=0)
    of_plane = _errors(X, y)
    rng = np.random.default_rng(0)
    units = np.maximum(X @ rng.normal(0, np.sqrt(2 / features), (features, UNITS)) + rng.normal(size=UNITS), 0)
    bends = _errors(np.hstack([X, units - units.mean(axis=0)]), y).min() < CLEARLY * of_plane.min()
    if bends:
        best = STRENGTHS[int(np.argmin(np.where(STRENGTHS > MOST_OF_BENT, np.inf, of_plane)))]
    else:
        best = STRENGTHS[of_plane <= of_plane.min() * (1 + WITHIN * np.sqrt(2 / N))].max()
    return max(LEAST_PENALTY, float(best / N))


def _errors(X: Array, y: Array) -> Array:
    """V(λ) of ridge regression on centred columns, for each of the strengths."""
    N = len(X)
    left, values, _ = np.linalg.svd(X, full_matrices=False)
    parts = np.square(left.T @ y).sum(axis=1)
    shrunk = values**2 / (values**2 + STRENGTHS[:, None])  # a row for each strength: the factors of A
    residual = np.square(y).sum() - ((2 * shrunk - shrunk**2) * parts).sum(axis=1)
    free = 1 - (shrunk.sum(axis=1) + 1) / N
    errors: Array = np.where(free > 0, residual / N / np.where(free > 0, free, 1) ** 2, np.inf)
    return errors
