"""The one way from a user's data to a trained network."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mlcvkit.arrays import Indices, PlainData, RawRows, Rows, Values
from mlcvkit.datasets import MNIST_NAMES, ImageEncoder, Samples, TableEncoder, are_images, encoder_for, notes_of
from mlcvkit.errors import InputError
from mlcvkit.experiments.fitting import fit_from, fit_network
from mlcvkit.experiments.kinds import FEWEST_TO_VALIDATE, KINDS, KindName, notes_of_optimizer, require_used, used
from mlcvkit.experiments.penalty import with_penalty
from mlcvkit.experiments.predictor import Predictor, as_numbers, load, targets_as_known
from mlcvkit.experiments.specification import Experiment, require_experiment
from mlcvkit.experiments.splits import LabelledRows, split_rows, split_test_rows
from mlcvkit.experiments.targets import (
    Classes,
    Numbers,
    Targets,
    Task,
    balanced_weights,
    checked_target,
    learn_targets,
    notes_of_target,
)
from mlcvkit.models import (
    MLP,
    Perceptron,
    architecture,
    as_mlp,
    losses_behind,
    scale_weights,
    start_as_linear,
    why_not_linear,
)
from mlcvkit.training import RECIPES, Augmentation, Callback, Hyperparameters, Run, Validation, split_validation
from mlcvlab.models.nn2 import NN2
from mlcvlab.nn import Array
from mlcvlab.nn.losses import LOSSES as HANDOUT_LOSSES

Seed = int | np.random.Generator
ENOUGH_TO_VALIDATE = 5000
"""The fewest rows of a table of which some are held out unasked."""
NOT_OF_ESTIMATORS = {"seed", "validation_samples", *(part.name for part in fields(Augmentation))}
"""The hyperparameters that are no parameters of scikit-learn's estimators."""


@dataclass(frozen=True)
class Trained:
    """A training at its end.

    Parameters
    ----------
    predictor
        The predictor with the trained network.
    run
        The run.
    test
        The raw test rows, and their targets.

    See Also
    --------
    train : Gives one.
    """

    predictor: Predictor
    run: Run
    test: LabelledRows


def train(
    experiment: Experiment,
    samples: Samples | None = None,
    *,
    callbacks: Sequence[Callback] = (),
    resume: Path | str | None = None,
) -> Trained:
    """Train a network on the rows of an experiment that are not held out.

    Parameters
    ----------
    experiment
        The data, the network and its hyperparameters.
    samples
        The data, if they are not to be read from the place in the experiment.
    callbacks
        Informed of the training, in their order.
    resume
        A folder with the checkpoint of an earlier run of the same experiment, to go on with it.

    Returns
    -------
    Trained
        The predictor, the run, and the test rows.

    Raises
    ------
    InputError
        For data that cannot be read, targets that cannot be learned, and hyperparameters that would not be used.
    FloatingPointError
        If the loss diverges.

    See Also
    --------
    Experiment : What is trained.
    load : Reads what ``mlcvlab train`` saved.

    Examples
    --------
    >>> from mlcvkit import Experiment, Hyperparameters
    >>> experiment = Experiment(data="moons", hyperparameters=Hyperparameters(epochs=30, learning_rate=0.01))
    >>> trained = train(experiment)
    >>> trained.run.history.keys() >= {"train_loss"}
    True
    >>> trained.predictor.predict([[0.0, 1.0]])
    array([0])
    """
    return prepare(experiment, samples).fit(callbacks=callbacks, resume=resume)


