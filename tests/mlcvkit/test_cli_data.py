"""The mlcvlab command on data of one's own, as real processes."""

import json
import os
import re
import subprocess
import sys
import tomllib

import numpy as np
import onnxruntime
import pexpect
import polars
import pytest
from PIL import Image
from sklearn.datasets import load_diabetes, load_iris

from command import COMMAND, assert_one_line_error, run
from events import version_of, wait_for
from mlcvkit.datasets import read
from mlcvkit.storage import load_model
from soak import repeated


def result_of(*arguments, folder):
    done = run(*arguments, "--json", folder=folder)
    assert (done.returncode, done.stderr) == (0, ""), done
    return json.loads(done.stdout)


def iris(binary=False):
    data = load_iris()
    table = polars.DataFrame({name.removesuffix(" (cm)"): data.data[:, i] for i, name in enumerate(data.feature_names)})
    table = table.with_columns(species=polars.Series(data.target_names[data.target]))
    return table.filter(polars.col("species") != "setosa") if binary else table


@pytest.fixture
def folder(tmp_path):
    iris().write_csv(tmp_path / "iris.csv")
    iris(binary=True).write_parquet(tmp_path / "two.parquet")
    data = load_diabetes()
    frame = polars.DataFrame({name: data.data[:, i] for i, name in enumerate(data.feature_names)})
    frame.with_columns(progress=polars.Series(data.target)).write_csv(tmp_path / "diabetes.tsv", separator="\t")
    return tmp_path


KINDS = [
    ("mlp", "iris.csv", "species"),
    ("mlp", "two.parquet", "species"),
    ("nn2", "two.parquet", "species"),
    ("nn1", "two.parquet", "species"),
    ("perceptron", "iris.csv", "species"),
    ("mlp", "diabetes.tsv", "progress"),
]


@pytest.mark.parametrize(("model", "data", "target"), KINDS)
def test_the_round_trip_of_each_kind_of_model(folder, model, data, target):
    """Train, save, load in another process, predict, export, run in onnxruntime: equal."""
    trained = result_of("train", data, "--target", target, "--model", model, "--name", "r", folder=folder)
    test = trained["test"]
    least = 0.8 if model == "perceptron" else 0.85  # which never settles where classes overlap
    assert test["r2"] > 0.1 if target == "progress" else test["accuracy"] >= least
    measured = result_of("evaluate", "runs/r", folder=folder)
    assert measured == test
    assert run("predict", "runs/r", data, "-o", "out.parquet", folder=folder).returncode == 0
    out = polars.read_parquet(folder / "out.parquet")
    said = result_of("predict", "runs/r", data, folder=folder)
    assert said[target] == out[target].to_list()
    assert run("export", "runs/r", "--to", "onnx", folder=folder).returncode == 0
    table = (
        polars.read_parquet(folder / data)
        if data.endswith("parquet")
        else polars.read_csv(folder / data, separator="\t" if data.endswith("tsv") else ",")
    )
    X = table.drop(target).to_numpy().astype(np.float32)
    session = onnxruntime.InferenceSession(folder / "runs" / "r" / "model.onnx")
    got = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"X": X}), strict=True))
    if target == "progress":
        np.testing.assert_allclose(got["prediction"][:, 0], out[target], rtol=1e-5)
    else:
        assert got["label"].tolist() == out[target].to_list()
        probabilities = [name for name in out.columns if name.startswith("probability")]
        assert bool(probabilities) == (model != "perceptron")
        if probabilities:
            np.testing.assert_allclose(got["probabilities"], out.select(probabilities), atol=1e-5)


def test_a_run_is_reproduced_from_its_configuration(folder):
    given = [
        "--target",
        "species",
        "--hidden-units",
        "20",
        "10",
        "--activation",
        "tanh",
        "--epochs",
        "30",
        "--seed",
        "3",
    ]
    assert run("train", "iris.csv", *given, "--name", "first", folder=folder).returncode == 0
    config = (folder / "runs" / "first" / "config.toml").read_text()
    assert "hidden_units = [20, 10]" in config and 'activation = "tanh"' in config and 'target = "species"' in config
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    again = run("train", "--config", folder / "runs/first/config.toml", "--name", "again", folder=elsewhere)
    assert again.returncode == 0, again
    one, two = (
        result_of("predict", place, folder / "iris.csv", folder=folder)
        for place in ("runs/first", elsewhere / "runs/again")
    )
    assert one == two


def test_a_configuration_file_gives_way_to_the_command_line(folder):
    (folder / "mine.toml").write_text('data = "iris.csv"\ntarget = "species"\nepochs = 4\nhidden_units = [7]\n')
    result = result_of("train", "--config", "mine.toml", "--epochs", "6", "--name", "r", folder=folder)
    assert result["epochs"] == 6
    assert "hidden_units = [7]" in (folder / "runs/r/config.toml").read_text()
    for text, words in [
        ("epochs = ", "mine.toml is not TOML"),
        ("epoch = 3\n", "epoch"),
        ('data = "iris.csv"\nepochs = "many"\n', "epochs"),
    ]:
        (folder / "mine.toml").write_text(text)
        assert_one_line_error(run("train", "--config", "mine.toml", folder=folder), words)
    assert_one_line_error(run("train", "--config", "no.toml", folder=folder), "no.toml cannot be read")


