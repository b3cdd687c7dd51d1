"""Many visitors of the playground who train at the same time: how often each page is updated, and what they leave.

    python benchmarks/visitors.py [--visitors 20] [--seconds 120]

Each visitor fetches the page, holds the page's own connection, presses Start, and counts in how many of the seconds the
line that says how the training stands was changed. The networks and data are of different kinds. The result is written
to benchmarks/visitors.json.
"""

import argparse
import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import aiohttp
import psutil
import socketio

QUERIES = ("", "data=moons&epochs=2000", "data=mnist", "hidden_units=256", "data=spirals&depth=3&epochs=2000")


class Visitor:
    """One page, without a browser around it."""

    def __init__(self, address: str, query: str, seconds: int) -> None:
        self.address, self.query = address, query
        self.told = [0] * (seconds + 2)
        self.status = ""
        self.start: dict[str, object] | None = None
        self.began = float("inf")

    async def enter(self, http: aiohttp.ClientSession) -> None:
        """Fetch the page and open its connection."""
        async with http.get(f"{self.address}/?{self.query}") as response:
            text = await response.text()
        self.client_id = re.search(r"""client_id['"]:\s*['"]([0-9a-f-]{36})""", text)[1]
        self.socket = socketio.AsyncClient(reconnection=False)
        self.socket.on("*", self.message)
        query = {"client_id": self.client_id, "tab_id": uuid.uuid4(), "document_id": uuid.uuid4(), "next_message_id": 0}
        query["implicit_handshake"] = "true"
        url = f"{self.address}?{'&'.join(f'{name}={value}' for name, value in query.items())}"
        await self.socket.connect(url, socketio_path="/_nicegui_ws/socket.io", transports=["websocket"])

    async def message(self, event: str, data: object = None) -> None:
        """Look for the Start button, and for the line that says how the training stands."""
        if event != "update" or not isinstance(data, dict):
            return
        for key, element in data.items():
            if not isinstance(element, dict):
                continue
            if (element.get("props") or {}).get("label") == "Start" and element.get("events"):
                listener = element["events"][0]["listener_id"]
                self.start = {"id": int(key), "client_id": self.client_id, "listener_id": listener, "args": []}
            text = str((element.get("props") or {}).get("first", ""))
            if "validation accuracy" in text and text != self.status:
                self.status = text
                if time.monotonic() >= self.began:
                    self.told[min(int(time.monotonic() - self.began), len(self.told) - 1)] += 1

    async def press_start(self) -> None:
        """Wait until the button is there, and press it."""
        while self.start is None:
            await asyncio.sleep(0.05)
        self.began = time.monotonic()
        await self.socket.emit("event", self.start)


def memory(server: subprocess.Popen[bytes]) -> float:
    """The resident memory of the server in MB."""
    return psutil.Process(server.pid).memory_info().rss / 1e6


async def visit(server: subprocess.Popen[bytes], address: str, count: int, seconds: int) -> dict[str, object]:
    """Let this many visitors train for this long."""
    async with aiohttp.ClientSession() as http:
        visitors = [Visitor(address, QUERIES[number % len(QUERIES)], seconds) for number in range(count)]
        for visitor in visitors:
            await visitor.enter(http)
        await asyncio.gather(*(visitor.press_start() for visitor in visitors))
        await asyncio.sleep(seconds)
        most, threads = memory(server), psutil.Process(server.pid).num_threads()
        for visitor in visitors:
            await visitor.socket.disconnect()
    seen = [visitor.told[1:seconds] for visitor in visitors]
    return {
        "updates a second": [round(sum(told) / len(told), 2) for told in seen],
        "seconds without one": [told.count(0) for told in seen],
        "failed": [visitor.status for visitor in visitors if visitor.status.startswith("failed")],
        "finished": sum(visitor.status.startswith("finished") for visitor in visitors),
        "memory (MB)": round(most),
        "threads": threads,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=120)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        printed = Path(folder) / "printed.txt"
        command = [sys.executable, "-m", "mlcvkit", "play", "--no-open", "--port", "0"]
        with printed.open("w") as output, (Path(folder) / "said.txt").open("w") as said:
            server = subprocess.Popen(command, cwd=folder, stdout=output, stderr=said)
        try:
            while not (found := re.search(r"http://\S+:\d+", printed.read_text())):
                time.sleep(0.2)
            time.sleep(8)
            rounds = []
            for seconds in (15, options.seconds):  # the first brings what stays: the data, the compiled loops
                before, threads = memory(server), psutil.Process(server.pid).num_threads()
                result = asyncio.run(visit(server, found[0], options.visitors, seconds))
                time.sleep(15)
                after = {"memory after (MB)": round(memory(server))}
                after["threads after"] = psutil.Process(server.pid).num_threads()
                rounds.append({"memory before (MB)": round(before), "threads before": threads, **result, **after})
                print(json.dumps(rounds[-1]), flush=True)
            print((Path(folder) / "said.txt").read_text()[:500])
        finally:
            server.terminate()
            server.wait()
    result = {"visitors": options.visitors, "seconds": options.seconds, "warm-up": rounds[0], "measured": rounds[1]}
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
