"""What all models have in common."""

from collections.abc import Sequence
from typing import Protocol

import numpy.typing as npt

from mlcvlab.nn import Array


class Model(Protocol):
    """What can be trained. Inside a model a sample is a column: X is (K, N) and y is (C, N).

    Attributes
    ----------
    W
        The weights, which are read and assigned.
    """

    W: list[Array]

    def emp_loss(self, train_X: npt.ArrayLike, train_y: npt.ArrayLike) -> float:
        """Empirical risk of some samples.

        Parameters
        ----------
        train_X
            The samples, (K, N).
        train_y
            Their targets, (C, N).

        Returns
        -------
        float
            The empirical risk.
        """

    def emp_loss_grad(
        self, train_X: npt.ArrayLike, train_y: npt.ArrayLike, W: Sequence[Array] | None = None
    ) -> list[Array]:
        """Gradient of the empirical risk with respect to each array of ``W``.

        Parameters
        ----------
        train_X
            The samples, (K, N).
        train_y
            Their targets, (C, N).
        W
            The weights to use in place of the model's.

        Returns
        -------
        list[Array]
            The gradient of each array.
        """
