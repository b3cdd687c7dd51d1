"""Rows held out from the others.

They are drawn as scikit-learn's ``train_test_split`` draws them: a seed holds out the same rows with and without it.
"""

import numpy as np
import numpy.typing as npt

from mlcvkit.arrays import Indices, RawRows, Values
from mlcvkit.datasets import Samples
from mlcvkit.errors import InputError

TEST_FRACTION = 0.2
"""The share of the rows that is held out to test with, where no other is given."""

LabelledRows = tuple[RawRows, Values]
"""Raw rows and their targets."""


def split_rows(
    N: int, count: int, strata: npt.NDArray[np.generic] | None, random: np.random.RandomState | int
) -> tuple[Indices, Indices]:
    """Hold out some of N rows, the same share of each stratum; a stratum of a single row is not held out.

    Parameters
    ----------
    N
        The number of rows.
    count
        The number to hold out.
    strata
        The stratum of each row, (N,), or None if all rows are alike.
    random
        A seed, or the generator to draw from.

    Returns
    -------
    tuple[Indices, Indices]
        The indices of the remaining rows, and of those held out, both ascending.
    """
    random = np.random.RandomState(random) if isinstance(random, int | np.integer) else random
    if strata is not None:
        _, stratum, size = np.unique(strata, return_inverse=True, return_counts=True)
        several = np.flatnonzero(size[stratum] > 1)
        strata_of_several = int((size > 1).sum())
        if strata_of_several <= count <= len(several) - strata_of_several:
            held_out = several[_stratified(stratum[several], count, random)]
            return np.flatnonzero(np.isin(np.arange(N), held_out, invert=True)), np.sort(held_out)
    order = random.permutation(N)
    return np.sort(order[count:]), np.sort(order[:count])


def _stratified(stratum: Indices, count: int, random: np.random.RandomState) -> Indices:
    """Choose the rows to hold out, with the share of each stratum as close to its size as possible."""
    _, stratum, sizes = np.unique(stratum, return_inverse=True, return_counts=True)
    remaining = _shares(sizes, len(stratum) - count, random)
    held_out = _shares(sizes - remaining, count, random)
    members = np.split(np.argsort(stratum, kind="stable"), np.cumsum(sizes)[:-1])
    rest, chosen = [], []
    for rows, size, first, more in zip(members, sizes, remaining, held_out, strict=True):
        shuffled = rows[random.permutation(size)]
        rest.append(shuffled[:first])
        chosen.append(shuffled[first : first + more])
    random.permutation(np.concatenate(rest))  # the next draw is then the one after scikit-learn's
    held_out_rows: Indices = random.permutation(np.concatenate(chosen))
    return held_out_rows


def _shares(sizes: npt.NDArray[np.intp], total: int, random: np.random.RandomState) -> Indices:
    """Whole numbers that add up to the total, in proportion to the sizes; equal remainders are drawn."""
    exact = sizes / sizes.sum() * total
    shares = np.floor(exact)
    remainder = exact - shares
    missing = int(total - shares.sum())
    for value in np.unique(remainder)[::-1]:
        if not missing:
            break
        tied = np.flatnonzero(remainder == value)
        chosen = random.choice(tied, size=min(len(tied), missing), replace=False)
        shares[chosen] += 1
        missing -= len(chosen)
    result: Indices = shares.astype(np.intp)
    return result


def split_test_rows(
    samples: Samples, y: Values, fraction: float, task: str, seed: int
) -> tuple[LabelledRows, LabelledRows]:
    """The rows to train on and those to test with: the data's own test rows, or a share of all.

    Parameters
    ----------
    samples
        The data.
    y
        The targets, (N,).
    fraction
        The share of the rows to test with, from 0 to below 1.
    task
        "classification", where each class gets its share, or "regression".
    seed
        The seed that the rows are drawn by.

    Returns
    -------
    tuple[LabelledRows, LabelledRows]
        The rows to train on and those to test with, each with its targets.
    """
    if samples.test is not None:
        require_fraction_used(samples.name, samples.test, fraction)
        return (samples.X, y), samples.test
    if fraction == 0:
        return (samples.X, y), (samples.X[:0], y[:0])
    count = max(1, round(fraction * len(y)))
    if count >= len(y):
        raise InputError(f"a test_fraction of {fraction} leaves nothing to train on")
    chosen, held_out = split_rows(len(y), count, y if task == "classification" else None, seed)
    return (samples.X[chosen], y[chosen]), (samples.X[held_out], y[held_out])


def require_fraction_used(name: str, test: LabelledRows | None, fraction: float) -> None:
    """Refuse another fraction of test rows where the data have test rows of their own.

    Parameters
    ----------
    name
        The name of the data, for messages.
    test
        The test rows of the data, or None.
    fraction
        The share of the rows to test with.

    Raises
    ------
    InputError
        If there are test rows, and the fraction is not the default.
    """
    if test is not None and fraction != TEST_FRACTION:
        raise InputError(f"{name} has a test set of its own: leave out test_fraction")
