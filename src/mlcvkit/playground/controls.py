"""The controls of the page, each with an explanation and an equation."""

import math
import tomllib
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields
from functools import cache
from importlib.resources import files
from typing import Any

from nicegui import ui

from mlcvkit.models import ACTIVATIONS, INITIALIZATIONS, LOSSES
from mlcvkit.playground.experiments import (
    CHOICES,
    COORDINATE_SGD,
    FULL_BATCH_ADAM,
    KEEPS_WEIGHTS,
    LIMITS,
    LITERAL_SGD,
    OF_OPTIMIZERS,
    Experiment,
)
from mlcvkit.playground.widgets import Equation
from mlcvkit.training import OPTIMIZERS, SCHEDULES, text_of

SLIDES: dict[str, tuple[float, float, float]] = {
    "learning_rate": (-5, 2, 0.1),
    "hidden_units": (0, 9, 0.5),
    "depth": (1, 4, 1),
    "dropout": (0, 0.9, 0.05),
    "shift": (0, 6, 0.5),
    "rotation": (0, 45, 1),
    "elastic": (0, 3, 0.1),
}
"""Start, end and step of each slider; of the learning rate they are exponents of 10, of hidden units exponents of 2."""

ROWS: dict[str, Any] = {
    "activation": ACTIVATIONS,
    "initialization": INITIALIZATIONS,
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
}
"""The tables whose rows hold the equations of the choices."""

Changed = Callable[[str, Any], Awaitable[None]]


@cache
def texts(name: str) -> dict[str, Any]:
    """The texts of a file."""
    return tomllib.loads((files("mlcvkit.playground") / "texts" / f"{name}.toml").read_text(encoding="utf-8"))


@cache
def controls() -> dict[str, Any]:
    """The group, label and text of each control; an optimizer's hyperparameter that has none gets those of its row."""
    written = texts("controls")
    return written | {
        name: {
            "group": "More of the training",
            "label": name.replace("_", " ").capitalize(),
            "text": text_of(name),
            "equation": row.latex,
        }
        for row in reversed(ROWS["optimizer"].values())
        for name in {field.name for field in fields(row)} & OF_OPTIMIZERS.keys() - written.keys()
    }


def _starts_over(name: str, experiment: Experiment) -> str:
    if name not in KEEPS_WEIGHTS:
        return " · a change starts over"
    makes_another_kind = name in ("dropout", "l2") and experiment.changed(name, 0.0).is_nn2
    return " · a change to or from 0 starts over" if makes_another_kind else ""