@dataclass
class Preparation:
    """Everything before the first step.

    Parameters
    ----------
    experiment
        The experiment as it is run: with the number of rows that are held out.
    encoder
        The encoder of the raw rows.
    targets
        The description of the targets.
    model
        The network with its first weights.
    X
        The training rows as the network takes them, (N, ...).
    y
        Their encoded targets, (N,) or (N, C).
    rows
        The indices of the rows to train on, or None for all.
    validation
        Rows and targets to watch the training by, or None.
    hyperparameters
        The hyperparameters of the loop, with the seed of the order of the rows.
    test
        The raw rows to test with at the end, and their targets.
    target
        The name of the target.
    fingerprint
        The SHA-256 sum of the data.
    notes
        Notes on the data and on their use, a line each.
    sample_weight
        The weight of each training row, (N,), or None if all are equal.
    thousands, unit
        How targets that were text are written, as in ``Samples``.
    """

    experiment: Experiment
    encoder: TableEncoder | ImageEncoder
    targets: Targets
    model: MLP | NN2
    X: Rows
    y: Array
    rows: Indices | None
    validation: Validation | None
    hyperparameters: Hyperparameters
    test: LabelledRows
    target: str = "prediction"
    fingerprint: str = ""
    notes: tuple[str, ...] = ()
    sample_weight: Array | None = None
    thousands: str | None = None
    unit: str | None = None

    @property
    def samples(self) -> int:
        """The number of rows that are trained on."""
        return self.X.shape[0] if self.rows is None else len(self.rows)

    @property
    def configuration(self) -> PlainData:
        """What a run records: the data, the network, and the hyperparameters that it uses."""
        return self.experiment.to_dict() | used(
            self.experiment.hyperparameters,
            self.experiment.model,
            rows=self.X.shape[0],
            task=self.targets.task,
            has_weights=self.experiment.init is not None,
            **circumstances(self.X),
        )

    def fit(self, *, callbacks: Sequence[Callback] = (), resume: Path | str | None = None) -> Trained:
        """Train the network.

        Parameters
        ----------
        callbacks
            Callbacks, which are informed in this order.
        resume
            A folder with a checkpoint to go on from.

        Returns
        -------
        Trained
            The predictor, the run, and the test rows.

        Raises
        ------
        InputError, FloatingPointError
            As for ``train``.
        """
        if isinstance(callbacks, Callback) or not all(isinstance(one, Callback) for one in callbacks):
            raise InputError(f"callbacks must be a list of Callback; got {callbacks!r}")
        fit = partial(fit_network, self.model, self.X, self.y, self.hyperparameters, self.targets)
        fit = partial(fit, samples=self.rows, sample_weight=self.sample_weight, validation=self.validation)
        run = fit_from(None if resume is None else Path(resume), lambda begin: fit(callbacks=callbacks, resume=begin))
        return Trained(self.predictor(run.history), run, self.test)

    def predictor(self, history: dict[str, list[float]] | None = None) -> Predictor:
        """The predictor with the present network.

        Parameters
        ----------
        history
            The measurements so far.

        Returns
        -------
        Predictor
            The predictor.
        """
        names = self.target, self.fingerprint
        e, features = self.experiment, int(np.prod(self.X.shape[1:]))
        stored = estimator_to_dict(e.model, e.hyperparameters, self.targets, features)
        return Predictor(
            self.encoder,
            self.model,
            self.targets,
            *names,
            history or {},
            stored,
            notes=self.notes,
            thousands=self.thousands,
            unit=self.unit,
        )


def prepare(experiment: Experiment, samples: Samples | None = None) -> Preparation:
    """Read the data of an experiment, hold out rows, and make the network.

    Parameters
    ----------
    experiment
        The data, the network and its hyperparameters.
    samples
        The data, where they are not to be read from where the experiment says.

    Returns
    -------
    Preparation
        All that there is before the first step.

    Raises
    ------
    InputError
        As for ``train``.

    See Also
    --------
    train : Prepares, and trains to the end.

    Examples
    --------
    >>> from mlcvkit import Experiment
    >>> prepared = prepare(Experiment(data="moons"))
    >>> prepared.samples, prepared.X.shape[1], prepared.configuration["model"]
    (320, 2, 'mlp')
    """
    require_experiment(experiment)
    e = experiment
    samples = e.read() if samples is None else samples
    y, task = checked_target(samples, e.task)
    training, test = split_test_rows(samples, y, e.test_fraction, task, e.hyperparameters.seed)
    prepared = prepare_rows(replace(e, task=task), samples, training)
    prepared.experiment = replace(prepared.experiment, task=e.task)
    prepared.test = test
    if e.test is not None:  # refused before the training and not after it
        _require_known(prepared, test[1])
    if len(test[1]) and samples.test is None and _has_seen(e, samples):
        note = f"some of the test rows are among those that {e.init} was trained on: the scores are too good"
        prepared.notes = (*prepared.notes, note)
    return prepared


def _require_known(prepared: Preparation, y: Values) -> None:
    name = prepared.target
    if isinstance(prepared.targets, Classes):
        targets_as_known(prepared.targets, y, name, prepared.thousands, prepared.unit)
    elif isinstance(prepared.targets, Numbers):
        as_numbers(y, name, prepared.thousands, prepared.unit)


