"""Checkpoints: a run between two epochs as one file, from which it goes on as if it had never stopped."""

import json
import warnings
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from mlcvkit import storage
from mlcvkit.errors import InputError
from mlcvkit.files import parse_json
from mlcvkit.training.hyperparameters import Hyperparameters
from mlcvkit.training.loop import Callback, History, Run
from mlcvlab.nn import Array

CHECKPOINT_FILE = "checkpoint.safetensors"
FORMAT_1 = "mlcvlab checkpoint, version 1"
FORMAT = "mlcvlab checkpoint, version 2"
OF_THE_NETWORK = ("hidden_units", "activation", "initialization", "loss", "dropout", "l2", "validation_samples")
"""What the first version did not record of some kinds of network."""


class WriteCheckpoints(Callback):
    """Write a checkpoint before the first epoch, every few epochs and after the last, each in place of the one before.

    A complete checkpoint is there at any instant. Where the first one cannot be written, OSError ends the training;
    where a later one cannot, a warning says so and the one before stays.

    Parameters
    ----------
    folder
        The folder of the run, which is made if it is missing.
    every
        The number of epochs between two checkpoints.

    See Also
    --------
    train : Goes on from one with ``resume``.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from mlcvkit import Experiment, Hyperparameters, train
    >>> experiment = Experiment(data="moons", hyperparameters=Hyperparameters(epochs=4))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = train(experiment, callbacks=[WriteCheckpoints(Path(folder), 2)])
    ...     [path.name for path in Path(folder).iterdir()]
    ['checkpoint.safetensors']
    """

    def __init__(self, folder: Path | str, every: int = 1) -> None:
        if every < 1:
            raise InputError(f"checkpoint_every must be 1 or more; got {every}")
        self.path, self.every = Path(folder) / CHECKPOINT_FILE, every

    def on_start(self, run: Run) -> None:
        """Write the first checkpoint."""
        self.fingerprint = run.fingerprint()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if run.epoch == 0 or not self.path.exists():
            self._write(run)

    def on_epoch(self, run: Run) -> None:
        """Write a checkpoint if it is time for one."""
        if run.epoch % self.every and run.epoch < run.hyperparameters.epochs:
            return
        try:
            self._write(run)
        except OSError as error:
            warnings.warn(f"{error}; the training goes on, and the checkpoint before this one stays", stacklevel=2)

    def _write(self, run: Run) -> None:
        progress = {"epoch": run.epoch, "samples": run.samples, "history": run.history, "every": self.every}
        progress["fingerprint"] = self.fingerprint
        metadata = {
            "hyperparameters": json.dumps(asdict(run.hyperparameters)),
            "progress": json.dumps(progress, default=float),
        }
        storage.write_arrays(self.path, run.arrays(), {"format": FORMAT, **metadata})


MAY_DIFFER = ("epochs", "validation_samples")
"""What a run that is gone on with may have otherwise: more epochs, and the number of held-out rows as it is recorded,
which the content of the training samples decides."""


