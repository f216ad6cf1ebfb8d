"""PyMySQL connections, to the proxy and to the servers themselves, and the servers' own counters."""

from typing import Any

import pymysql
from pymysql.connections import Connection

from replication.sandbox import Cluster, Flavor, LocalServer
from tests.support.proxies import ProxyProcess
from tests.support.waiting import wait_until

__all__ = ["READS", "WRITES", "Connection", "Counters", "connect", "direct", "own_writes", "run", "settle", "spreads"]

Rows = tuple[tuple[Any, ...], ...]

# Statements that change data, as the servers count them.
WRITES = ("Com_insert", "Com_update", "Com_delete", "Com_replace")
READS = ("Com_select",)


def connect(cluster: Cluster, proxy: ProxyProcess, **options: Any) -> Connection:
    """Log in through the proxy with the primary's credentials, in autocommit mode unless told otherwise."""
    return _connect(proxy.host, proxy.port, cluster, options)


def direct(cluster: Cluster, server: LocalServer, **options: Any) -> Connection:
    """Log in at a server itself; the replicas have the primary's credentials."""
    return _connect(server.host, server.port, cluster, options)


def _connect(host: str, port: int, cluster: Cluster, options: dict[str, Any]) -> Connection:
    primary = cluster.servers[0]
    defaults = {"user": primary.user, "password": primary.password, "autocommit": True}
    return pymysql.connect(host=host, port=port, **{**defaults, **options})


def run(connection: Connection, sql: str) -> Rows:
    """Run one statement; its rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return tuple(cursor.fetchall())


class Counters:
    """How many statements of some kinds each server has run since this was made, by the server's own count.

    The counters are read with SHOW, which none of the kinds counts.
    """

    def __init__(self, cluster: Cluster, names: tuple[str, ...]) -> None:
        self._cluster = cluster
        self._names = names
        self._before = self._read()

    def _read(self) -> dict[str, int]:
        return {server.name: self._sum(server) for server in self._cluster.servers}

    def _sum(self, server: LocalServer) -> int:
        with direct(self._cluster, server) as connection:
            rows = run(connection, "SHOW GLOBAL STATUS LIKE 'Com\\_%'")
        return sum(int(value) for name, value in rows if name in self._names)

    def difference(self) -> dict[str, int]:
        """The count of each server, by name."""
        return {name: count - self._before[name] for name, count in self._read().items()}


def spreads(cluster: Cluster, client: Connection, read: str) -> bool:
    """Whether `read` runs on both replicas, and not on the primary; whoever looks after the servers comes on top."""
    counters = Counters(cluster, READS)
    for _ in range(400):
        run(client, read)
    counts = counters.difference()
    return counts["dbread1"] >= 200 and counts["dbread2"] >= 200 and counts["dbwrite"] < 200


def settle(cluster: Cluster, client: Connection) -> None:
    """Wait until the proxy knows that the replicas have everything: then reads leave the primary."""

    def leaves_the_primary() -> bool:
        counters = Counters(cluster, READS)
        for _ in range(4):
            # A read of no table needs all that was written, as a transaction does.
            run(client, "SELECT 1")
        return all(counters.difference()[server.name] >= 2 for server in cluster.servers[1:])

    wait_until(leaves_the_primary, "reads go to both replicas")


def own_writes(cluster: Cluster, server: LocalServer) -> str:
    """The changes of its own that a replica has ever made, by its GTIDs: those that did not come from the primary."""
    with direct(cluster, server) as connection:
        if cluster.flavor is Flavor.MARIADB:
            own, (known,) = f"-{server.server_id}-", run(connection, "SELECT @@global.gtid_binlog_state")[0]
        else:
            own, known = run(connection, "SELECT @@server_uuid, @@global.gtid_executed")[0]
    return ",".join(part for part in str(known).replace("\n", "").split(",") if own in part)
