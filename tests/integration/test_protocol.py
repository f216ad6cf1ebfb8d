"""The same commands to a server and through the proxy: every packet that the client gets is compared."""

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from proxy.wire import constants as c
from proxy.wire.exchange import Reply
from proxy.wire.framing import frame
from replication.sandbox import Cluster
from tests.support.clients import READS, Connection, Counters, connect, direct, run
from tests.support.proxies import ProxyProcess
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

SCHEMA = "protocol_test"
LONG, VAR_STRING, DOUBLE = 3, 253, 5
READ_ONLY_CURSOR = 1
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module", autouse=True)
def schema(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[None]:
    for server in shared_cluster.servers:
        with direct(shared_cluster, server) as connection:
            run(connection, f"SET GLOBAL max_allowed_packet = {64 * MEBIBYTE}")
    with connect(shared_cluster, shared_proxy) as connection:
        run(connection, f"DROP DATABASE IF EXISTS {SCHEMA}")
        run(connection, f"CREATE DATABASE {SCHEMA}")
        connection.select_db(SCHEMA)
        run(connection, "CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, value VARCHAR(100), big LONGBLOB)")
        run(connection, "INSERT INTO item (value) VALUES ('one'), (NULL), ('three'), ('four'), ('five')")
        run(connection, "CREATE PROCEDURE several() BEGIN SELECT 1 AS a; SELECT id, value FROM item; DO 1; END")
        settle(connection, shared_cluster)
        yield
        run(connection, f"DROP DATABASE {SCHEMA}")


def settle(connection: Connection, cluster: Cluster) -> None:
    """Wait until reads leave the primary."""

    def leaves_the_primary() -> bool:
        counters = Counters(cluster, READS)
        for _ in range(4):
            run(connection, "SELECT COUNT(*) FROM item")
        return all(counters.difference()[server.name] >= 2 for server in cluster.servers[1:])

    wait_until(leaves_the_primary, "reads go to both replicas")


@dataclass
class Conversation:
    """A client, and what it received so far, made comparable."""

    client: WireClient
    received: list[object] = field(default_factory=list)

    def command(self, payload: bytes, reply: Reply = Reply.RESULT) -> list[Packet]:
        packets = self.client.command(payload, reply)
        self.received.append([(sequence, normalised(payload)) for sequence, payload in packets])
        return packets

    def prepare(self, sql: str) -> int:
        """Prepare `sql`; its number, which is left out of the comparison. 0 if that failed."""
        packets = self.client.command(bytes((c.COM_STMT_PREPARE,)) + sql.encode(), Reply.PREPARED)
        first = packets[0][1]
        self.received.append([first[:1] + first[5:], *packets[1:]])
        return 0 if first_error(packets) else int.from_bytes(first[1:5], "little")


def normalised(payload: bytes) -> bytes:
    """A packet without what differs from connection to connection."""
    if payload.startswith(b"Uptime:"):
        return re.sub(rb"[0-9.]+", b"#", payload)
    if payload[:1] == bytes((c.ERR_HEADER,)):
        return re.sub(rb"(handler|statement) \([0-9]+\).*", rb"\1", payload)
    return payload


Script = Callable[[Conversation], None]


def pings(talk: Conversation) -> None:
    talk.command(bytes((c.COM_PING,)))
    talk.command(bytes((c.COM_STATISTICS,)), Reply.SINGLE)
    talk.command(bytes((c.COM_PING,)))


def default_schemas(talk: Conversation) -> None:
    talk.command(bytes((c.COM_INIT_DB,)) + b"no_such_schema")
    # The OK to a COM_INIT_DB repeats the warning count of what this connection ran before.
    talk.command(query("DO 1"))
    talk.command(bytes((c.COM_INIT_DB,)) + b"information_schema")
    talk.command(query("SELECT DATABASE()"))
    talk.command(bytes((c.COM_INIT_DB,)) + SCHEMA.encode())
    talk.command(query("SELECT DATABASE()"))
    talk.command(query("USE no_such_schema"))
    talk.command(query("SELECT DATABASE()"))


def field_lists(talk: Conversation) -> None:
    talk.command(bytes((c.COM_FIELD_LIST,)) + b"item\0%", Reply.ROWS)
    talk.command(bytes((c.COM_FIELD_LIST,)) + b"no_such_table\0%", Reply.ROWS)
    talk.command(bytes((c.COM_PING,)))


def unknown_commands(talk: Conversation) -> None:
    for code in (0x00, 0x05, 0x0B, 0x0F, 0x10, 0x14, 0x7F, 0xEE):
        talk.command(bytes((code,)) + b"rest")
    talk.command(query("SELECT 1"))


def options(talk: Conversation) -> None:
    talk.command(bytes((c.COM_SET_OPTION,)) + b"\1\0")
    talk.command(query("SELECT 1; SELECT 2"))
    talk.command(bytes((c.COM_SET_OPTION,)) + b"\0\0")
    talk.command(query("SELECT 1; SELECT 2"))
    talk.command(bytes((c.COM_SET_OPTION,)) + b"\7\0")
    talk.command(query("SELECT 3"))


def resets(talk: Conversation) -> None:
    number = talk.prepare("SELECT id FROM item WHERE id = ?")
    talk.command(query("SET @a = 5, SESSION sql_select_limit = 1"))
    talk.command(query("BEGIN"))
    talk.command(query("SELECT id, @a FROM item"))
    talk.command(bytes((c.COM_RESET_CONNECTION,)))
    talk.command(query("SELECT id, @a FROM item"))
    talk.command(query("SELECT id, @a FROM item"))
    talk.command(query("SELECT DATABASE()"))
    talk.command(execute(number, [(LONG, (1).to_bytes(4, "little"))]))
    talk.command(query("DO 1"))
    talk.command(bytes((c.COM_PING,)))


def prepared_statements(talk: Conversation) -> None:
    number = talk.prepare("SELECT id, value, ? AS a, ? AS b, ? AS c FROM item WHERE id < ? ORDER BY id")
    values = [
        (LONG, (-7).to_bytes(4, "little", signed=True)),
        (VAR_STRING, b"\3abc"),
        (VAR_STRING, None),
        (LONG, (4).to_bytes(4, "little")),
    ]
    for types in (True, False, False, False):
        talk.command(execute(number, values, types=types))
    talk.command(statement_command(c.COM_STMT_RESET, number))
    talk.command(execute(number, [(DOUBLE, bytes(8)), (LONG, bytes(4)), (VAR_STRING, b"\0"), (VAR_STRING, b"\0013")]))
    talk.client.send(statement_command(c.COM_STMT_CLOSE, number))
    talk.command(execute(number, values))
    other = talk.prepare("SELECT 1")
    talk.command(execute(other))
    talk.command(execute(other))
    talk.prepare("SELECT FROM")
    talk.prepare("SELECT * FROM no_such_table WHERE id = ?")
    talk.prepare("INSERT INTO item VALUES ()")
    talk.command(bytes((c.COM_PING,)))


def unknown_statements(talk: Conversation) -> None:
    talk.command(execute(77))
    talk.command(statement_command(c.COM_STMT_RESET, 77))
    talk.command(statement_command(c.COM_STMT_FETCH, 77, (5).to_bytes(4, "little")), Reply.ROWS)
    talk.client.send(statement_command(c.COM_STMT_CLOSE, 77))
    talk.client.send(statement_command(c.COM_STMT_SEND_LONG_DATA, 77, b"\0\0data"))
    talk.command(query("SELECT 1"))


def cursors(talk: Conversation) -> None:
    number = talk.prepare("SELECT id, value FROM item WHERE id > ? ORDER BY id")
    for _ in range(3):
        talk.command(execute(number, [(LONG, bytes(4))], cursor=READ_ONLY_CURSOR))
        talk.command(statement_command(c.COM_STMT_FETCH, number, (2).to_bytes(4, "little")), Reply.ROWS)
        talk.command(query("SELECT 'between'"))
        talk.command(statement_command(c.COM_STMT_FETCH, number, (2).to_bytes(4, "little")), Reply.ROWS)
        talk.command(statement_command(c.COM_STMT_FETCH, number, (9).to_bytes(4, "little")), Reply.ROWS)
        talk.command(statement_command(c.COM_STMT_FETCH, number, (9).to_bytes(4, "little")), Reply.ROWS)
    talk.command(execute(number, [(LONG, bytes(4))], cursor=READ_ONLY_CURSOR))
    talk.command(statement_command(c.COM_STMT_RESET, number))
    talk.command(statement_command(c.COM_STMT_FETCH, number, (1).to_bytes(4, "little")), Reply.ROWS)


def long_data(talk: Conversation) -> None:
    number = talk.prepare("SELECT LENGTH(?), CRC32(?)")
    for _ in range(2):
        for piece in (b"x" * 1000, b"y" * 70000):
            talk.client.send(statement_command(c.COM_STMT_SEND_LONG_DATA, number, b"\0\0" + piece))
        talk.command(execute(number, [(VAR_STRING, b""), (VAR_STRING, b"\3abc")]))
    talk.client.send(statement_command(c.COM_STMT_SEND_LONG_DATA, number, b"\0\0" + b"forgotten"))
    talk.command(statement_command(c.COM_STMT_RESET, number))
    talk.command(execute(number, [(VAR_STRING, b"\2ab"), (VAR_STRING, b"\3abc")]))


def several_results(talk: Conversation) -> None:
    talk.command(query("SELECT 1; SELECT id FROM item ORDER BY id; DO 1; SELECT 2"))
    talk.command(query("SELECT 1; SELECT * FROM no_such_table; SELECT 2"))
    talk.command(query("CALL several()"))
    number = talk.prepare("CALL several()")
    talk.command(execute(number))
    talk.command(query("CALL no_such_procedure()"))
    talk.command(query("SELECT 'end'"))


def errors(talk: Conversation) -> None:
    for sql in (
        "SELECT * FROM no_such_table",
        "SELEC 1",
        "",
        "-- nothing",
        "INSERT INTO item (id) VALUES (1)",
        "SELECT no_such_column FROM item",
        "SELECT no_such_function(1)",
        "SELECT 1/0, CAST('x' AS SIGNED)",
        "SHOW WARNINGS",
        "SELECT (SELECT id FROM item)",
        "SELECT @@no_such_variable",
        "KILL 99999999",
    ):
        talk.command(query(sql))
    talk.command(b"\x03SELECT '\xff\xfe', 0x00, '\0'")


def transactions(talk: Conversation) -> None:
    for sql in (
        "START TRANSACTION",
        "INSERT INTO item (id, value) VALUES (1000, 'x')",
        "SELECT id FROM item WHERE id = 1000",
        "ROLLBACK",
        "SELECT id FROM item WHERE id = 1000",
        "SET autocommit = 0",
        "SELECT id FROM item WHERE id = 2",
        "COMMIT",
        "SET autocommit = 1",
        "START TRANSACTION READ ONLY",
        "SELECT id FROM item WHERE id = 2",
        "DELETE FROM item",
        "COMMIT",
    ):
        talk.command(query(sql))


SCRIPTS: tuple[Script, ...] = (
    pings,
    default_schemas,
    field_lists,
    unknown_commands,
    options,
    resets,
    prepared_statements,
    unknown_statements,
    cursors,
    long_data,
    several_results,
    errors,
    transactions,
)


def login(cluster: Cluster, capabilities: int = CAPABILITIES, database: str = SCHEMA) -> Login:
    primary = cluster.servers[0]
    return Login(primary.user, primary.password, database, capabilities)


@pytest.mark.parametrize("deprecate_eof", [False, True], ids=["eof", "deprecate-eof"])
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: str(script.__name__))
def test_a_conversation_is_the_same_as_without_the_proxy(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, script: Script, deprecate_eof: bool
) -> None:
    primary = shared_cluster.servers[0]
    how = login(shared_cluster, CAPABILITIES | (c.CLIENT_DEPRECATE_EOF if deprecate_eof else 0))
    transcripts = []
    for host, port in ((primary.host, primary.port), (shared_proxy.host, shared_proxy.port)):
        with WireClient(host, port) as client:
            talk = Conversation(client.log_in(how))
            script(talk)
            transcripts.append(talk.received)
    wanted, got = transcripts
    assert len(wanted) > 2
    assert got == wanted


