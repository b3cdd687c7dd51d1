"""What is done with a data set before training, and with a model after it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from mlcvkit import InputError, datasets, storage
from mlcvkit.cli.app import app, console, data_app, print_data, print_json
from mlcvkit.training import (
    accuracy,
)
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn import Array


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
        result = test_parity(_mnist_model(run), *datasets.mnist_test_parity())
    else:
        from mlcvkit.estimators import Predictor
        from mlcvkit.estimators.predictor import test_samples

        predictor, saved = Predictor.load(run)
        X, y = test_samples(predictor, saved, data, target)
        result = predictor.measure(X, y)
        print_measures(result)
    print_json(json, result)
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
        print_json(True, {name: column.tolist() for name, column in answers.items()})
    elif output is None:
        print_data(datasets.as_file(answers, ".csv"))
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
        print_json(True, description)
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
    print_json(json, {"file": str(path)})
    return 0


def print_measures(measures: Mapping[str, Any]) -> None:
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


def test_parity(model: NN2, X: Array, y: Array) -> dict[str, Any]:
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
    print_json(json, {"prediction": answer, "probability": probability})
    return 0


def _mnist_model(run: Path) -> NN2:
    model = storage.load_model(run).model
    pixels = datasets.SIDE**2
    if not isinstance(model, NN2) or model.W[0].shape[1] != pixels:
        raise InputError(f"{run} does not read the {pixels} pixels of MNIST's images, or is no NN2")
    return model
