import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from mlcvkit.playground.experiments import Experiment
from mlcvkit.playground.house import Full, House
from mlcvkit.playground.networks import make_network
from mlcvkit.playground.sessions import MOST_POINTS, Session, Turnstile

TOY = Experiment(data="moons", hidden_units=6, epochs=2000, batch_size=32, activation="tanh", learning_rate=0.01)


@pytest.fixture
def make():
    """Sessions that are closed afterwards."""
    made = []

    def one(experiment=TOY, **options):
        made.append(Session(experiment, options.pop("turnstile", Turnstile(2)), **options))
        return made[-1]

    yield one
    for session in made:
        session.close()


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


def weights(session):
    return [w.copy() for w in session.network.model.W]


def test_a_training_advances_is_paused_and_goes_on(make):
    session = make()
    assert session.state == "ready" and len(session.curve) == 1
    session.start()
    assert wait_until(lambda: len(session.curve) > 2)
    session.rest()
    assert session.state == "paused"
    before, steps = weights(session), session.steps
    time.sleep(0.3)
    assert session.steps == steps
    assert all(np.array_equal(a, b) for a, b in zip(before, session.network.model.W, strict=True))
    session.start()
    assert wait_until(lambda: session.steps > steps + 20)


def test_a_step_is_one_step(make):
    session = make()
    for count in (1, 2, 3):
        session.step()
        assert wait_until(lambda count=count: session.state == "paused" and session.steps == count)
    assert session.curve[-1].steps == 3


def test_the_steps_are_those_of_the_engine(make):
    experiment = Experiment(data="moons", hidden_units=5, epochs=3, batch_size=64)
    session = make(experiment)
    session.start()
    assert wait_until(lambda: session.state == "finished")
    other = make_network(experiment)
    other.fit(experiment, [], None)
    assert all(np.array_equal(a, b) for a, b in zip(other.model.W, session.network.model.W, strict=True))


def test_another_learning_rate_goes_on_from_the_weights_and_another_model_begins_anew(make):
    session = make()
    session.start()
    assert wait_until(lambda: session.steps > 100)
    session.rest()
    before, steps = weights(session), session.steps
    session.change(TOY.changed("learning_rate", 0.001))
    assert all(np.array_equal(a, b) for a, b in zip(before, session.network.model.W, strict=True))
    assert (session.steps, session.state) == (steps, "paused")
    session.step()
    assert wait_until(lambda: session.steps == steps + 1)
    assert session.experiment.learning_rate == 0.001
    session.change(session.experiment.changed("hidden_units", 9))
    assert (session.steps, session.state) == (0, "ready")
    assert session.network.model.W[0].shape == (9, 2)


def test_a_change_while_it_runs_keeps_it_running(make):
    session = make()
    session.start()
    assert wait_until(lambda: session.steps > 50)
    session.change(session.experiment.changed("optimizer", "sgd"))
    steps = session.steps
    assert session.state == "running"
    assert wait_until(lambda: session.steps > steps + 50)
    session.change(session.experiment.changed("activation", "relu"))
    assert session.state == "running"
    assert wait_until(lambda: session.steps > 50)


def test_reset_begins_with_the_same_weights(make):
    session = make()
    first = weights(session)
    session.step(5)
    assert wait_until(lambda: session.steps == 5 and session.state == "paused")
    session.reset()
    assert session.steps == 0 and len(session.curve) == 1
    assert all(np.array_equal(a, b) for a, b in zip(first, session.network.model.W, strict=True))


def test_what_diverges_says_so(make):
    session = make(Experiment(data="moons", optimizer="sgd", learning_rate=100.0, hidden_units=64, depth=4))
    session.start()
    assert wait_until(lambda: session.state in ("failed", "finished"))
    if session.state == "failed":
        assert "diverged" in session.message


def test_no_training_computes_longer_than_it_may(make):
    session = make(most_seconds=0.4)
    session.start()
    assert wait_until(lambda: session.state == "finished")
    assert "0 s" in session.message and session.curve[-1].seconds < 3


