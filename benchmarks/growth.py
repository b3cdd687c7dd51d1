"""The time of a training step against its formula: `python benchmarks/growth.py`.

    time ≈ a + b (2 B K M + 3 B M) + c (K M + M) + d B K

B rows of a batch, K features, M hidden units. a, b, c and d are fitted to all measurements by their relative errors;
each measurement is the median of the repeats, of NN2 with Adam on random bytes of which none is zero.
"""

import argparse
import json
from pathlib import Path
from statistics import median
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.optimize import nnls

from mlcvkit.training import Hyperparameters, fit
from mlcvlab.models.nn2 import NN2

RESULT = Path(__file__).with_suffix(".json")
PICTURE = Path(__file__).parent.parent / "docs" / "images" / "growth.png"
BASE = {"M": 128, "K": 784, "B": 128, "N": 60_000}
SERIES = {
    "M": (8, 32, 128, 512, 2048, 8192),
    "K": (16, 64, 196, 784, 3136, 10_000),
    "B": (1, 8, 32, 128, 512, 2048, 8192),
    "N": (1_000, 10_000, 60_000, 480_000),
}
LONGEST = 4.0
"""Seconds that one measurement may take, about: with fewer rows where an epoch would take longer."""


def measured(M, K, B, N):
    """Seconds of a step."""
    guess = 1e-4 + 2 * B * K * M / 5e10
    rows = int(min(N, max(20 * B, B * LONGEST / guess), 1.2e9 / K))
    rng = np.random.default_rng(0)
    X = rng.integers(1, 256, size=(rows, K), dtype=np.uint8)
    y = rng.integers(2, size=rows).astype(np.float32)
    hp = Hyperparameters(hidden_units=M, batch_size=B, epochs=1, validation_samples=0)
    model = NN2().initialize(K, M, seed=0)
    fit(model, X[: 4 * B], y[: 4 * B], hyperparameters=hp)
    start = perf_counter()
    speed = fit(model, X, y, hyperparameters=hp).history["samples_per_second"][-1]
    return B / speed, perf_counter() - start


def terms(M, K, B, **_):
    return np.array([1.0, 2 * B * K * M + 3 * B * M, K * M + M, B * K])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    console = Console(highlight=False)
    cases = {(letter, value): {**BASE, letter: value} for letter, values in SERIES.items() for value in values}
    times = {case: [] for case in cases}
    for _ in track(range(options.repeats), "Measuring", console=console, transient=True):
        for case, sizes in cases.items():
            times[case].append(measured(**sizes)[0])
    rows = [{"series": s, "value": v, **cases[s, v], "seconds": median(t), "low": min(t), "high": max(t)}
            for (s, v), t in times.items()]  # fmt: skip
    design = np.array([terms(**cases[row["series"], row["value"]]) / row["seconds"] for row in rows])
    scale = design.max(axis=0)
    constants = nnls(design / scale, np.ones(len(rows)))[0] / scale
    for row in rows:
        row["formula"] = float(terms(**cases[row["series"], row["value"]]) @ constants)
    RESULT.write_text(
        json.dumps({"constants": dict(zip("abcd", constants, strict=True)), "rows": rows}, indent=1) + "\n"
    )
    table = Table("", "step", "formula", "measured / formula", "low to high")
    for row in rows:
        step, formula = row["seconds"], row["formula"]
        spread = f"{1e3 * row['low']:.3g} to {1e3 * row['high']:.3g} ms"
        name = f"{row['series']} = {row['value']:,}"
        table.add_row(name, f"{1e3 * step:.3g} ms", f"{1e3 * formula:.3g} ms", f"{step / formula:.2f}", spread)
    console.print(table)
    a, b, c, d = constants
    console.print(
        f"a = {1e6 * a:.1f} µs, 1/b = {1e-9 / b:.1f} billion multiplications a second, "
        f"c = {1e9 * c:.3f} ns, d = {1e9 * d:.3f} ns"
    )
    draw(rows)


def draw(rows):
    """Measured and computed times, a panel for each size."""
    figure, panels = plt.subplots(1, len(SERIES), figsize=(11, 2.9), layout="constrained", sharey=True)
    for axes, letter in zip(panels, SERIES, strict=True):
        own = [row for row in rows if row["series"] == letter]
        at = [row["value"] for row in own]
        axes.loglog(at, [1e3 * row["formula"] for row in own], color="#777777", label="formula")
        axes.loglog(at, [1e3 * row["seconds"] for row in own], "o", color="#2f6fb3", label="measured")
        axes.set_xlabel({"M": "hidden units M", "K": "features K", "B": "batch B", "N": "rows N"}[letter])
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("milliseconds a step")
    panels[0].legend(frameon=False)
    figure.savefig(PICTURE, dpi=120)


if __name__ == "__main__":
    main()
