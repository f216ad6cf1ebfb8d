"""One machine per command: is the server's reply over, and with what status?

The reply is never decoded. An Exchange walks from packet header to packet header, looks at the few bytes that decide,
and lets everything else pass: chunks are forwarded as they came. A chunk may end anywhere, also inside a header.
"""

from typing import Final

from proxy.wire.constants import (
    EOF_HEADER,
    ERR_HEADER,
    HEADER_SIZE,
    MAX_PAYLOAD,
    SERVER_SESSION_STATE_CHANGED,
    SERVER_STATUS_AUTOCOMMIT,
)
from proxy.wire.errors import MalformedPacket
from proxy.wire.openings import Openings
from proxy.wire.replygrammar import COLUMNS, COLUMNS_END, DEFINITIONS, FIRST, ROWS, Reply, ReplyGrammar

__all__ = ["Exchange", "Reply"]

# A smaller first byte of a length-encoded integer is the integer.
_ONE_BYTE_LIMIT: Final = 0xFB
_EOF_SIZE: Final = 5
# No warnings, autocommit on, no transaction open, nothing else to tell: as an EOF, and as an OK in its place.
# With them the size of the whole packet, and its length as its header has it.
_USUAL_EOF: Final = (bytes((EOF_HEADER, 0, 0, SERVER_STATUS_AUTOCOMMIT, 0)), 9, b"\5\0\0")
_USUAL_OK: Final = (bytes((EOF_HEADER, 0, 0, SERVER_STATUS_AUTOCOMMIT, 0, 0, 0)), 11, b"\7\0\0")
# An OK or ERR packet has to be read whole. Longer ones (session state information) are still bounded by the protocol.
_PEEK: Final = HEADER_SIZE + 1


