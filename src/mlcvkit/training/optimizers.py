"""Optimizers over one flat vector of parameters, each a state and a step in place.

A step asks for the gradient at the weights it wants: most at the current ones, the handout's Adam also ahead of them.
The state is a NamedTuple of arrays, so that it can be saved without knowing whose it is.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from mlcvkit.arrays import Values
from mlcvkit.training import kernels
from mlcvkit.training.ranges import NOT_NEGATIVE, POSITIVE, SHARE, within
from mlcvlab.nn import Array

Kind = TypeVar("Kind")

GradientAt = Callable[[Array], Array]
"""The mini-batch's gradient at a flat vector of weights; the result may be overwritten by the next call."""


class State(Protocol):
    """The state of an optimizer: a NamedTuple of arrays."""

    def __iter__(self) -> Iterator[Values]:
        """The arrays."""

    def _asdict(self) -> dict[str, Values]:
        """The arrays by name."""


class Optimizer(Protocol):
    """An optimizer: its state before the first step, and a step in place.

    Its own hyperparameters are the fields of its class.

    Attributes
    ----------
    latex
        The step as an equation in TeX.
    searched
        Whether a search for hyperparameters tries it by default.
    """

    latex: ClassVar[str]
    searched: ClassVar[bool]

    def start(self, w: Array) -> State:
        """The state before the first step, for these weights."""

    def step(
        self, w: Array, gradient_at: GradientAt, state: Any, learning_rate: float
    ) -> None:  # what its own start returns
        """Take one step: change the weights and the state in place."""


