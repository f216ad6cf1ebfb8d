"""Prepared statements: many of them, long data on replicas, and connections that are lost under them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from proxy.wire import constants as c
from proxy.wire.exchange import Reply
from replication.sandbox import Cluster, LocalServer
from tests.support.clients import Counters, connect, direct, run, settle
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until
from tests.support.wireclient import (
    Login,
    Packet,
    WireClient,
    execute,
    first_error,
    statement_command,
)

SCHEMA = "prepared_test"
LONG, VAR_STRING = 3, 253
READ_ONLY_CURSOR = 1
EXECUTIONS = ("Com_stmt_execute",)
MANY = 300
TOO_MANY_STATEMENTS = 1461


@pytest.fixture(scope="module", autouse=True)
def schema(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[None]:
    with connect(shared_cluster, shared_proxy) as connection:
        run(connection, f"DROP DATABASE IF EXISTS {SCHEMA}")
        run(connection, f"CREATE DATABASE {SCHEMA}")
        run(connection, f"CREATE TABLE {SCHEMA}.item (id INT PRIMARY KEY, value VARCHAR(100))")
        run(connection, f"INSERT INTO {SCHEMA}.item VALUES (1, 'one'), (2, 'two'), (3, 'three')")
        settle(shared_cluster, connection)
        yield
        run(connection, f"DROP DATABASE {SCHEMA}")


@contextmanager
def proxy_with(cluster: Cluster, *arguments: str) -> Iterator[ProxyProcess]:
    """A proxy with its own settings, once it sends reads to the replicas."""
    with running_proxy(cluster, *arguments) as proxy:
        with connect(cluster, proxy) as connection:
            settle(cluster, connection)
        yield proxy


@contextmanager
def globally(cluster: Cluster, name: str, value: int) -> Iterator[None]:
    """A global variable of all servers, set for a while."""
    before: dict[str, object] = {}
    for server in cluster.servers:
        with direct(cluster, server) as connection:
            ((before[server.name],),) = run(connection, f"SELECT @@global.{name}")
            run(connection, f"SET GLOBAL {name} = {value}")
    try:
        yield
    finally:
        for server in cluster.servers:
            with direct(cluster, server) as connection:
                run(connection, f"SET GLOBAL {name} = {before[server.name]}")


@contextmanager
def client(cluster: Cluster, proxy: ProxyProcess) -> Iterator[WireClient]:
    primary = cluster.servers[0]
    with WireClient(proxy.host, proxy.port) as raw:
        yield raw.log_in(Login(primary.user, primary.password, SCHEMA))


def prepare(raw: WireClient, sql: str) -> int:
    packets = raw.command(bytes((c.COM_STMT_PREPARE,)) + sql.encode(), Reply.PREPARED)
    assert first_error(packets) is None, first_error(packets)
    return int.from_bytes(packets[0][1][1:5], "little")


def integer(value: int) -> tuple[int, bytes]:
    return LONG, value.to_bytes(4, "little")


def rows(packets: list[Packet]) -> list[bytes]:
    """The rows of a binary result of one column, without their headers."""
    assert first_error(packets) is None, first_error(packets)
    columns = packets[0][1][0]
    return [payload[2:] for _, payload in packets[2 + columns : -1]]


def statements_held(cluster: Cluster, server: LocalServer) -> int:
    with direct(cluster, server) as connection:
        return int(run(connection, "SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'")[0][1])


def connection_ids(cluster: Cluster, server: LocalServer) -> list[int]:
    """The connections to the schema of this test."""
    with direct(cluster, server) as connection:
        return [row[0] for row in run(connection, "SHOW PROCESSLIST") if row[3] == SCHEMA]


def kill_connections(cluster: Cluster, server: LocalServer) -> None:
    with direct(cluster, server) as connection:
        for number in connection_ids(cluster, server):
            run(connection, f"KILL {number}")
    wait_until(lambda: not connection_ids(cluster, server), "the connections are gone")


# --- many of them -----------------------------------------------------------------------------------------------------


def test_a_client_can_prepare_ten_times_as_many_as_a_server_takes(
    shared_cluster: Cluster, shared_proxy: ProxyProcess
) -> None:
    with globally(shared_cluster, "max_prepared_stmt_count", MANY // 10), client(shared_cluster, shared_proxy) as raw:
        counters = Counters(shared_cluster, EXECUTIONS)
        numbers = [prepare(raw, f"SELECT value, {number} FROM item WHERE id = ?") for number in range(MANY)]
        locking = [prepare(raw, f"SELECT {number} FROM item WHERE id = ? FOR UPDATE") for number in range(MANY)]
        for _ in range(2):
            for number in numbers + locking:
                (row,) = rows(raw.command(execute(number, [integer(2)])))
                assert (row[:4] == b"\3two") is (number in numbers)
        difference = counters.difference()
        assert difference == {"dbwrite": 2 * MANY, "dbread1": MANY, "dbread2": MANY}
        assert all(statements_held(shared_cluster, server) <= MANY // 10 for server in shared_cluster.servers)
        raw.command(bytes((c.COM_RESET_CONNECTION,)))


def test_each_server_connection_keeps_a_limited_number(shared_cluster: Cluster) -> None:
    with (
        proxy_with(shared_cluster, "--statements-per-connection", "10") as proxy,
        client(shared_cluster, proxy) as raw,
    ):
        before = {server.name: statements_held(shared_cluster, server) for server in shared_cluster.servers}
        numbers = [prepare(raw, f"SELECT {number} FROM item WHERE id = ?") for number in range(40)]
        cursor = prepare(raw, "SELECT id FROM item WHERE id >= ?")
        raw.command(execute(cursor, [integer(0)], cursor=READ_ONLY_CURSOR))
        for number in numbers * 2:
            rows(raw.command(execute(number, [integer(2)])))
        fetch = statement_command(c.COM_STMT_FETCH, cursor, (9).to_bytes(4, "little"))
        assert len(raw.command(fetch, Reply.ROWS)) == 4
        for server in shared_cluster.servers:
            assert statements_held(shared_cluster, server) - before[server.name] == 10


def test_sessions_give_idle_statements_up_for_each_other(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    with (
        globally(shared_cluster, "max_prepared_stmt_count", 20),
        client(shared_cluster, shared_proxy) as idle,
        client(shared_cluster, shared_proxy) as busy,
    ):
        for_later = [prepare(idle, f"SELECT {number} FROM item WHERE id = ? FOR UPDATE") for number in range(20)]
        for number in range(20):
            locking = prepare(busy, f"SELECT {number} FROM item WHERE id = ? FOR UPDATE")
            rows(busy.command(execute(locking, [integer(1)])))
        for number in for_later:
            rows(idle.command(execute(number, [integer(1)])))


def test_statements_in_use_are_not_given_up(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    """The server's error reaches the client when there is nothing idle left to close."""
    with globally(shared_cluster, "max_prepared_stmt_count", 5), client(shared_cluster, shared_proxy) as raw:
        raw.query("BEGIN")
        cursors = []
        while True:
            packets = raw.command(bytes((c.COM_STMT_PREPARE,)) + b"SELECT id FROM item", Reply.PREPARED)
            if error := first_error(packets):
                break
            cursors.append(int.from_bytes(packets[0][1][1:5], "little"))
            raw.command(execute(cursors[-1], cursor=READ_ONLY_CURSOR))
        assert error.errno == TOO_MANY_STATEMENTS
        assert len(cursors) == 5
        for number in cursors:
            fetch = statement_command(c.COM_STMT_FETCH, number, (9).to_bytes(4, "little"))
            assert len(raw.command(fetch, Reply.ROWS)) == 4


