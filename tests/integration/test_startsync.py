"""startsync on real servers of both vendors. The tests of one vendor share a cluster, and each says how it wants it."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
from typer.testing import CliRunner

from replication.errors import ExitCode
from replication.perform import perform
from replication.resync import app as resync
from replication.sandbox import Cluster, Flavor, LocalServer
from replication.startsync import app
from replication.statements import SYSTEM_SCHEMAS, dialect
from tests.integration.schema_zoo import statements
from topology.servers import Role, Server
from topology.sqlclient import connected

DEADLINE = 60.0
# Small, so that a row that is larger than the limit need not be huge.
PACKET = 2 << 20
ODD_SCHEMA = "odd `na-me'ü%s"
ZOO = ("zoo", ODD_SCHEMA, "empty_schema")
# MySQL 9 computes another checksum for a functional index each time, even on one and the same server.
NO_CHECKSUM = {("zoo", "functional")}
REPLICAS = ("dbread1", "dbread2")
THREADS = ("_IO_Running", "_SQL_Running")


class Stage:
    """The cluster that the tests of one vendor share."""

    def __init__(self, flavor: Flavor, parent: Path) -> None:
        self._flavor = flavor
        self._parent = parent
        self.cluster = self._up()

    def _up(self) -> Cluster:
        return Cluster.up(self._parent / "box", self._flavor, options={"max_allowed_packet": str(PACKET)})

    def renew(self) -> None:
        """Blank servers in place of those that there are."""
        self.cluster.down()
        self.cluster = self._up()


@pytest.fixture(scope="module", params=list(Flavor))
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    parent = Path(tempfile.mkdtemp(prefix="startsync-"))
    made = Stage(Flavor(request.param), parent)
    try:
        yield made
    finally:
        made.cluster.down()
        shutil.rmtree(parent)


@pytest.fixture
def cluster(stage: Stage) -> Cluster:
    """Servers in any state."""
    return stage.cluster


@pytest.fixture
def blank(stage: Stage) -> Cluster:
    """Servers without any data."""
    if any(schemas(stage.cluster, server.name) for server in stage.cluster.servers):
        stage.renew()
    return stage.cluster


@pytest.fixture
def filled(cluster: Cluster) -> Cluster:
    """The primary holds the zoo."""
    if not query(cluster, "dbwrite", "SHOW DATABASES LIKE 'zoo'"):
        fill(cluster)
    return cluster


@pytest.fixture
def stranger(filled: Cluster) -> Cluster:
    """dbread1 follows nobody and holds data that no run has marked."""
    detach(filled, "dbread1")
    writable(filled, "dbread1")
    for schema in schemas(filled, "dbread1"):
        query(filled, "dbread1", f"DROP DATABASE {quoted(schema)}")
    own_data(filled, "dbread1")
    return filled


@pytest.fixture
def ready(filled: Cluster) -> Cluster:
    """Both replicas follow the primary and have everything that it has."""
    if not all(is_in_step(filled, name) for name in REPLICAS):
        forced = [argument for name in REPLICAS for argument in ("--force", name)]
        assert startsync(filled, *forced)[0] == ExitCode.OK
    return filled


def schemas(cluster: Cluster, name: str) -> list[str]:
    """Those that are not the server's own."""
    found = [str(row["Database"]) for row in query(cluster, name, "SHOW DATABASES")]
    return [schema for schema in found if schema not in SYSTEM_SCHEMAS]


def fill(cluster: Cluster) -> None:
    """Make the zoo, with a row that is larger than max_allowed_packet."""
    with connection(cluster, "dbwrite") as opened, opened.cursor() as cursor:
        for statement in statements(cluster.flavor):
            cursor.execute(statement)
        cursor.execute("SET GLOBAL max_allowed_packet = 67108864")
    query(
        cluster,
        "dbwrite",
        "SET SESSION binlog_format = ROW",
        "CREATE TABLE zoo.huge (id INT PRIMARY KEY, v LONGBLOB)",
        "INSERT INTO zoo.huge VALUES (1, REPEAT(0x00FF275C, 1000000)), (2, NULL)",
        f"SET GLOBAL max_allowed_packet = {PACKET}",
    )


