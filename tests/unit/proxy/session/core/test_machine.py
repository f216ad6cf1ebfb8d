"""The session without I/O, driven with command packets and the servers' replies."""

import pytest

from proxy.routing.policy import Target
from proxy.routing.state import Seen
from proxy.session.core.request import Request
from proxy.wire import constants as c
from proxy.wire.framing import frame
from proxy.wire.replies import Err, Ok, ok_payload
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
from topology.freshness import Tables

# --- settings ---------------------------------------------------------------------------------------------------------


def test_a_replica_is_told_all_settings_in_order_and_once() -> None:
    session = Session()
    for text in ("SET NAMES latin1", "SET sql_mode = ''", "USE other", "SET NAMES utf8mb4"):
        assert session.query(text) == PRIMARY
        assert session.sent() == [(PRIMARY, b"\x03" + text.encode())]
    assert session.query("SELECT 1") == REPLICA
    wanted = [b"\x03SET @@session.sql_mode = ''", b"\x02other", b"\x03SET NAMES utf8mb4", b"\x03SELECT 1"]
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
    session.query("USE gone", err(1049))
    assert (session.state.schema, session.query("SELECT 1")) == ("app", REPLICA)


def test_a_new_connection_is_told_what_would_mean_something_else_afterwards() -> None:
    session = Session()
    for text in ("SET @a = 'x', @b = 2", "PREPARE p FROM 'SELECT * FROM t'"):
        session.query(text)
    told = b"\x03PREPARE p FROM 'SELECT * FROM t'"
    for text in ("SELECT GET_LOCK('a', 1); SET sql_mode = 'ANSI_QUOTES'", "SET NAMES latin1"):
        session.links[PRIMARY] = Seen()
        session.query("SET @c = 1")
        before = session.links[PRIMARY]
        session.query(text)
        assert [packet for _, packet in session.sent()] == [told, b"\x03" + text.encode()]
        assert (sorted(before.variables), sorted(before.named)) == (["a", "b", "c"], ["p"])
        session.run(command(c.COM_RESET_CONNECTION))
        session.query("SET @a = 'x', @b = 2")
        session.query("PREPARE p FROM 'SELECT * FROM t'")


@pytest.mark.parametrize("packet", [query("USE other"), command(c.COM_INIT_DB, b"other")])
def test_what_was_prepared_as_text_keeps_its_schema(packet: bytes) -> None:
    session = Session()
    session.query("PREPARE p FROM 'SELECT * FROM t'")
    session.links[PRIMARY] = Seen()
    session.run(packet)
    assert session.sent() == [(PRIMARY, b"\x03PREPARE p FROM 'SELECT * FROM t'"), (PRIMARY, packet[4:])]
    assert session.query("EXECUTE p") == PRIMARY
    assert session.sent() == [(PRIMARY, b"\x03EXECUTE p")]


def test_a_procedure_finds_what_was_prepared_as_text() -> None:
    session = Session()
    session.query("PREPARE p FROM 'SELECT 1'")
    session.links[PRIMARY] = Seen()
    session.query("CALL executes()")
    assert session.sent() == [(PRIMARY, b"\x03PREPARE p FROM 'SELECT 1'"), (PRIMARY, b"\x03CALL executes()")]


def test_what_cannot_be_prepared_as_text_again_is_not_in_the_way() -> None:
    session = Session()
    session.query("PREPARE p FROM 'SELECT * FROM t'")
    seen = session.links[PRIMARY] = Seen()
    request = session.request(query("USE other"))
    prelude = session.machine.steps.prelude(seen, request)
    assert prelude is not None
    assert session.machine.steps.prelude_failed(prelude, seen)
    assert session.machine.steps.prelude(seen, request) is None


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


def test_texts_are_read_as_the_session_means_them() -> None:
    session = Session()
    assert session.query('SELECT "a (1)"') == REPLICA
    session.query("SET sql_mode = 'ANSI_QUOTES'")
    assert session.query('SELECT "a"') == REPLICA
    assert session.request(query('SELECT "f"(1)')).route.reason == "unknown-function:f"
    session.query("SET NAMES gbk")
    assert session.query("SELECT 1") == REPLICA
    session.query("SET sql_mode = DEFAULT")
    assert session.request(command(c.COM_QUERY, b"SELECT '\xbf\x5c' FOR UPDATE -- '")).route.reason == "locking-read"
    session.run(command(c.COM_RESET_CONNECTION))
    assert session.query('SELECT "f"') == REPLICA


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
    wanted = [b"\x03\0\1SET NAMES latin1, @@session.sql_mode = ''", b"\x03\0\1SELECT 1"]
    assert session.sent() == [(REPLICA, packet) for packet in wanted]