class NoState(NamedTuple):
    """The state of an optimizer that remembers nothing."""


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent on mini-batches.

        w ← w - α ∇L

    References
    ----------
    Robbins and Monro (1951), "A stochastic approximation method".
    """

    searched: ClassVar[bool] = True
    latex: ClassVar[str] = r"w \leftarrow w - \alpha \nabla L"

    def start(self, w: Array) -> NoState:
        """The state before the first step."""
        return NoState()

    def step(self, w: Array, gradient_at: GradientAt, state: NoState, learning_rate: float) -> None:
        """Take one step."""
        g = gradient_at(w)
        g *= learning_rate
        w -= g


class MomentumState(NamedTuple):
    """The state of SGD with momentum.

    Parameters
    ----------
    v
        The velocity, of the shape of the weights.
    """

    v: Array


@dataclass(frozen=True)
class Momentum:
    """SGD with momentum.

        v ← μ v + ∇L,    w ← w - α v

    Parameters
    ----------
    momentum
        The momentum μ, in [0, 1).

    References
    ----------
    Polyak (1964), "Some methods of speeding up the convergence of iteration methods", in the form of Sutskever,
    Martens, Dahl, Hinton (2013) with the learning rate outside of the velocity.
    """

    searched: ClassVar[bool] = True
    latex: ClassVar[str] = r"w \leftarrow w - \alpha v"

    momentum: float = within(SHARE, 0.9)

    def start(self, w: Array) -> MomentumState:
        """The state before the first step."""
        return MomentumState(np.zeros_like(w))

    def step(self, w: Array, gradient_at: GradientAt, state: MomentumState, learning_rate: float) -> None:
        """Take one step."""
        v = state.v
        v *= self.momentum
        v += gradient_at(w)
        w -= learning_rate * v


@dataclass(frozen=True)
class Nesterov(Momentum):
    """SGD with Nesterov's momentum.

        v ← μ v + ∇L,    w ← w - α (∇L + μ v)

    Parameters
    ----------
    momentum
        The momentum μ, in [0, 1).

    References
    ----------
    Nesterov (1983); with the weights shifted to the point ahead, as in Bengio, Boulanger-Lewandowski, Pascanu (2013),
    "Advances in optimizing recurrent networks", equation 7.
    """

    latex: ClassVar[str] = r"w \leftarrow w - \alpha (\nabla L + \mu v)"

    def step(self, w: Array, gradient_at: GradientAt, state: MomentumState, learning_rate: float) -> None:
        """Take one step."""
        v, g = state.v, gradient_at(w)
        v *= self.momentum
        v += g
        g += self.momentum * v
        g *= learning_rate
        w -= g


class RMSpropState(NamedTuple):
    """The state of RMSprop.

    Parameters
    ----------
    s
        The running mean of the squared gradient.
    """

    s: Array


@dataclass(frozen=True)
class RMSprop:
    """RMSprop: each weight's step is divided by a running mean of its gradient's size.

        s ← ρ s + (1 - ρ) ∇L²,    w ← w - α ∇L / (√s + ε)

    Parameters
    ----------
    rho
        The decay ρ of the running mean, in [0, 1).
    epsilon
        The ε that keeps the divisor above 0.

    References
    ----------
    Tieleman and Hinton (2012), "Lecture 6.5, rmsprop", Neural networks for machine learning.
    """

    searched: ClassVar[bool] = False
    latex: ClassVar[str] = r"w \leftarrow w - \alpha \frac{\nabla L}{\sqrt{s} + \varepsilon}"

    rho: float = within(SHARE, 0.9)
    epsilon: float = within(POSITIVE, 1e-8)

    def start(self, w: Array) -> RMSpropState:
        """The state before the first step."""
        return RMSpropState(np.zeros_like(w))

    def step(self, w: Array, gradient_at: GradientAt, state: RMSpropState, learning_rate: float) -> None:
        """Take one step."""
        g, s = gradient_at(w), state.s
        s += (1 - self.rho) * (g * g - s)
        w -= learning_rate * g / (np.sqrt(s) + self.epsilon)


class AdamState(NamedTuple):
    """The state of Adam.

    Parameters
    ----------
    m
        The running mean of the gradient.
    s
        The running mean of the squared gradient.
    steps
        The number of steps taken, an array of one.
    """

    m: Array
    s: Array
    steps: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Adam:
    """Adam, with ε added to the corrected root.

        m ← β₁ m + (1 - β₁) ∇L,    s ← β₂ s + (1 - β₂) ∇L²
        w ← w - α m / (1 - β₁ᵗ) / (√(s / (1 - β₂ᵗ)) + ε)

    Parameters
    ----------
    beta1
        The decay β₁ of the running mean of the gradient, in [0, 1).
    beta2
        The decay β₂ of the running mean of the squared gradient, in [0, 1).
    epsilon
        The ε that keeps the divisor above 0.

    References
    ----------
    Kingma and Ba (2015), "Adam", algorithm 1.
    """

    searched: ClassVar[bool] = True
    latex: ClassVar[str] = r"w \leftarrow w - \alpha \frac{\tilde m}{\sqrt{\tilde s} + \varepsilon}"

    beta1: float = within(SHARE, 0.9)
    beta2: float = within(SHARE, 0.999)
    epsilon: float = within(POSITIVE, 1e-8)

    def start(self, w: Array) -> AdamState:
        """The state before the first step."""
        return AdamState(np.zeros_like(w), np.zeros_like(w), np.zeros(1, np.int64))

    def step(self, w: Array, gradient_at: GradientAt, state: AdamState, learning_rate: float) -> None:
        """Take one step."""
        self._step(w, gradient_at(w), state, learning_rate, decay=0)

    def _step(self, w: Array, g: Array, state: AdamState, learning_rate: float, decay: float) -> None:
        state.steps[0] += 1
        t = int(state.steps[0])
        kernels.adam_step(
            w,
            g,
            state.m,
            state.s,
            beta1=self.beta1,
            beta2=self.beta2,
            step_size=learning_rate / (1 - self.beta1**t),
            correction=1 / (1 - self.beta2**t),
            epsilon=self.epsilon,
            decay=decay,
        )


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with weight decay beside the gradient instead of in it.

        w ← (1 - α λ) w - α m / (1 - β₁ᵗ) / (√(s / (1 - β₂ᵗ)) + ε)

    Parameters
    ----------
    beta1
        The decay β₁ of the running mean of the gradient, in [0, 1).
    beta2
        The decay β₂ of the running mean of the squared gradient, in [0, 1).
    epsilon
        The ε that keeps the divisor above 0.
    weight_decay
        The weight decay λ, 0 or more.

    References
    ----------
    Loshchilov and Hutter (2019), "Decoupled weight decay regularization", algorithm 2.
    """

    latex: ClassVar[str] = (
        r"w \leftarrow (1 - \alpha \lambda) w - \alpha \frac{\tilde m}{\sqrt{\tilde s} + \varepsilon}"
    )

    weight_decay: float = within(NOT_NEGATIVE, 0.01)

    def step(self, w: Array, gradient_at: GradientAt, state: AdamState, learning_rate: float) -> None:
        """Take one step."""
        self._step(w, gradient_at(w), state, learning_rate, decay=learning_rate * self.weight_decay)


