"""Sessions that share a few server connections: each finds what it left, and nobody what is another's."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pymysql
import pytest

from proxy.wire import constants as c
from replication.sandbox import Cluster
from tests.support.clients import READS, Connection, Counters, Rows, connect, direct, run
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until

SCHEMA = "sharing_test"
LOW = "sharing_low"
FEW = 2
WAIT = 1
TOO_MANY, NOT_OWNER, INTERRUPTED, UNKNOWN = 1040, 1095, 1317, 1105

ITEMS = ("CLASS_ORIGIN", "TABLE_NAME", "CURSOR_NAME", "MESSAGE_TEXT", "MYSQL_ERRNO", "RETURNED_SQLSTATE")
TWO = (
    "SELECT CAST('schön' AS SIGNED), CAST('x' AS SIGNED) FROM DUAL FOR UPDATE",
    f"DROP TABLE IF EXISTS {SCHEMA}.none, {SCHEMA}.nothing",
)
NO_CONDITION = (f"SELECT id FROM {SCHEMA}.item LIMIT 0 FOR UPDATE", f"DELETE FROM {SCHEMA}.item WHERE id = -1")
# Statements that leave conditions, or none.
CONDITIONS = (
    *TWO,
    f"INSERT INTO {SCHEMA}.item (id, value) VALUES (900, 1), (900, 1)",
    "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'schön', MYSQL_ERRNO = 5001, TABLE_NAME = 'item', CURSOR_NAME = 'c'",
    "SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = ''",
    *NO_CONDITION,
)

Open = Callable[..., Connection]


@pytest.fixture(scope="module")
def proxy(shared_cluster: Cluster) -> Iterator[ProxyProcess]:
    limits = ("--server-connections", str(FEW), "--server-connection-wait", str(WAIT))
    with running_proxy(shared_cluster, *limits) as running, connect(shared_cluster, running) as client:
        run(client, f"CREATE USER {LOW} IDENTIFIED BY 'low'")
        run(client, f"CREATE DATABASE {SCHEMA}")
        run(client, f"CREATE TABLE {SCHEMA}.item (id INT PRIMARY KEY AUTO_INCREMENT, value INT UNIQUE)")
        run(client, f"GRANT ALL ON {SCHEMA}.* TO {LOW}")
        yield running
        run(client, f"DROP USER {LOW}")
        run(client, f"DROP DATABASE {SCHEMA}")


@pytest.fixture
def session(shared_cluster: Cluster, proxy: ProxyProcess) -> Iterator[Open]:
    """Opens clients that are closed when the test ends."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(connect(shared_cluster, proxy, **options))


def threads(cluster: Cluster, user: str, server: int = 0) -> list[int]:
    """Those of the clients' connections, on the primary unless told otherwise; the proxy's own are another user's."""
    with direct(cluster, cluster.servers[server]) as control:
        rows = run(control, "SELECT id FROM information_schema.processlist WHERE user = '" + user + "'")
        return [int(row[0]) for row in rows]


def low(session: Open) -> Connection:
    return session(user=LOW, password="low")


def lows(cluster: Cluster, count: int) -> Callable[[], bool]:
    return lambda: len(threads(cluster, LOW)) == count


def with_errno(errno: int) -> "pytest.RaisesExc[pymysql.err.MySQLError]":
    return pytest.raises(pymysql.err.MySQLError, check=lambda error: error.args[0] == errno)


def test_more_sessions_than_connections(shared_cluster: Cluster, session: Open) -> None:
    sessions = [low(session) for _ in range(5 * FEW)]
    for number, client in enumerate(sessions):
        run(client, f"SET @mine = {number}, time_zone = '+0{number % 10}:00'")
        run(client, f"INSERT INTO {SCHEMA}.item (value) VALUES ({number + 1000})")
    assert len(threads(shared_cluster, LOW)) <= FEW
    seen = [run(client, "SELECT @mine, @@time_zone, LAST_INSERT_ID() FROM DUAL FOR UPDATE")[0] for client in sessions]
    assert [row[:2] for row in seen] == [(number, f"+0{number % 10}:00") for number in range(5 * FEW)]
    assert [row[2] for row in seen] == sorted({row[2] for row in seen})
    assert len(threads(shared_cluster, LOW)) <= FEW


