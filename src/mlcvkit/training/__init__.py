"""The training loop and what it is made of: batches, augmentation, optimizers, schedules, kernels, checkpoints."""

from mlcvkit.training.checkpoints import CHECKPOINT_FILE, Checkpoint, WriteCheckpoints
from mlcvkit.training.hyperparameters import Hyperparameters
from mlcvkit.training.loop import Callback, History, Run, StopTraining, accuracy, fit, split_validation
from mlcvkit.training.progress import ProgressBar
from mlcvkit.training.recipes import RECIPES

__all__ = [
    "CHECKPOINT_FILE",
    "RECIPES",
    "Callback",
    "Checkpoint",
    "History",
    "Hyperparameters",
    "ProgressBar",
    "Run",
    "StopTraining",
    "WriteCheckpoints",
    "accuracy",
    "fit",
    "split_validation",
]
