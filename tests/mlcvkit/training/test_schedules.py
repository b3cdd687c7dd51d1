import math

import pytest

from mlcvkit.training.schedules import SCHEDULES, constant, cosine, one_cycle, step, warmed_up


def test_the_cosine_falls_from_1_to_0():
    assert [cosine(p) for p in (0, 0.25, 0.5, 1)] == pytest.approx([1, (1 + math.sqrt(0.5)) / 2, 0.5, 0])


def test_the_steps_are_tenths():
    assert [step(p) for p in (0, 0.49, 0.5, 0.74, 0.75, 1)] == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_one_cycle_rises_over_three_tenths_and_falls_to_almost_nothing():
    assert [one_cycle(p) for p in (0, 0.15, 0.3, 0.65, 1)] == pytest.approx([0.04, 0.52, 1, 0.500002, 4e-6])


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_warm_up_is_a_straight_line_to_the_schedules_start(name):
    schedule = SCHEDULES[name]
    line = [warmed_up(schedule, p, 0.2) for p in (0, 0.05, 0.1, 0.2, 0.7, 1)]
    start = schedule(0)
    assert line == pytest.approx([0, start / 4, start / 2, start, schedule(0.625), schedule(1)])
    assert warmed_up(schedule, 0.3, 0) == schedule(0.3)


def test_constant_is_1():
    assert {constant(p) for p in (0, 0.5, 1)} == {1.0}
