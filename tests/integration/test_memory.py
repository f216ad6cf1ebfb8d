"""Whatever a client asks for, sends or leaves unread, the proxy's memory stays where it was."""

import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from proxy.wire import constants as c
from proxy.wire.capabilities import layout_of
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.framing import frame
from replication.sandbox import Cluster
from tests.bench.usage import usage
from tests.support.clients import connect, direct, run
from tests.support.memory import MEBIBYTE, Growth
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.tlsclient import start_tls
from tests.support.waiting import DEADLINE, wait_until
from tests.support.wireclient import (
    CAPABILITIES,
    Login,
    Packet,
    WireClient,
    execute,
    first_error,
    query,
    statement_command,
)

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is read from Linux's /proc")

SCHEMA = "memory_test"
ROWS = 1024
BOUND = 32 * MEBIBYTE
GIBIBYTE_OF_ROWS = f"SELECT REPEAT('x', {MEBIBYTE}) FROM many"


@pytest.fixture(scope="module")
def proxy(shared_cluster: Cluster) -> Iterator[ProxyProcess]:
    """A proxy of its own, that has warmed up. It waits long for a server's answer to a probe: one is frozen here."""
    with running_proxy(shared_cluster, "--probe-timeout", "60", forked=False) as proxy:
        with connect(shared_cluster, proxy) as connection:
            run(connection, f"CREATE DATABASE {SCHEMA}")
            connection.select_db(SCHEMA)
            run(connection, "CREATE TABLE many (id INT PRIMARY KEY AUTO_INCREMENT, value INT)")
            run(connection, "INSERT INTO many (value) VALUES (1)")
            while run(connection, "SELECT COUNT(*) FROM many") < ((ROWS,),):
                run(connection, "INSERT INTO many (value) SELECT value FROM many")
            run(connection, f"SELECT REPEAT('x', {16 * MEBIBYTE - 100})")
            yield proxy
            run(connection, f"DROP DATABASE {SCHEMA}")
        assert "Traceback" not in proxy.log


def note(what: str, growth: Growth) -> None:
    """Figures for docs/performance.md, shown with `pytest -s`."""
    print(f"\n{what}: {growth}", file=sys.stderr)


def logged_in(
    cluster: Cluster, proxy: ProxyProcess, receive_buffer: int = 0, flags: int = 0, tls: bool = False
) -> WireClient:
    primary = cluster.servers[0]
    client = WireClient(proxy.host, proxy.port, receive_buffer=receive_buffer)
    how = Login(primary.user, primary.password, SCHEMA, CAPABILITIES | flags)
    if not tls:
        return client.log_in(how)
    greeting = client.greeting()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    start_tls(client, context)
    how.capabilities |= c.CLIENT_SSL
    return client.respond(how, greeting, sequence=2)


@pytest.fixture
def fresh_proxy(shared_cluster: Cluster, proxy: ProxyProcess) -> Iterator[ProxyProcess]:
    """For what would find room in memory that was used before."""
    with running_proxy(shared_cluster, forked=False) as fresh:
        with logged_in(shared_cluster, fresh) as client:
            client.query("SELECT id FROM many WHERE id = 1")
        yield fresh
        assert "Traceback" not in fresh.log


@contextmanager
def in_background(work: Callable[[], None]) -> Iterator[threading.Thread]:
    """`work` in a thread, which must have ended without an error at the end."""
    errors: list[BaseException] = []

    def run_it() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run_it, daemon=True)
    thread.start()
    yield thread
    thread.join(DEADLINE)
    assert not errors, errors
    assert not thread.is_alive()


def at_rest(value: Callable[[], int]) -> int:
    """Wait until `value()` changes no more; what it is then."""
    values: list[int] = []

    def rests() -> bool:
        values.append(value())
        return len(values) > 25 and len(set(values[-25:])) == 1

    wait_until(rests, "a value rests", lambda: str(values[-5:]))
    return values[-1]


def received(client: WireClient, size: int = MEBIBYTE) -> int:
    """Read a reply to its end without keeping it, so many bytes at a time; how many it had in all."""
    exchange, total = Exchange(Reply.RESULT, layout_of(client.capabilities)), 0
    while not exchange.done:
        chunk = client.socket.recv(size)
        assert chunk, "the connection was closed"
        assert exchange.feed(chunk) == len(chunk)
        total += len(chunk)
    assert not exchange.errno
    return total


