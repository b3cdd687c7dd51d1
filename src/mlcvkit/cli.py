"""The ``mlcvlab`` command: one thin function for each subcommand."""

import json as json_format
import sys
import tomllib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
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
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mlcvkit import InputError, datasets, require, storage
from mlcvkit.training import (
    CHECKPOINT_FILE,
    RECIPES,
    Callback,
    Checkpoint,
    Hyperparameters,
    ProgressBar,
    Run,
    WriteCheckpoints,
    accuracy,
    fit,
    split_validation,
)
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn import Array

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
CONFIG_FILE = "config.toml"

console = Console(highlight=False)


def _options_not_given(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Take what the command line of train leaves out from a run that is resumed, a file, or a recipe, in this order."""
    if commands != ("train",):
        return
    given = {argument.name: argument.tokens[0].value for argument in arguments if argument.tokens}
    stored: dict[str, Any] = {}
    if "--config" in given:
        stored |= _read_config(Path(given["--config"]))
    if "--resume" in given:
        stored |= _configuration_of(Path(given["--resume"]))
    if "--cluster" in given or "--cluster-file" in given:
        stored = {name: value for name, value in stored.items() if name not in ("cluster", "cluster_file")}
    on_cluster = any(name in given for name in ("--cluster", "--cluster-file")) or "cluster" in stored
    own_data = "--data" in given or "data" in stored
    recipe = stored.pop("recipe", "table" if own_data else "cluster" if on_cluster else "default")
    if not isinstance(recipe, str) or recipe not in RECIPES:
        raise InputError(f"recipe must be one of {', '.join(RECIPES)}; got {recipe!r} in {given['--config']}")
    recipe = given.get("--recipe", recipe)
    recipe_values = asdict(RECIPES[recipe]) if recipe in RECIPES else {}  # an unknown one on the line is refused later
    values = {name: value for name, value in (recipe_values | stored).items() if value is not None}
    if values:
        # below the command's name, since a key at the top that is the name of a command is passed over: data
        Dict({"train": values}, source=given.get("--config", "dict"))(app, commands, arguments)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"the configuration {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"the configuration {path} is not TOML: {error}") from None


def _configuration_of(run: Path) -> dict[str, Any]:
    if (run / CONFIG_FILE).is_file():
        return _read_config(run / CONFIG_FILE)
    return asdict(Checkpoint.read(run).hyperparameters)


def _as_toml(values: Mapping[str, Any]) -> str:
    """Names, numbers, truth values and lists of them, a line each: for these TOML is written as JSON is."""
    lines = (f"{k} = {json_format.dumps(v, ensure_ascii=False)}" for k, v in values.items() if v is not None)
    return "\n".join(lines) + "\n"


app = App(
    name="mlcvlab",
    help="Neural networks built from scratch in NumPy: train one on your own table, arrays or images, or on MNIST.",
    version=version("mlcvlab"),
    result_action="return_value",
    default_parameter=Parameter(consume_multiple=True, negative_iterable=()),
    config=_options_not_given,
)
data_app = App(name="data", help="Look at data before training.")
app.command(data_app)


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
    data: str | None = None,
    hyperparameters: Annotated[Hyperparameters | None, Parameter(name="*")] = None,
    *,
    target: str | None = None,
    model: Literal["mlp", "nn2", "nn1", "perceptron"] = "mlp",
    task: Literal["classification", "regression"] | None = None,
    test_fraction: float = 0.2,
    image_size: int | None = None,
    recipe: Literal["default", "table", "cluster", "quick", "best"] | None = None,
    config: Path | None = None,
    cluster: str | None = None,
    cluster_file: Path | None = None,
    shards: int | None = None,
    allow_missing: bool = False,
    json: bool = False,
    checkpoint_every: int | None = None,
    resume: Path | None = None,
    name: str | None = None,
    output: Path = Path("runs"),
    threads: int | None = None,
) -> int:
    """Train a network on your own data, or NN2 on MNIST's even and odd digits, and save the run.

    The run's folder gets model.safetensors, config.toml, which reproduces it (mlcvlab train --config FILE), and
    pictures. Ctrl-C ends the training early and saves what there is.

    Parameters
    ----------
    data
        A table (.csv, .tsv, .parquet, .arrow, .feather), arrays (.npz, .npy, IDX), a folder with a folder of images for
        each class, or a name: moons, circles, spirals, xor, digits, mnist, mnist-parity. Left out: MNIST with NN2.
    target
        The column to predict; for .npy and IDX the file of the labels.
    model
        mlp: any depth, for classes or numbers; nn2: the handout's network, for two classes; nn1: one sigmoid unit;
        perceptron: the perceptron rule.
    task
        What the target is; found from its values where left out.
    test_fraction
        The share of the rows that is kept apart to test with at the end.
    image_size
        Scale the images of a folder to so many pixels on each side.
    recipe
        Hyperparameters known to be good: table for your own data; for MNIST quick is the least time to a good network
        and best the best one in minutes. Options that are given as well go before the recipe's.
    config
        A TOML file with options, by their names; those on the command line go before it.
    cluster
        Train on a cluster: local:4 for four processes on this machine, or the address of a Dask scheduler, such as
        tcp://10.0.0.5:8786. The data are then .parquet, .npz, .npy or IDX files, a folder of them, or a pattern such as
        'part-*.parquet', which the workers read by themselves, also from s3:// and the like. See --local-steps.
    cluster_file
        In place of --cluster: the file that 'dask scheduler --scheduler-file' writes.
    shards
        On a cluster: cut the data into about so many parts; 8, or as many as hold 64 MiB, where left out. The result
        follows from the shards, and not from the number of workers.
    allow_missing
        On a cluster: go on without the shards that cannot be read, and say which.
    json
        Print the result as JSON, and nothing else.
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
    console.quiet = json
    options: dict[str, Any] = {"data": _place_of(data), "target": _place_of(target) if _is_place(target) else target}
    if data is None:
        for option, value in {"target": target, "task": task, "image_size": image_size}.items():
            if value is not None:
                raise InputError(f"--{option.replace('_', '-')} is for your own data: give its file first")
    else:
        options |= {"model": model, "task": task, "test_fraction": test_fraction, "image_size": image_size}
    options |= _cluster_options(cluster, cluster_file, shards, allow_missing)
    if resume is not None:
        _require_same_shards(resume, options)
    every = _checkpoint_every(resume, checkpoint_every, name)
    start = perf_counter()
    with (
        _limited_threads(threads),
        _run_folder(output, name, every, resume) as (folder, target_folder),
        _client(options, every, target_folder) as client,
    ):
        configuration = options | {"checkpoint_every": every} | asdict(hp)
        callbacks: list[Callback] = [] if json else [ProgressBar(console)]
        if every is not None:
            callbacks += [_KeepConfiguration(target_folder, configuration), WriteCheckpoints(target_folder, every)]
        work = _train_parity if data is None else _train_on if client is None else _train_on_shards
        result, interrupted = work(folder, hp, configuration, callbacks, resume, client)
        _write_configuration(folder, configuration)
    if not interrupted:
        (target_folder / CHECKPOINT_FILE).unlink(missing_ok=True)
    console.print(f"Saved to [bold]{escape(str(target_folder))}[/bold] in {perf_counter() - start:.1f} s")
    if interrupted and every is not None:
        console.print(f"To go on: mlcvlab train --resume {escape(str(target_folder))}")
    _print_json(json, {"run": str(target_folder), **result, "seconds": perf_counter() - start})
    return INTERRUPTED if interrupted else 0


def _is_place(target: str | None) -> bool:
    """Whether a target is a file, or the files of a pattern, and not a column's name."""
    return target is not None and (Path(target).is_file() or any(Path().glob(target) if "*" in target else ()))


def _place_of(data: str | None) -> str | None:
    """Data by a name that is good in any folder."""
    return data if data is None or data in datasets.TOYS or "://" in data else str(Path(data).resolve())


def _cluster_options(
    cluster: str | None, cluster_file: Path | None, shards: int | None, allow_missing: bool
) -> dict[str, Any]:
    if cluster is None and cluster_file is None:
        for option, given in {"shards": shards is not None, "allow-missing": allow_missing}.items():
            if given:
                raise InputError(f"--{option} is for a training on a cluster: give --cluster as well")
        return {}
    return {
        "cluster": cluster,
        "cluster_file": None if cluster_file is None else str(cluster_file.resolve()),
        "shards": shards,
        "allow_missing": allow_missing,
    }


def _require_same_shards(resume: Path, options: Mapping[str, Any]) -> None:
    """A run that was begun on a cluster goes on there, with the shards it had, and no other does."""
    stored = _configuration_of(resume)
    here, there = (("allow_missing" in values, values.get("shards")) for values in (options, stored))
    if here != there:
        began = f"on a cluster, with shards={there[1] or 'left out'}" if there[0] else "without a cluster"
        raise InputError(f"{resume} was begun {began}: it goes on as it began, or start a new run")


@contextmanager
def _client(options: Mapping[str, Any], every: int | None, folder: Path) -> Iterator[Any]:
    """A client of the cluster that the options name, None where they name none."""
    if "allow_missing" not in options:
        yield None
        return
    from mlcvkit.cluster import ClusterError, connect

    try:
        with connect(options["cluster"], scheduler_file=options["cluster_file"]) as client:
            yield client
    except ClusterError as error:
        advice = "--checkpoint-every would have kept what was done"
        if (folder / CHECKPOINT_FILE).is_file():
            advice = f"go on with: mlcvlab train --resume {folder}"
        elif every is not None:
            advice = "there is no checkpoint yet: start again"
        raise ClusterError(f"{error}; {advice}") from None


class _Say(Callback):
    """Says something when the training starts, and so nothing where it cannot."""

    def __init__(self, text: str) -> None:
        self.text = text

    def on_start(self, run: Run) -> None:
        console.print(self.text)


class _KeepConfiguration(Callback):
    """Puts the configuration beside the checkpoints, so that the folder alone is enough to go on."""

    def __init__(self, folder: Path, configuration: Mapping[str, Any]) -> None:
        self.folder, self.configuration = folder, configuration

    def on_start(self, run: Run) -> None:
        _write_configuration(self.folder, self.configuration)


def _write_configuration(folder: Path, configuration: Mapping[str, Any]) -> None:
    storage.write_whole(folder / CONFIG_FILE, _as_toml(configuration).encode())


def _train_on(
    folder: Path,
    hp: Hyperparameters,
    configuration: dict[str, Any],
    callbacks: list[Callback],
    resume: Path | None,
    client: None,
) -> tuple[dict[str, Any], bool]:
    from mlcvkit.estimators import train_predictor

    options = {name: configuration[name] for name in ("task", "test_fraction")}
    samples = datasets.read(configuration["data"], configuration["target"], image_size=configuration["image_size"])
    text = f"Training on {escape(samples.name)}: {len(samples.X):,} samples, target {escape(str(samples.target))}"
    predictor, (test_X, test_y) = train_predictor(
        samples, hp, kind=configuration["model"], callbacks=[_Say(text), *callbacks], resume=resume, **options
    )
    return _finished(folder, hp, configuration, predictor, test_X, test_y)


def _train_on_shards(
    folder: Path,
    hp: Hyperparameters,
    configuration: dict[str, Any],
    callbacks: list[Callback],
    resume: Path | None,
    client: Any,
) -> tuple[dict[str, Any], bool]:
    from mlcvkit.cluster import find_shards, train_predictor_on_shards

    source, target = configuration["data"], configuration["target"]
    shards = find_shards(source, target, shards=configuration["shards"])
    name = source if source in datasets.TOYS else Path(source).name
    callbacks = [_Say(f"Training on {escape(name)}: {_told_of_cluster(shards, client)}"), *callbacks]
    options = {name: configuration[name] for name in ("task", "test_fraction", "allow_missing")}
    trained = train_predictor_on_shards(
        shards,
        source,
        target,
        hp,
        client=client,
        kind=configuration["model"],
        callbacks=tuple(callbacks),
        resume=resume,
        **options,
    )
    result, interrupted = _finished(folder, hp, configuration, trained.predictor, *trained.test)
    _say_throughput(trained.predictor.estimator.history_)
    return result | _told_left_out(trained.left_out), interrupted


def _told_of_cluster(shards: Sequence[Any], client: Any) -> str:
    samples, workers = sum(shard.count for shard in shards), len(client.nthreads())
    return (
        f"{samples:,} samples in {len(shards)} shards on {workers} worker{'s' if workers != 1 else ''}; "
        f"Dask's dashboard: {client.dashboard_link}"
    )


def _say_throughput(history: Mapping[str, list[float]]) -> None:
    if history:
        console.print(f"Throughput: {np.median(history['samples_per_second']):,.0f} samples/s in the median epoch")


def _told_left_out(left_out: Sequence[Any]) -> dict[str, Any]:
    for location, reason, rows in left_out:
        console.print(
            f"[bold]Left out[/bold] {f'{rows:,} samples' if rows else 'a shard'}: {escape(location)}: {reason}"
        )
    return {"left_out": [shard._asdict() for shard in left_out]} if left_out else {}


def _finished(
    folder: Path, hp: Hyperparameters, configuration: dict[str, Any], predictor: Any, test_X: Any, test_y: Any
) -> tuple[dict[str, Any], bool]:
    """Measure and save what was trained."""
    estimator = predictor.estimator
    if estimator.interrupted_:
        console.print(f"Stopped by Ctrl-C after {estimator.n_iter_} whole epochs of {hp.epochs}")
    elif estimator.n_iter_ < hp.epochs:
        console.print(f"Stopped after {estimator.n_iter_} epochs: it got no better")
    result = {"test": predictor.measure(test_X, test_y)} if len(test_y) else {}
    if result:
        _print_measures(result["test"])
    storage.save_model(folder / storage.MODEL_FILE, predictor.saved(configuration))
    _write_curves(folder, estimator.history_)
    return {"epochs": estimator.n_iter_, **result}, estimator.interrupted_


def _train_parity(
    folder: Path,
    hp: Hyperparameters,
    configuration: dict[str, Any],
    callbacks: list[Callback],
    resume: Path | None,
    client: Any,
) -> tuple[dict[str, Any], bool]:
    checkpoint = None if resume is None else Checkpoint.read(resume)
    if checkpoint is not None:
        checkpoint.require_same(hp)
    if len(hp.hidden_units) != 1 or hp.activation != "relu" or hp.dropout or hp.l2 or hp.validation_samples < 1:
        raise InputError(
            "NN2 has one hidden ReLU layer, without dropout and l2, and is watched by one validation sample or more; "
            "mlcvlab train mnist-parity trains networks of any depth on the same digits"
        )
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
        console.print(f"Going on with {escape(str(resume))} after epoch {checkpoint.epoch}")
    training: dict[str, Any] = {"X": images, "y": y, "samples": samples}
    if client is not None:
        from mlcvkit.cluster import ShardedSamples, named_shards

        shards = named_shards("mnist-parity", np.sort(samples), configuration["shards"])
        console.print(f"On a cluster: {_told_of_cluster(shards, client)}")
        data = ShardedSamples(shards, client, allow_missing=configuration["allow_missing"])
        training = {"X": data.X, "y": data.y}
    run = fit(
        model,
        **training,
        validation=(images[held_out], y[held_out]),
        hyperparameters=hp,
        metrics={"accuracy": accuracy},
        callbacks=callbacks,
        resume=checkpoint.restore if checkpoint else None,
    )
    _say_how_it_ended(run)
    result = {"test": _test_parity(model, test_X, test_y)}
    if client is not None:
        _say_throughput(run.history)
        result |= _told_left_out(data.left_out)
    saved = storage.SavedModel(model, configuration, run.history)
    storage.save_model(folder / storage.MODEL_FILE, saved)
    _write_curves(folder, run.history)
    from mlcvkit import plots

    plots.hidden_units(*model.W).savefig(folder / "hidden_units.png", dpi=120)
    return {"epochs": run.epoch, **result}, run.interrupted


@app.command
def evaluate(run: Path, data: str | None = None, /, *, target: str | None = None, json: bool = False) -> int:
    """Measure a saved model.

    Parameters
    ----------
    run
        A folder that 'mlcvlab train' wrote, or its model.safetensors.
    data
        Data with the target that it was trained for. Left out: the test samples of its own data, and for NN2 on MNIST
        the 10,000 test images.
    target
        For .npy and IDX data the file of its labels; otherwise the target is that of the training.
    json
        Print the result as JSON, and nothing else.
    """
    console.quiet = json
    saved = storage.load_model(run)
    if not saved.estimator:
        if data is not None:
            raise InputError(f"{run} is NN2 on MNIST, and is measured on MNIST: leave out {data}")
        parity = datasets.mnist_parity()
        result = _test_parity(_mnist_model(run), parity.test_X, parity.test_y)
    else:
        from mlcvkit.estimators import Predictor

        predictor, saved = Predictor.load(run)
        X, y = _test_samples(predictor, saved, data, target)
        result = predictor.measure(X, y)
        _print_measures(result)
    _print_json(json, result)
    return 0


@app.command
def predict(
    run: Path,
    data: Path,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    invert: bool = False,
    json: bool = False,
) -> int:
    """Predict: for each row of a table, each array, or each picture.

    Parameters
    ----------
    run
        A folder that 'mlcvlab train' wrote, or its model.safetensors.
    data
        Data of the kind it was trained on, a table with or without the target; one picture or a folder of them; for NN2
        on MNIST a picture of one digit: 28 x 28 grey pixels, a light digit on black.
    output
        A .csv, .tsv, .parquet, .arrow or .feather file for the predictions; printed as CSV where left out.
    invert
        For NN2 on MNIST: the picture is a dark digit on white.
    json
        Print the predictions as JSON, and nothing else.
    """
    if not storage.load_model(run).estimator:
        if output is not None:
            raise InputError("NN2 on MNIST says what one picture shows: leave out --output")
        return _predict_parity(run, data, invert, json)
    from mlcvkit.estimators import Predictor

    predictor, saved = Predictor.load(run)
    size = saved.preprocessing["shape"][0] if saved.preprocessing["encoder"] == "images" else None
    if size is not None and data.is_file() and data.suffix.lower() in datasets.IMAGE_SUFFIXES:
        X: Any = datasets.read_images([data], saved.configuration.get("image_size"))
        files: tuple[str, ...] = (data.name,)
    else:
        samples = datasets.read(data, image_size=saved.configuration.get("image_size"), as_text=True)
        X, files = samples.X, samples.files
    answers = predictor.answers(X)
    if files:
        answers = {"file": np.array(files), **answers}
    if json:
        _print_json(True, {name: column.tolist() for name, column in answers.items()})
    elif output is None:
        sys.stdout.write(datasets.as_file(answers, ".csv").decode())
    else:
        storage.write_whole(output, datasets.as_file(answers, output.suffix))
        console.print(f"{len(answers[predictor.target]):,} predictions written to {escape(str(output))}")
    return 0


@data_app.command
def describe(data: str, /, *, target: str | None = None, json: bool = False) -> int:
    """Say what each column of a data set is, and what training would make of it.

    Parameters
    ----------
    data
        As for 'mlcvlab train'.
    target
        The column to predict, which is then described apart.
    json
        Print the description as JSON, and nothing else.
    """
    description = datasets.describe(datasets.read(data, target))
    if json:
        _print_json(True, description)
        return 0
    console.print(f"[bold]{escape(description['name'])}[/bold]: {description['samples']:,} samples")
    table = Table()
    for heading in ("column", "kind", "missing", "different", "values", "note"):
        table.add_column(heading, justify="right" if heading in ("missing", "different") else "left")
    for column in description["columns"][:100]:
        missing, different = (f"{column[key]:,}" for key in ("missing", "different"))
        table.add_row(
            *map(escape, (column["name"], column["kind"], missing, different, column["values"], column["note"]))
        )
    console.print(table)
    if len(description["columns"]) > 100:
        console.print(f"and {len(description['columns']) - 100:,} columns more; --json tells all")
    return 0


@app.command
def export(
    run: Path,
    /,
    *,
    to: Literal["onnx"] = "onnx",
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    json: bool = False,
) -> int:
    """Write a saved model, with its preprocessing, in a format that other programs run.

    Parameters
    ----------
    run
        A folder that 'mlcvlab train' wrote, or its model.safetensors.
    to
        The format: onnx.
    output
        The file; model.onnx beside the model where left out.
    json
        Print the place as JSON, and nothing else.
    """
    console.quiet = json
    saved = storage.load_model(run)
    path = output or (run if run.is_dir() else run.parent) / f"model.{to}"
    storage.export_onnx(saved, path)
    console.print(f"Written to [bold]{escape(str(path))}[/bold]")
    _print_json(json, {"file": str(path)})
    return 0


@app.command
def handout(
    folder: Path,
    /,
    *,
    solved: tuple[int, ...] = (),
    title: str | None = None,
    points: tuple[float, ...] = (),
    due: str | None = None,
    rubric: Path | None = None,
    json: bool = False,
) -> int:
    """Write the homework for students: the files without their solution, and the assignment.

    Needs the extra mlcvlab[course]. The same options write the same bytes.

    Parameters
    ----------
    folder
        Where to: hw1/ and ASSIGNMENT.md appear in it.
    solved
        The problems whose solution is given: --solved 1 2.
    title
        The assignment's title.
    points
        The points of each problem, in their order: --points 5 8 6 6.
    due
        The due date; a line to fill in where it is left out.
    rubric
        A TOML file with other points, texts or tests; what it leaves out is the handout's own.
    json
        Print the files as JSON, and nothing else.
    """
    course = _course()
    console.quiet = json
    assignment = course.read_assignment(rubric, title=title, due=due, points=points)
    written = course.write_handout(folder, assignment, solved=solved)
    console.print(f"{len(written)} files in [bold]{escape(str(folder))}[/bold]: hw1/ and ASSIGNMENT.md")
    _print_json(json, {"files": [str(path) for path in written]})
    return 0


@app.command
def grade(
    submissions: Annotated[list[Path], Parameter(consume_multiple=True)],
    /,
    *,
    rubric: Path | None = None,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    format: Literal["table", "gradescope"] = "table",
    problems: tuple[int, ...] = (),
    seed: int | None = None,
    jobs: int | None = None,
    unsafe: bool = False,
    json: bool = False,
) -> int:
    """Grade submissions of the homework, in a sandbox.

    Each is compared with the reference on hidden inputs; what is wrong is explained. Every grade is written as soon as
    it is there: started again, the grading goes on. Needs the extra mlcvlab[course] and bubblewrap.

    Parameters
    ----------
    submissions
        Submissions, or folders of them: each a folder, a .zip or a tarball.
    rubric
        A TOML file with other points, tests, costs or limits; what it leaves out is the handout's own.
    output
        Folder for the grades, for each submission and for the class; grades where left out. With --format gradescope
        the file; results.json where left out.
    format
        table; gradescope: the results.json of Gradescope's autograder, for one submission.
    problems
        Grade these problems alone: --problems 1 2.
    seed
        Seed of the hidden inputs; one is drawn for the class, and kept with the grades, where it is left out.
    jobs
        How many submissions at once; one a core where left out.
    unsafe
        Run the students' code without a sandbox, with your own rights: it can read and delete what you can.
    json
        Print the grades as JSON, and nothing else.
    """
    course = _course()
    console.quiet = json
    assignment = course.read_assignment(rubric, only=problems)
    sandbox = course.Sandbox(course.libraries(assignment), unsafe=unsafe)
    if format == "gradescope":
        return _grade_for_gradescope(course, submissions, assignment, sandbox, seed, output or Path("results.json"))
    folder = output or Path("grades")
    try:
        with _Gradings(len(course.find_submissions(submissions))) as told:
            grades = course.grade_class(
                submissions, assignment, folder=folder, sandbox=sandbox, seed=seed, jobs=jobs, told=told
            )
    except KeyboardInterrupt:
        _say("stopped", f"the grades so far are in {folder}; the same command goes on from there")
        return INTERRUPTED
    course.write_overview(grades, assignment, folder)
    _print_grades(grades, assignment)
    console.print(f"Grades, feedback and overview.html are in [bold]{escape(str(folder))}[/bold]")
    if json:
        sys.stdout.write(json_format.dumps([grade.as_json() for grade in grades], ensure_ascii=False) + "\n")
    return 0


@app.command
def check(
    tree: Path = Path(),
    /,
    *,
    problems: tuple[int, ...] = (1, 2, 3),
    seed: int | None = None,
    json: bool = False,
) -> int:
    """Check your own work on the homework, as the grader does, and say what is wrong. No points.

    Your code runs with your own rights, without a sandbox. Exit code 1 where something is wrong. Needs the extra
    mlcvlab[course].

    Parameters
    ----------
    tree
        The folder hw1, or the one that holds it.
    problems
        Which problems: 1 2 3 where left out; 4 runs the notebook.
    seed
        Seed of the inputs; drawn where left out.
    json
        Print the result as JSON, and nothing else.
    """
    course = _course()
    console.quiet = json
    assignment = course.read_assignment(None, only=problems)
    sandbox = course.Sandbox(course.libraries(assignment), unsafe=True)
    if len(course.find_submissions([tree])) != 1 or not course.is_submission(tree):
        raise InputError(f"{tree} is not the homework's folder: give hw1, or the folder that holds it")
    [grade] = course.grade_class([tree], assignment, folder=None, sandbox=sandbox, seed=seed, jobs=1)
    _print_checks(grade)
    results = [course.without_points(test) for test in grade.tests]
    _print_json(json, {"tests": results, "rules": [violation.message for violation in grade.broken]})
    return 0 if all(test.right for test in grade.tests) and not grade.broken else FAILED


def _course() -> Any:
    """The course kit; an error that names its extra where that is not installed."""
    for library in ("libcst", "jinja2", "nbformat", "psutil", "IPython"):
        require(library, extra="course")
    from mlcvkit import course

    return course


class _Gradings:
    """A progress bar over submissions."""

    def __init__(self, total: int) -> None:
        self.total = total

    def __enter__(self) -> Any:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("Grading"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[last]}"),
        )
        self.progress = Progress(*columns, console=console, transient=True)
        self.progress.start()
        task = self.progress.add_task("", total=self.total, last="")

        def told(grade: Any, kept: bool) -> None:
            last = f"{escape(grade.submission)}: {'kept' if kept else f'{grade.points:g}'}"
            self.progress.update(task, advance=1, last=last)

        return told

    def __exit__(self, *_: object) -> None:
        self.progress.stop()


