"""Ends on the servers the statements of clients that have gone away, which would run on for nobody.

A statement is killed from another connection, opened for that in the client's name. Until it is dead its own connection
stays open, because only that keeps its thread's id from becoming somebody else's.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Final

from proxy.backend.connection import BackendConnection
from proxy.backend.greetings import Greetings
from proxy.backend.login import Identity, open_connection
from proxy.errors import SessionError
from proxy.sql.kill import Kill
from proxy.wire.exchange import Exchange, Reply

log = logging.getLogger(__name__)

# When many clients go at once: so many connections are opened at the same time for it, and so many statements wait.
_AT_ONCE: Final = 8
_MOST_WAITING: Final = 1000


class Reaper:
    """Kills statements, each within `within` seconds from when its turn has come. `spawn` runs a task."""

    def __init__(
        self, spawn: Callable[[Coroutine[None, None, None]], object], within: float, greetings: Greetings
    ) -> None:
        self._spawn = spawn
        self.within = within
        self._greetings = greetings
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    def take(self, link: BackendConnection, identity: Identity) -> None:
        """Take over the connection of a client that is gone, where a statement runs, and end both."""
        if self._waiting >= _MOST_WAITING:
            link.close()
            return
        leftover = Leftover()
        link.redirect(leftover)
        link.resume_reading()
        self._spawn(self._end(link, identity, leftover))

    async def _end(self, link: BackendConnection, identity: Identity, leftover: "Leftover") -> None:
        self._waiting += 1
        try:
            async with self._turns:
                if not leftover.over.done():
                    await self._kill(link, identity, leftover)
        except (SessionError, TimeoutError) as error:
            log.info("%s: thread %d runs on without its client: %s", link.server, link.thread, error)
        finally:
            self._waiting -= 1
            link.close()

    async def _kill(self, link: BackendConnection, identity: Identity, leftover: "Leftover") -> None:
        verdict = Leftover()
        async with asyncio.timeout(self.within):
            plain = replace(identity, database="")
            killer = await open_connection(link.server, plain, verdict, self.within, self._greetings)
            try:
                # It may have ended in the meantime; then its thread is at rest, or is no more.
                if not leftover.over.done():
                    packet = Kill(None, words=b"KILL").packet(link.thread, killer.capabilities)
                    killer.send(packet, Exchange(Reply.RESULT, killer.layout), verdict)
                    await verdict.over
                    log.debug("%s: killed thread %d, whose client is gone", link.server, link.thread)
            finally:
                killer.close()


class Leftover:
    """The sink of a reply that nobody reads. `over` is done with its end."""

    def __init__(self) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def reply_chunk(self, connection: BackendConnection, exchange: Exchange, chunk: bytes) -> None:
        """Called by the connection."""
        if exchange.done:
            self._end()

    def connection_broken(self, connection: BackendConnection, reason: str) -> None:
        """Called by the connection."""
        self._end()

    def pause_client(self) -> None:
        """Called by the connection; there is no client any more."""

    def resume_client(self) -> None:
        """Called by the connection."""

    def _end(self) -> None:
        if not self.over.done():
            self.over.set_result(None)
