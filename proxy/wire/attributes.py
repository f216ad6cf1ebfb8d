"""Connection attributes: pairs of names and values with which a client introduces its program to a server."""

from typing import Final

from proxy.wire.errors import MalformedPacket
from proxy.wire.primitives import Reader, lenenc_bytes

# Servers of both vendors refuse a login with more.
_LONGEST: Final = 0xFFFF


def with_attribute(attributes: bytes, name: str, value: str) -> bytes:
    """The attributes with this one in front, in place of one of that name that the client may have set itself.

    In front because servers keep only the first of them (performance_schema_session_connect_attrs_size). Where servers
    would not take so many they stay as they are. So do those that are no pairs, which servers pass over.
    """
    try:
        kept = _without(attributes, name.encode())
    except MalformedPacket:
        return attributes
    more = lenenc_bytes(name.encode()) + lenenc_bytes(value.encode()) + kept
    return more if len(more) <= _LONGEST else attributes


def value_of(attributes: bytes, name: str) -> str:
    """What the client says under this name; empty if nothing, or if the attributes are no pairs."""
    reader = Reader(attributes)
    try:
        while reader.left:
            key, value = reader.lenenc_bytes(), reader.lenenc_bytes()
            if key == name.encode():
                return value.decode("utf-8", "replace")
    except MalformedPacket:
        pass
    return ""


def _without(attributes: bytes, name: bytes) -> bytes:
    reader = Reader(attributes)
    kept = []
    while reader.left:
        key, value = reader.lenenc_bytes(), reader.lenenc_bytes()
        if key != name:
            kept += [lenenc_bytes(key), lenenc_bytes(value)]
    return b"".join(kept)
