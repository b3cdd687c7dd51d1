"""Every kernel as numba compiles it, as Python reads it, and its NumPy twin: one result."""

import importlib
import re

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcvkit.training import kernels
from mlcvkit.training.batches import Batches
from mlcvkit.training.gradients import flatten, gradient_of, unflatten
from mlcvlab.models.nn2 import NN2
from numerical import Plain


def adam_arguments(seed, dtype):
    rng = np.random.default_rng(seed)
    w, g, m = rng.normal(size=(3, 50)).astype(dtype)
    s = rng.random(50).astype(dtype)
    return [w, g, m, s, *(dtype(c) for c in (0.9, 0.99, 0.01, 1.7, 1e-8, 0.1))]


def warp_arguments(seed, dtype):
    rng = np.random.default_rng(seed)
    images = rng.integers(256, size=(3, 6, 5), dtype=np.uint8)
    maps = (np.eye(2, 3) + rng.normal(0, 0.5, (3, 2, 3))).astype(dtype)
    fields = rng.normal(0, 1, (3 * (seed % 2), 2, 6, 5)).astype(dtype)
    return [images, maps, fields, np.empty((3, 30), dtype)]


def packed_rows_arguments(seed, dtype):
    rng = np.random.default_rng(seed)
    K = rng.choice([12, 600])
    kept = rng.random(K) < rng.choice([0, 0.5, 0.8, 0.98])  # all features are zero throughout, or some, or hardly any
    X = rng.integers(256, size=(9, K)) * kept
    X = X.astype(np.uint8 if seed % 3 else dtype)
    return [X, rng.integers(9, size=6), dtype(1 / 255), np.zeros(K, np.int64), np.zeros(6 * K, dtype)]


def spread_rows_arguments(seed, dtype):
    rng = np.random.default_rng(seed)
    features = rng.random(8).argsort()[: rng.integers(9)]
    features.sort()
    return [rng.normal(size=(len(features), 3)).astype(dtype), features, rng.normal(size=(8, 3)).astype(dtype)]


def layer_arguments(seed, dtype):
    rng = np.random.default_rng(seed)
    z1 = (3 * rng.normal(size=(6, 5))).round(seed % 3).astype(dtype)  # with zeros, where it is rounded to integers
    return [z1, rng.normal(size=5).astype(dtype), rng.integers(2, size=6).astype(dtype), np.empty(5, dtype)]


def coordinate_arguments(seed, dtype):
    rng = np.random.default_rng(seed)
    z1, z2 = rng.normal(size=(2, 20)).astype(dtype)
    y = rng.integers(2, size=20).astype(dtype)
    delta2 = (1 / (1 + np.exp(-z2)) - y).astype(dtype)
    samples = np.sort(rng.permutation(20)[:9])
    return [samples, rng.random(9).astype(dtype), z1, z2, y, delta2, dtype(rng.normal()), dtype(rng.random())]


PAIRS = [
    (kernels._coordinate_step, kernels._coordinate_step_numpy, coordinate_arguments),
    (kernels._adam_step, kernels._adam_step_numpy, adam_arguments),
    (kernels._warp, kernels._warp_numpy, warp_arguments),
    (kernels._packed_rows, kernels._packed_rows_numpy, packed_rows_arguments),
    (kernels._spread_rows, kernels._spread_rows_numpy, spread_rows_arguments),
    (kernels._cross_entropy_layer, kernels._cross_entropy_layer_numpy, layer_arguments),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("kernel", "twin", "arguments"), PAIRS)
@settings(deadline=None)  # the first call compiles
@given(seed=st.integers(0, 2**32))
def test_a_kernel_its_machine_code_and_its_twin_agree(kernel, twin, arguments, dtype, seed):
    variants = [arguments(seed, dtype) for _ in range(3)]
    for function, values in zip((kernel, kernels.compiled(kernel), twin), variants, strict=True):
        values.append(function(*values) or ())
    tolerance = {np.float32: 2e-4, np.float64: 1e-11}[dtype]
    for plain, machine, numpy in zip(*variants, strict=True):
        np.testing.assert_allclose(machine, plain, rtol=tolerance, atol=tolerance * 10)
        np.testing.assert_allclose(numpy, plain, rtol=tolerance, atol=tolerance * 10)


@pytest.mark.parametrize(("kernel", "twin", "arguments"), PAIRS)
def test_the_machine_code_of_float32_has_no_arithmetic_in_float64(kernel, twin, arguments):
    machine = numba.njit(**kernels.OPTIONS)(kernel)  # not from the cache, which keeps no listing
    machine(*arguments(0, np.float32))
    floats = [listing for types, listing in machine.inspect_llvm().items() if "float64" not in str(types)]
    assert floats
    for listing in floats:
        body = listing.split("define", 2)[1]
        assert not re.search(r"= (fmul|fadd|fsub|fdiv) [^\n]*double", body)


