"""A replica that answers its probes, but breaks under the reads that it gets."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymysql

from replication.sandbox import Cluster
from tests.support.clients import Connection, connect, run
from tests.support.proxies import ProxyProcess, started_proxy
from tests.support.relay import Relay, relaying
from tests.support.waiting import wait_until

READ = "SELECT /* manyreads: replica=dbread1 */ SLEEP(0.5), 1"


@contextmanager
def proxied(cluster: Cluster) -> Iterator[tuple[ProxyProcess, Relay]]:
    primary, replica, other = cluster.servers
    login = f"mysql://{primary.user}:{primary.password}@{primary.host}"
    with relaying(replica.port) as relay:
        ports = (primary.port, relay.port, other.port)
        servers = [word for port, flag in zip(ports, ("writer", "reader", "reader"), strict=True)
                   for word in (f"--{flag}", f"{login}:{port}")]  # fmt: skip
        with started_proxy(*servers, "--consistency", "eventual", "--slow-start", "0") as proxy:
            proxy.wait_for_log("serving on")
            proxy.wait_for_log("-> healthy", 3)
            yield proxy, relay


def shown(client: Connection, name: str) -> dict[str, Any]:
    with client.cursor(pymysql.cursors.DictCursor) as cursor:
        cursor.execute(f"SHOW PROXY SERVERS LIKE '{name}'")
        return dict(cursor.fetchall()[0])


def break_once(cluster: Cluster, proxy: ProxyProcess, relay: Relay, client: Connection) -> None:
    """While a read runs there; its client notices nothing."""
    with connect(cluster, proxy) as reader:
        results: list[object] = []
        thread = threading.Thread(target=lambda: results.append(run(reader, READ)))
        thread.start()
        wait_until(
            lambda: any(row[7] == "dbread1" for row in run(client, "SHOW PROXY SESSIONS")), "the read runs there"
        )
        relay.switch(cluster.servers[1].port)
        thread.join()
        assert results == [((0, 1),)]


def test_a_replica_that_breaks_whenever_it_is_used_is_used_less(shared_cluster: Cluster) -> None:
    with proxied(shared_cluster) as (proxy, relay), connect(shared_cluster, proxy) as client:
        for _ in range(3):
            wait_until(lambda: shown(client, "dbread1")["state"] == "healthy", "it is used")
            break_once(shared_cluster, proxy, relay, client)
        open_ = shown(client, "dbread1")
        assert (open_["state"], "broke 3 times in a row: no reads for" in open_["reason"]) == ("down", True), open_
        wait_until(lambda: shown(client, "dbread1")["state"] == "healthy", "it is tried")
        assert shown(client, "dbread1")["reason"] == "broke 3 times in a row: on trial with few reads"
        before = shown(client, "dbread1")["reads"]
        for _ in range(22):
            run(client, "SELECT 1")
        assert shown(client, "dbread1")["reads"] - before < 11
        wait_until(lambda: shown(client, "dbread1")["reason"] is None, "it is used as before")
