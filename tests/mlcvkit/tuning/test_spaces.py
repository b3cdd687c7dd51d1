import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcvkit import InputError
from mlcvkit.experiments import Experiment
from mlcvkit.training import Hyperparameters
from mlcvkit.tuning import Range, default_space, read_space, varied, with_parameters
from mlcvkit.tuning.spaces import distributions, grid, lists


def test_a_hyperparameter_is_a_range_a_list_or_one_value():
    space = read_space(
        {"learning_rate": "1e-4:1", "hidden_units": "8,32,128", "optimizer": "adam", "batch_size": [16, 64]}
    )
    assert space == {
        "learning_rate": Range(1e-4, 1, whole=False),
        "hidden_units": [8, 32, 128],
        "optimizer": ["adam"],
        "batch_size": [16, 64],
    }
    assert varied(space) == ["learning_rate", "hidden_units", "batch_size"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("learning_rat", "1", "cannot be searched"),
        ("learning_rate", "fast", "must be a number"),
        ("learning_rate", "1:0.1", "must go up"),
        ("learning_rate", "0:1", "must be positive"),
        ("learning_rate", "1:2:3", "low:high"),
        ("learning_rate", "nan", "must be a number"),
        ("hidden_units", "1.5", "a whole number"),
        ("hidden_units", "8,,32", "a whole number"),
        ("hidden_units", "8,8", "a value twice"),
        ("optimizer", "adam:sgd", "has no range"),
        ("optimizer", "adam,adma", "must be one of"),
        ("dropout", "0:1", "below 1"),
        ("depth", "0:3", "from 1 to 8"),
        ("validation_samples", "1,2", "cannot be searched"),
        ("seed", "1,2", "cannot be searched"),
        ("learning_rate", [], "needs a value"),
        ("hidden_units", "1:99999999999999999999", "at most 1,000,000"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_its_name(name, text, words):
    with pytest.raises(InputError, match=words) as error:
        read_space({name: text})
    assert name in str(error.value)


@given(low=st.floats(1e-6, 1e3), factor=st.floats(2, 1e6), count=st.integers(2, 9))
def test_the_points_of_a_range_are_even_on_its_scale_and_have_both_ends(low, factor, count):
    values = Range(low, low * factor, whole=False)
    points = values.points(count)
    assert len(points) == count
    assert (points[0], points[-1]) == pytest.approx((low, low * factor), rel=1e-5)
    steps = np.diff(np.log(points) if factor >= 10 else points)
    assert steps == pytest.approx(np.full(count - 1, steps.mean()), rel=1e-3)


def test_whole_numbers_have_no_point_twice():
    assert Range(1, 3, whole=True).points(5) == [1, 2, 3]


def test_a_grid_is_every_combination():
    space = read_space({"learning_rate": "0.1:1", "hidden_units": "4,8"})
    assert lists(space) == {"hidden_units": [4, 8]}
    cells = grid({"learning_rate": space["learning_rate"].points(3), "hidden_units": [4, 8]})
    assert len(cells) == 6
    assert {(cell["learning_rate"], cell["hidden_units"]) for cell in cells} == {
        (rate, units) for rate in (0.1, 0.316228, 1.0) for units in (4, 8)
    }


def test_depth_repeats_the_hidden_units():
    base = Hyperparameters(hidden_units=(16,))
    assert with_parameters(base, {"depth": 3}).hidden_units == (16, 16, 16)
    assert with_parameters(base, {"depth": 2, "hidden_units": 5}).hidden_units == (5, 5)
    assert with_parameters(Hyperparameters(hidden_units=(8, 4)), {"learning_rate": 0.5}).hidden_units == (8, 4)


@pytest.mark.parametrize(("data", "kind"), [("mnist-parity", "nn2"), ("moons", "mlp"), ("digits", "mlp")])
def test_every_value_of_the_default_space_makes_hyperparameters(data, kind):
    space = read_space(default_space(Experiment(data=data, model=kind), 0))
    for cell in grid({"loss": space["loss"]}):
        with_parameters(Hyperparameters(), cell)
    kinds = distributions(space)
    assert kinds["learning_rate"].log
    wanted = "categorical_cross_entropy" if data == "digits" else "cross_entropy"
    assert space["loss"][0] == wanted
