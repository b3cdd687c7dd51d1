"""Estimators on samples that lie in shards, in this process."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris

from mlcvkit import InputError
from mlcvkit.cluster import ShardedSamples, array_shards, find_shards, train_on_shards
from mlcvkit.estimators import MLPClassifier, MLPRegressor, NN2Classifier, PerceptronClassifier, load_estimator
from mlcvkit.experiments import Experiment, train
from mlcvkit.training import Hyperparameters


def iris(two=False):
    data = load_iris()
    rows = np.random.default_rng(0).permutation(np.flatnonzero(data.target != 0) if two else np.arange(150))
    X = data.data[rows]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return X, np.asarray(data.target_names)[data.target[rows]]


def sharded(X, y, shards=3):
    return ShardedSamples(array_shards(X, y, shards))


@pytest.mark.parametrize("local_steps", [0, 20])
@pytest.mark.parametrize("kind", [MLPClassifier, NN2Classifier, PerceptronClassifier])
def test_classifiers_learn_named_classes_on_shards_as_they_do_here(tmp_path, kind, local_steps):
    X, y = iris(two=kind is NN2Classifier)
    data = sharded(X, y)
    spread = kind(random_state=0, epochs=150, patience=0, local_steps=local_steps).fit(data.X, data.y)
    here = kind(random_state=0, epochs=150, patience=0).fit(X, y)
    assert spread.classes_.tolist() == here.classes_.tolist()
    assert spread.n_features_in_ == 4
    assert spread.score(X, y) > 0.93
    assert (spread.predict(X) == here.predict(X)).mean() > 0.9
    if kind is not PerceptronClassifier:
        spread.save(tmp_path / "m.safetensors")
        np.testing.assert_array_equal(load_estimator(tmp_path / "m.safetensors").predict(X), spread.predict(X))


def test_numbers_are_scaled_where_they_lie():
    X, y = load_diabetes(return_X_y=True)
    X = X / X.std(axis=0)
    data = sharded(X, 1e4 * y, 4)
    model = MLPRegressor(hidden_units=(16,), random_state=0).fit(data.X, data.y)
    assert model.score(X, 1e4 * y) > 0.45
    assert model.target_mean_ == pytest.approx([1e4 * y.mean()])


def test_validation_data_stop_the_training():
    X, y = iris()
    data = sharded(X[:100], y[:100])
    model = MLPClassifier(random_state=0, learning_rate=0.05, epochs=500, patience=5, local_steps=10)
    model.fit(data.X, data.y, validation_data=(X[100:], y[100:]))
    assert model.n_iter_ < 500
    assert min(model.history_["validation_loss"]) == model.history_["validation_loss"][-6]


def test_what_cannot_be_done_on_shards_is_refused():
    X, y = iris()
    data = sharded(X, y)
    for options in ({"class_weight": "balanced"}, {"validation_fraction": 0.2}):
        with pytest.raises(ValueError, match="on a cluster"):
            MLPClassifier(**options).fit(data.X, data.y)
    with pytest.raises(ValueError, match="on a cluster"):
        MLPClassifier().fit(data.X, data.y, sample_weight=np.ones(150))
    with pytest.raises(ValueError, match="lie where their samples do"):
        MLPClassifier().fit(data.X, y)


def test_from_raw_shards_to_answers_as_from_the_whole_table(tmp_path, table):
    """Held-out rows are never trained on: targets that only they have right would be learned otherwise."""
    table.write_parquet(tmp_path / "t.parquet")
    hp = Hyperparameters(hidden_units=(16,), epochs=80, learning_rate=0.01, patience=20, validation_samples=40)
    experiment = Experiment(data=str(tmp_path / "t.parquet"), target="kind", hyperparameters=hp)
    trained = train_on_shards(experiment, find_shards(tmp_path / "t.parquet", "kind", shards=5))
    test_X, test_y = trained.test
    assert len(test_y) == 60
    assert trained.predictor.measure(test_X, test_y)["accuracy"] > 0.9
    complete = train(experiment)
    assert complete.predictor.measure(*complete.test)["accuracy"] > 0.9
    assert list(trained.predictor.encoder.columns_) == list(complete.predictor.encoder.columns_)


def test_rows_to_test_and_to_stop_by_are_apart_from_those_trained_on():
    from mlcvkit.cluster.training import PreparedShard, _Plan
    from mlcvkit.datasets import TableEncoder

    X, y = np.arange(2000.0).reshape(1000, 2), np.arange(1000) % 2
    hp = Hyperparameters(patience=3, validation_samples=100, seed=4)
    plan = _Plan.make(1000, 0.2, hp)
    parts = []
    for index, shard in enumerate(array_shards(X, y, 4)):
        encoder = TableEncoder().fit(X)
        kept, _ = PreparedShard(shard, index, plan, encoder, y.dtype).load()
        test, validation, looked_at, others = plan.split(250, index)
        assert (len(test), len(validation), len(kept)) == (50, 25, 175)
        assert set(looked_at) <= set(others)
        assert not set(test) & set(validation) and not (set(test) | set(validation)) & set(others)
        np.testing.assert_allclose(kept, encoder.transform(shard.X[others]))
        parts.append(tuple(test))
    assert len(set(parts)) == 4


def test_large_data_hold_out_ten_thousand_rows_and_no_more():
    from mlcvkit.cluster.training import _Plan

    plan = _Plan.make(10_000_000, 0.2, Hyperparameters(patience=3, validation_samples=50_000))
    test, validation, looked_at, _ = plan.split(1_000_000, 0)
    assert (len(test), len(validation), len(looked_at)) == (1000, 1000, 5000)


def test_tables_that_differ_are_refused(tmp_path, table):
    table.write_parquet(tmp_path / "1.parquet")
    table.rename({"width": "breadth"}).write_parquet(tmp_path / "2.parquet")
    with pytest.raises(InputError, match="same columns"):
        experiment = Experiment(data="t", target="kind", hyperparameters=Hyperparameters(epochs=2))
        train_on_shards(experiment, find_shards(tmp_path, "kind"))
