import dataclasses
import json
import resource
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest

from mlcvkit import InputError
from mlcvkit.storage import read_arrays, write_arrays
from mlcvkit.training import CHECKPOINT_FILE, Callback, Checkpoint, Hyperparameters, StopTraining, WriteCheckpoints, fit
from mlcvkit.training.checkpoints import FORMAT
from mlcvkit.training.optimizers import OPTIMIZERS
from mlcvlab.models.nn2 import NN2

HP = Hyperparameters(epochs=6, batch_size=32, hidden_units=9, shift=1)


def problem():
    rng = np.random.default_rng(0)
    X = rng.integers(256, size=(150, 4, 5), dtype=np.uint8)
    return X, (X[:, 0, 0] > 99).astype(np.float32)


class StopAfter(Callback):
    def __init__(self, epochs):
        self.epochs = epochs

    def on_epoch(self, run):
        if run.epoch == self.epochs:
            raise StopTraining


def trained(hp, *callbacks, resume=None, seed=1):
    X, y = problem()
    model = NN2().initialize(20, *hp.hidden_units, seed=seed)
    return fit(model, X, y, validation=(X[:40], y[:40]), hyperparameters=hp, callbacks=callbacks, resume=resume)


def without_times(history):
    return {name: values for name, values in history.items() if name != "samples_per_second"}


@pytest.mark.parametrize(
    "ending", [{}, {"patience": 2}, {"average_epochs": 4}, {"schedule": "one_cycle", "clip_norm": 1}]
)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_that_goes_on_ends_with_the_weights_of_one_that_never_stopped(tmp_path, optimizer, ending):
    hp = dataclasses.replace(HP, optimizer=optimizer, **ending)
    whole = trained(hp)
    for epochs in range(1, 6):
        folder = tmp_path / f"{epochs}"
        folder.mkdir()
        trained(hp, WriteCheckpoints(folder, 2), StopAfter(epochs))
        checkpoint = Checkpoint.read(folder)
        assert (checkpoint.epoch, checkpoint.every) == (epochs - epochs % 2, 2)
        resumed = trained(hp, resume=checkpoint.restore, seed=2)
        assert resumed.weights.tobytes() == whole.weights.tobytes()
        assert without_times(resumed.history) == without_times(whole.history)


@pytest.fixture
def folder(tmp_path):
    trained(HP, WriteCheckpoints(tmp_path, 1), StopAfter(2))
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_FILE]
    return tmp_path


def test_another_configuration_is_refused_with_what_differs(folder):
    checkpoint = Checkpoint.read(folder)
    for change, words in [
        ({"learning_rate": 0.5}, "learning_rate is 0.001 there, not 0.5"),
        ({"batch_size": 7, "seed": 3}, "batch_size is .* there, not 7; seed is 0 there, not 3"),
        ({"epochs": 1}, "epochs are trained already, which is more than 1"),
    ]:
        with pytest.raises(InputError, match=words):
            trained(dataclasses.replace(HP, **change), resume=checkpoint.restore)
    X, y = problem()
    with pytest.raises(InputError, match=r"another network: it has the arrays .*\(189,\).*, not .*\(54,\)"):
        fit(
            NN2().initialize(5, 9, seed=0),
            X[:, 0],
            y,
            hyperparameters=dataclasses.replace(HP, shift=0),
            resume=_same(checkpoint),
        )

    with pytest.raises(InputError, match="is of 150 training samples; got 149"):
        fit(NN2().initialize(20, 9), X, y, samples=np.arange(149), hyperparameters=HP, resume=checkpoint.restore)
    with pytest.raises(InputError, match=r"another network: .*float32 \(189,\).*, not .*float64 \(189,\)"):
        fit(NN2().initialize(20, 9, dtype=np.float64), X, y, hyperparameters=HP, resume=checkpoint.restore)


def test_a_new_run_replaces_the_checkpoint_of_an_older_one(folder):
    trained(dataclasses.replace(HP, seed=5), WriteCheckpoints(folder, 4), StopAfter(1))
    checkpoint = Checkpoint.read(folder)
    assert (checkpoint.epoch, checkpoint.hyperparameters.seed) == (0, 5)


def _same(checkpoint):
    return dataclasses.replace(checkpoint, hyperparameters=dataclasses.replace(HP, shift=0)).restore


def test_a_checkpoint_cut_off_or_changed_anywhere_is_refused(folder):
    path = folder / CHECKPOINT_FILE
    content = path.read_bytes()
    for length in [0, 7, 100, len(content) // 2, len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"checkpoint.safetensors is truncated or not"):
            Checkpoint.read(folder)
    rng = np.random.default_rng(0)
    for place in rng.integers(len(content), size=300):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"checkpoint\.safetensors"):
            Checkpoint.read(folder)


def test_a_checkpoint_of_another_kind_or_version_is_refused(folder, saved_run):
    path = folder / CHECKPOINT_FILE
    arrays, _ = read_arrays(path, FORMAT)
    later = {"hyperparameters": json.dumps({"hue": 0.5}), "progress": "{}", "format": FORMAT}
    write_arrays(path, arrays, later)
    with pytest.raises(InputError, match=r"of another version: .*hue"):
        Checkpoint.read(folder)
    path.write_bytes((saved_run / "model.safetensors").read_bytes())
    with pytest.raises(InputError, match="its format is"):
        Checkpoint.read(folder)
    path.unlink()
    with pytest.raises(InputError, match=r"has no checkpoint.safetensors"):
        Checkpoint.read(folder)


@contextmanager
def files_of_at_most(size):
    """No file of this process grows larger: what a full disk does to a write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_last_checkpoint_and_the_training_goes_on(tmp_path):
    disk = ExitStack()

    class FullAfter(Callback):
        def on_epoch(self, run):
            if run.epoch == 2:
                disk.enter_context(files_of_at_most(1000))

    with pytest.warns(UserWarning, match="File too large.*; the training goes on") as warned, disk:
        run = trained(HP, WriteCheckpoints(tmp_path, 1), FullAfter())
    assert len(warned) == HP.epochs - 2
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_FILE]
    assert run.epoch == HP.epochs and Checkpoint.read(tmp_path).epoch == 2


def test_a_disk_that_is_full_from_the_start_stops_the_training(tmp_path):
    with files_of_at_most(1000), pytest.raises(OSError, match=r"checkpoint.safetensors cannot be written"):
        trained(HP, WriteCheckpoints(tmp_path, 1))
    assert list(tmp_path.iterdir()) == []
