"""ONNX: the whole way from raw columns to the answer as one graph that any runtime can run."""

import re
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import normalize

import numpy as np
import numpy.typing as npt

from mlcvkit.arrays import PlainData, Values
from mlcvkit.errors import InputError
from mlcvkit.extras import require
from mlcvkit.files import write_whole
from mlcvkit.models import ACTIVATIONS, OUTPUTS, Attribute, as_mlp
from mlcvkit.storage.models import SavedModel

if TYPE_CHECKING:
    import onnx

OPSET, ML_OPSET = 17, 3


def export_onnx(saved: SavedModel, path: Path | str) -> None:
    """Write a model with its preprocessing as an ONNX file.

    Where all columns are numbers there is one input, "X", (N, K), float32, with NaN for a missing value; else one for
    each column, by its name, (N, 1), float32 or text, where the empty text stands for a missing value. Numbers are
    float64 where float32 would lose what tells them apart, such as seconds since 1970. The outputs are "label" and
    "probabilities" (a perceptron has "scores"), or "prediction", with "predicted" before it where a column has that
    name.

    Parameters
    ----------
    saved
        The model.
    path
        The file.

    Raises
    ------
    InputError
        For what ONNX has no operators for, with the reason, or where the file cannot be written.

    See Also
    --------
    save_model : The product's own file.
    """
    require("onnx")
    try:
        content = _Graph(saved).build()
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the model cannot be written as ONNX, its file is damaged: {error}") from None
    write_whole(Path(path), content)


def _spellings(fact: PlainData) -> dict[str, int]:
    """How the names of a column may be written, as the encoder reads them, and the column of each.

    Blanks around a name are not among them: ONNX has no operator that strips text.
    """
    names: list[str] = fact["categories"]
    places = {name: at for at, name in enumerate(names)}
    if fact.get("truth"):
        truth = {name: at for name, at in places.items() if name in ("true", "false")}
        places |= {spelled(name): at for name, at in truth.items() for spelled in (str.upper, str.title)}
    if fact.get("numbers"):
        places |= {f"{name}.0": at for name, at in places.items() if re.fullmatch(r"-?\d+", name)}
    places = {normalize("NFD", name): at for name, at in places.items()} | places
    return places | ({"": len(names) + 1} if fact.get("missing") else {})


