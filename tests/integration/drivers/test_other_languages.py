"""Perl's DBD::mysql and DBD::MariaDB, PHP's mysqli and PDO, Java's MariaDB Connector/J.

PHP and Connector/J have protocol code of their own; the Perl modules are two more users of libmariadb.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from tests.integration.drivers.endpoint import SCHEMA, UNICODE, Endpoint, Endpoints, Found, compared
from tests.integration.drivers.processes import program

SCENARIOS = Path(__file__).parent / "others"
CONNECTOR_J = Path("/usr/share/java/mariadb-java-client.jar")
of_debian = pytest.mark.skipif(sys.platform != "linux", reason="of Debian's packages")


def output_of(command: list[str], to: Endpoint, text: str = "") -> str:
    environment = {**os.environ, "MANYREADS_USER": to.user, "MANYREADS_PASSWORD": to.password}
    done = subprocess.run(command, input=text, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@of_debian
@pytest.mark.parametrize("driver", ["mysql", "MariaDB"])
def test_perl_sees_no_difference(endpoints: Endpoints, driver: str) -> None:
    def seen(to: Endpoint) -> Found:
        command = [program("perl"), str(SCENARIOS / "suite.pl"), driver, to.host, str(to.port), SCHEMA]
        return cast(Found, json.loads(output_of(command, to)))

    found = compared(endpoints, seen)
    assert found["procedure"][0] == [[7]]


def test_php_sees_no_difference(endpoints: Endpoints) -> None:
    def seen(to: Endpoint) -> Found:
        given = json.dumps({**to.login, "schema": SCHEMA, "text": UNICODE})
        printed: dict[str, dict[str, Any]] = json.loads(
            output_of([program("php"), str(SCENARIOS / "suite.php")], to, given)
        )
        return {f"{way}: {step}": value for way, found in printed.items() for step, value in found.items()}

    found = compared(endpoints, seen)
    assert found["mysqli: text"][0]["text"] == UNICODE
    assert found["mysqli: counts"] == found["prepared: counts"] == [0, 1]


@of_debian
def test_connector_j_sees_no_difference(endpoints: Endpoints) -> None:
    def seen(to: Endpoint) -> Found:
        command = [
            program("java"),
            "-cp",
            str(CONNECTOR_J),
            str(SCENARIOS / "Suite.java"),
            to.host,
            str(to.port),
            SCHEMA,
        ]
        return {f"line {number}": line for number, line in enumerate(output_of(command, to).splitlines())}

    compared(endpoints, seen)
