"""The mistakes of Problem 3: Adam written out with a place for each."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mlcvkit.course.checks import Array

Gradient = Callable[[list[Array]], list[Array]]


def adam_steps(
    W: list[Array],
    gradient: Gradient,
    *,
    alpha: float,
    beta1: float,
    beta2: float,
    delta: float,
    R: int,
    ahead: float = 1.0,
    descent: float = 1.0,
    corrects_m: int | None = 0,
    corrects_s: int | None = 0,
    epsilon: str = "outside",
    root: float = 0.5,
    square: Callable[[Array], Array] = np.square,
    weigh_m: bool = True,
    weigh_s: bool = True,
    momentum: bool = True,
    moment: bool = True,
    stale: bool = False,
    swapped: bool = False,
    swapped_in_updates: bool = False,
    fixed: dict[str, float] | None = None,
    extra_steps: int = 0,
    every_ahead: bool = False,
) -> list[Array]:
    """Adam written out with its places for mistakes, each of which the defaults leave out.

    Source: handout, Problem 3, "AdaM", with erratum 8.
    """
    values = {"alpha": alpha, "beta1": beta1, "beta2": beta2, "delta": delta} | (fixed or {})
    alpha, beta1, beta2, delta = (values[name] for name in ("alpha", "beta1", "beta2", "delta"))
    if swapped:
        beta1, beta2 = beta2, beta1
    of_m, of_s = (beta2, beta1) if swapped_in_updates else (beta1, beta2)
    start = gradient(W)
    m, s = ([np.zeros_like(w) for w in W] for _ in range(2))
    for r in range(1, R + extra_steps + 1):
        at_ahead = gradient([w + ahead * beta1 * m_l for w, m_l in zip(W, m, strict=True)]) if not stale else start
        at_W = at_ahead if every_ahead else gradient(W) if not stale else start
        m = [
            (of_m * m_l if momentum else 0) + ((1 - of_m) if weigh_m else 1) * g
            for m_l, g in zip(m, at_ahead, strict=True)
        ]
        s = [
            (of_s * s_l if moment else 0) + ((1 - of_s) if weigh_s else 1) * square(g)
            for s_l, g in zip(s, at_W, strict=True)
        ]
        m_tilde = m if corrects_m is None else [m_l / (1 - beta1 ** (r + corrects_m)) for m_l in m]
        s_tilde = s if corrects_s is None else [s_l / (1 - beta2 ** (r + corrects_s)) for s_l in s]
        scale = np.sqrt(1 - beta2**r) if epsilon == "in_rate" else 1.0
        added = 0.0 if epsilon in ("none", "inside") else delta / scale
        down = [(s_l + (delta if epsilon == "inside" else 0.0)) ** root + added for s_l in s_tilde]
        W = [w - descent * alpha * m_l / d for w, m_l, d in zip(W, m_tilde, down, strict=True)]
    return W


ADAM: dict[str, tuple[str, dict[str, Any]]] = {
    "no_update": ("no parameter changes: is the update computed and not stored?", {"fixed": {"alpha": 0.0}}),
    "no_lookahead": (
        "the momentum's gradient is taken at W, without the handout's look-ahead to W + β₁ m: that is Kingma "
        "and Ba's Adam (erratum 7)",
        {"ahead": 0.0},
    ),
    "corrected_as_printed": (
        "m is divided by 1 - β₁^(r+1), as the handout prints it (erratum 8): it has had r updates then",
        {"corrects_m": 1},
    ),
    "corrected_as_printed_no_lookahead": (
        "m is divided by 1 - β₁^(r+1), as printed (erratum 8), and there is no look-ahead (erratum 7)",
        {"corrects_m": 1, "ahead": 0.0},
    ),
    "lookahead_downhill": ("the look-ahead goes to W - β₁ m: the handout's is W + β₁ m (erratum 7)", {"ahead": -1.0}),
    "lookahead_for_both": ("both gradients are taken at W + β₁ m: s takes the one at W", {"every_ahead": True}),
    "uphill": ("the sign is reversed: the step goes uphill", {"descent": -1.0}),
    "no_bias_correction": (
        "neither m nor s is divided by its 1 - βʳ: the bias correction is missing",
        {"corrects_m": None, "corrects_s": None},
    ),
    "no_bias_correction_of_m": ("m is not divided by 1 - β₁ʳ: its bias correction is missing", {"corrects_m": None}),
    "no_bias_correction_of_s": ("s is not divided by 1 - β₂ʳ: its bias correction is missing", {"corrects_s": None}),
    "corrected_one_late": ("s is divided by 1 - β₂^(r+1): it has had r updates then", {"corrects_s": 1}),
    "both_corrected_one_late": (
        "both are divided by 1 - β^(r+1): they have had r updates then",
        {"corrects_m": 1, "corrects_s": 1},
    ),
    "both_corrected_one_early": (
        "both are divided by 1 - β^(r-1), which is 0 in the first step: count from r = 1",
        {"corrects_m": -1, "corrects_s": -1},
    ),
    "epsilon_inside_root": ("δ is added under the root: it is added to the root", {"epsilon": "inside"}),
    "no_epsilon": ("δ is missing in the denominator", {"epsilon": "none"}),
    "epsilon_in_rate": (
        "δ is added to the uncorrected root, and the corrections are in the learning rate: here it is √s̃ + δ",
        {"epsilon": "in_rate"},
    ),
    "no_root": ("the square root of s̃ is missing", {"root": 1.0}),
    "no_square": ("s is made of the gradient, not of its square", {"square": lambda g: g}),
    "absolute": ("s is made of the gradient's absolute value, not of its square", {"square": np.abs}),
    "betas_swapped_in_updates": (
        "β₁ and β₂ are swapped in the updates of m and s: β₁ is the momentum's",
        {"swapped_in_updates": True},
    ),
    "betas_swapped": ("β₁ and β₂ are swapped: β₁ is the momentum's", {"swapped": True}),
    "momentum_not_weighted": ("the gradient in m lacks its factor 1 - β₁", {"weigh_m": False}),
    "moment_not_weighted": ("the squared gradient in s lacks its factor 1 - β₂", {"weigh_s": False}),
    "neither_weighted": ("the gradients lack their factors 1 - β₁ and 1 - β₂", {"weigh_m": False, "weigh_s": False}),
    "no_momentum": ("m is not carried on: β₁ m is missing in its update", {"momentum": False}),
    "no_moment": ("s is not carried on: β₂ s is missing in its update", {"moment": False}),
    "stale_gradient": (
        "the gradient is the one of the first weights in every step: compute it anew in the loop (handout, "
        "Problem 2, note)",
        {"stale": True},
    ),
    "one_step_less": ("there is one step too few: R steps are R updates", {"extra_steps": -1}),
    "one_step_more": ("there is one step too many: R steps are R updates", {"extra_steps": 1}),
    "fixed_alpha": ("alpha is 0.001 whatever is given", {"fixed": {"alpha": 0.001}}),
    "fixed_beta1": ("β₁ is 0.9 whatever is given", {"fixed": {"beta1": 0.9}}),
    "fixed_beta2": ("β₂ is 0.999 whatever is given", {"fixed": {"beta2": 0.999}}),
    "fixed_betas": ("β₁ and β₂ are 0.9 and 0.999 whatever is given", {"fixed": {"beta1": 0.9, "beta2": 0.999}}),
    "fixed_all": (
        "alpha, β₁, β₂ and δ are 0.001, 0.9, 0.999 and 1e-8 whatever is given",
        {"fixed": {"alpha": 0.001, "beta1": 0.9, "beta2": 0.999, "delta": 1e-8}},
    ),
    "fixed_delta": ("δ is 1e-8 whatever is given", {"fixed": {"delta": 1e-8}}),
    "no_alpha": ("alpha is missing in the step", {"fixed": {"alpha": 1.0}}),
    "beta2_in_momentum": ("β₂ stands in the momentum, where β₁ belongs", {"fixed": {"beta1": 0.999}}),
    "sgd": ("the step is alpha · m̃: it is not divided by the root of s̃", {"root": 0.0, "epsilon": "none"}),
}
"""Adam's mistakes: what to say, and which places of ``adam_steps`` have them."""