def test_people_get_a_table_and_scripts_get_json(folder):
    trained = run("train", "iris.csv", "--target", "species", "--name", "r", folder=folder)
    assert trained.returncode == 0 and trained.stderr == ""
    counts = "target species, 120 training, 30 test samples"
    for words in (f"Training mlp on iris.csv: {counts}", "predicted setosa", "Test accuracy", "Saved to runs/r"):
        assert words in trained.stdout
    names = sorted(path.name for path in (folder / "runs" / "r").iterdir())
    assert names == ["config.toml", "curves.png", "model.safetensors", "result.json"]
    evaluated = run("evaluate", "runs/r", folder=folder).stdout
    assert re.search(r"Test accuracy .*", evaluated).group() in trained.stdout
    printed = run("predict", "runs/r", "iris.csv", folder=folder).stdout.splitlines()
    assert (
        printed[0] == "species,probability setosa,probability versicolor,probability virginica" and len(printed) == 151
    )
    described = run("data", "describe", "iris.csv", "--target", "species", folder=folder).stdout
    assert "petal length" in described and "target" in described and "4.3 to 7.9" in described
    told = result_of("data", "describe", "iris.csv", folder=folder)
    assert [column["name"] for column in told["columns"]][-1] == "species"


def test_rows_with_all_kinds_of_columns_are_predicted_as_they_are(folder):
    rng = np.random.default_rng(0)
    N = 300
    age, town = rng.integers(18, 90, N), rng.choice(["Rome", "Oslo", "Bonn"], N)
    table = polars.DataFrame(
        {
            "id": [f"p{i}" for i in range(N)],
            "age": [None if i % 11 == 0 else int(a) for i, a in enumerate(age)],
            "town": town,
            "since": [f"20{i % 20:02d}-0{1 + i % 9}-1{i % 9}" for i in range(N)],
            "buys": np.where((age > 50) ^ (town == "Oslo"), "yes", "no"),
        }
    )
    table.write_csv(folder / "people.csv")
    result = result_of("train", "people.csv", "--target", "buys", "--name", "r", folder=folder)
    assert result["test"]["accuracy"] > 0.8
    (folder / "new.csv").write_text("town,age,since,id\nOslo,30,2020-01-11,x\nParis,,,y\n")
    said = result_of("predict", "runs/r", "new.csv", folder=folder)
    assert said["buys"][0] == "yes" and len(said["buys"]) == 2
    assert_one_line_error(run("export", "runs/r", folder=folder), "since hold dates")
    (folder / "new.csv").write_text("town,age\nOslo,30\n")
    assert_one_line_error(run("predict", "runs/r", "new.csv", folder=folder), "lacks 1 column(s)", "since")


def test_a_folder_of_images_trains_and_predicts_a_picture(folder):
    rng = np.random.default_rng(0)
    for i in range(60):
        place = folder / "pictures" / ("dark" if i % 2 else "light")
        place.mkdir(parents=True, exist_ok=True)
        level = 60 if i % 2 else 190
        Image.fromarray(rng.integers(level - 40, level + 40, (6, 6), dtype=np.uint8)).save(place / f"{i}.png")
    result = result_of("train", "pictures", "--name", "r", folder=folder)
    assert result["test"]["accuracy"] > 0.9
    said = result_of("predict", "runs/r", "pictures/dark/1.png", folder=folder)
    assert said["folder"] == ["dark"]
    assert len(result_of("predict", "runs/r", "pictures", folder=folder)["folder"]) == 60


