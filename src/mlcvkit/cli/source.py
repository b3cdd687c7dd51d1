"""The options for the data of a command and the kind of network that it trains."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal

from cyclopts import Parameter

from mlcvkit.arrays import PlainData
from mlcvkit.errors import InputError
from mlcvkit.experiments import Experiment, KindName


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Source:
    """The options on the data and the kind of network."""

    target: str | None = None
    """The column to predict; for .npy and IDX the file with the labels."""
    model: KindName | None = None
    """mlp, the default: any depth, for classes or numbers; nn2: the handout's network, for two classes; nn1: one
    sigmoid unit; perceptron: the perceptron rule."""
    task: Literal["classification", "regression"] | None = None
    """What the target is; by default found from its values."""
    test: str | None = None
    """A file or folder like the data, to test with."""
    test_fraction: float | None = None
    """The share of the rows that is held out for the test at the end; 0.2 by default."""
    image_size: int | None = None
    """Scale the images of a folder to this many pixels on each side."""
    header: bool | None = None
    """The first line of a text file has the names of the columns; --no-header says that it has not."""
    decimal: Literal[".", ","] | None = None
    """The decimal mark of numbers in text, if the file does not show it."""
    day_first: bool | None = None
    """The day comes before the month in dates such as 1/2/2020, if the column does not show it."""
    max_categories: int | None = None
    """The most names of a column that get a column each, 100 by default; the rarer ones share one."""
    categorical: tuple[str, ...] | None = None
    """Columns of a table whose values are names, also if they are written as numbers, such as postal codes."""
    leave_out: tuple[str, ...] | None = None
    """Columns of a table that are not to be used, such as a customer's number."""
    class_weight: Literal["balanced"] | None = None
    """balanced: all classes count equally, whatever their number of rows."""

    def experiment(self, data: str | None, **others: Any) -> Experiment:
        """The experiment on some data, or on MNIST's even and odd digits.

        Parameters
        ----------
        data
            The data, or None.
        **others
            Further fields of the experiment.

        Returns
        -------
        Experiment
            The experiment.

        Raises
        ------
        InputError
            For options that are not for these data.
        """
        given: PlainData = {name: value for name, value in asdict(self).items() if value is not None}
        if data is None:
            of_data = [name for name in given if not (name == "model" and self.model == "nn2")]
            if of_data:
                raise InputError(
                    f"--{of_data[0].replace('_', '-')} is for your own data: give its file first, or mnist-parity for "
                    "the same digits"
                )
            return Experiment(data="mnist-parity", model="nn2", **others)
        experiment = Experiment(data=data, **given, **others).portable()
        with errors_of_options():
            experiment.require_used()
        return experiment


@contextmanager
def errors_of_options() -> Iterator[None]:
    """Name an option as the command line does, in an error that begins with the name of a field."""
    try:
        yield
    except InputError as error:
        name, _, rest = str(error).partition(" ")
        raise InputError(f"--{name.replace('_', '-')} {rest}") from None
