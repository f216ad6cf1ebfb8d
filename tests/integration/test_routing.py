"""Where statements run, by the servers' own counters; `test_contract.py` has each kind of statement."""

from collections.abc import Iterator

import pytest

from replication.sandbox import Cluster
from tests.support.clients import READS, WRITES, Connection, Counters, connect, own_writes, run
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until

SCHEMA = "routing_test"


@pytest.fixture(autouse=True)
def table(client: Connection, shared_cluster: Cluster) -> Iterator[None]:
    run(client, f"CREATE DATABASE {SCHEMA}")
    client.select_db(SCHEMA)
    run(client, "CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, value VARCHAR(100)) ENGINE=InnoDB")
    run(client, "INSERT INTO item (value) VALUES ('one'), ('two'), ('three')")
    settle(client, shared_cluster)
    yield
    run(client, f"DROP DATABASE {SCHEMA}")


def settle(client: Connection, cluster: Cluster) -> None:
    """Wait until the proxy knows that the replicas have everything: then reads leave the primary."""

    def leaves_the_primary() -> bool:
        counters = Counters(cluster, READS)
        for _ in range(40):
            run(client, "SELECT COUNT(*) FROM item")
        counts = counters.difference()
        # The monitor's own SELECTs come on top, so nothing is compared exactly.
        return counts["dbwrite"] < 20 and counts["dbread1"] >= 10 and counts["dbread2"] >= 10

    wait_until(leaves_the_primary, "reads go to both replicas")


def is_even(counts: dict[str, int], total: int, background: int = 60) -> bool:
    """Whether reads were spread evenly over the replicas; the monitor's own few SELECTs come on top."""
    return all(total / 2 <= counts[name] <= total / 2 + background for name in ("dbread1", "dbread2"))


def test_reads_are_spread_evenly_and_spare_the_primary(client: Connection, shared_cluster: Cluster) -> None:
    counters = Counters(shared_cluster, READS)
    for number in range(1000):
        run(client, f"SELECT value FROM item WHERE id = {number % 3 + 1}")
    counts = counters.difference()
    assert is_even(counts, 1000), counts
    assert counts["dbwrite"] < 60, counts


