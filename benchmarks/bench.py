"""Ratios against the peers, measured alternately in one run: `make bench`.

Each side is a process of its own, asked in turns, each time in another order, so that one works at a time. A ratio is
the peer's time over ours, more is better: the median of the repeats' ratios, with the lowest and the highest.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median

import matplotlib.pyplot as plt
from rich.console import Console
from rich.progress import track
from rich.table import Table

HERE = Path(__file__).parent
SIDES = HERE / "peers"
RESULT = HERE / "latest.json"
PICTURE = HERE.parent / "docs" / "images" / "benchmark.png"
PEERS = {
    "PyTorch": ["with_torch.py"],
    "PyTorch, fused Adam": ["with_torch.py", "fused"],
    "JAX": ["with_jax.py"],
    "scikit-learn": ["with_sklearn.py"],
}
FLOOR, OURS, ONE_THREAD = "bare matrix products", "mlcvlab", "mlcvlab with one thread"
SHAPES = ((128, 128), (1024, 256))
"""Hidden units and batch size."""
LARGE = 8_100_000
PROCESSES = 5
"""How often a whole process is measured."""
console = Console(highlight=False, width=140)


class Side:
    """A process that answers requests."""

    def __init__(self, python, script, *arguments, before=(), **environment):
        command = [*before, python, str(SIDES / script), *arguments]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env={**os.environ, **environment}, **pipes)

    def ask(self, *request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.process.args} ended with code {self.process.wait()}")
        return json.loads(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


@contextmanager
def neighbours(count):
    """Other programs that compute all the time."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for one in running:
            one.kill()
            one.wait()