def test_what_a_trigger_and_a_new_table_get_from_variables(session: Open) -> None:
    owner = session(database=SCHEMA)
    run(owner, "CREATE TABLE audited (who INT)")
    run(owner, "CREATE TRIGGER audits BEFORE INSERT ON audited FOR EACH ROW SET NEW.who = @who")
    sessions = [session(user=LOW, password="low", database=SCHEMA) for _ in range(3 * FEW)]
    for texts in (
        [f"SET @who = {number}" for number in range(len(sessions))],
        ["INSERT INTO audited VALUES (NULL)"] * len(sessions),
        [f"CREATE TABLE made{number} AS SELECT @who AS who" for number in range(len(sessions))],
    ):
        for client, text in zip(sessions, texts, strict=True):
            run(client, text)
    wanted = tuple((number,) for number in range(len(sessions)))
    assert run(owner, "SELECT who FROM audited ORDER BY who FOR UPDATE") == wanted
    assert tuple(run(owner, f"SELECT who FROM made{number}")[0] for number in range(len(sessions))) == wanted


def test_what_a_session_asks_about_its_last_statement(session: Open) -> None:
    sessions = [low(session) for _ in range(3 * FEW)]
    for number, client in enumerate(sessions):
        values = ", ".join(f"({10_000 + 100 * number + place})" for place in range(number + 1))
        run(client, f"INSERT INTO {SCHEMA}.item (value) VALUES {values}")
    counts = [run(client, "SELECT ROW_COUNT()") for client in sessions]
    assert counts == [((number + 1,),) for number in range(3 * FEW)]
    for number, client in enumerate(sessions):
        run(client, f"SELECT CAST('{number}x' AS SIGNED) FROM DUAL FOR UPDATE")
    warnings = [run(client, "SHOW WARNINGS") for client in sessions]
    assert [f"'{number}x'" in str(rows) for number, rows in enumerate(warnings)] == [True] * len(sessions)


def quietly(client: Connection, sql: str) -> None:
    """Run a statement that may be answered with an error."""
    with suppress(pymysql.err.MySQLError):
        run(client, sql)


def conditions_got(client: Connection, number: str) -> list[Rows]:
    """What GET DIAGNOSTICS assigns, and what can still be asked behind it."""
    run(client, "GET DIAGNOSTICS @n = NUMBER, @r = ROW_COUNT")
    run(client, f"GET DIAGNOSTICS CONDITION {number} " + ", ".join(f"@{item} = {item}" for item in ITEMS))
    count = run(client, "SELECT ROW_COUNT()")
    columns = (f"@{item}, COLLATION(@{item}), COERCIBILITY(@{item})" for item in ("n", "r", *ITEMS))
    return [count, run(client, f"SELECT {', '.join(columns)} FROM DUAL FOR UPDATE")]


@pytest.mark.parametrize("number", ["1", "2", "@n"])
def test_conditions_of_the_last_statement(shared_cluster: Cluster, session: Open, number: str) -> None:
    sessions = [(sql, low(session)) for sql in CONDITIONS if number != "2" or sql in TWO or sql in NO_CONDITION]
    for sql, client in sessions:
        quietly(client, sql)
    for sql, client in sessions:
        with direct(shared_cluster, shared_cluster.servers[0]) as plain:
            quietly(plain, sql)
            assert conditions_got(client, number) == conditions_got(plain, number), sql
        # What it has in its variables kept its connection.
        client._execute_command(c.COM_RESET_CONNECTION, b"")
        client._read_ok_packet()


def test_a_read_that_cannot_run_again_is_not_asked_about(session: Open) -> None:
    """The primary, which has to tell of it, knows only the read before."""
    client = low(session)
    client.autocommit(True)
    run(client, f"INSERT INTO {SCHEMA}.item (id, value) VALUES (801, 801), (802, 802)")
    run(client, f"SELECT id FROM {SCHEMA}.item WHERE id = 801 FOR UPDATE")
    read = f"SELECT id FROM {SCHEMA}.item WHERE id > 800"
    wait_until(lambda: "dbread" in str(run(client, f"EXPLAIN ROUTE {read}")[0]), "replicas have it")
    assert run(client, read) == ((801,), (802,))
    run(client, f"LOCK TABLES {SCHEMA}.item AS i READ")
    with with_errno(UNKNOWN) as refused:
        run(client, "SET @n = FOUND_ROWS()")
    assert "error 1100" in str(refused.value)
    assert run(client, "SHOW WARNINGS") == (("Error", UNKNOWN, refused.value.args[1]),)
    assert run(client, "SELECT FOUND_ROWS()") == ((2,),)
    run(client, "UNLOCK TABLES")
    run(client, f"DELETE FROM {SCHEMA}.item WHERE id > 800")
    assert run(client, "SELECT @n") == ((None,),)


