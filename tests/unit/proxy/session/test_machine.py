"""The session without I/O, driven with command packets and the servers' replies."""

import pytest

from proxy.routing.policy import Target
from proxy.session.request import Request
from proxy.wire import constants as c
from proxy.wire.replies import Err
from tests.support.machines import (
    AUTOCOMMIT,
    IN_TRANS,
    PRIMARY,
    REPLICA,
    Session,
    command,
    err,
    execute,
    ok,
    query,
)

# --- settings ---------------------------------------------------------------------------------------------------------


def test_a_replica_is_told_all_settings_in_order_and_once() -> None:
    session = Session()
    for text in ("SET NAMES latin1", "SET sql_mode = ''", "USE other", "SET NAMES utf8mb4"):
        assert session.query(text) == PRIMARY
        assert session.sent() == [(PRIMARY, b"\x03" + text.encode())]
    assert session.query("SELECT 1") == REPLICA
    wanted = [b"\x03SET sql_mode = ''", b"\x03USE other", b"\x03SET NAMES utf8mb4", b"\x03SELECT 1"]
    assert session.sent() == [(REPLICA, packet) for packet in wanted]
    session.query("SELECT 2")
    assert session.sent() == [(REPLICA, b"\x03SELECT 2")]
    session.query("SET NAMES cp1251")
    session.query("SELECT 3")
    assert session.sent() == [(REPLICA, b"\x03SET NAMES cp1251"), (REPLICA, b"\x03SELECT 3")]


def test_a_setting_that_failed_is_not_repeated() -> None:
    session = Session()
    session.query("SET nonsense = 1", err(1193))
    session.query("SELECT 1")
    assert session.sent() == [(REPLICA, b"\x03SELECT 1")]
    session.query("SET sql_mode = 'ANSI_QUOTES'", err())
    assert session.query("SELECT 1") == REPLICA


def test_init_db_is_a_setting_and_the_schema_counts() -> None:
    session = Session()
    session.run(command(c.COM_INIT_DB, b"other"))
    assert session.state.schema == "other"
    session.query("SELECT 1")
    assert session.sent() == [(REPLICA, b"\x02other"), (REPLICA, b"\x03SELECT 1")]
    session.run(command(c.COM_INIT_DB, b"mysql"))
    assert session.query("SELECT * FROM user") == PRIMARY
    session.run(command(c.COM_INIT_DB, b"gone"), err(1049))
    assert session.state.schema == "mysql"


def test_a_set_that_pins_pins_once_it_succeeded() -> None:
    session = Session()
    session.query("SET NAMES gbk")
    assert session.query("SELECT 1") == PRIMARY
    assert session.state.pin == "character-set"


# --- query attributes -------------------------------------------------------------------------------------------------

ATTRIBUTE = b"\1\1\0\1\xfd\0\4name\5value"


def test_a_statement_behind_query_attributes_is_judged_by_its_text() -> None:
    session = Session(flags=c.CLIENT_QUERY_ATTRIBUTES)
    for attributes in (b"\0\1", ATTRIBUTE):
        for text, server in ((b"SELECT 1", REPLICA), (b"DELETE FROM t", PRIMARY), (b"SET NAMES latin1", PRIMARY)):
            packet = command(c.COM_QUERY, attributes + text)
            assert session.run(packet) == server
            assert session.log[-1] == (server, packet)


def test_settings_are_repeated_as_the_connection_wants_queries() -> None:
    session = Session(flags=c.CLIENT_QUERY_ATTRIBUTES)
    setting = command(c.COM_QUERY, ATTRIBUTE + b"SET NAMES latin1")
    session.run(setting)
    number = session.prepare("SET sql_mode = ''")
    session.run(execute(number))
    session.run(command(c.COM_QUERY, b"\0\1SELECT 1"))
    wanted = [setting[4:], b"\x03\0\1SET sql_mode = ''", b"\x03\0\1SELECT 1"]
    assert session.sent() == [(REPLICA, packet) for packet in wanted]


def test_attributes_that_cannot_be_read_get_the_servers_error() -> None:
    session = Session(flags=c.CLIENT_QUERY_ATTRIBUTES)
    answer = session.machine.request(command(c.COM_QUERY, b"\0\2SELECT 1"))
    assert isinstance(answer, Err)
    assert answer.errno == c.ER_MALFORMED_PACKET
    assert session.run(command(c.COM_QUERY, b"\0\1SELECT 1")) == REPLICA


def test_a_kill_behind_attributes_is_read() -> None:
    session = Session(flags=c.CLIENT_QUERY_ATTRIBUTES)
    assert session.request(command(c.COM_QUERY, ATTRIBUTE + b"KILL 5")).kill is not None


