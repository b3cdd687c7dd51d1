import math
import threading
from dataclasses import replace

import numpy as np
import pytest

from events import wait_for
from mlcvkit.errors import InputError
from mlcvkit.playground.experiments import FULL_BATCH_ADAM, Experiment
from mlcvkit.playground.kept_runs import marks_of
from mlcvkit.playground.limits import Limits, TooManyVisitors
from mlcvkit.playground.networks import make_network
from mlcvkit.playground.sessions import MOST_POINTS, FairSemaphore, Session

TOY = Experiment(data="moons", hidden_units=6, epochs=2000, batch_size=32, activation="tanh", learning_rate=0.01)


@pytest.fixture
def make():
    """Sessions that are closed afterwards."""
    made = []

    def one(experiment=TOY, **options):
        made.append(Session(experiment, options.pop("semaphore", FairSemaphore(2)), **options))
        return made[-1]

    yield one
    for session in made:
        session.close()


def weights(session):
    return [w.copy() for w in session.network.model.W]


def test_a_training_advances_is_paused_and_goes_on(make):
    session = make()
    assert session.state == "ready" and len(session.curve) == 1
    session.start()
    wait_for(lambda: len(session.curve) > 2)
    session.rest()
    assert session.state == "paused"
    before, steps = weights(session), session.steps
    other = make()
    other.step(200)
    wait_for(lambda: other.state == "paused")  # meanwhile others advance
    assert session.steps == steps
    assert all(np.array_equal(a, b) for a, b in zip(before, session.network.model.W, strict=True))
    session.start()
    wait_for(lambda: session.steps > steps + 20)


def test_a_step_is_one_step(make):
    session = make()
    for count in (1, 2, 3):
        session.step()
        wait_for(lambda count=count: session.state == "paused" and session.steps == count)
    assert session.curve[-1].steps == 3


def test_the_steps_are_those_of_the_engine(make):
    experiment = Experiment(data="moons", hidden_units=5, epochs=3, batch_size=64)
    session = make(experiment)
    session.start()
    wait_for(lambda: session.state == "finished")
    other = make_network(experiment)
    other.fit(experiment)
    assert all(np.array_equal(a, b) for a, b in zip(other.model.W, session.network.model.W, strict=True))


def test_another_learning_rate_goes_on_from_the_weights_and_another_model_begins_anew(make):
    session = make()
    session.start()
    wait_for(lambda: session.steps > 100)
    session.rest()
    before, steps = weights(session), session.steps
    session.change(TOY.changed("learning_rate", 0.001))
    assert all(np.array_equal(a, b) for a, b in zip(before, session.network.model.W, strict=True))
    assert (session.steps, session.state) == (steps, "paused")
    session.step()
    wait_for(lambda: session.steps == steps + 1)
    assert session.experiment.learning_rate == 0.001
    session.change(session.experiment.changed("hidden_units", 9))
    assert (session.steps, session.state) == (0, "ready")
    assert session.network.model.W[0].shape == (9, 2)


def test_a_change_while_it_runs_keeps_it_running(make):
    session = make()
    session.start()
    wait_for(lambda: session.steps > 50)
    session.change(session.experiment.changed("optimizer", "sgd"))
    steps = session.steps
    assert session.state == "running"
    wait_for(lambda: session.steps > steps + 50)
    session.change(session.experiment.changed("activation", "relu"))
    assert session.state == "running"
    wait_for(lambda: session.steps > 50)


def test_reset_begins_with_the_same_weights(make):
    session = make()
    first = weights(session)
    session.step(5)
    wait_for(lambda: session.steps == 5 and session.state == "paused")
    session.reset()
    assert session.steps == 0 and len(session.curve) == 1
    assert all(np.array_equal(a, b) for a, b in zip(first, session.network.model.W, strict=True))


def test_what_diverges_says_so(make):
    session = make(Experiment(data="moons", optimizer="sgd", learning_rate=100.0, hidden_units=64, depth=4))
    session.start()
    wait_for(lambda: session.state in ("failed", "finished"))
    if session.state == "failed":
        assert "diverged" in session.message


