import json
import pickle
from dataclasses import asdict

import numpy as np
import pandas
import polars
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlcvkit import Experiment, InputError, train
from mlcvkit.datasets import TableEncoder
from mlcvkit.estimators import MLPClassifier, MLPRegressor, NN2Classifier, PerceptronClassifier, load_estimator
from mlcvkit.experiments import prepare
from mlcvkit.models import Loss
from mlcvkit.training import Callback, Hyperparameters, Run, StopTraining, WriteCheckpoints
from mlcvlab.models.nn2 import NN2


def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


KINDS = {
    MLPClassifier: iris,
    NN2Classifier: cancer,
    PerceptronClassifier: iris,
    MLPRegressor: lambda: load_diabetes(return_X_y=True),
}


@pytest.mark.parametrize("kind", KINDS)
def test_in_a_pipeline_and_under_cross_validation_it_is_good(kind):
    X, y = KINDS[kind]()
    scores = cross_val_score(make_pipeline(StandardScaler(), kind(random_state=0)), X, y, cv=5)
    assert scores.mean() > (0.4 if kind is MLPRegressor else 0.93)


def test_grid_search_chooses_and_refits():
    X, y = iris()
    search = GridSearchCV(MLPClassifier(random_state=0, learning_rate=0.02), {"hidden_units": [(1,), (30,)]}, cv=3).fit(
        X, y
    )
    assert search.best_params_ == {"hidden_units": (30,)}
    assert search.score(X, y) > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_pickle_and_clone_keep_what_they_should(kind):
    X, y = KINDS[kind]()
    fitted = kind(random_state=0, epochs=5, verbose=True).fit(X, y)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    fresh = clone(fitted)
    assert fresh.get_params() == fitted.get_params() and not hasattr(fresh, "model_")


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_random_state_gives_the_same_weights(kind):
    X, y = KINDS[kind]()
    first, again = (kind(random_state=3, epochs=4, batch_size=32).fit(X, y) for _ in range(2))
    for ours, theirs in zip(first.model_.W, again.model_.W, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    other = kind(random_state=4, epochs=4, batch_size=32).fit(X, y)
    assert not np.array_equal(first.model_.W[0], other.model_.W[0])


def test_data_frames_bring_their_names_and_labels_their_text():
    X, y = iris()
    names = ["a", "b", "c", "d"]
    labels = np.array(["setosa", "versicolor", "virginica"])[y]
    for frame in (pandas.DataFrame(X, columns=names), polars.DataFrame(X, schema=names)):
        model = MLPClassifier(random_state=0, learning_rate=0.02).fit(frame, labels)
        assert model.feature_names_in_.tolist() == names
        assert set(model.predict(frame)) <= set(labels) and model.score(frame, labels) > 0.9
    with pytest.raises(ValueError, match="feature names"):
        model.predict(pandas.DataFrame(X, columns=["b", "a", "c", "d"]))


@pytest.mark.parametrize("kind", KINDS)
def test_sparse_rows_give_what_dense_rows_give(kind):
    X, y = KINDS[kind]()
    X = np.where(np.abs(X) < np.median(np.abs(X)), 0, X)
    dense, sparse = kind(random_state=0, epochs=3), kind(random_state=0, epochs=3)
    dense.fit(X, y), sparse.fit(scipy.sparse.csr_array(X), y)
    np.testing.assert_allclose(sparse.model_.W[0], dense.model_.W[0], rtol=1e-6, atol=1e-9)
    said, expected = sparse.predict(scipy.sparse.csc_matrix(X)), dense.predict(X)
    np.testing.assert_allclose(said, expected, rtol=1e-9)


def test_several_labels_a_sample():
    X, y = make_multilabel_classification(300, n_classes=4, random_state=0)
    model = MLPClassifier(random_state=0).fit(StandardScaler().fit_transform(X), y)
    probabilities = model.predict_proba(StandardScaler().fit_transform(X))
    assert probabilities.shape == y.shape and model.predict(X).shape == y.shape
    np.testing.assert_array_equal(probabilities > 0.5, model.predict(StandardScaler().fit_transform(X)) == 1)
    assert ((probabilities > 0.5) == y).mean() > 0.95


def test_several_numbers_a_sample_of_any_scale():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = np.stack([1e6 * X[:, 0] + 5e6, 1e-6 * X[:, 1]], axis=1)
    model = MLPRegressor(random_state=0).fit(X, y)
    assert model.predict(X).shape == (300, 2) and model.score(X, y) > 0.99


def test_without_a_hidden_layer_it_is_logistic_regression():
    X, y = cancer()
    ours = MLPClassifier(
        hidden_units=(), l2=0.01, learning_rate=0.05, epochs=3000, patience=0, batch_size=len(y), random_state=0
    ).fit(X, y)
    theirs = LogisticRegression(C=1 / (0.01 * len(y)), tol=1e-8, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(ours.model_.W[0].ravel(), theirs.coef_.ravel(), atol=2e-3)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=2e-3)


def test_weights_count_as_repetitions():
    X, y = iris()
    times = np.random.default_rng(0).integers(0, 3, len(y))[:100]
    X, y = X[:100], y[:100]
    weighted = MLPClassifier(random_state=0, epochs=50).fit(X, y, sample_weight=times)
    repeated = MLPClassifier(random_state=0, epochs=50).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-9)
    assert not np.allclose(
        weighted.predict_proba(X), MLPClassifier(random_state=0, epochs=50).fit(X, y).predict_proba(X)
    )


