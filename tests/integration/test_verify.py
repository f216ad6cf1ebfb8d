"""verify on real servers of both vendors. The tests of one vendor share a cluster and run in order."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest
from typer.testing import CliRunner

from replication.errors import ExitCode
from replication.sandbox import Cluster, Flavor
from replication.verify import app
from tests.integration.schema_zoo import statements
from tests.support.clusters import blank_cluster, start_replication
from tests.support.waiting import wait_until

ROWS = 60_000


@pytest.fixture(scope="module", params=list(Flavor))
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with blank_cluster(Flavor(request.param), readers=1) as cluster:
        run(cluster, "dbwrite", *statements(cluster.flavor))
        run(
            cluster,
            "dbwrite",
            "CREATE TABLE zoo.big (a VARCHAR(20) COLLATE utf8mb4_unicode_ci, b INT, v DOUBLE, PRIMARY KEY (a, b))",
            "INSERT INTO zoo.big WITH RECURSIVE s AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM s WHERE i < 1000) "
            "SELECT CONCAT(CHAR(65 + b.i % 57 USING utf8mb4), 'é', b.i), a.i, a.i / 3 "
            f"FROM s a JOIN s b ON b.i <= {ROWS // 1000}",
            "CREATE TABLE zoo.load_target (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
        )
        start_replication(cluster)
        yield cluster


def run(cluster: Cluster, name: str, *sql: str) -> list[dict[str, Any]]:
    """Run the statements in one connection with the primary's login, once replicas have that; the rows of the last."""
    server, login = cluster.server(name), cluster.server("dbwrite")
    with (
        pymysql.connect(
            host=server.host,
            port=server.port,
            user=login.user,
            password=login.password,
            autocommit=True,
            cursorclass=pymysql.cursors.DictCursor,
        ) as connection,
        connection.cursor() as cursor,
    ):
        for statement in sql:
            cursor.execute(statement)
        return list(cursor.fetchall())


def damage(cluster: Cluster, *sql: str) -> None:
    """Change the replica behind the primary's back, and behind its own binary log's."""
    if cluster.flavor is Flavor.MARIADB:
        run(cluster, "dbread1", "SET sql_log_bin = 0", *sql)
        return
    run(
        cluster,
        "dbread1",
        "SET GLOBAL super_read_only = 0",
        "SET sql_log_bin = 0",
        *sql,
        "SET GLOBAL super_read_only = 1",
    )


