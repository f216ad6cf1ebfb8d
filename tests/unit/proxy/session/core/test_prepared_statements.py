"""Prepared statements of a session without I/O: where they run, what is held for them, which a connection keeps."""

import pytest

from proxy.routing.policy import Target
from proxy.routing.state import Seen
from proxy.session.core.request import Request
from proxy.session.core.statements import Limits
from proxy.wire import constants as c
from proxy.wire.replies import Err
from tests.support.machines import (
    AUTOCOMMIT,
    IN_TRANS,
    PRIMARY,
    REPLICA,
    Session,
    about,
    command,
    err,
    execute,
    long_data,
    ok,
    query,
)
from topology.servers import Vendor

CURSOR = AUTOCOMMIT | c.SERVER_STATUS_CURSOR_EXISTS
LAST_ROW = AUTOCOMMIT | c.SERVER_STATUS_LAST_ROW_SENT
LAST_PREPARED = 0xFFFFFFFF


def error(session: Session, packet: bytes) -> Err:
    answer = session.machine.requests.make(packet)
    assert isinstance(answer, Err)
    return answer


def cursor_reply(status: int = CURSOR) -> bytes:
    """One column, and the EOF after which the rows are fetched."""
    return ok(status)


def codes(session: Session) -> list[int]:
    return [packet[c.HEADER_SIZE] for _, packet in session.log]


# --- where they run ---------------------------------------------------------------------------------------------------


def test_a_prepared_read_is_prepared_on_the_replica_when_it_first_runs_there() -> None:
    session = Session()
    number = session.prepare("SELECT a FROM t")
    assert number == 1
    assert session.run(execute(number)) == REPLICA
    prepared, executed = session.sent()
    assert prepared == (REPLICA, b"\x16SELECT a FROM t")
    assert executed[1][1:5] == (201).to_bytes(4, "little")
    session.run(execute(number))
    assert len(session.log) == 1
    session.query("BEGIN", ok(AUTOCOMMIT | IN_TRANS))
    assert session.run(execute(number)) == PRIMARY
    assert session.sent()[0][1][1:5] == (101).to_bytes(4, "little")


def test_parameter_types_are_sent_again_to_a_server_that_has_not_seen_them() -> None:
    session = Session()
    first, second = b"\x03\x00\xfd\x00", b"\x08\x00\xfd\x00"
    number = session.prepare("SELECT a FROM t WHERE a = ? AND b = ?", parameters=2)
    bare = execute(number, 2, values=b"VALUES")
    session.run(execute(number, 2, first, b"VALUES", bound=True))
    session.run(bare)
    assert session.sent()[0][1].endswith(b"\0\0VALUES")
    session.query("BEGIN", ok(AUTOCOMMIT | IN_TRANS))
    session.run(bare, ok(AUTOCOMMIT | IN_TRANS))
    server, packet = session.log[-1]
    assert server == PRIMARY
    assert packet[4:].endswith(b"\0\x01" + first + b"VALUES")
    assert int.from_bytes(packet[:3], "little") == len(packet) - 4
    session.run(execute(number, 2, second, b"VALUES", bound=True))
    session.query("COMMIT")
    session.run(bare)
    assert session.log[-1][0] == REPLICA
    assert session.log[-1][1].endswith(b"\0\x01" + second + b"VALUES")


def test_a_prepared_set_is_repeated_as_text() -> None:
    session = Session()
    session.run(execute(session.prepare("SET sql_mode = ''")))
    session.query("SELECT 1")
    assert session.sent() == [(REPLICA, b"\x03SET @@session.sql_mode = ''"), (REPLICA, b"\x03SELECT 1")]


# --- what they were prepared with -------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["SET NAMES latin1", "SET sql_mode = ''", "SET collation_connection = x"])
def test_a_statement_keeps_the_meaning_that_it_was_prepared_with(change: str) -> None:
    session = Session("app")
    number = session.prepare("SELECT a FROM t")
    movable = session.machine.movable
    session.query(change)
    assert (movable, session.machine.movable) == (True, False)
    request = session.request(execute(number))
    assert (request.route.target, request.route.reason) == (Target.PRIMARY, "prepared-before-a-setting")
    assert session.run(execute(session.prepare("SELECT a FROM t"))) == REPLICA


