"""Reads see every acknowledged write while replicas are behind, and those of a quiet table stay on the replicas."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from replication.sandbox import Cluster
from tests.support.clients import Connection, connect, run
from tests.support.lags import behind
from tests.support.proxies import ProxyProcess
from tests.support.waiting import wait_until

SCHEMA = "fresh_test"
QUIET = "SELECT COUNT(*) FROM quiet"
TABLES = (
    "CREATE TABLE quiet (id INT PRIMARY KEY AUTO_INCREMENT)",
    "CREATE TABLE busy (id INT PRIMARY KEY AUTO_INCREMENT, n INT)",
    "CREATE TABLE other (id INT PRIMARY KEY, n INT)",
    "CREATE TABLE watched (id INT PRIMARY KEY AUTO_INCREMENT)",
    "CREATE TABLE journal (id INT PRIMARY KEY AUTO_INCREMENT)",
    "CREATE TRIGGER watch AFTER INSERT ON watched FOR EACH ROW INSERT INTO journal VALUES ()",
    "CREATE TABLE parent (id INT PRIMARY KEY)",
    "CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE)",
    "CREATE VIEW seen AS SELECT id, n FROM busy",
    "CREATE PROCEDURE add_other() INSERT INTO other SELECT MAX(id) + 1, 0 FROM other",
    "CREATE FUNCTION note() RETURNS INT DETERMINISTIC BEGIN INSERT INTO journal VALUES (); RETURN 7; END",
    "CREATE VIEW noting AS SELECT note() AS n",
    "INSERT INTO quiet VALUES ()",
    "INSERT INTO other VALUES (1, 1)",
    "INSERT INTO parent VALUES (1)",
    "INSERT INTO child VALUES (1, 1)",
)


@pytest.fixture
def client(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[Connection]:
    with connect(shared_cluster, shared_proxy) as connection:
        run(connection, f"DROP DATABASE IF EXISTS {SCHEMA}")
        run(connection, f"CREATE DATABASE {SCHEMA}")
        run(connection, f"USE {SCHEMA}")
        for text in TABLES:
            run(connection, text)
        # A read of no table needs all that was written.
        wait_until(lambda: servers(connection, "SELECT 1") == {"dbread1", "dbread2"}, "replicas are fresh")
        yield connection
        run(connection, f"DROP DATABASE {SCHEMA}")


def servers(connection: Connection, read: str) -> set[str]:
    """Where some of these reads go."""
    return {server(connection, read) for _ in range(4)}


def server(connection: Connection, read: str) -> str:
    facts: dict[str, str] = dict(run(connection, f"EXPLAIN ROUTE {read}"))
    # Reads take turns, explained ones do not.
    run(connection, read)
    return facts["server"].split()[0]


def on_replicas(connection: Connection, read: str) -> bool:
    return "dbwrite" not in servers(connection, read)


def know_the_tables(cluster: Cluster, connection: Connection, write: str = "INSERT INTO busy (n) VALUES (0)") -> None:
    """Wait until a write to one table is told from a write to another."""

    def apart() -> bool:
        wait_until(lambda: on_replicas(connection, "SELECT 1"), "replicas are fresh")
        with behind(cluster):
            run(connection, write)
            return on_replicas(connection, QUIET)

    wait_until(apart, "reads of a quiet table stay on the replicas")


def test_a_write_to_one_table_leaves_the_reads_of_another_on_the_replicas(
    client: Connection, shared_cluster: Cluster, shared_proxy: ProxyProcess
) -> None:
    know_the_tables(shared_cluster, client)
    wait_until(lambda: on_replicas(client, "SELECT COUNT(*) FROM busy"), "replicas have the writes")
    with behind(shared_cluster), connect(shared_cluster, shared_proxy, database=SCHEMA) as reader:
        run(client, "BEGIN")
        run(client, "INSERT INTO busy (n) VALUES (7)")
        run(client, "COMMIT")
        assert run(reader, "SELECT COUNT(*) FROM busy WHERE n = 7") == ((1,),)
        assert servers(reader, "SELECT COUNT(*) FROM busy") == {"dbwrite"}
        assert servers(reader, QUIET) == {"dbread1", "dbread2"}
        assert servers(reader, "SELECT COUNT(*) FROM seen") == {"dbwrite"}
        assert servers(reader, "SELECT COUNT(*) FROM quiet, busy") == {"dbwrite"}
        assert servers(reader, "SHOW TABLES") == {"dbwrite"}


@pytest.mark.parametrize(
    ("write", "read", "expected"),
    [
        ("INSERT INTO watched VALUES ()", "SELECT COUNT(*) FROM journal", 1),
        ("DELETE FROM parent", "SELECT COUNT(*) FROM child", 0),
        ("INSERT INTO seen (n) VALUES (8)", "SELECT COUNT(*) FROM busy WHERE n = 8", 1),
        ("INSERT INTO busy (n) SELECT n FROM noting", "SELECT COUNT(*) FROM journal", 1),
        ("UPDATE other SET n = note()", "SELECT COUNT(*) FROM journal", 1),
        ("CALL add_other()", "SELECT COUNT(*) FROM other", 2),
        ("UPDATE quiet, other SET other.n = 9", "SELECT n FROM other", 9),
        ("DROP VIEW seen", "SELECT COUNT(*) FROM information_schema.views WHERE table_name = 'seen'", 0),
        ("RENAME TABLE busy TO busier, other TO busy", "SELECT SUM(n) FROM busy", 1),
    ],
)
def test_writes_that_count_for_all_tables(
    client: Connection, shared_cluster: Cluster, write: str, read: str, expected: int
) -> None:
    know_the_tables(shared_cluster, client)
    with behind(shared_cluster):
        assert on_replicas(client, QUIET)
        run(client, write)
        assert run(client, read) == ((expected,),)
        assert servers(client, QUIET) == {"dbwrite"}


def test_unlocking_tables_commits(client: Connection, shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    know_the_tables(shared_cluster, client)
    with behind(shared_cluster), connect(shared_cluster, shared_proxy, database=SCHEMA) as writer:
        for text in ("SET autocommit = 0", "LOCK TABLES other WRITE", "UPDATE other SET n = 5", "UNLOCK TABLES"):
            run(writer, text)
        assert run(client, "SELECT n FROM other") == ((5,),)


def test_tables_are_not_told_apart_while_they_are_defined(
    client: Connection, shared_cluster: Cluster, shared_proxy: ProxyProcess
) -> None:
    know_the_tables(shared_cluster, client)
    defining = "CREATE TRIGGER late AFTER INSERT ON busy FOR EACH ROW INSERT INTO journal VALUES ()"
    with connect(shared_cluster, shared_proxy, database=SCHEMA) as holder, ThreadPoolExecutor(1) as threads:
        run(holder, "BEGIN")
        run(holder, "INSERT INTO busy (n) VALUES (1)")
        defined = threads.submit(run, client, defining)
        with connect(shared_cluster, shared_proxy, database=SCHEMA) as other:
            wait_until(lambda: on_replicas(other, "SELECT 1"), "replicas are fresh")
            with behind(shared_cluster):
                run(other, "UPDATE other SET n = 3")
                assert servers(other, QUIET) == {"dbwrite"}
        assert not defined.done()
        run(holder, "COMMIT")
        defined.result(timeout=20)
    know_the_tables(shared_cluster, client, "UPDATE other SET n = 4")


def test_a_trigger_counts_as_soon_as_it_is_made(client: Connection, shared_cluster: Cluster) -> None:
    know_the_tables(shared_cluster, client)
    run(client, "CREATE TRIGGER more AFTER INSERT ON busy FOR EACH ROW INSERT INTO journal VALUES ()")
    wait_until(lambda: on_replicas(client, "SELECT 1"), "replicas are fresh")
    with behind(shared_cluster):
        run(client, "INSERT INTO busy (n) VALUES (1)")
        assert run(client, "SELECT COUNT(*) FROM journal") == ((1,),)
        assert servers(client, QUIET) == {"dbwrite"}
