"""What a stranger can do before it has logged in: take room and time, but not for long."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pymysql
import pytest

from proxy.wire import constants as c
from proxy.wire.framing import frame
from proxy.wire.proxyprotocol import header_1, header_2
from replication.sandbox import Cluster
from tests.support.clients import connect, direct, run
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until
from tests.support.wireclient import CAPABILITIES, Login, Refused, WireClient

TOO_MANY = 1040
TLS_REQUEST = frame((CAPABILITIES | c.CLIENT_SSL).to_bytes(4, "little") + bytes(28), 1)


def login_of(cluster: Cluster) -> Login:
    return Login(cluster.servers[0].user, cluster.servers[0].password)


def refusal(proxy: ProxyProcess) -> bytes:
    """What a client gets in place of a greeting, header and all."""
    with WireClient(proxy.host, proxy.port) as client:
        sequence, payload = client.packet()
        return frame(payload, sequence)


def test_one_client_too_many_is_told_as_by_the_server(shared_cluster: Cluster) -> None:
    primary = shared_cluster.servers[0]
    with direct(shared_cluster, primary) as admin, ExitStack() as stack:
        ((before,),) = run(admin, "SELECT @@max_connections")
        run(admin, "SET GLOBAL max_connections = 10")
        try:
            expected = b""
            while not expected:
                client = stack.enter_context(WireClient(primary.host, primary.port))
                sequence, payload = client.packet()
                expected = frame(payload, sequence) if payload[0] == c.ERR_HEADER else b""
        finally:
            run(admin, f"SET GLOBAL max_connections = {before}")
    with running_proxy(shared_cluster, "--max-connections", "2") as proxy:
        with connect(shared_cluster, proxy), connect(shared_cluster, proxy):
            assert refusal(proxy) == expected
            with pytest.raises(pymysql.err.OperationalError, match=r"^.1040, 'Too many connections'"):
                connect(shared_cluster, proxy)
        wait_until(lambda: refusal(proxy) != expected, "there is room again")
        with connect(shared_cluster, proxy) as connection:
            assert run(connection, "SELECT 5") == ((5,),)


def test_strangers_make_room_for_clients(shared_cluster: Cluster) -> None:
    """Long before their time to log in is over."""
    with running_proxy(shared_cluster, "--max-connections", "20", "--login-timeout", "3600") as proxy:
        with connect(shared_cluster, proxy) as neighbour, ExitStack() as stack:
            for number in range(60):
                stranger = stack.enter_context(WireClient(proxy.host, proxy.port))
                stranger.send_bytes((b"", TLS_REQUEST, b"\x20\0")[number % 3])

            def gets_in() -> bool:
                with WireClient(proxy.host, proxy.port) as client:
                    try:
                        client.log_in(login_of(shared_cluster))
                    except Refused as error:
                        if error.err.errno == TOO_MANY:
                            return False
                        raise
                    return client.query("SELECT 5")[-2][1] == b"\x015"

            wait_until(gets_in, "a client gets in")
            assert run(neighbour, "SELECT 5") == ((5,),)
            assert "cut off after" in proxy.log
        assert "Traceback" not in proxy.log


@pytest.fixture(scope="module")
def hasty(shared_cluster: Cluster) -> Iterator[ProxyProcess]:
    """A proxy that waits for nobody, behind a load balancer on this machine."""
    arguments = ("--login-timeout", "0.5", "--proxy-protocol-networks", "127.0.0.1/32")
    with running_proxy(shared_cluster, *arguments) as proxy:
        yield proxy


STEPS: dict[str, Callable[[WireClient], None]] = {
    "nothing": lambda client: None,
    "half a PROXY header": lambda client: client.send_bytes(header_2(("10.1.2.3", 1), ("10.1.2.4", 2))[:20]),
    "a PROXY header": lambda client: client.send_bytes(header_1(("10.1.2.3", 1), ("10.1.2.4", 2))),
    "half a packet": lambda client: client.send_bytes(b"\x20\0\0\1\0\0"),
    "a request for TLS": lambda client: client.send_bytes(TLS_REQUEST),
    "half a ClientHello": lambda client: client.send_bytes(TLS_REQUEST + b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03"),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_client_that_stops_in_the_middle_is_not_waited_for(hasty: ProxyProcess, step: str) -> None:
    before = hasty.log.count("The login took too long")
    with WireClient(hasty.host, hasty.port) as client:
        client.greeting()
        STEPS[step](client)
        assert client.is_closed()
    hasty.wait_for_log("The login took too long", before + 1)


def test_connections_of_one_address_are_limited(shared_cluster: Cluster) -> None:
    arguments = ("--max-connections-per-address", "2", "--proxy-protocol-networks", "127.0.0.2/32")
    with running_proxy(shared_cluster, *arguments) as proxy:
        with connect(shared_cluster, proxy), connect(shared_cluster, proxy):
            assert b"Too many connections from 127.0.0.1 (max_connections_per_address is 2)" in refusal(proxy)
            for number in range(1, 4):
                # The balancer's own address does not count: its clients' do.
                header = header_1((f"10.0.0.{number}", 1), ("10.9.9.9", 2))
                with ExitStack() as stack:
                    for count in range(3):
                        client = stack.enter_context(WireClient(proxy.host, proxy.port, source="127.0.0.2"))
                        client.send_bytes(header)
                        if count < 2:
                            client.log_in(login_of(shared_cluster))
                            continue
                        with pytest.raises(Refused, match=rf"1040.*from 10\.0\.0\.{number}"):
                            client.log_in(login_of(shared_cluster))

        def gets_in() -> bool:
            try:
                connect(shared_cluster, proxy).close()
            except pymysql.err.OperationalError:
                return False
            return True

        for _ in range(5):
            wait_until(gets_in, "there is room again")