def test_other_settings_do_not_matter_to_prepared_statements() -> None:
    session = Session("app")
    number = session.prepare("SELECT a FROM t")
    for text in ("SET autocommit = 1", "USE other", "USE app", "SET time_zone = 'UTC'"):
        session.query(text)
    assert session.run(execute(number)) == REPLICA


def test_a_statement_is_prepared_in_its_own_schema() -> None:
    session = Session("app")
    number = session.prepare("SELECT a FROM t")
    session.query("USE other")
    assert session.run(execute(number)) == REPLICA
    assert session.sent()[:4] == [
        (REPLICA, b"\x02other"),
        (REPLICA, b"\x02app"),
        (REPLICA, b"\x16SELECT a FROM t"),
        (REPLICA, b"\x02other"),
    ]
    assert codes(session)[4:] == [c.COM_STMT_EXECUTE]
    session.run(execute(number))
    assert codes(session) == [c.COM_STMT_EXECUTE]
    session.query("INSERT INTO t VALUES (1)")
    assert session.sent() == [(PRIMARY, b"\x02other"), (PRIMARY, b"\x03INSERT INTO t VALUES (1)")]


def test_a_statement_of_no_schema_is_prepared_in_any() -> None:
    session = Session("")
    number = session.prepare("SELECT a FROM app.t")
    session.query("USE other")
    assert session.run(execute(number)) == REPLICA
    assert session.sent()[:2] == [(REPLICA, b"\x02other"), (REPLICA, b"\x16SELECT a FROM app.t")]


def test_a_statement_about_the_server_stays_on_the_primary() -> None:
    session = Session("mysql")
    number = session.prepare("SELECT user FROM user")
    session.query("USE app")
    assert session.request(execute(number)).route.target is Target.PRIMARY


@pytest.mark.parametrize("failing", [b"\x02app", b"\x16SELECT a FROM t"])
def test_a_detour_that_fails_leaves_the_connection_in_step(failing: bytes) -> None:
    session = Session("app")
    number = session.prepare("SELECT a FROM t")
    session.query("USE other")
    request, seen, steps = session.request(execute(number)), session.links[REPLICA], session.machine.steps
    while True:
        prelude = steps.prelude(seen, request)
        assert prelude is not None
        if prelude.packet[4:] == failing:
            assert not steps.prelude_failed(prelude, seen)
            break
        steps.prelude_done(prelude, seen, session.answered(prelude, REPLICA))
    session.query("SELECT 1")
    assert session.sent() == [(REPLICA, b"\x02other"), (REPLICA, b"\x03SELECT 1")]


# --- long data --------------------------------------------------------------------------------------------------------


def test_long_data_is_held_and_goes_with_the_execution() -> None:
    session = Session()
    number = session.prepare("SELECT ?, ?", parameters=2)
    session.hold(number, b"abc")
    session.hold(number, b"def", parameter=1)
    assert session.machine.movable
    run = execute(number, 2, b"\xfd\0\xfd\0", bound=True)
    assert session.run(run) == REPLICA
    assert session.sent()[1:] == [
        (REPLICA, about(c.COM_STMT_SEND_LONG_DATA, 201, b"\0\0abc")[4:]),
        (REPLICA, about(c.COM_STMT_SEND_LONG_DATA, 201, b"\1\0def")[4:]),
        (REPLICA, run[4:5] + (201).to_bytes(4, "little") + run[9:]),
    ]
    session.run(run)
    assert codes(session) == [c.COM_STMT_EXECUTE]


