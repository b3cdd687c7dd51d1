"""Reports of real runs: what they say is computed anew here."""

import json
import re
from dataclasses import asdict
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics

from command import run
from mlcvkit import Hyperparameters, InputError, datasets, plots
from mlcvkit.cli import main  # noqa: F401 (the commands are registered)
from mlcvkit.cli.app import app, register_commands
from mlcvkit.models import ACTIVATIONS
from mlcvkit.report import read_subject, report_on, write_report
from mlcvkit.report.runs import SURFACE_POINTS, layer_statistics, loss_surface, run_parts
from numerical import stencil

register_commands(at_once=False)


def command(*arguments, folder):
    result = run(*arguments, folder=folder)
    assert result.returncode == 0, result
    return result


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs of every kind."""
    folder = tmp_path_factory.mktemp("runs")
    rows = np.random.default_rng(0).normal(size=(200, 2))
    lines = [f"{a},{b},{3 * a - b}" for a, b in rows]
    (folder / "numbers.csv").write_text("a,b,c\n" + "\n".join(lines) + "\n")
    kinds = {
        "parity": ["--epochs", "1", "--hidden-units", "16", "--batch-size", "512"],
        "digits": ["digits", "--epochs", "15"],
        "moons": ["moons", "--epochs", "20", "--hidden-units", "8", "4", "--activation", "tanh"],
        "perceptron": ["moons", "--model", "perceptron", "--epochs", "5"],
        "nn1": ["moons", "--model", "nn1", "--epochs", "5"],
        "numbers": ["numbers.csv", "--target", "c", "--epochs", "10"],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, options in kinds.items():
            assert app(["train", *options, "--name", name, "--json"], exit_on_error=False) == 0
    return folder / "runs"


KINDS = ["parity", "digits", "moons", "perceptron", "nn1", "numbers"]


class Page(HTMLParser):
    """What a page holds: its elements, its ids, and what they refer to."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.references, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src") and value:
                self.references.append(value)
            if value:
                self.references += [f"#{place}" for place in re.findall(r"url\(#([^)]+)\)", value)]