def test_no_training_computes_longer_than_it_may(make):
    session = make(most_seconds=0.4)
    session.start()
    wait_for(lambda: session.state == "finished")
    assert "0 s" in session.message and session.epochs < TOY.epochs


def test_a_slow_speed_is_slow(make, monkeypatch):
    session, waits = make(), []
    wait = session._wait
    monkeypatch.setattr(session, "_wait", lambda seconds: (waits.append(seconds), wait(seconds)))
    session.steps_per_second = 20
    session.start()
    wait_for(lambda: session.steps > 4)
    session.rest()
    assert len(waits) >= session.steps - 1 and set(waits) == {1 / 20}


def test_a_closed_session_leaves_no_thread(make):
    before = threading.active_count()
    sessions = [make() for _ in range(5)]
    for session in sessions:
        session.start()
    wait_for(lambda: all(session.steps for session in sessions))
    sessions[0].pause()
    for session in sessions:
        session.close()
    assert threading.active_count() == before
    assert not any(session.is_training for session in sessions)


def test_turns_are_taken_one_after_the_other(make):
    turns = []

    class Watched(FairSemaphore):
        def acquire(self):
            super().acquire()
            turns.append(threading.current_thread())

    semaphore = Watched(1)
    sessions = [make(semaphore=semaphore) for _ in range(4)]
    semaphore.acquire()
    for session in sessions:
        session.start()
    wait_for(lambda: len(semaphore.waiting) == 4)
    semaphore.release()
    wait_for(lambda: len(turns) > 40)
    rounds = turns[1:41]
    assert len(set(rounds[:4])) == 4 and rounds == rounds[:4] * 10


def test_one_that_has_computed_more_waits_for_its_rival(make, monkeypatch):
    ahead, behind = make(TOY), make(replace(TOY, hidden_units=64))
    ahead.rivals = behind.rivals = (ahead, behind)
    ahead.seconds = 500.0  # as if it had computed before the other came
    waits, is_ahead = [], ahead._is_ahead
    monkeypatch.setattr(ahead, "_is_ahead", lambda: is_ahead() and not waits.append(ahead.steps))
    behind.start()
    ahead.start()
    wait_for(lambda: waits)
    further = behind.steps + 100
    wait_for(lambda: behind.steps > further)
    assert ahead.steps == waits[0]
    behind.pause()
    wait_for(lambda: ahead.steps > waits[0] + 100)  # it does not wait for one that does not run


def test_the_first_steps_are_measured_one_by_one(make):
    session = make()
    session.start()
    wait_for(lambda: session.steps > 600)
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
    wait_for(lambda: session.curve[-1].train_loss < first - 0.01)
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
    wait_for(lambda: session.steps == 3 and session.state == "paused")
    session.reset()
    assert all(np.array_equal(a, b) for a, b in zip(before, session.network.model.W, strict=True))
    assert session.experiment.learning_rate == 0.5


def test_two_steps_asked_for_at_once_are_two(make):
    session = make()
    session.step()
    session.step()
    wait_for(lambda: session.steps == 2 and session.state == "paused")


def test_a_training_that_cannot_be_measured_says_why(make):
    network = make_network(TOY)

    class Broken:
        W = network.model.W

        def emp_loss(self, X, y, W=None):
            raise RuntimeError("ZeroDivisionError: in line 3")

    network.model = Broken()
    session = make(network)
    assert np.isnan(session.curve[0].train_loss) and "line 3" in session.message


def test_there_are_no_more_visitors_than_places():
    limits = Limits(most_visitors=2)
    limits.enter(1)
    limits.enter(2)
    with pytest.raises(TooManyVisitors, match="All 2 places"):
        limits.enter(3)
    limits.leave(1)
    limits.enter(3)


def test_a_tab_has_one_place_also_while_its_page_is_loaded_again():
    limits = Limits(most_visitors=2)
    limits.enter(1, "a")
    limits.enter(2, "b")
    limits.enter(3, "a")
    limits.leave(1)
    with pytest.raises(TooManyVisitors):
        limits.enter(4, "c")
    limits.leave(3)
    limits.enter(4, "c")


