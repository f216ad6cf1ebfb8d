"""Settings that change under load: no client notices, no transaction is lost, and a wrong file changes nothing."""

import itertools
import os
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from replication.sandbox import Cluster, Flavor, LocalServer
from tests.support.certificates import Authority
from tests.support.clients import READS, Connection, Counters, connect, direct, run
from tests.support.load import Load
from tests.support.proxies import ProxyProcess, started_proxy
from tests.support.waiting import wait_until

SCHEMA = "reloaded"
CLIENTS = int(os.environ.get("MANYREADS_TEST_CLIENTS", "8"))
# Of each client, between two changes.
ROUNDS = 10


@dataclass
class Configured:
    """A proxy with its file, and the load on it."""

    cluster: Cluster
    proxy: ProxyProcess
    file: Path
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def write(self, *lines: str, readers: tuple[int, ...] = (1, 2)) -> None:
        """Change the file, as editors do that replace it."""
        self.file.with_suffix(".new").write_text(text_of(self.cluster, lines, readers), encoding="utf-8")
        self.file.with_suffix(".new").rename(self.file)

    def change(self, expected: str, *lines: str, readers: tuple[int, ...] = (1, 2)) -> None:
        """Change the file, and wait until the proxy has logged that; it looks by itself."""
        self.write(*lines, readers=readers)
        self.proxy.wait_for_log(expected)

    def work(self) -> tuple[Callable[[], None], Callable[[], None]]:
        """A client: a transaction and two reads at a time, checked; and how it ends."""
        connection = connect(self.cluster, self.proxy)
        who, times = next(self.numbers), itertools.count(1)

        def once() -> None:
            run(connection, "BEGIN")
            run(connection, f"INSERT INTO {SCHEMA}.written (who) VALUES ({who})")
            run(connection, "COMMIT")
            counted = run(connection, f"SELECT COUNT(*) FROM {SCHEMA}.written WHERE who = {who}")
            assert counted == ((next(times),),)
            assert run(connection, f"SELECT COUNT(*) FROM {SCHEMA}.still") == ((3,),)

        return once, connection.close


def url(cluster: Cluster, number: int) -> str:
    server = cluster.servers[number]
    primary = cluster.servers[0]
    return f"mysql://{primary.user}:{primary.password}@{server.host}:{server.port}"


def text_of(cluster: Cluster, lines: tuple[str, ...], readers: tuple[int, ...]) -> str:
    urls = ", ".join(f'"{url(cluster, number)}"' for number in readers)
    return "\n".join((f'writer = "{url(cluster, 0)}"', f"readers = [{urls}]", *lines, ""))


@pytest.fixture
def configured(request: pytest.FixtureRequest, shared_cluster: Cluster, tmp_path: Path) -> Iterator[Configured]:
    """With one process, or as many workers as the parameter says."""
    file = tmp_path / "manyreads.toml"
    file.write_text(text_of(shared_cluster, (), (1, 2)), encoding="utf-8")
    with started_proxy("--config", str(file), "--workers", getattr(request, "param", "1")) as proxy:
        proxy.wait_for_log("serving on")
        proxy.wait_for_log("-> healthy", 3)
        with connect(shared_cluster, proxy) as client:
            run(client, f"CREATE DATABASE {SCHEMA}")
            run(client, f"CREATE TABLE {SCHEMA}.written (id INT AUTO_INCREMENT PRIMARY KEY, who INT, KEY (who))")
            run(client, f"CREATE TABLE {SCHEMA}.still (id INT PRIMARY KEY)")
            run(client, f"INSERT INTO {SCHEMA}.still VALUES (1), (2), (3)")
            yield Configured(shared_cluster, proxy, file)
            run(client, f"DROP DATABASE {SCHEMA}")


def reads_by(configured: Configured, client: Connection, read: str) -> dict[str, int]:
    counters = Counters(configured.cluster, READS)
    for _ in range(100):
        run(client, read)
    return counters.difference()


