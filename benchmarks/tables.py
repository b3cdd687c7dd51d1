"""Our estimators against scikit-learn's on eight real data sets: five-fold cross-validation, fold by fold in turns.

Same folds, hidden units and largest number of epochs; everything else as each comes. Prints a table for reading and
writes benchmarks/tables.json.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import polars
import sklearn.datasets
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import ttest_rel
from sklearn import neural_network
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlcvkit import estimators
from mlcvkit.datasets import TableEncoder, mnist, mnist_parity

FOLDS = 5
console = Console()


def penguins(folder):
    """Species of 344 penguins, from bill, flipper, mass, island, sex and year."""
    table = polars.read_csv(next(Path(folder).glob("lib/*/site-packages/palmerpenguins/data/penguins.csv")))
    table = polars.read_csv(table.write_csv().encode(), null_values="NA")
    return TableEncoder().fit_transform(table.drop("species")).astype(float), table["species"].to_numpy()


def sets(peers):
    """Name, samples, targets, largest number of epochs."""
    for name in ("iris", "wine", "breast_cancer", "digits", "diabetes"):
        X, y = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
        yield name, X, y, 200
    yield "penguins", *penguins(peers), 200
    images = mnist_parity()
    yield "MNIST, ten digits", images.train_X, mnist().train_y, 20
    yield "MNIST, even or odd", images.train_X, images.train_y.astype(int), 20


def pair(regression, image, epochs, seed):
    """Our estimator and scikit-learn's, with scaled features; pixels are scaled already."""
    kind = "MLPRegressor" if regression else "MLPClassifier"
    ours = getattr(estimators, kind)(hidden_units=(100,), epochs=epochs, random_state=seed)
    theirs = getattr(neural_network, kind)(hidden_layer_sizes=(100,), max_iter=epochs, random_state=seed)
    return [model if image else make_pipeline(StandardScaler(), model) for model in (ours, theirs)]


def compare(name, X, y, epochs):
    regression, image = name == "diabetes", name.startswith("MNIST")
    folds = (KFold if regression else StratifiedKFold)(FOLDS, shuffle=True, random_state=0)
    scores, seconds = np.zeros((2, FOLDS)), np.zeros((2, FOLDS))
    for fold, (train, test) in enumerate(track(list(folds.split(X, y)), description=name, transient=True)):
        for side, model in enumerate(pair(regression, image, epochs, fold)):
            start = time.perf_counter()
            model.fit(X[train], y[train])
            seconds[side, fold] = time.perf_counter() - start
            scores[side, fold] = model.score(X[test], y[test])
    difference = scores[0] - scores[1]
    p = float(ttest_rel(*scores).pvalue) if difference.any() else 1.0
    return {
        "set": name,
        "samples": len(y),
        "score": "R²" if regression else "accuracy",
        "ours": [float(scores[0].mean()), float(scores[0].std())],
        "scikit-learn": [float(scores[1].mean()), float(scores[1].std())],
        "p of no difference": p,
        "seconds": seconds.sum(axis=1).tolist(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default=".venv-peers", help="the environment with the package palmerpenguins")
    warnings.simplefilter("ignore")  # scikit-learn says where the epochs were not enough
    compare("warm up", *sklearn.datasets.load_iris(return_X_y=True), 2)
    results = [compare(*one) for one in sets(parser.parse_args().peers)]
    table = Table("set", "samples", "score", "ours", "scikit-learn", "p", "seconds", "of theirs")
    for r in results:
        ours, theirs = (f"{mean:.4f} ± {spread:.4f}" for mean, spread in (r["ours"], r["scikit-learn"]))
        mine, other = r["seconds"]
        cells = (r["set"], f"{r['samples']:,}", r["score"], ours, theirs, f"{r['p of no difference']:.2f}")
        table.add_row(*cells, f"{mine:.2f}", f"{mine / other:.2f}")
    mine, other = (sum(r["seconds"][side] for r in results) for side in (0, 1))
    table.add_row("in total", "", "", "", "", "", f"{mine:.2f}", f"{mine / other:.2f}")
    console.print(table)
    Path(__file__).with_name("tables.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
