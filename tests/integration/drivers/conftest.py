"""The two ways to a cluster: its primary itself, and the proxy; with a schema, and room for large packets."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from replication.sandbox import Cluster
from tests.integration.drivers.endpoint import SCHEMA, Account, Endpoint, Endpoints
from tests.integration.drivers.processes import program
from tests.support.clients import connect, direct, run
from tests.support.proxies import ProxyProcess

SCENARIOS_OF_NODE = Path(__file__).parent / "node"
OTHER = Account("other", "another password")


@pytest.fixture(scope="session")
def endpoints(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[Endpoints]:
    """The primary and the proxy. Both know the accounts already: the first login of all may need more of a driver."""
    primary = shared_cluster.servers[0]
    with direct(shared_cluster, primary) as connection:
        run(connection, f"CREATE USER {OTHER.user}@'%' IDENTIFIED BY '{OTHER.password}'")
        run(connection, f"GRANT ALL ON {SCHEMA}.* TO {OTHER.user}@'%'")
        run(connection, f"DROP DATABASE IF EXISTS {SCHEMA}")
        run(connection, f"CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4")
        body = "BEGIN SELECT n AS a; SELECT n + 1 AS b, 'x' AS c; END"
        run(connection, f"CREATE PROCEDURE {SCHEMA}.several(n INT) {body}")
        for account in (OTHER, Account(primary.user, primary.password)):
            options = {"user": account.user, "password": account.password}
            connect(shared_cluster, shared_proxy, **options).close()
            direct(shared_cluster, primary, **options).close()
        yield (
            Endpoint(primary.host, primary.port, primary.user, primary.password, OTHER),
            Endpoint(shared_proxy.host, shared_proxy.port, primary.user, primary.password, OTHER),
        )
        run(connection, f"DROP DATABASE {SCHEMA}")
        run(connection, f"DROP USER {OTHER.user}@'%'")


@pytest.fixture
def stranger(shared_cluster: Cluster) -> Iterator[Account]:
    """An account that has never logged in."""
    account = Account("stranger", "only here")
    with direct(shared_cluster, shared_cluster.servers[0]) as admin:
        run(admin, f"CREATE USER {account.user}@'%' IDENTIFIED BY '{account.password}'")
        yield account
        run(admin, f"DROP USER {account.user}@'%'")


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The drivers as package-lock.json names them, installed once into a cache."""
    cache = Path.home() / ".cache/manyreads/node"
    lock = (SCENARIOS_OF_NODE / "package-lock.json").read_bytes()
    installed = cache / "installed"
    if not installed.exists() or installed.read_bytes() != lock:
        cache.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SCENARIOS_OF_NODE / name, cache / name)
        command = [program("npm"), "ci", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=cache, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        installed.write_bytes(lock)
    return cache / "node_modules"
