"""PROXY headers of both versions: written and read, whole, byte by byte, with something behind, and broken ones."""

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.wire.errors import MalformedPacket
from proxy.wire.proxyprotocol import Endpoint, ProxyHeader, header_1, header_2, local_1, local_2, read_header

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
FOUR = bytes((192, 0, 2, 1, 198, 51, 100, 2)) + (51234).to_bytes(2, "big") + (3306).to_bytes(2, "big")
SIX = ipaddress.ip_address("2001:db8::1").packed + ipaddress.ip_address("2001:db8::2").packed + FOUR[8:]
SOURCE = ("192.0.2.1", 51234)


def version_2(command: int, kind: int, rest: bytes) -> bytes:
    return SIGNATURE + bytes((command, kind)) + len(rest).to_bytes(2, "big") + rest


GOOD: dict[bytes, Endpoint | None] = {
    b"PROXY TCP4 192.0.2.1 198.51.100.2 51234 3306\r\n": SOURCE,
    b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n": ("255.255.255.255", 65535),
    b"PROXY TCP6 2001:db8::1 2001:db8::2 0 1\r\n": ("2001:db8::1", 0),
    b"PROXY TCP6 ::ffff:192.0.2.1 ::1 51234 3306\r\n": SOURCE,
    b"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n": (
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        65535,
    ),
    b"PROXY UNKNOWN\r\n": None,
    b"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n": (
        None
    ),
    version_2(0x21, 0x11, FOUR): SOURCE,
    version_2(0x21, 0x21, SIX): ("2001:db8::1", 51234),
    # With what else the sender tells: here the host name that the client asked for.
    version_2(0x21, 0x11, FOUR + b"\x02\0\x0bexample.org"): SOURCE,
    version_2(0x21, 0x11, FOUR + bytes(4084)): SOURCE,
    version_2(0x20, 0x11, FOUR): None,
    version_2(0x20, 0x00, b""): None,
    version_2(0x21, 0x00, b""): None,
    version_2(0x21, 0x00, b"whatever"): None,
    version_2(0x21, 0x31, bytes(216)): None,
}
BAD = [
    b"PROXY \r\n",
    b"PROXY TCP4\r\n",
    b"PROXY TCP5 192.0.2.1 198.51.100.2 51234 3306\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 51234\r\n",
    b"PROXY TCP4  192.0.2.1 198.51.100.2 51234 3306\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 51234 3306 \r\n",
    b"PROXY TCP4 192.0.2.256 198.51.100.2 51234 3306\r\n",
    b"PROXY TCP4 2001:db8::1 2001:db8::2 51234 3306\r\n",
    b"PROXY TCP6 192.0.2.1 198.51.100.2 51234 3306\r\n",
    b"PROXY TCP6 fe80::1%eth0 fe80::2 51234 3306\r\n",
    b"PROXY TCP4 192.0.2.1 localhost 51234 3306\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 65536 3306\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 -1 3306\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 51234 \xb2\r\n",
    b"PROXY TCP4 \xff 198.51.100.2 51234 3306\r\n",
    b"PROXY " + b"x" * 101,
    b"PROXY UNKNOWN" + b" " * 100 + b"\r\n",
    version_2(0x21, 0x11, FOUR[:11]),
    version_2(0x21, 0x21, SIX[:35]),
    version_2(0x21, 0x31, bytes(215)),
    version_2(0x21, 0x12, FOUR),
    version_2(0x21, 0x99, bytes(216)),
    version_2(0x22, 0x11, FOUR),
    version_2(0x11, 0x11, FOUR),
    version_2(0x21, 0x11, bytes(4097)),
]


@pytest.mark.parametrize("data", GOOD)
@pytest.mark.parametrize("behind", [b"", b"\x20\0\0\1rest", b"PROXY"])
def test_a_header_is_read_and_nothing_behind_it(data: bytes, behind: bytes) -> None:
    assert read_header(data + behind) == ProxyHeader(len(data), GOOD[data])


@pytest.mark.parametrize("data", GOOD)
def test_a_header_may_come_in_pieces(data: bytes) -> None:
    for size in range(len(data)):
        assert read_header(data[:size]) is None


@pytest.mark.parametrize("data", BAD)
def test_a_broken_header_is_malformed_and_stays_so(data: bytes) -> None:
    for behind in (b"", b"rest"):
        with pytest.raises(MalformedPacket):
            read_header(data + behind)


@pytest.mark.parametrize(
    "data", [b"\x20\0\0\1", b"PROX\0", b"P\0\0\1", b"\r\n\r\nX", b"\x0d\0\0\1", b"GET / HTTP/1.1", b"proxy TCP4"]
)
def test_what_is_no_header_has_none(data: bytes) -> None:
    assert read_header(data) == ProxyHeader(0, None)


def test_headers_as_they_are_written() -> None:
    assert header_1(SOURCE, ("198.51.100.2", 3306)) == b"PROXY TCP4 192.0.2.1 198.51.100.2 51234 3306\r\n"
    assert (local_1(), local_2()) == (b"PROXY UNKNOWN\r\n", version_2(0x20, 0x00, b""))
    assert header_2(SOURCE, ("198.51.100.2", 3306)) == version_2(0x21, 0x11, FOUR)
    assert header_2(("2001:db8::1", 51234), ("2001:db8::2", 3306)) == version_2(0x21, 0x21, SIX)
    assert header_1(("::ffff:192.0.2.1", 1), ("198.51.100.2", 2)) == b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\n"
    assert header_1(("fe80::1%eth0", 1), ("fe80::2", 2)) == b"PROXY TCP6 fe80::1 fe80::2 1 2\r\n"
    assert header_1(("2001:db8::1", 1), ("192.0.2.1", 2)).startswith(b"PROXY TCP6 2001:db8::1 ::ffff:")


ADDRESSES = st.ip_addresses().map(str)
PORTS = st.integers(0, 65535)


@given(ADDRESSES, PORTS, ADDRESSES, PORTS, st.binary(max_size=20))
def test_what_is_written_is_read(client: str, client_port: int, server: str, server_port: int, behind: bytes) -> None:
    for write in (header_1, header_2):
        header = write((client, client_port), (server, server_port))
        read = read_header(header + behind)
        assert read is not None
        assert read.source is not None
        assert (read.size, read.source[1]) == (len(header), client_port)
        assert same(read.source[0], client)


def same(one: str, other: str) -> bool:
    def plain(text: str) -> object:
        address = ipaddress.ip_address(text)
        return getattr(address, "ipv4_mapped", None) or address

    return plain(one) == plain(other)


@settings(max_examples=500)
@given(st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11"]), st.binary(max_size=300))
def test_any_bytes_are_a_header_or_none_or_malformed(begin: bytes, data: bytes) -> None:
    try:
        header = read_header(begin + data)
    except MalformedPacket:
        return
    assert header is None or 0 <= header.size <= len(begin + data)
