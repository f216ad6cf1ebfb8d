"""Two ends of TLS without a socket, fed whole, byte by byte, and with what no peer may send."""

import ssl
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.transport.tlsengine import TlsEngine
from tests.support.certificates import Authority, Pair, client_context, server_context

PACES = [1, 7, 1000, 1 << 20]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.named("server")


@pytest.fixture(scope="module")
def authority_file(authority: Authority) -> Path:
    return authority.certificate


class Ends:
    """A client and a server. What one has for the other is passed on in pieces of `pace` bytes."""

    def __init__(self, server: ssl.SSLContext, client: ssl.SSLContext, pace: int = 1 << 20) -> None:
        self.server = TlsEngine(server, server_side=True)
        self.client = TlsEngine(client, server_side=False, server_hostname="localhost")
        self.pace = pace
        self.heard: dict[TlsEngine, bytes] = {self.server: b"", self.client: b""}

    def shake_hands(self) -> None:
        self.client.receive(b"")
        self.exchange()
        assert self.client.ready
        assert self.server.ready

    def exchange(self) -> None:
        """Pass bytes on until neither has more for the other."""
        moved = True
        while moved:
            moved = self.pass_on(self.client, self.server) | self.pass_on(self.server, self.client)

    def pass_on(self, source: TlsEngine, target: TlsEngine) -> bool:
        data = source.outgoing()
        for at in range(0, len(data), self.pace):
            self.heard[target] += target.receive(data[at : at + self.pace])
        return bool(data)


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_ends_understand_each_other_at_any_pace(
    pair: Pair, authority_file: Path, pace: int, version: ssl.TLSVersion
) -> None:
    client = client_context(authority_file, hostname=True)
    client.maximum_version = client.minimum_version = version
    ends = Ends(server_context(pair), client, pace)
    ends.shake_hands()
    for size in (1, 16384, 16385, 200_000):
        message = bytes(range(256)) * (size // 256 + 1)
        ends.client.send(message)
        ends.exchange()
        assert ends.heard[ends.server] == message
        ends.server.send(message[::-1])
        ends.exchange()
        assert ends.heard[ends.client] == message[::-1]
        ends.heard = {ends.server: b"", ends.client: b""}


def test_plain_bytes_behind_the_handshake_are_not_lost(pair: Pair, authority_file: Path) -> None:
    """A client's last handshake message and its first packet come in one segment."""
    ends = Ends(server_context(pair), client_context(authority_file))
    ends.client.receive(b"")
    ends.pass_on(ends.client, ends.server)
    ends.pass_on(ends.server, ends.client)
    assert ends.client.ready
    assert not ends.server.ready
    ends.client.send(b"first packet")
    assert ends.server.receive(ends.client.outgoing()) == b"first packet"
    assert ends.server.ready


def test_the_peers_certificate_and_the_cipher(authority: Authority, pair: Pair) -> None:
    shown = authority.named("client")
    for client, expected in ((client_context(authority.certificate, shown), shown), (client_context(), None)):
        ends = Ends(server_context(pair, authority), client)
        ends.shake_hands()
        der = ssl.PEM_cert_to_DER_cert(expected.certificate.read_text()) if expected else None
        assert ends.server.peer_certificate() == der
        assert ends.server.cipher() == ends.client.cipher() != ""


def test_a_certificate_of_a_stranger_is_refused_by_both_sides(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "Somebody else")
    ends = Ends(server_context(pair), client_context(stranger.certificate))
    ends.client.receive(b"")
    ends.pass_on(ends.client, ends.server)
    with pytest.raises(ssl.SSLCertVerificationError):
        ends.pass_on(ends.server, ends.client)
    with pytest.raises(ssl.SSLError, match=r"(?i)unknown.ca"):
        ends.pass_on(ends.client, ends.server)
    ends = Ends(server_context(pair, authority), client_context(None, stranger.named("client")))
    ends.client.receive(b"")
    with pytest.raises(ssl.SSLCertVerificationError):
        ends.exchange()
    assert ends.server.outgoing(), "the alert that says why"


@pytest.mark.parametrize(
    "data", [b"\0", b"GET / HTTP/1.1\r\n\r\n", b"\x20\0\0\1" + bytes(32), b"\x16\x03\x01\xff\xff" + bytes(100)]
)
def test_what_is_no_tls_is_an_error_or_not_enough(pair: Pair, data: bytes) -> None:
    engine = TlsEngine(server_context(pair), server_side=True)
    try:
        assert engine.receive(data) == b""
    except ssl.SSLError:
        assert not engine.ready
    assert not engine.ready


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400), st.booleans(), st.integers(0, 3000), st.binary(min_size=1, max_size=8))
def test_any_bytes_are_data_or_an_ssl_error(
    pair: Pair, authority_file: Path, noise: bytes, after: bool, at: int, patch: bytes
) -> None:
    ends = Ends(server_context(pair), client_context(authority_file))
    try:
        if after:
            ends.shake_hands()
            ends.client.send(b"x" * 3000)
            sent = ends.client.outgoing()
            ends.server.receive(sent[:at] + patch + sent[at + len(patch) :])
        ends.server.receive(noise)
    except ssl.SSLError:
        return
    assert ends.server.receive(b"") == b""


def test_the_end_is_told_and_noticed(pair: Pair, authority_file: Path) -> None:
    ends = Ends(server_context(pair), client_context(authority_file))
    ends.shake_hands()
    ends.client.send(b"last words")
    ends.client.close()
    ends.exchange()
    assert ends.heard[ends.server] == b"last words"
    assert ends.server.over
    assert not ends.client.over


def test_closing_before_the_handshake_says_nothing(pair: Pair) -> None:
    engine = TlsEngine(server_context(pair), server_side=True)
    engine.close()
    assert engine.outgoing() == b""
