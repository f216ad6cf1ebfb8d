"""The session without I/O, driven with command packets and the servers' replies."""

import pytest

from proxy.routing.policy import Target
from proxy.routing.state import Seen, SessionState
from proxy.session.machine import Machine, Prelude, Request
from proxy.sql.cache import StatementCache
from proxy.sql.classify import Classifier
from proxy.wire import constants as c
from proxy.wire.capabilities import Layout
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.framing import frame
from proxy.wire.replies import Err
from topology.servers import Vendor

AUTOCOMMIT, IN_TRANS = c.SERVER_STATUS_AUTOCOMMIT, c.SERVER_STATUS_IN_TRANS
PRIMARY, REPLICA = "dbwrite", "dbread1"


def command(code: int, body: bytes = b"") -> bytes:
    return frame(bytes((code,)) + body, 0)


def query(text: str) -> bytes:
    return command(c.COM_QUERY, text.encode())


def ok(status: int = AUTOCOMMIT) -> bytes:
    return b"\0\0\0" + status.to_bytes(2, "little") + b"\0\0"


def err(errno: int = 1064) -> bytes:
    return b"\xff" + errno.to_bytes(2, "little") + b"#42000no"


class Session:
    """A machine with its connections; `run` does for one command what the I/O side does."""

    def __init__(self, schema: str = "app") -> None:
        self.state = SessionState(schema, AUTOCOMMIT)
        self.machine = Machine(StatementCache(Classifier(Vendor.MYSQL)).statement, self.state)
        self.links = {PRIMARY: Seen(), REPLICA: Seen()}
        self.log: list[tuple[str, bytes]] = []
        self.wrote = False
        self.parameters = 0
        self._server_numbers = {PRIMARY: 100, REPLICA: 200}

    def request(self, packet: bytes) -> Request:
        request = self.machine.request(packet)
        assert isinstance(request, Request)
        return request

    def server_of(self, request: Request) -> str:
        return request.server or (REPLICA if request.route.target is Target.REPLICA else PRIMARY)

    def run(self, packet: bytes, reply: bytes = b"") -> str:
        """Run a command; returns the server that it went to. Its log is (server, packet) of all that was sent."""
        request = self.request(packet)
        server = self.server_of(request)
        seen = self.links[server]
        self.log = []
        while (prelude := self.machine.prelude(seen, request)) is not None:
            self.log.append((server, prelude.packet))
            self.machine.prelude_done(prelude, seen, self._answered(prelude, server))
        self.log.append((server, self.machine.packet_for(seen, request)))
        self.machine.sent(request, server)
        exchange = Exchange(request.reply, Layout(deprecate_eof=True))
        if not exchange.done:
            exchange.feed(frame(reply, 1) if reply else self._ordinary(request.reply, server))
        self.wrote = self.machine.wrote(request)
        if exchange.prepared is not None:
            self.number = self.machine.prepared(request, exchange, seen)
        self.machine.replied(request, exchange, seen, server == PRIMARY)
        return server

    def query(self, text: str, reply: bytes = b"") -> str:
        return self.run(query(text), reply)

    def prepare(self, text: str, parameters: int = 0) -> int:
        self.parameters = parameters
        self.run(command(c.COM_STMT_PREPARE, text.encode()))
        return self.number

    def sent(self) -> list[tuple[str, bytes]]:
        return [(server, packet[4:]) for server, packet in self.log]

    def _answered(self, prelude: Prelude, server: str) -> Exchange:
        exchange = Exchange(prelude.reply, Layout(deprecate_eof=True))
        exchange.feed(self._ordinary(prelude.reply, server))
        return exchange

    def _ordinary(self, reply: Reply, server: str) -> bytes:
        if reply is not Reply.PREPARED:
            return frame(ok() if reply is not Reply.ROWS else b"\xfe" + ok()[1:], 1)
        self._server_numbers[server] += 1
        numbers = self._server_numbers[server].to_bytes(4, "little") + bytes(2) + self.parameters.to_bytes(2, "little")
        return frame(b"\0" + numbers + bytes(3), 1) + frame(b"\x03def", 2) * self.parameters


