"""What can be asked about the last statement when its connection went to another session."""

import pytest

from proxy.routing.policy import Target
from proxy.routing.state import Seen
from proxy.session.core.diagnostics import LOST, NO_WARNINGS, SPLIT
from proxy.session.core.ownerror import signal
from proxy.session.core.request import Request
from proxy.wire import constants as c
from proxy.wire.framing import frame
from proxy.wire.primitives import lenenc_bytes
from proxy.wire.replies import Err
from tests.support.machines import IN_TRANS, PRIMARY, REPLICA, Session, query
from topology.servers import Vendor

OTHER = "dbread2"


def rows(*found: tuple[bytes, ...]) -> bytes:
    """As much of a reply as is looked at."""
    packets = [b"\1", *(b"".join(map(lenenc_bytes, row)) for row in found), b"\xfe\0\0\2\0"]
    return b"".join(frame(packet, number) for number, packet in enumerate(packets, 1))


WARNING = rows((b"Warning", b"1642", b"a warning"))
NUMBERS_ALONE = rows((b"0", b"0", b"1"))
NUMBERS = rows((b"0", b"0", b"1", *(b"1642" for _ in range(13))))


class Told(Session):
    """A session whose statements are noted as they are sent."""

    def __init__(self, vendor: Vendor = Vendor.MARIADB) -> None:
        super().__init__(vendor=vendor)
        self.last = self.machine.last

    def runs(self, text: str, name: str = PRIMARY, *, warns: bool = False) -> None:
        self.last.sent(self.request(query(text)), name, on_replica=name != PRIMARY)
        if warns:
            self.last.ran.left_warnings(name)

    def commands(self, code: int, rest: bytes = b"a", *, warns: bool = False) -> None:
        """A command on the primary that is no statement."""
        request = self.request(frame(bytes((code,)) + rest, 0))
        self.last.commanded(request, PRIMARY, on_primary=True)
        if warns:
            self.last.left_warnings(request, PRIMARY)

    def loses(self, name: str = PRIMARY) -> None:
        """The connection goes to another session, and says what it knows."""
        told = [b"", WARNING, rows(), b"", NUMBERS, b""]
        self.last.keep(told, Seen(), name, name == PRIMARY, last=True)

    def retold(self, text: str) -> Request:
        """The question as it goes to a server."""
        told = self.last.retold(self.request(query(text)))
        assert isinstance(told, Request)
        return told

    def asks(self, text: str = "SHOW WARNINGS") -> str:
        told = self.last.retold(self.request(query(text)))
        if isinstance(told, Request):
            return self.last.ran.asked(told.statement.asks)
        return "" if told == LOST else "told" if told == WARNING else str(told)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("SET @a = 1", "told"),
        ("SET sql_mode = CONCAT(@@sql_mode, ',ANSI')", "told"),
        ("SET timestamp = 1", "told"),
        ("SET TRANSACTION READ ONLY", "told"),
        ("SELECT 1", "told"),
        ("COMMIT", "told"),
        ("UNLOCK TABLES", "told"),
        # With these it depends on what they run.
        ("CALL p()", ""),
        ("EXECUTE p", ""),
        ("SELECT f()", ""),
        ("SHOW TABLES", PRIMARY),
        ("SHOW VARIABLES LIKE 'x'", PRIMARY),
        ("SELECT a FROM t", PRIMARY),
        ("SELECT a FROM t FOR UPDATE", PRIMARY),
        ("SELECT LAST_INSERT_ID() + 1, a FROM t", PRIMARY),
        ("SELECT f(1) FROM t", PRIMARY),
        ("SELECT GET_LOCK(CONCAT('a', LOWER('B')), 0), a FROM t", PRIMARY),
        ("SELECT NEXT VALUE FOR s", PRIMARY),
        ("DO NEXTVAL(s)", PRIMARY),
        ("SELECT LAST_INSERT_ID(), (SELECT MAX(a) FROM t)", "told"),
        ("SELECT LAST_INSERT_ID() FROM DUAL", "told"),
        ("SELECT @@identity, @@last_insert_id", "told"),
        ("SELECT 1 INTO @a", "told"),
        ("SELECT a INTO @a FROM t", PRIMARY),
        ("SELECT user FROM mysql.user", PRIMARY),
        ("SHOW STATUS LIKE 'Uptime'", ""),
        ("HANDLER h CLOSE", PRIMARY),
        ("LOCK TABLES t READ", PRIMARY),
        ("PREPARE p FROM 'SELECT a FROM t'", PRIMARY),
        ("PREPARE p FROM 'INSERT INTO t VALUES (1)'", PRIMARY),
        ("PREPARE p FROM 'SET @a = 1'", ""),
        ("PREPARE p FROM 'SELECT 1'", "told"),
        ("CREATE DATABASE d", "told"),
        ("XA START 'a'", "told"),
        ("XA COMMIT 'a' ONE PHASE", "told"),
        ("UPDATE t JOIN u USING (a) SET t.b = 1", PRIMARY),
        ("UPDATE t SET a = 1", PRIMARY),
    ],
)
def test_warnings_of_a_statement_behind_another_one(text: str, answer: str) -> None:
    told = Told()
    told.runs("SIGNAL SQLSTATE '01000'", warns=True)
    told.loses()
    told.runs(text)
    assert told.asks() == answer