@pytest.mark.parametrize("name", ["moons", "spirals"])
def test_sets_without_a_file_are_learned(folder, name):
    hidden = ["--hidden-units", "50", "50", "--learning-rate", "0.02", "--patience", "60"]
    result = result_of("train", name, *hidden, "--name", "r", folder=folder)
    assert result["test"]["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["iris.csv", "--target", "specie"], ["no column 'specie'", "sepal length", "species"]),
        (["iris.csv"], ["needs a target to learn", "--target"]),
        (["nowhere.csv", "--target", "y"], ["nowhere.csv does not exist"]),
        (["diabetes.tsv", "--target", "progress", "--model", "nn2"], ["nn2 predicts classes", "--model mlp"]),
        (["iris.csv", "--target", "species", "--task", "regression"], ["is text", "not regressed"]),
        (["iris.csv", "--target", "species", "--model", "nn2"], ["nn2 tells two classes apart", "--model mlp"]),
        (["iris.csv", "--target", "species", "--loss", "perceptron"], ["--loss", "perceptron"]),
        (["iris.csv", "--target", "species", "--loss", "cross_entropy", "--hidden-units", "0"], ["hidden_units"]),
        (["iris.csv", "--target", "species", "--rotation", "5"], ["would not use rotation=5.0", "are distorted"]),
        (["iris.csv", "--target", "species", "--test-fraction", "1.5"], ["test_fraction"]),
        (["--target", "species"], ["--target is for your own data"]),
        (["one.csv", "--target", "y"], ["one value only"]),
        (["few.csv", "--target", "y"], ["has 3 rows; at least 5"]),
        (["iris.csv", "--target", "species", "--checkpoint-every", "0"], ["checkpoint_every"]),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(folder, arguments, words):
    (folder / "one.csv").write_text("x,y\n" + "1,a\n2,a\n" * 5)
    (folder / "few.csv").write_text("x,y\n1,a\n2,b\n3,a\n")
    assert_one_line_error(run("train", *arguments, folder=folder), *words)
    assert not (folder / "runs").exists()


def test_ten_rows_are_enough(folder):
    (folder / "ten.csv").write_text(
        "x,y\n" + "".join(f"{i if i < 5 else 90 + i},{'a' if i < 5 else 'b'}\n" for i in range(10))
    )
    result = result_of("train", "ten.csv", "--target", "y", "--learning-rate", "0.05", folder=folder)
    assert result["test"] == {
        "samples": 2,
        "accuracy": 1.0,
        "log_loss": pytest.approx(0, abs=0.5),
        "confusion": {"a": {"a": 1, "b": 0}, "b": {"a": 0, "b": 1}},
    }


def test_other_data_can_be_measured_and_changed_data_is_noticed(folder):
    assert run("train", "iris.csv", "--target", "species", "--name", "r", folder=folder).returncode == 0
    iris(binary=True).write_csv(folder / "other.csv")
    assert result_of("evaluate", "runs/r", "other.csv", folder=folder)["samples"] == 100
    iris().head(100).write_csv(folder / "iris.csv")
    assert_one_line_error(run("evaluate", "runs/r", folder=folder), "is not what the model was trained on any more")
    assert_one_line_error(run("predict", "runs/r", "iris.csv", "-o", "x.doc", folder=folder), ".csv, .tsv, .parquet")
    assert_one_line_error(run("predict", "runs/r", "iris.csv", "-o", "no/x.csv", folder=folder), "cannot be written")


def test_ctrl_c_saves_what_there_is_and_a_killed_run_goes_on_to_the_same_weights(folder):
    given = ["train", "iris.csv", "--target", "species", "--epochs", "600", "--patience", "0", "--batch-size", "16"]
    assert run(*given, "--name", "whole", folder=folder).returncode == 0
    child = pexpect.spawn(
        COMMAND[0], [*COMMAND[1:], *given, "--name", "kept", "--checkpoint-every", "20"], cwd=str(folder), timeout=None
    )
    child.expect(r"epoch \d\d+/600")
    child.sendintr()
    child.expect("Stopped by Ctrl-C after")
    child.expect("To go on: mlcvlab train --resume runs/kept")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    checkpoint = folder / "runs/kept/checkpoint.safetensors"
    first = version_of(checkpoint)
    process = subprocess.Popen([*COMMAND, "train", "--resume", "runs/kept"], cwd=folder, stdout=subprocess.DEVNULL)
    wait_for(lambda: version_of(checkpoint) != first)
    process.kill()
    process.wait()
    if checkpoint.exists():
        assert run("train", "--resume", "runs/kept", folder=folder).returncode == 0
    one, two = (result_of("predict", f"runs/{name}", "iris.csv", folder=folder) for name in ("whole", "kept"))
    assert one == two


def test_without_the_extra_the_error_names_it(folder):
    script = (
        "import sys; sys.modules['polars'] = None; sys.modules['sklearn'] = None\n"
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name: None if name in ('polars', 'sklearn', 'onnx') else find(name)\n"
        "sys.argv = ['mlcvlab', *sys.argv[1:]]; from mlcvkit.cli import main; main()"
    )
    for arguments, extra in [
        (["train", "iris.csv", "--target", "species"], "tables"),
        (["train", "digits"], "sklearn"),
    ]:
        result = subprocess.run([sys.executable, "-c", script, *arguments], cwd=folder, capture_output=True, text=True)
        assert_one_line_error(result, f"pip install 'mlcvlab[{extra}]'")
    # what needs no table works without the reader of tables
    without = script.partition("sys.argv")[0]
    lines = (
        "train moons --epochs 2 --name bare",
        "train --epochs 1 --hidden-units 8 --name digits",
        "evaluate runs/bare",
        "train moons --epochs 2 --repeats 2 --name twice",
        "runs",
    )
    command = [sys.executable, "-c", without + ALL_LINES, *lines]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done


WITHOUT_SCIKIT_LEARN = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "sklearn":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""


LINES = [
    "train iris.csv --target species --epochs 3 --name r",
    "evaluate runs/r",
    "predict runs/r iris.csv",
    "export runs/r",
    "data describe iris.csv",
    "train circles --model perceptron --epochs 3",
    "train --recipe quick --epochs 1 --hidden-units 4",
    "tune moons --trials 1 --workers 1 --epochs 2 --learning-rate 0.1,0.2",
    "sweep moons --learning-rate 0.1,0.2 --repeats 1 --workers 1 --epochs 2",
]


ALL_LINES = """
import sys
from mlcvkit.cli import main

for line in sys.argv[1:]:
    sys.argv = ["mlcvlab", *line.split()]
    try:
        main()
    except SystemExit as end:
        assert not end.code, line
try:
    import sklearn
except ModuleNotFoundError:
    print("there is no scikit-learn", flush=True)
"""


def test_the_path_from_data_to_predictions_is_without_scikit_learn(folder):
    """In this process and in those that it starts."""
    (folder / "site").mkdir()
    (folder / "site/sitecustomize.py").write_text(WITHOUT_SCIKIT_LEARN)
    environment = {**os.environ, "PYTHONPATH": str(folder / "site")}
    command = [sys.executable, "-c", ALL_LINES, *LINES]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "there is no scikit-learn" in done.stdout, done.stderr


def test_a_value_means_the_same_whatever_stands_below_it(folder):
    rows = [("01", 0), ("02", 1), ("A1", 1)] * 20
    (folder / "codes.csv").write_text("size, code,y\n" + "".join(f"1.5, {code},{y}\n\n" for code, y in rows))
    result = result_of("train", "codes.csv", "--target", "y", "--learning-rate", "0.05", "--name", "r", folder=folder)
    assert result["test"]["accuracy"] == 1
    (folder / "one.csv").write_text("code,size\n01,1\n")
    (folder / "two.csv").write_text("code,size\n01,1\n\nA1,2\n")
    one, two = (result_of("predict", "runs/r", f"{name}.csv", folder=folder) for name in ("one", "two"))
    assert one["y"] == [0] and two["y"] == [0, 1]
    assert one["probability 1"][0] == pytest.approx(two["probability 1"][0], rel=1e-5)


def test_truth_values_are_read_back_as_they_were_learned(folder):
    lines = "".join(f"{'true' if i % 3 else 'false'},{'True' if i % 3 else 'False'}\n" for i in range(60))
    (folder / "t.csv").write_text("flag,y\n" + lines)
    assert (
        run("train", "t.csv", "--target", "y", "--learning-rate", "0.05", "--name", "r", folder=folder).returncode == 0
    )
    (folder / "new.csv").write_text("flag\nfalse\ntrue\n")
    assert [str(v).lower() for v in result_of("predict", "runs/r", "new.csv", folder=folder)["y"]] == ["false", "true"]
    (folder / "other.csv").write_text("flag,y\ntrue,0\n")
    assert_one_line_error(run("evaluate", "runs/r", "other.csv", folder=folder), "none of the targets", "classes")


def test_arrays_are_measured_with_labels_of_their_own(folder):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    for name, rows in (("X", X), ("X2", -X)):
        np.save(folder / f"{name}.npy", rows)
        np.save(folder / f"y{name[1:]}.npy", (rows[:, 0] > 0).astype(int))
    assert run("train", "X.npy", "--target", "y.npy", "--name", "r", folder=folder).returncode == 0
    assert_one_line_error(run("evaluate", "runs/r", "X2.npy", folder=folder), "--target")
    assert result_of("evaluate", "runs/r", "X2.npy", "--target", "y2.npy", folder=folder)["accuracy"] > 0.9


def test_a_training_that_kept_nothing_apart_has_nothing_to_be_measured_with(folder):
    given = ["iris.csv", "--target", "species", "--test-fraction", "0", "--name", "r"]
    assert run("train", *given, folder=folder).returncode == 0
    assert_one_line_error(run("evaluate", "runs/r", folder=folder), "kept no rows apart")
    assert_one_line_error(run("predict", "runs/r", "nothing.csv", folder=folder), "nothing.csv does not exist")


def test_a_rare_class_does_not_spoil_the_shares_of_the_others(folder):
    lines = [f"{i},{'a' if i < 94 else 'b' if i < 99 else 'c'}\n" for i in range(100)]
    (folder / "abc.csv").write_text("x,y\n" + "".join(lines))
    confusion = result_of("train", "abc.csv", "--target", "y", "--name", "r", folder=folder)["test"]["confusion"]
    assert [sum(confusion[c].values()) for c in "abc"] == [19, 1, 0]


def test_a_run_goes_on_to_more_epochs_and_stays_ended_without(tmp_path):
    options = ["train", "moons", "--hidden-units", "4", "--schedule", "constant", "--patience", "50"]
    once = run(*options, "--epochs", "20", "--name", "once", folder=tmp_path)
    begun = run(*options, "--epochs", "8", "--checkpoint-every", "3", "--name", "r", folder=tmp_path)
    assert "For more epochs: mlcvlab train --resume runs/r --epochs 16" in begun.stdout
    weights = load_model(tmp_path / "runs/r").model.W
    again = run("train", "--resume", "runs/r", folder=tmp_path)
    assert again.returncode == once.returncode == 0, again.stderr
    assert all((a == b).all() for a, b in zip(load_model(tmp_path / "runs/r").model.W, weights, strict=True))
    more = run("train", "--resume", "runs/r", "--epochs", "20", folder=tmp_path)
    assert more.returncode == 0, more.stderr
    ours, theirs = (load_model(tmp_path / "runs" / name).model.W for name in ("r", "once"))
    assert all((a == b).all() for a, b in zip(ours, theirs, strict=True))
    assert "epochs = 20" in (tmp_path / "runs/r/config.toml").read_text()


def test_a_run_whose_data_have_changed_is_not_gone_on_with(tmp_path):
    rows = [f"{i % 7},{i % 5},{'ab'[i % 2]}" for i in range(60)]
    (tmp_path / "d.csv").write_text("x,z,y\n" + "\n".join(rows) + "\n")
    options = ["--target", "y", "--epochs", "3", "--checkpoint-every", "1", "--name", "r"]
    assert run("train", "d.csv", *options, folder=tmp_path).returncode == 0
    (tmp_path / "d.csv").write_text("x,z,y\n" + "\n".join(rows[1:] + rows[:1]) + "\n")
    changed = run("train", "--resume", "runs/r", "--epochs", "6", folder=tmp_path)
    assert_one_line_error(changed, "the checkpoint is of other training samples")


def test_a_training_starts_from_the_weights_of_another_run(tmp_path):
    first = run("train", "moons", "--hidden-units", "8", "4", "--activation", "tanh", "--name", "a", folder=tmp_path)
    assert first.returncode == 0
    tuned = ["train", "moons", "--init", "runs/a", "--epochs", "1", "--learning-rate", "1e-9", "--name", "b"]
    assert run(*tuned, folder=tmp_path).returncode == 0
    a, b = (load_model(tmp_path / "runs" / name).model for name in "ab")
    assert b.activation == "tanh" and b.hidden_units == (8, 4)
    for ours, theirs in zip(b.W, a.W, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert f'init = "{(tmp_path / "runs/a").resolve()}"' in (tmp_path / "runs/b/config.toml").read_text()
    for options, words in (
        (["moons", "--hidden-units", "9"], "hidden_units is (8, 4) there, not (9,)"),
        (["moons", "--initialization", "zeros"], "would not use initialization=zeros"),
        (["digits"], "X has 64 features, but TableEncoder is expecting 2"),
        (["mnist"], "trained on data of this kind"),
        (["moons", "--model", "perceptron"], "--model"),
        (["moons", "--cluster", "local:1"], "--init is for a training on this machine"),
    ):
        assert run("train", *options, "--init", "runs/a", folder=tmp_path).returncode == 2, options
        assert words.split()[0] in run("train", *options, "--init", "runs/a", folder=tmp_path).stderr


@pytest.mark.parametrize("target", ["x**2", "/a/*", "**/**", "a\\b", "[y", "x" * 5000])
def test_a_target_that_is_no_pattern_is_one_line(tmp_path, target):
    (tmp_path / "d.csv").write_text("x,y\n" + "\n".join(f"{i},{i % 2}" for i in range(20)) + "\n")
    assert_one_line_error(run("train", "d.csv", "--target", target, folder=tmp_path), "target")


def test_a_column_may_have_the_name_of_a_file_that_is_here(tmp_path):
    (tmp_path / "price").write_text("of something else")
    (tmp_path / "d.csv").write_text("x,price\n" + "\n".join(f"{i},{i % 2}" for i in range(20)) + "\n")
    assert run("train", "d.csv", "--target", "price", "--epochs", "1", "--name", "r", folder=tmp_path).returncode == 0
    assert 'target = "price"' in (tmp_path / "runs/r/config.toml").read_text()


def test_columns_named_like_those_of_arrays_may_hold_anything(tmp_path):
    rows = [f"{i % 5},{'ab'[i % 2]},,2024-01-{i % 28 + 1:02},{'yn'[i % 2]}" for i in range(60)]
    (tmp_path / "d.csv").write_text("x0,x1,x2,x3,y\n" + "\n".join(rows) + "\n")
    assert run("train", "d.csv", "--target", "y", "--epochs", "2", "--name", "r", folder=tmp_path).returncode == 0
    for command in (["predict", "runs/r", "d.csv"], ["evaluate", "runs/r"]):
        done = run(*command, folder=tmp_path)
        assert done.returncode == 0, done.stderr


def test_a_path_may_look_like_markup(tmp_path):
    folder = tmp_path / "x[" / "b]y[red]"  # x[/b]y[red]
    folder.mkdir(parents=True)
    (folder / "[bold]d.csv").write_text("x,y\n" + "\n".join(f"{i},{i % 2}" for i in range(20)) + "\n")
    done = run("train", folder / "[bold]d.csv", "--target", "y", "--epochs", "1", "--name", "r", folder=folder)
    assert done.returncode == 0 and "[bold]d.csv" in done.stdout
    for command, *data in (["evaluate"], ["predict", "[bold]d.csv"], ["export"], ["report"]):
        assert run(command, "runs/r", *data, folder=folder).returncode == 0, command
    assert_one_line_error(run("evaluate", tmp_path / "x[/b]z", folder=folder), "x[/b]z does not exist")


def test_a_training_says_what_it_made_of_the_table(tmp_path):
    children = ["3+" if i % 12 == 11 else str(i % 3) for i in range(120)]
    y = ["" if i % 3 == 0 else "ab"[i % 2] for i in range(120)]
    lines = [f"{i},{children[i]},{i % 7},{y[i]}" for i in range(120)]
    (tmp_path / "t.csv").write_text("id,children,x,y\n" + "\n".join(lines) + "\n")
    done = run("train", "t.csv", "--target", "y", "--name", "r", "--epochs", "3", folder=tmp_path)
    said = done.stdout
    assert "Note 40 of 120 rows are left out, which have no y" in said, done
    assert "Note id: it numbers the rows" in said and "Note children: mostly numbers: a column each for 3+" in said
    notes = json.loads(run("train", "t.csv", "--target", "y", "--json", folder=tmp_path).stdout)["notes"]
    assert len(notes) == said.count("Note ")
    run("report", "runs/r", folder=tmp_path)
    page = (tmp_path / "runs/r/report.html").read_text()
    assert "Notes on the data" in page and "40 of 120 rows are left out" in page


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--decimal", ","], "--decimal is for tables"),
        (["--no-header"], "--header is for text files"),
        (["--day-first"], "--day-first is for tables"),
        (["--max-categories", "5"], "--max-categories is for tables"),
        (["--image-size", "8"], "--image-size scales the images of a folder"),
        (["--test", "b.csv"], "--test is for data of your own"),
    ],
)
def test_an_option_of_other_data_is_refused(tmp_path, options, words):
    assert_one_line_error(run("train", "moons", *options, folder=tmp_path), words)