def execute(number: int, parameters: int = 0, types: bytes = b"", values: bytes = b"", bound: bool = False) -> bytes:
    body = number.to_bytes(4, "little") + b"\0" + (1).to_bytes(4, "little")
    if parameters:
        body += bytes((parameters + 7) // 8) + (b"\x01" + types if bound else b"\0") + values
    return command(c.COM_STMT_EXECUTE, body)


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
    movable = session.machine.movable
    session.prepare("SELECT 1")
    assert (movable, session.machine.movable) == (True, False)


# --- prepared statements ----------------------------------------------------------------------------------------------


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


def test_long_data_keeps_its_execution_on_the_primary() -> None:
    session = Session()
    number = session.prepare("SELECT ?")
    head = number.to_bytes(4, "little")
    assert session.run(command(c.COM_STMT_SEND_LONG_DATA, head + b"\0\0abc")) == PRIMARY
    request = session.request(execute(number))
    assert (request.route.target, request.route.reason) == (Target.PRIMARY, "long-data")
    assert session.run(execute(number)) == PRIMARY
    assert session.run(execute(number)) == REPLICA
    session.run(command(c.COM_STMT_SEND_LONG_DATA, head + b"\0\0abc"))
    assert session.run(command(c.COM_STMT_RESET, head)) == PRIMARY
    assert session.run(execute(number)) == REPLICA


def test_rows_are_fetched_where_the_cursor_is() -> None:
    session = Session()
    number = session.prepare("SELECT a FROM t")
    fetch = command(c.COM_STMT_FETCH, number.to_bytes(4, "little") + (5).to_bytes(4, "little"))
    assert session.run(fetch, err(1243)) == PRIMARY
    assert session.run(execute(number)) == REPLICA
    assert session.run(fetch) == REPLICA
    session.run(command(c.COM_STMT_SEND_LONG_DATA, number.to_bytes(4, "little") + b"\0\0abc"))
    assert session.run(fetch) == REPLICA
    assert session.run(command(c.COM_STMT_RESET, number.to_bytes(4, "little"))) == PRIMARY
    session.query("BEGIN", ok(AUTOCOMMIT | IN_TRANS))
    session.run(execute(number), ok(AUTOCOMMIT | IN_TRANS))
    assert session.run(fetch) == PRIMARY


@pytest.mark.parametrize(
    "change", ["USE other", "SET NAMES latin1", "SET sql_mode = ''", "SET collation_connection = x"]
)
def test_a_statement_keeps_the_meaning_that_it_was_prepared_with(change: str) -> None:
    session = Session("app")
    number = session.prepare("SELECT a FROM t")
    session.query(change)
    request = session.request(execute(number))
    assert (request.route.target, request.route.reason) == (Target.PRIMARY, "prepared-before-a-setting")
    assert session.run(execute(session.prepare("SELECT a FROM t"))) == REPLICA


def test_other_settings_do_not_matter_to_prepared_statements() -> None:
    session = Session("app")
    number = session.prepare("SELECT a FROM t")
    for text in ("SET autocommit = 1", "USE other", "USE app", "SET time_zone = 'UTC'"):
        session.query(text)
    assert session.run(execute(number)) == REPLICA


def test_a_prepared_set_is_repeated_as_text() -> None:
    session = Session()
    session.run(execute(session.prepare("SET sql_mode = ''")))
    session.query("SELECT 1")
    assert session.sent() == [(REPLICA, b"\x03SET sql_mode = ''"), (REPLICA, b"\x03SELECT 1")]


def test_a_closed_statement_is_unknown() -> None:
    session = Session()
    number = session.prepare("SELECT 1")
    closed = session.machine.close_statement(command(c.COM_STMT_CLOSE, number.to_bytes(4, "little")))
    assert closed is not None
    assert closed.number == number
    assert session.machine.close_statement(command(c.COM_STMT_CLOSE, number.to_bytes(4, "little"))) is None
    for code in (c.COM_STMT_EXECUTE, c.COM_STMT_FETCH, c.COM_STMT_RESET, c.COM_STMT_SEND_LONG_DATA):
        answer = session.machine.request(command(code, number.to_bytes(4, "little") + bytes(5)))
        assert isinstance(answer, Err)
        assert answer.errno == c.ER_UNKNOWN_STMT_HANDLER


@pytest.mark.parametrize("code", [c.COM_STMT_EXECUTE, c.COM_STMT_FETCH, c.COM_STMT_RESET, c.COM_STMT_SEND_LONG_DATA])
@pytest.mark.parametrize("body", [b"", b"\1", b"\1\0\0"])
def test_short_packets_name_no_statement(code: int, body: bytes) -> None:
    session = Session()
    session.prepare("SELECT 1")
    assert isinstance(session.machine.request(command(code, body)), Err)


def test_fewer_types_than_parameters_are_an_error() -> None:
    session = Session()
    number = session.prepare("SELECT ?, ?", parameters=2)
    answer = session.machine.request(execute(number, 2, b"\x03\x00\xfd", bound=True))
    assert isinstance(answer, Err)


# --- other commands ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [c.COM_PING, c.COM_STATISTICS, c.COM_DEBUG, c.COM_REFRESH, c.COM_PROCESS_INFO,
                                  c.COM_PROCESS_KILL, c.COM_FIELD_LIST, c.COM_SET_OPTION])  # fmt: skip
def test_other_commands_go_to_the_primary_and_pin_nothing(code: int) -> None:
    session = Session()
    assert session.run(command(code, b"\0\0")) == PRIMARY
    assert not session.state.pin
    assert not session.wrote


@pytest.mark.parametrize("code", [0x00, 0x05, 0x06, 0x0B, 0x0F, 0x11, 0x12, 0x1D, 0x7F, 0xFF])
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
    session.machine.sent(executed, PRIMARY)
    assert not session.state.pin
    assert isinstance(session.machine.streamed(execute(99)), Err)
    session.machine.sent(text, PRIMARY)
    assert session.query("SELECT 1") == PRIMARY


def test_a_request_made_before_a_route_was_known_sees_diagnostics_last() -> None:
    assert Session().request(query("SHOW WARNINGS")).route.target is Target.LAST
