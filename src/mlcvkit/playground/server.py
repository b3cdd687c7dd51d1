"""The server: its pages, who may come in, and what happens when a visitor leaves."""

import ipaddress
import logging
import re
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.resources import files

from fastapi import Request
from nicegui import app, background_tasks, core, run, ui
from nicegui.client import ClientConnectionTimeout
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from threadpoolctl import threadpool_limits

from mlcvkit.errors import InputError
from mlcvkit.playground.controls import texts
from mlcvkit.playground.experiments import Experiment
from mlcvkit.playground.house import Full, House, in_thread, keep_memory_together, when_gone
from mlcvkit.playground.networks import make_network
from mlcvkit.playground.page import Page, experiment_of

TITLE = "mlcvlab playground"
THEMES = {None: "Theme: as the system", True: "Theme: dark", False: "Theme: light"}
PING_SECONDS = 120
"""How long a page on a busy machine may take to answer before it counts as gone; a closed tab is noticed at once."""
PAGES = {"/": "Playground", "/race": "Race", "/parity": "Parity", "/own": "Your own code", "/guide": "Experiments"}


def serve(house: House, *, host: str = "127.0.0.1", port: int = 8080, show: bool = False) -> None:
    """Serve the playground until Ctrl-C; OSError where the port is taken."""
    from mlcvkit.playground.contests import own_code_page, parity_page, race_page

    app.add_middleware(_Door, only_local=_is_loopback(host))
    logging.getLogger("nicegui").addFilter(_one_line)
    ui.page("/", title=TITLE)(_visited("/", partial(_playground, house)))
    for path, build in {"/race": race_page, "/parity": parity_page, "/own": own_code_page}.items():
        ui.page(path, title=f"{PAGES[path]} - {TITLE}")(_visited(path, partial(build, house)))
    ui.page("/guide", title=f"{PAGES['/guide']} - {TITLE}")(_visited("/guide", _guides))
    app.on_startup(lambda: setattr(core.sio.eio, "ping_timeout", PING_SECONDS))
    app.on_startup(lambda: background_tasks.create(run.io_bound(_warm_up, house)))
    keep_memory_together()
    with threadpool_limits(1):  # a training has one processor, so that they do not wait for one another
        ui.run(
            host=host, port=port, title=TITLE, dark=None, reload=False, show=show, show_welcome_message=False,
            reconnect_timeout=5.0, uvicorn_logging_level="critical", endpoint_documentation="none",
        )  # fmt: skip


def _is_loopback(host: str) -> bool:
    """Whether an address or a name is this machine's, seen from itself alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class _Door:
    """Refuses requests under names of other machines that resolve to this one, and frames of other sites."""

    def __init__(self, app: ASGIApp, *, only_local: bool) -> None:
        self.app, self.only_local = app, only_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and self.only_local:
            given = Headers(scope=scope).get("host", "")
            if not _is_loopback(re.sub(r":\d+$", "", given)):
                refusal = PlainTextResponse("this page is for this machine alone: open it as localhost", 400)
                await refusal(scope, receive, send)
                return

        async def send_unframed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Frame-Options"] = "SAMEORIGIN"
                headers["Content-Security-Policy"] = "frame-ancestors 'self'"
            await send(message)

        await self.app(scope, receive, send_unframed)


def _one_line(record: logging.LogRecord) -> bool:
    """Say an error in a line with its place: a message that no page of ours sends is no defect to trace."""
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        *_, place = traceback.extract_tb(error.__traceback__) or [None]
        where = f" ({place.filename}, line {place.lineno})" if place is not None else ""
        record.msg, record.args = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}{where}", ()
        record.exc_info = record.exc_text = None
    return True


def _warm_up(house: House) -> None:
    """Load the compiled loops and MNIST, and train what the page opens on, so that no visitor waits for them."""
    house.trained_session().close()
    for experiment in (Experiment(hidden_units=1, samples=128), Experiment(data="xor", hidden_units=1)):
        network = make_network(replace(experiment, epochs=1, batch_size=128))
        network.fit(network.experiment)
    with suppress(InputError):
        house.found_submissions()


def _visited(path: str, build: Callable[[dict[str, str]], Awaitable[None]]) -> Callable[[Request], Awaitable[None]]:
    async def page(request: Request) -> None:
        query = dict(request.query_params)
        ui.add_css((files("mlcvkit.playground") / "page.css").read_text(encoding="utf-8"))
        _bar(path)
        client = ui.context.client
        with suppress(ClientConnectionTimeout):
            await client.connected()  # what takes time, and a visitor's place, is for who is really there
            if not client.is_deleted:
                await build(query)

    return page


def _bar(path: str) -> None:
    dark = ui.dark_mode(None)

    def turn() -> None:
        dark.value = {None: True, True: False, False: None}[dark.value]
        button.text = THEMES[dark.value]

    with ui.element("header").classes("bar"):
        ui.html("<h1>mlcvlab</h1>", sanitize=False)
        with ui.element("nav").classes("buttons").props('aria-label="Pages"'):
            for target, name in PAGES.items():
                link = ui.link(name, target)
                if target == path:
                    link.props('aria-current="page"')
        ui.space()
        button = ui.button(THEMES[None], on_click=turn).props("flat dense").mark("dark")


async def _playground(house: House, query: dict[str, str]) -> None:
    client = ui.context.client
    experiment, problem = experiment_of(query)
    if problem:
        ui.label(problem).classes("page").props("role=alert")
    try:
        house.enter(id(client))
    except Full as error:
        ui.label(str(error)).classes("page").props("role=alert")
        return
    client.on_delete(lambda: house.leave(id(client)))
    opening = not query
    session = await (in_thread(house.trained_session) if opening else in_thread(house.session, experiment))
    if client.is_deleted:
        return
    when_gone(client, session.close)
    Page(house, session, query.get("guide"), opening=opening).build()


async def _guides(query: dict[str, str]) -> None:
    with ui.element("div").classes("page"):
        for name, guide in texts("guide").items():
            ui.html(f"<h2>{guide['title']}</h2>", sanitize=False)
            ui.label(guide["text"][0])
            ui.link("Open this experiment", f"/?guide={name}")
