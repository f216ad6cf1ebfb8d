"""LOAD DATA LOCAL INFILE: the server asks the client for a file, and all packets are as without the proxy."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from proxy.wire import constants as c
from proxy.wire.exchange import Reply
from proxy.wire.framing import frame
from replication.sandbox import Cluster
from tests.support.clients import connect, direct, run
from tests.support.clusters import replicating_cluster
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until
from tests.support.wireclient import CAPABILITIES, Login, Packet, WireClient, execute, first_error, query

SCHEMA = "infile_test"
LOAD = "LOAD DATA LOCAL INFILE '/no/such/file' REPLACE INTO TABLE loaded FIELDS TERMINATED BY ','"
ROWS = b"1,one\n2,two\n3,three\n"


@pytest.fixture(scope="module", autouse=True)
def schema(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[None]:
    with connect(shared_cluster, shared_proxy) as connection:
        run(connection, f"CREATE DATABASE {SCHEMA}")
        run(connection, f"CREATE TABLE {SCHEMA}.loaded (id INT PRIMARY KEY, value LONGTEXT)")
        with direct(shared_cluster, shared_cluster.servers[0]) as primary:
            ((before, packet),) = run(primary, "SELECT @@global.local_infile, @@global.max_allowed_packet")
            run(primary, f"SET GLOBAL local_infile = 1, GLOBAL max_allowed_packet = {64 << 20}")
            yield
            run(primary, f"SET GLOBAL local_infile = {before}, GLOBAL max_allowed_packet = {packet}")
        run(connection, f"DROP DATABASE {SCHEMA}")


def login(cluster: Cluster, flags: int = c.CLIENT_LOCAL_FILES) -> Login:
    primary = cluster.servers[0]
    return Login(primary.user, primary.password, SCHEMA, CAPABILITIES | flags)


@dataclass
class Talk:
    """A client, and what it received."""

    client: WireClient
    received: list[list[Packet]] = field(default_factory=list)

    def query(self, sql: str) -> None:
        self.received.append(self.client.query(sql))

    def file(self, *pieces: bytes, pace: int = 0) -> None:
        self.received.append(self.client.send_file(pieces, pace))


Script = Callable[[Talk], None]


def loaded(talk: Talk) -> None:
    talk.query(LOAD)
    talk.file(ROWS)
    talk.query("SELECT * FROM loaded ORDER BY id")


def in_pieces(talk: Talk) -> None:
    talk.query(LOAD)
    talk.file(*(ROWS[at : at + 3] for at in range(0, len(ROWS), 3)))
    talk.query(LOAD)
    talk.file(ROWS, ROWS, pace=1)
    talk.query("SELECT * FROM loaded ORDER BY id")


def refused_by_the_client(talk: Talk) -> None:
    talk.query(LOAD)
    talk.file()
    talk.query("SELECT 'alive'")


def refused_by_the_server(talk: Talk) -> None:
    talk.query(LOAD.replace("loaded", "no_such_table"))
    talk.query(LOAD.replace("REPLACE INTO", "INTO NO"))
    talk.query("SELECT 'alive'")


def failing_in_the_middle(talk: Talk) -> None:
    talk.query("SET SESSION sql_mode = 'STRICT_ALL_TABLES'")
    talk.query(LOAD)
    talk.file(b"1,one\nnonsense,two\n", *[ROWS] * 200)
    talk.query("SELECT 'alive'")


def among_other_statements(talk: Talk) -> None:
    talk.query(f"SELECT 1; {LOAD}; DO 1; {LOAD}; SELECT COUNT(*) FROM loaded")
    talk.file(ROWS)
    talk.file(b"4,four\n")
    talk.query(f"{LOAD}; SELECT * FROM no_such_table; SELECT 2")
    talk.file(ROWS)
    talk.query("SELECT 'alive'")


def in_a_transaction(talk: Talk) -> None:
    talk.query("BEGIN")
    talk.query(LOAD)
    talk.file(ROWS)
    talk.query("SELECT COUNT(*) FROM loaded")
    talk.query("ROLLBACK")
    talk.query("SELECT COUNT(*) FROM loaded")


def prepared(talk: Talk) -> None:
    packets = talk.client.command(bytes((c.COM_STMT_PREPARE,)) + LOAD.encode(), Reply.PREPARED)
    if (error := first_error(packets)) is not None:
        talk.received.append(packets)
        assert error.errno == 1295
        return
    talk.received.append(talk.client.command(execute(int.from_bytes(packets[0][1][1:5], "little"))))
    if talk.client.file_wanted:
        talk.file(ROWS)
    talk.query("SELECT * FROM loaded ORDER BY id")


def large_packets(talk: Talk) -> None:
    for size in (c.MAX_PAYLOAD - 1, c.MAX_PAYLOAD, c.MAX_PAYLOAD + 1):
        talk.query(LOAD)
        talk.file(b"1," + b"x" * (size - 3) + b"\n", b"2,two\n")
        talk.query("SELECT id, LENGTH(value), CRC32(value) FROM loaded ORDER BY id")


SCRIPTS: tuple[Script, ...] = (
    loaded,
    in_pieces,
    refused_by_the_client,
    refused_by_the_server,
    failing_in_the_middle,
    among_other_statements,
    in_a_transaction,
    prepared,
    large_packets,
)


@pytest.mark.parametrize("deprecate_eof", [False, True], ids=["eof", "deprecate-eof"])
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: str(script.__name__))
def test_a_file_is_sent_as_without_the_proxy(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, script: Script, deprecate_eof: bool
) -> None:
    primary = shared_cluster.servers[0]
    flags = c.CLIENT_LOCAL_FILES | (c.CLIENT_DEPRECATE_EOF if deprecate_eof else 0)
    transcripts = []
    for host, port in ((primary.host, primary.port), (shared_proxy.host, shared_proxy.port)):
        with WireClient(host, port) as client:
            talk = Talk(client.log_in(login(shared_cluster, flags)))
            talk.query("TRUNCATE TABLE loaded")
            script(talk)
            transcripts.append(talk.received)
    assert transcripts[0] == transcripts[1]


@pytest.mark.parametrize("flags", [0, c.CLIENT_LOCAL_FILES], ids=["by the client", "by the server"])
def test_files_can_be_switched_off(shared_cluster: Cluster, shared_proxy: ProxyProcess, flags: int) -> None:
    primary = shared_cluster.servers[0]
    answers = []
    with direct(shared_cluster, primary) as connection:
        run(connection, f"SET GLOBAL local_infile = {int(not flags)}")
        try:
            for host, port in ((primary.host, primary.port), (shared_proxy.host, shared_proxy.port)):
                with WireClient(host, port) as client:
                    client.log_in(login(shared_cluster, flags))
                    answers.append((client.query(LOAD), client.query("SELECT 'alive'")))
        finally:
            run(connection, "SET GLOBAL local_infile = 1")
    assert answers[0] == answers[1]
    error = first_error(answers[0][0])
    assert error is not None
    assert error.errno in (4166, 3948)


def test_a_load_can_be_killed(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    """The server goes on reading until the end of the file, and then says that it was interrupted."""
    with (
        WireClient(shared_proxy.host, shared_proxy.port) as client,
        WireClient(shared_proxy.host, shared_proxy.port) as other,
    ):
        client.log_in(login(shared_cluster))
        other.log_in(login(shared_cluster))
        client.query(LOAD)
        client.send_bytes(frame(ROWS, 2))
        other.query(f"KILL QUERY {client.connection_id}")
        client.send_bytes(frame(ROWS, 3) + frame(b"", 4))
        packet = client.packet()
        assert packet[0] == 5
        assert (error := first_error([packet])) is not None
        assert error.errno == c.ER_QUERY_INTERRUPTED
        assert first_error(client.query("SELECT 'alive'")) is None


def test_what_comes_behind_the_file_is_the_next_command(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    with WireClient(shared_proxy.host, shared_proxy.port) as client:
        client.log_in(login(shared_cluster))
        client.query(LOAD)
        client.send_bytes(frame(ROWS, 2) + frame(b"", 3) + frame(query("SELECT 'next'"), 0))
        assert client.packet()[0] == 4
        assert [payload for _, payload in client.reply()][-2] == b"\x04next"


def test_a_client_that_leaves_in_the_middle_loads_nothing(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    with connect(shared_cluster, shared_proxy, database=SCHEMA) as connection:
        run(connection, "DELETE FROM loaded")
        with WireClient(shared_proxy.host, shared_proxy.port) as client:
            client.log_in(login(shared_cluster))
            client.query(LOAD)
            client.send_bytes(frame(ROWS, 2) + b"\x10\0\0\3half")
        with direct(shared_cluster, shared_cluster.servers[0]) as primary:
            wait_until(
                lambda: not run(primary, "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE 'LOAD DATA%'"),
                "the server gives the load up",
            )
        assert run(connection, "SELECT COUNT(*) FROM loaded") == ((0,),)


def test_a_server_that_dies_in_the_middle(shared_cluster: Cluster) -> None:
    """The client's connection closes, as it would without the proxy."""
    with replicating_cluster(shared_cluster.flavor, readers=1) as cluster, running_proxy(cluster) as proxy:
        primary = cluster.servers[0]
        with connect(cluster, proxy) as connection:
            run(connection, f"CREATE DATABASE {SCHEMA}")
            run(connection, f"CREATE TABLE {SCHEMA}.loaded (id INT PRIMARY KEY, value LONGTEXT)")
            run(connection, "SET GLOBAL local_infile = 1")
        with WireClient(proxy.host, proxy.port) as client:
            client.log_in(login(cluster))
            client.query(LOAD)
            client.send_bytes(frame(ROWS, 2))
            primary.kill()
            with contextlib.suppress(ConnectionError):
                client.send_bytes(frame(ROWS, 3))
            assert client.is_closed()
        assert "Traceback" not in proxy.log
