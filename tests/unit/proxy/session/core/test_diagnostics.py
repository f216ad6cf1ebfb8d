"""What a session is told of its last statement after that statement's connection has gone to another session."""

import pytest

from proxy.session.core.diagnostics import (
    MOST_CONDITIONS,
    NO_WARNINGS,
    Kept,
    Retold,
    kept_from,
    next_question,
    with_numbers,
)
from proxy.session.core.diagnostics import retell as retell_of
from proxy.session.core.wholereply import Values, WholeReply, with_values
from proxy.wire.errors import MalformedPacket
from proxy.wire.framing import frame
from proxy.wire.primitives import lenenc_bytes

QUIET = Kept(insert_id=7, row_count=3, found_rows=12)
CONDITION = {b"MESSAGE_TEXT": "schön".encode(), b"MYSQL_ERRNO": b"1265", b"CURSOR_NAME": b""}
WARNED = Kept(7, -1, 1, 2, 1, b"the warnings", b"the errors", (CONDITION,))
UNLISTED = Kept(7, -1, 1, listed=False)


def retell(text: bytes, kept: Kept, *, prepared: bool = False, mariadb: bool = False) -> Retold:
    return retell_of(text, kept, prepared=prepared, mariadb=mariadb)


def result(*rows: tuple[bytes, ...]) -> bytes:
    """Text rows in the layout with EOF packets; what stands in the definitions does not matter."""
    columns = len(rows[0]) if rows else 1
    payloads = [bytes((columns,)), *[b"\3def"] * columns, b"\xfe\0\0\2\0"]
    payloads += [b"".join(map(lenenc_bytes, row)) for row in rows]
    return b"".join(frame(payload, number) for number, payload in enumerate([*payloads, b"\xfe\0\0\2\0"], 1))


OK = frame(b"\0\0\0\2\0\0\0", 1)
WARNINGS = result((b"Warning", b"1265", b"Data truncated"), (b"Error", b"1146", b"no"), (b"Note", b"1051", b"unknown"))


def asked(*replies: bytes, warned: bool) -> list[bytes]:
    """The questions to a connection that gives these replies."""
    questions: list[bytes] = []
    while (question := next_question(list(replies[: len(questions)]), warned=warned)) is not None:
        questions.append(question)
    return questions


def test_what_a_connection_is_asked() -> None:
    assert asked(OK, warned=False) == [b"SELECT LAST_INSERT_ID(), ROW_COUNT(), FOUND_ROWS()"]
    questions = asked(OK, WARNINGS, OK, OK, OK, OK, OK, OK, warned=True)
    assert questions[:3] == [b"GET DIAGNOSTICS @`manyreads_row_count` = ROW_COUNT", b"SHOW WARNINGS", b"SHOW ERRORS"]
    assert [question[:27] for question in questions[3:6]] == [b"GET DIAGNOSTICS CONDITION %d" % at for at in (1, 2, 3)]
    assert questions[6].startswith(
        b"SELECT LAST_INSERT_ID(), @`manyreads_row_count`, FOUND_ROWS(), CAST(@`manyreads_1_"
    )
    assert b", @`manyreads_3_mysql_errno`, " in questions[6]
    names = {part.split(b"`")[1] for part in questions[6].split(b",") if b"`" in part}
    assert {part.split(b"`")[1] for part in questions[7].split(b",")} == names
    assert questions[7].count(b"= NULL") == 1 + 3 * 13
    assert len(questions) == 8
    many = result(*[(b"Note", b"1051", b"unknown")] * (MOST_CONDITIONS + 1))
    assert len(asked(OK, many, *[OK] * (3 + MOST_CONDITIONS), warned=True)) == 5 + MOST_CONDITIONS


def test_what_is_kept() -> None:
    numbers = result((b"7", b"-1", b"12"))
    assert kept_from([numbers]) == Kept(7, -1, 12)
    replies = [OK, WARNINGS, result((b"Error", b"1146", b"no")), numbers, OK]
    assert kept_from(replies) == Kept(7, -1, 12, 3, 1, WARNINGS, replies[2])
    row = [b"", b"", b"", b"", b"", b"", b"", b"t", b"", b"", b"gone", b"1051", b"42S02"]
    kept = kept_from([*replies[:3], OK, OK, result((b"7", b"-1", b"12", *row, *row)), OK])
    assert [one[b"TABLE_NAME"] for one in kept.conditions] == [b"t", b"t"]
    with pytest.raises(MalformedPacket):
        kept_from([*replies[:3], result((b"7", b"-1", b"12", b"rest")), OK])


