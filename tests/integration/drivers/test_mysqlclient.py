"""mysqlclient: a thin layer over libmariadb or libmysqlclient, and what Django and SQLAlchemy use by default."""

from typing import Any

import MySQLdb
from MySQLdb import cursors
from MySQLdb.constants import CLIENT

from tests.integration.drivers.dbapi import STEPS, error_of, large_value, rows, run_steps, several_statements
from tests.integration.drivers.endpoint import MEBIBYTE, SCHEMA, Endpoint, Endpoints, Found, compared

# enum_mysql_set_option of mysql_com.h
MULTI_STATEMENTS_ON, MULTI_STATEMENTS_OFF = 0, 1


def opened(to: Endpoint, **options: Any) -> Any:
    options = {**to.login, "database": SCHEMA, "charset": "utf8mb4", "autocommit": True, **options}
    return MySQLdb.connect(**options)


def kinds_of_cursor(connection: Any) -> object:
    """Dictionaries, and rows taken from the server one by one; a result left half read."""
    found: list[object] = []
    for kind in (cursors.DictCursor, cursors.SSCursor, cursors.SSDictCursor):
        with connection.cursor(kind) as cursor:
            cursor.execute("SELECT id, text FROM item ORDER BY id")
            found += [cursor.fetchone(), cursor.fetchmany(5)]
    return found


def about_the_connection(connection: Any) -> object:
    """What the C library does beside statements: each of these calls is a command of its own."""
    found: list[object] = [connection.get_server_info(), connection.get_proto_info(), connection.character_set_name()]
    connection.ping()
    connection.select_db("information_schema")
    found.append(error_of(lambda: connection.select_db("no_such_schema")))
    with connection.cursor() as cursor:
        cursor.execute("SELECT DATABASE()")
        found.append(rows(cursor))
        connection.select_db(SCHEMA)
        connection.set_character_set("latin1")
        cursor.execute("SELECT @@character_set_client, 'ü', HEX('ü')")
        found.append(rows(cursor))
        connection.set_character_set("utf8mb4", "utf8mb4_unicode_ci")
        cursor.execute("SELECT @@collation_connection")
        found.append(rows(cursor))
    assert connection.stat().startswith("Uptime")
    return found


def counts_after_statements(connection: Any) -> object:
    found = []
    for sql in (
        "INSERT INTO item (nothing) VALUES (1), (2), (3)",
        "UPDATE item SET nothing = 4 WHERE nothing = 3",
        "SELECT 1 / 0",
        "INSERT IGNORE INTO item (id) VALUES (1)",
    ):
        connection.query(sql)
        connection.store_result()
        found.append(
            (connection.info(), connection.warning_count(), connection.affected_rows(), connection.insert_id())
        )
        found.append(connection.show_warnings())
    return found


def switched_statements(connection: Any) -> object:
    """COM_SET_OPTION: several statements in one text, refused and allowed."""
    connection.set_server_option(MULTI_STATEMENTS_OFF)
    with connection.cursor() as cursor:
        found = [error_of(lambda: cursor.execute("SELECT 1; SELECT 2"))]
        connection.set_server_option(MULTI_STATEMENTS_ON)
        return [*found, several_statements(connection)]


def everything(to: Endpoint) -> Found:
    steps = {
        **STEPS,
        "several statements": several_statements,
        "switched statements": switched_statements,
        "a value of 20 MiB": large_value(20 * MEBIBYTE),
        "kinds of cursor": kinds_of_cursor,
        "counts": counts_after_statements,
        "about the connection": about_the_connection,
    }
    return run_steps(opened(to), steps)


def test_mysqlclient_sees_no_difference(endpoints: Endpoints) -> None:
    compared(endpoints, everything)


def with_options(to: Endpoint) -> Found:
    """What is said while connecting: found rows for changed ones, a first statement, no autocommit, another charset."""
    connection = opened(
        to,
        autocommit=False,
        charset="latin1",
        client_flag=CLIENT.FOUND_ROWS,
        init_command="SET @first = 'said'",
        sql_mode="ANSI_QUOTES",
        read_timeout=30,
        write_timeout=30,
        multi_statements=False,
        cursorclass=cursors.DictCursor,
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT @first, @@sql_mode, @@autocommit, 'é' AS \"name\"")
        found: Found = {"first": cursor.fetchall(), "several": error_of(lambda: cursor.execute("SELECT 1; SELECT 2"))}
        cursor.execute("DROP TABLE IF EXISTS item")
        cursor.execute("CREATE TABLE item (id INT PRIMARY KEY)")
        cursor.execute("INSERT INTO item VALUES (1)")
        found["same value"] = cursor.execute("UPDATE item SET id = 1")
        connection.rollback()
        cursor.execute("SELECT * FROM item")
        found["rolled back"] = cursor.fetchall()
    connection.close()
    return found


def test_options_of_mysqlclient(endpoints: Endpoints) -> None:
    found = compared(endpoints, with_options)
    assert found["same value"] == 1
    assert found["rolled back"] == ()


def test_refused_logins_of_mysqlclient(endpoints: Endpoints) -> None:
    def refused(to: Endpoint) -> Found:
        return {
            "password": error_of(lambda: opened(to, password="wrong")),
            "user": error_of(lambda: opened(to, user="nobody")),
            "schema": error_of(lambda: opened(to, database="no_such_schema")),
            "right": error_of(lambda: opened(to, user=to.other.user, password=to.other.password, database="mysql")),
        }

    compared(endpoints, refused)
