import re
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from mlcvkit import datasets
from mlcvkit.models import ACTIVATIONS, logit_loss
from mlcvkit.playground import inspection, network_view
from mlcvkit.playground.experiments import Experiment
from mlcvkit.playground.networks import make_network
from mlcvkit.playground.page import experiment_of
from mlcvkit.playground.sessions import FairSemaphore, Session
from mlcvkit.playground.student import StudentNetwork
from mlcvkit.playground.widgets import share, signed
from mlcvkit.training import accuracy

KINDS = {
    "nn2": Experiment(hidden_units=12, samples=500),
    "deep": Experiment(data="mnist-parity", hidden_units=10, depth=3, activation="tanh"),
    "digits": Experiment(data="mnist", hidden_units=9),
    "moons": Experiment(data="moons", hidden_units=5, depth=2, activation="sigmoid"),
}


@pytest.fixture(scope="module", params=KINDS)
def network(request):
    return make_network(KINDS[request.param])


def sample_of(network):
    X, y = network.held_out
    return X[:, [3]], y[:, [3]]


def test_the_path_adds_up_to_the_answer(network):
    x, _ = sample_of(network)
    path = inspection.path(network, x)
    np.testing.assert_allclose(path.added.sum(axis=0) + path.bias, path.z, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(path.answers, network.answer(x)[:, 0], rtol=1e-4, atol=1e-6)
    assert [len(layer) for layer in path.layers] == [network.experiment.hidden_units] * network.experiment.depth


def test_the_units_are_the_weights_or_what_they_answer(network):
    numbers = inspection.strongest_units(network, 4)
    pictures = inspection.unit_pictures(network, numbers)
    assert [picture.number for picture in pictures] == numbers
    for picture in pictures:
        assert np.abs(picture.pixels.astype(int)).max() == 127
        if network.experiment.has_images:
            row = network.mlp.pairs(network.mlp.W)[0][0][picture.number]
            assert np.corrcoef(row, picture.pixels)[0, 1] > 0.999
        else:
            assert len(picture.pixels) == inspection.UNIT_GRID**2


def test_one_step_in_numbers_is_that_of_the_gradient(network):
    x, y = sample_of(network)
    unit = 2
    stages = inspection.stages(network, x, y, 0.5, unit)
    assert [stage.name.split(":")[0] for stage in stages[:2]] == ["Input", "Hidden unit 3"]
    mlp = network.mlp
    gradient = mlp.pairs(mlp.grad(x, y))[0][0][unit]
    column = int(re.search(r"W_1\[3,(\d+)\]", stages[-2].equation)[1]) - 1
    told = float(stages[-2].numbers.split("= ")[1])
    assert told == pytest.approx(gradient[column], rel=2e-3)
    weight = mlp.pairs(mlp.W)[0][0][unit, column]
    stepped = float(stages[-1].numbers.split("= ")[1])
    assert stepped == pytest.approx(weight - 0.5 * gradient[column], abs=2e-5)
    loss = float(re.search(r"ℓ = ([\d.]+)", stages[5].numbers)[1])
    assert loss == pytest.approx(mlp.emp_loss(x, y), abs=6e-5)


def test_what_reaches_a_unit_is_shown_whether_it_fires_or_not(network):
    x, y = sample_of(network)
    mlp, step = network.mlp, 1e-3
    *hidden, (W_out, b_out) = mlp.pairs(mlp.W)
    first = inspection.path(network, x).layers[0].astype(np.float64)
    shown = set()
    for unit in range(len(first)):

        def loss(a1):
            a = a1[:, None]
            for W, b in hidden[1:]:
                a = ACTIVATIONS[mlp.activation].function(W.astype(float) @ a + (0 if b is None else b))
            z = W_out.astype(float) @ a + (0 if b_out is None else b_out)
            return float(logit_loss(mlp.output, mlp.loss).value(y, z)[0])

        moved = [first + sign * step * np.eye(len(first))[unit] for sign in (1, -1)]
        slope = (loss(moved[0]) - loss(moved[1])) / (2 * step)
        back = inspection.stages(network, x, y, 0.5, unit)[-3].numbers
        assert float(back.split(" · ")[0]) == pytest.approx(slope, rel=2e-3, abs=1e-6)
        shown.add(first[unit] > 0)
    assert shown == {False, True} or mlp.activation != "relu"


def test_the_smallest_step_is_seen(network):
    x, y = sample_of(network)
    for rate in (1e-6, 1e-3, 1.0):
        weight, gradient, stepped = re.match(
            r"(\S+) - \S+ · (\S+) = (\S+)", inspection.stages(network, x, y, rate, 1)[-1].numbers
        ).groups()
        change = rate * float(gradient)
        if abs(change) > 1e-10:
            assert float(weight) - float(stepped) == pytest.approx(change, rel=0.1)


def test_a_share_that_is_not_all_is_not_shown_as_all_and_nothing_has_no_sign():
    assert [share(value) for value in (1, 0.9996, 0.9994, 0.5, 0)] == ["100.0%", "over 99.9%", "99.9%", "50.0%", "0.0%"]
    assert share(0.99996, 2) == "over 99.99%"
    assert [signed(value) for value in (-0.0001, 0.0004, -0.0006, 1.5)] == ["0.000", "0.000", "-0.001", "+1.500"]


def test_a_training_remembers_what_was_changed_on_its_way_and_where():
    session = Session(Experiment(data="moons", hidden_units=3), FairSemaphore(1))
    session.change(replace(session.experiment, learning_rate=0.5))
    assert session.changes == (), "nothing was trained"
    session.step(3)
    session.rest()
    at = session.steps
    session.change(replace(session.experiment, learning_rate=0.25, batch_size=8))
    assert [(c.at.steps, c.name, c.before, c.after) for c in session.changes] == [
        (at, "learning_rate", 0.5, 0.25),
        (at, "batch_size", 128, 8),
    ]
    session.reset()
    assert session.changes == ()
    session.close()


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("nn2", ["nn2 returned None", "one number for each of the 5 samples"]),
        ("emp_loss", ["emp_loss returned None", "the mean loss, one number"]),
        ("emp_loss_grad", ["emp_loss_grad returned None", "a list of two gradients, of shapes (3, 784) and (3, 1)"]),
    ],
)
def test_a_forgotten_return_is_told_by_the_name_of_its_function(method, words):
    student = object.__new__(StudentNetwork)
    student.W = [np.zeros((3, 784)), np.zeros((3, 1))]
    student.released, student._call = nullcontext, lambda *_, **__: None
    X, y = np.zeros((784, 5)), np.zeros((1, 5))
    ask = {"nn2": lambda: student.predict(X)}.get(method, lambda: getattr(student, method)(X, y))
    with pytest.raises(RuntimeError) as told:
        ask()
    for word in (*words, "is a return missing?"):
        assert word in str(told.value)


