"""The controls of an experiment, each with its sentence and its equation."""

import math
import tomllib
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from typing import Any

from nicegui import ui

from mlcvkit.playground.experiments import CHOICES, LIMITS, Experiment
from mlcvkit.training.optimizers import OPTIMIZERS

POWERS: dict[str, tuple[float, float, float]] = {"learning_rate": (-5, 2, 0.1), "hidden_units": (0, 9, 0.5)}
"""Sliders over exponents, from, to and step: of 10 for the learning rate, of 2 for the hidden units."""
SLIDERS: dict[str, float] = {"dropout": 0.05, "shift": 0.5, "rotation": 1, "elastic": 0.1, "depth": 1}
"""Sliders with their steps."""

Changed = Callable[[str, Any], Awaitable[None]]


@cache
def texts(name: str) -> dict[str, Any]:
    """A file of texts."""
    return tomllib.loads((files("mlcvkit.playground") / "texts" / f"{name}.toml").read_text(encoding="utf-8"))


class Controls:
    """One control for each setting; ``changed(name, value)`` is told of what a visitor does."""

    def __init__(self, experiment: Experiment, changed: Changed) -> None:
        self.changed = changed
        self.elements: dict[str, Any] = {}
        self.shown: dict[str, Any] = {}
        self.boxes: dict[str, Any] = {}
        self.values = asdict(experiment)
        self.setting = False
        groups: dict[str, list[str]] = {}
        for name, control in texts("controls").items():
            groups.setdefault(control["group"], []).append(name)
        for group, names in groups.items():
            with ui.expansion(group, value=group != "Against overfitting").classes("w-full group"):
                for name in names:
                    self._control(name, texts("controls")[name])
        self.show(experiment)

    def show(self, experiment: Experiment) -> None:
        """Set every control to an experiment, without telling of it; those that do nothing there are not shown."""
        self.setting = True
        try:
            self.values = asdict(experiment)
            for name, box in self.boxes.items():
                box.visible = applies(name, experiment)
            for name, element in self.elements.items():
                element.value = _inside(name, self.values[name])
                self._show_value(name)
        finally:
            self.setting = False

    def _control(self, name: str, control: dict[str, Any]) -> None:
        label, value = control["label"], self.values[name]
        with ui.element("div").classes("control") as box:
            self.boxes[name] = box
            if name in CHOICES:
                names = control.get("names", {})
                options = {choice: names.get(choice, choice.replace("_", " ")) for choice in CHOICES[name]}
                element: Any = ui.select(
                    options, value=value, label=label, on_change=lambda e: self._tell(name, e.value)
                )
                element.props("dense outlined options-dense").classes("w-full")
            elif name in POWERS or name in SLIDERS:
                self.shown[name] = ui.label().classes("control-label")
                low, high, step = POWERS.get(name) or (*LIMITS[name], SLIDERS[name])
                element = ui.slider(min=low, max=high, step=step, value=_inside(name, value))
                element.props(f'aria-label="{label}" dense')
                element.on("change", lambda e: self._tell(name, _outside(name, e.args)), throttle=0.1)
            else:
                low, high = LIMITS[name]
                element = ui.number(label, value=value, min=low, max=high)
                element.props("dense outlined debounce=500").classes("w-full")
                element.on_value_change(lambda e: self._tell(name, e.value))
            ui.label(control["text"]).classes("explanation")
            if control["equation"]:
                ui.label(control["equation"]).classes("equation")
        self.elements[name] = element.mark(name)
        self._show_value(name)

    async def _tell(self, name: str, value: Any) -> None:
        if self.setting or value is None or value == self.values[name]:
            return
        self.values[name] = value
        self._show_value(name)
        await self.changed(name, value)

    def _show_value(self, name: str) -> None:
        if name in self.shown:
            self.shown[name].text = f"{texts('controls')[name]['label']}: {self.values[name]:.3g}"


def applies(name: str, experiment: Experiment) -> bool:
    """Whether a setting does anything in an experiment."""
    optimizer = experiment.optimizer
    only = {
        "samples": experiment.is_nn2,
        "shift": experiment.is_nn2,
        "rotation": experiment.is_nn2,
        "elastic": experiment.is_nn2,
        "momentum": optimizer in ("momentum", "nesterov"),
        "beta1": "adam" in optimizer,
        "beta2": "adam" in optimizer,
        "batch_size": optimizer in OPTIMIZERS,
        "schedule": optimizer in OPTIMIZERS,
    }
    return only.get(name, True)


def _inside(name: str, value: Any) -> Any:
    """A value as its control holds it."""
    if name == "learning_rate":
        return round(math.log10(value), 1)
    return round(2 * math.log2(value)) / 2 if name == "hidden_units" else value


def _outside(name: str, value: Any) -> Any:
    """What a control holds as a value; as it is where it is no number."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return value
    if name == "learning_rate":
        return float(f"{10 ** min(value, 10):.3g}")
    return round(2 ** min(value, 20)) if name == "hidden_units" else value
