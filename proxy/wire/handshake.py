"""The packets of the connection phase: the server's greeting, the client's response, a switch of method."""

from dataclasses import dataclass, field, replace

from proxy.wire.constants import (
    CLIENT_CONNECT_ATTRS,
    CLIENT_CONNECT_WITH_DB,
    CLIENT_LONG_PASSWORD,
    CLIENT_PLUGIN_AUTH,
    CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA,
    CLIENT_SECURE_CONNECTION,
    CLIENT_SSL,
    CLIENT_ZSTD_COMPRESSION,
    EOF_HEADER,
)
from proxy.wire.errors import MalformedPacket
from proxy.wire.primitives import Reader, lenenc_bytes

PROTOCOL_VERSION = 10
NONCE_SIZE = 20
_FIRST_NONCE_PART = 8
_LOWER_HALF = 0xFFFFFFFF
_TLS_REQUEST_SIZE = 32
# Servers of both vendors refuse more.
_MAX_ATTRIBUTES = 0xFFFF


@dataclass(frozen=True, slots=True)
class Greeting:
    """Initial handshake packet, protocol version 10. `nonce` is 20 bytes without a NUL.

    A server without CLIENT_LONG_PASSWORD is MariaDB: the upper half of its 64 capability flags stands in bytes that are
    reserved otherwise. A client tells it of its own in the same way.
    """

    server_version: str
    connection_id: int
    nonce: bytes
    capabilities: int
    collation_id: int
    status: int
    plugin: str


def greeting_payload(greeting: Greeting) -> bytes:
    """The greeting as a server sends it."""
    capabilities = greeting.capabilities.to_bytes(8, "little")
    first, second = greeting.nonce[:_FIRST_NONCE_PART], greeting.nonce[_FIRST_NONCE_PART:]
    return b"".join(
        (
            bytes((PROTOCOL_VERSION,)),
            greeting.server_version.encode() + b"\0",
            greeting.connection_id.to_bytes(4, "little"),
            first + b"\0",
            capabilities[:2],
            # One byte only: collations above 255 are asked for in the client's response.
            bytes((greeting.collation_id & 0xFF,)),
            greeting.status.to_bytes(2, "little"),
            capabilities[2:4],
            bytes((len(greeting.nonce) + 1,)),
            bytes(6),
            bytes(4) if greeting.capabilities & CLIENT_LONG_PASSWORD else capabilities[4:],
            second + b"\0",
            greeting.plugin.encode() + b"\0",
        )
    )


def parse_greeting(payload: bytes) -> Greeting:
    """Read a greeting of MySQL 5.5 / MariaDB 5.5 or later."""
    reader = Reader(payload)
    if (version := reader.integer(1)) != PROTOCOL_VERSION:
        raise MalformedPacket(f"protocol version {version} instead of {PROTOCOL_VERSION}")
    server_version = reader.nul_bytes().decode("utf-8", "replace")
    connection_id = reader.integer(4)
    nonce = reader.take(_FIRST_NONCE_PART)
    reader.take(1)
    low, collation_id, status, high = reader.integer(2), reader.integer(1), reader.integer(2), reader.integer(2)
    nonce_size = reader.integer(1)
    reader.take(6)
    extended = reader.integer(4)
    # At least 13 bytes, the last of them a NUL, whatever nonce_size says.
    nonce += reader.take(max(13, nonce_size - _FIRST_NONCE_PART))[: NONCE_SIZE - _FIRST_NONCE_PART]
    capabilities = low | high << 16
    if not capabilities & CLIENT_LONG_PASSWORD:
        capabilities |= extended << 32
    plugin = reader.rest().rstrip(b"\0").decode("ascii", "replace") if capabilities & CLIENT_PLUGIN_AUTH else ""
    return Greeting(server_version, connection_id, nonce, capabilities, collation_id, status, plugin)


@dataclass(frozen=True, slots=True)
class HandshakeResponse:
    """The client's answer to the greeting, protocol 4.1. `auth` is the first answer of `plugin`'s dialogue."""

    capabilities: int
    max_packet_size: int
    collation_id: int
    user: str
    auth: bytes = field(repr=False)
    database: str = ""
    plugin: str = ""
    attributes: bytes = b""
    zstd_level: int = 3