def test_a_gibibyte_passes_through(shared_cluster: Cluster, proxy: ProxyProcess) -> None:
    with logged_in(shared_cluster, proxy) as client:
        growth = Growth(proxy.process.pid)
        client.send(query(GIBIBYTE_OF_ROWS))
        assert received(client) > ROWS * MEBIBYTE
        assert growth.most < BOUND, growth
        note("1 GiB in one result", growth)


def test_a_local_file_of_512_mebibytes(shared_cluster: Cluster, proxy: ProxyProcess) -> None:
    """The server reads all of it and keeps nothing, which leaves the disk out of the picture."""
    with direct(shared_cluster, shared_cluster.servers[0]) as primary:
        ((before,),) = run(primary, "SELECT @@global.local_infile")
        run(primary, "SET GLOBAL local_infile = 1")
        try:
            with logged_in(shared_cluster, proxy, flags=c.CLIENT_LOCAL_FILES) as client:
                client.query("SET SESSION binlog_format = ROW")
                growth = Growth(proxy.process.pid)
                asked = client.query(
                    "LOAD DATA LOCAL INFILE 'made-up' INTO TABLE many LINES STARTING BY 'none' (value)"
                )
                assert client.file_wanted, first_error(asked)
                line = b"7" * 1023 + b"\n"
                answer = client.send_file(line * 1024 for _ in range(512))
                assert first_error(answer) is None
                assert client.query("SELECT COUNT(*) FROM many")[-2][1] == b"\x041024"
                assert growth.most < BOUND, growth
                note("a local file of 512 MiB", growth)
        finally:
            run(primary, f"SET GLOBAL local_infile = {before}")


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_slow_reader_holds_its_session_alone(shared_cluster: Cluster, proxy: ProxyProcess, tls: bool) -> None:
    """It takes a kibibyte while another client runs a hundred statements; as many run through a proxy without it, by
    turns, so that both are as slow as the machine."""
    slow = logged_in(shared_cluster, proxy, receive_buffer=4096, tls=tls)
    with (
        running_proxy(shared_cluster, "--probe-timeout", "60", forked=False) as calm,
        logged_in(shared_cluster, calm) as there,
        slow,
        logged_in(shared_cluster, proxy) as other,
    ):
        cpu_of_statements(proxy, other)
        cpu_of_statements(calm, there)
        growth = Growth(proxy.process.pid)
        slow.send(query(GIBIBYTE_OF_ROWS))
        alone = beside = 0.0
        for _ in range(20):
            slow.socket.recv(1024)
            beside += cpu_of_statements(proxy, other)
            alone += cpu_of_statements(calm, there)
        assert growth.most < BOUND, growth
        note(f"a reader of 1 KiB at a time{' inside of TLS' if tls else ''}", growth)
        # Nothing is tried again and again for it.
        assert beside < 2 * alone + 100_000, f"{beside} us of CPU time instead of {alone}"


def cpu_of_statements(proxy: ProxyProcess, client: WireClient) -> float:
    """The CPU time that a hundred statements take in the proxy, in microseconds."""
    before = usage(proxy.process.pid)
    for _ in range(100):
        client.query("SELECT id FROM many WHERE id = 1")
    after = usage(proxy.process.pid)
    return after.user_us + after.system_us - before.user_us - before.system_us


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_slow_reader_gets_everything_in_the_end(shared_cluster: Cluster, proxy: ProxyProcess, tls: bool) -> None:
    with logged_in(shared_cluster, proxy, receive_buffer=4096, tls=tls) as slow:
        growth = Growth(proxy.process.pid)
        slow.send(query(f"{GIBIBYTE_OF_ROWS} WHERE id <= 64"))
        at_rest(lambda: growth.now)
        total = received(slow, 100_000)
        assert total == received_alone(shared_cluster, proxy)
        assert slow.query("SELECT 'next'")[-2][1] == b"\4next"
        assert growth.most < BOUND, growth


def received_alone(cluster: Cluster, proxy: ProxyProcess) -> int:
    with logged_in(cluster, proxy) as client:
        client.send(query(f"{GIBIBYTE_OF_ROWS} WHERE id <= 64"))
        return received(client)


