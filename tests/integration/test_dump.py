"""Clients that read the primary's binary log through the proxy, as replicas and change-data-capture tools do."""

import re
import subprocess
from collections.abc import Iterator

import pytest

from proxy.wire import constants as c
from proxy.wire.exchange import Reply
from replication.sandbox import Cluster, Flavor, LocalServer
from tests.support.clients import connect, direct, run
from tests.support.proxies import ProxyProcess
from tests.support.waiting import wait_until
from tests.support.wireclient import Login, Packet, WireClient, first_error

SCHEMA = "dump_test"
NON_BLOCK = 1
MARIADB_TOOL = "mariadb-binlog"


@pytest.fixture(scope="module", autouse=True)
def schema(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[None]:
    with connect(shared_cluster, shared_proxy) as connection:
        run(connection, f"DROP DATABASE IF EXISTS {SCHEMA}")
        run(connection, f"CREATE DATABASE {SCHEMA}")
        run(connection, f"CREATE TABLE {SCHEMA}.item (id INT PRIMARY KEY, value LONGTEXT)")
        yield
        run(connection, f"DROP DATABASE {SCHEMA}")


def position(cluster: Cluster) -> tuple[str, int]:
    """Where the primary's binary log ends."""
    with direct(cluster, cluster.servers[0]) as connection:
        what = "MASTER" if cluster.flavor is Flavor.MARIADB else "BINARY LOG"
        row = run(connection, f"SHOW {what} STATUS")[0]
    return str(row[0]), int(row[1])


def client(cluster: Cluster, where: ProxyProcess | LocalServer) -> WireClient:
    primary = cluster.servers[0]
    return WireClient(where.host, where.port).log_in(Login(primary.user, primary.password))


def register(raw: WireClient, server_id: int) -> list[Packet]:
    names = b"\0\0\0" + (3306).to_bytes(2, "little") + bytes(8)
    return raw.command(bytes((c.COM_REGISTER_SLAVE,)) + server_id.to_bytes(4, "little") + names)


def dump(file: str, at: int, flags: int, server_id: int) -> bytes:
    head = at.to_bytes(4, "little") + flags.to_bytes(2, "little") + server_id.to_bytes(4, "little")
    return bytes((c.COM_BINLOG_DUMP,)) + head + file.encode()


def dump_gtid(file: str, at: int, flags: int, server_id: int) -> bytes:
    name = len(file).to_bytes(4, "little") + file.encode()
    head = flags.to_bytes(2, "little") + server_id.to_bytes(4, "little") + name + at.to_bytes(8, "little")
    return bytes((c.COM_BINLOG_DUMP_GTID,)) + head + (8).to_bytes(4, "little") + bytes(8)


def settled(packets: list[Packet]) -> list[bytes]:
    """The events, without the times of those that the server makes up for the occasion."""
    return [re.sub(rb"^(\0)....", rb"\1####", payload, flags=re.DOTALL) for _, payload in packets]


def afterwards(raw: WireClient) -> object:
    """What the server says to the next command. It closes the connection when a dump is over."""
    try:
        return raw.query("SELECT 'alive'")
    except ConnectionError:
        return "closed"


def write(cluster: Cluster, proxy: ProxyProcess, number: int, size: int = 10) -> None:
    with connect(cluster, proxy, database=SCHEMA) as connection:
        run(connection, f"REPLACE INTO item VALUES ({number}, REPEAT('x', {size}))")


@pytest.mark.parametrize("registered", [False, True])
def test_a_dump_up_to_the_end_is_the_same_as_without_the_proxy(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, registered: bool
) -> None:
    file, at = position(shared_cluster)
    with connect(shared_cluster, shared_proxy) as connection:
        run(connection, f"DELETE FROM {SCHEMA}.item")
    for number in range(20):
        write(shared_cluster, shared_proxy, number, 100_000)
    received = []
    for where in (shared_cluster.servers[0], shared_proxy):
        with client(shared_cluster, where) as raw:
            raw.query("SET @master_binlog_checksum = 'NONE', @source_binlog_checksum = 'NONE'")
            raw.query("SET @mariadb_slave_capability = 4")
            if registered:
                assert first_error(register(raw, 777)) is None
            events = raw.command(dump(file, at, NON_BLOCK, 777), Reply.ROWS)
            assert len(events) > 40
            received.append((settled(events), afterwards(raw)))
    assert received[0] == received[1]


def test_a_dump_by_gtid(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    received = []
    for where in (shared_cluster.servers[0], shared_proxy):
        with client(shared_cluster, where) as raw:
            raw.query("SET @source_binlog_checksum = 'NONE'")
            events = raw.command(dump_gtid("", 4, NON_BLOCK, 778), Reply.ROWS)
            assert (first_error(events) is not None) is (shared_cluster.flavor is Flavor.MARIADB)
            received.append((settled(events), afterwards(raw)))
    assert received[0] == received[1]


def test_events_arrive_as_they_are_written(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    file, at = position(shared_cluster)
    with client(shared_cluster, shared_proxy) as raw:
        raw.query("SET @master_binlog_checksum = 'NONE', @source_binlog_checksum = 'NONE'")
        raw.query("SET @mariadb_slave_capability = 4")
        raw.send(dump(file, at, 0, 779))
        for text in (b"first", b"second"):
            with connect(shared_cluster, shared_proxy, database=SCHEMA) as connection:
                run(connection, f"REPLACE INTO item VALUES (1, '{text.decode()}')")
            while text not in raw.packet()[1]:
                pass
        assert threads(shared_cluster) == 1
        raw.socket.close()
        # Without events to send a server would not notice for long.
        wait_until(lambda: threads(shared_cluster) == 0, "the dump has ended")


def threads(cluster: Cluster) -> int:
    """How many dumps the primary serves besides those for its replicas."""
    with direct(cluster, cluster.servers[0]) as connection:
        rows = run(connection, "SHOW PROCESSLIST")
    return sum(str(row[4]).startswith("Binlog Dump") for row in rows) - 2


def test_a_dump_that_is_refused(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    received = []
    for where in (shared_cluster.servers[0], shared_proxy):
        with client(shared_cluster, where) as raw:
            answer = raw.command(dump("no-such-file.000001", 4, NON_BLOCK, 780), Reply.ROWS)
            assert first_error(answer) is not None
            received.append((settled(answer), afterwards(raw)))
    assert received[0] == received[1]


def test_the_vendors_tool(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    if shared_cluster.flavor is Flavor.MYSQL:
        pytest.skip("mysqlbinlog is no part of the server's package")
    file, at = position(shared_cluster)
    write(shared_cluster, shared_proxy, 4711)
    primary = shared_cluster.servers[0]
    outputs = []
    for where in (primary, shared_proxy):
        command = [
            MARIADB_TOOL,
            "--read-from-remote-server",
            "--skip-ssl",
            f"--host={where.host}",
            f"--port={where.port}",
        ]
        command += [f"--user={primary.user}", f"--password={primary.password}", f"--start-position={at}", file]
        outputs.append(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    assert b"4711" in outputs[0]
    assert outputs[0] == outputs[1]
