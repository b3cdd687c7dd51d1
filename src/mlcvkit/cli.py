"""The ``mlcvlab`` command: one thin function for each subcommand."""

import sys
import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, Literal

import numpy as np
from cyclopts import App, ArgumentCollection, CycloptsError, Parameter
from cyclopts.config import Dict
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mlcvkit import InputError, datasets, storage
from mlcvkit.training import (
    CHECKPOINT_FILE,
    RECIPES,
    Callback,
    Checkpoint,
    History,
    Hyperparameters,
    Run,
    WriteCheckpoints,
    accuracy,
    fit,
    split_validation,
)
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn import Array

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130

console = Console(highlight=False)


def _options_not_given(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Take hyperparameters that the command line leaves out from its recipe, or from the run that is resumed."""
    given = {argument.name: argument.tokens[0].value for argument in arguments if argument.tokens}
    if given.get("--recipe") in RECIPES:
        hyperparameters = RECIPES[given["--recipe"]]
    elif "--resume" in given:
        hyperparameters = Checkpoint.read(Path(given["--resume"])).hyperparameters
    else:
        return
    Dict(asdict(hyperparameters), use_commands_as_keys=False)(app, commands, arguments)


app = App(
    name="mlcvlab",
    help="A neural network built from scratch in NumPy. Train NN2 to tell even from odd handwritten digits.",
    version=version("mlcvlab"),
    result_action="return_value",
    config=_options_not_given,
)


def main() -> None:
    """Run the command; a user's mistake is one line on standard error and exit code 2."""
    warnings.showwarning = lambda message, *_: _say("note", message)
    try:
        code = app(exit_on_error=False, print_error=False)
    except (CycloptsError, InputError) as error:
        _say("error", error)
        code = BAD_INPUT
    except (FloatingPointError, OSError) as error:
        _say("error", error)
        code = FAILED
    except MemoryError as error:
        _say("error", f"not enough memory: {error}; fewer hidden units or a smaller batch need less")
        code = FAILED
    except KeyboardInterrupt:
        _say("stopped", "nothing was saved")
        code = INTERRUPTED
    sys.exit(code)


@app.command
def train(
    hyperparameters: Annotated[Hyperparameters | None, Parameter(name="*")] = None,
    *,
    recipe: Literal["default", "quick", "best"] = "default",
    checkpoint_every: int | None = None,
    resume: Path | None = None,
    name: str | None = None,
    output: Path = Path("runs"),
    threads: int | None = None,
) -> int:
    """Train NN2 on MNIST, even digits against odd ones, and save the run.

    The run's folder gets model.safetensors, curves.png and hidden_units.png. Ctrl-C ends the training early and saves
    what there is.

    Parameters
    ----------
    recipe
        Hyperparameters known to be good: quick is the least time to a good network, best the best one in minutes.
        Options that are given as well go before the recipe's.
    checkpoint_every
        Keep the state of the training in the run's folder, anew after so many epochs, so that it can be resumed.
    resume
        Folder of a run that was stopped or killed: go on from its last checkpoint, to the very weights that it would
        have ended with, given the same machine and threads.
    name
        Name of the run's folder; the time where it is left out.
    output
        Folder that holds the runs.
    threads
        Threads for matrix products; all cores where it is left out. Needs the extra mlcvlab[threads].
    """
    hp = hyperparameters or Hyperparameters()
    checkpoint = _checkpoint(resume, hp, name)
    every = checkpoint.every if checkpoint and checkpoint_every is None else checkpoint_every
    with _limited_threads(threads), _run_folder(output, name, every, resume) as (folder, target):
        start = perf_counter()
        checkpoints = [] if every is None else [WriteCheckpoints(target, every)]
        digits = datasets.mnist()
        images, y = digits.train_X, datasets.is_even(digits.train_y)
        test_X, test_y = datasets.scale_images(digits.test_X), datasets.is_even(digits.test_y)
        rng = np.random.default_rng(hp.seed)
        samples, held_out = split_validation(len(images), hp.validation_samples, rng)
        model = NN2(loss=hp.loss or "cross_entropy").initialize(datasets.SIDE**2, hp.hidden_units[0], seed=rng)
        console.print(
            f"NN2 with {hp.hidden_units[0]} hidden units on MNIST, even against odd: {len(samples):,} training, "
            f"{len(held_out):,} validation and {len(test_y):,} test samples"
        )
        if checkpoint is not None:
            console.print(f"Going on with {escape(str(target))} after epoch {checkpoint.epoch}")
        with _TrainingProgress(hp.epochs, len(samples)) as progress:
            run = fit(
                model,
                images,
                y,
                samples=samples,
                validation=(images[held_out], y[held_out]),
                hyperparameters=hp,
                metrics={"accuracy": accuracy},
                callbacks=[progress, *checkpoints],
                resume=checkpoint.restore if checkpoint else None,
            )
        if run.interrupted:
            console.print(f"Stopped by Ctrl-C after {run.epoch} whole epochs of {hp.epochs}")
        elif run.epoch < hp.epochs:
            console.print(f"Stopped after {run.epoch} epochs: no better validation loss for {hp.patience}")
        _print_test(model, test_X, test_y)
        _write_run(folder, model, hp, run.history)
    if not run.interrupted:
        (target / CHECKPOINT_FILE).unlink(missing_ok=True)
    console.print(f"Saved to [bold]{escape(str(target))}[/bold] in {perf_counter() - start:.1f} s")
    if run.interrupted and every is not None:
        console.print(f"To go on: mlcvlab train --resume {escape(str(target))}")
    return INTERRUPTED if run.interrupted else 0


@app.command
def evaluate(run: Path, /) -> int:
    """Measure a saved model on MNIST's 10,000 test images.

    Parameters
    ----------
    run
        A folder that 'mlcvlab train' wrote, or its model.safetensors.
    """
    model = _mnist_model(run)
    data = datasets.mnist_parity()
    _print_test(model, data.test_X, data.test_y)
    return 0


@app.command
def predict(run: Path, image: Path, /, *, invert: bool = False) -> int:
    """Say whether a picture shows an even or an odd digit.

    Parameters
    ----------
    run
        A folder that 'mlcvlab train' wrote, or its model.safetensors.
    image
        A picture of one digit: 28 x 28 grey pixels, a light digit on black.
    invert
        The picture is a dark digit on white.
    """
    model = _mnist_model(run)
    even = float(model.nn2(datasets.read_digit(image, invert=invert).T)[0, 0])
    answer, probability = ("even", even) if even >= 0.5 else ("odd", 1 - even)
    console.print(f"[bold]{answer}[/bold], with probability {probability:.4f}")
    return 0


class _TrainingProgress(Callback):
    """A live bar with the latest validation loss and accuracy, and the samples per second."""

    def __init__(self, epochs: int, samples: int) -> None:
        self.epochs, self.samples = epochs, samples
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=10),
            TimeRemainingColumn(),
            TextColumn("{task.fields[latest]}"),
            console=console,
        )
        self.task = self.bar.add_task(f"epoch 1/{epochs}", total=epochs * samples, latest="")

    def __enter__(self) -> "_TrainingProgress":
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def on_start(self, run: Run) -> None:
        self.bar.update(self.task, completed=run.epoch * self.samples)

    def on_batch(self, samples: int) -> None:
        self.bar.update(self.task, advance=samples)

    def on_epoch(self, run: Run) -> None:
        history = run.history
        self.bar.update(
            self.task,
            description=f"epoch {min(run.epoch + 1, self.epochs)}/{self.epochs}",
            completed=run.epoch * self.samples,
            latest=f"loss {history['validation_loss'][-1]:.4f}  accuracy {history['validation_accuracy'][-1]:.2%}  "
            f"{history['samples_per_second'][-1]:,.0f} samples/s",
        )


