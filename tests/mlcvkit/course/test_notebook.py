"""Problem 4: notebooks as students write them, and as some should not."""

import json
from dataclasses import replace

import numpy as np
import pytest

from coursework import NEEDS_BUBBLEWRAP
from mlcvkit.course.assignment import NOTEBOOK, read_assignment
from mlcvkit.course.checks.notebook import Digits, _reported
from mlcvkit.course.grading import Grader, libraries
from mlcvkit.course.sandbox import Sandbox
from mlcvkit.course.submissions import Submission
from mlcvkit.datasets import mnist

pytestmark = NEEDS_BUBBLEWRAP

DATA = """
import numpy as np
from mlcvkit import datasets
from mlcvlab.models.nn2 import NN2
digits = datasets.mnist()
train_X, test_X = (X.reshape(len(X), 784).astype(np.float32) / 255 for X in (digits.train_X, digits.test_X))
train_y, test_y = (1.0 * (y % 2 == 0) for y in (digits.train_y, digits.test_y))
"""
TRAINING = """
%matplotlib inline
model = NN2().initialize(784, 24, seed=0)
rng = np.random.default_rng(0)
for step in range(300):
    batch = rng.integers(len(train_X), size=128)
    gradients = model.emp_loss_grad(train_X[batch].T, train_y[None, batch].astype(np.float32))
    model.W = [w - 0.5 * g for w, g in zip(model.W, gradients)]
print("trained")
"""
TESTING = """
y_hat = model.nn2(test_X.T)[0]
test_accuracy = np.mean((y_hat >= 0.5) == (test_y == 1))
print(f"Accuracy: {test_accuracy:.2%}")
"""


def notebook(*cells):
    code = [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []} for cell in cells]
    return json.dumps({"cells": code, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    for place in (folder, *folder.parents[:3]):
        place.chmod(0o755)
    return Digits.make(folder, 20)


@pytest.fixture(scope="module")
def grade_notebook(digits, reference):
    assignment = read_assignment(only=(4,))
    limits = {**assignment.limits, "notebook_seconds": 40}
    assignment = replace(assignment, limits=limits, accuracy={"trained": 0.8, "full": 0.9})
    grader = Grader(assignment, Sandbox(libraries(assignment)), 20, digits)

    def grade(*cells, **limits):
        own = replace(grader, assignment=replace(assignment, limits={**assignment.limits, **limits}))
        return own.grade(Submission("a", {**reference, NOTEBOOK: notebook(*cells)}))

    return grade


def points(grade):
    return {test.name: test.points for test in grade.tests}


def feedback(grade):
    return "\n".join(line for test in grade.tests for line in test.feedback)


def test_an_honest_notebook_has_all_points_and_its_accuracy_is_measured(grade_notebook):
    grade = grade_notebook(DATA, TRAINING, TESTING)
    assert points(grade) == {"preprocessing": 2, "training": 2, "testing": 2}, feedback(grade)
    assert 0.9 < grade.test_accuracy < 0.99


@pytest.mark.parametrize(
    ("right", "wrong", "lost", "words"),
    [
        ("y % 2 == 0", "y % 2 == 1", "labels", "1 for odd digits"),
        ("1.0 * (y % 2 == 0)", "y", "labels", "the digits from 0 to 9 still"),
        (" / 255", "", "scale", "these go from 0 to 255"),
        ("digits.test_y))\n", "digits.test_y))\ntest_X, test_y = test_X[:900], test_y[:900]\n", "partition", "has 900"),
        (
            "digits.test_y))\n",
            "digits.test_y))\ntest_X, test_y = train_X[:10000], train_y[:10000]\n",
            "partition",
            "both parts",
        ),
        ("digits.test_y))\n", "digits.test_y))\ntrain_y = train_y[::-1]\n", "labels", "of the labels are right"),
    ],
)
def test_a_mistake_in_the_data_is_told(right, wrong, lost, words, grade_notebook):
    assert DATA.count(right) == 1
    grade = grade_notebook(DATA.replace(right, wrong))
    preprocessing = next(test for test in grade.tests if test.name == "preprocessing")
    told = [preprocessing.diagnosed, *preprocessing.feedback]
    assert any(words in line for line in told), told
    assert [line.partition(":")[0] for line in preprocessing.feedback] == [lost]


def test_samples_as_columns_and_a_partition_of_ones_own_are_as_good(grade_notebook):
    cell = """
every_X = np.concatenate([train_X, test_X])
every_y = np.concatenate([train_y, test_y])
order = np.random.default_rng(1).permutation(len(every_X))
test_X, test_y = every_X[order[:10_000]].T, every_y[None, order[:10_000]]
train_X, train_y = every_X[order[10_000:]].T, every_y[order[10_000:], None]
"""
    assert points(grade_notebook(DATA, cell))["preprocessing"] == 2


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ((DATA, "model = NN2().initialize(784, 24, seed=0)", "test_accuracy = 1.0"), "measured by the grader, is"),
        ((DATA, "print('Test accuracy: 99.99%')\ntest_accuracy = 0.9999"), "leaves no variable `model`"),
        ((DATA, "model = NN2().initialize(5, 5, seed=0)"), "must be (M, 784) and (M, 1); got (5, 5)"),
        ((DATA, "model = NN2().initialize(784, 4)\nmodel.W = [w * np.nan for w in model.W]"), "not finite"),
        ((DATA, "model = type('A', (), {'nn2': 1, 'W': [1, 2]})()"), "must be (M, 784)"),
        ((DATA, "model = 3"), "is no NN2"),
    ],
)
def test_a_network_that_is_none_gets_nothing_for_it(cells, words, grade_notebook):
    grade = grade_notebook(*cells)
    assert words in feedback(grade)
    training, testing = (next(t for t in grade.tests if t.name == name) for name in ("training", "testing"))
    assert training.points <= training.out_of / 4 and testing.points == 0


