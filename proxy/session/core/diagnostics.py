"""What a session can still ask about its last statement after the connection that ran it went to another session.

Before that, the connection is asked for it; afterwards the session's questions are answered from what it said.
Observed on MariaDB 10.11 and MySQL 9.7: SHOW WARNINGS and SHOW ERRORS change neither the warnings nor FOUND_ROWS(), but
ROW_COUNT(); GET DIAGNOSTICS only when the condition does not exist; a SELECT changes all of them. What is about one
condition is in `proxy.session.core.conditions`. Pure.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from proxy.session.core.conditions import (
    Condition,
    Get,
    conditions_in,
    getting,
    literals,
    parse_get,
    selected,
    unsigned,
    variables,
)
from proxy.session.core.wholereply import Values, payloads_of
from proxy.wire.errors import MalformedPacket
from proxy.wire.framing import frame
from proxy.wire.primitives import Reader, lenenc_bytes
from proxy.wire.replies import Err

_NUMBERS: Final = b"SELECT LAST_INSERT_ID(), ROW_COUNT(), FOUND_ROWS()"
# Where there are warnings, their texts go first. The variable's name is long enough to be nobody's.
_ROWS: Final = b"@`manyreads_row_count`"
_LISTS: Final = (b"GET DIAGNOSTICS " + _ROWS + b" = ROW_COUNT", b"SHOW WARNINGS", b"SHOW ERRORS")
# Of more conditions than these only the list is kept.
MOST_CONDITIONS: Final = 8
_LIST: Final = re.compile(rb"SHOW (WARNINGS|ERRORS)(?: LIMIT (\d+)(?: ?(,|OFFSET) ?(\d+))?)?")
# Of what is in the lists.
_LISTED: Final = re.compile(rb"WARNING|ERROR")
_ASKED: Final = re.compile(
    rb"(?:(ROW_COUNT|FOUND_ROWS|LAST_INSERT_ID) ?\( ?\)|@@(?:(?:SESSION|LOCAL) ?\. ?)?(WARNING_COUNT|ERROR_COUNT))"
    rb"(?: (?:AS )?(?:`\w+`|'\w+'|\w+))?"
)
# The same in a statement that uses them, beside strings and names in which they mean nothing.
_USED: Final = re.compile(
    rb"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`[^`]*`"""
    rb"|\b(ROW_COUNT|FOUND_ROWS)\s*\(\s*\)|@@(?:(?:SESSION|LOCAL)\s*\.\s*)?(WARNING_COUNT|ERROR_COUNT)\b",
    re.IGNORECASE | re.DOTALL,
)
_WITHOUT_COLUMNS: Final = re.compile(
    rb"\s*(?:(?:SET|INSERT|REPLACE|UPDATE|DELETE|DO)\b|SELECT\b.*\bINTO\s+@)", re.IGNORECASE | re.DOTALL
)
_COMMENT: Final = re.compile(rb"/\*|--|#")
_COUNTS: Final = {b"SHOW COUNT(*) WARNINGS": b"WARNING_COUNT", b"SHOW COUNT(*) ERRORS": b"ERROR_COUNT"}
LOST: Final = Err(
    1105,
    "What this asks about the statement before is not known any more, because its server connection serves another "
    "session; ask in a form like SELECT ROW_COUNT() or SHOW WARNINGS, or set connection_sharing = session",
)
SPLIT: Final = Err(
    1105,
    "What FOUND_ROWS() gives is known to one server and the rest of this question to another, as other statements ran "
    "since that SELECT; ask in two statements",
)


def not_the_same(errno: int) -> Err:
    """A read did not go as before, where it was run once more to be asked about: it gave this error, or none (0)."""
    went = f"fails there (error {errno})" if errno else "gives no error there"
    return Err(1105, f"The primary must tell of a read on a replica, but that {went}; ask in a statement of its own")


# MySQL warns of it.
_DEPRECATED: Final = re.compile(rb"\bFOUND_ROWS ?\( ?\)")
# Leaves no warnings; without a table those of before would stay on MariaDB.
NO_WARNINGS: Final = b"DO (SELECT 1 FROM (SELECT 1) AS t)"
# The beginning of a row of three columns in the binary protocol, and the size of a warning's code in it.
_NO_NULLS: Final = b"\0\0"
_CODE_SIZE: Final = 4


@dataclass(frozen=True, slots=True)
class Kept:
    """What the functions LAST_INSERT_ID(), ROW_COUNT() and FOUND_ROWS() gave, and how many warnings and errors there
    were; what SHOW WARNINGS and SHOW ERRORS answered, as the client would have got it, empty when there were none; the
    first conditions. `counters` are the user variables that hold their number. `listed` is False when there is one more
    than the lists have."""

    insert_id: int
    row_count: int
    found_rows: int
    warning_count: int = 0
    error_count: int = 0
    warnings: bytes = b""
    errors: bytes = b""
    conditions: tuple[Condition, ...] = ()
    counters: frozenset[bytes] = frozenset()
    listed: bool = True


