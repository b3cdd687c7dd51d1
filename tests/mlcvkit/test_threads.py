"""The number of threads follows what is faster and changes no bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from command import run
from mlcvkit import threads
from mlcvkit.models import MLP
from mlcvkit.storage import load_model
from mlcvkit.threads import Pace, Threads, product
from mlcvkit.training import Hyperparameters, fit
from mlcvlab.models.nn2 import NN2


@given(
    rows=st.integers(1, 150),
    k=st.integers(1, 900),
    columns=st.integers(1, 150),
    turned=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_a_product_is_right_and_the_same_bits_with_any_number_of_threads(rows, k, columns, turned, dtype, seed):
    rng = np.random.default_rng(seed)

    def matrix(shape, by_columns):
        values = rng.normal(size=shape).astype(dtype)
        return np.asfortranarray(values) if by_columns else values

    a, b = matrix((rows, k), turned[0]), matrix((k, columns), turned[1])
    out = np.empty((rows, columns), dtype, order="F" if turned[2] else "C")
    results = []
    for most in (1, 2):
        with threadpool_limits(most):
            for count in range(1, most + 1):
                with Threads(count):
                    results.append(product(a, b, out).tobytes())
    assert len(set(results)) == 1
    np.testing.assert_allclose(out, a.astype(np.float64) @ b, rtol=1e-4, atol=1e-3 if dtype == np.float32 else 1e-10)


def test_a_product_goes_to_every_second_column_as_well():
    a, b = np.random.default_rng(0).normal(size=(2, 30, 30))
    out = np.zeros((30, 60))[:, ::2]
    np.testing.assert_allclose(product(a, b, out), a @ b)
    np.testing.assert_allclose(out, a @ b)


class Clock:
    """A clock on which a step takes as long as is said of its number of threads."""

    def __init__(self, seconds):
        self.now, self.seconds, self.steps = 0.0, seconds, []

    def __call__(self):
        return self.now

    def take_steps(self, pace, count):
        self.steps = []
        for _ in range(count):
            with pace:
                self.steps.append(threads._local.threads)
                self.now += self.seconds[threads._local.threads]


@pytest.fixture
def clock(monkeypatch):
    clock = Clock({1: 0.002, 2: 0.001})
    monkeypatch.setattr(threads.time, "perf_counter", clock)
    for name, value in {"latest": 0, "pause": threads.FIRST_PAUSE, "waited": 0.0, "won": False}.items():
        monkeypatch.setattr(Pace, name, value)
    monkeypatch.setattr(threads, "cores", lambda: 2)
    with threadpool_limits(2):
        yield clock


def test_the_work_goes_on_with_what_is_faster_and_follows_a_neighbour_who_comes_and_goes(clock):
    pace = Pace()
    clock.take_steps(pace, 3000)
    assert clock.steps.count(2) > 0.95 * 3000
    clock.seconds = {1: 0.002, 2: 0.005}
    clock.take_steps(pace, 10_000)
    assert clock.steps[-3000:].count(1) > 0.95 * 3000
    clock.seconds = {1: 0.002, 2: 0.001}
    clock.take_steps(pace, 10_000)
    assert clock.steps[-3000:].count(2) > 0.95 * 3000


def test_a_neighbour_who_comes_is_noticed_within_a_quarter_of_a_second(clock):
    pace = Pace()
    clock.take_steps(pace, 5000)
    clock.seconds = {1: 0.002, 2: 0.01}
    began = clock.now
    clock.take_steps(pace, 1000)
    first = clock.steps.index(1)
    assert 0.01 * first < 0.25 and clock.steps[first:].count(2) < 30
    assert clock.now - began < 1.25 * 1000 * 0.002


def test_a_comparison_that_is_hopeless_ends_after_two_steps(clock):
    clock.seconds = {1: 0.002, 2: 0.009}
    pace = Pace()
    clock.take_steps(pace, 5000)
    assert clock.steps[-2000:].count(2) <= 2 * 2000 * 0.002 / threads.LONGEST_PAUSE + 2


def test_work_in_short_parts_compares_as_seldom_as_long_work(clock):
    parts = []
    for _ in range(100):
        clock.take_steps(Pace(), 100)
        parts += clock.steps
    assert parts[2000:].count(1) < 0.05 * 8000
    clock.seconds = {1: 0.002, 2: 0.005}
    for _ in range(100):
        clock.take_steps(Pace(), 100)
        parts += clock.steps
    assert parts[-2000:].count(1) > 0.95 * 2000, "and follows a neighbour as well"


def test_other_work_begins_as_the_last_went_on(clock):
    clock.seconds = {1: 0.001, 2: 0.004}
    clock.take_steps(Pace(), 1000)
    clock.take_steps(Pace(), 5)
    assert clock.steps == [1] * 5


@pytest.mark.parametrize("outside", [1, 2])
def test_no_more_threads_than_the_surroundings_allow_and_theirs_are_set_again(outside):
    with threadpool_limits(outside):
        with Pace():
            assert threads._product_threads() <= outside
        with Threads(1), Threads(2), Threads(1):
            assert threads._product_threads() == 1
        assert threads._product_threads() == outside


def test_what_is_not_the_same_is_computed_with_one_thread(monkeypatch):
    monkeypatch.setattr(threads, "_gives_the_same_bits", lambda *_: False)
    used = []
    monkeypatch.setattr(threads.np, "matmul", lambda a, b, out: used.append(threads._product_threads()) or out)
    with threadpool_limits(2), Threads(2):
        product(np.ones((200, 200)), np.ones((200, 200)))
        product(np.ones((20, 20)), np.ones((20, 20)))
    assert used == [1, 2], "a small product has one thread by itself"


@pytest.fixture
def restless(monkeypatch):
    """Each step has another number of threads than the last."""
    monkeypatch.setattr(threads, "cores", lambda: 2)
    monkeypatch.setattr(threads, "TRIAL", 0.0)
    monkeypatch.setattr(threads, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(threads, "LONGEST_PAUSE", 0.0)
    for name in ("latest", "pause", "waited"):
        monkeypatch.setattr(Pace, name, 0)


def model_of(kind):
    if kind == "nn2":
        return NN2().initialize(784, 128, seed=0)
    return MLP((96, 70), output="softmax").initialize(784, 10, seed=0, dtype=kind)


@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize("kind", ["nn2", "float32", "float64"])
@pytest.mark.parametrize("batch_size", [128, 500])
@pytest.mark.parametrize("zeros", [0.0, 0.4])
def test_the_weights_are_the_same_bits_however_many_threads_there_are(kind, batch_size, zeros):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(1200, 784)) * (rng.random(784) >= zeros)).astype(kind if kind == "float64" else "float32")
    digits = rng.integers(10, size=1200)
    y = (digits % 2).astype(np.float32) if kind == "nn2" else np.eye(10, dtype=X.dtype)[digits]
    results = []
    for most in (1, 2):
        model, hp = model_of(kind), Hyperparameters(batch_size=batch_size, epochs=2, hidden_units=128)
        with threadpool_limits(most):
            history = fit(model, X, y, hyperparameters=hp, validation=(X[:300], y[:300])).history
        results.append(([w.tobytes() for w in model.W], history["validation_loss"]))
    assert results[0] == results[1]


def test_the_option_changes_no_bit(tmp_path):
    options = ["train", "--recipe", "quick", "--epochs", "1", "--hidden-units", "64"]
    for name, more in (("one", ["--threads", "1"]), ("two", ["--threads", "2"])):
        assert run(*options, *more, "--name", name, folder=tmp_path).returncode == 0
    one, two = (load_model(tmp_path / "runs" / name).model.W for name in ("one", "two"))
    assert [w.tobytes() for w in one] == [w.tobytes() for w in two]
