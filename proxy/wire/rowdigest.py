"""What tells two replies apart, whatever order their rows come in: a digest of each row, and their sum.

Of a result only rows count: definitions, numbers of packets, warnings and status may differ between two servers. Of an
OK count the rows that were changed, the insert id and the number of warnings, of an error its number.
"""

from hashlib import blake2b
from typing import Final

from proxy.wire.capabilities import Layout
from proxy.wire.constants import EOF_HEADER, HEADER_SIZE, MAX_PAYLOAD, OK_HEADER
from proxy.wire.errors import MalformedPacket
from proxy.wire.primitives import read_lenenc_int
from proxy.wire.replygrammar import FIRST, ROWS, Reply, ReplyGrammar

_SIZE: Final = 16
_LIMIT: Final = 1 << 8 * _SIZE


class RowDigest:
    """Follows one reply of shape RESULT in the layout of a client. `rows` is how many rows there were so far."""

    def __init__(self, layout: Layout) -> None:
        self.rows = 0
        self._sum = 0
        self._ok = (0, 0, 0)
        self._grammar = ReplyGrammar(Reply.RESULT, layout)
        self._rest = b""
        self._row = blake2b(digest_size=_SIZE)
        self._left = 0
        self._continued = False

    @property
    def value(self) -> tuple[int, ...]:
        """Equal for equal replies: rows, their sum, rows changed, insert id, warnings, error number."""
        return (self.rows, self._sum, *self._ok, self._grammar.errno)

    def feed(self, chunk: bytes) -> None:
        """The next bytes of the reply. Raises MalformedPacket."""
        data, self._rest = self._rest + chunk, b""
        at, end = 0, len(data)
        while at < end:
            if self._grammar.at == ROWS and not (self._left or self._continued):
                at = self._whole_rows(data, at, end)
            used = self._take_row(data, at) if self._left else self._packet(data, at, end)
            if not used:
                self._rest = data[at:]
                return
            at += used

    def _whole_rows(self, data: bytes, at: int, end: int) -> int:
        """Take the rows that are whole and ordinary, the bulk of all bytes; returns where another packet begins."""
        total, begin = self._sum, at
        while end - at > HEADER_SIZE and data[at + HEADER_SIZE] < EOF_HEADER:
            length = data[at] | data[at + 1] << 8 | data[at + 2] << 16
            behind = at + HEADER_SIZE + length
            if behind > end or not length or length == MAX_PAYLOAD:
                break
            row = blake2b(data[at + HEADER_SIZE : behind], digest_size=_SIZE)
            total += int.from_bytes(row.digest(), "little")
            self.rows += 1
            at = behind
        if at > begin:
            self._sum = total % _LIMIT
        return at

    def _packet(self, data: bytes, at: int, end: int) -> int:
        """Handle the packet that begins at `at`; how many bytes of it were used, 0 when more of it has to be there."""
        if end - at < HEADER_SIZE:
            return 0
        length, body = int.from_bytes(data[at : at + 3], "little"), at + HEADER_SIZE
        if self._continued:
            return self._begin_row(length)
        if not length:
            raise MalformedPacket("an empty packet inside a reply")
        if end == body:
            return 0
        if self._grammar.at == ROWS and not self._grammar.ends_rows(data[body], length):
            return self._begin_row(length)
        if end - body < length:
            return 0
        self._take(data[body : body + length])
        return HEADER_SIZE + length

    def _take(self, payload: bytes) -> None:
        if self._grammar.at == FIRST and payload[0] == OK_HEADER:
            changed, at = read_lenenc_int(payload, 1)
            insert_id, at = read_lenenc_int(payload, at)
            self._ok = (changed, insert_id, int.from_bytes(payload[at + 2 : at + 4], "little"))
        self._grammar.take(payload)

    def _begin_row(self, length: int) -> int:
        # A payload of the maximal length goes on in the next packet, which can be empty.
        self._continued = length == MAX_PAYLOAD
        self._left = length
        if not length:
            self._end_row()
        return HEADER_SIZE

    def _take_row(self, data: bytes, at: int) -> int:
        piece = data[at : at + self._left]
        self._row.update(piece)
        self._left -= len(piece)
        if not self._left and not self._continued:
            self._end_row()
        return len(piece)

    def _end_row(self) -> None:
        self.rows += 1
        self._sum = (self._sum + int.from_bytes(self._row.digest(), "little")) % _LIMIT
        self._row = blake2b(digest_size=_SIZE)