def test_a_cursor_reads_on_the_replicas(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    with WireClient(shared_proxy.host, shared_proxy.port) as client:
        talk = Conversation(client.log_in(login(shared_cluster)))
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
            talk = Conversation(client.log_in(login(shared_cluster)))
            number = talk.prepare("SELECT LENGTH(?), CRC32(?)")
            value = b"\xfd" + (5).to_bytes(3, "little") + b"small"
            empty = len(execute(number, [(VAR_STRING, b""), (VAR_STRING, value)])) + 9
            large = b"\xfe" + (size - empty).to_bytes(8, "little") + b"z" * (size - empty)
            talk.command(execute(number, [(VAR_STRING, large), (VAR_STRING, value)]))
            talk.command(execute(number, [(VAR_STRING, value), (VAR_STRING, value)], types=False))
            client.send(statement_command(c.COM_STMT_SEND_LONG_DATA, number, b"\0\0" + b"z" * size))
            talk.command(execute(number, [(VAR_STRING, b""), (VAR_STRING, value)]))
            talk.command(query("SELECT 'alive'"))
            answers.append(talk.received)
    assert answers[0] == answers[1]


def test_a_command_above_max_allowed_packet(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    """The server closes in the middle of it, and so does the proxy; nobody else is affected."""
    with connect(shared_cluster, shared_proxy) as other:
        with WireClient(shared_proxy.host, shared_proxy.port) as client:
            client.log_in(login(shared_cluster))
            with contextlib.suppress(ConnectionError):
                client.send(query(b"SELECT LENGTH('" + b"x" * (80 * MEBIBYTE) + b"')"))
            assert client.is_closed()
        assert run(other, "SELECT 1") == ((1,),)
        run(other, "DO 1")


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
        number = Conversation(client).prepare("SELECT id FROM item WHERE id = ?")
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
