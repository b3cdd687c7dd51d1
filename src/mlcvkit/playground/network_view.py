"""The drawing of the network: which units it shows, the edges between them, and what excites each unit."""

import base64
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from nicegui import ui

from mlcvkit.datasets import SIDE
from mlcvkit.playground import inspection
from mlcvkit.playground.networks import Network
from mlcvlab.nn import Array

MOST_FIRST, MOST_LATER = 10, 8
"""The most units that are drawn of the first hidden layer, and of each later one."""
MOST_EXCITING = 8
UnitChosen = Callable[[int, int], Any]
EdgeChosen = Callable[[int, int, int], Any]


class NetworkView(ui.element, component="components/network_view.js"):
    """A drawing of a network; a click on a unit calls ``unit(layer, number)``, on an edge ``edge(layer, to, from)``."""

    def __init__(self, unit: UnitChosen, edge: EdgeChosen) -> None:
        super().__init__()
        self._props["label"] = "The network. Arrow keys go from unit to unit, Enter opens one."
        self.sent: Any = None
        self.on("unit", lambda event: _numbers(event.args, 2) and unit(*event.args))
        self.on("edge", lambda event: _numbers(event.args, 3) and edge(*event.args))

    def show(self, drawn: dict[str, Any]) -> None:
        """Show the result of ``drawn``."""
        if drawn != self.sent:
            self.sent = drawn
            self.run_method("show", drawn)


def _numbers(values: Any, count: int) -> bool:
    """Whether a page sent this many indices."""
    return isinstance(values, list) and len(values) == count and all(type(v) is int and v >= 0 for v in values)


def drawn_units(network: Network, x: Array | None) -> list[list[int]]:
    """The units of each hidden layer to draw: those that add most for a sample, and the strongest."""
    pairs = network.layers
    walk = None if x is None else inspection.path(network, x)
    found = []
    for layer, (W, _) in enumerate(pairs[:-1]):
        out = np.linalg.norm(pairs[layer + 1][0], axis=0)
        strength = out * np.linalg.norm(W, axis=1)
        most = MOST_FIRST if layer == 0 else MOST_LATER
        order = [int(unit) for unit in np.argsort(-strength, kind="stable")]
        if walk is not None:
            adds = out * np.abs(walk.layers[layer])
            fire = [int(unit) for unit in np.argsort(-adds, kind="stable")[: most // 2] if adds[unit] > 0]
            order = fire + [unit for unit in order if unit not in fire]
        found.append(sorted(order[:most]))
    return found


def drawn(network: Network, units: list[list[int]], x: Array | None, names: list[str]) -> dict[str, Any]:
    """A network, and the path of a sample if there is one, as data for the component."""
    pairs = network.layers
    images = network.experiment.has_images
    walk = None if x is None else inspection.path(network, x)
    pictures = np.stack([unit.pixels for unit in inspection.unit_pictures(network, units[0])])
    layers = [
        {
            "units": chosen,
            "rest": len(W) - len(chosen),
            "fires": None if walk is None else _rounded(walk.layers[layer][chosen]),
        }
        for layer, (chosen, (W, _)) in enumerate(zip(units, pairs[:-1], strict=True))
    ]
    gaps = [pairs[layer + 1][0][np.ix_(chosen, units[layer])] for layer, chosen in enumerate(units[1:])]
    gaps.append(pairs[-1][0][:, units[-1]])
    if not images:
        gaps.insert(0, pairs[0][0][units[0]])
    seen: Any = None
    if x is not None:
        seen = _encoded((255 * x[:, 0]).astype(np.uint8)) if images else _rounded(x[:, 0])
    return {
        "plane": not images,
        "side": SIDE,
        "tileSide": SIDE if images else inspection.UNIT_GRID,
        "pictures": _encoded(pictures),
        "input": seen,
        "layers": layers,
        "weights": [_rounded(gap) for gap in gaps],
        "names": names,
        "colours": inspection.colours_of(network),
        "answers": None if walk is None else np.nan_to_num(walk.answers.astype(np.float64)).tolist(),
    }


class Exciting(NamedTuple):
    """The share of training samples for which a unit fires, its mean activation, and those that excite it most."""

    share: float
    mean: float
    columns: list[int]
    fires: list[float]


def exciting(network: Network, layer: int, unit: int) -> Exciting:
    """Find the training samples that excite a unit of a hidden layer most."""
    _, a = inspection.hidden(network, network.train[0])[layer]
    order = np.argsort(-a[unit], kind="stable")[:MOST_EXCITING]
    return Exciting(
        float((a[unit] > 0).mean()), float(a[unit].mean()), [int(n) for n in order], [float(a[unit, n]) for n in order]
    )


def _encoded(array: Any) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _rounded(array: Array) -> Any:
    return np.round(np.nan_to_num(array.astype(np.float64)), 4).tolist()
