"""Transactions that are run again when the primary is lost before their COMMIT, with `transaction_replay`."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from typing import Any, cast

import mariadb
import mysql.connector
import MySQLdb
import pymysql
import pytest
import sqlalchemy

from replication.sandbox import Cluster
from tests.support.clients import Connection, connect, direct, run
from tests.support.proxies import ProxyProcess, started_proxy
from tests.support.relay import Relay, relaying
from tests.support.waiting import DEADLINE, wait_until

SCHEMA = "replay_test"
ITEM = f"{SCHEMA}.item"
CONFLICT = 1213
INTERRUPTED = 1317
KILLED = 1927
LOST = (2006, 2013)
# It may do nothing but what is its own.
USER, PASSWORD = "replayed", "Replayed-1234"

Open = Callable[[], Connection]
Cut = Callable[[], None]


@pytest.fixture(scope="module")
def relay(shared_cluster: Cluster) -> Iterator[Relay]:
    with relaying(shared_cluster.servers[0].port) as relay:
        yield relay


@contextlib.contextmanager
def behind(cluster: Cluster, relay: Relay, *options: str, users: str = "") -> Iterator[ProxyProcess]:
    """A proxy that runs transactions again, of these users only if any are named."""

    def url(port: int) -> str:
        server = cluster.servers[0]
        return f"mysql://{server.user}:{server.password}@127.0.0.1:{port}"

    readers = [f"--reader={url(server.port)}" for server in cluster.servers[1:]]
    waits = ("--primary-wait", "60", "--probe-interval", "0.2")
    replay = ("--transaction-replay-users", users) if users else ("--transaction-replay",)
    with started_proxy("--writer", url(relay.port), *readers, *replay, *waits, *options) as proxy:
        proxy.wait_for_log("serving on")
        proxy.wait_for_log("-> healthy", len(cluster.servers))
        yield proxy


@pytest.fixture(scope="module")
def proxy(shared_cluster: Cluster, relay: Relay) -> Iterator[ProxyProcess]:
    with behind(shared_cluster, relay, "--transaction-replay-limit", "20000") as proxy:
        with connect(shared_cluster, proxy) as client:
            run(client, f"CREATE DATABASE {SCHEMA}")
            columns = "(id INT AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(99))"
            run(client, f"CREATE TABLE {ITEM} {columns} ENGINE = InnoDB")
            run(client, f"CREATE TABLE {SCHEMA}.plain {columns} ENGINE = MyISAM")
            run(client, f"CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}'")
            run(client, f"GRANT ALL ON {SCHEMA}.* TO {USER}@'%'")
        yield proxy
        with connect(shared_cluster, proxy) as client:
            run(client, f"DROP DATABASE {SCHEMA}")
            run(client, f"DROP USER {USER}@'%'")


@pytest.fixture
def session(shared_cluster: Cluster, proxy: ProxyProcess) -> Iterator[Open]:
    """Opens clients, of an ordinary user. One before them has filled the table anew."""
    with ExitStack() as stack:
        first = stack.enter_context(connect(shared_cluster, proxy))
        run(first, f"DELETE FROM {ITEM}")
        run(first, f"INSERT INTO {ITEM} (id, a) VALUES (1, 10), (2, 20)")
        run(first, f"DELETE FROM {SCHEMA}.plain")
        yield lambda: stack.enter_context(connect(shared_cluster, proxy, user=USER, password=PASSWORD))


@pytest.fixture
def cut(shared_cluster: Cluster, relay: Relay, proxy: ProxyProcess) -> Iterator[Cut]:
    with cutting(shared_cluster, relay, proxy) as cut:
        yield cut


@contextlib.contextmanager
def cutting(cluster: Cluster, relay: Relay, proxy: ProxyProcess) -> Iterator[Cut]:
    """Cuts all connections to the primary, and waits until this proxy has noticed."""
    with connect(cluster, proxy) as looking:

        def cut() -> None:
            relay.switch(cluster.servers[0].port, resetting=True)
            wait_until(lambda: not connected(looking), "no session has a connection to the primary")

        yield cut


def connected(looking: Connection) -> list[str]:
    """The sessions with a connection to the primary."""
    return [row[0] for row in run(looking, "SHOW PROXY SESSIONS") if "dbwrite" in str(row)]


def outlook(client: Connection) -> str | None:
    """What SHOW PROXY SESSIONS says of its own transaction."""
    (shown,) = (row for row in run(client, "SHOW PROXY SESSIONS") if row[0] == client.thread_id())
    return cast(str | None, shown[10])


def rows(cluster: Cluster, what: str = "a", of: str = ITEM) -> list[int]:
    with direct(cluster, cluster.servers[0]) as client:
        return [row[0] for row in run(client, f"SELECT {what} FROM {of} ORDER BY {what}")]


def figure(connection: Connection, name: str) -> int:
    return next(int(row[1]) for row in run(connection, "SHOW PROXY STATUS") if row[0] == name)


def error_of(client: Connection, text: str) -> int:
    with pytest.raises(pymysql.MySQLError) as caught:
        run(client, text)
    return int(caught.value.args[0])


def works(connection: Connection) -> bool:
    with contextlib.suppress(pymysql.MySQLError):
        return run(connection, "SELECT 1") == ((1,),)
    return False


def under_way(
    relay: Relay, client: Connection, text: str, over: Callable[[], bool]
) -> AbstractContextManager[Future[object]]:
    """While the answer to a statement that is `over` on the server is on its way."""
    return held(relay, functools.partial(run, client, text), over)


@contextlib.contextmanager
def held(relay: Relay, statement: Callable[[], object], over: Callable[[], bool]) -> Iterator[Future[object]]:
    """The same for whatever runs one."""
    with ThreadPoolExecutor(1) as others:
        relay.hold(downward=True)
        try:
            answer = others.submit(statement)
            wait_until(over, "the server has run it")
            yield answer
        finally:
            relay.hold()


BEGINNINGS = (
    ["BEGIN"],
    ["SET autocommit = 0"],
    ["SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "START TRANSACTION READ WRITE"],
    ["SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET @a = 5", "BEGIN"],
)


@pytest.mark.parametrize("beginning", BEGINNINGS, ids=", ".join)
def test_the_client_notices_nothing(
    shared_cluster: Cluster, proxy: ProxyProcess, session: Open, cut: Cut, beginning: list[str]
) -> None:
    client, other = session(), session()
    before = figure(other, "transactions_replayed")
    for text in beginning:
        run(client, text)
    run(client, f"INSERT INTO {ITEM} (id, a) VALUES (3, 30)")
    run(client, "SAVEPOINT s")
    run(client, f"UPDATE {ITEM} SET a = a + 1 WHERE id = 1")
    assert run(client, f"SELECT a FROM {ITEM} ORDER BY id") == ((11,), (20,), (30,))
    assert error_of(client, f"INSERT INTO {ITEM} (id) VALUES (3)") == 1062
    cut()
    run(client, "ROLLBACK TO s")
    cut()
    assert run(client, f"SELECT a FROM {ITEM} ORDER BY id FOR UPDATE") == ((10,), (20,), (30,))
    run(client, f"UPDATE {ITEM} SET a = a + 2 WHERE id = 1")
    cut()
    run(client, "COMMIT")
    assert rows(shared_cluster) == [12, 20, 30]
    wait_until(lambda: works(other), "the other session goes on")
    assert figure(other, "transactions_replayed") == before + 3, proxy.log


def test_locks_do_not_stay_that_a_cut_network_has_left(shared_cluster: Cluster, relay: Relay, session: Open) -> None:
    client = session()
    run(client, "BEGIN")
    run(client, f"UPDATE {ITEM} SET a = a + 1 WHERE id = 1")
    relay.strand()
    run(client, f"UPDATE {ITEM} SET a = a + 1 WHERE id = 2")
    run(client, "COMMIT")
    assert rows(shared_cluster) == [11, 21]


def test_the_statement_in_flight_is_part_of_it(shared_cluster: Cluster, relay: Relay, session: Open, cut: Cut) -> None:
    client = session()
    run(client, "SET autocommit = 0")
    for number in (1, 2):
        # In front of the first one there is nothing to be run again.
        waiting = f"UPDATE {ITEM} SET a = a + {number} WHERE id = {number}"
        with (
            direct(shared_cluster, shared_cluster.servers[0]) as looking,
            under_way(relay, client, waiting, functools.partial(is_locked, looking, number)) as answer,
        ):
            cut()
        assert answer.result(DEADLINE) == ()
    run(client, "COMMIT")
    assert rows(shared_cluster) == [11, 22]


def is_locked(connection: Connection, number: int) -> bool:
    try:
        run(connection, f"SELECT a FROM {ITEM} WHERE id = {number} FOR UPDATE NOWAIT")
    except pymysql.MySQLError:
        return True
    return False


def test_a_commit_whose_answer_is_lost_is_not_repeated(
    shared_cluster: Cluster, relay: Relay, session: Open, cut: Cut
) -> None:
    client, other = session(), session()
    before = figure(other, "transactions_replayed")
    run(client, "BEGIN")
    run(client, f"INSERT INTO {ITEM} (id, a) VALUES (3, 30)")
    with under_way(relay, client, "COMMIT", lambda: rows(shared_cluster) == [10, 20, 30]) as answer:
        cut()
    with pytest.raises(pymysql.MySQLError) as caught:
        answer.result(DEADLINE)
    assert caught.value.args[0] in LOST
    assert rows(shared_cluster) == [10, 20, 30]
    wait_until(lambda: works(other), "the other session goes on")
    assert figure(other, "transactions_replayed") == before


def sqlalchemy_sees(dialect: str, error: Any) -> bool:
    """Whether SQLAlchemy takes an error of this dialect's driver for the end of the connection."""
    engine = sqlalchemy.create_engine(f"mysql+{dialect}://")
    return bool(engine.dialect.is_disconnect(error, None, None))