def test_a_slow_speed_is_slow(make):
    session = make()
    session.steps_per_second = 20
    session.start()
    time.sleep(1.0)
    assert 1 <= session.steps <= 25


def test_a_closed_session_leaves_no_thread(make):
    before = threading.active_count()
    sessions = [make() for _ in range(5)]
    for session in sessions:
        session.start()
    assert wait_until(lambda: all(session.steps for session in sessions))
    sessions[0].pause()
    for session in sessions:
        session.close()
    assert threading.active_count() == before
    assert not any(session.is_training for session in sessions)


def test_turns_are_taken_one_after_the_other(make):
    turnstile = Turnstile(1)
    sessions = [make(turnstile=turnstile) for _ in range(4)]
    for session in sessions:
        session.start()
    assert wait_until(lambda: min(session.seconds for session in sessions) > 0.4)
    computed = [session.seconds for session in sessions]
    assert max(computed) < 2 * min(computed)


def test_rivals_are_given_the_same_time_to_compute(make):
    ahead, behind = make(TOY), make(replace(TOY, hidden_units=64))
    ahead.rivals = behind.rivals = (ahead, behind)
    ahead.seconds = 1.0  # as if it had computed before the other came
    behind.start()
    ahead.start()
    assert wait_until(lambda: behind.seconds > 0.7)
    assert behind.steps > 0 and ahead.seconds < 1.5
    steps = ahead.steps
    behind.pause()
    assert wait_until(lambda: ahead.steps > steps + 100), "it waits for one that does not run"


def test_the_first_steps_are_measured_one_by_one(make):
    session = make()
    session.start()
    assert wait_until(lambda: session.steps > 600)
    assert {0, 1, 2, 4, 8, 16, 32, 64, 128, 256} <= {point.steps for point in session.curve}


def test_curves_stay_short(make):
    session = make()
    for _ in range(2 * MOST_POINTS + 5):
        session._measure()
    assert len(session.curve) <= MOST_POINTS
    assert session.curve[0].steps == 0


@pytest.mark.parametrize("optimizer", ["coordinate_sgd", "full_batch_adam"])
@pytest.mark.parametrize("data", ["mnist-parity", "moons"])
def test_the_handouts_own_optimizers_learn(make, optimizer, data):
    rate = 1.0 if optimizer == "coordinate_sgd" else 0.003
    session = make(Experiment(data=data, hidden_units=8, samples=300, optimizer=optimizer, learning_rate=rate))
    first = session.curve[0].train_loss
    session.start()
    assert wait_until(lambda: session.curve[-1].train_loss < first - 0.01)
    assert session.steps > 0


def test_the_weights_of_a_run_that_was_opened_stay_where_the_training_changes(make):
    network = make_network(TOY)
    network.model.W = [w + np.float32(0.5) for w in network.model.W]
    session = make()
    session.take(network)
    before = weights(session)
    session.change(session.experiment.changed("learning_rate", 0.5))
    assert all(np.array_equal(a, b) for a, b in zip(before, session.network.model.W, strict=True))
    session.step(3)
    assert wait_until(lambda: session.steps == 3 and session.state == "paused")
    session.reset()
    assert all(np.array_equal(a, b) for a, b in zip(before, session.network.model.W, strict=True))
    assert session.experiment.learning_rate == 0.5


def test_two_steps_asked_for_at_once_are_two(make):
    session = make()
    session.step()
    session.step()
    assert wait_until(lambda: session.steps == 2 and session.state == "paused")


def test_a_training_that_cannot_be_measured_says_why(make):
    network = make_network(TOY)

    class Broken:
        W = network.model.W

        def emp_loss(self, X, y, W=None):
            raise RuntimeError("ZeroDivisionError: in line 3")

    network.model = Broken()
    session = make(network)
    assert np.isnan(session.curve[0].train_loss) and "line 3" in session.message


def test_the_house_lets_in_as_many_as_there_may_be():
    house = House(most_visitors=2)
    house.enter(1)
    house.enter(2)
    with pytest.raises(Full, match="2 visitors"):
        house.enter(3)
    house.leave(1)
    house.enter(3)