def test_class_weight_moves_the_border():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 1, (180, 2)), rng.normal(1, 1, (20, 2))])
    y = np.repeat([0, 1], [180, 20])
    plain, balanced = (
        MLPClassifier(random_state=0, hidden_units=(), learning_rate=0.05, class_weight=w)
        .fit(X, y)
        .predict(X)[y == 1]
        .mean()
        for w in (None, "balanced")
    )
    assert balanced > plain + 0.2


def test_warm_start_goes_on_and_a_new_fit_does_not():
    X, y = iris()
    model = MLPClassifier(random_state=0, epochs=5, warm_start=True).fit(X, y)
    first = model.history_["train_loss"][-1]
    assert model.fit(X, y).history_["train_loss"][0] < first
    model.warm_start = False
    assert model.fit(X, y).history_["train_loss"][-1] == first


def test_partial_fit_learns_in_passes_and_keeps_the_optimizers_state():
    X, y = iris()
    model = MLPClassifier(random_state=0, batch_size=32)
    losses = [model.partial_fit(X, y, classes=[0, 1, 2]).history_["train_loss"][-1] for _ in range(40)]
    assert losses[-1] < 0.5 * losses[0] and model.score(X, y) > 0.93
    assert model._state.steps[0] == 40 * 5
    with pytest.raises(ValueError, match="needs classes"):
        MLPClassifier().partial_fit(X, y)
    with pytest.raises(ValueError, match="must stay what they were"):
        model.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"not among \[0 1 2\]: \[7\]"):
        model.partial_fit(X, np.full(len(y), 7))


def test_nn2classifier_is_the_handouts_network():
    X, y = cancer()
    model = NN2Classifier(random_state=0, hidden_units=12).fit(X, y)
    assert type(model.model_) is NN2 and [w.shape for w in model.model_.W] == [(12, 30), (12, 1)]
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], model.model_.nn2(X.T)[0], rtol=1e-12)
    with pytest.raises(ValueError, match="MLPClassifier takes any number of classes"):
        NN2Classifier().fit(*iris())


def test_the_perceptron_stops_where_all_are_right_and_has_no_probabilities():
    X, y = iris()
    model = PerceptronClassifier(random_state=0).fit(X, y == 0)
    assert model.score(X, y == 0) == 1 and model.n_iter_ < 200
    assert not hasattr(model, "predict_proba")
    rule = PerceptronClassifier(random_state=0, batch_size=1, schedule="constant").fit(X, y == 0)
    assert rule.score(X, y == 0) == 1
    steps = rule.model_.W[1] / 1.0  # every correction of the published rule moves the bias by 1
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-9)


def test_a_table_of_any_kind_in_three_lines():
    rng = np.random.default_rng(0)
    size, colour = rng.normal(size=300), rng.choice(["red", "green", "blue"], 300)
    y = np.where((size > 0) ^ (colour == "red"), "yes", "no")
    table = polars.DataFrame({"size": size, "colour": colour})
    model = make_pipeline(TableEncoder(), MLPClassifier(random_state=0, learning_rate=0.01)).fit(table, y)
    assert model.score(table, y) > 0.95
    assert (
        cross_val_score(
            model, pandas.DataFrame({name: table[name].to_numpy() for name in table.columns}), y, cv=3
        ).mean()
        > 0.9
    )


