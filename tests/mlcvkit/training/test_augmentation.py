import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcvkit.datasets import scale_images
from mlcvkit.training.augmentation import Augmentation

STRENGTHS = {"shift": 2, "rotation": 20, "scale": 0.2, "shear": 0.3, "elastic": 1.5}


def images(N=4, seed=0):
    return np.random.default_rng(seed).integers(256, size=(N, 28, 28), dtype=np.uint8)


def augmented(augmentation, batch, seed=0):
    out = np.empty((len(batch), 28 * 28), np.float32)
    augmentation(batch, np.random.default_rng(seed), out)
    return out


@settings(deadline=None)  # the first call compiles
@given(seed=st.integers(0, 2**32))
def test_zero_strength_is_the_identity(seed):
    batch = images(seed=seed)
    np.testing.assert_allclose(augmented(Augmentation(), batch, seed), scale_images(batch), rtol=0, atol=1e-7)
    assert not Augmentation().active


@pytest.mark.parametrize("name", STRENGTHS)
def test_each_strength_distorts_and_follows_the_seed(name):
    augmentation = Augmentation(**{name: STRENGTHS[name]})
    batch = images()
    first, again, other = (augmented(augmentation, batch, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert augmentation.active and not np.array_equal(first, other)
    assert not np.allclose(first, scale_images(batch), atol=0.05)
    assert first.min() >= 0 and first.max() <= 1 + 1e-6


@pytest.mark.parametrize("name", ["shift", "rotation", "scale", "shear"])
def test_no_point_moves_further_than_the_strength_allows(name):
    N, strength = 500, STRENGTHS[name]
    maps = Augmentation(**{name: strength})._maps((N, 28, 28), np.random.default_rng(0))
    corner = np.array([0, 0, 1], np.float32)
    moved = np.abs(maps @ corner - corner[:2]).max(axis=0)
    half = 13.5
    bound = {
        "shift": np.array([strength, strength]),
        "rotation": np.array([1, 1]) * half * (np.sin(np.deg2rad(strength)) + 1 - np.cos(np.deg2rad(strength))),
        "scale": np.array([1, 1]) * half * strength,
        "shear": np.array([0, half * strength]),  # the rows stay, the columns move
    }[name]
    assert (moved <= bound + 1e-4).all()
    assert (moved >= 0.8 * bound - 1e-4).all()


def test_an_elastic_field_has_the_strength_as_its_root_mean_square_and_is_smooth():
    fields = Augmentation(elastic=1.5)._fields((400, 28, 28), np.random.default_rng(0))
    assert np.sqrt(np.mean(fields**2)) == pytest.approx(1.5, rel=0.05)
    assert np.abs(np.diff(fields, axis=3)).mean() < 0.3


def test_shear_slants_an_upright_stroke_and_leaves_a_lying_one_in_its_row():
    upright, lying = np.zeros((2, 28, 28), np.uint8)
    upright[:, 13:15] = lying[13:15] = 255
    pages = np.repeat(np.stack([upright, lying]), 50, axis=0)
    slanted, level = augmented(Augmentation(shear=0.5), pages).reshape(2, 50, 28, 28)
    assert (np.abs(slanted[:, 4].argmax(axis=1) - slanted[:, 23].argmax(axis=1)) > 2).mean() > 0.5
    np.testing.assert_allclose(level[:, :, 8:20], np.broadcast_to(lying[:, 8:20] / 255, (50, 28, 12)), atol=1e-5)


def test_a_shift_by_a_whole_pixel_moves_the_image():
    from mlcvkit.training import kernels

    batch = images(1)
    maps = np.array([[[1, 0, 1], [0, 1, 0]]], np.float32)
    out = np.empty((1, 784), np.float32)
    kernels.warp(batch, maps, np.empty((0, 2, 28, 28), np.float32), out)
    np.testing.assert_array_equal(out.reshape(28, 28)[:-1], batch[0, 1:])
    assert (out.reshape(28, 28)[-1] == 0).all()