def test_numbers_outside_of_the_training_are_clipped_and_said(tmp_path):
    lines = [f"{2010 + i % 6},{i % 5},{30000 + 1000 * (i % 6)}" for i in range(200)]
    (tmp_path / "g.csv").write_text("year,skill,salary\n" + "\n".join(lines) + "\n")
    run("train", "g.csv", "--target", "salary", "--task", "regression", "--name", "g", folder=tmp_path)
    (tmp_path / "n.csv").write_text("year,skill\n2012,1\n0,1\n")
    done = run("predict", "runs/g", "n.csv", folder=tmp_path)
    assert "1 of 2 values of year are clipped to 2007.5 to 2017.5, see --no-clip" in done.stderr
    assert all(20_000 < float(line) < 45_000 for line in done.stdout.split()[1:])
    free = run("predict", "runs/g", "n.csv", "--no-clip", folder=tmp_path)
    assert free.stderr == "" and not 20_000 < float(free.stdout.split()[2]) < 45_000
    measured = run("evaluate", "runs/g", "g.csv", folder=tmp_path)
    assert measured.returncode == 0 and "clipped" not in measured.stderr


def test_a_file_of_its_own_is_tested_with(tmp_path):
    lines = [f"{i % 9},{'ab'[i % 2]}" for i in range(60)]
    (tmp_path / "a.csv").write_text("x,y\n" + "\n".join(lines) + "\n")
    (tmp_path / "b.tsv").write_text("y\tx\n" + "\n".join(f"{'ab'[i % 2]}\t{i}" for i in range(7)) + "\n")
    result = run("train", "a.csv", "--target", "y", "--test", "b.tsv", "--name", "r", "--json", folder=tmp_path)
    assert json.loads(result.stdout)["test"]["samples"] == 7
    assert "b.tsv" in (tmp_path / "runs/r/config.toml").read_text()
    again = run("evaluate", "runs/r", "--json", folder=tmp_path)
    assert json.loads(again.stdout)["samples"] == 7