@pytest.mark.parametrize("limits", [Limits(long_data=1000), Limits(long_data=0)])
def test_more_long_data_than_is_held_ties_the_execution_to_the_primary(limits: Limits) -> None:
    session = Session(limits=limits)
    number = session.prepare("SELECT ?", parameters=1)
    if limits.long_data:
        session.hold(number, b"a" * 800)
    assert session.run(long_data(number, b"b" * 800)) == PRIMARY
    assert codes(session) == [c.COM_STMT_SEND_LONG_DATA] * (2 if limits.long_data else 1)
    assert session.run(long_data(number, b"c")) == PRIMARY
    assert codes(session) == [c.COM_STMT_SEND_LONG_DATA]
    movable = session.machine.movable
    request = session.request(execute(number, 1))
    assert (request.route.target, request.route.reason) == (Target.PRIMARY, "long-data")
    session.run(execute(number, 1))
    assert codes(session) == [c.COM_STMT_EXECUTE]
    assert (movable, session.machine.movable) == (False, True)
    assert session.run(execute(number, 1)) == REPLICA


def test_a_session_holds_a_bounded_amount_of_long_data() -> None:
    session = Session(limits=Limits(long_data=1000))
    numbers = [session.prepare("SELECT ?", parameters=1) for _ in range(5)]
    for number in numbers[:4]:
        session.hold(number, b"a" * 900)
    assert isinstance(session.machine.requests.make(long_data(numbers[4], b"a" * 900)), Request)
    session.machine.close_statement(about(c.COM_STMT_CLOSE, numbers[0]))
    session.hold(numbers[4], b"a" * 900)


def test_tiny_pieces_of_long_data_count_more_than_their_bytes() -> None:
    session = Session(limits=Limits(long_data=1000))
    number = session.prepare("SELECT ?", parameters=1)
    held = 0
    while session.machine.requests.make(long_data(number, b"")) is None:
        held += 1
    assert 5 < held < 20


def test_long_data_is_forgotten_with_a_reset() -> None:
    session = Session()
    number = session.prepare("SELECT ?", parameters=1)
    session.hold(number, b"abc")
    session.run(about(c.COM_STMT_RESET, number))
    session.run(execute(number, 1))
    assert codes(session) == [c.COM_STMT_PREPARE, c.COM_STMT_EXECUTE]


def test_long_data_for_a_parameter_that_does_not_exist_is_for_the_server_to_judge() -> None:
    session = Session()
    number = session.prepare("SELECT ?", parameters=1)
    assert session.run(long_data(number, b"abc", parameter=1)) == PRIMARY
    session.run(execute(number, 1), err(1210))
    assert session.run(execute(number, 1), err(1210)) == PRIMARY
    assert session.run(about(c.COM_STMT_RESET, number)) == PRIMARY
    assert session.run(execute(number, 1)) == REPLICA


def test_long_data_that_was_lost_with_its_connection_is_an_error_once() -> None:
    session = Session(limits=Limits(long_data=0))
    number = session.prepare("SELECT ?", parameters=1)
    session.run(long_data(number, b"abc"))
    request = session.request(execute(number, 1))
    assert request.at is session.links[PRIMARY]
    assert session.machine.gone(request).errno == c.ER_UNKNOWN_STMT_HANDLER
    assert session.request(execute(number, 1)).at is None


# --- cursors ----------------------------------------------------------------------------------------------------------


def fetch(number: int) -> bytes:
    return about(c.COM_STMT_FETCH, number, (5).to_bytes(4, "little"))


def test_rows_are_fetched_where_the_cursor_is() -> None:
    session = Session()
    number = session.prepare("SELECT a FROM t")
    assert error(session, fetch(number)).errno == c.ER_STMT_HAS_NO_OPEN_CURSOR
    assert session.run(execute(number), cursor_reply()) == REPLICA
    assert session.run(fetch(number)) == REPLICA
    assert session.run(fetch(number), b"\xfe" + ok(LAST_ROW)[1:]) == REPLICA
    assert error(session, fetch(number)).errno == c.ER_STMT_HAS_NO_OPEN_CURSOR
    session.query("BEGIN", ok(AUTOCOMMIT | IN_TRANS))
    session.run(execute(number), cursor_reply(CURSOR | IN_TRANS))
    assert session.run(fetch(number)) == PRIMARY
    assert session.run(about(c.COM_STMT_RESET, number)) == PRIMARY
    assert error(session, fetch(number)).errno == c.ER_STMT_HAS_NO_OPEN_CURSOR