def _checkpoint(resume: Path | None, hp: Hyperparameters, name: str | None) -> Checkpoint | None:
    if resume is None:
        return None
    if name is not None:
        raise InputError(f"--resume goes on in the run's own folder, {resume}: leave out --name")
    checkpoint = Checkpoint.read(resume)
    checkpoint.require_same(hp)
    return checkpoint


def _run_folder(
    output: Path, name: str | None, every: int | None, resume: Path | None
) -> AbstractContextManager[tuple[Path, Path]]:
    if resume is not None:
        return storage.open_run(resume)
    return storage.new_run(output, name) if every is None else storage.open_run(storage.free_folder(output, name))


def _write_run(folder: Path, model: NN2, hp: Hyperparameters, history: History) -> None:
    from mlcvkit import plots

    storage.save_model(folder / storage.MODEL_FILE, model, asdict(hp), history)
    if history:
        plots.curves(history).savefig(folder / "curves.png", dpi=120)
    plots.hidden_units(*model.W).savefig(folder / "hidden_units.png", dpi=120)


def _print_test(model: NN2, X: Array, y: Array) -> None:
    even, truth = model.nn2(X.T)[0] >= 0.5, y >= 0.5
    table = Table(title="Test samples", title_justify="left")
    for heading in ("", "said even", "said odd", "right"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, kind in (("even", truth), ("odd", ~truth)):
        said_even, said_odd = int(even[kind].sum()), int((~even[kind]).sum())
        right = (even == truth)[kind].mean()
        table.add_row(name, f"{said_even:,}", f"{said_odd:,}", f"{right:.2%}")
    console.print(table)
    loss = model.emp_loss(X.T, y[None])
    console.print(f"Test accuracy [bold]{accuracy(model, X.T, y[None]):.2%}[/bold], {model.loss} loss {loss:.4f}")


def _mnist_model(run: Path) -> NN2:
    model = storage.load_model(run).model
    pixels = datasets.SIDE**2
    if model.W[0].shape[1] != pixels:
        raise InputError(f"{run} reads {model.W[0].shape[1]} features; MNIST's images have {pixels} pixels")
    return model


def _limited_threads(threads: int | None) -> AbstractContextManager[Any]:
    if threads is None:
        return nullcontext()
    if threads < 1:
        raise InputError(f"threads must be 1 or more; got {threads}")
    try:
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError:
        raise InputError("--threads needs threadpoolctl: pip install 'mlcvlab[threads]'") from None
    limits: AbstractContextManager[Any] = threadpool_limits(threads)
    return limits


def _say(kind: str, message: object) -> None:
    text = " ".join(str(message).split())
    Console(stderr=True).print(f"mlcvlab: [bold]{kind}[/bold]: {escape(text)}", soft_wrap=True, highlight=False)