def changed_on_the_way(session, steps, **settings):
    """Take steps, and change a setting."""
    session.step(steps)
    session.wait()
    session.change(replace(session.experiment, **settings))


def test_an_epoch_goes_on_where_it_was_when_a_setting_changed(make):
    session = make(replace(TOY, epochs=10))
    per_epoch = math.ceil(session.network.samples / 32)
    assert per_epoch > 8
    for rate in (0.02, 0.03, 0.04):
        changed_on_the_way(session, 8, learning_rate=rate)
    session.start()
    session.wait()
    assert session.steps == 10 * per_epoch
    assert session.epochs == pytest.approx(10) and session.message == "all 10 epochs are trained"


def test_no_more_epochs_are_said_to_be_trained_than_were_asked_for(make):
    session = make(replace(TOY, epochs=10))
    session.step(3 * math.ceil(session.network.samples / 32))
    session.wait()
    session.change(replace(session.experiment, epochs=2))
    session.start()
    session.wait()
    assert session.message == "it has trained 3 epochs already, more than 2"


def test_the_homeworks_adam_takes_the_steps_that_are_left(make):
    session = make(replace(TOY, optimizer="full_batch_adam", epochs=50))
    changed_on_the_way(session, 32, learning_rate=0.02)
    session.start()
    session.wait()
    assert (session.steps, session.state) == (50, "finished")
    session.change(replace(session.experiment, epochs=60))
    session.start()
    session.wait()
    assert session.steps == 60


def test_one_goes_on_from_where_another_rests(make):
    experiment = Experiment(data="moons", hidden_units=4, epochs=20, batch_size=32)
    first, second, whole = (make(experiment) for _ in range(3))
    first.step(31)  # three epochs, and the step that begins the next
    first.wait()
    second.go_on_from(first)
    assert second.state == "paused" and second.steps == 31 and second.curve == first.curve
    first.network.model.W[0][:] = 0
    for one in (second, whole):
        one.start()
        one.wait()
    assert second.history["epoch"] == whole.history["epoch"] and second.state == "finished"
    assert first.history["epoch"] == [1, 2, 3]


def test_a_weight_is_set_by_hand_measured_and_trained_on(make):
    session = make(Experiment(data="moons", hidden_units=3))
    session.set_weight(1, 0, 2, 0.75)
    mlp = session.network.mlp
    assert mlp.pairs(mlp.W)[1][0][0, 2] == 0.75
    assert session.curve[-1].train_loss == session.network.measure()["train_loss"] != session.curve[0].train_loss
    assert [(change.name, change.after) for change in session.changes] == [("one weight", "0.75")]
    session.step(1)
    session.wait()
    assert mlp.pairs(mlp.W)[1][0][0, 2] != 0.75 and abs(mlp.pairs(mlp.W)[1][0][0, 2] - 0.75) < 0.1


def test_a_training_that_is_over_stays_over_until_it_has_more_to_do(make):
    session = make(replace(TOY, epochs=2))
    session.start()
    session.wait()
    session.change(replace(session.experiment, learning_rate=0.5))
    assert session.state == "finished" and session.message == "all 2 epochs are trained"
    session.change(replace(session.experiment, epochs=3))
    assert session.state == "paused"


def test_several_changes_of_a_setting_at_one_place_are_one_mark(make):
    session = make(Experiment(data="moons", hidden_units=3))
    session.step(2)
    session.wait()
    for name, value in (("batch_size", 16), ("learning_rate", 0.1), ("batch_size", 8), ("learning_rate", 0.001)):
        session.change(replace(session.experiment, **{name: value}))
    session.set_weight(1, 0, 2, 0.75)
    session.set_weight(1, 0, 1, 0.5)
    told = [text for _, text in marks_of(session.changes)]
    assert told[0] == "Batch size 128 → 8" and len(told) == 3, told  # the learning rate is what it was
    assert [text.split(" → ")[1] for text in told[1:]] == ["0.75", "0.5"]


