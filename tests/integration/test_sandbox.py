"""The sandbox on real servers of both vendors."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from replication.sandbox import Cluster, Flavor, LocalServer, ServerStatus
from replication.sandbox.processes import find_serving
from replication.sandbox.server import greets
from topology.errors import ConfigError, ServerError

DEADLINE = 120.0


@pytest.fixture(params=list(Flavor))
def flavor(request: pytest.FixtureRequest) -> Flavor:
    return Flavor(request.param)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory to be; its path is short, as sockets need."""
    parent = Path(tempfile.mkdtemp(prefix="sandbox-"))
    yield parent / "box"
    if parent.joinpath("box/cluster.json").exists():
        Cluster.load(parent / "box").down()
    shutil.rmtree(parent)


def query(server: LocalServer, *statements: str) -> tuple[dict[str, Any], ...]:
    """Run the statements in one connection; the rows of the last."""
    connection = pymysql.connect(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        autocommit=True,
        cursorclass=pymysql.cursors.DictCursor,
    )
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return tuple(cursor.fetchall())


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "replication.sandbox", *map(str, arguments)]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


def test_servers_are_blank_and_apart(flavor: Flavor, directory: Path) -> None:
    cluster = Cluster.up(directory, flavor, readers=2, options={"max_connections": "77"})
    assert [server.name for server in cluster.servers] == ["dbwrite", "dbread1", "dbread2"]
    gtids = "@@gtid_executed" if flavor is Flavor.MYSQL else "@@gtid_current_pos"
    uid = "@@server_uuid" if flavor is Flavor.MYSQL else "@@server_uid"
    identities = set()
    for server, server_id in zip(cluster.servers, (1, 1001, 1002), strict=True):
        (row,) = query(
            server,
            f"SELECT @@server_id AS id, @@log_bin AS log_bin, @@max_connections AS connections, {gtids} AS gtids,"
            f" {uid} AS uid, @@version AS version, @@skip_name_resolve AS no_names, @@local_infile AS local_files",
        )
        assert (row["id"], row["log_bin"], row["connections"], row["gtids"]) == (server_id, 1, 77, "")
        assert ("MariaDB" in row["version"]) == (flavor is Flavor.MARIADB)
        assert (row["no_names"], row["local_files"]) == (0, 1)
        identities.add(row["uid"])
        assert query(server, "SHOW REPLICA STATUS") == ()
        accounts = query(server, "SELECT User AS user, Host AS host FROM mysql.user WHERE User IN ('root', '')")
        assert {(account["user"], account["host"]) for account in accounts} == {("root", "localhost"), ("root", "%")}
        databases = {row["Database"] for row in query(server, "SHOW DATABASES")}
        assert databases == {"information_schema", "mysql", "performance_schema", "sys"}
    assert len(identities) == 3
    assert len({server.password for server in cluster.servers}) == 3
    cluster.down()
    assert not directory.exists()
    assert all(find_serving(server.datadir) is None for server in cluster.servers)
    cluster.down()
    assert not directory.exists()


def test_killed_server_is_seen_and_brought_back_with_its_data(flavor: Flavor, directory: Path) -> None:
    cluster = Cluster.up(directory, flavor, readers=1)
    primary, replica = cluster.servers
    query(replica, "CREATE DATABASE kept", "CREATE TABLE kept.t (a INT PRIMARY KEY)", "INSERT INTO kept.t VALUES (7)")
    surviving = primary.pid
    assert replica.pid is not None
    os.kill(replica.pid, signal.SIGKILL)
    wait_for(lambda: not replica.running())
    seen = run("status", "--dir", directory, "--json")
    assert seen.returncode == 3
    assert {row["name"]: row["state"] for row in json.loads(seen.stdout)} == {
        "dbwrite": "running",
        "dbread1": "stopped",
    }
    again = run("up", "--dir", directory)
    assert again.returncode == 0, again.stderr
    assert "starting dbread1" in again.stdout
    assert replica.url in again.stdout
    assert query(replica, "SELECT a FROM kept.t") == ({"a": 7},)
    assert primary.pid == surviving
    described = run("up", "--dir", directory, "--json")
    assert "up already" in described.stderr
    found = json.loads(described.stdout)
    assert [each["url"] for each in found["servers"]] == [primary.url, replica.url]
    assert found["environment"] == str(cluster.environment_file)
    assert json.loads(run("down", "--dir", directory, "--keep", "--json").stdout)["kept"] is True
    assert not any(server.running() for server in cluster.servers)
    assert query(Cluster.up(directory, flavor, readers=1).server("dbread1"), "SELECT a FROM kept.t") == ({"a": 7},)
    assert run("down", "--dir", directory).returncode == 0
    assert not directory.exists()