def test_the_true_test_images_are_not_in_the_sandbox(grade_notebook, digits):
    """A network that knows the test set by heart, as far as the notebook can see it, is not right on the true one."""
    true = {image.tobytes() for image in mnist().test_X}
    seen = np.fromfile(digits.folder / "mlcvlab/mnist/t10k-images-idx3-ubyte", np.uint8)[16:].reshape(-1, 784)
    assert len(seen) == 10_000 and not any(image.tobytes() in true for image in seen)
    search = """
import os
found = [os.path.join(root, name) for root, _, names in os.walk("/packages") for name in names if "t10k" in name]
assert all(os.path.getsize(path) == 0 for path in found), found
assert not any(name in ("course", "hw1") and os.listdir(os.path.join(root, name))
               for root, names, _ in os.walk("/packages") for name in names)
for top in set(os.listdir("/")) - {"proc", "sys", "usr"}:
    for root, _, names in os.walk("/" + top):
        assert not (root.endswith("mlcvlab/nn") and "activations.py" in names and "/submission" not in root), root
"""
    assert "runs" not in feedback(grade_notebook(search))


def test_a_cell_that_fails_is_told_and_what_was_there_before_counts(grade_notebook):
    grade = grade_notebook(DATA, "print(1)", "raise KeyError('oh')", TRAINING)
    assert points(grade)["preprocessing"] == 2
    assert "runs: code cell 3: KeyError: 'oh'" in feedback(grade)


def test_a_notebook_without_end_is_interrupted_and_what_was_there_counts(grade_notebook):
    grade = grade_notebook(DATA, "while True: pass", notebook_seconds=4)
    assert points(grade) == {"preprocessing": 2, "training": 0, "testing": 0}
    assert "`model`" in feedback(grade)
    assert "runs: code cell 2: TimeIsOver: the notebook's time is over" in feedback(grade)