def _grade_for_gradescope(
    course: Any, submissions: Sequence[Path], assignment: Any, sandbox: Any, seed: int | None, output: Path
) -> int:
    grades = course.grade_class(submissions, assignment, folder=None, sandbox=sandbox, seed=seed, jobs=1)
    if len(grades) != 1:
        raise InputError(f"Gradescope grades one submission at a time; there are {len(grades)} in what was given")
    results = course.as_gradescope(grades[0])
    storage.write_whole(output, json_format.dumps(results, ensure_ascii=False, indent=1).encode())
    console.print(f"{grades[0].points:g} of {grades[0].out_of:g} points, written to [bold]{escape(str(output))}[/bold]")
    return 0


def _print_grades(grades: Sequence[Any], assignment: Any) -> None:
    """A table a submission, or one of all where they are many."""
    if len(grades) <= 5:
        for grade in grades:
            _print_grade(grade)
        return
    table = Table(title=f"{len(grades)} submissions", title_justify="left")
    numbers = [problem.number for problem in assignment.problems]
    for heading in ("submission", "points", *(f"problem {number}" for number in numbers), "rules broken"):
        table.add_column(heading, justify="left" if heading in ("submission", "rules broken") else "right")
    for grade in grades:
        by_problem = (sum(test.points for test in grade.tests if test.problem == number) for number in numbers)
        rules = ", ".join(sorted({violation.rule for violation in grade.violations}))
        table.add_row(escape(grade.submission), f"{grade.points:g}", *(f"{points:.2f}" for points in by_problem), rules)
    console.print(table)


