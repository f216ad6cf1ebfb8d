"""Each script of the table, played to a server and through the proxy: the client gets the same packets."""

from collections.abc import Iterator

import pytest

from proxy.wire import constants as c
from proxy.wire.commands import REPLIES
from replication.sandbox import Cluster
from tests.integration.protocol_cases import CONVERSATIONS, DIALECTS, TABLE, Dialect, Only, commands
from tests.integration.protocol_schema import SCHEMA, protocol_schema
from tests.support.clients import direct, run
from tests.support.proxies import ProxyProcess
from tests.support.recorder import NAMES, Recorder, Script, Turn, differences
from tests.support.wireclient import CAPABILITIES, Login, WireClient

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


@pytest.fixture(scope="module")
def ordinary(shared_cluster: Cluster) -> Iterator[Login]:
    """A user without any privilege."""
    with direct(shared_cluster, shared_cluster.servers[0]) as primary:
        run(primary, "CREATE USER ordinary@'%' IDENTIFIED BY 'pw'")
        yield Login("ordinary", "pw")
        run(primary, "DROP USER ordinary@'%'")


def test_nobody_clones(shared_cluster: Cluster, shared_proxy: ProxyProcess, ordinary: Login) -> None:
    """The proxy denies it to everybody, as MySQL to those without the privilege."""
    primary = shared_cluster.servers[0]
    script = commands(c.COM_CLONE, b"", b"rest")
    wanted = recorded(primary.host, primary.port, ordinary, script)
    got = recorded(shared_proxy.host, shared_proxy.port, ordinary, script)
    assert not (found := differences(wanted, got)), found


def recorded(host: str, port: int, how: Login, script: Script) -> list[Turn]:
    """What a client receives."""
    with WireClient(host, port) as client:
        talk = Recorder(client.log_in(how))
        script(talk)
        assert talk.turns
        return talk.turns
