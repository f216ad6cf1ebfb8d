"""A raw client that goes on in TLS, and decides which of its bytes go out together."""

import socket
import ssl
from typing import Any

from proxy.transport.tlsengine import TlsEngine
from proxy.wire import constants as c
from proxy.wire.framing import frame
from tests.support.wireclient import CAPABILITIES, UTF8MB4, WireClient

# Pauses that the other side cannot mistake for one segment; nothing is decided by their length.
SLOWLY = 0.001


class TlsSocket:
    """A socket of `WireClient` from the moment on where TLS begins. `pace` is as in `WireClient.send_bytes`."""

    def __init__(self, below: socket.socket, engine: TlsEngine, pace: int) -> None:
        self._below = below
        self._engine = engine
        self._pace = pace
        self._plain = b""

    def shake_hands(self, before: bytes) -> None:
        """The handshake; the bytes `before` go out with its first message."""
        self._engine.receive(b"")
        self._send(before + self._engine.outgoing())
        while not self._engine.ready:
            data = self._below.recv(65536)
            if not data:
                raise ConnectionResetError("the server closed the connection during the TLS handshake")
            self._plain += self._engine.receive(data)
            self._send(self._engine.outgoing())

    def sendall(self, data: bytes) -> None:
        """As of a socket."""
        self._engine.send(data)
        self._send(self._engine.outgoing())

    def recv(self, size: int) -> bytes:
        """As of a socket."""
        while not self._plain:
            data = self._below.recv(65536)
            if not data:
                return b""
            self._plain = self._engine.receive(data)
            if self._engine.over and not self._plain:
                return b""
        data, self._plain = self._plain[:size], self._plain[size:]
        return data

    def _send(self, data: bytes) -> None:
        for at in range(0, len(data), self._pace or max(1, len(data))):
            self._below.sendall(data[at : at + (self._pace or len(data))])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below, name)


def start_tls(
    client: WireClient, context: ssl.SSLContext, *, pace: int = 0, together: bool = True, flags: int = CAPABILITIES
) -> TlsEngine:
    """Ask for TLS and begin it, both in the same segment when `together`. The greeting must have been read."""
    request = (flags | c.CLIENT_SSL).to_bytes(4, "little") + (1 << 30).to_bytes(4, "little")
    packet = frame(request + bytes((UTF8MB4,)) + bytes(23), 1)
    engine = TlsEngine(context, server_side=False, server_hostname="localhost")
    encrypted = TlsSocket(client.socket, engine, pace)
    if not together:
        client.send_bytes(packet, pace)
    encrypted.shake_hands(packet if together else b"")
    client.socket = encrypted  # type: ignore[assignment]  # it has what WireClient uses of a socket
    return engine
