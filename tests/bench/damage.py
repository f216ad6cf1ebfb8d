"""`python -m tests.bench.damage`: plant damage in a large table of a replica under load; how it is found and mended."""

import asyncio
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console

from replication.sandbox import Cluster, Flavor
from replication.setup import Options
from replication.verification import Comparison, verify
from replication.verification import Options as VerifyOptions
from tests.bench.__main__ import Choice
from tests.bench.copying import connect, fill, startsync
from tests.bench.stalls import writes_while
from tests.support.clusters import blank_cluster
from topology.environment import Deployment, deployment, read_environment
from topology.gtid import missing

_DAMAGE = (
    "DELETE FROM sbtest.sbtest1 WHERE id = 20001",
    "INSERT INTO sbtest.sbtest1 (id, k) VALUES (2000000000, 1)",
    "UPDATE sbtest.sbtest1 SET k = k + 1 WHERE id IN (10001, 30001)",
)


def main(
    flavor: Annotated[Choice, typer.Option(help="The servers.")] = Choice.BOTH,
    rows: Annotated[int, typer.Option(min=200_000, help="Rows in the table.")] = 2_000_000,
) -> None:
    """Delete, insert and update rows on a replica, then compare it with its primary, and mend it."""
    console = Console(highlight=False, width=130)
    flavors = [Flavor.MARIADB, Flavor.MYSQL] if flavor is Choice.BOTH else [Flavor(flavor.value)]
    for one in flavors:
        with blank_cluster(one, 1) as cluster:
            fill(cluster.servers[0], rows, tables=1)
            startsync(cluster, Options())
            _damage(cluster)
            for repair in (False, True):
                _compare(cluster, repair, console)


def _damage(cluster: Cluster) -> None:
    primary, replica = cluster.servers
    opening = () if cluster.flavor is Flavor.MARIADB else ("SET GLOBAL super_read_only = 0",)
    with connect(replica, primary.password) as connection, connection.cursor() as cursor:
        for statement in (*opening, "SET SESSION sql_log_bin = 0", *_DAMAGE):
            cursor.execute(statement)


def _compare(cluster: Cluster, repair: bool, console: Console) -> None:
    found = deployment(read_environment({}, cluster.environment_file))
    # Since the copy the replica's login is the primary's.
    replicas = tuple(replace(each, user=found.primary.user, password=found.primary.password) for each in found.replicas)
    results: list[Comparison] = []

    def work() -> None:
        done = asyncio.run(verify(Deployment(found.primary, replicas), VerifyOptions(repair=repair)))
        results.extend(done.replicas)

    before, written = _position(cluster), _written(cluster)
    waited = writes_while(cluster.servers[0], work)
    (result,) = results
    if result.error is not None:
        raise result.error
    writes = _written(cluster) - written
    transactions = missing(cluster.flavor, before, _position(cluster))
    console.print(
        f"{cluster.flavor}: {'repair' if repair else 'verify'}: {'equal' if result.equal else 'DIFFERENT'}, "
        f"{result.rows:,} rows in {result.seconds:.1f} s, replication held for {result.paused:.3f} s; the primary "
        f"wrote {transactions:,} transactions, its client {writes:,}, the slowest in "
        f"{waited}"
    )
    for each in (*result.chunks, *result.repaired):
        console.print(f"  {each}")


def _position(cluster: Cluster) -> str:
    variable = "gtid_binlog_pos" if cluster.flavor is Flavor.MARIADB else "gtid_executed"
    return str(_value(cluster, f"SELECT @@GLOBAL.{variable}"))


def _written(cluster: Cluster) -> int:
    return int(str(_value(cluster, "SELECT COUNT(*) FROM bench.writes")))


def _value(cluster: Cluster, sql: str) -> object:
    with connect(cluster.servers[0]) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone()
        return row[0] if row else None


if __name__ == "__main__":
    typer.run(main)