def test_what_a_replica_refused_is_remembered_without_its_attributes() -> None:
    session = Session(flags=c.CLIENT_QUERY_ATTRIBUTES)
    request = session.request(command(c.COM_QUERY, ATTRIBUTE + b"SELECT 1"))
    assert session.machine.text(request) == b"SELECT 1"
    number = session.prepare("SELECT 2")
    assert session.machine.text(session.request(execute(number))) == b"SELECT 2"
    assert Session().machine.text(Session().request(query("SELECT 3"))) == b"SELECT 3"


# --- resets -----------------------------------------------------------------------------------------------------------


def test_a_reset_reaches_every_connection_and_ends_pins() -> None:
    session = Session()
    session.query("SET NAMES latin1")
    session.query("SELECT 1")
    session.query("USE other")
    session.query("CREATE TEMPORARY TABLE t (a INT)")
    assert session.query("SELECT 1") == PRIMARY
    session.run(command(c.COM_RESET_CONNECTION))
    assert session.query("SELECT 1") == REPLICA
    assert session.sent() == [(REPLICA, b"\x1f"), (REPLICA, b"\x03USE other"), (REPLICA, b"\x03SELECT 1")]
    session.query("SELECT 1")
    assert len(session.log) == 1
    session.query("INSERT INTO t VALUES (1)")
    assert len(session.log) == 1


def test_prepared_statements_do_not_outlive_a_reset() -> None:
    session = Session()
    number = session.prepare("SELECT 1")
    session.run(execute(number))
    session.run(command(c.COM_RESET_CONNECTION))
    answer = session.machine.request(execute(number))
    assert isinstance(answer, Err)
    assert answer.errno == c.ER_UNKNOWN_STMT_HANDLER
    assert str(number) in answer.message


def test_a_failed_reset_changes_nothing() -> None:
    session = Session()
    session.query("CALL p()")
    session.run(command(c.COM_RESET_CONNECTION), err())
    assert session.query("SELECT 1") == PRIMARY


# --- transactions and writes ------------------------------------------------------------------------------------------


def test_reads_inside_a_transaction_stay_on_the_primary_until_its_flag_says_it_ended() -> None:
    session = Session()
    session.query("BEGIN", ok(AUTOCOMMIT | IN_TRANS))
    assert session.query("SELECT 1", ok(AUTOCOMMIT | IN_TRANS)) == PRIMARY
    session.query("SELECT nonsense", err())
    assert session.query("SELECT 1", ok(AUTOCOMMIT | IN_TRANS)) == PRIMARY
    session.query("COMMIT")
    assert session.query("SELECT 1") == REPLICA


def test_without_autocommit_everything_is_in_a_transaction() -> None:
    session = Session()
    session.query("SET autocommit = 0", ok(0))
    assert session.query("SELECT 1", ok(IN_TRANS)) == PRIMARY
    session.query("COMMIT", ok(0))
    assert session.query("SELECT 1", ok(IN_TRANS)) == PRIMARY
    session.query("SET autocommit = 1")
    assert session.query("SELECT 1") == REPLICA


def test_the_status_of_a_replica_says_nothing_about_the_session() -> None:
    session = Session()
    assert session.query("SELECT 1", ok(IN_TRANS)) == REPLICA
    assert session.query("SELECT 1") == REPLICA


def run_all(session: Session, *steps: tuple[str, int]) -> list[bool]:
    wrote = []
    for text, status in steps:
        session.query(text, ok(status))
        wrote.append(session.wrote)
    return wrote


def test_a_commit_counts_when_something_was_written() -> None:
    inside = AUTOCOMMIT | IN_TRANS
    assert run_all(Session(), ("BEGIN", inside), ("SELECT 1", inside), ("COMMIT", AUTOCOMMIT)) == [False] * 3
    assert run_all(
        Session(), ("BEGIN", inside), ("UPDATE t SET a = 1", inside), ("COMMIT", AUTOCOMMIT), ("COMMIT", AUTOCOMMIT)
    ) == [False, True, True, False]
    steps = ("SET autocommit = 0", 0), ("DELETE FROM t", IN_TRANS), ("SET autocommit = 1", AUTOCOMMIT)
    assert run_all(Session(), *steps) == [False, True, True]
    assert run_all(Session(), ("BEGIN", inside), ("INSERT INTO t VALUES (1)", inside), ("BEGIN", inside)) == [
        False, True, True,
    ]  # fmt: skip
    assert run_all(Session(), ("INSERT INTO t VALUES (1)", AUTOCOMMIT), ("COMMIT", AUTOCOMMIT)) == [True, False]