# What users of scikit-learn's MLPClassifier miss, one example each.


def test_callbacks_are_told_and_can_stop():
    class StopAtThree(Callback):
        def on_epoch(self, run: Run):
            if run.epoch == 3:
                raise StopTraining

    X, y = iris()
    assert MLPClassifier(callbacks=[StopAtThree()], random_state=0).fit(X, y).n_iter_ == 3


def test_dropout_is_there_in_training_and_not_in_prediction():
    X, y = iris()
    model = MLPClassifier(dropout=0.5, random_state=0).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X))
    plain = MLPClassifier(random_state=0).fit(X, y)
    assert model.history_["train_loss"] != plain.history_["train_loss"] and model.score(X, y) > 0.93


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle", "step"])
def test_schedules_change_the_learning_rate(schedule):
    X, y = iris()
    rates = MLPClassifier(schedule=schedule, epochs=30, patience=0, random_state=0).fit(X, y).history_["learning_rate"]
    assert rates[-1] < max(rates) / 5


def test_validation_data_of_ones_own_stops_and_restores_the_best():
    X, y = cancer()
    model = MLPClassifier(random_state=0, learning_rate=0.05, patience=5)
    model.fit(X[:300], y[:300], validation_data=(X[300:], y[300:]))
    losses = model.history_["validation_loss"]
    assert model.n_iter_ < 200 and "validation_accuracy" in model.history_
    targets = (y[300:] == 1).astype(float)[None]
    assert model.model_.emp_loss(X[300:].T, targets) == pytest.approx(min(losses), rel=1e-6)
    fraction = MLPClassifier(random_state=0, validation_fraction=0.2, patience=5, learning_rate=0.05).fit(X, y)
    assert "validation_loss" in fraction.history_ and fraction.score(X, y) > 0.95


def test_a_loss_of_ones_own():
    huber = Loss(
        lambda y, y_hat: np.where(abs(y_hat - y) < 0.5, (y_hat - y) ** 2, abs(y_hat - y) - 0.25).sum(axis=0),
        lambda y, y_hat: np.clip(2 * (y_hat - y), -1, 1),
    )
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 1))
    y = X[:, 0].copy()
    y[:10] = 50  # outliers
    errors = [
        abs(MLPRegressor(loss=loss, random_state=0, hidden_units=()).fit(X, y).predict(X)[10:] - y[10:]).mean()
        for loss in (huber, None)
    ]
    assert errors[0] < errors[1] / 2


def test_training_is_resumed_to_the_same_weights_bit_for_bit(tmp_path):
    class Fail(Callback):
        def on_epoch(self, run: Run):
            if run.epoch == 7:
                raise RuntimeError("the power is gone")

    X, y = cancer()
    options = {"random_state": 0, "epochs": 20, "batch_size": 64, "dropout": 0.2, "validation_fraction": 0.2}
    keep = WriteCheckpoints(tmp_path, 1)
    with pytest.raises(RuntimeError):
        MLPClassifier(callbacks=[keep, Fail()], **options).fit(X, y)
    resumed = MLPClassifier(callbacks=[keep], **options).fit(X, y, resume=tmp_path)
    whole = MLPClassifier(**options).fit(X, y)
    for ours, theirs in zip(resumed.model_.W, whole.model_.W, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(InputError, match="batch_size is 64 there, not 32"):
        MLPClassifier(**options | {"batch_size": 32}).fit(X, y, resume=tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_brings_the_estimator_back(kind, tmp_path):
    X, y = KINDS[kind]()
    fitted = kind(random_state=0, epochs=5).fit(X, y)
    fitted.save(tmp_path / "model.safetensors")
    again = load_estimator(tmp_path / "model.safetensors")
    assert type(again) is kind and again.get_params() == fitted.get_params()
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    assert again.history_ == fitted.history_


def test_verbose_shows_the_epochs(capsys):
    X, y = iris()
    MLPClassifier(epochs=2, verbose=True).fit(X, y)
    assert "epoch 2/2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"learning_rate": -1}, "learning_rate must be positive and finite; got -1"),
        ({"optimizer": "lbfgs"}, "optimizer must be one of adam, adamw, sgd"),
        ({"activation": "swash"}, "unknown activation 'swash'; choose one of relu"),
        ({"hidden_units": (5, 0)}, "1 or more in each layer"),
        ({"loss": "hinge"}, "unknown loss 'hinge'; choose one of"),
        ({"validation_fraction": 1.5}, "validation_fraction must be at least 0 and below 1; got 1.5"),
        ({"validation_fraction": 0.999}, "leaves none on one side"),
    ],
)
def test_a_parameter_out_of_its_range_is_named(options, words):
    with pytest.raises(ValueError, match=words):
        MLPClassifier(**options).fit(*iris())


