"""Ctrl-C, SIGTERM and SIGHUP: each ends a training once, and none of them what is being saved."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


class Interrupts:
    """Raises KeyboardInterrupt at the first of the signals, and once more after what there is was saved."""

    def __init__(self) -> None:
        self.saved = False
        self.name = "Ctrl-C"
        """What the signal that came is called."""
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
        """Let signals wait from now on, until something is saved."""
        self._saving = True

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Save something: a signal waits until that is done, and ends what comes after it."""
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
    """Handle the signals for the time of the block, where this is the main thread.

    After one came, the command is about to end, and more of them are ignored.
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
