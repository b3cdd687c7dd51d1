"""Hyperparameters that are known to be good for MNIST's even and odd digits."""

from mlcvkit.training.hyperparameters import Hyperparameters

RECIPES = {
    "default": Hyperparameters(),
    "quick": Hyperparameters(
        hidden_units=160, batch_size=256, epochs=4, learning_rate=0.012, schedule="one_cycle", validation_samples=1000
    ),
    "best": Hyperparameters(
        hidden_units=1024,
        optimizer="adamw",
        learning_rate=0.003,
        schedule="one_cycle",
        batch_size=256,
        epochs=60,
        weight_decay=0.01,
        average_epochs=3,
        shift=2,
        rotation=12,
        scale=0.12,
        shear=0.15,
        elastic=0.8,
    ),
}
"""By name."""
