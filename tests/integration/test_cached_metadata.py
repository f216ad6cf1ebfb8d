"""Clients that keep column definitions: whichever server answers, they have the right ones for its rows."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from proxy.wire import constants as c
from proxy.wire.exchange import Reply
from proxy.wire.primitives import read_lenenc_int
from replication.sandbox import Cluster, Flavor
from tests.integration.protocol_schema import SCHEMA, protocol_schema
from tests.support.clients import Counters
from tests.support.masking import masking_proxy
from tests.support.proxies import ProxyProcess
from tests.support.recorder import Recorder
from tests.support.waiting import wait_until
from tests.support.wireclient import CAPABILITIES, Login, Packet, Value, WireClient, first_error

LONG, DOUBLE, VAR_STRING = 3, 5, 253
READ_ONLY_CURSOR = 1


@pytest.fixture(scope="module", autouse=True)
def schema(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[None]:
    if shared_cluster.flavor is not Flavor.MARIADB:
        pytest.skip("only MariaDB leaves definitions out that a client has")
    with protocol_schema(shared_cluster, shared_proxy):
        yield


@dataclass
class Keeper:
    """A client that keeps definitions, or one that is given them each time."""

    talk: Recorder
    keeps: bool
    held: dict[int, list[bytes]] = field(default_factory=dict)
    left_out: int = 0

    @property
    def _eof(self) -> int:
        return 0 if self.talk.client.capabilities & c.CLIENT_DEPRECATE_EOF else 1

    def prepare(self, text: str) -> int:
        reply = [
            payload for _, payload in self.talk.command(bytes((c.COM_STMT_PREPARE,)) + text.encode(), Reply.PREPARED)
        ]
        columns, parameters = int.from_bytes(reply[0][5:7], "little"), int.from_bytes(reply[0][7:9], "little")
        first = 1 + parameters + (self._eof if parameters else 0)
        number = int.from_bytes(reply[0][1:5], "little")
        self.held[number] = reply[first : first + columns]
        return number

    def execute(self, number: int, values: list[Value], cursor: int = 0) -> tuple[object, ...]:
        """The definitions that the client would read the rows with, and the rows."""
        packets = self.talk.execute(number, values, cursor=cursor)
        assert [sequence for sequence, _ in packets] == [index + 1 & 0xFF for index in range(len(packets))]
        if first_error(packets) is not None:
            return ("error", packets[-1][1])
        count, at = read_lenenc_int(packets[0][1], 0)
        behind = 1
        if not self.keeps or packets[0][1][at:] == b"\1":
            self.held[number] = [payload for _, payload in packets[1 : 1 + count]]
            behind += count
        else:
            self.left_out += 1
        rows = self._rows(packets[behind + self._eof :])
        if cursor:
            rows = self._rows(self.talk.fetch(number, 100))
        return self.held[number], rows

    def _rows(self, packets: list[Packet]) -> list[bytes]:
        return [payload for _, payload in packets if not payload.startswith(b"\xfe")]


Step = tuple[str, str, list[Value], int]


PLAIN = "SELECT id, value FROM item ORDER BY id"
PARAMETER = "SELECT id, ? AS a FROM item ORDER BY id"
STAR = "SELECT * FROM changing ORDER BY id"
NUMBER, TEXT, REAL = (LONG, b"\7\0\0\0"), (VAR_STRING, b"\3abc"), (DOUBLE, bytes(8))


def steps() -> Iterator[Step]:
    """(kind, text, values, cursor): what both clients do, one after the other."""
    for _ in range(6):
        yield "execute", PLAIN, [], 0
    yield from unchanged()
    for change in ("ADD b INT", "MODIFY a VARCHAR(50)", "DROP b", "ADD c DOUBLE FIRST", "MODIFY a INT", "DROP c"):
        for _ in range(3):
            yield "execute", STAR, [], 0
        yield "change", f"ALTER TABLE changing {change}", [], 0
        yield "execute", STAR, [], 0
        yield "execute", STAR, [], READ_ONLY_CURSOR
        yield "execute", PARAMETER, [NUMBER], 0
    for names in ("latin1", "utf8mb4"):
        yield "change", f"SET NAMES {names}", [], 0
        for _ in range(4):
            yield "execute", STAR, [], 0
            yield "execute", PLAIN, [], 0
    yield "change", "DROP TABLE changing", [], 0
    yield "execute", STAR, [], 0
    yield "change", "CREATE TABLE changing (id BIGINT UNSIGNED PRIMARY KEY, z TEXT)", [], 0
    for _ in range(5):
        yield "execute", STAR, [], 0


def unchanged() -> Iterator[Step]:
    """Turn by turn on the replicas: one is asked again for what the client was last given otherwise by the other."""
    for value in (NUMBER, NUMBER, TEXT, NUMBER, TEXT, TEXT, NUMBER, TEXT, REAL, NUMBER, TEXT, REAL, NUMBER, NUMBER):
        yield "execute", PARAMETER, [value], 0
        yield "execute", PARAMETER, [value], READ_ONLY_CURSOR
        yield "execute", PLAIN, [], READ_ONLY_CURSOR


def compare(cluster: Cluster, proxy: ProxyProcess, deprecate_eof: bool) -> Keeper:
    """Take all steps, each as a client of the primary that keeps nothing; both replicas answer some of them."""
    primary = cluster.servers[0]
    flags = CAPABILITIES | (c.CLIENT_DEPRECATE_EOF if deprecate_eof else 0)
    counters = Counters(cluster, ("Com_stmt_execute",))
    with (
        WireClient(proxy.host, proxy.port) as proxied,
        WireClient(primary.host, primary.port) as plain,
    ):
        login = Login(primary.user, primary.password, SCHEMA, flags | c.MARIADB_CLIENT_CACHE_METADATA)
        keeper = Keeper(Recorder(proxied.log_in(login)), keeps=True)
        assert proxied.capabilities & c.MARIADB_CLIENT_CACHE_METADATA
        other = Keeper(Recorder(plain.log_in(Login(primary.user, primary.password, SCHEMA, flags))), keeps=False)
        keeper.talk.query("CREATE TABLE changing (id INT PRIMARY KEY, a INT)")
        keeper.talk.query("INSERT INTO changing VALUES (1, 10), (2, NULL)")
        numbers: dict[str, tuple[int, int]] = {}

        def take(kind: str, text: str, values: list[Value], cursor: int) -> None:
            if kind == "change":
                keeper.talk.query(text)
                if text.startswith("SET"):
                    other.talk.query(text)
                return
            if text not in numbers:
                numbers[text] = keeper.prepare(text), other.prepare(text)
            mine, theirs = numbers[text]
            assert keeper.execute(mine, values, cursor) == other.execute(theirs, values, cursor), (text, values)

        def both_replicas_answered() -> bool:
            """A replica that is slow to follow the writes answers none of it at first."""
            for step in unchanged():
                take(*step)
            ran = counters.difference()
            return min(ran["dbread1"], ran["dbread2"]) >= 10

        # Before settings bind what was prepared to the primary.
        wait_until(both_replicas_answered, "both replicas answered some of it", lambda: proxy.log)
        for step in steps():
            take(*step)
        keeper.talk.query("DROP TABLE changing")
    return keeper


EOFS = pytest.mark.parametrize("deprecate_eof", [False, True], ids=["eof", "deprecate-eof"])


@EOFS
def test_rows_are_read_with_the_right_definitions(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, deprecate_eof: bool
) -> None:
    keeper = compare(shared_cluster, shared_proxy, deprecate_eof)
    assert keeper.left_out >= 20


@EOFS
def test_a_replica_that_never_leaves_them_out(shared_cluster: Cluster, deprecate_eof: bool) -> None:
    with masking_proxy(shared_cluster, 0, c.MARIADB_CLIENT_CACHE_METADATA, 0) as proxy:
        keeper = compare(shared_cluster, proxy, deprecate_eof)
        assert "Traceback" not in proxy.log
    assert keeper.left_out >= 10
