"""Check your own work on the homework: ``mlcvlab check hw1``. It says what is wrong and gives no points. Each function
is called with inputs whose right results are known. Your code runs with your own rights, as if you ran it. The grader
uses other inputs and checks more.
"""

import argparse
import ast
import importlib
import json
import os
import sys
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from .tree import file_problems, is_ignored, signature_problems

NOT_YET = "it is not implemented yet"


def run() -> None:
    """The command as a program; a closed output is not an error."""
    try:
        code = main()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 1
    sys.exit(code)


def main(arguments: list[str] | None = None) -> int:
    """The command; its exit code is 1 where something is wrong, and 2 where there is nothing to check."""
    parser = argparse.ArgumentParser(prog="mlcvlab", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="check")
    check = commands.add_parser("check", help="say what is wrong with the functions of a folder hw1")
    check.add_argument("tree", nargs="?", default=".", help="the folder hw1, or the one that holds it")
    tree = Path(parser.parse_args(arguments).tree)
    roots = [root for root in (tree, tree / "hw1") if (root / "mlcvlab").is_dir()]
    if not roots:
        print(f"mlcvlab: error: {tree} is not the homework's folder: give hw1, or its parent", file=sys.stderr)
        return 2
    sys.path.insert(0, str(roots[0].resolve()))
    known = json.loads(files("mlcvkit").joinpath("tables.json").read_text(encoding="utf-8"))
    found = {row["function"]: problems(row) for row in known["functions"]}
    broken = rules_broken(roots[0], known)
    for name, wrong in found.items():
        print(f"{'ok' if not wrong else 'not yet' if wrong == [NOT_YET] else 'WRONG':8} {name}")
        for line in wrong[:3] if wrong != [NOT_YET] else []:
            print(f"         {line}")
    for rule in broken:
        print(f"RULE     {rule}")
    rules = f"; {len(broken)} broken rules cost points" if broken else ""
    print(f"{sum(not wrong for wrong in found.values())} of {len(found)} are right{rules}", flush=True)
    return 1 if broken or any(found.values()) else 0


def rules_broken(tree: Path, known: dict[str, Any]) -> list[str]:
    """Added and missing files, and functions with other arguments."""
    files_here = [path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()]
    problems = list(file_problems([place for place in files_here if not is_ignored(place)], known["files"]))
    for file, correct in known["signatures"].items():
        if (tree / file).is_file():
            problems += signature_problems(file, (tree / file).read_bytes(), correct, ast.parse)
    return problems


def problems(row: dict[str, Any]) -> list[str]:
    """What is wrong with a function: the first case of each property."""
    name = row["function"]
    try:
        module = importlib.import_module(row["module"])
        is_method = row["module"].endswith(".nn2")
        subject = getattr(module, "NN2" if is_method else name)
    except Exception as error:
        return [f"{row['module']} cannot be imported: {type(error).__name__}: {error}"]
    problems: dict[str, str] = {}
    for case in row["cases"]:
        try:
            with np.errstate(all="ignore"):
                check = of_optimizer if name in OPTIMIZERS else of_function
                problem = check(subject, name, case)
        except NotImplementedError:
            return [NOT_YET]
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        if problem:
            problems.setdefault(case["property"], f"{case['property']}: {problem}")
    return [*problems.values(), *([f"the equation: {row['equation']}"] if problems and row["equation"] else [])]


