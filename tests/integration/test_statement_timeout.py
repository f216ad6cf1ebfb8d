"""Statements that run for longer than they may, and others on the same connections."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pymysql
import pytest

from replication.sandbox import Cluster, Flavor
from tests.support.clients import Connection, connect, direct, run
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until

# MySQL's SLEEP() alone ends early without an error.
SLOW_READ = "SELECT COUNT(*), SUM(SLEEP(20)) FROM timed.item"
SLOW_WRITE = "UPDATE timed.item SET id = id WHERE SLEEP(20) = 0"
EXCEEDED = {Flavor.MARIADB: 1969, Flavor.MYSQL: 3024}
INTERRUPTED = 1317


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Iterator[Cluster]:
    """With a table of two rows, and a second user."""
    with direct(shared_cluster, shared_cluster.servers[0]) as primary:
        run(primary, "CREATE DATABASE timed")
        run(primary, "CREATE TABLE timed.item (id INT PRIMARY KEY)")
        run(primary, "INSERT INTO timed.item VALUES (1), (2)")
        run(primary, "CREATE USER patient@'%' IDENTIFIED BY 'Patient-1234'")
        run(primary, "GRANT ALL ON timed.* TO patient@'%'")
        try:
            yield shared_cluster
        finally:
            run(primary, "DROP DATABASE timed")
            run(primary, "DROP USER patient@'%'")


@contextmanager
def proxied(cluster: Cluster, *arguments: str) -> Iterator[tuple[ProxyProcess, Connection]]:
    """A proxy, and a client of it that sees the table on the replicas."""
    with running_proxy(cluster, *arguments) as proxy, connect(cluster, proxy) as client:
        wait_until(
            lambda: explained(client, "SELECT * FROM timed.item")["server"].startswith("dbread"), "replicas are fresh"
        )
        yield proxy, client


def explained(client: Connection, sql: str) -> dict[str, str]:
    return {item: str(value) for item, value in run(client, f"EXPLAIN ROUTE {sql}")}


def ended(client: Connection, sql: str) -> int:
    """The error that a statement ends with, long before its time."""
    began = time.monotonic()
    with pytest.raises(pymysql.err.MySQLError) as caught:
        run(client, sql)
    assert time.monotonic() - began < 18
    return int(caught.value.args[0])


def test_statements_end_in_time_with_the_servers_own_error(cluster: Cluster) -> None:
    exceeded = EXCEEDED[cluster.flavor]
    of_writes = exceeded if cluster.flavor is Flavor.MARIADB else INTERRUPTED
    with proxied(cluster, "--statement-timeout", "0.5") as (_, client):
        for _ in range(2):
            assert ended(client, SLOW_READ) == exceeded
            assert ended(client, SLOW_WRITE) == of_writes
            assert run(client, "SELECT id FROM timed.item") == ((1,), (2,))
        run(client, "BEGIN")
        run(client, "INSERT INTO timed.item VALUES (3)")
        assert ended(client, SLOW_READ) == exceeded
        assert run(client, "SELECT COUNT(*) FROM timed.item") == ((3,),)
        run(client, "ROLLBACK")
        # What the servers are told is told again behind a reset.
        client._execute_command(31, b"")
        client._read_ok_packet()
        assert ended(client, SLOW_READ) == exceeded
        # A client that wants more time than it may have.
        name = "max_statement_time" if cluster.flavor is Flavor.MARIADB else "max_execution_time"
        run(client, f"SET SESSION {name} = 0")
        assert ended(client, SLOW_READ) == INTERRUPTED
        assert ended(client, SLOW_WRITE) == INTERRUPTED


def test_each_user_has_a_time_of_its_own(cluster: Cluster) -> None:
    timeouts = ("--statement-timeout", "0.5", "--user-statement-timeouts", "patient=0")
    with proxied(cluster, *timeouts) as (proxy, client):
        with connect(cluster, proxy, user="patient", password="Patient-1234") as patient:
            assert run(patient, "SELECT COUNT(*), SUM(SLEEP(0.8)) FROM timed.item") == ((2, 0),)
        assert ended(client, SLOW_READ) == EXCEEDED[cluster.flavor]


def test_a_rule_gives_reads_less_time(cluster: Cluster) -> None:
    rules = "[{pattern = 'SLEEP', statement_timeout = '500ms'}]"
    with proxied(cluster, "--rules", rules) as (proxy, client):
        assert ended(client, SLOW_READ) == INTERRUPTED
        assert ended(client, f"{SLOW_READ} /* manyreads: replica */") == INTERRUPTED
        assert run(client, "SELECT id FROM timed.item") == ((1,), (2,))
        shown = explained(client, SLOW_READ)
        assert (shown["statement_timeout"], shown["rule"]) == ("0.5 s", "1")
        proxy.wait_for_log("killed a statement")


def test_nothing_else_on_a_shared_connection_is_killed(cluster: Cluster) -> None:
    """Some statements end at about the moment when they are killed; the next ones there are others'."""
    rules = "[{pattern = 'SLEEP', statement_timeout = '20ms'}]"
    outcomes: Counter[str] = Counter()

    def work(client: Connection, number: int) -> None:
        for turn in range(60):
            slow = (number + turn) % 2 == 0
            # On a busy machine all of the others may end before they are killed.
            seconds = 0.5 if turn % 20 in (0, 1) else 0.009 + turn % 5 * 0.0005
            sql = f"SELECT COUNT(*), SUM(SLEEP({seconds})) FROM timed.item"
            try:
                run(client, sql if slow else "SELECT id FROM timed.item WHERE id = 1 UNION SELECT 2")
                outcomes["in time" if slow else "quick"] += 1
            except pymysql.err.MySQLError as error:
                outcomes[f"{error.args[0]} {slow}"] += 1

    with proxied(cluster, "--rules", rules, "--server-connections", "2") as (proxy, _), ExitStack() as stack:
        clients = [stack.enter_context(connect(cluster, proxy)) for _ in range(6)]
        threads = [threading.Thread(target=work, args=pair) for pair in zip(clients, range(6), strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes["quick"] == 180, outcomes
        assert outcomes["in time"] + outcomes[f"{INTERRUPTED} True"] == 180, outcomes
        assert outcomes[f"{INTERRUPTED} True"], outcomes
