"""A model whose empirical risk is that of all shards."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from mlcvkit.arrays import float_rows
from mlcvkit.cluster.placement import Loaded, PlacedShards
from mlcvkit.cluster.samples import ShardedArray
from mlcvkit.models import MLP, predictions
from mlcvkit.training import as_columns
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn import Array


class ShardedModel:
    """Any model, whose ``emp_loss`` and ``emp_loss_grad`` also take samples that lie in shards.

        L_N = Σ_i (n_i / N) L_i,    ∇L_N = Σ_i (n_i / N) ∇L_i      for shards i of n_i samples

    Each L_i and ∇L_i is the model's own ``emp_loss`` and ``emp_loss_grad``, where the shard lies. A round starts only
    for weights that the last one was not for; one that is asked for the loss brings the gradient along, which is what
    an optimizer asks for next. So the handout's ``Adam`` takes one round a step, and two with its look-ahead.

    Parameters
    ----------
    model
        A model with ``W``, ``emp_loss`` and ``emp_loss_grad``, which shares its weights with this one.

    Attributes
    ----------
    rounds
        The number of rounds so far.

    Examples
    --------
    >>> from mlcvkit.cluster import ShardedSamples, array_shards
    >>> from mlcvlab.models.nn2 import NN2
    >>> rng = np.random.default_rng(0)
    >>> data = ShardedSamples(array_shards(rng.normal(size=(100, 3)), np.arange(100) % 2, 4))
    >>> model = ShardedModel(NN2().initialize(features=3, hidden_units=4, seed=0))
    >>> [g.shape for g in model.emp_loss_grad(data.X.T, data.y[None])]
    [(4, 3), (4, 1)]
    """

    def __init__(self, model: MLP | NN2) -> None:
        self.model, self.rounds = model, 0
        self._shared: tuple[PlacedShards, object] | None = None
        self._last: tuple[object, list[Array], float | None, list[Array]] | None = None

    @property
    def W(self) -> list[Array]:
        """The weights of the model."""
        return self.model.W

    @W.setter
    def W(self, weights: Sequence[Array]) -> None:
        """The weights of the model."""
        self.model.W = list(weights)

    @property
    def output(self) -> str | None:
        """The output activation of the model, where it has one."""
        return getattr(self.model, "output", None)

    def predict(self, x: Array) -> Array:
        """The output for samples that are in this process.

        Parameters
        ----------
        x
            The samples, (K, N).

        Returns
        -------
        Array
            The predictions, (C, N).
        """
        return predictions(self.model, x)

    def emp_loss(self, train_X: npt.ArrayLike, train_y: npt.ArrayLike, W: Sequence[Array] | None = None) -> float:
        """Empirical risk of samples in shards or here.

        Parameters
        ----------
        train_X
            The samples, (K, N), sharded or an array.
        train_y
            The targets, (C, N), sharded or an array.
        W
            The weights to use in place of the model's.

        Returns
        -------
        float
            The empirical risk.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        InputError, ClusterError
            As ``ShardedSamples.mean``.
        """
        if not isinstance(train_X, ShardedArray):
            return float(self.model.emp_loss(train_X, train_y, W))
        loss, _ = self._risk(train_X, train_y, W, with_loss=True)
        assert loss is not None
        return loss

    def emp_loss_grad(
        self, train_X: npt.ArrayLike, train_y: npt.ArrayLike, W: Sequence[Array] | None = None, layer: int | None = None
    ) -> list[Array] | Array:
        """Gradient of the empirical risk of samples in shards or here.

        Parameters
        ----------
        train_X
            The samples, (K, N), sharded or an array.
        train_y
            The targets, (C, N), sharded or an array.
        W
            The weights to use in place of the model's.
        layer
            The index of the one array of ``W`` whose gradient is wanted. By default all.

        Returns
        -------
        list[Array] | Array
            The gradient with respect to each array of ``W``, or to the one asked for.

        Raises
        ------
        ValueError, InputError, ClusterError
            As for ``emp_loss``.
        """
        if not isinstance(train_X, ShardedArray):
            return self.model.emp_loss_grad(train_X, train_y, W, layer)  # type: ignore[arg-type,misc]
        _, gradient = self._risk(train_X, train_y, W, with_loss=False)
        if layer not in (None, *range(len(gradient))):
            raise ValueError(f"the model has layers 0 to {len(gradient) - 1} (None for all); got {layer!r}")
        return [g.copy() for g in gradient] if layer is None else gradient[layer].copy()

    def _risk(
        self, X: ShardedArray, y: npt.ArrayLike, W: Sequence[Array] | None, with_loss: bool
    ) -> tuple[float | None, list[Array]]:
        weights = [np.asarray(w) for w in (self.W if W is None else W)]
        if not (X.columns and X.part == "X" and isinstance(y, ShardedArray) and y.columns and y.data is X.data):
            raise ValueError(
                "give sharded samples and their targets as columns, X.T and y[None] (y.T where y has two dimensions); "
                f"got X {X.shape} and y {np.shape(y)}"
            )
        place = (X.data, len(X.data), y.function)
        if self._last is not None:
            last_place, last_weights, loss, gradient = self._last
            if last_place == place and _equal(last_weights, weights) and (loss is not None or not with_loss):
                return loss, gradient
        if self._shared is None or self._shared[0] is not X.data:
            self._shared = X.data, X.data.share(self.model)
        means = X.data.mean(_risk_of, self._shared[1], y.function, weights, with_loss)
        self.rounds += 1
        loss, gradient = (float(means[0][0]), means[1:]) if with_loss else (None, means)
        place = (X.data, len(X.data), y.function)  # a shard may have been left out
        self._last = place, [w.copy() for w in weights], loss, gradient
        return loss, gradient


def _equal(some: Sequence[Array], others: Sequence[Array]) -> bool:
    return len(some) == len(others) and all(map(np.array_equal, some, others))


def _risk_of(
    loaded: Loaded, model: MLP | NN2, function: Callable[[Array], Array] | None, W: list[Array], with_loss: bool
) -> list[Array]:
    """The gradient on one shard, after the loss if that is requested."""
    X, y = loaded.samples()
    total: list[Array] = []
    for rows in loaded.blocks():
        x, targets = float_rows(X[rows]).T, as_columns(y[rows] if function is None else function(y[rows]))
        parts = [np.array([model.emp_loss(x, targets, W)])] if with_loss else []
        parts += model.emp_loss_grad(x, targets, W)
        share = x.shape[1] / loaded.facts.rows
        if share < 1:
            parts = [part * part.dtype.type(share) for part in parts]
        total = [t + part for t, part in zip(total, parts, strict=True)] if total else parts
    return total
