"""Regression."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.utils.validation import _check_sample_weight

from mlcvkit.arrays import Rows, Values
from mlcvkit.estimators.base import MLPParameters, NetworkEstimator
from mlcvkit.experiments import Numbers
from mlcvlab.nn import Array

if TYPE_CHECKING:
    from sklearn.utils import Tags


@dataclass(kw_only=True, eq=False, repr=False)
class MLPRegressor(RegressorMixin, MLPParameters, NetworkEstimator):  # type: ignore[misc]
    """Multi-layer perceptron for one number a sample, or several.

    The targets are centred and scaled for the training and the predictions scaled back, so that the learning rate means
    the same for euros and for cents; the losses in ``history_`` are those of the scaled targets. Scale the features
    first (``StandardScaler``, or ``mlcvkit.datasets.TableEncoder``).

    Parameters
    ----------
    hidden_units
        The number of units of each hidden layer.
    activation
        The activation of the hidden layers, a name in ``mlcvkit.models.ACTIVATIONS``.
    initialization
        How the weights are drawn, a name in ``mlcvkit.models.INITIALIZATIONS``.
    loss
        The loss, a name or a ``mlcvkit.models.Loss``. By default the mean squared error.
    biases, dropout, l2
        As in ``mlcvkit.models.MLP``.
    others
        All other parameters are those of ``NetworkEstimator``.

    Attributes
    ----------
    model_
        The trained ``MLP``.
    target_mean_, target_scale_
        The mean and the standard deviation of each column of the targets.
    history_, n_iter_, n_features_in_, feature_names_in_
        As in ``NetworkEstimator`` and scikit-learn.

    See Also
    --------
    MLPClassifier : For classes.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.linspace(-1, 1, 100)[:, None]
    >>> MLPRegressor(learning_rate=0.01, random_state=0).fit(X, 1000 * X[:, 0] ** 2).score(X, 1000 * X[:, 0] ** 2) > 0.9
    True
    """

    _y_numeric = True

    _targets: Numbers = field(init=False)

    def partial_fit(self, X: Rows, y: Values, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Take one pass over some samples, from the weights and the optimizer's state of the pass before.

        The first call decides the targets' mean and scale.

        Parameters
        ----------
        X
            The samples, (N, K), as for ``fit``.
        y
            The targets, (N,) or (N, C).
        sample_weight
            The weight of each sample, (N,).

        Returns
        -------
        Self
            The estimator itself.
        """
        return self._partial_fit(X, y, sample_weight, first=not hasattr(self, "model_"))

    def predict(self, X: Rows) -> Array:
        """The prediction for each sample.

        Parameters
        ----------
        X
            The samples, (N, K).

        Returns
        -------
        Array
            The predictions, (N,), or (N, C) where y had C columns.
        """
        scores = self._scores(X)
        return self._targets.predicted(scores)

    @property
    def target_mean_(self) -> Array:
        """The mean of each column of the targets."""
        return self._targets.mean

    @property
    def target_scale_(self) -> Array:
        """The standard deviation of each column of the targets."""
        return self._targets.scale

    def _targets_of(self, y: Values, sample_weight: npt.ArrayLike | None) -> Numbers:
        return Numbers.of(y, None if sample_weight is None else _check_sample_weight(sample_weight, y))

    def __sklearn_tags__(self) -> "Tags":
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