def test_what_cannot_be_learned_is_said():
    X, y = iris()
    with pytest.raises(ValueError, match="at least two classes; y has one class: 3"):
        MLPClassifier().fit(X, np.full(len(y), 3))
    with pytest.raises(ValueError, match="zero for every sample"):
        MLPClassifier(class_weight={0: 0, 1: 0, 2: 0}).fit(X, y)
    with pytest.raises(ValueError, match="y has classes that are not among"):
        MLPClassifier().fit(X, y, validation_data=(X, y + 1))


@pytest.mark.parametrize("scale", [1e-200, 1e-3, 1e150])
def test_numbers_of_any_size_are_learned(scale):
    X = np.linspace(-1, 1, 100)[:, None]
    y = X[:, 0] * scale
    model = MLPRegressor(random_state=0).fit(X, y)
    assert np.corrcoef(model.predict(X) / scale, X[:, 0])[0, 1] > 0.98
    assert 0.8 < (model.predict(X) / scale).std() / X.std() < 1.2


def test_the_training_loss_is_that_of_samples_from_everywhere():
    X = np.linspace(0, 1, 30_000)[:, None]
    y = (X[:, 0] > 0.5).astype(int)  # the first 10,000 are all of one class
    model = MLPClassifier(random_state=0, epochs=1, verbose=True).fit(X, y)
    assert 0.4 < model.history_["train_accuracy"][0] < 0.999


def test_weights_of_passes_are_not_measured_within_each_pass():
    X, y = cancer()
    light, heavy = (NN2Classifier(random_state=0, class_weight={0: 1, 1: w}) for w in (1, 100))
    for model in (light, heavy):
        model.partial_fit(X[y == 1][:50], y[y == 1][:50], classes=[0, 1])
        model.partial_fit(X[y == 0][:50], y[y == 0][:50])
    assert not np.allclose(light.model_.W[0], heavy.model_.W[0])


def test_a_loaded_estimator_learns_on(tmp_path):
    X, y = iris()
    model = MLPClassifier(random_state=np.int64(0), hidden_units=(np.int64(8),), epochs=np.int32(5))
    model.set_params(schedule="constant").fit(X, y)
    model.save(tmp_path / "m.safetensors")
    again = load_estimator(tmp_path / "m.safetensors")
    assert again.epochs == 5 and again.hidden_units == (8,)
    before = again.model_.emp_loss(X.T, np.eye(3)[y].T)
    for _ in range(10):
        again.partial_fit(X, y)
    assert again.model_.emp_loss(X.T, np.eye(3)[y].T) < before


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor, NN2Classifier, PerceptronClassifier])
def test_a_parameter_of_a_wrong_type_is_named_with_its_value(kind):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), np.arange(30) % 2
    for name, default in kind(epochs=1).get_params().items():
        for wrong in (object(), "nonsense", {1: 2}.keys(), [object()]):
            if name == "random_state" or (name == "callbacks" and wrong == ()):
                continue
            with pytest.raises((TypeError, ValueError), match=name) as raised:
                kind(**{"epochs": 1, name: wrong}).fit(X, y)
            assert repr(wrong) in str(raised.value), (name, default, raised.value)


def test_numbers_of_numpy_are_as_good_as_pythons():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), np.arange(30) % 2
    grid = {"hidden_units": np.array([4, 8]), "learning_rate": np.array([0.01, 0.1]), "epochs": np.array([2])}
    found = GridSearchCV(MLPClassifier(random_state=0), grid, cv=2, error_score="raise").fit(X, y)
    plain = MLPClassifier(random_state=0, epochs=2, hidden_units=(8,)).fit(X, y)
    again = MLPClassifier(random_state=0, epochs=np.int64(2), hidden_units=np.array([8])).fit(X, y)
    np.testing.assert_array_equal(plain.predict_proba(X), again.predict_proba(X))
    assert found.best_estimator_.n_iter_ == 2