@pytest.mark.parametrize(
    ("gradients", "words"),
    [
        ([np.zeros((784, 3)), np.zeros((1, 3))], "a list of (784, 3), (1, 3)"),
        ([np.full((3, 784), np.nan), np.zeros((3, 1))], "infinite, or none (NaN)"),
        ([np.zeros((3, 784)), np.zeros(3)], ""),
        ([np.zeros((3, 784)), np.zeros((1, 3))], ""),
    ],
)
def test_a_gradient_of_another_shape_or_without_numbers_is_told(gradients, words):
    student = object.__new__(StudentNetwork)
    student.W = [np.zeros((3, 784)), np.zeros((3, 1))]
    student.released, student._call = nullcontext, lambda *_, **__: gradients
    if not words:
        assert [g.shape for g in student.emp_loss_grad(np.zeros((784, 5)), np.zeros((1, 5)))] == [(3, 784), (3, 1)]
        return
    with pytest.raises(RuntimeError) as told:
        student.emp_loss_grad(np.zeros((784, 5)), np.zeros((1, 5)))
    assert words in str(told.value)


def test_the_plane_is_that_of_the_samples():
    network = make_network(KINDS["moons"])
    (left, right), (bottom, top), grid = inspection.plane(network, 11)
    X = np.hstack([network.train[0], network.held_out[0]])
    assert left < X[0].min() and right > X[0].max() and bottom < X[1].min() and top > X[1].max()
    assert grid.shape == (2, 121)
    assert grid[:, 0] == pytest.approx([left, top], rel=1e-5) and grid[:, -1] == pytest.approx(
        [right, bottom], rel=1e-5
    )
    answers = inspection.surface(network).astype(int)
    assert len(answers) == inspection.GRID**2
    points = inspection.points_on_plane(network)
    assert len(points) == X.shape[1]
    assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y, *_ in points)