@pytest.mark.parametrize("size", [2000, 20_000])
def test_a_client_that_pipelines_without_reading(shared_cluster: Cluster, proxy: ProxyProcess, size: int) -> None:
    text = f"SELECT REPEAT('x', {size}) /* {'.' * size} */"
    count = 30 * MEBIBYTE // (size + 100)
    with logged_in(shared_cluster, proxy, receive_buffer=4096) as client:
        growth = Growth(proxy.process.pid)
        expected = client.query(text)
        sent = 0

        def send_all() -> None:
            nonlocal sent
            batch = frame(query(text), 0) * 10
            for _ in range(count // 10):
                client.send_bytes(batch)
                sent += 10

        with in_background(send_all):
            at_rest(lambda: sent)
            # How many of the commands wait in front of the proxy is the kernel's affair.
            assert growth.most < BOUND // 2, growth
            for _ in range(count // 10 * 10):
                assert client.reply() == expected
        note(f"unread replies to pipelined commands of {len(text)} bytes", growth)


def test_an_upload_to_a_frozen_server_waits(shared_cluster: Cluster, proxy: ProxyProcess) -> None:
    primary = shared_cluster.servers[0]
    with logged_in(shared_cluster, proxy) as client, logged_in(shared_cluster, proxy) as other:
        client.send(bytes((c.COM_STMT_PREPARE,)) + b"SELECT LENGTH(?)")
        number = int.from_bytes(client.reply(Reply.PREPARED)[0][1][1:5], "little")
        piece = statement_command(c.COM_STMT_SEND_LONG_DATA, number, b"\0\0" + b"x" * MEBIBYTE)
        other.query("SELECT id FROM many WHERE id = 1")
        growth = Growth(proxy.process.pid)
        sent = 0

        def send_all() -> None:
            nonlocal sent
            for _ in range(200):
                client.send(piece)
                sent += 1

        primary.freeze()
        try:
            with in_background(send_all):
                at_rest(lambda: sent)
                assert sent < 100
                # The replicas answer others.
                for _ in range(100):
                    other.query("SELECT id FROM many WHERE id = 1")
                primary.thaw()
        finally:
            primary.thaw()
        # Longer than max_allowed_packet, which the server says now.
        client.command(execute(number, [(253, b"")]))
        assert client.query("SELECT 'alive'")[-2][1] == b"\5alive"
        assert growth.most < BOUND, growth
        note("200 MiB of long data to a frozen server", growth)


def test_prepared_statements_without_end(shared_cluster: Cluster, fresh_proxy: ProxyProcess) -> None:
    """A session may keep 64 MiB of them; then the client is told as a server would tell it."""
    text = b"SELECT id FROM many WHERE id = ? /* " + b"." * 200_000 + b" */"
    with logged_in(shared_cluster, fresh_proxy) as client:
        growth = Growth(fresh_proxy.process.pid)
        numbers = []
        while (error := first_error(packets := prepare(client, text))) is None:
            numbers.append(int.from_bytes(packets[0][1][1:5], "little"))
            assert len(numbers) < 1000
        assert (error.errno, len(numbers) > 100) == (1461, True)
        assert growth.most < 2 * BOUND + BOUND, growth
        note(f"{len(numbers)} prepared statements of {len(text)} bytes", growth)
        client.send(statement_command(c.COM_STMT_CLOSE, numbers[0]))
        assert first_error(prepare(client, text)) is None
        assert first_error(client.command(execute(numbers[1], [(3, bytes(4))]))) is None


def prepare(client: WireClient, text: bytes) -> list[Packet]:
    return client.command(bytes((c.COM_STMT_PREPARE,)) + text, Reply.PREPARED)


def test_statements_that_are_all_different(shared_cluster: Cluster, fresh_proxy: ProxyProcess) -> None:
    """What is remembered of statements is bounded, however long and many these are."""
    with logged_in(shared_cluster, fresh_proxy) as client:
        growth = Growth(fresh_proxy.process.pid)
        for number in range(1500):
            client.query(f"SELECT id AS n{number} FROM many{' ' * 30_000}LIMIT 0")
        assert growth.most < BOUND, growth
        note("1,500 statements of 30 kB that share nothing", growth)


def test_idle_connections(shared_cluster: Cluster, fresh_proxy: ProxyProcess) -> None:
    count = 300
    with ExitStack() as stack:
        growth = Growth(fresh_proxy.process.pid)
        clients = [stack.enter_context(logged_in(shared_cluster, fresh_proxy)) for _ in range(count)]
        # Most of it is OpenSSL's, where the servers speak TLS.
        assert growth.most < count * 64 * 1024, growth
        note(f"{count} idle connections", growth)
        for client in clients:
            client.query("SELECT id FROM many WHERE id = 1")
        assert growth.most < count * 160 * 1024, growth
        note(f"{count} idle connections after a read", growth)
