"""Every interlock between servers that must not become primary and replica, provoked on real ones of both vendors.

Each is provoked by itself and undone; none of them may have changed anything on the replica.
"""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pymysql
import pytest
from typer.testing import CliRunner

from replication.copy.snapshot import snapshot
from replication.errors import ExitCode
from replication.sandbox import Cluster, Flavor, LocalServer
from replication.startsync import app
from tests.support.clusters import blank_cluster, start_replication
from tests.support.newest import newest_mariadb
from topology.servers import Role, Server

Arguments = list[str]


@pytest.fixture(scope="module", params=list(Flavor))
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A primary with a little data, and two blank servers."""
    with blank_cluster(Flavor(request.param)) as cluster:
        query(cluster, "dbwrite", "CREATE DATABASE app", "CREATE TABLE app.t (id INT PRIMARY KEY)")
        query(cluster, "dbwrite", "INSERT INTO app.t VALUES (1)")
        yield cluster


def query(cluster: Cluster, name: str, *sql: str) -> list[dict[str, Any]]:
    """Run the statements in one connection, with its own login or the primary's; the rows of the last."""
    server = cluster.server(name)
    for password in (server.password, cluster.servers[0].password):
        try:
            connection = pymysql.connect(
                host=server.host,
                port=server.port,
                user=server.user,
                password=password,
                autocommit=True,
                cursorclass=pymysql.cursors.DictCursor,
            )
        except pymysql.err.OperationalError as error:
            if error.args[0] != 1045:
                raise
            continue
        with connection, connection.cursor() as cursor:
            for statement in sql:
                cursor.execute(statement)
            return list(cursor.fetchall())
    raise AssertionError(f"{name} accepts neither password")


def url(server: LocalServer, password: str = "") -> str:
    return f"mysql://{server.user}:{password or server.password}@{server.host}:{server.port}"


def pair(writer: LocalServer, reader: LocalServer) -> Arguments:
    return ["--writer", url(writer), "--reader", url(reader)]


def first_two(cluster: Cluster) -> Arguments:
    return pair(cluster.server("dbwrite"), cluster.server("dbread1"))


@contextmanager
def setting(cluster: Cluster, name: str, before: str, after: str) -> Iterator[Arguments]:
    query(cluster, name, *before.split("; "))
    try:
        yield first_two(cluster)
    finally:
        query(cluster, name, *after.split("; "))


@contextmanager
def restarted(cluster: Cluster, name: str, options: str) -> Iterator[Arguments]:
    """The server runs with these options, too."""
    server = cluster.server(name)
    file = server.layout.option_file
    usual = file.read_text()
    file.write_text(f"{usual}{options}\n")
    server.stop()
    server.start()
    try:
        yield first_two(cluster)
    finally:
        file.write_text(usual)
        server.stop()
        server.start()


@contextmanager
def without_a_binary_log(cluster: Cluster) -> Iterator[Arguments]:
    with restarted(cluster, "dbwrite", "skip_log_bin") as arguments:
        yield arguments


@contextmanager
def without_a_server_id(cluster: Cluster) -> Iterator[Arguments]:
    number = query(cluster, "dbwrite", "SELECT @@server_id AS id")[0]["id"]
    if cluster.flavor is Flavor.MARIADB:
        # It takes no 0 for an answer, so there is nothing to be refused.
        assert query(cluster, "dbwrite", "SET GLOBAL server_id = 0", "SELECT @@server_id AS id")[0]["id"] != 0
        pytest.skip("a MariaDB server has always a server_id")
    with setting(cluster, "dbwrite", "SET GLOBAL server_id = 0", f"SET GLOBAL server_id = {number}") as arguments:
        yield arguments


@contextmanager
def without_gtids(cluster: Cluster) -> Iterator[Arguments]:
    off = ("ON_PERMISSIVE", "OFF_PERMISSIVE", "OFF")
    before = "; ".join(f"SET GLOBAL gtid_mode = {mode}" for mode in off)
    after = "; ".join(f"SET GLOBAL gtid_mode = {mode}" for mode in ("OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"))
    with setting(cluster, "dbread1", before, after) as arguments:
        yield arguments