def _has_seen(experiment: Experiment, samples: Samples) -> bool:
    """Whether the run to start from was trained on other rows of the same data than are trained on here."""
    if experiment.init is None:
        return False
    start, saved = Predictor.load(Path(experiment.init))
    there = Experiment.from_dict(saved.configuration)
    known, hp = samples.fingerprint, experiment.hyperparameters
    same_rows = there.test_fraction == experiment.test_fraction and there.hyperparameters.seed == hp.seed
    return start.fingerprint[: len(known)] == known and not (same_rows and start.fingerprint == known)


def _encoded(
    experiment: Experiment, samples: Samples, X: RawRows, y: Values, start: Predictor | None
) -> tuple[TableEncoder | ImageEncoder, Targets, Rows, Array]:
    """The encoder and the targets, learned or of the run to start from, and the rows and targets that they make."""
    assert experiment.task is not None
    if start is not None and experiment.encoding:
        names = ", ".join(experiment.encoding)
        raise InputError(f"{names}: leave it out, since the table is read as {experiment.init} reads it")
    encoder = _learned_encoder(experiment, samples, X) if start is None else start.encoder
    targets = learn_targets(y, experiment.task, samples.class_names) if start is None else start.targets
    has_weights = start is not None
    hp, kind = experiment.hyperparameters, experiment.model
    require_fits(kind, hp, targets, rows=len(y), has_weights=has_weights, **circumstances(X))
    if start is not None:
        _require_as_at_the_start(start, X, experiment.task, experiment.init)
    images = are_images(X)
    rows = X if isinstance(X, np.ndarray) and X.dtype == np.uint8 and images else encoder.transform(X)
    try:
        return encoder, targets, rows, targets.encode(y, np.float32 if images else rows.dtype)
    except ValueError as error:
        raise InputError(f"{experiment.init} was trained for other classes: {error}") from None


def prepare_rows(
    experiment: Experiment, samples: Samples, training: LabelledRows, validation: LabelledRows | None = None
) -> Preparation:
    """The network of an experiment for some samples; some are held out if there are none for validation.

    Images stay bytes, which are scaled and distorted batch by batch, and their validation rows are drawn from all
    alike; of other rows each class gets its share.

    Parameters
    ----------
    experiment
        The network and its hyperparameters, with its task.
    samples
        The data that the rows are of.
    training
        The raw rows to train on, and their targets.
    validation
        The raw rows to watch the training by, and their targets; where left out some of the others are held out.

    Returns
    -------
    Preparation
        All that there is before the first step.
    """
    (X, y), kind, images = training, experiment.model, are_images(training[0])
    hp = experiment.hyperparameters
    start = None if experiment.init is None else load(experiment.init)
    encoder, targets, rows, encoded = _encoded(experiment, samples, X, y, start)
    count = 0
    if validation is None:
        count = validation_rows(hp, len(y), images=images, own_test=samples.test is not None)
        hp = replace(hp, validation_samples=count)
    hp = with_penalty(hp, rows, encoded)
    chosen, held_out, model_seed, seed = _draw(encoded, count, hp.seed, targets, images)
    weights = None if experiment.class_weight is None else balanced_weights(y, targets)
    if validation is not None:
        own = None if weights is None else balanced_weights(validation[1], targets, y)
        parts = encoder.transform(validation[0]), targets.encode(validation[1], encoded.dtype)
        watched: Validation | None = _weighted(*parts, own)
    else:
        own = None if weights is None else weights[held_out]
        watched = None if held_out is None else _weighted(rows[held_out], encoded[held_out], own)
    if weights is not None and chosen is not None:
        weights = weights / weights[chosen].mean()
    if hp.label_smoothing:
        encoded = targets.encode(y, encoded.dtype, hp.label_smoothing)
    model = make_network(kind, hp, targets, int(np.prod(rows.shape[1:])), model_seed)
    hp = _begun(model, hp, (rows, encoded, weights), chosen, has_weights=start is not None)
    of_rows = () if experiment.data in MNIST_NAMES else notes_of(encoder, X)
    return Preparation(
        experiment=replace(experiment, hyperparameters=hp),
        encoder=encoder,
        targets=targets,
        model=model if start is None else _with_weights(model, start, experiment.init),
        X=rows,
        y=encoded,
        rows=chosen,
        validation=watched,
        hyperparameters=replace(hp, seed=seed),
        test=(X[:0], y[:0]),
        thousands=samples.thousands,
        unit=samples.unit,
        sample_weight=weights,
        notes=(*samples.notes, *of_rows, *notes_of_target(y, targets.task), *notes_of_optimizer(hp)),
        target=samples.target or "prediction",
        fingerprint=samples.fingerprint,
    )


