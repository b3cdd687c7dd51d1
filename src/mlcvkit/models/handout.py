"""The one place that knows the handout's NN2: everywhere else it is the MLP that is equal to it."""

from typing import Any

from mlcvkit.models.mlp import MLP
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn import Array


def as_mlp(model: Any) -> MLP:
    """An NN2, or what has its weights, as the MLP that is equal to it and has the same weights; an MLP as it is."""
    if isinstance(model, MLP):
        return model
    equal = MLP((len(model.W[0]),), loss=getattr(model, "loss", "cross_entropy"), biases=False)
    equal.W = list(model.W)
    return equal


def as_trained(model: Any) -> Any:
    """What is trained in the place of a model: of an NN2 the equal MLP, of any other, a subclass too, itself.

    Raises
    ------
    ValueError
        For an NN2 without weights.
    """
    if type(model) is not NN2:
        return model
    if any(w is None for w in model.W):
        raise ValueError("the model has no weights to start from: initialise it or assign its W")
    return as_mlp(model)


def predictions(model: Any, X: Any) -> Array:
    """The output of a model for samples, (K, N): by its ``nn2`` or its ``predict``, (C, N)."""
    y_hat: Array = model.nn2(X) if isinstance(model, NN2) else model.predict(X)
    return y_hat


def architecture(model: Any) -> dict[str, Any]:
    """The arguments that make a model, without its weights."""
    if isinstance(model, NN2):
        return {"loss": model.loss}
    stored: dict[str, Any] = model.architecture()
    return stored
