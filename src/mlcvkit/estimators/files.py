"""Estimators as model files: what stands around a model, as plain data."""

from collections.abc import Hashable, Iterable
from dataclasses import fields
from pathlib import Path

import numpy as np

from mlcvkit.arrays import PlainData
from mlcvkit.errors import InputError
from mlcvkit.estimators.base import NetworkEstimator
from mlcvkit.estimators.classifiers import MLPClassifier, NN2Classifier, PerceptronClassifier
from mlcvkit.estimators.regressor import MLPRegressor
from mlcvkit.experiments import completed, targets_from_dict
from mlcvkit.models import Loss
from mlcvkit.storage import SavedModel, load_model

ESTIMATORS: PlainData = {
    kind.__name__: kind for kind in (MLPClassifier, MLPRegressor, NN2Classifier, PerceptronClassifier)
}
"""The estimators by their names in a file."""


def saved_model(estimator: NetworkEstimator) -> SavedModel:
    """A fitted estimator as what ``mlcvkit.storage.save_model`` writes and ``export_onnx`` exports.

    Callbacks, a custom loss, a random state that is no number and the state of the optimizer are not saved: a
    ``partial_fit`` goes on with the schedule, and with a new state of the optimizer.

    Parameters
    ----------
    estimator
        The fitted estimator.

    Returns
    -------
    SavedModel
        The model with all that is stored beside its weights.

    Raises
    ------
    InputError
        If the estimator is not fitted.
    """
    if not hasattr(estimator, "model_"):
        raise InputError(f"this {type(estimator).__name__} is not fitted yet: call fit first")
    parameters = {field.name: getattr(estimator, field.name) for field in fields(estimator)}
    parameters.pop("callbacks")
    facts: PlainData = {
        "kind": type(estimator).__name__,
        "parameters": {name: _plain(value) for name, value in parameters.items() if _is_plain(value)},
        "n_features": int(estimator.n_features_in_),
    }
    class_weight = getattr(estimator, "class_weight", None)
    if isinstance(class_weight, dict):
        facts["class_weight"] = _pairs_of(class_weight)
    elif isinstance(class_weight, list | tuple):
        facts["class_weights"] = [_pairs_of(of_a_label) for of_a_label in class_weight]
    facts["passes"] = [estimator.n_iter_, getattr(estimator, "_passes", 0), getattr(estimator, "_fitted_epochs", 0)]
    if isinstance(getattr(estimator, "loss", None), Loss):
        facts["own_loss"] = True
    if hasattr(estimator, "feature_names_in_"):
        facts["feature_names"] = list(estimator.feature_names_in_)
    facts |= estimator._targets.to_dict()
    return SavedModel(estimator.model_, history=estimator.history_, estimator=facts)


def restored_estimator(saved: SavedModel) -> NetworkEstimator:
    """The estimator that ``saved_model`` was made of.

    Parameters
    ----------
    saved
        The model as it was saved.

    Returns
    -------
    NetworkEstimator
        The fitted estimator.

    Raises
    ------
    InputError
        If it holds none.
    """
    facts = saved.estimator
    try:
        parameters = dict(facts["parameters"])
        if isinstance(parameters.get("hidden_units"), list):
            parameters["hidden_units"] = tuple(parameters["hidden_units"])
        if "class_weight" in facts:
            parameters["class_weight"] = _weights_of(facts["class_weight"])
        if "class_weights" in facts:
            parameters["class_weight"] = [_weights_of(pairs) for pairs in facts["class_weights"]]
        estimator: NetworkEstimator = ESTIMATORS[facts["kind"]](**parameters)
        estimator.n_features_in_ = facts["n_features"]
        if "feature_names" in facts:
            estimator.feature_names_in_ = np.array(facts["feature_names"], dtype=object)
        estimator._targets = targets_from_dict(facts)
        epochs = len(saved.history.get("epoch", []))
        iterations, passes, fitted = map(int, facts.get("passes", (epochs, 0, epochs)))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"the file holds a model and no estimator around it: {error}") from None
    estimator.model_, estimator.history_ = saved.model, saved.history
    estimator.n_iter_, estimator._passes, estimator._fitted_epochs = iterations, passes, fitted
    estimator.interrupted_ = False
    estimator._had_own_loss = bool(facts.get("own_loss"))
    return estimator


def load_estimator(path: Path | str) -> NetworkEstimator:
    """Read what an estimator's ``save`` wrote.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    NetworkEstimator
        The fitted estimator.

    Raises
    ------
    InputError
        For any other file, and for a run that reads a table, with the path.

    See Also
    --------
    load : The predictor of a run, which reads tables and images.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from mlcvkit import MLPRegressor
    >>> X = np.arange(20.0)[:, None]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "line.safetensors"
    ...     MLPRegressor(epochs=2, random_state=0).fit(X, X[:, 0]).save(path)
    ...     load_estimator(path).predict(X).shape
    (20,)
    """
    try:
        saved = completed(load_model(Path(path)))
        if saved.preprocessing.get("encoder", "images") != "images":
            raise InputError("it reads a table, with an encoder that the estimator would lack: use mlcvkit.load")
        return restored_estimator(saved)
    except InputError as error:
        raise InputError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from None


def _pairs_of(class_weight: dict[Hashable, float]) -> list[list[object]]:
    return [[_plain(label), float(weight)] for label, weight in class_weight.items()]


def _weights_of(pairs: Iterable[tuple[Hashable, float]]) -> dict[Hashable, float]:
    return {label: float(weight) for label, weight in pairs}


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple | list | np.ndarray):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str | np.integer | np.floating | np.bool_)


def _plain(value: object) -> object:
    if isinstance(value, tuple | list | np.ndarray):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
