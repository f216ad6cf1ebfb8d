"""docker-compose.yml without Docker: the same processes, with the same commands and environment, in the same order."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pymysql
import pytest

from replication.sandbox import Cluster, Flavor
from replication.sandbox.ports import claim_ports
from tests.support.clients import connect, own_writes, run, spreads
from tests.support.clusters import blank_cluster
from tests.support.compose import ROOT, Local, compose_file, flags, is_database, services, start_order
from tests.support.dotcloud import variables
from tests.support.proxies import ProxyProcess
from tests.support.waiting import wait_until
from tests.support.watchers import WatcherProcess

TARGETS = {Flavor.MARIADB: "proxy", Flavor.MYSQL: "mysql_proxy"}
SECRETS = "/run/secrets/"
TOKEN = "token-of-this-test"


@pytest.fixture(params=list(Flavor))
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with blank_cluster(Flavor(request.param)) as found:
        yield found


def test_the_services_come_up_in_their_order_and_work(cluster: Cluster, tmp_path: Path) -> None:
    target = TARGETS[cluster.flavor]
    names = start_order(target)
    local = on_this_machine(cluster, names, tmp_path)
    started: dict[str, subprocess.Popen[bytes]] = {}
    with ExitStack() as stack:
        for name in names:
            if is_database(name):
                become(cluster, name)
            else:
                started[name] = stack.enter_context(process(name, local, tmp_path))
            until_healthy(name, local, tmp_path)
        manager, proxy = started
        works(
            cluster,
            WatcherProcess(started[manager], tmp_path / manager),
            ProxyProcess(started[proxy], tmp_path / proxy),
        )


def on_this_machine(cluster: Cluster, names: list[str], directory: Path) -> Local:
    """The sandbox's servers for those of the file, and free ports for the file's own."""
    for secret, content in {"root_password": cluster.servers[0].password, "http_token": TOKEN}.items():
        assert compose_file()["secrets"][secret]["file"] == f"./secrets/{secret}"
        (directory / secret).write_text(content + "\n")
    proxy, page = claim_ports(2, directory)
    servers = {name: cluster.server(name.removeprefix("mysql_")) for name in names if is_database(name)}
    return Local(
        {name: (server.host, server.port) for name, server in servers.items()},
        {SECRETS: f"{directory}/", ":6033": f":{proxy}", " 6033": f" {proxy}", ":8080": f":{page}"},
    )


def become(cluster: Cluster, name: str) -> None:
    """The sandbox's server runs already: give it the one password, and see that it is as the command has it."""
    server = cluster.server(name.removeprefix("mysql_"))
    password = cluster.servers[0].password
    with pymysql.connect(host=server.host, port=server.port, user=server.user, password=server.password) as client:
        run(client, "SET SESSION sql_log_bin = 0")
        for (host,) in run(client, "SELECT Host FROM mysql.user WHERE User = 'root'"):
            run(client, f"ALTER USER root@'{host}' IDENTIFIED BY '{password}'")
        for variable, value in flags(name):
            if variable == "read_only":
                run(client, f"SET GLOBAL read_only = {value}")
            expected = "ON" if variable == "log_bin" else value
            assert run(client, f"SHOW GLOBAL VARIABLES LIKE '{variable}'") == ((variable, expected),)


@contextmanager
def process(name: str, local: Local, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A service of ours, whose log is the file of its name."""
    service = services()[name]
    own = variables(directory / "home") | local.environment(service["environment"])
    command = local.words(service["command"])
    with (
        (directory / name).open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, env=own, stdout=log, stderr=log) as started,
    ):
        try:
            yield started
        finally:
            started.kill()


def until_healthy(name: str, local: Local, directory: Path) -> None:
    """Wait until the service's own health check passes, as those that depend on it do."""
    command = local.words(services()[name]["healthcheck"]["test"][1:])
    if is_database(name):
        command = [str(shutil.which(command[0])), *command[1:-1], f"--port={local.servers[name][1]}"]

    def passes() -> bool:
        return subprocess.run(command, capture_output=True, timeout=30).returncode == 0

    log = directory / name
    wait_until(passes, f"{name} is healthy", lambda: log.read_text() if log.exists() else "")


def answer_of(manager: WatcherProcess, token: str) -> int:
    """The status that a request for a comparison gets with this token."""
    found = re.search(r"serving http://[^:]+:(\d+)/", manager.log)
    assert found is not None, manager.log
    request = Request(
        f"http://127.0.0.1:{found[1]}/replicas/nobody/verify",
        method="POST",
        headers={"Authorization": f"Bearer {token}"},
    )
    with pytest.raises(HTTPError) as refused:
        urlopen(request, timeout=30)
    with refused.value:
        return refused.value.code


def works(cluster: Cluster, manager: WatcherProcess, proxy: ProxyProcess) -> None:
    for replica in ("dbread1", "dbread2"):
        manager.wait_for_log(f"{replica}: repair done")
    proxy.wait_for_log("-> healthy", 3)
    with connect(cluster, proxy) as client:
        run(client, "CREATE DATABASE app")
        run(client, "CREATE TABLE app.t (id INT PRIMARY KEY)")
        run(client, "INSERT INTO app.t VALUES (1)")
        wait_until(lambda: spreads(cluster, client, "SELECT id FROM app.t"), "reads go to both replicas")
    assert not any(own_writes(cluster, replica) for replica in cluster.servers[1:])
    # Whoever may ask is told that there is no such replica.
    assert [answer_of(manager, token) for token in (TOKEN, "another")] == [404, 401]
    assert proxy.stop() == 0, proxy.log
    assert manager.stop() == 0, manager.log