def test_a_target_of_text_is_measured_whatever_stands_below_it(tmp_path):
    rows = [f"{i},{['01', '02', 'x1'][i % 3]}" for i in range(60)]
    (tmp_path / "t.csv").write_text("a,y\n" + "\n".join(rows) + "\n")
    run("train", "t.csv", "--target", "y", "--epochs", "2", "--name", "r", folder=tmp_path)
    (tmp_path / "e.csv").write_text("a,y\n0,01\n1,02\n")
    done = run("evaluate", "runs/r", "e.csv", "--json", folder=tmp_path)
    assert json.loads(done.stdout)["samples"] == 2 and "unknown" not in json.loads(done.stdout)


@pytest.mark.parametrize("spelling", [str, lambda truth: str(truth).upper(), lambda truth: str(truth).lower()])
def test_truth_values_are_measured_however_they_are_spelled(tmp_path, spelling):
    rows = [(i, i % 3 == 0) for i in range(40)]
    for name, spell in (("t.csv", str), ("e.csv", spelling)):
        (tmp_path / name).write_text("a,ok\n" + "\n".join(f"{i},{spell(ok)}" for i, ok in rows) + "\n")
    run("train", "t.csv", "--target", "ok", "--epochs", "2", "--name", "r", folder=tmp_path)
    measured = json.loads(run("evaluate", "runs/r", "e.csv", "--json", folder=tmp_path).stdout)
    assert set(measured["confusion"]) == {"false", "true"} and measured["samples"] == 40


