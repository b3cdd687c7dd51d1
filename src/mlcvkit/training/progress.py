"""A live bar for a training in a terminal or a notebook."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mlcvkit.training.loop import Callback, Run


class ProgressBar(Callback):
    """A live bar with the latest loss and metrics, and the speed.

    The measurements are those of the validation samples if there are any.

    Parameters
    ----------
    console
        The console to draw on, by default standard error.

    See Also
    --------
    Callback : The base class.

    Examples
    --------
    >>> from mlcvkit import Experiment, Hyperparameters, train
    >>> hp = Hyperparameters(epochs=2)
    >>> _ = train(Experiment(data="moons", hyperparameters=hp), callbacks=[ProgressBar()])  # doctest: +SKIP
    epoch 2/2 ━━━━━━━━━━ 0:00:00 loss 0.4745  545,415 samples/s
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console

    def on_start(self, run: Run) -> None:
        """Show the bar."""
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=10),
            TimeRemainingColumn(),
            TextColumn("{task.fields[latest]}"),
            console=self.console,
        )
        epochs = run.hyperparameters.epochs
        self.task = self.bar.add_task(
            f"epoch {min(run.epoch + 1, epochs)}/{epochs}",
            total=epochs * run.samples,
            completed=run.epoch * run.samples,
            latest="",
        )
        self.bar.start()

    def on_batch(self, samples: int) -> None:
        """Move the bar."""
        self.bar.update(self.task, advance=samples)

    def on_epoch(self, run: Run) -> None:
        """Show the measurements."""
        epochs = run.hyperparameters.epochs
        self.bar.update(
            self.task,
            description=f"epoch {min(run.epoch + 1, epochs)}/{epochs}",
            completed=run.epoch * run.samples,
            latest=_latest(run),
        )

    def on_end(self, run: Run) -> None:
        """Leave the bar as it is."""
        if hasattr(self, "bar"):
            self.bar.update(self.task, description=f"epoch {run.epoch}/{run.hyperparameters.epochs}")
            try:
                self.bar.stop()
            except IndexError:  # Ctrl-C ended its start half way
                self.bar.console.show_cursor(True)
            del self.bar  # a bar holds locks, which can be neither copied nor pickled


def _latest(run: Run) -> str:
    part = "validation" if "validation_loss" in run.history else "train"
    last = {name: values[-1] for name, values in run.history.items()}
    parts = [f"loss {last[f'{part}_loss']:.4f}"]
    parts += [f"accuracy {last[key]:.2%}" for key in [f"{part}_accuracy"] if key in last]
    parts += [f"R² {last[key]:.4f}" for key in [f"{part}_r2"] if key in last]
    return "  ".join([*parts, f"{last['samples_per_second']:,.0f} samples/s"])
