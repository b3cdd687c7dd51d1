"""Trainings, each in a thread that can be paused, stepped, slowed down, changed and ended."""

import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import copy, deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlcvkit.errors import InputError
from mlcvkit.playground.experiments import FULL_BATCH_ADAM, KEEPS_WEIGHTS, Experiment
from mlcvkit.playground.networks import Network, make_network
from mlcvkit.training import OPTIMIZERS, Epoch, Run

SLICE = 0.025
"""Seconds that a training computes before it is the next one's turn; a step is never interrupted."""
THREAD_NAME = "training"
MEASURED_EVERY = 0.12
"""Seconds between two measurements."""
MEASURED_EARLY = 500
"""Up to this step it also measures after 1, 2, 4, 8, ... steps, where a curve bends most."""
AHEAD = 0.1
"""Seconds that a training of a race may have computed longer than the others."""
LARGEST_WEIGHT = 1000.0
MOST_POINTS = 400
"""From a curve with more points every second one is removed."""


class FairSemaphore:
    """Lets a fixed number of trainings compute at a time, first come, first served, so that none starves another."""

    def __init__(self, value: int) -> None:
        self.value = value
        self.lock = threading.Lock()
        self.waiting: deque[threading.Event] = deque()

    def acquire(self) -> None:
        """Wait until it is the caller's turn."""
        with self.lock:
            if self.value:
                self.value -= 1
                return
            turn = threading.Event()
            self.waiting.append(turn)
        turn.wait()

    def release(self) -> None:
        """Pass the turn on."""
        with self.lock:
            if self.waiting:
                self.waiting.popleft().set()
            else:
                self.value += 1

    @contextmanager
    def released(self) -> Iterator[None]:
        """Let others compute during the block."""
        self.release()
        try:
            yield
        finally:
            self.acquire()


@dataclass(frozen=True)
class Point:
    """A measurement during a training; ``seconds`` counts only the time in which it computed."""

    seconds: float
    epochs: float
    steps: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class Change:
    """A setting that was changed during a training, and the point of the curve at which it was changed.

    ``place`` is where a single weight stands.
    """

    at: Point
    name: str
    before: Any
    after: Any
    place: str = ""


AT_LIMIT = "it reached the limit"
"""The beginning of the message of a training that has used its time."""


class Ended(Exception):
    """The training was asked to end; not an error."""


