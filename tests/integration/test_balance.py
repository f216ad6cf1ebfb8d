"""How reads are spread, and how replicas are taken out of use and put back."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pymysql
import pytest

from replication.sandbox import Cluster, Flavor
from tests.support.clients import Connection, connect, direct, run
from tests.support.clusters import replicating_cluster
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until

FAST = ("--probe-interval", "0.2", "--probe-timeout", "1", "--consistency", "eventual")


@pytest.fixture(scope="module", params=list(Flavor))
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with replicating_cluster(Flavor(request.param)) as cluster:
        yield cluster


@contextmanager
def proxied(cluster: Cluster, *arguments: str) -> Iterator[tuple[ProxyProcess, Connection]]:
    """A client whose user is an administrator of the proxy."""
    admin = ("--admin-users", cluster.servers[0].user)
    with running_proxy(cluster, *FAST, *admin, *arguments) as proxy, connect(cluster, proxy, autocommit=True) as client:
        yield proxy, client


def shown(client: Connection) -> dict[str, dict[str, Any]]:
    """SHOW PROXY SERVERS, by name."""
    with client.cursor(pymysql.cursors.DictCursor) as cursor:
        cursor.execute("SHOW PROXY SERVERS")
        return {row["server"]: row for row in cursor.fetchall()}


def spread(client: Connection, count: int) -> dict[str, int]:
    """So many reads, by server."""
    before = shown(client)
    for _ in range(count):
        run(client, "SELECT 1")
    after = shown(client)
    return {name: after[name]["reads"] - before[name]["reads"] for name in after}


def test_reads_follow_the_weights(cluster: Cluster) -> None:
    with proxied(cluster, "--weights", "dbread1=3") as (_, client):
        assert spread(client, 80) == {"dbwrite": 0, "dbread1": 60, "dbread2": 20}


def test_without_weights_all_get_the_same(cluster: Cluster) -> None:
    with proxied(cluster) as (_, client):
        assert spread(client, 80) == {"dbwrite": 0, "dbread1": 40, "dbread2": 40}


def test_a_drained_replica_ends_what_it_does_and_gets_no_more(cluster: Cluster) -> None:
    with proxied(cluster, "--slow-start", "0") as (proxy, client), connect(cluster, proxy, autocommit=True) as busy:
        results: list[object] = []
        read = "SELECT /* manyreads: replica=dbread1 */ SLEEP(2), 'whole'"
        thread = threading.Thread(target=lambda: results.append(run(busy, read)))
        thread.start()
        wait_until(lambda: shown_at_work(client, "dbread1"), "the read runs")
        run(client, "PROXY DRAIN SERVER dbread1")
        assert shown(client)["dbread1"]["state"] == "draining"
        assert spread(client, 10) == {"dbwrite": 0, "dbread1": 0, "dbread2": 10}
        thread.join()
        assert results == [((0, "whole"),)]
        run(client, "PROXY RESUME SERVER dbread1")
        assert spread(client, 10) == {"dbwrite": 0, "dbread1": 5, "dbread2": 5}
        proxy.wait_for_log("drained by command")


def shown_at_work(client: Connection, server: str) -> bool:
    return any(row[7] == server for row in run(client, "SHOW PROXY SESSIONS"))


def test_only_administrators_give_orders_and_only_about_replicas(cluster: Cluster) -> None:
    with direct(cluster, cluster.servers[0]) as primary:
        run(primary, "CREATE USER plain@'%' IDENTIFIED BY 'Plain-1234'")
    with (
        running_proxy(cluster, *FAST) as proxy,
        connect(cluster, proxy, user="plain", password="Plain-1234") as client,
        pytest.raises(pymysql.err.MySQLError, match="SUPER"),
    ):
        run(client, "PROXY DRAIN SERVER dbread1")
    with proxied(cluster) as (_, client):
        for name in ("dbwrite", "nobody"):
            with pytest.raises(pymysql.err.MySQLError, match="There is no replica"):
                run(client, f"PROXY DRAIN SERVER {name}")


def test_a_replica_that_comes_back_starts_slowly(cluster: Cluster) -> None:
    with proxied(cluster, "--slow-start", "8") as (_, client):
        run(client, "PROXY DRAIN SERVER dbread1")
        run(client, "PROXY RESUME SERVER dbread1")
        first = spread(client, 44)
        assert 0 < first["dbread1"] < 15
        began = time.monotonic()
        wait_until(lambda: spread(client, 20)["dbread1"] == 10, "it gets its whole share")
        assert time.monotonic() - began > 2


def test_reads_fall_back_to_the_primary_unless_they_never_may(cluster: Cluster) -> None:
    for setting, answered in (("fallback", True), ("never", False)):
        with ExitStack() as stack:
            _, client = stack.enter_context(proxied(cluster, "--primary-reads", setting))
            for name in ("dbread1", "dbread2"):
                run(client, f"PROXY DRAIN SERVER {name}")
            if answered:
                assert spread(client, 5) == {"dbwrite": 5, "dbread1": 0, "dbread2": 0}
                continue
            with pytest.raises(pymysql.err.MySQLError, match="No replica is fit for this read"):
                run(client, "SELECT 1")
            # What belongs on the primary runs there.
            assert run(client, "SELECT /* manyreads: primary */ 1") == ((1,),)
            run(client, "BEGIN")
            assert run(client, "SELECT 1") == ((1,),)
            run(client, "ROLLBACK")
            run(client, "PROXY RESUME SERVER dbread1")
            assert run(client, "SELECT 1") == ((1,),)


def test_a_late_replica_is_the_last_choice(cluster: Cluster) -> None:
    with (
        proxied(cluster, "--preferred-lag", "0.5", "--max-lag", "600") as (_, client),
        direct(cluster, cluster.server("dbread1")) as lock,
    ):
        run(client, "CREATE DATABASE IF NOT EXISTS late")
        run(lock, "FLUSH TABLES WITH READ LOCK")
        run(client, "DROP DATABASE late")
        wait_until(lambda: float(shown(client)["dbread1"]["lag"] or 0) > 0.5, "it is late")
        assert spread(client, 10) == {"dbwrite": 0, "dbread1": 0, "dbread2": 10}
        run(client, "PROXY DRAIN SERVER dbread2")
        assert spread(client, 10) == {"dbwrite": 0, "dbread1": 10, "dbread2": 0}
