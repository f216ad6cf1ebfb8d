"""What a session is told of its last statement after that statement's connection has gone to another session."""

import pytest

from proxy.session.diagnostics import (
    QUESTIONS,
    QUESTIONS_WARNED,
    Kept,
    Values,
    WholeReply,
    kept_after,
    kept_from,
    retell,
    with_values,
)
from proxy.wire.errors import MalformedPacket
from proxy.wire.framing import frame
from proxy.wire.primitives import lenenc_bytes

QUIET = Kept(insert_id=7, row_count=3, found_rows=12)
WARNED = Kept(7, -1, 1, 2, 1, b"the warnings", b"the errors")


def result(*rows: tuple[bytes, ...]) -> bytes:
    """Text rows in the layout with EOF packets; what stands in the definitions does not matter."""
    columns = len(rows[0]) if rows else 1
    payloads = [bytes((columns,)), *[b"\3def"] * columns, b"\xfe\0\0\2\0"]
    payloads += [b"".join(map(lenenc_bytes, row)) for row in rows]
    return b"".join(frame(payload, number) for number, payload in enumerate([*payloads, b"\xfe\0\0\2\0"], 1))


OK = frame(b"\0\0\0\2\0\0\0", 1)
WARNINGS = result((b"Warning", b"1265", b"Data truncated"), (b"Error", b"1146", b"no"), (b"Note", b"1051", b"unknown"))


def test_what_is_kept() -> None:
    numbers = result((b"7", b"-1", b"12"))
    assert kept_from([numbers] * len(QUESTIONS)) == Kept(7, -1, 12)
    replies = [OK, WARNINGS, result((b"Error", b"1146", b"no")), numbers, OK]
    assert len(replies) == len(QUESTIONS_WARNED)
    assert kept_from(replies) == Kept(7, -1, 12, 3, 1, WARNINGS, replies[2])


@pytest.mark.parametrize("reply", [OK, result(), result((b"a", b"b", b"c"))])
def test_a_connection_that_does_not_answer_is_noticed(reply: bytes) -> None:
    with pytest.raises(MalformedPacket):
        kept_from([reply])


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (b"SELECT ROW_COUNT()", (3,)),
        (b" select  found_rows ( ) AS n ;", (12,)),
        (b"SELECT FOUND_ROWS(), LAST_INSERT_ID(), @@warning_count `w`", (12, None, 0)),
        (b"SELECT @@session.error_count", (0,)),
        (b"SHOW COUNT(*) WARNINGS", (0,)),
    ],
)
def test_numbers_are_put_into_the_servers_own_answer(text: bytes, values: Values) -> None:
    assert retell(text, QUIET, prepared=False).values == values
    assert retell(text, QUIET, prepared=True).values == values


def test_lists_of_warnings() -> None:
    assert retell(b"SHOW WARNINGS", WARNED, prepared=False).reply == b"the warnings"
    assert retell(b"show errors;", WARNED, prepared=False).reply == b"the errors"
    assert retell(b"SHOW WARNINGS LIMIT 3", QUIET, prepared=False).text == b"SHOW WARNINGS LIMIT 0"
    assert retell(b"SHOW WARNINGS", QUIET, prepared=True).before == b"DO 0"
    assert retell(b"SHOW COUNT(*) ERRORS", WARNED, prepared=False).values == (1,)
    get = b"GET CURRENT DIAGNOSTICS @N = NUMBER, @r = ROW_COUNT"
    assert retell(get, QUIET, prepared=False).text == b"SET @n = CAST(0 AS UNSIGNED), @r = 3"
    assert retell(get, WARNED, prepared=False).text == b"SET @n = CAST(2 AS UNSIGNED), @r = -1"


@pytest.mark.parametrize(
    ("limit", "rows"), [(b"1", [1146]), (b"1, 5", [1051, 1265]), (b"1 OFFSET 2", [1265]), (b"0", []), (b"9", None)]
)
def test_a_part_of_a_list(limit: bytes, rows: list[int] | None) -> None:
    texts = {1146: (b"Error", b"1146", b"no"), 1051: (b"Note", b"1051", b"x"), 1265: (b"Warning", b"1265", b"y")}
    kept = Kept(0, -1, 1, 3, 1, result(*texts.values()))
    empty = b"".join(frame(payload, at) for at, payload in enumerate([b"\3", *[b"\3def"] * 3, b"\xfe\0\0\2\0"], 1))
    wanted = result(*[texts[row] for row in (texts if rows is None else rows)])
    if rows == []:
        wanted = empty + frame(b"\xfe\0\0\2\0", 6)
    assert retell(b"SHOW WARNINGS LIMIT " + limit, kept, prepared=False).reply == wanted


@pytest.mark.parametrize(
    ("text", "kept", "prepared"),
    [
        (b"SHOW WARNINGS", WARNED, True),
        (b"GET DIAGNOSTICS CONDITION 1 @n = MYSQL_ERRNO", WARNED, False),
        (b"SELECT ROW_COUNT() + 1", QUIET, False),
    ],
)
def test_what_is_not_known_is_not_made_up(text: bytes, kept: Kept, prepared: bool) -> None:
    err = retell(text, kept, prepared=prepared).err
    assert err is not None
    assert "connection_sharing = session" in err.message


def test_a_row_is_given_other_values() -> None:
    assert with_values(result((b"1", b"22")), (-1, None), binary=False) == result((b"-1", b"22"))
    row = b"\0\0" + (5).to_bytes(8, "little") + (6).to_bytes(8, "little")
    reply = frame(b"\2", 1) + frame(row, 2) + frame(b"\xfe\0\0\2\0", 3)
    wanted = b"\0\0" + b"\xff" * 8 + (6).to_bytes(8, "little")
    assert with_values(reply, (-1, None), binary=True) == frame(b"\2", 1) + frame(wanted, 2) + frame(b"\xfe\0\0\2\0", 3)


@pytest.mark.parametrize("reply", [b"", OK, frame(b"\1", 1) + frame(b"\0\0short", 2) + OK])
def test_another_reply_is_given_none(reply: bytes) -> None:
    with pytest.raises(MalformedPacket):
        with_values(reply, (1,), binary=True)


def test_a_reply_is_changed_once_it_is_whole() -> None:
    whole, reply = WholeReply((9,), binary=False), result((b"1",))
    assert whole.feed(reply[:7], over=False, failed=False) == b""
    assert whole.feed(reply[7:], over=True, failed=False) == result((b"9",))
    assert WholeReply((9,), binary=False).feed(b"an error", over=True, failed=True) == b"an error"


def test_what_stays_known_behind_a_question() -> None:
    after_get = kept_after(WARNED, selects=False, mariadb=False)
    assert after_get is not None
    assert (after_get.warnings, after_get.row_count) == (WARNED.warnings, 0)
    assert kept_after(WARNED, selects=True, mariadb=False) is None
    after_select = kept_after(WARNED, selects=True, mariadb=True)
    assert after_select is not None
    assert (after_select.warnings, after_select.row_count, after_select.found_rows) == (WARNED.warnings, -1, 1)
