"""Networks in scikit-learn's conventions: a sample is a row, and ``fit``, ``predict`` and ``score`` do what they do there.

Needs scikit-learn: ``pip install 'mlcvlab[tables]'``.
"""

from mlcvkit import require

require("sklearn", extra="tables")

from mlcvkit.estimators.classifiers import MLPClassifier, NN2Classifier, PerceptronClassifier  # noqa: E402
from mlcvkit.estimators.regressor import MLPRegressor  # noqa: E402

__all__ = ["MLPClassifier", "MLPRegressor", "NN2Classifier", "PerceptronClassifier"]