# MariaDB's C connector shows 2013 as 2027, malformed packet: no message, and for SQLAlchemy no lost connection.
@pytest.mark.parametrize("driver", ["mysqlclient", "mariadb", "connector"])
def test_every_driver_tells_that_the_outcome_is_unknown(
    shared_cluster: Cluster, proxy: ProxyProcess, relay: Relay, session: Open, cut: Cut, driver: str
) -> None:
    connect, dialect, number = {
        "mysqlclient": (MySQLdb.connect, "mysqldb", KILLED),
        "mariadb": (mariadb.connect, "mariadbconnector", KILLED),
        "connector": (functools.partial(mysql.connector.connect, use_pure=True), "mysqlconnector", LOST[1]),
    }[driver]
    session()
    client = connect(host=proxy.host, port=proxy.port, user=USER, password=PASSWORD, autocommit=True)
    insert = functools.partial(client.cursor().execute, f"INSERT INTO {ITEM} (a) VALUES (30)")
    with held(relay, insert, lambda: 30 in rows(shared_cluster)) as answer:
        cut()
    error = answer.exception(DEADLINE)
    assert isinstance(error, Exception)
    assert "whether the statement ran is unknown" in str(error)
    assert getattr(error, "errno", error.args[0]) == number
    assert sqlalchemy_sees(dialect, error)


