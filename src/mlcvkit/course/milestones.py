"""History with the reader's own code: from the perceptron to Adam, with the functions that a homework has so far."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlcvkit import datasets
from mlcvkit.course.sandbox import Ended, Failed, Sandbox, Session
from mlcvkit.course.usage import Limits
from mlcvlab.nn import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIMITS = Limits(seconds=60, memory_mb=1500, processes=32, output_mb=1, scratch_mb=16)
XOR_X = np.array([[0.0, 0, 1, 1], [0, 1, 0, 1], [1, 1, 1, 1]])  # the last row is for the bias
XOR_Y = np.array([[0.0, 1, 1, 0]])
STEPS = {"perceptron": 200, "xor": 500, "digits": 150, "race": 50}


CHAPTERS = {"linear": 1, "NN2.nn2": 3, "NN2.emp_loss": 3, "NN2.grad": 4, "NN2.emp_loss_grad": 4, "SGD": 5, "Adam": 6}
"""The chapter of the course in which each function is built."""


class Missing(Exception):
    """A function of the reader is missing or wrong; the message says which one and what it did."""


@dataclass(frozen=True)
class Milestone:
    """The result of one milestone: ``passed``, a sentence on what the reader's code did, and a picture."""

    year: int
    title: str
    was_new: str
    passed: bool
    did: str
    figure: "Figure | None"


class Reader:
    """The reader's functions in the sandbox; Missing if one fails."""

    def __init__(self, session: Session, failed: dict[str, Any]) -> None:
        self.session, self.failed = session, failed

    def linear(self, X: Array, W: Array) -> Array:
        """W X, by the reader's ``linear``."""
        wanted = (len(W), X.shape[1])
        request: dict[str, Any] = {"module": "mlcvlab.nn.basis", "function": "linear", "args": [X, W]}
        return self._array("linear", "mlcvlab.nn.basis", wanted, self._ask("linear", "call", **request))

    def network(self, method: str, W: Sequence[Array], *args: Any) -> Any:
        """A method of the reader's NN2 with given weights."""
        return self._ask(f"NN2.{method}", "network", method=method, own=list(W), args=list(args))

    def predict(self, W: Sequence[Array], X: Array) -> Array:
        """ŷ, (1, N)."""
        return self._array("NN2.nn2", "mlcvlab.models.nn2", (1, X.shape[1]), self.network("nn2", W, X))

    def gradients(self, W: Sequence[Array], X: Array, y: Array) -> list[Array]:
        """The gradient of the empirical risk for each layer."""
        found = self.network("emp_loss_grad", W, X, y)
        if not isinstance(found, list | tuple) or [np.shape(g) for g in found] != [w.shape for w in W]:
            shapes = " and ".join(str(w.shape) for w in W)
            raise Missing(f"NN2.emp_loss_grad must return a list of gradients of shapes {shapes}")
        return [np.asarray(g, float) for g in found]

    def optimize(self, function: str, W: Sequence[Array], X: Array, y: Array, **options: Any) -> list[Array]:
        """The weights after the reader's optimizer, which uses the reader's network."""
        module = f"mlcvlab.optim.{function.lower()}"
        request = {"module": module, "function": function, "W": list(W), "X": X, "y": y, "options": options}
        self._ask(function, "optimize", of=module, as_nn2=True, **request)
        moved = self.last["W"]
        if not isinstance(moved, list) or [np.shape(w) for w in moved] != [w.shape for w in W]:
            raise Missing(f"{function} must leave the weights in the model, in their shapes")
        return [np.asarray(w, float) for w in moved]

    def _ask(self, name: str, do: str, of: str = "", **request: Any) -> Any:
        module = of or request.get("module", "mlcvlab.models.nn2")
        chapter = f"chapter {CHAPTERS[name]} of the course"
        if module in self.failed:
            reason = self.failed[module]["message"]
            raise Missing(f"{name} ({chapter}) cannot be used, because {module} cannot be imported: {reason}")
        try:
            self.last = self.session.ask(do, **request)
        except (Ended, Failed) as error:
            raise Missing(f"{name} ({chapter}): {error}") from None
        return self.last.get("value")

    def _array(self, name: str, module: str, shape: tuple[int, ...], value: Any) -> Array:
        if np.shape(value) != shape or np.asarray(value).dtype.kind not in "fiu":
            got = "None (is a return missing?)" if value is None else f"shape {np.shape(value)}"
            raise Missing(f"{name} must return an array of shape {shape}; it returned {got}")
        if not np.isfinite(value).all():
            raise Missing(f"{name} returned numbers that are not finite")
        return np.asarray(value, float)


