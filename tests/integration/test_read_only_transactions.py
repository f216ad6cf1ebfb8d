"""Read-only transactions: their plain reads run on one replica, and are as repeatable as on one server."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pymysql
import pytest

from replication.sandbox import Cluster, Flavor
from tests.support.clients import READS, Connection, Counters, connect, direct, run, settle
from tests.support.clusters import replicating_cluster
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until

SCHEMA = "read_only_test"
COUNT = f"SELECT COUNT(*) FROM {SCHEMA}.item"
NAME = f"SELECT name FROM {SCHEMA}.item WHERE id = 1"
CANNOT_WRITE, CONFLICT, SERVER_LOST = 1792, 1213, 2013

Open = Callable[..., Connection]


@pytest.fixture(scope="module", autouse=True)
def schema(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[None]:
    with connect(shared_cluster, shared_proxy) as connection:
        make_schema(connection)
        yield
        run(connection, f"DROP DATABASE {SCHEMA}")


def make_schema(connection: Connection) -> None:
    run(connection, f"DROP DATABASE IF EXISTS {SCHEMA}")
    run(connection, f"CREATE DATABASE {SCHEMA}")
    run(connection, f"CREATE TABLE {SCHEMA}.item (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(20))")
    run(connection, f"INSERT INTO {SCHEMA}.item (name) VALUES ('one'), ('two'), ('three')")


@pytest.fixture
def session(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[Open]:
    """Opens clients that are closed when the test ends; when reads leave the primary."""
    with ExitStack() as stack:
        opened = stack.enter_context(connect(shared_cluster, shared_proxy))
        settle(shared_cluster, opened)
        yield lambda **options: stack.enter_context(connect(shared_cluster, shared_proxy, **options))


# So many reads a test runs at once; the proxy's own, and those of other connections, are fewer, on a busy machine too.
READS_AT_ONCE = 40


def busy(counters: Counters) -> list[str]:
    """The names of the servers that answered that many reads."""
    return [name for name, count in counters.difference().items() if count >= READS_AT_ONCE]


def nothing_is_open(cluster: Cluster) -> bool:
    """Whether no replica has a transaction of a client open."""
    # innodb_trx shows what it has shown before to whoever asks again within 0.1 s.
    time.sleep(0.15)
    for server in cluster.servers[1:]:
        with direct(cluster, server) as control:
            rows = run(
                control,
                "SELECT t.trx_id FROM information_schema.innodb_trx t JOIN information_schema.processlist p "
                "ON p.id = t.trx_mysql_thread_id WHERE p.command = 'Sleep'",
            )
            if rows:
                return False
    return True


BEGINNINGS = (
    ["START TRANSACTION READ ONLY"],
    ["SET TRANSACTION READ ONLY", "BEGIN"],
    ["SET SESSION TRANSACTION READ ONLY", "START TRANSACTION"],
    ["SET SESSION TRANSACTION READ ONLY", "SET autocommit = 0"],
    ["SET transaction_read_only = 1", "BEGIN"],
    ["SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION READ ONLY"],
)
STAYING = (
    ["BEGIN"],
    ["START TRANSACTION READ WRITE"],
    ["START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"],
    ["SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "START TRANSACTION READ ONLY"],
    ["SET SESSION TRANSACTION READ ONLY", "START TRANSACTION READ WRITE"],
    ["SET autocommit = 0"],
)


@pytest.mark.parametrize("beginning", BEGINNINGS, ids=", ".join)
@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_its_reads_run_on_one_replica(shared_cluster: Cluster, session: Open, beginning: list[str], end: str) -> None:
    if shared_cluster.flavor is Flavor.MARIADB and "transaction_read_only" in beginning[0]:
        beginning = [beginning[0].replace("transaction_read_only", "tx_read_only"), beginning[1]]
    client, writer = session(), session()
    for text in beginning:
        run(client, text)
    seen = [run(client, COUNT)]
    run(writer, f"INSERT INTO {SCHEMA}.item (name) VALUES ('more')")
    settle(shared_cluster, writer)
    counters = Counters(shared_cluster, READS)
    seen += [run(client, COUNT) for _ in range(READS_AT_ONCE)]
    (server,) = busy(counters)
    assert server != "dbwrite"
    assert len(set(seen)) == 1
    run(client, end)
    wait_until(lambda: nothing_is_open(shared_cluster), "the transaction has ended on the replica")
    assert run(client, COUNT)[0][0] == seen[0][0][0] + 1


@pytest.mark.parametrize("beginning", STAYING, ids=", ".join)
def test_other_transactions_stay_on_the_primary(shared_cluster: Cluster, session: Open, beginning: list[str]) -> None:
    client = session()
    for text in beginning:
        run(client, text)
    counters = Counters(shared_cluster, READS)
    for _ in range(READS_AT_ONCE):
        run(client, COUNT)
    assert busy(counters) == ["dbwrite"]
    run(client, "ROLLBACK")


@pytest.mark.parametrize(
    "write", ["DELETE FROM {}.item", "INSERT INTO {}.item (name) VALUES ('a')", "UPDATE {}.item SET id = 9"]
)
def test_a_write_in_it_gets_the_servers_own_error(shared_cluster: Cluster, session: Open, write: str) -> None:
    errors = []
    with direct(shared_cluster, shared_cluster.servers[0]) as plain:
        for client in (plain, session()):
            run(client, "START TRANSACTION READ ONLY")
            run(client, COUNT)
            with pytest.raises(pymysql.err.MySQLError) as error:
                run(client, write.format(SCHEMA))
            errors.append(error.value.args)
            run(client, COUNT)
            run(client, "COMMIT")
    assert errors[0] == errors[1]
    assert errors[0][0] == CANNOT_WRITE


def test_what_fails_after_it_has_committed_ends_it(shared_cluster: Cluster, session: Open) -> None:
    seen = []
    with direct(shared_cluster, shared_cluster.servers[0]) as plain:
        for client in (plain, session()):
            writer = session()
            run(client, "START TRANSACTION READ ONLY")
            before = run(client, COUNT)[0][0]
            run(writer, f"INSERT INTO {SCHEMA}.item (name) VALUES ('committed')")
            settle(shared_cluster, writer)
            with pytest.raises(pymysql.err.MySQLError):
                run(client, f"LOCK TABLES {SCHEMA}.no_such_table READ")
            seen.append(run(client, COUNT)[0][0] - before)
            run(client, "COMMIT")
    assert seen[0] == seen[1]


def test_chained_transactions_have_snapshots_of_their_own(shared_cluster: Cluster, session: Open) -> None:
    client, writer = session(), session()
    run(client, "START TRANSACTION READ ONLY")
    before = run(client, COUNT)[0][0]
    run(writer, f"INSERT INTO {SCHEMA}.item (name) VALUES ('chained')")
    settle(shared_cluster, writer)
    assert run(client, COUNT)[0][0] == before
    run(client, "COMMIT AND CHAIN")
    counters = Counters(shared_cluster, READS)
    assert {run(client, COUNT)[0][0] for _ in range(READS_AT_ONCE)} == {before + 1}
    assert "dbwrite" not in busy(counters)
    run(client, "COMMIT")
    wait_until(lambda: nothing_is_open(shared_cluster), "the transaction has ended on the replica")


@pytest.mark.parametrize("over", ["SET autocommit = 1", "BEGIN", "START TRANSACTION READ WRITE"])
def test_whatever_ends_it_ends_it_on_the_replica(shared_cluster: Cluster, session: Open, over: str) -> None:
    client = session()
    if "autocommit" in over:
        run(client, "SET SESSION TRANSACTION READ ONLY")
        run(client, "SET autocommit = 0")
    else:
        run(client, "START TRANSACTION READ ONLY")
    run(client, COUNT)
    assert not nothing_is_open(shared_cluster)
    run(client, over)
    wait_until(lambda: nothing_is_open(shared_cluster), "the transaction has ended on the replica")


def test_it_ends_on_the_replica_with_its_client(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    with connect(shared_cluster, shared_proxy) as client:
        settle(shared_cluster, client)
        run(client, "START TRANSACTION READ ONLY")
        run(client, COUNT)
        assert not nothing_is_open(shared_cluster)
    wait_until(lambda: nothing_is_open(shared_cluster), "the transaction has ended on the replica")


def test_settings_and_prepared_statements_in_it(shared_cluster: Cluster, session: Open) -> None:
    client = session()
    run(client, "START TRANSACTION READ ONLY")
    counters = Counters(shared_cluster, READS)
    run(client, "SET @wanted = 1")
    run(client, f"PREPARE named FROM 'SELECT name FROM {SCHEMA}.item WHERE id = ?'")
    assert run(client, "EXECUTE named USING @wanted") == (("one",),)
    run(client, "SAVEPOINT here")
    run(client, "SET time_zone = '+03:00'")
    assert run(client, f"SELECT @@time_zone, @wanted, ({NAME})") == (("+03:00", 1, "one"),)
    run(client, "ROLLBACK TO here")
    assert {run(client, NAME) for _ in range(READS_AT_ONCE)} == {(("one",),)}
    assert "dbwrite" not in busy(counters)
    run(client, "COMMIT")


def test_a_statement_for_the_primary_begins_on_the_primary(shared_cluster: Cluster, session: Open) -> None:
    client, writer = session(), session()
    run(client, "START TRANSACTION READ ONLY")
    run(client, f"SELECT COUNT(*) FROM {SCHEMA}.item INTO @counted")
    run(writer, f"INSERT INTO {SCHEMA}.item (name) VALUES ('later')")
    settle(shared_cluster, writer)
    counters = Counters(shared_cluster, READS)
    later = {run(client, f"SELECT COUNT(*) - @counted FROM {SCHEMA}.item") for _ in range(READS_AT_ONCE)}
    assert later == {((0,),)}
    assert busy(counters) == ["dbwrite"]
    run(client, "COMMIT")


def test_a_statement_that_would_see_another_snapshot_is_refused_once(shared_cluster: Cluster, session: Open) -> None:
    client, writer = session(), session()
    later = f"SELECT COUNT(*) FROM {SCHEMA}.item INTO @counted"
    run(client, "START TRANSACTION READ ONLY")
    before = run(client, COUNT)[0][0]
    run(client, later)
    assert run(client, "SELECT @counted") == ((before,),)
    run(client, "COMMIT")
    # Without a write in between there was nothing to refuse; from then on this session's stay on the primary.
    other = session()
    run(other, "START TRANSACTION READ ONLY")
    run(other, COUNT)
    run(writer, f"INSERT INTO {SCHEMA}.item (name) VALUES ('between')")
    with pytest.raises(pymysql.err.MySQLError) as refused:
        run(other, later)
    assert refused.value.args[0] == CONFLICT
    assert "on a replica" in str(refused.value)
    run(other, "ROLLBACK")
    run(other, "START TRANSACTION READ ONLY")
    now = run(other, COUNT)[0][0]
    run(writer, f"INSERT INTO {SCHEMA}.item (name) VALUES ('between')")
    run(other, later)
    assert run(other, "SELECT @counted") == ((now,),)
    run(other, "COMMIT")


def test_a_lost_replica(shared_cluster: Cluster) -> None:
    """What the client has seen of a snapshot cannot be had elsewhere."""
    with ExitStack() as stack:
        cluster = stack.enter_context(replicating_cluster(shared_cluster.flavor))
        proxy = stack.enter_context(running_proxy(cluster))
        other, client = (stack.enter_context(connect(cluster, proxy)) for _ in range(2))
        make_schema(other)
        settle(cluster, other)
        run(client, "START TRANSACTION READ ONLY")
        counters = Counters(cluster, READS)
        for _ in range(READS_AT_ONCE):
            run(client, COUNT)
        (name,) = busy(counters)
        (used,) = (server for server in cluster.servers if server.name == name)
        assert used in cluster.servers[1:]
        used.kill()
        with pytest.raises(pymysql.err.MySQLError) as lost:
            run(client, COUNT)
        assert lost.value.args[0] == SERVER_LOST
        run(other, "START TRANSACTION READ ONLY")
        assert run(other, COUNT) == ((3,),)
        run(other, "COMMIT")


def test_questions_that_need_both_servers(shared_cluster: Cluster, session: Open) -> None:
    """The read runs on the primary, too; if others have written since, it is a conflict as for any read there."""
    for written in (False, True):
        client, other = session(), session()
        run(client, f"INSERT INTO {SCHEMA}.item (name) VALUES ('four')")
        (number,) = run(client, "SELECT LAST_INSERT_ID()")[0]
        settle(shared_cluster, client)
        counters = Counters(shared_cluster, READS)
        run(client, "START TRANSACTION READ ONLY")
        for _ in range(READS_AT_ONCE):
            run(client, f"SELECT id FROM {SCHEMA}.item WHERE id IN (1, 2)")
        assert busy(counters) in (["dbread1"], ["dbread2"])
        if written:
            run(other, f"UPDATE {SCHEMA}.item SET name = 'five' WHERE id = {number}")
            with pytest.raises(pymysql.OperationalError) as caught:
                run(client, "SELECT FOUND_ROWS(), LAST_INSERT_ID()")
            assert caught.value.args[0] == CONFLICT
        else:
            assert run(client, "SELECT FOUND_ROWS(), LAST_INSERT_ID()") == ((2, number),)
        run(client, "COMMIT")
        run(other, f"DELETE FROM {SCHEMA}.item WHERE id = {number}")


def test_a_transaction_that_began_by_itself_on_a_replica_is_in_progress(shared_cluster: Cluster, session: Open) -> None:
    client = session()
    run(client, "SET SESSION TRANSACTION READ ONLY")
    run(client, "SET autocommit = 0")
    counters = Counters(shared_cluster, READS)
    for _ in range(READS_AT_ONCE):
        run(client, COUNT)
    assert busy(counters) in (["dbread1"], ["dbread2"])
    for text in ("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "SET TRANSACTION READ WRITE"):
        with pytest.raises(pymysql.MySQLError) as caught:
            run(client, text)
        assert caught.value.args == (
            1568,
            "Transaction characteristics can't be changed while a transaction is in progress",
        )
    run(client, "COMMIT")
    run(client, "SET TRANSACTION READ WRITE")
    run(client, f"UPDATE {SCHEMA}.item SET name = 'one' WHERE id = 1")
    run(client, "COMMIT")
