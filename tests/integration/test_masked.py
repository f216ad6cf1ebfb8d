"""Servers that cannot do all that the primary can: their replies are translated, or they are left out."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import quote

import pytest

from proxy.wire import constants as c
from replication.sandbox import Cluster, Flavor, LocalServer
from tests.integration.protocol_cases import CONVERSATIONS, TABLE, Only
from tests.integration.protocol_schema import SCHEMA, protocol_schema
from tests.support.clients import READS, Counters, connect, run
from tests.support.masking import masked
from tests.support.proxies import ProxyProcess, started_proxy
from tests.support.recorder import Recorder, Script, Turn, differences
from tests.support.waiting import wait_until
from tests.support.wireclient import CAPABILITIES, Login, WireClient

_SCRIPTS = [
    *(script for command in ("COM_QUERY", "COM_STMT_EXECUTE", "COM_STMT_FETCH") for script in TABLE[command].values()),
    *CONVERSATIONS,
]


@contextmanager
def masking_proxy(cluster: Cluster, *hidden: int) -> Iterator[ProxyProcess]:
    """A proxy whose servers, the primary first, hide these capabilities; it has as many servers as there are."""
    with ExitStack() as stack:
        ports = [
            stack.enter_context(masked(server.host, server.port, flags))
            for server, flags in zip(cluster.servers, hidden, strict=False)
        ]
        user, password = cluster.servers[0].user, cluster.servers[0].password
        writer, *readers = (f"mysql://{user}:{quote(password)}@127.0.0.1:{port}" for port in ports)
        options = [option for url in readers for option in ("--reader", url)]
        proxy = stack.enter_context(started_proxy("--writer", writer, *options))
        proxy.wait_for_log("serving on")
        proxy.wait_for_log("-> healthy", len(ports))
        yield proxy


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


def test_replies_of_a_replica_that_knows_only_eof_are_translated(shared_cluster: Cluster) -> None:
    primary = shared_cluster.servers[0]
    how = login(primary, c.CLIENT_DEPRECATE_EOF | c.CLIENT_SESSION_TRACK)
    with masking_proxy(shared_cluster, 0, c.CLIENT_DEPRECATE_EOF | c.CLIENT_SESSION_TRACK) as proxy:
        counters = Counters(shared_cluster, (*READS, "Com_stmt_execute"))
        found = {}
        for script in scripts(shared_cluster.flavor):
            wanted = recorded(primary.host, primary.port, how, script)
            got = recorded(proxy.host, proxy.port, how, script)
            if difference := differences(wanted, got):
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


def test_a_replica_that_lacks_what_cannot_be_translated_is_left_out(shared_cluster: Cluster) -> None:
    mysql = shared_cluster.flavor is Flavor.MYSQL
    flag = c.CLIENT_QUERY_ATTRIBUTES if mysql else c.MARIADB_CLIENT_EXTENDED_METADATA
    with masking_proxy(shared_cluster, 0, flag, 0) as proxy:

        def reads_go_to_the_other(flags: int, wanted: dict[str, bool]) -> bool:
            counters = Counters(shared_cluster, READS)
            with WireClient(proxy.host, proxy.port) as client:
                client.log_in(login(shared_cluster.servers[0], flags))
                for _ in range(6):
                    client.query("SELECT id FROM item")
            return {name: count > 0 for name, count in counters.difference().items()} == wanted

        only_second = {"dbwrite": False, "dbread1": False, "dbread2": True}
        wait_until(lambda: reads_go_to_the_other(flag, only_second), "reads go to the replica that can do it")
        proxy.wait_for_log("lacks capabilities that the primary has")
        both = {"dbwrite": False, "dbread1": True, "dbread2": True}
        wait_until(lambda: reads_go_to_the_other(0, both), "sessions without the flag use both")
        with connect(shared_cluster, proxy) as connection:
            assert run(connection, "SELECT 1") == ((1,),)
