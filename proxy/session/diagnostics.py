"""What a session can still ask about its last statement after the connection that ran it went to another session.

Before that, the connection is asked for it; afterwards the session's questions are answered from what it said.
Observed on MariaDB 10.11 and MySQL 9.7: SHOW WARNINGS, SHOW ERRORS and GET DIAGNOSTICS change neither the warnings nor
FOUND_ROWS(), but ROW_COUNT(); a SELECT changes all of them. Pure.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from proxy.wire.errors import MalformedPacket
from proxy.wire.framing import PacketReader, frame
from proxy.wire.primitives import Reader, lenenc_bytes
from proxy.wire.replies import Err

_NUMBERS: Final = b"SELECT LAST_INSERT_ID(), ROW_COUNT(), FOUND_ROWS()"
# Where there are warnings, their texts go first. The variable's name is long enough to be nobody's.
_ROWS: Final = b"@`manyreads_row_count`"
QUESTIONS: Final = (_NUMBERS,)
QUESTIONS_WARNED: Final = (
    b"GET DIAGNOSTICS " + _ROWS + b" = ROW_COUNT",
    b"SHOW WARNINGS",
    b"SHOW ERRORS",
    b"SELECT LAST_INSERT_ID(), " + _ROWS + b", FOUND_ROWS()",
    b"SET " + _ROWS + b" = NULL",
)
_LARGEST_REPLY: Final = 1 << 24
_LIST: Final = re.compile(rb"SHOW (WARNINGS|ERRORS)(?: LIMIT (\d+)(?: ?(,|OFFSET) ?(\d+))?)?")
_GET: Final = re.compile(rb"GET (?:CURRENT )?DIAGNOSTICS (.*)", re.DOTALL)
_GIVEN: Final = re.compile(rb"(@\w+) ?= ?(ROW_COUNT|NUMBER)")
_ASKED: Final = re.compile(
    rb"(?:(ROW_COUNT|FOUND_ROWS|LAST_INSERT_ID) ?\( ?\)|@@(?:(?:SESSION|LOCAL) ?\. ?)?(WARNING_COUNT|ERROR_COUNT))"
    rb"(?: (?:AS )?(?:`\w+`|'\w+'|\w+))?"
)
_COUNTS: Final = {b"SHOW COUNT(*) WARNINGS": b"WARNING_COUNT", b"SHOW COUNT(*) ERRORS": b"ERROR_COUNT"}
_LOST: Final = Err(
    1105,
    "What this asks about the statement before is not known any more, because its server connection serves another "
    "session; ask in a form like SELECT ROW_COUNT() or SHOW WARNINGS, or set connection_sharing = session",
)
# As servers have them: the one with a sign, the other without.
_VALUE: Final = {b"ROW_COUNT": b"%s = %d", b"NUMBER": b"%s = CAST(%d AS UNSIGNED)"}
# Leaves no warnings.
_NOTHING: Final = b"DO 0"
# Of a row in the binary protocol: 0x00 and a bit for each column, from the third bit on.
_BITS_BEFORE: Final = 2
_INTEGER: Final = 8


@dataclass(frozen=True, slots=True)
class Kept:
    """What the functions LAST_INSERT_ID(), ROW_COUNT() and FOUND_ROWS() gave, and how many warnings and errors there
    were; what SHOW WARNINGS and SHOW ERRORS answered, as the client would have got it, empty when there were none."""

    insert_id: int
    row_count: int
    found_rows: int
    warning_count: int = 0
    error_count: int = 0
    warnings: bytes = b""
    errors: bytes = b""


def kept_after(kept: Kept, *, selects: bool, mariadb: bool) -> Kept | None:
    """What stays known after a question was answered by another connection; `selects` tells a SELECT from others.

    MariaDB's SELECT without a table leaves the warnings; MySQL's does not.
    """
    if not selects:
        return replace(kept, row_count=0)
    return replace(kept, row_count=-1, found_rows=1) if mariadb else None


# By column, the value that a row is given; None leaves what the server has said.
Values = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Retold:
    """How a question is answered: with a `reply` that is here, with an error, or by another connection, which has to
    run `before` and then `text`, or the question as it is if that is empty, and whose only row is given `values`."""

    reply: bytes = b""
    err: Err | None = None
    before: bytes = b""
    text: bytes = b""
    values: Values = ()


def kept_from(replies: list[bytes]) -> Kept:
    """From the replies to the questions. Raises MalformedPacket for a reply without the row that was asked for."""
    if len(replies) == len(QUESTIONS):
        return Kept(*_only_row(replies[0]))
    _, warnings, errors, numbers, _ = replies
    return Kept(*_only_row(numbers), _rows(warnings), _rows(errors), warnings, errors)


def _payloads(reply: bytes) -> list[tuple[int, bytes]]:
    reader = PacketReader(_LARGEST_REPLY)
    reader.feed(reply)
    payloads = []
    while (packet := reader.next()) is not None:
        payloads.append(packet)
    return payloads


def _rows(reply: bytes) -> int:
    """How many rows a list of warnings has."""
    return sum(_is_warning(payload) for _, payload in _payloads(reply))


def _is_warning(payload: bytes) -> bool:
    """Whether a packet is such a row: its first column is the level, a short word."""
    return payload[1:6] in (b"Error", b"Warni") or payload[1:5] == b"Note"


def _only_row(reply: bytes) -> tuple[int, int, int]:
    payloads = _payloads(reply)
    row = Reader(payloads[-2][1] if len(payloads) > 1 else b"")
    try:
        return int(row.lenenc_bytes()), int(row.lenenc_bytes()), int(row.lenenc_bytes())
    except ValueError:
        raise MalformedPacket("a connection that changes hands did not answer what was asked") from None


def retell(text: bytes, kept: Kept, *, prepared: bool) -> Retold:
    """How the question `text` is answered; `prepared` says that it is executed in the binary protocol."""
    words = b" ".join(text.rstrip(b" \t\r\n;").upper().split())
    if words in _COUNTS:
        return Retold(values=(_value(_COUNTS[words], kept),))
    if (found := _LIST.fullmatch(words)) is not None:
        return _list(found, kept, prepared)
    if words.startswith(b"SELECT ") and (values := _values(words[7:], kept)):
        return Retold(values=values)
    if (given := _GET.fullmatch(words)) is not None and (text := _assignments(given[1], kept)):
        return Retold(text=text)
    return Retold(err=_LOST)


def _assignments(items: bytes, kept: Kept) -> bytes:
    """What GET DIAGNOSTICS of the statement as a whole does to user variables; empty when it is about conditions."""
    found = [_GIVEN.fullmatch(item.strip()) for item in items.split(b",")]
    values = {b"ROW_COUNT": kept.row_count, b"NUMBER": kept.warning_count}
    told = [_VALUE[item[2]] % (item[1].lower(), values[item[2]]) for item in found if item]
    return b"SET " + b", ".join(told) if all(found) else b""


def _list(found: re.Match[bytes], kept: Kept, prepared: bool) -> Retold:
    if not kept.warnings:
        return Retold(text=b"SHOW " + found[1] + b" LIMIT 0") if not prepared else Retold(before=_NOTHING)
    if prepared:
        return Retold(err=_LOST)
    reply = kept.warnings if found[1] == b"WARNINGS" else kept.errors
    if found[2] is None:
        return Retold(reply=reply)
    first, second = int(found[2]), int(found[4] or 0)
    skipped, most = (first, second) if found[3] == b"," else (second, first)
    return Retold(reply=_part_of(reply, skipped, most))


def _part_of(reply: bytes, skipped: int, most: int) -> bytes:
    """A list of warnings with `most` of its rows at most, behind the first ones."""
    payloads = [payload for _, payload in _payloads(reply)]
    rows = [at for at, payload in enumerate(payloads) if _is_warning(payload)]
    wanted = set(rows[skipped : skipped + most])
    kept = [payload for at, payload in enumerate(payloads) if at in wanted or at not in rows]
    return b"".join(frame(payload, number % 256) for number, payload in enumerate(kept, 1))


def _values(items: bytes, kept: Kept) -> Values:
    """What a list of such functions and variables gives; empty when there is anything else in it."""
    found = [_ASKED.fullmatch(item.strip()) for item in items.split(b",")]
    return tuple(_value(item[1] or item[2], kept) for item in found if item) if all(found) else ()


def _value(name: bytes, kept: Kept) -> int | None:
    return {
        b"ROW_COUNT": kept.row_count,
        b"FOUND_ROWS": kept.found_rows,
        b"WARNING_COUNT": kept.warning_count,
        b"ERROR_COUNT": kept.error_count,
    }.get(name)


def with_values(reply: bytes, values: Values, *, binary: bool) -> bytes:
    """A reply of one row of integers, with other values in it. Raises MalformedPacket for any other reply."""
    payloads = _payloads(reply)
    if len(payloads) < 2:
        raise MalformedPacket("a reply without a row")
    sequence, row = payloads[-2]
    payloads[-2] = sequence, _binary_row(row, values) if binary else _text_row(row, values)
    return b"".join(frame(payload, sequence) for sequence, payload in payloads)


def _text_row(row: bytes, values: Values) -> bytes:
    reader = Reader(row)
    said = [reader.lenenc_bytes() for _ in values]
    return b"".join(
        lenenc_bytes(was if value is None else b"%d" % value) for was, value in zip(said, values, strict=True)
    )


def _binary_row(row: bytes, values: Values) -> bytes:
    at = 1 + (len(values) + _BITS_BEFORE + 7) // 8
    if len(row) != at + _INTEGER * len(values):
        raise MalformedPacket("a row of other columns than integers")
    said = [row[begin : begin + _INTEGER] for begin in range(at, len(row), _INTEGER)]
    told = (
        was if value is None else value.to_bytes(_INTEGER, "little", signed=True)
        for was, value in zip(said, values, strict=True)
    )
    return row[:at] + b"".join(told)


class WholeReply:
    """Collects a reply of one row, to give it other values."""

    def __init__(self, values: Values, *, binary: bool) -> None:
        self._values = values
        self._binary = binary
        self._reply = b""

    def feed(self, chunk: bytes, *, over: bool, failed: bool) -> bytes:
        """The next bytes; all comes out in one piece when it is `over`. Raises MalformedPacket."""
        self._reply += chunk
        if not over:
            return b""
        return self._reply if failed else with_values(self._reply, self._values, binary=self._binary)
