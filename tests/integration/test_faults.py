"""Servers that die, freeze, stop and lag under load; the proxy that is told to stop; clients that do not read."""

import select
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import MySQLdb
import pymysql
import pytest

from proxy.wire import constants as c
from proxy.wire.exchange import Reply
from replication.sandbox import Cluster, Flavor, LocalServer
from tests.support.clients import Connection, Counters, connect, direct, run
from tests.support.clusters import replicating_cluster
from tests.support.load import Load, reading
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import DEADLINE, settled, wait_until
from tests.support.wireclient import Login, WireClient, execute, first_error, query, statement_command

SCHEMA = "faults_test"
COUNT = f"SELECT COUNT(*) FROM {SCHEMA}.item"
FAST_PROBES = ("--probe-interval", "0.2", "--probe-timeout", "0.5")
MEBIBYTE = 1024 * 1024
REFUSED, GONE, LOST = 2003, 2006, 2013


@pytest.fixture(scope="module", params=list(Flavor))
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Servers of these tests' own. Each test starts again what it stopped."""
    with replicating_cluster(Flavor(request.param)) as cluster:
        yield cluster


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[ProxyProcess]:
    with running_proxy(cluster, *FAST_PROBES, "--primary-wait", "0.5") as proxy:
        yield proxy


@pytest.fixture
def client(cluster: Cluster, proxy: ProxyProcess) -> Iterator[Connection]:
    """A client with a table of three rows, which is on all servers."""
    with connect(cluster, proxy) as connection:
        run(connection, f"DROP DATABASE IF EXISTS {SCHEMA}")
        run(connection, f"CREATE DATABASE {SCHEMA}")
        connection.select_db(SCHEMA)
        run(connection, "CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, value INT) ENGINE=InnoDB")
        run(connection, "INSERT INTO item (value) VALUES (1), (2), (3)")
        wait_until(lambda: all(serves_reads(cluster, connection).values()), "reads go to both replicas")
        yield connection


@pytest.fixture
def load(cluster: Cluster, proxy: ProxyProcess, client: Connection) -> Iterator[Load]:
    """Eight clients that read the table, which nobody changes."""
    with reading(cluster, proxy, COUNT, 3) as load:
        yield load


def serves_reads(cluster: Cluster, client: Connection) -> dict[str, bool]:
    """Which of the running replicas answered any of some reads, of a kind that nobody else sends to the servers."""
    running = [server for server in cluster.servers[1:] if server.running()]
    counters = Counters(cluster, ("Com_show_create_table",)) if len(running) == len(cluster.servers) - 1 else None
    if counters is None:
        return {}
    for _ in range(30):
        run(client, f"SHOW CREATE TABLE {SCHEMA}.item")
    counts = counters.difference()
    return {server.name: counts[server.name] > 0 for server in running}


def is_down(proxy: ProxyProcess, server: LocalServer) -> bool:
    """Whether the last change of a server's health that the proxy logged put it out of use."""
    changes = [line for line in proxy.log.splitlines() if f"monitor: {server.name} " in line and " -> " in line]
    return bool(changes) and "-> healthy" not in changes[-1]


def wait_until_back(proxy: ProxyProcess, server: LocalServer) -> None:
    wait_until(lambda: not is_down(proxy, server), f"{server.name} is used again", lambda: proxy.log)


def replica_statement(cluster: Cluster, verb: str) -> str:
    return f"{verb} {'SLAVE' if cluster.flavor is Flavor.MARIADB else 'REPLICA'}"


@pytest.mark.parametrize("ending", [LocalServer.kill, LocalServer.stop], ids=["kill -9", "clean shutdown"])
def test_no_client_notices_the_end_of_a_replica(
    cluster: Cluster, proxy: ProxyProcess, client: Connection, load: Load, ending: Callable[[LocalServer], None]
) -> None:
    replica = cluster.server("dbread1")
    try:
        ending(replica)
        load.wait_for_progress(100)
        wait_until(lambda: is_down(proxy, replica), "the replica is out of use", lambda: proxy.log)
    finally:
        replica.start()
    wait_until_back(proxy, replica)
    load.wait_for_progress()
    wait_until(lambda: serves_reads(cluster, client)["dbread1"], "the replica serves reads again")
    load.stop()


def test_a_statement_can_be_reset_after_its_replica_has_died(
    cluster: Cluster, proxy: ProxyProcess, client: Connection
) -> None:
    primary, replica = cluster.servers[0], cluster.server("dbread1")
    with WireClient(proxy.host, proxy.port) as raw:
        raw.log_in(Login(primary.user, primary.password))
        numbers = []
        # One turn for each replica.
        for _ in range(2):
            first = raw.command(bytes((c.COM_STMT_PREPARE,)) + COUNT.encode(), Reply.PREPARED)[0][1]
            numbers.append(int.from_bytes(first[1:5], "little"))
            raw.command(execute(numbers[-1]))
        try:
            replica.kill()
            for number in numbers * 2:
                assert first_error(raw.command(statement_command(c.COM_STMT_RESET, number))) is None
                assert first_error(raw.command(execute(number))) is None
        finally:
            replica.start()
    wait_until_back(proxy, replica)


