"""The states that a replica goes through, and that reads keep away from one that is not healthy."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest

from replication.sandbox import Cluster, Flavor, LocalServer
from tests.support.clients import Connection, connect, direct, run
from tests.support.clusters import replicating_cluster
from tests.support.lags import behind
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until

FAST = ("--probe-interval", "0.2", "--probe-timeout", "1", "--max-lag", "1")


@pytest.fixture(scope="module", params=list(Flavor))
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Servers of these tests' own. Each test puts right what it did to them."""
    with replicating_cluster(Flavor(request.param)) as cluster:
        yield cluster


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[ProxyProcess]:
    with running_proxy(cluster, *FAST) as proxy:
        yield proxy


@pytest.fixture
def client(cluster: Cluster, proxy: ProxyProcess) -> Iterator[Connection]:
    with connect(cluster, proxy, autocommit=True) as connection:
        run(connection, "CREATE DATABASE IF NOT EXISTS health_test")
        run(connection, "CREATE TABLE IF NOT EXISTS health_test.item (id INT PRIMARY KEY)")
        yield connection


def shown(client: Connection, server: str) -> dict[str, Any]:
    """The server's row of SHOW PROXY SERVERS."""
    with client.cursor() as cursor:
        cursor.execute(f"SHOW PROXY SERVERS LIKE '{server}'")
        return dict(zip([each[0] for each in cursor.description], cursor.fetchall()[0], strict=True))


def wait_for(client: Connection, proxy: ProxyProcess, server: str, state: str, reason: str = "") -> None:
    def there() -> bool:
        row = shown(client, server)
        return bool(row["state"] == state and reason in (row["reason"] or ""))

    wait_until(there, f"{server} is {state} ({reason})", lambda: f"{shown(client, server)}\n{proxy.log}")


def changes(proxy: ProxyProcess, server: str) -> list[str]:
    """The states that the log tells of, in their order."""
    lines = [line for line in proxy.log.splitlines() if f"monitor: {server} (" in line and " -> " in line]
    return [line.split(" -> ")[1].split(" ")[0] for line in lines]


def verb(cluster: Cluster, word: str) -> str:
    return f"{word} {'SLAVE' if cluster.flavor is Flavor.MARIADB else 'REPLICA'}"


def at_work(cluster: Cluster, server: str, text: str) -> bool:
    """Whether `server` runs the statement."""
    with direct(cluster, cluster.server(server)) as connection:
        return any(row[7] == text for row in run(connection, "SHOW FULL PROCESSLIST"))


def test_a_replica_that_falls_behind_comes_back(cluster: Cluster, proxy: ProxyProcess, client: Connection) -> None:
    """What runs there when it falls behind runs on."""
    # Whether the replica has the table of just now is not asked.
    read = "SELECT SLEEP(3600) /* manyreads: replica=dbread1 consistency=eventual */"
    with connect(cluster, proxy, autocommit=True) as reader, ThreadPoolExecutor(1) as threads:
        wait_for(client, proxy, "dbread1", "healthy")
        reading = threads.submit(run, reader, read)
        try:
            wait_until(lambda: at_work(cluster, "dbread1", read), "a read runs there", lambda: proxy.log)
            with behind(cluster, "dbread1"):
                run(client, "REPLACE INTO health_test.item VALUES (1)")
                wait_for(client, proxy, "dbread1", "lagging", "s behind, 1 s are allowed")
                # Shown rounded.
                assert float(shown(client, "dbread1")["lag"]) >= 1
                assert at_work(cluster, "dbread1", read)
            wait_for(client, proxy, "dbread1", "healthy")
            assert at_work(cluster, "dbread1", read)
        finally:
            run(client, f"KILL QUERY {reader.thread_id()}")
            wait([reading])
    states = changes(proxy, "dbread1")
    assert states[:2] == ["healthy", "lagging"]
    assert states[-2:] == ["catching-up", "healthy"]
    assert shown(client, "dbread2")["state"] == "healthy"
    assert changes(proxy, "dbread2") == ["healthy"]


def test_an_idle_primary_makes_nobody_late(proxy: ProxyProcess, client: Connection) -> None:
    run(client, "REPLACE INTO health_test.item VALUES (2)")
    wait_until(lambda: shown(client, "dbread1")["lag"] == "0", "it has everything")
    assert changes(proxy, "dbread1") == ["healthy"]


def test_a_stopped_applier_is_named(cluster: Cluster, proxy: ProxyProcess, client: Connection) -> None:
    with direct(cluster, cluster.server("dbread1")) as control:
        run(control, f"{verb(cluster, 'STOP')} SQL_THREAD")
        try:
            wait_for(client, proxy, "dbread1", "broken", "the replication applier does not run")
        finally:
            run(control, verb(cluster, "START"))
    wait_for(client, proxy, "dbread1", "healthy")


