"""PyMySQL: pure Python, and what most small tools use."""

from typing import Any

import pymysql
from pymysql import cursors
from pymysql.constants import CLIENT

from tests.integration.drivers.dbapi import STEPS, error_of, large_value, rows, run_steps, several_statements
from tests.integration.drivers.endpoint import MEBIBYTE, SCHEMA, Endpoint, Endpoints, Found, compared


def opened(to: Endpoint, **options: Any) -> Any:
    return pymysql.connect(**{**to.login, "database": SCHEMA, "autocommit": True, **options})


def kinds_of_cursor(connection: Any) -> object:
    """Dictionaries, and rows taken from the server one by one; a result left half read."""
    found: list[object] = []
    with connection.cursor(cursors.DictCursor) as cursor:
        cursor.execute("SELECT id, text FROM item ORDER BY id LIMIT 2")
        found.append(cursor.fetchall())
    with connection.cursor(cursors.SSCursor) as cursor:
        cursor.execute("SELECT id FROM item ORDER BY id")
        found += [cursor.fetchone(), cursor.fetchmany(5)]
    with connection.cursor(cursors.SSDictCursor) as cursor:
        cursor.execute("SELECT id FROM item WHERE id >= 1000 ORDER BY id")
        found.append(list(cursor.fetchall_unbuffered()))
    return found


def about_the_connection(connection: Any) -> object:
    found: list[object] = [connection.get_server_info(), connection.character_set_name()]
    connection.ping(reconnect=False)
    connection.select_db("information_schema")
    with connection.cursor() as cursor:
        cursor.execute("SELECT DATABASE()")
        found.append(rows(cursor))
        found.append(error_of(lambda: connection.select_db("no_such_schema")))
        connection.select_db(SCHEMA)
        connection.set_character_set("latin1")
        cursor.execute("SELECT @@character_set_client, @@collation_connection, 'ü', HEX('ü')")
        found.append(rows(cursor))
        connection.set_character_set("utf8mb4", "utf8mb4_unicode_ci")
        cursor.execute("SELECT @@collation_connection")
        found.append(rows(cursor))
        cursor.execute("SELECT 1 / 0")
        found.append(connection.show_warnings())
    return found


def everything(to: Endpoint) -> Found:
    steps = {
        **STEPS,
        "several statements": several_statements,
        "a value of 20 MiB": large_value(20 * MEBIBYTE),
        "kinds of cursor": kinds_of_cursor,
        "about the connection": about_the_connection,
    }
    return run_steps(opened(to, client_flag=CLIENT.MULTI_STATEMENTS), steps)


def test_pymysql_sees_no_difference(endpoints: Endpoints) -> None:
    compared(endpoints, everything)


def with_options(to: Endpoint) -> Found:
    """What is said while connecting: found rows for changed ones, a first statement, no autocommit, another charset."""
    connection = opened(
        to,
        autocommit=False,
        charset="latin1",
        client_flag=CLIENT.FOUND_ROWS,
        init_command="SET @first = 'said', sql_mode = 'ANSI_QUOTES'",
        read_timeout=30,
        write_timeout=30,
        program_name="drivers",
        cursorclass=cursors.DictCursor,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT @first, @@sql_mode, @@autocommit, 'é' AS \"é\"")
        found: Found = {"first": cursor.fetchall()}
        cursor.execute("DROP TABLE IF EXISTS item")
        cursor.execute("CREATE TABLE item (id INT PRIMARY KEY)")
        cursor.execute("INSERT INTO item VALUES (1)")
        found["same value"] = cursor.execute("UPDATE item SET id = 1")
        connection.rollback()
        cursor.execute("SELECT * FROM item")
        found["rolled back"] = cursor.fetchall()
        connection.begin()
    return found


def test_options_of_pymysql(endpoints: Endpoints) -> None:
    found = compared(endpoints, with_options)
    assert found["same value"] == 1
    assert found["rolled back"] == ()


def test_refused_logins_of_pymysql(endpoints: Endpoints) -> None:
    def refused(to: Endpoint) -> Found:
        return {
            "password": error_of(lambda: opened(to, password="wrong")),
            "user": error_of(lambda: opened(to, user="nobody")),
            "schema": error_of(lambda: opened(to, database="no_such_schema")),
            "right": error_of(lambda: opened(to, user=to.other.user, password=to.other.password, database="mysql")),
        }

    compared(endpoints, refused)