@pytest.mark.parametrize("kind", ["digits", "nn2"])
def test_the_confusion_matrix_is_that_of_the_test_images(kind):
    digits, network = datasets.mnist(), make_network(KINDS[kind])
    found = inspection.confusion(network)
    answers = network.answer(datasets.scale_images(digits.test_X).T)
    truth = digits.test_y.astype(int)
    predicted = answers.argmax(axis=0) if kind == "digits" else (answers[0] >= 0.5).astype(int)
    assert found.counts.shape == (10, len(network.class_names)) and found.counts.sum() == 10_000
    for i in range(10):
        for j in range(len(network.class_names)):
            assert found.counts[i, j] == ((truth == i) & (predicted == j)).sum()
    right = found.is_right(found.truth, found.predicted)
    assert (right == (truth == predicted if kind == "digits" else (truth % 2 == 0) == (predicted == 1))).all()
    if kind == "digits":
        across, within = inspection.parity_mistakes(found.counts)
        assert across == (predicted % 2 != truth % 2).sum()
        assert within == ((predicted != truth) & (predicted % 2 == truth % 2)).sum()
    i, j = map(int, np.unravel_index(found.counts.argmax(), found.counts.shape))
    cell = found.cell(i, j, 7)
    assert len(cell) == 7 and (truth[cell] == i).all() and (predicted[cell] == j).all()
    of_cell = found.sure[(truth == i) & (predicted == j)]
    assert found.sure[cell].tolist() == sorted(of_cell.tolist(), reverse=True)[:7]


def test_the_confusion_matrix_of_points_is_that_of_the_held_out():
    network = make_network(KINDS["moons"])
    X, y = network.held_out
    found = inspection.confusion(network)
    assert found.counts.sum() == X.shape[1]
    assert np.trace(found.counts) / found.counts.sum() == pytest.approx(accuracy(network.model, X, y))


def test_a_prediction_of_one_half_counts_as_one():
    network = make_network(Experiment(hidden_units=2, samples=100, initialization="zeros"))
    assert network.measure()["validation_accuracy"] == accuracy(network.model, *network.held_out)


def test_dead_units_are_those_that_answer_nothing():
    network = make_network(KINDS["nn2"])
    alive, looked_at = inspection.dead_units(network)
    assert looked_at == min(500, network.train[0].shape[1])
    W1 = network.model.W[0].copy()
    W1[:4] = -1
    network.model.W = [W1, network.model.W[1]]
    assert inspection.dead_units(network)[0] >= max(4, alive)
    assert inspection.dead_units(make_network(KINDS["deep"]))[0] == 0


def test_a_digit_of_mnist_drawn_elsewhere_comes_back_to_its_place():
    """MNIST's own images are centred by their mass in 20 pixels: a shifted one is brought back."""
    images = np.asarray(datasets.mnist().test_X[:40])
    kept = 0
    for image in images:
        rows, columns = np.nonzero(image > 32)
        box = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        moved = np.zeros_like(image)
        moved[: box.shape[0], : box.shape[1]] = box
        back = inspection.centred(moved).reshape(28, 28)
        kept += np.corrcoef(back.ravel(), image.ravel())[0, 1] > 0.9
    assert kept >= 36


@given(st.integers(1, 27), st.integers(1, 27), st.integers(0, 27), st.integers(0, 27))
def test_any_drawing_fits_the_image(width, height, left, top):
    canvas = Image.new("L", (28, 28))
    ImageDraw.Draw(canvas).rectangle([left, top, left + width, top + height], fill=255)
    image = inspection.centred(np.asarray(canvas))
    assert image.shape == (784, 1) and image.dtype == np.float32
    assert image.min() >= 0 and 0 < image.max() <= 1


def test_an_empty_drawing_is_none():
    assert inspection.centred(np.zeros((28, 28), np.uint8)) is None


def test_the_guided_experiment_on_dead_units_kills_units():
    experiment, _ = experiment_of({"guide": "dead-units"})
    network = make_network(experiment)
    network.fit(replace(experiment, epochs=1))
    assert inspection.dead_units(network)[0] > experiment.hidden_units / 2
    calm = make_network(replace(experiment, learning_rate=0.1))
    calm.fit(replace(experiment, learning_rate=0.1, epochs=1))
    assert inspection.dead_units(calm)[0] < 3


