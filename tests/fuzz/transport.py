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
    """Compressed frames: the content does not depend on the pieces in which they come.

    Only how much of a frame's content is given before it turns out to be damaged does.
    """
    source = Input(data)
    algorithm = Algorithm.ZSTD if source.flag() else Algorithm.ZLIB
    seed, stream = source.byte(), source.rest()
    whole, pieces = _content(algorithm, [stream]), _content(algorithm, chunks(stream, seed))
    if whole is None or pieces is None:
        return
    assert whole[1] == pieces[1]
    shorter, longer = sorted((whole[0], pieces[0]), key=len)
    assert shorter == longer or (whole[1] and longer.startswith(shorter))


def _content(algorithm: Algorithm, arriving: Iterable[bytes]) -> tuple[bytes, bool] | None:
    """What frames hold, and whether they are malformed behind it; None for too much."""
    reader, content = FrameReader(algorithm), b""
    try:
        for data in arriving:
            reader.feed(data)
            while piece := reader.next():
                content += piece
                # A bomb is taken in pieces; the fuzzer need not wait for all of them.
                if len(content) > MOST:
                    return None
    except MalformedPacket:
        return content, True
    return content, False


def attributes(data: bytes) -> None:
    """Connection attributes: an added one stays the only one of its name."""
    once = with_attribute(data, "name", "value")
    assert with_attribute(once, "name", "value") == once
    assert once == data or once.startswith(b"\4name\5value")
