"""What a network learns to predict: one of several classes, any of several labels, or numbers.

Each kind of targets says which numbers stand for them in the training, and what the network's logits mean.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from mlcvkit.arrays import PlainData, Values
from mlcvkit.datasets import MISSING_NUMBERS, Samples, alike_names, no_number
from mlcvkit.errors import InputError
from mlcvkit.models import OUTPUTS, OutputName
from mlcvlab.nn import Array

Task = Literal["classification", "regression"]

MOST_CLASSES = 20
"""Whole numbers with up to this many different values are classes if no task is given."""
MOST_LIKELY_CLASSES = 64
"""Whole numbers from 0 or 1 on, without a gap and up to this many, may be labels, such as those of letters."""
FEWEST_ROWS = 5
"""The fewest rows that can be trained on and tested with."""
LARGEST_NUMBER = 1e150


@dataclass(frozen=True, eq=False)
class Classes:
    """One of several classes; two are told apart by a sigmoid, more by a softmax.

    Parameters
    ----------
    classes
        The classes, (C,), ascending.
    names
        Their names, if these differ from the classes.
    """

    classes: Values
    names: tuple[str, ...] = ()

    task: ClassVar[Task] = "classification"
    score: ClassVar[str] = "accuracy"

    @property
    def binary(self) -> bool:
        """Whether there are two classes."""
        return len(self.classes) == 2

    @property
    def output(self) -> OutputName:
        """The output activation that fits."""
        return "sigmoid" if self.binary else "softmax"

    @property
    def outputs(self) -> int:
        """The number of outputs C of the network."""
        return 1 if self.binary else len(self.classes)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, in their order."""
        return self.names or tuple(map(str, self.classes))

    def encode(self, y: Values, dtype: npt.DTypeLike, smoothing: float = 0.0) -> Array:
        """Encode the targets: 1 for the second of two classes, else a column for each class.

            y' = (1 - ε) y + ε / C      for label smoothing ε and C classes

        Parameters
        ----------
        y
            The classes, (N,).
        dtype
            The dtype of the result.
        smoothing
            The label smoothing ε, in [0, 1).

        Returns
        -------
        Array
            The encoded targets, (N,) or (N, C).

        Raises
        ------
        ValueError
            For classes that are not among these.

        References
        ----------
        Szegedy, Vanhoucke, Ioffe, Shlens, Wojna (2016), "Rethinking the inception architecture for computer vision",
        section 7.
        """
        index = np.searchsorted(self.classes, y).clip(max=len(self.classes) - 1)
        unknown = self.classes[index] != y
        if unknown.any():
            raise ValueError(f"y has classes that are not among {self.classes}: {np.unique(y[unknown])[:10]}")
        if self.binary:
            encoded = index.astype(dtype)
        else:
            encoded = np.zeros((len(y), len(self.classes)), dtype)
            encoded[np.arange(len(y)), index] = 1
        return self.smoothed(encoded, smoothing)

    def smoothed(self, encoded: Array, smoothing: float) -> Array:
        """Apply label smoothing.

        Parameters
        ----------
        encoded
            The encoded targets.
        smoothing
            The label smoothing ε, in [0, 1).

        Returns
        -------
        Array
            The smoothed targets, of the same shape.
        """
        return _smoothed(encoded, smoothing, len(self.classes))

    def strata(self, targets: Array) -> Array:
        """The strata of which each side of a split gets its share.

        Parameters
        ----------
        targets
            The encoded targets.

        Returns
        -------
        Array
            The stratum of each, (N,).
        """
        return targets if targets.ndim == 1 else targets.argmax(axis=1)

    def predicted(self, logits: Array) -> Values:
        """The class with the largest logit.

        Parameters
        ----------
        logits
            The logits, (N, C).

        Returns
        -------
        Array
            The classes, (N,).
        """
        best = (logits[:, 0] > 0).astype(int) if self.binary else logits.argmax(axis=1)
        return np.asarray(self.classes[best])

    def probabilities(self, logits: Array, output: str) -> Array:
        """The probability of each class.

        Parameters
        ----------
        logits
            The logits, (N, C).
        output
            The output activation of the network.

        Returns
        -------
        Array
            The probabilities, (N, number of classes).
        """
        y_hat = OUTPUTS[output].function(logits.T).T
        return np.hstack([1 - y_hat, y_hat]) if self.binary else y_hat

    def to_dict(self) -> PlainData:
        """What a model file records."""
        if self.classes.dtype.kind in "mM":
            raise InputError(f"classes of {self.classes.dtype} cannot be saved: give them as text, y.astype(str)")
        return {"classes": self.classes.tolist(), "has_labels": False} | (
            {"class_names": list(self.names)} if self.names else {}
        )


