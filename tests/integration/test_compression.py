"""The compressed protocol between clients and the proxy, with zlib and zstd, with TLS and without."""

import os
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import mysql.connector
import pytest

from proxy.wire import constants as c
from proxy.wire.compression import FRAME_HEADER, Algorithm, FrameWriter
from proxy.wire.framing import frame
from replication.sandbox import Cluster
from replication.sandbox.programs import servers_directory
from tests.support.clients import connect, direct, run
from tests.support.compressedclient import FLAGS, CompressedSocket, compress
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import settled
from tests.support.wireclient import CAPABILITIES, Login, WireClient, query

MYSQL = str(servers_directory(os.environ) / "mysql/bin/mysql")
SCHEMA = "compression_test"
MEBIBYTE = 1024 * 1024
ROWS = 200_000


@pytest.fixture(scope="module", autouse=True)
def schema(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[None]:
    for server in shared_cluster.servers:
        with direct(shared_cluster, server) as connection:
            run(connection, f"SET GLOBAL max_allowed_packet = {64 * MEBIBYTE}")
            run(connection, "SET GLOBAL local_infile = 1")
    with connect(shared_cluster, shared_proxy) as connection:
        run(connection, f"DROP DATABASE IF EXISTS {SCHEMA}")
        run(connection, f"CREATE DATABASE {SCHEMA}")
        run(connection, f"CREATE TABLE {SCHEMA}.item (id INT PRIMARY KEY, text VARCHAR(100))")
        run(connection, f"CREATE TABLE {SCHEMA}.number (id INT PRIMARY KEY)")
        run(connection, f"INSERT INTO {SCHEMA}.number VALUES {', '.join(f'({number})' for number in range(550))}")
        yield
        run(connection, f"DROP DATABASE {SCHEMA}")


def compressed(cluster: Cluster, host: str, port: int, algorithm: Algorithm, receive_buffer: int = 0) -> WireClient:
    """A client that is logged in and compresses from now on."""
    primary = cluster.servers[0]
    client = WireClient(host, port, receive_buffer=receive_buffer)
    client.log_in(Login(primary.user, primary.password, capabilities=CAPABILITIES | FLAGS[algorithm]))
    compress(client, algorithm)
    return client


def socket_of(client: WireClient) -> CompressedSocket:
    assert isinstance(client.socket, CompressedSocket)
    return client.socket


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_conversation_is_the_same_as_without_the_proxy(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, algorithm: Algorithm
) -> None:
    """Payloads, and the number of the first frame of each reply; servers number packets after frames."""
    primary = shared_cluster.servers[0]
    if algorithm is Algorithm.ZSTD and shared_cluster.flavor == "mariadb":
        pytest.skip("MariaDB's servers know zlib only")
    transcripts = []
    for host, port in ((primary.host, primary.port), (shared_proxy.host, shared_proxy.port)):
        with compressed(shared_cluster, host, port, algorithm) as client:
            heard: list[object] = []
            for sql in ("SELECT 1", "SELECT REPEAT('x', 5000)", "SELEC", "DO 1", "SELECT 1; SELECT 2", "SELECT 'end'"):
                below = socket_of(client)
                below.frames.clear()
                heard.append([payload for _, payload in client.query(sql)])
                heard.append(below.frames[0])
            for code in (c.COM_PING, 0xEE):
                below.frames.clear()
                heard.append(client.command(bytes((code,))))
                heard.append(below.frames[:])
            transcripts.append(heard)
    assert transcripts[0] == transcripts[1]


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_less_is_sent(shared_cluster: Cluster, shared_proxy: ProxyProcess, algorithm: Algorithm) -> None:
    with compressed(shared_cluster, shared_proxy.host, shared_proxy.port, algorithm) as client:
        packets = client.query(f"SELECT REPEAT('abcdefgh', {MEBIBYTE})")
        assert sum(len(payload) for _, payload in packets) > 8 * MEBIBYTE
        assert socket_of(client).received < MEBIBYTE
        assert client.query("SELECT 'next'")[-2][1] == b"\4next"


def test_a_client_decides_whether_it_compresses(shared_cluster: Cluster) -> None:
    with running_proxy(shared_cluster, "--compression", "zstd") as proxy, WireClient(proxy.host, proxy.port) as client:
        flags = client.greeting().capabilities
        assert (bool(flags & c.CLIENT_COMPRESS), bool(flags & c.CLIENT_ZSTD_COMPRESSION)) == (False, True)
    with running_proxy(shared_cluster, "--compression", "off") as proxy, WireClient(proxy.host, proxy.port) as client:
        assert not client.greeting().capabilities & (c.CLIENT_COMPRESS | c.CLIENT_ZSTD_COMPRESSION)


def test_packets_split_over_frames_and_several_in_one(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    with compressed(shared_cluster, shared_proxy.host, shared_proxy.port, Algorithm.ZLIB) as client:
        below, packet = socket_of(client), frame(query("SELECT 'split'"), 0)
        writer = FrameWriter(Algorithm.ZLIB)
        for at in range(len(packet)):
            below._below.sendall(writer.frames(packet[at : at + 1]))
        assert client.reply()[-2][1] == b"\5split"
        assert below.frames[-1] == len(packet)
        writer.number = 0
        below._below.sendall(writer.frames(packet + packet))
        for _ in range(2):
            assert client.reply()[-2][1] == b"\5split"


@pytest.mark.parametrize("rubbish", [b"\3\0\0\0\5\0\0xyz", b"\5\0\0\0\0\0\0\1\0\0\7\x0e"], ids=["frame", "packet"])
def test_rubbish_ends_its_connection_alone(shared_cluster: Cluster, shared_proxy: ProxyProcess, rubbish: bytes) -> None:
    before = shared_proxy.log.count("malformed packet:")
    with connect(shared_cluster, shared_proxy) as neighbour:
        with compressed(shared_cluster, shared_proxy.host, shared_proxy.port, Algorithm.ZLIB) as client:
            socket_of(client)._below.sendall(rubbish)
            assert client.is_closed()
        shared_proxy.wait_for_log("malformed packet:", before + 1)
        assert run(neighbour, "SELECT 5") == ((5,),)


def test_a_bomb_fills_no_memory(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    """128 frames of 16 KB with 16 MiB in each, and a command that wants them all."""
    with compressed(shared_cluster, shared_proxy.host, shared_proxy.port, Algorithm.ZLIB) as client:
        below = socket_of(client)
        before = shared_proxy.resident
        content = frame(b"\x03" + bytes(0xFFFFFE), 0)[:0xFFFFFF]
        deflated = zlib.compress(content, 9)
        one = len(deflated).to_bytes(3, "little") + b"\0" + len(content).to_bytes(3, "little") + deflated
        assert len(one) < 20_000 + FRAME_HEADER
        try:
            for _ in range(128):
                below._below.sendall(one)
        except ConnectionError:
            pass
        assert settled(lambda: shared_proxy.resident) - before < 64 * MEBIBYTE


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_client_that_does_not_read_costs_little_memory(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, algorithm: Algorithm
) -> None:
    sql = f"SELECT SHA2(CONCAT(a.id, '-', b.id), 512) FROM {SCHEMA}.number a, {SCHEMA}.number b"
    with compressed(shared_cluster, shared_proxy.host, shared_proxy.port, algorithm, 65536) as client:
        before = shared_proxy.resident
        client.send(query(sql))
        most = settled(lambda: shared_proxy.resident)
        received = sum(len(payload) for _, payload in client.reply())
    assert received > 300_000 * 128
    assert most - before < 16 * MEBIBYTE


def run_mysql(cluster: Cluster, proxy: ProxyProcess, sql: str, *options: str) -> str:
    primary = cluster.servers[0]
    command = [
        MYSQL, "--no-defaults", f"--host={proxy.host}", f"--port={proxy.port}", f"--user={primary.user}",
        f"--password={primary.password}", "--get-server-public-key", "--max-allowed-packet=64M", "--local-infile=1",
        "--skip-column-names", *options, SCHEMA,
    ]  # fmt: skip
    done = subprocess.run(command, input=sql, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    return "\n".join(line for line in done.stdout.splitlines() if "Using a password" not in line)


@pytest.mark.parametrize("tls", ["DISABLED", "REQUIRED"])
@pytest.mark.parametrize("algorithm", ["zlib", "zstd", "zlib,zstd"])
def test_the_command_line_client_uploads_and_downloads(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, tmp_path: Path, algorithm: str, tls: str
) -> None:
    """A file of 13 MB and a statement of 20 MB, in packets whose numbers nobody looks at any more."""
    file = tmp_path / "rows.txt"
    file.write_text(
        "".join(f"{number}\tsome text of row {number * 7919 % 100_003} and more\n" for number in range(ROWS))
    )
    sql = f"""
        TRUNCATE TABLE item;
        LOAD DATA LOCAL INFILE '{file}' INTO TABLE item;
        START TRANSACTION; SELECT COUNT(*), SUM(LENGTH(text)) FROM item; COMMIT;
        SELECT LENGTH('{"x" * 20 * MEBIBYTE}'), LENGTH(REPEAT('y', 5000000));
        SELECT REPEAT('z', 100);
    """
    level = ("--zstd-compression-level=5",) if "zstd" in algorithm else ()
    options = (f"--compression-algorithms={algorithm}", f"--ssl-mode={tls}", *level)
    total = sum(len(line.split("\t")[1]) - 1 for line in file.read_text().splitlines(keepends=True))
    printed = run_mysql(shared_cluster, shared_proxy, sql, *options)
    assert printed.split("\n") == [f"{ROWS}\t{total}", f"{20 * MEBIBYTE}\t5000000", "z" * 100]


def test_mariadbs_command_line_client(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    primary = shared_cluster.servers[0]
    for tls in ("--ssl", "--skip-ssl"):
        command = [
            "mariadb", "--no-defaults", f"--host={shared_proxy.host}", f"--port={shared_proxy.port}",
            f"--user={primary.user}", f"--password={primary.password}", "--compress", tls, "--skip-column-names",
        ]  # fmt: skip
        done = subprocess.run(
            command, input="SELECT LENGTH(REPEAT('x', 9000000)), REPEAT('y', 1000);", capture_output=True, text=True
        )
        assert done.stdout.split() == ["9000000", "y" * 1000], done.stderr


def test_mysql_connector(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    primary = shared_cluster.servers[0]
    with mysql.connector.connect(
        host=shared_proxy.host, port=shared_proxy.port, user=primary.user, password=primary.password,
        compress=True, use_pure=True,
    ) as connection:  # fmt: skip
        cursor = connection.cursor()
        for size in (10, 20_000, 100_000, 1_000_000):
            cursor.execute("SELECT REPEAT('x', %s)", (size,))
            assert cursor.fetchall() == [("x" * size,)]
