"""Public names that have another name now. An old one still works where it means the same, with a warning."""

import warnings
from collections.abc import Callable
from importlib import import_module

RENAMED = {
    "mlcvkit.estimators.Predictor": "mlcvkit.experiments.Predictor",
    "mlcvkit.models.HIDDEN_ACTIVATIONS": "mlcvkit.models.ACTIVATIONS",
    "mlcvkit.models.loss_of_z": "mlcvkit.models.logit_loss",
    "mlcvkit.require": "mlcvkit.extras.require",
}
"""Old name, new name: the same thing."""
GONE = {
    "mlcvkit.cluster.train_predictor_on_shards": "mlcvkit.cluster.train_on_shards(experiment, shards)",
    "mlcvkit.estimators.train_predictor": "mlcvkit.train(experiment, samples)",
    "mlcvkit.training.parity_task": "mlcvkit.prepare(experiment)",
}
"""Old name, and what does its work now in another way."""


def resolved(module: str) -> Callable[[str], object]:
    """The ``__getattr__`` of a module whose names have changed.

    Parameters
    ----------
    module
        The name of the module.

    Returns
    -------
    Callable[[str], object]
        A function that returns the value under the new name, with a warning.
    """

    def attribute(name: str) -> object:
        old = f"{module}.{name}"
        if old in RENAMED:
            place, _, new = RENAMED[old].rpartition(".")
            warnings.warn(f"{old} is {RENAMED[old]} now", FutureWarning, stacklevel=2)
            return getattr(import_module(place), new)
        advice = f"; use {GONE[old]}" if old in GONE else ""
        raise AttributeError(f"module {module!r} has no attribute {name!r}{advice}")

    return attribute
