"""A planned change of the primary on real servers, under load. The tests of one vendor share servers, in order."""

import asyncio
import itertools
import json
import signal
import subprocess
import sys
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
from replication.handover import Options, hand_over
from replication.report import SilentReporter
from replication.sandbox import Cluster, Flavor
from replication.startsync import app as startsync_command
from replication.status import app as status_command
from replication.switchover import app as switchover_command
from replication.verify import app as verify_command
from tests.support.clients import Connection, direct, run
from tests.support.clusters import blank_cluster, replicating_cluster, start_replication
from tests.support.waiting import wait_until
from topology.environment import deployment, read_environment
from topology.gtid import covers

ROOT = Path(__file__).parents[2]
PASSWORD = "App-1234"
ROLES = {
    name: {"MASTER": name, "SLAVES": " ".join(others)}
    for name, others in (
        ("dbwrite", ("dbread1", "dbread2")),
        ("dbread1", ("dbwrite", "dbread2")),
    )
}


@pytest.fixture(scope="module", params=list(Flavor))
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with replicating_cluster(Flavor(request.param)) as made:
        query(
            made,
            "dbwrite",
            "CREATE DATABASE app",
            "CREATE TABLE app.t (id INT PRIMARY KEY) ENGINE = InnoDB",
            "CREATE TABLE app.other (id INT PRIMARY KEY) ENGINE = InnoDB",
            f"CREATE USER writer@'%' IDENTIFIED BY '{PASSWORD}'",
            "GRANT ALL ON app.* TO writer@'%'",
            "SET NAMES latin1",
            "CREATE DEFINER = writer@'%' EVENT app.tick ON SCHEDULE EVERY 1 YEAR DO INSERT INTO app.other VALUES (1)",
            "SET GLOBAL event_scheduler = ON",
        )
        yield made


def query(cluster: Cluster, name: str, *statements: str) -> list[tuple[Any, ...]]:
    with direct(cluster, cluster.server(name)) as connection:
        return [row for statement in statements for row in run(connection, statement)][:1000]


def command(app: Any, cluster: Cluster, *arguments: str, primary: str = "dbwrite") -> tuple[int, str]:
    flags = ["--environment", str(cluster.environment_file)]
    result = CliRunner().invoke(app, [*arguments, *flags], env=ROLES[primary])
    return result.exit_code, result.output


def switchover(cluster: Cluster, *arguments: str, primary: str = "dbwrite") -> tuple[int, dict[str, Any]]:
    code, output = command(switchover_command, cluster, *arguments, "--json", primary=primary)
    print(output)
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    assert found["exit_code"] == code
    return code, found