# Of a statement of which nothing is known, not even what there are lists of.
UNKNOWN: Final = Kept(0, 0, 0, listed=False)
# Of one that is known to have left none.
NO_LIST: Final = Kept(0, 0, 0)


def without_warnings(kept: Kept) -> Kept:
    """The same behind what has emptied the list of warnings."""
    return Kept(kept.insert_id, kept.row_count, kept.found_rows)


def with_warnings(kept: Kept, warned: Kept) -> Kept:
    """The numbers of one statement beside the warnings of another one before it."""
    return replace(warned, insert_id=kept.insert_id, row_count=kept.row_count, found_rows=kept.found_rows)


def next_question(replies: list[bytes], *, warned: bool) -> bytes | None:
    """What a connection is asked after it has given these replies; None when that is all."""
    questions: tuple[bytes, ...] = (_NUMBERS,)
    if warned:
        count = min(_rows(replies[1]), MOST_CONDITIONS) if len(replies) > 1 else 0
        numbers = range(1, count + 1)
        questions = (*_LISTS, *map(getting, numbers), _select(numbers), _forget(numbers))
    return questions[len(replies)] if len(replies) < len(questions) else None


def _select(numbers: Iterable[int]) -> bytes:
    columns = [b"LAST_INSERT_ID()", _ROWS, b"FOUND_ROWS()", *chain.from_iterable(map(selected, numbers))]
    return b"SELECT " + b", ".join(columns)


def _forget(numbers: Iterable[int]) -> bytes:
    names = [_ROWS, *chain.from_iterable(map(variables, numbers))]
    return b"SET " + b", ".join(name + b" = NULL" for name in names)


@dataclass(frozen=True, slots=True)
class Retold:
    """How a question is answered: with a `reply` that is here, with an error, or by another connection, which has to
    run `before` and then `text`, or the question as it is if that is empty, and whose only row is given `values`;
    `kept` is what stays known behind that."""

    reply: bytes = b""
    err: Err | None = None
    before: bytes = b""
    text: bytes = b""
    values: Values = ()
    kept: Kept | None = None


def kept_from(replies: list[bytes]) -> Kept:
    """From the replies to the questions. Raises MalformedPacket for a reply without the row that was asked for."""
    if len(replies) == 1:
        return Kept(*_only_row(replies[0])[0])
    warnings, errors = replies[1:3]
    numbers, details = _only_row(replies[-2])
    return Kept(*numbers, _rows(warnings), _rows(errors), warnings, errors, conditions_in(details))


def _rows(reply: bytes) -> int:
    """How many rows a list of warnings has."""
    return sum(_is_warning(payload) for _, payload in payloads_of(reply))


def _is_warning(payload: bytes) -> bool:
    """Whether a packet is such a row: its first column is the level, a short word."""
    return payload[1:6] in (b"Error", b"Warni") or payload[1:5] == b"Note"


def _only_row(reply: bytes) -> tuple[tuple[int, int, int], list[bytes]]:
    """The three numbers that a row begins with, and its other values."""
    payloads = payloads_of(reply)
    row = Reader(payloads[-2][1] if len(payloads) > 1 else b"")
    try:
        numbers = int(row.lenenc_bytes()), int(row.lenenc_bytes()), int(row.lenenc_bytes())
    except ValueError:
        raise MalformedPacket("a connection that changes hands did not answer what was asked") from None
    details = []
    while row.left:
        details.append(row.lenenc_bytes())
    return numbers, details


def retell(text: bytes, kept: Kept, *, prepared: bool, mariadb: bool) -> Retold:
    """How the question `text` is answered; `prepared` says that it is executed in the binary protocol.

    MariaDB's SELECT without a table leaves the warnings; MySQL's does not. Raises MalformedPacket if something else was
    kept than a server says.
    """
    words = b" ".join(text.rstrip(b" \t\r\n;").upper().split())
    if not mariadb and (deprecated := len(_DEPRECATED.findall(words))):
        # Before it looks at the rest.
        kept = replace(kept, warning_count=deprecated, error_count=0, listed=True)
    if (values := _values(words, kept)) and (kept.listed or not _LISTED.search(words)):
        return Retold(values=values, kept=replace(kept, row_count=-1, found_rows=1) if mariadb else None)
    if not kept.listed:
        return Retold(err=LOST)
    if (found := _LIST.fullmatch(words)) is not None:
        return _list(found, kept, prepared)
    if (get := parse_get(words)) is not None:
        return _get(get, kept, mariadb)
    return Retold(err=LOST)


