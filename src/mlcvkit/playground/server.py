"""The server: its pages, which requests it refuses, and what happens when a visitor comes or leaves."""

import ipaddress
import logging
import re
import traceback
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from importlib.resources import files

from fastapi import Request
from fastapi.responses import JSONResponse, RedirectResponse
from nicegui import app, background_tasks, core, run, ui
from nicegui.client import ClientConnectionTimeout
from starlette.datastructures import Headers, MutableHeaders, UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from threadpoolctl import threadpool_limits

from mlcvkit.errors import InputError, first_line
from mlcvkit.playground.controls import texts
from mlcvkit.playground.experiments import Experiment
from mlcvkit.playground.files import open_run
from mlcvkit.playground.limits import OPENING_STEPS, Limits, TooManyVisitors, in_thread, share_memory_arenas, when_gone
from mlcvkit.playground.networks import make_network
from mlcvkit.playground.page import Page, experiment_of
from mlcvkit.playground.sessions import Session
from mlcvkit.playground.uploads import MOST_BYTES, MOST_IMAGES, take

TITLE = "mlcvlab playground"
THEMES = {None: "Theme: system", True: "Theme: dark", False: "Theme: light"}
PRIMARY = "#2b6cb0"
"""The colour of buttons: white on it, and it on white, have a contrast of 5.4."""
PING_SECONDS = 120
"""Seconds without an answer after which a page counts as gone; a closed tab is noticed at once."""
PAGES = {"/": "Playground", "/race": "Race", "/own": "Your own code", "/guide": "Experiments"}
NAME_OF_SERVER = uuid.uuid4().hex
"""What tells a tab that its page comes from another process than before."""
SOCKETS_OF_AN_ADDRESS = 3
"""Connections that one address of the network may hold, for each place of the playground."""


def serve(limits: Limits, *, host: str = "127.0.0.1", port: int = 8080, show: bool = False) -> None:
    """Serve the playground until Ctrl-C; OSError if the port is taken."""
    from mlcvkit.playground.races import own_code_page, race_page

    most_sockets = SOCKETS_OF_AN_ADDRESS * limits.most_visitors
    app.add_middleware(_Guard, only_local=_is_loopback(host), most_sockets=most_sockets)
    logging.getLogger("nicegui").addFilter(_one_line)
    ui.page("/", title=TITLE)(_visited("/", partial(_playground, limits)))
    for path, build in {"/race": race_page, "/own": own_code_page}.items():
        ui.page(path, title=f"{PAGES[path]} - {TITLE}")(_visited(path, partial(build, limits)))
    ui.page("/guide", title=f"{PAGES['/guide']} - {TITLE}")(_visited("/guide", _guides))
    app.post("/bring")(_bring)
    app.get("/parity")(lambda: RedirectResponse("/?data=mnist"))  # a page of earlier versions
    app.on_startup(lambda: setattr(core.sio.eio, "ping_timeout", PING_SECONDS))
    app.on_startup(lambda: background_tasks.create(run.io_bound(_warm_up, limits)))
    share_memory_arenas()
    with threadpool_limits(1):  # each training uses one processor, so that they do not wait for one another
        ui.run(
            host=host, port=port, title=TITLE, dark=None, reload=False, show=show, show_welcome_message=False,
            reconnect_timeout=5.0, uvicorn_logging_level="critical", endpoint_documentation="none",
        )  # fmt: skip


