"""`python -m tests.bench.copying`: how long a replica's copy takes, beside a dump piped into a client.

Each way fills a blank replica of its own with the same sysbench tables, one after the other. Nothing that is loaded is
written to the replica's binary log.
"""

import asyncio
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import pymysql
import typer
from rich.console import Console

from replication.sandbox import Cluster, Flavor, LocalServer
from replication.setup import Options, set_up
from tests.bench.__main__ import Choice
from tests.support.clusters import blank_cluster
from topology.environment import Deployment, deployment, read_environment

_TABLES = 4
_DIGITS = "LPAD(FLOOR(RAND() * 1e11), 11, '0')"
_TABLE = (
    "(id INT NOT NULL AUTO_INCREMENT, k INT NOT NULL DEFAULT 0, c CHAR(120) NOT NULL DEFAULT '', "
    "pad CHAR(60) NOT NULL DEFAULT '', PRIMARY KEY (id), KEY k_1 (k)) ENGINE = InnoDB"
)


def main(
    flavor: Annotated[Choice, typer.Option(help="The servers.")] = Choice.BOTH,
    rows: Annotated[int, typer.Option(min=4000, help="Rows in all tables together.")] = 2_000_000,
    parallel: Annotated[int, typer.Option(min=1, help="Ranges copied at a time.")] = Options().parallel,
) -> None:
    """Measure a copy by startsync, by dump and client, and by mydumper where that is installed."""
    console = Console(highlight=False, width=130)
    flavors = [Flavor.MARIADB, Flavor.MYSQL] if flavor is Choice.BOTH else [Flavor(flavor.value)]
    for one in flavors:
        with blank_cluster(one, 3) as cluster:
            console.print(f"{one}: {rows:,} rows in {_TABLES} tables, {_fill(cluster.servers[0], rows) / 1e6:.0f} MB")
            _measure(cluster, parallel, console)


def _measure(cluster: Cluster, parallel: int, console: Console) -> None:
    primary, ours, piped, dumped = cluster.servers
    pipe = _timed(lambda: _pipe(primary, piped))
    console.print(f"  dump | client        {pipe:6.1f} s")
    if cluster.flavor is Flavor.MARIADB and shutil.which("mydumper") and shutil.which("myloader"):
        seconds = _timed(lambda: _mydumper(cluster, primary, dumped))
        console.print(f"  mydumper, myloader   {seconds:6.1f} s   {pipe / seconds:.2f} times as fast as the pipe")
    seconds = _timed(lambda: _startsync(cluster, Options(parallel=parallel)))
    console.print(f"  startsync            {seconds:6.1f} s   {pipe / seconds:.2f} times as fast as the pipe")
    with _writing(primary) as quiet:
        time.sleep(5)
    again = frozenset({ours.name})
    with _writing(primary) as busy:
        _startsync(cluster, Options(parallel=parallel, recopy=again, force=again))
    console.print(
        f"  one writer on the primary: longest write {quiet.longest * 1000:.0f} ms without a copy, "
        f"{busy.longest * 1000:.0f} ms while startsync copies"
    )


def _timed(work: Callable[[], None]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _connect(server: LocalServer) -> pymysql.Connection:
    return pymysql.connect(
        host=server.host, port=server.port, user=server.user, password=server.password, autocommit=True
    )


def _run(server: LocalServer, *statements: str) -> None:
    with _connect(server) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _fill(primary: LocalServer, rows: int) -> int:
    """Make the tables; returns their bytes."""
    groups = ", '-', "
    values = f"FLOOR(RAND() * {rows}), CONCAT({groups.join([_DIGITS] * 10)}), CONCAT({groups.join([_DIGITS] * 5)})"
    _run(
        primary,
        "CREATE DATABASE bench",
        "CREATE TABLE bench.n (n INT PRIMARY KEY)",
        f"INSERT INTO bench.n VALUES {', '.join(f'({number})' for number in range(1000))}",
        "CREATE TABLE bench.writes (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE = InnoDB",
        "CREATE DATABASE sbtest",
    )
    for number in range(1, _TABLES + 1):
        table = f"sbtest.sbtest{number}"
        _run(primary, f"CREATE TABLE {table} {_TABLE}")
        for _ in range(rows // _TABLES // 1000 // 50 or 1):
            _run(primary, f"INSERT INTO {table} (k, c, pad) SELECT {values} FROM bench.n a, bench.n b WHERE b.n < 50")
        _run(primary, f"ANALYZE TABLE {table}")
    with _connect(primary) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT SUM(DATA_LENGTH) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'sbtest'")
        return int(cursor.fetchone()[0])


def _pipe(primary: LocalServer, target: LocalServer) -> None:
    dump = ["mysqldump", "--single-transaction", "--databases", "sbtest", *_login(primary)]
    load = ["mysql", "--init-command=SET sql_log_bin = 0", *_login(target)]
    with subprocess.Popen(dump, stdout=subprocess.PIPE) as source:
        subprocess.run(load, stdin=source.stdout, check=True)
    assert source.returncode == 0


def _login(server: LocalServer) -> tuple[str, ...]:
    return (f"--host={server.host}", f"--port={server.port}", f"--user={server.user}", f"--password={server.password}")


def _mydumper(cluster: Cluster, primary: LocalServer, target: LocalServer) -> None:
    directory = cluster.directory.parent / "dump"
    threads = f"--threads={os.cpu_count()}"
    subprocess.run(
        ["mydumper", "--database=sbtest", f"--outputdir={directory}", threads, "--rows=50000", *_login(primary)],
        check=True,
    )
    subprocess.run(["myloader", f"--directory={directory}", threads, *_login(target)], check=True)


def _startsync(cluster: Cluster, options: Options) -> None:
    found = deployment(read_environment({}, cluster.environment_file))
    result = asyncio.run(set_up(Deployment(found.primary, found.replicas[:1]), options))
    assert result.exit_code == 0, [str(each.error) for each in result.replicas]


class _Writer(threading.Thread):
    """Writes rows one after the other; `longest` is how many seconds the slowest took."""

    def __init__(self, primary: LocalServer) -> None:
        super().__init__(daemon=True)
        self.longest = 0.0
        self._connection = _connect(primary)
        self._stopping = threading.Event()

    def run(self) -> None:
        with self._connection as connection, connection.cursor() as cursor:
            while not self._stopping.is_set():
                began = time.monotonic()
                cursor.execute("INSERT INTO bench.writes VALUES ()")
                self.longest = max(self.longest, time.monotonic() - began)

    def stop(self) -> None:
        """Wait until the last write is done."""
        self._stopping.set()
        self.join()


@contextmanager
def _writing(primary: LocalServer) -> Iterator[_Writer]:
    writer = _Writer(primary)
    writer.start()
    try:
        yield writer
    finally:
        writer.stop()


if __name__ == "__main__":
    typer.run(main)
