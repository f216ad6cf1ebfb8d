"""Drivers and command-line clients that load a file of theirs, and those that are told not to."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import MySQLdb
import pymysql
import pytest

from replication.sandbox import Cluster
from tests.integration.drivers.endpoint import SCHEMA, Endpoint, Endpoints, Found, compared
from tests.integration.drivers.test_command_line import CLIENTS, client_command, output_of
from tests.support.clients import direct, run

LINES = "".join(f"{number},line {number}\n" for number in range(200_000))


@pytest.fixture(autouse=True)
def loadable(shared_cluster: Cluster) -> Iterator[None]:
    with direct(shared_cluster, shared_cluster.servers[0], database=SCHEMA) as connection:
        run(connection, "CREATE TABLE line (id INT PRIMARY KEY, text VARCHAR(100))")
        ((before,),) = run(connection, "SELECT @@global.local_infile")
        run(connection, "SET GLOBAL local_infile = 1")
        yield
        run(connection, f"SET GLOBAL local_infile = {before}")
        run(connection, "DROP TABLE line")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "lines"
    file.write_text(LINES)
    return file


def load(file: Path) -> str:
    return f"LOAD DATA LOCAL INFILE '{file}' REPLACE INTO TABLE line FIELDS TERMINATED BY ','"


@pytest.mark.parametrize("module", [pymysql, MySQLdb], ids=["pymysql", "mysqlclient"])
def test_a_python_driver(endpoints: Endpoints, file: Path, module: Any) -> None:
    def scenario(endpoint: Endpoint) -> Found:
        found: Found = {}
        for allowed in (True, False):
            connection = module.connect(**endpoint.login, database=SCHEMA, local_infile=allowed, autocommit=True)
            with connection.cursor() as cursor:
                try:
                    found[f"loaded {allowed}"] = cursor.execute(load(file))
                except module.Error as error:
                    found[f"loaded {allowed}"] = error.args
                cursor.execute("SELECT COUNT(*), SUM(id), MAX(text) FROM line")
                found[f"rows {allowed}"] = cursor.fetchall()
                cursor.execute("TRUNCATE TABLE line")
            connection.close()
        return found

    found = compared(endpoints, scenario)
    assert found["loaded True"] == 200_000
    assert found["rows True"][0][0] == 200_000
    assert found["rows False"][0][0] == 0


@pytest.mark.parametrize("name", CLIENTS)
def test_a_command_line_client(endpoints: Endpoints, file: Path, name: str) -> None:
    def scenario(endpoint: Endpoint) -> Found:
        text = f"{load(file)}; SELECT COUNT(*), MAX(text) FROM line; TRUNCATE TABLE line;"
        missing = load(file.with_name("missing")) + "; SELECT 'alive';"
        return {
            "loaded": output_of(client_command(name, endpoint, "--local-infile=1", "-vvv", SCHEMA), text).split("(")[0],
            "forbidden": output_of(client_command(name, endpoint, "--local-infile=0", "--force", SCHEMA), text),
            "missing": output_of(client_command(name, endpoint, "--local-infile=1", "--force", SCHEMA), missing),
        }

    found = compared(endpoints, scenario)
    assert "200000 rows affected" in found["loaded"]
    assert "ERROR" in found["forbidden"]
    assert "ERROR 2" in found["missing"]
    assert "alive" in found["missing"]
