"""Real workers, in processes of their own: the weights are those of one process, whatever happens to them."""

import os
import signal
import socket
import ssl
import threading
import time
from collections import Counter

import numpy as np
import pytest

from mlcvkit import InputError
from mlcvkit.cluster import ClusterError, ShardedModel, ShardedSamples, array_shards, find_shards
from mlcvkit.cluster import placement as placement_module
from mlcvkit.datasets import mnist_parity
from mlcvkit.training import Hyperparameters, accuracy, fit
from mlcvlab.models.nn2 import NN2
from mlcvlab.optim.adam import Adam
from soak import only_in_soak, repeated
from workers import Killer, worker_pids

WAYS = {
    "synchronous": Hyperparameters(epochs=8, local_steps=0, learning_rate=0.01),
    "averaging": Hyperparameters(epochs=1, local_steps=30, learning_rate=0.003),
}


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """MNIST's even and odd digits as files that workers read by themselves."""
    folder, d = tmp_path_factory.mktemp("digits"), mnist_parity()
    for part in range(4):
        rows = slice(part * 2500, part * 2500 + 2500)
        np.savez(folder / f"{part}.npz", X=d.train_X[rows], y=d.train_y[rows])
    return folder


def trained(data, hp):
    model = NN2().initialize(784, 32, seed=0)
    fit(model, data.X, data.y, hyperparameters=hp)
    return model


def bits(model):
    return b"".join(w.tobytes() for w in model.W)


@pytest.fixture(scope="module")
def alone(digits):
    """What one process comes to, without a cluster."""
    data = ShardedSamples(find_shards(digits))
    return {way: bits(trained(data, hp)) for way, hp in WAYS.items()}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("workers", ["two_workers", "four_workers"])
def test_any_number_of_workers_gives_the_bits_of_one_process(request, digits, alone, workers, way):
    client = request.getfixturevalue(workers)
    client.wait_for_workers(len(client.cluster.workers))  # one that was killed before comes back
    data = ShardedSamples(find_shards(digits), client)
    held = client.has_what()
    holding = sum(map(bool, held.values()))  # one that was killed before may not be back yet
    assert holding >= len(client.cluster.workers) - 1, "the workers hold shards"
    assert bits(trained(data, WAYS[way])) == alone[way]


def test_the_handouts_adam_gives_the_bits_of_one_process(two_workers, digits):
    results = []
    for client in (None, two_workers):
        data = ShardedSamples(find_shards(digits), client)
        model = ShardedModel(NN2().initialize(784, 16, seed=0))
        Adam(model, data.X.T, data.y[None], R=4)
        results.append(bits(model))
    assert results[0] == results[1]


def test_weights_travel_once_to_a_worker(two_workers, digits):
    """One worker has them from the scheduler, the other from that one; not once for each of the 32 shards."""
    data = ShardedSamples(find_shards(digits, shards=32), two_workers)
    model = ShardedModel(NN2().initialize(784, 128, seed=0))

    def received(dask_worker):
        return [key for log in dask_worker.transfer_incoming_log for key in log["keys"] if "arguments" in key]

    def keys():
        return Counter(key for its in two_workers.run(received).values() for key in its)

    before = keys()
    for _ in range(3):
        model.W = [w + 1 for w in model.W]
        model.emp_loss_grad(data.X.T, data.y[None])
    assert sorted((keys() - before).values()) == [1, 1, 1]


@pytest.fixture(scope="module")
def undisturbed(four_workers, digits):
    """Seconds of a training that nobody disturbs, by way: instants are drawn from them."""
    data, seconds = ShardedSamples(find_shards(digits), four_workers), {}
    for way, hp in WAYS.items():
        start = time.perf_counter()
        trained(data, hp)
        seconds[way] = time.perf_counter() - start
    return seconds


@repeated("kills of a worker, for each way to train", test=1, soak=10, full=100)
@pytest.mark.parametrize("way", WAYS)
def test_a_worker_killed_at_a_random_instant_changes_no_bit(four_workers, digits, alone, undisturbed, way, seed):
    data = ShardedSamples(find_shards(digits), four_workers)
    killer = Killer(four_workers, np.random.default_rng(seed).uniform(0, undisturbed[way]), seed)
    killer.start()
    result = bits(trained(data, WAYS[way]))
    killer.join()
    assert result == alone[way], f"killed {killer.killed} after {killer.after:.2f} s"


def test_arrays_that_went_with_their_worker_are_sent_again(two_workers):
    d = mnist_parity()
    shards = array_shards(d.train_X[:4000], d.train_y[:4000], 4)
    hp = WAYS["synchronous"]
    expected = bits(trained(ShardedSamples(shards), hp))
    data = ShardedSamples(shards, two_workers)
    for pid in worker_pids(two_workers):
        os.kill(pid, signal.SIGKILL)
    assert bits(trained(data, hp)) == expected


@only_in_soak("a worker is given up after seconds in which it is silent")
def test_a_worker_that_hangs_is_given_up(digits, alone):
    """A stopped process answers nobody; after its time to live its work is done by the other."""
    import dask

    from mlcvkit.cluster import connect, connection

    settings = connection.SETTINGS | {"distributed.scheduler.worker-ttl": "4s"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "SETTINGS", settings)
        with connect("local:2") as client:
            data = ShardedSamples(find_shards(digits), client)
            stopped = worker_pids(client)[0]
            os.kill(stopped, signal.SIGSTOP)
            assert bits(trained(data, WAYS["synchronous"])) == alone["synchronous"]
            assert stopped not in worker_pids(client)
    assert dask.config.get("distributed.scheduler.worker-ttl") != "4s"