def test_a_notebook_that_does_not_let_itself_be_interrupted_is_ended(grade_notebook):
    cell = "import signal\nsignal.setitimer(signal.ITIMER_PROF, 0)\nwhile True: pass"
    grade = grade_notebook(cell, notebook_seconds=2)
    assert grade.points == 0 and "did not run to its end: it computed for more than 2.5 seconds" in feedback(grade)


def test_much_that_is_printed_costs_nothing(grade_notebook):
    grade = grade_notebook(DATA, "for _ in range(200): print('x' * 100_000)")
    assert points(grade)["preprocessing"] == 2 and "runs" not in feedback(grade)


@pytest.mark.parametrize(("place", "columns"), [(0, True), (784, False)])
def test_a_column_of_ones_beside_the_pixels_is_a_bias(grade_notebook, place, columns):
    bias = f"\ntrain_X, test_X = (np.insert(X, {place}, 1, axis=1) for X in (train_X, test_X))\n"
    training = TRAINING.replace("initialize(784", "initialize(785")
    turned = "\ntrain_X, test_X = train_X.T, test_X.T" if columns else ""
    grade = grade_notebook(DATA, bias, training, TESTING + turned)
    assert points(grade) == {"preprocessing": 2, "training": 2, "testing": 2}, feedback(grade)


BY_OPENML = """
from sklearn.datasets import fetch_openml
X, y = fetch_openml("mnist_784", version=1, return_X_y=True, as_frame=False)
train_X, test_X, train_y, test_y = X[:60000] / 255, X[60000:] / 255, y[:60000].astype(int), y[60000:].astype(int)
"""
BY_OPENML_AS_A_FRAME = """
from sklearn.datasets import fetch_openml
mnist = fetch_openml("mnist_784")
X, y = mnist.data.to_numpy() / 255, mnist.target.astype(int).to_numpy()
train_X, test_X, train_y, test_y = X[:60000], X[60000:], y[:60000], y[60000:]
"""
BY_KERAS = """
from keras.datasets import mnist
(train_X, train_y), (test_X, test_y) = mnist.load_data()
train_X, test_X = train_X / 255.0, test_X / 255.0
"""


BY_TORCHVISION = """
import numpy as np
from torchvision import datasets, transforms
train = datasets.MNIST("data", train=True, download=True)
test = datasets.MNIST("data", train=False, transform=transforms.ToTensor())
train_X, train_y = train.data.numpy().reshape(-1, 784) / 255, train.targets.numpy()
test_X = np.stack([image.reshape(784) for image, _ in test])
test_y = np.array([test[i][1] for i in range(len(test))])
"""


def test_weights_of_one_direction_are_put_to_a_person(grade_notebook):
    cell = "w = np.ones((1, 784))\nmodel = NN2().initialize(784, 4)\nmodel.W = [np.vstack([w, -w, w, w]), model.W[1]]"
    grade = grade_notebook(DATA, cell)
    assert any("another model's weights" in violation.message for violation in grade.violations)


@pytest.mark.parametrize(
    "cell",
    [BY_OPENML, BY_OPENML_AS_A_FRAME, BY_KERAS, BY_KERAS.replace("keras", "tensorflow.keras"), BY_TORCHVISION],
)
def test_the_usual_calls_that_fetch_the_digits_are_answered(grade_notebook, cell):
    grade = grade_notebook(cell, "train_y, test_y = 1 * (train_y % 2 == 0), 1 * (test_y % 2 == 0)")
    assert points(grade)["preprocessing"] == 2, feedback(grade)
    assert not grade.broken and ("openml" in cell or any("for the data" in v.message for v in grade.violations))


def test_another_set_from_the_network_is_told(grade_notebook):
    grade = grade_notebook("from sklearn.datasets import fetch_openml\nfetch_openml('iris')")
    assert "there is no network where this is graded, and 'iris' is not MNIST" in feedback(grade)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"cells": [{"cell_type": "code"}]}'])
