"""COM_CHANGE_USER: a connection that goes on as another user, with everything of the first one forgotten."""

from collections.abc import Callable
from typing import Any

import mariadb
import mysql.connector
import MySQLdb
import pytest

from tests.integration.drivers.dbapi import error_of, rows, run
from tests.integration.drivers.endpoint import SCHEMA, Endpoint, Endpoints, Found, compared

Opened = Callable[[dict[str, Any]], Any]
Change = Callable[[Any, str, str, str], object]

DRIVERS: dict[str, tuple[Opened, Change]] = {
    "mysqlclient": (
        lambda login: MySQLdb.connect(**login),
        lambda one, user, password, schema: one.change_user(user, password, schema),
    ),
    "mariadb": (
        lambda login: mariadb.connect(**login),
        lambda one, user, password, schema: one.change_user(user, password, schema),
    ),
    "connector": (
        lambda login: mysql.connector.connect(**login, use_pure=True),
        lambda one, user, password, schema: one.cmd_change_user(user, password, schema),
    ),
}


def asked(connection: Any, sql: str) -> list[list[object]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return rows(cursor)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_driver_changes_the_user(endpoints: Endpoints, driver: str) -> None:
    opened, change = DRIVERS[driver]

    def scenario(to: Endpoint) -> Found:
        connection = opened({**to.login, "database": SCHEMA})
        run(connection, "SET @mine = 1", "CREATE TEMPORARY TABLE passing (id INT)", "START TRANSACTION")
        change(connection, to.other.user, to.other.password, "information_schema")
        found: Found = {"other": asked(connection, "SELECT CURRENT_USER(), DATABASE(), @mine")}
        found["rights"] = error_of(lambda: asked(connection, "SELECT COUNT(*) FROM mysql.user"))
        change(connection, to.user, to.password, SCHEMA)
        found["back"] = asked(connection, "SELECT CURRENT_USER(), DATABASE(), @mine")
        found["temporary"] = error_of(lambda: asked(connection, "SELECT * FROM passing"))
        found["refused"] = error_of(lambda: change(connection, to.other.user, "wrong", SCHEMA))
        connection.close()
        return found

    found = compared(endpoints, scenario)
    assert found["other"] == [["other@%", "information_schema", None]]