def test_a_slow_worker_delays_and_changes_nothing(two_workers, digits, alone):
    pid = worker_pids(two_workers)[0]
    data = ShardedSamples(find_shards(digits), two_workers)
    done = threading.Event()

    def brake():
        for _ in range(30):  # runs a tenth of the time
            os.kill(pid, signal.SIGSTOP)
            done.wait(0.09)
            os.kill(pid, signal.SIGCONT)
            if done.wait(0.01):
                break

    braking = threading.Thread(target=brake)
    braking.start()
    try:
        assert bits(trained(data, WAYS["synchronous"])) == alone["synchronous"]
    finally:
        done.set()
        braking.join()


@only_in_soak("it takes half a minute to move 560 MB through two workers that have no room for it")
def test_data_larger_than_a_workers_memory_trains_to_the_end(tmp_path):
    """560 MB on two workers of 450 MB, of which Python and the libraries take a third."""
    from distributed import Client, LocalCluster

    limit = 450_000_000
    rng = np.random.default_rng(0)
    for part in range(8):
        X = np.tile(rng.random((500, 1000), np.float32), (35, 1))
        np.savez(tmp_path / f"{part}.npz", X=X, y=(X[:, 0] > 0.5).astype(np.float32))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) > 1.2 * limit
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=limit, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        data = ShardedSamples(find_shards(tmp_path, shards=48), client)
        model = NN2().initialize(1000, 16, seed=0)
        run = fit(model, data.X, data.y, hyperparameters=Hyperparameters(epochs=3, local_steps=0, learning_rate=0.01))
        assert run.epoch == 3
    assert run.history["train_loss"][-1] < run.history["train_loss"][0]


def test_a_shard_that_is_gone_when_it_is_needed_again_stops_the_run_or_is_left_out(two_workers, tmp_path, digits):
    for path in digits.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())

    def killed_after_loss(allow_missing):
        data = ShardedSamples(find_shards(tmp_path), two_workers, allow_missing=allow_missing)
        (tmp_path / "2.npz").rename(tmp_path / "away")
        for pid in worker_pids(two_workers):
            os.kill(pid, signal.SIGKILL)
        try:
            trained(data, WAYS["synchronous"])
        finally:
            (tmp_path / "away").rename(tmp_path / "2.npz")
        return data

    with pytest.raises(InputError, match=r"2\.npz.*does not exist"):
        killed_after_loss(False)
    with pytest.warns(UserWarning, match=r"left out a shard with its 1,250 samples .*2\.npz"):
        data = killed_after_loss(True)
    assert [shard.rows for shard in data.left_out] == [1250, 1250]
    assert len(data) == 7_500


def test_what_is_left_out_from_the_start_is_as_if_it_was_not_there(two_workers, tmp_path, digits):
    for path in sorted(digits.iterdir())[:3]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    whole = trained(ShardedSamples(find_shards(tmp_path)), WAYS["synchronous"])
    (tmp_path / "1a.npz").write_bytes(b"PK damaged")
    shards = find_shards(tmp_path, shards=9)
    with pytest.raises(InputError, match=r"1a\.npz"):
        ShardedSamples(shards, two_workers)
    with pytest.warns(UserWarning, match=r"1a\.npz"):
        data = ShardedSamples(find_shards(tmp_path), two_workers, allow_missing=True)
    assert bits(trained(data, WAYS["synchronous"])) == bits(whole)


def test_a_cluster_without_workers_is_an_error_in_the_end(digits, monkeypatch):
    from distributed import Client, LocalCluster

    monkeypatch.setattr(placement_module, "PATIENCE", 1.0)
    monkeypatch.setattr(placement_module, "LOOK_AGAIN", 0.5)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        data = ShardedSamples(find_shards(digits), client)
        cluster.scale(0)
        with pytest.raises(ClusterError, match="has had no worker for"):
            trained(data, WAYS["synchronous"])


@only_in_soak("ten seconds of training; make test compares the same in one process, and the bits of both")
def test_averaging_on_two_workers_is_as_accurate_as_plain_training(two_workers):
    """The ten thousand test digits: within four standard errors."""
    d = mnist_parity()
    hp = Hyperparameters(epochs=8, learning_rate=0.003, local_steps=50)
    data = ShardedSamples(find_shards("mnist-parity", shards=4), two_workers)
    spread, plain = (NN2().initialize(784, 64, seed=0) for _ in range(2))
    fit(spread, data.X, data.y, hyperparameters=hp)
    fit(plain, d.train_X, d.train_y, hyperparameters=hp)
    rights = [accuracy(model, d.test_X.T, d.test_y[None]) for model in (spread, plain)]
    noise = np.sqrt(sum(p * (1 - p) for p in rights) / len(d.test_y))
    assert rights[1] > 0.98
    assert abs(rights[0] - rights[1]) < 4 * noise


def test_the_connections_of_local_workers_are_private(two_workers):
    """Who can connect can run code as the one who trains: only who has the keys of this run can."""
    addresses = [two_workers.scheduler.address, *two_workers.scheduler_info()["workers"]]
    assert len(addresses) == 3
    for address in addresses:
        assert address.startswith("tls://127.0.0.1:")
        stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", int(address.rsplit(":", 1)[1]))) as plain:
            try:
                with stranger.wrap_socket(plain) as connection:
                    said = connection.recv(1)
            except (ssl.SSLError, ConnectionError):
                said = b""
        assert said == b""