@contextmanager
def with_other_case_rules(cluster: Cluster) -> Iterator[Arguments]:
    with restarted(cluster, "dbread1", "lower_case_table_names = 1") as arguments:
        yield arguments


@contextmanager
def with_a_cloned_directory(cluster: Cluster) -> Iterator[Arguments]:
    server = cluster.server("dbread1")
    file = server.datadir / "auto.cnf"
    own = file.read_text()
    server.stop()
    file.write_text((cluster.server("dbwrite").datadir / "auto.cnf").read_text())
    server.start()
    try:
        yield first_two(cluster)
    finally:
        server.stop()
        file.write_text(own)
        server.start()


@contextmanager
def an_older_replica(cluster: Cluster) -> Iterator[Arguments]:
    with newest_mariadb() as newer:
        yield pair(newer.server("dbwrite"), cluster.server("dbread1"))


@contextmanager
def another_vendor(cluster: Cluster) -> Iterator[Arguments]:
    other = Flavor.MYSQL if cluster.flavor is Flavor.MARIADB else Flavor.MARIADB
    with blank_cluster(other, 0) as stranger:
        yield pair(stranger.server("dbwrite"), cluster.server("dbread1"))


@dataclass(frozen=True)
class Interlock:
    """How it is provoked, and what is said then, and what of the remedy."""

    provoke: Callable[[Cluster], AbstractContextManager[Arguments]]
    message: str
    remedy: str
    flavors: tuple[Flavor, ...] = tuple(Flavor)


BETWEEN_BLANK_SERVERS = [
    Interlock(without_a_binary_log, "writes no binary log", "put log_bin and a server_id"),
    Interlock(without_a_server_id, "has server_id 0", "SET GLOBAL server_id = 1"),
    Interlock(without_gtids, "dbread1 .* has gtid_mode OFF", "SET PERSIST gtid_mode = ON", (Flavor.MYSQL,)),
    Interlock(with_other_case_rules, "lower_case_table_names = 1", "set up the replica anew", (Flavor.MARIADB,)),
    Interlock(with_a_cloned_directory, "have the same server_uuid", "delete auto.cnf", (Flavor.MYSQL,)),
    Interlock(an_older_replica, "is older than", "upgrade the replica first", (Flavor.MARIADB,)),
    Interlock(another_vendor, "dbread1 .* is (mysql|mariadb) .* but dbwrite", "of one vendor"),
]


@pytest.mark.parametrize("interlock", BETWEEN_BLANK_SERVERS, ids=lambda each: each.provoke.__name__)
def test_a_pair_that_cannot_work_is_refused(cluster: Cluster, interlock: Interlock) -> None:
    if cluster.flavor not in interlock.flavors:
        pytest.skip("the other vendor's")
    with interlock.provoke(cluster) as arguments:
        refused(arguments, interlock.message, interlock.remedy)
    assert query(cluster, "dbread1", "SHOW DATABASES LIKE 'manyreads'") == []


def refused(arguments: Arguments, message: str, remedy: str) -> None:
    """With --force as well: these are no matter of taste."""
    for more in ([], ["--force", "dbread1"]):
        result = CliRunner().invoke(app, [*arguments, *more, "--wait", "60"])
        assert result.exit_code == ExitCode.REFUSED, result.output
        assert re.search(message, result.output), result.output
        assert remedy in result.output


@pytest.mark.parametrize("missing", ["SELECT", "CREATE USER", "REPLICATION SLAVE"])
def test_a_missing_privilege_is_named_with_its_server(cluster: Cluster, missing: str) -> None:
    needed = {
        "SELECT",
        "RELOAD",
        "PROCESS",
        "LOCK TABLES",
        "REPLICATION SLAVE",
        "CREATE USER",
        *MONITORING[cluster.flavor],
    }
    query(
        cluster,
        "dbwrite",
        "CREATE USER weak@'%' IDENTIFIED BY 'Weak-1234'",
        f"GRANT {', '.join(sorted(needed - {missing}))} ON *.* TO weak@'%' WITH GRANT OPTION",
        "GRANT SELECT ON app.* TO weak@'%'",
    )
    primary, replica = cluster.server("dbwrite"), cluster.server("dbread1")
    weak = f"mysql://weak:Weak-1234@{primary.host}:{primary.port}"
    arguments = ["--writer", weak, "--reader", url(replica), "--users", "keep", "--wait", "60"]
    result = CliRunner().invoke(app, arguments)
    query(cluster, "dbwrite", "DROP USER weak@'%'")
    assert result.exit_code == ExitCode.USAGE, result.output
    assert "dbwrite" in result.output
    assert missing in result.output


