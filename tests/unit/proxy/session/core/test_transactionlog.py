"""What is kept of a transaction so that it can be run again, and each reason why it cannot be."""

import pytest

from proxy.session.core.diagnostics import UNKNOWN
from proxy.session.core.memory import Memory
from proxy.session.core.request import Ran, Request
from proxy.session.core.transactionlog import TransactionLog, tables_of
from proxy.sql.transactions import SAVEPOINTS
from proxy.wire import constants as c
from proxy.wire.exchange import Reply
from tests.support.machines import AUTOCOMMIT, IN_TRANS, Session, about, command, execute, query

WITHIN = AUTOCOMMIT | IN_TRANS
INTEGER = b"\3\0"
INSERT = "INSERT INTO t VALUES (1)"
COMMIT = "COMMIT"


class Logged:
    """A session whose primary answers, and whose transactions are kept."""

    def __init__(self, memory: Memory | None = None, limit: int = 1 << 20, *, caches: bool = False) -> None:
        self.session = Session()
        self.log = TransactionLog(memory or Memory(), limit, caches=caches)

    def text(self, request: Request) -> bytes:
        textual = request.code == c.COM_QUERY or request.prepared is not None
        return self.session.machine.requests.text(request) if textual else b""

    def run(self, packet: bytes, status: int = WITHIN, insert_id: int = 0, errno: int = 0) -> None:
        self.take(self.session.request(packet), status, insert_id, errno)

    def take(self, request: Request, status: int = WITHIN, insert_id: int = 0, errno: int = 0) -> None:
        state = self.session.state
        self.log.follow(state)
        if self.log.wants(request, state):
            value = (0, 0, 1, insert_id, 0, errno)
            told = -1 if errno else status
            self.log.note(request, self.text(request), state, told, value, known=not state.wrote)
        reply = b"\xff" + errno.to_bytes(2, "little") + b"#42000no" if errno else b"\0\1\0" + bytes((status, 0, 0, 0))
        self.session.answer(request, "dbwrite", reply)

    def query(self, text: str, status: int = WITHIN, insert_id: int = 0, errno: int = 0) -> None:
        self.run(query(text), status, insert_id, errno)

    def begun(self, *texts: str) -> "Logged":
        for text in ("BEGIN", *texts):
            self.query(text)
        return self

    def prepare(self, text: str = "UPDATE t SET a = ?") -> int:
        return self.session.prepare(text, 1)

    @property
    def reason(self) -> str:
        return self.log.reason

    def is_begun(self) -> bool:
        return self.log.begun

    @property
    def texts(self) -> list[bytes]:
        return [self.text(ran.request) for ran in self.log.entries]

    def rerun(self, text: str) -> str:
        request = self.session.request(query(text))
        return self.log.may_rerun(request, self.text(request), self.session.state)


def test_a_transaction_is_kept_from_its_beginning_to_its_end() -> None:
    memory = Memory()
    logged = Logged(memory).begun("SELECT @@hostname", INSERT, "SELECT a FROM t FOR UPDATE", "SAVEPOINT a")
    logged.query("INSERT INTO t VALUES (1)", errno=1062)
    logged.query("ROLLBACK TO a")
    assert [text.split()[0] for text in logged.texts] == b"BEGIN SELECT INSERT SELECT SAVEPOINT INSERT ROLLBACK".split()
    assert logged.log.entries[5].value[5] == 1062
    assert logged.log.writes
    assert not logged.log.insert_id
    assert logged.log.tables == {("app", "t")}
    assert memory.held > 7 * 256
    logged.query(COMMIT, AUTOCOMMIT)
    assert not (logged.is_begun())
    assert not (logged.log.entries)
    assert not (memory.held)


def test_a_write_beside_what_shapes_the_next_transaction_is_no_part_of_that() -> None:
    logged = Logged()
    logged.query(f"{INSERT}; SET TRANSACTION READ WRITE", AUTOCOMMIT)
    logged.begun(INSERT)
    assert logged.texts == [b"BEGIN", INSERT.encode()]


