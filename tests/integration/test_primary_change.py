"""Another server becomes the primary, and the proxy is not told. The tests of one vendor share servers, in order."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pymysql
import pytest

from replication.handover import Options, hand_over
from replication.sandbox import Cluster, Flavor
from tests.support.clients import Connection, connect, direct, run
from tests.support.clusters import replicating_cluster
from tests.support.proxies import ProxyProcess, running_proxy, started_proxy
from tests.support.relay import Relay, relaying
from tests.support.waiting import wait_until
from topology.environment import Deployment, deployment, read_environment
from topology.servers import Role

NO_MORE = {
    Flavor.MARIADB: ("STOP SLAVE", "RESET SLAVE ALL"),
    Flavor.MYSQL: ("STOP REPLICA", "RESET REPLICA ALL"),
}
WRITABLE = {
    Flavor.MARIADB: ("SET GLOBAL read_only = 0",),
    Flavor.MYSQL: ("SET GLOBAL super_read_only = 0", "SET GLOBAL read_only = 0"),
}


@pytest.fixture(scope="module", params=list(Flavor))
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with replicating_cluster(Flavor(request.param)) as made:
        on(made, "dbwrite", "CREATE DATABASE app", "CREATE TABLE app.t (id INT PRIMARY KEY) ENGINE = InnoDB")
        yield made


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[ProxyProcess]:
    with running_proxy(cluster) as proxy:
        yield proxy


def on(cluster: Cluster, name: str, *statements: str) -> None:
    with direct(cluster, cluster.server(name)) as connection:
        for statement in statements:
            run(connection, statement)


def primary_of(cluster: Cluster, proxy: ProxyProcess) -> str:
    """Who the proxy says has the place."""
    with connect(cluster, proxy) as client:
        return " ".join(row[0] for row in run(client, "SHOW PROXY SERVERS") if row[2] == "primary")


def states(cluster: Cluster, proxy: ProxyProcess) -> dict[str, str]:
    with connect(cluster, proxy) as client:
        return {row[0]: row[3] for row in run(client, "SHOW PROXY SERVERS")}


def change(cluster: Cluster, old: str, new: str) -> None:
    """What `python -m replication.switchover` does."""
    found = {server.name: server for server in deployment(read_environment({}, cluster.environment_file)).servers}
    first = replace(found.pop(old), role=Role.PRIMARY)
    others = tuple(replace(server, role=Role.REPLICA) for server in found.values())
    result = asyncio.run(hand_over(Deployment(first, others), Options(to=new, drain=1)))
    assert result.exit_code == 0


class Writer(threading.Thread):
    """Inserts one row after the other, and keeps the errors."""

    def __init__(self, open_: Callable[[], Connection], first: int) -> None:
        super().__init__(daemon=True)
        self._open = open_
        self._number = first
        self._over = threading.Event()
        self.written: list[int] = []
        self.errors: list[pymysql.MySQLError] = []

    def run(self) -> None:
        client = self._open()
        while not self._over.is_set():
            self._number += 1
            try:
                run(client, f"INSERT INTO app.t VALUES ({self._number})")
                self.written.append(self._number)
            except pymysql.MySQLError as error:
                self.errors.append(error)
                client = self._open()
        client.close()

    def stop(self) -> None:
        self._over.set()
        self.join(60)
        assert not self.is_alive()


def test_the_primary_moves_to_another_server(cluster: Cluster, proxy: ProxyProcess) -> None:
    with (
        connect(cluster, proxy) as idle,
        connect(cluster, proxy, autocommit=False) as between,
        connect(cluster, proxy) as within,
        running_proxy(cluster, "--transaction-replay", "--primary-wait", "60") as replaying,
        connect(cluster, replaying, autocommit=False) as replayed,
    ):
        run(replayed, "INSERT INTO app.t VALUES (9)")
        run(idle, "SET sql_mode = 'ANSI_QUOTES'")
        run(idle, "SET @name = 'kept'")
        run(between, "INSERT INTO app.t VALUES (1)")
        between.commit()
        run(within, "BEGIN")
        run(within, "INSERT INTO app.t VALUES (4)")
        writer = Writer(lambda: connect(cluster, proxy), 1000)
        writer.start()
        wait_until(lambda: len(writer.written) > 20, "something was written")
        change(cluster, "dbwrite", "dbread1")
        wait_until(lambda: primary_of(cluster, proxy) == "dbread1", "the proxy follows", lambda: proxy.log)
        before = len(writer.written)
        wait_until(lambda: len(writer.written) > before + 20, "writing goes on", lambda: proxy.log)
        writer.stop()
        port = cluster.server("dbread1").port
        assert run(idle, 'SELECT "id" FROM app.t WHERE 1 = 0') == ()
        run(idle, "INSERT INTO app.t VALUES (2)")
        assert run(idle, "SELECT @name, @@port, SLEEP(0)") == (("kept", port, 0),)
        run(between, "INSERT INTO app.t VALUES (3)")
        between.commit()
        with pytest.raises(pymysql.MySQLError):
            run(within, "COMMIT")
        wait_until(lambda: primary_of(cluster, replaying) == "dbread1", "the other one follows", lambda: replaying.log)
        assert run(replayed, "SELECT @@port, COUNT(*) FROM app.t WHERE id = 9") == ((port, 1),)
        replayed.commit()
        with connect(cluster, proxy) as client:
            found = {row[0] for row in run(client, "SELECT id FROM app.t")}
        assert {1, 2, 3, 9, *writer.written} <= found
        assert 4 not in found
    # Without being told, only what the old primary was asked while it closed may fail: how often it was, nobody knows.
    assert {error.args[0] for error in writer.errors} <= {2013, 1290, 1836}, writer.errors
    wait_until(lambda: set(states(cluster, proxy).values()) == {"healthy"}, "all are healthy", lambda: proxy.log)


def test_accounts_are_those_of_the_new_primary(cluster: Cluster, proxy: ProxyProcess) -> None:
    on(cluster, "dbread1", "CREATE USER late@'%' IDENTIFIED BY 'Late-1234'", "GRANT ALL ON app.* TO late@'%'")
    with connect(cluster, proxy, user="late", password="Late-1234") as client:
        run(client, "INSERT INTO app.t VALUES (5)")
        assert run(client, "SELECT id FROM app.t WHERE id = 5") == ((5,),)


def test_a_proxy_that_starts_later_finds_the_primary(cluster: Cluster) -> None:
    with running_proxy(cluster) as later, connect(cluster, later) as client:
        run(client, "INSERT INTO app.t VALUES (6)")
        assert primary_of(cluster, later) == "dbread1"


def test_two_primaries_get_no_writes(cluster: Cluster, proxy: ProxyProcess) -> None:
    flavor = cluster.flavor
    with connect(cluster, proxy) as client, connect(cluster, proxy) as within:
        run(within, "BEGIN")
        run(within, "INSERT INTO app.t VALUES (7)")
        on(cluster, "dbwrite", *NO_MORE[flavor], *WRITABLE[flavor])
        proxy.wait_for_log("split brain")
        with pytest.raises(pymysql.MySQLError, match=r"dbwrite.* and dbread1.* accept writes"):
            run(client, "INSERT INTO app.t VALUES (8)")
        with pytest.raises(pymysql.MySQLError, match="accept writes"):
            run(within, "COMMIT")
        run(within, "ROLLBACK")
        assert run(client, "SELECT id FROM app.t WHERE id IN (7, 8)") == ()
        found = states(cluster, proxy)
        assert (found["dbwrite"], found["dbread1"]) == ("split", "split")
        on(cluster, "dbwrite", "SET GLOBAL read_only = 1")
        proxy.wait_for_log("only one server accepts writes again")
        run(client, "INSERT INTO app.t VALUES (8)")
        assert primary_of(cluster, proxy) == "dbread1"


def test_a_configured_tie_break(cluster: Cluster) -> None:
    flavor = cluster.flavor
    on(cluster, "dbwrite", *WRITABLE[flavor])
    try:
        tie = ("--on-two-primaries", "configured")
        with started_proxy("--environment", str(cluster.environment_file), *tie) as later:
            later.wait_for_log("split brain")
            with connect(cluster, later) as client:
                run(client, "CREATE TABLE app.tie (id INT)")
                assert run(client, "SELECT @@port, SLEEP(0)") == ((cluster.server("dbwrite").port, 0),)
                run(client, "DROP TABLE app.tie")
    finally:
        on(cluster, "dbwrite", "SET GLOBAL read_only = 1")


@contextlib.contextmanager
def behind_a_relay(cluster: Cluster, primary: str, reader: str) -> Iterator[tuple[ProxyProcess, Relay]]:
    def url(port: int) -> str:
        server = cluster.servers[0]
        return f"mysql://{server.user}:{server.password}@127.0.0.1:{port}"

    with (
        relaying(cluster.server(primary).port) as relay,
        started_proxy(
            *("--writer", url(relay.port), "--reader", url(cluster.server(reader).port), "--transaction-replay")
        ) as proxy,
    ):
        proxy.wait_for_log("serving on")
        yield proxy, relay


@pytest.mark.parametrize("breaking", [True, False])
def test_another_server_at_the_same_address(cluster: Cluster, breaking: bool) -> None:
    old, new = ("dbread1", "dbread2") if breaking else ("dbread2", "dbread1")
    other = "dbread2" if breaking else "dbread1"
    with (
        behind_a_relay(cluster, old, other) as (proxy, relay),
        connect(cluster, proxy) as client,
        connect(cluster, proxy, autocommit=False) as within,
    ):
        run(within, f"INSERT INTO app.t VALUES ({200 + breaking})")
        run(client, "SET @name = 'kept'")
        assert run(client, "SELECT @@port, SLEEP(0)") == ((cluster.server(old).port, 0),)
        flavor = cluster.flavor
        on(cluster, old, "SET GLOBAL read_only = 1")
        on(cluster, new, *NO_MORE[flavor], *WRITABLE[flavor])
        relay.switch(cluster.server(new).port, breaking=breaking)
        proxy.wait_for_log("another server answers as dbwrite")
        run(client, f"INSERT INTO app.t VALUES ({100 + breaking})")
        assert run(client, "SELECT @name, @@port, SLEEP(0)") == (("kept", cluster.server(new).port, 0),)
        assert run(client, f"SELECT id FROM app.t WHERE id = {100 + breaking}")
        within.commit()
        assert run(client, f"SELECT id FROM app.t WHERE id = {200 + breaking}")
