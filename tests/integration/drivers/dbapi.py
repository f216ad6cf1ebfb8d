"""What any DB-API driver is made to do. Each step takes a connection in autocommit mode and returns what it saw."""

import datetime
import decimal
from collections.abc import Callable
from typing import Any, Final

from tests.integration.drivers.endpoint import MEBIBYTE, SCHEMA, TABLE, UNICODE, Found

Step = Callable[[Any], object]

VALUES: Final = (
    decimal.Decimal("-12.50"),
    0.1,
    2**64 - 1,
    datetime.datetime(2024, 2, 29, 23, 59, 59, 999999),
    datetime.date(1999, 12, 31),
    UNICODE,
    b"\0\xff\xfe'\"\\",
    None,
)
COLUMNS: Final = "amount, ratio, big, moment, day, text, content, nothing"
INSERT: Final = f"INSERT INTO item ({COLUMNS}) VALUES ({', '.join(['%s'] * len(VALUES))})"
ERRORS: Final = (
    "SELEC 1",
    "SELECT * FROM no_such_table",
    "INSERT INTO item (id) VALUES (1)",
    "SELECT no_such_column FROM item",
    "CALL no_such_procedure()",
    "USE no_such_schema",
)
KINDS: Final = """CREATE TABLE kinds (
    id INT PRIMARY KEY, bits BIT(10), small TINYINT UNSIGNED, wide DECIMAL(30, 10), single FLOAT, stamp TIMESTAMP NULL,
    span TIME(3), year YEAR, choice ENUM('a', 'b'), several SET('x', 'y', 'z'), fixed BINARY(4), document JSON,
    day DATE, moment DATETIME
)"""
ROWS_OF_KINDS: Final = (
    """(1, b'1010101010', 255, 12345678901234567890.0123456789, 1.5, '2024-02-29 12:00:00', '-37:59:59.125', 2155, 'b',
        'x,z', x'00ff2762', '{"a": [1, null, "ü"]}', '9999-12-31', '1000-01-01 00:00:00')""",
    "(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    "(3, 0, 0, 0, 0, '0000-00-00 00:00:00', 0, 1901, 1, '', '', '[]', '0000-00-00', '0000-00-00 00:00:00')",
)


def rows(cursor: Any) -> list[list[object]]:
    """What is left of a result, a list each: drivers make rows of different types."""
    return [list(row) for row in cursor.fetchall()]


def run(connection: Any, *statements: str) -> None:
    cursor = connection.cursor()
    for sql in statements:
        cursor.execute(sql)
    cursor.close()


def fresh_table(connection: Any) -> None:
    run(connection, "DROP TABLE IF EXISTS item", TABLE)


def values(connection: Any) -> object:
    """Rows of many types, an empty and a NULL one among them, and the insert id."""
    cursor = connection.cursor()
    cursor.execute(INSERT, VALUES)
    first = cursor.lastrowid
    cursor.execute("INSERT INTO item (text) VALUES ('')")
    last = cursor.lastrowid
    cursor.execute(f"SELECT id, {COLUMNS} FROM item ORDER BY id")
    found = rows(cursor)
    cursor.close()
    assert (first, last) == (1, 2)
    assert found[0][6] == UNICODE
    assert found[0][8] is None
    return [found, cursor.description]


def kinds(connection: Any) -> object:
    """Every other type of column: ordinary values, NULLs, zero dates; under another time zone too."""
    run(connection, "DROP TABLE IF EXISTS kinds", KINDS, "SET sql_mode = ''")
    run(connection, *(f"INSERT INTO kinds VALUES {row}" for row in ROWS_OF_KINDS), "SET sql_mode = DEFAULT")
    found = []
    cursor = connection.cursor()
    for zone in ("+00:00", "-05:30"):
        cursor.execute(f"SET time_zone = '{zone}'")
        cursor.execute("SELECT * FROM kinds ORDER BY id")
        found.append(rows(cursor))
    cursor.close()
    run(connection, "SET time_zone = DEFAULT", "DROP TABLE kinds")
    assert len(found[0]) == len(ROWS_OF_KINDS)
    return found


def transactions(connection: Any) -> object:
    """A change that is rolled back, and one that is committed."""
    counts = []
    cursor = connection.cursor()
    for end in (connection.rollback, connection.commit):
        cursor.execute("START TRANSACTION")
        cursor.execute("INSERT INTO item (text) VALUES ('in a transaction')")
        end()
        cursor.execute("SELECT COUNT(*) FROM item WHERE text = 'in a transaction'")
        counts.append(cursor.fetchall()[0][0])
    cursor.close()
    assert counts == [0, 1]
    return counts