def _print_grade(grade: Any) -> None:
    table = Table(
        title=f"{escape(grade.submission)}: {grade.points:g} of {grade.out_of:g} points", title_justify="left"
    )
    for heading in ("", "test", "points", "out of", "likely mistake"):
        table.add_column(heading, justify="right" if heading in ("points", "out of") else "left")
    part = ""
    for test in grade.tests:
        if table.rows and test.part != part:
            table.add_section()
        part = test.part
        mistake = "" if test.right else test.diagnosed or ("" if len(test.feedback) > 1 else "".join(test.feedback))
        table.add_row(str(test.problem), test.name, f"{test.points:.2f}", f"{test.out_of:.2f}", escape(mistake))
    console.print(table)
    _print_reasons(grade)
    _print_violations(grade, f"Rules broken (-{grade.cost:g})")
    if grade.test_accuracy is not None:
        console.print(f"Accuracy of the notebook's model on the true test images: {grade.test_accuracy:.2%}")


def _print_reasons(grade: Any) -> None:
    """What was found of each test that is not right, below its name."""
    for test in grade.tests:
        if (test.feedback and not test.right and len(test.feedback) > 1) or (test.right and test.diagnosed):
            console.print(f"\n[bold]{test.name}[/bold]")
            lines = [f"{test.heading}: {test.diagnosed}"] if test.diagnosed else []
            for line in [*lines, *test.feedback]:
                console.print(Padding(Text(line), (0, 0, 0, 2)))


