"""This project's engine."""

from time import perf_counter, process_time

import numpy as np
from protocol import Peer, blas, serve

from mlcvkit import datasets
from mlcvkit.training import RECIPES, Hyperparameters, accuracy, fit
from mlcvkit.training.augmentation import Augmentation
from mlcvkit.training.coordinates import CompiledCoordinates
from mlcvlab.models.nn2 import NN2
from mlcvlab.optim.sgd import descend

STEPS = 2000


def labels_of(path):
    return path.replace(".npy", "_labels.npy")


class Mlcvlab(Peer):
    def __init__(self):
        super().__init__()
        digits = datasets.mnist()
        self.images, self.y = digits.train_X, datasets.is_even(digits.train_y)

    def info(self):
        return f"NumPy {np.__version__}, {blas()}"

    def make_epoch(self, hidden_units, batch_size):
        return self._epoch_of(self.images, self.y, hidden_units, batch_size)

    def make_dense_epoch(self, hidden_units, batch_size):
        return self._epoch_of(np.maximum(self.images, 1), self.y, hidden_units, batch_size)

    def dense_epoch(self, hidden_units, batch_size):
        return self._timed("make_dense_epoch", hidden_units, batch_size)

    def augmentation(self):
        """Seconds an image, distorted in batches of 256 on one core by all that the best recipe does."""
        distort, rng = RECIPES["best"].make_augmentation(), np.random.default_rng(0)
        out, batches = np.empty((256, 784), np.float32), self.images[: 40 * 256].reshape(-1, 256, 28, 28)
        distort(batches[0], rng, out)
        start = process_time()
        for images in batches:
            distort(images, rng, out)
        return (process_time() - start) / batches[:, :, 0, 0].size

    def make_growth(self, N, M, K):
        """An epoch of N random images of K pixels with M hidden units."""
        rng = np.random.default_rng(0)
        X = rng.integers(256, size=(N, K), dtype=np.uint8)
        return self._epoch_of(X, rng.integers(2, size=N).astype(np.float32), M, 128)

    def growth(self, N, M, K):
        return self._timed("make_growth", N, M, K)

    def make_inference(self, hidden_units):
        model = NN2().initialize(self.images[0].size, hidden_units, seed=0)
        X = datasets.scale_images(self.images[:10_000]).T
        return lambda: model.nn2(X)

    def make_full_gradient(self, hidden_units):
        model = NN2().initialize(self.images[0].size, hidden_units, seed=0)
        X, y = datasets.scale_images(self.images).T, self.y[None]
        return lambda: model.emp_loss_grad(X, y)

    def make_coordinate_step(self, hidden_units):
        model = NN2().initialize(self.images[0].size, hidden_units, seed=0)
        coordinates = CompiledCoordinates(model, datasets.scale_images(self.images).T, self.y[None])
        for feature in range(self.images[0].size):
            coordinates._column(feature)

        def step():
            start = perf_counter()
            descend(coordinates, 0.1, STEPS, 0)
            return (perf_counter() - start) / STEPS

        return step

    def coordinate_step(self, hidden_units):
        """One step of the handout's SGD, the sparse columns of the data in place."""
        return self._timed("make_coordinate_step", hidden_units)

    def write_images(self, path, N, by_label):
        """MNIST over and over, each time distorted anew, as a memory-mapped file; and its labels beside it."""
        source = np.arange(N) % len(self.images)
        if by_label:
            source = source[self.y[source].argsort(kind="stable")]
        np.save(labels_of(path), self.y[source])
        file = np.lib.format.open_memmap(path, "w+", np.uint8, (N, 28, 28))
        rng, size = np.random.default_rng(0), 10_000
        out = np.empty((size, 784), np.float32)
        distort = Augmentation(shift=2, rotation=12, scale=0.12, shear=0.15)
        for first in range(0, N, size):
            part = source[first : first + size]
            distort(self.images[part], rng, out[: len(part)])
            file[first : first + size] = (out[: len(part)] * 255).round().reshape(-1, 28, 28)

    def mapped_epoch(self, path, N, in_memory, seed):
        """One epoch of the first N images of a file: seconds an image, and the error on the test images."""
        X, y = np.load(path, mmap_mode="r")[:N], np.load(labels_of(path))[:N]
        model = NN2().initialize(784, 128, seed=seed)
        hyperparameters = Hyperparameters(hidden_units=128, epochs=1, seed=seed)
        run = fit(model, np.array(X) if in_memory else X, y, hyperparameters=hyperparameters)
        test = datasets.mnist_parity()
        reached = accuracy(model, test.test_X.T, test.test_y[None])
        return 1 / run.history["samples_per_second"][-1], 1 - reached

    def _epoch_of(self, X, y, hidden_units, batch_size):
        model = NN2().initialize(X[0].size, hidden_units, seed=0)
        hyperparameters = Hyperparameters(hidden_units=hidden_units, batch_size=batch_size, epochs=1)
        return lambda: len(X) / fit(model, X, y, hyperparameters=hyperparameters).history["samples_per_second"][-1]


if __name__ == "__main__":
    serve(Mlcvlab())
