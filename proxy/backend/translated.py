"""A connection to a server whose replies have another layout than the client agreed on."""

from proxy.backend.connection import BackendConnection, Sink
from proxy.wire.capabilities import Layout
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Exchange
from proxy.wire.translator import Translator


class TranslatedConnection(BackendConnection):
    """Gives replies out in the layout `client`."""

    __slots__ = ("client",)

    client: Layout

    def send(self, packet: bytes, exchange: Exchange, sink: Sink) -> None:
        """As the base class."""
        translator = Translator(exchange.shape, self.layout, self.client)
        super().send(packet, exchange, _Translating(sink, translator))


class _Translating:
    """A sink before the sink of one reply."""

    def __init__(self, sink: Sink, translator: Translator) -> None:
        self._translator = translator
        self._sink = sink
        self.connection_broken = sink.connection_broken
        self.pause_client = sink.pause_client
        self.resume_client = sink.resume_client

    def reply_chunk(self, connection: BackendConnection, exchange: Exchange, chunk: bytes) -> None:
        """Called by the connection."""
        try:
            translated = self._translator.feed(chunk)
        except MalformedPacket as error:
            connection.abort(f"malformed reply: {error}")
            return
        exchange.sequence = self._translator.sequence
        self._sink.reply_chunk(connection, exchange, translated)
