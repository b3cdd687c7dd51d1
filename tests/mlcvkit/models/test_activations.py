"""Every row of the table of activations: its formula in 400 digits, its gradient, and every place that uses it."""

import json

import numpy as np
import onnxruntime
import pytest
from mpmath import expm1, pi, tanh

from command import run
from exact import exp, log, mpf, sqrt
from mlcvkit.models import ACTIVATIONS, MLP
from mlcvkit.training import Hyperparameters, MiniBatchSteps, flatten

EXACT = {
    "relu": lambda z: z if z > 0 else mpf(0),
    "tanh": tanh,
    "sigmoid": lambda z: 1 / (1 + exp(-z)),
    "leaky_relu": lambda z: z if z > 0 else mpf("0.01") * z,
    "elu": lambda z: z if z > 0 else expm1(z),
    "gelu": lambda z: z / 2 * (1 + tanh(sqrt(2 / pi) * (z + mpf("0.044715") * z**3))),
    "silu": lambda z: z / (1 + exp(-z)),
    "softplus": lambda z: log(1 + exp(z)),
}
"""The formulas once more, from their papers."""
POINTS = np.array([-700.0, -37, -30, -8.3, -3, -1.2, -0.4, -1e-6, 1e-6, 0.3, 1, 2.7, 8, 30, 37, 700])


def slope(name, z):
    """A central difference in 400 digits, exact to all that is compared."""
    h = mpf(10) ** -60
    return float((EXACT[name](mpf(z) + h) - EXACT[name](mpf(z) - h)) / (2 * h))


def test_every_row_has_an_exact_twin_here():
    assert list(EXACT) == list(ACTIVATIONS)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_function_is_its_formula_in_the_tails_too(name):
    expected = [float(EXACT[name](mpf(z))) for z in POINTS]
    np.testing.assert_allclose(ACTIVATIONS[name].function(POINTS.copy()), expected, rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_gradient_is_that_of_the_formula(name):
    activation = ACTIVATIONS[name]
    _, kept = activation.apply(POINTS.copy())
    expected = np.array([slope(name, z) for z in POINTS])
    # from the output alone what is below the last bit of 1 cannot be known
    absolute = 1e-300 if activation.of_input else 3e-16
    np.testing.assert_allclose(activation.gradient(kept), expected, rtol=1e-11, atol=absolute)
    delta = np.full(len(POINTS), 3.0)
    activation.backward(kept, delta)
    np.testing.assert_array_equal(delta, 3 * activation.gradient(kept))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_dtype_and_shape_stay_and_nothing_overflows(name, dtype):
    activation = ACTIVATIONS[name]
    z = np.array([[-1e4, -90, 0], [1e-3, 90, 1e4]], dtype)
    with np.errstate(over="raise", invalid="raise"):
        a, kept = activation.apply(z.copy())
        gradient = activation.gradient(kept)
    for result in (a, gradient):
        assert result.dtype == dtype and result.shape == z.shape and np.isfinite(result).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_back_propagation_and_the_mini_batch_have_the_gradient_of_the_loss(name):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 5)), (rng.random(40) > 0.5).astype(float)
    model = MLP((7, 4), activation=name).initialize(5, seed=1, dtype=np.float64)
    W = [w.copy() for w in model.W]
    direction = [rng.normal(size=w.shape) for w in W]

    def along(t):
        return model.emp_loss(X.T, y[None], [w + t * d for w, d in zip(W, direction, strict=True)])

    h = 1e-5  # so small that no unit crosses its kink
    expected = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
    gradient = model.emp_loss_grad(X.T, y[None])
    assert sum(np.vdot(g, d) for g, d in zip(gradient, direction, strict=True)) == pytest.approx(expected, rel=1e-6)
    flat = flatten(model)
    steps = MiniBatchSteps(model, X, y, Hyperparameters(optimizer="sgd", batch_size=40, epochs=1))
    before = flat.copy()
    for take in steps.epoch(0):
        take(flat, steps.start(flat), 1.0)
    ours = np.concatenate([g.ravel(order="F") for g in gradient])
    np.testing.assert_allclose(before - flat, ours, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_network_is_trained_saved_exported_and_runs_elsewhere(name, tmp_path):
    given = ["moons", "--activation", name, "--hidden-units", "12", "6", "--epochs", "60", "--learning-rate", "0.02"]
    done = run("train", *given, "--name", "r", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["test"]["accuracy"] > 0.8
    assert f'activation = "{name}"' in (tmp_path / "runs/r/config.toml").read_text()
    assert run("export", "runs/r", folder=tmp_path).returncode == 0
    from mlcvkit import load, read

    predictor, X = load(tmp_path / "runs/r"), read("moons").X.astype(np.float32)
    session = onnxruntime.InferenceSession(tmp_path / "runs/r/model.onnx")
    probabilities = session.run(["probabilities"], {"X": X})[0]
    columns = predictor.predict_columns(X)
    np.testing.assert_allclose(probabilities[:, 1], columns["probability 1"], atol=1e-5)