# --- schemas and settings ---------------------------------------------------------------------------------------------


def test_statements_keep_the_schema_that_they_were_prepared_in(
    shared_cluster: Cluster, shared_proxy: ProxyProcess
) -> None:
    with client(shared_cluster, shared_proxy) as raw:
        number = prepare(raw, "SELECT DATABASE() FROM item WHERE id = ?")
        raw.query("USE information_schema")
        counters = Counters(shared_cluster, EXECUTIONS)
        for _ in range(10):
            assert rows(raw.command(execute(number, [integer(1)]))) == [bytes((len(SCHEMA),)) + SCHEMA.encode()]
            assert raw.query("SELECT DATABASE()")[3][1] == b"\x12information_schema"
        assert counters.difference()["dbwrite"] == 0


def test_more_statements_than_are_kept_survive_a_change_of_sql_mode(shared_cluster: Cluster) -> None:
    with (
        proxy_with(shared_cluster, "--statements-per-connection", "3") as proxy,
        client(shared_cluster, proxy) as raw,
    ):
        numbers = [prepare(raw, f"SELECT 'a' || {number} FROM item WHERE id = ?") for number in range(2, 9)]
        raw.query("SET sql_mode = 'PIPES_AS_CONCAT'")
        for number in numbers:
            (row,) = rows(raw.command(execute(number, [integer(1)])))
            # Logical OR, as it was when the statement was prepared.
            assert row[0] == 1
        concatenated = prepare(raw, "SELECT 'a' || 1 FROM item WHERE id = ?")
        assert rows(raw.command(execute(concatenated, [integer(1)]))) == [b"\2a1"]


