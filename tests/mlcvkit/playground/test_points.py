"""Points of up to four classes, painted or brought in a file."""

from dataclasses import replace

import numpy as np
import polars
import pytest
from sklearn.datasets import load_iris

from mlcvkit import InputError, load, storage
from mlcvkit.datasets import read
from mlcvkit.experiments import test_rows as rows_to_measure
from mlcvkit.playground import inspection
from mlcvkit.playground.experiments import Experiment, default_experiment, read_experiment
from mlcvkit.playground.files import save_run
from mlcvkit.playground.kept_runs import KeptRuns
from mlcvkit.playground.networks import make_network
from mlcvkit.playground.points import (
    MOST_POINTS,
    as_csv,
    classes_of,
    from_table,
    names_of_classes,
    painted,
    points_of_file,
    problem_with,
    with_more,
)
from mlcvkit.playground.sessions import FairSemaphore, Session
from mlcvkit.playground.uploads import take

IRIS = load_iris(as_frame=True).frame


def in_file(folder, frame, name="t.csv", **options):
    frame.write_csv(folder / name, **options)
    return points_of_file(folder / name)[:2]


@pytest.fixture
def iris():
    frame = polars.from_pandas(IRIS).with_columns(
        species=polars.col("target").replace_strict({0: "setosa", 1: "versicolor", 2: "virginica"})
    )
    return frame.drop("target")


def test_a_table_gives_its_first_two_numbers_and_its_classes(tmp_path, iris):
    points, told = in_file(tmp_path, iris)
    places, classes = painted(points)
    assert told == (
        "t.csv: sepal length (cm) to the right, sepal width (cm) up, species as colours (blue is setosa, red is "
        "versicolor, green is virginica); all 150 rows. Left out, because a plane has two axes: "
        "petal length (cm), petal width (cm)."
    )
    assert classes.tolist() == IRIS["target"].tolist() and problem_with(points) == ""
    for axis, column in enumerate(iris.columns[:2]):
        assert np.corrcoef(places[:, axis], iris[column])[0, 1] > 0.999
    assert np.abs(places).max() < 0.95


def test_any_two_of_its_columns_of_numbers_can_be_the_axes(tmp_path, iris):
    iris.write_csv(tmp_path / "t.csv")
    _, _, columns = points_of_file(tmp_path / "t.csv")
    assert columns == iris.columns[:4]
    points, told, _ = points_of_file(tmp_path / "t.csv", (columns[3], columns[2]))
    assert told.startswith("t.csv: petal width (cm) to the right, petal length (cm) up, ")
    assert "Left out, because a plane has two axes: sepal length (cm), sepal width (cm)." in told
    places, _ = painted(points)
    for axis, column in enumerate(("petal width (cm)", "petal length (cm)")):
        assert np.corrcoef(places[:, axis], iris[column])[0, 1] > 0.999
    with pytest.raises(InputError, match=r"t\.csv has no column of numbers 'species'; choose two of sepal length"):
        points_of_file(tmp_path / "t.csv", ("species", columns[0]))


@pytest.mark.parametrize(
    ("a", "words"),
    [([1.0] * 59 + [1e6], "the points lie on one line, or nearly all"), ([7.0] * 60, "needs two columns of numbers")],
)
def test_a_column_that_tells_nothing_is_no_axis(tmp_path, a, words):
    frame = polars.DataFrame({"a": a, "b": np.arange(60) % 11, "kind": ["p", "q"] * 30})
    frame.write_csv(tmp_path / "t.csv")
    with pytest.raises(InputError, match=words):
        take([("t.csv", (tmp_path / "t.csv").read_bytes())])


def test_what_was_left_out_of_a_file_is_said(tmp_path):
    (tmp_path / "t.csv").write_text("\n".join(f"{i}.5,{i * i % 13}.1,{'pq'[i % 2]}" for i in range(40)) + "\n5.5,,p\n")
    _, told, _ = points_of_file(tmp_path / "t.csv")
    assert "the first line looks like data" in told and "because a value is missing: 1 row." in told
    assert "no-header" not in told and "40 of 41 rows" in told


def test_the_same_points_from_another_way_to_write_the_table(tmp_path, iris):
    plain, _ = in_file(tmp_path, iris)
    other, _ = in_file(tmp_path, iris, "u.csv", separator=";", decimal_comma=True)
    assert plain == other


