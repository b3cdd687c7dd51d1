"""Try a wheel and an sdist in clean environments: the base install and each extra, by what each is for.

``make release`` builds both and runs this. ``make release ARGS="--python 3.13"`` takes another Python.
"""

import argparse
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
SMALL = "mlcvlab train moons --epochs 2 --name small"
TRIES = {
    "": [
        "mlcvlab --version",
        "mlcvlab train --hidden-units 16 --epochs 1 --name digits",
        "mlcvlab evaluate runs/digits",
        SMALL,
        "mlcvlab train --resume runs/digits --epochs 2; test $? = 2",
        "! mlcvlab train people.csv --target buys",
    ],
    "fast": ["mlcvlab train --hidden-units 16 --epochs 1 --name digits", "python -c 'import numba'"],
    "tables": [
        "mlcvlab data sample p.csv && mlcvlab train p.csv --target buys --name p && mlcvlab predict runs/p p.csv"
    ],
    "sklearn": ["python -c 'from mlcvkit import MLPClassifier as M; print(M(epochs=2).fit([[0], [1]], [0, 1]))'"],
    "onnx": [f"{SMALL} && mlcvlab export runs/small --to onnx"],
    "cluster": ["mlcvlab train moons --epochs 2 --name c --cluster local:2"],
    "notebook": ["python -c 'import ipywidgets, nbclient, ipykernel'"],
    "course": ["mlcvlab handout students --kit", "mlcvlab check students/hw1; test $? = 1"],
    "tune": ["mlcvlab tune moons --trials 2 --epochs 2 --name t"],
    "report": [f"{SMALL} && mlcvlab report runs/small"],
    "play": ["python -c 'import mlcvkit.playground.server'", "mlcvlab play --help"],
    "all": [SMALL, "mlcvlab --help"],
}


def run(command: str, **options: object) -> None:
    """Run a command; end with its output where it fails."""
    done = subprocess.run(
        command,
        shell=True,
        executable="/bin/bash",
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **options,
    )
    if done.returncode:
        sys.exit(f"{command}: exit code {done.returncode}\n{done.stdout}")


def tried(package: Path, extra: str, python: str) -> None:
    """Install a package with an extra into an environment of its own, and use it in a folder of its own."""
    with TemporaryDirectory() as place:
        uv = f"{ROOT}/.venv/bin/uv"
        run(f"{uv} venv --quiet --python {python} {place}/env")
        wanted = f"mlcvlab[{extra}] @ file://{package}" if extra else f"mlcvlab @ file://{package}"
        run(f"{uv} pip install --quiet --python {place}/env/bin/python '{wanted}'")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        environment["PATH"] = f"{place}/env/bin:{environment['PATH']}"
        (Path(place) / "work").mkdir()
        for command in TRIES[extra]:
            run(command, cwd=f"{place}/work", env=environment)
    print(f"{package.name:42} {extra or 'base':10} Python {python}: {len(TRIES[extra])} commands")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default="3.11", help="the Python of the environments")
    parser.add_argument("--extras", nargs="*", default=list(TRIES), help="'' is the base install")
    given = parser.parse_args()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert TRIES.keys() == {"", *extras}, "an extra is not tried"
    [wheel], [sdist] = ([*(ROOT / "dist").glob(pattern)] for pattern in ("*.whl", "*.tar.gz"))
    for name in given.extras:
        tried(wheel, name, given.python)
    tried(sdist, "", given.python)
