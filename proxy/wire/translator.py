"""Turns the replies of a server into the layout that the client agreed on, where the two differ.

Only connections to servers that cannot do what the primary can need it; the replies of all others pass as they are.
Column definitions are never left out then, and an extended field in them is empty.
"""

from dataclasses import replace
from typing import Final

from proxy.wire.capabilities import Layout
from proxy.wire.constants import (
    EOF_HEADER,
    ERR_HEADER,
    HEADER_SIZE,
    MAX_PAYLOAD,
    OK_HEADER,
    SERVER_MORE_RESULTS_EXISTS,
    SERVER_SESSION_STATE_CHANGED,
    SERVER_STATUS_AUTOCOMMIT,
    SERVER_STATUS_CURSOR_EXISTS,
)
from proxy.wire.errors import MalformedPacket
from proxy.wire.framing import frame
from proxy.wire.primitives import read_lenenc_int
from proxy.wire.replies import Ok, eof_payload, ok_payload, parse_eof, parse_whole_ok
from proxy.wire.replygrammar import (
    COLUMNS,
    COLUMNS_END,
    DEFINITIONS,
    DEFINITIONS_END,
    FIRST,
    PREPARED,
    ROWS,
    Reply,
    ReplyGrammar,
)
from proxy.wire.sessiontrack import without_track

# A shorter packet of this kind is no OK.
_SHORTEST_OK: Final = 7
# Between definitions and rows nothing is known yet of what the server would have said there; clients use none of it.
_EOF_BETWEEN: Final = eof_payload(Ok(status=SERVER_STATUS_AUTOCOMMIT))
# Behind the number of columns: their definitions follow.
_FOLLOW: Final = b"\1"
# Of a definition: what comes before the extended field, catalog, schema, table, its name, column, and its name.
_NAMES: Final = 6


def differs(server: Layout, client: Layout) -> bool:
    """Whether replies of a server have to be translated for a client.

    What it says of the session's state is not reason enough: that can be left out by itself.
    """
    return (
        server.deprecate_eof != client.deprecate_eof
        or server.metadata_flag != client.metadata_flag
        or server.extended_metadata != client.extended_metadata
    )


class Translator:
    """Follows one reply. `sequence` is the number of the last packet that was given out."""

    def __init__(self, reply: Reply, server: Layout, client: Layout) -> None:
        self.sequence = 0
        self._grammar = ReplyGrammar(reply, server)
        self._server = server
        self._client = client
        self._begun = False
        self._rest = b""
        self._left = 0
        self._continued = False
        self._owes_eof = False
        self._flags = client.metadata_flag and not server.metadata_flag
        self._extends = client.extended_metadata and not server.extended_metadata

    def feed(self, chunk: bytes) -> bytes:
        """What the client gets of the next bytes. Raises MalformedPacket."""
        data, self._rest = self._rest + chunk, b""
        out: list[bytes] = []
        at, end = 0, len(data)
        while at < end:
            if self._left:
                step = min(self._left, end - at)
                out.append(data[at : at + step])
                self._left -= step
                at += step
                continue
            used = self._packet(data, at, end, out)
            if not used:
                self._rest = data[at:]
                break
            at += used
        return b"".join(out)

    def _packet(self, data: bytes, at: int, end: int, out: list[bytes]) -> int:
        """Handle the packet that begins at `at`; how many bytes of it were used, 0 when more of it has to be there."""
        if end - at < HEADER_SIZE:
            return 0
        length, number, body = int.from_bytes(data[at : at + 3], "little"), data[at + 3], at + HEADER_SIZE
        if self._continued:
            return self._pass(length, number, out)
        if not length:
            raise MalformedPacket("an empty packet inside a reply")
        if end == body:
            return 0
        if self._grammar.at == ROWS and not self._grammar.ends_rows(data[body], length):
            out += [frame(payload, self._next(number)) for payload in self._owed()]
            return self._pass(length, number, out)
        if end - body < length:
            return 0
        out += [frame(payload, self._next(number)) for payload in self._translated(data[body : body + length])]
        return HEADER_SIZE + length

    def _pass(self, length: int, number: int, out: list[bytes]) -> int:
        """Give out a packet of a row: only its number changes."""
        self._continued = length == MAX_PAYLOAD
        self._left = length
        out.append(length.to_bytes(3, "little") + bytes((self._next(number),)))
        return HEADER_SIZE

    def _next(self, number: int) -> int:
        """The number of the next packet to the client; that of the first one is the server's."""
        if self._begun:
            number = (self.sequence + 1) & 0xFF
        self._begun = True
        self.sequence = number
        return number

    def _owed(self) -> list[bytes]:
        owed, self._owes_eof = self._owes_eof, False
        return [_EOF_BETWEEN] if owed else []

    def _translated(self, payload: bytes) -> list[bytes]:
        """What the client gets for a packet that is no row."""
        grammar = self._grammar
        before, remaining = grammar.at, grammar.remaining
        grammar.take(payload)
        if payload[0] == ERR_HEADER:
            return [*self._owed(), payload]
        if before == ROWS or (before == FIRST and payload[0] in (OK_HEADER, EOF_HEADER)):
            return self._end(payload)
        if before == COLUMNS_END and grammar.done:
            return self._end(payload)
        if before in (COLUMNS_END, DEFINITIONS_END):
            return [] if self._client.deprecate_eof else [payload]
        if before == FIRST and self._flags and grammar.at == COLUMNS:
            payload += _FOLLOW
        elif before in (COLUMNS, DEFINITIONS) and self._extends:
            payload = _extended(payload)
        if self._server.deprecate_eof and not self._client.deprecate_eof:
            return [*self._owed(), payload, *self._missing(before, remaining)]
        return [payload]

    def _missing(self, before: int, remaining: int) -> list[bytes]:
        """The EOFs that the server leaves out behind a packet. One before rows may be the end, and so has to wait."""
        grammar = self._grammar
        if before in (FIRST, COLUMNS):
            self._owes_eof = grammar.at == ROWS
        elif before == DEFINITIONS and remaining == 1:
            return [_EOF_BETWEEN]
        elif before == PREPARED and grammar.done and grammar.prepared is not None:
            return [_EOF_BETWEEN for count in grammar.prepared[1:] if count]
        return []

    def _end(self, payload: bytes) -> list[bytes]:
        """The end of a result: an OK, an EOF, or an OK in an EOF's place."""
        is_eof = payload[0] == EOF_HEADER and (not self._server.deprecate_eof or len(payload) < _SHORTEST_OK)
        ok, rest = (parse_eof(payload), b"") if is_eof else parse_whole_ok(payload)
        if not self._grammar.done:
            # Behind a procedure's OUT parameters MySQL says so in an OK, but not in an EOF.
            ok = replace(ok, status=ok.status | SERVER_MORE_RESULTS_EXISTS)
        if ok.status & SERVER_SESSION_STATE_CHANGED and not self._client.session_track:
            ok, rest = without_track(ok, rest)
        owed = self._owed()
        if ok.status & SERVER_STATUS_CURSOR_EXISTS:
            # No rows follow, so there is only one EOF.
            owed = []
        if payload[0] == EOF_HEADER and not self._client.deprecate_eof:
            return [*owed, eof_payload(ok)]
        return [*owed, ok_payload(ok, payload[0], rest)]


def _extended(definition: bytes) -> bytes:
    at = 0
    for _ in range(_NAMES):
        size, at = read_lenenc_int(definition, at)
        at += size
    if at > len(definition):
        raise MalformedPacket("a column definition that ends too early")
    return definition[:at] + b"\0" + definition[at:]
