"""An experiment: the data, the network and its hyperparameters, and nothing else decides what is trained."""

import os
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from numbers import Integral, Real
from pathlib import Path
from typing import Literal, get_args

from mlcvkit import datasets
from mlcvkit.arrays import PlainData
from mlcvkit.datasets import Samples
from mlcvkit.errors import InputError
from mlcvkit.experiments.kinds import KINDS, KindName, recipe_for
from mlcvkit.experiments.splits import TEST_FRACTION
from mlcvkit.experiments.targets import Task
from mlcvkit.training import Hyperparameters


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """The whole configuration of a training.

    Parameters
    ----------
    data
        A file, a folder of images, or the name of a set that needs no file.
    target
        The column to predict, or the file of the labels.
    task
        What the target is; found from its values where None.
    test_fraction
        The share of the rows that is held out to test with, from 0 to below 1.
    test
        A file or folder like the data, to test with.
    image_size
        To how many pixels on each side the images of a folder are scaled.
    header
        Whether the first line of a text file has the names of the columns.
    decimal
        The decimal mark of numbers in text, where that cannot be seen.
    day_first
        Whether the day comes before the month in dates, where that cannot be seen.
    max_categories
        The largest number of names of a column that get a column each.
    categorical
        Columns of a table whose values are names, also if they are written as numbers.
    leave_out
        Columns of a table that are not to be used, such as one that numbers the customers.
    class_weight
        "balanced": each class counts as much as any other, however many rows it has.
    model
        The kind of network.
    init
        A run, or its model file, whose weights the training starts from; where None, they are drawn.
    hyperparameters
        Of the network and its training; where None, those that are good for tables.

    Raises
    ------
    InputError
        For a name that is unknown, with the choices, or a test_fraction out of its range.

    See Also
    --------
    train : Trains the network of an experiment.
    prepare : All that there is before the first step.

    Examples
    --------
    >>> experiment = Experiment(data="moons", hyperparameters=Hyperparameters(epochs=30))
    >>> experiment.to_dict()["data"], experiment.model
    ('moons', 'mlp')
    """

    data: str = "mnist-parity"
    target: str | None = None
    task: Task | None = None
    test_fraction: float = TEST_FRACTION
    test: str | None = None
    image_size: int | None = None
    header: bool | None = None
    decimal: Literal[".", ","] | None = None
    day_first: bool | None = None
    max_categories: int | None = None
    categorical: tuple[str, ...] | None = None
    leave_out: tuple[str, ...] | None = None
    class_weight: Literal["balanced"] | None = None
    model: KindName = "mlp"
    init: str | None = None
    hyperparameters: Hyperparameters = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        for name, choices in {"model": tuple(KINDS), "task": (None, *get_args(Task))}.items():
            if getattr(self, name) not in choices:
                listed = ", ".join(choice for choice in choices if choice)
                raise InputError(f"{name} must be one of {listed}; got {getattr(self, name)!r}")
        if self.hyperparameters is None:
            object.__setattr__(self, "hyperparameters", recipe_for(self.model))
        elif not isinstance(self.hyperparameters, Hyperparameters):
            kind = type(self.hyperparameters).__name__
            raise InputError(f"hyperparameters must be Hyperparameters(...); got {kind}")
        if self.class_weight not in (None, "balanced"):
            raise InputError(f"class_weight must be 'balanced', or left out; got {self.class_weight!r}")
        if self.decimal not in (None, ".", ","):
            raise InputError(f"decimal must be '.' or ','; got {self.decimal!r}")
        if not any(self.day_first is one for one in (None, True, False)):
            raise InputError(f"day_first must be True or False, or left out; got {self.day_first!r}")
        if self.max_categories is not None and not _is_count(self.max_categories):
            raise InputError(f"max_categories must be a whole number, 1 or more; got {self.max_categories!r}")
        if not (isinstance(self.test_fraction, Real) and 0 <= self.test_fraction < 1):
            raise InputError(f"test_fraction must be at least 0 and below 1; got {self.test_fraction!r}")
        for name in ("categorical", "leave_out"):
            if isinstance(getattr(self, name), str):
                raise InputError(f"{name} must be a list of columns; got the text {getattr(self, name)!r}")
        for name in ("data", "target", "test", "init"):
            self._require_text(name)
        if not isinstance(self.data, str | Path):
            raise InputError(
                f"data must be a file, a folder or the name of a data set; got {type(self.data).__name__}. For arrays "
                "and data frames there are MLPClassifier and MLPRegressor, with TableEncoder before them"
            )

    def _require_text(self, name: str) -> None:
        """Turn a path into text, and refuse one that no file could hold."""
        value = getattr(self, name)
        if isinstance(value, Path):
            value = str(value)
            object.__setattr__(self, name, value)
        if isinstance(value, str) and not value.isprintable():
            try:
                value.encode()
            except UnicodeEncodeError:
                text = os.fsencode(value).decode(errors="replace")
                raise InputError(f"the name {text} is not UTF-8, and a run could not record it: rename it") from None

    def read(self) -> Samples:
        """Read the data.

        Returns
        -------
        Samples
            The samples.

        Raises
        ------
        InputError
            If they cannot be read.
        """
        self.require_used()
        how = {name: getattr(self, name) for name in ("test", "image_size", "header", "decimal")}
        samples = datasets.read(self.data, self.target, **how)
        return samples.without(self.leave_out) if self.leave_out else samples

    def require_used(self) -> None:
        """Refuse options of other data than these.

        Raises
        ------
        InputError
            With the option, and what it is for.
        """
        own_file = self.data not in datasets.TOYS
        is_folder = own_file and Path(self.data).is_dir()
        suffix = datasets.suffix_of(Path(self.data)) if own_file and not is_folder else ""
        is_text = isinstance(datasets.FORMATS.get(suffix), datasets.TextReader)
        is_table = datasets.is_table(suffix)
        for name, (used, what) in {
            "test": (own_file, "is for data of your own, as a file or folder"),
            "image_size": (is_folder, "scales the images of a folder"),
            "header": (is_text, "is for text files"),
            "decimal": (is_table, "is for tables with numbers in text"),
            "day_first": (is_table, "is for tables with dates in text"),
            "max_categories": (is_table, "is for tables with names"),
            "categorical": (is_table, "is for tables with named columns"),
            "leave_out": (is_table, "is for tables with named columns"),
        }.items():
            if getattr(self, name) is not None and not used:
                raise InputError(f"{name} {what}: leave it out for {self.data}")

    @property
    def encoding(self) -> PlainData:
        """The parameters of the encoder of a table that are not left to it."""
        given = {name: getattr(self, name) for name in ("decimal", "day_first", "max_categories", "categorical")}
        return {name: value for name, value in given.items() if value is not None}

    def to_dict(self) -> PlainData:
        """The data and the network as plain values, by the names of the command line's options.

        Returns
        -------
        PlainData
            Names and values.
        """
        return {name: getattr(self, name) for name in SOURCE_FIELDS}

    @classmethod
    def from_dict(cls, stored: PlainData) -> "Experiment":
        """The experiment that a run recorded, or that the options of a command line describe.

        Parameters
        ----------
        stored
            Names and values, all in one level.

        Returns
        -------
        Experiment
            The experiment.

        Raises
        ------
        InputError
            For an unknown name or a value that cannot be used.
        """
        known = [*SOURCE_FIELDS, *(part.name for part in fields(Hyperparameters))]
        for name in stored.keys() - {*known}:  # a run may record more than an experiment has
            if meant := get_close_matches(str(name), known, cutoff=0.85):
                raise InputError(f"an experiment has no {name!r}: is it {meant[0]}?")
        values = {name: stored[name] for name in SOURCE_FIELDS if stored.get(name) is not None}
        for name in values.keys() & {"leave_out", "categorical"}:
            values[name] = tuple(values[name])
        experiment = cls(**values)
        given = {part.name: stored[part.name] for part in fields(Hyperparameters) if part.name in stored}
        return replace(experiment, hyperparameters=replace(experiment.hyperparameters, **given))

    def portable(self) -> "Experiment":
        """The same experiment for any folder: with absolute paths.

        Returns
        -------
        Experiment
            The experiment.
        """
        target = self.target
        if target is not None and not datasets.has_columns(self.data) and _is_place(target):
            target = portable(target)
        test, init = (None if place is None else str(Path(place).resolve()) for place in (self.test, self.init))
        return replace(self, data=portable(self.data) or self.data, target=target, test=test, init=init)


