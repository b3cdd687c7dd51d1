"""SGD on one random coordinate (handout, Problem 3)."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mlcvlab.models.base import copy_weights
from mlcvlab.models.nn2 import NN2, NN2Coordinates
from mlcvlab.nn import Array

Callback = Callable[[int, list[Array]], object]


def SGD(
    model: Any,
    train_X: npt.ArrayLike,
    train_y: npt.ArrayLike,
    lr: float = 0.1,
    R: int = 100,
    *,
    seed: int | np.random.Generator | None = None,
    callback: Callback | None = None,
) -> list[Array]:
    """Stochastic gradient descent on one random scalar parameter at a time, without momentum.

        draw j uniformly from all scalar parameters of W;    W_j^(r) = W_j^(r-1) - lr · [∇L_N(W^(r-1))]_j

    The handout first zeroes all other parameters; its update takes component j of the gradient at W, and that is what
    is done here (erratum 6). For NN2 a step touches only what its weight touches; for any other model it takes
    component j of ``emp_loss_grad``. Both are one algorithm, to rounding.

    Parameters
    ----------
    model
        A model with ``W``, ``emp_loss`` and ``emp_loss_grad(X, y, W, layer)``.
    train_X
        The samples, (K, N), one a column.
    train_y
        Their labels, (1, N).
    lr
        The learning rate δ.
    R
        The number of steps.
    seed
        A seed, or the generator that the parameters are drawn from.
    callback
        ``callback(r, W)`` is called after each step r = 1 … R with a copy of the weights.

    Returns
    -------
    list[Array]
        The final weights, which the model holds as well.

    Raises
    ------
    ValueError
        For a learning rate that is not positive and finite or an R below 0.
    FloatingPointError
        With the step and the learning rate, where the loss becomes NaN or infinite: the model then keeps its old
        weights.

    References
    ----------
    Handout, Problem 3, "SGD".
    """
    check_hyperparameters(lr=lr, R=R)
    coordinates = NN2Coordinates if type(model) is NN2 else ModelCoordinates  # a subclass may have another gradient
    model.W = W = descend(coordinates(model, train_X, train_y), lr, R, seed, callback)
    return W


def descend(
    coordinates: Any,
    lr: float,
    R: int,
    seed: int | np.random.Generator | None = None,
    callback: Callback | None = None,
) -> list[Array]:
    """The loop of ``SGD``: R steps, each on a coordinate drawn uniformly.

    Parameters
    ----------
    coordinates
        ``coordinates.step(layer, j, lr)`` moves parameter j of ``coordinates.W[layer]``, counted row by row, and
        returns a number that is finite if the loss is.
    lr
        The learning rate δ.
    R
        The number of steps.
    seed
        A seed, or the generator that the parameters are drawn from.
    callback
        As for ``SGD``.

    Returns
    -------
    list[Array]
        The final weights.
    """
    sizes = [w.size for w in coordinates.W]
    draws = np.random.default_rng(seed).integers(sum(sizes), size=R)
    starts = np.cumsum([0, *sizes])
    with np.errstate(over="ignore", invalid="ignore"):
        for r, draw in enumerate(draws, start=1):
            layer = int(np.searchsorted(starts, draw, side="right")) - 1
            loss = coordinates.step(layer, int(draw - starts[layer]), lr)
            check_loss(loss, r, "SGD", f"lr={lr}")
            if callback is not None:
                callback(r, [w.copy() for w in coordinates.W])
    return list(coordinates.W)


class ModelCoordinates:
    """The plain reading, for any model: component j of the full gradient.

    Parameters
    ----------
    model
        Any model.
    X
        The samples, (K, N), one a column.
    y
        Their targets.
    """

    def __init__(self, model: Any, X: npt.ArrayLike, y: npt.ArrayLike) -> None:
        self.model, self.X, self.y = model, X, y
        self.W = copy_weights(model.W)

    def step(self, layer: int, j: int, lr: float) -> float:
        """Move parameter j of a layer by one step of gradient descent.

        Parameters
        ----------
        layer
            The index of the array of weights.
        j
            The parameter, counted row by row.
        lr
            The learning rate.

        Returns
        -------
        float
            The loss.
        """
        gradient = self.model.emp_loss_grad(self.X, self.y, self.W, layer)
        self.W[layer].flat[j] -= lr * gradient.flat[j]
        return float(self.model.emp_loss(self.X, self.y, self.W))


def check_hyperparameters(R: int, **positive: float) -> None:
    """Check that R is 0 or more, and every other value positive and finite.

    Parameters
    ----------
    R
        The number of steps.
    **positive
        The other values by name.

    Raises
    ------
    ValueError
        If one is not, with its name.
    """
    if R < 0:
        raise ValueError(f"R, the number of steps, must be 0 or more; got {R}")
    for name, value in positive.items():
        if not (0 < value < np.inf):
            raise ValueError(f"{name} must be positive and finite; got {value}")


def check_loss(loss: float, r: int, optimizer: str, learning_rate: str) -> None:
    """Check that the loss is finite.

    Parameters
    ----------
    loss
        The loss after a step.
    r
        The number of the step.
    optimizer
        The name of the optimizer, for the message.
    learning_rate
        The learning rate, for the message.

    Raises
    ------
    FloatingPointError
        If it is NaN or infinite.
    """
    if not np.isfinite(loss):
        raise FloatingPointError(
            f"{optimizer} diverged: the loss is {loss} after step {r} with {learning_rate}; try a smaller learning rate"
        )
