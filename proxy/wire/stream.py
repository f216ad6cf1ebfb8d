"""Follows what a client sends and nobody holds, a large command or a file: which bytes belong to it, where it ends."""

from typing import Final

from proxy.wire.constants import HEADER_SIZE, MAX_PAYLOAD

# Of a larger packet nothing waits for its end.
_MAX_HELD_BACK: Final = 1024 * 1024


class BodyStream:
    """Counts a command through its packets. `length` is the payload of the first one, whose header was read already.

    `packets` is how many were begun: the number of the packet that answers them.
    """

    __slots__ = ("_continues", "_header", "_left", "done", "packets")

    def __init__(self, length: int) -> None:
        self._left = length
        self._continues = length == MAX_PAYLOAD
        self._header = b""
        self.done = False
        self.packets = 1

    def feed(self, data: bytes) -> int:
        """How many of the next bytes belong to the command: all of them, unless it is `done`."""
        at = 0
        while not self.done and at < len(data):
            at += self._take_body(len(data) - at) if self._left else self._take_header(data, at)
        return at

    def _take_body(self, available: int) -> int:
        step = min(self._left, available)
        self._left -= step
        self.done = not self._left and not self._continues
        return step

    def _take_header(self, data: bytes, at: int) -> int:
        piece = data[at : at + HEADER_SIZE - len(self._header)]
        self._header += piece
        if len(self._header) == HEADER_SIZE:
            self._left = self._header[0] | self._header[1] << 8 | self._header[2] << 16
            self._continues = self._left == MAX_PAYLOAD
            self._header = b""
            self.packets += 1
            # A payload of n * MAX_PAYLOAD bytes is closed by an empty packet.
            self.done = not self._left
        return len(piece)


class FileStream:
    """Follows a file that a client sends to a server: payloads up to an empty one.

    `sequence` is the number of the last packet that was begun.
    """

    __slots__ = ("_header", "_payload", "done", "sequence")

    def __init__(self) -> None:
        self._header = b""
        self._payload: BodyStream | None = None
        self.done = False
        self.sequence = 0

    def feed(self, data: bytes) -> int:
        """How many of the next bytes belong to the file: all of them, unless it is `done`."""
        at = 0
        while not self.done and at < len(data):
            at += self._take_header(data, at) if self._payload is None else self._take_payload(self._payload, data, at)
        return at

    def _take_header(self, data: bytes, at: int) -> int:
        piece = data[at : at + HEADER_SIZE - len(self._header)]
        self._header += piece
        if len(self._header) == HEADER_SIZE:
            length, self.sequence = int.from_bytes(self._header[:3], "little"), self._header[3]
            self._header = b""
            self.done = not length
            self._payload = BodyStream(length) if length else None
        return len(piece)

    def _take_payload(self, payload: BodyStream, data: bytes, at: int) -> int:
        used = payload.feed(data[at:] if at else data)
        if payload.done:
            self.sequence += payload.packets - 1
            self._payload = None
        return used


class PacketNumbers:
    """Gives packets consecutive numbers, from `number` on; `left` bytes of the payload before are still to come.

    In the compressed protocol nobody looks at the numbers of packets, and clients (libmysqlclient) do not count right;
    a server that gets the packets without compression does look.
    """

    __slots__ = ("_header", "_left", "_next")

    def __init__(self, number: int, left: int = 0) -> None:
        self._next = number
        self._left = left
        self._header = 0

    @property
    def last(self) -> int:
        """The number of the last packet."""
        return (self._next - 1) & 0xFF

    def renumbered(self, data: bytes) -> bytes:
        """The next bytes, with the numbers of the packets that begin in them replaced."""
        changed = bytearray(data)
        at = 0
        while at < len(changed):
            if self._left:
                step = min(self._left, len(changed) - at)
                self._left -= step
                at += step
            else:
                at = self._take_header_byte(changed, at)
        return bytes(changed)

    def _take_header_byte(self, changed: bytearray, at: int) -> int:
        byte, place = changed[at], self._header & 0xFF
        if place < HEADER_SIZE - 1:
            # The length so far stands above the lowest byte, which counts.
            self._header = (self._header | byte << 8 * (place + 1)) + 1
        else:
            changed[at] = self._next & 0xFF
            self._next += 1
            self._left, self._header = self._header >> 8, 0
        return at + 1


class WholePackets:
    """Holds the beginning of a packet back until its end is here, unless it is large.

    mysql-connector-python reads a packet from two compressed frames at the most, as servers write them.
    """

    __slots__ = ("_held", "_left")

    def __init__(self) -> None:
        self._held = b""
        self._left = 0

    def ready(self, data: bytes) -> bytes:
        """What can be sent now that `data` came."""
        data, self._held = self._held + data, b""
        size = len(data)
        at = min(self._left, size)
        self._left -= at
        while size - at >= HEADER_SIZE:
            length = data[at] | data[at + 1] << 8 | data[at + 2] << 16
            end = at + HEADER_SIZE + length
            if end > size and length <= _MAX_HELD_BACK:
                break
            self._left = max(0, end - size)
            at = min(end, size)
        if at < size:
            self._held = data[at:]
        return data[:at]