def test_what_is_no_notebook_gets_nothing(content, grade_notebook, reference, digits):
    assignment = read_assignment(only=(4,))
    grader = Grader(assignment, Sandbox(libraries(assignment)), 20, digits)
    grade = grader.grade(Submission("a", {**reference, NOTEBOOK: content}))
    assert grade.points == 0 and "has no code" in feedback(grade)


def test_what_is_broken_in_the_tree_is_supplied_to_the_notebook(digits, reference):
    source = reference["mlcvlab/models/nn2.py"].decode()
    broken = source.replace(
        "        X, W = checked_samples(", "        raise KeyError('oh')\n        X, W = checked_samples("
    )
    training = """
from mlcvlab.optim.adam import Adam
model = NN2().initialize(784, 24, seed=0)
Adam(model, train_X[:3000].T, train_y[None, :3000].astype(np.float32), alpha=0.02, R=40, lookahead=False)
"""
    assignment = read_assignment(only=(2, 4))
    assignment = replace(assignment, accuracy={"trained": 0.8, "full": 0.85})
    grader = Grader(assignment, Sandbox(libraries(assignment)), 20, digits)
    files = {**reference, "mlcvlab/models/nn2.py": broken.encode(), NOTEBOOK: notebook(DATA, training, TESTING)}
    assert broken != source
    grade = grader.grade(Submission("a", files))
    alone = replace(grader, assignment=replace(assignment, problems=assignment.problems[1:]))
    assert points(alone.grade(Submission("a", files))) == {"preprocessing": 2, "training": 2, "testing": 2}
    assert points(grade) == {
        "nn2": 0, "grad": 0, "emp_loss_grad": 0, "preprocessing": 2, "training": 2, "testing": 2
    }, feedback(grade)  # fmt: skip


def test_a_lone_notebook_has_its_own_points(digits):
    """What it builds on and was not handed in is supplied."""
    assignment = read_assignment(only=(4,))
    grader = Grader(assignment, Sandbox(libraries(assignment)), 20, digits)
    grade = grader.grade(Submission("a", {NOTEBOOK: notebook(DATA, TRAINING, TESTING)}))
    assert points(grade) == {"preprocessing": 2, "training": 2, "testing": 2}, feedback(grade)


SHIFTED = {
    "standardised": ("(train_X - 0.1307) / 0.3081", "(test_X - 0.1307) / 0.3081"),
    "shifted": ("train_X - 0.5", "test_X - 0.5"),
    "exchanged": ("1 - train_X", "1 - test_X"),
}


@pytest.mark.parametrize("how", SHIFTED)
def test_other_grey_levels_cost_the_scale_alone(how, grade_notebook):
    train, test = SHIFTED[how]
    cell = f"train_X, test_X = {train}, {test}\n"
    grade = grade_notebook(DATA, cell, TRAINING.replace("0.5 * g", "0.1 * g").replace("300", "900"), TESTING)
    lost = [line.partition(":")[0] for one in grade.tests for line in one.feedback if not one.right]
    assert [name for name in lost if name != "accuracy"] == ["scale"], feedback(grade)  # a longer training has 90 %
    assert ("black and white are exchanged" in feedback(grade)) == (how == "exchanged")
    assert grade.test_accuracy > 0.8


def test_reversed_labels_cost_the_labels_alone(grade_notebook):
    grade = grade_notebook(DATA.replace("y % 2 == 0", "y % 2 == 1"), TRAINING, TESTING)
    assert [test.name for test in grade.tests if not test.right] == ["preprocessing"], feedback(grade)


def test_wrong_labels_of_the_test_part_are_no_reproach_to_the_network(grade_notebook):
    cells = (DATA + "test_y = 1 - test_y\n", TRAINING, TESTING)
    grade = grade_notebook(*cells)
    assert [test.name for test in grade.tests if not test.right] == ["preprocessing"], feedback(grade)
    assert "opposite" not in feedback(grade)