def test_a_connection_that_is_there_knows_itself() -> None:
    told = Told()
    told.runs("SIGNAL SQLSTATE '01000'", warns=True)
    told.runs("CALL p()")
    assert told.asks() == PRIMARY


def test_of_what_may_have_left_the_warnings_the_connection_is_asked() -> None:
    told = Told()
    told.runs("SIGNAL SQLSTATE '01000'", warns=True)
    told.runs("CALL p()")
    assert told.last.ran.warned
    told.loses()
    assert told.asks() == "told"


def test_any_statement_of_mysql_forgets_warnings() -> None:
    told = Told(Vendor.MYSQL)
    told.runs("SIGNAL SQLSTATE '01000'", warns=True)
    told.loses()
    told.runs("SET @a = 1")
    assert told.asks() == PRIMARY


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("SELECT @@warning_count, ROW_COUNT()", ""),
        ("GET DIAGNOSTICS @a = ROW_COUNT, @b = NUMBER", ""),
        ("SHOW WARNINGS", "told"),
        ("SELECT ROW_COUNT()", PRIMARY),
    ],
)
def test_warnings_of_one_statement_and_a_count_of_another(text: str, answer: str) -> None:
    told = Told()
    told.runs("SIGNAL SQLSTATE '01000'", warns=True)
    told.loses()
    told.runs("SET @a = 1")
    assert told.asks(text) == answer


def test_a_count_that_is_told_from_memory_leaves_the_warnings_of_the_statement_before() -> None:
    told = Told()
    told.runs("SIGNAL SQLSTATE '01000'", warns=True)
    told.loses()
    told.runs("SELECT @@identity, @@last_insert_id")
    told.last.keep([NUMBERS_ALONE], Seen(), PRIMARY, True, last=True)
    asked = told.retold("SELECT ROW_COUNT()")
    told.last.sent(asked, PRIMARY, on_replica=False)
    assert told.asks() == "told"


def test_a_count_and_older_warnings_are_told_together_when_both_are_known() -> None:
    told = Told()
    told.runs("SIGNAL SQLSTATE '01000'", warns=True)
    told.loses()
    told.runs("SET @a = 1")
    told.last.keep([rows((b"0", b"5", b"1"))], Seen(), PRIMARY, True, last=True)
    asked = told.retold("GET DIAGNOSTICS @a = ROW_COUNT, @b = NUMBER")
    assert asked.packet.endswith(b"SET @a = 5, @b = CAST(1 AS UNSIGNED)")
    told.last.sent(asked, PRIMARY, on_replica=False)
    assert told.asks() == "told"


def test_a_connection_may_have_older_warnings_than_those_of_a_read_that_had_none() -> None:
    told = Told()
    told.runs("RELEASE SAVEPOINT s", warns=True)
    told.runs("SELECT a FROM t", REPLICA)
    told.runs("XA START 'a'")
    asked = told.retold("SHOW WARNINGS")
    assert asked.packet.endswith(b"SHOW WARNINGS LIMIT 0")


