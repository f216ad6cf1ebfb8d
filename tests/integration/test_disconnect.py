"""Clients that go away while a statement runs, and servers that close connections by themselves."""

import socket
import struct
from collections.abc import Iterator

import pytest

from replication.sandbox import Cluster
from tests.support.clients import connect, direct, run, settle
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until
from tests.support.wireclient import Login, WireClient, query

SCHEMA = "disconnect_test"


@pytest.fixture(scope="module", autouse=True)
def schema(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[None]:
    with connect(shared_cluster, shared_proxy) as connection:
        run(connection, f"DROP DATABASE IF EXISTS {SCHEMA}")
        run(connection, f"CREATE DATABASE {SCHEMA}")
        run(connection, f"CREATE TABLE {SCHEMA}.item (id INT PRIMARY KEY)")
        run(connection, f"INSERT INTO {SCHEMA}.item VALUES (1)")
        settle(shared_cluster, connection)
        yield
        run(connection, f"DROP DATABASE {SCHEMA}")


def client(cluster: Cluster, proxy: ProxyProcess) -> WireClient:
    primary = cluster.servers[0]
    return WireClient(proxy.host, proxy.port).log_in(Login(primary.user, primary.password, SCHEMA))


def running(cluster: Cluster, text: str) -> list[str]:
    """The names of the servers that run a statement with `text` in it."""
    found = []
    for server in cluster.servers:
        with direct(cluster, server) as connection:
            rows = run(connection, "SHOW FULL PROCESSLIST")
            found += [server.name for row in rows if text in str(row[7])]
    return found


def leave(raw: WireClient, how: str) -> None:
    if how == "reset":
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.socket.close()


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize(
    ("before", "text", "mark", "on_primary"),
    [
        ("SELECT 1", "SELECT SLEEP(71)", "SLEEP(71)", False),
        ("SELECT 1", "DO SLEEP(72)", "SLEEP(72)", True),
        ("BEGIN", "UPDATE item SET id = 1 WHERE SLEEP(73) = 0", "SLEEP(73)", True),
        ("SELECT 1", "SELECT SLEEP(74); SELECT 2", "SLEEP(74)", False),
    ],
    ids=["replica", "primary", "transaction", "several"],
)
def test_the_statement_of_a_client_that_is_gone_is_killed(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, before: str, text: str, mark: str, on_primary: bool, how: str
) -> None:
    with client(shared_cluster, shared_proxy) as raw, connect(shared_cluster, shared_proxy) as other:
        # What the test before has written is not waited for too long.
        settle(shared_cluster, other)
        raw.query(before)
        raw.send(query(text))
        wait_until(lambda: bool(running(shared_cluster, mark)), "the statement runs")
        assert (running(shared_cluster, mark) == ["dbwrite"]) is on_primary
        leave(raw, how)
        wait_until(lambda: not running(shared_cluster, mark), "the statement has ended")
    with connect(shared_cluster, shared_proxy, database=SCHEMA) as other:
        # No lock is left behind either.
        run(other, "DELETE FROM item WHERE id = 2")


def test_a_client_that_stops_reading_and_goes_leaves_no_statement(
    shared_cluster: Cluster, shared_proxy: ProxyProcess
) -> None:
    text = "SELECT REPEAT('x', 1000000), SLEEP(0.0001) FROM mysql.help_topic a, mysql.help_topic b"
    with client(shared_cluster, shared_proxy) as raw:
        raw.send(query(text))
        raw.packet()
        wait_until(lambda: bool(running(shared_cluster, text)), "the statement runs")
        leave(raw, "reset")
        wait_until(lambda: not running(shared_cluster, text), "the statement has ended")


def test_a_statement_may_be_let_run_on(shared_cluster: Cluster) -> None:
    text = "INSERT INTO item SELECT 1000 + SLEEP(3)"
    with (
        running_proxy(shared_cluster, "--no-kill-on-disconnect") as proxy,
        client(shared_cluster, proxy) as raw,
    ):
        raw.send(query(text))
        wait_until(lambda: bool(running(shared_cluster, text)), "the statement runs")
        leave(raw, "close")
        with direct(shared_cluster, shared_cluster.servers[0], database=SCHEMA) as connection:
            wait_until(lambda: run(connection, "SELECT id FROM item WHERE id = 1000") != (), "the row is there")
            run(connection, "DELETE FROM item WHERE id = 1000")


# --- servers that close connections -----------------------------------------------------------------------------------


def until_closed(raw: WireClient) -> list[object]:
    """What a client receives without asking, until its connection is closed."""
    received: list[object] = []
    try:
        while True:
            received.append(raw.packet())
    except ConnectionError:
        return [*received, "closed"]


@pytest.mark.parametrize("state", ["BEGIN", "CREATE TEMPORARY TABLE temporary (id INT)"])
def test_a_session_that_idles_too_long_hears_what_the_server_says(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, state: str
) -> None:
    primary = shared_cluster.servers[0]
    received = []
    for host, port in ((primary.host, primary.port), (shared_proxy.host, shared_proxy.port)):
        with WireClient(host, port) as raw:
            raw.log_in(Login(primary.user, primary.password, SCHEMA))
            raw.query(state)
            raw.query("SELECT * FROM item FOR UPDATE")
            raw.query("SET SESSION wait_timeout = 1")
            received.append(until_closed(raw))
    assert received[0] == received[1]


def test_a_session_without_state_does_not_notice_that_its_connections_idled_too_long(
    shared_cluster: Cluster, session_proxy: ProxyProcess
) -> None:
    others = connections(shared_cluster)
    with client(shared_cluster, session_proxy) as raw:
        raw.query("SET SESSION wait_timeout = 1")
        for _ in range(2):
            for _ in range(4):
                assert raw.query("SELECT id FROM item WHERE id = 1")[-2][1] == b"\x011"
            wait_until(lambda: not connections(shared_cluster) - others, "the servers have closed the connections")
            assert raw.query("SELECT id FROM item WHERE id = 1 FOR UPDATE")[-2][1] == b"\x011"


def connections(cluster: Cluster) -> set[tuple[str, int]]:
    """Those of clients of these tests, by server and thread."""
    found = set()
    for server in cluster.servers:
        with direct(cluster, server) as connection:
            found |= {(server.name, row[0]) for row in run(connection, "SHOW PROCESSLIST") if row[3] == SCHEMA}
    return found
