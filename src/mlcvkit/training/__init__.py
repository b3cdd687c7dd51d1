"""The training loop and its parts: batches, augmentation, optimizers, schedules, kernels, checkpoints."""

from mlcvkit.renamed import resolved
from mlcvkit.training.augmentation import Augmentation
from mlcvkit.training.batches import Batch
from mlcvkit.training.checkpoints import CHECKPOINT_FILE, Checkpoint, WriteCheckpoints
from mlcvkit.training.coordinates import coordinate_sgd, coordinates_of
from mlcvkit.training.gradients import ModelGradient, as_columns, flatten
from mlcvkit.training.hyperparameters import NOT_SEARCHED, Hyperparameters
from mlcvkit.training.loop import (
    MEASURED_SAMPLES,
    Callback,
    Epoch,
    History,
    Metric,
    Run,
    StopTraining,
    Training,
    Validation,
    accuracy,
    fit,
    split_validation,
)
from mlcvkit.training.optimizers import OPTIMIZERS, OptimizerName, State, text_of, with_fields_of_optimizers
from mlcvkit.training.progress import ProgressBar
from mlcvkit.training.recipes import RECIPES
from mlcvkit.training.schedules import SCHEDULES, ScheduleName
from mlcvkit.training.steps import Measured, MiniBatchSteps, Step, Steps, lies_elsewhere, with_penalty_and_limit

__all__ = [
    "CHECKPOINT_FILE",
    "MEASURED_SAMPLES",
    "NOT_SEARCHED",
    "OPTIMIZERS",
    "RECIPES",
    "SCHEDULES",
    "Augmentation",
    "Batch",
    "Callback",
    "Checkpoint",
    "Epoch",
    "History",
    "Hyperparameters",
    "Measured",
    "Metric",
    "MiniBatchSteps",
    "ModelGradient",
    "OptimizerName",
    "ProgressBar",
    "Run",
    "ScheduleName",
    "State",
    "Step",
    "Steps",
    "StopTraining",
    "Training",
    "Validation",
    "WriteCheckpoints",
    "accuracy",
    "as_columns",
    "coordinate_sgd",
    "coordinates_of",
    "fit",
    "flatten",
    "lies_elsewhere",
    "split_validation",
    "text_of",
    "with_fields_of_optimizers",
    "with_penalty_and_limit",
]

__getattr__ = resolved(__name__)
