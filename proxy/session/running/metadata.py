"""Keeps the column definitions of prepared statements, for clients that agreed that servers may leave them out."""

from typing import Final

from proxy.backend.connection import BackendConnection, Sink
from proxy.routing.seen import Seen
from proxy.session.core.prepared import Prepared
from proxy.session.core.request import Prelude, Request
from proxy.wire import constants as c
from proxy.wire.capabilities import Layout
from proxy.wire.definitions import Definitions, Executed, leaves_out, prepared_columns
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Exchange

_FOLLOWED: Final = (c.COM_STMT_PREPARE, c.COM_STMT_EXECUTE)


class Metadata:
    """One session's. `layout` is the client's."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def sink(self, request: Request, sink: Sink) -> Sink:
        """Who gets the reply to `request` in the place of `sink`, which still gets it after that."""
        if request.code == c.COM_STMT_BULK_EXECUTE and request.prepared is not None:
            # What it answers with is no execution's, but a client may keep its definitions.
            request.prepared.definitions = None
        return _Follower(request, sink, self._layout) if request.code in _FOLLOWED else sink

    def prepared(self, prelude: Prelude, link: BackendConnection, reply: bytes) -> None:
        """A statement was prepared behind the client's back."""
        if prelude.form is not None:
            link.seen.definitions[prelude.form] = prepared_columns(reply, self._layout)


class _Follower:
    """The sink before the sink of one reply."""

    def __init__(self, request: Request, sink: Sink, layout: Layout) -> None:
        self._request = request
        self._sink = sink
        self._layout = layout
        self._reply = b""
        self._executed: Executed | None = None
        # The server has left them out, and the client has them: by far the most frequent reply.
        self._kept: Definitions | None = None
        self.connection_broken = sink.connection_broken
        self.pause_client = sink.pause_client
        self.resume_client = sink.resume_client

    def reply_chunk(self, connection: BackendConnection, exchange: Exchange, chunk: bytes) -> None:
        """Called by the connection."""
        try:
            if self._request.prepared is None:
                self._prepare(connection, exchange, chunk)
            else:
                chunk = self._execute(connection, exchange, chunk)
        except MalformedPacket as error:
            connection.abort(f"malformed reply: {error}")
            return
        self._sink.reply_chunk(connection, exchange, chunk)

    def _prepare(self, connection: BackendConnection, exchange: Exchange, chunk: bytes) -> None:
        self._reply += chunk
        if not exchange.done or exchange.errno:
            return
        definitions = prepared_columns(self._reply, self._layout)
        self._request.definitions = definitions
        if (made := self._request.made) is not None:
            made.definitions = connection.seen.definitions[made.form] = definitions

    def _execute(self, connection: BackendConnection, exchange: Exchange, chunk: bytes) -> bytes:
        prepared, seen = self._request.prepared, connection.seen
        assert prepared is not None
        if self._executed is None:
            sent, held = seen.definitions.get(prepared.form), prepared.definitions
            if self._kept is None and sent is not None and sent == held and leaves_out(chunk):
                # Found to be one and the same sooner the next time.
                self._kept = seen.definitions[prepared.form] = held
            if self._kept is not None:
                prepared.definitions = self._kept if exchange.done and not exchange.errno else None
                return chunk
            self._executed = Executed(sent, held)
        return self._follow(self._executed, prepared, seen, exchange, chunk)

    def _follow(self, executed: Executed, prepared: Prepared, seen: Seen, exchange: Exchange, chunk: bytes) -> bytes:
        given = executed.feed(chunk)
        if executed.sent is not None:
            seen.definitions[prepared.form] = executed.sent
        else:
            seen.definitions.pop(prepared.form, None)
        # Whether the client has seen all of a reply that ends with an error, or none of it, is not known here.
        prepared.definitions = executed.held if exchange.done and not exchange.errno else None
        if executed.sequence >= 0:
            exchange.sequence = executed.sequence
        return given
