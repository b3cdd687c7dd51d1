"""The one way from a user's data to a trained network: an experiment is specified, trained, measured and saved."""

from mlcvkit.experiments.fitting import fit_from, fit_network
from mlcvkit.experiments.kinds import (
    KINDS,
    Kind,
    KindName,
    notes_of_optimizer,
    recipe_for,
    require_used,
    used,
    with_used_only,
    without_old_defaults,
)
from mlcvkit.experiments.measuring import SPLIT, test_rows
from mlcvkit.experiments.penalty import USUAL_PENALTY
from mlcvkit.experiments.predictor import Predictor, as_numbers, completed, confusion_matrix, load, targets_as_known
from mlcvkit.experiments.repeating import MEASURES, folds_of, repeats_of, scores_of, summarised
from mlcvkit.experiments.specification import Experiment, portable
from mlcvkit.experiments.splits import TEST_FRACTION, LabelledRows, require_fraction_used, split_rows, split_test_rows
from mlcvkit.experiments.targets import (
    Classes,
    Labels,
    Numbers,
    Targets,
    Task,
    checked_target,
    learn_targets,
    targets_from_dict,
)
from mlcvkit.experiments.training import (
    Preparation,
    Trained,
    circumstances,
    estimator_to_dict,
    make_network,
    prepare,
    prepare_rows,
    require_fits,
    train,
)

__all__ = [
    "KINDS",
    "MEASURES",
    "SPLIT",
    "TEST_FRACTION",
    "USUAL_PENALTY",
    "Classes",
    "Experiment",
    "Kind",
    "KindName",
    "LabelledRows",
    "Labels",
    "Numbers",
    "Predictor",
    "Preparation",
    "Targets",
    "Task",
    "Trained",
    "as_numbers",
    "checked_target",
    "circumstances",
    "completed",
    "confusion_matrix",
    "estimator_to_dict",
    "fit_from",
    "fit_network",
    "folds_of",
    "learn_targets",
    "load",
    "make_network",
    "notes_of_optimizer",
    "portable",
    "prepare",
    "prepare_rows",
    "recipe_for",
    "repeats_of",
    "require_fits",
    "require_fraction_used",
    "require_used",
    "scores_of",
    "split_rows",
    "split_test_rows",
    "summarised",
    "targets_as_known",
    "targets_from_dict",
    "test_rows",
    "train",
    "used",
    "with_used_only",
    "without_old_defaults",
]
