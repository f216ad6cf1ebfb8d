"""The compressed protocol between the proxy and the servers, with zlib and zstd, in TLS and without."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mysql.connector
import pymysql
import pytest

from proxy.wire import constants as c
from proxy.wire.exchange import Reply
from proxy.wire.framing import frame
from replication.sandbox import Cluster, Flavor, LocalServer
from tests.integration.conftest import SecureCluster
from tests.support.clients import Connection, connect, direct, run
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import settled
from tests.support.wireclient import (
    CAPABILITIES,
    Login,
    WireClient,
    digest,
    execute,
    first_error,
    query,
    statement_command,
)

SCHEMA = "server_compression_test"
MEBIBYTE = 1024 * 1024
BLOB = 252
NON_BLOCK = 1
WANTS_ACKNOWLEDGEMENT = b"\0\xef\1"
ROWS = 300_000
WAYS = [("zlib", "off"), ("zlib", "required"), ("zstd", "off"), ("zstd", "required")]


@dataclass(frozen=True)
class Compressing:
    """A proxy that compresses to its servers."""

    cluster: Cluster
    proxy: ProxyProcess
    algorithm: str
    tls: bool


@pytest.fixture(scope="module", autouse=True)
def schema(secure_cluster: SecureCluster) -> Iterator[None]:
    cluster = secure_cluster.cluster
    for server in cluster.servers:
        with direct(cluster, server) as connection:
            run(connection, f"SET GLOBAL max_allowed_packet = {64 * MEBIBYTE}")
            run(connection, "SET GLOBAL local_infile = 1")
    with direct(cluster, cluster.servers[0]) as connection:
        run(connection, f"DROP DATABASE IF EXISTS {SCHEMA}")
        run(connection, f"CREATE DATABASE {SCHEMA}")
        run(connection, f"CREATE TABLE {SCHEMA}.item (id INT PRIMARY KEY, text VARCHAR(100))")
        run(connection, f"CREATE TABLE {SCHEMA}.number (id INT PRIMARY KEY)")
        run(connection, f"INSERT INTO {SCHEMA}.number VALUES {', '.join(f'({number})' for number in range(550))}")
        yield
        run(connection, f"DROP DATABASE {SCHEMA}")


@pytest.fixture(scope="module", params=WAYS, ids="-".join)
def compressing(secure_cluster: SecureCluster, request: pytest.FixtureRequest) -> Iterator[Compressing]:
    algorithm, tls = request.param
    if algorithm == "zstd" and secure_cluster.cluster.flavor is Flavor.MARIADB:
        pytest.skip("MariaDB's servers know zlib only")
    arguments = ("--server-compression", algorithm, "--server-tls", tls)
    with running_proxy(secure_cluster.cluster, *arguments) as proxy:
        yield Compressing(secure_cluster.cluster, proxy, algorithm, tls == "required")
        assert "not compressed" not in proxy.log


def opened(setup: Compressing) -> Connection:
    return connect(setup.cluster, setup.proxy, database=SCHEMA, local_infile=True, max_allowed_packet=64 * MEBIBYTE)


def logged_in(setup: Compressing, where: ProxyProcess | LocalServer, receive_buffer: int = 0) -> WireClient:
    primary = setup.cluster.servers[0]
    login = Login(primary.user, primary.password, SCHEMA, CAPABILITIES | c.CLIENT_LOCAL_FILES)
    return WireClient(where.host, where.port, receive_buffer=receive_buffer).log_in(login)


def status(connection: Connection, name: str) -> str:
    ((_, value),) = run(connection, f"SHOW SESSION STATUS LIKE '{name}'")
    return str(value)


def test_the_servers_say_so(compressing: Compressing) -> None:
    with opened(compressing) as connection:
        for transaction in ("DO 1", "START TRANSACTION"):
            run(connection, transaction)
            assert status(connection, "Compression") == "ON"
            assert bool(status(connection, "Ssl_cipher")) is compressing.tls
            if compressing.cluster.flavor is Flavor.MYSQL:
                assert status(connection, "Compression_algorithm") == compressing.algorithm
                assert status(connection, "Compression_level") == ("3" if compressing.algorithm == "zstd" else "6")


def test_reads_and_writes(compressing: Compressing) -> None:
    with opened(compressing) as connection:
        run(connection, "DELETE FROM item")
        for number in range(20):
            run(connection, f"INSERT INTO item VALUES ({number}, REPEAT('{number % 10}', {number}))")
        run(connection, "START TRANSACTION")
        assert run(connection, "SELECT COUNT(*), SUM(LENGTH(text)) FROM item") == ((20, 190),)
        run(connection, "ROLLBACK")
        with pytest.raises(pymysql.err.IntegrityError, match="Duplicate"):
            run(connection, "INSERT INTO item VALUES (1, 'again')")
        assert run(connection, "SELECT id FROM number WHERE id = 7") == ((7,),)


def test_prepared_statements(compressing: Compressing) -> None:
    primary = compressing.cluster.servers[0]
    with mysql.connector.connect(
        host=compressing.proxy.host, port=compressing.proxy.port, user=primary.user, password=primary.password,
        database=SCHEMA, use_pure=True,
    ) as connection:  # fmt: skip
        cursor = connection.cursor(prepared=True)
        for size in (1, 20_000, 3 * MEBIBYTE):
            cursor.execute("SELECT id, REPEAT('x', ?) FROM number WHERE id = ?", (size, 3))
            assert cursor.fetchall() == [(3, "x" * size)]
            cursor.execute("SELECT LENGTH(?)", ("y" * size,))
            assert cursor.fetchall() == [(size,)]


def test_results_and_statements_of_20_mebibytes(compressing: Compressing) -> None:
    with opened(compressing) as connection:
        run(connection, "START TRANSACTION")
        ((text,),) = run(connection, f"SELECT REPEAT('abcdefgh', {20 * MEBIBYTE // 8})")
        assert text == "abcdefgh" * (20 * MEBIBYTE // 8)
        rows = run(connection, "SELECT a.id, SHA2(CONCAT(a.id, '-', b.id), 512) FROM number a, number b")
        assert (len(rows), sum(len(row[1]) for row in rows)) == (550 * 550, 550 * 550 * 128)
        assert run(connection, f"SELECT LENGTH('{'x' * 20 * MEBIBYTE}')") == ((20 * MEBIBYTE,),)
        assert run(connection, "SELECT 'after'") == (("after",),)


def test_a_local_file(compressing: Compressing, tmp_path: Path) -> None:
    """20 MB in more packets than packets have numbers."""
    file = tmp_path / "rows.txt"
    file.write_text(
        "".join(f"{number}\tsome text {number * 7919 % 100_003} and more, and more\n" for number in range(ROWS))
    )
    with opened(compressing) as connection:
        run(connection, "TRUNCATE TABLE item")
        run(connection, f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE item")
        run(connection, "START TRANSACTION")
        total = file.stat().st_size - sum(len(str(number)) + 2 for number in range(ROWS))
        assert run(connection, "SELECT COUNT(*), SUM(LENGTH(text)) FROM item") == ((ROWS, total),)


def conversation(client: WireClient) -> list[object]:
    """Replies of many kinds, with the numbers of their packets."""
    client.query("TRUNCATE TABLE item")
    heard = [
        client.query("SELECT 1; DO 1; SELECT 2; SELEC"),
        client.query("SELECT id FROM number"),
        client.query(f"SELECT LENGTH('{'x' * 17 * MEBIBYTE}'); SELECT 2"),
        client.query(f"SELECT REPEAT('x', {17 * MEBIBYTE}); SELECT 'end'"),
    ]
    prepared = client.command(bytes((c.COM_STMT_PREPARE,)) + b"SELECT LENGTH(?)", Reply.PREPARED)
    number = int.from_bytes(prepared[0][1][1:5], "little")
    # Commands without replies, larger than a frame, and the next one in the same breath.
    long_data = frame(statement_command(c.COM_STMT_SEND_LONG_DATA, number, b"\0\0" + b"z" * 3 * MEBIBYTE), 0)
    client.send_bytes(long_data * 2 + frame(execute(number, [(BLOB, b"")]), 0))
    heard.append(client.reply())
    client.send(statement_command(c.COM_STMT_CLOSE, number))
    heard.append(client.query("LOAD DATA LOCAL INFILE 'any' REPLACE INTO TABLE item"))
    heard.append(client.send_file(b"%d\tof a file\n" % number for number in range(600)))
    # A payload that ends with an empty packet, and more packets behind it.
    client.query("SET SESSION sql_mode = ''")
    heard.append(client.query("LOAD DATA LOCAL INFILE 'any' REPLACE INTO TABLE item"))
    heard.append(client.send_file([b"1\t" + b"x" * (c.MAX_PAYLOAD - 3) + b"\n", b"2\ttwo\n"]))
    heard.append(client.query("SELECT id, LENGTH(text) FROM item WHERE id < 3"))
    return [*map(digest, heard)]


def test_a_conversation_is_the_same_as_without_the_proxy(compressing: Compressing) -> None:
    """Servers that compress number the packets of a reply in another way, which clients without it would notice."""
    primary = compressing.cluster.servers[0]
    heard = []
    for where in (primary, compressing.proxy):
        with logged_in(compressing, where) as client:
            heard.append(conversation(client))
    assert heard[0] == heard[1]


def test_a_dump_is_the_same_as_without_the_proxy(compressing: Compressing) -> None:
    with direct(compressing.cluster, compressing.cluster.servers[0], database=SCHEMA) as connection:
        for number in range(20):
            run(connection, f"REPLACE INTO item VALUES ({number}, REPEAT('x', 100))")
        of = "MASTER" if compressing.cluster.flavor is Flavor.MARIADB else "BINARY LOG"
        (file, *_), *_ = run(connection, f"SHOW {of} STATUS")
    heard = []
    for where in (compressing.cluster.servers[0], compressing.proxy):
        with logged_in(compressing, where) as client:
            client.query("SET @master_binlog_checksum = 'NONE', @source_binlog_checksum = 'NONE'")
            client.query("SET @mariadb_slave_capability = 4")
            head = (4).to_bytes(4, "little") + NON_BLOCK.to_bytes(2, "little") + (777).to_bytes(4, "little")
            events = client.command(bytes((c.COM_BINLOG_DUMP,)) + head + file.encode(), Reply.ROWS)
            heard.append([(number, len(payload)) for number, payload in events])
    assert len(heard[0]) > 40
    assert heard[0] == heard[1]


@contextmanager
def semi_synchronous(setup: Compressing) -> Iterator[None]:
    """The primary waits for acknowledgements, where a replica offers them."""
    mysql = setup.cluster.flavor is Flavor.MYSQL
    name = "rpl_semi_sync_" + ("source" if mysql else "master")
    with direct(setup.cluster, setup.cluster.servers[0]) as connection:
        # MySQL's plugin stays: it would count as busy, and not come back, as long as a dump goes on.
        if mysql and not run(connection, f"SHOW VARIABLES LIKE '{name}_enabled'"):
            run(connection, f"INSTALL PLUGIN {name} SONAME 'semisync_source.so'")
        run(connection, f"SET GLOBAL {name}_timeout = 60000, GLOBAL {name}_enabled = 1")
        try:
            yield
        finally:
            run(connection, f"SET GLOBAL {name}_enabled = 0")


def events_acknowledged(setup: Compressing, where: ProxyProcess | LocalServer, at: tuple[str, int]) -> list[int]:
    """Numbers of the events of five transactions, each of which waits for an acknowledgement."""
    head = at[1].to_bytes(4, "little") + bytes(2) + (778).to_bytes(4, "little")
    with logged_in(setup, where) as client, ThreadPoolExecutor(1) as pool:
        client.query("SET @master_binlog_checksum = 'NONE', @source_binlog_checksum = 'NONE'")
        client.query("SET @mariadb_slave_capability = 4, @rpl_semi_sync_slave = 1, @rpl_semi_sync_replica = 1")
        client.send(bytes((c.COM_BINLOG_DUMP,)) + head + at[0].encode())
        numbers = [client.packet()[0]]
        writing = pool.submit(write_five, setup)
        for _ in range(5):
            payload = b""
            while not payload.startswith(WANTS_ACKNOWLEDGEMENT):
                number, payload = client.packet()
                numbers.append(number)
            # The position behind the event stands in its header, in 4 bytes.
            client.send_bytes(frame(b"\xef" + payload[16:20] + bytes(4) + at[0].encode(), 0))
        writing.result()
    return numbers


def write_five(setup: Compressing) -> None:
    with direct(setup.cluster, setup.cluster.servers[0], database=SCHEMA) as connection:
        for number in range(5):
            run(connection, f"REPLACE INTO item VALUES ({number}, UUID())")


def test_a_semi_synchronous_replica_gets_and_acknowledges_events(compressing: Compressing) -> None:
    """Servers begin to count anew behind an event that is to be acknowledged, and so do replicas."""
    write_five(compressing)
    with semi_synchronous(compressing):
        heard = []
        for where in (compressing.cluster.servers[0], compressing.proxy):
            with direct(compressing.cluster, compressing.cluster.servers[0]) as connection:
                of = "MASTER" if compressing.cluster.flavor is Flavor.MARIADB else "BINARY LOG"
                (file, at, *_), *_ = run(connection, f"SHOW {of} STATUS")
            heard.append(events_acknowledged(compressing, where, (file, at)))
    assert heard[0].count(1) == 5
    assert heard[0] == heard[1]


def test_a_statement_that_is_too_large_is_refused_by_the_server(compressing: Compressing) -> None:
    with logged_in(compressing, compressing.proxy) as client:
        client.send(query(f"SELECT LENGTH('{'x' * 66 * MEBIBYTE}')"))
        error = first_error(client.reply())
        assert error is not None
        assert error.errno == c.ER_NET_PACKET_TOO_LARGE


def test_a_client_that_does_not_read_costs_little_memory(compressing: Compressing) -> None:
    sql = "SELECT SHA2(CONCAT(a.id, '-', b.id), 512) FROM number a, number b"
    with logged_in(compressing, compressing.proxy, 65536) as client:
        client.query("START TRANSACTION")
        before = compressing.proxy.resident
        client.send(query(sql))
        most = settled(lambda: compressing.proxy.resident)
        received = sum(len(payload) for _, payload in client.reply())
    assert received > 300_000 * 128
    assert most - before < 16 * MEBIBYTE


def test_a_server_that_does_not_offer_it_is_spoken_to_without(secure_cluster: SecureCluster) -> None:
    cluster = secure_cluster.cluster
    with direct(cluster, cluster.servers[0]) as primary:
        if cluster.flavor is Flavor.MYSQL:
            run(primary, "SET GLOBAL protocol_compression_algorithms = 'zlib,uncompressed'")
        try:
            with running_proxy(cluster, "--server-compression", "zstd") as proxy:
                for _ in range(3):
                    with connect(cluster, proxy) as connection:
                        run(connection, "START TRANSACTION")
                        assert status(connection, "Compression") == "OFF"
                assert len(re.findall(r"dbwrite \S+ offers no zstd", proxy.log)) == 1
        finally:
            if cluster.flavor is Flavor.MYSQL:
                run(primary, "SET GLOBAL protocol_compression_algorithms = DEFAULT")


def test_it_is_off_unless_asked_for(secure_cluster: SecureCluster) -> None:
    with running_proxy(secure_cluster.cluster) as proxy, connect(secure_cluster.cluster, proxy) as connection:
        assert status(connection, "Compression") == "OFF"
