"""The risk over shards, in this process: it is the model's own, however the samples are cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcvkit import InputError
from mlcvkit.cluster import ShardedModel, ShardedSamples, array_shards, find_shards, placement
from mlcvkit.datasets import float_rows
from mlcvkit.models import MLP
from mlcvkit.training import Hyperparameters, fit
from mlcvkit.training.optimizers import OPTIMIZERS
from mlcvlab.models.nn2 import NN2
from mlcvlab.optim.adam import Adam

MODELS = {
    "nn2": lambda: NN2().initialize(5, 4, seed=1, dtype=np.float64),
    "nn2 with l2": lambda: NN2(loss="l2").initialize(5, 4, seed=1, dtype=np.float64),
    "mlp with a penalty": lambda: MLP((4, 3), l2=0.1).initialize(5, seed=1, dtype=np.float64),
    "softmax": lambda: MLP((4,), output="softmax").initialize(5, 3, seed=1, dtype=np.float64),
    "numbers": lambda: MLP((4,), output="identity").initialize(5, 2, seed=1, dtype=np.float64),
}


def samples_for(name, N=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, 5))
    if name == "softmax":
        return X, np.eye(3)[rng.integers(0, 3, N)]
    return X, rng.normal(size=(N, 2)) if name == "numbers" else rng.integers(0, 2, N).astype(float)


def columns(y):
    return y[None] if y.ndim == 1 else y.T


@pytest.mark.parametrize("name", MODELS)
@given(shards=st.integers(1, 60))
@settings(max_examples=15, deadline=None)
def test_loss_and_gradient_are_those_of_the_model_on_all_samples(name, shards):
    X, y = samples_for(name)
    plain, data = MODELS[name](), ShardedSamples(array_shards(X, y, shards))
    model = ShardedModel(MODELS[name]())
    assert model.emp_loss(data.X.T, columns(data.y)) == pytest.approx(plain.emp_loss(X.T, columns(y)), rel=1e-12)
    for got, expected in zip(
        model.emp_loss_grad(data.X.T, columns(data.y)), plain.emp_loss_grad(X.T, columns(y)), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-14)


def test_one_shard_is_the_model_itself_to_the_last_bit():
    X, y = samples_for("nn2")
    plain, data = MODELS["nn2"](), ShardedSamples(array_shards(X, y, 1))
    for got, expected in zip(
        ShardedModel(plain).emp_loss_grad(data.X.T, data.y[None]), plain.emp_loss_grad(X.T, y[None]), strict=True
    ):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("block", [4096, 50])
def test_images_stay_bytes_and_mapped_files_stay_files(tmp_path, images, block, monkeypatch):
    monkeypatch.setattr(placement, "BLOCK_SAMPLES", block)
    X, y = images
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", (y > 1).astype(np.uint8))
    model = NN2().initialize(36, 8, seed=0)
    expected = model.emp_loss_grad(float_rows(X).T, (y > 1)[None])
    for data in (
        ShardedSamples(array_shards(X, (y > 1).astype(np.uint8), 3)),
        ShardedSamples(find_shards(tmp_path / "X.npy", tmp_path / "y.npy", shards=3)),
    ):
        assert (data.X.shape, data.X.dtype) == ((400, 36), np.float32)
        for got, wanted in zip(ShardedModel(model).emp_loss_grad(data.X.T, data.y[None]), expected, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-7)
        loss = ShardedModel(model).emp_loss(data.X.T, data.y[None])
        assert loss == pytest.approx(model.emp_loss(float_rows(X).T, (y > 1)[None]), rel=1e-6)


def test_a_layer_alone_and_arrays_that_are_here():
    X, y = samples_for("nn2")
    model, data = ShardedModel(MODELS["nn2"]()), ShardedSamples(array_shards(X, y, 4))
    both = model.emp_loss_grad(data.X.T, data.y[None])
    np.testing.assert_array_equal(model.emp_loss_grad(data.X.T, data.y[None], None, 1), both[1])
    assert model.emp_loss(X.T, y[None]) == MODELS["nn2"]().emp_loss(X.T, y[None])
    with pytest.raises(ValueError, match="layers 0 to 1"):
        model.emp_loss_grad(data.X.T, data.y[None], None, 2)


@pytest.mark.parametrize("lookahead", [False, True])
def test_the_handouts_adam_runs_unchanged_with_one_round_a_step_or_two(lookahead):
    X, y = samples_for("nn2")
    plain, sharded = MODELS["nn2"](), ShardedModel(MODELS["nn2"]())
    data = ShardedSamples(array_shards(X, y, 7))
    expected = Adam(plain, X.T, y[None], R=30, lookahead=lookahead)
    got = Adam(sharded, data.X.T, data.y[None], R=30, lookahead=lookahead)
    for mine, its in zip(got, expected, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-7, atol=1e-9)
    assert sharded.rounds == 1 + 30 * (2 if lookahead else 1) - lookahead  # the first look ahead is at m = 0
    for mine, its in zip(sharded.W, got, strict=True):
        np.testing.assert_array_equal(mine, its)


def test_a_loss_that_is_asked_for_after_the_gradient_is_not_taken_from_it():
    X, y = samples_for("nn2")
    model, data = ShardedModel(MODELS["nn2"]()), ShardedSamples(array_shards(X, y, 4))
    model.emp_loss_grad(data.X.T, data.y[None])
    assert model.emp_loss(data.X.T, data.y[None]) == pytest.approx(model.emp_loss(X.T, y[None]), rel=1e-12)


def test_a_round_starts_only_for_weights_that_changed():
    X, y = samples_for("nn2")
    model, data = ShardedModel(MODELS["nn2"]()), ShardedSamples(array_shards(X, y, 4))
    W = [w.copy() for w in model.W]
    for _ in range(3):
        model.emp_loss(data.X.T, data.y[None], W)
        model.emp_loss_grad(data.X.T, data.y[None], W)
    assert model.rounds == 1
    first = model.emp_loss_grad(data.X.T, data.y[None], W)
    W[0][0, 0] += 1e-3  # in place, as the engine does
    assert not np.array_equal(model.emp_loss_grad(data.X.T, data.y[None], W)[0], first[0])
    assert model.rounds == 2
    first[0][:] = 0  # what was given away is not what is remembered
    assert model.emp_loss_grad(data.X.T, data.y[None], W)[0].any()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_of_the_engine_takes_the_exact_gradient(optimizer):
    X, y = samples_for("nn2")
    hp = Hyperparameters(
        optimizer=optimizer, epochs=12, batch_size=60, learning_rate=0.01, local_steps=0, weight_decay=0.01
    )
    plain, spread = MODELS["nn2"](), MODELS["nn2"]()
    run = fit(plain, X, y, hyperparameters=hp)
    data = ShardedSamples(array_shards(X, y, 6))
    its = fit(spread, data.X, data.y, hyperparameters=hp)
    for got, expected in zip(spread.W, plain.W, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-9)
    assert its.samples == 60
    assert its.history["train_loss"] == pytest.approx(run.history["train_loss"], rel=1e-7)


def test_rows_are_brought_here_in_the_order_asked_for():
    X, y = samples_for("numbers")
    data = ShardedSamples(array_shards(X, y, 7))
    rows = np.array([59, 0, 3, 3, 20, 8])
    np.testing.assert_array_equal(data.X[rows], X[rows])
    np.testing.assert_array_equal(data.y[rows], y[rows])
    np.testing.assert_array_equal(data.X[5:25:3], X[5:25:3])
    assert data.X[:0].shape == (0, 5)
    for wrong in ([60], [-1, 3]):
        with pytest.raises(IndexError, match="rows are from 0 to 59"):
            data.X[wrong]


def test_they_are_never_brought_here_whole_by_mistake():
    data = ShardedSamples(array_shards(*samples_for("nn2"), 3))
    with pytest.raises(TypeError, match="brings some of them"):
        np.asarray(data.X)


def test_targets_become_what_a_function_makes_of_them_where_they_lie():
    X, y = samples_for("nn2")
    data = ShardedSamples(array_shards(X, np.where(y > 0, "yes", "no"), 4))
    assert data.y.distinct().tolist() == ["no", "yes"]
    model = ShardedModel(MODELS["nn2"]())
    assert model.emp_loss(data.X.T, data.y.map(is_yes)[None]) == pytest.approx(model.emp_loss(X.T, y[None]))


def is_yes(y):
    return (y == "yes").astype(float)


def test_targets_that_are_no_classes_are_not_listed():
    y = np.arange(30_000.0)
    with pytest.raises(InputError, match=r"more than 10,000"):
        ShardedSamples(array_shards(y[:, None], y, 2)).y.distinct()


def test_what_does_not_fit_is_refused():
    X, y = samples_for("nn2")
    data = ShardedSamples(array_shards(X, y, 4))
    other = ShardedSamples(array_shards(X, y, 4))
    model = ShardedModel(MODELS["nn2"]())
    for wrong_X, wrong_y in ((data.X, data.y), (data.X.T, y[None]), (data.X.T, other.y[None]), (data.y[None], data.y)):
        with pytest.raises(ValueError, match="as columns"):
            model.emp_loss_grad(wrong_X, wrong_y)
    narrow = array_shards(X, y, 2) + array_shards(X[:, :4], y, 1)
    with pytest.raises(InputError, match="do not fit each other"):
        ShardedSamples(narrow)
    with pytest.raises(InputError, match="encode the table first"):
        ShardedSamples(array_shards(np.array([["a"], ["b"]]), np.zeros(2), 1))
    hp = Hyperparameters(local_steps=0, dropout=0.5)
    with pytest.raises(InputError, match="no dropout"):
        fit(MLP((4,), dropout=0.5).initialize(5, seed=0), data.X, data.y, hyperparameters=hp)
    with pytest.raises(ValueError, match="sample_weight"):
        fit(MODELS["nn2"](), data.X, data.y, sample_weight=np.ones(60))
    with pytest.raises(ValueError, match="samples must be the columns"):
        fit(NN2().initialize(6, 4, seed=0), data.X, data.y)
