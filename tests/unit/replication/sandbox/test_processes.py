"""Recognising processes, on real ones."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from replication.sandbox import processes, records
from replication.sandbox.processes import Process
from replication.sandbox.server import LocalServer
from replication.sandbox.settings import Layout
from topology.servers import Vendor as Flavor


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Process]:
    """A process that is somebody else's, but has our data directory on its command line."""
    command = ["sh", "-c", "sleep 600; :", f"--datadir={tmp_path / 'dbwrite' / 'data'}"]
    pid = processes.spawn_detached(command, tmp_path / "log")
    process = processes.inspect(pid)
    assert process is not None
    yield process
    os.killpg(os.getpgid(pid), signal.SIGKILL)
    assert processes.wait_until_gone(process, within=30)


def server(home: Path) -> LocalServer:
    record = records.ServerRecord(name="dbwrite", server_id=1, port=20000, socket=home / "s", password="pw")
    return LocalServer(record, Flavor.MARIADB, Layout(home, home / "s"))


def test_data_directory_is_matched_whole() -> None:
    process = Process(1, "0", "mysqld --defaults-file=/x/my.cnf --datadir=/x/a b/data --init-file=/x/i")
    assert process.serves(Path("/x/a b/data"))
    assert not process.serves(Path("/x/a b"))
    assert not process.serves(Path("/a b/data"))


def test_detached_process_has_a_session_of_its_own(sleeper: Process) -> None:
    assert os.getsid(sleeper.pid) != os.getsid(0)


def test_process_is_found_by_its_data_directory(sleeper: Process, tmp_path: Path) -> None:
    found = processes.find_serving(tmp_path / "dbwrite" / "data")
    assert found is not None
    assert processes.find_serving(tmp_path / "dbwrite") is None


def test_zombie_is_gone() -> None:
    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert processes.inspect(child.pid) is None


def test_recycled_id_is_not_taken_for_the_server(sleeper: Process, tmp_path: Path) -> None:
    home = tmp_path / "dbwrite"
    home.mkdir()
    earlier = Process(sleeper.pid, "an earlier moment", sleeper.command)
    records.write_process(home / "process.json", earlier)
    assert not server(home).running()
    server(home).stop()
    server(home).kill()
    assert processes.inspect(sleeper.pid) == sleeper


def test_process_without_our_data_directory_is_not_touched(sleeper: Process, tmp_path: Path) -> None:
    home = tmp_path / "dbread1"
    home.mkdir()
    records.write_process(home / "process.json", sleeper)
    assert server(home).pid is None
    server(home).stop()
    server(home).kill()
    assert processes.inspect(sleeper.pid) == sleeper


def test_signal_to_a_process_that_has_ended_does_nothing() -> None:
    with subprocess.Popen(["true"]) as child:
        child.wait()
        processes.send_signal(Process(child.pid, "0", "true"), signal.SIGKILL)