@dataclass(frozen=True, eq=False)
class Labels:
    """Any of several labels, each predicted by a sigmoid: y is (N, C) of 0 and 1.

    Parameters
    ----------
    classes
        The names of the labels, (C,).
    """

    classes: Values

    task: ClassVar[Task] = "classification"
    score: ClassVar[str] = "accuracy"
    binary: ClassVar[bool] = False
    output: ClassVar[OutputName] = "sigmoid"

    @property
    def outputs(self) -> int:
        """The number of outputs C of the network."""
        return len(self.classes)

    def encode(self, y: Values, dtype: npt.DTypeLike, smoothing: float = 0.0) -> Array:
        """Encode the targets.

        Parameters
        ----------
        y
            The labels, (N, C), of 0 and 1.
        dtype
            The dtype of the result.
        smoothing
            The label smoothing, in [0, 1), where each label counts as two classes.

        Returns
        -------
        Array
            The encoded targets, (N, C).

        Raises
        ------
        ValueError
            If y has another number of columns.
        """
        if y.ndim != 2 or y.shape[1] != len(self.classes):
            raise ValueError(f"y must have {len(self.classes)} columns, one for each label; got {y.shape}")
        return self.smoothed(y.astype(dtype), smoothing)

    def smoothed(self, encoded: Array, smoothing: float) -> Array:
        """Apply label smoothing, each label as one of two classes.

        Parameters
        ----------
        encoded
            The encoded targets, (N, C).
        smoothing
            The label smoothing, in [0, 1).

        Returns
        -------
        Array
            The smoothed targets, (N, C).
        """
        return _smoothed(encoded, smoothing, 2)

    def strata(self, targets: Array) -> None:
        """None: a split draws from all rows equally.

        Parameters
        ----------
        targets
            The encoded targets.
        """
        return

    def predicted(self, logits: Array) -> Values:
        """The labels with a positive logit.

        Parameters
        ----------
        logits
            The logits, (N, C).

        Returns
        -------
        Array
            0 or 1 for each label, (N, C).
        """
        return (logits > 0).astype(int)

    def probabilities(self, logits: Array, output: str) -> Array:
        """The probability of each label.

        Parameters
        ----------
        logits
            The logits, (N, C).
        output
            The output activation of the network.

        Returns
        -------
        Array
            The probabilities, (N, C).
        """
        return OUTPUTS[output].function(logits.T).T

    def to_dict(self) -> PlainData:
        """What a model file records."""
        return {"classes": self.classes.tolist(), "has_labels": True}


@dataclass(frozen=True, eq=False)
class Numbers:
    """One number a sample or several, centred and scaled for the training.

    Parameters
    ----------
    mean
        The mean of each column, (C,).
    scale
        The standard deviation of each column, (C,); 1 for a constant one.
    one_column
        Whether the targets are (N,), not (N, C).
    """

    mean: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    one_column: bool = True

    task: ClassVar[Task] = "regression"
    score: ClassVar[str] = "r2"
    binary: ClassVar[bool] = False
    output: ClassVar[OutputName] = "identity"

    @classmethod
    def of(cls, y: Values, weights: npt.NDArray[np.float64] | None = None) -> "Numbers":
        """Learn the mean and the scale of targets.

        Parameters
        ----------
        y
            The targets, (N,) or (N, C).
        weights
            The weight of each row, (N,).

        Returns
        -------
        Numbers
            The targets' description.
        """
        columns = y.reshape(len(y), -1).astype(np.float64)
        mean = np.average(columns, axis=0, weights=weights)
        difference = columns - mean
        largest = np.abs(difference).max(axis=0)  # taken out of the squares, which would overflow or vanish
        largest = np.where(largest > 0, largest, 1.0)
        scale = largest * np.sqrt(np.average(np.square(difference / largest), axis=0, weights=weights))
        return cls(mean, np.where(scale > 0, scale, 1.0), y.ndim == 1)

    @property
    def outputs(self) -> int:
        """The number of outputs C of the network."""
        return len(self.mean)

    def encode(self, y: Values, dtype: npt.DTypeLike, smoothing: float = 0.0) -> Array:
        """Encode the targets: (y - mean) / scale.

        Parameters
        ----------
        y
            The targets, (N,) or (N, C).
        dtype
            The dtype of the result.
        smoothing
            Must be 0: label smoothing is for classes.

        Returns
        -------
        Array
            The encoded targets, of the shape of y.

        Raises
        ------
        ValueError
            If y has another number of columns.
        InputError
            For label smoothing.
        """
        if (y.ndim == 1) != self.one_column or (y.ndim == 2 and y.shape[1] != len(self.mean)):
            raise ValueError(f"y must have {len(self.mean)} columns as before; got {y.shape}")
        scaled: Array = ((y.reshape(len(y), -1) - self.mean) / self.scale).astype(dtype)
        return self.smoothed(scaled[:, 0] if self.one_column else scaled, smoothing)

    def smoothed(self, encoded: Array, smoothing: float) -> Array:
        """The targets as they are: label smoothing is for classes.

        Parameters
        ----------
        encoded
            The encoded targets.
        smoothing
            Must be 0.

        Returns
        -------
        Array
            The same targets.

        Raises
        ------
        InputError
            For label smoothing.
        """
        if smoothing:
            raise InputError("label_smoothing is for classes: leave it out where the target is a number")
        return encoded

    def strata(self, targets: Array) -> None:
        """None: a split draws from all rows alike.

        Parameters
        ----------
        targets
            The encoded targets.
        """
        return

    def predicted(self, logits: Array) -> Values:
        """The numbers on their own scale.

        Parameters
        ----------
        logits
            The outputs of the network, (N, C).

        Returns
        -------
        Array
            The predictions, (N,) or (N, C).
        """
        y_hat = logits * self.scale + self.mean
        return y_hat[:, 0] if self.one_column else y_hat

    def to_dict(self) -> PlainData:
        """What a model file records."""
        return {"target_mean": self.mean.tolist(), "target_scale": self.scale.tolist(), "one_column": self.one_column}


