"""The one place that knows the handout's NN2: everywhere else it is the MLP that is equal to it."""

from collections.abc import Callable

from mlcvkit.arrays import PlainData
from mlcvkit.models.mlp import MLP
from mlcvkit.models.model import Model
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn import Array


def as_mlp(model: Model) -> MLP:
    """The MLP that is equal to a model and shares its weights.

    Parameters
    ----------
    model
        An NN2, what has an NN2's weights, or an MLP, which is returned as it is.

    Returns
    -------
    MLP
        The MLP.
    """
    if isinstance(model, MLP):
        return model
    equal = MLP((len(model.W[0]),), loss=getattr(model, "loss", "cross_entropy"), biases=False)
    equal.W = list(model.W)
    return equal


def as_trained(model: Model) -> Model:
    """What is trained in place of a model: the equal MLP for an NN2, the model itself for any other.

    Parameters
    ----------
    model
        An NN2 with weights, or any other model.

    Returns
    -------
    Model
        The model to train. Training it changes the weights of the model that was given.

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


def predictions(model: Model, X: Array) -> Array:
    """The output of a model for some samples.

    Parameters
    ----------
    model
        A model with ``nn2`` or with ``predict``.
    X
        The samples, (K, N).

    Returns
    -------
    Array
        The predictions ŷ, (C, N).
    """
    ask: Callable[[Array], Array] = model.nn2 if isinstance(model, NN2) else getattr(model, "predict")  # noqa: B009
    return ask(X)


def architecture(model: NN2 | MLP) -> PlainData:
    """The arguments that make a model, without its weights.

    Parameters
    ----------
    model
        An NN2 or an MLP.

    Returns
    -------
    PlainData
        The arguments by name.
    """
    if isinstance(model, NN2):
        return {"loss": model.loss}
    return model.architecture()
