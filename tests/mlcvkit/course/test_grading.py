"""Points: what the reference and the fresh handout get, what each mistake costs, and that it costs nothing else."""

import re
import subprocess
import sys
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np
import pytest

from coursework import (
    HONEST,
    MISTAKES,
    NEEDS_BUBBLEWRAP,
    ROOT,
    STYLES,
    at_each_class_seed,
    honest,
    judged,
    lost_properties,
    mistake_row,
    reports,
    with_mistake,
)
from mlcvkit.course.assignment import read_assignment
from mlcvkit.course.checks import Looked, alike, networks
from mlcvkit.course.checks.components import COMPONENTS_CHECKED, component_table
from mlcvkit.course.checks.notebook import Digits, supplied_optimizers
from mlcvkit.course.checks.optimizers import adam_tables
from mlcvkit.course.classroom import feedback
from mlcvkit.course.feedback import as_gradescope
from mlcvkit.course.grading import Grader, libraries, supplied_functions, supplied_network
from mlcvkit.course.handout import handout
from mlcvkit.course.sandbox import Sandbox
from mlcvkit.course.scoring import score_test
from mlcvkit.course.submissions import Submission, read_submission
from soak import only_in_soak, repeated

pytestmark = NEEDS_BUBBLEWRAP

COMPUTES = "import time; end = time.process_time() + {}; [0 for _ in iter(lambda: time.process_time() < end, False)]"
BASIS, ACTIVATIONS, LOSSES = "mlcvlab/nn/basis.py", "mlcvlab/nn/activations.py", "mlcvlab/nn/losses.py"
NN2, SGD, ADAM = "mlcvlab/models/nn2.py", "mlcvlab/optim/sgd.py", "mlcvlab/optim/adam.py"


def lost(grade):
    return {test.name for test in grade.tests if test.points < test.out_of - 1e-9}


def of(grade, name):
    return next(test for test in grade.tests if test.name == name)


@pytest.fixture(scope="module")
def whole_grader(tmp_path_factory):
    """A grader with all four problems, the notebook among them."""
    folder = tmp_path_factory.mktemp("digits")
    for place in (folder, *folder.parents[:3]):
        place.chmod(0o755)
    assignment = read_assignment()
    return Grader(assignment, Sandbox(libraries(assignment)), 20, Digits.make(folder, 20))


def test_the_reference_has_all_points_of_its_code(grade, reference):
    result = grade(reference)
    assert (result.points, result.out_of, result.violations, lost(result)) == (19, 19, (), set())


@only_in_soak(
    "its notebook trains for half a minute; make test grades shorter notebooks, and the code of the reference"
)
def test_the_reference_has_25_of_25(whole_grader, reference):
    result = whole_grader.grade(Submission("reference", reference))
    assert (result.points, result.out_of, result.violations, lost(result)) == (25, 25, (), set())
    assert result.test_accuracy > 0.98


def test_the_fresh_handout_has_0_of_25(whole_grader):
    written = handout(whole_grader.assignment).items()
    fresh = {name.removeprefix("hw1/"): content for name, content in written if name.startswith("hw1/")}
    result = whole_grader.grade(Submission("fresh", fresh))
    assert (result.points, result.out_of, result.violations) == (0, 25, ())
    assert all("not implemented yet" in test.feedback[0] for test in result.tests if test.problem < 4)


@pytest.fixture(scope="module")
def fresh(of_code):
    """The handout's files as they are given to students."""
    written = handout(of_code).items()
    return {name.removeprefix("hw1/"): content for name, content in written if name.startswith("hw1/")}


SOLUTIONS = len(HONEST) + len(STYLES)
SEEDS_PER_PART = 2


