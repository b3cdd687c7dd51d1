"""What an experiment consists of, checked before anything is trained."""

from mlcvkit.experiments.kinds import (
    KINDS,
    Kind,
    KindName,
    recipe_for,
    require_used,
    used,
    with_used_only,
    without_old_defaults,
)

__all__ = [
    "KINDS",
    "Kind",
    "KindName",
    "recipe_for",
    "require_used",
    "used",
    "with_used_only",
    "without_old_defaults",
]
