"""A new process takes over from the one that runs: nobody is refused, and pools of connections notice nothing."""

import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import text

from replication.sandbox import Cluster
from tests.support.clients import Connection, connect, direct, run
from tests.support.load import Load
from tests.support.proxies import ROOT, ProxyProcess, started_proxy
from tests.support.waiting import DEADLINE, wait_until

SCHEMA = "upgraded"
CLIENTS = int(os.environ.get("MANYREADS_TEST_CLIENTS", "8"))
_WRITE = text(f"INSERT INTO {SCHEMA}.written (who) VALUES (:who)")
_READ = text(f"SELECT COUNT(*) FROM {SCHEMA}.written WHERE who = :who")


@pytest.fixture
def table(shared_cluster: Cluster) -> Iterator[Cluster]:
    with direct(shared_cluster, shared_cluster.servers[0]) as client:
        run(client, f"CREATE DATABASE {SCHEMA}")
        run(client, f"CREATE TABLE {SCHEMA}.written (id INT AUTO_INCREMENT PRIMARY KEY, who INT, KEY (who))")
        yield shared_cluster
        run(client, f"DROP DATABASE {SCHEMA}")


def generation(cluster: Cluster, path: Path, *flags: str) -> AbstractContextManager[ProxyProcess]:
    environment = ("--environment", str(cluster.environment_file))
    return started_proxy(*environment, "--takeover", str(path), "--state-directory", str(path.parent), *flags)


def worker(engine: sqlalchemy.Engine, who: int) -> tuple[Callable[[], None], Callable[[], None]]:
    """Takes a connection from the pool for each piece of work: a transaction, and a read of what it wrote."""
    times = itertools.count(1)

    def once() -> None:
        with engine.begin() as connection:
            connection.execute(_WRITE, {"who": who})
        with engine.connect() as connection:
            assert connection.execute(_READ, {"who": who}).scalar() == next(times)

    return once, lambda: None


# Of the three processes, one after the other.
@pytest.mark.parametrize("workers", [("1", "1", "1"), ("2", "2", "1")])
def test_upgrades_under_load_are_unnoticed_by_pools(
    table: Cluster, tmp_path: Path, workers: tuple[str, str, str]
) -> None:
    primary = table.servers[0]
    with generation(table, tmp_path / "takeover", "--workers", workers[0]) as first:
        first.wait_for_log("serving on")
        port = first.port
        url = sqlalchemy.URL.create("mysql+pymysql", primary.user, primary.password, first.host, port)
        engine = sqlalchemy.create_engine(url, pool_pre_ping=True, pool_size=CLIENTS)
        load = Load([worker(engine, who) for who in range(CLIENTS)])
        try:
            load.wait_for_progress(5)
            with generation(table, tmp_path / "takeover", "--workers", workers[1]) as second:
                second.wait_for_log(f"serving on 127.0.0.1:{port}")
                first.wait_for_log("another process takes over")
                assert first.process.wait(DEADLINE) == 0
                load.wait_for_progress(5)
                with generation(table, tmp_path / "takeover", "--workers", workers[2]) as third:
                    assert second.process.wait(DEADLINE) == 0
                    load.wait_for_progress(5)
                    load.stop()
                    assert "cut off" not in first.log + second.log
                    assert run_once(table, third, f"SELECT COUNT(*) FROM {SCHEMA}.written") == sum(load.counts)
        finally:
            load.stop()
            engine.dispose()


def run_once(cluster: Cluster, proxy: ProxyProcess, sql: str) -> object:
    with connect(cluster, proxy) as client:
        return run(client, sql)[0][0]


def test_a_transaction_is_waited_for_and_silent_sessions_are_closed(table: Cluster, tmp_path: Path) -> None:
    with generation(table, tmp_path / "takeover") as first:
        first.wait_for_log("serving on")
        silent, busy = connect(table, first), connect(table, first)
        run(busy, "BEGIN")
        run(busy, f"INSERT INTO {SCHEMA}.written (who) VALUES (1)")
        with generation(table, tmp_path / "takeover") as second:
            second.wait_for_log("serving on")
            first.wait_for_log("stopping")
            wait_until(lambda: not alive(silent), "the silent one is closed")
            run(busy, f"INSERT INTO {SCHEMA}.written (who) VALUES (1)")
            busy.commit()
            assert not alive(busy)
            assert first.process.wait(DEADLINE) == 0
            assert run_once(table, second, f"SELECT COUNT(*) FROM {SCHEMA}.written") == 2


def alive(connection: Connection) -> bool:
    try:
        connection.ping(reconnect=False)
    except Exception:
        return False
    return True


def test_http_is_handed_over_too(table: Cluster, tmp_path: Path) -> None:
    with generation(table, tmp_path / "takeover", "--http", "127.0.0.1:0") as first:
        first.wait_for_log("serving on")
        address = next(line for line in first.log.splitlines() if "metrics and health" in line).rpartition(" ")[2]
        with generation(table, tmp_path / "takeover", "--http", "127.0.0.1:0") as second:
            second.wait_for_log("serving on")
            assert first.process.wait(DEADLINE) == 0
            assert f"metrics and health on {address}" in second.log


# Starts Python with a socket as its descriptor 3; shells do not all know descriptors of two digits.
_AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


def test_systemd_opens_the_port_and_is_told_how_it_goes(table: Cluster, tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as port,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd,
        (tmp_path / "log").open("wb") as log,
    ):
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(DEADLINE)
        # A client may come before there is anybody to serve it.
        early = socket.create_connection(port.getsockname())
        flags = ["--environment", str(table.environment_file), "--state-directory", str(tmp_path)]
        variables = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
        with subprocess.Popen(
            [sys.executable, "-c", _AS_SYSTEMD, str(port.fileno()), "-m", "proxy", *flags],
            cwd=ROOT,
            env=variables,
            stdout=log,
            stderr=log,
            pass_fds=(port.fileno(),),
        ) as process:
            try:
                assert systemd.recv(100) == b"READY=1"
                found = ProxyProcess(process, tmp_path / "log")
                assert found.port == port.getsockname()[1]
                assert early.recv(1)
                early.close()
                assert run_once(table, found, "SELECT 1") == 1
                process.send_signal(signal.SIGHUP)
                assert systemd.recv(100).startswith(b"RELOADING=1")
                assert systemd.recv(100) == b"READY=1"
                process.terminate()
                assert systemd.recv(100) == b"STOPPING=1"
                assert process.wait(DEADLINE) == 0
            finally:
                process.kill()