def test_attributes_that_cannot_be_read_get_the_servers_error() -> None:
    session = Session(flags=c.CLIENT_QUERY_ATTRIBUTES)
    answer = session.machine.requests.make(command(c.COM_QUERY, b"\0\2SELECT 1"))
    assert isinstance(answer, Err)
    assert answer.errno == c.ER_MALFORMED_PACKET
    assert session.run(command(c.COM_QUERY, b"\0\1SELECT 1")) == REPLICA


def test_a_kill_behind_attributes_is_read() -> None:
    session = Session(flags=c.CLIENT_QUERY_ATTRIBUTES)
    assert session.request(command(c.COM_QUERY, ATTRIBUTE + b"KILL 5")).kill is not None


def test_what_a_replica_refused_is_remembered_without_its_attributes() -> None:
    session = Session(flags=c.CLIENT_QUERY_ATTRIBUTES)
    request = session.request(command(c.COM_QUERY, ATTRIBUTE + b"SELECT 1"))
    assert session.machine.requests.text(request) == b"SELECT 1"
    number = session.prepare("SELECT 2")
    assert session.machine.requests.text(session.request(execute(number))) == b"SELECT 2"
    assert Session().machine.requests.text(Session().request(query("SELECT 3"))) == b"SELECT 3"


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
    assert session.sent() == [(REPLICA, b"\x1f"), (REPLICA, b"\x02other"), (REPLICA, b"\x03SELECT 1")]
    session.query("SELECT 1")
    assert len(session.log) == 1
    session.query("INSERT INTO t VALUES (1)")
    assert len(session.log) == 1


def test_prepared_statements_do_not_outlive_a_reset() -> None:
    session = Session()
    number = session.prepare("SELECT 1")
    session.run(execute(number))
    session.run(command(c.COM_RESET_CONNECTION))
    answer = session.machine.requests.make(execute(number))
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
    assert (session.wrote, session.state.pin) == (True, "temp-table")


# --- pins and what cannot be repeated ---------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [b"", err(1317)])
@pytest.mark.parametrize(
    ("text", "pin"), [("CALL p()", "procedure"), ("FOO", "unknown-statement"), ("DO GET_LOCK(@a, 1)", "named-lock")]
)
def test_what_may_have_happened_pins_even_after_an_error(text: str, pin: str, error: bytes) -> None:
    session = Session()
    session.query(text, error)
    assert session.query("SELECT 1") == PRIMARY
    assert session.request(query("SELECT 1")).route.reason == f"pinned:{pin}"


def test_what_failed_pins_nothing() -> None:
    session = Session()
    for text in ("CREATE TEMPORARY TABLE t (a INT)", "LOCK TABLES t READ", "SET timestamp = 1", "SET a = f()"):
        session.query(text, err())
        assert session.query("SELECT 1") == REPLICA


def test_a_pin_ends_with_what_it_is_about() -> None:
    session = Session()
    session.query("CREATE TEMPORARY TABLE t (a INT)")
    session.query("SELECT GET_LOCK('x', 1)")
    session.query("DROP TEMPORARY TABLE t")
    assert session.request(query("SELECT 1")).route.reason == "pinned:named-lock"
    session.query("SELECT RELEASE_LOCK('x')")
    assert session.query("SELECT 1") == REPLICA


