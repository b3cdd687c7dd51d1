"""mlcvlab report and mlcvlab play."""

import socket
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.markup import escape
from rich.progress import track

from mlcvkit.cli.app import console, print_json
from mlcvkit.errors import InputError
from mlcvkit.extras import require


def report(
    run: Path,
    data: str | None = None,
    /,
    *,
    target: str | None = None,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    json: bool = False,
) -> int:
    """Write a page about a run or a study: report.html, which needs nothing else, and its pictures as PNG files.

    Needs the extra mlcvlab[report].

    Parameters
    ----------
    run
        A folder that mlcvlab train, tune or sweep wrote.
    data
        Data to measure a run on; by default the rows that its training held out.
    target
        For .npy and IDX data the file of its labels.
    output
        Folder for the page; by default that of the run.
    json
        Print the place as JSON, and nothing else.
    """
    require("report")
    from mlcvkit.report import report_on, write_report

    console.quiet = json
    title, lead, parts = report_on(run, data, target)
    folder = output or (run if run.is_dir() else run.parent)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the output folder {folder} cannot be made: {error.strerror}") from None
    seen = track(parts, description="Looking", console=console, transient=True, total=None)
    place = write_report(folder, title, lead, seen)
    console.print(lead)
    console.print(f"Written to [bold]{escape(str(place))}[/bold]")
    print_json(json, {"file": str(place), "summary": lead})
    return 0


def play(
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    runs: Path = Path("runs"),
    submissions: Path = Path(),
    visitors: int = 24,
    minutes: float = 10,
    open: bool = True,
) -> int:
    """Open the playground in the browser: set up a network, watch it learn, draw for it, and look into it.

    Everything is served by this machine, to this machine alone unless --host says otherwise. Ctrl-C ends it. Needs the
    extra mlcvlab[play].

    Parameters
    ----------
    host
        The address to listen on; 0.0.0.0 lets in whoever reaches this machine.
    port
        The port; 0 for any that is free.
    runs
        Folder in which runs are saved and opened.
    submissions
        Folder in which students' homework is looked for, for the page on which one's own code trains.
    visitors
        The most visitors at the same time.
    minutes
        How long one training may compute.
    open
        Whether to open the browser.
    """
    require("play")
    if visitors < 1 or not 0 < minutes < 10_000:
        raise InputError(f"visitors must be 1 or more, and minutes above 0; got {visitors} and {minutes:g}")
    port = _free_port(host, port)
    from mlcvkit.playground import Limits, serve

    limits = Limits(runs, submissions, most_visitors=visitors, most_seconds=60 * minutes)
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    address = f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"
    console.print(f"The playground is at [bold]{escape(address)}[/bold]; Ctrl-C ends it")
    serve(limits, host=host, port=port, show=open)
    return 0


def _free_port(host: str, port: int) -> int:
    """The port, or a free one for 0; InputError if it cannot be listened on."""
    if not 0 <= port <= 65_535:
        raise InputError(f"port must be from 0 to 65535; got {port}")
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host, port))
            return int(tried.getsockname()[1])
    except (OSError, OverflowError) as error:
        raise InputError(f"{host}, port {port}, cannot be listened on: {error}; choose another --port") from None
