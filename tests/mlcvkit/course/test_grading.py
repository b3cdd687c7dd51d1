"""Points: what the reference and the fresh handout get, what each mistake costs, and that it costs nothing else."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from coursework import MUTATIONS, NEEDS_BUBBLEWRAP, ROOT, mutated, mutation_table
from mlcvkit.course.assignment import read_assignment
from mlcvkit.course.grading import Grader, libraries
from mlcvkit.course.handout import handout
from mlcvkit.course.notebook import Digits
from mlcvkit.course.sandbox import Sandbox
from mlcvkit.course.submissions import Submission

pytestmark = NEEDS_BUBBLEWRAP

BASIS, ACTIVATIONS = "mlcvlab/nn/basis.py", "mlcvlab/nn/activations.py"
NN2, SGD, ADAM = "mlcvlab/models/nn2.py", "mlcvlab/optim/sgd.py", "mlcvlab/optim/adam.py"


def lost(grade):
    return {test.name for test in grade.tests if test.points < test.out_of - 1e-9}


def of(grade, name):
    return next(test for test in grade.tests if test.name == name)


def test_the_reference_has_25_of_25_and_the_fresh_handout_0_of_25(reference, tmp_path):
    assignment = read_assignment()
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:3]:
        parent.chmod(0o755)
    grader = Grader(assignment, Sandbox(libraries(assignment)), 20, Digits.make(tmp_path, 20))
    grade = grader.grade(Submission("reference", reference))
    assert (grade.points, grade.out_of, grade.violations, lost(grade)) == (25, 25, (), set())
    assert grade.test_accuracy > 0.98
    fresh = {n.removeprefix("hw1/"): c for n, c in handout(assignment).items() if n.startswith("hw1/")}
    grade = grader.grade(Submission("fresh", fresh))
    assert (grade.points, grade.out_of, grade.violations) == (0, 25, ())
    assert all("not implemented yet" in test.feedback[0] for test in grade.tests if test.problem < 4)


@pytest.fixture(scope="module")
def mutants(grade, reference):
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda mutation: grade(mutated(reference, mutation)), MUTATIONS))


def test_each_mistake_costs_points_where_it_is_and_nowhere_else(mutants):
    assert len(MUTATIONS) >= 60
    for mutation, grade in zip(MUTATIONS, mutants, strict=True):
        assert lost(grade) == set(mutation["loses"]), mutation["what"]
        assert grade.violations == (), mutation["what"]


def test_the_diagnosis_names_the_mistake(mutants):
    named = 0
    for mutation, grade in zip(MUTATIONS, mutants, strict=True):
        diagnosed = {test.diagnosis for test in grade.tests if test.diagnosis}
        assert diagnosed == ({mutation["names"]} if "names" in mutation else set()), mutation["what"]
        named += "names" in mutation
    assert named / len(MUTATIONS) >= 0.9


def test_the_table_of_the_docs_is_what_was_measured(mutants):
    assert mutation_table(mutants) in (ROOT / "docs/mistakes.md").read_text()


def test_feedback_has_the_failing_input_what_was_expected_and_got_and_the_equation(grade, replaced):
    text = "\n".join(of(grade(replaced(BASIS, "    return W @ x", "    return -(W @ x)")), "linear").feedback)
    for words in ("for x = [[", "W = [[", "expected [[", "got [[", "The equation: Y = W · X"):
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
    assert [line.partition(":")[0] for line in no_batch.feedback] == ["batch"]
    unstable = of(
        grade(
            replaced(
                ACTIVATIONS,
                "    return np.tanh(as_float(x))",
                "    return 1 - 2 / (np.exp(2 * x) + 1) + 0 / x * np.exp(x)",
            )
        ),
        "tanh",
    )
    assert [line.partition(":")[0] for line in unstable.feedback] == ["edge", "stability"] or unstable.points > 0


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


def test_an_empty_submission_has_a_grade(grade):
    result = grade({})
    assert result.points == 0 and len(result.tests) == 23