def test_a_replica_with_transactions_of_its_own_is_not_used(
    cluster: Cluster, proxy: ProxyProcess, client: Connection
) -> None:
    replica = cluster.server("dbread2")
    with direct(cluster, replica) as control:
        if cluster.flavor is Flavor.MYSQL:
            run(control, "SET GLOBAL super_read_only = 0")
        run(control, "CREATE DATABASE astray")
        wait_for(client, proxy, "dbread2", "ahead", "has transactions that the primary lacks: ")
        surplus = str(shown(client, "dbread2")["reason"]).partition("lacks: ")[2].partition(" (")[0]
        # That the primary goes on changes nothing.
        for number in range(10, 15):
            run(client, f"REPLACE INTO health_test.item VALUES ({number})")
        run(control, "DO SLEEP(1)")
        assert shown(client, "dbread2")["state"] == "ahead"
        reads = shown(client, "dbread2")["reads"]
        for _ in range(20):
            run(client, "SELECT * FROM health_test.item")
        assert shown(client, "dbread2")["reads"] == reads
        make_good(cluster, control, surplus)
    wait_for(client, proxy, "dbread2", "healthy")
    assert changes(proxy, "dbread2")[1] == "ahead"


def make_good(cluster: Cluster, control: Connection, surplus: str) -> None:
    """Undo what was written on the replica, and have its transactions forgotten, or known to the primary."""
    run(control, "SET sql_log_bin = 0")
    run(control, "DROP DATABASE astray")
    if cluster.flavor is Flavor.MARIADB:
        run(control, "RESET MASTER")
        # With gtid_strict_mode it has stopped at the primary's next transaction.
        run(control, "STOP SLAVE")
        run(control, "START SLAVE")
        return
    run(control, "SET GLOBAL super_read_only = 1")
    with direct(cluster, cluster.servers[0]) as primary:
        run(primary, f"SET gtid_next = '{surplus}'")
        run(primary, "COMMIT")
        run(primary, "SET gtid_next = AUTOMATIC")


def test_a_replica_of_another_server_is_foreign(cluster: Cluster, proxy: ProxyProcess, client: Connection) -> None:
    primary, other, replica = cluster.servers[0], cluster.server("dbread1"), cluster.server("dbread2")
    with direct(cluster, replica) as control:
        try:
            follow(cluster, control, other)
            wait_for(client, proxy, "dbread2", "foreign", "follows another server")
        finally:
            follow(cluster, control, primary)
    wait_for(client, proxy, "dbread2", "healthy")


def follow(cluster: Cluster, control: Connection, source: LocalServer) -> None:
    run(control, verb(cluster, "STOP"))
    if cluster.flavor is Flavor.MARIADB:
        run(control, f"CHANGE MASTER TO MASTER_HOST = '{source.host}', MASTER_PORT = {source.port}")
    else:
        run(control, f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{source.host}', SOURCE_PORT = {source.port}")
    run(control, verb(cluster, "START"))


def test_a_replica_that_takes_writes_is_used_and_named(
    cluster: Cluster, proxy: ProxyProcess, client: Connection
) -> None:
    with direct(cluster, cluster.server("dbread1")) as control:
        if cluster.flavor is Flavor.MYSQL:
            run(control, "SET GLOBAL super_read_only = 0")
        run(control, "SET GLOBAL read_only = 0")
        try:
            wait_for(client, proxy, "dbread1", "healthy", "read_only is off")
            proxy.wait_for_log("stays healthy, takes writes from others than its source: read_only is off")
        finally:
            run(control, "SET GLOBAL read_only = 1")
            if cluster.flavor is Flavor.MYSQL:
                run(control, "SET GLOBAL super_read_only = 1")
    wait_until(lambda: shown(client, "dbread1")["reason"] is None, "it is as it should be")


def test_a_failed_connect_is_looked_into_at_once(cluster: Cluster) -> None:
    """Long before the next probe is due."""
    replica = cluster.server("dbread1")
    with (
        running_proxy(cluster, "--probe-interval", "600", "--consistency", "eventual") as proxy,
        connect(cluster, proxy, autocommit=True) as client,
    ):
        replica.kill()
        try:
            for _ in range(4):
                run(client, "SELECT 1")
            assert changes(proxy, "dbread1") == ["healthy", "down"]
            wait_until(lambda: "cannot reach" in str(shown(client, "dbread1")["reason"]), "it was probed")
        finally:
            replica.start()
