"""The handout's two optimizers, for any model with ``W``, ``emp_loss`` and ``emp_loss_grad``."""
