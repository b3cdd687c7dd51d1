"""Regression."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.utils.validation import _check_sample_weight

from mlcvkit.estimators.base import MLPParameters, NetworkEstimator
from mlcvkit.models import MLP
from mlcvkit.training.loop import Metric
from mlcvlab.nn import Array


@dataclass(kw_only=True, eq=False, repr=False)
class MLPRegressor(RegressorMixin, MLPParameters, NetworkEstimator):  # type: ignore[misc]
    """Multi-layer perceptron for one number a sample, or several.

    The targets are centred and scaled for the training and the predictions scaled back, so that the learning rate means
    the same for euros and for cents; the losses in ``history_`` are those of the scaled targets. Scale the features
    first (``StandardScaler``, or ``mlcvkit.datasets.TableEncoder``).

    Parameters: ``hidden_units``, one number for each hidden layer; ``activation``; ``initialization``; ``loss``, a name
    or a ``mlcvkit.models.Loss``, the mean squared error where None; ``biases``; ``dropout``; ``l2``, as in
    ``mlcvkit.models.MLP``; the others as in ``NetworkEstimator``.
    Attributes: ``model_`` (an ``MLP``), ``target_mean_``, ``target_scale_``, ``history_``, ``n_iter_``,
    ``n_features_in_``, ``feature_names_in_``.

    >>> X = np.linspace(-1, 1, 100)[:, None]
    >>> MLPRegressor(learning_rate=0.01, random_state=0).fit(X, 1000 * X[:, 0] ** 2).score(X, 1000 * X[:, 0] ** 2) > 0.9
    True
    """

    _y_numeric = True

    def partial_fit(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None = None) -> Self:
        """One pass over some samples, which goes on from the weights and the optimizer's state of the pass before.

        The first call decides the targets' mean and scale. Arguments: as for ``fit``.
        """
        return self._partial_fit(X, y, sample_weight, first=not hasattr(self, "model_"))

    def predict(self, X: Any) -> Array:
        """The prediction for each sample, (N,), or (N, C) where y had C columns."""
        y_hat = self._scores(X) * self.target_scale_ + self.target_mean_
        return y_hat[:, 0] if self._one_column else y_hat

    def _learn_targets(self, y: npt.NDArray[Any], sample_weight: npt.ArrayLike | None) -> None:
        self._one_column = y.ndim == 1
        columns = y.reshape(len(y), -1).astype(np.float64)
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, columns)
        self.target_mean_ = np.average(columns, axis=0, weights=weights)
        difference = columns - self.target_mean_
        largest = np.abs(difference).max(axis=0)  # taken out of the squares, which would overflow or vanish
        largest = np.where(largest > 0, largest, 1.0)
        scale = largest * np.sqrt(np.average(np.square(difference / largest), axis=0, weights=weights))
        self.target_scale_ = np.where(scale > 0, scale, 1.0)

    def _targets(self, y: npt.NDArray[Any], dtype: npt.DTypeLike) -> Array:
        if (y.ndim == 1) != self._one_column or (y.ndim == 2 and y.shape[1] != len(self.target_mean_)):
            raise ValueError(f"y must have {len(self.target_mean_)} columns as before; got {y.shape}")
        scaled: Array = ((y.reshape(len(y), -1) - self.target_mean_) / self.target_scale_).astype(dtype)
        return scaled[:, 0] if self._one_column else scaled

    def _initialized(self, X: Any, targets: Array, seed: int) -> MLP:
        outputs = 1 if targets.ndim == 1 else targets.shape[1]
        return self._initialized_mlp("identity", X, outputs, seed)

    def _metrics(self) -> dict[str, Metric]:
        return {"r2": r2}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def r2(model: Any, X: Any, y: Array) -> float:
    """Coefficient of determination, the mean over the outputs; 0 where a target is constant.

    R² = 1 - Σ_i (y_i - ŷ_i)² / Σ_i (y_i - ȳ)²
    """
    residual = np.square(y - model.predict(X)).sum(axis=1)
    total = np.square(y - y.mean(axis=1, keepdims=True)).sum(axis=1)
    return float(np.where(total > 0, 1 - residual / np.where(total > 0, total, 1), 0.0).mean())
