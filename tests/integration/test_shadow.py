"""resync --shadow on real servers: the replica serves meanwhile, and nothing is lost if it is broken off."""

import json
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
from replication.resync import app as resync_command
from replication.sandbox import Flavor
from replication.startsync import app as startsync_command
from replication.verify import app as verify_command
from tests.support.site import Site, site
from tests.support.waiting import DEADLINE, wait_until

ROOT = Path(__file__).parents[2]
REPLICA = "dbread1"
ROWS = 120_000
SHADOWS = "SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'manyreads\\_shadow%'"


@pytest.fixture(scope="module", params=list(Flavor))
def place(request: pytest.FixtureRequest) -> Iterator[Site]:
    with site(Flavor(request.param)) as made:
        numbers = ", ".join(f"({number})" for number in range(400))
        made.query(
            "dbwrite",
            "CREATE TABLE app.n (n INT PRIMARY KEY)",
            f"INSERT INTO app.n VALUES {numbers}",
            "CREATE TABLE app.big (id INT AUTO_INCREMENT PRIMARY KEY, v INT, w VARCHAR(250), KEY (v), UNIQUE (w))",
            "INSERT INTO app.big (v, w) SELECT a.n, CONCAT(RPAD('x', 150, 'y'), a.n, '/', b.n) "
            f"FROM app.n a, app.n b WHERE b.n < {ROWS // 400}",
            "ANALYZE TABLE app.big",
            "CREATE VIEW app.some AS SELECT id, v FROM app.big WHERE v < 100",
            "CREATE TRIGGER app.of_t BEFORE INSERT ON app.t FOR EACH ROW SET NEW.v = NEW.v + 1",
        )
        assert CliRunner().invoke(startsync_command, made.flags(REPLICA)).exit_code == ExitCode.OK
        yield made