def test_a_snapshot_needs_no_right_to_flush(cluster: Cluster) -> None:
    """MySQL's needs a moment's lock: each table's, if not that of all."""
    more = ("SHOW_ROUTINE",) if cluster.flavor is Flavor.MYSQL else ()
    granted = ("SELECT", "SHOW VIEW", "TRIGGER", "EVENT", "LOCK TABLES", *MONITORING[cluster.flavor], *more)
    query(
        cluster,
        "dbwrite",
        "CREATE USER weak@'%' IDENTIFIED BY 'Weak-1234'",
        f"GRANT {', '.join(granted)} ON *.* TO weak@'%'",
    )
    primary = cluster.server("dbwrite")
    server = Server("dbwrite", primary.host, primary.port, Role.PRIMARY, "weak", "Weak-1234")

    async def rows() -> list[object]:
        async with snapshot(server, cluster.flavor, asyncio.Lock(), accounts=False, more=1) as view:
            query(cluster, "dbwrite", "INSERT INTO app.t VALUES (2)")
            assert view.gtid
            return [await each.value("SELECT COUNT(*) FROM app.t") for each in (view.session, *view.more)]

    seen = asyncio.run(rows())
    query(cluster, "dbwrite", "DROP USER weak@'%'", "DELETE FROM app.t WHERE id = 2")
    assert seen == [1, 1]


MONITORING = {
    Flavor.MARIADB: ("BINLOG MONITOR", "SLAVE MONITOR"),
    Flavor.MYSQL: ("REPLICATION CLIENT",),
}


def test_roles_that_were_mixed_up_are_refused(cluster: Cluster) -> None:
    """The last one here, since it makes replicas of the blank servers."""
    start_replication(cluster)
    first, replica, other = cluster.servers
    password = first.password
    exchanged = ["--writer", url(replica, password), "--reader", url(first)]
    refused(exchanged, "their roles were exchanged", "name dbread1 as the primary")
    query(cluster, other.name, *detaching(cluster.flavor))
    above = ["--writer", url(other, password), "--reader", url(first)]
    refused(above, "has replicas of its own", "attach those to the primary first")
    assert query(cluster, "dbwrite", "SELECT COUNT(*) AS n FROM app.t")[0]["n"] == 1


def detaching(flavor: Flavor) -> tuple[str, ...]:
    if flavor is Flavor.MARIADB:
        return "STOP SLAVE", "RESET SLAVE ALL"
    return "STOP REPLICA", "RESET REPLICA ALL"


def test_a_primary_that_lost_most_of_its_data_is_not_copied(cluster: Cluster) -> None:
    tables = [f"CREATE TABLE big.t{number} (id INT PRIMARY KEY)" for number in range(24)]
    query(cluster, "dbwrite", "CREATE DATABASE big", *tables)
    start_replication(cluster)
    query(cluster, "dbread1", *detaching(cluster.flavor))
    query(cluster, "dbread1", *forgetting(cluster.flavor))
    query(cluster, "dbwrite", "SET SESSION sql_log_bin = 0", "DROP DATABASE big")
    writer, reader = cluster.server("dbwrite"), cluster.server("dbread1")
    result = CliRunner().invoke(app, ["--writer", url(writer), "--reader", url(reader, writer.password)])
    assert result.exit_code == ExitCode.REFUSED, result.output
    assert "holds less than half of what" in result.output
    assert "run again with --force dbread1" in result.output
    assert len(query(cluster, "dbread1", "SHOW TABLES FROM big")) == 24


def forgetting(flavor: Flavor) -> tuple[str, ...]:
    """How far it came: so it cannot be attached again without a copy."""
    if flavor is Flavor.MARIADB:
        return "RESET MASTER", "SET GLOBAL gtid_slave_pos = ''"
    return ("RESET BINARY LOGS AND GTIDS",)
