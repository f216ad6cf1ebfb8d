"""The first login of an account: where its method is caching_sha2_password, that sends the password itself.

Without TLS most drivers encrypt it with the server's RSA key by themselves.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import aiomysql
import asyncmy
import mariadb
import MySQLdb
import pymysql
import pytest

from tests.integration.drivers.endpoint import Account
from tests.support.proxies import ProxyProcess


def with_asyncio(connect: Callable[..., Any]) -> Callable[..., str]:
    async def me(**login: Any) -> str:
        connection = await connect(**login)
        async with connection.cursor() as cursor:
            await cursor.execute("SELECT CURRENT_USER()")
            ((name,),) = await cursor.fetchall()
        connection.close()
        return str(name)

    return lambda **login: asyncio.run(me(**login))


def without_asyncio(connect: Callable[..., Any]) -> Callable[..., str]:
    def me(**login: Any) -> str:
        connection = connect(**login)
        cursor = connection.cursor()
        cursor.execute("SELECT CURRENT_USER()")
        ((name,),) = cursor.fetchall()
        connection.close()
        return str(name)

    return me


DRIVERS = {
    "pymysql": without_asyncio(pymysql.connect),
    "mysqlclient": without_asyncio(MySQLdb.connect),
    "mariadb": without_asyncio(mariadb.connect),
    "aiomysql": with_asyncio(aiomysql.connect),
    "asyncmy": with_asyncio(asyncmy.connect),
}


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_first_login_needs_no_option(shared_proxy: ProxyProcess, stranger: Account, driver: str) -> None:
    name = DRIVERS[driver](
        host=shared_proxy.host, port=shared_proxy.port, user=stranger.user, password=stranger.password
    )
    assert name == f"{stranger.user}@%"
