"""`python -m tests.bench.fresh`: what each level of consistency costs under a steady load of writes."""

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from statistics import quantiles
from typing import Annotated, Any

import typer
import uvloop
from rich.console import Console

from replication.sandbox import Cluster, Flavor
from tests.bench.freshfigures import Sample, summarise, table
from tests.bench.usage import usage
from tests.support.clients import Connection, connect, run
from tests.support.clusters import replicating_cluster
from tests.support.lightclient import LightClient
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until
from tests.support.wireclient import Login
from topology.consistency import Level
from topology.errors import ManyreadsError

SCHEMA = "bench_fresh"
TABLES = 8
ROWS = 1000
WRITERS, READERS = 4, 8
LOADS = {"half the tables": TABLES // 2, "all tables": TABLES}
_WIDTH = 130
# Seconds of the same load before anything is counted.
_WARMING = 0.5


@dataclass(slots=True)
class Work:
    """What is done by the clients: `written` tables of all are written `writes` times a second, and all are read."""

    written: int
    writes: float
    reads: float
    seconds: float


async def _paced(rate: float, until: float, act: Callable[[], Awaitable[object]]) -> list[float]:
    """Do `act` `rate` times a second; how long each took, in seconds."""
    clock = time.perf_counter
    took = []
    due = clock() + random.random() / rate
    while due < until:
        await asyncio.sleep(max(0.0, due - clock()))
        began = clock()
        await act()
        took.append(clock() - began)
        due = max(due + 1 / rate, began)
    return took


async def _clients(proxy: ProxyProcess, login: Login, work: Work) -> tuple[list[float], int]:
    """The times of all reads, and how many writes there were."""
    clients = [await LightClient.connect(proxy.host, proxy.port, login) for _ in range(WRITERS + READERS)]
    until = time.perf_counter() + work.seconds

    def writer(client: LightClient) -> Callable[[], Awaitable[object]]:
        return lambda: client.run(
            f"UPDATE {SCHEMA}.t{random.randrange(work.written)} SET n = n + 1 WHERE id = {random.randrange(ROWS)}"
        )

    def reader(client: LightClient) -> Callable[[], Awaitable[object]]:
        return lambda: client.run(
            f"SELECT n FROM {SCHEMA}.t{random.randrange(TABLES)} WHERE id = {random.randrange(ROWS)}"
        )

    writes = [_paced(work.writes / WRITERS, until, writer(client)) for client in clients[:WRITERS]]
    reads = [_paced(work.reads / READERS, until, reader(client)) for client in clients[WRITERS:]]
    times = await asyncio.gather(*writes, *reads)
    return [time for one in times[WRITERS:] for time in one], sum(map(len, times[:WRITERS]))


def measure(cluster: Cluster, level: Level, wait: float, load: str, work: Work, number: int) -> Sample:
    """Run the load through a proxy of its own, in round `number`."""
    primary = cluster.servers[0]
    arguments = ("--server-tls", "off", "--consistency", level, "--freshness-wait", str(wait))
    with running_proxy(cluster, *arguments) as proxy, connect(cluster, proxy) as watcher:
        wait_until(lambda: _all_fresh(watcher), "the replicas are fresh")
        login = Login(primary.user, primary.password)
        asyncio.run(_clients(proxy, login, replace(work, seconds=_WARMING)))
        before, begun, in_vain, cpu = _reads(watcher), *_waits(watcher), _cpu(proxy)
        times, writes = asyncio.run(_clients(proxy, login, work))
        spent = _cpu(proxy) - cpu
        after, waited = _reads(watcher), _waits(watcher)
    counts = {name: after[name] - before[name] for name in after}
    total = sum(counts.values())
    cuts = quantiles(times, n=100)
    return Sample(
        load,
        level,
        number,
        1 - counts[primary.name] / total,
        (waited[0] - begun) / total,
        (waited[1] - in_vain) / total,
        1000 * cuts[49],
        1000 * cuts[98],
        spent / (len(times) + writes),
    )


def _all_fresh(connection: Connection) -> bool:
    return all(row[6] == "yes" for row in run(connection, "SHOW PROXY SERVERS"))


def _reads(connection: Connection) -> dict[str, int]:
    return {row[0]: row[7] for row in run(connection, "SHOW PROXY SERVERS")}


def _waits(connection: Connection) -> tuple[int, int]:
    figures = dict[str, Any](run(connection, "SHOW PROXY STATUS"))
    return int(figures["reads_that_waited"]), int(figures["reads_that_waited_in_vain"])


def _cpu(proxy: ProxyProcess) -> float:
    used = usage(proxy.process.pid)
    return used.user_us + used.system_us


def fill(cluster: Cluster) -> None:
    """Make the tables."""
    with running_proxy(cluster) as proxy, connect(cluster, proxy) as connection:
        run(connection, f"CREATE DATABASE {SCHEMA}")
        rows = ", ".join(f"({number}, 0)" for number in range(ROWS))
        for number in range(TABLES):
            run(connection, f"CREATE TABLE {SCHEMA}.t{number} (id INT PRIMARY KEY, n INT)")
            run(connection, f"INSERT INTO {SCHEMA}.t{number} VALUES {rows}")


def main(
    flavor: Annotated[Flavor, typer.Option(help="The servers.")] = Flavor.MARIADB,
    seconds: Annotated[float, typer.Option(min=1, help="Length of one run.")] = 3,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each level under each load.")] = 3,
    writes: Annotated[float, typer.Option(min=1, help="Writes in a second.")] = 200,
    reads: Annotated[float, typer.Option(min=1, help="Reads in a second.")] = 1000,
    wait: Annotated[float, typer.Option(min=0, help="The setting freshness_wait.")] = 0.01,
) -> None:
    """Measure who answers reads, how fast, and at what cost, at each level of consistency."""
    uvloop.install()
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    samples = []
    with replicating_cluster(flavor) as cluster, console.status("") as status:
        fill(cluster)
        for load, written in LOADS.items():
            for number in range(rounds):
                for level in Level:
                    status.update(f"{load} written, {level}, round {number + 1} of {rounds}")
                    work = Work(written, writes, reads, seconds)
                    samples.append(measure(cluster, level, wait, load, work, number))
    title = f"{flavor}, {writes:g} writes and {reads:g} reads a second, freshness_wait {wait:g} s, {rounds} rounds"
    console.print(table(title, summarise(samples)))


if __name__ == "__main__":
    try:
        typer.run(main)
    except ManyreadsError as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(1)