def _learned_encoder(experiment: Experiment, samples: Samples, X: RawRows) -> TableEncoder | ImageEncoder:
    """An encoder of the rows to train on, which also knows what may occur in the others."""
    encoder = encoder_for(X, **experiment.encoding)
    if not isinstance(encoder, TableEncoder):
        return encoder.fit(X)
    encoder.fit(X, whole=samples.X, decimals=samples.decimals)
    for known in (samples.X, *(() if samples.test is None else samples.test[:1])):
        encoder.expect(known)
    return encoder


def _weighted(X: Rows, y: Array, weights: Array | None) -> Validation:
    """Rows to watch the training by, with weights of mean 1 where there are any."""
    return (X, y) if weights is None else (X, y, weights / weights.mean())


def _require_as_at_the_start(start: Predictor, X: RawRows, task: Task, run: str | None) -> None:
    """Refuse data that a run, from whose weights a training starts, was not trained on the like of."""
    if isinstance(start.encoder, ImageEncoder) != are_images(X):
        raise InputError(f"{run} was not trained on data of this kind: one is images, the other a table")
    if start.targets.task != task:
        raise InputError(f"{run} was trained for {start.targets.task}, and this is {task}")
    start.encoder.transform(X[:1])  # which refuses other columns, and images of another size


def _with_weights(model: MLP | NN2, start: Predictor, run: str | None) -> MLP | NN2:
    """A network with the weights of a run, which must be of one and the same kind."""
    ours, theirs = architecture(as_mlp(model)), architecture(start.mlp)
    names = ("hidden_units", "activation", "output", "biases")
    if ours.keys() != theirs.keys():
        raise InputError(f"the network of {run} is of another kind: give the same --model")
    differ = [
        f"{name} is {theirs[name]} there, not {ours[name]}" for name in names if ours.get(name) != theirs.get(name)
    ]
    if differ:
        wanted = "" if ours["biases"] == theirs["biases"] else "; an nn2 has no biases and an mlp has: give its --model"
        raise InputError(f"the network of {run} is another one: {'; '.join(differ)}{wanted}")
    model.W = [w.astype(np.float32) for w in start.mlp.W]
    return model


def _begun(
    model: MLP | NN2,
    hp: Hyperparameters,
    weighted: tuple[Rows, Array, Array | None],
    chosen: Indices | None,
    *,
    has_weights: bool,
) -> Hyperparameters:
    """Start a network as the linear model of the training rows, if that is requested or left to us.

    ``weighted`` holds all rows, their targets and their weights. Returns the hyperparameters with what was done.
    """
    if hp.initialization not in (None, "linear") or has_weights:
        return hp if hp.initialization else replace(hp, initialization="he")
    reason: str | None = "this kind of network has no ReLU units with biases"
    if isinstance(model, MLP):
        reason = why_not_linear(model, weighted[0])
    if reason and hp.initialization == "linear":
        raise InputError(f"initialization=linear cannot be used: {reason}; leave it out")
    if reason:
        return replace(hp, initialization="he")
    assert isinstance(model, MLP)
    start_as_linear(model, *weighted, chosen)
    return replace(hp, initialization="linear")


def _draw(
    y: Array, count: int, seed: int, targets: Targets, images: bool
) -> tuple[Indices | None, Indices | None, Seed, int]:
    """The rows to train on and those held out, where the first weights come from, and the seed of the rows' order."""
    if images:
        generator = np.random.default_rng(seed)
        chosen, held_out = split_validation(len(y), count, generator) if count else (None, None)
        return chosen, held_out, generator, seed
    random = np.random.RandomState(seed)
    chosen, held_out = split_rows(len(y), count, targets.strata(y), random) if count else (None, None)
    drawn = int(random.randint(2**31 - 1))
    return chosen, held_out, drawn, drawn


