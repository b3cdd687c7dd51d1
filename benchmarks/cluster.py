"""What a round on a cluster costs over the computation itself, and what that means for up to 1,000 workers.

Prints tables and writes benchmarks/cluster.json and docs/images/cluster.png. Run it on a quiet machine, without the
variables that choose other matrix products:

    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE .venv/bin/python benchmarks/cluster.py
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from mlcvkit.cluster import ShardedModel, ShardedSamples, connect, find_shards
from mlcvkit.cluster.placement import FAN_IN
from mlcvlab.models.nn2 import NN2

FEATURES, HIDDEN = 1000, 128
MB = 1_000_000
console = Console(width=140)


def written(folder, megabytes, shards):
    """A folder with as many files as shards, each of that size."""
    place = Path(folder) / f"{megabytes}-{shards}"
    if place.exists():
        return place
    place.mkdir()
    rng = np.random.default_rng(0)
    rows = int(megabytes * MB) // (4 * FEATURES)
    block = rng.random((min(rows, 1000), FEATURES), np.float32)
    for i in range(shards):
        X = np.tile(block, (-(-rows // len(block)), 1))[:rows]
        np.savez(place / f"{i:04}.npz", X=X, y=(X[:, i % FEATURES] > 0.5).astype(np.float32))
    return place


class Rounds:
    """Rounds of the exact gradient on one data set, one at a time."""

    def __init__(self, place, client, hidden=HIDDEN):
        self.data = ShardedSamples(find_shards(place, shards=1), client)
        self.model = ShardedModel(NN2().initialize(FEATURES, hidden, seed=0))
        self.weights = [w.copy() for w in self.model.W]

    def seconds(self):
        for w in self.weights:
            w *= np.float32(1 + 1e-6)
        start = time.perf_counter()
        self.model.emp_loss_grad(self.data.X.T, self.data.y[None], self.weights)
        return time.perf_counter() - start


def medians(contestants, repeats):
    """The seconds of each, in turns, after one that is not counted."""
    for rounds in contestants.values():
        rounds.seconds()
    seconds = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, rounds in contestants.items():
            seconds[name].append(rounds.seconds())
    return {name: statistics.median(values) for name, values in seconds.items()}, seconds


def overheads(folder, client, repeats):
    """Two shards, one a worker, of 1, 10 and 100 MB: a round against the computation of one shard in this process."""
    rows = []
    for megabytes in (1, 10, 100):
        place = written(folder, megabytes, 2)
        alone = written(folder, megabytes, 1)
        median, _ = medians({"round": Rounds(place, client), "alone": Rounds(alone, None)}, repeats)
        rows.append({"megabytes": megabytes, **median, "overhead": median["round"] - median["alone"]})
    return rows


def efficiency(folder, client, repeats):
    """Eight shards: samples a second of one process and of two workers, one thread each; and of two processes that
    know nothing of each other with half of the shards each, which is what the machine can do."""
    rows = []
    for megabytes, hidden in ((50, 128), (100, 128), (100, 512)):
        place, half = written(folder, megabytes, 8), written(folder, megabytes, 4)
        contestants = {"alone": Rounds(place, None, hidden), "workers": Rounds(place, client, hidden)}
        median, seconds = medians(contestants, repeats)
        samples = len(contestants["alone"].data)
        pairs = [a / b / 2 for a, b in zip(seconds["alone"], seconds["workers"], strict=True)]
        rows.append(
            {
                "megabytes": megabytes,
                "hidden": hidden,
                **{f"{name}, samples/s": samples / value for name, value in median.items()},
                "two processes, samples/s": samples / apart(half, hidden, repeats),
                "efficiency": statistics.median(pairs),
                "lowest": min(pairs),
                "highest": max(pairs),
            }
        )
    return rows


def apart(place, hidden, repeats):
    """The seconds of two processes at once, of which each computes the gradient of a folder's shards."""
    command = [sys.executable, __file__, "--apart", place, "--hidden", str(hidden), "--repeats", str(repeats)]
    pair = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in pair:
        process.stdout.readline()  # it is ready
    for process in pair:
        process.stdin.write("go\n")
        process.stdin.flush()
    return max(float(process.communicate()[0]) for process in pair)


def be_apart(place, hidden, repeats):
    rounds = Rounds(place, None, hidden)
    rounds.seconds()
    print("ready", flush=True)
    sys.stdin.readline()
    print(statistics.median(rounds.seconds() for _ in range(repeats)))


@dataclass
class Constants:
    """Seconds of a round that has nothing to compute: a + b S + c P for S shards and P parameters, fitted."""

    a: float
    b: float
    c: float

    @classmethod
    def fitted(cls, measured):
        columns = [[1, row["shards"], row["parameters"]] for row in measured]
        seconds = np.array([row["seconds"] for row in measured])
        scale = 1 / seconds  # what counts is the relative error
        found, *_ = np.linalg.lstsq(np.array(columns) * scale[:, None], seconds * scale, rcond=None)
        return cls(*map(float, found))