@dataclass(frozen=True)
class HandoutAdam(Adam):
    """The handout's Adam on mini-batches: the momentum takes the gradient ahead, at w + β₁ m.

        m ← β₁ m + (1 - β₁) ∇L(w + β₁ m),    s and the step as for Adam

    Parameters
    ----------
    beta1
        The decay β₁ of the running mean of the gradient, in [0, 1).
    beta2
        The decay β₂ of the running mean of the squared gradient, in [0, 1).
    epsilon
        The ε that keeps the divisor above 0.

    References
    ----------
    Handout, Problem 3, "AdaM"; its look-ahead goes uphill (erratum 7).
    """

    searched: ClassVar[bool] = False
    latex: ClassVar[str] = r"m \leftarrow \beta_1 m + (1 - \beta_1)\, \nabla L(w + \beta_1 m)"

    def step(self, w: Array, gradient_at: GradientAt, state: AdamState, learning_rate: float) -> None:
        """Take one step."""
        m, s = state.m, state.s
        g = gradient_at(w)
        s += (1 - self.beta2) * (g * g - s)
        ahead = gradient_at(w + self.beta1 * m)
        m += (1 - self.beta1) * (ahead - m)
        state.steps[0] += 1
        t = int(state.steps[0])
        w -= learning_rate / (1 - self.beta1**t) * m / (np.sqrt(s / (1 - self.beta2**t)) + self.epsilon)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "adam": Adam,
    "adamw": AdamW,
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "rmsprop": RMSprop,
    "handout_adam": HandoutAdam,
}


def with_fields_of_optimizers(kind: type[Kind]) -> type[Kind]:
    """Give a class that is to become a dataclass the hyperparameters of all optimizers, with their ranges and texts.

    The range is 0 or more where an optimizer gives none.

    Parameters
    ----------
    kind
        The class; a hyperparameter that it declares itself keeps its default and text.

    Returns
    -------
    type[Kind]
        The same class.
    """
    for optimizer in OPTIMIZERS.values():
        for part in fields(optimizer):  # type: ignore[arg-type]
            is_own = part.name in kind.__annotations__
            if is_own or not any(part.name in getattr(base, "__annotations__", {}) for base in kind.__mro__):
                default = getattr(kind, part.name) if is_own else part.default
                if not isinstance(default, Field):
                    known = {"range": NOT_NEGATIVE} | ({} if is_own else {"help": text_of(part.name)})
                    setattr(kind, part.name, field(default=default, metadata={**known, **part.metadata}))
                kind.__annotations__.setdefault(part.name, part.type)
    return kind


def _names(row: type[Optimizer]) -> list[str]:
    return [part.name for part in fields(row)]  # type: ignore[arg-type]


def text_of(hyperparameter: str) -> str:
    """What an optimizer's docstring says of its hyperparameter.

    Parameters
    ----------
    hyperparameter
        The name of a field of an optimizer.

    Returns
    -------
    str
        The names of the optimizers that have it, and its text; empty if it has none.
    """
    having = [name for name, row in OPTIMIZERS.items() if hyperparameter in _names(row)]
    own = inspect.cleandoc(OPTIMIZERS[having[0]].__doc__ or "")
    text = re.search(rf"^{hyperparameter}\n((?: +.+\n?)+)", own, re.MULTILINE)
    return f"{', '.join(having)}: {' '.join(text[1].split())}" if text else ", ".join(having)


if TYPE_CHECKING:
    OptimizerName = str
else:
    OptimizerName = Literal[tuple(OPTIMIZERS)]
