"""aiomysql and asyncmy: one interface, two implementations, the second one compiled."""

import asyncio
from types import ModuleType
from typing import Any

import aiomysql
import asyncmy
import asyncmy.cursors
import pytest

from tests.integration.drivers.dbapi import COLUMNS, ERRORS, INSERT, VALUES
from tests.integration.drivers.endpoint import MEBIBYTE, SCHEMA, TABLE, UNICODE, Endpoint, Endpoints, Found, compared


def cursors_of(driver: ModuleType) -> Any:
    return driver.cursors if driver is asyncmy else driver


async def error_of(awaitable: Any) -> object:
    try:
        await awaitable
    except Exception as error:
        return (type(error).__name__, error.args)
    raise AssertionError("what must fail did not")


async def all_results(cursor: Any) -> list[object]:
    found = [await cursor.fetchall()]
    while await cursor.nextset():
        found.append(await cursor.fetchall())
    return found


async def statements(connection: Any, cursor: Any) -> Found:
    # Version 0.3 of aiomysql cannot write bytes into a statement.
    values = (*VALUES[:6], None, None)
    await cursor.execute("DROP TABLE IF EXISTS item")
    await cursor.execute(TABLE)
    await cursor.execute(INSERT, values)
    found: Found = {"id": cursor.lastrowid}
    await connection.commit()
    await cursor.execute(INSERT, values)
    await connection.rollback()
    await cursor.execute(f"SELECT id, {COLUMNS} FROM item")
    found["rows"] = await cursor.fetchall()
    await cursor.execute("SELECT LENGTH(%s)", ("x" * MEBIBYTE,))
    found["long"] = await cursor.fetchall()
    await cursor.callproc(f"{SCHEMA}.several", (7,))
    found["procedure"] = await all_results(cursor)
    await cursor.executemany("INSERT INTO item (id, nothing) VALUES (%s, %s)", [(n, n) for n in range(10, 60)])
    found["many"] = cursor.rowcount
    await cursor.execute("SELECT 1 / 0")
    found["warning"] = [await cursor.fetchall(), await connection.show_warnings()]
    for sql in ERRORS:
        found[sql] = await error_of(cursor.execute(sql))
    await connection.commit()
    return found


async def kinds_of_cursor(driver: ModuleType, connection: Any) -> Found:
    found: Found = {}
    for name in ("DictCursor", "SSCursor", "SSDictCursor"):
        async with connection.cursor(getattr(cursors_of(driver), name)) as cursor:
            await cursor.execute("SELECT id, text FROM item ORDER BY id")
            found[name] = [await cursor.fetchone(), await cursor.fetchmany(5), await cursor.fetchall()]
    return found


async def about_the_connection(connection: Any, cursor: Any) -> Found:
    await connection.ping()
    await connection.select_db("information_schema")
    await cursor.execute("SELECT DATABASE()")
    found: Found = {"schema": await cursor.fetchall()}
    found["no schema"] = await error_of(connection.select_db("no_such_schema"))
    await connection.select_db(SCHEMA)
    await connection.autocommit(True)
    await cursor.execute("SELECT %s, @@autocommit", (UNICODE,))
    found["autocommit"] = await cursor.fetchall()
    return found


async def options(driver: ModuleType, to: Endpoint) -> Found:
    """What is said while connecting: another character set and a first statement."""
    connection = await driver.connect(**to.login, db=SCHEMA, charset="latin1", init_command="SET @first = 'said'")
    async with connection.cursor() as cursor:
        await cursor.execute("SELECT @first, @@character_set_client, 'ü', HEX('ü')")
        found: Found = {"options": await cursor.fetchall()}
    connection.close()
    return found


async def together(pool: Any) -> Found:
    """Many tasks that share a few connections."""

    async def one(number: int) -> int:
        async with pool.acquire() as connection, connection.cursor() as cursor:
            await cursor.execute("SELECT COUNT(*) + %s FROM item", (number,))
            ((count,),) = await cursor.fetchall()
            return int(count)

    return {"together": await asyncio.gather(*(one(number) for number in range(20)))}


async def everything(driver: ModuleType, to: Endpoint) -> Found:
    # An `await` for one driver, none for the other.
    pool = await driver.create_pool(**to.login, db=SCHEMA, charset="utf8mb4", minsize=1, maxsize=3)
    async with pool:
        async with pool.acquire() as connection, connection.cursor() as cursor:
            found = await statements(connection, cursor)
            found |= await about_the_connection(connection, cursor)
            found |= await kinds_of_cursor(driver, connection)
        found |= await together(pool)
    found |= await options(driver, to)
    found["password"] = await error_of(driver.connect(**{**to.login, "password": "wrong"}))
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::pymysql.err.Warning")
@pytest.mark.parametrize("driver", [aiomysql, asyncmy], ids=["aiomysql", "asyncmy"])
def test_an_asyncio_driver_sees_no_difference(endpoints: Endpoints, driver: ModuleType) -> None:
    found = compared(endpoints, lambda endpoint: asyncio.run(everything(driver, endpoint)))
    assert found["id"] == 1
    assert found["rows"][0][6] == UNICODE