def test_class_weights_are_saved(tmp_path):
    X, y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 2
    MLPClassifier(epochs=2, class_weight={0: 1.0, 1: 3.5}).fit(X, y).save(tmp_path / "m.safetensors")
    assert load_estimator(tmp_path / "m.safetensors").class_weight == {0: 1.0, 1: 3.5}


@pytest.mark.parametrize(
    ("y", "words"),
    [(["1.5"] * 30, "y must be numbers, and holds text such as"), ([None] * 30, "NaN"), (["a"] * 30, "text such as")],
)
def test_targets_that_are_no_numbers_are_named(y, words):
    X = np.random.default_rng(0).normal(size=(30, 2))
    with pytest.raises(ValueError, match=words):
        MLPRegressor(epochs=1).fit(X, np.array(y))


def test_a_loss_of_ones_own_must_be_given_again_after_loading(tmp_path):
    q = 0.9
    pinball = Loss(
        lambda y, z: np.maximum(q * (y - z), (q - 1) * (y - z)).sum(axis=0), lambda y, z: np.where(y > z, -q, 1 - q)
    )
    X = np.random.default_rng(0).normal(size=(60, 2))
    estimator = MLPRegressor(epochs=2, loss=pinball, random_state=0).fit(X, X[:, 0])
    estimator.save(tmp_path / "a.safetensors")
    loaded = load_estimator(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(loaded.predict(X), estimator.predict(X))
    for again in (loaded.partial_fit, loaded.fit):
        with pytest.raises(ValueError, match="a loss of your own"):
            again(X, X[:, 0])
    loaded.set_params(loss=pinball).partial_fit(X, X[:, 0])
    loaded.set_params(loss="mse").fit(X, X[:, 0])


def test_parameters_that_are_numpys_numbers_are_saved_as_plain_ones(tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 2))
    own = {"epochs": np.int64(2), "learning_rate": np.float32(0.01), "l2": np.float32(0.1), "batch_size": np.int64(16)}
    estimator = MLPRegressor(**own, hidden_units=(np.int64(4),), random_state=0).fit(X, X[:, 0])
    estimator.save(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(load_estimator(tmp_path / "a.safetensors").predict(X), estimator.predict(X))
    hp = Hyperparameters(**own, hidden_units=(np.int64(4),))
    assert json.loads(json.dumps(asdict(hp)))["hidden_units"] == [4]


@pytest.mark.parametrize("unit", ["ns", "D"])
def test_classes_that_are_dates_are_refused_by_a_file(unit, tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 2))
    y = np.array(["2020-01-01", "2021-01-01"], f"M8[{unit}]")[np.arange(40) % 2]
    estimator = MLPClassifier(epochs=1, random_state=0).fit(X, y)
    with pytest.raises(InputError, match="give them as text"):
        estimator.save(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("optimizer", "unused"),
    [("adam", {"momentum": 0.5}), ("sgd", {"beta1": 0.5}), ("nesterov", {"rho": 0.5}), ("adam", {"local_steps": 7})],
)
def test_a_parameter_that_its_optimizer_does_not_use_is_told(optimizer, unused):
    X, y = iris()
    name, value = next(iter(unused.items()))
    for fit in (MLPClassifier.fit, lambda estimator, *data: estimator.partial_fit(*data, classes=[0, 1, 2])):
        with pytest.warns(UserWarning, match=f"^{name}={value} is not used"):
            fit(MLPClassifier(optimizer=optimizer, epochs=1, **unused), X, y)


@pytest.mark.parametrize("weights", [{0: -1.0, 1: 1.0}, {0: float("nan")}, {1: float("inf")}, {0: None}, {0: "2"}])
def test_the_weights_of_classes_are_numbers_of_0_or_more(weights):
    X, y = iris()
    with pytest.raises(ValueError, match=r"class_weight must be finite numbers, 0 or more; got .* for [01]"):
        MLPClassifier(epochs=1, class_weight=weights).fit(X, y)


