"""MariaDB's connector: C, with prepared statements, cursors on the server, bulk execution and two-phase commits."""

from typing import Any

import mariadb

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
)
from tests.integration.drivers.endpoint import MEBIBYTE, SCHEMA, Endpoint, Endpoints, Found, compared


def opened(to: Endpoint, **options: Any) -> Any:
    return mariadb.connect(**{**to.login, "database": SCHEMA, "autocommit": True, **options})


def kinds_of_cursor(connection: Any) -> object:
    found: list[object] = []
    for kind in ({"buffered": False}, {"dictionary": True}, {"named_tuple": True}, {"prepared": True}):
        with connection.cursor(**kind) as cursor:
            cursor.execute("SELECT id, text FROM item ORDER BY id")
            found += [repr(cursor.fetchone()), repr(cursor.fetchmany(5))]
    return found


def cursors_on_the_server(connection: Any) -> object:
    """Rows of a prepared statement fetched a few at a time."""
    found: list[object] = []
    for size in (1, 7, 1000):
        cursor = connection.cursor(cursor_type=mariadb.constants.CURSOR.READ_ONLY, prefetch_size=size)
        cursor.execute("SELECT id, nothing FROM item WHERE id > ? ORDER BY id", (0,))
        found.append(rows(cursor))
        cursor.close()
    assert found[0] == found[2]
    return found


def prepared(connection: Any) -> object:
    """One statement many times, with values and NULLs, and a long value; a statement that cannot be prepared."""
    found: list[object] = []
    # Version 1.1 of the driver crashes when a statement of eight parameters runs a second time.
    columns, values = COLUMNS.removesuffix(", nothing"), VALUES[:-1]
    insert = f"INSERT INTO item ({columns}) VALUES ({', '.join('?' * len(values))})"
    with connection.cursor(prepared=True) as cursor, connection.cursor(prepared=True) as reader:
        for row in (values, (None,) * len(values), values):
            cursor.execute(insert, row)
            reader.execute(f"SELECT {columns} FROM item WHERE id = ?", (cursor.lastrowid,))
            found.append(rows(reader))
    with connection.cursor(prepared=True) as cursor:
        found.append(error_of(lambda: cursor.execute("SELECT no_such_column FROM item WHERE id = ?", (1,))))
    with connection.cursor(binary=True) as cursor:
        cursor.execute("SELECT LENGTH(?), ?", (bytes(MEBIBYTE), None))
        found.append(rows(cursor))
    return found


def parameters_of_a_procedure(connection: Any) -> object:
    body = "BEGIN SELECT a, b; SET b = a * 2; SET c = CONCAT(c, '!'); END"
    create = f"CREATE PROCEDURE parameters(IN a INT, OUT b INT, INOUT c VARCHAR(20)) {body}"
    run(connection, "DROP PROCEDURE IF EXISTS parameters", create)
    with connection.cursor() as cursor:
        cursor.callproc("parameters", (21, 0, "ü"))
        found: list[tuple[bool, list[list[object]]]] = []
        while True:
            found.append((cursor.sp_outparams, rows(cursor) if cursor.description else []))
            if not cursor.nextset():
                break
    run(connection, "DROP PROCEDURE parameters")
    assert [result[0][0] for _, result in found if result] == [21, 42]
    return found


def bulk_values(connection: Any) -> object:
    """Bulk execution of every type, of a statement that fails halfway, and with RETURNING where the server has it."""
    cursor = connection.cursor()
    cursor.executemany(INSERT, [VALUES, (None,) * len(VALUES), VALUES] * 20)
    found: list[object] = [cursor.rowcount]
    cursor.execute(f"SELECT {COLUMNS} FROM item ORDER BY id DESC LIMIT 3")
    found.append(rows(cursor))
    failing = [(5000,), (5001,), (5000,), (5002,)]
    found.append(error_of(lambda: cursor.executemany("INSERT INTO item (id) VALUES (?)", failing)))
    cursor.execute("SELECT id FROM item WHERE id >= 5000")
    found.append(rows(cursor))
    cursor.executemany("DELETE FROM item WHERE id = ?", [(number,) for number in range(1000, 1100)])
    found.append(cursor.rowcount)
    cursor.close()
    return found


def about_the_connection(connection: Any) -> object:
    found: list[object] = [connection.server_info, connection.server_version, connection.character_set]
    connection.ping()
    connection.select_db("information_schema")
    found.append(error_of(lambda: connection.select_db("no_such_schema")))
    with connection.cursor() as cursor:
        cursor.execute("SELECT DATABASE()")
        found.append(rows(cursor))
    connection.select_db(SCHEMA)
    found += [connection.warnings, connection.server_status]
    run(connection, "SET @mine = 1", "CREATE TEMPORARY TABLE passing (id INT)")
    connection.reset()
    with connection.cursor() as cursor:
        cursor.execute("SELECT @mine, @@autocommit, DATABASE()")
        found += [rows(cursor), error_of(lambda: cursor.execute("SELECT * FROM passing"))]
    connection.reconnect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")
        found += [rows(cursor), connection.warnings, connection.show_warnings()]
    return found


def two_phase_commits(connection: Any) -> object:
    found = []
    for end in (connection.tpc_commit, connection.tpc_rollback):
        connection.tpc_begin(connection.xid(1, "drivers", end.__name__))
        run(connection, "INSERT INTO item (text) VALUES ('two phases')")
        connection.tpc_prepare()
        end()
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM item WHERE text = 'two phases'")
            found.append(rows(cursor))
    assert found == [[[1]], [[1]]]
    return found


def everything(to: Endpoint) -> Found:
    steps = {
        **STEPS,
        "kinds of cursor": kinds_of_cursor,
        "cursors on the server": cursors_on_the_server,
        "prepared": prepared,
        "a procedure's parameters": parameters_of_a_procedure,
        "bulk values": bulk_values,
        "two-phase commits": two_phase_commits,
        "a value of 20 MiB": large_value(20 * MEBIBYTE),
        "about the connection": about_the_connection,
    }
    return run_steps(opened(to), steps)


def test_mariadb_sees_no_difference(endpoints: Endpoints) -> None:
    compared(endpoints, everything)


def test_a_pool_of_mariadb(endpoints: Endpoints) -> None:
    def pooled(to: Endpoint) -> Found:
        pool = mariadb.ConnectionPool(pool_name=f"to{to.port}", pool_size=2, **to.login, database=SCHEMA)
        found: Found = {}
        for turn in range(3):
            with pool.get_connection() as connection, connection.cursor() as cursor:
                cursor.execute("SELECT @mine, @@autocommit")
                found[f"turn {turn}"] = rows(cursor)
                cursor.execute("SET @mine = 1")
        pool.close()
        return found

    compared(endpoints, pooled)


def test_refused_logins_of_mariadb(endpoints: Endpoints) -> None:
    def refused(to: Endpoint) -> Found:
        fresh_table(opened(to))
        return {
            "password": error_of(lambda: opened(to, password="wrong")),
            "user": error_of(lambda: opened(to, user="nobody")),
            "schema": error_of(lambda: opened(to, database="no_such_schema")),
            "right": error_of(lambda: opened(to, user=to.other.user, password=to.other.password, database="mysql")),
        }

    compared(endpoints, refused)
