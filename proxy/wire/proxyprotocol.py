"""The PROXY protocol, versions 1 and 2: what is said of the client whose connection is passed on.

Source: "The PROXY protocol, versions 1 & 2" of HAProxy's documentation.
"""

import ipaddress
from dataclasses import dataclass
from typing import Final

from proxy.wire.errors import MalformedPacket

_SIGNATURE_1: Final = b"PROXY "
_SIGNATURE_2: Final = b"\r\n\r\n\0\r\nQUIT\n"
# "PROXY UNKNOWN", the longest addresses that there are, and the line's end.
_LONGEST_1: Final = 107
_FIXED_2: Final = 16
# Addresses, and behind them whatever else the sender has to tell: some hundred bytes. The format would allow 64 KiB.
_LONGEST_REST_2: Final = 4096
LONGEST_HEADER: Final = _FIXED_2 + _LONGEST_REST_2
_LOCAL, _PROXIED = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
# By family and transport: TCP over IPv4 and IPv6, a Unix socket, not specified.
_ADDRESSES_SIZE: Final = {_TCP4: 12, _TCP6: 36, 0x31: 216, 0x00: 0}
_PORTS_SIZE: Final = 4

Endpoint = tuple[str, int]
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """A header of `size` bytes. `source` is None when it tells no client, as in the sender's own health checks."""

    size: int
    source: Endpoint | None


def read_header(data: bytes) -> ProxyHeader | None:
    """The header that `data` begins with, one of size 0 if it begins with something else; None if more is needed.

    Raises MalformedPacket for what begins like a header and is none.
    """
    if _may_begin(data, _SIGNATURE_1):
        return _read_1(data)
    if _may_begin(data, _SIGNATURE_2):
        return _read_2(data)
    return ProxyHeader(0, None)


def _may_begin(data: bytes, signature: bytes) -> bool:
    return data[: len(signature)] == signature[: len(data)]


def _read_1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, _LONGEST_1)
    if end < 0:
        if len(data) >= _LONGEST_1:
            raise MalformedPacket("a PROXY line does not end")
        return None
    words = data[:end].split(b" ")
    if words[1] == b"UNKNOWN":
        return ProxyHeader(end + 2, None)
    if len(words) != 6 or words[1] not in (b"TCP4", b"TCP6"):
        raise MalformedPacket("a PROXY line has other words than it should")
    family = int(words[1][3:])
    source, destination = ((_address(words[at], family), _port(words[at + 2])) for at in (2, 3))
    return ProxyHeader(end + 2, source if destination else None)


def _address(text: bytes, family: int) -> str:
    try:
        address = ipaddress.ip_address(text.decode("ascii"))
    except ValueError:
        raise MalformedPacket("an address in a PROXY line is none") from None
    # An address with a scope (fe80::1%eth0) means something on the machine only that wrote it.
    if address.version != family or "%" in str(address):
        raise MalformedPacket("an address in a PROXY line is of another family")
    return str(_plainest(address))


def _port(text: bytes) -> int:
    if not text.isdigit() or len(text) > 5 or int(text) > 0xFFFF:
        raise MalformedPacket("a port in a PROXY line is none")
    return int(text)


def _read_2(data: bytes) -> ProxyHeader | None:
    if len(data) < _FIXED_2:
        return None
    command, family, length = data[12], data[13], int.from_bytes(data[14:16], "big")
    if command not in (_LOCAL, _PROXIED) or length > _LONGEST_REST_2:
        raise MalformedPacket(f"a PROXY header has command 0x{command:02x} and {length} bytes behind it")
    if command == _PROXIED and length < _ADDRESSES_SIZE.get(family, length + 1):
        raise MalformedPacket(f"a PROXY header has addresses of kind 0x{family:02x} in {length} bytes")
    size = _FIXED_2 + length
    if len(data) < size:
        return None
    return ProxyHeader(size, _source_2(data, family) if command == _PROXIED else None)


def _source_2(data: bytes, family: int) -> Endpoint | None:
    if family not in (_TCP4, _TCP6):
        return None
    ports_at = _FIXED_2 + _ADDRESSES_SIZE[family] - _PORTS_SIZE
    address = ipaddress.ip_address(data[_FIXED_2 : (_FIXED_2 + ports_at) // 2])
    return str(_plainest(address)), int.from_bytes(data[ports_at : ports_at + 2], "big")


def header_1(source: Endpoint, destination: Endpoint) -> bytes:
    """A header of version 1 for a connection between two IP addresses and ports."""
    (client, server), family = _paired(source, destination)
    return f"PROXY TCP{family} {client} {server} {source[1]} {destination[1]}\r\n".encode()


def local_1() -> bytes:
    """A header of version 1 for a connection of the sender's own."""
    return b"PROXY UNKNOWN\r\n"


def local_2() -> bytes:
    """A header of version 2 for a connection of the sender's own."""
    return _SIGNATURE_2 + bytes((_LOCAL, 0, 0, 0))


def header_2(source: Endpoint, destination: Endpoint) -> bytes:
    """A header of version 2."""
    (client, server), family = _paired(source, destination)
    ports = source[1].to_bytes(2, "big") + destination[1].to_bytes(2, "big")
    kind = _TCP4 if family == 4 else _TCP6
    length = _ADDRESSES_SIZE[kind].to_bytes(2, "big")
    return _SIGNATURE_2 + bytes((_PROXIED, kind)) + length + client.packed + server.packed + ports


def _paired(source: Endpoint, destination: Endpoint) -> tuple[tuple[_Address, _Address], int]:
    """Both addresses in one family: IPv4 if both have such an address."""
    client, server = (_plainest(ipaddress.ip_address(end[0].partition("%")[0])) for end in (source, destination))
    if client.version != server.version:
        client, server = _widened(client), _widened(server)
    return (client, server), client.version


def _plainest(address: _Address) -> _Address:
    """IPv4 where an IPv6 address is only another way to write it."""
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def _widened(address: _Address) -> ipaddress.IPv6Address:
    if isinstance(address, ipaddress.IPv6Address):
        return address
    return ipaddress.IPv6Address(f"::ffff:{address}")
