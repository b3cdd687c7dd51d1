from contextlib import suppress
from dataclasses import asdict, fields, replace
from urllib.parse import parse_qsl

import numpy as np
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from latex2mathml.converter import convert
from threadpoolctl import threadpool_limits

from command import run
from mlcvkit import InputError
from mlcvkit.playground.controls import _equation, _equation_in, applies, controls, texts
from mlcvkit.playground.experiments import (
    CHOICES,
    LIMITS,
    OF_OPTIMIZERS,
    Experiment,
    default_experiment,
    painted,
    problem_with,
    read_experiment,
    what_differs,
)
from mlcvkit.playground.networks import make_network
from mlcvkit.playground.page import experiment_of
from mlcvkit.storage import load_model
from mlcvkit.training.optimizers import OPTIMIZERS


@st.composite
def experiments(draw):
    """Any experiment that there can be."""
    values = {name: draw(st.sampled_from(choices)) for name, choices in CHOICES.items()}
    for name, (low, high) in LIMITS.items():
        whole = isinstance(getattr(Experiment(), name), int)
        values[name] = draw(st.integers(int(low), int(high)) if whole else st.floats(low, high))
    try:
        return Experiment(**values)
    except InputError:
        reject()


@given(experiments())
@settings(suppress_health_check=[HealthCheck.filter_too_much])
def test_a_link_restores_the_whole_experiment(experiment):
    restored, problem = experiment_of(dict(parse_qsl(experiment.as_query())))
    assert (restored, problem) == (experiment, "")


@given(st.dictionaries(st.text(max_size=20) | st.sampled_from(sorted(asdict(Experiment()))), st.text(max_size=30)))
def test_any_other_link_gives_the_defaults_and_a_word(query):
    experiment, problem = experiment_of(query)
    assert isinstance(experiment, Experiment)
    assert problem == "" or experiment == Experiment()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("learning_rate", float("nan"), "number"),
        ("learning_rate", "1e999", "number"),
        ("learning_rate", [1], "number"),
        ("hidden_units", 1.5, "whole number"),
        ("hidden_units", 10**9, "from 1 to 512"),
        ("epochs", -1, "from 1"),
        ("data", "../../etc/passwd", "must be one of"),
        ("optimizer", None, "must be one of"),
        ("__class__", 1, "no setting"),
    ],
)
def test_what_comes_from_outside_is_checked(name, value, words):
    with pytest.raises(InputError, match=words):
        Experiment().changed(name, value)


def test_every_setting_has_a_control_with_a_sentence():
    brought = {"points", "images"}
    assert set(controls()) | brought == set(asdict(Experiment()))
    for control in controls().values():
        assert control["text"].endswith(".") and control["label"]


def test_every_equation_is_set_and_every_choice_has_one():
    for name, control in controls().items():
        equations = control.get("equations", {"": control.get("equation")})
        if name in CHOICES and name != "data":
            equations = {choice: _equation(name, choice) for choice in CHOICES[name]}
        assert all(mathml.startswith("<math") for mathml in map(convert, filter(None, equations.values())))
        assert set(equations) == (set(CHOICES[name]) if equations.keys() != {""} else {""}), name


def test_the_guided_experiments_are_experiments():
    assert len(texts("guide")) >= 10
    for name, guide in texts("guide").items():
        experiment, problem = experiment_of({"guide": name})
        assert problem == ""
        plain = asdict(default_experiment(guide["settings"]["data"]))
        assert experiment == read_experiment(plain | guide["settings"])
        assert guide["title"] and guide["look_for"] and len(guide["text"]) >= 2


def test_what_differs_tells_experiments_apart():
    base = Experiment()
    assert what_differs([base, base]) == [{}, {}]
    found = what_differs([base, replace(base, batch_size=4), replace(base, seed=1)])
    assert found == [{"batch_size": 128, "seed": 0}, {"batch_size": 4, "seed": 0}, {"batch_size": 128, "seed": 1}]