Targets = Classes | Labels | Numbers


def _smoothed(y: Array, smoothing: float, classes: int) -> Array:
    """Targets of 0 and 1 with label smoothing; as they are for 0."""
    if not 0 <= smoothing < 1:
        raise ValueError(f"label_smoothing must be at least 0 and below 1; got {smoothing}")
    if not smoothing:
        return y
    mixed: Array = y * y.dtype.type(1 - smoothing) + y.dtype.type(smoothing / classes)
    return mixed


def targets_from_dict(stored: PlainData) -> Targets:
    """The targets that a model file describes.

    Parameters
    ----------
    stored
        What ``to_dict`` returned.

    Returns
    -------
    Targets
        The targets.

    Raises
    ------
    KeyError
        If it describes none.
    """
    if "classes" not in stored:
        return Numbers(np.array(stored["target_mean"]), np.array(stored["target_scale"]), stored["one_column"])
    if stored["has_labels"]:
        return Labels(np.array(stored["classes"]))
    return Classes(np.array(stored["classes"]), tuple(stored.get("class_names", ())))


def learn_targets(y: Values, task: Task, names: tuple[str, ...] = ()) -> Targets:
    """Learn the classes of the training rows, or the mean and scale of their numbers.

    Parameters
    ----------
    y
        The targets of the training rows, (N,).
    task
        Whether they are classes or numbers.
    names
        The names of the classes; of more classes than there are here, that of class 0 first.

    Returns
    -------
    Targets
        The targets' description.

    Raises
    ------
    InputError
        If a class has no name, and others have.
    """
    if task == "regression":
        return Numbers.of(y)
    classes = np.unique(y)
    if len(names) in (0, len(classes)):
        return Classes(classes, names)
    if classes.dtype.kind not in "iu" or classes.min() < 0 or classes.max() >= len(names):
        raise InputError(f"there are {len(names)} names for the {len(classes)} classes {', '.join(map(str, classes))}")
    return Classes(classes, tuple(names[c] for c in classes))


def balanced_weights(y: Values, targets: Targets, counted: Values | None = None) -> Array:
    """Weights of the rows, with a mean of 1, that give all classes equal weight.

        ω_i = N / (C n_c)      for a row of class c, of which there are n_c

    Parameters
    ----------
    y
        The targets, (N,).
    targets
        The description of the targets.
    counted
        The targets among which the classes are counted, where they are others; the mean is theirs then.

    Returns
    -------
    Array
        The weights, (N,), float32.

    Raises
    ------
    InputError
        If the targets are no classes.
    """
    if targets.task != "classification":
        raise InputError("class_weight is for classes: leave it out for a target of numbers")
    counted = y if counted is None else counted
    classes, counts = np.unique(counted, return_counts=True)
    weights: Array = (len(counted) / (len(counts) * counts[np.searchsorted(classes, y)])).astype(np.float32)
    return weights


def _look_like_labels(samples: Samples, y: Values, values: Values) -> bool:
    """Whether whole numbers in an array are labels: bytes, or numbers from 0 or 1 without a gap, each repeated."""
    if not isinstance(samples.X, np.ndarray) or y.dtype.kind not in "iub" or len(values) > 1000:
        return False
    return (y.dtype.itemsize == 1 or _are_without_gap(y, values)) and len(y) >= 2 * len(values)


