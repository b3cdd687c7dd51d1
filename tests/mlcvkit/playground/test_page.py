"""The playground in a real browser."""

import re
import shutil
import urllib.error
import urllib.request
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Error

from browser import NEEDS_CHROMIUM, Playground, Visitor, browser
from command import run
from coursework import NEEDS_BUBBLEWRAP
from events import wait_for
from mlcvkit.playground import inspection
from mlcvkit.playground.controls import texts
from mlcvkit.playground.experiments import Experiment
from mlcvkit.playground.networks import make_network
from mlcvkit.playground.points import painted
from soak import only_in_soak, share

pytestmark = NEEDS_CHROMIUM
ROOT = Path(__file__).parents[3]
ONE = [(0.5, 0.15), (0.5, 0.85)]
ZERO = [(0.5, 0.15), (0.25, 0.35), (0.25, 0.65), (0.5, 0.85), (0.75, 0.65), (0.75, 0.35), (0.5, 0.15)]
SMALL = "hidden_units=16&samples=5000&learning_rate=0.01&epochs=2000"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("play")
    submissions = folder / "work"
    shutil.copytree(ROOT / "hw1", submissions / "right", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(submissions / "right", submissions / "wrong")
    nn2 = submissions / "wrong/mlcvlab/models/nn2.py"
    nn2.write_text(nn2.read_text() + "\n\nraise RuntimeError('this file is broken')\n")
    playground = Playground(folder, "--submissions", str(submissions), "--visitors", "12")
    yield playground
    playground.end()


@pytest.fixture(scope="module")
def chromium():
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def context(chromium):
    """A window with these options; visitors of one share what the browser has loaded, and nothing else."""
    contexts = {}

    def of(**options):
        key = str(options)
        if key not in contexts:
            contexts[key] = chromium.new_context(**{"viewport": {"width": 1400, "height": 900}} | options)
        return contexts[key]

    yield of
    for one in contexts.values():
        one.close()


@pytest.fixture(scope="module")
def free_pages():
    """Pages that visitors have left, by the options of their window: to open one takes three times as long."""
    return defaultdict(list)


@pytest.fixture
def visitor(server, context, free_pages):
    """A visitor, of whom nothing may go wrong."""

    def enter(**options):
        pages = free_pages[str(options)]
        one = Visitor(pages.pop() if pages else context(**options).new_page(), server.address)
        visitors.append((one, pages))
        return one

    visitors = []
    yield enter
    for one, pages in visitors:
        one.leave()
        pages.append(one.page)
    visitors = [one for one, _ in visitors]
    assert [one.errors for one in visitors if one.errors] == []
    assert [one.foreign for one in visitors if one.foreign] == []
    assert "mlcvkit/playground" not in server.stderr()  # NiceGUI tells of messages that its own elements do not send


def pictures(one):
    """The pixels of the hidden units."""
    script = "[...document.querySelectorAll('.pixel-grid canvas')].filter(c => c.offsetParent).map(c => c.toDataURL())"
    return one.page.evaluate(script)


def test_a_drawing_is_recognised_after_the_training(visitor):
    one = visitor().open(f"/?{SMALL}")
    answer = one.page.locator(".answer")
    one.draw(*ONE)
    one.wait(lambda: "probability" in answer.text_content())
    before = answer.text_content()
    one.press("Start")
    one.wait(
        lambda: re.search(r"epoch ([\d.]+)", one.status) and float(re.search(r"epoch ([\d.]+)", one.status)[1]) > 6
    )
    one.press("Pause")
    one.wait(lambda: answer.text_content().startswith("odd, with probability"))
    assert answer.text_content() != before
    odd = answer.text_content()
    one.press("Clear")
    one.draw(*ZERO)
    one.wait(lambda: answer.text_content().startswith("even, with probability"))
    assert answer.text_content() != odd
    added = [float(cell) for cell in one.page.locator("table.path td:last-child").all_text_contents()]
    assert len(added) > 3
    assert sum(added[:-1]) == pytest.approx(added[-1], abs=0.01)


def test_curves_and_units_advance_while_it_trains(visitor):
    one = visitor().open("/?hidden_units=16")
    one.page.wait_for_selector(".pixel-grid canvas")
    before = pictures(one)
    one.press("Start")
    one.wait_for_steps(20)
    script = """() => new Promise((done) => {
        const line = document.querySelector(".message"), seen = new Set();
        const observer = new MutationObserver(() => {
            seen.add(line.textContent);
            if (seen.size >= 6) { observer.disconnect(); done([...seen]); }
        });
        observer.observe(line, { characterData: true, childList: true, subtree: true });
    })"""
    steps = [int(re.search(r"step ([\d,]+)", told)[1].replace(",", "")) for told in one.page.evaluate(script)]
    assert steps == sorted(steps) and steps[-1] > steps[0]
    one.press("Pause")
    after = pictures(one)
    assert len(after) == len(before) == 16
    assert sum(a != b for a, b in zip(after, before, strict=True)) >= 12


def test_two_visitors_have_a_training_each(visitor):
    first, second = visitor().open("/?data=moons&hidden_units=4&epochs=2000"), visitor().open(f"/?{SMALL}")
    first.press("Start")
    second.press("Start")
    first.wait_for_steps(100)
    second.wait_for_steps(100)
    assert len(pictures(first)) == 4 + 1 and len(pictures(second)) == 16
    second.press("Pause")
    second.wait(lambda: second.status.startswith("paused"))
    stopped, going = second.steps, first.steps
    first.wait_for_steps(going + 50)
    assert second.steps == stopped


def test_a_link_restores_everything(visitor):
    one = visitor().open()
    parts = []

    def arrived(part):
        """Wait until the address has what was chosen."""
        parts.append(part)
        one.wait(lambda: all(part in urlsplit(one.page.url).query.split("&") for part in parts))

    one.choose("Data", "Spirals")
    arrived("data=spirals")
    one.choose("Optimizer", "Momentum")
    arrived("optimizer=momentum")
    one.choose("Activation", "tanh")
    arrived("activation=tanh")
    one.page.get_by_label("Batch size", exact=True).fill("7")
    arrived("batch_size=7")
    one.page.get_by_label("Learning rate", exact=True).fill("0.0126")
    arrived("learning_rate=0.0126")
    one.press("Link")
    shown = one.page.get_by_role("dialog").get_by_role("textbox")
    link = one.wait(lambda: shown.input_value())
    assert set(parts) <= set(urlsplit(link).query.split("&"))
    two = visitor().open(f"/?{urlsplit(link).query}")
    restored = {"Data": "Spirals", "Optimizer": "Momentum", "Activation": "tanh", "Batch size": "7"}
    for label, value in (restored | {"Learning rate": "0.0126"}).items():
        assert two.page.get_by_label(label, exact=True).first.input_value() == value
    two.press("Link")
    again = two.page.get_by_role("dialog").get_by_role("textbox")
    two.wait(lambda: again.input_value() == link)


def test_the_address_is_the_experiment_after_a_reload_and_on_the_way_back(visitor):
    one = visitor().open("/?data=moons")
    for rate in ("0.02", "0.03"):
        one.page.get_by_label("Learning rate", exact=True).fill(rate)
        one.wait(lambda rate=rate: f"learning_rate={rate}" in one.page.url)
    rate = one.page.get_by_label("Learning rate", exact=True)
    one.page.reload()
    one.wait(lambda: rate.count() and rate.input_value() == "0.03")
    one.page.evaluate("history.back()")
    one.wait(lambda: "learning_rate=0.02" in one.page.url and rate.count() and rate.input_value() == "0.02")


def view(one, script):
    """What the drawing of the network says of itself."""
    found = "const view = getElement(Number(document.querySelector('.network-view').id.slice(1)));"
    return one.page.evaluate(f"() => {{ {found} return {script}; }}")


def click_in_view(one, x, y):
    """Click on a place of the drawing."""
    canvas = one.page.locator(".network-view > canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    one.page.mouse.click(box["x"] + x, box["y"] + y)


def test_it_opens_on_a_trained_network_that_answers(visitor):
    one = visitor().open()
    answer = one.page.locator(".answer")
    one.wait(lambda: "with probability" in answer.text_content() and "its label is" in answer.text_content())
    assert float(re.search(r"accuracy ([\d.]+)%", one.status)[1]) > 95 and one.steps > 1000
    assert all(len(points) > 4 for chart in charts(one) for points in chart["data"])
    assert view(one, "view.network.layers[0].fires.some(fires => fires > 0)")
    one.press("Clear")
    one.draw(*ONE)
    one.wait(lambda: answer.text_content().startswith("odd, with probability"))
    one.press("Reset and watch it learn")
    one.wait(lambda: one.status.startswith("running") and 0 < one.steps < 1000)
    one.wait_for_steps(one.steps)


def test_a_unit_that_is_clicked_opens_and_is_followed(visitor):
    one = visitor().open(f"/?{SMALL}")
    one.press("A random sample")
    one.wait(lambda: view(one, "view.laid && view.network.input"))
    unit = view(one, "(({x, y, number}) => ({x, y, number}))(view.focusable()[3])")
    click_in_view(one, unit["x"], unit["y"])
    dialog = one.page.get_by_role("dialog")
    one.wait(lambda: dialog.count() and f"Hidden unit {unit['number'] + 1}" in dialog.text_content())
    network = make_network(Experiment(hidden_units=16, samples=5000, learning_rate=0.01, epochs=2000))
    fires = np.maximum(network.model.W[0][unit["number"]] @ network.train[0], 0)
    assert f"fires for {(fires > 0).mean():.0%} of the training samples" in dialog.text_content()
    captions = dialog.locator(".pixel-grid").last.locator("figcaption")
    one.wait(lambda: captions.count() == 8)
    assert captions.all_text_contents() == [f"{value:.1f}" for value in -np.sort(-fires)[:8]]
    one.page.keyboard.press("Escape")
    assert one.page.get_by_label("Hidden unit", exact=True).input_value() == str(unit["number"] + 1)


LAST_EDGE = "(e => ({x: (e.from.x + e.from.r + e.to.x - e.to.r) / 2, y: (e.from.y + e.to.y) / 2}))(view.edges.at(-1))"


def test_the_training_pauses_while_a_weight_is_open(visitor):
    one = visitor().open("/?data=moons&hidden_units=3&epochs=2000")
    one.wait(lambda: one.page.locator(".network-view").count() and view(one, "view.laid"))
    edge = view(one, LAST_EDGE)
    one.press("Start")
    one.wait_for_steps(3)
    click_in_view(one, edge["x"], edge["y"])
    weight = one.page.get_by_role("spinbutton", name="Weight")
    one.wait(lambda: weight.count() and one.status.startswith("paused"))
    shown = float(weight.input_value())
    one.wait(lambda: any(abs(shown - value) < 0.001 for value in view(one, "view.network.weights.at(-1)[0]")))
    one.press("Step")
    one.wait(lambda: not weight.count())


def test_a_weight_that_is_changed_by_hand_moves_the_answer_and_the_loss(visitor):
    one = visitor().open("/?data=moons&hidden_units=3")
    one.press("A random sample")
    one.wait(lambda: view(one, "view.laid && view.network.input"))
    edge = view(one, LAST_EDGE)
    before, loss = view(one, "view.network.answers[0]"), charts(one)[0]["data"][0][-1][1]
    click_in_view(one, edge["x"], edge["y"])
    weight = one.page.get_by_role("spinbutton", name="Weight")
    one.wait(lambda: weight.count())
    weight.fill("1e30")
    one.wait(lambda: one.page.get_by_text("A weight may be from -10 to 10 here").count())
    weight.press("Tab")
    one.wait(lambda: abs(float(weight.input_value())) <= 10)
    assert charts(one)[0]["data"][0][-1][1] == loss and charts(one)[0]["marks"][0] == []
    weight.fill("-2.5")
    one.wait(lambda: view(one, "view.network.weights.at(-1)[0].some(weight => weight === -2.5)"))
    one.wait(lambda: len(charts(one)[0]["data"][0]) == 2)
    assert charts(one)[0]["data"][0][-1][1] != loss and charts(one)[0]["marks"][0][0].startswith("one weight")
    one.wait(lambda: view(one, "view.network.answers[0]") != before or not view(one, "view.edges.at(-1).adds"))


def test_points_are_painted_trained_on_linked_and_saved(visitor, server):
    one = visitor().open("/?data=moons")
    one.press("Paint your own points")
    one.wait(lambda: "data=points" in one.page.url)
    one.press("Wipe the points")
    one.wait(lambda: one.page.get_by_text("paint at least 5 points of each colour").is_visible())

    plane = ".pixel-grid.paintable canvas"
    one.draw((0.1, 0.2), (0.4, 0.25), on=plane)
    one.page.get_by_role("button", name="Red", exact=True).click()
    one.draw((0.6, 0.8), (0.9, 0.75), on=plane)
    one.wait(lambda: "points=" in one.page.url)
    points = dict(parse_qsl(urlsplit(one.page.url).query))["points"]
    places, classes = painted(points)
    assert {0, 1} == set(classes.tolist()) and len(points) >= 5 * 10
    assert (places[classes == 0, 0] < 0).all() and (places[classes == 1, 1] < 0).all()
    one.choose("Data", "Moons")
    one.wait(lambda: "data=moons" in one.page.url)
    one.choose("Data", "Your own points")
    one.wait(lambda: f"points={points}" in one.page.url)
    one.press("Start")
    one.wait_for_steps(50)
    one.press("Wipe the points")
    one.wait(lambda: one.status.startswith("paused"))
    start = one.page.get_by_role("button", name="Start", exact=True)
    one.wait(lambda: start.count() and start.is_disabled())
    one.page.reload()
    one.wait(lambda: one.page.get_by_role("button", name="Start", exact=True).count())
    one.press("Start")
    one.wait_for_steps(50)
    one.press("Pause")
    one.wait(lambda: one.status.startswith("paused"))
    one.press("Save")
    one.page.get_by_label("Name", exact=True).fill("painted")
    one.page.get_by_role("dialog").get_by_role("button", name="Save").click()
    folder = Path(server.said.name).parent
    one.wait(lambda: (folder / "runs/painted/model.safetensors").exists())
    done = run("evaluate", "runs/painted", "--json", folder=folder)
    assert done.returncode == 0 and '"accuracy"' in done.stdout
    assert run("train", "--config", "runs/painted/config.toml", "--name", "again", folder=folder).returncode == 0


def test_on_a_phone_start_the_learning_rate_and_the_curves_are_on_one_screen(visitor):
    one = visitor(viewport={"width": 390, "height": 844}).open("/?data=moons")
    start = one.page.get_by_role("button", name="Start", exact=True)
    rate = one.page.get_by_label("Learning rate", exact=True)

    def on_one_screen():
        """Whether all are, above the sheet: the page may still be unfolding."""
        start.evaluate("element => element.scrollIntoView({block: 'start'})")
        places = [start, *one.page.locator(".chart").all(), rate]
        boxes = [place.bounding_box() for place in places if place.is_visible()]
        ends = [box["y"] + box["height"] for box in boxes]
        return len(boxes) == 4 and boxes[0]["y"] >= -1 and ends[-1] <= 844 and max(ends[:3]) <= boxes[3]["y"]

    one.wait(on_one_screen)
    assert not one.page.get_by_label("Batch size", exact=True).is_visible()
    one.press("Settings")
    batch = one.page.get_by_label("Batch size", exact=True)
    one.wait(lambda: batch.is_visible())
    box = batch.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    one.wait(lambda: one.page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_a_bad_link_says_what_is_wrong(visitor):
    one = visitor().open("/?learning_rate=fast")
    assert "learning_rate must be a number" in one.page.get_by_role("alert").first.text_content()
    assert visitor().open("/?%3Cscript%3E=1").page.get_by_role("alert").first.is_visible()


def test_a_run_goes_to_the_command_line_and_comes_back(visitor, server, tmp_path):
    one = visitor().open(f"/?{SMALL}")
    one.press("Step")
    one.wait(lambda: one.status.startswith("paused"))
    one.press("Save")
    one.page.get_by_label("Name", exact=True).fill("mine")
    one.page.get_by_role("dialog").get_by_role("button", name="Save").click()
    folder = Path(server.said.name).parent
    one.wait(lambda: (folder / "runs/mine/model.safetensors").exists())
    result = run("evaluate", "runs/mine", "--json", folder=folder)
    assert result.returncode == 0 and '"accuracy"' in result.stdout
    two = visitor().open("/?data=xor")
    two.press("Open")
    two.choose("Run", "mine")
    two.page.get_by_role("dialog").get_by_role("button", name="Open").click()
    two.wait(lambda: two.page.get_by_label("Data", exact=True).input_value() == "MNIST, even or odd")
    two.wait(lambda: len(pictures(two)) == 16)
    told = re.search(r"accuracy ([\d.]+)%", one.status)[1]
    two.wait(lambda: f"accuracy {told}%" in two.status)


def test_names_that_are_no_names_are_refused(visitor, server):
    one = visitor().open("/?data=xor")
    one.press("Save")
    one.page.get_by_label("Name", exact=True).fill("../../outside")
    one.page.get_by_role("dialog").get_by_role("button", name="Save").click()
    one.wait(lambda: one.page.get_by_text("a run's name has letters").count() == 1)
    assert not list(Path(server.said.name).parent.rglob("outside*"))


def test_a_run_of_any_name_can_be_opened_and_comes_back_with_its_address(visitor, server):
    one = visitor().open("/?data=xor")
    one.press("Save")
    one.page.get_by_label("Name", exact=True).fill("plain")
    one.page.get_by_role("dialog").get_by_role("button", name="Save").click()
    root = Path(server.said.name).parent / "runs"
    one.wait((root / "plain/model.safetensors").exists)
    name = "it's a&b"
    (root / "plain").rename(root / name)
    one.press("Open")
    one.choose("Run", name)
    one.page.get_by_role("dialog").get_by_role("button", name="Open").click()
    one.wait(lambda: "run=it%27s+a%26b" in one.page.url)
    one.page.reload()
    one.wait(lambda: one.status.startswith("ready") and not one.page.get_by_role("alert").count())
    assert "run=it%27s+a%26b" in one.page.url


def test_a_network_that_has_diverged_gives_no_answers(visitor):
    one = visitor().open("/?data=spirals&hidden_units=24&depth=4&learning_rate=3&optimizer=sgd&epochs=2000")
    one.press("Start")
    one.wait(lambda: one.status.startswith("failed"))
    assert "accuracy" not in one.status
    one.press("A random sample")
    answer = one.page.locator(".answer")
    one.wait(lambda: answer.text_content() == "No answer: the network has diverged")
    one.press("Save")
    one.page.get_by_role("dialog").get_by_role("button", name="Save").click()
    one.wait(lambda: one.page.get_by_text("there is nothing to save").count())


def test_a_link_to_the_page_on_parity_leads_to_the_ten_digits(visitor):
    one = visitor().open("/parity")
    assert one.page.url.endswith("/?data=mnist")


def test_the_sample_is_marked_in_the_plane(visitor):
    one = visitor().open("/?data=moons&hidden_units=3")
    shown = "getElement(Number(document.querySelector('.pixel-grid').id.slice(1))).shown"
    one.wait(lambda: one.page.evaluate(shown))
    assert [point for point in one.page.evaluate(shown)[4] if point[3] == 2] == []
    one.press("A random sample")
    one.wait(lambda: [point for point in one.page.evaluate(shown)[4] if point[3] == 2])
    points = one.page.evaluate(shown)[4]
    (marked,) = [point for point in points if point[3] == 2]
    assert any(point[:2] == marked[:2] and point[3] == 1 for point in points), "a sample that is held out"


def test_the_plane_bends(visitor):
    one = visitor().open("/?data=circles&hidden_units=8&activation=tanh&learning_rate=0.05&epochs=2000")
    one.page.wait_for_selector(".pixel-grid canvas")
    one.wait(lambda: len(pictures(one)) == 9)
    before = pictures(one)[0]
    one.press("Start")
    one.wait_for_steps(150)
    one.wait(lambda: pictures(one)[0] != before)


ALL_CHARTS_ARE_THERE = """() => {
    const found = [...document.querySelectorAll('.chart')].map((e) => getElement(Number(e.id.slice(1))));
    return found.length > 0 && found.every((element) => element && element.chart);
}"""


def charts(one):
    """What the charts of the page are drawn from: loss, accuracy."""
    script = """() => [...document.querySelectorAll('.chart')].map((element) => {
        const told = getElement(Number(element.id.slice(1))).chart.getOption();
        return {title: told.title[0].text, x: told.xAxis[0].name, y: told.yAxis[0].type,
                names: told.series.map(one => one.name), data: told.series.map(one => one.data),
                colours: told.series.map(one => one.color),
                marks: told.series.map(one => ((one.markLine || {}).data || []).map(mark => mark.name))};
    })"""
    return one.page.evaluate(script)


def test_curves_are_drawn_as_one_wants_them_and_named_by_what_differs(visitor):
    one = visitor().open("/?data=moons&hidden_units=4&epochs=2000")
    one.press("Start")
    one.wait_for_steps(100)
    one.press("Pause")
    one.wait(lambda: one.status.startswith("paused"))
    one.wait(lambda: charts(one)[1]["data"][0][-1][0] > 5)
    loss, accuracy = charts(one)
    assert (loss["x"], loss["y"], accuracy["title"]) == ("epochs", "value", "Accuracy")
    one.page.get_by_text("Logarithmic", exact=True).click()
    one.choose("Horizontal axis", "steps")
    one.wait(lambda: charts(one)[1]["y"] == "log" and charts(one)[0]["x"] == "steps")
    wrong = charts(one)[1]
    assert wrong["title"] == "1 - accuracy" and wrong["data"][0][-1][0] >= 100
    right = [y for _, y in accuracy["data"][0] if y < 1]
    assert [y for _, y in wrong["data"][0]] == pytest.approx([1 - y for y in right])
    one.press("Keep to compare")
    one.page.get_by_label("Batch size", exact=True).fill("16")
    one.page.get_by_label("Batch size", exact=True).press("Tab")
    one.wait(lambda: charts(one)[0]["names"] == ["training", "validation: Batch size 16", "kept 1: Batch size 32"])


@pytest.mark.parametrize("path", ["/?data=moons", "/race"])
def test_a_chart_shows_the_first_point_and_its_legend_before_anything_is_trained(visitor, path):
    one = visitor().open(path)
    one.wait(lambda: one.page.evaluate(ALL_CHARTS_ARE_THERE) and all(chart["data"] for chart in charts(one)))
    for chart in charts(one):
        assert chart["names"] and [len(points) for points in chart["data"]] == [1] * len(chart["names"])


def test_a_change_on_the_way_is_marked_and_kept_runs_have_colours_of_their_own(visitor):
    one = visitor().open("/?data=moons&hidden_units=4&epochs=2000")
    one.press("Start")
    one.wait_for_steps(20)
    one.press("Pause")
    one.wait(lambda: one.status.startswith("paused"))
    field = one.page.get_by_label("Batch size", exact=True)
    field.fill("16")
    field.press("Tab")
    one.wait(lambda: charts(one)[0]["marks"][0] == ["Batch size 32 → 16"])
    for _ in range(7):
        one.press("Keep to compare")
    one.wait(lambda: charts(one)[0]["names"][-1].startswith("kept 7"))
    assert len(set(charts(one)[0]["colours"])) == len(charts(one)[0]["colours"]) == 7


def test_a_random_sample_is_looked_at_as_it_is_and_its_label_told(visitor):
    one = visitor().open(f"/?{SMALL}")
    network = make_network(Experiment(hidden_units=16, samples=5000, learning_rate=0.01, epochs=2000))
    X, y = network.held_out
    chances = network.answer(X)[0]
    answer, told, shown = one.page.locator(".answer"), set(), None
    for _ in range(6):
        one.press("A random sample")
        one.wait(lambda last=shown: view(one, "view.network && view.network.input") not in (None, last))
        shown = view(one, "view.network.input")
        one.wait(lambda: "its label is" in answer.text_content())
        told.add(answer.text_content())
    for text in told:
        name, chance, verdict, label = re.match(
            r"(odd|even), with probability (?:over )?([\d.]+)%: (right|wrong), its label is (odd|even)", text
        ).groups()
        assert (verdict == "right") == (name == label)
        even = float(chance) / 100 if name == "even" else 1 - float(chance) / 100
        of_label = y[0] == (label == "even")
        assert np.abs(chances[of_label] - even).min() < 6e-4


def test_the_dead_units_are_those_of_the_network_that_is_shown(visitor):
    one = visitor().open("/?data=moons&hidden_units=16&learning_rate=10&optimizer=sgd&epochs=2000")
    dead, looked_at = inspection.dead_units(make_network(Experiment(data="moons", hidden_units=16, batch_size=32)))
    line = one.page.get_by_text(re.compile(r"\d+ of 16 are dead"))
    fresh = f"{dead} of 16 are dead: they are 0 for all of {looked_at} training samples"
    one.wait(lambda: fresh in line.text_content())
    one.press("Start")
    one.wait(lambda: fresh not in line.text_content())
    one.press("Pause")
    one.press("Reset")
    one.wait(lambda: fresh in line.text_content())


def test_the_stages_of_one_unit_do_not_follow_those_of_another(visitor):
    one = visitor().open("/?data=moons&hidden_units=3")
    one.page.get_by_text("Step by step: forward and back").click()
    for count in (1, 2):
        one.press("Next")
        one.wait(lambda count=count: one.page.locator(".stage").count() == count)
    unit = one.page.get_by_label("Hidden unit", exact=True)
    unit.fill("3" if unit.input_value() != "3" else "1")
    unit.press("Tab")
    one.press("Next")
    one.wait(
        lambda: (
            one.page.locator(".stage").all_text_contents()[0].startswith("Input")
            and one.page.locator(".stage").count() == 1
        )
    )


def test_a_field_that_is_left_empty_has_its_value_again(visitor):
    one = visitor().open("/?data=xor&batch_size=9")
    field = one.page.get_by_label("Batch size", exact=True)
    field.fill("")
    field.press("Tab")
    one.wait(lambda: field.input_value() == "9")


def test_one_sample_goes_forward_and_back_with_its_numbers(visitor):
    one = visitor().open("/?data=moons&hidden_units=3")
    one.page.get_by_text("Step by step: forward and back").click()
    for count in range(1, 11):
        one.press("Next")
        one.wait(lambda count=count: one.page.locator(".stage").count() == count)
    stages = one.page.locator(".stage").all_text_contents()
    assert stages[0].startswith("Input") and stages[-1].startswith("The step")
    before, rate, gradient, after = map(
        float, re.search(r"(-?[\d.]+) - ([\d.]+) · (\S+) = (-?[\d.]+)", stages[-1]).groups()
    )
    assert after == pytest.approx(before - rate * gradient, abs=2e-5)


def test_the_pad_is_drawn_on_with_the_keys(visitor):
    one = visitor().open(f"/?{SMALL}")
    pad = one.page.locator("canvas.drawing-pad")
    pad.focus()
    for _ in range(8):
        pad.press("ArrowUp")
    for _ in range(16):
        pad.press("Shift+ArrowDown")
    one.wait(lambda: "probability" in one.page.locator(".answer").text_content())
    pad.press("Delete")
    one.wait(lambda: "Draw" in one.page.locator(".answer").text_content())


def test_a_phone_shows_all_of_it_below_each_other(visitor):
    one = visitor(has_touch=True).open(f"/?{SMALL}")
    one.page.set_viewport_size({"width": 390, "height": 844})
    for path in (f"/?{SMALL}", "/race", "/guide"):
        one.open(path)
        one.wait(lambda: one.page.evaluate("document.documentElement.scrollWidth") <= 390)


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_the_page_is_light_or_dark_as_the_system(visitor, scheme, dark):
    one = visitor(color_scheme=scheme).open("/guide")

    def is_as_the_system():
        shade = one.page.evaluate("getComputedStyle(document.body).backgroundColor")
        levels = [int(number) for number in re.findall(r"\d+", shade)[:3]]
        return (np.mean(levels) < 100) == dark or (not dark and "0, 0, 0, 0" in shade)

    one.wait(is_as_the_system)


def test_a_theme_is_kept_from_page_to_page(visitor):
    one = visitor(color_scheme="light").open("/guide")
    one.press("Theme: system")
    one.wait(lambda: one.page.get_by_role("button", name="Theme: dark").count())
    for path in ("/race", "/?data=moons"):
        one.open(path)
        one.wait(lambda: one.page.get_by_role("button", name="Theme: dark").count())
        assert one.page.evaluate("document.body.classList.contains('body--dark')")
    assert visitor(color_scheme="light").open("/guide").page.get_by_role("button", name="Theme: system").count() == 1


def test_every_control_and_picture_has_a_name(visitor):
    one = visitor().open(f"/?{SMALL}")
    one.page.wait_for_selector(".pixel-grid figure")
    script = """() => [...document.querySelectorAll(
            "button, input, canvas[tabindex], [role=img], a, figure")]
        .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.length ||
            e.closest("[aria-label]") || e.closest("label") || e.title))
        .map((e) => e.outerHTML.slice(0, 120))"""
    assert one.page.evaluate(script) == []
    assert one.page.get_by_role("main").count() == 1
    assert one.page.get_by_role("navigation", name="Pages").get_by_role("link").count() == 4


@share("guided experiments that begin", "name", texts("guide"), one_in=4)
def test_a_guided_experiment_sets_the_controls_and_runs(visitor, name):
    guide = texts("guide")[name]
    one = visitor().open(f"/?guide={name}")
    assert one.page.get_by_role("heading", name=guide["title"]).count() == 1
    assert one.page.get_by_text(guide["look_for"]).count() == 1
    one.press("Step")
    one.wait_for_steps(0)


WITHOUT_A_BROWSER = "its promise is measured by the session's own numbers in test_inspection, in less time"


def fill(one, label, value):
    """Set a number."""
    field = one.page.get_by_label(label, exact=True)
    field.fill(str(value))
    field.press("Tab")
    one.wait(lambda: f"={value}" in one.page.url or field.input_value() == str(value))


def reset(one):
    """Start over, and wait until the page shows it."""
    one.press("Reset")
    one.wait(lambda: one.status.startswith("ready") and one.steps == 0)


def last(one, chart=0, line=0):
    """The last value of a line of a chart, once the chart is as far as the status line, which comes before it."""
    there = epochs(one) - 0.01  # the line has two decimal places
    return one.wait(lambda: [y for x, y in charts(one)[chart]["data"][line][-1:] if x >= there])[0]


def epochs(one):
    """How many epochs the status line says; 0 if it does not count in epochs."""
    return float((re.search(r"epoch ([\d.]+)", one.status) or [0, 0])[1])


def validation_accuracy(one):
    return float(re.search(r"accuracy (?:over )?([\d.]+)%", one.status)[1])


@only_in_soak(WITHOUT_A_BROWSER)
def test_too_large_a_rate_as_the_guide_says(visitor):
    one = visitor().open("/?guide=too-large")
    one.choose("Speed", "full speed")
    one.press("Start")
    one.wait_for_steps(500)
    losses = [last(one)]
    for rate in ("3", "0.3"):
        fill(one, "Learning rate", rate)
        one.wait_for_steps(one.steps + 1500)
        losses.append(last(one))
    assert losses[2] < losses[0]
    one.press("Keep to compare")
    reset(one)
    fill(one, "Learning rate", "0.003")
    one.press("Start")
    one.wait(lambda: epochs(one) > 200)
    assert last(one) > losses[2]


@only_in_soak(WITHOUT_A_BROWSER)
def test_zeros_as_the_guide_says(visitor):
    one = visitor().open("/?guide=zeros")
    one.choose("Speed", "full speed")
    one.page.wait_for_selector(".pixel-grid canvas")
    one.press("Start")
    one.wait(lambda: one.status.startswith("finished"))
    assert len(set(pictures(one)[1:])) == 1, "all units are blank"
    one.page.get_by_text("More of the model", exact=True).click()
    one.choose("First weights", "small")
    one.wait(lambda: one.status.startswith("ready"))
    one.press("Start")
    one.wait(lambda: one.status.startswith("finished"))
    one.wait(lambda: len(set(pictures(one)[1:])) == 8)


@only_in_soak(WITHOUT_A_BROWSER)
def test_dead_units_as_the_guide_says(visitor):
    def dead():
        line = one.page.get_by_text(re.compile(r"\d+ of 32 are dead"))
        return int(re.search(r"(\d+) of 32 are dead", line.text_content())[1])

    one = visitor().open("/?guide=dead-units")
    one.press("Start")
    one.wait(lambda: epochs(one) > 1 and dead() > 16)
    one.press("Pause")
    fill(one, "Learning rate", "0.1")
    reset(one)
    one.press("Start")
    one.wait(lambda: epochs(one) > 1)
    assert dead() < 3


@only_in_soak(WITHOUT_A_BROWSER)
def test_batch_noise_as_the_guide_says(visitor):
    one = visitor().open("/?guide=batch-noise")
    one.press("Start")
    one.wait(lambda: validation_accuracy(one) > 95)
    few = epochs(one)
    one.press("Pause")
    one.press("Keep to compare")
    fill(one, "Batch size", "1024")
    reset(one)
    one.press("Start")
    one.wait(lambda: epochs(one) > few + 1)
    slow = validation_accuracy(one)
    assert slow < 95
    fill(one, "Learning rate", "0.5")
    one.wait(lambda: validation_accuracy(one) > slow)


@only_in_soak(WITHOUT_A_BROWSER)
def test_one_coordinate_as_the_guide_says(visitor):
    one = visitor().open("/?guide=one-coordinate")
    one.press("Start")
    one.wait(lambda: last(one) < 0.4)
    assert one.steps > 10_000
    one.press("Pause")
    coordinate = last(one)
    one.choose("Optimizer", "Adam")
    fill(one, "Learning rate", "0.003")
    reset(one)
    one.press("Start")
    one.wait_for_steps(300)
    one.wait(lambda: last(one) < coordinate)


@only_in_soak(WITHOUT_A_BROWSER)
def test_overfitting_as_the_guide_says(visitor):
    one = visitor().open("/?guide=overfitting")
    one.press("Start")
    one.wait(lambda: epochs(one) > 100)
    one.press("Pause")
    assert last(one, 1, 0) == 1 and last(one) < 0.01
    validation = [loss for _, loss in charts(one)[0]["data"][1]]
    assert validation[-1] > min(validation)
    gap = last(one, 1, 0) - last(one, 1, 1)
    one.press("Keep to compare")
    reset(one)
    one.page.get_by_text("More of the model", exact=True).click()
    fill(one, "Training samples", "20000")
    one.press("Start")
    one.wait(lambda: epochs(one) > 3)
    assert last(one, 1, 0) - last(one, 1, 1) < gap


@only_in_soak(WITHOUT_A_BROWSER)
def test_dying_gradient_as_the_guide_says(visitor):
    one = visitor().open("/?guide=dying-gradient")
    one.choose("Speed", "full speed")
    one.press("Start")
    one.wait(lambda: epochs(one) > 50)
    last(one)
    first = [loss for epoch, loss in charts(one)[0]["data"][0] if epoch <= 50]  # a long curve has fewer points
    assert first[-1] > 0.5
    one.press("Keep to compare")
    reset(one)
    one.choose("Activation", "tanh")
    one.press("Start")
    one.wait(lambda: epochs(one) > 60)
    assert last(one) < 0.05


def test_change_one_weight_as_the_guide_says(visitor):
    one = visitor().open("/?guide=one-weight")
    one.press("Start")
    one.wait_for_steps(400)
    one.press("Pause")
    one.wait(lambda: one.status.startswith("paused"))
    before, surface = charts(one)[0]["data"][0][-1][1], pictures(one)[0]
    thickest = "view.edges.filter(e => e.layer === 1).sort((a, b) => b.size - a.size)[0]"
    place = f"(e => ({{x: (e.from.x + e.from.r + e.to.x - e.to.r) / 2, y: (e.from.y + e.to.y) / 2}}))({thickest})"
    edge = view(one, place)
    click_in_view(one, edge["x"], edge["y"])
    weight = one.page.get_by_role("spinbutton", name="Weight")
    one.wait(lambda: weight.count())
    weight.fill("0")
    one.wait(lambda: charts(one)[0]["data"][0][-1][1] > before)
    one.wait(lambda: pictures(one)[0] != surface)
    broken = charts(one)[0]["data"][0][-1][1]
    one.press("Start")
    one.wait(lambda: charts(one)[0]["data"][0][-1][1] < (before + broken) / 2)


def test_what_a_unit_looks_for_as_the_guide_says(visitor):
    one = visitor().open("/?guide=what-a-unit-looks-for")
    one.press("Start")
    one.wait(lambda: one.status.startswith("finished"))
    one.press("A random sample")
    one.wait(lambda: view(one, "view.network.layers[0].fires"))
    thickest = "view.focusable().sort((a, b) => view.share(b) - view.share(a))[0]"
    unit = view(one, f"(({{x, y, number}}) => ({{x, y, number}}))({thickest})")
    click_in_view(one, unit["x"], unit["y"])
    dialog = one.page.get_by_role("dialog")
    one.wait(lambda: dialog.count() and f"Hidden unit {unit['number'] + 1}" in dialog.text_content())
    one.wait(lambda: dialog.locator(".pixel-grid").last.locator("figcaption").count() == 8)
    assert re.search(r"Its weight to even [+-]?\d", dialog.text_content())


def test_two_spirals_as_the_guide_says(visitor):
    one = visitor().open("/?guide=two-spirals")
    one.choose("Speed", "full speed")

    def accuracy():
        return float(re.search(r"accuracy (?:over )?([\d.]+)%", one.status)[1])

    one.press("Start")
    one.wait(lambda: one.status.startswith("finished"))
    assert accuracy() < 90
    one.page.get_by_label("Hidden units", exact=True).fill("16")
    one.wait(lambda: one.status.startswith("ready"))
    one.press("Start")
    one.wait(lambda: one.status.startswith("finished"))
    assert accuracy() > 90


def test_the_race_has_four_with_the_same_computing_time(visitor):
    one = visitor().open("/race")
    one.press("Start")
    rows = one.page.locator("table.path tr")
    one.wait(lambda: rows.count() == 5)

    def column(number, kind):
        texts = one.page.locator(f"tr td:nth-child({number})").all_text_contents()
        return [kind(text.replace(",", "").rstrip("%")) for text in texts]

    one.wait(lambda: column(2, float)[3] > 95 and column(4, int)[0] > 0)
    written, compiled, full_batch, mini_batch = column(2, float)
    assert mini_batch > max(written, compiled, full_batch)
    steps = column(4, int)
    assert steps[1] > 20 * steps[0], "compiled, a step of SGD costs a small part"


def test_the_confusion_matrix_counts_the_test_images_and_its_cells_open(visitor):
    one = visitor().open("/?data=mnist&hidden_units=16")
    one.page.get_by_text("Confusion matrix: what is mistaken for what").click()
    cells = one.page.locator(".confusion td[class]")
    one.wait(lambda: cells.count() == 100)
    assert sum(int(text.replace(",", "")) for text in cells.all_text_contents()) == 10_000
    told = one.page.get_by_text("across parity (red)").text_content()
    across, within = map(
        int, re.search(r"([\d,]+) are across parity \(red\) and ([\d,]+)", told.replace(",", "")).groups()
    )
    for kind, count in (("cost", across), ("free", within)):
        found = one.page.locator(f".confusion td.{kind}").all_text_contents()
        assert sum(int(text.replace(",", "")) for text in found) == count
    button = one.page.locator(".confusion td.cost button").first
    count, label = int(button.text_content()), button.get_attribute("aria-label")
    button.click()
    dialog = one.page.get_by_role("dialog")
    one.wait(lambda: dialog.locator("figcaption").count() == min(count, 40))
    digit, predicted = re.search(r"of (\d) predicted as (\d)", label).groups()
    assert dialog.get_by_role("heading", name=f"{digit}, predicted as {predicted}").count() == 1


def test_the_confusion_matrix_follows_the_training(visitor):
    one = visitor().open("/?data=moons&hidden_units=8&epochs=2000")
    one.page.get_by_text("Confusion matrix: what is mistaken for what").click()
    right = one.page.locator(".confusion td.right")
    one.wait(lambda: right.count() == 2)
    before = right.all_text_contents()
    one.press("Start")
    one.wait(lambda: right.all_text_contents() != before)


@NEEDS_BUBBLEWRAP
def test_a_students_own_network_trains_beside_the_reference(visitor):
    one = visitor().open("/own")
    one.choose("Folder", "right")
    one.press("Begin")
    rows = one.page.locator("table.path tr")
    one.wait(lambda: rows.count() == 3)
    first = [one.page.locator(f"tr:nth-child({row}) td").all_text_contents() for row in (2, 3)]
    assert first[0][1:] == first[1][1:], "the same weights on the same samples"
    answer = one.page.locator(".answer")
    one.draw(*ONE)
    one.wait(lambda: re.search(r"Yours: (odd|even), [\d.]+%; The reference", answer.text_content()))
    one.press("Start")

    def taken():
        return [int(re.match(r"\D*?([\d,]+)", text)[1].replace(",", "")) for text in rows.all_text_contents()[1:]]

    one.wait(lambda: min(taken()) > 30)

    def are_sure():
        shares = re.findall(r"odd, ([\d.]+)%", answer.text_content())
        return len(shares) == 2 and min(map(float, shares)) > 70

    one.wait(are_sure)


@NEEDS_BUBBLEWRAP
def test_what_is_wrong_with_a_students_file_is_said(visitor):
    one = visitor().open("/own")
    one.choose("Folder", "wrong")
    one.press("Begin")
    one.wait(lambda: one.page.get_by_role("alert").count() == 1)
    assert "this file is broken" in one.page.get_by_role("alert").text_content()


def test_a_closed_tab_frees_its_thread(server, chromium, visitor):
    one = visitor().open("/?data=xor")
    context = chromium.new_context()
    tabs = [Visitor(context.new_page(), server.address).open("/?data=moons&batch_size=8&epochs=2000") for _ in range(2)]
    for tab in tabs:
        tab.press("Start")
    for tab in tabs:
        tab.wait_for_steps(10)
    before = server.trainings
    assert before >= 2
    context.close()
    one.wait(lambda: server.trainings <= before - 2)


def test_messages_that_no_page_sends_change_nothing(visitor, server):
    one = visitor().open(f"/?{SMALL}")
    one.page.wait_for_selector("canvas.drawing-pad")
    script = """async () => {
        const listeners = [];
        const own = window.socket.emit;
        const changed = new Promise((done) => {
            window.socket.emit = (name, message, ...rest) => {
                if (name === "event") listeners.push(message);
                if (JSON.stringify(message).includes("0.5")) done();
                return own.call(window.socket, name, message, ...rest);
            };
        });
        document.querySelector("canvas.drawing-pad").dispatchEvent(new KeyboardEvent("keydown", { key: "Delete" }));
        const field = document.querySelector('input[aria-label="Learning rate"]');
        field.value = "0.5";
        field.dispatchEvent(new Event("input", { bubbles: true }));
        await changed;
        const bad = [null, 1e308, -1, "x".repeat(100000), [[1]], { a: 1 }, "////", true, [NaN], ["AAAA"], []];
        for (const message of listeners)
            for (const args of bad) own.call(window.socket, "event", { ...message, args: [JSON.stringify(args)] });
        own.call(window.socket, "event", { id: "a", client_id: window.clientId, listener_id: "none", args: [] });
        return listeners.length;
    }"""
    assert one.page.evaluate(script) >= 1
    one.press("Step")  # comes after the messages, on the same connection
    one.wait_for_steps(0)


def test_what_is_asked_at_once_is_done_in_its_order(visitor):
    one = visitor().open("/?data=xor&hidden_units=8&learning_rate=0.25")
    one.page.evaluate("""() => {
        const own = window.socket.emit;
        window.sent = [];
        window.again = (texts) => texts.forEach((text) => own.call(window.socket, "event", JSON.parse(text)));
        window.socket.emit = (name, message, ...rest) => {
            if (window.typed && /97|0[.]125/.test(JSON.stringify(message.args))) return;  // a field tells twice
            if (name === "event") window.sent.push(JSON.stringify(message));
            return own.call(window.socket, name, message, ...rest);
        };
    }""")

    def sent(holding):
        """The newest of the page's messages, as soon as it holds this."""
        messages = one.wait(lambda: [text for text in one.page.evaluate("window.sent") if holding in text])
        return messages[-1]

    fields = [one.page.get_by_label(label, exact=True) for label in ("Hidden units", "Learning rate")]
    messages = []
    for field, value in zip(fields, ("97", "0.125"), strict=True):
        field.fill(value)
        messages.append(sent(holding=rf"\"{value}\""))
    units, rate = messages
    one.page.evaluate("window.typed = true")
    one.press("Reset")
    one.page.evaluate("window.sent.length = 0")
    one.press("Step")
    step = sent(holding="listener_id")
    for values in (("33", "0.375"), ("65", "0.0625"), ("12", "0.75")):
        one.wait_for_steps(0)
        one.press("Reset")
        one.wait(lambda: one.steps == 0)
        # with the quotes around it: 97 may stand in the name of the client too
        typed = [units.replace(r'"97\"', rf'"{values[0]}\"'), rate.replace("0.125", values[1])]
        one.page.evaluate("again", [*typed, step])
        one.wait_for_steps(0)
        one.press("Link")
        link = one.page.get_by_role("dialog").get_by_role("textbox").input_value()
        assert {f"hidden_units={values[0]}", f"learning_rate={values[1]}"} <= set(urlsplit(link).query.split("&"))
        one.page.keyboard.press("Escape")
        one.page.get_by_role("dialog").wait_for(state="detached")


def test_a_visitor_without_a_place_is_told_so(tmp_path, chromium):
    playground = Playground(tmp_path, "--visitors", "1")
    try:
        context = chromium.new_context()
        first = Visitor(context.new_page(), playground.address).open("/?data=xor")
        second = Visitor(context.new_page(), playground.address)
        second.page.goto(f"{playground.address}/?data=moons")
        second.wait(lambda: second.page.get_by_role("alert").count() == 1)
        assert "All 1 places of this playground are taken" in second.page.get_by_role("alert").text_content()
        assert first.status.startswith("ready")
        first.page.reload()
        first.wait(lambda: first.status.startswith("ready"))
        first.page.close()

        def is_let_in():
            second.page.wait_for_timeout(500)
            second.page.goto(f"{playground.address}/?data=moons")
            second.page.wait_for_selector(".columns, [role=alert]")
            return second.page.get_by_role("alert").count() == 0

        second.wait(is_let_in)
        context.close()
    finally:
        playground.end()


def answer(address, host=None):
    """The status and the headers of an answer."""
    request = urllib.request.Request(address, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request) as found:
            return found.status, found.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::2]:80", "", "localhost.x"]
)
def test_another_hosts_name_is_refused(server, host):
    assert answer(server.address, host or " ")[0] == 400


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1", "[::1]:8080", "127.0.0.2"])
def test_a_name_of_this_machine_is_let_in_and_nobody_else_frames_the_page(server, host):
    status, headers = answer(server.address, host)
    assert status == 200
    assert headers["X-Frame-Options"] == "SAMEORIGIN" and "frame-ancestors 'self'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize("host", ["127.0.0.2", "::1"])
def test_the_printed_address_works_on_every_address_of_this_machine(tmp_path, host):
    playground = Playground(tmp_path, "--host", host)
    try:
        assert answer(f"{playground.address}/guide")[0] == 200
        assert answer(f"{playground.address}/guide", "evil.example")[0] == 400
    finally:
        playground.end()


def bring(one, path, kind="file"):
    """Bring a file or a folder to the page."""
    one.wait(lambda: not one.page.get_by_role("dialog").count())
    one.press("Bring your own data")
    chooser = "input[type=file]:not([webkitdirectory])" if kind == "file" else "input[webkitdirectory]"
    one.page.locator(chooser).set_input_files(path)


def test_points_come_from_a_file_and_are_trained_on(visitor, tmp_path):
    rows = [(x, y, "pqr"[i]) for i, (x, y) in enumerate(((1, 1), (5, 1), (3, 5))) for _ in range(1)]
    lines = [f"{x + 0.1 * k};{y + 0.07 * k};extra;{name}" for x, y, name in rows for k in range(12)]
    table = tmp_path / "mine.csv"
    table.write_text("\n".join(["width;height;more;kind", *lines]).replace(".", ",") + "\n")
    one = visitor().open("/?data=moons")
    bring(one, table)
    told = "mine.csv: width to the right, height up, kind as colours (blue is p, red is q, green is r); all 36 rows."
    one.wait(lambda: one.page.get_by_text(told).count())
    one.wait(lambda: "data=points" in one.page.url and "points=" in one.page.url)
    points = dict(parse_qsl(urlsplit(one.page.url).query))["points"]
    assert np.bincount(painted(points)[1]).tolist() == [12, 12, 12]
    one.press("A random sample")
    one.wait(lambda: re.search(r"\b[pqr], with probability", one.page.locator(".answer").text_content()))
    one.press("Start")
    one.wait_for_steps(50)
    one.page.reload()
    one.wait(lambda: one.page.get_by_role("button", name="Pause", exact=True).count())
    assert dict(parse_qsl(urlsplit(one.page.url).query))["points"] == points


def test_of_a_wider_table_two_columns_are_chosen(visitor, tmp_path):
    lines = [f"{k},{k % 7},{k * k % 11},{'pq'[k % 2]}" for k in range(30)]
    (tmp_path / "wide.csv").write_text("\n".join(["a,b,c,kind", *lines]) + "\n")
    one = visitor().open("/?data=moons")
    bring(one, tmp_path / "wide.csv")
    one.wait(lambda: one.page.get_by_text("Which two columns span the plane?").count())
    use = one.page.get_by_role("button", name="Use these columns")
    one.page.get_by_label("To the right").select_option("c")
    one.page.get_by_label("Up", exact=True).select_option("c")
    assert use.is_disabled() and "data=moons" in one.page.url
    one.page.get_by_label("Up", exact=True).select_option("a")
    use.click()
    one.wait(lambda: one.page.get_by_text("wide.csv: c to the right, a up, kind as colours").count())
    one.wait(lambda: "data=points" in one.page.url)


def test_a_sample_has_no_label_of_other_data(visitor):
    one = visitor().open("/")
    answer = one.page.locator(".answer")
    one.wait(lambda: "its label is" in (answer.text_content() or ""))
    assert one.page.evaluate("document.documentElement.lang") == "en"
    one.choose("Data", "MNIST, ten digits")
    one.wait(lambda: re.match(r"\d, with probability [\d.]+%$", answer.text_content() or ""))
    one.press("A random sample")
    one.wait(lambda: re.search(r"its label is \d", answer.text_content() or ""))
    one.choose("Data", "Moons")
    one.wait(lambda: answer.text_content() == "Take a sample")


def test_a_file_without_points_says_what_it_needs(visitor, tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text("a,b\n1,2\n3,4\n")
    one = visitor().open("/?data=moons")
    bring(one, table)
    one.wait(lambda: one.page.get_by_text("mine.csv needs two columns of numbers, and one with two to four").count())
    assert "data=moons" in one.page.url


def write_shapes(folder, classes=("bars", "rings")):
    """Small coloured pictures of horizontal bars and of rings, in a folder for each class."""
    rng = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for n in range(30):
            image = Image.new("RGB", (40, 40), "white")
            draw, (x, y) = ImageDraw.Draw(image), rng.integers(4, 14, 2)
            if name == "bars":
                draw.rectangle((x, y + 8, x + 20, y + 12), fill="navy")
            else:
                draw.ellipse((x, y, x + 20, y + 20), outline="maroon", width=3)
            image.save(folder / name / f"{n}.png")
    return folder


def test_a_folder_of_images_is_trained_on_saved_and_opened_again(visitor, server, tmp_path):
    folder = write_shapes(tmp_path / "shapes")
    (folder / "bars/readme.txt").write_text("no image")
    one = visitor().open("/?data=moons")
    bring(one, folder, "folder")
    told = "All 60 images were made grey and 28 × 28: bars (30), rings (30). 1 files are left out"
    one.wait(lambda: told in (one.page.content() or ""))
    one.wait(lambda: "data=images" in one.page.url and "images=2-" in one.page.url)
    one.press("Start")
    one.wait(lambda: one.status.startswith("finished"))
    answer = one.page.locator(".answer")
    one.press("A random sample")
    one.wait(lambda: re.search(r"(bars|rings), with probability .*right, its label is", answer.text_content()))
    one.press("Clear")
    one.draw((0.2, 0.5), (0.8, 0.5))
    one.wait(lambda: answer.text_content().startswith("bars, with probability"))
    one.press("Save")
    one.page.get_by_label("Name", exact=True).fill("shapes")
    one.page.get_by_role("dialog").get_by_role("button", name="Save").click()
    runs = Path(server.said.name).parent
    one.wait(lambda: (runs / "runs/shapes/model.safetensors").exists())
    done = run("evaluate", "runs/shapes", "--json", folder=runs)
    assert done.returncode == 0 and '"accuracy"' in done.stdout
    two = visitor().open("/?run=shapes")
    two.wait(lambda: two.page.get_by_label("Data", exact=True).input_value() == "Your own images")
    assert view(two, "view.network.names") == ["bars", "rings"]


def test_a_zip_file_of_images_is_read_and_a_bad_one_refused(visitor, tmp_path):
    write_shapes(tmp_path / "in/shapes", ("bars", "rings", "bars2"))
    packed = shutil.make_archive(str(tmp_path / "shapes"), "zip", tmp_path / "in")
    one = visitor().open("/?data=moons")
    bring(one, packed)
    one.wait(lambda: "images=3-" in one.page.url)
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"PK\x03\x04 no archive")
    bring(one, bad)
    one.wait(lambda: one.page.get_by_text("bad.zip cannot be unpacked").count())


def test_files_of_other_sites_are_refused(server):
    request = urllib.request.Request(f"{server.address}/bring", data=b"x=1", method="POST")
    with pytest.raises(urllib.error.HTTPError, match="403") as refused:
        urllib.request.urlopen(request)
    refused.value.close()


def test_images_that_the_server_does_not_have_are_asked_for(visitor):
    one = visitor().open("/?data=images&images=3-0123456789abcdef")
    assert "bring them again" in one.page.get_by_role("alert").first.text_content()
    assert one.steps > 1000


def test_kept_runs_survive_a_reload(visitor):
    one = visitor().open("/?data=moons&hidden_units=4&epochs=2000")
    one.press("Start")
    one.wait_for_steps(50)
    one.press("Pause")
    one.wait(lambda: one.status.startswith("paused"))
    one.press("Keep to compare")
    one.wait(lambda: charts(one)[0]["names"][-1] == "kept 1")
    kept = charts(one)[0]["data"][-1]
    one.wait(lambda: one.page.evaluate("localStorage.getItem('mlcvlab-kept')"))
    one.page.reload()
    one.wait(lambda: one.page.evaluate(ALL_CHARTS_ARE_THERE) and charts(one)[0]["names"][-1:] == ["kept 1"])
    assert charts(one)[0]["data"][-1] == kept
    one.page.evaluate("localStorage.setItem('mlcvlab-kept', '[{\"number\": 1}]')")
    one.page.reload()
    one.wait(lambda: one.page.get_by_text("The kept curves in this browser's storage cannot be read").count())


def test_a_tab_comes_back_to_its_training(visitor):
    one = visitor().open(f"/?{SMALL}")
    one.press("Start")
    one.wait_for_steps(60)
    one.press("Pause")
    one.wait(lambda: one.status.startswith("paused"))
    before = one.status
    one.page.goto("about:blank")
    one.open(f"/?{SMALL}")
    one.wait(lambda: one.status == before)
    other = visitor().open(f"/?{SMALL}")
    assert other.steps == 0
    one.open(f"/?{SMALL}&seed=5")
    one.wait(lambda: "step 0," in one.status)


def test_a_lost_connection_is_said_and_the_training_is_there_when_it_is_back(visitor, context):
    one = visitor().open("/?data=moons&hidden_units=5&epochs=2000")
    one.press("Start")
    one.wait_for_steps(20)
    window = context()
    window.set_offline(True)
    one.page.evaluate("window.socket.io.engine.close()")
    popup = one.page.locator("#popup")
    one.wait(lambda: popup.is_visible() and "Connection lost" in popup.text_content())
    window.set_offline(False)
    one.wait(lambda: not popup.is_visible())
    one.wait_for_steps(one.steps)
    one.errors.clear()  # the browser's own, on what it could not reach


def test_the_address_brings_back_an_opened_run_and_a_guide_with_what_was_changed(visitor):
    one = visitor().open("/?data=xor&hidden_units=6")
    one.press("Save")
    one.page.get_by_label("Name", exact=True).fill("for-the-address")
    one.page.get_by_role("dialog").get_by_role("button", name="Save").click()
    one.wait(lambda: one.page.get_by_text("Saved to").count())
    one.press("Open")
    one.choose("Run", "for-the-address")
    one.page.get_by_role("dialog").get_by_role("button", name="Open").click()
    one.wait(lambda: one.page.url.endswith("?run=for-the-address"))
    rate = one.page.get_by_label("Learning rate", exact=True)
    rate.fill("0.02")
    one.wait(lambda: one.page.url.endswith("?run=for-the-address&learning_rate=0.02"))
    two = visitor().open("/?" + urlsplit(one.page.url).query)
    two.wait(lambda: two.page.get_by_label("Hidden units", exact=True).input_value() == "6")
    assert two.page.get_by_label("Learning rate", exact=True).input_value() == "0.02"
    guided = visitor().open("/?guide=one-weight")
    guided.page.get_by_label("Hidden units", exact=True).fill("7")
    guided.wait(lambda: guided.page.url.endswith("?guide=one-weight&hidden_units=7"))
    guided.page.reload()
    guided.wait(lambda: guided.page.get_by_label("Hidden units", exact=True).count())
    assert guided.page.get_by_role("heading", name="Change one weight").count() == 1
    assert guided.page.get_by_label("Hidden units", exact=True).input_value() == "7"


def test_four_hundred_resets_keep_nobody_waiting(visitor):
    one, other = visitor().open(f"/?{SMALL}"), visitor().open("/?data=moons&hidden_units=3")
    one.page.evaluate("""() => {
        const own = window.socket.emit;
        window.socket.emit = (name, message, ...rest) => {
            for (let i = 0; i < 400; i++) own.call(window.socket, name, message, ...rest);
            window.socket.emit = own;
        };
    }""")
    one.press("Reset")
    other.press("Step")
    other.wait_for_steps(0)
    one.press("Step")
    one.wait_for_steps(0)
    assert one.steps == 1


def test_a_click_on_a_curve_shows_the_values_there(visitor):
    one = visitor().open("/?data=moons&hidden_units=4&epochs=2000")
    one.press("Start")
    one.wait_for_steps(100)
    one.press("Pause")
    one.wait(lambda: one.status.startswith("paused") and one.page.evaluate(ALL_CHARTS_ARE_THERE))
    chart = one.page.locator(".chart").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    one.page.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + 0.6 * box["height"])
    one.wait(lambda: re.search(r"training\s*0?\.\d+", chart.text_content() or ""))