@pytest.fixture(scope="module")
def written(runs):
    """The text of each page."""
    command("report", runs / KINDS[0], folder=runs)
    for kind in KINDS[1:]:
        write_report(runs / kind, *report_on(runs / kind))
    return {kind: (runs / kind / "report.html").read_text() for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_needs_nothing_else(written, kind):
    page = Page(written[kind])
    assert "script" not in page.tags and "link" not in page.tags and "iframe" not in page.tags
    assert "@import" not in written[kind]
    outside = [place for place in page.references if not place.startswith(("#", "data:image/png;base64,"))]
    assert outside == []
    assert not re.search(r"https?://", written[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_every_id_of_a_page_is_there_once_and_every_reference_leads_to_one(written, kind):
    page = Page(written[kind])
    assert len(set(page.ids)) == len(page.ids)
    missing = {place for place in page.references if place.startswith("#")} - {f"#{name}" for name in page.ids}
    assert missing == set()


@pytest.mark.parametrize("kind", KINDS)
def test_every_picture_is_a_png_as_well(written, runs, kind):
    pictures = sorted((runs / kind).glob("report-*.png"))
    assert len(pictures) == written[kind].count("<svg")
    for picture in pictures:
        with Image.open(picture) as image:
            assert image.width > 300
            assert len(image.convert("L").getcolors(256)) > 3


def test_logarithmic_axes_have_plain_numbers(written):
    assert {kind for kind, text in written.items() if "\\math" in text} == set()
    assert all(f">{rate}</text>" in written["parity"] for rate in ("0.0001", "0.001", "0.01", "0.1"))


def test_the_parts_are_those_that_there_are(written):
    headings = {kind: re.findall(r"<h2>(.*?)</h2>", text) for kind, text in written.items()}
    whole = [
        "In short",
        "Loss and accuracy over the epochs",
        "Confusion matrix",
        "Receiver operating characteristic",
        "Calibration",
        "The worst mistakes",
        "The hidden units of the first layer, as images",
        "Layer by layer",
        "The loss around the weights",
    ]
    assert headings["parity"] == whole
    assert headings["digits"] == whole
    assert headings["moons"] == [heading for heading in whole if "images" not in heading]
    assert "Calibration" not in headings["perceptron"] and "Confusion matrix" in headings["perceptron"]
    assert "Layer by layer" not in headings["nn1"]
    assert "Predicted and true" in headings["numbers"] and "Calibration" not in headings["numbers"]


@cache
def parts_of(runs, kind):
    """A subject and its parts; nothing of them is changed."""
    subject = read_subject(runs / kind)
    return subject, {part.heading: part for part in run_parts(subject)}


def test_the_numbers_in_words_are_those_of_the_test_images(runs):
    subject, parts = parts_of(runs, "parity")
    data = datasets.mnist_parity()
    y_hat = subject.saved.model.nn2(data.test_X.T)[0].astype(np.float64)
    truth = data.test_y == 1
    wrong = int(((y_hat >= 0.5) != truth).sum())
    assert parts["Confusion matrix"].words.startswith(f"{wrong:,} of 10,000 are wrong")
    area = float(re.search(r"is (\d\.\d+)", parts["Receiver operating characteristic"].words)[1])
    assert area == pytest.approx(metrics.roc_auc_score(truth, y_hat), abs=6e-5)
    sure = np.maximum(y_hat, 1 - y_hat)
    right = (y_hat >= 0.5) == truth
    error = 0.0
    for low in np.arange(15) / 15:
        inside = (sure >= low) & (sure < low + 1 / 15) if low < 14 / 15 - 1e-9 else sure >= low
        if inside.any():
            error += inside.mean() * abs(sure[inside].mean() - right[inside].mean())
    told = float(re.search(r"error ([\d.]+)%", parts["Calibration"].words)[1])
    assert told == pytest.approx(100 * error, abs=0.02)


def test_the_worst_mistakes_are_the_surest(runs):
    subject, parts = parts_of(runs, "moons")
    proba = subject.probabilities
    wrong = np.flatnonzero(proba.argmax(axis=0) != subject.y[0])
    rows = [int(row[0].replace(",", "")) - 1 for row in parts["The worst mistakes"].tables[0].rows]
    assert set(rows) <= set(wrong)
    told = [float(row[3]) for row in parts["The worst mistakes"].tables[0].rows]
    expected = sorted(proba.max(axis=0)[wrong], reverse=True)[: len(told)]
    assert told == pytest.approx(expected, abs=6e-5)
    assert len(told) == min(24, len(wrong))


@pytest.fixture(scope="module")
def of_tables(tmp_path_factory):
    """Runs on a table of pixels, on the same numbers under other names, and on large numbers."""
    folder = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(0)
    X, y = datasets.read("digits").X.reshape(-1, 64)[:400], datasets.read("digits").y[:400]
    for name, columns in (("pixels", "pixel_{}_{}"), ("other", "gene{}of{}")):
        head = ",".join(columns.format(i // 8, i % 8) for i in range(64))
        rows = [",".join(map(str, [*x, c])) for x, c in zip(X.astype(int), y, strict=True)]
        (folder / f"{name}.csv").write_text("\n".join([f"{head},target", *rows]) + "\n")
    numbers = rng.normal(40_000, 5000, 300)
    rows = [f"{a:.2f},{a / 1000 + rng.normal():.4f},{int(rng.random() < 0.5)}" for a in numbers]
    (folder / "large.csv").write_text("\n".join(["income,part,target", *rows]) + "\n")
    for name in ("pixels", "other", "large"):
        command("train", f"{name}.csv", "--target", "target", "--epochs", "5", "--name", name, folder=folder)
    return folder / "runs"


def test_a_table_of_pixels_is_shown_as_images(of_tables):
    subject, parts = parts_of(of_tables, "pixels")
    assert parts["The worst mistakes"].figure and not parts["The worst mistakes"].tables
    assert "The hidden units of the first layer, as images" in parts
    chosen = np.arange(5)
    assert (subject.pictures(chosen) == subject.raw[chosen].to_numpy()).all()
    W1 = subject.model.W[0]
    images = subject.as_images(W1)
    assert images.shape == (len(W1), 64) and W1.shape[1] < 64, "columns that are always 0 are left out"
    assert (images[:, subject.pixels] == W1).all() and (np.delete(images, subject.pixels, axis=1) == 0).all()
    _, others = parts_of(of_tables, "other")
    assert others["The worst mistakes"].tables and "The hidden units of the first layer, as images" not in others


def test_the_values_of_mistakes_are_written_as_in_the_table(of_tables):
    subject, parts = parts_of(of_tables, "large")
    table = parts["The worst mistakes"].tables[0]
    assert "Rows are counted from 1" in parts["The worst mistakes"].words
    for row in table.rows:
        values = dict(zip(table.headings, row, strict=True))
        assert float(values["income"]) == pytest.approx(subject.raw["income"][int(values["row"]) - 1], rel=1e-5)
        assert "e" not in values["income"]


def test_labels_of_close_curves_do_not_overlap():
    epochs = list(range(1, 9))
    history = {"epoch": epochs, "train_loss": [1 / e for e in epochs], "validation_loss": [1.001 / e for e in epochs]}
    figure = plots.curves(history)
    figure.draw_without_rendering()
    first, second = (text.get_window_extent() for text in figure.axes[0].texts)
    assert not first.overlaps(second)


@pytest.mark.parametrize("kind", ["parity", "digits", "moons", "numbers", "perceptron"])
def test_the_middle_of_the_loss_surface_is_the_loss(runs, kind):
    subject = read_subject(runs / kind)
    losses = loss_surface(subject, 3, 0.5)
    model = subject.model
    model.l2 = 0.0
    before = [w.copy() for w in model.W]
    assert losses[1, 1] == pytest.approx(model.emp_loss(*subject.some(500)), rel=1e-5)  # a loss of 0.0001, in float32
    assert all(np.array_equal(a, b) for a, b in zip(before, model.W, strict=True))
    assert np.isfinite(losses).all() and losses.shape == (3, 3)
    assert SURFACE_POINTS % 2 == 1


def test_the_gradients_of_the_layers_are_those_of_the_loss(runs):
    subject = read_subject(runs / "moons")
    layers = layer_statistics(subject)
    model = subject.model
    X, y = subject.some(1000)
    X = X.astype(np.float64)
    model.W = [w.astype(np.float64) for w in model.W]
    direction = np.random.default_rng(0).normal(size=model.W[0].shape)

    def risk(w):
        return model.emp_loss(X, y, [w, *model.W[1:]])

    slope = stencil(risk, model.W[0], direction, h=1e-4)
    assert float((layers[0].gradients * direction).sum()) == pytest.approx(slope, rel=1e-3)
    assert [layer.name for layer in layers] == ["hidden layer 1", "hidden layer 2", "output, z"]


def test_dead_units_are_counted(runs):
    subject = read_subject(runs / "parity")
    subject.saved.model.W[0][:3] = -1.0  # pixels are 0 or more
    part = next(part for part in run_parts(subject) if part.heading == "Layer by layer")
    dead = int(re.search(r"(\d+) of 16 units of hidden layer 1 are dead", part.words)[1])
    assert dead >= 3
    assert part.tables[0].rows[0][4] == str(dead)
    assert part.tables[0].rows[-1][4:6] == ("", "")


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_flat_activations_are_found_whatever_the_activation(runs, activation):
    subject = read_subject(runs / "moons")
    model = subject.saved.model
    model.activation = activation
    (W, b), *_ = model.pairs(model.W)
    W[:], b[:] = 0, -1000.0
    W[-1, 0], b[-1] = 1e-3, 0.1  # a unit that is flat nowhere
    part = next(part for part in run_parts(subject) if part.heading == "Layer by layer")
    h, function = 1e-4, ACTIVATIONS[activation].function
    slopes = [float(function(np.float64(z + h)) - function(np.float64(z - h))) / (2 * h) for z in (-1000, 0.1)]
    assert abs(slopes[1]) > 0.01
    dead = len(W) - 1 if abs(slopes[0]) < 0.005 else 0
    assert part.tables[0].rows[0][4] == str(dead)
    assert (f"{dead} of {len(W)} units of hidden layer 1 are dead" in part.words) == (dead > 0)


def test_a_hyperparameter_that_is_not_as_usual_is_told(runs):
    subject = read_subject(runs / "moons")
    usual = asdict(Hyperparameters())
    subject.saved.configuration = usual | {"clip_norm": 0.5, "label_smoothing": 0.1}
    rows = dict(next(run_parts(subject)).tables[0].rows)
    assert rows["clip norm"] == "0.5" and rows["label smoothing"] == "0.1" and "dropout" in rows
    assert "warm up" not in rows and "shear" not in rows


def test_a_report_is_written_whole_or_not_at_all(runs, tmp_path):
    title, lead, parts = report_on(runs / "nn1")
    place = write_report(tmp_path, title, lead, parts)
    assert place.read_text().rstrip().endswith("</html>")
    with pytest.raises(InputError, match="cannot be written"):
        write_report(tmp_path / "missing", title, lead, [])
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name]


def test_names_cannot_become_elements_of_the_page(runs, tmp_path):
    _, lead, parts = report_on(runs / "nn1")
    place = write_report(tmp_path, "<script>alert(1)</script>", lead, parts)
    assert "<script>" not in place.read_text()


def test_what_is_no_run_is_refused(tmp_path, runs):
    with pytest.raises(InputError, match="does not exist"):
        report_on(tmp_path)
    with pytest.raises(InputError, match="images of 28 x 28"):
        report_on(runs / "parity", "moons")


def test_the_roc_of_several_classes_ranks_by_their_probabilities(runs):
    subject, parts = parts_of(runs, "digits")
    truth = subject.y.argmax(axis=0)
    areas = [metrics.roc_auc_score(truth == c, subject.probabilities[c].astype(np.float64)) for c in range(10)]
    told = re.search(r"is ([\d.]+) or more for each class against the rest, least for (\d)", parts[ROC].words)
    assert float(told[1]) == pytest.approx(min(areas), abs=2e-4)


ROC = "Receiver operating characteristic"


def test_a_run_without_test_rows_has_a_report_of_what_can_be_seen(tmp_path):
    command("train", "moons", "--epochs", "3", "--test-fraction", "0", "--name", "all", folder=tmp_path)
    _, lead, parts = report_on(tmp_path / "runs/all")
    assert "could not be measured" in lead
    assert [part.heading for part in parts] == ["In short", "Loss and accuracy over the epochs"]


def test_what_is_amiss_is_said(tmp_path):
    options = ["--activation", "tanh", "--initialization", "zeros", "--hidden-units", "8", "8", "--epochs", "2"]
    command("train", "moons", *options, "--name", "dull", folder=tmp_path)
    parts = run_parts(read_subject(tmp_path / "runs/dull"))
    part = next(part for part in parts if part.heading == "Layer by layer")
    assert "all units of hidden layer 1 are alike" in part.words and "no gradient is left" in part.words


def test_names_of_classes_are_no_formulae(tmp_path):
    rows = "\n".join(f"{i},{'$10-$20' if i % 2 else '$x$'}" for i in range(60))
    (tmp_path / "money.csv").write_text(f"a,band\n{rows}\n")
    command("train", "money.csv", "--target", "band", "--epochs", "2", "--name", "m", folder=tmp_path)
    command("report", "runs/m", folder=tmp_path)
    assert "$10-$20" in (tmp_path / "runs/m/report.html").read_text()


def test_samples_of_unknown_classes_are_counted_as_in_evaluate(of_tables, tmp_path):
    numbers = np.random.default_rng(1).normal(40_000, 5000, 60)
    rows = [f"{a:.2f},{a / 1000:.4f},{(0, 1, 7)[i % 3]}" for i, a in enumerate(numbers)]
    (tmp_path / "u.csv").write_text("\n".join(["income,part,target", *rows]) + "\n")
    measured = run("evaluate", of_tables / "large", "u.csv", "--json", folder=tmp_path)
    share = re.search(r'"accuracy": ([\d.]+)', measured.stdout)[1]
    _, lead, parts = report_on(of_tables / "large", str(tmp_path / "u.csv"))
    told = "20 samples more are left out: the model does not know their class. "
    told += f"With them, all wrong, the accuracy is {float(share):.2%}"
    assert told in lead and told in next(iter(parts)).words


def test_a_loss_of_0_and_margins_are_reported_as_that(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X = np.random.default_rng(0).normal(size=(400, 2))
    X[:, 0] += np.where(X[:, 0] > 0, 3, -3)
    np.savez("apart.npz", X=X, y=(X[:, 0] > 0).astype(int))
    options = ("--model", "perceptron", "--validation-samples", "40", "--name", "apart", "--epochs", "5", "--json")
    assert app(["train", "apart.npz", *options], exit_on_error=False) == 0
    command("report", "runs/apart", folder=tmp_path)
    assert "The validation loss was lowest, 0.0000" in (tmp_path / "runs/apart/report.html").read_text()


def test_margins_are_not_called_probabilities(written):
    assert ">margin<" in written["perceptron"] and ">probability<" not in written["perceptron"]
    assert ">probability<" in written["moons"]


def test_long_names_are_shortened_in_pictures():
    names = ["a_long_class_name_number_one", "another_long_class_name_two"]
    figure = plots.predictions.confusion(np.array([[3, 1], [2, 4]]), names)
    shown = [
        label.get_text() for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis) for label in axis.get_ticklabels()
    ]
    assert shown == 2 * ["a_long_class_…", "another_long_…"]
    figure.draw_without_rendering()
    box = figure.bbox
    for label in figure.axes[0].get_xticklabels():
        place = label.get_window_extent()
        assert box.x0 <= place.x0 and place.x1 <= box.x1 and box.y0 <= place.y0


def test_a_report_on_data_tells_what_it_left_out_and_changed(tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{2 * a + 1:.3f}" for a in rng.normal(size=60)]
    (tmp_path / "t.csv").write_text("\n".join(["a,y", *rows]) + "\n")
    (tmp_path / "later.csv").write_text("a,y\n0.5,2\n1e8,3\n0.1,\n")
    assert run("train", "t.csv", "--target", "y", "--epochs", "1", "--name", "r", folder=tmp_path).returncode == 0
    done = run("report", "runs/r", "later.csv", "--json", folder=tmp_path)
    lead = json.loads(done.stdout)["summary"]
    for words in ("measured on 2 samples of later.csv", "1 of 3 rows are left out", "values of a are clipped"):
        assert words in lead, lead
    assert "--no-clip" not in lead
    (tmp_path / "one.csv").write_text("a,y\n0.5,2\n")
    page = run("report", "runs/r", "one.csv", "--json", folder=tmp_path)
    assert "measured on 1 sample of one.csv" in json.loads(page.stdout)["summary"]
    assert "nan" not in (tmp_path / "runs/r/report.html").read_text().split("Predicted and true")[1][:400]
