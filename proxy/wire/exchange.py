"""One machine per command: is the server's reply over, and with what status?

The reply is never decoded. An Exchange walks from packet header to packet header, looks at the few bytes that decide,
and lets everything else pass: chunks are forwarded as they came. A chunk may end anywhere, also inside a header.
"""

from enum import IntEnum
from typing import Final

from proxy.wire.capabilities import Layout
from proxy.wire.constants import (
    EOF_HEADER,
    ERR_HEADER,
    HEADER_SIZE,
    LOCAL_INFILE_HEADER,
    MAX_PAYLOAD,
    OK_HEADER,
    SERVER_MORE_RESULTS_EXISTS,
    SERVER_PS_OUT_PARAMS,
    SERVER_STATUS_AUTOCOMMIT,
    SERVER_STATUS_CURSOR_EXISTS,
)
from proxy.wire.errors import MalformedPacket
from proxy.wire.openings import Openings
from proxy.wire.primitives import read_lenenc_int


class Reply(IntEnum):
    """The shapes a reply can have; which command has which is in `proxy.wire.commands`."""

    RESULT = 0  # OK, ERR, or columns and rows; several of them when the status says so
    ROWS = 1  # packets up to an EOF, OK or ERR: COM_STMT_FETCH, COM_FIELD_LIST
    PREPARED = 2  # the header of a prepared statement, then parameters and columns
    SINGLE = 3  # one packet of any content: COM_STATISTICS
    NONE = 4  # the server does not answer


# What the next packet is. Plain numbers: looking a member of an enumeration up costs more than the rest of a packet.
_FIRST: Final = 0
_COLUMNS: Final = 1
_COLUMNS_END: Final = 2
_ROWS: Final = 3
_PREPARED: Final = 4
_DEFINITIONS: Final = 5
_DEFINITIONS_END: Final = 6
_SINGLE: Final = 7
_DONE: Final = 8

_BEGINNINGS: Final = {
    Reply.RESULT: _FIRST,
    Reply.ROWS: _ROWS,
    Reply.PREPARED: _PREPARED,
    Reply.SINGLE: _SINGLE,
    Reply.NONE: _DONE,
}
# An EOF packet is the header, the warnings and the status; anything longer with that first byte is something else.
_EOF_LIMIT: Final = 9
# Under CLIENT_DEPRECATE_EOF the packet that ends rows is an OK in all but its header, of at least so many bytes.
_SHORTEST_OK: Final = 7
# A smaller first byte of a length-encoded integer is the integer.
_ONE_BYTE_LIMIT: Final = 0xFB
_PREPARED_SIZE: Final = 12
_EOF_SIZE: Final = 5
# No warnings, autocommit on, no transaction open, nothing else to tell.
_USUAL_EOF: Final = bytes((EOF_HEADER, 0, 0, SERVER_STATUS_AUTOCOMMIT, 0))
_EOF_LENGTH: Final = b"\x05\x00\x00"
_EOF_PACKET_SIZE: Final = HEADER_SIZE + _EOF_SIZE
# An OK or ERR packet has to be read whole. Longer ones (session state information) are still bounded by the protocol.
_PEEK: Final = HEADER_SIZE + 1


