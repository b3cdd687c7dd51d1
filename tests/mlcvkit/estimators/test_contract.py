"""scikit-learn's own contract, in full: no check is left out or expected to fail."""

import json
import os
import subprocess
import sys

import pytest

from mlcvkit.datasets import TableEncoder
from mlcvkit.estimators import MLPClassifier, MLPRegressor, NN2Classifier, PerceptronClassifier
from soak import only_in_soak

SCRIPT = """
import json, pydoc, sys, warnings
warnings.simplefilter("ignore")
from sklearn.utils.estimator_checks import check_estimator
estimator = pydoc.locate(sys.argv[1])(**json.loads(sys.argv[2]))
results = check_estimator(estimator, on_fail=None, on_skip=None)
print(json.dumps([[r["check_name"], r["status"], repr(r["exception"])] for r in results]))
"""


def outcomes(kind, **parameters):
    """Name, status and error of each check, in a process of its own: that of the array API wants the variable before
    SciPy is imported, and some leave files until the process ends."""
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, f"{kind.__module__}.{kind.__name__}", json.dumps(parameters)],
        capture_output=True,
        text=True,
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
    )
    return json.loads(result.stdout)


OF_THE_SAME_CLASS = only_in_soak("they share their class with MLPClassifier, and take five seconds each")


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
    checks = outcomes(kind, epochs=60)
    assert [check for check in checks if check[1] != "passed"] == []
    assert len(checks) > 55
    names = {name for name, _, _ in checks}
    assert {"check_sample_weight_equivalence_on_dense_data", "check_estimator_sparse_matrix"} <= names


def test_the_encoder_passes_every_check_of_a_transformer():
    checks = outcomes(TableEncoder)
    assert [check for check in checks if check[1] != "passed"] == []
    assert len(checks) > 40
