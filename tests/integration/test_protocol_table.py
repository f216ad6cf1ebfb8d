"""Each script of the table, played to a server and through the proxy: the client gets the same packets."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from proxy.wire import constants as c
from proxy.wire.commands import REPLIES
from proxy.wire.compression import Algorithm
from replication.sandbox import Cluster
from tests.integration.protocol_cases import CONVERSATIONS, DIALECTS, TABLE, Dialect, Only, commands
from tests.integration.protocol_schema import ORDINARY, SCHEMA, protocol_schema
from tests.support.certificates import client_context
from tests.support.compressedclient import FLAGS, compress
from tests.support.proxies import ProxyProcess
from tests.support.recorder import NAMES, Recorder, Script, Turn, differences
from tests.support.tlsclient import start_tls
from tests.support.wireclient import CAPABILITIES, Login, WireClient

# How a client logs in.
Shaken = Callable[[WireClient, Login], None]

CASES = [
    pytest.param(script, id=f"{command}-{kind}") for command, kinds in TABLE.items() for kind, script in kinds.items()
] + [pytest.param(script, id=script.__name__.strip("_")) for script in CONVERSATIONS]


@pytest.fixture(scope="module", autouse=True)
def schema(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[None]:
    with protocol_schema(shared_cluster, shared_proxy):
        yield


def test_every_command_is_in_the_table() -> None:
    assert {NAMES[code] for code in REPLIES} <= set(TABLE)


@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
@pytest.mark.parametrize("entry", CASES)
def test_the_client_gets_the_same_packets(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, entry: Script | Only, dialect: Dialect
) -> None:
    if isinstance(entry, Only) and entry.vendor is not shared_cluster.flavor:
        pytest.skip(f"only {entry.vendor} knows this")
    script = entry.script if isinstance(entry, Only) else entry
    primary = shared_cluster.servers[0]
    how = Login(primary.user, primary.password, SCHEMA, CAPABILITIES | dialect.capabilities)
    wanted = recorded(primary.host, primary.port, how, script)
    got = recorded(shared_proxy.host, shared_proxy.port, how, script)
    assert not (found := differences(wanted, got)), found


def test_nobody_clones(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    """The proxy denies it to everybody, as MySQL to those without the privilege."""
    primary = shared_cluster.servers[0]
    script = commands(c.COM_CLONE, b"", b"rest")
    wanted = recorded(primary.host, primary.port, ORDINARY, script)
    got = recorded(shared_proxy.host, shared_proxy.port, ORDINARY, script)
    assert not (found := differences(wanted, got)), found


def _in_tls(client: WireClient, how: Login) -> None:
    greeting = client.greeting()
    start_tls(client, client_context())
    client.respond(how, greeting, 2)


def _compressing(algorithm: Algorithm, shaken: Shaken) -> Shaken:
    def shake(client: WireClient, how: Login) -> None:
        shaken(client, replace(how, capabilities=how.capabilities | FLAGS[algorithm]))
        compress(client, algorithm)

    return shake


def _plainly(client: WireClient, how: Login) -> None:
    client.log_in(how)


TRANSPORTS: dict[str, Shaken] = {"tls": _in_tls, "zlib in tls": _compressing(Algorithm.ZLIB, _in_tls)}
# The commands whose packets are of the most kinds.
TRANSPORTED = ("COM_QUERY", "COM_STMT_EXECUTE", "COM_STMT_FETCH", "COM_CHANGE_USER", "COM_PROCESS_KILL")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_packets_are_the_same_however_they_travel(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, transport: str
) -> None:
    """Compared with what a server sends as it is. In compressed frames nobody looks at the numbers of packets."""
    primary, found = shared_cluster.servers[0], {}
    how = Login(primary.user, primary.password, SCHEMA, CAPABILITIES | c.CLIENT_DEPRECATE_EOF | c.CLIENT_LOCAL_FILES)
    numbered = transport == "tls"
    for case in CASES:
        entry = case.values[0]
        assert callable(entry) or isinstance(entry, Only)
        other_vendor = isinstance(entry, Only) and entry.vendor is not shared_cluster.flavor
        if other_vendor or not str(case.id).startswith(TRANSPORTED):
            continue
        script = entry.script if isinstance(entry, Only) else entry
        wanted = recorded(primary.host, primary.port, how, script)
        got = recorded(shared_proxy.host, shared_proxy.port, how, script, TRANSPORTS[transport])
        if not numbered:
            wanted, got = unnumbered(wanted), unnumbered(got)
        if difference := differences(wanted, got):
            found[case.id] = difference
    assert not found, "\n\n".join(f"{name}\n{difference}" for name, difference in found.items())


def unnumbered(turns: list[Turn]) -> list[Turn]:
    return [Turn(turn.command, tuple((0, payload) for _, payload in turn.packets)) for turn in turns]


def recorded(host: str, port: int, how: Login, script: Script, shaken: Shaken = _plainly) -> list[Turn]:
    """What a client receives."""
    with WireClient(host, port) as client:
        shaken(client, how)
        talk = Recorder(client)
        script(talk)
        assert talk.turns
        return talk.turns