def _are_without_gap(y: Values, values: Values) -> bool:
    """Whether the different values are the whole numbers from 0 or 1 on, without a gap, each repeated."""
    return bool(values[0] in (0, 1) and values[-1] - values[0] == len(values) - 1) and len(y) >= 2 * len(values)


def notes_of_target(y: Values, task: str) -> list[str]:
    """What a person should know of a target.

    Parameters
    ----------
    y
        The targets, (N,).
    task
        What they are learned as, "classification" or "regression".

    Returns
    -------
    list[str]
        The lines.
    """
    different, counts = np.unique(y, return_counts=True)
    lines = []
    if task == "classification" and len(different) > 1 and counts.max() >= 0.95 * len(y):
        lines.append(
            f"the commonest class, {different[counts.argmax()]}, alone is right in {counts.max() / len(y):.1%}"
        )
    if task == "classification" and y.dtype.kind in "iu" and len(different) > MOST_CLASSES:
        lines.append(
            f"{len(different):,} whole numbers are taken for classes; --task regression takes them for numbers"
        )
    if task == "regression" and len(different) <= MOST_LIKELY_CLASSES and _are_without_gap(y, different):
        span = f"{different[0]:g} to {different[-1]:g}"
        lines.append(f"the whole numbers {span} are taken for numbers; --task classification takes them for classes")
    if task == "classification" and y.dtype.kind == "U":
        lines += [*alike_names(y.tolist()), *_notes_of_odd_classes(different)]
    return lines


def _notes_of_odd_classes(names: Values) -> list[str]:
    """A note on a class that may stand for no value: a usual sign for that, or the only text among numbers."""
    texts = [name for name in names.tolist() if no_number(np.array([name])) is not None]
    odd = [name for name in texts if name in MISSING_NUMBERS] or (texts if len(texts) == 1 < len(names) - 1 else [])
    return [f"{name!r} is a class of its own here: leave the target of its rows empty if it means none" for name in odd]


def _that_is_no_number(values: Values) -> str:
    """Of text that is mostly numbers, a value that keeps it from being numbers."""
    texts = [value for value in values.tolist() if no_number(np.array([value])) is not None]
    few = 0 < len(texts) <= len(values) / 2
    return f", or correct {texts[0]!r}: {len(values) - len(texts):,} of the others are numbers" if few else ""


def checked_target(samples: Samples, task: Task | None) -> tuple[Values, Task]:
    """The encoded targets of samples, and the task.

    Parameters
    ----------
    samples
        Samples with a target.
    task
        What the target is; where None, text, and whole numbers of up to 20 values, are classes.

    Returns
    -------
    tuple[Array
        The targets, and the task.

    Raises
    ------
    InputError
        If there is nothing to learn, or too little to learn from, with the reason.
    """
    y = samples.y
    if y is None:
        raise InputError(f"{samples.name} needs a target to learn: name its column with --target")
    if len(y) < FEWEST_ROWS:
        raise InputError(f"{samples.name} has {len(y)} rows; at least {FEWEST_ROWS} are needed to train and to test")
    values = np.unique(y)
    if len(values) == 1:
        raise InputError(f"the target {samples.target!r} has one value only, {values[0]}: there is nothing to learn")
    is_number = y.dtype.kind in "fiub"
    whole = y.dtype.kind in "iub" or (is_number and bool((y == np.round(y)).all()))
    if task is None:
        is_class = not is_number or (whole and (len(values) <= MOST_CLASSES or _look_like_labels(samples, y, values)))
        task = "classification" if is_class else "regression"
    if task == "regression":
        if not is_number:
            raise InputError(
                f"the target {samples.target!r} is text: it can be classified, and not regressed "
                f"({no_number(y)!r} is no number)"
            )
        numbers = y.astype(np.float64)
        if np.abs(numbers).max() > LARGEST_NUMBER:
            raise InputError(
                f"the target {samples.target!r} goes up to {np.abs(numbers).max():.3g}, whose square is no number"
            )
        return numbers, task
    if len(values) > max(MOST_CLASSES, len(y) // 2):
        raise InputError(
            f"the target {samples.target!r} has {len(values):,} different values in {len(y):,} rows: nearly each row "
            f"would be a class of its own; choose another target{', or --task regression' if is_number else ''}"
            f"{'' if is_number else _that_is_no_number(values)}"
        )
    if y.dtype.kind == "f" and whole and np.abs(y).max() < 2**63:
        y = y.astype(np.int64)
    return y, task
