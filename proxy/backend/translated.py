"""A connection to a server that agreed on less than the client: what differs is translated, both ways."""

from proxy.backend.connection import BackendConnection, Sink
from proxy.wire.capabilities import Layout
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Exchange
from proxy.wire.translator import Translator, differs
from proxy.wire.unattributed import Unattributed


class TranslatedConnection(BackendConnection):
    """Gives replies out in the layout `client`."""

    __slots__ = ("client",)

    client: Layout

    def send(self, packet: bytes, exchange: Exchange, sink: Sink) -> None:
        """As the base class. Raises MalformedPacket for attributes that are none."""
        if self.commands is not None:
            packet = self.commands.translated(packet)
        translator = Translator(exchange.shape, self.layout, self.client) if differs(self.layout, self.client) else None
        super().send(packet, exchange, _Translating(sink, translator, self.commands))

    def write(self, data: bytes) -> None:
        """As the base class; what comes here on such a connection are whole commands."""
        super().write(data if self.commands is None else self.commands.translated(data))


class _Translating:
    """A sink before the sink of one reply."""

    def __init__(self, sink: Sink, translator: Translator | None, commands: Unattributed | None) -> None:
        self._translator = translator
        self._commands = commands
        self._sink = sink
        self.connection_broken = sink.connection_broken
        self.pause_client = sink.pause_client
        self.resume_client = sink.resume_client

    def reply_chunk(self, connection: BackendConnection, exchange: Exchange, chunk: bytes) -> None:
        """Called by the connection."""
        if self._translator is not None:
            try:
                chunk = self._translator.feed(chunk)
            except MalformedPacket as error:
                connection.abort(f"malformed reply: {error}")
                return
            exchange.sequence = self._translator.sequence
        if self._commands is not None and exchange.done and exchange.prepared is not None:
            number, _, parameters = exchange.prepared
            self._commands.prepared(number, parameters)
        self._sink.reply_chunk(connection, exchange, chunk)
