"""More than the proxy, or its connections to servers, can take: clear errors, bounded memory, recovery by itself."""

import asyncio
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pymysql
import pytest

from replication.sandbox import Cluster
from tests.support.clients import Connection, connect, direct, run
from tests.support.lightclient import LightClient
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import settled, wait_until
from tests.support.wireclient import Login, Refused

MIB = 1 << 20
LIMIT = 8 * MIB
# Rows that no socket buffers take.
LARGE = "SELECT REPEAT('x', 1000000) FROM (SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4) a, " + (
    "(SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4) b"
)


@contextmanager
def proxied(cluster: Cluster, *arguments: str) -> Iterator[ProxyProcess]:
    with running_proxy(cluster, "--consistency", "eventual", *arguments) as proxy:
        yield proxy


def status(client: Connection, name: str) -> int:
    return int(run(client, f"SHOW PROXY STATUS LIKE '{name}'")[0][1])


def not_reading(cluster: Cluster, proxy: ProxyProcess) -> Connection:
    """A client that asks for much, and takes none of it."""
    client = connect(cluster, proxy)
    client._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    client._execute_command(3, LARGE)
    return client


def fill(cluster: Cluster, proxy: ProxyProcess, shown: Connection, slow: list[Connection]) -> None:
    """Let more and more clients not read, until that is refused."""
    while len(slow) < 100:
        slow.append(not_reading(cluster, proxy))
        wait_until(lambda: status(shown, "memory_held") > len(slow) * MIB // 4, "it counts")


def test_replies_that_nobody_takes_are_bounded_in_all(shared_cluster: Cluster) -> None:
    with proxied(shared_cluster, "--memory-limit", str(LIMIT)) as proxy, ExitStack() as stack:
        client = stack.enter_context(connect(shared_cluster, proxy))
        began = stack.enter_context(connect(shared_cluster, proxy))
        run(began, "BEGIN")
        slow: list[Connection] = []
        with pytest.raises(pymysql.err.OperationalError, match=r"1041.*memory_limit"):
            fill(shared_cluster, proxy, client, slow)
        wait_until(lambda: status(client, "memory_held") >= LIMIT, "it is full")
        with pytest.raises(pymysql.err.OperationalError, match=r"1041.*memory_limit"):
            run(client, "SELECT 1")
        with pytest.raises(pymysql.err.OperationalError, match=r"1041.*memory_limit"):
            connect(shared_cluster, proxy)
        # A long one is read, and the session goes on.
        with pytest.raises(pymysql.err.OperationalError, match=r"1041.*memory_limit"):
            run(client, f"SELECT '{'x' * 700_000}'")
        with pytest.raises(pymysql.err.OperationalError, match=r"1041.*memory_limit"):
            run(client, f"SELECT '{'x' * 3_000_000}'")
        # What has begun may end.
        assert run(began, "SELECT 1") == ((1,),)
        run(began, "COMMIT")
        proxy.wait_for_log("more is refused until they are less (memory_limit)")
        for one in slow:
            one._force_close()
        wait_until(lambda: status(client, "memory_held") < LIMIT, "clients that go leave nothing behind")
        assert run(client, "SELECT 1") == ((1,),)
        proxy.wait_for_log("nothing is refused any more")
        wait_until(lambda: status(client, "memory_held") == 0, "nothing is held for anybody")


def test_commands_that_are_only_begun_are_bounded_in_all(shared_cluster: Cluster) -> None:
    with proxied(shared_cluster, "--memory-limit", str(LIMIT)) as proxy, connect(shared_cluster, proxy) as client:
        with ExitStack() as stack:
            begun = [stack.enter_context(connect(shared_cluster, proxy)) for _ in range(20)]
            for one in begun:
                one._sock.sendall((MIB - 1).to_bytes(3, "little") + b"\0\x03SELECT '" + b"x" * 900_000)
            held = settled(lambda: status(client, "memory_held"))
            assert LIMIT // 2 < held < LIMIT + MIB
            outcomes = [finished(one) for one in begun]
            assert set(outcomes) == {"answered", "1041"}
            for one in begun:
                assert run(one, "SELECT 1") == ((1,),)
        wait_until(lambda: status(client, "memory_held") == 0, "clients that go leave nothing behind")


def finished(client: Connection) -> str:
    """What becomes of a command whose rest is sent only now."""
    client._sock.sendall(b"x" * (MIB - 1 - 900_000 - 9 - 1) + b"'")
    client._next_seq_id = 1
    try:
        client._read_query_result()
    except pymysql.err.OperationalError as error:
        return str(error.args[0])
    return "answered"


def test_too_long_a_queue_for_connections(shared_cluster: Cluster) -> None:
    limits = ("--server-connections", "1", "--server-connection-queue", "2", "--server-connection-wait", "60")
    told = ("--primary-reads", "never", "--log-sample", "1", "--log-format", "json")
    with proxied(shared_cluster, *limits, *told) as proxy, ExitStack() as stack:
        clients = [stack.enter_context(connect(shared_cluster, proxy)) for _ in range(8)]
        shown = stack.enter_context(connect(shared_cluster, proxy))
        outcomes: list[str] = []

        def read(client: Connection) -> None:
            try:
                run(client, "SELECT SLEEP(3)")
                outcomes.append("answered")
            except pymysql.err.MySQLError as error:
                outcomes.append(str(error))

        # On two replicas two at a time, and two more wait for each.
        threads = [threading.Thread(target=read, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes.count("answered") == 6, outcomes
        assert outcomes[:2] == [outcome for outcome in outcomes if outcome != "answered"]
        assert run(shown, "SELECT 1") == ((1,),)
        proxy.wait_for_log("statements or logins got no connection")
        # What ran nowhere is in the log of statements all the same.
        ran = [line for line in map(json.loads, proxy.log.splitlines()) if line["message"] == "statement"]
        assert len([line for line in ran if line["errno"] and not line["server"]]) == 2


CLIENTS = 200
# Nobody waits for longer than for a connection, the primary, the statement, and its KILL; and the machine may be slow.
PATIENCE = 90.0
LIMITS = (
    *("--server-connections", "5", "--server-connection-wait", "5", "--server-connection-queue", "400"),
    *("--statement-timeout", "2", "--connect-timeout", "2", "--primary-wait", "3", "--login-timeout", "300"),
    *("--probe-timeout", "1"),
)
# Too many connections (also for a full queue), not to be reached, lost, interrupted (as a server or the proxy tells).
CLEAR = {1040, 2003, 2013, 1317, 1969, 3024}


async def outcome(client: LightClient, text: str) -> int:
    """The error that a statement ends with in good time, 0 for none, 2006 where the client finds itself cut off."""
    try:
        async with asyncio.timeout(PATIENCE):
            await client.run(text)
    except Refused as refused:
        return refused.err.errno
    except (asyncio.IncompleteReadError, ConnectionError):
        return 2006
    return 0


async def crowded(cluster: Cluster, proxy: ProxyProcess) -> list[Counter[int]]:
    """What becomes of a statement of each client: with a frozen replica, with none, with a frozen primary."""
    user = cluster.servers[0]
    login = Login(user.user, user.password)
    # One by one: logins wait for connections, too.
    clients = [await LightClient.connect(proxy.host, proxy.port, login) for _ in range(CLIENTS)]
    found = []
    read, write = "SELECT id FROM crowd.item WHERE id = 1", "UPDATE crowd.item SET n = n + 1 WHERE id = 1"
    for text, frozen in ((read, "dbread1"), (read, ""), (write, "dbwrite")):
        if frozen:
            cluster.server(frozen).freeze()
        try:
            found.append(Counter(await asyncio.gather(*(outcome(client, text) for client in clients))))
        finally:
            if frozen:
                cluster.server(frozen).thaw()
    for client in clients:
        client.close()
    return found


def test_hundreds_of_clients_on_five_connections_to_a_frozen_server(shared_cluster: Cluster) -> None:
    with ExitStack() as stack:
        primary = stack.enter_context(direct(shared_cluster, shared_cluster.servers[0]))
        run(primary, "CREATE DATABASE crowd")
        stack.callback(run, primary, "DROP DATABASE crowd")
        run(primary, "CREATE TABLE crowd.item (id INT PRIMARY KEY, n INT)")
        run(primary, "INSERT INTO crowd.item VALUES (1, 0)")
        proxy = stack.enter_context(proxied(shared_cluster, *LIMITS))
        began = proxy.resident
        replica_frozen, all_well, primary_frozen = asyncio.run(crowded(shared_cluster, proxy))
        # No read is lost with a replica; whoever is in too long a queue is told so.
        assert set(replica_frozen) <= {0, 1040}, replica_frozen
        # How many are served in time is a matter of the machine.
        assert replica_frozen[0], replica_frozen
        assert set(all_well) <= {0, 1040}, all_well
        assert all_well[0], all_well
        # A few can have been at work before all threads of the server stood still.
        assert set(primary_frozen) <= {0} | CLEAR, primary_frozen
        assert primary_frozen[0] < CLIENTS // 10, primary_frozen
        assert proxy.resident - began < 100 * MIB

        def works() -> bool:
            try:
                with connect(shared_cluster, proxy) as client:
                    run(client, "UPDATE crowd.item SET n = -1 WHERE id = 1")
                    return status(client, "memory_held") == 0 and status(client, "sessions") == 1
            except pymysql.err.MySQLError:
                return False

        wait_until(works, "it serves as before", lambda: proxy.log)
        assert run(primary, "SELECT n FROM crowd.item") == ((-1,),)
