"""The one way from a user's data to a trained network: an experiment is specified, trained, measured and saved."""

from mlcvkit.experiments.kinds import (
    KINDS,
    Kind,
    KindName,
    recipe_for,
    require_used,
    used,
    with_used_only,
    without_old_defaults,
)
from mlcvkit.experiments.measuring import test_rows
from mlcvkit.experiments.predictor import Predictor
from mlcvkit.experiments.specification import Experiment, portable
from mlcvkit.experiments.splits import TEST_FRACTION, Rows, split_rows, split_test_rows
from mlcvkit.experiments.targets import Classes, Labels, Numbers, Targets, Task, checked_target, learn_targets
from mlcvkit.experiments.training import Preparation, Trained, holds_images, prepare, prepare_rows, train

__all__ = [
    "KINDS",
    "TEST_FRACTION",
    "Classes",
    "Experiment",
    "Kind",
    "KindName",
    "Labels",
    "Numbers",
    "Predictor",
    "Preparation",
    "Rows",
    "Targets",
    "Task",
    "Trained",
    "checked_target",
    "holds_images",
    "learn_targets",
    "portable",
    "prepare",
    "prepare_rows",
    "recipe_for",
    "require_used",
    "split_rows",
    "split_test_rows",
    "test_rows",
    "train",
    "used",
    "with_used_only",
    "without_old_defaults",
]
