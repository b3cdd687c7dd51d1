"""mlcvkit: small, auditable neural networks in NumPy, around the mathematics of mlcvlab.

Here, as everywhere in the Python data world, a sample is a row. Everything public is in this module's ``__all__`` and
is loaded when it is first asked for.

>>> from mlcvkit import Experiment, Hyperparameters, train
>>> experiment = Experiment(data="moons", hyperparameters=Hyperparameters(epochs=50, learning_rate=0.01))
>>> trained = train(experiment)
>>> trained.predictor.measure(*trained.test)["accuracy"] > 0.8
True
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlcvkit.cluster import ShardedSamples, connect, find_shards, train_on_shards
    from mlcvkit.datasets import Samples, TableEncoder, mnist, read
    from mlcvkit.errors import InputError, MissingExtra
    from mlcvkit.estimators import MLPClassifier, MLPRegressor, NN2Classifier, PerceptronClassifier, load_estimator
    from mlcvkit.experiments import Experiment, Predictor, Trained, load, prepare, train
    from mlcvkit.models import MLP, Loss, Perceptron
    from mlcvkit.report import report_on
    from mlcvkit.storage import export_onnx, load_model, save_model
    from mlcvkit.training import (
        RECIPES,
        Callback,
        Hyperparameters,
        ProgressBar,
        Run,
        StopTraining,
        WriteCheckpoints,
        accuracy,
        fit,
    )
    from mlcvkit.tuning import tune

_ROOMS = {
    "cluster": ("ShardedSamples", "connect", "find_shards", "train_on_shards"),
    "datasets": ("Samples", "TableEncoder", "mnist", "read"),
    "errors": ("InputError", "MissingExtra"),
    "estimators": ("MLPClassifier", "MLPRegressor", "NN2Classifier", "PerceptronClassifier", "load_estimator"),
    "experiments": ("Experiment", "Predictor", "Trained", "load", "prepare", "train"),
    "models": ("MLP", "Loss", "Perceptron"),
    "report": ("report_on",),
    "storage": ("export_onnx", "load_model", "save_model"),
    "training": (
        *("RECIPES", "Callback", "Hyperparameters", "ProgressBar", "Run", "StopTraining", "WriteCheckpoints"),
        *("accuracy", "fit"),
    ),
    "tuning": ("tune",),
}
"""Where each public name is."""

__all__ = [
    "MLP",
    "RECIPES",
    "Callback",
    "Experiment",
    "Hyperparameters",
    "InputError",
    "Loss",
    "MLPClassifier",
    "MLPRegressor",
    "MissingExtra",
    "NN2Classifier",
    "Perceptron",
    "PerceptronClassifier",
    "Predictor",
    "ProgressBar",
    "Run",
    "Samples",
    "ShardedSamples",
    "StopTraining",
    "TableEncoder",
    "Trained",
    "WriteCheckpoints",
    "accuracy",
    "connect",
    "export_onnx",
    "find_shards",
    "fit",
    "load",
    "load_estimator",
    "load_model",
    "mnist",
    "prepare",
    "read",
    "report_on",
    "save_model",
    "train",
    "train_on_shards",
    "tune",
]


def __getattr__(name: str) -> object:
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(f"mlcvkit.{room}"), name)
    from mlcvkit.renamed import resolved

    return resolved(__name__)(name)


def __dir__() -> list[str]:
    return __all__
