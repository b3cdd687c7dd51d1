"""Random distortions of images, seeded, as a part of making a batch."""

from dataclasses import dataclass, fields

import numpy as np

from mlcvkit.arrays import Values
from mlcvkit.training import kernels
from mlcvlab.nn import Array

SMOOTHNESS = 4.0
"""Width σ of the Gaussian that smooths an elastic field, in pixels (Simard, Steinkraus, Platt, 2003)."""


@dataclass(frozen=True)
class Augmentation:
    """How strongly images are distorted.

        x' = A (x - c) + c + t + d(x),    A = R(θ) · (1, 0; shear, 1) · diag(1 + a, 1 + b)

    for pixels x = (row, column) and the centre c. Each quantity is drawn for each image, between minus and plus its
    strength; a strength of 0 leaves it out.

    Parameters
    ----------
    shift
        Largest shift t, in pixels.
    rotation
        Largest angle θ, in degrees.
    scale
        Largest a and b, the change of height and width, as shares.
    shear
        Largest slant, as a share of the height.
    elastic
        Root mean square of either component of the displacement d, in pixels, which is a random field smoothed by a
        Gaussian.

    References
    ----------
    Simard, Steinkraus, Platt (2003), "Best practices for convolutional neural networks applied to visual document
    analysis", section 2.
    """

    shift: float = 0
    rotation: float = 0
    scale: float = 0
    shear: float = 0
    elastic: float = 0

    @property
    def active(self) -> bool:
        """Whether any strength is not 0."""
        return any(getattr(self, field.name) for field in fields(self))

    def __call__(self, images: Values, rng: np.random.Generator, out: Array) -> None:
        """Distort images, (N, H, W) of 0 to 255, into the rows of ``out``, (N, H · W), from 0 to 1."""
        maps = self._maps(images.shape, rng)
        fields = self._fields(images.shape, rng)
        kernels.warp(images, maps, fields, out)
        out *= out.dtype.type(1 / 255)

    def _maps(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        N, H, W = shape
        theta, shear, a, b, *t = rng.uniform(-1, 1, (6, N))
        theta = np.deg2rad(self.rotation) * theta
        shear, a, b = self.shear * shear, 1 + self.scale * a, 1 + self.scale * b
        cos, sin = np.cos(theta), np.sin(theta)
        A = np.array([[(cos - sin * shear) * a, -sin * b], [(sin + cos * shear) * a, cos * b]]).transpose(2, 0, 1)
        centre = np.array([(H - 1) / 2, (W - 1) / 2])
        translation = centre - A @ centre + self.shift * np.array(t).T
        return np.concatenate([A, translation[:, :, None]], axis=2).astype(np.float32)

    def _fields(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        N, H, W = shape
        if not self.elastic:
            return np.empty((0, 2, H, W), np.float32)
        noise = rng.standard_normal((N, 2, _knots(H).size, _knots(W).size), np.float32)
        smooth: Array = (np.float32(self.elastic) * _gaussians(H)) @ noise @ _gaussians(W).T
        return smooth


def _knots(size: int) -> Array:
    return np.arange(-SMOOTHNESS, size + SMOOTHNESS, SMOOTHNESS)


def _gaussians(size: int) -> Array:
    """Gaussians around knots that are σ apart, one a column, the squares of each row summing to 1."""
    weights = np.exp(-(((np.arange(size)[:, None] - _knots(size)) / SMOOTHNESS) ** 2) / 2)
    normed: Array = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    return normed.astype(np.float32)
