"""The playground as a real process, and a real browser in front of it."""

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from events import wait_for

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium") or "/usr/bin/chromium"
"""The first has no window, and none of the pages of which a window is made: the tests take a quarter less time."""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--js-flags=--no-opt --no-maglev",  # a page lives for seconds: to optimize its code takes longer than it saves
    # The first of these are pages of the browser's own, which each window begins, and without a screen again and again.
    # The others are those that Playwright would leave out, which its own list no longer does beside this one.
    "--disable-features=PreloadTopChromeWebUI,WebUIReloadButton,InitialWebUI,WebUIToolbar,HttpsUpgrades,PaintHolding,MediaRouter,OptimizationHints,LensOverlay,"
    "PreconnectToSearch,NetworkTimeServiceQuerying,AimEnabled,ThirdPartyStoragePartitioning",
]
PATIENCE = 240
"""Seconds that only a hang takes."""

NEEDS_CHROMIUM = pytest.mark.skipif(
    shutil.which(CHROMIUM) is None and os.environ.get("CI") != "true",
    reason="Chromium is not installed: apt install chromium-headless-shell",
)


def _text(path):
    try:
        return path.read_text().strip()
    except OSError:  # the thread has ended
        return ""


class Playground:
    """A server in a process of its own, on a free port, or on that of one that has ended."""

    def __init__(self, folder, *options, port="0"):
        self.said = (folder / "said.txt").open("w+")
        self.printed = folder / "printed.txt"
        command = [sys.executable, "-m", "mlcvkit", "play", "--no-open", "--port", port, *options]
        # NiceGUI serves otherwise where it finds itself in a test
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        environment["COLUMNS"] = "200"
        with self.printed.open("w") as printed:
            self.process = subprocess.Popen(command, cwd=folder, stdout=printed, stderr=self.said, env=environment)
        printed = re.compile(r"http://[\d.:\[\]]+:\d+")
        self.address = wait_for(lambda: printed.search(self.printed.read_text()), self.process)[0]
        wait_for(self._answers, self.process)

    def _answers(self):
        try:
            with urllib.request.urlopen(f"{self.address}/guide") as answer:
                return answer.status == 200
        except OSError:
            return False

    def stderr(self):
        """What it said on standard error."""
        self.said.seek(0)
        return self.said.read()

    @property
    def trainings(self):
        """How many threads train."""
        names = Path(f"/proc/{self.process.pid}/task").glob("*/comm")
        return sum(_text(name) == "training" for name in names)

    def end(self):
        """End it as Ctrl-C does."""
        self.process.terminate()
        self.process.wait()
        self.said.close()


_PAUSE = """[...document.querySelectorAll("button")].find((one) => one.textContent.trim() === "Pause")?.click()"""


class Visitor:
    """A page of the browser that keeps what goes wrong: errors in the console and requests to other hosts."""

    def __init__(self, page, address):
        self.page, self.address = page, address
        page.set_default_timeout(1000 * PATIENCE)
        self.errors, self.foreign = [], []
        self.listeners = {
            "console": lambda message: self.errors.append(message.text) if message.type == "error" else None,
            "pageerror": lambda error: self.errors.append(str(error)),
            "request": self._requested,
            "websocket": lambda socket: self._seen(socket.url),
        }
        for event, listener in self.listeners.items():
            page.on(event, listener)

    def leave(self):
        """Leave the page, which another visitor may then use: its training pauses, the browser's storage is emptied."""
        self.page.evaluate(_PAUSE)
        self.page.evaluate("localStorage.clear(), sessionStorage.clear()")
        self.page.goto("about:blank")
        for event, listener in self.listeners.items():
            self.page.remove_listener(event, listener)

    def _requested(self, request):
        self._seen(request.url)

    def _seen(self, url):
        own = self.address.removeprefix("http://")
        if not url.startswith((f"http://{own}", f"ws://{own}", "data:", "blob:")):
            self.foreign.append(url)

    def open(self, path="/"):
        """Go to a page and wait until it is alive."""
        self.page.goto(self.address + path)
        self.page.wait_for_selector(".columns, .page, [role=alert]")
        return self

    def press(self, name, **options):
        """Press a button with the keys: the mouse misses one that moves while the page unfolds."""
        self.page.get_by_role("button", name=name, exact=True, **options).first.press("Enter")

    @property
    def status(self):
        """The line that says how the training stands."""
        return self.page.locator(".message").first.text_content() or ""

    @property
    def steps(self):
        """How many steps are taken."""
        return int(re.search(r"step ([\d,]+)", self.status)[1].replace(",", ""))

    def wait_for_steps(self, more_than):
        """Wait until so many steps are taken."""
        self.wait(lambda: re.search(r"step ([\d,]+)", self.status) and self.steps > more_than)

    def wait(self, condition):
        """Wait until something holds; what it gives."""
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited in vain; {self.status!r}, {self.errors}"
            self.page.wait_for_timeout(50)
        return found

    def draw(self, *points, on="canvas.drawing-pad"):
        """A stroke with the mouse, through points from 0 to 1."""
        pad = self.page.locator(on)
        pad.scroll_into_view_if_needed()
        box = pad.bounding_box()
        at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        self.page.mouse.move(*at[0])
        self.page.mouse.down()
        for place in at[1:]:
            self.page.mouse.move(*place, steps=8)
        self.page.mouse.up()

    def choose(self, label, option):
        """Choose from a list, and wait until it is closed: it takes the focus, and what is typed then, until it is."""
        from playwright.sync_api import TimeoutError as NotYet

        field = self.page.get_by_label(label, exact=True).first
        chosen = self.page.get_by_role("option", name=option, exact=True)

        patience = 1000 * PATIENCE / 64

        def is_open():
            nonlocal patience
            field.click()  # which misses a list that moves while the page unfolds
            patience *= 2
            with suppress(NotYet):
                chosen.wait_for(timeout=patience)
                return True
            return False

        self.wait(is_open)
        chosen.click()
        chosen.wait_for(state="detached")


@contextmanager
def browser():
    """Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield chromium
        finally:
            chromium.close()
