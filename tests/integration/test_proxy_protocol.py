"""PROXY headers: taken from load balancers, and sent to servers that take them."""

import socket
from collections.abc import Iterator

import pytest

from proxy.wire import constants as c
from proxy.wire.proxyprotocol import header_1, header_2, local_1, local_2
from replication.sandbox import Cluster, Flavor
from tests.integration.conftest import SecureCluster
from tests.support.certificates import client_context
from tests.support.clients import connect, direct, run
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.tlsclient import start_tls
from tests.support.wireclient import CAPABILITIES, Login, Refused, WireClient, query

CLIENT, BALANCER = ("10.1.2.3", 51234), ("10.9.9.9", 3306)
HEADERS = {"v1": header_1(CLIENT, BALANCER), "v2": header_2(CLIENT, BALANCER)}
SIX = ("2001:db8::5", 51234)
ATTRIBUTES = (
    "SELECT ATTR_VALUE FROM performance_schema.session_connect_attrs"
    " WHERE PROCESSLIST_ID = CONNECTION_ID() AND ATTR_NAME = 'manyreads_client_address'"
)
HOSTS = ("10.%", "localhost", "2001:db8::5")


@pytest.fixture(scope="module")
def balanced(secure_cluster: SecureCluster) -> Iterator[ProxyProcess]:
    """A proxy behind load balancers on this machine."""
    with running_proxy(secure_cluster.cluster, "--proxy-protocol-networks", "127.0.0.0/8,10.0.0.0/8") as proxy:
        yield proxy


@pytest.fixture(scope="module", autouse=True)
def accounts(secure_cluster: SecureCluster) -> Iterator[None]:
    """Users that the proxy tells apart by the client's address; the servers see the proxy's."""
    with direct(secure_cluster.cluster, secure_cluster.cluster.servers[0]) as admin:
        for host in HOSTS:
            run(admin, f"CREATE USER 'balanced'@'{host}' IDENTIFIED BY 'pw'")
            run(admin, f"GRANT SELECT ON performance_schema.session_connect_attrs TO 'balanced'@'{host}'")
        run(admin, "CREATE USER 'remote'@'10.%' IDENTIFIED BY 'pw'")
        yield
        for host in HOSTS:
            run(admin, f"DROP USER 'balanced'@'{host}'")
        run(admin, "DROP USER 'remote'@'10.%'")


def first_value(client: WireClient, sql: str) -> bytes:
    """The only value of the primary's answer."""
    client.query("BEGIN")
    packets = client.query(sql)
    client.query("COMMIT")
    assert len(packets) == 5, packets
    return packets[-2][1][1:]


def logged_in(proxy: ProxyProcess, header: bytes, pace: int = 0, user: str = "balanced") -> WireClient:
    client = WireClient(proxy.host, proxy.port)
    try:
        client.send_bytes(header, pace)
        return client.log_in(Login(user, "pw"))
    except Refused:
        client.socket.close()
        raise


def host_of_denial(proxy: ProxyProcess, header: bytes) -> str:
    """Which host an error names for a client with this header."""
    with WireClient(proxy.host, proxy.port) as client:
        client.send_bytes(header)
        with pytest.raises(Refused) as caught:
            client.log_in(Login("balanced", "wrong"))
    assert caught.value.err.errno == 1045
    return caught.value.err.message.split("'")[3]


@pytest.mark.parametrize("version", HEADERS)
@pytest.mark.parametrize("pace", [0, 1, 13])
def test_the_clients_address_is_the_headers(balanced: ProxyProcess, version: str, pace: int) -> None:
    with logged_in(balanced, HEADERS[version], pace) as client:
        assert first_value(client, ATTRIBUTES) == b"10.1.2.3"
    assert host_of_denial(balanced, HEADERS[version]) == "10.1.2.3"
    assert "client 10.1.2.3:51234 via 127.0.0.1:" in balanced.log


def test_addresses_of_the_other_family_and_more_behind_them(balanced: ProxyProcess) -> None:
    for header in (header_1(SIX, ("2001:db8::9", 1)), header_2(SIX, ("2001:db8::9", 1))):
        with logged_in(balanced, header) as client:
            assert first_value(client, ATTRIBUTES) == b"2001:db8::5"
    extended = HEADERS["v2"][:14] + (12 + 14).to_bytes(2, "big") + HEADERS["v2"][16:] + b"\x02\0\x0bexample.org"
    with logged_in(balanced, extended) as client:
        assert first_value(client, ATTRIBUTES) == b"10.1.2.3"