@pytest.mark.parametrize("older", [True, False])
def test_a_call_may_leave_older_warnings_of_the_primary(older: bool) -> None:
    told = Told()
    told.runs("RELEASE SAVEPOINT s", warns=older)
    told.runs("SELECT a FROM t", REPLICA)
    told.runs("CALL p()")
    asked = told.retold("SHOW WARNINGS")
    assert asked.packet.endswith(b"SHOW WARNINGS LIMIT 0")


def test_a_count_is_not_told_together_with_older_warnings_of_its_connection() -> None:
    told = Told()
    told.runs("SELECT a FROM t INTO @a", warns=True)
    told.runs("SELECT a FROM t", REPLICA)
    told.runs("SELECT @@last_insert_id")
    asked = told.request(query("GET DIAGNOSTICS @a = ROW_COUNT, @b = NUMBER"))
    assert told.last.retold(asked) == LOST
    told.last.keep([NUMBERS_ALONE], Seen(), PRIMARY, True, last=True)
    assert told.retold("GET DIAGNOSTICS @a = ROW_COUNT, @b = NUMBER").packet.endswith(b"@b = CAST(0 AS UNSIGNED)")


def test_in_other_forms_older_warnings_are_ended_first() -> None:
    told = Told()
    told.runs("SELECT a FROM t", REPLICA)
    told.runs("SET @a = 1")
    for text in ("SELECT @@warning_count + 1", "SHOW WARNINGS; SELECT 1"):
        asked = told.request(query(text))
        assert told.last.retold(asked) is asked
        assert asked.before == NO_WARNINGS


def test_a_condition_that_is_not_there_becomes_one_where_it_was_asked_for() -> None:
    told = Told()
    told.runs("SELECT a FROM t", REPLICA)
    told.last.keep([NUMBERS_ALONE], Seen(), REPLICA, False, last=True)
    asked = told.retold("GET DIAGNOSTICS CONDITION 1 @a = MESSAGE_TEXT")
    told.last.sent(asked, PRIMARY, on_replica=False)
    told.last.left_warnings(asked, PRIMARY)
    again = told.request(query("GET DIAGNOSTICS CONDITION 1 @a = MESSAGE_TEXT"))
    assert told.last.retold(again) is again
    assert not again.again


def test_what_a_server_says_of_the_words_that_repeat_a_condition_is_not_listed() -> None:
    told = Told(Vendor.MYSQL)
    told.runs("SIGNAL SQLSTATE '01000'", warns=True)
    told.loses()
    asked = told.retold("GET DIAGNOSTICS CONDITION 1 @a = MESSAGE_TEXT")
    told.last.sent(asked, PRIMARY, on_replica=False)
    told.last.left_warnings(asked, PRIMARY)
    assert told.asks() == "told"


def test_an_error_of_the_proxys_own_is_known_to_the_server_that_was_told_of_it() -> None:
    told = Told()
    told.last.refused(ERROR)
    asked = told.request(query("SELECT @@error_count"))
    assert told.last.retold(asked) is asked
    told.last.sent(asked, PRIMARY, on_replica=False)
    both = told.request(query("SELECT ROW_COUNT(), @@warning_count"))
    assert told.last.retold(both) is both
    assert not both.before


def test_rows_that_another_server_has_found_are_not_those_of_a_connection_that_went() -> None:
    told = Told()
    read, failing = (told.request(query(text)) for text in ("SELECT a FROM t", "VALUES ROW(1, 2)"))
    told.last.sent(read, REPLICA, on_replica=True)
    told.last.sent(failing, PRIMARY, on_replica=False)
    told.last.ran.left_warnings(PRIMARY)
    told.last.failed(failing, 1064, begun=False)
    told.loses()
    asks = told.request(query("SELECT FOUND_ROWS(), ROW_COUNT()"))
    assert told.last.retold(asks) is asks
    assert asks.again == (read, failing)


