"""Files that lack what the handout had beside what is asked for, models that are asked for more, and bounded work."""

import bz2
import io
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from coursework import NEEDS_BUBBLEWRAP, at_each_class_seed, judged
from mlcvkit.course import rules
from mlcvkit.course.checks.networks import _teach
from mlcvkit.course.checks.notebook import _has_few_directions
from mlcvkit.course.grading import Grader, libraries, supplied_functions
from mlcvkit.course.imports import MOST_EXECUTED, MOST_SOURCE, imported
from mlcvkit.course.inside import protocol
from mlcvkit.course.likeness import fingerprints
from mlcvkit.course.rendering import as_markdown
from mlcvkit.course.rules import check_rules
from mlcvkit.course.sandbox import Sandbox
from mlcvkit.course.submissions import Submission, find_submissions, read_submission

PLAIN_SGD = """
import numpy as np
def SGD(model, train_X, train_y, lr=0.1, R=100, seed=None):
    rng = np.random.default_rng(seed)
    for _ in range(R):
        W = model.W
        l = 0 if rng.random() < W[0].size / (W[0].size + W[1].size) else 1
        j = rng.integers(W[l].size)
        {before}
        g = {gradient}
        W[l].flat[j] -= lr * g[l].flat[j]
        model.W = W
    return model.W
"""
ASKS = {
    "nothing": ("pass", "model.emp_loss_grad(train_X, train_y)"),
    "its type": ("assert type(model) is NN2 and model.__class__ == NN2", "model.emp_loss_grad(train_X, train_y)"),
    "its variables": ("assert vars(model)['loss'] == 'cross_entropy'", "model.emp_loss_grad(train_X, train_y)"),
    "its layers' activations": (
        "assert (model.layers[0].activation(np.array([-1.0, 2.0])) == [0, 2]).all()",
        "model.emp_loss_grad(train_X, train_y)",
    ),
    "its class's own method": ("pass", "NN2.emp_loss_grad(model, train_X, train_y)"),
    "another network": (
        "net = NN2(); net.W = [w.copy() for w in model.W]",
        "net.emp_loss_grad(train_X, train_y)",
    ),
    "another of its kind": (
        "other = type(model)(); other.W = [w.copy() for w in model.W]",
        "other.emp_loss_grad(train_X, train_y)",
    ),
}


@pytest.fixture(scope="module")
def grader(of_code):
    return Grader(of_code, Sandbox(libraries(of_code)), 3)


def points_of(grader, files, tests=None):
    """The share of each test's points, of all where None."""
    [(_, results)] = judged(grader, files, [grader.seed], tests)
    return {test.name: test.points / test.out_of for test in results}


@NEEDS_BUBBLEWRAP
@pytest.mark.parametrize("asks", ASKS.values(), ids=ASKS)
def test_the_model_that_an_optimizer_is_given_is_an_nn2(asks, grader, reference):
    before, gradient = asks
    source = PLAIN_SGD.format(before=before, gradient=gradient)
    source = source if "NN2" not in source else f"from mlcvlab.models.nn2 import NN2\n{source}"
    found = points_of(grader, {**reference, "mlcvlab/optim/sgd.py": source.encode()}, ["SGD", "Adam"])
    assert found["SGD"] == 1 and found["Adam"] == 1, found


LACKS = {
    "mlcvlab/optim/sgd.py": ("only SGD", lambda source: PLAIN_SGD.format(before="pass", gradient=ASKS["nothing"][1])),
    "mlcvlab/nn/losses.py": ("no table", lambda source: source.split("LOSSES")[0] if "\nLOSSES" in source else source),
    "mlcvlab/nn/__init__.py": ("nothing", lambda source: ""),
}


@NEEDS_BUBBLEWRAP
@pytest.mark.parametrize("file", LACKS)
def test_what_a_file_lacks_of_the_handouts_costs_no_other_file_its_points(file, grader, reference):
    changed = LACKS[file][1](reference[file].decode())
    assert changed != reference[file].decode()
    found = points_of(grader, {**reference, file: changed.encode()})
    assert {name for name, share in found.items() if share < 1} == set(), found


