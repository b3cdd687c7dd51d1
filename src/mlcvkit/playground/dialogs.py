"""The dialogs of the page."""

import json
import math
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from nicegui import ui

from mlcvkit.datasets import SIDE
from mlcvkit.playground import inspection
from mlcvkit.playground.experiments import IMAGES, Experiment
from mlcvkit.playground.files import saved_runs
from mlcvkit.playground.network_view import exciting
from mlcvkit.playground.networks import Network
from mlcvkit.playground.sessions import Session
from mlcvkit.playground.uploads import WHAT_IS_TAKEN
from mlcvkit.playground.widgets import FileDrop, PixelGrid, share, signed


async def show_link(query: str, experiment: Experiment) -> None:
    """Show the address that brings an experiment again."""
    address = json.dumps(f"?{query}")
    link = await ui.run_javascript(f"location.origin + location.pathname + {address}", timeout=60)

    async def copy() -> None:
        write = f"navigator.clipboard?.writeText({json.dumps(str(link))}).then(() => true, () => false) ?? false"
        done = await ui.run_javascript(write, timeout=60)
        ui.notify("Copied" if done else "This browser does not let a page copy: select the link, and copy it by key")

    with ui.dialog().props('aria-label="Link"') as dialog, ui.card():
        ui.label("This link opens the page with these settings.")
        if experiment.data == IMAGES:
            ui.label("Your images are on the server only, until it ends: on another one they must be brought again.")
        shown = ui.input("Link", value=str(link)).props("readonly outlined dense")
        shown.classes("w-full min-w-[18rem]").mark("link-text")
        with ui.element("div").classes("buttons"):
            ui.button("Copy", on_click=copy)
            ui.button("Close", on_click=dialog.close).props("flat")
    dialog.open()


def show_code(session: Session) -> None:
    """Show the command and the lines of Python that train the same."""
    experiment = session.experiment
    with ui.dialog().props('aria-label="Code"') as dialog, ui.card().classes("w-full"):
        ui.label("On the command line").classes("font-semibold")
        none = "# no command does this: save the run, or use the lines of Python"
        ui.code(experiment.command() or none, language="bash").classes("w-full").mark("command")
        ui.label("In Python").classes("font-semibold")
        ui.code(experiment.python(session.steps or 1000)).classes("w-full").mark("python")
        ui.label("Both begin with the initial weights, with these settings from the start.").classes("explanation")
        ui.button("Close", on_click=dialog.close).props("flat")
    dialog.open()


def save(runs: Path, save_as: Callable[[str], Awaitable[Any]]) -> None:
    """Ask for the name of a run, and save it; ``save_as`` returns its folder, or nothing."""

    async def save_run() -> None:
        folder = await save_as(str(name.value or ""))
        if folder:
            ui.notify(f"Saved to {folder}; mlcvlab evaluate {folder} measures it")
            dialog.close()

    with ui.dialog().props('aria-label="Save as a run"') as dialog, ui.card():
        ui.label(f"Save as a run in {runs}")
        name = ui.input("Name").props("outlined dense").mark("run-name")
        with ui.element("div").classes("buttons"):
            ui.button("Save", on_click=save_run).mark("save-run")
            ui.button("Close", on_click=dialog.close).props("flat")
    dialog.open()


def open_saved(runs: Path, take: Callable[[str], Awaitable[bool]]) -> None:
    """Ask for one of the saved runs, and take it."""

    async def open_run() -> None:
        if await take(str(chosen.value)):
            dialog.close()

    names = saved_runs(runs)
    with ui.dialog().props('aria-label="Open a run"') as dialog, ui.card():
        if not names:
            ui.label(f"There are no runs in {runs}: train one with mlcvlab train, or save one here.")
        chosen = ui.select(names, label="Run", value=names[0] if names else None).props("outlined dense")
        chosen.classes("min-w-[14rem]").mark("run-choice")
        with ui.element("div").classes("buttons"):
            ui.button("Open", on_click=open_run).mark("open-run")
            ui.button("Close", on_click=dialog.close).props("flat")
    dialog.open()


def bring(take: Callable[[Mapping[str, Any]], Awaitable[None]]) -> None:
    """Ask for data of the visitor's, and take what the server made of them."""

    async def brought(uploaded: Any) -> None:
        if isinstance(uploaded, dict):
            dialog.close()
            await take(uploaded)

    with ui.dialog().props('aria-label="Your own data"') as dialog, ui.card():
        ui.label(WHAT_IS_TAKEN)
        FileDrop(brought)
        ui.label("Your data stay on the computer that serves this page; points are also part of the link.")
        ui.button("Close", on_click=dialog.close).props("flat")
    dialog.open()