def test_rows_without_a_target_are_left_out_of_a_measurement_as_well(tmp_path):
    rows = [f"{i % 9},{'NA' if i % 10 == 0 else i % 9 * 1000 + 0.5}" for i in range(120)]
    (tmp_path / "t.csv").write_text("a,y\n" + "\n".join(rows) + "\n")
    run("train", "t.csv", "--target", "y", "--epochs", "2", "--name", "r", folder=tmp_path)
    assert json.loads(run("evaluate", "runs/r", "t.csv", "--json", folder=tmp_path).stdout)["samples"] == 108


def test_numbers_are_measured_with_the_marks_of_the_training(tmp_path):
    rows = [f"{i % 40};{i % 40 + 1}.000;{i % 5},5" for i in range(120)]  # so the points are of thousands
    (tmp_path / "t.csv").write_text("a;y;b\n" + "\n".join(rows) + "\n")
    run("train", "t.csv", "--target", "y", "--task", "regression", "--name", "r", folder=tmp_path)
    (tmp_path / "e.csv").write_text("a;y;b\n" + "\n".join(f"{i};{i + 1}.000;1" for i in range(40)) + "\n")
    whole = json.loads(run("evaluate", "runs/r", "t.csv", "--json", folder=tmp_path).stdout)
    alone = json.loads(run("evaluate", "runs/r", "e.csv", "--json", folder=tmp_path).stdout)
    assert whole["r2"] > 0.9 and alone["r2"] > 0.9


def test_a_svmlight_file_without_the_last_features_is_predicted(tmp_path):
    lines = [f"{i % 2} 0:{i % 2} 1:{i % 7} 5:1.5" if i % 3 else f"{i % 2} 0:{i % 2} 6:1" for i in range(60)]
    (tmp_path / "t.svm").write_text("\n".join(lines) + "\n")
    assert run("train", "t.svm", "--epochs", "60", "--patience", "0", "--name", "r", folder=tmp_path).returncode == 0
    (tmp_path / "p.svm").write_text("0 1:3\n1 1:3\n")
    assert json.loads(run("predict", "runs/r", "p.svm", "--json", folder=tmp_path).stdout)["y"] == [0, 0]
    (tmp_path / "q.svm").write_text("0 9:3\n")
    assert_one_line_error(run("predict", "runs/r", "q.svm", folder=tmp_path), "X has 10 features", "expecting 7")


