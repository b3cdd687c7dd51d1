"""The handout's SGD on one random coordinate, with its step compiled."""

import numpy as np
import numpy.typing as npt

from mlcvkit.arrays import Indices, float_rows
from mlcvkit.models import Model
from mlcvkit.training import kernels
from mlcvlab.models.nn2 import NN2, NN2Coordinates
from mlcvlab.nn import Array
from mlcvlab.optim.sgd import Callback, ModelCoordinates, check_hyperparameters, descend


def coordinate_sgd(
    model: NN2,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    learning_rate: float = 0.1,
    steps: int = 100,
    seed: int | np.random.Generator | None = None,
    callback: Callback | None = None,
) -> list[Array]:
    """``mlcvlab.optim.sgd.SGD`` on an NN2 with cross-entropy, the same steps to rounding, several times as fast.

    Parameters
    ----------
    model
        An NN2 with weights and cross-entropy.
    X
        The samples, (N, ...), one a row: floats, or uint8 from 0 to 255, which are scaled to 0 to 1.
    y
        Their targets, (N,), of 0 and 1.
    learning_rate
        The learning rate α.
    steps
        The number of steps R.
    seed
        A seed, or the generator that the coordinates are drawn from.
    callback
        Called as ``callback(r, W)`` after each step.

    Returns
    -------
    list[Array]
        The final weights, which the model holds as well.

    Raises
    ------
    ValueError
        For another loss, a learning rate that is not positive and finite, or fewer than 0 steps.
    FloatingPointError
        If the loss becomes NaN or infinite: the model then keeps its old weights.

    References
    ----------
    Handout, Problem 3, "SGD".
    """
    check_hyperparameters(learning_rate=learning_rate, R=steps)
    if model.loss != "cross_entropy":
        raise ValueError(f"the compiled step is that of cross_entropy; use mlcvlab.optim.sgd.SGD for {model.loss}")
    coordinates = CompiledCoordinates(model, float_rows(np.asarray(X)).T, np.asarray(y)[None])
    model.W = descend(coordinates, learning_rate, steps, seed, callback)
    return model.W


def coordinates_of(model: Model) -> type[ModelCoordinates] | type[NN2Coordinates]:
    """The fastest steps on single weights that there are for a model.

    Parameters
    ----------
    model
        An NN2, or any other model with ``emp_loss_grad``.

    Returns
    -------
    type[ModelCoordinates] | type[NN2Coordinates]
        A class of steps, as in ``mlcvlab.optim.sgd``.
    """
    if not isinstance(model, NN2):
        return ModelCoordinates
    return CompiledCoordinates if model.loss == "cross_entropy" else NN2Coordinates


class CompiledCoordinates(NN2Coordinates):
    """Incremental steps on single weights, with the step on a weight of W₁ in one compiled pass."""

    def __init__(self, model: NN2, X: Array, y: Array) -> None:
        super().__init__(model, X, y)
        self.y = self.y.astype(self.z2.dtype)

    def _step_W1(self, m: int, k: int, lr: float) -> float:
        samples, x = self._column(k)
        if not len(samples):
            return 0.0
        W1, w2 = self.W
        change, total = kernels.coordinate_step(
            samples, x, self.Z1[m], self.z2, self.y, self.delta2, w2[m, 0], lr / len(self.y)
        )
        W1[m, k] += change
        return float(total) if np.isfinite(total) else self._loss(samples)

    def _loss(self, samples: Indices) -> float:
        values = self.loss.value(self.y.take(samples)[None], self.z2.take(samples)[None])
        return float(values.sum(dtype=np.float64))