@pytest.mark.parametrize(
    "text",
    ["SET @a = @@hostname", "SELECT @a := 1", "SELECT a INTO @v FROM t", "SELECT f()", "UPDATE t SET a = (@v := a)",
     "SELECT 1; SELECT 2 INTO @v", "WITH x AS (SELECT 1) UPDATE t SET a = (@v := 1)"],
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
    answer = Session().machine.requests.make(command(code, b"abc"))
    assert isinstance(answer, Err)
    assert (answer.errno, answer.sqlstate) == (c.ER_UNKNOWN_COM, "08S01")


def test_large_commands_go_to_the_primary() -> None:
    session = Session()
    text = session.machine.requests.streamed(query("SELECT 'x"))
    assert isinstance(text, Request)
    assert (text.route.target, text.route.reason) == (Target.PRIMARY, "too-large")
    number = session.prepare("SELECT 1")
    executed = session.machine.requests.streamed(execute(number))
    assert isinstance(executed, Request)
    assert executed.route.target is Target.PRIMARY
    assert isinstance(session.machine.requests.streamed(execute(99)), Err)
    session.answer(text, PRIMARY)
    assert session.request(query("SELECT 1")).route.reason == "pinned:unknown-statement"


# --- user variables and what is prepared as text ----------------------------------------------------------------------


def test_a_replica_is_told_all_variables_before_a_read() -> None:
    """A view can call a function that reads them."""
    session = Session()
    session.query("SET @a = 1, @b = 'x'")
    assert session.query("SELECT a FROM v") == REPLICA
    assert session.sent() == [(REPLICA, b"\x03SET @`a` = 1, @`b` = 'x'"), (REPLICA, b"\x03SELECT a FROM v")]
    session.query("SELECT @a, @nothing")
    assert len(session.log) == 1
    session.query("SET @a = 3")
    assert session.sent() == [(PRIMARY, b"\x03SET @a = 3")]
    session.query("SELECT @a")
    assert session.sent() == [(REPLICA, b"\x03SET @`a` = 3"), (REPLICA, b"\x03SELECT @a")]
    session.query("SELECT @a INTO @b")
    assert session.request(query("SELECT @b")).route.reason == "user-variable"
    assert session.query("SELECT @a") == REPLICA


def test_a_prepared_read_is_told_its_variables_too() -> None:
    session = Session()
    number = session.prepare("SELECT @a")
    session.query("SET @a = 1")
    assert session.run(execute(number)) == REPLICA
    assert session.sent()[0] == (REPLICA, b"\x03SET @`a` = 1")
    session.run(command(c.COM_RESET_CONNECTION))
    assert session.query("SELECT @a") == REPLICA
    assert [packet for _, packet in session.sent()] == [b"\x1f", b"\x03SELECT @a"]


def test_what_was_prepared_as_text_runs_where_its_text_would() -> None:
    session = Session()
    assert session.query("PREPARE s FROM 'SELECT * FROM t WHERE a = ?'") == PRIMARY
    session.query("SET @a = 1")
    assert session.query("EXECUTE S USING @a") == REPLICA
    assert [packet for _, packet in session.sent()] == [
        b"\x03SET @`a` = 1",
        b"\x03PREPARE s FROM 'SELECT * FROM t WHERE a = ?'",
        b"\x03EXECUTE S USING @a",
    ]
    session.query("EXECUTE s USING @a")
    assert len(session.log) == 1
    session.query("PREPARE s FROM 'SELECT 2'")
    session.query("EXECUTE s")
    assert session.sent()[0] == (REPLICA, b"\x03PREPARE s FROM 'SELECT 2'")
    session.query("DEALLOCATE PREPARE s")
    assert session.query("EXECUTE s", err(1243)) == PRIMARY
    assert session.query("SELECT 1") == REPLICA


def test_what_is_executed_as_text_has_the_effects_of_its_text() -> None:
    session = Session()
    session.query("PREPARE s FROM 'CREATE TEMPORARY TABLE t (a INT)'")
    assert session.query("SELECT 1") == REPLICA
    assert session.query("EXECUTE s") == PRIMARY
    assert (session.wrote, session.state.pin) == (True, "temp-table")
    session.query("PREPARE s FROM 'DROP TEMPORARY TABLE t'")
    session.query("EXECUTE s")
    session.query("PREPARE s FROM 'CALL p(?)'")
    session.query("SET @a = 1")
    session.query("EXECUTE s USING @a")
    assert session.state.pin == "procedure"


def test_a_text_keeps_the_meaning_that_it_was_prepared_with() -> None:
    session = Session()
    session.query("PREPARE s FROM 'SELECT * FROM t'")
    session.query("USE other")
    assert session.request(query("EXECUTE s")).route.reason == "prepared-before-a-setting"
    assert session.query("EXECUTE s") == PRIMARY
    session.query("USE app")
    assert session.query("EXECUTE s") == REPLICA


def test_what_is_not_known_to_be_prepared_may_be_anything() -> None:
    session = Session()
    assert session.query("EXECUTE s") == PRIMARY
    assert session.state.pin == "unknown-statement"


def test_a_request_made_before_a_route_was_known_sees_diagnostics_last() -> None:
    assert Session().request(query("SHOW WARNINGS")).route.target is Target.LAST


@pytest.mark.parametrize(
    ("replies", "transferable"),
    [
        ([("SET autocommit = 0", ok(0))], True),
        ([("SET autocommit = 0", ok(0)), ("INSERT INTO t VALUES (1)", err(1406))], False),
        ([("SET autocommit = 0", ok(0)), ("INSERT INTO t VALUES (1)", err(1406)), ("ROLLBACK", ok(0))], True),
        ([("SELECT a FROM t FOR UPDATE", err(1146))], True),
    ],
)
def test_an_error_may_leave_a_transaction_behind_with_autocommit_off(
    replies: list[tuple[str, bytes]], transferable: bool
) -> None:
    session = Session()
    for text, reply in replies:
        session.query(text, reply)
    assert session.state.transferable is transferable


# --- which tables were written ---------------------------------------------------------------------------------------


def written_by(session: Session, text: str, status: int = AUTOCOMMIT) -> Tables:
    """The tables that a write counts for once its reply is here."""
    request = session.request(query(text))
    assert session.machine.outcomes.wrote(request)
    written = session.machine.outcomes.written
    session.run(query(text), ok(status))
    return written


def test_a_write_counts_for_its_tables_alone() -> None:
    session = Session()
    assert written_by(session, "INSERT INTO T VALUES (1)") == frozenset([("app", "t")])
    assert written_by(session, "DELETE FROM other.u") == frozenset([("other", "u")])
    assert written_by(session, "CALL p()") is None
    assert written_by(session, "DELETE FROM t; DELETE FROM u") is None
    assert written_by(session, "DELETE FROM t") == frozenset([("app", "t")])


def test_a_commit_counts_for_all_tables_of_its_transaction() -> None:
    session = Session()
    session.query("BEGIN", ok(IN_TRANS))
    written_by(session, "INSERT INTO t VALUES (1)", IN_TRANS)
    session.query("USE other", ok(IN_TRANS))
    assert written_by(session, "INSERT INTO t VALUES (1)", IN_TRANS) == frozenset([("app", "t"), ("other", "t")])
    assert written_by(session, "COMMIT") == frozenset([("app", "t"), ("other", "t")])
    assert written_by(session, "INSERT INTO u VALUES (1)") == frozenset([("other", "u")])


def test_a_transaction_that_held_an_uncertain_write_counts_for_all() -> None:
    session = Session()
    session.query("BEGIN", ok(IN_TRANS))
    written_by(session, "CALL p()", IN_TRANS)
    assert written_by(session, "INSERT INTO t VALUES (1)", IN_TRANS) is None
    assert written_by(session, "COMMIT") is None


def test_a_transaction_with_very_many_tables_counts_for_all() -> None:
    session = Session()
    session.query("BEGIN", ok(IN_TRANS))
    for number in range(102):
        written_by(session, f"INSERT INTO t{number} VALUES (1)", IN_TRANS)
    assert written_by(session, "COMMIT") is None


def test_locking_tables_commits_what_was_written() -> None:
    session = Session()
    session.query("BEGIN", ok(IN_TRANS))
    written_by(session, "INSERT INTO t VALUES (1)", IN_TRANS)
    assert written_by(session, "LOCK TABLES t READ") == frozenset([("app", "t")])
    assert not session.machine.outcomes.wrote(session.request(query("LOCK TABLES t READ")))


def test_unlocking_tables_commits_what_was_written() -> None:
    session = Session()
    session.query("SET autocommit = 0", ok(0))
    session.query("LOCK TABLES t WRITE", ok(0))
    written_by(session, "INSERT INTO t VALUES (1)", c.SERVER_STATUS_IN_TRANS)
    assert written_by(session, "UNLOCK TABLES", 0) == frozenset([("app", "t")])


@pytest.mark.parametrize("text", ["SET @a = @b + 1, autocommit = 1", "SET STATEMENT max_statement_time = 9 FOR COMMIT"])
def test_the_server_tells_that_a_transaction_is_over(text: str) -> None:
    session = Session()

    def wrote(text: str, status: int) -> bool:
        session.query(text, ok(status))
        return session.wrote

    session.query("BEGIN", ok(IN_TRANS))
    session.query("INSERT INTO t VALUES (1)", ok(IN_TRANS))
    assert not wrote("SELECT 1 FROM t FOR UPDATE", IN_TRANS)
    assert wrote(text, AUTOCOMMIT)
    assert not wrote(text, AUTOCOMMIT)


def test_a_read_after_an_error_is_no_write() -> None:
    session = Session()
    session.query("INSERT INTO t VALUES (1)", err(1062))
    session.run(execute(session.prepare("SELECT a FROM t")))
    assert not session.wrote


def test_a_write_counts_for_the_tables_of_its_queries() -> None:
    session = Session()
    assert written_by(session, "INSERT INTO t SELECT * FROM v") == frozenset([("app", "t"), ("app", "v")])


def test_what_is_prepared_writes_in_the_schema_of_its_preparation() -> None:
    session = Session()
    number = session.prepare("INSERT INTO t VALUES (1)")
    session.query("USE other")
    request = session.request(execute(number))
    assert session.machine.outcomes.wrote(request)
    assert session.machine.outcomes.written == frozenset([("app", "t")])


def test_execution_by_name_counts_for_all() -> None:
    session = Session()
    session.query("PREPARE s FROM 'INSERT INTO t VALUES (1)'")
    assert written_by(session, "EXECUTE s") is None


def test_a_read_goes_in_one_write_with_what_its_replica_has_to_be_told() -> None:
    session = Session()
    number = session.prepare("SELECT a FROM t")
    session.query("SET time_zone = '+01:00'")
    session.query("SELECT a FROM t")
    assert (len(session.log), session.written_ahead) == (2, True)
    session.query("SET @mine = 1")
    session.query("SET time_zone = '+02:00'")
    session.query("SELECT @mine FROM t")
    assert (len(session.log), session.written_ahead) == (3, True)
    session.query("SET time_zone = '+03:00'")
    session.run(execute(number))
    assert (len(session.log), session.written_ahead) == (3, False)
    session.query("SET time_zone = '+04:00'")
    session.run(execute(number))
    assert (len(session.log), session.written_ahead) == (2, True)


def test_nothing_else_is_written_ahead() -> None:
    session = Session()
    session.query("SET time_zone = '+01:00'")
    steps, seen = session.machine.steps, session.links[REPLICA]
    for text in (
        "INSERT INTO t VALUES (1)",
        "SELECT GET_LOCK('a', 1)",
        "CALL p()",
        f"SELECT a FROM t -- {'x' * 20_000}",
    ):
        assert steps.ahead(seen, session.request(query(text))) == []
    assert steps.ahead(seen, session.request(query("SELECT a FROM t"))) == [query("SELECT a FROM t")]


@pytest.mark.parametrize("text", ["SET @a = @b", "SELECT 1 INTO @a", "INSERT INTO t VALUES (1)", "DO 1"])
def test_another_connection_is_told_all_variables_before_whatever_comes(text: str) -> None:
    """One that gets NULL keeps the type that it has, and a trigger can read them."""
    session = Session()
    session.query("SET @a = 'x'")
    session.links[PRIMARY] = Seen()
    session.query(text)
    assert [packet for _, packet in session.sent()] == [b"\x03SET @`a` = 'x'", b"\x03" + text.encode()]


def test_an_insert_id_that_was_lost_is_not_made_up() -> None:
    session = Session()
    session.query("INSERT INTO t VALUES (1)")
    session.state.lose_connection()
    last = session.machine.last

    def retold(text: str) -> object:
        return last.retold(session.request(query(text)))

    for text in ("SELECT LAST_INSERT_ID()", "SELECT @@identity", "INSERT INTO t VALUES (last_insert_id())"):
        found = retold(text)
        assert isinstance(found, Err)
        assert "LAST_INSERT_ID() is not known" in found.message
    assert isinstance(retold("SELECT 1"), Request)
    for answer in (Ok(1, 0), Ok(1, 7)):
        assert session.state.insert_id_lost
        last.learn(frame(ok_payload(answer), 1))
    assert not session.state.insert_id_lost
