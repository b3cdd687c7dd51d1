"""The commands for data before a training, and for models after it."""

import os
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import numpy as np
from cyclopts import Parameter
from rich.markup import escape

from mlcvkit import datasets, storage
from mlcvkit.arrays import PlainData, RawRows
from mlcvkit.cli.app import console, print_data, print_json, say, table_of
from mlcvkit.cli.source import Source
from mlcvkit.errors import InputError
from mlcvkit.experiments import Predictor, checked_target, completed, notes_of_target, test_rows


def evaluate(
    run: Path, data: str | None = None, /, *, target: str | None = None, clip: bool = True, json: bool = False
) -> int:
    """Measure a saved model.

    Parameters
    ----------
    run
        A folder that 'mlcvlab train' wrote, or its model.safetensors.
    data
        Data with the target of the training; by default the test samples of the training's data.
    target
        For .npy and IDX data the file with the labels; otherwise the target of the training is used.
    clip
        As for 'mlcvlab predict'.
    json
        Print the result as JSON, and nothing else.
    """
    console.quiet = json
    predictor, saved = Predictor.load(run)
    notes: list[str] = []
    X, y = test_rows(predictor, saved.configuration, data, target, notes)
    for note in notes:
        say("note", note)
    say_unread(predictor, X, clip)
    result = predictor.measure(X, y)
    print_measures(result)
    print_json(json, result)
    return 0


def predict(
    run: Path,
    data: Path,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    invert: bool = False,
    clip: bool = True,
    json: bool = False,
) -> int:
    """Predict: for each row of a table, each array, or each picture.

    Parameters
    ----------
    run
        A folder that 'mlcvlab train' wrote, or its model.safetensors.
    data
        Data of the kind it was trained on, a table with or without the target; one picture or a folder of them; for a
        model of MNIST's digits: 28 x 28 grey pixels, a light digit on black.
    output
        A .csv, .tsv, .parquet, .arrow or .feather file for the predictions, with all digits. By default
        they are printed: for one picture as a sentence, otherwise as CSV.
    clip
        Clip numbers outside the range of the training to it, with a margin; a line says which. --no-clip keeps them.
    invert
        For one picture and a model of MNIST's digits: the picture is a dark digit on white.
    json
        Print the predictions as JSON, and nothing else.
    """
    predictor, saved = Predictor.load(run)
    _require_other(output, storage.model_file(run), data)
    configuration = saved.configuration
    is_picture = data.is_file() and data.suffix.lower() in datasets.IMAGE_SUFFIXES
    if invert and not is_picture:
        raise InputError(f"--invert is for one picture of a digit: leave it out for {data}")
    if is_picture and saved.preprocessing.get("encoder") == "images":
        if configuration.get("data") in datasets.MNIST_NAMES:
            X: RawRows = datasets.read_digit(data, invert=invert)
        elif invert:
            raise InputError("--invert is for models of MNIST's digits: leave it out")
        else:
            X = datasets.read_images([data], configuration.get("image_size"))
        files: tuple[str, ...] = (data.name,)
    else:
        how = {"image_size": configuration.get("image_size"), "header": configuration.get("header")}
        samples = datasets.read(data, **how, known=True, features=predictor.features)
        X, files = samples.X, samples.files
        for note in samples.notes:
            say("note", note)
    say_unread(predictor, X, clip)
    columns = predictor.predict_columns(X)
    if is_picture and output is None and predictor.has_probabilities and not json:
        probability = max(values[0] for name, values in columns.items() if name != predictor.target)
        console.print(f"[bold]{escape(str(columns[predictor.target][0]))}[/bold], with probability {probability:.4f}")
        return 0
    if files:
        names = [os.fsencode(name).decode(errors="replace") for name in files]
        columns = {"file": np.array(names), **columns}
    if output is not None:
        storage.write_whole(output, datasets.as_file(columns, output.suffix))
        console.quiet = json
        console.print(f"{len(columns[predictor.target]):,} predictions written to {escape(str(output))}")
        print_json(json, {"predictions": len(columns[predictor.target]), "output": str(output)})
    elif json:
        print_json(True, {name: column.tolist() for name, column in columns.items()})
    else:
        print_data(datasets.as_file(columns, ".csv"))
    return 0


def _require_other(output: Path | None, *inputs: Path) -> None:
    """Refuse an output that would take the place of what is read."""
    for path in inputs:
        if output is not None and output.exists() and path.exists() and output.samefile(path):
            raise InputError(f"--output {output} would overwrite {path}, which is read: give another file")


def say_unread(predictor: Predictor, X: RawRows, clip: bool) -> None:
    """Print which values are clipped to the range of the training, and which count as missing or as another name."""
    encoder = predictor.encoder
    if not isinstance(encoder, datasets.TableEncoder):
        if not clip:
            raise InputError("--no-clip is for tables: leave it out for images")
        return
    encoder.clip = clip
    for note in predictor.notes_on(X, ", see --no-clip"):
        say("note", note)


