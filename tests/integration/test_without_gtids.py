"""MySQL as it is without settings: no GTIDs, replicas follow by file and offset. Reads are fresh all the same."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count

import pytest

from replication.sandbox import Cluster, Flavor
from tests.support.clients import Connection, connect, direct, run
from tests.support.clusters import replicating_cluster
from tests.support.instep import in_step
from tests.support.lags import behind
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until

OPTIONS = {"replica_checkpoint_period": "10"}
READ = "SELECT COUNT(*) FROM plain.t"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with replicating_cluster(Flavor.MYSQL, 1, OPTIONS) as made, ExitStack() as stack:
        primary, replica = (stack.enter_context(direct(made, server)) for server in made.servers)
        wait_until(lambda: in_step(made), "they are in step")
        run(replica, "STOP REPLICA")
        ((file, offset, *_),) = run(primary, "SHOW BINARY LOG STATUS")
        place = f"SOURCE_AUTO_POSITION = 0, SOURCE_LOG_FILE = '{file}', SOURCE_LOG_POS = {offset}"
        run(replica, f"CHANGE REPLICATION SOURCE TO {place}")
        for mode in ("ON_PERMISSIVE", "OFF_PERMISSIVE", "OFF"):
            for connection in (primary, replica):
                run(connection, f"SET GLOBAL gtid_mode = {mode}")
        run(replica, "START REPLICA")
        yield made


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[ProxyProcess]:
    with running_proxy(cluster, "--freshness-wait", "5") as proxy:
        yield proxy


@pytest.fixture(scope="module")
def client(cluster: Cluster, proxy: ProxyProcess) -> Iterator[Connection]:
    with connect(cluster, proxy) as connection:
        run(connection, "CREATE DATABASE plain")
        run(connection, "CREATE TABLE plain.t (id INT PRIMARY KEY AUTO_INCREMENT)")
        wait_until(lambda: where(connection) == "dbread1", "the replica has the table", lambda: proxy.log)
        yield connection


def where(connection: Connection, hint: str = "") -> str:
    """The server that would answer."""
    facts: dict[str, str] = dict(run(connection, f"EXPLAIN ROUTE {READ} {hint}"))
    return facts["server"].split()[0]


def test_every_write_is_seen_and_most_reads_run_on_the_replica(client: Connection) -> None:
    places = []
    for number in range(1, 31):
        run(client, "INSERT INTO plain.t VALUES ()")
        assert run(client, READ) == ((number,),)
        places.append(where(client))
    assert places.count("dbread1") > 15


def test_a_replica_that_is_behind_gets_no_reads(client: Connection, cluster: Cluster, proxy: ProxyProcess) -> None:
    run(client, "INSERT INTO plain.t VALUES ()")
    ((before,),) = run(client, READ)
    wait_until(lambda: where(client) == "dbread1", "the replica has the row")
    with behind(cluster):
        run(client, "INSERT INTO plain.t VALUES ()")
        assert where(client) == "dbwrite"
        # A token of this log is waited for, by a session whose level waits for nothing.
        told: dict[str, str] = dict(run(client, "SHOW PROXY POSITION"))
        token = told["all"]
        assert "/" in token
        assert where(client, "/* manyreads: consistency=eventual */") == "dbread1"
        assert where(client, f"/* manyreads: consistency=eventual after={token} */") == "dbwrite"
    assert run(client, READ) == ((before + 1,),)
    wait_until(lambda: where(client) == "dbread1", "the replica caught up")
    assert "tells no position" not in proxy.log


def test_it_is_not_late_where_it_has_all(client: Connection, cluster: Cluster) -> None:
    """What nobody writes to for long does not make it late, and a new log neither."""
    with direct(cluster, cluster.servers[0]) as primary:
        run(primary, "FLUSH BINARY LOGS")
    numbers = count()

    def found() -> bool:
        run(client, f"INSERT INTO plain.t VALUES () /* {next(numbers)} */")
        rows = {row[0]: (row[3], float(row[5])) for row in run(client, "SHOW PROXY SERVERS") if row[2] == "replica"}
        return rows == {"dbread1": ("healthy", 0.0)}

    wait_until(found, "it is healthy, and not late")
