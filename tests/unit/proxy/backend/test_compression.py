"""Which compression is asked for at a server, and what becomes of a connection whose frames make no sense."""

from typing import cast

import pytest

from proxy.backend.compression import compressing, compression_flag
from proxy.backend.connection import BackendConnection, Sink
from proxy.transport.compressed import CompressedToServer
from proxy.wire.clientlogin import Safety
from proxy.wire.constants import CLIENT_COMPRESS, CLIENT_SSL, CLIENT_ZSTD_COMPRESSION
from tests.support.transports import FakeTransport
from topology.servers import Role, Server, ServerCompression

OFF, ZLIB, ZSTD = ServerCompression.OFF, ServerCompression.ZLIB, ServerCompression.ZSTD
BOTH = CLIENT_COMPRESS | CLIENT_ZSTD_COMPRESSION


def server(kind: ServerCompression) -> Server:
    return Server("dbwrite", "127.0.0.1", 1, Role.PRIMARY, compression=kind)


@pytest.mark.parametrize(
    ("kind", "greeted", "asked"),
    [
        (OFF, BOTH, 0),
        (ZLIB, BOTH, CLIENT_COMPRESS),
        (ZSTD, BOTH, CLIENT_ZSTD_COMPRESSION),
        (ZLIB, CLIENT_ZSTD_COMPRESSION, 0),
        (ZSTD, CLIENT_COMPRESS, 0),
        (ZLIB, CLIENT_SSL, 0),
    ],
)
def test_what_is_wanted_is_asked_for_where_it_is_offered(kind: ServerCompression, greeted: int, asked: int) -> None:
    assert compression_flag(server(kind), greeted) == asked


class Told:
    """A sink that only hears of the end."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def connection_broken(self, connection: BackendConnection, reason: str) -> None:
        self.reasons.append(reason)


def connection(capabilities: int, sink: Told) -> BackendConnection:
    return BackendConnection(server(OFF), 1, capabilities, Safety(private=True), 2, cast(Sink, sink))


def test_without_the_flag_there_is_no_layer() -> None:
    assert compressing(connection(CLIENT_SSL, Told())) is None


@pytest.mark.parametrize("flag", [CLIENT_COMPRESS, CLIENT_ZSTD_COMPRESSION])
def test_a_malformed_frame_breaks_the_connection(flag: int) -> None:
    told, below = Told(), FakeTransport()
    link = connection(flag, told)
    around = compressing(link)
    assert around is not None
    layer = around(below, link)
    assert isinstance(layer, CompressedToServer)
    link.connection_made(layer)
    layer.data_received(b"\3\0\0\0\5\0\0xyz")
    (reason,) = told.reasons
    assert reason.startswith("malformed frame: ")
    assert below.calls == ["abort"]
    assert not link.alive