@pytest.mark.parametrize("header", [b"", local_1(), local_2()], ids=["none", "v1-unknown", "v2-local"])
def test_a_balancers_own_connection_comes_from_itself(balanced: ProxyProcess, header: bytes) -> None:
    with logged_in(balanced, header) as client:
        assert first_value(client, ATTRIBUTES) == b"127.0.0.1"
    assert host_of_denial(balanced, header) == "localhost"


def test_a_header_the_request_for_tls_and_its_beginning_in_one_segment(balanced: ProxyProcess) -> None:
    class Introduced:
        """A socket whose first bytes go out with a header in front."""

        def __init__(self, below: socket.socket) -> None:
            self.below, self.before = below, HEADERS["v2"]

        def sendall(self, data: bytes) -> None:
            self.below.sendall(self.before + data)
            self.before = b""

        def __getattr__(self, name: str) -> object:
            return getattr(self.below, name)

    with WireClient(balanced.host, balanced.port) as client:
        greeting = client.greeting()
        client.socket = Introduced(client.socket)  # type: ignore[assignment]  # it has what WireClient uses of a socket
        start_tls(client, client_context())
        client.respond(Login("balanced", "pw", capabilities=CAPABILITIES | c.CLIENT_SSL), greeting, 2)
        assert first_value(client, ATTRIBUTES) == b"10.1.2.3"


@pytest.mark.parametrize(
    "header", [b"PROXY TCP4 10.1.2.3\r\n", b"PROXY " + b"x" * 200, HEADERS["v2"][:14] + b"\xff\xff" + bytes(100)]
)
def test_a_broken_header_ends_its_connection_alone(
    secure_cluster: SecureCluster, balanced: ProxyProcess, header: bytes
) -> None:
    with connect(secure_cluster.cluster, balanced) as neighbour:
        before = balanced.log.count("malformed packet during login")
        with WireClient(balanced.host, balanced.port) as client:
            client.greeting()
            client.send_bytes(header)
            assert client.is_closed()
        balanced.wait_for_log("malformed packet during login", before + 1)
        assert run(neighbour, "SELECT 5") == ((5,),)


@pytest.mark.parametrize("version", HEADERS)
def test_strangers_cannot_say_where_they_come_from(secure_cluster: SecureCluster, version: str) -> None:
    with running_proxy(secure_cluster.cluster, "--proxy-protocol-networks", "10.0.0.0/8") as proxy:
        with WireClient(proxy.host, proxy.port) as client:
            client.send_bytes(HEADERS[version])
            client.greeting()
            assert client.is_closed()
        proxy.wait_for_log("malformed packet during login")
        with connect(secure_cluster.cluster, proxy) as connection:
            assert run(connection, "SELECT 5") == ((5,),)


# --- to servers -------------------------------------------------------------------------------------------------------


@pytest.fixture
def maria(secure_cluster: SecureCluster) -> Cluster:
    """A cluster whose servers take the PROXY protocol."""
    if secure_cluster.cluster.flavor is not Flavor.MARIADB:
        pytest.skip("MySQL does not take the PROXY protocol")
    return secure_cluster.cluster


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_servers_see_the_clients_address(maria: Cluster, version: str) -> None:
    arguments = ("--proxy-protocol-networks", "127.0.0.0/8", "--server-proxy-protocol", version)
    with running_proxy(maria, *arguments) as proxy:
        with logged_in(proxy, HEADERS["v2"], user="remote") as client:
            assert first_value(client, "SELECT USER()").startswith(b"remote@10.1.2.3")
            for _ in range(5):
                assert client.query("SELECT 5")[-2][1] == b"\x015"
        with connect(maria, proxy) as own:
            assert run(own, "SELECT USER()") == (("root@localhost",),)


def test_without_it_servers_see_the_proxys(secure_cluster: SecureCluster, balanced: ProxyProcess) -> None:
    """As every server of MySQL does; accounts must cover both addresses then."""
    with pytest.raises(Refused, match="1045"):
        logged_in(balanced, HEADERS["v1"], user="remote")
    with logged_in(balanced, HEADERS["v1"]) as client:
        assert first_value(client, "SELECT USER()").startswith(b"balanced@localhost")


def test_a_silent_balancer_keeps_nobody_else_waiting(secure_cluster: SecureCluster, balanced: ProxyProcess) -> None:
    with WireClient(balanced.host, balanced.port) as silent:
        silent.send_bytes(HEADERS["v2"][:10])
        with connect(secure_cluster.cluster, balanced) as connection:
            assert run(connection, "SELECT 5") == ((5,),)
        silent.send_bytes(HEADERS["v2"][10:])
        silent.log_in(Login("balanced", "pw"))
        silent.send(query("SELECT 5"))
        assert silent.reply()[-2][1] == b"\x015"
