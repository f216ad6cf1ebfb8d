"""One prepared statement of a session, and the bytes of the commands about it. Pure."""

from typing import Final

from proxy.routing.forms import Form
from proxy.routing.state import Seen
from proxy.sql.statement import Statement
from proxy.wire import constants as c
from proxy.wire.definitions import Definitions
from proxy.wire.errors import MalformedPacket
from proxy.wire.framing import payload_length
from proxy.wire.primitives import read_lenenc_int

# COM_STMT_EXECUTE: header, command, statement, flags, iterations; then the NULL bitmap.
_BITMAP_AT: Final = c.HEADER_SIZE + 10
_FLAGS_AT: Final = c.HEADER_SIZE + 5
_COUNT_IS_TOLD: Final = 8
# COM_STMT_BULK_EXECUTE: header, command, statement, two bytes of flags; then the types, if a flag says so.
_BULK_FLAGS_AT: Final = c.HEADER_SIZE + 5
_BULK_TYPES_AT: Final = _BULK_FLAGS_AT + 2
_BULK_HAS_TYPES: Final = 128
# COM_STMT_SEND_LONG_DATA: header, command, statement, two bytes of the parameter's number.
_PARAMETER_AT: Final = c.HEADER_SIZE + 5
# By field type: TINY, SHORT, LONG, LONGLONG; and VARCHAR, VAR_STRING, STRING.
_INTEGER_WIDTHS: Final = {1: 1, 2: 2, 3: 4, 8: 8}
_STRINGS: Final = (15, 253, 254)
_MOST_DIGITS: Final = 20


class Prepared:
    """One prepared statement, under the number that its client knows.

    `packet` is the COM_STMT_PREPARE that made it. `schema` and `texts` are those of the session's state at that time,
    `form` is what server connections know it by.
    `named` says that executions tell their number of parameters, and types have names (CLIENT_QUERY_ATTRIBUTES).
    `types` are the parameter types that the client sent last. `held` are COM_STMT_SEND_LONG_DATA packets that wait for
    the execution that they are for, of `held_size` bytes. Of connections: `spilled` has long data for the next
    execution that was too much to be held here, `cursor` has rows to be fetched, `ran` executed the statement last.
    `definitions` are the columns' that the client was given last, if it keeps them and it is known that it has them.
    """

    __slots__ = (
        "cursor",
        "definitions",
        "form",
        "held",
        "held_size",
        "named",
        "number",
        "packet",
        "parameters",
        "ran",
        "schema",
        "spilled",
        "statement",
        "texts",
        "types",
    )

    def __init__(
        self,
        number: int,
        packet: bytes,
        statement: Statement,
        parameters: int,
        schema: str,
        texts: int,
        form: Form,
        *,
        named: bool = False,
    ) -> None:
        self.number = number
        self.packet = packet
        self.statement = statement
        self.parameters = parameters
        self.schema = schema
        self.texts = texts
        self.form = form
        self.named = named
        self.types = b""
        self.definitions: Definitions | None = None
        self.held: list[bytes] = []
        self.held_size = 0
        self.spilled: Seen | None = None
        self.cursor: Seen | None = None
        self.ran: Seen | None = None

    def has_parameter(self, packet: bytes) -> bool:
        """Whether a COM_STMT_SEND_LONG_DATA is about a parameter that the statement has."""
        return int.from_bytes(packet[_PARAMETER_AT : _PARAMETER_AT + 2], "little") < self.parameters

    def has_attributes(self, packet: bytes) -> bool:
        """Whether a COM_STMT_EXECUTE has query attributes. Raises MalformedPacket."""
        told = self.parameters or int.from_bytes(packet[_FLAGS_AT : _FLAGS_AT + 1], "little") & _COUNT_IS_TOLD
        return self.named and bool(told) and read_lenenc_int(packet, _BITMAP_AT)[0] > self.parameters

    def types_in(self, packet: bytes) -> bytes:
        """The types that an execution binds; empty when it relies on those sent before. Raises MalformedPacket."""
        if not self.parameters:
            return b""
        at, bound = self._types_at(packet)
        if not bound:
            return b""
        end = self._types_end(packet, at)
        if end > len(packet):
            raise MalformedPacket("an execution with fewer parameter types than parameters")
        return packet[at:end]

    def integer_in(self, packet: bytes) -> int | None:
        """The value of the only parameter of a COM_STMT_EXECUTE, if it is an integer or digits in a string."""
        at, bound = self._types_at(packet)
        types = self.types_in(packet) or self.types
        if self.parameters != 1 or len(types) != 2:
            return None
        value = packet[at + 2 * bound :]
        if (width := _INTEGER_WIDTHS.get(types[0])) is not None:
            return int.from_bytes(value[:width], "little") if len(value) >= width else None
        digits = value[1:]
        return int(digits) if types[0] in _STRINGS and digits.isdigit() and len(digits) <= _MOST_DIGITS else None

    def with_types(self, packet: bytes) -> bytes:
        """An execution without types (or the beginning of one), completed for a server that was not sent them.

        Raises MalformedPacket for one so large that the types no longer fit into its first packet.
        """
        at, _ = self._types_at(packet)
        length = payload_length(packet) + len(self.types)
        if length >= c.MAX_PAYLOAD:
            raise MalformedPacket("an execution of 16 MiB without parameter types")
        return length.to_bytes(3, "little") + packet[3 : at - 2] + _bound(packet, at) + self.types + packet[at:]

    def _types_at(self, packet: bytes) -> tuple[int, bool]:
        """Where the types of an execution are or would be, and whether they are there."""
        if packet[c.HEADER_SIZE] == c.COM_STMT_BULK_EXECUTE:
            flags = int.from_bytes(packet[_BULK_FLAGS_AT:_BULK_TYPES_AT], "little")
            return _BULK_TYPES_AT, bool(flags & _BULK_HAS_TYPES)
        count, at = read_lenenc_int(packet, _BITMAP_AT) if self.named else (self.parameters, _BITMAP_AT)
        flag_at = at + (count + 7) // 8
        return flag_at + 1, len(packet) > flag_at and packet[flag_at] != 0 and count >= self.parameters

    def _types_end(self, packet: bytes, at: int) -> int:
        """The position behind the types of the statement's own parameters, which come before any attributes."""
        if not self.named:
            return at + 2 * self.parameters
        for _ in range(self.parameters):
            size, at = read_lenenc_int(packet, at + 2)
            at += size
        return at


def _bound(packet: bytes, at: int) -> bytes:
    """The two bytes before the types, saying that types follow."""
    if packet[c.HEADER_SIZE] == c.COM_STMT_BULK_EXECUTE:
        return (int.from_bytes(packet[at - 2 : at], "little") | _BULK_HAS_TYPES).to_bytes(2, "little")
    return packet[at - 2 : at - 1] + b"\x01"


def renumbered(packet: bytes, number: int) -> bytes:
    """A COM_STMT_* packet, or the first packet of a COM_STMT_PREPARE's reply, with another statement number."""
    wanted = number.to_bytes(4, "little")
    return packet if packet[5:9] == wanted else packet[:5] + wanted + packet[9:]