# --- long data --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "on_primary"), [("1048576", 0), ("100000", 6), ("0", 6)])
def test_executions_with_long_data(shared_cluster: Cluster, limit: str, on_primary: int) -> None:
    pieces = (b"x" * 1000, b"y" * 70_000, b"", b"z" * 70_000)
    with proxy_with(shared_cluster, "--long-data-limit", limit) as proxy, client(shared_cluster, proxy) as raw:
        number = prepare(raw, "SELECT LENGTH(?) + id FROM item WHERE id <= ? ORDER BY id")
        counters = Counters(shared_cluster, EXECUTIONS)
        for _ in range(6):
            for piece in pieces:
                raw.send(statement_command(c.COM_STMT_SEND_LONG_DATA, number, b"\0\0" + piece))
            result = rows(raw.command(execute(number, [(VAR_STRING, b""), integer(2)])))
            assert [int.from_bytes(row[:4], "little") for row in result] == [141_001, 141_002]
        assert counters.difference()["dbwrite"] == on_primary


# --- lost connections -------------------------------------------------------------------------------------------------


def test_statements_survive_the_loss_of_an_idle_primary_connection(
    shared_cluster: Cluster, shared_proxy: ProxyProcess
) -> None:
    with client(shared_cluster, shared_proxy) as raw:
        read = prepare(raw, "SELECT value FROM item WHERE id = ?")
        locking = prepare(raw, "SELECT value FROM item WHERE id = ? FOR UPDATE")
        long = prepare(raw, "SELECT LENGTH(?) FROM item WHERE id = 1 FOR UPDATE")
        for _ in range(3):
            for number in (read, locking):
                assert rows(raw.command(execute(number, [integer(1)]))) == [b"\3one"]
                assert rows(raw.command(execute(number, [integer(2)], types=False))) == [b"\3two"]
            raw.send(statement_command(c.COM_STMT_SEND_LONG_DATA, long, b"\0\0abc"))
            for server in shared_cluster.servers:
                kill_connections(shared_cluster, server)
            (row,) = rows(raw.command(execute(long, [(VAR_STRING, b"")])))
            assert row[0] == 3


def test_a_cursor_that_is_lost_with_its_connection_is_a_clear_error(
    shared_cluster: Cluster, shared_proxy: ProxyProcess
) -> None:
    with client(shared_cluster, shared_proxy) as raw:
        numbers = [prepare(raw, "SELECT id FROM item"), prepare(raw, "SELECT id FROM item FOR UPDATE")]
        for number in numbers:
            fetch = statement_command(c.COM_STMT_FETCH, number, (1).to_bytes(4, "little"))
            raw.command(execute(number, cursor=READ_ONLY_CURSOR))
            assert len(raw.command(fetch, Reply.ROWS)) == 2
            for server in shared_cluster.servers:
                kill_connections(shared_cluster, server)
            error = first_error(raw.command(fetch, Reply.ROWS))
            assert error is not None
            assert error.errno == c.ER_STMT_HAS_NO_OPEN_CURSOR
            assert "lost" in error.message
            assert len(rows(raw.command(execute(number)))) == 3