def own_data(cluster: Cluster, name: str) -> None:
    """Two rows that came from no primary."""
    query(
        cluster,
        name,
        "CREATE DATABASE precious",
        "CREATE TABLE precious.t (id INT PRIMARY KEY)",
        "INSERT INTO precious.t VALUES (1), (2)",
    )


def is_in_step(cluster: Cluster, name: str) -> bool:
    """Whether it is a whole copy of the primary, follows it, and has everything."""
    if not {"manyreads", "zoo"} <= set(schemas(cluster, name)):
        return False
    phases = [row["phase"] for row in query(cluster, name, "SELECT phase FROM manyreads.marker WHERE id = 1")]
    threads = [row[key] for row in status(cluster, name) for key in row if key.endswith(THREADS)]
    port = [row[key] for row in status(cluster, name) for key in row if key.endswith(("Source_Port", "Master_Port"))]
    in_order = phases == ["done"] and threads == ["Yes", "Yes"] and port == [cluster.server("dbwrite").port]
    return in_order and caught_up(cluster, name)


def status(cluster: Cluster, name: str) -> list[dict[str, Any]]:
    """What the server says of its replication; nothing if it follows nobody."""
    return query(cluster, name, "SHOW SLAVE STATUS" if cluster.flavor is Flavor.MARIADB else "SHOW REPLICA STATUS")


def connection(cluster: Cluster, name: str, password: str | None = None, database: str | None = None) -> Any:
    """Log in; on a replica that has been copied the primary's password is the valid one."""
    server = cluster.server(name)
    for candidate in (password,) if password else (cluster.server("dbwrite").password, server.password):
        try:
            return pymysql.connect(
                host=server.host,
                port=server.port,
                user=server.user,
                password=candidate,
                database=database,
                autocommit=True,
                max_allowed_packet=64 << 20,
                cursorclass=pymysql.cursors.DictCursor,
            )
        except pymysql.err.OperationalError as error:
            if password or error.args[0] != 1045:
                raise
    raise AssertionError(f"{name} accepts neither password")


def query(cluster: Cluster, name: str, *sql: str) -> list[dict[str, Any]]:
    """Run the statements in one connection; the rows of the last."""
    with connection(cluster, name) as opened, opened.cursor() as cursor:
        for statement in sql:
            cursor.execute(statement)
        return list(cursor.fetchall())