def test_the_penalty_that_is_left_out_is_recorded_and_used_again(tmp_path):
    rows = [f"{i % 7},{i % 5},{(i * i) % 11}" for i in range(120)]
    (tmp_path / "t.csv").write_text("a,b,y\n" + "\n".join(rows) + "\n")
    task = ("--target", "y", "--task", "regression", "--epochs", "3")
    first = result_of("train", "t.csv", *task, "--name", "r", folder=tmp_path)
    used = tomllib.loads((tmp_path / "runs/r/config.toml").read_text())["l2"]
    assert used > 0.001
    again = result_of("train", "--config", "runs/r/config.toml", "--name", "s", folder=tmp_path)
    given = result_of("train", "t.csv", *task, "--l2", used, "--name", "g", folder=tmp_path)
    none = result_of("train", "t.csv", *task, "--l2", "0", "--name", "n", folder=tmp_path)
    assert first["test"] == again["test"] == given["test"] != none["test"]
    assert tomllib.loads((tmp_path / "runs/n/config.toml").read_text())["l2"] == 0


@repeated("mistakes with a Parquet file, each in a process of its own", test=4, soak=60, full=200)
def test_a_mistake_with_a_parquet_file_ends_with_its_code(tmp_path, seed):
    polars.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]}).write_parquet(tmp_path / "t.parquet")
    command = [*COMMAND, "data", "describe", "t.parquet", "--target", "nosuch"]
    assert_one_line_error(subprocess.run(command, cwd=tmp_path, capture_output=True, text=True), "nosuch")


def test_the_sample_is_a_table_to_try_things_on_and_replaces_nothing(tmp_path):
    assert run("data", "sample", "people.csv", folder=tmp_path).returncode == 0
    assert (
        result_of("train", "people.csv", "--target", "buys", "--name", "r", folder=tmp_path)["test"]["accuracy"] > 0.8
    )
    (tmp_path / "people.csv").write_text("mine")
    assert_one_line_error(run("data", "sample", "people.csv", folder=tmp_path), "is there already")
    assert (tmp_path / "people.csv").read_text() == "mine"


def test_the_sample_is_a_folder_of_digits_as_well(tmp_path):
    assert run("data", "sample", "deep/pictures", folder=tmp_path).returncode == 0
    assert [len([*folder.iterdir()]) for folder in sorted((tmp_path / "deep/pictures").iterdir())] == [50] * 10
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["pictures"]
    samples = read(tmp_path / "deep/pictures")
    assert samples.X.shape == (500, 28, 28) and set(samples.y) == set("0123456789")
    assert_one_line_error(run("data", "sample", "deep/pictures", folder=tmp_path), "is there already")
    assert_one_line_error(run("data", "sample", "a.parquet", folder=tmp_path), "neither a .csv file")


MESSY = "size;when;at;city;y\n" + "".join(
    f"{'unbekannt' if i == 50 else f'{i % 7},5'};{'bald' if i == 51 else f'{1 + i % 28}.{1 + i % 12}.2020'};"
    f"{'noon' if i == 52 else f'{i % 24}:30'};{'AB'[i % 2]};{('ja', 'nein')[i % 3 == 0]}\n"
    for i in range(120)
)


@pytest.mark.parametrize("seed", range(6))
def test_one_stray_text_among_numbers_or_dates_is_missing_in_whatever_part_it_falls(tmp_path, seed):
    (tmp_path / "t.csv").write_text(MESSY)
    options = ["t.csv", "--target", "y", "--epochs", "2", "--seed", seed]
    result = run("train", *options, "--name", "r", folder=tmp_path)
    assert result.returncode == 0 and "Test accuracy" in result.stdout, result
    assert [line.partition(": ")[2] for line in result.stdout.splitlines() if "mostly" in line] == [
        f"mostly {kind}: the rest counts as missing" for kind in ("numbers", "dates", "times of day")
    ]
    assert len(run("predict", "runs/r", "t.csv", folder=tmp_path).stdout.splitlines()) == 121


def test_folds_train_where_a_stray_text_is_in_one_of_them(tmp_path):
    (tmp_path / "t.csv").write_text(MESSY)
    result = run("train", "t.csv", "--target", "y", "--epochs", "2", "--folds", "4", "--name", "f", folder=tmp_path)
    assert result.returncode == 0 and "standard deviation" in result.stdout, result


def test_a_column_that_was_numbers_alone_still_refuses_text(tmp_path):
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i},{'pq'[i % 2]}\n" for i in range(60)))
    (tmp_path / "u.csv").write_text("a\nseven\n")
    assert run("train", "t.csv", "--target", "y", "--epochs", "2", "--name", "r", folder=tmp_path).returncode == 0
    assert_one_line_error(run("predict", "runs/r", "u.csv", folder=tmp_path), "has 'seven' in row 1")


def test_columns_are_left_out_where_that_is_asked_for(tmp_path):
    rows = "".join(f"{1000 + 7 * i},{i % 5},{'ab'[i % 2]}\n" for i in range(80))
    (tmp_path / "t.csv").write_text("customer,x,y\n" + rows)
    (tmp_path / "u.csv").write_text("customer,x,y\n" + rows)
    options = ["--target", "y", "--epochs", "2", "--leave-out", "customer"]
    result = run("train", "t.csv", *options, "--test", "u.csv", "--name", "r", folder=tmp_path)
    assert result.returncode == 0 and "left out as asked: customer" in result.stdout
    saved = load_model(tmp_path / "runs/r")
    assert list(saved.preprocessing["columns"]) == ["x"]
    with_it = run("predict", "runs/r", "t.csv", folder=tmp_path).stdout
    (tmp_path / "v.csv").write_text("x\n" + "".join(f"{i % 5}\n" for i in range(80)))
    assert run("predict", "runs/r", "v.csv", folder=tmp_path).stdout == with_it
    assert run("evaluate", "runs/r", folder=tmp_path).returncode == 0
    again = run("train", "--config", "runs/r/config.toml", "--name", "again", folder=tmp_path)
    assert again.returncode == 0 and "left out as asked: customer" in again.stdout
    folds = run("train", "t.csv", *options, "--folds", "2", "--name", "f", folder=tmp_path)
    assert folds.returncode == 0, folds.stderr