@dataclass(frozen=True)
class Checkpoint:
    """A training run as it was saved.

    Parameters
    ----------
    hyperparameters
        The hyperparameters of the run.
    samples
        The number of samples in an epoch.
    epoch
        The number of epochs that were complete.
    history
        The measurements after each of them.
    every
        The number of epochs between two checkpoints.
    arrays
        The arrays of the run by name.
    complete
        Whether the hyperparameters of the network are recorded as well; old versions did not.
    fingerprint
        The sum of the content of the training samples; empty in old versions.
    """

    hyperparameters: Hyperparameters
    samples: int
    epoch: int
    history: History
    every: int
    arrays: dict[str, Array]
    complete: bool = True
    fingerprint: str = ""

    @classmethod
    def read(cls, folder: Path) -> "Checkpoint":
        """Read the checkpoint in the folder of a run.

        Parameters
        ----------
        folder
            The folder.

        Returns
        -------
        Checkpoint
            The checkpoint.

        Raises
        ------
        InputError
            If there is none, or it is damaged.
        """
        path = folder / CHECKPOINT_FILE
        if not path.is_file():
            raise InputError(
                f"{folder} has no {CHECKPOINT_FILE}: it is not a run, or was trained to its end or without "
                "--checkpoint-every, or was killed before its first checkpoint: start it again"
            )
        arrays, metadata = storage.read_arrays(path, FORMAT_1, FORMAT)
        try:
            hyperparameters = Hyperparameters(**parse_json(metadata["hyperparameters"]))
            complete = metadata["format"] == FORMAT
            found = cls(hyperparameters, arrays=arrays, complete=complete, **parse_json(metadata["progress"]))
            found._require_sound()
            return found
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InputError(f"{path} is damaged or of another version: {error}") from None

    def _begin_mean(self, run: Run) -> None:
        """Restart the mean of the last epochs if the number of epochs has changed."""
        hp, run.mean = run.hyperparameters, None
        if not hp.average_epochs:
            return
        least = self.epoch + hp.average_epochs - 1
        if hp.epochs < least:
            raise InputError(
                f"{self.epoch} epochs are trained: the mean of the last {hp.average_epochs} needs {least} epochs in all"
            )
        if self.epoch > hp.epochs - hp.average_epochs:
            run.mean, run.mean_from = run.weights.copy(), self.epoch

    def _require_sound(self) -> None:
        for name, least in {"samples": 1, "epoch": 0, "every": 1}.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} is {value!r}")
        if not isinstance(self.fingerprint, str):
            raise TypeError("the sum of its samples is no text")
        for name, values in self.history.items():
            if len(values) > self.epoch or not all(isinstance(value, int | float) for value in values):
                raise ValueError(f"its measurements {name} are not the numbers of {self.epoch} epochs")

    def require_same(self, hyperparameters: Hyperparameters) -> None:
        """Make sure that a run has the hyperparameters of the checkpoint; it may have more epochs, or fewer.

        Parameters
        ----------
        hyperparameters
            The hyperparameters of the run.

        Raises
        ------
        InputError
            If they differ, with what differs.
        """
        if hyperparameters.epochs < self.epoch:
            raise InputError(f"{self.epoch} epochs are trained already, which is more than {hyperparameters.epochs}")
        differ = [
            f"{field.name} is {mine!r} there, not {given!r}"
            for field in fields(Hyperparameters)
            if field.name not in MAY_DIFFER and (self.complete or field.name not in OF_THE_NETWORK)
            if (mine := getattr(self.hyperparameters, field.name)) != (given := getattr(hyperparameters, field.name))
        ]
        if differ:
            raise InputError(
                f"the checkpoint is of another configuration: {'; '.join(differ)}. "
                "Leave these out to go on as it began, or start a new run"
            )

    def restore(self, run: Run) -> None:
        """Put the checkpoint into a run that has not begun: ``fit(..., resume=checkpoint.restore)``.

        Parameters
        ----------
        run
            A run that has not begun.

        Raises
        ------
        InputError
            With what differs, where the run is of another configuration, network or data set.
        """
        self.require_same(run.hyperparameters)
        if self.samples != run.samples:
            raise InputError(f"the checkpoint is of {self.samples} training samples; got {run.samples}")
        arrays = dict(self.arrays)
        run.best, run.mean = arrays.pop("best", None), arrays.pop("mean", None)
        expected = {name: array for name, array in run.arrays().items() if name not in ("best", "mean")}
        wanted, found = ({name: f"{a.dtype} {a.shape}" for name, a in some.items()} for some in (expected, arrays))
        if wanted != found:
            raise InputError(f"the checkpoint is of another network: it has the arrays {found}, not {wanted}")
        if self.fingerprint and self.fingerprint != run.fingerprint():
            raise InputError("the checkpoint is of other training samples: their content, order or targets changed")
        for name, array in expected.items():
            array[:] = arrays[name]
        if run.hyperparameters.epochs != self.hyperparameters.epochs:
            self._begin_mean(run)
        run.epoch, run.history = self.epoch, {name: list(values) for name, values in self.history.items()}