def test_what_runs_outside_of_transactions_is_not_kept() -> None:
    logged = Logged()
    logged.query(INSERT, AUTOCOMMIT)
    assert not logged.is_begun()


def test_without_autocommit_the_first_statement_begins_it() -> None:
    logged = Logged()
    logged.query("SET autocommit = 0", 0)
    logged.query(INSERT, IN_TRANS)
    assert logged.texts == [INSERT.encode()]
    logged.query(COMMIT, 0)
    assert not logged.is_begun()
    logged.query(INSERT, errno=1062)
    assert logged.log.open
    assert len(logged.log.entries) == 1


def test_a_begin_ends_the_transaction_before() -> None:
    assert Logged().begun(INSERT, "BEGIN").texts == [b"BEGIN"]


def test_one_that_ends_unnoticed_is_forgotten() -> None:
    logged = Logged().begun(INSERT)
    logged.query("CREATE TABLE u (a INT)", AUTOCOMMIT)
    logged.begun()
    assert logged.texts == [b"BEGIN"]
    assert not logged.reason


def test_what_shapes_the_next_transaction_is_kept_for_it() -> None:
    shapes = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"
    logged = Logged()
    logged.query(shapes, AUTOCOMMIT)
    assert logged.is_begun()
    assert not logged.log.open
    logged.query("SET @a = 1", AUTOCOMMIT)
    logged.begun(INSERT)
    assert logged.texts == [shapes.encode(), b"BEGIN", INSERT.encode()]
    assert logged.log.beside == {SAVEPOINTS, "next-transaction"}
    assert logged.session.machine.tied(logged.log.beside) == ""
    assert logged.session.machine.tied(frozenset()) == "next-transaction"
    logged.query(COMMIT, AUTOCOMMIT)
    logged.query(shapes, AUTOCOMMIT)
    logged.query(INSERT, AUTOCOMMIT)
    assert not logged.is_begun()
    assert logged.log.beside == {SAVEPOINTS}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CALL p()", "call"),
        ("SELECT f(a) FROM t", "unknown-function:f"),
        ("SELECT a FROM t INTO OUTFILE '/tmp/x'", "select-into"),
        ("INSERT INTO t VALUES (f(1))", "session-state"),
        ("SELECT @a := 1", "user-variable"),
        ("INSERT INTO t VALUES (ROW_COUNT())", "diagnostic"),
        ("INSERT INTO t VALUES (@a := 1)", "session-state"),
        ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t", "other-write"),
        ("TRUNCATE TABLE t", "other-write"),
        ("CREATE TABLE u (a INT)", "other-write"),
        ("CREATE TEMPORARY TABLE u (a INT)", "temp-table"),
        ("LOCK TABLES t WRITE", "lock"),
        ("SELECT LAST_INSERT_ID(5)", "primary-function"),
        ("SELECT GET_LOCK('a', 1)", "primary-function"),
        ("XA START 'a'", "xa"),
        ("INSERT INTO t VALUES (1); DELETE FROM t", "multi-statement"),
        ("KILL 5", "kill"),
        ("PREPARE a FROM 'SELECT 1'", "prepare"),
        ("EXECUTE a", "execute"),
    ],
)
def test_what_cannot_be_run_again_spoils_it(text: str, reason: str) -> None:
    memory = Memory()
    logged = Logged(memory).begun(INSERT, text)
    assert (logged.reason, logged.log.entries, logged.log.open, memory.held) == (reason, [], True, 0)
    logged.query(INSERT)
    assert logged.reason == reason
    assert not logged.log.entries
    logged.query("ROLLBACK", AUTOCOMMIT)
    assert logged.begun(INSERT).texts == [b"BEGIN", INSERT.encode()]


def test_the_first_reason_stays() -> None:
    logged = Logged().begun("CALL p()")
    logged.log.spoil("other")
    assert logged.reason == "call"


@pytest.mark.parametrize("errno", [1205, 1213, 1317, 3024, 1020])
def test_errors_that_may_not_come_again_spoil_it(errno: int) -> None:
    logged = Logged().begun()
    logged.query(INSERT, errno=errno)
    assert logged.reason == "error"