def test_a_cursor_ends_with_the_next_execution() -> None:
    session = Session()
    number = session.prepare("SELECT a FROM t")
    session.run(execute(number), cursor_reply())
    session.run(execute(number))
    assert error(session, fetch(number)).errno == c.ER_STMT_HAS_NO_OPEN_CURSOR


def test_a_cursor_that_was_lost_with_its_connection_is_an_error_that_says_so() -> None:
    session = Session()
    number = session.prepare("SELECT a FROM t")
    session.run(execute(number), cursor_reply())
    request = session.request(fetch(number))
    assert request.at is session.links[REPLICA]
    answer = session.machine.gone(request)
    assert answer.errno == c.ER_STMT_HAS_NO_OPEN_CURSOR
    assert "lost" in answer.message
    assert "lost" not in error(session, fetch(number)).message


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", list(Vendor))
def test_a_closed_statement_is_unknown(vendor: Vendor) -> None:
    session = Session(vendor=vendor)
    number = session.prepare("SELECT 1")
    closed = session.machine.close_statement(about(c.COM_STMT_CLOSE, number))
    assert closed is not None
    assert closed.number == number
    assert session.machine.close_statement(about(c.COM_STMT_CLOSE, number)) is None
    for code in (c.COM_STMT_EXECUTE, c.COM_STMT_FETCH, c.COM_STMT_RESET):
        answer = error(session, about(code, number, bytes(5)))
        assert answer.errno == c.ER_UNKNOWN_STMT_HANDLER
        assert f"({number})" in answer.message
    assert session.machine.requests.make(long_data(number, b"abc")) is None


@pytest.mark.parametrize("code", [c.COM_STMT_EXECUTE, c.COM_STMT_FETCH, c.COM_STMT_RESET, c.COM_STMT_SEND_LONG_DATA])
@pytest.mark.parametrize("body", [b"", b"\1", b"\1\0\0"])
def test_short_packets_name_no_statement(code: int, body: bytes) -> None:
    session = Session()
    session.prepare("SELECT 1")
    assert error(session, command(code, body)).errno == c.ER_MALFORMED_PACKET
    other = Session(vendor=Vendor.MARIADB)
    other.prepare("SELECT 1")
    if code == c.COM_STMT_SEND_LONG_DATA:
        assert other.machine.requests.make(command(code, body)) is None
    else:
        error(other, command(code, body))


def test_fewer_types_than_parameters_are_an_error() -> None:
    session = Session()
    number = session.prepare("SELECT ?, ?", parameters=2)
    answer = session.machine.requests.make(execute(number, 2, b"\x03\x00\xfd", bound=True))
    assert isinstance(answer, Err)


def test_mariadb_has_a_name_for_the_statement_that_was_prepared_last() -> None:
    session = Session(vendor=Vendor.MARIADB)
    assert error(session, execute(LAST_PREPARED)).errno == c.ER_UNKNOWN_STMT_HANDLER
    session.prepare("SELECT 1")
    number = session.prepare("SELECT 2")
    for last in (LAST_PREPARED, number):
        request = session.request(execute(last))
        assert request.prepared is not None
        assert request.prepared.number == number
    session.run(command(c.COM_STMT_PREPARE, b"SELEC"), err())
    assert error(session, execute(LAST_PREPARED)).errno == c.ER_UNKNOWN_STMT_HANDLER
    number = session.prepare("SELECT 3")
    closed = session.machine.close_statement(about(c.COM_STMT_CLOSE, LAST_PREPARED))
    assert closed is not None
    assert closed.number == number
    assert error(session, execute(LAST_PREPARED)).errno == c.ER_UNKNOWN_STMT_HANDLER
    mysql = Session()
    mysql.prepare("SELECT 1")
    assert error(mysql, execute(LAST_PREPARED)).errno == c.ER_UNKNOWN_STMT_HANDLER