def large_value(size: int) -> Step:
    """A value of so many bytes there and back."""

    def step(connection: Any) -> object:
        content = bytes(range(256)) * (size // 256)
        cursor = connection.cursor()
        cursor.execute("INSERT INTO item (content) VALUES (%s)", (content,))
        cursor.execute("SELECT content FROM item WHERE id = %s", (cursor.lastrowid,))
        ((back,),) = cursor.fetchall()
        cursor.close()
        assert bytes(back) == content
        return len(back)

    return step


def all_results(cursor: Any) -> list[object]:
    """The rows of each result that is left, None for one without."""
    found: list[object] = []
    while True:
        found.append(rows(cursor) if cursor.description else None)
        if not cursor.nextset():
            return found


def procedure(connection: Any) -> object:
    """A procedure with two results."""
    cursor = connection.cursor()
    cursor.execute(f"CALL {SCHEMA}.several(7)")
    found = all_results(cursor)
    cursor.close()
    assert found[:2] == [[[7]], [[8, "x"]]]
    return found


def several_statements(connection: Any) -> object:
    """Statements in one text, the last of them with an error."""
    cursor = connection.cursor()
    cursor.execute("SELECT 1; SELECT 2, 'x'; DO 1; SELECT 3")
    found = all_results(cursor)
    assert found[:2] == [[[1]], [[2, "x"]]]
    cursor.execute("SELECT 4; SELECT * FROM no_such_table")
    found.append(rows(cursor))
    found.append(error_of(cursor.nextset))
    cursor.close()
    return found


def bulk(connection: Any) -> object:
    """What `executemany` makes of many rows, NULLs and duplicate keys among them."""
    cursor = connection.cursor()
    numbers = [(1000 + number, None if number % 3 else number) for number in range(100)]
    cursor.executemany("INSERT INTO item (id, nothing) VALUES (%s, %s)", numbers)
    found: list[object] = [cursor.rowcount]
    found.append(error_of(lambda: cursor.executemany("INSERT INTO item (id, nothing) VALUES (%s, %s)", numbers[:3])))
    cursor.executemany("UPDATE item SET nothing = %s WHERE id = %s", [(7, 1000), (8, 1001)])
    cursor.execute("SELECT id, nothing FROM item WHERE id >= 1000 ORDER BY id")
    found.append(rows(cursor))
    cursor.close()
    assert found[0] == len(numbers)
    return found


def row_counts(connection: Any) -> object:
    """Rows changed or found by statements that change some, none, or the same."""
    cursor = connection.cursor()
    found = []
    for sql in (
        "INSERT INTO item (id, nothing) VALUES (2000, 1), (2001, 1)",
        "UPDATE item SET nothing = 1 WHERE id >= 2000",
        "UPDATE item SET nothing = 2 WHERE id >= 2000",
        "REPLACE INTO item (id, nothing) VALUES (2000, 3)",
        "INSERT INTO item (id) VALUES (2000) ON DUPLICATE KEY UPDATE nothing = 4",
        "DELETE FROM item WHERE id >= 2000",
        "DELETE FROM item WHERE id >= 2000",
    ):
        cursor.execute(sql)
        found.append(cursor.rowcount)
    cursor.close()
    return found


def warnings(connection: Any) -> object:
    """The warnings of a read and of a write, as the next statement shows them."""
    cursor = connection.cursor()
    found: list[object] = []
    for sql in ("SELECT 1 / 0, CAST('12x' AS SIGNED)", "INSERT IGNORE INTO item (id, day) VALUES (1, '2024-02-30')"):
        cursor.execute(sql)
        found.append(rows(cursor) if cursor.description else cursor.rowcount)
        cursor.execute("SHOW WARNINGS")
        found.append(rows(cursor))
    cursor.close()
    assert found[1]
    assert found[3]
    return found


def session_state(connection: Any) -> object:
    """Variables, a schema, a temporary table and a lock that later reads must know."""
    cursor = connection.cursor()
    found = []
    for sql in (
        "SET @a = 41, @b = 'x'",
        "SELECT @a + 1, @b",
        "USE information_schema",
        "SELECT DATABASE()",
        f"USE {SCHEMA}",
        "CREATE TEMPORARY TABLE passing (id INT)",
        "INSERT INTO passing VALUES (1), (2)",
        "SELECT COUNT(*) FROM passing",
        "DROP TEMPORARY TABLE passing",
        "SET SESSION group_concat_max_len = 5",
        "SELECT GROUP_CONCAT(id) FROM item WHERE id >= 1000",
        "SET SESSION group_concat_max_len = DEFAULT",
        "SELECT GET_LOCK('drivers', 5), IS_FREE_LOCK('drivers')",
        "SELECT RELEASE_LOCK('drivers')",
        "SELECT SQL_CALC_FOUND_ROWS id FROM item ORDER BY id LIMIT 1",
        "SELECT FOUND_ROWS()",
    ):
        cursor.execute(sql)
        found.append(rows(cursor) if cursor.description else None)
    cursor.close()
    assert found[1] == [[42, "x"]]
    return found


def error_of(action: Callable[[], object]) -> object:
    """The error that `action` must end with, as its class and arguments."""
    try:
        action()
    except Exception as error:
        return (type(error).__name__, error.args)
    raise AssertionError("what must fail did not")


def errors(connection: Any) -> object:
    cursor = connection.cursor()
    found = [error_of(lambda sql=sql: cursor.execute(sql)) for sql in ERRORS]  # type: ignore[misc]  # mypy cannot infer it
    cursor.close()
    return found


STEPS: Final[dict[str, Step]] = {
    "values": values,
    "kinds": kinds,
    "transactions": transactions,
    "a large value": large_value(MEBIBYTE),
    "a procedure": procedure,
    "bulk": bulk,
    "row counts": row_counts,
    "warnings": warnings,
    "session state": session_state,
    "errors": errors,
}


def run_steps(connection: Any, steps: dict[str, Step]) -> Found:
    """A new table, the steps in order, and the connection is closed."""
    fresh_table(connection)
    found = {name: step(connection) for name, step in steps.items()}
    connection.close()
    return found
