"""mlcvlab tune against random search and the defaults: the best validation accuracy found in the same time.

    python benchmarks/tuning.py [--minutes 5] [--seeds 5]

NN2 on MNIST's even and odd digits. Both searches run at the same time, one core each, so that whatever else the machine
does slows both alike; random search draws anywhere and ends no trial early. For each seed the rows to judge by are
others. The result is written to benchmarks/tuning.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from mlcvkit.training import RECIPES
from mlcvkit.tuning import Settings, begin_search, default_space, open_study, run

ARMS = {"tune": ("tpe", True), "random": ("random", False)}


def search(folder: Path, arm: str, seed: int, minutes: float) -> None:
    """One search; the first trial of the tuner is the defaults."""
    sampler, pruning = ARMS[arm]
    base = asdict(RECIPES["default"]) | {"seed": seed}
    settings = Settings("tune", None, {}, base, default_space(None, seed), sampler, pruning, seed)
    run(begin_search(folder, settings), workers=1, on_progress=lambda study: None, budget=60 * minutes)


def compare(seed: int, minutes: float) -> dict[str, float]:
    """Both searches with one seed, side by side."""
    with tempfile.TemporaryDirectory() as folder:
        processes = []
        for core, arm in enumerate(ARMS):
            command = [sys.executable, __file__, "--arm", arm, "--folder", f"{folder}/{arm}"]
            command += ["--seed", str(seed), "--minutes", str(minutes)]
            cores = sorted(os.sched_getaffinity(0))
            chosen = cores[core % len(cores)]
            processes.append(subprocess.Popen(["taskset", "-c", str(chosen), *command]))
        codes = [process.wait() for process in processes]
        if any(codes):
            sys.exit("a search failed")
        found: dict[str, float] = {}
        for arm in ARMS:
            study = open_study(Path(folder) / arm)
            best = study.best()
            found |= {f"{arm} trials": len(study.trials()), arm: best.value if best else float("nan")}
        found["defaults"] = open_study(Path(folder) / "tune").optuna.trials[0].value or float("nan")
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    for hidden in ("--arm", "--folder", "--seed"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.arm:
        search(Path(options.folder), options.arm, int(options.seed), options.minutes)
        return
    rows = []
    for seed in range(options.seeds):
        rows.append({"seed": seed, **compare(seed, options.minutes)})
        print(rows[-1], flush=True)
    means = {name: float(np.mean([row[name] for row in rows])) for name in (*ARMS, "defaults")}
    print("mean", means)
    result = {"minutes": options.minutes, "seeds": rows, "mean": means}
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