def test_a_killed_read_is_not_run_again(cluster: Cluster, proxy: ProxyProcess, client: Connection) -> None:
    errors: list[tuple[int, str]] = []
    slow = f"SELECT /* slow */ SLEEP(30) FROM {SCHEMA}.item"
    thread = threading.Thread(target=lambda: errors.append(error_of(lambda: run(client, slow))))
    thread.start()
    try:
        wait_until(lambda: kill_query(cluster, "SELECT /* slow */"), "the read runs on a replica")
    finally:
        thread.join()
    assert errors[0][0] == 1317
    assert not is_running(cluster, "SELECT /* slow */")


def kill_query(cluster: Cluster, text: str) -> bool:
    """Interrupt the statement that begins with `text` on a replica; whether there was one."""
    for server in cluster.servers[1:]:
        with direct(cluster, server) as connection:
            for row in run(connection, "SHOW FULL PROCESSLIST"):
                if str(row[7]).startswith(text):
                    run(connection, f"KILL QUERY {row[0]}")
                    return True
    return False


def test_reads_go_on_while_a_replica_is_frozen(cluster: Cluster, proxy: ProxyProcess, client: Connection) -> None:
    replica = cluster.server("dbread1")
    with reading(cluster, proxy, COUNT, 3) as load:
        try:
            replica.freeze()
            wait_until(lambda: is_down(proxy, replica), "the replica is out of use", lambda: proxy.log)
            with connect(cluster, proxy) as other:
                for _ in range(20):
                    assert run(other, COUNT) == ((3,),)
        finally:
            replica.thaw()
        wait_until_back(proxy, replica)
        load.wait_for_progress()


def test_a_replica_that_no_longer_replicates_gets_no_reads(
    cluster: Cluster, proxy: ProxyProcess, client: Connection
) -> None:
    replica = cluster.server("dbread1")
    with direct(cluster, replica) as control:
        try:
            run(control, replica_statement(cluster, "STOP"))
            wait_until(lambda: is_down(proxy, replica), "the replica is out of use", lambda: proxy.log)
            assert serves_reads(cluster, client) == {"dbread1": False, "dbread2": True}
        finally:
            run(control, replica_statement(cluster, "START"))
    wait_until_back(proxy, replica)


def test_why_a_replica_stopped_applying_is_told(cluster: Cluster, proxy: ProxyProcess, client: Connection) -> None:
    """MySQL's own status only says which of its workers failed; values of rows are not logged."""
    replica = cluster.server("dbread1")
    with direct(cluster, replica) as control:
        run(control, "SET SESSION sql_log_bin = 0")
        try:
            if cluster.flavor is Flavor.MYSQL:
                run(control, "SET GLOBAL super_read_only = 0")
            run(control, f"INSERT INTO {SCHEMA}.item VALUES (4711, 0)")
            run(client, "INSERT INTO item VALUES (4711, 1)")
            proxy.wait_for_log("Duplicate entry '...' for key")
            assert "4711" not in proxy.log
        finally:
            run(control, f"DELETE FROM {SCHEMA}.item WHERE id = 4711")
            if cluster.flavor is Flavor.MYSQL:
                run(control, "SET GLOBAL super_read_only = 1")
            run(control, replica_statement(cluster, "START"))
    wait_until_back(proxy, replica)
    run(client, "DELETE FROM item WHERE id = 4711")


def test_a_lagging_replica_never_answers_with_old_data(
    cluster: Cluster, proxy: ProxyProcess, client: Connection
) -> None:
    with direct(cluster, cluster.server("dbread1")) as lock, connect(cluster, proxy, database=SCHEMA) as other:
        run(lock, f"LOCK TABLES {SCHEMA}.item READ")
        for number in range(200):
            run(client, f"UPDATE item SET value = {number} WHERE id = 1")
            for reader in (other, client, other):
                assert run(reader, "SELECT value FROM item WHERE id = 1") == ((number,),)
        assert run(lock, f"SELECT value FROM {SCHEMA}.item WHERE id = 1") == ((1,),), "the replica did not lag"
        run(lock, "UNLOCK TABLES")


def test_a_dead_primary_is_named_and_used_again(cluster: Cluster, proxy: ProxyProcess, client: Connection) -> None:
    primary = cluster.servers[0]
    login = {"host": proxy.host, "port": proxy.port, "user": primary.user, "password": primary.password}
    with (
        connect(cluster, proxy, database=SCHEMA) as in_transaction,
        connect(cluster, proxy) as idle,
        closing(MySQLdb.connect(**login)) as in_c,
    ):
        run(in_transaction, "BEGIN")
        run(in_transaction, "INSERT INTO item (value) VALUES (4)")
        try:
            primary.kill()
            assert error_of(lambda: run(client, "INSERT INTO item (value) VALUES (5)"))[0] in (REFUSED, GONE, LOST)
            assert error_of(lambda: run(in_transaction, "COMMIT"))[0] in (GONE, LOST)
            number, message = error_of(lambda: run(idle, f"DELETE FROM {SCHEMA}.item"))
            assert number == REFUSED
            assert "dbwrite" in message
            # MariaDB's C connector would make 2027, malformed packet, of 2003.
            number, message = error_of(lambda: in_c.query(f"DELETE FROM {SCHEMA}.item"))
            assert number == c.ER_SERVER_SHUTDOWN
            assert "dbwrite" in message
            number, message = error_of(lambda: connect(cluster, proxy))
            assert number == REFUSED
            assert "dbwrite" in message
        finally:
            primary.start()
        wait_until_back(proxy, primary)
        assert run(idle, COUNT) == ((3,),)
        run(idle, f"INSERT INTO {SCHEMA}.item (value) VALUES (6)")
        assert run(idle, COUNT) == ((4,),)
    for replica in cluster.servers[1:]:
        wait_until_back(proxy, replica)