def test_a_command_that_fails_is_asked_about_where_it_ran() -> None:
    told = Told()
    told.runs("INSERT INTO t VALUES (1)", warns=True)
    told.loses()
    told.commands(c.COM_INIT_DB)
    assert told.asks() == "told"
    assert told.asks("SELECT ROW_COUNT()") == PRIMARY
    told.commands(c.COM_INIT_DB, warns=True)
    assert told.asks() == told.asks("SELECT @@warning_count") == PRIMARY


def test_a_command_that_fails_behind_a_read_is_all_that_is_asked_about() -> None:
    told = Told()
    told.last.sent(told.request(query("SELECT a FROM t")), REPLICA, on_replica=True)
    told.commands(c.COM_INIT_DB, warns=True)
    assert told.last.ran.server == told.asks() == PRIMARY
    assert told.asks("SELECT FOUND_ROWS()") == REPLICA


def test_preparing_a_statement_leaves_no_warnings() -> None:
    told = Told()
    told.runs("INSERT INTO t VALUES (1)", warns=True)
    told.loses()
    told.commands(c.COM_STMT_PREPARE, b"SELECT a FROM t")
    assert told.asks() == PRIMARY


def test_preparing_a_statement_leaves_the_number_of_rows_where_it_is_known() -> None:
    told = Told()
    told.runs("INSERT INTO t VALUES (1)", warns=True)
    told.loses()
    told.commands(c.COM_STMT_PREPARE, b"SELECT a FROM t")
    assert told.last.kept is not None
    assert (told.last.kept.row_count, told.last.kept.warning_count) == (0, 0)


@pytest.mark.parametrize(("vendor", "answer"), [(Vendor.MARIADB, "told"), (Vendor.MYSQL, PRIMARY)])
def test_preparing_a_statement_without_a_table_leaves_warnings_on_mariadb(vendor: Vendor, answer: str) -> None:
    told = Told(vendor)
    told.runs("INSERT INTO t VALUES (1)", warns=True)
    told.loses()
    told.commands(c.COM_STMT_PREPARE, b"SELECT 1")
    assert told.asks() == answer


ERROR = Err(1243, "Unknown prepared statement handler (9) given to 'x'", "HY000")


@pytest.mark.parametrize(
    "text", ["SHOW WARNINGS", "SELECT ROW_COUNT()", "SET @a = ROW_COUNT()", "SHOW ERRORS; SELECT 1"]
)
def test_an_error_of_the_proxys_own_is_told_to_the_server_that_is_asked_about_it(text: str) -> None:
    told = Told()
    told.runs("INSERT INTO t VALUES (1)", warns=True)
    told.last.refused(ERROR)
    asks = told.request(query(text))
    assert told.last.retold(asks) is asks
    assert (asks.before, asks.route.target) == (signal(ERROR), Target.PRIMARY)
    assert signal(ERROR).endswith(b"MESSAGE_TEXT = 'Unknown prepared statement handler (9) given to ?x?'")


def test_what_was_found_before_an_error_of_the_proxys_own_is_known_as_before() -> None:
    told = Told()
    told.runs("SELECT a FROM t", REPLICA)
    told.last.refused(ERROR)
    assert told.asks("SELECT FOUND_ROWS()") == REPLICA
    both = told.request(query("SELECT FOUND_ROWS(), ROW_COUNT()"))
    assert told.last.retold(both) is both
    assert (len(both.again), both.before, both.route.target) == (1, signal(ERROR), Target.PRIMARY)
    told.runs(f"SELECT '{'x' * 70_000}' FROM t", REPLICA)
    told.last.refused(ERROR)
    assert told.asks("SELECT FOUND_ROWS(), ROW_COUNT()") == ""
    told.loses(REPLICA)
    told.last.refused(ERROR)
    assert told.asks("SELECT FOUND_ROWS(), ROW_COUNT()") == ""


def test_an_error_of_the_proxys_own_is_over_with_the_next_statement() -> None:
    told = Told()
    told.last.refused(ERROR)
    told.runs("SELECT 1 FROM t", REPLICA)
    assert told.asks() == told.asks("SELECT ROW_COUNT()") == REPLICA


