"""Hyperparameters that are known to be good.

Those for MNIST's even and odd digits are "default", "quick", "best", and "cluster" where eight shards are averaged;
"table" is for other data.
"""

from mlcvkit.training.hyperparameters import Hyperparameters

RECIPES = {
    "default": Hyperparameters(),
    "table": Hyperparameters(
        hidden_units=(100,),
        initialization=None,
        learning_rate=0.002,
        batch_size=64,
        epochs=200,
        l2=None,
        patience=20,
        validation_samples=1000,
    ),
    "cluster": Hyperparameters(learning_rate=0.003),
    "quick": Hyperparameters(
        hidden_units=(160,),
        batch_size=256,
        epochs=4,
        learning_rate=0.012,
        schedule="one_cycle",
        validation_samples=1000,
    ),
    "best": Hyperparameters(
        hidden_units=(2048,),
        optimizer="adamw",
        learning_rate=0.004,
        schedule="one_cycle",
        batch_size=256,
        epochs=100,
        weight_decay=0.01,
        average_epochs=3,
        shift=1.5,
        rotation=10,
        scale=0.1,
        shear=0.1,
        elastic=0.7,
    ),
}
"""By name."""
