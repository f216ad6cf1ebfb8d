"""Node's drivers: mysql2, mysqljs and MariaDB's own, each scenario a program of its own."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, cast

import pytest

from replication.sandbox import Cluster, Flavor
from tests.integration.drivers.endpoint import SCHEMA, UNICODE, Account, Endpoint, Endpoints, Found, compared
from tests.integration.drivers.processes import program

SCENARIOS = Path(__file__).parent / "node"


def seen_by(driver: str, node_modules: Path, to: Endpoint, first: Account | None = None, **options: Any) -> Found:
    """What the driver's scenario finds; `first` never logged in before."""
    where = {"host": to.host, "port": to.port}
    given = {
        "options": {**to.login, "database": SCHEMA, **options},
        "first": {**where, "user": first.user, "password": first.password} if first else None,
        "unicode": UNICODE,
    }
    done = subprocess.run(
        [program("node"), SCENARIOS / f"{driver}.js"],
        input=json.dumps(given),
        env={**os.environ, "NODE_PATH": str(node_modules)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return cast(Found, json.loads(done.stdout))


def test_mysql2_sees_no_difference(endpoints: Endpoints, node_modules: Path, stranger: Account) -> None:
    found = compared(endpoints, lambda to: seen_by("mysql2", node_modules, to, stranger))
    assert found["unicode"] == UNICODE
    assert found["counts"] == [0, 1]


def test_mysqljs_sees_no_difference(shared_cluster: Cluster, endpoints: Endpoints, node_modules: Path) -> None:
    """MySQL 9 has no login method that this driver knows, and says so."""
    unsupported = shared_cluster.flavor is Flavor.MYSQL
    found = compared(endpoints, lambda to: seen_by("mysql", node_modules, to, unsupported=unsupported))
    assert found["unsupported"][0] == 1251 if unsupported else found["counts"] == [0, 1]


def test_mariadb_of_node_sees_no_difference(endpoints: Endpoints, node_modules: Path) -> None:
    found = compared(endpoints, lambda to: seen_by("mariadb", node_modules, to, allowPublicKeyRetrieval=True))
    assert found["text"][0]["text"] == UNICODE
    assert found["counts"] == [0, 1]


# The proxy's own certificate is signed by nobody.
TLS: dict[str, Any] = {"ssl": {"rejectUnauthorized": False}}


@pytest.mark.parametrize("driver", ["mysql2", "mariadb", "mysql"])
def test_a_driver_of_node_sees_no_difference_inside_of_tls(
    shared_cluster: Cluster, endpoints: Endpoints, node_modules: Path, driver: str
) -> None:
    options: dict[str, Any] = (
        {"unsupported": True} if driver == "mysql" and shared_cluster.flavor is Flavor.MYSQL else {}
    )
    plain: dict[str, Any] = {"allowPublicKeyRetrieval": True} if driver == "mariadb" else {}
    compared(
        endpoints,
        lambda to: seen_by(driver, node_modules, to, **options, **plain),
        lambda to: seen_by(driver, node_modules, to, **options, **TLS),
    )