@contextmanager
def switching(cluster: Cluster, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, to be held up and killed."""
    flags = ["--environment", str(cluster.environment_file)]
    with subprocess.Popen(
        [sys.executable, "-m", "replication.switchover", *arguments, *flags],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_line(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    seen = list(itertools.takewhile(lambda line: text not in line, process.stdout))
    assert process.poll() is None, "".join(seen)


@contextmanager
def applier_held(cluster: Cluster, name: str) -> Iterator[None]:
    """The replica gets what is written but cannot apply it."""
    with direct(cluster, cluster.server(name)) as connection:
        run(connection, "FLUSH TABLES WITH READ LOCK")
        yield


def in_step(cluster: Cluster, primary: str) -> None:
    """All three are healthy and exactly equal, in these roles."""

    def healthy() -> bool:
        return command(status_command, cluster, primary=primary)[0] == ExitCode.OK

    wait_until(healthy, "all are healthy", lambda: command(status_command, cluster, primary=primary)[1])
    code, output = command(verify_command, cluster, primary=primary)
    assert code == ExitCode.OK, output


def event_status(cluster: Cluster, name: str) -> str:
    found = query(cluster, name, "SELECT STATUS FROM information_schema.EVENTS WHERE EVENT_NAME = 'tick'")
    return str(found[0][0])


class Writers:
    """Application threads that insert numbers, each at the primary until it refuses, then at the next one."""

    def __init__(self, cluster: Cluster, places: tuple[str, str], first: int, threads: int = 4) -> None:
        self.acknowledged: dict[str, list[tuple[float, int]]] = {place: [] for place in places}
        self.unknown: set[int] = set()
        self._cluster = cluster
        self._places = places
        self._numbers = itertools.count(first)
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        place, connection = self._places[0], self._connect(self._places[0])
        while not self._stopping.is_set():
            number = next(self._numbers)
            try:
                run(connection, f"INSERT INTO app.t VALUES ({number})")
                self.acknowledged[place].append((time.monotonic(), number))
            except pymysql.err.Error as error:
                # 1290: it is read-only. Anything else leaves open whether the row was written.
                if error.args[0] != 1290:
                    self.unknown.add(number)
                connection.close()
                place = self._places[1] if place == self._places[0] else self._places[0]
                connection = self._connect(place)
        connection.close()

    def _connect(self, place: str) -> Connection:
        return direct(self._cluster, self._cluster.server(place), user="writer", password=PASSWORD)

    def wait_for(self, place: str, rows: int = 100) -> None:
        goal = len(self.acknowledged[place]) + rows
        wait_until(lambda: len(self.acknowledged[place]) >= goal, f"{rows} more rows are written to {place}")

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)


def test_a_dry_run_shows_the_sql_and_changes_nothing(cluster: Cluster) -> None:
    code, output = command(switchover_command, cluster, "dbread1", "--dry-run")
    assert code == ExitCode.OK, output
    assert "read_only = 1" in output
    assert "wait until it has all that dbwrite has" in output
    assert cluster.servers[0].password not in output
    in_step(cluster, "dbwrite")


def test_who_is_no_replica_or_not_healthy_is_refused(cluster: Cluster) -> None:
    assert switchover(cluster, "dbread9")[0] == ExitCode.USAGE
    statements = dict(zip(("stop", "start"), _threads(cluster), strict=True))
    query(cluster, "dbread1", statements["stop"])
    code, found = switchover(cluster, "dbread1")
    assert code == ExitCode.REFUSED
    assert "BROKEN_RETRY" in found["error"]
    query(cluster, "dbread1", statements["start"])
    in_step(cluster, "dbwrite")


def _threads(cluster: Cluster) -> tuple[str, str]:
    word = "SLAVE" if cluster.flavor is Flavor.MARIADB else "REPLICA"
    return f"STOP {word} SQL_THREAD", f"START {word} SQL_THREAD"


def test_everything_is_undone_when_the_successor_does_not_get_there(cluster: Cluster) -> None:
    with (
        direct(cluster, cluster.server("dbwrite"), autocommit=False) as writer,
        applier_held(cluster, "dbread1"),
        switching(cluster, "dbread1", "--drain", "30", "--max-pause", "1") as process,
    ):
        run(writer, "INSERT INTO app.other VALUES (2)")
        wait_for_line(process, "waiting for 1 open transactions")
        writer.commit()
        output = process.communicate(timeout=60)[0]
        assert process.returncode == ExitCode.NOT_READY, output
        assert "accepts writes again" in output
        assert "did not get everything within 1 seconds" in output
    query(cluster, "dbwrite", "INSERT INTO app.other VALUES (3)")
    assert event_status(cluster, "dbwrite") == "ENABLED"
    assert query(cluster, "dbwrite", "SELECT @@event_scheduler, @@read_only") == [("ON", 0)]
    in_step(cluster, "dbwrite")


def test_no_write_is_lost_or_made_twice_under_load(cluster: Cluster) -> None:
    definition = query(cluster, "dbwrite", "SHOW CREATE EVENT app.tick")
    writers = Writers(cluster, ("dbwrite", "dbread1"), 1000)
    with direct(cluster, cluster.server("dbwrite"), autocommit=False) as idle:
        writers.wait_for("dbwrite")
        run(idle, "INSERT INTO app.other VALUES (4)")
        code, found = switchover(cluster, "dbread1", "--drain", "0.5")
        writers.wait_for("dbread1")
        with pytest.raises(pymysql.err.Error):
            idle.commit()
    writers.stop()
    assert code == ExitCode.OK, found
    assert found["action"] == "switch over"
    assert found["transactions_ended"] >= 1
    assert 0 < found["paused_seconds"] < 5
    assert [each["name"] for each in found["replicas"]] == ["dbwrite", "dbread2"]
    before, after = writers.acknowledged["dbwrite"], writers.acknowledged["dbread1"]
    assert max(before)[0] < min(after)[0], "the new primary was written to before the old one had stopped"
    rows = {row[0] for row in query_all(cluster, "dbread1")}
    acknowledged = {number for _, number in before + after}
    assert acknowledged <= rows
    assert rows - acknowledged <= writers.unknown
    assert not [row for row in query(cluster, "dbread1", "SELECT id FROM app.other") if row == (4,)]
    assert [event_status(cluster, name) == "ENABLED" for name in ("dbwrite", "dbread1", "dbread2")] == [
        False,
        True,
        False,
    ]
    assert query(cluster, "dbread1", "SHOW CREATE EVENT app.tick") == definition
    assert query(cluster, "dbwrite", "SELECT @@read_only") == [(1,)]
    in_step(cluster, "dbread1")
    assert _executed_covers(cluster, "dbread1", "dbwrite")


def query_all(cluster: Cluster, name: str) -> list[tuple[Any, ...]]:
    with direct(cluster, cluster.server(name)) as connection:
        return list(run(connection, "SELECT id FROM app.t"))


def _executed_covers(cluster: Cluster, one: str, other: str) -> bool:
    variable = "gtid_binlog_pos" if cluster.flavor is Flavor.MARIADB else "gtid_executed"
    have, want = (str(query(cluster, name, f"SELECT @@global.{variable}")[0][0]) for name in (one, other))
    return covers(cluster.flavor, have.replace("\n", ""), want.replace("\n", ""))


def test_with_the_old_roles_nothing_is_changed_any_more(cluster: Cluster) -> None:
    code, found = switchover(cluster, "dbread1")
    assert (code, found["action"]) == (ExitCode.OK, "none")
    code, output = command(startsync_command, cluster)
    assert code == ExitCode.REFUSED
    assert "roles were exchanged" in output
    code, output = command(status_command, cluster, "--json")
    assert code == ExitCode.BROKEN
    seen = {each["name"]: each for each in json.loads(output)["replicas"]}
    assert {each["state"] for each in seen.values()} == {"FOREIGN"}
    assert {each["remedy"] for each in seen.values()} == {"name dbread1 as the primary and dbwrite as a replica"}
    assert "is where writes go" in seen["dbread1"]["reason"]
    in_step(cluster, "dbread1")


def test_a_killed_run_is_gone_on_with(cluster: Cluster) -> None:
    """Back to dbwrite; killed while nobody can write, and again just after the new primary accepts writes."""
    file = cluster.directory / "roles.json"
    file.write_text(json.dumps(json.loads(cluster.environment_file.read_text()) | ROLES["dbread1"]))
    arguments = ["--environment", str(file), "--drain", "30"]
    with direct(cluster, cluster.server("dbread1"), autocommit=False) as writer, applier_held(cluster, "dbwrite"):
        command_line = [sys.executable, "-m", "replication.switchover", "dbwrite", *arguments]
        with subprocess.Popen(command_line, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            run(writer, "INSERT INTO app.other VALUES (5)")
            wait_for_line(process, "waiting for 1 open transactions")
            writer.commit()
            wait_for_line(process, "refusing writes")
            wait_until(lambda: query(cluster, "dbread1", "SELECT @@read_only") == [(1,)], "dbread1 is closed")
            process.send_signal(signal.SIGKILL)
    with pytest.raises(_Died):
        _die_when(cluster, "accepts writes, as the primary")
    query(cluster, "dbwrite", "INSERT INTO app.other VALUES (6)")
    code, found = switchover(cluster, "dbwrite", primary="dbread1")
    assert code == ExitCode.OK, found
    assert found["action"] == "go on"
    assert query(cluster, "dbwrite", "SELECT id FROM app.other WHERE id IN (5, 6)") == [(5,), (6,)]
    in_step(cluster, "dbwrite")


class _Died(Exception):
    """As if the process had gone."""


def _die_when(cluster: Cluster, text: str) -> None:
    class Dying(SilentReporter):
        def say(self, server: str, message: str) -> None:
            if text in message:
                raise _Died

    variables = json.loads(cluster.environment_file.read_text()) | ROLES["dbread1"]
    file = cluster.directory / "roles.json"
    file.write_text(json.dumps(variables))
    found = deployment(read_environment({}, file))
    asyncio.run(hand_over(found, Options("dbwrite"), Dying()))


def test_a_replica_with_transactions_of_its_own_does_not_take_over(cluster: Cluster) -> None:
    if cluster.flavor is Flavor.MYSQL:
        query(cluster, "dbread1", "SET GLOBAL super_read_only = 0")
    query(cluster, "dbread1", "SET GLOBAL read_only = 0", "INSERT INTO app.other VALUES (99)")
    code, found = switchover(cluster, "dbread1")
    assert code == ExitCode.DIVERGED
    assert "has transactions that dbwrite" in found["error"]
    assert query(cluster, "dbwrite", "SELECT @@read_only") == [(0,)]


@pytest.mark.parametrize("flavor", list(Flavor))
def test_nobody_is_ahead_of_a_new_primary_that_has_logged_nothing(flavor: Flavor) -> None:
    with blank_cluster(flavor) as idle:
        query(idle, "dbwrite", "CREATE DATABASE app")
        start_replication(idle)
        there = switchover(idle, "dbread1")[1]
        code, output = command(status_command, idle, primary="dbread1")
        assert code == ExitCode.OK, output
        # And back, from where it is: what dbwrite has logged before must not be applied again.
        code, back = switchover(idle, "dbwrite", primary="dbread1")
        assert code == ExitCode.OK
        assert covers(flavor, back["gtid"], there["gtid"])