class _Graph:
    """Nodes and constants, in the order of the computation."""

    def __init__(self, saved: SavedModel) -> None:
        self.saved, self.model = saved, as_mlp(saved.model)
        self.prefix = "mlcvlab/"
        while any(name.startswith(self.prefix) for name in saved.preprocessing.get("columns", ())):
            self.prefix += "/"  # apart from the names of columns
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []

    def build(self) -> bytes:
        import onnx
        from onnx import helper

        self._answer(self._network(self._features()))
        graph = helper.make_graph(self.nodes, "mlcvlab", self.inputs, self.outputs, self.constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="mlcvlab", ir_version=8)
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString()
        return content

    def _features(self) -> str:
        facts = self.saved.preprocessing
        if not facts:
            return self._input("X", self.model.pairs(self.model.W)[0][0].shape[1])
        if facts["encoder"] == "images":
            pixels = int(np.prod(facts["shape"]))
            return self.node("Div", self._input("X", pixels), self.constant(np.float32(facts.get("white", 255))))
        columns = {name: fact for name, fact in facts["columns"].items() if fact["kind"] != "dropped"}
        dates = [name for name, fact in columns.items() if fact["kind"] in ("date", "time")]
        if dates:
            raise InputError(
                f"the column(s) {', '.join(dates)} hold dates, and ONNX has no operators for the calendar: "
                "train on the parts that matter, such as year and month, as numbers"
            )
        mixed = [name for name, fact in columns.items() if fact.get("others")]
        if mixed:
            raise InputError(
                f"the column(s) {', '.join(mixed)} hold numbers and names, and a tensor of ONNX holds one kind: make "
                "two columns of each"
            )
        numbers = [name for name, fact in columns.items() if fact["kind"] == "number"]
        inputs: dict[str, str] = {}
        parts = []
        if len(numbers) == len(facts["columns"]):
            x = self._input("X", len(numbers), double=self._needs_double())
            parts = [self._scaled(x)]
            inputs = {name: self._column(x, i) for i, name in enumerate(numbers) if columns[name].get("missing")}
        elif numbers:
            inputs = {name: self._input(name, 1, double=self._needs_double()) for name in numbers}
            parts = [self._scaled(self.node("Concat", *inputs.values(), axis=1))]
        for name, fact in columns.items():
            if fact["kind"] == "category":
                parts.append(self._one_hot(name, fact))
            elif fact.get("missing"):
                parts.append(self._lacks(inputs[name]))
        return parts[0] if len(parts) == 1 else self.node("Concat", *parts, axis=1)

    def _needs_double(self) -> bool:
        """Whether float32 would lose what tells the values of a column apart, as of seconds since 1970."""
        arrays = self.saved.arrays
        largest = np.max([np.abs(arrays.get(name, arrays["mean"])) for name in ("mean", "low", "high")], axis=0)
        kept = arrays["kept"].astype(bool)
        return _needs_double(largest[kept], arrays["scale"][kept])

    def _column(self, x: str, index: int) -> str:
        return self.node("Gather", x, self.constant(np.array([index])), axis=1)

    def _lacks(self, x: str) -> str:
        return self.node("Cast", self.node("Or", self.node("IsNaN", x), self.node("IsInf", x)), to=1)

    def _scaled(self, x: str) -> str:
        """(x - mean) / scale in double precision, with the median in place of what is not finite."""
        fill, mean, scale = (self.saved.arrays[name] for name in ("fill", "mean", "scale"))
        kept = np.flatnonzero(self.saved.arrays["kept"])
        x = self.node("Cast", self.node("Gather", x, self.constant(kept), axis=1), to=11)
        missing = self.node("Or", self.node("IsNaN", x), self.node("IsInf", x))
        clips = self.saved.preprocessing.get("parameters", {}).get("clip", True)
        if clips and "low" in self.saved.arrays:  # the guard against numbers outside of the training's range
            low, high = (self.constant(self.saved.arrays[name][kept]) for name in ("low", "high"))
            x = self.node("Min", self.node("Max", x, low), high)
        filled = self.node("Where", missing, self.constant(fill[kept]), x)
        centred = self.node("Sub", filled, self.constant(mean[kept]))
        return self.node("Cast", self.node("Div", centred, self.constant(scale[kept])), to=1)

    def _one_hot(self, name: str, fact: PlainData) -> str:
        """The columns of a name: of the frequent ones in each spelling, of all others, and of the missing."""
        text = self._input(name, 1, text=True)
        places = _spellings(fact)
        encoded = self.node("OneHotEncoder", text, domain="ai.onnx.ml", cats_strings=list(places), zeros=1)
        known = self.node("Squeeze", encoded, self.constant(np.array([1], np.int64)))
        # an unknown name has no column so far: of each known one, "other" lacks the 1 that it begins with
        columns = np.zeros((len(places), len(fact["categories"]) + 1 + bool(fact.get("missing"))), np.float32)
        columns[np.arange(len(places)), list(places.values())] = 1
        columns[:, len(fact["categories"])] -= 1
        rest = np.zeros(columns.shape[1], np.float32)
        rest[len(fact["categories"])] = 1
        return self.node("Add", self.node("MatMul", known, self.constant(columns)), self.constant(rest))

    def _network(self, a: str) -> str:
        """The logits."""
        layers = self.model.pairs(self.model.W)
        for W, b in layers:
            a = self.node("MatMul", a, self.constant(np.ascontiguousarray(W.T, dtype=np.float32)))
            if b is not None:
                a = self.node("Add", a, self.constant(b[:, 0].astype(np.float32)))
            if W is not layers[-1][0]:
                a = ACTIVATIONS[self.model.activation].onnx(self, a)
        return a

    def _answer(self, z: str) -> None:
        facts = self.saved.estimator
        output = self.model.output
        in_graph = OUTPUTS[output].onnx
        if in_graph is not None and "classes" not in facts and output not in ("sigmoid", "softmax"):
            z = in_graph(self, z)
            mean, scale = (np.array(facts.get(n, d)) for n, d in (("target_mean", [0.0]), ("target_scale", [1.0])))
            scaled = self.node("Mul", self.node("Cast", z, to=11), self.constant(scale))
            sum_of_both = self.node("Add", scaled, self.constant(mean))
            if _needs_double(np.abs(mean), scale):
                self._output("prediction", sum_of_both, kind=11)
            else:
                self._output("prediction", self.node("Cast", sum_of_both, to=1))
            return
        classes = facts.get("classes", [0, 1])
        binary = len(classes) == 2 and not facts.get("has_labels")
        scores = z
        if in_graph is not None:
            y_hat = in_graph(self, z)
            if binary:
                y_hat = self.node("Concat", self.node("Sub", self.constant(np.float32(1)), y_hat), y_hat, axis=1)
            scores = y_hat
        self._output("scores" if in_graph is None else "probabilities", scores)
        positive = self.node("Cast", self.node("Greater", z, self.constant(np.float32(0))), to=7)
        if facts.get("has_labels"):
            self._output("label", positive, kind=7)
            return
        one = self.constant(np.array([1], np.int64))
        index = self.node("Squeeze", positive, one) if binary else self.node("ArgMax", z, axis=1, keepdims=0)
        table, kind = _class_table(classes)
        self._output("label", self.node("Gather", self.constant(table), index, axis=0), kind=kind)

    def node(self, operator: str, *inputs: str, **attributes: Attribute) -> str:
        from onnx import helper

        name = f"{self.prefix}{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))  # type: ignore[arg-type]
        return name

    def constant(self, value: npt.ArrayLike) -> str:
        from onnx import helper, numpy_helper

        name = f"{self.prefix}constant_{len(self.constants)}"
        array = np.asarray(value)
        if array.dtype.kind == "U":
            texts = [text.encode() for text in array.tolist()]
            self.constants.append(helper.make_tensor(name, 8, array.shape, texts))
        else:
            self.constants.append(numpy_helper.from_array(array, name))
        return name

    def _input(self, name: str, columns: int, *, text: bool = False, double: bool = False) -> str:
        from onnx import helper

        self.inputs.append(helper.make_tensor_value_info(name, 8 if text else 11 if double else 1, ["N", columns]))
        return name

    def _output(self, name: str, source: str, *, kind: int = 1) -> None:
        from onnx import helper

        shape = ["N"] if name == "label" and not self.saved.estimator.get("has_labels") else ["N", None]
        while name in {column.name for column in self.inputs}:
            name = f"predicted {name}"
        self.nodes.append(helper.make_node("Identity", [source], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, kind, shape))


def _needs_double(largest: Values, spread: Values) -> bool:
    """Whether values of this size, apart by this much, are too large, too small or too close for float32."""
    limits = np.finfo(np.float32)
    with np.errstate(over="ignore"):
        beyond = (largest + 100 * spread > limits.max) | (spread < 100 * limits.tiny)
        return bool((beyond | (largest > 1e4 * spread)).any())


def _class_table(classes: list[object]) -> tuple[Values, int]:
    """The classes as a tensor, and its type: whole numbers, fractions (double where float32 blurs one), or text."""
    table = np.array(classes)
    if all(isinstance(name, int) and -(2**63) <= name < 2**63 for name in classes):
        return table.astype(np.int64), 7
    if any(isinstance(name, float) for name in classes) and all(isinstance(name, int | float) for name in classes):
        with np.errstate(over="ignore", under="ignore"):
            single = table.astype(np.float32)
        return (single, 1) if np.array_equal(single, table) else (table, 11)
    return np.array([str(name) for name in classes]), 8