def test_other_results_are_a_deadlock(shared_cluster: Cluster, session: Open, cut: Cut) -> None:
    client, other = session(), session()
    before = figure(other, "transactions_replayed_in_vain")
    run(client, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
    run(client, "BEGIN")
    run(client, f"INSERT INTO {ITEM} (id, a) VALUES (3, 30)")
    assert run(client, f"SELECT a FROM {ITEM} WHERE id = 2") == ((20,),)
    run(other, f"UPDATE {ITEM} SET a = 21 WHERE id = 2")
    cut()
    assert error_of(client, f"UPDATE {ITEM} SET a = a + 1 WHERE id = 1") == CONFLICT
    assert rows(shared_cluster) == [10, 21]
    run(client, f"UPDATE {ITEM} SET a = a + 1 WHERE id = 1")
    assert rows(shared_cluster) == [11, 21]
    assert figure(client, "transactions_replayed_in_vain") == before + 1


def test_insert_ids_are_those_of_before(shared_cluster: Cluster, session: Open, cut: Cut) -> None:
    client, other = session(), session()
    run(client, "BEGIN")
    ids = []
    for values in ("(30)", "(31), (32)", "(LAST_INSERT_ID())"):
        run(client, f"INSERT INTO {ITEM} (a) VALUES {values}")
        ids.append(run(client, "SELECT LAST_INSERT_ID()")[0][0])
    # Given away, and not given back when the transaction is rolled back.
    run(other, f"INSERT INTO {ITEM} (a) VALUES (40)")
    run(client, f"INSERT INTO {ITEM} (id, a) VALUES ({ids[2] + 50}, 33)")
    cut()
    assert run(client, "SELECT ROW_COUNT()") == ((1,),)
    run(client, f"INSERT INTO {ITEM} (a) VALUES (LAST_INSERT_ID())")
    run(client, "COMMIT")
    own = [ids[0], ids[1], ids[1] + 1, ids[2], ids[2] + 1, ids[2] + 50]
    assert rows(shared_cluster, "id")[:-1] == [1, 2, *own]
    assert rows(shared_cluster) == sorted([10, 20, 30, 31, 32, 33, 40, ids[1], ids[2]])


def test_an_insert_id_that_somebody_else_has_by_now_is_a_deadlock(
    shared_cluster: Cluster, session: Open, cut: Cut
) -> None:
    client, other = session(), session()
    run(client, "BEGIN")
    run(client, f"INSERT INTO {ITEM} (a) VALUES (30)")
    ((number,),) = run(client, "SELECT LAST_INSERT_ID()")
    cut()
    wait_until(lambda: works(other), "the other session goes on")
    run(other, f"INSERT INTO {ITEM} (id, a) VALUES ({number}, 0)")
    assert error_of(client, f"INSERT INTO {ITEM} (a) VALUES (31)") == CONFLICT
    assert rows(shared_cluster) == [0, 10, 20]


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ((f"INSERT INTO {ITEM} (b) VALUES ('{'x' * 99}')",) * 80, "too-large"),
        (("CREATE TEMPORARY TABLE replay_test.temporary (id INT)", f"INSERT INTO {ITEM} (a) VALUES (1)"), "temp-table"),
        ((f"INSERT INTO {ITEM} (a) VALUES (1)", "SET @a = 1"), "session-state"),
        ((f"INSERT INTO {SCHEMA}.plain (a) VALUES (1)",), "no-rollback"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_run_again_is_lost(
    shared_cluster: Cluster, proxy: ProxyProcess, session: Open, cut: Cut, texts: tuple[str, ...], reason: str
) -> None:
    client = session()
    run(client, "BEGIN")
    assert outlook(client) == "yes"
    for text in texts:
        run(client, text)
    # Which tables can roll back is asked only then.
    assert outlook(client) == ("yes" if reason == "no-rollback" else reason)
    cut()
    assert error_of(client, "COMMIT") in LOST
    assert rows(shared_cluster) == [10, 20]
    assert len(rows(shared_cluster, of=f"{SCHEMA}.plain")) <= 1
    proxy.wait_for_log(f"not run again: {reason}")


@pytest.mark.parametrize("past_the_proxy", [True, False])
def test_what_was_killed_stays_dead(shared_cluster: Cluster, session: Open, past_the_proxy: bool) -> None:
    client, other = session(), session()
    run(client, "BEGIN")
    run(client, f"UPDATE {ITEM} SET a = 0")
    (number,) = run(client, "SELECT CONNECTION_ID()")[0]
    with direct(shared_cluster, shared_cluster.servers[0]) as primary:
        thread = run(primary, "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx")[0][0]
        run(primary, f"KILL {thread}") if past_the_proxy else run(other, f"KILL {number}")
    wait_until(lambda: not is_locked(other, 1), "its locks are gone")
    assert error_of(client, "COMMIT") in (*LOST, 1927)
    assert rows(shared_cluster) == [10, 20]


def test_prepared_statements(shared_cluster: Cluster, proxy: ProxyProcess, session: Open, cut: Cut) -> None:
    session()
    user = shared_cluster.servers[0]
    with mysql.connector.connect(
        host=proxy.host, port=proxy.port, user=user.user, password=user.password, ssl_disabled=True, use_pure=True
    ) as client:
        cursor = client.cursor(prepared=True)
        for number in (3, 4):
            cursor.execute(f"INSERT INTO {ITEM} (id, a) VALUES (?, ?)", (number, number))
        # That closes the statement.
        cursor.close()
        cursor = client.cursor(prepared=True)
        cut()
        cursor.execute(f"SELECT COUNT(*) FROM {ITEM} WHERE a < ?", (9,))
        assert cursor.fetchall() == [(2,)]
        cursor.close()
        cut()
        client.commit()
    assert rows(shared_cluster) == [3, 4, 10, 20]


def test_reads_on_a_replica_that_went_to_the_primary(shared_cluster: Cluster, relay: Relay, session: Open) -> None:
    session()
    with (
        behind(
            shared_cluster, relay, "--transaction-reads", "optimistic", users=shared_cluster.servers[0].user
        ) as other,
        cutting(shared_cluster, relay, other) as cut,
        connect(shared_cluster, other, autocommit=False) as client,
        connect(shared_cluster, other, autocommit=False, user=USER, password=PASSWORD) as not_named,
    ):
        run(not_named, f"UPDATE {ITEM} SET a = 0 WHERE id = 1")
        assert outlook(not_named) is None
        count = f"SELECT COUNT(*) FROM {ITEM}"
        assert run(client, count) == ((2,),)
        cut()
        assert error_of(not_named, "COMMIT") in LOST
        run(client, f"INSERT INTO {ITEM} (id, a) VALUES (3, 30)")
        assert outlook(client) == "yes"
        cut()
        assert run(client, count) == ((3,),)
        client.commit()
        assert run(client, count) == ((3,),)
        run(client, f"DELETE FROM {ITEM} WHERE id = 3")
        cut()
        client.commit()
    assert rows(shared_cluster) == [10, 20]


def test_the_primary_is_killed_and_started(shared_cluster: Cluster, proxy: ProxyProcess, session: Open) -> None:
    primary = shared_cluster.servers[0]
    writers = [session() for _ in range(4)]
    for at, client in enumerate(writers):
        run(client, "BEGIN")
        run(client, f"INSERT INTO {ITEM} (id, a) VALUES ({at + 3}, {at})")
        assert run(client, f"SELECT a FROM {ITEM} WHERE id = {at + 3}") == ((at,),)
    with ThreadPoolExecutor(4) as others:
        try:
            primary.kill()
            answers = [
                others.submit(run, client, f"UPDATE {ITEM} SET a = a + 100 WHERE id = {at + 3}")
                for at, client in enumerate(writers)
            ]
        finally:
            primary.start()
        assert [answer.result(DEADLINE) for answer in answers] == [()] * 4
    for client in writers:
        run(client, "COMMIT")
    assert rows(shared_cluster) == [10, 20, 100, 101, 102, 103]
