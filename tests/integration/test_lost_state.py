"""A command that has to wait while the primary's connection is lost, and the session's transaction with it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager

import pymysql
import pytest

from replication.sandbox import Cluster
from tests.support.clients import Connection, connect, direct, run
from tests.support.proxies import ProxyProcess, started_proxy
from tests.support.relay import Relay, relaying
from tests.support.waiting import wait_until

READ = "SELECT id FROM lost_state.t"
LONG = "SELECT SLEEP(3600) /* manyreads: replica=dbread1 */"


@contextmanager
def proxied(cluster: Cluster) -> Iterator[tuple[ProxyProcess, Relay, Relay]]:
    """A proxy with two connections to each of two servers, both behind relays."""
    primary, replica, _ = cluster.servers
    login = f"mysql://{primary.user}:{primary.password}@{primary.host}"
    with relaying(primary.port) as first, relaying(replica.port) as second:
        servers = ("--writer", f"{login}:{first.port}", "--reader", f"{login}:{second.port}")
        settings = ("--consistency", "eventual", "--server-connections", "2", "--connect-timeout", "60")
        with started_proxy(*servers, *settings) as proxy:
            proxy.wait_for_log("serving on")
            proxy.wait_for_log("-> healthy", 2)
            yield proxy, first, second


def session(operator: Connection, client: Connection) -> tuple[object, ...]:
    """What SHOW PROXY SESSIONS says of a client."""
    return next(row for row in run(operator, "SHOW PROXY SESSIONS") if row[0] == client.thread_id())


def test_a_commit_does_not_run_without_its_transaction(shared_cluster: Cluster) -> None:
    """It waits, because another session just gets the connection to the replica, which does not answer."""
    with direct(shared_cluster, shared_cluster.servers[0]) as control:
        run(control, "CREATE DATABASE lost_state")
        run(control, "CREATE TABLE lost_state.t (id INT PRIMARY KEY)")
        try:
            with proxied(shared_cluster) as (proxy, to_primary, to_replica):
                commit_that_waits(shared_cluster, proxy, to_primary, to_replica)
            assert run(control, READ) == ()
        finally:
            run(control, "DROP DATABASE lost_state")


def commit_that_waits(cluster: Cluster, proxy: ProxyProcess, to_primary: Relay, to_replica: Relay) -> None:
    with (
        connect(cluster, proxy) as operator,
        connect(cluster, proxy, autocommit=True) as writer,
        connect(cluster, proxy, autocommit=True) as sleeper,
        connect(cluster, proxy, autocommit=True) as reader,
        ThreadPoolExecutor(3) as threads,
    ):
        sleeping = threads.submit(run, sleeper, LONG)
        try:
            wait_until(lambda: session(operator, sleeper)[7] == "dbread1", "one of its connections is taken")
            run(writer, READ)
            run(writer, "BEGIN")
            run(writer, "INSERT INTO lost_state.t VALUES (1)")
            to_replica.hold(downward=True)
            reading = threads.submit(run, reader, READ)
            wait_until(lambda: session(operator, reader)[4] == "working", "the other one is wanted")
            committing = threads.submit(run, writer, "COMMIT")
            wait_until(lambda: session(operator, writer)[4] == "working", "the COMMIT waits")
            to_primary.switch(cluster.servers[0].port)
            proxy.wait_for_log("and session state with it")
            to_replica.hold()
            with pytest.raises(pymysql.err.OperationalError, match="the statement did not run") as lost:
                committing.result()
            assert lost.value.args[0] == 2013
            assert reading.result() == ()
        finally:
            to_replica.hold()
            run(operator, f"KILL QUERY {sleeper.thread_id()}")
            wait([sleeping])