class Bench:
    """Rows of ratios, from sides that are started by name."""

    def __init__(self, peers_python, repeats):
        self.commands = {OURS: [sys.executable, "with_mlcvlab.py"], FLOOR: [sys.executable, "with_products.py"]}
        self.commands |= {name: [peers_python, *command] for name, command in PEERS.items()}
        self.repeats, self.rows, self.info, self.order = repeats, [], {}, random.Random(0)

    def row(self, name, ours, peer, peer_name, unit="s"):
        """Add a row from the repeats of both sides, which alternated."""
        ratios = [b / a for a, b in zip(ours, peer, strict=True)]
        values = {"ours": median(ours), "peer": median(peer), "peer_name": peer_name, "ratio": median(ratios)}
        self.rows.append({"name": name, **values, "low": min(ratios), "high": max(ratios), "unit": unit})

    def compare(self, name, sides, *request):
        """A request to several sides in turns, ours against each."""
        times = {side: [] for side in sides}
        for _ in track(range(self.repeats), name, console=console, transient=True):
            for side in self.order.sample(list(sides), len(sides)):  # what stands before a side may slow it down
                times[side].append(sides[side].ask(*request))
                time.sleep(0.1)  # the threads of one side fall asleep before the next begins
        for side in sides:
            if side != OURS:
                self.row(name, times[OURS], times[side], side)

    def start(self, stack, *names, before=()):
        """The sides by name, when all of them are ready."""
        sides = {}
        for name in names:
            one_thread = {"OPENBLAS_NUM_THREADS": "1"} if name == ONE_THREAD else {}
            command = self.commands[OURS if name == ONE_THREAD else name]
            sides[name] = stack.enter_context(Side(*command, before=before, **one_thread))
        self.info |= {name: side.ask("info") for name, side in sides.items()}
        return sides

    def training_and_inference(self):
        with ExitStack() as stack:
            sides = self.start(stack, *self.commands)
            for name, info in self.info.items():
                console.print(f"[bold]{name}[/bold]: {info}")
            for hidden_units, batch_size in SHAPES:
                name = f"epoch of Adam, {hidden_units} / {batch_size}"
                self.compare(name, sides, "epoch", hidden_units, batch_size)
                some = {side: sides[side] for side in (OURS, FLOOR, "PyTorch", "JAX")}
                self.compare(f"{name}, no pixel zero", some, "dense_epoch", hidden_units, batch_size)
            self.compare("inference of 10,000 images, 128", sides, "inference", 128)

    def busy(self):
        """Epochs beside one and two other programs that compute all the time, and on one core alone."""
        names = (OURS, ONE_THREAD, "PyTorch", "JAX")
        with ExitStack() as stack:
            sides = self.start(stack, *names)
            for count, told in ((1, "one busy neighbour"), (2, "two busy neighbours")):
                with neighbours(count):
                    for hidden_units, batch_size in SHAPES:
                        name = f"epoch of Adam, {hidden_units} / {batch_size}, {told}"
                        self.compare(name, sides, "epoch", hidden_units, batch_size)
        with ExitStack() as stack:
            sides = self.start(stack, OURS, "PyTorch", "JAX", before=("taskset", "-c", "0"))
            for hidden_units, batch_size in SHAPES:
                name = f"epoch of Adam, {hidden_units} / {batch_size}, one core only"
                self.compare(name, sides, "epoch", hidden_units, batch_size)

    def handout(self):
        """The handout's own algorithms."""
        with ExitStack() as stack:
            sides = self.start(stack, OURS, FLOOR)
            self.compare("full-batch gradient, 128", sides, "full_gradient", 128)
            ours = sides[OURS]
            for hidden_units in (32, 128, 512, 1024):
                name = f"coordinate SGD, a step, {hidden_units}"
                steps, gradients = [], []
                for _ in track(range(self.repeats), name, console=console, transient=True):
                    steps.append(ours.ask("coordinate_step", hidden_units))
                    gradients.append(ours.ask("full_gradient", hidden_units))
                self.row(name, steps, gradients, "full-batch gradient")

    def augmentation(self):
        """What distorting an image takes, against the 20 µs of 50,000 a second."""
        with ExitStack() as stack:
            ours = self.start(stack, OURS)[OURS]
            times = [ours.ask("augmentation") for _ in range(self.repeats)]
        self.row("augmentation of an image", times, [1 / 50_000] * self.repeats, "50,000 a second")

    def growth(self):
        """Time of an epoch as N, M and K double."""
        with ExitStack() as stack:
            ours = self.start(stack, OURS)[OURS]
            series = {
                "N": [(N, 128, 784) for N in (15_000, 30_000, 60_000, 120_000)],
                "M": [(60_000, M, 784) for M in (64, 128, 256, 512)],
                "K": [(60_000, 128, K) for K in (196, 392, 784, 1568)],
            }
            for letter, sizes in series.items():
                times = {size: [] for size in sizes}
                for _ in track(range(self.repeats), f"growth with {letter}", console=console, transient=True):
                    for size in sizes:
                        times[size].append(ours.ask("growth", *size))
                for half, whole in pairwise(sizes):
                    value = whole["NMK".index(letter)]
                    self.row(f"epoch of Adam, {letter} = {value:,}", times[whole], times[half], f"half of {letter}")

    def peak_memory(self):
        """Resident memory of a fresh process that trained one epoch."""
        peaks = {}
        for name in (OURS, *PEERS):
            peaks[name] = []
            for _ in track(range(PROCESSES), f"memory of {name}", console=console, transient=True):
                with Side(*self.commands[name]) as side:
                    side.ask("epoch", 128, 128)
                    peaks[name].append(side.ask("peak_memory"))
        for name in PEERS:
            self.row("peak memory, 128 / 128", peaks[OURS], peaks[name], name, "B")

    def cold_process(self, peers_python, told=""):
        """A whole process, from its start to 98.5 % of the test images."""
        times, misses = {"ours": [], "peer": []}, 0
        with tempfile.TemporaryDirectory() as folder:
            commands = {
                "ours": [sys.executable, "-m", "mlcvkit", "train", "--recipe", "quick", "--output", folder],
                "peer": [peers_python, str(SIDES / "cold_torch.py")],
            }
            for repeat in track(range(PROCESSES), "cold process", console=console, transient=True):
                for side, command in commands.items():
                    names = ["--name", f"{repeat}", "--seed", f"{repeat}"] if side == "ours" else []
                    start = time.perf_counter()
                    ended = subprocess.run([*command, *names], capture_output=True, text=True, check=True)
                    times[side].append(time.perf_counter() - start)
                    accuracy = float(re.search(r"Test accuracy ([\d.]+)", ended.stdout).group(1))
                    if accuracy < 98.5:
                        misses += 1
                        console.print(f"[bold red]{side} ended with {accuracy} %, seed {repeat}[/bold red]")
        missed = f", missed {misses} times of {2 * PROCESSES}" if misses else ""
        self.row(f"cold process to 98.5 %{told}{missed}", times["ours"], times["peer"], "PyTorch")

    def larger_than_memory(self):
        """8.1 million images in a file, against some of them in memory; and a file sorted by its labels."""
        some = 600_000
        with tempfile.TemporaryDirectory(dir=HERE) as folder, ExitStack() as stack:
            path, by_label = (str(Path(folder) / name) for name in ("images.npy", "by_label.npy"))
            in_memory = stack.enter_context(Side(*self.commands[OURS]))
            with console.status(f"Writing {LARGE:,} images"):
                in_memory.ask("write_images", path, LARGE, False)
                in_memory.ask("write_images", by_label, some, True)
            in_memory.ask("mapped_epoch", path, 1000, True, 0)  # loads what the first epoch needs
            ours, peer, peaks, errors, peer_errors = [], [], [], [], []
            for seed in track(range(PROCESSES), "8.1 million images", console=console, transient=True):
                with Side(*self.commands[OURS]) as mapped:
                    mapped.ask("mapped_epoch", path, 1000, True, 0)
                    ours.append(mapped.ask("mapped_epoch", path, LARGE, False, seed)[0])
                    peaks.append(mapped.ask("peak_memory"))
                    errors.append(mapped.ask("mapped_epoch", by_label, some, False, seed)[1])
                peer.append(in_memory.ask("mapped_epoch", path, some, True, seed)[0])
                peer_errors.append(in_memory.ask("mapped_epoch", by_label, some, True, seed)[1])
            self.row("an image of 8.1 million on disk", ours, peer, "600,000 in memory")
            self.row(
                "memory for 8.1 million images", peaks, [Path(path).stat().st_size] * len(peaks), "their file", "B"
            )
            self.row("test error, 600,000 on disk by label", errors, peer_errors, "shuffled in memory", "%")


