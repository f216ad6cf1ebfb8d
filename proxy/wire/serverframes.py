"""What the compressed protocol leaves open between packets and frames, as seen by a client of a server.

Servers check the numbers of frames, which begin anew with each command, and number the packets inside of their replies
after frames: anew after each flush, and from 0 where two commands came in one frame. Clients without compression check
the numbers of packets, so those of replies are set right.
"""

from typing import Final

from proxy.wire.constants import HEADER_SIZE, MAX_PAYLOAD

_LAST_NUMBER: Final = 0xFF
# The length of the packet that ends a file, or a payload of a multiple of the largest length.
_NOTHING: Final = bytes(3)
# In front of each event when a replica acknowledges some: a mark, and 1 where this event is to be acknowledged.
_SEMI_SYNC_MARK: Final = b"\0\xef"
_SEMI_SYNC_WANTED: Final = b"\0\xef\1"


class CommandPackets:
    """Follows the packets that are written. `last` is the number of the last one, `code` that of the last command.

    `answered` is to be set when the server says something.
    """

    __slots__ = ("_continued", "_held", "_left", "answered", "code", "last")

    def __init__(self) -> None:
        self._held = b""
        self._left = 0
        self._continued = False
        self.last = 0
        self.code = 0
        self.answered = True

    def cut(self, data: bytes) -> list[tuple[bool, bytes]]:
        """`data` in pieces, each with whether a command begins there, so that its frames are to be numbered from 0.

        Less than is needed of a packet to tell waits for the rest of it.
        """
        data, self._held = self._held + data, b""
        pieces: list[tuple[bool, bytes]] = []
        size, start, begins = len(data), 0, False
        at = self._left
        while size - at > HEADER_SIZE or (size - at == HEADER_SIZE and data[at : at + 3] == _NOTHING):
            length, number = data[at] | data[at + 1] << 8 | data[at + 2] << 16, data[at + 3]
            if length and self._begins(number):
                if at > start:
                    pieces.append((begins, data[start:at]))
                start, begins, self.code = at, True, data[at + HEADER_SIZE]
            at += HEADER_SIZE + length
            if not length and self._continued:
                # MariaDB 10.11 loses what follows in the frame where a payload ends with an empty packet.
                pieces.append((begins, data[start:at]))
                start, begins = at, False
            self.last, self.answered, self._continued = number, False, length == MAX_PAYLOAD
        self._left, end = max(0, at - size), min(at, size)
        self._held = data[end:]
        if end > start:
            pieces.append((begins, data[start:end]))
        return pieces

    def _begins(self, number: int) -> bool:
        # A file has more packets than there are numbers; nothing is heard from the server until its end.
        return not number and (self.last != _LAST_NUMBER or self.answered)


class ReplyNumbers:
    """Numbers the packets of replies as a server without compression does."""

    __slots__ = ("_acknowledged", "_begun", "_continued", "_dumping", "_held", "_left", "_next")

    def __init__(self) -> None:
        self._next = 1
        self._held = b""
        self._left = 0
        self._dumping = self._begun = self._acknowledged = self._continued = False

    def follow(self, number: int, dump: bool) -> None:
        """What comes next answers the packet `number`. A `dump` goes on for ever, whatever the client acknowledges."""
        if not self._dumping:
            self._next, self._dumping = (number + 1) & _LAST_NUMBER, dump

    def renumbered(self, data: bytes) -> bytes:
        """The next bytes with their packets' numbers set right; the beginning of a header waits for its end."""
        if self._held:
            data, self._held = self._held + data, b""
        size, at = len(data), self._left
        changed: bytearray | None = None
        while size - at >= HEADER_SIZE:
            length = data[at] | data[at + 1] << 8 | data[at + 2] << 16
            if self._dumping and size - at < HEADER_SIZE + min(length, len(_SEMI_SYNC_WANTED)):
                break
            if data[at + 3] != self._next:
                changed = changed or bytearray(data)
                changed[at + 3] = self._next
            self._next = (self._next + 1) & _LAST_NUMBER
            if self._dumping:
                self._take_event(data[at + HEADER_SIZE : at + HEADER_SIZE + len(_SEMI_SYNC_WANTED)], length)
            at += HEADER_SIZE + length
        self._left, end = max(0, at - size), min(at, size)
        self._held = data[end:]
        return bytes(changed or data)[:end] if changed or end < size else data

    def _take_event(self, beginning: bytes, length: int) -> None:
        """Source: semi-synchronous sources of both vendors, which count from 1 after an event to be acknowledged."""
        if not self._begun:
            self._begun, self._acknowledged = True, beginning.startswith(_SEMI_SYNC_MARK)
        elif self._acknowledged and not self._continued and beginning == _SEMI_SYNC_WANTED:
            self._next = 1
        self._continued = length == MAX_PAYLOAD