class Exchange(ReplyGrammar):
    """Follows one reply. `openings` is what is known of replies of its layout.

    `boundary` tells whether everything seen so far ended with a whole packet, and `sequence` is the number of the last
    packet. With `stops`, feeding stops behind each OK packet that tells of the session's state: it is `stop` then.
    """

    stops: bool = False
    stop: bytes = b""
    openings: Openings | None = None
    sequence: int = 0
    _skip: int = 0
    _tail: bytes = b""
    _continued: bool = False

    @property
    def boundary(self) -> bool:
        """Whether the bytes seen so far end with a whole packet."""
        return not self._skip and not self._tail

    @property
    def undecided(self) -> int:
        """How many of the last bytes are the beginning of a packet that decides something, and is not whole yet."""
        return len(self._tail)

    def feed(self, chunk: bytes) -> int:
        """Look at the next bytes; returns how many of them belong to this reply (all, unless `done` or at a `stop`)."""
        at = 0
        end = len(chunk)
        if self.openings is not None:
            at = self._skip_opening(chunk)
            if at and self._ends_shortly(chunk, at, end):
                return end
        if self._tail:
            at = self._finish_tail(chunk)
        if self._skip:
            at = self._skip_body(at, end)
        while at < end and not (self.done or self.stop):
            if not self._continued:
                at = self._walk(chunk, at, end)
                if self.done or self.stop or at >= end:
                    break
            at = self._step(chunk, at, end)
        return at

    def _ends_shortly(self, chunk: bytes, at: int, end: int) -> bool:
        """Whether exactly one row and the usual last packet are left: by far the most frequent end of a reply."""
        usual, size, length = _USUAL_OK if self._layout.deprecate_eof else _USUAL_EOF
        last = end - size
        if last - at < _PEEK or not chunk.endswith(usual):
            return False
        row = chunk[at] | chunk[at + 1] << 8 | chunk[at + 2] << 16
        if at + HEADER_SIZE + row != last or chunk[at + 4] >= EOF_HEADER or chunk[last : last + 3] != length:
            return False
        self.sequence = chunk[last + 3]
        self.rows = 1
        self._end(SERVER_STATUS_AUTOCOMMIT)
        return True

    def _hear(self, payload: bytes) -> None:
        super()._hear(payload)
        if self.stops and len(payload) > _EOF_SIZE:
            self.stop = payload

    def _skip_opening(self, chunk: bytes) -> int:
        """Step over the column definitions in one go, if the reply begins with some that are known."""
        openings = self.openings
        if openings is None or self.at != FIRST or self._tail or self.begun:
            self.openings = None
            return 0
        length, sequence, status = openings.find(chunk)
        if length:
            self.openings = None
            self.at = ROWS
            self.begun = True
            self.sequence = sequence
            self.status = status
        return length

    def _learn_opening(self, opening: bytes) -> None:
        if self.openings is not None and not self.file_wanted:
            self.openings.learn(opening, self.sequence, self.status)
            self.openings = None

    def _walk(self, chunk: bytes, at: int, end: int) -> int:
        """Handle packets that are whole and ordinary; returns where another one begins.

        Nearly all replies are over before this returns, so there is little here for packets that decide nothing.
        """
        while end - at >= _PEEK:
            if self.at == ROWS:
                at = self._walk_rows(chunk, at, end)
                if end - at < _PEEK:
                    return at
            length = chunk[at] | chunk[at + 1] << 8 | chunk[at + 2] << 16
            behind = at + HEADER_SIZE + length
            if behind > end or length == 0 or length == MAX_PAYLOAD:
                return at
            self.sequence = chunk[at + 3]
            if (self.at == COLUMNS or self.at == DEFINITIONS) and chunk[at + 4] != ERR_HEADER:
                self._count_definition()
                if self.at == ROWS:
                    self._learn_opening(chunk[:behind])
            elif self.at == FIRST and length == 1 and 0 < chunk[at + 4] < _ONE_BYTE_LIMIT:
                self._begin_columns(chunk[at + 4])
            elif self.at == ROWS and length == _EOF_SIZE and chunk[at + 4] == EOF_HEADER:
                status = chunk[at + 7] | chunk[at + 8] << 8
                if status & SERVER_SESSION_STATE_CHANGED and self._layout.session_track:
                    self._hear(chunk[at + HEADER_SIZE : behind])
                self._end(status, chunk[at + 5] | chunk[at + 6])
            elif self.at == ROWS and not self.ends_rows(chunk[at + 4], length):
                self.begun = True
                self.rows += 1
            elif self.at == COLUMNS_END:
                self._decide(chunk[at + HEADER_SIZE : behind])
                if self.at == ROWS:
                    self._learn_opening(chunk[:behind])
            else:
                self._decide(chunk[at + HEADER_SIZE : behind])
                if self.stop:
                    return behind
            at = behind
            if self.done:
                break
        return at

    def _walk_rows(self, chunk: bytes, at: int, end: int) -> int:
        """Step over whole and half rows, the bulk of all bytes, with as little as possible for each."""
        begin, rows = at, 0
        last = end - _PEEK
        while at <= last and chunk[at + 4] < EOF_HEADER:
            length = chunk[at] | chunk[at + 1] << 8 | chunk[at + 2] << 16
            if length == 0 or length == MAX_PAYLOAD:
                break
            rows += 1
            at += HEADER_SIZE + length
        if at > begin:
            self.begun = True
            self.rows += rows
            self.sequence = self.sequence + rows & 0xFF
        if at > end:
            self._skip = at - end
            return end
        return at

    def _step(self, chunk: bytes, at: int, end: int) -> int:
        """Handle the one packet that begins at `at`; its undecided beginning is kept when the chunk ends too early."""
        if end - at < HEADER_SIZE:
            self._tail = chunk[at:]
            return end
        length = chunk[at] | chunk[at + 1] << 8 | chunk[at + 2] << 16
        self.sequence = chunk[at + 3]
        if self._continued:
            return self._pass_packet(length, at, end)
        if end - at < _PEEK and length:
            self._tail = chunk[at:]
            return end
        if not length:
            raise MalformedPacket("an empty packet inside a reply")
        first = chunk[at + 4]
        if self.at == ROWS and not self.ends_rows(first, length):
            self.begun = True
            self.rows += 1
            return self._pass_packet(length, at, end)
        if end - at < HEADER_SIZE + length:
            self._tail = chunk[at:]
            return end
        # Definitions count only when they are whole: the last one of a prepared statement can be the end of the reply.
        self.take(chunk[at + HEADER_SIZE : at + HEADER_SIZE + length])
        return at + HEADER_SIZE + length

    def _pass_packet(self, length: int, at: int, end: int) -> int:
        # A payload of the maximal length goes on in the next packet, whose first byte then means nothing.
        self._continued = length == MAX_PAYLOAD
        at += HEADER_SIZE + length
        if at > end:
            self._skip = at - end
            return end
        return at

    def _skip_body(self, at: int, end: int) -> int:
        step = min(self._skip, end - at)
        self._skip -= step
        return at + step

    def _finish_tail(self, chunk: bytes) -> int:
        """Complete the packet whose beginning the last chunk ended with; returns where the next one begins."""
        tail = self._tail
        self._tail = b""
        known = len(tail)
        wanted = _PEEK
        if known >= HEADER_SIZE:
            wanted = max(_PEEK, HEADER_SIZE + (tail[0] | tail[1] << 8 | tail[2] << 16))
        taken = wanted - known
        joined = tail + chunk[:taken]
        used = self._step(joined, 0, len(joined))
        if self._tail and taken < len(chunk):
            # The length is known only now, and more of the packet is needed to decide.
            return taken + self._finish_tail(chunk[taken:])
        return used - known