@NEEDS_BUBBLEWRAP
def test_a_function_that_is_not_there_costs_its_own_points_alone(grader, reference):
    source = reference["mlcvlab/nn/activations.py"] + b"\ndel sigmoid_grad\n"
    found = points_of(grader, {**reference, "mlcvlab/nn/activations.py": source})
    assert {name for name, share in found.items() if share < 1} == {"sigmoid_grad"}, found


UNUSED = {
    "in a function": """
def shown():
    import seaborn as sns
    return lambda: sns.lineplot()

_linear = linear

def linear(x, W):
    shown()
    return _linear(x, W)
""",
    "in an annotation": """
import jaxtyping
from nptyping import NDArray, Shape

def typed(x: NDArray[Shape['2, 2'], jaxtyping.Float] | None) -> jaxtyping.Float[object, 'k n']:
    return x
""",
    "as a base": """
import seaborn

class Plot(seaborn.FacetGrid):
    size = 3
""",
    "in a check of a type": """
import cupy

def on_host(x):
    return not isinstance(x, cupy.ndarray)

on_host(1)
""",
}


@NEEDS_BUBBLEWRAP
@pytest.mark.parametrize("code", UNUSED.values(), ids=UNUSED)
def test_a_library_that_is_not_installed_costs_nothing_where_nothing_of_it_is_used(code, grader, reference):
    files = {**reference, "mlcvlab/nn/basis.py": reference["mlcvlab/nn/basis.py"] + code.encode()}
    grade = grader.grade(Submission("a", files))
    assert not {test.name for test in grade.tests if test.points < test.out_of}
    assert any("not installed" in violation.message for violation in grade.violations)