def resync(place: Site, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(resync_command, [REPLICA, *place.flags(REPLICA), "--wait", "30", *arguments])
    return result.exit_code, result.output


def shadow(place: Site) -> dict[str, Any]:
    """A run that succeeds: its result."""
    code, output = resync(place, "--shadow", "--json")
    assert code == ExitCode.OK, output
    found: dict[str, Any] = json.loads(next(line for line in output.splitlines() if line.startswith("{")))
    (replica,) = found["replicas"]
    assert replica["action"] == "copy beside and exchange"
    return dict(replica)


def is_equal(place: Site) -> None:
    result = CliRunner().invoke(verify_command, [REPLICA, *place.flags(REPLICA)])
    assert result.exit_code == ExitCode.OK, result.output


def left_over(place: Site) -> list[str]:
    return [row["name"] for row in place.query(REPLICA, SHADOWS)]


def phase(place: Site, row: int = 1) -> str:
    found = place.query(REPLICA, f"SELECT phase FROM manyreads.marker WHERE id = {row}")
    return str(found[0]["phase"]) if found else ""


class Reader(threading.Thread):
    """Reads on the replica, through a table and a view, until it is stopped; it must never get an error."""

    def __init__(self, place: Site) -> None:
        super().__init__(daemon=True)
        self.seen: list[int] = []
        self.slowest = 0.0
        self.error = ""
        self._place = place
        self._stopping = threading.Event()

    def run(self) -> None:
        with self._place._connect(REPLICA) as connection, connection.cursor() as cursor:
            while not self._stopping.is_set():
                began = time.monotonic()
                try:
                    cursor.execute("SELECT (SELECT COUNT(*) FROM app.t) AS t, (SELECT COUNT(*) FROM app.some) AS v")
                except pymysql.err.Error as error:
                    self.error = str(error)
                    return
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.seen.append(int(cursor.fetchone()["t"]))

    def stop(self) -> None:
        self._stopping.set()
        self.join()


@contextmanager
def reading(place: Site) -> Iterator[Reader]:
    reader = Reader(place)
    reader.start()
    try:
        yield reader
    finally:
        reader.stop()


@contextmanager
def begun(place: Site) -> Iterator[subprocess.Popen[str]]:
    """A run of its own process, which ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "replication.resync", REPLICA, "--shadow", "--wait", "30", *place.flags(REPLICA)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_dry_run_shows_the_steps_and_changes_nothing(place: Site) -> None:
    code, output = resync(place, "--shadow", "--dry-run")
    assert code == ExitCode.OK
    assert "RENAME TABLE" in output
    assert "needs room on its disk for a second copy, at least" in output
    assert left_over(place) == []
    assert phase(place) == "done"


def test_one_way_at_a_time(place: Site) -> None:
    assert resync(place, "--shadow", "--full")[0] == ExitCode.USAGE


def test_readers_notice_nothing(place: Site) -> None:
    """It is the only healthy replica, too, which --full refuses."""
    with reading(place) as reader:
        found = shadow(place)
    assert reader.error == ""
    assert len(reader.seen) > 20
    assert set(reader.seen) == {2}
    print(f"{len(reader.seen)} reads, the slowest {reader.slowest * 1000:.0f} ms")
    assert found["rows"] >= ROWS
    assert left_over(place) == []
    assert (phase(place), phase(place, 2)) == ("done", "")
    is_equal(place)
    if not place.mariadb:
        assert place.query(REPLICA, "SELECT @@super_read_only AS closed")[0]["closed"] == 1


def test_a_replica_that_diverged_serves_until_it_is_equal(place: Site) -> None:
    place.writable(REPLICA)
    place.query(REPLICA, "SET SESSION sql_log_bin = 0", "INSERT INTO app.t VALUES (5, 0)")
    place.query("dbwrite", "INSERT INTO app.t VALUES (5, 5)")
    wait_until(lambda: _stopped(place), "its applier stops")
    with reading(place) as reader:
        shadow(place)
    assert (reader.error, set(reader.seen)) == ("", {3})
    is_equal(place)


def _stopped(place: Site) -> bool:
    status = place.query(REPLICA, "SHOW REPLICA STATUS")[0]
    return "No" in (status.get("Slave_SQL_Running"), status.get("Replica_SQL_Running"))


def test_a_killed_run_is_gone_on_with_and_the_replica_follows_meanwhile(place: Site) -> None:
    with begun(place):
        wait_until(lambda: bool(_rows_beside(place)), "rows have arrived")
    assert (phase(place), phase(place, 2)) == ("done", "copying")
    place.query("dbwrite", "INSERT INTO app.t VALUES (10, 10)")
    wait_until(lambda: len(place.query(REPLICA, "SELECT id FROM app.t WHERE id = 10")) == 1, "it follows on")
    done = CliRunner().invoke(startsync_command, place.flags(REPLICA))
    assert (done.exit_code, "resync dbread1 --shadow goes on with it" in done.output) == (ExitCode.OK, True)
    before = _rows_beside(place)
    found = shadow(place)
    whole = 160 * ROWS
    assert found["bytes"] < whole * (1 - before / ROWS) + 2_000_000
    assert left_over(place) == []
    is_equal(place)


def _rows_beside(place: Site) -> int:
    for schema in left_over(place):
        if place.query(REPLICA, f"SHOW TABLES IN {schema} LIKE 'big'"):
            return int(place.query(REPLICA, f"SELECT COUNT(*) AS rows_ FROM {schema}.big")[0]["rows_"])
    return 0


def test_who_reads_for_long_is_not_cut_off(place: Site) -> None:
    """The exchange gives up, and the replica goes on as it was."""
    with place._connect(REPLICA) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT COUNT(*) FROM app.t")
        code, output = resync(place, "--shadow")
        assert (code, "did not let go of its tables" in output) == (ExitCode.NOT_READY, True), output
        cursor.execute("SELECT COUNT(*) FROM app.t")
    assert phase(place) == "done"
    is_equal(place)
    assert shadow(place)["bytes"] == 0, "the copy had stayed"
    is_equal(place)


def test_a_run_that_is_killed_in_the_exchange_is_made_good(place: Site) -> None:
    with place._connect(REPLICA) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT COUNT(*) FROM app.t")
        with begun(place):
            wait_until(lambda: phase(place) == "copying", "the exchange has begun")
    wait_until(lambda: _runs_again(place), "the next run succeeds")
    assert left_over(place) == []
    is_equal(place)


def _runs_again(place: Site) -> bool:
    done = CliRunner().invoke(startsync_command, [*place.flags(REPLICA), "--wait", f"{DEADLINE:g}"])
    return done.exit_code == ExitCode.OK


def test_transactions_of_its_own_are_not_lost_without_force(place: Site) -> None:
    place.writable(REPLICA)
    place.query(REPLICA, "CREATE TABLE app.own (id INT PRIMARY KEY)")
    code, output = resync(place, "--shadow")
    assert (code, "has transactions that" in output) == (ExitCode.REFUSED, True), output
    code, output = resync(place, "--shadow", "--force", REPLICA)
    assert code == ExitCode.OK, output
    is_equal(place)
