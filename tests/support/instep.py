"""Whether the replicas of a cluster have what its primary has, no more and no less, and if not, what it is."""

from typing import Any

import pymysql

from replication.sandbox import Cluster, Flavor, LocalServer
from tests.support.clients import direct, run

# Columns of SHOW REPLICA STATUS, under the names of both vendors.
_TOLD = (
    "Slave_IO_Running",
    "Slave_SQL_Running",
    "Replica_IO_Running",
    "Replica_SQL_Running",
    "Last_IO_Error",
    "Last_SQL_Error",
    "SQL_Delay",
    "Slave_SQL_Running_State",
    "Replica_SQL_Running_State",
)

_EXECUTED = "SELECT REPLACE(@@GLOBAL.gtid_executed, '\\n', '')"


def in_step(cluster: Cluster) -> bool:
    """Whether every replica has all that the primary has written, and no transaction of its own."""
    if cluster.flavor is Flavor.MARIADB:
        written = _value(cluster, cluster.servers[0], "SELECT @@gtid_binlog_pos")
        # Nothing is in a replica's own binary log before the first write behind its copy.
        told = [_value(cluster, replica, "SELECT @@gtid_slave_pos") for replica in cluster.servers[1:]]
        logged = [_value(cluster, replica, "SELECT @@gtid_binlog_pos") for replica in cluster.servers[1:]]
        return set(told) <= {written} and set(logged) <= {written, ""}
    return len({_value(cluster, server, _EXECUTED) for server in cluster.servers}) == 1


def condition(cluster: Cluster) -> str:
    """A line for what each replica says of its replication, and one for each thread there that is not idle."""
    return "\n".join(line for server in cluster.servers[1:] for line in _lines(cluster, server))


def _value(cluster: Cluster, server: LocalServer, sql: str) -> Any:
    with direct(cluster, server) as connection:
        return run(connection, sql)[0][0]


def _lines(cluster: Cluster, server: LocalServer) -> list[str]:
    ask = "SHOW SLAVE STATUS" if cluster.flavor is Flavor.MARIADB else "SHOW REPLICA STATUS"
    try:
        with (
            direct(cluster, server, cursorclass=pymysql.cursors.DictCursor) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(ask)
            statuses = cursor.fetchall()
            cursor.execute("SHOW FULL PROCESSLIST")
            threads = cursor.fetchall()
    except pymysql.MySQLError as error:
        return [f"{server.name}: {error}"]
    told = [f"{server.name}: { {key: status[key] for key in _TOLD if status.get(key)} }" for status in statuses]
    busy = [thread for thread in threads if thread["Command"] not in ("Sleep", "Daemon")]
    return [*told, *(f"{server.name}: {list(thread.values())}" for thread in busy)]
