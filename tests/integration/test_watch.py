"""The watcher and resync on real servers: each symptom provoked and mended, or left alone.

The tests of one vendor share a site and its watcher, and leave both replicas in step.
"""

import json
import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest
from typer.testing import CliRunner

from replication.errors import ExitCode
from replication.resync import app as resync_command
from replication.sandbox import Flavor
from replication.status import app as status_command
from replication.watch import app as watch_command
from tests.support.relaylogs import lose_a_relay_log
from tests.support.site import Site, site
from tests.support.waiting import wait_until
from tests.support.watchers import WatcherProcess, running_watcher

BOTH = ("dbread1", "dbread2")


class Stage:
    """A site, and a watcher that has set its replicas up, made anew for the test after one that has used them up."""

    def __init__(self, flavor: Flavor) -> None:
        self._flavor = flavor
        self._open = ExitStack()
        self._made: tuple[Site, WatcherProcess] | None = None

    def now(self) -> tuple[Site, WatcherProcess]:
        """Those that there are."""
        if self._made is None:
            place = self._open.enter_context(site(self._flavor))
            # It may do everything, the dearest after a second.
            flags = ("--repair", "full", "--full-after", "1s")
            watcher = self._open.enter_context(running_watcher(*place.flags(*BOTH), *flags))
            self._made = place, watcher
            for name in BOTH:
                watcher.wait_for_log(f"{name}: repair done: copy (it is blank)")
                in_step(place, name)
        return self._made

    def close(self) -> None:
        """Leave nothing of them."""
        self._open.close()
        self._made = None


@pytest.fixture(scope="module", params=list(Flavor))
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    made = Stage(Flavor(request.param))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def place(stage: Stage) -> Site:
    return stage.now()[0]


@pytest.fixture
def watcher(stage: Stage) -> WatcherProcess:
    return stage.now()[1]


@pytest.fixture
def last(stage: Stage) -> Iterator[tuple[Site, WatcherProcess]]:
    """Both, for a test that uses them up."""
    yield stage.now()
    stage.close()