def test_a_restart_of_the_primary_is_a_pause(cluster: Cluster) -> None:
    """Nothing that was not in flight fails: not an idle session, not a new one."""
    primary = cluster.servers[0]
    with (
        running_proxy(cluster, *FAST_PROBES, "--primary-wait", "60", "--login-timeout", "75") as proxy,
        connect(cluster, proxy, autocommit=True) as idle,
        connect(cluster, proxy) as in_transaction,
        ThreadPoolExecutor(4) as others,
    ):
        run(in_transaction, f"CREATE DATABASE {SCHEMA}_pause")
        run(in_transaction, f"CREATE TABLE {SCHEMA}_pause.item (value INT)")
        run(idle, "SET @kept = 7")
        run(in_transaction, "BEGIN")
        run(in_transaction, f"INSERT INTO {SCHEMA}_pause.item VALUES (1)")
        primary.kill()
        try:
            # Before that a statement can be on its way to the dead server.
            wait_until(lambda: is_down(proxy, primary), "the proxy knows")
            waits = others.submit(run, idle, f"INSERT INTO {SCHEMA}_pause.item VALUES (@kept)")
            arrives = others.submit(connect, cluster, proxy, connect_timeout=60)
            assert error_of(lambda: run(in_transaction, "COMMIT"))[0] in (GONE, LOST)
            assert not waits.done(), waits.exception()
            assert not arrives.done(), arrives.exception()
        finally:
            primary.start()
        assert waits.result(DEADLINE) == ()
        with arrives.result(DEADLINE) as arrived:
            assert run(arrived, f"SELECT value FROM {SCHEMA}_pause.item FOR UPDATE") == ((7,),)
            run(arrived, f"DROP DATABASE {SCHEMA}_pause")
        for replica in cluster.servers[1:]:
            wait_until_back(proxy, replica)


def error_of(action: Callable[[], Any]) -> tuple[int, str]:
    """The number and text of the MySQL error that `action` raises."""
    with pytest.raises((pymysql.err.MySQLError, MySQLdb.Error)) as caught:
        action()
    number, message = caught.value.args
    return number, message


def test_a_stopping_proxy_lets_statements_finish(cluster: Cluster) -> None:
    # A client that does not go on with its login must not hold the proxy up.
    with running_proxy(cluster, "--login-timeout", "86400") as proxy, WireClient(proxy.host, proxy.port) as silent:
        silent.greeting()
        results: list[object] = []
        busy, idle = connect(cluster, proxy), connect(cluster, proxy)
        thread = threading.Thread(target=lambda: results.append(run(busy, "SELECT SLEEP(1.5), 'finished'")))
        thread.start()
        wait_until(lambda: is_running(cluster, "SELECT SLEEP(1.5)"), "the statement runs")
        proxy.process.terminate()
        proxy.wait_for_log("stopping")
        assert error_of(lambda: connect(cluster, proxy))[0] == REFUSED
        # One that is silent is closed soon, and one whose client asks whether it lives at once.
        wait_until(lambda: bool(select.select([idle._sock], [], [], 0)[0]), "the idle session is closed")
        assert error_of(lambda: run(idle, "SELECT 1"))[0] in (GONE, LOST)
        thread.join()
        assert results == [((0, "finished"),)]
        assert proxy.process.wait(DEADLINE) == 0


def is_running(cluster: Cluster, text: str) -> bool:
    """Whether some server runs a statement that begins with `text`."""
    for server in cluster.servers:
        with direct(cluster, server) as connection:
            if any(str(row[7]).startswith(text) for row in run(connection, "SHOW FULL PROCESSLIST")):
                return True
    return False


def test_a_client_that_does_not_read_costs_little_memory(cluster: Cluster, proxy: ProxyProcess) -> None:
    primary = cluster.servers[0]
    rows = 200
    numbers = f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"
    with WireClient(proxy.host, proxy.port, receive_buffer=65536) as client:
        client.log_in(Login(primary.user, primary.password))
        client.query("SELECT REPEAT('x', 100000)")
        before = proxy.resident
        client.send(query(f"{numbers} SELECT REPEAT('x', {MEBIBYTE}) FROM n"))
        most = settled(lambda: proxy.resident)
        received = 0
        for _ in range(rows + 4):
            received += len(client.packet()[1])
            most = max(most, proxy.resident)
    assert received > rows * MEBIBYTE
    assert most - before < 40 * MEBIBYTE
