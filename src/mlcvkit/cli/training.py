"""mlcvlab train."""

import io
import json as json_format
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from cyclopts import App, ArgumentCollection, Parameter
from cyclopts.config import Dict
from rich.markup import escape

from mlcvkit import storage
from mlcvkit.arrays import PlainData
from mlcvkit.cli.app import INTERRUPTED, console, limited_threads, print_json, read_config, say
from mlcvkit.cli.interrupts import EndBySignals, Interrupts, interrupts
from mlcvkit.cli.models import print_measures
from mlcvkit.cli.runs import train_repeatedly
from mlcvkit.cli.source import Source, errors_of_options
from mlcvkit.errors import InputError
from mlcvkit.experiments import (
    KINDS,
    Classes,
    Experiment,
    Predictor,
    Trained,
    prepare,
    recipe_for,
    without_old_defaults,
)
from mlcvkit.models import architecture, as_mlp
from mlcvkit.training import (
    CHECKPOINT_FILE,
    RECIPES,
    Callback,
    Checkpoint,
    Hyperparameters,
    ProgressBar,
    Run,
    WriteCheckpoints,
)

if TYPE_CHECKING:
    from distributed import Client


WITHOUT_EFFECT = (
    (
        "--init",
        "--initialization",
        "--init would not use {option}: the first weights are those of another run; leave it out",
    ),
    ("--test", "--test-fraction", "the file of --test is what is tested with: leave out test_fraction"),
    ("--folds", "--test-fraction", "folds are what is tested with: leave out a test set and test_fraction"),
)
"""Options of which the second does nothing beside the first, whatever its value."""


