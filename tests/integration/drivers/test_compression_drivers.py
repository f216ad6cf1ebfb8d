"""Drivers that compress: what they are made to do ends as it does at a server without compression."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mariadb
import MySQLdb
import pytest

from proxy.wire import constants as c
from tests.integration.drivers.dbapi import STEPS, large_value, run_steps
from tests.integration.drivers.endpoint import MEBIBYTE, SCHEMA, Endpoint, Endpoints, Found, compared
from tests.integration.drivers.test_command_line import CLIENTS, SCRIPT, client_command, output_of
from tests.integration.drivers.test_node import TLS, seen_by
from tests.support.proxies import ProxyProcess
from tests.support.wireclient import WireClient

OPENED: dict[str, Callable[[dict[str, Any], bool], Any]] = {
    "mysqlclient": lambda login, compress: MySQLdb.connect(
        **login, charset="utf8mb4", autocommit=True, **({"compress": True} if compress else {})
    ),
    "mariadb": lambda login, compress: mariadb.connect(**login, autocommit=True, compress=compress),
}


@pytest.fixture(autouse=True)
def compression(shared_proxy: ProxyProcess) -> None:
    """Without the offer no driver compresses, and none says so."""
    with WireClient(shared_proxy.host, shared_proxy.port) as client:
        assert client.greeting().capabilities & c.CLIENT_COMPRESS


@pytest.mark.parametrize("driver", OPENED)
def test_a_driver_sees_no_difference_when_it_compresses(endpoints: Endpoints, driver: str) -> None:
    def scenario(to: Endpoint, compress: bool) -> Found:
        steps = {**STEPS, "a value of 5 MiB": large_value(5 * MEBIBYTE)}
        return run_steps(OPENED[driver]({**to.login, "database": SCHEMA}, compress), steps)

    compared(endpoints, lambda to: scenario(to, False), lambda to: scenario(to, True))


@pytest.mark.parametrize("driver", ["mysql2", "mariadb"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_driver_of_node_sees_no_difference_when_it_compresses(
    endpoints: Endpoints, node_modules: Path, driver: str, tls: bool
) -> None:
    plain: dict[str, Any] = {"allowPublicKeyRetrieval": True} if driver == "mariadb" else {}
    encrypted: dict[str, Any] = TLS if tls else plain
    compared(
        endpoints,
        lambda to: seen_by(driver, node_modules, to, **plain),
        lambda to: seen_by(driver, node_modules, to, compress=True, **encrypted),
    )


@pytest.mark.parametrize("name", CLIENTS)
def test_a_command_line_client_prints_the_same_when_it_compresses(endpoints: Endpoints, name: str) -> None:
    def scenario(to: Endpoint, *options: str) -> Found:
        return {"printed": output_of(client_command(name, to, "--force", "--table", *options, SCHEMA), SCRIPT)}

    ways = (
        [("--compression-algorithms=zlib",), ("--compression-algorithms=zstd",)]
        if name == "mysql"
        else [("--compress",)]
    )
    for options in ways:
        compared(endpoints, scenario, lambda to, options=options: scenario(to, *options))  # type: ignore[misc]  # no inference