def test_a_bulk_execution_is_for_the_primary_and_brings_its_types() -> None:
    session = Session(vendor=Vendor.MARIADB)
    number = session.prepare("INSERT INTO t VALUES (?)", parameters=1)
    bound = about(c.COM_STMT_BULK_EXECUTE, number, b"\x80\0\x03\0\0\1\0\0\0")
    bare = about(c.COM_STMT_BULK_EXECUTE, number, b"\0\0\0\1\0\0\0")
    assert session.run(bound) == PRIMARY
    assert session.run(bare) == PRIMARY
    assert session.log[-1][1][9:] == bare[9:]
    session.links[PRIMARY] = Seen()
    assert session.run(bare) == PRIMARY
    assert codes(session) == [c.COM_STMT_PREPARE, c.COM_STMT_BULK_EXECUTE]
    assert session.log[-1][1][9:] == bound[9:]
    assert session.wrote
    read = session.prepare("SELECT ?", parameters=1)
    assert session.request(about(c.COM_STMT_BULK_EXECUTE, read, b"\x80\0\x03\0\0")).route.target is Target.PRIMARY


def test_there_is_a_limit_to_what_is_remembered() -> None:
    session = Session()
    text = "SELECT " + "1" * 1_000_000
    count = 0
    while isinstance(session.machine.requests.make(command(c.COM_STMT_PREPARE, text.encode())), Request):
        session.prepare(text)
        count += 1
    answer = error(session, command(c.COM_STMT_PREPARE, text.encode()))
    assert answer.errno == c.ER_MAX_PREPARED_STMT_COUNT_REACHED
    assert 50 < count < 70
    session.machine.close_statement(about(c.COM_STMT_CLOSE, 1))
    assert isinstance(session.machine.requests.make(command(c.COM_STMT_PREPARE, text.encode())), Request)


# --- which ones a connection keeps ------------------------------------------------------------------------------------


def closed(session: Session) -> list[int]:
    """The server's numbers in the COM_STMT_CLOSEs that were sent."""
    return [
        int.from_bytes(packet[5:9], "little") for _, packet in session.log if packet[c.HEADER_SIZE] == c.COM_STMT_CLOSE
    ]


def test_the_statement_used_longest_ago_makes_room() -> None:
    session = Session(limits=Limits(statements=3))
    session.query("BEGIN", ok(AUTOCOMMIT | IN_TRANS))
    first, second, _ = (session.prepare("SELECT a FROM t") for _ in range(3))
    session.run(execute(first), ok(AUTOCOMMIT | IN_TRANS))
    session.prepare("SELECT a FROM t")
    assert closed(session) == [102]
    assert codes(session) == [c.COM_STMT_CLOSE, c.COM_STMT_PREPARE]
    session.run(execute(second), ok(AUTOCOMMIT | IN_TRANS))
    assert closed(session) == [103]
    assert codes(session) == [c.COM_STMT_CLOSE, c.COM_STMT_PREPARE, c.COM_STMT_EXECUTE]
    assert len(session.links[PRIMARY].statements) == 3


def test_statements_with_a_cursor_or_long_data_stay() -> None:
    session = Session(limits=Limits(statements=2, long_data=0))
    cursor, data = session.prepare("SELECT a FROM t"), session.prepare("SELECT ?", parameters=1)
    session.run(execute(cursor), cursor_reply())
    session.run(long_data(data, b"abc"))
    third = session.prepare("SELECT a FROM t")
    assert closed(session) == [101]
    session.prepare("SELECT a FROM t")
    assert closed(session) == [103]
    for _ in range(2):
        session.run(execute(third))
    assert closed(session) == []
    session.run(execute(session.prepare("SELECT 1")))
    assert closed(session) == [202]
    assert session.run(fetch(cursor)) == REPLICA