@dataclass
class Session:
    """One network and its training.

    ``start_from`` is an experiment, or a network with weights. ``state`` is "ready", "running", "paused", "finished" or
    "failed", and ``message`` says why it ended. Curves are replaced, never modified, so that they can be read at any
    time. ``rivals`` get equal computing time: a training that is ahead waits for the others that run. ``shown_by`` is
    the page that shows it.
    """

    start_from: Experiment | Network
    semaphore: FairSemaphore
    most_seconds: float = 600.0
    network: Network = field(init=False)
    experiment: Experiment = field(init=False)
    curve: tuple[Point, ...] = ()
    changes: tuple[Change, ...] = ()
    state: str = "ready"
    message: str = ""
    steps_per_second: float = math.inf
    version: int = 0
    edits: int = 0
    """How many weights were changed by hand."""
    base: dict[str, str] = field(default_factory=dict)
    """The guide or the run of the address, whose settings the address does not repeat."""
    rivals: tuple["Session", ...] = ()
    shown_by: int = 0

    def __post_init__(self) -> None:
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        if isinstance(self.start_from, Network):
            self.take(self.start_from)
        else:
            self.experiment = self.start_from
            self.reset()

    def reset(self, experiment: Experiment | None = None) -> None:
        """Start over, with another experiment if one is given; InputError if it cannot be trained."""
        start = experiment or (self.experiment if isinstance(self.start_from, Experiment) else self.start_from)
        network = make_network(start) if isinstance(start, Experiment) else start  # an impossible one changes nothing
        self.close()
        if isinstance(start, Experiment):
            self.experiment = start
        else:
            network.model.W = [w.copy() for w in self._first]
        self.start_from = start
        self._publish(network)

    def take(self, network: Network) -> None:
        """Start from a network that has weights already."""
        self.start_from, self._first = network, [w.copy() for w in network.model.W]
        self.experiment = network.experiment
        self.reset()

    def _publish(self, network: Network) -> None:
        """Show a network in its initial state. The version changes last, when everything else is in place."""
        self.steps, self.epochs, self.seconds = 0, 0.0, 0.0
        self.history: dict[str, list[float]] = {}
        self._allowed: float = 0
        self._closing = False
        self._first_step = 0
        """The step at which the optimizer began."""
        self._earlier: Run | None = None
        self.state, self.message = "ready", ""
        self.network, self.curve, self.changes = network, (self._point(network),), ()
        self.version += 1

    def change(self, experiment: Experiment) -> None:
        """Change the settings. Settings of the training keep the weights; any other setting starts over."""
        names = [name for name in vars(experiment) if getattr(experiment, name) != getattr(self.experiment, name)]
        if not names:
            return
        fresh = self.steps == 0 and not self.changes and isinstance(self.start_from, Experiment)
        if fresh or not set(names) <= KEEPS_WEIGHTS or experiment.is_nn2 != self.experiment.is_nn2:
            running = self.wants_to_run
            self.reset(experiment)
            if running:
                self.start()
            return
        running = self.wants_to_run
        self.close()
        before, now = self.experiment, self._point(self.network)
        self.changes += tuple(Change(now, name, getattr(before, name), getattr(experiment, name)) for name in names)
        self._first_step = self._first_step if before.optimizer == experiment.optimizer else self.steps
        self.experiment = experiment
        over = self.state == "failed" or (self.state == "finished" and not {"epochs", "optimizer"} & {*names})
        if not over:
            self.state, self.message = "paused", ""
        self._closing = False
        if running:
            self.start()

    def start(self) -> None:
        """Train, or continue."""
        self._go(math.inf)

    def step(self, steps: int = 1) -> None:
        """Take this many steps, and pause."""
        self._go(steps)

    def pause(self) -> None:
        """Stop after the current step."""
        with self._wake:
            self._allowed = 0

    def rest(self) -> None:
        """Pause, and wait until the current step is done."""
        self.pause()
        self.wait()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Rest during the block, and go on after it if it ran."""
        running = self.wants_to_run
        self.rest()
        try:
            yield
        finally:
            if running:
                self.start()

    def wait(self) -> None:
        """Wait until the requested steps are taken."""
        with self._wake:
            self._wake.wait_for(lambda: self.state != "running" or not self.is_training)

    def go_on_from(self, other: "Session") -> None:
        """Continue where another, paused training of the same experiment is."""
        self.network.model.W = [w.copy() for w in other.network.model.W]
        self.steps, self.epochs, self.seconds = other.steps, other.epochs, other.seconds
        self.curve, self.changes, self.history = other.curve, other.changes, deepcopy(other.history)
        self._earlier = copy(other._earlier)
        if self._earlier is not None:
            self._earlier.history = self.history
        self.state = other.state
        self.version += 1

    def set_weight(self, layer: int, to: int, from_: int, value: float) -> None:
        """Set one weight of the network; a running training continues from there.

        Raises: InputError if there is no such weight, or the value is out of range.
        """
        pairs = self.network.mlp.pairs(self.network.mlp.W)
        if layer >= len(pairs) or to >= len(pairs[layer][0]) or from_ >= pairs[layer][0].shape[1]:
            raise InputError("the network no longer has this weight")
        if not abs(value) <= LARGEST_WEIGHT:
            raise InputError(f"a weight must be from {-LARGEST_WEIGHT:g} to {LARGEST_WEIGHT:g}")
        running = self.wants_to_run
        self.close()
        weights = self.network.mlp.pairs(self.network.mlp.W)[layer][0]
        before, weights[to, from_] = float(weights[to, from_]), value
        now, place, was = self._point(self.network), f"{layer}, {to}, {from_}", f"{before:.3g}"
        last = self.changes[-1] if self.changes else None  # of one weight that is dragged on, one change stays
        if last is not None and (last.place, last.at.steps) == (place, now.steps) and last.at is self.curve[-1]:
            self.curve, self.changes, was = self.curve[:-1], self.changes[:-1], last.before
        self.curve += (now,)
        self.changes += (Change(now, "one weight", was, f"{value:.3g}", place),)
        self.edits += 1
        self._closing = False
        if self.state not in ("finished", "failed"):
            self.state = "paused"
        if running:
            self.start()

    def close(self) -> None:
        """End the thread; the network stays as it is, and the training can be continued."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self.state == "running":
            self.state = "paused"

    @property
    def is_training(self) -> bool:
        """Whether its thread is alive."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def wants_to_run(self) -> bool:
        """Whether it runs and was not asked to pause."""
        return self.state == "running" and self._allowed > 0

    def _go(self, steps: float) -> None:
        if self.state in ("finished", "failed"):
            return
        with self._wake:
            more = max(0, self._allowed) + steps  # two requests for a step are two steps
            self._allowed = more if math.isfinite(more) else steps
            self.state = "running"
            self._wake.notify_all()
        if not self.is_training:
            self._closing = False
            self._thread = threading.Thread(target=self._train, daemon=True, name=THREAD_NAME)
            self._thread.start()

    def _train(self) -> None:
        with suppress(OSError):  # the name in the system's list of threads
            Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(THREAD_NAME)
        self.semaphore.acquire()
        self._since = self._shown = time.perf_counter()
        try:
            if self.experiment.optimizer in OPTIMIZERS:
                self._take_steps()
            else:
                done, left = self.steps - self._first_step, math.ceil(self.experiment.epochs - self.epochs - 1e-6)
                self.network.descend(self.experiment, self._tick_of_the_handout, done, self._is_slow, left)
            self._end("finished", self._all_are_trained())
        except Ended:
            pass
        except FloatingPointError:
            self._end(
                "failed",
                self.message
                or "it diverged: the loss is no longer a number; try a smaller learning rate, and press Reset",
            )
        except Exception as error:
            self._end("failed", str(error))
        finally:
            self.semaphore.release()

    def _tick_of_the_handout(self, steps: int) -> None:
        """Steps on all samples are epochs, and those on one weight are not."""
        self.tick(steps, steps if self.experiment.optimizer == FULL_BATCH_ADAM else 0)

    def _is_slow(self) -> bool:
        """Whether steps are counted or waited for, so that they are taken one by one."""
        return math.isfinite(self._allowed) or math.isfinite(self.steps_per_second)

    def _all_are_trained(self) -> str:
        epochs = self.experiment.epochs
        if self.epochs > epochs + 1e-6:
            return f"it has trained {self.epochs:.4g} epochs already, more than {epochs}"
        return f"all {epochs} epochs are trained"

    def _take_steps(self) -> None:
        training = self.network.training(self.experiment, self._restore if self._earlier else None)
        self._earlier = training.run
        training.run.epoch = max(training.run.epoch, math.floor(self.epochs + 1e-9))  # some were steps on all samples
        begun = (self.epochs - training.run.epoch) * self.network.samples / training.run.hyperparameters.batch_size
        training.passed_over = max(0, round(begun))
        has_stepped = False
        for event in training:
            if isinstance(event, Epoch):
                self.history = training.run.history
                if has_stepped:  # with a batch of another size on the way it is not the sum of the steps
                    self.epochs = float(training.run.epoch)
                has_stepped = False
            else:
                has_stepped = True
                self.tick(1, event.samples / self.network.samples)

    def _end(self, state: str, message: str) -> None:
        self._measure()
        with self._wake:
            self.state, self.message = state, message
            self._wake.notify_all()

    def _restore(self, run: Run) -> None:
        """Continue with the optimizer's state and the epochs of the training so far."""
        earlier = self._earlier
        assert earlier is not None
        run.epoch, run.history = earlier.epoch, earlier.history
        if type(run.state) is type(earlier.state):
            for array, before in zip(run.state, earlier.state, strict=True):
                array[:] = before

    def tick(self, steps: int, epochs: float) -> None:
        """After some steps, in the training's thread: measure, wait if asked to, let others compute."""
        self.epochs += epochs
        self.steps += steps
        with self._wake:
            self._allowed -= steps
        now = time.perf_counter()
        early = self.steps < MEASURED_EARLY and self.steps.bit_count() == 1
        if early or now - self._shown > MEASURED_EVERY or self._allowed <= 0:
            self._measure()
            self._shown = time.perf_counter()
            if not math.isfinite(self.curve[-1].train_loss):
                raise FloatingPointError
        if self._allowed <= 0:
            self._rest()
        elif math.isfinite(self.steps_per_second):
            self._wait(steps / self.steps_per_second)
        elif now - self._since > SLICE:
            self._wait(0)
            while self._is_ahead() and not self._closing and self._allowed > 0:
                self._wait(AHEAD / 4)
        if self._closing:
            raise Ended
        if self.seconds + time.perf_counter() - self._since > self.most_seconds:
            self._end("finished", f"{AT_LIMIT} of {self.most_seconds:.0f} s of computation")
            raise Ended

    def _is_ahead(self) -> bool:
        others = [one.seconds for one in self.rivals if one is not self and one.wants_to_run]
        return self.seconds > min(others, default=math.inf) + AHEAD

    def _rest(self) -> None:
        """Wait until more steps are requested."""
        self._count()
        with self.semaphore.released(), self._wake:
            if self._allowed <= 0:
                self.state = "paused"
                self._wake.notify_all()
            self._wake.wait_for(lambda: self._closing or self._allowed > 0)
        self._since = time.perf_counter()

    def _wait(self, seconds: float) -> None:
        self._count()
        with self.semaphore.released():
            if seconds:
                with self._wake:
                    self._wake.wait_for(lambda: self._closing or self._allowed <= 0, timeout=seconds)
        self._since = time.perf_counter()

    def _count(self) -> None:
        self.seconds += time.perf_counter() - self._since

    def _measure(self) -> None:
        curve = self.curve if len(self.curve) < MOST_POINTS else self.curve[::2]
        self.curve = (*curve, self._point(self.network))

    def _point(self, network: Network) -> Point:
        """Measure now; NaN, with the reason in the message, if that fails."""
        seconds = self.seconds + (time.perf_counter() - self._since if self.is_training else 0)
        try:
            measured = network.measure()
        except Exception as error:
            measured = dict.fromkeys(Point.__annotations__.keys() - {"seconds", "epochs", "steps"}, math.nan)
            self.message = str(error)
        return Point(seconds, self.epochs, self.steps, **measured)


def as_series(curve: tuple[Point, ...], x: str, y: str) -> list[list[float]]:
    """Two quantities of a curve, as pairs for a chart."""
    pairs = [(getattr(point, x), getattr(point, y)) for point in curve]
    return [[round(at, 4), float(f"{value:.5g}")] for at, value in pairs if math.isfinite(value)]
