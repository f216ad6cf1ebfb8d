"""A connection during login, on either side: whole packets in and out, awaited one by one.

After the login the transport gets another protocol, made for speed, with `hand_over`.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Self, cast

from proxy.transport.layer import Layer
from proxy.transport.tls import TlsFailed, TlsLayer
from proxy.transport.tlsengine import TlsEngine
from proxy.wire.errors import MalformedPacket
from proxy.wire.framing import PacketReader, frame
from proxy.wire.proxyprotocol import LONGEST_HEADER, ProxyHeader, read_header

# Connection attributes take up to 64 KiB, and nothing else that is sent during a login comes near to that.
MAX_LOGIN_PACKET = 68 * 1024


Around = Callable[[asyncio.Transport, asyncio.Protocol], Layer]


class PacketChannel(asyncio.Protocol):
    """Awaits packets from one peer that is not trusted yet. `tls` is there once the connection is encrypted.

    `handed_over` says that the connection went on to another protocol.
    """

    transport: asyncio.Transport
    tls: TlsEngine | None = None
    handed_over = False

    def __init__(self) -> None:
        self._reader = PacketReader(MAX_LOGIN_PACKET)
        self._waiter: asyncio.Future[None] | None = None
        self._closed: Exception | None = None
        self._sequence = 0
        self._held = False

    @property
    def begun(self) -> bool:
        """Whether a packet was sent or received."""
        return self._sequence > 0

    @classmethod
    def amid(cls, transport: asyncio.Transport, sequence: int) -> Self:
        """A dialogue on a connection that is in use; whoever is its protocol feeds it from now on.

        `sequence` is the number of the next packet.
        """
        channel = cls()
        channel.transport, channel._sequence = transport, sequence
        return channel

    def end(self) -> bytes:
        """The dialogue is over: the bytes that came behind it."""
        self._read_on()
        return self._reader.take_rest()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self.transport = cast(asyncio.Transport, transport)
        # A peer that vanished without a word is noticed in the end, even while nothing is sent.
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        self._reader.feed(data)
        if self._reader.full and not self._held:
            # Whoever sends on without an answer is not read until somebody waits for its packets.
            self._held = True
            self.transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._closed = exc or ConnectionResetError("the peer closed the connection")
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _news(self) -> None:
        """Wait for bytes or the end. Raises ConnectionError once the peer is gone."""
        self._check_open()
        self._read_on()
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _check_open(self) -> None:
        if isinstance(self._closed, TlsFailed):
            raise self._closed
        if self._closed is not None:
            raise ConnectionResetError(str(self._closed)) from self._closed

    def _read_on(self) -> None:
        if self._held:
            self._held = False
            self.transport.resume_reading()

    async def receive(self) -> bytes:
        """The next payload. Raises MalformedPacket, or ConnectionError once the peer is gone."""
        while (packet := self._next()) is None:
            await self._news()
        self._sequence = packet[0] + 1
        return packet[1]

    def _next(self) -> tuple[int, bytes] | None:
        try:
            return self._reader.next()
        except MalformedPacket:
            # The refusal answers it.
            self._sequence = self._reader.sequence + 1
            raise

    async def proxy_header(self) -> ProxyHeader:
        """The PROXY header before the first packet. Raises MalformedPacket, ConnectionError once the peer is gone."""
        while (header := read_header(self._reader.peek(LONGEST_HEADER))) is None:
            await self._news()
        self._reader.skip(header.size)
        return header

    def send(self, payload: bytes) -> None:
        """Send one payload, numbered after the last packet in either direction; to a peer that is gone, nothing."""
        if self._closed is None:
            self.transport.write(frame(payload, self._sequence))
        self._sequence += 1

    async def start_tls(
        self, context: ssl.SSLContext, *, server_side: bool, server_hostname: str | None = None
    ) -> TlsEngine:
        """Go on in TLS once its handshake is over; the bytes behind the last packet are its beginning.

        Raises TlsFailed, or another ConnectionError once the peer is gone.
        """
        self._check_open()
        engine = TlsEngine(context, server_side=server_side, server_hostname=server_hostname)
        layer = TlsLayer(self.transport, self, engine, self._wake)
        self._read_on()
        self.transport = layer
        layer.begin(self._reader.take_rest())
        while not engine.ready:
            await self._news()
        self.tls = engine
        return engine

    def hand_over(self, protocol: asyncio.Protocol, around: Around | None = None) -> None:
        """Let `protocol` have the transport, and the bytes that came behind the last packet.

        `around` puts a layer between the two, which these bytes go through.
        """
        self._check_open()
        self._read_on()
        self.handed_over = True
        below = protocol
        if around is not None:
            self.transport, below = (layer := around(self.transport, protocol)), layer
            layer.take_over()
        else:
            self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        if rest := self._reader.take_rest():
            below.data_received(rest)