def test_a_gradient_of_nan_or_infinity_is_not_hidden():
    arguments = {}
    for function in (kernels.compiled(kernels._adam_step), kernels._adam_step_numpy):
        arguments[function] = adam_arguments(0, np.float32)
        arguments[function][1][:3] = np.nan, np.inf, -np.inf
        with np.errstate(invalid="ignore"):
            function(*arguments[function])
        assert np.isnan(arguments[function][0][:3]).all()
    for machine, numpy in zip(*arguments.values(), strict=True):
        np.testing.assert_allclose(machine, numpy, rtol=1e-5)


def test_moments_that_fade_become_zero_before_they_are_denormal():
    w, m, s = np.ones((3, 20), np.float32)
    reference = [array.astype(np.float64) for array in (w, m, s)]
    constants = {"beta1": 0.9, "beta2": 0.99, "step_size": 0.01, "correction": 1.0, "epsilon": 1e-8, "decay": 0.0}
    for _ in range(10_000):
        kernels.adam_step(w, np.zeros_like(w), m, s, **constants)
        kernels._adam_step_numpy(reference[0], 0 * reference[0], *reference[1:], **constants)
    assert (m == 0).all() and (s == 0).all()
    np.testing.assert_allclose(w, reference[0], rtol=1e-4)


def test_a_numba_that_cannot_be_imported_is_said_and_done_without(monkeypatch):
    def broken(name):
        raise ImportError("Numba needs NumPy 2.x or less")

    monkeypatch.setattr(importlib, "import_module", broken)
    kernels.have_numba.cache_clear()
    with pytest.warns(UserWarning, match=r"numba cannot be imported, .*: Numba needs NumPy 2.x or less"):
        assert not kernels.have_numba()
    kernels.have_numba.cache_clear()


def test_without_a_folder_for_machine_code_it_is_made_each_time(monkeypatch):
    monkeypatch.setattr(numba.core.caching.CacheImpl, "_locator_classes", [])
    machine = kernels.compiled.__wrapped__(kernels._spread_rows)
    out = np.ones((3, 1), np.float32)
    machine(np.full((1, 1), 2, np.float32), np.array([1]), out)
    assert out[:, 0].tolist() == [0, 2, 0]


def double(values):
    for i in range(values.size):
        values[i] *= 2


@pytest.mark.parametrize("content", [b"", b"not an index", b"\x80\x04"])
def test_a_damaged_index_of_machine_code_is_begun_anew(tmp_path, monkeypatch, content):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))

    def doubled():
        values = np.ones(3)
        kernels.compiled.__wrapped__(double)(values)  # as a new process compiles it, which remembers no kernel
        return values

    assert (doubled() == 2).all()
    (index,) = tmp_path.rglob("*.nbi")
    index.write_bytes(content)
    assert (doubled() == 2).all()
    assert index.read_bytes() != content


def test_without_numba_the_twins_do_the_work(monkeypatch):
    def no_compiler(kernel):
        raise AssertionError("numba was asked for")

    with_numba, without = adam_arguments(0, np.float64), adam_arguments(0, np.float64)
    names = ("beta1", "beta2", "step_size", "correction", "epsilon", "decay")
    kernels.adam_step(*with_numba[:4], **dict(zip(names, with_numba[4:], strict=True)))
    monkeypatch.setattr(kernels, "have_numba", lambda: False)
    monkeypatch.setattr(kernels, "compiled", no_compiler)
    kernels.adam_step(*without[:4], **dict(zip(names, without[4:], strict=True)))
    np.testing.assert_allclose(without[0], with_numba[0], rtol=1e-12)


@pytest.mark.parametrize("loss", ["cross_entropy", "l2", "mse"])
@pytest.mark.parametrize("zero_features", [0, 6])
@pytest.mark.parametrize("samples", [1, 5, 16])
def test_the_gradient_of_a_batch_is_that_of_the_reference(loss, zero_features, samples):
    rng = np.random.default_rng(samples)
    X, y = rng.normal(size=(samples, 10)).astype(np.float32), rng.integers(2, size=samples).astype(np.float32)
    X[:, rng.permutation(10)[:zero_features]] = 0
    model = NN2(loss=loss).initialize(10, 7, seed=1)
    w = flatten(model)
    fast, plain = gradient_of(model, 16), gradient_of(Plain(model), 16)
    for weights in (w, w + np.float32(0.1)):
        for gradient in (fast, fast, plain):
            (batch,) = Batches(X, y, 16, packed=gradient.takes_packed).epoch(0)
            reference = model.emp_loss_grad(X.T, y[None], unflatten(weights, [W.shape for W in model.W]))
            flat = np.concatenate([g.ravel(order="F") for g in reference])
            np.testing.assert_allclose(gradient(weights, batch), flat, rtol=1e-4, atol=1e-6)