def test_a_table_that_there_is_not_was_not_written() -> None:
    logged = Logged().begun()
    logged.query("INSERT INTO none VALUES (1)", errno=1146)
    logged.query("INSERT INTO t VALUES (1), (2)", errno=1062)
    assert (logged.log.tables, len(logged.log.entries)) == ({("app", "t")}, 3)


def test_what_it_has_executed_is_known() -> None:
    logged = Logged()
    number = logged.prepare()
    logged.begun(INSERT)
    logged.run(execute(number, 1, INTEGER, b"\1\0\0\0", bound=True))
    assert [prepared.number for prepared in logged.log.prepared] == [number]


def test_a_commit_that_failed_spoils_it() -> None:
    logged = Logged().begun(INSERT)
    logged.query(COMMIT, errno=1062)
    assert logged.reason == "commit"


def test_a_transaction_that_another_one_begins_is_not_kept() -> None:
    logged = Logged().begun(INSERT, "COMMIT AND CHAIN", INSERT)
    assert logged.reason == "chained"
    assert logged.log.open


def test_one_that_began_unseen_is_not_kept() -> None:
    logged = Logged()
    logged.session.state.status = WITHIN
    logged.query(INSERT)
    assert logged.reason == "unseen"


@pytest.mark.parametrize(
    ("before", "setting", "reason"),
    [
        ([], "SET @a = 1", ""),
        ([], "SET NAMES latin1", ""),
        ([INSERT], "SET @a = 1", "session-state"),
        (["SELECT a FROM t"], "SET sql_mode = ''", "session-state"),
        ([], "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", "session-state"),
        ([], "SET autocommit = 0", "session-state"),
    ],
)
def test_state_that_changes_behind_a_statement_that_it_can_matter_to(
    before: list[str], setting: str, reason: str
) -> None:
    assert Logged().begun(*before, setting).log.reason == reason


def test_another_schema_is_such_a_state() -> None:
    logged = Logged().begun(INSERT)
    logged.run(command(c.COM_INIT_DB, b"other"))
    assert logged.reason == "session-state"
    logged = Logged().begun(INSERT)
    logged.run(command(c.COM_INIT_DB, b"none"), errno=1146)
    assert not logged.reason


def test_the_schema_is_that_of_the_statement() -> None:
    logged = Logged()
    number = logged.prepare("INSERT INTO t VALUES (?)")
    request = logged.session.request(execute(number, 1, INTEGER, b"\1\0\0\0", bound=True))
    assert tables_of(request, "elsewhere") == {("app", "t")}
    assert tables_of(logged.session.request(query("DELETE FROM x.u")), "app") == {("x", "u")}


def test_an_execution_is_kept_with_its_types() -> None:
    logged = Logged()
    number = logged.prepare()
    logged.begun()
    logged.run(execute(number, 1, INTEGER, b"\1\0\0\0", bound=True))
    logged.run(execute(number, 1, values=b"\2\0\0\0"))
    for ran in logged.log.entries[1:]:
        assert ran.request.prepared is not None
        assert ran.request.prepared.types_in(ran.request.packet) == INTEGER


def test_executions_that_cannot_be_repeated() -> None:
    for spoil, reason in ((b"\1", "cursor"), (b"\0", "long-data")):
        logged = Logged()
        number = logged.prepare()
        logged.begun()
        packet = execute(number, 1, INTEGER, b"\1\0\0\0", bound=True)
        request = logged.session.request(packet[:9] + spoil + packet[10:])
        assert request.prepared is not None
        request.prepared.held = [b"piece"] if reason == "long-data" else []
        logged.take(request)
        assert logged.reason == reason
    logged = Logged(caches=True)
    number = logged.prepare()
    logged.begun()
    logged.run(execute(number, 1, INTEGER, b"\1\0\0\0", bound=True))
    assert logged.reason == "cached-metadata"