def _print_violations(grade: Any, heading: str) -> None:
    for title, wanted in ((heading, grade.broken), ("To look at", set(grade.violations) - set(grade.broken))):
        if wanted:
            console.print(f"[bold]{title}[/bold]:")
        for violation in (one for one in grade.violations if one in wanted):
            console.print(Padding(Text(f"{violation.rule}: {violation.message}"), (0, 0, 0, 2)))


def _print_checks(grade: Any) -> None:
    missing = [test.name for test in grade.tests if test.feedback == ("it is not implemented yet",)]
    table = Table()
    for heading in ("", "function", "relative error", "likely mistake"):
        table.add_column(heading, justify="right" if heading == "relative error" else "left")
    for test in grade.tests:
        if test.name in missing:
            continue
        error = "" if test.relative_error is None else f"{test.relative_error:.1e}"
        mistake = "" if test.right else test.diagnosed or ("" if len(test.feedback) > 1 else "".join(test.feedback))
        state = "[green]ok[/green]" if test.right else "[red]wrong[/red]"
        table.add_row(state, test.name, error, escape(mistake))
    if table.rows:
        console.print(table)
    _print_reasons(grade)
    if missing:
        console.print(f"Not implemented yet: {', '.join(missing)}")
    _print_violations(grade, "Rules broken")
    console.print(f"{sum(test.right for test in grade.tests)} of {len(grade.tests)} are right")