@contextmanager
def reader_of(tree: Path, sandbox: Sandbox) -> Iterator[Reader]:
    """The reader's functions in a process that ends with the block."""
    asked: dict[str, Callable[..., Any]] = {}
    modules = ["nn.basis", "nn.activations", "nn.losses", "models.nn2", "optim.sgd", "optim.adam"]
    with sandbox.session(tree, LIMITS, asked) as session, sandbox.session(tree, LIMITS) as networks:
        for one in (session, networks):
            loaded = one.ask("load", at_most=60, modules=[[f"mlcvlab.{name}", [], False, ""] for name in modules])
        reader, own = Reader(session, loaded["failed"]), Reader(networks, loaded["failed"])
        session.supplied = asked
        # the reader's network, in the other process, answers what an optimizer asks of its model
        for method in ("nn2", "grad", "emp_loss", "emp_loss_grad"):
            asked[method] = partial(_by_own_network, own, method)
        yield reader


def _by_own_network(own: Reader, method: str, W: list[Array], *args: Any) -> Any:
    if method == "emp_loss_grad" and args[2:]:  # X, y and the layer; the weights are those of the model
        X, y, layer = args
        args = (X, y) if layer is None else (X, y, None, layer)
    return own.network(method, W, *args)


def milestones(tree: Path, sandbox: Sandbox) -> Iterator[Milestone]:
    """Run the milestones one after the other, each on the reader's code."""
    for year, title, was_new, run in MILESTONES:
        with reader_of(tree, sandbox) as reader:
            try:
                passed, did, figure = run(reader)
            except Missing as error:
                passed, did, figure = False, str(error), None
        yield Milestone(year, title, was_new, passed, did, figure)


def _perceptron(reader: Reader, X: Array, y: Array) -> tuple[Array, int]:
    """Weights by Rosenblatt's rule, and the most samples that were right; the reader's code computes all sums."""
    w, best, most, rng = np.zeros((1, len(X))), np.zeros((1, len(X))), 0, np.random.default_rng(0)
    for _ in range(STEPS["perceptron"]):
        outputs = (reader.linear(X, w) >= 0).astype(float)
        wrong = np.flatnonzero(outputs[0] != y[0])
        if X.shape[1] - len(wrong) > most:
            best, most = w.copy(), X.shape[1] - len(wrong)
        if not len(wrong):
            break
        one = rng.choice(wrong)
        w = w + (y[0, one] - outputs[0, one]) * X[:, one]
    return best, most


def _clouds(reader: Reader) -> "tuple[bool, str, Figure]":
    rng = np.random.default_rng(0)
    X = np.vstack([np.hstack([rng.normal(-1, 0.4, (2, 50)), rng.normal(1, 0.4, (2, 50))]), np.ones(100)])
    y = np.repeat([0.0, 1.0], 50)[None]
    w, correct = _perceptron(reader, X, y)
    figure = _plane(X, y, lambda points: reader.linear(points, w))
    return correct == 100, f"your linear: the perceptron tells {correct} of 100 points right", figure


def _xor_line(reader: Reader) -> "tuple[bool, str, Figure]":
    w, correct = _perceptron(reader, XOR_X, XOR_Y)
    figure = _plane(XOR_X, XOR_Y, lambda points: reader.linear(points, w))
    text = (
        f"your linear: in {STEPS['perceptron']} steps at most {correct} of 4 are right; that all 4 never are is what "
        "Minsky and Papert proved"
    )
    return correct < 4, text, figure


def _xor_network(reader: Reader) -> "tuple[bool, str, Figure]":
    rng = np.random.default_rng(3)
    W: list[Array] = [rng.normal(0, 1, (8, 3)), rng.normal(0, 0.5, (8, 1))]
    for _ in range(STEPS["xor"]):
        W = [w - 0.5 * g for w, g in zip(W, reader.gradients(W, XOR_X, XOR_Y), strict=True)]
    correct = int(((reader.predict(W, XOR_X) >= 0.5) == XOR_Y).sum())
    figure = _plane(XOR_X, XOR_Y, lambda points: reader.predict(W, points) - 0.5)
    return correct == 4, f"your NN2 and its gradient: {correct} of 4 are right", figure