def startsync(cluster: Cluster, *arguments: str) -> tuple[int, str]:
    """Run the command here; exit code and everything that it printed."""
    environment = str(cluster.environment_file)
    result = CliRunner().invoke(app, ["--environment", environment, "--wait", str(DEADLINE), *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def replicas(cluster: Cluster, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Run the command with --json; exit code and the replicas' results by name."""
    code, output = startsync(cluster, "--json", *arguments)
    result = json.loads(output.splitlines()[-1])
    assert result["exit_code"] == code
    print(output)
    return code, {each["name"]: each for each in result["replicas"]}


def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


def older(cluster: Cluster, name: str, sql: str) -> None:
    """Run a replication statement in the vendor's words: written in MySQL's, changed for MariaDB."""
    if cluster.flavor is Flavor.MARIADB:
        sql = sql.replace("REPLICATION SOURCE", "MASTER").replace("SOURCE", "MASTER").replace("REPLICA", "SLAVE")
    query(cluster, name, sql)


def detach(cluster: Cluster, name: str) -> None:
    """Let it follow nobody and forget how far it came, so that it has to be copied."""
    older(cluster, name, "STOP REPLICA")
    older(cluster, name, "RESET REPLICA ALL")
    if cluster.flavor is Flavor.MARIADB:
        query(cluster, name, "RESET MASTER", "SET GLOBAL gtid_slave_pos = ''")
    else:
        query(cluster, name, "RESET BINARY LOGS AND GTIDS")


def writable(cluster: Cluster, name: str) -> None:
    if cluster.flavor is Flavor.MYSQL:
        query(cluster, name, "SET GLOBAL super_read_only = 0")


def caught_up(cluster: Cluster, name: str) -> bool:
    if cluster.flavor is Flavor.MARIADB:
        wanted = query(cluster, "dbwrite", "SELECT @@gtid_binlog_pos AS g")[0]["g"]
        return bool(query(cluster, name, "SELECT @@gtid_slave_pos AS g")[0]["g"] == wanted)
    wanted = query(cluster, "dbwrite", "SELECT @@GLOBAL.gtid_executed AS g")[0]["g"]
    row = query(cluster, name, f"SELECT GTID_SUBSET('{wanted}', @@GLOBAL.gtid_executed) AS done")[0]
    return bool(row["done"])


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def contents(cluster: Cluster, name: str) -> dict[str, Any]:
    """Every definition, checksum and account of a server, in a form that can be compared."""
    found: dict[str, Any] = {}
    with connection(cluster, name) as opened, opened.cursor() as cursor:

        def rows(sql: str) -> list[Any]:
            cursor.execute(sql)
            return [tuple(row.values()) for row in cursor.fetchall()]

        in_zoo = "(" + ", ".join(opened.escape(schema) for schema in ZOO) + ")"
        if cluster.flavor is Flavor.MYSQL:
            rows("SET SESSION print_identified_with_as_hex = 1")
        for schema in ZOO:
            found[schema] = rows(f"SHOW CREATE DATABASE {quoted(schema)}")
        tables = (
            f"SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA IN {in_zoo}"
        )
        for schema, table, kind in rows(tables):
            key = f"{quoted(schema)}.{quoted(table)}"
            found[f"definition of {key}"] = [_normal(str(row[1])) for row in rows(f"SHOW CREATE TABLE {key}")]
            if kind != "VIEW" and (schema, table) not in NO_CHECKSUM:
                found[f"checksum of {key}"] = rows(f"CHECKSUM TABLE {key} EXTENDED")
            if kind == "SEQUENCE":
                found[f"state of {key}"] = rows(f"SELECT * FROM {key}")
            if kind == "SYSTEM VERSIONED":
                found[f"history of {key}"] = sorted(map(repr, rows(f"SELECT * FROM {key} FOR SYSTEM_TIME ALL")))
        found["columns"] = rows(
            "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, ORDINAL_POSITION, COLUMN_TYPE, EXTRA, "
            f"COLLATION_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA IN {in_zoo} ORDER BY 1, 2, 4"
        )
        found["triggers"] = rows(
            "SELECT TRIGGER_SCHEMA, TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_ORDER, ACTION_STATEMENT, SQL_MODE, "
            "DEFINER, CHARACTER_SET_CLIENT, COLLATION_CONNECTION, DATABASE_COLLATION FROM information_schema.TRIGGERS "
            f"WHERE TRIGGER_SCHEMA IN {in_zoo} ORDER BY 1, 2"
        )
        found["routines"] = rows(
            "SELECT ROUTINE_SCHEMA, ROUTINE_TYPE, ROUTINE_NAME, ROUTINE_DEFINITION, SQL_MODE, DEFINER, SECURITY_TYPE, "
            "ROUTINE_COMMENT, DTD_IDENTIFIER, CHARACTER_SET_CLIENT, COLLATION_CONNECTION, DATABASE_COLLATION "
            f"FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA IN {in_zoo} ORDER BY 1, 2, 3"
        )
        found["events"] = rows(
            "SELECT EVENT_SCHEMA, EVENT_NAME, DEFINER, TIME_ZONE, EVENT_DEFINITION, STARTS, EXECUTE_AT, EVENT_COMMENT, "
            f"ON_COMPLETION, SQL_MODE FROM information_schema.EVENTS WHERE EVENT_SCHEMA IN {in_zoo} ORDER BY 1, 2"
        )
        for user, host in rows("SELECT User, Host FROM mysql.user WHERE User NOT LIKE 'm%.%' ORDER BY 1, 2"):
            who = opened.escape(user) + (f"@{opened.escape(host)}" if host else "")
            found[f"grants of {who}"] = sorted(rows(f"SHOW GRANTS FOR {who}"))
            if host:
                found[f"account {who}"] = rows(f"SHOW CREATE USER {who}")
    return found


def _normal(definition: str) -> str:
    # Counting on is no part of the definition. Spelling out the character set that a collation implies is MySQL's way
    # to say that the collation was given, as it is in each statement that SHOW CREATE TABLE gave before.
    return re.sub(r" AUTO_INCREMENT=\d+| CHARACTER SET \w+(?= COLLATE)", "", definition)


def differences(wanted: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    different = {key for key in wanted | found if wanted.get(key) != found.get(key)}
    return {key: [_only(wanted.get(key), found.get(key)), _only(found.get(key), wanted.get(key))] for key in different}


def _only(these: list[Any] | None, those: list[Any] | None) -> list[Any]:
    return [each for each in these or [] if each not in (those or [])]


class Traffic:
    """A writer on the primary: inserts, updates, deletes and now and then a transaction that is rolled back."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.transactions = 0

    def __enter__(self) -> "Traffic":
        query(
            self._cluster,
            "dbwrite",
            "DROP TABLE IF EXISTS zoo.traffic",
            "CREATE TABLE zoo.traffic (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
            "DELETE FROM zoo.old_style WHERE id >= 10",
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        with connection(self._cluster, "dbwrite") as opened, opened.cursor() as cursor:
            while not self._stop.is_set():
                number = self.transactions
                cursor.execute("BEGIN")
                cursor.execute(f"INSERT INTO zoo.traffic (v) VALUES ({number}), ({number})")
                cursor.execute(f"UPDATE zoo.traffic SET v = v + 1 WHERE id % 7 = {number % 7}")
                cursor.execute(f"DELETE FROM zoo.traffic WHERE id = {number // 2}")
                cursor.execute("ROLLBACK" if number % 10 == 9 else "COMMIT")
                cursor.execute(f"INSERT INTO zoo.old_style VALUES ({number + 10}, 'x')")
                self.transactions += 1
                time.sleep(0.002)


def test_dry_run_shows_the_sql_and_changes_nothing(blank: Cluster) -> None:
    code, output = startsync(blank, "--dry-run")
    assert code == ExitCode.OK
    assert re.search(r"CHANGE (MASTER|REPLICATION SOURCE) TO \w+_HOST = '127.0.0.1'", output)
    assert "PASSWORD = '***'" in output
    assert query(blank, "dbread1", "SHOW DATABASES LIKE 'manyreads'") == []
    assert query(blank, "dbwrite", "SELECT 1 FROM mysql.user WHERE User LIKE 'manyreads%'") == []


def test_refuses_an_empty_primary_for_a_replica_that_holds_data(blank: Cluster) -> None:
    own_data(blank, "dbread1")
    code, result = replicas(blank, "--force", "dbread1")
    assert code == ExitCode.REFUSED
    assert "holds no data but dbread1" in result["dbread1"]["error"]
    assert result["dbread2"]["ok"], "the other one is finished nevertheless"
    assert len(query(blank, "dbread1", "SELECT * FROM precious.t")) == 2


def test_refuses_to_wipe_data_and_says_what_would_be_lost(stranger: Cluster) -> None:
    code, output = startsync(stranger)
    assert code == ExitCode.REFUSED
    assert "schema precious: 1 tables, about 2 rows" in output
    assert "--force dbread1" in output
    assert len(query(stranger, "dbread1", "SELECT * FROM precious.t")) == 2


def test_everything_arrives_identical_while_the_primary_is_written_to(stranger: Cluster) -> None:
    with Traffic(stranger) as traffic:
        eventually(lambda: traffic.transactions > 10, "the writer writes")
        before = traffic.transactions
        code, result = replicas(stranger, "--force", "dbread1")
        assert traffic.transactions > before
    assert code == ExitCode.OK, [each["error"] for each in result.values()]
    assert result["dbread1"]["action"] == "copy"
    assert result["dbread1"]["rows"] > 20_000
    eventually(lambda: caught_up(stranger, "dbread1"), "dbread1 catches up")
    assert not differences(contents(stranger, "dbwrite"), contents(stranger, "dbread1"))
    assert query(stranger, "dbread1", "SHOW DATABASES LIKE 'precious'") == []


def test_everything_arrives_identical_beside_the_live_tables(ready: Cluster) -> None:
    """An altered view, a table of its own and wrong rows are gone afterwards."""
    writable(ready, "dbread1")
    query(
        ready,
        "dbread1",
        "SET SESSION sql_log_bin = 0",
        "CREATE DATABASE own",
        "CREATE TABLE own.t (id INT PRIMARY KEY)",
        "CREATE VIEW own.v AS SELECT id FROM own.t",
        "DELETE FROM zoo.huge WHERE id = 2",
    )
    with Traffic(ready) as traffic:
        eventually(lambda: traffic.transactions > 10, "the writer writes")
        environment = ["--environment", str(ready.environment_file), "--wait", str(DEADLINE)]
        done = CliRunner().invoke(resync, ["dbread1", "--shadow", *environment])
        assert done.exit_code == ExitCode.OK, done.output
    assert "copy beside and exchange" in done.output
    eventually(lambda: caught_up(ready, "dbread1"), "dbread1 catches up")
    assert not differences(contents(ready, "dbwrite"), contents(ready, "dbread1"))
    left = query(ready, "dbread1", "SHOW DATABASES")
    assert not [row for row in left if re.match("own|manyreads_shadow", row["Database"])]


def test_it_becomes_read_only_while_it_applies(ready: Cluster) -> None:
    """The lock that this takes must not stop MySQL's workers, who wait for each other to commit in order."""
    words = dialect(ready.flavor)
    closing = [*words.pause(), *words.writable(), *words.read_only(), *words.resume()]
    primary, replica = ready.server("dbwrite"), ready.server("dbread1")
    server = Server(replica.name, replica.host, replica.port, Role.REPLICA, primary.user, primary.password)

    async def close_again_and_again() -> None:
        async with connected(server) as client:
            for _ in range(100):
                await perform(client, closing)

    with Traffic(ready) as traffic:
        eventually(lambda: traffic.transactions > 10, "the writer writes")
        asyncio.run(close_again_and_again())
    eventually(lambda: caught_up(ready, "dbread1"), "dbread1 catches up")
    assert not differences(contents(ready, "dbwrite"), contents(ready, "dbread1"))


def test_an_event_sleeps_on_the_replica(ready: Cluster) -> None:
    status = query(ready, "dbread1", "SELECT EVENT_NAME, STATUS FROM information_schema.EVENTS ORDER BY 1")
    assert [row["STATUS"] for row in status] in (
        ["SLAVESIDE_DISABLED", "DISABLED"],
        ["REPLICA_SIDE_DISABLED", "DISABLED"],
    )


def test_the_old_credentials_are_dead(ready: Cluster) -> None:
    with pytest.raises(pymysql.err.OperationalError, match="1045"):
        connection(ready, "dbread1", ready.server("dbread1").password)
    connection(ready, "dbread1", ready.server("dbwrite").password).close()


def test_clients_cannot_write_to_a_replica(ready: Cluster) -> None:
    variable = "read_only" if ready.flavor is Flavor.MARIADB else "super_read_only"
    assert query(ready, "dbread1", f"SELECT @@GLOBAL.{variable} AS v")[0]["v"] == 1


def test_running_again_is_harmless(ready: Cluster) -> None:
    before = contents(ready, "dbwrite")
    code, result = replicas(ready, "--force", "dbread1")
    assert code == ExitCode.OK
    assert {each["action"] for each in result.values()} == {"leave alone"}
    assert differences(before, contents(ready, "dbwrite")) == {}


def test_equal_server_ids_are_made_different(ready: Cluster) -> None:
    taken = query(ready, "dbread1", "SELECT @@server_id AS id")[0]["id"]
    query(ready, "dbread2", f"SET GLOBAL server_id = {taken}")
    code, result = replicas(ready)
    assert code == ExitCode.OK, [each["error"] for each in result.values()]
    numbers = [query(ready, server.name, "SELECT @@server_id AS id")[0]["id"] for server in ready.servers]
    assert len(set(numbers)) == 3


def test_a_stopped_replica_is_started_again(ready: Cluster) -> None:
    older(ready, "dbread2", "STOP REPLICA")
    query(ready, "dbwrite", "DELETE FROM zoo.empty_table", "INSERT INTO zoo.empty_table VALUES (1)")
    code, result = replicas(ready)
    assert code == ExitCode.OK
    assert result["dbread2"]["action"] == "restart replication"
    assert len(query(ready, "dbread2", "SELECT * FROM zoo.empty_table")) == 1


def test_a_replica_that_cannot_log_in_gets_the_right_password(ready: Cluster) -> None:
    query(ready, "dbwrite", "ALTER USER manyreads_repl IDENTIFIED BY 'Changed-1-by-hand'")
    eventually(lambda: caught_up(ready, "dbread2"), "dbread2 catches up")
    older(ready, "dbread2", "STOP REPLICA")
    older(ready, "dbread2", "START REPLICA")
    eventually(lambda: status(ready, "dbread2")[0]["Last_IO_Errno"] == 1045, "dbread2 is refused")
    code, result = replicas(ready)
    assert code == ExitCode.OK, [each["error"] for each in result.values()]
    assert result["dbread2"]["action"] == "attach again"


def test_a_killed_copy_is_started_again(ready: Cluster) -> None:
    detach(ready, "dbread1")
    environment = str(ready.environment_file)
    process = subprocess.Popen(
        [sys.executable, "-m", "replication.startsync", "--environment", environment],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    marker = "SELECT phase FROM manyreads.marker"
    eventually(lambda: query(ready, "dbread1", marker)[0]["phase"] == "copying", "dbread1 is being copied")
    process.kill()
    process.wait()
    assert query(ready, "dbread1", marker)[0]["phase"] != "done"
    eventually(lambda: _lock_is_free(ready), "the killed run's lock is given up")
    code, result = replicas(ready)
    assert code == ExitCode.OK, [each["error"] for each in result.values()]
    assert result["dbread1"]["action"] == "copy"
    eventually(lambda: caught_up(ready, "dbread1"), "dbread1 catches up")
    assert not differences(contents(ready, "dbwrite"), contents(ready, "dbread1"))


def _lock_is_free(cluster: Cluster) -> bool:
    return bool(query(cluster, "dbwrite", "SELECT IS_FREE_LOCK('manyreads.startsync') AS free")[0]["free"])


def test_an_interrupted_run_says_so(ready: Cluster) -> None:
    detach(ready, "dbread1")
    process = subprocess.Popen(
        [sys.executable, "-m", "replication", "startsync", "--environment", str(ready.environment_file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    marker = "SELECT phase FROM manyreads.marker"
    eventually(lambda: query(ready, "dbread1", marker)[0]["phase"] == "copying", "dbread1 is being copied")
    os.kill(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "run the same command again" in errors
    assert "Traceback" not in errors
    eventually(lambda: _lock_is_free(ready), "the run's lock is given up")
    assert replicas(ready)[0] == ExitCode.OK


def test_a_second_run_at_the_same_time_is_refused(cluster: Cluster) -> None:
    with connection(cluster, "dbwrite") as opened, opened.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK('manyreads.startsync', 5)")
        code, output = startsync(cluster)
    assert code == ExitCode.REFUSED
    assert "another run" in output


def test_a_replica_of_another_server_is_refused(ready: Cluster) -> None:
    detach(ready, "dbread1")
    other = ready.server("dbread2")
    older(ready, "dbread1", f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{other.host}', SOURCE_PORT = {other.port}")
    code, result = replicas(ready)
    assert code == ExitCode.REFUSED
    assert f"follows {other.host}:{other.port}" in result["dbread1"]["error"]
    assert "--force dbread1" in result["dbread1"]["remedy"]
    older(ready, "dbread1", "RESET REPLICA ALL")


def test_a_replica_with_transactions_of_its_own_is_refused(ready: Cluster) -> None:
    detach(ready, "dbread1")
    writable(ready, "dbread1")
    query(ready, "dbread1", "CREATE DATABASE errant")
    if ready.flavor is Flavor.MARIADB:
        query(ready, "dbread1", "SET SESSION gtid_seq_no = 1000000", "CREATE DATABASE errant2")
    code, result = replicas(ready)
    assert code == ExitCode.REFUSED
    assert "lacks" in result["dbread1"]["error"]
    assert replicas(ready, "--force", "dbread1")[0] == ExitCode.OK
    assert query(ready, "dbread1", "SHOW DATABASES LIKE 'errant%'") == []


def test_broken_replication_is_reported_and_mended_by_force(ready: Cluster) -> None:
    query(ready, "dbwrite", "DELETE FROM zoo.empty_table")
    eventually(lambda: caught_up(ready, "dbread1"), "dbread1 catches up")
    writable(ready, "dbread1")
    query(ready, "dbread1", "SET SESSION sql_log_bin = 0", "INSERT INTO zoo.empty_table VALUES (42)")
    query(ready, "dbwrite", "INSERT INTO zoo.empty_table VALUES (42)")
    eventually(lambda: status(ready, "dbread1")[0]["Last_SQL_Errno"] != 0, "dbread1 stops")
    code, result = replicas(ready)
    assert code == ExitCode.BROKEN
    assert "1062" in result["dbread1"]["error"]
    assert result["dbread2"]["ok"]
    assert replicas(ready, "--force", "dbread1")[0] == ExitCode.OK


def url(server: LocalServer, *, host: str | None = None, password: str | None = None) -> str:
    return f"mysql://{server.user}:{password or server.password}@{host or server.host}:{server.port}"


def test_the_primary_under_another_name_is_no_replica(cluster: Cluster) -> None:
    primary = cluster.server("dbwrite")
    code, output = startsync(cluster, "--writer", url(primary), "--reader", url(primary, host="localhost"))
    assert code == ExitCode.REFUSED
    assert "is the primary itself" in output


def test_wrong_credentials_fail_at_once(cluster: Cluster) -> None:
    primary, replica = cluster.server("dbwrite"), cluster.server("dbread1")
    code, output = startsync(cluster, "--writer", url(primary, password="wrong"), "--reader", url(replica))
    assert code == ExitCode.USAGE
    assert "1045" in output
    assert "wrong" not in output


def test_a_server_that_never_answers_is_named(cluster: Cluster) -> None:
    primary = cluster.server("dbwrite")
    reader = "mysql://root:x@127.0.0.1:1"
    code, output = startsync(cluster, "--writer", url(primary), "--reader", reader, "--wait", "0.2")
    assert code == ExitCode.NOT_READY
    assert "dbread1 (127.0.0.1:1) did not answer in time" in output


def test_force_names_an_existing_replica(cluster: Cluster) -> None:
    code, output = startsync(cluster, "--force", "dbread9")
    assert code == ExitCode.USAGE
    assert "dbread9" in output
