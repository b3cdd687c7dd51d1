"""ONNX: the whole way from raw columns to the answer as one graph that any runtime can run."""

from pathlib import Path
from typing import Any

import numpy as np

from mlcvkit import InputError, require
from mlcvkit.models import MLP
from mlcvkit.storage.arrays import Array
from mlcvkit.storage.models import SavedModel
from mlcvkit.storage.runs import write_whole
from mlcvlab.models.nn2 import NN2

OPSET, ML_OPSET = 17, 3


def export_onnx(saved: SavedModel, path: Path) -> None:
    """Write a model with its preprocessing as an ONNX file.

    Inputs: where all columns are numbers, one, "X", (N, K) of float32, NaN for a missing value; else one for each
    column, by its name, (N, 1), of float32 or of text. Outputs: "label" and "probabilities" (a perceptron has
    "scores"), or "prediction"; with "predicted" before it where a column has that name.

    Raises: InputError for what ONNX has no operators for, with the reason, or where the file cannot be written.
    """
    require("onnx", extra="onnx")
    content = _Graph(saved).build()
    write_whole(path, content)


class _Graph:
    """Nodes and constants, in the order of the computation."""

    def __init__(self, saved: SavedModel) -> None:
        self.saved = saved
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

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
        W = self.saved.model.W[0]
        features = W.shape[1] if self._hidden_layers() else W.shape[0]
        if not facts:
            return self._input("X", features)
        if facts["encoder"] == "images":
            pixels = int(np.prod(facts["shape"]))
            return self._node("Div", self._input("X", pixels), self._constant(np.float32(255)))
        columns = {name: fact for name, fact in facts["columns"].items() if fact["kind"] != "dropped"}
        dates = [name for name, fact in columns.items() if fact["kind"] in ("date", "time")]
        if dates:
            raise InputError(
                f"the column(s) {', '.join(dates)} hold dates, and ONNX has no operators for the calendar: "
                "train on the parts that matter, such as year and month, as numbers"
            )
        numbers = [name for name, fact in columns.items() if fact["kind"] == "number"]
        names = [name for name, fact in columns.items() if fact["kind"] == "category"]
        parts = []
        if len(numbers) == len(facts["columns"]):
            parts = [self._scaled(self._input("X", len(numbers)))]
        elif numbers:
            inputs = [self._input(name, 1) for name in numbers]
            parts = [self._scaled(self._node("Concat", *inputs, axis=1))]
        parts += [self._one_hot(name, columns[name]["categories"]) for name in names]
        return parts[0] if len(parts) == 1 else self._node("Concat", *parts, axis=1)

    def _scaled(self, x: str) -> str:
        """(x - mean) / scale in double precision, with the median in place of what is not finite."""
        fill, mean, scale = (self.saved.arrays[name] for name in ("fill", "mean", "scale"))
        kept = np.flatnonzero(self.saved.arrays["kept"])
        x = self._node("Cast", self._node("Gather", x, self._constant(kept), axis=1), to=11)
        missing = self._node("Or", self._node("IsNaN", x), self._node("IsInf", x))
        filled = self._node("Where", missing, self._constant(fill[kept]), x)
        centred = self._node("Sub", filled, self._constant(mean[kept]))
        return self._node("Cast", self._node("Div", centred, self._constant(scale[kept])), to=1)

    def _one_hot(self, name: str, categories: list[str]) -> str:
        text = self._input(name, 1, text=True)
        encoded = self._node("OneHotEncoder", text, domain="ai.onnx.ml", cats_strings=categories, zeros=1)
        known = self._node("Squeeze", encoded, self._constant(np.array([1], np.int64)))
        count = self._node("ReduceSum", known, self._constant(np.array([1], np.int64)), keepdims=1)
        other = self._node("Sub", self._constant(np.float32(1)), count)
        return self._node("Concat", known, other, axis=1)

    def _hidden_layers(self) -> int:
        model = self.saved.model
        return 1 if isinstance(model, NN2) else len(model.hidden_units)

    def _network(self, a: str) -> str:
        """The argument z of the output activation."""
        model = self.saved.model
        biases = isinstance(model, MLP) and model.biases
        hidden = self._hidden_layers()
        weights = model.W[::2] if biases else model.W
        activation = "relu" if isinstance(model, NN2) else model.activation
        for layer, W in enumerate(weights):
            matrix = W.T if layer < hidden else W
            a = self._node("MatMul", a, self._constant(np.ascontiguousarray(matrix, dtype=np.float32)))
            if biases:
                a = self._node("Add", a, self._constant(model.W[2 * layer + 1][:, 0].astype(np.float32)))
            if layer < hidden:
                a = self._activation(activation, a)
        return a

    def _activation(self, name: str, z: str) -> str:
        operators = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}
        if name not in operators:
            raise InputError(f"the activation {name} has no operator in ONNX; it has {', '.join(operators)}")
        return self._node(operators[name], z)

    def _answer(self, z: str) -> None:
        facts = self.saved.estimator
        output = "sigmoid" if isinstance(self.saved.model, NN2) else self.saved.model.output
        if output == "identity":
            mean, scale = (np.array(facts.get(n, d)) for n, d in (("target_mean", [0.0]), ("target_scale", [1.0])))
            scaled = self._node("Mul", self._node("Cast", z, to=11), self._constant(scale))
            self._output("prediction", self._node("Cast", self._node("Add", scaled, self._constant(mean)), to=1))
            return
        classes = facts.get("classes", [0, 1])
        binary = len(classes) == 2 and not facts.get("has_labels")
        scores = z
        if output != "step":
            y_hat = self._node("Softmax", z, axis=1) if output == "softmax" else self._node("Sigmoid", z)
            if binary:
                y_hat = self._node("Concat", self._node("Sub", self._constant(np.float32(1)), y_hat), y_hat, axis=1)
            scores = y_hat
        self._output("scores" if output == "step" else "probabilities", scores)
        positive = self._node("Cast", self._node("Greater", z, self._constant(np.float32(0))), to=7)
        if facts.get("has_labels"):
            self._output("label", positive, kind=7)
            return
        one = self._constant(np.array([1], np.int64))
        index = self._node("Squeeze", positive, one) if binary else self._node("ArgMax", z, axis=1, keepdims=0)
        table, kind = _class_table(classes)
        self._output("label", self._node("Gather", self._constant(table), index, axis=0), kind=kind)

    def _node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        name = f"mlcvlab/{operator.lower()}_{len(self.nodes)}"  # apart from the names of columns
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def _constant(self, value: Any) -> str:
        from onnx import helper, numpy_helper

        name = f"mlcvlab/constant_{len(self.constants)}"
        array = np.asarray(value)
        if array.dtype.kind == "U":
            texts = [text.encode() for text in array.tolist()]
            self.constants.append(helper.make_tensor(name, 8, array.shape, texts))
        else:
            self.constants.append(numpy_helper.from_array(array, name))
        return name

    def _input(self, name: str, columns: int, *, text: bool = False) -> str:
        from onnx import helper

        self.inputs.append(helper.make_tensor_value_info(name, 8 if text else 1, ["N", columns]))
        return name

    def _output(self, name: str, source: str, *, kind: int = 1) -> None:
        from onnx import helper

        shape = ["N"] if name == "label" and not self.saved.estimator.get("has_labels") else ["N", None]
        while name in {column.name for column in self.inputs}:
            name = f"predicted {name}"
        self.nodes.append(helper.make_node("Identity", [source], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, kind, shape))


def _class_table(classes: list[Any]) -> tuple[Array, int]:
    """The classes as a tensor, and its type: whole numbers, fractions, or text."""
    table = np.array(classes)
    if table.dtype.kind in "iub":
        return table.astype(np.int64), 7
    if table.dtype.kind == "f":
        return table.astype(np.float32), 1
    return np.array([str(name) for name in classes]), 8