class Exchange:
    """Follows one reply. `layout` is that of the connection that it arrives on, `openings` what is known of replies of
    that layout.

    After the reply: `done` is True, `status` holds the last status flags seen (-1 if none), `errno` the number of the
    error that ended it (0 if none). `begun` turns True with the first packet that is not an error, `boundary` tells
    whether everything seen so far ended with a whole packet, and `sequence` is the number of the last packet.
    """

    # Defaults of the class instead of assignments for each reply: most replies change few of them.
    done: bool = False
    begun: bool = False
    status: int = -1
    errno: int = 0
    sequence: int = 0
    prepared: tuple[int, int, int] | None = None
    _skip: int = 0
    _tail: bytes = b""
    _continued: bool = False
    _remaining: int = 0
    _groups: tuple[int, ...] = ()

    def __init__(self, reply: Reply, layout: Layout, openings: Openings | None = None) -> None:
        self._at = _BEGINNINGS[reply]
        self._deprecate_eof = layout.deprecate_eof
        self._openings = openings
        if self._at == _DONE:
            self.done = True

    @property
    def boundary(self) -> bool:
        """Whether the bytes seen so far end with a whole packet."""
        return not self._skip and not self._tail

    def feed(self, chunk: bytes) -> int:
        """Look at the next bytes; returns how many of them belong to this reply (all, unless it is `done`)."""
        at = 0
        end = len(chunk)
        if self._openings is not None:
            at = self._skip_opening(chunk)
            if at and self._ends_shortly(chunk, at, end):
                return end
        if self._tail:
            at = self._finish_tail(chunk)
        if self._skip:
            at = self._skip_body(at, end)
        while at < end and not self.done:
            if not self._continued:
                at = self._walk(chunk, at, end)
                if self.done or at >= end:
                    break
            at = self._step(chunk, at, end)
        return at

    def _ends_shortly(self, chunk: bytes, at: int, end: int) -> bool:
        """Whether exactly one row and the usual EOF are left: by far the most frequent end of a reply."""
        eof = end - _EOF_PACKET_SIZE
        if eof - at < _PEEK or self._deprecate_eof or not chunk.endswith(_USUAL_EOF):
            return False
        row_ends = at + HEADER_SIZE + int.from_bytes(chunk[at : at + 3], "little")
        if row_ends != eof or chunk[at + 4] >= EOF_HEADER or chunk[eof : eof + 3] != _EOF_LENGTH:
            return False
        self.sequence = chunk[eof + 3]
        self._end(SERVER_STATUS_AUTOCOMMIT)
        return True

    def _skip_opening(self, chunk: bytes) -> int:
        """Step over the column definitions in one go, if the reply begins with some that are known."""
        openings = self._openings
        if openings is None or self._at != _FIRST or self._tail or self.begun:
            self._openings = None
            return 0
        length, sequence, status = openings.find(chunk)
        if length:
            self._openings = None
            self._at = _ROWS
            self.begun = True
            self.sequence = sequence
            self.status = status
        return length

    def _learn_opening(self, opening: bytes) -> None:
        if self._openings is not None:
            self._openings.learn(opening, self.sequence, self.status)
            self._openings = None

    def _walk(self, chunk: bytes, at: int, end: int) -> int:
        """Handle packets that are whole and ordinary; returns where another one begins.

        Nearly all replies are over before this returns, so there is little here for packets that decide nothing.
        """
        while end - at >= _PEEK:
            if self._at == _ROWS:
                at = self._walk_rows(chunk, at, end)
                if end - at < _PEEK:
                    return at
            length = chunk[at] | chunk[at + 1] << 8 | chunk[at + 2] << 16
            behind = at + HEADER_SIZE + length
            if behind > end or length == 0 or length == MAX_PAYLOAD:
                return at
            self.sequence = chunk[at + 3]
            if (self._at == _COLUMNS or self._at == _DEFINITIONS) and chunk[at + 4] != ERR_HEADER:
                self._count_definition()
                if self._at == _ROWS:
                    self._learn_opening(chunk[:behind])
            elif self._at == _FIRST and length == 1 and 0 < chunk[at + 4] < _ONE_BYTE_LIMIT:
                self._begin_columns(chunk[at + 4])
            elif self._at == _ROWS and length == _EOF_SIZE and chunk[at + 4] == EOF_HEADER and not self._deprecate_eof:
                self._end(chunk[at + 7] | chunk[at + 8] << 8)
            elif self._at == _ROWS and not self._ends_rows(chunk[at + 4], length):
                self.begun = True
            elif self._at == _COLUMNS_END:
                self._decide(chunk[at + HEADER_SIZE : behind])
                if self._at == _ROWS:
                    self._learn_opening(chunk[:behind])
            else:
                self._decide(chunk[at + HEADER_SIZE : behind])
            at = behind
            if self.done:
                break
        return at

    def _walk_rows(self, chunk: bytes, at: int, end: int) -> int:
        """Step over whole and half rows, the bulk of all bytes, with as little as possible for each."""
        begin = row = at
        last = end - _PEEK
        while at <= last and chunk[at + 4] < EOF_HEADER:
            length = chunk[at] | chunk[at + 1] << 8 | chunk[at + 2] << 16
            if length == 0 or length == MAX_PAYLOAD:
                break
            row = at
            at += HEADER_SIZE + length
        if at > begin:
            self.begun = True
            self.sequence = chunk[row + 3]
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
        if self._at == _ROWS and not self._ends_rows(first, length):
            self.begun = True
            return self._pass_packet(length, at, end)
        if end - at < HEADER_SIZE + length:
            self._tail = chunk[at:]
            return end
        if self._at in (_COLUMNS, _DEFINITIONS) and first != ERR_HEADER:
            # Only a whole one counts: the last definition of a prepared statement can be the end of the reply.
            self._count_definition()
        else:
            self._decide(chunk[at + HEADER_SIZE : at + HEADER_SIZE + length])
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

    def _ends_rows(self, first: int, length: int) -> bool:
        if first == ERR_HEADER:
            return True
        return first == EOF_HEADER and length < (MAX_PAYLOAD if self._deprecate_eof else _EOF_LIMIT)

    def _decide(self, payload: bytes) -> None:
        """Act on a packet that decides how the reply goes on."""
        if payload[0] == ERR_HEADER:
            self._fail(payload)
        elif self._at == _ROWS:
            self._end_result(payload)
        elif self._at == _FIRST:
            self._first(payload)
        elif self._at == _COLUMNS_END:
            self._end_columns(payload)
        elif self._at == _PREPARED:
            self._prepared(payload)
        elif self._at == _DEFINITIONS_END:
            self._next_definitions()
        else:
            self._finish()

    def _fail(self, payload: bytes) -> None:
        if len(payload) < 3:
            raise MalformedPacket("an ERR packet without a number")
        self.errno = payload[1] | payload[2] << 8
        self._at = _DONE
        self.done = True

    def _finish(self) -> None:
        self.begun = True
        self._at = _DONE
        self.done = True

    def _first(self, payload: bytes) -> None:
        first = payload[0]
        if first == OK_HEADER:
            self._end_result(payload)
        elif first == EOF_HEADER:
            # COM_SET_OPTION and COM_DEBUG answer with an EOF where other commands have an OK.
            self._end_result(payload)
        elif first == LOCAL_INFILE_HEADER:
            raise MalformedPacket("the server asks for a local file, which was not offered to it")
        else:
            self._begin_columns(read_lenenc_int(payload, 0)[0])

    def _begin_columns(self, count: int) -> None:
        if not count:
            raise MalformedPacket("a result without columns")
        self.begun = True
        self._remaining = count
        self._at = _COLUMNS

    def _count_definition(self) -> None:
        self._remaining -= 1
        if self._remaining:
            return
        if self._at == _COLUMNS:
            self._at = _ROWS if self._deprecate_eof else _COLUMNS_END
        elif self._deprecate_eof:
            self._next_definitions()
        else:
            self._at = _DEFINITIONS_END

    def _end_columns(self, payload: bytes) -> None:
        self.status = _eof_status(payload)
        if self.status & SERVER_STATUS_CURSOR_EXISTS:
            # The rows wait on the server until the client fetches them.
            self._finish()
        else:
            self._at = _ROWS

    def _end_result(self, payload: bytes) -> None:
        limit = _SHORTEST_OK if self._deprecate_eof else _EOF_LIMIT
        eof = payload[0] == EOF_HEADER and len(payload) < limit
        self._end(_eof_status(payload) if eof else _ok_status(payload))

    def _end(self, status: int) -> None:
        """A result is complete; `status` tells whether another one follows."""
        more = status & SERVER_MORE_RESULTS_EXISTS
        if self.status & SERVER_PS_OUT_PARAMS and self.status > 0 and self._at == _ROWS:
            # An OK follows a procedure's OUT parameters. MySQL tells so in the EOF before them, not in the one behind;
            # its own client library (cli_read_binary_rows) makes up for that, too.
            more = SERVER_MORE_RESULTS_EXISTS
        self.status = status
        self.begun = True
        if more:
            self._at = _FIRST
        else:
            self._at = _DONE
            self.done = True

    def _prepared(self, payload: bytes) -> None:
        if payload[0] != OK_HEADER or len(payload) < _PREPARED_SIZE - 3:
            raise MalformedPacket("a prepared statement's reply begins with 0x00 and its numbers")
        statement = int.from_bytes(payload[1:5], "little")
        columns, parameters = int.from_bytes(payload[5:7], "little"), int.from_bytes(payload[7:9], "little")
        self.begun = True
        self.prepared = (statement, columns, parameters)
        self._groups = tuple(count for count in (parameters, columns) if count)
        self._next_definitions()

    def _next_definitions(self) -> None:
        if self._groups:
            self._remaining, self._groups = self._groups[0], self._groups[1:]
            self._at = _DEFINITIONS
        else:
            self._finish()


def _eof_status(payload: bytes) -> int:
    if payload[0] != EOF_HEADER or len(payload) < 5:
        raise MalformedPacket("an EOF packet was expected")
    return payload[3] | payload[4] << 8


def _ok_status(payload: bytes) -> int:
    _, at = read_lenenc_int(payload, 1)
    _, at = read_lenenc_int(payload, at)
    if at + 2 > len(payload):
        raise MalformedPacket("an OK packet without a status")
    return payload[at] | payload[at + 1] << 8
