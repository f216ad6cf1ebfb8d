"""Follows what a client sends and nobody holds, a large command or a file: which bytes belong to it, where it ends."""

from proxy.wire.constants import HEADER_SIZE, MAX_PAYLOAD


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