def validation_rows(hp: Hyperparameters, N: int, *, images: bool, own_test: bool) -> int:
    """The number of training rows that are held out to watch the training by.

    Of images always, of other rows only where the training stops by them, and a fifth of all at most. Where the number
    is left to us, a tenth of a table's rows, 1,000 at most, and none of fewer than 5,000: they teach more than they
    tell. Where images have test rows of their own, exactly ``validation_samples``, where that is not as in a recipe.

    Parameters
    ----------
    hp
        The hyperparameters.
    N
        The number of training rows.
    images
        Whether they are images.
    own_test
        Whether the data have test rows of their own.

    Returns
    -------
    int
        The number.
    """
    if N < FEWEST_TO_VALIDATE or not (images or hp.patience):
        return 0
    usual = {recipe.validation_samples for recipe in RECIPES.values()}
    if images and own_test and hp.validation_samples not in usual:
        return hp.validation_samples
    if images or hp.validation_samples != RECIPES["table"].validation_samples:
        return min(hp.validation_samples, N // 5)
    return min(hp.validation_samples, N // 10) if N >= ENOUGH_TO_VALIDATE else 0


def make_network(kind: KindName, hp: Hyperparameters, targets: Targets, features: int, seed: Seed) -> MLP | NN2:
    """A network of a kind with its first weights, float32.

    Parameters
    ----------
    kind
        The kind of network.
    hp
        The hyperparameters.
    targets
        What it predicts.
    features
        The number of features K.
    seed
        A seed, or the generator that the weights are drawn from.

    Returns
    -------
    MLP | NN2
        The network.
    """
    if kind == "perceptron":
        return Perceptron().initialize(features, targets.outputs, seed=seed)
    if kind == "nn2":
        nn2 = NN2(loss=hp.loss or "cross_entropy").initialize(features, hp.hidden_units[0], seed=seed)
        return scale_weights(nn2, hp.initialization or "he")
    options = {name: getattr(hp, name) for name in ("activation", "loss", "dropout", "l2")}
    model = MLP(() if kind == "nn1" else hp.hidden_units, output=targets.output, **options)
    return scale_weights(model.initialize(features, targets.outputs, seed=seed), hp.initialization or "he")


def circumstances(X: RawRows) -> PlainData:
    """What raw rows are: images as bytes, and images that can be distorted.

    Parameters
    ----------
    X
        The raw rows.

    Returns
    -------
    PlainData
        Fields of ``Circumstances``.
    """
    images = isinstance(X, np.ndarray) and are_images(X)
    return {
        "images": images,
        "distortable": isinstance(X, np.ndarray) and images and X.ndim == 3 and X.dtype == np.uint8,
    }


def require_fits(kind: KindName, hp: Hyperparameters, targets: Targets, **circumstances: Any) -> None:
    """Refuse hyperparameters that a network would not use, and targets that it cannot predict.

    Parameters
    ----------
    kind
        The kind of network.
    hp
        The hyperparameters.
    targets
        What is predicted.
    **circumstances
        The fields of ``Circumstances``.

    Raises
    ------
    InputError
        With what does not fit, and what to do.
    """
    if targets.task == "regression" and kind != "mlp":
        raise InputError(f"{kind} predicts classes; a target of numbers needs --model mlp")
    require_used(hp, kind, task=targets.task, **circumstances)
    if kind == "nn2" and len(hp.hidden_units) != 1:
        raise InputError(f"nn2 has one hidden layer; got hidden_units {hp.hidden_units}: choose --model mlp")
    if kind == "nn2" and targets.outputs > 1:
        raise InputError(f"nn2 tells two classes apart; the target has {targets.outputs}: choose --model mlp")
    losses = list(HANDOUT_LOSSES) if kind == "nn2" else losses_behind(targets.output)
    if hp.loss is not None and hp.loss not in losses:
        raise InputError(f"{kind} cannot minimise loss={hp.loss} here; choose one of {', '.join(losses)}")


def estimator_to_dict(kind: KindName, hp: Hyperparameters, targets: Targets, features: int) -> PlainData:
    """The scikit-learn estimator with the same network, by its name and parameters, as a model file records it.

    Parameters
    ----------
    kind
        The kind of network.
    hp
        The hyperparameters.
    targets
        What is predicted.
    features
        The number of features K.

    Returns
    -------
    PlainData
        Its name, its parameters, and the number of features.
    """
    estimator = {"perceptron": "PerceptronClassifier", "nn2": "NN2Classifier"}.get(kind)
    estimator = estimator or ("MLPRegressor" if targets.task == "regression" else "MLPClassifier")
    left_out = NOT_OF_ESTIMATORS | KINDS[kind].unused.keys()
    parameters = {name: value for name, value in vars(hp).items() if name not in left_out} | {"random_state": hp.seed}
    if kind == "nn1":
        parameters["hidden_units"] = ()
    if kind == "nn2":
        parameters |= {"hidden_units": hp.hidden_units[0], "loss": hp.loss or "cross_entropy"}
    return {"kind": estimator, "parameters": parameters, "n_features": features}
