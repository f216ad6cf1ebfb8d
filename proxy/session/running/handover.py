"""Asks a connection, before another session gets it, for what only it knows of this one."""

import asyncio
from collections.abc import Callable

from proxy.backend.connection import BackendConnection, Owner
from proxy.session.core.request import Prelude
from proxy.session.running.preludes import PreludeRun
from proxy.wire.exchange import Exchange


class Handover:
    """The questions to one connection: `ask` gives the next one, from the replies so far. `done` is called with all of
    them, or with None once the connection is lost or has answered one with an error; it is given up when it has not
    answered all within `within` seconds.
    """

    def __init__(
        self,
        owner: Owner,
        link: BackendConnection,
        ask: Callable[[list[bytes]], bytes | None],
        done: Callable[[list[bytes] | None], None],
        within: float,
    ) -> None:
        self.link = link
        self._owner = owner
        self._ask = ask
        self._done = done
        self._replies: list[bytes] = []
        self._over = False
        self._within = within
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to ask."""
        self._timer = asyncio.get_running_loop().call_later(self._within, self._too_long)
        self._next()

    def _next(self) -> None:
        question = self._ask(self._replies)
        if question is None:
            self._end(self._replies)
        else:
            PreludeRun(self, self._answered).start(self.link, Prelude(question))

    def _answered(self, exchange: Exchange, reply: bytes) -> None:
        self._replies.append(reply)
        if exchange.errno:
            self._end(None)
        else:
            self._next()

    def _too_long(self) -> None:
        self.link.abort(f"no answer within {self._within:g} s")

    def _end(self, replies: list[bytes] | None) -> None:
        if not self._over:
            self._over = True
            if self._timer is not None:
                self._timer.cancel()
            self._done(replies)

    def give_up(self) -> None:
        """The session has ended."""
        self._end(None)

    def connection_broken(self, connection: BackendConnection, reason: str) -> None:
        """Called by the connection."""
        self._owner.connection_broken(connection, reason)
        self._end(None)

    def pause_client(self) -> None:
        """Called by the connection; nothing of the client's is sent."""

    def resume_client(self) -> None:
        """Called by the connection."""
