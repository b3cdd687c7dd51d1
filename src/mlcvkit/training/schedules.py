"""Learning-rate schedules: factors of the learning rate as functions of the progress, from 0 to 1."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple


def constant(progress: float) -> float:
    """The learning rate as it is given.

    Parameters
    ----------
    progress
        The progress p, the share of all steps that were taken, from 0 to 1.

    Returns
    -------
    float
        The factor of the learning rate.
    """
    return 1.0


def cosine(progress: float) -> float:
    """Half a cosine from 1 to 0: (1 + cos(π p)) / 2.

    Parameters
    ----------
    progress
        The progress p, the share of all steps that were taken, from 0 to 1.

    Returns
    -------
    float
        The factor of the learning rate.

    References
    ----------
    Loshchilov and Hutter (2017), "SGDR", equation 5, one period.
    """
    return (1 + math.cos(math.pi * progress)) / 2


def step(progress: float) -> float:
    """Stairs: 1, from half of the run on 0.1, and from three quarters on 0.01.

    Parameters
    ----------
    progress
        The progress p, the share of all steps that were taken, from 0 to 1.

    Returns
    -------
    float
        The factor of the learning rate.

    References
    ----------
    He, Zhang, Ren, Sun (2016), "Deep residual learning", section 4.2.
    """
    return 0.1 ** ((progress >= 0.5) + (progress >= 0.75))


def one_cycle(progress: float) -> float:
    """Half a cosine up from 1/25 to 1 over the first 30 %, and half a cosine down to 1/250,000 over the rest.

    Parameters
    ----------
    progress
        The progress p, the share of all steps that were taken, from 0 to 1.

    Returns
    -------
    float
        The factor of the learning rate.

    References
    ----------
    Smith and Topin (2018), "Super-convergence", with half cosines for its straight lines.
    """
    low, peak, end = 1 / 25, 0.3, 1 / 250_000
    if progress < peak:
        return 1 + (low - 1) * cosine(progress / peak)
    return end + (1 - end) * cosine((progress - peak) / (1 - peak))


def warmed_up(schedule: Callable[[float], float], progress: float, warm_up: float) -> float:
    """A schedule after a straight line from 0 to its start over the first share ``warm_up`` of the run.

        p / warm_up for p < warm_up,    schedule((p - warm_up) / (1 - warm_up)) after it

    Parameters
    ----------
    schedule
        The schedule.
    progress
        The progress p, the share of all steps that were taken, from 0 to 1.
    warm_up
        The share of the steps in which the learning rate rises, in [0, 1).

    Returns
    -------
    float
        The factor of the learning rate.

    References
    ----------
    Goyal et al. (2017), "Accurate, large minibatch SGD", section 2.2.
    """
    if progress < warm_up:
        return progress / warm_up * schedule(0)
    return schedule((progress - warm_up) / (1 - warm_up))


class Schedule(NamedTuple):
    """A schedule of the learning rate.

    Parameters
    ----------
    function
        The factor of the learning rate as a function of the progress p, from 0 to 1.
    latex
        The factor as an equation in TeX.
    """

    function: Callable[[float], float]
    latex: str

    def __call__(self, progress: float) -> float:
        """The factor of the learning rate."""
        return self.function(progress)


SCHEDULES = {
    "cosine": Schedule(cosine, r"\alpha_p = \alpha\, \frac{1 + \cos \pi p}{2}"),
    "constant": Schedule(constant, r"\alpha_p = \alpha"),
    "step": Schedule(
        step,
        r"\alpha_p = \alpha,\ \frac{\alpha}{10},\ \frac{\alpha}{100}\ \mathrm{from}\ p = 0, \frac{1}{2}, \frac{3}{4}",
    ),
    "one_cycle": Schedule(
        one_cycle, r"\frac{\alpha}{25} \to \alpha \to \frac{\alpha}{250000}, \quad \mathrm{peak\ at}\ p = 0.3"
    ),
}
"""By name, in the order of choices."""

if TYPE_CHECKING:
    ScheduleName = str
else:
    ScheduleName = Literal[tuple(SCHEDULES)]
