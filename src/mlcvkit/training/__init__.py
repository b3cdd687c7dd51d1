"""The training loop and what it is made of: batches, augmentation, optimizers, schedules, kernels, checkpoints."""

from mlcvkit.training.hyperparameters import Hyperparameters
from mlcvkit.training.loop import Callback, History, Run, StopTraining, accuracy, fit, split_validation
from mlcvkit.training.recipes import RECIPES

__all__ = [
    "RECIPES",
    "Callback",
    "History",
    "Hyperparameters",
    "Run",
    "StopTraining",
    "accuracy",
    "fit",
    "split_validation",
]
