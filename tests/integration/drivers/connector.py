"""What mysql-connector-python is made to do, in pure Python or with its C extension."""

from dataclasses import dataclass
from typing import Any

import mysql.connector
from mysql.connector.constants import ClientFlag
from mysql.connector.pooling import MySQLConnectionPool

from tests.integration.drivers.dbapi import (
    COLUMNS,
    INSERT,
    STEPS,
    VALUES,
    error_of,
    fresh_table,
    large_value,
    rows,
    run,
    run_steps,
    several_statements,
)
from tests.integration.drivers.endpoint import MEBIBYTE, SCHEMA, Endpoint, Found


@dataclass(frozen=True)
class Connector:
    """The scenarios, for one of the connector's two ways of working."""

    pure: bool

    def opened(self, to: Endpoint, **options: Any) -> Any:
        options = {**to.login, "database": SCHEMA, "autocommit": True, "use_pure": self.pure, **options}
        return mysql.connector.connect(**options)

    def everything(self, to: Endpoint) -> Found:
        steps = {
            **STEPS,
            "several statements": several_statements,
            "kinds of cursor": kinds_of_cursor,
            "a procedure's parameters": parameters_of_a_procedure,
            "warnings it fetches": fetched_warnings,
            "about the connection": about_the_connection,
            "reset": reset,
        }
        if not self.pure:  # which takes a packet apart byte by byte
            steps["a value of 20 MiB"] = large_value(20 * MEBIBYTE)
        return run_steps(self.opened(to), steps)

    def prepared_statements(self, to: Endpoint) -> Found:
        """Rows in and out, NULLs, a long value, a statement that cannot be prepared; many statements at once."""
        connection = self.opened(to)
        fresh_table(connection)
        found: Found = {}
        # The C extension takes no parameter above 2 ** 63.
        values = tuple(2**63 - 1 if value == 2**64 - 1 else value for value in VALUES)
        with connection.cursor(prepared=True) as cursor:
            for name, row in {"values": values, "nothing": (None,) * len(values), "again": values}.items():
                cursor.execute(INSERT, row)
                found[name] = cursor.lastrowid
            for number in (1, 2, 3, 99):
                cursor.execute(f"SELECT {COLUMNS} FROM item WHERE id = %s", (number,))
                found[f"row {number}"] = cursor.fetchall()
            cursor.execute("SELECT LENGTH(%s), %s", (bytes(MEBIBYTE), None))
            found["long"] = cursor.fetchall()
            found["error"] = error_of(lambda: cursor.execute("SELECT no_such_column FROM item WHERE id = %s", (1,)))
            cursor.executemany("INSERT INTO item (nothing) VALUES (%s)", [(number,) for number in range(20)])
            found["many"] = cursor.rowcount
        cursors = [connection.cursor(prepared=True) for _ in range(10)]
        for turn in range(3):
            for number, cursor in enumerate(cursors):
                cursor.execute(f"SELECT {number} + COUNT(*) FROM item WHERE nothing < %s", (turn,))
                found[f"turn {turn} of {number}"] = cursor.fetchall()
        connection.close()
        assert found["values"] == 1
        assert found["turn 2 of 9"] == [(11,)]
        return found

    def options(self, to: Endpoint) -> Found:
        """What is said while connecting."""
        connection = self.opened(
            to,
            autocommit=False,
            charset="latin1",
            client_flags=[ClientFlag.FOUND_ROWS, -ClientFlag.MULTI_STATEMENTS],
            init_command="SET @first = 'said'",
            sql_mode="ANSI_QUOTES",
            time_zone="+04:00",
            conn_attrs={"purpose": "tests"},
            raise_on_warnings=True,
        )
        with connection.cursor() as cursor:
            cursor.execute("SELECT @first, @@sql_mode, @@time_zone, @@autocommit, 'é'")
            found: Found = {"first": cursor.fetchall()}
            found["several"] = error_of(lambda: cursor.execute("SELECT 1; SELECT 2"))
            found["warning"] = error_of(lambda: [cursor.execute("SELECT CAST('1x' AS SIGNED)"), cursor.fetchall()])
            cursor.execute("CREATE TABLE IF NOT EXISTS same (id INT PRIMARY KEY)")
            cursor.execute("INSERT INTO same VALUES (1)")
            cursor.execute("UPDATE same SET id = 1")
            found["same value"] = cursor.rowcount
            connection.rollback()
            cursor.execute("SELECT * FROM same")
            found["rolled back"] = cursor.fetchall()
            cursor.execute("DROP TABLE same")
        connection.close()
        assert found["same value"] == 1
        assert found["rolled back"] == []
        return found

    def pool(self, to: Endpoint) -> Found:
        """Connections that are reset when they come back: neither variables nor a transaction outlive that."""
        options = {**to.login, "database": SCHEMA, "use_pure": self.pure}
        pool = MySQLConnectionPool(pool_name="drivers", pool_size=2, pool_reset_session=True, **options)
        found: Found = {}
        for turn in range(3):
            first, second = pool.get_connection(), pool.get_connection()
            for name, connection in (("first", first), ("second", second)):
                with connection.cursor() as cursor:
                    cursor.execute("SELECT @mine, @@autocommit")
                    found[f"{name} in turn {turn}"] = cursor.fetchall()
                    cursor.execute("SET @mine = 1")
                    cursor.execute("START TRANSACTION")
                connection.close()
        assert all(result == [(None, 0)] for result in found.values())
        return found

    def refused_logins(self, to: Endpoint) -> Found:
        return {
            "password": error_of(lambda: self.opened(to, password="wrong")),
            "user": error_of(lambda: self.opened(to, user="nobody")),
            "schema": error_of(lambda: self.opened(to, database="no_such_schema")),
        }

    def scenarios(self, to: Endpoint) -> Found:
        """All of the above."""
        scenarios = (self.everything, self.prepared_statements, self.options, self.pool, self.refused_logins)
        return {f"{scenario.__name__}: {step}": seen for scenario in scenarios for step, seen in scenario(to).items()}


