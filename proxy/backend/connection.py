"""One connection to one server, logged in and in use by one session."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import Protocol, cast

from proxy.admin.traffic import Traffic
from proxy.channel import PacketChannel
from proxy.routing.state import Seen
from proxy.transport.layer import Layer
from proxy.wire.capabilities import layout_of
from proxy.wire.clientlogin import Safety
from proxy.wire.constants import COM_QUIT, HEADER_SIZE
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Exchange
from proxy.wire.framing import frame, payload_length
from proxy.wire.openings import Openings
from proxy.wire.unattributed import Unattributed
from topology.servers import Server

_QUIT = frame(bytes((COM_QUIT,)), 0)
# Why a connection is lost that a server closed without a word.
CLOSED = "the server closed the connection"
# Room for any ERR packet.
_LONGEST_FAREWELL = 4096
# The same with what TLS adds to it, in records of up to 16 KiB.
_LONGEST_REFUSAL = 65536


class Owner(Protocol):
    """Whose connection it is."""

    def connection_broken(self, connection: "BackendConnection", reason: str) -> None:
        """The server is gone; nothing more will come."""

    def pause_client(self) -> None:
        """The server takes no more bytes for now."""

    def resume_client(self) -> None:
        """The server takes bytes again."""


class Sink(Owner, Protocol):
    """Who gets the reply to a command, and owns the connection from then on."""

    def reply_chunk(self, connection: "BackendConnection", exchange: Exchange, chunk: bytes) -> None:
        """Bytes of the reply, already walked by `exchange`."""


class BackendConnection(asyncio.Protocol):
    """Sends commands and follows their replies, one at a time.

    `traffic` counts what its server is given. `thread` is its id on the server, which a KILL there names; it has that
    since the event loop's time was `opened`, or longer. `seen` is what the server was told of the session, `openings`
    what is known of replies of its `layout`. `welcome` is what the end of the login told of the session's state, for a
    client that asked for it. `farewell` is what the server said when it closed the connection between commands: an ERR
    packet or nothing. `on_gone` is called once when it is closed or lost. `sends` counts commands. `ahead` are those
    that were written before their time: each is still to be sent. `commands` takes query attributes off them, where a
    session has some that the server does not know.
    """

    __slots__ = (
        "_channel",
        "_closing",
        "_exchange",
        "_owner",
        "_sink",
        "_spare",
        "_transport",
        "ahead",
        "capabilities",
        "commands",
        "farewell",
        "layout",
        "on_gone",
        "opened",
        "openings",
        "safety",
        "seen",
        "sends",
        "server",
        "status",
        "thread",
        "traffic",
        "welcome",
    )

    def __init__(
        self, server: Server, thread: int, capabilities: int, safety: Safety, status: int, owner: Owner
    ) -> None:
        self.server = server
        self.thread = thread
        self.opened = 0.0
        self.capabilities = capabilities
        self.commands: Unattributed | None = None
        self.safety = safety
        self.layout = layout_of(capabilities)
        self.status = status
        self.seen = Seen()
        self.traffic = Traffic()
        self.openings: Openings | None = None
        self.farewell = b""
        self.welcome = b""
        self.on_gone: Callable[[BackendConnection], None] | None = None
        self.sends = 0
        self.ahead: list[bytes] = []
        self._owner = owner
        self._sink: Sink
        self._exchange: Exchange | None = None
        self._transport: asyncio.Transport | None = None
        self._closing = False
        self._channel: PacketChannel | None = None
        self._spare: socket.socket | None = None

    @property
    def alive(self) -> bool:
        """Whether commands can be sent."""
        return not self._closing and self._transport is not None

    @property
    def at_rest(self) -> bool:
        """Whether no reply is awaited, and no dialogue under way."""
        return self._exchange is None and self._channel is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called when the login is over."""
        self._transport = cast(asyncio.Transport, transport)

    def send(self, packet: bytes, exchange: Exchange, sink: Sink) -> None:
        """Send one command; its reply goes to `sink`, chunk by chunk as it comes."""
        self._owner = self._sink = sink
        self.sends += 1
        if not exchange.done:
            self._exchange = exchange
            if not self._closing:
                self.traffic.at_work += 1
        if self.ahead:
            if self.ahead.pop(0) != packet:
                self.abort("another command was written ahead")
        elif self._transport is not None:
            self._transport.write(packet)
            self.traffic.sent += len(packet)

    def send_with(self, packet: bytes, ahead: list[bytes], exchange: Exchange, sink: Sink) -> None:
        """Send one command, and write others in one with it: each is to be sent as soon as the one before is answered.

        Only while nothing is ahead.
        """
        self.send(packet + b"".join(ahead), exchange, sink)
        self.ahead = ahead

    def listen_to_refusals(self) -> None:
        """A command follows that the server may refuse before all of it was sent; until `refusals_over`.

        It answers with an error and closes. A transport whose write fails does not read any more, so what the server
        has said by then is read past it.
        """
        own = self._transport.get_extra_info("socket") if self._transport is not None else None
        if self._spare is None and own is not None:
            self._spare = socket.socket(fileno=os.dup(own.fileno()))
            self._spare.setblocking(False)

    def refusals_over(self) -> None:
        """The command was answered."""
        if self._spare is not None:
            self._spare.close()
            self._spare = None

    def _read_refusal(self, transport: asyncio.Transport | None) -> None:
        if self._spare is None or self._closing:
            return
        data = b""
        with contextlib.suppress(OSError):
            data = self._spare.recv(_LONGEST_REFUSAL)
        if data:
            receiver = transport.lowest() if isinstance(transport, Layer) else self
            receiver.data_received(data)

    def belong_to(self, owner: Owner) -> None:
        """From now on `owner` is told what happens to the connection."""
        self._owner = owner

    def redirect(self, sink: Sink) -> None:
        """`sink` gets the rest of the reply, and is told what happens to the connection."""
        self._owner = self._sink = sink

    def converse(self) -> PacketChannel:
        """Begin a dialogue in the place of a command; what comes belongs to it until `conversed`.

        Raises ConnectionError when the server is gone.
        """
        if self._transport is None or self._closing:
            raise ConnectionResetError("the server closed the connection")
        self.resume_reading()
        self._channel = PacketChannel.amid(self._transport, 0)
        return self._channel

    def conversed(self) -> None:
        """The dialogue is over."""
        channel, self._channel = self._channel, None
        if channel is not None and channel.end():
            self._break("bytes behind the end of a dialogue")

    def write(self, data: bytes) -> None:
        """Send bytes that belong to the command under way, or a command that has no reply."""
        self.traffic.sent += len(data)
        if self._transport is not None:
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        exchange = self._exchange
        self.traffic.received += len(data)
        if exchange is None:
            self._take_unasked(data)
            return
        try:
            used = exchange.feed(data)
        except MalformedPacket as error:
            self._break(f"malformed reply: {error}")
            return
        if exchange.done:
            self._exchange = None
            self.traffic.at_work -= 1
        if used == len(data):
            self._sink.reply_chunk(self, exchange, data)
            return
        ahead = bool(self.ahead)
        self._sink.reply_chunk(self, exchange, data[:used])
        if ahead and self._exchange is not None:
            self.traffic.received -= len(data) - used
            self.data_received(data[used:])
            return
        # Said before the server has seen the next command, which may be on its way by now.
        self._hear(data[used:])
        if self._exchange is not None:
            self._break("bytes behind the end of a reply")

    def _take_unasked(self, data: bytes) -> None:
        """What comes between commands."""
        if self._channel is not None:
            self._channel.data_received(data)
        else:
            self._hear(data)

    def _hear(self, data: bytes) -> None:
        """Between commands a server speaks only to say why it closes the connection."""
        if self._closing:
            return
        self.farewell += data
        if len(self.farewell) > HEADER_SIZE and len(self.farewell) >= HEADER_SIZE + payload_length(self.farewell):
            self._break(CLOSED)
        elif len(self.farewell) > _LONGEST_FAREWELL:
            self.farewell = b""
            self._break("bytes that belong to no reply")

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        transport, self._transport = self._transport, None
        self._read_refusal(transport)
        self.refusals_over()
        if not self._closing:
            # Only a whole packet is worth to be passed on.
            self.farewell = b""
        if self._channel is not None:
            self._channel.connection_lost(exc)
        self._break(str(exc) if exc else CLOSED)

    def _break(self, reason: str) -> None:
        if self._closing:
            return
        self._closing = True
        if self._transport is not None:
            self._transport.abort()
        self._owner.connection_broken(self, reason)
        self._gone()

    def _gone(self) -> None:
        """Called once, when the connection is closed or lost."""
        if self._exchange is not None:
            self._exchange = None
            self.traffic.at_work -= 1
        on_gone, self.on_gone = self.on_gone, None
        if on_gone is not None:
            on_gone(self)

    def abort(self, reason: str) -> None:
        """Give the server up: whatever was under way here is reported as broken."""
        self._break(reason)

    def close(self) -> None:
        """Part from the server: politely between commands, at once in the middle of one. Safe to call twice."""
        if self._closing or self._transport is None:
            return
        self._closing = True
        if self._exchange is None:
            self._transport.write(_QUIT)
            self._transport.close()
        else:
            self._transport.abort()
        self._gone()

    def pause_reading(self) -> None:
        """Let the server wait: the client does not keep up."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        """Called by the event loop when the server does not keep up."""
        self._owner.pause_client()

    def resume_writing(self) -> None:
        """Called by the event loop."""
        self._owner.resume_client()
