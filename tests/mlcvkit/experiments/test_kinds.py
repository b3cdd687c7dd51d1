"""Every hyperparameter is used or refused, by every kind of network and every task."""

import json
import re
from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest

from command import assert_one_line_error, run
from mlcvkit import InputError, datasets
from mlcvkit.datasets import Samples
from mlcvkit.estimators import MLPClassifier
from mlcvkit.experiments import KINDS, Experiment, recipe_for, require_used, train, used
from mlcvkit.experiments.training import NOT_OF_ESTIMATORS
from mlcvkit.training import RECIPES, Hyperparameters
from mlcvkit.training.optimizers import OPTIMIZERS
from mlcvkit.tuning.problems import default_space
from mlcvlab.models.nn2 import NN2

FIELDS = [field.name for field in fields(Hyperparameters)]
CASES = [*((kind, "classification") for kind in KINDS), ("mlp", "regression")]
OTHER = {
    "hidden_units": (5,), "activation": "tanh", "loss": "mse", "initialization": "glorot", "dropout": 0.3, "l2": 0.5,
    "label_smoothing": 0.2, "rho": 0.5,
    "optimizer": "momentum", "learning_rate": 0.02, "schedule": "step", "warm_up": 0.4, "batch_size": 50, "epochs": 9,
    "momentum": 0.5, "beta1": 0.5, "beta2": 0.9, "epsilon": 0.1, "weight_decay": 0.3, "clip_norm": 0.01, "patience": 2,
    "average_epochs": 3, "shift": 1.0, "rotation": 5.0, "scale": 0.1, "shear": 0.1, "elastic": 0.5, "local_steps": 7,
    "validation_samples": 20, "seed": 1,
}  # fmt: skip
"""For each hyperparameter a value that must make a difference."""
NEEDS = {
    "momentum": {"optimizer": "momentum"},
    "beta1": {"optimizer": "adam"},
    "beta2": {"optimizer": "adam"},
    "epsilon": {"optimizer": "adam"},
    "rho": {"optimizer": "rmsprop"},
    "validation_samples": {"patience": 3, "epochs": 20},
    "patience": {"epochs": 20, "learning_rate": 0.5, "initialization": "he"},  # away from the best of the linear ones
}
"""What another hyperparameter must be for it to act."""


def samples(task):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(160, 3)).astype(np.float32)
    score = X[:, 0] - 0.5 * X[:, 1] + rng.normal(size=160)
    return Samples("t", X, score if task == "regression" else (score > 0).astype(int), "y", "")


@cache
def result(kind, task, hp):
    """What the trained network predicts for the test rows, before it is rounded to classes."""
    trained = train(Experiment(model=kind, task=task, hyperparameters=hp), samples(task))
    return trained.predictor.logits(trained.test[0])


def settings(kind, name):
    base = replace(recipe_for(kind), epochs=4, patience=0, learning_rate=0.01)
    unused = KINDS[kind].unused
    return replace(base, **{key: value for key, value in NEEDS.get(name, {}).items() if key not in unused})


def test_every_hyperparameter_has_another_value_here():
    assert set(OTHER) == set(FIELDS)


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize(("kind", "task"), CASES)
def test_another_value_makes_a_difference_or_is_refused(kind, task, name):
    base = settings(kind, name)
    changed = replace(base, **{name: "l2" if (name, task) == ("loss", "regression") else OTHER[name]})
    try:
        after = result(kind, task, changed)
    except InputError as error:
        assert name in str(error) and kind in str(error), error
        assert re.search(r"leave it out|choose", str(error)), error
        assert name not in used(base, kind, task=task)
    else:
        assert name in used(changed, kind, task=task)
        assert not np.array_equal(after, result(kind, task, base))


@pytest.mark.parametrize("name", FIELDS)
def test_nn2_on_digits_uses_or_refuses_it_as_well(name):
    """The handout's network on MNIST's even and odd digits, whose images may be distorted."""
    digits = datasets.read("mnist-parity")
    few = replace(digits, X=digits.X[:300], y=digits.y[:300])
    base = replace(recipe_for("nn2", "default"), epochs=4, hidden_units=(6,), validation_samples=50)
    base = replace(base, **NEEDS.get(name, {}))
    other = {"validation_samples": 70}.get(name, OTHER[name])

    @cache
    def trained(hp):
        model = train(Experiment(model="nn2", hyperparameters=hp), few).predictor.model
        return np.concatenate([w.ravel() for w in model.W])

    changed = replace(base, **{name: other})
    try:
        after = trained(changed)
    except InputError as error:
        assert name in str(error) and name not in used(base, "nn2", images=True, distortable=True)
    else:
        assert name in used(changed, "nn2", images=True, distortable=True)
        before = trained(base)
        assert len(after) != len(before) or not np.array_equal(after, before)


