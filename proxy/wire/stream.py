"""Follows a client's command that is too large to be held: which bytes belong to it, and where it ends."""

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