def test_rows_without_a_value_are_left_out_and_of_many_some_are_drawn(tmp_path):
    rng = np.random.default_rng(0)
    frame = polars.DataFrame({"id": range(1000), "a": rng.normal(size=1000), "b": rng.normal(size=1000)})
    frame = frame.with_columns(y=(frame["a"] > 0).cast(int), a=polars.when(frame["id"] < 10).then(None).otherwise("a"))
    points, told = in_file(tmp_path, frame)
    assert len(points) == 5 * MOST_POINTS and f"{MOST_POINTS} of 1,000 rows" in told and "a to the right" in told
    few, told = in_file(tmp_path, frame.head(100))
    assert len(few) == 5 * 90 and "90 of 100 rows" in told


@pytest.mark.parametrize(
    "frame",
    [
        {"a": [1.0, 2.0, 3.0] * 5, "y": ["x", "z", "x"] * 5},
        {"a": [1.5, 2.5, 3.5, 4.5, 5.5] * 3, "b": [1.5, 2.0, 3.5, 4.5, 5.5] * 3},
        {"a": ["p", "q"] * 9, "b": ["r", "s"] * 9, "y": ["x", "z"] * 9},
    ],
)
def test_a_table_without_such_columns_says_what_it_needs(tmp_path, frame):
    with pytest.raises(InputError, match=r"t\.csv needs two columns of numbers, and one with two to four classes"):
        in_file(tmp_path, polars.DataFrame(frame))


@pytest.mark.parametrize("classes", [[0, 1, 2], [0, 1, 2, 3], [1, 3], [0, 2]])
def test_each_class_has_its_colour_everywhere(classes):
    centres = {0: (60, 60), 1: (200, 60), 2: (60, 200), 3: (200, 200)}
    points = "".join(
        f"{centres[kind][0] + i:02x}{centres[kind][1] + (7 * i) % 11:02x}{kind}" for kind in classes for i in range(12)
    )
    experiment = replace(default_experiment("points"), points=points, learning_rate=0.05, epochs=200)
    network = make_network(experiment)
    assert classes_of(points) == classes
    assert network.class_names == [("blue", "red", "green", "amber")[kind] for kind in classes]
    assert len(network.train[1]) == experiment.outputs == (1 if len(classes) == 2 else len(classes))
    assert {kind for *_, kind, _ in inspection.points_on_plane(network)} == set(classes)
    network.fit(experiment)
    surface = inspection.surface(network).reshape(inspection.GRID, inspection.GRID).astype(int)
    for kind in classes:
        column, row = (round(at / 255 * (inspection.GRID - 1)) for at in centres[kind])
        assert surface[row, column] >> 5 == kind and surface[row, column] % 32 > 20