def test_texts_that_are_executed_again_and_again_are_parsed_once_and_not_without_end():
    inner = "t=%r\n" % ("y=1;" * 1000) + "exec(t)\n" * 600
    assert imported(f"s = {inner!r}\n" + "exec(s)\n" * 2000) == []
    many = "\n".join(f"exec({'x' * 9000!r} + '{i}')" for i in range(MOST_EXECUTED // 9000 + 9))
    assert {one.module for one in imported(many)} == {None}
    assert imported("exec('import torch')")[0].module.startswith("torch")


def test_of_very_many_files_some_are_not_searched_and_that_is_said(of_code, reference, monkeypatch):
    assert rules.MOST_SEARCHED == 1 << 20  # bytes, which take seconds
    monkeypatch.setattr(rules, "MOST_SEARCHED", 100_000)
    added = {f"mlcvlab/x{i}.py": b"f(a)(b)\n" * 2_000 for i in range(40)}
    found = [one.message for one in check_rules({**reference, **added}, of_code.tasks, of_code.forbidden)]
    assert sum("too large to be searched" in message for message in found) >= 36
    assert not any(f"{name} is too large" in message for message in found for name in reference)


def test_an_answer_of_very_many_values_is_refused_before_it_is_taken_apart():
    message = protocol.encode({"junk": [[] for _ in range(protocol.MOST_VALUES)]})
    stream = io.BytesIO(message)
    with pytest.raises(protocol.BadMessage, match="more than 2,000,000 values"):
        protocol.decode(stream.read, 1 << 40)


def test_an_archive_that_unpacks_to_more_than_a_class_is_one_submission_and_is_not_read_through(tmp_path):
    head = tarfile.TarInfo("hw1/big.bin")
    head.size = 400 << 30
    packed = bz2.compress(head.tobuf()) + bz2.compress(bytes(100 << 20)) * 400
    (tmp_path / "carl.tar.bz2").write_bytes(packed)
    for name in ("ann", "bob"):
        (tmp_path / name / "mlcvlab/nn").mkdir(parents=True)
    found = find_submissions([tmp_path])
    assert [one.name for one in found] == ["ann", "bob", "carl"]
    read = read_submission(found[2], most_bytes=100 << 20, most_files=100)
    assert any("more than 100 MB" in problem for problem in read.problems)


@NEEDS_BUBBLEWRAP
def test_a_reading_that_costs_nothing_is_not_named_for_a_shape_that_is_lost(grader, reference):
    source = reference["mlcvlab/models/nn2.py"].decode()
    wrong = """
def grad(self, x, y, W=None):
    W1, w2 = self.W if W is None else W
    z1 = W1 @ x
    a1 = np.maximum(z1, 0)
    y_hat = 1 / (1 + np.exp(-(w2.T @ a1)))
    d2 = {delta}
    d1 = (w2 @ d2) * (z1 > 0)
    return [d1 @ x.T, (a1 @ d2.T).T]

NN2.grad = grad
"""
    named = {}
    for delta in ("np.sign(y_hat - y) * y_hat * (1 - y_hat)", "y_hat - y"):
        files = {**reference, "mlcvlab/models/nn2.py": f"{source}\n{wrong.format(delta=delta)}".encode()}
        [(_, [test])] = judged(grader, files, [3], ["grad"])
        named[delta] = test.diagnosis
        assert 0 < test.out_of - test.points < 0.3, test.feedback
    assert list(named.values()) == ["", "output_layer_transposed"], named


@NEEDS_BUBBLEWRAP
@at_each_class_seed
def test_a_gradient_that_is_clipped_at_1_costs_nothing(seeds, grader, reference):
    source = reference["mlcvlab/optim/sgd.py"].decode()
    clipped = PLAIN_SGD.format(
        before="pass", gradient="[np.clip(g, -1, 1) for g in model.emp_loss_grad(train_X, train_y)]"
    )
    files = {**reference, "mlcvlab/optim/sgd.py": f"{source}\n{clipped}".encode()}
    for seed, [result] in judged(grader, files, seeds, ["SGD"]):
        assert result.right, (seed, result)


@NEEDS_BUBBLEWRAP
@at_each_class_seed
def test_a_small_number_in_mse_grad_costs_the_same_whatever_the_class_seed(seeds, grader, reference):
    source = reference["mlcvlab/nn/losses.py"].decode()
    small = "\n\ndef mse_grad(y, y_hat):\n    return (2 * (y_hat - y) + 1e-6) / (np.size(y) + 1e-6)\n"
    files = {**reference, "mlcvlab/nn/losses.py": (source + small).encode()}
    for seed, [result] in judged(grader, files, seeds, ["mse_grad"]):
        assert result.right, (seed, result)


@NEEDS_BUBBLEWRAP
def test_a_file_in_the_place_of_a_folder_costs_what_is_in_that_folder(grader, reference):
    files = {name: content for name, content in reference.items() if not name.startswith("mlcvlab/optim")}
    found = points_of(grader, {**files, "mlcvlab/optim": b"nothing"})
    assert {name for name, share in found.items() if share < 1} == {"SGD", "Adam"}, found


@NEEDS_BUBBLEWRAP
@pytest.mark.parametrize("alpha", [0.01, 0.003, 0.2])
def test_an_alpha_of_ones_own_costs_the_hyperparameters_alone(alpha, grader, replaced):
    right = "W = copy_weights(model.W)"
    files = replaced("mlcvlab/optim/adam.py", right, f"alpha = {alpha}\n    {right}")
    [(_, [test])] = judged(grader, files, [3], ["Adam"])
    assert (test.diagnosis, test.diagnosed) == ("fixed_alpha", f"alpha is {alpha:g} whatever value is given")
    assert 0 < test.out_of - test.points < 1, test.points


TRIVIAL = {
    "a sum of the weights": "W[1].sum() * np.ones((1, np.shape(x)[1])) + W[0].sum()",
    "a sum of the units": "(W[0] @ x).sum(0, keepdims=True) + W[1].sum()",
}


@NEEDS_BUBBLEWRAP
@pytest.mark.parametrize("forward", TRIVIAL.values(), ids=TRIVIAL)
def test_a_network_whose_gradient_is_trivial_has_nothing_for_it(forward, grader, reference):
    code = f"""

def _z(W, x):
    return {forward}

def _nn2(self, x):
    return sigmoid(_z(self.W, np.asarray(x)))

def _grad(self, x, y, W=None):
    W = self.W if W is None else W
    x = np.asarray(x)
    d = sigmoid(_z(W, x)) - np.asarray(y)
    first = d.sum() * np.ones_like(W[0]) if "W[0].sum()" in {forward!r} else np.ones((len(W[0]), 1)) @ (d @ x.T)
    return [first, d.sum() * np.ones_like(W[1])]

def _emp_loss_grad(self, X, y, W=None, layer=None):
    found = [g / np.shape(X)[1] for g in self.grad(X, y, W)]
    return found if layer is None else found[layer]

NN2.nn2, NN2.grad, NN2.emp_loss_grad = _nn2, _grad, _emp_loss_grad
"""
    files = {**reference, "mlcvlab/models/nn2.py": reference["mlcvlab/models/nn2.py"] + code.encode()}
    assert points_of(grader, files, ["grad"])["grad"] < 0.5


@NEEDS_BUBBLEWRAP
def test_an_empirical_gradient_by_differences_is_put_to_a_person(grader, reference):
    code = """

def _by_differences(self, X, y, W=None, layer=None):
    W, e = [np.array(w, float) for w in (self.W if W is None else W)], 1e-6
    found = [np.zeros_like(w) for w in W]
    for w, g in zip(W, found):
        for i in range(w.size):
            w.flat[i] += e
            up = self.emp_loss(X, y, W)
            w.flat[i] -= 2 * e
            g.flat[i] = (up - self.emp_loss(X, y, W)) / (2 * e)
            w.flat[i] += e
    return found if layer is None else found[layer]

NN2.emp_loss_grad = _by_differences
"""
    files = {**reference, "mlcvlab/models/nn2.py": reference["mlcvlab/models/nn2.py"] + code.encode()}
    told = [one.message for one in grader.grade(Submission("a", files)).violations if one.rule == "look"]
    assert any("emp_loss_grad makes 30 forward passes: is it a numeric derivative?" in text for text in told), told


def test_weights_of_one_direction_with_a_little_noise_are_alike():
    rng = np.random.default_rng(0)
    one = rng.normal(size=(1, 784))
    noisy = [np.vstack([one, -one, 1e-4 * rng.normal(size=(6, 784))]), np.array([[1.0], [-1.0]] + [[1e-4]] * 6)]
    assert _has_few_directions(noisy)
    assert not _has_few_directions([rng.normal(size=(8, 784)), rng.normal(size=(8, 1))])


LAYERS = {
    "three": "self.layers = [Layer(None, None), *self.layers]",
    "none": "self.layers = []",
    "of another kind": "self.layers = ['input', 'hidden', 'output']",
}


@NEEDS_BUBBLEWRAP
@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
def test_the_layers_of_a_students_network_say_nothing_of_the_model_that_is_given(layers, grader, reference):
    code = f"""

from mlcvlab.models.base import Layer
_begin = NN2.__init__

def _own_begin(self, *args, **options):
    _begin(self, *args, **options)
    {layers}

NN2.__init__ = _own_begin
"""
    files = {**reference, "mlcvlab/models/nn2.py": reference["mlcvlab/models/nn2.py"] + code.encode()}
    sgd = PLAIN_SGD.format(before="assert isinstance(model, NN2)", gradient=ASKS["nothing"][1])
    files["mlcvlab/optim/sgd.py"] = f"from mlcvlab.models.nn2 import NN2\n{sgd}".encode()
    found = points_of(grader, files, ["SGD", "Adam"])
    assert (found["SGD"], found["Adam"]) == (1, 1), found


def test_gradients_that_are_numbers_or_the_same_for_each_unit_are_none_of_a_network():
    rng = np.random.default_rng(0)
    good = [[rng.normal(size=(3, 4)), rng.normal(size=(3, 1))] for _ in range(4)]
    assert _teach(good)
    assert not _teach([[np.float64(i), np.float64(2 + i)] for i in range(4)])
    assert not _teach([[np.full((3, 4), 1.0 + i), second] for i, (_, second) in enumerate(good)])
    assert not _teach([[first, np.full((3, 1), 1.0 + i)] for i, (first, _) in enumerate(good)])


SHAPES = {
    "targets without an axis": (
        "np.ravel(y)[i], p",
        "x[:, i:i+1]",
        "g1 += (w2 * d * relu_grad(a)) @ xi.T; g2 += a * d",
    ),
    "samples without an axis": (
        "np.ravel(y)[i], p",
        "x[:, i]",
        "g1 += np.outer(w2[:, 0] * d * relu_grad(a), xi); g2[:, 0] += a * d",
    ),
}
OF_PROBLEM_1 = {
    "nothing": ("losses", ""),
    "not done": ("losses", "def cross_entropy_grad(y, y_hat): raise NotImplementedError"),
    "the sign": (
        "losses",
        "def cross_entropy_grad(y, y_hat): return y / (y_hat + 1e-6) - (1 - y) / (1 - y_hat + 1e-6)",
    ),
    "relu_grad": ("activations", "def relu_grad(y): return y"),
    "a bias": ("basis", "def linear(x, W): return np.dot(W, x) + 1"),
}


@NEEDS_BUBBLEWRAP
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mistake", OF_PROBLEM_1)
def test_what_is_supplied_takes_the_shapes_that_numpy_takes(mistake, shape, grader, reference):
    targets, sample, sums = SHAPES[shape]
    code = f"""

def grad(self, x, y, W=None):
    W1, w2 = self.W if W is None else W
    g1, g2 = np.zeros(W1.shape), np.zeros(w2.shape)
    for i in range(x.shape[1]):
        xi = {sample}
        a = relu(linear(xi, W1))
        p = sigmoid(linear(a, w2.T))
        d = cross_entropy_grad({targets}) * sigmoid_grad(p)
        {sums}
    return [g1, g2]
NN2.grad = grad
"""
    right = "\ndef cross_entropy_grad(y, y_hat): return (1 - y) / (1 - y_hat + 1e-6) - y / (y_hat + 1e-6)\n"
    imports = (
        "\nfrom mlcvlab.nn.activations import relu, relu_grad, sigmoid, sigmoid_grad\n"
        "from mlcvlab.nn.basis import linear\nfrom mlcvlab.nn.losses import cross_entropy_grad\n"
    )
    added = {"losses": right, "basis": "\nimport numpy as np\ndef linear(x, W): return np.dot(W, x)\n"}
    module, wrong = OF_PROBLEM_1[mistake]
    added[module] = f"{added.get(module, '')}\n{wrong}\n"
    files = {f"mlcvlab/nn/{name}.py": source for name, source in added.items()} | {
        "mlcvlab/models/nn2.py": imports + code
    }
    files = {**reference, **{name: reference[name] + source.encode() for name, source in files.items()}}
    lost = {name for name, share in points_of(grader, files, ["linear", "relu_grad", "grad"]).items() if share < 1}
    assert "grad" not in lost, lost


@NEEDS_BUBBLEWRAP
@pytest.mark.parametrize("is_right", [True, False])
def test_a_gradient_may_be_built_on_another_reading_beside_a_wrong_function(is_right, grader, reference):
    code = """

from mlcvlab.nn.basis import linear, linear_grad
def grad(self, x, y, W=None):
    W1, w2 = self.W if W is None else W
    a = np.maximum(linear(x, W1), 0)
    p = 1 / (1 + np.exp(-linear(a, w2.T)))
    d = cross_entropy_grad(y, p) * p * (1 - p)
    return [((w2 @ d) * (a > 0)) @ linear_grad(x), (d @ linear_grad(a)).T]
NN2.grad = grad
"""
    sign = "\n\n_right = cross_entropy_grad\ndef cross_entropy_grad(y, y_hat): return -_right(y, y_hat)\n"
    used = "\nfrom mlcvlab.nn.losses import cross_entropy_grad\n"
    files = {
        **reference,
        "mlcvlab/nn/basis.py": reference["mlcvlab/nn/basis.py"]
        + b"\n\nimport numpy as np\ndef linear_grad(x): return np.asarray(x).T\n",
        "mlcvlab/nn/losses.py": reference["mlcvlab/nn/losses.py"] + (b"" if is_right else sign.encode()),
        "mlcvlab/models/nn2.py": reference["mlcvlab/models/nn2.py"] + f"{used}{code}".encode(),
    }
    assert points_of(grader, files, ["grad"])["grad"] == 1


@NEEDS_BUBBLEWRAP
def test_a_supplied_gradient_takes_one_sample_as_a_vector(grader, reference):
    code = """

def grad(self, x, y, W=None): raise NotImplementedError
def emp_loss_grad(self, train_X, train_y, W=None, layer=None):
    each = [self.grad(train_X[:, i], train_y[:, i], W) for i in range(train_X.shape[1])]
    found = [np.mean([g[k] for g in each], axis=0) for k in (0, 1)]
    return found if layer is None else found[layer]
NN2.grad, NN2.emp_loss_grad = grad, emp_loss_grad
"""
    files = {**reference, "mlcvlab/models/nn2.py": reference["mlcvlab/models/nn2.py"] + code.encode()}
    assert points_of(grader, files, ["emp_loss_grad"])["emp_loss_grad"] == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<h1>25 of 25</h1>", r"\<h1>25 of 25\</h1>"),
        (
            "![p](http://a.b/x.png) [click](javascript:alert(1))",
            r"![p]\(http://a.b/x.png) [click]\(javascript:alert(1))",
        ),
        (r"\<img src=x>", r"\\\<img src=x>"),
        ("![a][b]", r"![a]\[b]"),
        ("[b]: http://a.b", r"\[b]: http://a.b"),
        ("```", r"\```"),
        ("1. x", r"1\. x"),
        ("`f[0](x)` is of `<class 'int'>`", "`f[0](x)` is of `<class 'int'>`"),
        ("# 25 of 25 points.py was added", r"\# 25 of 25 points.py was added"),
        ("for x = [[1. 2.]] and 1 < 2: expected [[-0.1]]", "for x = [[1. 2.]] and 1 < 2: expected [[-0.1]]"),
    ],
)
def test_a_students_text_is_no_markdown_in_the_feedback(text, shown):
    assert as_markdown(text) == shown