def _is_place(target: str) -> bool:
    """Whether a target is a file, or the files of a pattern."""
    place = Path(target)
    try:
        if "*" not in target:
            return place.is_file()
        pattern = str(place.relative_to(place.anchor)) if place.anchor else target
        return any(Path(place.anchor or ".").glob(pattern))
    except (OSError, ValueError, NotImplementedError):  # no path, or no pattern
        return False


SOURCE_FIELDS = tuple(field.name for field in fields(Experiment) if field.name != "hyperparameters")


def require_experiment(experiment: object) -> None:
    """Raise TypeError if something is no experiment, such as the name of its data.

    Parameters
    ----------
    experiment
        What was given.

    Raises
    ------
    TypeError
        If it is no experiment.
    """
    if not isinstance(experiment, Experiment):
        raise TypeError(f"what is trained is an Experiment, such as Experiment(data='moons'); got {experiment!r:.80}")


def portable(source: str | None) -> str | None:
    """The name of data that is good in any folder.

    Parameters
    ----------
    source
        A file, a folder, or the name of a set that needs no file.

    Returns
    -------
    str | None
        The absolute path of a file, any other name as it is.
    """
    if source is None or source in datasets.TOYS or "://" in source:
        return source
    return str(Path(source).resolve())


def _is_count(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1
