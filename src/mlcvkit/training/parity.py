"""NN2 on MNIST's even and odd digits, as the handout's problem 4 wants it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mlcvkit import InputError, datasets
from mlcvkit.models import scale_weights
from mlcvkit.training.hyperparameters import Hyperparameters
from mlcvkit.training.loop import Callback, Run, accuracy, fit, split_validation
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn import Array


class ParityTask(NamedTuple):
    """A network before its training, the images it is trained on, and which of them."""

    model: NN2
    images: npt.NDArray[np.uint8]
    y: Array
    samples: npt.NDArray[np.intp]
    held_out: npt.NDArray[np.intp]

    def fit(
        self,
        hyperparameters: Hyperparameters,
        *,
        training: dict[str, Any] | None = None,
        callbacks: Sequence[Callback] = (),
        resume: Callable[[Run], None] | None = None,
    ) -> Run:
        """Train the network, watched by the images that are held out.

        Arguments: ``training``, X and y in place of the images, where they lie elsewhere.
        """
        held_out = (self.images[self.held_out], self.y[self.held_out])
        return fit(
            self.model,
            **training or {"X": self.images, "y": self.y, "samples": self.samples},
            validation=held_out if len(self.held_out) else None,
            hyperparameters=hyperparameters,
            metrics={"accuracy": accuracy},
            callbacks=callbacks,
            resume=resume,
        )


def parity_task(hyperparameters: Hyperparameters) -> ParityTask:
    """NN2 with its first weights, and MNIST's 60,000 training images, some of them held out; all from the seed.

    Raises: InputError for hyperparameters that NN2 does not have.
    """
    hp = hyperparameters
    if len(hp.hidden_units) != 1 or hp.activation != "relu" or hp.dropout or hp.l2:
        raise InputError(
            "NN2 has one hidden ReLU layer, without dropout and l2; "
            "mlcvlab train mnist-parity trains networks of any depth on the same digits"
        )
    digits = datasets.mnist()
    images, y = digits.train_X, datasets.is_even(digits.train_y)
    rng = np.random.default_rng(hp.seed)
    samples, held_out = split_validation(len(images), hp.validation_samples, rng)
    model = NN2(loss=hp.loss or "cross_entropy").initialize(datasets.SIDE**2, hp.hidden_units[0], seed=rng)
    scale_weights(model, hp.initialization)
    return ParityTask(model, images, y, samples, held_out)
