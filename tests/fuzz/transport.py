"""Fuzz targets for what comes before and around packets; nothing but MalformedPacket may come of any bytes."""

from contextlib import suppress

from proxy.wire.attributes import with_attribute
from proxy.wire.errors import MalformedPacket
from proxy.wire.proxyprotocol import read_header


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


def attributes(data: bytes) -> None:
    """Connection attributes: an added one stays the only one of its name."""
    once = with_attribute(data, "name", "value")
    assert with_attribute(once, "name", "value") == once
    assert once == data or once.startswith(b"\4name\5value")
