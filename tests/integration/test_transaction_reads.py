"""Transactions that may write, with `transaction_reads = optimistic`: they read on a replica until they write."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import mysql.connector
import pymysql
import pytest

from replication.sandbox import Cluster
from tests.integration.test_read_only_transactions import busy, make_schema, nothing_is_open
from tests.support.clients import READS, Connection, Counters, connect, direct, run, settle
from tests.support.clusters import replicating_cluster
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until

SCHEMA = "read_only_test"
NAME = f"SELECT name FROM {SCHEMA}.item WHERE id = 1"
COUNT = f"SELECT COUNT(*) FROM {SCHEMA}.item"
RENAME = f"UPDATE {SCHEMA}.item SET name = %s WHERE id = 1"
CONFLICT = 1213
READS_AT_ONCE = 40

Open = Callable[..., Connection]


@pytest.fixture(scope="module")
def proxy(shared_cluster: Cluster) -> Iterator[ProxyProcess]:
    with running_proxy(shared_cluster, "--transaction-reads", "optimistic") as proxy:
        with connect(shared_cluster, proxy) as connection:
            make_schema(connection)
        yield proxy
        with connect(shared_cluster, proxy) as connection:
            run(connection, f"DROP DATABASE {SCHEMA}")


@pytest.fixture
def session(shared_cluster: Cluster, proxy: ProxyProcess) -> Iterator[Open]:
    """Opens clients that are closed when the test ends; when reads leave the primary."""
    with ExitStack() as stack:
        opened = stack.enter_context(connect(shared_cluster, proxy))
        run(opened, f"UPDATE {SCHEMA}.item SET name = 'one' WHERE id = 1")
        settle(shared_cluster, opened)
        yield lambda **options: stack.enter_context(connect(shared_cluster, proxy, **options))


def figure(connection: Connection, name: str) -> int:
    return next(int(row[1]) for row in run(connection, "SHOW PROXY STATUS") if row[0] == name)


def write(client: Connection, name: str) -> None:
    run(client, RENAME.replace("%s", f"'{name}'"))


BEGINNINGS = (
    ["BEGIN"],
    ["START TRANSACTION READ WRITE"],
    ["SET autocommit = 0"],
    ["SET TRANSACTION READ WRITE", "BEGIN"],
)


@pytest.mark.parametrize("beginning", BEGINNINGS, ids=", ".join)
@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_reads_run_on_one_replica(shared_cluster: Cluster, session: Open, beginning: list[str], end: str) -> None:
    client, writer = session(), session()
    for text in beginning:
        run(client, text)
    before = run(client, NAME)
    write(writer, f"by {end}")
    settle(shared_cluster, writer)
    counters = Counters(shared_cluster, READS)
    assert {run(client, NAME) for _ in range(READS_AT_ONCE)} == {before}
    (server,) = busy(counters)
    assert server != "dbwrite"
    run(client, end)
    wait_until(lambda: nothing_is_open(shared_cluster), "the transaction has ended on the replica")
    assert run(client, NAME) == ((f"by {end}",),)


@pytest.mark.parametrize("beginning", BEGINNINGS, ids=", ".join)
def test_status_words_are_those_of_a_direct_connection(
    shared_cluster: Cluster, session: Open, beginning: list[str]
) -> None:
    seen = []
    with direct(shared_cluster, shared_cluster.servers[0]) as plain:
        for client in (plain, session()):
            words = []
            for text in (*beginning, NAME, NAME, "SAVEPOINT a", NAME, RENAME.replace("%s", "'s'"), NAME, "ROLLBACK"):
                run(client, text)
                words.append(client.server_status & 0x2003)
            seen.append(words)
    assert seen[0] == seen[1]


@pytest.mark.parametrize("beginning", BEGINNINGS, ids=", ".join)
def test_it_writes_on_the_primary_where_its_reads_gave_the_same(
    shared_cluster: Cluster, session: Open, beginning: list[str]
) -> None:
    client, other = session(), session()
    before = figure(other, "transactions_promoted")
    for text in beginning:
        run(client, text)
    assert run(client, NAME) == (("one",),)
    run(client, f"SELECT * FROM {SCHEMA}.item")
    write(client, "two")
    counters = Counters(shared_cluster, READS)
    assert {run(client, NAME) for _ in range(READS_AT_ONCE)} == {(("two",),)}
    assert busy(counters) == ["dbwrite"]
    assert run(other, NAME) == (("one",),)
    run(client, "COMMIT")
    assert run(other, NAME) == (("two",),)
    assert figure(other, "transactions_promoted") == before + 1


@pytest.mark.parametrize("beginning", BEGINNINGS, ids=", ".join)
@pytest.mark.parametrize("last", [RENAME.replace("%s", "'mine'"), NAME + " FOR UPDATE", "SET time_zone = '+01:00'"])
def test_it_fails_as_in_a_deadlock_where_they_did_not(
    shared_cluster: Cluster, session: Open, beginning: list[str], last: str
) -> None:
    client, writer = session(), session()
    for text in beginning:
        run(client, text)
    assert run(client, NAME) == (("one",),)
    write(writer, "theirs")
    with pytest.raises(pymysql.err.OperationalError) as conflict:
        run(client, last)
    assert conflict.value.args[0] == CONFLICT
    assert "on a replica" in conflict.value.args[1]
    wait_until(lambda: nothing_is_open(shared_cluster), "the transaction has ended on the replica")
    # It is over; the one that is tried again reads on the primary, and cannot fail like that.
    run(client, beginning[-1])
    assert run(client, NAME) == (("theirs",),)
    write(writer, "theirs again")
    run(client, last)
    run(client, "COMMIT")
    assert run(writer, NAME) == (("mine" if "mine" in last else "theirs again",),)


def test_the_next_but_one_reads_on_a_replica_again(shared_cluster: Cluster, session: Open) -> None:
    client, writer = session(), session()
    run(client, "BEGIN")
    run(client, NAME)
    write(writer, "other")
    with pytest.raises(pymysql.err.OperationalError):
        write(client, "mine")
    busiest = []
    for _ in range(2):
        settle(shared_cluster, writer)
        run(client, "BEGIN")
        counters = Counters(shared_cluster, READS)
        for _ in range(READS_AT_ONCE):
            run(client, NAME)
        busiest += busy(counters)
        run(client, "COMMIT")
    assert busiest[0] == "dbwrite" != busiest[1]


def test_rows_may_come_in_another_order(shared_cluster: Cluster, session: Open) -> None:
    """Two servers need not agree on that, and both are right."""
    client, writer = session(), session()
    run(client, "BEGIN")
    assert run(client, f"SELECT id FROM {SCHEMA}.item ORDER BY id = 2, id")[-1] == (2,)
    write(client, "written")
    run(client, "COMMIT")
    assert run(writer, NAME) == (("written",),)


def test_prepared_statements(shared_cluster: Cluster, proxy: ProxyProcess, session: Open) -> None:
    account = shared_cluster.servers[0]
    options = {"host": proxy.host, "port": proxy.port, "user": account.user, "password": account.password}
    with mysql.connector.connect(**options, autocommit=False) as client:
        cursor = client.cursor(prepared=True)
        for wanted in (1, 2, 1):
            cursor.execute(f"SELECT id FROM {SCHEMA}.item WHERE id = %s", (wanted,))
            assert cursor.fetchall() == [(wanted,)]
        cursor.execute(RENAME, ("prepared",))
        cursor.execute(f"SELECT name FROM {SCHEMA}.item WHERE id = %s", (1,))
        assert cursor.fetchall() == [("prepared",)]
        client.commit()
    assert run(session(), NAME) == (("prepared",),)


def test_a_lost_replica_costs_nothing(shared_cluster: Cluster) -> None:
    with ExitStack() as stack:
        cluster = stack.enter_context(replicating_cluster(shared_cluster.flavor))
        proxy = stack.enter_context(running_proxy(cluster, "--transaction-reads", "optimistic"))
        other, *clients = (stack.enter_context(connect(cluster, proxy)) for _ in range(3))
        make_schema(other)
        settle(cluster, other)
        beginnings = ("BEGIN", "START TRANSACTION READ ONLY")
        for client, beginning in zip(clients, beginnings, strict=True):
            run(client, beginning)
            assert run(client, COUNT) == ((3,),)
        for replica in cluster.servers[1:]:
            replica.kill()
        for client in clients:
            assert run(client, COUNT) == ((3,),)
        run(clients[0], f"DELETE FROM {SCHEMA}.item WHERE id = 3")
        for client in clients:
            run(client, "COMMIT")
        assert run(other, COUNT) == ((2,),)


def test_a_lost_replica_after_which_rows_are_others(shared_cluster: Cluster) -> None:
    with ExitStack() as stack:
        cluster = stack.enter_context(replicating_cluster(shared_cluster.flavor))
        proxy = stack.enter_context(running_proxy(cluster, "--transaction-reads", "optimistic"))
        other, client = (stack.enter_context(connect(cluster, proxy)) for _ in range(2))
        make_schema(other)
        settle(cluster, other)
        run(client, "START TRANSACTION READ ONLY")
        run(client, COUNT)
        run(other, f"DELETE FROM {SCHEMA}.item WHERE id = 3")
        for replica in cluster.servers[1:]:
            replica.kill()
        with pytest.raises(pymysql.err.OperationalError) as conflict:
            run(client, COUNT)
        assert conflict.value.args[0] == CONFLICT
        assert run(client, COUNT) == ((2,),)


def test_other_isolation_levels_stay_on_the_primary(shared_cluster: Cluster, session: Open) -> None:
    for level in ("READ COMMITTED", "READ UNCOMMITTED", "SERIALIZABLE"):
        client = session()
        run(client, f"SET SESSION TRANSACTION ISOLATION LEVEL {level}")
        run(client, "BEGIN")
        counters = Counters(shared_cluster, READS)
        for _ in range(READS_AT_ONCE):
            run(client, NAME)
        assert busy(counters) == ["dbwrite"]
        run(client, "COMMIT")