def _checkpoint_every(resume: Path | None, given: int | None, name: str | None) -> int | None:
    if resume is None:
        return given
    if name is not None:
        raise InputError(f"--resume goes on in the run's own folder, {resume}: leave out --name")
    every = Checkpoint.read(resume).every
    return every if given is None else given


def _run_folder(
    output: Path, name: str | None, every: int | None, resume: Path | None
) -> AbstractContextManager[tuple[Path, Path]]:
    if resume is not None:
        return storage.open_run(resume)
    return storage.new_run(output, name) if every is None else storage.open_run(storage.free_folder(output, name))


def _say_how_it_ended(run: Run) -> None:
    hp = run.hyperparameters
    if run.interrupted:
        console.print(f"Stopped by Ctrl-C after {run.epoch} whole epochs of {hp.epochs}")
    elif run.epoch < hp.epochs:
        console.print(f"Stopped after {run.epoch} epochs: no better validation loss for {hp.patience}")


def _write_curves(folder: Path, history: Mapping[str, list[float]]) -> None:
    if history:
        from mlcvkit import plots

        plots.curves(history).savefig(folder / "curves.png", dpi=120)


def _test_samples(predictor: Any, saved: storage.SavedModel, data: str | None, target: str | None) -> tuple[Any, Array]:
    """The samples to measure with: those of a file, or those that the training held out."""
    from mlcvkit.estimators.predictor import split_samples

    configuration = saved.configuration
    source, target = configuration["data"] if data is None else data, target or configuration["target"]
    if data is not None and target == configuration["target"] and target is not None and Path(target).is_file():
        raise InputError(f"give the file of the labels of {data} with --target: {target} is that of the training")
    if data is None and not predictor.fingerprint:
        raise InputError(
            f"the rows of {source} that were held out on a cluster are not kept: give data to measure with"
        )
    samples = datasets.read(source, target, image_size=configuration["image_size"], as_text=data is not None)
    if data is not None:
        if samples.y is None:
            raise InputError(f"{data} has no target to compare with")
        return samples.X, samples.y
    if samples.fingerprint != predictor.fingerprint:
        raise InputError(f"{source} is not what the model was trained on any more: give the data to measure it with")
    return split_samples(samples, configuration)