def test_prepared_reads_are_spread_too(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    mysql_connector = pytest.importorskip("mysql.connector")
    primary = shared_cluster.servers[0]
    connection = mysql_connector.connect(
        host=shared_proxy.host,
        port=shared_proxy.port,
        user=primary.user,
        password=primary.password,
        database=SCHEMA,
        autocommit=True,
        use_pure=True,
    )
    counters = Counters(shared_cluster, READS)
    with connection, connection.cursor(prepared=True) as cursor:
        for number in range(400):
            cursor.execute("SELECT value FROM item WHERE id = %s", (number % 3 + 1,))
            assert len(cursor.fetchall()) == 1
    counts = counters.difference()
    assert is_even(counts, 400), counts
    assert counts["dbwrite"] < 60, counts


def test_writes_run_on_the_primary_alone(client: Connection, shared_cluster: Cluster) -> None:
    counters, own = Counters(shared_cluster, WRITES), on_replicas(shared_cluster)
    for number in range(1000):
        run(client, f"INSERT INTO item (value) VALUES ('{number}')")
    assert counters.difference()["dbwrite"] == 1000
    # The replicas' counters grow as well, by what they replicate; their GTIDs tell what they were sent by a client.
    assert on_replicas(shared_cluster) == own


def test_a_transaction_runs_on_the_primary_with_its_reads(client: Connection, shared_cluster: Cluster) -> None:
    counters = Counters(shared_cluster, READS)
    client.begin()
    run(client, "INSERT INTO item (value) VALUES ('in a transaction')")
    for _ in range(200):
        run(client, "SELECT COUNT(*) FROM item")
    client.commit()
    counts = counters.difference()
    assert counts["dbwrite"] >= 200
    assert counts["dbread1"] < 60
    assert counts["dbread2"] < 60


@pytest.mark.parametrize("same_session", [True, False])
def test_a_read_sees_every_acknowledged_write(
    client: Connection, shared_cluster: Cluster, shared_proxy: ProxyProcess, same_session: bool
) -> None:
    with connect(shared_cluster, shared_proxy, database=SCHEMA) as other:
        reader = client if same_session else other
        for number in range(300):
            run(client, f"UPDATE item SET value = '{number}' WHERE id = 1")
            assert run(reader, "SELECT value FROM item WHERE id = 1") == ((str(number),),)


def test_a_committed_transaction_is_seen_by_others(
    client: Connection, shared_cluster: Cluster, shared_proxy: ProxyProcess
) -> None:
    with connect(shared_cluster, shared_proxy, database=SCHEMA) as other:
        for number in range(100):
            client.begin()
            run(client, f"UPDATE item SET value = 'c{number}' WHERE id = 1")
            client.commit()
            assert run(other, "SELECT value FROM item WHERE id = 1") == ((f"c{number}",),)


def test_reads_with_autocommit_off_stay_in_their_transaction(client: Connection, shared_cluster: Cluster) -> None:
    client.autocommit(False)
    counters = Counters(shared_cluster, READS)
    for _ in range(200):
        run(client, "SELECT COUNT(*) FROM item")
    assert counters.difference()["dbwrite"] >= 200
    client.autocommit(True)


def test_insert_id_row_count_and_warnings(client: Connection) -> None:
    run(client, "INSERT INTO item (value) VALUES ('x')")
    assert client.insert_id() == run(client, "SELECT LAST_INSERT_ID()")[0][0]
    run(client, "UPDATE item SET value = 'y' WHERE id <= 2")
    assert run(client, "SELECT ROW_COUNT()") == ((2,),)
    run(client, "SELECT SQL_CALC_FOUND_ROWS id FROM item LIMIT 1")
    assert run(client, "SELECT FOUND_ROWS()") == ((4,),)
    run(client, "SELECT 1/0 FROM item LIMIT 1")
    assert "Division by 0" in str(run(client, "SHOW WARNINGS"))


def test_what_a_replica_refuses_as_a_write_runs_on_the_primary(
    client: Connection, shared_cluster: Cluster, shared_proxy: ProxyProcess
) -> None:
    """A view can call a function that writes; nothing in the text of a read of it tells."""
    own = on_replicas(shared_cluster)
    run(client, "CREATE TABLE seen (id INT)")
    run(
        client,
        "CREATE FUNCTION note_it() RETURNS INT MODIFIES SQL DATA BEGIN INSERT INTO seen VALUES (1); RETURN 7; END",
    )
    run(client, "CREATE VIEW noting AS SELECT note_it() AS number")
    run(client, "CREATE USER noter@'%' IDENTIFIED BY 'noter'")
    run(client, f"GRANT ALL ON {SCHEMA}.* TO noter@'%'")
    with connect(shared_cluster, shared_proxy, database=SCHEMA, user="noter", password="noter") as noter:
        # Without the SUPER-like rights of root, so that read_only holds on MariaDB too.
        settle(noter, shared_cluster)
        for number in range(1, 7):
            assert run(noter, "SELECT number FROM noting") == ((7,),)
            assert run(client, "SELECT COUNT(*) FROM seen") == ((number,),)
    run(client, "DROP USER noter@'%'")
    assert on_replicas(shared_cluster) == own


def test_a_function_that_only_reads_is_no_obstacle(client: Connection, shared_cluster: Cluster) -> None:
    """If the operator says so: its reads leave the primary, and see what it reads from tables and variables."""
    run(client, "CREATE FUNCTION longest() RETURNS INT READS SQL DATA RETURN (SELECT MAX(id) + @more FROM item)")
    with (
        running_proxy(shared_cluster, "--read-functions", "longest,nothing") as proxy,
        connect(shared_cluster, proxy, database=SCHEMA) as reader,
    ):
        run(reader, "SET @more = 100")
        for number in range(4, 8):
            run(reader, f"INSERT INTO item (id, value) VALUES ({number}, 'new')")
            assert run(reader, f"SELECT longest(), {SCHEMA}.longest()") == ((number + 100, number + 100),)
        wait_until(lambda: route(reader)["server"].startswith("dbread"), "its reads leave the primary")
        assert run(reader, "SELECT longest()") == ((107,),)
    assert route(client)["reason"] == "unknown-function:longest"


def route(connection: Connection) -> dict[str, str]:
    return {str(item): str(value) for item, value in run(connection, "EXPLAIN ROUTE SELECT longest()")}


def on_replicas(cluster: Cluster) -> list[str]:
    """What the replicas have changed by themselves."""
    return [own_writes(cluster, replica) for replica in cluster.servers[1:]]
