"""Ctrl-C, SIGTERM and SIGHUP end a training once, and never interrupt what is being saved."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mlcvkit.training import Callback, Run

SIGNALS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


class Interrupts:
    """Raises KeyboardInterrupt at the first signal, and once more after everything was saved."""

    def __init__(self) -> None:
        self.saved = False
        self.name = "Ctrl-C"
        """The name of the signal."""
        self._may_raise = True
        self._waiting = False
        self._saving = False

    @property
    def came(self) -> bool:
        """Whether there was a signal."""
        return self._waiting or not self._may_raise

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        if not self.came and number != signal.SIGINT:
            self.name = signal.Signals(number).name
        if self._saving:
            self._waiting = True
        elif self._may_raise:
            self._may_raise = False
            raise KeyboardInterrupt

    def hold(self) -> None:
        """Delay signals from now on, until something is saved."""
        self._saving = True

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Save something: a signal is delayed until that is done, and ends what comes after it."""
        self.hold()
        try:
            yield
        except BaseException:
            self._saving = False
            raise
        self._saving, self.saved, self._may_raise = False, True, not self._waiting
        if self._waiting:
            raise KeyboardInterrupt


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Handle the signals during the block, if this is the main thread.

    After the first, the command is about to end, and others are ignored.
    """
    handler = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield handler
        return
    taken = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # nohup ignores SIGHUP
    before = {number: signal.signal(number, handler.handle) for number in taken}
    try:
        yield handler
    finally:
        for number, earlier in before.items():
            signal.signal(number, signal.SIG_IGN if handler.came else earlier)


class EndBySignals(Callback):
    """A signal ends the training; after its end signals are delayed until it is saved."""

    def __init__(self, handler: Interrupts) -> None:
        self.handler = handler

    def on_batch(self, samples: int) -> None:
        """End the training after a signal."""
        if self.handler.came:  # where the exception was lost in code that is called from outside of Python
            raise KeyboardInterrupt

    def on_end(self, run: Run) -> None:
        """Delay signals."""
        self.handler.hold()