def of_function(subject: Any, name: str, case: dict[str, Any]) -> str:
    """The result of a function, or of a method of NN2 with given weights, in one case."""
    args = [array(arg) for arg in case["args"]]
    before = [array(arg) for arg in case["args"]]
    if case["own"] is not None:
        model = subject()
        model.W = [np.array(w) for w in case["own"]]
        while args and args[-1] is None:
            args.pop()
        subject = getattr(model, name)
    value = subject(*args)
    if value is None:
        return "it returned None: is a return missing?"
    expected = np.array(case["expected"])
    joined = (
        np.concatenate([np.ravel(part) for part in value]) if isinstance(value, list | tuple) else np.asarray(value)
    )
    shown = f"for {', '.join(text(arg) for arg in before if arg is not None)}"
    if case.get("least") is not None:
        correct = joined.size == expected.size and np.isfinite(joined).all()
        correct = correct and bool(np.all(np.ravel(joined) * np.sign(np.ravel(expected)) >= case["least"]))
        return (
            ""
            if correct
            else f"{shown}: it must be finite, with the signs {text(np.sign(expected))}; got {text(joined)}"
        )
    if not isinstance(value, list | tuple) and joined.shape != expected.shape and expected.size > 1:
        return f"{shown}: the result must have shape {expected.shape}, got {joined.shape}"
    all_correct = [expected, *map(np.array, case["also"])]
    if not any(is_near(joined, correct, case) for correct in all_correct):
        return f"{shown}: expected {text(expected)}, got {text(joined)}"
    same = all(np.array_equal(a, b) for a, b in zip(before, args, strict=False) if isinstance(b, np.ndarray))
    return "" if same else "it changes its input in place: make a new array"


def is_near(got: Any, correct: Any, case: dict[str, Any]) -> bool:
    """Whether numbers are close to the right ones, in any shape."""
    return got.size == correct.size and np.allclose(
        np.ravel(got), np.ravel(correct), rtol=case["rtol"], atol=case["atol"]
    )


class Layer:
    """A layer of a model."""

    def __init__(self, W: Any, activation: Any) -> None:
        self.W, self.activation = W, activation


class Asked(list[Any]):
    """The weights at which a model and its copies were asked for a gradient."""

    def __deepcopy__(self, _: Any) -> Any:
        return self


class Weights(list[Any]):
    """The weights as a list of their own, as in the handout: assigning an item assigns the layer's ``W``."""

    def __init__(self, layers: list[Layer]) -> None:
        super().__init__(layer.W for layer in layers)
        self._layers = layers

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(index, value)
        for layer, W in zip(self._layers, self, strict=True):
            layer.W = W


class Model:
    """A model of a quadratic risk: L(W) = Σ c (w - t)² / 2, and its gradient c (w - t)."""

    loss = "cross_entropy"

    def __init__(self, case: dict[str, Any]) -> None:
        self.curvature, self.target, start = (
            list(map(np.array, case[key])) for key in ("curvature", "target", "start")
        )
        students = sys.modules.get("mlcvlab.nn.activations")
        own = [getattr(students, name, None) for name in ("relu", "sigmoid")]
        self.layers = [Layer(W, activation) for W, activation in zip(start, own, strict=True)]
        self.asked = Asked()

    @classmethod
    def of(cls, case: dict[str, Any]) -> Any:
        """The model, which claims to be an NN2."""
        students = getattr(sys.modules.get("mlcvlab.models.nn2"), "NN2", None)
        if not isinstance(students, type):
            return cls(case)
        return type("NN2", (cls, students), {})(case)

    @property
    def W(self) -> Any:
        return Weights(self.layers)

    @W.setter
    def W(self, weights: Any) -> None:
        for layer, W in zip(self.layers, weights, strict=True):
            layer.W = W

    def nn2(self, x: Any, *_: Any, **__: Any) -> Any:
        return np.full((1, np.shape(x)[1] if np.ndim(x) == 2 else 1), 0.5)

    def grad(self, x: Any, y: Any, W: Any = None, *_: Any, **__: Any) -> Any:
        return [np.size(y) * gradient for gradient in self.emp_loss_grad(x, y, W)]

    def emp_loss(self, X: Any, y: Any, W: Any = None, **_: Any) -> float:
        W = self.W if W is None else W
        return float(sum((c * (w - t) ** 2).sum() / 2 for c, w, t in zip(self.curvature, W, self.target, strict=True)))

    def emp_loss_grad(self, X: Any, y: Any, W: Any = None, layer: Any = None, **_: Any) -> Any:
        W = self.W if W is None else W
        self.asked.append(np.concatenate([np.ravel(w) for w in W]))
        gradients = [c * (w - t) for c, w, t in zip(self.curvature, W, self.target, strict=True)]
        return gradients if layer is None else gradients[layer]


