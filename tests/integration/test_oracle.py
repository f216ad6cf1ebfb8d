"""The servers themselves say what is no read: what they refuse on a replica, and what changes their session's state.

Each statement of the corpus runs on a replica, as a user whom read_only binds, inside of START TRANSACTION READ ONLY.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.routing.reported import TRACKED
from proxy.sql.cache import StatementCache
from proxy.sql.classify import Classifier
from proxy.sql.comments import server_version
from proxy.sql.statement import Kind
from proxy.wire import constants as c
from proxy.wire.framing import frame
from proxy.wire.replies import parse_err
from proxy.wire.sessiontrack import SessionTrack, parse_ok_track
from replication.sandbox import Cluster, Flavor
from tests.corpus.grammar import SCHEMA, statements
from tests.corpus.recorder import Recorded, load
from tests.support.clients import Connection, direct, run
from tests.support.waiting import wait_until
from tests.support.wireclient import CAPABILITIES, Login, Packet, WireClient, query
from topology.servers import Vendor

CORPUS = Path(__file__).parents[1] / "corpus"
RECORDINGS = ("django", "sqlalchemy", "wordpress", "sysbench")
RECORDED_SCHEMA = "corpus_recorded"
USER = "corpus_user"
ALL_CAPABILITIES = CAPABILITIES | c.CLIENT_SESSION_TRACK | c.CLIENT_DEPRECATE_EOF
# What the proxy asks for, and every other session variable that the corpus sets.
ALL_TRACKED = (
    *TRACKED,
    *("max_join_size", "sql_safe_updates", "wait_timeout", "net_read_timeout", "timestamp", "insert_id"),
    *("last_insert_id", "optimizer_switch", "default_storage_engine", "sql_auto_is_null", "rand_seed1"),
)
SETTINGS = {
    "session_track_state_change": "1",
    "session_track_transaction_info": "'CHARACTERISTICS'",
    "session_track_system_variables": f"'{','.join(ALL_TRACKED)}'",
}
# ER_OPTION_PREVENTS_STATEMENT, ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, ER_READ_ONLY_MODE
REFUSED_AS_WRITE = {1290, 1792, 1836}
ER_PARSE_ERROR = 1064
# Some statements are logged where they run, also where nothing may be written: REPAIR TABLE. The replica would have
# transactions of its own.
RESET = bytes((c.COM_RESET_CONNECTION,))
UNLOGGED = b"SET sql_log_bin = 0"
MAY_LEAVE_UNLOGGED = {Flavor.MARIADB: "BINLOG ADMIN", Flavor.MYSQL: "SESSION_VARIABLES_ADMIN"}


@pytest.fixture(scope="module")
def corpus(shared_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with everything that the statements are about, and with all of its trackers on."""
    for server in shared_cluster.servers:
        with direct(shared_cluster, server) as connection:
            for name, value in SETTINGS.items():
                run(connection, f"SET GLOBAL {name} = {value}")
    with direct(shared_cluster, shared_cluster.servers[0]) as primary:
        make_schemas(primary, shared_cluster.flavor)
        wait_for_replica(shared_cluster, primary)
        yield shared_cluster
        for text in ("DROP DATABASE corpus", f"DROP DATABASE {RECORDED_SCHEMA}", f"DROP USER {USER}@'%'"):
            run(primary, text)
    for server in shared_cluster.servers:
        with direct(shared_cluster, server) as connection:
            for name in SETTINGS:
                run(connection, f"SET GLOBAL {name} = DEFAULT")


def make_schemas(primary: Connection, flavor: Flavor) -> None:
    for text in SCHEMA:
        run(primary, text)
    if flavor is Flavor.MARIADB:
        run(primary, "CREATE SEQUENCE sq")
    run(primary, f"CREATE DATABASE {RECORDED_SCHEMA}")
    run(primary, f"CREATE USER {USER}@'%' IDENTIFIED BY 'corpus'")
    run(primary, f"GRANT {MAY_LEAVE_UNLOGGED[flavor]} ON *.* TO {USER}@'%'")
    for schema in ("corpus", RECORDED_SCHEMA):
        run(primary, f"GRANT ALL ON {schema}.* TO {USER}@'%'")
    run(primary, f"USE {RECORDED_SCHEMA}")
    for recorded in recordings(flavor):
        if re.match(r"\s*CREATE TABLE (?!IF)", recorded.text):
            run(primary, re.sub("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", recorded.text, count=1))


def wait_for_replica(cluster: Cluster, primary: Connection) -> None:
    """Wait until the replica that is asked has all of that."""
    run(primary, f"CREATE TABLE {RECORDED_SCHEMA}.the_last (a INT)")

    def there() -> bool:
        with direct(cluster, cluster.servers[1]) as connection:
            return bool(run(connection, f"SHOW TABLES FROM {RECORDED_SCHEMA} LIKE 'the_last'"))

    def exists() -> bool:
        with direct(cluster, cluster.servers[1]) as connection:
            return bool(run(connection, f"SHOW DATABASES LIKE '{RECORDED_SCHEMA}'"))

    wait_until(lambda: exists() and there(), "the replica has the tables of the corpus")


def recordings(flavor: Flavor) -> list[Recorded]:
    return [recorded for name in RECORDINGS for recorded in load(CORPUS / f"{name}.rec", Vendor(flavor))]


