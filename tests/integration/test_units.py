"""What the systemd units and the Kubernetes manifests start, on real servers. The tests of one vendor run in order."""

import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from replication.sandbox import Cluster, Flavor
from replication.sandbox.ports import claim_ports
from tests.support.clients import connect, run, spreads
from tests.support.clusters import blank_cluster
from tests.support.proxies import ProxyProcess
from tests.support.units import command_running, container, unit_command
from tests.support.waiting import wait_until
from tests.support.watchers import WatcherProcess

ACTS = "this watcher acts"
Starter = Callable[[list[str], str], AbstractContextManager[subprocess.Popen[bytes]]]


@pytest.fixture(scope="module", params=list(Flavor))
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with blank_cluster(Flavor(request.param)) as found:
        yield found


@pytest.fixture
def start(cluster: Cluster, tmp_path: Path) -> Starter:
    """Starts a command on ports of its own, with the cluster's environment.json; its log has the name given."""

    def started(command: list[str], name: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
        proxy, page = claim_ports(2, tmp_path)
        directory = str(cluster.environment_file.parent)
        texts = {"${CREDENTIALS_DIRECTORY}": directory, "/etc/manyreads": directory}
        return command_running(command, texts | {":6033": f":{proxy}", ":8080": f":{page}"}, tmp_path / name)

    return started


def pod(deployment: str) -> list[str]:
    """What a pod of the Deployment starts."""
    found = container(deployment)
    return [*found["command"], *found["args"]]


def splits(cluster: Cluster, proxy: ProxyProcess) -> None:
    """Wait until the proxy has reads done by both replicas."""
    proxy.wait_for_log("serving on")
    proxy.wait_for_log("-> healthy", 3)
    with connect(cluster, proxy) as client:
        run(client, "CREATE DATABASE IF NOT EXISTS app")
        run(client, "CREATE TABLE IF NOT EXISTS app.t (id INT PRIMARY KEY)")
        wait_until(lambda: spreads(cluster, client, "SELECT id FROM app.t"), "reads go to both replicas")


def probe(proxy: ProxyProcess) -> None:
    """Do as Kubernetes' probes do, more often; nothing is logged for it."""
    before = proxy.log
    for _ in range(20):
        socket.create_connection((proxy.host, proxy.port), timeout=5).close()
    with socket.create_connection((proxy.host, proxy.port), timeout=5) as last:
        assert last.recv(1)
    assert proxy.log == before


def test_the_units_set_up_and_serve(cluster: Cluster, start: Starter, tmp_path: Path) -> None:
    with start(unit_command("manyreads-manager"), "manager") as first:
        manager = WatcherProcess(first, tmp_path / "manager")
        for replica in ("dbread1", "dbread2"):
            manager.wait_for_log(f"{replica}: repair done")
        with start(unit_command("manyreads-proxy"), "proxy") as second:
            proxy = ProxyProcess(second, tmp_path / "proxy")
            splits(cluster, proxy)
            assert proxy.stop() == 0, proxy.log
        assert manager.stop() == 0, manager.log


def test_one_of_two_managers_acts_and_the_other_takes_over(start: Starter, tmp_path: Path) -> None:
    with start(pod("manyreads-manager"), "one") as one, start(pod("manyreads-manager"), "two") as two:
        managers = [WatcherProcess(one, tmp_path / "one"), WatcherProcess(two, tmp_path / "two")]
        for manager in managers:
            manager.wait_for_log("serving http")
        wait_until(lambda: any(ACTS in manager.log for manager in managers), "one of them acts")
        (active,) = (manager for manager in managers if ACTS in manager.log)
        (waiting,) = (manager for manager in managers if manager is not active)
        active.process.kill()
        waiting.wait_for_log(ACTS)
        assert waiting.stop() == 0, waiting.log


def test_proxies_serve_beside_each_other_and_one_can_go(cluster: Cluster, start: Starter, tmp_path: Path) -> None:
    with start(pod("manyreads-proxy"), "one") as one, start(pod("manyreads-proxy"), "two") as two:
        proxies = [ProxyProcess(one, tmp_path / "one"), ProxyProcess(two, tmp_path / "two")]
        for proxy in proxies:
            splits(cluster, proxy)
            probe(proxy)
        assert proxies[0].stop() == 0, proxies[0].log
        splits(cluster, proxies[1])
        assert proxies[1].stop() == 0, proxies[1].log