def test_open_transactions_keep_connections_and_others_wait_in_vain(session: Open) -> None:
    holders = [low(session) for _ in range(FEW)]
    other = session()
    for holder in holders:
        holder.begin()
        run(holder, f"SELECT COUNT(*) FROM {SCHEMA}.item")
    with with_errno(TOO_MANY) as refused:
        run(other, "SELECT 1 FROM DUAL FOR UPDATE")
    assert f"all {FEW} server connections" in str(refused.value)
    assert "server_connections" in str(refused.value)
    holders[0].commit()
    assert run(other, "SELECT 1 FROM DUAL FOR UPDATE") == ((1,),)


def test_what_autocommit_leaves_of_a_read_only_transaction_is_its_sessions(session: Open) -> None:
    left, *others = [low(session) for _ in range(1 + FEW)]
    for text in ("START TRANSACTION READ ONLY", "SET autocommit = 0", "SET autocommit = 1"):
        run(left, text)
    for client in others[:-1]:
        client.begin()
        run(client, f"DELETE FROM {SCHEMA}.item WHERE id = 0")
    with with_errno(TOO_MANY):
        run(others[-1], f"DELETE FROM {SCHEMA}.item WHERE id = 0")
    with with_errno(1792):
        run(left, f"DELETE FROM {SCHEMA}.item WHERE id = 0")
    run(left, "COMMIT")
    run(others[-1], f"DELETE FROM {SCHEMA}.item WHERE id = 0")


def test_who_waits_is_served_when_a_transaction_ends(session: Open) -> None:
    holders = [low(session) for _ in range(FEW)]
    other = low(session)
    for holder in holders:
        holder.begin()
        run(holder, f"SELECT COUNT(*) FROM {SCHEMA}.item")
    other._execute_command(3, "SELECT 'waited' FROM DUAL FOR UPDATE")
    holders[1].commit()
    other._read_query_result()
    assert other._result is not None
    assert other._result.rows == (("waited",),)


def test_a_temporary_table_is_seen_by_its_session_alone(session: Open) -> None:
    owner, *others = [low(session) for _ in range(2 * FEW)]
    for client in (owner, *others):
        client.select_db(SCHEMA)
    run(owner, "CREATE TEMPORARY TABLE mine (a INT)")
    run(owner, "INSERT INTO mine VALUES (1), (2)")
    for client in others:
        with with_errno(1146):
            run(client, "INSERT INTO mine VALUES (3)")
    assert run(owner, "SELECT COUNT(*) FROM mine") == ((2,),)


def test_a_connection_that_had_a_temporary_table_is_given_away(session: Open) -> None:
    owner = session(user=LOW, password="low", database=SCHEMA)
    run(owner, "SET @mine = 5")
    run(owner, "CREATE TEMPORARY TABLE mine (a INT)")
    run(owner, "DROP TEMPORARY TABLE mine")
    holders = [low(session) for _ in range(FEW)]
    for holder in holders:
        holder.begin()
        # In vain, if the owner kept its connection.
        run(holder, "SELECT 'busy' FROM DUAL FOR UPDATE")
    for holder in holders:
        holder.commit()
    assert run(owner, "SELECT @mine FROM DUAL FOR UPDATE") == ((5,),)


def test_what_was_run_beside_a_prepare_is_not_run_again(session: Open) -> None:
    owner = session(user=LOW, password="low", client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS)
    with owner.cursor() as cursor:
        cursor.execute("PREPARE five FROM 'SELECT 5 FROM DUAL FOR UPDATE'; BEGIN")
        while cursor.nextset():
            pass
    run(owner, "COMMIT")
    # Each of these transactions needs a connection of its own; the last one would get the owner's, were it to spare.
    holders = [low(session) for _ in range(FEW)]
    for text in ("BEGIN", "ROLLBACK"):
        for holder in holders:
            with suppress(pymysql.err.MySQLError):
                run(holder, text)
    assert run(owner, "EXECUTE five") == ((5,),)
    run(owner, "DO 1")
    assert owner._result is not None
    assert not owner._result.server_status & c.SERVER_STATUS_IN_TRANS


