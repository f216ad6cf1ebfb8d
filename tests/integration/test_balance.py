"""How reads are spread, and how replicas are taken out of use and put back."""

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest

from replication.sandbox import Cluster, Flavor
from tests.support.clients import Connection, connect, direct, run
from tests.support.clusters import replicating_cluster
from tests.support.load import reading
from tests.support.proxies import ProxyProcess, running_proxy, started_proxy
from tests.support.relay import relaying
from tests.support.waiting import wait_until

# In seconds, of one of two replicas.
LATE = 0.05
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
    with proxied(cluster, "--weights", "dbread1=3,dbread7=2") as (proxy, client):
        assert spread(client, 80) == {"dbwrite": 0, "dbread1": 60, "dbread2": 20}
        weights = {name: (row["weight"], row["share"]) for name, row in shown(client).items()}
        assert weights == {"dbwrite": (None, None), "dbread1": (3, "100%"), "dbread2": (1, "100%")}
        proxy.wait_for_log("weights names the replica 'dbread7', which there is not")


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
        drained = shown(client)["dbread1"]
        assert (drained["state"], drained["weight"], drained["share"]) == ("draining", 1, None)
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
    with proxied(cluster, "--slow-start", "3600") as (_, client):
        come_back(client)
        assert int(shown(client)["dbread1"]["share"].rstrip("%")) < 100
        assert 0 < spread(client, 44)["dbread1"] < 15
    with proxied(cluster, "--slow-start", "2") as (_, client):
        come_back(client)
        wait_until(lambda: spread(client, 20)["dbread1"] == 10, "it gets its whole share")


def come_back(client: Connection) -> None:
    run(client, "PROXY DRAIN SERVER dbread1")
    run(client, "PROXY RESUME SERVER dbread1")


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


@contextmanager
def one_late(cluster: Cluster, directory: Path, method: str) -> Iterator[tuple[ProxyProcess, Path]]:
    """A proxy with two replicas, of which dbread1 answers late, and the file of its settings."""
    primary, near = cluster.servers[0], cluster.server("dbread2")
    login = f"{primary.user}:{primary.password}"
    with relaying(cluster.server("dbread1").port, LATE) as relay:
        urls = [f"mysql://{login}@{primary.host}:{port}" for port in (primary.port, relay.port, near.port)]
        file = directory / "manyreads.toml"
        file.write_text(f'writer = "{urls[0]}"\nreaders = ["{urls[1]}", "{urls[2]}"]\nbalance = "{method}"\n')
        with started_proxy("--config", str(file), "--consistency", "eventual") as proxy:
            proxy.wait_for_log("serving on")
            proxy.wait_for_log("-> healthy", 3)
            yield proxy, file


def reads_at_once(cluster: Cluster, proxy: ProxyProcess, client: Connection) -> dict[str, int]:
    """What each replica has of the reads of some clients."""
    before = shown(client)
    with reading(cluster, proxy, "SELECT 1", 1) as load:
        load.wait_for_progress(100)
    after = shown(client)
    return {name: after[name]["reads"] - before[name]["reads"] for name in ("dbread1", "dbread2")}


def chosen_by(client: Connection) -> str:
    """How EXPLAIN ROUTE says that a replica is chosen."""
    return next(str(value) for item, value in run(client, "EXPLAIN ROUTE SELECT 1") if item == "balance")


@pytest.mark.parametrize("method", ["latency", "least-outstanding"])
def test_a_late_answering_replica_gets_fewer_reads(cluster: Cluster, tmp_path: Path, method: str) -> None:
    with one_late(cluster, tmp_path, method) as (proxy, file), connect(cluster, proxy) as client:
        reads = reads_at_once(cluster, proxy, client)
        assert 0 < reads["dbread1"] < reads["dbread2"] / (4 if method == "latency" else 1.5)
        explained = chosen_by(client)
        assert re.fullmatch(rf"{method}: dbread1 .* at work; dbread2 .* at work", explained)
        if method == "latency":
            late, near = (float(found) for found in re.findall(r"([\d.]+) ms", explained))
            assert late > near
        file.write_text(file.read_text().replace(f'"{method}"', '"round-robin"\nweights = ["dbread8=2"]'))
        proxy.wait_for_log("balance:")
        proxy.wait_for_log("weights names the replica 'dbread8', which there is not")
        assert chosen_by(client).startswith("round-robin: dbread1 1 of 2 turns")
        before = shown(client)
        for _ in range(40):
            run(client, "SELECT 1")
        after = shown(client)
        assert after["dbread1"]["reads"] - before["dbread1"]["reads"] == 20
