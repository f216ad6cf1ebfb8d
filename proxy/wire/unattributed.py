"""The commands of a session with query attributes, as a server that knows none has to get them: without.

See `proxy.wire.queryattributes` for where attributes are.
"""

from typing import Final

from proxy.wire.constants import COM_QUERY, COM_RESET_CONNECTION, COM_STMT_CLOSE, COM_STMT_EXECUTE, HEADER_SIZE
from proxy.wire.errors import MalformedPacket
from proxy.wire.framing import frame, payload_length
from proxy.wire.primitives import Reader, read_lenenc_int
from proxy.wire.queryattributes import text_of

# COM_STMT_EXECUTE: command, statement, flags, iterations; then what is there only if there are parameters.
_FLAGS_AT: Final = 5
_COUNT_AT: Final = 10
_COUNT_IS_TOLD: Final = 8


class Unattributed:
    """Follows the commands of one connection, of which it has to know how many parameters its statements have."""

    def __init__(self) -> None:
        self._parameters: dict[int, int] = {}

    def prepared(self, number: int, parameters: int) -> None:
        """The server has prepared a statement under this number."""
        self._parameters[number] = parameters

    def translated(self, commands: bytes) -> bytes:
        """These whole commands, for the server. Raises MalformedPacket."""
        out, at = [], 0
        while at < len(commands):
            end = at + HEADER_SIZE + payload_length(commands, at)
            out.append(self._one(commands[at:end]))
            at = end
        return b"".join(out)

    def _one(self, packet: bytes) -> bytes:
        code = packet[HEADER_SIZE] if len(packet) > HEADER_SIZE else -1
        if code == COM_QUERY:
            return frame(bytes((COM_QUERY,)) + text_of(packet), 0)
        if code == COM_STMT_EXECUTE:
            return frame(self._execution(packet[HEADER_SIZE:]), 0)
        if code == COM_STMT_CLOSE:
            self._parameters.pop(int.from_bytes(packet[5:9], "little"), None)
        elif code == COM_RESET_CONNECTION:
            self._parameters.clear()
        return packet

    def _execution(self, payload: bytes) -> bytes:
        """Only the statement's own parameters, which come first, and no names. What is behind their values stays where
        it cannot be told from them; servers do not look at it."""
        own = self._parameters.get(int.from_bytes(payload[1:_FLAGS_AT], "little"), 0)
        if len(payload) < _COUNT_AT:
            raise MalformedPacket("an execution that ends too early")
        head = payload[:_FLAGS_AT] + bytes((payload[_FLAGS_AT] & ~_COUNT_IS_TOLD,)) + payload[_FLAGS_AT + 1 : _COUNT_AT]
        if not own:
            return head
        count, at = read_lenenc_int(payload, _COUNT_AT)
        reader = Reader(payload[at:])
        nulls = reader.take((count + 7) // 8)[: (own + 7) // 8]
        bound = reader.integer(1)
        types = [_type(reader) for _ in range(count)] if bound else []
        return head + nulls + bytes((bound,)) + b"".join(types[:own]) + reader.rest()


def _type(reader: Reader) -> bytes:
    """A parameter's type; its name is left behind."""
    kind = reader.take(2)
    reader.lenenc_bytes()
    return kind