@pytest.mark.parametrize(
    "cell",
    [
        "%load_ext autoreload\n%autoreload 2",
        "import inspect; inspect.stack()",
        "import seaborn as sns\nfrom rich_of_nobody import that",
        "%matplotlib widget\nimport matplotlib.pyplot as plt; plt.plot([1, 2])",
        "%load_ext nb_black",
        "%run test_basis.py",
        "help(NN2)",
    ],
)
def test_what_a_notebook_begins_with_elsewhere_costs_nothing_here(cell, grade_notebook):
    grade = grade_notebook("from mlcvlab.models.nn2 import NN2", cell, DATA)
    assert points(grade)["preprocessing"] == 2 and "code cell" not in feedback(grade), feedback(grade)


def test_a_notebook_may_end_with_exit(grade_notebook):
    grade = grade_notebook(DATA, "exit()", "1 / 0")
    assert points(grade)["preprocessing"] == 2 and "code cell" not in feedback(grade), feedback(grade)


def test_a_library_that_is_not_installed_fails_where_it_is_used(grade_notebook):
    grade = grade_notebook(DATA, "import seaborn\nseaborn.set_theme()")
    assert "seaborn is not installed where this is graded" in feedback(grade)


def test_without_a_sandbox_nothing_is_left_in_the_current_folder(digits, reference, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assignment = read_assignment(only=(4,))
    grader = Grader(assignment, Sandbox(libraries(assignment), unsafe=True), 20, digits)
    cells = ("open('left.txt', 'w').write('here')", "%run test_basis.py", DATA)
    grade = grader.grade(Submission("a", {**reference, NOTEBOOK: notebook(*cells)}))
    assert points(grade)["preprocessing"] == 2 and "code cell" not in feedback(grade), feedback(grade)
    assert list(tmp_path.iterdir()) == []


EACH_BY_ITSELF = {
    "standardised": ("part - train_X.mean(0)", "/ (train_X.std(0) + 1e-8)", ["scale"]),
    "from 0 to 1": ("part - train_X.min(0)", "/ (np.ptp(train_X, axis=0) + 1e-8)", ["scale"]),
    "black or white": ("part > 0.5", "* 1.0", []),
}


@pytest.mark.parametrize("how", EACH_BY_ITSELF)
def test_pixels_that_are_scaled_each_by_itself_cost_neither_labels_nor_partition(how, grade_notebook):
    first, second, lost = EACH_BY_ITSELF[how]
    cell = f"train_X, test_X = [({first}) {second} for part in (train_X, test_X)]"
    grade = grade_notebook(DATA, cell, TRAINING, TESTING)
    [test] = [one for one in grade.tests if one.name == "preprocessing"]
    assert [line.partition(":")[0] for line in test.feedback if not test.right] == lost, feedback(grade)


def test_the_files_hold_mnists_test_labels_and_no_image_twice(digits):
    place = digits.folder / "mlcvlab" / "mnist"
    labels = np.frombuffer((place / "t10k-labels-idx1-ubyte").read_bytes()[8:], np.uint8)
    assert np.array_equal(labels, mnist().test_y)
    contents = ((place / f"{part}-images-idx3-ubyte").read_bytes()[16:] for part in ("train", "t10k"))
    train, test = ({image.tobytes() for image in np.frombuffer(c, np.uint8).reshape(-1, 784)} for c in contents)
    true = {image.tobytes() for image in mnist().test_X}
    assert len(test) == 10_000
    assert not test & train
    assert not test & true


def test_a_helper_that_the_notebook_writes_is_imported(grade_notebook):
    grade = grade_notebook("%%writefile helper.py\nhalf = 0.5", "from helper import half\nassert half == 0.5", DATA)
    assert points(grade)["preprocessing"] == 2 and "helper" not in feedback(grade), feedback(grade)


def test_a_probability_of_exactly_one_half_may_count_as_even_and_as_odd():
    class Values:
        bias = None

        def numbers(self, name):
            return np.array([self.reported]) if name == "test_accuracy" else np.array([1.0, 1.0, 1.0, 0.0])

        def images(self, *_):
            return np.zeros((4, 784))

    values, dead = Values(), [np.zeros((3, 784)), np.zeros((3, 1))]
    for values.reported, credit in ((0.75, 1.0), (0.25, 1.0), (75.0, 1.0), (0.5, 0.0)):
        assert _reported(values, dead)[0] == credit


@pytest.mark.parametrize(
    "said", ["f'{test_accuracy:.2%}'", "f'Accuracy: {100 * test_accuracy:.1f} %'", "str(test_accuracy)"]
)
def test_an_accuracy_may_be_the_text_that_is_printed(said, grade_notebook):
    grade = grade_notebook(DATA, TRAINING, TESTING, f"test_accuracy = {said}")
    assert points(grade)["testing"] == 2, feedback(grade)


BY_TENSORFLOW = """
import tensorflow as tf
from tensorflow.keras.utils import to_categorical
print(tf.__version__, to_categorical([1, 0], 2))
(train_X, train_y), (test_X, test_y) = tf.keras.datasets.mnist.load_data()
train_X, test_X = train_X / 255.0, test_X / 255.0
"""
OF_COLAB = """
from google.colab import drive, files
drive.mount("/content/drive")
import google.colab
files.download("w.npy")
"""
IN_PARALLEL = """
import subprocess, sys
from joblib import Parallel, delayed
assert Parallel(n_jobs=2)(delayed(abs)(i) for i in range(4)) == [0, 1, 2, 3]
subprocess.run([sys.executable, "-c", "import numpy"], check=True)
"""


def test_what_many_notebooks_call_of_their_surroundings_is_answered(grade_notebook):
    even = "train_y, test_y = 1 * (train_y % 2 == 0), 1 * (test_y % 2 == 0)"
    grade = grade_notebook(BY_TENSORFLOW, even, OF_COLAB, IN_PARALLEL)
    assert points(grade)["preprocessing"] == 2, feedback(grade)
    assert not grade.broken and "code cell" not in feedback(grade)


def test_what_only_the_students_own_functions_take_costs_nothing_of_the_notebook(digits, reference):
    source = reference["mlcvlab/models/nn2.py"].decode()
    broken = f"""{source}
_own, _right = NN2.nn2, NN2.emp_loss_grad
NN2.nn2 = lambda self, x, verbose=False: -_own(self, x)
NN2.emp_loss_grad = lambda self, *given, **named: [-g for g in _right(self, *given, **named)]
"""
    training = """
from mlcvlab.optim.adam import Adam
model, seen = NN2().initialize(784, 24, seed=0), []
X, y = train_X[:3000].T, train_y[None, :3000].astype(np.float32)
Adam(model, X, y, alpha=0.02, R=40, lookahead=False, verbose=False, callback=lambda r, W: seen.append((r, len(W))))
assert seen[-1] == (40, 2) and len(seen) == 40
model.nn2(X[:, :2], verbose=True)
"""
    assignment = replace(read_assignment(only=(2, 3, 4)), accuracy={"trained": 0.8, "full": 0.85})
    grader = Grader(assignment, Sandbox(libraries(assignment)), 20, digits)
    own = "def Adam(model, X, y, verbose=False, **options):\n    raise KeyError('oh')\n"
    files = {**reference, "mlcvlab/models/nn2.py": broken.encode(), "mlcvlab/optim/adam.py": own.encode()}
    grade = grader.grade(Submission("a", {**files, NOTEBOOK: notebook(DATA, training, TESTING)}))
    assert points(grade)["training"] == 2 and "code cell" not in feedback(grade), feedback(grade)


@pytest.mark.parametrize("wait", ["import time; time.sleep(10**6)", "import threading; threading.Event().wait()"])
def test_a_notebook_that_waits_is_interrupted_and_what_was_there_counts(wait, grade_notebook):
    grade = grade_notebook(DATA, wait, idle_seconds=3)
    assert points(grade) == {"preprocessing": 2, "training": 0, "testing": 0}, feedback(grade)
    assert "code cell 2: TimeIsOver" in feedback(grade)