@pytest.mark.parametrize(
    ("text", "writes"),
    [("SELECT f()", True), ("SELECT 1", False), ("SELECT * FROM t FOR UPDATE", False),
     ("SELECT LAST_INSERT_ID()", False), ("CALL p()", True), ("SHOW STATUS", False),
     ("FOO BAR", True), ("SET @a = 1", False), ("SET @a = f()", True)],
)  # fmt: skip
def test_what_counts_as_a_write(text: str, writes: bool) -> None:
    session = Session()
    session.query(text)
    assert session.wrote is writes


def test_an_error_in_a_write_counts_too() -> None:
    session = Session()
    session.query("INSERT INTO t VALUES (1), (1)", err(1062))
    assert session.wrote


def test_preparing_a_write_is_none() -> None:
    session = Session()
    number = session.prepare("CREATE TEMPORARY TABLE t (a INT)")
    assert (session.wrote, session.state.pin) == (False, "")
    session.run(execute(number))
    assert (session.wrote, session.state.pin) == (True, "temporary-table")


# --- pins and what cannot be repeated ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pin"),
    [("CALL p()", "procedure"), ("LOCK TABLES t READ", "table-locks"), ("XA START 'a'", "xa"),
     ("FOO", "unknown-statement"), ("SET x = f()", "set-expression:x"),
     ("SELECT 1 /*! FOR UPDATE */", "executable-comment")],
)  # fmt: skip
def test_a_pin_holds_from_the_moment_its_statement_is_sent(text: str, pin: str) -> None:
    session = Session()
    session.query(text, err())
    assert session.state.pin == pin
    assert session.query("SELECT 1") == PRIMARY
    assert session.request(query("SELECT 1")).route.reason == f"pinned:{pin}"


@pytest.mark.parametrize(
    "text",
    ["SET @a = 1", "SELECT @a := 1", "SELECT a INTO @v FROM t", "SELECT a FROM t INTO @v", "SELECT GET_LOCK('a', 1)",
     "DO GET_LOCK('a', 1)", "SELECT f()", "UPDATE t SET a = (@v := a)", "SELECT 1; SELECT 2 INTO @v", "UNLOCK TABLES",
     "WITH x AS (SELECT 1) UPDATE t SET a = (@v := 1)"],
)  # fmt: skip
def test_a_session_whose_primary_connection_may_hold_state_cannot_move(text: str) -> None:
    session = Session()
    session.query(text)
    assert not session.machine.movable
    assert session.query("SELECT 1") == REPLICA


def test_a_session_that_only_read_can_move() -> None:
    session = Session()
    for text in ("SELECT 1", "SET NAMES utf8mb4", "SELECT * FROM t FOR UPDATE", "SHOW STATUS", "BEGIN", "COMMIT"):
        session.query(text)
    session.run(execute(session.prepare("SELECT 1")))
    assert session.machine.movable


# --- other commands ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [c.COM_PING, c.COM_STATISTICS, c.COM_DEBUG, c.COM_REFRESH, c.COM_PROCESS_INFO,
                                  c.COM_PROCESS_KILL, c.COM_FIELD_LIST, c.COM_SET_OPTION])  # fmt: skip
def test_other_commands_go_to_the_primary_and_pin_nothing(code: int) -> None:
    session = Session()
    assert session.run(command(code, b"\0\0")) == PRIMARY
    assert not session.state.pin
    assert not session.wrote


@pytest.mark.parametrize("code", [0x00, 0x05, 0x06, 0x0B, 0x0F, 0x11, 0x13, 0x1D, 0x7F, 0xFA, 0xFF])
def test_unknown_commands_are_refused(code: int) -> None:
    answer = Session().machine.request(command(code, b"abc"))
    assert isinstance(answer, Err)
    assert (answer.errno, answer.sqlstate) == (c.ER_UNKNOWN_COM, "08S01")


def test_large_commands_go_to_the_primary() -> None:
    session = Session()
    text = session.machine.streamed(query("SELECT 'x"))
    assert isinstance(text, Request)
    assert (text.route.target, text.route.reason, text.statement.pin) == (
        Target.PRIMARY,
        "too-large",
        "unknown-statement",
    )
    number = session.prepare("SELECT 1")
    executed = session.machine.streamed(execute(number))
    assert isinstance(executed, Request)
    assert executed.route.target is Target.PRIMARY
    session.machine.sent(executed, session.links[PRIMARY])
    assert not session.state.pin
    assert isinstance(session.machine.streamed(execute(99)), Err)
    session.machine.sent(text, session.links[PRIMARY])
    assert session.query("SELECT 1") == PRIMARY


def test_a_request_made_before_a_route_was_known_sees_diagnostics_last() -> None:
    assert Session().request(query("SHOW WARNINGS")).route.target is Target.LAST
