"""Save trainings of the page as runs of the command line, and open such runs on the page."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mlcvkit import storage
from mlcvkit.datasets import read
from mlcvkit.errors import InputError
from mlcvkit.playground.experiments import DIGITS, IMAGES, MNIST_IMAGES, PAINTED, PARITY, Experiment, read_experiment
from mlcvkit.playground.networks import Network, make_network
from mlcvkit.playground.points import as_csv, from_table
from mlcvkit.playground.sessions import Session
from mlcvkit.playground.uploads import IMAGE_SETS, as_npz
from mlcvkit.training import OPTIMIZERS, Hyperparameters

POINTS_FILE, IMAGES_FILE = "points.csv", "images.npz"
"""A visitor's own data, in the folder of the run that was trained on them."""


def save_run(root: Path, name: str, session: Session) -> Path:
    """Save the network as it is now as a run of ``mlcvlab train``; InputError for an impossible or used name."""
    with session.resting():
        return _saved(root, name, session)


def _saved(root: Path, name: str, session: Session) -> Path:
    if session.network.has_diverged:
        raise InputError("the training diverged: there is nothing to save")
    experiment, network = session.experiment, session.network
    hp = asdict(experiment.hyperparameters())
    configuration: dict[str, Any] = {"data": None, "target": None}
    if not experiment.is_nn2:
        configuration = {"data": experiment.data, "target": None, "model": "mlp", "task": None}
        configuration |= {"test_fraction": 0.2, "image_size": None}
    configuration |= hp
    with storage.new_run(root, name or None) as (folder, target):
        if experiment.data == PAINTED:
            storage.write_whole(folder / POINTS_FILE, as_csv(experiment.points))
            configuration |= {"data": str(target / POINTS_FILE), "target": "class", "task": "classification"}
        if experiment.data == IMAGES:
            samples = IMAGE_SETS.get(experiment.images)
            storage.write_whole(folder / IMAGES_FILE, as_npz(np.asarray(samples.X), np.asarray(samples.y)))
            configuration |= {"data": str(target / IMAGES_FILE)}
        saved = network.save(dict(configuration), session.history)
        if experiment.points:
            saved.provenance |= {"points": experiment.points}
        if experiment.optimizer not in OPTIMIZERS:  # which the command does not have, and refuses
            configuration["optimizer"] = experiment.optimizer
            saved.configuration.pop("optimizer")
            saved.provenance |= {"optimizer": experiment.optimizer}
        storage.save_model(folder / storage.MODEL_FILE, saved)
        storage.write_configuration(folder, configuration)
    return target


def saved_runs(root: Path) -> list[str]:
    """The names of the runs in a folder, the latest first."""
    found = [path.parent for path in root.glob(f"*/{storage.MODEL_FILE}")] if root.is_dir() else []
    return [path.name for path in sorted(found, key=lambda path: -path.stat().st_mtime)]


def open_run(root: Path, name: Any) -> Network:
    """The network of a run that was saved by the page or trained by the command.

    Raises: InputError if there is no such run, or the page does not have its data.
    """
    if name not in saved_runs(root):
        raise InputError("there is no such run")
    saved = storage.load_model(root / name)
    try:
        experiment = _experiment(saved.configuration, saved.provenance, root / name)
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise InputError(f"{name} cannot be opened here: {error}") from None
    network = make_network(experiment)
    if type(network.model) is not type(saved.model) or [w.shape for w in saved.model.W] != [
        w.shape for w in network.model.W
    ]:
        raise InputError(f"{name} is another kind of network than the page shows")
    network.model.W = [w.astype(current.dtype) for w, current in zip(saved.model.W, network.model.W, strict=True)]
    network.note = _not_on_the_page(saved.configuration)
    return network


def _points_of(file: Path) -> str:
    """The points of a run that was saved by an earlier version."""
    table = read(file, "class")
    places = np.asarray(table.X if isinstance(table.X, np.ndarray) else table.X.to_numpy(), float)
    return from_table(places, np.asarray(table.y))


def _not_on_the_page(configuration: dict[str, Any]) -> str:
    """The settings that the run was trained with and that the page does not have, as a sentence."""
    usual = asdict(Hyperparameters()) | {"class_weight": None}
    shown = vars(Experiment()).keys() | {"validation_samples", "local_steps"}
    others = {name: configuration[name] for name in usual.keys() & configuration.keys() - shown}
    told = [f"{name}={value}" for name, value in sorted(others.items()) if value != usual[name]]
    return (
        f"It was trained with {', '.join(told)}, which this page does not have: here it goes on without."
        if told
        else ""
    )


def _experiment(configuration: dict[str, Any], provenance: dict[str, Any], folder: Path) -> Experiment:
    known = vars(Experiment()).keys()
    values = {name: value for name, value in configuration.items() if name in known and value is not None}
    values |= {"optimizer": provenance["optimizer"]} if "optimizer" in provenance else {}
    units = configuration.get("hidden_units", [64])
    values |= {"hidden_units": units[0] if units else 0, "depth": len(units)}
    if len(set(units)) != 1:
        raise InputError(f"the page shows hidden layers of one size; the run has {units}")
    if values.get("loss") == "categorical_cross_entropy":
        values["loss"] = "cross_entropy"
    if configuration.get("data") is None:
        held_out = configuration.get("validation_samples", 5000)
        if not 5000 <= held_out <= MNIST_IMAGES - 10:
            raise InputError(f"the page holds out 5,000 images or more; the run held out {held_out:,}")
        values |= {"data": PARITY, "samples": MNIST_IMAGES - held_out}
    elif configuration.get("test_fraction", 0.2) != 0.2:
        raise InputError("the page keeps a fifth of the rows apart, and the run another share of them")
    elif Path(str(values.get("data"))).name == POINTS_FILE and (folder / POINTS_FILE).is_file():
        values |= {"data": PAINTED, "points": str(provenance.get("points") or _points_of(folder / POINTS_FILE))}
    elif Path(str(values.get("data"))).name == IMAGES_FILE and (folder / IMAGES_FILE).is_file():
        values |= {"data": IMAGES, "images": IMAGE_SETS.add(read(folder / IMAGES_FILE, "y"))}
    elif values.get("data") not in (PARITY, DIGITS, "moons", "circles", "spirals", "xor"):
        raise InputError(f"the page has no data {values.get('data')!r}")
    return read_experiment(values)