def test_a_user_lock_is_its_sessions(session: Open) -> None:
    owner, rival, *others = [low(session) for _ in range(3 * FEW)]
    assert run(owner, "SELECT GET_LOCK('sharing', 0)") == ((1,),)
    # Whether this one has the lock is not looked at: its connection is kept, too.
    assert run(rival, "SELECT GET_LOCK('sharing', 0)") == ((0,),)
    run(rival, "DO RELEASE_ALL_LOCKS()")
    for client in others:
        assert run(client, "SELECT IS_FREE_LOCK('sharing')") == ((0,),)
    assert run(owner, "SELECT RELEASE_LOCK('sharing')") == ((1,),)
    assert run(others[0], "SELECT IS_FREE_LOCK('sharing')") == ((1,),)


def without_a_thread(cluster: Cluster, session: Open, target: Connection) -> None:
    """Have others take all connections from `target`."""
    others = [low(session) for _ in range(FEW)]
    before = threads(cluster, LOW)
    for other in others:
        other.begin()
        run(other, f"SELECT COUNT(*) FROM {SCHEMA}.item")
    assert len(before) <= FEW
    for other in others:
        other.rollback()
        run(other, "SELECT 1 FROM DUAL FOR UPDATE")


@pytest.mark.parametrize("words", ["KILL", "KILL QUERY"])
def test_a_session_without_a_thread_is_killed_by_its_own_user(
    shared_cluster: Cluster, session: Open, words: str
) -> None:
    target, killer = low(session), low(session)
    without_a_thread(shared_cluster, session, target)
    bystanders = [low(session) for _ in range(FEW)]
    run(killer, f"{words} {target.thread_id()}")
    if words == "KILL":
        with pytest.raises(pymysql.err.MySQLError):
            run(target, "SELECT 1")
    else:
        assert run(target, "SELECT 'alive'") == (("alive",),)
    assert [run(client, "SELECT 'alive' FROM DUAL FOR UPDATE") for client in bystanders] == [(("alive",),)] * FEW


def test_a_session_without_a_thread_is_killed_by_whom_the_server_lets(shared_cluster: Cluster, session: Open) -> None:
    target, administrator = low(session), session()
    without_a_thread(shared_cluster, session, target)
    run(administrator, f"KILL {target.thread_id()}")
    with pytest.raises(pymysql.err.MySQLError):
        run(target, "SELECT 1")
    assert run(administrator, "SELECT 'alive'") == (("alive",),)


def test_a_session_without_a_thread_is_not_killed_by_others(shared_cluster: Cluster, session: Open) -> None:
    target, killer = session(), low(session)
    without_a_thread(shared_cluster, session, target)
    number = target.thread_id()
    with with_errno(NOT_OWNER) as refused:
        run(killer, f"KILL {number}")
    assert str(number) in str(refused.value)
    assert run(target, "SELECT 'alive' FROM DUAL FOR UPDATE") == (("alive",),)


def test_a_statement_that_waits_for_a_connection_is_killed(session: Open) -> None:
    holders = [low(session) for _ in range(FEW)]
    waiting, killer = low(session), low(session)
    for holder in holders:
        holder.begin()
        run(holder, f"SELECT COUNT(*) FROM {SCHEMA}.item")
    waiting._execute_command(3, "SELECT 1 FROM DUAL FOR UPDATE")
    run(killer, f"KILL QUERY {waiting.thread_id()}")
    with with_errno(INTERRUPTED):
        waiting._read_query_result()
    holders[0].rollback()
    assert run(waiting, "SELECT 'alive' FROM DUAL FOR UPDATE") == (("alive",),)


def test_a_session_without_a_thread_kills_itself(shared_cluster: Cluster, session: Open) -> None:
    client = low(session)
    bystanders = [low(session) for _ in range(FEW)]
    without_a_thread(shared_cluster, session, client)
    with pytest.raises(pymysql.err.MySQLError):
        run(client, "KILL CONNECTION_ID()")
    with pytest.raises(pymysql.err.MySQLError):
        run(client, "SELECT 1")
    assert [run(other, "SELECT 'alive'") for other in bystanders] == [(("alive",),)] * FEW


def test_free_connections_are_closed_after_a_while(shared_cluster: Cluster, proxy: ProxyProcess) -> None:
    others = set(threads(shared_cluster, LOW))
    with running_proxy(shared_cluster, "--server-connection-idle", "1") as brief:
        with connect(shared_cluster, brief, user=LOW, password="low") as client:
            run(client, "SELECT 1 FROM DUAL FOR UPDATE")
            kept = set(threads(shared_cluster, LOW)) - others
            assert len(kept) == 1
        wait_until(lambda: not set(threads(shared_cluster, LOW)) & kept, "the free connections are closed")


