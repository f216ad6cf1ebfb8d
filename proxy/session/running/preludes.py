"""Runs preludes on a connection and keeps their replies from the client."""

from collections.abc import Callable

from proxy.backend.connection import BackendConnection, Owner
from proxy.session.core.request import Prelude
from proxy.wire.exchange import Exchange, Reply


class PreludeRun:
    """The sink of one prelude. `done` is called with the finished exchange and the reply, if that is kept."""

    def __init__(self, owner: Owner, done: Callable[[Exchange, bytes], None]) -> None:
        self._owner = owner
        self._done = done
        self._reply = b""
        self._kept = True

    def start(self, connection: BackendConnection, prelude: Prelude, ahead: list[bytes] | None = None) -> None:
        """Send the prelude, and in one write with it what can go `ahead`, if there is anything."""
        self._kept = not prelude.again
        exchange = Exchange(prelude.reply, connection.layout)
        if ahead:
            connection.send_with(prelude.packet, ahead, exchange, self)
        else:
            connection.send(prelude.packet, exchange, self)

    def reply_chunk(self, connection: BackendConnection, exchange: Exchange, chunk: bytes) -> None:
        """Called by the connection."""
        if self._kept:
            self._reply += chunk
        if exchange.file_wanted:
            connection.abort("it asks for a file where nobody can send one")
        elif exchange.done:
            self._done(exchange, self._reply)

    def connection_broken(self, connection: BackendConnection, reason: str) -> None:
        """Called by the connection."""
        self._owner.connection_broken(connection, reason)

    def pause_client(self) -> None:
        """Called by the connection."""
        self._owner.pause_client()

    def resume_client(self) -> None:
        """Called by the connection."""
        self._owner.resume_client()


class Drain:
    """Takes the replies to what was written ahead in vain. `done` is called behind the last one."""

    def __init__(self, owner: Owner, done: Callable[[], None]) -> None:
        self._owner = owner
        self._done = done

    def start(self, connection: BackendConnection) -> None:
        """Wait for the next reply, if there is one left."""
        if connection.ahead:
            connection.send(connection.ahead[0], Exchange(Reply.RESULT, connection.layout), self)
        else:
            self._done()

    def reply_chunk(self, connection: BackendConnection, exchange: Exchange, chunk: bytes) -> None:
        """Called by the connection."""
        if exchange.done:
            self.start(connection)

    def connection_broken(self, connection: BackendConnection, reason: str) -> None:
        """Called by the connection."""
        self._owner.connection_broken(connection, reason)

    def pause_client(self) -> None:
        """Called by the connection; nothing of the client's is sent."""

    def resume_client(self) -> None:
        """Called by the connection."""
        self._owner.resume_client()
