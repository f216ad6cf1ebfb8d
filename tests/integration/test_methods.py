"""Copies by the vendor's dump client, and by MySQL's clone plugin. The tests of one vendor share a cluster."""

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest

from replication.actions import Method, Users
from replication.copy.bulk import BulkEngine
from replication.copy.engine import Progress
from replication.copy.snapshot import Snapshot
from replication.errors import Refused
from replication.report import SilentReporter
from replication.sandbox import Cluster, Flavor
from replication.sandbox.programs import servers_directory
from replication.setup import Options, Result, set_up
from replication.verification import Options as VerifyOptions
from replication.verification import verify
from tests.integration.schema_zoo import statements
from tests.support.clusters import blank_cluster
from tests.support.waiting import wait_until
from topology.environment import Deployment, deployment, process_environment, read_environment
from topology.servers import Vendor
from topology.sqlclient import SqlClient


class Warnings(SilentReporter):
    """Keeps what the operator was warned of."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def warn(self, server: str, message: str) -> None:
        self.said.append(message)


@pytest.fixture(scope="module", params=list(Flavor))
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with blank_cluster(Flavor(request.param)) as cluster:
        run(cluster, *statements(cluster.flavor))
        run(
            cluster,
            "CREATE TABLE zoo.busy (id INT AUTO_INCREMENT PRIMARY KEY, v INT, f FLOAT, KEY (v))",
            "INSERT INTO zoo.busy (v, f) WITH RECURSIVE s AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM s "
            "WHERE i < 900) SELECT a.i, b.i / 7 FROM s a JOIN s b ON b.i <= 30",
        )
        yield cluster


@pytest.fixture(autouse=True)
def clients(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """MySQL's own are not in PATH where MariaDB's are."""
    if cluster.flavor is Flavor.MYSQL:
        programs = servers_directory(process_environment()) / "mysql/bin"
        for variable, program in (("MANYREADS_DUMP", "mysqldump"), ("MANYREADS_CLIENT", "mysql")):
            if (programs / program).exists():
                monkeypatch.setenv(variable, str(programs / program))


def run(cluster: Cluster, *sql: str, name: str = "dbwrite") -> tuple[tuple[object, ...], ...]:
    """Run the statements in one connection, with the primary's login; the rows of the last."""
    server, login = cluster.server(name), cluster.servers[0]
    with (
        pymysql.connect(
            host=server.host, port=server.port, user=login.user, password=login.password, autocommit=True
        ) as connection,
        connection.cursor() as cursor,
    ):
        for statement in sql:
            cursor.execute(statement)
        return tuple(cursor.fetchall())


def servers(cluster: Cluster, name: str) -> Deployment:
    found = deployment(read_environment({}, cluster.environment_file))
    return Deployment(found.primary, tuple(each for each in found.replicas if each.name == name))


def copy(cluster: Cluster, name: str, method: Method, users: Users = Users.COPY) -> Result:
    return asyncio.run(set_up(servers(cluster, name), Options(method=method, users=users)))


def check_equal(cluster: Cluster, result: Result) -> None:
    """It follows the primary and has exactly its rows and definitions."""
    (copied,) = result.replicas
    assert copied.error is None
    found = asyncio.run(verify(Deployment(result.primary, (copied.server,)), VerifyOptions())).replicas[0]
    assert found.equal, found.summary


@contextmanager
def traffic(cluster: Cluster) -> Iterator[None]:
    """Clients that change rows of the largest table all the time."""
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 97
            run(cluster, f"UPDATE zoo.busy SET v = v + 1 WHERE id % 900 = {number % 900}")
            run(cluster, f"DELETE FROM zoo.busy WHERE id = {number}", "INSERT INTO zoo.busy (v, f) VALUES (1, 1e-7)")
            time.sleep(0.005)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)


def test_without_the_clients_nothing_is_begun(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in ("MANYREADS_DUMP", "MANYREADS_CLIENT"):
        monkeypatch.setenv(variable, str(tmp_path / "missing"))
    with pytest.raises(Refused, match="are not installed here"):
        copy(cluster, "dbread1", Method.DUMP)


def test_a_dump_while_the_primary_is_written_to(cluster: Cluster) -> None:
    with traffic(cluster):
        result = copy(cluster, "dbread1", Method.DUMP)
    check_equal(cluster, result)
    assert result.replicas[0].rows >= 27_000


def test_lost_sessions_of_the_snapshot_leave_their_work_to_the_others(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    move, lost = BulkEngine.move, []

    async def losing(
        self: BulkEngine, view: Snapshot, targets: Sequence[SqlClient], vendor: Vendor, progress: Progress, *rest: Any
    ) -> None:
        numbers = [await session.value("SELECT CONNECTION_ID()") for session in view.more]

        def kill_two(rows: int, size: int) -> None:
            while len(numbers) > 2:
                lost.append(numbers.pop())
                run(cluster, f"KILL {lost[-1]}")
            progress(rows, size)

        await move(self, view, targets, vendor, kill_two, *rest)

    monkeypatch.setattr(BulkEngine, "move", losing)
    again = Options(recopy=frozenset({"dbread1"}), force=frozenset({"dbread1"}))
    check_equal(cluster, asyncio.run(set_up(servers(cluster, "dbread1"), again)))
    assert len(lost) == Options().parallel - 2


def refuse_a_clone(cluster: Cluster, reason: str, users: Users = Users.COPY) -> None:
    with pytest.raises(Refused, match=reason) as refused:
        copy(cluster, "dbread2", Method.CLONE, users)
    assert refused.value.remedy


def test_a_clone_if_the_primary_can_be_cloned(cluster: Cluster) -> None:
    if cluster.flavor is Flavor.MARIADB:
        refuse_a_clone(cluster, "cannot be cloned over SQL")
        return
    refuse_a_clone(cluster, "does not have the clone plugin")
    run(cluster, "INSTALL PLUGIN clone SONAME 'mysql_clone.so'")
    refuse_a_clone(cluster, "rows of InnoDB alone")
    refuse_a_clone(cluster, "accounts", Users.KEEP)
    others = "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE ENGINE <> 'InnoDB' AND TABLE_TYPE = "
    for schema, table in run(cluster, others + "'BASE TABLE' AND TABLE_SCHEMA = 'zoo'"):
        run(cluster, f"DROP TABLE {schema}.{table}")
    run(cluster, "CREATE EVENT zoo.awake ON SCHEDULE EVERY 1 DAY DO DELETE FROM zoo.busy WHERE id < 0")
    reporter = Warnings()
    with starting_again(cluster, "dbread2"):
        result = asyncio.run(set_up(servers(cluster, "dbread2"), Options(method=Method.CLONE), reporter))
    check_equal(cluster, result)
    assert any("is down now" in each for each in reporter.said)
    assert result.replicas[0].tables > 10
    statuses = run(cluster, "SELECT STATUS FROM information_schema.EVENTS WHERE EVENT_NAME = 'awake'", name="dbread2")
    assert statuses != (("ENABLED",),)


@contextmanager
def starting_again(cluster: Cluster, name: str) -> Iterator[None]:
    """Nobody looks after a sandbox's servers, so a clone leaves one down: start it then."""
    server = cluster.server(name)

    def start() -> None:
        wait_until(lambda: not server.running(), "the clone is through")
        server.start()

    starting = threading.Thread(target=start)
    starting.start()
    try:
        yield
    finally:
        starting.join(60)