def kinds_of_cursor(connection: Any) -> object:
    found: list[object] = []
    for kind in ({"buffered": True}, {"dictionary": True}, {"raw": True}):
        with connection.cursor(**kind) as cursor:
            cursor.execute("SELECT id, text FROM item ORDER BY id")
            found.append(repr(cursor.fetchall()))
    cursor = connection.cursor()
    cursor.execute("SELECT id FROM item ORDER BY id")
    found.append(cursor.fetchone())
    found.append(error_of(lambda: connection.cursor().execute("SELECT 1")))
    found.append(rows(cursor))
    cursor.close()
    return found


def parameters_of_a_procedure(connection: Any) -> object:
    body = "BEGIN SELECT a, b; SET b = a * 2; SET c = CONCAT(c, '!'); SELECT 'second'; END"
    create = f"CREATE PROCEDURE parameters(IN a INT, OUT b INT, INOUT c VARCHAR(20)) {body}"
    run(connection, "DROP PROCEDURE IF EXISTS parameters", create)
    with connection.cursor() as cursor:
        found: list[object] = [cursor.callproc("parameters", (21, 0, "ü"))]
        found += [rows(result) for result in cursor.stored_results()]
    run(connection, "DROP PROCEDURE parameters")
    assert found[0] == (21, 42, "ü!")
    return found


def fetched_warnings(connection: Any) -> object:
    connection.get_warnings = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0, CAST('12x' AS SIGNED)")
        found = [rows(cursor), cursor.warnings, cursor.warning_count]
    connection.get_warnings = False
    assert found[1]
    return found


def about_the_connection(connection: Any) -> object:
    found: list[object] = [connection.get_server_info(), connection.charset, connection.collation]
    connection.ping()
    assert connection.is_connected()
    connection.cmd_init_db("information_schema")
    found += [connection.database, error_of(lambda: connection.cmd_init_db("no_such_schema"))]
    connection.database = SCHEMA
    connection.set_charset_collation("latin1")
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@character_set_client, 'ü', HEX('ü')")
        found.append(rows(cursor))
        connection.set_charset_collation("utf8mb4", "utf8mb4_unicode_ci")
        cursor.execute("SELECT @@collation_connection")
        found.append(rows(cursor))
    connection.start_transaction(isolation_level="READ COMMITTED", consistent_snapshot=False)
    found.append(connection.in_transaction)
    connection.rollback()
    found.append(connection.in_transaction)
    return found


def reset(connection: Any) -> object:
    run(connection, "SET @mine = 1", "CREATE TEMPORARY TABLE passing (id INT)")
    connection.cmd_reset_connection()
    with connection.cursor() as cursor:
        cursor.execute("SELECT @mine, @@autocommit, DATABASE()")
        found = [rows(cursor), error_of(lambda: cursor.execute("SELECT * FROM passing"))]
    connection.reset_session(user_variables={"mine": 2}, session_variables={"group_concat_max_len": 6})
    with connection.cursor() as cursor:
        cursor.execute("SELECT @mine, @@group_concat_max_len")
        found.append(rows(cursor))
    return found