def resync(place: Site, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(resync_command, [*place.flags(*BOTH), "--wait", "30", *arguments])
    return result.exit_code, result.output


def rows(place: Site, name: str) -> list[int]:
    return sorted(row["id"] for row in place.query(name, "SELECT id FROM app.t"))


def in_step(place: Site, name: str, primary: str = "dbwrite") -> None:
    """A row that is written now arrives."""
    number = int(place.query(primary, "SELECT MAX(id) + 1 AS number FROM app.t")[0]["number"])
    place.query(primary, f"INSERT INTO app.t VALUES ({number}, 0)")
    wait_until(lambda: rows(place, name) == rows(place, primary), f"{name} is equal to {primary}")


def test_it_sets_blank_servers_up_by_itself(place: Site, watcher: WatcherProcess) -> None:
    for name in BOTH:
        assert f"{name}: repair done: copy (it is blank)" in watcher.log
        in_step(place, name)


def test_a_second_watcher_only_looks_on(place: Site, watcher: WatcherProcess) -> None:
    with running_watcher(*place.flags(*BOTH), "--json") as second:
        second.wait_for_log("dbread2: HEALTHY")
        second.wait_for_log('"server": "dbread2", "state": "HEALTHY", "message": "HEALTHY", "warning": false}')
        assert "this watcher acts" not in second.log
        assert second.stop() == 0
        assert "stopped" in second.log


def test_what_would_be_done_is_shown_and_not_done(place: Site, watcher: WatcherProcess) -> None:
    for name in BOTH:
        in_step(place, name)
    wait_until(lambda: _nobody_mends(place), "no repair is under way")
    before = len(watcher.log)
    watcher.process.send_signal(signal.SIGSTOP)
    try:
        place.query("dbread1", "STOP REPLICA")
        arguments = [*place.flags(*BOTH), "--repair", "full", "--dry-run", "--json"]
        result = CliRunner().invoke(watch_command, arguments)
        (status,) = place.query("dbread1", "SHOW REPLICA STATUS")
    finally:
        watcher.process.send_signal(signal.SIGCONT)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    told = {name: [line["message"] for line in lines if line["server"] == name] for name in ("dbwrite", *BOTH)}
    assert (result.exit_code, told["dbread2"]) == (ExitCode.OK, ["HEALTHY", "nothing would be done"]), result.output
    assert told["dbread1"][0].startswith("BROKEN_RETRY: its replication is stopped")
    steps = ["would be done now:", "would be done if that does not help:"]
    assert [line for line in told["dbread1"] if "would be" in line][:2] == steps
    assert any("START REPLICA" in line or "START SLAVE" in line for line in told["dbread1"])
    assert "would be done if that does not help, and it is broken for 600 s:" in told["dbread1"]
    assert place.primary.password not in result.output
    assert "No" in status.values(), "it was not started"
    watcher.wait_for_log("dbread1: repair done: restart replication", before)
    in_step(place, "dbread1")


def _nobody_mends(place: Site) -> bool:
    return place.query("dbwrite", "SELECT IS_USED_LOCK('manyreads.startsync') AS id")[0]["id"] is None


def test_it_serves_its_state(place: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYREADS_HTTP_TOKEN", "sesame")
    with running_watcher(*place.flags(*BOTH), "--http", "127.0.0.1:0", "--repair", "none") as started:
        started.wait_for_log("dbread2: HEALTHY")
        serving = re.search(r"serving (http://[\d.:]+)/", started.log)
        assert serving is not None, started.log
        wait_until(lambda: _answers(f"{serving[1]}/readyz"), "it is ready", lambda: started.log)
        with urllib.request.urlopen(f"{serving[1]}/status") as answer:
            found = json.load(answer)
        assert [each["state"] for each in found["replicas"]] == ["HEALTHY", "HEALTHY"]
        assert place.primary.password not in json.dumps(found)
        request = urllib.request.Request(f"{serving[1]}/replicas/dbread1/verify", method="POST")
        request.add_header("Authorization", "Bearer sesame")
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 202
        started.wait_for_log("dbread1: is equal to the primary: 1 tables,")
        assert started.stop() == 0


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url):
            return True
    except urllib.error.HTTPError:
        return False


@pytest.mark.parametrize("known", ["dbwrite", "dbread1"])
def test_servers_are_found_from_one_address(place: Site, watcher: WatcherProcess, known: str) -> None:
    login, server = place.primary, place.cluster.server(known)
    port = login.port if known == "dbwrite" else server.port
    flag = "--writer" if known == "dbwrite" else "--reader"
    arguments = [flag, f"mysql://{login.user}:{login.password}@{server.host}:{port}", "--json"]
    found = json.loads(CliRunner().invoke(status_command, arguments).output)
    assert found["primary"]["address"] == login.address
    expected = BOTH if known == "dbwrite" else (known,)
    ports = {place.cluster.server(name).port for name in expected}
    assert {int(each["address"].rpartition(":")[2]) for each in found["replicas"]} == ports


def test_a_stopped_thread_is_started(place: Site, watcher: WatcherProcess) -> None:
    before = len(watcher.log)
    place.query("dbread1", "STOP REPLICA")
    watcher.wait_for_log("dbread1: repair done: restart replication", before)
    in_step(place, "dbread1")


def test_an_equal_server_id_is_changed(place: Site, watcher: WatcherProcess) -> None:
    before = len(watcher.log)
    taken = place.query("dbwrite", "SELECT @@server_id AS id")[0]["id"]
    place.query("dbread1", "STOP REPLICA", f"SET GLOBAL server_id = {taken}", "START REPLICA")
    watcher.wait_for_log("dbread1: repair done:", before)
    in_step(place, "dbread1")
    assert place.query("dbread1", "SELECT @@server_id AS id")[0]["id"] != taken


def test_wrong_credentials_are_replaced(place: Site, watcher: WatcherProcess) -> None:
    before = len(watcher.log)
    place.query("dbread1", "STOP REPLICA", "CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD = 'wrong'", "START REPLICA")
    watcher.wait_for_log("dbread1: repair done: attach again", before)
    in_step(place, "dbread1")


def test_what_keeps_a_login_from_being_sent_is_mended(place: Site, watcher: WatcherProcess) -> None:
    """2026: TLS where the primary has none. 2061: neither TLS nor a key to hide the password with."""
    before = len(watcher.log)
    options, errno = "MASTER_SSL = 1, MASTER_SSL_VERIFY_SERVER_CERT = 1", 2026
    if not place.mariadb:
        options, errno = "SOURCE_SSL = 0, GET_SOURCE_PUBLIC_KEY = 0", 2061
        # What is kept of passwords that were once checked goes.
        place.query("dbwrite", "FLUSH PRIVILEGES")
    place.query("dbread1", "STOP REPLICA", f"CHANGE REPLICATION SOURCE TO {options}", "START REPLICA")
    # Not the change of its state: it may have been looked at between the statements, or not since it was mended last.
    watcher.wait_for_log(f"dbread1: repair begins: is not let in by the primary: error {errno}", before)
    watcher.wait_for_log("dbread1: repair done: attach again", before)
    in_step(place, "dbread1")


def test_a_network_that_was_cut_heals_by_itself(place: Site, watcher: WatcherProcess) -> None:
    before, wipes = len(watcher.log), place.wipes("dbread1")
    place.relay.switch(0)
    watcher.wait_for_log("dbwrite: does not answer", before)
    place.relay.switch(place.cluster.server("dbwrite").port)
    watcher.wait_for_log("dbwrite: answers again", before)
    in_step(place, "dbread1")
    assert place.wipes("dbread1") == wipes


def test_replicas_with_one_server_id_get_two(place: Site, watcher: WatcherProcess) -> None:
    if not place.mariadb:
        pytest.skip("MySQL's primary tells its replicas by server_uuid: both go on")
    before = len(watcher.log)
    taken = place.query("dbread2", "SELECT @@server_id AS id")[0]["id"]
    place.query("dbread1", "STOP REPLICA", f"SET GLOBAL server_id = {taken}", "START REPLICA")
    watcher.wait_for_log("repair done", before)

    def differ() -> bool:
        return len({place.query(name, "SELECT @@server_id AS id")[0]["id"] for name in BOTH}) == 2

    wait_until(differ, "one of the two has another server_id", lambda: watcher.log[before:])
    for name in BOTH:
        in_step(place, name)


def test_a_lost_source_is_found_again_without_a_copy(place: Site, watcher: WatcherProcess) -> None:
    before, wipes = len(watcher.log), place.wipes("dbread1")
    place.query("dbread1", "STOP REPLICA", "RESET REPLICA ALL")
    watcher.wait_for_log("dbread1: repair done: attach again", before)
    in_step(place, "dbread1")
    assert place.wipes("dbread1") == wipes


def test_a_relay_log_that_cannot_be_opened_is_fetched_again(place: Site, watcher: WatcherProcess) -> None:
    before = len(watcher.log)
    lose_a_relay_log(place.cluster.server("dbread1"))
    watcher.wait_for_log("dbread1: repair begins: its relay log is damaged", before)
    watcher.wait_for_log(
        "dbread1: repair done: attach again (its relay log is damaged; nothing has to be copied)", before
    )
    in_step(place, "dbread1")
    assert place.wipes("dbread1") == 0, "it has dropped nothing since it started"


@pytest.mark.parametrize(
    ("damage", "repair"),
    [
        ("1062", "write anew what differs"),
        ("1032", "write anew what differs"),
        ("1146", "copy"),
    ],
)
def test_a_diverged_replica_is_mended(place: Site, watcher: WatcherProcess, damage: str, repair: str) -> None:
    before, wipes = len(watcher.log), place.wipes("dbread1")
    place.query("dbwrite", "CREATE TABLE app.d (id INT PRIMARY KEY)", "INSERT INTO app.d VALUES (1)")
    wait_until(lambda: _has_table(place, "dbread1", "d"), "app.d arrives")
    statement = {
        "1062": "INSERT INTO app.d VALUES (424242)",
        "1032": "DELETE FROM app.d",
        "1146": "DROP TABLE app.d",
    }[damage]
    wait_until(lambda: len(place.query("dbread1", "SELECT * FROM app.d")) == 1, "its row arrives")
    place.writable("dbread1")
    place.query("dbread1", "SET SESSION sql_log_bin = 0", statement)
    place.query("dbwrite", "SET SESSION binlog_format = ROW", "DELETE FROM app.d", "INSERT INTO app.d VALUES (424242)")
    watcher.wait_for_log(f"-> DIVERGED: its data differs from the primary's: error {damage}", before)
    watcher.wait_for_log(f"dbread1: repair done: {repair}", before)
    in_step(place, "dbread1")
    assert place.query("dbread1", "SELECT id FROM app.d") == [{"id": 424242}]
    assert (place.wipes("dbread1") > wipes) is (repair == "copy")
    assert "424242" not in watcher.log, "values of statements are not logged"
    place.query("dbwrite", "DROP TABLE app.d")
    for name in BOTH:
        in_step(place, name)


def _has_table(place: Site, name: str, table: str) -> bool:
    return bool(place.query(name, f"SHOW TABLES IN app LIKE '{table}'"))


def test_an_account_of_its_own_is_mended_without_a_copy(place: Site, watcher: WatcherProcess) -> None:
    before, wipes = len(watcher.log), place.wipes("dbread1")
    account = "CREATE USER damage@localhost IDENTIFIED BY 'Damage-1'"
    place.writable("dbread1")
    place.query("dbread1", "SET SESSION sql_log_bin = 0", account)
    place.query("dbwrite", account)
    watcher.wait_for_log("-> DIVERGED: its data differs from the primary's: error 1396", before)
    watcher.wait_for_log("dbread1: repair done: write anew what differs", before)
    in_step(place, "dbread1")
    assert place.wipes("dbread1") == wipes
    place.query("dbwrite", "DROP USER damage@localhost")
    in_step(place, "dbread1")


@pytest.mark.parametrize(
    ("lent", "repair"), [(True, "attach again by way of another replica"), (False, "write anew what differs")]
)
def test_a_replica_that_is_purged_is_mended_without_a_copy(
    place: Site, watcher: WatcherProcess, lent: bool, repair: str
) -> None:
    before = len(watcher.log)
    in_step(place, "dbread1")
    server = place.cluster.server("dbread1")
    server.stop()
    watcher.wait_for_log("-> UNREACHABLE", before)
    for _ in range(2):
        place.query("dbwrite", "INSERT INTO app.t SELECT MAX(id) + 1, 0 FROM app.t", "FLUSH BINARY LOGS")
    place.query("dbwrite", f"CREATE USER unheard_of_{lent}@localhost IDENTIFIED BY 'x'", "FLUSH BINARY LOGS")
    in_step(place, "dbread2")
    place.query("dbread2", "FLUSH BINARY LOGS")
    for name in ("dbwrite",) if lent else ("dbwrite", "dbread2"):
        last = place.query(name, "SHOW BINARY LOGS")[-1]["Log_name"]
        wait_until(partial(_purged, place, name, last), f"what the replica lacks is purged on {name}")
    server.start()
    watcher.wait_for_log("-> PURGED", before)
    watcher.wait_for_log(f"dbread1: repair done: {repair}", before)
    in_step(place, "dbread1")
    assert place.query("dbread1", f"SELECT 1 FROM mysql.user WHERE User = 'unheard_of_{lent}'")


def _purged(place: Site, name: str, last: str) -> bool:
    """A log is left where it is as long as a replica is being sent something of it, gone as that may be."""
    place.query(name, f"PURGE BINARY LOGS TO '{last}'")
    return len(place.query(name, "SHOW BINARY LOGS")) == 1


def test_a_server_of_another_primary_is_left_alone(place: Site, watcher: WatcherProcess) -> None:
    before = len(watcher.log)
    other = place.cluster.server("dbread2")
    place.query(
        "dbread1",
        "STOP REPLICA",
        f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{other.host}', SOURCE_PORT = {other.port}",
    )
    watcher.wait_for_log("-> FOREIGN", before)
    code, output = resync(place, "dbread1", "--full")
    assert code == ExitCode.REFUSED, output
    assert "--force dbread1" in output
    assert "repair begins" not in watcher.log[before:].partition("-> FOREIGN")[2]
    host, port = place.primary.host, place.relay.port
    place.query(
        "dbread1", f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{host}', SOURCE_PORT = {port}", "START REPLICA"
    )
    in_step(place, "dbread1")


def test_a_detour_that_was_broken_off_is_gone_on_with(place: Site, watcher: WatcherProcess) -> None:
    """A run was killed while it let a replica follow another one."""
    before, wipes = len(watcher.log), place.wipes("dbread1")
    lender = place.cluster.server("dbread2")
    place.query("dbread1", "STOP REPLICA")
    place.writable("dbread1")
    place.query(
        "dbread1",
        "SET SESSION sql_log_bin = 0",
        "UPDATE manyreads.marker SET phase = 'detour'",
        f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{lender.host}', SOURCE_PORT = {lender.port}",
        "START REPLICA",
    )
    watcher.wait_for_log("dbread1: repair done: attach again", before)
    in_step(place, "dbread1")
    assert place.wipes("dbread1") == wipes


def test_a_replica_with_transactions_of_its_own_is_left_alone_until_it_is_copied_by_hand(
    place: Site, watcher: WatcherProcess
) -> None:
    before = len(watcher.log)
    place.writable("dbread1")
    number = "SET SESSION gtid_seq_no = 1000000" if place.mariadb else "SELECT 1"
    place.query("dbread1", number, "CREATE DATABASE errant")
    watcher.wait_for_log("-> AHEAD", before)
    code, output = resync(place, "dbread1", "--full")
    assert code == ExitCode.REFUSED, output
    assert "--force dbread1" in output
    assert "repair begins" not in watcher.log[before:]
    code, output = resync(place, "dbread1", "--force", "dbread1")
    assert code == ExitCode.REFUSED
    assert "drop all its schemas" in output
    assert "run again with --full" in output
    assert place.query("dbread1", "SHOW DATABASES LIKE 'errant'")
    assert resync(place, "dbread1", "--force", "dbread1", "--dry-run")[0] == ExitCode.OK
    assert resync(place, "dbread1", "--full", "--force", "dbread1")[0] == ExitCode.OK
    assert not place.query("dbread1", "SHOW DATABASES LIKE 'errant'")
    watcher.wait_for_log("dbread1: AHEAD ->", before)
    in_step(place, "dbread1")


def test_resync_of_chunks_writes_just_what_differs(place: Site, watcher: WatcherProcess) -> None:
    before, wipes = len(watcher.log), place.wipes("dbread1")
    code, output = resync(place, "dbread1", "--chunks", "--dry-run")
    assert code == ExitCode.OK, output
    assert "compare all rows with those of dbwrite" in output
    place.writable("dbread1")
    number = "SET SESSION gtid_seq_no = 2000000" if place.mariadb else "SELECT 1"
    place.query("dbread1", number, "UPDATE app.t SET v = 77 LIMIT 1")
    watcher.wait_for_log("-> AHEAD", before)
    assert resync(place, "dbread1", "--chunks")[0] == ExitCode.REFUSED
    code, output = resync(place, "dbread1", "--chunks", "--force", "dbread1")
    assert code == ExitCode.OK, output
    assert "0 missing, 0 extra, 1 changed" in output
    assert place.wipes("dbread1") == wipes
    assert not place.query("dbread1", "SELECT 1 FROM app.t WHERE v = 77")
    watcher.wait_for_log("dbread1: AHEAD ->", before)
    in_step(place, "dbread1")


def test_the_last_healthy_replica_is_not_copied(place: Site, watcher: WatcherProcess) -> None:
    before = len(watcher.log)
    place.cluster.server("dbread1").kill()
    watcher.wait_for_log("-> UNREACHABLE", before)
    code, output = resync(place, "dbread2", "--full")
    assert code == ExitCode.REFUSED
    assert "only healthy replica" in output
    place.cluster.server("dbread1").start()
    watcher.wait_for_log("-> HEALTHY", before)
    in_step(place, "dbread1")


def test_resync_names_a_replica(place: Site) -> None:
    assert resync(place, "dbread9")[0] == ExitCode.USAGE
    assert resync(place, "dbread1", "--force", "dbread2")[0] == ExitCode.USAGE


def test_after_a_failover_replicas_are_attached_again(last: tuple[Site, WatcherProcess]) -> None:
    place, watcher = last
    assert watcher.stop() == 0
    assert "Traceback" not in watcher.log
    in_step(place, "dbread2")
    in_step(place, "dbread1")
    with running_watcher(*place.flags("dbread2")) as after:
        after.wait_for_log("this watcher acts")
        # The replica itself would not notice for longer than anything is waited for here.
        place.query("dbread2", "SET GLOBAL REPLICA_NET_TIMEOUT = 3600", "STOP REPLICA", "START REPLICA")
        in_step(place, "dbread2")
        wipes = place.wipes("dbread2")
        # It dies without a word: connections to it stay open, and nobody answers.
        place.cluster.server("dbwrite").freeze()
        place.take_over("dbread1", breaking=False)
        began = time.monotonic()
        in_step(place, "dbread2", "dbread1")
        print(f"attached to the new primary in {time.monotonic() - began:.1f} s")
        assert place.wipes("dbread2") == wipes
        after.wait_for_log("repair done")
        assert after.stop() == 0
