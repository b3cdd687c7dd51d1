import numpy as np
import pytest

from mlcvkit.models import INITIALIZATIONS, MLP, scale_weights
from mlcvlab.models.nn2 import NN2

DEVIATIONS = {  # inputs 300, hidden units 200, outputs 4
    "he": (np.sqrt(2 / 300), np.sqrt(1 / 200)),
    "glorot": (np.sqrt(2 / 500), np.sqrt(2 / 204)),
    "small": (0.01, 0.01),
    "large": (1, 1),
    "zeros": (0, 0),
    "linear": (np.sqrt(2 / 300), np.sqrt(1 / 200)),  # before it is started as the linear model of some rows
}


def test_every_initialization_has_its_deviations_here():
    assert DEVIATIONS.keys() == INITIALIZATIONS.keys()


@pytest.mark.parametrize("name", INITIALIZATIONS)
def test_the_weights_have_the_deviations_of_their_layers_and_the_biases_are_zero(name):
    model = scale_weights(MLP((200,), output="softmax").initialize(300, 4, seed=0), name)
    W1, b1, W2, b2 = model.W
    assert W1.dtype == W2.dtype == np.float32
    for W, deviation in zip((W1, W2), DEVIATIONS[name], strict=True):
        assert W.std() == pytest.approx(deviation, rel=0.06)
        assert abs(W.mean()) <= 5 * deviation / np.sqrt(W.size)
    assert not b1.any()
    assert not b2.any()


@pytest.mark.parametrize("name", [name for name in INITIALIZATIONS if name not in ("he", "linear")])
def test_initializations_of_one_seed_differ_in_scale_alone(name):
    he, other = (NN2().initialize(30, 20, seed=3) for _ in range(2))
    scale_weights(other, name)
    for a, b in zip(he.W, other.W, strict=True):
        factor = float(np.vdot(a, b) / np.vdot(a, a))
        np.testing.assert_allclose(b, factor * a, rtol=1e-5, atol=1e-7)


def test_units_that_start_at_zero_stay_alike():
    model = scale_weights(MLP((5,), activation="tanh").initialize(3, seed=0), "zeros")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(3, 40)).astype(np.float32), rng.integers(2, size=(1, 40)).astype(np.float32)
    model.layers[-1].W += np.float32(0.1)  # off the saddle
    for _ in range(20):
        model.W = [w - np.float32(0.5) * g for w, g in zip(model.W, model.emp_loss_grad(X, y), strict=True)]
    assert np.ptp(model.W[0], axis=0).max() < 1e-6  # to rounding
    assert np.abs(model.W[0]).max() > 0


def test_an_unknown_initialization_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="unknown initialization 'xavier'; choose one of he, glorot"):
        scale_weights(NN2().initialize(3, 2), "xavier")