def _print_measures(measures: Mapping[str, Any]) -> None:
    if "accuracy" not in measures:
        r2 = "" if measures["r2"] is None else f"R² [bold]{measures['r2']:.4f}[/bold], "
        console.print(
            f"Test on {measures['samples']:,} samples: {r2}root mean squared error {measures['rmse']:.4g}, "
            f"mean absolute error {measures['mae']:.4g}"
        )
        return
    confusion = measures["confusion"]
    if len(confusion) <= 12:
        table = Table(title="Test samples: a row for each class, a column for what was said", title_justify="left")
        for heading in ("", *(f"said {name}" if len(confusion) < 5 else name for name in confusion), "right"):
            table.add_column(escape(heading), justify="right" if heading else "left")
        for name, said in confusion.items():
            total = sum(said.values())
            right = f"{said[name] / total:.2%}" if total else ""
            table.add_row(escape(name), *(f"{count:,}" for count in said.values()), right)
        console.print(table)
    loss = f", log loss {measures['log_loss']:.4f}" if "log_loss" in measures else ""
    console.print(f"Test accuracy [bold]{measures['accuracy']:.2%}[/bold] on {measures['samples']:,} samples{loss}")


def _test_parity(model: NN2, X: Array, y: Array) -> dict[str, Any]:
    even, truth = model.nn2(X.T)[0] >= 0.5, y >= 0.5
    table = Table(title="Test samples", title_justify="left")
    for heading in ("", "said even", "said odd", "right"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, kind in (("even", truth), ("odd", ~truth)):
        said_even, said_odd = int(even[kind].sum()), int((~even[kind]).sum())
        right = (even == truth)[kind].mean()
        table.add_row(name, f"{said_even:,}", f"{said_odd:,}", f"{right:.2%}")
    console.print(table)
    loss, right = model.emp_loss(X.T, y[None]), accuracy(model, X.T, y[None])
    console.print(f"Test accuracy [bold]{right:.2%}[/bold], {model.loss} loss {loss:.4f}")
    return {"samples": len(y), "accuracy": right, "loss": loss}


def _predict_parity(run: Path, image: Path, invert: bool, json: bool) -> int:
    model = _mnist_model(run)
    even = float(model.nn2(datasets.read_digit(image, invert=invert).T)[0, 0])
    answer, probability = ("even", even) if even >= 0.5 else ("odd", 1 - even)
    if not json:
        console.print(f"[bold]{answer}[/bold], with probability {probability:.4f}")
    _print_json(json, {"prediction": answer, "probability": probability})
    return 0


def _mnist_model(run: Path) -> NN2:
    model = storage.load_model(run).model
    pixels = datasets.SIDE**2
    if not isinstance(model, NN2) or model.W[0].shape[1] != pixels:
        raise InputError(f"{run} does not read the {pixels} pixels of MNIST's images, or is no NN2")
    return model


def _print_json(wanted: bool, result: Mapping[str, Any]) -> None:
    if wanted:
        sys.stdout.write(json_format.dumps(result, ensure_ascii=False) + "\n")


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