def _get(get: Get, kept: Kept, mariadb: bool) -> Retold:
    after = replace(kept, counters=kept.counters - get.names())
    if not get.condition:
        values = {b"ROW_COUNT": b"%d" % kept.row_count, b"NUMBER": unsigned(kept.warning_count)}
        after = replace(after, counters=after.counters | get.names(b"NUMBER"))
    elif (number := _number(get, kept)) is None or number > len(kept.conditions):
        return Retold(err=LOST)
    elif number < 1:
        # It is answered where there is none either.
        return Retold(before=NO_WARNINGS, kept=replace(after, row_count=-1, listed=False))
    else:
        values = literals(kept.conditions[number - 1], mariadb=mariadb)
    repeated = get.repeated(values)
    return Retold(text=repeated, kept=after) if repeated else Retold(err=LOST)


def _number(get: Get, kept: Kept) -> int | None:
    """The condition that is asked for, 0 for one that does not exist when there are none; None if that is not known."""
    if get.condition in kept.counters:
        return kept.warning_count
    if not get.condition.isdigit():
        return None
    return (int(get.condition) or None) if kept.warning_count else 0


def _list(found: re.Match[bytes], kept: Kept, prepared: bool) -> Retold:
    after = replace(kept, row_count=-1)
    if not kept.warnings:
        text = b"" if prepared else b"SHOW %s LIMIT 0" % found[1]
        return Retold(before=NO_WARNINGS if prepared else b"", text=text, kept=after)
    reply = kept.warnings if found[1] == b"WARNINGS" else kept.errors
    if found[2] is not None:
        first, second = int(found[2]), int(found[4] or 0)
        skipped, most = (first, second) if found[3] == b"," else (second, first)
        reply = _part_of(reply, skipped, most)
    return Retold(reply=_in_binary(reply) if prepared else reply, kept=after)


def _part_of(reply: bytes, skipped: int, most: int) -> bytes:
    """A list of warnings with `most` of its rows at most, behind the first ones."""
    payloads = [payload for _, payload in payloads_of(reply)]
    rows = [at for at, payload in enumerate(payloads) if _is_warning(payload)]
    wanted = set(rows[skipped : skipped + most])
    kept = [payload for at, payload in enumerate(payloads) if at in wanted or at not in rows]
    return b"".join(frame(payload, number % 256) for number, payload in enumerate(kept, 1))


def _in_binary(reply: bytes) -> bytes:
    """A list of warnings as a prepared statement answers it: the rows have an integer in the middle."""
    return b"".join(
        frame(_binary_warning(payload) if _is_warning(payload) else payload, sequence)
        for sequence, payload in payloads_of(reply)
    )


def _binary_warning(row: bytes) -> bytes:
    reader = Reader(row)
    level, code, message = reader.lenenc_bytes(), int(reader.lenenc_bytes()), reader.lenenc_bytes()
    return _NO_NULLS + lenenc_bytes(level) + code.to_bytes(_CODE_SIZE, "little") + lenenc_bytes(message)


def _values(words: bytes, kept: Kept) -> Values:
    """What a SELECT of such functions and variables gives; empty when there is anything else in it."""
    if words in _COUNTS:
        return (_value(_COUNTS[words], kept),)
    if not words.startswith(b"SELECT "):
        return ()
    found = [_ASKED.fullmatch(item.strip()) for item in words[7:].split(b",")]
    return tuple(_value(item[1] or item[2], kept) for item in found if item) if all(found) else ()


def with_numbers(text: bytes, kept: Kept) -> bytes:
    """A statement that gives no columns, with numbers in the place of what it asks for; empty for any other."""
    if not _WITHOUT_COLUMNS.match(text) or _COMMENT.search(text) or b"RETURNING" in text.upper():
        return b""

    def number(found: re.Match[bytes]) -> bytes:
        name = found[1] or found[2]
        if name is None:
            return found[0]
        # MySQL warns of FOUND_ROWS(), so that it has to stay.
        form = b"(%d + 0 * FOUND_ROWS())" if name.upper() == b"FOUND_ROWS" else b"(%d)"
        return form % (_value(name.upper(), kept) or 0)

    return _USED.sub(number, text)


def _value(name: bytes, kept: Kept) -> int | None:
    return {
        b"ROW_COUNT": kept.row_count,
        b"FOUND_ROWS": kept.found_rows,
        b"WARNING_COUNT": kept.warning_count,
        b"ERROR_COUNT": kept.error_count,
    }.get(name)
