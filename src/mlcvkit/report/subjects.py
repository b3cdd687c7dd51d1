"""What a report of a run is about: the model, and the samples it is measured on."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlcvkit import InputError, datasets, storage
from mlcvkit.estimators import Predictor
from mlcvkit.estimators.predictor import test_samples
from mlcvkit.models import MLP, as_mlp
from mlcvkit.models.outputs import OUTPUTS
from mlcvkit.storage import SavedModel
from mlcvlab.nn import Array


@dataclass
class Subject:
    """A trained model and its test samples.

    ``X``, (K, N), are the samples as the model takes them, a sample a column, and ``y``, (C, N), their targets;
    ``raw`` the rows as they were given; ``names`` those of the classes, none for a target of numbers; ``scale``, by
    which a number is scaled back.
    """

    name: str
    saved: SavedModel
    X: Array
    y: Array
    raw: Any
    names: list[str]
    scale: tuple[float, float] = (0.0, 1.0)
    missing: str = ""

    @property
    def model(self) -> MLP:
        """The model, which can be looked into."""
        return as_mlp(self.saved.model)

    @property
    def classifies(self) -> bool:
        """Whether it tells classes."""
        return bool(self.names)

    @property
    def has_probabilities(self) -> bool:
        """Whether its output is one, and not a decision alone."""
        return self.classifies and self.model.output != "step"

    @property
    def is_parity(self) -> bool:
        """Whether it is NN2 on MNIST's even and odd digits, as the handout wants it."""
        return not self.saved.estimator

    def some(self, most: int) -> tuple[Array, Array]:
        """Samples and targets, so many at most, drawn at random."""
        count = self.X.shape[1]
        if count <= most:
            return self.X, self.y
        rows = np.sort(np.random.default_rng(0).choice(count, most, replace=False))
        return self.X[:, rows], self.y[:, rows]

    @cached_property
    def z(self) -> Array:
        """The argument of the output, (C, N)."""
        return self.model.decision(self.X)

    @cached_property
    def probabilities(self) -> Array:
        """The probability of each class, (classes, N)."""
        answers = OUTPUTS[self.model.output].function(self.z)
        return np.vstack([1 - answers, answers]) if len(answers) == 1 else answers

    @cached_property
    def truth(self) -> npt.NDArray[np.intp]:
        """The class of each sample, (N,)."""
        classes: npt.NDArray[np.intp] = self.y[0].astype(int) if len(self.y) == 1 else self.y.argmax(axis=0)
        return classes

    @cached_property
    def said(self) -> npt.NDArray[np.intp]:
        """The class that is said, (N,)."""
        classes: npt.NDArray[np.intp] = (self.z[0] > 0).astype(int) if len(self.z) == 1 else self.z.argmax(axis=0)
        return classes

    @property
    def side(self) -> int | None:
        """The side of the images that the samples are, None where they are no square images."""
        side = math.isqrt(self.X.shape[0])
        images = self.is_parity or self.saved.preprocessing.get("encoder") == "images"
        return side if images and side * side == self.X.shape[0] and side > 3 else None


def read_subject(run: Path, data: str | None = None, target: str | None = None) -> Subject:
    """The model of a run, with the samples its training held out, or those of ``data``.

    Raises: InputError where there is no model, or no samples to measure it on.
    """
    saved = storage.load_model(run)
    name = run.resolve().name if run.is_dir() else run.resolve().parent.name
    if not saved.estimator:
        if saved.model.W[0].shape[1] != datasets.SIDE**2:
            raise InputError(f"{run} does not read the {datasets.SIDE**2} pixels of MNIST's images")
        if data is not None:
            raise InputError(f"{run} is NN2 on MNIST, and is measured on MNIST: leave out {data}")
        X, y = datasets.mnist_test_parity()
        return Subject(name, saved, X.T, y[None], X, ["odd", "even"])
    predictor, saved = Predictor.load(run)
    try:
        raw, y = test_samples(predictor, saved, data, target)
    except InputError as error:
        if data is not None:
            raise
        return _unmeasured(name, saved, predictor, str(error))
    X = predictor.encoder.transform(raw).T.astype(saved.model.W[0].dtype)
    if not predictor.classifies:
        facts = saved.estimator
        mean, scale = (float(np.ravel(facts[key])[0]) for key in ("target_mean", "target_scale"))
        numbers = np.asarray(y, np.float64)
        return Subject(name, saved, X, ((numbers - mean) / scale)[None], raw, [], (mean, scale))
    classes = predictor.estimator.classes_
    y = np.asarray(list(map(str, y.tolist()))) if classes.dtype.kind == "U" else np.asarray(y)
    known = np.isin(y, classes)
    if not known.any():
        raise InputError(f"no target of the data is one of the classes {', '.join(map(str, classes[:10]))}")
    one_hot = (y[known][None] == classes[:, None]).astype(X.dtype)
    rows = np.flatnonzero(known)
    return Subject(
        name, saved, X[:, rows], one_hot[1:] if len(classes) == 2 else one_hot, raw[rows], list(map(str, classes))
    )


def _unmeasured(name: str, saved: SavedModel, predictor: Predictor, missing: str) -> Subject:
    """A model without samples: its curves and its units can be seen."""
    W = as_mlp(saved.model).pairs(saved.model.W)
    X, y = np.zeros((W[0][0].shape[1], 0), W[0][0].dtype), np.zeros((len(W[-1][0]), 0), W[0][0].dtype)
    names = list(map(str, predictor.estimator.classes_)) if predictor.classifies else []
    return Subject(name, saved, X, y, X.T, names, missing=f"It could not be measured: {missing}.")
