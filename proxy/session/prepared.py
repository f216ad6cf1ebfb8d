"""Prepared statements of a session: one number for the client, one on each server. Pure."""

from typing import Final

from proxy.sql.statement import Statement
from proxy.wire.constants import HEADER_SIZE, MAX_PAYLOAD
from proxy.wire.errors import MalformedPacket
from proxy.wire.framing import payload_length

# COM_STMT_EXECUTE: header, command, statement, flags, iterations; then the NULL bitmap.
_BITMAP_AT: Final = HEADER_SIZE + 10


class Prepared:
    """One prepared statement, under the number that its client knows.

    `packet` is the COM_STMT_PREPARE that made it. `types` are the parameter types that the client sent last.
    `long_data` tells that the primary holds parts of a parameter for the next execution. `server` is where it was
    executed last, and so where a cursor of it would be. `meaning` is that of the session when it was prepared.
    """

    __slots__ = ("long_data", "meaning", "number", "packet", "parameters", "server", "statement", "types")

    def __init__(
        self, number: int, packet: bytes, statement: Statement, parameters: int, meaning: tuple[str, int]
    ) -> None:
        self.number = number
        self.packet = packet
        self.statement = statement
        self.parameters = parameters
        self.meaning = meaning
        self.types = b""
        self.long_data = False
        self.server = ""

    def types_in(self, packet: bytes) -> bytes:
        """The types that a COM_STMT_EXECUTE binds; empty when it relies on those sent before."""
        flag_at = self._flag_at()
        if not self.parameters or len(packet) <= flag_at:
            return b""
        types = packet[flag_at + 1 : flag_at + 1 + 2 * self.parameters] if packet[flag_at] else b""
        if packet[flag_at] and len(types) != 2 * self.parameters:
            raise MalformedPacket("an execution with fewer parameter types than parameters")
        return types

    def with_types(self, packet: bytes) -> bytes:
        """A COM_STMT_EXECUTE without types (or the beginning of one), completed for a server that was not sent them.

        Raises MalformedPacket for one so large that the types no longer fit into its first packet.
        """
        flag_at = self._flag_at()
        length = payload_length(packet) + len(self.types)
        if length >= MAX_PAYLOAD:
            raise MalformedPacket("an execution of 16 MiB without parameter types")
        head = length.to_bytes(3, "little") + packet[3:flag_at]
        return head + b"\x01" + self.types + packet[flag_at + 1 :]

    def _flag_at(self) -> int:
        return _BITMAP_AT + (self.parameters + 7) // 8


def renumbered(packet: bytes, number: int) -> bytes:
    """A COM_STMT_* packet, or the first packet of a COM_STMT_PREPARE's reply, with another statement number."""
    wanted = number.to_bytes(4, "little")
    return packet if packet[5:9] == wanted else packet[:5] + wanted + packet[9:]