def agreed(response: HandshakeResponse, offered: int) -> HandshakeResponse:
    """A response without the flags that were not offered."""
    return replace(response, capabilities=response.capabilities & offered)


def response_payload(response: HandshakeResponse) -> bytes:
    """The response as a client sends it; optional parts follow the capability flags."""
    capabilities = response.capabilities
    parts = [
        (capabilities & _LOWER_HALF).to_bytes(4, "little"),
        response.max_packet_size.to_bytes(4, "little"),
        bytes((response.collation_id & 0xFF,)),
        bytes(19),
        bytes(4) if capabilities & CLIENT_LONG_PASSWORD else (capabilities >> 32).to_bytes(4, "little"),
        response.user.encode() + b"\0",
        _auth_field(capabilities, response.auth),
    ]
    if capabilities & CLIENT_CONNECT_WITH_DB:
        parts.append(response.database.encode() + b"\0")
    if capabilities & CLIENT_PLUGIN_AUTH:
        parts.append(response.plugin.encode() + b"\0")
    if capabilities & CLIENT_CONNECT_ATTRS:
        parts.append(lenenc_bytes(response.attributes))
    if capabilities & CLIENT_ZSTD_COMPRESSION:
        parts.append(bytes((response.zstd_level,)))
    return b"".join(parts)


def tls_request(response: HandshakeResponse) -> bytes:
    """What a client sends before its response, which is to follow in TLS: the fixed part of it, nothing secret."""
    return response_payload(replace(response, auth=b""))[:_TLS_REQUEST_SIZE]


def _auth_field(capabilities: int, auth: bytes) -> bytes:
    if capabilities & CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA:
        return lenenc_bytes(auth)
    return bytes((len(auth),)) + auth


def asks_for_tls(payload: bytes) -> bool:
    """Whether a client's first packet wants TLS to begin behind it; its response follows in TLS then.

    Such a packet is the response up to the user, but servers look at nothing but the flag.
    """
    return len(payload) >= 4 and bool(int.from_bytes(payload[:4], "little") & CLIENT_SSL)


def parse_response(payload: bytes) -> HandshakeResponse:
    """Read a client's response; parts that the flags announce but the packet lacks are taken as empty at its end."""
    reader = Reader(payload)
    capabilities, max_packet_size, collation_id = reader.integer(4), reader.integer(4), reader.integer(1)
    reader.take(19)
    extended = reader.integer(4)
    if not capabilities & CLIENT_LONG_PASSWORD:
        capabilities |= extended << 32
    user = _text(reader.nul_bytes())
    auth = _read_auth(reader, capabilities)
    database = _text(reader.nul_bytes()) if capabilities & CLIENT_CONNECT_WITH_DB and reader.left else ""
    plugin = _text(reader.nul_bytes()) if capabilities & CLIENT_PLUGIN_AUTH and reader.left else ""
    attributes = reader.lenenc_bytes() if capabilities & CLIENT_CONNECT_ATTRS and reader.left else b""
    if len(attributes) > _MAX_ATTRIBUTES:
        raise MalformedPacket(f"{len(attributes)} bytes of connection attributes")
    response = HandshakeResponse(capabilities, max_packet_size, collation_id, user, auth, database, plugin, attributes)
    if capabilities & CLIENT_ZSTD_COMPRESSION and reader.left:
        return replace(response, zstd_level=reader.integer(1))
    return response


def _read_auth(reader: Reader, capabilities: int) -> bytes:
    if capabilities & CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA:
        return reader.lenenc_bytes()
    if capabilities & CLIENT_SECURE_CONNECTION:
        return reader.take(reader.integer(1))
    return reader.nul_bytes()


def _text(value: bytes) -> str:
    # The names of the handshake are UTF-8 by definition; what is not can match no account and no schema.
    return value.decode("utf-8", "replace")


def auth_switch_payload(plugin: str, data: bytes) -> bytes:
    """The server's request to start over with another method; `data` is its challenge, which may have to end in NUL."""
    return bytes((EOF_HEADER,)) + plugin.encode() + b"\0" + data


def parse_auth_switch(payload: bytes) -> tuple[str, bytes]:
    """Read a switch request as (plugin, data)."""
    reader = Reader(payload)
    if reader.integer(1) != EOF_HEADER:
        raise MalformedPacket("an authentication switch begins with 0xFE")
    plugin = _text(reader.nul_bytes())
    return plugin, reader.rest()
