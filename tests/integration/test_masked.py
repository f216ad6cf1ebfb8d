"""Servers that cannot do all that the primary can: their replies are translated, or they are left out."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from proxy.wire import constants as c
from proxy.wire.framing import frame
from replication.sandbox import Cluster, Flavor, LocalServer
from tests.integration.protocol_attributes import attributed
from tests.integration.protocol_cases import CONVERSATIONS, TABLE, Only
from tests.integration.protocol_schema import SCHEMA, protocol_schema
from tests.support.clients import READS, Counters, connect, run
from tests.support.masking import masking_proxy
from tests.support.proxies import ProxyProcess
from tests.support.recorder import Recorder, Script, Turn, differences
from tests.support.waiting import wait_until
from tests.support.wireclient import CAPABILITIES, Login, WireClient

_SCRIPTS = [
    *(script for command in ("COM_QUERY", "COM_STMT_EXECUTE", "COM_STMT_FETCH") for script in TABLE[command].values()),
    *CONVERSATIONS,
]


@pytest.fixture(scope="module", autouse=True)
def schema(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[None]:
    with protocol_schema(shared_cluster, shared_proxy):
        yield


def login(server: LocalServer, flags: int) -> Login:
    return Login(server.user, server.password, SCHEMA, CAPABILITIES | flags)


def recorded(host: str, port: int, how: Login, script: Script) -> list[Turn]:
    with WireClient(host, port) as client:
        talk = Recorder(client.log_in(how))
        script(talk)
        return talk.turns


def scripts(flavor: Flavor) -> Iterator[Script]:
    for entry in _SCRIPTS:
        if not isinstance(entry, Only):
            yield entry
        elif entry.vendor is flavor:
            yield entry.script


def bare(turn: Turn) -> Turn:
    """Without what only MariaDB's extended metadata has of a column: that its text is JSON."""
    packets = ((number, payload.replace(b"\6\1\4json\x0c", b"\0\x0c")) for number, payload in turn.packets)
    return replace(turn, packets=tuple(packets))


_OF_MYSQL = c.CLIENT_QUERY_ATTRIBUTES | c.CLIENT_OPTIONAL_RESULTSET_METADATA


@pytest.mark.parametrize(
    "flags",
    [
        c.CLIENT_DEPRECATE_EOF | c.CLIENT_SESSION_TRACK,
        _OF_MYSQL | c.MARIADB_CLIENT_EXTENDED_METADATA,
        _OF_MYSQL | c.MARIADB_CLIENT_EXTENDED_METADATA | c.CLIENT_DEPRECATE_EOF,
    ],
    ids=["eof", "metadata-and-attributes", "all"],
)
def test_replies_of_a_replica_that_knows_less_are_translated(shared_cluster: Cluster, flags: int) -> None:
    primary = shared_cluster.servers[0]
    how = login(primary, flags)
    with masking_proxy(shared_cluster, 0, flags) as proxy:
        counters = Counters(shared_cluster, (*READS, "Com_stmt_execute"))
        found = {}
        for script in scripts(shared_cluster.flavor):
            wanted = recorded(primary.host, primary.port, how, script)
            got = recorded(proxy.host, proxy.port, how, script)
            if difference := differences([bare(turn) for turn in wanted], [bare(turn) for turn in got]):
                found[script] = difference
        assert not found, "\n\n".join(found.values())
        assert counters.difference()["dbread1"] > 30
        assert "Traceback" not in proxy.log


def test_a_client_is_not_offered_what_the_primary_hides(shared_cluster: Cluster) -> None:
    hidden = c.CLIENT_DEPRECATE_EOF | c.CLIENT_SESSION_TRACK | c.CLIENT_MULTI_STATEMENTS | c.CLIENT_QUERY_ATTRIBUTES
    with masking_proxy(shared_cluster, hidden) as proxy:
        with WireClient(proxy.host, proxy.port) as client:
            assert not client.greeting().capabilities & hidden
        with WireClient(proxy.host, proxy.port) as client:
            client.log_in(login(shared_cluster.servers[0], c.CLIENT_DEPRECATE_EOF))
            assert client.query("SELECT 'alive'")[2][1] == b"\xfe\0\0\2\0"