def test_a_statement_that_leaves_the_warnings_leaves_such_an_error_too() -> None:
    told = Told()
    told.last.refused(ERROR)
    told.runs("SELECT 1", REPLICA)
    asks = told.request(query("SHOW WARNINGS"))
    assert told.last.retold(asks) is asks
    assert asks.before
    assert told.asks("SELECT ROW_COUNT(), @@warning_count") == ""


def test_several_statements_are_not_asked_about_warnings_that_another_server_has() -> None:
    told = Told()
    told.runs("SELECT 1", REPLICA, warns=True)
    told.runs("SELECT 2", OTHER)
    assert told.asks("SHOW WARNINGS; SELECT 1") == ""
    assert told.asks() == REPLICA


def test_a_reset_leaves_the_rows_that_were_found() -> None:
    told = Told()
    told.runs("SELECT a FROM t", REPLICA, warns=True)
    told.last.began(PRIMARY)
    assert told.asks("SELECT FOUND_ROWS()") == REPLICA
    assert told.asks() == PRIMARY


def test_a_list_from_memory_tells_of_the_transaction_that_is_open_now() -> None:
    told = Told()
    told.runs("INSERT INTO t VALUES (1)", warns=True)
    told.loses()
    told.machine.state.status = c.SERVER_STATUS_AUTOCOMMIT | c.SERVER_STATUS_IN_TRANS
    reply = told.last.retold(told.request(query("SHOW WARNINGS")))
    assert reply == WARNING.replace(b"\xfe\0\0\2\0", b"\xfe\0\0\3\0")


@pytest.mark.parametrize("errno", [0, 1146])
def test_a_read_that_runs_again_has_to_go_as_before(errno: int) -> None:
    told = Told()
    read = told.request(query("SELECT a FROM t"))
    told.last.sent(read, REPLICA, on_replica=True)
    if errno:
        told.last.failed(read, errno, begun=False)
    prelude = told.machine.steps.prelude(told.links[PRIMARY], told.retold("SET @n = ROW_COUNT()"))
    assert prelude is not None
    assert (prelude.packet, prelude.again, prelude.errno, prelude.lenient) == (read.packet, True, errno, False)


@pytest.mark.parametrize("behind", ["BEGIN", "SET autocommit = 0"])
def test_a_read_does_not_run_again_in_a_transaction_behind_it(behind: str) -> None:
    told = Told()
    told.last.sent(told.request(query("SELECT a FROM t")), REPLICA, on_replica=True)
    told.state.status = IN_TRANS if behind == "BEGIN" else 0
    told.runs(behind)
    for question in ("SET @n = FOUND_ROWS()", "SELECT FOUND_ROWS(), ROW_COUNT()"):
        assert told.last.retold(told.request(query(question))) == SPLIT
    assert told.asks("SELECT FOUND_ROWS()") == REPLICA


@pytest.mark.parametrize(
    "behind", ["USE other", "SET @b = 1, @a = 5", "SET sql_select_limit = 1", "INSERT INTO t VALUES (1)"]
)
def test_a_read_does_not_run_again_behind_what_may_have_it_find_other_rows(behind: str) -> None:
    told = Told()
    told.last.sent(told.request(query("SELECT a FROM t WHERE a < @a")), REPLICA, on_replica=True)
    told.runs("SET @b = 5")
    assert told.last.ran.rows_again
    told.runs(behind)
    assert told.last.retold(told.request(query("SET @n = FOUND_ROWS()"))) == SPLIT
    failing = told.request(query("SELECT a FROM nowhere"))
    told.last.sent(failing, REPLICA, on_replica=True)
    told.last.failed(failing, 1109, begun=False)
    # The one that failed runs again, if it is only that which is asked about.
    asks = told.request(query("SET @n = @@error_count"))
    assert told.last.retold(asks) is asks
    assert asks.again == (failing,)
    assert told.last.retold(told.request(query("SELECT FOUND_ROWS(), ROW_COUNT() INTO @a, @b"))) == SPLIT


@pytest.mark.parametrize("code", [c.COM_INIT_DB, c.COM_RESET_CONNECTION])
def test_a_read_does_not_run_again_in_another_schema_nor_behind_a_reset(code: int) -> None:
    told = Told()
    told.last.sent(told.request(query("SELECT a FROM t")), REPLICA, on_replica=True)
    if code == c.COM_INIT_DB:
        told.commands(code)
    else:
        told.last.began(PRIMARY)
    assert told.last.retold(told.request(query("SET @n = FOUND_ROWS()"))) == SPLIT
    assert told.asks("SELECT FOUND_ROWS()") == REPLICA


