"""Python's drivers inside of TLS: what they are made to do ends as it does at a server without it."""

import ssl
from collections.abc import Callable
from typing import Any

import mariadb
import mysql.connector
import MySQLdb
import pymysql
import pytest

from tests.integration.drivers.dbapi import STEPS, run_steps
from tests.integration.drivers.endpoint import SCHEMA, Endpoint, Endpoints, compared

Connect = Callable[..., Any]


def unverified() -> ssl.SSLContext:
    """The proxy's own certificate is signed by nobody."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def with_pymysql(to: Endpoint, encrypted: bool) -> Any:
    connection = pymysql.connect(
        **to.login, database=SCHEMA, autocommit=True, **({"ssl": unverified()} if encrypted else {"ssl_disabled": True})
    )
    assert isinstance(connection._sock, ssl.SSLSocket) is encrypted
    return connection


def with_mysqlclient(to: Endpoint, encrypted: bool) -> Any:
    mode = "REQUIRED" if encrypted else "DISABLED"
    return MySQLdb.connect(**to.login, database=SCHEMA, charset="utf8mb4", autocommit=True, ssl_mode=mode)


def with_mariadb(to: Endpoint, encrypted: bool) -> Any:
    options = {"ssl": True, "ssl_verify_cert": False} if encrypted else {}
    connection = mariadb.connect(**to.login, database=SCHEMA, autocommit=True, **options)
    assert bool(connection.tls_cipher) is encrypted
    return connection


def with_connector(to: Endpoint, encrypted: bool) -> Any:
    connection = mysql.connector.connect(
        **to.login, database=SCHEMA, autocommit=True, use_pure=True, ssl_disabled=not encrypted
    )
    assert connection.is_secure is encrypted
    return connection


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("opened", [with_pymysql, with_mysqlclient, with_mariadb, with_connector])
def test_a_driver_sees_no_difference_inside_of_tls(
    endpoints: Endpoints, opened: Callable[[Endpoint, bool], Any]
) -> None:
    compared(
        endpoints,
        lambda to: run_steps(opened(to, False), STEPS),
        lambda to: run_steps(opened(to, True), STEPS),
    )
