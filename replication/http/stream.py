"""Server-sent events: what happens, and each status that differs from the one before, to every page that is open."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from replication.http import views
from replication.telling import Event, Report
from replication.watcher import Watcher

_REMEMBERED = 50
# A reader that is further behind than this is cut off, and connects again.
_MOST_WAITING = 200
_KEEP_ALIVE = 15.0


class Broadcast:
    """Takes what a watcher tells and hands it to any number of readers."""

    def __init__(self, watcher: Watcher) -> None:
        self._readers: set[asyncio.Queue[bytes | None]] = set()
        self._events: deque[bytes] = deque(maxlen=_REMEMBERED)
        self._status = b""
        watcher.on_event(self._happened)
        watcher.on_report(self._reported)

    async def messages(self) -> AsyncIterator[bytes]:
        """What happened last, then whatever happens, and a comment now and then to keep the connection."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_MOST_WAITING)
        for message in (*self._events, *filter(None, [self._status])):
            queue.put_nowait(message)
        self._readers.add(queue)
        try:
            while True:
                try:
                    async with asyncio.timeout(_KEEP_ALIVE):
                        message_or_end = await queue.get()
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if message_or_end is None:
                    return
                yield message_or_end
        finally:
            self._readers.discard(queue)

    def close(self) -> None:
        """End all readers."""
        for queue in self._readers:
            _cut_off(queue)

    def _happened(self, event: Event) -> None:
        message = _message("event", views.event(event))
        self._events.append(message)
        self._send(message)

    def _reported(self, report: Report) -> None:
        message = _message("status", views.status(report))
        if message != self._status:
            self._status = message
            self._send(message)

    def _send(self, message: bytes) -> None:
        for queue in list(self._readers):
            if queue.full():
                _cut_off(queue)
                self._readers.discard(queue)
            else:
                queue.put_nowait(message)


def _cut_off(queue: asyncio.Queue[bytes | None]) -> None:
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(None)


def _message(kind: str, value: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(value)}\n\n".encode()
