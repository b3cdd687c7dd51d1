import numpy as np
import pytest

from mlcvkit import plots

HISTORY = {
    "epoch": [1.0, 2.0],
    "train_loss": [0.5, 0.3],
    "validation_loss": [0.6, 0.4],
    "train_accuracy": [0.8, 0.9],
    "validation_accuracy": [0.7, 0.85],
}


def test_the_curves_are_those_of_the_history():
    loss, accuracy = plots.curves(HISTORY).axes
    assert [line.get_ydata().tolist() for line in loss.lines] == [[0.5, 0.3], [0.6, 0.4]]
    assert [line.get_ydata().tolist() for line in accuracy.lines] == [[0.8, 0.9], [0.7, 0.85]]
    assert "train 0.3000" in loss.texts[0].get_text()


@pytest.mark.parametrize("units", [1, 5, 30])
def test_the_strongest_hidden_units_come_first_with_the_sign_of_their_answer(tmp_path, units):
    rng = np.random.default_rng(0)
    W1, w2 = rng.normal(size=(units, 16)), rng.normal(size=(units, 1))
    figure = plots.hidden_units(W1, w2, most=20)
    mosaic = figure.axes[0].images[0].get_array().filled(np.nan)
    columns = min(12, units, 20)
    tiles = mosaic.reshape(-1, 6, columns, 6).swapaxes(1, 2).reshape(-1, 6, 6)[:, 1:-1, 1:-1]
    shown = tiles[~np.isnan(tiles).all(axis=(1, 2))]
    order = np.argsort(-np.abs(w2[:, 0]) * np.linalg.norm(W1, axis=1))[:20]
    assert len(shown) == len(order)
    for image, unit in zip(shown, order, strict=True):
        expected = (W1[unit] * np.sign(w2[unit])).reshape(4, 4)
        np.testing.assert_allclose(image, expected / np.abs(expected).max())
    figure.savefig(tmp_path / "units.png")
    assert (tmp_path / "units.png").read_bytes().startswith(b"\x89PNG")


def test_units_that_are_no_square_images_are_named():
    with pytest.raises(ValueError, match="K = 15 is not a square"):
        plots.hidden_units(np.ones((2, 15)), np.ones((2, 1)))


@pytest.mark.parametrize(("measured", "titles"), [([], ["Loss"]), (["r2"], ["Loss", "R²"])])
def test_curves_show_what_was_measured(measured, titles):
    history = {"epoch": [1.0, 2.0], "train_loss": [2.0, 1.0], **{f"train_{name}": [0.1, 0.2] for name in measured}}
    assert [axes.get_title() for axes in plots.curves(history).axes] == titles


def test_each_seed_is_drawn_to_its_own_end():
    histories = {"best": [{"loss": [3, 2, 1]}, {"loss": [3, 2, 1, 0.5, 0.4]}], "defaults": [{"loss": [4, 3]}]}
    (axes,) = plots.curves_of_seeds(histories, "loss", "Loss").axes
    drawn = [line.get_ydata().tolist() for line in axes.lines if len(line.get_ydata()) > 1]
    assert drawn == [[3, 2, 1], [3, 2, 1, 0.5, 0.4], [4, 3]]
