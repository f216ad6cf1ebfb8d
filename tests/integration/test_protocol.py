"""What is large, cut, pipelined or slow: the client gets what it would get without the proxy."""

import contextlib
from collections.abc import Iterator

import pytest

from proxy.wire import constants as c
from proxy.wire.exchange import Reply
from proxy.wire.framing import frame
from replication.sandbox import Cluster
from tests.integration.protocol_cases import LONG, READ_ONLY_CURSOR, VAR_STRING
from tests.integration.protocol_schema import SCHEMA, protocol_schema
from tests.support.clients import Counters, connect, direct, run
from tests.support.proxies import ProxyProcess
from tests.support.recorder import Recorder
from tests.support.waiting import wait_until
from tests.support.wireclient import (
    CAPABILITIES,
    Login,
    Packet,
    WireClient,
    digest,
    execute,
    first_error,
    query,
    statement_command,
)

MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module", autouse=True)
def schema(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[None]:
    with protocol_schema(shared_cluster, shared_proxy):
        yield


def login(cluster: Cluster, capabilities: int = CAPABILITIES, database: str = SCHEMA) -> Login:
    primary = cluster.servers[0]
    return Login(primary.user, primary.password, database, capabilities)


def test_a_cursor_reads_on_the_replicas(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    with WireClient(shared_proxy.host, shared_proxy.port) as client:
        talk = Recorder(client.log_in(login(shared_cluster)))
        number = talk.prepare("SELECT id FROM item ORDER BY id")
        counters = Counters(shared_cluster, ("Com_stmt_fetch",))
        for _ in range(4):
            talk.command(execute(number, cursor=READ_ONLY_CURSOR))
            for left in (3, 2):
                fetch = statement_command(c.COM_STMT_FETCH, number, (3).to_bytes(4, "little"))
                assert len(talk.command(fetch, Reply.ROWS)) == left + 1
    assert counters.difference() == {"dbwrite": 0, "dbread1": 4, "dbread2": 4}


@pytest.mark.parametrize("size", [c.MAX_PAYLOAD - 1, c.MAX_PAYLOAD, c.MAX_PAYLOAD + 1, 2 * c.MAX_PAYLOAD, 40_000_000])
def test_commands_and_rows_around_16_mebibytes(shared_cluster: Cluster, shared_proxy: ProxyProcess, size: int) -> None:
    primary = shared_cluster.servers[0]
    prefix, suffix = b"SELECT LENGTH('", b"')"
    text = query(prefix + b"x" * (size - 1 - len(prefix) - len(suffix)) + suffix)
    assert len(text) == size
    answers = []
    for host, port in ((primary.host, primary.port), (shared_proxy.host, shared_proxy.port)):
        with WireClient(host, port) as client:
            client.log_in(login(shared_cluster))
            up = client.command(text)
            # Four bytes of length precede the value, or nine.
            width = 4 if size - 4 < 1 << 24 else 9
            down = client.query(f"SELECT REPEAT('x', {size - width})")
            assert sum(len(payload) for _, payload in down[3:-1]) == size
            answers.append((digest(up), digest(down), client.query("SELECT 'alive'")))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("size", [MEBIBYTE + 5000, c.MAX_PAYLOAD, 20_000_000])
def test_large_values_of_prepared_statements(shared_cluster: Cluster, shared_proxy: ProxyProcess, size: int) -> None:
    answers = []
    primary = shared_cluster.servers[0]
    for host, port in ((primary.host, primary.port), (shared_proxy.host, shared_proxy.port)):
        with WireClient(host, port) as client:
            talk = Recorder(client.log_in(login(shared_cluster)))
            number = talk.prepare("SELECT LENGTH(?), CRC32(?)")
            value = b"\xfd" + (5).to_bytes(3, "little") + b"small"
            empty = len(execute(number, [(VAR_STRING, b""), (VAR_STRING, value)])) + 9
            large = b"\xfe" + (size - empty).to_bytes(8, "little") + b"z" * (size - empty)
            talk.command(execute(number, [(VAR_STRING, large), (VAR_STRING, value)]))
            talk.command(execute(number, [(VAR_STRING, value), (VAR_STRING, value)], types=False))
            client.send(statement_command(c.COM_STMT_SEND_LONG_DATA, number, b"\0\0" + b"z" * size))
            talk.command(execute(number, [(VAR_STRING, b""), (VAR_STRING, value)]))
            talk.command(query("SELECT 'alive'"))
            answers.append(talk.turns)
    assert answers[0] == answers[1]


@contextlib.contextmanager
def limited_to(cluster: Cluster, limit: int) -> Iterator[None]:
    """Servers that take no larger packets on new connections."""
    try:
        for server in cluster.servers:
            with direct(cluster, server) as connection:
                run(connection, f"SET GLOBAL max_allowed_packet = {limit}")
        yield
    finally:
        for server in cluster.servers:
            with direct(cluster, server) as connection:
                run(connection, f"SET GLOBAL max_allowed_packet = {64 * MEBIBYTE}")


def refused(client: WireClient, payload: bytes) -> list[Packet | str]:
    """What a client receives until the end, when it sends too much and reads whatever happens to that."""
    packets: list[Packet | str] = []
    with contextlib.suppress(ConnectionError):
        client.send(payload)
    try:
        while True:
            packets.append(client.packet())
    except ConnectionError:
        return [*packets, "closed"]


@pytest.mark.parametrize(
    ("limit", "size"),
    [(65536, 65536), (65536, 900_000), (MEBIBYTE, 3 * MEBIBYTE), (4 * MEBIBYTE, 15 * MEBIBYTE), (MEBIBYTE, 40_000_000)],
)
@pytest.mark.parametrize("kind", ["query", "long data"])
def test_a_command_above_max_allowed_packet(
    shared_cluster: Cluster, session_proxy: ProxyProcess, limit: int, size: int, kind: str
) -> None:
    """The server says so and closes in the middle of it, and so does the proxy; nobody else is affected.

    The limit is one for connections that are new.
    """
    if kind == "long data" and size <= MEBIBYTE:
        pytest.skip("held by the proxy until it is executed")
    primary = shared_cluster.servers[0]
    received = []
    with connect(shared_cluster, session_proxy) as other, limited_to(shared_cluster, limit):
        for host, port in ((primary.host, primary.port), (session_proxy.host, session_proxy.port)):
            with WireClient(host, port) as client:
                client.log_in(login(shared_cluster))
                text = query(b"SELECT LENGTH('" + b"x" * (size - 18) + b"')")
                if kind == "long data":
                    prepared = client.command(bytes((c.COM_STMT_PREPARE,)) + b"SELECT LENGTH(?)", Reply.PREPARED)
                    number = int.from_bytes(prepared[0][1][1:5], "little")
                    text = statement_command(c.COM_STMT_SEND_LONG_DATA, number, b"\0\0" + bytes(size - 7))
                assert len(text) == size
                received.append(refused(client, text))
        assert run(other, "SELECT 1") == ((1,),)
        run(other, "DO 1")
    assert received[0] == received[1]
    packet = received[0][0]
    assert not isinstance(packet, str)
    error = first_error([packet])
    assert error is not None
    assert error.errno == c.ER_NET_PACKET_TOO_LARGE
    assert "Traceback" not in session_proxy.log


def test_a_client_that_sends_byte_by_byte(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    how = login(shared_cluster)
    how.pace = 1
    with WireClient(shared_proxy.host, shared_proxy.port) as client:
        client.log_in(how)
        expected = client.query("SELECT id, value FROM item")
        client.send_bytes(frame(query("SELECT id, value FROM item"), 0), pace=1)
        assert client.reply() == expected
        assert len(expected) > 5


def test_pipelined_commands_are_answered_in_order(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    with WireClient(shared_proxy.host, shared_proxy.port) as client:
        client.log_in(login(shared_cluster))
        texts = [f"SELECT {number} FROM item" if number % 3 else f"DO {number}" for number in range(200)]
        single = [client.query(text) for text in texts]
        client.send_bytes(b"".join(frame(query(text), 0) for text in texts))
        assert [client.reply() for _ in texts] == single
        number = Recorder(client).prepare("SELECT id FROM item WHERE id = ?")
        run_it = execute(number, [(LONG, (3).to_bytes(4, "little"))])
        expected = client.command(run_it)
        close = statement_command(c.COM_STMT_CLOSE, number)
        client.send_bytes(frame(run_it, 0) * 20 + frame(close, 0) + frame(bytes((c.COM_PING,)), 0))
        assert [client.reply() for _ in range(20)] == [expected] * 20
        assert client.reply()[0][1][:1] == b"\0"


def test_pipelining_more_than_is_held(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    text = "SELECT LENGTH('" + "x" * 100_000 + "')"
    with WireClient(shared_proxy.host, shared_proxy.port) as client:
        client.log_in(login(shared_cluster))
        expected = client.query(text)
        client.send_bytes(frame(query("SELECT SLEEP(0.2)"), 0) + frame(query(text), 0) * 100)
        client.reply()
        assert [client.reply() for _ in range(100)] == [expected] * 100


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5, 9])
def test_a_command_split_inside_its_header(shared_cluster: Cluster, shared_proxy: ProxyProcess, cut: int) -> None:
    whole = frame(query("SELECT 'whole'"), 0)
    with WireClient(shared_proxy.host, shared_proxy.port) as client:
        client.log_in(login(shared_cluster))
        expected = client.query("SELECT 'whole'")
        # The first command's reply shows that the beginning of the second has arrived on its own.
        client.send_bytes(whole + whole[:cut])
        assert client.reply() == expected
        client.send_bytes(whole[cut:])
        assert client.reply() == expected


@pytest.mark.parametrize("kilobytes", [600, 1200, 2500, 3500])
def test_a_slow_reader_can_go_on(shared_cluster: Cluster, shared_proxy: ProxyProcess, kilobytes: int) -> None:
    """The reply may be over at the server while much of it still waits for the client."""
    with WireClient(shared_proxy.host, shared_proxy.port, receive_buffer=4096) as client:
        client.log_in(login(shared_cluster))
        for _ in range(10):
            client.send(query(f"SELECT REPEAT('x', {kilobytes * 1024})"))
            wait_until(lambda: not sends_results(shared_cluster), "the server has sent the result")
            assert sum(len(payload) for _, payload in client.reply()) > kilobytes * 1024
            assert client.query("SELECT 'next'")[-2][1] == b"\4next"


def sends_results(cluster: Cluster) -> bool:
    """Whether a server still has a result of this test's in hand."""
    for server in cluster.servers:
        with direct(cluster, server) as connection:
            if any(str(row[7]).startswith("SELECT REPEAT") for row in run(connection, "SHOW FULL PROCESSLIST")):
                return True
    return False