@pytest.mark.parametrize("reply", [OK, result(), result((b"a", b"b", b"c"))])
def test_a_connection_that_does_not_answer_is_noticed(reply: bytes) -> None:
    with pytest.raises(MalformedPacket):
        kept_from([reply])


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (b"SELECT ROW_COUNT()", (3,)),
        (b" select  found_rows ( ) AS n ;", (12,)),
        (b"SELECT LAST_INSERT_ID(), @@warning_count `w`", (None, 0)),
        # MySQL warns of the function before it looks at the rest.
        (b"SELECT FOUND_ROWS ( ), FOUND_ROWS(), @@warning_count", (12, 12, 2)),
        (b"SELECT @@session.error_count", (0,)),
        (b"SHOW COUNT(*) WARNINGS", (0,)),
    ],
)
def test_numbers_are_put_into_the_servers_own_answer(text: bytes, values: Values) -> None:
    assert retell(text, QUIET).values == values
    assert retell(text, QUIET, prepared=True).values == values


def test_lists_of_warnings() -> None:
    assert retell(b"SHOW WARNINGS", WARNED).reply == b"the warnings"
    assert retell(b"show errors;", WARNED).reply == b"the errors"
    assert retell(b"SHOW WARNINGS LIMIT 3", QUIET).text == b"SHOW WARNINGS LIMIT 0"
    assert retell(b"SHOW WARNINGS", QUIET, prepared=True).before == NO_WARNINGS
    assert retell(b"SHOW COUNT(*) ERRORS", WARNED).values == (1,)
    get = b"GET CURRENT DIAGNOSTICS @N = NUMBER, @r = ROW_COUNT"
    assert retell(get, QUIET).text == b"SET @n = CAST(0 AS UNSIGNED), @r = 3"
    assert retell(get, WARNED).text == b"SET @n = CAST(2 AS UNSIGNED), @r = -1"


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
    assert retell(b"SHOW WARNINGS LIMIT " + limit, kept).reply == wanted


def test_a_list_for_a_prepared_statement() -> None:
    kept = Kept(0, -1, 1, 2, 1, result((b"Warning", b"1265", b"y"), (b"Error", b"70000", b"no")))
    payloads = [b"\3", *[b"\3def"] * 3, b"\xfe\0\0\2\0", b"\0\0\7Warning\xf1\4\0\0\1y", b"\0\0\5Error\x70\x11\1\0\2no"]
    wanted = b"".join(frame(payload, number) for number, payload in enumerate([*payloads, b"\xfe\0\0\2\0"], 1))
    assert retell(b"SHOW WARNINGS", kept, prepared=True).reply == wanted


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (b"GET DIAGNOSTICS CONDITION 3 @n = MYSQL_ERRNO", WARNED),
        (b"GET DIAGNOSTICS CONDITION 2 @n = MYSQL_ERRNO", WARNED),
        (b"GET DIAGNOSTICS CONDITION 0 @n = MYSQL_ERRNO", WARNED),
        (b"GET DIAGNOSTICS CONDITION @n @n = MYSQL_ERRNO", WARNED),
        (b"GET DIAGNOSTICS CONDITION 1 @n = ROW_NUMBER", WARNED),
        (b"GET DIAGNOSTICS CONDITION 1 n = MYSQL_ERRNO", WARNED),
        (b"GET DIAGNOSTICS @n = NUMBER", UNLISTED),
        (b"SHOW WARNINGS", UNLISTED),
        (b"SELECT @@warning_count", UNLISTED),
        (b"SELECT ROW_COUNT() + 1", QUIET),
    ],
)
def test_what_is_not_known_is_not_made_up(text: bytes, kept: Kept) -> None:
    err = retell(text, kept).err
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


def test_an_error_is_no_part_of_the_reply_from_elsewhere() -> None:
    whole, error = WholeReply((9,), binary=False), result((b"1",))
    assert whole.feed(error, over=True, failed=True) == error
    whole.begin()
    assert whole.feed(result((b"1",)), over=True, failed=False) == result((b"9",))