class Replica:
    """Runs statements on the first replica, each in a transaction of its own that only reads."""

    def __init__(self, cluster: Cluster, schema: str) -> None:
        self._cluster = cluster
        self._schema = schema
        self._client = self._connect()

    def _connect(self) -> WireClient:
        server = self._cluster.servers[1]
        login = Login(USER, "corpus", self._schema, ALL_CAPABILITIES)
        return WireClient(server.host, server.port).log_in(login)

    def run(self, text: bytes) -> list[Packet]:
        """All packets of the reply; none when the server closed the connection."""
        commands = (RESET, query(UNLOGGED), query("START TRANSACTION READ ONLY"), query(text))
        try:
            self._client.send_bytes(b"".join(frame(command, 0) for command in commands))
            *before, reply = [self._client.reply() for _ in commands]
            assert not any(map(errors, before)), before
            return reply
        except ConnectionResetError:
            self._client.socket.close()
            self._client = self._connect()
            return []

    def close(self) -> None:
        self._client.socket.close()


def errors(packets: list[Packet]) -> set[int]:
    return {parse_err(payload).errno for _, payload in packets if payload[:1] == bytes((c.ERR_HEADER,))}


def tracks(packets: list[Packet]) -> list[SessionTrack]:
    """What the OK packets tell, those that end a result among them."""
    first = bytes((c.OK_HEADER,))
    oks = [payload for index, (_, payload) in enumerate(packets) if is_ok(payload, index in (0, len(packets) - 1))]
    return [parse_ok_track(payload) for payload in oks if payload[:1] in (first, bytes((c.EOF_HEADER,)))]


def is_ok(payload: bytes, at_either_end: bool) -> bool:
    # In the middle a packet that begins with 0x00 is a row; one with 0xFE of this size can only end a result.
    return payload[0] == c.EOF_HEADER or (at_either_end and payload[0] == c.OK_HEADER)


def changes_session(track: SessionTrack) -> bool:
    ended = track.transaction is not None and not track.transaction.startswith("T")
    return bool(
        track.variables or track.schema is not None or track.changed or ended or track.characteristics is not None
    )


def cache_for(cluster: Cluster) -> StatementCache:
    with direct(cluster, cluster.servers[0]) as connection:
        version = server_version(Vendor(cluster.flavor), str(run(connection, "SELECT VERSION()")[0][0]))
    assert version.number
    return StatementCache(Classifier(version))


@pytest.mark.parametrize("schema", ["corpus", RECORDED_SCHEMA])
def test_what_a_server_does_not_take_for_a_read_is_none(corpus: Cluster, schema: str) -> None:
    cache, replica = cache_for(corpus), Replica(corpus, schema)
    texts = statements() if schema == "corpus" else [recorded.text for recorded in recordings(corpus.flavor)]
    false_reads, refused, understood = [], 0, 0
    for text in texts:
        packets = replica.run(encoded := text.encode("utf-8", "surrogateescape"))
        found = errors(packets)
        refused += bool(found & REFUSED_AS_WRITE)
        understood += ER_PARSE_ERROR not in found
        no_read = bool(found & REFUSED_AS_WRITE) or any(map(changes_session, tracks(packets)))
        if no_read and cache.statement(encoded).kind is Kind.READ:
            false_reads.append(text)
    replica.close()
    assert not false_reads
    # The test tests something: servers understand most of the corpus, and refuse a good part of it.
    assert understood > 0.75 * len(texts)
    assert refused > 100


def test_the_corpus_is_large(shared_cluster: Cluster) -> None:
    assert len(set(statements()) | {recorded.text for recorded in recordings(shared_cluster.flavor)}) >= 5000


# The tables and the dictionary; no locks, nothing about the statement before, no user's function.
NO_PLAIN_READ = re.compile(
    r"FOR UPDATE|FOR SHARE|LOCK IN SHARE MODE|GET_LOCK|RELEASE_LOCK|FOUND_ROWS\(\)|LAST_INSERT_ID", re.IGNORECASE
)


@pytest.mark.parametrize("program", ["django", "sqlalchemy", "wordpress", "sysbench"])
def test_plain_reads_of_programs_go_to_replicas(shared_cluster: Cluster, program: str) -> None:
    cache = cache_for(shared_cluster)
    recorded = load(CORPUS / f"{program}.rec", Vendor(shared_cluster.flavor))
    reads = {
        text for text, inside in recorded if not inside and re.match(r"\W*(SELECT|WITH|SHOW|DESC|EXPLAIN)\b", text)
    }
    plain = {text for text in reads if not NO_PLAIN_READ.search(text)}
    missed = [text for text in plain if cache.statement(text.encode()).kind is not Kind.READ]
    assert len(missed) <= 0.01 * len(plain), missed


def test_a_variable_that_is_read_anywhere_has_the_same_value_everywhere(shared_cluster: Cluster) -> None:
    cache = cache_for(shared_cluster)
    with (
        direct(shared_cluster, shared_cluster.servers[0]) as primary,
        direct(shared_cluster, shared_cluster.servers[1]) as replica,
    ):
        names = [str(name) for name, _ in run(primary, "SHOW VARIABLES")]
        reads = [name for name in names if cache.statement(f"SELECT @@{name}".encode()).kind is Kind.READ]
        assert len(reads) > 300
        values = [[run(connection, f"SELECT @@{name}") for name in reads] for connection in (primary, replica)]
    assert [name for name, one, other in zip(reads, *values, strict=True) if one != other] == []
