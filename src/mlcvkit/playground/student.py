"""A student's network, which runs in the grader's sandbox and stands in for ours."""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mlcvkit.playground.experiments import Experiment
from mlcvkit.playground.networks import Network
from mlcvkit.training import Training
from mlcvlab.nn import Array

SECONDS, MEMORY_MB = 20.0, 1500
FEW = 500
"""It is measured with at most this many samples, because they go through a pipe."""


class StudentNetwork:
    """A student's NN2: ``W``, ``emp_loss``, ``emp_loss_grad`` and ``predict`` as a model has them.

    Parameters: ``tree``, the folder with mlcvlab in it; ``sandbox`` of ``mlcvkit.course``; ``released``, a context in
    which other trainings compute.
    Raises: RuntimeError with the student's error if a call fails.
    """

    loss = "cross_entropy"
    output = "sigmoid"

    def __init__(self, tree: Path, sandbox: Any, released: Callable[[], AbstractContextManager[None]]) -> None:
        from mlcvkit.course import Limits

        self.W: list[Array] = []
        self.released = released
        self._stack, self._lock = ExitStack(), threading.Lock()
        limits = Limits(seconds=SECONDS, memory_mb=MEMORY_MB, processes=32, output_mb=1, scratch_mb=16)
        self._session = self._stack.enter_context(sandbox.session(tree, limits))
        try:
            failed = self._ask("load", modules=[["mlcvlab.models.nn2", [], False, ""]])["failed"]
            if failed:
                error = failed["mlcvlab.models.nn2"]
                raise RuntimeError(f"{error['type']}: {error['message']} ({error['where']})")
        except BaseException:
            self.close()
            raise

    def initialize(self, features: int, hidden_units: int, seed: int) -> "StudentNetwork":
        """The initial weights, which are those of our NN2."""
        from mlcvlab.models.nn2 import NN2

        self.W = list(NN2().initialize(features, hidden_units, seed=seed).W)
        return self

    def predict(self, x: Array) -> Array:
        """ŷ, (1, N)."""
        y_hat = self._call("nn2", x)
        if np.size(y_hat) != x.shape[1] or np.asarray(y_hat).dtype.kind not in "fiu":
            wanted = f"it must return one number for each of the {x.shape[1]} samples"
            raise RuntimeError(f"nn2 returned {_shown(y_hat)}; {wanted}")
        answers = np.asarray(y_hat, x.dtype).reshape(1, -1)
        wrong = answers[~((answers >= 0) & (answers <= 1))]
        if wrong.size:
            raise RuntimeError(f"nn2 returned {wrong[0]:.4g}; it must return probabilities, from 0 to 1")
        return answers

    def emp_loss(self, train_X: Array, train_y: Array, W: Sequence[Array] | None = None) -> float:
        """The empirical risk, by the student's code."""
        loss = self._call("emp_loss", train_X, train_y, W=W)
        if np.shape(loss) not in ((), (1,), (1, 1)) or np.asarray(loss).dtype.kind not in "fiu":
            raise RuntimeError(f"emp_loss returned {_shown(loss)}; it must return the mean loss, one number")
        if not np.isfinite(loss).all():
            raise RuntimeError(f"emp_loss returned {np.asarray(loss).reshape(())}; it must return a finite loss")
        return float(np.asarray(loss).reshape(()))

    def emp_loss_grad(self, train_X: Array, train_y: Array, W: Sequence[Array] | None = None) -> list[Array]:
        """Its gradient, by the student's code."""
        with self.released():  # others compute while the student's process does
            gradients = self._call("emp_loss_grad", train_X, train_y, W=W)
        shapes = [w.shape for w in self.W]
        own = [np.shape(g) for g in gradients] if isinstance(gradients, list | tuple) else []
        if [_without_ones(shape) for shape in own] != [_without_ones(shape) for shape in shapes]:
            wanted = f"it must return a list of two gradients, of shapes {shapes[0]} and {shapes[1]}"
            raise RuntimeError(f"emp_loss_grad returned {_shown(gradients)}; {wanted}")
        arrays = [np.asarray(g, w.dtype).reshape(w.shape) for g, w in zip(gradients, self.W, strict=True)]
        if not all(np.isfinite(g).all() for g in arrays):
            raise RuntimeError("emp_loss_grad returned numbers that are infinite, or none (NaN)")
        return arrays

    def close(self) -> None:
        """End the process."""
        self._stack.close()

    def _call(self, method: str, *args: Array, W: Sequence[Array] | None = None) -> Any:
        weights = [np.ascontiguousarray(w) for w in (self.W if W is None else W)]
        arrays = [np.ascontiguousarray(arg) for arg in args]
        return self._ask("network", method=method, own=weights, args=arrays, twice=False)["value"]

    def _ask(self, do: str, **request: Any) -> Any:
        from mlcvkit.course import Ended, Failed

        try:
            with self._lock:
                return self._session.ask(do, **request)
        except (Ended, Failed) as error:
            raise RuntimeError(str(error)) from None


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape in which a vector is one, whether it lies or stands."""
    return tuple(side for side in shape if side != 1)


def _shown(value: Any) -> str:
    """A short description of what a student's function returned."""
    if value is None:
        return "None (is a return missing?)"
    if isinstance(value, list | tuple):
        return f"a list of {', '.join('None' if one is None else str(np.shape(one)) for one in value) or 'nothing'}"
    shape = np.shape(value)
    return f"an array of shape {shape}" if shape else repr(value)[:60]


def student_network(student: StudentNetwork, reference: Network) -> Network:
    """A student's NN2 with the weights and the mini-batches of the reference."""
    student.W = [w.copy() for w in reference.model.W]
    prepared = reference.prepared

    def training(experiment: Experiment, resume: Any) -> Training:
        """The training without its measurements, which would go through the pipe as well."""
        hp = experiment.hyperparameters()
        options: dict[str, Any] = {"hyperparameters": hp, "samples": prepared.rows, "measured": False}
        return Training(student, prepared.X, prepared.y, **options)  # type: ignore[arg-type]

    def few(part: tuple[Array, Array]) -> tuple[Array, Array]:
        return part[0][:, :FEW], part[1][:, :FEW]

    parts = few(reference.train), few(reference.held_out)
    return replace(reference, model=student, train=parts[0], held_out=parts[1], training=training)