def shown(value, unit):
    if unit == "B":
        return f"{value / 2**20:,.0f} MiB"
    if unit == "%":
        return f"{value:.2%}"
    scale, name = next((s, n) for s, n in ((1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")) if value >= s)
    return f"{value / scale:.3g} {name}"


def print_table(rows):
    table = Table("", OURS, "peer", "", "ratio", "low to high")
    for row in rows:
        low, high = (f"{row[name]:.2f}" for name in ("low", "high"))
        values = (shown(row[side], row["unit"]) for side in ("ours", "peer"))
        table.add_row(row["name"], *values, row["peer_name"], f"[bold]{row['ratio']:.2f}[/bold]", f"{low} to {high}")
    console.print(table)


def draw(rows):
    """The ratios of training and memory against the peers as bars."""
    wanted = {*PEERS, ONE_THREAD}
    chosen = [row for row in rows if row["peer_name"] in wanted and re.match("epoch|peak|cold", row["name"])]
    figure, axes = plt.subplots(figsize=(8, 0.32 * len(chosen) + 1), layout="constrained")
    at = range(len(chosen))
    ratios = [row["ratio"] for row in chosen]
    spread = [[r["ratio"] - r["low"] for r in chosen], [r["high"] - r["ratio"] for r in chosen]]
    ahead = ["#2a78b0" if ratio >= 1 else "#d9822b" for ratio in ratios]
    axes.barh(at, [ratio - 1 for ratio in ratios], left=1, xerr=spread, color=ahead, ecolor="#777777", height=0.7)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
    axes.minorticks_off()
    axes.set_yticks(at, [f"{row['name'].replace('epoch of Adam, ', '')}: {row['peer_name']}" for row in chosen])
    axes.invert_yaxis()
    figure.supxlabel("the peer's time or memory over ours; rows without a name are epochs of Adam", fontsize=10)
    for i, row in enumerate(chosen):
        axes.annotate(f"{row['ratio']:.1f}", (row["high"], i), (4, 0), textcoords="offset points", va="center")
    axes.margins(x=0.08, y=0.02)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(PICTURE, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", required=True, help="the Python that has the peers")
    parser.add_argument(
        "--repeats", type=int, default=11, help=f"how often each side is measured; whole processes {PROCESSES} times"
    )
    parser.add_argument("--without-large", action="store_true", help="leave out the file of 6.4 GB")
    options = parser.parse_args()
    bench = Bench(options.peers, options.repeats)

    def busy_process():
        with neighbours(1):
            bench.cold_process(options.peers, ", one busy neighbour")

    parts = [
        bench.training_and_inference,
        bench.busy,
        bench.handout,
        bench.augmentation,
        bench.growth,
        bench.peak_memory,
    ]
    parts += [lambda: bench.cold_process(options.peers), busy_process]
    parts += [] if options.without_large else [bench.larger_than_memory]
    for part in parts:
        part()
    print_table(bench.rows)
    beside = RESULT.with_suffix(".partial")
    beside.write_text(json.dumps(bench.rows, indent=1) + "\n")
    beside.replace(RESULT)
    draw(bench.rows)
    console.print(f"Written to {RESULT} and {PICTURE}")


if __name__ == "__main__":
    main()
