"""TLS on a connection that began without it."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from proxy.transport.layer import Layer
from proxy.transport.tlsengine import TlsEngine
from topology.tlsfiles import tls_reason


class TlsFailed(ConnectionError):
    """The peer speaks no TLS, or none that we accept; the text is OpenSSL's reason."""


class TlsLayer(Layer):
    """Encrypts what is written and decrypts what arrives. `on_ready` is called when the handshake is over.

    A failure of TLS ends the connection: the protocol above gets TlsFailed in `connection_lost`.
    """

    def __init__(
        self, below: asyncio.Transport, above: asyncio.Protocol, engine: TlsEngine, on_ready: Callable[[], None]
    ) -> None:
        super().__init__(below, above)
        self.engine = engine
        self._on_ready = on_ready
        self._failure: TlsFailed | None = None

    def begin(self, data: bytes) -> None:
        """Take the transport below over, and the bytes that came behind the request for TLS."""
        self.take_over()
        self.data_received(data)

    def data_received(self, data: bytes) -> None:
        """Called by the transport below."""
        engine, was_ready = self.engine, self.engine.ready
        try:
            plain = engine.receive(data)
        except ssl.SSLError as error:
            self._fail(error)
            return
        self._flush()
        if engine.ready and not was_ready:
            self._on_ready()
        if plain:
            self._above.data_received(plain)
        if engine.over:
            self.close()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As of asyncio's transports, of which those with TLS have an `sslcontext`."""
        return self.engine.context if name == "sslcontext" else super().get_extra_info(name, default)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the transport below."""
        super().connection_lost(self._failure or exc)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data` encrypted. Before the handshake is over there is nothing that could be said: it is dropped."""
        if self.engine.ready and not self._below.is_closing():
            self.engine.send(bytes(data))
            self._flush()

    def close(self) -> None:
        """Close once everything is sent."""
        if not self._below.is_closing():
            self.engine.close()
            self._flush()
        super().close()

    def _flush(self) -> None:
        if data := self.engine.outgoing():
            self._below.write(data)

    def _fail(self, error: ssl.SSLError) -> None:
        self._failure = TlsFailed(f"TLS: {tls_reason(error)}")
        self._flush()
        self._below.close()
