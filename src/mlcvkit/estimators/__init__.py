"""Networks in scikit-learn's conventions: a sample is a row; ``fit``, ``predict`` and ``score`` do what they do there.

Needs scikit-learn: ``pip install 'mlcvlab[sklearn]'``.
"""

from mlcvkit.extras import require
from mlcvkit.renamed import resolved

require("sklearn")

from mlcvkit.estimators.classifiers import MLPClassifier, NN2Classifier, PerceptronClassifier  # noqa: E402
from mlcvkit.estimators.files import load_estimator, saved_model  # noqa: E402
from mlcvkit.estimators.regressor import MLPRegressor  # noqa: E402

__all__ = ["MLPClassifier", "MLPRegressor", "NN2Classifier", "PerceptronClassifier", "load_estimator", "saved_model"]

__getattr__ = resolved(__name__)