def test_spare_connections_are_opened_ahead_of_demand(shared_cluster: Cluster, proxy: ProxyProcess) -> None:
    servers = range(len(shared_cluster.servers))
    others = [set(threads(shared_cluster, LOW, server)) for server in servers]

    def opened() -> list[int]:
        return [len(set(threads(shared_cluster, LOW, server)) - others[server]) for server in servers]

    def all_are_ready(client: Connection) -> bool:
        run(client, "SELECT id FROM item LIMIT 1")
        return opened() == [3, 3, 3]

    with running_proxy(shared_cluster, "--spare-connections", "2") as ready:
        with connect(shared_cluster, ready, user=LOW, password="low", database=SCHEMA) as client:
            wait_until(lambda: all_are_ready(client), "two more than are used", lambda: f"{opened()}\n{ready.log}")
            # What they were opened with is not this session's.
            with connect(shared_cluster, ready, user=LOW, password="low") as stranger:
                for read in ("SELECT DATABASE()", "SELECT DATABASE() FROM DUAL FOR UPDATE"):
                    assert [run(stranger, read) for _ in range(4)] == [((None,),)] * 4
            with connect(shared_cluster, ready, user=LOW, password="low", database=SCHEMA) as same:
                for _ in range(4):
                    run(same, "SELECT id FROM item LIMIT 1")
        assert "Traceback" not in ready.log


def test_sessions_take_turns_on_the_replicas(shared_cluster: Cluster, session: Open) -> None:
    sessions = [low(session) for _ in range(3 * FEW)]
    for number, client in enumerate(sessions):
        client.select_db(SCHEMA)
        run(client, f"SET time_zone = '+0{number}:00'")
        run(client, f"SET @mine = {number}")
    counters = Counters(shared_cluster, READS)
    wanted = [((number, f"+0{number}:00", SCHEMA, 1),) for number in range(len(sessions))]

    def replicas_answered() -> bool:
        read = "SELECT @mine, @@time_zone, DATABASE(), (SELECT COUNT(*) >= 0 FROM item)"
        assert [run(client, read) for client in sessions] == wanted
        counts = counters.difference()
        return min(counts["dbread1"], counts["dbread2"]) >= 5 * len(sessions)

    wait_until(replicas_answered, "both replicas answered")


@pytest.fixture
def alone(shared_cluster: Cluster) -> Iterator[str]:
    """A schema that only the primary has."""
    with direct(shared_cluster, shared_cluster.servers[0]) as control:
        run(control, "SET sql_log_bin = 0")
        run(control, "CREATE DATABASE sharing_alone")
        run(control, "CREATE TABLE sharing_alone.item AS SELECT -7 AS id")
        yield "sharing_alone"
        run(control, "DROP DATABASE sharing_alone")


def test_a_read_behind_something_that_failed_is_not_believed(
    shared_cluster: Cluster, proxy: ProxyProcess, alone: str
) -> None:
    """A replica runs it in the schema before, but that is not what the client gets."""
    counters = Counters(shared_cluster, READS)

    def a_replica_was_asked() -> bool:
        with connect(shared_cluster, proxy, database=SCHEMA) as client:
            client.select_db(alone)
            assert run(client, "SELECT id FROM item") == ((-7,),)
            assert run(client, "SELECT DATABASE(), id FROM item") == ((alone, -7),)
        counts = counters.difference()
        return counts["dbread1"] + counts["dbread2"] > 0

    wait_until(a_replica_was_asked, "a replica was asked")
    assert "Traceback" not in proxy.log


def test_a_connection_that_has_lived_long_is_replaced(shared_cluster: Cluster, proxy: ProxyProcess) -> None:
    others = set(threads(shared_cluster, LOW))
    with (
        running_proxy(shared_cluster, "--server-connection-lifetime", "1") as brief,
        connect(shared_cluster, brief, user=LOW, password="low") as client,
    ):
        run(client, "SET @kept = 5")
        first = set(threads(shared_cluster, LOW)) - others
        assert len(first) == 1
        wait_until(lambda: not set(threads(shared_cluster, LOW)) & first, "the old connection is closed")
        assert run(client, "SELECT @kept FROM DUAL FOR UPDATE") == ((5,),)
