"""Python's drivers do through the proxy what they do without it, to the last error text."""

import asyncio
import datetime
import decimal
from collections.abc import Callable
from typing import Any

import aiomysql
import mysql.connector
import pymysql
import pytest
from pymysql.constants import CLIENT

from replication.sandbox import Cluster
from tests.integration.drivers.endpoint import SCHEMA, TABLE, UNICODE, Endpoint
from tests.support.clients import direct, run
from tests.support.proxies import ProxyProcess

MySQLdb = pytest.importorskip("MySQLdb")
MEBIBYTE = 1024 * 1024
Open = Callable[[Endpoint], Any]
VALUES = (
    decimal.Decimal("-12.50"),
    0.1,
    2**64 - 1,
    datetime.datetime(2024, 2, 29, 23, 59, 59, 999999),
    datetime.date(1999, 12, 31),
    UNICODE,
    b"\0\xff\xfe'\"\\",
    None,
)
COLUMNS = "amount, ratio, big, moment, day, text, content, nothing"
INSERT = f"INSERT INTO item ({COLUMNS}) VALUES ({', '.join(['%s'] * len(VALUES))})"
ERRORS = (
    "SELEC 1",
    "SELECT * FROM no_such_table",
    "INSERT INTO item (id) VALUES (1)",
    "SELECT no_such_column FROM item",
    "CALL no_such_procedure()",
    "USE no_such_schema",
)


def with_pymysql(to: Endpoint) -> Any:
    return pymysql.connect(
        host=to.host,
        port=to.port,
        user=to.user,
        password=to.password,
        database=SCHEMA,
        client_flag=CLIENT.MULTI_STATEMENTS,
    )


def with_mysqlclient(to: Endpoint) -> Any:
    return MySQLdb.connect(
        host=to.host, port=to.port, user=to.user, password=to.password, database=SCHEMA, charset="utf8mb4"
    )


def with_connector(to: Endpoint, pure: bool = True) -> Any:
    return mysql.connector.connect(
        host=to.host, port=to.port, user=to.user, password=to.password, database=SCHEMA, use_pure=pure
    )


def with_connector_in_c(to: Endpoint) -> Any:
    return with_connector(to, pure=False)


DRIVERS = [
    pytest.param(with_pymysql, id="pymysql"),
    pytest.param(with_mysqlclient, id="mysqlclient"),
    pytest.param(with_connector, id="connector-pure"),
    pytest.param(
        with_connector_in_c,
        id="connector-c",
        marks=pytest.mark.skipif(not mysql.connector.HAVE_CEXT, reason="the connector came without its C extension"),
    ),
]


def values_and_types(cursor: Any) -> list[object]:
    """Rows of many types, an empty and a NULL one among them, and the insert id."""
    cursor.execute(INSERT, VALUES)
    first = cursor.lastrowid
    cursor.execute("INSERT INTO item (text) VALUES ('')")
    cursor.execute(f"SELECT id, {COLUMNS} FROM item ORDER BY id")
    rows = [list(row) for row in cursor.fetchall()]
    assert first == 1
    assert rows[0][6] == UNICODE
    assert rows[0][8] is None
    return [first, cursor.lastrowid, rows]


def transactions(connection: Any, cursor: Any) -> list[object]:
    counts = []
    for end in (connection.rollback, connection.commit):
        cursor.execute("INSERT INTO item (text) VALUES ('in a transaction')")
        end()
        cursor.execute("SELECT COUNT(*) FROM item WHERE text = 'in a transaction'")
        counts.append(cursor.fetchall()[0][0])
        connection.commit()
    assert counts == [0, 1]
    return [counts]