def test_what_stays_known_behind_a_question() -> None:
    after_get = retell(b"GET DIAGNOSTICS @n = NUMBER", WARNED).kept
    assert after_get is not None
    assert (after_get.warnings, after_get.row_count) == (WARNED.warnings, WARNED.row_count)
    for prepared, kept in ((False, WARNED), (False, QUIET), (True, QUIET)):
        after_show = retell(b"SHOW WARNINGS", kept, prepared=prepared).kept
        assert after_show is not None
        assert (after_show.row_count, after_show.found_rows) == (-1, kept.found_rows)
    assert retell(b"SELECT ROW_COUNT()", WARNED).kept is None
    after_select = retell(b"SELECT ROW_COUNT()", WARNED, mariadb=True).kept
    assert after_select is not None
    assert (after_select.warnings, after_select.row_count, after_select.found_rows) == (WARNED.warnings, -1, 1)


def test_a_condition_is_assigned_as_the_server_would() -> None:
    get = b"GET DIAGNOSTICS CONDITION 1 @N = MYSQL_ERRNO, @m=message_text, @c = CURSOR_NAME"
    given = b"SET @n = CAST(1265 AS UNSIGNED), @m = _utf8mb3 0x736368c3b66e%s, @c = _utf8mb3 ''%s"
    assert retell(get, WARNED).text == given % (b"", b"")
    collation = b" COLLATE utf8mb3_general_ci"
    assert retell(get, WARNED, mariadb=True).text == given % (collation, collation)
    with pytest.raises(MalformedPacket):
        retell(get, Kept(7, -1, 1, 1, 1, b"w", b"e", (CONDITION | {b"MYSQL_ERRNO": b"none"},)))


def test_a_variable_that_holds_the_number_of_conditions() -> None:
    one = Kept(7, -1, 1, 1, 1, b"w", b"e", (CONDITION,))
    last = b"GET DIAGNOSTICS CONDITION @Count @e = MYSQL_ERRNO"
    counted = retell(b"GET DIAGNOSTICS @r = ROW_COUNT, @count = NUMBER", one).kept
    assert counted is not None
    assert retell(last, counted).text == b"SET @e = CAST(1265 AS UNSIGNED)"
    changed = retell(b"GET DIAGNOSTICS CONDITION 1 @count = MYSQL_ERRNO", counted).kept
    assert changed is not None
    assert retell(last, changed).err is not None


def test_a_condition_that_does_not_exist_is_one_more() -> None:
    told = retell(b"GET DIAGNOSTICS CONDITION 1 @e = MYSQL_ERRNO", QUIET)
    assert (told.before, told.text, told.err) == (NO_WARNINGS, b"", None)
    assert told.kept is not None
    assert retell(b"SELECT FOUND_ROWS()", told.kept).values == (12,)
    assert retell(b"SHOW WARNINGS", told.kept).err is not None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"SET @n = ROW_COUNT()", b"SET @n = (-1)"),
        (
            b"INSERT INTO log VALUES (found_rows ( ), 'ROW_COUNT()')",
            b"INSERT INTO log VALUES ((12 + 0 * FOUND_ROWS()), 'ROW_COUNT()')",
        ),
        (b"UPDATE t SET `row_count()` = @@warning_count", b"UPDATE t SET `row_count()` = (3)"),
        (b"SELECT FOUND_ROWS() INTO @n", b"SELECT (12 + 0 * FOUND_ROWS()) INTO @n"),
        (b"SELECT ROW_COUNT() FROM t", b""),
        (b"INSERT INTO t VALUES (ROW_COUNT()) RETURNING a", b""),
        (b"SET @n = /* ' */ ROW_COUNT()", b""),
    ],
)
def test_statements_that_only_use_what_was_kept(text: bytes, told: bytes) -> None:
    assert with_numbers(text, Kept(7, -1, 12, 3, 1)) == told


def test_an_ok_without_warnings() -> None:
    assert with_values(frame(b"\0\0\0\2\0\1\0", 1), (), binary=False) == frame(b"\0\0\0\2\0\0\0", 1)
