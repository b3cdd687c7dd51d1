"""What a report of a run is about: the model, and the samples it is measured on."""

import math
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mlcvkit.arrays import PlainData, RawRows
from mlcvkit.errors import InputError
from mlcvkit.experiments import Classes, Numbers, Predictor, as_numbers, targets_as_known, test_rows
from mlcvkit.models import MLP, OUTPUTS, as_mlp
from mlcvkit.report.page import percent
from mlcvkit.storage import SavedModel
from mlcvkit.training import as_columns
from mlcvlab.nn import Array

_PIXEL = re.compile(r"x\d+|p(ixel|x)?[_ ]?\d+([_x]\d+)?|\d+(x\d+)?", re.IGNORECASE)
"""The name of a pixel's column: x0 of an array without names, pixel_0_1, pixel17, 1x1."""


def _are_bytes(raw: RawRows) -> bool:
    """Whether all values are whole numbers from 0 to 255."""
    try:
        values = np.asarray(raw if isinstance(raw, np.ndarray) else raw.to_numpy(), np.float64)
    except (ValueError, TypeError):
        return False
    return bool(values.size and ((values >= 0) & (values <= 255) & (values == np.round(values))).all())


@dataclass
class Subject:
    """A trained model and its test samples.

    Parameters
    ----------
    name
        The name of the run.
    saved
        The model as it was saved.
    X
        The samples as the model takes them, (K, N), one a column.
    y
        Their targets, (C, N).
    raw
        The samples as they were given.
    names
        The names of the classes; none for a target of numbers.
    scale
        The mean and the scale of a target of numbers.
    missing
        Why there are no test samples.
    unknown
        The number of samples whose class the model does not know, which are not among these.
    measured_on
        What the samples are.
    notes
        What a person should know of the samples, a line each.
    """

    name: str
    saved: SavedModel
    X: Array
    y: Array
    raw: RawRows
    names: list[str]
    scale: tuple[float, float] = (0.0, 1.0)
    missing: str = ""
    unknown: int = 0
    measured_on: str = "test samples"
    notes: tuple[str, ...] = ()

    @property
    def model(self) -> MLP:
        """The model, which can be looked into."""
        return as_mlp(self.saved.model)

    @property
    def classifies(self) -> bool:
        """Whether it predicts classes."""
        return bool(self.names)

    @property
    def has_probabilities(self) -> bool:
        """Whether its output is a probability."""
        return self.classifies and self.model.output != "step"

    def some(self, most: int) -> tuple[Array, Array]:
        """Some of the samples, drawn at random.

        Parameters
        ----------
        most
            The largest number of samples.

        Returns
        -------
        tuple[Array, Array]
            The samples, (K, n), and their targets, (C, n).
        """
        count = self.X.shape[1]
        if count <= most:
            return self.X, self.y
        rows = np.sort(np.random.default_rng(0).choice(count, most, replace=False))
        return self.X[:, rows], self.y[:, rows]

    @cached_property
    def z(self) -> Array:
        """The logits, (C, N)."""
        return self.model.logits(self.X)

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
    def predicted(self) -> npt.NDArray[np.intp]:
        """The predicted class, (N,)."""
        classes: npt.NDArray[np.intp] = (self.z[0] > 0).astype(int) if len(self.z) == 1 else self.z.argmax(axis=0)
        return classes

    @property
    def left_out(self) -> str:
        """A sentence on the samples that cannot be among those measured, "" if there are none."""
        if not self.unknown:
            return ""
        right = float((self.predicted == self.truth).sum())
        share = percent(right / (self.unknown + len(self.truth)))
        return (
            f"{self.unknown:,} samples more are left out: the model does not know their class. With them, all wrong, "
            f"the accuracy is {share}."
        )

    @cached_property
    def pixels(self) -> npt.NDArray[np.intp] | None:
        """The place of each feature in a square image, (K,), or None if the samples are not square images.

        They are images if they were read as images; and so are tables of whole numbers from 0 to 255 whose columns have
        no names or are called pixels, such as scikit-learn's digits. Columns that the encoder left out have no feature.
        """
        state = self.saved.preprocessing
        columns = list(state.get("columns", {}))
        if state.get("encoder") == "images":
            places = np.arange(self.X.shape[0])
            count = len(places) if len(set(state.get("shape", ()))) == 1 else 0
        elif all(_PIXEL.fullmatch(name) for name in columns) and _are_bytes(self.raw):
            kept = [i for i, fact in enumerate(state["columns"].values()) if "reason" not in fact]
            places, count = np.array(kept, int), len(columns)
        else:
            return None
        side = math.isqrt(count)
        return places if side > 3 and side * side == count and len(places) == self.X.shape[0] else None

    def as_images(self, features: Array) -> Array:
        """Rows of features as square images, those of features that are not there 0.

        Parameters
        ----------
        features
            The rows, (n, K).

        Returns
        -------
        Array
            The images, (n, side · side).
        """
        assert self.pixels is not None
        count = len(self.saved.preprocessing.get("columns", {})) or len(self.pixels)
        images = np.zeros((len(features), count), features.dtype)
        images[:, self.pixels] = features
        return images

    def pictures(self, chosen: npt.NDArray[np.intp]) -> Array:
        """Some of the samples as square images, as they were before their encoding.

        Parameters
        ----------
        chosen
            Their indices.

        Returns
        -------
        Array
            The images, (n, side · side).
        """
        raw = self.raw[chosen]
        rows: Array = np.asarray(raw if isinstance(raw, np.ndarray) else raw.to_numpy(), np.float64)
        return rows.reshape(len(chosen), -1)


