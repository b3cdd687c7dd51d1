import dataclasses
import io
import linecache
import math
import sys

import numpy as np
import pytest
from rich.console import Console

from mlcvkit import InputError
from mlcvkit.datasets import scale_images
from mlcvkit.training import (
    Callback,
    Epoch,
    Hyperparameters,
    ProgressBar,
    StopTraining,
    Training,
    accuracy,
    fit,
    kernels,
    loop,
    split_validation,
)
from mlcvkit.training.gradients import flatten
from mlcvkit.training.optimizers import OPTIMIZERS
from mlcvkit.training.schedules import SCHEDULES
from mlcvlab.models.nn2 import NN2
from numerical import Plain


def problem(N=300, K=10, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, K)).astype(np.float32)
    return X, (X[:, 0] + X[:, 1] > 0).astype(np.float32)


def trained(hp, **options):
    X, y = problem()
    model = NN2().initialize(10, 16, seed=1)
    return model, fit(model, X, y, hyperparameters=hp, metrics={"accuracy": accuracy}, **options)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns_and_the_models_weights_are_the_runs(optimizer):
    X, y = problem()
    model = NN2().initialize(10, 16, seed=1)
    rate = 0.1 if optimizer in ("sgd", "momentum", "nesterov") else 0.01
    hp = Hyperparameters(optimizer=optimizer, learning_rate=rate, epochs=30, batch_size=32)
    run = fit(model, X, y, hyperparameters=hp, metrics={"accuracy": accuracy})
    assert all(np.shares_memory(w, run.weights) for w in model.W) and run.weights.dtype == np.float32
    assert run.history["train_loss"][-1] < run.history["train_loss"][0]
    assert run.history["train_accuracy"][-1] > 0.9


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
    np.testing.assert_allclose(plain.W[0], model.W[0], rtol=1e-4, atol=1e-6)


class Recorder(Callback):
    def __init__(self):
        self.batches, self.epochs = [], []

    def on_batch(self, samples):
        self.batches.append(samples)

    def on_epoch(self, run):
        self.epochs.append((run.epoch, len(run.history["epoch"])))