class Controls:
    """One control for each setting; a visitor's change calls ``changed(name, value)``."""

    def __init__(self, experiment: Experiment, changed: Changed) -> None:
        self.changed = changed
        self.elements: dict[str, Any] = {}
        self.sliders: dict[str, Any] = {}
        self.boxes: dict[str, Any] = {}
        self.equations: dict[str, Equation] = {}
        self.summaries: dict[str, Any] = {}
        self.values = asdict(experiment)
        self.setting = False
        groups: dict[str, list[str]] = {}
        for name, control in controls().items():
            groups.setdefault(control["group"], []).append(name)
        ui.button("Settings").props("flat no-caps icon=tune").classes("sheet-handle")
        for index, (group, names) in enumerate(groups.items()):
            with ui.expansion(group, value=index == 0).classes(f"w-full group group-{index}"):
                for name in names:
                    self._control(name, controls()[name])
        self.show(experiment)

    def show(self, experiment: Experiment) -> None:
        """Show the settings of an experiment, without a call of ``changed``, and hide the controls without effect."""
        self.setting = True
        try:
            self.values = asdict(experiment)
            for name, box in self.boxes.items():
                box.visible = applies(name, experiment)
                self.equations[name].show(_equation_in(experiment, name))
                self.summaries[name].text = f"What it does{_starts_over(name, experiment)}"
            for name, element in self.elements.items():
                element.value = self.values[name]
            for name, slider in self.sliders.items():
                slider.value = _inside(name, self.values[name])
        finally:
            self.setting = False

    def _control(self, name: str, control: dict[str, Any]) -> None:
        label, value = control["label"], self.values[name]
        with ui.element("div").classes(f"control control-{name}") as box:
            self.boxes[name] = box
            if name in CHOICES:
                names = control.get("names", {})
                options = {choice: names.get(choice, choice.replace("_", " ")) for choice in CHOICES[name]}
                element: Any = ui.select(
                    options, value=value, label=label, on_change=lambda e: self._tell(name, e.value)
                )
                element.props("dense outlined options-dense").classes("w-full")
            else:
                element = self._number(name, label, value)
            with ui.element("details"):
                with ui.element("summary"):
                    self.summaries[name] = ui.label()
                ui.label(control["text"]).classes("explanation")
                self.equations[name] = Equation(_equation(name, value))
        self.elements[name] = element.mark(name)

    def _number(self, name: str, label: str, value: Any) -> Any:
        """A number field, for some settings with a slider, which screen readers skip."""
        low, high = LIMITS[name]
        with ui.element("div").classes("with-number" if name in SLIDES else "w-full"):
            if name in SLIDES:
                start, end, step = SLIDES[name]
                slider = ui.slider(min=start, max=end, step=step, value=_inside(name, value))
                slider.props('aria-hidden=true tabindex="-1" dense')
                slider.on("change", lambda e: self._tell(name, _outside(name, e.args)), throttle=0.1)
                slider.on("update:model-value", lambda e: self._dragged(name, _outside(name, e.args)), throttle=0.1)
                self.sliders[name] = slider
            element = ui.number(label, value=value, min=low, max=high)
            element.props("dense outlined debounce=500 step=any").classes("w-full")
            element.on_value_change(lambda e: self._tell(name, e.value))
            element.on("blur", lambda: self._filled(name))
        return element

    def _dragged(self, name: str, value: Any) -> None:
        """Show the value of a slider while it moves."""
        if isinstance(value, int | float) and LIMITS[name][0] <= value <= LIMITS[name][1]:
            self._set(name, value)

    def _set(self, name: str, value: Any) -> None:
        was, self.setting = self.setting, True
        self.elements[name].value = value
        self.setting = was

    def _filled(self, name: str) -> None:
        """Restore the value of a field that was left empty."""
        if self.elements[name].value is None:
            self._set(name, self.values[name])

    async def _tell(self, name: str, value: Any) -> None:
        known = isinstance(value, int | float | str) and not isinstance(value, bool) and len(str(value)) <= 40
        if self.setting or not known or value == self.values[name]:
            return
        await self.changed(name, value)


def applies(name: str, experiment: Experiment) -> bool:
    """Whether a setting has an effect in an experiment."""
    optimizer = experiment.optimizer
    if name in OF_OPTIMIZERS:
        row = ROWS["optimizer"].get("adam" if optimizer == FULL_BATCH_ADAM else optimizer)
        return row is not None and name in {field.name for field in fields(row)}
    only = {
        "samples": experiment.is_mnist,
        **dict.fromkeys(("shift", "rotation", "elastic"), experiment.has_images and optimizer in OPTIMIZERS),
        **dict.fromkeys(("batch_size", "schedule", "weight_decay"), optimizer in OPTIMIZERS),
        "epochs": optimizer not in (COORDINATE_SGD, LITERAL_SGD),
    }
    return only.get(name, True)


def _equation(name: str, value: Any) -> str:
    """The equation of a control or of its choice, in TeX."""
    if value in ROWS.get(name, {}):
        return str(ROWS[name][value].latex)
    control = controls()[name]
    return str(control["equations"][value] if "equations" in control else control["equation"])


def _equation_in(experiment: Experiment, name: str) -> str:
    """The equation of a control in an experiment, some of whose other settings change it."""
    if name == "loss" and experiment.outputs > 1 and experiment.loss == "cross_entropy":
        return str(LOSSES["categorical_cross_entropy"].latex)
    if name == "initialization" and experiment.initialization == "he":
        gain, activation = ACTIVATIONS[experiment.activation].gain, experiment.activation.replace("_", r"\ ")
        return rf"W \sim \mathcal{{N}}(0, g / K), \quad g = {gain:.3g}\ \mathrm{{for\ {activation}}}"
    if name == "weight_decay" and experiment.optimizer == "adamw":
        return str(OPTIMIZERS["adamw"].latex)
    if name == "beta1" and experiment.optimizer == "handout_adam":
        return str(OPTIMIZERS["handout_adam"].latex)
    return _equation(name, getattr(experiment, name))


def _inside(name: str, value: Any) -> Any:
    """A setting as the value of its slider."""
    if name == "learning_rate":
        return round(math.log10(value), 1)
    return round(2 * math.log2(value)) / 2 if name == "hidden_units" else value


def _outside(name: str, value: Any) -> Any:
    """The value of a slider as a setting; unchanged if it is not a number."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return value
    if name == "learning_rate":
        return float(f"{10 ** min(value, 10):.3g}")
    return round(2 ** min(value, 20)) if name == "hidden_units" else value