def test_settings_that_do_nothing_are_not_shown():
    adam, sgd = Experiment(), Experiment(optimizer="coordinate_sgd", data="moons")
    assert applies("beta1", adam) and not applies("momentum", adam) and applies("samples", adam)
    assert (
        not applies("epochs", sgd)
        and not applies("beta1", sgd)
        and not applies("batch_size", sgd)
        and not applies("samples", sgd)
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_optimizers_own_hyperparameters_are_controls_that_are_used(optimizer):
    names = {field.name for field in fields(OPTIMIZERS[optimizer])} - {"weight_decay"}
    experiment = Experiment(optimizer=optimizer)
    assert {name for name in OF_OPTIMIZERS if applies(name, experiment)} == names
    for name in names:
        assert getattr(experiment.changed(name, 0.5).hyperparameters(), name) == 0.5


SMALL = [
    Experiment(
        hidden_units=8, epochs=1, batch_size=2048, samples=4000, optimizer="momentum", learning_rate=0.1, seed=3
    ),
    Experiment(data="moons", hidden_units=6, depth=2, activation="tanh", epochs=4, dropout=0.1, l2=0.01, seed=5),
    Experiment(data="mnist-parity", hidden_units=8, depth=2, epochs=1, batch_size=4096, initialization="glorot"),
    Experiment(hidden_units=32, epochs=2, samples=20_000, learning_rate=0.003),  # differs with two threads
]


@pytest.mark.parametrize("experiment", SMALL, ids=["nn2", "moons", "deep parity", "small batches"])
def test_the_command_line_and_the_python_train_the_very_network_of_the_page(experiment, tmp_path):
    network = make_network(experiment)
    with threadpool_limits(1):  # as the server computes
        network.fit(experiment)
    words = experiment.command().split()
    assert words[:2] == ["mlcvlab", "train"]
    assert run(*words[1:], "--name", "same", folder=tmp_path).returncode == 0
    theirs = load_model(tmp_path / "runs/same").model.W
    assert all(np.array_equal(a, b) for a, b in zip(network.model.W, theirs, strict=True))
    if experiment.data == "moons":
        scope = {}
        with threadpool_limits(2):  # given back at the end
            exec(experiment.python().replace("print(", "_ = ("), scope)
        ours = scope["trained"].predictor.model.W
        assert all(np.array_equal(a, b) for a, b in zip(network.model.W, ours, strict=True))


def test_the_python_of_nn2_trains_the_very_network_of_the_page(capsys):
    experiment = SMALL[0]
    network = make_network(experiment)
    with threadpool_limits(1):
        network.fit(experiment)
    scope = {}
    with threadpool_limits(2):  # given back at the end
        exec(experiment.python(), scope)
    ours = scope["trained"].predictor.model.W
    assert all(np.array_equal(a, b) for a, b in zip(network.model.W, ours, strict=True))
    assert "'accuracy': 0." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"hidden_units": 512, "depth": 4}, "fewer hidden units or layers"),
        ({"data": "moons", "hidden_units": 512, "depth": 3}, "fewer hidden units or layers"),
        ({"hidden_units": 512, "batch_size": 4096}, "a batch may have"),
        ({"optimizer": "coordinate_sgd", "depth": 2}, "one hidden layer on even or odd"),
        ({"optimizer": "full_batch_adam", "data": "mnist"}, "one hidden layer on even or odd"),
    ],
)
def test_no_experiment_takes_more_than_a_share(changed, words):
    with pytest.raises(InputError, match=words):
        read_experiment(asdict(Experiment()) | changed)


@pytest.mark.parametrize("optimizer", [name for name in CHOICES["optimizer"] if name not in OPTIMIZERS])
def test_the_python_of_the_handouts_optimizers_takes_the_steps_of_the_page(optimizer, capsys):
    experiment = replace(SMALL[0], optimizer=optimizer, samples=300, learning_rate=0.5, batch_size=128, epochs=9)
    assert experiment.command() is None
    scope = {}
    exec(experiment.python(steps=40), scope)
    network = make_network(experiment)
    taken = []

    def tick(steps):
        taken.append(steps)
        if sum(taken) == 40:
            raise StopIteration

    with suppress(StopIteration):
        network.descend(experiment, tick)
    assert sum(taken) == (experiment.epochs if optimizer == "full_batch_adam" else 40)
    for ours, theirs in zip(network.model.W, scope["prepared"].model.W, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-6)
    assert float(capsys.readouterr().out) == pytest.approx(network.measure()["validation_accuracy"], abs=0.01)


def test_painted_points_are_places_and_classes():
    places, classes = painted("00ff0" + "ff001" + "80801")
    np.testing.assert_allclose(places, [[-1, -1], [1, 1], [128 / 127.5 - 1, 127 / 127.5 - 1]])
    assert classes.tolist() == [0, 1, 1]
    default = default_experiment("points")
    assert problem_with(default.points) == "" and experiment_of(dict(parse_qsl(default.as_query())))[0] == default


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ("", "5 points of each colour"),
        ("10100" * 9 + "20201" * 4, "5 points of each colour"),
        ("10100" * 5 + "10201" * 5, "one line"),
        ("10104" * 9, "places and classes"),
        ("1010", "places and classes"),
        ("10100" * 401, "places and classes"),
    ],
)
def test_points_that_cannot_be_trained_on_say_what_they_lack(points, words):
    with pytest.raises(InputError, match=words):
        read_experiment({"data": "points", "points": points})
    with pytest.raises(InputError):
        read_experiment({"data": "moons", "points": points or "10100"})


def test_the_python_of_painted_points_trains_the_very_network_of_the_page():
    experiment = replace(default_experiment("points"), epochs=3, hidden_units=4)
    network = make_network(experiment)
    with threadpool_limits(1):
        network.fit(experiment)
    scope = {}
    exec(experiment.python().replace("print(", "_ = ("), scope)
    ours = scope["trained"].predictor.model.W
    assert experiment.command() is None
    assert all(np.array_equal(a, b) for a, b in zip(network.model.W, ours, strict=True))


@pytest.mark.parametrize("optimizer", ["coordinate_sgd", "literal_sgd", "full_batch_adam"])
def test_the_homeworks_optimizers_have_no_controls_without_effect(optimizer):
    experiment = Experiment(optimizer=optimizer)
    for name in ("weight_decay", "shift", "rotation", "elastic", "batch_size", "schedule"):
        assert not applies(name, experiment) and applies(name, Experiment()), name


def test_an_equation_is_that_of_the_experiment():
    assert "lambda" in _equation_in(Experiment(optimizer="adamw"), "weight_decay")
    assert "alpha" in _equation_in(Experiment(optimizer="adamw"), "weight_decay")
    assert _equation_in(Experiment(data="mnist"), "loss") != _equation_in(Experiment(), "loss")
    assert "beta_1 m)" in _equation_in(Experiment(optimizer="handout_adam"), "beta1")