def read_subject(run: Path, data: str | None = None, target: str | None = None) -> Subject:
    """Read the model of a run, with samples to measure it on.

    Parameters
    ----------
    run
        The folder of the run.
    data
        The data to measure it with. By default the rows that its training held out.
    target
        The column of the target in these data.

    Returns
    -------
    Subject
        The model and the samples.

    Raises
    ------
    InputError
        If there is no model, or no samples to measure it on.
    """
    predictor, saved = Predictor.load(run)
    name = run.resolve().name if run.is_dir() else run.resolve().parent.name
    try:
        notes: list[str] = []
        raw, y = test_rows(predictor, saved.configuration, data, target, notes)
    except InputError as error:
        if data is not None:
            raise
        return _unmeasured(name, saved, predictor, str(error))
    what: PlainData = {"notes": (*notes, *predictor.notes_on(raw))}
    what |= {} if data is None else {"measured_on": f"samples of {Path(data).name}"}
    targets = predictor.targets
    X = predictor.encoder.transform(raw).T.astype(saved.model.W[0].dtype)
    if isinstance(targets, Numbers):
        scale = float(targets.mean[0]), float(targets.scale[0])
        numbers = as_numbers(y, predictor.target, predictor.thousands, predictor.unit)
        return Subject(name, saved, X, targets.encode(numbers, np.float64)[None], raw, [], scale, **what)
    if not isinstance(targets, Classes):
        return _unmeasured(name, saved, predictor, "it predicts several labels")
    y = targets_as_known(targets, y, predictor.target, predictor.thousands, predictor.unit)
    rows = np.flatnonzero(np.isin(y, targets.classes))
    encoded = as_columns(targets.encode(y[rows], X.dtype))
    unknown = len(y) - len(rows)
    return Subject(name, saved, X[:, rows], encoded, raw[rows], list(targets.class_names), unknown=unknown, **what)


def _unmeasured(name: str, saved: SavedModel, predictor: Predictor, missing: str) -> Subject:
    """A model without samples: its curves and its units can be seen."""
    W = as_mlp(saved.model).pairs(saved.model.W)
    X, y = np.zeros((W[0][0].shape[1], 0), W[0][0].dtype), np.zeros((len(W[-1][0]), 0), W[0][0].dtype)
    names = list(predictor.targets.class_names) if isinstance(predictor.targets, Classes) else []
    return Subject(name, saved, X, y, X.T, names, missing=f"It could not be measured: {missing}.")
