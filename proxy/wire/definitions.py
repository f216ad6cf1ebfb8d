"""Column definitions that a server leaves out because its client has them (MARIADB_CLIENT_CACHE_METADATA).

A server compares the definitions of an execution with those that it sent last for the same prepared statement. A client
keeps those that it was sent last, by whichever server. `Executed` puts a server's in where they are not the client's.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from proxy.wire.capabilities import Layout
from proxy.wire.constants import EOF_HEADER, ERR_HEADER, HEADER_SIZE, LOCAL_INFILE_HEADER, OK_HEADER, PROGRESS_REPORT
from proxy.wire.errors import MalformedPacket
from proxy.wire.framing import frame, payload_length
from proxy.wire.primitives import lenenc_int, read_lenenc_int

# Of larger ones only the digest is kept: enough to tell whether they are the same, not to put them in.
_MOST_KEPT: Final = 8 * 1024
_PREPARED_SIZE: Final = 9
_NO_RESULT: Final = (OK_HEADER, ERR_HEADER, EOF_HEADER, LOCAL_INFILE_HEADER)
_PROGRESS: Final = bytes((ERR_HEADER,)) + PROGRESS_REPORT.to_bytes(2, "little")


@dataclass(frozen=True, slots=True)
class Definitions:
    """The definitions of one result's columns, as payloads if they are few enough. Equal when they are the same."""

    digest: bytes
    payloads: tuple[bytes, ...] | None


def definitions_of(payloads: list[bytes]) -> Definitions:
    """Keep these."""
    digest = sha256(b"".join(lenenc_int(len(payload)) + payload for payload in payloads)).digest()
    kept = sum(map(len, payloads)) <= _MOST_KEPT
    return Definitions(digest, tuple(payloads) if kept else None)


def prepared_columns(reply: bytes, layout: Layout) -> Definitions:
    """The columns' definitions in the whole reply to a COM_STMT_PREPARE."""
    payloads = _payloads(reply)
    head = payloads[0]
    if len(head) < _PREPARED_SIZE:
        raise MalformedPacket("a prepared statement's reply begins with its numbers")
    columns, parameters = int.from_bytes(head[5:7], "little"), int.from_bytes(head[7:9], "little")
    first = 1 + parameters + (parameters > 0 and not layout.deprecate_eof)
    return definitions_of(payloads[first : first + columns])


def leaves_out(chunk: bytes) -> bool:
    """Whether a reply to an execution begins with a number of columns, below 251, whose definitions do not follow."""
    return (
        len(chunk) > HEADER_SIZE + 2
        and chunk.startswith(b"\2\0\0")
        and 0 < chunk[4] < LOCAL_INFILE_HEADER
        and not chunk[5]
    )


def _payloads(data: bytes) -> list[bytes]:
    """The whole packets that `data` begins with."""
    found, at = [], 0
    while len(data) - at >= HEADER_SIZE:
        end = at + HEADER_SIZE + payload_length(data, at)
        if end > len(data):
            break
        found.append(data[at + HEADER_SIZE : end])
        at = end
    return found


class Executed:
    """Follows the reply to an execution. `sent` are the definitions that the server sent last for the statement, `held`
    those that the client has; None if that is not known.

    Both are as they are after what was fed; `settled` turns True when the rest of the reply cannot change them.
    `sequence` is the number of the last packet given out once it is another than the server's, else -1.
    """

    def __init__(self, sent: Definitions | None, held: Definitions | None) -> None:
        self.sent = sent
        self.held = held
        self.settled = False
        self.sequence = -1
        self._data = b""
        self._given = 0
        self._shifted: Shift | None = None

    def feed(self, chunk: bytes) -> bytes:
        """What the client gets of the next bytes. Raises MalformedPacket."""
        if self._shifted is not None:
            return self._shift(self._shifted, chunk)
        if self.settled:
            return chunk
        self._data += chunk
        return self._head(_payloads(self._data))

    def _head(self, payloads: list[bytes]) -> bytes:
        """Look at the beginning of the reply. It is held until it is clear whether definitions follow."""
        number = next((index for index, each in enumerate(payloads) if not each.startswith(_PROGRESS)), None)
        if number is None:
            return self._rest()
        first = payloads[number]
        if not first:
            raise MalformedPacket("an empty packet inside a reply")
        if first[0] in _NO_RESULT:
            return self._settle()
        count, at = read_lenenc_int(first, 0)
        if first[at:] == b"\0":
            return self._left_out(payloads[:number], count)
        return self._follow(payloads[number + 1 :], count)

    def _rest(self) -> bytes:
        """Nothing but reports of progress so far, which the client waits for."""
        whole, at = 0, 0
        for payload in _payloads(self._data):
            at += HEADER_SIZE + len(payload)
            whole = at
        given, self._given = self._data[self._given : whole], whole
        return given

    def _settle(self) -> bytes:
        self.settled = True
        given, self._data = self._data[self._given :], b""
        return given

    def _follow(self, definitions: list[bytes], count: int) -> bytes:
        if len(definitions) < count:
            given, self._given = self._data[self._given :], len(self._data)
            return given
        if any(payload[:1] == bytes((ERR_HEADER,)) for payload in definitions[:count]):
            self.sent = self.held = None
        else:
            self.sent = self.held = definitions_of(definitions[:count])
        return self._settle()

    def _left_out(self, before: list[bytes], count: int) -> bytes:
        if self.sent is not None and self.sent == self.held:
            return self._settle()
        if self.sent is None or self.sent.payloads is None or len(self.sent.payloads) != count:
            raise MalformedPacket("definitions are left out that the client cannot have")
        at = sum(HEADER_SIZE + len(payload) for payload in before)
        behind, first = at + HEADER_SIZE + payload_length(self._data, at), self._data[at + 3]
        put_in = (lenenc_int(count) + b"\1", *self.sent.payloads)
        packets = b"".join(frame(payload, first + index) for index, payload in enumerate(put_in))
        head, rest = self._data[self._given : at], self._data[behind:]
        self.held, self.settled, self._data = self.sent, True, b""
        self.sequence = first + count & 0xFF
        self._shifted = Shift(count)
        return head + packets + self._shift(self._shifted, rest)

    def _shift(self, shifted: "Shift", chunk: bytes) -> bytes:
        renumbered = shifted.feed(chunk)
        if shifted.sequence >= 0:
            self.sequence = shifted.sequence
        return renumbered


class Shift:
    """Renumbers packets: each gets a number that is higher by `count`. `sequence` is that of the last one, or -1."""

    def __init__(self, count: int) -> None:
        self.sequence = -1
        self._count = count
        self._header = b""
        self._left = 0

    def feed(self, chunk: bytes) -> bytes:
        """The next bytes, renumbered."""
        out: list[bytes] = []
        at = 0
        while at < len(chunk):
            if self._left:
                step = min(self._left, len(chunk) - at)
                out.append(chunk[at : at + step])
                self._left -= step
                at += step
                continue
            piece = chunk[at : at + HEADER_SIZE - len(self._header)]
            self._header += piece
            at += len(piece)
            if len(self._header) == HEADER_SIZE:
                self._left = payload_length(self._header)
                self.sequence = self._header[3] + self._count & 0xFF
                out.append(self._header[:3] + bytes((self.sequence,)))
                self._header = b""
        return b"".join(out)
