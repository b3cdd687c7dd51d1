"""Standard output and error that never stop a command: what cannot be written is dropped and reported at the end."""

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO


class Output:
    """A stream that drops what its file does not take, because the reader is gone or the disk is full.

    Characters that the file's encoding does not have are replaced. ``error`` is why writing stopped, None if it did
    not.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.error: Exception | None = None
        self.is_closed = stream is None
        if stream is None:  # it was closed before the command began
            self.stream: TextIO = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        else:
            self.stream = stream
            with suppress(AttributeError):  # not a file
                stream.reconfigure(errors="replace")  # type: ignore[attr-defined]

    def write(self, text: str) -> int:
        """Write a text, and return its length, written or dropped."""
        self._unless_it_failed(lambda: self.stream.write(text))
        return len(text)

    def write_data(self, data: bytes) -> None:
        """Write the result of a command as it is, whatever the encoding of the console."""
        self.flush()
        if self.is_closed:
            self.error = OSError(errno.EBADF, os.strerror(errno.EBADF))
        self._unless_it_failed(lambda: self.stream.buffer.write(data))

    def flush(self) -> None:
        """Write what is held back."""
        self._unless_it_failed(lambda: self.stream.flush())

    def _unless_it_failed(self, work: Callable[[], object]) -> None:
        if self.error is None:
            try:
                work()
            except (OSError, ValueError) as error:
                self.error = error

    def close_quietly(self) -> None:
        """Leave nothing that the interpreter could fail to write at its end."""
        self.flush()
        if self.error is not None:
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def guard() -> tuple[Output, Output]:
    """Put guarded streams in the place of standard output and error."""
    streams: Any = Output(sys.stdout), Output(sys.stderr)
    sys.stdout, sys.stderr = streams
    return streams  # type: ignore[no-any-return]