def of_sgd(subject: Any, model: Any, case: dict[str, Any]) -> str:
    """Whether each step changes one weight, by lr times its partial derivative."""
    X, y = np.zeros((np.shape(case["start"][0])[1], 2)), np.zeros((1, 2))
    curvature, target = (np.concatenate([np.ravel(part) for part in case[key]]) for key in ("curvature", "target"))
    final = subject(model, X, y, **case["options"])
    if final is None:
        return "it returned None: is a return missing?"
    path = [np.concatenate([np.ravel(part) for part in case["start"]]), *model.asked]
    path.append(np.concatenate([np.ravel(w) for w in final]))
    if any(follows(path, case, curvature, target, zeroed=zeroed) for zeroed in (False, True)[: 1 + case["zeroed"]]):
        return ""
    steps = 0
    for before, after in pairwise(path):
        moved = np.flatnonzero(np.abs(after - before) > 1e-6)
        if not len(moved):
            continue
        steps += 1
        if len(moved) > 1:
            return f"a step changed {len(moved)} weights: it is one random weight"
        j = moved[0]
        correct = -case["options"]["lr"] * curvature[j] * (before[j] - target[j])
        if not np.isclose(after[j] - before[j], correct, rtol=1e-3, atol=1e-6):
            return f"a step changed a weight by {after[j] - before[j]:.6g}, expected {correct:.6g}"
    wanted = case["options"]["R"]
    return "" if steps == wanted else f"with R = {wanted} there were {steps} steps"


def follows(path: list[Any], case: dict[str, Any], curvature: Any, target: Any, *, zeroed: bool) -> bool:
    """Whether the steps lead from the first weights to the last. A gradient that is computed elsewhere is no step, but
    with ``zeroed`` each is computed where all weights but one are 0, as the handout has it printed.
    """
    current, lr, steps = path[0].copy(), case["options"]["lr"], 0
    for after in path[1:]:
        of_step = np.flatnonzero(after) if zeroed else np.flatnonzero(np.abs(after - current) > 1e-6)
        if len(of_step) != 1:
            continue
        j = of_step[0]
        moved = current[j] - lr * curvature[j] * (current[j] - target[j])
        if np.isclose(after[j], current[j] if zeroed else moved, rtol=1e-4, atol=1e-6):
            current[j] = moved if zeroed else after[j]
            steps += 1
    return steps == case["options"]["R"] and np.allclose(current, path[-1], rtol=1e-4, atol=1e-5)


def of_adam(subject: Any, model: Any, case: dict[str, Any]) -> str:
    """Whether the weights after some steps are right."""
    X, y = np.zeros((np.shape(case["start"][0])[1], 2)), np.zeros((1, 2))
    weights = subject(model, X, y, **case["options"])
    if weights is None:
        return "it returned None: is a return missing?"
    final = np.concatenate([np.ravel(w) for w in weights])
    options = ", ".join(f"{key} = {value:g}" for key, value in case["options"].items())
    correct, *also = map(np.array, (case["expected"], *case["also"]))
    if any(final.shape == one.shape and np.allclose(final, one, rtol=1e-4, atol=1e-5) for one in (correct, *also)):
        return ""
    return f"on a quadratic risk, with {options}: expected {text(correct)}, got {text(final)}"


OPTIMIZERS = {"SGD": of_sgd, "Adam": of_adam}


def of_optimizer(subject: Any, name: str, case: dict[str, Any]) -> str:
    """Run an optimizer on a model that claims to be an NN2 and, if that is wrong, on one of an unknown class."""
    check = OPTIMIZERS[name]
    try:
        problem = check(subject, Model.of(case), case)
    except NotImplementedError:
        raise
    except Exception:
        problem = "?"
    return check(subject, Model(case), case) if problem else ""


def array(value: Any) -> Any:
    """An argument for the function."""
    if isinstance(value, list):
        several = bool(value) and isinstance(value[0], list) and isinstance(value[0][0], list)
        return [np.array(part) for part in value] if several else np.array(value)
    return value


def text(value: Any) -> str:
    """A short text for an array."""
    return (
        " ".join(np.array2string(np.asarray(value), precision=6, threshold=12, edgeitems=2).split())
        if not isinstance(value, list)
        else f"[{', '.join(map(text, value))}]"
    )


if __name__ == "__main__":
    sys.exit(main())
