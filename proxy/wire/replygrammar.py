"""What the packets of a reply mean, one after the other: what comes next, and when it is over.

Knows nothing of chunks and headers; `proxy.wire.exchange` finds the packets in the bytes that arrive.
"""

from enum import IntEnum
from typing import Final

from proxy.wire.capabilities import Layout
from proxy.wire.constants import (
    EOF_HEADER,
    ERR_HEADER,
    LOCAL_INFILE_HEADER,
    MAX_PAYLOAD,
    OK_HEADER,
    PROGRESS_REPORT,
    SERVER_MORE_RESULTS_EXISTS,
    SERVER_PS_OUT_PARAMS,
    SERVER_SESSION_STATE_CHANGED,
    SERVER_STATUS_CURSOR_EXISTS,
)
from proxy.wire.errors import MalformedPacket
from proxy.wire.primitives import read_lenenc_int
from proxy.wire.sessiontrack import SessionTrack, parse_ok_track


class Reply(IntEnum):
    """The shapes a reply can have; which command has which is in `proxy.wire.commands`."""

    RESULT = 0  # OK, ERR, or columns and rows; several of them when the status says so
    ROWS = 1  # packets up to an EOF, OK or ERR: COM_STMT_FETCH, COM_FIELD_LIST
    PREPARED = 2  # the header of a prepared statement, then parameters and columns
    SINGLE = 3  # one packet of any content: COM_STATISTICS
    NONE = 4  # the server does not answer


# What the next packet is. Plain numbers: looking a member of an enumeration up costs more than the rest of a packet.
FIRST: Final = 0
COLUMNS: Final = 1
COLUMNS_END: Final = 2
ROWS: Final = 3
PREPARED: Final = 4
DEFINITIONS: Final = 5
DEFINITIONS_END: Final = 6
SINGLE: Final = 7
DONE: Final = 8

BEGINNINGS: Final = {
    Reply.RESULT: FIRST,
    Reply.ROWS: ROWS,
    Reply.PREPARED: PREPARED,
    Reply.SINGLE: SINGLE,
    Reply.NONE: DONE,
}
# An EOF packet is the header, the warnings and the status; anything longer with that first byte is something else.
_EOF_LIMIT: Final = 9
# Under CLIENT_DEPRECATE_EOF the packet that ends rows is an OK in all but its header, of at least so many bytes.
_SHORTEST_OK: Final = 7
_PREPARED_SIZE: Final = 12
_NONE_FOLLOW: Final = b"\0"