def test_the_guided_experiment_on_deep_sigmoids_shows_what_it_says():
    experiment, _ = experiment_of({"guide": "dying-gradient"})
    losses = {}
    for activation in ("sigmoid", "tanh", "relu"):
        network = make_network(replace(experiment, activation=activation))
        network.fit(replace(experiment, activation=activation, epochs=50))
        losses[activation] = network.measure()["train_loss"]
    assert losses["sigmoid"] > 0.5 and losses["tanh"] < 0.01 and losses["relu"] < 0.01


@pytest.fixture
def trained():
    """Sessions that were started, and have come to their end or to their steps."""
    made = []

    def one(experiment, steps=None):
        made.append(session := Session(experiment, FairSemaphore(2)))
        session.start() if steps is None else session.step(steps)
        session.wait()
        return session

    yield one
    for session in made:
        session.close()


def test_the_guided_experiment_on_too_large_a_rate_shows_what_it_says(trained):
    experiment, _ = experiment_of({"guide": "too-large"})
    session = trained(experiment, 500)
    losses = {30.0: session.curve[-1].train_loss}
    for rate in (3.0, 0.3):
        session.change(replace(session.experiment, learning_rate=rate))
        session.step(1000)
        session.wait()
        losses[rate] = session.curve[-1].train_loss
    assert losses[0.3] < losses[3.0] < losses[30.0]
    session.reset()
    session.change(replace(session.experiment, learning_rate=0.003))
    session.step(2000)
    session.wait()
    assert session.epochs == pytest.approx(200) and losses[0.3] < session.curve[-1].train_loss < losses[30.0]


def test_the_guided_experiment_on_one_coordinate_shows_what_it_says(trained):
    experiment, _ = experiment_of({"guide": "one-coordinate"})
    session = trained(experiment, 4000)
    strongest = np.abs(session.network.model.W[0][inspection.strongest_units(session.network)[0]])
    pixels = int((strongest > strongest.max() / 2).sum())
    assert 3 <= pixels <= 60 and session.curve[-1].train_loss > 0.4
    session.step(26_000)
    session.wait()
    adam = trained(replace(experiment, optimizer="adam", learning_rate=0.003), 300)
    assert adam.curve[-1].train_loss < session.curve[-1].train_loss < 0.4


def test_the_guided_experiment_on_one_weight_shows_what_it_says(trained):
    experiment, _ = experiment_of({"guide": "one-weight"})
    session = trained(experiment, 1500)
    pairs = session.network.mlp.pairs(session.network.mlp.W)
    before = session.curve[-1].train_loss
    session.set_weight(1, 0, int(np.abs(pairs[1][0]).argmax()), 0.0)
    broken = session.curve[-1].train_loss
    session.step(600)
    session.wait()
    assert broken > 2 * before and session.curve[-1].train_loss < 1.1 * before


def test_the_guided_experiment_on_what_a_unit_looks_for_shows_what_it_says(trained):
    experiment, _ = experiment_of({"guide": "what-a-unit-looks-for"})
    session = trained(experiment)
    network = session.network
    assert session.state == "finished"
    towards_even = network.mlp.pairs(network.mlp.W)[1][0][0] > 0
    found = [network_view.exciting(network, 0, unit) for unit in range(experiment.hidden_units)]
    even = network.train[1][0] > 0.5
    agree = [np.mean(even[one.columns] == towards_even[unit]) for unit, one in enumerate(found) if one.share > 0.01]
    assert len(agree) > 10 and np.mean(agree) > 0.9


def test_the_guided_experiment_on_two_spirals_shows_what_it_says(trained):
    experiment, _ = experiment_of({"guide": "two-spirals"})
    few, many, deep = (
        trained(replace(experiment, hidden_units=units, depth=depth)).curve[-1]
        for units, depth in ((4, 1), (16, 1), (6, 2))
    )
    assert few.train_accuracy < 0.9 < many.train_accuracy and deep.train_accuracy == 1
    assert deep.train_loss < many.train_loss
    mlp = make_network(replace(experiment, hidden_units=6, depth=2)).mlp
    assert sum(W.size for W, _ in mlp.pairs(mlp.W)) == 54 and sum(b.size for _, b in mlp.pairs(mlp.W)) == 13


