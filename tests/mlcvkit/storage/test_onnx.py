"""What onnxruntime makes of an exported file is what the model itself says, from raw columns on."""

import numpy as np
import onnxruntime
import polars
import pytest
from sklearn.datasets import load_iris, make_multilabel_classification

from mlcvkit import InputError
from mlcvkit.datasets import Samples
from mlcvkit.estimators import MLPClassifier, MLPRegressor, NN2Classifier, PerceptronClassifier
from mlcvkit.experiments import Experiment, recipe_for, train
from mlcvkit.models import ACTIVATIONS, MLP, NN1
from mlcvkit.storage import SavedModel, export_onnx
from mlcvlab.models.nn2 import NN2

rng = np.random.default_rng(0)
X = rng.normal(size=(80, 4)).astype(np.float32)
TARGETS = {
    "two": (X[:, 0] > 0).astype(int),
    "names": np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-0.5, 0.5])],
    "numbers": 1000 * X[:, 0] + 5,
    "pairs": np.stack([1000 * X[:, 0], X[:, 1] / 1000], axis=1),
}


def outputs(path, inputs):
    session = onnxruntime.InferenceSession(path)
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, inputs), strict=True))


@pytest.mark.parametrize(
    ("estimator", "target"),
    [
        *[(MLPClassifier(activation=a, hidden_units=(7, 5)), t) for a in ACTIVATIONS for t in ("two", "names")],
        (MLPClassifier(hidden_units=(), biases=False), "names"),
        (NN2Classifier(hidden_units=9), "two"),
        (PerceptronClassifier(), "two"),
        (PerceptronClassifier(), "names"),
        (MLPRegressor(), "numbers"),
        (MLPRegressor(hidden_units=(5, 4, 3)), "pairs"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_estimator_and_its_file_agree(tmp_path, estimator, target):
    estimator.set_params(epochs=20, random_state=0).fit(X, TARGETS[target])
    estimator.export_onnx(tmp_path / "m.onnx")
    got = outputs(tmp_path / "m.onnx", {"X": X})
    if isinstance(estimator, MLPRegressor):
        scale = np.abs(TARGETS[target]).max(axis=0)
        expected = estimator.predict(X).reshape(len(X), -1)
        np.testing.assert_allclose(got["prediction"] / scale, expected / scale, atol=1e-5)
        return
    assert got["label"].tolist() == estimator.predict(X).tolist()
    if isinstance(estimator, PerceptronClassifier):
        scores = estimator.decision_function(X).reshape(len(X), -1)
        np.testing.assert_allclose(got["scores"], scores, rtol=1e-5, atol=1e-5)
    else:
        np.testing.assert_allclose(got["probabilities"], estimator.predict_proba(X), atol=1e-5)


def test_several_labels_agree(tmp_path):
    X, y = make_multilabel_classification(100, n_classes=3, random_state=0)
    X = X.astype(np.float32)
    model = MLPClassifier(epochs=20, random_state=0).fit(X, y)
    model.export_onnx(tmp_path / "m.onnx")
    got = outputs(tmp_path / "m.onnx", {"X": X})
    np.testing.assert_array_equal(got["label"], model.predict(X))
    np.testing.assert_allclose(got["probabilities"], model.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize(
    "model", [NN2().initialize(4, 5, seed=0), NN1().initialize(4, seed=0), MLP((3,)).initialize(4)]
)
def test_a_model_without_an_estimator_agrees(tmp_path, model):
    export_onnx(SavedModel(model), tmp_path / "m.onnx")
    y_hat = model.nn2(X.T) if isinstance(model, NN2) else model.predict(X.T)
    np.testing.assert_allclose(outputs(tmp_path / "m.onnx", {"X": X})["probabilities"][:, 1], y_hat[0], atol=1e-6)


@pytest.mark.parametrize("kind", ["mlp", "nn2", "nn1", "perceptron"])
@pytest.mark.parametrize("columns", ["numbers", "numbers and names"])
def test_the_whole_way_from_raw_columns_agrees(tmp_path, kind, columns):
    N = 150
    size = (rng.normal(5e4, 2e4, N)).astype(np.float32)
    size[::9] = np.nan
    table = polars.DataFrame({"size": size, "height": rng.normal(1e-3, 1e-4, N).astype(np.float32)})
    y = np.where(np.nan_to_num(size, nan=5e4) > 5e4, "large", "small")
    if columns != "numbers":
        colours = rng.choice(["red", "green", "blue", "mauve"], N, p=[0.5, 0.3, 0.19, 0.01])
        table = table.with_columns(colour=polars.Series(colours), id=polars.Series([f"n{i}" for i in range(N)]))
    samples = Samples("t", table, y, "kind", "")
    predictor = train(Experiment(model=kind, hyperparameters=recipe_for(kind)), samples).predictor
    export_onnx(predictor.saved(), tmp_path / "m.onnx")
    if columns == "numbers":
        raw = {"X": table.to_numpy().astype(np.float32)}
    else:
        new = polars.DataFrame(
            {"size": [None, 1e4], "height": [1e-3, None], "colour": ["unseen", "red"], "id": ["", ""]}
        )
        table = polars.concat([table, new.cast(dict(zip(table.columns, table.dtypes, strict=True)))])
        raw = {
            name: table[name].to_numpy().reshape(-1, 1).astype(object if name == "colour" else np.float32)
            for name in ("size", "height", "colour")
        }
    got, answers = outputs(tmp_path / "m.onnx", raw), predictor.predict_columns(table)
    assert got["label"].tolist() == answers["kind"].tolist()
    if kind != "perceptron":
        np.testing.assert_allclose(got["probabilities"][:, 0], answers["probability large"], atol=1e-5)


OTHER_NAMES = [("label", "div_3"), ("mlcvlab/constant_0", "mlcvlab/div_3"), ("mlcvlab//", "probabilities")]


@pytest.mark.parametrize("names", OTHER_NAMES)
def test_columns_may_have_any_names_and_hold_what_is_not_finite(tmp_path, names):
    text, number = names
    table = polars.DataFrame({text: ["a", "b"] * 30, number: [float(i % 7) for i in range(60)]})
    y = np.array(["no", "yes"] * 30)
    predictor = train(Experiment(), Samples("t", table, y, "y", "")).predictor
    export_onnx(predictor.saved(), tmp_path / "m.onnx")
    new = polars.DataFrame({text: ["a", "b"], number: [float("inf"), float("nan")]})
    raw = {text: np.array([["a"], ["b"]], object), number: np.array([[np.inf], [np.nan]], np.float32)}
    got, answers = outputs(tmp_path / "m.onnx", raw), predictor.predict_columns(new)
    label, probabilities = (f"predicted {name}" if name in names else name for name in ("label", "probabilities"))
    assert got[label].tolist() == answers["y"].tolist()
    np.testing.assert_allclose(got[probabilities][:, 1], answers["probability yes"], atol=1e-5)


def test_images_go_in_as_bytes_values(tmp_path):
    images = rng.integers(256, size=(60, 5, 6)).astype(np.uint8)
    samples = Samples("t", images, (images.mean(axis=(1, 2)) > 127).astype(int), "bright", "")
    predictor = train(Experiment(), samples).predictor
    export_onnx(predictor.saved(), tmp_path / "m.onnx")
    got = outputs(tmp_path / "m.onnx", {"X": images.reshape(60, -1).astype(np.float32)})
    np.testing.assert_allclose(
        got["probabilities"][:, 1], predictor.predict_columns(images)["probability 1"], atol=1e-5
    )


def test_what_cannot_be_exported_says_why(tmp_path):
    table = polars.DataFrame({"day": polars.date_range(polars.date(2020, 1, 1), polars.date(2020, 3, 1), eager=True)})
    y = (table["day"].dt.month().to_numpy() > 1).astype(int)
    predictor = train(Experiment(), Samples("t", table, y, "late", "")).predictor
    with pytest.raises(InputError, match=r"column\(s\) day hold dates, and ONNX has no operators for the calendar"):
        export_onnx(predictor.saved(), tmp_path / "m.onnx")
    with pytest.raises(InputError, match="not fitted yet: call fit first"):
        MLPClassifier().export_onnx(tmp_path / "m.onnx")
    model = MLPClassifier(epochs=1).fit(*load_iris(return_X_y=True))
    with pytest.raises(InputError, match=r"nowhere/m.onnx cannot be written: No such file"):
        model.export_onnx(tmp_path / "nowhere" / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def trained_on(table, y, **options):
    samples = Samples("t", table, y, "y", "")
    return train(Experiment(hyperparameters=recipe_for("mlp"), **options), samples).predictor


def test_what_is_missing_and_what_lies_outside_is_the_same_there(tmp_path):
    N = 200
    size = rng.normal(10, 2, N)
    size[::4] = np.nan
    colour = [None if i % 5 == 0 else ["red", "blue"][i % 2] for i in range(N)]
    table = polars.DataFrame({"size": size, "colour": colour, "x": rng.normal(size=N)})
    predictor = trained_on(table, np.where(np.isnan(size), "no", "yes"))
    export_onnx(predictor.saved(), tmp_path / "m.onnx")
    new = polars.DataFrame(
        {"size": [1e9, None, -50.0], "colour": ["red", None, "green"], "x": [0.0, 0.0, 1e6]}, schema=table.schema
    )
    raw = {name: new[name].to_numpy().astype(np.float32)[:, None] for name in ("size", "x")}
    raw["colour"] = new["colour"].fill_null("").to_numpy().astype(object)[:, None]
    got, answers = outputs(tmp_path / "m.onnx", raw), predictor.predict_columns(new)
    np.testing.assert_allclose(got["probabilities"][:, 0], answers["probability no"], atol=1e-5)
    only = trained_on(table.select("size", "x"), np.where(np.isnan(size), "no", "yes"))
    export_onnx(only.saved(), tmp_path / "n.onnx")
    got = outputs(tmp_path / "n.onnx", {"X": new.select("size", "x").to_numpy().astype(np.float32)})
    answers = only.predict_columns(new)
    np.testing.assert_allclose(got["probabilities"][:, 0], answers["probability no"], atol=1e-5)


def test_numbers_outside_of_the_training_are_clipped_there_as_well(tmp_path):
    table = polars.DataFrame({"x": rng.normal(size=200)})
    predictor = trained_on(table, 3 * table["x"].to_numpy())
    export_onnx(predictor.saved(), tmp_path / "m.onnx")
    far = np.array([[1e3], [-1e3]], np.float32)
    got = outputs(tmp_path / "m.onnx", {"X": far})["prediction"][:, 0]
    np.testing.assert_allclose(got, predictor.predict(far), rtol=1e-4)
    assert np.abs(got).max() < 50  # and not some thousand


def test_numbers_that_float32_would_blur_go_in_and_come_out_as_float64(tmp_path):
    seconds = 1_700_000_000 + np.arange(400) * 0.5
    table = polars.DataFrame({"t": seconds})
    predictor = trained_on(table, 1e9 + (seconds - seconds[0]))
    export_onnx(predictor.saved(), tmp_path / "m.onnx")
    got = outputs(tmp_path / "m.onnx", {"X": seconds[:, None]})["prediction"][:, 0]
    assert got.dtype == np.float64
    np.testing.assert_allclose(got - 1e9, predictor.predict(table) - 1e9, atol=1e-2)


def test_a_column_of_numbers_and_names_is_refused(tmp_path):
    table = polars.DataFrame({"n": ["0", "1", "2"] * 30 + ["3+"] * 5, "x": range(95)})
    predictor = trained_on(table, np.arange(95) % 2)
    with pytest.raises(InputError, match=r"column\(s\) n hold numbers and names"):
        export_onnx(predictor.saved(), tmp_path / "m.onnx")


@pytest.mark.parametrize("size", [1e-37, 1e37, 1e120])
def test_sizes_that_float32_does_not_hold_go_in_and_come_out_as_float64(tmp_path, size):
    column = X[:, 0].astype(float)
    table = polars.DataFrame({"a": column * size})
    predictor = trained_on(table, column * size)
    export_onnx(predictor.saved(), tmp_path / "m.onnx")
    got = outputs(tmp_path / "m.onnx", {"X": table.to_numpy()})["prediction"][:, 0]
    expected = predictor.predict(table)
    assert np.abs(expected).max() > size / 10
    np.testing.assert_allclose(got / size, expected / size, atol=1e-5)


@pytest.mark.parametrize(
    "classes",
    [[0.1, 0.2], [0.0, 1e308], [0.5, 1.5, 2.5], [0, 2**63 + 1], [2**62 + 1, 2**62 + 2], [False, True]],
    ids=str,
)
def test_classes_come_out_as_they_are(tmp_path, classes):
    predictor = trained_on(polars.DataFrame({"x": X[:, 0]}), np.arange(len(X)) % len(classes))
    saved = predictor.saved()
    saved.estimator["classes"] = classes
    export_onnx(saved, tmp_path / "m.onnx")
    got = outputs(tmp_path / "m.onnx", {"X": X[:, :1]})
    values = [str(value) for value in got["label"]]
    expected = [classes[index] for index in got["probabilities"].argmax(axis=1)]
    assert values == [str(int(value)) if isinstance(value, bool) else str(value) for value in expected]


@pytest.mark.parametrize(
    ("names", "options"),
    [
        (["True", "False", "maybe"], {}),
        (["TRUE", "false", "True"], {"categorical": ("c",)}),
        (["1.5", "2.0", "3.0"], {"categorical": ("c",)}),
        (["Zo\u0065\u0308", "Zoé", "Ana"], {}),
    ],
)
def test_names_may_be_written_there_as_in_the_training(tmp_path, names, options):
    rng = np.random.default_rng(0)
    x, chosen = rng.normal(size=300), rng.integers(0, 3, 300)
    pairs = zip(x, np.array(names)[chosen], (chosen == 0) * 2 + x > 1, strict=True)
    (tmp_path / "t.csv").write_text("x,c,y\n" + "".join(f"{a},{c},{'pq'[int(b)]}\n" for a, c, b in pairs))
    experiment = Experiment(data=str(tmp_path / "t.csv"), target="y", **options)
    predictor = train(experiment).predictor
    export_onnx(predictor.saved(), tmp_path / "t.onnx")
    raw = {"x": x.astype(np.float32)[:, None], "c": np.array(names, object)[chosen][:, None]}
    there = outputs(tmp_path / "t.onnx", raw)["probabilities"][:, 0]
    table = polars.DataFrame({"x": x, "c": np.array(names)[chosen]})
    np.testing.assert_allclose(there, predictor.predict_columns(table)["probability p"], atol=1e-5)
