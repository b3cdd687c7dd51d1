import numpy as np
import pytest

from mlcvkit.training import kernels
from mlcvkit.training.coordinates import coordinate_sgd
from mlcvlab.models.nn2 import NN2
from mlcvlab.optim.sgd import SGD


def problem(dtype, seed=0, N=60, K=7):
    rng = np.random.default_rng(seed)
    X = (rng.random((N, K)) * (rng.random((N, K)) < 0.4)).astype(dtype)
    X[:, 3] = 0  # a feature that no sample has
    return X, rng.integers(2, size=N).astype(dtype), NN2().initialize(K, 5, seed=seed, dtype=dtype)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-11), (np.float32, 1e-4)])
def test_the_compiled_sgd_takes_the_steps_of_the_reference(monkeypatch, dtype, tolerance, compiled):
    if not compiled:
        monkeypatch.setattr(kernels, "have_numba", lambda: False)
    paths = [], []
    X, y, model = problem(dtype)
    coordinate_sgd(
        model,
        X,
        y,
        learning_rate=3,
        steps=400,
        seed=1,
        callback=lambda r, W: paths[0].append(np.vstack([W[0].T, W[1].T])),
    )
    X, y, reference = problem(dtype)
    SGD(
        reference, X.T, y[None], lr=3, R=400, seed=1, callback=lambda r, W: paths[1].append(np.vstack([W[0].T, W[1].T]))
    )
    np.testing.assert_allclose(*paths, rtol=tolerance, atol=tolerance)
    assert model.W[0].dtype == dtype and not np.array_equal(paths[0][0], paths[0][-1])
    np.testing.assert_array_equal(model.W[0], paths[0][-1][:-1].T)


def test_bytes_stand_for_grey_values_as_in_fit():
    images = np.random.default_rng(0).integers(256, size=(30, 3, 4), dtype=np.uint8)
    y = np.arange(30) % 2
    a, b = (NN2().initialize(12, 5, seed=0) for _ in range(2))
    coordinate_sgd(a, images, y, steps=50, seed=1)
    coordinate_sgd(b, images.reshape(30, -1) / np.float32(255), y, steps=50, seed=1)
    np.testing.assert_array_equal(a.W[0], b.W[0])


def test_bad_input_is_named_and_the_model_keeps_its_weights():
    X, y, model = problem(np.float32)
    before = [w.copy() for w in model.W]
    with pytest.raises(ValueError, match="learning_rate must be positive and finite; got -1"):
        coordinate_sgd(model, X, y, learning_rate=-1)
    with pytest.raises(FloatingPointError, match="diverged"):
        coordinate_sgd(model, X, y, learning_rate=1e38, steps=500, seed=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.W, strict=True))
    with pytest.raises(ValueError, match=r"use mlcvlab.optim.sgd.SGD for mse"):
        coordinate_sgd(NN2(loss="mse").initialize(7, 5, seed=0), X, y)