@pytest.mark.parametrize("configured", ["1", "2"], indirect=True)
def test_changes_under_load_go_unnoticed(configured: Configured, tmp_path: Path) -> None:
    pair = Authority(tmp_path).named("proxy")
    load = Load([configured.work() for _ in range(CLIENTS)])
    try:
        load.wait_for_progress(ROUNDS)
        configured.change("dbread2 (127.0.0.1", 'rules = [{pattern = "still", target = "primary"}]', readers=(1,))
        configured.proxy.wait_for_log("gets no more reads")
        load.wait_for_progress(ROUNDS)
        configured.change('consistency: "global" -> "session", at once', 'consistency = "session"', readers=(1,))
        load.wait_for_progress(ROUNDS)
        configured.change("is a replica from now on", "max_connections = 500", "login_timeout = 5")
        configured.proxy.wait_for_log("-> healthy", 4)
        load.wait_for_progress(ROUNDS)
        tls = (f'tls_certificate = "{pair.certificate}"', f'tls_key = "{pair.key}"', 'log_level = "debug"')
        configured.change("tls_certificate:", *tls)
        load.wait_for_progress(ROUNDS)
        configured.change("server_connections: 0 -> 8", "server_connections = 8", "server_connection_idle = 1")
        load.wait_for_progress(ROUNDS)
    finally:
        load.stop()
    with connect(configured.cluster, configured.proxy) as client:
        assert run(client, f"SELECT COUNT(*) FROM {SCHEMA}.written") == ((sum(load.counts),),)
    assert configured.proxy.log.count("ERROR") == 0
    assert configured.cluster.servers[0].password not in configured.proxy.log


def test_rules_and_readers_hold_for_sessions_that_are_open(configured: Configured) -> None:
    read = f"SELECT * FROM {SCHEMA}.still"
    with connect(configured.cluster, configured.proxy) as client:
        wait_until(lambda: reads_by(configured, client, read)["dbread2"] >= 40, "both replicas are read from")
        configured.change("dbread1 (127.0.0.1", readers=(2,))
        configured.proxy.wait_for_log("gets no more reads")
        counts = reads_by(configured, client, read)
        assert counts["dbread2"] >= 100
        assert counts["dbread1"] < 40
        configured.change("rules: [] ->", 'rules = [{pattern = "still", target = "primary"}]', readers=(2,))
        assert reads_by(configured, client, read)["dbwrite"] >= 100
        # The connections to the one that is gone end as well.
        wait_until(lambda: "dbread1" not in str(run(client, "SHOW PROXY POOLS")), "no connection is left")


def test_a_wrong_file_changes_nothing_and_the_next_right_one_does(configured: Configured) -> None:
    configured.change("so nothing changes", "max_lagg = 3", "login_timeout = 3")
    assert f"{configured.file}:3: max_lagg: there is no such key; did you mean 'max_lag'?" in configured.proxy.log
    assert "settings: " not in configured.proxy.log
    configured.change("settings: login_timeout: 10.0 -> 3.0, at once", "login_timeout = 3")
    configured.write("login_timeout = 4", "digest_cache_size = 5")
    configured.proxy.process.send_signal(signal.SIGHUP)
    configured.proxy.wait_for_log("SIGHUP: reading the settings")
    configured.proxy.wait_for_log("digest_cache_size: 10000 -> 5, not before a restart")
    with connect(configured.cluster, configured.proxy) as client:
        assert run(client, "SELECT 1") == ((1,),)


# What docs/operating.md says that the account needs.
_GRANTS = {
    Flavor.MARIADB: (
        "SELECT ON mysql.global_priv",
        "SLAVE MONITOR, TRIGGER, PROCESS, REPLICATION MASTER ADMIN ON *.*",
    ),
    Flavor.MYSQL: ("SELECT ON mysql.user", "REPLICATION CLIENT, TRIGGER, PROCESS, REPLICATION SLAVE ON *.*"),
}


@pytest.fixture
def finder(shared_cluster: Cluster) -> Iterator[str]:
    """A URL of the primary with an account that has only what is needed."""
    primary = shared_cluster.servers[0]

    def known(server: LocalServer) -> bool:
        with direct(shared_cluster, server) as client:
            return run(client, "SELECT COUNT(*) FROM mysql.user WHERE user = 'finder'") == ((1,),)

    with direct(shared_cluster, primary) as root:
        run(root, "CREATE USER finder@'%' IDENTIFIED BY 'of the finder'")
        for grant in _GRANTS[shared_cluster.flavor]:
            run(root, f"GRANT {grant} TO finder@'%'")
        wait_until(lambda: all(map(known, shared_cluster.servers)), "all servers have the account")
        yield f"mysql://finder:of%20the%20finder@{primary.host}:{primary.port}"
        run(root, "DROP USER finder@'%'")


def test_replicas_are_found_by_asking_the_primary(shared_cluster: Cluster, finder: str) -> None:
    with started_proxy("--writer", finder) as proxy:
        proxy.wait_for_log("serving on")
        proxy.wait_for_log("-> healthy", 3)
        found = set(re.findall(r":(\d+)\): unknown -> healthy", proxy.log))
        assert found == {str(server.port) for server in shared_cluster.servers}, proxy.log
        with connect(shared_cluster, proxy) as client:
            assert {row[0] for row in run(client, "SHOW PROXY SERVERS")} == {"dbwrite", "dbread1", "dbread2"}
