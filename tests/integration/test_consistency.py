"""Each level of consistency, while the replicas are behind and while they are not."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pymysql
import pytest

from replication.sandbox import Cluster
from tests.support.clients import Connection, connect, direct, run
from tests.support.instep import in_step
from tests.support.lags import behind
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until
from tests.support.wireclient import Login, WireClient, query

SCHEMA = "levels_test"
COUNT = "SELECT COUNT(*) FROM t"
INTERRUPTED = 1317
WAIT = "3.0"


@pytest.fixture(scope="module")
def proxy(shared_cluster: Cluster) -> Iterator[ProxyProcess]:
    with running_proxy(shared_cluster, "--freshness-wait", WAIT) as proxy:
        yield proxy


@pytest.fixture
def client(shared_cluster: Cluster, proxy: ProxyProcess) -> Iterator[Connection]:
    with connect(shared_cluster, proxy) as connection:
        run(connection, f"DROP DATABASE IF EXISTS {SCHEMA}")
        run(connection, f"CREATE DATABASE {SCHEMA}")
        run(connection, f"USE {SCHEMA}")
        run(connection, "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT)")
        settle(connection)
        yield connection
        run(connection, f"DROP DATABASE {SCHEMA}")


def settle(connection: Connection) -> None:
    wait_until(lambda: explained(connection, "SELECT 1")["wait"] is None, "replicas are fresh")


def explained(connection: Connection, read: str) -> dict[str, Any]:
    return dict(run(connection, f"EXPLAIN ROUTE {read}"))


def count(connection: Connection, level: str) -> int:
    ((number,),) = run(connection, f"/* manyreads: consistency={level} */ {COUNT}")
    return int(number)


def counted(connection: Connection) -> dict[str, int]:
    """How many reads each server was given by the proxy."""
    return {row[0]: row[7] for row in run(connection, "SHOW PROXY SERVERS")}


def test_what_each_level_sees_of_replicas_that_are_behind(
    shared_cluster: Cluster, proxy: ProxyProcess, client: Connection
) -> None:
    with (
        connect(shared_cluster, proxy, database=SCHEMA) as other,
        direct(shared_cluster, shared_cluster.servers[0], database=SCHEMA) as past,
        behind(shared_cluster),
    ):
        run(client, "INSERT INTO t VALUES ()")
        # Each of these waits as long as it may, and then asks the primary.
        assert [count(client, level) for level in ("session", "monotonic", "global")] == [1, 1, 1]
        assert [count(other, level) for level in ("eventual", "session", "global")] == [0, 0, 1]
        run(other, "SET @manyreads_consistency = 'eventual'")
        assert run(other, COUNT) == ((0,),)
        assert count(other, "global") == 1
        run(other, "SET @manyreads_consistency = NULL")
        assert run(other, COUNT) == ((1,),)
        run(past, "INSERT INTO t VALUES ()")
        assert [count(other, level) for level in ("eventual", "session", "strict")] == [0, 0, 2]


def test_a_read_waits_for_a_replica(shared_cluster: Cluster, proxy: ProxyProcess, client: Connection) -> None:
    with connect(shared_cluster, proxy, database=SCHEMA) as other, ThreadPoolExecutor(1) as threads:
        before, in_vain = counted(client), status(client)["reads_that_waited_in_vain"]
        with behind(shared_cluster):
            run(client, "INSERT INTO t VALUES ()")
            expected = explained(client, COUNT)
            assert (expected["server"][:7], expected["wait"]) == ("dbwrite", "for a replica, up to 3000 ms")
            reading = threads.submit(count, other, "global")
            wait_until(lambda: status(client)["reads_that_wait"] == "1", "the read waits")
        assert reading.result(timeout=10) == 1
        assert counted(client)["dbwrite"] == before["dbwrite"]
        assert status(client)["reads_that_waited_in_vain"] == in_vain


def status(connection: Connection) -> dict[str, str]:
    return {name: str(value) for name, value in run(connection, "SHOW PROXY STATUS")}


@pytest.mark.usefixtures("client")
def test_a_client_that_goes_away_waits_no_more(shared_cluster: Cluster) -> None:
    primary = shared_cluster.servers[0]
    with (
        running_proxy(shared_cluster, "--freshness-wait", "10") as patient,
        connect(shared_cluster, patient, database=SCHEMA) as other,
        WireClient(patient.host, patient.port) as gone,
        behind(shared_cluster),
    ):
        gone.log_in(Login(primary.user, primary.password))
        run(other, "INSERT INTO t VALUES ()")
        gone.send(query(f"SELECT COUNT(*) FROM {SCHEMA}.t"))
        wait_until(lambda: status(other)["reads_that_wait"] == "1", "the read waits")
        gone.socket.close()
        wait_until(lambda: status(other)["reads_that_wait"] == "0", "nobody waits")
        assert status(other)["reads_that_waited_in_vain"] == "0"


def test_a_read_that_waits_can_be_killed(shared_cluster: Cluster, proxy: ProxyProcess, client: Connection) -> None:
    with connect(shared_cluster, proxy, database=SCHEMA) as other, ThreadPoolExecutor(1) as threads:
        with behind(shared_cluster):
            run(client, "INSERT INTO t VALUES ()")
            reading = threads.submit(count, other, "global")
            wait_until(lambda: status(client)["reads_that_wait"] == "1", "the read waits")
            run(client, f"KILL QUERY {other.thread_id()}")
            wait_until(lambda: status(client)["reads_that_wait"] == "0", "the read waits no more")
            with pytest.raises(pymysql.MySQLError) as error:
                reading.result(timeout=10)
        assert error.value.args[0] == INTERRUPTED
        assert count(other, "global") == 1


def test_strict_sees_what_was_written_past_the_proxy(shared_cluster: Cluster, client: Connection) -> None:
    with direct(shared_cluster, shared_cluster.servers[0], database=SCHEMA) as past:
        before = counted(client)
        for number in range(1, 41):
            run(past, "INSERT INTO t VALUES ()")
            assert count(client, "strict") == number
        after = counted(client)
        assert after["dbwrite"] == before["dbwrite"]
        assert after["dbread1"] > before["dbread1"]
        assert after["dbread2"] > before["dbread2"]


def test_monotonic_reads_never_go_back(shared_cluster: Cluster, proxy: ProxyProcess, client: Connection) -> None:
    with (
        connect(shared_cluster, proxy, database=SCHEMA) as reader,
        direct(shared_cluster, shared_cluster.servers[0], database=SCHEMA) as past,
        behind(shared_cluster, "dbread2"),
    ):
        run(past, "INSERT INTO t VALUES ()")
        wait_until(lambda: {count(client, "eventual") for _ in range(4)} == {0, 1}, "one replica has the write")
        # The read before tells the session's first one apart: it may be answered by either.
        seen = [count(reader, "monotonic") for _ in range(8)]
        assert seen == sorted(seen)
        wait_until(lambda: count(reader, "eventual") == 1, "a read on the replica that has it")
        assert {count(reader, "monotonic") for _ in range(8)} == {1}
        run(reader, f"/* manyreads: primary */ {COUNT}")
        assert {count(reader, "monotonic") for _ in range(8)} == {1}


def tokens(connection: Connection) -> dict[str, str | None]:
    return dict(run(connection, "SHOW PROXY POSITION"))


def count_after(connection: Connection, token: str | None) -> int:
    ((number,),) = run(connection, f"/* manyreads: consistency=eventual after={token} */ {COUNT}")
    return int(number)


def test_a_token_carries_freshness_to_another_proxy(
    shared_cluster: Cluster, proxy: ProxyProcess, client: Connection
) -> None:
    arguments = ("--consistency", "eventual", "--freshness-wait", WAIT)
    with (
        running_proxy(shared_cluster, *arguments) as far,
        connect(shared_cluster, far, database=SCHEMA) as reader,
        connect(shared_cluster, proxy, database=SCHEMA) as bystander,
        ThreadPoolExecutor(1) as threads,
    ):
        wait_until(lambda: run(reader, "SELECT COUNT(*) FROM t") == ((0,),), "the table is everywhere")
        before = counted(reader)
        for number in range(1, 11):
            run(client, "INSERT INTO t VALUES ()")
            assert count_after(reader, tokens(client)["session"]) >= number
        assert counted(reader)["dbwrite"] == before["dbwrite"]
        # The reads were answered by whichever replica had it; the other may be late.
        wait_until(lambda: in_step(shared_cluster), "both replicas have it")
        with behind(shared_cluster):
            run(client, "INSERT INTO t VALUES ()")
            told = tokens(bystander)
            assert told["session"] is None
            assert run(reader, "SELECT COUNT(*) FROM t") == ((10,),)
            reading = threads.submit(count_after, reader, told["all"])
            wait_until(lambda: status(bystander)["reads_that_wait"] == "0", "that is another proxy's")
        assert reading.result(timeout=10) == 11
        # The future: nobody has that yet, and nobody is asked for longer than it may last.
        with behind(shared_cluster):
            assert count_after(reader, told["all"]) == 11
            for token in ("nonsense", "0-1"):
                assert count_after(reader, token) == 11
            odd = explained(reader, "SELECT 1 /* manyreads: after=nonsense */")
            assert (odd["reason"], odd["hint_problems"]) == ("hint", "after=nonsense")


def test_the_level_is_a_setting(shared_cluster: Cluster, tmp_path: Path) -> None:
    config = tmp_path / "manyreads.toml"
    config.write_text("[[rules]]\npattern = 'as .?quick'\nconsistency = 'eventual'\n")
    arguments = ("--consistency", "monotonic", "--freshness-wait", "0", "--config", str(config))
    with running_proxy(shared_cluster, *arguments) as proxy, connect(shared_cluster, proxy) as connection:
        assert status(connection)["consistency"] == "monotonic"
        wait_until(lambda: explained(connection, "SELECT 1")["server"][:6] == "dbread", "a replica is fit")
        assert explained(connection, "SELECT 1")["consistency"] == "monotonic"
        assert explained(connection, "SELECT 1 AS quick")["consistency"] == "eventual"
        # With time to lose none at strict leaves the primary.
        read = explained(connection, "/* manyreads: consistency=strict */ SELECT 1")
        assert (read["server"][:7], read["consistency"], read["wait"]) == ("dbwrite", "strict", None)
        replicas = {server_of(connection) for _ in range(6)}
        assert len(replicas) == 1
        run(connection, "SET @manyreads_consistency = 'session'")
        assert explained(connection, "SELECT 1")["consistency"] == "session"
        assert explained(connection, "SELECT 1 AS quick")["consistency"] == "eventual"
        run(connection, "SET @manyreads_consistency = NULL")
        assert explained(connection, "SELECT 1")["consistency"] == "monotonic"


def server_of(connection: Connection) -> str:
    before = counted(connection)
    run(connection, "SELECT 1")
    (name,) = (name for name, number in counted(connection).items() if number > before[name])
    return name
