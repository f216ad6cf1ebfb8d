"""A primary that is away for a moment: statements and logins of which it has seen nothing wait for it."""

import asyncio
from collections.abc import Callable
from typing import Final

from proxy.session.core.request import Request
from topology.watch import Watch

# How often the monitor's verdict is looked at; asking it costs nothing.
_PAUSE: Final = 0.1


class Absence:
    """What one session waits for, `seconds` at most. `waiting` is the statement that does."""

    def __init__(self, monitor: Watch, seconds: float) -> None:
        self._monitor = monitor
        self._seconds = seconds
        self.waiting: Request | None = None

    def outlast(self, request: Request, again: Callable[[Request], None]) -> bool:
        """Whether `request` waits: then `again` is called with it, not at once, when the primary is back or time is up.

        No server may have seen anything of it.
        """
        loop = asyncio.get_running_loop()
        request.given_up = request.given_up or loop.time() + self._seconds
        if loop.time() >= request.given_up:
            return False
        self.waiting = request
        loop.call_later(_PAUSE, self._look, request, again)
        return True

    def _look(self, request: Request, again: Callable[[Request], None]) -> None:
        if self.waiting is not request:
            return
        loop = asyncio.get_running_loop()
        if self._monitor.snapshot.primary.usable or loop.time() >= request.given_up:
            self.waiting = None
            again(request)
        else:
            loop.call_later(_PAUSE, self._look, request, again)

    def end(self) -> None:
        """What waits is not wanted any more. Safe to call twice."""
        self.waiting = None

    async def over(self, until: float) -> bool:
        """Wait until the primary may be back; False when it is `until`, by the event loop's clock, before that."""
        clock = asyncio.get_running_loop().time
        while clock() < until:
            await asyncio.sleep(_PAUSE)
            if self._monitor.snapshot.primary.usable:
                return True
        return False