def test_a_command_behind_a_read_keeps_what_can_be_asked_again() -> None:
    told = Told()
    read = told.request(query("SELECT a FROM t"))
    told.last.sent(read, REPLICA, on_replica=True)
    told.commands(c.COM_STMT_PREPARE, b"SELECT a FROM t")
    assert told.last.ran.again == (read,)
    assert told.asks("SELECT FOUND_ROWS(), ROW_COUNT()") == REPLICA


@pytest.mark.parametrize("vendor", list(Vendor))
def test_a_command_of_mysql_finds_what_others_have_left(vendor: Vendor) -> None:
    told = Told(vendor)
    command = told.request(frame(bytes((c.COM_INIT_DB,)) + b"missing", 0))
    told.last.keep_apart(command)
    assert not command.before
    told.runs("INSERT INTO t VALUES (1)")
    told.loses()
    text = told.request(query("SELECT 1"))
    for request in (command, text):
        told.last.keep_apart(request)
    assert bool(command.before) == (vendor is Vendor.MYSQL)
    assert not text.before


@pytest.mark.parametrize("text", ["SELECT @@warning_count, @@error_count", "SHOW COUNT(*) WARNINGS", "SHOW WARNINGS"])
def test_rows_found_by_a_question_that_is_answered_from_memory(text: str) -> None:
    told = Told()
    told.runs("SELECT a FROM t", REPLICA)
    told.runs("SET @a = 1", warns=True)
    told.loses()
    asks = told.last.retold(told.request(query(text)))
    if isinstance(asks, Request):
        told.last.sent(asks, PRIMARY, on_replica=False)
    assert told.last.ran.rows == (REPLICA if text == "SHOW WARNINGS" else "")
    assert told.last.ran.found_rows == (None if text == "SHOW WARNINGS" else 1)


def test_nothing_is_left_behind_a_reset() -> None:
    told = Told()
    told.runs("SELECT a FROM t", REPLICA, warns=True)
    told.loses(REPLICA)
    told.last.began(PRIMARY)
    assert {told.asks(text) for text in ("SHOW WARNINGS", "SELECT ROW_COUNT()")} == {PRIMARY}
    assert not told.last.ran.again


def test_what_only_a_replica_knows_is_not_told_by_the_primary() -> None:
    told = Told()
    told.runs("SET NAMES latin1")
    told.runs(f"SELECT '{'x' * 70_000}' FROM t", REPLICA)
    assert told.asks("SELECT ROW_COUNT()") == REPLICA
    assert (told.asks("SELECT ROW_COUNT(); DO 1"), told.asks("SET @a = FOUND_ROWS()")) == ("", str(SPLIT))


def test_a_command_that_fails_leaves_the_rows_that_were_found() -> None:
    told = Told()
    told.runs("SELECT a FROM t", REPLICA)
    told.runs("SELECT a FROM t FOR UPDATE")
    told.last.failed(told.request(frame(bytes((c.COM_INIT_DB,)) + b"a", 0)), 1049, begun=False)
    assert told.asks("SELECT FOUND_ROWS()") == PRIMARY


def test_several_statements_are_given_no_numbers() -> None:
    told = Told()
    told.runs("INSERT INTO t VALUES (1)")
    told.loses()
    assert told.asks("SET @a = ROW_COUNT(); SELECT ROW_COUNT()") == told.asks("SET @a = 1; SHOW WARNINGS") == ""


@pytest.mark.parametrize(
    ("text", "warned"), [("SHOW COUNT(*) WARNINGS", True), ("SHOW ERRORS", True), ("SELECT @@warning_count", False)]
)
def test_the_list_of_warnings_outlasts_some_questions_on_mysql(text: str, warned: bool) -> None:
    told = Told(Vendor.MYSQL)
    told.runs("INSERT INTO t VALUES (1)", warns=True)
    told.runs(text)
    assert told.last.ran.warned is warned


