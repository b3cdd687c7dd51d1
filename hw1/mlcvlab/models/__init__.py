"""Models: layers of weights with a forward and a backward pass."""
