"""The perceptron: a step activation and the perceptron rule."""

import numpy as np
import numpy.typing as npt

from mlcvkit.arrays import PlainData
from mlcvkit.models.mlp import MLP
from mlcvlab.nn import Array


class Perceptron(MLP):
    """Perceptron: C units with a step activation, each by itself.

        ŷ = step(Wᵀ x + b)

    ``W`` is [W, (K, C); b, (C, 1)], zeros at first. Its empirical risk is the perceptron criterion, whose gradient is
    the perceptron rule, so that descent in steps of one sample and learning rate 1 is Rosenblatt's algorithm; ``learn``
    is that algorithm itself.

    Parameters
    ----------
    biases
        Whether the units have biases.

    See Also
    --------
    MLP : With hidden layers.

    References
    ----------
    Rosenblatt (1958), "The perceptron".

    Examples
    --------
    >>> model = Perceptron().initialize(features=2)
    >>> X, y = np.array([[0, 0, 1, 1], [0, 1, 0, 1]]), np.array([[0, 0, 0, 1]])
    >>> model.learn(X, y) > 0, model.predict(X).astype(int)
    (True, array([[0, 0, 0, 1]]))
    """

    def __init__(self, *, biases: bool = True) -> None:
        super().__init__((), output="step", biases=biases)

    def architecture(self) -> PlainData:
        """The arguments that make this model, without its weights."""
        return {"biases": self.biases}

    def initialize(
        self,
        features: int,
        outputs: int = 1,
        *,
        seed: int | np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> "Perceptron":
        """Set all weights to 0, where the perceptron rule starts.

        Parameters
        ----------
        features
            The number of features K.
        outputs
            The number of units C.
        seed
            Not used; here so that the signature is the one of ``MLP``.
        dtype
            The dtype of the weights.

        Returns
        -------
        Perceptron
            The model itself.
        """
        super().initialize(features, outputs, seed=seed, dtype=dtype)
        self.W = [np.zeros_like(w) for w in self.W]
        return self

    def learn(self, train_X: npt.ArrayLike, train_y: npt.ArrayLike, *, epochs: int = 1000) -> int:
        """The perceptron rule, one sample after the other, until an epoch has no mistake.

            w ← w + (y - ŷ) x,    b ← b + (y - ŷ)

        Where a plane separates the samples by a margin γ (of unit normal, bias included) and all (x, 1) are shorter
        than R, it makes at most (R / γ)² corrections, however many samples there are.

        Parameters
        ----------
        train_X
            The samples, (K, N).
        train_y
            The targets, (C, N), of 0 and 1.
        epochs
            The number of epochs after which it gives up.

        Returns
        -------
        int
            The number of corrections.

        Raises
        ------
        ValueError
            If the shapes do not fit.

        References
        ----------
        Rosenblatt (1958); Novikoff (1962), "On convergence proofs on perceptrons", for the bound.
        """
        X, W = self._checked(train_X, self.W)
        targets = self._targets(train_y, X, W)
        corrections = 0
        for _ in range(epochs):
            before = corrections
            for i in range(X.shape[1]):
                x, y = X[:, i : i + 1], targets[:, i : i + 1]
                error: Array = y - self.predict(x)
                if error.any():
                    corrections += int(np.abs(error).sum())
                    W[0] += (error @ x.T).T
                    if self.biases:
                        W[1] += error
            if corrections == before:
                break
        return corrections
