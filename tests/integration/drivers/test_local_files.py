"""LOAD DATA LOCAL INFILE: drivers send a file of theirs, or refuse to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mariadb
import mysql.connector
import MySQLdb
import pymysql
import pytest

from tests.integration.drivers.dbapi import error_of, rows, run
from tests.integration.drivers.endpoint import SCHEMA, Endpoint, Endpoints, Found, compared
from tests.integration.drivers.test_command_line import CLIENTS, client_command, output_of

LINES = 20000
OPENED: dict[str, Callable[[dict[str, Any], bool], Any]] = {
    "pymysql": lambda login, allowed: pymysql.connect(**login, local_infile=allowed),
    "mysqlclient": lambda login, allowed: MySQLdb.connect(**login, local_infile=int(allowed)),
    "mariadb": lambda login, allowed: mariadb.connect(**login, local_infile=allowed),
    "connector": lambda login, allowed: mysql.connector.connect(**login, use_pure=True, allow_local_infile=allowed),
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Numbers and texts; half a megabyte."""
    path = tmp_path_factory.mktemp("local") / "lines.txt"
    path.write_text("".join(f"{number}\tline {number} ü\n" for number in range(LINES)))
    return path


def load(path: Path) -> str:
    return f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE loaded CHARACTER SET utf8mb4"


def loaded(connection: Any, path: Path) -> Found:
    run(connection, "DROP TABLE IF EXISTS loaded", "CREATE TABLE loaded (id INT PRIMARY KEY, text VARCHAR(50))")
    with connection.cursor() as cursor:
        cursor.execute(load(path))
        found: Found = {"count": cursor.rowcount}
        connection.commit()
        cursor.execute("SELECT COUNT(*), SUM(id), MAX(text) FROM loaded")
        found["sum"] = rows(cursor)
        cursor.execute(load(path))
        found["again"] = cursor.rowcount
        cursor.execute("SELECT 1")
        found["alive"] = rows(cursor)
        found["no file"] = error_of(lambda: cursor.execute(load(path.with_name("missing"))))
    return found


def refused(connection: Any, path: Path) -> Found:
    with connection.cursor() as cursor:
        return {"refused": error_of(lambda: cursor.execute(load(path)))}


@pytest.mark.filterwarnings("ignore")  # drivers warn of the lines that were there already, each in its own way
@pytest.mark.parametrize("driver", OPENED)
def test_a_driver_sends_a_file_or_refuses(endpoints: Endpoints, driver: str, file: Path) -> None:
    def scenario(to: Endpoint) -> Found:
        login = {**to.login, "database": SCHEMA}
        allowed, forbidden = OPENED[driver](login, True), OPENED[driver](login, False)
        found = {**loaded(allowed, file), **refused(forbidden, file)}
        allowed.close()
        forbidden.close()
        return found

    found = compared(endpoints, scenario)
    assert found["count"] == LINES
    assert found["again"] == 0
    assert found["sum"][0][0] == LINES


@pytest.mark.parametrize("name", CLIENTS)
def test_a_command_line_client_sends_a_file(endpoints: Endpoints, name: str, file: Path) -> None:
    table = "DROP TABLE IF EXISTS loaded; CREATE TABLE loaded (id INT, text VARCHAR(50));"
    script = f"{table} {load(file)}; SELECT SUM(id) FROM loaded;"

    def scenario(to: Endpoint) -> Found:
        printed = output_of(client_command(name, to, "--local-infile=1", "--skip-column-names", SCHEMA), script)
        return {"printed": printed, "refused": output_of(client_command(name, to, "--local-infile=0", SCHEMA), script)}

    found = compared(endpoints, scenario)
    assert str(sum(range(LINES))) in found["printed"]
    assert "ERROR" in found["refused"]