def options_not_given(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Take options that the command line does not give from a resumed run, a file, or a recipe, in this order."""
    given = {argument.name: argument.tokens[0].value for argument in arguments if argument.tokens}
    for name in ("--init", "--output", "--config", "--recipe"):
        if "--resume" in given and name in given:
            raise InputError(f"--resume goes on with a run as it began, in its folder: leave out {name}")
    stored: PlainData = {}
    if "--config" in given:
        stored |= read_config(Path(given["--config"]))
        if alone := sorted(stored.keys() & {"config", "resume"}):
            raise InputError(f"{alone[0]} is for the command line: leave it out of {given['--config']}")
        if stored.get("init") is not None:
            given.setdefault("--init", str(stored["init"]))
    for name, other, why in WITHOUT_EFFECT:
        if name in given and other in given:
            raise InputError(why.format(option=f"{other[2:]}={given[other]}"))
    if "--config" in given:
        set_there = sorted(stored.keys() & asdict(Hyperparameters()).keys())
        if "--recipe" in given and set_there:
            raise InputError(f"{given['--config']} sets {', '.join(set_there[:3])} and more: leave out --recipe")
        if "--folds" in given or "--repeats" in given:
            stored.pop("checkpoint_every", None)  # which was of the one training
    if "--resume" in given:
        stored |= _configuration_of(Path(given["--resume"]))
    if "--init" in given:
        network = _network_of(Path(given["--init"]))
        if (
            "perceptron" in (kinds := {given.get("--model", network.get("model")), network.get("model")})
            and len(kinds) > 1
        ):
            raise InputError(
                f"the network of {given['--init']} is of another kind: leave out --model {given['--model']}"
            )
        stored = network | stored
    if "--cluster" in given or "--cluster-file" in given:
        stored = {name: value for name, value in stored.items() if name not in ("cluster", "cluster_file")}
    on_cluster = any(name in given for name in ("--cluster", "--cluster-file")) or "cluster" in stored
    own_data = "--data" in given or "data" in stored
    recipe = stored.pop("recipe", "table" if own_data else "cluster" if on_cluster else "default")
    if not isinstance(recipe, str) or recipe not in RECIPES:
        place = given.get("--config") or given["--resume"]
        raise InputError(f"recipe must be one of {', '.join(RECIPES)}; got {recipe!r} in {place}")
    recipe = given.get("--recipe", recipe)
    kind: Any = given.get("--model", stored.get("model", "mlp")) if own_data else "nn2"
    known = recipe in RECIPES and isinstance(kind, str) and kind in KINDS  # what is unknown is refused later
    recipe_values = asdict(recipe_for(kind, recipe)) if known else {}
    if known and stored.get("model", kind) == kind:
        stored = without_old_defaults(stored, kind)
    plain = asdict(Hyperparameters())
    values = {
        name: "none" if value is None else value  # which is left to the rows, where the command's own default is not
        for name, value in (recipe_values | stored).items()
        if value is not None or plain.get(name) is not None
    }
    if values:
        # below the command's name, since a key at the top that is the name of a command is passed over: data
        Dict({"train": values}, source=given.get("--config", "dict"))(app, commands, arguments)


def _network_of(run: Path) -> PlainData:
    """The options that make the network of a run."""
    saved = storage.load_model(run)
    made_of = saved.configuration or architecture(as_mlp(saved.model))  # a model saved from Python may say no more
    return {name: made_of[name] for name in ("model", "hidden_units", "activation") if made_of.get(name)}


def _configuration_of(run: Path) -> PlainData:
    if (run / storage.CONFIG_FILE).is_file():
        return read_config(run / storage.CONFIG_FILE)
    return asdict(Checkpoint.read(run).hyperparameters)


def train(
    data: str | None = None,
    hyperparameters: Annotated[Hyperparameters | None, Parameter(name="*")] = None,
    source: Source | None = None,
    *,
    init: Path | None = None,
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
    repeats: int | None = None,
    folds: int | None = None,
    group: str | None = None,
    in_order: bool = False,
) -> int:
    """Train a network on your own data, or NN2 on MNIST's even and odd digits, and save the run.

    The run's folder gets model.safetensors, config.toml, which reproduces it (mlcvlab train --config FILE), result.json
    and pictures. Ctrl-C ends the training early and saves what there is.

    The defaults below are for MNIST's even and odd digits. For your own data they are --hidden-units 100
    --learning-rate 0.002 --batch-size 64 --epochs 200 --patience 20 --validation-samples 1000, and see --l2 and
    --initialization.

    Parameters
    ----------
    data
        A table (.csv, .tsv, .parquet, .arrow, .feather), arrays (.npz, .npy, IDX), a folder with a folder of images for
        each class, or a name: moons, circles, spirals, xor, digits, mnist, mnist-parity. By default MNIST with NN2.
    init
        Start from the weights of this run, with its preprocessing and network, on data with the same columns and
        classes: --model, --hidden-units and --activation can be left out.
    recipe
        Proven hyperparameters: table for your own data; for MNIST, quick is the fastest way to a good network, and best
        the best network in minutes. Options on the command line override the recipe's.
    config
        A TOML file with options by name; those on the command line override it.
    cluster
        Train on a cluster: local:4 for four processes on this machine, or the address of a Dask scheduler, such as
        tcp://10.0.0.5:8786. The data are then .parquet, .npz, .npy or IDX files, a folder of them, or a pattern such as
        'part-*.parquet', which the workers read by themselves, also from s3:// and the like. See --local-steps.
    cluster_file
        In place of --cluster: the file that 'dask scheduler --scheduler-file' writes.
    shards
        On a cluster: cut the data into about this many parts; by default 8, or more of 64 MiB each. The result
        follows from the shards, and not from the number of workers.
    allow_missing
        On a cluster: go on without the shards that cannot be read, and say which.
    json
        Print the result as JSON, and nothing else.
    checkpoint_every
        Keep the state of the training in the run's folder, each time after this many epochs, so that it can be resumed.
    resume
        Folder of a run with checkpoints: go on from the last one. A run that was stopped or killed comes to the same
        weights as without the stop, given the same machine and threads; --epochs N trains to N epochs in all.
    name
        Name of the run's folder; the time where it is left out.
    output
        Folder that holds the runs.
    threads
        The most threads for matrix products; all cores where it is left out. The weights are the same with any.
    repeats
        Train with this many seeds, each with other test rows and initial weights, and print the mean and the spread.
    folds
        Cross-validate: cut the rows into this many folds, with a share of each class in each, and test each fold with a
        network that was trained on the others.
    group
        With --folds: the column whose rows of one value stay together, such as a patient.
    in_order
        With --folds, for a time series: each fold is tested by a network that was trained on the rows before it.
    """
    console.quiet = json
    experiment = (source or Source()).experiment(
        data, init=None if init is None else str(init.resolve()), hyperparameters=hyperparameters or Hyperparameters()
    )
    options = _cluster_options(cluster, cluster_file, shards, allow_missing)
    _require_used_on_cluster(experiment, options)
    with limited_threads(threads):
        if repeats is not None or folds is not None or group is not None or in_order:
            _require_alone(init=init, resume=resume, cluster=options or None, checkpoint_every=checkpoint_every)
            how: PlainData = {"repeats": repeats, "folds": folds, "group": group, "in_order": in_order}
            return train_repeatedly(experiment, output, name, **how, json=json)
        if resume is not None:
            _require_same_shards(resume, options)
        every = _checkpoint_every(resume, checkpoint_every, name)
        return _train_once(experiment, options, every, output, name, resume, json)


def _train_once(
    experiment: Experiment,
    options: PlainData,
    every: int | None,
    output: Path,
    name: str | None,
    resume: Path | None,
    json: bool,
) -> int:
    """One training: it is saved, and then measured, drawn and reported."""
    start = perf_counter()
    trained: Trained | None = None
    result: PlainData = {}
    cut_short = False
    with interrupts() as handler, ExitStack() as places:
        folder, target_folder = places.enter_context(_run_folder(output, name, every, resume))
        try:
            with _client(options, every, target_folder) as client:
                training = _OnCluster(experiment, options, client) if client else _Here(experiment)
                configuration = training.configuration | {"checkpoint_every": every}
                callbacks = _callbacks(handler, target_folder, configuration, every, json)
                text = training.description if resume is None else f"{training.description}; resumed from {resume}"
                lines = [f"Training {text}", *(f"[bold]Note[/bold] {escape(note)}" for note in training.notes)]
                say_what = _OnStart(partial(console.print, *lines, sep="\n"))
                trained = training.fit([say_what, *callbacks], resume)
                saved = trained.predictor.saved(configuration)
                with handler.saving():
                    storage.save_model(folder / storage.MODEL_FILE, saved)
                    storage.write_configuration(folder, configuration)
                    places.close()
                result = _measured_and_drawn(trained, saved, target_folder, handler.name)
        except KeyboardInterrupt:
            if trained is None or not handler.saved:
                raise
            cut_short = True
        handler.hold()
        notes = trained.predictor.notes
        result = {"epochs": trained.run.epoch, **({"notes": list(notes)} if notes else {}), **result}
        _say_where(trained, target_folder, result, perf_counter() - start, every, json)
    return INTERRUPTED if trained.run.interrupted or cut_short else 0


def _require_used_on_cluster(experiment: Experiment, options: PlainData) -> None:
    if options:
        from mlcvkit.cluster import require_used_on_cluster

        with errors_of_options():
            require_used_on_cluster(experiment)


def _require_alone(**others: object) -> None:
    for name, value in others.items():
        if value is not None:
            raise InputError(f"--{name.replace('_', '-')} is for one training: leave it out with --repeats and --folds")


class _Here:
    """A training in this process."""

    def __init__(self, experiment: Experiment) -> None:
        self.prepared = prepare(experiment)
        self.configuration = self.prepared.configuration

    @property
    def description(self) -> str:
        prepared, model = self.prepared, self.prepared.experiment.model
        validation = 0 if prepared.validation is None else len(prepared.validation[1])
        counts = {"training": prepared.samples, "validation": validation, "test": len(prepared.test[1])}
        listed = ", ".join(f"{count:,} {part}" for part, count in counts.items() if count)
        data = Path(prepared.experiment.data).name
        return f"{model} on {escape(data)}: target {escape(prepared.target)}, {listed} samples"

    @property
    def notes(self) -> tuple[str, ...]:
        return self.prepared.notes

    def fit(self, callbacks: list[Callback], resume: Path | None) -> Trained:
        return self.prepared.fit(callbacks=callbacks, resume=resume)


class _OnCluster:
    """A training on a cluster."""

    def __init__(self, experiment: Experiment, options: PlainData, client: "Client") -> None:
        from mlcvkit.cluster import find_shards, used_on_cluster

        self.experiment, self.options, self.client = experiment, options, client
        self.configuration = experiment.to_dict() | dict(options) | used_on_cluster(experiment)
        self.shards = find_shards(experiment.data, experiment.target, shards=options["shards"])
        self.notes: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        samples, workers = sum(shard.count for shard in self.shards), len(self.client.nthreads())
        return (
            f"{self.experiment.model} on {escape(Path(self.experiment.data).name)}: {samples:,} samples in "
            f"{len(self.shards)} shards on {workers} worker{'s' if workers != 1 else ''}; "
            f"Dask's dashboard: {self.client.dashboard_link}"
        )

    def fit(self, callbacks: list[Callback], resume: Path | None) -> Trained:
        from mlcvkit.cluster import train_on_shards

        options = {"client": self.client, "allow_missing": self.options["allow_missing"]}
        return train_on_shards(self.experiment, self.shards, callbacks=callbacks, resume=resume, **options)


def _callbacks(
    handler: Interrupts, folder: Path, configuration: PlainData, every: int | None, json: bool
) -> list[Callback]:
    callbacks: list[Callback] = [EndBySignals(handler), *([] if json else [ProgressBar(console)])]
    if every is not None:
        # beside the checkpoints, so that the folder is enough to continue
        keep = _OnStart(partial(storage.write_configuration, folder, configuration))
        callbacks += [keep, WriteCheckpoints(folder, every)]
    return callbacks


def _measured_and_drawn(trained: Trained, saved: storage.SavedModel, folder: Path, signal: str) -> PlainData:
    """Measure and draw the saved run; a picture that cannot be drawn is a note."""
    run, epochs = trained.run, saved.configuration["epochs"]
    if run.interrupted:
        console.print(f"Stopped by {signal} after {run.epoch} complete epochs of {epochs}")
    elif run.epoch < epochs:
        which = "validation" if "validation_loss" in run.history else "training"
        console.print(f"Stopped after {run.epoch} epochs: the {which} loss got no better")
    result: PlainData = {}
    try:
        result = _measured(trained)
    except (ValueError, MemoryError) as error:
        say("note", f"the run is saved, and could not be measured: {error}")
    try:
        storage.write_whole(folder / storage.RESULT_FILE, json_format.dumps(result).encode())
        _draw(trained.predictor, saved, folder)
    except Exception as error:
        say("note", f"the run is saved, and its pictures could not be drawn: {type(error).__name__}: {error}")
    return result


def _measured(trained: Trained) -> PlainData:
    result: PlainData = {}
    if len(trained.test[1]):
        result["test"] = trained.predictor.measure(*trained.test)
        print_measures(result["test"])
    elif getattr(trained, "left_out", None) is not None:
        console.print("[bold]Note[/bold] no rows are held out to test with")
    left_out = getattr(trained, "left_out", None)
    for note in trained.predictor.notes if left_out is not None else ():
        console.print(f"[bold]Note[/bold] {escape(note)}")
    if left_out is not None and trained.run.history:
        speed = np.median(trained.run.history["samples_per_second"])
        console.print(f"Throughput: {speed:,.0f} samples/s in the median epoch")
    for location, reason, rows in left_out or ():
        what = f"{rows:,} samples" if rows else "a shard"
        console.print(f"[bold]Left out[/bold] {what}: {escape(location)}: {reason}")
    return result | ({"left_out": [shard._asdict() for shard in left_out]} if left_out else {})


def _draw(predictor: Predictor, saved: storage.SavedModel, folder: Path) -> None:
    from mlcvkit import plots

    figures = {"curves": plots.curves(saved.history)} if saved.history else {}
    (W1, _), *following = predictor.mlp.pairs(predictor.mlp.W)
    if predictor.shows_units:
        last = following[0][0]
        names = predictor.targets.class_names if isinstance(predictor.targets, Classes) else ()
        figures["hidden_units"] = plots.hidden_units(W1, last.T if len(last) == 1 else None, names=names)
    for name, figure in figures.items():
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=120)
        storage.write_whole(folder / f"{name}.png", content.getvalue())


def _say_where(
    trained: Trained, folder: Path, result: PlainData, seconds: float, every: int | None, json: bool
) -> None:
    console.print(f"Saved to [bold]{escape(str(folder))}[/bold] in {seconds:.1f} s")
    if every is not None:
        place, run = escape(str(folder)), trained.run
        if run.interrupted:
            console.print(f"To go on: mlcvlab train --resume {place}")
        elif run.epoch < run.hyperparameters.epochs:
            console.print(
                f"More epochs would not change it; to train on from its weights: the same command with --init {place}"
            )
        else:
            console.print(f"For more epochs: mlcvlab train --resume {place} --epochs {2 * run.epoch}")
    print_json(json, {"run": str(folder), **result, "seconds": seconds})


def _cluster_options(
    cluster: str | None, cluster_file: Path | None, shards: int | None, allow_missing: bool
) -> PlainData:
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


def _require_same_shards(resume: Path, options: PlainData) -> None:
    """A run that began on a cluster can only continue there, with the same shards."""
    stored = _configuration_of(resume)
    here, there = (("allow_missing" in values, values.get("shards")) for values in (options, stored))
    if here != there:
        began = f"on a cluster, with shards={there[1] or 'left out'}" if there[0] else "without a cluster"
        raise InputError(f"{resume} was begun {began}: it goes on as it began, or start a new run")


@contextmanager
def _client(options: PlainData, every: int | None, folder: Path) -> Iterator["Client"]:
    """A client of the cluster that the options name, None if they name none."""
    if not options:
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


class _OnStart(Callback):
    """Does something when the training starts, and nothing if it cannot start."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work

    def on_start(self, run: Run) -> None:
        self.work()


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
    return storage.new_run(output, name) if every is None else storage.new_resumable_run(output, name)