def test_codes_are_names_where_that_is_asked_for(tmp_path):
    rows = "".join(f"0{(2134, 2135, 9411)[i % 3]},{i % 7},{'aba'[i % 3]}\n" for i in range(90))
    (tmp_path / "t.csv").write_text("zip,x,y\n" + rows)
    options = ["--target", "y", "--categorical", "zip", "--learning-rate", "0.05"]
    result = run("train", "t.csv", *options, "--name", "r", folder=tmp_path)
    assert result.returncode == 0 and "Test accuracy 100.00%" in result.stdout
    columns = load_model(tmp_path / "runs/r").preprocessing["columns"]
    assert columns["zip"]["categories"] == ["02134", "02135", "09411"]
    predicted = run("predict", "runs/r", "t.csv", folder=tmp_path).stdout.splitlines()[1:4]
    assert [line[0] for line in predicted] == ["a", "b", "a"]
    assert run("evaluate", "runs/r", folder=tmp_path).returncode == 0
    again = run("train", "--config", "runs/r/config.toml", "--name", "again", folder=tmp_path)
    assert load_model(tmp_path / "runs/again").preprocessing["columns"] == columns, again
    without = run("train", "t.csv", "--target", "y", "--epochs", "2", "--name", "numbers", folder=tmp_path)
    assert "zip: codes? Some begin with 0" in without.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["t.csv", "--target", "y", "--categorical", "nosuch"], "categorical names 'nosuch', and the columns"),
        (["moons", "--categorical", "x0"], "--categorical is for tables with named columns"),
        (["t.csv", "--target", "y", "--leave-out", "nosuch"], "t.csv has no column 'nosuch' to leave out; it has x"),
        (["t.csv", "--target", "y", "--leave-out", "y"], "'y' is the target"),
        (["moons", "--leave-out", "x0"], "--leave-out is for tables with named columns"),
    ],
)
def test_a_column_that_is_not_there_is_told(tmp_path, arguments, words):
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(20)))
    assert_one_line_error(run("train", *arguments, folder=tmp_path), words)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A table, and a run of it with checkpoints."""
    folder = tmp_path_factory.mktemp("people")
    rng = np.random.default_rng(0)
    age, town = rng.integers(18, 90, 120), rng.choice(["Rome", "Oslo"], 120)
    table = {"age": age, "town": town, "z": age * 2.5, "buys": np.where(age > 50, "yes", "no")}
    polars.DataFrame(table).write_csv(folder / "people.csv")
    options = ("--target", "buys", "--leave-out", "z", "--epochs", "2", "--hidden-units", "8")
    assert run("train", "people.csv", *options, "--checkpoint-every", "1", "--name", "r", folder=folder).returncode == 0
    return folder


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train --config runs/r/config.toml --recipe quick", "leave out --recipe"),
        ("train --resume runs/r --epochs 4 --recipe quick", "leave out --recipe"),
        ("train --resume runs/r --epochs 4 --config runs/r/config.toml", "leave out --config"),
        ("runs runs/r --output nope", "--output is the folder of the runs to list"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(line, words, people):
    assert_one_line_error(run(*line.split(), folder=people), words)


@pytest.mark.parametrize(
    ("first", "then"), [("perceptron", "perceptron"), ("perceptron", "mlp"), ("mlp", "perceptron")]
)
def test_weights_of_another_kind_of_network_are_refused(first, then, people, tmp_path):
    data = (str(people / "people.csv"), "--target", "buys", "--leave-out", "z", "--epochs", "2")
    assert run("train", *data, "--model", first, "--name", "a", folder=tmp_path).returncode == 0
    result = run("train", *data, "--model", then, "--init", "runs/a", "--name", "b", folder=tmp_path)
    if first == then:
        assert result.returncode == 0, result.stderr
    else:
        assert_one_line_error(result, "of another kind")


def test_folds_of_a_configuration_with_checkpoints_have_none(people, tmp_path):
    result = run(
        "train", "--config", str(people / "runs/r/config.toml"), "--folds", "2", "--name", "f", folder=tmp_path
    )
    assert result.returncode == 0, result.stderr


def test_where_the_predictions_are_is_json_too(people):
    assert result_of("predict", "runs/r", "people.csv", "-o", "out.csv", folder=people) == {
        "predictions": 120,
        "output": "out.csv",
    }


def test_json_has_no_numbers_that_json_does_not_have(people):
    options = ("--target", "z", "--leave-out", "buys", "--epochs", "2", "--name", "rz")
    assert run("train", "people.csv", *options, folder=people).returncode == 0
    (people / "huge.csv").write_text("age,town,z\n1e300,Rome,3\n-1e300,Oslo,1e308\n")
    for command in ("predict", "evaluate"):
        done = run(command, "runs/rz", "huge.csv", "--no-clip", "--json", folder=people)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
        assert None in (told["z"] if command == "predict" else told.values())
        assert "are null in this JSON" in done.stderr
