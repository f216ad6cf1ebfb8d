"""Reads that call stored functions which are declared to read at most."""

from collections.abc import Iterator

import pytest

from replication.sandbox import Cluster
from tests.support.clients import Connection, connect, direct, run
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until

SCHEMA = "declared_test"
FUNCTIONS = ("reads_only READS SQL DATA", "reckons NO SQL", "unsaid CONTAINS SQL", "changes MODIFIES SQL DATA")


@pytest.fixture(scope="module")
def functions(shared_cluster: Cluster) -> Iterator[None]:
    with direct(shared_cluster, shared_cluster.servers[0]) as primary:
        run(primary, f"CREATE DATABASE {SCHEMA}")
        for declared in FUNCTIONS:
            name, characteristic = declared.split(" ", 1)
            run(primary, f"CREATE FUNCTION {SCHEMA}.{name}() RETURNS INT {characteristic} RETURN 1")
        yield
        run(primary, f"DROP DATABASE {SCHEMA}")


@pytest.fixture(scope="module", params=[1, 2], ids=["one process", "two workers"])
def trusting(request: pytest.FixtureRequest, shared_cluster: Cluster, functions: None) -> Iterator[ProxyProcess]:
    with running_proxy(shared_cluster, "--trust-sql-data-access", f"--workers={request.param}") as proxy:
        yield proxy


@pytest.fixture
def session(trusting: ProxyProcess, shared_cluster: Cluster) -> Iterator[Connection]:
    with connect(shared_cluster, trusting, database=SCHEMA) as connection:
        yield connection


def target(connection: Connection, text: str) -> str:
    rows: dict[str, str] = dict(run(connection, f"EXPLAIN ROUTE {text}"))
    return rows["target"]


def test_their_calls_are_reads(session: Connection) -> None:
    wait_until(lambda: target(session, "SELECT reckons()") == "replica", "the functions are known")
    names = [declared.split()[0] for declared in FUNCTIONS]
    found = {name: target(session, f"SELECT {name}()") for name in names}
    assert found == {"reads_only": "replica", "reckons": "replica", "unsaid": "primary", "changes": "primary"}
    assert run(session, "SELECT reads_only(), reckons()") == ((1, 1),)
