"""Drivers that end one of their own connections, by the id that they know it by."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import mariadb
import mysql.connector
import MySQLdb
import pymysql
import pytest

from tests.integration.drivers.endpoint import Endpoints
from tests.support.waiting import wait_until

DRIVERS: dict[str, tuple[Callable[..., Any], Callable[[Any], int], Callable[[Any, int], object]]] = {
    "pymysql": (pymysql.connect, lambda one: one.thread_id(), lambda one, number: one.kill(number)),
    "mysqlclient": (MySQLdb.connect, lambda one: one.thread_id(), lambda one, number: one.kill(number)),
    "mariadb": (mariadb.connect, lambda one: one.connection_id, lambda one, number: one.kill(number)),
    "connector": (
        lambda **login: mysql.connector.connect(**login, use_pure=True),
        lambda one: one.connection_id,
        lambda one, number: one.cmd_process_kill(number),
    ),
}


def gone(connection: Any) -> bool:
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT 1")
        cursor.fetchall()
    except Exception:
        return True
    return False


# The connector forgets the socket of a connection that it has lost.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_driver_kills_a_connection(endpoints: Endpoints, driver: str) -> None:
    connect, number_of, kill = DRIVERS[driver]
    for to in endpoints:
        victim, other, killer = (connect(**to.login) for _ in range(3))
        kill(killer, number_of(victim))
        wait_until(partial(gone, victim), f"{driver}'s connection is gone")
        assert not gone(other)
        assert not gone(killer)
        for connection in (other, killer, victim):
            with suppress(Exception):  # some drivers say goodbye to a server that is gone
                connection.close()
