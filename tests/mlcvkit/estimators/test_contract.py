"""scikit-learn's own contract, in full: no check is left out or expected to fail."""

import json
import os
import subprocess
import sys

import pytest

from mlcvkit.estimators import MLPClassifier, MLPRegressor, NN2Classifier, PerceptronClassifier
from soak import only_in_soak

SCRIPT = """
import json, sys, warnings
warnings.simplefilter("ignore")
from sklearn.utils.estimator_checks import check_estimator
import mlcvkit.estimators
estimator = getattr(mlcvkit.estimators, sys.argv[1])()
results = check_estimator(estimator, on_fail=None, on_skip=None)
print(json.dumps([[r["check_name"], r["status"], repr(r["exception"])] for r in results]))
"""


OF_THE_SAME_CLASS = only_in_soak("they share their class with MLPClassifier, and take ten seconds each")


@pytest.mark.parametrize(
    "kind",
    [
        MLPClassifier,
        MLPRegressor,
        pytest.param(NN2Classifier, marks=OF_THE_SAME_CLASS),
        pytest.param(PerceptronClassifier, marks=OF_THE_SAME_CLASS),
    ],
)
def test_every_check_of_scikit_learn_passes_and_none_is_skipped(kind):
    # in a process of its own: the check of the array API wants this variable before SciPy is imported
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, kind.__name__],
        capture_output=True,
        text=True,
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
    )
    checks = json.loads(result.stdout)
    assert [check for check in checks if check[1] != "passed"] == []
    assert len(checks) > 55
    names = {name for name, _, _ in checks}
    assert {"check_sample_weight_equivalence_on_dense_data", "check_estimator_sparse_matrix"} <= names
