"""The kinds of network, and which hyperparameters each of them uses.

Every hyperparameter is used or refused: one that a training would not use must have its default value, and what is
recorded of a run are the values it was trained with.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from mlcvkit.arrays import PlainData
from mlcvkit.errors import InputError
from mlcvkit.training import OPTIMIZERS, RECIPES, Augmentation, Hyperparameters

KindName = Literal["mlp", "nn2", "nn1", "perceptron"]

FEWEST_TO_VALIDATE = 100
"""The fewest training rows of which some are held out to watch the training by."""


@dataclass(frozen=True)
class Kind:
    """A kind of network.

    Parameters
    ----------
    unused
        The hyperparameters that it does not use, with the reason.
    defaults
        Values that are good for it, in place of a recipe's.
    """

    unused: Mapping[str, str] = field(default_factory=dict)
    defaults: PlainData = field(default_factory=dict)


_OPTIMIZERS: PlainData = dict(OPTIMIZERS)
_NO_HIDDEN_LAYER = dict.fromkeys(("hidden_units", "activation", "dropout"), "it has no hidden layer")

KINDS: dict[KindName, Kind] = {
    "mlp": Kind(),
    "nn2": Kind(
        {
            "activation": "its hidden layer is ReLU",
            "dropout": "its hidden units are never dropped",
            "l2": "its loss has no penalty; weight_decay works on its weights",
        }
    ),
    "nn1": Kind(_NO_HIDDEN_LAYER, {"learning_rate": 0.02}),
    "perceptron": Kind(
        _NO_HIDDEN_LAYER
        | {
            "loss": "the perceptron rule has a loss of its own",
            "initialization": "its weights start at 0",
            "l2": "the perceptron rule has no penalty",
            "label_smoothing": "the targets of the perceptron rule are 0 and 1",
        },
        {"optimizer": "sgd", "learning_rate": 1.0},
    ),
}


def recipe_for(kind: KindName, recipe: str = "table") -> Hyperparameters:
    """The hyperparameters of a recipe, with the kind's own defaults and without what the kind does not use.

    Parameters
    ----------
    kind
        The kind of network.
    recipe
        The name of the recipe.

    Returns
    -------
    Hyperparameters
        The hyperparameters.
    """
    plain = Hyperparameters()
    unused = {name: getattr(plain, name) for name in KINDS[kind].unused}
    return replace(RECIPES[recipe], **unused, **KINDS[kind].defaults)


@dataclass(frozen=True)
class Circumstances:
    """What is known of a training beside its network and its hyperparameters.

    Parameters
    ----------
    rows
        The number of training rows.
    on_cluster
        Whether the training runs on a cluster.
    images
        Whether its rows are images.
    distortable
        Whether they are grey images, which can be distorted at random.
    task
        What is predicted: classes or numbers.
    has_weights
        Whether the first weights are those of another run.
    """

    rows: int | None = None
    on_cluster: bool = False
    images: bool = False
    distortable: bool = False
    task: str | None = None
    has_weights: bool = False


def require_used(hyperparameters: Hyperparameters, kind: KindName, **circumstances: Any) -> None:
    """Refuse hyperparameters that a training would not use.

    Parameters
    ----------
    hyperparameters
        All hyperparameters.
    kind
        The kind of network.
    **circumstances
        The fields of ``Circumstances``.

    Raises
    ------
    InputError
        For one that is not used and has another value than its default: which, why, and what to do.
    """
    plain, base = Hyperparameters(), recipe_for(kind)
    unused = _unused(hyperparameters, kind, Circumstances(**circumstances))
    for name, reason in unused.items():
        value = getattr(hyperparameters, name)
        allowed = [getattr(plain, name), getattr(base, name)]
        if name in ("batch_size", "validation_samples"):  # a recipe's, which is of no use only in these circumstances
            allowed += [0, *(getattr(recipe, name) for recipe in RECIPES.values())]
        if value not in allowed:
            advice = f"leave it out{_advice(kind, name)}"
            raise InputError(f"{kind} would not use {name}={_written(value)}: {reason}; {advice}")


def used(hyperparameters: Hyperparameters, kind: KindName, **circumstances: Any) -> PlainData:
    """The hyperparameters that a training uses, by name.

    Parameters
    ----------
    hyperparameters
        All hyperparameters.
    kind
        The kind of network.
    **circumstances
        The fields of ``Circumstances``.

    Returns
    -------
    PlainData
        Names and values.

    Raises
    ------
    InputError
        As for ``require_used``.
    """
    unused = _unused(hyperparameters, kind, Circumstances(**circumstances))
    return {name: value for name, value in asdict(hyperparameters).items() if name not in unused}


def without_old_defaults(stored: PlainData, kind: KindName) -> PlainData:
    """What an earlier version stored of a run, without the values that it recorded and did not use.

    It recorded the recipe's values of all hyperparameters, also of those that a kind does not use, and trained every
    perceptron with the kind's own defaults. A later version records none of the former.

    Parameters
    ----------
    stored
        What was stored: names and values.
    kind
        The kind of network.

    Returns
    -------
    PlainData
        The same without those values.
    """
    unused, not_left_to_the_rows = KINDS[kind].unused, {"l2": 1e-3, "initialization": "he"}
    recipe = asdict(RECIPES["table"]) | not_left_to_the_rows
    recorded = unused.keys() & {"hidden_units", "activation", "initialization", "dropout", "l2"}
    if not recorded or not recorded <= stored.keys():
        return dict(stored)
    as_stored = {name: list(value) if isinstance(value, tuple) else value for name, value in recipe.items()}
    dropped = {name for name in unused if stored.get(name) in (recipe[name], as_stored[name])}
    dropped |= KINDS[kind].defaults.keys() if kind == "perceptron" else set()
    return {name: value for name, value in stored.items() if name not in dropped}


def notes_of_optimizer(hyperparameters: Hyperparameters) -> list[str]:
    """That an optimizer is another one without weight decay, where there is none.

    Parameters
    ----------
    hyperparameters
        All hyperparameters.

    Returns
    -------
    list[str]
        The note, or nothing.
    """
    usual = getattr(_OPTIMIZERS[hyperparameters.optimizer], "weight_decay", 0.0)
    if not usual or hyperparameters.weight_decay:
        return []
    name = hyperparameters.optimizer
    return [f"{name} decays nothing with weight_decay 0, and is {name.removesuffix('w')} then: {usual:g} is usual"]


def with_used_only(hyperparameters: Hyperparameters) -> Hyperparameters:
    """The hyperparameters of a trial, with those that only other optimizers have at their defaults.

    Parameters
    ----------
    hyperparameters
        What was drawn.

    Returns
    -------
    Hyperparameters
        What is trained with.
    """
    plain = Hyperparameters()
    names = _of_other_optimizers(hyperparameters.optimizer)
    return replace(hyperparameters, **{name: getattr(plain, name) for name in names})


def _unused(hp: Hyperparameters, kind: KindName, known: Circumstances) -> dict[str, str]:
    found = dict(KINDS[kind].unused)
    if known.has_weights:
        found["initialization"] = "the first weights are those of another run"
    if known.task == "regression":
        found["label_smoothing"] = "it is for classes"
    found |= dict.fromkeys(_of_other_optimizers(hp.optimizer), f"the optimizer {hp.optimizer} has none")
    if not known.on_cluster:
        found["local_steps"] = "it is for a training on a cluster"
    elif hp.local_steps == 0:
        found["batch_size"] = "with local_steps=0 each epoch is one step with the gradient of all samples"
    if not known.distortable:
        reason = "only grey images, such as those of mnist-parity, are distorted"
        found |= {part.name: reason for part in fields(Augmentation)}
    if not known.images and not hp.patience:
        found["validation_samples"] = "no rows are held out where patience is 0"
    if known.rows is not None and known.rows < FEWEST_TO_VALIDATE:
        found["validation_samples"] = f"of fewer than {FEWEST_TO_VALIDATE} rows none are held out"
    return found


def _of_other_optimizers(optimizer: str) -> set[str]:
    names = {name: {part.name for part in fields(kind)} for name, kind in _OPTIMIZERS.items()}
    return set().union(*names.values()) - names[optimizer] - {"weight_decay"}  # which works with each of them


def _advice(kind: KindName, name: str) -> str:
    others = [other for other in KINDS if other != kind and name not in KINDS[other].unused]
    return f", or choose --model {others[0]}" if name in KINDS[kind].unused and others else ""


def _written(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
