"""`python -m tests.bench.copying`: how long a replica's copy takes, beside a dump piped into a client.

Each way fills a replica of its own with the same sysbench tables, by turns, several times. Nothing that is loaded is
written to the replica's binary log. The floor is what no copy by SQL can do without: rows that are ready in files, into
tables without secondary indexes, and then those.
"""

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated

import pymysql
import typer
from rich.console import Console

from replication.command import run
from replication.sandbox import Cluster, Flavor, LocalServer
from replication.setup import Options, set_up
from tests.bench.__main__ import Choice
from tests.bench.stalls import take_snapshots, writes_while
from tests.bench.usage import usage
from tests.support.clusters import blank_cluster
from topology.environment import Deployment, deployment, read_environment

_TABLES = 4
# The servers' own defaults, where a sandbox has less.
_DEFAULTS = {
    Flavor.MARIADB: {"innodb_log_file_size": "96M", "innodb_flush_log_at_trx_commit": "1"},
    Flavor.MYSQL: {"innodb_redo_log_capacity": "100M", "innodb_flush_log_at_trx_commit": "1", "sync_binlog": "1"},
}
_PIPE = "dump | client"
_FLOOR = "ready files"
_DIGITS = "LPAD(FLOOR(RAND() * 1e11), 11, '0')"
_KEY = "KEY k_1 (k)"
_TABLE = (
    "(id INT NOT NULL AUTO_INCREMENT, k INT NOT NULL DEFAULT 0, c CHAR(120) NOT NULL DEFAULT '', "
    f"pad CHAR(60) NOT NULL DEFAULT '', PRIMARY KEY (id), {_KEY}) ENGINE = InnoDB"
)


def main(
    flavor: Annotated[Choice, typer.Option(help="The servers.")] = Choice.BOTH,
    rows: Annotated[int, typer.Option(min=4000, help="Rows in all tables together.")] = 2_000_000,
    parallel: Annotated[int, typer.Option(min=1, help="Ranges copied at a time.")] = Options().parallel,
    rounds: Annotated[int, typer.Option(min=1, help="How often each way is measured, by turns.")] = 3,
    pool: Annotated[int, typer.Option(min=8, help="MiB of each server's buffer pool.")] = 1024,
) -> None:
    """Measure a copy by startsync, by dump and client, and by mydumper where that is installed."""
    console = Console(highlight=False, width=130)
    flavors = [Flavor.MARIADB, Flavor.MYSQL] if flavor is Choice.BOTH else [Flavor(flavor.value)]
    for one in flavors:
        settings = _DEFAULTS[one] | {"innodb_buffer_pool_size": f"{pool}M"}
        with blank_cluster(one, 3, settings) as cluster:
            console.print(
                f"{one}: {rows:,} rows in {_TABLES} tables, {fill(cluster.servers[0], rows) / 1e6:.0f} MB, "
                f"buffer pools of {pool} MiB"
            )
            _measure(cluster, parallel, rounds, console)


def _measure(cluster: Cluster, parallel: int, rounds: int, console: Console) -> None:
    primary, ours = cluster.servers[:2]
    again = Options(parallel=parallel, recopy=frozenset({ours.name}), force=frozenset({ours.name}))
    took: dict[str, list[_Took]] = {}
    for _ in range(rounds):
        for way, target, copy in _ways(cluster, again):
            took.setdefault(way, []).append(_timed(primary, target, copy))
    pipe = median(each.seconds for each in took[_PIPE])
    for way, all_of_it in took.items():
        seconds = median(each.seconds for each in all_of_it)
        each = ", ".join(f"{one.seconds:.1f}" for one in all_of_it)
        console.print(f"  {way:20} {seconds:6.1f} s ({each}), {pipe / seconds:.2f} times as fast as {_PIPE}")
        console.print(f"  {'':20} CPU: {_cpu(all_of_it)}")
    server = deployment(read_environment({}, cluster.environment_file)).primary
    for name, work in (
        ("50 snapshots are taken", lambda: take_snapshots(server, cluster.flavor, parallel)),
        ("startsync copies", lambda: startsync(cluster, again)),
    ):
        began = time.monotonic()
        beside = writes_while(primary, work)
        seconds = time.monotonic() - began
        alone = writes_while(primary, partial(time.sleep, seconds))
        console.print(
            f"  one writer on the primary: longest write {beside} while {name}, {alone} in {seconds:.0f} s alone"
        )


@dataclass(frozen=True, slots=True)
class _Took:
    """Seconds of one copy; CPU seconds of the primary, of the replica, and of everything else that had a part in it."""

    seconds: float
    primary: float
    replica: float
    between: float


def _cpu(took: list[_Took]) -> str:
    parts = [median(getattr(each, part) for each in took) for part in ("primary", "replica", "between")]
    return f"primary {parts[0]:.1f} s, replica {parts[1]:.1f} s, between them {parts[2]:.1f} s, sum {sum(parts):.1f} s"


def _ways(cluster: Cluster, again: Options) -> Iterator[tuple[str, LocalServer, Callable[[], None]]]:
    """Each by its name, with the replica that it fills, when that is ready for it."""
    primary, ours, piped, dumped = cluster.servers
    for blank in (piped, dumped):
        run_on(blank, "SET SESSION sql_log_bin = 0", "DROP DATABASE IF EXISTS sbtest")
    yield _PIPE, piped, lambda: _pipe(primary, piped)
    if cluster.flavor is Flavor.MARIADB and shutil.which("mydumper") and shutil.which("myloader"):
        directory = cluster.directory.parent / "dump"
        shutil.rmtree(directory, ignore_errors=True)
        yield "mydumper, myloader", dumped, lambda: _mydumper(directory, primary, dumped)
    yield "startsync", ours, lambda: startsync(cluster, again)
    files = _write_files(cluster, primary)
    _make_bare(piped)
    yield _FLOOR, piped, lambda: _load_files(files, piped)


