"""What is learned: the targets as numbers, and back."""

import numpy as np
import pytest

from mlcvkit import InputError
from mlcvkit.datasets import Samples
from mlcvkit.estimators import MLPClassifier, NN2Classifier
from mlcvkit.experiments import Classes, Experiment, Labels, Numbers, prepare
from mlcvkit.experiments.targets import targets_from_dict
from mlcvkit.training import Hyperparameters


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_label_smoothing_spreads_its_share_over_all_classes(classes):
    y = np.arange(classes).repeat(2)
    targets = Classes(np.arange(classes))
    hard, soft = targets.encode(y, np.float64), targets.encode(y, np.float64, smoothing=0.3)
    if classes == 2:
        hard, soft = (np.stack([1 - column, column], axis=1) for column in (hard, soft))
    np.testing.assert_allclose(soft, 0.7 * hard + 0.3 / classes)
    np.testing.assert_allclose(soft.sum(axis=1), 1)


def test_only_the_training_rows_are_smoothed():
    rng = np.random.default_rng(0)
    samples = Samples("t", rng.normal(size=(300, 2)), rng.integers(3, size=300), "y", "")
    hp = Hyperparameters(hidden_units=(4,), epochs=2, patience=1, validation_samples=50, label_smoothing=0.1)
    prepared = prepare(Experiment(hyperparameters=hp), samples)
    assert set(np.unique(prepared.validation[1])) == {0, 1}
    np.testing.assert_allclose(np.unique(prepared.y), [0.1 / 3, 0.9 + 0.1 / 3], rtol=1e-6)
    assert prepared.configuration["label_smoothing"] == 0.1


@pytest.mark.parametrize("kind", [MLPClassifier, NN2Classifier])
def test_a_smoothed_estimator_is_less_sure(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = (X[:, 0] > 0).astype(int)
    plain, smooth = (
        kind(epochs=60, random_state=0, label_smoothing=smoothing).fit(X, y).predict_proba(X).max(axis=1).mean()
        for smoothing in (0.0, 0.3)
    )
    assert plain > 0.9 > smooth > 0.7


def test_numbers_are_not_smoothed():
    rng = np.random.default_rng(0)
    samples = Samples("t", rng.normal(size=(60, 2)), rng.normal(size=60), "y", "")
    with pytest.raises(InputError, match=r"would not use label_smoothing=0\.1: it is for classes"):
        prepare(Experiment(hyperparameters=Hyperparameters(label_smoothing=0.1)), samples)


@pytest.mark.parametrize(
    "targets",
    [Classes(np.array(["a", "b"])), Classes(np.array([0, 1]), ("odd", "even")), Labels(np.arange(3)),
     Numbers(np.array([1.5]), np.array([2.0])), Numbers(np.array([0.0, 1]), np.array([2.0, 3]), one_column=False)],
)  # fmt: skip
def test_what_a_file_holds_is_the_same_targets(targets):
    back = targets_from_dict(targets.to_dict())
    assert type(back) is type(targets) and back.to_dict() == targets.to_dict()
    assert (back.output, back.outputs) == (targets.output, targets.outputs)
