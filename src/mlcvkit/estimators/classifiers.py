"""Classifiers: of any depth, the handout's NN2, and the perceptron."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import check_is_fitted

from mlcvkit.arrays import PlainData, Rows, Values
from mlcvkit.estimators.base import MLPParameters, NetworkEstimator
from mlcvkit.experiments import Classes, Labels
from mlcvkit.models import InitializationName, Perceptron, as_mlp, scale_weights
from mlcvkit.training import OptimizerName
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn import Array

if TYPE_CHECKING:
    from sklearn.utils import Tags


@dataclass(kw_only=True, eq=False, repr=False)
class _Classifier(ClassifierMixin, NetworkEstimator):  # type: ignore[misc]
    _targets: Classes | Labels = field(init=False)
    class_weight: dict[Hashable, float] | list[dict[Hashable, float]] | Literal["balanced"] | None = None

    def partial_fit(
        self, X: Rows, y: Values, classes: npt.ArrayLike | None = None, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Take one pass over some samples, from the weights and the optimizer's state of the pass before.

        Parameters
        ----------
        X
            The samples, (N, K), as for ``fit``.
        y
            The targets, (N,) or (N, C).
        classes
            All classes that will ever come, which the first call needs.
        sample_weight
            The weight of each sample, (N,).

        Returns
        -------
        Self
            The estimator itself.
        """
        first = not hasattr(self, "model_")
        if first and classes is None:
            raise ValueError("the first call of partial_fit needs classes, all that will ever come")
        if classes is not None:
            given = np.arange(np.shape(y)[1]) if np.ndim(y) == 2 and np.shape(y)[1] > 1 else unique_labels(classes)
            if not first and not np.array_equal(given, self.classes_):
                raise ValueError(f"classes must stay what they were, {self.classes_}; got {given}")
            self._announced = given
        try:
            return self._partial_fit(X, y, sample_weight, first)
        finally:
            self.__dict__.pop("_announced", None)

    def decision_function(self, X: Rows) -> Array:
        """The argument of the output: (N,) for two classes, above 0 for the second; (N, C) for more or for labels."""
        scores = self._scores(X)
        return scores[:, 0] if self._targets.binary else scores

    def predict(self, X: Rows) -> Values:
        """The class of each sample, (N,), or which labels it has, (N, C)."""
        scores = self._scores(X)
        return self._targets.predicted(scores)

    @property
    def classes_(self) -> Values:
        """The classes, ascending, or the numbers of the labels."""
        return self._targets.classes

    def _targets_of(self, y: Values, sample_weight: npt.ArrayLike | None) -> Classes | Labels:
        check_classification_targets(y)
        kind = type_of_target(y, raise_unknown=True)
        has_labels = kind == "multilabel-indicator"
        if (has_labels and not self._multi_label) or kind == "multiclass-multioutput":
            raise ValueError(f"{type(self).__name__} does not support targets of kind {kind}")
        classes = getattr(self, "_announced", np.arange(y.shape[1]) if has_labels else np.unique(y))
        if has_labels:
            return Labels(classes)
        if len(classes) < 2:
            raise ValueError(f"a classifier needs samples of at least two classes; y has one class: {classes[0]}")
        if len(classes) > 2 and not self.__sklearn_tags__().classifier_tags.multi_class:
            raise ValueError(
                f"Only binary classification is supported. The type of the target is {kind}; it has the classes "
                f"{', '.join(map(str, classes[:10]))}. MLPClassifier takes any number of classes"
            )
        return Classes(classes)