def empty_rounds(folder, client, repeats):
    """Rounds over shards of four samples each, for numbers of shards and parameters."""
    rows = []
    for shards in (2, 8, 32, 128):
        place = written(folder, 0.016, shards)
        contestants = {hidden: Rounds(place, client, hidden) for hidden in (1, 100, 400)}
        median, _ = medians(contestants, repeats)
        rows += [
            {"shards": shards, "parameters": hidden * (FEATURES + 1), "seconds": seconds}
            for hidden, seconds in median.items()
        ]
    return rows


def client_memory(folder):
    """Peak memory of a client process that trains on 100 and on 1,600 MB, MiB."""
    peaks = {}
    for shards in (2, 32):
        place = written(folder, 50, shards)
        done = subprocess.run([sys.executable, __file__, "--client", place], capture_output=True, text=True, check=True)
        peaks[50 * shards] = float(done.stdout)
    return peaks


def be_client(place):
    with connect("local:2") as client:
        rounds = Rounds(place, client)
        for _ in range(3):
            rounds.seconds()
        print(int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024)


def simulated(workers, constants, computation, parameters, rng, *, spread=0.1, rounds=200):
    """Mean seconds of a round, event by event: one shard a worker, whose time of computing is normal around its mean.

    The scheduler hands out and takes back one task after the other, b seconds each; weights and sums go from worker to
    worker, c P seconds for each that a worker takes in; a sum starts when its last part is there.
    """
    message = constants.c * parameters / 2  # c P is one way there and one way back
    total = 0.0
    for _ in range(rounds):
        told = constants.a + np.arange(1, workers + 1) * constants.b / 2
        told += message * np.ceil(np.log2(np.arange(2, workers + 2)))  # who has the weights hands them on
        ready = told + np.maximum(rng.normal(computation, spread * computation, workers), 0)
        scheduler = float(told[-1])
        while len(ready) > 1:
            groups = [np.sort(ready[i : i + FAN_IN]) for i in range(0, len(ready), FAN_IN)]
            ends = []
            for group in sorted(groups, key=lambda g: g[-1]):
                scheduler = max(scheduler, group[-1]) + len(group) * constants.b / 2
                ends.append(scheduler + message * len(group))
            ready = np.array(ends)
        total += float(ready[0])
    return total / rounds


def simulation(constants, computations, parameters):
    rng = np.random.default_rng(0)
    counts = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000]
    rows = []
    for computation in computations:
        for workers in counts:
            seconds = simulated(workers, constants, computation, parameters, rng)
            rows.append({"workers": workers, "computation": computation, "seconds": seconds})
    return rows


def draw(rows, path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for computation in sorted({row["computation"] for row in rows}):
        mine = [row for row in rows if row["computation"] == computation]
        workers = [row["workers"] for row in mine]
        speedup = [row["workers"] * computation / row["seconds"] for row in mine]
        axes.plot(
            workers, speedup, marker="o", markersize=3, label=f"{computation:g} s of computing a worker and round"
        )
    axes.plot(workers, workers, color="0.7", linestyle="--", label="without any cost")
    axes.set(xscale="log", yscale="log", xlabel="workers", ylabel="times as fast as one process")
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def table_of(title, rows):
    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*(f"{value:.4g}" if isinstance(value, float) else f"{value:,}" for value in row.values()))
    console.print(table)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--client", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--apart", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--hidden", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.apart:
        be_apart(options.apart, options.hidden, options.repeats)
        return
    if options.client:
        be_client(options.client)
        return
    root = Path(__file__).parent
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        with connect("local:2") as client:
            result["overhead"] = overheads(folder, client, options.repeats)
            table_of("A round of two shards against one of them alone, s", result["overhead"])
            result["efficiency"] = efficiency(folder, client, options.repeats)
            table_of("Eight shards", result["efficiency"])
            result["empty rounds"] = empty_rounds(folder, client, options.repeats)
            table_of("Rounds with nothing to compute, s", result["empty rounds"])
        result["client MiB by MB of data"] = client_memory(folder)
        console.print(result["client MiB by MB of data"])
    constants = Constants.fitted(result["empty rounds"])
    result["constants"] = asdict(constants)
    console.print(constants)
    parameters = HIDDEN * (FEATURES + 1)
    result["simulation"] = simulation(constants, (0.1, 1.0, 10.0, 100.0), parameters)
    for row in result["simulation"]:
        row["efficiency"] = row["computation"] / row["seconds"]
    table_of("Simulated rounds, one shard a worker, s", result["simulation"])
    draw(result["simulation"], root.parent / "docs" / "images" / "cluster.png")
    (root / "cluster.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
