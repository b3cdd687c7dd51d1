"""Models beside NN2, built from ``mlcvlab.nn`` and ``Layer``: perceptron, NN1, and the MLP of any depth.

Each has ``layers``, ``W``, ``emp_loss`` and ``emp_loss_grad`` as NN2 has, and ``predict``. Inside a model a sample is a
column.
"""

from mlcvkit.models.activations import ACTIVATIONS, Activation, ActivationName, Attribute
from mlcvkit.models.handout import architecture, as_mlp, as_trained, predictions
from mlcvkit.models.initializations import INITIALIZATIONS, InitializationName, scale_weights
from mlcvkit.models.linear import start_as_linear, why_not_linear
from mlcvkit.models.mlp import MLP, NN1, Dense, dropout_mask
from mlcvkit.models.model import Model
from mlcvkit.models.outputs import LOSSES, OUTPUTS, Loss, LossName, OutputName, logit_loss, losses_behind
from mlcvkit.models.perceptron import Perceptron
from mlcvkit.renamed import resolved

__all__ = [
    "ACTIVATIONS",
    "INITIALIZATIONS",
    "LOSSES",
    "MLP",
    "NN1",
    "OUTPUTS",
    "Activation",
    "ActivationName",
    "Attribute",
    "Dense",
    "InitializationName",
    "Loss",
    "LossName",
    "Model",
    "OutputName",
    "Perceptron",
    "architecture",
    "as_mlp",
    "as_trained",
    "dropout_mask",
    "logit_loss",
    "losses_behind",
    "predictions",
    "scale_weights",
    "start_as_linear",
    "why_not_linear",
]

__getattr__ = resolved(__name__)
