"""Attaching again by GTID without a copy, on real servers. The tests of one vendor share servers and run in order."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from replication.actions import Action
from replication.errors import ExitCode
from replication.sandbox import Flavor
from replication.setup import Options, Result, set_up
from replication.status import app as status_command
from tests.support.relaylogs import lose_a_relay_log
from tests.support.site import Site, site
from tests.support.waiting import wait_until
from tests.support.watchers import running_watcher

HEARTBEAT = "SHOW TABLES IN manyreads LIKE 'heartbeat'"


@pytest.fixture(scope="module", params=list(Flavor))
def place(request: pytest.FixtureRequest) -> Iterator[Site]:
    with site(Flavor(request.param)) as made:
        result = startsync(made, "dbread1", "dbread2")
        assert result.exit_code is ExitCode.OK, [str(each.error) for each in result.replicas]
        yield made


def startsync(place: Site, *names: str, by: Action | None = None) -> Result:
    """What startsync does; all replicas are written anew `by` that, where it is given."""
    recopy = Options(recopy=frozenset(names), by=by) if by is not None else Options()
    return asyncio.run(set_up(place.deployment(*names), replace(recopy, wait=30)))


def status(place: Site, *names: str) -> tuple[int, dict[str, dict[str, Any]]]:
    answer = CliRunner().invoke(status_command, [*place.flags(*names), "--json"])
    found = json.loads(answer.output)
    assert found["exit_code"] == answer.exit_code
    return answer.exit_code, {each["name"]: each for each in found["replicas"]}


def rows(place: Site, name: str) -> int:
    return len(place.query(name, "SELECT * FROM app.t"))


def test_status_of_healthy_replicas(place: Site) -> None:
    code, found = status(place, "dbread1", "dbread2")
    assert code == ExitCode.OK
    assert {each["state"] for each in found.values()} == {"HEALTHY"}
    assert {each["lag_seconds"] for each in found.values()} == {0.0}
    assert {each["transactions_behind"] for each in found.values()} == {0}


def test_status_needs_few_privileges(place: Site) -> None:
    monitor = "SLAVE MONITOR" if place.mariadb else "REPLICATION CLIENT"
    place.query(
        "dbwrite",
        "CREATE USER watcher@'%' IDENTIFIED BY 'Watcher-1'",
        f"GRANT {monitor} ON *.* TO watcher@'%'",
        "GRANT SELECT ON manyreads.* TO watcher@'%'",
    )
    servers = place.deployment("dbread1", "dbread2").servers
    writer, *readers = (f"mysql://watcher:Watcher-1@{server.address}" for server in servers)
    flags = ["--writer", writer, *(flag for url in readers for flag in ("--reader", url))]

    def answers() -> bool:
        return CliRunner().invoke(status_command, flags).exit_code == ExitCode.OK

    wait_until(answers, "the account has arrived everywhere", lambda: CliRunner().invoke(status_command, flags).output)


def test_a_stopped_replica_is_seen_to_be_behind(place: Site) -> None:
    place.query("dbread1", "STOP REPLICA")
    place.query("dbwrite", "INSERT INTO app.t VALUES (3, 3)", "INSERT INTO app.t VALUES (4, 4)")
    code, found = status(place, "dbread1", "dbread2")
    assert code == ExitCode.BROKEN
    assert found["dbread1"]["state"] == "BROKEN_RETRY"
    assert found["dbread1"]["transactions_behind"] == 2
    assert found["dbread1"]["lag_seconds"] is None
    place.query("dbread1", "START REPLICA")
    wait_until(lambda: rows(place, "dbread1") == 4, "dbread1 catches up")


def test_with_a_heartbeat_it_is_known_how_late_a_stopped_replica_is(place: Site) -> None:
    flags = ["--repair", "restart", "--heartbeat"]
    with running_watcher(*place.flags("dbread1", "dbread2"), *flags) as watcher:
        wait_until(lambda: has_heartbeat(place, "dbread1"), "the heartbeat arrives", lambda: watcher.log)
        assert watcher.stop() == 0
    place.query("dbread1", "STOP REPLICA")
    place.query("dbwrite", "REPLACE INTO manyreads.heartbeat VALUES (1, UTC_TIMESTAMP(6) + INTERVAL 5 SECOND)")
    found = status(place, "dbread1")[1]["dbread1"]
    assert found["state"] == "BROKEN_RETRY"
    assert found["lag_seconds"] > 0
    place.query("dbread1", "START REPLICA")
    place.query("dbwrite", "DROP TABLE manyreads.heartbeat")
    wait_until(lambda: not place.query("dbread1", HEARTBEAT), "dbread1 catches up")


def has_heartbeat(place: Site, name: str) -> bool:
    return bool(place.query(name, HEARTBEAT) and place.query(name, "SELECT * FROM manyreads.heartbeat"))


def test_a_replica_that_lost_its_source_is_attached_without_a_copy(place: Site) -> None:
    wipes = place.wipes("dbread2")
    place.query("dbread2", "STOP REPLICA", "RESET REPLICA ALL")
    assert status(place, "dbread2")[1]["dbread2"]["state"] == "STANDALONE_DATA"
    place.query("dbwrite", "INSERT INTO app.t VALUES (5, 5)")
    result = startsync(place, "dbread1", "dbread2")
    assert result.exit_code is ExitCode.OK, [str(each.error) for each in result.replicas]
    assert result.replicas[1].action == Action.REPOINT
    assert rows(place, "dbread2") == 5
    assert place.wipes("dbread2") == wipes


@pytest.mark.parametrize("by", [Action.REPOINT, Action.RENEW, Action.COPY])
def test_a_replica_that_cannot_open_its_relay_log_is_attached_again(place: Site, by: Action) -> None:
    """It needs no copy; where one is asked for, the relay log is not in its way."""
    before, wipes = rows(place, "dbwrite"), place.wipes("dbread2")
    lose_a_relay_log(place.cluster.server("dbread2"))
    place.query("dbwrite", f"INSERT INTO app.t VALUES ({before + 1}, 0)")
    code, found = status(place, "dbread2")
    assert (code, found["dbread2"]["state"]) == (ExitCode.BROKEN, "BROKEN_REPOINT")
    assert found["dbread2"]["reason"].startswith("its relay log is damaged")
    result = startsync(place, "dbread2", by=None if by is Action.REPOINT else by)
    assert result.exit_code is ExitCode.OK, [str(each.error) for each in result.replicas]
    assert result.replicas[0].action == by
    assert rows(place, "dbread2") == before + 1
    assert (place.wipes("dbread2") > wipes) is (by is Action.COPY)
    place.query("dbwrite", f"DELETE FROM app.t WHERE id = {before + 1}")
    wait_until(lambda: rows(place, "dbread2") == before, "dbread2 follows")


def test_another_server_takes_over_the_address(place: Site) -> None:
    place.query("dbwrite", "INSERT INTO app.t VALUES (6, 6)")
    wait_until(lambda: rows(place, "dbread1") == 6 and rows(place, "dbread2") == 6, "both catch up")
    # Stopped, so that it does not find the new server by itself.
    place.query("dbread2", "STOP REPLICA")
    place.take_over("dbread1")
    place.query("dbread1", "INSERT INTO app.t VALUES (7, 7)")
    assert status(place, "dbread2")[1]["dbread2"]["state"] == "BROKEN_REPOINT"
    result = startsync(place, "dbread2")
    assert result.exit_code is ExitCode.OK, [str(each.error) for each in result.replicas]
    assert result.replicas[0].action == Action.REPOINT
    assert rows(place, "dbread2") == 7
    assert status(place, "dbread2")[0] == ExitCode.OK


def test_a_server_that_lacks_what_the_replica_has_is_not_followed(place: Site) -> None:
    place.query("dbread2", "STOP REPLICA")
    place.relay.switch(place.cluster.server("dbwrite").port)
    code, found = status(place, "dbread2")
    assert (code, found["dbread2"]["state"]) == (ExitCode.DIVERGED, "AHEAD")
    result = startsync(place, "dbread2")
    assert result.exit_code is ExitCode.DIVERGED
    assert "lacks" in str(result.replicas[0].error)
    assert rows(place, "dbread2") == 7
