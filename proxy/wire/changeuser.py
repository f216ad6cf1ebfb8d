"""COM_CHANGE_USER: another user on the same connection, as the client asks for it and as servers are asked."""

from dataclasses import dataclass

from proxy.wire.constants import CLIENT_CONNECT_ATTRS, CLIENT_PLUGIN_AUTH, COM_CHANGE_USER, NATIVE_PASSWORD
from proxy.wire.errors import MalformedPacket
from proxy.wire.primitives import Reader, lenenc_bytes


@dataclass(frozen=True, slots=True)
class ChangeUser:
    """The new user, schema, collation and connection attributes.

    The authentication data that comes with the command is left out: servers of both vendors were seen not to look at
    it, and to answer with a request to switch, always.
    """

    user: str
    database: str
    collation_id: int
    attributes: bytes = b""


def parse_change_user(payload: bytes, capabilities: int) -> ChangeUser:
    """Read a client's command. Servers refuse one that lacks a part, or names no authentication method."""
    reader = Reader(payload)
    if reader.integer(1) != COM_CHANGE_USER or not capabilities & CLIENT_PLUGIN_AUTH:
        raise MalformedPacket("a COM_CHANGE_USER without an authentication method")
    user = reader.nul_bytes()
    reader.take(reader.integer(1))
    database, collation_id = reader.nul_bytes(), reader.integer(2)
    reader.nul_bytes()
    attributes = reader.lenenc_bytes() if capabilities & CLIENT_CONNECT_ATTRS and reader.left else b""
    return ChangeUser(user.decode("utf-8", "replace"), database.decode("utf-8", "replace"), collation_id, attributes)


def change_user_payload(change: ChangeUser, capabilities: int) -> bytes:
    """The command for a server with which these capabilities were agreed."""
    payload = (
        bytes((COM_CHANGE_USER,))
        + change.user.encode()
        + b"\0\0"
        + change.database.encode()
        + b"\0"
        + change.collation_id.to_bytes(2, "little")
        + NATIVE_PASSWORD.encode()
        + b"\0"
    )
    return payload + lenenc_bytes(change.attributes) if capabilities & CLIENT_CONNECT_ATTRS else payload