def _is_loopback(host: str) -> bool:
    """Whether an address or a name is that of this machine, as seen from itself only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class _Guard:
    """Refuses other names that resolve to this machine, frames of other sites, and too many connections."""

    def __init__(self, app: ASGIApp, *, only_local: bool, most_sockets: int) -> None:
        self.app, self.only_local, self.most_sockets = app, only_local, most_sockets
        self.sockets: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and self.only_local:
            given = Headers(scope=scope).get("host", "")
            if not _is_loopback(re.sub(r":\d+$", "", given)):
                refusal = PlainTextResponse("this page is for this machine only: open it as localhost", 400)
                await refusal(scope, receive, send)
                return
        if scope["type"] == "websocket":
            await self._connected(scope, receive, send)
            return

        async def send_unframed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Frame-Options"] = "SAMEORIGIN"
                headers["Content-Security-Policy"] = "frame-ancestors 'self'"
            await send(message)

        await self.app(scope, receive, send_unframed)

    async def _connected(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = (scope.get("client") or ("",))[0]
        if self.sockets[address] >= self.most_sockets:
            await send({"type": "websocket.close", "code": 1013, "reason": "too many connections"})
            return
        self.sockets[address] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.sockets[address] -= 1


def _one_line(record: logging.LogRecord) -> bool:
    """Log an error in one line with its place: a message that our pages never send needs no traceback."""
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        *_, place = traceback.extract_tb(error.__traceback__) or [None]
        where = f" ({place.filename}, line {place.lineno})" if place is not None else ""
        record.msg, record.args = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}{where}", ()
        record.exc_info = record.exc_text = None
    return True


def _warm_up(limits: Limits) -> None:
    """Load the compiled loops and MNIST, and train what the page opens on, before the first visitor needs them."""
    limits.trained_session().close()
    for experiment in (Experiment(hidden_units=1, samples=128), Experiment(data="xor", hidden_units=1)):
        network = make_network(replace(experiment, epochs=1, batch_size=128))
        network.fit(network.experiment)
    with suppress(InputError):
        limits.found_submissions()


def _visited(path: str, build: Callable[[dict[str, str]], Awaitable[None]]) -> Callable[[Request], Awaitable[None]]:
    async def page(request: Request) -> None:
        query = dict(request.query_params)
        ui.add_css((files("mlcvkit.playground") / "page.css").read_text(encoding="utf-8"))
        ui.colors(primary=PRIMARY)
        ui.add_head_html('<script>document.documentElement.lang = "en"</script>')
        show_theme = _bar(path)
        client = ui.context.client
        with suppress(ClientConnectionTimeout):
            await client.connected()  # slow work and places are for visitors who are really there
            if not client.is_deleted:
                show_theme(app.storage.tab.get("is_dark"))
                await build(query)

    return page


def _bar(path: str) -> Callable[[bool | None], None]:
    """The bar at the top. What is returned sets the theme, which a tab keeps from page to page."""
    dark = ui.dark_mode(None)

    def show(is_dark: bool | None) -> None:
        dark.value, button.text = is_dark, THEMES[is_dark]

    def turn() -> None:
        is_dark = {None: True, True: False, False: None}[dark.value]
        app.storage.tab["is_dark"] = is_dark
        show(is_dark)

    with ui.element("header").classes("bar"):
        ui.html("<h1>mlcvlab</h1>", sanitize=False)
        with ui.element("nav").classes("buttons").props('aria-label="Pages"'):
            for target, name in PAGES.items():
                link = ui.link(name, target)
                if target == path:
                    link.props('aria-current="page"')
        ui.space()
        button = ui.button(THEMES[None], on_click=turn).props("flat dense").mark("dark")
    return show


_IS_ANOTHER_SERVER = f"""(() => {{
    const before = sessionStorage.getItem('mlcvlab-server');
    sessionStorage.setItem('mlcvlab-server', '{NAME_OF_SERVER}');
    return before !== null && before !== '{NAME_OF_SERVER}';
}})()"""


async def _bring(request: Request) -> JSONResponse:
    """Take files of a visitor: points or images are made of them."""
    if request.headers.get("x-requested-with") != "mlcvlab":  # other sites cannot send this header
        return JSONResponse({"error": "this is for the page only"}, 403)
    size = request.headers.get("content-length", "")
    if not size.isdecimal() or int(size) > 1.2 * MOST_BYTES:
        return JSONResponse({"error": f"at most {MOST_BYTES // 1_000_000} MB can be brought"}, 413)
    try:
        async with request.form(max_files=2 * MOST_IMAGES + 1, max_fields=2 * MOST_IMAGES + 1) as form:
            files = [part for part in form.getlist("file") if isinstance(part, UploadFile)]
            names = [str(name) for name in form.getlist("path")]
            given = [(name, await file.read()) for name, file in zip(names, files, strict=False)]
            axes = [str(column) for column in form.getlist("axis")][:2]
        return JSONResponse(asdict(await in_thread(take, given, axes)))
    except InputError as error:
        return JSONResponse({"error": str(error)})
    except HTTPException as error:  # what is sent is no form, or has too many parts
        return JSONResponse({"error": str(error.detail)}, error.status_code)
    except Exception as error:  # a fault of the server's, which the page says instead of nothing
        logging.getLogger(__name__).exception("data could not be taken")
        return JSONResponse({"error": f"the server failed on them: {type(error).__name__}: {first_line(error)}"}, 500)


async def _playground(limits: Limits, query: dict[str, str]) -> None:
    client = ui.context.client
    try:
        limits.enter(id(client), client.tab_id)
    except TooManyVisitors as error:
        ui.label(str(error)).classes("page").props("role=alert")
        return
    client.on_delete(lambda: limits.leave(id(client)))
    begins = query.pop("begin", "")  # a link that begins anew, and does so once
    tab, is_opening = str(client.tab_id), not query
    session, problem = await in_thread(_session, limits, tab, query, bool(begins))
    if problem:
        ui.label(problem).classes("page").props("role=alert")
    if client.is_deleted:
        return
    when_gone(client, await in_thread(limits.show, tab, id(client), session))
    base: dict[str, str] = {name: query[name] for name in ("guide", "run") if name in query and not problem}
    is_opening = is_opening and not problem and session.steps == OPENING_STEPS
    Page(limits, session, tab, base, is_opening=is_opening).build()
    if begins:
        ui.run_javascript("history.replaceState(null, '', location.href.replace(/[?&]begin=[^&]*/, ''))")
    with suppress(TimeoutError):
        if await ui.run_javascript(_IS_ANOTHER_SERVER, timeout=60):
            ui.notify("The playground has been started anew since, without this tab's weights: it begins again")


def _session(limits: Limits, tab: str, query: dict[str, str], begins_anew: bool) -> tuple[Session, str]:
    """The training for an address, and what is wrong with the address.

    It is the one that the tab showed before, if that has the same settings and the link does not begin anew.
    """
    network, problem = None, ""
    if "run" in query:
        try:
            network = open_run(limits.runs, query["run"])
        except (InputError, OSError) as error:
            problem = f"The link cannot be used: {error}"
    experiment, wrong = experiment_of(query, network.experiment if network is not None else None)
    problem = problem or wrong
    base: dict[str, str] = {name: query[name] for name in ("guide", "run") if name in query}
    earlier = None if begins_anew else limits.session_of(tab, experiment if query else None, base)
    if earlier is not None and not problem:
        if query:
            earlier.change(experiment)  # the way back after a change that keeps the weights
        return earlier, ""
    if not query:
        return limits.trained_session(), ""
    try:
        session = limits.session(experiment if network is None else network)
        session.change(experiment)
    except InputError as error:  # such as images that the server does not have any more
        return limits.trained_session(), f"The link cannot be used: {error}"
    return session, problem


async def _guides(query: dict[str, str]) -> None:
    with ui.element("div").classes("page"):
        for name, guide in texts("guide").items():
            ui.html(f"<h2>{guide['title']}</h2>", sanitize=False)
            ui.label(guide["text"][0])
            ui.link("Open this experiment", f"/?guide={name}&begin=1")