def test_the_guided_experiment_on_overfitting_overfits():
    experiment, _ = experiment_of({"guide": "overfitting"})
    network = make_network(experiment)
    measured = []
    for epochs in (10, 60):
        network.fit(replace(experiment, epochs=epochs))
        measured.append(network.measure())
    assert measured[1]["train_accuracy"] == 1 and measured[1]["train_loss"] < 0.001
    assert measured[1]["validation_loss"] > measured[0]["validation_loss"]


@pytest.mark.parametrize(
    "experiment",
    [
        Experiment(hidden_units=12, samples=500),
        Experiment(data="mnist", hidden_units=5, depth=3, samples=500),
        Experiment(data="moons", hidden_units=4, activation="tanh"),
    ],
)
def test_what_is_drawn_is_the_network(experiment):
    network = make_network(experiment)
    x, mlp = network.held_out[0][:, [0]], network.mlp
    units = network_view.drawn_units(network, x)
    assert [len(layer) for layer in units] == [min(10, experiment.hidden_units)] + [
        min(8, experiment.hidden_units) for _ in range(experiment.depth - 1)
    ]
    names = [str(i) for i in range(max(2, len(network.held_out[1])))]
    found = network_view.drawn(network, units, x, names)
    np.testing.assert_allclose(found["answers"], network.answer(x)[:, 0], atol=1e-4)
    pairs = mlp.pairs(mlp.W)
    np.testing.assert_allclose(found["weights"][-1], pairs[-1][0][:, units[-1]], atol=1e-4)
    np.testing.assert_allclose(found["layers"][0]["fires"], inspection.path(network, x).layers[0][units[0]], atol=1e-4)
    assert len(found["weights"]) == experiment.depth + (not experiment.has_images)
    assert [layer["rest"] + len(layer["units"]) for layer in found["layers"]] == [len(W) for W, _ in pairs[:-1]]
    nothing = network_view.drawn(network, units, None, names)
    assert nothing["input"] is None and nothing["answers"] is None and nothing["layers"][0]["fires"] is None


def test_what_excites_a_unit_most_are_the_samples_for_which_it_fires_most():
    network = make_network(Experiment(hidden_units=6, samples=500))
    fires = np.maximum(network.model.W[0] @ network.train[0], 0)[4]
    found = network_view.exciting(network, 0, 4)
    assert found.share == (fires > 0).mean()
    assert found.fires == pytest.approx(np.sort(fires)[::-1][:8]) and fires[found.columns].tolist() == found.fires


def test_a_tie_is_one_answer_everywhere():
    network = make_network(Experiment(data="moons", hidden_units=4, initialization="zeros", activation="tanh"))
    X, y = network.held_out
    assert (network.mlp.predict(X) == 0.5).all()
    correct = (y[0] == 1).mean()
    assert network.measure()["validation_accuracy"] == pytest.approx(correct)
    found = inspection.confusion(network)
    assert (found.predicted == 1).all(), "as the answer says"
    assert np.trace(found.counts) / found.counts.sum() == pytest.approx(correct)


def test_dead_units_are_counted_in_every_layer():
    network = make_network(Experiment(data="moons", hidden_units=5, depth=3))
    (_, b1), (W2, b2), *_ = network.mlp.pairs(network.mlp.W)
    assert inspection.dead_units(network) == (0, len(network.train[0][0]))
    b1[1] = -1e6
    W2[:] = np.abs(W2)
    b2[[0, 3]] = -1e6
    assert inspection.dead_units(network)[0] >= 3
    first = np.maximum(network.mlp.pairs(network.mlp.W)[0][0] @ network.train[0] + b1, 0)
    second = np.maximum(W2 @ first + b2, 0)
    assert [int((a.max(axis=1) == 0).sum()) for a in (first, second)] == [1, 2]


@pytest.mark.parametrize(
    ("activation", "always"), [("sigmoid", True), ("softplus", True), ("relu", False), ("tanh", False)]
)
def test_a_unit_that_never_rests_is_not_told_to_fire(activation, always):
    network = make_network(Experiment(data="moons", activation=activation, hidden_units=4))
    assert inspection.is_always_positive(network) == always
    found = network_view.exciting(network, 0, 1)
    (W, b), *_ = network.mlp.pairs(network.mlp.W)
    a = ACTIVATIONS[activation].function(W @ network.train[0] + b)[1]
    assert found.mean == pytest.approx(float(a.mean()), rel=1e-6)