def show_unit(network: Network, layer: int, unit: int) -> bool:
    """Show a large picture of a unit and what excites it; False if it belongs to a network that was replaced."""
    if layer >= network.experiment.depth or unit >= network.experiment.hidden_units:
        return False
    images, found = network.experiment.has_images, exciting(network, layer, unit)
    side = SIDE if images else inspection.UNIT_GRID
    with ui.dialog().props('aria-label="A hidden unit"') as dialog, ui.card().classes("unit-card"):
        of = f" of layer {layer + 1}" if network.experiment.depth > 1 else ""
        ui.html(f"<h2>Hidden unit {unit + 1}{of}</h2>", sanitize=False)
        if layer == 0:
            seen = "white" if inspection.is_bright(network) else "ink"
            what = f"Its weights: it fires for {seen} where they are red, and not for {seen} where they are blue."
            ui.label(what if images else "Its activation over the plane: red is positive, blue is negative.")
            picture = inspection.unit_pictures(network, [unit])[0].pixels[None]
            large = PixelGrid("The unit in large", "220px").style("max-width: 240px")
            large.begin_with(side, picture, [("", f"Hidden unit {unit + 1}")])
        looked_at = f"{network.train[0].shape[1]:,}"
        fires = f"It fires for {share(found.share, 0)} of the training samples looked at, {looked_at}."
        if inspection.is_always_positive(network):
            fires = f"Its activation is {found.mean:.2f} on average, over {looked_at} training samples."
        ui.label(f"{fires} {_weights_of(network, layer, unit)}")
        if images and found.share:
            ui.label(f"The training images that excite it most, of {looked_at}:")
            pixels = inspection.as_bytes(network.train[0][:, found.columns].T)
            captions = [(f"{fires:.1f}", f"fires {fires:.2f}") for fires in found.fires]
            PixelGrid("The images that excite it most", "52px").begin_with(side, pixels, captions)
        ui.button("Close", on_click=dialog.close).props("flat")
    dialog.open()
    return True


def _weights_of(network: Network, layer: int, unit: int) -> str:
    """A sentence with the weights of a unit to the classes, if its layer is the last."""
    W = network.mlp.pairs(network.mlp.W)[layer + 1][0][:, unit]
    names = network.class_names
    is_last = layer + 1 == network.experiment.depth
    towards = (names[-1:] if len(W) == 1 else names) if is_last else []
    weights = ", ".join(f"to {name} {signed(float(w), 2)}" for name, w in zip(towards, W, strict=False))
    return f"Its weight{'s' if len(towards) > 1 else ''} {weights}." if towards else ""


def change_weight(
    network: Network,
    place: tuple[int, int, int],
    change: Callable[[float], Awaitable[None]],
    close: Callable[[], object],
) -> ui.dialog | None:
    """Let a weight be changed by hand; None if it belongs to a network that was replaced.

    Parameters: ``place``, its layer, and the numbers of the units that it leads to and comes from.
    """
    layer, to, from_ = place
    pairs = network.mlp.pairs(network.mlp.W)
    if layer >= len(pairs) or to >= len(pairs[layer][0]) or from_ >= pairs[layer][0].shape[1]:
        return None
    W = pairs[layer][0]
    most = float(max(10, math.ceil(3 * np.abs(W).max())))
    accepted = round(float(W[to, from_]), 3)

    async def changed(value: Any) -> None:
        nonlocal accepted
        if not isinstance(value, int | float) or value == accepted:
            return
        if abs(value) <= most:
            accepted = float(value)
            await change(accepted)
        else:
            ui.notify(f"A weight may be from {-most:g} to {most:g} here", type="negative")
            number.value = accepted

    with ui.dialog().props('seamless position=bottom aria-label="A weight"') as dialog, ui.card().classes("edge-card"):
        source = f"hidden unit {from_ + 1}" if layer else f"x{from_ + 1}"
        names = network.class_names
        target = (names[-1] if len(W) == 1 else names[to]) if layer + 1 == len(pairs) else f"hidden unit {to + 1}"
        ui.label(f"The weight from {source} to {target}; watch the answer and the loss").classes("font-semibold")
        number = ui.number(
            "Weight", value=accepted, step=0.1
        )  # which would apply the limit in place of what it refuses
        number.props("dense outlined debounce=300").mark("weight")
        ui.slider(min=-most, max=most, step=0.01).bind_value(number).props('aria-label="Weight" label')
        number.on_value_change(lambda event: changed(event.value))
        ui.button("Close", on_click=close).props("flat")
    dialog.open()
    return dialog
