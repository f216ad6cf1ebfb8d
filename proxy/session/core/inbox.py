"""Cuts what a client sends into commands. Pure."""

from typing import Final

from proxy.session.core.request import STREAMED
from proxy.wire.constants import HEADER_SIZE, MAX_PAYLOAD
from proxy.wire.errors import MalformedPacket
from proxy.wire.framing import payload_length

# Larger commands are passed through instead of held, where their kind allows it.
MAX_HELD: Final = 1024 * 1024
# So much of a large command is waited for: enough for everything that stands before its values.
LARGE_HEAD: Final = 256 * 1024
# More than this waiting behind a running command stops the client from being read.
HIGH_WATER: Final = 2 * MAX_HELD


class Inbox:
    """Bytes that arrived and were not taken yet."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def __len__(self) -> int:
        return len(self._buffer)

    def add(self, data: bytes) -> None:
        """Add bytes as they arrived."""
        self._buffer += data

    def take(self) -> bytes | None:
        """The next whole command packet, or None: none is complete, or the next one is large."""
        if len(self._buffer) < HEADER_SIZE:
            return None
        # Before the command's first byte is there: behind an empty command none will come.
        check_header(payload_length(self._buffer), self._buffer[3])
        if len(self._buffer) == HEADER_SIZE:
            return None
        length = self._checked_length()
        end = HEADER_SIZE + length
        if self._is_large(length) or len(self._buffer) < end:
            return None
        packet = bytes(self._buffer[:end])
        del self._buffer[:end]
        return packet

    def take_large(self) -> tuple[int, bytes] | None:
        """The payload length and the first bytes of a large command, once enough of it is here; else None."""
        if len(self._buffer) < LARGE_HEAD or not self._is_large(payload_length(self._buffer)):
            return None
        return payload_length(self._buffer), self.take_all()

    def take_begun(self) -> tuple[int, bytes] | None:
        """The same of any command that is too long to be waited for without holding much."""
        return (payload_length(self._buffer), self.take_all()) if len(self._buffer) >= LARGE_HEAD else None

    def take_all(self) -> bytes:
        """Everything that is here."""
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def _is_large(self, length: int) -> bool:
        return length > MAX_HELD and self._buffer[HEADER_SIZE] in STREAMED

    def _checked_length(self) -> int:
        length = payload_length(self._buffer)
        if length == MAX_PAYLOAD and not self._is_large(length):
            raise MalformedPacket(f"command 0x{self._buffer[HEADER_SIZE]:02x} of 16 MiB or more")
        return length


def check_header(length: int, sequence: int) -> None:
    """Raise MalformedPacket for what cannot begin a command: no content, or a number other than 0."""
    if length == 0:
        raise MalformedPacket("an empty command")
    if sequence != 0:
        raise MalformedPacket(f"a command begins with packet number {sequence} instead of 0")


def is_one_packet(data: bytes) -> bool:
    """Whether `data` is exactly one command packet of the ordinary kind, as clients send nearly always."""
    size = len(data)
    if not HEADER_SIZE < size <= MAX_HELD or data[3]:
        return False
    return int.from_bytes(data[:3], "little") == size - HEADER_SIZE
