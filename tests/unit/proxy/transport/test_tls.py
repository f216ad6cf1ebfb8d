"""The TLS layer between a transport and a protocol: bytes, back-pressure, ends and failures."""

import ssl
from pathlib import Path

import pytest

from proxy.transport.tls import TlsFailed, TlsLayer
from proxy.transport.tlsengine import TlsEngine
from tests.support.certificates import Authority, client_context, server_context
from tests.support.transports import FakeTransport, Recorder


class Side:
    """A layer with what is below and above it."""

    def __init__(self, context: ssl.SSLContext, server_side: bool) -> None:
        self.below, self.above = FakeTransport(), Recorder()
        self.ready = 0
        engine = TlsEngine(context, server_side=server_side, server_hostname=None if server_side else "localhost")
        self.layer = TlsLayer(self.below, self.above, engine, self.count)

    def count(self) -> None:
        self.ready += 1


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def server(authority: Authority) -> Side:
    return Side(server_context(authority.named("server")), True)


@pytest.fixture
def client(authority: Authority) -> Side:
    return Side(client_context(authority.certificate, hostname=True), False)


def exchange(one: Side, other: Side) -> None:
    moved = True
    while moved:
        moved = False
        for source, target in ((one, other), (other, one)):
            if data := source.below.take():
                target.layer.data_received(data)
                moved = True


def connect(server: Side, client: Side, rest: bytes = b"") -> None:
    """The handshake. `rest` of it came with the packet that asked for it."""
    client.layer.begin(b"")
    hello = client.below.take()
    server.layer.begin(hello[: len(rest)] if rest else hello)
    server.layer.data_received(hello[len(rest) :] if rest else b"")
    exchange(server, client)


def test_it_takes_the_transport_over_and_carries_bytes(server: Side, client: Side) -> None:
    connect(server, client)
    assert server.below.protocol is server.layer
    assert (server.ready, client.ready) == (1, 1)
    client.layer.write(b"question")
    server.layer.write(bytearray(b"answer"))
    exchange(server, client)
    assert (server.above.data, client.above.data) == (b"question", b"answer")


def test_a_hello_that_came_in_part_with_the_request(server: Side, client: Side) -> None:
    connect(server, client, rest=b"x" * 50)
    assert (server.ready, client.ready) == (1, 1)


def test_a_large_write_goes_below_in_one_piece(server: Side, client: Side) -> None:
    connect(server, client)
    server.layer.write(b"x" * 1_000_000)
    assert len(server.below.written) == 1
    exchange(server, client)
    assert client.above.data == b"x" * 1_000_000
    assert len(client.above.pieces) == 1


def test_nothing_is_said_before_the_handshake_is_over(server: Side, client: Side) -> None:
    client.layer.begin(b"")
    server.layer.begin(client.below.take()[:20])
    server.layer.write(b"an error packet in clear")
    server.layer.close()
    assert server.below.take() == b""
    assert server.below.calls == ["close"]


def test_back_pressure_passes_through(server: Side, client: Side) -> None:
    connect(server, client)
    server.layer.pause_writing()
    server.layer.resume_writing()
    assert server.above.calls == ["pause", "resume"]
    server.layer.pause_reading()
    server.layer.resume_reading()
    server.layer.set_write_buffer_limits(high=5)
    assert server.below.calls[-3:] == ["pause", "resume", "limits 5"]
    server.layer.write(b"x" * 100)
    assert server.layer.get_write_buffer_size() > 100
    assert server.layer.get_extra_info("peername") == ("192.0.2.1", 5)


def test_another_protocol_gets_what_comes_next(server: Side, client: Side) -> None:
    connect(server, client)
    session = Recorder()
    server.layer.set_protocol(session)
    assert server.layer.get_protocol() is session
    client.layer.write(b"command")
    exchange(server, client)
    assert (server.above.data, session.data) == (b"", b"command")
    server.layer.connection_lost(None)
    assert session.lost == [None]


def test_a_close_is_told_to_the_peer_whose_layer_closes_too(server: Side, client: Side) -> None:
    connect(server, client)
    client.layer.write(b"last words")
    client.layer.close()
    exchange(server, client)
    assert server.above.data == b"last words"
    assert set(server.below.calls) == set(client.below.calls) == {"close"}
    server.layer.write(b"too late")
    server.layer.close()
    assert server.below.take() == b""


def test_a_failure_closes_and_is_told_above_with_its_reason(server: Side, client: Side, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "Somebody else")
    distrustful = Side(client_context(stranger.certificate), False)
    distrustful.layer.begin(b"")
    server.layer.begin(distrustful.below.take())
    exchange(server, distrustful)
    for side, reason in ((server, "unknown ca"), (distrustful, "the certificate cannot be verified: unable to get")):
        assert side.below.calls == ["close"]
        side.layer.connection_lost(None)
        (failure,) = side.above.lost
        assert isinstance(failure, TlsFailed)
        assert reason in str(failure)
    client.layer.begin(b"")
    client.layer.data_received(b"\xff\x15\x04Too many connections")
    client.layer.connection_lost(ConnectionResetError())
    assert "wrong version number" in str(client.above.lost[0])


def test_a_lost_connection_is_passed_on_as_it_is(server: Side, client: Side) -> None:
    connect(server, client)
    error = ConnectionResetError("gone")
    server.layer.connection_lost(error)
    assert server.above.lost == [error]