def test_the_history_has_one_entry_an_epoch_and_the_callbacks_see_every_sample():
    X, y = problem()
    recorder = Recorder()
    _, run = trained(Hyperparameters(epochs=4, batch_size=64), validation=(X[:50], y[:50]), callbacks=[recorder])
    assert {name: len(values) for name, values in run.history.items()} == dict.fromkeys(
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
    assert recorder.batches == [64, 64, 64, 64, 44] * 4
    assert recorder.epochs == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert not run.interrupted


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


def test_validation_samples_are_taken_from_the_training_samples_once_each():
    train, validation = split_validation(20, 6, np.random.default_rng(0))
    assert len(validation) == 6
    assert sorted([*train, *validation]) == list(range(20))
    with pytest.raises(InputError, match="below the 20 training samples; got 20"):
        split_validation(20, 20, np.random.default_rng(0))


class CtrlC:
    """Comes at some line of what is done at the end of an epoch, where signals are handled."""

    def __init__(self, line):
        self.lines = line

    def __call__(self, frame, event, _):
        return self.at_line if frame.f_code is loop._end_epoch.__code__ else None

    def at_line(self, frame, event, _):
        if event == "line" and "run." not in linecache.getline(frame.f_code.co_filename, frame.f_lineno).split("=")[0]:
            self.lines -= 1
            if self.lines == 0:
                raise KeyboardInterrupt
        return self.at_line


@pytest.mark.parametrize("line", [*range(1, 40, 3), 60, 75, 90, 101])
@pytest.mark.parametrize("ends", [{"patience": 9}, {"average_epochs": 4}])
def test_an_epoch_is_recorded_whole_or_not_at_all_whenever_ctrl_c_comes(line, ends):
    X, y = problem()
    model, before = NN2().initialize(10, 16, seed=1), sys.gettrace()
    sys.settrace(CtrlC(line))
    try:
        hp = Hyperparameters(epochs=5, batch_size=32, **ends)
        run = fit(model, X, y, hyperparameters=hp, validation=(X, y), metrics={"accuracy": accuracy})
    finally:
        sys.settrace(before)
    assert run.interrupted == (run.epoch < 5)
    assert {len(values) for values in run.history.values()} == ({run.epoch} if run.epoch else set())
    assert (run.best is not None) == ("patience" in ends and run.epoch > 0)


@pytest.mark.parametrize(("event", "interrupted"), [(KeyboardInterrupt, True), (StopTraining, False)])
def test_ctrl_c_and_stop_training_end_the_training_and_keep_what_there_is(event, interrupted):
    class Stop(Callback):
        def on_epoch(self, run):
            if run.epoch == 2:
                raise event

    _, run = trained(Hyperparameters(epochs=10), callbacks=[Stop()])
    assert run.interrupted is interrupted
    assert run.history["epoch"] == [1, 2]


class Weights(Callback):
    """Keeps the weights after each epoch."""

    def __init__(self):
        self.weights = []

    def on_epoch(self, run):
        self.weights.append(run.weights.copy())


def test_early_stopping_restores_the_weights_of_the_lowest_validation_loss():
    X, y = problem()
    noise = np.random.default_rng(3).integers(2, size=len(y)).astype(np.float32)
    kept = Weights()
    hp = Hyperparameters(epochs=200, learning_rate=0.01, batch_size=32, patience=4, schedule="constant")
    _, run = trained(hp, validation=(X, noise), callbacks=[kept])
    losses = run.history["validation_loss"]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 4 < 200
    np.testing.assert_array_equal(run.weights, kept.weights[best])


def test_the_weights_of_the_last_epochs_are_averaged():
    kept = Weights()
    model, run = trained(Hyperparameters(epochs=6, average_epochs=3, schedule="constant"), callbacks=[kept])
    np.testing.assert_allclose(run.weights, np.mean(kept.weights[3:], axis=0), rtol=1e-5, atol=1e-7)
    assert np.shares_memory(model.W[0], run.weights)


def test_a_gradient_is_clipped_to_the_norm_and_a_short_one_is_left_alone():
    X, y = problem(N=32)
    hp = Hyperparameters(optimizer="sgd", learning_rate=1, schedule="constant", epochs=1, batch_size=32)
    start = flatten(NN2().initialize(10, 16, seed=1))

    def step_of(clip_norm):
        model = NN2().initialize(10, 16, seed=1)
        return fit(model, X, y, hyperparameters=dataclasses.replace(hp, clip_norm=clip_norm)).weights - start

    free = step_of(0)
    norm = float(np.linalg.norm(free))
    np.testing.assert_allclose(step_of(norm / 2), free / 2, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(step_of(norm * 2), free)


def test_weight_decay_adds_its_gradient_and_adamw_decays_beside_it():
    X, y = problem(N=32)
    hp = Hyperparameters(learning_rate=0.1, schedule="constant", epochs=1, batch_size=32)
    start = flatten(NN2().initialize(10, 16, seed=1))

    def after(optimizer, weight_decay):
        model = NN2().initialize(10, 16, seed=1)
        options = dataclasses.replace(hp, optimizer=optimizer, weight_decay=weight_decay)
        return fit(model, X, y, hyperparameters=options).weights

    np.testing.assert_allclose(after("sgd", 0.5), after("sgd", 0) - 0.1 * 0.5 * start, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(after("adamw", 0.5), after("adam", 0) - 0.1 * 0.5 * start, rtol=1e-5, atol=1e-6)


def test_bytes_are_trained_on_as_the_floats_they_stand_for():
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(200, 5, 4), dtype=np.uint8)
    y = (images.mean(axis=(1, 2)) > 127).astype(np.float32)
    hp = Hyperparameters(epochs=2, batch_size=32)
    a, b = (NN2().initialize(20, 8, seed=0) for _ in range(2))
    fit(a, images, y, hyperparameters=hp)
    fit(b, scale_images(images), y, hyperparameters=hp)
    np.testing.assert_allclose(a.W[0], b.W[0], rtol=1e-4, atol=1e-6)


def test_augmentation_and_patience_say_what_they_need():
    with pytest.raises(InputError, match=r"augmentation needs uint8 images, \(N, H, W\); got float32 of shape"):
        trained(Hyperparameters(shift=1))
    with pytest.raises(InputError, match="patience needs validation samples"):
        trained(Hyperparameters(patience=1))
    with pytest.raises(InputError, match="set one of them to 0"):
        Hyperparameters(patience=1, average_epochs=1)


def test_a_loss_that_explodes_stops_with_the_step_and_the_learning_rate():
    with pytest.raises(FloatingPointError, match=r"after step \d+ with learning_rate=1e\+30"):
        trained(Hyperparameters(optimizer="sgd", learning_rate=1e30, epochs=5))


@pytest.mark.parametrize("have_numba", [True, False])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_nan_in_one_sample_ends_the_training_with_a_word_about_it(monkeypatch, optimizer, have_numba):
    monkeypatch.setattr(kernels, "have_numba", lambda: have_numba)
    X, y = problem()
    X[200, 3] = np.nan
    hp = Hyperparameters(optimizer=optimizer, epochs=3, batch_size=32)
    with pytest.raises(FloatingPointError, match=r"_loss is nan after step .*look for NaN among the samples"):
        fit(NN2().initialize(10, 4, seed=0), X, y, samples=np.arange(1, 300), hyperparameters=hp)


def test_a_validation_loss_that_is_nan_is_said():
    X, y = problem()
    with pytest.raises(FloatingPointError, match="validation_loss is nan"):
        trained(Hyperparameters(epochs=4, patience=3), validation=(np.full_like(X[:5], np.nan), y[:5]))


def test_what_does_not_fit_is_refused_before_the_first_step():
    X, y = problem()
    model = NN2().initialize(10, 4, seed=0)
    before = [w.copy() for w in model.W]
    for arguments, options, words in [
        ((X, y[:-1]), {}, r"X \(300, 10\) and y \(299,\)"),
        ((X, np.stack([y, y], axis=1)), {}, "one column a sample"),
        ((X[:0], y[:0]), {}, "at least one"),
        ((X[:, :7], y), {}, r"K = 10; got x \(7, 1\)"),
        ((np.hstack([X, X]), y), {}, r"K = 10; got x \(20, 1\)"),
        ((X, y), {"validation": (X[:9], y[:8])}, r"validation X .* got X \(9, 10\) and y \(8,\)"),
        ((X, y), {"samples": np.array([0, 300])}, "from 0 to 299, .* got int64 .* 0 to 300"),
        ((X, y), {"samples": np.array([-1, 3])}, "from 0 to 299"),
        ((X, y), {"samples": np.array([], int)}, "at least one"),
        ((X, y), {"samples": y > 0.5}, "got bool"),
    ]:
        with pytest.raises(ValueError, match=words):
            fit(model, *arguments, **options)
    with pytest.raises(ValueError, match="no weights to start from"):
        fit(NN2(), X, y)
    with pytest.raises(ValueError, match="weights must be float32 or float64; got float16"):
        fit(NN2().initialize(10, 4, dtype=np.float16), X, y)
    assert all((a == b).all() for a, b in zip(model.W, before, strict=True))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4", "longdouble", "int16", "bool"])
def test_samples_may_be_of_any_kind_of_number(dtype):
    X, y = problem()
    X = X.round().astype(dtype)
    a, b = (NN2().initialize(10, 8, seed=0) for _ in range(2))
    hp = Hyperparameters(epochs=2, batch_size=32)
    fit(a, X, y.astype(bool), hyperparameters=hp)
    fit(b, X.astype(np.float32), y, hyperparameters=hp)
    np.testing.assert_allclose(a.W[0], b.W[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("augmented", [{}, {"shift": 1, "elastic": 0.5}])
def test_without_numba_the_weights_are_the_same_to_rounding(monkeypatch, augmented):
    images = np.random.default_rng(0).integers(256, size=(200, 5, 4), dtype=np.uint8)
    images[:, :2] = 0
    images[100:] = 0  # with batches that are zero throughout
    y = (images[:, 3, 1] > 60).astype(np.float32)
    hp = Hyperparameters(epochs=2, batch_size=2, **augmented)
    with_numba, without = (NN2().initialize(20, 8, seed=0) for _ in range(2))
    fit(with_numba, images, y, hyperparameters=hp)
    monkeypatch.setattr(kernels, "have_numba", lambda: False)
    fit(without, images, y, hyperparameters=hp)
    np.testing.assert_allclose(with_numba.W[0], without.W[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, 0) for name in ("batch_size", "epochs", "learning_rate", "epsilon")],
        *[
            (name, -1)
            for name in (
                "validation_samples",
                "l2",
                "weight_decay",
                "clip_norm",
                "patience",
                "average_epochs",
                "shift",
                "rotation",
                "elastic",
            )
        ],
        *[("warm_up", 1.0), ("scale", 1.0), ("average_epochs", 16)],
        *[("learning_rate", value) for value in (-0.1, math.nan, math.inf)],
        *[(name, value) for name in ("momentum", "beta1", "beta2") for value in (-0.1, 1.0)],
        *[(name, "other") for name in ("loss", "optimizer", "schedule", "activation")],
        ("seed", -1),
    ],
)
def test_a_hyperparameter_out_of_its_range_is_named(name, value):
    with pytest.raises(InputError, match=rf"^{name} must be .*; got {value!r}$"):
        Hyperparameters(**{name: value})


def test_a_training_that_is_asked_step_by_step_is_the_one_that_runs_through():
    """Whoever calls next may pause, look, and go on; the weights are those of ``fit``, bit for bit."""
    X, y = problem()
    hp = Hyperparameters(epochs=3, batch_size=32, average_epochs=2)
    one, other = (NN2().initialize(10, 4, seed=0) for _ in range(2))
    run = fit(one, X, y, hyperparameters=hp)
    training, seen = Training(other, X, y, hyperparameters=hp), []
    for event in training:
        seen.append(type(event).__name__)
        if isinstance(event, Epoch):
            assert event.record["train_loss"] == training.run.history["train_loss"][-1]
        assert all(np.shares_memory(w, training.run.weights) for w in other.W)
    steps = -(-len(X) // 32)
    assert seen == [*["Step"] * steps, "Epoch"] * 3
    assert next(training, None) is None
    training.choose_weights()
    assert all(np.array_equal(a, b) for a, b in zip(one.W, other.W, strict=True))
    for name in ("epoch", "learning_rate", "train_loss"):
        assert training.run.history[name] == run.history[name]


def test_an_unmeasured_training_takes_the_same_steps():
    X, y = problem()
    hp = Hyperparameters(epochs=2, batch_size=32)
    one, other = (NN2().initialize(10, 4, seed=0) for _ in range(2))
    fit(one, X, y, hyperparameters=hp)
    *_, last = Training(other, X, y, hyperparameters=hp, measured=False)
    assert last.record.keys() == {"epoch", "learning_rate", "samples_per_second"}
    assert all(np.array_equal(a, b) for a, b in zip(one.W, other.W, strict=True))


def test_control_c_while_the_bar_begins_is_no_other_error(monkeypatch):
    def interrupted(hook):
        raise KeyboardInterrupt

    console = Console(file=io.StringIO(), force_terminal=True)
    monkeypatch.setattr(console, "push_render_hook", interrupted)
    model = NN2().initialize(4, 3, seed=0)
    X, y = np.ones((8, 4), np.float32), np.ones(8, np.float32)
    hp = Hyperparameters(hidden_units=(3,), epochs=1)
    assert fit(model, X, y, hyperparameters=hp, callbacks=[ProgressBar(console)]).interrupted
    assert console.file.getvalue().endswith("\x1b[?25h"), "the cursor is shown again"
