"""What a client can agree on with a server, it can agree on with the proxy, and gets the same packets."""

from collections.abc import Iterator

import pytest

from proxy.wire import constants as c
from proxy.wire.exchange import Reply
from proxy.wire.framing import frame
from replication.sandbox import Cluster, Flavor
from tests.integration.protocol_attributes import ATTRIBUTES, attributed
from tests.integration.protocol_schema import SCHEMA, protocol_schema
from tests.support.clients import READS, Counters, direct, run
from tests.support.proxies import ProxyProcess
from tests.support.recorder import Recorder, Script, Turn, differences
from tests.support.waiting import wait_until
from tests.support.wireclient import CAPABILITIES, Login, Packet, WireClient

# Flags about the login and the transport, which the proxy agrees on by itself.
_OWN = c.CLIENT_SSL | c.CLIENT_COMPRESS | c.CLIENT_ZSTD_COMPRESSION | c.CLIENT_MULTI_FACTOR
# Nothing that a client here would do with them.
_LEFT_OUT = 1 << 29 | 1 << 30 | 1 << 31 | c.MARIADB_CLIENT_COM_MULTI


@pytest.fixture(scope="module", autouse=True)
def schema(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[None]:
    with protocol_schema(shared_cluster, shared_proxy):
        yield


def recorded(cluster: Cluster, host: str, port: int, flags: int, script: Script) -> list[Turn]:
    primary = cluster.servers[0]
    how = Login(primary.user, primary.password, SCHEMA, CAPABILITIES | flags)
    with WireClient(host, port) as client:
        talk = Recorder(client.log_in(how))
        script(talk)
        return talk.turns


def compare(cluster: Cluster, proxy: ProxyProcess, flags: int, script: Script) -> None:
    """Play the script to the primary and through the proxy, with and without CLIENT_DEPRECATE_EOF."""
    primary = cluster.servers[0]
    for more in (0, c.CLIENT_DEPRECATE_EOF):
        wanted = recorded(cluster, primary.host, primary.port, flags | more, script)
        got = recorded(cluster, proxy.host, proxy.port, flags | more, script)
        assert not (found := differences(wanted, got)), found


def test_a_client_is_greeted_as_by_the_primary(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    primary = shared_cluster.servers[0]
    greetings = []
    for host, port in ((primary.host, primary.port), (shared_proxy.host, shared_proxy.port)):
        with WireClient(host, port) as client:
            greetings.append(client.greeting())
    wanted, got = greetings
    assert (got.server_version, got.collation_id, got.status, got.plugin) == (
        wanted.server_version,
        wanted.collation_id,
        wanted.status,
        wanted.plugin,
    )
    assert got.capabilities & ~_OWN == wanted.capabilities & ~_OWN & ~_LEFT_OUT


# --- query attributes -------------------------------------------------------------------------------------------------


def with_attributes(talk: Recorder) -> None:
    for count in (0, 1, len(ATTRIBUTES)):
        attributed(talk, b"SELECT id, value FROM item ORDER BY id", count)
    attributed(talk, b"SET NAMES latin1, @a = 1")
    attributed(talk, b"SELECT value FROM item WHERE id = 1")
    attributed(talk, b"START TRANSACTION")
    attributed(talk, b"INSERT INTO noted (note) VALUES ('x')")
    attributed(talk, b"ROLLBACK")
    attributed(talk, b"SELEC 1")
    attributed(talk, b"")
    for malformed in (b"", b"\0", b"\0\2SELECT 1", b"\1\1\0\0SELECT 1", b"\x09"):
        talk.client.send_bytes(frame(b"\x03" + malformed, 0))
        talk.turns.append(Turn(f"malformed {malformed!r}", tuple(talk.client.reply())))


def executed_with_attributes(talk: Recorder) -> None:
    number = talk.prepare("SELECT id, ? AS a FROM item WHERE id < ? ORDER BY id").to_bytes(4, "little")
    for types in (True, False):
        bound = b"\1" + (b"\3\0\0\3\0\1n\xfd\0\5trace" if types else b"")
        values = b"\7\0\0\0\4\0\0\0" + (b"\3abc" if types else b"")
        body = b"\x08\1\0\0\0" + (b"\3" if types else b"\2") + b"\0" + (bound if types else b"\0") + values
        for _ in range(4):
            talk.client.send_bytes(frame(b"\x17" + number + body, 0))
            talk.turns.append(Turn("execute", tuple(talk.client.reply())))
    bare = talk.prepare("SELECT id FROM item ORDER BY id").to_bytes(4, "little")
    for body in (b"\x08\1\0\0\0\0", b"\0\1\0\0\0", b"\x08\1\0\0\0\1\0\1\xfd\0\1n\3abc"):
        talk.client.send_bytes(frame(b"\x17" + bare + body, 0))
        talk.turns.append(Turn("execute without parameters", tuple(talk.client.reply())))


@pytest.mark.parametrize("script", [with_attributes, executed_with_attributes])
def test_query_attributes(shared_cluster: Cluster, shared_proxy: ProxyProcess, script: Script) -> None:
    if shared_cluster.flavor is not Flavor.MYSQL:
        pytest.skip("MariaDB has no query attributes")
    compare(shared_cluster, shared_proxy, c.CLIENT_QUERY_ATTRIBUTES, script)


def test_reads_with_attributes_leave_the_primary(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    if shared_cluster.flavor is not Flavor.MYSQL:
        pytest.skip("MariaDB has no query attributes")

    def script(talk: Recorder) -> None:
        attributed(talk, b"SET NAMES utf8mb4")
        for _ in range(20):
            for _ in range(10):
                attributed(talk, b"SELECT id FROM item")
            executed_with_attributes(talk)

    def leave_the_primary() -> bool:
        """Of 220 reads; whoever looks after the servers reads there as well, and more the slower this goes."""
        counters = Counters(shared_cluster, READS)
        recorded(shared_cluster, shared_proxy.host, shared_proxy.port, c.CLIENT_QUERY_ATTRIBUTES, script)
        ran = counters.difference()
        return ran["dbwrite"] < 100 <= min(ran["dbread1"], ran["dbread2"])

    wait_until(leave_the_primary, "reads with attributes go to both replicas")


# --- column definitions that are left out -----------------------------------------------------------------------------


def without_definitions(talk: Recorder) -> None:
    talk.query("SELECT id FROM item ORDER BY id")
    early = talk.prepare("SELECT id, value, ? AS a FROM item ORDER BY id")
    talk.query("SET resultset_metadata = NONE")
    for _ in range(3):
        talk.query("SELECT id, value FROM item ORDER BY id")
    talk.query("SELECT 1; SELECT id FROM item WHERE id = 99; SELECT 2")
    talk.query("SELECT id, EXP(id * 300) FROM item ORDER BY id")
    talk.query("CALL several()")
    number = talk.prepare("SELECT id, value, ? AS a FROM item ORDER BY id")
    for _ in range(3):
        talk.execute(number, [(253, b"\2ab")])
        talk.execute(early, [(253, b"\2ab")])
        talk.execute(number, [(253, b"\2ab")], cursor=1)
        talk.fetch(number, 3)
        talk.fetch(number, 3)
    talk.prepare("DO 1")
    talk.prepare("SELECT FROM")
    talk.command(bytes((c.COM_FIELD_LIST,)) + b"item\0%", Reply.ROWS)
    talk.query("SET resultset_metadata = FULL")
    for _ in range(3):
        talk.query("SELECT id FROM item ORDER BY id")
        talk.execute(number, [(253, b"\2ab")])


def test_optional_metadata(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    if shared_cluster.flavor is not Flavor.MYSQL:
        pytest.skip("only MySQL leaves them out on demand")
    compare(shared_cluster, shared_proxy, c.CLIENT_OPTIONAL_RESULTSET_METADATA, without_definitions)
    compare(shared_cluster, shared_proxy, 0, without_definitions)


# --- MariaDB's own ----------------------------------------------------------------------------------------------------


def extended_definitions(talk: Recorder) -> None:
    for _ in range(3):
        talk.query("SELECT CAST('::1' AS INET6), JSON_COMPACT('{}'), POINT(1, 2), id FROM item ORDER BY id")
        talk.query("SELECT ge, js FROM wide")
    number = talk.prepare("SELECT CAST(? AS INET6), ge FROM wide")
    for _ in range(3):
        talk.execute(number, [(253, b"\3::2")])


def test_extended_metadata(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    if shared_cluster.flavor is not Flavor.MARIADB:
        pytest.skip("only MariaDB has extended metadata")
    compare(shared_cluster, shared_proxy, c.MARIADB_CLIENT_EXTENDED_METADATA, extended_definitions)
    compare(shared_cluster, shared_proxy, 0, extended_definitions)


def test_progress_reports_reach_the_client_while_it_waits(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    if shared_cluster.flavor is not Flavor.MARIADB:
        pytest.skip("only MariaDB reports progress")
    primary = shared_cluster.servers[0]
    with direct(shared_cluster, primary, database=SCHEMA) as connection:
        run(connection, "SET sql_log_bin = 0")
        run(connection, "CREATE TABLE slow (id INT PRIMARY KEY, value VARCHAR(200)) ENGINE = Aria")
        rows = 100_000
        how = Login(primary.user, primary.password, SCHEMA, CAPABILITIES | c.MARIADB_CLIENT_PROGRESS)
        with WireClient(shared_proxy.host, shared_proxy.port) as client:
            client.log_in(how)
            client.query("SET sql_log_bin = 0, progress_report_time = 1")
            reply: list[Packet] = []
            # However fast the machine is, at some size it takes longer than the second after which it reports.
            while len(reply) < 2 and rows < 20_000_000:
                run(connection, "TRUNCATE slow")
                run(connection, f"INSERT slow SELECT seq, REPEAT(MD5(seq), 6) FROM seq_1_to_{rows}")
                reply = client.query("ALTER TABLE slow ADD KEY (value), ALGORITHM = COPY")
                client.query("ALTER TABLE slow DROP KEY value")
                rows *= 2
        run(connection, "DROP TABLE slow")
    assert all(payload.startswith(b"\xff\xff\xff\1") for _, payload in reply[:-1])
    assert [sequence for sequence, _ in reply] == list(range(1, len(reply) + 1))
    assert reply[-1][1].startswith(b"\0")
    assert len(reply) >= 2
