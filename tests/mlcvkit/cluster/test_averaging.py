"""Local steps with averaging, in this process."""

import numpy as np
import pytest

from mlcvkit.cluster import ShardedSamples, array_shards
from mlcvkit.datasets import mnist_parity
from mlcvkit.models import MLP
from mlcvkit.training import Hyperparameters, WriteCheckpoints, accuracy, fit
from mlcvkit.training.checkpoints import Checkpoint
from mlcvlab.models.nn2 import NN2


def samples(N=50, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, 5))
    return X, (X[:, 0] + X[:, 1] > 0).astype(float)


def averaged_by_hand(W, parts, rounds, steps, rate, momentum):
    """Momentum on each part's whole gradient, then means of weights and velocities by the number of samples."""
    model = NN2()
    N = sum(len(y) for _, y in parts)
    v = [np.zeros_like(w) for w in W]
    for _ in range(rounds):
        mean_W, mean_v = [0 * w for w in W], [0 * w for w in W]
        for X, y in parts:
            own_W, own_v = [w.copy() for w in W], [u.copy() for u in v]
            for _ in range(steps):
                gradient = model.emp_loss_grad(X.T, y[None], own_W)
                own_v = [momentum * u + g for u, g in zip(own_v, gradient, strict=True)]
                own_W = [w - rate * u for w, u in zip(own_W, own_v, strict=True)]
            mean_W = [m + len(y) / N * w for m, w in zip(mean_W, own_W, strict=True)]
            mean_v = [m + len(y) / N * u for m, u in zip(mean_v, own_v, strict=True)]
        W, v = mean_W, mean_v
    return W


def test_a_round_is_the_mean_of_local_steps_weighted_by_the_samples():
    X, y = samples()
    model = NN2().initialize(5, 4, seed=1, dtype=np.float64)
    start = [w.copy() for w in model.W]
    shards = array_shards(X[:20], y[:20], 1) + array_shards(X[20:], y[20:], 1)
    data = ShardedSamples(shards)
    # a batch holds a whole shard, so that an epoch is a pass over the shards of one round of a step
    hp = Hyperparameters(
        optimizer="momentum", learning_rate=0.1, schedule="constant", epochs=6, batch_size=100, local_steps=1
    )
    fit(model, data.X, data.y, hyperparameters=hp)
    expected = averaged_by_hand(start, [(X[:20], y[:20]), (X[20:], y[20:])], 6, 1, 0.1, 0.9)
    for got, wanted in zip(model.W, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-10)


def test_several_local_steps_lie_between_two_rounds():
    X, y = samples(128)
    model = NN2().initialize(5, 4, seed=1, dtype=np.float64)
    start = [w.copy() for w in model.W]
    parts = [(X[:64], y[:64]), (X[64:], y[64:])]
    data = ShardedSamples([shard for part in parts for shard in array_shards(*part, 1)])
    hp = Hyperparameters(
        optimizer="sgd", learning_rate=0.1, schedule="constant", epochs=2, batch_size=64, local_steps=2
    )
    seen = []
    for X_part, y_part in parts:  # the mini-batches of 32 that the shards draw, by the record of a model
        seen.append(recorded(X_part, y_part, hp, len(seen)))
    fit(model, data.X, data.y, hyperparameters=hp)
    expected = start
    plain = NN2()
    for epoch in range(2):
        ends = []
        for batches in seen:
            W = [w.copy() for w in expected]
            for x, targets in batches[2 * epoch : 2 * epoch + 2]:
                W = [w - 0.1 * g for w, g in zip(W, plain.emp_loss_grad(x, targets, W), strict=True)]
            ends.append(W)
        expected = [np.mean(each, axis=0) for each in zip(*ends, strict=True)]
    for got, wanted in zip(model.W, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-10)


def recorded(X, y, hp, index):
    """The mini-batches of a shard, which go through its samples in shuffled passes."""
    from dataclasses import replace

    from mlcvkit.cluster.steps import _seed
    from mlcvkit.training.batches import Batches

    batches = Batches(X, y, 32, seed=_seed(replace(hp).seed, index))
    kept = [(b.x.T.copy(), b.y[None].copy()) for epoch in range(2) for b in batches.epoch(epoch)]
    for first in (0, 2):
        rows = np.concatenate([x.T for x, _ in kept[first : first + 2]])
        np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(X, axis=0))
    return kept