def test_what_was_let_go_is_prepared_again_before_texts_change_their_meaning() -> None:
    session = Session(limits=Limits(statements=2))
    numbers = [session.prepare(f"SELECT {number}") for number in range(5)]
    session.query("SET time_zone = 'UTC'")
    assert codes(session) == [c.COM_QUERY]
    session.query("SET NAMES latin1")
    assert codes(session) == [c.COM_STMT_PREPARE] * 3 + [c.COM_QUERY]
    for number in numbers:
        assert session.run(execute(number)) == PRIMARY
        assert codes(session) == [c.COM_STMT_EXECUTE]


@pytest.mark.parametrize("dropped", ["other", "OTHER", "third"])
def test_all_is_prepared_before_the_default_schema_is_dropped(dropped: str) -> None:
    session = Session("app")
    session.prepare("DELETE FROM t")
    session.query("USE other")
    session.links[PRIMARY] = Seen()
    session.query(f"DROP SCHEMA {dropped}")
    prepares = (
        [] if dropped == "third" else [(PRIMARY, b"\x02app"), (PRIMARY, b"\x16DELETE FROM t"), (PRIMARY, b"\x02other")]
    )
    assert session.sent() == [(PRIMARY, b"\x02other"), *prepares, (PRIMARY, f"\x03DROP SCHEMA {dropped}".encode())]


def test_a_statement_that_cannot_be_prepared_again_does_not_stop_a_setting() -> None:
    session = Session(limits=Limits(statements=1))
    number = session.prepare("SELECT a FROM t")
    session.prepare("SELECT 1")
    request, seen, steps = session.request(query("SET NAMES latin1")), session.links[PRIMARY], session.machine.steps
    prelude = steps.prelude(seen, request)
    assert prelude is not None
    assert steps.prelude_failed(prelude, seen)
    assert steps.prelude(seen, request) is None
    session.query("SET NAMES latin1")
    assert session.run(execute(number)) == PRIMARY
    assert session.sent()[-1][1][1:5] == bytes(4)


def test_a_server_without_room_is_relieved_of_half() -> None:
    session = Session()
    for number in range(10):
        session.prepare(f"SELECT {number}")
    seen = session.links[PRIMARY]
    assert session.machine.statements.relief(seen, 0).count(b"\x05\0\0\0\x19") == 5
    assert len(seen.statements) == 5
    session.prepare("SELECT 'next'")
    assert closed(session) == [106]


# --- another connection -----------------------------------------------------------------------------------------------


def test_statements_are_prepared_again_on_a_new_connection_to_the_primary() -> None:
    session = Session()
    number = session.prepare("UPDATE t SET a = ?", parameters=1)
    session.hold(number, b"abc")
    session.links[PRIMARY] = Seen()
    assert session.run(execute(number, 1, b"\xfd\0", bound=True)) == PRIMARY
    assert codes(session) == [c.COM_STMT_PREPARE, c.COM_STMT_SEND_LONG_DATA, c.COM_STMT_EXECUTE]
    session.links[PRIMARY] = Seen()
    session.run(execute(number, 1))
    assert session.log[-1][1].endswith(b"\1\xfd\0")


def test_a_reset_goes_to_the_primary_when_its_connection_is_gone() -> None:
    session = Session()
    number = session.prepare("SELECT a FROM t")
    assert session.run(execute(number)) == REPLICA
    assert session.run(about(c.COM_STMT_RESET, number)) == REPLICA
    session.links[REPLICA] = Seen()
    assert session.run(about(c.COM_STMT_RESET, number)) == PRIMARY


@pytest.mark.parametrize(
    ("text", "closed", "out"),
    [
        ("SET @a = 1", True, False),
        ("USE other", True, True),
        ("USE other", False, False),
        ("SET sql_mode = 'ANSI_QUOTES'", True, True),
    ],
)
def test_a_statement_that_was_closed_is_prepared_again_where_it_was(text: str, closed: bool, out: bool) -> None:
    session = Session()
    number = session.prepare("SELECT a FROM t")
    prepared = session.request(execute(number)).prepared
    assert prepared is not None
    if closed:
        session.machine.close_statement(about(c.COM_STMT_CLOSE, number))
    session.query(text)
    assert session.machine.steps.out_of_reach(prepared) is out