def test_a_hyperparameter_that_an_estimator_does_not_know_is_an_error():
    """A new one cannot be dropped on its way: the estimator takes it, or a table says that it is not used."""
    assert set(FIELDS) - NOT_OF_ESTIMATORS <= {field.name for field in fields(MLPClassifier)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("recipe", [name for name in RECIPES if name != "best"])
def test_a_recipe_is_accepted_by_every_kind(kind, recipe):
    hp = recipe_for(kind, recipe)
    require_used(hp, kind)
    assert not used(hp, kind).keys() & KINDS[kind].unused.keys()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_optimizer_takes_its_own_hyperparameters_alone(optimizer):
    own = {field.name for field in fields(OPTIMIZERS[optimizer])}
    for name in {"momentum", "beta1", "beta2", "rho", "epsilon"}:
        hp = replace(recipe_for("mlp"), optimizer=optimizer, **{name: OTHER[name]})
        if name in own:
            assert used(hp, "mlp")[name] == OTHER[name]
        else:
            with pytest.raises(InputError, match=f"mlp would not use {name}=.*the optimizer {optimizer} has none"):
                require_used(hp, "mlp")


def test_on_a_cluster_other_hyperparameters_count():
    hp = replace(recipe_for("mlp"), local_steps=7)
    with pytest.raises(InputError, match=r"local_steps=7: it is for a training on a cluster"):
        require_used(hp, "mlp")
    require_used(hp, "mlp", on_cluster=True)
    with pytest.raises(InputError, match="batch_size=32: with local_steps=0"):
        require_used(replace(hp, local_steps=0, batch_size=32), "mlp", on_cluster=True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_draws_only_what_is_used(kind):
    assert not set(default_space(Experiment(data="moons", model=kind), 0)) & KINDS[kind].unused.keys()


REFUSED = {
    "moons --model perceptron --l2 0.5": "perceptron would not use l2=0.5",
    "moons --model perceptron --hidden-units 7": "perceptron would not use hidden_units=7: it has no hidden layer",
    "moons --model perceptron --loss mse": "perceptron would not use loss=mse",
    "moons --model nn2 --l2 0.5": "nn2 would not use l2=0.5",
    "moons --model nn1 --hidden-units 64 32": "nn1 would not use hidden_units=64 32",
    "moons --momentum 0.5": "mlp would not use momentum=0.5: the optimizer adam has none",
    "moons --local-steps 3": "it is for a training on a cluster",
    "moons --rotation 3": "are distorted",
    "moons --image-size 8": "--image-size scales the images of a folder",
    "mnist-parity --test-fraction 0.3": "has a test set of its own",
    "--model perceptron": "--model is for your own data",
    "--model mlp": "--model is for your own data",
    "--test-fraction 0.3": "--test-fraction is for your own data",
    "--l2 0.1": "nn2 would not use l2=0.1",
    "--beta1 0.5 --optimizer sgd": "nn2 would not use beta1=0.5: the optimizer sgd has none",
}


@pytest.mark.parametrize("line", REFUSED)
def test_the_command_refuses_what_it_would_not_use(line, tmp_path):
    assert_one_line_error(run("train", *line.split(), folder=tmp_path), REFUSED[line])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["tune", "sweep"])
@pytest.mark.parametrize("option", ["--model mlp", "--model nn2", "--test-fraction 0.2", "--task classification"])
def test_a_search_without_data_refuses_what_is_said_of_data(command, option, tmp_path):
    line = [command, *option.split(), "--learning-rate", "0.1,0.2"]
    assert_one_line_error(run(*line, folder=tmp_path), f"{option.split()[0]} is for your own data")


def test_a_perceptron_is_trained_with_what_is_given_and_its_run_says_so(tmp_path):
    given = ["moons", "--model", "perceptron", "--epochs", "3", "--json"]
    plain = run("train", *given, "--name", "plain", folder=tmp_path)
    other = run("train", *given, "--optimizer", "adamw", "--learning-rate", "0.01", "--name", "other", folder=tmp_path)
    assert plain.returncode == other.returncode == 0, other.stderr
    configuration = (tmp_path / "runs/other/config.toml").read_text()
    assert 'optimizer = "adamw"' in configuration and "learning_rate = 0.01" in configuration
    for unused in ("hidden_units", "activation", "l2", "momentum", "local_steps", "shift"):
        assert f"{unused} =" not in configuration
    text = (tmp_path / "runs/plain/config.toml").read_text()
    assert 'optimizer = "sgd"' in text and "learning_rate = 1.0" in text
    again = run("train", "--config", "runs/other/config.toml", "--name", "again", "--json", folder=tmp_path)
    assert json.loads(again.stdout)["test"] == json.loads(other.stdout)["test"]
    assert json.loads(other.stdout)["test"] != json.loads(plain.stdout)["test"]


def test_nn2_by_its_name_on_digits_is_the_default():
    assert recipe_for("nn2", "default") == Hyperparameters()
    assert NN2().loss == "cross_entropy"