class ReplyGrammar:
    """Where one reply is. `layout` is that of the connection that it arrives on.

    After the reply: `done` is True, `status` holds the last status flags seen (-1 if none), `errno` the number of the
    error that ended it (0 if none). `begun` turns True with the first packet that is not an error. `prepared` are the
    number, columns and parameters of a statement that was prepared. `file_wanted` turns True when the server asks for a
    file of the client's: the rest of the reply follows once it has that. `told` is what the server said of the
    session's state, the last word on each part of it. `warned` tells whether SHOW WARNINGS may have something to show.

    `rows` are how many rows it has so far, of all its results, and `affected` how many its statements say they changed.

    `at` is what the next packet is, `remaining` how many definitions are left in a group of them.
    """

    # Defaults of the class for what most replies set, or are not asked for: the others are cheaper to set for each than
    # to look for in vain in the instance.
    status: int = -1
    file_wanted: bool = False
    told: SessionTrack | None = None
    rows: int = 0
    remaining: int = 0
    _groups: tuple[int, ...] = ()

    def __init__(self, reply: Reply, layout: Layout) -> None:
        self.at = BEGINNINGS[reply]
        self._layout = layout
        self.done = self.at == DONE
        self.begun = self.warned = False
        self.errno = self.affected = 0
        self.prepared: tuple[int, int, int] | None = None

    @property
    def shape(self) -> Reply:
        """Which shape the reply has; only before its first packet."""
        return next(reply for reply, beginning in BEGINNINGS.items() if beginning == self.at)

    def ends_rows(self, first: int, length: int) -> bool:
        """Whether a packet among rows is none, by its first byte and its length."""
        if first == ERR_HEADER:
            return True
        return first == EOF_HEADER and length < (MAX_PAYLOAD if self._layout.deprecate_eof else _EOF_LIMIT)

    def take(self, payload: bytes) -> None:
        """Act on any whole packet that is no row."""
        if self.at in (COLUMNS, DEFINITIONS) and payload[0] != ERR_HEADER:
            self._count_definition()
        else:
            self._decide(payload)

    def _decide(self, payload: bytes) -> None:
        """Act on a packet that decides how the reply goes on."""
        if payload[0] == ERR_HEADER:
            self._fail(payload)
        elif self.at == ROWS:
            self._end_result(payload)
        elif self.at == FIRST:
            self._first(payload)
        elif self.at == COLUMNS_END:
            self._end_columns(payload)
        elif self.at == PREPARED:
            self._prepared(payload)
        elif self.at == DEFINITIONS_END:
            self._next_definitions()
        else:
            self._finish()

    def _fail(self, payload: bytes) -> None:
        if len(payload) < 3:
            raise MalformedPacket("an ERR packet without a number")
        errno = payload[1] | payload[2] << 8
        if errno == PROGRESS_REPORT and self._layout.progress:
            # Not an error: how far a long statement is. The client is waiting for this one.
            self.begun = True
            return
        self.errno = errno
        self.warned = True
        self.at = DONE
        self.done = True

    def _finish(self) -> None:
        self.begun = True
        self.at = DONE
        self.done = True

    def _first(self, payload: bytes) -> None:
        first = payload[0]
        if first in (OK_HEADER, EOF_HEADER):
            # COM_SET_OPTION and COM_DEBUG answer with an EOF where other commands have an OK.
            self._end_result(payload)
        elif first == LOCAL_INFILE_HEADER:
            self._ask_for_file()
        else:
            count, at = read_lenenc_int(payload, 0)
            self._begin_columns(count)
            if self._layout.metadata_flag and payload[at:] == _NONE_FOLLOW:
                self._end_definitions()

    def _ask_for_file(self) -> None:
        if not self._layout.local_files:
            raise MalformedPacket("the server asks for a local file, which was not offered to it")
        self.begun = True
        self.file_wanted = True

    def _begin_columns(self, count: int) -> None:
        if not count:
            raise MalformedPacket("a result without columns")
        self.begun = True
        self.remaining = count
        self.at = COLUMNS

    def _count_definition(self) -> None:
        self.remaining -= 1
        if not self.remaining:
            self._end_definitions()

    def _end_definitions(self) -> None:
        if self.at == COLUMNS:
            self.at = ROWS if self._layout.deprecate_eof else COLUMNS_END
        elif self._layout.deprecate_eof:
            self._next_definitions()
        else:
            self.at = DEFINITIONS_END

    def _end_columns(self, payload: bytes) -> None:
        self.status, warnings = _eof_status(payload)
        if warnings:
            self.warned = True
        if self.status & SERVER_STATUS_CURSOR_EXISTS:
            # The rows wait on the server until the client fetches them.
            self._finish()
        else:
            self.at = ROWS

    def _end_result(self, payload: bytes) -> None:
        limit = _SHORTEST_OK if self._layout.deprecate_eof else _EOF_LIMIT
        eof = payload[0] == EOF_HEADER and len(payload) < limit
        if eof:
            status, warnings = _eof_status(payload)
        else:
            affected, status, warnings = _ok_status(payload)
            self.affected += affected
        if status & SERVER_SESSION_STATE_CHANGED and self._layout.session_track:
            self._hear(payload)
        self._end(status, warnings)

    def _hear(self, payload: bytes) -> None:
        """Note what a packet tells of the session's state; an EOF of MariaDB's only that there is something."""
        is_ok = len(payload) >= _SHORTEST_OK
        told = parse_ok_track(payload) if is_ok else SessionTrack(changed=True)
        self.told = told if self.told is None else self.told.followed_by(told)

    def _end(self, status: int, warnings: int = 0) -> None:
        """A result is complete; `status` tells whether another one follows."""
        # On MariaDB a later one of several statements can leave those of an earlier one, and tells of none.
        if warnings:
            self.warned = True
        more = status & SERVER_MORE_RESULTS_EXISTS
        if self.status >= SERVER_PS_OUT_PARAMS and self.status & SERVER_PS_OUT_PARAMS and self.at == ROWS:
            # An OK follows a procedure's OUT parameters. MySQL tells so in the EOF before them, not in the one behind;
            # its own client library (cli_read_binary_rows) makes up for that, too.
            more = SERVER_MORE_RESULTS_EXISTS
        self.status = status
        self.begun = True
        if more:
            self.at = FIRST
        else:
            self.at = DONE
            self.done = True

    def _prepared(self, payload: bytes) -> None:
        if payload[0] != OK_HEADER or len(payload) < _PREPARED_SIZE - 3:
            raise MalformedPacket("a prepared statement's reply begins with 0x00 and its numbers")
        statement = int.from_bytes(payload[1:5], "little")
        columns, parameters = int.from_bytes(payload[5:7], "little"), int.from_bytes(payload[7:9], "little")
        self.begun = True
        self.prepared = (statement, columns, parameters)
        self._groups = tuple(count for count in (parameters, columns) if count)
        if self._layout.metadata_flag and payload[_PREPARED_SIZE:] == _NONE_FOLLOW:
            # Empty groups, but each still has its end.
            self._groups = (0,) * len(self._groups)
        self._next_definitions()

    def _next_definitions(self) -> None:
        if not self._groups:
            self._finish()
            return
        self.remaining, self._groups = self._groups[0], self._groups[1:]
        self.at = DEFINITIONS
        if not self.remaining:
            self._end_definitions()


def _eof_status(payload: bytes) -> tuple[int, int]:
    """Status and number of warnings."""
    if payload[0] != EOF_HEADER or len(payload) < 5:
        raise MalformedPacket("an EOF packet was expected")
    return payload[3] | payload[4] << 8, payload[1] | payload[2] << 8


def _ok_status(payload: bytes) -> tuple[int, int, int]:
    """Affected rows, status and number of warnings."""
    affected, at = read_lenenc_int(payload, 1)
    _, at = read_lenenc_int(payload, at)
    if at + 2 > len(payload):
        raise MalformedPacket("an OK packet without a status")
    warnings = int.from_bytes(payload[at + 2 : at + 4], "little")
    return affected, payload[at] | payload[at + 1] << 8, warnings
