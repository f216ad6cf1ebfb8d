"""Fuzz targets for what comes before and around packets; nothing but MalformedPacket may come of any bytes."""

from collections.abc import Iterable
from contextlib import suppress

from proxy.wire.attributes import with_attribute
from proxy.wire.compression import Algorithm, FrameReader
from proxy.wire.errors import MalformedPacket
from proxy.wire.proxyprotocol import read_header
from tests.fuzz.inputs import Input, chunks

MOST = 1 << 20


def proxy_header(data: bytes) -> None:
    """A PROXY header: read in pieces it is the same, and nothing behind it is looked at."""
    with suppress(MalformedPacket):
        header = read_header(data)
        if header is None:
            return
        assert 0 <= header.size <= len(data)
        assert read_header(data[: header.size] + b"behind") == header or not header.size
        for size in range(header.size):
            assert read_header(data[:size]) is None


def compressed(data: bytes) -> None:
    """Compressed frames: the content does not depend on the pieces in which they come."""
    source = Input(data)
    algorithm = Algorithm.ZSTD if source.flag() else Algorithm.ZLIB
    seed, stream = source.byte(), source.rest()
    whole, pieces = _content(algorithm, [stream]), _content(algorithm, chunks(stream, seed))
    assert whole == pieces


def _content(algorithm: Algorithm, arriving: Iterable[bytes]) -> tuple[bytes, bool]:
    """What frames hold, and whether they are malformed behind it."""
    reader, content = FrameReader(algorithm), b""
    try:
        for data in arriving:
            reader.feed(data)
            while piece := reader.next():
                content += piece
                # A bomb is taken in pieces; the fuzzer need not wait for all of them.
                if len(content) > MOST:
                    return b"", False
    except MalformedPacket:
        return content, True
    return content, False


def attributes(data: bytes) -> None:
    """Connection attributes: an added one stays the only one of its name."""
    once = with_attribute(data, "name", "value")
    assert with_attribute(once, "name", "value") == once
    assert once == data or once.startswith(b"\4name\5value")
