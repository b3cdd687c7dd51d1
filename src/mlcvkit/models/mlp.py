"""Multi-layer perceptrons of any depth, and their gradients by back-propagation. A sample is a column, as in NN2."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeGuard, overload

import numpy as np
import numpy.typing as npt

from mlcvkit.arrays import PlainData
from mlcvkit.models.activations import ACTIVATIONS, activation_of
from mlcvkit.models.outputs import OUTPUTS, Loss, logit_loss
from mlcvkit.threads import Pace, product
from mlcvlab.models.base import Layer
from mlcvlab.models.nn2 import BLOCK_BYTES
from mlcvlab.nn import Array, as_float


def dropout_mask(rng: np.random.Generator, p: float, a: Array) -> Array:
    """The factors of inverted dropout: 0 with probability p, else 1 / (1 - p).

    Parameters
    ----------
    rng
        The generator that they are drawn from.
    p
        The probability that a unit is dropped, in [0, 1).
    a
        The hidden units, (M, N), whose shape and dtype the factors have.

    Returns
    -------
    Array
        The factors, (M, N).
    """
    mask: Array = (rng.random(a.shape, np.float32) >= p) / a.dtype.type(1 - p)
    return mask


class Dense(Layer):
    """A layer with a bias for each unit.

    Parameters
    ----------
    W
        The weights, (M, K), or None before they are drawn.
    activation
        The activation function of the layer.

    Attributes
    ----------
    b
        The biases, (M, 1), or None for none.
    """

    b: Array | None = None


class Parameters(list[Array]):
    """The weights and biases of some layers as a list; assigning an item assigns the layer's.

    Parameters
    ----------
    places
        The layers, each with the name of the attribute.
    """

    def __init__(self, places: Iterable[tuple[Dense, str]]) -> None:
        self._places = tuple(places)
        super().__init__(getattr(layer, name) for layer, name in self._places)

    def __setitem__(self, index, value) -> None:  # type: ignore[no-untyped-def]
        super().__setitem__(index, value)
        for (layer, name), array in zip(self._places, self, strict=True):
            setattr(layer, name, array)


class _Pass(NamedTuple):
    """What a forward pass leaves for the backward pass.

    These are each layer's input, what each hidden layer's gradient is computed from, with its mask of dropout or None,
    and the logits z.
    """

    inputs: list[Array]
    hidden: list[tuple[Array, Array | None]]
    z: Array


class MLP:
    """Multi-layer perceptron: hidden layers with biases, and an output.

        a₀ = x,    z_l = W_l · a_(l-1) + b_l,    a_l = σ(z_l)      for each hidden layer l
        z = W_Lᵀ · a_(L-1) + b_L,    ŷ = σ_out(z)

    ``W`` is the list [W₁, b₁, ..., W_L, b_L], or [W₁, ..., W_L] without biases. W_l is (M_l, M_(l-1)); W_L is
    (M_(L-1), C), as NN2's w₂ is (M, 1); a bias is (M_l, 1). With one hidden layer, one output and no biases this is
    NN2, and their ``W`` can be exchanged.

    The empirical risk of N samples with weights ω (1 where none are given) is

        L_N = (1/N) Σ_i ω_i ℓ(y_i, ŷ_i) + (λ/2) Σ_l ‖W_l‖²

    Dropout, where a random generator is given, sets each hidden unit to 0 with probability p and divides the others by
    1 - p.

    Parameters
    ----------
    hidden_units
        The number of units of each hidden layer, from the input to the output.
    activation
        The activation of the hidden layers, a name in ``ACTIVATIONS``.
    output
        The activation of the output, a name in ``OUTPUTS``.
    loss
        The loss, a name in ``LOSSES`` or a ``Loss``. By default the one that goes with the output.
    biases
        Whether the layers have biases.
    dropout
        The probability p that dropout sets a hidden unit to 0, in [0, 1).
    l2
        The penalty's λ, 0 or more; biases are not penalised.

    Raises
    ------
    ValueError
        For an unknown name, with the choices, or a number out of its range.

    See Also
    --------
    Perceptron : Without a hidden layer, by the rule of 1958.
    Loss : A loss of one's own.

    References
    ----------
    Handout, Problem 2, for depth L and with biases; Srivastava et al. (2014), "Dropout", section 10, for the division
    during training.

    Examples
    --------
    >>> model = MLP((8, 4), output="softmax").initialize(features=3, outputs=2, seed=0)
    >>> model.predict(np.ones((3, 5), np.float32)).shape
    (2, 5)
    """

    def __init__(
        self,
        hidden_units: Sequence[int] = (100,),
        *,
        activation: str = "relu",
        output: str = "sigmoid",
        loss: str | Loss | None = None,
        biases: bool = True,
        dropout: float = 0.0,
        l2: float = 0.0,
    ) -> None:
        if any(units < 1 for units in hidden_units):
            raise ValueError(f"hidden_units must be 1 or more in each layer; got {tuple(hidden_units)}")
        hidden = activation_of(activation)
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1; got {dropout}")
        if not 0 <= l2 < np.inf:
            raise ValueError(f"l2 must be 0 or more and finite; got {l2}")
        if output not in OUTPUTS:
            raise ValueError(f"unknown output {output!r}; choose one of {', '.join(OUTPUTS)}")
        self.loss = OUTPUTS[output].loss if loss is None else loss
        logit_loss(output, self.loss)  # refuses a loss that does not fit
        self.hidden_units, self.biases = tuple(map(int, hidden_units)), biases
        self.activation, self.output = activation, output
        self.dropout, self.l2 = dropout, l2
        self.layers = (
            *(Dense(None, hidden.function) for _ in self.hidden_units),  # type: ignore[arg-type]
            Dense(None, OUTPUTS[output].function),  # type: ignore[arg-type]
        )

    @property
    def W(self) -> list[Array]:
        """The weights and biases, layer by layer; assigning it assigns those of the layers."""
        names = ("W", "b") if self.biases else ("W",)
        return Parameters((layer, name) for layer in self.layers for name in names)

    @W.setter
    def W(self, weights: Sequence[Array]) -> None:
        mine = self.W
        if len(weights) != len(mine):
            raise ValueError(f"this model has {len(mine)} arrays of weights and biases; got {len(weights)}")
        mine[:] = weights

    def initialize(
        self,
        features: int,
        outputs: int = 1,
        *,
        seed: int | np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> "MLP":
        """Draw the weights from normal distributions, set the biases to 0, and return the model.

            W_l ~ N(0, g / M_(l-1)),    g = 2 for ReLU, else as in ACTIVATIONS

        Parameters
        ----------
        features
            The number of features K.
        outputs
            The number of outputs C.
        seed
            A seed, or the generator to draw from.
        dtype
            The dtype of the weights.

        Returns
        -------
        MLP
            The model itself.

        Raises
        ------
        ValueError
            If K or C is below 1, or C below 2 for a softmax.

        References
        ----------
        He, Zhang, Ren, Sun (2015), equation 10, for ReLU; LeCun, Bottou, Orr, Müller (1998), "Efficient BackProp",
        equation 16, for the others and the output.
        """
        if features < 1 or outputs < 1 + (self.output == "softmax"):
            raise ValueError(f"a model needs features >= 1 and outputs >= 1, a softmax 2; got {features} and {outputs}")
        rng = np.random.default_rng(seed)
        sizes = [features, *self.hidden_units]
        gain = ACTIVATIONS[self.activation].gain
        weights = [rng.normal(0, np.sqrt(gain / before), (units, before)) for before, units in pairwise(sizes)]
        weights.append(rng.normal(0, np.sqrt(1 / sizes[-1]), (sizes[-1], outputs)))
        for layer, W in zip(self.layers, weights, strict=True):
            layer.W = W.astype(dtype)
            if self.biases:
                layer.b = np.zeros((outputs if layer is self.layers[-1] else len(W), 1), dtype)
        return self

    def predict(self, x: npt.ArrayLike) -> Array:
        """Predict the output ŷ of each sample.

        Parameters
        ----------
        x
            The samples, (K, N), one a column; an array or a scipy.sparse matrix.

        Returns
        -------
        Array
            The predictions ŷ, (C, N).

        Raises
        ------
        ValueError
            If x does not fit the weights, with both shapes, or where there are no weights yet.
        """
        return OUTPUTS[self.output].function(self.logits(x))

    def logits(self, x: npt.ArrayLike) -> Array:
        """The logits z, before the output activation.

        Parameters
        ----------
        x
            The samples, (K, N), one a column; an array or a scipy.sparse matrix.

        Returns
        -------
        Array
            The logits, (C, N).

        Raises
        ------
        ValueError
            As for ``predict``.
        """
        X, W = self._checked(x, self.W)
        return np.hstack([self._forward(X[:, i], W).z for i in _blocks(X, W)])

    def emp_loss(
        self,
        train_X: npt.ArrayLike,
        train_y: npt.ArrayLike,
        W: Sequence[Array] | None = None,
        *,
        sample_weight: Array | None = None,
        rng: np.random.Generator | None = None,
    ) -> float:
        """Empirical risk L_N with its penalty; see the class for the equation.

        Parameters
        ----------
        train_X
            The samples, (K, N).
        train_y
            The targets, (C, N).
        W
            The weights to use in place of the model's.
        sample_weight
            The weight ω of each sample, (N,).
        rng
            The generator that dropout is drawn from; without one nothing is dropped.

        Returns
        -------
        float
            The empirical risk L_N.

        Raises
        ------
        ValueError
            If the shapes do not fit, with both shapes.
        """
        X, W = self._checked(train_X, self.W if W is None else W)
        y = self._targets(train_y, X, W)
        loss, total = logit_loss(self.output, self.loss), 0.0
        for i in _blocks(X, W):
            losses = loss.value(y[:, i], self._forward(X[:, i], W, rng).z)
            total += (losses if sample_weight is None else losses * sample_weight[i]).sum(dtype=np.float64)
        penalty = sum(np.vdot(w, w) for w in self._penalised(W)) * self.l2 / 2 if self.l2 else 0.0
        return float(total / X.shape[1] + penalty)

    def grad(self, x: npt.ArrayLike, y: npt.ArrayLike, W: Sequence[Array] | None = None) -> list[Array]:
        """Gradient of the summed loss of some samples, without the penalty.

        Parameters
        ----------
        x
            The samples, (K, N).
        y
            The targets, (C, N).
        W
            The weights to use in place of the model's.

        Returns
        -------
        list[Array]
            The gradient with respect to each array of ``W``.
        """
        X, W = self._checked(x, self.W if W is None else W)
        return self._backward(X, self._targets(y, X, W), W, None, None)

    @overload
    def emp_loss_grad(
        self,
        train_X: npt.ArrayLike,
        train_y: npt.ArrayLike,
        W: Sequence[Array] | None = None,
        layer: None = None,
        *,
        sample_weight: Array | None = None,
        rng: np.random.Generator | None = None,
    ) -> list[Array]: ...

    @overload
    def emp_loss_grad(
        self, train_X: npt.ArrayLike, train_y: npt.ArrayLike, W: Sequence[Array] | None, layer: int
    ) -> Array: ...

    def emp_loss_grad(
        self,
        train_X: npt.ArrayLike,
        train_y: npt.ArrayLike,
        W: Sequence[Array] | None = None,
        layer: int | None = None,
        *,
        sample_weight: Array | None = None,
        rng: np.random.Generator | None = None,
    ) -> list[Array] | Array:
        """Gradient of the empirical risk with respect to the weights and biases.

            δ_L = ∇_z ℓ,                                   ∇_W_L = a_(L-1) · δ_Lᵀ
            δ_l = (∂z_(l+1) / ∂a_l)ᵀ · δ_(l+1) ∘ σ'(z_l),    ∇_W_l = δ_l · a_(l-1)ᵀ,    ∇_b_l = Σ_i δ_l

        and the penalty's λ W_l. Computed in blocks of columns, so that the memory does not grow with N.

        Parameters
        ----------
        train_X
            The samples, (K, N).
        train_y
            The targets, (C, N).
        W
            The weights to use in place of the model's.
        layer
            The index of the one array of ``W`` whose gradient is wanted. By default all.
        sample_weight
            The weight ω of each sample, (N,).
        rng
            The generator that dropout is drawn from; the same state gives the same dropout.

        Returns
        -------
        list[Array] | Array
            The gradient with respect to each array of ``W``, or to the one asked for.

        Raises
        ------
        ValueError
            If the shapes do not fit, with both shapes.
        """
        X, W = self._checked(train_X, self.W if W is None else W)
        total = self._backward(X, self._targets(train_y, X, W), W, sample_weight, rng)
        for gradient in total:
            gradient /= X.shape[1]
        if self.l2:
            for gradient, w in zip(self._penalised(total), self._penalised(W), strict=True):
                gradient += self.l2 * w
        return total if layer is None else total[layer]

    def architecture(self) -> PlainData:
        """The arguments that make this model, without its weights."""
        names = ("hidden_units", "activation", "output", "loss", "biases", "dropout", "l2")
        return {name: getattr(self, name) for name in names}

    def pairs(self, W: Sequence[Array]) -> list[tuple[Array, Array | None]]:
        """The weights and biases of each layer, with the output's weights transposed: all are (units, inputs).

        Parameters
        ----------
        W
            The weights and biases, as in the attribute ``W``.

        Returns
        -------
        list[tuple[Array, Array | None]]
            The weights and the biases, or None, of each layer.
        """
        pairs: list[tuple[Array, Array | None]] = (
            list(zip(W[::2], W[1::2], strict=True)) if self.biases else [(w, None) for w in W]
        )
        return [*pairs[:-1], (pairs[-1][0].T, pairs[-1][1])]

    def _penalised(self, W: Sequence[Array]) -> Sequence[Array]:
        return W[::2] if self.biases else W

    def _forward(self, x: Array, W: Sequence[Array], rng: np.random.Generator | None = None) -> _Pass:
        *hidden_layers, (W_out, b_out) = self.pairs(W)
        inputs: list[Array] = [x]
        hidden: list[tuple[Array, Array | None]] = []
        for W_l, b_l in hidden_layers:
            a, kept = ACTIVATIONS[self.activation].apply(_affine(W_l, inputs[-1], b_l))
            mask = None if rng is None or not self.dropout else dropout_mask(rng, self.dropout, a)
            hidden.append((kept, mask))
            inputs.append(a if mask is None else a * mask)
        return _Pass(inputs, hidden, _affine(W_out, inputs[-1], b_out))

    def _backward(
        self, X: Array, y: Array, W: Sequence[Array], sample_weight: Array | None, rng: np.random.Generator | None
    ) -> list[Array]:
        """The gradients of the summed loss, block by block of columns."""
        loss = logit_loss(self.output, self.loss)
        pairs = self.pairs(W)
        total = [np.zeros(w.shape, w.dtype) for w in W]
        gradients = self.pairs(total)
        for i in _blocks(X, W):
            inputs, hidden, z = self._forward(X[:, i], W, rng)
            delta = loss.gradient(y[:, i], z)
            if sample_weight is not None:
                delta = delta * sample_weight[i]
            for layer in reversed(range(len(pairs))):
                W_gradient, b_gradient = gradients[layer]
                below = inputs[layer].T
                W_gradient += delta @ below if _is_sparse(below) else product(delta, below)
                if b_gradient is not None:
                    b_gradient += delta.sum(axis=1, keepdims=True)
                if layer > 0:
                    kept, mask = hidden[layer - 1]
                    delta = product(pairs[layer][0].T, delta)
                    if mask is not None:
                        delta *= mask
                    ACTIVATIONS[self.activation].backward(kept, delta)
        return total

    def _checked(self, x: npt.ArrayLike, weights: Sequence[Array]) -> tuple[Array, list[Array]]:
        if any(w is None for w in weights) or len(weights) != len(self.layers) * (1 + self.biases):
            raise ValueError("the model has no weights, or not its own: call initialize(features) or assign W")
        W = [as_float(w) for w in weights]
        X = x if _is_sparse(x) else as_float(x)
        features = self.pairs(W)[0][0].shape[1]
        if X.ndim != 2 or X.shape[0] != features or X.shape[1] == 0:
            raise ValueError(f"samples must be the columns of x, (K, N) with K = {features}; got x {X.shape}")
        return X, W

    def _targets(self, y: npt.ArrayLike, X: Array, W: Sequence[Array]) -> Array:
        targets, wanted = np.asarray(y, dtype=W[0].dtype), (self.pairs(W)[-1][0].shape[0], X.shape[1])
        if targets.shape != wanted:
            raise ValueError(f"targets must be (C, N), one column a sample: {wanted}; got y {targets.shape}")
        return targets


class NN1(MLP):
    """One sigmoid unit: logistic regression.

        ŷ = sigmoid(wᵀ x + b)

    ``W`` is [w, (K, 1); b, (1, 1)], or [w] without a bias.

    Parameters
    ----------
    loss
        The loss, a name or a ``Loss``; the cross-entropy by default.
    biases
        Whether the unit has a bias.
    l2
        The penalty's λ, 0 or more.

    References
    ----------
    Bishop (2006), equation 4.87.
    """

    def __init__(self, *, loss: str | Loss | None = None, biases: bool = True, l2: float = 0.0) -> None:
        super().__init__((), loss=loss, biases=biases, l2=l2)

    def architecture(self) -> PlainData:
        """The arguments that make this model, without its weights."""
        return {name: getattr(self, name) for name in ("loss", "biases", "l2")}


def _affine(W: Array, x: Array, b: Array | None) -> Array:
    z: Array = W @ x if _is_sparse(x) else product(W, x)
    if b is not None:
        z += b
    return z


def _is_sparse(x: object) -> TypeGuard[Array]:
    return hasattr(x, "tocsc")


def _blocks(X: Array, W: Sequence[Array]) -> Iterator[slice]:
    """Slices of columns whose widest hidden block fits in NN2's BLOCK_BYTES."""
    widest = max(w.shape[0] for w in W)
    columns = max(1, BLOCK_BYTES // (widest * W[0].itemsize))
    pace = Pace()
    for i in range(0, X.shape[1], columns):
        with pace:
            yield slice(i, i + columns)