def test_adamw_without_decay_is_told():
    X, y = iris()
    with pytest.warns(UserWarning, match="adamw decays nothing with weight_decay 0, and is adam then: 0.01 is usual"):
        MLPClassifier(optimizer="adamw", epochs=1).fit(X, y)
    notes = prepare(Experiment(data="moons", hyperparameters=Hyperparameters(optimizer="adamw"))).notes
    assert any("adamw decays nothing" in note for note in notes)
    decays = Hyperparameters(optimizer="adamw", weight_decay=0.01)
    assert not prepare(Experiment(data="moons", hyperparameters=decays)).notes


def test_what_is_masked_is_missing():
    X = np.ma.masked_array(np.arange(24.0).reshape(12, 2), mask=np.arange(24).reshape(12, 2) == 5)
    frame = polars.DataFrame({"x0": [*X[:, 0].filled(np.nan)], "x1": [*X[:, 1].filled(np.nan)]})
    np.testing.assert_array_equal(TableEncoder().fit_transform(X), TableEncoder().fit_transform(frame))


def test_a_training_can_be_pickled_and_copied():
    trained = train(Experiment(data="moons", hyperparameters=Hyperparameters(epochs=2)))
    again = pickle.loads(pickle.dumps(trained))
    np.testing.assert_array_equal(again.predictor.predict(trained.test[0]), trained.predictor.predict(trained.test[0]))
    assert again.run.history == trained.run.history and again.run.fingerprint() == trained.run.fingerprint()


@pytest.mark.parametrize("given", [{"epochs": 3}, 3, "table"])
def test_hyperparameters_are_hyperparameters(given):
    with pytest.raises(InputError, match=r"hyperparameters must be Hyperparameters\(\.\.\.\); got (dict|int|str)"):
        Experiment(data="moons", hyperparameters=given)
    with pytest.raises(InputError, match="callbacks must be a list of Callback"):
        train(Experiment(data="moons"), callbacks=Callback())


def test_a_column_that_is_no_numbers_is_named():
    X, y = pandas.DataFrame({"b": range(200), "a": [1, "x", None, 2.5] * 50}), [0, 1] * 100
    with pytest.raises(ValueError, match="the column 'a' does not hold numbers alone"):
        MLPClassifier(epochs=1).fit(X, y)
    fitted = MLPClassifier(epochs=1).fit(X.assign(a=1.0), y)
    with pytest.raises(ValueError, match="the column 'a' does not hold numbers alone"):
        fitted.predict(X)
    dates = pandas.DataFrame({"d": pandas.date_range("2020", periods=200)})
    with pytest.raises((TypeError, ValueError), match=r"the column 'd' does not hold numbers alone.*TableEncoder"):
        MLPRegressor(epochs=1).fit(dates.assign(d=dates.d.astype(object)), y)


@pytest.mark.parametrize("units", [np.array(8), np.array([8]), np.int64(8), [np.int32(8)]])
def test_units_may_be_any_of_numpys(units):
    X, y = iris()
    assert MLPClassifier(hidden_units=units, epochs=1).fit(X, y).model_.hidden_units == (8,)
    with pytest.raises(ValueError, match="hidden_units must be whole numbers below"):
        MLPClassifier(hidden_units=2**70, epochs=1).fit(X, y)


def test_the_encoder_takes_what_scikit_learns_users_give():
    frame = pandas.DataFrame({"a": range(60), "c": list("xyz") * 20})
    for categorical in (np.array(["a", "c"]), pandas.Index(["c"]), ("a",), {"c"}):
        assert "categorical" in repr(TableEncoder(categorical=categorical)) and repr(TableEncoder()) == "TableEncoder()"
        TableEncoder(categorical=categorical).fit(frame)
    TableEncoder(clip=np.True_, day_first=np.False_).fit(frame)
    for name, value in [("categorical", 3), ("categorical", None), ("decimal", pandas.Series([4])), ("clip", 1)]:
        with pytest.raises(InputError, match=f"^{name} must be"):
            TableEncoder(**{name: value}).fit(frame)


@pytest.mark.parametrize("estimator", [MLPClassifier, NN2Classifier, MLPRegressor])
@pytest.mark.parametrize("given", [{"hidden_units": True}, {"epochs": True}, {"learning_rate": np.True_}])
def test_a_truth_value_is_no_number(estimator, given):
    [name] = given
    with pytest.raises((TypeError, ValueError), match=name):
        estimator(**given).fit(np.eye(6), [0, 1] * 3)
