"""How progress reaches whoever started a command: one small interface, and silent and plain forms of it."""

import sys
import time
from datetime import timedelta
from typing import Protocol, TextIO

_PROGRESS_EVERY = 5.0


class Reporter(Protocol):
    """Receives what happens, in order; every method returns at once."""

    def say(self, server: str, message: str) -> None:
        """Something happened at `server`."""
        ...

    def warn(self, server: str, message: str) -> None:
        """Something at `server` needs the operator's attention but does not stop the work."""
        ...

    def copied(self, server: str, rows: int, of_rows: int, size: int, seconds: float) -> None:
        """`rows` of about `of_rows` rows, `size` bytes of statements, have arrived at `server` in so many seconds."""
        ...

    def compared(self, server: str, rows: int, of_rows: int) -> None:
        """`rows` of about `of_rows` rows of `server` have been compared."""
        ...

    def close(self) -> None:
        """Nothing more will come."""
        ...


class SilentReporter:
    """Drops everything."""

    def say(self, server: str, message: str) -> None: ...

    def warn(self, server: str, message: str) -> None: ...

    def copied(self, server: str, rows: int, of_rows: int, size: int, seconds: float) -> None: ...

    def compared(self, server: str, rows: int, of_rows: int) -> None: ...

    def close(self) -> None: ...


class PlainReporter:
    """One line for each event, with the seconds since the start; progress every few seconds."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._started = time.monotonic()
        self._shown: dict[str, float] = {}

    def say(self, server: str, message: str) -> None:
        print(f"{time.monotonic() - self._started:7.1f}s  {server}: {message}", file=self._stream, flush=True)

    def warn(self, server: str, message: str) -> None:
        self.say(server, f"warning: {message}")

    def copied(self, server: str, rows: int, of_rows: int, size: int, seconds: float) -> None:
        self._progress(server, progress_text(rows, of_rows, size, seconds))

    def compared(self, server: str, rows: int, of_rows: int) -> None:
        self._progress(server, compared_text(rows, of_rows))

    def _progress(self, server: str, message: str) -> None:
        now = time.monotonic()
        if now - self._shown.get(server, self._started) >= _PROGRESS_EVERY:
            self._shown[server] = now
            self.say(server, message)

    def close(self) -> None: ...


def progress_text(rows: int, of_rows: int, size: int, seconds: float) -> str:
    """One line about a copy that is under way; the row total, and so the time that is left, is an estimate."""
    done = f"copied {rows:,} of about {max(of_rows, rows):,} rows, {size / 1e6:,.1f} MB sent"
    if seconds <= 0 or not rows:
        return done
    left = timedelta(seconds=round(max(of_rows - rows, 0) * seconds / rows))
    return f"{done}, {size / 1e6 / seconds:,.1f} MB/s, about {left} left for rows"


def compared_text(rows: int, of_rows: int) -> str:
    """One line about a comparison that is under way; the row total is the server's estimate."""
    return f"compared {rows:,} of about {max(of_rows, rows):,} rows"