def _timed(primary: LocalServer, target: LocalServer, work: Callable[[], None]) -> _Took:
    before = (time.monotonic(), _used(primary), _used(target), _used_here())
    work()
    after = (time.monotonic(), _used(primary), _used(target), _used_here())
    return _Took(*(end - begin for begin, end in zip(before, after, strict=True)))


def _used(server: LocalServer) -> float:
    """CPU seconds of a server since it started."""
    assert server.pid is not None
    used = usage(server.pid)
    return (used.user_us + used.system_us) / 1e6


def _used_here() -> float:
    """CPU seconds of this process and of all that it has started and seen the end of."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)


def connect(server: LocalServer, password: str = "") -> pymysql.Connection:
    """Log in with the server's own account, or with another password that it has by now."""
    return pymysql.connect(
        host=server.host, port=server.port, user=server.user, password=password or server.password, autocommit=True
    )


def run_on(server: LocalServer, *statements: str) -> None:
    """Run the statements on one connection."""
    with connect(server) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def fill(primary: LocalServer, rows: int, tables: int = _TABLES) -> int:
    """Make the tables; returns their bytes."""
    groups = ", '-', "
    values = f"FLOOR(RAND() * {rows}), CONCAT({groups.join([_DIGITS] * 10)}), CONCAT({groups.join([_DIGITS] * 5)})"
    run_on(
        primary,
        "CREATE DATABASE bench",
        "CREATE TABLE bench.n (n INT PRIMARY KEY)",
        f"INSERT INTO bench.n VALUES {', '.join(f'({number})' for number in range(1000))}",
        "CREATE TABLE bench.writes (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE = InnoDB",
        "CREATE DATABASE sbtest",
    )
    for number in range(1, tables + 1):
        table = f"sbtest.sbtest{number}"
        run_on(primary, f"CREATE TABLE {table} {_TABLE}")
        for _ in range(rows // tables // 1000 // 50 or 1):
            run_on(primary, f"INSERT INTO {table} (k, c, pad) SELECT {values} FROM bench.n a, bench.n b WHERE b.n < 50")
        run_on(primary, f"ANALYZE TABLE {table}")
    with connect(primary) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT SUM(DATA_LENGTH) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'sbtest'")
        return int(cursor.fetchone()[0])


def _pipe(primary: LocalServer, target: LocalServer) -> None:
    dump = ["mysqldump", "--single-transaction", "--databases", "sbtest", *_login(primary)]
    load = ["mysql", "--init-command=SET sql_log_bin = 0", *_login(target)]
    with subprocess.Popen(dump, stdout=subprocess.PIPE) as source:
        subprocess.run(load, stdin=source.stdout, check=True)
    assert source.returncode == 0


def _write_files(cluster: Cluster, primary: LocalServer) -> list[Path]:
    """The rows of each table as LOAD DATA reads them; those of the round before are still right."""
    files = [cluster.directory.parent / f"sbtest{number}.rows" for number in range(1, _TABLES + 1)]
    for file in files:
        if not file.exists():
            with file.open("wb") as out:
                rows = ["--quick", "--batch", "--skip-column-names", f"--execute=SELECT * FROM sbtest.{file.stem}"]
                subprocess.run(["mysql", *_login(primary), *rows], stdout=out, check=True)
    return files


def _make_bare(target: LocalServer) -> None:
    bare = _TABLE.replace(f", {_KEY}", "")
    tables = (f"CREATE TABLE sbtest.sbtest{number} {bare}" for number in range(1, _TABLES + 1))
    drop = "DROP DATABASE IF EXISTS sbtest"
    run_on(
        target, "SET GLOBAL local_infile = 1", "SET SESSION sql_log_bin = 0", drop, "CREATE DATABASE sbtest", *tables
    )


def _load_files(files: list[Path], target: LocalServer) -> None:
    """All tables at once, each by a client of its own."""
    clients = [
        subprocess.Popen(
            [
                "mysql",
                "--local-infile=1",
                "--init-command=SET sql_log_bin = 0, foreign_key_checks = 0",
                *_login(target),
                f"--execute=LOAD DATA LOCAL INFILE '{file}' INTO TABLE sbtest.{file.stem} CHARACTER SET binary; "
                f"ALTER TABLE sbtest.{file.stem} ADD {_KEY}",
            ]
        )
        for file in files
    ]
    assert [client.wait() for client in clients] == [0] * len(files)


def _login(server: LocalServer) -> tuple[str, ...]:
    return (f"--host={server.host}", f"--port={server.port}", f"--user={server.user}", f"--password={server.password}")


def _mydumper(directory: Path, primary: LocalServer, target: LocalServer) -> None:
    threads = f"--threads={os.cpu_count()}"
    subprocess.run(
        ["mydumper", "--database=sbtest", f"--outputdir={directory}", threads, "--rows=50000", *_login(primary)],
        check=True,
    )
    subprocess.run(["myloader", f"--directory={directory}", threads, *_login(target)], check=True)


def startsync(cluster: Cluster, options: Options) -> None:
    """Set the first replica up."""
    found = deployment(read_environment({}, cluster.environment_file))
    result = run(set_up(Deployment(found.primary, found.replicas[:1]), options))
    assert result.exit_code == 0, [str(each.error) for each in result.replicas]


if __name__ == "__main__":
    typer.run(main)