def large_values(cursor: Any, sizes: tuple[int, ...]) -> list[object]:
    lengths = []
    for size in sizes:
        content = bytes(range(256)) * (size // 256)
        cursor.execute("INSERT INTO item (content) VALUES (%s)", (content,))
        cursor.execute("SELECT content FROM item WHERE id = %s", (cursor.lastrowid,))
        ((back,),) = cursor.fetchall()
        assert bytes(back) == content
        lengths.append(len(back))
    return [lengths]


def several_results(cursor: Any) -> list[object]:
    found: list[Any] = []
    for sql in ("SELECT 1; SELECT 2, 'x'; DO 1; SELECT 3", f"CALL {SCHEMA}.several(7)"):
        cursor.execute(sql)
        while True:
            found.append([list(row) for row in cursor.fetchall()] if cursor.description else None)
            if not cursor.nextset():
                break
    assert found[:2] == [[[1]], [[2, "x"]]]
    assert [rows for rows in found if rows and rows[0][0] in (7, 8)] == [[[7]], [[8, "x"]]]
    return found


def errors(cursor: Any) -> list[object]:
    found: list[object] = []
    for sql in ERRORS:
        try:
            cursor.execute(sql)
        except Exception as error:
            found.append((type(error).__name__, error.args))
    assert len(found) == len(ERRORS)
    return found


def everything(connection: Any, large: tuple[int, ...]) -> list[object]:
    cursor = connection.cursor()
    cursor.execute("DROP TABLE IF EXISTS item")
    cursor.execute(TABLE)
    results = values_and_types(cursor)
    connection.commit()
    results += transactions(connection, cursor)
    results += large_values(cursor, large)
    results += several_results(cursor)
    results += errors(cursor)
    connection.commit()
    connection.close()
    return results


@pytest.mark.parametrize("open_connection", DRIVERS)
def test_a_driver_sees_no_difference(endpoints: tuple[Endpoint, Endpoint], open_connection: Open) -> None:
    large = (MEBIBYTE, 20 * MEBIBYTE) if open_connection is not with_connector else (MEBIBYTE,)
    without, through = (everything(open_connection(endpoint), large) for endpoint in endpoints)
    assert through == without


@pytest.mark.parametrize("pure", [True, False], ids=["pure", "c"])
def test_prepared_statements_of_the_connector(endpoints: tuple[Endpoint, Endpoint], pure: bool) -> None:
    if not pure and not mysql.connector.HAVE_CEXT:
        pytest.skip("the connector came without its C extension")
    outcomes = []
    for endpoint in endpoints:
        connection = with_connector(endpoint, pure)
        with connection.cursor() as plain:
            plain.execute("DROP TABLE IF EXISTS item")
            plain.execute(TABLE)
        with connection.cursor(prepared=True) as cursor:
            results: list[object] = []
            for values in (VALUES, (None,) * len(VALUES), VALUES):
                cursor.execute(INSERT, values)
                results.append(cursor.lastrowid)
            connection.commit()
            for number in (1, 2, 3, 99):
                cursor.execute(f"SELECT {COLUMNS} FROM item WHERE id = %s", (number,))
                results.append(cursor.fetchall())
            content = bytes(MEBIBYTE)
            cursor.execute("SELECT LENGTH(%s), %s", (content, None))
            results.append(cursor.fetchall())
            with pytest.raises(mysql.connector.Error) as caught:
                cursor.execute("SELECT no_such_column FROM item WHERE id = %s", (1,))
            results.append(caught.value.args)
        connection.close()
        outcomes.append(results)
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] == 1


async def with_aiomysql(to: Endpoint) -> list[object]:
    results: list[object] = []
    # Version 0.3 of the driver cannot write bytes into a statement.
    values = (*VALUES[:6], None, None)
    pool = await aiomysql.create_pool(
        host=to.host,
        port=to.port,
        user=to.user,
        password=to.password,
        db=SCHEMA,
        charset="utf8mb4",
        minsize=1,
        maxsize=3,
    )
    async with pool, pool.acquire() as connection, connection.cursor() as cursor:
        await cursor.execute("DROP TABLE IF EXISTS item")
        await cursor.execute(TABLE)
        await cursor.execute(INSERT, values)
        results.append(cursor.lastrowid)
        await connection.rollback()
        await cursor.execute(INSERT, values)
        await connection.commit()
        await cursor.execute(f"SELECT id, {COLUMNS} FROM item")
        results.append(await cursor.fetchall())
        await cursor.execute("SELECT LENGTH(%s)", ("x" * MEBIBYTE,))
        results.append(await cursor.fetchall())
        await cursor.callproc(f"{SCHEMA}.several", (7,))
        while True:
            results.append(await cursor.fetchall())
            if not await cursor.nextset():
                break
        for sql in ERRORS[:2]:
            with pytest.raises(pymysql.err.MySQLError) as caught:
                await cursor.execute(sql)
            results.append(caught.value.args)
    return results


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_aiomysql_sees_no_difference(endpoints: tuple[Endpoint, Endpoint]) -> None:
    without, through = (asyncio.run(with_aiomysql(endpoint)) for endpoint in endpoints)
    assert through == without
    assert without[0] == 1
    assert len(without) >= 6


@pytest.mark.parametrize("open_connection", [with_pymysql, with_mysqlclient], ids=["pymysql", "mysqlclient"])
def test_a_first_login_needs_no_option(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, endpoints: tuple[Endpoint, Endpoint], open_connection: Open
) -> None:
    """Also where the account's method is caching_sha2_password, which wants the password itself at first."""
    name = f"first_{open_connection.__name__}"
    with direct(shared_cluster, shared_cluster.servers[0]) as admin:
        run(admin, f"CREATE USER {name}@'%' IDENTIFIED BY 'only here'")
        run(admin, f"GRANT SELECT ON {SCHEMA}.* TO {name}@'%'")
        try:
            connection = open_connection(Endpoint(shared_proxy.host, shared_proxy.port, name, "only here"))
            cursor = connection.cursor()
            cursor.execute("SELECT CURRENT_USER()")
            assert cursor.fetchall()[0][0] == f"{name}@%"
            connection.close()
        finally:
            run(admin, f"DROP USER {name}@'%'")