def test_connections_of_one_address_are_limited(tmp_path):
    import websockets.sync.client as client
    from websockets.exceptions import WebSocketException

    playground = Playground(tmp_path, "--visitors", "1")
    address = playground.address.replace("http", "ws") + "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    held = []
    try:
        held += [client.connect(address, legacy=True) for _ in range(3)]
        with pytest.raises((WebSocketException, OSError)):
            client.connect(address, legacy=True)
        held.pop().close()

        def is_let_in():
            try:
                held.append(client.connect(address, legacy=True))
            except (WebSocketException, OSError):
                return False
            return True

        wait_for(is_let_in)
    finally:
        for one in held:
            one.close()
        playground.end()


def test_a_server_that_was_started_anew_says_that_the_weights_are_gone(tmp_path, context):
    first = Playground(tmp_path)
    one = Visitor(context().new_page(), first.address)
    try:
        one.open("/?data=moons&hidden_units=5")
        one.press("Step")
        one.wait_for_steps(0)
        one.page.reload()
        one.wait_for_steps(0)
        assert not one.page.get_by_text("started anew").count()
    finally:
        first.end()
    again = Playground(tmp_path, port=first.address.rpartition(":")[2])
    try:
        with suppress(Error):  # the page may reload by itself at this very moment
            one.page.reload()
        one.wait(lambda: one.page.get_by_text("has been started anew").count())
        assert one.steps == 0
    finally:
        again.end()
        one.page.close()