@repeated("honest solutions, 2 class seeds each", test=SOLUTIONS, soak=SOLUTIONS * 2, full=SOLUTIONS * 500)
def test_honest_work_has_its_points_whatever_the_class_seed(of_code, reference, fresh, seed):
    what, files, losing = honest(seed % SOLUTIONS, reference, fresh)
    grader = Grader(of_code, Sandbox(libraries(of_code)), 0)
    first = SEEDS_PER_PART * (seed // SOLUTIONS)
    for class_seed, results in judged(grader, files, range(first, first + SEEDS_PER_PART)):
        lost_points = {result.name for result in results if not result.right}
        assert lost_points == losing, (what, class_seed, [r.feedback for r in results if not r.right])


TABLE_OF_MISTAKES = [line for line in (ROOT / "docs/mistakes.md").read_text().splitlines() if line.startswith("| `")]


@repeated("mistakes, 2 class seeds each", test=len(MISTAKES) // 32, soak=len(MISTAKES) // 5, full=len(MISTAKES) * 100)
def test_a_mistake_costs_its_own_points_and_no_others_and_is_named_whatever_the_class_seed(of_code, reference, seed):
    mistake = MISTAKES[seed * 8 % len(MISTAKES)]
    grader = Grader(of_code, Sandbox(libraries(of_code)), 0)
    first = SEEDS_PER_PART * (seed // len(MISTAKES))
    for class_seed, found in reports(grader, with_mistake(reference, mistake), range(first, first + SEEDS_PER_PART)):
        losing = {test: lost_properties(report) for test, report in found.items() if lost_properties(report)}
        assert losing == ({mistake.of: mistake.costs} if mistake.costs else {}), (mistake.name, class_seed)
        named = {test: report.diagnosis.mistake for test, report in found.items() if report.diagnosis}
        assert named == {mistake.of: mistake.name}, (mistake.name, class_seed)
        problem, part = next((p, q) for p in of_code.problems for q in p.parts if mistake.of in q.tests)
        result = score_test(of_code, problem.number, part, mistake.of, found[mistake.of])
        assert mistake_row(mistake, result) in TABLE_OF_MISTAKES
        if mistake.reading:
            assert found[mistake.of].variant == mistake.reading, (mistake.name, class_seed)


@pytest.mark.parametrize(
    ("of_test", "name", "class_seeds"),
    [
        ("Adam", "epsilon_inside_root", (10, 12)),
        ("Adam", "no_epsilon", (0, 24)),
        ("Adam", "stale_gradient", (1, 9)),
        ("SGD", "one_sample", (6, 12)),
        ("SGD", "fixed_steps", (0, 1, 2)),
    ],
)
def test_class_seeds_by_which_more_was_lost_or_nothing_was_named(of_test, name, class_seeds, of_code, reference):
    mistake = next(one for one in MISTAKES if (one.of, one.name) == (of_test, name))
    grader = Grader(of_code, Sandbox(libraries(of_code)), 0)
    for class_seed, found in reports(grader, with_mistake(reference, mistake), class_seeds, [of_test]):
        assert lost_properties(found[of_test]) == mistake.costs, class_seed
        assert found[of_test].diagnosis.mistake == name, class_seed


TABLES = {
    **{name: partial(component_table, name) for name in COMPONENTS_CHECKED},
    "nn2": networks.prediction_table,
    "grad": networks.gradient_table,
    "emp_loss_grad": networks.empirical_table,
    "Adam": lambda seed: adam_tables(seed)[0],
}


@pytest.mark.parametrize("function", TABLES)
def test_no_two_mistakes_of_a_function_have_the_same_numbers(function):
    """One of two that cannot be told apart could never be named."""
    table = TABLES[function](1)
    numbers = {
        mistake.name: [
            None
            if n is None
            else Looked(c.property, n, n, tolerance=(1e-4, 1e-30 if c.property == "stability" else 2e-6))
            for c, n in zip(table.cases, own, strict=True)
        ]
        for mistake, own in table.mistakes
        if any(prop not in ("shape", "unchanged", "layer") for prop in mistake.costs) or mistake.reading
    }
    for first, second in combinations(numbers, 2):
        alike_everywhere = all(
            (a is None and b is None) or (a is not None and b is not None and alike(a.got, b))
            for a, b in zip(numbers[first], numbers[second], strict=True)
        )
        assert not alike_everywhere, (first, second)
    assert all(any(case is not None for case in own) for own in numbers.values())


@pytest.mark.parametrize("function", ["nn2", "grad", "emp_loss_grad"])
def test_whatever_the_class_seed_the_samples_of_nn2_have_both_answers_and_units_on_and_off(function):
    """Else some mistakes are right there, or cannot be told from others."""
    for seed in range(30):
        for case in TABLES[function](seed).cases:
            X = case.args[0]
            W1, w2 = case.own if len(case.args) < 3 or case.args[2] is None else case.args[2]
            z1 = W1 @ X
            if case.property != "stability":
                assert (z1.max(axis=0) > 0).all() and (z1.min(axis=0) < 0).all(), (seed, case.property)
            answers = w2.T @ np.maximum(z1, 0) > 0
            assert X.shape[1] == 1 or answers.any() != answers.all(), (seed, case.property)


@pytest.mark.parametrize("number", [0, 7, 12])
def test_the_checks_in_one_process_give_what_a_whole_grading_gives(grade, of_code, reference, fresh, number):
    _, files, _ = honest(number, reference, fresh)
    grader = Grader(of_code, Sandbox(libraries(of_code)), 20)
    [(_, results)] = judged(grader, files, [20])
    whole = grade(files).tests
    # SGD draws without a seed: how near its updates are is another number each time
    assert [replace(r, relative_error=None) for r in results] == [replace(r, relative_error=None) for r in whole]


def test_a_library_that_is_not_installed_is_told_once_and_fails_where_it_is_used(grade, reference):
    call = b"    check_hyperparameters("
    used = reference[ADAM].replace(call, b"    bars_of_a_student.bar()\n" + call)
    assert used != reference[ADAM]
    result = grade({**reference, ADAM: used + b"\n\nimport bars_of_a_student\n"})
    assert lost(result) == {"Adam"}
    assert "bars_of_a_student is not installed" in of(result, "Adam").feedback[0]
    looked = [violation.message for violation in result.violations if "bars_of_a_student" in violation.message]
    assert len(looked) == 1 and not result.broken


def appended(reference, file, code):
    """The reference with code at the end of a file: a later definition takes the place of an earlier one."""
    return {**reference, file: reference[file] + b"\n\n" + code.encode()}


def test_feedback_cannot_be_forged(grade, reference):
    forged = "\\n\\n# 25 of 25 points\\n\\n- all \\u202eright\\x1b[2J"
    files = appended(reference, BASIS, f"def linear(x, W): raise ValueError('{forged}')")
    result = grade({**files, "a\n\n## `sigmoid`: 25 of 25.py": b""})
    lines = feedback(result).splitlines()
    assert sum("25 of 25" in line for line in lines) >= 2
    assert not any(line.startswith(("# 25", "## `sig")) for line in lines)
    assert all(line.isprintable() for line in lines)


CIRCLE = """
def _guarded(function):
    def call(x):
        try:
            return function(np.asarray(x, float))
        except RecursionError:
            return 0 * np.asarray(x, float)
    return call
sigmoid = _guarded(lambda x: (1 + tanh(x / 2)) / 2)
tanh = _guarded(lambda x: 2 * sigmoid(2 * x) - 1)
"""


def test_two_functions_that_are_built_on_each_other_are_not_both_right(grade, reference):
    result = grade(appended(reference, ACTIVATIONS, CIRCLE))
    worse = min((of(result, "sigmoid"), of(result, "tanh")), key=lambda test: test.points)
    assert worse.points <= worse.out_of / 5
    assert any("built on" in violation.message for violation in result.violations) and not result.broken


TRIVIAL = """
def nn2(self, x): return 1 / (1 + np.exp(-self.W[1][0, 0] * x.sum(axis=0, keepdims=True)))
def grad(self, x, y, W=None, **_):
    W1, w2 = self.W if W is None else W
    sums = x.sum(axis=0, keepdims=True)
    g = np.zeros_like(w2)
    g[0, 0] = np.sum((1 / (1 + np.exp(-w2[0, 0] * sums)) - y) * sums)
    return [0 * W1, g]
def emp_loss_grad(self, train_X, train_y, W=None, layer=None, **_):
    g = [part / train_X.shape[1] for part in self.grad(train_X, train_y, W)]
    return g if layer is None else g[layer]
NN2.nn2, NN2.grad, NN2.emp_loss_grad = nn2, grad, emp_loss_grad
"""


def test_a_network_of_one_weight_has_no_gradient_that_is_right(grade, reference):
    result = grade(appended(reference, NN2, TRIVIAL))
    for name in ("nn2", "grad"):
        assert of(result, name).points <= of(result, name).out_of / 2
    assert of(result, "emp_loss_grad").right  # which is the mean of whatever the gradient is


NUMERIC = """
def grad(self, x, y, W=None, **_):
    W = [np.array(w, float) for w in (self.W if W is None else W)]
    other, gradients = NN2(), []
    for k in (0, 1):
        g = np.zeros_like(W[k])
        for i in np.ndindex(g.shape):
            sides = []
            for h in (1e-6, -1e-6):
                moved = [w.copy() for w in W]
                moved[k][i] += h
                other.W = moved
                p = other.nn2(x)
                sides.append(float(np.sum(-y * np.log(p) - (1 - y) * np.log(1 - p))))
            g[i] = (sides[0] - sides[1]) / 2e-6
        gradients.append(g)
    return gradients
NN2.grad = grad
"""


def test_a_numeric_gradient_is_put_to_a_person(grade, reference):
    result = grade(appended(reference, NN2, NUMERIC))
    assert any("is it a numeric derivative" in violation.message for violation in result.violations)
    assert not any("numeric" in violation.message for violation in grade(reference).violations)


def test_what_was_expected_and_got_differ_in_what_is_shown(grade, replaced):
    result = of(grade(replaced(BASIS, "    return W @ x", "    return (W @ x) * (1 + 1e-4)")), "linear")
    assert result.points < result.out_of and not result.diagnosis
    expected, got = result.feedback[0].split("expected ")[1].split(", got ")
    assert expected != got


def test_the_table_of_the_docs_has_each_mistake_once():
    """What each row says is measured where the mistake is judged."""
    names = [f"`{mistake.of}` | {mistake.name.replace('_', ' ')}" for mistake in MISTAKES]
    assert [" | ".join(row[2:].split(" | ")[:2]) for row in TABLE_OF_MISTAKES] == names


def test_feedback_has_the_failing_input_what_was_expected_and_got_and_the_equation(grade, replaced):
    text = "\n".join(of(grade(replaced(BASIS, "    return W @ x", "    return -(W @ x)")), "linear").feedback)
    for words in ("for x = [[", "W = [[", "expected [[", "got [[", "the equation: Y = W · X"):
        assert words in text


def test_the_inputs_are_others_for_another_seed(of_code, replaced):
    files = replaced(BASIS, "    return W @ x", "    return 0 * W @ x")
    told = set()
    for seed in (1, 2, 2):
        grader = Grader(replace(of_code, problems=of_code.problems[:1]), Sandbox(libraries(of_code)), seed)
        told.add(of(grader.grade(Submission("a", files)), "linear").feedback)
    assert len(told) == 2


def test_partial_credit_is_by_property(grade, replaced):
    no_batch = of(grade(replaced(BASIS, "    return W @ x", "    return W @ x[:, :1]")), "linear")
    assert no_batch.out_of * 0.5 < no_batch.points < no_batch.out_of
    assert [line.partition(":")[0] for line in no_batch.feedback] == ["batch", "the equation"]
    unstable = of(
        grade(replaced(ACTIVATIONS, "    return np.tanh(as_float(x))", "    return np.sinh(x) / np.cosh(x)")), "tanh"
    )
    assert unstable.out_of * 0.5 < unstable.points < unstable.out_of
    assert [line.partition(":")[0] for line in unstable.feedback] == ["stability", "the equation"]


def test_a_known_other_reading_costs_what_the_rubric_says(of_code, replaced):
    files = replaced("mlcvlab/nn/losses.py", "    return error / np", "    return -error / np")
    for cost in (0.0, 0.5, 1.0):
        variants = {**of_code.variants, "l2_grad_as_printed": cost}
        assignment = replace(of_code, variants=variants, problems=of_code.problems[:1])
        result = of(Grader(assignment, Sandbox(libraries(assignment)), 3).grade(Submission("a", files)), "l2_grad")
        assert "erratum 1" in result.diagnosed and result.variant == "l2_grad_as_printed"
        weights = {name: assignment.properties[name] for name in ("value", "edge", "shape", "unchanged")}
        share = 1 - cost * weights["value"] / sum(weights.values())
        assert result.points == pytest.approx(result.out_of * share, abs=1e-3)


BROKEN = {
    "a syntax error": "def (\n",
    "an exception at import": "raise RuntimeError('oh')\n",
    "an exit at import": "import os\nos._exit(0)\n",
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize(
    ("file", "own"),
    [
        (BASIS, {"linear", "linear_grad"}),
        (NN2, {"nn2", "grad", "emp_loss_grad"}),
        (ADAM, {"Adam"}),
    ],
)
def test_a_file_that_cannot_be_imported_costs_its_own_tests_alone(what, file, own, grade, reference):
    result = grade({**reference, file: BROKEN[what].encode() + reference[file]})
    assert lost(result) == own
    assert all("cannot be imported" in of(result, name).feedback[0] for name in own)


def test_broken_components_cost_nothing_of_the_network(grade, reference):
    files = dict(reference)
    for name in ("sigmoid", "relu", "relu_grad"):
        source = files[ACTIVATIONS].decode()
        start = source.index(f"def {name}(")
        end = source.index('"""', source.index('"""', start) + 3) + 3
        files[ACTIVATIONS] = (source[:end] + "\n    return 7.0 * np.ones(np.shape(0))\n" + source[end:]).encode()
    result = grade(files)
    assert lost(result) == {"sigmoid", "relu", "relu_grad"}


def test_a_wrong_forward_pass_costs_nothing_of_its_own_gradient(grade, replaced):
    files = replaced(
        NN2,
        "activations import relu, relu_grad, sigmoid",
        "activations import tanh as relu, tanh_grad as relu_grad, sigmoid",
    )
    assert lost(grade(files)) == {"nn2"}


def test_what_a_function_calls_in_its_own_file_is_supplied_too(grade, reference):
    losses = "mlcvlab/nn/losses.py"
    source = reference[losses].decode()
    source = source.replace(
        "    return np.squeeze(_norm(_error(y, y_hat), axis), axis=axis)", "    return 0.0 * np.sum(y)"
    )
    source = source.replace("    z = _norm(error, axis)\n", "    z = l2(y, y_hat)\n")
    assert lost(grade({**reference, losses: source.encode()})) == {"l2"}


def test_what_calls_something_not_implemented_says_what(grade, reference, of_code):
    fresh = {n.removeprefix("hw1/"): c for n, c in handout(of_code).items() if n.startswith("hw1/")}
    task = next(task.text for task in of_code.tasks if task.function == "sigmoid_grad")
    source = fresh[ACTIVATIONS].decode()
    source = source.replace(f'    raise NotImplementedError("{task}")', "    return sigmoid(y) * (1 - sigmoid(y))")
    result = of(grade({**fresh, ACTIVATIONS: source.encode()}), "sigmoid_grad")
    assert result.feedback == ("it calls sigmoid, which is not implemented yet",)


def test_a_loss_table_that_is_used_by_the_network_is_supplied(grade, reference):
    losses = "mlcvlab/nn/losses.py"
    source = reference[losses].decode().replace("    return sigmoid(z) - y", "    raise NotImplementedError")
    assert source.encode() != reference[losses]
    assert lost(grade({**reference, losses: source.encode()})) == set()


ONE_BY_ONE = """
def SGD(model, train_X, train_y, lr=0.1, R=100, **_):
    rng, v = np.random.default_rng(), 0.0
    for r in range(1, R + 1):
        W = [w.copy() for w in model.W]
        g = model.emp_loss_grad(train_X, train_y)
        i = rng.integers(W[0].size + W[1].size{less})
        k, j = (0, i) if i < W[0].size else (1, i - W[0].size)
        {step}
        model.W = W
    return model.W
"""


@pytest.mark.parametrize(
    ("less", "step", "words"),
    [
        ("", "W[k].flat[j] -= lr * g[k].flat[j]", ""),
        (
            "",
            "v = 0.9 * v + lr * g[k].flat[j]; W[k].flat[j] -= v",
            "update: on a quadratic risk, with lr = 0.05, the change",
        ),
        ("", "W[k].flat[j] -= lr / r * g[k].flat[j]", "in step 2: expected"),
        (" - 1", "W[k].flat[j] -= lr * g[k].flat[j]", "and none of w2[2, 0]"),
    ],
)
def test_every_step_of_sgd_is_looked_at(less, step, words, grade, reference):
    result = of(grade(appended(reference, SGD, ONE_BY_ONE.format(less=less, step=step))), "SGD")
    assert result.right == (not words)
    assert words in "".join(result.feedback) and not result.diagnosed


@pytest.mark.parametrize(
    ("step", "name"),
    [
        ("W[k].flat[j] -= lr / 3 * g[k].flat[j]", "factor"),  # at the rate of a single step as if the rate were 0.1
        ("W[k].flat[j] -= min(lr, 0.1) * g[k].flat[j]", ""),
        ("W[k].flat[j] -= 0.1 * g[k].flat[j]", "default_learning_rate"),
        ("W[k].flat[j] -= lr / (1 + r) * g[k].flat[j]", ""),
        ("W[k].flat[j] -= lr / 2 * g[k].flat[j]", "half"),
        ("W[k].flat[j] -= lr * g[k].flat[j]; model.W = W\n        if abs(lr * g[k].flat[j]) < 1e-2: break", ""),
        ("W[k].flat[j] -= lr * g[k].flat[j]; model.W = W; break", "one_step"),
    ],
)
def test_a_name_of_sgd_holds_at_every_rate_and_in_every_step(step, name, grade, reference):
    result = of(grade(appended(reference, SGD, ONE_BY_ONE.format(less="", step=step))), "SGD")
    assert not result.right and (result.diagnosis or "") == name, result.feedback


def test_a_layer_that_is_taken_for_none_is_not_told_as_ignored(grade, reference):
    code = """
_all_layers = NN2.emp_loss_grad
NN2.emp_loss_grad = lambda self, X, y, W=None, layer=None: _all_layers(self, X, y, W, layer or None)
"""
    result = of(grade(appended(reference, NN2, code)), "emp_loss_grad")
    assert "with layer=0 the result must be" in result.feedback[0] and not result.diagnosed
    assert "is 0 taken for no layer?" in result.feedback[0]


@pytest.mark.parametrize("seeded", [False, True])
def test_a_parameter_that_is_drawn_anew_from_the_same_seed_is_found(seeded, grade, replaced):
    wrong = "np.random.default_rng(seed).integers(sum(sizes)) + np.zeros(R, int)"
    if not seeded:
        wrong = f"({wrong} if seed is None else np.random.default_rng(seed).integers(sum(sizes), size=R))"
    result = of(grade(replaced(SGD, "np.random.default_rng(seed).integers(sum(sizes), size=R)", wrong)), "SGD")
    assert (result.diagnosis == "same_parameter") == seeded


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (
            "return -y * log_y_hat - (1 - y) * log_not",
            "return -y * np.log(y_hat + 1e-6) - (1 - y) * np.log(1 - y_hat + 1e-6)",
        ),
        (
            "return -y * log_y_hat - (1 - y) * log_not",
            "p = np.clip(y_hat, 1e-6, 1 - 1e-6); return -y * np.log(p) - (1 - y) * np.log(1 - p)",
        ),
        (
            "return (1 - y) / _not_zero(1 - y_hat) - y / _not_zero(y_hat)",
            "return (1 - y) / (1 - y_hat + 1e-6) - y / (y_hat + 1e-6)",
        ),
    ],
)
def test_the_handouts_distortion_costs_nothing(right, wrong, of_code, replaced):
    files = replaced("mlcvlab/nn/losses.py", right, wrong)
    assignment = replace(of_code, problems=of_code.problems[:1])
    for seed in range(6):
        grade = Grader(assignment, Sandbox(libraries(assignment)), seed).grade(Submission("a", files))
        assert lost(grade) == set(), seed


NETWORKS_OF_ANOTHER_LOSS = {
    "l2, as the ℓ₂ norm of each sample": "np.sign(y_hat - y) * y_hat * (1 - y_hat)",
    "mse": "2 * (y_hat - y) * y_hat * (1 - y_hat)",
}


@pytest.mark.parametrize("delta", NETWORKS_OF_ANOTHER_LOSS.values(), ids=NETWORKS_OF_ANOTHER_LOSS)
def test_a_network_that_learns_by_another_loss_costs_what_the_rubric_says(delta, grade, replaced):
    wrong = f"y_hat = sigmoid(z2)\n            delta2 = {delta.replace(' y)', ' y[:, i])')}\n"
    result = grade(replaced(NN2, "delta2 = loss.gradient(y[:, i], z2)\n", wrong))
    assert lost(result) == set()
    assert of(result, "grad").variant in ("network_with_l2_loss", "network_with_squared_loss")


def test_a_missing_gradient_costs_nothing_of_the_empirical_risk(grade, reference):
    source = reference[NN2].decode()
    source = source.replace(
        "        return self._backward(X, checked_targets(y, X, W), W, (0, 1))", "        return None"
    )
    start = source.index("        total = self._backward(X, checked_targets(train_y")
    end = source.index("        return total if layer is None")
    loop = (
        "        y = np.reshape(train_y, (1, -1))\n"
        "        each = [self.grad(X[:, i : i + 1], y[:, i : i + 1], W) for i in range(X.shape[1])]\n"
        "        total = [sum(g[l] for g in each) / X.shape[1] for l in layers]\n"
    )
    result = grade({**reference, NN2: (source[:start] + loop + source[end:]).encode()})
    assert lost(result) == {"grad"}


def test_a_broken_rule_costs_what_the_rubric_says(grade, reference, replaced):
    assert grade({**reference, "helper.py": b""}).points == 18
    assert grade({name: c for name, c in reference.items() if name != "test_losses.py"}).points == 18
    torch = grade({**reference, BASIS: b"import torch\n" + reference[BASIS]})
    assert torch.points == 0 and "torch" in torch.violations[0].message


NO_MATHEMATICS = {
    "a constant network without gradients": (
        NN2,
        {
            "nn2": "return np.full((1, np.shape(x)[1]), 0.5)",
            "grad": "return [0 * w for w in (W or self.W)]",
            "emp_loss_grad": "g = [0 * w for w in (W or self.W)]; return g if layer is None else g[layer]",
        },
        8,
        3,
    ),
    "gradients that are NaN": (
        NN2,
        {
            "grad": "return [np.nan * w for w in (W or self.W)]",
            "emp_loss_grad": "g = [np.nan * w for w in (W or self.W)]; return g if layer is None else g[layer]",
        },
        6,
        3,
    ),
    "an SGD that does nothing": (
        SGD,
        {"SGD": "model.emp_loss_grad(train_X, train_y, [0 * w for w in model.W]); return model.W"},
        3,
        1.1,
    ),
    "an SGD that breaks all other parameters": (
        SGD,
        {"SGD": "W = [np.full(w.shape, np.nan) for w in model.W]; W[0].flat[0] = model.W[0].flat[0]; return W"},
        3,
        0.5,
    ),
    "numbers without end": (BASIS, {"linear": "return 10**400", "linear_grad": "return float('nan')"}, 1, 0.2),
    "an Adam that breaks the model": (ADAM, {"Adam": "W = model.W; W.append(0); return W[:2]"}, 3, 1),
}


@pytest.mark.parametrize("what", NO_MATHEMATICS)
def test_what_is_no_mathematics_gets_no_points_for_it(what, grade, reference):
    file, bodies, out_of, most = NO_MATHEMATICS[what]
    source = reference[file].decode()
    for name, body in bodies.items():
        start = source.rindex(f"def {name}(")
        end = source.index('"""', source.index('"""', start) + 3) + 3
        indent = "        " if file == NN2 else "    "
        source = f"{source[:end]}\n{indent}{body}{source[end:]}"
    result = grade({**reference, file: source.encode()})
    assert sum(of(result, name).points for name in bodies) <= most
    assert result.points >= 19 - out_of
    assert sum(of(result, name).out_of for name in bodies) == pytest.approx(out_of)


def test_a_loop_without_end_in_an_optimizer_costs_that_alone(of_code, replaced):
    files = replaced(
        SGD,
        "        for r, draw in enumerate(draws, start=1):",
        "        while len(draws):\n            r, draw = 1, draws[0]",
    )
    limits = {**of_code.limits, "call_seconds": 0.5}
    assignment = replace(of_code, limits=limits, problems=of_code.problems[2:])
    grader = Grader(assignment, Sandbox(libraries(assignment)), 3)
    for _ in range(2):
        result = grader.grade(Submission("a", files))
        assert lost(result) == {"SGD"} and "computed for more than 0.5 seconds" in of(result, "SGD").feedback[0]


def test_the_time_for_a_submission_has_an_end(of_code, replaced):
    files = replaced(BASIS, "    return W @ x", "    " + COMPUTES.format(0.4) + "; return W @ x")
    limits = {**of_code.limits, "submission_seconds": 1.5}
    assignment = replace(of_code, limits=limits)
    result = Grader(assignment, Sandbox(libraries(assignment)), 3).grade(Submission("a", files))
    assert (
        "the submission's time is over: it has computed (CPU time) and slept for 1.5 seconds"
        in of(result, "Adam").feedback[0]
    )


@pytest.fixture
def busy_machine():
    """Four other processes that compute all the time."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    yield
    for other in others:
        other.kill()
        other.wait()


@repeated("gradings on a busy machine", test=1, soak=5, full=50)
def test_a_busy_machine_changes_no_grade(of_code, replaced, busy_machine, seed):
    """One computes for half of its limit; one sleeps for half of how long it may."""
    limits = {**of_code.limits, "call_seconds": 1, "idle_seconds": 1}
    assignment = replace(of_code, limits=limits, problems=of_code.problems[:1])
    grader = Grader(assignment, Sandbox(libraries(assignment)), seed)
    first = "    if not hasattr(linear, 'called'):\n        linear.called = True; {}\n    return W @ x"
    cases = {COMPUTES.format(0.5): set(), "import time; time.sleep(0.5)": set(), COMPUTES.format(2): {"linear"}}
    for does, loses in cases.items():
        grade = grader.grade(Submission("a", replaced(BASIS, "    return W @ x", first.format(does))))
        assert lost(grade) == loses, does


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("linear", (np.ones((1, 10_000)), np.ones((10_000, 1)))),
        ("softmax_grad", (np.ones(10_000),)),
        ("sigmoid", (np.ones(5 * 10**7),)),
    ],
)
def test_what_is_supplied_does_not_work_without_end(function, arguments):
    with pytest.raises(ValueError, match="too large"):
        supplied_functions()[function](*arguments)


def test_what_is_supplied_of_the_network_does_not_work_without_end():
    W = [np.ones((4000, 784)), np.ones((4000, 1))]
    X = np.broadcast_to(np.float32(1), (784, 60_000))
    with pytest.raises(ValueError, match="too large"):
        supplied_network()["nn2"](W, X)
    with pytest.raises(ValueError, match="too large"):
        supplied_optimizers(0)["SGD"](W, X, np.ones((1, 60_000)), {})


def test_an_empty_submission_has_a_grade(grade):
    result = grade({})
    assert result.points == 0 and len(result.tests) == 23


def test_loose_files_without_the_packages_own_lose_the_rules_point_alone(of_code, reference, tmp_path):
    """Of a folder of loose files nothing is lost but the point for moving them."""
    for place, content in reference.items():
        if not place.endswith("__init__.py"):
            (tmp_path / place.rpartition("/")[2]).write_bytes(content)
    submission = read_submission(tmp_path, most_bytes=1 << 20, most_files=100)
    grader = Grader(of_code, Sandbox(libraries(of_code)), 20)
    result = grader.grade(submission)
    assert (lost(result), result.points) == (set(), 18)


TRIED = len(HONEST) + len(STYLES) + len(MISTAKES)


@repeated("solutions that are graded and checked without a sandbox", test=4, soak=20, full=TRIED)
def test_check_finds_without_a_sandbox_what_grade_finds_in_one(of_code, reference, fresh, seed):
    number = seed * 17 % TRIED
    if number < SOLUTIONS:
        files = honest(number, reference, fresh)[1]
    else:
        files = with_mistake(reference, MISTAKES[number - SOLUTIONS])
    found = []
    for unsafe in (False, True):
        grader = Grader(of_code, Sandbox(libraries(of_code), unsafe=unsafe), 20)
        tests = grader.grade(Submission("a", files)).tests
        # SGD draws without a seed: how near its updates are, and what is shown of them, is another number each time
        found.append([(test.name, test.points, test.diagnosis, test.variant) for test in tests])
    assert found[0] == found[1]


EPSILONS = [
    "d2 = ((1 - y) / (1 - y_hat + {e}) - y / (y_hat + {e})) * y_hat * (1 - y_hat)",
    "d2 = (y_hat - y) / (y_hat * (1 - y_hat) + {e}) * y_hat * (1 - y_hat)",
]


OWN_GRAD = """

def _grad(self, x, y, W=None):
    W1, w2 = [np.asarray(w, float) for w in (self.W if W is None else W)]
    x, y = np.asarray(x, float), np.asarray(y, float)
    z1 = W1 @ x
    a1 = np.maximum(z1, 0)
    y_hat = 1 / (1 + np.exp(-(w2.T @ a1)))
    LINE
    return [(w2 * d2 * (z1 > 0)) @ x.T, a1 @ d2.T]


NN2.grad = _grad
"""
OWN_SOFTMAX = b"""

def softmax(x):
    x = np.asarray(x, np.float32)
    axis = 0 if x.ndim == 1 or x.shape[1] == 1 else 1
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)
"""


@at_each_class_seed
@pytest.mark.parametrize("line", EPSILONS)
def test_the_footnotes_epsilon_in_a_gradient_costs_nothing_whatever_the_class_seed(line, seeds, reference, of_code):
    files = {**reference, NN2: reference[NN2] + OWN_GRAD.replace("LINE", line.format(e="1e-6")).encode()}
    grader = Grader(of_code, Sandbox(libraries(of_code)), 0)
    for seed, found in reports(grader, files, seeds, ["grad"]):
        lost = [prop.name for prop in found["grad"].properties if prop.credit < 1 and prop.name != "saturated"]
        assert not lost, (seed, lost)


@at_each_class_seed
def test_a_softmax_in_float32_costs_nothing_whatever_the_class_seed(seeds, reference, of_code):
    path = "mlcvlab/nn/activations.py"
    files = {**reference, path: reference[path] + OWN_SOFTMAX}
    grader = Grader(of_code, Sandbox(libraries(of_code)), 0)
    for seed, found in reports(grader, files, seeds, ["softmax"]):
        assert found["softmax"].is_whole, seed


@at_each_class_seed
@pytest.mark.parametrize(
    ("name", "own", "lost"),
    [
        ("relu", "np.vectorize(lambda t: max(0, t))(x)", {"value"}),  # whole numbers where the first result is one
        ("softmax", "np.exp(x - x.mean()) / np.exp(x - x.mean()).sum()", {"batch", "stability"}),
    ],
)
def test_a_mistake_outside_of_the_catalogue_costs_the_same_at_every_class_seed(
    name, own, lost, seeds, reference, of_code
):
    path = "mlcvlab/nn/activations.py"
    files = {**reference, path: reference[path] + f"\n\ndef {name}(x):\n    return {own}\n".encode()}
    grader = Grader(of_code, Sandbox(libraries(of_code)), 0)
    for seed, found in reports(grader, files, seeds, [name]):
        assert {prop.name for prop in found[name].properties if prop.credit < 1} == lost, seed


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("    return np.maximum(as_float(x), 0)", "    x[x < 0] *= 0.1\n    return x"),
        ("    return y * (1 - y)", "    y *= y\n    return y"),
    ],
)
def test_changing_the_input_is_named_only_where_nothing_else_is_wrong(right, wrong, replaced, grade):
    result = grade(replaced(ACTIVATIONS, right, wrong))
    [test] = [test for test in result.tests if not test.right and test.problem == 1]
    assert not test.diagnosed, test.diagnosed


@at_each_class_seed
def test_a_sigmoid_of_ones_own_that_overflows_costs_the_same_at_every_class_seed(seeds, of_code, replaced):
    files = replaced(
        NN2,
        "        return np.hstack([self.layers[1].activation(self._forward(X[:, i], W)[1]) for i in _blocks(X, W)])",
        "        z = self._forward(X, W)[1]\n        return np.exp(z) / (1 + np.exp(z))",
    )
    grader = Grader(of_code, Sandbox(libraries(of_code)), 0)
    found = {lost_properties(report["nn2"]) for _, report in reports(grader, files, seeds, ["nn2"])}
    assert found == {("stability",)}


@at_each_class_seed
def test_an_index_that_is_now_and_then_too_large_costs_the_same_at_every_class_seed(seeds, of_code, replaced):
    files = replaced(SGD, "integers(sum(sizes), size=R)", "integers(sum(sizes) + 1, size=R)")
    grader = Grader(of_code, Sandbox(libraries(of_code)), 0)
    found = {lost_properties(report["SGD"]) for _, report in reports(grader, files, seeds, ["SGD"])}
    assert len(found) == 1, found


def test_a_gradient_at_the_models_first_weights_is_named(of_code, replaced):
    files = replaced(SGD, "emp_loss_grad(self.X, self.y, self.W, layer)", "emp_loss_grad(self.X, self.y)[layer]")
    grader = Grader(of_code, Sandbox(libraries(of_code)), 0)
    for _, report in reports(grader, files, range(3), ["SGD"]):
        assert report["SGD"].diagnosis.mistake == "stale_gradient"


@pytest.mark.parametrize(
    ("method", "wrong"),
    [
        ("nn2", "        if not hasattr(self, 'kept'):\n            self.kept = {right}\n        return self.kept\n"),
        (
            "grad",
            "        found = {right}\n        self.sum = [a + g for a, g in zip(getattr(self, 'sum', [0, 0]), found)]\n"
            "        return self.sum\n",
        ),
    ],
)
def test_what_a_model_keeps_of_an_earlier_call_is_seen(method, wrong, reference, of_code):
    files = dict(reference)
    call = {"nn2": "NN2._right_nn2(self, x)", "grad": "NN2._right_grad(self, x, y, W)"}[method]
    head = {"nn2": "def kept(self, x):", "grad": "def kept(self, x, y, W=None):"}[method]
    body = wrong.format(right=call).replace("        ", "    ", 1).replace("\n        ", "\n    ")
    added = f"\n\nNN2._right_{method} = NN2.{method}\n{head}\n{body}NN2.{method} = kept\n"
    files[NN2] = files[NN2] + added.encode()
    grader = Grader(of_code, Sandbox(libraries(of_code)), 0)
    for _, report in reports(grader, files, range(2), [method]):
        assert lost_properties(report[method])


def test_a_function_that_blocks_costs_its_own_points_alone(of_code, replaced):
    files = replaced(
        ACTIVATIONS,
        "    return np.maximum(as_float(x), 0)",
        "    import time\n    time.sleep(1000)\n    return np.maximum(as_float(x), 0)",
    )
    limits = {**of_code.limits, "idle_seconds": 2, "submission_seconds": 8}
    assignment = replace(of_code, limits=limits)
    result = Grader(assignment, Sandbox(libraries(assignment)), 3).grade(Submission("a", files))
    assert lost(result) == {"relu"}


def test_a_result_that_is_nearly_large_enough_is_shown_as_less(replaced, grade):
    right = "    return (1 - y) / _not_zero(1 - y_hat) - y / _not_zero(y_hat)"
    wrong = "    y_hat = np.clip(y_hat, 0.0100001, 0.9899999)\n    return (1 - y) / (1 - y_hat) - y / y_hat"
    files = replaced(LOSSES, right, wrong)
    told = " ".join(of(grade(files), "cross_entropy_grad").feedback)
    found = re.search(r"of this size or more: expected \[\[ *-?([\d.]+).*?got \[\[ *-?([\d.]+)", told)
    assert float(found[2]) < float(found[1]) == 100, told


RELU_AT_THE_OUTPUT = """

def of_relu(self, x):
    return sigmoid(relu(linear(relu(linear(x, self.W[0])), self.W[1].T)))
NN2.nn2 = of_relu
"""
CLIPPED = "\n\nwhole = NN2.{0}\nNN2.{0} = lambda self, *args, **named: {1}\n"
L2_GRAD = """
def l2_grad(y, y_hat, *, axis=None):
    error = np.asarray(y_hat, float) - y
    return error / np.sqrt((error**2).sum(axis=axis, keepdims=axis is not None) + 1e-3)
"""


@at_each_class_seed
@pytest.mark.parametrize(
    ("file", "right", "wrong", "tests"),
    [
        (NN2, "return a1, linear(a1, w2.T)", "return a1, linear(a1[:-1], w2[:-1].T)", ["nn2"]),
        (NN2, "gradient += delta1 @ linear_grad(x).T", "gradient[:-1] += (delta1 @ linear_grad(x).T)[:-1]", ["grad"]),
        (NN2, "", CLIPPED.format("nn2", "np.clip(whole(self, *args), 0.1, 0.9)"), ["nn2"]),
        (NN2, "", CLIPPED.format("_backward", "[np.clip(g, -1, 1) for g in whole(self, *args, **named)]"), ["grad"]),
        (ACTIVATIONS, "", "\n\ndef step(x):\n    return (np.asarray(x) >= 0.5).astype(float)\n", ["step"]),
        (LOSSES, "", L2_GRAD, ["l2_grad"]),
        (
            LOSSES,
            "",
            "\n\ndef cross_entropy(y, y_hat):\n"
            "    return -(y * np.log(y_hat + 1e-5) + (1 - y) * np.log(1 - y_hat + 1e-5))\n",
            ["cross_entropy"],
        ),
        (NN2, "", RELU_AT_THE_OUTPUT, ["nn2"]),
    ],
    ids=[
        "a unit less",
        "a row less",
        "clipped output",
        "clipped gradient",
        "threshold",
        "softened root",
        "far epsilon",
        "a ReLU at the output",
    ],
)
def test_a_mistake_that_is_in_no_catalogue_costs_the_same_at_every_class_seed(
    of_code, reference, file, right, wrong, tests, seeds
):
    source = reference[file].decode()
    assert source.count(right) == 1 or not right
    files = {**reference, file: (source.replace(right, wrong) if right else source + wrong).encode()}
    grader = Grader(of_code, Sandbox(libraries(of_code)), 0)
    lost_by = {lost_properties(report[tests[0]]) for _, report in reports(grader, files, seeds, tests)}
    assert len(lost_by) == 1 and lost_by != {()}


def test_a_transpose_in_the_right_shape_is_not_told_as_transposed(of_code, reference):
    wrong = "[(delta1 @ linear_grad(x).T).T.reshape(w2.shape[0], -1)][0]"
    source = reference[NN2].decode()
    assert source.count("delta1 @ linear_grad(x).T") == 1
    files = {**reference, NN2: source.replace("delta1 @ linear_grad(x).T", wrong).encode()}
    grader = Grader(of_code, Sandbox(libraries(of_code)), 0)
    for _, report in reports(grader, files, range(3), ["grad"]):
        assert lost_properties(report["grad"]) and report["grad"].diagnosis is None


def with_methods(reference, **methods):
    """The reference with methods of NN2 written anew."""
    code = "".join(f"\n\n{source}\nNN2.{name} = {name}\n" for name, source in methods.items())
    return appended(reference, NN2, code)


KEEPS = {
    "nn2": """
def nn2(self, x):
    self.a1 = relu(linear(x, self.W[0]))
    self.out = sigmoid(linear(self.a1, self.W[1].T))
    return self.out
""",
    "grad": """
def grad(self, x, y, W=None):
    before = self.W
    if W is not None:
        self.W = W
    d2 = self.nn2(x) - y
    both = [(self.W[1] @ d2 * relu_grad(self.a1)) @ x.T, self.a1 @ d2.T]
    self.W = before
    return both
""",
    "emp_loss_grad": """
def emp_loss_grad(self, train_X, train_y, W=None, layer=None):
    both = [g / train_X.shape[1] for g in self.grad(train_X, train_y, W)]
    return both if layer is None else both[layer]
""",
}


@pytest.mark.parametrize(
    "mistake",
    [
        "def relu_grad(y): return (np.asarray(y) >= 0) * 1.0",
        "def sigmoid(x): return 1 / (1 + np.exp(np.asarray(x)))",
        "def relu(x): return np.abs(np.asarray(x))",
    ],
)
def test_a_mistake_of_problem_1_costs_nothing_of_a_network_that_keeps_what_it_computes(mistake, grade, reference):
    files = appended(with_methods(reference, **KEEPS), ACTIVATIONS, mistake)
    result = grade(files)
    assert lost(result) == {mistake.split("(")[0].split()[1]}, result


FOOTNOTE = """
def {name}(self, x, y, W=None{layer}):
    W1, w2 = self.W if W is None else W
    a1 = relu(linear(x, W1))
    p = sigmoid(linear(a1, w2.T))
    d2 = {delta} * p * (1 - p) / {count}
    both = [(w2 @ d2 * relu_grad(a1)) @ x.T, a1 @ d2.T]
    return {returned}
"""
OF_ALL = {"layer": ", layer=None", "count": "x.shape[1]", "returned": "both if layer is None else both[layer]"}
OF_ONE = {"layer": "", "count": "1", "returned": "both"}


@at_each_class_seed
@pytest.mark.parametrize(
    ("name", "delta"),
    [
        ("emp_loss_grad", "((1 - y) / (1 - p + 1e-6) - y / (p + 1e-6))"),
        ("grad", "((1 - y) / (1 - p + 1e-6) - y / (p + 1e-6))"),
        ("grad", "(p - y) / (p * (1 - p) + 1e-6)"),
    ],
)
def test_a_small_number_in_the_denominators_costs_nothing_whatever_the_class_seed(
    name, delta, seeds, of_code, reference
):
    source = FOOTNOTE.format(name=name, delta=delta, **(OF_ONE if name == "grad" else OF_ALL))
    grader = Grader(of_code, Sandbox(libraries(of_code)), 0)
    for seed, [result] in judged(grader, with_methods(reference, **{name: source}), seeds, [name]):
        assert result.points == result.out_of, (seed, result)


def test_a_layer_that_is_counted_from_1_is_not_told_as_ignored(grade, reference):
    source = """
def emp_loss_grad(self, train_X, train_y, W=None, layer=None):
    both = [g / train_X.shape[1] for g in self.grad(train_X, train_y, W)]
    return {1: both[0], 2: both[1]}.get(layer, both)
"""
    result = of(grade(with_methods(reference, emp_loss_grad=source)), "emp_loss_grad")
    assert result.points < result.out_of and "ignored" not in (result.diagnosed or ""), result


@pytest.mark.parametrize("threshold", [1e-3, 0.02])
def test_sgd_that_ends_early_is_not_told_to_end_in_its_first_step(threshold, of_code, reference):
    step = f"W[k].flat[j] -= lr * g[k].flat[j]; model.W = W\n        if abs(g[k].flat[j]) < {threshold}: break"
    grader = Grader(of_code, Sandbox(libraries(of_code)), 0)
    files = appended(reference, SGD, ONE_BY_ONE.format(less="", step=step))
    for seed, found in reports(grader, files, range(4), ["SGD"]):
        assert getattr(found["SGD"].diagnosis, "mistake", "") != "one_step", seed


def test_a_row_that_is_moved_at_once_is_found_whatever_is_drawn_first(of_code, reference):
    code = """
def SGD(model, train_X, train_y, *, lr=0.1, R=100, seed=None, callback=None):
    W = [w.copy() for w in model.W]
    rng = np.random.default_rng(seed)
    for r in range(R):
        l = int(r > 0 and rng.integers(2) == 0) ^ 1
        k = rng.integers(len(W[l]))
        W[l][k] -= lr * model.emp_loss_grad(train_X, train_y, W)[l][k]
    model.W = W
    return W
"""
    grader = Grader(of_code, Sandbox(libraries(of_code)), 0)
    for seed, found in reports(grader, appended(reference, SGD, code), range(3), ["SGD"]):
        assert "coordinate" in lost_properties(found["SGD"]), seed


def test_a_note_is_no_broken_rule_on_gradescope(grade, reference):
    results = as_gradescope(grade(appended(reference, ACTIVATIONS, "import cupy")))
    assert results["score"] == 19 and "Rule broken" not in results["output"]


def test_the_folder_of_an_editor_may_be_in_the_imports(grade, reference):
    files = {name: content.replace(b"from mlcvlab.", b"from hw1.mlcvlab.") for name, content in reference.items()}
    result = grade(files)
    assert (result.points, lost(result)) == (19, set()), result


LOOKS = {
    "zeroed": "Z = [w * 0 for w in W]; Z[k].flat[j] = W[k].flat[j]; model.emp_loss_grad(train_X, train_y, Z)",
    "differences": "H = [w.copy() for w in W]; H[k].flat[j] += 1e-4; model.emp_loss_grad(train_X, train_y, H)",
    "all": "[model.emp_loss_grad(train_X, train_y, [w * (i + 2) for w in W]) for i in range(3)]",
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("when", ["before", "after", "first"])
def test_gradients_that_sgd_looks_at_elsewhere_are_no_updates(look, when, grade, reference):
    step = "W[k].flat[j] -= lr * g[k].flat[j]"
    at_first = f"(lambda: [{LOOKS['all']}])() if r == 0 else None; {step}" if look == "all" else None
    steps = {"before": f"{LOOKS[look]}; {step}", "after": f"{step}; {LOOKS[look]}", "first": at_first}
    if steps[when] is None:
        steps[when] = f"{LOOKS[look]}; {step}; {LOOKS[look]}"
    result = of(grade(appended(reference, SGD, ONE_BY_ONE.format(less="", step=steps[when]))), "SGD")
    assert result.right, result.feedback


def test_the_zeroed_reading_may_look_at_the_gradient_at_the_weights_too(grade, reference):
    step = "Z = [np.zeros_like(w) for w in W]; Z[k].flat[j] = W[k].flat[j]"
    step += "; W[k].flat[j] -= lr * model.emp_loss_grad(train_X, train_y, Z)[k].flat[j]"
    result = of(grade(appended(reference, SGD, ONE_BY_ONE.format(less="", step=step))), "SGD")
    assert result.diagnosis == "zeroed", result


def test_a_step_against_the_size_of_the_gradient_costs_the_same_each_time(of_code, reference):
    files = appended(
        reference,
        SGD,
        ONE_BY_ONE.format(less="", step="W[k].flat[j] -= lr * abs(g[k].flat[j])").replace("seed)", "None)"),
    )
    grader = Grader(of_code, Sandbox(libraries(of_code)), 0)
    found = [found["SGD"] for _, found in reports(grader, files, [1] * 6, ["SGD"])]
    assert {tuple(lost_properties(one)) for one in found} == {("update",)}


def test_the_table_of_mistakes_has_the_words_of_each():
    rows = [line.strip("| ").replace("\\|", "\0").split(" | ") for line in TABLE_OF_MISTAKES]
    told = sorted((of.strip("`"), name, text.replace("\0", "|")) for of, name, _, text in rows)
    assert told == sorted((mistake.of, mistake.name.replace("_", " "), mistake.tells) for mistake in MISTAKES)