class _Probabilities(_Classifier):
    def predict_proba(self, X: Rows) -> Array:
        """The probability of each class, (N, C), or of each label."""
        check_is_fitted(self, "model_")
        scores = self._scores(X)
        return self._targets.probabilities(scores, as_mlp(self.model_).output)

    def predict_log_proba(self, X: Rows) -> Array:
        """The logarithm of ``predict_proba``."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))


@dataclass(kw_only=True, eq=False, repr=False)
class MLPClassifier(MLPParameters, _Probabilities):
    """Multi-layer perceptron for two classes, more, or several labels a sample.

    Two classes and labels are predicted by sigmoids with cross-entropy, more classes by a softmax with categorical
    cross-entropy. Scale the features first (``StandardScaler``, or ``mlcvkit.datasets.TableEncoder``).

    Parameters
    ----------
    hidden_units
        The number of units of each hidden layer.
    activation
        The activation of the hidden layers, a name in ``mlcvkit.models.ACTIVATIONS``.
    initialization
        How the weights are drawn, a name in ``mlcvkit.models.INITIALIZATIONS``.
    loss
        The loss, a name or a ``mlcvkit.models.Loss``. By default the one that fits the target.
    biases, dropout, l2
        As in ``mlcvkit.models.MLP``.
    label_smoothing
        As in ``mlcvkit.training.Hyperparameters``.
    class_weight
        The weights of the classes, as in scikit-learn.
    others
        All other parameters are those of ``NetworkEstimator``.

    Attributes
    ----------
    classes_
        The classes, ascending.
    model_
        The trained ``MLP``.
    history_, n_iter_, n_features_in_, feature_names_in_
        As in ``NetworkEstimator`` and scikit-learn.

    See Also
    --------
    MLPRegressor : For numbers.
    NN2Classifier, PerceptronClassifier : Other networks.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> MLPClassifier(hidden_units=(16,), learning_rate=0.01, random_state=0).fit(X, y).score(X, y) > 0.95
    True
    """

    label_smoothing: float = 0.0

    _multi_label = True

    def __sklearn_tags__(self) -> "Tags":
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


@dataclass(kw_only=True, eq=False, repr=False)
class NN2Classifier(_Probabilities):
    """The handout's two-layer network for two classes: a hidden ReLU layer without biases, and a sigmoid.

    Parameters
    ----------
    hidden_units
        The number of hidden units.
    initialization
        How the weights are drawn, a name in ``mlcvkit.models.INITIALIZATIONS``.
    loss
        The loss: "cross_entropy", "l2" or "mse".
    label_smoothing
        As in ``mlcvkit.training.Hyperparameters``.
    class_weight
        The weights of the classes, as in scikit-learn.
    others
        All other parameters are those of ``NetworkEstimator``.

    Attributes
    ----------
    model_
        The trained ``mlcvlab.models.nn2.NN2``.
    classes_, history_, n_iter_, n_features_in_, feature_names_in_
        As in ``MLPClassifier``.

    See Also
    --------
    MLPClassifier : Any depth, with biases.
    """

    hidden_units: int = 100
    initialization: InitializationName = "he"
    loss: str = "cross_entropy"
    label_smoothing: float = 0.0

    @property
    def _parameter_constraints(self) -> PlainData:
        return super()._parameter_constraints | {"hidden_units": [Integral]}

    def _initialized(self, X: Rows, targets: Array, seed: int) -> NN2:
        model = NN2(loss=self.loss).initialize(X.shape[1], self.hidden_units, seed=seed, dtype=X.dtype)
        return scale_weights(model, self.initialization)

    def __sklearn_tags__(self) -> "Tags":
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


@dataclass(kw_only=True, eq=False, repr=False)
class PerceptronClassifier(_Classifier):
    """Rosenblatt's perceptron; for more than two classes one unit for each, against the rest.

    Its steps follow the perceptron rule, averaged over a batch, and shrink to 0 over the epochs, so that it settles
    where no plane separates the classes; with ``batch_size=1`` and ``schedule="constant"`` it is the rule as published.
    It stops when no training sample is wrong, of the 10,000 that are looked at where there are more. It has no
    probabilities.

    Parameters
    ----------
    biases
        Whether the units have biases.
    class_weight
        The weights of the classes, as in scikit-learn.
    others
        All other parameters are those of ``NetworkEstimator``.

    Attributes
    ----------
    model_
        The trained ``mlcvkit.models.Perceptron``.
    classes_, history_, n_iter_, n_features_in_, feature_names_in_
        As in ``MLPClassifier``.

    See Also
    --------
    MLPClassifier : With hidden layers.
    """

    optimizer: OptimizerName = "sgd"
    learning_rate: float = 1.0
    patience: int = 0
    biases: bool = True

    def _initialized(self, X: Rows, targets: Array, seed: int) -> Perceptron:
        return Perceptron(biases=self.biases).initialize(X.shape[1], self._targets.outputs, seed=seed, dtype=X.dtype)
