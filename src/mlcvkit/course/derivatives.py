"""A gradient checker for any function with its gradient, for scripts and notebooks."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mlcvkit.course.checks import Array, Diagnosis, shown

STEP = 1e-3
STENCIL = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))


@dataclass(frozen=True)
class GradientCheck:
    """The result of ``check``: ``ok``, the largest relative error, both gradients, and the likely mistake."""

    ok: bool
    relative_error: float
    gradient: Array
    differences: Array
    x: Array
    diagnosis: Diagnosis | None = None

    def __str__(self) -> str:
        head = f"{'ok' if self.ok else 'wrong'}: relative error {self.relative_error:.1e}"
        if self.ok:
            return head
        lines = [
            f"{head}{f'; {self.diagnosis.message}' if self.diagnosis else ''}",
            f"  at                  {shown(self.x)}",
            f"  your gradient       {shown(self.gradient)}",
            f"  finite differences  {shown(self.differences)}",
        ]
        return "\n".join(lines)

    __repr__ = __str__


def check(
    function: Callable[..., Any],
    gradient: Callable[..., Any],
    *args: npt.ArrayLike,
    with_respect_to: int | None = None,
    in_terms_of: Literal["input", "output"] | None = None,
    tolerance: float = 1e-6,
    seed: int | None = None,
) -> GradientCheck:
    """Compare a gradient with finite differences of its function, in float64.

        ∂f/∂x ≈ [f(x - 2h) - 8 f(x - h) + 8 f(x + h) - f(x + 2h)] / 12h,    h = 10⁻³

    Arguments: ``function(*args)``, whose result is one number, or has an entry for each of the argument's, or is any
    vector; ``gradient``, called as the function is, or with the function's output where ``in_terms_of`` is "output":
    found from the name of its one argument, y for the output, where left out; ``args``, drawn at random and away from
    0, where functions have their kinks, where there are none; ``with_respect_to``, the place of the argument, the last
    where left out, since a loss takes y and then y_hat.
    Returns: the result, which prints as a line, or as a few where the gradient is wrong.
    Raises: ValueError if the gradient's size fits neither the argument nor the Jacobian.
    Source: B. Fornberg (1988), "Generation of finite difference formulas", table 1.

    >>> print(check(lambda x: x**3, lambda x: 3 * x**2, [1.0, 2.0]))  # doctest: +ELLIPSIS
    ok: relative error ...
    >>> check(np.tanh, lambda y: 1 - y, seed=0).diagnosis is None
    True
    """
    names = list(_parameters(gradient))
    if in_terms_of is None:
        in_terms_of = "output" if names[:1] == ["y"] and len(names) == 1 else "input"
    values = [np.array(arg, dtype=np.float64) for arg in args] or _drawn(function, seed)
    place = len(values) - 1 if with_respect_to is None else with_respect_to
    x = values[place]
    with np.errstate(all="ignore"):
        output = np.asarray(function(*values), dtype=np.float64)
        jacobian = _jacobian(function, values, place, output.size)
        given = [output] if in_terms_of == "output" else values
        got = np.asarray(gradient(*[value.copy() for value in given]), dtype=np.float64)
        differences = _as_gradient(jacobian, got, x, output)
        error = _error(got, differences)
        ok = error <= tolerance
        diagnosis = (
            None if ok else _diagnosed(function, gradient, got, differences, jacobian, given, values, place, output)
        )
    return GradientCheck(bool(ok), error, got, differences, x, diagnosis)


def _parameters(function: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return ["x"]
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters if p.kind in kinds and p.default is p.empty] or ["x"]


def _drawn(function: Callable[..., Any], seed: int | None) -> list[Array]:
    """One column for each argument; of two arguments, y and y_hat of a loss, the first has labels."""
    rng = np.random.default_rng(seed)
    count = len(_parameters(function))
    if count == 2:
        return [(np.arange(5) % 2).astype(float)[:, None], rng.uniform(0.1, 0.9, (5, 1))]
    return [rng.uniform(0.2, 2, (5, 1)) * rng.choice([-1, 1], (5, 1)) for _ in range(count)]


def _jacobian(function: Callable[..., Any], values: Sequence[Array], place: int, size: int) -> Array:
    jacobian: Array = np.zeros((size, values[place].size))
    for j in range(values[place].size):
        for steps, factor in STENCIL:
            moved = [value.copy() for value in values]
            moved[place].flat[j] += steps * STEP
            jacobian[:, j] += factor / STEP * np.asarray(function(*moved), dtype=np.float64).ravel()
    return jacobian


def _as_gradient(jacobian: Array, got: Array, x: Array, output: Array) -> Array:
    """The finite differences in the shape of the gradient."""
    if output.size == 1 and got.size == x.size:
        return jacobian.reshape(got.shape)
    elementwise = output.size == x.size and np.allclose(jacobian, np.diag(np.diag(jacobian)), atol=1e-9)
    if elementwise and got.size == x.size:
        return np.diag(jacobian).reshape(got.shape)
    if got.size == jacobian.size:
        return jacobian.reshape(got.shape)
    if got.size == x.size:
        return np.asarray(jacobian.sum(axis=0).reshape(got.shape))
    raise ValueError(
        f"the gradient must have the argument's shape, {x.shape}, or be the Jacobian, {jacobian.shape}; got {got.shape}"
    )


def _error(got: Array, correct: Array) -> float:
    scale = np.abs(correct).max(initial=0)
    error = np.abs(got - correct).max(initial=0) / (scale if scale > 0 else 1)
    return float(error) if np.isfinite(error) else float("inf")


def _diagnosed(
    function: Callable[..., Any],
    gradient: Callable[..., Any],
    got: Array,
    correct: Array,
    jacobian: Array,
    given: Sequence[Array],
    values: Sequence[Array],
    place: int,
    output: Array,
) -> Diagnosis | None:
    size = values[place].size
    for factor, name, message in (
        (-1, "sign", "the sign is reversed"),
        (size, "missing_mean", f"your gradient is N = {size} times what it should be: is the mean missing?"),
        (-size, "missing_mean_and_sign", "the sign is reversed, and it is N times too large: is the mean missing?"),
        (1 / size, "mean_twice", f"your gradient is divided by N = {size} once too often: is the mean taken twice?"),
        (2, "twice", "your gradient is twice what it should be"),
        (0.5, "half", "your gradient is half of what it should be: is a factor 2 missing?"),
        (0, "zeros", "your gradient is 0 everywhere"),
    ):
        if np.allclose(got, factor * correct, rtol=1e-6, atol=1e-9):
            return Diagnosis(name, message)
    if (
        jacobian.shape[0] == jacobian.shape[1]
        and got.size == jacobian.size
        and _error(got, jacobian.T.reshape(got.shape)) < 1e-6
    ):
        return Diagnosis("transposed", "your Jacobian is transposed: row i holds the derivatives of output i")
    if len(values) == 1 and given[0] is output and output.size == correct.size:
        of_x = np.diag(_jacobian(function, [output], 0, output.size)).reshape(got.shape)
        if np.allclose(got, of_x, rtol=1e-6):
            return Diagnosis("of_x", "the derivative is taken at x, and the argument is the output y already")
    if len(values) == 1 and given[0] is not output and _is_right_at(gradient, output, correct):
        return Diagnosis("wrong_argument", 'it is right in terms of the output y: give in_terms_of="output"')
    finite = correct != 0
    ratios = (got[finite] / correct[finite]) if finite.any() else np.zeros(0)
    if ratios.size and np.allclose(ratios, ratios[0], rtol=1e-6):
        return Diagnosis("factor", f"your gradient is {ratios[0]:.6g} times the right one")
    return None


def _is_right_at(gradient: Callable[..., Any], value: Array, correct: Array) -> bool:
    try:
        got = np.asarray(gradient(value.copy()), dtype=np.float64)
    except (ValueError, TypeError):
        return False
    return got.shape == correct.shape and _error(got, correct) < 1e-6