def describe(
    data: str,
    /,
    *,
    target: str | None = None,
    header: bool | None = None,
    decimal: Literal[".", ","] | None = None,
    day_first: bool | None = None,
    max_categories: int | None = None,
    categorical: tuple[str, ...] = (),
    json: bool = False,
) -> int:
    """Describe each column of a data set, and how a training would use it.

    Parameters
    ----------
    data
        As for 'mlcvlab train'.
    target
        The column to predict, which is described separately.
    header
        The first line of a text file has the names of the columns; --no-header says that it has not.
    decimal
        The decimal mark of numbers in text, if the file does not show it.
    day_first
        The day comes before the month in dates, if the column does not show it.
    max_categories
        The most names of a column that get a column each.
    categorical
        Columns whose values are names, also if they are written as numbers.
    json
        Print the description as JSON, and nothing else.
    """
    how = Source(
        target=target,
        header=header,
        decimal=decimal,
        day_first=day_first,
        max_categories=max_categories,
        categorical=categorical or None,
    )
    experiment = how.experiment(data)
    samples = experiment.read()
    description = datasets.describe(samples, **experiment.encoding)
    if samples.y is not None:
        with suppress(InputError):  # nothing to learn is no fault of a description
            description["notes"] += notes_of_target(*checked_target(samples, experiment.task))
    if json:
        print_json(True, description)
        return 0
    console.print(f"[bold]{escape(description['name'])}[/bold]: {description['samples']:,} samples")
    words = ("column", "kind", "values", "note")
    table = table_of("column", "kind", "missing", "different", "values", "note", left=words)
    for column in description["columns"][:100]:
        missing, different = (f"{column[key]:,}" for key in ("missing", "different"))
        table.add_row(
            *map(escape, (column["name"], column["kind"], missing, different, column["values"], column["note"]))
        )
    console.print(table)
    if len(description["columns"]) > 100:
        console.print(f"and {len(description['columns']) - 100:,} columns more; --json tells all")
    for note in description["notes"]:
        console.print(f"[bold]Note[/bold] {escape(note)}")
    return 0


def export(
    run: Path,
    /,
    *,
    to: Literal["onnx"] = "onnx",
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    json: bool = False,
) -> int:
    """Write a saved model, with its preprocessing, in a format for other programs.

    Parameters
    ----------
    run
        A folder that 'mlcvlab train' wrote, or its model.safetensors.
    to
        The format: onnx.
    output
        The file; by default model.onnx beside the model.
    json
        Print the path as JSON, and nothing else.
    """
    console.quiet = json
    saved = completed(storage.load_model(run))
    path = output or (run if run.is_dir() else run.parent) / f"model.{to}"
    _require_other(path, storage.model_file(run))
    storage.export_onnx(saved, path)
    console.print(f"Written to [bold]{escape(str(path))}[/bold]")
    print_json(json, {"file": str(path)})
    return 0


def print_measures(measures: PlainData) -> None:
    """Print a table of measures."""
    if "accuracy" not in measures:
        r2 = "" if measures["r2"] is None else f"R² [bold]{measures['r2']:.4f}[/bold], "
        console.print(
            f"Test on {measures['samples']:,} samples: {r2}root mean squared error {measures['rmse']:.4g}, "
            f"mean absolute error {measures['mae']:.4g}"
        )
        return
    confusion = measures["confusion"]
    if len(confusion) <= 12:
        title = "Confusion matrix: a row for each true class, a column for each predicted class"
        classes = list(next(iter(confusion.values())))
        headings = (escape(f"predicted {name}" if len(classes) < 5 else name) for name in classes)
        table = table_of("", *headings, "recall", left=("",), title=title)
        for name, predicted in confusion.items():
            total = sum(predicted.values())
            recall = (
                f"{predicted[name] / total:.2%}" if total and name in predicted else "unknown class" if total else ""
            )
            table.add_row(escape(name), *(f"{count:,}" for count in predicted.values()), recall)
        console.print(table)
    if "unknown" in measures:
        unknown = measures["unknown"]
        are = "sample is of a class" if unknown == 1 else "samples are of classes"
        console.print(f"{unknown:,} {are} that the model does not know, and count as wrong")
    loss = f", log loss {measures['log_loss']:.4f}" if "log_loss" in measures else ""
    console.print(f"Test accuracy [bold]{measures['accuracy']:.2%}[/bold] on {measures['samples']:,} samples{loss}")


def sample(path: Path, /) -> int:
    """Write sample data: a table of 1,000 invented people, or a folder of 500 digits.

    The table has numbers, names and missing values; its target is 'buys'. The folder has a folder for each digit, with
    50 of MNIST's training images as PNG files.

    Parameters
    ----------
    path
        A .csv file for the table, or a folder for the digits. It must not exist yet.
    """
    if path.exists():
        raise InputError(f"{path} is there already: give another name")
    if path.suffix and path.suffix.lower() != ".csv":
        raise InputError(f"{path} is neither a .csv file, for a table, nor a folder, for images")
    target = " --target buys" if path.suffix else ""
    if path.suffix:
        storage.write_whole(path, (files("mlcvkit.data") / "people.csv").read_bytes())
    else:
        _write_digits(path)
    console.print(f"Written to {escape(str(path))}; next: mlcvlab train {escape(str(path))}{target}")
    return 0


def _write_digits(folder: Path) -> None:
    """Write the first 50 training images of each digit into a folder, completely or not at all."""
    from PIL import Image

    digits = datasets.mnist()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.partial-") as partial:
        for digit in range(10):
            inner = Path(partial, "whole", str(digit))
            inner.mkdir(parents=True)
            for index in (digits.train_y == digit).nonzero()[0][:50]:
                Image.fromarray(digits.train_X[index]).save(inner / f"{index}.png")
        Path(partial, "whole").rename(folder)