def test_rows_found_before_a_statement_are_asked_for_while_that_may_still_fail() -> None:
    told = Told()
    told.runs("SELECT a FROM t", REPLICA)
    failing = told.request(query("SELECT * FROM missing"))
    told.last.sent(failing, PRIMARY, on_replica=False)
    asked = [told.last.asks(REPLICA, False, last=False, under_way=under_way) for under_way in (True, False)]
    assert asked == [True, False]
    told.last.keep([NUMBERS_ALONE], Seen(), REPLICA, False, last=False)
    told.last.failed(failing, 1146, begun=False)
    assert (told.last.ran.rows, told.last.ran.found_rows) == ("", 1)


def test_reading_once_more_leaves_no_warnings_of_the_primary() -> None:
    told = Told()
    told.runs("SELECT a FROM t", REPLICA)
    told.commands(c.COM_SET_OPTION, warns=True)
    asks = told.request(query("SELECT FOUND_ROWS() INTO @a"))
    assert told.last.retold(asks) is asks
    told.last.sent(asks, PRIMARY, on_replica=False)
    assert told.asks() == ""


def test_a_command_behind_a_read_is_asked_about_where_it_ran() -> None:
    told = Told()
    told.runs("SELECT a FROM t", REPLICA)
    told.commands(c.COM_INIT_DB)
    texts = ("SELECT ROW_COUNT()", "SELECT ROW_COUNT(); DO 1", "SET @a = ROW_COUNT()")
    assert [told.asks(text) for text in texts] == [PRIMARY] * len(texts)
    assert not told.last.ran.again
    assert told.asks("SELECT FOUND_ROWS()") == REPLICA


def test_of_a_text_that_is_not_parsed_it_is_not_known_what_it_leaves() -> None:
    told = Told()
    told.runs("SIGNAL SQLSTATE '01000'", warns=True)
    told.loses()
    told.runs(f"DO {'(' * 40_000}1{')' * 40_000}")
    assert told.asks() == ""


@pytest.mark.parametrize(("vendor", "warned"), [(Vendor.MARIADB, ""), (Vendor.MYSQL, PRIMARY)])
def test_a_field_list_has_a_count_of_rows_and_on_mysql_a_warning(vendor: Vendor, warned: str) -> None:
    told = Told(vendor)
    told.runs("SELECT a FROM t", REPLICA)
    told.commands(c.COM_FIELD_LIST)
    assert (told.asks(), told.asks("SELECT ROW_COUNT()")) == (warned, PRIMARY)


def test_nothing_was_found_before_anything_was_read() -> None:
    told = Told()
    retold = told.last.retold(told.request(query("SELECT FOUND_ROWS()")))
    assert isinstance(retold, Request)
    assert retold.whole is not None
    used = told.last.retold(told.request(query("SET @a = FOUND_ROWS()")))
    assert isinstance(used, Request)
    assert b"(0 + 0 * FOUND_ROWS())" in used.packet


def test_what_a_connection_tells_late_is_not_about_a_statement_that_was_sent_meanwhile() -> None:
    told = Told(Vendor.MYSQL)
    told.runs("SELECT a FROM t", REPLICA)
    # It is asked, and answers when the UPDATE, which had to wait for its own connection, is on its way.
    told.runs("UPDATE t SET a = 1")
    told.last.keep([NUMBERS_ALONE], Seen(), REPLICA, False, last=True)
    assert told.asks("SELECT ROW_COUNT()") == PRIMARY
    late = told.last.kept
    assert late is None
    told.last.keep([rows((b"0", b"3", b"2"))], Seen(), PRIMARY, True, last=True)
    kept = told.last.kept
    assert kept is not None
    assert (kept.row_count, told.last.ran.found_rows) == (3, 2)


def test_warnings_told_late_are_kept_behind_a_statement_that_leaves_them() -> None:
    told = Told()
    told.runs("SELECT a FROM t", REPLICA, warns=True)
    told.runs("SET @a = 1")
    told.loses(REPLICA)
    assert told.asks() == "told"
    assert told.asks("SELECT ROW_COUNT()") == PRIMARY