@pytest.mark.parametrize("place", [(9, 0, 0, 1.0), (0, 9, 0, 1.0), (0, 0, 9, 1.0), (0, 0, 0, math.nan)])
def test_a_weight_that_is_not_there_is_refused(make, place):
    session = make(Experiment(data="moons", hidden_units=3))
    before = [w.copy() for w in session.network.model.W]
    with pytest.raises(InputError):
        session.set_weight(*place)
    assert all((a == b).all() for a, b in zip(before, session.network.model.W, strict=True))


def test_a_setting_that_is_refused_changes_nothing():
    session = Session(Experiment(data="moons", hidden_units=4, activation="tanh", batch_size=16), FairSemaphore(1))
    session.step(5)
    session.wait()
    before, weights = session.experiment, [w.copy() for w in session.network.model.W]
    with pytest.raises(InputError, match="linear"):
        session.change(before.changed("initialization", "linear"))
    assert session.experiment == before and session.steps == 5
    assert all((a == b).all() for a, b in zip(weights, session.network.model.W, strict=True))
    session.reset()
    assert session.steps == 0
    session.close()


def test_a_weight_that_was_set_before_the_first_step_stays():
    session = Session(Experiment(data="moons", hidden_units=4), FairSemaphore(1))
    session.set_weight(0, 1, 0, -2.5)
    session.change(session.experiment.changed("learning_rate", 0.5))
    assert session.network.mlp.pairs(session.network.mlp.W)[0][0][1, 0] == -2.5
    session.close()


def test_a_weight_that_is_dragged_at_one_step_is_one_change_and_one_point(make):
    session = make(Experiment(data="moons", hidden_units=3))
    first = float(session.network.mlp.pairs(session.network.mlp.W)[1][0][0, 2])
    for value in (0.1, 0.2, 0.3):
        session.set_weight(1, 0, 2, value)
    session.set_weight(1, 0, 1, 0.5)
    assert len(session.changes) == 2 and len(session.curve) == 3
    assert marks_of(session.changes)[0][1] == f"one weight {first:.3g} → 0.3"


def test_a_weight_that_is_set_after_the_end_leaves_the_training_over(make):
    session = make(replace(TOY, epochs=2))
    session.start()
    session.wait()
    session.set_weight(0, 0, 0, 0.5)
    assert (session.state, session.message) == ("finished", "all 2 epochs are trained")


def test_epochs_are_counted_over_a_change_of_the_optimizer_and_of_the_batch_size(make):
    session = make(replace(TOY, epochs=6))
    session.start()
    session.wait()
    session.change(replace(session.experiment, optimizer=FULL_BATCH_ADAM))
    session.start()
    session.wait()
    assert session.state == "finished" and session.epochs == 6
    other = make(replace(TOY, epochs=6, batch_size=32))
    for steps, batch_size in ((14, 7), (30, 300)):
        other.step(steps)
        other.wait()
        other.change(replace(other.experiment, batch_size=batch_size))
    other.start()
    other.wait()
    assert other.state == "finished" and other.epochs == 6


def test_epochs_never_go_back(make):
    session = make(replace(TOY, data="xor", epochs=5))
    session.step(2)
    session.wait()
    session.change(replace(session.experiment, optimizer=FULL_BATCH_ADAM))
    session.start()
    session.wait()
    trained = session.epochs
    assert trained > 5 and "more than 5" in session.message
    session.change(replace(session.experiment, optimizer="adam"))
    session.start()
    session.wait()
    assert session.epochs == trained


def test_epochs_of_steps_on_all_samples_go_on_with_batches(make):
    session = make(replace(TOY, optimizer="full_batch_adam", batch_size=128, epochs=12))
    session.step(10)
    session.wait()
    assert session.epochs == 10
    session.change(replace(session.experiment, optimizer="adam"))
    counted = [session.epochs]
    steps_of_an_epoch = math.ceil(session.network.samples / 128)
    for _ in range(steps_of_an_epoch + 1):
        session.step()
        session.wait()
        counted.append(session.epochs)
    assert counted == sorted(counted) and counted[1] == pytest.approx(10 + 128 / session.network.samples)
    assert counted[steps_of_an_epoch] == pytest.approx(11)
    session.start()
    session.wait()
    assert session.state == "finished" and session.epochs == pytest.approx(12)
    assert session.steps == 10 + 2 * steps_of_an_epoch