def verify(cluster: Cluster, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run the command with --json; exit code and what it found on the one replica."""
    environment = str(cluster.environment_file)
    # On a busy machine even little takes long.
    result = CliRunner().invoke(app, ["--environment", environment, "--max-pause", "20", "--json", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    print(result.output)
    found = json.loads(result.output.splitlines()[-1])
    assert found["exit_code"] == result.exit_code
    return result.exit_code, found["replicas"][0]


def replicating(cluster: Cluster) -> bool:
    words = "SHOW ALL SLAVES STATUS" if cluster.flavor is Flavor.MARIADB else "SHOW REPLICA STATUS"
    row = run(cluster, "dbread1", words)[0]
    threads = [value for key, value in row.items() if key.endswith(("IO_Running", "SQL_Running"))]
    return threads == ["Yes", "Yes"]


def executed(cluster: Cluster) -> str:
    variable = "gtid_binlog_pos" if cluster.flavor is Flavor.MARIADB else "gtid_executed"
    return str(run(cluster, "dbwrite", f"SELECT @@GLOBAL.{variable} AS g")[0]["g"])


def transactions(gtid: str) -> int:
    return int(re.findall(r"\d+", gtid)[-1])


@contextmanager
def load(cluster: Cluster) -> Iterator[list[int]]:
    """One client that writes; the list grows by one with each transaction."""
    done: list[int] = []
    stop = threading.Event()

    def write() -> None:
        server = cluster.server("dbwrite")
        with (
            pymysql.connect(
                host=server.host, port=server.port, user=server.user, password=server.password, autocommit=True
            ) as connection,
            connection.cursor() as cursor,
        ):
            while not stop.is_set():
                cursor.execute(f"INSERT INTO zoo.load_target (v) VALUES ({len(done)})")
                done.append(1)
                cursor.execute(f"UPDATE zoo.big SET v = v + 1 WHERE b = {len(done) % 1000}")
                done.append(1)
                time.sleep(0.001)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        wait_until(lambda: len(done) > 10, "the client writes", lambda: str(len(done)))
        yield done
    finally:
        stop.set()
        thread.join(30)


def test_one_of_everything_is_equal_under_load(cluster: Cluster) -> None:
    before = transactions(executed(cluster))
    with load(cluster) as done:
        code, found = verify(cluster)
        assert len(done) > 10
    assert code == ExitCode.OK, found
    assert found["equal"]
    assert found["rows"] > ROWS + 20_000
    assert found["paused_seconds"] < found["seconds"]
    assert transactions(executed(cluster)) - before == len(done), "only the load wrote on the primary"
    wait_until(lambda: replicating(cluster), "the replica goes on")


def test_the_documented_privileges_are_enough(cluster: Cluster) -> None:
    documentation = (Path(__file__).parents[2] / "docs" / "replication.md").read_text()
    section = documentation.split("For `verify`, on MySQL")[1].split("For startsync with")[0]
    mysql, mariadb = section.split("On MariaDB:")
    grants = re.findall(r"GRANT [^;]+", mariadb if cluster.flavor is Flavor.MARIADB else mysql)
    run(cluster, "dbwrite", "CREATE USER verifier@'%' IDENTIFIED BY 'v'", *grants)
    arrived = "SELECT 1 FROM mysql.user WHERE User = 'verifier'"
    wait_until(lambda: bool(run(cluster, "dbread1", arrived)), "the account arrives")
    servers = [cluster.server(name) for name in ("dbwrite", "dbread1")]
    writer, reader = (f"mysql://verifier:v@{server.host}:{server.port}" for server in servers)
    result = CliRunner().invoke(app, ["--writer", writer, "--reader", reader, "--json"])
    assert result.exit_code == ExitCode.OK, result.output


def test_planted_damage_is_named_to_the_row_under_load(cluster: Cluster) -> None:
    damage(
        cluster,
        "DELETE FROM zoo.numbers WHERE id = 3",
        "INSERT INTO zoo.parts VALUES (500, 1999)",
        "UPDATE zoo.big SET v = NULL WHERE a = 'yé56' AND b = 100",
        "UPDATE zoo.big SET a = UPPER(a) WHERE a = 'yé56' AND b = 500",
    )
    with load(cluster):
        code, found = verify(cluster)
    assert code == ExitCode.DIVERGED
    assert found["equal"] is False
    assert found["definitions"] == []
    by_table = {each["table"]: each for each in found["chunks"]}
    assert set(by_table) == {"`zoo`.`numbers`", "`zoo`.`parts`", "`zoo`.`big`"}
    assert counts(by_table["`zoo`.`numbers`"]) == (1, 0, 0)
    assert by_table["`zoo`.`numbers`"]["keys"] == ["3"]
    assert counts(by_table["`zoo`.`parts`"]) == (0, 1, 0)
    assert by_table["`zoo`.`parts`"]["keys"] == ["(500, 1999)"]
    big = [each for each in found["chunks"] if each["table"] == "`zoo`.`big`"]
    assert len(big) == 1, "both rows are close to each other"
    assert big[0]["after"] is not None
    assert big[0]["primary_rows"] <= 20_000


def counts(chunk: dict[str, Any]) -> tuple[int, int, int]:
    return chunk["missing"], chunk["extra"], chunk["changed"]


def test_only_what_differs_is_written_anew_under_load(cluster: Cluster) -> None:
    before, own = transactions(executed(cluster)), own_transactions(cluster)
    with load(cluster) as done:
        code, found = verify(cluster, "--repair")
    assert code == ExitCode.OK, found
    assert found["equal"]
    assert {each["table"] for each in found["repaired"]} == {"`zoo`.`numbers`", "`zoo`.`parts`", "`zoo`.`big`"}
    assert sum(each["primary_rows"] for each in found["repaired"]) <= 2_000, "no more than the rows around them"
    assert transactions(executed(cluster)) - before == len(done), "only the load wrote on the primary"
    assert own_transactions(cluster) == own, "nothing got into the replica's own binary log"
    assert read_only(cluster)
    code, found = verify(cluster)
    assert code == ExitCode.OK, found


def own_transactions(cluster: Cluster) -> str:
    """What the replica has executed beyond what it got from its primary."""
    if cluster.flavor is Flavor.MARIADB:
        row = run(cluster, "dbread1", "SELECT @@server_id AS id, @@gtid_binlog_state AS g")[0]
        return ",".join(each for each in str(row["g"]).split(",") if f"-{row['id']}-" in each)
    uuid = run(cluster, "dbread1", "SELECT @@server_uuid AS id, @@GLOBAL.gtid_executed AS g")[0]
    return ",".join(each for each in str(uuid["g"]).split(",") if uuid["id"] in each)


def read_only(cluster: Cluster) -> bool:
    variable = "read_only" if cluster.flavor is Flavor.MARIADB else "super_read_only"
    return bool(run(cluster, "dbread1", f"SELECT @@GLOBAL.{variable} AS v")[0]["v"])


def test_a_table_whose_triggers_would_change_the_rows_is_not_repaired(cluster: Cluster) -> None:
    damage(cluster, "UPDATE zoo.counted SET v = 5 WHERE id = 77")
    code, found = verify(cluster, "--repair")
    assert code == ExitCode.REFUSED
    assert "`zoo`.`counted`" in found["error"]
    wait_until(lambda: replicating(cluster), "the replica goes on")
    row = run(cluster, "dbwrite", "SELECT v FROM zoo.counted WHERE id = 77")[0]
    damage(cluster, f"UPDATE zoo.counted SET v = {row['v']} WHERE id = 77")


def test_tables_of_every_kind_are_repaired(cluster: Cluster) -> None:
    damaged = ("numbers", "strings", "choices", "times", "shapes", "documents", "keyless", "derived", "old_style")
    damage(cluster, "SET foreign_key_checks = 0", *(f"DELETE FROM zoo.{table} LIMIT 2" for table in damaged))
    code, found = verify(cluster, "--repair")
    assert code == ExitCode.OK, found
    assert {each["table"] for each in found["repaired"]} >= {f"`zoo`.`{table}`" for table in damaged}


def test_missing_extra_and_different_tables_are_named(cluster: Cluster) -> None:
    damage(
        cluster,
        "DROP TABLE zoo.choices",
        "CREATE TABLE zoo.stray (id INT PRIMARY KEY)",
        "ALTER TABLE zoo.keyless MODIFY b VARCHAR(10)",
        "DROP VIEW zoo.aaa_needs_zzz",
    )
    code, found = verify(cluster, "dbread1")
    assert code == ExitCode.DIVERGED
    assert {(each["kind"], each["name"], each["problem"]) for each in found["definitions"]} == {
        ("table", "`zoo`.`choices`", "missing"),
        ("table", "`zoo`.`stray`", "extra"),
        ("table", "`zoo`.`keyless`", "differs"),
        ("view", "`zoo`.`aaa_needs_zzz`", "missing"),
    }


def delay(cluster: Cluster, seconds: int) -> None:
    """Let the replica apply everything so much later."""
    if cluster.flavor is Flavor.MARIADB:
        run(cluster, "dbread1", "STOP SLAVE", f"CHANGE MASTER TO MASTER_DELAY = {seconds}", "START SLAVE")
        return
    change = f"CHANGE REPLICATION SOURCE TO SOURCE_DELAY = {seconds}"
    run(cluster, "dbread1", "STOP REPLICA SQL_THREAD", change, "START REPLICA SQL_THREAD")


def test_a_replica_that_cannot_be_held_so_long_goes_on(cluster: Cluster) -> None:
    delay(cluster, 60)
    run(cluster, "dbwrite", "INSERT INTO zoo.load_target (v) VALUES (1)")
    code, found = verify(cluster, "--max-pause", "0.5")
    assert code == ExitCode.NOT_READY
    assert "held for more than 0.5 seconds" in found["error"]
    assert found["equal"] is None
    wait_until(lambda: replicating(cluster), "the replica goes on while it is late")
    delay(cluster, 0)
    wait_until(lambda: replicating(cluster), "the replica goes on")


def test_a_dry_run_shows_the_sql_and_stops_nothing(cluster: Cluster) -> None:
    result = CliRunner().invoke(app, ["--environment", str(cluster.environment_file), "--dry-run"])
    assert result.exit_code == ExitCode.OK
    assert re.search(r"STOP (SLAVE|REPLICA SQL_THREAD);", result.output)
    assert re.search(r"UNTIL (master_gtid_pos|SQL_AFTER_GTIDS) = ", result.output)
    assert replicating(cluster)