def test_each_pass_over_a_shard_takes_each_sample_once(monkeypatch):
    """Also where the rounds do not end with the passes, and the shards are of different sizes."""
    from mlcvkit.training import steps as training_steps

    taken = []
    plain = training_steps.gradient_of

    def watched(model, batch_size, **options):
        gradient = plain(model, batch_size, **options)

        class Watched:
            takes_packed = False

            def __call__(self, w, batch):
                taken.extend(batch.x[:, 0].tolist())
                return gradient(w, batch)

        return Watched()

    monkeypatch.setattr(training_steps, "gradient_of", watched)
    X, y = samples(40 * 3 + 70 * 3)
    data = ShardedSamples(array_shards(X[:120], y[:120], 1) + array_shards(X[120:], y[120:], 1))
    fit(MLP((3,)).initialize(5, seed=0), data.X, data.y, hyperparameters=Hyperparameters(epochs=7, local_steps=2))
    counts = np.array([taken.count(value) for value in X[:, 0]])
    for part in (counts[:120], counts[120:]):
        assert np.ptp(part) <= 1
    assert len(taken) == pytest.approx(7 * len(X), rel=0.2)


@pytest.mark.parametrize("optimizer", ["momentum", "adam", "adamw", "handout_adam"])
def test_every_state_is_averaged_and_the_number_of_steps_stays_whole(optimizer):
    X, y = samples(600)
    data = ShardedSamples(array_shards(X, y, 3))
    hp = Hyperparameters(optimizer=optimizer, learning_rate=0.01, epochs=4, local_steps=3, batch_size=96)
    run = fit(MLP((8,)).initialize(5, seed=0), data.X, data.y, hyperparameters=hp)
    if "adam" in optimizer:
        assert run.state.steps.tolist() == [4 * 2 * 4]  # 200 / 32 batches: two rounds of four steps an epoch
    assert run.history["train_loss"][-1] < run.history["train_loss"][0]


def test_it_goes_on_from_a_checkpoint_to_the_same_bits(tmp_path):
    X, y = samples(400)
    data = ShardedSamples(array_shards(X, y, 3))
    hp = Hyperparameters(epochs=6, local_steps=2, batch_size=96)
    whole, stopped = (MLP((4,)).initialize(5, seed=0) for _ in range(2))
    fit(whole, data.X, data.y, hyperparameters=hp)

    class Stop(WriteCheckpoints):
        def on_epoch(self, run):
            super().on_epoch(run)
            if run.epoch == 3:
                raise KeyboardInterrupt

    fit(stopped, data.X, data.y, hyperparameters=hp, callbacks=[Stop(tmp_path, 1)])
    again = MLP((4,)).initialize(5, seed=7)
    fit(again, data.X, data.y, hyperparameters=hp, resume=Checkpoint.read(tmp_path).restore)
    for got, wanted in zip(again.W, whole.W, strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert not np.array_equal(stopped.W[0], whole.W[0])


def test_dropout_and_augmentation_are_drawn_where_the_samples_lie(images):
    X, y = images
    data = ShardedSamples(array_shards(X, (y > 1).astype(np.uint8), 3))
    weights = []
    for options in ({}, {"shift": 1.0}, {"dropout": 0.2}):
        model = MLP((8,), dropout=options.get("dropout", 0.0)).initialize(36, seed=0)
        fit(model, data.X, data.y, hyperparameters=Hyperparameters(epochs=20, learning_rate=0.02, **options))
        assert accuracy(model, data.X[:].T, (y > 1)[None]) > 0.9
        weights.append(model.W[0])
    assert not np.array_equal(weights[0], weights[1]) and not np.array_equal(weights[0], weights[2])


def test_averaging_is_as_accurate_as_one_process_to_the_noise_of_the_accuracy():
    """MNIST, even and odd: the difference is below four standard errors of the two accuracies."""
    d = mnist_parity()
    hp = Hyperparameters(epochs=4, learning_rate=0.003, hidden_units=(64,))
    rights = []
    for shards in (None, 4):
        model = NN2().initialize(784, 64, seed=0)
        if shards is None:
            fit(model, d.train_X, d.train_y, hyperparameters=hp)
        else:
            data = ShardedSamples(array_shards(d.train_X, d.train_y, shards))
            fit(model, data.X, data.y, hyperparameters=hp)
        rights.append(accuracy(model, d.test_X.T, d.test_y[None]))
    noise = np.sqrt(sum(p * (1 - p) for p in rights) / len(d.test_y))
    assert rights[0] > 0.975
    assert abs(rights[0] - rights[1]) < 4 * noise
