"""Numbers are the numbers they say they are: weights count where it is decided, and nothing is ignored or half done."""

import warnings

import numpy as np
import pytest
import scipy.sparse
from sklearn.model_selection import cross_val_score

from mlcvkit import Hyperparameters, InputError, MLPClassifier, MLPRegressor, NN2Classifier, PerceptronClassifier, fit
from mlcvkit.estimators import load_estimator
from mlcvkit.experiments import split_rows
from mlcvkit.models import MLP
from mlcvkit.training import Callback, StopTraining, WriteCheckpoints
from mlcvlab.models.nn2 import NN2


@pytest.fixture(scope="module")
def rows():
    """Two classes that a line separates, and half as many rows with false labels, of weight 0."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = (X[:, 0] > 0).astype(int)
    wrong = np.arange(300) % 3 == 0
    y[wrong] = 1 - y[wrong]
    return X, y, np.where(wrong, 0.0, 1.0)


def correct(model, X, y, weights):
    return np.average(model.predict(X) == y, weights=weights)


SMALL = {"hidden_units": (8,), "epochs": 60, "learning_rate": 0.02, "random_state": 0}


def test_rows_of_weight_0_do_not_decide_which_weights_are_restored(rows):
    X, y, weights = rows
    model = MLPClassifier(validation_fraction=0.3, **SMALL).fit(X, y, weights)
    assert correct(model, X, y, weights) > 0.97
    assert max(model.history_["validation_accuracy"]) > 0.97, "the accuracy is weighted as well"


def test_the_weights_of_validation_data_count(rows):
    X, y, weights = rows
    options = {"patience": 5, **SMALL}
    weighted = MLPClassifier(**options).fit(X, y, weights, validation_data=(X, y, weights))
    without = MLPClassifier(**options).fit(X, y, weights, validation_data=(X[weights > 0], y[weights > 0]))
    np.testing.assert_allclose(weighted.history_["validation_loss"], without.history_["validation_loss"], rtol=1e-5)
    np.testing.assert_allclose(weighted.history_["validation_accuracy"], without.history_["validation_accuracy"])
    with pytest.raises(ValueError, match=r"at least one non-zero|zero for every sample"):
        MLPClassifier(**options).fit(X, y, validation_data=(X, y, 0 * weights))


def test_class_weights_count_in_validation_data(rows):
    X, y, _ = rows
    model = MLPClassifier(class_weight={0: 0, 1: 1}, patience=5, **SMALL).fit(X, y, validation_data=(X, y))
    np.testing.assert_allclose(model.history_["validation_accuracy"][-1], np.mean(model.predict(X)[y == 1] == 1))


def test_weighted_r2_is_scikit_learns(rows):
    from sklearn.metrics import r2_score

    X, _, weights = rows
    target = X[:, 0] + 5 * (weights == 0)
    model = MLPRegressor(validation_fraction=0.3, **SMALL).fit(X, target, weights)
    assert r2_score(target, model.predict(X), sample_weight=weights) > 0.95
    model = MLPRegressor(patience=60, **SMALL).fit(X, target, weights, validation_data=(X, target, weights))
    best = np.argmin(model.history_["validation_loss"])
    ours = r2_score(target, model.predict(X), sample_weight=weights)
    assert model.history_["validation_r2"][best] == pytest.approx(ours, abs=1e-5)


@pytest.mark.parametrize("schedule", [{"schedule": "cosine"}, {"warm_up": 0.5, "schedule": "constant"}])
def test_a_schedule_goes_on_from_call_to_call(rows, schedule):
    X, y, _ = rows
    options = {**SMALL, "epochs": 6, **schedule}
    model = MLPClassifier(batch_size=300, **options)
    for call in range(1, 7):
        model.partial_fit(X, y, classes=[0, 1])
        assert model.n_iter_ == call == len(model.history_["train_loss"])
    fitted = MLPClassifier(batch_size=300, patience=0, **options).fit(X, y)
    assert model.history_["learning_rate"] == fitted.history_["learning_rate"]
    assert len(set(model.history_["learning_rate"])) > 2
    if "warm_up" in schedule:
        model.partial_fit(X, y)
    else:
        with pytest.warns(UserWarning, match="the schedule cosine ends after epochs=6 passes"):
            model.partial_fit(X, y)
    assert model.n_iter_ == 7


@pytest.mark.parametrize("name", ["average_epochs", "validation_fraction"])
def test_what_partial_fit_cannot_use_is_refused(rows, name):
    X, y, _ = rows
    with pytest.raises(ValueError, match=f"{name} is for fit"):
        MLPClassifier(**{name: 0.5 if "fraction" in name else 2}).partial_fit(X, y, classes=[0, 1])


@pytest.mark.parametrize(
    "changed",
    [{"hidden_units": (4,)}, {"activation": "tanh"}, {"initialization": "large"}, {"l2": 0.5}, {"dropout": 0.3}],
)
@pytest.mark.parametrize("way", ["warm_start", "partial_fit"])
def test_what_changes_the_network_is_refused_after_set_params(rows, changed, way):
    X, y, _ = rows
    model = MLPClassifier(warm_start=True, **{**SMALL, "epochs": 2}).fit(X, y)
    before = model.predict_proba(X)
    model.set_params(**changed)
    with pytest.raises(ValueError, match=f"{next(iter(changed))} changed"):
        model.fit(X, y) if way == "warm_start" else model.partial_fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), before)


@pytest.mark.parametrize(
    "changed", [{"learning_rate": 1e-5}, {"optimizer": "sgd"}, {"batch_size": 7}, {"clip_norm": 1e-3}]
)
def test_what_is_set_between_two_calls_is_used(rows, changed):
    X, y, _ = rows
    results = []
    for change in ({}, changed):
        model = MLPClassifier(**SMALL).partial_fit(X, y, classes=[0, 1])
        results.append(model.set_params(**change).partial_fit(X, y).predict_proba(X))
    assert (results[0] != results[1]).any()


@pytest.mark.parametrize("model", [NN2().initialize(2, 4, seed=0), MLP((4,)).initialize(2, seed=0)])
@pytest.mark.parametrize("labels", [(1, 2), (-1, 1), (0, np.nan)])
def test_targets_that_a_sigmoid_cannot_predict_are_refused(rows, model, labels):
    X, y, _ = rows
    before = [w.copy() for w in model.W]
    with pytest.raises(ValueError, match="the targets of a sigmoid must be from 0 to 1"):
        fit(
            model,
            X.astype(np.float32),
            np.where(y == 1, labels[1], labels[0]),
            hyperparameters=Hyperparameters(epochs=1),
        )
    assert all((a == b).all() for a, b in zip(model.W, before, strict=True))


def test_a_training_that_diverges_leaves_the_model_as_it_was(rows):
    X, y, _ = rows
    model = MLP((4,), output="identity").initialize(2, seed=0)
    before = [w.copy() for w in model.W]
    hp = Hyperparameters(optimizer="sgd", learning_rate=1e30, epochs=5, batch_size=10)
    with pytest.raises(FloatingPointError, match="diverged"):
        fit(model, X.astype(np.float32), y.astype(np.float32), hyperparameters=hp)
    assert all((a == b).all() for a, b in zip(model.W, before, strict=True))


@pytest.mark.parametrize("warm_start", [False, True])
def test_a_fit_that_fails_leaves_the_estimator_as_it_was(rows, warm_start):
    X, y, _ = rows
    model = MLPRegressor(warm_start=warm_start, **{**SMALL, "epochs": 3}).fit(X, y)
    before, facts = model.predict(X), dict(vars(model))
    model.set_params(optimizer="sgd", learning_rate=1e30)
    with pytest.raises(FloatingPointError):
        model.fit(X, 10 * y)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X * np.nan, y)
    np.testing.assert_array_equal(model.predict(X), before)
    assert {name: vars(model)[name] for name in facts if name.endswith("_")} == {
        name: value for name, value in facts.items() if name.endswith("_")
    }


class Stop(Callback):
    def on_epoch(self, run):
        raise KeyboardInterrupt


def test_an_interrupted_fit_inside_cross_validation_warns(rows):
    X, y, _ = rows
    with pytest.warns(UserWarning, match="the training was interrupted after 1 of 60 epochs"):
        cross_val_score(MLPClassifier(callbacks=[Stop()], **SMALL), X, y, cv=2)


def test_a_checkpoint_is_of_its_samples_by_content(rows, tmp_path):
    X, y, weights = rows
    options = {**SMALL, "callbacks": [WriteCheckpoints(str(tmp_path), 1)]}
    MLPClassifier(**options).fit(X, y)
    for other_X, other_y, other_weights in (
        (X + 1e-9 * (np.arange(300) == 299)[:, None], y, None),
        (X, np.where(np.arange(300) == 7, 1 - y, y), None),
        (X[::-1], y[::-1], None),
        (X, y, weights),
    ):
        with pytest.raises(InputError, match="other training samples"):
            MLPClassifier(**options).fit(other_X, other_y, other_weights, resume=tmp_path)


def test_without_a_random_state_the_seed_is_the_checkpoints(rows, tmp_path):
    X, y, _ = rows
    options = {**SMALL, "random_state": None, "patience": 0, "validation_fraction": 0.2}

    class StopAfter(Callback):
        def on_epoch(self, run):
            if run.epoch == 20:
                raise KeyboardInterrupt

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        MLPClassifier(callbacks=[WriteCheckpoints(tmp_path, 1), StopAfter()], **options).fit(X, y)
    one, two = (MLPClassifier(**options).fit(X, y, resume=tmp_path) for _ in range(2))
    assert one.n_iter_ == 60
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))


@pytest.mark.parametrize("kind", [MLPClassifier, NN2Classifier, PerceptronClassifier])
def test_a_run_that_ended_by_itself_stays_ended(kind, tmp_path):
    X = np.random.default_rng(0).normal(size=(200, 2))
    y = (X[:, 0] > 0).astype(int)
    options = {"epochs": 500, "patience": 3, "tol": 0.05, "random_state": 0}
    if kind is PerceptronClassifier:
        options = {"epochs": 500, "random_state": 0}
    ended = kind(callbacks=[WriteCheckpoints(tmp_path, 1)], **options).fit(X, y)
    assert ended.n_iter_ < 500
    again = kind(**options).fit(X, y, resume=tmp_path)
    assert again.n_iter_ == ended.n_iter_
    np.testing.assert_array_equal(again.predict(X), ended.predict(X))


def test_a_run_goes_on_to_more_epochs(rows, tmp_path):
    X, y, _ = rows
    options = {**SMALL, "patience": 0, "schedule": "constant"}
    MLPClassifier(**{**options, "epochs": 10}, callbacks=[WriteCheckpoints(tmp_path, 3)]).fit(X, y)
    more = MLPClassifier(**{**options, "epochs": 25}).fit(X, y, resume=tmp_path)
    once = MLPClassifier(**{**options, "epochs": 25}).fit(X, y)
    assert more.n_iter_ == 25
    np.testing.assert_array_equal(more.predict_proba(X), once.predict_proba(X))
    with pytest.raises(InputError, match="10 epochs are trained already, which is more than 5"):
        MLPClassifier(**{**options, "epochs": 5}).fit(X, y, resume=tmp_path)


@pytest.mark.parametrize("trained", [8, 9, 10])
def test_the_mean_of_the_last_epochs_is_taken_or_refused_after_more_epochs(rows, tmp_path, trained):
    X, y, _ = rows
    options = {**SMALL, "patience": 0, "schedule": "constant", "average_epochs": 3}
    MLPClassifier(**{**options, "epochs": trained}, callbacks=[WriteCheckpoints(tmp_path, 1)]).fit(X, y)
    more = MLPClassifier(**{**options, "epochs": 12}).fit(X, y, resume=tmp_path)
    once = MLPClassifier(**{**options, "epochs": 12}).fit(X, y)
    np.testing.assert_allclose(more.predict_proba(X), once.predict_proba(X), rtol=1e-5)
    MLPClassifier(**{**options, "epochs": trained}, callbacks=[WriteCheckpoints(tmp_path, 1)]).fit(X, y)
    with pytest.raises(InputError, match=f"the mean of the last 3 needs {trained + 2} epochs"):
        MLPClassifier(**{**options, "epochs": trained + 1}).fit(X, y, resume=tmp_path)


def test_passes_after_a_fit_begin_the_schedule_anew(rows):
    X, y, _ = rows
    model = MLPClassifier(batch_size=300, patience=0, **{**SMALL, "epochs": 4}).fit(X, y)
    for call in range(1, 4):
        model.partial_fit(X, y)
        assert model.n_iter_ == 4 + call == len(model.history_["train_loss"])
    assert model.history_["learning_rate"][4] == model.history_["learning_rate"][0]


def test_a_gradient_whose_squares_overflow_is_clipped_and_not_dropped():
    X, y = np.full((20, 1), 1e6, np.float32), np.full(20, 1e15, np.float32)
    options = {"optimizer": "sgd", "schedule": "constant", "learning_rate": 1.0, "epochs": 1, "batch_size": 20}
    model = MLP((), output="identity", biases=False).initialize(1, seed=0)
    before = model.W[0].copy()
    with np.errstate(over="ignore"):
        assert np.isinf(np.square(X[0] * y[0]))
    fit(model, X, y, hyperparameters=Hyperparameters(clip_norm=0.5, **options))
    assert model.W[0] - before == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize("initialization", ["he", "linear"])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_held_out_rows_and_their_weights_do_not_touch_the_training(kind, initialization):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 5)), np.arange(100) % 2
    options = {"hidden_units": (16,), "epochs": 3, "patience": 0, "initialization": initialization, "random_state": 0}
    held_out = split_rows(100, 20, y if kind is MLPClassifier else None, np.random.RandomState(0))[1]
    changed, weights = X.copy(), np.ones(100)
    changed[held_out], weights[held_out] = 7, 1000
    before = kind(validation_fraction=0.2, **options).fit(X, y)
    after = kind(validation_fraction=0.2, **options).fit(changed, y, sample_weight=weights)
    assert before.history_["validation_loss"] != after.history_["validation_loss"], "these are the rows held out"
    np.testing.assert_allclose(after.history_["train_loss"], before.history_["train_loss"], rtol=1e-12)
    for now, then in zip(after.model_.W, before.model_.W, strict=True):
        np.testing.assert_allclose(now, then, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("initialization", ["he", "linear"])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_a_weight_is_a_number_of_repetitions_however_the_network_begins(kind, initialization):
    rng = np.random.default_rng(1)
    X, weights = rng.normal(size=(60, 6)), rng.integers(0, 4, 60)
    y = (X[:, 0] + rng.normal(size=60) > 0).astype(int)
    options = {"hidden_units": (16,), "initialization": initialization, "random_state": 0, "epochs": 20}
    weighted = kind(**options).fit(X, y, sample_weight=weights)
    repeated = kind(**options).fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    scores = (model._scores(X) for model in (weighted, repeated))
    np.testing.assert_allclose(*scores, rtol=1e-6, atol=1e-8)


class _StopsAt7(Callback):
    def on_epoch(self, run):
        if run.epoch == 7:
            raise StopTraining


@pytest.mark.parametrize(
    "changed",
    [
        {"activation": "tanh"},
        {"loss": "mse"},
        {"dropout": 0.5},
        {"l2": 0.5},
        {"initialization": "glorot"},
        {"hidden_units": (4,)},
        {"label_smoothing": 0.1},
        {"learning_rate": 0.1},
    ],
)
def test_a_checkpoint_of_other_parameters_is_refused(tmp_path, rows, changed):
    X, y, _ = rows
    options = {"hidden_units": (8,), "epochs": 30, "random_state": 0}
    MLPClassifier(callbacks=[WriteCheckpoints(tmp_path, 1), _StopsAt7()], **options).fit(X, y)
    with pytest.raises(InputError, match=f"{next(iter(changed))} is .* there, not"):
        MLPClassifier(**options | changed).fit(X, y, resume=tmp_path)


def test_a_file_keeps_every_parameter_and_the_passes(tmp_path, rows):
    X, y, _ = rows
    path = tmp_path / "m.safetensors"
    model = MLPClassifier(hidden_units=np.array([8, 4]), epochs=30, random_state=0)
    for _ in range(5):
        model.partial_fit(X, y, classes=[0, 1])
    model.save(path)
    loaded = load_estimator(path)
    assert tuple(loaded.hidden_units) == (8, 4) and loaded.n_iter_ == 5
    for one in (model, loaded):
        one.partial_fit(X, y)
    assert loaded.n_iter_ == model.n_iter_ == 6
    assert loaded.history_["learning_rate"] == model.history_["learning_rate"]
    of_labels = [{0: 1, 1: 3}, {0: 2, 1: 1}]
    MLPClassifier(class_weight=of_labels, epochs=2).fit(X, np.c_[y, 1 - y]).save(path)
    assert load_estimator(path).class_weight == of_labels


def test_what_fit_cannot_use_is_said_in_its_own_words(rows):
    X, y, _ = rows
    for wrong in ((X,), X):
        with pytest.raises(TypeError, match=r"validation_data must be \(X, y\)"):
            MLPClassifier(epochs=1).fit(X, y, validation_data=wrong)
    model = MLPClassifier(epochs=1, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="X has 1 features, but MLPClassifier is expecting 2 features"):
        model.fit(X[:, :1], y)


def test_labels_may_be_sparse(rows):
    X, y, _ = rows
    labels = np.c_[y, 1 - y]
    options = {"epochs": 2, "random_state": 0}
    dense, sparse = (MLPClassifier(**options).fit(X, of(labels)) for of in (np.asarray, scipy.sparse.csr_matrix))
    np.testing.assert_array_equal(dense.predict_proba(X), sparse.predict_proba(X))