def test_the_python_of_three_classes_trains_the_very_network_of_the_page(tmp_path, iris):
    points, _ = in_file(tmp_path, iris)
    experiment = replace(default_experiment("points"), points=points, epochs=3)
    network = make_network(experiment)
    network.fit(experiment)
    scope = {}
    exec(experiment.python(), scope)
    for ours, theirs in zip(network.model.W, scope["trained"].predictor.model.W, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_class_that_there_is_no_colour_for_is_refused():
    with pytest.raises(InputError, match="places and classes"):
        read_experiment({"data": "points", "points": "10104" * 10})


def test_classes_keep_their_names_in_the_link_the_file_and_the_network(tmp_path, iris):
    points, _ = in_file(tmp_path, iris)
    assert names_of_classes(points) == ["setosa", "versicolor", "virginica"]
    more = with_more(points, "00003" * 5)
    assert names_of_classes(more) == ["setosa", "versicolor", "virginica", "amber"]
    network = make_network(Experiment(data="points", points=points))
    assert network.class_names == ["setosa", "versicolor", "virginica"]
    (tmp_path / "points.csv").write_bytes(as_csv(points))
    table = read(tmp_path / "points.csv", "class")
    assert from_table(table.X.to_numpy(), table.y) == points
    predictor = network.prepared.predictor()
    assert predictor.measure(table.X.to_numpy(), table.y)["confusion"].keys() == {*iris["species"].unique()}


def test_names_that_cannot_be_told_apart_or_are_numbers_are_left_out(tmp_path):
    for names, kept in ((["0", "1"], 0), (["a~b", ""], 2), (["x" * 30 + "a", "x" * 30 + "b"], 0)):
        kinds = [names[i % 2] or "c" for i in range(40)]
        frame = polars.DataFrame({"a": range(40), "b": [i % 7 for i in range(40)], "kind": kinds})
        points, _ = in_file(tmp_path, frame)
        assert points.count("~") == kept
        Experiment(data="points", points=points)


CLASSES = [
    ("1", "2", "3"),
    ("1", "2"),
    ("-1", "1"),
    ("1000000", "2000000"),
    ("1", "2", "10"),
    ("0.5", "1.5"),
    ("5", "x"),
]


@pytest.mark.parametrize("names", CLASSES)
def test_a_saved_run_of_classes_with_any_names_is_measured_as_on_the_page(names, tmp_path):
    rng = np.random.default_rng(0)
    kinds = [names[i % len(names)] for i in range(90)]
    at = {name: 3.0 * i for i, name in enumerate(names)}
    frame = polars.DataFrame(
        {"a": [at[k] + rng.normal() for k in kinds], "b": [at[k] % 2 + rng.normal() for k in kinds]}
    )
    points, told = in_file(tmp_path, frame.with_columns(kind=polars.Series(kinds)))
    assert told.index(f"blue is {names[0]}") < told.index(f"is {names[-1]}")
    experiment = replace(default_experiment("points"), points=points, epochs=20)
    network = make_network(experiment)
    assert network.class_names == list(names)
    session = Session(experiment, FairSemaphore(1))
    session.start()
    session.wait()
    run_folder = save_run(tmp_path / "runs", "mine", session)
    predictor = load(run_folder)
    for data in (None, str(run_folder / "points.csv")):
        X, y = rows_to_measure(predictor, storage.load_model(run_folder).configuration, data, None)
        measured = predictor.measure(X, y)
        assert "unknown" not in measured and measured["accuracy"] > 0.6
        assert list(measured["confusion"]) == list(names)
    scope = {}
    exec(experiment.python(), scope)
    for ours, theirs in zip(session.network.model.W, scope["trained"].predictor.model.W, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert set(map(str, scope["trained"].predictor.predict_columns(X)["class"])) <= set(names)


@pytest.mark.parametrize("bad", ["-", "inf", "12 cm"])
def test_rows_whose_value_is_no_number_are_left_out_and_counted(bad, tmp_path):
    rows = [f"{bad if i % 5 == 0 else i / 7},{i % 11}.5,{'pq'[i % 2]}" for i in range(60)]
    (tmp_path / "t.csv").write_text("a,b,kind\n" + "\n".join(rows) + "\n")
    points, told, _ = points_of_file(tmp_path / "t.csv")
    assert len(painted(points)[0]) == 48 and "48 of 60 rows" in told
    assert "12 rows." in told


def test_a_column_of_one_value_is_told_as_that(tmp_path):
    (tmp_path / "t.csv").write_text(
        "a,b,c,d,kind\n" + "\n".join(f"{i},{i % 7},5,{i % 9},{'pq'[i % 2]}" for i in range(40))
    )
    _, told, _ = points_of_file(tmp_path / "t.csv")
    assert "because a plane has two axes: d." in told and "because all values are alike: c." in told


def test_classes_that_are_no_usual_numbers_and_names_that_begin_alike(tmp_path):
    def points_of(*names):
        rows = [f"{i % 9},{i % 7},{names[i % len(names)]}" for i in range(60)]
        (tmp_path / "t.csv").write_text("\n".join(["a,b,kind", *rows]) + "\n")
        points, told, _ = points_of_file(tmp_path / "t.csv")
        return points, told

    points, _ = points_of("1e30", "2e30")
    assert len(set(make_network(Experiment(data="points", points=points)).class_names)) == 2
    points, told = points_of("1", "2", "inf")
    assert classes_of(points) == [0, 1] and "40 of 60 rows" in told
    points, told = points_of("x" * 25 + "A", "x" * 25 + "B")
    assert "~" not in points and "below they go by numbers" in told


@pytest.mark.parametrize(
    ("columns", "target"),
    [
        ({"x": range(40), "y": [i % 3 for i in range(40)], "class": ["a", "b"] * 20}, "class"),
        ({"x": range(40), "y": [i % 2 for i in range(40)], "kind": [1, 2] * 20}, "kind"),
        ({"a": range(40), "b": [i % 7 for i in range(40)], "y": ["u", "v"] * 20}, "y"),
        ({"x": range(40), "z": [i % 7 for i in range(40)], "y": ["u", "v"] * 20}, "y"),
        ({"label": ["p", "q"] * 20, "y": [i % 4 for i in range(40)], "x": range(40)}, "label"),
    ],
)
def test_y_is_an_axis_beside_x_where_another_column_has_the_classes(tmp_path, columns, target):
    polars.DataFrame(columns).write_csv(tmp_path / "t.csv")
    _, told, _ = points_of_file(tmp_path / "t.csv")
    assert f"{target} as colours" in told


def test_kept_curves_of_other_points_are_not_compared():
    kept, session = KeptRuns(), Session(default_experiment("points"), FairSemaphore(1))
    kept._add(session.experiment, session.curve, ())
    assert len(kept.lines(session, session.curve, "loss")) == 3
    kept._add(session.experiment.changed("points", session.experiment.points + "80800"), session.curve, ())
    assert len(kept.lines(session, session.curve, "loss")) == 3
    session.close()