def _digits(count: int) -> tuple[Array, Array]:
    digits = datasets.mnist()
    X = datasets.scale_images(digits.train_X[:count]).T.astype(float)
    return X, (digits.train_y[:count] % 2 == 0).astype(float)[None]


def _first_weights(units: int) -> list[Array]:
    rng = np.random.default_rng(0)
    return [rng.normal(0, np.sqrt(2 / 784), (units, 784)), rng.normal(0, np.sqrt(2 / units), (units, 1))]


def _mnist(reader: Reader) -> "tuple[bool, str, Figure]":
    X, y = _digits(5000)
    W, rng = _first_weights(32), np.random.default_rng(1)
    for _ in range(STEPS["digits"]):
        rows = rng.choice(4000, 64, replace=False)
        W = [w - 0.3 * g for w, g in zip(W, reader.gradients(W, X[:, rows], y[:, rows]), strict=True)]
    correct = float(((reader.predict(W, X[:, 4000:]) >= 0.5) == y[:, 4000:]).mean())
    text = f"your NN2: {correct:.1%} of 1,000 images it has not seen are right, after {STEPS['digits']} steps"
    from mlcvkit import plots

    return correct > 0.85, text, plots.hidden_units(*W)


def _adam_and_sgd(reader: Reader) -> "tuple[bool, str, Figure]":
    X, y = _digits(200)
    start = _first_weights(16)
    losses = {}
    for name, options in {"SGD": {"lr": 0.1}, "Adam": {"alpha": 0.001, "lookahead": False}}.items():
        W = reader.optimize(name, start, X, y, R=STEPS["race"], **options)
        losses[name] = _loss(y, reader.predict(W, X))
    before = _loss(y, reader.predict(start, X))
    from matplotlib.figure import Figure

    from mlcvkit import plots

    figure = Figure(figsize=(4, 3), layout="constrained")
    axes = figure.subplots()
    axes.bar(["start", *losses], [before, *losses.values()], color=["#888888", "#4a90d9", "#d9822b"])
    axes.set_ylabel("loss")
    plots.tidy(axes)
    text = f"loss {before:.3f} at the start, after {STEPS['race']} steps {losses['SGD']:.3f} by your SGD"
    return losses["Adam"] < min(before, losses["SGD"]), f"{text}, {losses['Adam']:.3f} by your Adam", figure


def _loss(y: Array, p: Array) -> float:
    p = np.clip(p, 1e-12, 1 - 1e-12)
    return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())


def _plane(X: Array, y: Array, answer: Callable[[Array], Array], points: int = 40) -> "Figure":
    """The regions with an answer above 0, and the samples."""
    from matplotlib.figure import Figure

    from mlcvkit import plots

    low, high = X[:2].min(axis=1) - 0.4, X[:2].max(axis=1) + 0.4
    across, up = np.meshgrid(np.linspace(low[0], high[0], points), np.linspace(low[1], high[1], points))
    z = answer(np.stack([across.ravel(), up.ravel(), np.ones(across.size)])).reshape(across.shape)
    figure = Figure(figsize=(4, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.contourf(across, up, z >= 0, levels=[-0.5, 0.5, 1.5], colors=["#cfe0f3", "#f3d4cf"])
    for kind, colour in enumerate(("#245a94", "#9c2b1b")):
        axes.scatter(X[0, y[0] == kind], X[1, y[0] == kind], color=colour, s=18)
    plots.tidy(axes)
    return figure


MILESTONES: "list[tuple[int, str, str, Callable[[Reader], tuple[bool, str, Figure]]]]" = [
    (1958, "The perceptron", "A machine that learns from its mistakes. Two separable clouds are told apart.", _clouds),
    (1969, "Exclusive or", "Minsky and Papert prove that no perceptron learns it. The field falls asleep.", _xor_line),
    (
        1986,
        "Back-propagation",
        "The chain rule, from the loss back to every weight: a hidden layer can learn. Exclusive or is solved.",
        _xor_network,
    ),
    (1998, "Digits", "Networks read handwriting. Yours tells even digits from odd ones.", _mnist),
    (
        2015,
        "Adam",
        "A step of its own for each weight. Against SGD on one coordinate, from the same start.",
        _adam_and_sgd,
    ),
]