def reads_go_to(
    cluster: Cluster, proxy: ProxyProcess, flags: int, script: Script, wanted: set[str], least: int = 1
) -> bool:
    """Whether these servers run the reads of a script, each `least` of them: proxies ask servers for a few, too."""
    counters = Counters(cluster, (*READS, "Com_stmt_execute"))
    recorded(proxy.host, proxy.port, login(cluster.servers[0], flags), script)
    return {name for name, count in counters.difference().items() if count >= least} == wanted


def plain_reads(talk: Recorder) -> None:
    for _ in range(24):
        talk.query("SELECT id FROM item")


def test_a_replica_that_lacks_what_cannot_be_translated_is_left_out(shared_cluster: Cluster) -> None:
    flag = c.CLIENT_MULTI_RESULTS
    with masking_proxy(shared_cluster, 0, flag, 0) as proxy:
        only_second = partial(reads_go_to, shared_cluster, proxy, flag, plain_reads, {"dbread2"}, 5)
        wait_until(only_second, "reads go to the replica that can do it")
        proxy.wait_for_log("lacks capabilities that the primary has")
        with connect(shared_cluster, proxy) as connection:
            assert run(connection, "SELECT 1") == ((1,),)


def attributed_reads(talk: Recorder) -> None:
    for _ in range(6):
        attributed(talk, b"SELECT id FROM item ORDER BY id", 1)
    number = talk.prepare("SELECT id FROM item WHERE id < ? ORDER BY id").to_bytes(4, "little")
    bound = b"\1\3\0\0\xfd\0\5trace" + b"\4\0\0\0\3abc"
    for _ in range(4):
        talk.client.send_bytes(frame(b"\x17" + number + b"\x08\1\0\0\0\2\0" + bound, 0))
        talk.turns.append(Turn("execute", tuple(talk.client.reply())))


def read_only(talk: Recorder) -> None:
    talk.query("START TRANSACTION READ ONLY")
    attributed_reads(talk)
    talk.query("COMMIT")


def executions_without_attributes(talk: Recorder) -> None:
    number = talk.prepare("SELECT id, ? AS a, ? AS b FROM item WHERE id < ? ORDER BY id")
    for types in (True, *(False,) * 23):
        talk.execute(number, [(253, b"\2ab"), (6, None), (3, b"\4\0\0\0")], types=types)


def test_query_attributes_go_where_they_are_known(shared_cluster: Cluster) -> None:
    if shared_cluster.flavor is not Flavor.MYSQL:
        pytest.skip("MariaDB has no query attributes")
    primary, flag = shared_cluster.servers[0], c.CLIENT_QUERY_ATTRIBUTES
    both, second = {"dbread1", "dbread2"}, {"dbread2"}
    scripts = ((plain_reads, both, 8), (executions_without_attributes, both, 8), (attributed_reads, second, 8))
    with masking_proxy(shared_cluster, 0, flag, 0) as proxy:
        for script, wanted, least in scripts:
            wait_until(partial(reads_go_to, shared_cluster, proxy, flag, script, wanted, least), script.__name__)
    with masking_proxy(shared_cluster, 0, flag) as proxy:
        wait_until(partial(reads_go_to, shared_cluster, proxy, flag, read_only, {"dbread1"}, 8), "one snapshot")
        for script in (plain_reads, executions_without_attributes, attributed_reads, read_only):
            plain = recorded(primary.host, primary.port, login(primary, flag), script)
            got = recorded(proxy.host, proxy.port, login(primary, flag), script)
            assert not (found := differences(plain, got)), found
        assert "Traceback" not in proxy.log