def test_what_was_passed_through_is_not_kept() -> None:
    logged = Logged().begun()
    request = logged.session.request(query(INSERT))
    request.streamed = True
    logged.take(request)
    assert logged.reason == "too-large"


def test_neutral_commands_change_nothing() -> None:
    logged = Logged()
    number = logged.prepare()
    logged.begun(INSERT)
    for packet in (command(c.COM_PING), about(c.COM_STMT_RESET, number)):
        logged.run(packet)
    request = logged.session.request(command(c.COM_STATISTICS))
    assert (request.reply, logged.log.wants(request, logged.session.state)) == (Reply.SINGLE, False)
    assert len(logged.texts) == 2
    assert not logged.reason


def test_other_commands_spoil_it() -> None:
    logged = Logged().begun(INSERT)
    logged.run(command(c.COM_DEBUG))
    assert logged.reason == "command"


def test_questions_about_the_statement_before() -> None:
    assert Logged().begun(INSERT, "SHOW WARNINGS", "SELECT ROW_COUNT()").log.reason == ""
    logged = Logged()
    logged.query("SET autocommit = 0", 0)
    logged.query("SHOW WARNINGS", IN_TRANS)
    assert logged.reason == "diagnostic"
    logged = Logged().begun(INSERT)
    request = logged.session.request(query("SELECT ROW_COUNT()"))
    request.kept = UNKNOWN
    logged.take(request)
    assert logged.reason == "diagnostic"


def test_an_insert_id_of_before_the_transaction() -> None:
    child = "INSERT INTO t VALUES (LAST_INSERT_ID())"
    logged = Logged()
    logged.query(INSERT, AUTOCOMMIT, insert_id=5)
    logged.begun(child)
    assert logged.reason == "insert-id"
    logged.query("ROLLBACK", AUTOCOMMIT)
    logged.begun()
    logged.query(INSERT, insert_id=6)
    logged.query(child)
    assert not logged.reason
    assert logged.log.insert_id
    assert Logged().begun(child).log.reason == ""


def test_there_is_a_limit() -> None:
    logged = Logged(limit=1000).begun(INSERT, INSERT, INSERT)
    assert logged.reason == "too-large"
    logged = Logged(Memory(300)).begun(INSERT)
    logged.query(INSERT)
    assert logged.reason == "memory"
    logged = Logged().begun(*(f"INSERT INTO t{number} VALUES (1)" for number in range(51)))
    assert logged.reason == "many-tables"


def test_reads_of_a_replica_that_were_run_again_are_part_of_it() -> None:
    logged = Logged()
    reads = [Ran(logged.session.request(query("SELECT a FROM t")), (1, 5, 0, 0, 0, 0))]
    logged.log.adopt(reads)
    assert logged.log.open
    assert logged.log.entries[0].value == reads[0].value


@pytest.mark.parametrize(
    ("text", "within", "alone"),
    [
        (INSERT, "", "alone"),
        ("/* from */ update t set a = 1", "", "alone"),
        ("-- why\n(SELECT a FROM t)", "", ""),
        ("SELECT a FROM t", "", ""),
        ("SET @a = 1", "", ""),
        ("SAVEPOINT a", "", ""),
        ("BEGIN", "commits", ""),
        ("SET autocommit = 1", "commits", ""),
        ("SET TRANSACTION READ ONLY", "commits", ""),
        (f"{INSERT}; SET TRANSACTION READ ONLY", "multi-statement", "multi-statement"),
        (COMMIT, "commit", "commit"),
        ("ROLLBACK", "commit", "commit"),
        ("CREATE TABLE u (a INT)", "other-write", "other-write"),
        ("CALL p()", "call", "call"),
    ],
)
def test_what_may_run_once_more_when_its_answer_was_lost(text: str, within: str, alone: str) -> None:
    assert Logged().rerun(text) == alone
    assert Logged().begun().rerun(text) == within


def test_without_autocommit_a_write_is_not_alone() -> None:
    logged = Logged()
    logged.query("SET autocommit = 0", 0)
    assert logged.rerun(INSERT) == ""