def test_stop_start_kill_and_freeze(flavor: Flavor, directory: Path) -> None:
    (server,) = Cluster.up(directory, flavor, readers=0).servers
    first = server.pid
    server.freeze()
    assert server.running()
    assert server.status() is ServerStatus.NOT_ANSWERING
    server.thaw()
    wait_for(lambda: server.status() is ServerStatus.RUNNING)
    server.kill()
    assert server.status() is ServerStatus.STOPPED
    with pytest.raises(ServerError, match="dbwrite is not running"):
        server.freeze()
    server.start()
    assert server.pid not in (None, first)
    query(server, "SELECT 1")
    server.freeze()
    server.stop()
    assert not server.running()
    assert not greets(server.host, server.port, within=1)


def test_credentials_that_were_changed_are_left_alone(flavor: Flavor, directory: Path) -> None:
    (server,) = Cluster.up(directory, flavor, readers=0).servers
    query(server, "DROP USER 'root'@'%'", "ALTER USER 'root'@'localhost' IDENTIFIED BY 'another'")
    server.stop()
    server.start()
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        query(server, "SELECT 1")


@pytest.mark.parametrize("moment", ["template", "dbwrite/process.json", "dbread1/process.json"])
def test_killed_up_leaves_nothing_that_is_not_found(flavor: Flavor, directory: Path, moment: str) -> None:
    with subprocess.Popen(command("up", "--dir", directory, "--flavor", flavor, "--readers", "1")) as up:
        wait_for(lambda: directory.joinpath(moment).exists() or up.poll() is not None)
        up.kill()
    cluster = Cluster.load(directory)
    if moment != "template":
        assert cluster.server(moment.partition("/")[0]).running()
    assert run("status", "--dir", directory).returncode in (0, 3)
    assert all(query(server, "SELECT 1") for server in Cluster.up(directory, flavor, readers=1).servers)
    cluster.down()
    assert not directory.exists()


def test_interrupted_up_stops_what_it_started(flavor: Flavor, directory: Path) -> None:
    with subprocess.Popen(command("up", "--dir", directory, "--flavor", flavor, "--readers", "1")) as up:
        wait_for(lambda: directory.joinpath("dbwrite/process.json").exists() or up.poll() is not None)
        up.send_signal(signal.SIGINT)
        assert up.wait(DEADLINE) != 0
    assert not any(server.running() for server in Cluster.load(directory).servers)


def test_up_works_beside_a_running_event_loop(flavor: Flavor, directory: Path) -> None:
    async def up() -> Cluster:
        return Cluster.up(directory, flavor, readers=0)

    assert asyncio.run(up()).server("dbwrite").running()


def test_down_finds_servers_whose_process_was_never_written_down(flavor: Flavor, directory: Path) -> None:
    cluster = Cluster.up(directory, flavor, readers=0)
    (server,) = cluster.servers
    pid = server.pid
    server.layout.process_file.unlink()
    assert server.pid == pid
    cluster.down()
    assert find_serving(server.datadir) is None


def test_two_ups_at_once_make_one_sandbox(flavor: Flavor, directory: Path) -> None:
    arguments = command("up", "--dir", directory, "--flavor", flavor, "--readers", "0")
    with (
        subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as first,
        subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as second,
    ):
        outputs = [first.communicate()[0], second.communicate()[0]]
    (server,) = Cluster.load(directory).servers
    assert all(server.url in output for output in outputs)
    assert query(server, "SELECT 1")


def test_server_that_refuses_its_options_is_reported(flavor: Flavor, directory: Path) -> None:
    with pytest.raises(ServerError, match="no_such_option"):
        Cluster.up(directory, flavor, readers=0, options={"no_such_option": "1"})
    assert not any(server.running() for server in Cluster.load(directory).servers)


def test_long_path_gets_its_sockets_elsewhere(flavor: Flavor, directory: Path) -> None:
    far = directory / ("long" * 25)
    try:
        (server,) = Cluster.up(far, flavor, readers=0).servers
        assert server.socket.exists()
        assert not server.socket.is_relative_to(directory)
    finally:
        Cluster.load(far).down()
    assert not server.socket.parent.exists()


def test_another_sandbox_in_the_directory_is_refused(flavor: Flavor, directory: Path) -> None:
    Cluster.up(directory, flavor, readers=0)
    other = next(known for known in Flavor if known is not flavor)
    with pytest.raises(ConfigError, match=f"has flavor {flavor}, not {other}"):
        Cluster.up(directory, other, readers=0)
    with pytest.raises(ConfigError, match="has readers 0, not 5"):
        Cluster.up(directory, flavor, readers=5)


def test_directory_with_other_files_is_refused_and_left_alone(flavor: Flavor, directory: Path) -> None:
    directory.mkdir()
    directory.joinpath("thesis.txt").touch()
    with pytest.raises(ConfigError, match=r"holds thesis\.txt"):
        Cluster.up(directory, flavor)
    assert [entry.name for entry in directory.iterdir()] == ["thesis.txt"]


def test_commands_without_a_sandbox(directory: Path) -> None:
    for arguments in (["status"], ["down"]):
        answer = run(*arguments, "--dir", directory)
        assert answer.returncode == 2
        assert "there is no sandbox in" in answer.stderr
        assert "Traceback" not in answer.stderr
