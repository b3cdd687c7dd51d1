import dataclasses
import math

import autograd.misc.optimizers
import numpy as np
import pytest

from mlcvkit import InputError
from mlcvkit.training import (
    OPTIMIZERS,
    SCHEDULES,
    Adam,
    Hyperparameters,
    Momentum,
    accuracy,
    cosine,
    fit,
    split_validation,
)
from mlcvlab.models.nn2 import NN2
from mlcvlab.optim.adam import Adam as handout_adam
from numerical import Plain


def problem(N=300, K=10, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, K)).astype(np.float32)
    return X, (X[:, 0] + X[:, 1] > 0).astype(np.float32)


def trained(hp, **options):
    X, y = problem()
    model = NN2().initialize(10, 16, seed=1)
    return model, fit(model, X, y, hyperparameters=hp, metrics={"accuracy": accuracy}, **options)


def test_adam_in_place_takes_the_same_steps_as_the_handouts_adam_without_look_ahead():
    X, y = problem()
    ours, theirs = (NN2().initialize(10, 16, seed=1, dtype=np.float64) for _ in range(2))
    adam, state = Adam(), None
    state = adam.start(ours.W)
    for _ in range(100):
        adam.update(ours.W, ours.emp_loss_grad(X.T, y[None]), state, 0.01)
    handout_adam(theirs, X.T, y[None], alpha=0.01, R=100, lookahead=False)
    for a, b in zip(ours.W, theirs.W, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_momentum_takes_the_steps_of_its_formula():
    W, momentum = [np.array([1.0, -2.0])], Momentum(0.5)
    state = momentum.start(W)
    w, v = [1.0, -2.0], [0.0, 0.0]
    for _ in range(5):
        momentum.update(W, [3 * W[0]], state, 0.1)
        v = [0.5 * v_i + 3 * w_i for v_i, w_i in zip(v, w, strict=True)]
        w = [w_i - 0.1 * v_i for v_i, w_i in zip(v, w, strict=True)]
    np.testing.assert_allclose(W[0], w, rtol=1e-12)


def test_adam_agrees_with_an_independent_library():
    # autograd's Adam adds epsilon to the corrected root too
    start, target = np.array([1.0, -3.0, 0.5]), np.array([0.2, 0.1, -4.0])
    theirs = autograd.misc.optimizers.adam(lambda w, i: w - target, start, num_iters=40, step_size=0.05)
    W, adam = [start.copy()], Adam()
    state = adam.start(W)
    for _ in range(40):
        adam.update(W, [W[0] - target], state, 0.05)
    np.testing.assert_allclose(W[0], theirs, rtol=1e-10)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_weights_are_updated_in_place_and_learn(optimizer):
    X, y = problem()
    model = NN2().initialize(10, 16, seed=1)
    W1, w2 = model.W
    rate = {"adam": 0.01, "sgd": 0.1}[optimizer]
    hp = Hyperparameters(optimizer=optimizer, learning_rate=rate, epochs=20, batch_size=32)
    history = fit(model, X, y, hyperparameters=hp, metrics={"accuracy": accuracy}).history
    assert model.W[0] is W1 and model.W[1] is w2 and W1.dtype == np.float32
    assert history["train_loss"][-1] < history["train_loss"][0]
    assert history["train_accuracy"][-1] > 0.95


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_same_seed_gives_the_same_weights_bit_for_bit(schedule):
    hp = Hyperparameters(epochs=3, batch_size=32, schedule=schedule)
    a, b, c = (trained(dataclasses.replace(hp, seed=seed))[0] for seed in (0, 0, 1))
    assert all((x == y).all() for x, y in zip(a.W, b.W, strict=True))
    assert not (a.W[0] == c.W[0]).all()


def test_every_model_with_the_protocol_can_be_trained():
    X, y = problem()
    hp = Hyperparameters(epochs=3)
    plain, model = Plain(NN2().initialize(10, 16, seed=1)), NN2().initialize(10, 16, seed=1)
    fit(plain, X, y, hyperparameters=hp)
    fit(model, X, y, hyperparameters=hp)
    np.testing.assert_array_equal(plain.W[0], model.W[0])


def test_the_history_has_one_entry_an_epoch_and_the_callbacks_see_every_sample():
    X, y = problem()
    seen, epochs = [], []
    _, fitted = trained(
        Hyperparameters(epochs=4, batch_size=64),
        validation=(X[:50], y[:50]),
        on_batch=seen.append,
        on_epoch=lambda history: epochs.append(len(history["epoch"])),
    )
    assert {name: len(values) for name, values in fitted.history.items()} == dict.fromkeys(
        [
            "epoch",
            "learning_rate",
            "samples_per_second",
            "train_loss",
            "train_accuracy",
            "validation_loss",
            "validation_accuracy",
        ],
        4,
    )
    assert seen == [64, 64, 64, 64, 44] * 4
    assert epochs == [1, 2, 3, 4]
    assert not fitted.interrupted


def test_each_epoch_visits_every_sample_once_in_another_order():
    batches = []

    class Recording(NN2):
        def emp_loss_grad(self, train_X, train_y, W=None, layer=None):
            batches.append(train_X[0].copy())
            return super().emp_loss_grad(train_X, train_y, W, layer)

    X = np.arange(10, dtype=np.float32)[:, None]
    fit(
        Recording().initialize(1, 2, seed=0),
        X,
        np.zeros(10, np.float32),
        hyperparameters=Hyperparameters(epochs=2, batch_size=4),
    )
    first, second = np.concatenate(batches[:3]), np.concatenate(batches[3:])
    assert sorted(first) == sorted(second) == list(range(10))
    assert first.tolist() != second.tolist()


def test_the_cosine_falls_from_1_to_0():
    assert [cosine(p) for p in (0, 0.5, 1)] == pytest.approx([1, 0.5, 0])


def test_validation_samples_are_taken_from_the_training_samples_once_each():
    X = np.arange(20.0)[:, None]
    train_X, train_y, validation_X, validation_y = split_validation(X, X[:, 0], 6, np.random.default_rng(0))
    assert len(validation_X) == 6
    assert sorted([*train_y, *validation_y]) == list(range(20))
    np.testing.assert_array_equal(train_X[:, 0], train_y)
    with pytest.raises(InputError, match="below the 20 training samples; got 20"):
        split_validation(X, X[:, 0], 20, np.random.default_rng(0))


def test_ctrl_c_ends_the_training_and_keeps_what_there_is():
    def stop(history):
        if len(history["epoch"]) == 2:
            raise KeyboardInterrupt

    _, fitted = trained(Hyperparameters(epochs=10), on_epoch=stop)
    assert fitted.interrupted
    assert fitted.history["epoch"] == [1, 2]


def test_a_loss_that_explodes_stops_with_the_step_and_the_learning_rate():
    with pytest.raises(FloatingPointError, match=r"after step \d+ with learning_rate=1e\+30"):
        trained(Hyperparameters(optimizer="sgd", learning_rate=1e30, epochs=5))


def test_lengths_that_differ_are_named():
    X, y = problem()
    with pytest.raises(ValueError, match=r"X \(300, 10\) and y \(299,\)"):
        fit(NN2().initialize(10, 4), X, y[:-1])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[
            (name, 0)
            for name in ("hidden_units", "batch_size", "epochs", "validation_samples", "learning_rate", "epsilon")
        ],
        *[("learning_rate", value) for value in (-0.1, math.nan, math.inf)],
        *[(name, value) for name in ("momentum", "beta1", "beta2") for value in (-0.1, 1.0)],
        *[(name, "other") for name in ("loss", "optimizer", "schedule")],
        ("seed", -1),
    ],
)
def test_a_hyperparameter_out_of_its_range_is_named(name, value):
    with pytest.raises(InputError, match=rf"^{name} must be .*; got {value!r}$"):
        Hyperparameters(**{name: value})
