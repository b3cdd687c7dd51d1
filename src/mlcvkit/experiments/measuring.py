"""The rows that a trained network is measured with."""

from pathlib import Path

from mlcvkit.arrays import PlainData
from mlcvkit.datasets import MNIST_NAMES, TESTED_WITH, TOYS, is_same_data, read
from mlcvkit.errors import InputError
from mlcvkit.experiments.predictor import Predictor
from mlcvkit.experiments.specification import Experiment
from mlcvkit.experiments.splits import LabelledRows, split_test_rows
from mlcvkit.experiments.targets import checked_target

SPLIT = " split by seed "
"""Stands in the fingerprint of a study's model before the seed of its test rows, where that is not its own seed."""


def test_rows(
    predictor: Predictor,
    configuration: PlainData,
    data: str | None,
    target: str | None,
    notes: list[str] | None = None,
) -> LabelledRows:
    """The rows to measure on: those of a file, or those that the training held out.

    Parameters
    ----------
    predictor
        The predictor of the run.
    configuration
        The recorded configuration of the run.
    data
        The file to measure with. By default the rows that the training held out.
    target
        The column of the target in that file. By default that of the training.
    notes
        What was read from the file and what was left out is added here, a line each.

    Returns
    -------
    LabelledRows
        The raw rows, and their targets.

    Raises
    ------
    InputError
        If there are none, or the data are not those of the training any more.
    """
    stored = Experiment.from_dict(configuration)
    if data is not None:
        own = predictor.target if not configuration and predictor.target != "prediction" else None
        return _rows_of(data, target, predictor, stored, own, notes)
    if target is not None:
        raise InputError(f"the target {target} is one of data of your own: give their file as well, or leave it out")
    if not configuration and predictor.fingerprint:
        raise InputError("the model does not say what it was trained on: give the data to measure it with")
    return _rows_held_out(predictor, stored)


def _rows_of(
    data: str, target: str | None, predictor: Predictor, stored: Experiment, own: str | None, notes: list[str] | None
) -> LabelledRows:
    """The rows of a file; ``own`` is the target that the predictor itself knows."""
    if target is None and stored.target is not None and Path(stored.target).is_file():
        raise InputError(
            f"give the file of the labels of {data} with --target: {stored.target} is that of the training"
        )
    if data in MNIST_NAMES and stored.data in MNIST_NAMES and data != stored.data:
        raise InputError(f"{data} has other targets than {stored.data}, which it was trained on: leave out {data}")
    samples = read(
        data,
        target or stored.target or (None if data in TOYS else own),
        image_size=stored.image_size,
        header=stored.header,
        known=True,
        features=predictor.features,
        classes=predictor.classes_in_text,
    )
    if notes is not None:
        notes += samples.notes
    if samples.test is not None:
        return samples.test
    if samples.y is None:
        raise InputError(f"{data} has no target to compare with")
    return samples.X, samples.y


def _rows_held_out(predictor: Predictor, stored: Experiment) -> LabelledRows:
    known, _, seed = predictor.fingerprint.partition(SPLIT)
    if " without fold " in known:
        raise InputError(f"the model was trained on {stored.data}{known[64:]}: give the data to measure it with")
    if not known and stored.data not in MNIST_NAMES:
        raise InputError(
            f"the rows of {stored.data} that were held out on a cluster are not kept: give data to measure with"
        )
    samples = stored.read()
    if known and not is_same_data(known, samples.fingerprint):
        same_rows = is_same_data(known.partition(TESTED_WITH)[0], samples.fingerprint)
        changed = f"{stored.test} is not what the model was tested with"
        changed = changed if same_rows else f"{stored.data} is not what the model was trained on"
        raise InputError(f"{changed} any more: give the data to measure it with")
    y, task = checked_target(samples, stored.task)
    drawn_by = int(seed) if seed else stored.hyperparameters.seed
    _, test = split_test_rows(samples, y, stored.test_fraction, task, drawn_by)
    if not len(test[1]):
        raise InputError("the training kept no rows apart to measure with: give data that it has not seen")
    return test