def test_fingerprints_are_of_what_is_searched():
    found = fingerprints({"mlcvlab/big.py": b"a+" * MOST_SOURCE + b"a", "mlcvlab/small.py": b"a = 1\n"})
    assert set(found) == {"mlcvlab/small.py"}


@pytest.mark.parametrize("noise", [0, 0.02])
def test_a_logistic_regression_in_two_units_or_under_noise_is_put_to_a_person(noise):
    rng = np.random.default_rng(0)
    one = rng.normal(size=(1, 784))
    assert _has_few_directions([np.vstack([one, -one]), np.ones((2, 1))])
    assert _has_few_directions(
        [np.vstack([one, -one, noise * 3 * rng.normal(size=(6, 784))]), np.array([[1.0], [-1.0]] + [[0.1]] * 6)]
    )
    assert not _has_few_directions([one, np.ones((1, 1))])
    assert not _has_few_directions([rng.normal(size=(2, 784)), np.ones((2, 1))])


def test_what_is_supplied_makes_no_large_array_of_small_ones():
    linear = supplied_functions()["linear"]
    for x, W in [((10_000, 1, 1), (10_000, 1)), ((1, 9_000), (1, 9_000, 1))]:
        with pytest.raises(ValueError):
            linear(np.ones(x), np.ones(W))
    assert linear(np.ones(3), np.ones((2, 3))).tolist() == [3, 3]


@NEEDS_BUBBLEWRAP
def test_what_blocks_is_not_tried_with_every_supply(of_code, reference):
    code = "\n\ndef _blocks(self, *args, **options):\n    while True: pass\nNN2.grad = NN2.emp_loss_grad = _blocks\n"
    wrong = "\n\ndef relu_grad(y): return y\ndef tanh_grad(y): return y\ndef step_grad(y): return y\n"
    wrong += "def softmax_grad(y):\n    while True: pass\n"
    files = {
        **reference,
        "mlcvlab/models/nn2.py": reference["mlcvlab/models/nn2.py"] + code.encode(),
        "mlcvlab/nn/activations.py": reference["mlcvlab/nn/activations.py"] + wrong.encode(),
    }
    limits = {**of_code.limits, "call_seconds": 0.5, "submission_seconds": 7}
    assignment = replace(of_code, limits=limits)
    grade = Grader(assignment, Sandbox(libraries(assignment)), 3).grade(Submission("a", files))
    points = {test.name: test.points / test.out_of for test in grade.tests}
    assert (points["SGD"], points["Adam"], points["grad"]) == (1, 1, 0), points
