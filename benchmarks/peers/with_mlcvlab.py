"""This project's engine."""

import numpy as np
from protocol import Peer, blas, serve

from mlcvkit import datasets
from mlcvkit.training import Hyperparameters, fit
from mlcvlab.models.nn2 import NN2


class Mlcvlab(Peer):
    def __init__(self):
        super().__init__()
        digits = datasets.mnist()
        self.images, self.y = digits.train_X, datasets.is_even(digits.train_y)

    def info(self):
        return f"NumPy {np.__version__}, {blas()}"

    def make_epoch(self, hidden_units, batch_size):
        return self.make_epoch_of(self.images, self.y, hidden_units, batch_size)

    def make_epoch_of(self, X, y, hidden_units, batch_size):
        model = NN2().initialize(X[0].size, hidden_units, seed=0)
        hyperparameters = Hyperparameters(hidden_units=hidden_units, batch_size=batch_size, epochs=1)
        return lambda: len(X) / fit(model, X, y, hyperparameters=hyperparameters).history["samples_per_second"][-1]

    def make_inference(self, hidden_units):
        model = NN2().initialize(self.images[0].size, hidden_units, seed=0)
        X = datasets.scale_images(self.images[:10_000]).T
        return lambda: model.nn2(X)


if __name__ == "__main__":
    serve(Mlcvlab())
