"""A connection whose server tells how the session's state changes, to the proxy but not to its client.

The server is asked for that once, in front of the first command: no round trip is spent on it, but where the connection
is compressed: servers number the reply to the second of two commands in one compressed packet as if it went on with the
first (observed on both vendors). Nothing depends on its answer: a server that does not tell is not believed to have
nothing to tell.
"""

import logging
from typing import Final

from proxy.backend.connection import BackendConnection, Owner, Sink
from proxy.routing.reported import TRACKED
from proxy.wire.clientlogin import Safety
from proxy.wire.constants import CLIENT_QUERY_ATTRIBUTES, HEADER_SIZE
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.framing import frame
from proxy.wire.queryattributes import query_payload
from proxy.wire.sessiontrack import untracked
from topology.servers import Server, ServerCompression

log = logging.getLogger(__name__)

ASK: Final = (
    f"SET SESSION session_track_system_variables = '{','.join(TRACKED)}', session_track_state_change = 1".encode()
)


class TrackedConnection(BackendConnection):
    """Gives replies out as a client gets them that did not agree on CLIENT_SESSION_TRACK."""

    __slots__ = ("_answer", "_asked", "_kept", "_postponed")

    def __init__(
        self, server: Server, thread: int, capabilities: int, safety: Safety, status: int, owner: Owner
    ) -> None:
        super().__init__(server, thread, capabilities, safety, status, owner)
        self._asked: Exchange | None = None
        self._answer = b""
        self._kept = b""
        self._postponed: bytes | None = None

    def send(self, packet: bytes, exchange: Exchange, sink: Sink) -> None:
        """As the base class."""
        exchange.stops = True
        self._kept = b""
        if not self.seen.tracked:
            self.seen.tracked = True
            self._asked, self._answer = Exchange(Reply.RESULT, self.layout), b""
            if self.server.compression is ServerCompression.OFF:
                packet = self._question() + packet
            else:
                self._postponed, packet = packet, self._question()
        super().send(packet, exchange, sink)

    def write(self, data: bytes) -> None:
        """As the base class."""
        if self._postponed is not None:
            self._postponed += data
        else:
            super().write(data)

    def _question(self) -> bytes:
        return frame(query_payload(ASK, attributes=bool(self.capabilities & CLIENT_QUERY_ATTRIBUTES)), 0)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        self.traffic.received += len(data)
        try:
            self._receive(data)
        except MalformedPacket as error:
            self._break(f"malformed reply: {error}")

    def _receive(self, data: bytes) -> None:
        if self._asked is not None:
            data = self._behind_the_answer(self._asked, data)
        while data and (exchange := self._exchange) is not None:
            used = exchange.feed(data)
            chunk = self._without_state(exchange, data[:used])
            data = data[used:]
            if exchange.done:
                self._exchange = None
                self.traffic.at_work -= 1
            ahead = bool(self.ahead)
            if chunk:
                self._sink.reply_chunk(self, exchange, chunk)
            if exchange.done and data and self._exchange is not None and not ahead:
                # Said before the server has seen the next command, which is on its way by now.
                self._hear(data)
                self._break("bytes behind the end of a reply")
                return
        if data:
            self._take_unasked(data)

    def _behind_the_answer(self, asked: Exchange, data: bytes) -> bytes:
        """Take the answer to the question away from what arrives."""
        used = asked.feed(data)
        self._answer += data[:used]
        if not asked.done:
            return b""
        self._asked = None
        if self._postponed is not None:
            packet, self._postponed = self._postponed, None
            super().write(packet)
        if asked.errno and not asked.sequence:
            # No answer, but why the server has closed the connection: those who wait for a reply have to see it.
            return self._answer + data[used:]
        if asked.errno:
            log.info("%s does not tell how the state of a session changes (error %d)", self.server, asked.errno)
        return data[used:]

    def _without_state(self, exchange: Exchange, chunk: bytes) -> bytes:
        """What of `chunk` is for the client now; the beginning of a packet that decides something is kept back."""
        if self._kept:
            chunk, self._kept = self._kept + chunk, b""
        if exchange.stop:
            ok, exchange.stop = exchange.stop, b""
            at = len(chunk) - HEADER_SIZE - len(ok)
            return chunk[:at] + frame(untracked(ok), chunk[at + 3])
        if undecided := exchange.undecided:
            self._kept = chunk[-undecided:]
            return chunk[:-undecided]
        return chunk