BUTTONS = """() => [...document.querySelectorAll('.q-btn')].map((button) => {
    let behind = button;
    while (behind && getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
    return [button.innerText, getComputedStyle(button).color,
            behind ? getComputedStyle(behind).backgroundColor : 'rgb(255, 255, 255)'];
})"""


def luminance(colour):
    """The relative luminance of a colour as the browser writes it (WCAG 2.2)."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_words_on_buttons_can_be_read_in_both_themes(visitor, scheme):
    one = visitor()
    one.page.emulate_media(color_scheme=scheme)
    one.open("/?data=moons")
    try:
        for name, word, behind in one.page.evaluate(BUTTONS):
            low, high = sorted((luminance(word), luminance(behind)))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (name, word, behind)
    finally:
        one.page.emulate_media(color_scheme="light")


def test_the_way_back_to_the_playground_and_to_a_setting_keeps_the_weights(visitor):
    one = visitor().open("/?data=moons")
    one.press("Start")
    one.wait_for_steps(100)
    one.press("Pause")
    one.wait(lambda: one.status.startswith("paused"))
    steps = one.steps
    fill(one, "Learning rate", "0.05")
    one.wait(lambda: "learning_rate=0.05" in one.page.url)
    one.page.go_back()
    one.wait(lambda: "learning_rate" not in one.page.url and "step " in one.status and one.steps == steps)
    one.page.get_by_role("link", name="Race", exact=True).first.click()
    one.page.wait_for_url("**/race")
    one.page.get_by_role("link", name="Playground", exact=True).first.click()
    one.wait(lambda: "step " in one.status and one.steps == steps)


def test_step_by_step_follows_one_network_and_the_samples_own_label(visitor):
    one = visitor().open("/")
    answer = one.page.locator(".answer").first
    one.page.get_by_text("Step by step: forward and back").click()
    one.wait(lambda: "its label is" in (answer.text_content() or ""))
    while not answer.text_content().endswith("even"):
        before = answer.text_content()
        one.press("A random sample")
        one.wait(lambda before=before: answer.text_content() != before)
    one.press("Reset and watch it learn")
    one.wait(lambda: one.status.startswith("running"))
    for count in range(1, 5):
        one.press("Next")
        one.wait(lambda count=count: one.page.locator(".stage").count() == count)
    assert one.page.get_by_label("Its label", exact=True).first.input_value() == "even"
    assert one.status.startswith("paused")


def test_a_weight_that_is_changed_by_hand_is_in_every_picture_and_the_training_goes_on(visitor):
    one = visitor().open("/?data=moons&hidden_units=2")
    one.press("Start")
    one.wait_for_steps(100)
    one.press("Pause")
    one.wait(lambda: one.status.startswith("paused"))

    def right():
        return re.search(r"accuracy ([\d.]+)%", one.status)[1]

    before = right()
    one.page.get_by_text("Confusion matrix: what is mistaken for what").click()
    summary = one.page.get_by_text(re.compile("Rows are the true classes"))
    one.wait(lambda: summary.count() and f"Correct: {before}%" in summary.text_content())
    edge = view(one, LAST_EDGE)
    click_in_view(one, edge["x"], edge["y"])
    dialog = one.page.get_by_role("dialog")
    weight = one.page.get_by_role("spinbutton", name="Weight")
    one.wait(weight.count)
    weight.fill("-9" if float(weight.input_value()) > 0 else "9")
    one.wait(lambda: right() != before)
    one.wait(lambda: f"Correct: {right()}%" in summary.text_content())
    dialog.get_by_role("button", name="Close").click()
    one.press("Start")
    one.wait_for_steps(one.steps + 20)
    edge = view(one, LAST_EDGE)
    click_in_view(one, edge["x"], edge["y"])
    one.wait(lambda: one.status.startswith("paused"))
    dialog.get_by_role("button", name="Close").click()
    one.wait(lambda: one.status.startswith("running"))


def test_the_way_back_leads_to_what_the_page_opened_with(visitor):
    one = visitor().open("/")
    data = one.page.get_by_label("Data", exact=True)
    one.choose("Data", "Moons")
    one.wait(lambda: "data=moons" in one.page.url)
    one.page.evaluate("history.back()")
    one.wait(lambda: "data=moons" not in one.page.url and data.count() and data.input_value() == "MNIST, even or odd")


def table_of(place, names, scale=1):
    rows = [f"{(k % 9) * scale},{(k % 7) * scale + k % 2},{names[k % 2]}" for k in range(40)]
    place.write_text("\n".join(["a,b,kind", *rows]) + "\n")
    return place


def test_a_sample_and_what_is_told_of_data_go_with_the_data(visitor, server, tmp_path):
    one = visitor().open("/?data=moons&hidden_units=3")
    bring(one, table_of(tmp_path / "pets.csv", ("cat", "dog")))
    one.wait(lambda: one.page.get_by_text("blue is cat").count())
    one.press("A random sample")
    one.wait(lambda: re.search("(cat|dog), with probability", one.page.locator(".answer").text_content()))
    bring(one, table_of(tmp_path / "flowers.csv", ("rose", "tulip"), 3))
    one.wait(lambda: one.page.get_by_text("blue is rose").count())
    one.wait(lambda: "with probability" not in one.page.locator(".answer").text_content())
    one.wait(lambda: not one.page.get_by_role("dialog").count())
    one.draw((0.1, 0.2), (0.4, 0.25), on=".pixel-grid.paintable canvas")
    one.wait(lambda: one.page.get_by_text("Painted points were added.").count())
    one.press("Save")
    one.page.get_by_label("Name", exact=True).fill("flowers")
    one.page.get_by_role("dialog").get_by_role("button", name="Save").click()
    one.wait((Path(server.said.name).parent / "runs/flowers/model.safetensors").exists)
    one.page.keyboard.press("Escape")
    one.wait(lambda: not one.page.get_by_role("dialog").count())
    one.press("Open")
    one.choose("Run", "flowers")
    one.page.get_by_role("dialog").get_by_role("button", name="Open").click()
    one.wait(lambda: "run=flowers" in one.page.url)
    one.wait(lambda: not one.page.get_by_text("blue is rose").count())


def test_the_drawing_forgets_units_that_are_gone(visitor):
    one = visitor().open("/?data=moons&hidden_units=8")
    one.press("A random sample")
    one.wait(lambda: view(one, "view.laid && view.network.input"))
    view(one, "view.tell({ layer: 0, i: 7, picture: 7 })")
    view(one, "view.at = 7")
    one.page.get_by_label("Hidden units", exact=True).fill("2")
    one.wait(lambda: view(one, "view.network.layers[0].units.length") == 2)
    assert view(one, "view.hovered") is None
    one.page.locator(".network-view > canvas").focus()
    one.page.keyboard.press("Enter")
    one.wait(lambda: one.page.get_by_role("dialog").count())
    assert not one.errors


def test_the_confusion_matrix_is_of_the_network_that_is_shown(visitor):
    one = visitor().open("/?data=mnist&hidden_units=16")
    one.page.get_by_text("Confusion matrix: what is mistaken for what").click()
    cells = one.page.locator(".confusion td[class]")
    one.wait(lambda: cells.count() == 100)
    one.choose("Data", "Moons")
    one.wait(lambda: "data=moons" in one.page.url and cells.count() != 100)


def test_a_guide_that_is_opened_again_from_its_link_begins_anew(visitor):
    one = visitor().open("/?guide=batch-noise")
    one.press("Start")
    one.wait_for_steps(20)
    one.press("Pause")
    one.wait(lambda: one.status.startswith("paused"))
    one.open("/guide")
    one.page.locator("a[href*='guide=batch-noise']").click()
    one.wait(lambda: one.page.url.endswith("/?guide=batch-noise"))
    one.wait(lambda: "step 0," in one.status)
    one.press("Start")
    one.wait_for_steps(20)
    one.page.reload()
    one.wait(lambda: one.page.get_by_role("button", name="Pause", exact=True).count())
    assert one.steps >= 20, "a reload goes on"


def test_the_legend_of_five_kept_runs_is_whole_and_its_words_do_not_leave_the_chart(visitor):
    one = visitor().open("/?data=moons&hidden_units=4&epochs=2000")
    for units in range(9, 14):
        field = one.page.get_by_label("Hidden units", exact=True)
        field.fill(str(units))
        field.press("Tab")
        one.wait(lambda units=units: f"hidden_units={units}" in one.page.url)
        one.press("Keep to compare")
    one.wait(lambda: len(charts(one)[0]["names"]) == 7)
    shown = """() => [...document.querySelectorAll('.chart')].map((chart) => {
        const option = getElement(Number(chart.id.slice(1))).chart.getOption();
        return [option.legend[0].type ?? 'plain', option.grid[0].top, chart.clientHeight];
    })"""
    for kind, top, height in one.page.evaluate(shown):
        assert kind == "plain" and top >= 40 + 4 * 18 and height - top > 150


def test_two_tabs_keep_the_runs_of_both(visitor, context):
    one = visitor().open("/?data=moons&seed=1")
    two = visitor().open("/?data=moons&seed=2")
    stored = (
        "() => JSON.parse(localStorage.getItem('mlcvlab-kept') || '[]').map((run) => [run.number, run.experiment.seed])"
    )
    one.press("Keep to compare")
    one.wait(lambda: one.page.evaluate(stored) == [[1, 1]])
    two.press("Keep to compare")
    two.wait(lambda: two.page.evaluate(stored) == [[1, 1], [2, 2]])
    two.wait(lambda: len(charts(two)[0]["names"]) == 4)
    one.press("Keep to compare")
    one.wait(lambda: one.page.evaluate(stored) == [[1, 1], [2, 2], [3, 1]])
    one.wait(lambda: len(set(charts(one)[0]["names"])) == 5)


def test_a_training_goes_on_when_a_new_colour_has_points_enough(visitor):
    one = visitor().open("/?data=points&begin=1")
    one.press("Start")
    one.wait_for_steps(20)
    plane = ".pixel-grid.paintable canvas"
    one.page.get_by_role("button", name="Green", exact=True).click()
    one.draw((0.45, 0.05), (0.47, 0.05), on=plane)
    one.wait(lambda: one.page.get_by_text("paint at least 5 points of each colour").is_visible())
    one.draw((0.3, 0.06), (0.6, 0.1), on=plane)
    one.wait(lambda: not one.page.get_by_text("paint at least 5 points of each colour").is_visible())
    one.wait_for_steps(20)
    one.press("Pause")


def test_stages_of_earlier_weights_are_said_to_be_so(visitor):
    one = visitor().open("/?data=moons&begin=1")
    one.page.get_by_text("Step by step: forward and back").click()
    one.wait(lambda: one.page.get_by_role("button", name="Next", exact=True).is_visible())
    follow = one.page.get_by_role("button", name="Next", exact=True)
    follow.click()
    one.wait(lambda: one.page.locator(".stage").count() == 1)
    assert not one.page.get_by_text("These numbers are of earlier weights").is_visible()
    one.press("Step")
    one.wait(lambda: one.page.get_by_text("These numbers are of earlier weights").is_visible())
    follow.click()
    one.wait(lambda: not one.page.get_by_text("These numbers are of earlier weights").is_visible())
    assert one.page.locator(".stage").count() == 1


@pytest.mark.parametrize("button", ["Link", "Code", "Save", "Open", "Bring your own data"])
def test_each_dialog_has_a_name_and_a_way_out(visitor, button):
    one = visitor().open("/?data=moons&begin=1")
    one.press(button)
    dialog = one.page.get_by_role("dialog")
    one.wait(lambda: dialog.count() and dialog.get_attribute("aria-label"))
    dialog.get_by_role("button", name="Close", exact=True).click()
    one.wait(lambda: not dialog.count())


@pytest.mark.parametrize("size", [(1024, 768), (820, 1180)])
def test_on_a_tablet_the_learning_rate_start_and_the_network_are_on_one_screen(visitor, size):
    one = visitor(viewport=dict(zip(("width", "height"), size, strict=True))).open("/?data=moons")
    for shown in (
        one.page.get_by_role("button", name="Start", exact=True),
        one.page.get_by_role("spinbutton", name="Learning rate"),
        one.page.locator(".network-view canvas").first,
    ):
        one.wait(lambda shown=shown: shown.count() and shown.is_visible())
        box = shown.bounding_box()
        assert box["y"] >= 0 and box["y"] + min(40, box["height"]) <= size[1], box
    one.page.get_by_role("button", name="Settings").click()
    one.wait(lambda: one.page.get_by_label("Batch size").is_visible())
