"""The handout's own algorithms as ratios in one run: `make benchmark`.

One step of SGD against one full-batch gradient, and that gradient against its own bare matrix products, on the 60,000
MNIST training images. With --sgd-steps R also the accuracy that SGD reaches in R steps with 32 hidden units.
"""

import argparse
import time
import tracemalloc
from statistics import median

from rich.console import Console
from rich.table import Table

from mlcvkit.datasets import mnist_parity
from mlcvkit.training import accuracy
from mlcvlab.models.nn2 import NN2
from mlcvlab.optim.sgd import SGD

console = Console(highlight=False)


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(X, y, hidden_units, steps):
    """Median seconds of the bare products, the gradient, and one step of SGD without and with its set-up."""
    model = NN2().initialize(len(X), hidden_units, seed=0)
    W1 = model.W[0]
    products, gradients, few, many = [], [], [], []
    for _ in range(5):
        products.append(seconds(lambda: (W1 @ X) @ X.T))
        gradients.append(seconds(lambda: model.emp_loss_grad(X, y)))
    for _ in range(3):
        few.append(seconds(lambda: SGD(model, X, y, lr=1, R=steps, seed=0)))
        many.append(seconds(lambda: SGD(model, X, y, lr=1, R=3 * steps, seed=0)))
    step = (median(many) - median(few)) / (2 * steps)
    return median(products), median(gradients), step, median(many) / (3 * steps)


def extra_memory(X, y, hidden_units):
    model = NN2().initialize(len(X), hidden_units, seed=0)
    tracemalloc.start()
    model.emp_loss_grad(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=3000, help="steps of SGD in a measurement")
    parser.add_argument("--sgd-steps", type=int, default=0, help="steps of SGD for the accuracy (600000 takes minutes)")
    options = parser.parse_args()
    data = mnist_parity()
    X, y = data.train_X.T, data.train_y[None]
    table = Table(
        "hidden units", "full gradient", "of bare products", "extra memory", "SGD step", "ratio", "with set-up"
    )
    for hidden_units in (32, 128, 512):
        products, gradient, step, step_with_setup = measure(X, y, hidden_units, options.steps)
        table.add_row(
            f"{hidden_units}",
            f"{gradient * 1e3:.0f} ms",
            f"{products / gradient:.0%}",
            f"{extra_memory(X, y, hidden_units):.0f} MiB",
            f"{step * 1e6:.0f} µs",
            f"{gradient / step:.0f}",
            f"{gradient / step_with_setup:.0f}",
        )
    console.print(table)
    if options.sgd_steps:
        model = NN2().initialize(len(X), 32, seed=0)
        elapsed = seconds(lambda: SGD(model, X, y, lr=10, R=options.sgd_steps, seed=0))
        reached = accuracy(model, data.test_X.T, data.test_y[None])
        console.print(
            f"SGD, 32 hidden units, lr = 10: {reached:.2%} after {options.sgd_steps:,} steps in {elapsed:.0f} s"
        )


if __name__ == "__main__":
    main()
